/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Coded bits as bytes, and between the order of the code and that of the air; included by simd_impl.h. Little-endian
 * machines only, as all that have a variant here are. */

enum { N_LANE = BYTES / SIMD_RUN };

/* Steps of the code beside each other, 16 bits each: the part of a word that holds a step's bit, top bits first. */
#if SIMD_BYTES == 64
#define TOP_SHORTS                                                                                                     \
    3, 3, 3, 3, 3, 3, 3, 3, 11, 11, 11, 11, 11, 11, 11, 11, 18, 18, 18, 18, 18, 18, 18, 18, 26, 26, 26, 26, 26, 26,    \
        26, 26
#elif SIMD_BYTES == 32
#define TOP_SHORTS 3, 3, 3, 3, 3, 3, 3, 3, 11, 11, 11, 11, 11, 11, 11, 11
#else
#define TOP_SHORTS 3, 3, 3, 3, 3, 3, 3, 3
#endif

/* 0 or -1 in each lane: the top bits of a word. */
static inline shorts top_bits(uint64_t word, shorts weight)
{
    const shorts all = (shorts)((words){0} + word);
    return (__builtin_shufflevector(all, all, TOP_SHORTS) & weight) != 0;
}

static void bits_spread(int n_step, const uint64_t *first, const uint64_t *second, int user, uint8_t *bits)
{
    const int16_t low = (int16_t)(1u << user), high = (int16_t)(256u << user);
    int16_t weights[SHORTS];
    shorts weight, before;
    for (int i = 0; i < SHORTS; i++) {
        weights[i] = (int16_t)(0x8000u >> i % 16);
    }
    memcpy(&weight, weights, sizeof weight);
    for (int t = 0; t < (n_step + 63) / 64 * 64; t += SHORTS) {
        shorts v =
            (top_bits(first[t / 64] << t % 64, weight) & low) | (top_bits(second[t / 64] << t % 64, weight) & high);
        if (user > 0) {
            memcpy(&before, bits + 2 * t, sizeof before);
            v |= before;
        }
        memcpy(bits + 2 * t, &v, sizeof v);
    }
}

/* Within each 16 bytes: the bytes of two vectors in turn, those of the lower and of the upper half. */
#define IN_TURN(i) (i), (i) + BYTES, (i) + 1, (i) + 1 + BYTES, (i) + 2, (i) + 2 + BYTES, (i) + 3, (i) + 3 + BYTES
#if SIMD_BYTES == 64
#define LOW_BYTES IN_TURN(0), IN_TURN(4), IN_TURN(16), IN_TURN(20), IN_TURN(32), IN_TURN(36), IN_TURN(48), IN_TURN(52)
#define HIGH_BYTES IN_TURN(8), IN_TURN(12), IN_TURN(24), IN_TURN(28), IN_TURN(40), IN_TURN(44), IN_TURN(56), IN_TURN(60)
#elif SIMD_BYTES == 32
#define LOW_BYTES IN_TURN(0), IN_TURN(4), IN_TURN(16), IN_TURN(20)
#define HIGH_BYTES IN_TURN(8), IN_TURN(12), IN_TURN(24), IN_TURN(28)
#else
#define LOW_BYTES IN_TURN(0), IN_TURN(4)
#define HIGH_BYTES IN_TURN(8), IN_TURN(12)
#endif

/* N_LANE matrices of SIMD_RUN x SIMD_RUN bytes side by side, transposed. With rows r and columns c as the bits of an
 * address, each pass turns r3 r2 r1 r0 c3 c2 c1 c0 round by one; four exchange r and c. */
static inline __attribute__((always_inline)) void transpose(bytes *m)
{
    for (int pass = 0; pass < 4; pass++) {
        bytes turned[SIMD_RUN];
        for (int i = 0; i < SIMD_RUN / 2; i++) {
            turned[2 * i] = __builtin_shufflevector(m[i], m[i + SIMD_RUN / 2], LOW_BYTES);
            turned[2 * i + 1] = __builtin_shufflevector(m[i], m[i + SIMD_RUN / 2], HIGH_BYTES);
        }
        memcpy(m, turned, sizeof turned);
    }
}

/* The next BYTES columns, the last ones once more if fewer are left; those of a narrower matrix one by one. */
static inline int next_columns(int c, int n_column)
{
    return c + BYTES < n_column && c + 2 * BYTES > n_column ? n_column - BYTES : c + BYTES;
}

static void runs_scatter(int n_column, const uint32_t *at, const uint8_t *rows, uint8_t *runs)
{
    for (int c = 0; n_column >= BYTES && c < n_column; c = next_columns(c, n_column)) {
        bytes m[SIMD_RUN];
        for (int r = 0; r < SIMD_RUN; r++) {
            memcpy(&m[r], rows + (size_t)r * (size_t)n_column + c, sizeof m[r]);
        }
        transpose(m);
        for (int l = 0; l < N_LANE; l++) {
            for (int i = 0; i < SIMD_RUN; i++) {
                memcpy(runs + at[c + l * SIMD_RUN + i], (const int8_t *)&m[i] + l * SIMD_RUN, SIMD_RUN);
            }
        }
    }
    for (int i = 0; n_column < BYTES && i < SIMD_RUN * n_column; i++) {
        runs[at[i % n_column] + (uint32_t)(i / n_column)] = rows[i];
    }
}

static void runs_gather(int n_column, const uint32_t *at, const int8_t *runs, int8_t *rows)
{
    for (int c = 0; n_column >= BYTES && c < n_column; c = next_columns(c, n_column)) {
        bytes m[SIMD_RUN];
        for (int l = 0; l < N_LANE; l++) {
            for (int i = 0; i < SIMD_RUN; i++) {
                memcpy((int8_t *)&m[i] + l * SIMD_RUN, runs + at[c + l * SIMD_RUN + i], SIMD_RUN);
            }
        }
        transpose(m);
        for (int r = 0; r < SIMD_RUN; r++) {
            memcpy(rows + (size_t)r * (size_t)n_column + c, &m[r], sizeof m[r]);
        }
    }
    for (int i = 0; n_column < BYTES && i < SIMD_RUN * n_column; i++) {
        rows[i] = runs[at[i % n_column] + (uint32_t)(i / n_column)];
    }
}
