/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which precoder a block gets, and how long an access point waits for it. Nothing here is judged by how fast this
 * machine is: deadlines lie in the past or too far ahead to be reached. */
#include "ap_node/choice.h"
#include "base/clock.h"
#include "base/rt.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

enum { STALE_BLOCKS = 3, MUTE_BLOCKS = 5 };
static const uint64_t FAR_NS = 600ull * 1000000000u;

struct place {
    inbox_t *inbox;
    _Atomic uint32_t session;
    _Atomic uint64_t no_precoder;
    struct choice choice;
    accounts_t *accounts;
    struct choice_made made;
    uint32_t stale_blocks; /* of messages pushed */
};

static int open_place(void **state)
{
    struct place *p = test_calloc(1, sizeof *p);
    *state = p;
    if (inbox_create(&p->inbox, 2, 4) < 0 || accounts_create(&p->accounts) < 0) {
        return -1;
    }
    atomic_store(&p->session, 1);
    p->stale_blocks = STALE_BLOCKS;
    p->choice = (struct choice){
        .source = {p->inbox, rt_event_create(), &p->session, &p->no_precoder},
        .rules = {.stale_blocks = 1, .mute_blocks = MUTE_BLOCKS, .power_mean = 1, .power_peak = 1},
    };
    return 0;
}

static int close_place(void **state)
{
    struct place *p = *state;
    inbox_destroy(p->inbox);
    accounts_destroy(p->accounts);
    close(p->choice.source.event_fd);
    test_free(p);
    return 0;
}

static void push(struct place *p, uint64_t block, uint64_t from, uint64_t until)
{
    struct ap_precoder *q = inbox_slot(p->inbox);
    struct wire_stream *stream = q->meta.stream;
    q->header = (struct wire_header){
        .session = 1, .block = block, .valid_from_block = from, .valid_until_block = until, .n_stream = 1};
    q->meta = (struct wire_precoder_meta){.stale_blocks = p->stale_blocks,
                                          .mute_blocks = MUTE_BLOCKS,
                                          .power_mean = 1,
                                          .power_peak = 1,
                                          .local_scheme = 3,
                                          .upsilon = 0.5f,
                                          .stream = stream};
    q->received_ns = clock_wall_ns();
    q->received_mono_ns = clock_mono_ns();
    inbox_push(p->inbox);
    rt_event_signal(p->choice.source.event_fd);
}

/* A decision with a deadline `left_ns` from now; accounts are kept as the slot thread does. */
static enum wire_sent decide_by(struct place *p, uint64_t block, int64_t left_ns, bool have_estimate)
{
    const struct choice_deadline deadline = {.until_ns = clock_mono_ns() + (uint64_t)left_ns, .early_ns = 0};
    accounts_begin(p->accounts, block);
    choice_make(&p->choice, block, &deadline, have_estimate, p->accounts, &p->made);
    const struct wire_account account = {
        .block = block, .chosen = (uint8_t)p->made.kind, .arrival = (uint8_t)p->made.arrival};
    accounts_decided(p->accounts, &account, false, p->made.kind);
    return p->made.kind;
}

/* When the deadline has passed: no waiting. */
static enum wire_sent decide(struct place *p, uint64_t block)
{
    return decide_by(p, block, -1000000, true);
}

/* With a lag a block's own precoder is valid that much later; accounts stay those of the pilots' blocks. */
static void test_lag(void **state)
{
    struct place *p = *state;
    p->choice.lag = 2;
    push(p, 10, 12, 15);
    assert_int_equal(decide(p, 10), WIRE_SENT_FRESH);
    assert_int_equal(decide(p, 11), WIRE_SENT_STALE); /* downlink 13 */
    push(p, 11, 13, 16);                              /* after its decision */
    push(p, 12, 14, 17);
    assert_int_equal(decide(p, 12), WIRE_SENT_FRESH);
    assert_int_equal(p->made.precoder->header.block, 12);
    struct wire_account account[4];
    assert_int_equal(accounts_collect(p->accounts, 13, account, 4), 3);
    assert_int_equal(account[1].block, 11);
    assert_int_equal(account[1].arrival, WIRE_ARRIVAL_LATE);
    assert_true(account[1].precoder_received_ns > 0);
}

static void test_fresh_then_stale_then_local_then_mute(void **state)
{
    struct place *p = *state;
    push(p, 10, 10, 10 + 100);
    assert_int_equal(decide(p, 10), WIRE_SENT_FRESH);
    assert_int_equal(p->made.precoder->header.block, 10);
    for (uint64_t b = 11; b <= 10 + STALE_BLOCKS; b++) {
        assert_int_equal(decide(p, b), WIRE_SENT_STALE);
        assert_int_equal(p->made.precoder->header.block, 10);
        assert_int_equal(p->made.arrival, WIRE_ARRIVAL_NONE);
    }
    for (int i = 0; i < MUTE_BLOCKS; i++) { /* so many blocks of local CB, whatever came before */
        assert_int_equal(decide(p, 14 + (uint64_t)i), WIRE_SENT_LOCAL_CB);
        assert_null(p->made.precoder);
    }
    assert_int_equal(decide(p, 19), WIRE_SENT_MUTE);
    assert_int_equal(decide(p, 20), WIRE_SENT_MUTE);
    push(p, 21, 21, 25);
    assert_int_equal(decide(p, 21), WIRE_SENT_FRESH);
    for (uint64_t b = 22; b <= 24; b++) {
        assert_int_equal(decide(p, b), WIRE_SENT_STALE);
    }
    for (int i = 0; i < MUTE_BLOCKS; i++) { /* counted anew */
        assert_int_equal(decide(p, 25 + (uint64_t)i), WIRE_SENT_LOCAL_CB);
    }
    p->stale_blocks = 0;
    push(p, 30, 30, 30);
    assert_int_equal(decide(p, 30), WIRE_SENT_FRESH);
    assert_int_equal(decide(p, 31), WIRE_SENT_LOCAL_CB);
}

static void test_nothing_without_estimates(void **state)
{
    struct place *p = *state;
    assert_int_equal(decide_by(p, 0, -1, false), WIRE_SENT_MUTE);
    assert_int_equal(decide_by(p, 1, -1, true), WIRE_SENT_LOCAL_CB);
}

static void test_validity_is_the_messages(void **state)
{
    struct place *p = *state;
    p->stale_blocks = 50;
    push(p, 10, 10, 12); /* the shorter of the two counts */
    assert_int_equal(decide(p, 12), WIRE_SENT_STALE);
    assert_int_equal(decide(p, 13), WIRE_SENT_LOCAL_CB);
    p->stale_blocks = 0;
    push(p, 14, 14, 100);
    assert_int_equal(decide(p, 14), WIRE_SENT_FRESH);
    assert_int_equal(decide(p, 15), WIRE_SENT_LOCAL_CB);
    assert_int_equal(p->choice.rules.local_scheme, 3); /* the messages' orders, not the file's */
    assert_true(p->choice.rules.upsilon == 0.5f);
    assert_int_equal(p->choice.rules.stale_blocks, 0);
}

/* With radios the precoder of block b is made for b + k: fresh there, unused before. */
static void test_a_precoder_for_a_later_block(void **state)
{
    struct place *p = *state;
    push(p, 10, 12, 16);
    push(p, 11, 13, 17);
    assert_int_equal(decide(p, 11), WIRE_SENT_LOCAL_CB);
    assert_int_equal(decide(p, 12), WIRE_SENT_FRESH);
    assert_int_equal(p->made.precoder->header.block, 10);
    assert_int_equal(decide(p, 13), WIRE_SENT_FRESH);
    assert_int_equal(p->made.precoder->header.block, 11);
    assert_int_equal(decide(p, 14), WIRE_SENT_STALE);
}

static void test_newest_by_block(void **state)
{
    struct place *p = *state;
    push(p, 10, 10, 20);
    push(p, 9, 9, 20);
    assert_int_equal(decide(p, 10), WIRE_SENT_FRESH);
}

static void test_no_waiting_without_hope(void **state)
{
    struct place *p = *state;
    atomic_store(&p->no_precoder, 6); /* none for block 5: with this deadline the test would not end */
    assert_int_equal(decide_by(p, 5, (int64_t)FAR_NS, true), WIRE_SENT_LOCAL_CB);
    atomic_store(&p->session, 0);
    assert_int_equal(decide_by(p, 6, (int64_t)FAR_NS, true), WIRE_SENT_LOCAL_CB);
}

static void *push_soon(void *argument)
{
    usleep(20000);
    push(argument, 7, 7, 9); /* not what is waited for */
    usleep(20000);
    push(argument, 8, 8, 12);
    return NULL;
}

static void test_waits_for_its_own_block(void **state)
{
    struct place *p = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, push_soon, p), 0);
    assert_int_equal(decide_by(p, 8, (int64_t)FAR_NS, true), WIRE_SENT_FRESH);
    assert_int_equal(p->made.precoder->header.block, 8);
    assert_int_equal(p->made.arrival, WIRE_ARRIVAL_EARLY); /* ten minutes before the deadline */
    pthread_join(thread, NULL);
}

/* Judged against the deadline, which is absolute, and not against when this AP asked. */
static void test_early_or_on_time(void **state)
{
    struct place *p = *state;
    const uint64_t now_ns = clock_mono_ns();
    struct choice_deadline d = {.until_ns = now_ns + FAR_NS, .early_ns = FAR_NS / 2};
    accounts_begin(p->accounts, 1);
    push(p, 1, 1, 5);
    choice_make(&p->choice, 1, &d, true, p->accounts, &p->made);
    assert_int_equal(p->made.arrival, WIRE_ARRIVAL_EARLY);
    d.early_ns = 2 * FAR_NS;
    push(p, 2, 2, 6);
    choice_make(&p->choice, 2, &d, true, p->accounts, &p->made);
    assert_int_equal(p->made.arrival, WIRE_ARRIVAL_ON_TIME);
    d = (struct choice_deadline){.until_ns = now_ns + FAR_NS, .early_ns = 0, .repeatable = true};
    push(p, 3, 3, 7);
    usleep(1000);
    choice_make(&p->choice, 3, &d, true, p->accounts, &p->made); /* it was there when it was asked for */
    assert_int_equal(p->made.arrival, WIRE_ARRIVAL_EARLY);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, push_soon, p), 0);
    choice_make(&p->choice, 8, &d, true, p->accounts, &p->made); /* asked for, and then it came */
    assert_int_equal(p->made.kind, WIRE_SENT_FRESH);
    assert_int_equal(p->made.arrival, WIRE_ARRIVAL_ON_TIME);
    pthread_join(thread, NULL);
}

static void test_a_late_precoder_is_stamped(void **state)
{
    struct place *p = *state;
    struct wire_account out[WIRE_MAX_ACCOUNTS];
    assert_int_equal(decide(p, 30), WIRE_SENT_LOCAL_CB);
    assert_int_equal(accounts_collect(p->accounts, 31, out, WIRE_MAX_ACCOUNTS), 0); /* waits for it */
    push(p, 30, 30, 34);
    choice_collect(&p->choice, 31, p->accounts);
    assert_int_equal(accounts_collect(p->accounts, 31, out, WIRE_MAX_ACCOUNTS), 1);
    assert_int_equal(out[0].block, 30);
    assert_int_equal(out[0].arrival, WIRE_ARRIVAL_LATE);
    assert_int_not_equal(out[0].precoder_received_ns, 0);
    assert_int_equal(out[0].sent, WIRE_SENT_LOCAL_CB);
    assert_int_equal(decide(p, 31), WIRE_SENT_STALE);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)
    const struct CMUnitTest tests[] = {CASE(test_fresh_then_stale_then_local_then_mute),
                                       CASE(test_lag),
                                       CASE(test_nothing_without_estimates),
                                       CASE(test_validity_is_the_messages),
                                       CASE(test_a_precoder_for_a_later_block),
                                       CASE(test_newest_by_block),
                                       CASE(test_no_waiting_without_hope),
                                       CASE(test_waits_for_its_own_block),
                                       CASE(test_early_or_on_time),
                                       CASE(test_a_late_precoder_is_stamped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
