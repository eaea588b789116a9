/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sample kernels of the medium on split real and imaginary parts, one variant per processor (AVX-512, AVX2, portable),
 * all with the same bits (no fused multiply-add, the same order of sums). No allocation. Arrays do not overlap and need
 * no alignment. */
#ifndef TUTTI_AIR_CONVOLVE_H
#define TUTTI_AIR_CONVOLVE_H

#include "base/types.h"

/* One signal that arrives, delayed as its pointers say. */
struct convolve_source {
    const float *re, *im; /* [n] */
    tutti_cf32 gain;
};

struct convolve_ops {
    const char *name;
    /* y[i] += sum over sources of gain x[i], one source after the other; fresh: y[i] is taken for zero before. */
    void (*add)(int n, int n_source, const struct convolve_source *source, bool fresh, float *y_re, float *y_im);
    /* x[i] *= r[i], or conj(r[i]) with conjugate true. */
    void (*rotate)(int n, const float *r_re, const float *r_im, bool conjugate, float *x_re, float *x_im);
    /* Limit to -1..1. */
    void (*clip)(int n, float *x);
    /* Round to steps of 2 / 2^bits, saturate at -1 and at 1 less one step, as a two's-complement converter does. */
    void (*quantise)(int n, int bits, float *x);
    void (*split)(int n, const tutti_cf32 *in, float *re, float *im);
    void (*join)(int n, const float *re, const float *im, tutti_cf32 *out);
};

/* The best for this processor. */
const struct convolve_ops *convolve_get(void);
/* Those this processor can execute, best first; NULL when there are no more. */
const struct convolve_ops *convolve_variant(int i);

#endif
