/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every variant of the vector code that this processor can run, then the arithmetic of each width without its
 * instructions. */
#ifndef TUTTI_TESTS_PHY_VARIANTS_H
#define TUTTI_TESTS_PHY_VARIANTS_H

#include "phy/simd.h"

extern const struct simd_ops simd_ops_plain_16, simd_ops_plain_32, simd_ops_plain_64;

/* NULL past the last. */
static inline const struct simd_ops *test_variant(int i)
{
    static const struct simd_ops *const plain[] = {&simd_ops_plain_16, &simd_ops_plain_32, &simd_ops_plain_64};
    int n = 0;
    while (simd_variant(n)) {
        n++;
    }
    return i < n ? simd_variant(i) : i < n + 3 ? plain[i - n] : NULL;
}

#endif
