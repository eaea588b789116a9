/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Eigenvalues by their definition, least-norm solutions by theirs. */
#include "linalg/symmetric.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 24 };

static uint64_t counter = 1;

static double uniform(void)
{
    counter = counter * 6364136223846793005u + 1442695040888963407u;
    return (double)(counter >> 11) / 9007199254740992.0 - 0.5;
}

/* A = F F^T of rank m, scaled. */
static void low_rank(int n, int m, double scale, double *A)
{
    double F[MOST * MOST];
    for (int i = 0; i < n * m; i++) {
        F[i] = uniform();
    }
    for (int i = 0; i < n * n; i++) {
        A[i] = 0;
        for (int k = 0; k < m; k++) {
            A[i] += scale * F[i / n * m + k] * F[i % n * m + k];
        }
    }
}

static void the_sum_of_its_parts_is_the_matrix(void **state)
{
    (void)state;
    double A[MOST * MOST], D[MOST * MOST], V[MOST * MOST];
    for (int n = 1; n <= MOST; n++) {
        double largest = 0;
        low_rank(n, n, 1e-9, A);
        for (int i = 0; n > 3 && i < n; i++) { /* not positive definite in general */
            A[i * n + i] -= 1e-9;
        }
        memcpy(D, A, sizeof D);
        symmetric_eigen(n, D, V);
        for (int i = 0; i < n; i++) {
            largest = fmax(largest, fabs(D[i * n + i]));
        }
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                double a = 0, orthogonal = 0;
                for (int k = 0; k < n; k++) {
                    a += D[k * n + k] * V[k * n + i] * V[k * n + j];
                    orthogonal += V[i * n + k] * V[j * n + k];
                }
                assert_true(fabs(a - A[i * n + j]) <= 1e-13 * largest);
                assert_true(fabs(orthogonal - (i == j)) < 1e-13);
            }
        }
    }
}

/* x solves A x = A y and lies in the range of A: the shortest of all solutions. */
static void the_solution_is_the_shortest(void **state)
{
    (void)state;
    double A[MOST * MOST], D[MOST * MOST], V[MOST * MOST], b[MOST], x[MOST], y[MOST], z[MOST];
    for (int n = 2; n <= MOST; n += 3) {
        double length = 0, other = 0;
        low_rank(n, 1 + n / 2, 1e6, A);
        for (int i = 0; i < n; i++) {
            y[i] = uniform();
            other += y[i] * y[i];
        }
        for (int i = 0; i < n; i++) {
            b[i] = 0;
            for (int j = 0; j < n; j++) {
                b[i] += A[i * n + j] * y[j];
            }
        }
        memcpy(D, A, sizeof D);
        symmetric_eigen(n, D, V);
        symmetric_solve(n, D, V, 1e-10, b, x);
        for (int i = 0; i < n; i++) {
            double back = 0;
            for (int j = 0; j < n; j++) {
                back += A[i * n + j] * x[j];
            }
            length += x[i] * x[i];
            assert_true(fabs(back - b[i]) < 1e-6);
        }
        assert_true(n == 2 || length < other); /* rank 2 of 2 is all */
        symmetric_solve(n, D, V, 1e-10, x, z); /* in the range: x = A z */
        for (int i = 0; i < n; i++) {
            double back = 0;
            for (int j = 0; j < n; j++) {
                back += A[i * n + j] * z[j];
            }
            assert_true(fabs(back - x[i]) < 1e-9);
        }
    }
}

/* [[2, j], [-j, 2]] has the eigenvalues 1 and 3. */
static void the_embedding_has_every_eigenvalue_twice(void **state)
{
    (void)state;
    const double re[] = {2, 0, 0, 2}, im[] = {0, 1, -1, 0};
    double A[16], V[16];
    int n_one = 0, n_three = 0;
    symmetric_embed(2, re, im, A);
    symmetric_eigen(4, A, V);
    for (int i = 0; i < 4; i++) {
        n_one += fabs(A[i * 4 + i] - 1) < 1e-14;
        n_three += fabs(A[i * 4 + i] - 3) < 1e-14;
    }
    assert_true(n_one == 2 && n_three == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_of_its_parts_is_the_matrix),
        cmocka_unit_test(the_solution_is_the_shortest),
        cmocka_unit_test(the_embedding_has_every_eigenvalue_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
