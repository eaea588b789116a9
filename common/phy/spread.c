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
    s->work = calloc(n_sb, sizeof *s->work);
    return s->slope && s->centre && s->undo && s->rows && s->work
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
    const double fitted = n_pilot * (2 * s->table->own_factor - s->table->noise_factor) / f->sc_per_sb;
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

void spread_measure(struct spread *s, int n_ant, int n_pilot, const tutti_cf32 *Y, const tutti_cf32 *unscramble,
                    const tutti_cf32 *unspread, const tutti_cf32 *z, float scale, double noise, double noise_variance)
{
    const struct frame *f = s->frame;
    double residual = 0, power = 0;
    if (s->blocks++ >= SPREAD_EAGER_BLOCKS && s->blocks % SPREAD_EVERY != 0) {
        return;
    }
    for (int a = 0; a < n_ant; a++) {
        for (int q = 0; q < n_pilot; q++) {
            interpolate_row(s->table, z + a * n_pilot + q, (size_t)(n_ant * n_pilot), s->slope, s->centre, s->work,
                            s->rows + q * f->n_sc);
        }
        for (int i = 0; i < n_pilot * f->n_sc; i++) {
            s->rows[i] *= scale;
        }
        for (int i = 0; i < f->n_sc; i++) {
            compare(s, n_pilot, Y + (size_t)a * (size_t)f->n_pilot * (size_t)f->n_sc + i, i, unscramble[i], unspread,
                    &residual, &power);
        }
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
