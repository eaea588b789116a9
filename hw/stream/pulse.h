/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device's clock and time come from. Its time from a pulse per second that all radios share: the UTC second of
 * the pulse is set, and proved by what the device says its time was at the pulse. Start-up only: blocks for seconds. */
#ifndef TUTTI_HW_STREAM_PULSE_H
#define TUTTI_HW_STREAM_PULSE_H

#include "hw/radio.h"

#include <stdbool.h>
#include <stdint.h>

enum { STREAM_SOURCE_ROOM = 32 };

struct stream_reference {
    char clock_source[STREAM_SOURCE_ROOM], time_source[STREAM_SOURCE_ROOM]; /* as in use */
    bool has_lock, locked, has_pps;
};
/* As a backend tells it. */
struct radio_sync stream_reference_sync(const struct stream_reference *reference, tutti_tick last_pps);
/* Warns that the device's time is its own, where no pulse sets it. */
void stream_reference_alone(const struct stream_reference *reference);

/* Negative returns have their sentence. */
struct stream_pulse {
    void *state;
    const char *name, *time_source;                   /* for sentences */
    bool elastic;                                     /* its seconds may be long, and are not the host's */
    int (*read)(void *state, tutti_tick *last);       /* the device's time at the newest pulse */
    bool (*agrees)(void *state, int64_t second);      /* every board of it had this time at its newest pulse */
    int (*set_next)(void *state, int64_t second);     /* the time at the next pulse */
    bool (*gps_second)(void *state, int64_t *second); /* UTC of the newest pulse by its own receiver, if it has one */
    int (*disagrees)(void *state, int64_t second);    /* the error, when what was set is not there */
};

int stream_pulse_set(const struct stream_pulse *pulse);
/* TUTTI_EDEVICE: for `disagrees`, of a device with one time. */
int stream_pulse_disagrees(const char *name, tutti_tick last, uint64_t rate_hz, int64_t second);

#endif
