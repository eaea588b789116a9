/* SPDX-License-Identifier: GPL-3.0-or-later */
#define KERNEL_OPS kernel_ops_plain16
#define KERNEL_NAME "avx512 without its instructions"
#define KERNEL_BYTES 64
#include "linalg/kernel_impl.h"
