/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a backend must provide. Each member keeps the promise written at the function of the same name in radio.h. To
 * add a radio: write NAME_radio.c with one of these tables and list it in radio.c. */
#ifndef TUTTI_HW_RADIO_OPS_H
#define TUTTI_HW_RADIO_OPS_H

#include "hw/radio.h"

struct radio_ops {
    const char *name;
    /* Publishes *state before it can fail; close takes half-built state. May block and allocate. */
    int (*open)(void **state, const struct radio_settings *settings, struct radio_info *info);
    int (*sync)(void *state, struct radio_sync *sync);
    int (*start)(void *state, tutti_tick at, tutti_tick *first);
    int (*recv)(void *state, tutti_cf32 *const *buffers, int n, struct radio_got *got);
    void (*unwanted)(void *state, tutti_tick from, tutti_tick to);      /* NULL = not interested */
    bool (*recall)(void *state, uint64_t block, double *values, int n); /* NULL = nothing is ever recalled */
    int (*burst)(void *state, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag);
    /* Both or neither: NULL = bursts are taken whole only. radio_info.in_parts follows from that. */
    int (*burst_open)(void *state, int n, tutti_tick at, uint64_t tag);
    void (*burst_part)(void *state, const tutti_cf32 *const *buffers, int n);
    bool (*burst_place)(void *state, int n, tutti_cf32 **buffers); /* NULL = parts are always copied */
    int (*note)(void *state, struct radio_note *note);
    uint64_t (*notes_lost)(const void *state);
    uint64_t (*wakeups)(const void *state);
    void (*stop)(void *state);
    void (*close)(void *state); /* never fails; NULL allowed */
};

extern const struct radio_ops air_radio_ops, file_radio_ops;
#ifdef TUTTI_UHD_LIBRARY
extern const struct radio_ops uhd_radio_ops;
#endif
#ifdef TUTTI_SOAPY
extern const struct radio_ops soapy_radio_ops;
#endif

#endif
