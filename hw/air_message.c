/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air_message.h"

#include "base/error.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "IQ payloads are little-endian floats in place");

enum { MAGIC = 0x52494154 };

static void put(uint8_t *at, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get(const uint8_t *at, int n_bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

void air_message_pack(uint8_t bytes[AIR_HEADER_BYTES], const struct air_header *header)
{
    put(bytes, MAGIC, 4);
    put(bytes + 4, AIR_VERSION, 2);
    bytes[6] = header->type;
    bytes[7] = header->role;
    put(bytes + 8, header->id, 2);
    put(bytes + 10, header->n_ant, 2);
    put(bytes + 12, header->flags, 4);
    put(bytes + 16, header->tick, 8);
    put(bytes + 24, header->n_samples, 4);
    put(bytes + 28, header->payload_bytes, 4);
}

/* The payload must be as long as the type and shape say, so that a reader needs no other bound. */
static bool payload_fits(const struct air_header *h)
{
    switch (h->type) {
    case AIR_HELLO:
        return h->payload_bytes == AIR_HELLO_BYTES;
    case AIR_WELCOME:
        return h->payload_bytes == AIR_WELCOME_BYTES;
    case AIR_REFUSE:
        return h->payload_bytes <= AIR_MAX_TEXT;
    case AIR_TX:
    case AIR_RX: {
        const bool silent = h->flags & AIR_FLAG_SILENT;
        const uint64_t full = (uint64_t)h->n_ant * h->n_samples * sizeof(tutti_cf32);
        return h->n_samples > 0 && h->payload_bytes == (silent ? 0 : full);
    }
    default:
        return h->payload_bytes == 0;
    }
}

int air_message_unpack(struct air_header *header, const uint8_t bytes[AIR_HEADER_BYTES])
{
    header->type = bytes[6];
    header->role = bytes[7];
    header->id = (uint16_t)get(bytes + 8, 2);
    header->n_ant = (uint16_t)get(bytes + 10, 2);
    header->flags = (uint32_t)get(bytes + 12, 4);
    header->tick = get(bytes + 16, 8);
    header->n_samples = (uint32_t)get(bytes + 24, 4);
    header->payload_bytes = (uint32_t)get(bytes + 28, 4);
    if (get(bytes, 4) != MAGIC) {
        return error_set(TUTTI_EFORMAT, "not an air message: wrong magic");
    }
    if (get(bytes + 4, 2) != AIR_VERSION) {
        return error_set(TUTTI_EVERSION, "air protocol version %u found, %d expected", (unsigned)get(bytes + 4, 2),
                         AIR_VERSION);
    }
    if (header->type < AIR_HELLO || header->type >= AIR_N_TYPE || header->role >= AIR_N_ROLE) {
        return error_set(TUTTI_EFORMAT, "air message of unknown type %u or role %u", header->type, header->role);
    }
    if (header->n_ant > TUTTI_MAX_ANT || header->n_samples > AIR_MAX_CHUNK || !payload_fits(header)) {
        return error_set(TUTTI_EFORMAT, "air message type %u: %u bytes do not fit %u antennas and %u samples",
                         header->type, header->payload_bytes, header->n_ant, header->n_samples);
    }
    return TUTTI_OK;
}

void air_message_pack_hello(uint8_t bytes[AIR_HELLO_BYTES], const struct air_hello *hello)
{
    uint64_t bits;
    memcpy(&bits, &hello->rate_hz, sizeof bits);
    put(bytes, bits, 8);
    put(bytes + 8, hello->n_tx_buffer_samples, 8);
}

void air_message_unpack_hello(struct air_hello *hello, const uint8_t bytes[AIR_HELLO_BYTES])
{
    const uint64_t bits = get(bytes, 8);
    memcpy(&hello->rate_hz, &bits, sizeof bits);
    hello->n_tx_buffer_samples = get(bytes + 8, 8);
}

void air_message_pack_welcome(uint8_t bytes[AIR_WELCOME_BYTES], uint32_t n_cell)
{
    put(bytes, n_cell, AIR_WELCOME_BYTES);
}

uint32_t air_message_unpack_welcome(const uint8_t bytes[AIR_WELCOME_BYTES])
{
    return (uint32_t)get(bytes, AIR_WELCOME_BYTES);
}
