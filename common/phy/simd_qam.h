/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gray-labelled square QAM, one axis value at a time: I and Q are two independent pulse amplitudes with the levels
 * -(M - 1), .., -1, 1, .., M - 1 in units of half the spacing, M = 2^axis_bits; included by simd_impl.h. The coded bits
 * of a block lie in planes [axis_bits][stride], one per bit of an axis label, first bit first; inside a plane I, Q, I,
 * Q .. in the order of the symbols. */

typedef float floats __attribute__((vector_size(SIMD_BYTES)));
typedef int32_t ints __attribute__((vector_size(SIMD_BYTES)));
typedef int16_t shorts __attribute__((vector_size(SIMD_BYTES)));
typedef int8_t bytes __attribute__((vector_size(SIMD_BYTES)));
typedef uint64_t words __attribute__((vector_size(SIMD_BYTES)));

enum { FLOATS = SIMD_BYTES / 4, SHORTS = SIMD_BYTES / 2, BYTES = SIMD_BYTES };

#if SIMD_BYTES == 64
#define LOW_FLOATS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_FLOATS 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif SIMD_BYTES == 32
#define LOW_FLOATS 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_FLOATS 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW_FLOATS 0, 4, 1, 5
#define HIGH_FLOATS 2, 6, 3, 7
#endif

static inline floats floats_load(const float *p)
{
    floats v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* a where the mask is set, else b. */
static inline floats floats_select(ints mask, floats a, floats b)
{
    return (floats)((mask & (ints)a) | (~mask & (ints)b));
}

/* The smaller and the larger of both; the bound when a is not a number. One instruction, which gcc does not find by
 * itself for four lanes. */
static inline floats floats_below(floats a, float bound)
{
    const floats b = (floats){0} + bound;
#if defined(SIMD_SSE2)
    return (floats)_mm_min_ps((__m128)a, (__m128)b);
#elif defined(SIMD_AVX2)
    return (floats)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return floats_select(a < b, a, b);
#endif
}

static inline floats floats_above(floats a, float bound)
{
    const floats b = (floats){0} + bound;
#if defined(SIMD_SSE2)
    return (floats)_mm_max_ps((__m128)a, (__m128)b);
#elif defined(SIMD_AVX2)
    return (floats)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return floats_select(a > b, a, b);
#endif
}

/* Four vectors of numbers -128..127 in a row, as bytes. */
static inline bytes bytes_of(const ints *v)
{
#if defined(SIMD_AVX512)
    const __m512i pairs = _mm512_packs_epi16(_mm512_packs_epi32((__m512i)v[0], (__m512i)v[1]),
                                             _mm512_packs_epi32((__m512i)v[2], (__m512i)v[3]));
    return (bytes)_mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
                                           pairs);
#elif defined(SIMD_AVX2)
    const __m256i pairs = _mm256_packs_epi16(_mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]),
                                             _mm256_packs_epi32((__m256i)v[2], (__m256i)v[3]));
    return (bytes)_mm256_permutevar8x32_epi32(pairs, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
#elif defined(SIMD_SSE2)
    return (bytes)_mm_packs_epi16(_mm_packs_epi32((__m128i)v[0], (__m128i)v[1]),
                                  _mm_packs_epi32((__m128i)v[2], (__m128i)v[3]));
#else
    int8_t out[BYTES];
    for (int i = 0; i < BYTES; i++) {
        out[i] = (int8_t)v[i / FLOATS][i % FLOATS];
    }
    bytes packed;
    memcpy(&packed, out, sizeof packed);
    return packed;
#endif
}

/* 128 + llr, cut to 0..255 and to an integer, less 128; not a number becomes -128, a defined if useless answer. */
static inline ints quantise(floats llr)
{
    return __builtin_convertvector(floats_below(floats_above(llr + 128.0f, 0.0f), 255.0f), ints) - 128;
}

/* Max-log: LLR of a bit = (nearest squared distance with bit 0 - nearest with bit 1) / noise variance. A Gray label is
 * read by folding: the first bit is the sign of u, and u <- M / 2 - |u| with half as many levels has the next. At
 * distance a = |u| from the fold the nearest level on this side is q = 1, 3, .. M - 1 and beyond the fold -1, hence
 * (a + 1)^2 - (a - q)^2 = (q + 1) (2 a + 1 - q). `scale`: soft steps per unit of that difference; half = M / 2. */
static inline ints demap_bit(float half, floats scale, floats *u)
{
    const ints sign = (ints)*u & INT32_MIN;
    const floats a = (floats)((ints)*u & INT32_MAX);
    const ints step = __builtin_convertvector(0.5f * floats_below(a, 2 * half - 1), ints);
    const floats q = 2.0f * __builtin_convertvector(step, floats) + 1.0f;
    const floats llr = scale * ((q + 1.0f) * (2.0f * a + 1.0f - q));
    *u = half - a;
    return quantise((floats)((ints)llr ^ sign));
}

/* BYTES axis values of BYTES / 2 symbols. */
static inline __attribute__((always_inline)) void demap_some(int axis_bits, int stride, const float *y,
                                                             const float *noise_variance, float per_unit, float steps,
                                                             int8_t *soft)
{
    floats u[4], scale[4];
    for (int i = 0; i < 4; i++) {
        u[i] = per_unit * floats_load(y + i * FLOATS);
    }
    for (int i = 0; i < 4; i += 2) { /* a symbol's scale for both of its axes */
        const floats v = floats_load(noise_variance + i / 2 * FLOATS);
        const floats s = steps / floats_above(v, 1e-9f);
        scale[i] = __builtin_shufflevector(s, s, LOW_FLOATS);
        scale[i + 1] = __builtin_shufflevector(s, s, HIGH_FLOATS);
    }
    for (int b = 0; b < axis_bits; b++) {
        ints quantised[4];
        for (int i = 0; i < 4; i++) {
            quantised[i] = demap_bit((float)(1 << (axis_bits - b - 1)), scale[i], &u[i]);
        }
        const bytes packed = bytes_of(quantised);
        memcpy(soft + b * stride, &packed, sizeof packed);
    }
}

static inline __attribute__((always_inline)) void demap_all(int axis_bits, int n_symbol, int stride, float unit,
                                                            const float *y, const float *noise_variance, int8_t *soft)
{
    const float per_unit = 1.0f / unit, steps = SIMD_SOFT_PER_LLR * unit * unit;
    int i = 0;
    for (; i + BYTES / 2 <= n_symbol; i += BYTES / 2) {
        demap_some(axis_bits, stride, y + 2 * i, noise_variance + i, per_unit, steps, soft + 2 * i);
    }
    if (i < n_symbol) {
        float y_end[BYTES] = {0}, noise_end[BYTES / 2] = {0};
        memcpy(y_end, y + 2 * i, sizeof(float) * 2 * (size_t)(n_symbol - i));
        memcpy(noise_end, noise_variance + i, sizeof(float) * (size_t)(n_symbol - i));
        demap_some(axis_bits, stride, y_end, noise_end, per_unit, steps, soft + 2 * i);
    }
}

/* One loop per order, so that the compiler knows the number of label bits. */
static void qam_demap(int axis_bits, int n_symbol, int stride, float unit, const float *y, const float *noise_variance,
                      int8_t *soft)
{
    switch (axis_bits) {
    case 1:
        demap_all(1, n_symbol, stride, unit, y, noise_variance, soft);
        break;
    case 2:
        demap_all(2, n_symbol, stride, unit, y, noise_variance, soft);
        break;
    case 3:
        demap_all(3, n_symbol, stride, unit, y, noise_variance, soft);
        break;
    default:
        demap_all(4, n_symbol, stride, unit, y, noise_variance, soft);
        break;
    }
}

/* A plane holds a bit of every axis value, those of up to SIMD_USERS users in one byte. */
static void qam_labels(int axis_bits, int stride, const uint8_t *planes, int n_user, int8_t *label)
{
    for (int i = 0; i < stride; i += BYTES) {
        for (int u = 0; u < n_user; u++) {
            const int8_t user = (int8_t)(1u << u);
            bytes sum = {0}, v;
            for (int b = 0; b < axis_bits; b++) {
                memcpy(&v, planes + (size_t)b * (size_t)stride + i, sizeof v);
                sum |= ((v & user) != 0) & (int8_t)(1 << (axis_bits - 1 - b));
            }
            memcpy(label + (size_t)u * (size_t)stride + i, &sum, sizeof sum);
        }
    }
}

/* A Gray label to the number of its level, lowest first, and to its amplitude. */
static void qam_levels(int axis_bits, int n_axis, float unit, const int8_t *restrict label, float *restrict y)
{
    const int lowest = 1 - (1 << axis_bits);
    for (int i = 0; i < n_axis; i++) {
        const int gray = label[i], pairs = gray ^ (gray >> 1), number = pairs ^ (pairs >> 2);
        y[i] = unit * (float)(2 * number + lowest);
    }
}
