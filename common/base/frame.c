/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/frame.h"

#include "base/config_internal.h"
#include "base/error.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LEAST_CHUNK = 16, MOST_BLOCK_SAMPLES = 100000000 };

__attribute__((format(printf, 3, 4))) static int fail(struct frame_fault *fault, const char *keys, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    snprintf(fault->keys, sizeof fault->keys, "%s", keys);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return TUTTI_ECONFIG;
}

/* FFTW is fast at products of small primes. */
static bool is_smooth(int n)
{
    static const int primes[] = {2, 3, 5};
    for (size_t p = 0; p < sizeof primes / sizeof *primes; p++) {
        while (n > 1 && n % primes[p] == 0) {
            n /= primes[p];
        }
    }
    return n == 1;
}

static int set_subcarriers(struct frame *f, const struct config_frame *c, struct frame_fault *fault)
{
    if (!is_smooth(c->fft_size) || c->fft_size < 2) {
        return fail(fault, "frame.fft_size", "%d is not a product of powers of 2, 3 and 5", c->fft_size);
    }
    if (c->n_used_subcarriers < 2 || c->n_used_subcarriers % 2) {
        return fail(fault, "frame.n_used_subcarriers", "%d is odd, half of them lie on either side of the carrier",
                    c->n_used_subcarriers);
    }
    if (c->n_used_subcarriers >= c->fft_size) {
        return fail(fault, "frame.n_used_subcarriers frame.fft_size",
                    "n_used_subcarriers = %d must be less than fft_size = %d, the carrier stays empty",
                    c->n_used_subcarriers, c->fft_size);
    }
    if (c->subcarriers_per_subband < 1 || c->n_used_subcarriers % c->subcarriers_per_subband) {
        return fail(fault, "frame.n_used_subcarriers frame.subcarriers_per_subband",
                    "n_used_subcarriers = %d is not a multiple of subcarriers_per_subband = %d", c->n_used_subcarriers,
                    c->subcarriers_per_subband);
    }
    f->fft_size = c->fft_size;
    f->n_sc = c->n_used_subcarriers;
    f->sc_per_sb = c->subcarriers_per_subband;
    f->n_sb = f->n_sc / f->sc_per_sb;
    if (f->n_sb > TUTTI_MAX_SB) {
        return fail(fault, "frame.subcarriers_per_subband frame.n_used_subcarriers",
                    "%d used subcarriers in subbands of %d give %d subbands, at most %d are allowed", f->n_sc,
                    f->sc_per_sb, f->n_sb, TUTTI_MAX_SB);
    }
    if (c->n_cp_samples < 0 || c->n_cp_samples >= c->fft_size) {
        return fail(fault, "frame.n_cp_samples frame.fft_size", "n_cp_samples = %d must be less than fft_size = %d",
                    c->n_cp_samples, c->fft_size);
    }
    f->n_cp = c->n_cp_samples;
    f->n_symbol_samples = f->fft_size + f->n_cp;
    return 0;
}

static void index_letters(struct frame *f)
{
    for (int s = 0; s < f->n_symbol; s++) {
        switch (f->letter[s]) {
        case 'P':
            f->pilot_symbol[f->n_pilot++] = s;
            break;
        case 'U':
            f->ul_symbol[f->n_ul++] = s;
            break;
        case 'D':
            f->dl_symbol[f->n_dl++] = s;
            break;
        case 'B':
            f->beacon_symbol[f->n_beacon++] = s;
            break;
        case 'C':
            f->cal_symbol[f->n_cal++] = s;
            break;
        default:
            break;
        }
    }
}

/* Other APs' C symbols end late where clocks are off, and so do B symbols where there are several and not all send: a
 * guard right after them may not be silent. */
static void index_guards(struct frame *f)
{
    for (int s = 0; s < f->n_symbol; s++) {
        const char before = s > 0 ? f->letter[s - 1] : 'G';
        if (f->letter[s] == 'G' && before != 'C' && (before != 'B' || f->n_beacon < 2)) {
            f->guard_symbol[f->n_guard++] = s;
        }
    }
}

static int check_letters(const struct frame *f, struct frame_fault *fault)
{
    static const char *const key = "frame.schedule";
    if (f->n_pilot == 0) {
        return fail(fault, key, "there is no uplink pilot symbol (P)");
    }
    if (f->n_dl == 0) {
        return fail(fault, key, "there is no downlink symbol (D)");
    }
    if (f->n_guard == 0 && strchr(f->letter, 'G')) {
        return fail(fault, key,
                    "noise is measured in a guard symbol (G) that does not follow C or several B, there is none");
    }
    if (f->n_guard == 0) {
        return fail(fault, key, "there is no guard symbol (G), at least one is needed to measure noise");
    }
    if (f->pilot_symbol[f->n_pilot - 1] > f->dl_symbol[0]) {
        return fail(fault, key, "every uplink pilot (P) must come before the first downlink symbol (D)");
    }
    if (f->dl_symbol[f->n_dl - 1] - f->dl_symbol[0] != f->n_dl - 1) {
        return fail(fault, key, "the downlink symbols (D) must be one contiguous run");
    }
    return 0;
}

static int set_schedule(struct frame *f, const struct config_frame *c, struct frame_fault *fault)
{
    const int n = config_schedule_expand(c->schedule, f->letter, sizeof f->letter);
    if (n < 0) {
        const char *const text = error_text(), *const reason = strstr(text, ": ");
        return fail(fault, "frame.schedule", "%s", reason ? reason + 2 : text);
    }
    f->n_symbol = n;
    index_letters(f);
    index_guards(f);
    return check_letters(f, fault);
}

static int set_block(struct frame *f, const struct config_frame *c, struct frame_fault *fault)
{
    const double samples = c->sample_rate_hz * c->block_us * 1e-6;
    if (!(c->sample_rate_hz > 0) || !(samples >= 1) || samples > MOST_BLOCK_SAMPLES) {
        return fail(fault, "frame.block_us frame.sample_rate_hz",
                    "%.10g us at %.10g samples/s are %.10g samples, 1 to %d "
                    "are allowed",
                    c->block_us, c->sample_rate_hz, samples, MOST_BLOCK_SAMPLES);
    }
    if (fabs(samples - round(samples)) > 1e-6) {
        return fail(fault, "frame.block_us frame.sample_rate_hz",
                    "%.10g us at %.10g samples/s are %.10g samples, not a whole number", c->block_us, c->sample_rate_hz,
                    samples);
    }
    f->sample_rate_hz = c->sample_rate_hz;
    f->n_block_samples = (int)lround(samples);
    if ((long)f->n_symbol * f->n_symbol_samples > f->n_block_samples) {
        return fail(fault, "frame.schedule frame.block_us frame.fft_size frame.n_cp_samples frame.sample_rate_hz",
                    "%d symbols of %d samples (fft_size + n_cp_samples) do not fit a block of %d samples (block_us)",
                    f->n_symbol, f->n_symbol_samples, f->n_block_samples);
    }
    return 0;
}

/* The reference is found and followed by the same symbol twice, with nothing between; with one clock for all it is only
 * listened to, where there is a third symbol for the others (ap_node/pulse.h). */
static int set_reference(struct frame *f, const struct config *config, struct frame_fault *fault)
{
    const bool in_a_row = f->n_beacon >= 2 && f->beacon_symbol[1] == f->beacon_symbol[0] + 1;
    const bool is_there = config->sync.reference_ap < config->network.n_ap;
    f->reference_ap = f->beacon_ap = -1;
    if (config->sync.mode != CONFIG_SYNC_AIR && !(in_a_row && f->n_beacon > 2 && is_there)) {
        return 0;
    }
    if (!in_a_row) {
        return fail(fault, "sync.mode frame.schedule",
                    "mode air needs two B symbols in a row, of the reference alone, such as \"B3 G P4 U22 G D38 G\"");
    }
    if (!is_there) {
        return fail(fault, "sync.reference_ap network.n_ap", "there is no access point %d: network.n_ap = %d",
                    config->sync.reference_ap, config->network.n_ap);
    }
    f->beacon_ap = config->sync.reference_ap;
    f->reference_ap = config->sync.mode == CONFIG_SYNC_AIR ? f->beacon_ap : -1;
    return 0;
}

static int set_downlink(struct frame *f, const struct config *config, struct frame_fault *fault)
{
    const int n_pilot = config->frame.n_dl_pilot_symbols, n_zone = config_n_zone(config);
    const int n_stream = config_n_sequence(config) + n_zone;
    if (n_zone > 0 && n_pilot < n_stream) {
        return fail(fault, "frame.n_dl_pilot_symbols sensing.zones_m",
                    "%d users and %d sensing zones need as many downlink pilot symbols, n_dl_pilot_symbols is %d",
                    n_stream - n_zone, n_zone, n_pilot);
    }
    if (n_pilot < 1 || n_pilot < n_stream) {
        return fail(fault,
                    config->cluster.enabled          ? "frame.n_dl_pilot_symbols cluster.pilots"
                    : config->scheduler.n_served > 0 ? "frame.n_dl_pilot_symbols scheduler.n_served"
                                                     : "frame.n_dl_pilot_symbols network.n_ue",
                    "%d %s need as many downlink pilot symbols, n_dl_pilot_symbols is %d", n_stream,
                    config->cluster.enabled ? "shared pilots" : "users", n_pilot);
    }
    if (n_pilot >= f->n_dl) {
        return fail(fault, "frame.n_dl_pilot_symbols frame.schedule",
                    "n_dl_pilot_symbols = %d must be less than the %d downlink symbols (D) of the schedule", n_pilot,
                    f->n_dl);
    }
    f->n_dl_pilot = n_pilot;
    f->n_data_re = (f->n_dl - f->n_dl_pilot) * f->n_sc;
    return 0;
}

static int check_assignment(const struct frame *f, const struct config *config, struct frame_fault *fault)
{
    const struct config_pilots *p = &config->pilots;
    if (p->assignment_count != 0 && p->assignment_count != (unsigned)config->network.n_ue) {
        return fail(fault, "pilots.assignment network.n_ue", "pilots.assignment has %u entries for %d users",
                    p->assignment_count, config->network.n_ue);
    }
    for (unsigned k = 0; k < p->assignment_count; k++) {
        if (p->assignment[k] < 0 || p->assignment[k] >= f->n_pilot) {
            char keys[64];
            snprintf(keys, sizeof keys, "pilots.assignment[%u] frame.schedule", k);
            return fail(fault, keys, "pilot %d of user %u is outside 0..%d, the schedule has %d pilot symbols (P)",
                        p->assignment[k], k, f->n_pilot - 1, f->n_pilot);
        }
    }
    return 0;
}

/* All candidates at once, or those served and in the rest of the sequences the others in turn. */
static int check_sounding(const struct frame *f, const struct config *config, struct frame_fault *fault)
{
    const int n_ue = config->network.n_ue, n_served = config->scheduler.n_served;
    if (n_served == 0) {
        return 0;
    }
    if (!config_rotates(config) && f->n_pilot < n_ue) {
        return fail(fault, "scheduler.sounding frame.schedule network.n_ue",
                    "sounding all of %d users in every block needs as many pilot symbols (P), the schedule has %d; "
                    "rotate needs fewer",
                    n_ue, f->n_pilot);
    }
    if (config_rotates(config) && (config->pilots.assignment_count > 0 || f->n_pilot < n_served + (n_ue > n_served))) {
        return fail(fault, "scheduler.sounding frame.schedule scheduler.n_served pilots.assignment",
                    "rotating %d users through the pilots of %d served ones needs more than %d pilot symbols (P, the "
                    "schedule has %d) and no pilots.assignment",
                    n_ue, n_served, n_served, f->n_pilot);
    }
    return 0;
}

/* A chunk that holds the end of the last pilot must end no later than the first downlink sample: n <= gap suffices. */
static int set_chunk(struct frame *f, int wanted, struct frame_fault *fault)
{
    const int half = f->n_block_samples / 2;
    f->gap_samples = (f->dl_symbol[0] - f->pilot_symbol[f->n_pilot - 1] - 1) * f->n_symbol_samples;
    f->chunk_samples = f->gap_samples < half ? f->gap_samples : half;
    while (f->chunk_samples >= LEAST_CHUNK && f->n_block_samples % f->chunk_samples) {
        f->chunk_samples--;
    }
    if (f->chunk_samples < LEAST_CHUNK) {
        return fail(fault, "frame.schedule frame.block_us frame.sample_rate_hz frame.fft_size frame.n_cp_samples",
                    "the gap from the last P to the first D is %d samples, but samples travel in chunks of at least %d "
                    "that divide the block's %d and fit the gap",
                    f->gap_samples, LEAST_CHUNK, f->n_block_samples);
    }
    if (wanted && (wanted < LEAST_CHUNK || f->n_block_samples % wanted)) {
        return fail(fault, "air.chunk_samples frame.block_us frame.sample_rate_hz",
                    "chunk_samples = %d must be 0 or divide the block's %d samples and be at least %d", wanted,
                    f->n_block_samples, LEAST_CHUNK);
    }
    if (wanted > f->gap_samples) {
        return fail(fault, "air.chunk_samples frame.schedule frame.fft_size frame.n_cp_samples",
                    "chunk_samples = %d is longer than the gap of %d samples from the last P to the first D", wanted,
                    f->gap_samples);
    }
    f->chunk_samples = wanted ? wanted : f->chunk_samples;
    return 0;
}

int frame_lag_of(const struct frame *f, int piece_samples, double lead_us)
{
    const double block_us = f->n_block_samples / f->sample_rate_hz * 1e6;
    const double beyond_us = lead_us - frame_lead_window_us(f, piece_samples);
    return beyond_us < 0 ? 0 : beyond_us < 1e6 * block_us ? 1 + (int)(beyond_us / block_us) : 1000000;
}

/* All APs apply a block's precoder in the same block, the latest that any of them needs. Where time waits nobody needs
 * one. */
static int set_lag(struct frame *f, const struct config *config, struct frame_fault *fault)
{
    f->lag_blocks = config->engine.lag_blocks;
    for (int ap = 0; ap < config->network.n_ap; ap++) {
        const struct config_radio *const radio = config_radio_of(config, CONFIG_ROLE_AP, ap);
        const bool emulated = config_radio_is_emulated(radio);
        const bool paced = emulated ? config->air.mode == CONFIG_AIR_PACED : !config_radio_is_replay(radio);
        const int lag = paced ? frame_lag_of(f, emulated ? f->chunk_samples : 1, config->engine.tx_lead_us) : 0;
        f->lag_blocks = lag > f->lag_blocks ? lag : f->lag_blocks;
    }
    return f->lag_blocks <= FRAME_MAX_LAG
               ? 0
               : fail(fault, "engine.tx_lead_us frame.block_us frame.schedule frame.sample_rate_hz",
                      "tx_lead_us = %.10g would have the precoder of a block applied %d blocks later, at most %d are "
                      "possible",
                      config->engine.tx_lead_us, f->lag_blocks, FRAME_MAX_LAG);
}

int frame_plan(struct frame *frame, const struct config *config, struct frame_fault *fault)
{
    const struct config_frame *c = &config->frame;
    memset(frame, 0, sizeof *frame);
    int status = set_subcarriers(frame, c, fault);
    if (status == 0) {
        status = set_schedule(frame, c, fault);
    }
    if (status == 0) {
        status = set_block(frame, c, fault);
    }
    if (status == 0) {
        status = set_reference(frame, config, fault);
    }
    if (status == 0) {
        status = set_downlink(frame, config, fault);
    }
    if (status == 0) {
        status = check_assignment(frame, config, fault);
    }
    if (status == 0) {
        status = check_sounding(frame, config, fault);
    }
    if (status == 0) {
        status = set_chunk(frame, config->air.chunk_samples, fault);
    }
    return status < 0 ? status : set_lag(frame, config, fault);
}

int frame_init(struct frame *frame, const struct config *config)
{
    struct frame_fault fault;
    const int status = frame_plan(frame, config, &fault);
    return status < 0 ? error_set(status, "%.*s: %s", (int)strcspn(fault.keys, " "), fault.keys, fault.text) : 0;
}

double frame_lead_window_us(const struct frame *frame, int piece_samples)
{
    const int piece = piece_samples > 1 ? piece_samples : 1, first_dl = frame->dl_symbol[0] * frame->n_symbol_samples;
    const int pilots_end = first_dl - frame->gap_samples;
    const int there = (pilots_end + piece - 1) / piece * piece;
    const int due = piece > 1 ? (first_dl / piece + 1) * piece : first_dl;
    return (due - there) / frame->sample_rate_hz * 1e6;
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
