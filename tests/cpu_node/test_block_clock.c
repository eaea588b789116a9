/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { N_AP = 4, BLOCK_NS = 5000000 };

static struct block_clock *make(int n_ap, bool paced)
{
    struct block_clock *clock = NULL;
    assert_int_equal(block_clock_create(&clock, n_ap, BLOCK_NS, paced), 0);
    return clock;
}

static enum clock_verdict hear(struct block_clock *clock, int ap, uint64_t block, uint64_t now_ns)
{
    int64_t by;
    return block_clock_hear(clock, ap, block, now_ns, 0, &by);
}

/* All APs report blocks from..to-1, one after the other. */
static void run(struct block_clock *clock, uint64_t from, uint64_t to, uint64_t *now_ns)
{
    for (uint64_t b = from; b < to; b++) {
        for (int ap = 0; ap < clock->n_ap; ap++) {
            assert_int_equal(hear(clock, ap, b, *now_ns), CLOCK_ON);
        }
        assert_int_equal(clock->now, b);
        *now_ns += BLOCK_NS;
    }
}

static void the_majority_moves_the_clock(void **state)
{
    (void)state;
    struct block_clock *clock = make(N_AP, true);
    uint64_t now = 1;
    run(clock, 100, 110, &now);
    assert_int_equal(hear(clock, 0, 110, now), CLOCK_ON);
    assert_int_equal(hear(clock, 1, 110, now), CLOCK_ON);
    assert_int_equal(clock->now, 109); /* two of four are no majority */
    assert_int_equal(hear(clock, 2, 110, now), CLOCK_ON);
    assert_int_equal(clock->now, 110);
    block_clock_destroy(clock);
}

/* A block is due when the majority's own can be there: told of one that comes too early, and never put off for jitter,
 * in lock-step, or for what no window holds. */
static void a_block_is_due_by_the_majority(void **state)
{
    (void)state;
    struct block_clock *clock = make(N_AP, true);
    uint64_t now = 1;
    run(clock, 100, 110, &now); /* 110 is due now */
    assert_int_equal(block_clock_due_ns(clock, 109, now), now);
    assert_int_equal(block_clock_due_ns(clock, 110, now - BLOCK_NS / 4), now - BLOCK_NS / 4);
    for (uint64_t ahead = 1; ahead <= 3; ahead++) {
        const uint64_t due_ns = block_clock_due_ns(clock, 110 + ahead, now);
        assert_true(due_ns > now + ahead * BLOCK_NS - 1000 && due_ns < now + ahead * BLOCK_NS + 1000);
    }
    assert_int_equal(block_clock_due_ns(clock, UINT64_C(1) << 40, now), now);
    clock->paced = false;
    assert_int_equal(block_clock_due_ns(clock, 113, now), now);
    block_clock_destroy(clock);
}

/* A well-formed estimate with a far block number stopped the network. */
static void one_ap_cannot_move_the_network(void **state)
{
    (void)state;
    for (int paced = 0; paced < 2; paced++) {
        static const uint64_t FAR[] = {UINT64_C(1) << 40, UINT64_MAX, 300, 0};
        for (size_t i = 0; i < sizeof FAR / sizeof FAR[0]; i++) {
            struct block_clock *clock = make(N_AP, paced);
            uint64_t now = 1;
            int64_t by;
            run(clock, 100, 120, &now);
            assert_int_equal(block_clock_hear(clock, 3, FAR[i], now, 0, &by), CLOCK_OFF);
            assert_true(block_clock_is_off(clock, 3));
            assert_true(FAR[i] > 119 ? by > 0 : by < 0);
            assert_int_equal(clock->now, 119);
            for (uint64_t b = 120; b < 200; b++, now += BLOCK_NS) { /* it goes on as it likes, and so do the others */
                for (int ap = 0; ap < 3; ap++) {
                    assert_int_equal(hear(clock, ap, b, now), CLOCK_ON);
                }
                assert_int_equal(hear(clock, 3, FAR[i] == UINT64_MAX ? FAR[i] : FAR[i] + b - 120, now), CLOCK_OFF);
                assert_int_equal(clock->now, b);
            }
            assert_int_equal(clock->off_reports, 81);
            assert_int_equal(hear(clock, 3, 200, now), CLOCK_ON); /* taken back */
            assert_false(block_clock_is_off(clock, 3));
            block_clock_destroy(clock);
        }
    }
}

/* Two APs of which one is off: it is one against one, and the clock stays and goes on with the other. */
static void of_two_the_one_on_the_clock_goes_on(void **state)
{
    (void)state;
    for (int behind = 0; behind < 2; behind++) {
        struct block_clock *clock = make(2, false);
        uint64_t now = 1;
        run(clock, 5000, 5010, &now);
        for (uint64_t b = 5010; b < 5100; b++) {
            assert_int_equal(hear(clock, 1, behind ? b - 1000 : b + 1000, now), CLOCK_OFF);
            assert_int_equal(hear(clock, 0, b, now), CLOCK_ON);
            assert_int_equal(clock->now, b);
        }
        block_clock_destroy(clock);
    }
}

/* A new medium: the APs come back one after the other at block 0. */
static void the_clock_follows_the_majority_back(void **state)
{
    (void)state;
    struct block_clock *clock = make(N_AP, true);
    uint64_t now = 1;
    run(clock, 5000, 5010, &now);
    assert_int_equal(hear(clock, 0, 0, now), CLOCK_OFF);
    assert_int_equal(hear(clock, 1, 0, now), CLOCK_OFF); /* two against two */
    assert_int_equal(hear(clock, 2, 1, now), CLOCK_RESTARTED);
    assert_int_equal(clock->now, 1);
    assert_false(block_clock_is_off(clock, 0));
    assert_true(block_clock_is_off(clock, 3)); /* now it is the odd one */
    now += BLOCK_NS;
    run(clock, 2, 10, &now);
    block_clock_destroy(clock);
}

static void whoever_is_gone_has_no_vote(void **state)
{
    (void)state;
    struct block_clock *clock = make(N_AP, false);
    uint64_t now = 1;
    run(clock, 700, 710, &now);
    for (int ap = 0; ap < N_AP; ap++) {
        block_clock_gone(clock, ap);
    }
    assert_int_equal(hear(clock, 2, 0, now), CLOCK_RESTARTED); /* alone it is the majority */
    assert_int_equal(hear(clock, 0, 1, now), CLOCK_ON);
    block_clock_destroy(clock);
}

/* In paced time a silent AP's vote grows old. */
static void old_votes_do_not_count(void **state)
{
    (void)state;
    struct block_clock *clock = make(2, true);
    uint64_t now = 1;
    run(clock, 0, 10, &now);
    for (uint64_t b = 10; b < 240; b++, now += BLOCK_NS) {
        hear(clock, 0, b, now);
    }
    assert_int_equal(clock->now, 239);
    block_clock_destroy(clock);
}

/* After an outage of 2 s the same time line is found 400 blocks later, or more if it had been behind: no restart.
 * Further than a recording bears is one. */
static void an_outage_is_a_jump_and_no_restart(void **state)
{
    (void)state;
    static const uint64_t blocks[] = {500, 2000, 2000000};
    for (int far = 0; far < 3; far++) {
        struct block_clock *clock = make(N_AP, true);
        uint64_t now = 1;
        run(clock, 0, 100, &now);
        for (int ap = 0; ap < N_AP; ap++) {
            block_clock_gone(clock, ap);
        }
        now += UINT64_C(2000000000);
        assert_int_equal(hear(clock, 1, blocks[far], now), far > 1 ? CLOCK_RESTARTED : CLOCK_JUMPED);
        assert_int_equal(clock->now, blocks[far]);
        block_clock_destroy(clock);
    }
}

/* An emulated air that had fallen behind made up for it while this node was stopped, or before this node was there: the
 * same time line, however much it was. */
static void an_air_that_was_behind_catches_up(void **state)
{
    (void)state;
    for (int far = 0; far < 2; far++) {
        struct block_clock *clock = make(N_AP, true);
        uint64_t now = 1;
        run(clock, 0, 100, &now);
        for (uint64_t b = 100; b < 300; b++) { /* at half speed */
            run(clock, b, b + 1, &now);
            now += (uint64_t)clock->block_ns;
        }
        now += 400 * (uint64_t)clock->block_ns;
        uint64_t b = 299 + 400 + (far ? 3000 : 190);
        for (int i = 0; i < CLOCK_CONFIRM_BLOCKS - 1; i++, now += BLOCK_NS) {
            assert_int_equal(hear(clock, 0, b++, now), CLOCK_OFF); /* others were there, and are silent */
        }
        assert_int_equal(hear(clock, 0, b, now), CLOCK_JUMPED);
        assert_int_equal(clock->now, b);
        block_clock_destroy(clock);
    }
}

/* This node was stopped for a moment, and the first thing it hears is absurd: others are there, so it takes more than
 * one report. If nobody else says anything, some are enough. */
static void one_report_after_a_silence_is_not_enough(void **state)
{
    (void)state;
    struct block_clock *clock = make(N_AP, true);
    uint64_t now = 1;
    run(clock, 0, 100, &now);
    now += UINT64_C(2000000000);
    assert_int_equal(hear(clock, 3, UINT64_C(1) << 40, now), CLOCK_OFF);
    assert_int_equal(hear(clock, 3, UINT64_C(1) << 41, now), CLOCK_OFF);
    for (uint64_t b = 1; b < CLOCK_CONFIRM_BLOCKS; b++, now += BLOCK_NS) {
        assert_int_equal(hear(clock, 0, 499 + b, now), CLOCK_OFF);
    }
    assert_int_equal(clock->now, 99);
    assert_int_equal(hear(clock, 0, 499 + CLOCK_CONFIRM_BLOCKS, now), CLOCK_OFF); /* against AP 3: one of two */
    for (uint64_t b = 1; b < CLOCK_CONFIRM_BLOCKS; b++, now += BLOCK_NS) {
        assert_int_equal(hear(clock, 1, 507 + b, now), CLOCK_OFF);
    }
    assert_int_equal(hear(clock, 1, 515, now), CLOCK_JUMPED);
    block_clock_destroy(clock);
}

/* The others stall for a while (their machine, or the air), and one AP goes on with another time, quicker than time can
 * pass or not: nobody follows it. Once they are silent for good, somebody who tells of a time block by block is
 * followed. */
static void one_ap_does_not_use_a_stall(void **state)
{
    (void)state;
    struct block_clock *clock = make(N_AP, true);
    uint64_t now = 1, b = 1000;
    run(clock, 0, 100, &now);
    for (int i = 0; i < 380; i++, now += BLOCK_NS) {
        assert_int_equal(hear(clock, 3, b++, now), CLOCK_OFF);
        assert_int_equal(hear(clock, 3, b, now), CLOCK_OFF);
    }
    now += 60 * (uint64_t)BLOCK_NS;
    for (uint64_t i = 0; i < 100; i++) { /* all at once, and the same again and again */
        assert_int_equal(hear(clock, 3, 10000 + i, now), CLOCK_OFF);
    }
    for (int i = 0; i < 100; i++, now += BLOCK_NS) {
        assert_int_equal(hear(clock, 3, 20000, now), CLOCK_OFF);
    }
    for (uint64_t i = 0; i < 100; i++, now += BLOCK_NS) { /* nor to and fro */
        assert_int_equal(hear(clock, 3, 20000 + i % 2, now), CLOCK_OFF);
    }
    for (uint64_t i = 2; i < CLOCK_CONFIRM_BLOCKS; i++, now += BLOCK_NS) {
        assert_int_equal(clock->now, 99);
        hear(clock, 3, 20000 + i, now);
    }
    assert_int_equal(clock->now, 20007);
    block_clock_destroy(clock);
}

/* The others stall, and one AP reports blocks that are not there yet, each a little further: it is not followed beyond
 * what the wall clock says, so the others are not behind when they go on, and nothing begins anew. */
static void one_ap_cannot_run_ahead(void **state)
{
    (void)state;
    struct block_clock *clock = make(N_AP, true);
    uint64_t now = 1, b = 100;
    run(clock, 0, b, &now);
    for (int i = 0; i < 60; i++, b++, now += BLOCK_NS) {
        for (uint64_t k = 0; k < 20; k++) {
            hear(clock, 3, clock->now + 1 + k, now);
        }
        assert_true(clock->now <= b + 9);
    }
    for (int ap = 0; ap < 3; ap++) {
        assert_int_equal(hear(clock, ap, b, now), CLOCK_ON);
    }
    for (int ap = 0; ap < 3; ap++) {
        assert_int_equal(hear(clock, ap, b + 30, now + 30 * (uint64_t)BLOCK_NS), CLOCK_ON);
    }
    assert_int_equal(clock->now, b + 30);
    block_clock_destroy(clock);
}

/* A block just outside the window, and near enough to the others, who are where they should be: nobody follows. */
static void windows_that_overlap_move_nobody(void **state)
{
    (void)state;
    for (int paced = 0; paced < 2; paced++) {
        struct block_clock *clock = make(N_AP, paced);
        uint64_t now = 1;
        run(clock, 500, 600, &now);
        assert_int_equal(hear(clock, 0, 600, now), CLOCK_ON);
        assert_int_equal(hear(clock, 1, 600, now), CLOCK_ON);
        assert_int_equal(hear(clock, 3, 599 + CLOCK_AHEAD_BLOCKS + 1, now), CLOCK_OFF);
        assert_int_equal(clock->now, 599);
        assert_int_equal(hear(clock, 2, 600, now), CLOCK_ON);
        assert_int_equal(clock->now, 600);
        run(clock, 601, 602, &now);
        assert_int_equal(hear(clock, 3, 601 - CLOCK_BEHIND_BLOCKS - 1, now), CLOCK_OFF);
        assert_int_equal(clock->now, 601);
        block_clock_destroy(clock);
    }
}

/* All connections break, and the first who is back tells of another time: it is not followed before the others could
 * have come back, unless more than half tell the same. Our own time, seen again, is followed at once. */
static void who_is_back_first_does_not_decide(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct block_clock *clock = make(N_AP, true);
        uint64_t now = 1;
        run(clock, 1000, 1100, &now);
        for (int ap = 0; ap < N_AP; ap++) {
            block_clock_gone(clock, ap);
        }
        now += 100 * (uint64_t)BLOCK_NS;
        if (how == 0) {
            assert_int_equal(hear(clock, 3, 1200, now), CLOCK_JUMPED);
        }
        for (uint64_t b = 0; how > 0 && b < 250; b++, now += BLOCK_NS) {
            assert_int_equal(hear(clock, 3, b, now), CLOCK_OFF);
        }
        if (how == 1) {
            assert_int_equal(hear(clock, 0, 250, now), CLOCK_OFF);
            assert_int_equal(hear(clock, 2, 250, now), CLOCK_RESTARTED);
        }
        for (uint64_t b = 250; how == 2 && clock->now > 1000; b++, now += BLOCK_NS) {
            assert_true(b < 310);
            hear(clock, 3, b, now); /* nobody else came */
        }
        block_clock_destroy(clock);
    }
}

/* One of two stops without a word: the other one goes on. */
static void half_of_the_network_can_fall_silent(void **state)
{
    (void)state;
    struct block_clock *clock = make(2, true);
    uint64_t now = 1;
    run(clock, 0, 100, &now);
    for (uint64_t b = 100; b < 400; b++, now += BLOCK_NS) {
        assert_int_equal(hear(clock, 0, b, now), CLOCK_ON);
    }
    assert_int_equal(clock->now, 399);
    block_clock_destroy(clock);
}

/* Estimates that were under way for half a second are late, not off; without the stamp they would be off. */
static void what_was_delayed_is_late_and_not_off(void **state)
{
    (void)state;
    struct block_clock *clock = make(N_AP, true);
    uint64_t now = 1;
    int64_t by;
    run(clock, 1000, 1200, &now);
    assert_int_equal(block_clock_hear(clock, 0, 1100, now, UINT64_C(500000000), &by), CLOCK_ON);
    assert_int_equal(by, -99);
    assert_int_equal(block_clock_hear(clock, 0, 1100, now, 0, &by), CLOCK_OFF);
    assert_int_equal(block_clock_hear(clock, 1, 1300, now, UINT64_C(500000000), &by), CLOCK_OFF); /* never ahead */
    assert_int_equal(clock->now, 1199);
    block_clock_destroy(clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_majority_moves_the_clock),
        cmocka_unit_test(a_block_is_due_by_the_majority),
        cmocka_unit_test(one_ap_cannot_move_the_network),
        cmocka_unit_test(of_two_the_one_on_the_clock_goes_on),
        cmocka_unit_test(the_clock_follows_the_majority_back),
        cmocka_unit_test(whoever_is_gone_has_no_vote),
        cmocka_unit_test(old_votes_do_not_count),
        cmocka_unit_test(an_outage_is_a_jump_and_no_restart),
        cmocka_unit_test(an_air_that_was_behind_catches_up),
        cmocka_unit_test(one_ap_does_not_use_a_stall),
        cmocka_unit_test(who_is_back_first_does_not_decide),
        cmocka_unit_test(one_ap_cannot_run_ahead),
        cmocka_unit_test(windows_that_overlap_move_nobody),
        cmocka_unit_test(one_report_after_a_silence_is_not_enough),
        cmocka_unit_test(half_of_the_network_can_fall_silent),
        cmocka_unit_test(what_was_delayed_is_late_and_not_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
