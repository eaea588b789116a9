/* SPDX-License-Identifier: GPL-3.0-or-later */
#define SIMD_OPS simd_ops_avx512
#define SIMD_NAME "avx512"
#define SIMD_BYTES 64
#include "phy/simd_impl.h"
