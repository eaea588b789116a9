/* SPDX-License-Identifier: GPL-3.0-or-later */
#define CONVOLVE_OPS convolve_ops_portable
#define CONVOLVE_NAME "portable"
#define CONVOLVE_LANES 4
#include "hw/air/convolve_impl.h"
