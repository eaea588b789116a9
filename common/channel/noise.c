/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "channel/noise.h"

#include "channel/random.h"

enum { LANES = 16, BATCH = 64 };

static inline __attribute__((always_inline)) uint32_t rotate_left(uint32_t x, int k)
{
    return (x << k) | (x >> (32 - k));
}

/* xoshiro128++ (Blackman, Vigna: "Scrambled linear pseudorandom number generators", 2021), one step of every lane. */
static inline __attribute__((always_inline)) void lanes_step(uint32_t state[4][LANES], uint32_t *out)
{
    for (int l = 0; l < LANES; l++) {
        const uint32_t s0 = state[0][l], s1 = state[1][l], s2 = state[2][l] ^ s0, s3 = state[3][l] ^ s1;
        out[l] = rotate_left(s0 + state[3][l], 7) + s0;
        state[0][l] = s0 ^ s3;
        state[1][l] = s1 ^ s2;
        state[2][l] = s2 ^ (s1 << 9);
        state[3][l] = rotate_left(s3, 11);
    }
}

static inline __attribute__((always_inline)) void noise_body(uint64_t key, float sigma, int n, float *restrict re,
                                                             float *restrict im)
{
    uint32_t state[4][LANES];
    for (int w = 0; w < 2; w++) {
        for (int l = 0; l < LANES; l++) {
            const uint64_t x = random_u64(key, (uint64_t)(w * LANES + l));
            state[2 * w][l] = (uint32_t)x;
            state[2 * w + 1][l] = (uint32_t)(x >> 32) | (uint32_t)w; /* never all zero */
        }
    }
    uint32_t a[BATCH], b[BATCH];
    float x[BATCH], y[BATCH];
    for (int start = 0; start < n; start += BATCH) {
        for (int i = 0; i < BATCH; i += LANES) {
            lanes_step(state, a + i);
            lanes_step(state, b + i);
        }
        for (int i = 0; i < BATCH; i++) {
            random_box_muller(a[i], b[i], &x[i], &y[i]);
        }
        const int count = n - start < BATCH ? n - start : BATCH;
        for (int i = 0; i < count; i++) {
            re[start + i] += sigma * x[i];
            im[start + i] += sigma * y[i];
        }
    }
}

void noise_add_portable(uint64_t key, float sigma, int n, float *re, float *im)
{
    noise_body(key, sigma, n, re, im);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void noise_add_avx2(uint64_t key, float sigma, int n, float *re, float *im)
{
    noise_body(key, sigma, n, re, im);
}
#endif

void noise_add(uint64_t key, float sigma, int n, float *re, float *im)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        noise_add_avx2(key, sigma, n, re, im);
        return;
    }
#endif
    noise_add_portable(key, sigma, n, re, im);
}
