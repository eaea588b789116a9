/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The yardstick for phy/viterbi.h: libfec's decoder, and coded blocks in noise to try both on. */
#ifndef TUTTI_TESTS_PHY_FEC_REFERENCE_H
#define TUTTI_TESTS_PHY_FEC_REFERENCE_H

#include "phy/code.h"
#include "phy/viterbi.h"

#include <fec.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { FEC_MAX_BITS = 6144, FEC_MAX_STEPS = FEC_MAX_BITS + VITERBI_TAIL_BITS };

struct fec_case {
    int n_bits;
    uint8_t sent[FEC_MAX_BITS / 8];
    int16_t soft[2 * FEC_MAX_STEPS];
};

/* One handle for blocks of any length up to the longest; one thread at a time. Polynomials: octal 171, then 133. */
static inline void *fec_create(void)
{
    int polynomials[2] = {V27POLYB, V27POLYA};
    set_viterbi27_polynomial(polynomials);
    return create_viterbi27(FEC_MAX_BITS);
}

static inline void fec_decode(void *viterbi, const struct fec_case *c, uint8_t *bytes)
{
    uint8_t symbols[2 * FEC_MAX_STEPS];
    const int n_step = c->n_bits + VITERBI_TAIL_BITS;
    for (int i = 0; i < 2 * n_step; i++) {
        symbols[i] = (uint8_t)(c->soft[i] + 128);
    }
    init_viterbi27(viterbi, 0);
    update_viterbi27_blk(viterbi, symbols, n_step);
    chainback_viterbi27(viterbi, bytes, (unsigned)c->n_bits, 0);
}

static inline int16_t fec_cut(double value)
{
    return (int16_t)(value > 127 ? 127 : value < -128 ? -128 : floor(value));
}

/* Random data of n_bits, coded, with soft bits of mean +-`signal` in Gaussian noise of standard deviation `noise`. */
static inline void fec_fill(struct fec_case *c, int n_bits, double signal, double noise, uint64_t *seed)
{
    enum { WORDS = (FEC_MAX_STEPS + 63) / 64 };
    uint64_t stream[2][WORDS];
    c->n_bits = n_bits;
    code_random_bytes(seed, c->sent, n_bits / 8);
    code_convolve(c->sent, n_bits / 8, stream[0], stream[1]);
    for (int i = 0; i < n_bits + VITERBI_TAIL_BITS; i++) {
        const double u = ((double)(code_random(seed) >> 11) + 0.5) * 0x1p-53, v = (double)(code_random(seed) >> 11);
        const double radius = noise * sqrt(-2 * log(u)), angle = v * 0x1p-53 * 6.28318530717958648;
        const double drawn[2] = {radius * cos(angle), radius * sin(angle)};
        for (int s = 0; s < 2; s++) {
            const double sign = stream[s][i / 64] >> (63 - i % 64) & 1 ? 1 : -1;
            c->soft[2 * i + s] = fec_cut(sign * signal + drawn[s]);
        }
    }
}

#endif
