/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/coefficients.h"
#include "fronthaul/bytes.h"

#include <float.h>
#include <math.h>

enum { BFP_MIN_BITS = 9, BFP_MAX_BITS = 14, BFP_NOT_FINITE = -128, BFP_MIN_EXPONENT = -127 };

static size_t bfp_row_bytes(size_t n_values, unsigned bits)
{
    return 1 + (n_values * bits + 7) / 8;
}

size_t coefficients_bytes(const struct wire_header *header)
{
    const size_t n_sb = header->n_sb, n_ant = header->n_ant, n_stream = header->n_stream;
    const unsigned bits = header->mantissa_bits;
    switch (header->encoding) {
    case WIRE_CF32:
        return bits ? 0 : n_sb * n_ant * n_stream * 8;
    case WIRE_SC16:
        return bits ? 0 : n_sb * (4 + n_ant * n_stream * 4);
    case WIRE_BFP:
        return bits < BFP_MIN_BITS || bits > BFP_MAX_BITS ? 0 : n_sb * n_ant * bfp_row_bytes(2 * n_stream, bits);
    default:
        return 0;
    }
}

/* Largest magnitude of n values; infinity if one of them is not finite. */
static float row_peak(const float *in, size_t n)
{
    float peak = 0;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        finite &= finite_f32(in[i]);
        float magnitude = fabsf(in[i]);
        peak = magnitude > peak ? magnitude : peak;
    }
    return finite ? peak : INFINITY;
}

static int32_t round_clamped(float v, int32_t limit)
{
    int32_t rounded = (int32_t)lrintf(v);
    return rounded > limit ? limit : rounded < -limit ? -limit : rounded;
}

/* cf32: the bits of the floats. */
static void cf32_pack(uint8_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_f32(out + 4 * i, in[i]);
    }
}

static bool cf32_unpack(float *out, const uint8_t *in, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = get_f32(in + 4 * i);
        bad |= !finite_f32(out[i]);
    }
    return !bad;
}

/* sc16: one scale per subband, value = scale * integer. */
static void sc16_pack_row(uint8_t *out, const float *in, size_t n)
{
    const float peak = row_peak(in, n);
    float scale = peak / 32767.0f;
    if (scale < FLT_MIN) { /* its inverse would overflow */
        scale = 0;
    }
    put_f32(out, finite_f32(peak) ? scale : NAN);
    const float inverse = finite_f32(peak) && scale > 0 ? 1.0f / scale : 0;
    for (size_t i = 0; i < n; i++) {
        int32_t v = inverse > 0 ? round_clamped(in[i] * inverse, 32767) : 0;
        put_u16(out + 4 + 2 * i, (uint16_t)v);
    }
}

static bool sc16_unpack_row(float *out, const uint8_t *in, size_t n)
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

/* Block floating point: value = mantissa * 2^exponent, two's complement mantissas most significant bit first. */
static int bfp_exponent(float peak, unsigned bits)
{
    int exponent = 0;
    if (peak > 0) {
        frexpf(peak, &exponent);   /* peak = f * 2^exponent with f in [1/2, 1) */
        exponent -= (int)bits - 1; /* so that f fills the mantissa */
    }
    return exponent < BFP_MIN_EXPONENT ? BFP_MIN_EXPONENT : exponent;
}

static void bfp_pack_row(uint8_t *out, const float *in, size_t n, unsigned bits)
{
    const float peak = row_peak(in, n);
    const bool finite = finite_f32(peak);
    const int exponent = finite ? bfp_exponent(peak, bits) : BFP_NOT_FINITE;
    const int32_t limit = (1 << (bits - 1)) - 1;
    *out++ = (uint8_t)exponent;
    uint32_t queue = 0; /* the n_queued low bits still have to go out */
    unsigned n_queued = 0;
    /* two factors: 2^-exponent alone may overflow a float */
    const float scale_a = ldexpf(1.0f, -exponent / 2), scale_b = ldexpf(1.0f, -exponent - -exponent / 2);
    for (size_t i = 0; i < n; i++) {
        const int32_t mantissa = finite ? round_clamped(in[i] * scale_a * scale_b, limit) : 0;
        queue = queue << bits | ((uint32_t)mantissa & ((1u << bits) - 1));
        for (n_queued += bits; n_queued >= 8; n_queued -= 8) {
            *out++ = (uint8_t)(queue >> (n_queued - 8));
        }
    }
    if (n_queued) {
        *out = (uint8_t)(queue << (8 - n_queued));
    }
}

static bool bfp_unpack_row(float *out, const uint8_t *in, size_t n, unsigned bits)
{
    const int exponent = (int8_t)*in++;
    if (exponent == BFP_NOT_FINITE || exponent > 128 - (int)bits) {
        return false;
    }
    const float scale = ldexpf(1.0f, exponent);
    uint32_t queue = 0;
    unsigned n_queued = 0;
    for (size_t i = 0; i < n; i++) {
        for (; n_queued < bits; n_queued += 8) {
            queue = queue << 8 | *in++;
        }
        n_queued -= bits;
        const uint32_t field = (queue >> n_queued) & ((1u << bits) - 1);
        const int32_t sign = 1 << (bits - 1);
        out[i] = (float)(((int32_t)field ^ sign) - sign) * scale;
    }
    return (queue & ((1u << n_queued) - 1)) == 0;
}

void coefficients_pack(uint8_t *out, const struct wire_header *header, const tutti_cf32 *in)
{
    const size_t n_row = (size_t)2 * header->n_stream, n_rows = (size_t)header->n_sb * header->n_ant;
    const float *values = (const float *)in;
    if (header->encoding == WIRE_CF32) {
        cf32_pack(out, values, n_rows * n_row);
    } else if (header->encoding == WIRE_SC16) {
        const size_t n = n_row * header->n_ant;
        for (size_t sb = 0; sb < header->n_sb; sb++) {
            sc16_pack_row(out + sb * (4 + 2 * n), values + sb * n, n);
        }
    } else {
        const size_t row_bytes = bfp_row_bytes(n_row, header->mantissa_bits);
        for (size_t r = 0; r < n_rows; r++) {
            bfp_pack_row(out + r * row_bytes, values + r * n_row, n_row, header->mantissa_bits);
        }
    }
}

bool coefficients_unpack(tutti_cf32 *out, const struct wire_header *header, const uint8_t *in)
{
    const size_t n_row = (size_t)2 * header->n_stream, n_rows = (size_t)header->n_sb * header->n_ant;
    float *values = (float *)out;
    bool good = true;
    if (header->encoding == WIRE_CF32) {
        good = cf32_unpack(values, in, n_rows * n_row);
    } else if (header->encoding == WIRE_SC16) {
        const size_t n = n_row * header->n_ant;
        for (size_t sb = 0; sb < header->n_sb && good; sb++) {
            good = sc16_unpack_row(values + sb * n, in + sb * (4 + 2 * n), n);
        }
    } else {
        const size_t row_bytes = bfp_row_bytes(n_row, header->mantissa_bits);
        for (size_t r = 0; r < n_rows && good; r++) {
            good = bfp_unpack_row(values + r * n_row, in + r * row_bytes, n_row, header->mantissa_bits);
        }
    }
    return good;
}
