/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a radio and the medium meet: two rings of chunks, transmit and receive, and the words that say how far each is.
 * On one host this lies in memory that both have mapped (a sealed memfd that the medium makes and passes with the
 * welcome message); over tcp each end has its own and messages carry the difference.
 *
 * All ticks are those of chunks' first samples; chunk c of a ring is in cell c mod n_cell. Neither end trusts the
 * other: sizes and indices are each end's own, words and samples from the other are only numbers. Descriptors: [0] the
 * share, [1] the board that all radios of a medium have in common. */
#ifndef TUTTI_HW_AIR_SHARE_H
#define TUTTI_HW_AIR_SHARE_H

#include "base/types.h"

#include <stdalign.h>
#include <stdatomic.h>

#define AIR_NEVER UINT64_MAX
enum { AIR_MIN_CELL = 4, AIR_MAX_CELL = 256 };

/* Whoever writes a word is alone on its cache line; `needed` is written by both. */
struct air_words {
    alignas(64) _Atomic uint64_t handed;   /* radio: TX chunks before this are handed in */
    _Atomic uint64_t fetched;              /* radio: RX chunks before this may be overwritten */
    alignas(64) _Atomic uint64_t wake;     /* radio: ring my bell when `received` has come here; AIR_NEVER = awake. The
                                            * medium takes it back when it does */
    alignas(64) _Atomic uint64_t needed;   /* medium: asleep until `handed` is beyond this; AIR_NEVER = no. Who takes it
                                            * back counts the board down */
    alignas(64) _Atomic uint64_t received; /* medium: RX chunks before this are there, or lost */
};

/* tick + 1 means the cell's chunk at that tick; anything else an older one. */
struct air_cell {
    _Atomic uint64_t filled;  /* radio: there is signal in the TX chunk; else it is silent */
    _Atomic uint64_t extent;  /* radio: the signal lies in [low half, high half) of the TX chunk */
    _Atomic uint64_t wanted;  /* radio: it will only look at [low half, high half) of the RX chunk of this tick */
    _Atomic uint64_t taken;   /* medium: the TX chunk came in time */
    _Atomic uint64_t there;   /* medium: the RX chunk is there */
    _Atomic uint64_t host_ns; /* medium: clock_mono_ns at which the RX chunk arrives */
};

static inline uint64_t air_share_extent(int from, int to)
{
    return (uint64_t)(uint32_t)to << 32 | (uint32_t)from;
}

/* What the other end says, as far as it does no harm: 0 <= from <= to <= chunk. */
static inline void air_share_read_extent(uint64_t extent, int chunk, int *from, int *to)
{
    const uint64_t end = extent >> 32 < (uint64_t)chunk ? extent >> 32 : (uint64_t)chunk;
    *to = (int)end;
    *from = (int)((extent & UINT32_MAX) < end ? extent & UINT32_MAX : end);
}

struct air_board {
    alignas(64) _Atomic int32_t missing; /* radios whose `needed` is not taken back yet; who brings it to 0 rings */
};

struct air_share {
    int n_ant, chunk, n_cell; /* n_cell: a power of two */
    struct air_words *words;
    struct air_cell *cell; /* [n_cell] */
    tutti_cf32 *tx, *rx;   /* [n_cell][n_ant][chunk] */
    void *map;
    size_t n_bytes;
};

/* Makes a share with all words at rest. fd NULL: private memory; else shared, and *fd is for passing on. Errors:
 * TUTTI_ENOMEM, TUTTI_EIO. */
int air_share_create(struct air_share *share, int n_ant, int chunk, int n_cell, int *fd);
/* The radio's side: maps what was passed, of the shape that the welcome told. TUTTI_EFORMAT if it is not that. */
int air_share_attach(struct air_share *share, int n_ant, int chunk, int n_cell, int fd);
void air_share_release(struct air_share *share); /* zeroed or released before: nothing happens */
/* Cells for a radio that wants to queue so many samples ahead, within bounds of count and memory. */
int air_share_cells(uint64_t n_tx_buffer_samples, int n_ant, int chunk);

int air_board_create(struct air_board **board, int *fd);
int air_board_attach(struct air_board **board, int fd);
void air_board_release(struct air_board *board); /* NULL allowed */

static inline int air_share_index(const struct air_share *share, tutti_tick tick)
{
    return (int)(tick / (tutti_tick)share->chunk & (tutti_tick)(share->n_cell - 1));
}

static inline struct air_cell *air_share_cell(const struct air_share *share, tutti_tick tick)
{
    return &share->cell[air_share_index(share, tick)];
}

static inline size_t air_share_chunk_values(const struct air_share *share)
{
    return (size_t)share->n_ant * (size_t)share->chunk;
}

static inline tutti_cf32 *air_share_tx(const struct air_share *share, tutti_tick tick)
{
    return share->tx + (size_t)air_share_index(share, tick) * air_share_chunk_values(share);
}

static inline tutti_cf32 *air_share_rx(const struct air_share *share, tutti_tick tick)
{
    return share->rx + (size_t)air_share_index(share, tick) * air_share_chunk_values(share);
}

#endif
