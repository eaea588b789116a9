/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The header of every data message, and probes, which are little more. */
#include "fronthaul/wire.h"

#include "fronthaul/bytes.h"
#include "fronthaul/coefficients.h"
#include "fronthaul/wire_internal.h"

#include <string.h>

enum { MAX_MESSAGE_DIMENSION = 65535 }; /* what a header can say; WIRE_MAX_BYTES bounds the whole */

const char *wire_error_text(int error)
{
    static const char *const text[] = {
#define WIRE_ERROR_STRING(name, words) words,
        WIRE_ERROR_MAP(WIRE_ERROR_STRING)
#undef WIRE_ERROR_STRING
    };
    return error >= 0 && error < WIRE_N_ERRORS ? text[error] : "unknown error";
}

static bool is_probe(int type)
{
    return type == WIRE_PROBE || type == WIRE_PROBE_REPLY;
}

/* Arrays have rows of symbols and columns of subcarriers: only the message's length bounds them. */
static bool shape_possible(const struct wire_header *h, int type)
{
    const int max_sb = wire_is_array(type) ? MAX_MESSAGE_DIMENSION : TUTTI_MAX_SB,
              max_ant = wire_is_array(type) ? MAX_MESSAGE_DIMENSION : TUTTI_MAX_ANT,
              max_stream = wire_is_array(type) ? MAX_MESSAGE_DIMENSION
                           : type == WIRE_CSI  ? TUTTI_MAX_UE
                                               : TUTTI_MAX_STREAM;
    return h->n_sb >= 1 && h->n_sb <= max_sb && h->n_ant >= 1 && h->n_ant <= max_ant && h->n_stream >= 1 &&
           h->n_stream <= max_stream;
}

size_t wire_message_bytes(const struct wire_header *header, enum wire_type type, size_t meta)
{
    if (!shape_possible(header, (int)type)) {
        return 0;
    }
    const size_t coefficients = coefficients_bytes(header);
    if (coefficients == 0 && (header->encoding != WIRE_NONE || header->mantissa_bits)) {
        return 0;
    }
    const size_t n_bytes = WIRE_HEADER_BYTES + meta + coefficients;
    return n_bytes <= WIRE_MAX_BYTES ? n_bytes : 0;
}

static void seal_header(uint8_t *out)
{
    put_u32(out + AT_HEADER_CRC, wire_crc32c(0, out, AT_HEADER_CRC));
}

void wire_put_header(uint8_t *out, const struct wire_header *h, enum wire_type type, size_t payload_bytes)
{
    const bool precoder = type == WIRE_PRECODER;
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
    put_u64(out + AT_VALID_FROM, precoder ? h->valid_from_block : 0);
    put_u64(out + AT_VALID_UNTIL, precoder ? h->valid_until_block : 0);
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

size_t wire_pack_probe(uint8_t *out, size_t capacity, const struct wire_header *header, const uint8_t *payload)
{
    const size_t n_bytes = WIRE_HEADER_BYTES + (size_t)header->payload_bytes;
    if (!is_probe(header->type) || n_bytes > WIRE_MAX_BYTES || n_bytes > capacity || header->node >= TUTTI_MAX_AP) {
        return 0;
    }
    struct wire_header h = *header;
    h.encoding = h.mantissa_bits = 0;
    h.n_sb = h.n_ant = h.n_stream = 0;
    if (header->payload_bytes) {
        memmove(out + WIRE_HEADER_BYTES, payload, header->payload_bytes);
    }
    wire_put_header(out, &h, header->type, header->payload_bytes);
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
        .valid_from_block = get_u64(in + AT_VALID_FROM),
        .valid_until_block = get_u64(in + AT_VALID_UNTIL),
        .n_sb = get_u16(in + AT_N_SB),
        .n_ant = get_u16(in + AT_N_ANT),
        .n_stream = get_u16(in + AT_N_STREAM),
        .payload_bytes = get_u32(in + AT_PAYLOAD_BYTES),
    };
}

static int check_probe(const struct wire_header *h)
{
    if (h->encoding || h->mantissa_bits) {
        return WIRE_BAD_ENCODING;
    }
    return h->n_sb || h->n_ant || h->n_stream || h->payload_bytes > WIRE_MAX_BYTES - WIRE_HEADER_BYTES ? WIRE_BAD_SHAPE
                                                                                                       : WIRE_OK;
}

/* The payload's length, as far as the header tells it: between the least and the most that the counts in the payload
 * (accounts, statistics, sources of streams) can make of it. The unpackers check it exactly. */
static bool length_possible(const struct wire_header *h)
{
    const size_t payload = h->payload_bytes;
    const size_t users = CSI_FIXED_BYTES + (size_t)CSI_USER_BYTES * h->n_stream;
    size_t least, most, step = 1;
    if (h->type == WIRE_CSI) {
        least = wire_message_bytes(h, WIRE_CSI, users);
        most = least + (size_t)WIRE_MAX_ACCOUNTS * ACCOUNT_BYTES;
        step = ACCOUNT_BYTES;
    } else if (h->type == WIRE_PRECODER) {
        least = WIRE_HEADER_BYTES + PRECODER_FIXED_BYTES + (size_t)STREAM_BYTES * h->n_stream;
        most = wire_precoder_bytes(h);
    } else {
        least = wire_array_bytes(h, 0);
        most = least + (size_t)WIRE_MAX_STATISTICS * STATISTIC_BYTES;
        step = STATISTIC_BYTES;
    }
    return least && most && payload >= least - WIRE_HEADER_BYTES && payload <= most - WIRE_HEADER_BYTES &&
           (payload + WIRE_HEADER_BYTES - least) % step == 0;
}

/* Type, encoding and shape agree with each other and with the payload's length. */
static int check_contents(const struct wire_header *h)
{
    if (is_probe(h->type)) {
        return check_probe(h);
    }
    if (h->type != WIRE_CSI && h->type != WIRE_PRECODER && !wire_is_array(h->type)) {
        return WIRE_BAD_TYPE;
    }
    if (!shape_possible(h, h->type)) {
        return WIRE_BAD_SHAPE;
    }
    if (coefficients_bytes(h) == 0 && (h->encoding != WIRE_NONE || h->mantissa_bits)) {
        return WIRE_BAD_ENCODING;
    }
    return wire_message_bytes(h, h->type, 0) && length_possible(h) ? WIRE_OK : WIRE_BAD_SHAPE;
}

/* Which blocks it is for: a precoder's affair. */
static bool validity_possible(const struct wire_header *h)
{
    return h->type == WIRE_PRECODER ? h->valid_from_block <= h->valid_until_block
                                    : h->valid_from_block == 0 && h->valid_until_block == 0;
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
    return wire_node_possible(header->type, header->node) && validity_possible(header) ? WIRE_OK : WIRE_BAD_VALUE;
}

int wire_unpack_start(const uint8_t *data, size_t n_bytes, struct wire_header *header, enum wire_type type, size_t room)
{
    const int error = wire_unpack_header(data, n_bytes, header);
    if (error) {
        return error;
    }
    if (header->type != type) {
        return WIRE_BAD_TYPE;
    }
    return wire_n_values(header) <= room ? WIRE_OK : WIRE_BAD_SHAPE;
}

bool wire_get_coefficients(tutti_cf32 *out, const struct wire_header *header, const uint8_t *in)
{
    if (header->encoding != WIRE_NONE) {
        return coefficients_unpack(out, header, in);
    }
    memset(out, 0, wire_n_values(header) * sizeof *out);
    return true;
}
