/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/interpolate.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

static const double TWO_PI = 6.28318530717958647692;
/* Keeps the weights tame where centres are close; noise of the values by so much less than they themselves: of
 * precoders, and of channels, which are to be told to 40 dB. */
static const double NUGGET = 1e-3, CHANNEL_NUGGET = 1e-4;
/* Delays of channels, both ways, as a part of what means a subband apart repeat themselves after. */
static const double TOLD_APART = 0.28;

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

/* Of responses of even power over the delays that channels reach. */
static double even_correlation(const struct interpolate *t, double apart)
{
    const double y = TWO_PI * t->reach * apart / t->fft_size;
    return fabs(y) < 1e-9 ? 1 : sin(y) / y;
}

/* Between what is at subcarrier i and the mean over subband sb. */
static double mean_correlation(const struct interpolate *t, int i, int sb)
{
    double sum = 0;
    for (int c = sb * t->sc_per_sb; c < (sb + 1) * t->sc_per_sb; c++) {
        sum += even_correlation(t, t->place[i] - t->place[c]);
    }
    return sum / t->sc_per_sb;
}

/* Between the means over two subbands. */
static double means_correlation(const struct interpolate *t, int sb, int other)
{
    double sum = 0;
    for (int i = sb * t->sc_per_sb; i < (sb + 1) * t->sc_per_sb; i++) {
        sum += mean_correlation(t, i, other);
    }
    return sum / t->sc_per_sb;
}

/* What is asked of the values: correlations among the window's, and with subcarrier i. */
struct system {
    double A[INTERPOLATE_TAPS][INTERPOLATE_TAPS], b[2][INTERPOLATE_TAPS];
};

static void ask_precoders(const struct interpolate *t, double spread_samples, int i, struct system *s)
{
    const int n = t->n_tap, first = t->first[i];
    for (int r = 0; r < n; r++) {
        for (int c = 0; c < n; c++) {
            s->A[r][c] =
                correlation(t, spread_samples, t->centre[first + r] - t->centre[first + c]) + (r == c) * NUGGET;
        }
        s->b[0][r] = correlation(t, spread_samples, t->place[i] - t->centre[first + r]);
    }
}

/* A is kept from the subcarrier before where the window is the same: it costs most. */
static void ask_channels(const struct interpolate *t, int i, struct system *kept, struct system *s)
{
    const int n = t->n_tap, first = t->first[i];
    const bool known = i > 0 && t->first[i - 1] == first;
    for (int r = 0; !known && r < n; r++) {
        for (int c = 0; c <= r; c++) {
            kept->A[r][c] = kept->A[c][r] = means_correlation(t, first + r, first + c) + (r == c) * CHANNEL_NUGGET;
        }
    }
    *s = *kept;
    for (int r = 0; r < n; r++) {
        s->b[0][r] = mean_correlation(t, i, first + r);
    }
}

/* Weights of the window's values, with a sum of 1 if asked for. */
static void krige(int n, bool one, struct system *s, float *weight)
{
    double sum = 0, ones = 0;
    for (int r = 0; r < n; r++) {
        s->b[1][r] = 1;
    }
    solve(n, s->A, s->b);
    for (int r = 0; r < n; r++) {
        sum += s->b[0][r];
        ones += s->b[1][r];
    }
    for (int r = 0; r < n; r++) {
        weight[r] = (float)(s->b[0][r] + (one ? s->b[1][r] * (1 - sum) / ones : 0));
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

static void weigh(struct interpolate *t, enum interpolate_kind kind, int n_cp, int i, struct system *kept)
{
    float *const weight = t->weight + (size_t)i * (size_t)t->n_tap;
    struct system s;
    if (t->n_tap == 1) {
        weight[0] = 1;
        return;
    }
    if (kind == INTERPOLATE_PRECODERS) {
        ask_precoders(t, n_cp / 6.0, i, &s);
    } else {
        ask_channels(t, i, kept, &s);
    }
    krige(t->n_tap, kind != INTERPOLATE_SPREAD, &s, weight);
}

static void fill(struct interpolate *t, enum interpolate_kind kind, int n_cp)
{
    struct system kept = {0};
    for (int i = 0; i < t->n_sc; i++) {
        const float *const weight = t->weight + (size_t)i * (size_t)t->n_tap;
        t->first[i] = window_of(t, i);
        weigh(t, kind, n_cp, i, &kept);
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
    const bool alone = kind == INTERPOLATE_FLAT || frame->sc_per_sb == 1;
    return alone ? 1 : frame->n_sb < INTERPOLATE_TAPS ? frame->n_sb : INTERPOLATE_TAPS;
}

static int create(struct interpolate **table, const struct frame *frame, enum interpolate_kind kind, double part)
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
    t->reach = part * fmin(0.5 * frame->n_cp, TOLD_APART * t->fft_size / t->sc_per_sb);
    fill(t, kind, frame->n_cp);
    return TUTTI_OK;
}

int interpolate_create(struct interpolate **table, const struct frame *frame, enum interpolate_kind kind)
{
    return create(table, frame, kind, 1);
}

int interpolate_create_spread(struct interpolate **table, const struct frame *frame, double part)
{
    return create(table, frame, INTERPOLATE_SPREAD, part);
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
