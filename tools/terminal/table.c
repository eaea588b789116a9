/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/terminal/table.h"

#include "tools/terminal/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const char *title;
    const char *const *headers;
    int n_column, left_columns;
    char **cell; /* [n_cell], row by row */
    size_t n_cell, room;
    bool failed;
};

table_t *table_create(const char *title, const char *const *headers)
{
    table_t *table = calloc(1, sizeof *table);
    if (!table) {
        return NULL;
    }
    table->title = title;
    table->headers = headers;
    table->left_columns = 1;
    while (headers[table->n_column]) {
        table->n_column++;
    }
    return table;
}

void table_destroy(table_t *table)
{
    if (!table) {
        return;
    }
    for (size_t i = 0; i < table->n_cell; i++) {
        free(table->cell[i]);
    }
    free(table->cell);
    free(table);
}

static bool make_room(table_t *table)
{
    if (table->n_cell < table->room) {
        return true;
    }
    size_t room = table->room ? 2 * table->room : 64;
    char **cell = realloc(table->cell, room * sizeof *cell);
    if (!cell) {
        return false;
    }
    table->cell = cell;
    table->room = room;
    return true;
}

void table_cell(table_t *table, const char *format, ...)
{
    if (!table || table->failed) {
        return;
    }
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n < 0 || !make_room(table)) {
        if (n >= 0) {
            free(text);
        }
        table->failed = true;
        return;
    }
    table->cell[table->n_cell++] = text;
}

void table_number(table_t *table, int decimals, double value)
{
    if (isnan(value)) {
        table_cell(table, "-");
    } else {
        table_cell(table, "%.*f", decimals, value);
    }
}

void table_align_left(table_t *table, int left_columns)
{
    if (table) {
        table->left_columns = left_columns;
    }
}

/* Columns on a terminal, not bytes: UTF-8 continuation bytes take no place. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

static int column_width(const table_t *table, int column)
{
    int width = text_width(table->headers[column]);
    for (size_t i = (size_t)column; i < table->n_cell; i += (size_t)table->n_column) {
        const int w = text_width(table->cell[i]);
        if (w > width) {
            width = w;
        }
    }
    return width;
}

static void print_cell(const table_t *table, FILE *out, const char *text, int column)
{
    const int padding = column_width(table, column) - text_width(text);
    const bool left = column < table->left_columns, last = column == table->n_column - 1;
    if (column > 0) {
        fputs("  ", out);
    }
    if (!left) {
        fprintf(out, "%*s", padding, "");
    }
    fputs(text, out);
    if (left && !last) {
        fprintf(out, "%*s", padding, "");
    }
    if (last) {
        fputc('\n', out);
    }
}

void table_print(const table_t *table, FILE *out)
{
    if (!table || table->failed) {
        fputs("(out of memory)\n", out);
        return;
    }
    if (table->title) {
        fprintf(out, "%s\n", table->title);
    }
    for (int c = 0; c < table->n_column; c++) {
        print_cell(table, out, table->headers[c], c);
    }
    for (size_t i = 0; i < table->n_cell; i++) {
        print_cell(table, out, table->cell[i], (int)(i % (size_t)table->n_column));
    }
}

static void html_cell(const table_t *table, FILE *out, const char *tag, const char *text, int column)
{
    if (column == 0) {
        fputs("<tr>", out);
    }
    fprintf(out, "<%s%s>", tag, column < table->left_columns ? " class=\"l\"" : "");
    html_text(out, text);
    fprintf(out, "</%s>", tag);
    if (column == table->n_column - 1) {
        fputs("</tr>\n", out);
    }
}

void table_html(const table_t *table, FILE *out)
{
    if (!table || table->failed) {
        fputs("<p>(out of memory)</p>\n", out);
        return;
    }
    if (table->title) {
        fputs("<h3>", out);
        html_text(out, table->title);
        fputs("</h3>\n", out);
    }
    fputs("<div class=\"scroll\"><table>\n", out);
    for (int c = 0; c < table->n_column; c++) {
        html_cell(table, out, "th", table->headers[c], c);
    }
    for (size_t i = 0; i < table->n_cell; i++) {
        html_cell(table, out, "td", table->cell[i], (int)(i % (size_t)table->n_column));
    }
    fputs("</table></div>\n", out);
}
