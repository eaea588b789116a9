/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The slot thread's verbs, once per block: pilots out, downlink in. */
#include "base/rt.h"
#include "ue_node/ue.h"

/* The tick at which a block's downlink is over. */
static tutti_tick end_of_downlink(const struct ue *ue, uint64_t block)
{
    const struct frame *f = &ue->frame;
    return node_radio_tick(&ue->radio, block, f->dl_symbol[f->n_dl - 1] + 1);
}

static void queue_pilots(struct ue *ue, uint64_t block)
{
    const tutti_tick at = node_radio_tick(&ue->radio, block, ue->frame.pilot_symbol[0]);
    if (ue->pilot_user < 0 || block < ue->pilot_from_block || at < ue->span.next) {
        return;
    }
    const struct roster *const roster = roster_book_at(ue->rosters, block);
    const int sequence = roster_sequence(ue->config, &ue->frame, roster, ue->pilot_user, block);
    if (sequence >= 0) {
        const size_t one = (size_t)ue->n_pilot_samples;
        ue->pilot_buffers[0] = ue->pilots + (ue->n_sequence > 1 ? (size_t)sequence * one : 0);
        if (ue->uplink.n_samples > 0) {
            uplink_burst(&ue->uplink, &ue->radio, ue->ofdm, ue->id, block);
            return;
        }
        node_radio_burst(&ue->radio, ue->pilot_buffers, ue->n_pilot_samples, at, NODE_TAG_OTHER | block);
    }
}

void slot_prepare(struct ue *ue)
{
    node_radio_follow(&ue->radio, atomic_load_explicit(&ue->epoch, memory_order_relaxed), ue->span.next);
    ue->block = frame_block_of(&ue->frame, ue->radio.epoch, ue->span.next);
    if (ue->span.next >= end_of_downlink(ue, ue->block)) {
        ue->block++;
    }
    if (ue->pilots_block < ue->block || ue->pilots_block > ue->block + 2) { /* samples were lost, or time went back */
        ue->pilots_block = ue->block;
    }
    while (ue->pilots_block <= ue->block + 1) {
        queue_pilots(ue, ue->pilots_block++);
    }
}

int slot_receive(struct ue *ue)
{
    const tutti_tick to = end_of_downlink(ue, ue->block);
    ue->idle = ue->role == UE_USER && roster_place(roster_book_at(ue->rosters, ue->block), ue->id) < 0;
    node_span_want(&ue->span, &ue->radio, to, ue->idle ? "" : "BD"); /* what slot_capture_downlink looks at */
    return node_span_receive(&ue->span, &ue->radio, to);
}

void slot_hear_notes(struct ue *ue)
{
    struct radio_note note;
    while (node_radio_note(&ue->radio, &note)) {
    }
}

/* A slot for this block: with repeatable radios wait for the decode thread, else go without. */
static struct ue_capture *claim_capture(struct ue *ue)
{
    struct ue_capture *capture = ring_write_slot(ue->captures);
    if (!capture && ue->radio.info.repeatable) {
        atomic_store(&ue->slot_waits, true);
        while (!(capture = ring_write_slot(ue->captures)) && !rt_stop_requested()) {
            rt_event_wait(ue->room_event, 100000);
        }
        atomic_store(&ue->slot_waits, false);
    }
    ue->counters.captures_dropped += !capture;
    return capture;
}

/* Of the beacons of this block, as far as they are here: known and unprecoded, they come as late as the access points
 * are heard. What is precoded is not: its delay on the way is taken off before it is sent. */
static void add_beacons(struct ue *ue, double complex *turn, double *power)
{
    const struct frame *f = &ue->frame;
    for (int b = 0; b < f->n_beacon; b++) {
        const tutti_tick tick = node_radio_tick(&ue->radio, ue->block, f->beacon_symbol[b]);
        for (int a = 0; node_span_has(&ue->span, tick, f->n_symbol_samples) && a < ue->n_ant; a++) {
            ofdm_demodulate(ue->ofdm, node_span_at(&ue->span, a, tick), ue->beacon);
            delay_row(f, ue->beacon, ue->unbeacon, turn, power);
        }
    }
}

/* Frames without a beacon have nothing better. */
static void add_pilots(const struct ue *ue, const tutti_cf32 *Y, double complex *turn, double *power)
{
    const struct frame *f = &ue->frame;
    for (int a = 0; a < ue->n_ant; a++) {
        for (int d = 0; d < f->n_dl_pilot; d++) {
            delay_row(f, Y + (size_t)(a * f->n_dl + d) * (size_t)f->n_sc, ue->unscramble, turn, power);
        }
    }
}

/* The FFT windows of the next block follow the delay of this one. */
static void follow_delay(struct ue *ue, const tutti_cf32 *Y)
{
    double complex turn = 0;
    double power = 0;
    if (ue->frame.n_beacon > 0) {
        add_beacons(ue, &turn, &power);
    } else {
        add_pilots(ue, Y, &turn, &power);
    }
    delay_add(&ue->delay, turn, power);
    ofdm_follow(ue->ofdm, delay_samples(&ue->delay));
}

void slot_capture_downlink(struct ue *ue)
{
    const struct frame *f = &ue->frame;
    const tutti_tick first = node_radio_tick(&ue->radio, ue->block, f->dl_symbol[0]);
    if (!node_span_has(&ue->span, first, f->n_dl * f->n_symbol_samples)) {
        ue->counters.missed++;
        return;
    }
    ue->counters.blocks++;
    struct ue_capture *capture = claim_capture(ue);
    if (!capture) {
        return;
    }
    capture->block = ue->block;
    capture->idle = ue->idle;
    for (int a = 0; a < ue->n_ant && !ue->idle; a++) {
        for (int d = 0; d < f->n_dl; d++) {
            ofdm_demodulate(ue->ofdm, node_span_at(&ue->span, a, first + (tutti_tick)(d * f->n_symbol_samples)),
                            capture->Y + (size_t)(a * f->n_dl + d) * (size_t)f->n_sc);
        }
    }
    if (!ue->idle) {
        follow_delay(ue, capture->Y);
    }
    ring_push(ue->captures);
    rt_event_signal(ue->capture_event);
}
