/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The streams of one block at one AP: the vectors that were received, what the AP adds itself (beams from its own
 * estimates, artificial noise in the null space of its strong users, noise symbols that all APs draw alike), all under
 * the AP's power limits. The vectors of a received precoder are copied once per block; what is fresh every symbol is
 * written over the copy. The slot thread's; no allocation after create. */
#ifndef TUTTI_AP_NODE_STREAMS_H
#define TUTTI_AP_NODE_STREAMS_H

#include "ap_node/rules.h"
#include "mimo/splitmix.h"
#include "mimo/stream_set.h"
#include "node/roster.h"

struct streams_settings {
    int n_sb, sc_per_sb, n_ant, n_ue, room; /* room: streams */
    struct splitmix private_random;         /* where this AP's own noise comes from */
    uint64_t network_seed;                  /* of symbols that everybody may know */
};

/* This AP's estimates. */
struct streams_estimates {
    const tutti_cf32 *H_hat;            /* [n_sb][n_ant][n_ue] */
    const float *beta, *error_variance; /* [n_ue] */
};

struct streams {
    struct streams_settings settings;
    struct splitmix private_random;
    struct stream_power power;
    const struct roster *roster; /* of the block: beams and nulls of this AP's own are for users with a place */
    /* the block's */
    uint64_t block, noise_key;
    int n_stream;
    struct wire_stream *list; /* [room] */
    tutti_cf32 *V;            /* [n_sb][n_ant][n_stream] */
    tutti_cf32 *own;          /* [n_sb][n_ant][room] this AP's estimates of those with a place */
    tutti_cf32 *symbols;      /* [room][n_sc]: those of streams that are not a user's data */
    bool fresh_every_symbol;  /* streams_renew has work */
    float *extra, *scale;     /* [n_sb]: power of null-space noise, and the limits' factor on its amplitude */
    /* work */
    tutti_cf32 *basis;     /* [n_sb][n_ant][n_ant] */
    int *rank;             /* [n_sb] */
    tutti_cf32 *draw;      /* [n_ant] */
    double *beta, *gamma;  /* [n_ue] */
    uint8_t *strong;       /* [n_ue] */
    double complex *H, *W; /* [n_ant][n_ue] */
};

int streams_create(struct streams *streams, const struct streams_settings *settings);
void streams_destroy(struct streams *streams); /* half-built allowed */

/* Once per block. A received precoder: V [n_sb][n_ant][n_stream], list [n_stream]. Returns true if the AP scaled it
 * down to its power limits. */
bool streams_prepare(struct streams *streams, uint64_t block, const struct ap_rules *rules,
                     const struct wire_precoder_meta *meta, int n_stream, const tutti_cf32 *V,
                     const struct streams_estimates *estimates);
/* The fallback: conjugate beams to every user from this AP alone. */
bool streams_prepare_local(struct streams *streams, uint64_t block, const struct ap_rules *rules,
                           const tutti_cf32 *H_hat);
/* Before downlink symbol d: what is new in every symbol. */
void streams_renew(struct streams *streams, int d);

#endif
