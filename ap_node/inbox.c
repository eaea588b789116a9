/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every slot has a word: its state in the low bits, a count of its changes above, so that a taker's compare-and-swap
 * fails if the slot was emptied and filled again in between. */
#include "ap_node/inbox.h"

#include "base/error.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { FREE, FILLING, READY, TAKEN, STATE_BITS = 2, STATE_MASK = 3 };

struct slot {
    _Atomic uint64_t word;
    _Atomic uint64_t block; /* of a READY one, for who looks from outside */
    struct ap_precoder precoder;
};

struct inbox {
    struct slot slot[INBOX_SLOTS];
    struct slot *filling; /* link thread */
    struct slot *held;    /* slot thread */
    _Atomic uint64_t dropped;
    void *memory;
};

static int state_of(uint64_t word)
{
    return (int)(word & STATE_MASK);
}

/* From the word that was seen to a new state; false if somebody was faster. */
static bool change(struct slot *slot, uint64_t seen, int state)
{
    const uint64_t fresh = ((seen >> STATE_BITS) + 1) << STATE_BITS | (uint64_t)state;
    return atomic_compare_exchange_strong_explicit(&slot->word, &seen, fresh, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/* By the slot's owner. */
static void set(struct slot *slot, int state)
{
    change(slot, atomic_load_explicit(&slot->word, memory_order_relaxed), state);
}

int inbox_create(inbox_t **inbox, int n_stream, size_t n_coefficients)
{
    inbox_t *box = calloc(1, sizeof *box);
    *inbox = box;
    if (!box) {
        return error_set(TUTTI_ENOMEM, "out of memory for received precoders");
    }
    const size_t streams = (size_t)n_stream * sizeof(struct wire_stream);
    const size_t one = (n_coefficients * sizeof(tutti_cf32) + streams + 63) / 64 * 64;
    box->memory = calloc(INBOX_SLOTS, one);
    if (!box->memory) {
        return error_set(TUTTI_ENOMEM, "out of memory for received precoders");
    }
    for (size_t i = 0; i < INBOX_SLOTS; i++) {
        char *at = (char *)box->memory + i * one;
        box->slot[i].precoder.V = (tutti_cf32 *)(void *)at;
        box->slot[i].precoder.meta.stream = (struct wire_stream *)(void *)(at + n_coefficients * sizeof(tutti_cf32));
    }
    return TUTTI_OK;
}

void inbox_destroy(inbox_t *inbox)
{
    if (inbox) {
        free(inbox->memory);
        free(inbox);
    }
}

uint64_t inbox_dropped(const inbox_t *inbox)
{
    return atomic_load_explicit(&inbox->dropped, memory_order_relaxed);
}

static struct slot *find_free(inbox_t *box)
{
    for (int i = 0; i < INBOX_SLOTS; i++) {
        const uint64_t word = atomic_load_explicit(&box->slot[i].word, memory_order_acquire);
        if (state_of(word) == FREE && change(&box->slot[i], word, FILLING)) {
            return &box->slot[i];
        }
    }
    return NULL;
}

/* The READY one of the lowest block; NULL if it was taken meanwhile. */
static struct slot *overwrite_oldest(inbox_t *box)
{
    struct slot *oldest = NULL;
    uint64_t oldest_word = 0, oldest_block = UINT64_MAX;
    for (int i = 0; i < INBOX_SLOTS; i++) {
        const uint64_t word = atomic_load_explicit(&box->slot[i].word, memory_order_acquire);
        const uint64_t block = atomic_load_explicit(&box->slot[i].block, memory_order_relaxed);
        if (state_of(word) == READY && block <= oldest_block) {
            oldest = &box->slot[i];
            oldest_word = word;
            oldest_block = block;
        }
    }
    if (!oldest || !change(oldest, oldest_word, FILLING)) {
        return NULL;
    }
    atomic_fetch_add_explicit(&box->dropped, 1, memory_order_relaxed);
    return oldest;
}

struct ap_precoder *inbox_slot(inbox_t *inbox)
{
    while (!inbox->filling) { /* ends: the taker owns two at most, and every turn lost is one that it has taken */
        inbox->filling = find_free(inbox);
        if (!inbox->filling) {
            inbox->filling = overwrite_oldest(inbox);
        }
    }
    return &inbox->filling->precoder;
}

void inbox_push(inbox_t *inbox)
{
    struct slot *slot = inbox->filling;
    atomic_store_explicit(&slot->block, slot->precoder.header.block, memory_order_relaxed);
    inbox->filling = NULL;
    set(slot, READY);
}

/* By block; sessions of the central node may count blocks anew, so between two of them the one that came last. */
static bool is_newer(const struct ap_precoder *p, const struct ap_precoder *held)
{
    return p->header.session == held->header.session ? p->header.block > held->header.block
                                                     : p->received_mono_ns > held->received_mono_ns;
}

/* A slot that is TAKEN: keep the newer of it and the held one. */
static void keep_newer(inbox_t *box, struct slot *slot)
{
    if (box->held && !is_newer(&slot->precoder, &box->held->precoder)) {
        set(slot, FREE);
        return;
    }
    if (box->held) {
        set(box->held, FREE);
    }
    box->held = slot;
}

const struct ap_precoder *inbox_take(inbox_t *inbox, uint64_t block, struct inbox_late *late, int *n_late)
{
    *n_late = 0;
    for (int i = 0; i < INBOX_SLOTS; i++) {
        struct slot *slot = &inbox->slot[i];
        const uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
        if (state_of(word) != READY || !change(slot, word, TAKEN)) {
            continue;
        }
        const struct ap_precoder *p = &slot->precoder;
        if (p->header.valid_from_block > block) {
            set(slot, READY);
            continue;
        }
        if (p->header.valid_from_block < block) {
            late[(*n_late)++] = (struct inbox_late){p->header.valid_from_block, p->received_ns};
        }
        keep_newer(inbox, slot);
    }
    return inbox->held ? &inbox->held->precoder : NULL;
}
