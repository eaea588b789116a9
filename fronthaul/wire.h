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
    WIRE_VERSION = 2,
    WIRE_HEADER_BYTES = 72,
    WIRE_KEY_BYTES = 8,
    WIRE_MAX_ACCOUNTS = 32, /* of one estimates message */
    WIRE_MAX_STATISTICS = 65536,
    WIRE_NODE_CPU = TUTTI_MAX_AP, /* node of what central node c sends to another one: this and c */
    WIRE_MAX_CPU = 16,
    WIRE_MAX_BYTES = 1 << 24 /* no message is longer */
};

enum wire_type {
    WIRE_CSI = 1,
    WIRE_PRECODER = 2,
    WIRE_PROBE = 3,
    WIRE_PROBE_REPLY = 4,
    WIRE_UPLINK = 5,      /* combined or captured uplink data symbols and their statistics */
    WIRE_CALIBRATION = 6, /* what an AP measured of another AP's C symbols */
    WIRE_SENSING = 7,     /* what a sensing AP or probe measured */
    WIRE_GAINS = 8        /* users' large-scale gains, where they share pilots: no array */
};
/* WIRE_NONE: no coefficients travel (local precoding); they unpack as zero. */
enum wire_encoding { WIRE_CF32 = 0, WIRE_SC16 = 1, WIRE_BFP = 2, WIRE_NONE = 3 };
/* What a stream is (enum stream_kind of mimo/stream_set.h has the same numbers): the apply step knows streams, not
 * special cases. */
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
    uint16_t node;                         /* AP id; uplink between central nodes: WIRE_NODE_CPU + id */
    uint32_t session;                      /* from welcome; 0 before it */
    uint64_t block;
    uint64_t tick;                  /* first sample of the block */
    uint64_t send_time_ns;          /* sender's clock_wall_ns */
    uint64_t valid_from_block;      /* precoder: first block it is for (with radios later than `block`) */
    uint64_t valid_until_block;     /* precoder: last block it may be used for; other types send 0 in both */
    uint16_t n_sb, n_ant, n_stream; /* shape of the coefficient array [n_sb][n_ant][n_stream] */
    uint32_t payload_bytes;
};

/* What an AP's downlink of one block came to. */
enum wire_sent {
    WIRE_SENT_UNKNOWN,  /* no account (yet) */
    WIRE_SENT_FRESH,    /* the precoder made for this block */
    WIRE_SENT_STALE,    /* an earlier one, still valid */
    WIRE_SENT_LOCAL_CB, /* conjugate beams from the AP's own estimates */
    WIRE_SENT_MUTE,     /* silence on purpose */
    WIRE_SENT_LATE,     /* chosen, but the radio got it too late: not, or not wholly, sent */
    WIRE_SENT_CUT,      /* an underrun cut it */
    WIRE_SENT_MISSED,   /* the block passed unseen (lost samples, the AP started inside it) */
    WIRE_SENT_LOST,     /* never on the wire: the central node's word for an account that nobody can give any more */
    WIRE_N_SENT
};
enum wire_arrival { WIRE_ARRIVAL_NONE, WIRE_ARRIVAL_EARLY, WIRE_ARRIVAL_ON_TIME, WIRE_ARRIVAL_LATE };

/* How an AP stands to the network's time and phase (sync.mode). */
enum wire_sync {
    WIRE_SYNC_SHARED, /* all have one clock */
    WIRE_SYNC_REFERENCE,
    WIRE_SYNC_SEARCHING, /* no beacon */
    WIRE_SYNC_ACQUIRED,  /* the beacon is there, the loop not closed or not settled */
    WIRE_SYNC_LOCKED,
    WIRE_SYNC_HOLD, /* by prediction */
    WIRE_SYNC_LOST, /* held too long: mute */
    WIRE_N_SYNC
};
/* Its estimates count and it may send. */
static inline bool wire_sync_counts(int sync)
{
    return sync != WIRE_SYNC_SEARCHING && sync != WIRE_SYNC_ACQUIRED && sync != WIRE_SYNC_LOST;
}

/* The account of one block at one AP: made once, when the radio has told what became of the burst. Times are
 * clock_wall_ns, 0 = did not happen. */
struct wire_account {
    uint64_t block;
    uint64_t capture_end_ns, precoder_received_ns /* also of a late one */, applied_ns;
    uint8_t sent;    /* enum wire_sent: what was sent */
    uint8_t chosen;  /* enum wire_sent FRESH..MUTE: what the AP meant to send */
    uint8_t arrival; /* enum wire_arrival of this block's own precoder */
    uint8_t scaled;  /* 1: the AP scaled it down to its power limits */
};

/* Estimates up. The meta part travels as plain little-endian numbers before the coefficient array; n_stream = users
 * (or pilots). Pointers are the caller's: pack reads them, unpack fills them, room for header.n_stream values each. */
struct wire_csi_meta {
    uint64_t capture_end_ns;      /* this block's */
    uint32_t radio_events[5];     /* counts since start: U O D S L */
    float noise_power;            /* per subcarrier, sample units squared, > 0 */
    float delay_samples;          /* of this AP against the frame, taken off the estimates; 0 = none */
    float *beta, *error_variance; /* [n_stream] */
    uint16_t sync;                /* enum wire_sync */
    int n_account; /* 0..WIRE_MAX_ACCOUNTS, oldest first, of consecutive or older blocks not yet acknowledged */
    struct wire_account account[WIRE_MAX_ACCOUNTS];
};

/* Precoders down: one descriptor per stream, then the vectors of those that have them, then phases, then the key. In
 * memory all streams have a column in coefficients [n_sb][n_ant][n_stream], power included. The central node is the one
 * authority for scheme, upsilon, power, stale and mute limits. */
enum wire_source {
    WIRE_SOURCE_VECTORS = 0, /* in this message */
    WIRE_SOURCE_LOCAL = 1,   /* the AP builds them from its own estimates with `power`; the column is zero */
    WIRE_SOURCE_PHASES = 2   /* a phase per antenna, all antennas alike; unpacked as sqrt(power / n_ant) exp(j phase) */
};
struct wire_stream {
    uint8_t kind;   /* enum wire_stream_kind */
    uint8_t source; /* enum wire_source; data: vectors or local, artificial noise: any, others: vectors */
    uint16_t user;  /* data: whose; sensing: zone */
    float power;    /* at this AP per subband; with vectors informative (their mean squared norm) */
};
struct wire_precoder_meta {
    uint8_t local_scheme;         /* enum mimo_scheme that streams of source local are built with */
    float upsilon;                /* PZF, PPZF: share of the large-scale gain held by the strong users */
    float power_mean, power_peak; /* this AP's limits per subband: mean over blocks, and of any one block; budget = 1;
                                   * mean <= peak */
    uint32_t stale_blocks;        /* a precoder may be used this many blocks after its own */
    uint32_t mute_blocks;         /* then local CB for this many blocks, then silence */
    uint64_t account_ack;         /* accounts of blocks before this one have arrived */
    uint64_t noise_key;           /* phases only: the APs draw the same noise symbols from it; secret */
    struct wire_stream *stream;   /* [n_stream], the caller's; unpack: room for header.n_stream */
};

/* Uplink, calibration, sensing: statistics, then an array in the header's encoding. What the numbers mean is said where
 * they are made (gains: statistics alone, [2][n_ue] gains and variances; uplink: values [n_symbol *
 * n_sb][n_column][sc_per_sb]). */
struct wire_array_meta {
    uint8_t kind;     /* of the type: uplink 0 antennas, 1 combined; others: 0 */
    uint16_t subject; /* calibration: AP that transmitted; sensing: zone; uplink: symbols */
    uint32_t n_statistic;
    float *statistic;        /* [n_statistic], finite; unpack: the caller's */
    uint32_t statistic_room; /* unpack: how many fit there */
};

/* Bytes a message takes; 0 if the shape is impossible. */
size_t wire_csi_bytes(const struct wire_header *header, int n_account);
/* The most, whatever the sources of its streams. */
size_t wire_precoder_bytes(const struct wire_header *header);
size_t wire_array_bytes(const struct wire_header *header, uint32_t n_statistic);

/* Pack into out (capacity bytes). header->payload_bytes is computed. Return the message's bytes, or 0 if it does not
 * fit or the shape is impossible. coefficients [n_sb][n_ant][n_stream]. */
size_t wire_pack_csi(uint8_t *out, size_t capacity, const struct wire_header *header, const struct wire_csi_meta *meta,
                     const tutti_cf32 *coefficients);
size_t wire_pack_precoder(uint8_t *out, size_t capacity, const struct wire_header *header,
                          const struct wire_precoder_meta *meta, const tutti_cf32 *coefficients);
size_t wire_pack_array(uint8_t *out, size_t capacity, const struct wire_header *header,
                       const struct wire_array_meta *meta, const tutti_cf32 *values);

/* A timing probe or its answer (header->type): any header->payload_bytes bytes of payload (may already be in place
 * behind the header), no shape. An answer carries the probe's block and payload, and the probe's send time as tick. */
size_t wire_pack_probe(uint8_t *out, size_t capacity, const struct wire_header *header, const uint8_t *payload);

/* Header only: magic, version, type, encoding, shape, lengths and CRC checked. Returns enum wire_error. */
int wire_unpack_header(const uint8_t *data, size_t n_bytes, struct wire_header *header);
/* The whole message. The caller first looks at the shape with wire_unpack_header and refuses what it has no room for;
 * coefficients has room for `room` values and must hold n_sb * n_ant * n_stream, else WIRE_BAD_SHAPE. n_stream_room:
 * of the pointers in meta. All floats are finite on WIRE_OK. Returns enum wire_error. */
int wire_unpack_csi(const uint8_t *data, size_t n_bytes, struct wire_header *header, struct wire_csi_meta *meta,
                    int n_stream_room, tutti_cf32 *coefficients, size_t room);
int wire_unpack_precoder(const uint8_t *data, size_t n_bytes, struct wire_header *header,
                         struct wire_precoder_meta *meta, int n_stream_room, tutti_cf32 *coefficients, size_t room);
int wire_unpack_array(const uint8_t *data, size_t n_bytes, struct wire_header *header, struct wire_array_meta *meta,
                      tutti_cf32 *values, size_t room);

/* Patch the send time of a packed message just before it leaves. The payload has its own CRC: this costs 60 bytes of
 * CRC. */
void wire_stamp_send_time(uint8_t *message, size_t n_bytes, uint64_t send_time_ns);
/* CRC-32C (Castagnoli) of bytes, as iSCSI: hardware instruction where there is one. */
uint32_t wire_crc32c(uint32_t crc, const void *data, size_t n_bytes);

#endif
