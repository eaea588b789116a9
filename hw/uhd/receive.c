/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/uhd/receive.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RING_MS = 50, RING_MIN_PACKETS = 64, POLL_US = 100000, SILENT_POLLS = 5, STILL_LOOKS = 60 };
static const double POLL_S = 0.1, START_AHEAD_S = 0.1;

/* Receive thread: commands --------------------------------------------------------------------------------------- */

static int command(struct uhd_receive *r, uhd_stream_mode_t mode, tutti_tick at)
{
    const struct uhd_time time = uhd_time_of(at, r->device->rate_hz);
    const uhd_stream_cmd_t command = {
        .stream_mode = mode,
        .stream_now = mode == UHD_STREAM_MODE_STOP_CONTINUOUS,
        .time_spec_full_secs = time.full_s,
        .time_spec_frac_secs = time.frac_s,
    };
    return r->device->api->rx_streamer_issue_stream_cmd(r->streamer, &command)
               ? uhd_device_failed(r->device, "cannot start or stop its stream")
               : TUTTI_OK;
}

/* Continuous streaming from `at`, or as soon as all channels can begin together. */
static int start_stream(struct uhd_receive *r, tutti_tick at)
{
    tutti_tick now = 0;
    const int status = uhd_device_now(r->device, &now);
    if (status) {
        return status;
    }
    const tutti_tick soon = now + (tutti_tick)(START_AHEAD_S * (double)r->device->rate_hz);
    return command(r, UHD_STREAM_MODE_START_CONTINUOUS,
                   uhd_tick_align(at > soon ? at : soon, r->device->tick_multiple));
}

static void fail(struct uhd_receive *r)
{
    snprintf(r->sentence, sizeof r->sentence, "%s", error_text());
    atomic_store(&r->failed, true);
    rt_event_signal(r->there);
}

static void restart(struct uhd_receive *r)
{
    atomic_fetch_add(&r->n_restarted, 1);
    int status = command(r, UHD_STREAM_MODE_STOP_CONTINUOUS, 0);
    status = status ? status : start_stream(r, 0);
    if (status) {
        fail(r);
    }
}

/* Nothing has come for a while: is the device still there? If its time goes on, its stream has ended: libuhd does not
 * start it again after an overrun of two boards at once. An elastic device's time may stand still. */
static void on_silence(struct uhd_receive *r)
{
    tutti_tick now = 0;
    if (++r->n_silent < SILENT_POLLS) {
        return;
    }
    r->n_silent = 0;
    if (uhd_device_now(r->device, &now)) {
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

static void publish(struct uhd_receive *r, struct uhd_packet *packet, size_t n)
{
    struct uhd_time time = {0};
    bool timed = false;
    r->device->api->rx_metadata_has_time_spec(r->metadata, &timed);
    r->device->api->rx_metadata_time_spec(r->metadata, &time.full_s, &time.frac_s);
    if (!timed) {
        error_set(TUTTI_EDEVICE, "radio '%s' sends samples without time stamps: it cannot be used", r->device->name);
        fail(r);
        return;
    }
    packet->tick = uhd_tick_of(time, r->device->rate_hz);
    packet->n = (int)n;
    packet->cause = r->cause;
    r->n_silent = r->n_still = 0;
    if (packet == r->dropped) {
        r->cause = RADIO_NOTE_OVERFLOW;
    } else {
        r->cause = RADIO_NOTE_SENT;
        ring_push(r->ring);
    }
    const tutti_tick newest = packet->tick + n;
    atomic_store(&r->newest, newest);
    if (newest >= atomic_load(&r->wanted)) {
        rt_event_signal(r->there);
    }
    if (r->progress >= 0 && newest >= atomic_load(&r->due)) {
        rt_event_signal(r->progress);
    }
}

static void on_error(struct uhd_receive *r, uhd_rx_metadata_error_code_t error)
{
    bool lost_packets = false;
    switch (error) {
    case UHD_RX_METADATA_ERROR_CODE_TIMEOUT:
        on_silence(r);
        break;
    case UHD_RX_METADATA_ERROR_CODE_OVERFLOW: /* libuhd starts the stream again after an overrun of the device */
        r->device->api->rx_metadata_out_of_sequence(r->metadata, &lost_packets);
        r->cause = lost_packets ? RADIO_NOTE_DROP : RADIO_NOTE_OVERFLOW;
        break;
    case UHD_RX_METADATA_ERROR_CODE_BAD_PACKET:
        r->cause = RADIO_NOTE_SEQUENCE;
        break;
    default: /* late command, alignment, broken chain: no more samples will come */
        restart(r);
        break;
    }
}

static void fetch(struct uhd_receive *r)
{
    const struct uhd_api *api = r->device->api;
    struct uhd_packet *packet = ring_write_slot(r->ring);
    uhd_rx_metadata_error_code_t error = UHD_RX_METADATA_ERROR_CODE_NONE;
    void *buffers[TUTTI_MAX_ANT];
    size_t n = 0;
    packet = packet ? packet : r->dropped;
    for (int a = 0; a < r->device->n_ant; a++) {
        buffers[a] = packet->samples + (size_t)a * (size_t)r->packet_samples;
    }
    if (api->rx_streamer_recv(r->streamer, buffers, (size_t)r->packet_samples, &r->metadata, POLL_S, true, &n)) {
        uhd_device_failed(r->device, "cannot receive");
        fail(r);
        return;
    }
    packet->host_ns = clock_mono_ns();
    api->rx_metadata_error_code(r->metadata, &error);
    if (n > 0) {
        publish(r, packet, n);
    }
    if (error != UHD_RX_METADATA_ERROR_CODE_NONE) {
        on_error(r, error);
    }
}

static void receive_main(void *argument)
{
    struct uhd_receive *r = argument;
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
static int wait_for(struct uhd_receive *r, tutti_tick end)
{
    const tutti_tick half = (tutti_tick)(RING_MIN_PACKETS / 2) * (tutti_tick)r->packet_samples;
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
static void tell_gap(struct uhd_receive *r, const struct uhd_packet *packet, struct radio_got *got, ledger_t *ledger)
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

static void deliver(struct uhd_receive *r, const struct uhd_packet *packet, tutti_cf32 *const *buffers, int n,
                    struct radio_got *got)
{
    const int left = packet->n - r->offset, step = n < left ? n : left;
    for (int a = 0; a < r->device->n_ant; a++) {
        memcpy(buffers[a] + got->n, packet->samples + (size_t)a * (size_t)r->packet_samples + r->offset,
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

int uhd_receive_get(struct uhd_receive *r, tutti_cf32 *const *buffers, int n, struct radio_got *got, ledger_t *ledger)
{
    *got = (struct radio_got){0};
    while (got->n < n) {
        const struct uhd_packet *packet = ring_peek(r->ring, 0);
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

static int make_streamer(struct uhd_receive *r)
{
    const struct uhd_api *api = r->device->api;
    size_t most = 0;
    uhd_stream_args_t stream = {.cpu_format = (char[]){"fc32"},
                                .otw_format = (char[]){"sc16"},
                                .args = (char[]){""},
                                .channel_list = r->device->channel,
                                .n_channels = r->device->n_ant};
    if (api->rx_streamer_make(&r->streamer) || api->usrp_get_rx_stream(r->device->usrp, &stream, r->streamer) ||
        api->rx_streamer_max_num_samps(r->streamer, &most) || most < 1 || most > 1 << 20) {
        return uhd_device_failed(r->device, "no receive stream");
    }
    r->packet_samples = (int)most;
    return api->rx_metadata_make(&r->metadata) ? uhd_device_failed(r->device, "no receive stream") : TUTTI_OK;
}

int uhd_receive_create(struct uhd_receive *r, struct uhd_device *device, int priority)
{
    *r = (struct uhd_receive){.device = device, .there = -1, .asked = -1, .progress = -1};
    r->thread = (struct uhd_thread){.name = "usrp-receive", .priority = priority, .body = receive_main, .argument = r};
    int status = make_streamer(r);
    if (status) {
        return status;
    }
    const size_t packet_bytes =
        sizeof(struct uhd_packet) + (size_t)device->n_ant * (size_t)r->packet_samples * sizeof(tutti_cf32);
    const size_t n_packet = (size_t)(device->rate_hz * RING_MS / 1000) / (size_t)r->packet_samples + RING_MIN_PACKETS;
    r->there = rt_event_create();
    r->asked = rt_event_create();
    r->dropped = calloc(1, packet_bytes);
    if (r->there < 0 || r->asked < 0 || !r->dropped) {
        return error_set(TUTTI_ENOMEM, "no memory for received samples");
    }
    return ring_create(&r->ring, n_packet, packet_bytes);
}

int uhd_receive_start(struct uhd_receive *r, tutti_tick at, tutti_tick *first)
{
    const double WAIT_S = r->device->elastic ? 30 : 3;
    tutti_tick now = 0;
    int status = uhd_device_now(r->device, &now);
    atomic_store(&r->newest, now);
    atomic_store(&r->wanted, UINT64_MAX); /* until the first packet is there */
    atomic_store(&r->due, UINT64_MAX);
    r->offset = 0;
    status = status ? status : start_stream(r, at);
    status = status ? status : uhd_thread_start(&r->thread);
    const uint64_t until_ns = clock_mono_ns() + (uint64_t)(WAIT_S * 1e9);
    const struct uhd_packet *packet = NULL;
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

void uhd_receive_stop(struct uhd_receive *r)
{
    const bool running = r->thread.running;
    uhd_thread_end(&r->thread, r->asked);
    if (running && !atomic_load(&r->failed)) {
        command(r, UHD_STREAM_MODE_STOP_CONTINUOUS, 0);
    }
}

static void close_event(int *event)
{
    if (*event >= 0) {
        close(*event);
    }
    *event = -1;
}

void uhd_receive_destroy(struct uhd_receive *r)
{
    if (!r->device) {
        return;
    }
    uhd_receive_stop(r);
    if (r->metadata) {
        r->device->api->rx_metadata_free(&r->metadata);
    }
    if (r->streamer && !r->device->gone) {
        r->device->api->rx_streamer_free(&r->streamer);
    }
    ring_destroy(r->ring);
    free(r->dropped);
    close_event(&r->there);
    close_event(&r->asked);
    *r = (struct uhd_receive){0};
}
