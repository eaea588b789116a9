/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/block.h"

#include "base/error.h"
#include "cpu_node/sync_watch.h"

#include <stdlib.h>
#include <string.h>

static bool allocate_aps(struct cpu_block *b, size_t n_ap)
{
    b->gathered = calloc(n_ap, sizeof *b->gathered);
    b->excused = calloc(n_ap, sizeof *b->excused);
    b->faults = calloc(n_ap, sizeof *b->faults);
    b->noise_power = calloc(n_ap, sizeof *b->noise_power);
    b->delay_samples = calloc(n_ap, sizeof *b->delay_samples);
    b->capture_end_ns = calloc(n_ap, sizeof *b->capture_end_ns);
    b->csi_sent_ns = calloc(n_ap, sizeof *b->csi_sent_ns);
    b->csi_received_ns = calloc(n_ap, sizeof *b->csi_received_ns);
    b->precoder_sent_ns = calloc(n_ap, sizeof *b->precoder_sent_ns);
    b->sync_state = calloc(n_ap, sizeof *b->sync_state);
    b->sync_figures = calloc(SYNC_WATCH_FIGURES * n_ap, sizeof *b->sync_figures);
    b->radio_events = calloc(n_ap, sizeof *b->radio_events);
    return b->gathered && b->excused && b->faults && b->noise_power && b->delay_samples && b->capture_end_ns &&
           b->csi_sent_ns && b->csi_received_ns && b->precoder_sent_ns && b->sync_state && b->sync_figures &&
           b->radio_events;
}

static bool allocate_arrays(struct cpu_block *b, size_t n_sb, size_t n_ap, size_t n_ant, size_t n_ue)
{
    b->H_hat = calloc(n_sb * n_ap * n_ant * n_ue, sizeof *b->H_hat);
    b->error_variance = calloc(n_ap * n_ue, sizeof(float));
    b->beta = calloc(n_ap * n_ue, sizeof(float));
    b->user_alive = calloc(n_ue, 1);
    b->user_used = calloc(n_ue, 1);
    b->user_here = calloc(n_ue, 1);
    b->place = calloc(n_ue, sizeof *b->place);
    b->age_blocks = calloc(n_ue, sizeof *b->age_blocks);
    b->seat = calloc(n_ue, sizeof *b->seat);
    b->sequence = calloc(n_ue, sizeof *b->sequence);
    b->power = calloc(n_ap * n_ue, sizeof *b->power);
    b->shape_of_powers = calloc(n_sb * n_ue, sizeof *b->shape_of_powers);
    b->bound = calloc(n_sb, sizeof *b->bound);
    b->sinr = calloc(n_sb * n_ue, sizeof *b->sinr);
    b->reason = calloc(n_sb, sizeof *b->reason);
    return b->H_hat && b->error_variance && b->beta && b->user_alive && b->user_used && b->user_here && b->place &&
           b->age_blocks && b->seat && b->sequence && b->power && b->shape_of_powers && b->bound && b->sinr &&
           b->reason;
}

static bool allocate_part(struct cpu_block *b, size_t n_sb, size_t n_ue)
{
    struct block_part *const p = b->part = calloc(1, sizeof *p);
    if (!p) {
        return false;
    }
    p->weight = calloc(n_ue, sizeof *p->weight);
    p->gain = calloc(n_sb * n_ue * n_ue, sizeof *p->gain);
    p->error = calloc(n_sb * n_ue * n_ue, sizeof *p->error);
    p->power = calloc(n_sb * n_ue, sizeof *p->power);
    p->factor = calloc(n_sb, sizeof *p->factor);
    p->sent = calloc(n_sb * n_ue * n_ue, sizeof *p->sent);
    p->sent_by = calloc(n_ue, sizeof *p->sent_by);
    return p->weight && p->gain && p->error && p->power && p->factor && p->sent && p->sent_by;
}

struct parts_heard block_part_heard(const struct cpu_block *block, int sb)
{
    const size_t n_ue = (size_t)block->shape.n_ue, at = (size_t)sb;
    const struct block_part *const p = block->part;
    return (struct parts_heard){
        .gain = p->gain + at * n_ue * n_ue, .error = p->error + at * n_ue * n_ue, .power = p->power + at * n_ue};
}

static void destroy_part(struct block_part *p)
{
    if (p) {
        free(p->weight);
        free(p->gain);
        free(p->error);
        free(p->power);
        free(p->factor);
        free(p->sent);
        free(p->sent_by);
        free(p);
    }
}

static bool allocate_pilots(struct cpu_block *b)
{
    const struct block_shape *const s = &b->shape;
    const size_t n_link = (size_t)s->n_ap * (size_t)s->n_ue;
    b->P = calloc((size_t)s->n_sb * (size_t)s->n_ap * (size_t)s->n_ant * (size_t)s->n_pilot, sizeof *b->P);
    b->factor = calloc(n_link, sizeof *b->factor);
    b->written = calloc(n_link, 1);
    return b->P && b->factor && b->written;
}

int block_create(struct cpu_block **block, const struct block_shape *s)
{
    struct cpu_block *b = *block = calloc(1, sizeof *b);
    if (!b) {
        return error_set(TUTTI_ENOMEM, "out of memory for a block");
    }
    b->shape = *s;
    if (!allocate_aps(b, (size_t)s->n_ap) ||
        !allocate_arrays(b, (size_t)s->n_sb, (size_t)s->n_ap, (size_t)s->n_ant, (size_t)s->n_ue)) {
        return error_set(TUTTI_ENOMEM, "out of memory for a block");
    }
    const struct sensing_shape sensing = {s->n_ap, s->n_ue, s->n_zone};
    b->plan = s->n_zone > 0 ? calloc(sensing_plan_doubles(&sensing), sizeof *b->plan) : NULL;
    if (s->n_zone > 0 && !b->plan) {
        return error_set(TUTTI_ENOMEM, "out of memory for a block");
    }
    b->serves = s->n_pilot > 0 ? calloc((size_t)s->n_ap * (size_t)s->n_ue, 1) : NULL;
    b->pilot = s->n_pilot > 0 ? calloc((size_t)s->n_ue, sizeof *b->pilot) : NULL;
    if (s->n_pilot > 0 && (!b->serves || !b->pilot || !allocate_pilots(b))) {
        return error_set(TUTTI_ENOMEM, "out of memory for a block");
    }
    if (s->parts && !allocate_part(b, (size_t)s->n_sb, (size_t)s->n_ue)) {
        return error_set(TUTTI_ENOMEM, "out of memory for a block");
    }
    return stream_set_create(&b->streams, s->n_sb, s->n_ap, s->n_ant, s->n_ue, s->n_extra);
}

void block_destroy(struct cpu_block *b)
{
    if (!b) {
        return;
    }
    free(b->gathered);
    free(b->excused);
    free(b->faults);
    free(b->noise_power);
    free(b->delay_samples);
    free(b->capture_end_ns);
    free(b->csi_sent_ns);
    free(b->csi_received_ns);
    free(b->precoder_sent_ns);
    free(b->sync_state);
    free(b->sync_figures);
    free(b->radio_events);
    free(b->H_hat);
    free(b->error_variance);
    free(b->beta);
    free(b->user_alive);
    free(b->user_used);
    free(b->user_here);
    free(b->place);
    free(b->age_blocks);
    free(b->seat);
    free(b->sequence);
    free(b->power);
    free(b->shape_of_powers);
    free(b->bound);
    free(b->sinr);
    free(b->reason);
    free(b->plan);
    free(b->serves);
    free(b->pilot);
    destroy_part(b->part);
    free(b->P);
    free(b->factor);
    free(b->written);
    stream_set_destroy(b->streams);
    free(b);
}

void block_open(struct cpu_block *b, uint64_t number, tutti_tick tick, uint32_t session, uint64_t now_ns)
{
    const size_t n_ap = (size_t)b->shape.n_ap, n_ue = (size_t)b->shape.n_ue;
    b->number = number;
    b->tick = tick;
    b->session = session;
    b->n_gathered = 0;
    b->first_arrival_ns = now_ns;
    memset(b->gathered, 0, n_ap);
    memset(b->excused, 0, n_ap);
    memset(b->faults, 0, n_ap * sizeof *b->faults);
    memset(b->noise_power, 0, n_ap * sizeof *b->noise_power);
    memset(b->delay_samples, 0, n_ap * sizeof *b->delay_samples);
    memset(b->capture_end_ns, 0, n_ap * sizeof *b->capture_end_ns);
    memset(b->csi_sent_ns, 0, n_ap * sizeof *b->csi_sent_ns);
    memset(b->csi_received_ns, 0, n_ap * sizeof *b->csi_received_ns);
    memset(b->precoder_sent_ns, 0, n_ap * sizeof *b->precoder_sent_ns);
    memset(b->radio_events, 0, n_ap * sizeof *b->radio_events);
    memset(b->user_alive, 0, n_ue);
    memset(b->user_used, 0, n_ue);
    b->solve_start_ns = b->solve_end_ns = b->solve_ns = 0;
    b->scheme = 0;
    b->planned = false;
    b->calibration = 0;
    b->stepped_down = b->an_solved = false;
    b->an_share = 0;
    b->powered = false;
    stream_set_clear(b->streams);
}

void block_store(struct cpu_block *b, int ap, const tutti_cf32 *coefficients, const float *beta,
                 const float *error_variance)
{
    const size_t n_ue = (size_t)b->shape.n_ue, row = (size_t)b->shape.n_ant * n_ue;
    for (size_t sb = 0; sb < (size_t)b->shape.n_sb; sb++) {
        memcpy(b->H_hat + (sb * (size_t)b->shape.n_ap + (size_t)ap) * row, coefficients + sb * row,
               row * sizeof *coefficients);
    }
    memcpy(b->error_variance + (size_t)ap * n_ue, error_variance, n_ue * sizeof(float));
    memcpy(b->beta + (size_t)ap * n_ue, beta, n_ue * sizeof(float));
    b->n_gathered += !b->gathered[ap];
    b->gathered[ap] = 1;
}

void block_store_pilots(struct cpu_block *b, int ap, const tutti_cf32 *P, const float *factor)
{
    const size_t n_ue = (size_t)b->shape.n_ue, row = (size_t)(b->shape.n_ant * b->shape.n_pilot);
    for (size_t sb = 0; sb < (size_t)b->shape.n_sb; sb++) {
        memcpy(b->P + (sb * (size_t)b->shape.n_ap + (size_t)ap) * row, P + sb * row, row * sizeof *P);
    }
    memcpy(b->factor + (size_t)ap * n_ue, factor, n_ue * sizeof *factor);
}

void block_forget_missing(struct cpu_block *b)
{
    const size_t n_ue = (size_t)b->shape.n_ue, n_ap = (size_t)b->shape.n_ap, row = (size_t)b->shape.n_ant * n_ue;
    for (size_t ap = 0; ap < n_ap; ap++) {
        if (b->gathered[ap]) {
            continue;
        }
        for (size_t sb = 0; sb < (size_t)b->shape.n_sb; sb++) {
            memset(b->H_hat + (sb * n_ap + ap) * row, 0, row * sizeof *b->H_hat);
        }
        memset(b->error_variance + ap * n_ue, 0, n_ue * sizeof(float));
        memset(b->beta + ap * n_ue, 0, n_ue * sizeof(float));
    }
}
