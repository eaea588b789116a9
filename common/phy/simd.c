/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/simd.h"

#include <stddef.h>

extern const struct simd_ops simd_ops_portable;
#ifdef TUTTI_SIMD_X86
extern const struct simd_ops simd_ops_avx2, simd_ops_avx512;
#endif

const struct simd_ops *simd_variant(int i)
{
    const struct simd_ops *usable[3];
    int n = 0;
#ifdef TUTTI_SIMD_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("avx512vl")) {
        usable[n++] = &simd_ops_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
        usable[n++] = &simd_ops_avx2;
    }
#endif
    usable[n++] = &simd_ops_portable;
    return i >= 0 && i < n ? usable[i] : NULL;
}

static const struct simd_ops *chosen; /* every thread would choose the same */

const struct simd_ops *simd_get(void)
{
    const struct simd_ops *ops = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (!ops) {
        ops = simd_variant(0);
        __atomic_store_n(&chosen, ops, __ATOMIC_RELAXED);
    }
    return ops;
}

void simd_select(const struct simd_ops *ops)
{
    __atomic_store_n(&chosen, ops, __ATOMIC_RELAXED);
}
