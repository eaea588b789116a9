/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/pulse.h"

#include "base/error.h"
#include "channel/hardware.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEAN_BLOCKS = 64, /* means forget over so many */
    LEAST_BLOCKS = 16,
    LOST_BLOCKS = 20, /* unheard for so many: nothing is known any more */
    NOTE_BLOCKS = 20,
    SYMBOLS = 5 /* searched: from one before the beacon to one after the three */
};
static const double TWO_PI = 6.28318530717958647692;
static const double THRESHOLD = 0.55;  /* as slaves' (slave.c) */
static const double OTHER_SAMPLES = 1; /* off by more than this from the mean: something has moved */

int pulse_create(struct pulse *p, const struct config *config, const struct frame *frame, int id, ring_t *notes)
{
    *p = (struct pulse){.frame = frame, .n_ant = config->network.n_ant, .before_body = -1, .notes = notes};
    p->checks = config->sync.mode == CONFIG_SYNC_SHARED && frame->beacon_ap >= 0 && id != frame->beacon_ap;
    if (!p->checks) {
        return TUTTI_OK;
    }
    if (config_has_emulated(config)) {
        p->known_delay = hardware_common_delay_samples(config, CONFIG_ROLE_AP, CONFIG_ROLE_AP);
    }
    p->n_strip = SYMBOLS * frame->n_symbol_samples;
    p->strip = calloc((size_t)p->n_strip, sizeof *p->strip);
    p->before = calloc((size_t)p->n_strip, sizeof *p->before);
    return p->strip && p->before ? beacon_create(&p->search, frame, p->n_strip)
                                 : error_set(TUTTI_ENOMEM, "out of memory for hearing the reference");
}

void pulse_destroy(struct pulse *p)
{
    beacon_destroy(p->search);
    free(p->strip);
    free(p->before);
    *p = (struct pulse){0};
}

/* What others send right after the reference is the same symbol again: a pair one symbol before is the reference's. */
static bool find(struct pulse *p, struct beacon_found *found)
{
    enum { MARGIN = 8 };
    if (!beacon_search(p->search, p->strip, p->n_strip, THRESHOLD, found)) {
        return false;
    }
    const int symbol = p->frame->n_symbol_samples, from = found->body - symbol - MARGIN;
    struct beacon_found before;
    if (from >= 0 && beacon_search(p->search, p->strip + from, symbol + p->frame->fft_size + 2 * MARGIN,
                                   0.75 * found->measure, &before)) {
        *found = before;
        found->body += from;
    }
    return true;
}

/* By which the beacon comes later than it should. */
static double late_of(const struct pulse *p, const struct beacon_found *found)
{
    return found->body - p->frame->n_cp - p->frame->n_symbol_samples + found->delay_samples;
}

/* Sum of conj(before) now over the two symbols: its angle is what the carrier has turned in a block. */
static double complex turn_since(const struct pulse *p, int body)
{
    double complex sum = 0;
    for (int i = body; i < body + p->frame->n_symbol_samples + p->frame->fft_size; i++) {
        sum += (double complex)(conjf(p->before[i]) * p->strip[i]);
    }
    return sum;
}

static void take(struct pulse *p, const struct beacon_found *found, uint64_t block)
{
    const double late = late_of(p, found);
    if (p->n_mean > 0 && fabs(late - p->late_samples) > OTHER_SAMPLES) {
        p->n_mean = p->n_turn = 0;
    }
    p->n_mean += p->n_mean < MEAN_BLOCKS;
    p->late_samples += (late - p->late_samples) / p->n_mean;
    p->coarse_hz += (found->cfo_hz - p->coarse_hz) / p->n_mean;
    p->snr += (found->snr - p->snr) / p->n_mean;
    if (p->before_body >= 0 && p->before_block + 1 == block && abs(p->before_body - found->body) <= 1) {
        p->n_turn += p->n_turn < MEAN_BLOCKS;
        p->turn += (turn_since(p, found->body) - p->turn) / p->n_turn;
    }
}

/* The next antenna is tried: one may be deaf. */
static void miss(struct pulse *p)
{
    p->missed++;
    p->n_missing++;
    p->before_body = -1;
    p->antenna = (p->antenna + 1) % p->n_ant;
    if (p->n_missing >= LOST_BLOCKS) {
        p->n_mean = p->n_turn = 0;
    }
}

double pulse_late_samples(const struct pulse *p)
{
    return p->n_mean >= LEAST_BLOCKS ? p->late_samples : NAN;
}

double pulse_cfo_hz(const struct pulse *p)
{
    if (p->n_mean < LEAST_BLOCKS || p->n_turn < LEAST_BLOCKS / 2) {
        return NAN;
    }
    const double block_s = p->frame->n_block_samples / p->frame->sample_rate_hz;
    const double fine_hz = carg(p->turn) / (TWO_PI * block_s);
    return fine_hz + round((p->coarse_hz - fine_hz) * block_s) / block_s;
}

static void tell(struct pulse *p, const struct node_radio *radio, uint64_t block)
{
    struct slave_note *note = block % NOTE_BLOCKS == 0 ? ring_write_slot(p->notes) : NULL;
    if (note) {
        *note = (struct slave_note){.block = block,
                                    .cfo_hz = pulse_cfo_hz(p),
                                    .error_rad = NAN,
                                    .snr_db = p->n_mean > 0 ? 10 * log10(p->snr) : NAN,
                                    .delay_samples = pulse_late_samples(p),
                                    .drift_ppm = NAN,
                                    .misfit = NAN,
                                    .heard = p->heard,
                                    .missed = p->missed,
                                    .moved_samples = -radio->shift};
        ring_push(p->notes);
    }
}

void pulse_hear(struct pulse *p, const struct node_span *span, const struct node_radio *radio, uint64_t block)
{
    if (!p->checks) {
        return;
    }
    const tutti_tick from = node_radio_tick(radio, block, p->frame->beacon_symbol[0]) +
                            (tutti_tick)(int64_t)(p->known_delay - p->frame->n_symbol_samples);
    if (node_span_has(span, from, p->n_strip)) {
        struct beacon_found found;
        tutti_cf32 *const last = p->before;
        memcpy(p->strip, node_span_at(span, p->antenna, from), (size_t)p->n_strip * sizeof *p->strip);
        if (find(p, &found)) {
            take(p, &found, block);
            p->heard++;
            p->n_missing = 0;
            p->before_body = found.body;
            p->before_block = block;
        } else {
            miss(p);
        }
        p->before = p->strip;
        p->strip = last;
    }
    tell(p, radio, block);
}
