/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Add-compare-select of the K=7 rate-1/2 code, all 64 states across the lanes of a few vectors; included by
 * simd_impl.h. Path metrics are 16 bits wide and exact: a branch costs its distance to the received pair less 255, so
 * that the two ways into a butterfly differ in sign only; states never lie further apart than six worst branches (any
 * state is reached from the best one in six steps), and the common part is taken off every RENORMALISE steps. Decisions
 * and ties are those of libfec's viterbi27. */
#include "phy/viterbi.h"

enum { N_METRIC = VITERBI_STATES / SHORTS, N_BUTTERFLY = N_METRIC / 2, RENORMALISE = 64 };

#if SIMD_BYTES == 64
#define LOW_SHORTS                                                                                                     \
    0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47
#define HIGH_SHORTS                                                                                                    \
    16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61,    \
        30, 62, 31, 63
#elif SIMD_BYTES == 32
#define LOW_SHORTS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_SHORTS 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#else
#define LOW_SHORTS 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_SHORTS 4, 12, 5, 13, 6, 14, 7, 15
#endif

static inline shorts shorts_min(shorts a, shorts b)
{
#if defined(SIMD_AVX512)
    return (shorts)_mm512_min_epi16((__m512i)a, (__m512i)b);
#elif defined(SIMD_AVX2)
    return (shorts)_mm256_min_epi16((__m256i)a, (__m256i)b);
#elif defined(SIMD_SSE2)
    return (shorts)_mm_min_epi16((__m128i)a, (__m128i)b);
#else
    const shorts less = a < b;
    return (a & less) | (b & ~less);
#endif
}

/* Two vectors of masks to bits, alternating: bit 2 i is lane i of even, bit 2 i + 1 lane i of odd. */
static inline uint64_t mask_bits(shorts even, shorts odd)
{
    const shorts low = even ^ even ^ 0x00ff, both = (even & low) | (odd & ~low);
#if defined(SIMD_AVX512)
    return _mm512_movepi8_mask((__m512i)both);
#elif defined(SIMD_AVX2)
    return (uint32_t)_mm256_movemask_epi8((__m256i)both);
#elif defined(SIMD_SSE2)
    return (uint32_t)_mm_movemask_epi8((__m128i)both);
#else
    uint64_t word[SIMD_BYTES / 8], bits = 0;
    memcpy(word, &both, sizeof word);
    for (int i = 0; i < SIMD_BYTES / 8; i++) { /* one bit of each byte, gathered in the top byte by the product */
        bits |= ((word[i] & 0x0101010101010101u) * 0x0102040810204080u >> 56) << (8 * i);
    }
    return bits;
#endif
}

/* What the encoder puts out when a 0 enters state i, as masks: 0 or -1 in each lane. The second is inverted, see
 * viterbi_step. */
struct branches {
    shorts first[N_BUTTERFLY], second[N_BUTTERFLY];
};

static inline void branches_fill(struct branches *b)
{
    int16_t first[VITERBI_STATES / 2], second[VITERBI_STATES / 2];
    for (unsigned i = 0; i < VITERBI_STATES / 2; i++) {
        first[i] = (int16_t)-__builtin_parity(2 * i & VITERBI_FIRST);
        second[i] = (int16_t)(__builtin_parity(2 * i & VITERBI_SECOND) - 1);
    }
    memcpy(b->first, first, sizeof first);
    memcpy(b->second, second, sizeof second);
}

/* One received pair. States i and i + 32 lead to 2 i and 2 i + 1. With x = soft bit -128..127, x ^ -1 = -1 - x, so the
 * branch costs (x ^ first) + (y ^ second) + 1, which is (x ^ first) - (y ^ ~second). */
static inline uint64_t viterbi_step(const struct branches *b, shorts *metric, int16_t x, int16_t y)
{
    shorts next[N_METRIC];
    uint64_t decisions = 0;
    for (int v = 0; v < N_BUTTERFLY; v++) {
        const shorts cost = (b->first[v] ^ x) - (b->second[v] ^ y);
        const shorts low = metric[v], high = metric[v + N_BUTTERFLY];
        const shorts even_low = low + cost, even_high = high - cost, odd_low = low - cost, odd_high = high + cost;
        const shorts even = shorts_min(even_low, even_high), odd = shorts_min(odd_low, odd_high);
        decisions |= mask_bits(even_low > even_high, odd_low > odd_high) << (2 * SHORTS * v % 64);
        next[2 * v] = __builtin_shufflevector(even, odd, LOW_SHORTS);
        next[2 * v + 1] = __builtin_shufflevector(even, odd, HIGH_SHORTS);
    }
    memcpy(metric, next, sizeof next);
    return decisions;
}

static void viterbi_forward(int n_step, const int16_t *soft, uint64_t *decisions)
{
    struct branches b;
    shorts metric[N_METRIC];
    branches_fill(&b);
    for (int v = 0; v < N_METRIC; v++) {
        metric[v] = metric[v] ^ metric[v] ^ 63; /* libfec's handicap of the states other than 0 */
    }
    metric[0][0] = 0;
    for (int start = 0; start < n_step; start += RENORMALISE) {
        const int end = n_step - start < RENORMALISE ? n_step : start + RENORMALISE;
        for (int t = start; t < end; t++) {
            decisions[t] = viterbi_step(&b, metric, soft[2 * t], soft[2 * t + 1]);
        }
        const int16_t common = metric[0][0];
        for (int v = 0; v < N_METRIC; v++) {
            metric[v] -= common;
        }
    }
}

/* Lane i belongs to bit i % 2 of step i / 2: the weight of that step in 16 bits, the first step on top. */
static inline void step_weights(shorts *weight, shorts *is_second)
{
    int16_t w[SHORTS], second[SHORTS];
    for (int i = 0; i < SHORTS; i++) {
        w[i] = (int16_t)(0x8000u >> (i / 2));
        second[i] = (int16_t) - (i % 2);
    }
    memcpy(weight, w, sizeof w);
    memcpy(is_second, second, sizeof second);
}

/* Soft bits whose sign tells otherwise than the coded bit. */
static int soft_errors(int n_step, const int16_t *soft, const uint64_t *first, const uint64_t *second)
{
    enum { STEPS = SHORTS / 2, RUN = 4096 }; /* fewer than a lane of 16 bits can count */
    shorts weight, is_second;
    int errors = 0, t = 0;
    step_weights(&weight, &is_second);
    while (t + STEPS <= n_step) {
        shorts count = {0};
        for (const int end = t + RUN; t < end && t + STEPS <= n_step; t += STEPS) {
            const int16_t f = (int16_t)(first[t / 64] << t % 64 >> 48), s = (int16_t)(second[t / 64] << t % 64 >> 48);
            shorts v;
            memcpy(&v, soft + 2 * t, sizeof v);
            count -= (v >= 0) ^ ((((f & ~is_second) | (s & is_second)) & weight) != 0);
        }
        for (int i = 0; i < SHORTS; i++) {
            errors += count[i];
        }
    }
    for (; t < n_step; t++) {
        errors += (soft[2 * t] >= 0) != (first[t / 64] >> (63 - t % 64) & 1);
        errors += (soft[2 * t + 1] >= 0) != (second[t / 64] >> (63 - t % 64) & 1);
    }
    return errors;
}
