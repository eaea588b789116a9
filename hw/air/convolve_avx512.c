/* SPDX-License-Identifier: GPL-3.0-or-later */
#define CONVOLVE_OPS convolve_ops_avx512
#define CONVOLVE_NAME "avx512"
#define CONVOLVE_LANES 16
#include "hw/air/convolve_impl.h"
