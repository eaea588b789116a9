/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One-way times from an exchange between two clocks: a request sent at t1 and received at t2 (other clock), its answer
 * sent at t3 (other clock) and received at t4. An exchange cannot tell the clocks' offset from a difference between its
 * two ways, so offset = ((t2 - t1) + (t3 - t4)) / 2 is wrong by at most half of what the two ways took together. The
 * exchange that took least, among those of a window, errs least: its offset is used for the window. Plain data. */
#ifndef TUTTI_TOOLS_LATENCY_OFFSET_H
#define TUTTI_TOOLS_LATENCY_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

struct exchange {
    uint64_t t1, t2, t3, t4; /* ns */
};

struct offset {
    int64_t ns;              /* other clock minus own */
    uint64_t uncertainty_ns; /* the true offset is within plus or minus this */
};

/* The two ways together, without what the other end took between them; 0 at least. */
uint64_t exchange_ways_ns(const struct exchange *exchange);
/* From the quickest of n exchanges, n > 0. */
struct offset offset_estimate(const struct exchange *exchanges, int n);
/* One-way times with a known offset; never negative. */
uint64_t exchange_up_ns(const struct exchange *exchange, int64_t offset_ns);
uint64_t exchange_down_ns(const struct exchange *exchange, int64_t offset_ns);

#endif
