/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/timeline.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct burst {
    tutti_tick at, end;
    tutti_tick from;       /* samples before it were cut off: at, unless it came late */
    tutti_tick first_lost; /* if n_lost > 0 */
    uint64_t tag, n_lost;
};

struct timeline {
    struct timeline_settings set;
    tutti_tick taken, settled;
    tutti_cf32 *own;
    struct burst *burst; /* [set.n_burst], in order of time */
    int n_burst;
    tutti_tick part, part_from, part_end; /* of the burst opened last: the next sample; what of it is kept */
    struct radio_note *note;              /* [set.n_note], note i in place i mod n_note */
    uint64_t n_noted, n_fetched, n_notes_lost;
};

int timeline_create(timeline_t **timeline, const struct timeline_settings *s)
{
    timeline_t *t = calloc(1, sizeof *t);
    *timeline = t;
    if (!t) {
        return error_set(TUTTI_ENOMEM, "no memory for a transmit timeline");
    }
    if (s->n_ant < 1 || s->chunk_samples < 1 || s->n_cell < 2 || s->n_burst < 1 || s->n_note < 1) {
        return error_set(TUTTI_EINVAL, "transmit timeline of %d antennas, %d chunks of %d samples, %d bursts, %d notes",
                         s->n_ant, s->n_cell, s->chunk_samples, s->n_burst, s->n_note);
    }
    t->set = *s;
    if (!s->samples) {
        const size_t n = (size_t)s->n_cell * (size_t)s->n_ant * (size_t)s->chunk_samples;
        t->own = calloc(n, sizeof *t->own);
        t->set.samples = t->own;
    }
    t->burst = calloc((size_t)s->n_burst, sizeof *t->burst);
    t->note = calloc((size_t)s->n_note, sizeof *t->note);
    return t->set.samples && t->burst && t->note ? TUTTI_OK
                                                 : error_set(TUTTI_ENOMEM, "no memory for a transmit timeline");
}

void timeline_destroy(timeline_t *t)
{
    if (t) {
        free(t->own);
        free(t->burst);
        free(t->note);
        free(t);
    }
}

void timeline_reset(timeline_t *t, tutti_tick now)
{
    t->n_burst = 0;
    t->part = t->part_from = t->part_end = now;
    t->taken = now;
    t->settled = now;
}

tutti_tick timeline_taken(const timeline_t *t)
{
    return t->taken;
}

tutti_tick timeline_settled(const timeline_t *t)
{
    return t->settled;
}

/* Samples ------------------------------------------------------------------------------------------------------- */

/* The samples of every antenna of the chunk that holds `tick`. */
static tutti_cf32 *cell_of(const timeline_t *t, tutti_tick tick)
{
    const tutti_tick cell = tick / (tutti_tick)t->set.chunk_samples % (tutti_tick)t->set.n_cell;
    return t->set.samples + (size_t)cell * (size_t)t->set.n_ant * (size_t)t->set.chunk_samples;
}

static tutti_tick later(tutti_tick a, tutti_tick b)
{
    return a > b ? a : b;
}

static tutti_tick earlier(tutti_tick a, tutti_tick b)
{
    return a < b ? a : b;
}

/* buffers[a][0] is the sample of tick `at`; copies those of [from, end). */
static void copy_in(timeline_t *t, const tutti_cf32 *const *buffers, tutti_tick at, tutti_tick from, tutti_tick end)
{
    const tutti_tick chunk = (tutti_tick)t->set.chunk_samples;
    while (from < end) {
        const tutti_tick offset = from % chunk, step = earlier(end - from, chunk - offset);
        tutti_cf32 *cell = cell_of(t, from);
        for (int a = 0; a < t->set.n_ant; a++) {
            tutti_cf32 *const place = cell + (size_t)a * chunk + offset;
            if (place != buffers[a] + (from - at)) { /* else it was made there */
                memcpy(place, buffers[a] + (from - at), step * sizeof *cell);
            }
        }
        from += step;
    }
}

static void silence(const timeline_t *t, tutti_cf32 *cell, tutti_tick from, tutti_tick to)
{
    for (int a = 0; from < to && a < t->set.n_ant; a++) {
        memset(cell + (size_t)a * (size_t)t->set.chunk_samples + from, 0, (to - from) * sizeof *cell);
    }
}

void timeline_take(timeline_t *t, struct timeline_piece *piece)
{
    const tutti_tick begin = t->taken, chunk = (tutti_tick)t->set.chunk_samples, end = begin + chunk;
    tutti_cf32 *cell = cell_of(t, begin);
    tutti_tick filled = begin; /* end of the burst before */
    *piece = (struct timeline_piece){0};
    for (int i = 0; i < t->n_burst && t->burst[i].at < end; i++) {
        const tutti_tick from = later(t->burst[i].from, begin), to = earlier(t->burst[i].end, end);
        if (from >= to) {
            continue;
        }
        if (piece->samples) {
            silence(t, cell, filled - begin, from - begin);
        } else {
            piece->from = (int)(from - begin);
        }
        piece->to = (int)(to - begin);
        piece->samples = cell;
        filled = to;
    }
    t->taken = end;
}

void timeline_fill(timeline_t *t, const struct timeline_piece *piece)
{
    const tutti_tick chunk = (tutti_tick)t->set.chunk_samples;
    if (piece->samples) {
        tutti_cf32 *cell = cell_of(t, t->taken - chunk);
        silence(t, cell, 0, (tutti_tick)piece->from);
        silence(t, cell, (tutti_tick)piece->to, chunk);
    }
}

/* Bursts -------------------------------------------------------------------------------------------------------- */

static void insert(timeline_t *t, int place, struct burst burst)
{
    memmove(t->burst + place + 1, t->burst + place, (size_t)(t->n_burst - place) * sizeof *t->burst);
    t->burst[place] = burst;
    t->n_burst++;
}

int timeline_burst_open(timeline_t *t, int n, tutti_tick at, uint64_t tag)
{
    const tutti_tick end = at + (tutti_tick)n;
    const tutti_tick room_end = t->settled + (tutti_tick)t->set.n_cell * (tutti_tick)t->set.chunk_samples;
    int place = t->n_burst;
    if (end < at || end > room_end || t->n_burst == t->set.n_burst) {
        return TUTTI_EAGAIN;
    }
    while (place > 0 && t->burst[place - 1].at >= end) {
        place--;
    }
    if (place > 0 && t->burst[place - 1].end > at) {
        return error_set(TUTTI_EINVAL, "a burst at tick %llu overlaps the one at tick %llu", (unsigned long long)at,
                         (unsigned long long)t->burst[place - 1].at);
    }
    const tutti_tick from = earlier(later(at, t->taken), end);
    t->part = at;
    t->part_from = from;
    t->part_end = end;
    if (from == end) {
        timeline_note_add(t, &(struct radio_note){RADIO_NOTE_LATE, tag, at, -1, (uint64_t)n});
        return TUTTI_OK;
    }
    insert(t, place,
           (struct burst){.at = at, .end = end, .from = from, .first_lost = at, .tag = tag, .n_lost = from - at});
    return TUTTI_OK;
}

void timeline_burst_part(timeline_t *t, const tutti_cf32 *const *buffers, int n)
{
    const tutti_tick end = earlier(t->part + (tutti_tick)n, t->part_end);
    copy_in(t, buffers, t->part, later(t->part, t->part_from), end);
    t->part = end;
}

bool timeline_burst_place(const timeline_t *t, int n, tutti_cf32 **buffers)
{
    const tutti_tick chunk = (tutti_tick)t->set.chunk_samples, offset = t->part % chunk, end = t->part + (tutti_tick)n;
    if (offset + (tutti_tick)n > chunk || t->part < t->part_from || end > t->part_end) {
        return false;
    }
    for (int a = 0; a < t->set.n_ant; a++) {
        buffers[a] = cell_of(t, t->part) + (size_t)a * chunk + offset;
    }
    return true;
}

int timeline_burst(timeline_t *t, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag)
{
    const int status = timeline_burst_open(t, n, at, tag);
    if (status >= 0) {
        timeline_burst_part(t, buffers, n);
    }
    return status;
}

static void lose(struct burst *b, tutti_tick from, tutti_tick to)
{
    from = later(from, b->from);
    to = earlier(to, b->end);
    if (from < to) {
        b->first_lost = b->n_lost > 0 ? b->first_lost : from;
        b->n_lost += to - from;
    }
}

static void note_burst(timeline_t *t, const struct burst *b)
{
    const enum radio_note_kind kind = b->n_lost == 0           ? RADIO_NOTE_SENT
                                      : b->first_lost == b->at ? RADIO_NOTE_LATE
                                                               : RADIO_NOTE_UNDERRUN;
    const tutti_tick tick = b->n_lost == 0 ? b->at : b->first_lost;
    timeline_note_add(t, &(struct radio_note){kind, b->tag, tick, -1, b->n_lost});
}

void timeline_settle(timeline_t *t, tutti_tick end, bool sent)
{
    int n_done = 0;
    for (int i = 0; i < t->n_burst && t->burst[i].at < end; i++) {
        if (!sent) {
            lose(&t->burst[i], t->settled, end);
        }
        if (t->burst[i].end <= end) {
            note_burst(t, &t->burst[i]);
            n_done++;
        }
    }
    memmove(t->burst, t->burst + n_done, (size_t)(t->n_burst - n_done) * sizeof *t->burst);
    t->n_burst -= n_done;
    t->settled = end;
    t->taken = later(t->taken, end);
}

/* Notes --------------------------------------------------------------------------------------------------------- */

void timeline_note_add(timeline_t *t, const struct radio_note *note)
{
    const uint64_t room = (uint64_t)t->set.n_note;
    t->note[t->n_noted++ % room] = *note;
    if (t->n_noted - t->n_fetched > room) {
        t->n_fetched++;
        t->n_notes_lost++;
    }
}

int timeline_note(timeline_t *t, struct radio_note *note)
{
    if (t->n_fetched == t->n_noted) {
        return 0;
    }
    *note = t->note[t->n_fetched++ % (uint64_t)t->set.n_note];
    return 1;
}

uint64_t timeline_notes_lost(const timeline_t *t)
{
    return t->n_notes_lost;
}
