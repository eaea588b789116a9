/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the figures of several studies share: quantiles over users of all drops with their uncertainty, distributions,
 * checks of levels. Users of a drop are correlated, so uncertainty is over drops: standard errors of a drop's share, or
 * a bootstrap that draws whole drops (1000 times, the same draws for every column, so that differences are paired). */
#ifndef TUTTI_TOOLS_STUDY_FIGURE_H
#define TUTTI_TOOLS_STUDY_FIGURE_H

#include "tools/study/study.h"

/* Columns first .. first + n - 1 of all drops, NANs left out. */
struct figure_columns {
    int first, n;
};
/* Quantile q in 0..1; se by bootstrap. n of the estimate counts drops. */
struct study_estimate figure_quantile(const struct study_run *run, struct figure_columns columns, double q);
/* The same of two sets: quantile of one minus that of the other. */
struct study_estimate figure_quantile_paired(const struct study_run *run, struct figure_columns columns,
                                             struct figure_columns minus, double q);
/* A series: share of the values below x, at the 1st, 2nd .. 99th percentile. */
void figure_distribution(struct study_run *run, const char *name, struct figure_columns columns);
/* Mean over drops of the columns' mean, and of their least. */
struct study_estimate figure_mean(const struct study_run *run, struct figure_columns columns);
struct study_estimate figure_least(const struct study_run *run, struct figure_columns columns);

/* A level: |value - want| <= tolerance; nothing with --quick. */
void figure_check_within(struct study_run *run, double value, double want, double tolerance, const char *what, ...)
    __attribute__((format(printf, 5, 6)));
/* Within 4 combined standard errors of a reference; nothing with --quick. */
void figure_check_near(struct study_run *run, struct study_estimate found, double want, double se, const char *what,
                       ...) __attribute__((format(printf, 5, 6)));
/* The standard error of a reference that is told with its number of drops alone: each has the spread found here. */
double figure_reference_se(struct study_estimate found, int n_drop);

#endif
