/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device's time from a pulse per second that all radios share: the UTC second of the pulse is set, and proved by what
 * the device says its time was at the pulse. Start-up only: blocks for seconds. */
#ifndef TUTTI_HW_STREAM_PULSE_H
#define TUTTI_HW_STREAM_PULSE_H

#include "base/types.h"

#include <stdbool.h>
#include <stdint.h>

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

#endif
