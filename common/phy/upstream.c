/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/upstream.h"

#include "base/error.h"
#include "phy/ofdm.h"
#include "phy/phase_track.h"
#include "phy/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;
static const double WORTH_TURNING = 0.01; /* of the error there is: 0.04 dB */

struct upstream {
    const struct frame *frame;
    const struct simd_ops *simd;
    payload_t *payload;
    ofdm_t *ofdm;
    bool track_phase;
    int bits_per_symbol;
    double *turned_rad;          /* [n_ul] what following takes off each symbol */
    tutti_cf32 *samples, *rotor; /* [n_symbol_samples] of one symbol */
    float *weight;               /* [n_sc] */
    float *variance;             /* [n_ul][n_sc] */
    tutti_cf32 *truth;           /* [n_ul][n_sc] */
    struct quality_work quality; /* its room */
};

static bool allocate(upstream_t *u)
{
    const struct frame *f = u->frame;
    const size_t n_sc = (size_t)f->n_sc, n_sb = (size_t)f->n_sb, n_re = (size_t)f->n_ul * n_sc;
    u->turned_rad = calloc((size_t)f->n_ul + 1, sizeof *u->turned_rad);
    u->samples = calloc((size_t)f->n_symbol_samples, sizeof *u->samples);
    u->rotor = calloc((size_t)f->n_symbol_samples, sizeof *u->rotor);
    u->weight = calloc(n_sc, sizeof *u->weight);
    u->variance = calloc(n_re + 1, sizeof *u->variance);
    u->truth = calloc(n_re + 1, sizeof *u->truth);
    u->quality = (struct quality_work){
        .rows = {calloc(2 * n_sc, sizeof(float)), calloc(2 * n_sc, sizeof(float))},
        .factor = {calloc(2 * n_sc, sizeof(float)), calloc(2 * n_sc, sizeof(float))},
        .sums = calloc(2 * n_sb, sizeof(double)),
        .cross = calloc(2 * n_sb, sizeof(double)),
        .power = calloc(2 * n_sb, sizeof(double)),
    };
    const struct quality_work *q = &u->quality;
    return u->turned_rad && u->samples && u->rotor && u->weight && u->variance && u->truth && q->rows.direct &&
           q->rows.crossed && q->factor.direct && q->factor.crossed && q->sums && q->cross && q->power;
}

int upstream_create(upstream_t **upstream, const struct frame *frame, const struct upstream_settings *settings)
{
    upstream_t *u = *upstream = calloc(1, sizeof *u);
    if (!u) {
        return error_set(TUTTI_ENOMEM, "no memory for uplink data");
    }
    u->frame = frame;
    u->simd = simd_get();
    u->track_phase = settings->track_phase;
    u->bits_per_symbol = 2 * ((int)settings->payload->modulation + 1);
    int status = allocate(u) ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for uplink data");
    if (status >= 0) {
        status = payload_create_uplink(&u->payload, frame, settings->payload, settings->seed);
    }
    status = status < 0 ? status : ofdm_create(&u->ofdm, frame);
    if (status < 0) {
        upstream_destroy(u);
        *upstream = NULL;
    }
    return status;
}

void upstream_destroy(upstream_t *u)
{
    if (!u) {
        return;
    }
    payload_destroy(u->payload);
    ofdm_destroy(u->ofdm);
    const struct quality_work *q = &u->quality;
    void *const owned[] = {u->turned_rad, u->samples,     u->rotor,        u->weight,        u->variance,
                           u->truth,      q->rows.direct, q->rows.crossed, q->factor.direct, q->factor.crossed,
                           q->sums,       q->cross,       q->power};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
    free(u);
}

/* Fills variances and weights; returns the mean error per subcarrier. */
static double spread_sinr(upstream_t *u, const double *sinr)
{
    const struct frame *f = u->frame;
    double disturbance = 0;
    for (int sb = 0; sb < f->n_sb; sb++) {
        const double one = 1 / fmax(sinr[sb], 1e-6) + 1e-12;
        disturbance += one;
        for (int i = sb * f->sc_per_sb; i < (sb + 1) * f->sc_per_sb; i++) {
            u->variance[i] = (float)one;
            u->weight[i] = (float)(1 / one);
        }
    }
    for (int d = 1; d < f->n_ul; d++) {
        memcpy(u->variance + (size_t)d * (size_t)f->n_sc, u->variance, (size_t)f->n_sc * sizeof(float));
    }
    return disturbance / f->n_sb;
}

/* Symbols from the last one looked at; at first from the middle of the pilots, whose gains these are. */
static double symbols_since(const struct frame *f, int d)
{
    return d > 0 ? f->ul_symbol[d] - f->ul_symbol[d - 1]
                 : f->ul_symbol[0] - 0.5 * (f->pilot_symbol[0] + f->pilot_symbol[f->n_pilot - 1]);
}

/* What is to be taken off is no more than what noise alone makes the loop take off: following would only cost. */
static bool only_noise(const upstream_t *u)
{
    double total = 0, sum = 0;
    for (int i = 0; i < u->frame->n_sc; i++) {
        total += (double)u->weight[i];
    }
    for (int d = 0; d < u->frame->n_ul; d++) {
        sum += u->turned_rad[d] * u->turned_rad[d];
    }
    return sum < 3 * u->frame->n_ul / (2 * total);
}

/* Offset in subcarriers: what a symbol turns by over its FFT, in whole turns. */
static double in_subcarriers(const struct frame *f, double offset_rad)
{
    return offset_rad / (2 * PI) * f->fft_size / f->n_symbol_samples;
}

/* Sample by sample, about the middle of the symbol, so that its phase as a whole stays what it is. */
static void turn_within(upstream_t *u, double offset_rad, tutti_cf32 *symbols)
{
    const struct frame *f = u->frame;
    const double step = offset_rad / f->n_symbol_samples, middle = f->n_cp - f->n_cp / 2 + 0.5 * (f->fft_size - 1);
    for (int i = 0; i < f->n_symbol_samples; i++) {
        u->rotor[i] = (tutti_cf32)cexp(-I * step * (i - middle));
    }
    for (int d = 0; d < f->n_ul; d++) {
        tutti_cf32 *const row = symbols + (size_t)d * (size_t)f->n_sc;
        ofdm_modulate(u->ofdm, row, 1, u->samples);
        for (int i = 0; i < f->n_symbol_samples; i++) {
            u->samples[i] *= u->rotor[i];
        }
        ofdm_demodulate(u->ofdm, u->samples, row);
    }
}

static void follow_phase(upstream_t *u, tutti_cf32 *symbols, double *frequency_rad)
{
    const struct frame *f = u->frame;
    struct phase_track track;
    phase_track_start(&track, u->bits_per_symbol, *frequency_rad);
    for (int d = 0; d < f->n_ul; d++) {
        u->turned_rad[d] =
            phase_track_look(&track, f->n_sc, u->weight, symbols_since(f, d), symbols + (size_t)d * (size_t)f->n_sc);
    }
    const bool follow = !only_noise(u);
    *frequency_rad = follow ? track.frequency_rad : 0;
    for (int d = 0; follow && d < f->n_ul; d++) {
        phase_track_turn(f->n_sc, u->turned_rad[d], symbols + (size_t)d * (size_t)f->n_sc);
    }
}

void upstream_execute(upstream_t *u, int user, uint64_t block, tutti_cf32 *symbols, const double *sinr,
                      struct upstream_memory *memory, struct upstream_figures *figures)
{
    const double error = spread_sinr(u, sinr), eps = in_subcarriers(u->frame, memory->offset_rad);
    if (u->track_phase && (PI * eps) * (PI * eps) / 3 > WORTH_TURNING * error) {
        turn_within(u, memory->offset_rad, symbols);
    }
    if (u->track_phase && error < 0.5) { /* decisions of a stream that is hardly heard lead nowhere */
        follow_phase(u, symbols, &memory->frequency_rad);
    }
    payload_decode(u->payload, user, block, symbols, u->variance, &figures->payload);
    payload_encode(u->payload, user, block, u->truth);
    const struct quality q = quality_measure(u->frame, u->simd, u->frame->n_ul, symbols, u->truth, NULL, &u->quality);
    figures->sinr = q.sinr;
    figures->evm = q.evm;
    if (figures->payload.code_block_errors < figures->payload.code_blocks) {
        memory->offset_rad = memory->frequency_rad;
    }
}
