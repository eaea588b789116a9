/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Combining and fusion of uplink data: against the formula over all antennas at once, against received symbols drawn
 * here, and against every other weight. */
#include "base/error.h"
#include "channel/random.h"
#include "mimo/combine.h"
#include "mimo/fuse.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { L = 4, N = 2, K = 3, ROWS = L * N };

struct network {
    uint64_t state;
    tutti_cf32 G[ROWS * K];
    float e[L * K];
    double z[L];
};

static double complex gaussian(struct network *net, double variance)
{
    float re, im;
    random_normal(net->state++, 0, &re, &im);
    return sqrt(variance / 2) * CMPLX((double)re, (double)im);
}

static void make(struct network *net, uint64_t seed)
{
    net->state = seed << 32;
    for (int l = 0; l < L; l++) {
        const double gain = 20 * random_uniform(net->state++, 0);
        for (int k = 0; k < K; k++) {
            net->e[l * K + k] = (float)(0.3 * random_uniform(net->state++, 0));
            for (int n = 0; n < N; n++) {
                net->G[(l * N + n) * K + k] = (tutti_cf32)gaussian(net, gain * random_uniform(net->state++, 1));
            }
        }
        net->z[l] = combine_noise(K, net->e + l * K);
    }
}

static void solve(const struct network *net, enum combine_kind kind, double complex *T, double *gain, double *sinr)
{
    combine_t *combine;
    assert_int_equal(combine_create(&combine, K), 0);
    combine_begin(combine, kind);
    for (int l = 0; l < L; l++) {
        combine_add(combine, N, net->G + l * N * K, net->z[l]);
    }
    assert_int_equal(combine_solve(combine, T, gain, sinr), 0);
    combine_destroy(combine);
}

/* v_k over all antennas from T. */
static void vectors(const struct network *net, enum combine_kind kind, const double complex *T, double complex *V)
{
    for (int i = 0; i < ROWS * K; i++) {
        V[i] = 0;
        for (int j = 0; j < K; j++) {
            V[i] += combine_weight(kind, net->z[i / K / N]) * (double complex)net->G[i / K * K + j] * T[j * K + i % K];
        }
    }
}

static double power_of(double complex x)
{
    return creal(x) * creal(x) + cimag(x) * cimag(x);
}

/* (5.5) of any vector. */
static double sinr_of(const struct network *net, const double complex *V, int k)
{
    double signal = 0, disturbance = 0;
    for (int i = 0; i < K; i++) {
        double complex sum = 0;
        for (int a = 0; a < ROWS; a++) {
            sum += conj(V[a * K + k]) * (double complex)net->G[a * K + i];
        }
        *(i == k ? &signal : &disturbance) += power_of(sum);
    }
    for (int a = 0; a < ROWS; a++) {
        disturbance += net->z[a / N] * power_of(V[a * K + k]);
    }
    return signal / disturbance;
}

static void the_sinr_is_that_of_the_vectors(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct network net;
        double best[K] = {0};
        make(&net, seed);
        for (int i = 0; i < 3; i++) {
            static const enum combine_kind KINDS[] = {COMBINE_MMSE, COMBINE_ZF, COMBINE_MR};
            const enum combine_kind kind = KINDS[i];
            double complex T[K * K], V[ROWS * K];
            double gain[K], sinr[K];
            solve(&net, kind, T, gain, sinr);
            vectors(&net, kind, T, V);
            for (int k = 0; k < K; k++) {
                double complex own = 0, other = 0;
                for (int a = 0; a < ROWS; a++) {
                    own += conj(V[a * K + k]) * (double complex)net.G[a * K + k];
                    other += conj(V[a * K + k]) * (double complex)net.G[a * K + (k + 1) % K];
                }
                assert_true(cabs(own - gain[k]) < 1e-9 * gain[k]);
                assert_true(kind != COMBINE_ZF || (cabs(other) < 1e-6 && fabs(gain[k] - 1) < 1e-9));
                assert_true(fabs(sinr_of(&net, V, k) / sinr[k] - 1) < 1e-9);
                best[k] = kind == COMBINE_MMSE ? sinr[k] : best[k];
                assert_true(sinr[k] <= best[k] * (1 + 1e-9));
            }
        }
    }
}

/* The optimum of a Rayleigh quotient: no vector near it and none at random does better. */
static void no_vector_beats_mmse(void **state)
{
    (void)state;
    struct network net;
    double complex T[K * K], V[ROWS * K], other[ROWS * K];
    double gain[K], sinr[K];
    make(&net, 77);
    solve(&net, COMBINE_MMSE, T, gain, sinr);
    vectors(&net, COMBINE_MMSE, T, V);
    for (int trial = 0; trial < 2000; trial++) {
        const double size = pow(10, -4 * random_uniform(net.state++, 0));
        for (int i = 0; i < ROWS * K; i++) {
            other[i] = V[i] + size * gaussian(&net, 1);
        }
        for (int k = 0; k < K; k++) {
            assert_true(sinr_of(&net, other, k) <= sinr[k] * (1 + 1e-9));
        }
    }
}

/* Symbols, estimation errors and noise drawn: what comes out behind the combiner has the SINR told. */
static void drawn_symbols_have_the_sinr_told(void **state)
{
    (void)state;
    enum { DRAWS = 40000 };
    struct network net;
    double complex T[K * K], V[ROWS * K];
    double gain[K], sinr[K], wrong[K] = {0};
    make(&net, 5);
    solve(&net, COMBINE_MMSE, T, gain, sinr);
    vectors(&net, COMBINE_MMSE, T, V);
    for (int draw = 0; draw < DRAWS; draw++) {
        double complex s[K], out[K] = {0};
        for (int k = 0; k < K; k++) {
            s[k] = gaussian(&net, 1);
        }
        for (int a = 0; a < ROWS; a++) {
            double complex y = gaussian(&net, 1);
            for (int k = 0; k < K; k++) {
                y += ((double complex)net.G[a * K + k] + gaussian(&net, (double)net.e[a / N * K + k])) * s[k];
            }
            for (int k = 0; k < K; k++) {
                out[k] += conj(V[a * K + k]) * y;
            }
        }
        for (int k = 0; k < K; k++) {
            wrong[k] += power_of(out[k] - gain[k] * s[k]);
        }
    }
    for (int k = 0; k < K; k++) {
        /* the user's own error moves with its symbol: it adds as noise does */
        assert_true(fabs(gain[k] * gain[k] / (wrong[k] / DRAWS) / sinr[k] - 1) < 0.03);
    }
}

/* Local streams of all APs: gains [l][i] of user k. */
static void local_of(const struct network *net, enum combine_kind kind, const bool *serves, int k, double complex *g,
                     double *f)
{
    combine_t *combine;
    tutti_cf32 V[N * K];
    double complex all[K * K];
    double noise[K];
    assert_int_equal(combine_create(&combine, K), 0);
    for (int l = 0; l < L; l++) {
        assert_int_equal(combine_local(combine, kind, N, net->G + l * N * K, net->e + l * K,
                                       serves ? serves + l * K : NULL, V, all, noise),
                         0);
        memcpy(g + l * K, all + k * K, K * sizeof *g);
        f[l] = noise[k];
        for (int n = 0; n < N; n++) {
            assert_true(!serves || serves[l * K + k] || cabsf(V[n * K + k]) == 0);
        }
    }
    combine_destroy(combine);
}

static void no_weights_beat_instant_fusion(void **state)
{
    (void)state;
    fuse_t *fuse;
    assert_int_equal(fuse_create(&fuse, L, K), 0);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        for (int local = 0; local < 2; local++) {
            const enum combine_kind kind = local ? COMBINE_MR : COMBINE_MMSE;
            struct network net;
            double complex g[L * K], a[L], other[L];
            double f[L];
            bool serves[L * K];
            make(&net, seed);
            for (int i = 0; i < L * K; i++) {
                serves[i] = i % 5 != 0;
            }
            for (int k = 0; k < K; k++) {
                local_of(&net, kind, serves, k, g, f);
                assert_int_equal(fuse_instant(fuse, k, g, f, a), 0);
                const double best = fuse_sinr(fuse, k, g, f, a);
                for (int l = 0; l < L; l++) {
                    assert_true(serves[l * K + k] || cabs(a[l]) == 0);
                }
                for (int trial = 0; trial < 200; trial++) {
                    const double size = pow(10, -3 * random_uniform(net.state++, 0));
                    for (int l = 0; l < L; l++) {
                        other[l] = a[l] + size * cabs(a[l]) * gaussian(&net, 1);
                    }
                    assert_true(fuse_sinr(fuse, k, g, f, other) <= best * (1 + 1e-9));
                }
            }
        }
    }
    double complex nothing[L * K] = {0}, a[L] = {1};
    double f[L] = {0};
    assert_int_equal(fuse_instant(fuse, 0, nothing, f, a), TUTTI_ENUMERIC);
    assert_true(cabs(a[0]) == 0);
    fuse_destroy(fuse);
}

/* Moments of MR over drawn channels and estimates, two users on one pilot. */
static void moments_are_those_of_drawn_channels(void **state)
{
    (void)state;
    enum { DRAWS = 60000 };
    struct network net = {.state = 99};
    const int pilot[K] = {0, 1, 0};
    double beta[L * K], gamma[L * K];
    double complex b[L], Q[L * L], mean[L] = {0}, second[L * L] = {0};
    for (int i = 0; i < L * K; i++) {
        beta[i] = 0.2 + 2 * random_uniform(net.state++, 0);
    }
    for (int i = 0; i < L * K; i++) {
        const int l = i / K, k = i % K;
        gamma[i] = 4 * beta[i] * beta[i] / (4 * (k == 1 ? beta[i] : beta[l * K] + beta[l * K + 2]) + 1);
    }
    fuse_mr_moments(L, K, N, 0, beta, gamma, pilot, b, Q);
    for (int draw = 0; draw < DRAWS; draw++) {
        double complex g[L][K] = {{0}};
        for (int a = 0; a < ROWS; a++) {
            const int l = a / N;
            double complex h[K], heard = gaussian(&net, 1);
            for (int k = 0; k < K; k++) {
                h[k] = gaussian(&net, beta[l * K + k]);
                heard += pilot[k] == 0 ? 2 * h[k] : 0;
            }
            const double c = 2 * beta[l * K] / (4 * (beta[l * K] + beta[l * K + 2]) + 1);
            for (int k = 0; k < K; k++) {
                g[l][k] += conj(c * heard) * h[k];
            }
        }
        for (int l = 0; l < L; l++) {
            mean[l] += g[l][0] / DRAWS;
            for (int i = 0; i < L * K; i++) {
                second[l * L + i / K] += g[l][i % K] * conj(g[i / K][i % K]) / DRAWS;
            }
        }
    }
    for (int i = 0; i < L * L; i++) {
        const int l = i / L, m = i % L;
        const double complex want = Q[i] + b[l] * b[m] - (l == m ? creal(b[l]) : 0); /* without noise */
        assert_true(cabs(mean[l] - b[l]) < 0.02 * creal(b[l]));
        assert_true(cabs(second[i] - want) <
                    0.03 * sqrt(creal(Q[l * L + l] + b[l] * b[l]) * creal(Q[m * L + m] + b[m] * b[m])));
    }
}

static void lsfd_is_the_best_of_its_moments(void **state)
{
    (void)state;
    struct network net = {.state = 3};
    double complex b[L], Q[L * L], a[L];
    double beta[L * K], gamma[L * K], best;
    const int pilot[K] = {0, 0, 1};
    fuse_t *fuse;
    for (int i = 0; i < L * K; i++) {
        beta[i] = 0.2 + 2 * random_uniform(net.state++, 0);
        gamma[i] = 0.7 * beta[i];
    }
    fuse_mr_moments(L, K, N, 0, beta, gamma, pilot, b, Q);
    assert_int_equal(fuse_create(&fuse, L, K), 0);
    assert_int_equal(fuse_lsfd(fuse, b, Q, a, &best), 0);
    for (int trial = 0; trial < 1000; trial++) {
        double complex signal = 0, disturbance = 0, other[L];
        for (int l = 0; l < L; l++) {
            other[l] = a[l] + pow(10, -3 * random_uniform(net.state++, 0)) * gaussian(&net, 1);
        }
        for (int i = 0; i < L * L; i++) {
            disturbance += conj(other[i / L]) * Q[i] * other[i % L];
            signal += i % L == 0 ? conj(other[i / L]) * b[i / L] : 0;
        }
        assert_true(power_of(signal) / creal(disturbance) <= best * (1 + 1e-9));
    }
    fuse_destroy(fuse);
}

/* Two users with one channel: ZF cannot, says so, and what it writes is finite. */
static void users_that_cannot_be_told_apart(void **state)
{
    (void)state;
    struct network net;
    double complex T[K * K];
    double gain[K], sinr[K];
    combine_t *combine;
    make(&net, 8);
    assert_int_equal(combine_create(&combine, K), 0);
    combine_begin(combine, COMBINE_ZF);
    for (int l = 0; l < L; l++) {
        for (int n = 0; n < N; n++) {
            net.G[(l * N + n) * K + 1] = net.G[(l * N + n) * K];
        }
        combine_add(combine, N, net.G + l * N * K, net.z[l]);
    }
    assert_int_equal(combine_solve(combine, T, gain, sinr), TUTTI_ENUMERIC);
    for (int k = 0; k < K; k++) {
        assert_true(isfinite(sinr[k]) && sinr[k] > 0 && isfinite(gain[k]));
    }
    combine_destroy(combine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sinr_is_that_of_the_vectors),     cmocka_unit_test(no_vector_beats_mmse),
        cmocka_unit_test(drawn_symbols_have_the_sinr_told),    cmocka_unit_test(no_weights_beat_instant_fusion),
        cmocka_unit_test(moments_are_those_of_drawn_channels), cmocka_unit_test(lsfd_is_the_best_of_its_moments),
        cmocka_unit_test(users_that_cannot_be_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
