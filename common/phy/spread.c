/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/spread.h"

#include "base/error.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 64 }; /* measurements that the average remembers */

int spread_create(struct spread **spread, const struct frame *frame, const struct interpolate *table, int n_pilot)
{
    struct spread *s = *spread = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "out of memory for the pilots' delay");
    }
    const size_t n_sc = (size_t)frame->n_sc, n_sb = (size_t)frame->n_sb;
    s->frame = frame;
    s->table = table;
    delay_start(&s->delay, frame);
    s->slope = calloc(n_sc, sizeof *s->slope);
    s->centre = calloc(n_sb, sizeof *s->centre);
    s->undo = calloc(n_sc, sizeof *s->undo);
    s->rows = calloc((size_t)n_pilot * n_sc, sizeof *s->rows);
    s->own_slope = calloc(n_sc, sizeof *s->own_slope);
    s->own_centre = calloc(n_sb, sizeof *s->own_centre);
    s->own_delay = calloc((size_t)n_pilot, sizeof *s->own_delay);
    s->work = calloc(n_sb, sizeof *s->work);
    return s->slope && s->centre && s->undo && s->rows && s->own_slope && s->own_centre && s->own_delay && s->work
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for the pilots' delay");
}

void spread_destroy(struct spread *s)
{
    if (s) {
        free(s->slope);
        free(s->centre);
        free(s->undo);
        free(s->rows);
        free(s->own_slope);
        free(s->own_centre);
        free(s->own_delay);
        free(s->work);
        free(s);
    }
}

void spread_keep(const struct spread *s, double values[SPREAD_HISTORY])
{
    const double own[] = {s->residual, s->power, s->doubt, (double)s->count, (double)s->blocks};
    memcpy(values, own, sizeof own);
    delay_keep(&s->delay, values + SPREAD_OWN);
}

/* A count from a file, within what it can be. */
static long count_of(double value, long most)
{
    return value > 0 ? (value < (double)most ? (long)value : most) : 0;
}

void spread_recall(struct spread *s, const double values[SPREAD_HISTORY])
{
    s->residual = values[0];
    s->power = values[1];
    s->doubt = values[2];
    s->count = count_of(values[3], WINDOW);
    s->blocks = count_of(values[4], LONG_MAX / 2);
    delay_recall(&s->delay, values + SPREAD_OWN);
}

void spread_follow(struct spread *s, int n_ant, const tutti_cf32 *Y, const tutti_cf32 *unscramble)
{
    const struct frame *f = s->frame;
    double complex turn = 0;
    double power = 0;
    for (int row = 0; row < n_ant * f->n_pilot; row++) {
        delay_row(f, Y + (size_t)row * (size_t)f->n_sc, unscramble, &turn, &power);
    }
    delay_add(&s->delay, turn, power);
    interpolate_slope(s->table, delay_samples(&s->delay), s->slope, s->centre);
    for (int i = 0; i < f->n_sc; i++) {
        s->undo[i] = conjf(s->slope[i]) * s->centre[i / f->sc_per_sb];
    }
}

/* What tells of a pilot's own delay: its turn between subbands over all antennas, the tracked delay taken off. */
struct turn {
    double complex sum;
    double most; /* |sum| if all turned alike */
    double off;  /* squares of what single antennas are off from it */
};

static double complex turn_of(const struct spread *s, const tutti_cf32 *z, size_t stride, double *most)
{
    double complex sum = 0;
    for (int sb = 0; sb + 1 < s->frame->n_sb; sb++, z += stride) {
        const tutti_cf32 one = conjf(z[0]) * z[stride] * s->centre[sb] * conjf(s->centre[sb + 1]);
        sum += (double complex)one;
        *most += (double)hypotf(crealf(one), cimagf(one));
    }
    return sum;
}

/* z [n_sb][n_ant][n_pilot], from the pilot on. */
static struct turn turn_of_pilot(const struct spread *s, int n_ant, int n_pilot, const tutti_cf32 *z)
{
    const size_t stride = (size_t)(n_ant * n_pilot);
    struct turn turn = {0};
    for (int a = 0; a < n_ant; a++) {
        turn.sum += turn_of(s, z + a * n_pilot, stride, &turn.most);
    }
    for (int a = 0; a < n_ant && cabs(turn.sum) > 0; a++) {
        double most = 0;
        const double off = cimag(turn_of(s, z + a * n_pilot, stride, &most) * conj(turn.sum)) / cabs(turn.sum);
        turn.off += off * off;
    }
    return turn;
}

/* Delays of pilots beyond that of all, as users' clocks and places have them. 0 where neighbours do not turn alike, and
 * where antennas disagree so that it may be chance (they are few, but pilots are alike in their spread): that is
 * spread. False: none has one. */
static bool find_own_delays(struct spread *s, int n_ant, int n_pilot, const tutti_cf32 *z)
{
    static const double SURE = 4, ALIKE = 0.7; /* standard deviations of the mean; of the most there can be */
    double off = 0, along = 0;
    bool some = false;
    for (int q = 0; q < n_pilot; q++) {
        const struct turn turn = turn_of_pilot(s, n_ant, n_pilot, z + q);
        s->own_delay[q] = cabs(turn.sum) > ALIKE * turn.most ? carg(turn.sum) : 0;
        off += turn.off;
        along += creal(turn.sum * conj(turn.sum));
    }
    const double angle = n_ant > 1 && along > 0 ? SURE * sqrt(off * n_ant / (n_ant - 1) / along) : INFINITY;
    for (int q = 0; q < n_pilot; q++) {
        const double samples = -s->own_delay[q] * s->frame->fft_size / (2 * M_PI * s->frame->sc_per_sb);
        s->own_delay[q] = fabs(s->own_delay[q]) > angle && isfinite(samples) ? samples : 0;
        some = some || s->own_delay[q] != 0;
    }
    return some;
}

/* What a mean over a subband is of a channel that a delay turns inside it. */
static double mean_of_turn(const struct spread *s, double delay_samples)
{
    const double half = M_PI * delay_samples / s->frame->fft_size;
    return fabs(half) > 1e-9 ? sin(s->frame->sc_per_sb * half) / (s->frame->sc_per_sb * sin(half)) : 1;
}

/* Energy of one antenna's pilots at one subcarrier, and of what the interpolated channels leave of them. */
static void compare(const struct spread *s, int n_pilot, const tutti_cf32 *y, int i, tutti_cf32 unscramble,
                    const tutti_cf32 *unspread, double *residual, double *power)
{
    const struct frame *f = s->frame;
    for (int t = 0; t < f->n_pilot; t++) {
        const tutti_cf32 there = y[(size_t)t * (size_t)f->n_sc] * unscramble;
        tutti_cf32 left = there;
        for (int q = 0; q < n_pilot; q++) {
            left -= s->rows[q * f->n_sc + i] * conjf(unspread[q * f->n_pilot + t]);
        }
        *power += (double)(crealf(there) * crealf(there) + cimagf(there) * cimagf(there));
        *residual += (double)(crealf(left) * crealf(left) + cimagf(left) * cimagf(left));
    }
}

/* Per subcarrier and antenna, noise leaves tau - n_pilot (2 own - sum of squares) / S of its power. */
static void take(struct spread *s, int n_ant, int n_pilot, double residual, double power, double noise,
                 double noise_variance)
{
    const struct frame *f = s->frame;
    const double n = (double)n_ant * f->n_sc;
    double fitted = 0;
    for (int q = 0; q < n_pilot; q++) {
        const double mean = mean_of_turn(s, s->own_delay[q]);
        fitted += (2 * s->table->own_factor - s->table->noise_factor / (mean * mean)) / f->sc_per_sb;
    }
    const double beyond = residual - noise * n * (f->n_pilot - fitted), signal = power - noise * n * f->n_pilot;
    if (!isfinite(beyond) || !isfinite(signal)) {
        return;
    }
    const double terms = n * (f->n_pilot - fitted);
    s->count += s->count < WINDOW;
    s->doubt = noise * noise * (terms / (double)s->count + terms * terms * noise_variance);
    s->residual += (beyond - s->residual) / (double)s->count;
    s->power += (signal - s->power) / (double)s->count;
}

/* One antenna's channel of pilot q, to its row: by its own delay. */
static void between_centres(struct spread *s, int q, const tutti_cf32 *z, size_t stride, float scale)
{
    const struct frame *f = s->frame;
    tutti_cf32 *const row = s->rows + q * f->n_sc;
    const double own = s->own_delay[q];
    const float factor = scale / (float)mean_of_turn(s, own);
    if (own != 0) {
        interpolate_slope(s->table, delay_samples(&s->delay) + own, s->own_slope, s->own_centre);
    }
    interpolate_row(s->table, z, stride, own != 0 ? s->own_slope : s->slope, own != 0 ? s->own_centre : s->centre,
                    s->work, row);
    for (int i = 0; i < f->n_sc; i++) {
        row[i] *= factor;
    }
}

/* Energies of all pilots, and of what channels interpolated by their own delays leave of them. */
static void compare_all(struct spread *s, int n_ant, int n_pilot, const struct spread_heard *heard, double *residual,
                        double *power)
{
    const struct frame *f = s->frame;
    *residual = *power = 0;
    for (int a = 0; a < n_ant; a++) {
        for (int q = 0; q < n_pilot; q++) {
            between_centres(s, q, heard->z + a * n_pilot + q, (size_t)(n_ant * n_pilot), heard->scale);
        }
        for (int i = 0; i < f->n_sc; i++) {
            compare(s, n_pilot, heard->Y + (size_t)a * (size_t)f->n_pilot * (size_t)f->n_sc + i, i,
                    heard->unscramble[i], heard->unspread, residual, power);
        }
    }
}

void spread_measure(struct spread *s, int n_ant, int n_pilot, const struct spread_heard *heard, double noise,
                    double noise_variance)
{
    double residual, power, with_own;
    if (s->blocks++ >= SPREAD_EAGER_BLOCKS && s->blocks % SPREAD_EVERY != 0) {
        return;
    }
    memset(s->own_delay, 0, (size_t)n_pilot * sizeof *s->own_delay);
    compare_all(s, n_ant, n_pilot, heard, &residual, &power);
    if (find_own_delays(s, n_ant, n_pilot, heard->z)) {
        compare_all(s, n_ant, n_pilot, heard, &with_own, &power);
        if (with_own > residual) { /* paths far apart may look like it */
            memset(s->own_delay, 0, (size_t)n_pilot * sizeof *s->own_delay);
        }
        residual = fmin(residual, with_own);
    }
    take(s, n_ant, n_pilot, residual, power, noise, noise_variance);
}

void spread_restart(struct spread *s)
{
    s->residual = s->power = s->doubt = 0;
    s->count = s->blocks = 0;
}

double spread_ratio(const struct spread *s)
{
    return s->power > 0 && s->residual > 4 * sqrt(s->doubt) ? fmin(s->residual / s->power, 1) : 0;
}
