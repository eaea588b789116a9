/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inner loops of the physical layer with one source compiled for several instruction sets, each in its native vector
 * width; simd_get picks the widest this processor has. Results are equal in every variant, those in floating point too:
 * nothing here reorders or fuses. No allocation, no lock. */
#ifndef TUTTI_PHY_SIMD_H
#define TUTTI_PHY_SIMD_H

#include "base/types.h"

#include <stdint.h>

/* Steps of a soft bit (-128..127) per unit of log-likelihood ratio: it clips at about 16, where the error probability
 * of the bit is 1e-7. */
#define SIMD_SOFT_PER_LLR 8.0f
/* Widest vector in bytes: planes are padded to a multiple of it. */
#define SIMD_BYTES_MAX 64
/* Users whose bits share a byte. */
#define SIMD_USERS 8
/* Bytes that go together from the order of the code to the order of the air. */
#define SIMD_RUN 16

struct simd_ops {
    const char *name; /* "avx512", "avx2", "portable" */
    /* soft [n_step][2], decisions [n_step]; see phy/viterbi.h. */
    void (*viterbi_forward)(int n_step, const int16_t *soft, uint64_t *decisions);

    /* Soft bits [n_step][2] whose sign tells otherwise than the coded bits: two streams as code_convolve writes them.
     */
    int (*soft_errors)(int n_step, const int16_t *soft, const uint64_t *first, const uint64_t *second);

    /* Two streams of coded bits as code_convolve writes them to bits [n_step][2], bit `user` of each byte; that of
     * later users comes to what is there, user 0 makes it anew. All of a word is written, 128 bytes. */
    void (*bits_spread)(int n_step, const uint64_t *first, const uint64_t *second, int user, uint8_t *bits);
    /* Between rows [SIMD_RUN][n_column] and runs of SIMD_RUN bytes, one per column: run c begins at runs[at[c]]. */
    void (*runs_scatter)(int n_column, const uint32_t *at, const uint8_t *rows, uint8_t *runs);
    void (*runs_gather)(int n_column, const uint32_t *at, const int8_t *runs, int8_t *rows);

    /* Gray-labelled square QAM with levels -(M-1) unit, .., (M-1) unit on each axis, M = 2^axis_bits; n_axis = 2
     * n_symbol axis values I, Q, I, Q ..; planes [axis_bits][stride], first bit of an axis label first, stride a
     * multiple of SIMD_BYTES_MAX and not below n_axis. */
    /* Bit u of the planes' bytes to labels [n_user][stride] of user u, at most SIMD_USERS. */
    void (*qam_labels)(int axis_bits, int stride, const uint8_t *planes, int n_user, int8_t *label);
    /* Labels to axis values y, [n_axis]. */
    void (*qam_levels)(int axis_bits, int n_axis, float unit, const int8_t *label, float *y);
    /* Soft bits of y [2 n_symbol] in noise of the given variance per symbol [n_symbol] to planes. */
    void (*qam_demap)(int axis_bits, int n_symbol, int stride, float unit, const float *y, const float *noise_variance,
                      int8_t *soft);
    /* How far a symbol y [2 n_sc] is turned: with t = turn y and the point d of the constellation nearest to each t,
     * sums = Re and Im of the sum of weight t conj(d). turn = Re, Im; weight [n_sc], NULL = all 1. y stays. */
    void (*qam_angle)(int axis_bits, int n_sc, float unit, const float *turn, const float *weight, const float *y,
                      double *sums);

    /* Rows of one OFDM symbol: n_sc complex numbers, interleaved. A product x conj(y) is kept in two halves, [2 n_sc]
     * each: direct = x y part by part, crossed = the same with the parts of x exchanged; summed over a subband, all of
     * direct is the real part, the even entries of crossed less the odd ones the imaginary part. A factor c per
     * subcarrier is held as direct = (Re c, Re c), crossed = (-Im c, Im c). See phy/subband.h. */
    /* Adds x conj(y) to the halves. */
    void (*rows_dot)(int n_sc, const float *x, const float *y, float *direct, float *crossed);
    /* out = base + c x; out may be base. */
    void (*rows_scale_add)(int n_sc, const float *direct, const float *crossed, const float *x, const float *base,
                           float *out);
    /* energy [2 n_sc] += |y - c x|^2, part by part. */
    void (*rows_residual)(int n_sc, const float *direct, const float *crossed, const float *x, const float *y,
                          float *energy);
    /* y times the one number turn = Re, Im. */
    void (*rows_turn)(int n_sc, const float *turn, float *y);
};

const struct simd_ops *simd_get(void);
/* The i-th variant this processor can run, widest first; NULL past the last. For tests and benches. */
const struct simd_ops *simd_variant(int i);
/* What simd_get returns from now on; NULL = the widest again. Handles keep the variant they were created with. */
void simd_select(const struct simd_ops *ops);

#endif
