/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel variants that tests run: those this processor can execute, and the source of the 16-lane one compiled
 * without its instruction set, so that its arithmetic is tested on processors that have no AVX-512. */
#ifndef TESTS_LINALG_VARIANTS_H
#define TESTS_LINALG_VARIANTS_H

#include "linalg/kernel.h"

/* The i-th; NULL past the last. */
const struct kernel_ops *test_variant(int i);

#endif
