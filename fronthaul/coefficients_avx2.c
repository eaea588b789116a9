/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Eight values at a time; this file is compiled for AVX2 and runs only where it is. */
#include "fronthaul/coefficients_rows.h"

#include <immintrin.h>
#include <math.h>

/* Widths and lengths are constants of the caller. */
#define ALWAYS static inline __attribute__((always_inline))

/* The first n of eight lanes. */
static inline __m256i first_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Eight values, or zeros from the n-th on. */
ALWAYS __m256 load_values(const float *in, size_t n)
{
    return n >= GROUP ? _mm256_loadu_ps(in) : _mm256_maskload_ps(in, first_lanes(n));
}

/* Largest magnitudes of n values, lane by lane, as bits: magnitudes order as their bits do. */
ALWAYS __m256i lane_peaks(const float *in, size_t n)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i peak = _mm256_setzero_si256();
    for (size_t at = 0; at < n; at += GROUP) {
        peak = _mm256_max_epi32(peak, _mm256_and_si256(_mm256_castps_si256(load_values(in + at, n - at)), magnitude));
    }
    return peak;
}

/* Fours side by side: a maximum waits for the last one, and where a shorter loop happens to lie costs it up to a third.
 */
static uint32_t row_peak(const float *in, size_t n)
{
    __m256i p0 = _mm256_setzero_si256(), p1 = p0, p2 = p0, p3 = p0;
    size_t at = 0;
    for (; at + 4 * GROUP <= n; at += 4 * GROUP) {
        p0 = _mm256_max_epi32(p0, lane_peaks(in + at, GROUP));
        p1 = _mm256_max_epi32(p1, lane_peaks(in + at + GROUP, GROUP));
        p2 = _mm256_max_epi32(p2, lane_peaks(in + at + 2 * GROUP, GROUP));
        p3 = _mm256_max_epi32(p3, lane_peaks(in + at + 3 * GROUP, GROUP));
    }
    const __m256i most = _mm256_max_epi32(_mm256_max_epi32(p0, p1), _mm256_max_epi32(p2, p3));
    const __m256i peak = _mm256_max_epi32(most, lane_peaks(in + at, n - at));
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(peak), _mm256_extracti128_si256(peak, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(four);
}

/* Nearest integers (ties to even) of x * a * b, clamped to +-limit, as 16 bits. */
static inline __m128i quantise(__m256 x, __m256 a, __m256 b, int limit)
{
    __m256i v = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_mul_ps(x, a), b));
    v = _mm256_max_epi32(_mm256_min_epi32(v, _mm256_set1_epi32(limit)), _mm256_set1_epi32(-limit));
    return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

static void sc16_put(uint8_t *out, const float *in, size_t n, float scale)
{
    if (!(scale > 0)) {
        memset(out, 0, 2 * n);
        return;
    }
    const __m256 inverse = _mm256_set1_ps(1.0f / scale), one = _mm256_set1_ps(1);
    size_t at = 0;
    for (; at + GROUP <= n; at += GROUP) {
        _mm_storeu_si128((__m128i *)(void *)(out + 2 * at), quantise(_mm256_loadu_ps(in + at), inverse, one, 32767));
    }
    if (at < n) {
        const __m128i last = quantise(load_values(in + at, n - at), inverse, one, 32767);
        memcpy(out + 2 * at, &last, 2 * (n - at));
    }
}

ALWAYS void sc16_unpack_eight(float *out, const uint8_t *in, __m256 factor)
{
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)in);
    _mm256_storeu_ps(out, _mm256_mul_ps(factor, _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(v))));
}

static bool sc16_unpack(float *out, const uint8_t *in, size_t n)
{
    const float scale = get_f32(in);
    if (!(scale >= 0 && scale <= FLT_MAX / 32768.0f)) {
        return false;
    }
    const __m256 factor = _mm256_set1_ps(scale);
    size_t at = 0;
    in += 4;
    for (; at + 4 * GROUP <= n;
         at += 4 * GROUP) { /* fours: where a shorter loop happens to lie costs it up to a third */
        sc16_unpack_eight(out + at, in + 2 * at, factor);
        sc16_unpack_eight(out + at + GROUP, in + 2 * (at + GROUP), factor);
        sc16_unpack_eight(out + at + 2 * GROUP, in + 2 * (at + 2 * GROUP), factor);
        sc16_unpack_eight(out + at + 3 * GROUP, in + 2 * (at + 3 * GROUP), factor);
    }
    for (; at + GROUP <= n; at += GROUP) {
        sc16_unpack_eight(out + at, in + 2 * at, factor);
    }
    for (; at < n; at++) {
        out[at] = scale * (float)(int16_t)get_u16(in + 2 * at);
    }
    return true;
}

static inline void group_pack(uint8_t *out, __m256 x, int bits, __m256 a, __m256 b)
{
    const __m128i mask = _mm_set1_epi16((int16_t)low_bits(bits));
    const __m128i v = _mm_and_si128(quantise(x, a, b, (1 << (bits - 1)) - 1), mask);
    const __m128i pair = _mm_madd_epi16(v, _mm_set1_epi32(1 << 16 | 1 << bits)); /* first * 2^bits + second */
    const __m128i quad = _mm_or_si128(_mm_mul_epu32(pair, _mm_set1_epi64x(1ll << 2 * bits)), _mm_srli_epi64(pair, 32));
    bfp_put_group(out, (uint64_t)_mm_cvtsi128_si64(quad), (uint64_t)_mm_extract_epi64(quad, 1), bits);
}

/* Largest of each of eight vectors, in order. */
static inline __m256i peaks_of(const __m256i *v)
{
    __m256i pair[4], four[2];
    for (int i = 0; i < 4; i++) {
        pair[i] = _mm256_max_epi32(_mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]),
                                   _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
    }
    for (int i = 0; i < 2; i++) {
        four[i] = _mm256_max_epi32(_mm256_unpacklo_epi64(pair[2 * i], pair[2 * i + 1]),
                                   _mm256_unpackhi_epi64(pair[2 * i], pair[2 * i + 1]));
    }
    return _mm256_max_epi32(_mm256_permute2x128_si256(four[0], four[1], 0x20),
                            _mm256_permute2x128_si256(four[0], four[1], 0x31));
}

/* 2^k of eight k in -126..127. */
static inline __m256i powers_of_two(__m256i k)
{
    return _mm256_slli_epi32(_mm256_add_epi32(k, _mm256_set1_epi32(127)), 23);
}

/* Exponents of eight rows, and 2^-exponent as a product of two factors: alone it may overflow a float. */
struct exponents {
    int32_t e[GROUP];
    float a[GROUP], b[GROUP];
};

/* False if one of the rows is not finite. */
ALWAYS bool find_exponents(struct exponents *x, const float *in, size_t n_rows, size_t n, int bits)
{
    __m256i v[GROUP];
    for (size_t r = 0; r < GROUP; r++) {
        v[r] = r < n_rows ? lane_peaks(in + r * n, n) : _mm256_setzero_si256();
    }
    const __m256i peak = peaks_of(v), zero = _mm256_setzero_si256();
    /* peak = f * 2^(e + bits - 1), f in [1/2, 1) (or subnormal), so that f fills the mantissa */
    __m256i e = _mm256_sub_epi32(_mm256_srli_epi32(peak, 23), _mm256_set1_epi32(126 + bits - 1));
    e = _mm256_andnot_si256(_mm256_cmpeq_epi32(peak, zero), _mm256_max_epi32(e, _mm256_set1_epi32(BFP_MIN_EXPONENT)));
    const __m256i k = _mm256_sub_epi32(zero, e);
    const __m256i half = _mm256_srai_epi32(k, 1);
    const __m256i wild = _mm256_cmpgt_epi32(peak, _mm256_set1_epi32(0x7f7fffff));
    e = _mm256_blendv_epi8(e, _mm256_set1_epi32(BFP_NOT_FINITE), wild);
    _mm256_storeu_si256((__m256i *)(void *)x->e, e);
    _mm256_storeu_si256((__m256i *)(void *)x->a, powers_of_two(half));
    _mm256_storeu_si256((__m256i *)(void *)x->b, powers_of_two(_mm256_sub_epi32(k, half)));
    return _mm256_testz_si256(wild, wild);
}

static inline void bfp_put_row(uint8_t *out, const float *in, size_t n, int bits, int exponent, struct bfp_factors f)
{
    const __m256 a = _mm256_set1_ps(f.a), b = _mm256_set1_ps(f.b);
    if (exponent == BFP_NOT_FINITE) {
        memset(out, 0, bfp_row_bytes(n, (unsigned)bits) - 1);
        return;
    }
    size_t at = 0;
    for (; at + GROUP <= n; at += GROUP, out += bits) {
        group_pack(out, _mm256_loadu_ps(in + at), bits, a, b);
    }
    if (at < n) { /* the end of the row: zero bits up to the next byte */
        uint8_t bytes[16];
        group_pack(bytes, load_values(in + at, n - at), bits, a, b);
        memcpy(out, bytes, ((n - at) * (size_t)bits + 7) / 8);
    }
}

/* Eight values of one row and eight of the next, or of the same: bits bytes each, to one and other in this order. Each
 * is written with zeros up to 16 bytes, so what comes behind must be written later. */
ALWAYS void groups_pack(uint8_t *one, uint8_t *other, __m256 x, __m256 y, int bits)
{
    const int16_t limit = (int16_t)((1 << (bits - 1)) - 1);
    const __m256i mask = _mm256_set1_epi16((int16_t)low_bits(bits));
    __m256i v = _mm256_packs_epi32(_mm256_cvtps_epi32(x), _mm256_cvtps_epi32(y));
    v = _mm256_max_epi16(_mm256_min_epi16(v, _mm256_set1_epi16(limit)), _mm256_set1_epi16((int16_t)-limit));
    const __m256i pair = _mm256_madd_epi16(_mm256_and_si256(v, mask), _mm256_set1_epi32(1 << 16 | 1 << bits));
    const __m256i quad =
        _mm256_or_si256(_mm256_mul_epu32(pair, _mm256_set1_epi64x(1ll << 2 * bits)), _mm256_srli_epi64(pair, 32));
    /* x's four first and four last mantissas, then y's; joined to one number of 128 bits each */
    const __m256i sorted = _mm256_permute4x64_epi64(quad, 0xd8);
    const __m256i first = _mm256_unpacklo_epi64(sorted, sorted), last = _mm256_srli_si256(sorted, 8);
    const __m256i up = _mm256_sllv_epi64(first, _mm256_setr_epi64x(4 * bits, 64, 4 * bits, 64));
    const __m256i down = _mm256_srlv_epi64(first, _mm256_setr_epi64x(64, 64 - 4 * bits, 64, 64 - 4 * bits));
    const __m256i joined = _mm256_or_si256(_mm256_or_si256(up, down), last);
    /* its bytes from the top down; a negative index gives zero */
    const __m128i count = _mm_setr_epi8(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    const __m256i order = _mm256_broadcastsi128_si256(_mm_sub_epi8(_mm_set1_epi8((int8_t)bits), count));
    const __m256i bytes = _mm256_shuffle_epi8(joined, order);
    _mm_storeu_si128((__m128i *)(void *)one, _mm256_castsi256_si128(bytes));
    _mm_storeu_si128((__m128i *)(void *)other, _mm256_extracti128_si256(bytes, 1));
}

ALWAYS __m256 scaled(const float *in, size_t n, const struct exponents *x, size_t r)
{
    return _mm256_mul_ps(_mm256_mul_ps(load_values(in, n), _mm256_set1_ps(x->a[r])), _mm256_set1_ps(x->b[r]));
}

/* Two rows of at most eight values. */
ALWAYS void rows_pack(uint8_t *out, const float *in, size_t n, int bits, const struct exponents *x, size_t r)
{
    const size_t row_bytes = bfp_row_bytes(n, (unsigned)bits);
    groups_pack(out + 1, out + row_bytes + 1, scaled(in, n, x, r), scaled(in + n, n, x, r + 1), bits);
    out[0] = (uint8_t)x->e[r];
    out[row_bytes] = (uint8_t)x->e[r + 1];
}

/* A row of more than eight: two groups at a time, and what is left alone. */
ALWAYS void row_pack(uint8_t *out, const float *in, size_t n, int bits, const struct exponents *x, size_t r)
{
    size_t at = 0;
    *out++ = (uint8_t)x->e[r];
    for (; at + GROUP < n; at += (size_t)2 * GROUP, out += 2 * bits) {
        groups_pack(out, out + bits, scaled(in + at, n - at, x, r), scaled(in + at + GROUP, n - at - GROUP, x, r),
                    bits);
    }
    if (at < n) {
        uint8_t unused[16];
        groups_pack(out, unused, scaled(in + at, n - at, x, r), _mm256_setzero_ps(), bits);
    }
}

/* Rows of which one is not finite, or that end less than 16 bytes before the array does. */
static void rows_pack_exactly(uint8_t *out, const float *in, size_t n_rows, size_t n, int bits,
                              const struct exponents *x, size_t first)
{
    const size_t row_bytes = bfp_row_bytes(n, (unsigned)bits);
    for (size_t r = first; r < n_rows; r++) {
        uint8_t *row = out + r * row_bytes;
        *row = (uint8_t)x->e[r];
        bfp_put_row(row + 1, in + r * n, n, bits, x->e[r], (struct bfp_factors){x->a[r], x->b[r]});
    }
}

ALWAYS void pack_all(uint8_t *out, const float *in, size_t n_rows, size_t n, int bits)
{
    const size_t row_bytes = bfp_row_bytes(n, (unsigned)bits);
    const uint8_t *const end = out + n_rows * row_bytes;
    for (size_t first = 0; first < n_rows; first += GROUP, in += GROUP * n, out += GROUP * row_bytes) {
        struct exponents x;
        const size_t some = n_rows - first < GROUP ? n_rows - first : GROUP;
        const bool finite = find_exponents(&x, in, some, n, bits);
        size_t r = 0;
        for (; finite && n <= GROUP && r + 2 <= some && (size_t)(end - out) >= (r + 1) * row_bytes + 17; r += 2) {
            rows_pack(out + r * row_bytes, in + r * n, n, bits, &x, r);
        }
        for (; finite && n > GROUP && r < some && (size_t)(end - out) >= (r + 1) * row_bytes + 16; r++) {
            row_pack(out + r * row_bytes, in + r * n, n, bits, &x, r);
        }
        rows_pack_exactly(out, in, some, n, bits, &x, r);
    }
}

/* Four users, the smallest row of whole groups, are worth a loop that knows their number. */
static inline void bfp_pack_rows(uint8_t *out, const float *in, size_t n_rows, size_t n, int bits)
{
    if (n == GROUP) {
        pack_all(out, in, n_rows, GROUP, bits);
    } else {
        pack_all(out, in, n_rows, n, bits);
    }
}

static inline __m256 group_unpack(const uint8_t *in, int bits, __m256 scale)
{
    const __m256i down = _mm256_setr_epi64x(3 * bits, 2 * bits, bits, 0);
    const __m256i head = _mm256_srlv_epi64(_mm256_set1_epi64x((int64_t)bfp_get_head(in, bits)), down);
    const __m256i tail = _mm256_srlv_epi64(_mm256_set1_epi64x((int64_t)bfp_get_tail(in, bits)), down);
    const __m256 mixed = _mm256_shuffle_ps(_mm256_castsi256_ps(head), _mm256_castsi256_ps(tail), 0x88);
    const __m256i v = _mm256_slli_epi32(_mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xd8), 32 - bits);
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srai_epi32(v, 32 - bits)), scale);
}

static inline bool bfp_unpack_row(float *out, const uint8_t *in, size_t n, int bits)
{
    const int exponent = (int8_t)*in++;
    if (exponent == BFP_NOT_FINITE || exponent > 128 - bits) {
        return false;
    }
    const __m256 scale = _mm256_set1_ps(exponent < -126 ? FLT_MIN / 2 : power_of_two(exponent));
    size_t at = 0;
    for (; at + GROUP <= n; at += GROUP, in += bits) {
        _mm256_storeu_ps(out + at, group_unpack(in, bits, scale));
    }
    if (at == n) {
        return true;
    }
    const size_t n_bits = (n - at) * (size_t)bits;
    uint8_t bytes[16] = {0};
    memcpy(bytes, in, (n_bits + 7) / 8);
    _mm256_maskstore_ps(out + at, first_lanes(n - at), group_unpack(bytes, bits, scale));
    return n_bits % 8 == 0 || (bytes[n_bits / 8] & 0xff >> n_bits % 8) == 0;
}

BFP_WIDTHS

extern const struct coefficients_ops coefficients_ops_avx2;
const struct coefficients_ops coefficients_ops_avx2 = {
    .name = "avx2",
    .peak = row_peak,
    .sc16_put = sc16_put,
    .sc16_unpack = sc16_unpack,
    .bfp_pack = BFP_PACK,
    .bfp_put = BFP_PUT,
    .bfp_unpack = BFP_UNPACK,
};
