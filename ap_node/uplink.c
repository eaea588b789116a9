/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/uplink.h"

#include "base/error.h"
#include "channel/channel.h"
#include "fronthaul/encoding.h"
#include "linalg/kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Life ------------------------------------------------------------------------------------------------------------- */

static bool is_local(const struct uplink *u)
{
    return u->config->uplink.mode == CONFIG_UPLINK_LOCAL;
}

static bool allocate(struct uplink *u)
{
    const struct frame *f = u->frame;
    const size_t n_sb = (size_t)f->n_sb, n_sc = (size_t)f->n_sc, n_ant = (size_t)u->n_ant, n_ue = (size_t)u->n_ue;
    const size_t n_column = (size_t)u->n_column;
    u->scale = calloc(n_sb * n_ant, sizeof *u->scale);
    u->V = calloc(n_sb * n_column * n_ant, sizeof *u->V);
    u->statistic = calloc((size_t)u->n_statistic + 1, sizeof *u->statistic);
    u->G = calloc(n_ant * n_ue, sizeof *u->G);
    u->V_sb = calloc(n_ant * n_ue, sizeof *u->V_sb);
    u->g_sb = calloc(n_ue * n_ue, sizeof *u->g_sb);
    u->f_sb = calloc(n_ue, sizeof *u->f_sb);
    u->e = calloc(n_ue, sizeof *u->e);
    u->sends = calloc(n_ue, sizeof *u->sends);
    u->undo = calloc(n_sc, sizeof *u->undo);
    u->centre = calloc(n_sb, sizeof *u->centre);
    u->rows = calloc(n_ant * n_sc, sizeof *u->rows);
    u->row = calloc(n_ant, sizeof *u->row);
    u->values = calloc((size_t)f->n_ul * n_column * n_sc, sizeof *u->values);
    return u->scale && u->V && u->statistic && u->G && u->V_sb && u->g_sb && u->f_sb && u->e && u->sends && u->undo &&
           u->centre && u->rows && u->row && u->values;
}

int uplink_create(struct uplink *u, const struct config *config, const struct frame *frame, int id)
{
    *u = (struct uplink){0};
    if (config->uplink.mode == CONFIG_UPLINK_NONE) {
        return TUTTI_OK;
    }
    const bool per_user = config_uplink_per_user(config);
    *u = (struct uplink){
        .config = config,
        .frame = frame,
        .id = id,
        .n_ant = config->network.n_ant,
        .n_ue = config->network.n_ue,
        .n_column = per_user ? config->network.n_ue : config->network.n_ant,
        .uplink_to_downlink = sqrt(channel_downlink_snr_scale(config) / channel_uplink_snr_scale(config)),
    };
    if (is_local(u)) {
        u->n_statistic = (uint32_t)(frame->n_sb * u->n_column * (1 + 2 * u->n_ue));
    }
    if (!allocate(u)) {
        return error_set(TUTTI_ENOMEM, "out of memory for the uplink symbols");
    }
    for (int a = 0; a < u->n_ant; a++) {
        u->row[a] = u->rows + (size_t)a * (size_t)frame->n_sc;
    }
    const int status = combine_create(&u->combine, u->n_ue);
    if (status >= 0 && uplink_message_bytes(u) == 0) {
        return error_set(TUTTI_ECONFIG, "uplink.mode: the %d U symbols of a block do not fit one message", frame->n_ul);
    }
    return status;
}

void uplink_destroy(struct uplink *u)
{
    combine_destroy(u->combine);
    free(u->scale);
    free(u->V);
    free(u->statistic);
    free(u->G);
    free(u->V_sb);
    free(u->g_sb);
    free(u->f_sb);
    free(u->e);
    free(u->sends);
    free(u->undo);
    free(u->centre);
    free(u->rows);
    free(u->row);
    free(u->values);
    *u = (struct uplink){0};
}

static void fill_header(const struct uplink *u, struct wire_header *header)
{
    *header = (struct wire_header){
        .type = WIRE_UPLINK,
        .node = (uint16_t)u->id,
        .session = u->session,
        .block = u->block,
        .tick = u->tick,
        .n_sb = (uint16_t)(u->frame->n_ul * u->frame->n_sb),
        .n_ant = (uint16_t)u->n_column,
        .n_stream = (uint16_t)u->frame->sc_per_sb,
    };
    encoding_of_uplink(header, u->config);
}

size_t uplink_message_bytes(const struct uplink *u)
{
    struct wire_header header;
    if (!u->config || (long)u->frame->n_ul * u->frame->n_sb > UINT16_MAX) {
        return 0;
    }
    fill_header(u, &header);
    return wire_array_bytes(&header, u->n_statistic);
}

/* Weights ---------------------------------------------------------------------------------------------------------- */

/* Uplink channels of one subband: ghat = conj(H_hat) / u [Demir 2021 in uplink units]; 0 of users that only wait. */
static void take_channels(struct uplink *u, const tutti_cf32 *H_hat)
{
    const float scale = (float)(1 / u->uplink_to_downlink);
    for (int i = 0; i < u->n_ant * u->n_ue; i++) {
        u->G[i] = u->sends[i % u->n_ue] ? scale * conjf(H_hat[i]) : 0;
    }
}

static void keep_statistics(struct uplink *u, int sb)
{
    const size_t n_column = (size_t)u->n_column, n_ue = (size_t)u->n_ue;
    float *const f = u->statistic + (size_t)sb * n_column;
    float *const g = u->statistic + (size_t)u->frame->n_sb * n_column + (size_t)sb * n_column * n_ue * 2;
    for (size_t k = 0; k < n_column; k++) {
        f[k] = (float)u->f_sb[k];
    }
    for (size_t i = 0; i < n_column * n_ue; i++) {
        g[2 * i] = (float)creal(u->g_sb[i]);
        g[2 * i + 1] = (float)cimag(u->g_sb[i]);
    }
}

/* One subband's V: local combining, or for a central combiner the matched filters Ghat^H. */
static void make_weights(struct uplink *u, int sb)
{
    const size_t n_ant = (size_t)u->n_ant, n_ue = (size_t)u->n_ue;
    const tutti_cf32 *from = u->G;
    if (is_local(u)) {
        const enum combine_kind kind = u->config->uplink.combiner == CONFIG_COMBINER_MR ? COMBINE_MR : COMBINE_MMSE;
        combine_local(u->combine, kind, u->n_ant, u->G, u->e, NULL, u->V_sb, u->g_sb, u->f_sb);
        keep_statistics(u, sb);
        from = u->V_sb;
    }
    tutti_cf32 *const V = u->V + (size_t)sb * n_ue * n_ant;
    for (size_t a = 0; a < n_ant; a++) {
        for (size_t k = 0; k < n_ue; k++) {
            V[k * n_ant + a] = conjf(from[a * n_ue + k]);
        }
    }
}

/* Calibrated estimates are of antennas times c: so are the samples. */
static void take_scale(struct uplink *u, const struct capture *capture, const struct reciprocity *reciprocity)
{
    const float noise = (float)(1 / sqrt(capture->noise_power));
    for (int i = 0; i < u->frame->n_sb * u->n_ant; i++) {
        u->scale[i] = reciprocity->run != 0 ? noise * (tutti_cf32)reciprocity->table.c[i] : noise;
    }
}

void uplink_remember(struct uplink *u, const struct capture *capture, const struct reciprocity *reciprocity,
                     const struct node_radio *radio, uint64_t block, uint32_t session)
{
    if (!u->config) {
        return;
    }
    const size_t one = (size_t)u->n_ant * (size_t)u->n_ue;
    const double power = u->uplink_to_downlink * u->uplink_to_downlink;
    u->have = capture->noise_power > 0;
    u->block = block;
    u->session = session;
    u->begin = node_radio_tick(radio, block, 0);
    u->tick = frame_symbol_tick(u->frame, radio->epoch, block, 0);
    u->delay_samples = estimate_delay_samples(capture->estimate);
    take_scale(u, capture, reciprocity);
    for (int k = 0; k < u->n_ue; k++) {
        u->e[k] = u->sends[k] ? (float)((double)capture->error_variance[k] / power) : 0;
    }
    for (int sb = 0; config_uplink_per_user(u->config) && sb < u->frame->n_sb; sb++) {
        take_channels(u, capture->H_hat + (size_t)sb * one);
        make_weights(u, sb);
    }
}

/* Symbols ---------------------------------------------------------------------------------------------------------- */

/* The delay's slope inside every subband, as it is taken off the pilots. */
static void prepare_slope(struct uplink *u, const struct capture *capture)
{
    const struct frame *f = u->frame;
    interpolate_slope(capture->interpolate, u->delay_samples, u->undo, u->centre);
    for (int i = 0; i < f->n_sc; i++) {
        u->undo[i] = conjf(u->undo[i]) * u->centre[i / f->sc_per_sb];
    }
}

static void straighten(struct uplink *u, int a, tutti_cf32 *row)
{
    const struct frame *f = u->frame;
    for (int sb = 0; sb < f->n_sb; sb++) {
        const tutti_cf32 scale = u->scale[sb * u->n_ant + a];
        for (int i = sb * f->sc_per_sb; i < (sb + 1) * f->sc_per_sb; i++) {
            row[i] *= scale * u->undo[i];
        }
    }
}

/* One symbol's antennas as they are, or combined, to [n_sb][n_column][sc_per_sb]. */
static void hand_on(struct uplink *u, tutti_cf32 *values)
{
    const struct frame *f = u->frame;
    const size_t n = (size_t)f->sc_per_sb;
    const struct kernel_ops *const ops = kernel_get();
    for (int sb = 0; sb < f->n_sb; sb++) {
        for (int c = 0; c < u->n_column; c++) {
            tutti_cf32 *const out = values + (size_t)(sb * u->n_column + c) * n;
            if (config_uplink_per_user(u->config)) {
                ops->combine(f->sc_per_sb, u->n_ant, u->V + (size_t)(sb * u->n_column + c) * (size_t)u->n_ant, u->row,
                             (size_t)sb * n, out);
            } else {
                memcpy(out, u->row[c] + (size_t)sb * n, n * sizeof *out);
            }
        }
    }
}

static bool take_symbols(struct uplink *u, struct capture *capture, const struct node_span *span)
{
    const struct frame *f = u->frame;
    for (int d = 0; d < f->n_ul; d++) {
        if (!node_span_has(span, frame_symbol_tick(f, u->begin, 0, f->ul_symbol[d]), f->n_symbol_samples)) {
            return false;
        }
    }
    prepare_slope(u, capture);
    for (int d = 0; d < f->n_ul; d++) {
        const tutti_tick tick = frame_symbol_tick(f, u->begin, 0, f->ul_symbol[d]);
        for (int a = 0; a < u->n_ant; a++) {
            tutti_cf32 *const row = u->rows + (size_t)a * (size_t)f->n_sc;
            ofdm_demodulate(capture->ofdm, node_span_at(span, a, tick), row);
            slave_delay(capture->slave, true, 1, row);
            straighten(u, a, row);
        }
        hand_on(u, u->values + (size_t)d * (size_t)u->n_column * (size_t)f->n_sc);
    }
    return true;
}

void uplink_send(struct uplink *u, struct capture *capture, const struct node_span *span, struct ap_link *link)
{
    if (!u->have || u->session == 0) {
        return;
    }
    u->have = false;
    struct ap_message *const message = ap_link_uplink(link);
    if (!message) {
        u->dropped++;
        return;
    }
    if (!take_symbols(u, capture, span)) {
        u->missed++;
        return;
    }
    struct wire_header header;
    fill_header(u, &header);
    const struct wire_array_meta meta = {.kind = (uint8_t)config_uplink_per_user(u->config),
                                         .subject = (uint16_t)u->frame->n_ul,
                                         .n_statistic = u->n_statistic,
                                         .statistic = u->statistic};
    message->n_bytes = wire_pack_array(message->bytes, link->uplink_room, &header, &meta, u->values);
    if (message->n_bytes > 0) {
        ap_link_send_uplink(link);
        u->sent++;
    }
}
