/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiled once per kernel variant with PEAK_NAME, PEAK_BYTES and the variant's instructions. */
#include "peak.h"

#include "measure.h"

#if defined(__AVX512F__)
#define PEAK_REGISTER "v"
#elif defined(__x86_64__)
#define PEAK_REGISTER "x"
#else
#define PEAK_REGISTER "w"
#endif
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

/* An addition and a comparison a turn; the compiler must not see that sixteen turns could be one. */
static double run_short(int n)
{
    typedef short vec __attribute__((vector_size(PEAK_BYTES)));
    const vec x = (short)3 - (vec){0};
    vec a[PEAK_CHAINS] = {{0}};
    for (int i = 0; i < n; i++) {
        _Pragma("GCC unroll 12") for (int j = 0; j < PEAK_CHAINS; j++)
        {
            __asm__("" : "+" PEAK_REGISTER(a[j]));
            a[j] = (a[j] + x) > x;
        }
    }
    for (int j = 0; j < PEAK_CHAINS; j++) {
        sink = sink + (double)a[j][0];
    }
    return 2.0 * n * PEAK_CHAINS * PEAK_BYTES / sizeof(short);
}

double PEAK_NAME(int n, int what)
{
    return what == MEASURE_SINGLE ? run_single(n) : what == MEASURE_DOUBLE ? run_double(n) : run_short(n);
}
