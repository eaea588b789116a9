/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The powers that a network file's scheme and rule give for the large-scale gains of its emulated air, or for those of
 * a channel file: per AP and user, what they yield, and how near to the best there is that is. Closed forms of
 * large-scale figures (fzf, pzf, ppzf towards the targets of `resilience`; cb max-min), or the mean over channels
 * (robust least squares), drawn or the file's. */
#ifndef TUTTI_TOOLS_POWER_ALLOCATION_H
#define TUTTI_TOOLS_POWER_ALLOCATION_H

#include "base/config.h"

enum allocation_kind { ALLOCATION_GAP, ALLOCATION_MAXMIN, ALLOCATION_RLSPA };

struct allocation {
    const struct config *config;
    enum allocation_kind kind;
    int n_ap, n_ant, n_ue;
    double *beta, *gamma;      /* [n_ap][n_ue] downlink units; variance of the estimates */
    double *P;                 /* [n_ap] budgets; 1 in a network file */
    double omega;              /* share of a block that is data; 1 for a channel file */
    bool measured;             /* gains and variances are a channel file's */
    double *beta_eve;          /* [n_ap]; 0 without an eavesdropper */
    double *eta, *eta_equal;   /* [n_ap][n_ue] shares of an AP's budget, the rule's and equal ones */
    double *rate, *rate_equal; /* [n_ue] bit/s/Hz, omega counted */
    double value, value_equal; /* GAP: psi_metric; MAXMIN: least SINR; RLSPA: mean sum rate */
    double bound; /* MAXMIN: no powers give all users more; GAP: what one more step would still win; RLSPA: NaN */
    double rate_eve, rate_eve_equal;
    int iterations, n_draw;
    double value_se; /* RLSPA: of the paired difference */
};

/* 0, TUTTI_ECONFIG when scheme and power of the file have no such problem, or another negative code. Destroy takes
 * half-built ones. */
int allocation_create(struct allocation *allocation, const struct config *config);
/* The same of a channel file (docs/files.md) or the recording of a run, blocks first to end - 1 (UINT64_MAX: all):
 * gains and variances are means over the blocks with an AP and a user, robust least squares runs on every block and
 * subband. No eavesdropper. layout: enum channel_layout. */
struct allocation_channel {
    const char *path;
    int layout;
    uint64_t first, end;
};
int allocation_create_channel(struct allocation *allocation, const struct config *config,
                              const struct allocation_channel *channel);
void allocation_destroy(struct allocation *allocation);
void allocation_print(const struct allocation *allocation);
int allocation_json(const struct allocation *allocation, const char *path); /* into a new file */

#endif
