/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/problem.h"

#include "linalg/cmplx.h"

#include <math.h>
#include <string.h>

size_t mimo_problem_size(const struct mimo_shape *shape)
{
    const size_t m = (size_t)shape->n_ap, n = (size_t)shape->n_ant, k = (size_t)shape->n_ue;
    return 2 * m * n * k + m * k + m + k + (m + k) * sizeof(int) / sizeof(double) + 1;
}

void mimo_problem_place(struct mimo_problem *problem, const struct mimo_shape *shape, double *storage)
{
    const size_t m = (size_t)shape->n_ap, k = (size_t)shape->n_ue, rows = m * (size_t)shape->n_ant;
    problem->Hr = storage;
    problem->Hi = problem->Hr + rows * k;
    problem->E = problem->Hi + rows * k;
    problem->P = problem->E + m * k;
    problem->norm = problem->P + m;
    problem->ap = (int *)(problem->norm + k);
    problem->ue = problem->ap + m;
}

/* Energy of a user's estimates over the packed APs. */
static double user_energy(const struct mimo_problem *problem, const struct mimo_shape *shape, const tutti_cf32 *H,
                          int ue)
{
    double energy = 0;
    for (int m = 0; m < problem->n_ap; m++) {
        for (int a = 0; a < shape->n_ant; a++) {
            const tutti_cf32 h =
                H[((size_t)problem->ap[m] * (size_t)shape->n_ant + (size_t)a) * (size_t)shape->n_ue + (size_t)ue];
            energy += (double)crealf(h) * (double)crealf(h) + (double)cimagf(h) * (double)cimagf(h);
        }
    }
    return energy;
}

static void select_active(struct mimo_problem *problem, const struct mimo_shape *shape,
                          const struct mimo_channel *channel)
{
    problem->n_ap = problem->n_ue = 0;
    problem->n_ant = shape->n_ant;
    problem->reason = MIMO_REASON_ASKED;
    for (int m = 0; m < shape->n_ap; m++) {
        if (channel->ap_active[m] && channel->ap_power[m] > 0) {
            problem->ap[problem->n_ap++] = m;
        }
    }
    int asked = 0;
    for (int k = 0; k < shape->n_ue; k++) {
        if (!channel->ue_active[k]) {
            continue;
        }
        asked++;
        const double energy = user_energy(problem, shape, channel->H_hat, k);
        if (!(energy > 0) || !isfinite(energy)) {
            problem->reason = MIMO_REASON_ZERO_CHANNEL;
            continue;
        }
        problem->norm[problem->n_ue] = sqrt(energy);
        problem->ue[problem->n_ue++] = k;
    }
    if (asked == 0) {
        problem->reason = MIMO_REASON_NO_USER;
    } else if (problem->n_ap == 0) {
        problem->reason = MIMO_REASON_NO_AP;
    }
    problem->n_row = problem->n_ap * problem->n_ant;
}

void mimo_problem_load(struct mimo_problem *problem, const struct mimo_shape *shape, const struct mimo_channel *channel)
{
    select_active(problem, shape, channel);
    const int n = problem->n_ue;
    for (int m = 0; m < problem->n_ap; m++) {
        const size_t ap = (size_t)problem->ap[m];
        problem->P[m] = (double)channel->ap_power[ap];
        for (int k = 0; k < n; k++) {
            problem->E[m * n + k] = (double)channel->error_variance[ap * (size_t)shape->n_ue + (size_t)problem->ue[k]];
        }
        for (int a = 0; a < shape->n_ant; a++) {
            const tutti_cf32 *row = channel->H_hat + (ap * (size_t)shape->n_ant + (size_t)a) * (size_t)shape->n_ue;
            double *hr = problem->Hr + (m * shape->n_ant + a) * n, *hi = problem->Hi + (m * shape->n_ant + a) * n;
            for (int k = 0; k < n; k++) {
                hr[k] = (double)crealf(row[problem->ue[k]]);
                hi[k] = (double)cimagf(row[problem->ue[k]]);
            }
        }
    }
}

void mimo_problem_mask(struct mimo_problem *problem, const struct mimo_shape *shape, const uint8_t *serves)
{
    const int n = problem->n_ue;
    for (int r = 0; r < problem->n_row && serves; r++) {
        const uint8_t *const row = serves + (size_t)problem->ap[r / problem->n_ant] * (size_t)shape->n_ue;
        for (int k = 0; k < n; k++) {
            problem->Hr[r * n + k] *= row[problem->ue[k]];
            problem->Hi[r * n + k] *= row[problem->ue[k]];
        }
    }
}

void mimo_columns_drop(int rows, int n, int k, double *A)
{
    double *to = A;
    for (int r = 0; r < rows; r++) {
        for (int j = 0; j < n; j++) {
            if (j != k) {
                *to++ = A[r * n + j];
            }
        }
    }
}

void mimo_problem_drop(struct mimo_problem *problem, int k)
{
    const int n = problem->n_ue;
    mimo_columns_drop(problem->n_row, n, k, problem->Hr);
    mimo_columns_drop(problem->n_row, n, k, problem->Hi);
    mimo_columns_drop(problem->n_ap, n, k, problem->E);
    mimo_columns_drop(1, n, k, problem->norm);
    memmove(problem->ue + k, problem->ue + k + 1, (size_t)(n - 1 - k) * sizeof *problem->ue);
    problem->n_ue--;
    problem->reason = MIMO_REASON_ZERO_CHANNEL;
}

static void beam_powers(const struct mimo_problem *problem, const double *Ur, const double *Ui, double *B)
{
    const int n = problem->n_ue;
    memset(B, 0, (size_t)problem->n_ap * (size_t)n * sizeof *B);
    for (int r = 0; r < problem->n_row; r++) {
        double *b = B + r / problem->n_ant * n;
        for (int k = 0; k < n; k++) {
            b[k] += Ur[r * n + k] * Ur[r * n + k] + Ui[r * n + k] * Ui[r * n + k];
        }
    }
}

enum { TILE = 4 };

/* |h_k^H u_j|^2 for the TILE users from k and the TILE beams from j; what lies beyond n_ue is not written. */
static void tile_gains(const struct mimo_problem *problem, const double *Ur, const double *Ui, int k, int j, double *F)
{
    double cr[TILE][TILE] = {{0}}, ci[TILE][TILE] = {{0}};
    const int n = problem->n_ue, n_k = n - k < TILE ? n - k : TILE, n_j = n - j < TILE ? n - j : TILE;
    for (int r = 0; r < problem->n_row; r++) {
        const double *const hr = problem->Hr + r * n + k, *const hi = problem->Hi + r * n + k;
        const double *const ur = Ur + r * n + j, *const ui = Ui + r * n + j;
        for (int a = 0; a < n_k; a++) {
            for (int b = 0; b < n_j; b++) {
                cr[a][b] += hr[a] * ur[b] + hi[a] * ui[b];
                ci[a][b] += hr[a] * ui[b] - hi[a] * ur[b];
            }
        }
    }
    for (int a = 0; a < n_k; a++) {
        for (int b = 0; b < n_j; b++) {
            F[(k + a) * n + j + b] = cr[a][b] * cr[a][b] + ci[a][b] * ci[a][b];
        }
    }
}

int mimo_problem_beams(const struct mimo_problem *problem, const double *Ur, const double *Ui, double *F, double *noise,
                       double *B)
{
    static const double MISSED = 1e-12;
    const int n = problem->n_ue;
    beam_powers(problem, Ur, Ui, B);
    for (int k = 0; k < n; k += TILE) {
        for (int j = 0; j < n; j += TILE) {
            tile_gains(problem, Ur, Ui, k, j, F);
        }
    }
    for (int k = 0; k < n; k++) {
        double *f = F + k * n, energy = 0;
        const double own = f[k];
        for (int m = 0; m < problem->n_ap; m++) {
            energy += B[m * n + k];
        }
        if (!(own > MISSED * energy * problem->norm[k] * problem->norm[k]) || !isfinite(1 / own)) {
            return k + 1;
        }
        f[k] = 0;
        for (int m = 0; m < problem->n_ap; m++) {
            for (int j = 0; j < n; j++) {
                f[j] += problem->E[m * n + k] * B[m * n + j];
            }
        }
        for (int j = 0; j < n; j++) {
            f[j] /= own;
        }
        noise[k] = 1 / own;
    }
    return 0;
}

/* Rounding to cf32 changes each square by at most 2^-23 of itself; this factor keeps the rounded power below the
 * budget. */
static const double ROUND_GUARD = 1 - 1.0 / (1 << 23);

static double ap_power(const struct mimo_problem *problem, const double *Ur, const double *Ui, const double *amplitude,
                       int m)
{
    const int n = problem->n_ue;
    double power = 0;
    for (int r = m * problem->n_ant; r < (m + 1) * problem->n_ant; r++) {
        for (int k = 0; k < n; k++) {
            power += (Ur[r * n + k] * Ur[r * n + k] + Ui[r * n + k] * Ui[r * n + k]) * amplitude[k] * amplitude[k];
        }
    }
    return power;
}

/* Amplitude factor that brings an AP's beams down to ratio times its budget; at most ROUND_GUARD. */
static double ap_factor(const struct mimo_problem *problem, const double *Ur, const double *Ui, const double *amplitude,
                        int m, double ratio)
{
    const double limit = ratio * problem->P[m], power = ap_power(problem, Ur, Ui, amplitude, m);
    return ROUND_GUARD * (power > limit ? sqrt(limit / power) : 1);
}

static void store_ap(const struct mimo_problem *problem, const struct mimo_shape *shape, const double *Ur,
                     const double *Ui, const double *amplitude, int m, double factor, tutti_cf32 *W)
{
    const int n = problem->n_ue;
    for (int a = 0; a < shape->n_ant; a++) {
        const int r = m * shape->n_ant + a;
        tutti_cf32 *row = W + ((size_t)problem->ap[m] * (size_t)shape->n_ant + (size_t)a) * (size_t)shape->n_ue;
        for (int k = 0; k < n; k++) {
            const double g = factor * amplitude[k];
            row[problem->ue[k]] = CMPLXF((float)(g * Ur[r * n + k]), (float)(g * Ui[r * n + k]));
        }
    }
}

static void clear(const struct mimo_shape *shape, tutti_cf32 *W)
{
    memset(W, 0, (size_t)(shape->n_ap * shape->n_ant) * (size_t)shape->n_ue * sizeof *W);
}

void mimo_problem_store(const struct mimo_problem *problem, const struct mimo_shape *shape, const double *Ur,
                        const double *Ui, const double *amplitude, tutti_cf32 *W)
{
    double common = 1;
    for (int m = 0; m < problem->n_ap; m++) {
        common = fmin(common, ap_factor(problem, Ur, Ui, amplitude, m, 1));
    }
    clear(shape, W);
    for (int m = 0; m < problem->n_ap; m++) {
        store_ap(problem, shape, Ur, Ui, amplitude, m, common, W);
    }
}

void mimo_problem_store_capped(const struct mimo_problem *problem, const struct mimo_shape *shape, const double *Ur,
                               const double *Ui, const double *amplitude, tutti_cf32 *W)
{
    clear(shape, W);
    for (int m = 0; m < problem->n_ap; m++) {
        const double factor = ap_factor(problem, Ur, Ui, amplitude, m, MIMO_PEAK_RATIO);
        store_ap(problem, shape, Ur, Ui, amplitude, m, factor, W);
    }
}
