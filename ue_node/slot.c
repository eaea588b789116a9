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

/* Samples from a block's start to one of its symbols. */
static int since_block(const struct ue *ue, int symbol)
{
    return symbol * ue->frame.n_symbol_samples;
}

static bool is_searching(const struct ue *ue)
{
    return ue->follow.active && !ue->follow.locked;
}

/* n samples, from the first pilot on, as they would leave a radio with the reference's clock. */
static const tutti_cf32 *turn_burst(struct ue *ue, const tutti_cf32 *samples, int n)
{
    const int first = since_block(ue, ue->frame.pilot_symbol[0]);
    for (int at = 0; at < n; at += ue->frame.n_symbol_samples) {
        follow_turn(&ue->follow, samples + at, first + at, ue->turned + at);
    }
    return ue->turned;
}

static void queue_pilots(struct ue *ue, uint64_t block)
{
    const tutti_tick at = node_radio_tick(&ue->radio, block, ue->frame.pilot_symbol[0]);
    if (ue->pilot_user < 0 || block < ue->pilot_from_block || at < ue->span.next + (tutti_tick)ue->advance_samples) {
        return;
    }
    const struct roster *const roster = roster_book_at(ue->rosters, block);
    const int sequence = roster_sequence(ue->config, &ue->frame, roster, ue->pilot_user, block);
    if (sequence >= 0) {
        const size_t one = (size_t)ue->n_pilot_samples;
        ue->pilot_buffers[0] = ue->pilots + (ue->n_sequence > 1 ? (size_t)sequence * one : 0);
        int n = ue->n_pilot_samples;
        if (ue->uplink.n_samples > 0 && roster_place(roster, ue->pilot_user) >= 0) { /* who waits sends no data */
            ue->pilot_buffers[0] = uplink_make(&ue->uplink, ue->ofdm, ue->pilot_buffers[0], ue->id, block);
            n = ue->uplink.n_samples;
        }
        if (ue->follow.active) {
            ue->pilot_buffers[0] = turn_burst(ue, ue->pilot_buffers[0], n);
        }
        node_radio_burst(&ue->radio, ue->pilot_buffers, n, at - (tutti_tick)ue->advance_samples,
                         NODE_TAG_OTHER | block);
    }
}

void slot_prepare(struct ue *ue)
{
    node_radio_follow(&ue->radio, atomic_load_explicit(&ue->epoch, memory_order_relaxed), ue->span.next);
    if (is_searching(ue)) {
        return;
    }
    ue->block = frame_block_of(&ue->frame, node_radio_epoch(&ue->radio), ue->span.next);
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

/* Nothing in this block's downlink is for this user: it waits, or its pilot was not among those that the downlink was
 * made with. */
static bool is_left_out(struct ue *ue)
{
    const uint64_t lag = (uint64_t)ue->frame.lag_blocks, made_with = ue->block > lag ? ue->block - lag : 0;
    const struct roster *roster = roster_book_at(ue->rosters, made_with);
    const bool heard = roster->n_pilot == 0 || roster_sequence(ue->config, &ue->frame, roster, ue->id, made_with) >= 0;
    roster = roster_book_at(ue->rosters, ue->block);
    return !heard || roster_place(roster, ue->id) < 0;
}

int slot_receive(struct ue *ue)
{
    if (is_searching(ue)) {
        return node_span_receive(&ue->span, &ue->radio, ue->span.next + (tutti_tick)follow_search_samples(&ue->frame));
    }
    const tutti_tick to = end_of_downlink(ue, ue->block);
    ue->idle = ue->role == UE_USER && is_left_out(ue);
    node_span_want(&ue->span, &ue->radio, to,
                   !ue->idle           ? "BD"
                   : ue->follow.active ? "B"
                                       : ""); /* what slot_capture_downlink looks at */
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

static void tell_sync(struct ue *ue)
{
    struct ue_sync_news *const n = &ue->news;
    const struct follow *const f = &ue->follow;
    const double offset = f->fraction_samples - ue->radio.shift - 0.5 * ue->advance_samples;
    atomic_store_explicit(&n->block, ue->block, memory_order_relaxed);
    atomic_store_explicit(&n->cfo_hz, f->cfo_hz, memory_order_relaxed);
    atomic_store_explicit(&n->offset_samples, offset, memory_order_relaxed);
    atomic_store_explicit(&n->snr, f->snr, memory_order_relaxed);
    atomic_store_explicit(&n->locked, f->locked, memory_order_relaxed);
    atomic_fetch_add_explicit(&n->count, 1, memory_order_release);
    rt_event_signal(ue->capture_event);
}

/* Of a cold start, or after the reference was lost: samples of unknown time. */
static void search(struct ue *ue)
{
    const tutti_tick from = ue->span.from;
    const int n = follow_search_samples(&ue->frame);
    if (node_span_has(&ue->span, from, n) && from >= ue->radio.epoch &&
        follow_search(&ue->follow, node_span_at(&ue->span, 0, from), from, &ue->radio)) {
        ue->block = frame_block_of(&ue->frame, node_radio_epoch(&ue->radio), ue->span.next);
        delay_start(&ue->delay, &ue->frame);
        tell_sync(ue);
    }
}

static void follow_reference(struct ue *ue)
{
    const struct frame *f = &ue->frame;
    const tutti_tick tick = node_radio_tick(&ue->radio, ue->block, f->beacon_symbol[0]);
    const bool whole = node_span_has(&ue->span, tick, 2 * f->n_symbol_samples);
    if (!follow_beacons(&ue->follow, whole ? node_span_at(&ue->span, 0, tick) : NULL, &ue->radio)) {
        tell_sync(ue);
    }
}

/* A symbol that begins at `tick`, at its place in the block. */
static void demodulate(struct ue *ue, int a, tutti_tick tick, int symbol, tutti_cf32 *row)
{
    const tutti_cf32 *const samples = node_span_at(&ue->span, a, tick);
    if (ue->follow.active) {
        follow_demodulate(&ue->follow, ue->ofdm, samples, since_block(ue, symbol), row);
    } else {
        ofdm_demodulate(ue->ofdm, samples, row);
    }
}

/* Of the beacons of this block, as far as they are here: known and unprecoded, they come as late as the access points
 * are heard. What is precoded is not: its delay on the way is taken off before it is sent. */
static void add_beacons(struct ue *ue, double complex *turn, double *power)
{
    const struct frame *f = &ue->frame;
    for (int b = 0; b < f->n_beacon; b++) {
        const tutti_tick tick = node_radio_tick(&ue->radio, ue->block, f->beacon_symbol[b]);
        for (int a = 0; node_span_has(&ue->span, tick, f->n_symbol_samples) && a < ue->n_ant; a++) {
            demodulate(ue, a, tick, f->beacon_symbol[b], ue->beacon);
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
    if (is_searching(ue)) {
        search(ue);
        return;
    }
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
            demodulate(ue, a, first + (tutti_tick)(d * f->n_symbol_samples), f->dl_symbol[d],
                       capture->Y + (size_t)(a * f->n_dl + d) * (size_t)f->n_sc);
        }
    }
    if (!ue->idle) {
        follow_delay(ue, capture->Y);
    }
    ring_push(ue->captures);
    rt_event_signal(ue->capture_event);
    if (ue->follow.active) { /* the radio's shift may move: the next block's */
        follow_reference(ue);
    }
}
