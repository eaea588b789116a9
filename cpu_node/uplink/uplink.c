/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/uplink/uplink.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/ring.h"
#include "base/rt.h"
#include "channel/channel.h"
#include "cpu_node/uplink/decoders.h"
#include "cpu_node/uplink/doubt.h"
#include "cpu_node/uplink/together.h"
#include "cpu_node/uplink/weights.h"
#include "cpu_node/uplink/window.h"
#include "fronthaul/encoding.h"
#include "node/thread.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ITEM_BLOCK = -1, ITEM_GONE = -2 }; /* ITEM_GONE - c: central node c has gone */

/* In the ring: a message of AP `ap`, or of central node ap - n_ap, or ITEM_BLOCK and behind it what is known of a
 * block, in the order of write_block. */
struct item {
    int ap;
    uint64_t number;
    size_t n_bytes;
    uint8_t bytes[];
};

struct uplink {
    struct uplink_settings settings;
    struct uplink_shape shape;
    struct node_thread thread;
    ring_t *items; /* block thread -> uplink thread */
    size_t room;   /* bytes of one */
    int event, space;
    /* uplink thread */
    struct uplink_window window;
    uplink_weights_t *weights;
    uplink_decoders_t *decoders;
    uplink_together_t *together;     /* NULL: alone */
    struct uplink_user *users;       /* [n_ue] */
    struct record_uplink_user *rows; /* [n_ue] */
    uint64_t n_blocks;
    double to_uplink;   /* amplitude from the estimates' units */
    uint8_t *doubted;   /* [n_ap] once */
    uint64_t n_doubted; /* AP-blocks */
    /* block thread */
    uint64_t n_dropped;
    bool begun;
    uint64_t last;   /* newest block handed over */
    uint64_t n_off;  /* parts that say nothing of how far a partner is */
    uint64_t *heard; /* [n_cpu] newest block + 1 of a partner's parts, 0: not yet */
};

/* Life ------------------------------------------------------------------------------------------------------------- */

static size_t coefficients_of(const struct uplink_shape *s)
{
    return s->local ? 0 : (size_t)s->frame->n_sb * (size_t)s->n_ap * (size_t)s->n_ant * (size_t)s->n_ue;
}

static size_t block_bytes(const struct uplink_shape *s)
{
    const size_t n_ap = (size_t)s->n_ap, n_ue = (size_t)s->n_ue;
    const size_t homes = s->n_cpu > 0 ? n_ue * (1 + sizeof(int32_t)) + (size_t)s->n_cpu + 12 : 0;
    return n_ap + n_ue * (1 + sizeof(int32_t)) + 2 * n_ap * n_ue * sizeof(float) +
           coefficients_of(s) * sizeof(tutti_cf32) + homes;
}

static size_t message_bytes(const struct uplink *u)
{
    struct wire_header header = {.type = WIRE_UPLINK,
                                 .n_sb = (uint16_t)(u->shape.frame->n_ul * u->shape.frame->n_sb),
                                 .n_ant = (uint16_t)u->shape.n_column,
                                 .n_stream = (uint16_t)u->shape.frame->sc_per_sb};
    encoding_of_uplink(&header, u->settings.config);
    return wire_array_bytes(&header, uplink_n_statistic(&u->shape));
}

static int create_together(struct uplink *u)
{
    const struct uplink_together_settings settings = {.shape = u->shape,
                                                      .config = u->settings.config,
                                                      .company = u->settings.company,
                                                      .lockstep = u->settings.lockstep};
    u->heard = calloc((size_t)u->shape.n_cpu + 1, sizeof *u->heard);
    return u->heard ? uplink_together_create(&u->together, &settings)
                    : error_set(TUTTI_ENOMEM, "out of memory for the uplink");
}

static size_t room_of(const struct uplink *u)
{
    const size_t message = message_bytes(u), block = block_bytes(&u->shape);
    const size_t part = u->shape.n_cpu > 0 ? uplink_parts_bytes(&u->shape, u->settings.config) : 0;
    const size_t most = message > block ? message : block;
    return most > part ? most : part;
}

static int create_parts(struct uplink *u)
{
    const struct config *c = u->settings.config;
    const size_t message = message_bytes(u);
    if (message == 0) {
        return error_set(TUTTI_ECONFIG, "uplink.mode: the U symbols of a block do not fit one message");
    }
    u->users = calloc((size_t)u->shape.n_ue, sizeof *u->users);
    u->rows = calloc((size_t)u->shape.n_ue, sizeof *u->rows);
    u->doubted = calloc((size_t)u->shape.n_ap, 1);
    u->to_uplink = sqrt(channel_uplink_snr_scale(c) / channel_downlink_snr_scale(c));
    u->room = room_of(u);
    u->event = rt_event_create();
    u->space = rt_event_create();
    int status = u->users && u->rows && u->doubted ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the uplink");
    status = status < 0 || (u->event >= 0 && u->space >= 0) ? status : TUTTI_EIO;
    if (status >= 0) {
        const size_t n_sender = (size_t)u->shape.n_ap + (size_t)u->shape.n_cpu;
        status = ring_create(&u->items, 2 * (n_sender + 1), sizeof(struct item) + u->room);
    }
    const struct uplink_weights_settings weights = {.shape = u->shape, .config = c};
    status = status < 0 ? status : uplink_window_create(&u->window, &u->shape);
    status = status < 0 ? status : uplink_weights_create(&u->weights, &weights);
    status = status < 0 ? status : create_together(u);
    status = status < 0 ? status : uplink_decoders_create(&u->decoders, c, u->shape.frame);
    return status;
}

int uplink_create(uplink_t **uplink, const struct uplink_settings *settings)
{
    *uplink = NULL;
    if (settings->config->uplink.mode == CONFIG_UPLINK_NONE) {
        return TUTTI_OK;
    }
    struct uplink *u = *uplink = calloc(1, sizeof *u);
    if (!u) {
        return error_set(TUTTI_ENOMEM, "out of memory for the uplink");
    }
    u->settings = *settings;
    u->shape = uplink_shape_of(settings->config, settings->frame);
    u->shape.n_cpu = settings->company.n_cpu > 1 ? settings->company.n_cpu : 0;
    u->event = u->space = -1;
    return create_parts(u);
}

void uplink_stop(uplink_t *u)
{
    if (u && u->thread.running) {
        rt_stop_request();
        rt_event_signal(u->event);
        node_thread_join(&u->thread);
    }
}

void uplink_destroy(uplink_t *u)
{
    if (!u) {
        return;
    }
    uplink_stop(u);
    uplink_decoders_destroy(u->decoders);
    uplink_together_destroy(u->together);
    uplink_weights_destroy(u->weights);
    uplink_window_destroy(&u->window);
    ring_destroy(u->items);
    if (u->event >= 0) {
        close(u->event);
    }
    if (u->space >= 0) {
        close(u->space);
    }
    free(u->users);
    free(u->rows);
    free(u->doubted);
    free(u->heard);
    free(u);
}

void uplink_log_counters(const uplink_t *u)
{
    if (u) {
        log_write(LOG_INFO, "uplink",
                  "COUNTERS blocks=%" PRIu64 " lost=%" PRIu64 " late=%" PRIu64 " refused=%" PRIu64 " dropped=%" PRIu64
                  " implausible=%" PRIu64,
                  u->n_blocks, u->window.n_lost, u->window.n_late, u->window.n_refused, u->n_dropped, u->n_doubted);
    }
    if (u && u->together) {
        const struct uplink_parts_counters c = uplink_parts_counters(uplink_together_parts(u->together));
        log_write(LOG_INFO, "uplink",
                  "PARTS lost=%" PRIu64 " late=%" PRIu64 " early=%" PRIu64 " refused=%" PRIu64 " unsent=%" PRIu64
                  " off=%" PRIu64,
                  c.lost, c.late, c.early, c.refused, uplink_together_unsent(u->together), u->n_off);
    }
}

/* Block thread ----------------------------------------------------------------------------------------------------- */

/* In lock-step, where nothing may depend on the machine, waits for room. */
static struct item *claim(struct uplink *u)
{
    struct item *item = ring_write_slot(u->items);
    while (!item && u->settings.lockstep && !rt_stop_requested()) {
        rt_event_wait(u->space, 100000);
        item = ring_write_slot(u->items);
    }
    u->n_dropped += !item;
    return item;
}

static void publish(struct uplink *u)
{
    ring_push(u->items);
    rt_event_signal(u->event);
}

static uint8_t *put(uint8_t *at, const void *from, size_t n)
{
    memcpy(at, from, n);
    return at + n;
}

/* Who sends data in this block: who waits sends a pilot at most. */
static bool sends(const struct cpu_block *block, const uint8_t *users, size_t k)
{
    return users ? users[k] : block->user_here[k] && block->seat[k] >= 0 && block->sequence[k] >= 0;
}

static uint8_t *put_homes(const struct uplink *u, uint8_t *at, const struct cpu_block *block,
                          const struct uplink_homes *homes)
{
    const size_t n_ue = (size_t)u->shape.n_ue;
    at = put(at, homes->home, n_ue * sizeof *homes->home);
    at = put(at, homes->helps, n_ue);
    at = put(at, homes->partner, (size_t)u->shape.n_cpu);
    at = put(at, &block->tick, 8);
    return put(at, &block->session, 4);
}

/* In another time nobody has been heard yet. */
static void go_on(struct uplink *u, uint64_t block)
{
    if (u->begun && block <= u->last) {
        memset(u->heard, 0, (size_t)u->shape.n_cpu * sizeof *u->heard);
    }
    u->begun = true;
    u->last = block;
}

void uplink_block(uplink_t *u, const struct cpu_block *block, const uint8_t *aps, const uint8_t *users,
                  const struct uplink_homes *homes)
{
    if (u) {
        go_on(u, block->number);
    }
    struct item *item = u ? claim(u) : NULL;
    if (!item) {
        return;
    }
    const size_t n_ap = (size_t)u->shape.n_ap, n_ue = (size_t)u->shape.n_ue;
    item->ap = ITEM_BLOCK;
    item->number = block->number;
    uint8_t *at = put(item->bytes, aps ? aps : block->gathered, n_ap);
    for (size_t k = 0; k < n_ue; k++) {
        *at++ = sends(block, users, k);
    }
    at = put(at, block->sequence, n_ue * sizeof *block->sequence);
    at = put(at, block->beta, n_ap * n_ue * sizeof(float));
    at = put(at, block->error_variance, n_ap * n_ue * sizeof(float));
    at = put(at, block->H_hat, coefficients_of(&u->shape) * sizeof(tutti_cf32));
    at = u->shape.n_cpu > 0 ? put_homes(u, at, block, homes) : at;
    item->n_bytes = (size_t)(at - item->bytes);
    publish(u);
}

bool uplink_hear(uplink_t *u, int ap, const uint8_t *data, size_t n_bytes)
{
    if (!u || n_bytes > u->room) {
        return false;
    }
    struct item *item = claim(u);
    if (item) {
        item->ap = ap;
        item->n_bytes = n_bytes;
        memcpy(item->bytes, data, n_bytes);
        publish(u);
    }
    return true;
}

/* How far a partner is: it does not go back, and in lock-step nobody is ahead of others by more than the window; what
 * says so has no block of ours wait. */
static bool follow_partner(struct uplink *u, int cpu, uint64_t block)
{
    const uint64_t most = u->last + PARTS_WINDOW;
    const bool near = !u->begun || block <= most;
    if (!near || (block < u->heard[cpu] && (!u->begun || u->heard[cpu] <= most + 1))) {
        return false;
    }
    u->heard[cpu] = block + 1;
    return true;
}

bool uplink_hear_part(uplink_t *u, int cpu, const uint8_t *data, size_t n_bytes)
{
    struct wire_header header;
    if (!u || !u->together || wire_unpack_header(data, n_bytes, &header) != WIRE_OK ||
        !uplink_hear(u, u->shape.n_ap + cpu, data, n_bytes)) {
        return false;
    }
    u->n_off += !follow_partner(u, cpu, header.block);
    return true;
}

void uplink_partner_gone(uplink_t *u, int cpu)
{
    if (!u || !u->together) {
        return;
    }
    u->heard[cpu] = 0;
    struct item *const item = claim(u);
    if (item) { /* else blocks wait for it as for a part that is lost */
        item->ap = ITEM_GONE - cpu;
        publish(u);
    }
}

bool uplink_is_ahead(const uplink_t *u)
{
    bool ahead = false;
    for (int c = 0; u && u->together && u->settings.lockstep && c < u->shape.n_cpu; c++) {
        const uint64_t heard = u->heard[c];
        ahead = ahead || (heard > 0 && heard <= u->last && u->last + 1 - heard >= PARTS_WINDOW);
    }
    return ahead;
}

size_t uplink_part_bytes(const uplink_t *u)
{
    return u && u->together ? uplink_parts_bytes(&u->shape, u->settings.config) : 0;
}

/* Uplink thread ---------------------------------------------------------------------------------------------------- */

static const uint8_t *get(void *to, const uint8_t *from, size_t n)
{
    memcpy(to, from, n);
    return from + n;
}

/* A block that was combined here, or put together of parts (home, has not NULL). */
struct combined {
    uint64_t number, combine_ns;
    const uint8_t *user_here, *ap_used, *has;
    const int64_t *ap_bytes, *part_bytes;
    const int32_t *home;
    struct uplink_source source;
};

static void record(struct uplink *u, const struct combined *b)
{
    struct record_uplink_row row = {.block = b->number,
                                    .user = u->rows,
                                    .n_symbols = u->shape.frame->n_ul * u->shape.frame->n_sc,
                                    .ap_used = b->ap_used,
                                    .bytes = b->ap_bytes,
                                    .home = b->home,
                                    .part_used = b->has,
                                    .part_bytes = b->part_bytes,
                                    .combine_s = 1e-9 * (double)b->combine_ns};
    for (int k = 0; k < u->shape.n_ue; k++) {
        const struct uplink_user *user = &u->users[k];
        const bool here = b->user_here[k];
        u->rows[k] = (struct record_uplink_user){.here = here,
                                                 .sinr_measured = user->figures.sinr,
                                                 .sinr_predicted = user->sinr_predicted,
                                                 .evm = user->figures.evm,
                                                 .payload = user->figures.payload,
                                                 .symbols = uplink_decoders_symbols(u->decoders, k)};
        row.combine_s += here ? 1e-9 * (double)user->combine_ns : 0;
        row.decode_s += here ? 1e-9 * (double)user->decode_ns : 0;
    }
    recorder_uplink(u->settings.recorder, &row);
}

static void decode(struct uplink *u, const struct combined *b)
{
    uplink_decoders_execute(u->decoders, b->number, &b->source, b->user_here, u->users);
    record(u, b);
    u->n_blocks++;
}

/* Counted every time, named once: who does it in every block fills no log. */
static bool is_used(struct uplink *u, const struct uplink_block *b, int ap)
{
    if (!b->got[ap] || !b->expected[ap]) {
        return false;
    }
    const bool doubtful = uplink_is_doubtful(&u->shape, b, u->to_uplink, ap);
    if (doubtful && !u->doubted[ap]) {
        u->doubted[ap] = 1;
        log_write(LOG_WARNING, "uplink", "UPLINK-IMPLAUSIBLE ap=%d block=%" PRIu64 ": left out, as all that follow", ap,
                  b->number);
    }
    u->n_doubted += doubtful;
    return !doubtful;
}

static void apply_weights(const void *weights, int k, tutti_cf32 *symbols, double *sinr)
{
    uplink_weights_apply(weights, k, symbols, sinr);
}

static void apply_parts(const void *parts, int k, tutti_cf32 *symbols, double *sinr)
{
    uplink_parts_apply(parts, k, symbols, sinr);
}

/* Blocks of which all central nodes' streams are here; upto: what will be combined next. */
static void decode_together(struct uplink *u, uint64_t upto)
{
    uplink_parts_t *const parts = uplink_together_parts(u->together);
    for (struct parts_block *b; (b = uplink_parts_due(parts, upto)) != NULL; uplink_parts_close(parts, b)) {
        const uint64_t start_ns = clock_mono_ns();
        uplink_parts_make(parts, b);
        decode(u, &(struct combined){.number = b->number,
                                     .combine_ns = b->combine_ns + clock_mono_ns() - start_ns,
                                     .user_here = b->user_here,
                                     .ap_used = b->ap_used,
                                     .has = b->has,
                                     .ap_bytes = b->ap_bytes,
                                     .part_bytes = b->bytes,
                                     .home = b->home,
                                     .source = {parts, apply_parts}});
    }
}

static void combine(struct uplink *u, struct uplink_block *b)
{
    bool any = false;
    for (int ap = 0; ap < u->shape.n_ap; ap++) {
        b->got[ap] = is_used(u, b, ap);
        any = any || b->got[ap];
    }
    const uint64_t start_ns = clock_mono_ns();
    if (any) {
        uplink_weights_make(u->weights, b, uplink_decoders_offsets(u->decoders));
    }
    const uint64_t combine_ns = clock_mono_ns() - start_ns;
    if (u->together) {
        decode_together(u, b->number);
        uplink_together_combined(u->together, b, any ? u->weights : NULL, combine_ns);
        decode_together(u, b->number);
    } else if (any) {
        decode(u, &(struct combined){.number = b->number,
                                     .combine_ns = combine_ns,
                                     .user_here = b->user_here,
                                     .ap_used = b->got,
                                     .ap_bytes = b->bytes,
                                     .source = {u->weights, apply_weights}});
    }
}

static void process_due(struct uplink *u)
{
    for (struct uplink_block *b; (b = uplink_window_due(&u->window)) != NULL; uplink_window_close(&u->window, b)) {
        combine(u, b);
    }
}

static void take_part(struct uplink *u, int cpu, const struct item *item)
{
    uplink_parts_store(uplink_together_parts(u->together), cpu, item->bytes, item->n_bytes);
    decode_together(u, 0);
}

static void take_block(struct uplink *u, const struct item *item)
{
    const size_t n_ap = (size_t)u->shape.n_ap, n_ue = (size_t)u->shape.n_ue;
    uplink_window_move(&u->window, item->number);
    process_due(u);
    struct uplink_block *b = uplink_window_open(&u->window);
    const uint8_t *at = get(b->expected, item->bytes, n_ap);
    at = get(b->user_here, at, n_ue);
    at = get(b->pilot, at, n_ue * sizeof *b->pilot);
    at = get(b->beta, at, n_ap * n_ue * sizeof(float));
    at = get(b->error_variance, at, n_ap * n_ue * sizeof(float));
    at = get(b->H_hat, at, coefficients_of(&u->shape) * sizeof(tutti_cf32));
    if (u->shape.n_cpu > 0) {
        at = get(b->home, at, n_ue * sizeof *b->home);
        at = get(b->helps, at, n_ue);
        at = get(b->partner, at, (size_t)u->shape.n_cpu);
        at = get(&b->tick, at, 8);
        get(&b->session, at, 4);
    }
}

static int body(void *argument)
{
    struct uplink *u = argument;
    for (bool over = false; !over;) {
        const bool last_look = rt_stop_requested(); /* what has come is looked at to the end */
        const struct item *item = ring_peek(u->items, 0);
        if (!item) {
            over = last_look;
            if (!over) {
                rt_event_wait(u->event, 100000);
            }
            continue;
        }
        if (item->ap == ITEM_BLOCK) {
            take_block(u, item);
        } else if (item->ap <= ITEM_GONE) {
            uplink_parts_gone(uplink_together_parts(u->together), ITEM_GONE - item->ap);
            decode_together(u, 0);
        } else if (item->ap >= u->shape.n_ap) {
            take_part(u, item->ap - u->shape.n_ap, item);
        } else {
            uplink_window_store(&u->window, item->ap, item->bytes, item->n_bytes);
        }
        ring_pop(u->items);
        process_due(u);
        if (u->settings.lockstep) {
            rt_event_signal(u->space);
        }
    }
    if (u->together) { /* nobody's part comes any more */
        decode_together(u, UINT64_MAX);
    }
    return TUTTI_OK;
}

int uplink_start(uplink_t *u)
{
    if (!u) {
        return TUTTI_OK;
    }
    u->thread = (struct node_thread){.name = "uplink",
                                     .duty = NODE_DUTY_BACKGROUND,
                                     .engine = &u->settings.config->engine,
                                     .core = -1,
                                     .body = body,
                                     .argument = u};
    const int status = uplink_decoders_start(u->decoders);
    return status < 0 ? status : node_thread_start(&u->thread);
}
