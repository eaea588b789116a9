/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a backend must provide. Each member keeps the promise written at the function of the same name in radio.h. To
 * add a radio: write NAME_radio.c with one of these tables and list it in radio.c. */
#ifndef TUTTI_HW_RADIO_OPS_H
#define TUTTI_HW_RADIO_OPS_H

#include "hw/radio.h"

struct radio_ops {
    const char *name;
    /* On success *state is the backend's own; on failure the backend has freed everything. May block and allocate. */
    int (*open)(void **state, const struct radio_settings *settings);
    int (*start)(void *state, tutti_tick at, tutti_tick *first);
    int (*recv)(void *state, tutti_cf32 *const *buffers, int n, tutti_tick *tick, unsigned *events);
    int (*send)(void *state, const tutti_cf32 *const *buffers, int n, tutti_tick at, unsigned *events);
    void (*close)(void *state); /* never fails; state is never NULL */
};

extern const struct radio_ops air_radio_ops;

#endif
