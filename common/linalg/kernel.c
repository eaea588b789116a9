/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "linalg/kernel.h"

extern const struct kernel_ops kernel_ops_portable;
#ifdef TUTTI_KERNEL_X86
extern const struct kernel_ops kernel_ops_avx2, kernel_ops_avx512;
#endif

const struct kernel_ops *kernel_variant(int i)
{
    const struct kernel_ops *usable[3];
    int n = 0;
#ifdef TUTTI_KERNEL_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        usable[n++] = &kernel_ops_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        usable[n++] = &kernel_ops_avx2;
    }
#endif
    usable[n++] = &kernel_ops_portable;
    return i >= 0 && i < n ? usable[i] : NULL;
}

static const struct kernel_ops *chosen; /* every thread would choose the same */

const struct kernel_ops *kernel_get(void)
{
    const struct kernel_ops *ops = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (!ops) {
        ops = kernel_variant(0);
        __atomic_store_n(&chosen, ops, __ATOMIC_RELAXED);
    }
    return ops;
}

void kernel_select(const struct kernel_ops *ops)
{
    __atomic_store_n(&chosen, ops, __ATOMIC_RELAXED);
}
