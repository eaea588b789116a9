/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plausibility of an AP's estimates, before they enter a solve where one AP with a wrong scale takes the power from all
 * others. Judged are the noise floor (against what the radio's settings say and what the AP itself reported), the
 * estimates against the large-scale gains that came with them, and the gains against their own past. An AP that is not
 * plausible is left out until it has been for a while. Pure arithmetic over what is reported; allocates in create
 * only. */
#ifndef TUTTI_CPU_NODE_PLAUSIBLE_H
#define TUTTI_CPU_NODE_PLAUSIBLE_H

#include "base/types.h"

enum implausible {
    PLAUSIBLE,
    IMPLAUSIBLE_NOISE_FLOOR, /* less noise than a receiver with these settings can have */
    IMPLAUSIBLE_NOISE_JUMP,  /* noise far below what this AP reported so far */
    IMPLAUSIBLE_POWER,       /* estimates far stronger than the large-scale gains beside them */
    IMPLAUSIBLE_GAIN_JUMP,   /* all users' gains rose at once */
    IMPLAUSIBLE_VALUE,       /* a gain or variance below zero, or a variance above its gain */
    IMPLAUSIBLE_PROBATION,   /* plausible again, but not for long enough yet */
    N_IMPLAUSIBLE
};
const char *implausible_text(enum implausible why);

/* Ratios of powers; deliberately wide: a radio whose gain is 20 dB off its settings, fading, users that appear and go
 * must pass. */
#define PLAUSIBLE_FLOOR 1e-3 /* 30 dB below the floor by the settings */
#define PLAUSIBLE_NOISE 1e-2 /* 20 dB below the lowest of its own past */
#define PLAUSIBLE_POWER 1e4  /* 40 dB: |h|^2 of all users against their gains, which may still be tracked */
#define PLAUSIBLE_GAIN 1e2   /* 20 dB: median over the users known before */
enum {
    PLAUSIBLE_LEARN_BLOCKS = 16,    /* before a user's gain is known */
    PLAUSIBLE_PROBATION_BLOCKS = 8, /* plausible in a row, to be taken back */
    PLAUSIBLE_RELEARN_BLOCKS = 1000 /* a new level that stays this long is the new normal (gain settings changed) */
};

struct plausible_ap {
    float lowest_noise; /* of its plausible past; 0 = none yet */
    int good_in_row, bad_in_row;
    bool out;
    uint64_t n_left_out;
};
struct plausible {
    int n_ap, n_ue;
    double noise_floor;      /* per subcarrier in sample units squared by the settings; 0 = not known */
    struct plausible_ap *ap; /* [n_ap] */
    float *gain;             /* [n_ap][n_ue] tracked */
    int *n_seen;             /* [n_ap][n_ue] blocks behind the tracked gain */
    float *ratio;            /* [n_ue] work area */
};

struct plausible_report {
    int n_sb, n_ant;
    const tutti_cf32 *H_hat;            /* [n_sb][n_ant][n_ue] */
    const float *beta, *error_variance; /* [n_ue] */
    float noise_power;
};

int plausible_create(struct plausible **plausible, int n_ap, int n_ue, double noise_floor);
void plausible_destroy(struct plausible *plausible); /* NULL allowed */
/* Judges and learns. O(n_sb n_ant n_ue). Tells in *changed whether the AP was left out or taken back just now. */
enum implausible plausible_judge(struct plausible *plausible, int ap, const struct plausible_report *report,
                                 bool *changed);
/* The AP went away or time started anew: it may come back with another radio. */
void plausible_forget(struct plausible *plausible, int ap);

#endif
