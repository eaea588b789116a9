/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels of convolve.h for one vector width; included by convolve_avx512.c, convolve_avx2.c, convolve_portable.c,
 * each compiled for its instructions and without contraction to fused multiply-adds. */
#include "hw/air/convolve.h"

#include <math.h>
#include <stdint.h>
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

#if CONVOLVE_LANES == 16
#define EXCHANGED 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14
#elif CONVOLVE_LANES == 8
#define EXCHANGED 1, 0, 3, 2, 5, 4, 7, 6
#else
#define EXCHANGED 1, 0, 3, 2
#endif

/* With u = sum of Re(gain) x and v = sum of Im(gain) x, part by part, the sum of gain x is (Re u - Im v, Im u + Re v):
 * parts change places once, not for every source. */
static inline vec combine(vec u, vec v)
{
    const vec exchanged = __builtin_shufflevector(v, v, EXCHANGED), changed = u - exchanged, same = u + exchanged;
    typedef int32_t mask __attribute__((vector_size(sizeof(vec))));
    mask odd;
    int32_t bits[LANES];
    for (int i = 0; i < LANES; i++) {
        bits[i] = -(i % 2);
    }
    memcpy(&odd, bits, sizeof odd);
    return (vec)(((mask)same & odd) | ((mask)changed & ~odd));
}

/* STEP parts from part i on; the sums stay in registers over all sources. */
static inline void add_step(int n_source, const struct convolve_source *source, bool fresh, int i, float *y)
{
    vec u[UNROLL] = {{0}}, v[UNROLL] = {{0}};
    for (int s = 0; s < n_source; s++) {
        const float g_re = crealf(source[s].gain), g_im = cimagf(source[s].gain);
        const float *const x = (const float *)source[s].x + i;
        for (int k = 0; k < UNROLL; k++) {
            const vec part = load(x + k * LANES);
            u[k] += g_re * part;
            v[k] += g_im * part;
        }
    }
    for (int k = 0; k < UNROLL; k++) {
        const vec sum = combine(u[k], v[k]);
        store(y + i + k * LANES, fresh ? sum : load(y + i + k * LANES) + sum);
    }
}

static void add(int n, int n_source, const struct convolve_source *source, bool fresh, tutti_cf32 *y)
{
    float *const out = (float *)y;
    int i = 0;
    for (; i + STEP <= 2 * n; i += STEP) {
        add_step(n_source, source, fresh, i, out);
    }
    for (; i < 2 * n; i += 2) {
        float u[2] = {0}, v[2] = {0};
        for (int s = 0; s < n_source; s++) {
            const float *const x = (const float *)source[s].x + i;
            for (int k = 0; k < 2; k++) {
                u[k] += crealf(source[s].gain) * x[k];
                v[k] += cimagf(source[s].gain) * x[k];
            }
        }
        out[i] = fresh ? u[0] - v[1] : out[i] + (u[0] - v[1]);
        out[i + 1] = fresh ? u[1] + v[0] : out[i + 1] + (u[1] + v[0]);
    }
}

static void rotate(int n, const tutti_cf32 *r, bool conjugate, tutti_cf32 *x)
{
    const float *restrict by = (const float *)r;
    float *restrict part = (float *)x;
    const float sign = conjugate ? -1.0f : 1.0f;
    for (int i = 0; i < 2 * n; i += 2) {
        const float re = part[i], im = part[i + 1], q = sign * by[i + 1];
        part[i] = re * by[i] - im * q;
        part[i + 1] = re * q + im * by[i];
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

extern const struct convolve_ops CONVOLVE_OPS;
const struct convolve_ops CONVOLVE_OPS = {
    .name = CONVOLVE_NAME, .add = add, .rotate = rotate, .clip = clip, .quantise = quantise};
