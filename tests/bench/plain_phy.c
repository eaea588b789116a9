/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain_phy.h"

#include "linalg/cmplx.h"

#include <math.h>

enum { MAX_AXIS_BITS = 4 };

static uint8_t quantise(float llr)
{
    const float v = 128.0f + 8.0f * llr;
    if (v >= 255.0f) {
        return 255;
    }
    return v > 0.0f ? (uint8_t)v : 0;
}

static void demap_axis(const float *level, int n_bits, float y, float inverse_variance, uint8_t *soft)
{
    float nearest[2][MAX_AXIS_BITS];
    for (int b = 0; b < n_bits; b++) {
        nearest[0][b] = nearest[1][b] = HUGE_VALF;
    }
    for (int i = 0; i < 1 << n_bits; i++) {
        const float d = (y - level[i]) * (y - level[i]);
        for (int b = 0; b < n_bits; b++) {
            float *best = &nearest[i >> (n_bits - 1 - b) & 1][b];
            *best = d < *best ? d : *best;
        }
    }
    for (int b = 0; b < n_bits; b++) {
        soft[b] = quantise((nearest[0][b] - nearest[1][b]) * inverse_variance);
    }
}

/* level [2^axis_bits] by label: the i-th level from below has label i ^ i / 2. */
static void make_levels(int axis_bits, float *level)
{
    const int n_level = 1 << axis_bits;
    const float unit = sqrtf(1.5f / (float)(n_level * n_level - 1));
    for (int i = 0; i < n_level; i++) {
        level[i ^ i >> 1] = unit * (float)(2 * i - n_level + 1);
    }
}

void plain_demap(int axis_bits, int n, const tutti_cf32 *y, const float *noise_variance, uint8_t *soft)
{
    float level[1 << MAX_AXIS_BITS];
    make_levels(axis_bits, level);
    for (int r = 0; r < n; r++, soft += 2 * axis_bits) {
        const float inverse = 1.0f / fmaxf(noise_variance[r], 1e-9f);
        demap_axis(level, axis_bits, crealf(y[r]), inverse, soft);
        demap_axis(level, axis_bits, cimagf(y[r]), inverse, soft + axis_bits);
    }
}

void plain_encode(const uint8_t *bytes, int n_bytes, uint8_t *coded)
{
    unsigned state = 0;
    for (int i = 0; i < 8 * n_bytes + 6; i++) {
        const unsigned bit = i < 8 * n_bytes ? bytes[i / 8] >> (7 - i % 8) & 1u : 0;
        state = (state >> 1 | bit << 6) & 0x7f;
        *coded++ = (uint8_t)__builtin_parity(state & 0171);
        *coded++ = (uint8_t)__builtin_parity(state & 0133);
    }
}

void plain_map(int axis_bits, int n, const uint8_t *coded, tutti_cf32 *y)
{
    float level[1 << MAX_AXIS_BITS];
    make_levels(axis_bits, level);
    for (int r = 0; r < n; r++) {
        int label[2] = {0};
        for (int b = 0; b < 2 * axis_bits; b++) {
            label[b / axis_bits] = label[b / axis_bits] << 1 | *coded++;
        }
        y[r] = CMPLXF(level[label[0]], level[label[1]]);
    }
}

/* Spelled out: some compilers guard complex products against infinities. */
static inline tutti_cf32 product(tutti_cf32 a, tutti_cf32 b)
{
    return CMPLXF(crealf(a) * crealf(b) - cimagf(a) * cimagf(b), crealf(a) * cimagf(b) + cimagf(a) * crealf(b));
}

static float nearest_level(int axis_bits, float unit, float x)
{
    const float most = (float)((1 << axis_bits) - 1), level = 2 * rintf((x / unit - 1) / 2) + 1;
    return unit * fminf(fmaxf(level, -most), most);
}

void plain_angle(int axis_bits, int n, float unit, const float *turn, const float *weight, const tutti_cf32 *y,
                 double *sums)
{
    double complex sum = 0;
    for (int i = 0; i < n; i++) {
        const tutti_cf32 t = CMPLXF(turn[0], turn[1]) * y[i];
        const tutti_cf32 d =
            CMPLXF(nearest_level(axis_bits, unit, crealf(t)), nearest_level(axis_bits, unit, cimagf(t)));
        sum += (double complex)(weight[i] * t * conjf(d));
    }
    sums[0] = creal(sum);
    sums[1] = cimag(sum);
}

void plain_dot(int n, const tutti_cf32 *x, const tutti_cf32 *y, tutti_cf32 *sum)
{
    for (int i = 0; i < n; i++) {
        sum[i] += product(x[i], conjf(y[i]));
    }
}

void plain_scale_add(int n, const tutti_cf32 *c, const tutti_cf32 *x, const tutti_cf32 *base, tutti_cf32 *out)
{
    for (int i = 0; i < n; i++) {
        out[i] = base[i] + product(c[i], x[i]);
    }
}

void plain_residual(int n, const tutti_cf32 *c, const tutti_cf32 *x, const tutti_cf32 *y, float *energy)
{
    for (int i = 0; i < n; i++) {
        const tutti_cf32 e = y[i] - product(c[i], x[i]);
        energy[i] += crealf(e) * crealf(e) + cimagf(e) * cimagf(e);
    }
}
