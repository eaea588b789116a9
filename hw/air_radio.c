/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio on the emulated air: the transmit timeline and the receive cursor over the rings of its port. A call of
 * radio_recv hands in everything up to the last sample asked for and sleeps at most once. */
#include "base/clock.h"
#include "base/error.h"
#include "hw/air_port.h"
#include "hw/radio_ops.h"
#include "hw/timeline.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_POLL_MS = 100, MAX_BURSTS = 64, MAX_NOTES = 256, MAX_UNWANTED = 64 };
/* From queueing a burst to the medium seeing it: a copy and a wake-up, or a message. */
#define LEAD_SHARED_US 100.0
#define LEAD_MESSAGES_US 500.0

struct range {
    tutti_tick from, to;
};

struct air_radio {
    air_port_t *port;
    struct air_share share; /* the port's */
    timeline_t *timeline;
    double ns_per_sample;
    tutti_tick next;    /* to be delivered */
    uint64_t n_lost;    /* samples missing right before `next`, not yet told */
    uint64_t n_wakeups; /* of a port that is closed */
    int n_unwanted;
    struct range unwanted[MAX_UNWANTED]; /* in order of time */
    struct range *wanted;                /* [n_cell] of the RX chunk in the cell */
};

/* Open ---------------------------------------------------------------------------------------------------------- */

static int parse_role(const char *text, enum air_role *role)
{
    static const char *const names[AIR_N_ROLE] = {"ap", "ue", "eve"};
    for (int i = 0; text && i < AIR_N_ROLE; i++) {
        if (strcmp(text, names[i]) == 0) {
            *role = (enum air_role)i;
            return TUTTI_OK;
        }
    }
    return error_set(TUTTI_ECONFIG, "radio role '%s': ap, ue or eve expected", text ? text : "");
}

static void air_stop(void *state)
{
    struct air_radio *r = state;
    r->n_wakeups += r->port ? air_port_wakeups(r->port) : 0;
    air_port_close(r->port); /* the medium sees that at once */
    r->port = NULL;
}

static void air_close(void *state)
{
    struct air_radio *r = state;
    if (r) {
        air_stop(r);
        timeline_destroy(r->timeline);
        free(r->wanted);
        free(r);
    }
}

static int make_buffers(struct air_radio *r)
{
    const struct timeline_settings settings = {.n_ant = r->share.n_ant,
                                               .chunk_samples = r->share.chunk,
                                               .n_cell = r->share.n_cell,
                                               .n_burst = MAX_BURSTS,
                                               .n_note = MAX_NOTES,
                                               .samples = r->share.tx};
    r->wanted = calloc((size_t)r->share.n_cell, sizeof *r->wanted);
    return r->wanted ? timeline_create(&r->timeline, &settings) : error_set(TUTTI_ENOMEM, "no memory for a radio");
}

static int air_open(void **state, const struct radio_settings *s, struct radio_info *info)
{
    struct air_radio *r = calloc(1, sizeof *r);
    *state = r;
    if (!r) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio");
    }
    struct air_port_settings port = {.endpoint = s->args ? s->args : "",
                                     .id = s->id,
                                     .n_ant = s->n_ant,
                                     .chunk = s->chunk_samples,
                                     .hello = {s->rate_hz, (uint64_t)s->n_tx_buffer_samples},
                                     .poll_ms = s->stop_poll_ms >= 1 ? (int)s->stop_poll_ms : DEFAULT_POLL_MS};
    int status = parse_role(s->role, &port.role);
    status = status ? status : air_port_open(&r->port, &port);
    if (status) {
        return status;
    }
    r->share = *air_port_share(r->port);
    r->ns_per_sample = 1e9 / s->rate_hz;
    *info = (struct radio_info){.rate_hz = s->rate_hz,
                                .tick_multiple = 1,
                                .n_ant = s->n_ant,
                                .paced = air_port_paced(r->port),
                                .repeatable = !air_port_paced(r->port),
                                .turnaround_samples = r->share.chunk,
                                .lead_us = !air_port_paced(r->port)   ? 0
                                           : air_port_shared(r->port) ? LEAD_SHARED_US
                                                                      : LEAD_MESSAGES_US};
    return make_buffers(r);
}

/* All radios of a medium have its clock. */
static int air_sync(void *state, struct radio_sync *sync)
{
    (void)state;
    *sync = (struct radio_sync){.clock_source = "air", .time_source = "air", .has_lock = true, .locked = true};
    return TUTTI_OK;
}

static int air_start(void *state, tutti_tick at, tutti_tick *first)
{
    struct air_radio *r = state;
    const tutti_tick chunk = (tutti_tick)r->share.chunk;
    tutti_tick now = 0;
    const int status = r->port ? air_port_start(r->port, &now) : error_set(TUTTI_EDEVICE, "the radio was stopped");
    if (status) {
        return status;
    }
    const tutti_tick wished = at / chunk * chunk + (at % chunk ? chunk : 0);
    timeline_reset(r->timeline, now);
    atomic_store(&r->share.words->fetched, now);
    r->n_unwanted = 0;
    for (int i = 0; i < r->share.n_cell; i++) {
        r->wanted[i] = (struct range){UINT64_MAX, UINT64_MAX}; /* of no chunk yet, also not of the first */
    }
    r->next = wished > now ? wished : now;
    *first = r->next;
    return TUTTI_OK;
}

/* Transmit ------------------------------------------------------------------------------------------------------ */

/* What the medium has passed was sent if it says so. */
static int settle(struct air_radio *r)
{
    const tutti_tick chunk = (tutti_tick)r->share.chunk, received = atomic_load(&r->share.words->received);
    tutti_tick from = timeline_settled(r->timeline);
    if (received < from || received % chunk != 0) {
        return error_set(TUTTI_EDEVICE, "the emulated air's clock is wrong");
    }
    for (int i = 0; i < r->share.n_cell && from < received; i++, from += chunk) {
        const bool taken = atomic_load(&air_share_cell(&r->share, from)->taken) == from + 1;
        timeline_settle(r->timeline, from + chunk, taken);
    }
    if (from < received) {
        timeline_settle(r->timeline, received, false);
    }
    return TUTTI_OK;
}

/* The part of a chunk that will be looked at, as one run; ranges that are over are forgotten. */
static struct range wanted_of(struct air_radio *r, tutti_tick tick)
{
    struct range w = {tick, tick + (tutti_tick)r->share.chunk};
    int n_over = 0;
    for (int i = 0; i < r->n_unwanted; i++) {
        const struct range *u = &r->unwanted[i];
        w.from = u->from <= w.from && u->to > w.from ? u->to : w.from;
        n_over += u->to <= tick;
    }
    for (int i = r->n_unwanted - 1; i >= 0 && w.from < w.to; i--) {
        const struct range *u = &r->unwanted[i];
        w.to = u->to >= w.to && u->from < w.to ? u->from : w.to;
    }
    memmove(r->unwanted, r->unwanted + n_over, (size_t)(r->n_unwanted - n_over) * sizeof *r->unwanted);
    r->n_unwanted -= n_over;
    return w.from < w.to ? w : (struct range){tick, tick};
}

static void air_unwanted(void *state, tutti_tick from, tutti_tick to)
{
    struct air_radio *r = state;
    struct range *last = r->n_unwanted ? &r->unwanted[r->n_unwanted - 1] : NULL;
    if (last && from <= last->to) {
        last->to = from >= last->from && to > last->to ? to : last->to;
    } else if (r->n_unwanted < MAX_UNWANTED) {
        r->unwanted[r->n_unwanted++] = (struct range){from, to};
    }
}

static int hand_in(struct air_radio *r, tutti_tick to)
{
    const tutti_tick from = timeline_taken(r->timeline);
    for (tutti_tick t = from; t < to; t = timeline_taken(r->timeline)) {
        struct timeline_piece piece;
        struct air_cell *cell = air_share_cell(&r->share, t);
        timeline_take(r->timeline, &piece);
        if (!air_port_shared(r->port)) {
            timeline_fill(r->timeline, &piece);
        }
        const struct range wanted = wanted_of(r, t);
        r->wanted[air_share_index(&r->share, t)] = wanted;
        atomic_store_explicit(&cell->wanted, air_share_extent((int)(wanted.from - t), (int)(wanted.to - t)),
                              memory_order_relaxed);
        atomic_store_explicit(&cell->extent, air_share_extent(piece.from, piece.to), memory_order_relaxed);
        atomic_store_explicit(&cell->filled, piece.samples ? t + 1 : 0, memory_order_relaxed);
    }
    return from < to ? air_port_hand_in(r->port, from, to) : TUTTI_OK;
}

static int air_burst(void *state, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag)
{
    struct air_radio *r = state;
    return r->port ? timeline_burst(r->timeline, buffers, n, at, tag)
                   : error_set(TUTTI_EDEVICE, "the radio was stopped");
}

static int air_burst_open(void *state, int n, tutti_tick at, uint64_t tag)
{
    struct air_radio *r = state;
    return r->port ? timeline_burst_open(r->timeline, n, at, tag) : error_set(TUTTI_EDEVICE, "the radio was stopped");
}

static void air_burst_part(void *state, const tutti_cf32 *const *buffers, int n)
{
    struct air_radio *r = state;
    if (r->port) {
        timeline_burst_part(r->timeline, buffers, n);
    }
}

static bool air_burst_place(void *state, int n, tutti_cf32 **buffers)
{
    struct air_radio *r = state;
    return r->port && timeline_burst_place(r->timeline, n, buffers);
}

static int air_note(void *state, struct radio_note *note)
{
    struct air_radio *r = state;
    return timeline_note(r->timeline, note);
}

static uint64_t air_notes_lost(const void *state)
{
    const struct air_radio *r = state;
    return timeline_notes_lost(r->timeline);
}

static uint64_t air_wakeups(const void *state)
{
    const struct air_radio *r = state;
    return r->n_wakeups + (r->port ? air_port_wakeups(r->port) : 0);
}

/* Receive ------------------------------------------------------------------------------------------------------- */

static tutti_tick chunk_start(const struct air_radio *r, tutti_tick tick)
{
    return tick - tick % (tutti_tick)r->share.chunk;
}

/* Until the chunk that holds the next sample is there or lost, and if the ring holds that much, all up to `end`. */
static int obtain(struct air_radio *r, tutti_tick end)
{
    const tutti_tick chunk = (tutti_tick)r->share.chunk, room = (tutti_tick)r->share.n_cell * chunk;
    const tutti_tick all = chunk_start(r, end + chunk - 1);
    int status = TUTTI_OK;
    while (!status && timeline_settled(r->timeline) <= r->next) {
        const tutti_tick fetched = timeline_settled(r->timeline); /* all that is there was delivered */
        const tutti_tick to = all < fetched + room ? all : fetched + room;
        atomic_store(&r->share.words->fetched, fetched);
        status = hand_in(r, to);
        status = status ? status : air_port_wait(r->port, to);
        status = status ? status : settle(r);
    }
    return status;
}

/* The chunk of the next sample is lost. */
static void lose(struct air_radio *r)
{
    const tutti_tick step = (tutti_tick)r->share.chunk - r->next % (tutti_tick)r->share.chunk;
    r->n_lost += step;
    r->next += step;
}

static void tell_lost(struct air_radio *r, struct radio_got *got)
{
    got->n_lost = r->n_lost;
    if (r->n_lost > 0) {
        timeline_note_add(r->timeline,
                          &(struct radio_note){RADIO_NOTE_OVERFLOW, 0, r->next - r->n_lost, -1, r->n_lost});
        r->n_lost = 0;
    }
}

/* The part of a received chunk that is wanted; all of one that was not handed in. */
static struct range wanted_in(const struct air_radio *r, tutti_tick start)
{
    const struct range w = r->wanted[air_share_index(&r->share, start)];
    const tutti_tick end = start + (tutti_tick)r->share.chunk;
    return w.from >= start && w.from < end ? w : (struct range){start, end};
}

/* Samples of the next one's chunk, at most n; places of unwanted ones stay as they are. */
static void deliver(struct air_radio *r, tutti_cf32 *const *buffers, int n, struct radio_got *got)
{
    const struct air_cell *cell = air_share_cell(&r->share, r->next);
    const int offset = (int)(r->next % (tutti_tick)r->share.chunk);
    const int left = r->share.chunk - offset, step = n < left ? n : left;
    const tutti_cf32 *rx = air_share_rx(&r->share, r->next);
    const struct range w = wanted_in(r, chunk_start(r, r->next));
    const int from = w.from > r->next ? (int)(w.from - r->next) : 0;
    const int to = w.to <= r->next ? 0 : w.to - r->next < (tutti_tick)step ? (int)(w.to - r->next) : step;
    for (int a = 0; from < to && a < r->share.n_ant; a++) {
        memcpy(buffers[a] + got->n + from, rx + (size_t)a * (size_t)r->share.chunk + offset + from,
               (size_t)(to - from) * sizeof *rx);
    }
    got->n += step;
    got->host_ns = atomic_load(&cell->host_ns) - (uint64_t)(r->ns_per_sample * (left - step));
    r->next += (tutti_tick)step;
}

static int air_recv(void *state, tutti_cf32 *const *buffers, int n, struct radio_got *got)
{
    struct air_radio *r = state;
    int status = r->port ? settle(r) : error_set(TUTTI_EDEVICE, "the radio was stopped");
    *got = (struct radio_got){0};
    while (!status && got->n < n) {
        status = obtain(r, r->next + (tutti_tick)(n - got->n));
        if (status) {
            break;
        }
        if (atomic_load(&air_share_cell(&r->share, r->next)->there) != chunk_start(r, r->next) + 1) {
            lose(r);
        } else if (r->n_lost > 0 && got->n > 0) {
            break; /* the gap is told with the samples after it */
        } else {
            if (got->n == 0) {
                got->tick = r->next;
                tell_lost(r, got);
            }
            deliver(r, buffers, n - got->n, got);
        }
    }
    return status;
}

const struct radio_ops air_radio_ops = {.name = "air",
                                        .open = air_open,
                                        .sync = air_sync,
                                        .start = air_start,
                                        .recv = air_recv,
                                        .unwanted = air_unwanted,
                                        .burst = air_burst,
                                        .burst_open = air_burst_open,
                                        .burst_part = air_burst_part,
                                        .burst_place = air_burst_place,
                                        .note = air_note,
                                        .notes_lost = air_notes_lost,
                                        .wakeups = air_wakeups,
                                        .stop = air_stop,
                                        .close = air_close};
