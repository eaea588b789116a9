/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/stream/pulse.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"

#include <math.h>
#include <string.h>

enum { POLL_MS = 2 };

/* Until the device has seen a pulse. */
static int wait_for_pulse(const struct stream_pulse *p)
{
    const double wait_s = p->elastic ? 30 : 1.5;
    const uint64_t until_ns = clock_mono_ns() + (uint64_t)(wait_s * 1e9);
    tutti_tick before = 0, last = 0;
    int status = p->read(p->state, &before);
    for (last = before; !status && last == before; status = p->read(p->state, &last)) {
        if (clock_mono_ns() > until_ns) {
            return error_set(
                TUTTI_EDEVICE,
                "radio '%s': no PPS within %.1f s (time_source %s): is the pulse connected to every board?", p->name,
                wait_s, p->time_source);
        }
        if (rt_stop_requested()) {
            return error_set(TUTTI_ESTOPPED, "stopped while waiting for a PPS");
        }
        clock_sleep_until_ns(clock_mono_ns() + POLL_MS * 1000000ull);
    }
    return status;
}

/* The UTC second of the newest pulse: as the device's GPS says, else by this host's clock, which must be right to less
 * than half a second. An elastic device's seconds are not the host's: it always says. */
static int64_t second_of_pulse(const struct stream_pulse *p)
{
    int64_t second = 0;
    const bool gps = p->elastic || strcmp(p->time_source, "gpsdo") == 0;
    return gps && p->gps_second(p->state, &second) ? second : llround((double)clock_wall_ns() * 1e-9);
}

/* A pulse may pass between looking and setting on a busy host: what counts is what is there afterwards. */
int stream_pulse_set(const struct stream_pulse *p)
{
    enum { TRIES = 4 };
    int64_t second = 0;
    for (int try = 0; try < TRIES; try++) {
        int status = wait_for_pulse(p);
        second = status ? 0 : second_of_pulse(p);
        if (status || p->agrees(p->state, second)) {
            return status;
        }
        status = p->set_next(p->state, second + 1);
        if (status) {
            return status;
        }
    }
    return p->disagrees(p->state, second);
}

int stream_pulse_disagrees(const char *name, tutti_tick last, uint64_t rate_hz, int64_t second)
{
    return error_set(TUTTI_EDEVICE,
                     "radio '%s': its time was %.9f s at the last PPS, %lld was set: is there one pulse per second?",
                     name, (double)last / (double)rate_hz, (long long)second);
}

struct radio_sync stream_reference_sync(const struct stream_reference *r, tutti_tick last_pps)
{
    return (struct radio_sync){.clock_source = r->clock_source,
                               .time_source = r->time_source,
                               .has_lock = r->has_lock,
                               .locked = r->locked,
                               .has_pps = r->has_pps,
                               .last_pps = last_pps};
}

void stream_reference_alone(const struct stream_reference *r)
{
    log_write(LOG_WARNING, "radio", "NO-COMMON-TIME time_source=%s: this radio's time agrees with no other radio's",
              *r->time_source ? r->time_source : "none");
}
