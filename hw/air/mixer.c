/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/mixer.h"

#include "base/error.h"
#include "channel/noise.h"
#include "channel/random.h"
#include "hw/air/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TILE = 1024, /* samples at a time, from what is sent to what is received: all of them stay in the cache */
    PIECE = 256  /* samples of noise that can be made alone, and over which a clock's drift is nothing; divides TILE */
};

/* What a radio whose clock is not whole hands out, by its own clock, quiet samples zero. */
struct own_line {
    tutti_cf32 *x;      /* [n_ant][n_history + tile]; NULL: its clock is whole */
    int n_history;      /* samples before the tile */
    int n_since_signal; /* samples since there was any, the tile's included; from n_history + tile on: all is zero */
};

/* A radio's samples. Sent: the last n_history ones before this tile, then this tile; where nothing is to be
 * remembered or done to them, they are taken from where they lie. Those outside [lo, hi) count as zero, whatever is
 * there. Received: made where they are to lie. */
struct line {
    const tutti_cf32 *sent; /* [n_ant][sent_stride] */
    size_t sent_stride;
    int lo, hi; /* lo = hi: all quiet */
    struct own_line own;
    tutti_cf32 *copy;         /* [n_ant][n_history + tile]; NULL: taken from where they lie */
    tutti_cf32 *sum;          /* [n_ant][chunk] from the tile's first sample on */
    int from, to;             /* what is wanted of them, whole pieces; from = to: nothing */
    tutti_cf32 *rotor;        /* [tile] exp(j phase) of the oscillator, NULL = ideal */
    double phase_noise_turns; /* at the start of the tile */
};

/* A run of samples of a receive antenna, and all that arrives there. */
struct batch {
    int from, to; /* in the tile */
    int n_source;
    bool fresh; /* nothing was added to its tile before */
};

/* Where the sum of an antenna goes: sample i of a batch is sample i - ahead of the tile. */
struct sink {
    tutti_cf32 *sum;
    int ahead;
};

struct mixer {
    struct links *links;
    const struct convolve_ops *ops;
    uint64_t seed;
    int chunk, tile;                /* tile: at most; the last of a chunk may be shorter */
    int n_history, stride;          /* stride = n_history + tile */
    int n_before;                   /* samples of the tile before */
    tutti_tick tick;                /* of the tile */
    tutti_tick links_until;         /* the coefficients hold before that */
    struct line *line;              /* [n_radio] */
    float *step;                    /* [tile, even] phase noise increments */
    struct convolve_source *source; /* [transmit antennas of all radios] of one tap */
    struct resample resample;
    tutti_cf32 *wide; /* [PIECE + RESAMPLE_TAPS] what arrives by the air's clock */
    bool begun;
};

/* Zeros that take no memory before they are touched: a radio that is not there costs none. */
static tutti_cf32 *new_samples(size_t n)
{
    return calloc(n, sizeof(tutti_cf32));
}

static bool fill_line(const mixer_t *m, struct line *line, const struct links_radio *radio)
{
    const bool has_rotor = radio->cfo_turns != 0 || radio->phase_step_rad > 0;
    const bool has_copy = m->n_history > 0 || radio->clip || has_rotor || !radio->whole_clock;
    line->own.n_history = 2 * radio->reach + RESAMPLE_TAPS;
    line->own.n_since_signal = line->own.n_history + m->tile;
    line->own.x = radio->whole_clock ? NULL : new_samples((size_t)radio->n_ant * (size_t)(line->own.n_since_signal));
    line->copy = has_copy ? new_samples((size_t)radio->n_ant * (size_t)m->stride) : NULL;
    line->rotor = has_rotor ? new_samples((size_t)m->tile) : NULL;
    return (line->copy || !has_copy) && (line->rotor || !has_rotor) && (line->own.x || radio->whole_clock);
}

static int n_source_max(const struct links *links)
{
    int n = 0;
    for (int r = 0; r < links->n_radio; r++) {
        n += links->radio[r].n_ant;
    }
    return n * links->n_tap;
}

int mixer_create(mixer_t **mixer, struct links *links, uint64_t seed, int chunk)
{
    mixer_t *m = calloc(1, sizeof *m);
    *mixer = m;
    bool good = m != NULL;
    if (good) {
        m->links = links;
        m->seed = seed;
        m->chunk = chunk;
        m->tile = chunk < TILE ? chunk : TILE;
        m->n_history = links->max_delay + (links->max_reach > 0 ? 2 * links->max_reach + RESAMPLE_TAPS : 0);
        m->stride = m->n_history + m->tile;
        m->step = calloc((size_t)m->tile + 1, sizeof *m->step);
        m->ops = convolve_get();
        m->line = calloc((size_t)links->n_radio, sizeof *m->line);
        m->source = calloc((size_t)n_source_max(links), sizeof *m->source);
        m->wide = calloc(PIECE + RESAMPLE_TAPS, sizeof *m->wide);
        good = m->step && m->line && m->source && m->wide && resample_create(&m->resample) == TUTTI_OK;
    }
    for (int r = 0; good && r < links->n_radio; r++) {
        good = fill_line(m, &m->line[r], &links->radio[r]);
    }
    if (!good) {
        mixer_destroy(m);
        *mixer = NULL;
        return error_set(TUTTI_ENOMEM, "no memory for %d radios with chunks of %d samples", links->n_radio, chunk);
    }
    return TUTTI_OK;
}

void mixer_destroy(mixer_t *m)
{
    if (!m) {
        return;
    }
    for (int r = 0; m->line && r < m->links->n_radio; r++) {
        struct line *line = &m->line[r];
        free(line->copy);
        free(line->own.x);
        free(line->rotor);
    }
    free(m->line);
    free(m->step);
    free(m->source);
    free(m->wide);
    resample_destroy(&m->resample);
    free(m);
}

/* n samples from `tick`, a whole tile or what is left of a chunk. */
struct tile {
    tutti_tick tick;
    int at, n; /* at: in the chunk */
};

/* Phase noise goes on whether or not the radio is there, so that nothing depends on who joined when. */
static void turn_oscillator(mixer_t *m, struct line *line, const struct links_radio *radio, const struct tile *tile)
{
    const double noise_scale = radio->phase_step_rad / 6.28318530717958647692;
    double phase = fmod(radio->cfo_turns * (double)tile->tick, 1.0), re, im;
    if (noise_scale > 0) {
        memset(m->step, 0, (size_t)(tile->n + 1) * sizeof *m->step);
        noise_add(random_key(m->seed, RANDOM_PHASE_NOISE, radio->code, tile->tick, 0), 1.0f, (tile->n + 1) / 2,
                  m->step);
        for (int i = 0; i < tile->n; i++) {
            random_phasor(phase + radio->cfo_turns * i + line->phase_noise_turns, &re, &im);
            line->rotor[i] = CMPLXF((float)re, (float)im);
            line->phase_noise_turns += noise_scale * (double)m->step[i];
        }
        line->phase_noise_turns -= rint(line->phase_noise_turns);
        return;
    }
    double step_re, step_im;
    random_phasor(phase, &re, &im);
    random_phasor(radio->cfo_turns, &step_re, &step_im);
    for (int i = 0; i < tile->n; i++) {
        line->rotor[i] = CMPLXF((float)re, (float)im);
        const double next = re * step_re - im * step_im;
        im = re * step_im + im * step_re;
        re = next;
    }
}

/* The part of [from, to) of a chunk that lies in the tile; nothing without samples. */
static void cut(const void *samples, int from, int to, const struct tile *tile, int *tile_from, int *tile_to)
{
    const int end = to - tile->at < tile->n ? to - tile->at : tile->n;
    *tile_from = from > tile->at ? from - tile->at : 0;
    *tile_to = end;
    if (!samples || *tile_from >= end) {
        *tile_from = *tile_to = 0;
    }
}

/* Signal in [lo, hi) of an antenna's line moves back by n samples, those of the tile before; what is new comes behind
 * it. */
static void move_line(const mixer_t *m, struct line *line, int n_ant, int n, int from, int to)
{
    const int lo = line->lo > n ? line->lo - n : 0, hi = line->hi > n ? line->hi - n : 0;
    for (int a = 0; a < n_ant; a++) {
        tutti_cf32 *x = line->copy + (size_t)a * (size_t)m->stride;
        if (lo < hi) {
            memmove(x + lo, x + lo + n, (size_t)(hi - lo) * sizeof *x);
        }
        if (lo < hi && from < to) { /* both in one run: what is between them becomes zero */
            memset(x + hi, 0, (size_t)(m->n_history + from - hi) * sizeof *x);
        }
    }
    line->lo = lo < hi ? lo : from < to ? m->n_history + from : 0;
    line->hi = from < to ? m->n_history + to : lo < hi ? hi : 0;
}

/* Samples from..to-1 of the tile of one antenna to x, as the radio's hardware sends them. */
static void put(const mixer_t *m, const struct line *line, const struct links_radio *radio, const tutti_cf32 *samples,
                int from, int to, tutti_cf32 *x)
{
    const int n = to - from;
    memcpy(x, samples + from, (size_t)n * sizeof *x);
    if (radio->clip) {
        m->ops->clip(2 * n, (float *)x);
    }
    if (line->rotor) {
        m->ops->rotate(n, line->rotor + from, false, x);
    }
}

/* Moves the line on and puts in what is new. */
static void take_copy(const mixer_t *m, struct line *line, const struct links_radio *radio, const tutti_cf32 *samples,
                      int from, int to)
{
    move_line(m, line, radio->n_ant, m->n_before, from, to);
    for (int a = 0; to > from && a < radio->n_ant; a++) {
        tutti_cf32 *x = line->copy + (size_t)a * (size_t)m->stride + m->n_history + from;
        put(m, line, radio, samples + (size_t)a * (size_t)m->chunk, from, to, x);
    }
}

/* By the radio's own clock. */
static void take_own(const mixer_t *m, struct line *line, const struct links_radio *radio, const tutti_cf32 *samples,
                     const struct tile *tile, int from, int to)
{
    struct own_line *own = &line->own;
    const size_t stride = (size_t)(own->n_history + m->tile);
    for (int a = 0; a < radio->n_ant; a++) {
        tutti_cf32 *x = own->x + (size_t)a * stride;
        memmove(x, x + m->n_before, (size_t)own->n_history * sizeof *x);
        memset(x + own->n_history, 0, (size_t)tile->n * sizeof *x);
        if (from < to) {
            put(m, line, radio, samples + (size_t)a * (size_t)m->chunk, from, to, x + own->n_history + from);
        }
    }
    const int quiet = from < to ? tile->n - to : own->n_since_signal + tile->n, most = own->n_history + m->tile;
    own->n_since_signal = quiet < most ? quiet : most;
}

/* The line by the air's clock out of what the radio handed out by its own. */
static void take_late(const mixer_t *m, int r, const tutti_cf32 *samples, const struct tile *tile, int from, int to)
{
    struct line *line = &m->line[r];
    const struct links_radio *radio = &m->links->radio[r];
    const size_t stride = (size_t)(line->own.n_history + m->tile);
    take_own(m, line, radio, samples, tile, from, to);
    const bool quiet = line->own.n_since_signal >= line->own.n_history + tile->n;
    move_line(m, line, radio->n_ant, m->n_before, 0, quiet ? 0 : tile->n);
    for (int at = 0; !quiet && at < tile->n; at += PIECE) {
        const double delay = radio->reach + links_late_samples(m->links, r, tile->tick + (tutti_tick)(at + PIECE / 2));
        const int n = tile->n - at < PIECE ? tile->n - at : PIECE;
        for (int a = 0; a < radio->n_ant; a++) {
            const tutti_cf32 *x = line->own.x + (size_t)a * stride + (line->own.n_history + at - resample_back(delay));
            resample_execute(&m->resample, delay, n, x, line->copy + (size_t)a * (size_t)m->stride + m->n_history + at);
        }
    }
}

/* What the radio transmits in the tile. */
static void take(const mixer_t *m, int r, const struct mixer_input *in, const struct tile *tile)
{
    struct line *line = &m->line[r];
    const tutti_cf32 *samples = in->samples ? in->samples + tile->at : NULL;
    int from, to;
    cut(in->samples, in->from, in->to, tile, &from, &to);
    if (line->own.x) {
        take_late(m, r, samples, tile, from, to);
    } else if (line->copy) {
        take_copy(m, line, &m->links->radio[r], samples, from, to);
    }
    if (line->copy) {
        line->sent = line->copy;
        line->sent_stride = (size_t)m->stride;
    } else {
        line->lo = from;
        line->hi = to;
        line->sent = from < to ? samples : NULL;
        line->sent_stride = (size_t)m->chunk;
    }
}

/* Adds what was gathered. The first sum in a tile does not care what was there, and makes zeros of the rest. */
static void flush(const mixer_t *m, struct batch tile, struct batch *batch, tutti_cf32 *sum)
{
    if (batch->n_source == 0) {
        return;
    }
    if (batch->fresh) {
        memset(sum + tile.from, 0, (size_t)(batch->from - tile.from) * sizeof *sum);
        memset(sum + batch->to, 0, (size_t)(tile.to - batch->to) * sizeof *sum);
    }
    m->ops->add(batch->to - batch->from, batch->n_source, m->source, batch->fresh, sum + batch->from);
    batch->fresh = false;
    batch->n_source = 0;
}

static tutti_cf32 *sum_of(const mixer_t *m, int rx, int q)
{
    return m->line[rx].sum + (size_t)q * (size_t)m->chunk;
}

/* Samples of a line. */
struct run {
    int lo, hi;
};

/* Adds what transmit antennas of radio tx send over one tap to antenna q of rx, in [from, to) of the tile. Signals
 * over the same run are gathered and added together; only those in `heard` of its line. */
static void gather_tap(const mixer_t *m, int tx, int rx, int q, int tap, struct run heard, const struct sink *sink,
                       struct batch tile, struct batch *batch)
{
    const struct links *l = m->links;
    const struct link *link = links_between(l, tx, rx);
    const struct line *source = &m->line[tx];
    const int n_tx = l->radio[tx].n_ant, n_rx = l->radio[rx].n_ant;
    const int back = m->n_history - link->delay - l->tap_delay[tap] - sink->ahead; /* line index of the batch's 0 */
    const int from = heard.lo - back > tile.from ? heard.lo - back : tile.from;
    const int to = heard.hi - back < tile.to ? heard.hi - back : tile.to;
    if (from >= to) {
        return;
    }
    if (from != batch->from || to != batch->to) {
        flush(m, tile, batch, sink->sum);
        *batch = (struct batch){from, to, 0, batch->fresh};
    }
    for (int p = 0; p < n_tx; p++) {
        m->source[batch->n_source++] = (struct convolve_source){
            source->sent + (size_t)p * source->sent_stride + (back + from), link->gain[(tap * n_rx + q) * n_tx + p]};
    }
}

static void gather_taps(const mixer_t *m, int tx, int rx, int q, struct run heard, const struct sink *sink,
                        struct batch tile, struct batch *batch)
{
    for (int tap = 0; heard.lo < heard.hi && tap < m->links->n_tap; tap++) {
        gather_tap(m, tx, rx, q, tap, heard, sink, tile, batch);
    }
}

/* From another AP: what it sent in the windows of this block and, as the line reaches back, of earlier ones. */
static void gather_windows(const mixer_t *m, int tx, int rx, int q, const struct sink *sink, struct batch tile,
                           struct batch *batch)
{
    const struct links *l = m->links;
    const struct line *line = &m->line[tx];
    const int64_t start = (int64_t)m->tick - m->n_history, end = (int64_t)m->tick + m->tile;
    const int64_t last = end / l->n_block_samples + 1; /* windows may begin in the block before their own */
    for (int64_t block = start < 0 ? 0 : start / l->n_block_samples; block <= last; block++) {
        for (int w = 0; w < l->n_window; w++) {
            const int64_t lo = block * l->n_block_samples + l->window[w].from - start;
            const int64_t hi = block * l->n_block_samples + l->window[w].to - start;
            const struct run heard = {lo > line->lo ? (int)lo : line->lo, hi < line->hi ? (int)hi : line->hi};
            gather_taps(m, tx, rx, q, heard, sink, tile, batch);
        }
    }
}

/* All that arrives at an antenna. False: nothing, and all is zero. */
static bool mix_antenna(const mixer_t *m, int rx, int q, const struct sink *sink, struct batch tile)
{
    struct batch batch = {.fresh = true};
    for (int tx = 0; tx < m->links->n_radio; tx++) {
        const struct link *link = links_between(m->links, tx, rx);
        if (m->line[tx].lo >= m->line[tx].hi || !link->active) {
            continue;
        }
        if (link->between_aps) {
            gather_windows(m, tx, rx, q, sink, tile, &batch);
        } else {
            gather_taps(m, tx, rx, q, (struct run){m->line[tx].lo, m->line[tx].hi}, sink, tile, &batch);
        }
    }
    flush(m, tile, &batch, sink->sum);
    if (batch.fresh) {
        memset(sink->sum + tile.from, 0, (size_t)(tile.to - tile.from) * sizeof *sink->sum);
    }
    return !batch.fresh;
}

/* The same at a radio whose clock is not whole: what arrives by the air's clock first, with the samples before that the
 * filter needs, then what the radio makes of it, piece by piece of its drift. */
static void mix_late(const mixer_t *m, int rx, int q, struct batch part)
{
    const struct links_radio *radio = &m->links->radio[rx];
    for (int from = part.from, to; from < part.to; from = to) {
        const int begin = from / PIECE * PIECE;
        to = begin + PIECE < part.to ? begin + PIECE : part.to;
        const double delay = radio->reach - links_late_samples(m->links, rx, m->tick + (tutti_tick)(begin + PIECE / 2));
        const int back = resample_back(delay), n = to - from + RESAMPLE_TAPS - 1;
        const struct sink sink = {m->wide, back - from};
        if (mix_antenna(m, rx, q, &sink, (struct batch){0, n, 0, true})) {
            resample_execute(&m->resample, delay, to - from, m->wide, sum_of(m, rx, q) + from);
        } else {
            memset(sum_of(m, rx, q) + from, 0, (size_t)(to - from) * sizeof *m->wide);
        }
    }
}

/* [from, to) of the tile, over which the coefficients do not change. */
static void mix(const mixer_t *m, int from, int to)
{
    for (int rx = 0; rx < m->links->n_radio; rx++) {
        const struct line *sink = &m->line[rx];
        const struct batch part = {sink->from > from ? sink->from : from, sink->to < to ? sink->to : to, 0, true};
        for (int q = 0; part.from < part.to && q < m->links->radio[rx].n_ant; q++) {
            const struct sink here = {sum_of(m, rx, q), 0};
            if (m->links->radio[rx].whole_clock) {
                mix_antenna(m, rx, q, &here, part);
            } else {
                mix_late(m, rx, q, part);
            }
        }
    }
}

/* Whole pieces of noise that hold what is wanted. */
static void expect(struct line *line, const struct mixer_output *out, const struct tile *tile)
{
    int from, to;
    cut(out->samples, out->from, out->to, tile, &from, &to);
    line->sum = from < to ? out->samples + tile->at : NULL;
    const int end = (to + PIECE - 1) / PIECE * PIECE;
    line->from = from / PIECE * PIECE;
    line->to = end < tile->n ? end : tile->n;
}

/* A function of the seed, the antenna and the tick alone, whatever else was made. */
static void add_noise(const mixer_t *m, const struct links_radio *radio, int antenna, tutti_tick tick, int from, int to,
                      tutti_cf32 *x)
{
    for (int at = from; at < to; at += PIECE) {
        const uint64_t key = random_key(m->seed, RANDOM_NOISE, radio->code, (uint64_t)antenna, tick + (tutti_tick)at);
        noise_add(key, radio->noise_sigma, at + PIECE < to ? PIECE : to - at, (float *)(x + at));
    }
}

/* Receiver: oscillator, noise, converter. */
static void give(const mixer_t *m, int rx, const struct tile *tile)
{
    const struct line *line = &m->line[rx];
    const struct links_radio *radio = &m->links->radio[rx];
    const int from = line->from, n = line->to - line->from;
    for (int a = 0; n > 0 && a < radio->n_ant; a++) {
        tutti_cf32 *x = sum_of(m, rx, a);
        if (line->rotor) {
            m->ops->rotate(n, line->rotor + from, true, x + from);
        }
        add_noise(m, radio, a, tile->tick, from, line->to, x);
        if (radio->adc_bits > 0) {
            m->ops->quantise(2 * n, radio->adc_bits, (float *)(x + from));
        }
    }
}

static void execute_tile(mixer_t *m, const struct tile *tile, const struct mixer_input *in,
                         const struct mixer_output *out, void (*on_change)(void *context), void *context)
{
    const int n_radio = m->links->n_radio;
    const tutti_tick end = tile->tick + (tutti_tick)tile->n;
    m->tick = tile->tick;
    for (int r = 0; r < n_radio; r++) {
        struct line *line = &m->line[r];
        const struct links_radio *radio = &m->links->radio[r];
        if (line->rotor) {
            turn_oscillator(m, line, radio, tile);
        }
        take(m, r, &in[r], tile);
        expect(line, &out[r], tile);
    }
    for (tutti_tick from = tile->tick, to; from < end; from = to) {
        if (from >= m->links_until) {
            m->links_until = links_update(m->links, from);
            if (on_change) {
                on_change(context);
            }
        }
        to = m->links_until < end ? m->links_until : end;
        mix(m, (int)(from - tile->tick), (int)(to - tile->tick));
    }
    for (int r = 0; r < n_radio; r++) {
        give(m, r, tile);
    }
    m->n_before = tile->n;
}

void mixer_execute(mixer_t *m, tutti_tick tick, const struct mixer_input *in, const struct mixer_output *out,
                   void (*on_change)(void *context), void *context)
{
    if (!m->begun) {
        links_begin(m->links, tick);
        m->begun = true;
    }
    for (int at = 0; at < m->chunk; at += m->tile) {
        const struct tile tile = {tick + (tutti_tick)at, at, m->chunk - at < m->tile ? m->chunk - at : m->tile};
        execute_tile(m, &tile, in, out, on_change, context);
    }
}
