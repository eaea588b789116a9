/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Beams by their conditions, rates against closed forms, gains and clusters at known places. */
#include "random_links.h"
#include "rlspa/beams.h"
#include "rlspa/network.h"
#include "rlspa/rate.h"

#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double g_re[M_MOST * N_MOST], g_im[M_MOST * N_MOST], w_re[M_MOST * N_MOST], w_im[M_MOST * N_MOST];
static double b_re[N_MOST * N_MOST], b_im[N_MOST * N_MOST], w2[N_MOST], p[N_MOST], F[N_MOST * N_MOST];
static struct split G = {g_re, g_im}, W = {w_re, w_im}, B = {b_re, b_im};
static struct links links = {.B = {b_re, b_im}};

static void beams(int M, int n, int want_rank)
{
    double *const work = malloc(beams_work(M, n) * sizeof *work);
    assert_non_null(work);
    assert_int_equal(beams_zf(M, n, &G, work, &W), want_rank);
    beams_effective(M, n, &G, &W, &B);
    beams_norms(M, n, &W, w2);
    free(work);
}

static void zero_forcing_forces_zeros(void **state)
{
    (void)state;
    for (int n = 1; n <= 16; n += 5) {
        const int M = n + 3;
        random_fill((uint64_t)n, (size_t)(M * n), &G);
        for (int i = 0; i < M * n; i++) {
            G.re[i] *= 1e-6;
            G.im[i] *= 1e-6;
        }
        beams(M, n, n);
        for (int i = 0; i < n * n; i++) {
            const bool own = i / n == i % n;
            assert_true(own ? b_re[i] > 1e-8 && fabs(b_im[i]) < 1e-18 : hypot(b_re[i], b_im[i]) < 1e-18);
        }
        for (int k = 0; k < n; k++) {
            assert_true(fabs(w2[k] - 1) < 1e-12);
        }
    }
}

/* Rank loss, more users than antennas, a user nobody hears: the beams of the pseudo-inverse, by its own conditions:
 * W_un^T spans what conj(G) spans, and G^T W_un G^T = G^T. Checked for two equal users, who share one direction. */
static void without_full_rank_it_is_the_pseudo_inverse(void **state)
{
    (void)state;
    const int M = 6, n = 4;
    random_fill(3, (size_t)(M * n), &G);
    for (int m = 0; m < M; m++) {
        G.re[m * n + 1] = G.re[m * n];
        G.im[m * n + 1] = G.im[m * n];
        G.re[m * n + 3] = G.im[m * n + 3] = 0;
    }
    beams(M, n, 2);
    for (int m = 0; m < M; m++) {
        assert_true(fabs(w_re[m * n] - w_re[m * n + 1]) < 1e-9 && w_re[m * n + 3] == 0);
    }
    assert_true(hypot(b_re[2], b_im[2]) < 1e-9 && fabs(b_re[0] - b_re[1]) < 1e-9 && w2[3] == 0);
    random_fill(4, 3 * 5, &G); /* 3 antennas, 5 users */
    beams(3, 5, 3);
    for (int k = 0; k < 5; k++) {
        assert_true(fabs(w2[k] - 1) < 1e-12 && b_re[k * 5 + k] > 0);
    }
    for (int m = 0; m < 6; m++) { /* singular values 1 and just above or below 1e-5 */
        G.re[m] = m == 0 ? 1 : m == 3 ? 1.1e-5 : 0;
        G.im[m] = 0;
    }
    beams(3, 2, 2);
    G.re[3] = 0.9e-5;
    beams(3, 2, 1);
}

/* Diagonal B: joint and separate decoding are the same sum of logarithms; with interference joint is larger. */
static void rates_agree_where_they_must(void **state)
{
    (void)state;
    static double work[8 * N_MOST * N_MOST], sinr[N_MOST], zero[2 * N_MOST * N_MOST];
    const struct split none = {zero, zero};
    for (int n = 1; n <= 16; n += 3) {
        double sum = 0;
        random_links((uint64_t)n, n, 0, 20, 1e-5, &links, w2);
        for (int i = 0; i < n * n; i++) {
            F[i] = 1e-12 * random_uniform(5, (uint64_t)i);
            p[i % n] = 0.1 + random_uniform(6, (uint64_t)(i % n));
        }
        for (int k = 0; k < n; k++) {
            double noise = links.sigma2;
            for (int i = 0; i < n; i++) {
                noise += links.rho * F[k * n + i] * p[i] * p[i];
            }
            sum += log2(1 + links.rho * pow(b_re[k * n + k] * p[k], 2) / noise);
        }
        assert_true(fabs(rate_logdet(&links, F, p, work) - sum) < 1e-9 * sum);
        assert_true(fabs(rate_sinr(&links, F, p, sinr) - sum) < 1e-9 * sum);
        assert_true(fabs(rate_logdet_realised(&links, &none, p, work) - rate_logdet(&links, NULL, p, work)) < 1e-9);
        random_links((uint64_t)n, n, 0.3, 20, 1e-5, &links, w2);
        assert_true(n == 1 || rate_logdet(&links, F, p, work) > rate_sinr(&links, F, p, NULL) * (1 + 1e-6));
    }
}

/* log det against the eigenvalues of a two by two case by hand: B = [[1, 1], [0, 1]], p = 1, rho = sigma2 = 1:
 * I + B B^H = [[3, 1], [1, 2]], determinant 5. */
static void the_determinant_is_the_determinant(void **state)
{
    (void)state;
    double work[8 * 4], one[] = {1, 1}, error[] = {0, 2, 0, 0};
    struct links two = {.n = 2, .rho = 1, .Pt = 2, .sigma2 = 1, .B = {(double[]){1, 1, 0, 1}, (double[]){0, 0, 0, 0}}};
    two.w2 = one;
    assert_true(fabs(rate_logdet(&two, NULL, one, work) - log2(5)) < 1e-12);
    /* R = diag(3, 1): det(I + R^-1 B B^H) = (1 + 2/3)(1 + 1) - 1/3 = 3 */
    assert_true(fabs(rate_logdet(&two, error, one, work) - log2(3)) < 1e-12);
    /* E = [[0, sqrt 2], [0, 0]]: the same R, now realised */
    const struct split E = {(double[]){0, sqrt(2), 0, 0}, (double[]){0, 0, 0, 0}};
    assert_true(fabs(rate_logdet_realised(&two, &E, one, work) - log2(3)) < 1e-12);
}

/* Achievable rate: with constant powers it is separate decoding; with p = |x|^2 the distortion caps it at log2 3. */
static void powers_that_follow_the_symbols_cap_the_rate(void **state)
{
    (void)state;
    enum { T = 50000 };
    static double x_re[2 * T], x_im[2 * T], P[2 * T];
    struct split X = {x_re, x_im};
    double error[] = {0.1, 0.2, 0.3, 0.4}, w[] = {1, 0.5, -0.5, 1}, nothing[4] = {0};
    const struct split beams_of = {w, nothing};
    struct links two = {.n = 2, .rho = 1, .Pt = 1, .sigma2 = 0.1, .B = {(double[]){1, 0.1, 0.2, 1}, nothing}};
    double norms[] = {1.25, 1.25}, constant[] = {0.6, 0.5};
    gmi_t *gmi;
    two.w2 = norms;
    random_fill(12, 2 * T, &X);
    for (int i = 0; i < 2 * T; i++) {
        x_re[i] *= sqrt(0.5);
        x_im[i] *= sqrt(0.5);
        P[i] = constant[i / T];
    }
    assert_int_equal(gmi_create(&gmi, 2, 2), 0);
    gmi_load(gmi, &two, &beams_of);
    gmi_add(gmi, T, &X, P);
    beams_error_gain(2, 1, 2, error, &beams_of, F);
    const double want = rate_sinr(&two, F, constant, NULL);
    assert_true(fabs(gmi_rate(gmi, 1, error, 0) - want) < 0.02 * want);
    assert_true(fabs(gmi_energy(gmi) - links_power(&two, constant, 1)) < 0.02);
    two.B.re[1] = two.B.re[2] = 0;
    two.sigma2 = 1e-9;
    memset(error, 0, sizeof error);
    for (int i = 0; i < 2 * T; i++) {
        P[i] = x_re[i] * x_re[i] + x_im[i] * x_im[i];
    }
    gmi_load(gmi, &two, &beams_of);
    gmi_add(gmi, T, &X, P);
    assert_true(fabs(gmi_rate(gmi, 1, error, 1) - 2 * log2(3)) < 0.06);
    gmi_destroy(gmi);
    gmi_destroy(NULL);
}

static void error_powers_are_sums_over_antennas(void **state)
{
    (void)state;
    const double error[] = {1, 2, 3, 4, 5, 6}, gamma[] = {6, 15}; /* [2 APs][3 users] */
    double got[9], power[3];
    random_fill(1, 4 * 3, &W);
    beams_error_gain(2, 2, 3, error, &W, got);
    beams_error_power(2, 2, 3, gamma, &W, power);
    for (int i = 0; i < 3; i++) {
        double a[4], all = 0;
        for (int m = 0; m < 4; m++) {
            a[m] = pow(hypot(w_re[m * 3 + i], w_im[m * 3 + i]), 2);
        }
        for (int k = 0; k < 3; k++) {
            assert_true(fabs(got[k * 3 + i] - error[k] * (a[0] + a[1]) - error[3 + k] * (a[2] + a[3])) < 1e-12);
            all += got[k * 3 + i];
        }
        assert_true(fabs(power[i] - all) < 1e-12 * all); /* Gamma sums the users' errors */
    }
}

/* 140.715 dB at 1 km; slopes; no shadowing within 50 m. */
static void gains_follow_three_slopes(void **state)
{
    (void)state;
    assert_true(fabs(10 * log10(network_gain(1, 0)) + 140.715) < 1e-3);
    assert_true(fabs(10 * log10(network_gain(0.1, 0) / network_gain(1, 0)) - 35) < 1e-9);
    assert_true(fabs(10 * log10(network_gain(0.02, 0) / network_gain(0.04, 3)) - 20 * log10(2)) < 1e-9);
    assert_true(network_gain(0.001, 0) == network_gain(0.0099, 2));
    assert_true(fabs(10 * log10(network_gain(0.2, 1) / network_gain(0.2, 0)) - 8) < 1e-9);
    assert_true(fabs(network_gain(0.05, 0) / network_gain(0.0500001, 0) - 1) < 1e-4); /* continuous */
}

static void clusters_hold_the_mean_and_the_best(void **state)
{
    (void)state;
    const double beta[] = {8, 1, 0.1, 3, 1, 0.2, 3, 4, 0.2}; /* 3 APs, 3 users, mean 2.277 */
    const uint8_t want[] = {1, 0, 0, 1, 0, 1, 1, 1, 0};
    uint8_t served[9];
    network_clusters(3, 3, beta, served);
    assert_memory_equal(served, want, sizeof want);
    double re[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, im[9] = {-1, -2, -3, -4, -5, -6, -7, -8, -9}, ar[9], ai[9];
    const struct split all = {re, im};
    struct split sparse = {ar, ai};
    network_mask(3, 1, 3, served, &all, &sparse);
    for (int i = 0; i < 9; i++) {
        assert_true(ar[i] == re[i] * want[i] && ai[i] == im[i] * want[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_forcing_forces_zeros),
        cmocka_unit_test(without_full_rank_it_is_the_pseudo_inverse),
        cmocka_unit_test(rates_agree_where_they_must),
        cmocka_unit_test(the_determinant_is_the_determinant),
        cmocka_unit_test(powers_that_follow_the_symbols_cap_the_rate),
        cmocka_unit_test(error_powers_are_sums_over_antennas),
        cmocka_unit_test(gains_follow_three_slopes),
        cmocka_unit_test(clusters_hold_the_mean_and_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
