/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device's time: UTC seconds set at a pulse that all boards and all radios share, proved by every board having the
 * same time at the same pulse; without pulses it starts at 0 and agrees with nobody's. */
#include "base/clock.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/uhd/device.h"

#include <math.h>
#include <string.h>

enum { POLL_MS = 2 };

int uhd_device_now(struct uhd_device *d, tutti_tick *tick)
{
    struct uhd_time now = {0};
    if (d->api->usrp_get_time_now(d->usrp, 0, &now.full_s, &now.frac_s)) {
        return uhd_device_failed(d, "cannot read its time");
    }
    *tick = uhd_tick_of(now, d->rate_hz);
    return TUTTI_OK;
}

static int read_pps(struct uhd_device *d, size_t board)
{
    struct uhd_time pps = {0};
    if (d->api->usrp_get_time_last_pps(d->usrp, board, &pps.full_s, &pps.frac_s)) {
        return uhd_device_failed(d, "cannot read its last PPS");
    }
    d->last_pps[board] = uhd_tick_of(pps, d->rate_hz);
    return TUTTI_OK;
}

int uhd_device_read_pps(struct uhd_device *d)
{
    int status = TUTTI_OK;
    for (size_t b = 0; !status && b < (size_t)d->n_board; b++) {
        status = read_pps(d, b);
    }
    return status;
}

/* Until board 0 has seen a pulse. An elastic device's seconds may be long. */
static int wait_for_pulse(struct uhd_device *d)
{
    const double wait_s = d->elastic ? 30 : 1.5;
    const uint64_t until_ns = clock_mono_ns() + (uint64_t)(wait_s * 1e9);
    int status = read_pps(d, 0);
    const tutti_tick before = d->last_pps[0];
    while (!status && d->last_pps[0] == before) {
        if (clock_mono_ns() > until_ns) {
            return error_set(
                TUTTI_EDEVICE,
                "radio '%s': no PPS within %.1f s (time_source %s): is the pulse connected to every board?", d->args,
                wait_s, d->time_source);
        }
        if (rt_stop_requested()) {
            return error_set(TUTTI_ESTOPPED, "stopped while waiting for a PPS");
        }
        clock_sleep_until_ns(clock_mono_ns() + POLL_MS * 1000000ull);
        status = read_pps(d, 0);
    }
    return status;
}

static int check_boards(struct uhd_device *d, tutti_tick expected)
{
    const int status = uhd_device_read_pps(d);
    for (int b = 0; !status && b < d->n_board; b++) {
        if (d->last_pps[b] != expected) {
            return error_set(TUTTI_EDEVICE,
                             "radio '%s': board %d has time %.9f s at the last PPS, %.9f s expected: does every board "
                             "get the same pulse?",
                             d->args, b, (double)d->last_pps[b] / (double)d->rate_hz,
                             (double)expected / (double)d->rate_hz);
        }
    }
    return status;
}

/* An elastic device's time has gone behind the wall clock's, and others live by it: a time that was set once stays. */
static bool has_time(struct uhd_device *d, int64_t utc_s)
{
    const int64_t second = (int64_t)(d->last_pps[0] / d->rate_hz);
    bool same = d->elastic && d->last_pps[0] % d->rate_hz == 0 && second <= utc_s && second > utc_s - 86400;
    for (int b = 1; b < d->n_board; b++) {
        same = same && d->last_pps[b] == d->last_pps[0];
    }
    return same;
}

static int set_at_pulse(struct uhd_device *d)
{
    int status = wait_for_pulse(d);
    const int64_t utc_s = llround((double)clock_wall_ns() * 1e-9);
    status = status ? status : uhd_device_read_pps(d);
    if (status || has_time(d, utc_s)) {
        return status;
    }
    for (size_t b = 0; !status && b < (size_t)d->n_board; b++) {
        if (d->api->usrp_set_time_next_pps(d->usrp, utc_s + 1, 0.0, b)) {
            status = uhd_device_failed(d, "cannot set its time at the next PPS");
        }
    }
    status = status ? status : read_pps(d, 0);
    status = status ? status : wait_for_pulse(d);
    return status ? status : check_boards(d, (tutti_tick)(utc_s + 1) * d->rate_hz);
}

int uhd_device_clock(struct uhd_device *d)
{
    d->has_pps = uhd_words_is_shared(d->time_source);
    if (d->has_pps) {
        return set_at_pulse(d);
    }
    if (d->n_board > 1) {
        return error_set(TUTTI_ECONFIG,
                         "radio '%s': %d boards need a common pulse: time_source external or gpsdo (and the same "
                         "clock_source)",
                         d->args, d->n_board);
    }
    log_write(LOG_WARNING, "radio", "NO-COMMON-TIME time_source=%s: this radio's time agrees with no other radio's",
              *d->time_source ? d->time_source : "none");
    return d->api->usrp_set_time_now(d->usrp, 0, 0.0, 0) ? uhd_device_failed(d, "cannot set its time") : TUTTI_OK;
}
