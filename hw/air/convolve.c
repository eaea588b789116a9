/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/convolve.h"

extern const struct convolve_ops convolve_ops_portable;
#ifdef TUTTI_CONVOLVE_X86
extern const struct convolve_ops convolve_ops_avx2, convolve_ops_avx512;
#endif

const struct convolve_ops *convolve_variant(int i)
{
    const struct convolve_ops *usable[3];
    int n = 0;
#ifdef TUTTI_CONVOLVE_X86
    if (__builtin_cpu_supports("avx512f")) {
        usable[n++] = &convolve_ops_avx512;
    }
    if (__builtin_cpu_supports("avx2")) {
        usable[n++] = &convolve_ops_avx2;
    }
#endif
    usable[n++] = &convolve_ops_portable;
    return i >= 0 && i < n ? usable[i] : NULL;
}

const struct convolve_ops *convolve_get(void)
{
    return convolve_variant(0);
}
