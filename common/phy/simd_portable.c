/* SPDX-License-Identifier: GPL-3.0-or-later */
#define SIMD_OPS simd_ops_portable
#define SIMD_NAME "portable"
#define SIMD_BYTES 16
#include "phy/simd_impl.h"
