/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The physical layer's inner loops written plainly, one value at a time: the yardstick of bench_phy. */
#ifndef TESTS_BENCH_PLAIN_PHY_H
#define TESTS_BENCH_PLAIN_PHY_H

#include "base/types.h"

/* Max-log soft bits 0..255 of Gray-labelled square QAM, all levels tried on each axis; soft [n][2 axis_bits]. */
void plain_demap(int axis_bits, int n, const tutti_cf32 *y, const float *noise_variance, uint8_t *soft);

#endif
