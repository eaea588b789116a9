/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What those who watch are told of the slow clock's decisions: modes and zones of a block's plan, who is served now,
 * and the score of the last disruption from the lines that the slow clock writes. */
#include "cpu_node/record/live_slow.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 3, N_UE = 2, N_ZONE = 2 };

static double real(const json_t *object, const char *key)
{
    const json_t *const value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static json_t *told(const struct live_slow *slow)
{
    json_t *const root = json_object();
    live_slow_tell(slow, root);
    return root;
}

static void a_plan(void **state)
{
    (void)state;
    struct live_slow slow;
    const struct block_shape shape = {
        .n_sb = 1, .n_ap = N_AP, .n_ant = 1, .n_ue = N_UE, .n_extra = N_ZONE, .n_zone = N_ZONE};
    struct cpu_block *block;
    json_t *ap[N_AP], *user[N_UE], *root;
    assert_int_equal(live_slow_create(&slow, N_AP, N_UE, N_ZONE), 0);
    assert_int_equal(block_create(&block, &shape), 0);
    block->user_used[1] = 1;
    live_slow_block(&slow, block);
    root = told(&slow);
    assert_int_equal(json_object_size(root), 0); /* nothing was decided */
    json_decref(root);
    struct sensing_plan plan = sensing_plan_in(block->plan, &(struct sensing_shape){N_AP, N_UE, N_ZONE});
    plan.mode[0] = plan.mode[2] = 1;
    plan.mode[1] = 0;
    plan.masr[0] = 2;
    plan.masr[1] = 100;
    plan.sinr_eve[0] = 0.5;
    plan.sinr_eve[1] = 0;
    block->planned = true;
    live_slow_block(&slow, block);
    root = told(&slow);
    const json_t *const zones = json_object_get(root, "zones");
    assert_int_equal(json_array_size(zones), N_ZONE);
    assert_true(fabs(real(json_array_get(zones, 0), "masr_db") - 3.01) < 1e-6);
    assert_true(fabs(real(json_array_get(zones, 1), "masr_db") - 20) < 1e-6);
    assert_true(fabs(real(json_array_get(zones, 0), "eve_db") + 3.01) < 1e-6);
    assert_true(json_is_null(json_object_get(json_array_get(zones, 1), "eve_db")));
    for (int m = 0; m < N_AP; m++) {
        live_slow_ap(&slow, m, ap[m] = json_object());
        assert_string_equal(json_string_value(json_object_get(ap[m], "mode")), m == 1 ? "senses" : "serves");
        json_decref(ap[m]);
    }
    for (int k = 0; k < N_UE; k++) {
        live_slow_user(&slow, k, user[k] = json_object());
        assert_int_equal(json_is_true(json_object_get(user[k], "now")), k == 1);
        json_decref(user[k]);
    }
    json_decref(root);
    block_destroy(block);
    live_slow_free(&slow);
}

static void a_disruption(void **state)
{
    (void)state;
    struct live_slow slow;
    assert_int_equal(live_slow_create(&slow, N_AP, N_UE, 0), 0);
    live_slow_event(&slow, "CLUSTERS score=7");
    json_t *root = told(&slow);
    assert_null(json_object_get(root, "resilience"));
    json_decref(root);
    live_slow_event(&slow, "RESILIENCE-BEGIN kind=ap-lost ap=2 ue=-1 onset=40 onset_known=1 detected=44");
    live_slow_event(&slow, "RESILIENCE-ABSORBED kind=ap-lost gap=0.400000 r_abs=0.600000");
    live_slow_event(
        &slow, "RESILIENCE-CANDIDATE kind=ap-lost n=1 block=50 ms=20.000 gap=0.300000 r_ada=0.700000 r_rec=1.000000 "
               "score=0.900000 deployed=1");
    live_slow_event(
        &slow, "RESILIENCE-CANDIDATE kind=ap-lost n=2 block=60 ms=80.000 gap=0.290000 r_ada=0.710000 r_rec=0.500000 "
               "score=0.600000 deployed=0");
    root = told(&slow);
    const json_t *const r = json_object_get(root, "resilience");
    assert_string_equal(json_string_value(json_object_get(r, "kind")), "ap-lost");
    assert_true(real(r, "ap") == 2 && real(r, "user") == -1 && real(r, "candidates") == 2);
    assert_true(json_is_true(json_object_get(r, "busy")));
    assert_true(fabs(real(r, "absorption") - 0.6) < 1e-9 && fabs(real(r, "adaptation") - 0.7) < 1e-9);
    assert_true(fabs(real(r, "recovery") - 1) < 1e-9 && fabs(real(r, "score") - 0.9) < 1e-9);
    assert_true(fabs(real(r, "gap") - 0.3) < 1e-9 && fabs(real(r, "ms") - 20) < 1e-9);
    json_decref(root);
    live_slow_event(&slow, "RESILIENCE-END kind=ap-lost n=1 block=50 blocks=10 ms=50.000 gap=0.300000 r_abs=0.600000");
    live_slow_event(&slow, "RESILIENCE-BEGIN kind=pilot-attack ap=-1 ue=1 onset=90 onset_known=0 detected=91");
    root = told(&slow);
    const json_t *const next = json_object_get(root, "resilience");
    assert_string_equal(json_string_value(json_object_get(next, "kind")), "pilot-attack");
    assert_true(isnan(real(next, "score")) && real(next, "candidates") == 0 && real(next, "user") == 1);
    json_decref(root);
    live_slow_free(&slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_plan), cmocka_unit_test(a_disruption)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
