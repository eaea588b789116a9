/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrecy outage of a user: how often the secrecy rate it had in a block is below the rate it was promised. Only blocks
 * that count (recording_user_counts) and whose measured rate is known. */
#ifndef TUTTI_TOOLS_RESULTS_OUTAGE_H
#define TUTTI_TOOLS_RESULTS_OUTAGE_H

#include "tools/results/recording.h"

struct outage {
    uint64_t n;   /* blocks */
    double *rate; /* [n] measured, bit/s/Hz, ascending */
    double share; /* of the blocks with a predicted rate, those whose measured rate is below it; NaN if there is none */
};

int outage_create(struct outage *outage, const struct recording *recording, int user);
void outage_destroy(struct outage *outage);

#endif
