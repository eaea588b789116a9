/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the command line of a study says, and a study carried out by it: drops by whoever computes them, then evaluated
 * and written. */
#ifndef TUTTI_TOOLS_STUDY_OPTIONS_H
#define TUTTI_TOOLS_STUDY_OPTIONS_H

#include "tools/study/study_run.h"

enum { STUDY_MOST_SETS = 32, STUDY_MOST_FOLDERS = 64 };
struct study_options {
    const char *name, *out, *set[STUDY_MOST_SETS], *folder[STUDY_MOST_FOLDERS];
    int drops, jobs, shard, n_shard, n_set, n_folder;
    uint64_t seed;
    bool quick, check;
};

/* Over the defaults that are there. TOOL_OK, or TOOL_USAGE with its sentence printed. */
int study_options_parse(int argc, char **argv, struct study_options *options);
/* NULL: no study of that name. */
const struct study *study_find(const char *name);
/* Rows for the drops, parameters as --set has them; destroy also when it fails. */
int study_prepare(struct study_run *run, const struct study *study, const struct study_options *options);
/* Like study_run_drops. */
typedef int (*study_drops)(struct study_run *run, const char *rows_file, const volatile int *stop);
/* Rows of the folders given, or computed; evaluated, written, printed. TOOL_OK, or TOOL_FAILED: an error, or with
 * --check a check. */
int study_carry_out(const struct study *study, const struct study_options *options, study_drops drops,
                    const volatile int *stop);

#endif
