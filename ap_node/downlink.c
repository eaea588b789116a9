/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/downlink.h"

#include "base/error.h"
#include "node/pilots.h"
#include "phy/pilot.h"

#include <stdlib.h>
#include <string.h>

static int create_buffers(struct downlink *d, int room)
{
    const struct frame *f = d->frame;
    const size_t n_ant = (size_t)d->n_ant, n_ue = (size_t)d->n_ue, n_sc = (size_t)f->n_sc;
    const size_t symbol = (size_t)f->n_symbol_samples;
    d->pilots = calloc((size_t)(d->n_place + d->n_zone + 1) * (size_t)f->n_dl_pilot * n_sc, sizeof *d->pilots);
    d->labels = calloc(n_ue, (size_t)payload_label_stride(d->payload));
    d->data = calloc(n_ue * n_sc, sizeof *d->data);
    d->x = calloc(n_ant * n_sc, sizeof *d->x);
    d->burst = calloc(n_ant * (size_t)f->n_dl * symbol, sizeof *d->burst);
    d->symbol = calloc(n_ant * symbol, sizeof *d->symbol);
    d->beacon = calloc(symbol, sizeof *d->beacon);
    d->silence = calloc(symbol, sizeof *d->silence);
    d->symbols = calloc((size_t)room, sizeof *d->symbols);
    d->places = calloc(n_ant, sizeof *d->places);
    d->buffers = calloc(n_ant, sizeof *d->buffers);
    const bool ok = d->pilots && d->labels && d->data && d->x && d->burst && d->symbol && d->beacon && d->silence &&
                    d->symbols && d->places && d->buffers;
    return ok ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the downlink");
}

int downlink_create(struct downlink *d, const struct config *config, int id, const struct frame *frame, int room)
{
    const struct config_radio *const radio = config_radio_of(config, CONFIG_ROLE_AP, id);
    *d = (struct downlink){.frame = frame,
                           .ap = id,
                           .n_ant = config->network.n_ant,
                           .n_ue = config->network.n_ue,
                           .n_place = config_n_sequence(config),
                           .n_zone = config_n_zone(config)};
    d->tx_scale = node_tx_scale(frame, radio->tx_power_dbm, radio->tx_full_scale_dbm);
    int status = payload_create(&d->payload, frame, &config->payload, config->network.seed);
    if (status >= 0) {
        status = create_buffers(d, room);
    }
    if (status >= 0) {
        status = ofdm_create(&d->ofdm, frame);
    }
    if (status >= 0) {
        status = rows_create(&d->rows, frame, d->n_ant, room, config->precoding.subband == CONFIG_SUBBAND_SMOOTH);
    }
    if (status >= 0) {
        status = node_pilots_downlink(frame, d->n_place + d->n_zone, d->pilots);
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
    rows_destroy(&d->rows);
    ofdm_destroy(d->ofdm);
    free(d->pilots);
    free(d->labels);
    free(d->data);
    free(d->x);
    free(d->burst);
    free(d->symbol);
    free(d->beacon);
    free(d->silence);
    free(d->symbols);
    free(d->places);
    free(d->buffers);
    *d = (struct downlink){0};
}

void downlink_encode(struct downlink *d, uint64_t block)
{
    if (d->have_data && d->data_block == block) {
        return;
    }
    payload_labels(d->payload, d->n_ue, block, d->labels);
    d->data_block = block;
    d->have_data = true;
}

/* The pilot sequence of a stream: its user's place or shared pilot, or behind those its zone; -1: it has none. */
static int pilot_of(const struct downlink *d, const struct wire_stream *stream)
{
    const int user = stream->user;
    if (stream->kind == WIRE_STREAM_SENSING) {
        return user < d->n_zone ? d->n_place + user : -1;
    }
    return stream->kind != WIRE_STREAM_DATA ? -1 : d->roster ? roster_downlink(d->roster, user) : user;
}

/* Symbol sources of one downlink symbol: a user's or zone's precoded pilots first, then data, made here, or a stream's
 * own symbols. An older precoder may have streams of users that are not served any more: silence. */
static void find_symbols(struct downlink *d, const struct streams *s, int symbol)
{
    const struct frame *f = d->frame;
    const size_t n_sc = (size_t)f->n_sc, n_pilot = (size_t)f->n_dl_pilot;
    for (int i = 0; i < s->n_stream; i++) {
        const size_t user = s->list[i].user;
        const bool data = s->list[i].kind == WIRE_STREAM_DATA;
        const int pilot = pilot_of(d, &s->list[i]);
        if (data && pilot < 0) {
            d->symbols[i] = d->pilots + (size_t)(d->n_place + d->n_zone) * n_pilot * n_sc;
        } else if (pilot >= 0 && symbol < f->n_dl_pilot) {
            d->symbols[i] = d->pilots + ((size_t)pilot * n_pilot + (size_t)symbol) * n_sc;
        } else if (!data) {
            d->symbols[i] = s->symbols + (size_t)i * n_sc;
        } else {
            d->symbols[i] = d->data + user * n_sc;
            payload_symbols(d->payload, d->labels + user * (size_t)payload_label_stride(d->payload),
                            (symbol - f->n_dl_pilot) * f->n_sc, f->n_sc, d->data + user * n_sc);
        }
    }
}

/* out [n_ant][stride] from now on. */
static void place(struct downlink *d, tutti_cf32 *out, size_t stride)
{
    for (int a = 0; a < d->n_ant; a++) {
        d->places[a] = out + (size_t)a * stride;
    }
}

/* Downlink symbol i of all antennas to their places. */
static void make_symbol(struct downlink *d, struct streams *s, int i)
{
    const struct frame *f = d->frame;
    streams_renew(s, i);
    rows_renew(&d->rows, s);
    find_symbols(d, s, i);
    rows_apply(&d->rows, s->n_stream, d->symbols, d->x);
    slave_delay(d->slave, false, d->n_ant, d->x);
    for (int a = 0; a < d->n_ant; a++) {
        d->buffers[a] = d->places[a];
        ofdm_modulate(d->ofdm, d->x + (size_t)a * (size_t)f->n_sc, d->tx_scale, d->places[a]);
    }
    const tutti_tick tick = d->first_tick + (tutti_tick)i * (tutti_tick)f->n_symbol_samples;
    slave_turn(d->slave, tick, d->n_ant, f->n_symbol_samples, d->places);
}

/* From the transform straight to where the radio wants it, or by a symbol that does not leave the cache. */
static int send_in_parts(struct downlink *d, struct streams *s, struct node_radio *radio, uint64_t block)
{
    const struct frame *f = d->frame;
    const int length = f->n_dl * f->n_symbol_samples;
    const int status = node_radio_burst_open(radio, length, node_radio_tick(radio, block, f->dl_symbol[0]), block);
    for (int i = 0; status >= 0 && i < f->n_dl; i++) {
        if (!radio_burst_place(radio->radio, f->n_symbol_samples, d->places)) {
            place(d, d->symbol, (size_t)f->n_symbol_samples);
        }
        make_symbol(d, s, i);
        radio_burst_part(radio->radio, d->buffers, f->n_symbol_samples);
    }
    return status;
}

static int send_whole(struct downlink *d, struct streams *s, struct node_radio *radio, uint64_t block)
{
    const struct frame *f = d->frame;
    const size_t symbol = (size_t)f->n_symbol_samples, length = (size_t)f->n_dl * symbol;
    for (int i = 0; i < f->n_dl; i++) {
        place(d, d->burst + (size_t)i * symbol, length);
        make_symbol(d, s, i);
    }
    for (int a = 0; a < d->n_ant; a++) {
        d->buffers[a] = d->burst + (size_t)a * length;
    }
    return node_radio_burst(radio, d->buffers, (int)length, node_radio_tick(radio, block, f->dl_symbol[0]), block);
}

int downlink_send(struct downlink *d, struct streams *s, struct node_radio *radio, uint64_t block)
{
    downlink_encode(d, block);
    d->scaled = rows_prepare(&d->rows, s, d->delay_samples);
    d->first_tick = node_radio_tick(radio, block, d->frame->dl_symbol[0]);
    return radio->info.in_parts ? send_in_parts(d, s, radio, block) : send_whole(d, s, radio, block);
}

void downlink_beacon(struct downlink *d, struct node_radio *radio, uint64_t block)
{
    const struct frame *f = d->frame;
    for (int a = 0; a < d->n_ant; a++) {
        d->buffers[a] = a == 0 ? d->symbol : d->silence;
    }
    for (int b = 0; b < f->n_beacon; b++) {
        if (!frame_sends_beacon(f, d->ap, b)) {
            continue;
        }
        const tutti_tick tick = node_radio_tick(radio, block, f->beacon_symbol[b]);
        memcpy(d->symbol, d->beacon, (size_t)f->n_symbol_samples * sizeof *d->symbol);
        slave_turn(d->slave, tick, 1, f->n_symbol_samples, &d->symbol);
        node_radio_burst(radio, d->buffers, f->n_symbol_samples, tick, NODE_TAG_OTHER | block);
    }
}
