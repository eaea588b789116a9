/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of coefficients in one instruction set: what coefficients.c chooses from at run time. Private to this folder;
 * every variant writes the same bytes. */
#ifndef TUTTI_FRONTHAUL_COEFFICIENTS_ROWS_H
#define TUTTI_FRONTHAUL_COEFFICIENTS_ROWS_H

#include "fronthaul/bytes.h"
#include "fronthaul/coefficients.h"

#include <endian.h>
#include <float.h>

enum { BFP_MIN_BITS = 9, BFP_MAX_BITS = 14, BFP_N_WIDTH = 6, BFP_NOT_FINITE = -128, BFP_MIN_EXPONENT = -127 };

struct coefficients_ops {
    const char *name;
    /* Bits of the largest magnitude of n values: 0x7f800000 and more if one is not finite. */
    uint32_t (*peak)(const float *in, size_t n);
    /* sc16 without its scale: integers value / scale; zeros where scale is not > 0. */
    void (*sc16_put)(uint8_t *out, const float *in, size_t n, float scale);
    bool (*sc16_unpack)(float *out, const uint8_t *in, size_t n); /* with its scale */
    /* Block floating point, by mantissa bits - BFP_MIN_BITS: n_rows rows of n values, each row value = mantissa *
     * 2^exponent; put: n values of a row without the exponent's byte. */
    void (*bfp_pack[BFP_N_WIDTH])(uint8_t *out, const float *in, size_t n_rows, size_t n);
    void (*bfp_put[BFP_N_WIDTH])(uint8_t *out, const float *in, size_t n, int exponent);
    bool (*bfp_unpack[BFP_N_WIDTH])(float *out, const uint8_t *in, size_t n_rows, size_t n);
};

enum { GROUP = 8 }; /* eight mantissas of m bits are m whole bytes */

static inline size_t bfp_row_bytes(size_t n_values, unsigned bits)
{
    return 1 + (n_values * bits + 7) / 8;
}

static inline uint32_t bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* 2^k, k in -126..127. */
static inline float power_of_two(int k)
{
    return float_of((uint32_t)(k + 127) << 23);
}

static inline uint64_t low_bits(int n)
{
    return ((uint64_t)1 << n) - 1;
}

static inline void put_be64(uint8_t *out, uint64_t v)
{
    v = htobe64(v);
    memcpy(out, &v, sizeof v);
}

static inline uint64_t get_be64(const uint8_t *in)
{
    uint64_t v;
    memcpy(&v, in, sizeof v);
    return be64toh(v);
}

/* The exponent of a row whose largest magnitude has these bits, or BFP_NOT_FINITE. */
static inline int bfp_exponent(uint32_t peak_bits, int bits)
{
    if (peak_bits >= 0x7f800000u) {
        return BFP_NOT_FINITE;
    }
    const int exponent = (int)(peak_bits >> 23) - 126; /* peak = f * 2^exponent, f in [1/2, 1) (or subnormal) */
    const int filling = exponent - (bits - 1);         /* so that f fills the mantissa */
    return peak_bits == 0 ? 0 : filling < BFP_MIN_EXPONENT ? BFP_MIN_EXPONENT : filling;
}

/* 2^-exponent as two factors: alone it may overflow a float. */
struct bfp_factors {
    float a, b;
};

static inline struct bfp_factors bfp_factors(int exponent)
{
    const int half = exponent == BFP_NOT_FINITE ? 0 : -exponent / 2;
    return (struct bfp_factors){power_of_two(half), exponent == BFP_NOT_FINITE ? 0 : power_of_two(-exponent - half)};
}

/* Eight mantissas as two joined quadruples (the first on top) into `bits` bytes: two overlapping words of eight. */
static inline void bfp_put_group(uint8_t *out, uint64_t head, uint64_t tail, int bits)
{
    put_be64(out, head << (64 - 4 * bits) | tail >> (8 * bits - 64));
    put_be64(out + bits - 8, head << 4 * bits | tail);
}

static inline uint64_t bfp_get_head(const uint8_t *in, int bits)
{
    return get_be64(in) >> (64 - 4 * bits);
}

static inline uint64_t bfp_get_tail(const uint8_t *in, int bits)
{
    return get_be64(in + bits - 8) & low_bits(4 * bits);
}

/* Rows of one width each, so that the compiler knows every shift; needs bfp_pack_rows, bfp_put_row and bfp_unpack_row.
 */
#define BFP_WIDTH(bits)                                                                                                \
    static void bfp##bits##_pack(uint8_t *out, const float *in, size_t n_rows, size_t n)                               \
    {                                                                                                                  \
        bfp_pack_rows(out, in, n_rows, n, bits);                                                                       \
    }                                                                                                                  \
    static void bfp##bits##_put(uint8_t *out, const float *in, size_t n, int exponent)                                 \
    {                                                                                                                  \
        bfp_put_row(out, in, n, bits, exponent, bfp_factors(exponent));                                                \
    }                                                                                                                  \
    static bool bfp##bits##_unpack(float *out, const uint8_t *in, size_t n_rows, size_t n)                             \
    {                                                                                                                  \
        bool good = true;                                                                                              \
        for (size_t r = 0; r < n_rows && good; r++) {                                                                  \
            good = bfp_unpack_row(out + r * n, in + r * bfp_row_bytes(n, bits), n, bits);                              \
        }                                                                                                              \
        return good;                                                                                                   \
    }
#define BFP_WIDTHS BFP_WIDTH(9) BFP_WIDTH(10) BFP_WIDTH(11) BFP_WIDTH(12) BFP_WIDTH(13) BFP_WIDTH(14)
#define BFP_PACK                                                                                                       \
    {                                                                                                                  \
        bfp9_pack, bfp10_pack, bfp11_pack, bfp12_pack, bfp13_pack, bfp14_pack                                          \
    }
#define BFP_PUT                                                                                                        \
    {                                                                                                                  \
        bfp9_put, bfp10_put, bfp11_put, bfp12_put, bfp13_put, bfp14_put                                                \
    }
#define BFP_UNPACK                                                                                                     \
    {                                                                                                                  \
        bfp9_unpack, bfp10_unpack, bfp11_unpack, bfp12_unpack, bfp13_unpack, bfp14_unpack                              \
    }

#endif
