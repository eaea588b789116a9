/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/downlink.h"

#include "base/error.h"
#include "mimo/apply.h"
#include "node/pilots.h"
#include "phy/pilot.h"

#include <stdlib.h>

static int create_buffers(struct downlink *d, int room)
{
    const struct frame *f = d->frame;
    const size_t n_ant = (size_t)d->n_ant, n_ue = (size_t)d->n_ue, n_sc = (size_t)f->n_sc;
    const size_t symbol = (size_t)f->n_symbol_samples;
    d->pilots = calloc(n_ue * (size_t)f->n_dl_pilot * n_sc, sizeof *d->pilots);
    d->data = calloc(n_ue * (size_t)f->n_data_re, sizeof *d->data);
    d->x = calloc(n_ant * n_sc, sizeof *d->x);
    d->burst = calloc(n_ant * (size_t)f->n_dl * symbol, sizeof *d->burst);
    d->beacon = calloc(symbol, sizeof *d->beacon);
    d->silence = calloc(symbol, sizeof *d->silence);
    d->symbols = calloc((size_t)room, sizeof *d->symbols);
    d->buffers = calloc(n_ant, sizeof *d->buffers);
    const bool ok = d->pilots && d->data && d->x && d->burst && d->beacon && d->silence && d->symbols && d->buffers;
    return ok ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the downlink");
}

int downlink_create(struct downlink *d, const struct config *config, const struct config_radio *radio,
                    const struct frame *frame, int room)
{
    *d = (struct downlink){.frame = frame, .n_ant = config->network.n_ant, .n_ue = config->network.n_ue};
    d->tx_scale = node_tx_scale(frame, radio->tx_power_dbm, radio->tx_full_scale_dbm);
    int status = create_buffers(d, room);
    if (status >= 0) {
        status = ofdm_create(&d->ofdm, frame);
    }
    if (status >= 0) {
        status = payload_create(&d->payload, frame, &config->payload, config->network.seed);
    }
    if (status >= 0) {
        status = node_pilots_downlink(frame, d->n_ue, d->pilots);
    }
    if (status >= 0) {
        pilot_beacon(frame->n_sc, d->x);
        ofdm_modulate(d->ofdm, d->x, d->tx_scale, d->beacon);
    }
    return status;
}

void downlink_destroy(struct downlink *d)
{
    payload_destroy(d->payload);
    ofdm_destroy(d->ofdm);
    free(d->pilots);
    free(d->data);
    free(d->x);
    free(d->burst);
    free(d->beacon);
    free(d->silence);
    free(d->symbols);
    free(d->buffers);
    *d = (struct downlink){0};
}

void downlink_encode(struct downlink *d, uint64_t block)
{
    if (d->have_data && d->data_block == block) {
        return;
    }
    for (int k = 0; k < d->n_ue; k++) {
        payload_encode(d->payload, k, block, d->data + (size_t)k * (size_t)d->frame->n_data_re);
    }
    d->data_block = block;
    d->have_data = true;
}

/* Symbol sources of one downlink symbol: a user's precoded pilots first, then its data; other streams' own. */
static void find_symbols(struct downlink *d, const struct streams *s, int symbol)
{
    const struct frame *f = d->frame;
    const size_t n_sc = (size_t)f->n_sc;
    for (int i = 0; i < s->n_stream; i++) {
        const size_t user = s->list[i].user;
        if (s->list[i].kind != WIRE_STREAM_DATA) {
            d->symbols[i] = s->symbols + (size_t)i * n_sc;
        } else if (symbol < f->n_dl_pilot) {
            d->symbols[i] = d->pilots + (user * (size_t)f->n_dl_pilot + (size_t)symbol) * n_sc;
        } else {
            d->symbols[i] = d->data + user * (size_t)f->n_data_re + (size_t)(symbol - f->n_dl_pilot) * n_sc;
        }
    }
}

int downlink_send(struct downlink *d, struct streams *s, struct node_radio *radio, uint64_t block)
{
    const struct frame *f = d->frame;
    const size_t symbol = (size_t)f->n_symbol_samples, length = (size_t)f->n_dl * symbol;
    downlink_encode(d, block);
    for (int i = 0; i < f->n_dl; i++) {
        streams_renew(s, i);
        find_symbols(d, s, i);
        apply_streams(f->n_sb, f->sc_per_sb, d->n_ant, s->n_stream, s->V, d->symbols, d->x);
        for (int a = 0; a < d->n_ant; a++) {
            ofdm_modulate(d->ofdm, d->x + (size_t)a * (size_t)f->n_sc, d->tx_scale,
                          d->burst + (size_t)a * length + (size_t)i * symbol);
        }
    }
    for (int a = 0; a < d->n_ant; a++) {
        d->buffers[a] = d->burst + (size_t)a * length;
    }
    return node_radio_burst(radio, d->buffers, (int)length, node_radio_tick(radio, block, f->dl_symbol[0]), block);
}

void downlink_beacon(struct downlink *d, struct node_radio *radio, uint64_t block)
{
    const struct frame *f = d->frame;
    for (int a = 0; a < d->n_ant; a++) {
        d->buffers[a] = a == 0 ? d->beacon : d->silence;
    }
    for (int b = 0; b < f->n_beacon; b++) {
        node_radio_burst(radio, d->buffers, f->n_symbol_samples, node_radio_tick(radio, block, f->beacon_symbol[b]),
                         NODE_TAG_OTHER | block);
    }
}
