/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/beacon.h"

#include "base/error.h"
#include "linalg/cmplx.h"
#include "phy/ofdm.h"
#include "phy/pilot.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    OVERLAP_FACTOR = 8, /* the correlator's transform over the symbol's */
    DELAY_STEPS = 16,   /* per sample, of the search for the delay */
    DELAY_REACH = 2     /* samples to each side */
};
static const double TWO_PI = 6.28318530717958647692;

struct beacon {
    const struct frame *frame;
    int room, n_transform, n_new; /* n_new: places that one transform gives */
    double body_energy;
    int *index;           /* [n_sc] into the FFT */
    tutti_cf32 *sequence; /* [n_sc] */
    fftwf_complex *body;  /* [n_transform] spectrum of the body, conjugated, scaled */
    fftwf_complex *time, *freq;
    fftwf_plan forward, backward;
    fftwf_complex *symbol; /* [fft_size] in place */
    fftwf_plan symbol_forward;
    float *strength;    /* [room] |c|^2 / E / E_s of one symbol at each place */
    tutti_cf32 *turned; /* [2 symbols] */
    double complex *Y;  /* [2][n_sc], then their sum [n_sc] */
};

/* Creation --------------------------------------------------------------------------------------------------------- */

static bool allocate(beacon_t *b)
{
    const size_t n = (size_t)b->n_transform, n_sc = (size_t)b->frame->n_sc, n_fft = (size_t)b->frame->fft_size;
    b->index = calloc(n_sc, sizeof *b->index);
    b->sequence = calloc(n_sc, sizeof *b->sequence);
    b->Y = calloc(3 * n_sc, sizeof *b->Y);
    b->turned = calloc(2 * (size_t)b->frame->n_symbol_samples, sizeof *b->turned);
    b->strength = calloc((size_t)b->room, sizeof *b->strength);
    b->body = fftwf_alloc_complex(n);
    b->time = fftwf_alloc_complex(n);
    b->freq = fftwf_alloc_complex(n);
    b->symbol = fftwf_alloc_complex(n_fft);
    if (!b->index || !b->sequence || !b->Y || !b->turned || !b->strength || !b->body || !b->time || !b->freq ||
        !b->symbol) {
        return false;
    }
    ofdm_planner_lock();
    b->forward = fftwf_plan_dft_1d(b->n_transform, b->time, b->freq, FFTW_FORWARD, FFTW_ESTIMATE);
    b->backward = fftwf_plan_dft_1d(b->n_transform, b->freq, b->time, FFTW_BACKWARD, FFTW_ESTIMATE);
    b->symbol_forward = fftwf_plan_dft_1d(b->frame->fft_size, b->symbol, b->symbol, FFTW_FORWARD, FFTW_ESTIMATE);
    ofdm_planner_unlock();
    return b->forward && b->backward && b->symbol_forward;
}

/* The body's samples, and the correlator's filter. */
static int make_body(beacon_t *b)
{
    const struct frame *f = b->frame;
    ofdm_t *ofdm = NULL;
    tutti_cf32 *samples = calloc((size_t)f->n_symbol_samples, sizeof *samples);
    const int status = samples ? ofdm_create(&ofdm, f) : error_set(TUTTI_ENOMEM, "out of memory for the beacon");
    if (status >= 0) {
        pilot_beacon(f->n_sc, b->sequence);
        ofdm_modulate(ofdm, b->sequence, 1, samples);
        memset(b->time, 0, sizeof *b->time * (size_t)b->n_transform);
        for (int i = 0; i < f->fft_size; i++) {
            const tutti_cf32 s = samples[f->n_cp + i];
            b->time[i] = s;
            b->body_energy += (double)crealf(s * conjf(s));
        }
        fftwf_execute(b->forward);
        for (int i = 0; i < b->n_transform; i++) {
            b->body[i] = conjf(b->freq[i]) / (float)b->n_transform;
        }
    }
    ofdm_destroy(ofdm);
    free(samples);
    return status;
}

int beacon_create(beacon_t **beacon, const struct frame *frame, int room)
{
    beacon_t *b = *beacon = calloc(1, sizeof *b);
    if (!b) {
        return error_set(TUTTI_ENOMEM, "out of memory for the beacon");
    }
    b->frame = frame;
    b->room = room;
    b->n_transform = OVERLAP_FACTOR * frame->fft_size;
    b->n_new = b->n_transform - frame->fft_size + 1;
    if (room < 2 * frame->n_symbol_samples) {
        return error_set(TUTTI_EINVAL, "beacon: a search over %d samples, two symbols have %d", room,
                         2 * frame->n_symbol_samples);
    }
    if (!allocate(b)) {
        return error_set(TUTTI_ENOMEM, "out of memory for the beacon");
    }
    for (int i = 0; i < frame->n_sc; i++) {
        b->index[i] = frame_fft_index(frame, i);
    }
    return make_body(b);
}

void beacon_destroy(beacon_t *b)
{
    if (!b) {
        return;
    }
    ofdm_planner_lock();
    fftwf_plan *const plans[] = {&b->forward, &b->backward, &b->symbol_forward};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        if (*plans[i]) {
            fftwf_destroy_plan(*plans[i]);
        }
    }
    ofdm_planner_unlock();
    fftwf_free(b->body);
    fftwf_free(b->time);
    fftwf_free(b->freq);
    fftwf_free(b->symbol);
    free(b->index);
    free(b->sequence);
    free(b->Y);
    free(b->turned);
    free(b->strength);
    free(b);
}

/* The search ------------------------------------------------------------------------------------------------------- */

/* Without a look at infinities. */
static double complex cmplx_mul(double complex a, double complex b)
{
    return CMPLX(creal(a) * creal(b) - cimag(a) * cimag(b), creal(a) * cimag(b) + cimag(a) * creal(b));
}

static double energy_of(tutti_cf32 x)
{
    return (double)crealf(x) * (double)crealf(x) + (double)cimagf(x) * (double)cimagf(x);
}

/* Below this an exact silence must not pass for a signal: a millionth of the mean. */
static double least_energy(const tutti_cf32 *samples, int n, int n_fft)
{
    double energy = 0;
    for (int i = 0; i < n; i++) {
        energy += energy_of(samples[i]);
    }
    return 1e-6 * energy * n_fft / n;
}

/* Overlap-save: strength of every place where a whole body fits. Returns the number of places. */
static int correlate(beacon_t *b, const tutti_cf32 *samples, int n)
{
    const int n_fft = b->frame->fft_size, n_place = n - n_fft + 1;
    double energy = least_energy(samples, n, n_fft);
    for (int i = 0; i < n_fft - 1; i++) {
        energy += energy_of(samples[i]);
    }
    for (int from = 0; from < n_place; from += b->n_new) {
        const int there = n - from < b->n_transform ? n - from : b->n_transform;
        memcpy(b->time, samples + from, sizeof *b->time * (size_t)there);
        memset(b->time + there, 0, sizeof *b->time * (size_t)(b->n_transform - there));
        fftwf_execute(b->forward);
        for (int i = 0; i < b->n_transform; i++) {
            b->freq[i] *= b->body[i];
        }
        fftwf_execute(b->backward);
        for (int i = 0; i < b->n_new && from + i < n_place; i++) {
            energy += energy_of(samples[from + i + n_fft - 1]);
            const double strength = energy > 0 ? energy_of(b->time[i]) / (energy * b->body_energy) : 0;
            b->strength[from + i] = (float)strength;
            energy = fmax(energy - energy_of(samples[from + i]), 0);
        }
    }
    return n_place;
}

/* Subcarriers of the symbol whose body starts at `samples`, unitary but for a common factor. */
static void transform(beacon_t *b, const tutti_cf32 *samples, double complex *Y)
{
    memcpy(b->symbol, samples, sizeof *b->symbol * (size_t)b->frame->fft_size);
    fftwf_execute(b->symbol_forward);
    for (int i = 0; i < b->frame->n_sc; i++) {
        Y[i] = (double complex)b->symbol[b->index[i]];
    }
}

static void measure_cfo(beacon_t *b, const tutti_cf32 *body, struct beacon_found *found)
{
    const struct frame *f = b->frame;
    double complex cross = 0;
    double both = 0;
    for (int h = 0; h < 2; h++) {
        transform(b, body + h * f->n_symbol_samples, b->Y + h * f->n_sc);
    }
    for (int i = 0; i < f->n_sc; i++) {
        const double complex y0 = b->Y[i], y1 = b->Y[f->n_sc + i];
        cross += conj(y0) * y1;
        both += creal(y0 * conj(y0)) + creal(y1 * conj(y1));
    }
    const double symbol_s = f->n_symbol_samples / f->sample_rate_hz, signal = cabs(cross);
    found->cfo_hz = carg(cross) / (TWO_PI * symbol_s);
    found->snr = signal / fmax(0.5 * both - signal, 1e-12 * signal);
}

/* Both symbols turned back, on the sequence: rows of conj(Z) Y and their sum. */
static void turn_back(beacon_t *b, const tutti_cf32 *body, double cfo_hz)
{
    const struct frame *f = b->frame;
    const int n = f->n_symbol_samples + f->fft_size;
    const double step = -TWO_PI * cfo_hz / f->sample_rate_hz;
    const double complex turn = cexp(I * step);
    double complex phasor = 1;
    for (int i = 0; i < n; i++) {
        b->turned[i] = (tutti_cf32)cmplx_mul((double complex)body[i], phasor);
        phasor = cmplx_mul(phasor, turn);
    }
    for (int h = 0; h < 2; h++) {
        transform(b, b->turned + h * f->n_symbol_samples, b->Y + h * f->n_sc);
    }
    for (int i = 0; i < f->n_sc; i++) {
        const double complex known = conj((double complex)b->sequence[i]);
        b->Y[i] *= known;
        b->Y[f->n_sc + i] *= known;
        b->Y[2 * f->n_sc + i] = b->Y[i] + b->Y[f->n_sc + i];
    }
}

/* |sum of row e^{j 2 pi k d / n_fft}|^2: k counts from -n_sc/2 over DC, so the phasor goes on by one step a subcarrier,
 * over DC by two. */
static double in_step(const beacon_t *b, const double complex *row, double delay_samples)
{
    const struct frame *f = b->frame;
    const int half = f->n_sc / 2;
    const double complex step = cexp(I * TWO_PI * delay_samples / f->fft_size);
    double complex phasor = cexp(-I * TWO_PI * half * delay_samples / f->fft_size);
    double re = 0, im = 0;
    for (int i = 0; i < f->n_sc; i++) {
        phasor = i == half ? cmplx_mul(phasor, step) : phasor;
        const double complex v = cmplx_mul(row[i], phasor);
        re += creal(v);
        im += cimag(v);
        phasor = cmplx_mul(phasor, step);
    }
    return re * re + im * im;
}

/* The largest of a grid about `around`, and the parabola through it and its neighbours: off by less than 1e-4 samples.
 */
static double measure_delay(const beacon_t *b, double around)
{
    const double complex *const row = b->Y + 2 * b->frame->n_sc;
    int best = 0;
    double most = -1;
    for (int i = -DELAY_REACH * DELAY_STEPS; i <= DELAY_REACH * DELAY_STEPS; i++) {
        const double value = in_step(b, row, around + (double)i / DELAY_STEPS);
        best = value > most ? i : best;
        most = fmax(value, most);
    }
    const double before = in_step(b, row, around + (best - 1.0) / DELAY_STEPS);
    const double after = in_step(b, row, around + (best + 1.0) / DELAY_STEPS), bend = before - 2 * most + after;
    return (best + (bend < 0 ? 0.5 * (before - after) / bend : 0)) / DELAY_STEPS;
}

/* A beacon symbol lies one symbol before place i, too: half as strong as the weaker of the two that were found will do,
 * far from what noise alone has. Where the samples begin too late to tell, the same place a block later tells; then it
 * is that one that is meant. */
static int first_of_run(const beacon_t *b, int i, int n_place)
{
    const int step = b->frame->n_symbol_samples, later = i + b->frame->n_block_samples;
    i = i < step && later + step < n_place ? later : i;
    const float weaker = fminf(b->strength[i], b->strength[i + step]);
    return i >= step && b->strength[i - step] > 0.5f * weaker ? i - step : i;
}

bool beacon_search(beacon_t *b, const tutti_cf32 *samples, int n, double threshold, struct beacon_found *found)
{
    *found = (struct beacon_found){.body = -1};
    n = n < b->room ? n : b->room;
    const int step = b->frame->n_symbol_samples, n_place = n >= b->frame->fft_size ? correlate(b, samples, n) : 0;
    for (int i = 0; i + step < n_place; i++) {
        const double measure = 0.5 * ((double)b->strength[i] + (double)b->strength[i + step]);
        if (measure > found->measure) {
            found->measure = measure;
            found->body = i;
        }
    }
    if (found->body < 0 || !(found->measure > threshold)) {
        return false;
    }
    found->body = first_of_run(b, found->body, n_place);
    measure_cfo(b, samples + found->body, found);
    turn_back(b, samples + found->body, found->cfo_hz);
    found->delay_samples = measure_delay(b, 0);
    return true;
}

void beacon_measure(beacon_t *b, const tutti_cf32 *samples, int early, double cfo_hz, struct beacon_found *found)
{
    const int n_sc = b->frame->n_sc;
    *found = (struct beacon_found){.body = early};
    measure_cfo(b, samples, found);
    turn_back(b, samples, cfo_hz);
    found->delay_samples = measure_delay(b, early);
    for (int h = 0; h < 2; h++) {
        const double complex *const row = b->Y + h * n_sc;
        double energy = 0;
        for (int i = 0; i < n_sc; i++) {
            energy += creal(row[i] * conj(row[i]));
        }
        const double known = in_step(b, row, early + found->delay_samples) / n_sc;
        found->measure += energy > 0 ? 0.5 * known / energy : 0;
    }
}

/* Bounds ----------------------------------------------------------------------------------------------------------- */

/* (1 + T) e^-T = p as a fixed point, T = ln((1 + T) / p): contracts by 1 / (1 + T). */
double beacon_threshold(const struct frame *frame, double p_false)
{
    double t = 1;
    for (int i = 0; i < 100; i++) {
        t = log((1 + t) / p_false);
    }
    return t / (2.0 * frame->fft_size);
}

double beacon_bound_cfo_hz(const struct frame *frame, double snr)
{
    return 1 / (TWO_PI * frame->n_symbol_samples / frame->sample_rate_hz * sqrt(frame->n_sc * snr));
}

double beacon_bound_delay_samples(const struct frame *frame, double snr)
{
    double square = 0;
    for (int i = 0; i < frame->n_sc; i++) {
        square += frame_sc_hz(frame, i) * frame_sc_hz(frame, i);
    }
    return frame->sample_rate_hz / (TWO_PI * sqrt(4 * square * snr));
}
