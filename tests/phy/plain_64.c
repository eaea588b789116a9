/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arithmetic of 64-byte vectors without their instructions. */
#define SIMD_OPS simd_ops_plain_64
#define SIMD_NAME "plain 64"
#define SIMD_BYTES 64
#define SIMD_PLAIN
#include "phy/simd_impl.h"
