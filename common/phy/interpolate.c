/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/interpolate.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

static const double TWO_PI = 6.28318530717958647692;
/* Keeps the weights tame where centres are close; noise of the values by so much less than they themselves. */
static const double NUGGET = 1e-3;

static double correlation(const struct interpolate *t, double spread_samples, double apart)
{
    const double x = TWO_PI * spread_samples * apart / t->fft_size;
    return 1 / (1 + x * x);
}

/* Solves the symmetric n x n system A x = b, b [2][n] overwritten: the values' and the sum's right-hand sides. */
static void solve(int n, double A[INTERPOLATE_TAPS][INTERPOLATE_TAPS], double b[2][INTERPOLATE_TAPS])
{
    for (int k = 0; k < n; k++) { /* positive definite: no pivoting */
        for (int i = k + 1; i < n; i++) {
            const double factor = A[i][k] / A[k][k];
            for (int j = k; j < n; j++) {
                A[i][j] -= factor * A[k][j];
            }
            b[0][i] -= factor * b[0][k];
            b[1][i] -= factor * b[1][k];
        }
    }
    for (int side = 0; side < 2; side++) {
        for (int i = n - 1; i >= 0; i--) {
            for (int j = i + 1; j < n; j++) {
                b[side][i] -= A[i][j] * b[side][j];
            }
            b[side][i] /= A[i][i];
        }
    }
}

/* Weights of one subcarrier on the centres from `first` on. */
static void krige(const struct interpolate *t, double spread_samples, int i, float *weight)
{
    double A[INTERPOLATE_TAPS][INTERPOLATE_TAPS], b[2][INTERPOLATE_TAPS], sum = 0, ones = 0;
    const int n = t->n_tap, first = t->first[i];
    for (int r = 0; r < n; r++) {
        for (int c = 0; c < n; c++) {
            A[r][c] = correlation(t, spread_samples, t->centre[first + r] - t->centre[first + c]) + (r == c) * NUGGET;
        }
        b[0][r] = correlation(t, spread_samples, t->place[i] - t->centre[first + r]);
        b[1][r] = 1;
    }
    solve(n, A, b);
    for (int r = 0; r < n; r++) {
        sum += b[0][r];
        ones += b[1][r];
    }
    for (int r = 0; r < n; r++) {
        weight[r] = (float)(b[0][r] + b[1][r] * (1 - sum) / ones);
    }
}

/* Lagrange's polynomial through the window's centres. */
static void draw_polynomial(const struct interpolate *t, int i, float *weight)
{
    const double *const centre = t->centre + t->first[i];
    for (int r = 0; r < t->n_tap; r++) {
        double product = 1;
        for (int c = 0; c < t->n_tap; c++) {
            product *= c == r ? 1 : (t->place[i] - centre[c]) / (centre[r] - centre[c]);
        }
        weight[r] = (float)product;
    }
}

/* The window of centres about a subcarrier, inside the band. */
static int window_of(const struct interpolate *t, int i)
{
    const int sb = i / t->sc_per_sb, before = (t->n_tap - 1) / 2;
    const int first = sb - before - (t->n_tap % 2 == 0 && t->place[i] < t->centre[sb]);
    const int last = t->n_sb - t->n_tap;
    return first < 0 ? 0 : first > last ? last : first;
}

static void fill(struct interpolate *t, enum interpolate_kind kind, double spread_samples)
{
    for (int i = 0; i < t->n_sc; i++) {
        float *const weight = t->weight + (size_t)i * (size_t)t->n_tap;
        t->first[i] = window_of(t, i);
        if (kind == INTERPOLATE_PRECODERS && t->n_tap > 1) {
            krige(t, spread_samples, i, weight);
        } else {
            draw_polynomial(t, i, weight); /* of one centre: 1 */
        }
        t->own[i] = weight[i / t->sc_per_sb - t->first[i]];
        t->own_factor += (double)t->own[i] / t->n_sc;
        for (int r = 0; r < t->n_tap; r++) {
            t->noise_factor += (double)weight[r] * (double)weight[r] / t->n_sc;
        }
    }
}

/* Centres that count: one where nothing lies between them. */
static int n_tap_of(const struct frame *frame, enum interpolate_kind kind)
{
    const int most = kind == INTERPOLATE_PRECODERS ? INTERPOLATE_TAPS : 4;
    const bool alone = kind == INTERPOLATE_FLAT || frame->sc_per_sb == 1;
    return alone ? 1 : frame->n_sb < most ? frame->n_sb : most;
}

int interpolate_create(struct interpolate **table, const struct frame *frame, enum interpolate_kind kind)
{
    struct interpolate *t = *table = calloc(1, sizeof *t);
    if (!t) {
        return error_set(TUTTI_ENOMEM, "out of memory for interpolation");
    }
    const size_t n_sc = (size_t)frame->n_sc, n_sb = (size_t)frame->n_sb;
    t->n_sc = frame->n_sc, t->n_sb = frame->n_sb, t->sc_per_sb = frame->sc_per_sb, t->fft_size = frame->fft_size;
    t->n_tap = n_tap_of(frame, kind);
    t->first = calloc(n_sc, sizeof *t->first);
    t->weight = calloc(n_sc * (size_t)t->n_tap, sizeof *t->weight);
    t->own = calloc(n_sc, sizeof *t->own);
    t->place = calloc(n_sc, sizeof *t->place);
    t->centre = calloc(n_sb, sizeof *t->centre);
    if (!t->first || !t->weight || !t->own || !t->place || !t->centre) {
        return error_set(TUTTI_ENOMEM, "out of memory for interpolation");
    }
    const double spacing_hz = frame->sample_rate_hz / frame->fft_size;
    for (int i = 0; i < t->n_sc; i++) {
        t->place[i] = rint(frame_sc_hz(frame, i) / spacing_hz);
        t->centre[i / t->sc_per_sb] += t->place[i] / t->sc_per_sb;
    }
    fill(t, kind, frame->n_cp / 6.0);
    return TUTTI_OK;
}

void interpolate_destroy(struct interpolate *table)
{
    if (table) {
        free(table->first);
        free(table->weight);
        free(table->own);
        free(table->place);
        free(table->centre);
        free(table);
    }
}

static tutti_cf32 slope_at(const struct interpolate *t, double delay_samples, double place)
{
    const double angle = -TWO_PI * place * delay_samples / t->fft_size;
    return CMPLXF((float)cos(angle), (float)sin(angle));
}

void interpolate_slope(const struct interpolate *t, double delay_samples, tutti_cf32 *subcarriers, tutti_cf32 *centres)
{
    for (int i = 0; subcarriers && i < t->n_sc; i++) {
        subcarriers[i] = slope_at(t, delay_samples, t->place[i]);
    }
    for (int sb = 0; centres && sb < t->n_sb; sb++) {
        centres[sb] = slope_at(t, delay_samples, t->centre[sb]);
    }
}

void interpolate_row(const struct interpolate *t, const tutti_cf32 *v, size_t stride, const tutti_cf32 *subcarriers,
                     const tutti_cf32 *centres, tutti_cf32 *work, tutti_cf32 *out)
{
    for (int sb = 0; sb < t->n_sb; sb++) {
        const tutti_cf32 value = v[(size_t)sb * stride];
        work[sb] = centres ? value * conjf(centres[sb]) : value;
    }
    for (int i = 0; i < t->n_sc; i++) {
        const float *const weight = t->weight + (size_t)i * (size_t)t->n_tap;
        const tutti_cf32 *const from = work + t->first[i];
        float re = 0, im = 0;
        for (int r = 0; r < t->n_tap; r++) {
            re += weight[r] * crealf(from[r]);
            im += weight[r] * cimagf(from[r]);
        }
        const tutti_cf32 value = CMPLXF(re, im);
        out[i] = subcarriers ? value * subcarriers[i] : value;
    }
}
