/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading metadata of one antenna back, every field checked: what a schema lets pass (a wrong ending of the data type,
 * unknown names of the core) is refused here, too. */
#include "base/error.h"
#include "hw/sigmf.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What is being read, for sentences. */
struct reader {
    const char *path;
    char place[64]; /* "global", "captures[3]" */
    const json_t *object;
};

static const char *const global_names[] = {"author",      "collection", "datatype",       "data_doi",     "dataset",
                                           "description", "extensions", "geolocation",    "hw",           "license",
                                           "meta_doi",    "offset",     "metadata_only",  "num_channels", "recorder",
                                           "sample_rate", "sha512",     "trailing_bytes", "version",      NULL};
static const char *const capture_names[] = {"datetime",     "frequency",    "geolocation", "global_index",
                                            "header_bytes", "sample_start", NULL};
static const char *const annotation_names[] = {"comment", "freq_lower_edge", "freq_upper_edge", "generator",
                                               "label",   "sample_count",    "sample_start",    "uuid",
                                               NULL};

static int fail(const struct reader *r, const char *name, const char *what)
{
    return error_set(TUTTI_EFORMAT, "%s: %s: %s: %s", r->path, r->place, name, what);
}

static bool is_known(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0) {
        names++;
    }
    return *names != NULL;
}

/* Names of the core must be SigMF's; extensions' are anybody's. */
static int check_names(const struct reader *r, const char *const *names)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)r->object, key, value)
    {
        if (strncmp(key, "core:", 5) == 0 && !is_known(key + 5, names)) {
            return fail(r, key, "SigMF " SIGMF_VERSION " has no such field");
        }
    }
    return TUTTI_OK;
}

static int read_count(const struct reader *r, const char *name, bool needed, uint64_t *value)
{
    const json_t *v = json_object_get(r->object, name);
    if (!v && !needed) {
        return TUTTI_OK;
    }
    if (!json_is_integer(v) || json_integer_value(v) < 0) {
        return fail(r, name, v ? "a whole number from 0 on expected" : "missing");
    }
    *value = (uint64_t)json_integer_value(v);
    return TUTTI_OK;
}

static int read_int(const struct reader *r, const char *name, int least, int most, int *value)
{
    uint64_t wide = 0;
    const int status = read_count(r, name, true, &wide);
    if (status >= 0 && (wide < (uint64_t)least || wide > (uint64_t)most)) {
        return fail(r, name, "outside what Tutti knows");
    }
    *value = (int)wide;
    return status;
}

static int read_real(const struct reader *r, const char *name, bool needed, double *value)
{
    const json_t *v = json_object_get(r->object, name);
    if (!v && !needed) {
        return TUTTI_OK;
    }
    if (!json_is_number(v) || !isfinite(json_number_value(v))) {
        return fail(r, name, v ? "a number expected" : "missing");
    }
    *value = json_number_value(v);
    return TUTTI_OK;
}

static int read_text(const struct reader *r, const char *name, bool needed, char **value)
{
    const json_t *v = json_object_get(r->object, name);
    if (!json_is_string(v) && (v || needed)) {
        return fail(r, name, v ? "a text expected" : "missing");
    }
    *value = strdup(v ? json_string_value(v) : "");
    return *value ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for a recording");
}

/* A text that must be one of some; returns its place. */
static int read_word(const struct reader *r, const char *name, const char *const *words, const char *expected)
{
    const char *text = json_string_value(json_object_get(r->object, name));
    for (int i = 0; text && words[i]; i++) {
        if (strcmp(text, words[i]) == 0) {
            return i;
        }
    }
    return fail(r, name, expected);
}

static bool is_hash(const char *text)
{
    return strlen(text) == SIGMF_HASH_ROOM - 1 && strspn(text, "0123456789abcdef") == SIGMF_HASH_ROOM - 1;
}

static int read_hash(const struct reader *r, struct sigmf_meta *m)
{
    const json_t *v = json_object_get(r->object, "core:sha512");
    const char *text = json_string_value(v);
    if (v && (!text || !is_hash(text))) {
        return fail(r, "core:sha512", "128 hexadecimal digits expected");
    }
    snprintf(m->sha512, sizeof m->sha512, "%s", text ? text : "");
    return TUTTI_OK;
}

/* Fields of an extension that is not declared mean nothing. */
static int read_extension(const struct reader *r)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(r->object, "core:extensions"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name && strcmp(name, "tutti") == 0 && json_is_string(json_object_get(entry, "version")) &&
            json_is_boolean(json_object_get(entry, "optional"))) {
            return TUTTI_OK;
        }
    }
    return fail(r, "core:extensions", "tutti with name, version and optional expected");
}

static int read_core(const struct reader *r, struct sigmf_meta *m)
{
    static const char *const types[] = {"cf32_le", "ci16_le", NULL}, *const versions[] = {SIGMF_VERSION, NULL};
    int channels = 0, status = check_names(r, global_names);
    status = status < 0 ? status : read_word(r, "core:version", versions, "\"" SIGMF_VERSION "\" expected");
    status = status < 0 ? status : read_word(r, "core:datatype", types, "cf32_le or ci16_le expected");
    m->type = status == 1 ? SIGMF_CI16 : SIGMF_CF32;
    status = status < 0 ? status : read_real(r, "core:sample_rate", true, &m->rate_hz);
    if (status >= 0 && !(m->rate_hz > 0)) {
        return fail(r, "core:sample_rate", "a positive rate expected");
    }
    status = status < 0 ? status : read_int(r, "core:num_channels", 1, 1, &channels);
    status = status < 0 ? status : read_text(r, "core:hw", false, &m->hw);
    status = status < 0 ? status : read_text(r, "core:description", false, &m->description);
    status = status < 0 ? status : read_text(r, "core:collection", false, &m->collection);
    status = status < 0 ? status : read_extension(r);
    return status < 0 ? status : read_hash(r, m);
}

static int read_ours(const struct reader *r, struct sigmf_meta *m)
{
    static const char *const roles[] = {"ap", "ue", "eve", NULL}, *const symbols[] = {"all", "PG", NULL};
    const int role = read_word(r, "tutti:role", roles, "ap, ue or eve expected");
    int status = role < 0 ? role : read_word(r, "tutti:symbols", symbols, "all or PG expected");
    m->pilots_only = status == 1;
    snprintf(m->role, sizeof m->role, "%s", role < 0 ? "" : roles[role]);
    status = status < 0 ? status : read_int(r, "tutti:node", 0, TUTTI_MAX_AP, &m->node);
    status = status < 0 ? status : read_int(r, "tutti:antenna", 0, TUTTI_MAX_ANT - 1, &m->antenna);
    status = status < 0 ? status : read_count(r, "tutti:session", true, &m->session);
    status = status < 0 ? status : read_count(r, "tutti:epoch", true, &m->epoch);
    status = status < 0 ? status : read_int(r, "tutti:samples_per_block", 1, INT_MAX, &m->samples_per_block);
    status = status < 0 ? status : read_int(r, "tutti:samples_per_symbol", 1, INT_MAX, &m->samples_per_symbol);
    status = status < 0 ? status : read_text(r, "tutti:schedule", true, &m->schedule);
    status = status < 0 ? status : read_real(r, "tutti:full_scale_dbm", true, &m->full_scale_dbm);
    status = status < 0 ? status : read_count(r, "tutti:n_samples", true, &m->n_samples);
    return status < 0 ? status : read_real(r, "tutti:step", m->type == SIGMF_CI16, &m->step);
}

/* core:datetime as Tutti writes it; others are left alone. */
static uint64_t wall_of(const struct reader *r)
{
    const char *text = json_string_value(json_object_get(r->object, "core:datetime"));
    struct tm utc = {0};
    unsigned us = 0;
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;
    if (!rest || sscanf(rest, ".%6uZ", &us) != 1) {
        return 0;
    }
    const time_t seconds = timegm(&utc);
    return seconds > 0 ? (uint64_t)seconds * 1000000000u + (uint64_t)us * 1000u : 0;
}

/* Segments ascend, in the file and in time. */
static int read_capture(const struct reader *r, struct sigmf_meta *m, struct sigmf_track *t)
{
    struct sigmf_segment s = {.wall_ns = wall_of(r)};
    const struct sigmf_segment *last = t->n_segment ? &t->segment[t->n_segment - 1] : NULL;
    int status = check_names(r, capture_names);
    status = status < 0 ? status : read_count(r, "core:sample_start", true, &s.start);
    status = status < 0 ? status : read_count(r, "core:global_index", true, &s.tick);
    status = status < 0 ? status : read_real(r, "core:frequency", false, &m->freq_hz);
    if (status >= 0 && !last && s.start != 0) {
        return fail(r, "core:sample_start", "the first segment must begin at 0");
    }
    if (status >= 0 && last &&
        (s.start <= last->start || s.tick - last->tick < s.start - last->start || s.tick <= last->tick)) {
        return fail(r, "core:sample_start", "segments must not overlap, in the file nor in time");
    }
    status = status < 0 ? status : sigmf_track_add(t, &s);
    return status == TUTTI_EAGAIN ? fail(r, "captures", "too many segments") : status;
}

/* 1: an annotation of a history, taken in; 0: it is none. */
static int read_history(const struct reader *r, struct sigmf_track *t, uint64_t start, uint64_t block)
{
    enum { MOST = 6 * (TUTTI_MAX_UE + 1) };
    double values[MOST];
    const json_t *list = json_object_get(r->object, "tutti:values");
    const size_t n = json_array_size(list);
    if (!list) {
        return 0;
    }
    if (!json_is_array(list) || n > MOST) {
        return fail(r, "tutti:values", "a list of numbers expected");
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_number(v)) {
            return fail(r, "tutti:values", "a list of numbers expected");
        }
        values[i] = json_number_value(v);
    }
    const int status = sigmf_track_history(t, start, block, values, n);
    return status < 0 ? status : 1;
}

static int read_annotation(const struct reader *r, struct sigmf_track *t)
{
    static const char *const labels[] = {"", "O", "iq_dropped", "restart"};
    struct sigmf_annotation a = {0};
    const struct sigmf_annotation *last = t->n_annotation ? &t->annotation[t->n_annotation - 1] : NULL;
    const char *label = json_string_value(json_object_get(r->object, "core:label"));
    int status = check_names(r, annotation_names);
    status = status < 0 ? status : read_count(r, "core:sample_start", true, &a.start);
    status = status < 0 ? status : read_count(r, "core:sample_count", false, &a.count);
    status = status < 0 ? status : read_count(r, "tutti:block", false, &a.block);
    const int history = status < 0 ? status : read_history(r, t, a.start, a.block);
    if (history != 0) {
        return history < 0 ? history : TUTTI_OK;
    }
    for (int i = 1; label && i < SIGMF_HISTORY; i++) {
        a.fault =
            strcmp(label, labels[i]) == 0 && json_object_get(r->object, "tutti:tick") ? (enum sigmf_fault)i : a.fault;
    }
    a.letter = label && label[0] >= 'A' && label[0] <= 'Z' ? label[0] : '\0'; /* others' labels say nothing here */
    status = status < 0 ? status : read_count(r, "tutti:tick", a.fault != SIGMF_NO_FAULT, &a.tick);
    status = status < 0 ? status : read_count(r, "tutti:n", a.fault != SIGMF_NO_FAULT, &a.n);
    status = status < 0 ? status : read_count(r, "tutti:n_after", false, &a.n_after);
    if (status >= 0 && last && a.start < last->start) {
        return fail(r, "core:sample_start", "annotations must be in order");
    }
    status = status < 0 ? status : sigmf_track_annotate(t, &a);
    return status == TUTTI_EAGAIN ? fail(r, "annotations", "too many") : status;
}

static int read_lists(struct reader *r, const json_t *root, struct sigmf_meta *m, struct sigmf_track *t)
{
    static const char *const names[] = {"captures", "annotations"};
    for (int l = 0; l < 2; l++) {
        const json_t *list = json_object_get(root, names[l]);
        if (!json_is_array(list)) {
            snprintf(r->place, sizeof r->place, "file");
            return fail(r, names[l], "a list expected");
        }
        for (size_t i = 0; i < json_array_size(list); i++) {
            snprintf(r->place, sizeof r->place, "%s[%zu]", names[l], i);
            r->object = json_array_get(list, i);
            const int status = l == 0 ? read_capture(r, m, t) : read_annotation(r, t);
            if (status < 0) {
                return status;
            }
        }
    }
    return TUTTI_OK;
}

int sigmf_meta_read(struct sigmf_meta *m, struct sigmf_track *t, const char *path)
{
    *m = (struct sigmf_meta){0};
    *t = (struct sigmf_track){0};
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        return error_set(error.line > 0 ? TUTTI_EFORMAT : TUTTI_EIO, "%s: %s", path, error.text);
    }
    struct reader r = {.path = path, .place = "global", .object = json_object_get(root, "global")};
    int status = json_is_object(r.object) ? TUTTI_OK : fail(&r, "global", "an object expected");
    status = status < 0 ? status : read_core(&r, m);
    status = status < 0 ? status : read_ours(&r, m);
    status = status < 0 ? status : read_lists(&r, root, m, t);
    json_decref(root);
    return status;
}
