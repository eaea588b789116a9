/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/uplink.h"

#include "base/error.h"
#include "base/rt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 32, N_REAL = 3, N_COUNT = 6, CODE_BLOCKS = 4, BLOCK_ERRORS = 5 };

static const enum record_dataset REAL_DATASET[N_REAL] = {R_UPLINK_SINR, R_UPLINK_PREDICTED, R_UPLINK_EVM};
static const enum record_dataset COUNT_DATASET[N_COUNT] = {R_UPLINK_BITS,        R_UPLINK_BIT_ERRORS,
                                                           R_UPLINK_CODED_BITS,  R_UPLINK_CODED_BIT_ERRORS,
                                                           R_UPLINK_CODE_BLOCKS, R_UPLINK_CODE_BLOCK_ERRORS};

/* A slot of the ring; behind it, each as the datasets have it: reals [N_REAL][n_ue], counts [N_COUNT][n_ue], bytes
 * [n_ap], part_bytes [n_cpu], points [n_ue][n_points], home [n_ue], ap_used [n_ap], part_used [n_cpu][n_ue]. */
struct slot {
    uint64_t block;
    double combine_s, decode_s;
    double values[];
};
struct parts {
    double *real;
    int64_t *count, *bytes, *part_bytes;
    tutti_cf32 *points;
    int32_t *home;
    uint8_t *ap_used, *part_used;
};

_Static_assert(sizeof(double) == 8 && sizeof(int64_t) == 8 && sizeof(tutti_cf32) == 8, "a slot is laid out in words");

static struct parts parts_of(const struct record_shape *s, struct slot *slot)
{
    struct parts p = {.real = slot->values};
    p.count = (int64_t *)(p.real + N_REAL * s->n_ue);
    p.bytes = p.count + N_COUNT * s->n_ue;
    p.part_bytes = p.bytes + s->n_ap;
    p.points = (tutti_cf32 *)(p.part_bytes + s->n_cpu);
    p.home = (int32_t *)(p.points + (size_t)s->n_ue * (size_t)s->n_points);
    p.ap_used = (uint8_t *)(p.home + s->n_ue);
    p.part_used = p.ap_used + s->n_ap;
    return p;
}

static size_t slot_bytes(const struct record_shape *s)
{
    const size_t n_ue = (size_t)s->n_ue, n_ap = (size_t)s->n_ap, n_cpu = (size_t)s->n_cpu;
    return sizeof(struct slot) + 8 * ((N_REAL + N_COUNT) * n_ue + n_ap + n_cpu + n_ue * (size_t)s->n_points) +
           sizeof(int32_t) * n_ue + n_ap + n_cpu * n_ue;
}

int record_uplink_create(struct record_uplink **uplink, run_file_t *file, const struct record_shape *shape, bool wait)
{
    *uplink = NULL;
    if (!shape->uplink) {
        return TUTTI_OK;
    }
    struct record_uplink *u = *uplink = calloc(1, sizeof *u);
    if (!u) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    u->file = file;
    u->shape = *shape;
    u->wait = wait;
    u->room = rt_event_create();
    if (u->room < 0) {
        return error_set(TUTTI_EIO, "cannot create a wake-up descriptor");
    }
    return ring_create(&u->rows, ROWS, slot_bytes(shape));
}

void record_uplink_destroy(struct record_uplink *u)
{
    if (u) {
        ring_destroy(u->rows);
        if (u->room >= 0) {
            close(u->room);
        }
        free(u);
    }
}

/* Evenly spread over the symbols. */
static void take_points(const struct record_shape *s, const struct record_uplink_row *row, int k, tutti_cf32 *points)
{
    for (int p = 0; p < s->n_points; p++) {
        const size_t at = (size_t)p * (size_t)row->n_symbols / (size_t)s->n_points;
        points[p] = row->user[k].here ? row->user[k].symbols[at] : CMPLXF(NAN, NAN);
    }
}

static void take_user(const struct record_shape *s, const struct record_uplink_row *row, int k, const struct parts *to)
{
    const struct record_uplink_user *v = &row->user[k];
    const struct payload_result *r = &v->payload;
    const double real[N_REAL] = {v->sinr_measured, v->sinr_predicted, v->evm};
    const int64_t count[N_COUNT] = {r->bits,        r->bit_errors,       r->coded_bits, r->coded_bit_errors,
                                    r->code_blocks, r->code_block_errors};
    for (int i = 0; i < N_REAL; i++) {
        to->real[i * s->n_ue + k] = v->here ? real[i] : NAN;
    }
    for (int i = 0; i < N_COUNT; i++) {
        to->count[i * s->n_ue + k] = v->here ? count[i] : 0;
    }
    take_points(s, row, k, to->points + (size_t)k * (size_t)s->n_points);
}

bool record_uplink_send(struct record_uplink *u, const struct record_uplink_row *row)
{
    struct slot *slot = ring_write_slot(u->rows);
    while (!slot && u->wait && !rt_stop_requested()) {
        rt_event_wait(u->room, 100000);
        slot = ring_write_slot(u->rows);
    }
    if (!slot) {
        u->n_dropped++;
        return false;
    }
    const struct parts to = parts_of(&u->shape, slot);
    slot->block = row->block;
    slot->combine_s = row->combine_s;
    slot->decode_s = row->decode_s;
    for (int k = 0; k < u->shape.n_ue; k++) {
        take_user(&u->shape, row, k, &to);
    }
    memcpy(to.bytes, row->bytes, (size_t)u->shape.n_ap * sizeof *to.bytes);
    memcpy(to.ap_used, row->ap_used, (size_t)u->shape.n_ap);
    if (u->shape.n_cpu > 0) {
        memcpy(to.home, row->home, (size_t)u->shape.n_ue * sizeof *to.home);
        memcpy(to.part_used, row->part_used, (size_t)u->shape.n_cpu * (size_t)u->shape.n_ue);
        memcpy(to.part_bytes, row->part_bytes, (size_t)u->shape.n_cpu * sizeof *to.part_bytes);
    }
    ring_push(u->rows);
    return true;
}

static void tell(struct record_uplink *u, const struct parts *p)
{
    const int n = u->shape.n_ue;
    for (int k = 0; k < n && u->live; k++) {
        live_uplink(u->live, k, p->real[k], p->count[CODE_BLOCKS * n + k], p->count[BLOCK_ERRORS * n + k]);
    }
}

static void write_one(struct record_uplink *u, struct slot *slot)
{
    const struct parts p = parts_of(&u->shape, slot);
    const uint64_t b = slot->block;
    for (int i = 0; i < N_REAL; i++) {
        run_file_put(u->file, REAL_DATASET[i], b, p.real + i * u->shape.n_ue);
    }
    for (int i = 0; i < N_COUNT; i++) {
        run_file_put(u->file, COUNT_DATASET[i], b, p.count + i * u->shape.n_ue);
    }
    run_file_put(u->file, R_UPLINK_BYTES, b, p.bytes);
    run_file_put(u->file, R_UPLINK_AP_USED, b, p.ap_used);
    if (u->shape.n_cpu > 0) {
        run_file_put(u->file, R_UPLINK_HOME, b, p.home);
        run_file_put(u->file, R_UPLINK_PART_USED, b, p.part_used);
        run_file_put(u->file, R_UPLINK_PART_BYTES, b, p.part_bytes);
    }
    run_file_put(u->file, R_UPLINK_COMBINE_TIME, b, &slot->combine_s);
    run_file_put(u->file, R_UPLINK_DECODE_TIME, b, &slot->decode_s);
    if (b % CONSTELLATION_EVERY == 0 && u->shape.n_points > 0) {
        run_file_put(u->file, R_UPLINK_CONSTELLATION, b, p.points);
    }
    tell(u, &p);
}

void record_uplink_write(struct record_uplink *u, uint64_t first, uint64_t end)
{
    for (const void *read; u && (read = ring_peek(u->rows, 0)) != NULL; ring_pop(u->rows)) {
        struct slot *slot = (struct slot *)(uintptr_t)read; /* ours until popped */
        if (slot->block >= first && slot->block < end) {
            write_one(u, slot);
        }
        u->newest = slot->block + 1;
        rt_event_signal(u->room);
    }
}
