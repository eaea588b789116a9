/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the wire's files share: offsets of the header, sizes of the payloads' fixed parts, sealing and checking. */
#ifndef TUTTI_FRONTHAUL_WIRE_INTERNAL_H
#define TUTTI_FRONTHAUL_WIRE_INTERNAL_H

#include "fronthaul/wire.h"

/* Offsets in the header, docs/wire.md. */
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
    AT_VALID_FROM = 48,
    AT_VALID_UNTIL = 56,
    AT_PAYLOAD_CRC = 64,
    AT_HEADER_CRC = 68
};
_Static_assert(AT_HEADER_CRC + 4 == WIRE_HEADER_BYTES, "the header ends with its checksum");

/* The fixed parts of the payloads. */
enum {
    CSI_FIXED_BYTES = 40,
    CSI_USER_BYTES = 8,
    ACCOUNT_BYTES = 36,
    PRECODER_FIXED_BYTES = 32,
    STREAM_BYTES = 8,
    ARRAY_FIXED_BYTES = 8,
    STATISTIC_BYTES = 4
};

static inline bool wire_is_array(int type)
{
    return type == WIRE_UPLINK || type == WIRE_CALIBRATION || type == WIRE_SENSING || type == WIRE_GAINS;
}

/* An AP's id, or of uplink parts a central node's. */
static inline bool wire_node_possible(int type, unsigned node)
{
    return node < (type == WIRE_UPLINK ? WIRE_NODE_CPU + WIRE_MAX_CPU : TUTTI_MAX_AP);
}

static inline size_t wire_n_values(const struct wire_header *header)
{
    return (size_t)header->n_sb * header->n_ant * header->n_stream;
}

/* Bytes of the whole message when `meta` bytes go before the coefficients; 0 if shape or encoding is impossible. */
size_t wire_message_bytes(const struct wire_header *header, enum wire_type type, size_t meta);
/* The payload is in place: the header around it. */
void wire_put_header(uint8_t *out, const struct wire_header *header, enum wire_type type, size_t payload_bytes);
/* The header, its type, and that the coefficients fit; enum wire_error. */
int wire_unpack_start(const uint8_t *data, size_t n_bytes, struct wire_header *header, enum wire_type type,
                      size_t room);
/* Coefficients of the whole shape; zeros when none travel. */
bool wire_get_coefficients(tutti_cf32 *out, const struct wire_header *header, const uint8_t *in);

#endif
