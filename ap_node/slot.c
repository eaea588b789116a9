/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The slot thread's verbs: one OFDM symbol at a time, from samples to a report and from a precoder to samples. */
#include "ap_node/ap.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "fronthaul/encoding.h"

#include <string.h>

static void count_events(struct ap *ap, unsigned events)
{
    for (int i = 0; i < 5; i++) {
        ap->counters.radio[i] += (events >> i) & 1u;
    }
}

int slot_receive(struct ap *ap)
{
    int have = 0, want = cursor_symbol_samples(&ap->at);
    while (have < want) {
        tutti_cf32 *into[TUTTI_MAX_ANT];
        for (int a = 0; a < ap->n_ant; a++) {
            into[a] = ap->rx[a] + have;
        }
        tutti_tick tick = 0;
        unsigned events = 0;
        const int n = radio_recv(ap->radio, into, want - have, &tick, &events);
        if (n < 0) {
            return n;
        }
        count_events(ap, events);
        const bool gap = tick != ap->at.next_tick;
        ap->at.next_tick = tick + (tutti_tick)n;
        have += n;
        if (gap) { /* samples were lost: these are given up too, go on from where they end */
            have = cursor_seek(&ap->at, ap->at.next_tick);
            want = cursor_symbol_samples(&ap->at);
            ap->counters.rx_gaps++;
        }
    }
    return TUTTI_OK;
}

void slot_prepare(struct ap *ap)
{
    const struct frame *f = &ap->frame;
    const size_t per_user = (size_t)f->n_data_re;
    ap->counters.blocks++;
    for (int k = 0; k < ap->n_ue; k++) {
        payload_encode(ap->payload, k, ap->at.block, ap->data + (size_t)k * per_user);
    }
}

void slot_measure_noise(struct ap *ap)
{
    if (!ap->at.whole) { /* the symbol may be cut */
        return;
    }
    for (int a = 0; a < ap->n_ant; a++) {
        ofdm_demodulate(ap->ofdm, ap->rx[a], ap->silent + (size_t)a * (size_t)ap->frame.n_sc);
    }
    estimate_noise(ap->estimate, ap->silent);
}

static void fill_header(const struct ap *ap, struct wire_header *header)
{
    *header = (struct wire_header){
        .type = WIRE_CSI,
        .node = (uint16_t)ap->id,
        .session = atomic_load_explicit(&ap->link.session, memory_order_acquire),
        .block = ap->at.block,
        .tick = cursor_tick(&ap->at, 0),
        .valid_until_block = ap->at.block,
        .n_sb = (uint16_t)ap->frame.n_sb,
        .n_ant = (uint16_t)ap->n_ant,
        .n_stream = (uint16_t)ap->n_ue,
    };
    encoding_of_network(header, ap->config, WIRE_CSI);
}

/* Estimate, pack, hand to the link thread. */
static void report(struct ap *ap)
{
    ap->meta.capture_end_ns = clock_wall_ns();
    estimate_execute(ap->estimate, ap->pilots, ap->H_hat, ap->meta.beta, ap->meta.error_variance);
    ap->have_estimate = true;
    ap->meta.noise_power = (float)estimate_noise_power(ap->estimate);
    ap->meta.previous = ap->stamps;
    for (int i = 0; i < 5; i++) {
        ap->meta.radio_events[i] = (uint32_t)ap->counters.radio[i];
    }
    ap->stamps.capture_end_ns = ap->meta.capture_end_ns;
    struct ap_message *message = ring_write_slot(ap->link.csi_out);
    if (!message) {
        ap->counters.csi_dropped++;
        return;
    }
    struct wire_header header;
    fill_header(ap, &header);
    const size_t room = wire_csi_bytes(&header);
    message->n_bytes = wire_pack_csi(message->bytes, room, &header, &ap->meta, ap->H_hat);
    ring_push(ap->link.csi_out);
    rt_event_signal(ap->link.csi_event);
}

void slot_capture_pilot(struct ap *ap)
{
    const struct frame *f = &ap->frame;
    int t = 0;
    while (f->pilot_symbol[t] != ap->at.symbol) {
        t++;
    }
    for (int a = 0; a < ap->n_ant; a++) {
        ofdm_demodulate(ap->ofdm, ap->rx[a],
                        ap->pilots + ((size_t)a * (size_t)f->n_pilot + (size_t)t) * (size_t)f->n_sc);
    }
    if (t == f->n_pilot - 1 && ap->at.whole) {
        report(ap);
    }
}

bool slot_must_decide(const struct ap *ap)
{
    return ap->at.symbol == ap->decide_symbol && ap->at.whole;
}

/* Symbol sources of one downlink symbol: precoded pilots first, then data. */
static void stream_symbols(const struct ap *ap, const struct ap_choice *choice, int d, const tutti_cf32 **symbols)
{
    const struct frame *f = &ap->frame;
    const size_t n_sc = (size_t)f->n_sc;
    for (int s = 0; s < choice->n_stream; s++) {
        const size_t user = choice->stream[s].user;
        if (choice->stream[s].kind == WIRE_STREAM_AN) {
            symbols[s] = ap->noise;
        } else if (d < f->n_dl_pilot) {
            symbols[s] = ap->dl_pilots + ((size_t)d * (size_t)ap->n_ue + user) * n_sc;
        } else {
            symbols[s] = ap->data + user * (size_t)f->n_data_re + (size_t)(d - f->n_dl_pilot) * n_sc;
        }
    }
}

static void send_symbol(struct ap *ap, const tutti_cf32 *x, tutti_tick at)
{
    for (int a = 0; a < ap->n_ant; a++) {
        ofdm_modulate(ap->ofdm, x + (size_t)a * (size_t)ap->frame.n_sc, ap->tx_scale, ap->tx[a]);
    }
    const tutti_cf32 *buffers[TUTTI_MAX_ANT];
    for (int a = 0; a < ap->n_ant; a++) {
        buffers[a] = ap->tx[a];
    }
    unsigned events = 0;
    if (radio_send(ap->radio, buffers, ap->frame.n_symbol_samples, at, &events) < 0) {
        ap->counters.tx_late++;
    }
    count_events(ap, events);
}

static void send_downlink(struct ap *ap, const struct ap_choice *choice)
{
    const struct frame *f = &ap->frame;
    const tutti_cf32 *symbols[TUTTI_MAX_STREAM];
    for (int d = 0; d < f->n_dl; d++) {
        streams_renew(ap, choice, d);
        stream_symbols(ap, choice, d, symbols);
        apply_streams(f->n_sb, f->sc_per_sb, ap->n_ant, choice->n_stream, choice->V, symbols, ap->x);
        send_symbol(ap, ap->x, cursor_tick(&ap->at, f->dl_symbol[d]));
    }
}

/* The next block's beacon, from the first antenna: known and unprecoded, so users can find the frame. */
static void send_beacon(struct ap *ap)
{
    const struct frame *f = &ap->frame;
    if (f->n_beacon == 0) {
        return;
    }
    memset(ap->x, 0, (size_t)ap->n_ant * (size_t)f->n_sc * sizeof *ap->x);
    memcpy(ap->x, ap->beacon, (size_t)f->n_sc * sizeof *ap->x);
    for (int b = 0; b < f->n_beacon; b++) {
        send_symbol(ap, ap->x, cursor_tick(&ap->at, f->beacon_symbol[b]) + (tutti_tick)f->n_block_samples);
    }
}

void slot_transmit(struct ap *ap)
{
    struct ap_choice choice;
    stale_choose(ap, &choice);
    streams_prepare(ap, &choice);
    ap->stamps = (struct wire_ap_stamps){
        .block = ap->at.block,
        .capture_end_ns = ap->meta.capture_end_ns,
        .precoder_received_ns = choice.received_ns,
        .applied_ns = clock_wall_ns(),
        .applied_kind = (uint8_t)choice.kind,
        .arrival = (uint8_t)choice.arrival,
    };
    ap->counters.applied[choice.kind]++;
    ap->counters.arrival[choice.arrival]++;
    if (choice.V) {
        send_downlink(ap, &choice);
    }
    send_beacon(ap);
}
