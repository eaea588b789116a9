/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/convolve.h"

#include <math.h>

static inline __attribute__((always_inline)) void add_body(int n, tutti_cf32 g, const float *restrict x_re,
                                                           const float *restrict x_im, float *restrict y_re,
                                                           float *restrict y_im)
{
    const float g_re = crealf(g), g_im = cimagf(g);
    for (int i = 0; i < n; i++) {
        y_re[i] += g_re * x_re[i] - g_im * x_im[i];
        y_im[i] += g_re * x_im[i] + g_im * x_re[i];
    }
}

static void add_portable(int n, tutti_cf32 g, const float *x_re, const float *x_im, float *y_re, float *y_im)
{
    add_body(n, g, x_re, x_im, y_re, y_im);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void add_avx2(int n, tutti_cf32 g, const float *x_re, const float *x_im,
                                                     float *y_re, float *y_im)
{
    add_body(n, g, x_re, x_im, y_re, y_im);
}
#endif

void convolve_add(int n, tutti_cf32 g, const float *x_re, const float *x_im, float *y_re, float *y_im)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        add_avx2(n, g, x_re, x_im, y_re, y_im);
        return;
    }
#endif
    add_portable(n, g, x_re, x_im, y_re, y_im);
}

void convolve_rotate(int n, const float *restrict r_re, const float *restrict r_im, bool conjugate,
                     float *restrict x_re, float *restrict x_im)
{
    const float sign = conjugate ? -1.0f : 1.0f;
    for (int i = 0; i < n; i++) {
        const float re = x_re[i], im = x_im[i], q = sign * r_im[i];
        x_re[i] = re * r_re[i] - im * q;
        x_im[i] = re * q + im * r_re[i];
    }
}

void convolve_clip(int n, float *x)
{
    for (int i = 0; i < n; i++) {
        x[i] = x[i] > 1.0f ? 1.0f : x[i] < -1.0f ? -1.0f : x[i];
    }
}

void convolve_quantise(int n, int bits, float *x)
{
    const float levels = ldexpf(1.0f, bits - 1), step = 1.0f / levels;
    for (int i = 0; i < n; i++) {
        const float q = rintf(x[i] * levels);
        x[i] = step * (q > levels - 1.0f ? levels - 1.0f : q < -levels ? -levels : q);
    }
}

void convolve_split(int n, const tutti_cf32 *in, float *restrict re, float *restrict im)
{
    for (int i = 0; i < n; i++) {
        re[i] = crealf(in[i]);
        im[i] = cimagf(in[i]);
    }
}

void convolve_join(int n, const float *re, const float *im, tutti_cf32 *out)
{
    float *pair = (float *)out;
    for (int i = 0; i < n; i++) {
        pair[2 * i] = re[i];
        pair[2 * i + 1] = im[i];
    }
}
