/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels of convolve.h for one vector width; included by convolve_avx512.c, convolve_avx2.c, convolve_portable.c,
 * each compiled for its instructions and without contraction to fused multiply-adds. */
#include "hw/air/convolve.h"

#include <math.h>
#include <string.h>

enum { LANES = CONVOLVE_LANES, UNROLL = 4, STEP = LANES * UNROLL };
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

static inline vec load(const float *x)
{
    vec v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void store(float *x, vec v)
{
    memcpy(x, &v, sizeof v);
}

/* The sums of UNROLL vectors stay in registers over all sources. */
static inline void add_step(int n_source, const struct convolve_source *source, bool fresh, int i, float *y_re,
                            float *y_im)
{
    vec re[UNROLL] = {{0}}, im[UNROLL] = {{0}};
    for (int u = 0; !fresh && u < UNROLL; u++) {
        re[u] = load(y_re + i + u * LANES);
        im[u] = load(y_im + i + u * LANES);
    }
    for (int s = 0; s < n_source; s++) {
        const float g_re = crealf(source[s].gain), g_im = cimagf(source[s].gain);
        for (int u = 0; u < UNROLL; u++) {
            const vec x_re = load(source[s].re + i + u * LANES), x_im = load(source[s].im + i + u * LANES);
            re[u] += g_re * x_re - g_im * x_im;
            im[u] += g_re * x_im + g_im * x_re;
        }
    }
    for (int u = 0; u < UNROLL; u++) {
        store(y_re + i + u * LANES, re[u]);
        store(y_im + i + u * LANES, im[u]);
    }
}

static void add(int n, int n_source, const struct convolve_source *source, bool fresh, float *y_re, float *y_im)
{
    int i = 0;
    for (; i + STEP <= n; i += STEP) {
        add_step(n_source, source, fresh, i, y_re, y_im);
    }
    for (; i < n; i++) {
        float re = fresh ? 0 : y_re[i], im = fresh ? 0 : y_im[i];
        for (int s = 0; s < n_source; s++) {
            const float g_re = crealf(source[s].gain), g_im = cimagf(source[s].gain);
            re += g_re * source[s].re[i] - g_im * source[s].im[i];
            im += g_re * source[s].im[i] + g_im * source[s].re[i];
        }
        y_re[i] = re;
        y_im[i] = im;
    }
}

static void rotate(int n, const float *restrict r_re, const float *restrict r_im, bool conjugate, float *restrict x_re,
                   float *restrict x_im)
{
    const float sign = conjugate ? -1.0f : 1.0f;
    for (int i = 0; i < n; i++) {
        const float re = x_re[i], im = x_im[i], q = sign * r_im[i];
        x_re[i] = re * r_re[i] - im * q;
        x_im[i] = re * q + im * r_re[i];
    }
}

static void clip(int n, float *x)
{
    for (int i = 0; i < n; i++) {
        const float low = x[i] < -1.0f ? -1.0f : x[i];
        x[i] = low > 1.0f ? 1.0f : low;
    }
}

static void quantise(int n, int bits, float *x)
{
    const float levels = ldexpf(1.0f, bits - 1), step = 1.0f / levels;
    for (int i = 0; i < n; i++) {
        const float q = rintf(x[i] * levels), low = q < -levels ? -levels : q;
        x[i] = step * (low > levels - 1.0f ? levels - 1.0f : low);
    }
}

static void split(int n, const tutti_cf32 *in, float *restrict re, float *restrict im)
{
    const float *restrict pair = (const float *)in;
    for (int i = 0; i < n; i++) {
        re[i] = pair[2 * i];
        im[i] = pair[2 * i + 1];
    }
}

static void join(int n, const float *restrict re, const float *restrict im, tutti_cf32 *restrict out)
{
    float *restrict pair = (float *)out;
    for (int i = 0; i < n; i++) {
        pair[2 * i] = re[i];
        pair[2 * i + 1] = im[i];
    }
}

extern const struct convolve_ops CONVOLVE_OPS;
const struct convolve_ops CONVOLVE_OPS = {.name = CONVOLVE_NAME,
                                          .add = add,
                                          .rotate = rotate,
                                          .clip = clip,
                                          .quantise = quantise,
                                          .split = split,
                                          .join = join};
