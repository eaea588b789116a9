/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One wake-up per block: a node asks for all samples up to its next decision at once and looks at the symbols
 * afterwards. Where samples were lost is known, so that a symbol is used only when it is whole. */
#ifndef TUTTI_NODE_SPAN_H
#define TUTTI_NODE_SPAN_H

#include "node/radio.h"

struct node_span {
    int n_ant, room;
    tutti_cf32 **samples;            /* [n_ant] pointers to [room]: tick from + i */
    tutti_cf32 **into;               /* [n_ant], work */
    tutti_tick from, next;           /* the buffer starts at `from`; `next` is the first sample to come */
    tutti_tick whole_from, whole_to; /* all samples of whole_from..whole_to-1 are held */
    struct radio_got got;            /* the samples received last */
};

/* room: the longest span in samples. */
int node_span_create(struct node_span *span, int n_ant, int room);
void node_span_destroy(struct node_span *span); /* half-built allowed */
void node_span_start(struct node_span *span, tutti_tick first);

/* Receives from span->next up to tick `to` (at most room samples). After a gap span->next may lie beyond `to`: then
 * that moment has passed, and what came with the same call is given up; or before it, when time went back. Gaps are
 * counted in radio->counters. Errors are radio_recv's. No allocation. */
int node_span_receive(struct node_span *span, struct node_radio *radio, tutti_tick to);
/* Of the samples up to tick `to` only those of symbols with one of these letters will be looked at: the radio need not
 * make or copy the others, whose places then hold anything. Before node_span_receive. */
void node_span_want(const struct node_span *span, struct node_radio *radio, tutti_tick to, const char *letters);
/* The n samples from `tick` on are here and whole. */
bool node_span_has(const struct node_span *span, tutti_tick tick, int n);
/* Antenna a's samples from `tick` on; only for ticks that are held. */
const tutti_cf32 *node_span_at(const struct node_span *span, int a, tutti_tick tick);

#endif
