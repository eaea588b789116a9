/* SPDX-License-Identifier: GPL-3.0-or-later */
#define LANES_OPS symbol_lanes_avx512
#define LANES_NAME "avx512"
#define LANES_BYTES 64
#include "rlspa/symbol_lanes_impl.h"
