/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counter-based random numbers: every draw is a function of a key and a counter, so it does not matter who draws first,
 * on which thread or machine. Only integer operations, +, *, / and square root are used (no libm, no fused
 * multiply-add), hence equal bits everywhere. Pure; no state; a few ns each. */
#ifndef TUTTI_CHANNEL_RANDOM_H
#define TUTTI_CHANNEL_RANDOM_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* What a number is drawn for; part of the key, so that no two uses share numbers. */
enum random_purpose {
    RANDOM_POSITION_AP = 1,
    RANDOM_POSITION_UE,
    RANDOM_SHADOWING,
    RANDOM_FADING,
    RANDOM_LINE_OF_SIGHT,
    RANDOM_JAKES,
    RANDOM_HARDWARE,
    RANDOM_NOISE,
    RANDOM_PHASE_NOISE,
    RANDOM_POSITION_EVE,
    RANDOM_DRIFT,
    RANDOM_SIGHT,
    RANDOM_SENSING
};

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (OOPSLA 2014), the 64-bit output function. */
static inline uint64_t random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t random_u64(uint64_t key, uint64_t counter)
{
    return random_mix(key + (counter + 1) * 0x9e3779b97f4a7c15u);
}

/* A key from the seed and up to three labels (link, antenna, block ...). */
static inline uint64_t random_key(uint64_t seed, enum random_purpose purpose, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t key = random_u64(seed, (uint64_t)purpose);
    key = random_u64(key, a);
    key = random_u64(key, b);
    return random_u64(key, c);
}

/* Uniform in [0, 1), 53 bits. */
static inline double random_uniform(uint64_t key, uint64_t counter)
{
    return (double)(random_u64(key, counter) >> 11) * 0x1p-53;
}

/* ln u for u in (0, 1], float: u = 2^e m with m in [sqrt(1/2), sqrt 2), ln m = 2 artanh((m - 1) / (m + 1)); the series
 * is cut at an error of 1e-9. */
static inline float random_log(float u)
{
    uint32_t bits;
    memcpy(&bits, &u, sizeof bits);
    const uint32_t shifted = bits - 0x3f3504f3u; /* bits of sqrt(1/2) */
    const int32_t exponent = (int32_t)shifted >> 23;
    const uint32_t mantissa = (shifted & 0x007fffffu) + 0x3f3504f3u;
    float m;
    memcpy(&m, &mantissa, sizeof m);
    const float s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
    const float series = 2.0f + s2 * (0.666666667f + s2 * (0.4f + s2 * (0.285714286f + s2 * 0.222222222f)));
    return (float)exponent * 0.693147181f + s * series;
}

/* Box-Muller: two 32-bit numbers to two independent N(0, 1). The radius has 31 bits, so the tail reaches 6.6 sigma; the
 * angle is uniform in a quarter turn and two further bits choose which quarter. */
static inline void random_box_muller(uint32_t a, uint32_t b, float *re, float *im)
{
    const float u = ((float)(int32_t)(a >> 1) + 0.5f) * 0x1p-31f;
    const float radius = sqrtf(-2.0f * random_log(u));
    const float t = (float)(int32_t)b * (1.57079633f * 0x1p-32f), t2 = t * t;
    const float sine =
        t * (1.0f + t2 * (-0.166666667f + t2 * (8.33333333e-3f + t2 * (-1.98412698e-4f + t2 * 2.75573e-6f))));
    const float cosine = 1.0f + t2 * (-0.5f + t2 * (4.16666667e-2f + t2 * (-1.38888889e-3f + t2 * 2.48015873e-5f)));
    const uint32_t swap = 0u - (b & 1u), sign = (a & 1u) << 31;
    uint32_t s_bits, c_bits, r_bits;
    memcpy(&s_bits, &sine, sizeof s_bits);
    memcpy(&c_bits, &cosine, sizeof c_bits);
    memcpy(&r_bits, &radius, sizeof r_bits);
    /* (c, s), (-s, c), (-c, -s), (s, -c): multiplication by 1, j, -1, -j */
    const uint32_t x_bits = (((c_bits & ~swap) | (s_bits & swap)) ^ (swap & 0x80000000u)) ^ sign;
    const uint32_t y_bits = ((s_bits & ~swap) | (c_bits & swap)) ^ sign;
    float x, y;
    memcpy(&x, &x_bits, sizeof x);
    memcpy(&y, &y_bits, sizeof y);
    *re = radius * x;
    *im = radius * y;
}

/* N(0, 1) pair, or CN(0, 2), of a counter. */
static inline void random_normal(uint64_t key, uint64_t counter, float *re, float *im)
{
    const uint64_t x = random_u64(key, counter);
    random_box_muller((uint32_t)(x >> 32), (uint32_t)x, re, im);
}

/* exp(j 2 pi turns), error about 1e-15, without libm so that phases have equal bits everywhere. */
static inline void random_phasor(double turns, double *re, double *im)
{
    const double quarters = 4.0 * (turns - rint(turns)), nearest = rint(quarters);
    const double t = (quarters - nearest) * 1.57079632679489661923, t2 = t * t;
    const double s =
        t * (1 + t2 * (-1.0 / 6 +
                       t2 * (1.0 / 120 +
                             t2 * (-1.0 / 5040 +
                                   t2 * (1.0 / 362880 + t2 * (-1.0 / 39916800 + t2 * (1.0 / 6227020800 -
                                                                                      t2 * (1.0 / 1307674368000))))))));
    const double c =
        1 +
        t2 * (-1.0 / 2 +
              t2 * (1.0 / 24 +
                    t2 * (-1.0 / 720 + t2 * (1.0 / 40320 + t2 * (-1.0 / 3628800 +
                                                                 t2 * (1.0 / 479001600 - t2 * (1.0 / 87178291200)))))));
    /* times 1, j, -1, -j: no branches, the quarter is as random as the phase */
    const int quarter = (int)nearest & 3;
    const double first = quarter & 1 ? s : c, second = quarter & 1 ? c : s;
    *re = first * (double)(1 - ((quarter + 1) & 2));
    *im = second * (double)(1 - (quarter & 2));
}

#endif
