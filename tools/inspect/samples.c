/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/inspect/samples.h"

#include "base/error.h"
#include "hw/sigmf.h"
#include "tools/terminal/table.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COLLECTION ".sigmf-collection"

struct inspection {
    table_t *table;
    int status;
};

static bool ends_with(const char *text, const char *ending)
{
    const size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

bool samples_is_recording(const char *path)
{
    return ends_with(path, ".sigmf-meta") || ends_with(path, ".sigmf-data") || ends_with(path, COLLECTION);
}

static void complain(struct inspection *in)
{
    in->status = tool_fault("inspect");
}

/* One recording ---------------------------------------------------------------------------------------------------- */

/* Samples of the data, which must be as long as the metadata says and have its hash. */
static uint64_t check_data(struct inspection *in, const char *path, const struct sigmf_meta *m,
                           const struct sigmf_track *t)
{
    const size_t bytes = sigmf_sample_bytes(m->type);
    char hash[SIGMF_HASH_ROOM];
    struct stat info;
    if (stat(path, &info) < 0) {
        error_set(TUTTI_EIO, "%s: there is no such file", path);
        complain(in);
        return 0;
    }
    const uint64_t n = (uint64_t)info.st_size / bytes;
    if (m->sha512[0] && ((uint64_t)info.st_size % bytes != 0 || n != m->n_samples)) {
        error_set(TUTTI_EFORMAT, "%s: %" PRIu64 " samples, tutti:n_samples says %" PRIu64, path, n, m->n_samples);
        complain(in);
    } else if (m->sha512[0] && (sigmf_hash_file(hash, path) < 0 || strcmp(hash, m->sha512) != 0)) {
        error_set(TUTTI_EFORMAT, "%s: not the data of its metadata, core:sha512 differs", path);
        complain(in);
    }
    if (t->n_segment && m->sha512[0] && t->segment[t->n_segment - 1].start >= n) {
        error_set(TUTTI_EFORMAT, "%s: ends before its last segment begins", path);
        complain(in);
    }
    return n;
}

static uint64_t sum_of(const struct sigmf_track *t, enum sigmf_fault fault)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->n_annotation; i++) {
        n += t->annotation[i].fault == fault ? t->annotation[i].n : 0;
    }
    return n;
}

static void add_blocks(struct inspection *in, const struct sigmf_meta *m, const struct sigmf_track *t, uint64_t n)
{
    const struct sigmf_segment *last = t->n_segment ? &t->segment[t->n_segment - 1] : NULL;
    if (!last || t->segment[0].tick < m->epoch || n <= last->start) {
        table_cell(in->table, "-");
        return;
    }
    const uint64_t block = (uint64_t)m->samples_per_block, end = last->tick + (n - last->start) - 1 - m->epoch;
    table_cell(in->table, "%" PRIu64 " to %" PRIu64, (t->segment[0].tick - m->epoch) / block, end / block);
}

static void add_row(struct inspection *in, const struct sigmf_meta *m, const struct sigmf_track *t, uint64_t n)
{
    table_cell(in->table, "%s%d", m->role, m->node);
    table_cell(in->table, "%d", m->antenna);
    table_cell(in->table, "%s", m->type == SIGMF_CI16 ? "ci16_le" : "cf32_le");
    table_cell(in->table, "%.10g", m->rate_hz);
    table_cell(in->table, "%s", m->pilots_only ? "PG" : "all");
    table_cell(in->table, "%" PRIu64, n);
    add_blocks(in, m, t, n);
    table_cell(in->table, "%zu", t->n_segment);
    table_cell(in->table, "%" PRIu64, sum_of(t, SIGMF_LOST));
    table_cell(in->table, "%" PRIu64, sum_of(t, SIGMF_DROPPED));
    table_cell(in->table, "%s", m->sha512[0] ? "yes" : "no");
}

/* stem: the path without its ending. */
static void inspect_one(struct inspection *in, const char *stem)
{
    char path[PATH_MAX];
    struct sigmf_meta m;
    struct sigmf_track t;
    snprintf(path, sizeof path, "%s.sigmf-meta", stem);
    if (sigmf_meta_read(&m, &t, path) < 0) {
        complain(in);
    } else {
        snprintf(path, sizeof path, "%s.sigmf-data", stem);
        const uint64_t n = check_data(in, path, &m, &t);
        add_row(in, &m, &t, m.pilots_only && !m.sha512[0] && m.n_samples < n ? m.n_samples : n);
    }
    sigmf_meta_free(&m);
    sigmf_track_free(&t);
}

/* A collection ----------------------------------------------------------------------------------------------------- */

static void check_fields(struct inspection *in, const char *path, json_t *collection)
{
    static const char *const known[] = {"core:author",  "core:collection_doi", "core:description", "core:extensions",
                                        "core:license", "core:streams",        "core:version",     NULL};
    const char *version = json_string_value(json_object_get(collection, "core:version"));
    const char *key;
    json_t *value;
    if (!version || strcmp(version, SIGMF_VERSION) != 0) {
        error_set(TUTTI_EFORMAT, "%s: core:version: \"" SIGMF_VERSION "\" expected", path);
        complain(in);
    }
    json_object_foreach(collection, key, value)
    {
        int i = 0;
        while (known[i] && strcmp(known[i], key) != 0) {
            i++;
        }
        if (strncmp(key, "core:", 5) == 0 && !known[i]) {
            error_set(TUTTI_EFORMAT, "%s: %s: SigMF " SIGMF_VERSION " has no such field", path, key);
            complain(in);
        }
    }
}

static void inspect_stream(struct inspection *in, const char *path, const json_t *stream)
{
    const char *name = json_string_value(json_object_get(stream, "name")), *slash = strrchr(path, '/');
    const char *hash = json_string_value(json_object_get(stream, "hash"));
    char stem[PATH_MAX], meta[PATH_MAX + 16], found[SIGMF_HASH_ROOM];
    if (!name || !hash || strchr(name, '/')) {
        error_set(TUTTI_EFORMAT, "%s: core:streams: name (without folder) and hash expected", path);
        complain(in);
        return;
    }
    snprintf(stem, sizeof stem, "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name);
    snprintf(meta, sizeof meta, "%s.sigmf-meta", stem);
    if (sigmf_hash_file(found, meta) == 0 && strcmp(found, hash) != 0) {
        error_set(TUTTI_EFORMAT, "%s: hash of %s: not that of its metadata", path, name);
        complain(in);
    }
    inspect_one(in, stem);
}

static void inspect_collection(struct inspection *in, const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *stream;
    json_t *collection = json_object_get(root, "collection"), *streams = json_object_get(collection, "core:streams");
    size_t i;
    if (!json_is_array(streams)) {
        error_set(TUTTI_EFORMAT, "%s: %s", path, root ? "no collection with core:streams" : error.text);
        complain(in);
    } else {
        check_fields(in, path, collection);
    }
    json_array_foreach(streams, i, stream)
    {
        inspect_stream(in, path, stream);
    }
    json_decref(root);
}

int samples_inspect(const char *path)
{
    static const char *const headers[] = {"node",   "antenna",  "type", "rate_hz", "symbols", "samples",
                                          "blocks", "segments", "lost", "dropped", "closed",  NULL};
    struct inspection in = {.table = table_create(NULL, headers)};
    char stem[PATH_MAX];
    if (!in.table) {
        error_set(TUTTI_ENOMEM, "out of memory");
        return tool_fault("inspect");
    }
    if (ends_with(path, COLLECTION)) {
        inspect_collection(&in, path);
    } else {
        snprintf(stem, sizeof stem, "%.*s", (int)(strlen(path) - strlen(".sigmf-meta")), path);
        inspect_one(&in, stem);
    }
    table_print(in.table, stdout);
    table_destroy(in.table);
    return in.status;
}
