/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rates of the schemes of user-centric clusters over the realisations of a drop [Demir 2021]. Vectors come from
 * cluster/vectors.h: errors that are correlated over antennas are whitened, which turns P-MMSE with any Z into P-RZF of
 * whitened estimates. Rates are in bit/s/Hz without pre-log, one per user. */
#ifndef TUTTI_TOOLS_STUDY_CLUSTER_SCHEMES_H
#define TUTTI_TOOLS_STUDY_CLUSTER_SCHEMES_H

#include "tools/study/cluster_worker.h"

/* MMSE over all access points, over the user's own with all users' estimates, P-MMSE, P-RZF. */
enum cluster_central { CLUSTER_MMSE_ALL, CLUSTER_MMSE, CLUSTER_PMMSE, CLUSTER_PRZF };
/* L-MMSE with all users' estimates, LP-MMSE with those served, MR. */
enum cluster_local { CLUSTER_LMMSE, CLUSTER_LPMMSE, CLUSTER_MR };

/* (5.5), conditional on the estimates; `uplink` NULL: not wanted. Downlink of the same vectors with the powers (7.43),
 * P in units of a user's power: by channel hardening, and with a user that knows its gain; both NULL: not wanted. */
void cluster_central_rates(struct cluster_worker *w, enum cluster_central rule, double P, double *uplink,
                           double *hardening, double *known);
/* Large-scale fading decoding: optimal (5.30), from neighbours alone (5.41), equal weights. Downlink with local powers.
 * Any of them NULL. */
struct cluster_local_rates {
    double *optimal, *neighbours, *equal, *hardening, *known;
};
void cluster_local_rates(struct cluster_worker *w, enum cluster_local rule, double P,
                         const struct cluster_local_rates *rates);

#endif
