/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is told at the end of `tutti precode`, gathered subband by subband in memory that does not grow. */
#ifndef TUTTI_TOOLS_PRECODE_SUMMARY_H
#define TUTTI_TOOLS_PRECODE_SUMMARY_H

#include "tools/precode/workers.h"

typedef struct precode_summary precode_summary_t;

precode_summary_t *precode_summary_create(void); /* NULL when out of memory */
void precode_summary_destroy(precode_summary_t *summary);
/* The first n blocks of a result. */
void precode_summary_add(precode_summary_t *summary, const struct channel_file_info *info,
                         const struct precode_result *result, int n);
/* blocks: "0 to 99". */
/* Mean predicted SINR of the worst user, dB; NaN when none was served. */
double precode_summary_mean_db(const precode_summary_t *summary);
void precode_summary_print(const precode_summary_t *summary, const struct channel_file_info *info,
                           const struct precode_job *job, uint64_t n_block, const char *blocks);

#endif
