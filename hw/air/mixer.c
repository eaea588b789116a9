/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/mixer.h"

#include "base/error.h"
#include "channel/noise.h"
#include "channel/random.h"
#include "hw/air/convolve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TILE = 1024, /* samples at a time, from what is sent to what is received: all of them stay in the cache */
    PIECE = 256  /* samples of noise that can be made alone; divides TILE */
};

/* A radio's samples, split: the last n_history transmitted ones before this tile, then this tile. Those outside
 * [lo, hi) count as zero, whatever is there. */
struct line {
    float *re, *im;             /* [n_ant][n_history + tile] */
    int lo, hi;                 /* lo = hi: all quiet */
    float *sum_re, *sum_im;     /* [n_ant][tile] received */
    int from, to;               /* what is wanted of them, whole pieces; from = to: nothing */
    float *rotor_re, *rotor_im; /* [tile] exp(j phase) of the oscillator, NULL = ideal */
    double phase_noise_turns;   /* at the start of the tile */
};

/* A run of samples of a receive antenna, and all that arrives there. */
struct batch {
    int from, to; /* in the tile */
    int n_source;
    bool fresh; /* nothing was added to its tile before */
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
    float *step_re, *step_im;       /* [tile] phase noise increments */
    struct convolve_source *source; /* [transmit antennas of all radios] of one tap */
};

/* Zeros that take no memory before they are touched: a radio that is not there costs none. */
static float *new_floats(size_t n)
{
    return calloc(n, sizeof(float));
}

static bool fill_line(const mixer_t *m, struct line *line, const struct links_radio *radio)
{
    const size_t n_ant = (size_t)radio->n_ant, n_tx = n_ant * (size_t)m->stride, n_rx = n_ant * (size_t)m->tile;
    line->re = new_floats(n_tx);
    line->im = new_floats(n_tx);
    line->sum_re = new_floats(n_rx);
    line->sum_im = new_floats(n_rx);
    bool good = line->re && line->im && line->sum_re && line->sum_im;
    if (radio->cfo_turns != 0 || radio->phase_step_rad > 0) {
        line->rotor_re = new_floats((size_t)m->tile);
        line->rotor_im = new_floats((size_t)m->tile);
        good = good && line->rotor_re && line->rotor_im;
    }
    return good;
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
        m->n_history = links->max_delay;
        m->stride = m->n_history + m->tile;
        m->step_re = new_floats((size_t)m->tile);
        m->step_im = new_floats((size_t)m->tile);
        m->ops = convolve_get();
        m->line = calloc((size_t)links->n_radio, sizeof *m->line);
        m->source = calloc((size_t)n_source_max(links), sizeof *m->source);
        good = m->step_re && m->step_im && m->line && m->source;
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
        free(line->re);
        free(line->im);
        free(line->sum_re);
        free(line->sum_im);
        free(line->rotor_re);
        free(line->rotor_im);
    }
    free(m->line);
    free(m->step_re);
    free(m->step_im);
    free(m->source);
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
        memset(m->step_re, 0, (size_t)tile->n * sizeof(float));
        memset(m->step_im, 0, (size_t)tile->n * sizeof(float));
        noise_add(random_key(m->seed, RANDOM_PHASE_NOISE, radio->code, tile->tick, 0), 1.0f, tile->n, m->step_re,
                  m->step_im);
        for (int i = 0; i < tile->n; i++) {
            random_phasor(phase + radio->cfo_turns * i + line->phase_noise_turns, &re, &im);
            line->rotor_re[i] = (float)re;
            line->rotor_im[i] = (float)im;
            line->phase_noise_turns += noise_scale * (double)m->step_re[i];
        }
        line->phase_noise_turns -= rint(line->phase_noise_turns);
        return;
    }
    double step_re, step_im;
    random_phasor(phase, &re, &im);
    random_phasor(radio->cfo_turns, &step_re, &step_im);
    for (int i = 0; i < tile->n; i++) {
        line->rotor_re[i] = (float)re;
        line->rotor_im[i] = (float)im;
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
        float *re = line->re + (size_t)a * (size_t)m->stride, *im = line->im + (size_t)a * (size_t)m->stride;
        if (lo < hi) {
            memmove(re + lo, re + lo + n, (size_t)(hi - lo) * sizeof *re);
            memmove(im + lo, im + lo + n, (size_t)(hi - lo) * sizeof *im);
        }
        if (lo < hi && from < to) { /* both in one run: what is between them becomes zero */
            memset(re + hi, 0, (size_t)(m->n_history + from - hi) * sizeof *re);
            memset(im + hi, 0, (size_t)(m->n_history + from - hi) * sizeof *im);
        }
    }
    line->lo = lo < hi ? lo : from < to ? m->n_history + from : 0;
    line->hi = from < to ? m->n_history + to : lo < hi ? hi : 0;
}

/* Move the line on and put in what the radio transmits in the tile. */
static void take(const mixer_t *m, struct line *line, const struct links_radio *radio, const struct mixer_input *in,
                 const struct tile *tile)
{
    int from, to;
    cut(in->samples, in->from, in->to, tile, &from, &to);
    const int n = to - from;
    move_line(m, line, radio->n_ant, m->n_before, from, to);
    for (int a = 0; n > 0 && a < radio->n_ant; a++) {
        const size_t at = (size_t)a * (size_t)m->stride + (size_t)(m->n_history + from);
        float *re = line->re + at, *im = line->im + at;
        m->ops->split(n, in->samples + (size_t)a * (size_t)m->chunk + tile->at + from, re, im);
        if (radio->clip) {
            m->ops->clip(n, re);
            m->ops->clip(n, im);
        }
        if (line->rotor_re) {
            m->ops->rotate(n, line->rotor_re + from, line->rotor_im + from, false, re, im);
        }
    }
}

/* Adds what was gathered. The first sum in a tile does not care what was there, and makes zeros of the rest. */
static void flush(const mixer_t *m, struct batch tile, struct batch *batch, float *sum_re, float *sum_im)
{
    if (batch->n_source == 0) {
        return;
    }
    if (batch->fresh) {
        memset(sum_re + tile.from, 0, (size_t)(batch->from - tile.from) * sizeof *sum_re);
        memset(sum_im + tile.from, 0, (size_t)(batch->from - tile.from) * sizeof *sum_im);
        memset(sum_re + batch->to, 0, (size_t)(tile.to - batch->to) * sizeof *sum_re);
        memset(sum_im + batch->to, 0, (size_t)(tile.to - batch->to) * sizeof *sum_im);
    }
    m->ops->add(batch->to - batch->from, batch->n_source, m->source, batch->fresh, sum_re + batch->from,
                sum_im + batch->from);
    batch->fresh = false;
    batch->n_source = 0;
}

/* Samples of a line. */
struct run {
    int lo, hi;
};

/* Adds what transmit antennas of radio tx send over one tap to antenna q of rx, in [from, to) of the tile. Signals
 * over the same run are gathered and added together; only those in `heard` of its line. */
static void gather_tap(const mixer_t *m, int tx, int rx, int q, int tap, struct run heard, struct batch tile,
                       struct batch *batch)
{
    const struct links *l = m->links;
    const struct link *link = links_between(l, tx, rx);
    const struct line *source = &m->line[tx];
    struct line *sink = &m->line[rx];
    float *sum_re = sink->sum_re + (size_t)q * (size_t)m->tile, *sum_im = sink->sum_im + (size_t)q * (size_t)m->tile;
    const int n_tx = l->radio[tx].n_ant, n_rx = l->radio[rx].n_ant;
    const int back = m->n_history - link->delay - l->tap_delay[tap]; /* line index of sample 0 of the tile */
    const int from = heard.lo - back > tile.from ? heard.lo - back : tile.from;
    const int to = heard.hi - back < tile.to ? heard.hi - back : tile.to;
    if (from >= to) {
        return;
    }
    if (from != batch->from || to != batch->to) {
        flush(m, tile, batch, sum_re, sum_im);
        *batch = (struct batch){from, to, 0, batch->fresh};
    }
    for (int p = 0; p < n_tx; p++) {
        const size_t at = (size_t)p * (size_t)m->stride + (size_t)(back + from);
        m->source[batch->n_source++] =
            (struct convolve_source){source->re + at, source->im + at, link->gain[(tap * n_rx + q) * n_tx + p]};
    }
}

static void gather_taps(const mixer_t *m, int tx, int rx, int q, struct run heard, struct batch tile,
                        struct batch *batch)
{
    for (int tap = 0; heard.lo < heard.hi && tap < m->links->n_tap; tap++) {
        gather_tap(m, tx, rx, q, tap, heard, tile, batch);
    }
}

/* From another AP: what it sent in the windows of this block and, as the line reaches back, of earlier ones. */
static void gather_windows(const mixer_t *m, int tx, int rx, int q, struct batch tile, struct batch *batch)
{
    const struct links *l = m->links;
    const struct line *line = &m->line[tx];
    const int64_t start = (int64_t)m->tick - m->n_history, end = (int64_t)m->tick + m->tile;
    for (int64_t block = start < 0 ? 0 : start / l->n_block_samples; block * l->n_block_samples < end; block++) {
        for (int w = 0; w < l->n_window; w++) {
            const int64_t lo = block * l->n_block_samples + l->window[w].from - start;
            const int64_t hi = block * l->n_block_samples + l->window[w].to - start;
            const struct run heard = {lo > line->lo ? (int)lo : line->lo, hi < line->hi ? (int)hi : line->hi};
            gather_taps(m, tx, rx, q, heard, tile, batch);
        }
    }
}

static void mix_antenna(const mixer_t *m, int rx, int q, struct batch tile)
{
    struct line *sink = &m->line[rx];
    float *sum_re = sink->sum_re + (size_t)q * (size_t)m->tile, *sum_im = sink->sum_im + (size_t)q * (size_t)m->tile;
    struct batch batch = {.fresh = true};
    for (int tx = 0; tx < m->links->n_radio; tx++) {
        const struct link *link = links_between(m->links, tx, rx);
        if (m->line[tx].lo >= m->line[tx].hi || !link->active) {
            continue;
        }
        if (link->between_aps) {
            gather_windows(m, tx, rx, q, tile, &batch);
        } else {
            gather_taps(m, tx, rx, q, (struct run){m->line[tx].lo, m->line[tx].hi}, tile, &batch);
        }
    }
    flush(m, tile, &batch, sum_re, sum_im);
    if (batch.fresh) { /* nothing came */
        memset(sum_re + tile.from, 0, (size_t)(tile.to - tile.from) * sizeof *sum_re);
        memset(sum_im + tile.from, 0, (size_t)(tile.to - tile.from) * sizeof *sum_im);
    }
}

/* [from, to) of the tile, over which the coefficients do not change. */
static void mix(const mixer_t *m, int from, int to)
{
    for (int rx = 0; rx < m->links->n_radio; rx++) {
        const struct line *sink = &m->line[rx];
        const struct batch part = {sink->from > from ? sink->from : from, sink->to < to ? sink->to : to, 0, true};
        for (int q = 0; part.from < part.to && q < m->links->radio[rx].n_ant; q++) {
            mix_antenna(m, rx, q, part);
        }
    }
}

/* Whole pieces of noise that hold what is wanted. */
static void expect(struct line *line, const struct mixer_output *out, const struct tile *tile)
{
    int from, to;
    cut(out->samples, out->from, out->to, tile, &from, &to);
    const int end = (to + PIECE - 1) / PIECE * PIECE;
    line->from = from / PIECE * PIECE;
    line->to = end < tile->n ? end : tile->n;
}

/* A function of the seed, the antenna and the tick alone, whatever else was made. */
static void add_noise(const mixer_t *m, const struct links_radio *radio, int antenna, tutti_tick tick, int from, int to,
                      float *re, float *im)
{
    for (int at = from; at < to; at += PIECE) {
        const uint64_t key = random_key(m->seed, RANDOM_NOISE, radio->code, (uint64_t)antenna, tick + (tutti_tick)at);
        noise_add(key, radio->noise_sigma, at + PIECE < to ? PIECE : to - at, re + at, im + at);
    }
}

/* Receiver: oscillator, noise, converter. */
static void give(const mixer_t *m, struct line *line, const struct links_radio *radio, const struct tile *tile,
                 tutti_cf32 *out)
{
    const int from = line->from, n = line->to - line->from;
    for (int a = 0; n > 0 && a < radio->n_ant; a++) {
        float *re = line->sum_re + (size_t)a * (size_t)m->tile, *im = line->sum_im + (size_t)a * (size_t)m->tile;
        if (line->rotor_re) {
            m->ops->rotate(n, line->rotor_re + from, line->rotor_im + from, true, re + from, im + from);
        }
        add_noise(m, radio, a, tile->tick, from, line->to, re, im);
        if (radio->adc_bits > 0) {
            m->ops->quantise(n, radio->adc_bits, re + from);
            m->ops->quantise(n, radio->adc_bits, im + from);
        }
        m->ops->join(n, re + from, im + from, out + (size_t)a * (size_t)m->chunk + tile->at + from);
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
        if (line->rotor_re) {
            turn_oscillator(m, line, radio, tile);
        }
        take(m, line, radio, &in[r], tile);
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
        give(m, &m->line[r], &m->links->radio[r], tile, out[r].samples);
    }
    m->n_before = tile->n;
}

void mixer_execute(mixer_t *m, tutti_tick tick, const struct mixer_input *in, const struct mixer_output *out,
                   void (*on_change)(void *context), void *context)
{
    for (int at = 0; at < m->chunk; at += m->tile) {
        const struct tile tile = {tick + (tutti_tick)at, at, m->chunk - at < m->tile ? m->chunk - at : m->tile};
        execute_tile(m, &tile, in, out, on_change, context);
    }
}
