/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/wire.h"

#include "fronthaul/bytes.h"
#include "fronthaul/coefficients.h"

#include <math.h>
#include <string.h>

/* Offsets in the header and in the fixed part of the payloads, docs/wire.md. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_TYPE = 5,
    AT_ENCODING = 6,
    AT_MANTISSA_BITS = 7,
    AT_NODE = 8,
    AT_N_SB = 10,
    AT_N_ANT = 12,
    AT_N_STREAM = 14,
    AT_SESSION = 16,
    AT_PAYLOAD_BYTES = 20,
    AT_BLOCK = 24,
    AT_TICK = 32,
    AT_SEND_TIME = 40,
    AT_VALID_UNTIL = 48,
    AT_PAYLOAD_CRC = 56,
    AT_HEADER_CRC = 60,
    CSI_FIXED_BYTES = 80,
    CSI_USER_BYTES = 8,
    STREAM_BYTES = 8
};
_Static_assert(AT_HEADER_CRC + 4 == WIRE_HEADER_BYTES, "the header ends with its checksum");

const char *wire_error_text(int error)
{
    static const char *const text[] = {
#define WIRE_ERROR_STRING(name, words) words,
        WIRE_ERROR_MAP(WIRE_ERROR_STRING)
#undef WIRE_ERROR_STRING
    };
    return error >= 0 && error < WIRE_N_ERRORS ? text[error] : "unknown error";
}

static bool shape_possible(const struct wire_header *h)
{
    return h->n_sb >= 1 && h->n_sb <= TUTTI_MAX_SB && h->n_ant >= 1 && h->n_ant <= TUTTI_MAX_ANT && h->n_stream >= 1 &&
           h->n_stream <= TUTTI_MAX_STREAM && h->n_stream <= TUTTI_MAX_UE;
}

/* Bytes before the coefficients. */
static size_t meta_bytes(const struct wire_header *h)
{
    return h->type == WIRE_CSI ? CSI_FIXED_BYTES + (size_t)CSI_USER_BYTES * h->n_stream
                               : (size_t)STREAM_BYTES * h->n_stream;
}

static size_t message_bytes(const struct wire_header *header, enum wire_type type)
{
    struct wire_header h = *header;
    h.type = (uint8_t)type;
    if (!shape_possible(&h)) {
        return 0;
    }
    const size_t coefficients = coefficients_bytes(&h);
    if (coefficients == 0 && (h.encoding != WIRE_NONE || h.mantissa_bits)) {
        return 0;
    }
    return WIRE_HEADER_BYTES + meta_bytes(&h) + coefficients;
}

static size_t count_source(const struct wire_precoder_meta *meta, size_t n_stream, enum wire_source source)
{
    size_t n = 0;
    for (size_t s = 0; s < n_stream; s++) {
        n += meta->stream[s].source == source;
    }
    return n;
}

/* What follows the stream descriptors: vectors of the streams that have them, two bytes a phase, the key if there are
 * phases. */
static size_t precoder_body_bytes(const struct wire_header *header, const struct wire_precoder_meta *meta)
{
    struct wire_header h = *header;
    h.n_stream = (uint16_t)count_source(meta, header->n_stream, WIRE_SOURCE_VECTORS);
    const size_t n_phase = count_source(meta, header->n_stream, WIRE_SOURCE_PHASES);
    return (h.n_stream ? coefficients_bytes(&h) : 0) + 2 * n_phase * h.n_sb * h.n_ant + (n_phase ? WIRE_KEY_BYTES : 0);
}

size_t wire_csi_bytes(const struct wire_header *header)
{
    return message_bytes(header, WIRE_CSI);
}

size_t wire_precoder_bytes(const struct wire_header *header)
{
    return message_bytes(header, WIRE_PRECODER);
}

static void seal_header(uint8_t *out)
{
    put_u32(out + AT_HEADER_CRC, wire_crc32c(0, out, AT_HEADER_CRC));
}

/* The payload is in place: the header around it. */
static void put_header(uint8_t *out, const struct wire_header *h, enum wire_type type, size_t payload_bytes)
{
    put_u32(out + AT_MAGIC, WIRE_MAGIC);
    out[AT_VERSION] = WIRE_VERSION;
    out[AT_TYPE] = (uint8_t)type;
    out[AT_ENCODING] = h->encoding;
    out[AT_MANTISSA_BITS] = h->mantissa_bits;
    put_u16(out + AT_NODE, h->node);
    put_u16(out + AT_N_SB, h->n_sb);
    put_u16(out + AT_N_ANT, h->n_ant);
    put_u16(out + AT_N_STREAM, h->n_stream);
    put_u32(out + AT_SESSION, h->session);
    put_u32(out + AT_PAYLOAD_BYTES, (uint32_t)payload_bytes);
    put_u64(out + AT_BLOCK, h->block);
    put_u64(out + AT_TICK, h->tick);
    put_u64(out + AT_SEND_TIME, h->send_time_ns);
    put_u64(out + AT_VALID_UNTIL, h->valid_until_block);
    put_u32(out + AT_PAYLOAD_CRC, wire_crc32c(0, out + WIRE_HEADER_BYTES, payload_bytes));
    seal_header(out);
}

void wire_stamp_send_time(uint8_t *message, size_t n_bytes, uint64_t send_time_ns)
{
    if (n_bytes >= WIRE_HEADER_BYTES) {
        put_u64(message + AT_SEND_TIME, send_time_ns);
        seal_header(message);
    }
}

static void put_csi_meta(uint8_t *out, const struct wire_csi_meta *meta, size_t n_user)
{
    const struct wire_ap_stamps *previous = &meta->previous;
    put_u64(out, meta->capture_end_ns);
    put_u64(out + 8, previous->block);
    put_u64(out + 16, previous->capture_end_ns);
    put_u64(out + 24, previous->csi_sent_ns);
    put_u64(out + 32, previous->precoder_received_ns);
    put_u64(out + 40, previous->applied_ns);
    out[48] = previous->applied_kind;
    out[49] = previous->arrival;
    put_u16(out + 50, 0);
    for (size_t i = 0; i < 5; i++) {
        put_u32(out + 52 + 4 * i, meta->radio_events[i]);
    }
    put_f32(out + 72, meta->noise_power);
    put_u32(out + 76, 0);
    for (size_t k = 0; k < n_user; k++) {
        put_f32(out + CSI_FIXED_BYTES + 4 * k, meta->beta[k]);
        put_f32(out + CSI_FIXED_BYTES + 4 * (n_user + k), meta->error_variance[k]);
    }
}

static bool not_negative(float v)
{
    return finite_f32(v) && v >= 0;
}

static bool get_csi_meta(struct wire_csi_meta *meta, const uint8_t *in, size_t n_user)
{
    struct wire_ap_stamps *previous = &meta->previous;
    *meta = (struct wire_csi_meta){0};
    meta->capture_end_ns = get_u64(in);
    previous->block = get_u64(in + 8);
    previous->capture_end_ns = get_u64(in + 16);
    previous->csi_sent_ns = get_u64(in + 24);
    previous->precoder_received_ns = get_u64(in + 32);
    previous->applied_ns = get_u64(in + 40);
    previous->applied_kind = in[48];
    previous->arrival = in[49];
    for (size_t i = 0; i < 5; i++) {
        meta->radio_events[i] = get_u32(in + 52 + 4 * i);
    }
    meta->noise_power = get_f32(in + 72);
    bool good = previous->applied_kind <= WIRE_APPLIED_MUTE && previous->arrival <= WIRE_ARRIVAL_LATE &&
                get_u16(in + 50) == 0 && get_u32(in + 76) == 0 && finite_f32(meta->noise_power) &&
                meta->noise_power > 0;
    for (size_t k = 0; k < n_user; k++) {
        meta->beta[k] = get_f32(in + CSI_FIXED_BYTES + 4 * k);
        meta->error_variance[k] = get_f32(in + CSI_FIXED_BYTES + 4 * (n_user + k));
        good = good && not_negative(meta->beta[k]) && not_negative(meta->error_variance[k]);
    }
    return good;
}

static void put_precoder_meta(uint8_t *out, const struct wire_precoder_meta *meta, size_t n_stream)
{
    for (size_t s = 0; s < n_stream; s++, out += STREAM_BYTES) {
        out[0] = meta->stream[s].kind;
        out[1] = meta->stream[s].source;
        put_u16(out + 2, meta->stream[s].user);
        put_f32(out + 4, meta->stream[s].power);
    }
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

static bool get_precoder_meta(struct wire_precoder_meta *meta, const uint8_t *in, size_t n_stream)
{
    bool good = true;
    *meta = (struct wire_precoder_meta){0};
    for (size_t s = 0; s < n_stream; s++, in += STREAM_BYTES) {
        struct wire_stream *stream = &meta->stream[s];
        *stream =
            (struct wire_stream){.kind = in[0], .source = in[1], .user = get_u16(in + 2), .power = get_f32(in + 4)};
        good &= stream->kind <= WIRE_STREAM_CALIBRATION && source_fits(stream) && not_negative(stream->power);
        good &= stream->kind != WIRE_STREAM_DATA || stream->user < TUTTI_MAX_UE;
    }
    return good;
}

size_t wire_pack_csi(uint8_t *out, size_t capacity, const struct wire_header *header, const struct wire_csi_meta *meta,
                     const tutti_cf32 *coefficients)
{
    const size_t n_bytes = wire_csi_bytes(header);
    if (n_bytes == 0 || n_bytes > capacity || header->node >= TUTTI_MAX_AP) {
        return 0;
    }
    uint8_t *payload = out + WIRE_HEADER_BYTES;
    put_csi_meta(payload, meta, header->n_stream);
    if (header->encoding != WIRE_NONE) {
        coefficients_pack(payload + CSI_FIXED_BYTES + (size_t)CSI_USER_BYTES * header->n_stream, header, coefficients);
    }
    put_header(out, header, WIRE_CSI, n_bytes - WIRE_HEADER_BYTES);
    return n_bytes;
}

/* The columns of the streams with vectors, packed subband by subband. */
static size_t put_vectors(uint8_t *out, const struct wire_header *header, const struct wire_precoder_meta *meta,
                          const tutti_cf32 *V)
{
    const size_t n_stream = header->n_stream;
    const size_t n_vector = count_source(meta, n_stream, WIRE_SOURCE_VECTORS);
    struct wire_header one = *header;
    one.n_sb = 1;
    one.n_stream = (uint16_t)n_vector;
    const size_t step = n_vector ? coefficients_bytes(&one) : 0;
    if (step && n_vector == n_stream) { /* the usual case needs no picking */
        coefficients_pack(out, header, V);
        return step * header->n_sb;
    }
    tutti_cf32 rows[TUTTI_MAX_ANT * TUTTI_MAX_STREAM];
    for (size_t sb = 0; step && sb < header->n_sb; sb++) {
        size_t n = 0;
        for (size_t i = 0; i < header->n_ant * n_stream; i++) {
            if (meta->stream[i % n_stream].source == WIRE_SOURCE_VECTORS) {
                rows[n++] = V[sb * header->n_ant * n_stream + i];
            }
        }
        coefficients_pack(out + sb * step, &one, rows);
    }
    return step * header->n_sb;
}

static size_t put_phases(uint8_t *out, const struct wire_header *header, const struct wire_precoder_meta *meta,
                         const tutti_cf32 *V)
{
    uint8_t *at = out;
    for (size_t s = 0; s < header->n_stream; s++) {
        for (size_t row = 0; meta->stream[s].source == WIRE_SOURCE_PHASES && row < (size_t)header->n_sb * header->n_ant;
             row++, at += 2) {
            const float turns = cargf(V[row * header->n_stream + s]) * (float)(0.5 / M_PI);
            put_u16(at, (uint16_t)(int32_t)lrintf(turns * 65536.0f));
        }
    }
    return (size_t)(at - out);
}

size_t wire_pack_precoder(uint8_t *out, size_t capacity, const struct wire_header *header,
                          const struct wire_precoder_meta *meta, const tutti_cf32 *coefficients)
{
    const size_t most = wire_precoder_bytes(header);
    if (most == 0 || header->node >= TUTTI_MAX_AP) {
        return 0;
    }
    const size_t table = (size_t)STREAM_BYTES * header->n_stream;
    const size_t n_bytes = WIRE_HEADER_BYTES + table + precoder_body_bytes(header, meta);
    if (n_bytes > capacity || n_bytes > WIRE_MAX_BYTES) {
        return 0;
    }
    uint8_t *at = out + WIRE_HEADER_BYTES;
    put_precoder_meta(at, meta, header->n_stream);
    at += table;
    at += put_vectors(at, header, meta, coefficients);
    at += put_phases(at, header, meta, coefficients);
    if (count_source(meta, header->n_stream, WIRE_SOURCE_PHASES)) {
        put_u64(at, meta->noise_key);
    }
    put_header(out, header, WIRE_PRECODER, n_bytes - WIRE_HEADER_BYTES);
    return n_bytes;
}

size_t wire_pack_probe(uint8_t *out, size_t capacity, const struct wire_header *header, const uint8_t *payload)
{
    const size_t n_bytes = WIRE_HEADER_BYTES + (size_t)header->payload_bytes;
    const bool probe = header->type == WIRE_PROBE || header->type == WIRE_PROBE_REPLY;
    if (!probe || n_bytes > WIRE_MAX_BYTES || n_bytes > capacity || header->node >= TUTTI_MAX_AP) {
        return 0;
    }
    struct wire_header h = *header;
    h.encoding = h.mantissa_bits = 0;
    h.n_sb = h.n_ant = h.n_stream = 0;
    if (header->payload_bytes) {
        memmove(out + WIRE_HEADER_BYTES, payload, header->payload_bytes);
    }
    put_header(out, &h, header->type, header->payload_bytes);
    return n_bytes;
}

static void get_header(struct wire_header *h, const uint8_t *in)
{
    *h = (struct wire_header){
        .type = in[AT_TYPE],
        .encoding = in[AT_ENCODING],
        .mantissa_bits = in[AT_MANTISSA_BITS],
        .node = get_u16(in + AT_NODE),
        .session = get_u32(in + AT_SESSION),
        .block = get_u64(in + AT_BLOCK),
        .tick = get_u64(in + AT_TICK),
        .send_time_ns = get_u64(in + AT_SEND_TIME),
        .valid_until_block = get_u64(in + AT_VALID_UNTIL),
        .n_sb = get_u16(in + AT_N_SB),
        .n_ant = get_u16(in + AT_N_ANT),
        .n_stream = get_u16(in + AT_N_STREAM),
        .payload_bytes = get_u32(in + AT_PAYLOAD_BYTES),
    };
}

/* Type, encoding and shape agree with each other and with the payload's length. */
static int check_contents(const struct wire_header *h)
{
    if (h->type == WIRE_PROBE || h->type == WIRE_PROBE_REPLY) {
        if (h->encoding || h->mantissa_bits) {
            return WIRE_BAD_ENCODING;
        }
        return h->n_sb || h->n_ant || h->n_stream || h->payload_bytes > WIRE_MAX_BYTES - WIRE_HEADER_BYTES
                   ? WIRE_BAD_SHAPE
                   : WIRE_OK;
    }
    if (h->type != WIRE_CSI && h->type != WIRE_PRECODER) {
        return WIRE_BAD_TYPE;
    }
    if (!shape_possible(h)) {
        return WIRE_BAD_SHAPE;
    }
    const size_t n_bytes = message_bytes(h, h->type);
    if (n_bytes == 0) {
        return WIRE_BAD_ENCODING;
    }
    if (h->type == WIRE_PRECODER) { /* the exact length follows from the stream descriptors, checked with them */
        const size_t table = (size_t)STREAM_BYTES * h->n_stream;
        return h->payload_bytes >= table && h->payload_bytes <= n_bytes - WIRE_HEADER_BYTES + WIRE_KEY_BYTES
                   ? WIRE_OK
                   : WIRE_BAD_SHAPE;
    }
    return h->payload_bytes == n_bytes - WIRE_HEADER_BYTES ? WIRE_OK : WIRE_BAD_SHAPE;
}

int wire_unpack_header(const uint8_t *data, size_t n_bytes, struct wire_header *header)
{
    *header = (struct wire_header){0};
    if (n_bytes < WIRE_HEADER_BYTES) {
        return WIRE_SHORT;
    }
    if (get_u32(data + AT_MAGIC) != WIRE_MAGIC) {
        return WIRE_BAD_MAGIC;
    }
    if (data[AT_VERSION] != WIRE_VERSION) {
        return WIRE_BAD_VERSION;
    }
    if (wire_crc32c(0, data, AT_HEADER_CRC) != get_u32(data + AT_HEADER_CRC)) {
        return WIRE_BAD_CRC;
    }
    get_header(header, data);
    const int error = check_contents(header);
    if (error) {
        return error;
    }
    if (n_bytes - WIRE_HEADER_BYTES != header->payload_bytes) {
        return n_bytes - WIRE_HEADER_BYTES < header->payload_bytes ? WIRE_SHORT : WIRE_LONG;
    }
    if (wire_crc32c(0, data + WIRE_HEADER_BYTES, header->payload_bytes) != get_u32(data + AT_PAYLOAD_CRC)) {
        return WIRE_BAD_CRC;
    }
    return header->node < TUTTI_MAX_AP ? WIRE_OK : WIRE_BAD_VALUE;
}

/* Everything up to the payload's values. */
static int unpack_start(const uint8_t *data, size_t n_bytes, struct wire_header *header, enum wire_type type,
                        size_t room)
{
    const int error = wire_unpack_header(data, n_bytes, header);
    if (error) {
        return error;
    }
    if (header->type != type) {
        return WIRE_BAD_TYPE;
    }
    return (size_t)header->n_sb * header->n_ant * header->n_stream <= room ? WIRE_OK : WIRE_BAD_SHAPE;
}

int wire_unpack_csi(const uint8_t *data, size_t n_bytes, struct wire_header *header, struct wire_csi_meta *meta,
                    tutti_cf32 *coefficients, size_t room)
{
    const int error = unpack_start(data, n_bytes, header, WIRE_CSI, room);
    if (error) {
        return error;
    }
    const uint8_t *payload = data + WIRE_HEADER_BYTES;
    if (header->encoding == WIRE_NONE) {
        memset(coefficients, 0, (size_t)header->n_sb * header->n_ant * header->n_stream * sizeof *coefficients);
        return get_csi_meta(meta, payload, header->n_stream) ? WIRE_OK : WIRE_BAD_VALUE;
    }
    return get_csi_meta(meta, payload, header->n_stream) &&
                   coefficients_unpack(coefficients, header, payload + meta_bytes(header))
               ? WIRE_OK
               : WIRE_BAD_VALUE;
}

static bool get_vectors(tutti_cf32 *V, const struct wire_header *header, const struct wire_precoder_meta *meta,
                        const uint8_t *in)
{
    const size_t n_stream = header->n_stream;
    const size_t n_vector = count_source(meta, n_stream, WIRE_SOURCE_VECTORS);
    struct wire_header one = *header;
    one.n_sb = 1;
    one.n_stream = (uint16_t)n_vector;
    const size_t step = n_vector ? coefficients_bytes(&one) : 0;
    if (step && n_vector == n_stream) {
        return coefficients_unpack(V, header, in);
    }
    tutti_cf32 rows[TUTTI_MAX_ANT * TUTTI_MAX_STREAM];
    for (size_t sb = 0; sb < header->n_sb; sb++) {
        if (step && !coefficients_unpack(rows, &one, in + sb * step)) {
            return false;
        }
        size_t n = 0;
        for (size_t i = 0; i < header->n_ant * n_stream; i++) {
            const bool mine = step && meta->stream[i % n_stream].source == WIRE_SOURCE_VECTORS;
            V[sb * header->n_ant * n_stream + i] = mine ? rows[n++] : 0.0f;
        }
    }
    return true;
}

static void get_phases(tutti_cf32 *V, const struct wire_header *header, const struct wire_precoder_meta *meta,
                       const uint8_t *in)
{
    for (size_t s = 0; s < header->n_stream; s++) {
        const float amplitude = sqrtf(meta->stream[s].power / (float)header->n_ant);
        for (size_t row = 0; meta->stream[s].source == WIRE_SOURCE_PHASES && row < (size_t)header->n_sb * header->n_ant;
             row++, in += 2) {
            const float phase = (float)get_u16(in) * (float)(2.0 * M_PI / 65536.0);
            V[row * header->n_stream + s] = CMPLXF(amplitude * cosf(phase), amplitude * sinf(phase));
        }
    }
}

int wire_unpack_precoder(const uint8_t *data, size_t n_bytes, struct wire_header *header,
                         struct wire_precoder_meta *meta, tutti_cf32 *coefficients, size_t room)
{
    const int error = unpack_start(data, n_bytes, header, WIRE_PRECODER, room);
    if (error) {
        return error;
    }
    const uint8_t *at = data + WIRE_HEADER_BYTES;
    const size_t table = (size_t)STREAM_BYTES * header->n_stream;
    if (!get_precoder_meta(meta, at, header->n_stream)) {
        return WIRE_BAD_VALUE;
    }
    const size_t body = precoder_body_bytes(header, meta);
    if (header->payload_bytes != table + body) {
        return WIRE_BAD_SHAPE;
    }
    if (header->encoding == WIRE_NONE && count_source(meta, header->n_stream, WIRE_SOURCE_VECTORS)) {
        return WIRE_BAD_ENCODING;
    }
    const size_t n_phase = count_source(meta, header->n_stream, WIRE_SOURCE_PHASES);
    const size_t tail = 2 * n_phase * header->n_sb * header->n_ant + (n_phase ? WIRE_KEY_BYTES : 0);
    at += table;
    if (!get_vectors(coefficients, header, meta, at)) {
        return WIRE_BAD_VALUE;
    }
    at += body - tail;
    get_phases(coefficients, header, meta, at);
    meta->noise_key = n_phase ? get_u64(at + tail - WIRE_KEY_BYTES) : 0;
    return WIRE_OK;
}
