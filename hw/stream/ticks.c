/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/stream/ticks.h"

#include <math.h>

/* A device's time may be anything; ticks beyond (a thousand years) are as good as any other nonsense. */
static const double MOST_TICKS = 9e18;

struct stream_time stream_time_of(tutti_tick tick, uint64_t rate_hz)
{
    return (struct stream_time){(int64_t)(tick / rate_hz), (double)(tick % rate_hz) / (double)rate_hz};
}

tutti_tick stream_tick_of(struct stream_time time, uint64_t rate_hz)
{
    const double about = ((double)time.full_s + time.frac_s) * (double)rate_hz;
    if (!(about > 0)) { /* before the beginning, or no number */
        return 0;
    }
    if (about > MOST_TICKS) {
        return (tutti_tick)MOST_TICKS;
    }
    const int64_t rest = llround(time.frac_s * (double)rate_hz);
    const int64_t tick = time.full_s * (int64_t)rate_hz + rest;
    return tick > 0 ? (tutti_tick)tick : 0;
}

tutti_tick stream_tick_align(tutti_tick tick, int multiple)
{
    const tutti_tick step = multiple > 1 ? (tutti_tick)multiple : 1;
    return (tick + step - 1) / step * step;
}

bool stream_whole_rate(double rate_hz, uint64_t *whole_hz)
{
    if (!(rate_hz >= 1 && rate_hz < 1e12)) {
        return false;
    }
    *whole_hz = (uint64_t)llround(rate_hz);
    return fabs(rate_hz - (double)*whole_hz) < 1e-6;
}

bool stream_same_rate(double asked_hz, double got_hz)
{
    return fabs(got_hz - asked_hz) < 1e-9 * asked_hz;
}
