/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What comes over the fronthaul: data messages by type, estimates through faults, block clock and plausibility into
 * gather; APs that come and go. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "cpu_node/cpu.h"

#include <inttypes.h>
#include <string.h>

/* A line of the log and of the recording's time line. */
#define SAY(cpu, level, block, format, ...)                                                                            \
    do {                                                                                                               \
        log_write(level, "gather", format " block=%" PRIu64, __VA_ARGS__, (uint64_t)(block));                          \
        recorder_event((cpu)->recorder, block, format, __VA_ARGS__);                                                   \
    } while (0)

/* Time ------------------------------------------------------------------------------------------------------------- */

/* The majority is somewhere else in time. Unless nothing has happened in this session yet, all that is under way
 * belongs to the old time: a new session keeps it out. False: the report that told so is of the old session. */
static bool restart_time(struct cpu *cpu, uint64_t block)
{
    const bool renew = cpu->session_used;
    cpu->counters.restarts++;
    SAY(cpu, LOG_WARNING, block, "TIME-RESTARTED new_session=%d", renew);
    gather_restart(cpu->gather, block);
    memset(cpu->account_ack, 0, (size_t)cpu->shape.n_ap * sizeof *cpu->account_ack);
    memset(cpu->silence_told, 0, (size_t)cpu->shape.n_ap * sizeof *cpu->silence_told);
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        plausible_forget(cpu->plausible, ap);
    }
    if (renew) {
        cpu_renew_session(cpu);
        recorder_rewelcome(cpu->recorder, &cpu->welcome);
    }
    return !renew;
}

static uint64_t age_ns(uint64_t sent_wall_ns)
{
    const uint64_t now_ns = clock_wall_ns();
    return now_ns > sent_wall_ns ? now_ns - sent_wall_ns : 0;
}

static bool is_of_this_time(struct cpu *cpu, int ap, const struct wire_header *header, uint64_t now_ns)
{
    int64_t by_blocks;
    const bool was_off = block_clock_is_off(cpu->clock, ap);
    const enum clock_verdict verdict =
        block_clock_hear(cpu->clock, ap, header->block, now_ns, age_ns(header->send_time_ns), &by_blocks);
    if (verdict == CLOCK_OFF) {
        cpu->counters.off_clock++;
        if (!was_off) {
            SAY(cpu, LOG_WARNING, cpu->clock->now, "AP-OFF-CLOCK ap=%d by_blocks=%" PRId64, ap, by_blocks);
        }
        return false;
    }
    if (verdict == CLOCK_RESTARTED) {
        return restart_time(cpu, header->block);
    }
    if (verdict == CLOCK_JUMPED) {
        SAY(cpu, LOG_INFO, header->block, "TIME-JUMPED by_blocks=%" PRId64, by_blocks);
    } else if (was_off) {
        SAY(cpu, LOG_INFO, header->block, "AP-ON-CLOCK ap=%d", ap);
    }
    return true;
}

/* Estimates -------------------------------------------------------------------------------------------------------- */

static void keep_accounts(struct cpu *cpu, int ap, const struct wire_csi_meta *meta)
{
    for (int i = 0; i < meta->n_account; i++) {
        const struct wire_account *a = &meta->account[i];
        if (a->block < cpu->account_ack[ap]) {
            continue; /* sent again before our acknowledgement was there */
        }
        if (a->block > cpu->clock->now + CLOCK_AHEAD_BLOCKS || !recorder_account(cpu->recorder, ap, a)) {
            return; /* not acknowledged: it comes again */
        }
        cpu->account_ack[ap] = a->block + 1;
    }
}

static bool is_plausible(struct cpu *cpu, int ap, const struct wire_header *header, const struct wire_csi_meta *meta)
{
    const struct plausible_report report = {.n_sb = cpu->shape.n_sb,
                                            .n_ant = cpu->shape.n_ant,
                                            .H_hat = cpu->coefficients,
                                            .beta = cpu->beta,
                                            .error_variance = cpu->error_variance,
                                            .noise_power = meta->noise_power};
    bool changed;
    const enum implausible why = plausible_judge(cpu->plausible, ap, &report, &changed);
    if (changed && why != PLAUSIBLE) {
        SAY(cpu, LOG_WARNING, header->block, "AP-IMPLAUSIBLE ap=%d why=%s", ap, implausible_text(why));
    } else if (changed) {
        SAY(cpu, LOG_INFO, header->block, "AP-PLAUSIBLE ap=%d", ap);
    }
    cpu->counters.implausible += why != PLAUSIBLE;
    return why == PLAUSIBLE;
}

static void store(struct cpu *cpu, struct cpu_block *block, int ap, const struct wire_header *header,
                  const struct wire_csi_meta *meta)
{
    block_store(block, ap, cpu->coefficients, cpu->beta, cpu->error_variance);
    if (cpu->pilot_csi) {
        block_store_pilots(block, ap, cpu->pilot_csi->P, cpu->pilot_csi->factor);
    }
    block->noise_power[ap] = meta->noise_power;
    block->delay_samples[ap] = meta->delay_samples;
    block->capture_end_ns[ap] = meta->capture_end_ns;
    block->csi_sent_ns[ap] = header->send_time_ns;
    block->csi_received_ns[ap] = clock_wall_ns();
    memcpy(block->radio_events[ap], meta->radio_events, sizeof meta->radio_events);
}

/* `lost`: lock-step: dropped on purpose, nobody waits for it. False: it has no place, its AP gets no precoder. */
static bool place(struct cpu *cpu, int ap, const struct wire_header *header, const struct wire_csi_meta *meta,
                  bool lost, uint64_t now_ns)
{
    struct cpu_block *block;
    if (cpu->replay) {
        cpu->clock->now = header->block; /* reports come in order: release_reports */
    } else if (!is_of_this_time(cpu, ap, header, now_ns)) {
        return false;
    }
    cpu->session_used = true;
    if (!lost) {
        keep_accounts(cpu, ap, meta);
    }
    const uint64_t from_ns = cpu->replay ? now_ns : block_clock_due_ns(cpu->clock, header->block, now_ns);
    if (gather_find(cpu->gather, ap, header->block, cpu->clock->now, header->tick, cpu->welcome.session, from_ns,
                    &block) != GATHER_PLACED) {
        return false;
    }
    if (lost || !sync_watch_hear(cpu->sync, ap, header->block, meta->sync) ||
        calibrate_excludes(cpu->calibrate, ap, header->block) ||
        (!cpu->replay && !is_plausible(cpu, ap, header, meta))) {
        block->excused[ap] = 1;
    } else {
        store(cpu, block, ap, header, meta);
    }
    return true;
}

static bool fits(const struct cpu *cpu, const struct wire_header *header, int ap)
{
    return header->node == ap && header->session == cpu->welcome.session && header->n_sb == cpu->shape.n_sb &&
           header->n_ant == cpu->shape.n_ant && header->n_stream == config_n_reported(cpu->config) &&
           header->tick == frame_symbol_tick(&cpu->frame, cpu->welcome.epoch, header->block, 0);
}

/* Of users, or of the pilots that they share. */
static int unpack_estimates(struct cpu *cpu, const uint8_t *data, size_t n_bytes, struct wire_header *header,
                            struct wire_csi_meta *meta)
{
    struct pilot_csi *const p = cpu->pilot_csi;
    const int n_column = config_n_reported(cpu->config);
    const size_t room = (size_t)cpu->shape.n_sb * (size_t)cpu->shape.n_ant * (size_t)n_column;
    *meta =
        (struct wire_csi_meta){.beta = p ? p->beta : cpu->beta, .error_variance = p ? p->error : cpu->error_variance};
    return wire_unpack_csi(data, n_bytes, header, meta, n_column, p ? p->P : cpu->coefficients, room);
}

static void split_pilots(struct cpu *cpu, int ap, uint64_t block)
{
    if (!cpu->pilot_csi) {
        return;
    }
    const struct roster *const roster = roster_book_at(cpu->rosters, block);
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        cpu->pilot_csi->sequence[k] = roster_sequence(cpu->config, &cpu->frame, roster, k, block);
    }
    pilot_csi_split(cpu->pilot_csi, ap, cpu->coefficients, cpu->beta, cpu->error_variance);
}

/* judged: its faults are behind it. */
static void hear_estimates(struct cpu *cpu, int ap, const uint8_t *data, size_t n_bytes, bool judged)
{
    struct wire_header header;
    struct wire_csi_meta meta;
    const int error = unpack_estimates(cpu, data, n_bytes, &header, &meta);
    if (error != WIRE_OK) {
        cpu->counters.csi_refused[error]++;
        return;
    }
    if (!fits(cpu, &header, ap)) {
        cpu->counters.csi_foreign++;
        outbox_tell_none(cpu, ap, header.block);
        return;
    }
    split_pilots(cpu, ap, header.block);
    const uint64_t now_ns = clock_mono_ns();
    const enum fault_verdict verdict =
        cpu->replay && !replay_used(cpu->replay, header.block, ap) ? FAULT_LOST
        : judged                                                   ? FAULT_PASS
                 : faults_judge(cpu->faults, ap, header.block, FAULT_UP, now_ns, data, n_bytes);
    if (verdict != FAULT_PASS && !cpu->lockstep) {
        return;
    }
    if (!place(cpu, ap, &header, &meta, verdict == FAULT_LOST, now_ns)) {
        outbox_tell_none(cpu, ap, header.block);
    }
}

/* Users' data are for the uplink thread; of another time or session they are nobody's. */
static void hear_uplink(struct cpu *cpu, int ap, const struct wire_header *header, const uint8_t *data, size_t n_bytes,
                        bool judged)
{
    const bool ours = header->node == ap && header->session == cpu->welcome.session &&
                      header->tick == frame_symbol_tick(&cpu->frame, cpu->welcome.epoch, header->block, 0);
    cpu->counters.uplink_foreign += !ours;
    if (!judged && ours &&
        faults_judge(cpu->faults, ap, header->block, FAULT_UPLINK, clock_mono_ns(), data, n_bytes) != FAULT_PASS) {
        return; /* nobody waits for it longer than its window is long */
    }
    if (ours && !uplink_hear(cpu->uplink, ap, data, n_bytes)) {
        cpu->counters.other_data++;
    }
}

static void hear_data(struct cpu *cpu, int ap, const uint8_t *data, size_t n_bytes)
{
    struct wire_header header;
    cpu->counters.bytes_up += n_bytes;
    const int error = wire_unpack_header(data, n_bytes, &header);
    if (error != WIRE_OK) {
        cpu->counters.csi_refused[error]++;
        return;
    }
    switch (header.type) {
    case WIRE_CSI:
        if (!cpu->replay) {
            hear_estimates(cpu, ap, data, n_bytes, false);
        } else if (replay_hold(cpu->replay, ap, header.block, data, n_bytes) < 0) {
            outbox_tell_none(cpu, ap, header.block);
        }
        break;
    case WIRE_CALIBRATION:
        calibrate_hear(cpu->calibrate, ap, data, n_bytes);
        break;
    case WIRE_GAINS:
        cpu->counters.other_data +=
            header.session != cpu->welcome.session || !pilot_csi_hear(cpu->pilot_csi, ap, data, n_bytes);
        break;
    case WIRE_UPLINK:
        hear_uplink(cpu, ap, &header, data, n_bytes, false);
        break;
    default: /* nobody here takes sensing yet */
        cpu->counters.other_data++;
    }
}

/* Held back by an injected fault, now due. */
static void deliver(void *context, int ap, enum fault_direction direction, const uint8_t *data, size_t n_bytes)
{
    struct cpu *cpu = context;
    struct wire_header header;
    if (direction == FAULT_UPLINK) {
        wire_unpack_header(data, n_bytes, &header); /* as it was when it was held */
        hear_uplink(cpu, ap, &header, data, n_bytes, true);
    } else if (direction == FAULT_UP) {
        hear_estimates(cpu, ap, data, n_bytes, true);
    } else {
        outbox_send(cpu, ap, data, n_bytes);
    }
}

/* Coming and going ------------------------------------------------------------------------------------------------- */

static void hear_coming_or_going(struct cpu *cpu, int id, bool up)
{
    int n_alive = 0, n_own = 0;
    gather_set_alive(cpu->gather, id, up);
    if (cpu->replay) {
        replay_set_alive(cpu->replay, id, up);
    }
    block_clock_gone(cpu->clock, id);
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        n_alive += cpu->gather->alive[ap];
        n_own += !cpu->gather->foreign[ap];
    }
    recorder_aps_alive(cpu->recorder, n_alive, id, up);
    const uint64_t block = cpu->clock->now;
    if (up) {
        cpu->account_ack[id] = 0; /* what another life in this place claimed must not hide its accounts */
        SAY(cpu, LOG_INFO, block, "AP-UP ap=%d", id);
        calibrate_joined(cpu->calibrate, id, block);
        cpu_tell_roster(cpu, id);
        return;
    }
    plausible_forget(cpu->plausible, id);
    sync_watch_gone(cpu->sync, id);
    SAY(cpu, LOG_WARNING, block, "AP-DOWN ap=%d", id);
    if (n_alive == 0 && cpu->session_used) { /* nobody is disturbed, and who comes back may live in another time */
        SAY(cpu, LOG_WARNING, block, "OUTAGE all_aps=%d", n_own);
        cpu_renew_session(cpu);
    }
}

static void handle(struct cpu *cpu, const struct fh_event *event)
{
    if (event->kind == FH_EVENT_FD) {
        partners_turn(cpu->partners);
    } else if (event->role == FH_ROLE_CPU) {
        partners_hear(cpu->partners, event);
    } else if (event->kind == FH_EVENT_DATA) {
        hear_data(cpu, event->id, event->data, event->n_bytes);
    } else if (event->kind == FH_EVENT_CONTROL) {
        sync_watch_report(cpu->sync, event->id, (const char *)event->data);
    } else if (event->kind == FH_EVENT_UP || event->kind == FH_EVENT_DOWN) {
        hear_coming_or_going(cpu, event->id, event->kind == FH_EVENT_UP);
    }
}

/* On an overloaded machine somebody is silent in every block: the time line hears of it now and then. */
static void note_silent(struct cpu *cpu, const struct cpu_block *block)
{
    enum { AGAIN_AFTER_BLOCKS = 200 };
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        if (!cpu->silent[ap]) {
            continue;
        }
        if (cpu->lockstep) { /* in paced time its vote grows old by itself */
            block_clock_gone(cpu->clock, ap);
        }
        if (block->number >= cpu->silence_told[ap]) {
            recorder_event(cpu->recorder, block->number, "AP-SILENT ap=%d", ap);
        }
        cpu->silence_told[ap] = block->number + AGAIN_AFTER_BLOCKS;
    }
}

/* Of a replay: the reports of the oldest block go on, once every AP has one. Who has none of that block is not waited
 * for; what the run did not solve gets no answer but that. */
static void release_reports(struct cpu *cpu)
{
    uint64_t block;
    if (!replay_is_ready(cpu->replay, &block)) {
        return;
    }
    const bool solved = replay_was_solved(cpu->replay, block);
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        size_t n_bytes;
        const uint8_t *data = replay_take(cpu->replay, ap, block, &n_bytes);
        if (data && solved) {
            hear_estimates(cpu, ap, data, n_bytes, true);
        } else if (data) {
            outbox_tell_none(cpu, ap, block);
        } else {
            cpu->gather->reporting[ap] = 0;
        }
    }
}

/* The first of several central nodes has ended the run, and with it the users are gone: what this one still waits for
 * will not come. */
static bool run_is_over(struct cpu *cpu, uint64_t now_ns)
{
    static const uint64_t PATIENCE_NS = 3000000000u;
    if (!partners_over(cpu->partners)) {
        return false;
    }
    cpu->over_ns = cpu->over_ns > 0 ? cpu->over_ns : now_ns;
    return now_ns - cpu->over_ns > PATIENCE_NS;
}

enum { PARTNERS_LOOK_US = 1000 };

int inbox_turn(struct cpu *cpu, struct cpu_block **block)
{
    const uint64_t now_ns = clock_mono_ns();
    int64_t wait_us;
    *block = NULL;
    if (cpu->replay && replay_is_over(cpu->replay)) {
        return TUTTI_ESTOPPED;
    }
    if (cpu->replay) {
        release_reports(cpu);
    }
    faults_turn(cpu->faults, now_ns, deliver, cpu);
    cpu->gather->held = !partners_complete(cpu->partners);
    if (run_is_over(cpu, now_ns)) {
        return TUTTI_ESTOPPED;
    }
    if (cpu_waits_for_partners(cpu, now_ns)) {
        wait_us = PARTNERS_LOOK_US;
    } else {
        *block = gather_close(cpu->gather, now_ns, &wait_us, cpu->silent);
    }
    if (*block) {
        note_silent(cpu, *block);
        return TUTTI_OK;
    }
    const int64_t held_us = faults_next_us(cpu->faults, now_ns);
    wait_us = held_us < wait_us ? held_us : wait_us;
    struct fh_event event;
    const int status =
        fh_hub_wait(cpu->hub, partners_event(cpu->partners), wait_us == INT64_MAX ? -1 : wait_us, &event);
    if (status >= 0) {
        handle(cpu, &event);
    }
    return status;
}
