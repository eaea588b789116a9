/* SPDX-License-Identifier: GPL-3.0-or-later */
/* p_mmse, p_rzf and lp_mmse: against the formulas with dense inverses [Demir 2021, (5.16), (5.39), (7.43)], against rzf
 * where the whole network is one cluster, and what masks, budgets and missing users make of them. */
#include "base/error.h"
#include "linalg/kernel.h"
#include "mimo/scheme.h"
#include "plain_solve.h"
#include "reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { L = 7, N = 3, K = 9, M = L * N };

static struct channel_case c;
static uint8_t serves[L * K];
static precoder_t *precoder;

static void set_up(uint64_t seed, double density)
{
    struct random random = {seed};
    case_create(&c, &random, L, N, K, 12, 40, 0.2);
    for (int i = 0; i < L; i++) {
        c.P[i] = (float)(0.5 + random_uniform(&random));
    }
    for (int i = 0; i < L * K; i++) {
        serves[i] = random_uniform(&random) < density;
    }
    for (int k = 0; k < K; k++) {
        serves[k % L * K + k] = 1;
    }
    c.channel.beta = c.beta;
    c.channel.serves = serves;
    assert_int_equal(precoder_create(&precoder, &c.shape), 0);
}

static void tear_down(void)
{
    precoder_destroy(precoder);
    case_destroy(&c);
}

static int run(enum mimo_scheme scheme, enum mimo_power power)
{
    return precoder_execute(precoder, scheme, power, &c.channel, &c.solution);
}

static bool shares_an_ap(int k, int i)
{
    bool shares = false;
    for (int l = 0; l < L; l++) {
        shares = shares || (serves[l * K + k] && serves[l * K + i]);
    }
    return shares;
}

static int users_of(int l)
{
    int n = 0;
    for (int k = 0; k < K; k++) {
        n += serves[l * K + k];
    }
    return n;
}

static double dual_power(int k)
{
    double power = 0;
    for (int l = 0; l < L; l++) {
        power += serves[l * K + k] ? (double)c.P[l] / users_of(l) : 0;
    }
    return power;
}

/* D_k (sum over users of p_i D_k (g_i g_i^H + E_i) D_k + 1)^-1 D_k g_k over all antennas. `of` says which users count,
 * on which APs, `p` [K] are their powers. */
static void plain_vector(const bool *of, const bool *on, const double *p, bool errors, int k, double complex *v)
{
    static double complex A[M * M];
    memset(A, 0, sizeof A);
    for (int r = 0; r < M; r++) {
        A[r * M + r] = 1;
        v[r] = on[r / N] ? (double complex)c.H[r * K + k] : 0;
        for (int i = 0; i < K; i++) {
            A[r * M + r] += of[i] && errors && on[r / N] ? p[i] * (double)c.E[r / N * K + i] : 0;
            for (int s = 0; s < M && of[i]; s++) {
                A[r * M + s] += on[r / N] && on[s / N]
                                    ? p[i] * (double complex)c.H[r * K + i] * conj((double complex)c.H[s * K + i])
                                    : 0;
            }
        }
    }
    plain_solve(M, A, v);
}

static double complex W_at(int r, int k)
{
    return (double complex)c.solution.W[r * K + k];
}

/* Whether W_k on the antennas from..to is v at the power rho. */
static void check_beam(int from, int to, int k, const double complex *v, double rho, const char *what)
{
    double norm2 = 0, apart = 0;
    double complex along = 0;
    for (int r = from; r < to; r++) {
        norm2 += pow(cabs(v[r]), 2);
        along += conj(v[r]) * W_at(r, k);
    }
    for (int r = from; r < to; r++) {
        apart += pow(cabs(W_at(r, k) - sqrt(rho / norm2) * v[r]), 2);
    }
    if (!(apart <= 1e-10 * rho) || !(creal(along) > 0)) {
        fail_msg("%s, user %d, antennas %d to %d: %g of %g apart", what, k, from, to, apart, rho);
    }
}

/* (7.43) with the beams' own shares, word by word. */
static double plain_fractional(double complex (*V)[M], int k)
{
    double load[L] = {0}, most_k = 0, gain_k = 0, busiest = 0;
    for (int i = 0; i < K; i++) {
        double norm2 = 0, most = 0, gain = 0;
        for (int r = 0; r < M; r++) {
            norm2 += pow(cabs(V[i][r]), 2);
        }
        for (int l = 0; l < L; l++) {
            double part = 0;
            for (int a = 0; a < N; a++) {
                part += pow(cabs(V[i][l * N + a]), 2);
            }
            most = fmax(most, part / norm2);
            gain += serves[l * K + i] ? (double)c.beta[l * K + i] : 0;
        }
        for (int l = 0; l < L; l++) {
            load[l] += serves[l * K + i] ? sqrt(most / gain) / (double)c.P[l] : 0;
        }
        most_k = i == k ? most : most_k;
        gain_k = i == k ? gain : gain_k;
    }
    for (int l = 0; l < L; l++) {
        busiest = serves[l * K + k] ? fmax(busiest, load[l]) : busiest;
    }
    return 1 / sqrt(gain_k * most_k) / busiest;
}

static void check_sinr_and_budgets(const char *what)
{
    for (int k = 0; k < K; k++) {
        const double want = plain_sinr(&c, c.solution.W, k);
        if (!(fabs((double)c.solution.sinr[k] / want - 1) < 1e-5)) {
            fail_msg("%s, user %d: SINR %g, is %g", what, k, (double)c.solution.sinr[k], want);
        }
    }
    assert_true(plain_excess(&c, c.solution.W) <= 1e-6);
    for (int i = 0; i < M * K; i++) {
        assert_true(serves[i / K / N * K + i % K] || c.solution.W[i] == 0);
    }
}

static void central_beams_are_the_books(void **state)
{
    (void)state;
    static double complex V[K][M];
    for (uint64_t seed = 1; seed < 9; seed++) {
        set_up(seed, 0.15 * (double)(seed % 4 + 1));
        for (int rule = 0; rule < 2; rule++) {
            assert_int_equal(run(rule ? MIMO_P_RZF : MIMO_P_MMSE, MIMO_POWER_EQUAL), 0);
            for (int k = 0; k < K; k++) {
                bool of[K], on[L];
                double p[K];
                for (int i = 0; i < K; i++) {
                    of[i] = shares_an_ap(k, i);
                    p[i] = dual_power(i);
                }
                for (int l = 0; l < L; l++) {
                    on[l] = serves[l * K + k];
                }
                plain_vector(of, on, p, rule == 0, k, V[k]);
            }
            for (int k = 0; k < K; k++) {
                check_beam(0, M, k, V[k], plain_fractional(V, k), rule ? "p_rzf" : "p_mmse");
            }
            check_sinr_and_budgets(rule ? "p_rzf" : "p_mmse");
        }
        tear_down();
    }
}

static void local_beams_are_the_books(void **state)
{
    (void)state;
    double complex v[M];
    for (uint64_t seed = 20; seed < 28; seed++) {
        set_up(seed, 0.4);
        assert_int_equal(run(MIMO_LP_MMSE, MIMO_POWER_EQUAL), 0);
        for (int i = 0; i < L * K; i++) {
            const int l = i / K, k = i % K;
            bool of[K], on[L] = {false};
            double p[K], roots = 0;
            on[l] = true;
            for (int j = 0; j < K && serves[i]; j++) {
                of[j] = serves[l * K + j];
                p[j] = (double)c.P[l] / users_of(l);
                roots += of[j] ? sqrt((double)c.beta[l * K + j]) : 0;
            }
            if (serves[i]) {
                plain_vector(of, on, p, true, k, v);
                check_beam(l * N, l * N + N, k, v, (double)c.P[l] * sqrt((double)c.beta[i]) / roots, "lp_mmse");
            }
        }
        check_sinr_and_budgets("lp_mmse");
        for (int l = 0; l < L; l++) {
            assert_true(users_of(l) == 0 || plain_power(&c, c.solution.W, l) > 0.9999 * (double)c.P[l]);
        }
        tear_down();
    }
}

/* W as it is now. */
static void keep(tutti_cf32 *W)
{
    memcpy(W, c.solution.W, (size_t)(M * K) * sizeof *W);
}

/* Energy of the difference to what is there now, of all. */
static double apart_from(const tutti_cf32 *W)
{
    double apart = 0, all = 0;
    for (int i = 0; i < M * K; i++) {
        apart += pow(cabs((double complex)W[i] - (double complex)c.solution.W[i]), 2);
        all += pow(cabs((double complex)W[i]), 2);
    }
    return apart / all;
}

static void expect_near(const tutti_cf32 *W, double most)
{
    if (!(apart_from(W) <= most)) {
        fail_msg("%g apart", apart_from(W));
    }
}

static void expect_kept(const tutti_cf32 *W, const char *what)
{
    if (!(apart_from(W) <= 1e-10)) {
        fail_msg("%s: %g apart", what, sqrt(apart_from(W)));
    }
}

/* Everybody served by all: P-MMSE is rzf, P-RZF is rzf of estimates without errors, whatever the power rule. */
static void one_cluster_is_rzf(void **state)
{
    (void)state;
    static const enum mimo_power powers[] = {MIMO_POWER_EQUAL_SENT, MIMO_POWER_EQUAL_RECEIVED, MIMO_POWER_MAXMIN};
    tutti_cf32 W[M * K];
    for (int i = 0; i < 3 * 2 * 2; i++) {
        const enum mimo_power power = powers[i % 3];
        set_up(30 + (uint64_t)i, 0);
        memset(serves, 1, sizeof serves);
        c.channel.serves = i / 6 ? serves : NULL;
        assert_int_equal(run(MIMO_P_MMSE, power), 0);
        keep(W);
        assert_int_equal(run(MIMO_RZF, power), 0);
        expect_kept(W, "p_mmse and rzf");
        assert_int_equal(run(MIMO_P_RZF, MIMO_POWER_EQUAL_SENT), 0);
        keep(W);
        memset(c.E, 0, L * K * sizeof *c.E);
        assert_int_equal(run(MIMO_RZF, MIMO_POWER_EQUAL_SENT), 0);
        expect_kept(W, "p_rzf and rzf without errors");
        tear_down();
    }
}

/* A user whom nobody serves is left out, with a reason, and the others are served as if it were not there; the next
 * block has it back; a dead AP is like one that serves nobody. */
static void who_is_not_served_is_left_out(void **state)
{
    (void)state;
    static const enum mimo_scheme schemes[] = {MIMO_P_MMSE, MIMO_P_RZF, MIMO_LP_MMSE, MIMO_CB};
    tutti_cf32 W[M * K], whole[M * K];
    uint8_t kept[L * K];
    for (int s = 0; s < 4; s++) {
        set_up(50 + (uint64_t)s, 0.5);
        memcpy(kept, serves, sizeof kept);
        assert_int_equal(run(schemes[s], MIMO_POWER_EQUAL), 0);
        keep(whole);
        for (int l = 0; l < L; l++) {
            serves[l * K + 4] = 0;
        }
        assert_int_equal(run(schemes[s], MIMO_POWER_EQUAL), s < 3 ? TUTTI_ENUMERIC : 0);
        assert_true(s == 3 || c.solution.reason == MIMO_REASON_ZERO_CHANNEL);
        assert_true(c.solution.sinr[4] == 0 && c.solution.sinr[3] > 0);
        keep(W);
        c.ue_active[4] = 0;
        run(schemes[s], MIMO_POWER_EQUAL);
        expect_kept(W, "without the user");
        c.ue_active[4] = 1;
        memcpy(serves, kept, sizeof kept);
        run(schemes[s], MIMO_POWER_EQUAL);
        expect_kept(whole, "with the user again");
        memset(serves + 2 * K, 0, K);
        run(schemes[s], MIMO_POWER_EQUAL);
        keep(W);
        memcpy(serves, kept, sizeof kept);
        c.ap_active[2] = 0;
        run(schemes[s], MIMO_POWER_EQUAL);
        expect_kept(W, "without the AP");
        tear_down();
    }
}

/* In lanes: nearly all subbands of a cell-free drop with shared pilots are done there, each variant the same as in
 * double precision and within the budgets; what is special is left. */
static void lanes_are_the_same(void **state)
{
    (void)state;
    static tutti_cf32 H[KERNEL_LANES_MAX][M * K], W[KERNEL_LANES_MAX][M * K];
    struct mimo_channel channels[KERNEL_LANES_MAX];
    struct mimo_solution solutions[KERNEL_LANES_MAX];
    float sinr[KERNEL_LANES_MAX][K];
    int n_left = 0, n_all = 0, n_variants = 0;
    while (kernel_variant(n_variants)) {
        n_variants++;
    }
    for (int i = 0; i < 24; i++) {
        struct random random = {90 + (uint64_t)i};
        kernel_select(kernel_variant(i / 2 % n_variants));
        set_up(90 + (uint64_t)i, 0.4);
        const int n = cluster_lanes_most(precoder->cluster_lanes) - i % 2;
        for (int l = 0; l < L * K && i % 5 == 4; l++) { /* one AP a user: then all of its budget is used */
            serves[l] = l / K == l % K % L;
        }
        for (int l = 0; l < L * K && i % 3 == 1; l++) { /* links that only interfere */
            if (!serves[l] && random_uniform(&random) < 0.7) {
                c.E[l] = c.beta[l];
            }
        }
        for (int b = 0; b < n; b++) {
            for (int r = 0; r < M * K; r++) {
                H[b][r] = c.E[r / K / N * K + r % K] >= c.beta[r / K / N * K + r % K]
                              ? 0
                              : (tutti_cf32)(sqrt(0.8 * (double)c.beta[r / K / N * K + r % K]) * random_cn(&random));
            }
            channels[b] = c.channel;
            channels[b].H_hat = H[b];
            solutions[b] = (struct mimo_solution){.W = W[b], .sinr = sinr[b]};
        }
        cluster_lanes_begin(precoder->cluster_lanes);
        const unsigned left =
            cluster_lanes_execute(precoder->cluster_lanes, precoder, i % 4 < 2, n, channels, solutions);
        for (int b = 0; b < n; b++) {
            n_all++;
            n_left += (left & 1u << b) != 0;
            c.channel.H_hat = H[b];
            run(i % 4 < 2 ? MIMO_P_MMSE : MIMO_P_RZF, MIMO_POWER_FRACTIONAL);
            for (int k = 0; k < K && !(left >> b & 1); k++) {
                assert_true(fabs((double)(sinr[b][k] / c.solution.sinr[k]) - 1) < 1e-3);
            }
            if (!(left >> b & 1)) {
                expect_near(W[b], 1e-7);
                assert_true(plain_excess(&c, W[b]) <= 1e-6);
            }
        }
        memset(H[0], 0, sizeof H[0]);
        channels[1].beta = NULL;
        assert_int_equal(cluster_lanes_execute(precoder->cluster_lanes, precoder, true, 1, channels, solutions), 1);
        assert_int_equal(cluster_lanes_execute(precoder->cluster_lanes, precoder, true, 2, channels, solutions), 3);
        c.channel.H_hat = c.H;
        tear_down();
    }
    kernel_select(NULL);
    if (n_left > 0.1 * n_all) {
        fail_msg("%d of %d subbands are left to double precision", n_left, n_all);
    }
}

/* What a user that knows its gain measures of W, by the definition. */
static double known_gain_sinr(const tutti_cf32 *H, const tutti_cf32 *V, int k)
{
    double own = 0, others = 1;
    for (int j = 0; j < K; j++) {
        double complex gain = 0;
        double unknown = 0;
        for (int r = 0; r < M; r++) {
            const double complex v = (double complex)V[r * K + j];
            gain += conj((double complex)H[r * K + k]) * v;
            unknown += (double)c.E[r / N * K + k] * (creal(v) * creal(v) + cimag(v) * cimag(v));
        }
        *(j == k ? &own : &others) += creal(gain) * creal(gain) + cimag(gain) * cimag(gain) + unknown;
    }
    return own / others;
}

/* Lanes read estimates of pilots alone, where there are such, and write to links that serve alone, if the rest is zero;
 * with known gains the own stream's error is signal, in lanes and in double precision. */
static void pilots_and_known_gains(void **state)
{
    (void)state;
    enum { N_SB = 3, N_PILOT = 3 };
    static tutti_cf32 P[N_SB][L * N * N_PILOT], H[N_SB][M * K], W[N_SB][M * K], nothing[M * K];
    static float factor[L * K], sinr[N_SB][K];
    int pilot[K], beyond = -1;
    struct mimo_channel channels[N_SB];
    struct mimo_solution solutions[N_SB];
    struct random random = {77};
    set_up(77, 0.4);
    for (int l = 0; l < L * K; l++) {
        factor[l] = sqrtf(0.8f * c.beta[l]);
        pilot[l % K] = l % K % N_PILOT;
        beyond = serves[l] ? beyond : l;
    }
    assert_true(beyond >= 0);
    for (int r = 0; r < M * K; r++) {
        nothing[r] = CMPLXF(NAN, NAN);
    }
    for (int b = 0; b < N_SB; b++) {
        for (int i = 0; i < L * N * N_PILOT; i++) {
            P[b][i] = (tutti_cf32)random_cn(&random);
        }
        for (int r = 0; r < M * K; r++) {
            H[b][r] = factor[r / K / N * K + r % K] * P[b][r / K * N_PILOT + pilot[r % K]];
        }
        memset(W[b], 0, sizeof W[b]);
        W[b][beyond / K * N * K + beyond % K] = 7; /* nobody looks there */
        channels[b] = c.channel;
        channels[b].H_hat = nothing;
        channels[b].pilots = (struct mimo_pilots){P[b], factor, pilot, N_PILOT};
        channels[b].knows_gain = true;
        solutions[b] = (struct mimo_solution){.W = W[b], .sinr = sinr[b], .zeroed = true};
    }
    cluster_lanes_begin(precoder->cluster_lanes);
    assert_int_equal(cluster_lanes_execute(precoder->cluster_lanes, precoder, true, N_SB, channels, solutions), 0);
    for (int b = 0; b < N_SB; b++) {
        assert_true(W[b][beyond / K * N * K + beyond % K] == 7);
        W[b][beyond / K * N * K + beyond % K] = 0;
        c.channel.H_hat = H[b];
        c.channel.knows_gain = true;
        run(MIMO_P_MMSE, MIMO_POWER_FRACTIONAL);
        expect_near(W[b], 1e-6);
        for (int k = 0; k < K; k++) {
            const double right = known_gain_sinr(H[b], W[b], k);
            assert_true(fabs((double)sinr[b][k] / right - 1) < 1e-3);
            assert_true(fabs((double)c.solution.sinr[k] / right - 1) < 1e-3);
        }
        run(MIMO_LP_MMSE, MIMO_POWER_FRACTIONAL_AP);
        for (int k = 0; k < K; k++) {
            assert_true(fabs((double)c.solution.sinr[k] / known_gain_sinr(H[b], c.solution.W, k) - 1) < 1e-3);
        }
    }
    c.channel.H_hat = c.H;
    tear_down();
}

/* Blocks of many subbands, with and without clusters, are what the subbands are one by one. */
static void batches_are_the_same(void **state)
{
    (void)state;
    enum { N_SB = 11 };
    static const enum mimo_scheme schemes[] = {MIMO_P_MMSE, MIMO_P_RZF, MIMO_LP_MMSE, MIMO_CB};
    static tutti_cf32 H[N_SB][M * K], W[N_SB][M * K];
    struct mimo_channel channels[N_SB];
    struct mimo_solution solutions[N_SB];
    float sinr[N_SB][K];
    for (int s = 0; s < 4; s++) {
        struct random random = {71};
        set_up(70 + (uint64_t)s, 0.4);
        for (int b = 0; b < N_SB; b++) {
            for (int i = 0; i < M * K; i++) {
                H[b][i] = c.H[i] * (tutti_cf32)(1 + random_cn(&random));
            }
            channels[b] = c.channel;
            channels[b].H_hat = H[b];
            solutions[b] = (struct mimo_solution){.W = W[b], .sinr = sinr[b]};
        }
        assert_int_equal(precoder_execute_batch(precoder, schemes[s], MIMO_POWER_EQUAL, N_SB, channels, solutions), 0);
        for (int b = 0; b < N_SB; b++) {
            c.channel.H_hat = H[b];
            assert_int_equal(run(schemes[s], MIMO_POWER_EQUAL), 0);
            expect_kept(W[b], mimo_scheme_name((int)schemes[s]));
            for (int k = 0; k < K; k++) {
                assert_true(fabs((double)(sinr[b][k] / c.solution.sinr[k]) - 1) < 1e-4);
            }
        }
        c.channel.H_hat = c.H;
        tear_down();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(central_beams_are_the_books), cmocka_unit_test(local_beams_are_the_books),
        cmocka_unit_test(one_cluster_is_rzf),          cmocka_unit_test(who_is_not_served_is_left_out),
        cmocka_unit_test(lanes_are_the_same),          cmocka_unit_test(pilots_and_known_gains),
        cmocka_unit_test(batches_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
