/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "messages.h"

#include <stdlib.h>
#include <string.h>

uint64_t random_u64(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

float random_float(uint64_t *state)
{
    return (float)((int64_t)random_u64(state) >> 40) / 8388608.0f;
}

static float random_positive(uint64_t *state)
{
    const float v = random_float(state);
    return v * v + 1e-6f;
}

static void random_csi_meta(uint64_t *state, struct wire_csi_meta *meta, int n_user)
{
    meta->capture_end_ns = random_u64(state);
    meta->previous = (struct wire_ap_stamps){.block = random_u64(state),
                                             .capture_end_ns = random_u64(state),
                                             .csi_sent_ns = random_u64(state),
                                             .precoder_received_ns = random_u64(state),
                                             .applied_ns = random_u64(state),
                                             .applied_kind = (uint8_t)(random_u64(state) % 5),
                                             .arrival = (uint8_t)(random_u64(state) % 4)};
    for (int i = 0; i < 5; i++) {
        meta->radio_events[i] = (uint32_t)random_u64(state);
    }
    meta->noise_power = random_positive(state);
    for (int k = 0; k < n_user; k++) {
        meta->beta[k] = random_positive(state);
        meta->error_variance[k] = random_positive(state);
    }
}

struct message message_random(uint64_t *state, enum wire_type type, enum wire_encoding encoding, int mantissa_bits,
                              int n_sb, int n_ant, int n_stream)
{
    struct message m = {.header = {.type = (uint8_t)type,
                                   .encoding = (uint8_t)encoding,
                                   .mantissa_bits = (uint8_t)mantissa_bits,
                                   .node = (uint16_t)(random_u64(state) % TUTTI_MAX_AP),
                                   .session = (uint32_t)random_u64(state),
                                   .block = random_u64(state),
                                   .tick = random_u64(state),
                                   .send_time_ns = random_u64(state),
                                   .valid_until_block = random_u64(state),
                                   .n_sb = (uint16_t)n_sb,
                                   .n_ant = (uint16_t)n_ant,
                                   .n_stream = (uint16_t)n_stream}};
    random_csi_meta(state, &m.csi, n_stream);
    for (int s = 0; s < n_stream; s++) {
        m.precoder.stream[s] = (struct wire_stream){.kind = (uint8_t)(random_u64(state) % 4),
                                                    .user = (uint16_t)(random_u64(state) % TUTTI_MAX_UE),
                                                    .power = random_positive(state)};
    }
    m.n_coefficients = (size_t)n_sb * (size_t)n_ant * (size_t)n_stream;
    m.coefficients = malloc(m.n_coefficients * sizeof *m.coefficients);
    if (!m.coefficients) {
        abort();
    }
    for (size_t i = 0; i < m.n_coefficients; i++) {
        const float re = random_float(state), im = random_float(state);
        m.coefficients[i] = __builtin_complex(re, im);
    }
    return m;
}

void message_free(struct message *message)
{
    free(message->coefficients);
    message->coefficients = NULL;
}

size_t message_pack(const struct message *message, uint8_t *out, size_t capacity)
{
    return message->header.type == WIRE_CSI
               ? wire_pack_csi(out, capacity, &message->header, &message->csi, message->coefficients)
               : wire_pack_precoder(out, capacity, &message->header, &message->precoder, message->coefficients);
}

uint8_t *message_packed(const struct message *message, size_t *n_bytes)
{
    *n_bytes =
        message->header.type == WIRE_CSI ? wire_csi_bytes(&message->header) : wire_precoder_bytes(&message->header);
    uint8_t *data = malloc(*n_bytes);
    if (!data || message_pack(message, data, *n_bytes) != *n_bytes) {
        abort();
    }
    return data;
}

uint32_t reference_crc32c(const uint8_t *data, size_t n_bytes)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n_bytes * 8; i++) {
        const uint32_t bit = (uint32_t)(data[i / 8] >> (i % 8)) & 1;
        crc = (crc ^ bit) & 1 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
    }
    return ~crc;
}

static void put(uint8_t *out, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(v >> (8 * i));
    }
}

void message_reseal(uint8_t *data, size_t n_bytes)
{
    if (n_bytes >= 64) {
        put(data + 56, reference_crc32c(data + 64, n_bytes - 64));
        put(data + 60, reference_crc32c(data, 60));
    }
}
