/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/run_file.h"

#include "base/error.h"
#include "base/h5file_trial.h"
#include "base/log.h"
#include "cpu_node/record/column.h"
#include "cpu_node/record/lock.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 10000, MAX_WAITING = 256 };
enum { EVENT_WALL, EVENT_BLOCK, EVENT_TEXT, N_EVENT_COLUMNS };

struct event {
    uint64_t wall_ns, block;
    char text[RUN_FILE_EVENT_BYTES];
};

struct run_file {
    struct run_file_settings settings;
    char *path, *config; /* copies */
    char current[PATH_MAX];
    int lock;
    h5file_t *h5; /* NULL: nothing is recorded */
    bool resumed; /* h5 has rows of an earlier life and is not sealed yet */
    bool begun;
    uint64_t first_block, n_rows; /* rows: newest + 1 of any dataset */
    uint64_t next_solved;         /* the block after the newest solved one */
    struct run_file_earlier earlier;
    struct record_column column[N_RECORD_DATASETS];
    int event_handle[N_EVENT_COLUMNS];
    uint64_t n_events; /* in the file */
    int n_waiting;
    struct event waiting[MAX_WAITING];
    uint64_t next_flush_ns, write_errors;
    bool dirty;
};

static const char *const EVENT_PATH[N_EVENT_COLUMNS] = {"/events/wall_ns", "/events/block", "/events/text"};

static void write_failed(run_file_t *f)
{
    if (f->write_errors++ == 0) {
        log_write(LOG_ERROR, "record", "WRITE-FAILED %s; the network goes on without recording", error_text());
    }
}

static void check(run_file_t *f, int status)
{
    if (status < 0) {
        write_failed(f);
    }
}

/* Which file ------------------------------------------------------------------------------------------------------- */

/* run.h5, run.2.h5, run.3.h5, .. */
static void numbered(const run_file_t *f, int number, char *name, size_t room)
{
    const char *slash = strrchr(f->path, '/'), *dot = strrchr(slash ? slash : f->path, '.');
    const size_t stem = dot && dot != (slash ? slash + 1 : f->path) ? (size_t)(dot - f->path) : strlen(f->path);
    if (number == 1) {
        snprintf(name, room, "%s", f->path);
    } else {
        snprintf(name, room, "%.*s.%d%s", (int)stem, f->path, number, f->path + stem);
    }
}

static int look_at(const char *name, bool *exists)
{
    struct stat st;
    *exists = lstat(name, &st) == 0;
    if (*exists && !S_ISREG(st.st_mode)) {
        return error_set(TUTTI_EIO, "cannot record to %s: it is there and not a regular file", name);
    }
    return *exists || errno == ENOENT ? TUTTI_OK
                                      : error_set(TUTTI_EIO, "cannot record to %s: %s", name, strerror(errno));
}

/* The newest number in use; 0: none. */
static int newest_number(const run_file_t *f)
{
    char name[PATH_MAX];
    bool exists = true;
    int number = 0;
    while (exists && number < MAX_FILES) {
        numbered(f, number + 1, name, sizeof name);
        const int status = look_at(name, &exists);
        if (status < 0) {
            return status;
        }
        number += exists;
    }
    return number;
}

/* What an earlier life left ---------------------------------------------------------------------------------------- */

static bool is_same_run(const run_file_t *f, h5file_t *h5)
{
    char *config = h5file_read_text(h5, "/config"), *version = h5file_read_text(h5, "/version");
    const bool same = config && version && strcmp(config, f->config) == 0 && strcmp(version, TUTTI_VERSION) == 0;
    free(config);
    free(version);
    return same;
}

static int find_columns(run_file_t *f)
{
    int status = TUTTI_OK;
    for (int id = 0; id < N_RECORD_DATASETS && status >= 0; id++) {
        const struct record_column_spec *spec = &f->column[id].spec;
        if (spec->kept) {
            status = h5file_column(f->h5, spec->path, spec->type, spec->rank, spec->dims);
            f->column[id].handle = status;
        }
    }
    static const enum h5_type TYPE[N_EVENT_COLUMNS] = {H5_U64, H5_U64, H5_STRING};
    for (int e = 0; e < N_EVENT_COLUMNS && status >= 0; e++) {
        status = f->event_handle[e] = h5file_column(f->h5, EVENT_PATH[e], TYPE[e], 1, NULL);
    }
    return status < 0 ? status : TUTTI_OK;
}

/* Rows in blocks: one constellation row stands for CONSTELLATION_EVERY of them. */
static uint64_t blocks_in(const run_file_t *f)
{
    uint64_t most = 0;
    for (int id = 0; id < N_RECORD_DATASETS; id++) {
        const uint64_t n =
            f->column[id].spec.kept && id != R_CONSTELLATION ? h5file_rows(f->h5, f->column[id].handle) : 0;
        most = n > most ? n : most;
    }
    return most;
}

/* One more than the newest row with a solved block; users may have reported later ones. */
static uint64_t solved_rows(const char *name)
{
    h5file_t *h5 = NULL;
    struct h5_info info;
    uint64_t n = 0;
    if (h5file_open(&h5, name) >= 0 && h5file_info(h5, "/block/solved", &info) >= 0 && info.rank == 1) {
        uint8_t *solved = calloc(info.dims[0] + 1, 1);
        if (solved && h5file_read_rows(h5, "/block/solved", H5_U8, 0, info.dims[0], solved) >= 0) {
            for (n = info.dims[0]; n > 0 && !solved[n - 1]; n--) {
                continue;
            }
        }
        free(solved);
    }
    h5file_close(h5);
    return n;
}

static uint8_t *read_flags(h5file_t *h5, const char *name, uint64_t first, uint64_t n, size_t n_ap)
{
    struct h5_info info;
    uint8_t *const flags = calloc(n * n_ap + 1, 1);
    if (flags && h5file_info(h5, name, &info) >= 0 && info.rank == 2 && info.dims[1] == n_ap && info.dims[0] > first) {
        const uint64_t there = info.dims[0] - first < n ? info.dims[0] - first : n; /* the rest nobody wrote */
        if (h5file_read_rows(h5, name, H5_U8, first, there, flags) < 0) {
            memset(flags, 0, n * n_ap);
        }
    }
    return flags;
}

/* Rows, until the file's first block is known. */
static void read_earlier(run_file_t *f, const char *name, uint64_t n_rows)
{
    h5file_t *h5 = NULL;
    const uint64_t n = n_rows < RUN_FILE_EARLIER ? n_rows : RUN_FILE_EARLIER, first = n_rows - n;
    const size_t n_ap = (size_t)f->settings.shape.n_ap;
    if (n > 0 && h5file_open(&h5, name) >= 0) {
        f->earlier = (struct run_file_earlier){.first = first,
                                               .n = (size_t)n,
                                               .ap_used = read_flags(h5, "/block/ap_used", first, n, n_ap),
                                               .kind = read_flags(h5, "/applied/kind", first, n, n_ap)};
    }
    h5file_close(h5);
}

static void forget_earlier(run_file_t *f)
{
    free(f->earlier.ap_used);
    free(f->earlier.kind);
    f->earlier = (struct run_file_earlier){0};
}

void run_file_take_earlier(run_file_t *f, struct run_file_earlier *earlier)
{
    if (f->earlier.n > 0 && (!f->earlier.ap_used || !f->earlier.kind)) {
        forget_earlier(f);
    }
    *earlier = f->earlier;
    f->earlier = (struct run_file_earlier){0};
}

struct earlier_file {
    run_file_t *f;
    const char *name;
    h5file_t *h5;
};

/* The last row, where a writer would go on; one that a kill left half written is no harm. */
static void look_at_end(void *context, const char *path, const struct h5_info *info)
{
    enum { MOST_BYTES = 1 << 24 };
    struct earlier_file *const e = context;
    const uint64_t bytes = info->rank > 0 && info->dims[0] > 0 ? h5file_rows_bytes(info, 1, 8) : UINT64_MAX;
    void *const row = info->type != H5_STRING && bytes <= MOST_BYTES ? malloc((size_t)bytes + 1) : NULL;
    if (row) {
        h5file_read_rows(e->h5, path, info->type, info->dims[0] - 1, 1, row);
    }
    free(row);
}

/* In a child: 1 when it is this run's and can be read, 0 when it is another's. */
static int look_whether_ours(void *context)
{
    struct earlier_file *const e = context;
    int status = h5file_open(&e->h5, e->name);
    if (status < 0 || !is_same_run(e->f, e->h5) || h5file_exists(e->h5, "/applied/chosen") != 1) {
        return status < 0 ? status : 0;
    }
    status = h5file_list(e->h5, look_at_end, e);
    h5file_close(e->h5);
    read_earlier(e->f, e->name, solved_rows(e->name));
    return status < 0 ? status : 1;
}

static bool can_be_resumed(run_file_t *f, const char *name)
{
    struct earlier_file e = {.f = f, .name = name};
    const int status = h5file_trial(name, look_whether_ours, &e);
    if (status < 0) {
        log_write(LOG_WARNING, "record", "NOT-RESUMED %s", error_text());
    }
    return status == 1;
}

/* Goes on with a file; negative: it cannot be, a new one is begun. */
static int resume(run_file_t *f, const char *name)
{
    double first = 0;
    uint64_t n = 0;
    const uint64_t solved = solved_rows(name);
    read_earlier(f, name, solved);
    int status = h5file_append(&f->h5, name);
    status = status < 0 ? status : find_columns(f);
    status = status < 0 ? status : h5file_attribute_numbers(f->h5, "/", "first_block", 1, &first, &n);
    if (status < 0 || n != 1 || !(first >= 0)) {
        h5file_close(f->h5);
        f->h5 = NULL;
        forget_earlier(f);
        return status < 0 ? status : TUTTI_EFORMAT;
    }
    f->resumed = true;
    f->first_block = (uint64_t)first;
    f->earlier.first += f->first_block;
    f->n_rows = blocks_in(f);
    f->next_solved = f->first_block + solved;
    for (int e = 0; e < N_EVENT_COLUMNS; e++) { /* a kill may have come between the three */
        const uint64_t rows = h5file_rows(f->h5, f->event_handle[e]);
        f->n_events = rows > f->n_events ? rows : f->n_events;
    }
    snprintf(f->current, sizeof f->current, "%s", name);
    return TUTTI_OK;
}

static int declare_columns(run_file_t *f)
{
    int status = TUTTI_OK;
    for (int id = 0; id < N_RECORD_DATASETS && status >= 0; id++) {
        const struct record_column_spec *spec = &f->column[id].spec;
        if (spec->kept) {
            status = h5file_declare(f->h5, spec->path, spec->type, spec->rank, spec->dims);
            f->column[id].handle = status;
        }
    }
    for (int e = EVENT_WALL; e <= EVENT_BLOCK && status >= 0; e++) {
        status = f->event_handle[e] = h5file_declare(f->h5, EVENT_PATH[e], H5_U64, 1, NULL);
    }
    if (status >= 0) {
        status = f->event_handle[EVENT_TEXT] = h5file_declare_text(f->h5, EVENT_PATH[EVENT_TEXT], RUN_FILE_EVENT_BYTES);
    }
    return status < 0 ? status : TUTTI_OK;
}

/* A new file, not sealed: its first block is not known yet. */
static int begin_new(run_file_t *f, int number)
{
    numbered(f, number, f->current, sizeof f->current);
    f->resumed = false;
    forget_earlier(f);
    f->n_rows = f->n_events = f->first_block = f->next_solved = 0;
    int status = h5file_create(&f->h5, f->current);
    status = status < 0 ? status : h5file_put_text(f->h5, "/config", f->config);
    status = status < 0 ? status : h5file_put_text(f->h5, "/version", TUTTI_VERSION);
    return status < 0 ? status : declare_columns(f);
}

static int open_some(run_file_t *f)
{
    const int number = newest_number(f);
    char name[PATH_MAX];
    if (number < 0) {
        return number;
    }
    numbered(f, number, name, sizeof name);
    if (number > 0 && can_be_resumed(f, name)) {
        if (resume(f, name) >= 0) {
            return TUTTI_OK;
        }
        log_write(LOG_WARNING, "record", "NOT-RESUMED %s", error_text()); /* a new one beside it */
    }
    return begin_new(f, number + 1);
}

/* Life ------------------------------------------------------------------------------------------------------------- */

int run_file_create(run_file_t **file, const struct run_file_settings *settings)
{
    run_file_t *f = *file = calloc(1, sizeof *f);
    if (!f) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    f->lock = -1;
    f->settings = *settings;
    f->path = strdup(settings->path);
    f->config = strdup(settings->config);
    if (!f->path || !f->config) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    for (int id = 0; id < N_RECORD_DATASETS; id++) {
        const struct record_column_spec spec = record_spec((enum record_dataset)id, &settings->shape);
        const int status = record_column_create(&f->column[id], &spec);
        if (status < 0) {
            return status;
        }
    }
    if (f->path[0] == '\0') {
        return TUTTI_OK;
    }
    if (strlen(f->path) + 32 > sizeof f->current) {
        return error_set(TUTTI_EINVAL, "record.file: a name of %zu bytes is too long", strlen(f->path));
    }
    f->lock = output_lock(f->path);
    return f->lock < 0 ? f->lock : open_some(f);
}

static uint64_t row_of(const run_file_t *f, enum record_dataset id, uint64_t block)
{
    return id == R_CONSTELLATION ? block / CONSTELLATION_EVERY - f->first_block / CONSTELLATION_EVERY
                                 : block - f->first_block;
}

static void write_event(run_file_t *f, const struct event *event)
{
    const void *const data[N_EVENT_COLUMNS] = {&event->wall_ns, &event->block, event->text};
    for (int e = 0; f->h5 && !f->write_errors && e < N_EVENT_COLUMNS; e++) {
        check(f, h5file_write_rows(f->h5, f->event_handle[e], f->n_events, 1, data[e]));
    }
    f->n_events++;
    f->dirty = true;
}

static void write_waiting(run_file_t *f)
{
    for (int e = 0; e < f->n_waiting; e++) {
        write_event(f, &f->waiting[e]);
    }
    f->n_waiting = 0;
}

/* Puts the file in its readable, growing state. */
static int seal(run_file_t *f)
{
    int status = TUTTI_OK;
    if (!f->resumed) {
        status = h5file_put_attribute(f->h5, "/", "first_block", (double)f->first_block);
    }
    return status < 0 ? status : h5file_seal(f->h5);
}

/* Writes all there is and makes the datasets equally long. */
static void finish(run_file_t *f)
{
    for (int id = 0; id < N_RECORD_DATASETS && !f->write_errors; id++) {
        struct record_column *c = &f->column[id];
        if (!c->rows || c->handle < 0) {
            continue;
        }
        check(f, record_column_flush(c));
        if (!f->write_errors && f->n_rows > 0) {
            const uint64_t newest = f->first_block + f->n_rows - 1;
            check(f, h5file_extend(f->h5, c->handle, row_of(f, (enum record_dataset)id, newest) + 1));
        }
    }
    if (!f->write_errors && h5file_flush(f->h5) < 0) {
        write_failed(f);
    }
}

static void close_current(run_file_t *f)
{
    if (!f->h5) {
        return;
    }
    if (!f->begun && seal(f) < 0) { /* no block came: an empty recording, or one that stays as it was */
        write_failed(f);
    }
    write_waiting(f);
    finish(f);
    h5file_close(f->h5);
    f->h5 = NULL;
}

void run_file_destroy(run_file_t *f)
{
    if (!f) {
        return;
    }
    close_current(f);
    forget_earlier(f);
    for (int id = 0; id < N_RECORD_DATASETS; id++) {
        record_column_destroy(&f->column[id]);
    }
    if (f->path) {
        output_unlock(f->path, f->lock);
    }
    free(f->path);
    free(f->config);
    free(f);
}

/* The numbered file after the newest one. */
static int rotate(run_file_t *f)
{
    const int number = newest_number(f);
    close_current(f);
    f->begun = false;
    return number < 0 ? number : begin_new(f, number + 1);
}

/* A time line that went on, with a gap that files can bear. */
static bool continues(const run_file_t *f, uint64_t block)
{
    static const uint64_t MOST_GAP = 4000000; /* rows that nobody wrote: five hours of 5 ms blocks */
    return block >= f->next_solved && block - f->next_solved < MOST_GAP;
}

static void attach_columns(run_file_t *f)
{
    for (int id = 0; id < N_RECORD_DATASETS; id++) {
        const uint64_t newest = f->first_block + f->n_rows - 1;
        record_column_attach(&f->column[id], f->h5, f->column[id].handle,
                             f->n_rows > 0 ? row_of(f, (enum record_dataset)id, newest) + 1 : 0);
    }
}

void run_file_begin(run_file_t *f, uint64_t first_block)
{
    int status = TUTTI_OK;
    const bool earlier = f->resumed || f->begun;
    if (earlier && continues(f, first_block)) {
        if (f->begun) {
            return;
        }
    } else {
        if (earlier && f->h5 && !f->write_errors) {
            status = rotate(f);
        }
        f->n_rows = 0;
        f->first_block = f->next_solved = first_block;
    }
    if (f->h5 && status >= 0 && !f->write_errors) {
        status = seal(f);
    }
    check(f, status);
    attach_columns(f);
    f->begun = true;
    write_waiting(f);
    if (f->h5) {
        log_write(LOG_INFO, "record", "RECORDING file=%s first_block=%" PRIu64 " rows_before=%" PRIu64, f->current,
                  f->first_block, f->n_rows);
    }
}

bool run_file_has_begun(const run_file_t *f)
{
    return f->begun;
}

uint64_t run_file_first_block(const run_file_t *f)
{
    return f->first_block;
}

const char *run_file_path(const run_file_t *f)
{
    return f->h5 ? f->current : "";
}

uint64_t run_file_errors(const run_file_t *f)
{
    return f ? f->write_errors : 0;
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

static bool is_writable(run_file_t *f, enum record_dataset id, uint64_t block)
{
    if (!f->begun || block < f->first_block || !f->column[id].rows) {
        return false;
    }
    if (f->write_errors) {
        f->write_errors++;
        return false;
    }
    const uint64_t rows = block - f->first_block + 1;
    f->n_rows = rows > f->n_rows ? rows : f->n_rows;
    f->next_solved = id == R_SOLVED ? block + 1 : f->next_solved;
    f->dirty = true;
    return true;
}

void run_file_put(run_file_t *f, enum record_dataset id, uint64_t block, const void *data)
{
    if (is_writable(f, id, block)) {
        check(f, record_column_put(&f->column[id], row_of(f, id, block), data));
    }
}

void run_file_put_cell(run_file_t *f, enum record_dataset id, uint64_t block, uint64_t cell, const void *data)
{
    if (is_writable(f, id, block)) {
        check(f, record_column_put_cell(&f->column[id], row_of(f, id, block), cell, data));
    }
}

const void *run_file_peek(const run_file_t *f, enum record_dataset id, uint64_t block)
{
    return f->begun && block >= f->first_block ? record_column_peek(&f->column[id], row_of(f, id, block)) : NULL;
}

void run_file_event(run_file_t *f, uint64_t wall_ns, uint64_t block, const char *text)
{
    struct event event = {.wall_ns = wall_ns, .block = block};
    strncpy(event.text, text, sizeof event.text - 1);
    if (f->begun) {
        write_event(f, &event);
    } else if (f->n_waiting < MAX_WAITING) {
        f->waiting[f->n_waiting++] = event;
    }
}

void run_file_turn(run_file_t *f, uint64_t now_ns)
{
    if (!f->begun || !f->h5 || !f->dirty || f->write_errors || now_ns < f->next_flush_ns) {
        return;
    }
    f->next_flush_ns = now_ns + RUN_FILE_FLUSH_MS * UINT64_C(1000000);
    f->dirty = false;
    for (int id = 0; id < N_RECORD_DATASETS && !f->write_errors; id++) {
        if (f->column[id].rows) {
            check(f, record_column_flush(&f->column[id]));
        }
    }
    if (!f->write_errors && h5file_flush(f->h5) < 0) {
        write_failed(f);
    }
}
