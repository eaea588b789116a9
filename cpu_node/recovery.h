/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The resilience controller: what a disruption of the network does to the gap between the users' rates and their
 * targets, and Algorithm 1 of "Resilient Cell-Free Massive MIMO Networks" that brings it down again. Disruptions are a
 * pilot attack on the target user, an AP lost or back, a blocked link. After one the large-scale figures are averaged,
 * then every step_blocks one iterate of the weighted-gap problem (control/gap.h) becomes a candidate, is scored by
 * absorption, adaptation and recovery (control/resilience.h) and may go on the air. Fed block by block with what the
 * APs report; no clock and no thread of its own, so that the same blocks give the same powers. Allocates per candidate:
 * not for the block path. Powers are shares of an AP's budget. */
#ifndef TUTTI_CPU_NODE_RECOVERY_H
#define TUTTI_CPU_NODE_RECOVERY_H

#include "base/schemes.h"
#include "control/gap.h"
#include "control/resilience.h"

enum recovery_kind { RECOVERY_START, RECOVERY_ATTACK, RECOVERY_AP_LOST, RECOVERY_AP_BACK, RECOVERY_BLOCKAGE };
const char *recovery_kind_name(enum recovery_kind kind);

/* A disruption that the configuration scripts; ap or user -1 = any. */
struct recovery_onset {
    enum recovery_kind kind;
    int ap, user;
    uint64_t block;
};

/* What happened, for a time line. BEGIN: kind, where, onset, detected. ABSORBED: gap, absorption. CANDIDATE: n, block
 * from which it is or would be on the air, gap, the score's parts. END: the candidate and block deployed last (n = 0:
 * none). */
enum recovery_note_kind { RECOVERY_NOTE_BEGIN, RECOVERY_NOTE_ABSORBED, RECOVERY_NOTE_CANDIDATE, RECOVERY_NOTE_END };
struct recovery_note {
    enum recovery_note_kind note;
    enum recovery_kind kind;
    int ap, user, n;
    uint64_t onset, detected, block;
    bool onset_known, deployed;
    double ms, gap, absorption;
    struct resilience_score score;
};

struct recovery_settings {
    int n_ap, n_ant, n_ue, target;
    enum mimo_scheme scheme;
    double upsilon, omega;
    double pilot_power;     /* a of phy/estimate.h, in the units of beta */
    double eve_pilot_power; /* the same of an attacker: the assumed one unless beta_eve is known */
    const double *beta_eve; /* [n_ap] known, copied; NULL: estimated from the attacked pilot's excess energy */
    struct gap_targets targets;
    struct resilience_weights weights;
    int n_max, average_blocks, step_blocks;
    double block_ms, desired_recovery_ms;
    bool start_equal;                    /* start from equal power, not from the powers in use */
    bool deploy_final;                   /* only the best, after the last candidate */
    uint64_t first_block;                /* powers are optimised before anything happens, from here on */
    const struct recovery_onset *onsets; /* [n_onset], copied */
    int n_onset;
    void (*note)(void *context, const struct recovery_note *note);
    void *context;
};

/* One block. */
struct recovery_input {
    uint64_t block;
    const float *beta, *error_variance; /* [n_ap][n_ue] as reported, downlink units */
    const double *power;                /* [n_ap][n_ue] received on the user's pilot over noise, mean a beta + 1 */
    const uint8_t *ap_present;          /* [n_ap] */
    const uint8_t *user_served;         /* [n_ue] */
    const uint8_t *suspected;           /* [n_ue] by the attack detector */
};

typedef struct recovery recovery_t;

/* 0, TUTTI_ENOMEM, TUTTI_EINVAL. Destroy takes NULL and half-built ones. */
int recovery_create(recovery_t **recovery, const struct recovery_settings *settings);
void recovery_destroy(recovery_t *recovery);
/* Blocks in ascending order. True if powers change: eta [n_ap][n_ue], from *from_block on, valid until the next call.
 */
bool recovery_block(recovery_t *recovery, const struct recovery_input *input, const double **eta, uint64_t *from_block);
/* A disruption is being dealt with: who is served should not change. */
bool recovery_is_busy(const recovery_t *recovery);
/* Other users, input->user_served, will be served from from_block on: true with powers for them, unless there are none
 * of this controller yet or it is busy. */
bool recovery_serve(recovery_t *recovery, const struct recovery_input *input, uint64_t from_block, const double **eta);
/* Predicted gap of the powers in use with the figures of the last disruption; NAN before there is one. */
double recovery_gap(const recovery_t *recovery);

#endif
