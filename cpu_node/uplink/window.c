/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/uplink/window.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct uplink_shape uplink_shape_of(const struct config *config, const struct frame *frame)
{
    const bool per_user = config_uplink_per_user(config);
    return (struct uplink_shape){.frame = frame,
                                 .n_ap = config->network.n_ap,
                                 .n_ant = config->network.n_ant,
                                 .n_ue = config->network.n_ue,
                                 .n_column = per_user ? config->network.n_ue : config->network.n_ant,
                                 .local = config->uplink.mode == CONFIG_UPLINK_LOCAL,
                                 .per_user = per_user};
}

size_t uplink_n_values(const struct uplink_shape *s)
{
    return (size_t)s->frame->n_ul * (size_t)s->frame->n_sc * (size_t)s->n_column;
}

uint32_t uplink_n_statistic(const struct uplink_shape *s)
{
    return s->local ? (uint32_t)(s->frame->n_sb * s->n_column * (1 + 2 * s->n_ue)) : 0;
}

static bool create_block(struct uplink_block *b, const struct uplink_shape *s)
{
    const size_t n_ap = (size_t)s->n_ap, n_ue = (size_t)s->n_ue;
    const size_t n_coefficient = s->local ? 1 : (size_t)s->frame->n_sb * n_ap * (size_t)s->n_ant * n_ue;
    b->expected = calloc(n_ap, 1);
    b->got = calloc(n_ap, 1);
    b->user_here = calloc(n_ue, 1);
    b->pilot = calloc(n_ue, sizeof *b->pilot);
    b->beta = calloc(n_ap * n_ue, sizeof *b->beta);
    b->error_variance = calloc(n_ap * n_ue, sizeof *b->error_variance);
    b->H_hat = calloc(n_coefficient, sizeof *b->H_hat);
    b->values = calloc(n_ap * uplink_n_values(s), sizeof *b->values);
    b->statistic = calloc(n_ap * uplink_n_statistic(s) + 1, sizeof *b->statistic);
    b->bytes = calloc(n_ap, sizeof *b->bytes);
    b->home = calloc(n_ue, sizeof *b->home);
    b->helps = calloc(n_ue, 1);
    b->partner = calloc((size_t)s->n_cpu + 1, 1);
    return b->home && b->helps && b->partner && b->expected && b->got && b->user_here && b->pilot && b->beta &&
           b->error_variance && b->H_hat && b->values && b->statistic && b->bytes;
}

int uplink_window_create(struct uplink_window *w, const struct uplink_shape *shape)
{
    *w = (struct uplink_window){.shape = *shape};
    for (int i = 0; i < UPLINK_WINDOW; i++) {
        if (!create_block(&w->place[i], shape)) {
            return error_set(TUTTI_ENOMEM, "out of memory for the uplink data of %d APs", shape->n_ap);
        }
    }
    return TUTTI_OK;
}

void uplink_window_destroy(struct uplink_window *w)
{
    for (int i = 0; i < UPLINK_WINDOW; i++) {
        struct uplink_block *b = &w->place[i];
        free(b->expected);
        free(b->got);
        free(b->user_here);
        free(b->pilot);
        free(b->beta);
        free(b->error_variance);
        free(b->H_hat);
        free(b->values);
        free(b->statistic);
        free(b->bytes);
        free(b->home);
        free(b->helps);
        free(b->partner);
        *b = (struct uplink_block){0};
    }
}

void uplink_window_move(struct uplink_window *w, uint64_t number)
{
    for (int i = 0; i < UPLINK_WINDOW && w->started && number <= w->newest; i++) {
        w->place[i].open = false;
    }
    w->started = true;
    w->newest = number;
}

struct uplink_block *uplink_window_open(struct uplink_window *w)
{
    struct uplink_block *b = &w->place[w->newest % UPLINK_WINDOW];
    b->number = w->newest;
    b->open = true;
    memset(b->got, 0, (size_t)w->shape.n_ap);
    memset(b->bytes, 0, (size_t)w->shape.n_ap * sizeof *b->bytes);
    return b;
}

static bool fits(const struct uplink_shape *s, int ap, const struct wire_header *h)
{
    return h->node == ap && h->n_sb == s->frame->n_ul * s->frame->n_sb && h->n_ant == s->n_column &&
           h->n_stream == s->frame->sc_per_sb;
}

int uplink_window_store(struct uplink_window *w, int ap, const uint8_t *data, size_t n_bytes)
{
    const struct uplink_shape *s = &w->shape;
    struct wire_header header;
    int error = wire_unpack_header(data, n_bytes, &header);
    if (error == WIRE_OK && !fits(s, ap, &header)) {
        error = WIRE_BAD_SHAPE;
    }
    if (error != WIRE_OK) {
        w->n_refused++;
        return error;
    }
    struct uplink_block *b = &w->place[header.block % UPLINK_WINDOW];
    if (!b->open || b->number != header.block) {
        w->n_late++;
        return WIRE_OK;
    }
    struct wire_array_meta meta = {.statistic = b->statistic + (size_t)ap * uplink_n_statistic(s),
                                   .statistic_room = uplink_n_statistic(s)};
    error = wire_unpack_array(data, n_bytes, &header, &meta, b->values + (size_t)ap * uplink_n_values(s),
                              uplink_n_values(s));
    const bool right =
        meta.kind == s->per_user && meta.subject == s->frame->n_ul && meta.n_statistic == uplink_n_statistic(s);
    if (error == WIRE_OK && !right) {
        error = WIRE_BAD_SHAPE;
    }
    b->got[ap] = error == WIRE_OK;
    b->bytes[ap] = error == WIRE_OK ? (int64_t)n_bytes : 0;
    w->n_refused += error != WIRE_OK;
    return error;
}

static bool is_complete(const struct uplink_window *w, const struct uplink_block *b)
{
    for (int ap = 0; ap < w->shape.n_ap; ap++) {
        if (b->expected[ap] && !b->got[ap]) {
            return false;
        }
    }
    return true;
}

struct uplink_block *uplink_window_due(struct uplink_window *w)
{
    struct uplink_block *oldest = NULL;
    for (int i = 0; i < UPLINK_WINDOW; i++) {
        if (w->place[i].open && (!oldest || w->place[i].number < oldest->number)) {
            oldest = &w->place[i];
        }
    }
    return oldest && (is_complete(w, oldest) || oldest->number + UPLINK_WINDOW <= w->newest) ? oldest : NULL;
}

void uplink_window_close(struct uplink_window *w, struct uplink_block *block)
{
    for (int ap = 0; ap < w->shape.n_ap; ap++) {
        w->n_lost += block->expected[ap] && !block->got[ap];
    }
    block->open = false;
}
