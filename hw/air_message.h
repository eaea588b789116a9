/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The byte protocol between an emulated radio and the emulated medium (tutti-air), over a stream socket, one connection
 * per radio; end of file = radio gone. A message is a 32-byte little-endian header and a payload:
 *
 *   0 u32 magic "TAIR"   6 u8 type    8 u16 id       12 u32 flags   24 u32 n_samples
 *   4 u16 version        7 u8 role   10 u16 n_ant    16 u64 tick    28 u32 payload_bytes
 *
 *   hello    radio -> air  role, id, n_ant, n_samples = chunk size or 0 for the medium's; payload f64 sample rate
 *   welcome  air -> radio  n_samples = chunk size, flag PACED
 *   refuse   air -> radio  payload = the reason, for people; also sent to a radio that is put out
 *   start    radio -> air  from now on the medium waits for this radio
 *   started  air -> radio  tick = first sample of the first chunk the radio takes part in
 *   tx       radio -> air  n_samples of every antenna from tick; payload cf32 [n_ant][n_samples], none with flag SILENT
 *   rx       air -> radio  the same the other way; flag LATE: transmitted samples came after their time
 *
 * A radio hands in TX chunk c and then receives RX chunk c, so a chunk is the shortest turn-around. */
#ifndef TUTTI_HW_AIR_LINK_H
#define TUTTI_HW_AIR_LINK_H

#include "base/types.h"

enum air_type { AIR_HELLO = 1, AIR_WELCOME, AIR_REFUSE, AIR_START, AIR_STARTED, AIR_TX, AIR_RX };
enum air_role { AIR_ROLE_AP, AIR_ROLE_UE, AIR_ROLE_EVE, AIR_N_ROLE };
enum air_flag { AIR_FLAG_SILENT = 1 << 0, AIR_FLAG_LATE = 1 << 1, AIR_FLAG_PACED = 1 << 2 };

enum {
    AIR_VERSION = 1,
    AIR_HEADER_BYTES = 32,
    AIR_HELLO_BYTES = 8,
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

void air_link_pack(uint8_t bytes[AIR_HEADER_BYTES], const struct air_header *header);
/* Checks everything that can be checked without knowing the radio: magic, version, type, role and that the payload is
 * as long as the shape says. Errors: TUTTI_EFORMAT, TUTTI_EVERSION (the header is filled in as far as version 1 reads
 * it). */
int air_link_unpack(struct air_header *header, const uint8_t bytes[AIR_HEADER_BYTES]);

void air_link_pack_rate(uint8_t bytes[AIR_HELLO_BYTES], double sample_rate_hz);
double air_link_unpack_rate(const uint8_t bytes[AIR_HELLO_BYTES]);

/* Sockets, non-blocking, with buffers for several chunks. endpoint is "unix:///path" or "tcp://host:port"; tcp has no
 * delay. Return a descriptor or TUTTI_ECONFIG (endpoint malformed), TUTTI_EIO. A left-over unix socket file nobody
 * listens on is replaced; its directory is made if absent. */
int air_link_listen(const char *endpoint);
int air_link_connect(const char *endpoint);
int air_link_accept(int listener);          /* TUTTI_EAGAIN when nobody waits */
void air_link_remove(const char *endpoint); /* deletes the unix socket file */

#endif
