/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every kernel variant this processor can run, and the wide one's arithmetic, against plain loops. */
#include "linalg/cmplx.h"
#include "variants.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 1;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0 - 0.5;
}

static void fill(double *x, int n)
{
    for (int i = 0; i < n; i++) {
        x[i] = uniform();
    }
}

enum { MAX = 48, FEATURES = 9 };

static int pad(int n)
{
    return (n + KERNEL_PAD - 1) / KERNEL_PAD * KERNEL_PAD;
}

static void check_gemm(const struct kernel_ops *ops, int n_i, int n_f, int n_j)
{
    double X[MAX * MAX], Y[MAX * MAX], C[MAX * MAX], before[MAX * MAX];
    const int ld = pad(n_j);
    fill(X, MAX * MAX);
    fill(Y, MAX * MAX);
    for (int transposed = 0; transposed < 2; transposed++) {
        for (int upper = 0; upper < 2; upper++) {
            const int x_i = transposed ? 1 : n_f, x_f = transposed ? n_i : 1;
            fill(C, MAX * MAX);
            memcpy(before, C, sizeof C);
            ops->gemm(n_i, n_f, ld, X, x_i, x_f, Y, ld, C, ld, upper);
            for (int i = 0; i < n_i; i++) {
                for (int j = upper ? i : 0; j < n_j; j++) {
                    double want = before[i * ld + j];
                    for (int f = 0; f < n_f; f++) {
                        want += X[i * x_i + f * x_f] * Y[f * ld + j];
                    }
                    assert_true(fabs(C[i * ld + j] - want) < 1e-12);
                }
            }
            for (int i = n_i * ld; i < MAX * MAX; i++) {
                assert_true(C[i] == before[i]);
            }
        }
    }
}

static void check_gram(const struct kernel_ops *ops, int n, int rows)
{
    double Ar[FEATURES * MAX], Ai[FEATURES * MAX], w[MAX], Gr[FEATURES * FEATURES], Gi[FEATURES * FEATURES];
    const int ld = pad(rows);
    fill(Ar, n * ld);
    fill(Ai, n * ld);
    for (int r = 0; r < ld; r++) {
        w[r] = r < rows ? 1 + uniform() : 0;
    }
    ops->gram(n, ld, ld, Ar, Ai, w, Gr, Gi);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            double complex want = 0;
            for (int r = 0; r < rows; r++) {
                want += w[r] * CMPLX(Ar[k * ld + r], -Ai[k * ld + r]) * CMPLX(Ar[j * ld + r], Ai[j * ld + r]);
            }
            assert_true(cabs(CMPLX(Gr[k * n + j], Gi[k * n + j]) - want) < 1e-12);
        }
    }
}

static void check_hadamard(const struct kernel_ops *ops, int n, int rows)
{
    static double m[8][FEATURES * MAX], C[MAX * MAX], before[MAX * MAX];
    const int ld = pad(rows);
    for (int i = 0; i < 8; i++) {
        fill(m[i], n * ld);
    }
    fill(C, ld * ld);
    memcpy(before, C, sizeof C);
    ops->hadamard(n, rows, ld, ld, m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], C);
    for (int i = 0; i < rows; i++) {
        for (int j = i; j < rows; j++) {
            double complex r = 0, q = 0;
            for (int k = 0; k < n; k++) {
                r += CMPLX(m[0][k * ld + i], -m[1][k * ld + i]) * CMPLX(m[2][k * ld + j], m[3][k * ld + j]);
                q += CMPLX(m[4][k * ld + i], m[5][k * ld + i]) * CMPLX(m[6][k * ld + j], -m[7][k * ld + j]);
            }
            assert_true(fabs(C[i * ld + j] - (before[i * ld + j] - creal(r * q))) < 1e-12);
        }
    }
}

static void check_cholesky(const struct kernel_ops *ops, int n)
{
    const int ld = pad(n);
    const size_t size = (size_t)(ld * ld);
    double *B = calloc(size, sizeof *B), *A = calloc(size, sizeof *A), *U = calloc(size, sizeof *U);
    assert_true(B && A && U);
    fill(B, n * n);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            A[i * ld + j] = i == j ? 0.1 : 0;
            for (int p = 0; p < n; p++) {
                A[i * ld + j] += B[p * n + i] * B[p * n + j];
            }
        }
    }
    memcpy(U, A, size * sizeof *U);
    assert_int_equal(ops->cholesky(n, ld, U), 0);
    for (int i = 0; i < n; i++) {
        for (int j = i; j < n; j++) {
            double product = 0;
            for (int p = 0; p <= i; p++) {
                product += U[p * ld + i] * U[p * ld + j];
            }
            assert_true(fabs(product - A[i * ld + j]) < 1e-13 * (n + 10));
        }
    }
    A[(n / 2) * ld + n / 2] = -1;
    assert_int_equal(ops->cholesky(n, ld, A), n / 2 + 1);
    free(B);
    free(A);
    free(U);
}

static void dense_kernels_match_plain_loops(void **state)
{
    (void)state;
    for (int v = 0; test_variant(v); v++) {
        const struct kernel_ops *ops = test_variant(v);
        for (int n = 1; n <= 40; n += n < 10 ? 1 : 7) {
            check_gemm(ops, n, 5, 13);
            check_gemm(ops, n, n, n);
            check_gram(ops, 1 + n % FEATURES, n);
            check_hadamard(ops, 1 + n % FEATURES, n);
            check_cholesky(ops, n);
        }
        check_cholesky(ops, 203); /* no limit of its own */
    }
}

enum { ROWS = 18, USERS = 16, APS = 6, ANTENNAS = 3 };

struct lanes {
    float H[KERNEL_LANES_MAX][2 * ROWS * USERS], W[KERNEL_LANES_MAX][2 * ROWS * USERS];
    float packed[2 * ROWS * USERS * KERNEL_LANES_MAX], A[2 * ROWS * USERS * KERNEL_LANES_MAX];
    float work[USERS * (7 * USERS + 2) * KERNEL_LANES_MAX], pivot[KERNEL_LANES_MAX];
    float b[ROWS * USERS * KERNEL_LANES_MAX], E[APS * USERS * KERNEL_LANES_MAX], P[ROWS * KERNEL_LANES_MAX];
    float eta[USERS * KERNEL_LANES_MAX], share[APS * KERNEL_LANES_MAX], interference[USERS * KERNEL_LANES_MAX];
    float *target[KERNEL_LANES_MAX]; /* rows of W */
    float spread[KERNEL_LANES_MAX], sinr[USERS * KERNEL_LANES_MAX];
};

static void lanes_fill(struct lanes *l, const struct kernel_ops *ops, int n)
{
    const float *source[KERNEL_LANES_MAX];
    for (int s = 0; s < ops->n_lane; s++) {
        source[s] = l->H[s];
        l->target[s] = l->W[s];
        for (int i = 0; i < 2 * ROWS * n; i++) {
            l->H[s][i] = (float)uniform();
        }
    }
    ops->pack(2 * ROWS * n, source, l->packed);
    for (int i = 0; i < APS * n * ops->n_lane; i++) {
        l->E[i] = (float)(0.1 * (uniform() + 0.5));
    }
    for (int i = 0; i < ROWS * ops->n_lane; i++) {
        l->P[i] = (float)(1 + uniform());
    }
}

/* The worst AP's energy by its budget in what was written to lane s. */
static double worst_use(const struct lanes *l, int n_lane, int s, int n)
{
    double worst = 0;
    for (int m = 0; m < APS; m++) {
        double energy = 0;
        for (int i = 2 * m * ANTENNAS * n; i < 2 * (m + 1) * ANTENNAS * n; i++) {
            energy += (double)l->W[s][i] * (double)l->W[s][i];
        }
        worst = fmax(worst, energy / (double)l->P[m * n_lane + s]);
    }
    return worst;
}

static void packing_there_and_back(void **state)
{
    (void)state;
    static struct lanes l;
    for (int v = 0; test_variant(v); v++) {
        const struct kernel_ops *ops = test_variant(v);
        for (int n = 1; n <= USERS; n++) {
            lanes_fill(&l, ops, n);
            for (int i = 0; i < n * ops->n_lane; i++) {
                l.eta[i] = (float)(1 + uniform());
            }
            ops->unpack(APS, ANTENNAS, n, l.packed, l.eta, l.P, l.target, l.share);
            for (int s = 0; s < ops->n_lane; s++) {
                const double use = worst_use(&l, ops->n_lane, s, n);
                assert_true(fabs((double)l.share[s] - use) < 1e-5 * use);
                for (int i = 0; i < 2 * ROWS * n; i++) {
                    const float amplitude = l.eta[i / 2 % n * ops->n_lane + s];
                    assert_true(l.packed[i * ops->n_lane + s] == l.H[s][i]);
                    assert_true(l.W[s][i] == l.H[s][i] * amplitude);
                }
            }
        }
    }
}

/* One value of one subband that is not finite, wherever it is, and that subband is told; no other. */
static void what_is_not_finite_is_told(void **state)
{
    (void)state;
    static struct lanes l;
    for (int v = 0; test_variant(v); v++) {
        const struct kernel_ops *ops = test_variant(v);
        for (int n = 1; n <= USERS; n++) {
            for (int i = 0; i < 2 * ROWS * n; i++) {
                lanes_fill(&l, ops, n);
                for (int k = 0; k < n * ops->n_lane; k++) {
                    l.eta[k] = 1;
                }
                const int bad = i % ops->n_lane;
                l.packed[i * ops->n_lane + bad] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : 1e30f;
                ops->unpack(APS, ANTENNAS, n, l.packed, l.eta, l.P, l.target, l.share);
                for (int s = 0; s < ops->n_lane; s++) {
                    assert_true(s == bad ? !(l.share[s] < 1e30f) : l.share[s] < 100);
                }
            }
        }
    }
}

static double complex entry(const float *x, int n_lane, int s, int i)
{
    return CMPLX((double)x[2 * i * n_lane + s], (double)x[(2 * i + 1) * n_lane + s]);
}

/* H^H A = I in lane s. */
static void check_forced(const struct lanes *l, const struct kernel_ops *ops, int rows, int n, int s)
{
    assert_true(l->pivot[s] > 0 && l->pivot[s] <= 1);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            double complex product = 0;
            for (int r = 0; r < rows; r++) {
                product += conj(entry(l->packed, ops->n_lane, s, r * n + k)) * entry(l->A, ops->n_lane, s, r * n + j);
            }
            assert_true(cabs(product - (k == j)) < 1e-5 / (double)l->pivot[s]);
        }
    }
}

/* Rows that end in every tile there is: in threes, twos and a single one. */
static void lanes_end_in_any_row(void **state)
{
    (void)state;
    static struct lanes l;
    static const int shapes[][2] = {{APS, ANTENNAS}, {2, 8}, {4, 4}, {13, 1}, {17, 1}};
    for (int v = 0; test_variant(v); v++) {
        const struct kernel_ops *ops = test_variant(v);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            const int n_ap = shapes[i][0], n_ant = shapes[i][1];
            for (int n = 1; n <= USERS && n <= n_ap * n_ant; n++) {
                lanes_fill(&l, ops, n);
                ops->zf(n_ap, n_ant, n, l.packed, l.P, l.work, l.A, l.b, l.pivot);
                for (int s = 0; s < ops->n_lane; s++) {
                    check_forced(&l, ops, n_ap * n_ant, n, s);
                }
            }
        }
    }
}

/* H^H A = I in every lane, and a singular lane is named and leaves the others alone. */
static void lanes_zero_force(void **state)
{
    (void)state;
    static struct lanes l;
    for (int v = 0; test_variant(v); v++) {
        const struct kernel_ops *ops = test_variant(v);
        for (int n = 1; n <= USERS; n++) {
            for (int bad = -1; bad < (n > 1 ? 2 : 0); bad++) {
                lanes_fill(&l, ops, n);
                for (int r = 0; r < ROWS && bad >= 0;
                     r++) { /* in lane 3 the last user copies the first, or is silent */
                    for (int c = 0; c < 2; c++) {
                        l.packed[(2 * (r * n + n - 1) + c) * ops->n_lane + 3] =
                            bad ? l.packed[(2 * r * n + c) * ops->n_lane + 3] : 0;
                    }
                }
                ops->zf(APS, ANTENNAS, n, l.packed, l.P, l.work, l.A, l.b, l.pivot);
                for (int s = 0; s < ops->n_lane; s++) {
                    if (bad >= 0 && s == 3) {
                        assert_true(l.pivot[s] < 1e-5f);
                        continue;
                    }
                    check_forced(&l, ops, ROWS, n, s);
                }
            }
        }
    }
}

/* The shares of the budgets that beams take, and error variances times budgets. */
static void check_power(const struct lanes *l, const struct kernel_ops *ops, int n)
{
    const int w = ops->n_lane;
    for (int i = 0; i < APS * n * w; i++) {
        const int s = i % w, k = i / w % n, m = i / w / n;
        double want = 0;
        for (int a = 0; a < ANTENNAS; a++) {
            want += pow(cabs(entry(l->A, w, s, (m * ANTENNAS + a) * n + k)), 2);
        }
        want /= (double)l->P[m * w + s];
        assert_true(fabs((double)l->b[i] - want) < 1e-5 * want);
    }
}

/* What the powers eta of lane s give, straight from the formula; share of the worst AP in *use. */
static double lane_sinr(const struct lanes *l, const struct kernel_links *links, int w, int s, int k, double *use)
{
    double interference = links->noise ? (double)links->noise[k * w + s] : 1;
    *use = 0;
    for (int m = 0; m < links->n_ap; m++) {
        double share = 0;
        for (int j = 0; j < links->n; j++) {
            share += (double)links->b[(m * links->n + j) * w + s] * (double)l->eta[j * w + s];
        }
        *use = fmax(*use, share);
        interference += (double)links->E[(m * links->n + k) * w + s] * share;
    }
    for (int j = 0; links->F && j < links->n; j++) {
        interference += (double)links->F[(k * links->n + j) * w + s] * (double)l->eta[j * w + s];
    }
    return (double)l->eta[k * w + s] / interference;
}

/* Powers for equal received power, or max-min, over these links: budgets, SINRs and balance. */
static void check_shares(struct lanes *l, const struct kernel_ops *ops, const struct kernel_links *links, bool maxmin)
{
    const int n = links->n, w = ops->n_lane;
    if (maxmin) {
        ops->maxmin(links, 100, 1e-5f, l->eta, l->share, l->interference, l->spread);
    } else {
        ops->received(links, l->eta, l->share);
    }
    const float guard = maxmin ? 1 : 0.9f; /* less than full power does not keep max-min SINRs equal */
    ops->finish(links, guard, l->share, l->eta, l->sinr);
    for (int i = 0; i < n * w; i++) { /* back from amplitudes to powers */
        l->eta[i] *= l->eta[i];
    }
    for (int i = 0; i < n * w; i++) {
        const int k = i / w, s = i % w;
        double use;
        const double sinr = lane_sinr(l, links, w, s, k, &use);
        assert_true(fabs(use / (double)guard - 1) < 1e-5);
        assert_true(fabs((double)l->sinr[i] / sinr - 1) < 1e-5);
        const double gains = links->noise ? (double)links->noise[s] / (double)links->noise[i] : 1; /* squared */
        assert_true(fabs(gains * (double)l->eta[i] / (double)l->eta[s] - 1) < 1e-6 || maxmin);
        assert_true(fabs((double)l->sinr[i] / (double)l->sinr[s] - 1) < 1e-4 || !maxmin);
        assert_true(!maxmin || l->spread[s] <= 1e-5f);
    }
}

static void lanes_share_power(void **state)
{
    (void)state;
    static struct lanes l;
    static float F[USERS * USERS * KERNEL_LANES_MAX], noise[USERS * KERNEL_LANES_MAX];
    for (int v = 0; test_variant(v); v++) {
        const struct kernel_ops *ops = test_variant(v);
        for (int n = 1; n <= USERS; n++) {
            lanes_fill(&l, ops, n);
            ops->zf(APS, ANTENNAS, n, l.packed, l.P, l.work, l.A, l.b, l.pivot);
            check_power(&l, ops, n);
            const float first = l.E[0], budget = l.P[0];
            ops->weigh(APS, n, l.P, l.E);
            assert_true(fabsf(l.E[0] - first * budget) <= 1e-6f * l.E[0]);
            for (int i = 0; i < n * n * ops->n_lane; i++) {
                F[i] = i / ops->n_lane % (n + 1) == 0 ? 0 : (float)(uniform() + 0.5);
                noise[i / n] = (float)(1 + uniform());
            }
            const struct kernel_links alone = {.n_ap = APS, .n = n, .E = l.E, .b = l.b},
                                      mixed = {.n_ap = APS, .n = n, .F = F, .noise = noise, .E = l.E, .b = l.b};
            for (int maxmin = 0; maxmin < 2; maxmin++) {
                check_shares(&l, ops, &alone, maxmin);
                check_shares(&l, ops, &mixed, maxmin);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_kernels_match_plain_loops),
        cmocka_unit_test(packing_there_and_back),
        cmocka_unit_test(what_is_not_finite_is_told),
        cmocka_unit_test(lanes_zero_force),
        cmocka_unit_test(lanes_end_in_any_row),
        cmocka_unit_test(lanes_share_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
