/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti report: one HTML file about a recorded run. */
#include "base/error.h"
#include "tools/contained.h"
#include "tools/file_kind.h"
#include "tools/report/report.h"
#include "tools/results/join.h"
#include "tools/tool.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FILES = 64 };

static const char help[] =
    "Usage: tutti report DIR|FILE.h5... [--out report.html]\n"
    "\n"
    "Writes the report of a recorded run as one HTML file that needs nothing else (default: report.html beside the\n"
    "recording). Plots are drawn by gnuplot. Several files are those of the central nodes of one run, the first\n"
    "with the users' reports (run.cpu0.h5); a directory stands for all that are in it.\n";

static int find_paths(const char *where, const char *wanted, char record[PATH_MAX], char out[PATH_MAX])
{
    struct stat info;
    const bool directory = stat(where, &info) == 0 && S_ISDIR(info.st_mode);
    int n = snprintf(record, PATH_MAX, directory ? "%s/run.h5" : "%s", where);
    if (directory && access(record, F_OK) != 0) { /* of several central nodes, then */
        n = snprintf(record, PATH_MAX, "%s/run.cpu0.h5", where);
        n = access(record, F_OK) == 0 ? n : snprintf(record, PATH_MAX, "%s/run.h5", where);
    }
    const char *const slash = strrchr(record, '/');
    if (wanted) {
        n |= snprintf(out, PATH_MAX, "%s", wanted);
    } else {
        n |= snprintf(out, PATH_MAX, "%.*sreport.html", slash ? (int)(slash - record + 1) : 0, record);
    }
    return n < PATH_MAX ? 0 : error_set(TUTTI_EINVAL, "path too long");
}

struct paths {
    char record[PATH_MAX], out[PATH_MAX];
    int n_file; /* 0: those of the directory */
    const char *file[MOST_FILES];
};

/* Predictions of several central nodes' files together. */
static int join_files(const struct paths *paths, struct recording *recording)
{
    char **files = NULL;
    int n = 0;
    if (paths->n_file == 1) {
        return 0;
    }
    if (paths->n_file > 1) {
        return recording_join(recording, paths->n_file, paths->file);
    }
    int status = recording_files(recording, paths->record, &files, &n);
    status = status == 0 && n > 0 ? recording_join(recording, n, (const char *const *)files) : status;
    recording_files_free(files, n);
    return status;
}

static int report(void *context)
{
    const struct paths *const paths = context;
    struct recording *recording = NULL;
    if (recording_load(&recording, paths->record) < 0) {
        return tool_fault("report");
    }
    bool has_plots = false;
    struct summary *summary = join_files(paths, recording) == 0 ? summary_create(recording) : NULL;
    int status = TOOL_FAILED;
    if (summary && report_write(paths->out, paths->record, recording, summary, &has_plots) == 0) {
        status = TOOL_OK;
        if (!has_plots) {
            fprintf(stderr, "tutti report: no plots: %s (Debian: apt install gnuplot-nox)\n", error_text());
        }
        printf("%s\n", paths->out);
    } else {
        tool_fault("report");
    }
    summary_free(summary);
    recording_free(recording);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* A directory, or files. */
static int take_places(struct paths *paths, const char *wanted)
{
    int status = find_paths(paths->file[0], wanted, paths->record, paths->out);
    if (status == 0 && is_folder(paths->file[0])) {
        paths->n_file = 0;
        return file_kind_check(paths->record);
    }
    for (int i = 0; status == 0 && i < paths->n_file; i++) {
        status = file_kind_check(paths->file[i]);
    }
    return status;
}

int tool_report(int argc, char **argv)
{
    static struct paths paths;
    const char *wanted = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return TOOL_OK;
        }
        if (strcmp(argv[i], "--out") == 0 && i + 1 < argc) {
            wanted = argv[++i];
        } else if (argv[i][0] == '-' || paths.n_file == MOST_FILES ||
                   (paths.n_file > 0 && (is_folder(argv[i]) || is_folder(paths.file[0])))) {
            return tool_usage_error("report", "unknown argument %s", argv[i]);
        } else {
            paths.file[paths.n_file++] = argv[i];
        }
    }
    if (paths.n_file == 0) {
        return tool_usage_error("report", "a run directory or run.h5 is needed");
    }
    if (take_places(&paths, wanted) < 0) {
        return tool_fault("report");
    }
    return contained_run(
        &(struct contained){.command = "report", .path = paths.record, .body = report, .context = &paths});
}
