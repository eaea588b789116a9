/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the benches of arithmetic share: processor time, calls of malloc, and this processor's limits. */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include "linalg/kernel.h"

/* Processor time of this thread in microseconds: what else runs on the machine is left out. */
double measure_us(void);
/* Middle and 99th percentile of n values; sorts them. */
struct measure_times {
    double median_us, p99_us;
};
struct measure_times measure_summary(double *us, int n);

/* Calls of the malloc family while counting is on, in programs linked with MEASURE_WRAP of CMakeLists.txt. */
void measure_count(bool on);
unsigned long measure_allocations(void);

/* Best rate of multiply-adds in registers in the instructions of a variant, GFLOP/s. */
double measure_peak_gflop_s(const struct kernel_ops *ops, bool double_precision);
/* Best rate of memcpy of this many bytes, counting what is read and what is written, GB/s. */
double measure_copy_gb_s(size_t bytes);

#endif
