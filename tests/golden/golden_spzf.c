/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Phase-only zero-forcing and its secrecy ([Hong 2025]): kinds polygon, partition, solve, infeasible, secrecy. Phases
 * are not unique, so residuals are compared, never phases. */
#include "golden.h"
#include "mimo/secrecy.h"
#include "mimo/spzf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct inputs {
    const json_t *root, *expect;
    struct golden *golden;
    double complex *H, *beam; /* [rows][cols], the rows of "H" or the vector "h"; [cols] */
    double *r, *scratch;      /* [cols] magnitudes of the first row; [cols + 1] */
    double sum;               /* of r */
    int rows, cols, n_sets;   /* n_sets 0 without labels */
    int *labels;              /* [cols] */
};

/* Reading ---------------------------------------------------------------------------------------------------------- */

static double number_or(const json_t *object, const char *key, double missing)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : missing;
}

/* Row i of part "re" or "im"; a vector has one row. */
static const json_t *row_of(const json_t *part, size_t i)
{
    if (json_is_array(json_array_get(part, 0))) {
        return json_array_get(part, i);
    }
    return i == 0 ? part : NULL;
}

/* {"re": ..., "im": ...}, vector or nested rows; NULL if malformed. Caller frees. */
static double complex *read_channel(const json_t *value, int *rows, int *cols)
{
    const json_t *re = json_object_get(value, "re"), *im = json_object_get(value, "im");
    const size_t n_rows = json_is_array(json_array_get(re, 0)) ? json_array_size(re) : 1;
    const size_t n_cols = json_array_size(row_of(re, 0));
    double complex *out = n_cols ? calloc(n_rows * n_cols, sizeof *out) : NULL;
    for (size_t i = 0; out && i < n_rows; i++) {
        const json_t *a = row_of(re, i), *b = row_of(im, i);
        if (json_array_size(a) != n_cols || json_array_size(b) != n_cols) {
            free(out);
            return NULL;
        }
        for (size_t j = 0; j < n_cols; j++) {
            out[i * n_cols + j] = __builtin_complex(golden_at(a, (int)j), golden_at(b, (int)j));
        }
    }
    *rows = (int)n_rows;
    *cols = (int)n_cols;
    return out;
}

static bool read_labels(struct inputs *in)
{
    const json_t *labels = json_object_get(in->root, "labels");
    if (!json_is_array(labels)) {
        return true;
    }
    in->n_sets = golden_int(in->root, "P");
    if ((int)json_array_size(labels) != in->cols || in->n_sets < 1 || in->n_sets > in->cols) {
        return false;
    }
    for (int n = 0; n < in->cols; n++) {
        const json_t *label = json_array_get(labels, (size_t)n);
        in->labels[n] = (int)json_integer_value(label);
        if (!json_is_integer(label) || in->labels[n] < 0 || in->labels[n] >= in->n_sets) {
            return false;
        }
    }
    return true;
}

static bool read_inputs(struct inputs *in, const char *channel)
{
    in->H = read_channel(json_object_get(in->root, channel), &in->rows, &in->cols);
    if (!in->H) {
        return false;
    }
    const size_t n = (size_t)in->cols;
    in->beam = calloc(n, sizeof *in->beam);
    in->r = calloc(n, sizeof *in->r);
    in->scratch = calloc(n + 1, sizeof *in->scratch);
    in->labels = calloc(n, sizeof *in->labels);
    if (!in->beam || !in->r || !in->scratch || !in->labels) {
        return false;
    }
    for (int i = 0; i < in->cols; i++) {
        in->r[i] = cabs(in->H[i]);
        in->sum += in->r[i];
    }
    return read_labels(in);
}

static void free_inputs(struct inputs *in)
{
    free(in->H);
    free(in->beam);
    free(in->r);
    free(in->scratch);
    free(in->labels);
}

/* Solving ------------------------------------------------------------------------------------------------------------
 */

/* Fills the beam; false (and a wrong value) if there is no solver for the shape. labels NULL: the method's own. */
static bool solve(const struct inputs *in, enum spzf_method method, const int *labels, struct spzf_result *result)
{
    struct spzf_settings settings = spzf_settings_default(method, in->cols, in->rows);
    settings.mirrors = true;
    settings.n_starts = 200; /* no clock runs here */
    spzf_t *spzf;
    const int status = spzf_create(&spzf, &settings);
    golden_true(in->golden, status == 0, "no solver for %d users and %d antennas", in->rows, in->cols);
    if (status == 0 && labels) {
        spzf_execute_labels(spzf, in->H, in->n_sets, labels, in->beam, result);
    } else if (status == 0) {
        spzf_execute(spzf, in->H, in->beam, result);
    }
    spzf_destroy(spzf);
    return status == 0;
}

static double check_phases(const struct inputs *in, const double *theta)
{
    for (int n = 0; n < in->cols; n++) {
        in->beam[n] = __builtin_complex(cos(theta[n]), sin(theta[n]));
    }
    return spzf_check(in->rows, in->cols, in->H, in->beam);
}

/* check() of the beam as it leaves through phases in radians. */
static double check_beam(const struct inputs *in)
{
    spzf_phases(in->cols, in->beam, in->scratch);
    return check_phases(in, in->scratch);
}

/* Kinds
 * ---------------------------------------------------------------------------------------------------------------- */

static void compare_polygon(const struct inputs *in, bool feasible, bool claimed, double residual, const char *form)
{
    const double least = number_or(in->expect, "residual_exact_if_infeasible", (double)NAN);
    golden_true(in->golden, claimed == feasible, "%s: feasible %d, expected %d", form, claimed, feasible);
    if (feasible) {
        golden_true(in->golden, residual <= number_or(in->expect, "residual_max", SPZF_RESIDUAL_LIMIT),
                    "%s: residual %.3g", form, residual);
    } else {
        const double relative = number_or(in->expect, "residual_rel_tol", 1e-9) * least;
        golden_close(in->golden, residual, least, fmax(relative, number_or(in->expect, "residual_abs_tol", 1e-15)), 1,
                     "%s: residual", form);
    }
}

static void check_polygon(const struct inputs *in)
{
    const bool feasible = json_is_true(json_object_get(in->expect, "feasible"));
    golden_true(in->golden, in->rows == 1, "h has %d rows", in->rows);
    if (!golden_has(in->expect, "feasible")) {
        golden_close(in->golden, spzf_dist(in->cols, in->r), golden_number(in->expect, "dist"),
                     number_or(in->expect, "dist_abs_tol", 1e-9 * in->sum), 1.0, "dist");
        return;
    }
    golden_close(in->golden, spzf_dist(in->cols, in->r), golden_number(in->expect, "dist"),
                 number_or(in->expect, "dist_abs_tol", 1e-9 * in->sum), 1.0, "dist");
    bool claimed = spzf_polygon(in->cols, in->H, in->beam);
    compare_polygon(in, feasible, claimed, spzf_check(1, in->cols, in->H, in->beam), "phasors");
    claimed = spzf_polygon_angles(in->cols, in->H, in->scratch);
    compare_polygon(in, feasible, claimed, check_phases(in, in->scratch), "angles");
    struct spzf_result result;
    if (solve(in, SPZF_PLUS, NULL, &result)) {
        compare_polygon(in, feasible, result.outage == 0, check_beam(in), "solver");
    }
}

/* No method's own partition may beat the exact optimum. */
static void compare_with_optimum(const struct inputs *in)
{
    struct spzf_settings settings = spzf_settings_default(SPZF_GENETIC, in->cols, 2);
    const double optimum = golden_number(in->expect, "optimal_pseudo_loss");
    int *labels = calloc((size_t)in->cols, sizeof *labels);
    spzf_t *spzf = NULL;
    const bool ready = labels && spzf_create(&spzf, &settings) == 0;
    golden_true(in->golden, ready, "no solver for %d antennas", in->cols);
    for (int m = SPZF_RANDOM; ready && m <= SPZF_BEST_FIT; m++) {
        const int status = spzf_partition(spzf, (enum spzf_method)m, in->cols, in->r, in->n_sets, labels);
        golden_true(in->golden, status == 0, "method %d refuses %d sets of %d antennas", m, in->n_sets, in->cols);
        const double loss = spzf_pseudo_loss(in->cols, in->r, in->n_sets, labels, NULL, NULL);
        golden_true(in->golden, loss >= optimum - 1e-12 * in->sum,
                    "method %d: pseudo-loss %.12g below the optimum %.12g", m, loss, optimum);
    }
    spzf_destroy(spzf);
    free(labels);
}

static void check_partition(const struct inputs *in)
{
    const double tolerance = number_or(in->expect, "rel_tol", 1e-9);
    const json_t *dists = json_object_get(in->expect, "dists");
    bool e1;
    golden_true(in->golden, in->n_sets > 0, "labels are missing");
    if (in->n_sets == 0) {
        return;
    }
    const double loss = spzf_pseudo_loss(in->cols, in->r, in->n_sets, in->labels, in->scratch, &e1);
    for (int p = 0; p < in->n_sets; p++) { /* a dist is a difference of sums: relative to those */
        golden_close(in->golden, in->scratch[p], golden_at(dists, p), tolerance,
                     fmax(fabs(golden_at(dists, p)), 1e-3 * in->sum), "dist of set %d", p);
    }
    golden_close(in->golden, loss, golden_number(in->expect, "pseudo_loss"), tolerance, fmax(loss, 1e-3 * in->sum),
                 "pseudo-loss");
    golden_true(in->golden, !golden_has(in->expect, "E1") || e1 == json_is_true(json_object_get(in->expect, "E1")),
                "E1 is %d", e1);
    if (golden_has(in->expect, "optimal_pseudo_loss")) {
        compare_with_optimum(in);
    }
}

/* |sum over set p of row 2| of the beam must be one of the two values its triangle allows. */
static void compare_reduced(const struct inputs *in, int p)
{
    const json_t *options = json_array_get(json_object_get(in->expect, "reduced_abs_options"), (size_t)p);
    const double tolerance = number_or(in->expect, "options_rel_tol", 1e-9);
    double complex v = 0.0;
    bool found = json_array_size(options) == 0;
    for (int n = 0; n < in->cols; n++) {
        v += in->labels[n] == p ? in->H[in->cols + n] * in->beam[n] : 0.0;
    }
    for (int i = 0; i < (int)json_array_size(options); i++) {
        found = found || fabs(cabs(v) - golden_at(options, i)) <= tolerance * golden_at(options, i);
    }
    golden_true(in->golden, found, "set %d: reduced magnitude %.12g is none of the options", p, cabs(v));
}

static void check_given_labels(const struct inputs *in)
{
    const json_t *e1 = json_object_get(in->expect, "E1"), *e2 = json_object_get(in->expect, "E2_with_best_mirrors");
    struct spzf_result result;
    if (!solve(in, SPZF_RANDOM, in->labels, &result)) {
        return;
    }
    const bool has_e1 = result.outage & SPZF_E1, has_e2 = result.outage & SPZF_E2;
    if (json_is_boolean(e1)) {
        golden_true(in->golden, has_e1 == json_is_true(e1), "given labels: E1 is %d", has_e1);
    }
    if (json_is_boolean(e2) && !has_e1) {
        golden_true(in->golden, has_e2 == json_is_true(e2), "given labels: E2 with mirrors is %d", has_e2);
    }
    for (int p = 0; p < in->n_sets && in->rows == 2; p++) {
        compare_reduced(in, p);
    }
}

static void check_solve(const struct inputs *in)
{
    const double limit = number_or(in->expect, "residual_max", SPZF_RESIDUAL_LIMIT);
    const bool solvable = !json_is_false(json_object_get(in->expect, "solvable"));
    struct spzf_result result;
    if (in->n_sets > 0) {
        check_given_labels(in);
    }
    if (!solve(in, SPZF_PLUS, NULL, &result)) {
        return;
    }
    const double direct = spzf_check(in->rows, in->cols, in->H, in->beam), residual = check_beam(in);
    golden_true(in->golden, solvable == (result.outage == 0), "outage %u, solvable is %d", result.outage, solvable);
    if (solvable) {
        golden_true(in->golden, direct <= limit && residual <= limit, "residual %.3g, allowed %.3g",
                    fmax(direct, residual), limit);
    }
}

static void check_infeasible(const struct inputs *in)
{
    const double bound = number_or(in->expect, "residual_lower_bound", golden_number(in->root, "residual_lower_bound"));
    for (int m = SPZF_PLUS; m <= SPZF_LM; m++) {
        struct spzf_result result;
        if (!solve(in, (enum spzf_method)m, NULL, &result)) {
            return;
        }
        const double residual = check_beam(in);
        golden_true(in->golden, result.outage != 0, "method %d flags no outage, residual %.3g", m, residual);
        golden_true(in->golden, isnan(bound) || residual >= bound * (1.0 - 1e-9),
                    "method %d: residual %.12g below the proved %.12g", m, residual, bound);
    }
}

static void check_secrecy(const struct inputs *in)
{
    const json_t *theta = json_object_get(in->root, "theta_an");
    const double rho = golden_number(in->root, "rho"), tolerance = number_or(in->expect, "abs_tol", 1e-9);
    int n_eve = 0, cols = 0;
    double complex *He = read_channel(json_object_get(in->root, "He"), &n_eve, &cols);
    const bool fits = He && cols == in->cols && in->rows == 1 && (int)json_array_size(theta) == in->cols;
    golden_true(in->golden, fits, "h, He and theta_an do not fit together");
    if (fits) {
        double misome = (double)NAN;
        for (int n = 0; n < in->cols; n++) {
            in->beam[n] = __builtin_complex(cos(golden_at(theta, n)), sin(golden_at(theta, n)));
        }
        const struct secrecy_rate rate = secrecy_single_chain(in->cols, n_eve, in->H, He, in->beam, rho);
        golden_true(in->golden, secrecy_misome_bits(in->cols, n_eve, in->H, He, rho, &misome) == 0, "out of memory");
        golden_close(in->golden, rate.legit_bits, golden_number(in->expect, "legit"), tolerance, 1.0, "legit bits");
        golden_close(in->golden, rate.eve_bits, golden_number(in->expect, "eve"), tolerance, 1.0, "eve bits");
        golden_close(in->golden, rate.rate_bits, golden_number(in->expect, "rate"), tolerance, 1.0, "rate bits");
        golden_close(in->golden, misome, golden_number(in->expect, "misome"), tolerance, 1.0, "MISOME bits");
    }
    free(He);
}

/* The schema
 * -------------------------------------------------------------------------------------------------------------- */

static const struct kind {
    const char *name, *channel;
    void (*check)(const struct inputs *in);
} KINDS[] = {{"polygon", "h", check_polygon},
             {"partition", "h", check_partition},
             {"solve", "H", check_solve},
             {"infeasible", "H", check_infeasible},
             {"secrecy", "h", check_secrecy}};

static const struct kind *kind_of(const json_t *root)
{
    const char *name = json_string_value(json_object_get(root, "kind"));
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (name && strcmp(name, KINDS[i].name) == 0) {
            return &KINDS[i];
        }
    }
    return NULL;
}

bool golden_spzf_recognises(const json_t *root)
{
    const struct kind *kind = kind_of(root);
    return kind && json_is_object(json_object_get(root, "expect")) &&
           json_is_object(json_object_get(root, kind->channel));
}

void golden_spzf_check(const json_t *root, struct golden *golden)
{
    const struct kind *kind = kind_of(root);
    struct inputs in = {.root = root, .expect = json_object_get(root, "expect"), .golden = golden};
    golden_begin(golden, "spzf", json_string_value(json_object_get(root, "name")));
    if (read_inputs(&in, kind->channel)) {
        kind->check(&in);
    } else {
        golden_true(golden, false, "malformed %s or labels", kind->channel);
    }
    free_inputs(&in);
    golden_end(golden);
}
