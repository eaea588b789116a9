/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Single-producer single-consumer ring of fixed-size slots, filled and read in place. Lock-free and wait-free after
 * ring_create; slots are 64-byte aligned and zeroed at create. One thread writes, one thread reads. */
#ifndef TUTTI_BASE_RING_H
#define TUTTI_BASE_RING_H

#include <stddef.h>

typedef struct ring ring_t;

/* n_slots is rounded up to a power of two, at least 2. */
int ring_create(ring_t **ring, size_t n_slots, size_t slot_bytes);
void ring_destroy(ring_t *ring); /* NULL allowed */

/* Producer: the next free slot, or NULL when full. Fill it, then ring_push publishes it. */
void *ring_write_slot(ring_t *ring);
void ring_push(ring_t *ring);

/* Consumer: the k-th oldest published slot (0 = oldest), or NULL. It stays valid until ring_pop gives it back. */
const void *ring_peek(const ring_t *ring, size_t k);
size_t ring_count(const ring_t *ring);
void ring_pop(ring_t *ring);

#endif
