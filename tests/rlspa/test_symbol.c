/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Powers per symbol against the definition with A formed (eqs. (12), (26) to (29)), in all variants of the inner loop;
 * systems without full rank; the projections. */
#include "random_links.h"
#include "rlspa/normal.h"
#include "rlspa/symbol.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double b_re[N_MOST * N_MOST], b_im[N_MOST * N_MOST], w2[N_MOST];
static double x_re[N_MOST * T_MOST], x_im[N_MOST * T_MOST], lambda[T_MOST], P[N_MOST * T_MOST];
static struct links links = {.B = {b_re, b_im}};
static struct split X = {x_re, x_im};

/* Gradient of ||x - A p||^2 + lambda ||p||^2 at p, half of it, and the size of its terms; A formed entry by entry. */
static void gradient(int T, int t, const double *p, double *g, double *size)
{
    const int n = links.n;
    double er[N_MOST], ei[N_MOST];
    *size = 0;
    for (int i = 0; i < n; i++) {
        er[i] = x_re[i * T + t];
        ei[i] = x_im[i * T + t];
        for (int j = 0; j < n; j++) {
            const double c = sqrt(links.rho) * p[j], xr = x_re[j * T + t], xi = x_im[j * T + t];
            er[i] -= c * (b_re[i * n + j] * xr - b_im[i * n + j] * xi);
            ei[i] -= c * (b_re[i * n + j] * xi + b_im[i * n + j] * xr);
        }
    }
    for (int j = 0; j < n; j++) {
        g[j] = lambda[t] * p[j];
        for (int i = 0; i < n; i++) {
            const double c = sqrt(links.rho), xr = x_re[j * T + t], xi = x_im[j * T + t];
            const double ar = c * (b_re[i * n + j] * xr - b_im[i * n + j] * xi);
            const double ai = c * (b_re[i * n + j] * xi + b_im[i * n + j] * xr);
            g[j] -= ar * er[i] + ai * ei[i];
            *size = fmax(*size, fabs(ar * x_re[i * T + t] + ai * x_im[i * T + t]));
        }
    }
}

static void every_variant(void (*test)(symbol_t *symbol))
{
    symbol_t *symbol;
    assert_int_equal(symbol_create(&symbol, N_MOST), 0);
    for (int v = 0; symbol_variant_name(v); v++) {
        symbol_variant(symbol, v);
        test(symbol);
    }
    assert_non_null(symbol_variant_name(0));
    symbol_destroy(symbol);
    symbol_destroy(NULL);
}

static void check_minimum(symbol_t *symbol)
{
    static const double lambdas[] = {0, 1e-14, 1e-10, 1e-6};
    for (int n = 1; n <= N_MOST; n += n < 8 ? 1 : 5) {
        for (size_t i = 0; i < 4; i++) {
            const int T = 1 + n % T_MOST;
            random_links((uint64_t)n, n, 0.1, 20, 1e-4, &links, w2);
            random_fill(99 + (uint64_t)n, (size_t)(n * T), &X);
            for (int t = 0; t < T; t++) {
                lambda[t] = lambdas[i] * (1 + t);
            }
            symbol_load(symbol, &links);
            symbol_execute(symbol, T, &X, lambda, LINKS_RAW, P);
            for (int t = 0; t < T; t++) {
                double p[N_MOST], g[N_MOST], size;
                for (int k = 0; k < n; k++) {
                    p[k] = P[k * T + t];
                }
                gradient(T, t, p, g, &size);
                for (int k = 0; k < n; k++) {
                    assert_true(fabs(g[k]) <= 1e-9 * size);
                }
            }
        }
    }
}

static void the_gradient_vanishes(void **state)
{
    (void)state;
    every_variant(check_minimum);
}

/* x = 0 gives p = 0; x_k = 0 without regularisation p_k = 0; two equal columns share equally (least norm). */
static void check_degenerate(symbol_t *symbol)
{
    const int n = 5, T = 7;
    random_links(4, n, 0.1, 10, 1e-5, &links, w2);
    random_fill(5, (size_t)(n * T), &X);
    memset(lambda, 0, sizeof lambda);
    for (int k = 0; k < n; k++) {
        x_re[k * T + 2] = x_im[k * T + 2] = 0;
    }
    x_re[3 * T + 4] = x_im[3 * T + 4] = 0;
    for (int i = 0; i < n; i++) { /* in symbol 6 users 0 and 1 are the same column of A */
        b_re[i * n + 1] = b_re[i * n];
        b_im[i * n + 1] = b_im[i * n];
    }
    for (int t = 0; t < T; t++) {
        x_re[T + t] = t == 6 ? x_re[t] : x_re[T + t];
        x_im[T + t] = t == 6 ? x_im[t] : x_im[T + t];
    }
    symbol_load(symbol, &links);
    symbol_execute(symbol, T, &X, lambda, LINKS_RAW, P);
    for (int i = 0; i < n * T; i++) {
        assert_true(isfinite(P[i]));
        assert_true(i % T != 2 || P[i] == 0);
    }
    assert_true(P[3 * T + 4] == 0 && P[2 * T + 4] != 0);
    assert_true(P[6] != 0 && fabs(P[6] - P[T + 6]) <= 1e-6 * fabs(P[6]));
    links.n = 1;
    symbol_load(symbol, &links);
    symbol_execute(symbol, 1, &X, lambda, LINKS_FULL, P);
    assert_true(fabs(w2[0] * P[0] * P[0] - links.Pt) < 1e-12 * links.Pt);
}

static void singular_systems_give_the_least_norm(void **state)
{
    (void)state;
    every_variant(check_degenerate);
}

/* A large lambda: p ~ Re(A^H x) / lambda; and lambda itself is eq. (27). */
static void check_large_lambda(symbol_t *symbol)
{
    const int n = 6, T = 3;
    random_links(8, n, 0.3, 10, 1e-5, &links, w2);
    random_fill(9, (size_t)(n * T), &X);
    symbol_lambda(&links, 0.25, T, &X, lambda);
    for (int t = 0; t < T; t++) {
        double want = 0;
        for (int k = 0; k < n; k++) {
            want += w2[k] * (x_re[k * T + t] * x_re[k * T + t] + x_im[k * T + t] * x_im[k * T + t]);
        }
        assert_true(fabs(lambda[t] - links.rho * 0.25 * want) < 1e-12 * want);
        lambda[t] = 1e200;
    }
    symbol_load(symbol, &links);
    symbol_execute(symbol, T, &X, lambda, LINKS_RAW, P);
    for (int t = 0; t < T; t++) {
        double N[N_MOST * N_MOST], r[N_MOST];
        const struct split x = {x_re + t, x_im + t};
        symbol_normal(&links, &x, 0, (size_t)T, N, r);
        for (int k = 0; k < n; k++) {
            assert_true(fabs(P[k * T + t] * 1e200 - r[k]) <= 1e-12 * fabs(r[k]));
        }
    }
}

static void a_large_lambda_leaves_the_matched_filter(void **state)
{
    (void)state;
    every_variant(check_large_lambda);
}

/* The cost function is the one that the gradient belongs to. */
static void the_cost_is_least_there(void **state)
{
    (void)state;
    const int n = 7;
    symbol_t *symbol;
    double p[N_MOST];
    random_links(21, n, 0.5, 10, 1, &links, w2);
    random_fill(22, (size_t)n, &X);
    lambda[0] = 0.3;
    assert_int_equal(symbol_create(&symbol, n), 0);
    symbol_load(symbol, &links);
    symbol_execute(symbol, 1, &X, lambda, LINKS_RAW, p);
    symbol_destroy(symbol);
    const double least = symbol_cost(&links, &X, lambda[0], p, 1);
    for (int k = 0; k < n; k++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            const double kept = p[k], h = 1e-3 * sign;
            double g[N_MOST], size;
            p[k] += h;
            gradient(1, 0, p, g, &size);
            const double cost = symbol_cost(&links, &X, lambda[0], p, 1); /* a parabola: half the slope times h */
            assert_true(cost > least && fabs(cost - least - g[k] * h) < 1e-9 * cost);
            p[k] = kept;
        }
    }
}

static void projections_keep_the_budget(void **state)
{
    (void)state;
    double p[3][N_MOST];
    random_links(1, 4, 0, 0, 1, &links, w2);
    const double raw[] = {2, -1, 0.5, 1};
    for (int i = 0; i < 3; i++) {
        memcpy(p[i], raw, sizeof raw);
        links_project(&links, i == 0 ? LINKS_PAPER : i == 1 ? LINKS_SWAP : LINKS_FULL, p[i], 1);
        assert_true(p[i][1] == 0 && p[i][0] > 0);
    }
    assert_true(links_power(&links, p[0], 1) < 0.95 * links.Pt); /* scaled while the negative one still counted */
    assert_true(fabs(links_power(&links, p[1], 1) - links.Pt) < 1e-12);
    assert_true(fabs(links_power(&links, p[2], 1) - links.Pt) < 1e-12);
    for (int i = 0; i < 3; i++) { /* within the budget: left alone, but for full */
        const double small[] = {0.02, -0.01, 0.005, 0.01};
        memcpy(p[i], small, sizeof small);
        links_project(&links, i == 0 ? LINKS_PAPER : i == 1 ? LINKS_SWAP : LINKS_FULL, p[i], 1);
        assert_true(i == 2 ? fabs(links_power(&links, p[i], 1) - links.Pt) < 1e-12 : p[i][0] == 0.02);
    }
    const double negative[] = {-1, -2, -3, -4};
    memcpy(p[0], negative, sizeof negative);
    links_project(&links, LINKS_FULL, p[0], 1);
    for (int k = 0; k < 4; k++) {
        assert_true(p[0][k] == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_vanishes),
        cmocka_unit_test(singular_systems_give_the_least_norm),
        cmocka_unit_test(a_large_lambda_leaves_the_matched_filter),
        cmocka_unit_test(the_cost_is_least_there),
        cmocka_unit_test(projections_keep_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
