/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Spectral projected gradient (Birgin, Martinez, Raydan, SIAM J. Optim. 10, 2000) on the amplitudes; the best point so
 * far is kept, because the line search lets the objective rise. */
#include "base/error.h"
#include "control/gap.h"
#include "control/gap_core.h"
#include "control/gap_newton.h"

#include <math.h>
#include <string.h>

const struct gap_options GAP_OPTIONS_DEFAULT = {GAP_NEWTON, GAP_NOISE_AUTO, 300, 1e-7};

static const double DECREASE = 1e-4; /* of the line search, as a share of what the slope promises */
static const double LEAST_STEP = 1e-8, MOST_STEP = 1e8;
static const double NOISE_START = 1e-2; /* share of the budget: at 0 the noise has no slope */
enum { MAX_HALVINGS = 30, PATIENCE = 100 };
static const double PROGRESS = 1e-9; /* relative, over PATIENCE iterations: less is none */

struct descent {
    const struct gap_ops *ops;
    double value, best, alpha;
    double recent[GAP_MEMORY];
    int iterations, evaluations;
    int since;     /* iterations since `marked` */
    double marked; /* best value then */
};

/* Backtracking from the whole step; the reference is the worst of the last GAP_MEMORY values. False: no decrease. */
static bool search(struct gap *gap, struct descent *d, double slope, double *lambda, double *value)
{
    double reference = d->recent[0];
    for (int i = 1; i < GAP_MEMORY; i++) {
        reference = fmax(reference, d->recent[i]);
    }
    *lambda = 1;
    for (int i = 0; i < MAX_HALVINGS; i++) {
        d->ops->move(gap, gap->q, *lambda, gap->step, gap->trial);
        *value = gap_value(gap, d->ops, gap->trial);
        d->evaluations++;
        if (*value <= reference + DECREASE * *lambda * slope) {
            return true;
        }
        /* minimum of the parabola through value, slope and the trial, within a tenth to a half */
        const double model = -slope * *lambda * *lambda / (2 * (*value - d->value - *lambda * slope));
        *lambda = isfinite(model) ? fmin(fmax(model, 0.1 * *lambda), 0.5 * *lambda) : 0.5 * *lambda;
    }
    return false;
}

static void swap(double **a, double **b)
{
    double *const t = *a;
    *a = *b;
    *b = t;
}

/* Step lengths of Barzilai and Borwein: the long one, or the short one where the two differ much (Zhou, Gao, Dai 2006).
 */
static double next_alpha(double step_square, double curve, double gradient_square)
{
    if (!(curve > 0)) {
        return MOST_STEP;
    }
    const double longer = step_square / curve, shorter = curve / gradient_square;
    return fmin(fmax(shorter < 0.1 * longer ? shorter : longer, LEAST_STEP), MOST_STEP);
}

static void accept(struct gap *gap, struct descent *d, double value, double lambda, double step_square)
{
    double gradient_square;
    d->ops->backward(gap, gap->trial, gap->trial_gradient);
    const double curve = lambda * d->ops->curve(gap, gap->step, gap->trial_gradient, gap->gradient, &gradient_square);
    d->alpha = next_alpha(lambda * lambda * step_square, curve, gradient_square);
    swap(&gap->q, &gap->trial);
    swap(&gap->gradient, &gap->trial_gradient);
    d->value = value;
    d->recent[d->iterations % GAP_MEMORY] = value;
    if (value < d->best) {
        d->best = value;
        memcpy(gap->best, gap->q, gap->n * sizeof *gap->q);
    }
}

static bool stuck(struct descent *d)
{
    if (++d->since < PATIENCE) {
        return false;
    }
    const bool still = d->marked - d->best <= PROGRESS * fabs(d->marked);
    d->since = 0;
    d->marked = d->best;
    return still;
}

/* From gap->q; the best point is left in gap->best. */
static double descend(struct gap *gap, const struct gap_options *options, struct gap_result *result)
{
    struct descent d = {.ops = gap_ops_get()};
    d.value = d.best = d.marked = gap_value(gap, d.ops, gap->q);
    d.ops->backward(gap, gap->q, gap->gradient);
    memcpy(gap->best, gap->q, gap->n * sizeof *gap->q);
    for (int i = 0; i < GAP_MEMORY; i++) {
        d.recent[i] = d.value;
    }
    double square;
    d.ops->direct(gap, gap->q, gap->gradient, 1, gap->step, &square);
    d.alpha = square > 0 ? fmin(1 / sqrt(square), 1e3) : 1;
    while (d.iterations < options->max_iterations && isfinite(d.value)) {
        double lambda, value;
        const double slope = d.ops->direct(gap, gap->q, gap->gradient, d.alpha, gap->step, &square);
        d.iterations++;
        if (!(slope < 0) || sqrt(square) <= options->tolerance * fmin(1, d.alpha) ||
            !search(gap, &d, slope, &lambda, &value)) {
            break;
        }
        accept(gap, &d, value, lambda, square);
        if (stuck(&d)) {
            break;
        }
    }
    result->iterations += d.iterations;
    result->evaluations += d.evaluations + 1;
    return d.best;
}

static bool noise_counts(const struct gap *gap, enum gap_noise noise)
{
    const bool helps = gap->n_ue == 1 || gap->plain || gap->targets.two_sided;
    return noise == GAP_NOISE_FREE || (noise == GAP_NOISE_AUTO && helps);
}

static void look(struct gap *gap, const double *q, struct gap_metrics *metrics)
{
    gap->convex = false;
    gap->smooth = 0;
    gap_value(gap, gap_ops_get(), q);
    gap_metrics_here(gap, metrics);
}

void gap_enter(struct gap *gap, enum gap_noise noise, const double *eta, const double *eta_an,
               struct gap_metrics *start)
{
    double *const an = gap->allowed + (size_t)gap->n_ue * gap->stride;
    const bool with_noise = noise_counts(gap, noise);
    gap_to_point(gap, eta, eta_an, gap->q);
    for (int m = 0; m < gap->n_ap; m++) {
        double *const q = gap->q + m;
        double sum = 0;
        an[m] = with_noise && gap->P[m] > 0;
        q[(size_t)gap->n_ue * gap->stride] *= an[m];
        for (int k = 0; k <= gap->n_ue; k++) {
            sum += q[(size_t)k * gap->stride] * q[(size_t)k * gap->stride];
        }
        for (int k = 0; sum > 1 && k <= gap->n_ue; k++) {
            q[(size_t)k * gap->stride] /= sqrt(sum);
        }
    }
    memcpy(gap->origin, gap->q, gap->n * sizeof *gap->q);
    look(gap, gap->q, start);
}

/* Noise that stands at 0 has no slope: some of it to start with. */
static void sow_noise(struct gap *gap)
{
    const double *const an = gap->allowed + (size_t)gap->n_ue * gap->stride;
    for (int m = 0; m < gap->n_ap; m++) {
        double *const q = gap->q + m, *const q_an = q + (size_t)gap->n_ue * gap->stride;
        if (!(an[m] > 0) || *q_an * *q_an >= NOISE_START) {
            continue;
        }
        for (int k = 0; k < gap->n_ue; k++) {
            q[(size_t)k * gap->stride] *= sqrt(1 - NOISE_START);
        }
        *q_an = sqrt(NOISE_START);
    }
}

/* The penalty's corner is sharpened in stages; without r_min there is no corner. */
static void descend_in_stages(struct gap *gap, const struct gap_options *options, struct gap_result *result)
{
    static const double widths[] = {1e-2, 1e-3, 1e-4};
    if (options->method == GAP_NEWTON && !gap->targets.two_sided) {
        result->iterations += gap_newton_descend(gap, options);
        return;
    }
    sow_noise(gap);
    const size_t n = gap->targets.r_min > 0 ? sizeof widths / sizeof *widths : 1;
    for (size_t i = 0; i < n; i++) {
        gap->smooth = widths[i];
        descend(gap, options, result);
        memcpy(gap->q, gap->best, gap->n * sizeof *gap->q);
    }
}

/* What was found in gap->q against what it started from in gap->origin: the better one becomes powers. */
void gap_leave(struct gap *gap, double *eta, double *eta_an, struct gap_result *result)
{
    look(gap, gap->q, &result->end);
    const bool better = result->end.merit <= result->start.merit;
    if (!better) {
        result->end = result->start;
    }
    gap_to_power(gap, better ? gap->q : gap->origin, eta, eta_an);
}

void gap_solve(struct gap *gap, const struct gap_options *options, double *eta, double *eta_an,
               struct gap_result *result)
{
    *result = (struct gap_result){0};
    gap_enter(gap, options->noise, eta, eta_an, &result->start);
    descend_in_stages(gap, options, result);
    gap_leave(gap, eta, eta_an, result);
}

/* Tangents at the point that was looked at last. */
void gap_linearise(struct gap *gap)
{
    for (int k = 0; k < gap->n_ue; k++) {
        gap->a[k] = gap->x[k] / gap->y[k];
    }
    gap->chi = gap->n_eve / gap->d_eve;
}

void gap_sca_step(struct gap *gap, const struct gap_options *options, double *eta, double *eta_an,
                  struct gap_result *result, double *subproblem)
{
    *result = (struct gap_result){0};
    gap_enter(gap, options->noise, eta, eta_an, &result->start);
    gap_linearise(gap);
    gap->convex = true;
    descend_in_stages(gap, options, result);
    if (subproblem) {
        gap->smooth = 0;
        *subproblem = gap_value(gap, gap_ops_get(), gap->q);
    }
    gap_leave(gap, eta, eta_an, result);
}
