/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio that plays a recording (docs/recordings.md): its own node's samples at their ticks, losses as losses. Time
 * waits for the node; what the node sends goes nowhere. The end of the recording is the end of the run. */
#include "base/clock.h"
#include "base/error.h"
#include "hw/radio_ops.h"
#include "hw/sigmf.h"
#include "hw/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_SAMPLES = 1024, MAX_BURSTS = 64, MAX_NOTES = 256 };

/* Samples of from..to-1 never reached the node, or the recording lacks them. */
struct gap {
    tutti_tick from, to;
    uint64_t n_after; /* samples that came with the news: a node may give up what comes with it. Where the node saw no
                       * gap as it received, as few as can be */
};

struct file_radio {
    struct radio_settings settings;
    char *path;             /* of the collection */
    struct sigmf_meta meta; /* of antenna 0 */
    struct sigmf_track track;
    uint64_t n_samples; /* that every antenna's file has */
    int *fd;            /* [n_ant] */
    struct gap *gap;    /* in order of time */
    size_t n_gap, next_gap;
    size_t segment; /* of the track, at or before `next` */
    tutti_tick next, end;
    timeline_t *timeline;
};

/* Open: the collection ------------------------------------------------------------------------------------------- */

static int make_path(struct file_radio *r, const struct radio_settings *s)
{
    const char *args = s->args ? s->args : "";
    if (!*args) {
        return error_set(TUTTI_ECONFIG, "radio backend file: args must name a collection, such as "
                                        "iq/NAME.sigmf-collection");
    }
    const int n =
        *args == '/' || !s->folder ? asprintf(&r->path, "%s", args) : asprintf(&r->path, "%s/%s", s->folder, args);
    r->path = n < 0 ? NULL : r->path;
    return r->path ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for a radio");
}

/* DIR/STREAM.ending beside the collection. */
static void stream_path(const struct file_radio *r, const char *stream, const char *ending, char path[PATH_MAX])
{
    const char *slash = strrchr(r->path, '/');
    snprintf(path, PATH_MAX, "%.*s%s%s", slash ? (int)(slash - r->path) + 1 : 0, r->path, stream, ending);
}

static bool is_ours(const struct file_radio *r, const struct sigmf_meta *m, int antenna)
{
    return strcmp(m->role, r->settings.role) == 0 && m->node == r->settings.id && m->antenna == antenna;
}

/* The data of one antenna; the number of its samples whose ticks are told bounds that of all. */
static int open_data(struct file_radio *r, const char *stream, const struct sigmf_meta *m)
{
    char path[PATH_MAX];
    struct stat info;
    stream_path(r, stream, ".sigmf-data", path);
    r->fd[m->antenna] = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd[m->antenna] < 0 || fstat(r->fd[m->antenna], &info) < 0) {
        return error_set(TUTTI_EDEVICE, "%s: %s", path, strerror(errno));
    }
    uint64_t n = (uint64_t)info.st_size / sigmf_sample_bytes(m->type);
    n = m->pilots_only && m->n_samples < n ? m->n_samples : n;
    r->n_samples = n < r->n_samples ? n : r->n_samples;
    return TUTTI_OK;
}

/* The antennas of a node were written together: one track for all. */
static int keep_antenna(struct file_radio *r, const char *stream, struct sigmf_meta *m, struct sigmf_track *t)
{
    const int antenna = m->antenna;
    if (antenna >= r->settings.n_ant || r->fd[antenna] >= 0) {
        return error_set(TUTTI_ECONFIG, "%s: antenna %d of %s%d %s", r->path, antenna, m->role, m->node,
                         antenna >= r->settings.n_ant ? "is one more than the network has (network.n_ant)" : "twice");
    }
    if (m->rate_hz != r->settings.rate_hz) {
        return error_set(TUTTI_ECONFIG, "%s: %s was recorded at %.17g Hz, frame.sample_rate_hz is %.17g", r->path,
                         stream, m->rate_hz, r->settings.rate_hz);
    }
    if (r->track.n_segment && (m->type != r->meta.type || t->n_segment != r->track.n_segment)) {
        return error_set(TUTTI_EFORMAT, "%s: the antennas of %s%d do not belong together", r->path, m->role, m->node);
    }
    const int status = open_data(r, stream, m);
    if (!r->track.n_segment) {
        sigmf_meta_free(&r->meta);
        r->meta = *m;
        r->track = *t;
        *m = (struct sigmf_meta){0};
        *t = (struct sigmf_track){0};
    }
    return status;
}

static int look_at(struct file_radio *r, const char *stream)
{
    char path[PATH_MAX];
    struct sigmf_meta m;
    struct sigmf_track t;
    stream_path(r, stream, ".sigmf-meta", path);
    int status = sigmf_meta_read(&m, &t, path);
    if (status >= 0 && is_ours(r, &m, m.antenna)) {
        status = keep_antenna(r, stream, &m, &t);
    }
    sigmf_meta_free(&m);
    sigmf_track_free(&t);
    return status < 0 ? TUTTI_EDEVICE : TUTTI_OK;
}

/* Streams that can be this node's by their name; a collection may be large. */
static int look_at_streams(struct file_radio *r, const json_t *streams)
{
    char ours[32];
    size_t i;
    json_t *stream;
    snprintf(ours, sizeof ours, "%.8s%d_ant", r->settings.role, r->settings.id);
    json_array_foreach(streams, i, stream)
    {
        const char *name = json_string_value(json_object_get(stream, "name"));
        if (!name || strchr(name, '/')) {
            return error_set(TUTTI_EDEVICE, "%s: core:streams[%zu]: a name without folder expected", r->path, i);
        }
        const int status = strncmp(name, ours, strlen(ours)) == 0 ? look_at(r, name) : TUTTI_OK;
        if (status < 0) {
            return status;
        }
    }
    return TUTTI_OK;
}

static int read_collection(struct file_radio *r)
{
    json_error_t error;
    json_t *root = json_load_file(r->path, 0, &error);
    const json_t *streams = json_object_get(json_object_get(root, "collection"), "core:streams");
    int status = !root ? error_set(TUTTI_EDEVICE, "%s: %s", r->path, error.text)
                 : !json_is_array(streams)
                     ? error_set(TUTTI_EDEVICE, "%s: not a SigMF collection (core:streams missing)", r->path)
                     : look_at_streams(r, streams);
    json_decref(root);
    for (int a = 0; status >= 0 && a < r->settings.n_ant; a++) {
        if (r->fd[a] < 0) {
            status = error_set(TUTTI_EDEVICE, "%s: no recording of antenna %d of %s%d in it", r->path, a,
                               r->settings.role, r->settings.id);
        }
    }
    return status;
}

/* Open: the gaps --------------------------------------------------------------------------------------------------- */

static tutti_tick segment_end(const struct file_radio *r, size_t i)
{
    const struct sigmf_segment *s = &r->track.segment[i];
    uint64_t end = i + 1 < r->track.n_segment ? r->track.segment[i + 1].start : r->n_samples;
    end = end < r->n_samples ? end : r->n_samples; /* the files may have been cut */
    return s->tick + (end > s->start ? end - s->start : 0);
}

static void add_gap(struct file_radio *r, tutti_tick from, tutti_tick to, uint64_t n_after)
{
    if (from < to) {
        r->gap[r->n_gap++] = (struct gap){from, to, n_after};
    }
}

/* Where a node that began again began. */
static tutti_tick tick_of_start(const struct file_radio *r, uint64_t start)
{
    for (size_t i = 0; i < r->track.n_segment; i++) {
        if (r->track.segment[i].start >= start) {
            return r->track.segment[i].tick;
        }
    }
    return 0;
}

static const struct sigmf_annotation *loss_at(const struct file_radio *r, tutti_tick tick)
{
    for (size_t i = 0; i < r->track.n_annotation; i++) {
        if (r->track.annotation[i].fault == SIGMF_LOST && r->track.annotation[i].tick == tick) {
            return &r->track.annotation[i];
        }
    }
    return NULL;
}

/* A recording of everything: whatever is between segments is a gap. Of pilots and guards only: what is told is. */
static int find_gaps(struct file_radio *r)
{
    const struct sigmf_track *t = &r->track;
    r->gap = calloc(t->n_segment + t->n_annotation + 1, sizeof *r->gap);
    if (!r->gap) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio");
    }
    for (size_t i = 0; !r->meta.pilots_only && i + 1 < t->n_segment; i++) {
        const tutti_tick from = segment_end(r, i);
        const struct sigmf_annotation *loss = loss_at(r, from);
        add_gap(r, from, t->segment[i + 1].tick, loss ? loss->n_after : 1);
    }
    for (size_t i = 0; r->meta.pilots_only && i < t->n_annotation; i++) {
        const struct sigmf_annotation *a = &t->annotation[i];
        if (a->fault == SIGMF_LOST) {
            add_gap(r, a->tick, a->tick + a->n, a->n_after);
        } else if (a->fault == SIGMF_DROPPED) {
            add_gap(r, a->tick, a->tick + a->n_after, 1);
        } else if (a->fault == SIGMF_RESTART) {
            add_gap(r, a->tick, tick_of_start(r, a->start), 1);
        }
    }
    return TUTTI_OK;
}

static int make_timeline(struct file_radio *r)
{
    const struct timeline_settings settings = {.n_ant = r->settings.n_ant,
                                               .chunk_samples = CHUNK_SAMPLES,
                                               .n_cell = r->settings.n_tx_buffer_samples / CHUNK_SAMPLES + 3,
                                               .n_burst = MAX_BURSTS,
                                               .n_note = MAX_NOTES};
    return timeline_create(&r->timeline, &settings);
}

static int file_open(void **state, const struct radio_settings *s, struct radio_info *info)
{
    struct file_radio *r = *state = calloc(1, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio");
    }
    r->settings = *s;
    r->n_samples = UINT64_MAX;
    r->fd = calloc((size_t)s->n_ant, sizeof *r->fd);
    for (int a = 0; r->fd && a < s->n_ant; a++) {
        r->fd[a] = -1;
    }
    int status = r->fd ? make_path(r, s) : error_set(TUTTI_ENOMEM, "no memory for a radio");
    status = status < 0 ? status : read_collection(r);
    if (status >= 0 && (!r->track.n_segment || !r->n_samples)) {
        status = error_set(TUTTI_EDEVICE, "%s: no samples of %s%d in it", r->path, s->role, s->id);
    }
    status = status < 0 ? status : find_gaps(r);
    status = status < 0 ? status : make_timeline(r);
    *info = (struct radio_info){.rate_hz = s->rate_hz,
                                .tick_multiple = 1,
                                .n_ant = s->n_ant,
                                .repeatable = true,
                                .turnaround_samples = 1,
                                .sample_step = r->meta.type == SIGMF_CI16 ? (float)r->meta.step : 0};
    return status;
}

static void file_stop(void *state)
{
    (void)state;
}

static void file_close(void *state)
{
    struct file_radio *r = state;
    if (!r) {
        return;
    }
    for (int a = 0; r->fd && a < r->settings.n_ant; a++) {
        if (r->fd[a] >= 0) {
            close(r->fd[a]);
        }
    }
    timeline_destroy(r->timeline);
    sigmf_meta_free(&r->meta);
    sigmf_track_free(&r->track);
    free(r->fd);
    free(r->gap);
    free(r->path);
    free(r);
}

static int file_sync(void *state, struct radio_sync *sync)
{
    (void)state;
    *sync = (struct radio_sync){.clock_source = "file", .time_source = "file", .has_lock = true, .locked = true};
    return TUTTI_OK;
}

/* Receive ---------------------------------------------------------------------------------------------------------- */

static int file_start(void *state, tutti_tick at, tutti_tick *first)
{
    struct file_radio *r = state;
    size_t last = r->track.n_segment - 1;
    while (last > 0 && r->track.segment[last].start >= r->n_samples) {
        last--;
    }
    r->end = segment_end(r, last);
    r->next = at > r->track.segment[0].tick ? at : r->track.segment[0].tick;
    r->segment = r->next_gap = 0;
    while (r->next_gap < r->n_gap && r->gap[r->next_gap].from < r->next) {
        r->next = r->gap[r->next_gap].to > r->next ? r->gap[r->next_gap].to : r->next;
        r->next_gap++;
    }
    if (r->next >= r->end) {
        return error_set(TUTTI_EDEVICE, "%s: the recording ends before tick %llu", r->path, (unsigned long long)at);
    }
    timeline_reset(r->timeline, r->next / CHUNK_SAMPLES * CHUNK_SAMPLES);
    *first = r->next;
    return TUTTI_OK;
}

static int read_all(int fd, void *bytes, size_t n, off_t at)
{
    for (char *to = bytes; n > 0;) {
        const ssize_t got = pread(fd, to, n, at);
        if (got <= 0 && errno != EINTR) {
            return TUTTI_EDEVICE;
        }
        to += got > 0 ? got : 0;
        at += got > 0 ? got : 0;
        n -= got > 0 ? (size_t)got : 0;
    }
    return TUTTI_OK;
}

/* Integers are read into the second half of the place of the samples that they become, from the front on. */
static int read_samples(const struct file_radio *r, int antenna, uint64_t start, size_t n, tutti_cf32 *samples)
{
    const size_t bytes = sigmf_sample_bytes(r->meta.type);
    const off_t at = (off_t)(start * bytes);
    if (r->meta.type == SIGMF_CF32) {
        return read_all(r->fd[antenna], samples, n * bytes, at);
    }
    int16_t *integers = (int16_t *)samples + 2 * n;
    const int status = read_all(r->fd[antenna], integers, n * bytes, at);
    const float step = (float)r->meta.step;
    float *values = (float *)samples;
    for (size_t i = 0; i < 2 * n; i++) {
        int16_t k;
        memcpy(&k, integers + i, sizeof k);
        const float value = (float)k * step;
        memcpy(values + i, &value, sizeof value);
    }
    return status;
}

/* Samples of from..to-1: what no segment holds is silent. */
static int fill(struct file_radio *r, tutti_cf32 *const *buffers, tutti_tick from, tutti_tick to)
{
    int status = TUTTI_OK;
    for (int a = 0; a < r->settings.n_ant; a++) {
        memset(buffers[a], 0, (size_t)(to - from) * sizeof **buffers);
    }
    while (r->segment + 1 < r->track.n_segment && segment_end(r, r->segment) <= from) {
        r->segment++;
    }
    for (size_t i = r->segment; i < r->track.n_segment && r->track.segment[i].tick < to; i++) {
        const struct sigmf_segment *s = &r->track.segment[i];
        const tutti_tick begin = s->tick > from ? s->tick : from,
                         stop = segment_end(r, i) < to ? segment_end(r, i) : to;
        for (int a = 0; status >= 0 && begin < stop && a < r->settings.n_ant; a++) {
            status =
                read_samples(r, a, s->start + (begin - s->tick), (size_t)(stop - begin), buffers[a] + (begin - from));
        }
    }
    return status < 0 ? error_set(TUTTI_EDEVICE, "%s: cannot be read", r->path) : TUTTI_OK;
}

static int file_recv(void *state, tutti_cf32 *const *buffers, int n, struct radio_got *got)
{
    struct file_radio *r = state;
    tutti_tick end = r->next + (tutti_tick)n;
    *got = (struct radio_got){0};
    if (r->next_gap < r->n_gap && r->next == r->gap[r->next_gap].from) {
        const struct gap *g = &r->gap[r->next_gap++];
        got->n_lost = g->to - g->from;
        r->next = g->to;
        end = r->next + (g->n_after < (uint64_t)n ? g->n_after : (uint64_t)n);
        timeline_note_add(r->timeline, &(struct radio_note){RADIO_NOTE_OVERFLOW, 0, g->from, -1, got->n_lost});
    }
    const tutti_tick gap = r->next_gap < r->n_gap ? r->gap[r->next_gap].from : r->end;
    end = end > gap ? gap : end;
    end = end > r->end ? r->end : end;
    if (r->next >= end) {
        return TUTTI_ESTOPPED; /* the recording is over */
    }
    const int status = fill(r, buffers, r->next, end);
    got->tick = r->next;
    got->n = (int)(end - r->next);
    got->host_ns = clock_mono_ns();
    r->next = end;
    timeline_settle(r->timeline, end / CHUNK_SAMPLES * CHUNK_SAMPLES, true);
    return status;
}

static bool file_recall(void *state, uint64_t block, double *values, int n)
{
    const struct file_radio *r = state;
    const struct sigmf_track *t = &r->track;
    for (size_t i = 0; i < t->n_annotation; i++) {
        const struct sigmf_annotation *a = &t->annotation[i];
        if (a->fault == SIGMF_HISTORY && a->block == block && a->n == (uint64_t)n) {
            memcpy(values, t->value + a->n_after, (size_t)n * sizeof *values);
            return true;
        }
    }
    return false;
}

/* Transmit --------------------------------------------------------------------------------------------------------- */

static int file_burst(void *state, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag)
{
    struct file_radio *r = state;
    return timeline_burst(r->timeline, buffers, n, at, tag);
}

static int file_note(void *state, struct radio_note *note)
{
    struct file_radio *r = state;
    return timeline_note(r->timeline, note);
}

static uint64_t file_notes_lost(const void *state)
{
    const struct file_radio *r = state;
    return timeline_notes_lost(r->timeline);
}

static uint64_t file_wakeups(const void *state)
{
    (void)state;
    return 0;
}

const struct radio_ops file_radio_ops = {
    .name = "file",
    .open = file_open,
    .sync = file_sync,
    .start = file_start,
    .recv = file_recv,
    .recall = file_recall,
    .burst = file_burst,
    .note = file_note,
    .notes_lost = file_notes_lost,
    .wakeups = file_wakeups,
    .stop = file_stop,
    .close = file_close,
};
