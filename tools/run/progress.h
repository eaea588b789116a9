/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The progress line of a run, from the CPU node's status messages on the lab link (described in docs/architecture.md).
 * On a terminal one line that is rewritten, else a line every 5 s. */
#ifndef TUTTI_TOOLS_RUN_PROGRESS_H
#define TUTTI_TOOLS_RUN_PROGRESS_H

#include "base/config.h"

#include <stdio.h>

/* The latest status of the CPU node; block_errors counts wrongly decoded code blocks. */
struct progress_status {
    bool known;
    bool started; /* it has told of a block since we listen; a CPU node that is started again begins with none */
    uint64_t block, n_blocks, early, on_time, late, block_errors;
    int aps_alive, users_alive;
    double elapsed_s, sinr_db; /* mean over the users that report; NaN without */
};

typedef struct progress progress_t;

int progress_create(progress_t **progress, const struct config *config, bool quiet);
void progress_destroy(progress_t *progress); /* ends the line; NULL allowed */
/* Waits up to timeout_us for news, or for fd, or for a stop request, and redraws. */
void progress_wait(progress_t *progress, int fd, int64_t timeout_us);
/* Clears the line so that something else can be printed. */
void progress_clear(progress_t *progress);
/* The CPU node has said that the run is over. */
bool progress_stop_seen(const progress_t *progress);

/* The CPU node is there, as far as is known. */
bool progress_linked(const progress_t *progress);
/* Nothing more will come: the run is over, a stop was asked for, or the CPU node refuses us. */
bool progress_over(const progress_t *progress);

/* What the CPU node has told so far. */
const struct progress_status *progress_latest(const progress_t *progress);

/* Reads one control message; false if it is not a status. */
bool progress_parse(struct progress_status *status, const char *json);
/* The line: width columns at most, without a line end. */
void progress_format(const struct progress_status *status, const struct config *config, char *line, int width);

#endif
