/* SPDX-License-Identifier: GPL-3.0-or-later */
#define LANES_OPS symbol_lanes_portable
#define LANES_NAME "portable"
#define LANES_BYTES 16
#include "rlspa/symbol_lanes_impl.h"
