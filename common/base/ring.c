/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ring.h"

#include "base/error.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

/* Positions count up for ever and are masked on use, so full (write - read == n_slots) and empty (write == read) need
 * no spare slot. Each end writes only its own cache line. */
struct ring {
    unsigned char *slots; /* [mask + 1][stride] */
    size_t mask, stride;
    _Alignas(CACHE_LINE) _Atomic size_t write;
    size_t read_seen; /* the producer's last look at read: saves touching the consumer's line while there is room */
    _Alignas(CACHE_LINE) _Atomic size_t read;
};

static size_t round_up_power_of_two(size_t n)
{
    size_t p = 2;
    while (p < n) {
        p *= 2;
    }
    return p;
}

int ring_create(ring_t **ring, size_t n_slots, size_t slot_bytes)
{
    *ring = NULL;
    if (slot_bytes == 0 || n_slots > SIZE_MAX / 4 || slot_bytes > SIZE_MAX / 4) {
        return error_set(TUTTI_EINVAL, "a ring of %zu slots of %zu bytes is not possible", n_slots, slot_bytes);
    }
    const size_t n = round_up_power_of_two(n_slots);
    const size_t stride = (slot_bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    size_t bytes;
    if (__builtin_mul_overflow(n, stride, &bytes)) {
        return error_set(TUTTI_EINVAL, "a ring of %zu slots of %zu bytes is not possible", n_slots, slot_bytes);
    }
    ring_t *r = aligned_alloc(CACHE_LINE, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "no memory for a ring");
    }
    memset(r, 0, sizeof *r);
    *ring = r;
    r->mask = n - 1;
    r->stride = stride;
    r->slots = aligned_alloc(CACHE_LINE, bytes);
    if (!r->slots) {
        ring_destroy(r);
        *ring = NULL;
        return error_set(TUTTI_ENOMEM, "no memory for a ring of %zu slots of %zu bytes", n_slots, slot_bytes);
    }
    memset(r->slots, 0, bytes); /* also touches every page, so that the block path takes no page fault */
    return TUTTI_OK;
}

void ring_destroy(ring_t *ring)
{
    if (ring) {
        free(ring->slots);
        free(ring);
    }
}

void *ring_write_slot(ring_t *ring)
{
    const size_t write = atomic_load_explicit(&ring->write, memory_order_relaxed);
    if (write - ring->read_seen > ring->mask) {
        ring->read_seen = atomic_load_explicit(&ring->read, memory_order_acquire);
        if (write - ring->read_seen > ring->mask) {
            return NULL;
        }
    }
    return ring->slots + (write & ring->mask) * ring->stride;
}

void ring_push(ring_t *ring)
{
    const size_t write = atomic_load_explicit(&ring->write, memory_order_relaxed);
    atomic_store_explicit(&ring->write, write + 1, memory_order_release);
}

size_t ring_count(const ring_t *ring)
{
    /* read first: seen from the producer or a bystander the difference can then not go below zero. */
    const size_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    return atomic_load_explicit(&ring->write, memory_order_acquire) - read;
}

const void *ring_peek(const ring_t *ring, size_t k)
{
    const size_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    const size_t write = atomic_load_explicit(&ring->write, memory_order_acquire);
    if (k >= write - read) {
        return NULL;
    }
    return ring->slots + ((read + k) & ring->mask) * ring->stride;
}

void ring_pop(ring_t *ring)
{
    const size_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    atomic_store_explicit(&ring->read, read + 1, memory_order_release);
}
