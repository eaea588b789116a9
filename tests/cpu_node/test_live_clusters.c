/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What those who watch are told of clusters: the newest ones, none where there are none. */
#include "cpu_node/record/live_clusters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { L = 3, K = 4 };

static void told(const struct live_clusters *c, const char *aps, const char *users)
{
    json_t *const ap = json_array(), *const user = json_array();
    for (int m = 0; m < L; m++) {
        json_array_append_new(ap, json_object());
        live_clusters_ap(c, m, json_array_get(ap, (size_t)m));
    }
    for (int k = 0; k < K; k++) {
        json_array_append_new(user, json_object());
        live_clusters_user(c, k, json_array_get(user, (size_t)k));
    }
    json_t *const right_ap = json_loads(aps, 0, NULL), *const right_user = json_loads(users, 0, NULL);
    assert_true(right_ap && json_equal(ap, right_ap));
    assert_true(right_user && json_equal(user, right_user));
    json_decref(ap);
    json_decref(user);
    json_decref(right_ap);
    json_decref(right_user);
}

static void newest_clusters(void **state)
{
    (void)state;
    const struct block_shape shape = {.n_sb = 1, .n_ap = L, .n_ant = 1, .n_ue = K, .n_pilot = 2};
    const uint8_t first[L * K] = {1, 0, 1, 0, 1, 1, 0, 0, 0, 1, 1, 0};
    const float beta[L * K] = {3, 1, 9, 1, 5, 8, 9, 1, 9, 7, 2, 1};
    const int32_t pilot[K] = {0, 1, 1, 0};
    struct live_clusters c;
    struct cpu_block *block;
    assert_int_equal(live_clusters_create(&c, L, K), 0);
    assert_int_equal(block_create(&block, &shape), 0);
    told(&c, "[{},{},{}]", "[{},{},{},{}]");
    memcpy(block->serves, first, sizeof first);
    memcpy(block->beta, beta, sizeof beta);
    memcpy(block->pilot, pilot, sizeof pilot);
    live_clusters_block(&c, block);
    told(&c, "[{\"serves\":[0,2]},{\"serves\":[0,1]},{\"serves\":[1,2]}]",
         "[{\"pilot\":0,\"master\":1,\"cluster\":2},{\"pilot\":1,\"master\":1,\"cluster\":2},"
         "{\"pilot\":1,\"master\":0,\"cluster\":2},{\"pilot\":0,\"master\":null,\"cluster\":0}]");
    block->serves[K] = 0; /* AP 1 leaves user 0, which moves to the other pilot */
    block->pilot[0] = 1;
    live_clusters_block(&c, block);
    told(&c, "[{\"serves\":[0,2]},{\"serves\":[1]},{\"serves\":[1,2]}]",
         "[{\"pilot\":1,\"master\":0,\"cluster\":1},{\"pilot\":1,\"master\":1,\"cluster\":2},"
         "{\"pilot\":1,\"master\":0,\"cluster\":2},{\"pilot\":0,\"master\":null,\"cluster\":0}]");
    block_destroy(block);
    live_clusters_free(&c);
}

static void nothing_without_clusters(void **state)
{
    (void)state;
    const struct block_shape shape = {.n_sb = 1, .n_ap = L, .n_ant = 1, .n_ue = K};
    struct live_clusters c;
    struct cpu_block *block;
    assert_int_equal(live_clusters_create(&c, L, K), 0);
    assert_int_equal(block_create(&block, &shape), 0);
    live_clusters_block(&c, block);
    told(&c, "[{},{},{}]", "[{},{},{},{}]");
    block_destroy(block);
    live_clusters_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(newest_clusters), cmocka_unit_test(nothing_without_clusters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
