/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Precoders down: the AP's orders, a descriptor per stream, vectors, phases, the key of the noise. */
#include "fronthaul/bytes.h"
#include "fronthaul/coefficients.h"
#include "fronthaul/wire.h"
#include "fronthaul/wire_internal.h"

#include <math.h>
#include <string.h>

/* Offsets in the payload, docs/wire.md. */
enum {
    AT_SCHEME = 0,
    AT_RESERVED = 1,
    AT_UPSILON = 4,
    AT_POWER_MEAN = 8,
    AT_POWER_PEAK = 12,
    AT_STALE = 16,
    AT_MUTE = 20,
    AT_ACK = 24
};

static size_t table_bytes(const struct wire_header *header)
{
    return PRECODER_FIXED_BYTES + (size_t)STREAM_BYTES * header->n_stream;
}

static size_t count_source(const struct wire_precoder_meta *meta, size_t n_stream, enum wire_source source)
{
    size_t n = 0;
    for (size_t s = 0; s < n_stream; s++) {
        n += meta->stream[s].source == source;
    }
    return n;
}

/* The header as if only the streams with vectors were there. */
static struct wire_header vectors_of(const struct wire_header *header, const struct wire_precoder_meta *meta)
{
    struct wire_header h = *header;
    h.n_stream = (uint16_t)count_source(meta, header->n_stream, WIRE_SOURCE_VECTORS);
    return h;
}

static size_t vector_bytes(const struct wire_header *header, const struct wire_precoder_meta *meta)
{
    const struct wire_header h = vectors_of(header, meta);
    return h.n_stream ? coefficients_bytes(&h) : 0;
}

/* Two bytes a phase, and the key if there are phases. */
static size_t phase_bytes(const struct wire_header *header, size_t n_phase)
{
    return 2 * n_phase * header->n_sb * header->n_ant + (n_phase ? WIRE_KEY_BYTES : 0);
}

static size_t body_bytes(const struct wire_header *header, const struct wire_precoder_meta *meta)
{
    return vector_bytes(header, meta) + phase_bytes(header, count_source(meta, header->n_stream, WIRE_SOURCE_PHASES));
}

size_t wire_precoder_bytes(const struct wire_header *header)
{
    const size_t meta = table_bytes(header);
    const size_t vectors = wire_message_bytes(header, WIRE_PRECODER, meta);
    if (vectors == 0) {
        return 0;
    }
    const size_t phases = WIRE_HEADER_BYTES + meta + phase_bytes(header, header->n_stream) - WIRE_KEY_BYTES;
    return (vectors > phases ? vectors : phases) + WIRE_KEY_BYTES;
}

static void put_meta(uint8_t *out, const struct wire_precoder_meta *meta, size_t n_stream)
{
    out[AT_SCHEME] = meta->local_scheme;
    memset(out + AT_RESERVED, 0, 3);
    put_f32(out + AT_UPSILON, meta->upsilon);
    put_f32(out + AT_POWER_MEAN, meta->power_mean);
    put_f32(out + AT_POWER_PEAK, meta->power_peak);
    put_u32(out + AT_STALE, meta->stale_blocks);
    put_u32(out + AT_MUTE, meta->mute_blocks);
    put_u64(out + AT_ACK, meta->account_ack);
    out += PRECODER_FIXED_BYTES;
    for (size_t s = 0; s < n_stream; s++, out += STREAM_BYTES) {
        out[0] = meta->stream[s].kind;
        out[1] = meta->stream[s].source;
        put_u16(out + 2, meta->stream[s].user);
        put_f32(out + 4, meta->stream[s].power);
    }
}

static void put_vectors(uint8_t *out, const struct wire_header *header, const struct wire_precoder_meta *meta,
                        const tutti_cf32 *V)
{
    const struct wire_header h = vectors_of(header, meta);
    if (h.n_stream == header->n_stream) { /* the usual case needs no picking */
        coefficients_pack(out, header, V);
    } else if (h.n_stream) {
        coefficients_pack_vectors(out, &h, V, meta->stream, header->n_stream);
    }
}

static size_t put_phases(uint8_t *out, const struct wire_header *header, const struct wire_precoder_meta *meta,
                         const tutti_cf32 *V)
{
    uint8_t *at = out;
    const size_t n_row = (size_t)header->n_sb * header->n_ant;
    for (size_t s = 0; s < header->n_stream; s++) {
        for (size_t row = 0; meta->stream[s].source == WIRE_SOURCE_PHASES && row < n_row; row++, at += 2) {
            const float turns = cargf(V[row * header->n_stream + s]) * (float)(0.5 / M_PI);
            put_u16(at, (uint16_t)(int32_t)lrintf(turns * 65536.0f));
        }
    }
    return (size_t)(at - out);
}

size_t wire_pack_precoder(uint8_t *out, size_t capacity, const struct wire_header *header,
                          const struct wire_precoder_meta *meta, const tutti_cf32 *coefficients)
{
    if (wire_precoder_bytes(header) == 0 || header->node >= TUTTI_MAX_AP) {
        return 0;
    }
    const size_t n_bytes = WIRE_HEADER_BYTES + table_bytes(header) + body_bytes(header, meta);
    if (n_bytes > capacity || n_bytes > WIRE_MAX_BYTES) {
        return 0;
    }
    uint8_t *at = out + WIRE_HEADER_BYTES;
    put_meta(at, meta, header->n_stream);
    at += table_bytes(header);
    put_vectors(at, header, meta, coefficients);
    at += vector_bytes(header, meta);
    at += put_phases(at, header, meta, coefficients);
    if (count_source(meta, header->n_stream, WIRE_SOURCE_PHASES)) {
        put_u64(at, meta->noise_key);
    }
    wire_put_header(out, header, WIRE_PRECODER, n_bytes - WIRE_HEADER_BYTES);
    return n_bytes;
}

static bool not_negative(float v)
{
    return finite_f32(v) && v >= 0;
}

static bool source_fits(const struct wire_stream *stream)
{
    switch (stream->source) {
    case WIRE_SOURCE_VECTORS:
        return true;
    case WIRE_SOURCE_LOCAL:
        return stream->kind == WIRE_STREAM_DATA || stream->kind == WIRE_STREAM_AN;
    case WIRE_SOURCE_PHASES:
        return stream->kind == WIRE_STREAM_AN && stream->power > 0;
    default:
        return false;
    }
}

static bool get_stream(struct wire_stream *stream, const uint8_t *in)
{
    *stream = (struct wire_stream){.kind = in[0], .source = in[1], .user = get_u16(in + 2), .power = get_f32(in + 4)};
    return stream->kind <= WIRE_STREAM_CALIBRATION && source_fits(stream) && not_negative(stream->power) &&
           (stream->kind != WIRE_STREAM_DATA || stream->user < TUTTI_MAX_UE);
}

static bool get_meta(struct wire_precoder_meta *meta, const uint8_t *in, size_t n_stream)
{
    meta->local_scheme = in[AT_SCHEME];
    meta->upsilon = get_f32(in + AT_UPSILON);
    meta->power_mean = get_f32(in + AT_POWER_MEAN);
    meta->power_peak = get_f32(in + AT_POWER_PEAK);
    meta->stale_blocks = get_u32(in + AT_STALE);
    meta->mute_blocks = get_u32(in + AT_MUTE);
    meta->account_ack = get_u64(in + AT_ACK);
    meta->noise_key = 0;
    bool good = !in[AT_RESERVED] && !in[AT_RESERVED + 1] && !in[AT_RESERVED + 2] && not_negative(meta->upsilon) &&
                meta->upsilon <= 1 && not_negative(meta->power_mean) && not_negative(meta->power_peak) &&
                meta->power_mean <= meta->power_peak;
    in += PRECODER_FIXED_BYTES;
    for (size_t s = 0; s < n_stream; s++, in += STREAM_BYTES) {
        good = get_stream(&meta->stream[s], in) && good;
    }
    return good;
}

/* Decoded side by side at the end of V, then spread to their columns from the front: what is read always lies at or
 * behind what is written. */
static bool get_vectors(tutti_cf32 *V, const struct wire_header *header, const struct wire_precoder_meta *meta,
                        const uint8_t *in)
{
    const struct wire_header h = vectors_of(header, meta);
    const size_t n_row = (size_t)header->n_sb * header->n_ant, n_stream = header->n_stream;
    if (h.n_stream == n_stream) {
        return coefficients_unpack(V, header, in);
    }
    const tutti_cf32 *from = V + n_row * (n_stream - h.n_stream);
    if (h.n_stream && !coefficients_unpack(V + n_row * (n_stream - h.n_stream), &h, in)) {
        return false;
    }
    for (size_t row = 0; row < n_row; row++) {
        for (size_t s = 0; s < n_stream; s++) {
            V[row * n_stream + s] = meta->stream[s].source == WIRE_SOURCE_VECTORS ? *from++ : 0.0f;
        }
    }
    return true;
}

static void get_phases(tutti_cf32 *V, const struct wire_header *header, const struct wire_precoder_meta *meta,
                       const uint8_t *in)
{
    const size_t n_row = (size_t)header->n_sb * header->n_ant;
    for (size_t s = 0; s < header->n_stream; s++) {
        const float amplitude = sqrtf(meta->stream[s].power / (float)header->n_ant);
        for (size_t row = 0; meta->stream[s].source == WIRE_SOURCE_PHASES && row < n_row; row++, in += 2) {
            const float phase = (float)get_u16(in) * (float)(2.0 * M_PI / 65536.0);
            V[row * header->n_stream + s] = CMPLXF(amplitude * cosf(phase), amplitude * sinf(phase));
        }
    }
}

int wire_unpack_precoder(const uint8_t *data, size_t n_bytes, struct wire_header *header,
                         struct wire_precoder_meta *meta, int n_stream_room, tutti_cf32 *coefficients, size_t room)
{
    const int error = wire_unpack_start(data, n_bytes, header, WIRE_PRECODER, room);
    if (error) {
        return error;
    }
    if (header->n_stream > n_stream_room) {
        return WIRE_BAD_SHAPE;
    }
    const uint8_t *at = data + WIRE_HEADER_BYTES;
    if (!get_meta(meta, at, header->n_stream)) {
        return WIRE_BAD_VALUE;
    }
    if (header->payload_bytes != table_bytes(header) + body_bytes(header, meta)) {
        return WIRE_BAD_SHAPE;
    }
    if (header->encoding == WIRE_NONE && count_source(meta, header->n_stream, WIRE_SOURCE_VECTORS)) {
        return WIRE_BAD_ENCODING;
    }
    at += table_bytes(header);
    if (!get_vectors(coefficients, header, meta, at)) {
        return WIRE_BAD_VALUE;
    }
    get_phases(coefficients, header, meta, at + vector_bytes(header, meta));
    if (count_source(meta, header->n_stream, WIRE_SOURCE_PHASES)) {
        meta->noise_key = get_u64(data + n_bytes - WIRE_KEY_BYTES);
    }
    return WIRE_OK;
}
