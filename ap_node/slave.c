/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/slave.h"

#include "base/error.h"
#include "channel/hardware.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOTES = 4, NOTE_BLOCKS = 20 };
static const double TWO_PI = 6.28318530717958647692;
/* Of a search: users' pilots, and the beacon of others beside that of the reference, reach 0.45. */
static const double THRESHOLD = 0.55;

static int create_buffers(struct slave *s)
{
    const struct frame *f = s->frame;
    const size_t n_ant = (size_t)s->n_ant;
    s->samples = calloc(n_ant * (size_t)f->n_symbol_samples, sizeof *s->samples);
    s->antennas = calloc(n_ant, sizeof *s->antennas);
    s->Y = calloc(2 * n_ant * (size_t)f->n_sc, sizeof *s->Y);
    s->slope = calloc((size_t)f->n_sc, sizeof *s->slope);
    s->strip = calloc((size_t)(f->n_block_samples + 6 * f->n_symbol_samples), sizeof *s->strip);
    return s->samples && s->antennas && s->Y && s->slope && s->strip
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for following the reference");
}

/* Beacon's centre, pilots and data of one block; with a lag the data are later blocks'. */
static struct follower_settings settings_of(const struct config *config, const struct frame *f)
{
    const double symbol_s = f->n_symbol_samples / f->sample_rate_hz, block_s = f->n_block_samples / f->sample_rate_hz;
    const double beacon = f->beacon_symbol[1];
    const double pilots = 0.5 * (f->pilot_symbol[0] + f->pilot_symbol[f->n_pilot - 1] + 1);
    const double data = f->dl_symbol[0] + 0.5 * (f->n_dl_pilot + f->n_dl);
    return (struct follower_settings){.frame = f,
                                      .n_ant = config->network.n_ant,
                                      .linewidth_hz = 2 * config->sync.linewidth_hz,
                                      .frequency_walk = config->sync.frequency_walk,
                                      .pilot_s = (pilots - beacon) * symbol_s,
                                      .data_s = (data - beacon) * symbol_s + f->lag_blocks * block_s};
}

/* What comes later than a guard symbol is long is heard among the pilots. */
static int check_delay(int delay_samples, const struct frame *f)
{
    return delay_samples <= f->n_symbol_samples - f->n_cp
               ? TUTTI_OK
               : error_set(TUTTI_ECONFIG,
                           "air.impairments.ap: clocks differ by so much that access points hear each other %d samples "
                           "late, and a guard symbol has %d: smaller timing offsets, a higher radio.ap.freq_hz or a "
                           "lower cfo_hz (the drift), or fewer network.n_blocks",
                           delay_samples, f->n_symbol_samples - f->n_cp);
}

int slave_create(struct slave *s, const struct config *config, const struct frame *frame, int id)
{
    *s = (struct slave){.frame = frame, .n_ant = config->network.n_ant};
    if (config->sync.mode == CONFIG_SYNC_AIR && config_has_emulated(config)) {
        s->known_delay = hardware_common_delay_samples(config, CONFIG_ROLE_AP, CONFIG_ROLE_AP);
    }
    int status = check_delay(s->known_delay, frame);
    status = status < 0 ? status : ring_create(&s->notes, NOTES, sizeof(struct slave_note));
    s->state = config->sync.mode == CONFIG_SYNC_SHARED ? WIRE_SYNC_SHARED : WIRE_SYNC_REFERENCE;
    s->follows = config->sync.mode == CONFIG_SYNC_AIR && id != frame->reference_ap;
    if (status < 0 || !s->follows) {
        return status;
    }
    const struct follower_settings settings = settings_of(config, frame);
    s->state = WIRE_SYNC_SEARCHING;
    status = create_buffers(s);
    status = status < 0 ? status : follower_create(&s->follower, &settings);
    status =
        status < 0 ? status : beacon_create(&s->search, frame, frame->n_block_samples + 6 * frame->n_symbol_samples);
    status = status < 0 ? status : ofdm_create(&s->ofdm, frame);
    return status < 0 ? status : rotor_create(&s->rotor, frame->n_symbol_samples);
}

void slave_destroy(struct slave *s)
{
    follower_destroy(&s->follower);
    beacon_destroy(s->search);
    ofdm_destroy(s->ofdm);
    rotor_destroy(&s->rotor);
    ring_destroy(s->notes);
    free(s->samples);
    free(s->antennas);
    free(s->Y);
    free(s->slope);
    free(s->strip);
    *s = (struct slave){0};
}

bool slave_searches(const struct slave *s)
{
    return s->follows && s->follower.state == FOLLOWER_SEARCHING;
}

/* Turning ---------------------------------------------------------------------------------------------------------- */

/* Theta at a tick: the beacon's centre is where its second symbol begins. */
static double theta(const struct slave *s, tutti_tick tick)
{
    const int64_t centre = (int64_t)s->frame->beacon_symbol[1] * s->frame->n_symbol_samples;
    const double after = (double)((int64_t)(tick - s->zero) - centre);
    return remainder(follower_phase(&s->follower, after / s->frame->sample_rate_hz), TWO_PI);
}

static void turn(struct slave *s, tutti_tick tick, bool back, int n_ant, int n, tutti_cf32 *const *x)
{
    rotor_set(&s->rotor, follower_frequency(&s->follower) / s->frame->sample_rate_hz);
    rotor_apply(&s->rotor, theta(s, tick), back, n_ant, n, x);
}

void slave_turn(struct slave *s, tutti_tick tick, int n_ant, int n, tutti_cf32 *const *x)
{
    if (s && s->follows && s->begun) {
        turn(s, tick, false, n_ant, n, x);
    }
}

/* C symbols are heard by windows that follow what comes from each AP: their neighbours may be looked into. */
static bool is_looked_at(const struct frame *f, int symbol, const char *letters)
{
    const bool beside_c =
        (symbol > 0 && f->letter[symbol - 1] == 'C') || (symbol + 1 < f->n_symbol && f->letter[symbol + 1] == 'C');
    const char letter = f->letter[symbol];
    return letter != 'B' && ((letter != 'G' && strchr(letters, letter)) || (beside_c && strchr(letters, 'C')));
}

/* In place, whole symbols that the span holds. */
static void turn_back(struct slave *s, struct node_span *span, const struct node_radio *radio, uint64_t block,
                      const char *letters)
{
    const struct frame *f = s->frame;
    for (int symbol = 0; symbol < f->n_symbol; symbol++) {
        const tutti_tick tick = node_radio_tick(radio, block, symbol);
        if (!is_looked_at(f, symbol, letters) || !node_span_has(span, tick, f->n_symbol_samples)) {
            continue;
        }
        for (int a = 0; a < s->n_ant; a++) {
            s->antennas[a] = span->samples[a] + (tick - span->from);
        }
        turn(s, tick, true, s->n_ant, f->n_symbol_samples, s->antennas);
    }
}

/* The beacon ------------------------------------------------------------------------------------------------------- */

/* Appends what was received to the tail of what was there before, if it goes on: a beacon may lie across. An antenna is
 * looked at twice in a row for that. */
static int make_strip(struct slave *s, const struct node_span *span)
{
    const struct frame *f = s->frame;
    const int n = (int)(span->whole_to - span->whole_from), most = f->n_block_samples + 3 * f->n_symbol_samples;
    const int keep = 3 * f->n_symbol_samples, fresh = n < most ? n : most;
    const bool goes_on = s->strip_end == span->whole_from && s->n_strip >= keep && s->n_searched % 2 == 1;
    const int tail = goes_on ? keep : 0;
    s->search_antenna = goes_on ? s->search_antenna : (s->search_antenna + 1) % s->n_ant;
    memmove(s->strip, s->strip + (s->n_strip - tail), (size_t)tail * sizeof *s->strip);
    memcpy(s->strip + tail, node_span_at(span, s->search_antenna, span->whole_to - (tutti_tick)fresh),
           (size_t)fresh * sizeof *s->strip);
    s->strip_end = span->whole_to;
    s->n_strip = tail + fresh;
    s->n_searched++;
    return s->n_strip;
}

/* x mod length, in the half to either side of 0. */
static int nearest(int64_t x, int64_t length)
{
    const int64_t rest = (x % length + length) % length;
    return (int)(rest > length / 2 ? rest - length : rest);
}

/* What others send right after the reference is the same symbol again: if there is a pair one symbol before, that is
 * the reference's. */
static void look_before(struct slave *s, int n, struct beacon_found *found)
{
    enum { MARGIN = 8 };
    const int symbol = s->frame->n_symbol_samples, from = found->body - symbol - MARGIN;
    const int length = symbol + s->frame->fft_size + 2 * MARGIN;
    struct beacon_found before;
    if (from >= 0 && from + length <= n &&
        beacon_search(s->search, s->strip + from, length, 0.75 * found->measure, &before)) {
        *found = before;
        found->body += from;
    }
}

/* Anywhere in what was received. True: in *late by how much later the beacon comes than by windows of `shift`. */
static bool search(struct slave *s, const struct node_span *span, const struct node_radio *radio, int shift, int *late)
{
    const struct frame *f = s->frame;
    struct beacon_found found;
    const int n = make_strip(s, span);
    if (n < 2 * f->n_symbol_samples || !beacon_search(s->search, s->strip, n, THRESHOLD, &found)) {
        return false;
    }
    look_before(s, n, &found);
    const int64_t expected = (int64_t)radio->epoch - shift + f->beacon_symbol[0] * f->n_symbol_samples;
    const int64_t seen = (int64_t)s->strip_end - n + found.body - f->n_cp + (int64_t)lrint(found.delay_samples);
    *late = nearest(seen - expected, f->n_block_samples);
    follower_found(&s->follower, found.cfo_hz);
    return true;
}

/* The first time this AP sets its time by it; later it is known where the beacon was then. */
static int search_and_move(struct slave *s, const struct node_span *span, const struct node_radio *radio)
{
    const bool again = s->follower.has_anchor;
    int late = 0;
    if (!search(s, span, radio, again ? s->shift : radio->shift, &late)) {
        return 0;
    }
    s->begun = false;
    if (!again) {
        s->shift = radio->shift - late;
        return late - s->known_delay;
    }
    follower_relocated(&s->follower, late);
    const int more = late - s->moved;
    s->moved = late;
    return more;
}

/* Both symbols, turned back by what is expected, to Y. False: they are not there. */
static bool take_beacon(struct slave *s, const struct node_span *span)
{
    const struct frame *f = s->frame;
    const size_t n_symbol = (size_t)f->n_symbol_samples, n_sc = (size_t)f->n_sc;
    for (int b = 0; b < 2; b++) {
        const tutti_tick tick =
            s->zero + (tutti_tick)(int64_t)(f->beacon_symbol[b] * f->n_symbol_samples + follower_window(&s->follower));
        if (!node_span_has(span, tick, f->n_symbol_samples)) {
            return false;
        }
        for (int a = 0; a < s->n_ant; a++) {
            s->antennas[a] = s->samples + (size_t)a * n_symbol;
            memcpy(s->antennas[a], node_span_at(span, a, tick), n_symbol * sizeof **s->antennas);
        }
        turn(s, tick, true, s->n_ant, f->n_symbol_samples, s->antennas);
        for (int a = 0; a < s->n_ant; a++) {
            ofdm_demodulate(s->ofdm, s->antennas[a], s->Y + ((size_t)(b * s->n_ant) + (size_t)a) * n_sc);
        }
    }
    return true;
}

/* Theta becomes that of `block`. Time that goes back, or jumps far, is another time line: the loop begins anew. */
static void step_to(struct slave *s, const struct node_radio *radio, uint64_t block)
{
    enum { MOST_BLOCKS = 1000 };
    const bool other_time = s->begun && (block <= s->block || block - s->block > MOST_BLOCKS);
    if (s->begun) {
        follower_pass(&s->follower, other_time ? 1 : (int)(block - s->block));
    }
    s->block = block;
    s->begun = true;
    s->zero = frame_symbol_tick(s->frame, radio->epoch - (tutti_tick)(int64_t)s->shift, block, 0);
}

static enum wire_sync state_of(const struct follower *f)
{
    static const enum wire_sync states[] = {WIRE_SYNC_SEARCHING, WIRE_SYNC_ACQUIRED, WIRE_SYNC_LOCKED, WIRE_SYNC_HOLD,
                                            WIRE_SYNC_LOST};
    return states[f->state];
}

/* Now and then, and when something has happened. */
static void tell(struct slave *s, uint64_t block, enum wire_sync before)
{
    const struct follower *f = &s->follower;
    struct slave_note *note = before != s->state || block % NOTE_BLOCKS == 0 ? ring_write_slot(s->notes) : NULL;
    if (note) {
        *note = (struct slave_note){.block = block,
                                    .cfo_hz = follower_frequency(f) / TWO_PI,
                                    .error_rad = follower_error_rad(f),
                                    .snr_db = f->snr > 0 ? 10 * log10(f->snr) : -INFINITY,
                                    .delay_samples = follower_delay_samples(f),
                                    .drift_ppm = 1e6 * f->delay.frequency_rad_per_s / s->frame->sample_rate_hz,
                                    .misfit = f->misfit,
                                    .heard = (uint64_t)f->n_heard,
                                    .missed = (uint64_t)f->n_missed,
                                    .slips = (uint64_t)f->n_slip,
                                    .moved_samples = s->moved_samples};
        ring_push(s->notes);
    }
}

/* Whole samples that the clocks have run apart since they were taken over last. */
static int moved_on(struct slave *s)
{
    const double late = follower_delay_samples(&s->follower) - s->moved;
    const int more = s->follower.has_anchor && fabs(late) > 0.75 ? (int)lrint(late) : 0; /* not back and forth */
    s->moved += more;
    return more;
}

/* e^{-j 2 pi k d / fft_size} of what is left beside whole samples. */
static void set_slope(struct slave *s)
{
    const struct frame *f = s->frame;
    const double late = s->follower.has_anchor ? follower_delay_samples(&s->follower) - s->moved : 0;
    for (int i = 0; i < f->n_sc; i++) {
        const double angle = -TWO_PI * frame_sc_hz(f, i) * late / f->sample_rate_hz;
        s->slope[i] = CMPLXF((float)cos(angle), (float)sin(angle));
    }
}

void slave_delay(const struct slave *s, bool back, int n_row, tutti_cf32 *x)
{
    if (!s || !s->follows) {
        return;
    }
    for (int row = 0; row < n_row; row++, x += s->frame->n_sc) {
        for (int i = 0; i < s->frame->n_sc; i++) {
            x[i] *= back ? conjf(s->slope[i]) : s->slope[i];
        }
    }
}

static int follow(struct slave *s, struct node_span *span, const struct node_radio *radio, uint64_t block,
                  const char *letters)
{
    if (s->begun && block > 0) {
        turn_back(s, span, radio, block - 1, letters);
    }
    step_to(s, radio, block);
    if (take_beacon(s, span)) {
        follower_look(&s->follower, s->Y);
    } else {
        follower_miss(&s->follower);
    }
    turn_back(s, span, radio, block, letters);
    set_slope(s);
    return moved_on(s);
}

int slave_hear(struct slave *s, struct node_span *span, const struct node_radio *radio, uint64_t block,
               const char *letters)
{
    const enum wire_sync before = s->state;
    if (!s->follows) {
        return 0;
    }
    const int late = slave_searches(s) ? search_and_move(s, span, radio) : follow(s, span, radio, block, letters);
    s->moved_samples += late;
    s->state = state_of(&s->follower);
    tell(s, block, before);
    return late;
}
