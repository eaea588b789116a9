/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The 16-lane kernels without AVX-512's flags: their arithmetic can be tested on any processor. */
#define CONVOLVE_OPS convolve_ops_wide
#define CONVOLVE_NAME "16 lanes, any processor"
#define CONVOLVE_LANES 16
#include "hw/air/convolve_impl.h"
