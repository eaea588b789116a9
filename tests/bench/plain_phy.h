/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The physical layer's inner loops written plainly, one value at a time: the yardstick of bench_phy. */
#ifndef TESTS_BENCH_PLAIN_PHY_H
#define TESTS_BENCH_PLAIN_PHY_H

#include "base/types.h"

/* Max-log soft bits 0..255 of Gray-labelled square QAM, all levels tried on each axis; soft [n][2 axis_bits]. */
void plain_demap(int axis_bits, int n, const tutti_cf32 *y, const float *noise_variance, uint8_t *soft);
/* The K=7 rate-1/2 code (171, 133) of n_bytes and six zeros, bit by bit: coded [2 (8 n_bytes + 6)], a bit a byte. */
void plain_encode(const uint8_t *bytes, int n_bytes, uint8_t *coded);
/* Gray-labelled square QAM of coded bits [n][2 axis_bits], a bit a byte. */
void plain_map(int axis_bits, int n, const uint8_t *coded, tutti_cf32 *y);

/* Re and Im of the sum of weight t conj(d): t = turn y, d the nearest point of square QAM with that unit. */
void plain_angle(int axis_bits, int n, float unit, const float *turn, const float *weight, const tutti_cf32 *y,
                 double *sums);

/* The row operations of phy/simd.h in complex numbers, factor by subcarrier: sum += x conj(y); out = base + c x;
 * energy += |y - c x|^2. */
void plain_dot(int n, const tutti_cf32 *x, const tutti_cf32 *y, tutti_cf32 *sum);
void plain_scale_add(int n, const tutti_cf32 *c, const tutti_cf32 *x, const tutti_cf32 *base, tutti_cf32 *out);
void plain_residual(int n, const tutti_cf32 *c, const tutti_cf32 *x, const tutti_cf32 *y, float *energy);

#endif
