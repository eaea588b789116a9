/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/stream/transmit.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POLL_US = 100000, MESSAGES = 1024, SETTLE_SAMPLES = 4096, LOOK_US = 500, IDLE_US = 20000, IDLE_LOOKS = 200 };
static const double SETTLE_S = 2;

static void tell(ring_t *ring, const struct ledger_event *event, atomic_uint *n_dropped)
{
    struct ledger_event *slot = ring_write_slot(ring);
    if (slot) {
        *slot = *event;
        ring_push(ring);
    } else if (n_dropped) {
        atomic_fetch_add(n_dropped, 1);
    }
}

/* Transmit thread ------------------------------------------------------------------------------------------------ */

static struct stream_burst *burst_at(struct stream_transmit *t, uint64_t i)
{
    return &t->burst[i % STREAM_MAX_BURSTS];
}

/* One timed burst; what was begun is ended. How many samples the device took. */
static size_t send_timed(struct stream_transmit *t, const struct stream_burst *b)
{
    const struct stream_device *d = t->device;
    const void *buffers[TUTTI_MAX_ANT];
    for (int a = 0; a < d->n_ant; a++) {
        buffers[a] = t->buffer + (size_t)a * (size_t)t->room + b->offset;
    }
    const size_t n_sent = d->ops->send(d->state, buffers, (size_t)b->n, b->at);
    if (n_sent < (size_t)b->n) {
        d->ops->end(d->state, buffers);
    }
    atomic_store(&t->talking, true);
    return n_sent;
}

static void drop(struct stream_transmit *t, struct stream_burst *b)
{
    atomic_store(&b->done, true);
    atomic_fetch_add(&t->handed, 1);
}

static void hand_over(struct stream_transmit *t, struct stream_burst *b)
{
    struct ledger_event event = {.kind = LEDGER_TOO_LATE, .antenna = -1, .timed = true, .tick = b->at};
    if (b->at < atomic_load(&t->receive->newest)) {
        tell(t->told, &event, NULL);
    } else {
        const size_t n_sent = send_timed(t, b);
        if (n_sent < (size_t)b->n) {
            event.kind = LEDGER_INCOMPLETE;
            event.tick = b->at + n_sent;
            tell(t->told, &event, NULL);
        }
    }
    drop(t, b);
}

/* Nobody queues bursts so far ahead that they have no room together: the device's time went back since. The ledger is
 * told where that is noticed first, with the samples (ledger_abandon). */
static bool is_of_another_time(const struct stream_transmit *t, const struct stream_burst *b, tutti_tick newest)
{
    return b->at > newest && b->at - newest > (tutti_tick)t->room;
}

static void take_queued(struct stream_transmit *t)
{
    for (const uint64_t queued = atomic_load(&t->queued); t->seen < queued; t->seen++) {
        int place = t->n_waiting++;
        for (; place > 0 && burst_at(t, t->waiting[place - 1])->at > burst_at(t, t->seen)->at; place--) {
            t->waiting[place] = t->waiting[place - 1];
        }
        t->waiting[place] = t->seen;
    }
}

/* Hands over what is due; returns the tick at which the next burst will be. */
static tutti_tick hand_over_due(struct stream_transmit *t)
{
    while (t->n_waiting > 0) {
        struct stream_burst *b = burst_at(t, t->waiting[0]);
        const tutti_tick newest = atomic_load(&t->receive->newest);
        const bool of_another_time = is_of_another_time(t, b, newest);
        if (b->at > newest + t->horizon && !of_another_time) {
            return b->at - t->horizon;
        }
        t->n_waiting--;
        memmove(t->waiting, t->waiting + 1, (size_t)t->n_waiting * sizeof *t->waiting);
        if (of_another_time) {
            drop(t, b);
        } else {
            hand_over(t, b);
        }
        take_queued(t);
    }
    return UINT64_MAX;
}

static void transmit_main(void *argument)
{
    struct stream_transmit *t = argument;
    while (!atomic_load(&t->thread.stop)) {
        take_queued(t);
        const tutti_tick due = hand_over_due(t);
        atomic_store(&t->receive->due, due);
        if (atomic_load(&t->asked_idle) && atomic_load(&t->handed) == atomic_load(&t->queued)) {
            atomic_store(&t->asked_idle, false);
            rt_event_signal(t->idle);
        }
        if (atomic_load(&t->receive->newest) < due && t->seen == atomic_load(&t->queued)) {
            rt_event_wait(t->there, POLL_US);
        }
    }
}

/* Message thread ------------------------------------------------------------------------------------------------- */

static bool take_message(struct stream_transmit *t)
{
    struct ledger_event event = {.kind = LEDGER_N_KINDS, .antenna = -1};
    if (!t->device->ops->message(t->device->state, &event)) {
        return false;
    }
    event.tick = event.timed ? event.tick : atomic_load(&t->receive->newest);
    if (event.kind != LEDGER_N_KINDS && event.antenna < t->device->n_ant) {
        tell(t->heard, &event, &t->n_heard_dropped);
        if (t->device->elastic) {
            rt_event_signal(t->message);
        }
    }
    return true;
}

/* Looks often while there are bursts to be told of. */
static void messages_main(void *argument)
{
    struct stream_transmit *t = argument;
    int n_nothing = 0;
    while (!atomic_load(&t->messages.stop)) {
        if (take_message(t) || atomic_exchange(&t->talking, false)) {
            n_nothing = 0;
        } else {
            n_nothing += n_nothing < IDLE_LOOKS;
            usleep(n_nothing < IDLE_LOOKS ? LOOK_US : IDLE_US);
        }
    }
}

/* Slot thread ---------------------------------------------------------------------------------------------------- */

/* Samples are held in the order of queueing, each burst in one piece. Where n of them fit, or -1. */
static int find_room(struct stream_transmit *t, int n)
{
    const uint64_t queued = atomic_load(&t->queued);
    while (t->oldest < queued && atomic_load(&burst_at(t, t->oldest)->done)) {
        t->oldest++;
    }
    if (t->oldest == queued) {
        return n <= t->room ? 0 : -1;
    }
    if (queued - t->oldest == STREAM_MAX_BURSTS) {
        return -1;
    }
    const struct stream_burst *first = burst_at(t, t->oldest), *last = burst_at(t, queued - 1);
    const int end = last->offset + last->n;
    if (last->offset < first->offset) {
        return end + n <= first->offset ? end : -1;
    }
    return end + n <= t->room ? end : n <= first->offset ? 0 : -1;
}

int stream_transmit_burst(struct stream_transmit *t, const tutti_cf32 *const *buffers, int n, tutti_tick at)
{
    const int offset = find_room(t, n);
    if (offset < 0) {
        return TUTTI_EAGAIN;
    }
    for (int a = 0; a < t->device->n_ant; a++) {
        memcpy(t->buffer + (size_t)a * (size_t)t->room + offset, buffers[a], (size_t)n * sizeof **buffers);
    }
    struct stream_burst *b = burst_at(t, atomic_load(&t->queued));
    b->at = at;
    b->n = n;
    b->offset = offset;
    atomic_store(&b->done, false);
    atomic_fetch_add(&t->queued, 1);
    rt_event_signal(t->there);
    return TUTTI_OK;
}

void stream_transmit_flush(struct stream_transmit *t)
{
    while (atomic_load(&t->handed) != atomic_load(&t->queued) && t->thread.running && !rt_stop_requested() &&
           !atomic_load(&t->receive->failed)) {
        atomic_store(&t->asked_idle, true);
        rt_event_signal(t->there);
        rt_event_wait(t->idle, POLL_US);
    }
}

static void hear_ring(ring_t *ring, ledger_t *ledger)
{
    for (const struct ledger_event *event; (event = ring_peek(ring, 0)) != NULL; ring_pop(ring)) {
        ledger_hear(ledger, event);
    }
}

void stream_transmit_hear(struct stream_transmit *t, ledger_t *ledger)
{
    hear_ring(t->told, ledger);
    hear_ring(t->heard, ledger);
}

void stream_transmit_settle(struct stream_transmit *t, ledger_t *ledger)
{
    const tutti_tick newest = atomic_load(&t->receive->newest);
    const uint64_t until_ns = clock_mono_ns() + (uint64_t)(SETTLE_S * 1e9);
    stream_transmit_hear(t, ledger);
    while (newest > SETTLE_SAMPLES && ledger_waits(ledger, newest - SETTLE_SAMPLES) && !rt_stop_requested() &&
           !atomic_load(&t->receive->failed) && clock_mono_ns() < until_ns) {
        rt_event_wait(t->message, POLL_US);
        stream_transmit_hear(t, ledger);
    }
    if (clock_mono_ns() >= until_ns) { /* nothing more will come */
        ledger_give_up(ledger, newest - SETTLE_SAMPLES);
    }
}

/* Life ----------------------------------------------------------------------------------------------------------- */

int stream_transmit_create(struct stream_transmit *t, const struct stream_device *device,
                           struct stream_receive *receive, int room, tutti_tick horizon, int priority)
{
    *t = (struct stream_transmit){
        .device = device, .receive = receive, .room = room, .horizon = horizon, .there = -1, .idle = -1, .message = -1};
    t->thread =
        (struct stream_thread){.name = "radio-transmit", .priority = priority, .body = transmit_main, .argument = t};
    t->messages = (struct stream_thread){.name = "radio-messages", .body = messages_main, .argument = t};
    t->there = rt_event_create();
    t->idle = rt_event_create();
    t->message = rt_event_create();
    t->buffer = calloc((size_t)device->n_ant * (size_t)room, sizeof *t->buffer);
    if (t->there < 0 || t->idle < 0 || t->message < 0 || !t->buffer) {
        return error_set(TUTTI_ENOMEM, "no memory for samples to send");
    }
    int status = ring_create(&t->told, STREAM_MAX_BURSTS, sizeof(struct ledger_event));
    status = status ? status : ring_create(&t->heard, MESSAGES, sizeof(struct ledger_event));
    receive->progress = t->there;
    return status;
}

int stream_transmit_start(struct stream_transmit *t)
{
    const int status = stream_thread_start(&t->thread);
    return status ? status : stream_thread_start(&t->messages);
}

void stream_transmit_stop(struct stream_transmit *t)
{
    stream_thread_end(&t->thread, t->there);
    stream_thread_end(&t->messages, -1);
}

static void close_event(int *event)
{
    if (*event >= 0) {
        close(*event);
    }
    *event = -1;
}

void stream_transmit_destroy(struct stream_transmit *t)
{
    if (!t->device) {
        return;
    }
    stream_transmit_stop(t);
    t->receive->progress = -1;
    ring_destroy(t->told);
    ring_destroy(t->heard);
    free(t->buffer);
    close_event(&t->there);
    close_event(&t->idle);
    close_event(&t->message);
    *t = (struct stream_transmit){0};
}
