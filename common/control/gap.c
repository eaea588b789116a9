/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/gap.h"

#include "base/error.h"
#include "control/gap_core.h"
#include "control/gap_newton.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double GAP_PENALTY = 10; /* ppzf section 9: above every multiplier that a target can have */

const struct gap_ops *gap_ops_get(void)
{
#ifdef TUTTI_GAP_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return &gap_ops_avx2;
    }
#endif
    return &gap_ops_portable;
}

static int array(double **a, size_t n)
{
    const size_t bytes = (n * sizeof(double) + 63) / 64 * 64;
    *a = aligned_alloc(64, bytes);
    if (!*a) {
        return TUTTI_ENOMEM;
    }
    memset(*a, 0, bytes);
    return 0;
}

int gap_create(gap_t **gap, int n_ap, int n_ue)
{
    *gap = calloc(1, sizeof **gap);
    if (!*gap) {
        return error_set(TUTTI_ENOMEM, "gap: out of memory");
    }
    gap_t *g = *gap;
    const size_t stride = ((size_t)n_ap + GAP_PAD - 1) / GAP_PAD * GAP_PAD, ue = (size_t)n_ue, all = (ue + 1) * stride;
    g->max_ap = n_ap;
    g->max_ue = n_ue;
    double **const points[] = {&g->gain,     &g->leak,  &g->leak_plain,     &g->allowed, &g->unprojected, &g->q,
                               &g->gradient, &g->trial, &g->trial_gradient, &g->step,    &g->best,        &g->origin};
    double **const per_ap[] = {&g->gain_eve, &g->leak_eve,    &g->leak_plain_eve, &g->P,
                               &g->total,    &g->total_plain, &g->slope,          &g->slope_plain};
    double **const per_ue[] = {&g->x, &g->y, &g->rate, &g->by_x, &g->by_y, &g->a};
    int status = 0;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        status |= array(points[i], all);
    }
    for (size_t i = 0; i < sizeof per_ap / sizeof *per_ap; i++) {
        status |= array(per_ap[i], stride);
    }
    for (size_t i = 0; i < sizeof per_ue / sizeof *per_ue; i++) {
        status |= array(per_ue[i], ue);
    }
    status |= gap_newton_create(&g->newton, n_ap, n_ue);
    return status ? error_set(TUTTI_ENOMEM, "gap: out of memory for %d APs and %d users", n_ap, n_ue) : 0;
}

void gap_destroy(gap_t *gap)
{
    if (!gap) {
        return;
    }
    double *const arrays[] = {gap->gain, gap->leak,     gap->leak_plain,  gap->allowed,        gap->unprojected,
                              gap->q,    gap->gradient, gap->trial,       gap->trial_gradient, gap->step,
                              gap->best, gap->origin,   gap->gain_eve,    gap->leak_eve,       gap->leak_plain_eve,
                              gap->P,    gap->total,    gap->total_plain, gap->slope,          gap->slope_plain,
                              gap->x,    gap->y,        gap->rate,        gap->by_x,           gap->by_y,
                              gap->a};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
    gap_newton_destroy(gap->newton);
    free(gap);
}

static bool usable(double value)
{
    return isfinite(value) && value >= 0;
}

static int check(const gap_t *gap, const struct gap_model *model, const struct gap_targets *t)
{
    if (model->n_ap < 1 || model->n_ue < 1 || model->n_ap > gap->max_ap || model->n_ue > gap->max_ue) {
        return error_set(TUTTI_EINVAL, "gap: %d APs and %d users; made for up to %d and %d", model->n_ap, model->n_ue,
                         gap->max_ap, gap->max_ue);
    }
    if (!(t->r_des > 0 && isfinite(t->r_des) && t->s_des > 0 && isfinite(t->s_des)) || !usable(t->r_min) ||
        !usable(t->w_sec) || !usable(t->w_qos) || !(model->omega > 0 && model->omega <= 1)) {
        return error_set(TUTTI_EINVAL,
                         "gap: targets r_des %g and s_des %g must be above 0, r_min %g and the weights %g, %g not "
                         "below, the data's share of a block %g within 0 to 1",
                         t->r_des, t->s_des, t->r_min, t->w_sec, t->w_qos, model->omega);
    }
    for (int m = 0; m < model->n_ap; m++) {
        bool ok = usable(model->P[m]) && usable(model->gain_eve[m]) && usable(model->leak_eve[m]);
        for (int k = 0; k < model->n_ue; k++) {
            ok = ok && usable(model->gain[m * model->n_ue + k]) && usable(model->leak[m * model->n_ue + k]);
        }
        if (!ok) {
            return error_set(TUTTI_EINVAL, "gap: AP %d: a budget, gain or leak is negative or no number", m);
        }
    }
    return 0;
}

/* Budgets become 1: gains by sqrt(P), leaks by P. */
static void set_ap(gap_t *gap, const struct gap_model *model, int m)
{
    const double P = model->P[m], root = sqrt(P);
    for (int k = 0; k < model->n_ue; k++) {
        const int i = m * model->n_ue + k;
        const size_t j = (size_t)k * gap->stride + (size_t)m;
        const bool plain = model->strong && !model->strong[i];
        gap->gain[j] = model->gain[i] * root;
        gap->leak[j] = model->leak[i] * P;
        gap->leak_plain[j] = model->strong ? model->leak_plain[i] * P : 0;
        gap->unprojected[j] = plain;
        gap->allowed[j] = gap->gain[j] > 0;
    }
    gap->P[m] = P;
    gap->allowed[(size_t)model->n_ue * gap->stride + (size_t)m] = P > 0;
    gap->gain_eve[m] = model->gain_eve[m] * root;
    gap->leak_eve[m] = model->leak_eve[m] * P;
    gap->leak_plain_eve[m] = model->strong ? model->leak_plain_eve[m] * P : 0;
}

int gap_set(gap_t *gap, const struct gap_model *model, const struct gap_targets *targets)
{
    const int status = check(gap, model, targets);
    if (status) {
        return status;
    }
    gap->n_ap = model->n_ap;
    gap->n_ue = model->n_ue;
    gap->stride = ((size_t)model->n_ap + GAP_PAD - 1) / GAP_PAD * GAP_PAD;
    gap->n = ((size_t)model->n_ue + 1) * gap->stride;
    gap->targets = *targets;
    gap->w = model->omega / log(2);
    gap->plain = model->strong != NULL;
    gap->convex = false;
    double *const matrices[] = {gap->gain, gap->leak, gap->leak_plain, gap->unprojected};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++) {
        memset(matrices[i], 0, (size_t)model->n_ue * gap->stride * sizeof(double));
    }
    double *const rows[] = {gap->gain_eve, gap->leak_eve, gap->leak_plain_eve, gap->P};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(rows[i], 0, gap->stride * sizeof(double));
    }
    memset(gap->allowed, 0, gap->n * sizeof(double));
    for (int m = 0; m < model->n_ap; m++) {
        set_ap(gap, model, m);
    }
    return 0;
}

void gap_to_point(const gap_t *gap, const double *eta, const double *eta_an, double *q)
{
    memset(q, 0, gap->n * sizeof *q);
    for (int m = 0; m < gap->n_ap; m++) {
        for (int k = 0; gap->P[m] > 0 && k <= gap->n_ue; k++) {
            const size_t j = (size_t)k * gap->stride + (size_t)m;
            const double power = k < gap->n_ue ? eta[m * gap->n_ue + k] : eta_an[m];
            const bool stream = k == gap->n_ue || gap->gain[j] > 0;
            q[j] = stream && power > 0 ? sqrt(power / gap->P[m]) : 0;
        }
    }
}

void gap_to_power(const gap_t *gap, const double *q, double *eta, double *eta_an)
{
    for (int m = 0; m < gap->n_ap; m++) {
        double sum = 0;
        for (int k = 0; k <= gap->n_ue; k++) {
            const double amplitude = q[(size_t)k * gap->stride + (size_t)m];
            sum += amplitude * amplitude;
        }
        const double scale = gap->P[m] / fmax(sum, 1);
        for (int k = 0; k < gap->n_ue; k++) {
            const double amplitude = q[(size_t)k * gap->stride + (size_t)m];
            eta[m * gap->n_ue + k] = scale * amplitude * amplitude;
        }
        const double noise = q[(size_t)gap->n_ue * gap->stride + (size_t)m];
        eta_an[m] = scale * noise * noise;
    }
}

static double gap_of(const gap_t *gap, double relative)
{
    return gap->targets.two_sided ? 1 - relative : fmax(1 - relative, 0);
}

/* [z]^+ with its corner rounded over the width `smooth`: never above [z]^+, at most smooth / 2 below. */
static double shortfall(const gap_t *gap, double z, double *slope)
{
    if (z <= 0) {
        *slope = 0;
        return 0;
    }
    *slope = z < gap->smooth ? z / gap->smooth : 1;
    return z < gap->smooth ? z * z / (2 * gap->smooth) : z - gap->smooth / 2;
}

/* Rate of user k with its derivatives: (6), or its minorant (B1). -INFINITY outside the minorant's domain. */
static double user_rate(const gap_t *gap, int k, double *by_x, double *by_y)
{
    const double x = gap->x[k], y = gap->y[k];
    if (!gap->convex) {
        *by_x = gap->w * 2 * x / (y + x * x);
        *by_y = -gap->w * x * x / (y * (y + x * x));
        return gap->w * log1p(x * x / y);
    }
    const double a = gap->a[k], inside = a * (2 * x - a * y);
    if (!(inside > -1)) {
        *by_x = *by_y = 0;
        return -INFINITY;
    }
    *by_x = gap->w * 2 * a / (1 + inside);
    *by_y = -gap->w * a * a / (1 + inside);
    return gap->w * log1p(inside);
}

/* The eavesdropper's rate (5), or its majorant: the tangent of the logarithm. */
static double eve_rate(const gap_t *gap, double *by_n, double *by_d)
{
    const double n = gap->n_eve, d = gap->d_eve;
    const double one = 1 + (gap->convex ? gap->chi : n / d);
    *by_n = gap->w / (one * d);
    *by_d = -gap->w * n / (one * d * d);
    return gap->convex ? gap->w * (log1p(gap->chi) + (n / d - gap->chi) / one) : gap->w * log1p(n / d);
}

double gap_outer(gap_t *gap)
{
    const struct gap_targets *const t = &gap->targets;
    const double share = t->w_qos / gap->n_ue;
    double value = 0, by_n, by_d;
    for (int k = 0; k < gap->n_ue; k++) {
        double by_x, by_y, lacking;
        const double rate = user_rate(gap, k, &by_x, &by_y);
        if (!isfinite(rate)) {
            return INFINITY;
        }
        const double h = gap_of(gap, rate / t->r_des);
        value += share * h * h + GAP_PENALTY * shortfall(gap, (t->r_min - rate) / t->r_des, &lacking);
        const double by_rate = -(2 * share * h + GAP_PENALTY * lacking) / t->r_des;
        gap->rate[k] = rate;
        gap->by_x[k] = by_rate * by_x;
        gap->by_y[k] = by_rate * by_y;
    }
    gap->rate_eve = eve_rate(gap, &by_n, &by_d);
    const double h = gap_of(gap, (gap->rate[0] - gap->rate_eve) / t->s_des), by_secrecy = -2 * t->w_sec * h / t->s_des;
    double by_x, by_y;
    user_rate(gap, 0, &by_x, &by_y);
    gap->by_x[0] += by_secrecy * by_x;
    gap->by_y[0] += by_secrecy * by_y;
    gap->by_n = -by_secrecy * by_n;
    gap->by_d = -by_secrecy * by_d;
    value += t->w_sec * h * h;
    return isfinite(value) ? value : INFINITY;
}

double gap_value(gap_t *gap, const struct gap_ops *ops, const double *q)
{
    ops->forward(gap, q);
    return gap_outer(gap);
}

static double square(double x)
{
    return x * x;
}

void gap_metrics_here(gap_t *gap, struct gap_metrics *out)
{
    const struct gap_targets *const t = &gap->targets;
    double one_sided = 0, two_sided = 0, lacking = 0;
    for (int k = 0; k < gap->n_ue; k++) {
        const double relative = gap->rate[k] / t->r_des;
        one_sided += t->w_qos / gap->n_ue * square(fmax(1 - relative, 0));
        two_sided += t->w_qos / gap->n_ue * square(1 - relative);
        lacking += fmax(t->r_min / t->r_des - relative, 0);
    }
    out->rate_eve = gap->rate_eve;
    out->sse_raw = gap->rate[0] - gap->rate_eve;
    out->sse = fmax(out->sse_raw, 0);
    out->psi = t->two_sided ? two_sided + t->w_sec * square(1 - out->sse_raw / t->s_des)
                            : one_sided + t->w_sec * square(fmax(1 - out->sse_raw / t->s_des, 0));
    out->psi_metric = one_sided + t->w_sec * square(fmax(1 - out->sse / t->s_des, 0));
    out->psi_two_sided = two_sided + t->w_sec * square(1 - out->sse / t->s_des);
    out->merit = out->psi + GAP_PENALTY * lacking;
}

void gap_metrics(gap_t *gap, const double *eta, const double *eta_an, double *rate, struct gap_metrics *metrics)
{
    gap->convex = false;
    gap_to_point(gap, eta, eta_an, gap->trial);
    gap_value(gap, gap_ops_get(), gap->trial);
    gap_metrics_here(gap, metrics);
    if (rate) {
        memcpy(rate, gap->rate, (size_t)gap->n_ue * sizeof *rate);
    }
}

void gap_equal_power(const gap_t *gap, bool with_noise, double *eta, double *eta_an)
{
    for (int m = 0; m < gap->n_ap; m++) {
        const double share = gap->P[m] / (gap->n_ue + (with_noise ? 1 : 0));
        for (int k = 0; k < gap->n_ue; k++) {
            eta[m * gap->n_ue + k] = share;
        }
        eta_an[m] = with_noise ? share : 0;
    }
}
