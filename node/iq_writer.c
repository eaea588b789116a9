/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writer's half of a recording. Metadata goes before samples: whenever the process is killed, the tick of every
 * sample that lies in the files is told (with pilots and guards only, of those the metadata counts). */
#include "base/clock.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/rt.h"
#include "node/iq_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The writer looks without being called, so that the slot thread need not call; metadata is written again every second,
 * more rarely when it has grown long. */
enum { LOOK_US = 20000, META_NS = 1000000000, META_SHARE = 20 };

/* Files ------------------------------------------------------------------------------------------------------------ */

static bool pilots_only(const struct node_iq *iq)
{
    return iq->settings.config->record.iq.symbols == CONFIG_IQ_PG;
}

static int fill_meta(const struct node_iq *iq, int antenna, struct sigmf_meta *m)
{
    const struct node_iq_settings *s = &iq->settings;
    const struct config_radio *radio = config_radio_of(s->config, s->role, s->id);
    *m = (struct sigmf_meta){
        .type = s->info.sample_step > 0 ? SIGMF_CI16 : SIGMF_CF32,
        .step = s->info.sample_step,
        .rate_hz = s->info.rate_hz,
        .freq_hz = radio->freq_hz,
        .full_scale_dbm = radio->rx_full_scale_dbm,
        .node = s->id,
        .antenna = antenna,
        .session = s->session,
        .epoch = s->epoch,
        .samples_per_block = s->frame->n_block_samples,
        .samples_per_symbol = s->frame->n_symbol_samples,
        .pilots_only = pilots_only(iq),
        .collection = strdup(iq->name),
        .schedule = strdup(s->config->frame.schedule),
    };
    snprintf(m->role, sizeof m->role, "%s", config_role_name(s->role));
    const int hw = asprintf(&m->hw, "%s %s", radio->backend, config_radio_args(s->config, radio));
    const int text = asprintf(&m->description, "what antenna %d of %s%d received", antenna, m->role, s->id);
    m->hw = hw < 0 ? NULL : m->hw;
    m->description = text < 0 ? NULL : m->description;
    return m->hw && m->description && m->collection && m->schedule
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for the recording of samples");
}

static void path_of(const struct node_iq *iq, int antenna, const char *ending, char path[PATH_MAX])
{
    sigmf_path(path, iq->dir, config_role_name(iq->settings.role), iq->settings.id, antenna, ending);
}

/* The recording that lies there is of the same node in the same network. */
static bool is_same(const struct sigmf_meta *old, const struct sigmf_meta *now)
{
    return old->type == now->type && old->step == now->step && old->rate_hz == now->rate_hz &&
           strcmp(old->role, now->role) == 0 && old->node == now->node && old->antenna == now->antenna &&
           old->epoch == now->epoch && old->samples_per_block == now->samples_per_block &&
           old->samples_per_symbol == now->samples_per_symbol && old->pilots_only == now->pilots_only &&
           strcmp(old->schedule, now->schedule) == 0;
}

/* Samples of an older recording whose ticks are told; the other antennas' track is the same. */
static int look_back(struct node_iq *iq, int antenna, const char *path)
{
    char data[PATH_MAX];
    struct sigmf_meta old = {0};
    struct sigmf_track track = {0};
    struct stat info;
    int status = sigmf_meta_read(&old, &track, path);
    if (status >= 0 && !is_same(&old, &iq->meta[antenna])) {
        status = error_set(TUTTI_EREFUSED,
                           "record.iq.dir: %s holds the recording of another network; choose another folder, or remove "
                           "what lies there",
                           iq->dir);
    }
    path_of(iq, antenna, ".sigmf-data", data);
    if (status >= 0) {
        uint64_t n = stat(data, &info) == 0 ? (uint64_t)info.st_size / sigmf_sample_bytes(old.type) : 0;
        n = old.pilots_only && old.n_samples < n ? old.n_samples : n;
        iq->n_samples = !iq->resumed || n < iq->n_samples ? n : iq->n_samples;
    }
    if (status >= 0 && !iq->resumed) {
        sigmf_track_free(&iq->track);
        iq->track = track;
        track = (struct sigmf_track){0};
    }
    iq->resumed = iq->resumed || status >= 0;
    sigmf_meta_free(&old);
    sigmf_track_free(&track);
    return status;
}

static int open_data(struct node_iq *iq, int antenna)
{
    char path[PATH_MAX];
    path_of(iq, antenna, ".sigmf-data", path);
    const off_t bytes = (off_t)(iq->n_samples * sigmf_sample_bytes(iq->meta[antenna].type));
    iq->fd[antenna] = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_APPEND, 0644);
    if (iq->fd[antenna] < 0 || ftruncate(iq->fd[antenna], bytes) < 0) {
        return error_set(TUTTI_EIO, "record.iq: %s: %s", path, strerror(errno));
    }
    crypto_hash_sha512_init(&iq->hash[antenna]);
    return TUTTI_OK;
}

/* Segments that begin behind the last sample never got any. */
static int go_on(struct node_iq *iq)
{
    struct sigmf_track *t = &iq->track;
    while (t->n_segment && t->segment[t->n_segment - 1].start >= iq->n_samples) {
        t->n_segment--;
    }
    if (t->n_segment) {
        const struct sigmf_segment *last = &t->segment[t->n_segment - 1];
        iq->end_tick = last->tick + (iq->n_samples - last->start);
    }
    iq->first_annotated = t->n_annotation > 0;
    return sigmf_track_annotate(
        t, &(struct sigmf_annotation){
               .start = iq->n_samples, .fault = SIGMF_RESTART, .tick = iq->end_tick, .n = iq->settings.session});
}

int iq_files_open(struct node_iq *iq)
{
    char path[PATH_MAX];
    int status = TUTTI_OK;
    for (int a = 0; status >= 0 && a < iq->n_ant; a++) {
        path_of(iq, a, ".sigmf-meta", path);
        status = a == 0 ? folder_make_for(path) : TUTTI_OK;
        status = status < 0 ? status : fill_meta(iq, a, &iq->meta[a]);
        if (status >= 0 && (access(path, F_OK) == 0 || iq->resumed)) {
            status = look_back(iq, a, path);
        }
    }
    if (status >= 0 && iq->resumed) {
        status = go_on(iq);
    }
    status = status < 0 ? status : iq_write_metas(iq);
    for (int a = 0; status >= 0 && a < iq->n_ant; a++) {
        status = open_data(iq, a);
    }
    return status;
}

void iq_files_close(struct node_iq *iq)
{
    for (int a = 0; iq->fd && a < iq->n_ant; a++) {
        if (iq->fd[a] >= 0) {
            close(iq->fd[a]);
        }
    }
    for (int a = 0; iq->meta && a < iq->n_ant; a++) {
        sigmf_meta_free(&iq->meta[a]);
    }
    sigmf_track_free(&iq->track);
}

int iq_write_metas(struct node_iq *iq)
{
    char path[PATH_MAX];
    const uint64_t start_ns = clock_mono_ns();
    int status = TUTTI_OK;
    for (int a = 0; status >= 0 && a < iq->n_ant; a++) {
        path_of(iq, a, ".sigmf-meta", path);
        iq->meta[a].n_samples = iq->n_samples;
        status = sigmf_meta_write(path, &iq->meta[a], &iq->track);
    }
    status = status < 0 ? status : sigmf_collection_update(iq->dir, iq->name, iq->config_text);
    const uint64_t now_ns = clock_mono_ns(), rest_ns = META_SHARE * (now_ns - start_ns);
    iq->meta_due_ns = now_ns + (rest_ns > META_NS ? rest_ns : META_NS);
    return status;
}

/* Annotations ------------------------------------------------------------------------------------------------------ */

static uint64_t block_of(const struct node_iq *iq, tutti_tick tick)
{
    const tutti_tick epoch = iq->settings.epoch;
    return tick < epoch ? 0 : frame_block_of(iq->settings.frame, epoch, tick);
}

/* Every symbol of a block that is whole in the file. */
static void annotate_block(struct node_iq *iq, uint64_t block)
{
    const struct frame *f = iq->settings.frame;
    const uint64_t n = (uint64_t)f->n_symbol_samples;
    for (int s = 0; s < f->n_symbol; s++) {
        const tutti_tick tick = frame_symbol_tick(f, iq->settings.epoch, block, s);
        uint64_t first, last;
        if (sigmf_track_find(&iq->track, iq->n_samples, tick, &first) &&
            sigmf_track_find(&iq->track, iq->n_samples, tick + n - 1, &last) && last - first == n - 1) {
            sigmf_track_annotate(&iq->track, &(struct sigmf_annotation){
                                                 .start = first, .count = n, .letter = f->letter[s], .block = block});
        }
    }
}

static void annotate_first(struct node_iq *iq)
{
    const struct sigmf_track *t = &iq->track;
    if (iq->first_annotated || !t->n_segment) {
        return;
    }
    const uint64_t block = block_of(iq, t->segment[0].tick);
    if (block_of(iq, iq->end_tick) > block) {
        annotate_block(iq, block);
        iq->first_annotated = true;
    }
}

static int annotate_gap(struct node_iq *iq, const struct iq_piece *piece)
{
    const bool lost = piece->kind == IQ_LOST;
    iq->n_lost += lost ? piece->n_gone : 0;
    iq->iq_dropped += lost ? 0 : piece->n_gone;
    const int status =
        sigmf_track_annotate(&iq->track, &(struct sigmf_annotation){.start = iq->n_samples,
                                                                    .fault = lost ? SIGMF_LOST : SIGMF_DROPPED,
                                                                    .block = block_of(iq, piece->tick),
                                                                    .tick = piece->tick,
                                                                    .n = piece->n_gone,
                                                                    .n_after = piece->n_after});
    return status == TUTTI_EAGAIN ? error_set(TUTTI_EIO, "too many gaps") : status;
}

/* Samples ---------------------------------------------------------------------------------------------------------- */

static int write_bytes(struct node_iq *iq, int antenna, const void *bytes, size_t n)
{
    const char *at = bytes;
    for (size_t left = n; left;) {
        const ssize_t done = write(iq->fd[antenna], at, left);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return error_set(TUTTI_EIO, "antenna %d: %s", antenna, strerror(done < 0 ? errno : ENOSPC));
        }
        at += done;
        left -= (size_t)done;
    }
    crypto_hash_sha512_update(&iq->hash[antenna], bytes, n);
    return TUTTI_OK;
}

/* As the samples came off the wire; what is not one of the wire's numbers is counted. */
static void to_integers(struct node_iq *iq, const tutti_cf32 *samples, int n)
{
    const float *values = (const float *)samples, step = iq->settings.info.sample_step;
    for (int i = 0; i < 2 * n; i++) {
        const float k = fminf(fmaxf(rintf(values[i] / step), INT16_MIN), INT16_MAX);
        iq->integers[i] = (int16_t)k;
        iq->n_inexact += (float)iq->integers[i] * step != values[i];
    }
}

static int write_antenna(struct node_iq *iq, int antenna, const struct iq_piece *piece)
{
    const tutti_cf32 *samples = piece->samples + (size_t)antenna * (size_t)iq->piece_samples;
    const enum sigmf_type type = iq->meta[antenna].type;
    if (type == SIGMF_CI16) {
        to_integers(iq, samples, piece->n);
    }
    return write_bytes(iq, antenna, type == SIGMF_CI16 ? (const void *)iq->integers : samples,
                       (size_t)piece->n * sigmf_sample_bytes(type));
}

/* A new segment is told before its samples are written; with pilots and guards only there are several per block, and
 * the metadata counts the samples it tells instead. */
static int begin_segment(struct node_iq *iq, const struct iq_piece *piece)
{
    if (iq->track.n_segment && piece->tick == iq->end_tick) {
        return TUTTI_OK;
    }
    if (iq->track.n_segment && piece->tick < iq->end_tick) {
        return error_set(TUTTI_EREFUSED, "%s holds later samples than these, up to tick %" PRIu64, iq->dir,
                         iq->end_tick);
    }
    const struct sigmf_segment segment = {iq->n_samples, piece->tick, piece->wall_ns};
    const int status = sigmf_track_add(&iq->track, &segment);
    if (status == TUTTI_EAGAIN) {
        return error_set(TUTTI_EIO, "too many segments; give record.iq.n_blocks");
    }
    return status < 0 || pilots_only(iq) ? status : iq_write_metas(iq);
}

/* What cannot be kept any more is missed by a replay only. */
static int keep_history(struct node_iq *iq, const struct iq_piece *piece)
{
    const double *values = (const double *)(const void *)piece->samples;
    const int status = sigmf_track_history(&iq->track, iq->n_samples, piece->tick, values, piece->n_gone);
    return status == TUTTI_EAGAIN ? TUTTI_OK : status;
}

static int write_piece(struct node_iq *iq, const struct iq_piece *piece)
{
    if (piece->kind == IQ_HISTORY) {
        return keep_history(iq, piece);
    }
    if (piece->kind != IQ_SAMPLES) {
        return annotate_gap(iq, piece);
    }
    int status = begin_segment(iq, piece);
    for (int a = 0; status >= 0 && a < iq->n_ant; a++) {
        status = write_antenna(iq, a, piece);
    }
    if (status >= 0) {
        iq->n_samples += (uint64_t)piece->n;
        iq->end_tick = piece->tick + (tutti_tick)piece->n;
        annotate_first(iq);
    }
    return status;
}

/* The end ---------------------------------------------------------------------------------------------------------- */

static int hash_data(struct node_iq *iq)
{
    char path[PATH_MAX];
    unsigned char digest[crypto_hash_sha512_BYTES];
    int status = TUTTI_OK;
    for (int a = 0; status >= 0 && a < iq->n_ant; a++) {
        crypto_hash_sha512_final(&iq->hash[a], digest);
        sigmf_hash_text(iq->meta[a].sha512, digest);
        if (iq->resumed) {
            path_of(iq, a, ".sigmf-data", path);
            status = sigmf_hash_file(iq->meta[a].sha512, path);
        }
    }
    return status;
}

/* Every antenna's file ends at the same sample. */
static int cut_data(struct node_iq *iq)
{
    for (int a = 0; a < iq->n_ant; a++) {
        if (ftruncate(iq->fd[a], (off_t)(iq->n_samples * sigmf_sample_bytes(iq->meta[a].type))) < 0) {
            return error_set(TUTTI_EIO, "antenna %d: %s", a, strerror(errno));
        }
    }
    iq->resumed = true; /* hashes ran ahead of what was kept */
    return TUTTI_OK;
}

static void finish(struct node_iq *iq, int failed)
{
    static const char *const reasons[] = {"", "complete", "time_changed", "closed", "failed"};
    const int reason = failed < 0 ? IQ_FAILED : atomic_load(&iq->end);
    if (failed < 0) {
        log_write(LOG_WARNING, "iq", "IQ-ENDED the recording of samples ends, the run goes on: %s", error_text());
    }
    annotate_first(iq);
    if (iq->track.n_segment && iq->end_tick > 0) {
        const uint64_t last = block_of(iq, iq->end_tick - 1);
        if (last != block_of(iq, iq->track.segment[0].tick) || !iq->first_annotated) {
            annotate_block(iq, last);
        }
    }
    int status = failed < 0 ? cut_data(iq) : TUTTI_OK;
    status = status < 0 ? status : hash_data(iq);
    status = status < 0 ? status : iq_write_metas(iq);
    if (status < 0) {
        log_write(LOG_WARNING, "iq", "IQ-METADATA not brought to its end: %s", error_text());
    }
    log_write(LOG_INFO, "iq",
              "IQ-RECORDED dir=%s samples=%" PRIu64 " segments=%zu lost=%" PRIu64 " iq_dropped=%" PRIu64
              " inexact=%" PRIu64 " reason=%s",
              iq->dir, iq->n_samples, iq->track.n_segment, iq->n_lost, iq->iq_dropped, iq->n_inexact, reasons[reason]);
}

/* Until the slot thread has ended the recording and the ring is empty; negative: a fault. */
static int write_on(struct node_iq *iq)
{
    for (;;) {
        const bool last = atomic_load(&iq->end) != IQ_GOES_ON; /* before the look into the ring */
        const struct iq_piece *piece = ring_peek(iq->ring, 0);
        int status = piece ? write_piece(iq, piece) : TUTTI_OK;
        if (piece && status >= 0) {
            ring_pop(iq->ring);
        }
        if (piece && atomic_load(&iq->slot_waits)) {
            rt_event_signal(iq->room_event);
        }
        if (status >= 0 && clock_mono_ns() >= iq->meta_due_ns) {
            status = iq_write_metas(iq);
        }
        if (status < 0 || (!piece && last)) {
            return status;
        }
        if (!piece) {
            rt_event_wait(iq->event, LOOK_US);
        }
    }
}

int iq_writer(void *argument)
{
    struct node_iq *iq = argument;
    const int failed = write_on(iq);
    atomic_store(&iq->over, true);
    rt_event_signal(iq->room_event);
    finish(iq, failed);
    return TUTTI_ESTOPPED;
}
