/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the benches of arithmetic share: processor time, calls of malloc, and this processor's limits. */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

/* Processor time of this thread in microseconds: what else runs on the machine is left out. */
double measure_us(void);
/* Least, middle and 99th percentile of n values; sorts them. */
struct measure_times {
    double best_us, median_us, p99_us;
};
struct measure_times measure_summary(double *us, int n);

/* Calls of the malloc family while counting is on, by wrappers that linking bench_measure brings. */
void measure_count(bool on);
unsigned long measure_allocations(void);

/* Best rates in registers in the instructions of a variant ("avx512", "avx2", "portable"): multiply-adds, which count
 * twice, and additions and comparisons of 16-bit integers; 10^9 a second. */
enum measure_peak { MEASURE_SINGLE, MEASURE_DOUBLE, MEASURE_SHORT };
double measure_peak_g_s(const char *variant, enum measure_peak what);
/* Best rate of memcpy of this many bytes, counting what is read and what is written, GB/s; page-aligned. */
double measure_copy_gb_s(size_t bytes);

#endif
