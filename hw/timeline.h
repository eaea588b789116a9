/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a radio is to transmit: timed bursts in a ring of chunks, silence between them, what comes too late cut off, and
 * one note per burst about what became of it. Knows no device and no clock; for backends that hand over samples chunk
 * by chunk. One thread. No allocation after create.
 *
 * Time has two marks, both multiples of the chunk: before `taken` nothing can be changed any more, before `settled` it
 * is known what was sent. The ring holds what lies between `settled` and `settled + n_cell * chunk`. */
#ifndef TUTTI_HW_TIMELINE_H
#define TUTTI_HW_TIMELINE_H

#include "hw/radio.h"

typedef struct timeline timeline_t;

struct timeline_settings {
    int n_ant, chunk_samples;
    int n_cell;          /* chunks in the ring, >= 2 */
    int n_burst;         /* most bursts in the ring at once */
    int n_note;          /* notes kept until fetched */
    tutti_cf32 *samples; /* the ring [n_cell][n_ant][chunk], chunk c in cell c mod n_cell; NULL = the timeline's own */
};

/* One chunk to transmit. */
struct timeline_piece {
    const tutti_cf32 *samples; /* [n_ant][chunk], valid until the chunk is settled; NULL = all silent */
    int from, to;              /* all bursts lie in [from, to) of the chunk, with zeros between them; what is outside
                                * counts as zero, whatever is there, until timeline_fill */
};

/* Errors: TUTTI_EINVAL (impossible sizes), TUTTI_ENOMEM. *timeline is set even then, to be destroyed. */
int timeline_create(timeline_t **timeline, const struct timeline_settings *settings);
void timeline_destroy(timeline_t *timeline); /* NULL allowed */
/* Empties the ring and moves both marks to `now`, a multiple of the chunk. Notes stay. */
void timeline_reset(timeline_t *timeline, tutti_tick now);

/* As radio_burst. Copies; the part before `taken` is cut off and later noted. */
int timeline_burst(timeline_t *timeline, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag);
/* As radio_burst_open and radio_burst_part; nothing may be taken before all parts are there. */
int timeline_burst_open(timeline_t *timeline, int n, tutti_tick at, uint64_t tag);
void timeline_burst_part(timeline_t *timeline, const tutti_cf32 *const *buffers, int n);
/* As radio_burst_place: in the ring, where the part lies in one chunk and none of it comes too late. */
bool timeline_burst_place(const timeline_t *timeline, int n, tutti_cf32 **buffers);
/* The chunk at `taken`, which moves on by one. Not to be called when taken = settled + n_cell * chunk. */
void timeline_take(timeline_t *timeline, struct timeline_piece *piece);
/* For devices that want whole chunks: makes zeros of what is outside [from, to) of the piece taken last. */
void timeline_fill(timeline_t *timeline, const struct timeline_piece *piece);
/* Everything from `settled` to `end`, a multiple of the chunk, was sent or was not; moves `settled`, and `taken` if it
 * is behind. Makes the notes of bursts that end there. */
void timeline_settle(timeline_t *timeline, tutti_tick end, bool sent);
tutti_tick timeline_taken(const timeline_t *timeline);
tutti_tick timeline_settled(const timeline_t *timeline);

/* The notes' ring: the oldest are overwritten and counted. */
void timeline_note_add(timeline_t *timeline, const struct radio_note *note);
int timeline_note(timeline_t *timeline, struct radio_note *note); /* as radio_note */
uint64_t timeline_notes_lost(const timeline_t *timeline);

#endif
