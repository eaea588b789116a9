/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One dataset being written: the newest rows lie in memory and go to the file many at a time. A row that comes in
 * pieces (a cell per AP or user) is put together here; a piece that comes after its row has left memory is written to
 * its place in the file. An older row never takes the place of a newer one. */
#ifndef TUTTI_CPU_NODE_RECORD_COLUMN_H
#define TUTTI_CPU_NODE_RECORD_COLUMN_H

#include "cpu_node/record/datasets.h"

struct record_column {
    struct record_column_spec spec;
    h5file_t *file; /* NULL: nothing is recorded */
    int handle;
    uint64_t room;                 /* rows in memory */
    uint64_t first, end;           /* rows first..end-1 are there, row r in place r mod room */
    uint64_t dirty_from, dirty_to; /* those that the file does not have yet; equal: none */
    char *rows;                    /* [room][row_bytes] */
};

/* Allocates; not yet tied to a file. */
int record_column_create(struct record_column *column, const struct record_column_spec *spec);
void record_column_destroy(struct record_column *column); /* does not flush */
/* Rows before `first` are in the file already. */
void record_column_attach(struct record_column *column, h5file_t *file, int handle, uint64_t first);

/* 0 or the file's error; what lies in memory stays there. */
int record_column_put(struct record_column *column, uint64_t row, const void *data);
int record_column_put_cell(struct record_column *column, uint64_t row, uint64_t cell, const void *data);
/* A row in memory, to read or to fill, NULL when it is not (or no longer) there. */
const void *record_column_peek(const struct record_column *column, uint64_t row);
int record_column_flush(struct record_column *column);

#endif
