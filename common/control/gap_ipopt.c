/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The subproblem for Ipopt, sparse by auxiliary variables (section 9.3 of the source): APs' totals s, u, users' x, y,
 * the eavesdropper's coherent part, N and D. Every definition is an inequality on the side that costs. */
#include "base/error.h"
#include "base/ipopt_program.h"
#include "control/gap_core.h"
#include "control/gap_reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double INSIDE = 0.98, LEAST = 1e-3;

/* Where variables and constraints begin. */
struct layout {
    int p, s, u, x, y, coherent, n, d, lack, lack_s, slack, count; /* p [n_ue + 1][n_ap] */
    int g_total, g_plain, g_budget, g_x, g_y, g_coherent, g_n, g_d, g_rate, g_secrecy, g_min, g_count;
};

struct subproblem {
    struct ipopt_program ipopt; /* first */
    struct gap *gap;
    enum gap_form form;
    struct layout at;
    double *x_n, *theta; /* [n_ue] tangents of form A; theta = x^2 / y */
};

static void lay_out(struct subproblem *p)
{
    struct layout *const at = &p->at;
    const int m = p->gap->n_ap, k = p->gap->n_ue, plain = p->gap->plain ? m : 0;
    at->s = at->p + (k + 1) * m;
    at->u = at->s + m;
    at->x = at->u + plain;
    at->y = at->x + k;
    at->coherent = at->y + k;
    at->n = at->coherent + 1;
    at->d = at->n + 1;
    at->lack = at->d + 1;
    at->lack_s = at->lack + k;
    at->slack = at->lack_s + 1;
    at->count = at->slack + k;
    at->g_plain = at->g_total + m;
    at->g_budget = at->g_plain + plain;
    at->g_x = at->g_budget + plain;
    at->g_y = at->g_x + k;
    at->g_coherent = at->g_y + k;
    at->g_n = at->g_coherent + 1;
    at->g_d = at->g_n + 1;
    at->g_rate = at->g_d + 1;
    at->g_secrecy = at->g_rate + k;
    at->g_min = at->g_secrecy + 1;
    at->g_count = at->g_min + k;
}

static bool is_amplitude(const struct subproblem *p, int k)
{
    return k == 0 || p->form == GAP_FORM_A;
}

static size_t cell(const struct subproblem *p, int k, int m)
{
    return (size_t)k * p->gap->stride + (size_t)m;
}

static bool is_plain(const struct subproblem *p, int k, int m)
{
    return k < p->gap->n_ue && p->gap->unprojected[cell(p, k, m)] > 0;
}

/* What stream k of AP m (k = n_ue: the noise) puts into the eavesdropper's denominator per unit of power. */
static double jam(const struct subproblem *p, int k, int m)
{
    return is_plain(p, k, m) ? p->gap->leak_plain_eve[m] : p->gap->leak_eve[m];
}

/* Rate bound of user k, per w, with its derivatives by x and y and the second ones. */
struct bound {
    double value, by_x, by_y, xx, xy, yy;
};

static struct bound rate_bound(const struct subproblem *p, int k, double x, double y)
{
    const struct gap *const gap = p->gap;
    if (p->form == GAP_FORM_A) { /* (11), (12) */
        const double theta = p->theta[k], x_n = p->x_n[k];
        const double y_n = theta > 0 ? x_n * x_n / theta : 1, share = theta / (x_n * x_n + y_n);
        const double lift = x_n > 0 ? 2 * theta / x_n : 0;
        return (struct bound){
            log1p(theta) - theta + lift * x - share * (x * x + y), lift - 2 * share * x, -share, -2 * share, 0, 0};
    }
    const double a = gap->a[k], arg = 1 + a * (2 * x - a * y), i = a / arg;
    return (struct bound){arg > 0 ? log(arg) : NAN, 2 * i, -a * i, -4 * i * i, 2 * a * i * i, -a * a * i * i};
}

static Bool objective(Index n, Number *v, Bool fresh, Number *value, UserDataPtr user)
{
    const struct subproblem *const p = user;
    const struct gap_targets *const t = &p->gap->targets;
    (void)n, (void)fresh;
    *value = t->w_sec * v[p->at.lack_s] * v[p->at.lack_s];
    for (int k = 0; k < p->gap->n_ue; k++) {
        const double d = v[p->at.lack + k];
        *value += t->w_qos / p->gap->n_ue * d * d + GAP_PENALTY * v[p->at.slack + k];
    }
    return TRUE;
}

static Bool objective_gradient(Index n, Number *v, Bool fresh, Number *gradient, UserDataPtr user)
{
    const struct subproblem *const p = user;
    const struct gap_targets *const t = &p->gap->targets;
    (void)fresh;
    memset(gradient, 0, (size_t)n * sizeof *gradient);
    gradient[p->at.lack_s] = 2 * t->w_sec * v[p->at.lack_s];
    for (int k = 0; k < p->gap->n_ue; k++) {
        gradient[p->at.lack + k] = 2 * t->w_qos / p->gap->n_ue * v[p->at.lack + k];
        gradient[p->at.slack + k] = GAP_PENALTY;
    }
    return TRUE;
}

/* Power of a variable, linearised from below for the eavesdropper's denominator in form A. */
static double jam_power(const struct subproblem *p, int k, int m, double v, double *slope)
{
    const double before = p->gap->origin[cell(p, k, m)];
    *slope = is_amplitude(p, k) ? 2 * before : 1;
    return is_amplitude(p, k) ? 2 * before * v - before * before : v;
}

static void power_constraints(const struct subproblem *p, const Number *v, Number *g)
{
    const struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    double total = 0;
    for (int m = 0; m < gap->n_ap; m++) {
        double sum[2] = {-v[at->s + m], gap->plain ? -v[at->u + m] : 0}, slope;
        for (int k = 0; k <= gap->n_ue; k++) {
            const double q = v[at->p + k * gap->n_ap + m];
            sum[is_plain(p, k, m)] += is_amplitude(p, k) ? q * q : q;
            total += k > 0 ? jam(p, k, m) * jam_power(p, k, m, q, &slope) : 0;
        }
        g[at->g_total + m] = sum[0];
        if (gap->plain) {
            g[at->g_plain + m] = sum[1];
            g[at->g_budget + m] = v[at->s + m] + v[at->u + m] - 1;
        }
    }
    g[at->g_d] = v[at->d] - 1 - total;
}

static void user_constraints(const struct subproblem *p, const Number *v, Number *g)
{
    const struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    const struct gap_targets *const t = &gap->targets;
    for (int k = 0; k < gap->n_ue; k++) {
        double x = v[at->x + k], y = 1 - v[at->y + k];
        for (int m = 0; m < gap->n_ap; m++) {
            const double q = v[at->p + k * gap->n_ap + m], gain = gap->gain[cell(p, k, m)];
            x -= gain > 0 ? gain * (is_amplitude(p, k) ? q : sqrt(q)) : 0;
            y += gap->leak[cell(p, k, m)] * v[at->s + m];
            y += gap->plain ? gap->leak_plain[cell(p, k, m)] * v[at->u + m] : 0;
        }
        g[at->g_x + k] = x;
        g[at->g_y + k] = y;
        g[at->g_rate + k] =
            t->r_des * (1 - v[at->lack + k]) - gap->w * rate_bound(p, k, v[at->x + k], v[at->y + k]).value;
        g[at->g_min + k] = v[at->lack + k] - v[at->slack + k] - 1 + t->r_min / t->r_des;
    }
}

static Bool constraints(Index n, Number *v, Bool fresh, Index n_g, Number *g, UserDataPtr user)
{
    const struct subproblem *const p = user;
    const struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    (void)n, (void)fresh;
    power_constraints(p, v, g);
    user_constraints(p, v, g);
    double coherent = -v[at->coherent], incoherent = 0;
    for (int m = 0; m < gap->n_ap; m++) {
        const double q = v[at->p + m];
        coherent += gap->gain_eve[m] * q;
        incoherent += gap->leak_eve[m] * q * q;
    }
    g[at->g_coherent] = coherent;
    g[at->g_n] = v[at->coherent] * v[at->coherent] + incoherent - v[at->n];
    g[at->g_secrecy] = gap->targets.s_des * (1 - v[at->lack_s]) - gap->w * rate_bound(p, 0, v[at->x], v[at->y]).value +
                       gap->w * (log1p(gap->chi) + (v[at->n] / v[at->d] - gap->chi) / (1 + gap->chi)); /* (18) */
    for (int i = 0; i < n_g; i++) {
        if (!isfinite(g[i])) {
            return FALSE;
        }
    }
    return TRUE;
}

static void power_jacobian(const struct subproblem *p, const Number *v, struct ipopt_entries *e)
{
    const struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    for (int m = 0; m < gap->n_ap; m++) {
        for (int k = 0; k <= gap->n_ue; k++) {
            const int i = at->p + k * gap->n_ap + m;
            double slope = 0;
            const double q = v ? v[i] : 0;
            jam_power(p, k, m, q, &slope);
            ipopt_entries_put(e, (is_plain(p, k, m) ? at->g_plain : at->g_total) + m, i,
                              is_amplitude(p, k) ? 2 * q : 1);
            if (k > 0) {
                ipopt_entries_put(e, at->g_d, i, -jam(p, k, m) * slope);
            }
        }
        ipopt_entries_put(e, at->g_total + m, at->s + m, -1);
        if (gap->plain) {
            ipopt_entries_put(e, at->g_plain + m, at->u + m, -1);
            ipopt_entries_put(e, at->g_budget + m, at->s + m, 1);
            ipopt_entries_put(e, at->g_budget + m, at->u + m, 1);
        }
        ipopt_entries_put(e, at->g_coherent, at->p + m, gap->gain_eve[m]);
        ipopt_entries_put(e, at->g_n, at->p + m, v ? 2 * gap->leak_eve[m] * v[at->p + m] : 0);
    }
    ipopt_entries_put(e, at->g_d, at->d, 1);
    ipopt_entries_put(e, at->g_coherent, at->coherent, -1);
    ipopt_entries_put(e, at->g_n, at->coherent, v ? 2 * v[at->coherent] : 0);
    ipopt_entries_put(e, at->g_n, at->n, -1);
}

static void user_jacobian(const struct subproblem *p, const Number *v, struct ipopt_entries *e)
{
    const struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    for (int k = 0; k < gap->n_ue; k++) {
        struct bound b = {0};
        if (v) {
            b = rate_bound(p, k, v[at->x + k], v[at->y + k]);
        }
        for (int m = 0; m < gap->n_ap; m++) {
            const int i = at->p + k * gap->n_ap + m;
            const double gain = gap->gain[cell(p, k, m)];
            const double root = v && gain > 0 && !is_amplitude(p, k) ? 0.5 / sqrt(v[i]) : 1;
            ipopt_entries_put(e, at->g_x + k, i, -gain * root);
            ipopt_entries_put(e, at->g_y + k, at->s + m, gap->leak[cell(p, k, m)]);
            if (gap->plain) {
                ipopt_entries_put(e, at->g_y + k, at->u + m, gap->leak_plain[cell(p, k, m)]);
            }
        }
        ipopt_entries_put(e, at->g_x + k, at->x + k, 1);
        ipopt_entries_put(e, at->g_y + k, at->y + k, -1);
        ipopt_entries_put(e, at->g_rate + k, at->lack + k, -gap->targets.r_des);
        ipopt_entries_put(e, at->g_rate + k, at->x + k, -gap->w * b.by_x);
        ipopt_entries_put(e, at->g_rate + k, at->y + k, -gap->w * b.by_y);
        ipopt_entries_put(e, at->g_min + k, at->lack + k, 1);
        ipopt_entries_put(e, at->g_min + k, at->slack + k, -1);
    }
}

static void secrecy_jacobian(const struct subproblem *p, const Number *v, struct ipopt_entries *e)
{
    const struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    struct bound b = {0};
    double by_n = 0, by_d = 0;
    if (v) {
        b = rate_bound(p, 0, v[at->x], v[at->y]);
        by_n = gap->w / ((1 + gap->chi) * v[at->d]);
        by_d = -by_n * v[at->n] / v[at->d];
    }
    ipopt_entries_put(e, at->g_secrecy, at->lack_s, -gap->targets.s_des);
    ipopt_entries_put(e, at->g_secrecy, at->x, -gap->w * b.by_x);
    ipopt_entries_put(e, at->g_secrecy, at->y, -gap->w * b.by_y);
    ipopt_entries_put(e, at->g_secrecy, at->n, by_n);
    ipopt_entries_put(e, at->g_secrecy, at->d, by_d);
}

static int jacobian(const void *program, const Number *v, struct ipopt_entries e)
{
    const struct subproblem *const p = program;
    power_jacobian(p, v, &e);
    user_jacobian(p, v, &e);
    secrecy_jacobian(p, v, &e);
    return e.n;
}

/* The part of the Lagrangian's Hessian that a rate bound makes. */
static void rate_hessian(const struct subproblem *p, const Number *v, int k, double weight, struct ipopt_entries *e)
{
    const int x = p->at.x + k, y = p->at.y + k;
    struct bound b = {0};
    if (v) {
        b = rate_bound(p, k, v[x], v[y]);
    }
    ipopt_entries_put(e, x, x, weight * b.xx);
    ipopt_entries_put(e, y, x, weight * b.xy);
    ipopt_entries_put(e, y, y, weight * b.yy);
}

static void power_hessian(const struct subproblem *p, const Number *v, const Number *g, struct ipopt_entries *e)
{
    const struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    for (int m = 0; m < gap->n_ap; m++) {
        for (int k = 0; k <= gap->n_ue; k++) {
            const int i = at->p + k * gap->n_ap + m;
            double second = 0;
            if (g && is_amplitude(p, k)) {
                second = 2 * g[(is_plain(p, k, m) ? at->g_plain : at->g_total) + m];
                second += k == 0 ? 2 * gap->leak_eve[m] * g[at->g_n] : 0;
            } else if (g && k < gap->n_ue && gap->gain[cell(p, k, m)] > 0) {
                second = g[at->g_x + k] * gap->gain[cell(p, k, m)] * 0.25 / (v[i] * sqrt(v[i]));
            }
            ipopt_entries_put(e, i, i, second);
        }
    }
}

static int hessian(const void *program, const Number *v, double factor, const Number *g, struct ipopt_entries e)
{
    const struct subproblem *const p = program;
    const struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    power_hessian(p, v, g, &e);
    for (int k = 0; k < gap->n_ue; k++) {
        ipopt_entries_put(&e, at->lack + k, at->lack + k, factor * 2 * gap->targets.w_qos / gap->n_ue);
        rate_hessian(p, v, k, g ? -gap->w * g[at->g_rate + k] : 0, &e);
    }
    ipopt_entries_put(&e, at->lack_s, at->lack_s, factor * 2 * gap->targets.w_sec);
    rate_hessian(p, v, 0, g ? -gap->w * g[at->g_secrecy] : 0, &e);
    ipopt_entries_put(&e, at->coherent, at->coherent, g ? 2 * g[at->g_n] : 0);
    const double d = v ? v[at->d] : 1, weight = g ? gap->w * g[at->g_secrecy] / (1 + gap->chi) : 0;
    ipopt_entries_put(&e, at->d, at->n, -weight / (d * d));
    ipopt_entries_put(&e, at->d, at->d, v ? 2 * weight * v[at->n] / (d * d * d) : 0);
    return e.n;
}

static void set_bounds(const struct subproblem *p)
{
    Number *const low = p->ipopt.low, *const high = p->ipopt.high;
    const struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    for (int i = 0; i < at->count; i++) {
        low[i] = 0;
        high[i] = i < at->x ? 1 : IPOPT_PROGRAM_UNBOUNDED;
    }
    for (int i = 0; i < (gap->n_ue + 1) * gap->n_ap; i++) {
        high[at->p + i] = gap->allowed[cell(p, i / gap->n_ap, i % gap->n_ap)]; /* 0: fixed */
    }
    for (int k = 0; k < gap->n_ue; k++) {
        low[at->y + k] = 1;
        high[at->slack + k] = gap->targets.r_min > 0 ? IPOPT_PROGRAM_UNBOUNDED : 0;
    }
    low[at->d] = 1;
    for (int i = 0; i < at->g_count; i++) {
        p->ipopt.g_low[i] = -IPOPT_PROGRAM_UNBOUNDED;
        p->ipopt.g_high[i] = i >= at->g_min && !(gap->targets.r_min > 0) ? IPOPT_PROGRAM_UNBOUNDED : 0;
    }
}

/* Strictly inside the budgets, auxiliary variables a little on the safe side of their definitions. */
static void set_start(const struct subproblem *p, Number *v)
{
    struct gap *const gap = p->gap;
    const struct layout *const at = &p->at;
    for (int m = 0; m < gap->n_ap; m++) {
        double sum[2] = {0, 0};
        for (int k = 0; k <= gap->n_ue; k++) {
            const double before = gap->origin[cell(p, k, m)], allowed = gap->allowed[cell(p, k, m)];
            const double power = allowed * fmax(INSIDE * before * before, LEAST / (gap->n_ue + 1));
            v[at->p + k * gap->n_ap + m] = is_amplitude(p, k) ? sqrt(power) : power;
            gap->q[cell(p, k, m)] = sqrt(power);
            sum[is_plain(p, k, m)] += power;
        }
        v[at->s + m] = sum[0] + 1e-3;
        if (gap->plain) {
            v[at->u + m] = sum[1] + 1e-3;
        }
    }
    gap_value(gap, gap_ops_get(), gap->q);
    for (int k = 0; k < gap->n_ue; k++) {
        v[at->x + k] = 0.999 * gap->x[k];
        v[at->y + k] = 1.001 * gap->y[k] + 1e-3;
        v[at->lack + k] = fmax(1 - gap->rate[k] / gap->targets.r_des, 0) + 0.05;
        v[at->slack + k] = gap->targets.r_min > 0 ? fmax(gap->targets.r_min / gap->targets.r_des - 1, 0) + 0.1 : 0;
    }
    v[at->coherent] = 1.001 * gap->coherent;
    v[at->n] = 1.01 * gap->n_eve;
    v[at->d] = 1 + 0.999 * (gap->d_eve - 1);
    v[at->lack_s] = fmax(1 - (gap->rate[0] - gap->rate_eve) / gap->targets.s_des, 0) + 0.05;
}

/* The amplitudes of Ipopt's point, in gap->q. */
static void take(const struct subproblem *p, const Number *v)
{
    struct gap *const gap = p->gap;
    memset(gap->q, 0, gap->n * sizeof *gap->q);
    for (int m = 0; m < gap->n_ap; m++) {
        double sum = 0;
        for (int k = 0; k <= gap->n_ue; k++) {
            const double value = fmax(v[p->at.p + k * gap->n_ap + m], 0) * gap->allowed[cell(p, k, m)];
            const double q = is_amplitude(p, k) ? value : sqrt(value);
            gap->q[cell(p, k, m)] = q;
            sum += q * q;
        }
        for (int k = 0; sum > 1 && k <= gap->n_ue; k++) {
            gap->q[cell(p, k, m)] /= sqrt(sum);
        }
    }
}

static int solve_subproblem(struct gap *gap, enum gap_form form, double *value, int *iterations)
{
    struct subproblem p = {.gap = gap, .form = form};
    const size_t n_ue = (size_t)gap->n_ue;
    lay_out(&p);
    p.ipopt = (struct ipopt_program){.module = "gap",
                                     .n_x = p.at.count,
                                     .n_g = p.at.g_count,
                                     .max_iterations = 300,
                                     .tolerance = 1e-8,
                                     .objective = objective,
                                     .objective_gradient = objective_gradient,
                                     .constraints = constraints,
                                     .jacobian = jacobian,
                                     .hessian = hessian};
    p.x_n = calloc(2 * n_ue + ipopt_program_room(&p.ipopt), sizeof(double));
    if (!p.x_n) {
        return error_set(TUTTI_ENOMEM, "gap: out of memory for Ipopt");
    }
    p.theta = p.x_n + n_ue;
    for (size_t k = 0; k < n_ue; k++) {
        p.x_n[k] = gap->x[k];
        p.theta[k] = gap->x[k] * gap->x[k] / gap->y[k];
    }
    ipopt_program_place(&p.ipopt, p.theta + n_ue);
    set_bounds(&p);
    set_start(&p, p.ipopt.x);
    const int status = ipopt_program_solve(&p.ipopt, value);
    take(&p, p.ipopt.x);
    *iterations = p.ipopt.iterations;
    free(p.x_n);
    return status;
}

int gap_reference_step(gap_t *gap, const struct gap_reference_options *options, double *eta, double *eta_an,
                       struct gap_result *result, double *subproblem)
{
    double value = NAN;
    *result = (struct gap_result){0};
    if (gap->targets.two_sided) {
        return error_set(TUTTI_EINVAL, "gap: the two-sided gap has no convex subproblem");
    }
    gap_enter(gap, options->noise, eta, eta_an, &result->start);
    gap_linearise(gap);
    const int status = solve_subproblem(gap, options->form, &value, &result->iterations);
    if (status) {
        result->end = result->start;
        return status;
    }
    if (subproblem) {
        *subproblem = value;
    }
    gap_leave(gap, eta, eta_an, result);
    return 0;
}

int gap_reference_solve(gap_t *gap, const struct gap_reference_options *options, double *eta, double *eta_an,
                        struct gap_result *result, int *n_steps)
{
    struct gap_result step;
    *n_steps = 0;
    for (int i = 0; i < options->max_steps; i++) {
        const int status = gap_reference_step(gap, options, eta, eta_an, &step, NULL);
        if (i == 0) {
            *result = step;
        }
        if (status) {
            return i == 0 ? status : 0;
        }
        result->end = step.end;
        result->iterations += i > 0 ? step.iterations : 0;
        *n_steps = i + 1;
        if (step.start.merit - step.end.merit <= options->tolerance * fmax(step.start.merit, 1e-4)) {
            break;
        }
    }
    return 0;
}
