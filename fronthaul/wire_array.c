/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arrays up: uplink symbols, calibration measurements, sensing reports; statistics, then values. */
#include "fronthaul/bytes.h"
#include "fronthaul/coefficients.h"
#include "fronthaul/wire.h"
#include "fronthaul/wire_internal.h"

/* Offsets in the payload, docs/wire.md. */
enum { AT_KIND = 0, AT_RESERVED = 1, AT_SUBJECT = 2, AT_N_STATISTIC = 4 };

static size_t meta_bytes(uint32_t n_statistic)
{
    return ARRAY_FIXED_BYTES + (size_t)STATISTIC_BYTES * n_statistic;
}

size_t wire_array_bytes(const struct wire_header *header, uint32_t n_statistic)
{
    return n_statistic <= WIRE_MAX_STATISTICS ? wire_message_bytes(header, WIRE_UPLINK, meta_bytes(n_statistic)) : 0;
}

size_t wire_pack_array(uint8_t *out, size_t capacity, const struct wire_header *header,
                       const struct wire_array_meta *meta, const tutti_cf32 *values)
{
    const size_t n_bytes = wire_array_bytes(header, meta->n_statistic);
    if (n_bytes == 0 || n_bytes > capacity || !wire_is_array(header->type) ||
        !wire_node_possible(header->type, header->node)) {
        return 0;
    }
    uint8_t *payload = out + WIRE_HEADER_BYTES;
    payload[AT_KIND] = meta->kind;
    payload[AT_RESERVED] = 0;
    put_u16(payload + AT_SUBJECT, meta->subject);
    put_u32(payload + AT_N_STATISTIC, meta->n_statistic);
    for (uint32_t i = 0; i < meta->n_statistic; i++) {
        put_f32(payload + ARRAY_FIXED_BYTES + (size_t)STATISTIC_BYTES * i, meta->statistic[i]);
    }
    if (header->encoding != WIRE_NONE) {
        coefficients_pack(payload + meta_bytes(meta->n_statistic), header, values);
    }
    wire_put_header(out, header, header->type, n_bytes - WIRE_HEADER_BYTES);
    return n_bytes;
}

static bool get_meta(struct wire_array_meta *meta, const struct wire_header *header, const uint8_t *in)
{
    meta->kind = in[AT_KIND];
    meta->subject = get_u16(in + AT_SUBJECT);
    bool good = in[AT_RESERVED] == 0 && meta->kind <= (header->type == WIRE_UPLINK ? 1 : 0);
    for (uint32_t i = 0; i < meta->n_statistic; i++) {
        meta->statistic[i] = get_f32(in + ARRAY_FIXED_BYTES + (size_t)STATISTIC_BYTES * i);
        good = good && finite_f32(meta->statistic[i]);
    }
    return good;
}

int wire_unpack_array(const uint8_t *data, size_t n_bytes, struct wire_header *header, struct wire_array_meta *meta,
                      tutti_cf32 *values, size_t room)
{
    const int error = wire_unpack_header(data, n_bytes, header);
    if (error) {
        return error;
    }
    if (!wire_is_array(header->type)) {
        return WIRE_BAD_TYPE;
    }
    if (wire_n_values(header) > room) {
        return WIRE_BAD_SHAPE;
    }
    const uint8_t *payload = data + WIRE_HEADER_BYTES;
    meta->n_statistic = get_u32(payload + AT_N_STATISTIC);
    if (meta->n_statistic > meta->statistic_room || wire_array_bytes(header, meta->n_statistic) != n_bytes) {
        meta->n_statistic = 0;
        return WIRE_BAD_SHAPE;
    }
    return get_meta(meta, header, payload) &&
                   wire_get_coefficients(values, header, payload + meta_bytes(meta->n_statistic))
               ? WIRE_OK
               : WIRE_BAD_VALUE;
}
