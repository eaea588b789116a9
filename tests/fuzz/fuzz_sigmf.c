/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metadata of recordings of any bytes: refused with one line that names the file, or accepted, and then segments and
 * annotations are in order, every tick found lies in the file, and what is written again reads the same. */
#include "base/error.h"
#include "fuzz.h"
#include "hw/sigmf.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t n_refused, n_accepted, n_segments, n_annotations;

static void must_be_in_order(const struct sigmf_track *t)
{
    for (size_t i = 0; i < t->n_segment; i++) {
        const struct sigmf_segment *s = &t->segment[i];
        MUST(i > 0 || s->start == 0);
        MUST(i == 0 ||
             (s->start > s[-1].start && s->tick > s[-1].tick && s->tick - s[-1].tick >= s->start - s[-1].start));
    }
    for (size_t i = 1; i < t->n_annotation; i++) {
        MUST(t->annotation[i].fault == SIGMF_HISTORY || t->annotation[i - 1].fault == SIGMF_HISTORY ||
             t->annotation[i].start >= t->annotation[i - 1].start);
    }
    n_segments += t->n_segment;
    n_annotations += t->n_annotation;
}

static void must_be_found(const struct sigmf_meta *m, const struct sigmf_track *t)
{
    for (size_t i = 0; i < t->n_segment; i++) {
        for (int away = -1; away <= 1; away++) {
            uint64_t at = 0;
            if (sigmf_track_find(t, m->n_samples, t->segment[i].tick + (tutti_tick)away, &at)) {
                MUST(at < m->n_samples);
            }
        }
    }
}

static void must_read_back(const struct sigmf_meta *m, const struct sigmf_track *t)
{
    char path[64];
    struct sigmf_meta again;
    struct sigmf_track track;
    snprintf(path, sizeof path, "/dev/shm/tutti-fuzz-%d.sigmf-meta", (int)getpid());
    MUST(sigmf_meta_write(path, m, t) >= 0);
    if (sigmf_meta_read(&again, &track, path) < 0) {
        fprintf(stderr, "not read back: %s\n", error_text());
        abort();
    }
    MUST(again.type == m->type && again.rate_hz == m->rate_hz && again.session == m->session &&
         again.epoch == m->epoch && again.n_samples == m->n_samples && again.node == m->node &&
         again.antenna == m->antenna && strcmp(again.role, m->role) == 0 && strcmp(again.sha512, m->sha512) == 0 &&
         strcmp(again.schedule, m->schedule) == 0 && again.pilots_only == m->pilots_only);
    MUST(track.n_segment == t->n_segment);
    for (size_t i = 0; i < t->n_segment; i++) {
        MUST(track.segment[i].start == t->segment[i].start && track.segment[i].tick == t->segment[i].tick);
    }
    MUST(track.n_annotation == t->n_annotation && track.n_value == t->n_value);
    for (size_t i = 0; i < t->n_annotation; i++) { /* written in order of their places */
        const struct sigmf_annotation *a = &track.annotation[i], *b = &t->annotation[i];
        MUST(a->start == b->start && a->fault == b->fault && a->block == b->block);
        MUST(a->fault != SIGMF_NO_FAULT || (a->count == b->count && a->letter == b->letter));
    }
    sigmf_meta_free(&again);
    sigmf_track_free(&track);
    unlink(path);
}

/* One file in memory for all inputs. */
static const char *write_file(const uint8_t *data, size_t n_bytes)
{
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("ap0_ant0.sigmf-meta", MFD_CLOEXEC);
        MUST(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    MUST(pwrite(fd, data, n_bytes, 0) == (ssize_t)n_bytes && ftruncate(fd, (off_t)n_bytes) == 0);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct sigmf_meta m;
    struct sigmf_track t;
    const char *const path = write_file(data, n_bytes);
    if (sigmf_meta_read(&m, &t, path) < 0) {
        MUST(strstr(error_text(), path) && !strchr(error_text(), '\n'));
        n_refused++;
    } else {
        MUST(m.rate_hz > 0 && isfinite(m.rate_hz) && m.samples_per_block > 0 && m.samples_per_symbol > 0);
        must_be_in_order(&t);
        must_be_found(&m, &t);
        must_read_back(&m, &t);
        n_accepted++;
    }
    sigmf_meta_free(&m);
    sigmf_track_free(&t);
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu refused\n%10llu accepted with %llu segments, %llu annotations\n", (unsigned long long)n_refused,
           (unsigned long long)n_accepted, (unsigned long long)n_segments, (unsigned long long)n_annotations);
    return n_refused == 0 || n_accepted == 0 || n_segments == 0 || n_annotations == 0;
}
