/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/ofdm.h"

#include "base/error.h"
#include "linalg/cmplx.h"

#include <fftw3.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ofdm {
    int fft_size, n_cp, n_sc;
    int window;          /* first sample of the FFT window inside the symbol */
    float unitary;       /* 1 / sqrt(fft_size) */
    tutti_cf32 *unslope; /* [n_sc]: unitary factor and the phase slope of the early window, undone */
    fftwf_complex *time; /* [fft_size] */
    fftwf_complex *freq; /* [fft_size] what was received */
    fftwf_complex *sent; /* [fft_size], zero outside the used subcarriers */
    fftwf_plan forward, backward;
};

static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

void ofdm_planner_lock(void)
{
    pthread_mutex_lock(&planner);
}

void ofdm_planner_unlock(void)
{
    pthread_mutex_unlock(&planner);
}

static void make_plans(ofdm_t *o)
{
    /* FFTW_ESTIMATE, not MEASURE: timing must not choose the algorithm, or two runs would differ in the last bit. */
    pthread_mutex_lock(&planner);
    o->forward = fftwf_plan_dft_1d(o->fft_size, o->time, o->freq, FFTW_FORWARD, FFTW_ESTIMATE);
    o->backward = fftwf_plan_dft_1d(o->fft_size, o->sent, o->time, FFTW_BACKWARD, FFTW_ESTIMATE);
    pthread_mutex_unlock(&planner);
}

/* Used subcarriers lie below and above the carrier, half of them each: the last places of the FFT, then places 1.. */
static int n_half(const ofdm_t *o)
{
    return o->n_sc / 2;
}

static void make_slope(ofdm_t *o)
{
    const int early = o->n_cp - o->window;
    const double scale = 1.0 / sqrt(o->fft_size);
    for (int i = 0; i < o->n_sc; i++) {
        const int k = i < n_half(o) ? o->fft_size - n_half(o) + i : i - n_half(o) + 1;
        o->unslope[i] = (tutti_cf32)(scale * cexp(2.0 * I * M_PI * ((double)k * early) / o->fft_size));
    }
}

int ofdm_create(ofdm_t **ofdm, const struct frame *frame)
{
    ofdm_t *o = calloc(1, sizeof *o);
    *ofdm = o;
    if (!o) {
        return error_set(TUTTI_ENOMEM, "ofdm: out of memory");
    }
    o->fft_size = frame->fft_size;
    o->n_cp = frame->n_cp;
    o->n_sc = frame->n_sc;
    o->window = o->n_cp - o->n_cp / 2;
    o->unslope = calloc((size_t)o->n_sc, sizeof *o->unslope);
    o->time = fftwf_alloc_complex((size_t)o->fft_size);
    o->freq = fftwf_alloc_complex((size_t)o->fft_size);
    o->sent = fftwf_alloc_complex((size_t)o->fft_size);
    if (o->time && o->freq && o->sent) {
        make_plans(o);
        memset(o->sent, 0, sizeof(tutti_cf32) * (size_t)o->fft_size);
    }
    if (!o->unslope || !o->forward || !o->backward) {
        ofdm_destroy(o);
        *ofdm = NULL;
        return error_set(TUTTI_ENOMEM, "ofdm: no memory for an FFT of size %d", frame->fft_size);
    }
    o->unitary = (float)(1.0 / sqrt(o->fft_size));
    make_slope(o);
    return 0;
}

void ofdm_destroy(ofdm_t *ofdm)
{
    if (!ofdm) {
        return;
    }
    pthread_mutex_lock(&planner);
    if (ofdm->forward) {
        fftwf_destroy_plan(ofdm->forward);
    }
    if (ofdm->backward) {
        fftwf_destroy_plan(ofdm->backward);
    }
    pthread_mutex_unlock(&planner);
    fftwf_free(ofdm->time);
    fftwf_free(ofdm->freq);
    fftwf_free(ofdm->sent);
    free(ofdm->unslope);
    free(ofdm);
}

void ofdm_follow(ofdm_t *o, double delay_samples)
{
    const int middle = o->n_cp - o->n_cp / 2, now = o->window - middle;
    if (!(fabs(delay_samples - now) > 0.75)) { /* no to and fro */
        return;
    }
    const int wanted = middle + (int)rint(fmax(fmin(delay_samples, o->n_cp), -o->n_cp));
    const int window = wanted < 0 ? 0 : wanted > o->n_cp ? o->n_cp : wanted;
    if (window != o->window) {
        o->window = window;
        make_slope(o);
    }
}

static void multiply(int n, const tutti_cf32 *restrict a, const tutti_cf32 *restrict b, tutti_cf32 *restrict out)
{
    for (int i = 0; i < n; i++) {
        out[i] = cmplx_product(a[i], b[i]);
    }
}

static void scale_all(int n, float gain, const tutti_cf32 *restrict in, tutti_cf32 *restrict out)
{
    const float *x = (const float *)in;
    float *y = (float *)out;
    for (int i = 0; i < 2 * n; i++) {
        y[i] = gain * x[i];
    }
}

/* A plan may be executed on any samples that lie as its own do; the same plan on the same samples gives the same bits
 * wherever they are. The transform leaves its input alone. */
static fftwf_complex *window_of(ofdm_t *o, const tutti_cf32 *samples)
{
    fftwf_complex *in_place = (fftwf_complex *)(uintptr_t)(samples + o->window);
    if (fftwf_alignment_of((float *)in_place) == fftwf_alignment_of((float *)o->time)) {
        return in_place;
    }
    memcpy(o->time, in_place, sizeof(tutti_cf32) * (size_t)o->fft_size);
    return o->time;
}

void ofdm_demodulate(ofdm_t *o, const tutti_cf32 *samples, tutti_cf32 *subcarriers)
{
    const int half = n_half(o);
    fftwf_execute_dft(o->forward, window_of(o, samples), o->freq);
    multiply(half, o->unslope, o->freq + o->fft_size - half, subcarriers);
    multiply(half, o->unslope + half, o->freq + 1, subcarriers + half);
}

void ofdm_modulate(ofdm_t *o, const tutti_cf32 *subcarriers, float scale, tutti_cf32 *samples)
{
    const float gain = scale * o->unitary;
    const int half = n_half(o);
    tutti_cf32 *body = samples + o->n_cp;
    scale_all(half, gain, subcarriers, o->sent + o->fft_size - half);
    scale_all(half, gain, subcarriers + half, o->sent + 1);
    if (fftwf_alignment_of((float *)body) == fftwf_alignment_of((float *)o->time)) {
        fftwf_execute_dft(o->backward, o->sent, body);
    } else {
        fftwf_execute(o->backward);
        memcpy(body, o->time, sizeof *body * (size_t)o->fft_size);
    }
    memcpy(samples, body + o->fft_size - o->n_cp, sizeof *samples * (size_t)o->n_cp);
}
