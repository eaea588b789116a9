/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Precoders on their way from the link thread to the slot thread, in a fixed number of slots. Nobody waits: when all
 * are taken the one of the lowest block is overwritten. The slot thread keeps the newest one that has become valid,
 * newest by block and not by arrival, and leaves alone what is for later blocks. One thread writes, one thread takes;
 * lock-free, no allocation after create. */
#ifndef TUTTI_AP_NODE_INBOX_H
#define TUTTI_AP_NODE_INBOX_H

#include "fronthaul/wire.h"

/* One precoder as received. */
struct ap_precoder {
    struct wire_header header;
    struct wire_precoder_meta meta; /* meta.stream points behind this struct */
    uint64_t received_ns;           /* clock_wall_ns */
    uint64_t received_mono_ns;
    tutti_cf32 *V; /* [n_sb][n_ant][n_stream] */
};

typedef struct inbox inbox_t;

enum { INBOX_SLOTS = 16 };

/* Room in every slot for n_stream streams and n_coefficients values. */
int inbox_create(inbox_t **inbox, int n_stream, size_t n_coefficients);
void inbox_destroy(inbox_t *inbox); /* NULL allowed */

/* Link thread: a slot to fill. Then either inbox_push, or ask again: it is the same one. Never NULL. */
struct ap_precoder *inbox_slot(inbox_t *inbox);
void inbox_push(inbox_t *inbox);
/* Precoders overwritten unseen; any thread. */
uint64_t inbox_dropped(const inbox_t *inbox);

/* A precoder that came after its own block had been decided, or that a newer one has replaced. */
struct inbox_late {
    uint64_t block; /* the first it was for */
    uint64_t received_ns;
};
/* Slot thread, for `block`: takes in what has come. Returns the held precoder: the one of the highest block among those
 * with valid_from_block <= block, NULL if there never was one. It stays until a newer one is taken. late
 * [INBOX_SLOTS]: those taken now whose first block is before `block`. */
const struct ap_precoder *inbox_take(inbox_t *inbox, uint64_t block, struct inbox_late *late, int *n_late);

#endif
