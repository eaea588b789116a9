/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A node's radio: opened as the configuration of this node says, its notes counted, its time turned into deadlines. */
#ifndef TUTTI_NODE_RADIO_H
#define TUTTI_NODE_RADIO_H

#include "hw/radio.h"
#include "node/iq.h"
#include "phy/frame.h"

/* Tags of bursts that are nobody's downlink. */
#define NODE_TAG_OTHER (1ull << 63)

struct node_radio_counters {
    uint64_t sent, refused;  /* bursts that left in time; that the radio did not take (too far ahead, overlapping) */
    uint64_t gaps, lost;     /* receive gaps, samples in them */
    uint64_t event[5];       /* U O D S L */
    tutti_tick last_tick[5]; /* where the last of each happened */
};

struct node_radio {
    radio_t *radio;
    node_iq_t *iq; /* writes what is received; NULL: nobody does */
    struct radio_info info;
    const struct frame *frame;
    tutti_tick epoch, first; /* first: of the first sample */
    int shift;               /* samples by which this node acts earlier, its clock being late */
    struct node_radio_counters counters;
};

/* Opens the radio of node id of a role; blocks until the device is there. */
int node_radio_open(struct node_radio *radio, const struct config *config, const struct frame *frame,
                    enum config_role role, int id, int n_ant);
/* TUTTI_ECONFIG, with the sentence, if its bursts must be handed over, lead_us (engine.tx_lead_us) before they are due
 * or as the radio asks, before the pilots of their block are there: such an AP would never wait for a precoder. */
int node_radio_check_lead(const struct node_radio *radio, double lead_us);
/* Before the start: the recording of what is received, if the configuration asks for it. */
int node_radio_record(struct node_radio *radio, const struct config *config, enum config_role role, int id,
                      uint64_t session, tutti_tick epoch);
/* Numbers that what is made of block's samples depends on, besides the samples: into the recording where it begins or
 * lacks something. True: the radio plays a recording that has others, which are now in `values`. Slot thread. */
bool node_radio_history(struct node_radio *radio, uint64_t block, double *values, int n);
/* Starts streaming at the epoch or as soon after it as can be. */
int node_radio_start(struct node_radio *radio, tutti_tick epoch);
/* The central node has set another epoch: blocks are counted from there, as soon as it has passed. */
static inline void node_radio_follow(struct node_radio *radio, tutti_tick epoch, tutti_tick now)
{
    radio->epoch = epoch <= now ? epoch : radio->epoch;
}
void node_radio_close(struct node_radio *radio); /* half-open allowed */

/* The next note, counted; 1 or 0. No allocation. */
int node_radio_note(struct node_radio *radio, struct radio_note *note);
/* Sends a burst; what the radio does not take is counted. */
int node_radio_burst(struct node_radio *radio, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag);
int node_radio_burst_open(struct node_radio *radio, int n, tutti_tick at, uint64_t tag); /* in parts, likewise */
/* The epoch by this node's clock: may lie before tick 0, and wraps around then. */
static inline tutti_tick node_radio_epoch(const struct node_radio *radio)
{
    return radio->epoch - (tutti_tick)(int64_t)radio->shift;
}
/* Sample of this block's symbol. */
static inline tutti_tick node_radio_tick(const struct node_radio *radio, uint64_t block, int symbol)
{
    return frame_symbol_tick(radio->frame, node_radio_epoch(radio), block, symbol);
}
/* clock_mono_ns by which a burst from tick `at` must be handed over, by the clock of the samples got last: what the
 * radio asks for, or lead_us if that is more. */
uint64_t node_radio_deadline_ns(const struct node_radio *radio, const struct radio_got *got, tutti_tick at,
                                double lead_us);
/* One line of the log at the end: "rx_gaps=.. U=.. ..." into text. */
void node_radio_counters_text(const struct node_radio_counters *counters, char *text, size_t room);

#endif
