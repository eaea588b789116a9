/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ue_node/follow.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

static const double TWO_PI = 6.28318530717958647692;
static const double P_FALSE = 1e-9;    /* of a search at one place */
static const double MOST_WEIGHT = 1e5; /* SNR of one block */

int follow_create(struct follow *f, const struct frame *frame, bool active)
{
    *f = (struct follow){.frame = frame, .active = active};
    if (!active) {
        return TUTTI_OK;
    }
    const size_t n = (size_t)frame->n_symbol_samples, n_sc = (size_t)frame->n_sc;
    f->least = 16.0 / (2 * frame->n_sc); /* noise alone: (1 + T) e^-T, T = 16, at each of some places */
    f->rotor = calloc(n, sizeof *f->rotor);
    f->slope = calloc(n_sc, sizeof *f->slope);
    f->turned = calloc(n, sizeof *f->turned);
    f->row = calloc(n_sc, sizeof *f->row);
    if (!f->rotor || !f->slope || !f->turned || !f->row) {
        return error_set(TUTTI_ENOMEM, "out of memory for following the reference");
    }
    const int status = beacon_create(&f->beacon, frame, follow_search_samples(frame));
    return status < 0 ? status : ofdm_create(&f->ofdm, frame);
}

void follow_destroy(struct follow *f)
{
    beacon_destroy(f->beacon);
    ofdm_destroy(f->ofdm);
    free(f->rotor);
    free(f->slope);
    free(f->turned);
    free(f->row);
    *f = (struct follow){0};
}

int follow_search_samples(const struct frame *frame)
{
    return frame->n_block_samples + 4 * frame->n_symbol_samples;
}

/* Tables of the carrier and the fraction as they are known now. */
static void renew_tables(struct follow *f)
{
    const struct frame *frame = f->frame;
    const double complex step = cexp(-I * TWO_PI * f->cfo_hz / frame->sample_rate_hz);
    const double spacing_hz = frame->sample_rate_hz / frame->fft_size;
    double complex now = 1;
    for (int i = 0; i < frame->n_symbol_samples; i++) {
        f->rotor[i] = (tutti_cf32)now;
        now *= step;
    }
    for (int i = 0; i < frame->n_sc; i++) {
        const double k = frame_sc_hz(frame, i) / spacing_hz;
        f->slope[i] = (tutti_cf32)cexp(I * TWO_PI * k * f->fraction_samples / frame->fft_size);
    }
}

/* The reference comes `later` whole samples later than the shift says. */
static void move(struct follow *f, struct node_radio *radio, int later)
{
    radio->shift -= later;
    f->delay_sum -= later * f->weight;
}

/* One measurement, `delay` against the shift in use; what lies nearer to another sample than to this one by a quarter
 * moves the shift, so that it does not go to and fro. */
static void take(struct follow *f, const struct beacon_found *found, double delay, struct node_radio *radio)
{
    const double kept = 1 - 1.0 / FOLLOW_BLOCKS, weight = fmin(found->snr, MOST_WEIGHT);
    const double symbol_s = f->frame->n_symbol_samples / f->frame->sample_rate_hz;
    f->snr = found->snr;
    f->weight = kept * f->weight + weight;
    f->turn_sum = kept * f->turn_sum + weight * cexp(I * TWO_PI * found->cfo_hz * symbol_s);
    f->delay_sum = kept * f->delay_sum + weight * delay;
    f->cfo_hz = carg(f->turn_sum) / (TWO_PI * symbol_s);
    if (fabs(f->delay_sum / f->weight) > 0.75) {
        move(f, radio, (int)lround(f->delay_sum / f->weight));
    }
    f->fraction_samples = f->delay_sum / f->weight;
    renew_tables(f);
}

bool follow_search(struct follow *f, const tutti_cf32 *samples, tutti_tick from, struct node_radio *radio)
{
    const struct frame *frame = f->frame;
    struct beacon_found found;
    if (!beacon_search(f->beacon, samples, follow_search_samples(frame), beacon_threshold(frame, P_FALSE), &found) ||
        !(found.snr > 0)) {
        return false;
    }
    const int64_t block = frame->n_block_samples, place = frame->beacon_symbol[0] * frame->n_symbol_samples;
    const int64_t at = (int64_t)(from - radio->epoch) + found.body - frame->n_cp - place;
    const int64_t late = at - (at >= 0 ? (at + block / 2) / block : -((block / 2 - at) / block)) * block;
    radio->shift = (int)-late;
    f->weight = f->delay_sum = 0;
    f->turn_sum = 0;
    f->n_missed = 0;
    f->confirmed = false;
    f->locked = true;
    take(f, &found, found.delay_samples, radio);
    return true;
}

bool follow_beacons(struct follow *f, const tutti_cf32 *samples, struct node_radio *radio)
{
    struct beacon_found found = {0};
    if (samples) {
        const int early = f->frame->n_cp / 2;
        beacon_measure(f->beacon, samples + f->frame->n_cp - early, early, f->cfo_hz, &found);
    }
    if (found.measure > f->least && found.snr > 0) {
        f->n_missed = 0;
        f->confirmed = true;
        take(f, &found, found.delay_samples, radio);
        return true;
    }
    f->locked = ++f->n_missed < (f->confirmed ? FOLLOW_HOLD_BLOCKS : FOLLOW_CONFIRM_BLOCKS);
    return f->locked;
}

static tutti_cf32 phasor_at(const struct follow *f, int since)
{
    return (tutti_cf32)cexp(-I * TWO_PI * fmod(f->cfo_hz * since / f->frame->sample_rate_hz, 1));
}

void follow_demodulate(struct follow *f, ofdm_t *ofdm, const tutti_cf32 *samples, int since, tutti_cf32 *row)
{
    const tutti_cf32 first = phasor_at(f, since);
    for (int i = 0; i < f->frame->n_symbol_samples; i++) {
        f->turned[i] = samples[i] * (first * f->rotor[i]);
    }
    ofdm_demodulate(ofdm, f->turned, row);
    for (int i = 0; i < f->frame->n_sc; i++) {
        row[i] *= f->slope[i];
    }
}

void follow_turn(struct follow *f, const tutti_cf32 *samples, int since, tutti_cf32 *out)
{
    const tutti_cf32 first = conjf(phasor_at(f, since));
    ofdm_demodulate(f->ofdm, samples, f->row);
    for (int i = 0; i < f->frame->n_sc; i++) {
        f->row[i] *= conjf(f->slope[i]);
    }
    ofdm_modulate(f->ofdm, f->row, 1, out);
    for (int i = 0; i < f->frame->n_symbol_samples; i++) {
        out[i] *= first * conjf(f->rotor[i]);
    }
}
