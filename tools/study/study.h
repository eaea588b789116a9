/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A study regenerates one figure of a source paper: numbers per random drop, then series with their uncertainty, checks
 * and the sentences that must stand beside them. A drop's numbers depend on study, seed and drop alone, never on who
 * computes it, so that jobs, shards and interrupted runs give the same result. To add a study: one struct, one line in
 * studies.c. */
#ifndef TUTTI_TOOLS_STUDY_STUDY_H
#define TUTTI_TOOLS_STUDY_STUDY_H

#include "base/types.h"

struct study_parameter {
    const char *key;
    double value;
    char provenance; /* T in the paper's text, I inferred, A assumed here */
    const char *note;
};

struct study_run;
struct study {
    const char *name, *item, *summary;
    char duration;                            /* class S, M, L, X */
    int n_drop, n_quick;                      /* by default, with --quick */
    int n_value;                              /* numbers per drop */
    const struct study_parameter *parameters; /* up to key NULL */
    const char *const *caveats;               /* up to NULL; printed with every result */
    const char *const *checks;                /* up to NULL; what evaluate looks at, for people */
    const char *counterpart;                  /* command with samples, for the caption */
    /* What one job computes drops with; 0 or a negative code with its sentence. */
    int (*open)(const struct study_run *run, void **worker);
    void (*close)(void *worker);
    /* Fills values [n_value], NAN where there is nothing. */
    int (*drop)(const struct study_run *run, void *worker, uint64_t drop, double *values);
    /* Series and checks from all drops. */
    void (*evaluate)(struct study_run *run);
};

/* For open and drop: a parameter with what --set made of it; the key of this drop's random numbers. */
double study_value(const struct study_run *run, const char *key);
uint64_t study_seed(const struct study_run *run);

/* For evaluate. n is the number of drops that have the value. */
struct study_estimate {
    double mean, se;
    int n;
};
bool study_is_quick(const struct study_run *run);
int study_n_drop(const struct study_run *run);
double study_at(const struct study_run *run, int drop, int column);
struct study_estimate study_mean(const struct study_run *run, int column);
struct study_estimate study_paired(const struct study_run *run, int column, int minus);
double study_share(const struct study_run *run, int column); /* of drops in which the value is above 0 */

/* A panel of the figure, a curve in it, its points. Measured: from this machine's clock, kept out of the CSV. */
void study_panel(struct study_run *run, const char *title, const char *x, const char *y);
void study_panel_scattered(struct study_run *run, const char *title, const char *x, const char *y); /* no lines */
void study_series(struct study_run *run, const char *name, bool measured);
void study_point(struct study_run *run, double x, struct study_estimate y);
/* value against limit in words; levels only: not looked at with --quick. */
void study_check(struct study_run *run, bool ok, double value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* mean of a column within 4 combined standard errors of a reference. */
void study_check_reference(struct study_run *run, struct study_estimate found, double reference, double se,
                           const char *what);
void study_note(struct study_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

const struct study *const *study_table(void); /* up to NULL */
/* Where a study's formulas stand, for the caption. */
const char *study_page(const struct study *study);

#endif
