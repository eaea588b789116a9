/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Test messages of every type and a CRC that shares nothing with the one under test. */
#ifndef TUTTI_TESTS_FRONTHAUL_MESSAGES_H
#define TUTTI_TESTS_FRONTHAUL_MESSAGES_H

#include "fronthaul/wire.h"

struct message {
    struct wire_header header;
    struct wire_csi_meta csi;
    struct wire_precoder_meta precoder;
    struct wire_array_meta array;
    tutti_cf32 *coefficients; /* [n_sb][n_ant][n_stream] */
    size_t n_coefficients;
};

uint64_t random_u64(uint64_t *state); /* xorshift; state not 0 */
float random_float(uint64_t *state);  /* uniform in -1..1 */

/* A message of the header's type, shape and encoding with random contents. */
struct message message_random(uint64_t *state, enum wire_type type, enum wire_encoding encoding, int mantissa_bits,
                              int n_sb, int n_ant, int n_stream);
/* Empty, with room for a message of this type and size. */
struct message message_empty(enum wire_type type, size_t n_coefficients, int n_stream, uint32_t n_statistic);
void message_free(struct message *message);
size_t message_pack(const struct message *message, uint8_t *out, size_t capacity);
/* Into fresh memory of exactly the right size. */
uint8_t *message_packed(const struct message *message, size_t *n_bytes);
/* By header.type; room for n_coefficients and n_stream as told, statistics as the message has room. */
int message_unpack(const uint8_t *data, size_t n_bytes, struct message *out, size_t n_coefficients, int n_stream);

/* Bit by bit from the polynomial. */
uint32_t reference_crc32c(const uint8_t *data, size_t n_bytes);
/* Make both checksums right again after tampering. */
void message_reseal(uint8_t *data, size_t n_bytes);

#endif
