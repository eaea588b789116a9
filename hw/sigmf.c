/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/sigmf.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SEGMENTS = 1 << 20, MAX_ANNOTATIONS = 1 << 16, MAX_VALUES = 1 << 20 };

size_t sigmf_sample_bytes(enum sigmf_type type)
{
    return type == SIGMF_CI16 ? 2 * sizeof(int16_t) : sizeof(tutti_cf32);
}

void sigmf_path(char path[PATH_MAX], const char *dir, const char *role, int node, int antenna, const char *ending)
{
    snprintf(path, PATH_MAX, "%s/%s%d_ant%d%s", dir, role, node, antenna, ending);
}

/* Room for one more element: the array or NULL. */
static void *grow(void *array, size_t n, size_t *room, size_t bytes)
{
    if (n < *room) {
        return array;
    }
    const size_t more = *room ? 2 * *room : 64;
    void *grown = realloc(array, more * bytes);
    *room = grown ? more : *room;
    return grown;
}

int sigmf_track_add(struct sigmf_track *t, const struct sigmf_segment *segment)
{
    if (t->n_segment == MAX_SEGMENTS) {
        return TUTTI_EAGAIN;
    }
    struct sigmf_segment *grown = grow(t->segment, t->n_segment, &t->segment_room, sizeof *grown);
    if (!grown) {
        return error_set(TUTTI_ENOMEM, "out of memory for the segments of a recording");
    }
    t->segment = grown;
    t->segment[t->n_segment++] = *segment;
    return TUTTI_OK;
}

int sigmf_track_annotate(struct sigmf_track *t, const struct sigmf_annotation *annotation)
{
    if (t->n_annotation == MAX_ANNOTATIONS) {
        return TUTTI_EAGAIN;
    }
    struct sigmf_annotation *grown = grow(t->annotation, t->n_annotation, &t->annotation_room, sizeof *grown);
    if (!grown) {
        return error_set(TUTTI_ENOMEM, "out of memory for the annotations of a recording");
    }
    t->annotation = grown;
    t->annotation[t->n_annotation++] = *annotation;
    return TUTTI_OK;
}

int sigmf_track_history(struct sigmf_track *t, uint64_t start, uint64_t block, const double *values, size_t n)
{
    const struct sigmf_annotation a = {
        .start = start, .fault = SIGMF_HISTORY, .block = block, .n = n, .n_after = t->n_value};
    if (t->n_value + n > MAX_VALUES) {
        return TUTTI_EAGAIN;
    }
    const int status = sigmf_track_annotate(t, &a);
    for (size_t i = 0; status >= 0 && i < n; i++) {
        double *grown = grow(t->value, t->n_value, &t->value_room, sizeof *grown);
        if (!grown) {
            return error_set(TUTTI_ENOMEM, "out of memory for the annotations of a recording");
        }
        t->value = grown;
        t->value[t->n_value++] = values[i];
    }
    return status;
}

void sigmf_track_free(struct sigmf_track *t)
{
    free(t->segment);
    free(t->annotation);
    free(t->value);
    *t = (struct sigmf_track){0};
}

bool sigmf_track_find(const struct sigmf_track *t, uint64_t n_samples, tutti_tick tick, uint64_t *start)
{
    size_t low = 0, high = t->n_segment; /* segments before low begin at or before tick */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (t->segment[middle].tick <= tick) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return false;
    }
    const struct sigmf_segment *s = &t->segment[low - 1];
    *start = s->start + (tick - s->tick);
    return *start < n_samples && (low == t->n_segment || *start < t->segment[low].start);
}

void sigmf_meta_free(struct sigmf_meta *m)
{
    free(m->hw);
    free(m->description);
    free(m->collection);
    free(m->schedule);
    *m = (struct sigmf_meta){0};
}

void sigmf_hash_text(char hash[SIGMF_HASH_ROOM], const unsigned char digest[64])
{
    sodium_bin2hex(hash, SIGMF_HASH_ROOM, digest, crypto_hash_sha512_BYTES);
}

static int hash_all(crypto_hash_sha512_state *state, int fd)
{
    static const size_t room = 1 << 18;
    unsigned char *bytes = malloc(room);
    ssize_t n = bytes ? 1 : -1;
    while (n > 0) {
        n = read(fd, bytes, room);
        if (n > 0) {
            crypto_hash_sha512_update(state, bytes, (unsigned long long)n);
        }
    }
    free(bytes);
    return n < 0 ? -1 : 0;
}

int sigmf_hash_file(char hash[SIGMF_HASH_ROOM], const char *path)
{
    unsigned char digest[crypto_hash_sha512_BYTES];
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const int status = fd < 0 || hash_all(&state, fd) ? error_set(TUTTI_EIO, "%s: %s", path, strerror(errno)) : 0;
    if (fd >= 0) {
        close(fd);
    }
    crypto_hash_sha512_final(&state, digest);
    sigmf_hash_text(hash, digest);
    return status;
}
