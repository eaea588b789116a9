/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two builds of the bench programs against each other, row by row. */
#ifndef TESTS_BENCH_COMPARE_H
#define TESTS_BENCH_COMPARE_H

#include <stdbool.h>

/* Rows whose figures differ by more than this factor are named at the end. */
#define COMPARE_LIMIT 1.3

/* Runs the named programs of both folders n_turn times, quick or whole, round by round in turn on one processor, and
 * prints a line per row: the best figure of either, and how much slower this build is: the median over all pairs of
 * rounds, beside the least and the largest median of a turn. Figures: best_*_us (less is better) and best_*_gb_s (more
 * is). 0, or 1 when a program did not finish. */
int compare_builds(const char *ours, const char *other, int n_name, const char *const *names, int n_turn, bool quick);

#endif
