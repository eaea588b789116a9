/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti doctor: the checks of this host (node/host) and those of the network file on it, as one table. */
#ifndef TUTTI_TOOLS_DOCTOR_DOCTOR_H
#define TUTTI_TOOLS_DOCTOR_DOCTOR_H

#include "node/host/host.h"

struct doctor_table {
    int n;
    struct host_finding *findings;
};

/* With question->measured all checks, without it those that can be answered at once. TUTTI_ENOMEM. */
int doctor_examine(const struct host_question *question, struct doctor_table *table);
void doctor_free(struct doctor_table *table);

/* host_measure, and how long this host solves for a block of the network's shape (another half second). */
void doctor_measure(const struct host_question *question, struct host_measured *measured);

/* The checks of the network file itself: budget, ports, keys, plots. Adds to findings, returns how many; room for
 * DOCTOR_N_NETWORK_CHECKS. */
enum { DOCTOR_N_NETWORK_CHECKS = 4 };
int doctor_examine_network(const struct host_question *question, struct host_finding *findings);

#endif
