/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/coefficients.h"

#include "fronthaul/bytes.h"

#include <endian.h>
#include <float.h>
#include <math.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

typedef void packer(uint8_t *out, const float *in, size_t n_rows, size_t n);

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

/* Values are worked on four at a time, as vectors of the width every machine has; eight mantissas of m bits are m whole
 * bytes. */
enum { QUAD = 4, GROUP = 8 };
typedef float quad_f32 __attribute__((vector_size(4 * QUAD)));
typedef int32_t quad_i32 __attribute__((vector_size(4 * QUAD)));
typedef uint64_t quad_u64 __attribute__((vector_size(4 * QUAD))); /* two pairs of neighbours, the first one low */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "which of two neighbours is the low one");

static uint32_t bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* 2^k, k in -126..127. */
static float power_of_two(int k)
{
    return float_of((uint32_t)(k + 127) << 23);
}

static inline quad_i32 quad_max(quad_i32 a, quad_i32 b)
{
    const quad_i32 more = a > b;
    return (a & more) | (b & ~more);
}

/* Largest magnitude of n values; infinity or a NaN if one of them is not finite. Magnitudes order as their bits do. */
static inline float row_peak(const float *in, size_t n)
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
    return float_of((uint32_t)(even > odd ? even : odd));
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

/* cf32: the bits of the floats. */
static bool cf32_unpack(float *out, const uint8_t *in, size_t n)
{
    uint32_t peak = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = get_u32(in + 4 * i), magnitude = bits & 0x7fffffffu;
        out[i] = float_of(bits);
        peak = magnitude > peak ? magnitude : peak;
    }
    return peak < 0x7f800000u;
}

/* sc16: one scale per subband, value = scale * integer. */
static float sc16_scale(float peak)
{
    const float scale = peak / 32767.0f;
    return !finite_f32(peak) ? NAN : scale < FLT_MIN ? 0 : scale; /* the inverse of less would overflow */
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

static void sc16_pack_row(uint8_t *out, const float *in, size_t n)
{
    const float scale = sc16_scale(row_peak(in, n));
    put_f32(out, scale);
    sc16_put(out + 4, in, n, scale);
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
static int bfp_exponent(float peak, int bits)
{
    if (!(peak > 0)) {
        return 0;
    }
    const int exponent = (int)(bits_of(peak) >> 23) - 126; /* peak = f * 2^exponent, f in [1/2, 1) (or subnormal) */
    const int filling = exponent - (bits - 1);             /* so that f fills the mantissa */
    return filling < BFP_MIN_EXPONENT ? BFP_MIN_EXPONENT : filling;
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

/* Four lanes of 16 bits, the first value in the lowest. */
static void put_lanes(int16_t *out, uint64_t v)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (int16_t)(uint16_t)(v >> 16 * i);
    }
}

static inline uint64_t low_bits(int n)
{
    return ((uint64_t)1 << n) - 1;
}

/* From four mantissas side by side, the first on top. */
static inline void split(int16_t *out, uint64_t joined, int bits)
{
    const uint64_t pairs = joined >> 2 * bits | (joined & low_bits(2 * bits)) << 32;
    const uint64_t firsts = pairs >> bits & low_bits(bits) * 0x0000000100000001u;
    put_lanes(out, firsts | (pairs & low_bits(bits) * 0x0000000100000001u) << 16);
}

/* Four mantissas side by side, the first on top. */
static inline uint64_t join(quad_i32 mantissa, int bits)
{
    const quad_u64 v = (quad_u64)mantissa;
    const quad_u64 pair = (v & low_bits(bits)) << bits | (v >> 32 & low_bits(bits));
    return pair[0] << 2 * bits | pair[1];
}

/* Eight values into `bits` bytes, as two overlapping words of eight bytes. */
static inline void group_pack(uint8_t *out, const float *in, int bits, float a, float b)
{
    const int32_t limit = (1 << (bits - 1)) - 1;
    const uint64_t head = join(quantise(in, a, b, limit), bits), tail = join(quantise(in + QUAD, a, b, limit), bits);
    put_be64(out, head << (64 - 4 * bits) | tail >> (8 * bits - 64));
    put_be64(out + bits - 8, head << 4 * bits | tail);
}

static inline void group_unpack(float *restrict out, const uint8_t *in, int bits, float scale)
{
    const int16_t sign = (int16_t)(1 << (bits - 1));
    int16_t v[GROUP];
    split(v, get_be64(in) >> (64 - 4 * bits), bits);
    split(v + 4, get_be64(in + bits - 8) & low_bits(4 * bits), bits);
    for (int i = 0; i < GROUP; i++) {
        out[i] = (float)(int16_t)((v[i] ^ sign) - sign) * scale;
    }
}

static inline void bfp_pack_row(uint8_t *out, const float *in, size_t n, int bits)
{
    const float peak = row_peak(in, n);
    const bool finite = finite_f32(peak);
    const int exponent = finite ? bfp_exponent(peak, bits) : BFP_NOT_FINITE;
    *out++ = (uint8_t)exponent;
    if (!finite) {
        memset(out, 0, bfp_row_bytes(n, (unsigned)bits) - 1);
        return;
    }
    /* two factors: 2^-exponent alone may overflow a float */
    const float a = power_of_two(-exponent / 2), b = power_of_two(-exponent - -exponent / 2);
    size_t at = 0;
    for (; at + GROUP <= n; at += GROUP, out += bits) {
        group_pack(out, in + at, bits, a, b);
    }
    if (at < n) { /* the end of the row: zero bits up to the next byte */
        float last[GROUP] = {0};
        uint8_t bytes[16];
        memcpy(last, in + at, (n - at) * sizeof *last);
        group_pack(bytes, last, bits, a, b);
        memcpy(out, bytes, ((n - at) * (size_t)bits + 7) / 8);
    }
}

static inline bool bfp_unpack_row(float *out, const uint8_t *in, size_t n, int bits)
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

#ifdef __x86_64__
/* The same with vectors of 256 bits, for processors that have them: a group of eight at a time. The same bits. */
#define WIDE __attribute__((target("avx2"), always_inline)) static inline

WIDE float wide_row_peak(const float *in, size_t n)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i peak = _mm256_setzero_si256();
    size_t at = 0;
    for (; at + GROUP <= n; at += GROUP) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(in + at));
        peak = _mm256_max_epi32(peak, _mm256_and_si256(v, magnitude));
    }
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(peak), _mm256_extracti128_si256(peak, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    uint32_t most = (uint32_t)_mm_cvtsi128_si32(half);
    for (; at < n; at++) {
        const uint32_t bits = bits_of(in[at]) & 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    return float_of(most);
}

/* Eight values into `bits` bytes: pairs are joined in their 64 bits, pairs of pairs in their 128, two words of four
 * mantissas are left. */
WIDE void wide_group_pack(uint8_t *out, const float *in, int bits, __m256 a, __m256 b)
{
    const __m256 shifter = _mm256_set1_ps(12582912.0f);
    const __m256i limit = _mm256_set1_epi32((1 << (bits - 1)) - 1), mask = _mm256_set1_epi32((1 << bits) - 1);
    const __m256 x = _mm256_add_ps(_mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(in), a), b), shifter);
    __m256i v = _mm256_sub_epi32(_mm256_castps_si256(x), _mm256_castps_si256(shifter));
    v = _mm256_max_epi32(_mm256_min_epi32(v, limit), _mm256_sub_epi32(_mm256_setzero_si256(), limit));
    v = _mm256_and_si256(v, mask);
    const __m256i pair = _mm256_or_si256(_mm256_slli_epi64(v, bits), _mm256_srli_epi64(v, 32));
    const __m256i low = _mm256_and_si256(pair, _mm256_set1_epi64x((1 << 2 * bits) - 1));
    const __m256i four = _mm256_or_si256(_mm256_slli_epi64(low, 2 * bits), _mm256_shuffle_epi32(low, 0x4e));
    const uint64_t head = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(four));
    const uint64_t tail = (uint64_t)_mm_cvtsi128_si64(_mm256_extracti128_si256(four, 1));
    put_be64(out, head << (64 - 4 * bits) | tail >> (8 * bits - 64));
    put_be64(out + bits - 8, head << 4 * bits | tail);
}

WIDE void wide_pack_row(uint8_t *out, const float *in, size_t n, int bits)
{
    const float peak = wide_row_peak(in, n);
    const bool finite = finite_f32(peak);
    const int exponent = finite ? bfp_exponent(peak, bits) : BFP_NOT_FINITE;
    *out++ = (uint8_t)exponent;
    if (!finite) {
        memset(out, 0, bfp_row_bytes(n, (unsigned)bits) - 1);
        return;
    }
    const __m256 a = _mm256_set1_ps(power_of_two(-exponent / 2)),
                 b = _mm256_set1_ps(power_of_two(-exponent - -exponent / 2));
    size_t at = 0;
    for (; at + GROUP <= n; at += GROUP, out += bits) {
        wide_group_pack(out, in + at, bits, a, b);
    }
    if (at < n) {
        float last[GROUP] = {0};
        uint8_t bytes[16];
        memcpy(last, in + at, (n - at) * sizeof *last);
        wide_group_pack(bytes, last, bits, a, b);
        memcpy(out, bytes, ((n - at) * (size_t)bits + 7) / 8);
    }
}

#define WIDE_WIDTH(bits)                                                                                               \
    __attribute__((target("avx2"))) static void wide##bits##_pack(uint8_t *out, const float *in, size_t n_rows,        \
                                                                  size_t n)                                            \
    {                                                                                                                  \
        for (size_t r = 0; r < n_rows; r++) {                                                                          \
            wide_pack_row(out + r * bfp_row_bytes(n, bits), in + r * n, n, bits);                                      \
        }                                                                                                              \
    }
WIDE_WIDTH(9)
WIDE_WIDTH(10)
WIDE_WIDTH(11)
WIDE_WIDTH(12)
WIDE_WIDTH(13)
WIDE_WIDTH(14)

static packer *const wide_pack[] = {wide9_pack, wide10_pack, wide11_pack, wide12_pack, wide13_pack, wide14_pack};
#endif

static bool wide_wanted = true;

bool coefficients_wide(bool wanted)
{
    wide_wanted = wanted;
#ifdef __x86_64__
    return wanted && __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

/* Rows of one width each, so that the compiler knows every shift. */
#define BFP_WIDTH(bits)                                                                                                \
    static void bfp##bits##_pack(uint8_t *out, const float *in, size_t n_rows, size_t n)                               \
    {                                                                                                                  \
        for (size_t r = 0; r < n_rows; r++) {                                                                          \
            bfp_pack_row(out + r * bfp_row_bytes(n, bits), in + r * n, n, bits);                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static bool bfp##bits##_unpack(float *out, const uint8_t *in, size_t n_rows, size_t n)                             \
    {                                                                                                                  \
        bool good = true;                                                                                              \
        for (size_t r = 0; r < n_rows && good; r++) {                                                                  \
            good = bfp_unpack_row(out + r * n, in + r * bfp_row_bytes(n, bits), n, bits);                              \
        }                                                                                                              \
        return good;                                                                                                   \
    }
BFP_WIDTH(9)
BFP_WIDTH(10)
BFP_WIDTH(11)
BFP_WIDTH(12)
BFP_WIDTH(13)
BFP_WIDTH(14)

static packer *const bfp_pack[] = {bfp9_pack, bfp10_pack, bfp11_pack, bfp12_pack, bfp13_pack, bfp14_pack};
static bool (*const bfp_unpack[])(float *, const uint8_t *, size_t, size_t) = {
    bfp9_unpack, bfp10_unpack, bfp11_unpack, bfp12_unpack, bfp13_unpack, bfp14_unpack};

static packer *bfp_packer(int mantissa_bits)
{
#ifdef __x86_64__
    if (wide_wanted && __builtin_cpu_supports("avx2")) {
        return wide_pack[mantissa_bits - BFP_MIN_BITS];
    }
#endif
    return bfp_pack[mantissa_bits - BFP_MIN_BITS];
}

void coefficients_pack(uint8_t *out, const struct wire_header *header, const tutti_cf32 *in)
{
    const size_t n_row = (size_t)2 * header->n_stream, n_rows = (size_t)header->n_sb * header->n_ant;
    const float *values = (const float *)in;
    if (header->encoding == WIRE_CF32) {
        memcpy(out, values, n_rows * n_row * sizeof *values);
    } else if (header->encoding == WIRE_SC16) {
        const size_t n = n_row * header->n_ant;
        for (size_t sb = 0; sb < header->n_sb; sb++) {
            sc16_pack_row(out + sb * (4 + 2 * n), values + sb * n, n);
        }
    } else {
        bfp_packer(header->mantissa_bits)(out, values, n_rows, n_row);
    }
}

/* Columns of streams that have vectors, four at a time. */
struct picker {
    const tutti_cf32 *row;
    const struct wire_stream *stream;
    size_t n_column, at;
    tutti_cf32 group[GROUP / 2];
};

static void pick_row(struct picker *p, const tutti_cf32 *row)
{
    p->row = row;
    p->at = 0;
}

/* The next four, zeros at the end of the row. */
static const float *pick_group(struct picker *p)
{
    size_t n = 0;
    for (; n < GROUP / 2 && p->at < p->n_column; p->at++) {
        if (p->stream[p->at].source == WIRE_SOURCE_VECTORS) {
            p->group[n++] = p->row[p->at];
        }
    }
    for (; n < GROUP / 2; n++) {
        p->group[n] = 0;
    }
    return (const float *)p->group;
}

/* Of n_row rows of n_value floats; a value that is not finite has the largest bits. */
static float picked_peak(struct picker *p, const tutti_cf32 *in, size_t n_row, size_t n_value)
{
    uint32_t peak = 0;
    for (size_t r = 0; r < n_row; r++) {
        pick_row(p, in + r * p->n_column);
        for (size_t at = 0; at < n_value; at += GROUP) {
            const uint32_t bits = bits_of(row_peak(pick_group(p), GROUP));
            peak = bits > peak ? bits : peak;
        }
    }
    return float_of(peak);
}

static size_t rest_of(size_t n, size_t at)
{
    return n - at < GROUP ? n - at : GROUP;
}

static void cf32_pack_picked(uint8_t *out, struct picker *p, const tutti_cf32 *in, size_t n)
{
    pick_row(p, in);
    for (size_t at = 0; at < n; at += GROUP) {
        memcpy(out + 4 * at, pick_group(p), 4 * rest_of(n, at));
    }
}

static void sc16_pack_picked(uint8_t *out, struct picker *p, const tutti_cf32 *in, size_t n_row, size_t n)
{
    const float scale = sc16_scale(picked_peak(p, in, n_row, n));
    put_f32(out, scale);
    out += 4;
    for (size_t r = 0; r < n_row; r++, out += 2 * n) {
        pick_row(p, in + r * p->n_column);
        for (size_t at = 0; at < n; at += GROUP) {
            sc16_put(out + 2 * at, pick_group(p), rest_of(n, at), scale);
        }
    }
}

static void bfp_pack_picked(uint8_t *out, struct picker *p, const tutti_cf32 *in, size_t n, int bits)
{
    const float peak = picked_peak(p, in, 1, n);
    const bool finite = finite_f32(peak);
    const int exponent = finite ? bfp_exponent(peak, bits) : BFP_NOT_FINITE;
    const float a = finite ? power_of_two(-exponent / 2) : 0, b = finite ? power_of_two(-exponent - -exponent / 2) : 0;
    *out++ = (uint8_t)exponent;
    pick_row(p, in);
    for (size_t at = 0; at < n; at += GROUP) {
        uint8_t bytes[16] = {0};
        const float *group = pick_group(p);
        if (finite) {
            group_pack(bytes, group, bits, a, b);
        }
        const size_t n_bytes = (rest_of(n, at) * (size_t)bits + 7) / 8;
        memcpy(out, bytes, n_bytes);
        out += n_bytes;
    }
}

void coefficients_pack_vectors(uint8_t *out, const struct wire_header *header, const tutti_cf32 *in,
                               const struct wire_stream *stream, size_t n_column)
{
    struct picker p = {.stream = stream, .n_column = n_column};
    struct wire_header one = *header;
    one.n_sb = 1;
    one.n_ant = header->encoding == WIRE_SC16 ? header->n_ant : 1;
    const size_t step = coefficients_bytes(&one), rows = one.n_ant, n = (size_t)2 * header->n_stream;
    for (size_t row = 0; row < (size_t)header->n_sb * header->n_ant; row += rows, out += step) {
        const tutti_cf32 *from = in + row * n_column;
        if (header->encoding == WIRE_CF32) {
            cf32_pack_picked(out, &p, from, n);
        } else if (header->encoding == WIRE_SC16) {
            sc16_pack_picked(out, &p, from, rows, n);
        } else {
            bfp_pack_picked(out, &p, from, n, header->mantissa_bits);
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
        good = bfp_unpack[header->mantissa_bits - BFP_MIN_BITS](values, in, n_rows, n_row);
    }
    return good;
}
