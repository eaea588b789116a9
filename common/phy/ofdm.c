/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/ofdm.h"

#include "base/error.h"

#include <fftw3.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ofdm {
    int fft_size, n_cp, n_sc;
    int window;                 /* first sample of the FFT window inside the symbol */
    float unitary;              /* 1 / sqrt(fft_size) */
    int *fft_index;             /* [n_sc] */
    tutti_cf32 *unslope;        /* [n_sc]: unitary factor and the phase slope of the early window, undone */
    fftwf_complex *time, *freq; /* [fft_size] */
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
    o->backward = fftwf_plan_dft_1d(o->fft_size, o->freq, o->time, FFTW_BACKWARD, FFTW_ESTIMATE);
    pthread_mutex_unlock(&planner);
}

static void make_tables(ofdm_t *o, const struct frame *frame)
{
    const int early = o->n_cp - o->window;
    const double scale = 1.0 / sqrt(o->fft_size);
    o->unitary = (float)scale;
    for (int i = 0; i < o->n_sc; i++) {
        const int k = frame_fft_index(frame, i);
        o->fft_index[i] = k;
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
    o->fft_index = calloc((size_t)o->n_sc, sizeof *o->fft_index);
    o->unslope = calloc((size_t)o->n_sc, sizeof *o->unslope);
    o->time = fftwf_alloc_complex((size_t)o->fft_size);
    o->freq = fftwf_alloc_complex((size_t)o->fft_size);
    if (o->time && o->freq) {
        make_plans(o);
    }
    if (!o->fft_index || !o->unslope || !o->forward || !o->backward) {
        ofdm_destroy(o);
        *ofdm = NULL;
        return error_set(TUTTI_ENOMEM, "ofdm: no memory for an FFT of size %d", frame->fft_size);
    }
    make_tables(o, frame);
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
    free(ofdm->fft_index);
    free(ofdm->unslope);
    free(ofdm);
}

void ofdm_demodulate(ofdm_t *ofdm, const tutti_cf32 *samples, tutti_cf32 *subcarriers)
{
    memcpy(ofdm->time, samples + ofdm->window, sizeof(tutti_cf32) * (size_t)ofdm->fft_size);
    fftwf_execute(ofdm->forward);
    for (int i = 0; i < ofdm->n_sc; i++) {
        subcarriers[i] = ofdm->unslope[i] * ofdm->freq[ofdm->fft_index[i]];
    }
}

void ofdm_modulate(ofdm_t *ofdm, const tutti_cf32 *subcarriers, float scale, tutti_cf32 *samples)
{
    const float gain = scale * ofdm->unitary;
    memset(ofdm->freq, 0, sizeof(tutti_cf32) * (size_t)ofdm->fft_size);
    for (int i = 0; i < ofdm->n_sc; i++) {
        ofdm->freq[ofdm->fft_index[i]] = gain * subcarriers[i];
    }
    fftwf_execute(ofdm->backward);
    memcpy(samples, ofdm->time + ofdm->fft_size - ofdm->n_cp, sizeof(tutti_cf32) * (size_t)ofdm->n_cp);
    memcpy(samples + ofdm->n_cp, ofdm->time, sizeof(tutti_cf32) * (size_t)ofdm->fft_size);
}
