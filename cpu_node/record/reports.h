/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports of users and eavesdroppers (JSON, docs/wire.md) into rows. A report of a block that was not solved, or that
 * comes late, is kept like any other. */
#ifndef TUTTI_CPU_NODE_RECORD_REPORTS_H
#define TUTTI_CPU_NODE_RECORD_REPORTS_H

#include "base/stats.h"
#include "cpu_node/record/live.h"
#include "cpu_node/record/run_file.h"

/* Blocks that a report may be of: [first, end); those from over on are after the run and ignored. Of those before
 * `solved` it is known whether they were solved. */
struct report_span {
    uint64_t first, end, over, solved;
};

struct record_reports {
    run_file_t *file;
    struct live *live; /* told too, if not NULL */
    struct record_shape shape;
    struct stats_mean *sinr_db; /* [n_ue] */
    tutti_cf32 *points;         /* [n_points] */
    double *numbers;            /* [2 n_points] */
    double *rate;               /* [n_ue] */
    double *heard;              /* [2][n_ue] an eavesdropper's SINRs, and a genie's at its place */
    int64_t *counts;            /* [n_ue] */
    uint64_t n_bad;             /* not understood */
    uint64_t n_outside;         /* of a block that cannot be */
    uint64_t n_unsolved;        /* kept, of blocks that were not solved */
    uint64_t block_errors;
};

int record_reports_create(struct record_reports **reports, run_file_t *file, const struct record_shape *shape);
void record_reports_destroy(struct record_reports *reports); /* NULL and half-built allowed */
/* Keeps a report (one of after the run not); 0 with its block number, or TUTTI_EFORMAT (not understood) or TUTTI_EINVAL
 * (a block outside the span), counted. */
int record_reports_user(struct record_reports *reports, int user, const char *json, struct report_span span,
                        uint64_t *block);
int record_reports_eve(struct record_reports *reports, int eve, const char *json, struct report_span span,
                       uint64_t *block);

#endif
