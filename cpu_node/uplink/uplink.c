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
#include "cpu_node/uplink/weights.h"
#include "cpu_node/uplink/window.h"
#include "fronthaul/encoding.h"
#include "node/thread.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ITEM_BLOCK = -1 };

/* In the ring: a message of AP `ap`, or ITEM_BLOCK and behind it what is known of a block, in the order of
 * write_block. */
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
    struct uplink_user *users;       /* [n_ue] */
    struct record_uplink_user *rows; /* [n_ue] */
    uint64_t weights_ns;
    uint64_t n_blocks;
    double to_uplink;   /* amplitude from the estimates' units */
    uint8_t *doubted;   /* [n_ap] once */
    uint64_t n_doubted; /* AP-blocks */
    /* block thread */
    uint64_t n_dropped;
};

/* Life ------------------------------------------------------------------------------------------------------------- */

static size_t coefficients_of(const struct uplink_shape *s)
{
    return s->local ? 0 : (size_t)s->frame->n_sb * (size_t)s->n_ap * (size_t)s->n_ant * (size_t)s->n_ue;
}

static size_t block_bytes(const struct uplink_shape *s)
{
    const size_t n_ap = (size_t)s->n_ap, n_ue = (size_t)s->n_ue;
    return n_ap + n_ue * (1 + sizeof(int32_t)) + 2 * n_ap * n_ue * sizeof(float) +
           coefficients_of(s) * sizeof(tutti_cf32);
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

static int create_parts(struct uplink *u)
{
    const struct config *c = u->settings.config;
    const size_t message = message_bytes(u), block = block_bytes(&u->shape);
    if (message == 0) {
        return error_set(TUTTI_ECONFIG, "uplink.mode: the U symbols of a block do not fit one message");
    }
    u->users = calloc((size_t)u->shape.n_ue, sizeof *u->users);
    u->rows = calloc((size_t)u->shape.n_ue, sizeof *u->rows);
    u->doubted = calloc((size_t)u->shape.n_ap, 1);
    u->to_uplink = sqrt(channel_uplink_snr_scale(c) / channel_downlink_snr_scale(c));
    u->room = message > block ? message : block;
    u->event = rt_event_create();
    u->space = rt_event_create();
    int status = u->users && u->rows && u->doubted ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the uplink");
    status = status < 0 || (u->event >= 0 && u->space >= 0) ? status : TUTTI_EIO;
    if (status >= 0) {
        status = ring_create(&u->items, 2 * ((size_t)u->shape.n_ap + 1), sizeof(struct item) + u->room);
    }
    const struct uplink_weights_settings weights = {.shape = u->shape, .config = c};
    status = status < 0 ? status : uplink_window_create(&u->window, &u->shape);
    status = status < 0 ? status : uplink_weights_create(&u->weights, &weights);
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

void uplink_block(uplink_t *u, const struct cpu_block *block, const uint8_t *aps, const uint8_t *users)
{
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

/* Uplink thread ---------------------------------------------------------------------------------------------------- */

static const uint8_t *get(void *to, const uint8_t *from, size_t n)
{
    memcpy(to, from, n);
    return from + n;
}

static void record(struct uplink *u, const struct uplink_block *b)
{
    struct record_uplink_row row = {.block = b->number,
                                    .user = u->rows,
                                    .n_symbols = u->shape.frame->n_ul * u->shape.frame->n_sc,
                                    .ap_used = b->got,
                                    .bytes = b->bytes,
                                    .combine_s = 1e-9 * (double)u->weights_ns};
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

static void process_due(struct uplink *u)
{
    for (struct uplink_block *b; (b = uplink_window_due(&u->window)) != NULL;) {
        bool any = false;
        for (int ap = 0; ap < u->shape.n_ap; ap++) {
            b->got[ap] = is_used(u, b, ap);
            any = any || b->got[ap];
        }
        if (any) {
            const uint64_t start_ns = clock_mono_ns();
            uplink_weights_make(u->weights, b, uplink_decoders_offsets(u->decoders));
            u->weights_ns = clock_mono_ns() - start_ns;
            uplink_decoders_execute(u->decoders, b->number, &(struct uplink_source){u->weights, apply_weights}, b->user_here,
                                    u->users);
            record(u, b);
            u->n_blocks++;
        }
        uplink_window_close(&u->window, b);
    }
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
    get(b->H_hat, at, coefficients_of(&u->shape) * sizeof(tutti_cf32));
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
        } else {
            uplink_window_store(&u->window, item->ap, item->bytes, item->n_bytes);
        }
        ring_pop(u->items);
        process_due(u);
        if (u->settings.lockstep) {
            rt_event_signal(u->space);
        }
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
