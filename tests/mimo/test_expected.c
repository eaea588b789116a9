/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expected SINRs against the same network computed with what is off put into its channels. */
#include "channel/random.h"
#include "mimo/expected.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 3, N_ANT = 2, N_UE = 2, N = N_AP * N_ANT };

struct place {
    tutti_cf32 H[N * N_UE], W[N * N_UE];
    float error_variance[N_AP * N_UE], beta[N_AP * N_UE];
    struct expected_causes causes;
    struct expected_work *work;
    double sinr[N_UE], term[N_UE * EXPECTED_N];
};

static double complex normal(uint64_t counter)
{
    float re, im;
    random_normal(3, counter, &re, &im);
    return CMPLX((double)re, (double)im);
}

static void open_place(struct place *p)
{
    struct config *config = NULL;
    struct frame frame;
    memset(p, 0, sizeof *p);
    assert_int_equal(config_load(&config, NULL, NULL, 0), 0);
    assert_int_equal(frame_init(&frame, config), 0);
    p->causes.times = expect_times_of(&frame);
    config_free(config);
    assert_int_equal(expected_work_create(&p->work, N_UE), 0);
    for (uint64_t i = 0; i < N * N_UE; i++) {
        p->H[i] = (tutti_cf32)(5 * normal(i));
        p->W[i] = (tutti_cf32)(0.3 * normal(100 + i));
    }
    for (int i = 0; i < N_AP * N_UE; i++) {
        p->error_variance[i] = 0.01f * (float)(1 + i);
        p->beta[i] = 25;
    }
}

static void execute(struct place *p, const tutti_cf32 *H)
{
    const struct expected_subband s = {.n_ap = N_AP,
                                       .n_ant = N_ANT,
                                       .n_ue = N_UE,
                                       .H_hat = H,
                                       .W = p->W,
                                       .error_variance = p->error_variance,
                                       .beta = p->beta};
    expected_execute(&p->causes, &s, p->work, p->sinr, NULL, p->term);
}

static double square(double complex z)
{
    return creal(z) * creal(z) + cimag(z) * cimag(z);
}

static double complex gain(const struct place *p, const tutti_cf32 *H, int k, int j)
{
    double complex sum = 0;
    for (int a = 0; a < N; a++) {
        sum += conj((double complex)H[a * N_UE + k]) * (double complex)p->W[a * N_UE + j];
    }
    return sum;
}

/* Of what estimation errors bring of stream j to user k. */
static double unknown(const struct place *p, int k, int j)
{
    double sum = 0;
    for (int a = 0; a < N; a++) {
        sum += (double)p->error_variance[a / N_ANT * N_UE + k] * square((double complex)p->W[a * N_UE + j]);
    }
    return sum;
}

static double plain_sinr(const struct place *p, const tutti_cf32 *H, int k)
{
    const int other = 1 - k;
    return (square(gain(p, H, k, k)) + unknown(p, k, k)) / (1 + square(gain(p, H, k, other)) + unknown(p, k, other));
}

static void nothing_off(void **state)
{
    (void)state;
    struct place p;
    open_place(&p);
    execute(&p, p.H);
    double known[N_UE * N_UE], error[N_UE * N_UE];
    for (int i = 0; i < N_UE * N_UE; i++) {
        known[i] = 1, error[i] = 2; /* added to */
    }
    expected_add_powers(p.work, N_UE, known, error);
    for (int i = 0; i < N_UE * N_UE; i++) {
        assert_true(fabs((known[i] - 1) / square(gain(&p, p.H, i / N_UE, i % N_UE)) - 1) < 1e-9);
        assert_true(fabs((error[i] - 2) / unknown(&p, i / N_UE, i % N_UE) - 1) < 1e-9);
    }
    for (int k = 0; k < N_UE; k++) {
        assert_true(fabs(p.sinr[k] / plain_sinr(&p, p.H, k) - 1) < 1e-9);
        for (int loss = 0; loss < EXPECTED_N; loss++) {
            assert_true(p.term[k * EXPECTED_N + loss] == 0);
        }
    }
    expected_work_destroy(p.work);
}

/* Chains and oscillators of the APs turn the downlink against what was estimated. */
static void turned_channels(void **state)
{
    (void)state;
    struct place p;
    open_place(&p);
    double complex chain[N], turn[N_AP];
    tutti_cf32 chained[N * N_UE], turned[N * N_UE], both[N * N_UE];
    for (uint64_t a = 0; a < N; a++) {
        chain[a] = (1 + 0.2 * creal(normal(300 + a))) * cexp(I * 0.5 * creal(normal(400 + a)));
        turn[a / N_ANT] = cexp(I * 0.3 * (double)(a / N_ANT));
    }
    for (int i = 0; i < N * N_UE; i++) { /* H_hat is the conjugate of the row */
        chained[i] = p.H[i] * (tutti_cf32)conj(chain[i / N_UE]);
        turned[i] = p.H[i] * (tutti_cf32)conj(turn[i / N_UE / N_ANT]);
        both[i] = chained[i] * (tutti_cf32)conj(turn[i / N_UE / N_ANT]);
    }
    p.causes.chain = chain;
    p.causes.ap_turn = turn;
    execute(&p, p.H);
    for (int k = 0; k < N_UE; k++) {
        const double ideal = 1 / plain_sinr(&p, p.H, k);
        assert_true(fabs(p.sinr[k] / plain_sinr(&p, both, k) - 1) < 1e-5);
        const double mismatch = fmax(1 / plain_sinr(&p, chained, k) - ideal, 0);
        const double clocks = fmax(1 / plain_sinr(&p, turned, k) - ideal, 0);
        assert_true(fabs(p.term[k * EXPECTED_N + EXPECTED_MISMATCH] - mismatch) < 1e-5);
        assert_true(fabs(p.term[k * EXPECTED_N + EXPECTED_AP_CLOCKS] - clocks) < 1e-5);
    }
    expected_work_destroy(p.work);
}

/* Random phases of APs add, in the mean, what the variance says. */
static void random_phases(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    struct place p;
    open_place(&p);
    const double variance = 1e-3;
    double interference = 0;
    for (uint64_t d = 0; d < DRAWS; d++) {
        tutti_cf32 H[N * N_UE];
        for (int i = 0; i < N * N_UE; i++) {
            H[i] = p.H[i] *
                   (tutti_cf32)cexp(I * sqrt(variance) * creal(normal(1000 + d * N_AP + (uint64_t)(i / N_UE / N_ANT))));
        }
        interference += (square(gain(&p, H, 0, 1)) - square(gain(&p, p.H, 0, 1))) / DRAWS;
    }
    p.causes.ap_phase_variance = variance;
    execute(&p, p.H);
    /* |sum c e^{j phi}|^2 grows by s^2 sum |c_m|^2 and shrinks by s^2 |sum c|^2, the same as all streams of the AP do
     */
    const double told = p.term[EXPECTED_AP_CLOCKS] * (square(gain(&p, p.H, 0, 0)) + unknown(&p, 0, 0));
    assert_true(fabs(interference + variance * square(gain(&p, p.H, 0, 1)) - told) < 0.1 * told);
    expected_work_destroy(p.work);
}

static void users_offsets(void **state)
{
    (void)state;
    struct place p;
    open_place(&p);
    const double cfo_hz[N_UE] = {40, 0};
    const int pilot[N_UE] = {0, 0}; /* cannot be told apart: no mixing is undone */
    p.causes.user_cfo_hz = cfo_hz;
    p.causes.pilot = pilot;
    const double kept = expect_cfo_kept(&p.causes.times, 40), leak = expect_cfo_leak(&p.causes.times, 40);
    const double signal = square(gain(&p, p.H, 0, 0)) + unknown(&p, 0, 0), others = square(gain(&p, p.H, 0, 1));
    const double error = 1 + others + unknown(&p, 0, 1);
    execute(&p, p.H);
    assert_true(fabs(p.sinr[0] - kept * signal / (error + (1 - kept) * signal + leak * (signal + others))) < 1e-6);
    assert_true(fabs(p.sinr[1] / plain_sinr(&p, p.H, 1) - 1) < 1e-9);
    p.causes.tracked = true;
    execute(&p, p.H);
    assert_true(fabs(p.sinr[0] - signal / (error + leak * (signal + others))) < 1e-6);
    expected_work_destroy(p.work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_off), cmocka_unit_test(turned_channels),
                                       cmocka_unit_test(random_phases), cmocka_unit_test(users_offsets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
