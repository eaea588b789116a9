/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The body of every kernel variant; included by kernel_<variant>.c, each compiled with its own instruction set and with
 * KERNEL_OPS and KERNEL_NAME defined. GNU vector types lower to whatever width the target has. */
#include "linalg/kernel.h"

#include <math.h>
#include <string.h>

typedef float vec8 __attribute__((vector_size(32)));

static inline vec8 load8(const float *p)
{
    vec8 v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* i v for four interleaved complex numbers: (re, im) -> (-im, re). */
static inline vec8 times_i(vec8 v)
{
    const vec8 s = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
    return s * (vec8){-1, 1, -1, 1, -1, 1, -1, 1};
}

/* Twelve subcarriers, the default subband: three vectors share each coefficient. The sum over Re v and over Im v are
 * kept apart, so that the swap of real and imaginary parts is done once at the end. */
static void combine12(int n_stream, const float *v, const tutti_cf32 *const *symbols, size_t first, float *x)
{
    vec8 r0 = {0}, r1 = {0}, r2 = {0}, i0 = {0}, i1 = {0}, i2 = {0};
    for (int s = 0; s < n_stream; s++) {
        const float *in = (const float *)(symbols[s] + first);
        const vec8 a = load8(in), b = load8(in + 8), c = load8(in + 16);
        const float re = v[2 * s], im = v[2 * s + 1];
        r0 += re * a;
        r1 += re * b;
        r2 += re * c;
        i0 += im * a;
        i1 += im * b;
        i2 += im * c;
    }
    r0 += times_i(i0);
    r1 += times_i(i1);
    r2 += times_i(i2);
    memcpy(x, &r0, sizeof r0);
    memcpy(x + 8, &r1, sizeof r1);
    memcpy(x + 16, &r2, sizeof r2);
}

static void combine1(int n_stream, const float *v, const tutti_cf32 *const *symbols, size_t first, float *x)
{
    float re = 0, im = 0;
    for (int s = 0; s < n_stream; s++) {
        const float *in = (const float *)(symbols[s] + first);
        re += v[2 * s] * in[0] - v[2 * s + 1] * in[1];
        im += v[2 * s] * in[1] + v[2 * s + 1] * in[0];
    }
    x[0] = re;
    x[1] = im;
}

static void combine(int n, int n_stream, const tutti_cf32 *v, const tutti_cf32 *const *symbols, size_t first,
                    tutti_cf32 *x)
{
    int i = 0;
    for (; i + 12 <= n; i += 12) {
        combine12(n_stream, (const float *)v, symbols, first + (size_t)i, (float *)(x + i));
    }
    for (; i < n; i++) {
        combine1(n_stream, (const float *)v, symbols, first + (size_t)i, (float *)(x + i));
    }
}

#include "linalg/kernel_batch.h"
#include "linalg/kernel_dense.h"

extern const struct kernel_ops KERNEL_OPS;
const struct kernel_ops KERNEL_OPS = {
    .name = KERNEL_NAME,
    .combine = combine,
    .gemm = gemm,
    .gram = gram,
    .hadamard = hadamard,
    .cholesky = cholesky,
    .cholesky_solve = cholesky_solve,
    .dots = dots,
    .n_lane = KERNEL_LANES,
    .pack = lane_pack,
    .unpack = lane_unpack,
    .zf = lane_zf,
    .power = lane_power,
    .scale = lane_scale,
    .equal = lane_equal,
    .maxmin = lane_maxmin,
    .finish = lane_finish,
};
