/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/spzf_worker.h"

#include "base/error.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum spzf_method method;
    bool uniform, mirrors;
    int n_starts;
} VARIANTS[SPZF_V_N] = {
    [SPZF_V_RANDOM] = {"random", SPZF_RANDOM, false, false, 0},
    [SPZF_V_ITERATIVE] = {"iterative, balanced start", SPZF_ITERATIVE, false, false, 0},
    [SPZF_V_UNIFORM] = {"iterative, uniform start", SPZF_ITERATIVE, true, false, 0},
    [SPZF_V_FC] = {"iterative FC", SPZF_ITERATIVE_FC, false, false, 0},
    [SPZF_V_GENETIC] = {"genetic", SPZF_GENETIC, false, false, 0},
    [SPZF_V_BEST_FIT] = {"best fit, mirrors (ours)", SPZF_BEST_FIT, false, true, 0},
    [SPZF_V_PLUS] = {"SPZF+ (ours)", SPZF_PLUS, false, true, 0},
    [SPZF_V_LM] = {"LM, one start", SPZF_LM, false, false, 1},
    [SPZF_V_LM_TEN] = {"LM, ten starts", SPZF_LM, false, false, 10},
};

const char *spzf_variant_name(enum spzf_variant variant)
{
    return VARIANTS[variant].name;
}

static int create_solver(spzf_t **solver, const struct spzf_case *c)
{
    const enum spzf_method method = VARIANTS[c->variant].method;
    struct spzf_settings settings = spzf_settings_default(method, c->n_ant, c->n_user);
    settings.n_sets = method == SPZF_PLUS || method == SPZF_LM ? 0 : c->n_sets;
    settings.uniform_start = VARIANTS[c->variant].uniform;
    settings.mirrors = VARIANTS[c->variant].mirrors;
    settings.n_starts = VARIANTS[c->variant].n_starts;
    settings.fallback = false;
    return spzf_create(solver, &settings);
}

int spzf_worker_open(const struct study_run *run, const struct spzf_case *cases, int n_case, void **worker)
{
    struct spzf_worker *const w = calloc(1, sizeof *w);
    *worker = w;
    if (w) {
        w->solvers = calloc((size_t)n_case, sizeof(spzf_t *));
    }
    if (!w || !w->solvers) {
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    w->cases = cases;
    w->n_case = n_case;
    w->n_channel = (int)study_value(run, "channels");
    if (w->n_channel < 5 || w->n_channel > 1000) {
        return error_set(TUTTI_EINVAL, "study: channels %d: 5 to 1000 per drop; --drops says how many drops",
                         w->n_channel);
    }
    int status = 0;
    for (int i = 0; i < n_case && !status; i++) {
        status = create_solver(&w->solvers[i], &cases[i]);
    }
    return status;
}

void spzf_worker_close(void *worker)
{
    struct spzf_worker *const w = worker;
    if (w) {
        for (int i = 0; w->solvers && i < w->n_case; i++) {
            spzf_destroy(w->solvers[i]);
        }
        free(w->solvers);
        free(w);
    }
}

struct splitmix spzf_worker_channel(const struct study_run *run, struct spzf_worker *w, uint64_t drop, int channel,
                                    const struct spzf_case *c)
{
    uint64_t stream = drop * 1000 + (uint64_t)channel;
    stream = ((stream * 16 + (uint64_t)c->n_path) * 8 + (uint64_t)c->n_user) * 1024 + (uint64_t)c->n_ant;
    struct splitmix rng = splitmix_make(study_seed(run), stream);
    if (c->n_path) {
        secrecy_geometric(&rng, c->n_user, c->n_ant, c->n_path, SPZF_SPACING, w->H);
    } else {
        secrecy_rayleigh(&rng, c->n_user, c->n_ant, w->H);
    }
    return rng;
}

int spzf_worker_step(const struct spzf_case *c)
{
    return c->variant == SPZF_V_GENETIC ? 5 : 1;
}

unsigned spzf_worker_solve(struct spzf_worker *w, int i)
{
    struct spzf_result result;
    spzf_execute(w->solvers[i], w->H, w->beam, &result);
    return result.outage;
}

void spzf_worker_outages(const struct study_run *run, struct spzf_worker *w, uint64_t drop, double *values)
{
    for (int i = 0; i < w->n_case; i++) {
        const struct spzf_case *const c = &w->cases[i];
        const int step = spzf_worker_step(c);
        int n = 0, hits[SPZF_N_SHARE] = {0};
        spzf_reset(w->solvers[i], drop);
        for (int channel = 0; channel < w->n_channel; channel += step, n++) {
            spzf_worker_channel(run, w, drop, channel, c);
            const unsigned outage = spzf_worker_solve(w, i);
            hits[SPZF_SHARE_E1] += (outage & SPZF_E1) != 0;
            hits[SPZF_SHARE_OUTAGE] += outage != 0;
            hits[SPZF_SHARE_INFEASIBLE] += (outage & SPZF_INFEASIBLE) != 0;
        }
        for (int v = 0; v < SPZF_N_SHARE; v++) {
            values[i * SPZF_N_SHARE + v] = (double)hits[v] / n;
        }
    }
}

/* For evaluate ----------------------------------------------------------------------------------------------------- */

struct study_estimate spzf_share(const struct study_run *run, const struct spzf_case *cases, int i,
                                 enum spzf_value value)
{
    const int step = spzf_worker_step(&cases[i]), channels = (int)study_value(run, "channels");
    struct study_estimate share = study_mean(run, i * SPZF_N_SHARE + (int)value);
    const double p = share.mean, n = (double)share.n * ((channels + step - 1) / step), z2 = 1.96 * 1.96;
    share.se = sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
    share.n = (int)n;
    return share;
}

void spzf_check_share(struct study_run *run, struct study_estimate found, double want, double trials,
                      const char *format, ...)
{
    char what[200];
    va_list arguments;
    if (study_is_quick(run)) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const double n = found.n, pooled = (found.mean * n + want * trials) / (n + trials);
    const double own = found.mean * (1 - found.mean) / n + want * (1 - want) / trials;
    const double limit = 4 * sqrt(fmax(own, pooled * (1 - pooled) * (1 / n + 1 / trials)));
    if (want > 0) {
        study_check(run, fabs(found.mean - want) <= limit, found.mean, "%s: %.4g, within 4 standard errors (%.2g)",
                    what, want, limit);
    } else {
        study_check(run, found.mean <= 5 / trials, found.mean, "%s: 0 of %g, at most %.2g", what, trials, 5 / trials);
    }
}

/* Density of the sum of m Rayleigh magnitudes with E[r^2] = 1 on a grid, by convolution with the trapezoid rule: the
 * ends vanish. */
enum { GRID = 2048, GRID_PER_UNIT = 400 };

double spzf_polygon_failure(int n)
{
    static _Thread_local double one[GRID], sum[GRID], next[GRID];
    const double step = 1.0 / GRID_PER_UNIT;
    for (int i = 0; i < GRID; i++) {
        sum[i] = one[i] = 2 * i * step * exp(-(i * step) * (i * step));
    }
    for (int m = 2; m < n; m++) {
        for (int i = 0; i < GRID; i++) {
            next[i] = 0;
            for (int j = 1; j < i; j++) {
                next[i] += one[j] * sum[i - j] * step;
            }
        }
        memcpy(sum, next, sizeof sum);
    }
    double mean = 0;
    for (int i = 0; i < GRID; i++) {
        mean += sum[i] * exp(-(i * step) * (i * step)) * step;
    }
    return n < 2 ? 1 : n * mean;
}

double spzf_formula_e1(int n_ant, int n_sets)
{
    return 1 - pow(1 - spzf_polygon_failure(n_ant / n_sets), n_sets);
}

double spzf_formula_outage(int n_ant, int n_sets)
{
    return 1 - (1 - spzf_formula_e1(n_ant, n_sets)) * (1 - spzf_polygon_failure(n_sets));
}
