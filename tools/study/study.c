/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/study.h"

#include "base/error.h"
#include "base/stats.h"
#include "channel/random.h"
#include "tools/json_file.h"
#include "tools/study/study_run.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_parameters(const struct study *study)
{
    int n = 0;
    while (study->parameters[n].key) {
        n++;
    }
    return n;
}

int study_run_create(struct study_run *run, const struct study *study, int n_drop)
{
    const int n = n_parameters(study);
    *run = (struct study_run){.study = study, .n_drop = n_drop, .n_job = 1, .n_shard = 1};
    run->value = calloc((size_t)n + 1, sizeof *run->value);
    run->rows = calloc((size_t)n_drop * (size_t)study->n_value, sizeof *run->rows);
    run->done = calloc((size_t)n_drop, 1);
    run->kept = calloc((size_t)n_drop, sizeof *run->kept);
    run->panels = json_array();
    run->checks = json_array();
    run->notes = json_array();
    if (!run->value || !run->rows || !run->done || !run->kept || !run->panels || !run->checks || !run->notes) {
        return error_set(TUTTI_ENOMEM, "study %s: out of memory for %d drops", study->name, n_drop);
    }
    for (int i = 0; i < n; i++) {
        run->value[i] = study->parameters[i].value;
    }
    return 0;
}

void study_run_destroy(struct study_run *run)
{
    free(run->value);
    free(run->rows);
    free(run->done);
    free(run->kept);
    json_decref(run->panels);
    json_decref(run->checks);
    json_decref(run->notes);
    *run = (struct study_run){0};
}

static void list_keys(const struct study *study, char *text, size_t room)
{
    size_t used = 0;
    text[0] = '\0';
    for (const struct study_parameter *p = study->parameters; p->key && used < room; p++) {
        const int n = snprintf(text + used, room - used, "%s%s", used ? ", " : "", p->key);
        used += n > 0 ? (size_t)n : 0;
    }
}

int study_run_set(struct study_run *run, const char *assignment)
{
    const char *const equals = strchr(assignment, '=');
    char keys[512], *end = NULL;
    const size_t length = equals ? (size_t)(equals - assignment) : strlen(assignment);
    for (int i = 0; run->study->parameters[i].key; i++) {
        const char *const key = run->study->parameters[i].key;
        if (!equals || strlen(key) != length || strncmp(key, assignment, length) != 0) {
            continue;
        }
        const double value = strtod(equals + 1, &end);
        if (end == equals + 1 || *end != '\0' || !isfinite(value)) {
            return error_set(TUTTI_EINVAL, "study %s: %s is no number", run->study->name, assignment);
        }
        run->value[i] = value;
        return 0;
    }
    list_keys(run->study, keys, sizeof keys);
    return error_set(TUTTI_EINVAL, "study %s: --set %s: write KEY=NUMBER with one of: %s", run->study->name, assignment,
                     keys);
}

double study_value(const struct study_run *run, const char *key)
{
    for (int i = 0; run->study->parameters[i].key; i++) {
        if (strcmp(run->study->parameters[i].key, key) == 0) {
            return run->value[i];
        }
    }
    return NAN;
}

uint64_t study_seed(const struct study_run *run)
{
    uint64_t key = 0xcbf29ce484222325u; /* FNV-1a of the name */
    for (const char *c = run->study->name; *c; c++) {
        key = (key ^ (uint64_t)(unsigned char)*c) * 0x100000001b3u;
    }
    return random_u64(key, run->seed);
}

bool study_is_quick(const struct study_run *run)
{
    return run->quick;
}

int study_n_drop(const struct study_run *run)
{
    return run->n_kept;
}

double study_at(const struct study_run *run, int drop, int column)
{
    return run->rows[(size_t)run->kept[drop] * (size_t)run->study->n_value + (size_t)column];
}

static struct study_estimate estimate(const struct stats_mean *mean)
{
    return (struct study_estimate){mean->count ? mean->mean : (double)NAN, stats_mean_stderr(mean), (int)mean->count};
}

struct study_estimate study_mean(const struct study_run *run, int column)
{
    struct stats_mean mean = {0};
    for (int i = 0; i < run->n_kept; i++) {
        const double value = study_at(run, i, column);
        if (!isnan(value)) {
            stats_mean_add(&mean, value);
        }
    }
    return estimate(&mean);
}

struct study_estimate study_paired(const struct study_run *run, int column, int minus)
{
    struct stats_mean mean = {0};
    for (int i = 0; i < run->n_kept; i++) {
        const double difference = study_at(run, i, column) - study_at(run, i, minus);
        if (!isnan(difference)) {
            stats_mean_add(&mean, difference);
        }
    }
    return estimate(&mean);
}

double study_share(const struct study_run *run, int column)
{
    int above = 0, n = 0;
    for (int i = 0; i < run->n_kept; i++) {
        n += !isnan(study_at(run, i, column));
        above += study_at(run, i, column) > 0;
    }
    return n ? (double)above / n : (double)NAN;
}

static void add_panel(struct study_run *run, const char *title, const char *x, const char *y, bool scattered)
{
    json_array_append_new(run->panels, json_pack("{s:s, s:s, s:s, s:b, s:[]}", "title", title, "x", x, "y", y,
                                                 "scattered", scattered, "series"));
}

void study_panel(struct study_run *run, const char *title, const char *x, const char *y)
{
    add_panel(run, title, x, y, false);
}

void study_panel_scattered(struct study_run *run, const char *title, const char *x, const char *y)
{
    add_panel(run, title, x, y, true);
}

static json_t *last(json_t *array)
{
    return json_array_get(array, json_array_size(array) - 1);
}

void study_series(struct study_run *run, const char *name, bool measured)
{
    json_array_append_new(json_object_get(last(run->panels), "series"),
                          json_pack("{s:s, s:b, s:[]}", "name", name, "measured", measured, "points"));
}

void study_point(struct study_run *run, double x, struct study_estimate y)
{
    json_t *const series = last(json_object_get(last(run->panels), "series"));
    if (y.n > 0 && isfinite(y.mean)) {
        json_array_append_new(json_object_get(series, "points"), json_pack("[f, f, f, i]", x, y.mean, y.se, y.n));
    }
}

static json_t *text_of(const char *format, va_list arguments)
{
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    return json_string(text);
}

void study_check(struct study_run *run, bool ok, double value, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_t *const check = json_pack("{s:b, s:o}", "pass", ok, "what", text_of(format, arguments));
    va_end(arguments);
    json_object_set_new(check, "value", json_file_number(value));
    json_array_append_new(run->checks, check);
    run->n_check++;
    run->n_failed += !ok;
}

void study_check_reference(struct study_run *run, struct study_estimate found, double reference, double se,
                           const char *what)
{
    const double limit = 4 * sqrt(se * se + found.se * found.se);
    study_check(run, fabs(found.mean - reference) <= limit, found.mean,
                "%s: %.4g within 4 standard errors (%.3g) of %.4g", what, found.mean, limit, reference);
}

void study_note(struct study_run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_array_append_new(run->notes, text_of(format, arguments));
    va_end(arguments);
}

/* Curves without a point, as a few drops leave them, and panels without a curve: nothing can be drawn. */
static void drop_empty(json_t *panels)
{
    for (size_t i = json_array_size(panels); i-- > 0;) {
        json_t *const series = json_object_get(json_array_get(panels, i), "series");
        for (size_t j = json_array_size(series); j-- > 0;) {
            if (json_array_size(json_object_get(json_array_get(series, j), "points")) == 0) {
                json_array_remove(series, j);
            }
        }
        if (json_array_size(series) == 0) {
            json_array_remove(panels, i);
        }
    }
}

void study_run_evaluate(struct study_run *run)
{
    json_array_clear(run->panels);
    json_array_clear(run->checks);
    json_array_clear(run->notes);
    run->n_kept = run->n_check = run->n_failed = 0;
    for (int i = 0; i < run->n_drop; i++) {
        if (run->done[i]) {
            run->kept[run->n_kept++] = i;
        }
    }
    if (run->n_kept > 0) {
        run->study->evaluate(run);
        drop_empty(run->panels);
    }
}
