/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/plausible.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { N_AP = 2, N_UE = 3, N_SB = 2, N_ANT = 2, N = N_SB * N_ANT * N_UE };
#define FLOOR 1e-9

/* A report whose estimates fit its gains; `gain` scales both, `amplitude` the estimates only. */
static enum implausible judge(struct plausible *p, int ap, float gain, float amplitude, float noise, bool *changed)
{
    static const float BETA[N_UE] = {100, 1000, 10};
    tutti_cf32 H[N];
    float beta[N_UE], error[N_UE];
    bool ignored;
    for (int k = 0; k < N_UE; k++) {
        beta[k] = gain * BETA[k];
        error[k] = 0.01f * beta[k];
    }
    for (int i = 0; i < N; i++) {
        H[i] = CMPLXF(amplitude * sqrtf(beta[i % N_UE]), 0);
    }
    const struct plausible_report report = {
        .n_sb = N_SB, .n_ant = N_ANT, .H_hat = H, .beta = beta, .error_variance = error, .noise_power = noise};
    return plausible_judge(p, ap, &report, changed ? changed : &ignored);
}

static struct plausible *make(int n_good)
{
    struct plausible *p = NULL;
    assert_int_equal(plausible_create(&p, N_AP, N_UE, FLOOR), 0);
    for (int b = 0; b < n_good; b++) {
        bool changed;
        assert_int_equal(judge(p, 0, 1, 1, 2e-9f, &changed), PLAUSIBLE);
        assert_false(changed);
    }
    return p;
}

static void ordinary_life_is_plausible(void **state)
{
    (void)state;
    struct plausible *p = make(50);
    assert_int_equal(judge(p, 0, 8, 1, 2e-9f, NULL), PLAUSIBLE);      /* everybody 9 dB nearer */
    assert_int_equal(judge(p, 0, 0.001f, 1, 2e-9f, NULL), PLAUSIBLE); /* all blocked */
    assert_int_equal(judge(p, 0, 1, 3, 2e-9f, NULL), PLAUSIBLE);      /* fading up */
    assert_int_equal(judge(p, 0, 1, 1, 1e-6f, NULL), PLAUSIBLE);      /* a jammer: this AP just hears less */
    assert_int_equal(judge(p, 0, 1, 1, 2e-9f, NULL), PLAUSIBLE);      /* and its end */
    plausible_destroy(p);
}

/* A noise power 60 dB too low makes estimates 1000 times too large and takes the power from all others. */
static void a_wrong_scale_is_found_from_the_first_block(void **state)
{
    (void)state;
    struct plausible *p = make(0);
    bool changed;
    assert_int_equal(judge(p, 1, 1e6f, 1, 2e-15f, &changed), IMPLAUSIBLE_NOISE_FLOOR);
    assert_true(changed);
    assert_int_equal(judge(p, 1, 1e6f, 1, 2e-15f, &changed), IMPLAUSIBLE_NOISE_FLOOR);
    assert_false(changed);
    assert_int_equal(p->ap[1].n_left_out, 2);
    assert_false(p->ap[0].out); /* the other one is not concerned */
    plausible_destroy(p);
}

static void jumps_are_found(void **state)
{
    (void)state;
    struct plausible *p = make(50);
    p->noise_floor = 0; /* settings unknown */
    assert_int_equal(judge(p, 0, 1, 1, 1e-12f, NULL), IMPLAUSIBLE_NOISE_JUMP);
    plausible_destroy(p);
    p = make(50);
    assert_int_equal(judge(p, 0, 1e6f, 1, 2e-9f, NULL), IMPLAUSIBLE_GAIN_JUMP);
    plausible_destroy(p);
    p = make(50);
    assert_int_equal(judge(p, 0, 1, 1000, 2e-9f, NULL), IMPLAUSIBLE_POWER);
    assert_int_equal(judge(p, 0, 1, NAN, 2e-9f, NULL), IMPLAUSIBLE_POWER);
    assert_int_equal(judge(p, 0, -1, 1, 2e-9f, NULL), IMPLAUSIBLE_VALUE);
    plausible_destroy(p);
}

static void it_is_taken_back_when_plausible_for_a_while(void **state)
{
    (void)state;
    struct plausible *p = make(50);
    bool changed;
    assert_int_equal(judge(p, 0, 1, 1000, 2e-9f, &changed), IMPLAUSIBLE_POWER);
    for (int b = 1; b < PLAUSIBLE_PROBATION_BLOCKS; b++) {
        assert_int_equal(judge(p, 0, 1, 1, 2e-9f, &changed), IMPLAUSIBLE_PROBATION);
        assert_false(changed);
    }
    assert_int_equal(judge(p, 0, 1, 1, 2e-9f, &changed), PLAUSIBLE);
    assert_true(changed);
    assert_int_equal(p->ap[0].n_left_out, PLAUSIBLE_PROBATION_BLOCKS);
    plausible_destroy(p);
}

/* Gains set anew: relative judgements give way in time, absolute ones never. */
static void a_new_level_becomes_normal(void **state)
{
    (void)state;
    struct plausible *p = make(50);
    for (int b = 0; b < PLAUSIBLE_RELEARN_BLOCKS; b++) {
        assert_int_equal(judge(p, 0, 1e4f, 1, 2e-9f, NULL), IMPLAUSIBLE_GAIN_JUMP);
    }
    for (int b = 1; b < PLAUSIBLE_PROBATION_BLOCKS; b++) {
        assert_int_equal(judge(p, 0, 1e4f, 1, 2e-9f, NULL), IMPLAUSIBLE_PROBATION);
    }
    assert_int_equal(judge(p, 0, 1e4f, 1, 2e-9f, NULL), PLAUSIBLE);
    for (int b = 0; b < 2 * PLAUSIBLE_RELEARN_BLOCKS; b++) {
        assert_int_equal(judge(p, 1, 1, 1000, 2e-9f, NULL), IMPLAUSIBLE_POWER);
    }
    plausible_destroy(p);
}

/* A user whose gain was never more than noise may appear with any strength. */
static void users_who_appear_are_no_jump(void **state)
{
    (void)state;
    struct plausible *p = make(0);
    tutti_cf32 H[N] = {0};
    bool changed;
    const float weak[N_UE] = {0.01f, 0.01f, 0.02f}, strong[N_UE] = {1e5f, 1e5f, 1e5f}, small[N_UE] = {1, 1, 1};
    struct plausible_report report = {
        .n_sb = N_SB, .n_ant = N_ANT, .H_hat = H, .beta = weak, .error_variance = weak, .noise_power = 1e-9f};
    for (int b = 0; b < 100; b++) {
        assert_int_equal(plausible_judge(p, 0, &report, &changed), PLAUSIBLE);
    }
    report.beta = strong;
    report.error_variance = small;
    assert_int_equal(plausible_judge(p, 0, &report, &changed), PLAUSIBLE);
    plausible_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_life_is_plausible),
        cmocka_unit_test(a_wrong_scale_is_found_from_the_first_block),
        cmocka_unit_test(jumps_are_found),
        cmocka_unit_test(it_is_taken_back_when_plausible_for_a_while),
        cmocka_unit_test(a_new_level_becomes_normal),
        cmocka_unit_test(users_who_appear_are_no_jump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
