/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Four values at a time, as vectors of the width every machine has. */
#include "fronthaul/coefficients_rows.h"

#include <math.h>
#ifdef __SSE4_1__
#include <smmintrin.h>
#endif

/* Widths are constants of the caller: clang would make one body for all of them, with shifts that it does not know. */
#define ALWAYS static inline __attribute__((always_inline))

enum { QUAD = 4 };
typedef float quad_f32 __attribute__((vector_size(4 * QUAD)));
typedef int32_t quad_i32 __attribute__((vector_size(4 * QUAD)));
typedef int16_t quad_i16 __attribute__((vector_size(2 * QUAD)));
typedef uint64_t quad_u64 __attribute__((vector_size(4 * QUAD))); /* two pairs of neighbours, the first one low */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "which of two neighbours is the low one");

/* One instruction where there is one, which gcc does not find by itself. */
static inline quad_i32 quad_max(quad_i32 a, quad_i32 b)
{
#ifdef __SSE4_1__
    return (quad_i32)_mm_max_epi32((__m128i)a, (__m128i)b);
#else
    const quad_i32 more = a > b;
    return (a & more) | (b & ~more);
#endif
}

/* Bits of the largest magnitude of n values; magnitudes order as their bits do. */
static uint32_t row_peak(const float *in, size_t n)
{
    quad_i32 peak = {0}, v;
    size_t at = 0;
    for (; at + QUAD <= n; at += QUAD) {
        memcpy(&v, in + at, sizeof v);
        peak = quad_max(peak, v & 0x7fffffff);
    }
    for (; at < n; at++) {
        v = (quad_i32){(int32_t)bits_of(in[at])};
        peak = quad_max(peak, v & 0x7fffffff);
    }
    const int32_t even = peak[0] > peak[2] ? peak[0] : peak[2], odd = peak[1] > peak[3] ? peak[1] : peak[3];
    return (uint32_t)(even > odd ? even : odd);
}

/* Nearest integers (ties to even) of four in * a * b, clamped to +-limit. Products stay below 2^22, so that adding
 * 1.5 * 2^23 leaves the integer in the low bits of the sum. */
static inline quad_i32 quantise(const float *in, float a, float b, int32_t limit)
{
    const float shifter = 12582912.0f;
    quad_f32 x;
    memcpy(&x, in, sizeof x);
    x = x * a * b + shifter;
    const quad_i32 v = (quad_i32)x - (int32_t)bits_of(shifter), most = (quad_i32){0} + limit;
    return quad_max(-quad_max(-v, -most), -most);
}

static void sc16_put(uint8_t *out, const float *in, size_t n, float scale)
{
    if (!(scale > 0)) {
        memset(out, 0, 2 * n);
        return;
    }
    const float inverse = 1.0f / scale;
    for (size_t at = 0; at < n; at += QUAD) {
        const size_t rest = n - at < QUAD ? n - at : QUAD;
        float last[QUAD] = {0};
        const float *from = rest == QUAD ? in + at : memcpy(last, in + at, rest * sizeof *last);
        const quad_i32 v = quantise(from, inverse, 1.0f, 32767);
        for (size_t i = 0; i < rest; i++) {
            put_u16(out + 2 * (at + i), (uint16_t)v[i]);
        }
    }
}

static bool sc16_unpack(float *out, const uint8_t *in, size_t n)
{
    const float scale = get_f32(in);
    if (!(scale >= 0 && scale <= FLT_MAX / 32768.0f)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = scale * (float)(int16_t)get_u16(in + 4 + 2 * i);
    }
    return true;
}

/* Four values from mantissas side by side, the first on top: as lanes of 16 bits, the first in the lowest, whose signs
 * are extended. */
ALWAYS void split(float *out, uint64_t joined, int bits, float scale)
{
    const uint64_t pairs = joined >> 2 * bits | (joined & low_bits(2 * bits)) << 32;
    const uint64_t firsts = pairs >> bits & low_bits(bits) * 0x0000000100000001u;
    const uint64_t lanes = firsts | (pairs & low_bits(bits) * 0x0000000100000001u) << 16;
    const quad_i16 sign = (quad_i16){0} + (int16_t)(1 << (bits - 1)), v = ((quad_i16)lanes ^ sign) - sign;
    const quad_f32 x = __builtin_convertvector(__builtin_convertvector(v, quad_i32), quad_f32) * scale;
    memcpy(out, &x, sizeof x);
}

/* Four mantissas side by side, the first on top. */
ALWAYS uint64_t join(quad_i32 mantissa, int bits)
{
    const quad_u64 v = (quad_u64)mantissa;
    const quad_u64 pair = (v & low_bits(bits)) << bits | (v >> 32 & low_bits(bits));
    return pair[0] << 2 * bits | pair[1];
}

ALWAYS void group_pack(uint8_t *out, const float *in, int bits, float a, float b)
{
    const int32_t limit = (1 << (bits - 1)) - 1;
    const uint64_t head = join(quantise(in, a, b, limit), bits), tail = join(quantise(in + QUAD, a, b, limit), bits);
    bfp_put_group(out, head, tail, bits);
}

ALWAYS void group_unpack(float *restrict out, const uint8_t *in, int bits, float scale)
{
    split(out, bfp_get_head(in, bits), bits, scale);
    split(out + QUAD, bfp_get_tail(in, bits), bits, scale);
}

ALWAYS void bfp_put_row(uint8_t *out, const float *in, size_t n, int bits, int exponent, struct bfp_factors f)
{
    if (exponent == BFP_NOT_FINITE) {
        memset(out, 0, bfp_row_bytes(n, (unsigned)bits) - 1);
        return;
    }
    size_t at = 0;
    for (; at + GROUP <= n; at += GROUP, out += bits) {
        group_pack(out, in + at, bits, f.a, f.b);
    }
    if (at < n) { /* the end of the row: zero bits up to the next byte */
        float last[GROUP] = {0};
        uint8_t bytes[16];
        memcpy(last, in + at, (n - at) * sizeof *last);
        group_pack(bytes, last, bits, f.a, f.b);
        memcpy(out, bytes, ((n - at) * (size_t)bits + 7) / 8);
    }
}

ALWAYS bool bfp_unpack_row(float *out, const uint8_t *in, size_t n, int bits)
{
    const int exponent = (int8_t)*in++;
    if (exponent == BFP_NOT_FINITE || exponent > 128 - bits) {
        return false;
    }
    const float scale = exponent < -126 ? FLT_MIN / 2 : power_of_two(exponent);
    size_t at = 0;
    for (; at + GROUP <= n; at += GROUP, in += bits) {
        group_unpack(out + at, in, bits, scale);
    }
    if (at == n) {
        return true;
    }
    const size_t n_bits = (n - at) * (size_t)bits;
    float last[GROUP];
    uint8_t bytes[16] = {0};
    memcpy(bytes, in, (n_bits + 7) / 8);
    group_unpack(last, bytes, bits, scale);
    memcpy(out + at, last, (n - at) * sizeof *last);
    return n_bits % 8 == 0 || (bytes[n_bits / 8] & 0xff >> n_bits % 8) == 0;
}

ALWAYS void bfp_pack_rows(uint8_t *out, const float *in, size_t n_rows, size_t n, int bits)
{
    for (size_t r = 0; r < n_rows; r++, in += n, out += bfp_row_bytes(n, (unsigned)bits)) {
        const int exponent = bfp_exponent(row_peak(in, n), bits);
        *out = (uint8_t)exponent;
        bfp_put_row(out + 1, in, n, bits, exponent, bfp_factors(exponent));
    }
}

BFP_WIDTHS

extern const struct coefficients_ops coefficients_ops_portable;
const struct coefficients_ops coefficients_ops_portable = {
    .name = "portable",
    .peak = row_peak,
    .sc16_put = sc16_put,
    .sc16_unpack = sc16_unpack,
    .bfp_pack = BFP_PACK,
    .bfp_put = BFP_PUT,
    .bfp_unpack = BFP_UNPACK,
};
