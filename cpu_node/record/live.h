/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What those who watch are told: counts since the start and the newest values, of APs, users, hops and decisions, as
 * the JSON of docs/wire.md. Private to the record thread; only live_text allocates. */
#ifndef TUTTI_CPU_NODE_RECORD_LIVE_H
#define TUTTI_CPU_NODE_RECORD_LIVE_H

#include "base/stats.h"
#include "cpu_node/block.h"
#include "cpu_node/record/live_clusters.h"
#include "cpu_node/record/live_slow.h"
#include "fronthaul/wire.h"
#include "mimo/precoder.h"

#include <jansson.h>

/* Hops that the central node can tell while the network runs; docs/latency.md explains them. */
#define LIVE_HOP_MAP(X)                                                                                                \
    X(LIVE_ESTIMATE, estimate)                                                                                         \
    X(LIVE_UPLINK, uplink)                                                                                             \
    X(LIVE_GATHER, gather)                                                                                             \
    X(LIVE_SOLVE, solve)                                                                                               \
    X(LIVE_PUSH, push)                                                                                                 \
    X(LIVE_DOWNLINK, downlink)                                                                                         \
    X(LIVE_WAIT, wait)
enum live_hop {
#define LIVE_HOP_ENUM(id, name) id,
    LIVE_HOP_MAP(LIVE_HOP_ENUM)
#undef LIVE_HOP_ENUM
        LIVE_N_HOP
};

enum { LIVE_EDGES = 10, LIVE_SLICE = 32, LIVE_POINTS = 64 };

struct live_ap {
    uint64_t sent[WIRE_SENT_LOST], arrivals[4];
    uint32_t events[5];   /* U O D S L */
    double noise_power;   /* mean square of full scale */
    uint64_t heard_block; /* newest block + 1 with its estimates */
};

struct live_user {
    double sinr, evm, predicted, rate; /* newest; rate: measured secrecy, bit/s/Hz; NaN unknown */
    uint64_t code_blocks, code_block_errors, served;
    bool suspected;     /* of being attacked */
    double uplink_sinr; /* of its data, linear, newest; counts since the start */
    uint64_t uplink_code_blocks, uplink_code_block_errors;
};

struct live {
    int n_ap, n_ue;
    struct live_ap *ap;
    struct live_user *user;
    struct stats_hist *hop;                      /* [LIVE_N_HOP] since the last text */
    uint64_t bucket[LIVE_N_HOP][LIVE_EDGES + 1]; /* since the start */
    double sum_s[LIVE_N_HOP];                    /* since the start */
    uint64_t scheme[MIMO_N_SCHEMES], reason[MIMO_N_REASONS];
    float *points;           /* [2 LIVE_POINTS] newest constellation */
    int points_of, n_points; /* user; -1 none */
    int points_told;         /* user of the last message; -1 none */
    bool points_new;         /* they came since then */
    int turn;                /* which slice of APs and users the next text has */
    struct live_clusters clusters;
    struct live_slow slow;
};

int live_create(struct live **live, int n_ap, int n_ue, int n_zone); /* 0, TUTTI_ENOMEM */
void live_destroy(struct live *live);                                /* NULL and half-built allowed */

void live_block(struct live *live, const struct cpu_block *block);
/* An account; sent_ns: when its precoder was sent, 0 unknown. */
void live_account(struct live *live, int ap, const struct wire_account *account, uint64_t sent_ns);
void live_report(struct live *live, int user, double sinr, double evm, int64_t code_blocks, int64_t errors);
/* A user's data as the CPU node decoded it. */
void live_uplink(struct live *live, int user, double sinr, int64_t code_blocks, int64_t errors);
/* Measured secrecy rates, bit/s/Hz, and suspicions, [n_ue] of the newest row that has them; NULL: none. */
void live_secrecy(struct live *live, const double *rate, const uint8_t *suspected);
/* Equalised points of a user's report, re, im, re, im, .. */
void live_points(struct live *live, int user, const double *numbers, int n);

/* Adds the members hops, ap_from, ap, user_from, user, scheme, reason and constellation to a status message; APs and
 * users in slices of LIVE_SLICE, the next slice the next time, so that a message stays below 8 kB. alive [n_ap] and
 * [n_ue]. Begins a new period of the hops' quantiles. */
void live_tell(struct live *live, json_t *root, const uint8_t *ap_alive, const uint8_t *user_alive);

#endif
