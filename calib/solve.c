/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/solve.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double square(double complex x)
{
    return creal(x) * creal(x) + cimag(x) * cimag(x);
}

static bool both_heard(const struct calib_pairs *p, int i, int j)
{
    return i != j && (!p->heard || (p->heard[i * p->n + j] && p->heard[j * p->n + i]));
}

static double noise_of(const struct calib_pairs *p, int j)
{
    return p->noise ? p->noise[j] : 1;
}

/* Connected? ------------------------------------------------------------------------------------------------------- */

/* Spreads from antenna 0; every antenna must be reached. */
static int check_connected(const struct calib_pairs *p, uint8_t *reached, int *queue)
{
    int n_queued = 1;
    memset(reached, 0, (size_t)p->n);
    reached[queue[0] = 0] = 1;
    for (int head = 0; head < n_queued; head++) {
        for (int j = 0; j < p->n; j++) {
            if (!reached[j] && both_heard(p, queue[head], j)) {
                reached[j] = 1;
                queue[n_queued++] = j;
            }
        }
    }
    for (int j = 0; j < p->n; j++) {
        if (!reached[j]) {
            return error_set(TUTTI_EINVAL,
                             "calibration: antenna %d and antenna 0 are joined by no chain of pairs that hear each "
                             "other; move the radios or raise their gains",
                             j);
        }
    }
    return TUTTI_OK;
}

/* Least squares ---------------------------------------------------------------------------------------------------- */

struct work {
    double complex *A; /* [n][n], then its factor */
    double complex *x; /* [n] */
    uint8_t *reached;
    int *queue;
};

static int create_work(struct work *w, int n)
{
    const size_t size = (size_t)n;
    w->A = calloc(size * size, sizeof *w->A);
    w->x = calloc(size, sizeof *w->x);
    w->reached = calloc(size, 1);
    w->queue = calloc(size, sizeof *w->queue);
    return w->A && w->x && w->reached && w->queue
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for the calibration of %d antennas", n);
}

static void destroy_work(struct work *w)
{
    free(w->A);
    free(w->x);
    free(w->reached);
    free(w->queue);
}

/* A_ii = sum_j w |y_ij|^2, A_ij = -w conj(y_ij) y_ji: f^H A f is the sum of w |f_i y_ij - f_j y_ji|^2 over the pairs.
 * Returns the trace. */
static double fill_matrix(const struct calib_pairs *p, double complex *A)
{
    const int n = p->n;
    double trace = 0;
    memset(A, 0, sizeof *A * (size_t)n * (size_t)n);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            if (both_heard(p, i, j)) {
                const double weight = 1 / (noise_of(p, i) + noise_of(p, j));
                A[i * n + i] += weight * square(p->y[i * n + j]);
                A[i * n + j] = -weight * conj(p->y[i * n + j]) * p->y[j * n + i];
            }
        }
        trace += creal(A[i * n + i]);
    }
    return trace;
}

/* In place lower Cholesky factor of A + shift I. */
static bool factor(int n, double shift, double complex *A)
{
    for (int k = 0; k < n; k++) {
        double pivot = creal(A[k * n + k]) + shift;
        for (int m = 0; m < k; m++) {
            pivot -= square(A[k * n + m]);
        }
        if (!(pivot > 0) || !isfinite(pivot)) {
            return false;
        }
        A[k * n + k] = sqrt(pivot);
        for (int i = k + 1; i < n; i++) {
            double complex sum = A[i * n + k];
            for (int m = 0; m < k; m++) {
                sum -= A[i * n + m] * conj(A[k * n + m]);
            }
            A[i * n + k] = sum / A[k * n + k];
        }
    }
    return true;
}

/* x = (L L^H)^-1 x, scaled to unit norm; returns the norm before. */
static double solve_step(int n, const double complex *L, double complex *x)
{
    for (int i = 0; i < n; i++) {
        for (int m = 0; m < i; m++) {
            x[i] -= L[i * n + m] * x[m];
        }
        x[i] /= L[i * n + i];
    }
    double norm = 0;
    for (int i = n - 1; i >= 0; i--) {
        for (int m = i + 1; m < n; m++) {
            x[i] -= conj(L[m * n + i]) * x[m];
        }
        x[i] /= L[i * n + i];
        norm += square(x[i]);
    }
    norm = sqrt(norm);
    for (int i = 0; i < n; i++) {
        x[i] /= norm;
    }
    return norm;
}

/* Inverse iteration from a start with something of everything; the shift keeps a noiseless matrix regular and slows
 * nothing down. */
static bool least_eigenvector(int n, double trace, double complex *A, double complex *x)
{
    enum { MOST_STEPS = 2000 };
    if (!(trace > 0) || !isfinite(trace) || !factor(n, 1e-10 * trace / n, A)) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        x[i] = cexp(I * 2.4 * i * i); /* no symmetry */
    }
    double last = 0;
    for (int step = 0; step < MOST_STEPS; step++) {
        const double norm = solve_step(n, A, x);
        if (fabs(norm - last) <= 1e-15 * norm && step > 3) {
            break;
        }
        last = norm;
    }
    return isfinite(creal(x[0])) && square(x[0]) > 0;
}

/* Residual of f with the trace that goes with it, and what noise alone leaves: every pair's difference has the noise of
 * both receivers, and n - 1 of them go into f. */
static void judge(const struct calib_pairs *p, double trace, const double complex *f, struct calib_quality *q)
{
    const int n = p->n;
    double norm = 0, sum = 0, noise = 0, inverse = 0;
    long n_pair = 0;
    for (int i = 0; i < n; i++) {
        double strength = 0;
        norm += square(f[i]);
        for (int j = 0; j < n; j++) {
            if (both_heard(p, i, j)) {
                const double weight = 1 / (noise_of(p, i) + noise_of(p, j));
                const double own = noise_of(p, j) * square(f[i]) + noise_of(p, i) * square(f[j]);
                sum += 0.5 * weight * square(f[i] * p->y[i * n + j] - f[j] * p->y[j * n + i]);
                noise += 0.5 * weight * own;
                strength += square(f[i] * p->y[i * n + j]) / own;
                n_pair++;
            }
        }
        inverse += 1 / strength;
    }
    n_pair /= 2;
    q->residual = sum / (norm * trace);
    q->noise_residual = p->noise ? noise / norm / trace * (double)(n_pair - (n - 1)) / (double)n_pair : NAN;
    q->error_variance = p->noise ? inverse / n : NAN;
}

static void set_first_to_one(int n, double complex *f)
{
    const double complex first = f[0];
    for (int i = 0; i < n; i++) {
        f[i] /= first;
    }
}

int calib_solve_ls(const struct calib_pairs *pairs, double complex *f, struct calib_quality *quality)
{
    struct work w = {0};
    int status = create_work(&w, pairs->n);
    status = status < 0 ? status : check_connected(pairs, w.reached, w.queue);
    if (status >= 0) {
        const double trace = fill_matrix(pairs, w.A);
        if (least_eigenvector(pairs->n, trace, w.A, w.x)) {
            memcpy(f, w.x, sizeof *f * (size_t)pairs->n);
            judge(pairs, trace, f, quality);
            set_first_to_one(pairs->n, f);
        } else {
            status = error_set(TUTTI_ENUMERIC, "calibration: the antennas heard nothing of each other");
        }
    }
    destroy_work(&w);
    return status;
}

/* The others ------------------------------------------------------------------------------------------------------- */

/* psi_ij: the channel that both ways of a pair and the f of now say. */
static double complex channel_between(const struct calib_pairs *p, const double complex *f, int i, int j)
{
    const double complex forth = conj(f[j]) * p->y[i * p->n + j] / noise_of(p, j);
    const double complex back = conj(f[i]) * p->y[j * p->n + i] / noise_of(p, i);
    return (forth + back) / (square(f[j]) / noise_of(p, j) + square(f[i]) / noise_of(p, i));
}

int calib_solve_ml(const struct calib_pairs *pairs, int n_round, double complex *f)
{
    const int n = pairs->n;
    double complex *next = calloc((size_t)n, sizeof *next);
    if (!next) {
        return error_set(TUTTI_ENOMEM, "out of memory for the calibration of %d antennas", n);
    }
    for (int round = 0; round < n_round; round++) {
        for (int j = 0; j < n; j++) {
            double complex sum = 0;
            double power = 0;
            for (int i = 0; i < n; i++) {
                if (both_heard(pairs, i, j)) {
                    const double complex psi = channel_between(pairs, f, i, j);
                    sum += conj(psi) * pairs->y[i * n + j];
                    power += square(psi);
                }
            }
            next[j] = power > 0 ? sum / power : f[j];
        }
        memcpy(f, next, sizeof *f * (size_t)n);
        set_first_to_one(n, f);
    }
    free(next);
    return isfinite(creal(f[n - 1])) ? TUTTI_OK : error_set(TUTTI_ENUMERIC, "calibration: an antenna heard nothing");
}

int calib_solve_argos(const struct calib_pairs *pairs, int reference, double complex *f)
{
    const int n = pairs->n;
    for (int i = 0; i < n; i++) {
        if (i != reference && !both_heard(pairs, i, reference)) {
            return error_set(TUTTI_EINVAL, "calibration: antenna %d does not hear the reference antenna %d", i,
                             reference);
        }
        f[i] = i == reference ? 1 : pairs->y[reference * n + i] / pairs->y[i * n + reference];
    }
    set_first_to_one(n, f);
    return TUTTI_OK;
}

int calib_check(const struct calib_quality *q)
{
    if (!isfinite(q->residual) || q->residual > CALIB_REFUSE_RATIO * q->noise_residual) {
        return error_set(TUTTI_ENUMERIC,
                         "calibration: what the antennas heard does not fit together, %.3g times worse than noise "
                         "explains (%.0f allowed): a receiver is saturated or an oscillator moved; lower the gains, "
                         "check the clocks, measure again",
                         q->residual / q->noise_residual, CALIB_REFUSE_RATIO);
    }
    return TUTTI_OK;
}

/* Over frequency --------------------------------------------------------------------------------------------------- */

/* One antenna: g [n_sb] of stride n. Least squares of g e^{-j step s} on a + b (s - middle). */
static void smooth_one(int n_sb, int n, double complex *g)
{
    double complex turn = 0, mean = 0, tilt = 0;
    double spread = 0;
    const double middle = 0.5 * (n_sb - 1);
    for (int s = 0; s + 1 < n_sb; s++) {
        turn += conj(g[s * n]) * g[(s + 1) * n];
    }
    const double step = carg(turn);
    for (int s = 0; s < n_sb; s++) {
        const double complex flat = g[s * n] * cexp(-I * step * s);
        mean += flat / n_sb;
        tilt += flat * (s - middle);
        spread += (s - middle) * (s - middle);
    }
    for (int s = 0; s < n_sb; s++) {
        g[s * n] = (mean + tilt / spread * (s - middle)) * cexp(I * step * s);
    }
}

void calib_smooth(int n_sb, int n, double complex *f)
{
    if (n_sb < 3) {
        return;
    }
    for (int s = 0; s < n_sb; s++) {
        set_first_to_one(n, f + s * n);
    }
    for (int i = 1; i < n; i++) {
        smooth_one(n_sb, n, f + i);
    }
}

int calib_coefficients(int n_sb, int n, const double complex *f, tutti_cf32 *c)
{
    double power = 0;
    for (int i = 0; i < n_sb * n; i++) {
        power += 1 / square(f[i]) / (n_sb * n);
    }
    if (!isfinite(power) || !(power > 0)) {
        return error_set(TUTTI_ENUMERIC, "calibration: a coefficient is zero or not finite");
    }
    for (int i = 0; i < n_sb * n; i++) {
        c[i] = (tutti_cf32)(1 / f[i] / sqrt(power));
    }
    return TUTTI_OK;
}
