/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pilots, clusters, their vectors and powers: against brute force, against what they must become in the limits, and
 * budgets. */
#include "channel/random.h"
#include "cluster/clusters.h"
#include "cluster/shares.h"
#include "cluster/vectors.h"
#include "plain_solve.h"

#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { L = 12, N = 3, K = 14, TAU = 4, M = L * N };

static double beta[L * K], Gr[M * K], Gi[M * K], error[L * K], sum[K];
static int pilot[K], best[K];
static uint8_t served[L * K], before[L * K];
static struct vectors_csi csi = {Gr, Gi, error, NULL};

static void draw(uint64_t seed)
{
    for (int i = 0; i < L * K; i++) {
        beta[i] = pow(10, 4 * random_uniform(seed, (uint64_t)i) - 2);
        error[i] = 0.2 * beta[i] * random_uniform(seed + 1, (uint64_t)i);
    }
    for (int i = 0; i < M * K; i++) {
        float re, im;
        random_normal(seed + 2, (uint64_t)i, &re, &im);
        Gr[i] = sqrt(beta[i / K / N * K + i % K] / 2) * re;
        Gi[i] = sqrt(beta[i / K / N * K + i % K] / 2) * im;
    }
}

static void form(double hysteresis, int max_aps, const uint8_t *previous)
{
    const struct clusters_settings settings = {TAU, max_aps, hysteresis, previous};
    clusters_pilots(L, K, TAU, beta, sum, pilot);
    clusters_form(L, K, &settings, beta, pilot, best, served);
}

static int best_ap(int k)
{
    int at = 0;
    for (int l = 1; l < L; l++) {
        at = beta[l * K + k] > beta[at * K + k] ? l : at;
    }
    return at;
}

/* The rule in words, user by user and AP by AP. */
static void clusters_are_those_of_the_rule(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 30; seed++) {
        draw(seed);
        form(1, 0, NULL);
        for (int k = 0; k < K; k++) {
            double own = 0, least = INFINITY;
            for (int t = 0; t < TAU; t++) {
                double heard = 0;
                for (int i = 0; i < k; i++) {
                    heard += pilot[i] == t ? beta[best_ap(k) * K + i] : 0;
                }
                own = t == pilot[k] ? heard : own;
                least = fmin(least, heard);
            }
            assert_true(own <= least && (k >= TAU || pilot[k] == k));
        }
        for (int i = 0; i < L * K; i++) {
            bool strongest = true;
            for (int j = 0; j < K; j++) {
                strongest = strongest && !(pilot[j] == pilot[i % K] && beta[i / K * K + j] > beta[i]);
            }
            assert_int_equal(served[i], strongest || best_ap(i % K) == i / K);
        }
    }
}

static void hysteresis_keeps_who_is_nearly_as_strong(void **state)
{
    (void)state;
    int kept = 0, changed = 0;
    draw(3);
    form(2, 0, NULL);
    memcpy(before, served, sizeof before);
    const double old[] = {beta[0]};
    for (int i = 0; i < L * K; i++) {
        beta[i] *= pow(10, 0.2 * random_uniform(9, (uint64_t)i) - 0.1); /* +- 1 dB */
    }
    assert_true(old[0] != beta[0]);
    const struct clusters_settings settings = {TAU, 0, 2, before}, loose = {TAU, 0, 1, before};
    clusters_form(L, K, &settings, beta, pilot, best, served); /* pilots stay */
    for (int i = 0; i < L * K; i++) {
        kept += served[i] != before[i] && best_ap(i % K) != i / K;
    }
    assert_int_equal(kept, 0); /* 2 dB apart at most, 3 are needed */
    for (int i = 0; i < L * K; i++) {
        beta[i] *= pow(10, 2 * random_uniform(10, (uint64_t)i));
    }
    clusters_form(L, K, &settings, beta, pilot, best, served);
    for (int i = 0; i < L * K; i++) {
        changed += served[i] != before[i];
    }
    assert_true(changed > 10);
    memcpy(before, served, sizeof before);
    clusters_form(L, K, &loose, beta, pilot, best, served); /* factor 1 is no hysteresis */
    clusters_form(L, K, &(struct clusters_settings){TAU, 0, 1, NULL}, beta, pilot, best, before);
    assert_memory_equal(served, before, sizeof before);
}

static void pruned_clusters_keep_the_strongest(void **state)
{
    (void)state;
    draw(5);
    form(1, 0, NULL);
    memcpy(before, served, sizeof before);
    form(1, 2, NULL);
    for (int k = 0; k < K; k++) {
        int n = 0, all = 0;
        for (int l = 0; l < L; l++) {
            int stronger = 0;
            for (int m = 0; m < L; m++) {
                stronger += before[m * K + k] && beta[m * K + k] > beta[l * K + k];
            }
            assert_int_equal(served[l * K + k], before[l * K + k] && stronger < 2);
            n += served[l * K + k];
            all += before[l * K + k];
        }
        assert_int_equal(n, all < 2 ? all : 2);
        assert_true(served[best_ap(k) * K + k]);
    }
}

static double complex g(int r, int k)
{
    return Gr[r * K + k] + I * Gi[r * K + k];
}

/* v_k = (sum_{i in S} g_i g_i^H + Z_k)^-1 g_k on the rows that serve k: the book's form, before the push-through. */
static void vectors_are_the_books(void **state)
{
    (void)state;
    static double Vr[M], Vi[M];
    static double complex A[M * M], b[M];
    vectors_t *vectors;
    assert_int_equal(vectors_create(&vectors, L, N, K), 0);
    for (int trial = 0; trial < 4 * K; trial++) {
        const int k = trial % K;
        const enum vectors_rule rule = trial % 2 ? VECTORS_PMMSE : VECTORS_PRZF;
        int row[M], n = 0, S[K];
        draw(20 + (uint64_t)trial);
        form(1, 4, NULL);
        vectors_load(vectors, served);
        const int n_S = clusters_neighbours(L, K, served, k, S);
        for (int r = 0; r < M; r++) {
            row[n] = r;
            n += served[r / N * K + k];
        }
        for (int i = 0; i < n; i++) {
            b[i] = g(row[i], k);
            for (int j = 0; j < n; j++) {
                A[i * n + j] = i == j;
                for (int u = 0; u < n_S; u++) {
                    A[i * n + j] += g(row[i], S[u]) * conj(g(row[j], S[u]));
                    A[i * n + j] += i == j && rule == VECTORS_PMMSE ? error[row[i] / N * K + S[u]] : 0;
                }
            }
        }
        plain_solve(n, A, b);
        assert_int_equal(vectors_user(vectors, rule, &csi, k, Vr, Vi), n_S);
        for (int r = 0, i = 0; r < M; r++) {
            const double complex want = served[r / N * K + k] ? b[i++] : 0;
            assert_true(cabs(Vr[r] + I * Vi[r] - want) < 1e-10);
        }
    }
    vectors_destroy(vectors);
    vectors_destroy(NULL);
}

/* Everybody served by all APs: P-MMSE is MMSE, which nothing beats; and the local rule of one AP is that AP's. */
static void the_limits_are_mmse(void **state)
{
    (void)state;
    static double Vr[M], Vi[M], Wr[N * K], Wi[N * K];
    vectors_t *vectors;
    assert_int_equal(vectors_create(&vectors, L, N, K), 0);
    draw(7);
    memset(served, 1, sizeof served);
    vectors_load(vectors, served);
    for (int k = 0; k < K; k++) {
        vectors_user(vectors, VECTORS_PMMSE, &csi, k, Vr, Vi);
        const double most = vectors_sinr(vectors, &csi, k, Vr, Vi);
        for (int trial = 0; trial < 20; trial++) {
            double Xr[M], Xi[M];
            for (int r = 0; r < M; r++) {
                float re, im;
                random_normal(400 + (uint64_t)trial, (uint64_t)r, &re, &im);
                Xr[r] = Vr[r] + 0.02 * re * fabs(Vr[0]);
                Xi[r] = Vi[r] + 0.02 * im * fabs(Vr[0]);
            }
            assert_true(vectors_sinr(vectors, &csi, k, Xr, Xi) < most);
        }
        vectors_user(vectors, VECTORS_PRZF, &csi, k, Vr, Vi);
        assert_true(vectors_sinr(vectors, &csi, k, Vr, Vi) < most);
    }
    memset(served, 0, sizeof served); /* AP 3 alone serves the even users */
    for (int k = 0; k < K; k += 2) {
        served[3 * K + k] = 1;
    }
    vectors_load(vectors, served);
    assert_int_equal(vectors_local(vectors, &csi, 3, Wr, Wi), K / 2);
    for (int k = 0; k < K; k++) {
        vectors_user(vectors, VECTORS_PMMSE, &csi, k, Vr, Vi);
        for (int a = 0; a < N; a++) {
            assert_true(hypot(Vr[3 * N + a] - Wr[a * K + k], Vi[3 * N + a] - Wi[a * K + k]) < 1e-12);
        }
        assert_int_equal(k % 2, Wr[k] == 0);
    }
    assert_int_equal(vectors_user(vectors, VECTORS_PMMSE, &csi, 1, Vr, Vi), 0); /* nobody serves user 1 */
    assert_int_equal(vectors_local(vectors, &csi, 0, Wr, Wi), 0);
    vectors_destroy(vectors);
}

/* What an AP sends in the mean is within its budget; the local rule uses it all; upsilon = -1 favours the weak. */
static void budgets_hold_in_the_mean(void **state)
{
    (void)state;
    static double w[L * K], weight[K], rho[K], local[L * K];
    for (uint64_t seed = 40; seed < 60; seed++) {
        double used[L] = {0}, most = 0, budget[L];
        for (int l = 0; l < L; l++) {
            budget[l] = 5 - 4.0 * (l == 3);
        }
        draw(seed);
        form(1, 0, NULL);
        for (int k = 0; k < K; k++) {
            double all = 0;
            for (int l = 0; l < L; l++) {
                w[l * K + k] = served[l * K + k] * random_uniform(seed, (uint64_t)(l * K + k));
                all += w[l * K + k];
            }
            for (int l = 0; l < L; l++) {
                w[l * K + k] /= all;
            }
        }
        shares_central(L, K, served, beta, w, budget, -0.5, 0.5, weight, rho);
        shares_local(L, K, served, beta, 5, local);
        for (int l = 0; l < L; l++) {
            double sent = 0;
            int n = 0;
            for (int k = 0; k < K; k++) {
                used[l] += rho[k] * w[l * K + k];
                sent += local[l * K + k];
                n += served[l * K + k];
                assert_true(served[l * K + k] ? local[l * K + k] > 0 : local[l * K + k] == 0);
            }
            assert_true(used[l] <= budget[l] * (1 + 1e-12) && (n == 0 || fabs(sent - 5) < 1e-12));
            most = fmax(most, used[l]);
        }
        assert_true(most > 1); /* and it is used */
        memset(served, 0, K);
        for (int l = 0; l < L; l++) {
            served[l * K] = 0;
        }
        shares_central(L, K, served, beta, w, budget, -0.5, 0.5, weight, rho);
        assert_true(rho[0] == 0 && isfinite(rho[1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_are_those_of_the_rule),
        cmocka_unit_test(hysteresis_keeps_who_is_nearly_as_strong),
        cmocka_unit_test(pruned_clusters_keep_the_strongest),
        cmocka_unit_test(vectors_are_the_books),
        cmocka_unit_test(the_limits_are_mmse),
        cmocka_unit_test(budgets_hold_in_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
