/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti report: one HTML file about a recorded run. */
#include "base/error.h"
#include "tools/contained.h"
#include "tools/file_kind.h"
#include "tools/report/report.h"
#include "tools/tool.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "Usage: tutti report DIR|FILE.h5 [--out report.html]\n"
    "\n"
    "Writes the report of a recorded run as one HTML file that needs nothing else (default: report.html beside the\n"
    "recording). Plots are drawn by gnuplot.\n";

static int find_paths(const char *where, const char *wanted, char record[PATH_MAX], char out[PATH_MAX])
{
    struct stat info;
    const bool directory = stat(where, &info) == 0 && S_ISDIR(info.st_mode);
    int n = snprintf(record, PATH_MAX, directory ? "%s/run.h5" : "%s", where);
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
};

static int report(void *context)
{
    const struct paths *const paths = context;
    struct recording *recording = NULL;
    if (recording_load(&recording, paths->record) < 0) {
        return tool_fault("report");
    }
    bool has_plots = false;
    struct summary *summary = summary_create(recording);
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

int tool_report(int argc, char **argv)
{
    const char *where = NULL, *wanted = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return TOOL_OK;
        }
        if (strcmp(argv[i], "--out") == 0 && i + 1 < argc) {
            wanted = argv[++i];
        } else if (argv[i][0] == '-' || where) {
            return tool_usage_error("report", "unknown argument %s", argv[i]);
        } else {
            where = argv[i];
        }
    }
    struct paths paths;
    if (!where) {
        return tool_usage_error("report", "a run directory or run.h5 is needed");
    }
    if (find_paths(where, wanted, paths.record, paths.out) < 0) {
        return tool_fault("report");
    }
    if (file_kind_check(paths.record) < 0) {
        return tool_fault("report");
    }
    return contained_run(
        &(struct contained){.command = "report", .path = paths.record, .body = report, .context = &paths});
}
