/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/pilot_csi.h"

#include "base/error.h"
#include "cluster/split.h"
#include "fronthaul/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int pilot_csi_create(struct pilot_csi **csi, const struct block_shape *shape)
{
    *csi = NULL;
    if (shape->n_pilot == 0) {
        return TUTTI_OK;
    }
    struct pilot_csi *const c = *csi = calloc(1, sizeof *c);
    if (!c) {
        return error_set(TUTTI_ENOMEM, "out of memory for the estimates of pilots");
    }
    c->n_pilot = shape->n_pilot;
    c->n_ue = shape->n_ue;
    c->n_ap = shape->n_ap;
    c->n_row = shape->n_sb * shape->n_ant;
    const size_t n_pilot = (size_t)c->n_pilot, n_ue = (size_t)c->n_ue;
    c->P = calloc((size_t)c->n_row * n_pilot, sizeof *c->P);
    c->beta = calloc(n_pilot, sizeof *c->beta);
    c->error = calloc(n_pilot, sizeof *c->error);
    c->gains = calloc((size_t)c->n_ap * 2 * n_ue, sizeof *c->gains);
    c->told = calloc(2 * n_ue, sizeof *c->told);
    c->factor = calloc(n_ue, sizeof *c->factor);
    c->sequence = calloc(n_ue, sizeof *c->sequence);
    return c->P && c->beta && c->error && c->gains && c->told && c->factor && c->sequence
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for the estimates of pilots");
}

void pilot_csi_destroy(struct pilot_csi *c)
{
    if (!c) {
        return;
    }
    free(c->P);
    free(c->beta);
    free(c->error);
    free(c->gains);
    free(c->told);
    free(c->factor);
    free(c->sequence);
    free(c);
}

static float *gains_of(const struct pilot_csi *c, int ap)
{
    return c->gains + (size_t)ap * 2 * (size_t)c->n_ue;
}

bool pilot_csi_hear(struct pilot_csi *c, int ap, const uint8_t *data, size_t n_bytes)
{
    struct wire_header header;
    tutti_cf32 none;
    if (!c) {
        return false;
    }
    struct wire_array_meta meta = {.statistic = c->told, .statistic_room = 2 * (uint32_t)c->n_ue};
    if (wire_unpack_array(data, n_bytes, &header, &meta, &none, 1) != WIRE_OK || header.node != ap ||
        meta.n_statistic != 2 * (uint32_t)c->n_ue) {
        return false;
    }
    for (uint32_t i = 0; i < meta.n_statistic; i++) {
        if (!(c->told[i] >= 0) || isinf(c->told[i])) {
            return false;
        }
    }
    memcpy(gains_of(c, ap), c->told, 2 * (size_t)c->n_ue * sizeof *c->told);
    return true;
}

void pilot_csi_split(struct pilot_csi *c, int ap, tutti_cf32 *H, float *beta, float *error_variance)
{
    const struct split_pilots pilots = {.n_pilot = c->n_pilot,
                                        .n_ue = c->n_ue,
                                        .sequence = c->sequence,
                                        .beta = c->beta,
                                        .error_variance = c->error,
                                        .gain = gains_of(c, ap),
                                        .gain_variance = gains_of(c, ap) + c->n_ue};
    split_factors(&pilots, c->factor, beta, error_variance);
    split_rows(c->n_row, &pilots, c->factor, c->P, H);
}
