/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the slow clock has decided, for those who watch: which access points illuminate zones and how well, who is
 * served, how the last disruption is scored. Private to the record thread. */
#ifndef TUTTI_CPU_NODE_RECORD_LIVE_SLOW_H
#define TUTTI_CPU_NODE_RECORD_LIVE_SLOW_H

#include "cpu_node/block.h"
#include "cpu_node/recovery.h"

#include <jansson.h>

struct live_slow {
    int n_ap, n_ue, n_zone;
    uint8_t *senses;         /* [n_ap] */
    double *masr, *sinr_eve; /* [n_zone] linear */
    bool planned;            /* zones are illuminated */
    uint8_t *now;            /* [n_ue] served in the newest block */
    /* the last disruption; NaN: not known yet */
    bool any, busy;
    enum recovery_kind kind;
    int ap, user; /* -1: none of them */
    int n_candidates;
    double gap, absorption, ms;
    struct resilience_score best;
};

int live_slow_create(struct live_slow *slow, int n_ap, int n_ue, int n_zone); /* 0, TUTTI_ENOMEM */
void live_slow_free(struct live_slow *slow);                                  /* what it holds; zeroes allowed */

void live_slow_block(struct live_slow *slow, const struct cpu_block *block); /* O(n_ap + n_ue + n_zone) */
/* A line of the slow clock's (cpu_node/slow.h); those of the resilience controller are taken note of. */
void live_slow_event(struct live_slow *slow, const char *text);

/* Adds mode to an AP's object when zones are illuminated, now to a user's; zones and resilience to the message. */
void live_slow_ap(const struct live_slow *slow, int ap, json_t *object);
void live_slow_user(const struct live_slow *slow, int user, json_t *object);
void live_slow_tell(const struct live_slow *slow, json_t *root);

#endif
