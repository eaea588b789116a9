/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/figure.h"

#include "base/stats.h"
#include "channel/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { RESAMPLES = 1000 };

/* A value and the drop that it comes from. */
struct drawn {
    double value;
    int drop;
};

static int ascending(const void *a, const void *b)
{
    return stats_ascending(&((const struct drawn *)a)->value, &((const struct drawn *)b)->value);
}

/* All values in order; *n of them. NULL without memory. */
static struct drawn *sorted_values(const struct study_run *run, struct figure_columns columns, size_t *n)
{
    struct drawn *const values = calloc((size_t)(study_n_drop(run) * columns.n) + 1, sizeof *values);
    *n = 0;
    for (int i = 0; values && i < study_n_drop(run); i++) {
        for (int c = 0; c < columns.n; c++) {
            const double value = study_at(run, i, columns.first + c);
            if (!isnan(value)) {
                values[(*n)++] = (struct drawn){value, i};
            }
        }
    }
    if (values) {
        qsort(values, *n, sizeof *values, ascending);
    }
    return values;
}

static double quantile_of(const struct drawn *values, size_t n, double q)
{
    if (n == 0) {
        return NAN;
    }
    const double at = q * (double)(n - 1);
    const size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    return values[below].value + (at - (double)below) * (values[above].value - values[below].value);
}

/* How often each drop is in resample number r. */
static void draw_counts(int r, int n_drop, int *counts)
{
    const uint64_t key = random_key(1, RANDOM_POSITION_UE, (uint64_t)r, 0, 0);
    for (int i = 0; i < n_drop; i++) {
        counts[i] = 0;
    }
    for (int i = 0; i < n_drop; i++) {
        counts[(int)(random_uniform(key, (uint64_t)i) * n_drop)]++;
    }
}

/* The value below which a share q of the resample's values lie. */
static double resampled(const struct drawn *values, size_t n, double q, const int *counts)
{
    double total = 0, passed = 0;
    for (size_t i = 0; i < n; i++) {
        total += counts[values[i].drop];
    }
    for (size_t i = 0; i < n; i++) {
        passed += counts[values[i].drop];
        if (passed > 0 && passed >= q * total) {
            return values[i].value;
        }
    }
    return NAN;
}

/* Quantile of one set, minus that of another if there is one. */
static struct study_estimate bootstrap(const struct study_run *run, struct figure_columns columns,
                                       const struct figure_columns *minus, double q)
{
    const int n_drop = study_n_drop(run);
    size_t n = 0, n_other = 0;
    struct drawn *const values = sorted_values(run, columns, &n), *const others =
                                                                      minus ? sorted_values(run, *minus, &n_other)
                                                                            : NULL;
    int *const counts = calloc((size_t)n_drop + 1, sizeof *counts);
    struct study_estimate found = {NAN, 0, 0};
    if (values && counts && (others || !minus)) {
        double sum = 0, squares = 0;
        found.mean = quantile_of(values, n, q) - (minus ? quantile_of(others, n_other, q) : 0);
        found.n = n_drop;
        for (int r = 0; r < RESAMPLES; r++) {
            draw_counts(r, n_drop, counts);
            const double off =
                resampled(values, n, q, counts) - (minus ? resampled(others, n_other, q, counts) : 0) - found.mean;
            sum += off / RESAMPLES;
            squares += off * off / RESAMPLES;
        }
        found.se = sqrt(fmax(0, squares - sum * sum));
    }
    free(values);
    free(others);
    free(counts);
    return found;
}

struct study_estimate figure_quantile(const struct study_run *run, struct figure_columns columns, double q)
{
    return bootstrap(run, columns, NULL, q);
}

struct study_estimate figure_quantile_paired(const struct study_run *run, struct figure_columns columns,
                                             struct figure_columns minus, double q)
{
    return bootstrap(run, columns, &minus, q);
}

/* Mean and standard error over drops of one number per drop. */
static struct study_estimate
over_drops(const struct study_run *run, struct figure_columns columns,
           double (*number)(const struct study_run *run, int drop, struct figure_columns columns, double x), double x)
{
    struct stats_mean mean = {0};
    for (int i = 0; i < study_n_drop(run); i++) {
        const double value = number(run, i, columns, x);
        if (!isnan(value)) {
            stats_mean_add(&mean, value);
        }
    }
    return (struct study_estimate){mean.count ? mean.mean : (double)NAN, stats_mean_stderr(&mean), (int)mean.count};
}

static double share_below(const struct study_run *run, int drop, struct figure_columns columns, double x)
{
    int below = 0, n = 0;
    for (int c = 0; c < columns.n; c++) {
        const double value = study_at(run, drop, columns.first + c);
        n += !isnan(value);
        below += value <= x;
    }
    return n ? (double)below / n : (double)NAN;
}

static double mean_of_drop(const struct study_run *run, int drop, struct figure_columns columns, double unused)
{
    double sum = 0;
    int n = 0;
    (void)unused;
    for (int c = 0; c < columns.n; c++) {
        const double value = study_at(run, drop, columns.first + c);
        n += !isnan(value);
        sum += isnan(value) ? 0 : value;
    }
    return n ? sum / n : (double)NAN;
}

static double least_of_drop(const struct study_run *run, int drop, struct figure_columns columns, double unused)
{
    double least = NAN;
    (void)unused;
    for (int c = 0; c < columns.n; c++) {
        least = fmin(least, study_at(run, drop, columns.first + c));
    }
    return least;
}

struct study_estimate figure_mean(const struct study_run *run, struct figure_columns columns)
{
    return over_drops(run, columns, mean_of_drop, 0);
}

struct study_estimate figure_least(const struct study_run *run, struct figure_columns columns)
{
    return over_drops(run, columns, least_of_drop, 0);
}

void figure_distribution(struct study_run *run, const char *name, struct figure_columns columns)
{
    size_t n = 0;
    struct drawn *const values = sorted_values(run, columns, &n);
    study_series(run, name, false);
    for (int percent = 1; values && n > 0 && percent < 100; percent++) {
        const double x = quantile_of(values, n, percent / 100.0);
        study_point(run, x, over_drops(run, columns, share_below, x));
    }
    free(values);
}

/* Checks of levels ------------------------------------------------------------------------------------------------- */

void figure_check_within(struct study_run *run, double value, double want, double tolerance, const char *what, ...)
{
    char text[160];
    va_list arguments;
    if (study_is_quick(run)) {
        return;
    }
    va_start(arguments, what);
    vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    study_check(run, fabs(value - want) <= tolerance, value, "%s: %.4g within %g of %g", text, value, tolerance, want);
}

void figure_check_near(struct study_run *run, struct study_estimate found, double want, double se, const char *what,
                       ...)
{
    char text[160];
    va_list arguments;
    if (study_is_quick(run)) {
        return;
    }
    va_start(arguments, what);
    vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    study_check_reference(run, found, want, se, text);
}

double figure_reference_se(struct study_estimate found, int n_drop)
{
    return found.se * sqrt((double)found.n / n_drop);
}
