/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Exactly one account per block, whatever the radio tells, in whatever order, and however long nobody listens. */
#include "ap_node/accounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct wire_account out[WIRE_MAX_ACCOUNTS];

static int open_accounts(void **state)
{
    accounts_t *a;
    const int status = accounts_create(&a);
    *state = a;
    return status;
}

static int close_accounts(void **state)
{
    accounts_destroy(*state);
    return 0;
}

static void tell(accounts_t *a, uint64_t block, enum radio_note_kind kind)
{
    const struct radio_note note = {.kind = kind, .tag = block};
    accounts_note(a, &note);
}

/* A block with its precoder, sent. */
static void decide(accounts_t *a, uint64_t block, enum wire_sent chosen, enum wire_arrival arrival)
{
    const struct wire_account account = {
        .block = block, .chosen = (uint8_t)chosen, .arrival = (uint8_t)arrival, .applied_ns = block + 1};
    accounts_begin(a, block);
    accounts_decided(a, &account, chosen != WIRE_SENT_MUTE, WIRE_SENT_MUTE);
}

static void whole_block(accounts_t *a, uint64_t block)
{
    decide(a, block, WIRE_SENT_FRESH, WIRE_ARRIVAL_EARLY);
    tell(a, block, RADIO_NOTE_SENT);
}

static void test_what_the_radio_tells_counts(void **state)
{
    accounts_t *a = *state;
    static const struct {
        enum radio_note_kind told[3];
        int n_told;
        enum wire_sent chosen, sent;
    } CASES[] = {
        {{RADIO_NOTE_SENT}, 1, WIRE_SENT_FRESH, WIRE_SENT_FRESH},
        {{RADIO_NOTE_SENT}, 1, WIRE_SENT_STALE, WIRE_SENT_STALE},
        {{RADIO_NOTE_SENT}, 1, WIRE_SENT_LOCAL_CB, WIRE_SENT_LOCAL_CB},
        {{RADIO_NOTE_LATE}, 1, WIRE_SENT_FRESH, WIRE_SENT_LATE},
        {{RADIO_NOTE_UNDERRUN}, 1, WIRE_SENT_FRESH, WIRE_SENT_CUT},
        {{RADIO_NOTE_SENT, RADIO_NOTE_UNDERRUN}, 2, WIRE_SENT_FRESH, WIRE_SENT_CUT},
        {{RADIO_NOTE_UNDERRUN, RADIO_NOTE_SENT}, 2, WIRE_SENT_FRESH, WIRE_SENT_CUT},
        {{RADIO_NOTE_LATE, RADIO_NOTE_SENT, RADIO_NOTE_UNDERRUN}, 3, WIRE_SENT_FRESH, WIRE_SENT_LATE},
        {{RADIO_NOTE_SENT}, 0, WIRE_SENT_MUTE, WIRE_SENT_MUTE},
    };
    const uint64_t n = sizeof CASES / sizeof *CASES;
    for (uint64_t b = 0; b < n; b++) {
        decide(a, b, CASES[b].chosen, WIRE_ARRIVAL_ON_TIME);
        for (int i = 0; i < CASES[b].n_told; i++) {
            tell(a, b, CASES[b].told[i]);
        }
    }
    assert_int_equal(accounts_collect(a, n, out, WIRE_MAX_ACCOUNTS), n);
    for (uint64_t b = 0; b < n; b++) {
        assert_int_equal(out[b].block, b);
        assert_int_equal(out[b].sent, CASES[b].sent);
        assert_int_equal(out[b].chosen, CASES[b].chosen);
        assert_int_equal(out[b].applied_ns, b + 1);
    }
}

static void test_nothing_is_told_before_it_is_known(void **state)
{
    accounts_t *a = *state;
    decide(a, 0, WIRE_SENT_FRESH, WIRE_ARRIVAL_EARLY);
    decide(a, 1, WIRE_SENT_FRESH, WIRE_ARRIVAL_EARLY);
    tell(a, 1, RADIO_NOTE_SENT);
    assert_int_equal(accounts_collect(a, 2, out, WIRE_MAX_ACCOUNTS), 0); /* block 0 first */
    tell(a, 0, RADIO_NOTE_SENT);
    assert_int_equal(accounts_collect(a, 2, out, WIRE_MAX_ACCOUNTS), 2);
    tell(a, 0, RADIO_NOTE_LATE); /* nothing changes what has been told */
    assert_int_equal(accounts_collect(a, 2, out, WIRE_MAX_ACCOUNTS), 2);
    assert_int_equal(out[0].sent, WIRE_SENT_FRESH);
    assert_int_equal(accounts_counters(a)->too_late, 1);
    assert_int_equal(accounts_counters(a)->sent[WIRE_SENT_FRESH], 2);
}

static void test_a_silent_radio_vouches_for_nothing(void **state)
{
    accounts_t *a = *state;
    decide(a, 0, WIRE_SENT_FRESH, WIRE_ARRIVAL_EARLY);
    assert_int_equal(accounts_collect(a, ACCOUNTS_SILENT_BLOCKS - 1, out, 4), 0);
    assert_int_equal(accounts_collect(a, ACCOUNTS_SILENT_BLOCKS, out, 4), 1);
    assert_int_equal(out[0].sent, WIRE_SENT_LATE);
    assert_int_equal(accounts_counters(a)->untold, 1);
}

static void test_unseen_blocks_are_missed(void **state)
{
    accounts_t *a = *state;
    whole_block(a, 100);
    whole_block(a, 104);
    whole_block(a, 106);
    static const uint8_t WANT[] = {WIRE_SENT_FRESH, WIRE_SENT_MISSED, WIRE_SENT_MISSED, WIRE_SENT_MISSED,
                                   WIRE_SENT_FRESH, WIRE_SENT_MISSED, WIRE_SENT_FRESH};
    assert_int_equal(accounts_collect(a, 107, out, WIRE_MAX_ACCOUNTS), 7);
    for (uint64_t i = 0; i < 7; i++) {
        assert_int_equal(out[i].block, 100 + i);
        assert_int_equal(out[i].sent, WANT[i]);
    }
}

static void test_kept_until_acknowledged(void **state)
{
    accounts_t *a = *state;
    for (uint64_t b = 0; b < 100; b++) {
        whole_block(a, b);
    }
    for (uint64_t first = 0; first < 100; first += 25) { /* the oldest, until somebody has them */
        accounts_acknowledge(a, first);
        for (int again = 0; again < 2; again++) {
            const int n = accounts_collect(a, 100, out, WIRE_MAX_ACCOUNTS);
            assert_int_equal(n, 100 - first < WIRE_MAX_ACCOUNTS ? 100 - first : WIRE_MAX_ACCOUNTS);
            assert_int_equal(out[0].block, first);
            assert_int_equal(out[n - 1].block, first + (uint64_t)n - 1);
        }
    }
    accounts_acknowledge(a, 1000); /* more than there is, and back again */
    assert_int_equal(accounts_collect(a, 100, out, 4), 0);
    accounts_acknowledge(a, 0);
    assert_int_equal(accounts_collect(a, 100, out, 4), 0);
    whole_block(a, 100);
    assert_int_equal(accounts_collect(a, 101, out, 4), 1);
}

static void test_going_back_for_a_new_central_node(void **state)
{
    accounts_t *a = *state;
    for (uint64_t b = 0; b < 100; b++) {
        whole_block(a, b);
    }
    accounts_collect(a, 100, out, 4);
    accounts_acknowledge(a, 80);
    accounts_go_back(a, 30);
    accounts_acknowledge(a, 0);
    assert_int_equal(accounts_collect(a, 100, out, 4), 4);
    assert_int_equal(out[0].block, 50);
    assert_int_equal(out[0].sent, WIRE_SENT_FRESH);
    accounts_go_back(a, 300); /* as far as there is anything */
    assert_int_equal(accounts_collect(a, 100, out, 4), 4);
    assert_int_equal(out[0].block, 0);
    const uint64_t n = ACCOUNTS_ROOM + 50;
    for (uint64_t b = 100; b < n; b++) {
        whole_block(a, b);
        accounts_acknowledge(a, accounts_collect(a, b, out, 32) > 0 ? b : 0);
    }
    accounts_go_back(a, 2 * ACCOUNTS_ROOM);
    accounts_collect(a, n, out, 4);
    assert_int_equal(out[0].block, 50);
    assert_int_equal(accounts_counters(a)->overwritten, 0);
    assert_int_equal(accounts_counters(a)->sent[WIRE_SENT_FRESH], n); /* each counted once */
}

static void test_acknowledging_loses_nothing_open(void **state)
{
    accounts_t *a = *state;
    decide(a, 0, WIRE_SENT_FRESH, WIRE_ARRIVAL_EARLY);
    accounts_acknowledge(a, 50); /* a wrong word of the central node */
    tell(a, 0, RADIO_NOTE_SENT);
    assert_int_equal(accounts_collect(a, 1, out, 4), 1);
}

static void test_nobody_listens_for_long(void **state)
{
    accounts_t *a = *state;
    const uint64_t n = ACCOUNTS_ROOM + 500;
    for (uint64_t b = 0; b < n; b++) {
        whole_block(a, b);
    }
    assert_int_equal(accounts_counters(a)->overwritten, 500);
    assert_int_equal(accounts_collect(a, n, out, WIRE_MAX_ACCOUNTS), WIRE_MAX_ACCOUNTS);
    assert_int_equal(out[0].block, 500);
    assert_int_equal(accounts_counters(a)->sent[WIRE_SENT_FRESH], n);
}

static void test_a_leap_of_time(void **state)
{
    accounts_t *a = *state;
    whole_block(a, 0);
    whole_block(a, 1ull << 40);
    const struct accounts_counters *c = accounts_counters(a);
    assert_int_equal(accounts_collect(a, (1ull << 40) + 1, out, 4), 4);
    assert_int_equal(out[0].sent, WIRE_SENT_MISSED);
    assert_int_equal(c->sent[WIRE_SENT_FRESH], 2);
    assert_int_equal(c->sent[WIRE_SENT_MISSED], (1ull << 40) - 1); /* one each */
}

static void test_time_goes_back(void **state)
{
    accounts_t *a = *state;
    whole_block(a, 1000);
    whole_block(a, 3);
    assert_int_equal(accounts_collect(a, 4, out, 4), 1);
    assert_int_equal(out[0].block, 3);
    assert_int_equal(out[0].sent, WIRE_SENT_FRESH);
    assert_int_equal(accounts_counters(a)->sent[WIRE_SENT_FRESH], 2);
}

static void test_a_missing_precoder_is_waited_for(void **state)
{
    accounts_t *a = *state;
    decide(a, 0, WIRE_SENT_STALE, WIRE_ARRIVAL_NONE);
    tell(a, 0, RADIO_NOTE_SENT);
    assert_int_equal(accounts_collect(a, ACCOUNTS_LATE_BLOCKS, out, 4), 0);
    accounts_late(a, 0, 77);
    assert_int_equal(accounts_collect(a, ACCOUNTS_LATE_BLOCKS, out, 4), 1);
    assert_int_equal(out[0].arrival, WIRE_ARRIVAL_LATE);
    assert_int_equal(out[0].precoder_received_ns, 77);
    decide(a, 1, WIRE_SENT_STALE, WIRE_ARRIVAL_NONE);
    tell(a, 1, RADIO_NOTE_SENT);
    accounts_acknowledge(a, 1);
    assert_int_equal(accounts_collect(a, 2 + ACCOUNTS_LATE_BLOCKS, out, 4), 1); /* but not for ever */
    assert_int_equal(out[0].arrival, WIRE_ARRIVAL_NONE);
    accounts_late(a, 1, 78);
    assert_int_equal(accounts_counters(a)->too_late, 1);
    decide(a, 2, WIRE_SENT_STALE, WIRE_ARRIVAL_NONE);
    tell(a, 2, RADIO_NOTE_SENT);
    accounts_acknowledge(a, 2);
    assert_int_equal(accounts_collect(a, 3, out, 4), 0);
    accounts_no_precoder(a, 2); /* and not if there is none */
    assert_int_equal(accounts_collect(a, 3, out, 4), 1);
}

static void test_a_refused_burst_was_not_sent(void **state)
{
    accounts_t *a = *state;
    accounts_begin(a, 0);
    const struct wire_account account = {.chosen = WIRE_SENT_FRESH, .arrival = WIRE_ARRIVAL_EARLY, .scaled = 1};
    accounts_decided(a, &account, false, WIRE_SENT_LATE);
    assert_int_equal(accounts_collect(a, 1, out, 4), 1);
    assert_int_equal(out[0].sent, WIRE_SENT_LATE);
    assert_int_equal(out[0].chosen, WIRE_SENT_FRESH);
    assert_int_equal(accounts_counters(a)->scaled, 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_accounts, close_accounts)
    const struct CMUnitTest tests[] = {CASE(test_what_the_radio_tells_counts),
                                       CASE(test_nothing_is_told_before_it_is_known),
                                       CASE(test_a_silent_radio_vouches_for_nothing),
                                       CASE(test_unseen_blocks_are_missed),
                                       CASE(test_kept_until_acknowledged),
                                       CASE(test_going_back_for_a_new_central_node),
                                       CASE(test_acknowledging_loses_nothing_open),
                                       CASE(test_nobody_listens_for_long),
                                       CASE(test_a_leap_of_time),
                                       CASE(test_time_goes_back),
                                       CASE(test_a_missing_precoder_is_waited_for),
                                       CASE(test_a_refused_burst_was_not_sent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
