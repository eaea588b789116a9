/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ue_node/uplink.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static size_t samples_between(const struct frame *f, int from_symbol, int to_symbol)
{
    return (size_t)(to_symbol - from_symbol) * (size_t)f->n_symbol_samples;
}

int uplink_create(struct uplink *u, const struct config *config, const struct frame *f, float scale)
{
    *u = (struct uplink){.frame = f, .scale = scale};
    if (config->uplink.mode == CONFIG_UPLINK_NONE) {
        return TUTTI_OK;
    }
    const struct config_payload payload = {config->uplink.modulation, config->payload.max_code_block_bits};
    const int first = f->pilot_symbol[0];
    u->n_samples = (int)samples_between(f, first, f->ul_symbol[f->n_ul - 1] + 1);
    u->symbols = calloc((size_t)f->n_ul * (size_t)f->n_sc, sizeof *u->symbols);
    u->burst = calloc((size_t)u->n_samples, sizeof *u->burst); /* silent where there is neither P nor U */
    if (!u->symbols || !u->burst) {
        return error_set(TUTTI_ENOMEM, "out of memory for the uplink data");
    }
    return payload_create_uplink(&u->payload, f, &payload, config->network.seed);
}

void uplink_destroy(struct uplink *u)
{
    payload_destroy(u->payload);
    free(u->symbols);
    free(u->burst);
    *u = (struct uplink){0};
}

const tutti_cf32 *uplink_make(struct uplink *u, ofdm_t *ofdm, const tutti_cf32 *pilots, int user, uint64_t block)
{
    const struct frame *f = u->frame;
    const int first = f->pilot_symbol[0];
    memcpy(u->burst, pilots, samples_between(f, first, f->pilot_symbol[f->n_pilot - 1] + 1) * sizeof *pilots);
    payload_encode(u->payload, user, block, u->symbols);
    for (int d = 0; d < f->n_ul; d++) {
        ofdm_modulate(ofdm, u->symbols + (size_t)d * (size_t)f->n_sc, u->scale,
                      u->burst + samples_between(f, first, f->ul_symbol[d]));
    }
    return u->burst;
}
