/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/stream/receive.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "hw/stream/ticks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RING_MS = 50, RING_MIN_PACKETS = 64, POLL_US = 100000, SILENT_POLLS = 5, STILL_LOOKS = 60, MOST_ENDS = 50 };
static const double START_AHEAD_S = 0.1;

/* Receive thread: commands --------------------------------------------------------------------------------------- */

/* Continuous streaming from `at`, or as soon as all channels can begin together. */
static int start_stream(struct stream_receive *r, tutti_tick at)
{
    tutti_tick now = 0;
    const int status = r->device->ops->now(r->device->state, &now);
    if (status) {
        return status;
    }
    const tutti_tick soon = now + (tutti_tick)(START_AHEAD_S * (double)r->device->rate_hz);
    return r->device->ops->start(r->device->state, stream_tick_align(at > soon ? at : soon, r->device->tick_multiple));
}

static void fail(struct stream_receive *r)
{
    snprintf(r->sentence, sizeof r->sentence, "%s", error_text());
    atomic_store(&r->failed, true);
    rt_event_signal(r->there);
}

static void restart(struct stream_receive *r)
{
    atomic_fetch_add(&r->n_restarted, 1);
    int status = r->device->ops->stop(r->device->state);
    status = status ? status : start_stream(r, 0);
    if (status) {
        fail(r);
    }
}

/* Nothing has come for a while: is the device still there? If its time goes on, its stream has ended: libuhd does not
 * start it again after an overrun of two boards at once. An elastic device's time may stand still. */
static void on_silence(struct stream_receive *r)
{
    tutti_tick now = 0;
    if (++r->n_silent < SILENT_POLLS) {
        return;
    }
    r->n_silent = 0;
    if (r->device->ops->now(r->device->state, &now)) {
        char why[256];
        snprintf(why, sizeof why, "%s", error_text());
        error_set(TUTTI_EDEVICE, "the radio does not answer any more: power, cable, network? (%s)", why);
        fail(r);
    } else if (r->device->elastic && now <= atomic_load(&r->newest) + r->device->rate_hz / 2) {
        if (++r->n_still >= STILL_LOOKS) {
            error_set(TUTTI_EDEVICE, "radio '%s': its time stands still: does every node take its samples?",
                      r->device->name);
            fail(r);
        }
    } else {
        r->cause = RADIO_NOTE_OVERFLOW;
        restart(r);
    }
}

/* Receive thread: packets ---------------------------------------------------------------------------------------- */

static void publish(struct stream_receive *r, struct stream_packet *packet, const struct stream_piece *piece)
{
    if (!piece->timed) {
        error_set(TUTTI_EDEVICE, "radio '%s' sends samples without time stamps: it cannot be used", r->device->name);
        fail(r);
        return;
    }
    packet->tick = piece->tick;
    packet->n = piece->n;
    packet->cause = r->cause;
    r->n_silent = r->n_still = r->n_ended = 0;
    const tutti_tick newest = packet->tick + (tutti_tick)packet->n;
    if (packet == r->dropped) {
        r->cause = RADIO_NOTE_OVERFLOW;
    } else {
        r->cause = RADIO_NOTE_SENT;
        ring_push(r->ring);
    }
    atomic_store(&r->newest, newest);
    if (newest >= atomic_load(&r->wanted)) {
        rt_event_signal(r->there);
    }
    if (r->progress >= 0 && newest >= atomic_load(&r->due)) {
        rt_event_signal(r->progress);
    }
}

static void on_end(struct stream_receive *r)
{
    if (++r->n_ended < MOST_ENDS) {
        restart(r);
        return;
    }
    error_set(TUTTI_EDEVICE, "radio '%s': its stream ended %d times without a sample: it cannot be used",
              r->device->name, MOST_ENDS);
    fail(r);
}

static void on_event(struct stream_receive *r, enum stream_event event)
{
    switch (event) {
    case STREAM_FINE:
        break;
    case STREAM_SILENT:
        on_silence(r);
        break;
    case STREAM_OVERFLOW:
        r->cause = RADIO_NOTE_OVERFLOW;
        break;
    case STREAM_DROP:
        r->cause = RADIO_NOTE_DROP;
        break;
    case STREAM_BAD:
        r->cause = RADIO_NOTE_SEQUENCE;
        break;
    case STREAM_ENDED: /* late command, alignment, broken chain */
        on_end(r);
        break;
    }
}

static void fetch(struct stream_receive *r)
{
    const struct stream_device *d = r->device;
    struct stream_packet *packet = ring_write_slot(r->ring);
    struct stream_piece piece = {.event = STREAM_FINE};
    void *buffers[TUTTI_MAX_ANT];
    packet = packet ? packet : r->dropped;
    for (int a = 0; a < d->n_ant; a++) {
        buffers[a] = packet->samples + (size_t)a * (size_t)d->packet_samples;
    }
    if (d->ops->receive(d->state, buffers, &piece)) {
        fail(r);
        return;
    }
    packet->host_ns = clock_mono_ns();
    if (piece.n > 0) {
        publish(r, packet, &piece);
    }
    on_event(r, piece.event);
}

static void receive_main(void *argument)
{
    struct stream_receive *r = argument;
    while (!atomic_load(&r->thread.stop) && !atomic_load(&r->failed)) {
        if (r->device->elastic && atomic_load(&r->newest) >= atomic_load(&r->wanted)) {
            rt_event_wait(r->asked, POLL_US);
        } else {
            fetch(r);
        }
    }
}

/* Slot thread ---------------------------------------------------------------------------------------------------- */

/* Until something is there; as much as is asked for, if the ring can hold it. */
static int wait_for(struct stream_receive *r, tutti_tick end)
{
    const tutti_tick half = (tutti_tick)(RING_MIN_PACKETS / 2) * (tutti_tick)r->device->packet_samples;
    const tutti_tick to = end - r->next < half ? end : r->next + half;
    atomic_store(&r->wanted, to);
    rt_event_signal(r->asked);
    while (!atomic_load(&r->failed) && atomic_load(&r->newest) < to) {
        if (rt_stop_requested()) {
            return error_set(TUTTI_ESTOPPED, "stopped");
        }
        r->n_wakeups += rt_event_wait(r->there, POLL_US);
    }
    return atomic_load(&r->failed) ? error_set(TUTTI_EDEVICE, "%s", r->sentence) : TUTTI_OK;
}

/* The stream goes on at another tick than the next one: at an earlier one when somebody else has set the device's time.
 */
static void tell_gap(struct stream_receive *r, const struct stream_packet *packet, struct radio_got *got,
                     ledger_t *ledger)
{
    const enum radio_note_kind kind = packet->cause == RADIO_NOTE_SENT ? RADIO_NOTE_OVERFLOW : packet->cause;
    if (packet->tick < r->next) {
        ledger_abandon(ledger);
    }
    got->n_lost = packet->tick > r->next ? packet->tick - r->next : 0;
    ledger_note_add(ledger, &(struct radio_note){.kind = kind,
                                                 .tick = r->next,
                                                 .antenna = -1,
                                                 .count = kind == RADIO_NOTE_OVERFLOW ? got->n_lost : 1});
    r->next = packet->tick;
}

static void deliver(struct stream_receive *r, const struct stream_packet *packet, tutti_cf32 *const *buffers, int n,
                    struct radio_got *got)
{
    const int left = packet->n - r->offset, step = n < left ? n : left;
    for (int a = 0; a < r->device->n_ant; a++) {
        memcpy(buffers[a] + got->n, packet->samples + (size_t)a * (size_t)r->device->packet_samples + r->offset,
               (size_t)step * sizeof **buffers);
    }
    got->n += step;
    got->host_ns = packet->host_ns - (uint64_t)((double)(left - step) * 1e9 / (double)r->device->rate_hz);
    r->next += (tutti_tick)step;
    r->offset += step;
    if (r->offset == packet->n) {
        r->offset = 0;
        ring_pop(r->ring);
    }
}

int stream_receive_get(struct stream_receive *r, tutti_cf32 *const *buffers, int n, struct radio_got *got,
                       ledger_t *ledger)
{
    *got = (struct radio_got){0};
    while (got->n < n) {
        const struct stream_packet *packet = ring_peek(r->ring, 0);
        if (!packet) {
            const int status = wait_for(r, r->next + (tutti_tick)(n - got->n));
            if (status) {
                return status;
            }
            continue;
        }
        const bool gap = r->offset == 0 && packet->tick != r->next;
        if (gap && got->n > 0) {
            break; /* the gap is told with the samples after it */
        }
        if (gap) {
            tell_gap(r, packet, got, ledger);
        }
        got->tick = got->n == 0 ? r->next : got->tick;
        deliver(r, packet, buffers, n - got->n, got);
    }
    return TUTTI_OK;
}

/* Life ----------------------------------------------------------------------------------------------------------- */

int stream_receive_create(struct stream_receive *r, const struct stream_device *device, int priority)
{
    *r = (struct stream_receive){.device = device, .there = -1, .asked = -1, .progress = -1};
    r->thread =
        (struct stream_thread){.name = "radio-receive", .priority = priority, .body = receive_main, .argument = r};
    const size_t packet_bytes =
        sizeof(struct stream_packet) + (size_t)device->n_ant * (size_t)device->packet_samples * sizeof(tutti_cf32);
    const size_t n_packet =
        (size_t)(device->rate_hz * RING_MS / 1000) / (size_t)device->packet_samples + RING_MIN_PACKETS;
    r->there = rt_event_create();
    r->asked = rt_event_create();
    r->dropped = calloc(1, packet_bytes);
    if (r->there < 0 || r->asked < 0 || !r->dropped) {
        return error_set(TUTTI_ENOMEM, "no memory for received samples");
    }
    return ring_create(&r->ring, n_packet, packet_bytes);
}

int stream_receive_start(struct stream_receive *r, tutti_tick at, tutti_tick *first)
{
    const double WAIT_S = r->device->elastic ? 30 : 3;
    tutti_tick now = 0;
    int status = r->device->ops->now(r->device->state, &now);
    atomic_store(&r->newest, now);
    atomic_store(&r->wanted, UINT64_MAX); /* until the first packet is there */
    atomic_store(&r->due, UINT64_MAX);
    r->offset = 0;
    status = status ? status : start_stream(r, at);
    status = status ? status : stream_thread_start(&r->thread);
    const uint64_t until_ns = clock_mono_ns() + (uint64_t)(WAIT_S * 1e9);
    const struct stream_packet *packet = NULL;
    while (!status && !(packet = ring_peek(r->ring, 0))) {
        if (atomic_load(&r->failed) || clock_mono_ns() > until_ns) {
            status = error_set(TUTTI_EDEVICE, "%s",
                               atomic_load(&r->failed) ? r->sentence
                                                       : "the radio sends no samples: see MTU and "
                                                         "firewall in docs/over-the-air.md");
        } else if (rt_stop_requested()) {
            status = error_set(TUTTI_ESTOPPED, "stopped");
        } else {
            clock_sleep_until_ns(clock_mono_ns() + 1000000u);
        }
    }
    atomic_store(&r->wanted, 0);
    r->next = packet ? packet->tick : 0;
    *first = r->next;
    return status;
}

void stream_receive_stop(struct stream_receive *r)
{
    const bool running = r->thread.running;
    stream_thread_end(&r->thread, r->asked);
    if (running && !atomic_load(&r->failed)) {
        r->device->ops->stop(r->device->state);
    }
}

static void close_event(int *event)
{
    if (*event >= 0) {
        close(*event);
    }
    *event = -1;
}

void stream_receive_destroy(struct stream_receive *r)
{
    if (!r->device) {
        return;
    }
    stream_receive_stop(r);
    ring_destroy(r->ring);
    free(r->dropped);
    close_event(&r->there);
    close_event(&r->asked);
    *r = (struct stream_receive){0};
}
