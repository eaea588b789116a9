/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A study while it runs: options, rows of all drops, and what evaluate makes of them. */
#ifndef TUTTI_TOOLS_STUDY_STUDY_RUN_H
#define TUTTI_TOOLS_STUDY_STUDY_RUN_H

#include "tools/study/study.h"

#include <jansson.h>

struct study_run {
    const struct study *study;
    uint64_t seed;
    int n_drop, n_job, shard, n_shard;
    bool quick;
    double *value; /* of the parameters, in their order */
    double *rows;  /* [n_drop][n_value] */
    uint8_t *done; /* [n_drop] */
    int *kept;     /* [n_kept] drops that are there, ascending */
    int n_kept, n_failed, n_check;
    double seconds;
    json_t *panels, *checks, *notes; /* results */
};

/* Parameters by default; rows for n_drop drops. 0, TUTTI_ENOMEM. Destroy what was half created, too. */
int study_run_create(struct study_run *run, const struct study *study, int n_drop);
void study_run_destroy(struct study_run *run);
/* KEY=VALUE; TUTTI_EINVAL with the keys there are. */
int study_run_set(struct study_run *run, const char *assignment);
/* Computes the drops that are not there, n_job threads, rows appended to the file as they come; rows in the file are
 * taken if they are of this study, seed and parameters. *stop ends it early. */
int study_run_drops(struct study_run *run, const char *rows_file, const volatile int *stop);
/* Takes rows of a file of another shard. */
int study_run_take(struct study_run *run, const char *rows_file);
void study_run_evaluate(struct study_run *run);

/* NAME.csv, NAME.json, NAME.svg in the folder; 0, TUTTI_EIO, TUTTI_EFORMAT. Without gnuplot the drawing is left out and
 * that is said. */
int study_output(const struct study_run *run, const char *folder);
/* index.html of the results that lie in the folder. */
int study_index(const char *folder);
void study_print(const struct study_run *run);

#endif
