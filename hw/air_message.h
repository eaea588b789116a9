/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The byte protocol between an emulated radio and the emulated medium (tutti-air), over a stream socket, one connection
 * per radio; end of file = radio gone. A message is a 32-byte little-endian header and a payload:
 *
 *   0 u32 magic "TAIR"   6 u8 type    8 u16 id       12 u32 flags   24 u32 n_samples
 *   4 u16 version        7 u8 role   10 u16 n_ant    16 u64 tick    28 u32 payload_bytes
 *
 *   hello    radio -> air  role, id, n_ant, n_samples = chunk size or 0 for the medium's; payload f64 sample rate, u64
 *                          samples that may be queued ahead
 *   welcome  air -> radio  n_samples = chunk size, flags PACED, SHARED; payload u32 cells of the rings; with SHARED the
 *                          two descriptors of hw/air_share.h come with it
 *   refuse   air -> radio  payload = the reason, for people; also sent to a radio that is put out
 *   start    radio -> air  from now on the medium waits for this radio
 *   started  air -> radio  tick = first sample of the first chunk the radio takes part in
 *   tx       radio -> air  n_samples of every antenna from tick; payload cf32 [n_ant][n_samples], none with flag SILENT
 *   rx       air -> radio  the same the other way; flag TAKEN: the transmitted chunk of that tick came in time
 *   bell     both ways     SHARED only: what you wait for is in the shared memory
 *
 * A radio hands in TX chunks, as many as it wants to receive, and then receives RX chunks of the same ticks, so a chunk
 * is the shortest turn-around. It is never more than the rings' cells ahead of what it has received. On one host (unix
 * sockets) samples lie in shared memory and there are no tx and rx messages. */
#ifndef TUTTI_HW_AIR_MESSAGE_H
#define TUTTI_HW_AIR_MESSAGE_H

#include "base/types.h"

enum air_type { AIR_HELLO = 1, AIR_WELCOME, AIR_REFUSE, AIR_START, AIR_STARTED, AIR_TX, AIR_RX, AIR_BELL, AIR_N_TYPE };
enum air_role { AIR_ROLE_AP, AIR_ROLE_UE, AIR_ROLE_EVE, AIR_N_ROLE };
enum air_flag { AIR_FLAG_SILENT = 1 << 0, AIR_FLAG_TAKEN = 1 << 1, AIR_FLAG_PACED = 1 << 2, AIR_FLAG_SHARED = 1 << 3 };

enum {
    AIR_VERSION = 2,
    AIR_HEADER_BYTES = 32,
    AIR_HELLO_BYTES = 16,
    AIR_WELCOME_BYTES = 4,
    AIR_MAX_TEXT = 256,
    AIR_MAX_CHUNK = 1 << 18 /* samples */
};

struct air_header {
    uint8_t type, role;
    uint16_t id, n_ant;
    uint32_t flags;
    tutti_tick tick;
    uint32_t n_samples, payload_bytes;
};

void air_message_pack(uint8_t bytes[AIR_HEADER_BYTES], const struct air_header *header);
/* Checks everything that can be checked without knowing the radio: magic, version, type, role and that the payload is
 * as long as the shape says. Errors: TUTTI_EFORMAT, TUTTI_EVERSION (the header is filled in as far as this version
 * reads it). */
int air_message_unpack(struct air_header *header, const uint8_t bytes[AIR_HEADER_BYTES]);

struct air_hello {
    double rate_hz;
    uint64_t n_tx_buffer_samples;
};
void air_message_pack_hello(uint8_t bytes[AIR_HELLO_BYTES], const struct air_hello *hello);
void air_message_unpack_hello(struct air_hello *hello, const uint8_t bytes[AIR_HELLO_BYTES]);
void air_message_pack_welcome(uint8_t bytes[AIR_WELCOME_BYTES], uint32_t n_cell);
uint32_t air_message_unpack_welcome(const uint8_t bytes[AIR_WELCOME_BYTES]);

#endif
