/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/gap_newton.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAD = 4, MAX_TRIALS = 25 };
static const double INSIDE = 0.98, LEAST = 1e-3; /* of the start: share of the budget, of a fair share */
static const double BOUNDARY = 0.95;             /* share of the way to a bound that a step may go */
static const double MU_START = 1e-3, MU_FACTOR = 0.2;
static const double DECREASE = 1e-4, DUAL_RANGE = 1e8;
static const double SMOOTH_PER_MU = 100, SMOOTH_LEAST = 1e-4, SMOOTH_MOST = 1e-1;

static int padded(int n_ue)
{
    return (n_ue + 3 + PAD - 1) / PAD * PAD;
}

int gap_newton_create(struct gap_newton **newton, int n_ap, int n_ue)
{
    *newton = calloc(1, sizeof **newton);
    if (!*newton) {
        return TUTTI_ENOMEM;
    }
    struct gap_newton *const n = *newton;
    const size_t m = (size_t)n_ap, rows = m * ((size_t)n_ue + 1), j = (size_t)padded(n_ue);
    double **const arrays[] = {&n->v,           &n->z,          &n->step,   &n->trial,   &n->inverse,
                               &n->own,         &n->right,      &n->slack,  &n->nu,      &n->damp,
                               &n->bound_right, &n->leak,       &n->first,  &n->base,    &n->bound,
                               &n->leak_plain,  &n->base_plain, &n->gram,   &n->middle,  &n->system,
                               &n->slope,       &n->project,    &n->weight, &n->squares, &n->mixed};
    const size_t sizes[] = {rows,  rows,  rows,  rows,  rows,  rows,  rows,  m, m, m, m, m * j, m * j,
                            m * j, m * j, m * j, m * j, j * j, j * j, j * j, j, j, j, j, j};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i] = calloc(sizes[i], sizeof(double));
        if (!*arrays[i]) {
            return TUTTI_ENOMEM;
        }
    }
    return 0;
}

void gap_newton_destroy(struct gap_newton *newton)
{
    if (!newton) {
        return;
    }
    double *const arrays[] = {newton->v,           newton->z,          newton->step,   newton->trial,   newton->inverse,
                              newton->own,         newton->right,      newton->slack,  newton->nu,      newton->damp,
                              newton->bound_right, newton->leak,       newton->first,  newton->base,    newton->bound,
                              newton->leak_plain,  newton->base_plain, newton->gram,   newton->middle,  newton->system,
                              newton->slope,       newton->project,    newton->weight, newton->squares, newton->mixed};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
    free(newton);
}

static size_t cell(const struct gap *gap, int k, int m)
{
    return (size_t)k * gap->stride + (size_t)m;
}

static bool is_plain(const struct gap *gap, int k, int m)
{
    return gap->plain && k < gap->n_ue && gap->unprojected[cell(gap, k, m)] > 0;
}

/* Variables strictly inside, multipliers on the central path. */
static void start(struct gap *gap, struct gap_newton *n)
{
    n->n_column = gap->n_ue + 3;
    n->n_padded = padded(gap->n_ue);
    n->n_row = gap->n_ue;
    for (int m = 0; m < gap->n_ap; m++) {
        n->n_row += n->n_row == gap->n_ue && gap->allowed[cell(gap, gap->n_ue, m)] > 0;
    }
    n->mu = MU_START;
    for (int m = 0; m < gap->n_ap; m++) {
        double sum = 0;
        for (int t = 0; t < n->n_row; t++) {
            const double q = gap->q[cell(gap, t, m)];
            const double power = gap->allowed[cell(gap, t, m)] * fmax(INSIDE * q * q, LEAST / (gap->n_ue + 1));
            const int i = m * n->n_row + t;
            sum += power;
            n->v[i] = t == 0 ? sqrt(power) : power;
            n->z[i] = power > 0 ? n->mu / n->v[i] : 0;
        }
        const double shrink = fmin(1, (1 - 0.5 * (1 - INSIDE)) / fmax(sum, 1e-300));
        for (int t = 0; t < n->n_row; t++) {
            n->v[m * n->n_row + t] *= t == 0 ? sqrt(shrink) : shrink;
        }
        n->slack[m] = 1 - sum * shrink;
        n->nu[m] = n->mu / n->slack[m];
        double *const leak = n->leak + m * n->n_padded, *const plain = n->leak_plain + m * n->n_padded;
        memset(leak, 0, (size_t)n->n_padded * sizeof *leak);
        memset(plain, 0, (size_t)n->n_padded * sizeof *plain);
        for (int k = 0; k < gap->n_ue; k++) {
            leak[k] = gap->leak[cell(gap, k, m)];
            plain[k] = gap->leak_plain[cell(gap, k, m)];
        }
        leak[gap->n_ue + 1] = gap->leak_eve[m];
        plain[gap->n_ue + 1] = gap->leak_plain_eve[m];
    }
}

/* Variables as amplitudes user by user. */
static void spread(const struct gap *gap, const struct gap_newton *n, const double *v, double *q)
{
    memset(q, 0, gap->n * sizeof *q);
    for (int m = 0; m < gap->n_ap; m++) {
        for (int t = 0; t < n->n_row; t++) {
            const double value = v[m * n->n_row + t];
            q[cell(gap, t, m)] = t == 0 ? value : sqrt(value);
        }
    }
}

/* Objective with the barrier at v; INFINITY outside. slack [n_ap] is filled. */
static double barrier_value(struct gap *gap, struct gap_newton *n, const double *v, double *slack)
{
    double logs = 0;
    for (int m = 0; m < gap->n_ap; m++) {
        double product = 1, sum = 0;
        for (int t = 0; t < n->n_row; t++) {
            if (!(gap->allowed[cell(gap, t, m)] > 0)) {
                continue;
            }
            const double value = v[m * n->n_row + t];
            product *= value;
            sum += t == 0 ? value * value : value;
            if (product < 1e-250) {
                logs += log(product);
                product = 1;
            }
        }
        slack[m] = 1 - sum;
        if (!(slack[m] > 0) || !(product > 0)) {
            return INFINITY;
        }
        logs += log(product) + log(slack[m]);
    }
    spread(gap, n, v, gap->trial);
    return gap_value(gap, gap_ops_get(), gap->trial) - n->mu * logs;
}

/* Derivatives of the objective by its scalars at the point that was looked at last: slope in the columns, C. */
static void scalars(struct gap *gap, struct gap_newton *n)
{
    const struct gap_targets *const t = &gap->targets;
    const int K = gap->n_ue, J = n->n_padded, N = K, D = K + 1, E = K + 2;
    const double share = t->w_qos / K, lack = fmax(1 - (gap->rate[0] - gap->rate_eve) / t->s_des, 0);
    const double by_secrecy = -2 * t->w_sec * lack / t->s_des;
    const double bend = lack > 0 ? 2 * t->w_sec / (t->s_des * t->s_des) : 0, d = gap->d_eve, w = gap->w;
    double *const C = n->middle;
    memset(C, 0, (size_t)(n->n_column * J) * sizeof *C);
    memset(n->slope, 0, (size_t)J * sizeof *n->slope);
    for (int k = 0; k < K; k++) {
        const double arg = 1 + gap->a[k] * (2 * gap->x[k] - gap->a[k] * gap->y[k]);
        const double h = fmax(1 - gap->rate[k] / t->r_des, 0), short_by = (t->r_min - gap->rate[k]) / t->r_des;
        double by_rate = -2 * share * h, second = h > 0 ? 2 * share : 0;
        if (short_by > 0) {
            by_rate -= GAP_PENALTY * fmin(short_by / gap->smooth, 1);
            second += short_by < gap->smooth ? GAP_PENALTY / gap->smooth : 0;
        }
        by_rate = by_rate / t->r_des + (k == 0 ? by_secrecy : 0);
        n->slope[k] = by_rate * w / arg;
        C[k * J + k] = (second / (t->r_des * t->r_des) * w - by_rate) * w / (arg * arg);
        n->weight[k] = arg;
    }
    const double eve = -by_secrecy * w / (1 + gap->chi); /* by N / D */
    n->slope[N] = eve / d;
    n->slope[D] = -eve * gap->n_eve / (d * d);
    const double e[3] = {w / n->weight[0], -w / (1 + gap->chi) / d, w / (1 + gap->chi) * gap->n_eve / (d * d)};
    const int at[3] = {0, N, D};
    for (int i = 0; i < 9; i++) {
        C[at[i / 3] * J + at[i % 3]] += bend * e[i / 3] * e[i % 3];
    }
    C[E * J + E] += 2 * eve / d;
    C[N * J + D] -= eve / (d * d);
    C[D * J + N] -= eve / (d * d);
    C[D * J + D] += 2 * eve * gap->n_eve / (d * d * d);
}

/* The rows of an AP: what all streams but 0 have in common, and stream 0's. */
static void rows(struct gap *gap, struct gap_newton *n, int m)
{
    const int K = gap->n_ue, J = n->n_padded;
    double *const base = n->base + m * J, *const plain = n->base_plain + m * J, *const first = n->first + m * J;
    const double *const leak = n->leak + m * J, *const leak_plain = n->leak_plain + m * J;
    const double q = n->v[m * n->n_row];
    for (int j = 0; j < J; j++) {
        base[j] = n->squares[j] * leak[j];
        plain[j] = n->squares[j] * leak_plain[j];
    }
    const double *const own = is_plain(gap, 0, m) ? plain : base;
    for (int j = 0; j < J; j++) {
        first[j] = 2 * q * own[j];
    }
    first[0] += 2 * gap->a[0] * gap->gain[cell(gap, 0, m)];
    first[K] = 2 * gap->coherent * gap->gain_eve[m] + 2 * gap->leak_eve[m] * q;
    first[K + 1] = 0;
    first[K + 2] = gap->gain_eve[m];
}

static double dot(int n, const double *a, const double *b)
{
    double s[PAD] = {0};
    for (int i = 0; i < n; i += PAD) {
        for (int l = 0; l < PAD; l++) {
            s[l] += a[i + l] * b[i + l];
        }
    }
    return s[0] + s[1] + s[2] + s[3];
}

/* Diagonal, own entries and right-hand side of an AP. */
static void diagonal(struct gap *gap, struct gap_newton *n, int m)
{
    const int K = gap->n_ue, J = n->n_padded;
    const double *const first = n->first + m * J;
    const double common = dot(J, n->base + m * J, n->slope), plain = dot(J, n->base_plain + m * J, n->slope);
    const double press = n->mu / n->slack[m];
    for (int t = 0; t < n->n_row; t++) {
        const int i = m * n->n_row + t;
        const double v = n->v[i], amplitude = t == 0 ? v : sqrt(v);
        n->own[i] = 0;
        if (!(gap->allowed[cell(gap, t, m)] > 0)) {
            n->inverse[i] = n->right[i] = 0;
            continue;
        }
        double curved = n->z[i] / v, by;
        if (t == 0) {
            const double *const own = is_plain(gap, 0, m) ? n->base_plain + m * J : n->base + m * J;
            curved += 2 * (n->nu[m] + dot(K / PAD * PAD, own, n->slope) + n->slope[K] * gap->leak_eve[m]);
            for (int k = K / PAD * PAD; k < K; k++) {
                curved += 2 * own[k] * n->slope[k];
            }
            by = dot(J, first, n->slope);
        } else {
            by = is_plain(gap, t, m) ? plain : common;
            if (t < K) {
                n->own[i] = gap->a[t] * gap->gain[cell(gap, t, m)] / amplitude;
                curved -= 0.5 * n->own[i] * n->slope[t] / v;
                by += n->own[i] * n->slope[t];
            }
        }
        n->inverse[i] = 1 / curved;
        n->right[i] = -(by - n->mu / v + press * (t == 0 ? 2 * v : 1));
    }
}

/* y += f x, in steps that are whole vectors: a compiler that does not know it tests for what is left at every row. */
static inline void add_row(int n_padded, double f, const double *restrict x, double *restrict y)
{
    for (int j = 0; j < n_padded; j += PAD) {
        for (int l = 0; l < PAD; l++) {
            y[j + l] += f * x[j + l];
        }
    }
}

static void add_outer(int n_column, int n_padded, double *gram, const double *a, const double *b)
{
    for (int i = 0; i < n_column; i++) {
        add_row(n_padded, a[i], b, gram + i * n_padded);
    }
}

/* One class of streams (projected or not) of an AP: their part of gram, of the budget's row and of the right side. */
static void add_class(struct gap *gap, struct gap_newton *n, int m, bool plain)
{
    const int J = n->n_padded;
    const double *const base = (plain ? n->base_plain : n->base) + m * J;
    double *const bound = n->bound + m * J;
    double total = 0;
    memset(n->mixed, 0, (size_t)J * sizeof *n->mixed);
    for (int t = 1; t < n->n_row; t++) {
        const int i = m * n->n_row + t;
        if (is_plain(gap, t, m) == plain) {
            total += n->inverse[i];
            n->mixed[t] = t < gap->n_ue ? n->inverse[i] * n->own[i] : 0;
            n->gram[t * J + t] += n->mixed[t] * n->own[i];
        }
    }
    add_outer(n->n_column, J, n->gram, n->mixed, base);
    for (int j = 0; j < J; j++) {
        n->mixed[j] += total * base[j];
        bound[j] += n->mixed[j];
    }
    add_outer(n->n_column, J, n->gram, base, n->mixed);
}

static void assemble_ap(struct gap *gap, struct gap_newton *n, int m)
{
    const int J = n->n_padded, i0 = m * n->n_row;
    double *const bound = n->bound + m * J;
    const double *const first = n->first + m * J;
    const double by_budget = 2 * n->v[i0]; /* of stream 0; 1 of the others */
    rows(gap, n, m);
    diagonal(gap, n, m);
    double stiffness = by_budget * by_budget * n->inverse[i0], right = by_budget * n->inverse[i0] * n->right[i0];
    for (int t = 1; t < n->n_row; t++) {
        stiffness += n->inverse[i0 + t];
        right += n->inverse[i0 + t] * n->right[i0 + t];
    }
    memset(bound, 0, (size_t)J * sizeof *bound);
    add_class(gap, n, m, false);
    if (gap->plain) {
        add_class(gap, n, m, true);
    }
    for (int j = 0; j < J; j++) {
        n->mixed[j] = n->inverse[i0] * first[j];
        bound[j] += by_budget * n->mixed[j];
    }
    add_outer(n->n_column, J, n->gram, first, n->mixed);
    const double kappa = n->nu[m] / n->slack[m];
    n->damp[m] = kappa / (1 + kappa * stiffness);
    n->bound_right[m] = right;
    for (int j = 0; j < J; j++) {
        n->mixed[j] = -n->damp[m] * bound[j];
    }
    add_outer(n->n_column, J, n->gram, bound, n->mixed);
}

/* columns^T B^-1 right-hand side. */
static void project_right(struct gap *gap, struct gap_newton *n)
{
    const int J = n->n_padded;
    memset(n->project, 0, (size_t)J * sizeof *n->project);
    for (int m = 0; m < gap->n_ap; m++) {
        const int i0 = m * n->n_row;
        double sum[2] = {0, 0};
        const double pull = n->damp[m] * n->bound_right[m];
        const double y0 = n->inverse[i0] * (n->right[i0] - pull * 2 * n->v[i0]);
        for (int t = 1; t < n->n_row; t++) {
            const double y = n->inverse[i0 + t] * (n->right[i0 + t] - pull);
            sum[is_plain(gap, t, m)] += y;
            n->project[t] += t < gap->n_ue ? n->own[i0 + t] * y : 0;
        }
        for (int j = 0; j < J; j++) {
            n->project[j] += sum[0] * n->base[m * J + j] + sum[1] * n->base_plain[m * J + j] + y0 * n->first[m * J + j];
        }
    }
}

/* Gaussian elimination with partial pivoting, in place; x becomes the solution. False: singular. */
static bool eliminate(int n, int stride, double *A, double *x)
{
    for (int c = 0; c < n; c++) {
        int pivot = c;
        for (int r = c + 1; r < n; r++) {
            pivot = fabs(A[r * stride + c]) > fabs(A[pivot * stride + c]) ? r : pivot;
        }
        if (!(fabs(A[pivot * stride + c]) > 0)) {
            return false;
        }
        for (int j = 0; pivot != c && j < n; j++) {
            const double t = A[c * stride + j];
            A[c * stride + j] = A[pivot * stride + j];
            A[pivot * stride + j] = t;
        }
        const double t = x[c];
        x[c] = x[pivot];
        x[pivot] = t;
        for (int r = c + 1; r < n; r++) {
            const double factor = A[r * stride + c] / A[c * stride + c];
            const int whole = c / PAD * PAD; /* what is before c is not read again */
            add_row(stride - whole, -factor, A + c * stride + whole, A + r * stride + whole);
            x[r] -= factor * x[c];
        }
    }
    for (int r = n - 1; r >= 0; r--) {
        for (int j = r + 1; j < n; j++) {
            x[r] -= A[r * stride + j] * x[j];
        }
        x[r] /= A[r * stride + r];
    }
    return isfinite(x[0]);
}

/* weight = (I + C gram)^-1 C project (Woodbury, C may be singular). */
static bool condense(struct gap_newton *n)
{
    const int J = n->n_padded, c = n->n_column;
    for (int i = 0; i < c; i++) {
        double *const row = n->system + i * J;
        memset(row, 0, (size_t)J * sizeof *row);
        row[i] = 1;
        for (int l = 0; l < c; l++) {
            const double factor = n->middle[i * J + l];
            if (factor != 0) {
                add_row(J, factor, n->gram + l * J, row);
            }
        }
    }
    for (int i = 0; i < J; i++) {
        n->weight[i] = i < c ? dot(J, n->middle + i * J, n->project) : 0;
    }
    return eliminate(c, J, n->system, n->weight);
}

/* The step, and the barrier objective's slope along it. */
static double back_substitute(struct gap *gap, struct gap_newton *n)
{
    const int J = n->n_padded;
    double slope = 0;
    for (int m = 0; m < gap->n_ap; m++) {
        const int i0 = m * n->n_row;
        const double common[2] = {dot(J, n->base + m * J, n->weight), dot(J, n->base_plain + m * J, n->weight)};
        const double pull = n->damp[m] * (n->bound_right[m] - dot(J, n->bound + m * J, n->weight));
        n->step[i0] = n->inverse[i0] * (n->right[i0] - dot(J, n->first + m * J, n->weight) - pull * 2 * n->v[i0]);
        slope -= n->right[i0] * n->step[i0];
        for (int t = 1; t < n->n_row; t++) {
            const double own = t < gap->n_ue ? n->own[i0 + t] * n->weight[t] : 0;
            n->step[i0 + t] = n->inverse[i0 + t] * (n->right[i0 + t] - common[is_plain(gap, t, m)] - own - pull);
            slope -= n->right[i0 + t] * n->step[i0 + t];
        }
    }
    return slope;
}

static bool direction(struct gap *gap, struct gap_newton *n, double *slope)
{
    for (int k = 0; k < n->n_padded; k++) {
        n->squares[k] = k < gap->n_ue ? -gap->a[k] * gap->a[k] : 1;
    }
    n->squares[gap->n_ue] = n->squares[gap->n_ue + 2] = 0;
    scalars(gap, n);
    memset(n->gram, 0, (size_t)(n->n_column * n->n_padded) * sizeof *n->gram);
    for (int m = 0; m < gap->n_ap; m++) {
        assemble_ap(gap, n, m);
    }
    project_right(gap, n);
    if (!condense(n)) {
        return false;
    }
    *slope = back_substitute(gap, n);
    return *slope < 0;
}

/* Longest steps that keep a share of the distance to every bound: of the variables, of the multipliers. */
static void longest(struct gap *gap, struct gap_newton *n, double *primal, double *dual)
{
    *primal = *dual = 1;
    for (int m = 0; m < gap->n_ap; m++) {
        double by_budget = 0;
        for (int t = 0; t < n->n_row; t++) {
            const int i = m * n->n_row + t;
            const double v = n->v[i], dv = n->step[i];
            if (!(n->inverse[i] > 0)) {
                continue;
            }
            by_budget += t == 0 ? 2 * v * dv : dv;
            if (dv < 0) {
                *primal = fmin(*primal, -BOUNDARY * v / dv);
            }
            const double dz = n->mu / v - n->z[i] - n->z[i] / v * dv;
            if (dz < 0) {
                *dual = fmin(*dual, -BOUNDARY * n->z[i] / dz);
            }
        }
        if (by_budget > 0) {
            *primal = fmin(*primal, BOUNDARY * n->slack[m] / by_budget);
        }
        const double dnu = n->mu / n->slack[m] - n->nu[m] + n->nu[m] / n->slack[m] * by_budget;
        if (dnu < 0) {
            *dual = fmin(*dual, -BOUNDARY * n->nu[m] / dnu);
        }
    }
}

static double clamp(double value, double low, double high)
{
    return fmin(fmax(value, low), high);
}

/* Multipliers along the step, kept near the central path of the variables as they are afterwards. */
static void move_multipliers(struct gap *gap, struct gap_newton *n, double length, const double *before,
                             const double *slack_before)
{
    for (int m = 0; m < gap->n_ap; m++) {
        double by_budget = 0;
        for (int t = 0; t < n->n_row; t++) {
            const int i = m * n->n_row + t;
            if (!(n->inverse[i] > 0)) {
                continue;
            }
            by_budget += t == 0 ? 2 * before[i] * n->step[i] : n->step[i];
            const double z = n->z[i] + length * (n->mu / before[i] - n->z[i] - n->z[i] / before[i] * n->step[i]);
            n->z[i] = clamp(z, n->mu / n->v[i] / DUAL_RANGE, n->mu / n->v[i] * DUAL_RANGE);
        }
        const double slack = slack_before[m];
        const double nu = n->nu[m] + length * (n->mu / slack - n->nu[m] + n->nu[m] / slack * by_budget);
        n->nu[m] = clamp(nu, n->mu / n->slack[m] / DUAL_RANGE, n->mu / n->slack[m] * DUAL_RANGE);
    }
}

static void exchange(double **a, double **b)
{
    double *const t = *a;
    *a = *b;
    *b = t;
}

/* One Newton step at this mu; returns its length (0: none) and the decrease that the slope promised. */
static double newton_step(struct gap *gap, struct gap_newton *n, double *value, double *promised)
{
    double slope, primal, dual;
    if (!direction(gap, n, &slope)) {
        return 0;
    }
    *promised = -slope;
    longest(gap, n, &primal, &dual);
    double *const slack = n->right; /* not needed any more */
    const size_t count = (size_t)(gap->n_ap * n->n_row);
    for (int trial = 0; trial < MAX_TRIALS; trial++, primal *= 0.5) {
        for (size_t i = 0; i < count; i++) {
            n->trial[i] = n->v[i] + primal * n->step[i];
        }
        const double found = barrier_value(gap, n, n->trial, slack);
        if (found <= *value + DECREASE * primal * slope + 1e-13 * fabs(*value)) {
            exchange(&n->v, &n->trial);
            for (int m = 0; m < gap->n_ap; m++) { /* the old slack goes where the new one was */
                const double t = n->slack[m];
                n->slack[m] = slack[m];
                slack[m] = t;
            }
            move_multipliers(gap, n, dual, n->trial, slack);
            *value = found;
            return primal;
        }
    }
    return 0;
}

int gap_newton_descend(struct gap *gap, const struct gap_options *options)
{
    struct gap_newton *const n = gap->newton;
    const double end = fmax(options->tolerance, 1e-12);
    double value, promised = 0;
    int steps = 0;
    start(gap, n);
    while (steps < options->max_iterations) {
        gap->smooth = clamp(SMOOTH_PER_MU * n->mu, SMOOTH_LEAST, SMOOTH_MOST);
        value = barrier_value(gap, n, n->v, n->slack);
        if (!gap->convex) {
            gap_linearise(gap);
        }
        const double length = newton_step(gap, n, &value, &promised);
        steps++;
        if (length <= 0) {
            if (n->mu <= end) {
                break;
            }
            n->mu = fmax(MU_FACTOR * n->mu, end);
            continue;
        }
        if (n->mu <= end && promised <= 1e2 * end) {
            break;
        }
        if (length > 0.5 || promised < 10 * n->mu) {
            n->mu = fmax(MU_FACTOR * n->mu, end);
        }
    }
    spread(gap, n, n->v, gap->q);
    return steps;
}
