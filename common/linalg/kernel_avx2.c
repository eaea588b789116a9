/* SPDX-License-Identifier: GPL-3.0-or-later */
#define KERNEL_OPS kernel_ops_avx2
#define KERNEL_NAME "avx2"
#define KERNEL_BYTES 32
#include "linalg/kernel_impl.h"
