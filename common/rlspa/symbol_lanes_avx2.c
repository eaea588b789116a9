/* SPDX-License-Identifier: GPL-3.0-or-later */
#define LANES_OPS symbol_lanes_avx2
#define LANES_NAME "avx2"
#define LANES_BYTES 32
#include "rlspa/symbol_lanes_impl.h"
