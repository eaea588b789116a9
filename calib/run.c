/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/run.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ML_ROUNDS = 30 };

/* Measurements ----------------------------------------------------------------------------------------------------- */

int calib_run_create(struct calib_run *r, const struct frame *frame, int n_ap, int n_ant)
{
    *r = (struct calib_run){
        .n_sb = frame->n_sb, .n_ap = n_ap, .n_ant = n_ant, .n_all = n_ap * n_ant, .fft_size = frame->fft_size};
    const size_t pairs = (size_t)r->n_sb * (size_t)r->n_all * (size_t)r->n_all, aps = (size_t)n_ap * (size_t)n_ap;
    r->centre = calloc((size_t)r->n_sb, sizeof *r->centre);
    r->y = calloc(pairs, sizeof *r->y);
    r->count = calloc(pairs, sizeof *r->count);
    r->delay = calloc(aps, sizeof *r->delay);
    r->heard = calloc(aps, 1);
    r->shift = calloc((size_t)n_ap, sizeof *r->shift);
    if (!r->centre || !r->y || !r->count || !r->delay || !r->heard || !r->shift) {
        return error_set(TUTTI_ENOMEM, "out of memory for the calibration of %d antennas", r->n_all);
    }
    const double spacing_hz = frame->sample_rate_hz / frame->fft_size;
    for (int i = 0; i < frame->n_sc; i++) {
        r->centre[i / frame->sc_per_sb] += frame_sc_hz(frame, i) / spacing_hz / frame->sc_per_sb;
    }
    return TUTTI_OK;
}

void calib_run_destroy(struct calib_run *r)
{
    free(r->centre);
    free(r->y);
    free(r->count);
    free(r->delay);
    free(r->heard);
    free(r->shift);
    *r = (struct calib_run){0};
}

void calib_run_reset(struct calib_run *r)
{
    const size_t pairs = (size_t)r->n_sb * (size_t)r->n_all * (size_t)r->n_all;
    memset(r->count, 0, pairs * sizeof *r->count);
    memset(r->heard, 0, (size_t)r->n_ap * (size_t)r->n_ap);
}

static size_t pair_of(const struct calib_run *r, int sb, int i, int j)
{
    return ((size_t)sb * (size_t)r->n_all + (size_t)i) * (size_t)r->n_all + (size_t)j;
}

void calib_run_add(struct calib_run *r, int from, int to, const tutti_cf32 *values, const float *count,
                   double delay_samples, int shift_samples)
{
    const int n = r->n_ant;
    for (int sb = 0; sb < r->n_sb; sb++) {
        for (int q = 0; q < n; q++) {
            for (int p = 0; p < n; p++) {
                const size_t at = pair_of(r, sb, from * n + p, to * n + q);
                r->y[at] = (double complex)values[(sb * n + q) * n + p];
                r->count[at] = (double)count[sb * n + p];
            }
        }
    }
    r->delay[from * r->n_ap + to] = delay_samples;
    r->heard[from * r->n_ap + to] = 1;
    r->shift[to] = shift_samples;
}

int calib_run_heard(const struct calib_run *r)
{
    int n = 0;
    for (int i = 0; i < r->n_ap * r->n_ap; i++) {
        n += r->heard[i];
    }
    return n;
}

/* Solving ---------------------------------------------------------------------------------------------------------- */

struct solving {
    uint8_t *heard;    /* [n_all][n_all] */
    double *noise;     /* [n_all] */
    double *offset;    /* [n_ap] samples by which an AP's clock is late */
    double *whole;     /* [n_ap] of them */
    double complex *f; /* [n_sb][n_all] */
};

static int create_solving(struct solving *s, const struct calib_run *r)
{
    const size_t n = (size_t)r->n_all;
    s->heard = calloc(n * n, 1);
    s->noise = calloc(n, sizeof *s->noise);
    s->offset = calloc((size_t)r->n_ap, sizeof *s->offset);
    s->whole = calloc((size_t)r->n_ap, sizeof *s->whole);
    s->f = calloc((size_t)r->n_sb * n, sizeof *s->f);
    return s->heard && s->noise && s->offset && s->whole && s->f
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for the calibration of %d antennas", r->n_all);
}

static void destroy_solving(struct solving *s)
{
    free(s->heard);
    free(s->noise);
    free(s->offset);
    free(s->whole);
    free(s->f);
}

/* Least squares of (delay_ij - delay_ji) / 2 = o_i - o_j with the mean at zero: of a network in which all hear each
 * other the mean over the others, of any other by rounds of it. */
static void find_offsets(const struct calib_run *r, double *offset)
{
    enum { ROUNDS = 100 };
    for (int round = 0; round < ROUNDS; round++) {
        double mean = 0;
        for (int i = 0; i < r->n_ap; i++) {
            double sum = 0;
            int n = 0;
            for (int j = 0; j < r->n_ap; j++) {
                if (i != j && r->heard[i * r->n_ap + j] && r->heard[j * r->n_ap + i]) {
                    sum += offset[j] + 0.5 * (r->delay[i * r->n_ap + j] - r->delay[j * r->n_ap + i]);
                    n++;
                }
            }
            offset[i] = n > 0 ? sum / n : 0;
            mean += offset[i] / r->n_ap;
        }
        for (int i = 0; i < r->n_ap; i++) {
            offset[i] -= mean;
        }
    }
}

/* Who hears whom at one subband, and each receiver's noise in the mean over those it hears. */
static void look(const struct calib_run *r, int sb, struct solving *s)
{
    for (int j = 0; j < r->n_all; j++) {
        double sum = 0;
        int n = 0;
        for (int i = 0; i < r->n_all; i++) {
            const double count = r->count[pair_of(r, sb, i, j)];
            s->heard[i * r->n_all + j] = count > 0;
            sum += count > 0 ? 1 / count : 0;
            n += count > 0;
        }
        s->noise[j] = n > 0 ? sum / n : 1;
    }
}

static int solve_subband(const struct calib_run *r, int sb, const struct config_calibration *settings,
                         struct solving *s, struct calib_table *table)
{
    struct calib_quality quality = {0};
    double complex *const f = s->f + (size_t)sb * (size_t)r->n_all;
    look(r, sb, s);
    const struct calib_pairs pairs = {
        .n = r->n_all, .y = r->y + pair_of(r, sb, 0, 0), .heard = s->heard, .noise = s->noise};
    int status = calib_solve_ls(&pairs, f, &quality);
    if (status >= 0 && settings->method == CONFIG_CALIBRATION_ML) {
        status = calib_solve_ml(&pairs, ML_ROUNDS, f);
    }
    table->residual += quality.residual / r->n_sb;
    table->noise_residual += quality.noise_residual / r->n_sb;
    table->error_variance += quality.error_variance / r->n_sb;
    return status;
}

/* f = r / t of an AP late by o turns by e^{+j 2 pi k 2 o / n_fft}: off before the straight line, on again after it. */
static void turn(const struct calib_run *r, const double *offset, double sign, double complex *f)
{
    for (int sb = 0; sb < r->n_sb; sb++) {
        for (int i = 0; i < r->n_all; i++) {
            const double angle = sign * 2 * M_PI * r->centre[sb] * 2 * offset[i / r->n_ant] / r->fft_size;
            f[(size_t)sb * (size_t)r->n_all + (size_t)i] *= cexp(I * angle);
        }
    }
}

/* A line has two of n_sb degrees of freedom. */
static void smooth(const struct calib_run *r, struct solving *s, struct calib_table *table)
{
    turn(r, s->offset, -1, s->f);
    calib_smooth(r->n_sb, r->n_all, s->f);
    turn(r, s->offset, 1, s->f);
    table->error_variance *= r->n_sb > 2 ? 2.0 / r->n_sb : 1;
}

/* Antenna 0 is what the others are told against; over frequency it turns as its own AP's clock has it. */
static void turn_together(const struct calib_run *r, const double *offset, double complex *f)
{
    for (int sb = 0; sb < r->n_sb; sb++) {
        double complex *const one = f + (size_t)sb * (size_t)r->n_all;
        const double angle = 2 * M_PI * r->centre[sb] * 2 * offset[0] / r->fft_size;
        const double complex factor = cexp(I * (angle - carg(one[0])));
        for (int i = 0; i < r->n_all; i++) {
            one[i] *= factor;
        }
    }
}

/* What an AP makes up for by acting earlier is in its chains no more. */
static void take_whole_samples(const struct calib_run *r, struct solving *s, struct calib_table *table)
{
    for (int ap = 0; ap < r->n_ap; ap++) {
        s->whole[ap] = rint(s->offset[ap]);
        table->shift_samples[ap] = r->shift[ap] + (int)s->whole[ap];
        table->delay_samples[ap] = 2 * (s->offset[ap] - s->whole[ap]);
    }
    turn(r, s->whole, -1, s->f);
}

static int find_table(const struct calib_run *r, const struct config_calibration *settings, struct solving *s,
                      struct calib_table *table)
{
    int status = TUTTI_OK;
    find_offsets(r, s->offset);
    for (int sb = 0; status >= 0 && sb < r->n_sb; sb++) {
        status = solve_subband(r, sb, settings, s, table);
    }
    const struct calib_quality quality = {.residual = table->residual, .noise_residual = table->noise_residual};
    status = status < 0 ? status : calib_check(&quality);
    if (status >= 0 && settings->smooth) {
        smooth(r, s, table);
    }
    if (status >= 0 && !(table->error_variance <= 1)) { /* rad^2: phases are anything */
        status = error_set(TUTTI_ENUMERIC,
                           "calibration: an antenna hears the others, or is heard, too badly to be calibrated: "
                           "move the radios, raise their gains, or take more repeats");
    }
    turn_together(r, s->offset, s->f);
    take_whole_samples(r, s, table);
    return status < 0 ? status : calib_coefficients(r->n_sb, r->n_all, s->f, table->c);
}

int calib_run_solve(const struct calib_run *r, const struct config_calibration *settings, struct calib_table *table)
{
    struct solving s = {0};
    table->residual = table->noise_residual = table->error_variance = 0;
    int status = create_solving(&s, r);
    status = status < 0 ? status : find_table(r, settings, &s, table);
    destroy_solving(&s);
    return status;
}
