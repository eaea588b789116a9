/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "compare.h"

#include "children.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One column of one row: the best of every turn, ours and the other's. */
struct figure {
    char section[160], what[160], column[32];
    double best[2];
    bool rate; /* more is better */
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
        f->all = realloc(f->all, (size_t)f->room * sizeof *f->all);
        if (!f->all) {
            abort();
        }
    }
    struct figure *at = &f->all[f->n++];
    *at = (struct figure){.best = {NAN, NAN}, .rate = ends_in(column, "_gb_s")};
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

/* Above 1: ours is the slower one. */
static double slower(const struct figure *f)
{
    return f->rate ? f->best[1] / f->best[0] : f->best[0] / f->best[1];
}

static bool outside(const struct figure *f)
{
    return !(slower(f) <= COMPARE_LIMIT && slower(f) >= 1 / COMPARE_LIMIT); /* missing on one side, too */
}

static void show(const struct figures *f)
{
    int n_outside = 0;
    char what[208];
    for (int i = 0; i < f->n; i++) {
        const struct figure *at = &f->all[i];
        row_section("%s", at->section);
        if (strcmp(at->column, "best_us") == 0) {
            snprintf(what, sizeof what, "%s", at->what);
        } else {
            snprintf(what, sizeof what, "%s, %s", at->what, at->column + strlen("best_"));
        }
        ROW(what, {"this", at->best[0]}, {"other", at->best[1]}, {"this_slower", slower(at)});
        n_outside += outside(at);
    }
    printf("\n%d of %d figures differ by more than %.1f", n_outside, f->n, COMPARE_LIMIT);
    printf("%s\n", n_outside ? ":" : "");
    for (int i = 0; i < f->n; i++) {
        const struct figure *at = &f->all[i];
        if (outside(at)) {
            printf("  %.2f  %s: %s (%s)\n", slower(at), at->section, at->what, at->column);
        }
    }
}

int compare_builds(const char *ours, const char *other, int n_name, const char *const *names, int n_turn, bool quick)
{
    struct figures f = {0};
    int rc = 0;
    for (int turn = 0; turn < n_turn; turn++) {
        for (int p = 0; p < n_name; p++) {
            for (int i = 0; i < 2; i++) {
                const int side = i ^ turn % 2; /* nobody is always the second */
                json_t *rows = json_array();
                rc |= children_run(side ? other : ours, names[p], quick, false, rows);
                take(&f, side, rows);
                json_decref(rows);
            }
            fprintf(stderr, "tutti-bench: turn %d of %d, bench_%s done\n", turn + 1, n_turn, names[p]);
        }
    }
    show(&f);
    free(f.all);
    return rc;
}
