/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "linalg/cmplx.h"
#include "linalg/small.h"

#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 20, ROWS = 30 };

static uint64_t seed = 1;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0 - 0.5;
}

struct matrix {
    double re[ROWS * MAX], im[ROWS * MAX];
};

static void fill(struct matrix *a, int n)
{
    for (int i = 0; i < n; i++) {
        a->re[i] = uniform();
        a->im[i] = uniform();
    }
}

static double complex at(const struct matrix *a, int i)
{
    return CMPLX(a->re[i], a->im[i]);
}

static void gram_is_the_weighted_product(void **state)
{
    (void)state;
    struct matrix a, g;
    double w[ROWS / 3];
    for (int i = 0; i < ROWS / 3; i++) {
        w[i] = 1 + uniform();
    }
    for (int n = 1; n <= MAX; n += 3) {
        fill(&a, ROWS * n);
        for (int weighted = 0; weighted < 2; weighted++) {
            small_gram(ROWS, n, a.re, a.im, weighted ? w : NULL, weighted ? 3 : 1, g.re, g.im);
            for (int k = 0; k < n; k++) {
                for (int j = 0; j < n; j++) {
                    double complex want = 0;
                    for (int r = 0; r < ROWS; r++) {
                        want += (weighted ? w[r / 3] : 1) * conj(at(&a, r * n + k)) * at(&a, r * n + j);
                    }
                    assert_true(cabs(at(&g, k * n + j) - want) < 1e-12);
                }
            }
        }
    }
}

static void cholesky_and_inverse_undo_the_product(void **state)
{
    (void)state;
    struct matrix a, g, l, x, y;
    for (int n = 1; n <= MAX; n++) {
        fill(&a, ROWS * n);
        small_gram(ROWS, n, a.re, a.im, NULL, 1, g.re, g.im);
        l = g;
        assert_int_equal(small_cholesky(n, l.re, l.im, 0), 0);
        small_lower_inverse(n, l.re, l.im, x.re, x.im);
        small_lower_square(n, x.re, x.im, y.re, y.im);
        for (int k = 0; k < n; k++) {
            for (int j = 0; j < n; j++) {
                double complex identity = 0, factor = 0;
                for (int p = 0; p < n; p++) {
                    identity += at(&g, k * n + p) * at(&y, p * n + j);
                    if (p <= k && p <= j) {
                        factor += at(&l, k * n + p) * conj(at(&l, j * n + p));
                    }
                }
                assert_true(cabs(identity - (k == j)) < 1e-8);
                assert_true(cabs(factor - at(&g, k * n + j)) < 1e-12);
            }
        }
        small_multiply(ROWS, n, a.re, a.im, y.re, y.im, g.re, g.im);
        for (int j = 0; j < n; j++) {
            for (int k = 0; k < n; k++) { /* A^H (A Y) = I */
                double complex product = 0;
                for (int r = 0; r < ROWS; r++) {
                    product += conj(at(&a, r * n + k)) * at(&g, r * n + j);
                }
                assert_true(cabs(product - (k == j)) < 1e-8);
            }
        }
    }
}

static void cholesky_names_the_bad_pivot(void **state)
{
    (void)state;
    double re[9] = {4, 0, 0, 2, 1, 0, 0, 0, 1}, im[9] = {0};
    assert_int_equal(small_cholesky(3, re, im, 1e-12), 2); /* second column depends on the first */
    double bad[1] = {NAN}, zero[1] = {0};
    assert_int_equal(small_cholesky(1, bad, zero, 0), 1);
    bad[0] = INFINITY;
    assert_int_equal(small_cholesky(1, bad, zero, 0), 1);
}

static void real_solvers_solve(void **state)
{
    (void)state;
    for (int n = 1; n <= MAX; n++) {
        double F[MAX * MAX], LU[MAX * MAX], x[MAX], b[MAX], A[MAX * MAX], X[MAX * MAX];
        for (int i = 0; i < n * n; i++) {
            F[i] = (uniform() + 0.5) / n;
            A[i] = uniform();
        }
        for (int i = 0; i < n * n; i++) {
            LU[i] = (i % (n + 1) == 0 ? 1.5 : 0) - F[i];
        }
        for (int i = 0; i < n; i++) {
            x[i] = b[i] = 1 + uniform();
        }
        assert_int_equal(small_lu_m_matrix(n, LU), 0);
        small_lu_solve(n, LU, x);
        for (int i = 0; i < n; i++) {
            double left = 1.5 * x[i];
            for (int j = 0; j < n; j++) {
                left -= F[i * n + j] * x[j];
            }
            assert_true(fabs(left - b[i]) < 1e-10 && x[i] > 0);
        }
        A[0] = 0; /* needs a row exchange */
        if (n > 1) {
            memcpy(LU, A, sizeof(double) * (size_t)(n * n));
            assert_int_equal(small_inverse(n, LU, X), 0);
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < n; j++) {
                    double product = 0;
                    for (int p = 0; p < n; p++) {
                        product += A[i * n + p] * X[p * n + j];
                    }
                    assert_true(fabs(product - (i == j)) < 1e-7);
                }
            }
        }
    }
    double singular[4] = {1, 2, 2, 4}, X[4], above[1] = {-0.1};
    assert_int_equal(small_inverse(2, singular, X), 2);
    assert_int_equal(small_lu_m_matrix(1, above), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gram_is_the_weighted_product),
        cmocka_unit_test(cholesky_and_inverse_undo_the_product),
        cmocka_unit_test(cholesky_names_the_bad_pivot),
        cmocka_unit_test(real_solvers_solve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
