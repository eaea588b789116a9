/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An access point's blocks with a scripted radio and without a central node: one wake-up, one downlink and one beacon
 * per block, each in its place; one report and one account per block, whatever is lost in between. */
#include "ap_node/ap.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "tests/node/scripted_radio.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_ANT = 2, N_UE = 3, MAX_BLOCKS = 64 };

struct place {
    struct config *config;
    struct ap ap;
    struct radio script;
    uint64_t reported[MAX_BLOCKS];
    int n_reported;
    struct wire_account account[MAX_BLOCKS]; /* as they came, each once */
    int n_account;
    uint32_t radio_events[5]; /* of the last report */
    float noise_power;
    int sync;
    bool pushes; /* a precoder for every block, there before it is asked for */
};

static int open_with(void **state, const char *reference)
{
    static struct place p; /* zero again for every test */
    p = (struct place){.script = {.n_ant = N_ANT, .tells = true}};
    *state = &p;
    const char *const overrides[] = {"network.n_ant=2",
                                     "network.n_ue=3",
                                     "engine.mute_blocks=1000",
                                     "engine.lockstep_timeout_ms=3600000",
                                     "frame.schedule=B3 G P4 U22 G D38 G",
                                     "sync.mode=air",
                                     reference};
    if (config_load(&p.config, NULL, overrides, reference ? 7 : 4) < 0 || ap_create(&p.ap, p.config, 1) < 0) {
        return -1;
    }
    p.ap.radio = (struct node_radio){.radio = &p.script,
                                     .info = {.rate_hz = 1.92e6, .repeatable = true, .turnaround_samples = 1},
                                     .frame = &p.ap.frame};
    return 0;
}

static int open_place(void **state)
{
    return open_with(state, NULL);
}

static int open_reference(void **state)
{
    return open_with(state, "sync.reference_ap=1");
}

static int open_follower(void **state)
{
    return open_with(state, "sync.reference_ap=0");
}

static int close_place(void **state)
{
    struct place *p = *state;
    ap_destroy(&p->ap);
    config_free(p->config);
    return 0;
}

static void start(struct place *p, tutti_tick first)
{
    p->script.now = first;
    node_span_start(&p->ap.span, first);
}

/* What the link thread would send, and the acknowledgement it would bring back. */
static void hear_reports(struct place *p)
{
    const struct ap_message *message;
    while ((message = ring_peek(p->ap.link.csi_out, 0)) != NULL) {
        struct wire_header header;
        float beta[N_UE], error_variance[N_UE];
        struct wire_csi_meta meta = {.beta = beta, .error_variance = error_variance};
        tutti_cf32 H[6 * N_ANT * N_UE];
        assert_int_equal(wire_unpack_csi(message->bytes, message->n_bytes, &header, &meta, N_UE, H, 6 * N_ANT * N_UE),
                         WIRE_OK);
        assert_int_equal(header.node, 1);
        assert_int_equal(header.tick - p->ap.radio.epoch, header.block * (uint64_t)p->ap.frame.n_block_samples);
        p->reported[p->n_reported++] = header.block;
        memcpy(p->radio_events, meta.radio_events, sizeof p->radio_events);
        p->noise_power = meta.noise_power;
        p->sync = meta.sync;
        for (int i = 0; i < meta.n_account; i++) {
            p->account[p->n_account++] = meta.account[i];
            atomic_store(&p->ap.link.account_ack, meta.account[i].block + 1);
        }
        ring_pop(p->ap.link.csi_out);
    }
}

/* What the link thread would bring: one stream to user 2 from the first antenna. */
static void push_precoder(struct place *p)
{
    struct ap_precoder *q = inbox_slot(p->ap.link.inbox);
    struct wire_stream *stream = q->meta.stream;
    const uint64_t block = p->ap.block;
    stream[0] = (struct wire_stream){.kind = WIRE_STREAM_DATA, .user = 2};
    q->header = (struct wire_header){.session = 1,
                                     .block = block,
                                     .valid_from_block = block + p->ap.lag,
                                     .valid_until_block = block + 4 + p->ap.lag,
                                     .n_stream = 1};
    q->meta = (struct wire_precoder_meta){
        .power_mean = 1, .power_peak = 1, .stale_blocks = 4, .mute_blocks = 5, .stream = stream};
    for (int i = 0; i < 6 * N_ANT; i++) {
        q->V[i] = i % N_ANT == 0 ? 0.5f : 0;
    }
    q->received_ns = clock_wall_ns();
    q->received_mono_ns = clock_mono_ns();
    inbox_push(p->ap.link.inbox);
}

static void *push_soon(void *argument)
{
    usleep(20000);
    push_precoder(argument);
    rt_event_signal(((struct place *)argument)->ap.link.precoder_event);
    return NULL;
}

/* The loop of main.c until n more blocks have been decided. */
static void run_blocks(struct place *p, uint64_t n)
{
    struct ap *ap = &p->ap;
    for (const uint64_t end = ap->blocks + n; ap->blocks < end;) {
        slot_prepare(ap);
        assert_int_equal(slot_receive(ap), TUTTI_OK);
        slot_hear_notes(ap);
        if (!slot_in_time(ap)) {
            continue;
        }
        if (slot_estimate(ap)) {
            slot_report(ap);
        }
        if (p->pushes) {
            push_precoder(p);
        }
        slot_transmit(ap);
        hear_reports(p);
    }
}

static const struct scripted_burst *burst_of(const struct place *p, uint64_t tag)
{
    const struct scripted_burst *found = NULL;
    for (int i = 0; i < p->script.n_burst; i++) {
        if (p->script.burst[i].tag == tag) {
            assert_null(found);
            found = &p->script.burst[i];
        }
    }
    return found;
}

static void check_bursts(const struct place *p, uint64_t block)
{
    const struct frame *f = &p->ap.frame;
    const struct scripted_burst *d = burst_of(p, block), *b = burst_of(p, NODE_TAG_OTHER | (block + 1));
    assert_non_null(d);
    assert_non_null(b);
    assert_int_equal(d->at, frame_symbol_tick(f, 0, block, f->dl_symbol[0]));
    assert_int_equal(d->n, f->n_dl * f->n_symbol_samples);
    assert_true(d->energy[0] > 0 && d->energy[1] > 0);
    assert_int_equal(b->at, frame_symbol_tick(f, 0, block + 1, f->beacon_symbol[0]));
    assert_int_equal(b->n, f->n_symbol_samples);
    assert_true(b->energy[0] > 0 && b->energy[1] == 0);
}

static void test_block_by_block(void **state)
{
    struct place *p = *state;
    start(p, 0);
    run_blocks(p, 20);
    assert_int_equal(p->script.n_recv, 20);
    assert_int_equal(p->script.n_burst, 40);
    assert_int_equal(p->n_reported, 20);
    for (uint64_t b = 0; b < 20; b++) {
        check_bursts(p, b);
        assert_int_equal(p->reported[b], b);
    }
    assert_true(p->n_account > 10); /* without a precoder they wait for one, a little */
    for (int i = 0; i < p->n_account; i++) {
        assert_int_equal(p->account[i].block, i);
        assert_int_equal(p->account[i].sent, WIRE_SENT_LOCAL_CB);
        assert_int_equal(p->account[i].arrival, WIRE_ARRIVAL_NONE);
    }
}

/* Bursts that began in a block's symbol s. */
static int n_bursts_at(const struct place *p, uint64_t block, int symbol)
{
    int n = 0;
    for (int i = 0; i < p->script.n_burst; i++) {
        n += p->script.burst[i].at == frame_symbol_tick(&p->ap.frame, 0, block, symbol);
    }
    return n;
}

static void test_reference_sends_two_beacons(void **state)
{
    struct place *p = *state;
    start(p, 0);
    run_blocks(p, 4);
    for (uint64_t b = 1; b < 4; b++) {
        assert_true(n_bursts_at(p, b, 0) == 1 && n_bursts_at(p, b, 1) == 1 && n_bursts_at(p, b, 2) == 0);
    }
}

static void test_others_send_the_third(void **state)
{
    struct place *p = *state;
    start(p, 0);
    p->ap.slave.follows = false; /* as if it were in step: there is no reference here */
    p->ap.slave.state = WIRE_SYNC_LOCKED;
    run_blocks(p, 4);
    for (uint64_t b = 1; b < 4; b++) {
        assert_true(n_bursts_at(p, b, 0) == 0 && n_bursts_at(p, b, 1) == 0 && n_bursts_at(p, b, 2) == 1);
    }
}

static void test_without_the_reference_nothing_is_sent(void **state)
{
    struct place *p = *state;
    start(p, 0);
    p->pushes = true;
    run_blocks(p, 4);
    assert_int_equal(p->script.n_burst, 0);
    assert_int_equal(p->n_reported, 4); /* all the same: it is there */
    assert_int_equal(p->sync, WIRE_SYNC_SEARCHING);
}

static void test_samples_lost_over_blocks(void **state)
{
    struct place *p = *state;
    const tutti_tick block = (tutti_tick)p->ap.frame.n_block_samples;
    start(p, 0);
    p->script.loss[0].from = 3 * block + 5000; /* in the downlink of 3 ... */
    p->script.loss[0].to = 6 * block + 7000;   /* ... to that of 6 */
    p->script.n_loss = 1;
    run_blocks(p, 20);
    static const int UNSEEN[] = {4, 5, 6, 7}; /* 7: its pilots came with the rest of what had been asked for */
    assert_int_equal(p->ap.radio.counters.gaps, 1);
    for (int i = 0; i < 4; i++) {
        assert_null(burst_of(p, (uint64_t)UNSEEN[i]));
    }
    assert_true(p->n_account > 12);
    for (int i = 0; i < p->n_account; i++) { /* one each all the same */
        assert_int_equal(p->account[i].block, i);
        assert_int_equal(p->account[i].sent, i >= 4 && i <= 7 ? WIRE_SENT_MISSED : WIRE_SENT_LOCAL_CB);
    }
}

/* A few samples missing in the pilots: nothing to report, but the users are served. */
static void test_samples_lost_in_pilots(void **state)
{
    struct place *p = *state;
    const struct frame *f = &p->ap.frame;
    start(p, 0);
    p->script.loss[0].from = frame_symbol_tick(f, 0, 5, f->pilot_symbol[1]) + 10;
    p->script.loss[0].to = p->script.loss[0].from + 20;
    p->script.n_loss = 1;
    run_blocks(p, 10);
    assert_int_equal(p->n_reported, 9);
    for (int i = 0; i < p->n_reported; i++) {
        assert_int_not_equal(p->reported[i], 5);
    }
    check_bursts(p, 5);
}

/* Where time waits, an answer is waited for, but only if something was asked: else this test would not end in time. */
static void test_nothing_reported_nothing_awaited(void **state)
{
    struct place *p = *state;
    const struct frame *f = &p->ap.frame;
    atomic_store(&p->ap.link.session, 1);
    start(p, 0);
    p->script.loss[0].from = frame_symbol_tick(f, 0, 5, f->pilot_symbol[1]) + 10;
    p->script.loss[0].to = p->script.loss[0].from + 20;
    p->script.n_loss = 1;
    p->pushes = true;
    run_blocks(p, 5);
    p->pushes = false;
    run_blocks(p, 1);
    p->pushes = true;
    run_blocks(p, 2);
    assert_int_equal(p->n_reported, 7);
}

static void test_precoders_and_their_stamps(void **state)
{
    struct place *p = *state;
    p->pushes = true;
    start(p, 0);
    const uint64_t before_ns = clock_wall_ns();
    run_blocks(p, 10);
    assert_int_equal(p->n_account, 9); /* of every block but the one under way */
    for (int i = 0; i < p->n_account; i++) {
        const struct wire_account *a = &p->account[i];
        assert_int_equal(a->block, i);
        assert_int_equal(a->sent, WIRE_SENT_FRESH);
        assert_int_equal(a->chosen, WIRE_SENT_FRESH);
        assert_int_not_equal(a->arrival, WIRE_ARRIVAL_NONE);
        assert_int_equal(a->scaled, 0);
        assert_true(before_ns <= a->capture_end_ns && a->capture_end_ns <= a->precoder_received_ns &&
                    a->precoder_received_ns <= a->applied_ns && a->applied_ns <= clock_wall_ns());
        const struct scripted_burst *b = burst_of(p, (uint64_t)i);
        assert_true(b->energy[0] > 0 && b->energy[1] == 0); /* as ordered */
    }
}

/* A lead beyond the gap: with block b's pilots the downlink of b + 2 is decided, and handed over long before it; its
 * account is that of b. */
static void test_lag(void **state)
{
    struct place *p = *state;
    p->pushes = true;
    p->ap.lag = p->ap.choice.lag = 2;
    start(p, 0);
    run_blocks(p, 20);
    assert_null(burst_of(p, 1));
    for (uint64_t b = 0; b < 20; b++) {
        const struct scripted_burst *d = burst_of(p, b + 2), *beacon = burst_of(p, NODE_TAG_OTHER | (b + 3));
        assert_true(d && d->at == frame_symbol_tick(&p->ap.frame, 0, b + 2, p->ap.frame.dl_symbol[0]));
        assert_true(beacon && beacon->at == frame_symbol_tick(&p->ap.frame, 0, b + 3, 0));
        assert_int_equal(p->reported[b], b);
    }
    assert_int_equal(p->n_account, 19); /* of every block but the one under way: this radio tells at once */
    for (int i = 0; i < p->n_account; i++) {
        assert_int_equal(p->account[i].block, i);
        assert_int_equal(p->account[i].sent, WIRE_SENT_FRESH);
    }
}

/* A radio with real deadlines, 100 s between pilots and downlink. */
static void open_paced(struct place *p)
{
    p->ap.radio.info = (struct radio_info){.rate_hz = 34.25, .paced = true, .turnaround_samples = 1};
    p->script.real_host_time = true;
    atomic_store(&p->ap.link.session, 1);
    start(p, 0);
}

/* In time, it waits for the precoder; when it is late itself, it does not: else this test would not end in time. */
static void test_the_deadline_is_absolute(void **state)
{
    struct place *p = *state;
    pthread_t thread;
    open_paced(p);
    p->ap.block = 0;
    assert_int_equal(pthread_create(&thread, NULL, push_soon, p), 0);
    run_blocks(p, 1);
    pthread_join(thread, NULL);
    p->script.host_back_ns = 150ull * 1000000000u;
    run_blocks(p, 3); /* stale, not waited for */
    p->ap.link.session = 0;
    run_blocks(p, 6);
    static const uint8_t WANT[] = {WIRE_SENT_FRESH, WIRE_SENT_STALE, WIRE_SENT_STALE, WIRE_SENT_STALE};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(p->account[i].sent, WANT[i]);
    }
}

/* Letters U O D S L as the radio tells them, noise as it is measured. */
static void test_what_is_told_of_the_radio(void **state)
{
    struct place *p = *state;
    static const enum radio_note_kind KINDS[] = {RADIO_NOTE_OVERFLOW, RADIO_NOTE_OVERFLOW, RADIO_NOTE_SEQUENCE,
                                                 RADIO_NOTE_DROP,     RADIO_NOTE_DROP,     RADIO_NOTE_DROP};
    static const uint32_t UODSL[5] = {0, 2, 3, 1, 0};
    start(p, 0);
    run_blocks(p, 1);
    for (int i = 0; i < 6; i++) {
        p->script.note[p->script.n_note++] = (struct radio_note){.kind = KINDS[i], .tag = NODE_TAG_OTHER};
    }
    run_blocks(p, 2);
    assert_memory_equal(p->radio_events, UODSL, sizeof UODSL);
    assert_true(p->noise_power == (float)p->ap.capture.noise_power);
    assert_true(p->noise_power > 1000); /* the scripted samples are large numbers */
}

static void test_starting_inside_a_block(void **state)
{
    struct place *p = *state;
    const struct frame *f = &p->ap.frame;
    start(p, 7 * (tutti_tick)f->n_block_samples + 3200);
    run_blocks(p, 3);
    assert_int_equal(p->reported[0], 8);
    check_bursts(p, 8);
    assert_null(burst_of(p, 7));
}

static void test_what_the_radio_refuses(void **state)
{
    struct place *p = *state;
    start(p, 0);
    run_blocks(p, 2);
    p->script.burst_status = TUTTI_EAGAIN;
    run_blocks(p, 1);
    p->script.burst_status = 0;
    run_blocks(p, 10);
    assert_int_equal(p->ap.radio.counters.refused, 2); /* downlink and beacon */
    assert_int_equal(p->account[2].block, 2);
    assert_int_equal(p->account[2].sent, WIRE_SENT_LATE);
    assert_int_equal(p->account[2].chosen, WIRE_SENT_LOCAL_CB);
    assert_int_equal(p->account[3].sent, WIRE_SENT_LOCAL_CB);
}

static void test_time_goes_back(void **state)
{
    struct place *p = *state;
    const tutti_tick block = (tutti_tick)p->ap.frame.n_block_samples;
    start(p, 100 * block);
    p->script.loss[0].from = 103 * block + 5000;
    p->script.loss[0].to = 2 * block + 5000;
    p->script.n_loss = 1;
    run_blocks(p, 12);
    assert_int_equal(p->ap.block, 11); /* 100..103, then 4..11 */
    check_bursts(p, 11);
}

static void test_another_epoch_is_followed(void **state)
{
    struct place *p = *state;
    const tutti_tick block = (tutti_tick)p->ap.frame.n_block_samples;
    start(p, 100 * block);
    run_blocks(p, 3);
    atomic_store(&p->ap.link.epoch, 101 * block);
    run_blocks(p, 2);
    assert_int_equal(p->ap.block, 3); /* tick 104 blocks on: the third after the new epoch */
    assert_int_equal(burst_of(p, 2)->at, 101 * block + frame_symbol_tick(&p->ap.frame, 0, 2, p->ap.frame.dl_symbol[0]));
    atomic_store(&p->ap.link.epoch, 1000 * block); /* yet to come: not yet */
    run_blocks(p, 1);
    assert_int_equal(p->ap.block, 4);
}

/* A radio that takes parts gets the same samples in the same order; what it refuses is not made. */
static void test_a_burst_in_parts(void **state)
{
    struct place *p = *state;
    struct ap *ap = &p->ap;
    start(p, 0);
    run_blocks(p, 2);
    const struct scripted_burst *whole = &p->script.burst[p->script.n_burst], *parts = whole + 1;
    assert_int_equal(downlink_send(&ap->downlink, &ap->streams, &ap->radio, 7), TUTTI_OK);
    ap->radio.info.in_parts = true;
    assert_int_equal(downlink_send(&ap->downlink, &ap->streams, &ap->radio, 7), TUTTI_OK);
    assert_int_equal(whole->n_part, 1);
    assert_int_equal(parts->n_part, ap->frame.n_dl);
    assert_int_equal(parts->n_given, whole->n);
    assert_true(parts->at == whole->at && parts->n == whole->n && parts->tag == whole->tag);
    for (int a = 0; a < N_ANT; a++) {
        assert_true(whole->energy[a] > 0 && parts->energy[a] == whole->energy[a]); /* summed in order: bit by bit */
    }
    p->script.burst_status = TUTTI_EAGAIN;
    const uint64_t refused = ap->radio.counters.refused;
    assert_int_equal(downlink_send(&ap->downlink, &ap->streams, &ap->radio, 8), TUTTI_EAGAIN);
    assert_int_equal(ap->radio.counters.refused, refused + 1);
    assert_int_equal(parts->n_part, ap->frame.n_dl);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)
    const struct CMUnitTest tests[] = {
        CASE(test_block_by_block),
        CASE(test_samples_lost_over_blocks),
        CASE(test_samples_lost_in_pilots),
        CASE(test_precoders_and_their_stamps),
        CASE(test_the_deadline_is_absolute),
        CASE(test_what_is_told_of_the_radio),
        CASE(test_starting_inside_a_block),
        CASE(test_what_the_radio_refuses),
        CASE(test_time_goes_back),
        CASE(test_another_epoch_is_followed),
        CASE(test_lag),
        CASE(test_a_burst_in_parts),
        CASE(test_nothing_reported_nothing_awaited),
        cmocka_unit_test_setup_teardown(test_reference_sends_two_beacons, open_reference, close_place),
        cmocka_unit_test_setup_teardown(test_others_send_the_third, open_follower, close_place),
        cmocka_unit_test_setup_teardown(test_without_the_reference_nothing_is_sent, open_follower, close_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
