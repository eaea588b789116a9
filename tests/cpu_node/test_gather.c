/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/clock.h"
#include "cpu_node/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 3, N_SB = 2, N_ANT = 2, N_UE = 2, LIMIT_US = 800 };
static const struct block_shape SHAPE = {.n_sb = N_SB, .n_ap = N_AP, .n_ant = N_ANT, .n_ue = N_UE};

static struct gather *make(bool wait_for_all)
{
    struct gather *g = NULL;
    assert_int_equal(gather_create(&g, &SHAPE, LIMIT_US, wait_for_all), 0);
    for (int ap = 0; ap < N_AP; ap++) {
        gather_set_alive(g, ap, true);
    }
    return g;
}

/* An AP's estimates, every value told by AP and block. */
static enum gather_place report(struct gather *g, int ap, uint64_t number, uint64_t clock_now, uint64_t now_ns)
{
    struct cpu_block *block = NULL;
    const enum gather_place where = gather_find(g, ap, number, clock_now, number * 9600, 7, now_ns, &block);
    if (where == GATHER_PLACED) {
        tutti_cf32 H[N_SB * N_ANT * N_UE];
        float beta[N_UE] = {(float)ap, 2}, error[N_UE] = {0.5f, (float)ap};
        for (int i = 0; i < N_SB * N_ANT * N_UE; i++) {
            H[i] = CMPLXF((float)(100 * ap + i), (float)number);
        }
        assert_int_equal(block->number, number);
        block_store(block, ap, H, beta, error);
    }
    return where;
}

static struct cpu_block *close_at(struct gather *g, uint64_t now_ns, int64_t *wait_us)
{
    uint8_t silent[N_AP];
    return gather_close(g, now_ns, wait_us, silent);
}

static void a_block_closes_when_all_have_reported(void **state)
{
    (void)state;
    struct gather *g = make(false);
    int64_t wait_us;
    assert_null(close_at(g, 0, &wait_us));
    assert_true(wait_us == INT64_MAX);
    report(g, 0, 5, 5, 1000);
    struct cpu_block *block = close_at(g, 1000, &wait_us); /* the others have never reported: nobody waits for them */
    assert_non_null(block);
    assert_true(block->n_gathered == 1 && block->gathered[0] && !block->gathered[1]);
    report(g, 0, 6, 6, 2000);
    report(g, 1, 6, 6, 2000);
    assert_non_null(close_at(g, 2000, &wait_us));
    report(g, 1, 7, 7, 3000);
    assert_null(close_at(g, 3000, &wait_us)); /* AP 0 takes part now */
    assert_int_equal(wait_us, LIMIT_US);
    report(g, 0, 7, 7, 4000);
    assert_non_null(close_at(g, 4000, &wait_us));
    gather_destroy(g);
}

static void estimates_lie_where_they_belong(void **state)
{
    (void)state;
    struct gather *g = make(false);
    int64_t wait_us;
    for (int ap = 0; ap < N_AP; ap++) {
        report(g, ap, 8, 8, 0);
    }
    struct cpu_block *block = close_at(g, 0, &wait_us);
    for (int i = 0; i < N_SB * N_AP * N_ANT * N_UE; i++) {
        const int row = N_ANT * N_UE, sb = i / (N_AP * row), ap = i / row % N_AP;
        assert_true(block->H_hat[i] == CMPLXF((float)(100 * ap + sb * row + i % row), 8));
    }
    assert_true(block->beta[2 * N_UE] == 2 && block->error_variance[2 * N_UE + 1] == 2);
    assert_true(block->tick == 8 * 9600 && block->session == 7);
    /* the same block again later, with one AP missing: nothing of the old estimates is left */
    report(g, 0, 12, 12, 0);
    report(g, 2, 12, 12, 0);
    block = close_at(g, UINT64_C(1000000), &wait_us);
    for (int sb = 0; sb < N_SB; sb++) {
        for (int i = 0; i < N_ANT * N_UE; i++) {
            assert_true(block->H_hat[(sb * N_AP + 1) * N_ANT * N_UE + i] == 0);
        }
    }
    assert_true(block->beta[N_UE + 1] == 0);
    gather_destroy(g);
}

static void the_wait_ends_and_who_was_silent_is_left_out_until_back(void **state)
{
    (void)state;
    struct gather *g = make(false);
    uint8_t silent[N_AP];
    int64_t wait_us;
    for (int ap = 0; ap < N_AP; ap++) {
        report(g, ap, 0, 0, 0);
    }
    assert_non_null(close_at(g, 0, &wait_us));
    report(g, 0, 1, 0, 10000);
    assert_null(gather_close(g, 10000 + (LIMIT_US - 1) * UINT64_C(1000), &wait_us, silent));
    assert_int_equal(wait_us, 1);
    assert_non_null(gather_close(g, 10000 + LIMIT_US * UINT64_C(1000), &wait_us, silent));
    assert_true(!silent[0] && silent[1] && silent[2]);
    assert_int_equal(g->n_incomplete, 2);
    report(g, 0, 2, 2, 20000);
    assert_non_null(close_at(g, 20000, &wait_us)); /* nobody waits for 1 and 2 */
    report(g, 1, 3, 3, 30000);
    assert_null(close_at(g, 30000, &wait_us)); /* 1 is back: 0 is waited for */
    report(g, 0, 3, 3, 30000);
    assert_non_null(close_at(g, 30000, &wait_us));
    gather_destroy(g);
}

static void who_is_disconnected_or_excused_is_not_waited_for(void **state)
{
    (void)state;
    struct gather *g = make(false);
    struct cpu_block *block;
    int64_t wait_us;
    for (int ap = 0; ap < N_AP; ap++) {
        report(g, ap, 0, 0, 0);
    }
    close_at(g, 0, &wait_us);
    gather_set_alive(g, 2, false);
    report(g, 0, 1, 1, 0);
    assert_int_equal(gather_find(g, 1, 1, 1, 0, 7, 0, &block), GATHER_PLACED);
    assert_null(close_at(g, 0, &wait_us));
    block->excused[1] = 1;
    assert_ptr_equal(close_at(g, 0, &wait_us), block);
    assert_int_equal(g->n_incomplete, 0);
    gather_destroy(g);
}

static void late_and_early_estimates_have_no_place(void **state)
{
    (void)state;
    struct gather *g = make(false);
    int64_t wait_us;
    report(g, 0, 10, 10, 0);
    close_at(g, 0, &wait_us);
    assert_int_equal(report(g, 1, 10, 10, 0), GATHER_LATE);
    assert_int_equal(report(g, 1, 9, 10, 0), GATHER_LATE);
    assert_int_equal(report(g, 1, 11 + GATHER_WINDOW - 1, 10, 0), GATHER_PLACED);
    /* the clock is not there: whatever one AP says, the window stays */
    assert_int_equal(report(g, 2, 11 + GATHER_WINDOW, 10, 0), GATHER_EARLY);
    assert_int_equal(report(g, 2, UINT64_C(1) << 40, 10, 0), GATHER_EARLY);
    assert_true(g->n_late == 2 && g->n_early == 2 && g->next == 11 && g->n_jumped == 0);
    gather_destroy(g);
}

static void the_window_follows_the_clock(void **state)
{
    (void)state;
    struct gather *g = make(false);
    int64_t wait_us;
    report(g, 0, 10, 10, 0);
    assert_int_equal(report(g, 1, 60, 60, 0), GATHER_PLACED); /* block 10 is given up */
    assert_true(g->n_jumped == 1 && g->next == 60);
    gather_set_alive(g, 0, false);
    struct cpu_block *block = close_at(g, UINT64_C(1000000000), &wait_us);
    assert_int_equal(block->number, 60);
    gather_restart(g, 3); /* time started anew: block numbers go back */
    assert_int_equal(report(g, 1, 3, 3, 0), GATHER_PLACED);
    assert_int_equal(report(g, 1, 2, 3, 0), GATHER_LATE);
    gather_destroy(g);
}

static void block_0_can_wait_for_everybody(void **state)
{
    (void)state;
    struct gather *g = make(true);
    int64_t wait_us;
    report(g, 0, 600, 600, 0); /* this node was started again in the middle of a run */
    assert_non_null(close_at(g, 0, &wait_us));
    gather_restart(g, 0);
    gather_set_alive(g, 0, true);
    report(g, 0, 0, 0, 0);
    assert_null(close_at(g, 0, &wait_us));
    report(g, 1, 0, 0, 0);
    report(g, 2, 0, 0, 0);
    assert_non_null(close_at(g, 0, &wait_us));
    report(g, 1, 1, 1, 0);
    gather_set_alive(g, 0, false);
    gather_set_alive(g, 2, false);
    assert_non_null(close_at(g, 0, &wait_us)); /* only the first */
    gather_destroy(g);
}

/* One AP of three whose time is `ahead` blocks before the others', who report 100 us after each other. Returns how many
 * of the closed blocks from number 20 on have the others' estimates (the clock begins with the first that it hears). */
static int close_with_one_ahead(uint64_t ahead, int n_block)
{
    enum { BLOCK_NS = 5000000, STEP_NS = 100000 };
    struct gather *g = make(false);
    struct block_clock *clock;
    int64_t by, wait_us;
    int n_right = 0;
    assert_int_equal(block_clock_create(&clock, N_AP, BLOCK_NS, true), 0);
    for (uint64_t at = BLOCK_NS; at < (uint64_t)n_block * BLOCK_NS; at += STEP_NS) {
        const uint64_t number = at / BLOCK_NS, step = at % BLOCK_NS / STEP_NS;
        for (int ap = 0; ap < N_AP; ap++) {
            const uint64_t block = number + (ap == 0 ? ahead : 0);
            if (step == (uint64_t)ap && block_clock_hear(clock, ap, block, at, 0, &by) == CLOCK_ON) {
                struct cpu_block *place;
                const uint64_t from_ns = block_clock_due_ns(clock, block, at);
                if (gather_find(g, ap, block, clock->now, 0, 7, from_ns, &place) == GATHER_PLACED) {
                    place->gathered[ap] = 1;
                }
            }
        }
        const struct cpu_block *const closed = close_at(g, at, &wait_us);
        n_right += closed && closed->number >= 20 && closed->gathered[1] && closed->gathered[2];
    }
    block_clock_destroy(clock);
    gather_destroy(g);
    return n_right;
}

static void one_ap_ahead_of_time_closes_no_block_early(void **state)
{
    (void)state;
    for (uint64_t ahead = 0; ahead <= GATHER_WINDOW + 1; ahead++) {
        const int n = close_with_one_ahead(ahead, 60);
        if (n < 39 || n > 40) {
            fprintf(stderr, "%d blocks ahead: %d of 40 blocks with the others\n", (int)ahead, n);
            fail();
        }
    }
}

static void blocks_close_in_order_and_change_hands(void **state)
{
    (void)state;
    struct gather *g = make(false);
    struct cpu_block *other = NULL;
    int64_t wait_us;
    assert_int_equal(block_create(&other, &SHAPE), 0);
    report(g, 0, 21, 20, 0);
    report(g, 0, 20, 20, 0);
    struct cpu_block *given = close_at(g, 0, &wait_us);
    assert_int_equal(given->number, 20);
    gather_replace(g, given, other);
    struct cpu_block *second = close_at(g, 0, &wait_us);
    assert_int_equal(second->number, 21);
    report(g, 0, 20 + GATHER_WINDOW, 22, 0);
    assert_ptr_equal(close_at(g, 0, &wait_us), other);
    block_destroy(given);
    gather_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_closes_when_all_have_reported),
        cmocka_unit_test(estimates_lie_where_they_belong),
        cmocka_unit_test(the_wait_ends_and_who_was_silent_is_left_out_until_back),
        cmocka_unit_test(who_is_disconnected_or_excused_is_not_waited_for),
        cmocka_unit_test(late_and_early_estimates_have_no_place),
        cmocka_unit_test(the_window_follows_the_clock),
        cmocka_unit_test(block_0_can_wait_for_everybody),
        cmocka_unit_test(one_ap_ahead_of_time_closes_no_block_early),
        cmocka_unit_test(blocks_close_in_order_and_change_hands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
