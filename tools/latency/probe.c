/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The near end of a latency measurement: a thread and a link per virtual AP, all sending at the same instants. */
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "fronthaul/encoding.h"
#include "tools/latency/latency.h"
#include "tools/latency/offset.h"
#include "tools/terminal/bar.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { IN_FLIGHT = 64, WINDOW = 1024 };
static const uint64_t WINDOW_NS = 1000000000u, JOIN_NS = 8000000000u, LEAD_NS = 50000000u, LAST_WAIT_NS = 1000000000u;

struct in_flight {
    bool open;
    uint64_t block, due_ns, awake_ns, sent_ns; /* clock_mono_ns */
    uint64_t sent_wall_ns;
};

struct probe;

/* One virtual AP; everything in it is its own thread's until that thread has ended, but for the atomics. */
struct virtual_ap {
    struct probe *probe;
    int id;
    pthread_t thread;
    bool started;
    fh_peer_t *peer;
    uint32_t session;
    struct in_flight in_flight[IN_FLIGHT]; /* block b at b % IN_FLIGHT */
    uint64_t n_open;
    struct exchange window[WINDOW];
    int n_window;
    uint64_t window_until_ns;
    struct latency_result result;
    tutti_cf32 *coefficients, *unpacked;
    float *large_scale;         /* [users]: the same for gains and error variances */
    struct wire_stream *stream; /* [users] */
    uint8_t *message;
    int status;
    char error[256];
};

struct probe {
    const struct latency_options *options;
    const char *endpoint;
    char boot_id[LATENCY_BOOT_ID_ROOM];
    atomic_bool same_clock, stop;
    atomic_int n_up, n_ended;
    _Atomic uint64_t start_ns, n_block; /* monotonic; 0: not yet */
    struct virtual_ap *ap;              /* [aps] */
};

const char *latency_series_name(enum latency_series series)
{
    static const char *const name[] = {"wake", "pack", "uplink", "gather", "downlink", "round_trip", "block"};
    return name[series];
}

/* Statistics ------------------------------------------------------------------------------------------------------- */

/* The one-way times of a window are known when its quickest exchange is. */
static void close_window(struct virtual_ap *ap)
{
    struct latency_result *r = &ap->result;
    if (ap->n_window == 0) {
        return;
    }
    struct offset offset = {0};
    if (!atomic_load(&ap->probe->same_clock)) {
        offset = offset_estimate(ap->window, ap->n_window);
        const double us = (double)offset.ns / 1e3, uncertainty_us = (double)offset.uncertainty_ns / 1e3;
        r->offset_least_us = r->have_offset ? fmin(r->offset_least_us, us) : us;
        r->offset_most_us = r->have_offset ? fmax(r->offset_most_us, us) : us;
        r->offset_uncertainty_us = fmax(r->offset_uncertainty_us, uncertainty_us);
        r->offset_us = us;
        r->have_offset = true;
    }
    for (int i = 0; i < ap->n_window; i++) {
        stats_hist_add(&r->ns[LATENCY_UPLINK], exchange_up_ns(&ap->window[i], offset.ns));
        stats_hist_add(&r->ns[LATENCY_DOWNLINK], exchange_down_ns(&ap->window[i], offset.ns));
    }
    ap->n_window = 0;
}

static void add_exchange(struct virtual_ap *ap, const struct exchange *e)
{
    const uint64_t now_ns = clock_mono_ns();
    if (ap->n_window == WINDOW || now_ns >= ap->window_until_ns) {
        close_window(ap);
        ap->window_until_ns = now_ns + WINDOW_NS;
    }
    ap->window[ap->n_window++] = *e;
}

static void judge(const struct latency_options *o, struct latency_result *r, uint64_t block_ns)
{
    const double us = (double)block_ns / 1e3;
    r->late += us > o->budget_us;
    r->on_time += us <= o->budget_us && us > o->budget_us - o->on_time_us;
    r->early += us <= o->budget_us - o->on_time_us;
}

static void merge(struct latency_result *into, const struct latency_result *from)
{
    for (int s = 0; s < LATENCY_N_SERIES; s++) {
        stats_hist_merge(&into->ns[s], &from->ns[s]);
    }
    into->sent += from->sent;
    into->early += from->early;
    into->on_time += from->on_time;
    into->late += from->late;
    into->lost += from->lost;
    into->skipped += from->skipped;
    into->bytes_up += from->bytes_up;
    into->bytes_down += from->bytes_down;
    if (!from->have_offset) {
        return;
    }
    /* every AP saw the same two clocks: the surest of them speaks */
    into->offset_least_us =
        into->have_offset ? fmin(into->offset_least_us, from->offset_least_us) : from->offset_least_us;
    into->offset_most_us = into->have_offset ? fmax(into->offset_most_us, from->offset_most_us) : from->offset_most_us;
    if (!into->have_offset || from->offset_uncertainty_us < into->offset_uncertainty_us) {
        into->offset_us = from->offset_us;
        into->offset_uncertainty_us = from->offset_uncertainty_us;
    }
    into->have_offset = true;
}

/* Messages --------------------------------------------------------------------------------------------------------- */

static struct wire_header header_of(const struct virtual_ap *ap, uint64_t block)
{
    const struct latency_options *o = ap->probe->options;
    struct wire_header header = {.type = o->probe_bytes ? WIRE_PROBE : WIRE_CSI,
                                 .node = (uint16_t)ap->id,
                                 .session = ap->session,
                                 .block = block,
                                 .tick = block};
    if (o->probe_bytes) {
        header.payload_bytes = (uint32_t)o->n_probe_bytes;
    } else {
        header.n_sb = (uint16_t)o->subbands;
        header.n_ant = (uint16_t)o->antennas;
        header.n_stream = (uint16_t)o->users;
        encoding_set(&header, &o->encoding, WIRE_CSI);
    }
    return header;
}

/* due_ns: when the block's pilots would have ended. What follows is measured from there and not from when this thread
 * woke: else a host that wakes late would hide its own lateness (coordinated omission). */
static void send_block(struct virtual_ap *ap, uint64_t block, uint64_t due_ns)
{
    struct in_flight *slot = &ap->in_flight[block % IN_FLIGHT];
    const struct wire_header header = header_of(ap, block);
    struct wire_csi_meta meta = {.noise_power = 1, .beta = ap->large_scale, .error_variance = ap->large_scale};
    if (slot->open) { /* never answered */
        ap->n_open--;
    }
    *slot = (struct in_flight){.open = true, .block = block, .due_ns = due_ns, .awake_ns = clock_mono_ns()};
    ap->n_open++;
    meta.capture_end_ns = clock_wall_ns();
    const size_t n = ap->probe->options->probe_bytes
                         ? wire_pack_probe(ap->message, WIRE_MAX_BYTES, &header, ap->message + WIRE_HEADER_BYTES)
                         : wire_pack_csi(ap->message, WIRE_MAX_BYTES, &header, &meta, ap->coefficients);
    slot->sent_ns = clock_mono_ns();
    slot->sent_wall_ns = clock_wall_ns();
    wire_stamp_send_time(ap->message, n, slot->sent_wall_ns);
    const bool counted = block >= LATENCY_WARM_UP_BLOCKS;
    ap->result.sent += counted;
    ap->result.message_up_bytes = n;
    if (fh_peer_send(ap->peer, ap->message, n) != TUTTI_OK || !counted) {
        return;
    }
    ap->result.bytes_up += n;
}

static void receive(struct virtual_ap *ap, const uint8_t *data, size_t n_bytes)
{
    const struct latency_options *o = ap->probe->options;
    struct wire_header h;
    struct wire_precoder_meta meta = {.stream = ap->stream};
    const size_t room = (size_t)o->subbands * (size_t)o->antennas * (size_t)o->users;
    const int error = o->probe_bytes ? wire_unpack_header(data, n_bytes, &h)
                                     : wire_unpack_precoder(data, n_bytes, &h, &meta, o->users, ap->unpacked, room);
    const uint64_t now_wall_ns = clock_wall_ns(), now_ns = clock_mono_ns();
    struct in_flight *slot = &ap->in_flight[h.block % IN_FLIGHT];
    if (error != WIRE_OK || !slot->open || slot->block != h.block) {
        return;
    }
    slot->open = false;
    ap->n_open--;
    ap->result.message_down_bytes = n_bytes;
    if (h.block < LATENCY_WARM_UP_BLOCKS) {
        return;
    }
    ap->result.bytes_down += n_bytes;
    const uint64_t answered_ns = h.send_time_ns, received_ns = o->probe_bytes ? answered_ns : h.tick;
    add_exchange(ap,
                 &(struct exchange){.t1 = slot->sent_wall_ns, .t2 = received_ns, .t3 = answered_ns, .t4 = now_wall_ns});
    stats_hist_add(&ap->result.ns[LATENCY_WAKE], slot->awake_ns - slot->due_ns);
    stats_hist_add(&ap->result.ns[LATENCY_PACK], slot->sent_ns - slot->awake_ns);
    stats_hist_add(&ap->result.ns[LATENCY_GATHER], answered_ns - received_ns);
    stats_hist_add(&ap->result.ns[LATENCY_ROUND_TRIP], now_ns - slot->sent_ns);
    stats_hist_add(&ap->result.ns[LATENCY_BLOCK], now_ns - slot->due_ns);
    judge(o, &ap->result, now_ns - slot->due_ns);
}

/* A virtual AP ------------------------------------------------------------------------------------------------------
 */

static void read_clock(struct probe *probe, const char *text)
{
    char other[LATENCY_BOOT_ID_ROOM] = "";
    if (sscanf(text, "{\"type\":\"clock\",\"boot_id\":\"%39[0-9a-f-]\"}", other) == 1) {
        atomic_store(&probe->same_clock, *other && strcmp(other, probe->boot_id) == 0);
    }
}

static int handle(struct virtual_ap *ap, const struct fh_event *event)
{
    switch (event->kind) {
    case FH_EVENT_DATA:
        receive(ap, event->data, event->n_bytes);
        return TUTTI_OK;
    case FH_EVENT_CONTROL:
        read_clock(ap->probe, (const char *)event->data);
        return TUTTI_OK;
    case FH_EVENT_DOWN:
        return error_set(TUTTI_ECLOSED, "%s: the server is gone", ap->probe->endpoint);
    case FH_EVENT_REFUSED:
        return TUTTI_EREFUSED;
    case FH_EVENT_STOP:
        return rt_stop_requested() ? TUTTI_ESTOPPED
                                   : error_set(TUTTI_ECLOSED, "%s: the server has stopped", ap->probe->endpoint);
    default:
        return TUTTI_OK;
    }
}

/* Handles what comes until the given time. */
static int listen_until(struct virtual_ap *ap, uint64_t until_ns)
{
    int status = TUTTI_OK;
    for (uint64_t now_ns = clock_mono_ns(); status == TUTTI_OK && now_ns < until_ns; now_ns = clock_mono_ns()) {
        struct fh_event event;
        if (atomic_load(&ap->probe->stop)) {
            return TUTTI_ESTOPPED;
        }
        /* rounded up: the sleep for the rest of a microsecond would be a busy loop */
        status = fh_peer_wait(ap->peer, -1, (int64_t)((until_ns - now_ns + 999) / 1000), &event);
        if (status == TUTTI_OK) {
            status = handle(ap, &event);
        }
    }
    return status;
}

static int join(struct virtual_ap *ap)
{
    const uint64_t deadline_ns = clock_mono_ns() + JOIN_NS;
    while (!atomic_load(&ap->probe->stop)) {
        struct fh_event event;
        int status = fh_peer_wait(ap->peer, -1, 50000, &event);
        if (status == TUTTI_OK && event.kind == FH_EVENT_UP) {
            ap->session = event.welcome.session;
            atomic_fetch_add(&ap->probe->n_up, 1);
            return TUTTI_OK;
        }
        status = status == TUTTI_OK ? handle(ap, &event) : status;
        if (status < 0) {
            return status;
        }
        if (clock_mono_ns() > deadline_ns) {
            return error_set(TUTTI_ETIMEOUT, "%s: no answer; is `tutti latency serve` running there%s?",
                             ap->probe->endpoint, ap->probe->options->key_dir ? ", with the same keys" : "");
        }
    }
    return TUTTI_ESTOPPED;
}

static int wait_for_start(struct virtual_ap *ap)
{
    int status = TUTTI_OK;
    while (status == TUTTI_OK && !atomic_load(&ap->probe->start_ns)) {
        status = listen_until(ap, clock_mono_ns() + 2000000);
    }
    return status;
}

static int run_blocks(struct virtual_ap *ap)
{
    const struct latency_options *o = ap->probe->options;
    const double interval_ns = o->interval_us * 1e3;
    const uint64_t start_ns = atomic_load(&ap->probe->start_ns), n = o->n_blocks + LATENCY_WARM_UP_BLOCKS;
    int status = TUTTI_OK;
    for (uint64_t b = 0; b < n && status == TUTTI_OK; b++) {
        const uint64_t due_ns = start_ns + (uint64_t)((double)b * interval_ns), now_ns = clock_mono_ns();
        if (now_ns > due_ns + (uint64_t)interval_ns) { /* asleep for a whole block: a radio would have gone on */
            ap->result.skipped += b >= LATENCY_WARM_UP_BLOCKS;
            ap->result.late += b >= LATENCY_WARM_UP_BLOCKS;
            continue;
        }
        status = listen_until(ap, due_ns);
        if (status == TUTTI_OK) {
            send_block(ap, b, due_ns);
        }
        if (ap->id == 0) {
            atomic_store(&ap->probe->n_block, b);
        }
    }
    const uint64_t deadline_ns = clock_mono_ns() + LAST_WAIT_NS;
    while (status == TUTTI_OK && ap->n_open && clock_mono_ns() < deadline_ns) {
        status = listen_until(ap, clock_mono_ns() + 1000000);
    }
    close_window(ap);
    const struct latency_result *r = &ap->result;
    ap->result.lost = r->sent + r->skipped - r->early - r->on_time - r->late;
    return status;
}

static void *ap_main(void *argument)
{
    struct virtual_ap *ap = argument;
    int status = join(ap);
    status = status == TUTTI_OK ? wait_for_start(ap) : status;
    status = status == TUTTI_OK ? run_blocks(ap) : status;
    ap->status = status;
    snprintf(ap->error, sizeof ap->error, "%s", status < 0 ? error_text() : "");
    if (status < 0) {
        atomic_store(&ap->probe->stop, true);
    }
    atomic_fetch_add(&ap->probe->n_ended, 1);
    return NULL;
}

static int start_ap(struct probe *probe, int id)
{
    const struct latency_options *o = probe->options;
    struct virtual_ap *ap = &probe->ap[id];
    ap->probe = probe;
    ap->id = id;
    const size_t n = (size_t)o->subbands * (size_t)o->antennas * (size_t)o->users;
    ap->coefficients = malloc(n * sizeof *ap->coefficients);
    ap->unpacked = malloc(n * sizeof *ap->unpacked);
    ap->message = calloc(1, WIRE_MAX_BYTES); /* touched only as far as messages go */
    ap->large_scale = calloc((size_t)o->users, sizeof *ap->large_scale);
    ap->stream = calloc((size_t)o->users, sizeof *ap->stream);
    if (!ap->coefficients || !ap->unpacked || !ap->message || !ap->large_scale || !ap->stream) {
        return error_set(TUTTI_ENOMEM, "out of memory for %d APs", o->aps);
    }
    for (size_t i = 0; i < n; i++) { /* no two alike, so that nothing gains from repetition */
        ap->coefficients[i] = __builtin_complex((float)sin((double)i + id), (float)cos(1.7 * (double)i));
    }
    const struct fh_hello hello = {
        .role = FH_ROLE_AP, .id = id, .fingerprint = LATENCY_FINGERPRINT, .key_dir = o->key_dir};
    const int status = fh_peer_create(&ap->peer, probe->endpoint, &hello, 5000);
    if (status < 0) {
        return status;
    }
    fh_peer_busy_poll(ap->peer, o->encoding.busy_poll_us);
    if (pthread_create(&ap->thread, NULL, ap_main, ap)) {
        return error_set(TUTTI_ENOMEM, "cannot start a thread for AP %d", id);
    }
    ap->started = true;
    return TUTTI_OK;
}

/* The whole ---------------------------------------------------------------------------------------------------------
 */

double latency_cpu_s(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           1e-6 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void watch(struct probe *probe)
{
    const struct latency_options *o = probe->options;
    struct bar bar;
    bar_begin(&bar, "measuring", "blocks", o->n_blocks + LATENCY_WARM_UP_BLOCKS, o->quiet);
    while (atomic_load(&probe->n_ended) < o->aps) {
        if (rt_stop_requested()) {
            atomic_store(&probe->stop, true);
        }
        if (!atomic_load(&probe->start_ns) && atomic_load(&probe->n_up) == o->aps) {
            atomic_store(&probe->start_ns, clock_mono_ns() + LEAD_NS);
        }
        clock_sleep_until_ns(clock_mono_ns() + 20000000);
        bar_update(&bar, atomic_load(&probe->n_block));
    }
    bar_end(&bar);
}

/* The first AP that failed of itself, not because another did, tells why. */
static int first_error(const struct probe *probe)
{
    int status = TUTTI_OK;
    for (int i = 0; i < probe->options->aps; i++) {
        const struct virtual_ap *ap = &probe->ap[i];
        if (ap->status < 0 && (status == TUTTI_OK || status == TUTTI_ESTOPPED)) {
            status = error_set(ap->status, "%s", ap->error);
        }
    }
    return status == TUTTI_ESTOPPED && probe->ap[0].result.sent ? TUTTI_OK : status; /* by hand: report what there is */
}

static int collect(struct probe *probe, struct latency_result *result, const struct rusage *before)
{
    struct rusage after;
    getrusage(RUSAGE_SELF, &after);
    const int status = first_error(probe);
    for (int i = 0; i < probe->options->aps; i++) {
        merge(result, &probe->ap[i].result);
    }
    result->message_up_bytes = probe->ap[0].result.message_up_bytes;
    result->message_down_bytes = probe->ap[0].result.message_down_bytes;
    result->same_clock = atomic_load(&probe->same_clock);
    result->probe_cpu_s = latency_cpu_s(&after) - latency_cpu_s(before);
    result->server_cpu_s = NAN;
    if (status == TUTTI_OK && result->ns[LATENCY_BLOCK].count == 0) {
        return error_set(TUTTI_ETIMEOUT, "%s: no block was answered", probe->endpoint);
    }
    return status;
}

int latency_probe(const struct latency_options *options, const char *endpoint, struct latency_result *result)
{
    struct probe probe = {.options = options, .endpoint = endpoint};
    struct rusage before;
    int status = TUTTI_OK, n_started = 0;
    *result = (struct latency_result){0};
    latency_boot_id(probe.boot_id);
    probe.ap = calloc((size_t)options->aps, sizeof *probe.ap);
    if (!probe.ap) {
        return error_set(TUTTI_ENOMEM, "out of memory for %d APs", options->aps);
    }
    getrusage(RUSAGE_SELF, &before);
    for (; status == TUTTI_OK && n_started < options->aps; n_started++) {
        status = start_ap(&probe, n_started);
    }
    if (status == TUTTI_OK) {
        watch(&probe);
    }
    atomic_store(&probe.stop, true);
    for (int i = 0; i < options->aps; i++) {
        if (probe.ap[i].started) {
            pthread_join(probe.ap[i].thread, NULL);
        }
    }
    const uint64_t start_ns = atomic_load(&probe.start_ns);
    if (status == TUTTI_OK) {
        status = collect(&probe, result, &before);
    }
    result->elapsed_s = start_ns ? fmax(0, (double)atomic_load(&probe.n_block) + 1 - LATENCY_WARM_UP_BLOCKS) *
                                       options->interval_us * 1e-6
                                 : 0;
    for (int i = 0; i < options->aps; i++) {
        fh_peer_destroy(probe.ap[i].peer);
        free(probe.ap[i].coefficients);
        free(probe.ap[i].unpacked);
        free(probe.ap[i].message);
        free(probe.ap[i].large_scale);
        free(probe.ap[i].stream);
    }
    free(probe.ap);
    return status;
}
