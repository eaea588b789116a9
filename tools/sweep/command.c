/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti sweep: a run of one network for every combination of settings, as rows of one table. */
#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "base/rt.h"
#include "tools/sweep/grid.h"
#include "tools/sweep/row.h"
#include "tools/terminal/status_line.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char help[] =
    "Usage: tutti sweep [--config] FILE --vary KEY=A,B,... [options]\n\n"
    "Runs a network once for every combination of values, one after the other, and writes a row of figures for each\n"
    "into DIR/sweep.csv. The same command again goes on where it was stopped.\n\n"
    "  --config FILE       network file\n"
    "  --set KEY=VALUE     override one key in all runs (repeatable)\n"
    "  --vary KEY=A,B,...  a key and its values (repeatable: all combinations); commas in brackets belong to a value\n"
    "  --seeds A..B        vary network.seed over these numbers\n"
    "  --out DIR           directory of the sweep (needed)\n"
    "  --keep              keep the directory of every run, DIR/runs/NUMBER, not of failed ones alone\n"
    "  --list              print the runs and stop\n"
    "  --quiet             no progress\n"
    "  --help              this text\n";

struct sweep {
    struct config_options common;
    struct grid grid;
    const char *out;
    bool keep, list, quiet;
    int lock;
    uint8_t *done; /* [n_cell] */
    uint64_t n_done, n_failed, n_ran;
    FILE *csv;
    struct status_line line;
    uint64_t start_ns;
};

/* Command line ---------------------------------------------------------------------------------------------------- */

static int take_axis(void *context, const char *value)
{
    struct sweep *const s = context;
    return grid_add(&s->grid, value) ? tool_usage_error("sweep", "%s", error_text()) : 0;
}

static int take_seeds(void *context, const char *value)
{
    struct sweep *const s = context;
    return grid_add_seeds(&s->grid, value) ? tool_usage_error("sweep", "%s", error_text()) : 0;
}

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct sweep *s, int argc, char **argv)
{
    const struct tool_word own[] = {{.name = "--keep", .flag = &s->keep},
                                    {.name = "--list", .flag = &s->list},
                                    {.name = "--quiet", .flag = &s->quiet},
                                    {.name = "--out", .text = &s->out},
                                    {.name = "--vary", .take = take_axis, .context = s},
                                    {.name = "--seeds", .take = take_seeds, .context = s}};
    const struct tool_words words = {.command = "sweep",
                                     .help = help,
                                     .common = &s->common,
                                     .rest = &s->common.path,
                                     .word = own,
                                     .n = sizeof own / sizeof own[0]};
    const int status = tool_words_take(&words, argc, argv);
    if (!status && (!s->common.path || s->grid.n_axis == 0 || (!s->out && !s->list))) {
        return tool_usage_error("sweep", "FILE, --vary or --seeds, and --out DIR are needed");
    }
    return status;
}

/* Cells ----------------------------------------------------------------------------------------------------------- */

/* The overrides of a cell, those of all runs first; caller frees. The last is NULL. */
static char **cell_overrides(const struct sweep *s, uint64_t cell)
{
    const int n = s->common.n_overrides;
    char **const all = calloc((size_t)(n + s->grid.n_axis + 1), sizeof *all);
    for (int i = 0; all && i < n; i++) {
        all[i] = strdup(s->common.overrides[i]);
    }
    for (int a = 0; all && a < s->grid.n_axis; a++) {
        if (asprintf(&all[n + a], "%s=%s", s->grid.axis[a].key, grid_value(&s->grid, cell, a)) < 0) {
            all[n + a] = NULL;
        }
    }
    return all;
}

static void free_texts(char **texts)
{
    for (char **t = texts; t && *t; t++) {
        free(*t);
    }
    free(texts);
}

/* Every cell's configuration is one, before the first run begins. */
static int check_cells(const struct sweep *s)
{
    int status = 0;
    for (uint64_t cell = 0; status == 0 && cell < s->grid.n_cell && !rt_stop_requested(); cell++) {
        struct config *config = NULL;
        char **const overrides = cell_overrides(s, cell);
        status = overrides ? config_load(&config, s->common.path, (const char *const *)overrides,
                                         s->common.n_overrides + s->grid.n_axis)
                           : error_set(TUTTI_ENOMEM, "out of memory for the sweep");
        if (status == 0 && !*config->record.file) {
            status = error_set(TUTTI_ECONFIG, "record.file is empty: a sweep counts what a run recorded");
        }
        config_free(config);
        free_texts(overrides);
    }
    return status;
}

static void write_cell(const struct sweep *s, uint64_t cell, FILE *out)
{
    fprintf(out, "%" PRIu64, cell);
    for (int a = 0; a < s->grid.n_axis; a++) {
        const char *const value = grid_value(&s->grid, cell, a);
        const bool quoted = strpbrk(value, ",\"\n") != NULL;
        fputs(quoted ? ",\"" : ",", out);
        for (const char *c = value; *c; c++) {
            fputs(*c == '"' ? "\"\"" : (const char[]){*c, '\0'}, out);
        }
        fputs(quoted ? "\"" : "", out);
    }
}

static void write_head(const struct sweep *s, FILE *out)
{
    fputs("run", out);
    for (int a = 0; a < s->grid.n_axis; a++) {
        fprintf(out, ",%s", s->grid.axis[a].key);
    }
}

static int list(const struct sweep *s)
{
    write_head(s, stdout);
    for (uint64_t cell = 0; cell < s->grid.n_cell; cell++) {
        putchar('\n');
        write_cell(s, cell, stdout);
    }
    putchar('\n');
    return TOOL_OK;
}

/* The directory --------------------------------------------------------------------------------------------------- */

/* What the sweep is, to the letter: another one is not continued. */
static char *definition(const struct sweep *s)
{
    char *text = NULL;
    size_t n;
    FILE *const out = open_memstream(&text, &n), *const in = out ? fopen(s->common.path, "r") : NULL;
    if (!in) {
        error_set(TUTTI_EIO, "%s: %s", s->common.path, strerror(errno));
        if (out) {
            fclose(out);
        }
        free(text);
        return NULL;
    }
    fprintf(out, "tutti %s\n", TUTTI_VERSION);
    for (int i = 0; i < s->common.n_overrides; i++) {
        fprintf(out, "--set %s\n", s->common.overrides[i]);
    }
    for (int a = 0; a < s->grid.n_axis; a++) {
        fprintf(out, "--vary %s=", s->grid.axis[a].key);
        for (int i = 0; i < s->grid.axis[a].n; i++) {
            fprintf(out, "%s%s", i ? "," : "", s->grid.axis[a].value[i]);
        }
        fputc('\n', out);
    }
    for (int c = fgetc(in); c != EOF; c = fgetc(in)) {
        fputc(c, out);
    }
    fclose(in);
    return fclose(out) == 0 ? text : NULL;
}

/* The definition in the file, or an empty file of a sweep that never began, is this one. Leaves it so. */
static int agree(int fd, const char *path, const char *text)
{
    const size_t n = strlen(text);
    char *const there = calloc(1, n + 2);
    const ssize_t n_there = there ? pread(fd, there, n + 1, 0) : -1;
    const bool same = n_there == (ssize_t)n && memcmp(there, text, n) == 0;
    free(there);
    errno = ENOSPC; /* of what is written in part */
    if (n_there < 0 || (n_there == 0 && pwrite(fd, text, n, 0) != (ssize_t)n)) {
        const int why = errno;
        const int cut = n_there == 0 ? ftruncate(fd, 0) : 0; /* half a definition would be another sweep's for ever */
        return error_set(TUTTI_EIO, "%s: %s%s", path, strerror(why), cut ? "; remove it" : "");
    }
    return same || n_there == 0 ? 0
                                : error_set(TUTTI_EINVAL,
                                            "%s is of another sweep (another network file, settings or version): give "
                                            "another --out",
                                            path);
}

static int open_directory(struct sweep *s)
{
    char path[PATH_MAX];
    char *const text = definition(s);
    snprintf(path, sizeof path, "%s/runs", s->out);
    int status = text ? 0 : TUTTI_EIO;
    status = status ? status : tool_make_folders(path, 0777);
    snprintf(path, sizeof path, "%s/sweep.txt", s->out);
    if (status == 0 && (s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0) {
        status = error_set(TUTTI_EIO, "%s: %s", path, strerror(errno));
    }
    if (status == 0 && flock(s->lock, LOCK_EX | LOCK_NB)) {
        status = error_set(TUTTI_EIO, "%s: another sweep is at work here", s->out);
    }
    status = status ? status : agree(s->lock, path, text);
    free(text);
    return status;
}

/* Rows that are there count as done. The last one may have been cut off: it is done again. */
static int read_rows(struct sweep *s, FILE *csv)
{
    char *line = NULL;
    size_t room = 0;
    long whole = 0;
    for (ssize_t n; (n = getline(&line, &room, csv)) > 0 && line[n - 1] == '\n'; whole = ftell(csv)) {
        char *end;
        const uint64_t cell = strtoull(line, &end, 10);
        if (end != line && *end == ',' && cell < s->grid.n_cell && !s->done[cell]) {
            s->done[cell] = 1;
            s->n_done++;
        }
    }
    free(line);
    return ftruncate(fileno(csv), whole) || fseek(csv, whole, SEEK_SET)
               ? error_set(TUTTI_EIO, "%s/sweep.csv: %s", s->out, strerror(errno))
               : 0;
}

static int open_table(struct sweep *s)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/sweep.csv", s->out);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    s->csv = fd < 0 ? NULL : fdopen(fd, "r+");
    s->done = calloc(s->grid.n_cell, 1);
    if (!s->csv || !s->done) {
        return error_set(TUTTI_EIO, "%s: %s", path, strerror(errno));
    }
    int status = read_rows(s, s->csv);
    if (status == 0 && ftell(s->csv) == 0) {
        write_head(s, s->csv);
        row_head(s->csv);
        if (fflush(s->csv)) {
            status = error_set(TUTTI_EIO, "%s: %s", path, strerror(errno));
            if (ftruncate(fd, 0)) {
                error_set(TUTTI_EIO, "%s: %s; remove it", path, strerror(errno));
            }
        }
    }
    return status;
}

/* One run --------------------------------------------------------------------------------------------------------- */

/* Between fork and exec; what the run says goes to its log. */
static void become_run(const char *log, char **argv, pid_t parent)
{
    const int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 || getppid() != parent) {
        _exit(127);
    }
    execv("/proc/self/exe", argv);
    _exit(127);
}

/* Exit status of the run, -1 when it could not be started; a stop request is passed on. */
static int wait_for(pid_t pid)
{
    int status = -1;
    const int fd = pidfd_open(pid, 0);
    struct pollfd watch[] = {{.fd = fd, .events = POLLIN}, {.fd = rt_stop_fd(), .events = POLLIN}};
    while (fd >= 0 && poll(watch, 2, -1) < 0 && errno == EINTR) {
    }
    if (rt_stop_requested()) {
        kill(pid, SIGTERM);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

static int start_run(const struct sweep *s, uint64_t cell, const char *folder, const char *log)
{
    char **const overrides = cell_overrides(s, cell);
    const int n = s->common.n_overrides + s->grid.n_axis;
    const char **const argv = calloc((size_t)(2 * n + 9), sizeof *argv);
    int status = -1, at = 0;
    if (overrides && argv) {
        argv[at++] = "tutti", argv[at++] = "run", argv[at++] = "--config", argv[at++] = s->common.path;
        argv[at++] = "--out", argv[at++] = folder, argv[at++] = "--force", argv[at++] = "--no-report";
        for (int i = 0; i < n; i++) {
            argv[at++] = "--set", argv[at++] = overrides[i];
        }
        const pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            become_run(log, (char **)(uintptr_t)argv, parent);
        }
        status = pid > 0 ? wait_for(pid) : -1;
    }
    free(argv);
    free_texts(overrides);
    return status;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static void remove_run(const char *folder, const char *log)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    unlink(log);
}

/* Whole, or not at all: what a full disk took of it is taken off again, lest the next row is written behind it. */
static int append_row(struct sweep *s, const char *text, size_t n)
{
    const int fd = fileno(s->csv);
    const off_t end = lseek(fd, 0, SEEK_END);
    errno = ENOSPC;
    if (end < 0 || write(fd, text, n) != (ssize_t)n) {
        const int why = errno;
        const bool cut = end >= 0 && ftruncate(fd, end) == 0;
        return error_set(TUTTI_EIO, "%s/sweep.csv: %s%s", s->out, strerror(why),
                         cut ? "" : "; its last row is cut off");
    }
    return 0;
}

/* The row goes to the table last: who is killed before that does the run again and leaves nothing behind. */
static int count_run(struct sweep *s, uint64_t cell, const char *folder, const char *log)
{
    char record[PATH_MAX + 16], *text = NULL;
    size_t n;
    snprintf(record, sizeof record, "%s/run.h5", folder);
    FILE *const row = open_memstream(&text, &n);
    if (!row) {
        return error_set(TUTTI_ENOMEM, "out of memory for a row");
    }
    write_cell(s, cell, row);
    int status = row_write(record, row);
    if (status == 0 && !s->keep) {
        remove_run(folder, log);
    }
    if (fclose(row) == 0 && status == 0) {
        status = append_row(s, text, n);
    }
    free(text);
    return status;
}

/* A failed run has no row; its directory stays, and the next time it is done again. */
static void run_cell(struct sweep *s, uint64_t cell)
{
    char folder[PATH_MAX], log[PATH_MAX + 8];
    snprintf(folder, sizeof folder, "%s/runs/%06" PRIu64, s->out, cell);
    snprintf(log, sizeof log, "%s.log", folder);
    const int exit_status = start_run(s, cell, folder, log);
    if (rt_stop_requested()) {
        return;
    }
    s->n_ran++;
    if (exit_status == 0 && count_run(s, cell, folder, log) == 0) {
        s->done[cell] = 1;
        s->n_done++;
        return;
    }
    s->n_failed++;
    status_line_clear(&s->line);
    fprintf(stderr, "tutti sweep: run %" PRIu64 " failed%s%s; see %s\n", cell, exit_status == 0 ? ": " : "",
            exit_status == 0 ? error_text() : "", log);
}

static void show(struct sweep *s, uint64_t cell)
{
    char cells[STATUS_LINE_CELLS + 1], text[STATUS_LINE_ROOM], left[48] = "";
    if (!status_line_due(&s->line)) {
        return;
    }
    status_line_cells(cells, s->n_done, s->grid.n_cell);
    if (s->n_ran > 0) {
        const double each_s = (double)(clock_mono_ns() - s->start_ns) * 1e-9 / (double)s->n_ran;
        snprintf(left, sizeof left, "  %.0f s left", each_s * (double)(s->grid.n_cell - s->n_done));
    }
    int n = snprintf(text, sizeof text, "[%s] %" PRIu64 " of %" PRIu64 "%s ", cells, s->n_done, s->grid.n_cell, left);
    for (int a = 0; a < s->grid.n_axis && n < STATUS_LINE_ROOM; a++) {
        n += snprintf(text + n, (size_t)(STATUS_LINE_ROOM - n), " %s=%s", s->grid.axis[a].key,
                      grid_value(&s->grid, cell, a));
    }
    status_line_show(&s->line, text);
}

static int sweep(struct sweep *s)
{
    int status = rt_stop_install();
    status = status ? status : check_cells(s);
    status = status ? status : open_directory(s);
    status = status ? status : open_table(s);
    if (status) {
        return tool_fault("sweep");
    }
    status_line_begin(&s->line, s->quiet);
    s->start_ns = clock_mono_ns();
    for (uint64_t cell = 0; cell < s->grid.n_cell && !rt_stop_requested(); cell++) {
        if (!s->done[cell]) {
            show(s, cell);
            run_cell(s, cell);
        }
    }
    status_line_clear(&s->line);
    if (s->n_done < s->grid.n_cell) {
        fprintf(stderr, "tutti sweep: %" PRIu64 " of %" PRIu64 " runs are done; the same command goes on\n", s->n_done,
                s->grid.n_cell);
        return TOOL_FAILED;
    }
    printf("%s/sweep.csv\n", s->out);
    return TOOL_OK;
}

int tool_sweep(int argc, char **argv)
{
    struct sweep s = {.lock = -1};
    grid_init(&s.grid);
    int status = parse(&s, argc, argv);
    if (status == 0) {
        status = s.list ? list(&s) : sweep(&s);
    } else {
        status = status == 1 ? TOOL_OK : status;
    }
    if (s.csv && fclose(s.csv) && status == TOOL_OK) {
        fprintf(stderr, "tutti sweep: %s/sweep.csv: %s\n", s.out, strerror(errno));
        status = TOOL_FAILED;
    }
    if (s.lock >= 0) {
        close(s.lock);
    }
    free(s.done);
    grid_free(&s.grid);
    config_options_free(&s.common);
    return status;
}
