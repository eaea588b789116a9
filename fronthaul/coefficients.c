/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/coefficients.h"

#include "fronthaul/coefficients_rows.h"

#include <math.h>

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

extern const struct coefficients_ops coefficients_ops_portable;
#ifdef TUTTI_FRONTHAUL_X86
extern const struct coefficients_ops coefficients_ops_avx2;
#endif

static const struct coefficients_ops *variant(int i)
{
#ifdef TUTTI_FRONTHAUL_X86
    if (__builtin_cpu_supports("avx2") && i-- == 0) {
        return &coefficients_ops_avx2;
    }
#endif
    return i == 0 ? &coefficients_ops_portable : NULL;
}

static const struct coefficients_ops *chosen; /* every thread would choose the same */

static const struct coefficients_ops *rows(void)
{
    const struct coefficients_ops *ops = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (!ops) {
        ops = variant(0);
        __atomic_store_n(&chosen, ops, __ATOMIC_RELAXED);
    }
    return ops;
}

const char *coefficients_variant(int i)
{
    const struct coefficients_ops *ops = variant(i);
    return ops ? ops->name : NULL;
}

void coefficients_select(int i)
{
    __atomic_store_n(&chosen, variant(i), __ATOMIC_RELAXED);
}

/* cf32: the bits of the floats, little-endian as this processor's (a static assertion in the portable variant). In
 * pieces, so that the check finds them in the cache. */
static bool cf32_unpack(float *out, const uint8_t *in, size_t n)
{
    enum { PIECE = 2048 };
    uint32_t peak = 0;
    for (size_t at = 0; at < n; at += PIECE) {
        const size_t some = n - at < PIECE ? n - at : PIECE;
        memcpy(out + at, in + at * sizeof *out, some * sizeof *out);
        const uint32_t more = rows()->peak(out + at, some);
        peak = more > peak ? more : peak;
    }
    return peak < 0x7f800000u;
}

/* sc16: one scale per subband, value = scale * integer. */
static float sc16_scale(uint32_t peak_bits)
{
    const float scale = float_of(peak_bits) / 32767.0f;
    return peak_bits >= 0x7f800000u ? NAN : scale < FLT_MIN ? 0 : scale; /* the inverse of less would overflow */
}

void coefficients_pack(uint8_t *out, const struct wire_header *header, const tutti_cf32 *in)
{
    const struct coefficients_ops *ops = rows();
    const size_t n_row = (size_t)2 * header->n_stream, n_rows = (size_t)header->n_sb * header->n_ant;
    const float *values = (const float *)in;
    if (header->encoding == WIRE_CF32) {
        memcpy(out, values, n_rows * n_row * sizeof *values);
    } else if (header->encoding == WIRE_SC16) {
        const size_t n = n_row * header->n_ant;
        for (size_t sb = 0; sb < header->n_sb; sb++, values += n, out += 4 + 2 * n) {
            const float scale = sc16_scale(ops->peak(values, n));
            put_f32(out, scale);
            ops->sc16_put(out + 4, values, n, scale);
        }
    } else {
        ops->bfp_pack[header->mantissa_bits - BFP_MIN_BITS](out, values, n_rows, n_row);
    }
}

/* Columns of streams that have vectors, some whole groups at a time. */
struct picker {
    const struct coefficients_ops *ops;
    const struct wire_stream *stream;
    size_t n_column, n; /* n: floats that are picked from a row */
    const tutti_cf32 *row;
    size_t column, at; /* of the next one */
    float some[8 * GROUP];
};

static void pick_row(struct picker *p, const tutti_cf32 *row)
{
    p->row = row;
    p->column = p->at = 0;
}

/* How many floats are in p->some now; 0 at the end of the row. */
static size_t pick(struct picker *p)
{
    size_t n = 0;
    for (; n < sizeof p->some / sizeof *p->some && p->at < p->n; p->column++) {
        if (p->stream[p->column].source == WIRE_SOURCE_VECTORS) {
            p->some[n++] = crealf(p->row[p->column]);
            p->some[n++] = cimagf(p->row[p->column]);
            p->at += 2;
        }
    }
    return n;
}

static uint32_t picked_peak(struct picker *p, const tutti_cf32 *in, size_t n_row)
{
    uint32_t peak = 0;
    for (size_t r = 0; r < n_row; r++) {
        pick_row(p, in + r * p->n_column);
        for (size_t n = pick(p); n > 0; n = pick(p)) {
            const uint32_t more = p->ops->peak(p->some, n);
            peak = more > peak ? more : peak;
        }
    }
    return peak;
}

static void sc16_pack_picked(uint8_t *out, struct picker *p, const tutti_cf32 *in, size_t n_row)
{
    const float scale = sc16_scale(picked_peak(p, in, n_row));
    put_f32(out, scale);
    out += 4;
    for (size_t r = 0; r < n_row; r++) {
        pick_row(p, in + r * p->n_column);
        for (size_t n = pick(p); n > 0; n = pick(p)) {
            p->ops->sc16_put(out, p->some, n, scale);
            out += 2 * n;
        }
    }
}

static void row_pack_picked(uint8_t *out, struct picker *p, const tutti_cf32 *in, const struct wire_header *header)
{
    const int bits = header->mantissa_bits;
    const bool bfp = header->encoding == WIRE_BFP;
    const int exponent = bfp ? bfp_exponent(picked_peak(p, in, 1), bits) : 0;
    if (bfp) {
        *out++ = (uint8_t)exponent;
    }
    pick_row(p, in);
    for (size_t n = pick(p); n > 0; n = pick(p)) {
        if (bfp) {
            p->ops->bfp_put[bits - BFP_MIN_BITS](out, p->some, n, exponent);
            out += n * (size_t)bits / 8; /* whole, but at the end of the row */
        } else {
            memcpy(out, p->some, n * sizeof *p->some);
            out += n * sizeof *p->some;
        }
    }
}

void coefficients_pack_vectors(uint8_t *out, const struct wire_header *header, const tutti_cf32 *in,
                               const struct wire_stream *stream, size_t n_column)
{
    struct picker p = {.ops = rows(), .stream = stream, .n_column = n_column, .n = (size_t)2 * header->n_stream};
    struct wire_header one = *header;
    one.n_sb = 1;
    one.n_ant = header->encoding == WIRE_SC16 ? header->n_ant : 1;
    const size_t step = coefficients_bytes(&one), n_rows = one.n_ant;
    for (size_t row = 0; row < (size_t)header->n_sb * header->n_ant; row += n_rows, out += step) {
        const tutti_cf32 *from = in + row * n_column;
        if (header->encoding == WIRE_SC16) {
            sc16_pack_picked(out, &p, from, n_rows);
        } else {
            row_pack_picked(out, &p, from, header);
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
            good = rows()->sc16_unpack(values + sb * n, in + sb * (4 + 2 * n), n);
        }
    } else {
        good = rows()->bfp_unpack[header->mantissa_bits - BFP_MIN_BITS](values, in, n_rows, n_row);
    }
    return good;
}
