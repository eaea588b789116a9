/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The slot thread's verbs: pilots out, downlink in. */
#include "base/rt.h"
#include "ue_node/ue.h"

static void count_events(struct ue *ue, unsigned events)
{
    for (int i = 0; i < 5; i++) {
        ue->counters.radio[i] += (events >> i) & 1u;
    }
}

void slot_send_pilots(struct ue *ue, uint64_t block)
{
    const struct frame *f = &ue->frame;
    if (ue->pilot_user < 0 || block < ue->pilot_from_block) {
        return;
    }
    const tutti_cf32 *buffers[TUTTI_MAX_ANT];
    for (int a = 1; a < ue->n_ant; a++) {
        buffers[a] = ue->silence;
    }
    for (int t = 0; t < f->n_pilot; t++) {
        buffers[0] = ue->pilots + (size_t)t * (size_t)f->n_symbol_samples;
        unsigned events = 0;
        radio_send(ue->radio, buffers, f->n_symbol_samples,
                   frame_symbol_tick(f, ue->at.epoch, block, f->pilot_symbol[t]), &events);
        count_events(ue, events);
    }
}

int slot_receive(struct ue *ue)
{
    int have = 0, want = cursor_symbol_samples(&ue->at);
    while (have < want) {
        tutti_cf32 *into[TUTTI_MAX_ANT];
        for (int a = 0; a < ue->n_ant; a++) {
            into[a] = ue->rx[a] + have;
        }
        tutti_tick tick = 0;
        unsigned events = 0;
        const int n = radio_recv(ue->radio, into, want - have, &tick, &events);
        if (n < 0) {
            return n;
        }
        count_events(ue, events);
        const bool gap = tick != ue->at.next_tick;
        ue->at.next_tick = tick + (tutti_tick)n;
        have += n;
        if (gap) { /* samples were lost: these are given up too, go on from where they end */
            const uint64_t expected = ue->at.block;
            have = cursor_seek(&ue->at, ue->at.next_tick);
            want = cursor_symbol_samples(&ue->at);
            ue->counters.rx_gaps++;
            if (ue->at.block != expected) {
                slot_send_pilots(ue, ue->at.block + 1);
            }
        }
    }
    return 0;
}

/* A slot for this block: in lock-step wait for the report thread, else go without. */
static struct ue_capture *claim_capture(struct ue *ue)
{
    struct ue_capture *capture = ring_write_slot(ue->captures);
    while (!capture && ue->lockstep && !rt_stop_requested()) {
        rt_event_wait(ue->room_event, 100000);
        capture = ring_write_slot(ue->captures);
    }
    if (!capture) {
        ue->counters.captures_dropped++;
    }
    return capture;
}

void slot_capture_downlink(struct ue *ue)
{
    const struct frame *f = &ue->frame;
    const int d = ue->at.symbol - f->dl_symbol[0];
    if (!ue->at.whole) {
        return;
    }
    if (d == 0) {
        ue->capture = claim_capture(ue);
    }
    if (!ue->capture) {
        return;
    }
    for (int a = 0; a < ue->n_ant; a++) {
        ofdm_demodulate(ue->ofdm, ue->rx[a], ue->capture->Y + (size_t)((a * f->n_dl + d) * f->n_sc));
    }
    if (d < f->n_dl - 1) {
        return;
    }
    ue->capture->block = ue->at.block;
    ue->capture = NULL;
    ring_push(ue->captures);
    rt_event_signal(ue->capture_event);
}
