/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/receiver.h"

#include "base/error.h"
#include "phy/delay.h"
#include "phy/fit.h"
#include "phy/interpolate.h"
#include "phy/mmse.h"
#include "phy/phase_track.h"
#include "phy/pilot.h"
#include "phy/quality.h"
#include "phy/subband.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOBODY = -2 }; /* numbers from here down are no user's */

/* Effective channels and noise of all subbands: [n_sb][n_stream][n_ant] and [n_sb][n_ant][n_ant]. */
struct channels {
    double *gain_re, *gain_im, *noise_re, *noise_im;
};

struct receiver {
    const struct frame *frame;
    const struct simd_ops *simd;
    int n_ant, n_stream, n_data; /* n_data: data symbols */
    int *user_of_stream;         /* [n_stream], whose payload it carries; -1 nobody's */
    payload_t *payload;
    bool smooth, track_phase;
    int bits_per_symbol;
    struct interpolate *interpolate; /* flat unless smooth */
    struct delay delay;
    double *turned_rad;                 /* [n_data] what following takes off each symbol */
    double frequency_rad;               /* per symbol, where the last block's phase ended */
    double lost_freedom;                /* of a subband's mean of a pilot */
    tutti_cf32 *unscramble;             /* [n_sc] conj(scrambling) */
    tutti_cf32 *slope;                  /* [n_sc] of the delay */
    tutti_cf32 *sloped;                 /* [n_sc] scrambling with the slope */
    tutti_cf32 *values, *between, *row; /* [n_sb], [n_sb], [n_sc] work of the interpolation */
    tutti_cf32 *scrambling;             /* [n_sc] of the pilots */
    double *chip_re, *chip_im;          /* [n_stream][tau] of the pilots, scrambling left out */
    /* of the block */
    double *mean_re, *mean_im; /* [n_ant][tau][n_sb] descrambled pilots, then what the streams leave of them */
    tutti_cf32 *deviation;     /* [n_ant][tau][n_sc] pilots less that mean */
    struct channels channels;
    /* of the stream looked at last */
    double *gain_squared, *disturbance; /* [n_sb] after combining */
    struct subband_rows *equaliser;     /* [n_ant] factors */
    float *variance;                    /* [n_sc] after equalising */
    tutti_cf32 *equalised, *truth;      /* [n_data][n_sc] */
    float *noise_variance;              /* same shape */
    /* work */
    struct subband_rows rows, factor;
    double *sums, *cross, *power; /* [2][n_sb] each */
    double *work, *w_re, *w_im;   /* of the combiner */
    tutti_cf32 *zeros;            /* [n_sc] */
    /* genie only */
    fit_t *fit;
    tutti_cf32 *truths; /* [n_stream][n_data][n_sc] */
    struct channels known;
};

/* Creation --------------------------------------------------------------------------------------------------------- */

static bool allocate_rows(struct subband_rows *rows, size_t n_sc)
{
    rows->direct = calloc(2 * n_sc, sizeof(float));
    rows->crossed = calloc(2 * n_sc, sizeof(float));
    return rows->direct && rows->crossed;
}

static bool allocate_channels(struct channels *c, size_t n_sb, size_t n_stream, size_t n_ant)
{
    c->gain_re = calloc(n_sb * n_stream * n_ant, sizeof(double));
    c->gain_im = calloc(n_sb * n_stream * n_ant, sizeof(double));
    c->noise_re = calloc(n_sb * n_ant * n_ant, sizeof(double));
    c->noise_im = calloc(n_sb * n_ant * n_ant, sizeof(double));
    return c->gain_re && c->gain_im && c->noise_re && c->noise_im;
}

static bool allocate_estimation(receiver_t *r)
{
    const struct frame *f = r->frame;
    const size_t n_sc = (size_t)f->n_sc, n_sb = (size_t)f->n_sb, tau = (size_t)f->n_dl_pilot;
    const size_t antennas = (size_t)r->n_ant, streams = (size_t)r->n_stream;
    r->user_of_stream = calloc(streams, sizeof *r->user_of_stream);
    r->scrambling = calloc(n_sc, sizeof *r->scrambling);
    r->unscramble = calloc(n_sc, sizeof *r->unscramble);
    r->slope = calloc(n_sc, sizeof *r->slope);
    r->sloped = calloc(n_sc, sizeof *r->sloped);
    r->values = calloc(n_sb, sizeof *r->values);
    r->between = calloc(n_sb, sizeof *r->between);
    r->row = calloc(n_sc, sizeof *r->row);
    r->chip_re = calloc(streams * tau, sizeof(double));
    r->chip_im = calloc(streams * tau, sizeof(double));
    r->mean_re = calloc(antennas * tau * n_sb, sizeof(double));
    r->mean_im = calloc(antennas * tau * n_sb, sizeof(double));
    r->deviation = calloc(antennas * tau * n_sc, sizeof *r->deviation);
    r->sums = calloc(2 * n_sb, sizeof(double));
    return allocate_channels(&r->channels, n_sb, streams, antennas) && allocate_rows(&r->rows, n_sc) &&
           allocate_rows(&r->factor, n_sc) && r->user_of_stream && r->scrambling && r->unscramble && r->slope &&
           r->sloped && r->values && r->between && r->row && r->chip_re && r->chip_im && r->mean_re && r->mean_im &&
           r->deviation && r->sums;
}

static bool allocate_stream(receiver_t *r)
{
    const struct frame *f = r->frame;
    const size_t n_sc = (size_t)f->n_sc, n_sb = (size_t)f->n_sb, n_re = (size_t)f->n_data_re;
    const size_t antennas = (size_t)r->n_ant;
    r->gain_squared = calloc(n_sb, sizeof(double));
    r->disturbance = calloc(n_sb, sizeof(double));
    r->equaliser = calloc(antennas, sizeof *r->equaliser);
    r->variance = calloc(n_sc, sizeof(float));
    r->equalised = calloc(n_re, sizeof *r->equalised);
    r->truth = calloc(n_re, sizeof *r->truth);
    r->noise_variance = calloc(n_re, sizeof(float));
    r->cross = calloc(2 * n_sb, sizeof(double));
    r->power = calloc(2 * n_sb, sizeof(double));
    r->work = calloc((size_t)mmse_work_size(r->n_ant), sizeof(double));
    r->w_re = calloc(antennas, sizeof(double));
    r->w_im = calloc(antennas, sizeof(double));
    r->zeros = calloc(n_sc, sizeof *r->zeros);
    r->turned_rad = calloc((size_t)r->n_data, sizeof(double));
    bool good = r->gain_squared && r->disturbance && r->equaliser && r->variance && r->equalised && r->truth &&
                r->noise_variance && r->cross && r->power && r->work && r->w_re && r->w_im && r->zeros && r->turned_rad;
    for (size_t m = 0; good && m < antennas; m++) {
        good = allocate_rows(&r->equaliser[m], n_sc);
    }
    return good;
}

static int make_pilots(receiver_t *r)
{
    const int tau = r->frame->n_dl_pilot;
    tutti_cf32 *phi = calloc((size_t)(tau * tau), sizeof *phi);
    if (!phi) {
        return error_set(TUTTI_ENOMEM, "receiver: out of memory for the downlink pilots");
    }
    pilot_sequences(tau, phi);
    pilot_scrambling(r->frame->n_sc, r->scrambling);
    for (int i = 0; i < r->frame->n_sc; i++) {
        r->unscramble[i] = conjf(r->scrambling[i]);
        r->slope[i] = 1;
        r->sloped[i] = r->scrambling[i];
    }
    for (int i = 0; i < r->n_stream * tau; i++) {
        r->chip_re[i] = sqrt(tau) * (double)crealf(phi[i]);
        r->chip_im[i] = sqrt(tau) * (double)cimagf(phi[i]);
    }
    free(phi);
    return 0;
}

static int make_genie(receiver_t *r)
{
    const size_t n_re = (size_t)r->frame->n_data_re;
    const int status = fit_create(&r->fit, r->frame, r->n_ant, r->n_stream, r->n_data);
    if (status < 0) {
        return status;
    }
    r->truths = calloc((size_t)r->n_stream * n_re, sizeof *r->truths);
    if (!allocate_channels(&r->known, (size_t)r->frame->n_sb, (size_t)r->n_stream, (size_t)r->n_ant) || !r->truths) {
        return error_set(TUTTI_ENOMEM, "receiver: no memory for the genie");
    }
    return 0;
}

static int build(receiver_t *r, const struct receiver_settings *s)
{
    if (s->n_ant < 1 || s->n_stream < 1 || s->n_stream > r->frame->n_dl_pilot) {
        return error_set(TUTTI_EINVAL,
                         "receiver: %d antennas and %d streams, allowed from 1, "
                         "and up to %d streams (one "
                         "downlink pilot each)",
                         s->n_ant, s->n_stream, r->frame->n_dl_pilot);
    }
    if (!allocate_estimation(r) || !allocate_stream(r)) {
        return error_set(TUTTI_ENOMEM, "receiver: out of memory");
    }
    for (int j = 0; j < r->n_stream; j++) {
        r->user_of_stream[j] = j;
    }
    int status = interpolate_create(&r->interpolate, r->frame, s->smooth ? INTERPOLATE_PRECODERS : INTERPOLATE_FLAT);
    if (status == 0) {
        r->lost_freedom = 2 * r->interpolate->own_factor - r->interpolate->noise_factor;
        status = make_pilots(r);
    }
    if (status == 0) {
        status = payload_create(&r->payload, r->frame, s->payload, s->seed);
    }
    return status == 0 && s->genie ? make_genie(r) : status;
}

int receiver_create(receiver_t **receiver, const struct frame *frame, const struct receiver_settings *settings)
{
    receiver_t *r = calloc(1, sizeof *r);
    *receiver = r;
    if (!r) {
        return error_set(TUTTI_ENOMEM, "receiver: out of memory");
    }
    r->frame = frame;
    r->simd = simd_get();
    r->n_ant = settings->n_ant;
    r->n_stream = settings->n_stream;
    r->n_data = frame->n_dl - frame->n_dl_pilot;
    r->smooth = settings->smooth;
    r->track_phase = settings->track_phase;
    r->bits_per_symbol = 2 * ((int)settings->payload->modulation + 1);
    delay_start(&r->delay, frame);
    const int status = build(r, settings);
    if (status < 0) {
        receiver_destroy(r);
        *receiver = NULL;
    }
    return status;
}

static void free_rows(struct subband_rows *rows)
{
    free(rows->direct);
    free(rows->crossed);
}

static void free_channels(struct channels *c)
{
    free(c->gain_re);
    free(c->gain_im);
    free(c->noise_re);
    free(c->noise_im);
}

void receiver_destroy(receiver_t *receiver)
{
    receiver_t *r = receiver;
    if (!r) {
        return;
    }
    for (int m = 0; r->equaliser && m < r->n_ant; m++) {
        free_rows(&r->equaliser[m]);
    }
    free_rows(&r->rows);
    free_rows(&r->factor);
    free_channels(&r->channels);
    free_channels(&r->known);
    payload_destroy(r->payload);
    interpolate_destroy(r->interpolate);
    fit_destroy(r->fit);
    void *const owned[] = {r->scrambling,  r->chip_re,    r->chip_im,    r->mean_re,       r->mean_im,
                           r->deviation,   r->equaliser,  r->variance,   r->truth,         r->noise_variance,
                           r->sums,        r->cross,      r->power,      r->work,          r->w_re,
                           r->w_im,        r->zeros,      r->truths,     r->equalised,     r->gain_squared,
                           r->disturbance, r->unscramble, r->slope,      r->sloped,        r->values,
                           r->between,     r->row,        r->turned_rad, r->user_of_stream};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
    free(r);
}

const tutti_cf32 *receiver_equalised(const receiver_t *receiver)
{
    return receiver->equalised;
}

/* Estimation ------------------------------------------------------------------------------------------------------- */

static const tutti_cf32 *symbol_of(const receiver_t *r, const tutti_cf32 *Y, int m, int s)
{
    return Y + ((size_t)m * (size_t)r->frame->n_dl + (size_t)s) * (size_t)r->frame->n_sc;
}

/* Mean of the descrambled pilot in every subband, and what lies beside it. */
static void average_pilot(receiver_t *r, int m, int t, const tutti_cf32 *y)
{
    const struct frame *f = r->frame;
    const size_t row = (size_t)(m * f->n_dl_pilot + t);
    double *re = r->mean_re + row * (size_t)f->n_sb, *im = r->mean_im + row * (size_t)f->n_sb;
    subband_clear(f, &r->rows);
    r->simd->rows_dot(f->n_sc, (const float *)y, (const float *)r->sloped, r->rows.direct, r->rows.crossed);
    subband_sum(f, &r->rows, re, im);
    for (int sb = 0; sb < f->n_sb; sb++) {
        re[sb] /= f->sc_per_sb;
        im[sb] /= f->sc_per_sb;
        r->values[sb] = CMPLXF((float)-re[sb], (float)-im[sb]);
    }
    interpolate_row(r->interpolate, r->values, 1, NULL, NULL, r->between, r->row);
    subband_row_factor(f, r->row, &r->factor);
    r->simd->rows_scale_add(f->n_sc, r->factor.direct, r->factor.crossed, (const float *)r->sloped, (const float *)y,
                            (float *)(r->deviation + row * (size_t)f->n_sc));
}

/* Least-squares gain of one stream at one antenna in one subband: g = sum_t conj(chip_t) mean_t / tau. It is taken out
 * of the means: the pilots are orthogonal, so this does not touch the others' gains. */
static void estimate_gain(receiver_t *r, int sb, int m, int j)
{
    const struct frame *f = r->frame;
    const int tau = f->n_dl_pilot, at = (sb * r->n_stream + j) * r->n_ant + m;
    const double *c_re = r->chip_re + j * tau, *c_im = r->chip_im + j * tau;
    double *v_re = r->mean_re + m * tau * f->n_sb + sb, *v_im = r->mean_im + m * tau * f->n_sb + sb;
    double g_re = 0, g_im = 0;
    for (int t = 0; t < tau; t++) {
        g_re += c_re[t] * v_re[t * f->n_sb] + c_im[t] * v_im[t * f->n_sb];
        g_im += c_re[t] * v_im[t * f->n_sb] - c_im[t] * v_re[t * f->n_sb];
    }
    r->channels.gain_re[at] = g_re /= tau;
    r->channels.gain_im[at] = g_im /= tau;
    for (int t = 0; t < tau; t++) {
        v_re[t * f->n_sb] -= g_re * c_re[t] - g_im * c_im[t];
        v_im[t * f->n_sb] -= g_re * c_im[t] + g_im * c_re[t];
    }
}

/* Covariance of what the pilots leave between the antennas when every stream's share is taken out, over the degrees of
 * freedom that remain: receiver noise and artificial noise. The deviations are there; here the rest of the means is
 * added, n_stream < tau only. */
static void finish_covariance(receiver_t *r, int sb)
{
    const struct frame *f = r->frame;
    const int tau = f->n_dl_pilot, n = r->n_ant;
    const double freedom = tau * (f->sc_per_sb - r->lost_freedom) + tau - r->n_stream;
    double *re = r->channels.noise_re + sb * n * n, *im = r->channels.noise_im + sb * n * n;
    for (int m = 0; m < n; m++) {
        for (int q = 0; q < n; q++) {
            double sum_re = 0, sum_im = 0;
            for (int t = 0; r->n_stream < tau && t < tau; t++) {
                const int a = (m * tau + t) * f->n_sb + sb, b = (q * tau + t) * f->n_sb + sb;
                sum_re += r->mean_re[a] * r->mean_re[b] + r->mean_im[a] * r->mean_im[b];
                sum_im += r->mean_im[a] * r->mean_re[b] - r->mean_re[a] * r->mean_im[b];
            }
            re[m * n + q] = freedom > 0 ? (re[m * n + q] + f->sc_per_sb * sum_re) / freedom : 0;
            im[m * n + q] = freedom > 0 ? (im[m * n + q] + f->sc_per_sb * sum_im) / freedom : 0;
        }
    }
}

/* The delay of what this receiver hears; its slope is in `sloped` from here on. */
static void follow_delay(receiver_t *r, const tutti_cf32 *Y)
{
    const struct frame *f = r->frame;
    double complex turn = 0;
    double power = 0;
    for (int m = 0; m < r->n_ant; m++) {
        for (int t = 0; t < f->n_dl_pilot; t++) {
            delay_row(f, symbol_of(r, Y, m, t), r->unscramble, &turn, &power);
        }
    }
    delay_add(&r->delay, turn, power);
    interpolate_slope(r->interpolate, delay_samples(&r->delay), r->slope, NULL);
    for (int i = 0; i < f->n_sc; i++) {
        r->sloped[i] = r->scrambling[i] * r->slope[i];
    }
}

static void estimate_channels(receiver_t *r, const tutti_cf32 *Y)
{
    const struct frame *f = r->frame;
    if (r->smooth) {
        follow_delay(r, Y);
    }
    for (int m = 0; m < r->n_ant; m++) {
        for (int t = 0; t < f->n_dl_pilot; t++) {
            average_pilot(r, m, t, symbol_of(r, Y, m, t));
        }
    }
    subband_covariance(f, r->simd, r->n_ant, f->n_dl_pilot, r->deviation, &r->rows, r->sums, r->channels.noise_re,
                       r->channels.noise_im);
    for (int sb = 0; sb < f->n_sb; sb++) {
        for (int m = 0; m < r->n_ant; m++) {
            for (int j = 0; j < r->n_stream; j++) {
                estimate_gain(r, sb, m, j);
            }
        }
        finish_covariance(r, sb);
    }
}

double receiver_power(const receiver_t *r, int stream, double *noise)
{
    const struct frame *f = r->frame;
    const int n = r->n_ant;
    double power = 0, floor = 0;
    for (int sb = 0; sb < f->n_sb; sb++) {
        const int at = (sb * r->n_stream + stream) * n;
        const double re = r->channels.gain_re[at], im = r->channels.gain_im[at];
        power += (re * re + im * im) / f->n_sb;
        floor += r->channels.noise_re[sb * n * n] / f->n_sb;
    }
    *noise = floor;
    return power - floor / (f->n_dl_pilot * f->sc_per_sb);
}

/* What a genie knows: the channels that all data symbols show. */
static void fit_channels(receiver_t *r, uint64_t block, const tutti_cf32 *Y)
{
    const struct frame *f = r->frame;
    for (int j = 0; j < r->n_stream; j++) {
        /* a stream that is not sent has a payload that nobody else has: its gains come out as noise */
        const int user = r->user_of_stream[j] >= 0 ? r->user_of_stream[j] : NOBODY - j;
        payload_encode(r->payload, user, block, r->truths + (size_t)j * (size_t)f->n_data_re);
    }
    fit_execute(r->fit, r->truths, symbol_of(r, Y, 0, f->n_dl_pilot), (size_t)f->n_dl * (size_t)f->n_sc,
                r->known.gain_re, r->known.gain_im, r->known.noise_re, r->known.noise_im);
}

/* One stream ------------------------------------------------------------------------------------------------------- */

static struct mmse_channel channel_of(const receiver_t *r, const struct channels *c, int sb)
{
    const int gains = sb * r->n_stream * r->n_ant, noise = sb * r->n_ant * r->n_ant;
    return (struct mmse_channel){.n_ant = r->n_ant,
                                 .n_stream = r->n_stream,
                                 .gain_re = c->gain_re + gains,
                                 .gain_im = c->gain_im + gains,
                                 .noise_re = c->noise_re + noise,
                                 .noise_im = c->noise_im + noise};
}

/* The factors of antenna m so far are per subband; those per subcarrier undo the slope. */
static void undo_slope(const receiver_t *r, const struct subband_rows *rows)
{
    for (int i = 0; i < r->frame->n_sc; i++) {
        const tutti_cf32 factor = CMPLXF(rows->direct[2 * i], rows->crossed[2 * i + 1]) * conjf(r->slope[i]);
        rows->direct[2 * i] = rows->direct[2 * i + 1] = crealf(factor);
        rows->crossed[2 * i] = -cimagf(factor);
        rows->crossed[2 * i + 1] = cimagf(factor);
    }
}

/* One antenna: gains go over from subband to subband, and each subcarrier is divided by its own. */
static void smooth_equaliser(receiver_t *r, int stream)
{
    const struct frame *f = r->frame;
    for (int sb = 0; sb < f->n_sb; sb++) {
        const int at = sb * r->n_stream + stream;
        r->values[sb] = CMPLXF((float)r->channels.gain_re[at], (float)r->channels.gain_im[at]);
    }
    interpolate_row(r->interpolate, r->values, 1, NULL, NULL, r->between, r->row);
    for (int i = 0; i < f->n_sc; i++) {
        const float re = crealf(r->row[i]), im = cimagf(r->row[i]), strength = re * re + im * im + 1e-30f;
        r->row[i] = CMPLXF(re / strength, -im / strength);
        r->variance[i] = (float)(r->disturbance[i / f->sc_per_sb] / (double)strength + 1e-12);
    }
    subband_row_factor(f, r->row, &r->equaliser[0]);
}

/* Combining and dividing by the gain a = w^H g in one: the factor of antenna m is conj(w_m) conj(a) / |a|^2. */
static void make_equaliser(receiver_t *r, int stream)
{
    const struct frame *f = r->frame;
    for (int sb = 0; sb < f->n_sb; sb++) {
        const struct mmse_channel channel = channel_of(r, &r->channels, sb);
        struct mmse_combined a;
        mmse_combine(&channel, stream, r->work, r->w_re, r->w_im, &a);
        const double strength = a.gain_re * a.gain_re + a.gain_im * a.gain_im + 1e-30;
        for (int m = 0; m < r->n_ant; m++) {
            subband_factor(f, sb, (r->w_re[m] * a.gain_re - r->w_im[m] * a.gain_im) / strength,
                           -(r->w_re[m] * a.gain_im + r->w_im[m] * a.gain_re) / strength, &r->equaliser[m]);
        }
        r->gain_squared[sb] = strength;
        r->disturbance[sb] = a.disturbance;
        for (int i = 0; i < f->sc_per_sb; i++) {
            r->variance[sb * f->sc_per_sb + i] = (float)(a.disturbance / strength + 1e-12);
        }
    }
    if (r->smooth && r->n_ant == 1) {
        smooth_equaliser(r, stream);
    }
    for (int m = 0; r->smooth && m < r->n_ant; m++) {
        undo_slope(r, &r->equaliser[m]);
    }
}

static void equalise(receiver_t *r, const tutti_cf32 *Y)
{
    const struct frame *f = r->frame;
    for (int d = 0; d < r->n_data; d++) {
        const size_t at = (size_t)d * (size_t)f->n_sc;
        for (int m = 0; m < r->n_ant; m++) {
            const tutti_cf32 *y = symbol_of(r, Y, m, f->n_dl_pilot + d), *base = m ? r->equalised + at : r->zeros;
            r->simd->rows_scale_add(f->n_sc, r->equaliser[m].direct, r->equaliser[m].crossed, (const float *)y,
                                    (const float *)base, (float *)(r->equalised + at));
        }
        memcpy(r->noise_variance + at, r->variance, sizeof(float) * (size_t)f->n_sc);
    }
}

/* Decisions of a stream that is hardly heard lead nowhere. */
static bool worth_following(const receiver_t *r)
{
    double signal = 0, disturbance = 0;
    for (int sb = 0; sb < r->frame->n_sb; sb++) {
        signal += r->gain_squared[sb];
        disturbance += r->disturbance[sb];
    }
    return signal > 2 * disturbance;
}

/* What is to be taken off is no more than what noise alone makes the loop take off: following would only cost. */
static bool only_noise(const receiver_t *r, double weight)
{
    double sum = 0;
    for (int d = 0; d < r->n_data; d++) {
        sum += r->turned_rad[d] * r->turned_rad[d];
    }
    return sum < 3 * r->n_data / (2 * weight);
}

/* The gains are those of the middle of the downlink pilots. Subcarriers count by their quality. */
static void follow_phase(receiver_t *r)
{
    const struct frame *f = r->frame;
    struct phase_track track;
    if (!r->track_phase || !worth_following(r)) {
        return;
    }
    float *const weight = r->rows.direct;
    double total = 0;
    for (int i = 0; i < f->n_sc; i++) {
        weight[i] = 1 / r->variance[i];
        total += (double)weight[i];
    }
    phase_track_start(&track, r->bits_per_symbol, r->frequency_rad);
    for (int d = 0; d < r->n_data; d++) {
        const double since = d == 0 ? 0.5 * (f->n_dl_pilot + 1) : 1;
        r->turned_rad[d] = phase_track_look(&track, f->n_sc, weight, since, r->equalised + (size_t)d * (size_t)f->n_sc);
    }
    const bool follow = !only_noise(r, total);
    r->frequency_rad = follow ? track.frequency_rad : 0;
    for (int d = 0; follow && d < r->n_data; d++) {
        phase_track_turn(f->n_sc, r->turned_rad[d], r->equalised + (size_t)d * (size_t)f->n_sc);
    }
}

/* Measuring -------------------------------------------------------------------------------------------------------- */

/* Subbands count by their power before equalising. */
static void measure(receiver_t *r, struct receiver_measurement *m)
{
    const struct quality_work work = {r->rows, r->factor, r->sums, r->cross, r->power};
    const struct quality q =
        quality_measure(r->frame, r->simd, r->n_data, r->equalised, r->truth, r->gain_squared, &work);
    m->sinr = q.sinr;
    m->evm = q.evm;
}

/* The fitted channel is off by its own noise. With d = tr R^-1 noise dimensions of it, g^H R^-1 g comes out n / (n - d)
 * too large on average (complex Wishart matrix of n degrees of freedom) and d / n more by the noise in g. */
static double genie_sinr(receiver_t *r, int stream)
{
    const double n = fit_freedom(r->fit);
    double signal = 0, error = 0;
    for (int sb = 0; sb < r->frame->n_sb; sb++) {
        const struct mmse_channel channel = channel_of(r, &r->known, sb);
        struct mmse_combined a;
        mmse_combine(&channel, stream, r->work, r->w_re, r->w_im, &a);
        const double power = a.gain_re * a.gain_re + a.gain_im * a.gain_im;
        signal += power * (n - a.dimensions) / n - a.disturbance * a.dimensions / n;
        error += a.disturbance;
    }
    return signal > 0 && error > 0 ? signal / error : 0;
}

static int stream_of(const receiver_t *r, int user)
{
    int j = 0;
    while (j < r->n_stream && r->user_of_stream[j] != user) {
        j++;
    }
    return j < r->n_stream ? j : -1;
}

void receiver_streams(receiver_t *receiver, const int *user_of_stream)
{
    memcpy(receiver->user_of_stream, user_of_stream, (size_t)receiver->n_stream * sizeof *user_of_stream);
}

static void receive_stream(receiver_t *r, int user, uint64_t block, const tutti_cf32 *Y, struct receiver_measurement *m)
{
    const int stream = stream_of(r, user);
    if (stream < 0) {
        *m = (struct receiver_measurement){.sinr = NAN, .sinr_genie = NAN, .evm = NAN};
        return;
    }
    make_equaliser(r, stream);
    equalise(r, Y);
    follow_phase(r);
    payload_decode(r->payload, user, block, r->equalised, r->noise_variance, &m->payload);
    payload_encode(r->payload, user, block, r->truth);
    measure(r, m);
    m->sinr_genie = r->fit ? genie_sinr(r, stream) : 0;
}

void receiver_execute(receiver_t *receiver, uint64_t block, const tutti_cf32 *Y, int n_wanted, const int *wanted,
                      struct receiver_measurement *measurements)
{
    estimate_channels(receiver, Y);
    if (receiver->fit) {
        fit_channels(receiver, block, Y);
    }
    for (int i = 0; i < n_wanted; i++) {
        receive_stream(receiver, wanted[i], block, Y, &measurements[i]);
    }
}
