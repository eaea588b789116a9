/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sensing beside communication: closed forms, optimal powers for given modes, the search over modes, what cannot be
 * had. Objectives and limits are recomputed from the powers returned. */
#include "golden.h"
#include "isac/modes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inputs {
    struct isac_scene scene;
    struct isac_limits limits;
    double *beta, *gamma, *zeta, *theta, *a, *eta_c, *eta_s;
    double *sinr, *masr, *sinr_eve, *power;
    unsigned char *mode;
    double prelog;
};

bool golden_isac_recognises(const json_t *root)
{
    static const char *const KINDS[] = {"evaluate", "feasibility", "fixed_modes", "optimise_cp", "optimise_sp"};
    const char *const kind = json_string_value(json_object_get(root, "kind"));
    bool known = false;
    for (size_t i = 0; kind && i < sizeof KINDS / sizeof *KINDS; i++) {
        known = known || strcmp(kind, KINDS[i]) == 0;
    }
    return known && golden_has(json_object_get(root, "inputs"), "zeta");
}

/* A number, or "inf", "-inf", "nan" as a string; absent is NaN. */
static double number_of(const json_t *value)
{
    const char *const text = json_string_value(value);
    return text ? strtod(text, NULL) : json_is_number(value) ? json_number_value(value) : NAN;
}

static double *table(const json_t *inputs, const char *name, int n_row, int n_column)
{
    double *const values = calloc((size_t)(n_row * n_column), sizeof *values);
    for (int i = 0; values && i < n_row * n_column; i++) {
        values[i] = golden_at2(json_object_get(inputs, name), i / n_column, i % n_column);
    }
    return values;
}

static bool load(const json_t *inputs, struct inputs *in)
{
    const int m = golden_int(inputs, "M"), n = golden_int(inputs, "N"), k = golden_int(inputs, "K"),
              l = golden_int(inputs, "L");
    if (m < 1 || n < 1 || k < 1 || l < 1 || m > 64 || k > 64 || l > 64) {
        return false;
    }
    in->beta = table(inputs, "beta", m, k);
    in->gamma = table(inputs, "gamma", m, k);
    in->zeta = table(inputs, "zeta", m, l);
    in->theta = table(inputs, "theta", m, l);
    in->eta_c = table(inputs, "eta_c", m, k);
    in->eta_s = table(inputs, "eta_s", m, l);
    in->a = calloc((size_t)m, sizeof(double));
    in->power = calloc((size_t)m, sizeof(double));
    in->sinr = calloc((size_t)k, sizeof(double));
    in->masr = calloc((size_t)l, sizeof(double));
    in->sinr_eve = calloc((size_t)l, sizeof(double));
    in->mode = calloc((size_t)m, 1);
    if (!in->beta || !in->gamma || !in->zeta || !in->theta || !in->eta_c || !in->eta_s || !in->a || !in->power ||
        !in->sinr || !in->masr || !in->sinr_eve || !in->mode) {
        return false;
    }
    for (int i = 0; i < m; i++) {
        in->a[i] = golden_at(json_object_get(inputs, "a"), i);
        in->mode[i] = golden_at(json_object_get(inputs, "modes"), i) > 0.5;
    }
    in->scene = (struct isac_scene){.n_ap = m,
                                    .n_ant = n,
                                    .n_ue = k,
                                    .n_zone = l,
                                    .rho = golden_number(inputs, "rho"),
                                    .d_over_lambda = golden_number(inputs, "d_over_lambda"),
                                    .beta = in->beta,
                                    .gamma = in->gamma,
                                    .zeta = in->zeta,
                                    .theta = in->theta};
    in->limits =
        (struct isac_limits){golden_number(inputs, "kappa"), golden_number(inputs, "nu"), golden_number(inputs, "qos")};
    in->prelog = 1 - golden_number(inputs, "tau_t") / golden_number(inputs, "tau");
    return true;
}

static void release(struct inputs *in)
{
    double *const arrays[] = {in->beta,  in->gamma, in->zeta, in->theta,    in->a,    in->eta_c,
                              in->eta_s, in->sinr,  in->masr, in->sinr_eve, in->power};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
    free(in->mode);
}

/* Infinite is compared as such, a wanted 0 to the absolute tolerance. */
static void compare(struct golden *golden, const json_t *tolerance, const double *values, const json_t *want, int n,
                    const char *name)
{
    const double absolute = golden_number(tolerance, "abs");
    for (int i = 0; want && i < n; i++) {
        const double w = number_of(json_array_get(want, (size_t)i));
        if (isinf(w)) {
            golden_true(golden, values[i] == w, "%s[%d] is %g, expected %g", name, i, values[i], w);
        } else if (isnan(w)) {
            golden_true(golden, isnan(values[i]), "%s[%d] is %g, expected nan", name, i, values[i]);
        } else {
            const double allowed = golden_number(tolerance, "rel") * fabs(w) + (isnan(absolute) ? 0 : absolute);
            golden_close(golden, values[i], w, allowed, 1, "%s[%d]", name, i);
        }
    }
}

static void check_arrays(struct golden *golden, const struct inputs *in, const json_t *expected,
                         const json_t *tolerance)
{
    const json_t *const steering = json_object_get(expected, "steering"), *const inner =
                                                                              json_object_get(expected, "inner");
    const double rel = golden_number(tolerance, "rel"), allowed = golden_number(tolerance, "inner_abs");
    const struct isac_scene *const s = &in->scene;
    for (int i = 0; i < s->n_ap * s->n_zone; i++) {
        const int m = i / s->n_zone, l = i % s->n_zone;
        const json_t *const a = json_array_get(json_array_get(steering, (size_t)m), (size_t)l);
        const json_t *const row = json_array_get(json_array_get(inner, (size_t)m), (size_t)l);
        double complex mine[256];
        for (int n = 0; json_is_array(a) && n < s->n_ant && n < 256; n++) {
            const double complex want = golden_complex(json_array_get(a, (size_t)n));
            isac_steering(s, s->theta[i], mine);
            golden_close(golden, cabs(mine[n] - want), 0, rel, 1, "steering[%d][%d][%d]", m, l, n);
        }
        for (int o = 0; json_is_array(row) && o < s->n_zone; o++) {
            const double complex want = golden_complex(json_array_get(row, (size_t)o));
            golden_close(golden, cabs(isac_inner(s, m, l, o) - want), 0, allowed, 1, "inner[%d][%d][%d]", m, l, o);
        }
    }
}

static void check_evaluate(struct golden *golden, struct inputs *in, const json_t *expected, const json_t *tolerance)
{
    const struct isac_scene *const s = &in->scene;
    const struct isac_metrics metrics = {in->sinr, in->masr, in->sinr_eve, in->power};
    double *const phase = calloc((size_t)(s->n_ap * s->n_zone), sizeof *phase);
    double *const rate = calloc((size_t)s->n_ue * 2, sizeof *rate), rate_eve;
    isac_evaluate(s, in->a, in->eta_c, in->eta_s, NULL, &metrics);
    compare(golden, tolerance, in->sinr, json_object_get(expected, "SINR_k"), s->n_ue, "SINR_k");
    compare(golden, tolerance, in->masr, json_object_get(expected, "MASR_l"), s->n_zone, "MASR_l");
    compare(golden, tolerance, in->sinr_eve, json_object_get(expected, "SINR_l"), s->n_zone, "SINR_l");
    compare(golden, tolerance, in->power, json_object_get(expected, "power"), s->n_ap, "power");
    isac_rates(s, in->prelog, in->sinr, in->sinr_eve, rate, &rate_eve, rate + s->n_ue);
    compare(golden, tolerance, rate, json_object_get(expected, "rate_k"), s->n_ue, "rate_k");
    compare(golden, tolerance, rate + s->n_ue, json_object_get(expected, "secrecy_k"), s->n_ue, "secrecy_k");
    golden_close(golden, rate_eve, golden_number(expected, "rate_eve_max"), golden_number(tolerance, "rel"),
                 fmax(rate_eve, 1e-3), "rate_eve_max");
    isac_evaluate(s, in->a, in->eta_c, in->eta_s, phase, &metrics);
    compare(golden, tolerance, in->masr, json_object_get(expected, "MASR_l_coherent"), s->n_zone, "MASR_l_coherent");
    compare(golden, tolerance, in->sinr_eve, json_object_get(expected, "SINR_l_coherent"), s->n_zone,
            "SINR_l_coherent");
    check_arrays(golden, in, expected, tolerance);
    free(phase);
    free(rate);
}

/* The objective by section 2 from the powers in eta_c and eta_s; every limit is checked to the tolerance. */
static double objective_of(struct golden *golden, struct inputs *in, enum isac_objective objective, double tolerance)
{
    const struct isac_scene *const s = &in->scene;
    const struct isac_metrics metrics = {in->sinr, in->masr, in->sinr_eve, in->power};
    double least = INFINITY, largest = 0;
    for (int m = 0; m < s->n_ap; m++) {
        in->a[m] = in->mode[m];
    }
    isac_evaluate(s, in->a, in->eta_c, in->eta_s, NULL, &metrics);
    for (int k = 0; k < s->n_ue; k++) {
        least = fmin(least, in->sinr[k]);
        golden_true(golden, objective == ISAC_CP || fabs(in->sinr[k] / in->limits.qos - 1) < 1e-4,
                    "SP's SINR_%d is %.9g, asked %.9g", k, in->sinr[k], in->limits.qos);
    }
    for (int l = 0; l < s->n_zone; l++) {
        largest = fmax(largest, in->sinr_eve[l]);
        golden_true(golden, in->masr[l] >= in->limits.kappa * (1 - tolerance), "MASR_%d is %.9g", l, in->masr[l]);
        golden_true(golden, in->sinr_eve[l] * in->masr[l] <= 1 + 1e-12, "SINR_%d above 1 / MASR", l);
    }
    golden_true(golden, objective == ISAC_SP || largest <= in->limits.nu * (1 + tolerance), "SINR_l is %.9g", largest);
    for (int m = 0; m < s->n_ap; m++) {
        golden_true(golden, in->power[m] <= 1 + tolerance, "power of AP %d is %.12g", m, in->power[m]);
    }
    return objective == ISAC_CP ? least : largest;
}

static void check_fixed(struct golden *golden, struct inputs *in, const json_t *expected, const json_t *tolerance)
{
    const double rel = golden_number(tolerance, "objective_rel"), limit = golden_number(tolerance, "feasibility_rel");
    unsigned char either[64];
    isac_power_t *power;
    struct isac_solution solution;
    memset(either, ISAC_EITHER, sizeof either);
    if (isac_power_create(&power, in->scene.n_ap, in->scene.n_ue, in->scene.n_zone)) {
        golden_true(golden, false, "isac_power_create failed");
    }
    for (int i = 0; power && i < 2; i++) {
        const enum isac_objective objective = i ? ISAC_SP : ISAC_CP;
        const char *const name = objective == ISAC_CP ? "cp" : "sp";
        const json_t *const wanted = json_object_get(expected, name);
        isac_power_solve(power, &in->scene, &in->limits, objective, in->mode, in->eta_c, in->eta_s, &solution);
        if (golden_has(wanted, "feasible")) {
            golden_true(golden,
                        json_is_true(json_object_get(wanted, "feasible")) == (solution.verdict == ISAC_FEASIBLE),
                        "%s: verdict %d", name, solution.verdict);
        }
        if (golden_has(wanted, "objective") && solution.verdict == ISAC_FEASIBLE) {
            const double want = golden_number(wanted, "objective");
            golden_close(golden, objective_of(golden, in, objective, limit), want, rel, want, "%s objective", name);
        }
        isac_power_solve(power, &in->scene, &in->limits, objective, either, in->eta_c, in->eta_s, &solution);
        const double want = golden_number(expected, objective == ISAC_CP ? "relaxation_cp" : "relaxation_sp");
        golden_close(golden, solution.objective, want, rel, want, "relaxation_%s", name);
    }
    isac_power_destroy(power);
}

static void check_every_choice(struct golden *golden, const json_t *rows, const double *values, int n_ap, double rel)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *const row = json_array_get(rows, i), *const modes = json_object_get(row, "modes");
        unsigned index = 0;
        for (int m = 0; m < n_ap; m++) {
            index = 2 * index + (golden_at(modes, m) > 0.5);
        }
        const double want = number_of(json_object_get(row, "objective"));
        if (isnan(want)) {
            golden_true(golden, isnan(values[index]), "modes %u: %.9g, expected infeasible", index, values[index]);
        } else {
            golden_close(golden, values[index], want, rel, want, "modes %u", index);
        }
    }
}

static void check_search(struct golden *golden, struct inputs *in, const json_t *expected, const json_t *tolerance,
                         enum isac_objective objective)
{
    const double rel = golden_number(tolerance, "objective_rel"), limit = golden_number(tolerance, "feasibility_rel");
    const bool feasible = json_is_true(json_object_get(expected, "feasible"));
    const struct isac_scene *const s = &in->scene;
    const char *const reason = json_string_value(json_object_get(expected, "reason"));
    double *const values = calloc((size_t)1 << s->n_ap, sizeof *values);
    struct isac_decision decision;
    isac_modes_t *modes;
    if (isac_modes_create(&modes, s->n_ap, s->n_ue, s->n_zone) || !values) {
        golden_true(golden, false, "isac_modes_create failed");
    }
    for (int exhaustive = 0; modes && values && exhaustive < 2; exhaustive++) {
        if (exhaustive) {
            isac_modes_exhaust(modes, s, &in->limits, objective, values, in->mode, in->eta_c, in->eta_s, &decision);
            check_every_choice(golden, json_object_get(expected, "objective_by_modes"), values, s->n_ap, rel);
        } else {
            isac_modes_search(modes, s, &in->limits, objective, ISAC_SWAPS, in->mode, in->eta_c, in->eta_s, &decision);
            golden_true(golden,
                        !reason || strcmp(reason, "masr") != 0 || decision.solution.verdict == ISAC_MASR_UNREACHABLE,
                        "verdict %d", decision.solution.verdict);
        }
        golden_true(golden, feasible == (decision.solution.verdict == ISAC_FEASIBLE), "verdict %d",
                    decision.solution.verdict);
        const double bound = golden_number(expected, "relaxation_bound"), want = golden_number(expected, "objective");
        golden_close(golden, decision.bound, bound, rel, bound, "bound");
        if (feasible && decision.solution.verdict == ISAC_FEASIBLE) {
            golden_close(golden, objective_of(golden, in, objective, limit), want, rel, want, "objective");
        }
    }
    isac_modes_destroy(modes);
    free(values);
}

/* relaxation_cp_at_XpY_db: the relaxation with another kappa. */
static void check_relaxation_at(struct golden *golden, struct inputs *in, const json_t *expected, isac_power_t *power,
                                const unsigned char *either, double rel)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)expected, key, value)
    {
        int whole, tenths;
        struct isac_solution solution;
        if (sscanf(key, "relaxation_cp_at_%dp%d_db", &whole, &tenths) == 2) {
            in->limits.kappa = pow(10, (whole + tenths / 10.0) / 10);
            isac_power_solve(power, &in->scene, &in->limits, ISAC_CP, either, in->eta_c, in->eta_s, &solution);
            golden_close(golden, solution.objective, json_number_value(value), rel, json_number_value(value), "%s",
                         key);
        }
    }
}

static void check_feasibility(struct golden *golden, struct inputs *in, const json_t *expected, const json_t *tolerance)
{
    unsigned char either[64];
    isac_power_t *power;
    struct isac_solution solution;
    memset(either, ISAC_EITHER, sizeof either);
    if (isac_power_create(&power, in->scene.n_ap, in->scene.n_ue, in->scene.n_zone)) {
        golden_true(golden, false, "isac_power_create failed");
        return;
    }
    for (int i = 0; i < 2; i++) {
        const enum isac_objective objective = i ? ISAC_SP : ISAC_CP;
        const json_t *const want = json_object_get(expected, objective == ISAC_CP ? "cp_feasible" : "sp_feasible");
        const char *const reason = json_string_value(json_object_get(expected, "reason"));
        isac_power_solve(power, &in->scene, &in->limits, objective, either, in->eta_c, in->eta_s, &solution);
        golden_true(golden, !want || json_is_true(want) == (solution.verdict == ISAC_FEASIBLE), "verdict %d",
                    solution.verdict);
        golden_true(golden, !reason || (strcmp(reason, "masr") == 0) == (solution.verdict == ISAC_MASR_UNREACHABLE),
                    "verdict %d, expected %s", solution.verdict, reason ? reason : "none");
    }
    const double want = golden_number(expected, "max_kappa_db");
    golden_close(golden, 10 * log10(isac_power_largest_masr(power, &in->scene, either)), want,
                 golden_number(tolerance, "max_kappa_db_abs"), 1, "max_kappa_db");
    check_relaxation_at(golden, in, expected, power, either, golden_number(tolerance, "objective_rel"));
    isac_power_destroy(power);
}

void golden_isac_check(const json_t *root, struct golden *golden)
{
    const char *const kind = json_string_value(json_object_get(root, "kind"));
    const json_t *const expected = json_object_get(root, "expected"), *const tolerance =
                                                                          json_object_get(root, "tolerance");
    struct inputs in = {0};
    golden_begin(golden, "isac", json_string_value(json_object_get(root, "name")));
    if (!load(json_object_get(root, "inputs"), &in)) {
        golden_true(golden, false, "M, N, K or L out of range");
    } else if (strcmp(kind, "evaluate") == 0) {
        check_evaluate(golden, &in, expected, tolerance);
    } else if (strcmp(kind, "fixed_modes") == 0) {
        check_fixed(golden, &in, expected, tolerance);
    } else if (strcmp(kind, "feasibility") == 0) {
        check_feasibility(golden, &in, expected, tolerance);
    } else {
        check_search(golden, &in, expected, tolerance, strcmp(kind, "optimise_cp") == 0 ? ISAC_CP : ISAC_SP);
    }
    release(&in);
    golden_end(golden);
}
