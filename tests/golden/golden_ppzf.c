/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Closed forms and vectors of protective partial zero-forcing ([Yu 2026], [Interdonato 2020]). */
#include "base/error.h"
#include "control/resilience.h"
#include "golden.h"
#include "mimo/ppzf.h"
#ifdef TUTTI_IPOPT
#include "control/gap_reference.h"
#endif

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TOLERANCE = 1e-10; /* relative for closed forms, absolute for vectors */

struct inputs {
    int m, n, k, tau, tau_c;
    double *beta, *beta_eve, *pilot_power, *P, *eta, *eta_an, *eta_equal, *eta_an_equal;
    struct ppzf_tables *tables;
    gap_t *gap;
};

bool golden_ppzf_recognises(const json_t *root)
{
    const char *schema = json_string_value(json_object_get(root, "schema"));
    return schema && strcmp(schema, "ppzf-golden-1") == 0;
}

static enum mimo_scheme scheme_of(const char *name)
{
    if (name && strcmp(name, "MRT") == 0) {
        return MIMO_CB;
    }
    return name && strcmp(name, "FZF") == 0 ? MIMO_FZF : name && strcmp(name, "PZF") == 0 ? MIMO_PZF : MIMO_PPZF;
}

static bool allocate(struct inputs *in)
{
    const size_t m = (size_t)in->m, k = (size_t)in->k;
    double **const arrays[] = {&in->beta, &in->eta,    &in->eta_equal,    &in->beta_eve,
                               &in->P,    &in->eta_an, &in->eta_an_equal, &in->pilot_power};
    const size_t sizes[] = {m * k, m * k, m * k, m, m, m, m, k};
    bool ok = true;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ok = (*arrays[i] = calloc(sizes[i], sizeof(double))) && ok;
    }
    return ok;
}

static void release(struct inputs *in)
{
    double *const arrays[] = {in->beta, in->eta,    in->eta_equal,    in->beta_eve,
                              in->P,    in->eta_an, in->eta_an_equal, in->pilot_power};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
    ppzf_tables_destroy(in->tables);
    gap_destroy(in->gap);
}

static int set_gap(struct inputs *in, const json_t *targets)
{
    const double omega = 1 - (double)in->tau / in->tau_c;
    const struct gap_model model = ppzf_gap_model(in->tables, in->P, omega);
    const struct gap_targets want = {.r_min = golden_number(targets, "R_min"),
                                     .r_des = golden_number(targets, "R_des"),
                                     .s_des = golden_number(targets, "S_des"),
                                     .w_sec = golden_number(targets, "w_sec"),
                                     .w_qos = golden_number(targets, "w_qos")};
    const int status = gap_create(&in->gap, in->m, in->k);
    return status ? status : gap_set(in->gap, &model, &want);
}

static bool load(const json_t *input, struct inputs *in)
{
    in->m = golden_int(input, "M");
    in->n = golden_int(input, "N");
    in->k = golden_int(input, "K");
    in->tau = golden_int(input, "tau");
    in->tau_c = golden_int(input, "tau_c");
    if (in->m < 1 || in->k < 1 || in->k > TUTTI_MAX_UE || in->n < 1 || in->n > TUTTI_MAX_ANT || !allocate(in)) {
        return false;
    }
    for (int m = 0; m < in->m; m++) {
        in->beta_eve[m] = golden_at(json_object_get(input, "beta_e"), m);
        in->P[m] = golden_at(json_object_get(input, "P"), m);
        in->eta_an[m] = golden_at(json_object_get(input, "eta_an"), m);
        for (int k = 0; k < in->k; k++) {
            in->beta[m * in->k + k] = golden_at2(json_object_get(input, "beta"), m, k);
            in->eta[m * in->k + k] = golden_at2(json_object_get(input, "eta"), m, k);
        }
    }
    for (int k = 0; k < in->k; k++) {
        in->pilot_power[k] = golden_at(json_object_get(input, "p_u"), k);
    }
    const struct ppzf_network network = {.n_ap = in->m,
                                         .n_ant = in->n,
                                         .n_ue = in->k,
                                         .tau = in->tau,
                                         .beta = in->beta,
                                         .beta_eve = in->beta_eve,
                                         .pilot_power = in->pilot_power,
                                         .eve_pilot_power = golden_number(input, "p_e"),
                                         .upsilon = golden_number(input, "upsilon"),
                                         .scheme = scheme_of(json_string_value(json_object_get(input, "scheme")))};
    return ppzf_tables_create(&in->tables, &network) == 0 && set_gap(in, json_object_get(input, "targets")) == 0;
}

static void compare(struct golden *golden, double value, double want, const char *what, int m, int k)
{
    golden_close(golden, value, want, TOLERANCE, want, "%s[%d][%d]", what, m, k);
}

static void check_tables(const json_t *expected, struct golden *golden, const struct inputs *in)
{
    const struct ppzf_tables *t = in->tables;
    for (int m = 0; m < in->m; m++) {
        const json_t *set = json_array_get(json_object_get(expected, "strong_sets"), (size_t)m);
        int listed = 0;
        for (int k = 0; k < in->k; k++) {
            const int i = m * in->k + k;
            const bool want = listed < (int)json_array_size(set) && (int)golden_at(set, listed) == k;
            listed += want;
            golden_true(golden, !set || t->strong[i] == want, "strong set of AP %d, user %d", m, k);
            compare(golden, t->c[i], golden_at2(json_object_get(expected, "c"), m, k), "c", m, k);
            compare(golden, t->gamma[i], golden_at2(json_object_get(expected, "gamma"), m, k), "gamma", m, k);
            compare(golden, t->gain[i], golden_at2(json_object_get(expected, "A"), m, k), "A", m, k);
            compare(golden, t->leak[i], golden_at2(json_object_get(expected, "BA"), m, k), "BA", m, k);
        }
        golden_true(golden, !set || listed == (int)json_array_size(set), "size of the strong set of AP %d", m);
        compare(golden, t->gamma_eve[m], golden_at(json_object_get(expected, "gamma_e"), m), "gamma_e", m, 0);
        compare(golden, t->gain_eve[m], golden_at(json_object_get(expected, "ae"), m), "ae", m, 0);
        compare(golden, t->leak_eve[m], golden_at(json_object_get(expected, "cs"), m), "cs", m, 0);
        compare(golden, t->leak_eve[m], golden_at(json_object_get(expected, "cA"), m), "cA", m, 0);
    }
}

static void check_psi(const json_t *want, const char *part, struct golden *golden, const struct inputs *in,
                      const double *eta, const double *eta_an)
{
    struct gap_metrics found;
    gap_metrics(in->gap, eta, eta_an, NULL, &found);
    const struct {
        const char *name;
        double value;
    } fields[] = {{"psi_opt", found.psi}, {"psi_metric", found.psi_metric}, {"psi_two_sided", found.psi_two_sided}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        golden_close(golden, fields[i].value, golden_number(want, fields[i].name), TOLERANCE, 1, "%s %s", part,
                     fields[i].name);
    }
}

static void check_powers(const json_t *expected, const char *part, struct golden *golden, const struct inputs *in,
                         const double *eta, const double *eta_an)
{
    const json_t *want = json_object_get(expected, part);
    double sinr[TUTTI_MAX_UE];
    ppzf_sinr(in->tables, eta, eta_an, sinr);
    for (int k = 0; k < in->k; k++) {
        const double w = golden_at(json_object_get(want, "sinr"), k), r = golden_at(json_object_get(want, "R"), k);
        golden_close(golden, sinr[k], w, TOLERANCE, w, "%s sinr[%d]", part, k);
        golden_close(golden, ppzf_rate(in->tau, in->tau_c, sinr[k]), r, TOLERANCE, r, "%s R[%d]", part, k);
    }
    const double sinr_eve = ppzf_sinr_eve(in->tables, eta, eta_an), w = golden_number(want, "sinr_e");
    golden_close(golden, sinr_eve, w, TOLERANCE, w, "%s sinr_e", part);
    const double rate = ppzf_rate(in->tau, in->tau_c, sinr[0]), rate_eve = ppzf_rate(in->tau, in->tau_c, sinr_eve);
    golden_close(golden, rate_eve, golden_number(want, "R_e"), TOLERANCE, rate_eve, "%s R_e", part);
    golden_close(golden, rate - rate_eve, golden_number(want, "sse_raw"), TOLERANCE, rate + rate_eve, "%s sse_raw",
                 part);
    golden_close(golden, fmax(rate - rate_eve, 0), golden_number(want, "sse"), TOLERANCE, rate + rate_eve, "%s sse",
                 part);
    check_psi(want, part, golden, in, eta, eta_an);
}

static void check_equal_power(const json_t *expected, const char *part, bool with_noise, struct golden *golden,
                              const struct inputs *in)
{
    ppzf_equal_power(in->tables, in->P, with_noise, in->eta_equal, in->eta_an_equal);
    const json_t *want = json_object_get(expected, part);
    for (int m = 0; m < in->m; m++) {
        const double w = golden_at(json_object_get(want, "eta_row_per_user"), m);
        for (int k = 0; k < in->k; k++) {
            golden_close(golden, in->eta_equal[m * in->k + k], w, TOLERANCE, w, "%s eta[%d][%d]", part, m, k);
        }
        golden_close(golden, in->eta_an_equal[m], golden_at(json_object_get(want, "eta_an"), m), TOLERANCE, w,
                     "%s eta_an[%d]", part, m);
    }
    check_powers(expected, part, golden, in, in->eta_equal, in->eta_an_equal);
}

static void check_vector(struct golden *golden, const json_t *want, int n, const double complex *v, int stride,
                         const char *what, int m, int k)
{
    for (int a = 0; a < n; a++) {
        const double complex w = golden_complex(json_array_get(want, (size_t)a));
        golden_close(golden, cabs(v[a * stride] - w), 0, TOLERANCE, 1, "%s[%d][%d][%d]", what, m, k, a);
    }
}

static void check_vectors(const json_t *input, const json_t *expected, struct golden *golden, const struct inputs *in)
{
    for (int m = 0; m < in->m; m++) {
        double complex H[TUTTI_MAX_ANT * TUTTI_MAX_UE], W[TUTTI_MAX_ANT * TUTTI_MAX_UE], z[TUTTI_MAX_ANT],
            v[TUTTI_MAX_ANT], work[TUTTI_MAX_ANT * TUTTI_MAX_UE];
        const json_t *estimates = json_array_get(json_object_get(input, "H_hat"), (size_t)m);
        const json_t *noise = json_array_get(json_object_get(input, "z_an"), (size_t)m);
        for (int a = 0; a < in->n; a++) {
            z[a] = golden_complex(json_array_get(noise, (size_t)a));
            for (int k = 0; k < in->k; k++) {
                H[a * in->k + k] = golden_complex(json_array_get(json_array_get(estimates, (size_t)k), (size_t)a));
            }
        }
        uint8_t *strong = in->tables->strong + m * in->k;
        const double *gamma = in->tables->gamma + m * in->k;
        golden_true(golden, ppzf_beams(in->tables->scheme, in->n, in->k, strong, gamma, H, W) == 0, "beams of AP %d",
                    m);
        golden_true(golden, ppzf_noise(in->n, in->k, strong, H, z, work, v) == 0, "artificial noise of AP %d", m);
        for (int k = 0; k < in->k; k++) {
            check_vector(golden, json_array_get(json_array_get(json_object_get(expected, "W"), (size_t)m), (size_t)k),
                         in->n, W + k, in->k, "W", m, k);
        }
        check_vector(golden, json_array_get(json_object_get(expected, "V_an"), (size_t)m), in->n, v, 1, "V_an", m, 0);
    }
}

/* What makes powers acceptable: within the budgets, the merit they are said to have, and no worse than the reference.
 */
static void check_solution(struct golden *golden, const struct inputs *in, const double *eta, const double *eta_an,
                           const struct gap_metrics *said, double limit, const char *who)
{
    struct gap_metrics found;
    for (int m = 0; m < in->m; m++) {
        double sum = eta_an[m];
        bool feasible = eta_an[m] >= 0;
        for (int k = 0; k < in->k; k++) {
            sum += eta[m * in->k + k];
            feasible = feasible && eta[m * in->k + k] >= 0;
        }
        golden_true(golden, feasible && sum <= in->P[m] * (1 + 1e-9), "%s: power of AP %d: %g of %g", who, m, sum,
                    in->P[m]);
    }
    gap_metrics(in->gap, eta, eta_an, NULL, &found);
    golden_close(golden, said->merit, found.merit, 1e-9, 1, "%s: merit as it says", who);
    golden_true(golden, !(found.merit > limit), "%s: merit %.8g, at most %.8g", who, found.merit, limit);
}

/* The first convex subproblem from equal power, then the whole approximation, which must never rise. */
static void check_sca(const json_t *want, struct golden *golden, const struct inputs *in, double *eta, double *eta_an)
{
    const struct gap_options options = {GAP_NEWTON, GAP_NOISE_FREE, 500, 1e-9};
    struct gap_result result;
    double objective;
    ppzf_equal_power(in->tables, in->P, false, eta, eta_an);
    gap_sca_step(in->gap, &options, eta, eta_an, &result, &objective);
    const double slack = golden_number(want, "sub1_hybrid_slack");
    golden_close(golden, objective, golden_number(want, "sub1_hybrid_objective") + GAP_PENALTY * slack,
                 golden_number(want, "sub1_tol_abs"), 1, "sub1_hybrid_objective");
    for (int i = 0; i < 40; i++) {
        gap_sca_step(in->gap, &options, eta, eta_an, &result, NULL);
        golden_true(golden, result.end.merit <= result.start.merit, "step %d of the approximation rises", i);
    }
    check_solution(golden, in, eta, eta_an, &result.end,
                   golden_number(want, "sca_final_merit") + golden_number(want, "tol_abs"), "successive approximation");
}

/* The first subproblem of both forms by Ipopt. */
static void check_reference(const json_t *want, struct golden *golden, const struct inputs *in)
{
#ifdef TUTTI_IPOPT
    static const char *const names[] = {"sub1_paper_objective", "sub1_hybrid_objective"};
    for (int form = 0; form < 2; form++) {
        const struct gap_reference_options options = {form == 0 ? GAP_FORM_A : GAP_FORM_B, GAP_NOISE_FREE, 1, 0};
        const double slack = golden_number(want, form == 0 ? "sub1_paper_slack" : "sub1_hybrid_slack");
        const double tolerance = form == 0 ? 1e-5 : golden_number(want, "sub1_tol_abs");
        struct gap_result result;
        double objective = NAN;
        ppzf_equal_power(in->tables, in->P, false, in->eta_equal, in->eta_an_equal);
        const int status = gap_reference_step(in->gap, &options, in->eta_equal, in->eta_an_equal, &result, &objective);
        golden_true(golden, status == 0, "Ipopt on %s", names[form]);
        golden_close(golden, objective, golden_number(want, names[form]) + (slack > 0 ? GAP_PENALTY * slack : 0),
                     tolerance, 1, "%s by Ipopt", names[form]);
    }
#else
    (void)want, (void)in;
    golden_skip(golden, "subproblems by Ipopt, which is not installed");
#endif
}

static void check_optimisation(const json_t *want, struct golden *golden, const struct inputs *in)
{
    double *const eta = in->eta_equal, *const eta_an = in->eta_an_equal;
    const double tolerance = golden_number(want, "tol_abs");
    const double limit[] = {golden_number(want, "sca_final_merit"), golden_number(want, "sca_no_an_final_psi")};
    struct gap_result result;
    check_sca(want, golden, in, eta, eta_an);
    check_reference(want, golden, in);
    for (int i = 0; i < 2; i++) {
        struct gap_options options = GAP_OPTIONS_DEFAULT;
        options.noise = i == 0 ? GAP_NOISE_AUTO : GAP_NOISE_NONE;
        ppzf_equal_power(in->tables, in->P, false, eta, eta_an);
        gap_solve(in->gap, &options, eta, eta_an, &result);
        check_solution(golden, in, eta, eta_an, &result.end, limit[i] + tolerance, i == 0 ? "solver" : "without noise");
    }
}

/* One weighting of the score: everything from psi0, psi, t_ms and T_des_ms alone. */
static void check_weighting(const json_t *part, const json_t *want, struct golden *golden)
{
    static const double TIGHT = 1e-12;
    const json_t *const weights = json_object_get(want, "weights"), *const psi = json_object_get(part, "psi");
    struct resilience r;
    struct resilience_score score;
    resilience_begin(&r,
                     &(struct resilience_weights){golden_at(weights, 0), golden_at(weights, 1), golden_at(weights, 2)},
                     golden_number(part, "T_des_ms"), golden_number(part, "psi0"));
    golden_close(golden, r.absorption, golden_number(want, "r_abs"), TIGHT, 1, "r_abs");
    for (int i = 0; i < (int)json_array_size(psi); i++) {
        resilience_candidate(&r, golden_at(psi, i), golden_at(json_object_get(part, "t_ms"), i), &score);
        golden_close(golden, score.adaptation, golden_at(json_object_get(want, "r_ada"), i), TIGHT, 1, "r_ada[%d]", i);
        golden_close(golden, score.recovery, golden_at(json_object_get(want, "r_rec"), i), TIGHT, 1, "r_rec[%d]", i);
        golden_close(golden, score.score, golden_at(json_object_get(want, "score"), i), TIGHT, 1, "score[%d]", i);
        golden_close(golden, r.best.score, golden_at(json_object_get(want, "best_running"), i), TIGHT, 1,
                     "best_running[%d]", i);
    }
    golden_close(golden, r.best_index, golden_number(want, "best_index"), 0, 1, "best_index");
    golden_close(golden, r.best.score, golden_number(want, "best"), TIGHT, 1, "best");
}

static void check_resilience(const json_t *part, struct golden *golden)
{
    const json_t *const results = json_object_get(part, "results");
    for (size_t i = 0; i < json_array_size(results); i++) {
        check_weighting(part, json_array_get(results, i), golden);
    }
}

void golden_ppzf_check(const json_t *root, struct golden *golden)
{
    const json_t *input = json_object_get(root, "input"), *expected = json_object_get(root, "expected");
    struct inputs in = {0};
    golden_begin(golden, "ppzf", json_string_value(json_object_get(root, "name")));
    if (load(input, &in)) {
        check_tables(expected, golden, &in);
        check_powers(expected, "given_power", golden, &in, in.eta, in.eta_an);
        check_equal_power(expected, "epa", false, golden, &in);
        check_equal_power(expected, "epa_an", true, golden, &in);
        if (golden_has(input, "H_hat") && golden_has(input, "z_an")) {
            check_vectors(input, expected, golden, &in);
        }
        if (golden_has(expected, "optimisation")) {
            check_optimisation(json_object_get(expected, "optimisation"), golden, &in);
        }
        check_resilience(json_object_get(expected, "resilience"), golden);
    } else {
        golden_true(golden, false, "cannot use the input: %s", error_text());
    }
    release(&in);
    golden_end(golden);
}
