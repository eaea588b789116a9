/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/fit.h"

#include "base/error.h"
#include "linalg/small.h"
#include "phy/subband.h"

#include <stdlib.h>
#include <string.h>

struct fit {
    const struct frame *frame;
    const struct simd_ops *simd;
    int n_ant, n_stream, n_row;
    struct subband_rows rows;    /* work */
    double *sums;                /* [2][n_sb] work */
    double *gram_re, *gram_im;   /* [n_sb][n_stream][n_stream]: sum x_j conj(x_k) */
    double *cross_re, *cross_im; /* [n_sb][n_ant][n_stream]: sum y_m conj(x_k) */
    double *square;              /* [4][n_stream][n_stream] work */
    double *gain_re, *gain_im;   /* [n_ant][n_stream] of one subband, work */
    tutti_cf32 *residual;        /* [n_ant][n_row][n_sc] */
};

int fit_create(fit_t **fit, const struct frame *frame, int n_ant, int n_stream, int n_row)
{
    *fit = NULL;
    if (n_row * frame->sc_per_sb <= n_stream) {
        return error_set(TUTTI_EINVAL, "fit: %d streams from %d observations in a subband", n_stream,
                         n_row * frame->sc_per_sb);
    }
    fit_t *f = calloc(1, sizeof *f);
    if (!f) {
        return error_set(TUTTI_ENOMEM, "fit: out of memory");
    }
    const size_t n_sc = (size_t)frame->n_sc, n_sb = (size_t)frame->n_sb, antennas = (size_t)n_ant,
                 streams = (size_t)n_stream;
    *f = (struct fit){.frame = frame, .simd = simd_get(), .n_ant = n_ant, .n_stream = n_stream, .n_row = n_row};
    f->rows.direct = calloc(2 * n_sc, sizeof(float));
    f->rows.crossed = calloc(2 * n_sc, sizeof(float));
    f->sums = calloc(2 * n_sb, sizeof(double));
    f->gram_re = calloc(n_sb * streams * streams, sizeof(double));
    f->gram_im = calloc(n_sb * streams * streams, sizeof(double));
    f->cross_re = calloc(n_sb * antennas * streams, sizeof(double));
    f->cross_im = calloc(n_sb * antennas * streams, sizeof(double));
    f->square = calloc(4 * streams * streams, sizeof(double));
    f->gain_re = calloc(antennas * streams, sizeof(double));
    f->gain_im = calloc(antennas * streams, sizeof(double));
    f->residual = calloc(antennas * (size_t)n_row * n_sc, sizeof(tutti_cf32));
    if (!f->rows.direct || !f->rows.crossed || !f->sums || !f->gram_re || !f->gram_im || !f->cross_re || !f->cross_im ||
        !f->square || !f->gain_re || !f->gain_im || !f->residual) {
        fit_destroy(f);
        return error_set(TUTTI_ENOMEM, "fit: no memory for %d antennas and %d streams", n_ant, n_stream);
    }
    *fit = f;
    return 0;
}

void fit_destroy(fit_t *fit)
{
    if (!fit) {
        return;
    }
    free(fit->rows.direct);
    free(fit->rows.crossed);
    free(fit->sums);
    free(fit->gram_re);
    free(fit->gram_im);
    free(fit->cross_re);
    free(fit->cross_im);
    free(fit->square);
    free(fit->gain_re);
    free(fit->gain_im);
    free(fit->residual);
    free(fit);
}

int fit_freedom(const fit_t *fit)
{
    return fit->n_row * fit->frame->sc_per_sb - fit->n_stream;
}

/* sum a conj(b) over all rows of two signals, to entry `at` of matrices `size` entries apart. */
static void correlate(fit_t *f, const tutti_cf32 *a, const tutti_cf32 *b, int size, int at, double *re, double *im)
{
    const struct frame *frame = f->frame;
    subband_clear(frame, &f->rows);
    for (int t = 0; t < f->n_row; t++) {
        f->simd->rows_dot(frame->n_sc, (const float *)(a + (size_t)t * (size_t)frame->n_sc),
                          (const float *)(b + (size_t)t * (size_t)frame->n_sc), f->rows.direct, f->rows.crossed);
    }
    subband_sum(frame, &f->rows, f->sums, f->sums + frame->n_sb);
    for (int sb = 0; sb < frame->n_sb; sb++) {
        re[sb * size + at] = f->sums[sb];
        im[sb * size + at] = f->sums[frame->n_sb + sb];
    }
}

static const tutti_cf32 *stream_rows(const fit_t *f, const tutti_cf32 *x, int j)
{
    return x + (size_t)j * (size_t)f->n_row * (size_t)f->frame->n_sc;
}

static void correlate_all(fit_t *f, const tutti_cf32 *x, const tutti_cf32 *y, size_t antenna_stride)
{
    const int n = f->n_stream;
    for (int k = 0; k < n; k++) {
        const tutti_cf32 *x_k = stream_rows(f, x, k);
        for (int j = k; j < n; j++) { /* the lower triangle is all that is read */
            correlate(f, stream_rows(f, x, j), x_k, n * n, j * n + k, f->gram_re, f->gram_im);
        }
        for (int m = 0; m < f->n_ant; m++) {
            correlate(f, y + (size_t)m * antenna_stride, x_k, f->n_ant * n, m * n + k, f->cross_re, f->cross_im);
        }
    }
}

/* g = cross gram^-1 in one subband: y_m conj(x_k) = sum_j g_mj x_j conj(x_k).  */
static void solve(fit_t *f, int sb, double *gain_re, double *gain_im)
{
    const int n = f->n_stream, size = n * n;
    double *Gr = f->gram_re + sb * size, *Gi = f->gram_im + sb * size;
    double *Xr = f->square, *Xi = Xr + size, *Ir = Xr + 2 * size, *Ii = Xr + 3 * size;
    memset(gain_re, 0, sizeof *gain_re * (size_t)(n * f->n_ant));
    memset(gain_im, 0, sizeof *gain_im * (size_t)(n * f->n_ant));
    if (small_cholesky(n, Gr, Gi, 0.0) != 0) {
        return;
    }
    small_lower_inverse(n, Gr, Gi, Xr, Xi);
    small_lower_square(n, Xr, Xi, Ir, Ii);
    small_multiply(f->n_ant, n, f->cross_re + sb * f->n_ant * n, f->cross_im + sb * f->n_ant * n, Ir, Ii, f->gain_re,
                   f->gain_im);
    for (int j = 0; j < n; j++) {
        for (int m = 0; m < f->n_ant; m++) {
            gain_re[j * f->n_ant + m] = f->gain_re[m * n + j];
            gain_im[j * f->n_ant + m] = f->gain_im[m * n + j];
        }
    }
}

/* Taken out of the samples one stream after the other rather than computed from the sums: nothing cancels. */
static void take_out(fit_t *f, const tutti_cf32 *x, const tutti_cf32 *y, size_t antenna_stride, const double *gain_re,
                     const double *gain_im)
{
    const struct frame *frame = f->frame;
    const size_t n_sc = (size_t)frame->n_sc, size = (size_t)f->n_row * n_sc;
    for (int m = 0; m < f->n_ant; m++) {
        tutti_cf32 *out = f->residual + (size_t)m * size;
        memcpy(out, y + (size_t)m * antenna_stride, sizeof *out * size);
        for (int j = 0; j < f->n_stream; j++) {
            for (int sb = 0; sb < frame->n_sb; sb++) {
                const int at = (sb * f->n_stream + j) * f->n_ant + m;
                subband_factor(frame, sb, -gain_re[at], -gain_im[at], &f->rows);
            }
            for (size_t t = 0; t < size; t += n_sc) {
                f->simd->rows_scale_add(frame->n_sc, f->rows.direct, f->rows.crossed,
                                        (const float *)(stream_rows(f, x, j) + t), (const float *)(out + t),
                                        (float *)(out + t));
            }
        }
    }
}

void fit_execute(fit_t *fit, const tutti_cf32 *x, const tutti_cf32 *y, size_t antenna_stride, double *gain_re,
                 double *gain_im, double *noise_re, double *noise_im)
{
    fit_t *f = fit;
    const int n_gain = f->n_stream * f->n_ant, n_noise = f->frame->n_sb * f->n_ant * f->n_ant;
    correlate_all(f, x, y, antenna_stride);
    for (int sb = 0; sb < f->frame->n_sb; sb++) {
        solve(f, sb, gain_re + sb * n_gain, gain_im + sb * n_gain);
    }
    take_out(f, x, y, antenna_stride, gain_re, gain_im);
    subband_covariance(f->frame, f->simd, f->n_ant, f->n_row, f->residual, &f->rows, f->sums, noise_re, noise_im);
    for (int i = 0; i < n_noise; i++) {
        noise_re[i] /= fit_freedom(f);
        noise_im[i] /= fit_freedom(f);
    }
}
