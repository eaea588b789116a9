/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two recordings of the same blocks, value by value. A value is the same when every bit of it is. */
#ifndef TUTTI_TOOLS_REPLAY_COMPARE_H
#define TUTTI_TOOLS_REPLAY_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

struct comparison {
    uint64_t n_solved;    /* blocks that the run solved */
    uint64_t n_played;    /* of them, in the replay, too */
    uint64_t n_identical; /* of those */
    uint64_t n_cut;       /* of those: their solve was ended by the clock, so only what goes into it was compared */
    uint64_t n_uplink; /* blocks of whose U symbols both have users' data; only of a replay from the run's beginning */
    uint64_t n_uplink_identical; /* of those, by what users' data are measured by */
    /* the first difference, if there is one */
    uint64_t block;
    char dataset[32];
    double largest; /* difference in that block and dataset; NaN: only one of the two is a number */
};

/* run, replay: paths of run.h5; inputs_only: what goes into the solves, not what comes out. Errors: TUTTI_EIO,
 * TUTTI_EFORMAT (different networks, nothing to compare). */
int compare_runs(const char *run, const char *replay, bool inputs_only, struct comparison *comparison);

#endif
