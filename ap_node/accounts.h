/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an AP's downlink came to, block by block: exactly one account for every block from the first one on, made when
 * the radio has told what became of its burst, kept until the central node has acknowledged it. The slot thread's. */
#ifndef TUTTI_AP_NODE_ACCOUNTS_H
#define TUTTI_AP_NODE_ACCOUNTS_H

#include "fronthaul/wire.h"
#include "hw/radio.h"

enum {
    ACCOUNTS_ROOM = 16384,      /* the oldest are overwritten, and counted */
    ACCOUNTS_AGAIN = 256,       /* sent again to a central node that comes back */
    ACCOUNTS_LATE_BLOCKS = 4,   /* an account waits this long for its block's own precoder, to have its arrival */
    ACCOUNTS_SILENT_BLOCKS = 16 /* and this long for the radio: then it counts as not sent */
};

struct accounts_counters {
    uint64_t sent[WIRE_SENT_LOST]; /* of complete accounts */
    uint64_t untold;               /* of the LATE ones: the radio never told */
    uint64_t arrival[WIRE_ARRIVAL_LATE + 1];
    uint64_t scaled;
    uint64_t overwritten; /* lost unacknowledged: ring full, time went back */
    uint64_t late_stamps; /* precoders that came after the decision, in time for the account */
    uint64_t too_late;    /* notes and stamps for accounts that were complete already */
};

typedef struct accounts accounts_t;

int accounts_create(accounts_t **accounts);
void accounts_destroy(accounts_t *accounts); /* NULL allowed */

/* Begins the account of `block`; blocks since the last one that were never begun are MISSED. A block that is not after
 * the last one says that time went back: the accounts start anew. No allocation here and below. */
void accounts_begin(accounts_t *accounts, uint64_t block);
/* What was decided for the block begun last, its times and its arrival; sent is not looked at. has_burst: the radio
 * will tell. Without a burst (silence, or the radio refused it) the account is complete with `sent`. */
void accounts_decided(accounts_t *accounts, const struct wire_account *decided, bool has_burst, enum wire_sent sent);
/* The radio told of the burst of block `note->tag`. Of several tales the worst counts. */
void accounts_note(accounts_t *accounts, const struct radio_note *note);
/* A block's own precoder came after the decision. */
void accounts_late(accounts_t *accounts, uint64_t block, uint64_t received_ns);
/* There will be none. */
void accounts_no_precoder(accounts_t *accounts, uint64_t block);
/* Blocks before this one have been received. */
void accounts_acknowledge(accounts_t *accounts, uint64_t before_block);
/* Another central node, or the same one again: what the last one had acknowledged lately may be lost with it. n: how
 * many of those are to be sent again, as far as they are still there. */
void accounts_go_back(accounts_t *accounts, uint64_t n);
/* The oldest complete accounts that are not acknowledged, oldest first, at most room; none is left out on the way, for
 * acknowledging one acknowledges all before it: an account that is not complete ends the list. Returns their number.
 * now_block: the block under way. */
int accounts_collect(accounts_t *accounts, uint64_t now_block, struct wire_account *out, int room);

const struct accounts_counters *accounts_counters(const accounts_t *accounts);

#endif
