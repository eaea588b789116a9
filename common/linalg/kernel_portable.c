/* SPDX-License-Identifier: GPL-3.0-or-later */
#define KERNEL_OPS kernel_ops_portable
#define KERNEL_NAME "portable"
#define KERNEL_BYTES 16
#include "linalg/kernel_impl.h"
