/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clusters of a running network: assigned when everybody was heard alone, kept while gains only flutter, without an
 * access point that is gone, and back with it. */
#include "channel/random.h"
#include "cpu_node/clusters_live.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { L = 10, K = 9, TAU = 3, EVERY = 25, FIRST = CLUSTERS_LEARN * 3 };

static float beta[L * K];
static uint8_t present[L], serves[L * K];
static int pilot[K], n_tables;
static struct clusters_table table;

static void draw(double flutter_db, uint64_t seed)
{
    for (int i = 0; i < L * K; i++) {
        const double db = 40 * random_uniform(3, (uint64_t)i) - 20;
        beta[i] = (float)pow(10, 0.1 * (db + flutter_db * (2 * random_uniform(seed, (uint64_t)i) - 1)));
    }
    memset(present, 1, sizeof present);
}

/* n blocks; the table after them, and how many came. */
static int go(clusters_live_t *live, int n)
{
    int n_new = 0;
    for (int i = 0; i < n; i++) {
        if (clusters_live_block(live, beta, present, &table)) {
            memcpy(serves, table.serves, sizeof serves);
            memcpy(pilot, table.pilot, sizeof pilot);
            n_new++;
        }
    }
    n_tables += n_new;
    return n_new;
}

/* Assigned, and looked at until everybody is content with its pilot: the first ones were assigned one by one. */
static void settle(clusters_live_t *live)
{
    int n = 0;
    go(live, FIRST);
    while (go(live, EVERY) > 0) {
        assert_true(++n < 10);
    }
}

static clusters_live_t *make(double hysteresis)
{
    const struct clusters_live_settings settings = {
        .n_ap = L, .n_ue = K, .n_pilot = TAU, .max_aps = 4, .every_blocks = EVERY, .hysteresis = hysteresis};
    clusters_live_t *live;
    assert_int_equal(clusters_live_create(&live, &settings), 0);
    draw(0, 1);
    return live;
}

static void the_first_ones_come_when_everybody_was_alone(void **state)
{
    (void)state;
    clusters_live_t *const live = make(2);
    assert_int_equal(go(live, FIRST - 1), 0);
    assert_int_equal(go(live, 1), 1);
    for (int k = 0; k < K; k++) {
        int n = 0, best = 0;
        for (int l = 0; l < L; l++) {
            n += serves[l * K + k];
            best = beta[l * K + k] > beta[best * K + k] ? l : best;
        }
        assert_in_range(n, 1, 4);
        assert_true(serves[best * K + k]);
        assert_in_range(pilot[k], 0, TAU - 1);
    }
    int n_link = 0;
    for (int i = 0; i < L * K; i++) {
        n_link += serves[i];
    }
    assert_int_equal(table.n_link, n_link);
    assert_int_equal(table.n_changed, n_link);
    clusters_live_destroy(live);
}

/* Links that come and go, and pilots that move, in 20 looks at gains that flutter. */
static int changes(double hysteresis)
{
    clusters_live_t *const live = make(hysteresis);
    uint8_t old[L * K];
    int old_pilot[K], n_changed = 0;
    settle(live);
    for (uint64_t seed = 10; seed < 30; seed++) {
        memcpy(old, serves, sizeof old);
        memcpy(old_pilot, pilot, sizeof pilot);
        draw(0.7, seed);
        go(live, EVERY);
        for (int i = 0; i < L * K; i++) {
            n_changed += old[i] != serves[i];
        }
        for (int k = 0; k < K; k++) {
            n_changed += old_pilot[k] != pilot[k];
        }
    }
    clusters_live_destroy(live);
    return n_changed;
}

static void flutter_changes_little(void **state)
{
    (void)state;
    const int with = changes(2), without = changes(1);
    print_message("%d changes with hysteresis, %d without\n", with, without);
    assert_true(2 * with < without);
}

static void who_is_gone_serves_nobody(void **state)
{
    (void)state;
    clusters_live_t *const live = make(2);
    uint8_t old[L * K];
    settle(live);
    memcpy(old, serves, sizeof old);
    present[4] = 0; /* one block alone is no absence */
    go(live, 1);
    present[4] = 1;
    assert_int_equal(go(live, EVERY - 1), 0);
    present[4] = 0;
    assert_int_equal(go(live, EVERY), 1);
    for (int k = 0; k < K; k++) {
        assert_false(serves[4 * K + k]);
        for (int l = 0; l < L; l++) { /* who was not served by it is served as before, as far as pilots stayed */
            if (!old[4 * K + k] && table.n_moved == 0 && l != 4) {
                assert_int_equal(serves[l * K + k], old[l * K + k]);
            }
        }
    }
    present[4] = 1;
    assert_int_equal(go(live, EVERY), 1);
    int n = 0;
    for (int k = 0; k < K; k++) {
        n += serves[4 * K + k];
    }
    assert_true(n > 0);
    clusters_live_destroy(live);
    clusters_live_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_ones_come_when_everybody_was_alone),
        cmocka_unit_test(flutter_changes_little),
        cmocka_unit_test(who_is_gone_serves_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
