/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/push.h"

#include "base/error.h"
#include "fronthaul/encoding.h"
#include "mimo/precoder.h"

#include <stdlib.h>

_Static_assert((int)STREAM_DATA == (int)WIRE_STREAM_DATA && (int)STREAM_AN == (int)WIRE_STREAM_AN &&
                   (int)STREAM_SENSING == (int)WIRE_STREAM_SENSING &&
                   (int)STREAM_CALIBRATION == (int)WIRE_STREAM_CALIBRATION,
               "the same kinds in a stream set and on the wire");
_Static_assert((int)STREAM_VECTORS == (int)WIRE_SOURCE_VECTORS && (int)STREAM_LOCAL == (int)WIRE_SOURCE_LOCAL &&
                   (int)STREAM_PHASES == (int)WIRE_SOURCE_PHASES,
               "the same sources in a stream set and on the wire");

struct push {
    struct push_settings settings;
    float power_mean, power_peak;
    tutti_cf32 *coefficients;   /* [n_sb][n_ant][n_stream] of one AP */
    float *power;               /* [n_stream] */
    struct wire_stream *stream; /* [n_stream] */
    int *kept;                  /* [n_stream] which of the block's this AP gets */
    uint8_t *message;
    size_t message_bytes;
};

void push_power_limits(const struct config_precoding *p, float *mean, float *peak)
{
    enum mimo_scheme rung = p->scheme; /* or any below it, when time is short */
    bool on_average = p->local || mimo_holds_mean(rung, p->power);
    while (mimo_scheme_below(rung) != rung) {
        rung = mimo_scheme_below(rung);
        on_average = on_average || mimo_holds_mean(rung, mimo_power_on_rung(p->scheme, rung, p->power));
    }
    *mean = 1;
    *peak = on_average ? (float)MIMO_PEAK_RATIO : 1;
}

int push_create(struct push **push, const struct push_settings *settings)
{
    struct push *p = *push = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "out of memory for the precoder messages");
    }
    const struct block_shape *s = &settings->shape;
    const size_t n_stream = (size_t)s->n_ue + (size_t)s->n_extra;
    struct wire_header largest = {
        .n_sb = (uint16_t)s->n_sb, .n_ant = (uint16_t)s->n_ant, .n_stream = (uint16_t)n_stream};
    encoding_of_network(&largest, settings->config, WIRE_PRECODER);
    p->settings = *settings;
    push_power_limits(&settings->config->precoding, &p->power_mean, &p->power_peak);
    p->message_bytes = wire_precoder_bytes(&largest);
    p->message = malloc(p->message_bytes + 1);
    p->coefficients = calloc((size_t)s->n_sb * (size_t)s->n_ant * n_stream + 1, sizeof *p->coefficients);
    p->power = calloc(n_stream + 1, sizeof *p->power);
    p->stream = calloc(n_stream + 1, sizeof *p->stream);
    p->kept = calloc(n_stream + 1, sizeof *p->kept);
    if (!p->message || !p->coefficients || !p->power || !p->stream || !p->kept) {
        return error_set(TUTTI_ENOMEM, "out of memory for the precoder messages");
    }
    return p->message_bytes > 0 ? TUTTI_OK
                                : error_set(TUTTI_EINVAL,
                                            "a precoder message cannot have %d subbands, %d antennas and "
                                            "%zu streams",
                                            s->n_sb, s->n_ant, n_stream);
}

void push_destroy(struct push *p)
{
    if (!p) {
        return;
    }
    free(p->coefficients);
    free(p->power);
    free(p->stream);
    free(p->kept);
    free(p->message);
    free(p);
}

/* With clusters an AP gets the streams of the users that it serves; at least one, whose vectors are then zero: a
 * message without streams is none. Returns how many. */
static int choose_streams(struct push *p, const struct cpu_block *block, int ap)
{
    const struct stream_set *const set = block->streams;
    const uint8_t *const serves = block->serves ? block->serves + (size_t)ap * (size_t)block->shape.n_ue : NULL;
    int n = 0;
    for (int s = 0; s < set->n_stream; s++) {
        if (!serves || set->stream[s].kind != STREAM_DATA || serves[set->stream[s].user]) {
            p->kept[n++] = s;
        }
    }
    if (n == 0 && set->n_stream > 0) {
        p->kept[n++] = 0;
    }
    return n;
}

/* Columns and powers of the others go. */
static void drop_streams(struct push *p, int n_stream, int n_kept)
{
    const size_t rows = (size_t)p->settings.shape.n_sb * (size_t)p->settings.shape.n_ant;
    for (size_t row = 0; row < rows && n_kept < n_stream; row++) {
        for (int i = 0; i < n_kept; i++) {
            p->coefficients[row * (size_t)n_kept + (size_t)i] =
                p->coefficients[row * (size_t)n_stream + (size_t)p->kept[i]];
        }
    }
    for (int i = 0; i < n_kept; i++) {
        p->power[i] = p->power[p->kept[i]];
    }
}

static struct wire_precoder_meta describe(struct push *p, const struct stream_set *set, int n_kept,
                                          uint64_t account_ack)
{
    const struct config *c = p->settings.config;
    for (int i = 0; i < n_kept; i++) {
        const struct stream *const s = &set->stream[p->kept[i]];
        p->stream[i] = (struct wire_stream){
            .kind = (uint8_t)s->kind, .source = (uint8_t)s->source, .user = (uint16_t)s->user, .power = p->power[i]};
    }
    return (struct wire_precoder_meta){
        .local_scheme = (uint8_t)c->precoding.scheme,
        .upsilon = (float)c->precoding.upsilon,
        .power_mean = p->power_mean,
        .power_peak = p->power_peak,
        .stale_blocks = (uint32_t)c->engine.stale_blocks,
        .mute_blocks = (uint32_t)c->engine.mute_blocks,
        .account_ack = account_ack,
        .noise_key = p->settings.noise_key,
        .stream = p->stream,
    };
}

size_t push_pack(struct push *p, const struct cpu_block *block, int ap, uint64_t account_ack, uint64_t now_wall_ns,
                 const uint8_t **message)
{
    const struct block_shape *shape = &p->settings.shape;
    const uint64_t from = block->number + (uint64_t)p->settings.lag_blocks;
    stream_set_slice(block->streams, ap, p->coefficients, p->power);
    const int n_kept = choose_streams(p, block, ap);
    drop_streams(p, block->streams->n_stream, n_kept);
    const struct wire_precoder_meta meta = describe(p, block->streams, n_kept, account_ack);
    struct wire_header header = {
        .type = WIRE_PRECODER,
        .node = (uint16_t)ap,
        .session = block->session,
        .block = block->number,
        .tick = block->tick,
        .send_time_ns = now_wall_ns,
        .valid_from_block = from,
        .valid_until_block = from + (uint64_t)p->settings.config->engine.stale_blocks,
        .n_sb = (uint16_t)shape->n_sb,
        .n_ant = (uint16_t)shape->n_ant,
        .n_stream = (uint16_t)n_kept,
    };
    encoding_of_network(&header, p->settings.config, WIRE_PRECODER);
    *message = p->message;
    return wire_pack_precoder(p->message, p->message_bytes, &header, &meta, p->coefficients);
}
