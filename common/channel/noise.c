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

/* A counter and both halves of the key through a 32-bit mixer (the constants are those of lowbias32 by C. Wellons,
 * 2018), which the lanes share. */
static inline __attribute__((always_inline)) void seed_lanes(uint64_t key, uint32_t state[4][LANES])
{
    const uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32);
    for (uint32_t w = 0; w < 4; w++) {
        for (uint32_t l = 0; l < LANES; l++) {
            uint32_t x = low + (w * LANES + l + 1) * 0x9e3779b9u;
            x = (x ^ x >> 16) * 0x7feb352du;
            x ^= high;
            x = (x ^ x >> 15) * 0x846ca68bu;
            x = (x ^ x >> 16) * 0x7feb352du;
            state[w][l] = (x ^ x >> 15) | (w == 3); /* never all zero */
        }
    }
}

/* BATCH times two numbers: which of them become which part of which sample does not matter, so they go where no lane
 * must be moved. */
static inline __attribute__((always_inline)) void noise_batch(uint32_t state[4][LANES], float *restrict z)
{
    uint32_t a[BATCH], b[BATCH];
    for (int i = 0; i < BATCH; i += LANES) {
        lanes_step(state, a + i);
        lanes_step(state, b + i);
    }
    for (int i = 0; i < BATCH; i++) {
        random_box_muller(a[i], b[i], &z[i], &z[BATCH + i]);
    }
}

static inline __attribute__((always_inline)) void noise_body(uint64_t key, float sigma, int n, float *restrict x)
{
    uint32_t state[4][LANES];
    float z[2 * BATCH];
    seed_lanes(key, state);
    for (; n >= BATCH; n -= BATCH, x += 2 * BATCH) {
        noise_batch(state, z);
        for (int i = 0; i < 2 * BATCH; i++) {
            x[i] += sigma * z[i];
        }
    }
    if (n > 0) {
        noise_batch(state, z);
    }
    for (int i = 0; i < 2 * n; i++) {
        x[i] += sigma * z[i];
    }
}

void noise_add_portable(uint64_t key, float sigma, int n, float *samples)
{
    noise_body(key, sigma, n, samples);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void noise_add_avx2(uint64_t key, float sigma, int n, float *samples)
{
    noise_body(key, sigma, n, samples);
}
#endif

void noise_add(uint64_t key, float sigma, int n, float *samples)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        noise_add_avx2(key, sigma, n, samples);
        return;
    }
#endif
    noise_add_portable(key, sigma, n, samples);
}
