/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threads that solve the subbands of some blocks, each with its own precoder handle. What they find does not depend on
 * their number. */
#ifndef TUTTI_TOOLS_PRECODE_WORKERS_H
#define TUTTI_TOOLS_PRECODE_WORKERS_H

#include "tools/precode/noise.h"
#include "tools/results/channel_file.h"

struct precode_job {
    enum mimo_scheme scheme;
    enum mimo_power power;
    struct precoder_settings settings;
    struct precode_noise_settings noise;
};

/* Of the blocks of one batch. */
struct precode_result {
    tutti_cf32 *W;        /* [room][n_sb][n_ap][n_ant][n_ue] */
    float *sinr;          /* [room][n_sb][n_ue] predicted */
    float *sinr_true;     /* the same on the true channel; NULL without truth */
    double *bound;        /* [room][n_sb] */
    double *solve_time_s; /* [room][n_sb] */
    int32_t *reason;      /* [room][n_sb] */
    float *power_use;     /* [room][n_sb] data and noise together */
    tutti_cf32 *an;       /* [room][n_sb][n_ap][n_ant] */
    uint8_t *an_failed;   /* [room][n_sb] 1 = no phases that null all users, an is zero */
};

int precode_result_create(struct precode_result **result, const struct channel_file_info *info, int room);
void precode_result_destroy(struct precode_result *result); /* NULL allowed */

typedef struct precode_workers precode_workers_t;

int precode_workers_create(precode_workers_t **workers, const struct channel_file_info *info,
                           const struct precode_job *job, int n_threads);
void precode_workers_destroy(precode_workers_t *workers); /* NULL allowed */
/* The batch starts with this block of the file. Returns when all is solved, or TUTTI_ESTOPPED after a stop request. */
int precode_workers_run(precode_workers_t *workers, uint64_t first_block, const struct channel_batch *batch,
                        struct precode_result *result);

#endif
