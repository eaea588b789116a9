/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Multiply-adds without a chain or memory, compiled once per kernel variant (peak.c): the rate a kernel cannot exceed.
 */
#ifndef TESTS_BENCH_PEAK_H
#define TESTS_BENCH_PEAK_H

#include <stdbool.h>

/* Runs n rounds; returns the floating-point operations they were. */
double peak_avx512(int n, bool double_precision);
double peak_avx2(int n, bool double_precision);
double peak_portable(int n, bool double_precision);

#endif
