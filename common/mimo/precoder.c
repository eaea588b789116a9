/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/precoder.h"

#include "base/error.h"
#include "linalg/cmplx.h"
#include "linalg/small.h"
#include "mimo/analog.h"
#include "mimo/batch.h"
#include "mimo/maxmin.h"
#include "mimo/ob.h"
#include "mimo/ppzf.h"
#include "mimo/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Smallest pivot of the users' correlation matrix (unit diagonal) that zero-forcing is tried with: the sine squared of
 * the angle between a user and the others. Below it the beams lose more than 100 dB. */
static const double ZF_PIVOT_MIN = 1e-10;

struct precoder {
    struct mimo_shape shape;
    struct precoder_settings settings;
    struct mimo_problem problem;
    ob_t *ob;
    batch_t *batch;
    double *storage;
    double *Ur, *Ui;                     /* [n_row][n_ue] beams */
    double *Gr, *Gi, *Xr, *Xi, *Yr, *Yi; /* [n_ue][n_ue] */
    double *F, *work;                    /* [n_ue][n_ue], [n_ue][n_ue + 1] at least */
    double *noise, *p, *amplitude;       /* [n_ue] */
    double *B;                           /* [n_ap][n_ue] */
};

const char *mimo_scheme_name(int scheme)
{
    static const char *const names[MIMO_N_SCHEMES] = {
        [MIMO_CB] = "cb",     [MIMO_ZF] = "zf",   [MIMO_FZF] = "fzf", [MIMO_PZF] = "pzf",
        [MIMO_PPZF] = "ppzf", [MIMO_RZF] = "rzf", [MIMO_OB] = "ob",   [MIMO_ANALOG] = "analog"};
    return scheme >= 0 && scheme < MIMO_N_SCHEMES ? names[scheme] : "?";
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
    if (shape->n_ue < 1 || shape->n_ue > TUTTI_MAX_UE) {
        return error_set(TUTTI_EINVAL, "precoder: n_ue is %d, allowed 1 to %d", shape->n_ue, TUTTI_MAX_UE);
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

static void place(struct precoder *p)
{
    const size_t m = (size_t)p->shape.n_ap, k = (size_t)p->shape.n_ue, rows = m * (size_t)p->shape.n_ant;
    double *next = p->storage;
    mimo_problem_place(&p->problem, &p->shape, next);
    next += mimo_problem_size(&p->shape);
    double **const matrices[] = {&p->Gr, &p->Gi, &p->Xr, &p->Xi, &p->Yr, &p->Yi, &p->F};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++, next += k * k) {
        *matrices[i] = next;
    }
    double **const vectors[] = {&p->noise, &p->p, &p->amplitude};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++, next += k) {
        *vectors[i] = next;
    }
    p->Ur = next;
    p->Ui = p->Ur + rows * k;
    p->B = p->Ui + rows * k;
    p->work = p->B + m * k;
}

int precoder_create(precoder_t **precoder, const struct mimo_shape *shape)
{
    *precoder = NULL;
    const int rc = check_shape(shape);
    if (rc) {
        return rc;
    }
    struct precoder *p = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "precoder: out of memory");
    }
    *precoder = p;
    p->shape = *shape;
    precoder_settings_default(&p->settings);
    const size_t m = (size_t)shape->n_ap, k = (size_t)shape->n_ue, rows = m * (size_t)shape->n_ant;
    const size_t n = mimo_problem_size(shape) + 7 * k * k + 3 * k + 2 * rows * k + m * k + k * (k + 1);
    p->storage = calloc(n, sizeof *p->storage);
    if (!p->storage || ob_create(&p->ob, shape) || batch_create(&p->batch, shape)) {
        precoder_destroy(p);
        *precoder = NULL;
        return error_set(TUTTI_ENOMEM, "precoder: out of memory for %d APs, %d antennas, %d users", shape->n_ap,
                         shape->n_ant, shape->n_ue);
    }
    place(p);
    return 0;
}

void precoder_destroy(precoder_t *precoder)
{
    if (!precoder) {
        return;
    }
    ob_destroy(precoder->ob);
    batch_destroy(precoder->batch);
    free(precoder->storage);
    free(precoder);
}

/* Conjugate beams: every AP scales its estimates by one factor so that, sent with amplitude 1, it uses its whole
 * budget. */
static void beams_cb(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    const int per_ap = q->n_ant * q->n_ue;
    for (int m = 0; m < q->n_ap; m++) {
        const double *hr = q->Hr + m * per_ap, *hi = q->Hi + m * per_ap;
        double energy = 0;
        for (int i = 0; i < per_ap; i++) {
            energy += hr[i] * hr[i] + hi[i] * hi[i];
        }
        const double scale = energy > 0 ? sqrt(q->P[m] / energy) : 0;
        for (int i = 0; i < per_ap; i++) {
            p->Ur[m * per_ap + i] = scale * hr[i];
            p->Ui[m * per_ap + i] = scale * hi[i];
        }
    }
}

/* Zero-forcing beams U = H_n (H_n^H H_n)^-1 with H_n the channels scaled to unit norm, so that users 60 dB apart do not
 * spoil the conditioning; then u_k = norm_k a_k of spec ob. Nonzero when the users are not linearly independent. */
static int beams_zf(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    if (n > q->n_row) {
        return n;
    }
    small_gram(q->n_row, n, q->Hr, q->Hi, NULL, 1, p->Gr, p->Gi);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            const double scale = 1 / (q->norm[k] * q->norm[j]);
            p->Gr[k * n + j] *= scale;
            p->Gi[k * n + j] *= scale;
        }
    }
    const int rc = small_cholesky(n, p->Gr, p->Gi, ZF_PIVOT_MIN);
    if (rc) {
        return rc;
    }
    small_lower_inverse(n, p->Gr, p->Gi, p->Yr, p->Yi);
    small_lower_square(n, p->Yr, p->Yi, p->Xr, p->Xi);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            p->Xr[k * n + j] /= q->norm[k];
            p->Xi[k * n + j] /= q->norm[k];
        }
    }
    small_multiply(q->n_row, n, q->Hr, q->Hi, p->Xr, p->Xi, p->Ur, p->Ui);
    return 0;
}

/* All users the same effective amplitude, as much as the worst AP allows: amplitude_k = c weight_k. */
static void amplitudes_common(struct precoder *p, const double *weight)
{
    const struct mimo_problem *q = &p->problem;
    double use = 0;
    for (int m = 0; m < q->n_ap; m++) {
        double power = 0;
        for (int r = m * q->n_ant; r < (m + 1) * q->n_ant; r++) {
            for (int k = 0; k < q->n_ue; k++) {
                const int i = r * q->n_ue + k;
                power += (p->Ur[i] * p->Ur[i] + p->Ui[i] * p->Ui[i]) * weight[k] * weight[k];
            }
        }
        use = fmax(use, power / q->P[m]);
    }
    for (int k = 0; k < q->n_ue; k++) {
        p->amplitude[k] = use > 0 ? weight[k] / sqrt(use) : 0;
    }
}

/* Max-min over one power per user for the beams in U. Nonzero when a beam misses its user. */
static int amplitudes_maxmin(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    if (mimo_problem_beams(q, p->Ur, p->Ui, p->F, p->noise, p->B)) {
        return TUTTI_ENUMERIC;
    }
    maxmin_power(q->n_ue, q->n_ap, p->F, p->noise, p->B, q->n_ue, q->P, p->p, p->work);
    for (int k = 0; k < q->n_ue; k++) {
        if (!(p->p[k] >= 0) || !isfinite(p->p[k])) {
            return TUTTI_ENUMERIC;
        }
        p->amplitude[k] = sqrt(p->p[k]);
    }
    return 0;
}

static void solve_cb(struct precoder *p, enum mimo_power power)
{
    beams_cb(p);
    if (power == MIMO_POWER_MAXMIN && amplitudes_maxmin(p) == 0) {
        return;
    }
    for (int k = 0; k < p->problem.n_ue; k++) {
        p->amplitude[k] = 1;
    }
}

static int solve_zf(struct precoder *p, enum mimo_power power)
{
    if (beams_zf(p)) {
        return TUTTI_ENUMERIC;
    }
    if (power == MIMO_POWER_MAXMIN) {
        return amplitudes_maxmin(p);
    }
    for (int k = 0; k < p->problem.n_ue; k++) {
        p->noise[k] = 1 / p->problem.norm[k]; /* equal received power: w_k = c a_k */
    }
    amplitudes_common(p, p->noise);
    return 0;
}

/* Regularised zero-forcing: the MMSE receiver of the dual uplink in which the users share the sum power equally,
 * u_k = (I + sum_j lambda (h_j h_j^H + diag(E_j)))^-1 h_k, lambda = sum_m P_m / K, scaled to unit norm. */
static int solve_rzf(struct precoder *p, enum mimo_power power)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    double lambda = 0;
    for (int m = 0; m < q->n_ap; m++) {
        lambda += q->P[m] / n;
    }
    double *inverse_D = p->B; /* free until the powers are computed */
    for (int m = 0; m < q->n_ap; m++) {
        double d = 1;
        for (int k = 0; k < n; k++) {
            d += lambda * q->E[m * n + k];
        }
        inverse_D[m] = 1 / d;
    }
    small_gram(q->n_row, n, q->Hr, q->Hi, inverse_D, q->n_ant, p->Gr, p->Gi);
    for (int i = 0; i < n * n; i++) {
        p->Gr[i] = lambda * p->Gr[i] + (i % (n + 1) == 0);
        p->Gi[i] *= lambda;
    }
    if (small_cholesky(n, p->Gr, p->Gi, 0)) {
        return TUTTI_ENUMERIC;
    }
    small_lower_inverse(n, p->Gr, p->Gi, p->Yr, p->Yi);
    small_lower_square(n, p->Yr, p->Yi, p->Xr, p->Xi);
    small_multiply(q->n_row, n, q->Hr, q->Hi, p->Xr, p->Xi, p->Ur, p->Ui);
    double energy[TUTTI_MAX_UE] = {0};
    for (int r = 0; r < q->n_row; r++) {
        for (int k = 0; k < n; k++) {
            p->Ur[r * n + k] *= inverse_D[r / q->n_ant];
            p->Ui[r * n + k] *= inverse_D[r / q->n_ant];
            energy[k] += p->Ur[r * n + k] * p->Ur[r * n + k] + p->Ui[r * n + k] * p->Ui[r * n + k];
        }
    }
    for (int k = 0; k < n; k++) {
        p->noise[k] = 1 / sqrt(energy[k]);
    }
    if (power == MIMO_POWER_MAXMIN) {
        return amplitudes_maxmin(p);
    }
    amplitudes_common(p, p->noise);
    return 0;
}

/* Large-scale gains and estimate variances of one AP, packed. Without beta the estimates' own power has to do. */
static void local_statistics(const struct precoder *p, const struct mimo_channel *channel, int m, double *beta,
                             double *gamma)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    for (int k = 0; k < n; k++) {
        double energy = 0;
        for (int r = m * q->n_ant; r < (m + 1) * q->n_ant; r++) {
            energy += q->Hr[r * n + k] * q->Hr[r * n + k] + q->Hi[r * n + k] * q->Hi[r * n + k];
        }
        const double error = q->E[m * n + k];
        const float *known = channel->beta;
        beta[k] = known ? (double)known[(size_t)q->ap[m] * (size_t)p->shape.n_ue + (size_t)q->ue[k]]
                        : energy / q->n_ant + error;
        gamma[k] = energy > 0 ? fmax(beta[k] - error, 0) : 0;
    }
}

/* One AP's beams into U, scaled to its budget. Returns nonzero when it had to fall back to MRT. */
static int local_beams(struct precoder *p, enum ppzf_scheme scheme, const struct mimo_channel *channel, int m)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue, per_ap = q->n_ant * n;
    double beta[TUTTI_MAX_UE] = {0}, gamma[TUTTI_MAX_UE] = {0};
    double complex H[TUTTI_MAX_ANT * TUTTI_MAX_UE], W[TUTTI_MAX_ANT * TUTTI_MAX_UE];
    uint8_t strong[TUTTI_MAX_UE];
    local_statistics(p, channel, m, beta, gamma);
    for (int i = 0; i < per_ap; i++) {
        H[i] = CMPLX(q->Hr[m * per_ap + i], q->Hi[m * per_ap + i]);
    }
    ppzf_group(scheme, q->n_ant, n, beta, p->settings.upsilon, strong);
    for (int k = 0; k < n; k++) {
        strong[k] = strong[k] && gamma[k] > 0; /* nothing to protect without an estimate */
    }
    const int rc = ppzf_beams(scheme, q->n_ant, n, strong, gamma, H, W);
    double energy = 0;
    for (int i = 0; i < per_ap; i++) {
        energy += creal(W[i]) * creal(W[i]) + cimag(W[i]) * cimag(W[i]);
    }
    const double scale = energy > 0 && isfinite(energy) ? sqrt(q->P[m] / energy) : 0;
    for (int i = 0; i < per_ap; i++) {
        p->Ur[m * per_ap + i] = scale > 0 ? scale * creal(W[i]) : 0;
        p->Ui[m * per_ap + i] = scale > 0 ? scale * cimag(W[i]) : 0;
    }
    return rc;
}

static void solve_local(struct precoder *p, enum mimo_scheme scheme, enum mimo_power power,
                        const struct mimo_channel *channel, int *reason)
{
    const enum ppzf_scheme kind = scheme == MIMO_FZF ? PPZF_FZF : scheme == MIMO_PZF ? PPZF_PZF : PPZF_PPZF;
    for (int m = 0; m < p->problem.n_ap; m++) {
        if (local_beams(p, kind, channel, m)) {
            *reason = MIMO_REASON_SINGULAR;
        }
    }
    if (power == MIMO_POWER_MAXMIN && amplitudes_maxmin(p) == 0) {
        return;
    }
    for (int k = 0; k < p->problem.n_ue; k++) {
        p->amplitude[k] = 1;
    }
}

static int solve_ob(struct precoder *p, const struct mimo_channel *channel, struct mimo_solution *solution)
{
    const struct ob_settings settings = {.tolerance = p->settings.ob_tolerance,
                                         .max_iterations = p->settings.ob_max_iterations,
                                         .deadline_mono_ns = p->settings.deadline_mono_ns,
                                         .warm = p->settings.ob_warm};
    struct ob_result result;
    const int rc = ob_solve(p->ob, channel, &settings, solution, &result);
    solution->sinr_bound = result.bound;
    solution->iterations = result.iterations;
    if (!rc && result.stop != OB_CONVERGED) {
        solution->reason = result.stop == OB_DEADLINE ? MIMO_REASON_DEADLINE : MIMO_REASON_ITERATIONS;
    }
    return rc;
}

static int first_active(const struct mimo_shape *shape, const struct mimo_channel *channel)
{
    int k = 0;
    while (k < shape->n_ue - 1 && !channel->ue_active[k]) {
        k++;
    }
    return k;
}

int precoder_execute(precoder_t *precoder, enum mimo_scheme scheme, enum mimo_power power,
                     const struct mimo_channel *channel, struct mimo_solution *solution)
{
    struct precoder *p = precoder;
    solution->sinr_bound = NAN;
    solution->iterations = 0;
    if (scheme == MIMO_OB) {
        return solve_ob(p, channel, solution);
    }
    mimo_problem_load(&p->problem, &p->shape, channel);
    solution->reason = p->problem.reason;
    if (p->problem.n_ue == 0 || p->problem.n_ap == 0) {
        memset(solution->W, 0, (size_t)(p->shape.n_ap * p->shape.n_ant * p->shape.n_ue) * sizeof *solution->W);
        memset(solution->sinr, 0, (size_t)p->shape.n_ue * sizeof *solution->sinr);
        return TUTTI_ENUMERIC;
    }
    if (scheme == MIMO_ANALOG) {
        analog_beam(&p->shape, channel, first_active(&p->shape, channel), solution->W);
        mimo_sinr(&p->shape, channel, solution->W, solution->sinr);
        return 0;
    }
    int rc = 0;
    if (scheme == MIMO_FZF || scheme == MIMO_PZF || scheme == MIMO_PPZF) {
        solve_local(p, scheme, power, channel, &solution->reason);
    } else if (scheme != MIMO_CB) {
        rc = scheme == MIMO_RZF ? solve_rzf(p, power) : solve_zf(p, power);
    }
    if (rc) {
        solution->reason = MIMO_REASON_SINGULAR;
    }
    if (rc || scheme == MIMO_CB) {
        solve_cb(p, power);
    }
    mimo_problem_store(&p->problem, &p->shape, p->Ur, p->Ui, p->amplitude, solution->W);
    mimo_sinr(&p->shape, channel, solution->W, solution->sinr);
    return solution->reason == MIMO_REASON_ASKED ? 0 : TUTTI_ENUMERIC;
}

int precoder_execute_batch(precoder_t *precoder, enum mimo_scheme scheme, enum mimo_power power, int n_sb,
                           const struct mimo_channel *channels, struct mimo_solution *solutions)
{
    const int step = batch_lanes();
    int rc = 0;
    for (int first = 0; first < n_sb; first += step) {
        const int n = n_sb - first < step ? n_sb - first : step;
        unsigned left = (1u << n) - 1;
        if (scheme == MIMO_ZF) {
            left = batch_zf(precoder->batch, power, n, channels + first, solutions + first);
        }
        for (int s = 0; s < n; s++) {
            if (left & (1u << s) &&
                precoder_execute(precoder, scheme, power, &channels[first + s], &solutions[first + s])) {
                rc = TUTTI_ENUMERIC;
            }
        }
    }
    return rc;
}
