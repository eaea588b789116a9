/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole of a streaming radio around its device: what hw/radio.h promises, with the device's library kept off the
 * slot thread, which sees rings only. A backend's state begins with a struct stream_radio, so that the functions that
 * take `void *state` stand in its table as they are. */
#ifndef TUTTI_HW_STREAM_RADIO_H
#define TUTTI_HW_STREAM_RADIO_H

#include "hw/stream/transmit.h"

struct stream_radio {
    struct stream_device device; /* the backend's to fill before create */
    struct stream_receive receive;
    struct stream_transmit transmit;
    ledger_t *ledger;
    tutti_tick n_ahead; /* a burst may end this long after the newest sample */
    bool stopped;
};

/* Rings, buffers and the ledger; fills what follows from the device of info. TUTTI_ENOMEM. */
int stream_radio_create(struct stream_radio *radio, const struct radio_settings *settings, struct radio_info *info);
/* Stops and destroys; half-built allowed; the device is still open. Whether it does not answer any more. */
bool stream_radio_end(struct stream_radio *radio);

/* As the members of struct radio_ops. */
int stream_radio_start(void *state, tutti_tick at, tutti_tick *first);
int stream_radio_recv(void *state, tutti_cf32 *const *buffers, int n, struct radio_got *got);
int stream_radio_burst(void *state, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag);
int stream_radio_note(void *state, struct radio_note *note);
uint64_t stream_radio_notes_lost(const void *state);
uint64_t stream_radio_wakeups(const void *state);
void stream_radio_stop(void *state);
#define STREAM_RADIO_OPS                                                                                               \
    .start = stream_radio_start, .recv = stream_radio_recv, .burst = stream_radio_burst, .note = stream_radio_note,    \
    .notes_lost = stream_radio_notes_lost, .wakeups = stream_radio_wakeups, .stop = stream_radio_stop

#endif
