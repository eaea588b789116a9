/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golden_spzf.h"

#include "mimo/secrecy.h"
#include "mimo/spzf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One case: what was read, and where the verdict goes. */
struct golden {
    const json_t *root, *expect;
    char *detail;
    size_t detail_size;
    double complex *H, *beam; /* [rows][cols] rows of "H" or the vector "h"; [cols] */
    int rows, cols;
    int n_sets, *labels; /* 0 and NULL when the case has none */
};

static int fail(const struct golden *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(const struct golden *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(g->detail, g->detail_size, format, args);
    va_end(args);
    return 0;
}

static int pass(const struct golden *g, const char *format, double value)
{
    snprintf(g->detail, g->detail_size, "%s %.3g", format, value);
    return 1;
}

/* Reading --------------------------------------------------------------------------------------------------------- */

static double number(const json_t *object, const char *key, double missing)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : missing;
}

/* Row i of part "re" or "im": of a vector there is one row. */
static const json_t *row_of(const json_t *part, size_t i)
{
    return json_is_array(json_array_get(part, 0)) ? json_array_get(part, i) : i == 0 ? part : NULL;
}

/* {"re": ..., "im": ...}, vector or nested rows; NULL if malformed. Caller frees. */
static double complex *read_complex(const json_t *value, int *rows, int *cols)
{
    const json_t *re = json_object_get(value, "re"), *im = json_object_get(value, "im");
    if (json_array_size(re) == 0 || !json_is_array(im))
        return NULL;
    size_t n_rows = json_is_array(json_array_get(re, 0)) ? json_array_size(re) : 1,
           n_cols = json_array_size(row_of(re, 0));
    double complex *out = n_cols ? calloc(n_rows * n_cols, sizeof(*out)) : NULL;
    for (size_t i = 0; out && i < n_rows; i++) {
        const json_t *a = row_of(re, i), *b = row_of(im, i);
        bool good = json_array_size(a) == n_cols && json_array_size(b) == n_cols;
        for (size_t j = 0; good && j < n_cols; j++) {
            const json_t *x = json_array_get(a, j), *y = json_array_get(b, j);
            good = json_is_number(x) && json_is_number(y);
            out[i * n_cols + j] = __builtin_complex(json_number_value(x), json_number_value(y));
        }
        if (!good) {
            free(out);
            return NULL;
        }
    }
    *rows = (int)n_rows;
    *cols = (int)n_cols;
    return out;
}

static double *read_reals(const json_t *value, int n)
{
    double *out = (int)json_array_size(value) == n ? calloc((size_t)n, sizeof(*out)) : NULL;
    for (int i = 0; out && i < n; i++)
        out[i] = json_number_value(json_array_get(value, (size_t)i));
    return out;
}

static bool read_labels(struct golden *g)
{
    const json_t *labels = json_object_get(g->root, "labels");
    if (!json_is_array(labels))
        return true;
    g->n_sets = (int)number(g->root, "P", 0.0);
    g->labels = (int)json_array_size(labels) == g->cols ? calloc((size_t)g->cols, sizeof(*g->labels)) : NULL;
    for (int i = 0; g->labels && i < g->cols; i++) {
        g->labels[i] = (int)json_integer_value(json_array_get(labels, (size_t)i));
        if (g->labels[i] < 0 || g->labels[i] >= g->n_sets)
            return false;
    }
    return g->labels && g->n_sets <= g->cols;
}

/* Solving -----------------------------------------------------------------------------------------------------------
 */

static int solve(const struct golden *g, enum spzf_method method, bool mirrors, const int *labels,
                 struct spzf_result *result)
{
    struct spzf_settings settings = spzf_settings_default(method, g->cols, g->rows);
    settings.mirrors = mirrors;
    settings.n_starts = 200; /* no clock runs here */
    spzf_t *spzf;
    int status = spzf_create(&spzf, &settings);
    if (status == 0) {
        if (labels)
            spzf_execute_labels(spzf, g->H, g->n_sets, labels, g->beam, result);
        else
            spzf_execute(spzf, g->H, g->beam, result);
    }
    spzf_destroy(spzf);
    return status;
}

/* check() of the beam as it leaves through phases in radians. */
static double check_by_phases(const struct golden *g)
{
    double *theta = calloc((size_t)g->cols, sizeof(*theta));
    if (!theta)
        return INFINITY;
    spzf_phases(g->cols, g->beam, theta);
    for (int n = 0; n < g->cols; n++)
        g->beam[n] = __builtin_complex(cos(theta[n]), sin(theta[n]));
    free(theta);
    return spzf_check(g->rows, g->cols, g->H, g->beam);
}

/* Magnitudes of the first row; caller frees. */
static double *magnitudes(const struct golden *g, double *sum)
{
    double *r = calloc((size_t)g->cols, sizeof(*r));
    *sum = 0.0;
    for (int n = 0; r && n < g->cols; n++) {
        r[n] = cabs(g->H[n]);
        *sum += r[n];
    }
    return r;
}

/* Kinds ---------------------------------------------------------------------------------------------------------------
 */

static int check_residual(const struct golden *g, bool feasible, unsigned outage, double residual)
{
    double limit = number(g->expect, "residual_max", SPZF_RESIDUAL_LIMIT);
    double least = number(g->expect, "residual_exact_if_infeasible", 0.0);
    double tolerance = number(g->expect, "residual_rel_tol", 1e-9);
    if (feasible && (outage || !(residual <= limit)))
        return fail(g, "residual %.3g (outage %u), allowed %.3g", residual, outage, limit);
    if (!feasible && !outage)
        return fail(g, "infeasible polygon, but no outage flagged (residual %.3g)", residual);
    if (!feasible && !(fabs(residual - least) <= tolerance * least))
        return fail(g, "residual %.17g, the least is %.17g", residual, least);
    return 1;
}

static int check_polygon(const struct golden *g)
{
    bool feasible = json_is_true(json_object_get(g->expect, "feasible"));
    double sum, *r = magnitudes(g, &sum), *theta = calloc((size_t)g->cols, sizeof(*theta));
    struct spzf_result result;
    int verdict = r && theta && g->rows == 1 ? 1 : fail(g, "h must be one vector");
    double expected = number(g->expect, "dist", NAN), dist = verdict ? spzf_dist(g->cols, r) : 0.0;
    if (verdict && !(fabs(dist - expected) <= number(g->expect, "dist_abs_tol", 1e-9 * sum)))
        verdict = fail(g, "dist %.17g, expected %.17g", dist, expected);
    if (verdict && spzf_polygon(g->cols, g->H, g->beam) != feasible)
        verdict = fail(g, "feasible %d, expected %d", !feasible, feasible);
    if (verdict) /* phasor form */
        verdict = check_residual(g, feasible, feasible ? 0 : SPZF_E2, spzf_check(1, g->cols, g->H, g->beam));
    if (verdict) { /* angle form */
        spzf_polygon_angles(g->cols, g->H, theta);
        for (int n = 0; n < g->cols; n++)
            g->beam[n] = __builtin_complex(cos(theta[n]), sin(theta[n]));
        verdict = check_residual(g, feasible, feasible ? 0 : SPZF_E2, spzf_check(1, g->cols, g->H, g->beam));
    }
    if (verdict) /* the solver */
        verdict = solve(g, SPZF_PLUS, true, NULL, &result)
                      ? fail(g, "no solver for N=%d", g->cols)
                      : check_residual(g, feasible, result.outage, check_by_phases(g));
    free(r);
    free(theta);
    return verdict ? pass(g, "residual", result.residual) : 0;
}

/* Every method's own partition must not beat the exact optimum. */
static int check_methods_against_optimum(const struct golden *g, const double *r, double sum)
{
    double optimum = number(g->expect, "optimal_pseudo_loss", 0.0);
    int *labels = calloc((size_t)g->cols, sizeof(*labels)), verdict = 1;
    struct spzf_settings settings = spzf_settings_default(SPZF_GENETIC, g->cols, 2);
    spzf_t *spzf = NULL;
    if (!labels || spzf_create(&spzf, &settings))
        verdict = fail(g, "no solver for N=%d", g->cols);
    for (int m = SPZF_RANDOM; verdict && m <= SPZF_BEST_FIT; m++) {
        if (spzf_partition(spzf, (enum spzf_method)m, g->cols, r, g->n_sets, labels))
            verdict = fail(g, "method %d refuses N=%d P=%d", m, g->cols, g->n_sets);
        double loss = verdict ? spzf_pseudo_loss(g->cols, r, g->n_sets, labels, NULL, NULL) : 0.0;
        if (verdict && !(loss >= optimum - 1e-12 * sum))
            verdict = fail(g, "method %d: pseudo-loss %.17g below the optimum %.17g", m, loss, optimum);
    }
    spzf_destroy(spzf);
    free(labels);
    return verdict;
}

static int check_partition(const struct golden *g)
{
    double sum, *r = magnitudes(g, &sum), *expected = read_reals(json_object_get(g->expect, "dists"), g->n_sets);
    double *dists = calloc((size_t)g->cols + 1, sizeof(*dists)), tolerance = number(g->expect, "rel_tol", 1e-9);
    double expected_loss = number(g->expect, "pseudo_loss", NAN), loss = NAN;
    bool e1 = false;
    int verdict = r && expected && dists && g->labels ? 1 : fail(g, "labels or dists are missing or of the wrong size");
    if (verdict)
        loss = spzf_pseudo_loss(g->cols, r, g->n_sets, g->labels, dists, &e1);
    for (int p = 0; verdict && p < g->n_sets; p++)
        if (!(fabs(dists[p] - expected[p]) <= tolerance * fmax(fabs(expected[p]), 1e-3 * sum)))
            verdict = fail(g, "dist of set %d is %.17g, expected %.17g", p, dists[p], expected[p]);
    if (verdict && !(fabs(loss - expected_loss) <= tolerance * fmax(expected_loss, 1e-3 * sum)))
        verdict = fail(g, "pseudo-loss %.17g, expected %.17g", loss, expected_loss);
    if (verdict && e1 != json_is_true(json_object_get(g->expect, "E1")))
        verdict = fail(g, "E1 %d, expected %d", e1, !e1);
    if (verdict)
        verdict = check_methods_against_optimum(g, r, sum);
    free(r);
    free(expected);
    free(dists);
    return verdict ? pass(g, "pseudo-loss", loss) : 0;
}

/* |sum over set p of row 2| of the beam must be one of the two values its triangle allows. */
static int check_reduced(const struct golden *g, int p)
{
    const json_t *options = json_array_get(json_object_get(g->expect, "reduced_abs_options"), (size_t)p);
    double tolerance = number(g->expect, "options_rel_tol", 1e-9);
    double complex v = 0.0;
    if (json_array_size(options) == 0)
        return 1;
    for (int n = 0; n < g->cols; n++)
        v += g->labels[n] == p ? g->H[g->cols + n] * g->beam[n] : 0.0;
    for (size_t i = 0; i < json_array_size(options); i++) {
        double option = json_number_value(json_array_get(options, i));
        if (fabs(cabs(v) - option) <= tolerance * option)
            return 1;
    }
    return fail(g, "set %d: reduced magnitude %.12g is none of the options", p, cabs(v));
}

static int check_labels(const struct golden *g)
{
    const json_t *e1 = json_object_get(g->expect, "E1"), *e2 = json_object_get(g->expect, "E2_with_best_mirrors");
    struct spzf_result result;
    if (g->rows != 2 || solve(g, SPZF_RANDOM, true, g->labels, &result))
        return fail(g, "labels need two users, found %d", g->rows);
    bool has_e1 = result.outage & SPZF_E1, has_e2 = result.outage & SPZF_E2;
    if (json_is_boolean(e1) && has_e1 != json_is_true(e1))
        return fail(g, "given labels: E1 %d, expected %d", has_e1, !has_e1);
    if (json_is_boolean(e2) && !has_e1 && has_e2 != json_is_true(e2))
        return fail(g, "given labels: E2 with mirrors %d, expected %d", has_e2, !has_e2);
    for (int p = 0; p < g->n_sets; p++)
        if (!check_reduced(g, p))
            return 0;
    return 1;
}

static int check_solve(const struct golden *g)
{
    double limit = number(g->expect, "residual_max", SPZF_RESIDUAL_LIMIT);
    struct spzf_result result;
    if (g->labels && !check_labels(g))
        return 0;
    if (solve(g, SPZF_PLUS, true, NULL, &result))
        return fail(g, "no solver for K=%d N=%d", g->rows, g->cols);
    double direct = spzf_check(g->rows, g->cols, g->H, g->beam), residual = check_by_phases(g);
    if (json_is_false(json_object_get(g->expect, "solvable")))
        return result.outage ? pass(g, "outage, residual", residual) : fail(g, "not solvable, but no outage flagged");
    if (result.outage || !(residual <= limit) || !(direct <= limit))
        return fail(g, "outage %u, residual %.3g, allowed %.3g", result.outage, residual, limit);
    return pass(g, "residual", residual);
}

static int check_infeasible(const struct golden *g)
{
    double bound = number(g->expect, "residual_lower_bound", number(g->root, "residual_lower_bound", NAN));
    for (int m = SPZF_PLUS; m <= SPZF_LM; m++) {
        struct spzf_result result;
        if (solve(g, (enum spzf_method)m, true, NULL, &result))
            return fail(g, "no solver for K=%d N=%d", g->rows, g->cols);
        double residual = check_by_phases(g);
        if (!result.outage)
            return fail(g, "no outage flagged (residual %.3g)", residual);
        if (!(residual >= bound * (1.0 - 1e-9)))
            return fail(g, "residual %.17g below the proved bound %.17g", residual, bound);
    }
    return pass(g, "outage, bound", bound);
}

static int compare_bits(const struct golden *g, const char *key, double value)
{
    double expected = number(g->expect, key, NAN);
    if (fabs(value - expected) <= number(g->expect, "abs_tol", 1e-9))
        return 1;
    return fail(g, "%s %.12g bits, expected %.12g", key, value, expected);
}

static int check_secrecy(const struct golden *g)
{
    int n_eve = 0, cols = 0;
    double complex *He = read_complex(json_object_get(g->root, "He"), &n_eve, &cols);
    double *theta = read_reals(json_object_get(g->root, "theta_an"), g->cols), rho = number(g->root, "rho", NAN),
           misome = NAN;
    int verdict =
        He && theta && cols == g->cols && g->rows == 1 ? 1 : fail(g, "h, He and theta_an do not fit together");
    if (verdict) {
        for (int n = 0; n < g->cols; n++)
            g->beam[n] = __builtin_complex(cos(theta[n]), sin(theta[n]));
        struct secrecy_rate rate = secrecy_single_chain(g->cols, n_eve, g->H, He, g->beam, rho);
        verdict = secrecy_misome_bits(g->cols, n_eve, g->H, He, rho, &misome) ? fail(g, "out of memory") : 1;
        verdict = verdict && compare_bits(g, "legit", rate.legit_bits) && compare_bits(g, "eve", rate.eve_bits) &&
                  compare_bits(g, "rate", rate.rate_bits) && compare_bits(g, "misome", misome);
        if (verdict)
            pass(g, "rate", rate.rate_bits);
    }
    free(He);
    free(theta);
    return verdict;
}

int golden_spzf(const json_t *root, char *detail, size_t detail_size)
{
    static const struct {
        const char *kind, *channel;
        int (*check)(const struct golden *g);
    } kinds[] = {{"polygon", "h", check_polygon},
                 {"partition", "h", check_partition},
                 {"solve", "H", check_solve},
                 {"infeasible", "H", check_infeasible},
                 {"secrecy", "h", check_secrecy}};
    const char *kind = json_string_value(json_object_get(root, "kind"));
    struct golden g = {
        .root = root, .expect = json_object_get(root, "expect"), .detail = detail, .detail_size = detail_size};
    if (!kind || !json_is_object(g.expect))
        return -1;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        const json_t *channel = json_object_get(root, kinds[i].channel);
        if (strcmp(kind, kinds[i].kind) != 0 || !json_is_object(channel))
            continue;
        g.H = read_complex(channel, &g.rows, &g.cols);
        g.beam = g.H ? calloc((size_t)g.cols, sizeof(*g.beam)) : NULL;
        int verdict = g.beam && read_labels(&g) ? kinds[i].check(&g) : fail(&g, "malformed channel or labels");
        free(g.H);
        free(g.beam);
        free(g.labels);
        return verdict;
    }
    return -1;
}
