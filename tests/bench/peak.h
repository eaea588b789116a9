/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Multiply-adds, or integer additions and comparisons, without a chain or memory, compiled once per kernel variant
 * (peak.c): the rate a kernel cannot exceed. */
#ifndef TESTS_BENCH_PEAK_H
#define TESTS_BENCH_PEAK_H

/* Runs n rounds of enum measure_peak; returns the operations they were. */
double peak_avx512(int n, int what);
double peak_avx2(int n, int what);
double peak_portable(int n, int what);

#endif
