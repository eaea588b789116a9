/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages in, blocks out: the block thread's ears with a hub and a recorder that only remember. */
#include "base/error.h"
#include "cpu_node/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 4, N_UE = 2, MAX_EVENTS = 64 };

/* The world around ------------------------------------------------------------------------------------------------- */

static struct {
    struct fh_event event;
    bool there;
    int wait_status;
    char said[MAX_EVENTS][160];
    int n_said, n_renewed, n_none, n_uplink;
    size_t uplink_bytes;
    bool takes_uplink, waits;
    struct wire_account account[MAX_EVENTS];
    int account_ap[MAX_EVENTS], n_account, account_room;
    uint64_t refused_block; /* of an account that finds no room */
} world;

int fh_hub_wait(fh_hub_t *hub, int extra_fd, int64_t timeout_us, struct fh_event *event)
{
    (void)hub, (void)extra_fd, (void)timeout_us;
    *event = world.there ? world.event : (struct fh_event){.kind = FH_EVENT_NONE};
    world.there = false;
    return world.wait_status;
}
bool fh_hub_alive(const fh_hub_t *hub, enum fh_role role, int id)
{
    (void)hub, (void)role, (void)id;
    return true;
}
int fh_hub_send(fh_hub_t *hub, enum fh_role role, int id, const uint8_t *data, size_t n_bytes)
{
    (void)hub, (void)role, (void)id, (void)data, (void)n_bytes;
    return 0;
}
int fh_hub_send_control(fh_hub_t *hub, enum fh_role role, int id, const char *json)
{
    (void)hub, (void)role, (void)id;
    world.n_none += strstr(json, "no_precoder") != NULL;
    return 0;
}
void recorder_event(recorder_t *recorder, uint64_t block, const char *format, ...)
{
    (void)recorder, (void)block;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world.said[world.n_said++ % MAX_EVENTS], sizeof world.said[0], format, arguments);
    va_end(arguments);
}
bool recorder_account(recorder_t *recorder, int ap, const struct wire_account *account)
{
    (void)recorder;
    if (world.n_account >= world.account_room || account->block == world.refused_block) {
        return false;
    }
    world.account_ap[world.n_account] = ap;
    world.account[world.n_account++] = *account;
    return true;
}
void recorder_rewelcome(recorder_t *recorder, const struct fh_welcome *welcome)
{
    (void)recorder, (void)welcome;
}
void recorder_aps_alive(recorder_t *recorder, int n_alive, int ap, bool up)
{
    (void)recorder, (void)n_alive, (void)ap, (void)up;
}
bool uplink_hear(uplink_t *uplink, int ap, const uint8_t *data, size_t n_bytes)
{
    (void)uplink, (void)data;
    world.n_uplink++;
    world.uplink_bytes = ap == 0 ? n_bytes : 0;
    return world.takes_uplink;
}
bool cpu_waits_for_partners(struct cpu *cpu, uint64_t now_ns)
{
    (void)cpu, (void)now_ns;
    return world.waits;
}
void cpu_tell_roster(struct cpu *cpu, int ap)
{
    (void)cpu, (void)ap;
}
void cpu_renew_session(struct cpu *cpu)
{
    world.n_renewed++;
    cpu->welcome.session++;
    cpu->session_used = false;
}

static bool was_said(const char *words)
{
    for (int i = 0; i < world.n_said && i < MAX_EVENTS; i++) {
        if (strstr(world.said[i], words)) {
            return true;
        }
    }
    return false;
}

/* The node --------------------------------------------------------------------------------------------------------- */

static struct config *config;
static struct cpu cpu;

static void say_nothing(void *context, uint64_t block, bool bad, const char *sentence)
{
    (void)context, (void)block, (void)bad, (void)sentence;
}

static int enter(void **state)
{
    (void)state;
    static const char *const set[] = {"network.n_ap=4", "network.n_ue=2", "pilots.assignment=[]", "air.mode=lockstep",
                                      "air.wait_for_all=false"};
    memset(&world, 0, sizeof world);
    memset(&cpu, 0, sizeof cpu);
    world.account_room = MAX_EVENTS;
    if (config_load(&config, NULL, set, sizeof set / sizeof set[0]) < 0) {
        fail_msg("%s", error_text());
    }
    cpu.config = config;
    cpu.lockstep = true;
    assert_int_equal(frame_init(&cpu.frame, config), 0);
    cpu.shape = (struct block_shape){
        .n_sb = cpu.frame.n_sb, .n_ap = N_AP, .n_ant = config->network.n_ant, .n_ue = N_UE, .n_extra = 0};
    cpu.welcome.session = 5;
    const struct faults_settings faults = {
        .first = {.silent_ap = -1, .partition_ap = -1}, .n_ap = N_AP, .block_us = 5000, .lockstep = true};
    assert_int_equal(faults_create(&cpu.faults, &faults), 0);
    assert_int_equal(block_clock_create(&cpu.clock, N_AP, 5e6, false), 0);
    assert_int_equal(plausible_create(&cpu.plausible, N_AP, N_UE, 1e-9), 0);
    assert_int_equal(gather_create(&cpu.gather, &cpu.shape, 1e9, false), 0);
    const struct calibrate_settings calibration = {
        .config = config, .frame = &cpu.frame, .shape = cpu.shape, .lockstep = true};
    assert_int_equal(calibrate_create(&cpu.calibrate, &calibration), 0);
    const struct sync_watch_settings sync = {.n_ap = N_AP, .say = say_nothing};
    assert_int_equal(sync_watch_create(&cpu.sync, &sync), 0);
    cpu.coefficients = calloc((size_t)(cpu.shape.n_sb * cpu.shape.n_ant * N_UE), sizeof *cpu.coefficients);
    cpu.beta = calloc(N_UE, sizeof *cpu.beta);
    cpu.error_variance = calloc(N_UE, sizeof *cpu.error_variance);
    cpu.account_ack = calloc(N_AP, sizeof *cpu.account_ack);
    cpu.silent = calloc(N_AP, 1);
    cpu.silence_told = calloc(N_AP, sizeof *cpu.silence_told);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    faults_destroy(cpu.faults);
    block_clock_destroy(cpu.clock);
    plausible_destroy(cpu.plausible);
    gather_destroy(cpu.gather);
    calibrate_destroy(cpu.calibrate);
    sync_watch_destroy(cpu.sync);
    free(cpu.coefficients);
    free(cpu.beta);
    free(cpu.error_variance);
    free(cpu.account_ack);
    free(cpu.silent);
    free(cpu.silence_told);
    config_free(config);
    return 0;
}

/* The next block, if it is ready; first whatever the hub has. */
static struct cpu_block *turn(void)
{
    struct cpu_block *block = NULL;
    for (int i = 0; i < 2 && !block; i++) {
        assert_int_equal(inbox_turn(&cpu, &block), world.wait_status);
    }
    return block;
}

static void come(int ap, enum fh_event_kind kind)
{
    world.event = (struct fh_event){.kind = kind, .role = FH_ROLE_AP, .id = ap};
    world.there = true;
    struct cpu_block *block;
    assert_int_equal(inbox_turn(&cpu, &block), 0);
}

static void all_come(void)
{
    for (int ap = 0; ap < N_AP; ap++) {
        come(ap, FH_EVENT_UP);
    }
}

struct message {
    uint64_t block;
    uint32_t session;
    int64_t tick_error;
    float noise_power, gain;
    int n_account;
    struct wire_account account[4];
};

static struct message usual(uint64_t block)
{
    return (struct message){.block = block, .session = cpu.welcome.session, .noise_power = 2e-9f, .gain = 100};
}

/* An AP's estimates arrive; gives the block that is ready then. */
static struct cpu_block *report(int ap, const struct message *m)
{
    static uint8_t bytes[1 << 16];
    tutti_cf32 *H = calloc((size_t)(cpu.shape.n_sb * cpu.shape.n_ant * N_UE), sizeof *H);
    float beta[N_UE] = {m->gain, m->gain}, error[N_UE] = {1, 1};
    struct wire_csi_meta meta = {
        .noise_power = m->noise_power, .beta = beta, .error_variance = error, .n_account = m->n_account};
    memcpy(meta.account, m->account, sizeof m->account);
    struct wire_header header = {.type = WIRE_CSI,
                                 .node = (uint16_t)ap,
                                 .session = m->session,
                                 .block = m->block,
                                 .n_sb = (uint16_t)cpu.shape.n_sb,
                                 .n_ant = (uint16_t)cpu.shape.n_ant,
                                 .n_stream = N_UE};
    header.tick = frame_symbol_tick(&cpu.frame, 0, m->block, 0) + (uint64_t)m->tick_error;
    const size_t n = wire_pack_csi(bytes, sizeof bytes, &header, &meta, H);
    free(H);
    assert_true(n > 0);
    world.event = (struct fh_event){.kind = FH_EVENT_DATA, .role = FH_ROLE_AP, .id = ap, .data = bytes, .n_bytes = n};
    world.there = true;
    return turn();
}

static struct cpu_block *report_usual(int ap, uint64_t block)
{
    const struct message m = usual(block);
    return report(ap, &m);
}

/* All APs report it; it must come out whole. */
static void run_block(uint64_t number)
{
    struct cpu_block *block = NULL;
    for (int ap = 0; ap < N_AP; ap++) {
        block = report_usual(ap, number);
        if (cpu.clock->started && number > 0 && ap < N_AP - 1 && cpu.gather->reporting[N_AP - 1]) {
            assert_null(block);
        }
    }
    assert_non_null(block);
    assert_true(block->number == number);
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

static void whole_blocks_come_out(void **state)
{
    (void)state;
    all_come();
    assert_non_null(report_usual(0, 0)); /* the others are not known to take part yet */
    for (int ap = 1; ap < N_AP; ap++) {
        assert_null(report_usual(ap, 0)); /* late */
    }
    for (uint64_t b = 1; b < 20; b++) {
        run_block(b);
    }
    assert_true(cpu.gather->n_late == 3 && cpu.counters.off_clock == 0 && world.n_none == 3);
}

/* One well-formed estimate with a far block number stopped everything. */
static void a_far_block_number_moves_nobody(void **state)
{
    (void)state;
    whole_blocks_come_out(state);
    static const uint64_t FAR[] = {UINT64_C(1) << 40, 2000, UINT64_C(1) << 62};
    for (size_t i = 0; i < 3; i++) {
        assert_null(report_usual(3, FAR[i]));
    }
    assert_int_equal(cpu.counters.off_clock, 3);
    assert_true(was_said("AP-OFF-CLOCK ap=3 by_blocks=1099511627757"));
    assert_int_equal(world.n_renewed, 0);
    for (uint64_t b = 20; b < 40; b++) {
        run_block(b);
    }
    assert_true(was_said("AP-ON-CLOCK ap=3"));
}

/* An AP one PPS second ahead is left out, and the others are served as before. */
static void an_ap_off_the_clock_is_left_out(void **state)
{
    (void)state;
    whole_blocks_come_out(state);
    come(3, FH_EVENT_DOWN);
    come(3, FH_EVENT_UP);
    for (uint64_t b = 20; b < 60; b++) {
        assert_null(report_usual(3, b + 200));
        assert_null(report_usual(0, b));
        assert_null(report_usual(1, b));
        struct cpu_block *block = report_usual(2, b);
        assert_non_null(block);
        assert_true(block->number == b && block->n_gathered == 3 && !block->gathered[3]);
    }
    assert_int_equal(cpu.counters.off_clock, 40);
}

/* The medium was started again while everybody stayed connected: the majority is back at 0. */
static void a_new_time_gets_a_new_session(void **state)
{
    (void)state;
    whole_blocks_come_out(state);
    for (uint64_t b = 20; b < 200; b++) {
        run_block(b);
    }
    const uint32_t session = cpu.welcome.session;
    for (int ap = 0; ap < 3; ap++) {
        assert_null(report_usual(ap, 0));
    }
    assert_true(was_said("TIME-RESTARTED"));
    assert_int_equal(world.n_renewed, 1);
    assert_true(cpu.welcome.session != session);
    struct message old = usual(200);
    old.session = session;
    assert_null(report(3, &old)); /* of the old time */
    assert_int_equal(cpu.counters.csi_foreign, 1);
    for (uint64_t b = 1; b < 20; b++) {
        for (int ap = 0; ap < N_AP; ap++) {
            report_usual(ap, b);
        }
    }
    assert_int_equal(cpu.gather->next, 20);
    assert_int_equal(world.n_renewed, 1);
}

/* All APs gone, back in another time: the session was renewed meanwhile, so the first report is taken as it is. */
static void after_an_outage_the_first_report_counts(void **state)
{
    (void)state;
    whole_blocks_come_out(state);
    for (uint64_t b = 20; b < 200; b++) {
        run_block(b);
    }
    for (int ap = 0; ap < N_AP; ap++) {
        come(ap, FH_EVENT_DOWN);
    }
    assert_int_equal(world.n_renewed, 1);
    assert_true(was_said("OUTAGE"));
    all_come();
    struct cpu_block *block = report_usual(2, 0);
    assert_non_null(block);
    assert_true(block->number == 0 && block->session == cpu.welcome.session);
    assert_int_equal(world.n_renewed, 1);
}

static void foreign_messages_are_counted(void **state)
{
    (void)state;
    whole_blocks_come_out(state);
    struct message m = usual(20);
    m.session++;
    assert_null(report(0, &m));
    m = usual(20);
    m.tick_error = 1;
    assert_null(report(0, &m));
    assert_int_equal(cpu.counters.csi_foreign, 2);
    const uint8_t junk[100] = {1};
    world.event = (struct fh_event){.kind = FH_EVENT_DATA, .role = FH_ROLE_AP, .data = junk, .n_bytes = sizeof junk};
    world.there = true;
    assert_null(turn());
    assert_int_equal(cpu.counters.csi_refused[WIRE_BAD_MAGIC], 1);
    run_block(20);
}

static void other_types_are_not_taken_for_estimates(void **state)
{
    (void)state;
    whole_blocks_come_out(state);
    static uint8_t bytes[4096];
    float statistic[1] = {1};
    struct wire_array_meta meta = {.n_statistic = 1, .statistic = statistic};
    struct wire_header header = {
        .type = WIRE_SENSING, .session = cpu.welcome.session, .block = 1000, .n_sb = 1, .n_ant = 1, .n_stream = 1};
    const tutti_cf32 value = 1;
    const size_t n = wire_pack_array(bytes, sizeof bytes, &header, &meta, &value);
    assert_true(n > 0);
    world.event = (struct fh_event){.kind = FH_EVENT_DATA, .role = FH_ROLE_AP, .data = bytes, .n_bytes = n};
    world.there = true;
    assert_null(turn());
    assert_true(cpu.counters.other_data == 1 && cpu.counters.csi_refused[WIRE_BAD_TYPE] == 0);
    run_block(20);
}

static void hear_uplink_of(uint32_t session, tutti_tick tick)
{
    static uint8_t bytes[4096];
    const struct wire_array_meta meta = {.subject = 1};
    const struct wire_header header = {
        .type = WIRE_UPLINK, .session = session, .block = 1000, .tick = tick, .n_sb = 1, .n_ant = 1, .n_stream = 1};
    const tutti_cf32 value = 1;
    const size_t n = wire_pack_array(bytes, sizeof bytes, &header, &meta, &value);
    world.event = (struct fh_event){.kind = FH_EVENT_DATA, .role = FH_ROLE_AP, .data = bytes, .n_bytes = n};
    world.there = true;
    assert_null(turn());
}

/* Uplink data goes to its thread, unless it is of another session or time, or nobody asked for it. */
static void uplink_data_goes_to_its_thread(void **state)
{
    (void)state;
    whole_blocks_come_out(state);
    const tutti_tick tick = frame_symbol_tick(&cpu.frame, cpu.welcome.epoch, 1000, 0);
    world.takes_uplink = true;
    hear_uplink_of(cpu.welcome.session, tick);
    assert_true(world.n_uplink == 1 && world.uplink_bytes == WIRE_HEADER_BYTES + 8 + 8);
    hear_uplink_of(cpu.welcome.session + 1, tick);
    hear_uplink_of(cpu.welcome.session, tick + 1);
    assert_true(world.n_uplink == 1 && cpu.counters.uplink_foreign == 2 && cpu.counters.other_data == 0);
    world.takes_uplink = false;
    hear_uplink_of(cpu.welcome.session, tick);
    assert_true(world.n_uplink == 2 && cpu.counters.other_data == 1);
    run_block(20);
}

/* A noise power 60 dB too low: the AP is left out, named, not waited for, and taken back. */
static void implausible_estimates_are_left_out(void **state)
{
    (void)state;
    whole_blocks_come_out(state);
    struct cpu_block *block;
    for (uint64_t b = 20; b < 60; b++) {
        struct message m = usual(b);
        m.noise_power *= b < 40 ? 1e-6f : 1;
        m.gain *= b < 40 ? 1e6f : 1;
        assert_null(report(1, &m));
        assert_null(report_usual(0, b));
        assert_null(report_usual(2, b));
        block = report_usual(3, b);
        assert_non_null(block);
        assert_int_equal(block->gathered[1], b >= 40 + PLAUSIBLE_PROBATION_BLOCKS - 1);
    }
    assert_true(was_said("AP-IMPLAUSIBLE ap=1 why=noise_floor") && was_said("AP-PLAUSIBLE ap=1"));
    assert_int_equal(cpu.counters.implausible, 20 + PLAUSIBLE_PROBATION_BLOCKS - 1);
}

/* Accounts are kept once, also when their estimates come too late, and acknowledged only when kept. */
static void accounts_are_kept_once(void **state)
{
    (void)state;
    whole_blocks_come_out(state);
    struct message m = usual(5); /* long closed */
    m.n_account = 3;
    for (int i = 0; i < 3; i++) {
        m.account[i] = (struct wire_account){.block = (uint64_t)(2 + i), .sent = WIRE_SENT_FRESH, .chosen = 1};
    }
    world.account_room = 2;
    report(2, &m);
    assert_true(world.n_account == 2 && cpu.account_ack[2] == 4 && cpu.account_ack[1] == 0);
    world.account_room = MAX_EVENTS;
    report(2, &m); /* as an AP does that has not heard the acknowledgement */
    assert_true(world.n_account == 3 && world.account[2].block == 4 && cpu.account_ack[2] == 5);
    world.refused_block = 10; /* what comes behind one without room waits for it */
    m.account[0].block = 9;
    m.account[1].block = 10;
    m.account[2].block = 11;
    report(2, &m);
    assert_true(world.n_account == 4 && cpu.account_ack[2] == 10);
    m = usual(20);
    m.n_account = 1;
    m.account[0] = (struct wire_account){.block = UINT64_C(1) << 40, .sent = WIRE_SENT_FRESH, .chosen = 1};
    report(2, &m);
    assert_true(world.n_account == 4 && cpu.account_ack[2] == 10);
}

/* A broken hub ends the loop; nobody spins. */
static void a_broken_fronthaul_is_told(void **state)
{
    (void)state;
    struct cpu_block *block;
    world.wait_status = TUTTI_EIO;
    assert_int_equal(inbox_turn(&cpu, &block), TUTTI_EIO);
    assert_null(block);
}

static void a_block_waits_for_other_central_nodes(void **state)
{
    (void)state;
    const struct message m = usual(0);
    all_come();
    world.waits = true;
    for (int ap = 0; ap < N_AP; ap++) {
        assert_null(report(ap, &m)); /* heard all the same */
    }
    assert_null(turn());
    world.waits = false;
    const struct cpu_block *const block = turn();
    assert_non_null(block);
    assert_int_equal(block->n_gathered, N_AP);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        CASE(whole_blocks_come_out),
        CASE(a_far_block_number_moves_nobody),
        CASE(an_ap_off_the_clock_is_left_out),
        CASE(a_new_time_gets_a_new_session),
        CASE(after_an_outage_the_first_report_counts),
        CASE(foreign_messages_are_counted),
        CASE(other_types_are_not_taken_for_estimates),
        CASE(uplink_data_goes_to_its_thread),
        CASE(implausible_estimates_are_left_out),
        CASE(accounts_are_kept_once),
        CASE(a_block_waits_for_other_central_nodes),
        CASE(a_broken_fronthaul_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
