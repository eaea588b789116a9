/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between ticks and a device's time, whole seconds and a fraction. Exact for whole sample rates and any time of day:
 * whole numbers, and double only for what is less than a second. Pure; a few ns. */
#ifndef TUTTI_HW_STREAM_TICKS_H
#define TUTTI_HW_STREAM_TICKS_H

#include "base/types.h"

#include <stdbool.h>
#include <stdint.h>

struct stream_time {
    int64_t full_s;
    double frac_s; /* 0 <= frac_s < 1 */
};

/* rate_hz > 0, a whole number. */
struct stream_time stream_time_of(tutti_tick tick, uint64_t rate_hz);
/* The nearest tick; times before 0 give 0. */
tutti_tick stream_tick_of(struct stream_time time, uint64_t rate_hz);
/* The first multiple at or after the tick. */
tutti_tick stream_tick_align(tutti_tick tick, int multiple);
/* A sample rate as a whole number; false if it is none. */
bool stream_whole_rate(double rate_hz, uint64_t *whole_hz);
/* The rate a device gave instead of the one asked for is the same. */
bool stream_same_rate(double asked_hz, double got_hz);

#endif
