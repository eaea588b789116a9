/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every bench program prints: rows of named numbers under section headings, as a table for people or, with --json,
 * one JSON object per line: {"section": ..., "what": ..., "median_us": ..., ...}. */
#ifndef TESTS_BENCH_ROW_H
#define TESTS_BENCH_ROW_H

#include <jansson.h>
#include <stdbool.h>

struct row_value {
    const char *name; /* with its unit: median_us, ratio, allocations */
    double value;     /* not finite: does not apply; '-' in the table, null in the JSON */
};

/* Takes --json, --quick and --baton (baton.h; then rows have their samples) out of the arguments. */
void row_open(int *argc, char **argv);
/* n rounds, or an eighth of them with --quick; at least 1. */
int row_rounds(int n);
/* Of the rows that follow. */
__attribute__((format(printf, 1, 2))) void row_section(const char *format, ...);
#define ROW(what, ...)                                                                                                 \
    row_print(what, (const struct row_value[]){__VA_ARGS__},                                                           \
              sizeof((const struct row_value[]){__VA_ARGS__}) / sizeof(struct row_value))
void row_print(const char *what, const struct row_value *values, unsigned long n);
/* The n values, in the order in which they were measured, that a column of the next row was made of; copied. */
void row_samples(const char *column, int n, const double *values);

/* Whether an object is a row: it has a section and says what it measured. */
bool row_is(const json_t *row);
/* The table line of one row's object; false if it is not one. */
bool row_show(const json_t *row);

#endif
