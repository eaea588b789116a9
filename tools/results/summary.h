/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbers of a run, from its recording, and the check of a run that must be perfect. */
#ifndef TUTTI_TOOLS_RESULTS_SUMMARY_H
#define TUTTI_TOOLS_RESULTS_SUMMARY_H

#include "base/stats.h"
#include "fronthaul/wire.h"
#include "mimo/expected.h"
#include "mimo/precoder.h"
#include "tools/results/recording.h"

#include <stdio.h>

/* Hops of a block through the system, as docs/files.md defines them. */
#define SUMMARY_HOP_MAP(X)                                                                                             \
    X(HOP_ESTIMATE, "estimate", "capture end to estimates sent")                                                       \
    X(HOP_UPLINK, "uplink", "estimates sent to received")                                                              \
    X(HOP_GATHER, "gather", "estimates received to solve start")                                                       \
    X(HOP_SOLVE, "solve", "solve start to solve end")                                                                  \
    X(HOP_PUSH, "push", "solve end to precoder sent")                                                                  \
    X(HOP_DOWNLINK, "downlink", "precoder sent to received")                                                           \
    X(HOP_WAIT, "wait", "precoder received to applied")                                                                \
    X(HOP_TOTAL, "total", "capture end to precoder received")
enum summary_hop {
#define SUMMARY_HOP_ENUM(name, text, meaning) name,
    SUMMARY_HOP_MAP(SUMMARY_HOP_ENUM)
#undef SUMMARY_HOP_ENUM
        SUMMARY_N_HOP
};
const char *summary_hop_text(int hop);
const char *summary_hop_meaning(int hop);

struct summary_user {
    uint64_t n_served;  /* blocks solved with the user; the figures below leave out blocks solved without it */
    uint64_t n_report;  /* blocks with a report, served or not */
    uint64_t n_missing; /* blocks that count for the user without a report: lost, or nobody solved and it heard none */
    uint64_t n_sinr;    /* blocks with both a measured and a predicted SINR: those the two means are over, without
                         * blocks of learning */
    double sinr_measured_db; /* mean over those blocks of the SINR in dB; NaN without any */
    double sinr_predicted_db;
    double sinr_expected_db;            /* with every loss known of; NaN where the recording has none */
    double sinr_median_db, sinr_low_db; /* median, 5 % quantile over all reports; -INFINITY where the report says 0 */
    double evm;                         /* median over reports, fraction */
    double throughput_bps;              /* bits of right code blocks over the whole run; NaN when unknown */
    uint64_t bits, bit_errors, coded_bits, coded_bit_errors;
    uint64_t code_blocks, code_block_errors; /* of all blocks that count: those of a missing report are wrong */
};

enum {
    SUMMARY_N_APPLIED = WIRE_N_SENT,
    SUMMARY_N_ARRIVAL = 4,
    SUMMARY_N_REASON = MIMO_N_REASONS + 1,
    SUMMARY_N_SCHEME = MIMO_N_SCHEMES + 1,
    SUMMARY_N_EVENT = 5
};

/* A paced run of which less was solved than this has not kept up with real time. */
#define SUMMARY_KEPT_UP 0.98

struct summary {
    uint64_t n_block;    /* rows of the recording */
    uint64_t n_learning; /* of them with an AP that had just begun to learn gains and noise */
    int n_ap, n_ue;
    struct summary_user *user;            /* [n_ue] */
    struct stats_hist hop[SUMMARY_N_HOP]; /* ns */
    uint64_t n_unknown[SUMMARY_N_HOP];    /* begun and never seen to end: beyond every quantile that is known */
    uint64_t n_negative[SUMMARY_N_HOP];   /* stamps out of order (clocks of two hosts apart): not in the histogram */
    uint64_t applied[SUMMARY_N_APPLIED];  /* per enum wire_sent, AP-blocks */
    uint64_t arrival[SUMMARY_N_ARRIVAL];  /* per enum wire_arrival, AP-blocks */
    uint64_t reason[SUMMARY_N_REASON];    /* per enum mimo_reason, solved blocks; the last counts all others */
    uint64_t events[SUMMARY_N_EVENT];     /* U O D S L over all APs, restarts of an AP included */
    uint64_t n_solved;
    uint64_t scheme[SUMMARY_N_SCHEME][SUMMARY_N_REASON]; /* solved blocks; the last scheme is none this program knows */
    uint64_t n_gap;                                      /* subbands of the optimum with a bound */
    double gap_median;                                   /* over those; NaN without any */
    double wall_s;                                       /* first to last solve; NaN with fewer than two */
    double realtime_factor;                              /* air time of the solved blocks over it */
    int lag_blocks;    /* downlinks were so many blocks after the pilots of their precoders */
    double doppler_hz; /* with a lag: how fast the emulated channels changed; NaN where that is not known */
    double ageing;     /* with a lag and a known Doppler: error over signal by ageing, zero-forcing of all antennas */
    double loss_db[EXPECTED_N];   /* by each cause alone, mean over blocks without those of learning; NaN unknown */
    int sc_per_sb, narrower;      /* subcarriers per subband, and those that the delays ask for; 0 unknown */
    double bytes, narrower_bytes; /* of coefficients per access point and block with them */
    bool fell_behind;             /* paced, and below SUMMARY_KEPT_UP */
    uint64_t n_event;
    const struct recording_event *event; /* the recording's */
};

/* NULL when out of memory. The recording must outlive it. */
struct summary *summary_create(const struct recording *recording);
void summary_free(struct summary *summary); /* NULL allowed */

/* What a run that should be perfect must show in blocks 0..n_block-1: every block solved and its precoder sent to every
 * AP in the solve, a report from every user, every user served at least once, every code block of a block it was served
 * in right. 0, or TUTTI_EFORMAT with error_text saying what is
 * amiss first and how often. */
int summary_check(const struct recording *recording, uint64_t n_block);

/* Of a hop, us: what is known of quantile q. *censored: it is beyond that. NaN without samples. */
double summary_hop_quantile_us(const struct summary *summary, int hop, double q, bool *censored);

void summary_print(const struct summary *summary, FILE *out);
/* A sentence on what users should have measured and what cost them most; nothing where that is not known. */
void summary_write_losses(const struct summary *summary, FILE *out);
void summary_html_users(const struct summary *summary, FILE *out);
void summary_html_schemes(const struct summary *summary, FILE *out);
void summary_html_hops(const struct summary *summary, FILE *out);
/* The time line: who came and went, restarts, outages, alarms. */
void summary_html_events(const struct summary *summary, FILE *out);
void summary_html_counts(const struct summary *summary, FILE *out);

/* The stamps of a hop in one block at one AP: 0 and *value_ns, or -1 (a stamp is missing) or -2 (out of order). */
int summary_hop_value(const struct recording *recording, int hop, uint64_t block, int ap, uint64_t *value_ns);

#endif
