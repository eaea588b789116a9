/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/link.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "fronthaul/encoding.h"
#include "node/join.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CSI_SLOTS = 8, OTHER_SLOTS = 2, UPLINK_SLOTS = 4 };

static int create_rings(struct ap_link *link)
{
    int status = ring_create(&link->csi_out, CSI_SLOTS, sizeof(struct ap_message) + link->message_room);
    status =
        status < 0 ? status : ring_create(&link->other_out, OTHER_SLOTS, sizeof(struct ap_message) + link->other_room);
    if (status >= 0 && link->uplink_room > 0) {
        status = ring_create(&link->uplink_out, UPLINK_SLOTS, sizeof(struct ap_message) + link->uplink_room);
    }
    return status;
}

int ap_link_create(struct ap_link *link, const struct config *config, int id, int n_sb, int room, size_t uplink_room,
                   struct sounder *sounder, struct reciprocity *reciprocity)
{
    const int n_ant = config->network.n_ant, n_ue = config->network.n_ue;
    *link = (struct ap_link){.config = config,
                             .csi_event = rt_event_create(),
                             .precoder_event = rt_event_create(),
                             .room = room,
                             .sounder = sounder,
                             .most_shift = sounder->frame->fft_size / 2,
                             .reciprocity = reciprocity,
                             .other_room = sounder_message_bytes(sounder),
                             .uplink_room = uplink_room,
                             .id = (uint16_t)id,
                             .n_sb = (uint16_t)n_sb,
                             .n_ant = (uint16_t)n_ant,
                             .n_ue = (uint16_t)n_ue};
    if (link->csi_event < 0 || link->precoder_event < 0) {
        return TUTTI_EIO;
    }
    struct wire_header largest = {.n_sb = (uint16_t)n_sb,
                                  .n_ant = (uint16_t)n_ant,
                                  .n_stream = (uint16_t)config_n_reported(config),
                                  .type = WIRE_CSI};
    encoding_of_network(&largest, config, WIRE_CSI);
    link->message_room = wire_csi_bytes(&largest, WIRE_MAX_ACCOUNTS);
    if (link->message_room == 0) {
        return error_set(TUTTI_ECONFIG, "estimates of %d subbands, %d antennas and %d users do not fit one message",
                         n_sb, n_ant, n_ue);
    }
    if (config->cluster.enabled) { /* users' gains go the same way */
        const size_t gains = wire_array_bytes(
            &(struct wire_header){.encoding = WIRE_NONE, .n_sb = 1, .n_ant = 1, .n_stream = 1}, 2 * (uint32_t)n_ue);
        link->message_room = gains > link->message_room ? gains : link->message_room;
    }
    int status = create_rings(link);
    status = status < 0 ? status : roster_book_create(&link->rosters, config);
    link->roster = calloc(1, roster_bytes(config));
    if (!link->roster) {
        return error_set(TUTTI_ENOMEM, "out of memory for the rosters");
    }
    return status < 0 ? status : inbox_create(&link->inbox, room, (size_t)n_sb * (size_t)n_ant * (size_t)room);
}

void ap_link_destroy(struct ap_link *link)
{
    ap_link_stop(link);
    fh_peer_destroy(link->peer);
    ring_destroy(link->csi_out);
    ring_destroy(link->other_out);
    ring_destroy(link->uplink_out);
    inbox_destroy(link->inbox);
    roster_book_destroy(link->rosters);
    free(link->roster);
    if (link->config) {
        close(link->csi_event);
        close(link->precoder_event);
    }
    *link = (struct ap_link){0};
}

struct ap_message *ap_link_message(struct ap_link *link)
{
    return ring_write_slot(link->csi_out);
}

void ap_link_send(struct ap_link *link)
{
    ring_push(link->csi_out);
    rt_event_signal(link->csi_event);
}

struct ap_message *ap_link_other(struct ap_link *link)
{
    return ring_write_slot(link->other_out);
}

void ap_link_send_other(struct ap_link *link)
{
    ring_push(link->other_out);
    rt_event_signal(link->csi_event);
}

struct ap_message *ap_link_uplink(struct ap_link *link)
{
    return ring_write_slot(link->uplink_out);
}

void ap_link_send_uplink(struct ap_link *link)
{
    ring_push(link->uplink_out);
    rt_event_signal(link->csi_event);
}

static void send_all(struct ap_link *link, ring_t *ring)
{
    const struct ap_message *message;
    while ((message = ring_peek(ring, 0)) != NULL) {
        uint8_t *bytes = (uint8_t *)(uintptr_t)message->bytes; /* ours until popped; only the stamp changes */
        wire_stamp_send_time(bytes, message->n_bytes, clock_wall_ns());
        fh_peer_send(link->peer, bytes, message->n_bytes); /* not welcomed or full: counted by the peer */
        ring_pop(ring);
    }
}

/* JSON has neither infinity nor NaN. */
static json_t *finite_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* How this AP stands to the reference (docs/wire.md). */
static void tell_sync(struct ap_link *link)
{
    const struct slave_note *n;
    while (link->notes && (n = ring_peek(link->notes, 0)) != NULL) {
        json_t *root = json_pack(
            "{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:i}", "type", "sync", "block",
            (json_int_t)n->block, "cfo_hz", finite_or_null(n->cfo_hz), "error_rad", finite_or_null(n->error_rad),
            "snr_db", finite_or_null(n->snr_db), "delay_samples", finite_or_null(n->delay_samples), "drift_ppm",
            finite_or_null(n->drift_ppm), "misfit", finite_or_null(n->misfit), "heard", (json_int_t)n->heard, "missed",
            (json_int_t)n->missed, "slips", (json_int_t)n->slips, "moved_samples", n->moved_samples);
        char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
        if (text) {
            fh_peer_send_control(link->peer, text);
        }
        free(text);
        json_decref(root);
        ring_pop(link->notes);
    }
}

static void send_reports(struct ap_link *link)
{
    rt_event_wait(link->csi_event, 0);
    tell_sync(link);
    send_all(link, link->csi_out);
    send_all(link, link->other_out);
    if (link->uplink_out) {
        send_all(link, link->uplink_out);
    }
}

static bool fits(const struct ap_link *link, const struct ap_precoder *p)
{
    if (p->header.n_sb != link->n_sb || p->header.n_ant != link->n_ant || p->header.node != link->id) {
        return false;
    }
    for (int s = 0; s < p->header.n_stream; s++) {
        if (p->meta.stream[s].kind == WIRE_STREAM_DATA && p->meta.stream[s].user >= link->n_ue) {
            return false;
        }
    }
    return true;
}

/* Said whenever the central node changes them: whoever owns the amplifier wants to know. */
static void tell_limits(struct ap_link *link, const struct wire_precoder_meta *meta)
{
    const double dbm = config_radio_of(link->config, CONFIG_ROLE_AP, link->id)->tx_power_dbm;
    if (meta->power_mean != link->power_mean || meta->power_peak != link->power_peak) {
        link->power_mean = meta->power_mean;
        link->power_peak = meta->power_peak;
        log_write(LOG_INFO, "link", "POWER-LIMIT mean_dbm=%.2f peak_dbm=%.2f",
                  dbm + 10 * log10((double)meta->power_mean), dbm + 10 * log10((double)meta->power_peak));
    }
}

static void receive_precoder(struct ap_link *link, const uint8_t *data, size_t n_bytes)
{
    struct ap_precoder *p = inbox_slot(link->inbox);
    int error = wire_unpack_precoder(data, n_bytes, &p->header, &p->meta, link->room, p->V,
                                     (size_t)link->n_sb * (size_t)link->n_ant * (size_t)link->room);
    if (error == WIRE_OK && !fits(link, p)) {
        error = WIRE_BAD_SHAPE;
    }
    if (error != WIRE_OK) {
        link->refused[error]++;
        return;
    }
    if (p->header.session != atomic_load_explicit(&link->session, memory_order_relaxed)) {
        link->wrong_session++;
        return;
    }
    tell_limits(link, &p->meta);
    p->received_ns = clock_wall_ns();
    p->received_mono_ns = clock_mono_ns();
    atomic_store_explicit(&link->account_ack, p->meta.account_ack, memory_order_relaxed);
    inbox_push(link->inbox);
    rt_event_signal(link->precoder_event);
}

/* In lock-step: do not wait for a precoder of this block. */
static void hear_no_precoder(struct ap_link *link, const json_t *root)
{
    const json_int_t block = json_integer_value(json_object_get(root, "block"));
    if (block >= 0) {
        atomic_store_explicit(&link->no_precoder, (uint64_t)block + 1, memory_order_release);
        rt_event_signal(link->precoder_event);
    }
}

/* Until the next calibration counts, or the session ends. */
static void hear_silent(struct ap_link *link, const json_t *root)
{
    (void)root;
    atomic_store(&link->silent, true);
    log_write(LOG_INFO, "link", "SILENT until calibrated");
}

static void hear_sound(struct ap_link *link, const json_t *root)
{
    const json_int_t run = json_integer_value(json_object_get(root, "run"));
    const json_int_t from = json_integer_value(json_object_get(root, "from_block"));
    const json_int_t n = json_integer_value(json_object_get(root, "n_blocks"));
    if (run > 0 && run < UINT32_MAX && from >= 0 && n > 0) {
        const struct sounder_plan plan = {(uint32_t)run, (uint64_t)from, (uint64_t)from + (uint64_t)n};
        sounder_order(link->sounder, &plan);
        log_write(LOG_INFO, "link", "SOUNDING run=%u from_block=%llu n_blocks=%llu", plan.run, (unsigned long long)from,
                  (unsigned long long)n);
    }
}

/* A clock that is off by more than a symbol is none to be corrected unseen. */
static int shift_of(const json_t *root, int most)
{
    const json_int_t shift = json_integer_value(json_object_get(root, "shift_samples"));
    return shift >= -most && shift <= most ? (int)shift : 0;
}

/* A table comes in runs of subbands, in order; the last one makes it count. */
static void hear_calibration(struct ap_link *link, const json_t *root)
{
    const json_t *c = json_object_get(root, "c");
    const size_t n_ant = link->n_ant, first = (size_t)json_integer_value(json_object_get(root, "first_sb"));
    const size_t n = json_array_size(c), end = first + n / (2 * n_ant);
    struct reciprocity_part *part = reciprocity_slot(link->reciprocity);
    if (!part || n % (2 * n_ant) != 0 || first > link->n_sb || end > link->n_sb) {
        return;
    }
    part->run = (uint32_t)json_integer_value(json_object_get(root, "run"));
    part->from_block = (uint64_t)json_integer_value(json_object_get(root, "from_block"));
    part->delay_samples = json_number_value(json_object_get(root, "delay_samples"));
    part->error_variance = json_number_value(json_object_get(root, "error_variance"));
    part->shift_samples = shift_of(root, link->most_shift);
    for (size_t i = 0; i < n / 2; i++) {
        const double re = json_number_value(json_array_get(c, 2 * i)),
                     im = json_number_value(json_array_get(c, 2 * i + 1));
        part->c[first * n_ant + i] = CMPLXF((float)re, (float)im);
    }
    if (end == link->n_sb) {
        reciprocity_push(link->reciprocity);
        log_write(LOG_INFO, "link", "CALIBRATED run=%u from_block=%llu shift_samples=%d delay_samples=%.4f", part->run,
                  (unsigned long long)part->from_block, part->shift_samples, part->delay_samples);
    }
}

/* Who is served from some block on. */
static bool hear_roster(struct ap_link *link, const char *text)
{
    if (roster_read(link->config, text, link->roster) < 0) {
        return false;
    }
    if (!roster_book_add(link->rosters, link->roster)) {
        log_write(LOG_WARNING, "link", "ROSTER-LOST from_block=%llu", (unsigned long long)link->roster->from_block);
    }
    return true;
}

static void receive_control(struct ap_link *link, const char *text)
{
    static const struct {
        const char *type;
        void (*hear)(struct ap_link *link, const json_t *root);
    } words[] = {{"no_precoder", hear_no_precoder},
                 {"sound", hear_sound},
                 {"silent", hear_silent},
                 {"calibration", hear_calibration}};
    json_t *root = hear_roster(link, text) ? NULL : json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    for (size_t i = 0; type && i < sizeof words / sizeof *words; i++) {
        if (strcmp(type, words[i].type) == 0) {
            words[i].hear(link, root);
        }
    }
    json_decref(root);
}

static void session_up(struct ap_link *link, const struct fh_welcome *welcome)
{
    atomic_store(&link->silent, false);
    atomic_store_explicit(&link->no_precoder, 0, memory_order_relaxed);
    atomic_store_explicit(&link->account_ack, 0, memory_order_relaxed);
    atomic_store_explicit(&link->epoch, welcome->epoch, memory_order_relaxed);
    atomic_store_explicit(&link->session, welcome->session, memory_order_release);
    log_write(LOG_INFO, "link", "CPU-UP session=%u epoch_tick=%llu", welcome->session,
              (unsigned long long)welcome->epoch);
}

static void session_down(struct ap_link *link)
{
    atomic_store(&link->silent, false);
    atomic_store_explicit(&link->session, 0, memory_order_release);
    rt_event_signal(link->precoder_event); /* do not let the slot thread wait for a dead central node */
    log_write(LOG_WARNING, "link", "CPU-DOWN reconnecting");
}

static void on_event(struct ap_link *link, const struct fh_event *event)
{
    switch (event->kind) {
    case FH_EVENT_FD:
        send_reports(link);
        break;
    case FH_EVENT_DATA:
        receive_precoder(link, event->data, event->n_bytes);
        break;
    case FH_EVENT_CONTROL:
        receive_control(link, (const char *)event->data);
        break;
    case FH_EVENT_UP:
        session_up(link, &event->welcome);
        break;
    case FH_EVENT_DOWN:
        session_down(link);
        break;
    default:
        break;
    }
}

static int link_main(void *argument)
{
    struct ap_link *link = argument;
    struct fh_event event;
    int status;
    while ((status = node_next_event(link->peer, link->csi_event, &event)) > 0) {
        link->wakeups++;
        on_event(link, &event);
    }
    atomic_store_explicit(&link->session, 0, memory_order_release);
    rt_event_signal(link->precoder_event); /* the slot thread may be waiting: let it see the stop */
    return status;
}

int ap_link_start(struct ap_link *link, const struct fh_welcome *welcome)
{
    atomic_store(&link->epoch, welcome->epoch);
    atomic_store(&link->session, welcome->session);
    link->thread = (struct node_thread){.name = "link",
                                        .duty = NODE_DUTY_LINK,
                                        .engine = &link->config->engine,
                                        .core = -1,
                                        .body = link_main,
                                        .argument = link};
    return node_thread_start(&link->thread);
}

void ap_link_stop(struct ap_link *link)
{
    if (link->thread.running) {
        rt_stop_request();
        rt_event_signal(link->csi_event);
        node_thread_join(&link->thread);
    }
}

void ap_link_log_counters(const struct ap_link *link)
{
    uint64_t refused = 0;
    for (int e = 0; e < WIRE_N_ERRORS; e++) {
        refused += link->refused[e];
    }
    log_write(LOG_INFO, "link", "COUNTERS refused=%llu wrong_session=%llu ring_full=%llu events=%llu",
              (unsigned long long)refused, (unsigned long long)link->wrong_session,
              (unsigned long long)inbox_dropped(link->inbox), (unsigned long long)link->wakeups);
    struct fh_counters counters;
    fh_peer_counters(link->peer, &counters);
    fh_counters_log(&counters, config_cpu_endpoint(link->config, config_cpu_of_ap(link->config, link->id)));
}
