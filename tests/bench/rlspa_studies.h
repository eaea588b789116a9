/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Studies of robust power allocation: a study fills one row of numbers per drop, [n_series][n_x]; means, errors and
 * paired differences over the drops are taken from the rows. NaN: not looked at in this drop. */
#ifndef TESTS_BENCH_RLSPA_STUDIES_H
#define TESTS_BENCH_RLSPA_STUDIES_H

#include "rlspa_drop.h"

#include <stdbool.h>

struct study {
    const char *name, *item;
    const char *const *series; /* ended by NULL */
    const char *unit;          /* of x */
    const double *x;
    int n_x, drops;
    void (*row)(const struct study *study, uint64_t seed, int index, double *row);
    void (*check)(const struct study *study);
    const char *const *caveats; /* ended by NULL */
};

extern const struct study STUDY_FIG1, STUDY_FIG2, STUDY_LAMBDA, STUDY_BOUND, STUDY_NNLS, STUDY_BLOCK, STUDY_SENSITIVITY,
    STUDY_SCHEDULE;

struct estimate {
    double mean, se;
    int n;
};

/* Of the study that runs: over the drops of one place, or of the difference of two series. */
struct estimate study_mean(int series, int x);
struct estimate study_paired(int series, int minus, int x);
double study_share_below(int series, int other, int x); /* drops in which series < other */
double study_median(int series, int x);
double study_largest(int series, int x);
/* One line, pass or FAIL. within: |value - want| <= tolerance. near: within 4 combined standard errors. */
void study_expect(bool ok, double value, const char *limit, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
void study_within(double value, double want, double tolerance, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
void study_near(struct estimate value, double want, double want_se, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

#endif
