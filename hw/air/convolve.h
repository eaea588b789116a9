/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sample kernels of the medium on split real and imaginary parts. No allocation. The vector versions give the same bits
 * as the portable ones (no fused multiply-add). Arrays do not overlap. */
#ifndef TUTTI_AIR_CONVOLVE_H
#define TUTTI_AIR_CONVOLVE_H

#include "base/types.h"

/* y[i] += g x[i], complex. About 0.3 ns per sample with AVX2. */
void convolve_add(int n, tutti_cf32 g, const float *x_re, const float *x_im, float *y_re, float *y_im);
/* x[i] *= r[i], or conj(r[i]) with conjugate true. */
void convolve_rotate(int n, const float *r_re, const float *r_im, bool conjugate, float *x_re, float *x_im);
/* Limit to -1..1. */
void convolve_clip(int n, float *x);
/* Round to steps of 2 / 2^bits, saturate at -1 and at 1 less one step, as a two's-complement converter does. */
void convolve_quantise(int n, int bits, float *x);
void convolve_split(int n, const tutti_cf32 *in, float *re, float *im);
void convolve_join(int n, const float *re, const float *im, tutti_cf32 *out);

#endif
