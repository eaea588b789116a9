/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "row.h"

#include "baton.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHAT_WIDTH = 44, MIN_WIDTH = 10 };

static bool as_json, quick;
static char section[160];
static json_t *samples; /* of the next row */

void row_open(int *argc, char **argv)
{
    int n = 1;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            as_json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[i], "--baton") == 0 && i + 1 < *argc) {
            baton_open(argv[++i]);
        } else {
            argv[n++] = argv[i];
        }
    }
    *argc = n;
    argv[n] = NULL;
}

int row_rounds(int n)
{
    return quick ? (n + 7) / 8 : n;
}

void row_section(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(section, sizeof section, format, args);
    va_end(args);
}

static void show_number(int width, double value)
{
    const double size = fabs(value);
    if (value == floor(value) && size < 1e9) {
        printf("%*.0f", width, value);
    } else if (size < 1e-3) {
        printf("%*.2e", width, value);
    } else {
        printf("%*.*f", width, size < 1 ? 4 : size < 100 ? 2 : 1, value);
    }
}

/* The heading when it differs from the last row's: the section, and the names of the columns. */
static void show_heading(const json_t *row, const char *title)
{
    static char last[640];
    char names[480] = "", heading[sizeof last];
    const char *name;
    json_t *value;
    size_t at = 0;
    json_object_foreach((json_t *)row, name, value)
    {
        const size_t room = sizeof names - at;
        if (strcmp(name, "section") == 0 || strcmp(name, "what") == 0) {
            continue;
        }
        const int length = snprintf(names + at, room, "  %*s", MIN_WIDTH, name);
        at += (size_t)length < room ? (size_t)length : room - 1;
    }
    const bool fits = strlen(title) <= WHAT_WIDTH;
    snprintf(heading, sizeof heading, "%-*s%s%*s%s", WHAT_WIDTH, title, fits ? "" : "\n", fits ? 0 : WHAT_WIDTH, "",
             names);
    if (strcmp(heading, last) != 0) {
        printf("%s%s\n", *last ? "\n" : "", heading);
    }
    memcpy(last, heading, sizeof last);
}

bool row_is(const json_t *row)
{
    return json_is_string(json_object_get(row, "section")) && json_is_string(json_object_get(row, "what"));
}

bool row_show(const json_t *row)
{
    const char *title = json_string_value(json_object_get(row, "section")),
               *what = json_string_value(json_object_get(row, "what")), *name;
    json_t *value;
    if (!row_is(row)) {
        return false;
    }
    show_heading(row, title);
    printf("  %-*s", WHAT_WIDTH - 2, what);
    json_object_foreach((json_t *)row, name, value)
    {
        const int length = (int)strlen(name), width = 2 + (length > MIN_WIDTH ? length : MIN_WIDTH);
        if (json_is_number(value)) {
            show_number(width, json_number_value(value));
        } else if (json_is_null(value)) {
            printf("%*s", width, "-");
        }
    }
    printf("\n");
    fflush(stdout);
    return true;
}

void row_samples(const char *column, int n, const double *values)
{
    if (!baton_is_open()) {
        return;
    }
    json_t *all = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(all, json_real(values[i])); /* what is not finite is left out, and breaks the pairs */
    }
    samples = samples ? samples : json_object();
    json_object_set_new(samples, column, all);
}

void row_print(const char *what, const struct row_value *values, unsigned long n)
{
    json_t *row = json_object();
    int rc = json_object_set_new(row, "section", json_string(section));
    rc |= json_object_set_new(row, "what", json_string(what));
    for (unsigned long i = 0; i < n; i++) {
        const double v = values[i].value;
        json_t *number = !isfinite(v)                      ? json_null()
                         : v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v)
                                                           : json_real(v);
        rc |= json_object_set_new(row, values[i].name, number);
    }
    if (samples) {
        rc |= json_object_set_new(row, "samples", samples);
        samples = NULL;
    }
    if (rc != 0) {
        fprintf(stderr, "out of memory, or not UTF-8: %s\n", what);
        exit(1);
    }
    if (as_json) {
        json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        printf("\n");
        fflush(stdout);
    } else {
        row_show(row);
    }
    json_decref(row);
}
