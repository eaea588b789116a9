/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Powers of a block and the yardsticks: minima against plain arithmetic, optimality conditions, closed forms. */
#include "random_links.h"
#include "rlspa/block.h"
#include "rlspa/descent.h"
#include "rlspa/nnls.h"
#include "rlspa/rate.h"
#include "rlspa/symbol.h"
#include "rlspa/yardstick.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double b_re[N_MOST * N_MOST], b_im[N_MOST * N_MOST], w2[N_MOST];
static double x_re[N_MOST * T_MOST], x_im[N_MOST * T_MOST];
static double power[N_MOST], ridge[N_MOST], p[N_MOST], other[N_MOST];
static struct links links = {.B = {b_re, b_im}};
static struct split X = {x_re, x_im};

/* With the sample covariance the block's vector minimises the cost summed over the block's symbols. */
static void the_sample_covariance_gives_the_blocks_minimum(void **state)
{
    (void)state;
    static double c_re[N_MOST * N_MOST], c_im[N_MOST * N_MOST], work[8 * N_MOST * N_MOST];
    struct split Cx = {c_re, c_im};
    for (int n = 1; n <= 12; n += 3) {
        const int T = 9;
        random_links((uint64_t)n, n, 0.4, 10, 1, &links, w2);
        random_fill(50 + (uint64_t)n, (size_t)(n * T), &X);
        block_covariance(n, T, &X, &Cx);
        for (int k = 0; k < n; k++) {
            ridge[k] = 0.2 + 0.1 * k;
        }
        assert_true(block_work(n) <= sizeof work / sizeof *work);
        block_solve_full(&links, &Cx, ridge, LINKS_RAW, work, p);
        for (int j = -1; j < 2 * n; j++) { /* the cost along every coordinate, both ways */
            static double least;
            double cost = 0;
            memcpy(other, p, sizeof other);
            if (j >= 0) {
                other[j / 2] += j % 2 ? 1e-3 : -1e-3;
            }
            for (int t = 0; t < T; t++) {
                const struct split x = {x_re + t, x_im + t};
                double spread[N_MOST * T_MOST];
                for (int k = 0; k < n; k++) {
                    spread[k * T] = other[k];
                }
                cost += symbol_cost(&links, &x, 0, spread, (size_t)T) / T;
            }
            for (int k = 0; k < n; k++) {
                cost += ridge[k] * other[k] * other[k];
            }
            assert_true(j < 0 || cost > least);
            least = j < 0 ? cost : least;
        }
    }
}

/* Cx = I: the general solution and the closed form agree, for every ridge. */
static void the_closed_form_is_the_solution_for_white_symbols(void **state)
{
    (void)state;
    static double c_re[N_MOST * N_MOST], c_im[N_MOST * N_MOST], work[8 * N_MOST * N_MOST];
    const struct split Cx = {c_re, c_im};
    const int n = 9;
    random_links(3, n, 0.2, 20, 1e-5, &links, w2);
    for (int k = 0; k < n; k++) {
        power[k] = 1e-11 * (1 + k);
        c_re[k * n + k] = 1;
    }
    const struct block_error error = {3e-11, power};
    for (int kind = BLOCK_NONE; kind <= BLOCK_WIENER; kind++) {
        block_ridge((enum block_ridge)kind, &links, &error, NULL, ridge);
        block_solve(&links, ridge, LINKS_FULL, p);
        block_solve_full(&links, &Cx, ridge, LINKS_FULL, work, other);
        for (int k = 0; k < n; k++) {
            assert_true(p[k] > 0 && fabs(p[k] - other[k]) < 1e-9 * p[k]);
        }
        assert_true(fabs(links_power(&links, p, 1) - links.Pt) < 1e-12);
    }
}

/* The ridges by their definitions, and in the order that they must have. */
static void ridges_are_what_they_are_called(void **state)
{
    (void)state;
    const int n = 6;
    double cx[N_MOST], lam[N_MOST], wc[N_MOST], sum = 0;
    random_links(3, n, 0.2, 20, 1, &links, w2);
    for (int k = 0; k < n; k++) {
        power[k] = 0.1 * (1 + k);
        cx[k] = 1 + 0.2 * k;
        sum += w2[k] * cx[k];
    }
    const struct block_error error = {0.7, power};
    block_ridge(BLOCK_LAM, &links, &error, cx, lam);
    block_ridge(BLOCK_WC, &links, &error, cx, wc);
    for (int k = 0; k < n; k++) {
        assert_true(fabs(lam[k] - links.rho * 0.7 * sum) < 1e-12 && lam[k] > wc[k]);
        assert_true(fabs(wc[k] - links.rho * 0.7 * w2[k] * cx[k]) < 1e-12);
    }
    block_ridge(BLOCK_BAYES, &links, &error, cx, lam);
    block_ridge(BLOCK_WIENER, &links, &error, cx, wc);
    for (int k = 0; k < n; k++) {
        assert_true(fabs(lam[k] - links.rho * power[k] * cx[k]) < 1e-12);
        assert_true(fabs(wc[k] - lam[k] - w2[k] * n * links.sigma2 / links.Pt) < 1e-12);
    }
    block_ridge(BLOCK_BAYES, &links, &error, NULL, wc);
    assert_true(fabs(wc[2] - links.rho * power[2]) < 1e-12);
}

/* Without a budget in the way, descent ends in the closed form; thirty steps from equal powers are not there yet. */
static void descent_ends_in_the_closed_form(void **state)
{
    (void)state;
    const int n = 8;
    double h[N_MOST];
    random_links(7, n, 0.05, 20, 1, &links, w2);
    links.Pt = 1e9;
    for (int k = 0; k < n; k++) {
        ridge[k] = 0.01 * k;
    }
    block_solve(&links, ridge, LINKS_RAW, p);
    descent_solve(&links, ridge, 20000, LINKS_PAPER, h, other);
    double far = 0;
    for (int k = 0; k < n; k++) {
        assert_true(fabs(p[k] - other[k]) < 1e-9 * p[k]);
    }
    descent_solve(&links, ridge, 30, LINKS_PAPER, h, other);
    for (int k = 0; k < n; k++) {
        far = fmax(far, fabs(p[k] - other[k]) / p[k]);
    }
    assert_true(far > 0.1);
    links.Pt = 1e-3;
    descent_solve(&links, NULL, 30, LINKS_PAPER, h, other);
    assert_true(links_power(&links, other, 1) <= links.Pt * (1 + 1e-12));
}

/* Karush-Kuhn-Tucker conditions of the exact solution, budget in reach and not; nobody negative. */
static void nnls_satisfies_its_conditions(void **state)
{
    (void)state;
    static double N[N_MOST * N_MOST], r[N_MOST];
    int clipped = 0, bound = 0, slack = 0;
    nnls_t *nnls;
    assert_int_equal(nnls_create(&nnls, N_MOST), 0);
    for (int trial = 0; trial < 60; trial++) {
        const int n = 1 + trial % 12;
        double violation = 0, size = 0;
        random_links((uint64_t)trial, n, 0.6, 10, 1e-5, &links, w2);
        random_fill(1000 + (uint64_t)trial, (size_t)n, &X);
        links.Pt = trial % 2 ? 1e-2 * 1e10 : 1e3 * 1e10;
        symbol_normal(&links, &X, 1e-13, 1, N, r);
        const double mu = nnls_execute(nnls, &links, N, r, p);
        for (int k = 0; k < n; k++) {
            double g = mu * w2[k] * p[k] - r[k];
            for (int j = 0; j < n; j++) {
                g += N[k * n + j] * p[j];
            }
            assert_true(p[k] >= 0);
            violation = fmax(violation, p[k] > 0 ? fabs(g) : -g);
            size = fmax(size, fabs(r[k]));
            clipped += p[k] == 0;
        }
        assert_true(violation <= 1e-9 * size);
        assert_true(mu > 0 ? fabs(links_power(&links, p, 1) / links.Pt - 1) < 1e-9
                           : links_power(&links, p, 1) <= links.Pt);
        *(mu > 0 ? &bound : &slack) += 1;
    }
    assert_true(clipped > 20 && bound > 10 && slack > 10);
    nnls_destroy(nnls);
    nnls_destroy(NULL);
}

/* Water level: e_k cost_k + cost_k / gain_k is the same for all that get water and not below for those that do not. */
static void water_stands_level(void **state)
{
    (void)state;
    double gain[N_MOST], cost[N_MOST];
    int order[N_MOST], dry = 0;
    for (int trial = 0; trial < 50; trial++) {
        const int n = 1 + trial % 16;
        double used = 0, level = 0;
        for (int k = 0; k < n; k++) {
            gain[k] = pow(10, 3 * random_uniform((uint64_t)trial, (uint64_t)k) - 1);
            cost[k] = 0.5 + random_uniform((uint64_t)trial + 500, (uint64_t)k);
        }
        yardstick_waterfill(n, gain, cost, 0.9, order, p);
        for (int k = 0; k < n; k++) {
            used += cost[k] * p[k] * p[k];
            level = p[k] > 0 ? cost[k] * p[k] * p[k] + cost[k] / gain[k] : level;
        }
        assert_true(fabs(used - 0.9) < 1e-12);
        for (int k = 0; k < n; k++) {
            const double here = cost[k] * p[k] * p[k] + cost[k] / gain[k];
            assert_true(p[k] > 0 ? fabs(here - level) < 1e-12 * level : here >= level * (1 - 1e-12));
            dry += p[k] == 0;
        }
    }
    assert_true(dry > 20);
}

/* The rate grows with the iterations, keeps the budget, ends where no small change helps. */
static void wmmse_climbs_to_a_local_maximum(void **state)
{
    (void)state;
    static double F[N_MOST * N_MOST], work[N_MOST * (N_MOST + 4)];
    for (int trial = 0; trial < 10; trial++) {
        const int n = 2 + trial;
        double last = 0;
        random_links(40 + (uint64_t)trial, n, 0.2, 20, 1e-5, &links, w2);
        for (int i = 0; i < n * n; i++) {
            F[i] = 1e-13 * random_uniform(60, (uint64_t)i);
        }
        for (int iterations = 0; iterations <= 2000; iterations = 2 * iterations + 1) {
            yardstick_wmmse(&links, F, iterations, work, p);
            const double rate = rate_sinr(&links, F, p, NULL);
            assert_true(rate >= last * (1 - 1e-9));
            assert_true(links_power(&links, p, 1) <= links.Pt * (1 + 1e-9));
            last = rate;
        }
        for (int step = 0; step < 2 * n; step++) {
            memcpy(other, p, sizeof other);
            other[step / 2] *= step % 2 ? 1.02 : 0.98;
            links_project(&links, LINKS_FULL, other, 1);
            assert_true(rate_sinr(&links, F, other, NULL) <= last * (1 + 1e-6));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_covariance_gives_the_blocks_minimum),
        cmocka_unit_test(the_closed_form_is_the_solution_for_white_symbols),
        cmocka_unit_test(ridges_are_what_they_are_called),
        cmocka_unit_test(descent_ends_in_the_closed_form),
        cmocka_unit_test(nnls_satisfies_its_conditions),
        cmocka_unit_test(water_stands_level),
        cmocka_unit_test(wmmse_climbs_to_a_local_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
