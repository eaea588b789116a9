/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run.h5: who may write it, which file it is, its columns. A run that is started again goes on in its file when the
 * configuration is the same and time has gone on; else a new numbered file is begun beside it (run.2.h5). Nothing is
 * ever truncated. The folder's run.h5 belongs to one process at a time (run.h5.lock). Row r is block r + first_block
 * (root attribute). Only the record thread, after create. */
#ifndef TUTTI_CPU_NODE_RECORD_RUN_FILE_H
#define TUTTI_CPU_NODE_RECORD_RUN_FILE_H

#include "cpu_node/record/datasets.h"

/* What was written is in the file after so long at most, also if the process is killed then. */
enum { RUN_FILE_FLUSH_MS = 200, RUN_FILE_EVENT_BYTES = 160, RUN_FILE_EARLIER = 16384 };

struct run_file_settings {
    const char *path;   /* "": nothing is recorded */
    const char *config; /* effective configuration, YAML; the same text = the same run */
    struct record_shape shape;
};
typedef struct run_file run_file_t;

/* Takes the lock and opens or creates. TUTTI_EREFUSED: another process writes it. Blocks on disk. */
int run_file_create(run_file_t **file, const struct run_file_settings *settings);
/* Writes what is there, makes all datasets equally long, gives the lock back. NULL and half-built allowed. */
void run_file_destroy(run_file_t *file);

/* Time begins (again) at this block: settles which file it is. Before the first write, and whenever time starts anew.
 */
void run_file_begin(run_file_t *file, uint64_t first_block);
bool run_file_has_begun(const run_file_t *file);
uint64_t run_file_first_block(const run_file_t *file);
/* The file in use; "" = none. */
const char *run_file_path(const run_file_t *file);

/* What an earlier life left at the end of the file in use, taken once: the last blocks first..first+n-1 (at most
 * RUN_FILE_EARLIER), whether an AP was in the solve and what it sent, [n][n_ap], caller frees; n 0 without any. */
struct run_file_earlier {
    uint64_t first;
    size_t n;
    uint8_t *ap_used, *kind;
};
void run_file_take_earlier(run_file_t *file, struct run_file_earlier *earlier);

/* A whole row, or one cell of it, of a block not before first_block. After a failed write (a full disk) nothing more is
 * written, only counted; what had been flushed stays readable. */
void run_file_put(run_file_t *file, enum record_dataset id, uint64_t block, const void *data);
void run_file_put_cell(run_file_t *file, enum record_dataset id, uint64_t block, uint64_t cell, const void *data);
/* The block's row if it is still in memory, else NULL. */
const void *run_file_peek(const run_file_t *file, enum record_dataset id, uint64_t block);
/* One line of the time line (/events). May be called before run_file_begin: it waits. */
void run_file_event(run_file_t *file, uint64_t wall_ns, uint64_t block, const char *text);
/* Flushes when it is time to. */
void run_file_turn(run_file_t *file, uint64_t now_mono_ns);
uint64_t run_file_errors(const run_file_t *file); /* writes that failed */

#endif
