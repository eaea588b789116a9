/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/mixer.h"

#include "base/error.h"
#include "channel/noise.h"
#include "channel/random.h"
#include "hw/air/convolve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A radio's samples, split: the last n_history transmitted ones before this chunk, then this chunk. */
struct line {
    float *re, *im;             /* [n_ant][n_history + chunk] */
    float *sum_re, *sum_im;     /* [n_ant][chunk] received */
    int quiet;                  /* trailing zero samples of re, im */
    float *rotor_re, *rotor_im; /* [chunk] exp(j phase) of the oscillator, NULL = ideal */
    double phase_noise_turns;   /* at the start of the chunk */
};

struct mixer {
    struct links *links;
    uint64_t seed;
    int chunk, n_history, stride; /* stride = n_history + chunk */
    struct line *line;            /* [n_radio] */
    float *step_re, *step_im;     /* [chunk] phase noise increments */
};

static float *new_floats(size_t n)
{
    float *x = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
    if (x) {
        memset(x, 0, n * sizeof *x);
    }
    return x;
}

static bool fill_line(const mixer_t *m, struct line *line, const struct links_radio *radio)
{
    const size_t n_ant = (size_t)radio->n_ant, n_tx = n_ant * (size_t)m->stride, n_rx = n_ant * (size_t)m->chunk;
    line->quiet = m->stride;
    line->re = new_floats(n_tx);
    line->im = new_floats(n_tx);
    line->sum_re = new_floats(n_rx);
    line->sum_im = new_floats(n_rx);
    bool good = line->re && line->im && line->sum_re && line->sum_im;
    if (radio->cfo_turns != 0 || radio->phase_step_rad > 0) {
        line->rotor_re = new_floats((size_t)m->chunk);
        line->rotor_im = new_floats((size_t)m->chunk);
        good = good && line->rotor_re && line->rotor_im;
    }
    return good;
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
        m->n_history = links->max_delay;
        m->stride = m->n_history + chunk;
        m->step_re = new_floats((size_t)chunk);
        m->step_im = new_floats((size_t)chunk);
        m->line = calloc((size_t)links->n_radio, sizeof *m->line);
        good = m->step_re && m->step_im && m->line;
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
    free(m);
}

/* Phase noise goes on whether or not the radio is there, so that nothing depends on who joined when. */
static void turn_oscillator(mixer_t *m, struct line *line, const struct links_radio *radio, tutti_tick tick)
{
    const double noise_scale = radio->phase_step_rad / 6.28318530717958647692;
    double phase = fmod(radio->cfo_turns * (double)tick, 1.0), re, im;
    if (noise_scale > 0) {
        memset(m->step_re, 0, (size_t)m->chunk * sizeof(float));
        memset(m->step_im, 0, (size_t)m->chunk * sizeof(float));
        noise_add(random_key(m->seed, RANDOM_PHASE_NOISE, radio->code, tick / (tutti_tick)m->chunk, 0), 1.0f, m->chunk,
                  m->step_re, m->step_im);
        for (int i = 0; i < m->chunk; i++) {
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
    for (int i = 0; i < m->chunk; i++) {
        line->rotor_re[i] = (float)re;
        line->rotor_im[i] = (float)im;
        const double next = re * step_re - im * step_im;
        im = re * step_im + im * step_re;
        re = next;
    }
}

/* Move the line on by a chunk and put in what the radio transmits. */
static void take(const mixer_t *m, struct line *line, const struct links_radio *radio, const tutti_cf32 *in)
{
    const bool was_quiet = line->quiet >= m->stride;
    line->quiet = in ? 0 : line->quiet + m->chunk > m->stride ? m->stride : line->quiet + m->chunk;
    if (was_quiet && !in) {
        return;
    }
    for (int a = 0; a < radio->n_ant; a++) {
        float *re = line->re + (size_t)a * (size_t)m->stride, *im = line->im + (size_t)a * (size_t)m->stride;
        memmove(re, re + m->chunk, (size_t)m->n_history * sizeof *re);
        memmove(im, im + m->chunk, (size_t)m->n_history * sizeof *im);
        re += m->n_history;
        im += m->n_history;
        if (!in) {
            memset(re, 0, (size_t)m->chunk * sizeof *re);
            memset(im, 0, (size_t)m->chunk * sizeof *im);
            continue;
        }
        convolve_split(m->chunk, in + (size_t)a * (size_t)m->chunk, re, im);
        if (radio->clip) {
            convolve_clip(m->chunk, re);
            convolve_clip(m->chunk, im);
        }
        if (line->rotor_re) {
            convolve_rotate(m->chunk, line->rotor_re, line->rotor_im, false, re, im);
        }
    }
}

/* Samples from..to of the chunk, everything radio rx hears from radio tx. */
static void add_link(const mixer_t *m, int tx, int rx, int from, int to)
{
    const struct links *l = m->links;
    const struct link *link = links_between(l, tx, rx);
    const struct line *source = &m->line[tx], *sink = &m->line[rx];
    const int n_tx = l->radio[tx].n_ant, n_rx = l->radio[rx].n_ant;
    for (int tap = 0; tap < l->n_tap; tap++) {
        const int at = m->n_history + from - link->delay - l->tap_delay[tap];
        for (int q = 0; q < n_rx; q++) {
            const size_t out = (size_t)q * (size_t)m->chunk + (size_t)from;
            for (int p = 0; p < n_tx; p++) {
                const size_t in = (size_t)p * (size_t)m->stride + (size_t)at;
                convolve_add(to - from, link->gain[(tap * n_rx + q) * n_tx + p], source->re + in, source->im + in,
                             sink->sum_re + out, sink->sum_im + out);
            }
        }
    }
}

static void mix(mixer_t *m, int from, int to, tutti_cf32 *const *out)
{
    const int n_radio = m->links->n_radio;
    for (int tx = 0; tx < n_radio; tx++) {
        for (int rx = 0; m->line[tx].quiet < m->stride && rx < n_radio; rx++) {
            if (out[rx] && links_between(m->links, tx, rx)->active) {
                add_link(m, tx, rx, from, to);
            }
        }
    }
}

/* Receiver: oscillator, noise, converter. */
static void give(const mixer_t *m, struct line *line, const struct links_radio *radio, tutti_tick tick, tutti_cf32 *out)
{
    for (int a = 0; a < radio->n_ant; a++) {
        float *re = line->sum_re + (size_t)a * (size_t)m->chunk, *im = line->sum_im + (size_t)a * (size_t)m->chunk;
        if (line->rotor_re) {
            convolve_rotate(m->chunk, line->rotor_re, line->rotor_im, true, re, im);
        }
        noise_add(random_key(m->seed, RANDOM_NOISE, radio->code, (uint64_t)a, tick / (tutti_tick)m->chunk),
                  radio->noise_sigma, m->chunk, re, im);
        if (radio->adc_bits > 0) {
            convolve_quantise(m->chunk, radio->adc_bits, re);
            convolve_quantise(m->chunk, radio->adc_bits, im);
        }
        convolve_join(m->chunk, re, im, out + (size_t)a * (size_t)m->chunk);
    }
}

void mixer_execute(mixer_t *m, tutti_tick tick, const tutti_cf32 *const *in, tutti_cf32 *const *out,
                   void (*on_change)(void *context), void *context)
{
    const int n_radio = m->links->n_radio;
    for (int r = 0; r < n_radio; r++) {
        struct line *line = &m->line[r];
        const struct links_radio *radio = &m->links->radio[r];
        if (line->rotor_re) {
            turn_oscillator(m, line, radio, tick);
        }
        take(m, line, radio, in[r]);
        if (out[r]) {
            memset(line->sum_re, 0, (size_t)(radio->n_ant * m->chunk) * sizeof(float));
            memset(line->sum_im, 0, (size_t)(radio->n_ant * m->chunk) * sizeof(float));
        }
    }
    const tutti_tick end = tick + (tutti_tick)m->chunk;
    for (tutti_tick from = tick, to; from < end; from = to) {
        to = links_update(m->links, from);
        to = to < end ? to : end;
        if (on_change) {
            on_change(context);
        }
        mix(m, (int)(from - tick), (int)(to - tick), out);
    }
    for (int r = 0; r < n_radio; r++) {
        if (out[r]) {
            give(m, &m->line[r], &m->links->radio[r], tick, out[r]);
        }
    }
}
