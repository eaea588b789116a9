/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "compare.h"

#include "children.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One column of one row: the best of every turn, this build's and the other's, and how much slower this one was in
 * every pair of rounds; the medians of turns. */
struct figure {
    char section[160], what[160], column[32];
    double best[2];
    bool rate; /* more is better */
    int n_pair, room;
    double *slower, least, most;
};

struct figures {
    int n, room;
    struct figure *all;
};

static bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static void *grow(void *at, int n, size_t size)
{
    at = realloc(at, (size_t)n * size);
    if (!at) {
        abort();
    }
    return at;
}

static struct figure *find(struct figures *f, const char *section, const char *what, const char *column)
{
    for (int i = 0; i < f->n; i++) {
        struct figure *at = &f->all[i];
        if (strcmp(at->section, section) == 0 && strcmp(at->what, what) == 0 && strcmp(at->column, column) == 0) {
            return at;
        }
    }
    if (f->n == f->room) {
        f->room = 2 * f->room + 64;
        f->all = grow(f->all, f->room, sizeof *f->all);
    }
    struct figure *at = &f->all[f->n++];
    *at = (struct figure){.best = {NAN, NAN}, .rate = ends_in(column, "_gb_s"), .least = NAN, .most = NAN};
    snprintf(at->section, sizeof at->section, "%s", section);
    snprintf(at->what, sizeof at->what, "%s", what);
    snprintf(at->column, sizeof at->column, "%s", column);
    return at;
}

/* What a turn of one side brought. */
static void take(struct figures *f, int side, const json_t *rows)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i), *value;
        const char *section = json_string_value(json_object_get(row, "section")),
                   *what = json_string_value(json_object_get(row, "what")), *name;
        json_object_foreach(row, name, value)
        {
            if (section && what && strncmp(name, "best_", 5) == 0 && json_is_number(value) &&
                (ends_in(name, "_us") || ends_in(name, "_gb_s"))) {
                struct figure *at = find(f, section, what, name);
                const double v = json_number_value(value), *old = &at->best[side];
                at->best[side] = at->rate ? fmax(*old, v) : fmin(*old, v); /* NAN loses */
            }
        }
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, compare);
    return n > 0 ? (x[(n - 1) / 2] + x[n / 2]) / 2 : NAN;
}

/* A turn's pairs of rounds of one figure. */
static void pair(struct figure *at, const json_t *ours, const json_t *other)
{
    const int n = (int)json_array_size(ours);
    if (n == 0 || json_array_size(other) != (size_t)n) {
        return;
    }
    if (at->n_pair + n > at->room) {
        at->room = 2 * at->room + n;
        at->slower = grow(at->slower, at->room, sizeof *at->slower);
    }
    double *const turn = at->slower + at->n_pair;
    for (int i = 0; i < n; i++) {
        const double ratio =
            json_number_value(json_array_get(ours, (size_t)i)) / json_number_value(json_array_get(other, (size_t)i));
        turn[i] = at->rate ? 1 / ratio : ratio;
    }
    const double middle = median(turn, n);
    at->least = fmin(at->least, middle);
    at->most = fmax(at->most, middle);
    at->n_pair += n;
}

/* Rows of one program stand in one order in both builds. */
static void take_pairs(struct figures *f, json_t *const *rows)
{
    for (size_t i = 0; i < json_array_size(rows[0]) && i < json_array_size(rows[1]); i++) {
        const json_t *row = json_array_get(rows[0], i), *same = json_array_get(rows[1], i);
        const char *section = json_string_value(json_object_get(row, "section")),
                   *what = json_string_value(json_object_get(row, "what")), *name;
        json_t *samples = json_object_get(row, "samples"), *ours;
        if (!json_equal(json_object_get(row, "what"), json_object_get(same, "what"))) {
            continue;
        }
        json_object_foreach(samples, name, ours)
        {
            pair(find(f, section, what, name), ours, json_object_get(json_object_get(same, "samples"), name));
        }
    }
}

/* Above 1: this build is the slower one. Without pairs by the best figures. */
static double slower(struct figure *f)
{
    const double by_best = f->rate ? f->best[1] / f->best[0] : f->best[0] / f->best[1];
    return f->n_pair > 0 ? median(f->slower, f->n_pair) : by_best;
}

static bool outside(double ratio)
{
    return !(ratio <= COMPARE_LIMIT && ratio >= 1 / COMPARE_LIMIT); /* missing on one side, too */
}

static void show(const struct figures *f)
{
    int n_outside = 0;
    char what[208];
    for (int i = 0; i < f->n; i++) {
        struct figure *at = &f->all[i];
        row_section("%s", at->section);
        if (strcmp(at->column, "best_us") == 0) {
            snprintf(what, sizeof what, "%s", at->what);
        } else {
            snprintf(what, sizeof what, "%s, %s", at->what, at->column + strlen("best_"));
        }
        ROW(what, {"this", at->best[0]}, {"other", at->best[1]}, {"this_slower", slower(at)}, {"least", at->least},
            {"most", at->most}, {"pairs", at->n_pair});
        n_outside += outside(slower(at));
    }
    printf("\n%d of %d figures differ by more than %.1f", n_outside, f->n, COMPARE_LIMIT);
    printf("%s\n", n_outside ? ":" : "");
    for (int i = 0; i < f->n; i++) {
        struct figure *at = &f->all[i];
        const double ratio = slower(at);
        if (outside(ratio)) {
            printf("  %.2f (%.2f to %.2f)  %s: %s (%s)\n", ratio, at->least, at->most, at->section, at->what,
                   at->column);
        }
    }
}

int compare_builds(const char *ours, const char *other, int n_name, const char *const *names, int n_turn, bool quick)
{
    const char *const directory[2] = {ours, other};
    struct figures f = {0};
    int rc = 0;
    for (int turn = 0; turn < n_turn; turn++) {
        for (int p = 0; p < n_name; p++) {
            json_t *rows[2] = {json_array(), json_array()};
            rc |= children_alternate(directory, turn % 2, names[p], quick, rows); /* nobody is always the second */
            for (int side = 0; side < 2; side++) {
                take(&f, side, rows[side]);
            }
            take_pairs(&f, rows);
            json_decref(rows[0]);
            json_decref(rows[1]);
            fprintf(stderr, "tutti-bench: turn %d of %d, bench_%s done\n", turn + 1, n_turn, names[p]);
        }
    }
    show(&f);
    for (int i = 0; i < f.n; i++) {
        free(f.all[i].slower);
    }
    free(f.all);
    return rc;
}
