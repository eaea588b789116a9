/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/stats.h"

#include <math.h>
#include <string.h>

enum { SUB_BINS = 1 << STATS_HIST_SUB_BITS };

/* Below 32 a bin per value; above, octave e (the highest set bit) is cut into 32 equal steps. */
static int bin_of(uint64_t value)
{
    if (value < SUB_BINS) {
        return (int)value;
    }
    const int shift = 63 - __builtin_clzll(value) - STATS_HIST_SUB_BITS;
    return (shift << STATS_HIST_SUB_BITS) + (int)(value >> shift);
}

uint64_t stats_hist_edge(int bin)
{
    if (bin < SUB_BINS) {
        return bin > 0 ? (uint64_t)bin : 0;
    }
    if (bin >= STATS_HIST_BINS) {
        return UINT64_MAX;
    }
    const int shift = (bin >> STATS_HIST_SUB_BITS) - 1;
    return (uint64_t)(SUB_BINS + (bin & (SUB_BINS - 1))) << shift;
}

void stats_hist_reset(struct stats_hist *hist)
{
    memset(hist, 0, sizeof *hist);
}

void stats_hist_add(struct stats_hist *hist, uint64_t value)
{
    if (hist->count == 0 || value < hist->min) {
        hist->min = value;
    }
    if (value > hist->max) {
        hist->max = value;
    }
    hist->count++;
    hist->sum += value;
    hist->bin[bin_of(value)]++;
}

void stats_hist_merge(struct stats_hist *into, const struct stats_hist *from)
{
    if (from->count == 0) {
        return;
    }
    if (into->count == 0 || from->min < into->min) {
        into->min = from->min;
    }
    if (from->max > into->max) {
        into->max = from->max;
    }
    into->count += from->count;
    into->sum += from->sum;
    for (int i = 0; i < STATS_HIST_BINS; i++) {
        into->bin[i] += from->bin[i];
    }
}

uint64_t stats_hist_quantile(const struct stats_hist *hist, double q)
{
    if (hist->count == 0 || !(q > 0.0)) {
        return hist->min;
    }
    if (q >= 1.0) {
        return hist->max;
    }
    const double wanted = ceil(q * (double)hist->count);
    uint64_t seen = 0;
    for (int i = 0; i < STATS_HIST_BINS; i++) {
        seen += hist->bin[i];
        if ((double)seen >= wanted) {
            const uint64_t last = i + 1 < STATS_HIST_BINS ? stats_hist_edge(i + 1) - 1 : UINT64_MAX;
            return last < hist->max ? last : hist->max;
        }
    }
    return hist->max;
}

double stats_hist_mean(const struct stats_hist *hist)
{
    return hist->count ? (double)hist->sum / (double)hist->count : 0.0;
}

void stats_mean_add(struct stats_mean *mean, double value)
{
    mean->count++;
    const double delta = value - mean->mean;
    mean->mean += delta / (double)mean->count;
    mean->m2 += delta * (value - mean->mean);
}

double stats_mean_stderr(const struct stats_mean *mean)
{
    if (mean->count < 2) {
        return 0.0;
    }
    const double n = (double)mean->count;
    return sqrt(mean->m2 / (n - 1.0) / n);
}

int stats_ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double stats_sorted_quantile(const double *sorted, size_t n, double q)
{
    if (n == 0) {
        return NAN;
    }
    const double at = fmin(fmax(q, 0.0), 1.0) * (double)(n - 1);
    const size_t i = (size_t)at, j = i + 1 < n ? i + 1 : i;
    return sorted[i] + (at - (double)i) * (sorted[j] - sorted[i]);
}
