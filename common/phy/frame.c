/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/frame.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

static int set_subcarriers(struct frame *f, const struct config_frame *c)
{
    if (c->fft_size < 2 || c->n_cp_samples < 0 || c->n_cp_samples > c->fft_size) {
        return error_set(TUTTI_ECONFIG, "frame.n_cp_samples: %d with fft_size %d, allowed 0 to fft_size",
                         c->n_cp_samples, c->fft_size);
    }
    if (c->n_used_subcarriers < 2 || c->n_used_subcarriers % 2 || c->n_used_subcarriers >= c->fft_size ||
        c->n_used_subcarriers > TUTTI_MAX_SC) {
        return error_set(
            TUTTI_ECONFIG,
            "frame.n_used_subcarriers: %d, allowed an even number from 2 to %d (below fft_size %d, DC unused)",
            c->n_used_subcarriers, TUTTI_MAX_SC, c->fft_size);
    }
    if (c->subcarriers_per_subband < 1 || c->n_used_subcarriers % c->subcarriers_per_subband) {
        return error_set(TUTTI_ECONFIG, "frame.subcarriers_per_subband: %d does not divide n_used_subcarriers %d",
                         c->subcarriers_per_subband, c->n_used_subcarriers);
    }
    f->fft_size = c->fft_size;
    f->n_cp = c->n_cp_samples;
    f->n_sc = c->n_used_subcarriers;
    f->sc_per_sb = c->subcarriers_per_subband;
    f->n_sb = f->n_sc / f->sc_per_sb;
    if (f->n_sb > TUTTI_MAX_SB) {
        return error_set(TUTTI_ECONFIG, "frame.subcarriers_per_subband: %d gives %d subbands, allowed up to %d",
                         f->sc_per_sb, f->n_sb, TUTTI_MAX_SB);
    }
    f->n_symbol_samples = f->fft_size + f->n_cp;
    return 0;
}

static int set_block(struct frame *f, const struct config_frame *c)
{
    const double samples = c->sample_rate_hz * c->block_us * 1e-6;
    if (!(c->sample_rate_hz > 0) || !(samples >= 1) || samples > 1e8) {
        return error_set(TUTTI_ECONFIG, "frame.block_us: %g us at %g Hz is %g samples, allowed 1 to 1e8", c->block_us,
                         c->sample_rate_hz, samples);
    }
    if (fabs(samples - round(samples)) > 1e-6) {
        return error_set(TUTTI_ECONFIG,
                         "frame.block_us: %g us at sample_rate_hz %g is %.6f samples, must be a whole number",
                         c->block_us, c->sample_rate_hz, samples);
    }
    f->sample_rate_hz = c->sample_rate_hz;
    f->n_block_samples = (int)lround(samples);
    if ((long)f->n_symbol * f->n_symbol_samples > f->n_block_samples) {
        return error_set(TUTTI_ECONFIG,
                         "frame.schedule: %d symbols of %d samples need %ld samples, block_us %g gives %d at this rate",
                         f->n_symbol, f->n_symbol_samples, (long)f->n_symbol * f->n_symbol_samples, c->block_us,
                         f->n_block_samples);
    }
    return 0;
}

static void index_letters(struct frame *f)
{
    for (int s = 0; s < f->n_symbol; s++) {
        switch (f->letter[s]) {
        case 'P':
            f->pilot_symbol[f->n_pilot++] = s;
            break;
        case 'D':
            f->dl_symbol[f->n_dl++] = s;
            break;
        case 'G':
            f->guard_symbol[f->n_guard++] = s;
            break;
        case 'B':
            f->beacon_symbol[f->n_beacon++] = s;
            break;
        default:
            break;
        }
    }
}

static int check_letters(const struct frame *f)
{
    if (f->n_pilot == 0) {
        return error_set(TUTTI_ECONFIG, "frame.schedule: no P symbol, at least one uplink pilot is needed");
    }
    if (f->n_guard == 0) {
        return error_set(TUTTI_ECONFIG, "frame.schedule: no G symbol, at least one is needed to measure the noise");
    }
    if (f->n_dl == 0) {
        return error_set(TUTTI_ECONFIG, "frame.schedule: no D symbol, at least two downlink symbols are needed");
    }
    if (f->dl_symbol[f->n_dl - 1] - f->dl_symbol[0] != f->n_dl - 1) {
        return error_set(TUTTI_ECONFIG,
                         "frame.schedule: D symbols between %d and %d are interrupted, they must be contiguous",
                         f->dl_symbol[0], f->dl_symbol[f->n_dl - 1]);
    }
    if (f->pilot_symbol[f->n_pilot - 1] > f->dl_symbol[0]) {
        return error_set(TUTTI_ECONFIG, "frame.schedule: P at symbol %d comes after the first D at symbol %d",
                         f->pilot_symbol[f->n_pilot - 1], f->dl_symbol[0]);
    }
    if (f->dl_symbol[0] - f->pilot_symbol[f->n_pilot - 1] < 2) {
        return error_set(
            TUTTI_ECONFIG,
            "frame.schedule: no symbol between the last P and the first D, the fronthaul needs some time there");
    }
    return 0;
}

static int set_schedule(struct frame *f, const struct config_frame *c)
{
    const int n = config_schedule_expand(c->schedule, f->letter, sizeof f->letter);
    if (n < 0) {
        return n;
    }
    if (n < 1 || n > TUTTI_MAX_SYMBOL) {
        return error_set(TUTTI_ECONFIG, "frame.schedule: %d symbols, allowed 1 to %d", n, TUTTI_MAX_SYMBOL);
    }
    f->letter[n] = '\0';
    f->n_symbol = n;
    index_letters(f);
    return check_letters(f);
}

static int check_pilots(const struct frame *f, const struct config *config)
{
    const struct config_pilots *p = &config->pilots;
    const int n_ue = config->network.n_ue;
    if (f->n_dl_pilot < 1 || f->n_dl_pilot >= f->n_dl) {
        return error_set(TUTTI_ECONFIG, "frame.n_dl_pilot_symbols: %d, allowed 1 to %d (the schedule has %d D symbols)",
                         f->n_dl_pilot, f->n_dl - 1, f->n_dl);
    }
    if (f->n_dl_pilot < n_ue) {
        return error_set(TUTTI_ECONFIG,
                         "frame.n_dl_pilot_symbols: %d, allowed from network.n_ue = %d (one pilot per stream)",
                         f->n_dl_pilot, n_ue);
    }
    if (p->assignment_count != 0 && p->assignment_count != (unsigned)n_ue) {
        return error_set(TUTTI_ECONFIG, "pilots.assignment: %u entries, allowed none or network.n_ue = %d",
                         p->assignment_count, n_ue);
    }
    for (unsigned k = 0; k < p->assignment_count; k++) {
        if (p->assignment[k] < 0 || p->assignment[k] >= f->n_pilot) {
            return error_set(TUTTI_ECONFIG, "pilots.assignment: pilot %d of user %u, allowed 0 to %d (P symbols - 1)",
                             p->assignment[k], k, f->n_pilot - 1);
        }
    }
    return 0;
}

/* A chunk that holds the end of the last pilot must end no later than the first downlink sample: n <= gap suffices. */
static int set_chunk(struct frame *f, int wanted)
{
    f->gap_samples = (f->dl_symbol[0] - f->pilot_symbol[f->n_pilot - 1] - 1) * f->n_symbol_samples;
    if (wanted != 0) {
        if (wanted < 0 || wanted > f->gap_samples || f->n_block_samples % wanted) {
            return error_set(
                TUTTI_ECONFIG,
                "air.chunk_samples: %d, allowed 0 or a divisor of the block (%d samples) up to %d (last P to first D)",
                wanted, f->n_block_samples, f->gap_samples);
        }
        f->chunk_samples = wanted;
        return 0;
    }
    const int half = f->n_block_samples / 2;
    f->chunk_samples = f->gap_samples < half ? f->gap_samples : half;
    while (f->n_block_samples % f->chunk_samples) {
        f->chunk_samples--;
    }
    return 0;
}

int frame_init(struct frame *frame, const struct config *config)
{
    const struct config_frame *c = &config->frame;
    memset(frame, 0, sizeof *frame);
    int rc = set_subcarriers(frame, c);
    if (rc == 0) {
        rc = set_schedule(frame, c);
    }
    if (rc == 0) {
        rc = set_block(frame, c);
    }
    if (rc != 0) {
        return rc;
    }
    frame->n_dl_pilot = c->n_dl_pilot_symbols;
    rc = check_pilots(frame, config);
    if (rc != 0) {
        return rc;
    }
    frame->n_data_re = (frame->n_dl - frame->n_dl_pilot) * frame->n_sc;
    return set_chunk(frame, config->air.chunk_samples);
}

/* Offset from DC in subcarriers; DC itself is never used. */
static int sc_offset(const struct frame *frame, int i)
{
    const int half = frame->n_sc / 2;
    return i < half ? i - half : i - half + 1;
}

int frame_fft_index(const struct frame *frame, int i)
{
    const int k = sc_offset(frame, i);
    return k < 0 ? k + frame->fft_size : k;
}

double frame_sc_hz(const struct frame *frame, int i)
{
    return sc_offset(frame, i) * frame->sample_rate_hz / frame->fft_size;
}
