/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti inspect: what is in an HDF5 file, or in a recording of samples. */
#include "base/error.h"
#include "base/h5file.h"
#include "tools/contained.h"
#include "tools/file_kind.h"
#include "tools/inspect/dataset_stats.h"
#include "tools/inspect/samples.h"
#include "tools/results/summary.h"
#include "tools/terminal/table.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: tutti inspect FILE\n"
    "\n"
    "FILE.h5: lists every dataset with its type, shape, smallest, median and largest value (complex: of the magnitude) "
    "or the\n"
    "counts of its values, the share of NaN (never written), and every attribute. Of a recorded run: a summary, too.\n"
    "Recordings of samples (.sigmf-collection, .sigmf-meta): lists them, checks metadata, lengths and hashes; exit "
    "status 1\nif something is wrong.\n";

static const char *type_text(enum h5_type type)
{
    static const char *const text[] = {"u8", "i32", "i64", "u64", "f32", "f64", "c64", "text"};
    return text[type];
}

static const char *shape_text(const struct h5_info *info, char *text, size_t n)
{
    size_t used = (size_t)snprintf(text, n, "[");
    for (int d = 0; d < info->rank && used < n; d++) {
        used += (size_t)snprintf(text + used, n - used, "%s%zu", d ? " " : "", info->dims[d]);
    }
    if (used < n) {
        snprintf(text + used, n - used, "]");
    }
    return text;
}

static const char *counts_text(const struct dataset_stats *s, char *text, size_t n)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < s->n_distinct && used < n; i++) {
        used +=
            (size_t)snprintf(text + used, n - used, "%s%" PRId64 ": %" PRIu64, i ? ", " : "", s->value[i], s->count[i]);
    }
    return text;
}

struct listing {
    h5file_t *file;
    table_t *table;
    int status;
};

static void text_row(struct listing *listing, const char *path)
{
    char *text = h5file_read_text(listing->file, path);
    const char *const line = text ? text : "";
    char start[41];
    if (!text) {
        listing->status = tool_fault("inspect");
    }
    const int n = (int)strcspn(line, "\n");
    table_cell(listing->table, "[%zu]", strlen(line));
    for (int i = 0; i < 4; i++) {
        table_cell(listing->table, "%s", "");
    }
    table_cell(listing->table, "%.*s%s", n < 40 ? n : 40, tool_printable(line, start, sizeof start),
               n < 40 && line[n] == '\0' ? "" : " ...");
    free(text);
}

/* A list of texts, such as the events of a run: how many, and the newest. */
static void texts_row(struct listing *listing, const char *path, const struct h5_info *info)
{
    char shape[128], text[161] = "", start[41];
    const uint64_t n_rows = info->dims[0];
    if (n_rows > 0 && h5file_read_texts(listing->file, path, n_rows - 1, 1, sizeof text, text) < 0) {
        listing->status = tool_fault("inspect");
    }
    table_cell(listing->table, "%s", shape_text(info, shape, sizeof shape));
    for (int i = 0; i < 4; i++) {
        table_cell(listing->table, "%s", "");
    }
    table_cell(listing->table, "%s%s%s", n_rows > 0 ? "last: " : "", tool_printable(text, start, sizeof start),
               strlen(text) < sizeof start ? "" : " ...");
}

static void number_row(struct listing *listing, const char *path, const struct h5_info *info)
{
    struct dataset_stats s;
    char shape[128], counts[400] = "";
    if (dataset_stats(listing->file, path, info, &s) < 0) {
        listing->status = tool_fault("inspect");
        memset(&s, 0, sizeof s);
    }
    table_cell(listing->table, "%s", shape_text(info, shape, sizeof shape));
    const bool has_values = s.n > s.n_nan;
    const double shown[] = {s.min, s.median, s.max};
    for (int i = 0; i < 3; i++) {
        if (has_values) {
            table_cell(listing->table, "%s%.6g", i == 1 && s.sampled ? "~" : "", shown[i]);
        } else {
            table_cell(listing->table, "-");
        }
    }
    table_number(listing->table, 1, s.n ? 100.0 * (double)s.n_nan / (double)s.n : NAN);
    table_cell(listing->table, "%s", counts_text(&s, counts, sizeof counts));
}

static void visit_dataset(void *context, const char *path, const struct h5_info *info)
{
    struct listing *listing = context;
    char name[512];
    table_cell(listing->table, "%s", tool_printable(path, name, sizeof name));
    table_cell(listing->table, "%s", type_text(info->type));
    if (info->type == H5_STRING && info->rank == 1) {
        texts_row(listing, path, info);
    } else if (info->type == H5_STRING) {
        text_row(listing, path);
    } else {
        number_row(listing, path, info);
    }
}

static void visit_unreadable(void *context, const char *path, const char *why)
{
    int *n = context;
    char text[2][512];
    printf("%s%s  (%s)\n", (*n)++ ? "" : "\nNot readable here\n", tool_printable(path, text[0], sizeof text[0]),
           tool_printable(why, text[1], sizeof text[1]));
}

static int list_datasets(h5file_t *file)
{
    static const char *const headers[] = {"dataset", "type", "shape", "min", "median", "max", "NaN %", "counts", NULL};
    struct listing listing = {.file = file, .table = table_create(NULL, headers)};
    table_align_left(listing.table, 3);
    const int status = h5file_list(file, visit_dataset, &listing);
    table_print(listing.table, stdout);
    table_destroy(listing.table);
    int n_unreadable = 0;
    if (status < 0 || h5file_list_unreadable(file, visit_unreadable, &n_unreadable) < 0) {
        return tool_fault("inspect");
    }
    return listing.status;
}

static void visit_attribute(void *context, const char *object, const char *name, const char *value)
{
    int *n = context;
    char text[3][512];
    printf("%s%s  %s = %s\n", (*n)++ ? "" : "\nAttributes\n", tool_printable(object, text[0], sizeof text[0]),
           tool_printable(name, text[1], sizeof text[1]), tool_printable(value, text[2], sizeof text[2]));
}

/* Not every HDF5 file is a run: then there is no summary. */
static int summarise(const char *path, h5file_t *file)
{
    struct h5_info info;
    if (h5file_info(file, "/user/bits", &info) < 0 || h5file_info(file, "/hops/capture_end_ns", &info) < 0) {
        return TOOL_OK;
    }
    struct recording *recording = NULL;
    if (recording_load(&recording, path) < 0) {
        return tool_fault("inspect");
    }
    struct summary *summary = summary_create(recording);
    if (summary) {
        char version[64];
        printf("\nA run of %" PRIu64 " blocks, %d access points, %d users, written by tutti %s\n\n", recording->n_block,
               recording->n_ap, recording->n_ue,
               tool_printable(recording->version ? recording->version : "(unknown version)", version, sizeof version));
        summary_print(summary, stdout);
    }
    summary_free(summary);
    recording_free(recording);
    return summary ? TOOL_OK : TOOL_FAILED;
}

static int inspect(void *context)
{
    const char *const path = context;
    h5file_t *file = NULL;
    if (h5file_open(&file, path) < 0) {
        return tool_fault("inspect");
    }
    int status = list_datasets(file);
    int n_attribute = 0;
    if (h5file_list_attributes(file, visit_attribute, &n_attribute) < 0) {
        status = tool_fault("inspect");
    }
    const int summary = summarise(path, file);
    h5file_close(file);
    return status ? status : summary;
}

int tool_inspect(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return TOOL_OK;
    }
    if (argc != 2 || argv[1][0] == '-') {
        return tool_usage_error("inspect", "one file is needed");
    }
    if (samples_is_recording(argv[1])) {
        return samples_inspect(argv[1]);
    }
    if (file_kind_check(argv[1]) < 0) {
        return tool_fault("inspect");
    }
    return contained_run(
        &(struct contained){.command = "inspect", .path = argv[1], .body = inspect, .context = argv[1]});
}
