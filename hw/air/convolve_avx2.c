/* SPDX-License-Identifier: GPL-3.0-or-later */
#define CONVOLVE_OPS convolve_ops_avx2
#define CONVOLVE_NAME "avx2"
#define CONVOLVE_LANES 8
#include "hw/air/convolve_impl.h"
