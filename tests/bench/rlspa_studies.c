/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rlspa_studies NAME...|all|list [--drops N] [--seed S] [--quick] [--check] [--csv FILE]: regenerates the figures of
 * "Study of Robust Power Allocation for User-Centric Cell-Free Massive MIMO Networks" (arXiv 2601.17632) and says where
 * its claims do not reproduce. --quick takes a twentieth of the drops (levels are then not checked); --check makes a
 * failed check exit 1; --csv appends series, x, mean, standard error, drops. */
#include "rlspa_studies.h"

#include "base/stats.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct study *const STUDIES[] = {&STUDY_FIG1, &STUDY_FIG2,  &STUDY_LAMBDA,      &STUDY_BOUND,
                                              &STUDY_NNLS, &STUDY_BLOCK, &STUDY_SENSITIVITY, &STUDY_SCHEDULE};
enum { N_STUDY = sizeof STUDIES / sizeof *STUDIES };

static struct {
    const struct study *study;
    double *rows; /* [n][n_series][n_x] */
    int n, n_series, failed;
    FILE *csv;
} run;

static double value_at(int drop, int series, int x)
{
    return run.rows[((size_t)drop * (size_t)run.n_series + (size_t)series) * (size_t)run.study->n_x + (size_t)x];
}

static struct estimate summary(const struct stats_mean *mean)
{
    return (struct estimate){mean->count ? mean->mean : (double)NAN, stats_mean_stderr(mean), (int)mean->count};
}

struct estimate study_mean(int series, int x)
{
    struct stats_mean mean = {0};
    for (int i = 0; i < run.n; i++) {
        if (!isnan(value_at(i, series, x))) {
            stats_mean_add(&mean, value_at(i, series, x));
        }
    }
    return summary(&mean);
}

struct estimate study_paired(int series, int minus, int x)
{
    struct stats_mean mean = {0};
    for (int i = 0; i < run.n; i++) {
        const double difference = value_at(i, series, x) - value_at(i, minus, x);
        if (!isnan(difference)) {
            stats_mean_add(&mean, difference);
        }
    }
    return summary(&mean);
}

double study_share_below(int series, int other, int x)
{
    int below = 0;
    for (int i = 0; i < run.n; i++) {
        below += value_at(i, series, x) < value_at(i, other, x);
    }
    return (double)below / run.n;
}

double study_median(int series, int x)
{
    double *const sorted = calloc((size_t)run.n, sizeof *sorted);
    double median = NAN;
    if (sorted) {
        for (int i = 0; i < run.n; i++) {
            sorted[i] = value_at(i, series, x);
        }
        qsort(sorted, (size_t)run.n, sizeof *sorted, stats_ascending);
        median = stats_sorted_quantile(sorted, (size_t)run.n, 0.5);
    }
    free(sorted);
    return median;
}

double study_largest(int series, int x)
{
    double largest = -INFINITY;
    for (int i = 0; i < run.n; i++) {
        largest = fmax(largest, value_at(i, series, x));
    }
    return largest;
}

static void verdict(bool ok, double value, const char *limit, const char *what, va_list arguments)
{
    char text[160];
    vsnprintf(text, sizeof text, what, arguments);
    printf("  %s %-52s %10.4g   %s\n", ok ? "pass" : "FAIL", text, value, limit);
    run.failed += !ok;
}

void study_expect(bool ok, double value, const char *limit, const char *what, ...)
{
    va_list arguments;
    va_start(arguments, what);
    verdict(ok, value, limit, what, arguments);
    va_end(arguments);
}

void study_within(double value, double want, double tolerance, const char *what, ...)
{
    char limit[64];
    va_list arguments;
    snprintf(limit, sizeof limit, "%g +- %g", want, tolerance);
    va_start(arguments, what);
    verdict(fabs(value - want) <= tolerance, value, limit, what, arguments);
    va_end(arguments);
}

void study_near(struct estimate value, double want, double want_se, const char *what, ...)
{
    const double off = (value.mean - want) / hypot(value.se, want_se);
    char limit[64];
    va_list arguments;
    snprintf(limit, sizeof limit, "%g(%g), off by %+.1f s.e.", want, want_se, off);
    va_start(arguments, what);
    verdict(fabs(off) <= 4, value.mean, limit, what, arguments);
    va_end(arguments);
}

static void print_table(const struct study *study)
{
    printf("\n%s: %s, %d drops: mean (standard error)\n%-28s", study->name, study->item, run.n, study->unit);
    for (int x = 0; x < study->n_x; x++) {
        printf(" %15g", study->x[x]);
    }
    puts("");
    for (int s = 0; s < run.n_series; s++) {
        printf("%-28s", study->series[s]);
        for (int x = 0; x < study->n_x; x++) {
            const struct estimate e = study_mean(s, x);
            char cell[32] = "-";
            if (e.n) {
                snprintf(cell, sizeof cell, "%.5g (%.2g)", e.mean, e.se);
            }
            printf(" %15s", cell);
            if (run.csv && e.n) {
                fprintf(run.csv, "%s,%s,%g,%.9g,%.3g,%d\n", study->name, study->series[s], study->x[x], e.mean, e.se,
                        e.n);
            }
        }
        puts("");
    }
}

static int run_study(const struct study *study, uint64_t seed, int drops, bool levels)
{
    run.study = study;
    run.n = drops;
    run.n_series = 0;
    while (study->series[run.n_series]) {
        run.n_series++;
    }
    const size_t width = (size_t)run.n_series * (size_t)study->n_x;
    run.rows = calloc((size_t)drops * width, sizeof *run.rows);
    if (!run.rows) {
        return -1;
    }
    for (size_t i = 0; i < (size_t)drops * width; i++) {
        run.rows[i] = NAN;
    }
    for (int i = 0; i < drops; i++) {
        study->row(study, seed, i, run.rows + (size_t)i * width);
    }
    print_table(study);
    if (levels) {
        study->check(study);
    }
    for (const char *const *caveat = study->caveats; *caveat; caveat++) {
        printf("  note: %s\n", *caveat);
    }
    free(run.rows);
    return 0;
}

static void list(void)
{
    for (int i = 0; i < N_STUDY; i++) {
        printf("%-18s %s, %d drops\n", STUDIES[i]->name, STUDIES[i]->item, STUDIES[i]->drops);
    }
}

struct options {
    const char *name, *csv;
    uint64_t seed;
    int drops;
    bool quick, check;
};

/* 0, or 2 for wrong usage. */
static int parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){.name = "list", .seed = 1};
    for (int i = 1; i < argc; i++) {
        const bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--drops") == 0 && has_value) {
            o->drops = atoi(argv[++i]);
        } else if (strcmp(argv[i], "--seed") == 0 && has_value) {
            o->seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--csv") == 0 && has_value) {
            o->csv = argv[++i];
        } else if (strcmp(argv[i], "--quick") == 0) {
            o->quick = true;
        } else if (strcmp(argv[i], "--check") == 0) {
            o->check = true;
        } else if (argv[i][0] != '-') {
            o->name = argv[i];
        } else {
            fprintf(stderr,
                    "usage: rlspa_studies NAME|all|list [--drops N] [--seed S] [--quick] [--check] [--csv FILE]\n");
            return 2;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o;
    int known = 0;
    if (parse(argc, argv, &o)) {
        return 2;
    }
    if (strcmp(o.name, "list") == 0) {
        list();
        return 0;
    }
    run.csv = o.csv ? fopen(o.csv, "a") : NULL;
    for (int i = 0; i < N_STUDY; i++) {
        const struct study *const study = STUDIES[i];
        if (strcmp(o.name, "all") != 0 && strcmp(o.name, study->name) != 0) {
            continue;
        }
        known++;
        const int drops = o.drops > 0 ? o.drops : o.quick ? (study->drops + 19) / 20 : study->drops;
        if (run_study(study, o.seed, drops, drops >= study->drops)) {
            fprintf(stderr, "rlspa_studies: out of memory\n");
            return 1;
        }
        fflush(stdout);
    }
    if (run.csv) {
        fclose(run.csv);
    }
    if (!known) {
        fprintf(stderr, "rlspa_studies: there is no study %s; rlspa_studies list names them\n", o.name);
        return 2;
    }
    printf("%d checks failed\n", run.failed);
    return o.check && run.failed > 0;
}
