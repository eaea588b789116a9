/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose a user is: several central nodes, each with its own instance, that hear each other's words with or without
 * delay; gains as a user has them that walks from one to the other. */
#include "cpu_node/homes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_UE = 3, MAX_CPU = 3, HOLD = 50, LEAD = 8 };

static homes_t *node[MAX_CPU];
static bool down[MAX_CPU];
static int n_cpu, n_told; /* orders of all turns so far, without tables */
static double gain[MAX_CPU][N_UE];

static void begin(int n, bool helpers)
{
    n_cpu = n;
    n_told = 0;
    memset(down, 0, sizeof down);
    memset(gain, 0, sizeof gain);
    for (int c = 0; c < n; c++) {
        const struct homes_settings s = {n, N_UE, c, 3, 13, helpers, HOLD, LEAD};
        assert_int_equal(homes_create(&node[c], &s), 0);
        for (int other = 0; other < n; other++) {
            homes_alive(node[c], other, true);
        }
    }
}

static void end(void)
{
    for (int c = 0; c < n_cpu; c++) {
        homes_destroy(node[c]);
    }
}

static void tell(int from, const struct homes_order *order)
{
    for (int c = 0; c < n_cpu; c++) {
        if (c != from && !down[c]) {
            assert_true(homes_hear(node[c], from, order));
        }
    }
}

/* Everybody's block, in the order of `first`, first + 1, ...: who is later hears the orders of the same block. Gains of
 * every tenth block go round. */
static void turn(uint64_t block, int first)
{
    struct homes_order orders[N_UE];
    for (int i = 0; i < n_cpu; i++) {
        const int self = (first + i) % n_cpu;
        for (int c = 0; c < n_cpu && !down[self] && block % 10 == 0; c++) {
            homes_gains(node[c], self, block, gain[self]);
        }
        const int n = down[self] ? 0 : homes_turn(node[self], block, orders);
        for (int o = 0; o < n; o++) {
            assert_int_equal(orders[o].from == HOMES_NONE || orders[o].from != orders[o].to, 1);
            tell(self, &orders[o]);
        }
        n_told += n;
    }
}

static uint64_t turns(uint64_t from, uint64_t to)
{
    for (uint64_t b = from; b < to; b++) {
        turn(b, (int)(b % (uint64_t)n_cpu));
    }
    return to;
}

static void all_say(int user, int home)
{
    for (int c = 0; c < n_cpu; c++) {
        if (!down[c]) {
            assert_int_equal(homes_of(node[c], user), home);
        }
    }
}

static void the_strongest_becomes_home_at_one_block(void **state)
{
    (void)state;
    begin(3, true);
    gain[0][0] = gain[1][1] = gain[2][2] = 1;
    gain[1][0] = gain[0][1] = gain[2][1] = 0.9;
    uint64_t b = 1000;
    for (; homes_of(node[0], 0) == HOMES_NONE && b < 1100; b++) {
        assert_true(homes_serves(node[1], 1, 0)); /* everybody serves until then */
        turn(b, (int)(b % 3));
        for (int c = 0; c < 3; c++) { /* all know it at the same block, or nobody */
            assert_int_equal(homes_of(node[c], 0), homes_of(node[0], 0));
            assert_int_equal(homes_of(node[c], 2), homes_of(node[0], 2));
        }
    }
    assert_in_range(b, 1000 + LEAD, 1001 + 2 * LEAD);
    all_say(0, 0);
    all_say(1, 1);
    all_say(2, 2);
    assert_int_equal(n_told, N_UE); /* once each */
    turns(b, 1300);
    assert_int_equal(n_told, N_UE);
    end();
}

static void a_user_that_walks_is_handed_over_once(void **state)
{
    (void)state;
    begin(2, true);
    uint64_t first = 0;
    for (uint64_t b = 0; b < 400; b++) {
        const double to = b < 100 ? 0 : b < 200 ? (double)(b - 100) / 100 : 1; /* crosses at 150 */
        gain[0][0] = 1.2 - to;
        gain[1][0] = 0.2 + to;
        gain[0][1] = gain[1][1] = 1; /* never more than the noise of it */
        gain[b % 20 < 10][1] = 1.5;
        turn(b, (int)(b % 2));
        assert_int_equal(homes_of(node[0], 0), homes_of(node[1], 0));
        if (b > 60 && first == 0 && homes_of(node[0], 0) == 1) {
            first = b;
        }
        assert_int_equal(homes_of(node[0], 0), b < 20 ? homes_of(node[0], 0) : first ? 1 : 0);
    }
    /* (0.2 + t) / (1.2 - t) = 2 at t = 0.73, told every 10 blocks, counts 8 later, then 50 and 8 */
    assert_in_range(first, 173 + LEAD + HOLD + LEAD, 183 + LEAD + HOLD + LEAD + 1);
    assert_int_equal(n_told, 2 + 1);
    end();
}

static void who_was_stronger_for_a_moment_gets_nobody(void **state)
{
    (void)state;
    begin(2, true);
    gain[0][0] = 1;
    uint64_t b = turns(0, 100);
    for (int again = 0; again < 5; again++) {
        gain[1][0] = 3;
        b = turns(b, b + 40);
        gain[1][0] = 1.5;
        b = turns(b, b + 10);
    }
    all_say(0, 0);
    gain[1][0] = 1.9; /* less than 3 dB, for ever */
    turns(b, b + 300);
    all_say(0, 0);
    assert_int_equal(n_told, 1);
    end();
}

static void set_down(int cpu, bool is_down)
{
    down[cpu] = is_down;
    for (int c = 0; c < n_cpu; c++) {
        if (c != cpu) {
            homes_alive(node[c], cpu, !is_down);
            homes_alive(node[cpu], c, !is_down);
        }
    }
}

static void tell_tables(int a, int b)
{
    struct homes_order orders[N_UE];
    for (int i = 0; i < 2; i++) {
        const int from = i ? b : a, to = i ? a : b;
        const int n = homes_table(node[from], orders);
        for (int o = 0; o < n; o++) {
            homes_hear(node[to], from, &orders[o]);
        }
    }
}

static void a_dead_home_is_replaced_and_may_return(void **state)
{
    (void)state;
    begin(2, true);
    gain[0][0] = gain[1][1] = gain[1][2] = 1;
    gain[0][1] = 0.1; /* user 2 is heard by central node 1 alone */
    uint64_t b = turns(0, 100);
    all_say(1, 1);
    set_down(1, true);
    turn(b++, 0);
    assert_int_equal(homes_of(node[0], 1), 0); /* the survivor is alone: in that very block */
    assert_true(homes_serves(node[0], 0, 1));
    assert_int_equal(homes_of(node[0], 2), 1); /* nobody hears it */
    b = turns(b, b + 100);

    homes_destroy(node[1]); /* started again, it knows nothing */
    const struct homes_settings s = {2, N_UE, 1, 3, 13, true, HOLD, LEAD};
    assert_int_equal(homes_create(&node[1], &s), 0);
    set_down(1, false);
    tell_tables(0, 1);
    assert_int_equal(homes_of(node[1], 1), 0);
    b = turns(b, b + HOLD);
    all_say(1, 0); /* not at once */
    turns(b, b + 40);
    all_say(0, 0);
    all_say(1, 1);
    all_say(2, 1);
    end();
}

/* The lower id starts again and the other one knows; and both live, but each took the other one for dead. */
static void tables_agree_after_a_break(void **state)
{
    (void)state;
    begin(2, true);
    gain[0][0] = gain[1][1] = 1;
    gain[1][0] = gain[0][1] = 0.2;
    uint64_t b = turns(0, 100);
    homes_destroy(node[0]);
    const struct homes_settings s = {2, N_UE, 0, 3, 13, true, HOLD, LEAD};
    assert_int_equal(homes_create(&node[0], &s), 0);
    set_down(0, true);
    b = turns(b, b + 3);
    set_down(0, false);
    tell_tables(0, 1);
    all_say(0, 1); /* the survivor has it */
    b = turns(b, b + 200);
    all_say(0, 0);

    for (int c = 0; c < 2; c++) {
        homes_alive(node[c], 1 - c, false);
    }
    struct homes_order orders[N_UE];
    for (int c = 0; c < 2; c++) {
        homes_turn(node[c], b, orders);
        assert_int_equal(homes_of(node[c], 0), c);
        assert_int_equal(homes_of(node[c], 1), c);
    }
    for (int c = 0; c < 2; c++) {
        homes_alive(node[c], 1 - c, true);
    }
    tell_tables(0, 1);
    all_say(0, 0);
    all_say(1, 0);
    turns(b + 1, b + 200);
    all_say(1, 1);
    end();
}

static void who_is_near_helps(void **state)
{
    (void)state;
    for (int helpers = 0; helpers < 2; helpers++) {
        begin(2, helpers == 1);
        gain[0][0] = gain[0][1] = gain[0][2] = 1;
        gain[1][0] = 0.06; /* -12.2 dB */
        gain[1][1] = 0.04; /* -14 dB */
        turns(0, 40);
        for (int c = 0; c < 2; c++) {
            uint8_t all[2 * N_UE];
            homes_serves_all(node[c], all);
            for (int i = 0; i < 2 * N_UE; i++) {
                assert_int_equal(all[i], homes_serves(node[c], i / N_UE, i % N_UE));
            }
            assert_int_equal(homes_serves(node[c], 1, 0), helpers);
            assert_false(homes_serves(node[c], 1, 1));
            assert_false(homes_serves(node[c], 1, 2));
            assert_true(homes_serves(node[c], 0, 2));
        }
        end();
    }
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    begin(2, true);
    const struct homes_order bad[] = {{-1, 0, 1, 5}, {N_UE, 0, 1, 5}, {0, 0, 2, 5},
                                      {0, 0, -1, 5}, {0, 2, 1, 5},    {0, -2, 1, 5}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(homes_hear(node[0], 1, &bad[i]));
    }
    struct homes_order orders[N_UE];
    assert_int_equal(homes_turn(node[0], 100, orders), 0);
    assert_int_equal(homes_of(node[0], 0), HOMES_NONE);
    homes_t *other;
    const struct homes_settings s = {2, N_UE, 2, 3, 13, true, HOLD, LEAD};
    assert_int_not_equal(homes_create(&other, &s), 0);
    homes_destroy(other);
    homes_destroy(NULL);
    end();
}

/* Gains of a block count at the same later block, however early or late they come within that time. */
static void speed_of_messages_decides_nothing(void **state)
{
    (void)state;
    uint64_t at[2] = {0};
    for (int slow = 0; slow < 2; slow++) {
        const struct homes_settings s = {2, N_UE, 0, 3, 13, true, HOLD, LEAD};
        homes_t *one;
        struct homes_order orders[N_UE];
        assert_int_equal(homes_create(&one, &s), 0);
        homes_alive(one, 1, true);
        for (uint64_t b = 0; b < 300 && at[slow] == 0; b++) {
            const uint64_t told = slow ? b - 6 : b + 6; /* the other one's block that is heard of now */
            const double mine[N_UE] = {1}, its[N_UE] = {told < 100 ? 0.1 : 10};
            homes_gains(one, 0, b, mine);
            if (!slow || b >= 6) {
                homes_gains(one, 1, told, its);
            }
            const int n = homes_turn(one, b, orders);
            at[slow] = n > 0 && orders[0].to == 1 ? orders[0].at_block : 0;
        }
        homes_destroy(one);
    }
    assert_int_equal(at[0], at[1]);
    assert_int_equal(at[0], 100 + LEAD + HOLD + LEAD);
}

/* Central node 0 of two by itself, from block 1000 on: what the other one says is put in its mouth. */
static homes_t *first_of_two(void)
{
    const struct homes_settings s = {2, N_UE, 0, 3, 13, true, HOLD, LEAD};
    homes_t *one;
    assert_int_equal(homes_create(&one, &s), 0);
    homes_alive(one, 1, true);
    return one;
}

/* Blocks up to `to`, every fourth with gains: users 0 and 2 here, user 1 there. */
static uint64_t blocks(homes_t *one, uint64_t from, uint64_t to)
{
    static const double HERE[N_UE] = {1, 0.5, 1}, THERE[N_UE] = {0.4, 1, 0};
    struct homes_order orders[N_UE];
    for (uint64_t b = from; b < to; b++) {
        if (b % 4 == 0) {
            homes_gains(one, 0, b, HERE);
            homes_gains(one, 1, b, THERE);
        }
        homes_turn(one, b, orders);
    }
    return to;
}

static const uint64_t FAR[] = {2000, (uint64_t)1 << 40, INT64_MAX, UINT64_MAX};
enum { N_FAR = sizeof FAR / sizeof *FAR };

/* An order for a block that is not near leaves nobody without a home, be it one without or one whose home dies. */
static void nobody_waits_for_a_block_far_away(void **state)
{
    (void)state;
    for (int i = 0; i < N_FAR; i++) {
        homes_t *const one = first_of_two();
        uint64_t b = blocks(one, 1000, 1002);
        assert_true(homes_hear(one, 1, &(struct homes_order){0, HOMES_NONE, 1, FAR[i]}));
        b = blocks(one, b, 1001 + 2 * LEAD);
        assert_int_equal(homes_of(one, 0), 0);
        assert_int_equal(homes_of(one, 1), 1);
        assert_true(homes_hear(one, 1, &(struct homes_order){1, 1, 0, FAR[i]}));
        homes_alive(one, 1, false);
        b = blocks(one, b, b + 1);
        assert_int_equal(homes_of(one, 1), 0); /* who is alone takes it at once */
        blocks(one, b, 1990);
        assert_int_equal(homes_of(one, 0), 0);
        assert_int_equal(homes_counters(one).far_orders, 2);
        assert_int_equal(homes_counters(one).late_orders, 0);
        homes_destroy(one);
    }
}

/* This node is behind: the order is of a block that comes, and holds then. */
static void an_order_holds_when_its_block_comes(void **state)
{
    (void)state;
    homes_t *const one = first_of_two();
    const uint64_t b = blocks(one, 1000, 1050);
    assert_true(homes_hear(one, 1, &(struct homes_order){0, 0, 1, b + 400}));
    blocks(one, b + 390, b + 400);
    assert_int_equal(homes_of(one, 0), 0);
    blocks(one, b + 400, b + 401);
    assert_int_equal(homes_of(one, 0), 1);
    homes_destroy(one);
}

static void an_order_of_a_block_that_has_been_holds_at_once(void **state)
{
    (void)state;
    static const uint64_t past[] = {1, 900, 1049};
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        homes_t *const one = first_of_two();
        const uint64_t b = blocks(one, 1000, 1050);
        assert_true(homes_hear(one, 1, &(struct homes_order){0, 0, 1, past[i]}));
        blocks(one, b, b + 1);
        assert_int_equal(homes_of(one, 0), 1);
        assert_int_equal(homes_counters(one).late_orders, 1);
        assert_int_equal(homes_counters(one).far_orders, 0);
        homes_destroy(one);
    }
}

/* Gains of blocks that are not near do not keep those from counting that are. */
static void gains_of_other_times_are_left_out(void **state)
{
    (void)state;
    static const double LOUD[N_UE] = {1e9, 1e9, 1e9};
    for (int i = 0; i < N_FAR; i++) {
        homes_t *const one = first_of_two();
        homes_gains(one, 1, FAR[i], LOUD); /* before anything that counts */
        uint64_t b = blocks(one, 1000, 1001 + 2 * LEAD);
        assert_int_equal(homes_of(one, 0), 0);
        assert_int_equal(homes_of(one, 1), 1);
        assert_int_equal(homes_counters(one).far_gains, 1);
        homes_gains(one, 1, 3, LOUD);
        b = blocks(one, b, b + 1);
        assert_int_equal(homes_counters(one).old_gains, 1);
        assert_false(homes_serves(one, 1, 2)); /* it does not hear it */
        blocks(one, b, b + 2 * HOLD);
        assert_int_equal(homes_of(one, 0), 0);
        homes_destroy(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_strongest_becomes_home_at_one_block),
        cmocka_unit_test(a_user_that_walks_is_handed_over_once),
        cmocka_unit_test(who_was_stronger_for_a_moment_gets_nobody),
        cmocka_unit_test(a_dead_home_is_replaced_and_may_return),
        cmocka_unit_test(tables_agree_after_a_break),
        cmocka_unit_test(who_is_near_helps),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(speed_of_messages_decides_nothing),
        cmocka_unit_test(nobody_waits_for_a_block_far_away),
        cmocka_unit_test(an_order_holds_when_its_block_comes),
        cmocka_unit_test(an_order_of_a_block_that_has_been_holds_at_once),
        cmocka_unit_test(gains_of_other_times_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
