/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Single-precision kernels with one source compiled for several instruction sets; kernel_get picks the widest this
 * processor has, once. No allocation, no lock. */
#ifndef TUTTI_LINALG_KERNEL_H
#define TUTTI_LINALG_KERNEL_H

#include "base/types.h"

struct kernel_ops {
    const char *name; /* "avx512", "avx2", "portable" */
    /* x [n] = sum_s v[s] * symbols[s][first .. first + n - 1]; n_stream terms. */
    void (*combine)(int n, int n_stream, const tutti_cf32 *v, const tutti_cf32 *const *symbols, size_t first,
                    tutti_cf32 *x);
};

const struct kernel_ops *kernel_get(void);
/* The i-th variant this processor can run, widest first; NULL past the last. For tests and benches. */
const struct kernel_ops *kernel_variant(int i);

#endif
