/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/uplink/decoders.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "node/thread.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct decoder {
    struct uplink_decoders *all;
    struct node_thread thread;
    int wake;
    upstream_t *upstream;
};

struct uplink_decoders {
    const struct config *config;
    const struct frame *frame;
    int n_ue, n_decoder;
    struct decoder *decoder;        /* [n_decoder]; the first is the caller's */
    struct upstream_memory *memory; /* [n_ue] */
    double *offset_rad;             /* [n_ue] memory's, for who combines */
    tutti_cf32 *symbols;            /* [n_ue][n_ul][n_sc] */
    double *sinr;                   /* [n_ue][n_sb] */
    int done;
    _Atomic int next, n_working;
    _Atomic bool stop;
    /* of the block */
    uint64_t block;
    struct uplink_source source;
    const uint8_t *user_here;
    struct uplink_user *users;
};

int uplink_decoders_create(uplink_decoders_t **decoders, const struct config *config, const struct frame *frame)
{
    struct uplink_decoders *d = *decoders = calloc(1, sizeof *d);
    if (!d) {
        return error_set(TUTTI_ENOMEM, "out of memory for decoding");
    }
    const size_t n_ue = (size_t)config->network.n_ue;
    d->config = config;
    d->frame = frame;
    d->n_ue = config->network.n_ue;
    d->done = -1;
    d->decoder = calloc((size_t)config->uplink.n_workers, sizeof *d->decoder);
    d->memory = calloc(n_ue, sizeof *d->memory);
    d->offset_rad = calloc(n_ue, sizeof *d->offset_rad);
    d->symbols = calloc(n_ue * (size_t)frame->n_ul * (size_t)frame->n_sc, sizeof *d->symbols);
    d->sinr = calloc(n_ue * (size_t)frame->n_sb, sizeof *d->sinr);
    if (!d->decoder || !d->memory || !d->offset_rad || !d->symbols || !d->sinr) {
        return error_set(TUTTI_ENOMEM, "out of memory for decoding");
    }
    const struct config_payload payload = {config->uplink.modulation, config->payload.max_code_block_bits};
    const struct upstream_settings settings = {
        .payload = &payload, .seed = config->network.seed, .track_phase = config->sync.track_phase};
    int status = TUTTI_OK;
    for (; status >= 0 && d->n_decoder < config->uplink.n_workers; d->n_decoder++) {
        struct decoder *one = &d->decoder[d->n_decoder];
        one->all = d;
        one->wake = rt_event_create();
        status = one->wake < 0 ? TUTTI_EIO : upstream_create(&one->upstream, frame, &settings);
    }
    d->done = rt_event_create();
    return status < 0 || d->done >= 0 ? status : TUTTI_EIO;
}

/* One over the mean over subbands of error over signal. */
static double mean_sinr(const double *sinr, int n_sb)
{
    double error = 0;
    for (int sb = 0; sb < n_sb; sb++) {
        error += sinr[sb] > 0 ? 1 / sinr[sb] : 1e30;
    }
    return n_sb / error;
}

static void decode(struct decoder *one, int k)
{
    struct uplink_decoders *d = one->all;
    const struct frame *f = d->frame;
    tutti_cf32 *const symbols = d->symbols + (size_t)k * (size_t)f->n_ul * (size_t)f->n_sc;
    double *const sinr = d->sinr + (size_t)k * (size_t)f->n_sb;
    struct uplink_user *const user = &d->users[k];
    const uint64_t start_ns = clock_mono_ns();
    d->source.apply(d->source.of, k, symbols, sinr);
    const uint64_t combined_ns = clock_mono_ns();
    user->sinr_predicted = mean_sinr(sinr, f->n_sb);
    upstream_execute(one->upstream, k, d->block, symbols, sinr, &d->memory[k], &user->figures);
    d->offset_rad[k] = d->memory[k].offset_rad;
    user->combine_ns = combined_ns - start_ns;
    user->decode_ns = clock_mono_ns() - combined_ns;
}

static void decode_share(struct decoder *one)
{
    struct uplink_decoders *d = one->all;
    for (int k; (k = atomic_fetch_add(&d->next, 1)) < d->n_ue;) {
        if (d->user_here[k]) {
            decode(one, k);
        }
    }
}

static int body(void *argument)
{
    struct decoder *one = argument;
    struct uplink_decoders *d = one->all;
    while (!atomic_load(&d->stop)) {
        if (!rt_event_wait(one->wake, -1) || atomic_load(&d->stop)) {
            continue;
        }
        decode_share(one);
        if (atomic_fetch_sub(&d->n_working, 1) == 1) {
            rt_event_signal(d->done);
        }
    }
    return TUTTI_OK;
}

int uplink_decoders_start(uplink_decoders_t *d)
{
    int status = TUTTI_OK;
    for (int i = 1; status >= 0 && i < d->n_decoder; i++) {
        struct decoder *one = &d->decoder[i];
        one->thread = (struct node_thread){.name = "uplink-decode",
                                           .duty = NODE_DUTY_BACKGROUND,
                                           .engine = &d->config->engine,
                                           .core = -1,
                                           .body = body,
                                           .argument = one};
        status = node_thread_start(&one->thread);
    }
    return status;
}

void uplink_decoders_destroy(uplink_decoders_t *d)
{
    if (!d) {
        return;
    }
    atomic_store(&d->stop, true);
    for (int i = 0; i < d->n_decoder; i++) {
        struct decoder *one = &d->decoder[i];
        if (one->thread.running) {
            rt_event_signal(one->wake);
            node_thread_join(&one->thread);
        }
        upstream_destroy(one->upstream);
        if (one->wake >= 0) {
            close(one->wake);
        }
    }
    if (d->done >= 0) {
        close(d->done);
    }
    free(d->decoder);
    free(d->memory);
    free(d->offset_rad);
    free(d->symbols);
    free(d->sinr);
    free(d);
}

void uplink_decoders_execute(uplink_decoders_t *d, uint64_t block, const struct uplink_source *source,
                             const uint8_t *user_here, struct uplink_user *users)
{
    d->block = block;
    d->source = *source;
    d->user_here = user_here;
    d->users = users;
    atomic_store(&d->n_working, d->n_decoder);
    atomic_store(&d->next, 0);
    for (int i = 1; i < d->n_decoder; i++) {
        rt_event_signal(d->decoder[i].wake);
    }
    decode_share(&d->decoder[0]);
    if (atomic_fetch_sub(&d->n_working, 1) != 1) {
        while (!rt_event_wait(d->done, -1)) {
            continue;
        }
    }
}

const double *uplink_decoders_offsets(const uplink_decoders_t *d)
{
    return d->offset_rad;
}

const tutti_cf32 *uplink_decoders_symbols(const uplink_decoders_t *d, int user)
{
    return d->symbols + (size_t)user * (size_t)d->frame->n_ul * (size_t)d->frame->n_sc;
}
