/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Phase-only zero-forcing against plain references: exhaustive search where it is small enough, closed forms, theory.
 */
#include "base/error.h"
#include "mimo/secrecy.h"
#include "mimo/spzf.h"
#include "mimo/spzf_core.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_N = 160, MAX_K = 12 };

static spzf_t *make(const struct spzf_settings *settings)
{
    spzf_t *spzf;
    assert_int_equal(spzf_create(&spzf, settings), 0);
    return spzf;
}

static spzf_t *make_default(enum spzf_method method, int n_ant, int n_user, int n_sets)
{
    struct spzf_settings settings = spzf_settings_default(method, n_ant, n_user);
    settings.n_sets = n_sets;
    return make(&settings);
}

/* check(H, b) written down once more, in long double. */
static double reference_check(int n_user, int n_ant, const double complex *H, const double complex *b)
{
    long double worst = 0.0L;
    for (int k = 0; k < n_user; k++) {
        long double complex sum = 0.0L;
        long double l1 = 0.0L;
        for (int n = 0; n < n_ant; n++) {
            sum += (long double complex)H[k * n_ant + n] * (long double complex)b[n];
            l1 += cabsl((long double complex)H[k * n_ant + n]);
        }
        if (l1 > 0.0L && cabsl(sum) / l1 > worst) {
            worst = cabsl(sum) / l1;
        }
    }
    return (double)worst;
}

static void assert_unit(int n_ant, const double complex *b)
{
    for (int n = 0; n < n_ant; n++) {
        assert_true(fabs(cabs(b[n]) - 1.0) < 1e-13);
    }
}

/* Polygon --------------------------------------------------------------------------------------------------------- */

static void test_triangle_angle(void **state)
{
    (void)state;
    assert_true(fabs(spzf_triangle_angle(3.0, 4.0, 5.0) - M_PI_2) < 1e-15);
    assert_true(fabs(spzf_triangle_angle(2.0, 2.0, 2.0) - M_PI / 3.0) < 1e-15);
    /* A needle: half the angle has sine (c / 2) / a. */
    double c = 1e-9;
    assert_true(fabs(spzf_triangle_angle(1.0, 1.0, c) / (2.0 * asin(c / 2.0)) - 1.0) < 1e-14);
    struct splitmix rng = splitmix_make(1, 1);
    for (int t = 0; t < 1000; t++) {
        double a = splitmix_uniform(&rng), b = splitmix_uniform(&rng),
               angle = M_PI * (0.01 + 0.98 * splitmix_uniform(&rng));
        double side = sqrt(a * a + b * b - 2.0 * a * b * cos(angle));
        if (side < 0.01 || a < 0.01 || b < 0.01) {
            continue;
        }
        assert_true(fabs(spzf_triangle_angle(a, b, side) - angle) < 1e-9);
    }
}

/* Both constructions: closed if feasible, else exactly -dist. */
static void check_polygon(int n, const double complex *h, double tolerance)
{
    double r[MAX_N], theta[MAX_N], sum = 0.0;
    double complex b[MAX_N], by_angle[MAX_N];
    for (int i = 0; i < n; i++) {
        r[i] = cabs(h[i]);
        sum += r[i];
    }
    double dist = spzf_dist(n, r), least = sum > 0.0 ? fmax(0.0, -dist) / sum : 0.0;
    bool feasible = spzf_polygon(n, h, b), again = spzf_polygon_angles(n, h, theta);
    for (int i = 0; i < n; i++) {
        by_angle[i] = cexp(I * theta[i]);
    }
    assert_int_equal(feasible, spzf_feasible(n, r));
    assert_int_equal(feasible, again);
    assert_int_equal(feasible, dist >= -1e-12 * sum);
    assert_unit(n, b);
    assert_true(fabs(reference_check(1, n, h, b) - least) < tolerance);
    assert_true(fabs(reference_check(1, n, h, by_angle) - least) < 4.0 * tolerance);
}

static void test_polygon_random(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(2, 1);
    double complex h[MAX_N];
    for (int t = 0; t < 3000; t++) {
        int n = 2 + splitmix_below(&rng, 20);
        secrecy_rayleigh(&rng, 1, n, h);
        if (t % 3 == 0) { /* often infeasible, always 12 decades */
            for (int i = 0; i < n; i++) {
                h[i] *= pow(10.0, -12.0 * splitmix_uniform(&rng));
            }
        }
        check_polygon(n, h, 1e-14);
    }
}

/* Small integers make every kind of tie and every degenerate triangle. */
static void test_polygon_integers(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(3, 1);
    double complex h[MAX_N];
    for (int t = 0; t < 5000; t++) {
        int n = 2 + splitmix_below(&rng, 6);
        for (int i = 0; i < n; i++) {
            h[i] = splitmix_below(&rng, 5) * cexp(I * 6.28 * splitmix_uniform(&rng));
        }
        check_polygon(n, h, 1e-14);
    }
}

static void test_polygon_scale(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(4, 1);
    const double scales[] = {1e-200, 1e200, 1e-308, 1e307};
    double complex h[8], scaled[8], b[8];
    for (int t = 0; t < 200; t++) {
        secrecy_rayleigh(&rng, 1, 8, h);
        double scale = scales[t % 4];
        for (int i = 0; i < 8; i++) {
            scaled[i] = h[i] * scale;
        }
        bool feasible = spzf_polygon(8, scaled, b);
        if (feasible) {
            assert_true(spzf_check(1, 8, scaled, b) < 1e-14);
        }
        assert_true(scale < 1e-300 || feasible == spzf_polygon(8, h, b));
    }
}

/* Partitions ------------------------------------------------------------------------------------------------------- */

static void magnitudes(struct splitmix *rng, int n, double *r)
{
    for (int i = 0; i < n; i++) {
        double re, im;
        splitmix_normal(rng, &re, &im);
        r[i] = hypot(re, im);
    }
}

static double reference_loss(int n, const double *r, int n_sets, const int *labels)
{
    double loss = 0.0, largest = 0.0;
    for (int i = 0; i < n; i++) {
        largest = fmax(largest, r[i]);
    }
    for (int p = 0; p < n_sets; p++) {
        double worst = -INFINITY; /* of: one element less all the others */
        for (int i = 0; i < n; i++) {
            if (labels[i] != p) {
                continue;
            }
            double margin = r[i];
            for (int j = 0; j < n; j++) {
                margin -= labels[j] == p && j != i ? r[j] : 0.0;
            }
            worst = fmax(worst, margin);
        }
        loss += isinf(worst) ? largest : fmax(0.0, worst);
    }
    return loss;
}

/* The least over all labelings, by counting through them. */
static double exhaustive_loss(int n, const double *r, int n_sets)
{
    int labels[MAX_N] = {0};
    double least = INFINITY;
    for (;;) {
        double loss = spzf_pseudo_loss(n, r, n_sets, labels, NULL, NULL);
        least = fmin(least, loss);
        int i = 1; /* antenna 0 stays in set 0: sets have no names */
        while (i < n && ++labels[i] == n_sets) {
            labels[i++] = 0;
        }
        if (i == n) {
            return least;
        }
    }
}

static void test_pseudo_loss(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(5, 1);
    for (int t = 0; t < 500; t++) {
        double r[12], dists[5];
        int labels[12], n = 3 + splitmix_below(&rng, 10), n_sets = 1 + splitmix_below(&rng, 5);
        bool e1;
        magnitudes(&rng, n, r);
        for (int i = 0; i < n; i++) {
            labels[i] = splitmix_below(&rng, n_sets);
        }
        double loss = spzf_pseudo_loss(n, r, n_sets, labels, dists, &e1),
               reference = reference_loss(n, r, n_sets, labels);
        assert_true(fabs(loss - reference) < 1e-13);
        assert_int_equal(e1, reference > 1e-13);
    }
}

static const enum spzf_method partitions[] = {SPZF_RANDOM,  SPZF_ITERATIVE, SPZF_ITERATIVE_FC,
                                              SPZF_GENETIC, SPZF_PAIR_FILL, SPZF_BEST_FIT};

static void count_sizes(int n, int n_sets, const int *labels, int *size)
{
    memset(size, 0, (size_t)n_sets * sizeof(*size));
    for (int i = 0; i < n; i++) {
        assert_in_range(labels[i], 0, n_sets - 1);
        size[labels[i]]++;
    }
}

/* No method beats the exhaustive optimum, and with a large budget the depth-first search reaches feasibility exactly
 * when it exists (N = 3 P). */
static void test_partitions_against_optimum(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(6, 1);
    struct spzf_settings settings = spzf_settings_default(SPZF_GENETIC, 9, 2);
    settings.node_budget = 100000;
    spzf_t *spzf = make(&settings);
    int n_infeasible = 0;
    for (int t = 0; t < 60; t++) {
        double r[9];
        int labels[9], size[3];
        magnitudes(&rng, 9, r);
        if (t % 2) { /* make it hard */
            r[0] *= 2.0;
        }
        double optimum = exhaustive_loss(9, r, 3);
        for (size_t m = 0; m < sizeof(partitions) / sizeof(*partitions); m++) {
            assert_int_equal(spzf_partition(spzf, partitions[m], 9, r, 3, labels), 0);
            count_sizes(9, 3, labels, size);
            double loss = spzf_pseudo_loss(9, r, 3, labels, NULL, NULL);
            assert_true(loss >= optimum - 1e-13);
            if (partitions[m] == SPZF_BEST_FIT) {
                assert_int_equal(loss <= 1e-13, optimum <= 1e-13);
            }
        }
        n_infeasible += optimum > 1e-13;
    }
    assert_in_range(n_infeasible, 3, 40); /* or the comparison above says nothing */
    spzf_destroy(spzf);
}

/* Same seed, same start: the iterations may only improve on it, and the swapping one keeps the sizes. */
static void test_iterations_improve(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(7, 1);
    spzf_t *spzf = make_default(SPZF_RANDOM, 40, 2, 0);
    double before = 0.0, moved = 0.0, swapped = 0.0;
    for (int t = 0; t < 300; t++) {
        double r[40];
        int n = 9 + splitmix_below(&rng, 32), n_sets = 2 + splitmix_below(&rng, n / 3 - 1), labels[40], size[20],
            after[20];
        magnitudes(&rng, n, r);
        spzf_reset(spzf, (uint64_t)t);
        assert_int_equal(spzf_partition(spzf, SPZF_RANDOM, n, r, n_sets, labels), 0);
        count_sizes(n, n_sets, labels, size);
        for (int p = 0; p < n_sets; p++) {
            assert_in_range(size[p], n / n_sets, (n + n_sets - 1) / n_sets);
        }
        double start = spzf_pseudo_loss(n, r, n_sets, labels, NULL, NULL);
        spzf_reset(spzf, (uint64_t)t);
        assert_int_equal(spzf_partition(spzf, SPZF_ITERATIVE, n, r, n_sets, labels), 0);
        double move = spzf_pseudo_loss(n, r, n_sets, labels, NULL, NULL);
        spzf_reset(spzf, (uint64_t)t);
        assert_int_equal(spzf_partition(spzf, SPZF_ITERATIVE_FC, n, r, n_sets, labels), 0);
        double swap = spzf_pseudo_loss(n, r, n_sets, labels, NULL, NULL);
        count_sizes(n, n_sets, labels, after);
        assert_memory_equal(size, after, (size_t)n_sets * sizeof(*size));
        assert_true(move <= start + 1e-12 && swap <= start + 1e-12);
        before += start;
        moved += move;
        swapped += swap;
    }
    assert_true(moved < 0.5 * before && swapped < 0.1 * before);
    spzf_destroy(spzf);
}

/* With four antennas a set the fill leaves hardly anything open, at any size the sorting treats differently. */
static void test_pair_fill_large(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(8, 1);
    spzf_t *spzf = make_default(SPZF_PLUS, 150, 2, 0);
    const int sizes[] = {31, 32, 33, 64, 65, 97, 150};
    for (int t = 0; t < 210; t++) {
        double r[150];
        int n = sizes[t % 7], labels[150], size[50];
        bool e1;
        magnitudes(&rng, n, r);
        assert_int_equal(spzf_partition(spzf, SPZF_PAIR_FILL, n, r, n / 4, labels), 0);
        count_sizes(n, n / 4, labels, size);
        spzf_pseudo_loss(n, r, n / 4, labels, NULL, &e1);
        assert_false(e1);
    }
    spzf_destroy(spzf);
}

/* Theory (4.5, 44): random sets of three fail together with probability 1 - (1 - f(3))^3, the last triangle with f(3),
 * independently. */
static void test_random_outage_formula(void **state)
{
    (void)state;
    enum { T = 20000 };
    struct splitmix rng = splitmix_make(9, 1);
    spzf_t *spzf = make_default(SPZF_RANDOM, 9, 2, 3);
    int e1 = 0, e2 = 0;
    for (int t = 0; t < T; t++) {
        double complex H[18], b[9];
        struct spzf_result result;
        secrecy_rayleigh(&rng, 2, 9, H);
        spzf_execute(spzf, H, b, &result);
        e1 += (result.outage & SPZF_E1) != 0;
        e2 += !(result.outage & SPZF_E1) && (result.outage & SPZF_E2);
    }
    double f3 = 0.39540, p1 = 1.0 - pow(1.0 - f3, 3.0), m = T - e1;
    assert_true(fabs((double)e1 / T - p1) < 4.0 * sqrt(p1 * (1.0 - p1) / T));
    assert_true(fabs(e2 / m - f3) < 4.0 * sqrt(f3 * (1.0 - f3) / m));
    spzf_destroy(spzf);
}

/* The searches of [Hong 2025] do as well as an independent implementation, to four standard errors. */
static void test_search_quality(void **state)
{
    (void)state;
    static const struct {
        enum spzf_method method;
        int n_ant, n_sets, trials;
        double e1, T_spec;
    } cases[] = {{SPZF_ITERATIVE, 9, 3, 6000, .381, 3000.0},      {SPZF_ITERATIVE, 16, 5, 6000, .112, 3000.0},
                 {SPZF_ITERATIVE_FC, 12, 4, 6000, .0363, 4000.0}, {SPZF_ITERATIVE_FC, 9, 3, 6000, .0785, 4000.0},
                 {SPZF_GENETIC, 9, 3, 1000, .074, 1000.0},        {SPZF_BEST_FIT, 9, 3, 6000, .0675, 4000.0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct splitmix rng = splitmix_make(23, i);
        spzf_t *spzf = make_default(cases[i].method, cases[i].n_ant, 2, 0);
        int failed = 0, T = cases[i].trials;
        for (int t = 0; t < T; t++) {
            double r[16];
            int labels[16];
            bool e1;
            magnitudes(&rng, cases[i].n_ant, r);
            spzf_partition(spzf, cases[i].method, cases[i].n_ant, r, cases[i].n_sets, labels);
            spzf_pseudo_loss(cases[i].n_ant, r, cases[i].n_sets, labels, NULL, &e1);
            failed += e1;
        }
        double pooled = (failed + cases[i].e1 * cases[i].T_spec) / (T + cases[i].T_spec);
        double error = sqrt(pooled * (1.0 - pooled) * (1.0 / T + 1.0 / cases[i].T_spec));
        assert_true(fabs((double)failed / T - cases[i].e1) < 4.0 * error);
        spzf_destroy(spzf);
    }
}

/* Spare antennas must not open a set that was closed. */
static void test_best_fit_spares(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(24, 1);
    spzf_t *spzf = make_default(SPZF_BEST_FIT, 24, 2, 0);
    for (int t = 0; t < 2000; t++) {
        double r[24];
        int n = 16 + splitmix_below(&rng, 9), labels[24];
        bool e1;
        magnitudes(&rng, n, r);
        spzf_partition(spzf, SPZF_BEST_FIT, n, r, 4, labels);
        spzf_pseudo_loss(n, r, 4, labels, NULL, &e1);
        assert_false(e1);
    }
    spzf_destroy(spzf);
}

/* Mirrors ------------------------------------------------------------------------------------------------------------
 */

/* Reduced magnitudes |v| of a triangle in both its forms, by the law of cosines. */
static void two_forms(const double complex *h1, const double complex *h2, const int *member, double out[2])
{
    double side[3];
    for (int i = 0; i < 3; i++) {
        side[i] = cabs(h1[member[i]]);
    }
    double a = side[0], b = side[1], c = side[2];
    double turn_b = M_PI - acos((a * a + b * b - c * c) / (2.0 * a * b));
    double turn_c = M_PI - acos((a * a + c * c - b * b) / (2.0 * a * c));
    for (int form = 0; form < 2; form++) {
        double sign = form ? -1.0 : 1.0, angle[3] = {0.0, sign * turn_b, -sign * turn_c};
        double complex v = 0.0;
        for (int i = 0; i < 3; i++) {
            v += h2[member[i]] * cexp(I * (angle[i] - carg(h1[member[i]])));
        }
        out[form] = cabs(v);
    }
}

/* The mirror choice finds a closing last triangle exactly when one of all 2^3 choices closes, and the magnitudes the
 * answer realises are among the two. */
static void test_mirrors_exact(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(10, 1);
    struct spzf_settings settings = spzf_settings_default(SPZF_RANDOM, 9, 2);
    settings.mirrors = true;
    spzf_t *spzf = make(&settings);
    const int labels[9] = {0, 1, 2, 2, 1, 0, 0, 2, 1}, member[3][3] = {{0, 5, 6}, {1, 4, 8}, {2, 3, 7}};
    int n_used = 0, n_outage = 0;
    for (int t = 0; t < 4000; t++) {
        double complex H[18], b[9];
        struct spzf_result result;
        double form[3][2];
        bool closes = false, e1 = false;
        secrecy_rayleigh(&rng, 2, 9, H);
        spzf_execute_labels(spzf, H, 3, labels, b, &result);
        for (int p = 0; p < 3; p++) {
            double r[3] = {cabs(H[member[p][0]]), cabs(H[member[p][1]]), cabs(H[member[p][2]])};
            e1 = e1 || spzf_dist(3, r) < 0.0;
        }
        assert_int_equal(e1, (result.outage & SPZF_E1) != 0);
        if (e1) {
            continue;
        }
        n_used++;
        for (int p = 0; p < 3; p++) {
            double complex v = 0.0;
            two_forms(H, H + 9, member[p], form[p]);
            for (int i = 0; i < 3; i++) {
                v += H[9 + member[p][i]] * b[member[p][i]];
            }
            assert_true(fmin(fabs(cabs(v) - form[p][0]), fabs(cabs(v) - form[p][1])) < 1e-7);
        }
        for (int choice = 0; choice < 8; choice++) {
            double v[3] = {form[0][choice & 1], form[1][choice >> 1 & 1], form[2][choice >> 2]};
            closes = closes || spzf_dist(3, v) >= 0.0;
        }
        n_outage += !closes;
        assert_int_equal(!closes, (result.outage & SPZF_E2) != 0);
        assert_true(!closes || result.residual < 1e-14);
    }
    assert_true(n_used > 500 && n_outage > 5);
    spzf_destroy(spzf);
}

/* Whole solves
 * ---------------------------------------------------------------------------------------------------------- */

static struct spzf_result check_honest(spzf_t *spzf, int n_user, int n_ant, const double complex *H, bool must_solve)
{
    double complex b[MAX_N];
    struct spzf_result result;
    int status = spzf_execute(spzf, H, b, &result);
    double check = reference_check(n_user, n_ant, H, b);
    assert_unit(n_ant, b);
    assert_true(isfinite(check));
    assert_int_equal(status, result.outage ? TUTTI_ENUMERIC : 0);
    assert_true(fabs(check - result.residual) < 1e-14);
    assert_true(fabs(check - spzf_check(n_user, n_ant, H, b)) < 1e-14);
    if (!result.outage) {
        assert_true(check <= SPZF_RESIDUAL_LIMIT);
    }
    assert_int_equal((result.outage & SPZF_UNSOLVED) != 0, result.residual > SPZF_RESIDUAL_LIMIT);
    if (result.outage & SPZF_INFEASIBLE) {
        assert_true(result.residual_bound > 0.0 && check >= result.residual_bound);
    }
    if (must_solve) {
        assert_int_equal(result.outage, 0);
    }
    return result;
}

static void test_every_method_is_honest(void **state)
{
    (void)state;
    const int shapes[][2] = {{1, 5}, {1, 16}, {2, 9}, {2, 16}, {2, 33}, {3, 27}, {3, 50}, {4, 90}};
    struct splitmix rng = splitmix_make(11, 1);
    double complex H[MAX_K * MAX_N];
    for (int m = SPZF_RANDOM; m <= SPZF_LM; m++) {
        for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
            int n_user = shapes[s][0], n_ant = shapes[s][1];
            if (m == SPZF_GENETIC && n_ant > 33) { /* slow */
                continue;
            }
            spzf_t *spzf = make_default((enum spzf_method)m, n_ant, n_user, 0);
            for (int t = 0; t < (m == SPZF_GENETIC ? 3 : 30); t++) {
                secrecy_rayleigh(&rng, n_user, n_ant, H);
                check_honest(spzf, n_user, n_ant, H, m >= SPZF_PLUS && n_ant >= 16);
            }
            spzf_destroy(spzf);
        }
    }
}

static void test_plus_solves(void **state)
{
    (void)state;
    const int shapes[][2] = {{2, 10}, {2, 16}, {2, 64}, {2, 128}, {3, 27}, {3, 64}, {4, 81}, {10, 64}};
    struct splitmix rng = splitmix_make(12, 1);
    double complex H[MAX_K * MAX_N];
    for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
        spzf_t *spzf = make_default(SPZF_PLUS, shapes[s][1], shapes[s][0], 0);
        for (int t = 0; t < (shapes[s][0] > 8 ? 10 : 200); t++) {
            secrecy_rayleigh(&rng, shapes[s][0], shapes[s][1], H);
            check_honest(spzf, shapes[s][0], shapes[s][1], H, true);
        }
        spzf_destroy(spzf);
    }
}

/* Other bases and plans, without numerical help: 1 outage in 2000 specified, one try alone has 1 in 9. */
static void test_plus_bases(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(25, 1);
    struct spzf_settings settings = spzf_settings_default(SPZF_PLUS, 9, 2);
    settings.fallback = false;
    spzf_t *spzf = make(&settings);
    double complex H[18];
    int n_outage = 0, n_more_than_two = 0;
    for (int t = 0; t < 4000; t++) {
        secrecy_rayleigh(&rng, 2, 9, H);
        struct spzf_result result = check_honest(spzf, 2, 9, H, false);
        n_outage += result.outage != 0;
        n_more_than_two += result.n_tries > 2;
    }
    assert_true(n_outage <= 9 && n_more_than_two > 20);
    spzf_destroy(spzf);
}

/* Proportional rows are nulled together: what the second polygon is left with is rounding, and no reason for alarm. */
static void test_proportional_rows(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(26, 1);
    spzf_t *spzf = make_default(SPZF_PAIR_FILL, 40, 2, 8);
    double complex H[80];
    for (int t = 0; t < 200; t++) {
        secrecy_rayleigh(&rng, 1, 40, H);
        for (int n = 0; n < 40; n++) {
            H[40 + n] = (0.3 + 2.0 * I) * H[n];
        }
        check_honest(spzf, 2, 40, H, true);
    }
    spzf_destroy(spzf);
}

static void test_subnormal_rows(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(27, 1);
    double complex H[32], b[16];
    for (int m = SPZF_PLUS; m <= SPZF_LM; m++) {
        spzf_t *spzf = make_default((enum spzf_method)m, 16, 2, 0);
        secrecy_rayleigh(&rng, 2, 16, H);
        for (int n = 0; n < 16; n++) {
            H[n] *= 1e-312;
            H[16 + n] *= 1e307;
        }
        assert_int_equal(spzf_execute(spzf, H, b, NULL), 0);
        assert_true(spzf_check(2, 16, H, b) <= SPZF_RESIDUAL_LIMIT);
        spzf_destroy(spzf);
    }
}

/* Two undamped steps from phases 1e-5 off: quadratic convergence, also when a row repeats another; far from a solution
 * the answer never gets worse. */
static void test_polish(void **state)
{
    (void)state;
    enum { N = 12 };
    struct splitmix rng = splitmix_make(28, 1);
    struct spzf_lm lm = {0};
    assert_int_equal(spzf_lm_init(&lm, 3, N), 0);
    spzf_t *spzf = make_default(SPZF_PLUS, N, 2, 0);
    for (int t = 0; t < 300; t++) {
        double complex H[3 * N], b[N];
        double re[3 * N], im[3 * N], b_re[N], b_im[N];
        secrecy_rayleigh(&rng, 2, N, H);
        memcpy(H + 2 * N, H, N * sizeof(*H));
        assert_int_equal(spzf_execute(spzf, H, b, NULL), 0);
        struct spzf_rows rows = {spzf_scale_rows(t % 2 ? 3 : 2, N, H, re, im), N, re, im};
        double off = t % 3 ? 1e-5 : 3.0;
        for (int n = 0; n < N; n++) {
            double turn = off * (splitmix_uniform(&rng) - 0.5);
            b_re[n] = creal(b[n] * cexp(I * turn));
            b_im[n] = cimag(b[n] * cexp(I * turn));
        }
        for (int i = 0; i < 3 * N && off > 1.0; i++) { /* four antennas cannot do it */
            re[i] = im[i] = i % N < 4 ? re[i] : 0.0;
        }
        double before = 0.0, after = 0.0;
        for (int k = 0; k < rows.n_user; k++) {
            double complex sum = 0.0;
            for (int n = 0; n < N; n++) {
                sum += (re[k * N + n] + I * im[k * N + n]) * (b_re[n] + I * b_im[n]);
            }
            before += creal(sum * conj(sum));
        }
        spzf_lm_polish(&lm, &rows, b_re, b_im);
        for (int k = 0; k < rows.n_user; k++) {
            double complex sum = 0.0;
            for (int n = 0; n < N; n++) {
                sum += (re[k * N + n] + I * im[k * N + n]) * (b_re[n] + I * b_im[n]);
            }
            after += creal(sum * conj(sum));
        }
        assert_true(after <= before * (1.0 + 1e-9));
        if (off < 1.0) {
            assert_true(sqrt(after) < 1e-14);
        }
    }
    spzf_lm_free(&lm);
    spzf_destroy(spzf);
}

/* A deadline that has passed: one partition at most, a step or none of LM, and still an answer of phasors that says
 * that it was stopped. One that is far away changes nothing, and so does none. A clock decides nothing here: it is
 * either far too late or far too early. */
static void test_deadline(void **state)
{
    (void)state;
    static const int sizes[][2] = {{2, 16}, {3, 27}, {4, 20}, {10, 21}, {12, 30}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int n_user = sizes[i][0], n_ant = sizes[i][1];
        double complex H[MAX_K * MAX_N], free_beam[MAX_N], beam[MAX_N];
        struct splitmix rng = splitmix_make(77, i);
        spzf_t *spzf = make_default(SPZF_PLUS, n_ant, n_user, 0);
        struct spzf_result free_result, result;
        for (int e = 0; e < n_user * n_ant; e++) {
            double re, im;
            splitmix_normal(&rng, &re, &im);
            H[e] = re + im * I;
        }
        spzf_reset(spzf, 1);
        spzf_execute(spzf, H, free_beam, &free_result);
        for (int far = 0; far < 2; far++) {
            spzf_limit(spzf, far ? UINT64_MAX : 1);
            spzf_reset(spzf, 1);
            const int status = spzf_execute(spzf, H, beam, &result);
            assert_unit(n_ant, beam);
            assert_true(fabs(result.residual - reference_check(n_user, n_ant, H, beam)) < 1e-14);
            if (far) {
                assert_memory_equal(beam, free_beam, (size_t)n_ant * sizeof *beam);
                assert_true(result.outage == free_result.outage && result.residual == free_result.residual &&
                            result.n_iterations == free_result.n_iterations);
                continue;
            }
            assert_true(result.n_tries <= 1 && result.n_iterations == 0);
            assert_true((status == 0) == (result.residual <= SPZF_RESIDUAL_LIMIT));
            assert_true(status == 0 || ((result.outage & SPZF_DEADLINE) && (result.outage & SPZF_UNSOLVED)));
            assert_true(n_user < 10 || status != 0); /* these need LM */
        }
        spzf_limit(spzf, 0);
        spzf_reset(spzf, 1);
        spzf_execute(spzf, H, beam, &result);
        assert_memory_equal(beam, free_beam, (size_t)n_ant * sizeof *beam);
        spzf_destroy(spzf);
    }
}

/* LM below 3^K, where no partition can work. */
static void test_plus_below_partition_limit(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(13, 1);
    spzf_t *two = make_default(SPZF_PLUS, 8, 2, 0), *three = make_default(SPZF_PLUS, 12, 3, 0);
    double complex H[3 * 12];
    for (int t = 0; t < 200; t++) {
        secrecy_rayleigh(&rng, 2, 8, H);
        check_honest(two, 2, 8, H, false);
        secrecy_rayleigh(&rng, 3, 12, H);
        check_honest(three, 3, 12, H, true);
    }
    spzf_destroy(two);
    spzf_destroy(three);
}

/* Degenerate channels of every sort, every method: an answer, flagged if it is none. */
static void degenerate(struct splitmix *rng, int kind, int n_user, int n_ant, double complex *H)
{
    secrecy_rayleigh(rng, n_user, n_ant, H);
    for (int k = 0; k < n_user; k++) {
        for (int n = 0; n < n_ant; n++) {
            double complex *h = &H[k * n_ant + n];
            if (kind == 0) { /* equal magnitudes */
                *h /= cabs(*h);
            } else if (kind == 1) { /* 12 decades */
                *h *= pow(10.0, -12.0 * splitmix_uniform(rng));
            } else if (kind == 2 && k == n_user - 1) { /* zero row */
                *h = 0.0;
            } else if (kind == 3 && (n + k) % 3 == 0) { /* zero entries */
                *h = 0.0;
            } else if (kind == 4 && k > 0) { /* proportional rows */
                *h = (2.0 - I) * H[n];
            } else if (kind == 5) { /* rows far apart */
                *h *= k == 0 ? 1e-200 : 1e200;
            } else if (kind == 6) { /* nothing at all */
                *h = 0.0;
            } else if (kind == 7 && n > 1) { /* two antennas only */
                *h = 0.0;
            } else if (kind == 8 && n % 2) { /* dead antennas */
                *h = 0.0;
            } else if (kind == 9) { /* one path: rows of equal magnitude with linear phase */
                *h = cexp(I * 0.37 * (k + 1) * n);
            } else if (kind == 10 && n == 3) { /* one antenna drowns the others */
                *h *= 1e3;
            }
        }
    }
}

static void test_degenerate(void **state)
{
    (void)state;
    const int shapes[][2] = {{1, 2}, {2, 2}, {2, 3}, {2, 5}, {2, 9}, {2, 16}, {3, 30}, {4, 20}, {8, 12}};
    struct splitmix rng = splitmix_make(14, 1);
    double complex H[MAX_K * MAX_N];
    for (int m = SPZF_RANDOM; m <= SPZF_LM; m++) {
        for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
            spzf_t *spzf = make_default((enum spzf_method)m, shapes[s][1], shapes[s][0], 0);
            for (int kind = 0; kind <= 10; kind++) {
                degenerate(&rng, kind, shapes[s][0], shapes[s][1], H);
                bool must = m == SPZF_PLUS && shapes[s][1] >= 16 && shapes[s][0] < 4 &&
                            (kind == 0 || (kind >= 2 && kind <= 6) || kind == 9);
                struct spzf_result result = check_honest(spzf, shapes[s][0], shapes[s][1], H, must || kind == 6);
                bool nothing = kind == 6 || (kind == 2 && shapes[s][0] == 1);
                if (m < SPZF_PLUS) { /* no other method stood in silently */
                    assert_int_equal(result.source, nothing ? SPZF_BY_NOTHING : SPZF_BY_PARTITION);
                }
            }
            spzf_destroy(spzf);
        }
    }
}

static void test_two_antennas_one_user(void **state)
{
    (void)state;
    spzf_t *spzf = make_default(SPZF_PLUS, 2, 1, 0);
    const double complex equal[2] = {3.0 + 4.0 * I, -5.0 * I}, unequal[2] = {2.0, 0.5 * I};
    double complex b[2];
    struct spzf_result result;
    assert_int_equal(spzf_execute(spzf, equal, b, &result), 0);
    assert_true(result.residual < 1e-15);
    assert_int_equal(spzf_execute(spzf, unequal, b, &result), TUTTI_ENUMERIC);
    assert_true(fabs(result.residual - 1.5 / 2.5) < 1e-14);
    assert_true(result.outage & SPZF_E2);
    assert_true(result.outage & SPZF_INFEASIBLE);
    spzf_destroy(spzf);
}

static void test_not_finite(void **state)
{
    (void)state;
    const double bad[] = {NAN, INFINITY, -INFINITY};
    struct splitmix rng = splitmix_make(15, 1);
    for (int m = SPZF_RANDOM; m <= SPZF_LM; m++) {
        spzf_t *spzf = make_default((enum spzf_method)m, 9, 2, 0);
        for (int i = 0; i < 6; i++) {
            double complex H[18], b[9];
            struct spzf_result result;
            secrecy_rayleigh(&rng, 2, 9, H);
            H[i * 3] = i % 2 ? bad[i / 2] : bad[i / 2] * I;
            assert_int_equal(spzf_execute(spzf, H, b, &result), TUTTI_ENUMERIC);
            assert_int_equal(result.outage, SPZF_BAD_INPUT);
            assert_unit(9, b);
        }
        spzf_destroy(spzf);
    }
}

/* Certificate
 * -------------------------------------------------------------------------------------------------------------- */

/* Rows mixed from a hopeless one (one antenna longer than all the others) and random ones: no row looks hopeless, but
 * the proof must be found and be about as strong as the known one, and no phases may beat it. */
static double mix_hopeless(struct splitmix *rng, int n_user, int t, double complex *mixed)
{
    double complex H[36], a = cexp(I * 6.28 * splitmix_uniform(rng));
    double margin = 0.0, l1[3] = {0.0, 0.0, 0.0};
    secrecy_rayleigh(rng, 3, 12, H);
    H[t % 12] *= 14.0 / cabs(H[t % 12]);
    for (int n = 0; n < 12; n++) {
        double complex third = n_user > 2 ? H[24 + n] : 0.0;
        mixed[n] = H[n] + 3.0 * H[12 + n];
        mixed[12 + n] = a * H[n] - 2.0 * H[12 + n] + third;
        if (n_user > 2) {
            mixed[24 + n] = third;
        }
        margin += n == t % 12 ? 14.0 : -cabs(H[n]);
        for (int k = 0; k < n_user; k++) {
            l1[k] += cabs(mixed[12 * k + n]);
        }
    }
    /* row 0 of H = (2 mixed_0 + 3 (mixed_1 - mixed_2)) / (2 + 3 a) */
    return margin * cabs(2.0 + 3.0 * a) / (2.0 * l1[0] + 3.0 * (l1[1] + l1[2]));
}

static void test_certificate(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(16, 1);
    for (int n_user = 2; n_user <= 3; n_user++) {
        spzf_t *spzf = make_default(SPZF_PLUS, 12, n_user, 0);
        int n_proved = 0;
        for (int t = 0; t < 100; t++) {
            double complex mixed[36], b[12];
            struct spzf_result result;
            double known = mix_hopeless(&rng, n_user, t, mixed), bound = spzf_residual_bound(n_user, 12, mixed);
            spzf_execute(spzf, mixed, b, &result);
            if (known > 0.03) {
                n_proved++;
                assert_true(bound > 0.9 * known);
                assert_true(result.outage & SPZF_INFEASIBLE);
                assert_true(result.residual >= bound);
            }
            if (!result.outage) {
                assert_true(bound == 0.0);
            }
            for (int i = 0; i < 20; i++) {
                for (int n = 0; n < 12; n++) {
                    b[n] = cexp(I * 6.283185307179586 * splitmix_uniform(&rng));
                }
                assert_true(spzf_check(n_user, 12, mixed, b) >= bound);
            }
        }
        assert_true(n_proved > 30);
        spzf_destroy(spzf);
    }
}

static void test_certificate_never_blames_the_solvable(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(17, 1);
    double complex H[3 * 12];
    for (int t = 0; t < 100; t++) {
        int n_user = 1 + t % 3;
        double complex b[12];
        secrecy_rayleigh(&rng, n_user, 12, H);
        for (int k = 0; k < n_user; k++) { /* make beam b a solution by choosing the last entry */
            double complex sum = 0.0;
            for (int n = 0; n < 12; n++) {
                b[n] = cexp(I * (double)(n * n + t));
                sum += n < 11 ? H[k * 12 + n] * b[n] : 0.0;
            }
            H[k * 12 + 11] = -sum / b[11];
        }
        assert_true(spzf_check(n_user, 12, H, b) < 1e-14);
        assert_true(spzf_residual_bound(n_user, 12, H) == 0.0);
    }
}

/* The rest
 * ----------------------------------------------------------------------------------------------------------------------
 */

static void test_conjugate_convention(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(18, 1);
    spzf_t *spzf = make_default(SPZF_PLUS, 16, 2, 0);
    double complex H[32], b[16];
    secrecy_rayleigh(&rng, 2, 16, H);
    assert_int_equal(spzf_execute(spzf, H, b, NULL), 0);
    for (int k = 0; k < 2; k++) {
        double complex y = 0.0;
        for (int n = 0; n < 16; n++) {
            y += conj(H[k * 16 + n]) * conj(b[n]); /* h^H x with x = conj(beam) */
        }
        assert_true(cabs(y) < 1e-14);
    }
    double theta[16];
    double complex again[16];
    spzf_phases(16, b, theta);
    for (int n = 0; n < 16; n++) {
        again[n] = cexp(I * theta[n]);
    }
    assert_true(spzf_check(2, 16, H, again) < 1e-14);
    spzf_destroy(spzf);
}

static void test_same_seed_same_answer(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(19, 1);
    for (int m = SPZF_RANDOM; m <= SPZF_LM; m++) {
        spzf_t *spzf = make_default((enum spzf_method)m, 12, 2, 0);
        for (int t = 0; t < 10; t++) {
            double complex H[24], first[12], second[12];
            secrecy_rayleigh(&rng, 2, 12, H);
            spzf_reset(spzf, (uint64_t)t);
            spzf_execute(spzf, H, first, NULL);
            spzf_reset(spzf, (uint64_t)t);
            spzf_execute(spzf, H, second, NULL);
            assert_memory_equal(first, second, sizeof(first));
        }
        spzf_destroy(spzf);
    }
}

static void test_plan(void **state)
{
    (void)state;
    int plan[3];
    spzf_plan(27, 3, 0, plan);
    assert_int_equal(plan[0], 9);
    assert_int_equal(plan[1], 3);
    spzf_plan(48, 3, 0, plan);
    assert_int_equal(plan[0], 13);
    assert_int_equal(plan[1], 4);
    spzf_plan(81, 4, 0, plan);
    assert_int_equal(plan[0], 27);
    assert_int_equal(plan[1], 9);
    assert_int_equal(plan[2], 3);
    spzf_plan(12, 2, 0, plan);
    assert_int_equal(plan[0], 3);
}

static void test_settings(void **state)
{
    (void)state;
    struct spzf_settings good = spzf_settings_default(SPZF_PLUS, 16, 2), bad;
    assert_int_equal(spzf_settings_check(&good), 0);
    spzf_t *spzf;
#define REFUSED(field, value, name)                                                                                    \
    bad = good;                                                                                                        \
    bad.field = (value);                                                                                               \
    assert_int_equal(spzf_create(&spzf, &bad), TUTTI_EINVAL);                                                          \
    assert_null(spzf);                                                                                                 \
    assert_non_null(strstr(error_text(), name))
    REFUSED(n_ant, 1, "n_ant");
    REFUSED(n_ant, SPZF_MAX_ANT + 1, "n_ant");
    REFUSED(n_user, 0, "n_user");
    REFUSED(n_user, SPZF_MAX_USER + 1, "n_user");
    REFUSED(n_sets, 17, "n_sets");
    REFUSED(n_plans, 5, "n_plans");
    REFUSED(n_bases, 0, "n_bases");
    REFUSED(n_starts, -1, "n_starts");
    REFUSED(node_budget, 0, "node_budget");
#undef REFUSED
    bad = spzf_settings_default(SPZF_RANDOM, 16, SPZF_MAX_STEPS + 1);
    assert_int_equal(spzf_settings_check(&bad), TUTTI_EINVAL);
    spzf_destroy(NULL);
}

static void test_bad_labels(void **state)
{
    (void)state;
    spzf_t *spzf = make_default(SPZF_RANDOM, 9, 2, 0);
    double complex H[18], b[9];
    struct splitmix rng = splitmix_make(20, 1);
    struct spzf_result result;
    int labels[9] = {0, 1, 2, 0, 1, 2, 0, 1, 3};
    secrecy_rayleigh(&rng, 2, 9, H);
    assert_int_equal(spzf_execute_labels(spzf, H, 3, labels, b, &result), TUTTI_EINVAL);
    assert_unit(9, b);
    labels[8] = 1;                                       /* set 2 keeps two antennas: honest outage */
    spzf_execute_labels(spzf, H, 4, labels, b, &result); /* set 3 empty */
    assert_true(result.outage & SPZF_E1);
    spzf_destroy(spzf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_triangle_angle),
        cmocka_unit_test(test_polygon_random),
        cmocka_unit_test(test_polygon_integers),
        cmocka_unit_test(test_polygon_scale),
        cmocka_unit_test(test_pseudo_loss),
        cmocka_unit_test(test_partitions_against_optimum),
        cmocka_unit_test(test_iterations_improve),
        cmocka_unit_test(test_pair_fill_large),
        cmocka_unit_test(test_random_outage_formula),
        cmocka_unit_test(test_search_quality),
        cmocka_unit_test(test_best_fit_spares),
        cmocka_unit_test(test_mirrors_exact),
        cmocka_unit_test(test_every_method_is_honest),
        cmocka_unit_test(test_plus_solves),
        cmocka_unit_test(test_plus_bases),
        cmocka_unit_test(test_proportional_rows),
        cmocka_unit_test(test_subnormal_rows),
        cmocka_unit_test(test_polish),
        cmocka_unit_test(test_plus_below_partition_limit),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_two_antennas_one_user),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_certificate_never_blames_the_solvable),
        cmocka_unit_test(test_conjugate_convention),
        cmocka_unit_test(test_same_seed_same_answer),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_bad_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
