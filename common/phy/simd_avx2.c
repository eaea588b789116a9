/* SPDX-License-Identifier: GPL-3.0-or-later */
#define SIMD_OPS simd_ops_avx2
#define SIMD_NAME "avx2"
#define SIMD_BYTES 32
#include "phy/simd_impl.h"
