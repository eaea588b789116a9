/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "messages.h"

#include <math.h>
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

static void *room(size_t n, size_t size)
{
    void *memory = calloc(n + 1, size);
    if (!memory) {
        abort();
    }
    return memory;
}

struct message message_empty(enum wire_type type, size_t n_coefficients, int n_stream, uint32_t n_statistic)
{
    struct message m = {.header.type = (uint8_t)type, .n_coefficients = n_coefficients};
    m.csi.beta = room((size_t)n_stream, sizeof(float));
    m.csi.error_variance = room((size_t)n_stream, sizeof(float));
    m.precoder.stream = room((size_t)n_stream, sizeof *m.precoder.stream);
    m.array.statistic = room(n_statistic, sizeof(float));
    m.array.statistic_room = n_statistic;
    m.coefficients = room(n_coefficients, sizeof *m.coefficients);
    return m;
}

void message_free(struct message *message)
{
    free(message->csi.beta);
    free(message->csi.error_variance);
    free(message->precoder.stream);
    free(message->array.statistic);
    free(message->coefficients);
    *message = (struct message){0};
}

static void random_accounts(uint64_t *state, struct wire_csi_meta *meta)
{
    uint64_t block = random_u64(state) >> 8;
    meta->n_account = (int)(random_u64(state) % (WIRE_MAX_ACCOUNTS + 1));
    for (int i = 0; i < meta->n_account; i++) {
        block += 1 + random_u64(state) % 3;
        meta->account[i] = (struct wire_account){.block = block,
                                                 .capture_end_ns = random_u64(state),
                                                 .precoder_received_ns = random_u64(state),
                                                 .applied_ns = random_u64(state),
                                                 .sent = (uint8_t)(1 + random_u64(state) % (WIRE_SENT_LOST - 1)),
                                                 .chosen = (uint8_t)(random_u64(state) % (WIRE_SENT_MUTE + 1)),
                                                 .arrival = (uint8_t)(random_u64(state) % 4),
                                                 .scaled = (uint8_t)(random_u64(state) % 2)};
    }
}

static void random_csi_meta(uint64_t *state, struct wire_csi_meta *meta, int n_user)
{
    meta->capture_end_ns = random_u64(state);
    for (int i = 0; i < 5; i++) {
        meta->radio_events[i] = (uint32_t)random_u64(state);
    }
    meta->noise_power = random_positive(state);
    meta->delay_samples = random_float(state);
    for (int k = 0; k < n_user; k++) {
        meta->beta[k] = random_positive(state);
        meta->error_variance[k] = random_positive(state);
    }
    random_accounts(state, meta);
}

static void random_precoder_meta(uint64_t *state, struct wire_precoder_meta *meta, int n_stream)
{
    meta->local_scheme = (uint8_t)random_u64(state);
    meta->upsilon = fabsf(random_float(state));
    meta->power_mean = random_positive(state);
    meta->power_peak = meta->power_mean + random_positive(state);
    meta->stale_blocks = (uint32_t)random_u64(state);
    meta->mute_blocks = (uint32_t)random_u64(state);
    meta->account_ack = random_u64(state);
    for (int s = 0; s < n_stream; s++) {
        meta->stream[s] = (struct wire_stream){.kind = (uint8_t)(random_u64(state) % 4),
                                               .user = (uint16_t)(random_u64(state) % TUTTI_MAX_UE),
                                               .power = random_positive(state)};
    }
}

static void random_array_meta(uint64_t *state, struct wire_array_meta *meta, int type)
{
    meta->kind = (uint8_t)(type == WIRE_UPLINK ? random_u64(state) % 2 : 0);
    meta->subject = (uint16_t)random_u64(state);
    meta->n_statistic = (uint32_t)(random_u64(state) % (meta->statistic_room + 1));
    for (uint32_t i = 0; i < meta->n_statistic; i++) {
        meta->statistic[i] = random_float(state) * 1e6f;
    }
}

struct message message_random(uint64_t *state, enum wire_type type, enum wire_encoding encoding, int mantissa_bits,
                              int n_sb, int n_ant, int n_stream)
{
    struct message m = message_empty(type, (size_t)n_sb * (size_t)n_ant * (size_t)n_stream, n_stream, 20);
    const uint64_t first = random_u64(state) >> 1;
    m.header = (struct wire_header){.type = (uint8_t)type,
                                    .encoding = (uint8_t)encoding,
                                    .mantissa_bits = (uint8_t)mantissa_bits,
                                    .node = (uint16_t)(random_u64(state) % TUTTI_MAX_AP),
                                    .session = (uint32_t)random_u64(state),
                                    .block = random_u64(state),
                                    .tick = random_u64(state),
                                    .send_time_ns = random_u64(state),
                                    .valid_from_block = type == WIRE_PRECODER ? first : 0,
                                    .valid_until_block = type == WIRE_PRECODER ? first + random_u64(state) % 9 : 0,
                                    .n_sb = (uint16_t)n_sb,
                                    .n_ant = (uint16_t)n_ant,
                                    .n_stream = (uint16_t)n_stream};
    random_csi_meta(state, &m.csi, n_stream);
    random_precoder_meta(state, &m.precoder, n_stream);
    random_array_meta(state, &m.array, (int)type);
    for (size_t i = 0; i < m.n_coefficients; i++) {
        const float re = random_float(state), im = random_float(state);
        m.coefficients[i] = __builtin_complex(re, im);
    }
    return m;
}

size_t message_pack(const struct message *message, uint8_t *out, size_t capacity)
{
    const struct wire_header *h = &message->header;
    return h->type == WIRE_CSI        ? wire_pack_csi(out, capacity, h, &message->csi, message->coefficients)
           : h->type == WIRE_PRECODER ? wire_pack_precoder(out, capacity, h, &message->precoder, message->coefficients)
                                      : wire_pack_array(out, capacity, h, &message->array, message->coefficients);
}

uint8_t *message_packed(const struct message *message, size_t *n_bytes)
{
    const struct wire_header *h = &message->header;
    const size_t most = h->type == WIRE_CSI        ? wire_csi_bytes(h, message->csi.n_account)
                        : h->type == WIRE_PRECODER ? wire_precoder_bytes(h)
                                                   : wire_array_bytes(h, message->array.n_statistic);
    uint8_t *wide = malloc(most);
    *n_bytes = wide ? message_pack(message, wide, most) : 0;
    uint8_t *data = malloc(*n_bytes);
    if (!data || !*n_bytes || (h->type != WIRE_PRECODER && *n_bytes != most)) {
        abort();
    }
    memcpy(data, wide, *n_bytes);
    free(wide);
    return data;
}

int message_unpack(const uint8_t *data, size_t n_bytes, struct message *out, size_t n_coefficients, int n_stream)
{
    const int type = out->header.type;
    return type == WIRE_CSI
               ? wire_unpack_csi(data, n_bytes, &out->header, &out->csi, n_stream, out->coefficients, n_coefficients)
           : type == WIRE_PRECODER
               ? wire_unpack_precoder(data, n_bytes, &out->header, &out->precoder, n_stream, out->coefficients,
                                      n_coefficients)
               : wire_unpack_array(data, n_bytes, &out->header, &out->array, out->coefficients, n_coefficients);
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
    if (n_bytes >= 72) {
        put(data + 64, reference_crc32c(data + 72, n_bytes - 72));
        put(data + 68, reference_crc32c(data, 68));
    }
}
