/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every AP-block in a solve ends with exactly one account: the first that comes, or the word that it is lost; against a
 * plain table of the same under random lives. */
#include "cpu_node/record/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 3, N_BLOCK = 3 * LEDGER_BLOCKS };
enum { NONE, OWED, LOST, TOLD };

static uint8_t table[N_BLOCK][N_AP];

static void lost(void *context, int ap, uint64_t block)
{
    (void)context;
    assert_int_equal(table[block][ap], OWED);
    table[block][ap] = LOST;
}

static struct ledger *begin(uint64_t block)
{
    struct ledger *ledger = NULL;
    memset(table, 0, sizeof table);
    assert_int_equal(ledger_create(&ledger, N_AP), 0);
    ledger_begin(ledger, block);
    return ledger;
}

static void owe(struct ledger *ledger, uint64_t block, int mask)
{
    uint8_t used[N_AP];
    for (int ap = 0; ap < N_AP; ap++) {
        used[ap] = mask >> ap & 1;
        if (used[ap] && table[block][ap] == NONE) {
            table[block][ap] = OWED;
        }
    }
    ledger_owe(ledger, block, used, lost, NULL);
}

static void the_first_account_stands(void **state)
{
    (void)state;
    struct ledger *ledger = begin(5);
    owe(ledger, 5, 7);
    assert_true(ledger_take(ledger, 1, 5, lost, NULL));
    assert_false(ledger_take(ledger, 1, 5, lost, NULL));
    assert_true(ledger_take(ledger, 0, 7, lost, NULL));  /* of a block that nobody solved */
    assert_false(ledger_take(ledger, 0, 4, lost, NULL)); /* before time began */
    assert_int_equal(ledger->n_lost, 0);
    ledger_destroy(ledger);
}

static void what_a_dead_ap_owes_is_lost_until_it_comes_after_all(void **state)
{
    (void)state;
    struct ledger *ledger = begin(0);
    for (uint64_t b = 0; b < 10; b++) {
        owe(ledger, b, b == 8 ? 6 : 7);
    }
    for (uint64_t b = 0; b < 7; b++) {
        assert_true(ledger_take(ledger, 0, b, lost, NULL));
        table[b][0] = TOLD;
    }
    ledger_lose(ledger, 0, lost, NULL);
    assert_int_equal(ledger->n_lost, 2); /* 7 and 9: it was not in the solve of 8 */
    assert_true(table[7][0] == LOST && table[8][0] == NONE && table[9][0] == LOST && table[9][1] == OWED);
    ledger_lose(ledger, 0, lost, NULL);
    assert_int_equal(ledger->n_lost, 2);
    assert_true(ledger_take(ledger, 0, 9, lost, NULL)); /* it had only been stopped */
    assert_false(ledger_take(ledger, 0, 9, lost, NULL));
    assert_int_equal(ledger->n_lost, 1);
    ledger_destroy(ledger);
}

/* The ledger looks back LEDGER_BLOCKS blocks: nothing leaves them owed. */
static void nothing_is_owed_for_ever(void **state)
{
    (void)state;
    struct ledger *ledger = begin(0);
    uint64_t n_lost = 0;
    srand(1);
    for (uint64_t b = 0; b < N_BLOCK; b += rand() % 50 ? 1 : 1 + (uint64_t)(rand() % 300)) {
        owe(ledger, b, rand());
        const uint64_t back = (uint64_t)(rand() % (rand() % 16 ? 20 : 2 * LEDGER_BLOCKS)), at = b > back ? b - back : 0;
        const int ap = rand() % N_AP;
        const bool old = at + LEDGER_BLOCKS <= b;
        assert_int_equal(ledger_take(ledger, ap, at, lost, NULL), !old && table[at][ap] != TOLD);
        table[at][ap] = old ? table[at][ap] : TOLD;
        if (rand() % 100 == 0) {
            ledger_lose(ledger, ap, lost, NULL);
        }
        for (int m = 0; b >= LEDGER_BLOCKS && m < N_AP; m++) {
            assert_int_not_equal(table[b - LEDGER_BLOCKS][m], OWED);
        }
    }
    for (int ap = 0; ap < N_AP; ap++) {
        ledger_lose(ledger, ap, lost, NULL);
    }
    for (size_t b = 0; b < N_BLOCK; b++) {
        for (int ap = 0; ap < N_AP; ap++) {
            assert_int_not_equal(table[b][ap], OWED);
            n_lost += table[b][ap] == LOST;
        }
    }
    assert_int_equal(ledger->n_lost, n_lost);
    ledger_destroy(ledger);
}

static void a_new_time_owes_nothing(void **state)
{
    (void)state;
    struct ledger *ledger = begin(100);
    owe(ledger, 100, 7);
    ledger_begin(ledger, 3);
    ledger_lose(ledger, 0, lost, NULL);
    assert_int_equal(ledger->n_lost, 0);
    assert_true(ledger_take(ledger, 0, 3, lost, NULL));
    ledger_destroy(ledger);
    ledger_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_account_stands),
        cmocka_unit_test(what_a_dead_ap_owes_is_lost_until_it_comes_after_all),
        cmocka_unit_test(nothing_is_owed_for_ever),
        cmocka_unit_test(a_new_time_owes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
