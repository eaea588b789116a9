/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metadata of one antenna, as text. The global object goes through jansson, which escapes; segments and annotations,
 * of which there may be many, are numbers and fixed words and written directly. */
#include "base/error.h"
#include "hw/sigmf.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static json_t *extensions(void)
{
    return json_pack("[{s:s, s:s, s:b}]", "name", "tutti", "version", "1.0.0", "optional", 1);
}

static int add_core(json_t *g, const struct sigmf_meta *m)
{
    json_t *core = json_pack("{s:s, s:s, s:f, s:i, s:s, s:s, s:s, s:s, s:o}", "core:datatype",
                             m->type == SIGMF_CI16 ? "ci16_le" : "cf32_le", "core:version", SIGMF_VERSION,
                             "core:sample_rate", m->rate_hz, "core:num_channels", 1, "core:recorder",
                             "tutti " TUTTI_VERSION, "core:hw", m->hw, "core:description", m->description,
                             "core:collection", m->collection, "core:extensions", extensions());
    int bad = !core || json_object_update(g, core);
    if (!bad && m->sha512[0]) {
        bad = json_object_set_new(g, "core:sha512", json_string(m->sha512));
    }
    json_decref(core);
    return bad;
}

static int add_ours(json_t *g, const struct sigmf_meta *m)
{
    json_t *ours =
        json_pack("{s:s, s:i, s:i, s:I, s:I, s:i, s:i, s:s, s:f, s:s, s:I}", "tutti:role", m->role, "tutti:node",
                  m->node, "tutti:antenna", m->antenna, "tutti:session", (json_int_t)m->session, "tutti:epoch",
                  (json_int_t)m->epoch, "tutti:samples_per_block", m->samples_per_block, "tutti:samples_per_symbol",
                  m->samples_per_symbol, "tutti:schedule", m->schedule, "tutti:full_scale_dbm", m->full_scale_dbm,
                  "tutti:symbols", m->pilots_only ? "PG" : "all", "tutti:n_samples", (json_int_t)m->n_samples);
    int bad = !ours || json_object_update(g, ours);
    if (!bad && m->type == SIGMF_CI16) {
        bad = json_object_set_new(g, "tutti:step", json_real(m->step));
    }
    json_decref(ours);
    return bad;
}

static int write_global(FILE *file, const struct sigmf_meta *m)
{
    json_t *g = json_object();
    int bad = !g || add_core(g, m) || add_ours(g, m);
    bad = bad || json_dumpf(g, file, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(g);
    return bad;
}

/* 2026-11-28T21:46:48.123456Z, or nothing. */
static void write_datetime(FILE *file, uint64_t wall_ns)
{
    const time_t seconds = (time_t)(wall_ns / 1000000000u);
    struct tm utc;
    char text[32];
    if (wall_ns && gmtime_r(&seconds, &utc) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc)) {
        fprintf(file, ", \"core:datetime\": \"%s.%06uZ\"", text, (unsigned)(wall_ns % 1000000000u / 1000u));
    }
}

static void write_captures(FILE *file, const struct sigmf_meta *m, const struct sigmf_track *t)
{
    for (size_t i = 0; i < t->n_segment; i++) {
        const struct sigmf_segment *s = &t->segment[i];
        fprintf(file, "%s\n  {\"core:sample_start\": %" PRIu64 ", \"core:global_index\": %" PRIu64, i ? "," : "",
                s->start, s->tick);
        fprintf(file, ", \"core:frequency\": %.17g", m->freq_hz);
        write_datetime(file, s->wall_ns);
        fputc('}', file);
    }
}

static void write_history(FILE *file, const struct sigmf_track *t, const struct sigmf_annotation *a)
{
    fprintf(file, "{\"core:sample_start\": %" PRIu64 ", \"core:label\": \"history\", \"tutti:block\": %" PRIu64,
            a->start, a->block);
    fputs(", \"tutti:values\": [", file);
    for (uint64_t i = 0; i < a->n; i++) {
        fprintf(file, "%s%.17g", i ? ", " : "", t->value[a->n_after + i]);
    }
    fputs("]}", file);
}

static void write_annotation(FILE *file, const struct sigmf_annotation *a)
{
    static const char *const labels[SIGMF_N_FAULTS] = {"", "O", "iq_dropped", "restart", "history"};
    fprintf(file, "{\"core:sample_start\": %" PRIu64 ", \"core:sample_count\": %" PRIu64, a->start, a->count);
    if (a->fault == SIGMF_NO_FAULT) {
        if (a->letter) {
            fprintf(file, ", \"core:label\": \"%c\"", a->letter);
        }
        fprintf(file, ", \"tutti:block\": %" PRIu64 "}", a->block);
        return;
    }
    fprintf(file, ", \"core:label\": \"%s\", \"tutti:block\": %" PRIu64 ", \"tutti:tick\": %" PRIu64, labels[a->fault],
            a->block, a->tick);
    fprintf(file, ", \"tutti:n\": %" PRIu64 ", \"tutti:n_after\": %" PRIu64 "}", a->n, a->n_after);
}

static int by_start(const void *a, const void *b)
{
    const struct sigmf_annotation *x = a, *y = b;
    return x->start != y->start ? (x->start > y->start) - (x->start < y->start)
                                : (x->tick > y->tick) - (x->tick < y->tick);
}

/* In the order SigMF wants: by sample_start. */
static void write_annotations(FILE *file, const struct sigmf_track *t)
{
    if (t->n_annotation) {
        qsort(t->annotation, t->n_annotation, sizeof *t->annotation, by_start);
    }
    for (size_t i = 0; i < t->n_annotation; i++) {
        fputs(i ? ",\n  " : "\n  ", file);
        if (t->annotation[i].fault == SIGMF_HISTORY) {
            write_history(file, t, &t->annotation[i]);
        } else {
            write_annotation(file, &t->annotation[i]);
        }
    }
}

static int write_all(FILE *file, const struct sigmf_meta *meta, const struct sigmf_track *track)
{
    fputs("{\"global\": ", file);
    const int bad = write_global(file, meta);
    fputs(",\n\"captures\": [", file);
    write_captures(file, meta, track);
    fputs("],\n\"annotations\": [", file);
    write_annotations(file, track);
    fputs("]}\n", file);
    return bad || ferror(file);
}

int sigmf_meta_write(const char *path, const struct sigmf_meta *meta, const struct sigmf_track *track)
{
    char part[PATH_MAX + 8];
    snprintf(part, sizeof part, "%.*s.part", PATH_MAX, path);
    FILE *file = fopen(part, "we");
    int bad = !file || write_all(file, meta, track);
    bad = (file && fclose(file) == EOF) || bad;
    if (bad || rename(part, path) < 0) {
        const int status = error_set(TUTTI_EIO, "cannot write %s: %s", path, strerror(errno));
        unlink(part);
        return status;
    }
    return TUTTI_OK;
}
