/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sample kernels of the medium on complex samples as they are sent and received, one variant per processor (AVX-512,
 * AVX2, portable), all with the same bits (no fused multiply-add, the same order of sums). No allocation. Arrays do not
 * overlap and need no alignment. */
#ifndef TUTTI_AIR_CONVOLVE_H
#define TUTTI_AIR_CONVOLVE_H

#include "base/types.h"

/* One signal that arrives, delayed as its pointer says. */
struct convolve_source {
    const tutti_cf32 *x; /* [n] */
    tutti_cf32 gain;
};

struct convolve_ops {
    const char *name;
    /* y[i] += sum over sources of gain x[i]; fresh: y[i] is taken for zero before. */
    void (*add)(int n, int n_source, const struct convolve_source *source, bool fresh, tutti_cf32 *y);
    /* x[i] *= r[i], or conj(r[i]) with conjugate true. */
    void (*rotate)(int n, const tutti_cf32 *r, bool conjugate, tutti_cf32 *x);
    /* Parts of samples, n numbers. Limit to -1..1. */
    void (*clip)(int n, float *x);
    /* Round to steps of 2 / 2^bits, saturate at -1 and at 1 less one step, as a two's-complement converter does. */
    void (*quantise)(int n, int bits, float *x);
};

/* The best for this processor. */
const struct convolve_ops *convolve_get(void);
/* Those this processor can execute, best first; NULL when there are no more. */
const struct convolve_ops *convolve_variant(int i);

#endif
