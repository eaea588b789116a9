/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Artificial noise in the null space of an AP's strong users: the basis, and what is drawn outside it. */
#include "mimo/noise.h"
#include "reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N = 6, K = 5, DRAWS = 20000 };

struct place {
    tutti_cf32 H[N][K], Q[N + 1][N];
    uint8_t strong[K];
};

static void fill(struct place *p, struct random *random)
{
    for (int a = 0; a < N; a++) {
        for (int k = 0; k < K; k++) {
            p->H[a][k] = (tutti_cf32)random_cn(random);
        }
    }
    memset(p->strong, 1, K);
}

static double complex inner(const tutti_cf32 *a, const tutti_cf32 *b, int b_stride)
{
    double complex sum = 0;
    for (int i = 0; i < N; i++) {
        sum += conj((double complex)a[i]) * (double complex)b[i * b_stride];
    }
    return sum;
}

static void check_orthonormal(const struct place *p, int rank, double error)
{
    for (int r = 0; r < rank; r++) {
        for (int s = 0; s < rank; s++) {
            assert_true(cabs(inner(p->Q[r], p->Q[s], 1) - (r == s)) < error);
        }
    }
}

/* All of column k lies in the span. */
static void check_holds(const struct place *p, int rank, int k)
{
    double outside = 0, whole = 0;
    for (int i = 0; i < N; i++) {
        double complex v = p->H[i][k];
        whole += creal(v * conj(v));
        for (int r = 0; r < rank; r++) {
            v -= inner(p->Q[r], &p->H[0][k], K) * (double complex)p->Q[r][i];
        }
        outside += creal(v * conj(v));
    }
    assert_true(outside < 1e-12 * whole);
}

static void basis_of_the_strong(void **state)
{
    (void)state;
    struct random random = {61};
    for (int d = 0; d < 50; d++) {
        struct place p, other;
        fill(&p, &random);
        p.strong[1] = p.strong[3] = 0;
        assert_int_equal(noise_basis(N, K, &p.H[0][0], p.strong, &p.Q[0][0]), 3);
        check_orthonormal(&p, 3, 1e-6);
        check_holds(&p, 3, 0);
        check_holds(&p, 3, 2);
        check_holds(&p, 3, 4);
        other = p; /* the weak do not matter */
        for (int a = 0; a < N; a++) {
            other.H[a][1] = other.H[a][3] = (tutti_cf32)random_cn(&random);
        }
        noise_basis(N, K, &other.H[0][0], other.strong, &other.Q[0][0]);
        assert_memory_equal(p.Q, other.Q, 3 * sizeof p.Q[0]);
    }
}

/* Two users 60 dB apart from being one: once through Gram-Schmidt leaves 1e-4, twice must not. A third who is one of
 * them, or silent, does not count. */
static void dependent_users_count_once(void **state)
{
    (void)state;
    struct random random = {62};
    for (int d = 0; d < 50; d++) {
        struct place p;
        fill(&p, &random);
        for (int a = 0; a < N; a++) {
            p.H[a][1] = p.H[a][0] + 1e-3f * p.H[a][1];
            p.H[a][2] = CMPLXF(0, 2) * p.H[a][0];
            p.H[a][3] = 0;
        }
        assert_int_equal(noise_basis(N, K, &p.H[0][0], p.strong, &p.Q[0][0]), 3);
        check_orthonormal(&p, 3, 2e-6);
        check_holds(&p, 3, 4);
    }
}

/* As many strong users as antennas and more: nothing is written behind the basis, and no noise is left. */
static void more_users_than_antennas(void **state)
{
    (void)state;
    enum { FEW = 3 };
    struct random random = {63};
    struct splitmix generator = splitmix_make(1, 2);
    struct place p;
    tutti_cf32 H[FEW * K], Q[(FEW + 1) * FEW], v[FEW] = {7, 7, 7};
    fill(&p, &random);
    for (int i = 0; i < FEW * K; i++) {
        H[i] = p.H[i / K][i % K];
    }
    for (int i = FEW * FEW; i < (FEW + 1) * FEW; i++) {
        Q[i] = 42;
    }
    assert_int_equal(noise_basis(FEW, K, H, p.strong, Q), FEW);
    for (int i = FEW * FEW; i < (FEW + 1) * FEW; i++) {
        assert_true(Q[i] == 42);
    }
    noise_draw(FEW, FEW, Q, 1, &generator, v);
    assert_true(v[0] == 0 && v[1] == 0 && v[2] == 0);
}

/* v has the norm asked for, lies outside the span, and its mean covariance is that of the isotropic vector there:
 * amplitude^2 / (N - rank) (I - Q Q^H). Fixed seed; an entry's spread is at most amplitude^2 / sqrt(DRAWS (N - rank)).
 */
static void draws_are_isotropic_outside(void **state)
{
    (void)state;
    struct random random = {64};
    struct splitmix generator = splitmix_make(3, 4);
    static const float amplitude = 0.7f;
    struct place p;
    double complex sum[N][N] = {{0}};
    fill(&p, &random);
    p.strong[2] = 0;
    const int rank = noise_basis(N, K, &p.H[0][0], p.strong, &p.Q[0][0]);
    for (int d = 0; d < DRAWS; d++) {
        tutti_cf32 v[N];
        noise_draw(N, rank, &p.Q[0][0], amplitude, &generator, v);
        assert_true(fabs(sqrt(creal(inner(v, v, 1))) / (double)amplitude - 1) < 1e-6);
        for (int k = 0; k < K; k++) {
            assert_true(!p.strong[k] || cabs(inner(v, &p.H[0][k], K)) < 1e-5);
        }
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                sum[i][j] += (double complex)v[i] * conj((double complex)v[j]) / DRAWS;
            }
        }
    }
    const double power = (double)amplitude * (double)amplitude, spread = power / sqrt((double)DRAWS * (N - rank));
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            double complex want = i == j;
            for (int r = 0; r < rank; r++) {
                want -= (double complex)p.Q[r][i] * conj((double complex)p.Q[r][j]);
            }
            assert_true(cabs(sum[i][j] - power / (N - rank) * want) < 5 * spread);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basis_of_the_strong),
        cmocka_unit_test(dependent_users_count_once),
        cmocka_unit_test(more_users_than_antennas),
        cmocka_unit_test(draws_are_isotropic_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
