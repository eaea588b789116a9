/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/uhd/transmit.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POLL_US = 100000, MESSAGES = 1024, SETTLE_SAMPLES = 4096, LOOK_US = 500, IDLE_US = 20000, IDLE_LOOKS = 200 };
static const double SEND_TIMEOUT_S = 1, END_TIMEOUT_S = 0.1, SETTLE_S = 2;

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

static struct uhd_burst *burst_at(struct uhd_transmit *t, uint64_t i)
{
    return &t->burst[i % UHD_MAX_BURSTS];
}

static void send_locked(struct uhd_transmit *t, const void **buffers, size_t n, uhd_tx_metadata_handle *metadata,
                        double timeout_s, size_t *n_sent)
{
    pthread_mutex_lock(&t->handle);
    t->device->api->tx_streamer_send(t->streamer, buffers, n, metadata, timeout_s, n_sent);
    pthread_mutex_unlock(&t->handle);
    atomic_store(&t->talking, true);
}

/* One timed burst. libuhd's metadata has no setters, so each is a heap allocation: not for the slot thread. */
static size_t send_timed(struct uhd_transmit *t, const struct uhd_burst *b)
{
    const struct uhd_api *api = t->device->api;
    const struct uhd_time time = uhd_time_of(b->at, t->device->rate_hz);
    const void *buffers[TUTTI_MAX_ANT];
    uhd_tx_metadata_handle metadata = NULL;
    size_t n_sent = 0;
    for (int a = 0; a < t->device->n_ant; a++) {
        buffers[a] = t->buffer + (size_t)a * (size_t)t->room + b->offset;
    }
    if (!api->tx_metadata_make(&metadata, true, time.full_s, time.frac_s, true, true)) {
        send_locked(t, buffers, (size_t)b->n, &metadata, SEND_TIMEOUT_S, &n_sent);
        api->tx_metadata_free(&metadata);
    }
    return n_sent;
}

/* What was begun must be ended, or the device waits for the rest. */
static void send_end(struct uhd_transmit *t)
{
    const struct uhd_api *api = t->device->api;
    const void *buffers[TUTTI_MAX_ANT];
    uhd_tx_metadata_handle metadata = NULL;
    size_t n_sent = 0;
    for (int a = 0; a < t->device->n_ant; a++) {
        buffers[a] = t->buffer;
    }
    if (!api->tx_metadata_make(&metadata, false, 0, 0, false, true)) {
        send_locked(t, buffers, 0, &metadata, END_TIMEOUT_S, &n_sent);
        api->tx_metadata_free(&metadata);
    }
}

static void drop(struct uhd_transmit *t, struct uhd_burst *b)
{
    atomic_store(&b->done, true);
    atomic_fetch_add(&t->handed, 1);
}

static void hand_over(struct uhd_transmit *t, struct uhd_burst *b)
{
    struct ledger_event event = {.kind = LEDGER_TOO_LATE, .antenna = -1, .timed = true, .tick = b->at};
    if (b->at < atomic_load(&t->receive->newest)) {
        tell(t->told, &event, NULL);
    } else {
        const size_t n_sent = send_timed(t, b);
        if (n_sent < (size_t)b->n) {
            send_end(t);
            event.kind = LEDGER_INCOMPLETE;
            event.tick = b->at + n_sent;
            tell(t->told, &event, NULL);
        }
    }
    drop(t, b);
}

/* Nobody queues bursts so far ahead that they have no room together: the device's time went back since. The ledger is
 * told where that is noticed first, with the samples (ledger_abandon). */
static bool is_of_another_time(const struct uhd_transmit *t, const struct uhd_burst *b, tutti_tick newest)
{
    return b->at > newest && b->at - newest > (tutti_tick)t->room;
}

static void take_queued(struct uhd_transmit *t)
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
static tutti_tick hand_over_due(struct uhd_transmit *t)
{
    while (t->n_waiting > 0) {
        struct uhd_burst *b = burst_at(t, t->waiting[0]);
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
    struct uhd_transmit *t = argument;
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

static void on_message(struct uhd_transmit *t)
{
    const struct uhd_api *api = t->device->api;
    uhd_async_metadata_event_code_t code = 0;
    struct uhd_time time = {0};
    struct ledger_event event = {0};
    size_t channel = 0;
    api->async_metadata_event_code(t->metadata, &code);
    api->async_metadata_channel(t->metadata, &channel);
    api->async_metadata_has_time_spec(t->metadata, &event.timed);
    api->async_metadata_time_spec(t->metadata, &time.full_s, &time.frac_s);
    event.antenna = (int)channel;
    const bool known = ledger_kind_of((unsigned)code, &event.kind);
    event.tick = event.timed ? uhd_tick_of(time, t->device->rate_hz) : atomic_load(&t->receive->newest);
    if (known && channel < (size_t)t->device->n_ant) {
        tell(t->heard, &event, &t->n_heard_dropped);
        if (t->device->elastic) {
            rt_event_signal(t->message);
        }
    }
}

static bool take_message(struct uhd_transmit *t)
{
    bool valid = false;
    pthread_mutex_lock(&t->handle);
    const uhd_error failed = t->device->api->tx_streamer_recv_async_msg(t->streamer, &t->metadata, 0, &valid);
    pthread_mutex_unlock(&t->handle);
    if (!failed && valid) {
        on_message(t);
    }
    return !failed && valid;
}

/* Looks often while there are bursts to be told of. */
static void messages_main(void *argument)
{
    struct uhd_transmit *t = argument;
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
static int find_room(struct uhd_transmit *t, int n)
{
    const uint64_t queued = atomic_load(&t->queued);
    while (t->oldest < queued && atomic_load(&burst_at(t, t->oldest)->done)) {
        t->oldest++;
    }
    if (t->oldest == queued) {
        return n <= t->room ? 0 : -1;
    }
    if (queued - t->oldest == UHD_MAX_BURSTS) {
        return -1;
    }
    const struct uhd_burst *first = burst_at(t, t->oldest), *last = burst_at(t, queued - 1);
    const int end = last->offset + last->n;
    if (last->offset < first->offset) {
        return end + n <= first->offset ? end : -1;
    }
    return end + n <= t->room ? end : n <= first->offset ? 0 : -1;
}

int uhd_transmit_burst(struct uhd_transmit *t, const tutti_cf32 *const *buffers, int n, tutti_tick at)
{
    const int offset = find_room(t, n);
    if (offset < 0) {
        return TUTTI_EAGAIN;
    }
    for (int a = 0; a < t->device->n_ant; a++) {
        memcpy(t->buffer + (size_t)a * (size_t)t->room + offset, buffers[a], (size_t)n * sizeof **buffers);
    }
    struct uhd_burst *b = burst_at(t, atomic_load(&t->queued));
    b->at = at;
    b->n = n;
    b->offset = offset;
    atomic_store(&b->done, false);
    atomic_fetch_add(&t->queued, 1);
    rt_event_signal(t->there);
    return TUTTI_OK;
}

void uhd_transmit_flush(struct uhd_transmit *t)
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

void uhd_transmit_hear(struct uhd_transmit *t, ledger_t *ledger)
{
    hear_ring(t->told, ledger);
    hear_ring(t->heard, ledger);
}

void uhd_transmit_settle(struct uhd_transmit *t, ledger_t *ledger)
{
    const tutti_tick newest = atomic_load(&t->receive->newest);
    const uint64_t until_ns = clock_mono_ns() + (uint64_t)(SETTLE_S * 1e9);
    uhd_transmit_hear(t, ledger);
    while (newest > SETTLE_SAMPLES && ledger_waits(ledger, newest - SETTLE_SAMPLES) && !rt_stop_requested() &&
           !atomic_load(&t->receive->failed) && clock_mono_ns() < until_ns) {
        rt_event_wait(t->message, POLL_US);
        uhd_transmit_hear(t, ledger);
    }
    if (clock_mono_ns() >= until_ns) { /* nothing more will come */
        ledger_give_up(ledger, newest - SETTLE_SAMPLES);
    }
}

/* Life ----------------------------------------------------------------------------------------------------------- */

static int make_streamer(struct uhd_transmit *t)
{
    const struct uhd_api *api = t->device->api;
    uhd_stream_args_t stream = {.cpu_format = (char[]){"fc32"},
                                .otw_format = (char[]){"sc16"},
                                .args = (char[]){""},
                                .channel_list = t->device->channel,
                                .n_channels = t->device->n_ant};
    return api->tx_streamer_make(&t->streamer) || api->usrp_get_tx_stream(t->device->usrp, &stream, t->streamer) ||
                   api->async_metadata_make(&t->metadata)
               ? uhd_device_failed(t->device, "no transmit stream")
               : TUTTI_OK;
}

int uhd_transmit_create(struct uhd_transmit *t, struct uhd_device *device, struct uhd_receive *receive, int room,
                        tutti_tick horizon, int priority)
{
    *t = (struct uhd_transmit){
        .device = device, .receive = receive, .room = room, .horizon = horizon, .there = -1, .idle = -1, .message = -1};
    t->thread =
        (struct uhd_thread){.name = "usrp-transmit", .priority = priority, .body = transmit_main, .argument = t};
    t->messages = (struct uhd_thread){.name = "usrp-messages", .body = messages_main, .argument = t};
    pthread_mutex_init(&t->handle, NULL);
    t->there = rt_event_create();
    t->idle = rt_event_create();
    t->message = rt_event_create();
    t->buffer = calloc((size_t)device->n_ant * (size_t)room, sizeof *t->buffer);
    if (t->there < 0 || t->idle < 0 || t->message < 0 || !t->buffer) {
        return error_set(TUTTI_ENOMEM, "no memory for samples to send");
    }
    int status = ring_create(&t->told, UHD_MAX_BURSTS, sizeof(struct ledger_event));
    status = status ? status : ring_create(&t->heard, MESSAGES, sizeof(struct ledger_event));
    receive->progress = t->there;
    return status ? status : make_streamer(t);
}

int uhd_transmit_start(struct uhd_transmit *t)
{
    const int status = uhd_thread_start(&t->thread);
    return status ? status : uhd_thread_start(&t->messages);
}

void uhd_transmit_stop(struct uhd_transmit *t)
{
    uhd_thread_end(&t->thread, t->there);
    uhd_thread_end(&t->messages, -1);
}

static void close_event(int *event)
{
    if (*event >= 0) {
        close(*event);
    }
    *event = -1;
}

void uhd_transmit_destroy(struct uhd_transmit *t)
{
    if (!t->device) {
        return;
    }
    uhd_transmit_stop(t);
    t->receive->progress = -1;
    if (t->metadata) {
        t->device->api->async_metadata_free(&t->metadata);
    }
    if (t->streamer && !t->device->gone) {
        t->device->api->tx_streamer_free(&t->streamer);
    }
    pthread_mutex_destroy(&t->handle);
    ring_destroy(t->told);
    ring_destroy(t->heard);
    free(t->buffer);
    close_event(&t->there);
    close_event(&t->idle);
    close_event(&t->message);
    *t = (struct uhd_transmit){0};
}
