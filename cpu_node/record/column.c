/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/column.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Late rows are expected within a second or two; rows of solved blocks come in order and only wait for company. */
enum { LATE_ROWS = 256, ORDERED_ROWS = 64, LATE_BYTES = 4 << 20, ORDERED_BYTES = 512 << 10 };

static uint64_t room_for(const struct record_column_spec *spec)
{
    const bool ordered = spec->source == FROM_BLOCK;
    const uint64_t most = ordered ? ORDERED_ROWS : LATE_ROWS;
    const uint64_t fit = (ordered ? ORDERED_BYTES : LATE_BYTES) / (uint64_t)spec->row_bytes;
    const uint64_t least = ordered ? 1 : 4;
    return fit < least ? least : fit < most ? fit : most;
}

int record_column_create(struct record_column *c, const struct record_column_spec *spec)
{
    *c = (struct record_column){.spec = *spec, .handle = -1};
    if (!spec->kept) {
        return TUTTI_OK;
    }
    c->room = room_for(spec);
    c->rows = malloc(c->room * spec->row_bytes);
    return c->rows ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for %s", spec->path);
}

void record_column_destroy(struct record_column *c)
{
    free(c->rows);
    c->rows = NULL;
}

void record_column_attach(struct record_column *c, h5file_t *file, int handle, uint64_t first)
{
    c->file = file;
    c->handle = handle;
    c->first = c->end = c->dirty_from = c->dirty_to = first;
}

static char *place(const struct record_column *c, uint64_t row)
{
    return c->rows + row % c->room * c->spec.row_bytes;
}

/* What a row reads as when nobody wrote it. */
static void fill(const struct record_column *c, uint64_t row)
{
    char *at = place(c, row);
    const size_t n = c->spec.row_bytes;
    if (c->spec.type == H5_F64) {
        for (size_t i = 0; i < n / sizeof(double); i++) {
            ((double *)(void *)at)[i] = NAN;
        }
    } else if (c->spec.type == H5_F32 || c->spec.type == H5_C64) {
        for (size_t i = 0; i < n / sizeof(float); i++) {
            ((float *)(void *)at)[i] = NAN;
        }
    } else {
        memset(at, 0, n);
    }
}

/* Rows from..to-1, at most two runs in the ring. */
static int write_out(struct record_column *c, uint64_t from, uint64_t to)
{
    while (from < to) {
        const uint64_t until_wrap = c->room - from % c->room, n = to - from < until_wrap ? to - from : until_wrap;
        const int status = c->file ? h5file_write_rows(c->file, c->handle, from, n, place(c, from)) : TUTTI_OK;
        if (status < 0) {
            return status;
        }
        from += n;
    }
    return TUTTI_OK;
}

int record_column_flush(struct record_column *c)
{
    const int status = write_out(c, c->dirty_from, c->dirty_to);
    c->dirty_from = c->dirty_to = c->end;
    return status;
}

/* Makes room in memory for this row, which is not before `first`; what must leave goes to the file. */
static int reach(struct record_column *c, uint64_t row)
{
    int status = TUTTI_OK;
    if (row < c->end) {
        return status;
    }
    if (row >= c->first + c->room) {
        const uint64_t first = row + 1 - c->room;
        if (c->dirty_from < c->dirty_to && c->dirty_from < first) {
            status = record_column_flush(c);
        }
        c->first = first;
        if (c->end < first) { /* a gap longer than memory: its rows are never written and read as fill */
            c->end = c->dirty_from = c->dirty_to = first;
        }
    }
    for (; c->end <= row; c->end++) {
        fill(c, c->end);
    }
    return status;
}

static void mark(struct record_column *c, uint64_t row)
{
    if (c->dirty_from == c->dirty_to) {
        c->dirty_from = row;
        c->dirty_to = row + 1;
    }
    c->dirty_from = row < c->dirty_from ? row : c->dirty_from;
    c->dirty_to = row >= c->dirty_to ? row + 1 : c->dirty_to;
}

int record_column_put(struct record_column *c, uint64_t row, const void *data)
{
    if (!c->rows) {
        return TUTTI_OK;
    }
    if (row < c->first) {
        return c->file ? h5file_write_rows(c->file, c->handle, row, 1, data) : TUTTI_OK;
    }
    const int status = reach(c, row);
    memcpy(place(c, row), data, c->spec.row_bytes);
    mark(c, row);
    return status;
}

int record_column_put_cell(struct record_column *c, uint64_t row, uint64_t cell, const void *data)
{
    if (!c->rows) {
        return TUTTI_OK;
    }
    if (row < c->first) {
        return c->file ? h5file_write_cell(c->file, c->handle, row, cell, data) : TUTTI_OK;
    }
    const int status = reach(c, row);
    memcpy(place(c, row) + cell * c->spec.cell_bytes, data, c->spec.cell_bytes);
    mark(c, row);
    return status;
}

const void *record_column_peek(const struct record_column *c, uint64_t row)
{
    return c->rows && row >= c->first && row < c->end ? place(c, row) : NULL;
}
