/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "keep.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RX, TX, N_WAYS };

struct keep {
    int n_device;
    int16_t *samples;      /* [DEVICE_N_CHANNEL][chunk][2] */
    FILE *(*file)[N_WAYS]; /* [n_device] */
};

static FILE *open_one(const char *folder, const char *way, int device)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%d", folder, way, device);
    return fopen(path, "wb");
}

int keep_create(struct keep **keep, const char *folder, const struct world *w)
{
    struct keep *k = *keep = calloc(1, sizeof *k);
    if (!k) {
        return error_set(TUTTI_ENOMEM, "no memory for what is kept");
    }
    k->n_device = w->n_device;
    k->samples = calloc((size_t)DEVICE_N_CHANNEL * (size_t)w->chunk * 2, sizeof *k->samples);
    k->file = calloc((size_t)w->n_device, sizeof *k->file);
    if (!k->samples || !k->file) {
        return error_set(TUTTI_ENOMEM, "no memory for what is kept");
    }
    for (int d = 0; d < w->n_device; d++) {
        k->file[d][RX] = open_one(folder, "rx", d);
        k->file[d][TX] = open_one(folder, "tx", d);
        if (!k->file[d][RX] || !k->file[d][TX]) {
            return error_set(TUTTI_EIO, "--keep %s: %s", folder, strerror(errno));
        }
    }
    return TUTTI_OK;
}

void keep_destroy(struct keep *k)
{
    for (int i = 0; k && k->file && i < k->n_device * N_WAYS; i++) {
        FILE *file = k->file[i / N_WAYS][i % N_WAYS];
        if (file) {
            fclose(file);
        }
    }
    if (k) {
        free(k->samples);
        free(k->file);
        free(k);
    }
}

static void write_one(struct keep *k, FILE *file, uint64_t tick, const tutti_cf32 *samples, const bool *loud, int chunk)
{
    for (int i = 0; i < DEVICE_N_CHANNEL * chunk; i++) {
        const bool any = !loud || loud[i / chunk];
        k->samples[2 * i] = any ? receive_converted(crealf(samples[i])) : 0;
        k->samples[2 * i + 1] = any ? receive_converted(cimagf(samples[i])) : 0;
    }
    fwrite(&tick, sizeof tick, 1, file);
    fwrite(k->samples, sizeof *k->samples, (size_t)(2 * DEVICE_N_CHANNEL * chunk), file);
}

void keep_chunk(struct keep *k, struct world *w)
{
    for (int d = 0; k && d < w->n_device; d++) {
        const size_t at = (size_t)d * DEVICE_N_CHANNEL, chunk = (size_t)w->chunk;
        const uint64_t tick = device_now(&w->device[d]);
        write_one(k, k->file[d][RX], tick, w->rx + at * chunk, NULL, w->chunk);
        write_one(k, k->file[d][TX], tick, w->tx + at * chunk, w->loud + at, w->chunk);
    }
}
