/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics without allocation: a log-linear latency histogram and a running mean. */
#ifndef TUTTI_BASE_STATS_H
#define TUTTI_BASE_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Log-linear histogram of non-negative integers (nanoseconds): 128 linear steps per octave, so a quantile is within
 * 1/128 = 0.8 % of the true value; exact minimum, maximum, mean. Plain data of 59 kB: copy it, zero it, merge it. */
enum { STATS_HIST_SUB_BITS = 7, STATS_HIST_BINS = (64 - STATS_HIST_SUB_BITS + 1) << STATS_HIST_SUB_BITS };

struct stats_hist {
    uint64_t count, min, max, sum;
    uint64_t bin[STATS_HIST_BINS];
};

void stats_hist_reset(struct stats_hist *hist);
void stats_hist_add(struct stats_hist *hist, uint64_t value); /* a few ns */
void stats_hist_merge(struct stats_hist *into, const struct stats_hist *from);
/* Value at quantile q in 0..1: the upper edge of its bin, never above max; 0 when empty. */
uint64_t stats_hist_quantile(const struct stats_hist *hist, double q);
double stats_hist_mean(const struct stats_hist *hist);
/* Lower edge of a bin, for plotting. */
uint64_t stats_hist_edge(int bin);

/* Mean and variance (Welford). */
struct stats_mean {
    uint64_t count;
    double mean, m2;
};
void stats_mean_add(struct stats_mean *mean, double value);
double stats_mean_stderr(const struct stats_mean *mean); /* standard error of the mean; 0 below two values */

/* Order of two doubles that are not NaN, for qsort. */
int stats_ascending(const void *a, const void *b);
/* Value at quantile q in 0..1 of n values in ascending order, between neighbours by proportion; NaN of none. */
double stats_sorted_quantile(const double *sorted, size_t n, double q);

#endif
