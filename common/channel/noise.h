/* SPDX-License-Identifier: GPL-3.0-or-later */
/* White Gaussian noise in bulk: sixteen xoshiro128++ lanes and a vectorised Box-Muller. A function of (key, n) alone;
 * the AVX2 and the portable version give equal bits. Pure, no allocation. */
#ifndef TUTTI_CHANNEL_NOISE_H
#define TUTTI_CHANNEL_NOISE_H

#include <stdint.h>

/* samples [2 n] += sigma N(0, 1), all independent: n complex samples, sigma per component. */
void noise_add(uint64_t key, float sigma, int n, float *samples);
/* The portable version, for tests; noise_add chooses by the processor. */
void noise_add_portable(uint64_t key, float sigma, int n, float *samples);

#endif
