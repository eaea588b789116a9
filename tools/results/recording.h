/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run.h5 (docs/files.md) as plain arrays: everything but the channels and precoders themselves. All arrays have
 * n_block rows; rows a dataset does not have, and datasets it lacks, read as never written (NaN or 0). */
#ifndef TUTTI_TOOLS_RESULTS_RECORDING_H
#define TUTTI_TOOLS_RESULTS_RECORDING_H

#include "base/config.h"

enum { RECORDING_EVENT_ROOM = 160, RECORDING_MAX_EVENTS = 10000 };

enum recording_stamp {
    STAMP_CAPTURE_END,
    STAMP_CSI_SENT,
    STAMP_CSI_RECEIVED,
    STAMP_PRECODER_SENT,
    STAMP_PRECODER_RECEIVED,
    STAMP_APPLIED,
    RECORDING_N_STAMP
};

/* A line of the run's time line: AP-DOWN, UE-UP, OUTAGE, a restart, an alarm. */
struct recording_event {
    uint64_t wall_ns, block;
    char text[RECORDING_EVENT_ROOM];
};

/* Users' data towards the access points (docs/uplink.md), shapes as of the arrays of the same names. */
struct recording_uplink {
    bool there; /* else the rest is NULL */
    double *sinr_measured, *sinr_predicted, *evm;
    int64_t *bits, *bit_errors, *coded_bits, *coded_bit_errors, *code_blocks, *code_block_errors;
    int64_t *bytes;               /* [n_block][n_ap] of the message */
    uint8_t *ap_used;             /* [n_block][n_ap] */
    double *combine_s, *decode_s; /* [n_block] */
    uint64_t n_constellation;
    int n_point;
    tutti_cf32 *constellation; /* [n_constellation][n_ue][n_point] */
};

/* Sensing beside communication (docs/isac.md), shapes as of the datasets. */
struct recording_sensing {
    bool there; /* else the rest is NULL */
    int n_zone;
    uint8_t *mode;                               /* [n_block][n_ap] 1 serves, 0 senses */
    double *eta_s;                               /* [n_block][n_ap][n_zone] */
    double *sinr, *masr, *sinr_eve;              /* [n_block][n_ue], [n_block][n_zone] twice; closed forms */
    double *communication, *own, *cross, *noise; /* [n_block][n_eve] as measured in zone e; NaN = no report */
};

/* Of a run with several central nodes whose files were joined (tools/results/join.h). */
struct recording_parts {
    int n_part; /* 0: not joined, the rest is NULL or 0 */
    uint64_t n_joined, n_apart;
    uint64_t *n_sent;          /* [n_part][n_ue] blocks in which the user got something from there, and */
    double *weight, *alone_db; /* [n_part][n_ue] means over them */
};

struct recording {
    char *version, *config_yaml; /* NULL when the file has none */
    int lag_blocks;              /* a row's precoder went out in the downlink so many rows later */
    struct config *config;       /* NULL when the file's configuration is not one this program understands */
    uint64_t n_block;
    int n_ap, n_ue, n_sb;
    double block_s;                     /* length of a block; NaN when unknown */
    uint64_t *stamp[RECORDING_N_STAMP]; /* [n_block][n_ap] wall clock ns; 0 = did not happen */
    uint64_t *solve_start_ns, *solve_end_ns;
    int32_t *scheme, *reason;        /* [n_block] */
    double *solve_time_s;            /* [n_block] NaN = no solve */
    uint8_t *ap_used, *user_used;    /* [n_block][n_ap], [n_block][n_ue] */
    int32_t *place, *age_blocks;     /* [n_block][n_ue] of the schedule; 0 in a run without one */
    int32_t *pilot;                  /* [n_block][n_ue] with clusters, and */
    uint8_t *serves;                 /* [n_block][n_ap][n_ue]; NULL in a run without */
    uint8_t *learning;               /* [n_block] 1 = an AP of the solve had just begun to track gains and noise */
    double *sinr_expected, *loss_db; /* [n_block][n_ue], [n_block][EXPECTED_N]; NULL: recorded before there were any */
    double *gap; /* [n_block][n_sb] 1 - least predicted SINR of those served over /sinr_bound, >= 0; NaN = no bound */
    uint8_t *applied, *arrival;  /* [n_block][n_ap] enum wire_sent, wire_arrival */
    double *sinr_measured, *evm; /* [n_block][n_ue] linear; NaN = no report */
    double *sinr_predicted;      /* [n_block][n_ue] linear, see n_predicted_exact; NaN = not served */
    uint64_t n_predicted_exact;  /* blocks whose prediction is from channels and precoders (predicted.h); the others
                                  * have the mean over subbands of /sinr_predicted */
    int64_t *bits, *bit_errors, *coded_bits, *coded_bit_errors, *code_blocks, *code_block_errors; /* [n_block][n_ue] */
    int64_t *events;              /* [n_block][n_ap][5] U O D S L */
    int n_eve;                    /* 0: the next two lines are NULL */
    double *eve_sinr, *eve_genie; /* [n_block][n_eve][n_ue] linear; NaN = no report */
    int64_t *eve_bits, *eve_bit_errors, *eve_code_blocks, *eve_code_block_errors; /* same shape */
    double *secrecy_measured, *secrecy_genie, *secrecy_predicted; /* [n_block][n_ue] bit/s/Hz; NaN = not known */
    double *attack_score;                                         /* [n_block][n_ue]; NaN = not known */
    uint8_t *attack_suspected;                                    /* [n_block][n_ue] */
    uint64_t n_event; /* 0: nothing happened, or the file tells of nothing */
    struct recording_event *event;
    uint64_t n_constellation; /* rows of the next */
    int n_point;
    tutti_cf32 *constellation; /* [n_constellation][n_ue][n_point] NaN = never written */
    struct recording_uplink uplink;
    struct recording_sensing sensing;
    struct recording_parts parts;
};

/* TUTTI_EFORMAT when the file is not a run recording. */
int recording_load(struct recording **recording, const char *path);
/* Whether what a user decoded in a block counts: yes, unless the block was solved without it. A block nobody solved
 * counts for everyone, since the APs then send with what they have. */
bool recording_user_counts(const struct recording *recording, uint64_t block, int user);
void recording_free(struct recording *recording); /* NULL allowed */

#endif
