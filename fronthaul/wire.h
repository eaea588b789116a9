/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fronthaul's data messages as bytes: one fixed little-endian header packed byte by byte, then the payload. No
 * ZeroMQ here. docs/wire.md documents every byte. Pack and unpack neither allocate nor block; unpack survives hostile
 * bytes: it never reads outside [data, data + n_bytes) and refuses anything that is not exactly right with a counted
 * reason. */
#ifndef TUTTI_FRONTHAUL_WIRE_H
#define TUTTI_FRONTHAUL_WIRE_H

#include "base/types.h"

#define WIRE_MAGIC 0x49545554u /* "TUTI" */
enum {
    WIRE_VERSION = 1,
    WIRE_HEADER_BYTES = 64,
    WIRE_KEY_BYTES = 8,
    WIRE_MAX_BYTES = 1 << 22 /* no message is longer */
};

enum wire_type { WIRE_CSI = 1, WIRE_PRECODER = 2, WIRE_PROBE = 3, WIRE_PROBE_REPLY = 4 };
/* WIRE_NONE: no coefficients travel (local precoding); they unpack as zero. */
enum wire_encoding { WIRE_CF32 = 0, WIRE_SC16 = 1, WIRE_BFP = 2, WIRE_NONE = 3 };
/* What a stream is (spec 3): the apply step knows streams, not special cases. */
enum wire_stream_kind {
    WIRE_STREAM_DATA = 0,
    WIRE_STREAM_AN = 1,
    WIRE_STREAM_SENSING = 2,
    WIRE_STREAM_CALIBRATION = 3
};

#define WIRE_ERROR_MAP(X)                                                                                              \
    X(WIRE_OK, "ok")                                                                                                   \
    X(WIRE_SHORT, "shorter than its header or payload")                                                                \
    X(WIRE_LONG, "longer than its header says")                                                                        \
    X(WIRE_BAD_MAGIC, "not a Tutti message")                                                                           \
    X(WIRE_BAD_VERSION, "another protocol version")                                                                    \
    X(WIRE_BAD_TYPE, "unknown type")                                                                                   \
    X(WIRE_BAD_ENCODING, "unknown encoding")                                                                           \
    X(WIRE_BAD_SHAPE, "impossible shape")                                                                              \
    X(WIRE_BAD_CRC, "checksum wrong")                                                                                  \
    X(WIRE_BAD_VALUE, "a value is not finite or out of range")
enum wire_error {
#define WIRE_ERROR_ENUM(name, text) name,
    WIRE_ERROR_MAP(WIRE_ERROR_ENUM)
#undef WIRE_ERROR_ENUM
        WIRE_N_ERRORS
};
const char *wire_error_text(int error);

struct wire_header {
    uint8_t type, encoding, mantissa_bits; /* mantissa_bits: of WIRE_BFP, 9..14; else 0 */
    uint16_t node;                         /* AP id */
    uint32_t session;                      /* from welcome; 0 before it */
    uint64_t block;
    uint64_t tick;                  /* first sample of the block */
    uint64_t send_time_ns;          /* sender's clock_wall_ns */
    uint64_t valid_until_block;     /* precoder: last block it may be used for */
    uint16_t n_sb, n_ant, n_stream; /* shape of the coefficient array [n_sb][n_ant][n_stream] */
    uint32_t payload_bytes;
};

/* Time stamps of one block at the AP, clock_wall_ns; 0 = did not happen. */
struct wire_ap_stamps {
    uint64_t block; /* the block these belong to (an earlier one: the latest finished) */
    uint64_t capture_end_ns, csi_sent_ns, precoder_received_ns, applied_ns;
    uint8_t applied_kind; /* enum wire_applied */
    uint8_t arrival;      /* enum wire_arrival */
};
enum wire_applied {
    WIRE_APPLIED_NONE,
    WIRE_APPLIED_FRESH,
    WIRE_APPLIED_STALE,
    WIRE_APPLIED_LOCAL_CB,
    WIRE_APPLIED_MUTE
};
enum wire_arrival { WIRE_ARRIVAL_NONE, WIRE_ARRIVAL_EARLY, WIRE_ARRIVAL_ON_TIME, WIRE_ARRIVAL_LATE };

/* Estimates up. The meta part travels as plain little-endian numbers before the coefficient array. n_stream = users. */
struct wire_csi_meta {
    uint64_t capture_end_ns;                                /* this block's */
    struct wire_ap_stamps previous;                         /* of the latest block whose downlink is done */
    uint32_t radio_events[5];                               /* counts since start: U O D S L */
    float noise_power;                                      /* per subcarrier, sample units squared, > 0 */
    float beta[TUTTI_MAX_UE], error_variance[TUTTI_MAX_UE]; /* [n_ue] */
};

/* Precoders down: one descriptor per stream, then the vectors of those that have them, then phases, then the key. In
 * memory all streams have a column in coefficients [n_sb][n_ant][n_stream], power included. */
enum wire_source {
    WIRE_SOURCE_VECTORS = 0, /* in this message */
    WIRE_SOURCE_LOCAL = 1,   /* the AP builds them from its own estimates with `power`; the column is zero */
    WIRE_SOURCE_PHASES = 2   /* a phase per antenna, all antennas alike; unpacked as sqrt(power / n_ant) exp(j phase) */
};
struct wire_stream {
    uint8_t kind;   /* enum wire_stream_kind */
    uint8_t source; /* enum wire_source; data: vectors or local, artificial noise: any, others: vectors */
    uint16_t user;  /* data: whose */
    float power;    /* at this AP per subband; with vectors informative (their mean squared norm) */
};
struct wire_precoder_meta {
    struct wire_stream stream[TUTTI_MAX_STREAM]; /* [n_stream] */
    uint64_t noise_key;                          /* phases only: the APs draw the same noise symbols from it; secret */
};

/* Bytes a message takes; 0 if the shape is impossible. */
size_t wire_csi_bytes(const struct wire_header *header);
/* With vectors for every stream; a message with phases may be WIRE_KEY_BYTES longer, never more. */
size_t wire_precoder_bytes(const struct wire_header *header);

/* Pack into out (capacity bytes). header->payload_bytes is computed. Return the message's bytes, or 0 if it does not
 * fit or the shape is impossible. coefficients [n_sb][n_ant][n_stream]. */
size_t wire_pack_csi(uint8_t *out, size_t capacity, const struct wire_header *header, const struct wire_csi_meta *meta,
                     const tutti_cf32 *coefficients);
size_t wire_pack_precoder(uint8_t *out, size_t capacity, const struct wire_header *header,
                          const struct wire_precoder_meta *meta, const tutti_cf32 *coefficients);

/* A timing probe or its answer (header->type): any header->payload_bytes bytes of payload (may already be in place
 * behind the header), no shape. An answer carries the probe's block and payload, and the probe's send time as tick. */
size_t wire_pack_probe(uint8_t *out, size_t capacity, const struct wire_header *header, const uint8_t *payload);

/* Header only: magic, version, type, encoding, shape, lengths and CRC checked. Returns enum wire_error. */
int wire_unpack_header(const uint8_t *data, size_t n_bytes, struct wire_header *header);
/* The whole message; coefficients has room for `room` values and must hold n_sb * n_ant * n_stream. All floats are
 * finite on WIRE_OK. Returns enum wire_error. */
int wire_unpack_csi(const uint8_t *data, size_t n_bytes, struct wire_header *header, struct wire_csi_meta *meta,
                    tutti_cf32 *coefficients, size_t room);
int wire_unpack_precoder(const uint8_t *data, size_t n_bytes, struct wire_header *header,
                         struct wire_precoder_meta *meta, tutti_cf32 *coefficients, size_t room);

/* Patch the send time of a packed message just before it leaves. The payload has its own CRC: this costs 60 bytes of
 * CRC. */
void wire_stamp_send_time(uint8_t *message, size_t n_bytes, uint64_t send_time_ns);
/* CRC-32C (Castagnoli) of bytes, as iSCSI: hardware instruction where there is one. */
uint32_t wire_crc32c(uint32_t crc, const void *data, size_t n_bytes);

#endif
