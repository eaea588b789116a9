/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CHDR packets of 64-bit words, little-endian, as UHD's public header chdr_types.hpp lays them out: what an emulated
 * device reads and writes. Pure functions of bytes; whatever a stranger sends, parsing stays inside it. */
#ifndef TUTTI_TESTS_USRP_PACKET_H
#define TUTTI_TESTS_USRP_PACKET_H

#include "base/types.h"

enum { PACKET_ROOM = 8192, PACKET_HEADER_BYTES = 8, PACKET_TIME_BYTES = 8, PACKET_CONTROL_WORDS = 15 };

enum packet_type {
    PACKET_MANAGEMENT = 0,
    PACKET_STREAM_STATUS = 1,
    PACKET_STREAM_COMMAND = 2,
    PACKET_CONTROL = 4,
    PACKET_DATA = 6,
    PACKET_DATA_TIMED = 7
};

struct packet_header {
    bool end_of_burst;
    enum packet_type type;
    int n_metadata; /* words behind header and time */
    uint16_t sequence, length, destination;
};

uint64_t packet_header_word(const struct packet_header *header);
/* False when the n bytes do not hold what the header says. */
bool packet_header_read(struct packet_header *header, const uint8_t *bytes, size_t n);
/* Bytes before the payload of a data packet. */
size_t packet_data_offset(const struct packet_header *header);

uint64_t packet_word(const uint8_t *bytes);
void packet_put_word(uint8_t *bytes, uint64_t word);

/* A register access, or its acknowledgement, or an event that the device reports by one. */
enum packet_operation { PACKET_WRITE = 1, PACKET_READ = 2, PACKET_BLOCK_WRITE = 4, PACKET_BLOCK_READ = 5 };
struct packet_control {
    uint16_t destination, source; /* endpoints */
    uint16_t destination_port, source_port;
    uint8_t sequence;
    bool timed, acknowledge;
    uint64_t time;
    uint32_t address;
    uint8_t byte_enable, operation, status;
    int n_data;
    uint32_t data[PACKET_CONTROL_WORDS];
};
bool packet_control_read(struct packet_control *control, const uint8_t *bytes, size_t n);
size_t packet_control_write(uint8_t *bytes, uint16_t packet_sequence, const struct packet_control *control);

/* Flow control: what a receiver of data has room for and has consumed so far. */
struct packet_status {
    uint16_t destination, source;
    bool broken; /* a packet was missing in the sequence */
    uint64_t capacity_bytes, bytes, packets;
    uint32_t capacity_packets;
};
bool packet_status_read(struct packet_status *status, const uint8_t *bytes, size_t n);
size_t packet_status_write(uint8_t *bytes, const struct packet_status *status);

enum packet_command_kind { PACKET_INIT = 0, PACKET_PING = 1, PACKET_RESYNC = 2 };
/* What a sender of data tells its receiver: how often to report (INIT), or what was sent so far (RESYNC). */
struct packet_command {
    uint16_t destination, source;
    enum packet_command_kind kind;
    uint64_t bytes, packets;
};
bool packet_command_read(struct packet_command *command, const uint8_t *bytes, size_t n);
size_t packet_command_write(uint8_t *bytes, const struct packet_command *command);

/* Management: a header word, then hops of operations; an operation counts how many of its hop follow. */
enum packet_step {
    PACKET_NOP = 0,
    PACKET_ADVERTISE = 1,
    PACKET_SELECT = 2,
    PACKET_RETURN = 3,
    PACKET_INFO_REQUEST = 4,
    PACKET_INFO = 5,
    PACKET_CONFIG_WRITE = 6,
    PACKET_CONFIG_READ = 7,
    PACKET_CONFIG_VALUE = 8
};
static inline int packet_op_following(uint64_t op)
{
    return (int)(op & 0xff);
}
static inline enum packet_step packet_op_step(uint64_t op)
{
    return (enum packet_step)(op >> 8 & 0xff);
}
static inline uint64_t packet_op_payload(uint64_t op)
{
    return op >> 16;
}
static inline uint64_t packet_op(int following, enum packet_step step, uint64_t payload)
{
    return (uint64_t)following | (uint64_t)step << 8 | payload << 16;
}

#endif
