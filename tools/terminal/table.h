/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small table that can be written for a terminal and for a web page. Cells are given row by row. When memory runs out
 * the table says so instead of its contents. */
#ifndef TUTTI_TOOLS_TERMINAL_TABLE_H
#define TUTTI_TOOLS_TERMINAL_TABLE_H

#include <stdio.h>

typedef struct table table_t;

/* headers: NULL-terminated, kept by reference. NULL when out of memory; every function below accepts that. */
table_t *table_create(const char *title, const char *const *headers);
void table_destroy(table_t *table);
void table_cell(table_t *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A number with the given decimals; "-" for NaN. */
void table_number(table_t *table, int decimals, double value);
/* The first column is aligned left, the others right, unless left_columns says otherwise. */
void table_align_left(table_t *table, int left_columns);
void table_print(const table_t *table, FILE *out);
void table_html(const table_t *table, FILE *out);

#endif
