/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bench programs as children of tutti-bench: started one at a time, their rows taken from a pipe. */
#ifndef TESTS_BENCH_CHILDREN_H
#define TESTS_BENCH_CHILDREN_H

#include <jansson.h>
#include <stdbool.h>

/* Runs DIRECTORY/bench_NAME --json (and --quick) to its end and appends its rows to `rows`; `show` prints each as it
 * comes. 0, or 1 with a line on stderr when it did not end well; what came until then is kept. */
int children_run(const char *directory, const char *name, bool quick, bool show, json_t *rows);
/* The program of both folders at once, in turn by baton (baton.h), on the processor that this one runs on; the first
 * round is directory[first]'s. Rows and their samples are kept, not shown. 0, or 1 when either did not finish. */
int children_alternate(const char *const *directory, int first, const char *name, bool quick, json_t *const *rows);

#endif
