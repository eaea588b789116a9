/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/precoder.h"

#include "base/error.h"
#include "mimo/scheme.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool mimo_holds_mean(enum mimo_scheme scheme, enum mimo_power power)
{
    const struct mimo_scheme_row *const row = mimo_scheme_row((int)scheme);
    return row && row->mean & MIMO_ONLY(mimo_power_on_rung(scheme, scheme, power));
}

const char *mimo_reason_text(int reason)
{
    switch (reason) {
#define MIMO_REASON_CASE(name, value, text)                                                                            \
    case value:                                                                                                        \
        return text;
        MIMO_REASON_MAP(MIMO_REASON_CASE)
#undef MIMO_REASON_CASE
    default:
        return "unknown reason";
    }
}

static int check_shape(const struct mimo_shape *shape)
{
    if (shape->n_ap < 1 || shape->n_ap > TUTTI_MAX_AP) {
        return error_set(TUTTI_EINVAL, "precoder: n_ap is %d, allowed 1 to %d", shape->n_ap, TUTTI_MAX_AP);
    }
    if (shape->n_ant < 1 || shape->n_ant > TUTTI_MAX_ANT) {
        return error_set(TUTTI_EINVAL, "precoder: n_ant is %d, allowed 1 to %d", shape->n_ant, TUTTI_MAX_ANT);
    }
    if (shape->n_ue < 1 || shape->n_ue > MIMO_MAX_UE) {
        return error_set(TUTTI_EINVAL, "precoder: n_ue is %d, allowed 1 to %d", shape->n_ue, MIMO_MAX_UE);
    }
    return 0;
}

void precoder_settings_default(struct precoder_settings *settings)
{
    *settings = (struct precoder_settings){.upsilon = 0.95, .ob_tolerance = 1e-2, .ob_max_iterations = 60};
}

void precoder_configure(precoder_t *precoder, const struct precoder_settings *settings)
{
    precoder->settings = *settings;
}

/* Lays the arrays out from base; returns the number of doubles they take. base NULL: counts only. */
static size_t place(struct precoder *p, double *base)
{
    const size_t m = (size_t)p->shape.n_ap, n = (size_t)p->shape.n_ant, k = (size_t)p->shape.n_ue;
    struct {
        double **at;
        size_t size;
    } const arrays[] = {{&p->Gr, k * k},
                        {&p->Gi, k * k},
                        {&p->Xr, k * k},
                        {&p->Xi, k * k},
                        {&p->Yr, k * k},
                        {&p->Yi, k * k},
                        {&p->F, k * k},
                        {&p->work, k * (k + 1)},
                        {&p->noise, k},
                        {&p->p, k},
                        {&p->amplitude, k},
                        {&p->B, m * k},
                        {&p->beta, m * k},
                        {&p->gamma, m * k},
                        {&p->eta, m * k},
                        {&p->eta_beta, m * k},
                        {&p->eta_gamma, m * k},
                        {&p->eta_P, m},
                        {&p->Ur, m * n * k},
                        {&p->Ui, m * n * k},
                        {(double **)&p->H_ap, 2 * n * k},
                        {(double **)&p->W_ap, 2 * n * k},
                        {(double **)&p->strong, (k + sizeof(double) - 1) / sizeof(double)},
                        {&p->Vr, m * n},
                        {&p->Vi, m * n},
                        {(double **)&p->served, (m * k + sizeof(double) - 1) / sizeof(double)},
                        {(double **)&p->loaded, (m * k + sizeof(double) - 1) / sizeof(double)}};
    size_t used = mimo_problem_size(&p->shape);
    if (base) {
        mimo_problem_place(&p->problem, &p->shape, base);
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (base) {
            *arrays[i].at = base + used;
        }
        used += arrays[i].size;
    }
    return used;
}

/* The scheme itself, every rung below it and what those fall back to. */
unsigned precoder_schemes_below(enum mimo_scheme scheme)
{
    unsigned schemes = MIMO_ONLY(scheme);
    while (mimo_scheme_below(scheme) != scheme) {
        scheme = mimo_scheme_below(scheme);
        schemes |= MIMO_ONLY(scheme);
    }
    return schemes;
}

/* Workspaces that only some schemes need. */
static int create_parts(struct precoder *p)
{
    int status = 0;
    if (p->schemes & MIMO_ONLY(MIMO_OB)) {
        status = ob_create(&p->ob, &p->shape);
    }
    if (!status && p->schemes & ~(MIMO_ONLY(MIMO_OB) | MIMO_ONLY(MIMO_ANALOG))) {
        status = batch_create(&p->batch, &p->shape);
    }
    if (!status && p->schemes & MIMO_ONLY(MIMO_CB)) {
        status = maxmin_cb_create(&p->maxmin_cb, p->shape.n_ap, p->shape.n_ant, p->shape.n_ue);
    }
    if (!status && p->schemes & MIMO_CLUSTER_SCHEMES) {
        status = vectors_create(&p->vectors, p->shape.n_ap, p->shape.n_ant, p->shape.n_ue);
        status = status ? status : cluster_lanes_create(&p->cluster_lanes, &p->shape);
    }
    return status;
}

int precoder_create_for(precoder_t **precoder, const struct mimo_shape *shape, unsigned schemes)
{
    *precoder = NULL;
    const int status = check_shape(shape);
    if (status) {
        return status;
    }
    struct precoder *p = *precoder = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "precoder: out of memory");
    }
    p->shape = *shape;
    p->schemes = schemes;
    precoder_settings_default(&p->settings);
    p->storage = calloc(place(p, NULL), sizeof *p->storage);
    if (!p->storage || create_parts(p)) {
        precoder_destroy(p);
        *precoder = NULL;
        return error_set(TUTTI_ENOMEM, "precoder: out of memory for %d APs, %d antennas, %d users", shape->n_ap,
                         shape->n_ant, shape->n_ue);
    }
    place(p, p->storage);
    return 0;
}

int precoder_create(precoder_t **precoder, const struct mimo_shape *shape)
{
    return precoder_create_for(precoder, shape, MIMO_ANY_SCHEME);
}

void precoder_destroy(precoder_t *precoder)
{
    if (!precoder) {
        return;
    }
    ob_destroy(precoder->ob);
    batch_destroy(precoder->batch);
    maxmin_cb_destroy(precoder->maxmin_cb);
    vectors_destroy(precoder->vectors);
    cluster_lanes_destroy(precoder->cluster_lanes);
    free(precoder->storage);
    free(precoder);
}

static int stop_empty(const struct precoder *p, struct mimo_solution *solution, int rc)
{
    memset(solution->W, 0, (size_t)(p->shape.n_ap * p->shape.n_ant) * (size_t)p->shape.n_ue * sizeof *solution->W);
    memset(solution->sinr, 0, (size_t)p->shape.n_ue * sizeof *solution->sinr);
    return rc;
}

int precoder_execute(precoder_t *precoder, enum mimo_scheme scheme, enum mimo_power power,
                     const struct mimo_channel *channel, struct mimo_solution *solution)
{
    static scheme_solve_fn *const solve[MIMO_N_SCHEMES] = {
#define SCHEME_SOLVER(id, name, ...) [id] = scheme_##name##_solve,
        MIMO_SCHEME_MAP(SCHEME_SOLVER)
#undef SCHEME_SOLVER
    };
    struct precoder *p = precoder;
    solution->sinr_bound = NAN;
    solution->iterations = 0;
    solution->reason = MIMO_REASON_NO_USER;
    for (int k = 0; solution->shape && k < p->shape.n_ue; k++) {
        solution->shape[k] = 0;
    }
    if (!mimo_scheme_row((int)scheme) || !(p->schemes & MIMO_ONLY(scheme))) {
        return stop_empty(
            p, solution, error_set(TUTTI_EINVAL, "precoder: not created for scheme %s", mimo_scheme_name((int)scheme)));
    }
    mimo_problem_load(&p->problem, &p->shape, channel);
    solution->reason = p->problem.reason;
    if (p->problem.n_ue == 0 || p->problem.n_ap == 0) {
        return stop_empty(p, solution, TUTTI_ENUMERIC);
    }
    if (mimo_scheme_is_local((int)scheme)) {
        mimo_problem_mask(&p->problem, &p->shape, channel->serves);
    }
    const enum mimo_power rule = mimo_power_on_rung(scheme, scheme, power);
    p->sinr_told = false;
    const int reason = solve[scheme](p, rule, channel, solution);
    solution->reason = reason == MIMO_REASON_ASKED ? p->problem.reason : reason;
    if (!p->sinr_told) {
        mimo_sinr(&p->shape, channel, solution->W, solution->sinr);
    }
    return solution->reason == MIMO_REASON_ASKED ? 0 : TUTTI_ENUMERIC;
}

/* cb maxmin: the first subband's powers serve all that have its large-scale figures. Returns as precoder_execute. */
static int execute_first(struct precoder *p, const struct mimo_channel *channel, struct mimo_solution *solution)
{
    const int status = precoder_execute(p, MIMO_CB, MIMO_POWER_MAXMIN, channel, solution);
    batch_use_each(p->batch, channel, p->problem.n_ap, p->problem.n_ue, p->B, solution->reason);
    return status;
}

/* Clusters: as many subbands at once as there are lanes, one by one those that are left. Returns as
 * precoder_execute_batch. */
static int execute_clusters(struct precoder *p, enum mimo_scheme scheme, int n_sb, const struct mimo_channel *channels,
                            struct mimo_solution *solutions)
{
    const int step = cluster_lanes_most(p->cluster_lanes);
    int rc = 0;
    cluster_lanes_begin(p->cluster_lanes);
    for (int first = 0; first < n_sb; first += step) {
        const int n = n_sb - first < step ? n_sb - first : step;
        const unsigned left =
            cluster_lanes_execute(p->cluster_lanes, p, scheme == MIMO_P_MMSE, n, channels + first, solutions + first);
        for (int s = 0; s < n; s++) {
            if (left & (1u << s)) {
                rc = precoder_execute(p, scheme, MIMO_POWER_FRACTIONAL, &channels[first + s], &solutions[first + s])
                         ? TUTTI_ENUMERIC
                         : rc;
                cluster_lanes_begin(p->cluster_lanes);
            }
        }
    }
    return rc;
}

int precoder_execute_batch(precoder_t *precoder, enum mimo_scheme scheme, enum mimo_power asked, int n_sb,
                           const struct mimo_channel *channels, struct mimo_solution *solutions)
{
    const enum mimo_power power = mimo_power_on_rung(scheme, scheme, asked);
    if (precoder->cluster_lanes && MIMO_CLUSTER_SCHEMES & precoder->schemes & MIMO_ONLY(scheme) &&
        power == MIMO_POWER_FRACTIONAL) {
        return execute_clusters(precoder, scheme, n_sb, channels, solutions);
    }
    const bool served = precoder->batch && mimo_scheme_row((int)scheme) && precoder->schemes & MIMO_ONLY(scheme);
    const bool each =
        scheme == MIMO_CB && power == MIMO_POWER_MAXMIN; /* powers are of this call, never of one before */
    const bool alone = served && each && n_sb > 1, lanes = served && (!each || alone);
    const int step = lanes ? batch_lanes(precoder->batch) : 1;
    int rc = alone && execute_first(precoder, channels, solutions) ? TUTTI_ENUMERIC : 0;
    for (int first = alone; first < n_sb; first += step) {
        const int n = n_sb - first < step ? n_sb - first : step;
        unsigned left = (1u << n) - 1;
        /* powers that were handed in are for one subband at a time */
        const bool given = channels[first].eta && mimo_holds_mean(scheme, power) && !each;
        if (lanes && !given) {
            left = batch_execute(precoder->batch, scheme, power, precoder->settings.upsilon, n, channels + first,
                                 solutions + first);
        }
        for (int s = 0; s < n; s++) {
            const int at = first + s;
            if (left & (1u << s) && precoder_execute(precoder, scheme, power, &channels[at], &solutions[at])) {
                rc = TUTTI_ENUMERIC;
            }
            rc = solutions[at].reason != MIMO_REASON_ASKED ? TUTTI_ENUMERIC : rc;
        }
    }
    return rc;
}
