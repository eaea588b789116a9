/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiled once per kernel variant with PEAK_NAME, PEAK_BYTES and the variant's instructions. */
#include "peak.h"

enum { PEAK_CHAINS = 12 };

static volatile double sink; /* or the loop would be left out */

#define PEAK_RUN(type)                                                                                                 \
    {                                                                                                                  \
        typedef type vec __attribute__((vector_size(PEAK_BYTES)));                                                     \
        const vec x = (type)0.999 - (vec){0}, y = (type)1e-3 - (vec){0};                                               \
        vec a[PEAK_CHAINS];                                                                                            \
        for (int j = 0; j < PEAK_CHAINS; j++) {                                                                        \
            a[j] = x;                                                                                                  \
        }                                                                                                              \
        for (int i = 0; i < n; i++) {                                                                                  \
            _Pragma("GCC unroll 12") for (int j = 0; j < PEAK_CHAINS; j++) a[j] = a[j] * x + y;                        \
        }                                                                                                              \
        for (int j = 0; j < PEAK_CHAINS; j++) {                                                                        \
            sink = sink + (double)a[j][0];                                                                             \
        }                                                                                                              \
        return 2.0 * n * PEAK_CHAINS * PEAK_BYTES / sizeof(type);                                                      \
    }

static double run_single(int n)
{
    PEAK_RUN(float)
}

static double run_double(int n)
{
    PEAK_RUN(double)
}

double PEAK_NAME(int n, bool double_precision)
{
    return double_precision ? run_double(n) : run_single(n);
}
