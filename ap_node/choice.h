/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which precoder the downlink that belongs to a block (its own, or the one `lag` blocks later) gets: the one made for
 * it, else an earlier one while it is valid, else conjugate beams from this AP's own estimates, else silence. The slot
 * thread's. */
#ifndef TUTTI_AP_NODE_CHOICE_H
#define TUTTI_AP_NODE_CHOICE_H

#include "ap_node/accounts.h"
#include "ap_node/inbox.h"
#include "ap_node/rules.h"

#include <stdatomic.h>

/* What the choice looks at and waits for; all of it belongs to others. */
struct choice_source {
    inbox_t *inbox;
    int event_fd;                        /* signalled when the inbox or one of the next two changes */
    const _Atomic uint32_t *session;     /* 0: no central node, nothing to wait for */
    const _Atomic uint64_t *no_precoder; /* newest block + 1 that the central node has none for (lock-step) */
};

struct choice {
    struct choice_source source;
    struct ap_rules rules;               /* the newest message's; at first the configuration's */
    uint64_t lag;                        /* a block's own precoder is valid from block + this on */
    uint64_t n_local;                    /* blocks of local CB since a precoder was last used */
    struct inbox_late late[INBOX_SLOTS]; /* work */
};

/* When a decision must have been made. */
struct choice_deadline {
    uint64_t until_ns; /* clock_mono_ns: how long to wait for the block's own precoder */
    uint64_t early_ns; /* a precoder there this long before counts as early */
    bool repeatable;   /* no real deadline: a precoder is needed when it is asked for */
};

struct choice_made {
    enum wire_sent kind;                /* FRESH, STALE, LOCAL_CB, MUTE */
    enum wire_arrival arrival;          /* of the block's own precoder; NONE: not here (yet) */
    const struct ap_precoder *precoder; /* FRESH, STALE; stays until the next choice_make or choice_collect */
};

/* Waits for this block's precoder until the deadline at most, and not at all without a central node. have_estimate:
 * this AP has estimates of its own. Precoders that came too late for their block are stamped in accounts. No
 * allocation. */
void choice_make(struct choice *choice, uint64_t block, const struct choice_deadline *deadline, bool have_estimate,
                 accounts_t *accounts, struct choice_made *made);
/* Takes in what has come since the last decision: before the accounts are sent. */
void choice_collect(struct choice *choice, uint64_t block, accounts_t *accounts);

#endif
