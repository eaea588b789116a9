/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The link thread: estimates out, precoders in, the session watched. It may use ZeroMQ and its allocations; the slot
 * thread never waits for it except for a precoder. */
#include "ap_node/ap.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"

#include <jansson.h>
#include <string.h>

static void send_reports(struct ap_link *link)
{
    rt_event_wait(link->csi_event, 0);
    const struct ap_message *message;
    while ((message = ring_peek(link->csi_out, 0)) != NULL) {
        uint8_t *bytes = (uint8_t *)(uintptr_t)message->bytes; /* ours until popped; only the stamp changes */
        wire_stamp_send_time(bytes, message->n_bytes, clock_wall_ns());
        fh_peer_send(link->peer, bytes, message->n_bytes); /* not welcomed or full: counted by the peer */
        ring_pop(link->csi_out);
    }
}

static bool fits(const struct ap_link *link, const struct wire_header *header, const struct wire_precoder_meta *meta)
{
    if (header->n_sb != link->n_sb || header->n_ant != link->n_ant || header->node != link->id) {
        return false;
    }
    for (int s = 0; s < header->n_stream; s++) {
        if ((meta->stream[s].kind != WIRE_STREAM_DATA && meta->stream[s].kind != WIRE_STREAM_AN) ||
            (meta->stream[s].kind == WIRE_STREAM_DATA && meta->stream[s].user >= link->n_ue)) {
            return false;
        }
    }
    return true;
}

static void receive_precoder(struct ap_link *link, const uint8_t *data, size_t n_bytes)
{
    struct ap_precoder *slot = ring_write_slot(link->precoders_in);
    if (!slot) {
        atomic_fetch_add_explicit(&link->ring_full, 1, memory_order_relaxed);
        return;
    }
    int error = wire_unpack_precoder(data, n_bytes, &slot->header, &slot->meta, slot->V, link->precoder_room);
    if (error == WIRE_OK && !fits(link, &slot->header, &slot->meta)) {
        error = WIRE_BAD_SHAPE;
    }
    if (error != WIRE_OK) {
        atomic_fetch_add_explicit(&link->refused[error], 1, memory_order_relaxed);
        return;
    }
    if (slot->header.session != atomic_load_explicit(&link->session, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&link->wrong_session, 1, memory_order_relaxed);
        return;
    }
    slot->received_ns = clock_wall_ns();
    ring_push(link->precoders_in);
    rt_event_signal(link->precoder_event);
}

/* In lock-step: do not wait for a precoder of this block. */
static void receive_control(struct ap_link *link, const char *text)
{
    json_t *root = json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const json_int_t block = json_integer_value(json_object_get(root, "block"));
    if (type && strcmp(type, "no_precoder") == 0 && block >= 0) {
        atomic_store_explicit(&link->no_precoder, (uint64_t)block + 1, memory_order_release);
        rt_event_signal(link->precoder_event);
    }
    json_decref(root);
}

static void session_down(struct ap_link *link)
{
    atomic_store_explicit(&link->session, 0, memory_order_release);
    rt_event_signal(link->precoder_event); /* do not let the slot thread wait for a dead CPU node */
    log_write(LOG_WARNING, "link", "CPU-DOWN reconnecting");
}

static void *link_main(void *argument)
{
    struct ap *ap = argument;
    struct ap_link *link = &ap->link;
    struct fh_event event;
    while (!rt_stop_requested() && fh_peer_wait(link->peer, link->csi_event, -1, &event) >= 0) {
        switch (event.kind) {
        case FH_EVENT_FD:
            send_reports(link);
            break;
        case FH_EVENT_DATA:
            receive_precoder(link, event.data, event.n_bytes);
            break;
        case FH_EVENT_CONTROL:
            receive_control(link, (const char *)event.data);
            break;
        case FH_EVENT_UP:
            log_write(LOG_INFO, "link", "CPU-UP session=%u", event.welcome.session);
            atomic_store_explicit(&link->no_precoder, 0, memory_order_relaxed);
            atomic_store_explicit(&link->session, event.welcome.session, memory_order_release);
            break;
        case FH_EVENT_DOWN:
            session_down(link);
            break;
        case FH_EVENT_REFUSED:
            log_write(LOG_ERROR, "link", "REFUSED %s", error_text());
            rt_stop_request();
            break;
        case FH_EVENT_STOP:
            rt_stop_request();
            break;
        default:
            break;
        }
    }
    rt_event_signal(link->precoder_event); /* the slot thread may be waiting: let it see the stop */
    return NULL;
}

int link_start(struct ap *ap)
{
    if (pthread_create(&ap->link.thread, NULL, link_main, ap) != 0) {
        return error_set(TUTTI_ENOMEM, "cannot start the link thread");
    }
    ap->link.running = true;
    return TUTTI_OK;
}

void link_stop(struct ap *ap)
{
    if (!ap->link.running) {
        return;
    }
    rt_stop_request();
    rt_event_signal(ap->link.csi_event);
    pthread_join(ap->link.thread, NULL);
    ap->link.running = false;
}
