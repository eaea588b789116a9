/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The decode thread, never real-time: decodes captured blocks and sends what it measured over the lab link: a user a
 * `report` of its stream, an eavesdropper an `eve_report` with the same figures of everybody's. */
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "fronthaul/control.h"
#include "node/join.h"
#include "ue_node/ue.h"

#include <math.h>

enum { CONSTELLATION_EVERY = 16 }; /* blocks */

static void send_report(struct ue *ue, uint64_t block, bool idle, const struct probe_powers *probe)
{
    const bool show = block % CONSTELLATION_EVERY == 0;
    const struct report_points points = {
        .values = show ? receiver_equalised(ue->receiver) : NULL,
        .n_values = ue->frame.n_data_re,
        .n_points = ue->config->record.constellation_points,
    };
    const size_t room = CONTROL_MAX_BYTES + 1;
    const int status = idle                 ? report_idle(ue->text, room, block)
                       : ue->role == UE_EVE ? report_eve(ue->text, room, block, ue->n_wanted, ue->measurements, probe)
                                            : report_user(ue->text, room, block, &ue->measurements[0], &points);
    ue->counters.points_cut += status > 0;
    if (status < 0 || fh_peer_send_control(ue->lab, ue->text) < 0) {
        ue->counters.reports_lost++;
    }
}

static void follow_roster(struct ue *ue, uint64_t block)
{
    const struct roster *const roster = roster_book_at(ue->own_rosters, block);
    const int n_own = roster->n_pilot > 0 ? 0 : roster->n_place;
    for (int j = 0; j < n_own; j++) {
        ue->user_of_stream[j] = roster_user(roster, j);
    }
    for (int j = n_own; j < ue->n_stream; j++) {
        ue->user_of_stream[j] = -1; /* nobody's data: a zone's; on a shared pilot several users' */
    }
    if (roster->n_pilot > 0) {
        ue->user_of_stream[roster_downlink(roster, ue->id)] = ue->id;
    }
    receiver_streams(ue->receiver, ue->user_of_stream);
}

/* Who is served from some block on: for the slot thread, and for the central node the word that it is known here. */
static void hear_roster(struct ue *ue, const char *text)
{
    char answer[96];
    if (roster_read(ue->config, text, ue->roster) < 0) {
        return;
    }
    if (!roster_book_add(ue->rosters, ue->roster) || !roster_book_add(ue->own_rosters, ue->roster)) {
        log_write(LOG_WARNING, "lab", "ROSTER-LOST from_block=%llu", (unsigned long long)ue->roster->from_block);
    }
    if (roster_write_heard(ue->roster, answer, sizeof answer) >= 0) {
        fh_peer_send_control(ue->lab, answer);
    }
}

/* What the slot thread found out about the reference, into the log and to who records the run. */
static void tell_sync(struct ue *ue)
{
    const struct ue_sync_news *const n = &ue->news;
    const unsigned count = atomic_load_explicit(&n->count, memory_order_acquire);
    char text[192];
    if (count == ue->news_told) {
        return;
    }
    ue->news_told = count;
    const bool locked = atomic_load(&n->locked);
    const unsigned long long block = (unsigned long long)atomic_load(&n->block);
    const double snr_db = 10 * log10(atomic_load(&n->snr));
    log_write(locked ? LOG_INFO : LOG_WARNING, "sync",
              "%s block=%llu cfo_hz=%.1f offset_samples=%.2f beacon_snr_db=%.1f", locked ? "ACQUIRED" : "SYNC-LOST",
              block, atomic_load(&n->cfo_hz), atomic_load(&n->offset_samples), snr_db);
    report_sync(text, sizeof text, locked, block, atomic_load(&n->cfo_hz), atomic_load(&n->offset_samples), snr_db);
    ue->counters.reports_lost += fh_peer_send_control(ue->lab, text) < 0;
}

/* One block at a time: the lab link must be served even when decoding is the bottleneck. */
static void process_capture(struct ue *ue)
{
    rt_event_wait(ue->capture_event, 0);
    tell_sync(ue);
    const struct ue_capture *capture = ring_peek(ue->captures, 0);
    if (!capture) {
        return;
    }
    follow_roster(ue, capture->block);
    struct probe_powers probe;
    bool in_zone = false;
    if (!capture->idle) {
        receiver_execute(ue->receiver, capture->block, capture->Y, ue->n_wanted, ue->wanted, ue->measurements);
        in_zone = probe_measure(ue, capture->Y, &probe);
    }
    send_report(ue, capture->block, capture->idle, in_zone ? &probe : NULL);
    for (int i = 0; i < ue->n_wanted && !capture->idle; i++) {
        ue->counters.code_blocks += (uint64_t)ue->measurements[i].payload.code_blocks;
        ue->counters.code_block_errors += (uint64_t)ue->measurements[i].payload.code_block_errors;
    }
    ring_pop(ue->captures);
    if (atomic_load(&ue->slot_waits)) {
        rt_event_signal(ue->room_event);
    }
    if (ring_count(ue->captures) > 0) {
        rt_event_signal(ue->capture_event);
    }
}

static void on_event(struct ue *ue, const struct fh_event *event)
{
    switch (event->kind) {
    case FH_EVENT_FD:
        process_capture(ue);
        break;
    case FH_EVENT_UP:
        atomic_store_explicit(&ue->epoch, event->welcome.epoch, memory_order_relaxed);
        log_write(LOG_INFO, "lab", "CPU-UP session=%u epoch_tick=%llu", event->welcome.session,
                  (unsigned long long)event->welcome.epoch);
        break;
    case FH_EVENT_DOWN:
        log_write(LOG_WARNING, "lab", "CPU-DOWN reconnecting");
        break;
    case FH_EVENT_CONTROL:
        hear_roster(ue, (const char *)event->data);
        break;
    default:
        break;
    }
}

static int decode_main(void *argument)
{
    struct ue *ue = argument;
    struct fh_event event;
    int status;
    while ((status = node_next_event(ue->lab, ue->capture_event, &event)) > 0) {
        on_event(ue, &event);
    }
    return status;
}

int decode_start(struct ue *ue)
{
    ue->decode = (struct node_thread){.name = "decode",
                                      .duty = NODE_DUTY_BACKGROUND,
                                      .engine = &ue->config->engine,
                                      .core = -1,
                                      .body = decode_main,
                                      .argument = ue};
    return node_thread_start(&ue->decode);
}

void decode_stop(struct ue *ue)
{
    if (ue->decode.running) {
        rt_stop_request();
        rt_event_signal(ue->capture_event);
        node_thread_join(&ue->decode);
    }
}
