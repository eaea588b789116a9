/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain_phy.h"

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

void plain_demap(int axis_bits, int n, const tutti_cf32 *y, const float *noise_variance, uint8_t *soft)
{
    float level[1 << MAX_AXIS_BITS];
    const int n_level = 1 << axis_bits;
    const float unit = sqrtf(1.5f / (float)(n_level * n_level - 1));
    for (int i = 0; i < n_level; i++) { /* the i-th level from below has label i ^ i / 2 */
        level[i ^ i >> 1] = unit * (float)(2 * i - n_level + 1);
    }
    for (int r = 0; r < n; r++, soft += 2 * axis_bits) {
        const float inverse = 1.0f / fmaxf(noise_variance[r], 1e-9f);
        demap_axis(level, axis_bits, crealf(y[r]), inverse, soft);
        demap_axis(level, axis_bits, cimagf(y[r]), inverse, soft + axis_bits);
    }
}
