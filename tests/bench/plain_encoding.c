/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain_encoding.h"

#include <math.h>
#include <string.h>

static float largest(const float *in, size_t n)
{
    float peak = 0;
    for (size_t i = 0; i < n; i++) {
        peak = fmaxf(peak, fabsf(in[i]));
    }
    return peak;
}

static size_t row_bytes(size_t n, int bits)
{
    return 1 + (n * (size_t)bits + 7) / 8;
}

void plain_bfp_pack(uint8_t *out, const float *in, size_t n_rows, size_t n, int bits)
{
    const long most = (1l << (bits - 1)) - 1;
    memset(out, 0, n_rows * row_bytes(n, bits));
    for (size_t r = 0; r < n_rows; r++, in += n, out += row_bytes(n, bits)) {
        int exponent = 0;
        frexpf(largest(in, n), &exponent);
        exponent -= bits - 1;
        out[0] = (uint8_t)exponent;
        for (size_t i = 0; i < n; i++) {
            long v = lrintf(ldexpf(in[i], -exponent));
            v = v > most ? most : v < -most ? -most : v;
            for (int b = 0; b < bits; b++) {
                const size_t at = 8 + i * (size_t)bits + (size_t)b;
                out[at / 8] = (uint8_t)(out[at / 8] | ((unsigned long)v >> (bits - 1 - b) & 1) << (7 - at % 8));
            }
        }
    }
}

void plain_bfp_unpack(float *out, const uint8_t *in, size_t n_rows, size_t n, int bits)
{
    for (size_t r = 0; r < n_rows; r++, out += n, in += row_bytes(n, bits)) {
        for (size_t i = 0; i < n; i++) {
            int v = 0;
            for (int b = 0; b < bits; b++) {
                const size_t at = 8 + i * (size_t)bits + (size_t)b;
                v = v << 1 | (in[at / 8] >> (7 - at % 8) & 1);
            }
            v -= v >> (bits - 1) << bits; /* its sign */
            out[i] = ldexpf((float)v, (int8_t)in[0]);
        }
    }
}

void plain_sc16_pack(uint8_t *out, const float *in, size_t n_rows, size_t n)
{
    for (size_t r = 0; r < n_rows; r++, in += n, out += 4 + 2 * n) {
        const float scale = largest(in, n) / 32767.0f;
        memcpy(out, &scale, sizeof scale);
        for (size_t i = 0; i < n; i++) {
            const int16_t v = (int16_t)lrintf(in[i] / scale);
            memcpy(out + 4 + 2 * i, &v, sizeof v);
        }
    }
}

void plain_sc16_unpack(float *out, const uint8_t *in, size_t n_rows, size_t n)
{
    for (size_t r = 0; r < n_rows; r++, out += n, in += 4 + 2 * n) {
        float scale;
        memcpy(&scale, in, sizeof scale);
        for (size_t i = 0; i < n; i++) {
            int16_t v;
            memcpy(&v, in + 4 + 2 * i, sizeof v);
            out[i] = scale * (float)v;
        }
    }
}
