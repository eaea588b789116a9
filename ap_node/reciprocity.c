/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/reciprocity.h"

#include <string.h>

enum { PARTS = 4 };

int reciprocity_create(struct reciprocity *r, int n_sb, int n_ant, int n_ue)
{
    *r = (struct reciprocity){.n_ue = n_ue, .n_sb = n_sb, .n_ant = n_ant};
    const size_t bytes = (size_t)n_sb * (size_t)n_ant * sizeof(tutti_cf32);
    const int status = calib_table_create(&r->table, n_sb, 1, n_ant);
    return status < 0 ? status : ring_create(&r->parts, PARTS, sizeof(struct reciprocity_part) + bytes);
}

void reciprocity_destroy(struct reciprocity *r)
{
    calib_table_destroy(&r->table);
    ring_destroy(r->parts);
    *r = (struct reciprocity){0};
}

struct reciprocity_part *reciprocity_slot(struct reciprocity *r)
{
    return ring_write_slot(r->parts);
}

void reciprocity_push(struct reciprocity *r)
{
    ring_push(r->parts);
}

void reciprocity_follow(struct reciprocity *r, uint64_t block)
{
    const struct reciprocity_part *part;
    while ((part = ring_peek(r->parts, 0)) != NULL && part->from_block <= block) {
        memcpy(r->table.c, part->c, (size_t)r->n_sb * (size_t)r->n_ant * sizeof *part->c);
        r->table.delay_samples[0] = part->delay_samples;
        r->table.error_variance = part->error_variance;
        r->shift_samples = part->shift_samples;
        r->run = part->run;
        ring_pop(r->parts);
    }
}

void reciprocity_apply(const struct reciprocity *r, struct capture *capture)
{
    if (r->run != 0) {
        calib_table_apply(&r->table, 0, r->n_ue, capture->H_hat, capture->beta, capture->error_variance);
        capture->delay_samples += r->table.delay_samples[0];
    }
}
