/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/wire.h"
#include "fronthaul/bytes.h"
#include "fronthaul/coefficients.h"

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
    return coefficients ? WIRE_HEADER_BYTES + meta_bytes(&h) + coefficients : 0;
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

static bool get_precoder_meta(struct wire_precoder_meta *meta, const uint8_t *in, size_t n_stream)
{
    bool good = true;
    *meta = (struct wire_precoder_meta){0};
    for (size_t s = 0; s < n_stream; s++, in += STREAM_BYTES) {
        struct wire_stream *stream = &meta->stream[s];
        *stream =
            (struct wire_stream){.kind = in[0], .source = in[1], .user = get_u16(in + 2), .power = get_f32(in + 4)};
        good &= stream->kind <= WIRE_STREAM_CALIBRATION && stream->source == 0 && not_negative(stream->power);
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
    coefficients_pack(payload + CSI_FIXED_BYTES + (size_t)CSI_USER_BYTES * header->n_stream, header, coefficients);
    put_header(out, header, WIRE_CSI, n_bytes - WIRE_HEADER_BYTES);
    return n_bytes;
}

size_t wire_pack_precoder(uint8_t *out, size_t capacity, const struct wire_header *header,
                          const struct wire_precoder_meta *meta, const tutti_cf32 *coefficients)
{
    const size_t n_bytes = wire_precoder_bytes(header);
    if (n_bytes == 0 || n_bytes > capacity || header->node >= TUTTI_MAX_AP) {
        return 0;
    }
    uint8_t *payload = out + WIRE_HEADER_BYTES;
    put_precoder_meta(payload, meta, header->n_stream);
    coefficients_pack(payload + (size_t)STREAM_BYTES * header->n_stream, header, coefficients);
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
    return get_csi_meta(meta, payload, header->n_stream) &&
                   coefficients_unpack(coefficients, header, payload + meta_bytes(header))
               ? WIRE_OK
               : WIRE_BAD_VALUE;
}

int wire_unpack_precoder(const uint8_t *data, size_t n_bytes, struct wire_header *header,
                         struct wire_precoder_meta *meta, tutti_cf32 *coefficients, size_t room)
{
    const int error = unpack_start(data, n_bytes, header, WIRE_PRECODER, room);
    if (error) {
        return error;
    }
    const uint8_t *payload = data + WIRE_HEADER_BYTES;
    return get_precoder_meta(meta, payload, header->n_stream) &&
                   coefficients_unpack(coefficients, header, payload + meta_bytes(header))
               ? WIRE_OK
               : WIRE_BAD_VALUE;
}
