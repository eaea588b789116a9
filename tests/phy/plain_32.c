/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arithmetic of 32-byte vectors without their instructions. */
#define SIMD_OPS simd_ops_plain_32
#define SIMD_NAME "plain 32"
#define SIMD_BYTES 32
#define SIMD_PLAIN
#include "phy/simd_impl.h"
