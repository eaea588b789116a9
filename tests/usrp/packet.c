/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "packet.h"

#include <endian.h>
#include <string.h>

enum { SEQUENCE_ERROR = 2 };

/* A field of `width` bits at bit `at`. */
static uint64_t get(uint64_t word, int at, int width)
{
    return word >> at & ((UINT64_C(1) << width) - 1);
}

uint64_t packet_word(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return le64toh(word);
}

void packet_put_word(uint8_t *bytes, uint64_t word)
{
    word = htole64(word);
    memcpy(bytes, &word, sizeof word);
}

uint64_t packet_header_word(const struct packet_header *h)
{
    return (uint64_t)h->end_of_burst << 57 | (uint64_t)h->type << 53 | (uint64_t)h->n_metadata << 48 |
           (uint64_t)h->sequence << 32 | (uint64_t)h->length << 16 | h->destination;
}

bool packet_header_read(struct packet_header *h, const uint8_t *bytes, size_t n)
{
    if (n < PACKET_HEADER_BYTES) {
        return false;
    }
    const uint64_t word = packet_word(bytes);
    *h = (struct packet_header){.end_of_burst = get(word, 57, 1),
                                .type = (enum packet_type)get(word, 53, 3),
                                .n_metadata = (int)get(word, 48, 5),
                                .sequence = (uint16_t)get(word, 32, 16),
                                .length = (uint16_t)get(word, 16, 16),
                                .destination = (uint16_t)get(word, 0, 16)};
    return h->length >= PACKET_HEADER_BYTES && h->length <= n && packet_data_offset(h) <= h->length;
}

size_t packet_data_offset(const struct packet_header *h)
{
    return PACKET_HEADER_BYTES + (h->type == PACKET_DATA_TIMED ? (size_t)PACKET_TIME_BYTES : 0) +
           8 * (size_t)(unsigned)h->n_metadata;
}

/* Header and payload words of a packet of `type` with at least so many of them. */
static bool begins(struct packet_header *h, enum packet_type type, const uint8_t *bytes, size_t n, size_t n_word)
{
    return packet_header_read(h, bytes, n) && h->type == type && h->length >= 8 * (1 + n_word);
}

bool packet_control_read(struct packet_control *c, const uint8_t *bytes, size_t n)
{
    struct packet_header h;
    if (!begins(&h, PACKET_CONTROL, bytes, n, 2)) {
        return false;
    }
    const uint64_t word = packet_word(bytes + 8);
    *c = (struct packet_control){.destination = h.destination,
                                 .destination_port = (uint16_t)get(word, 0, 10),
                                 .source_port = (uint16_t)get(word, 10, 10),
                                 .n_data = (int)get(word, 20, 4),
                                 .sequence = (uint8_t)get(word, 24, 6),
                                 .timed = get(word, 30, 1),
                                 .acknowledge = get(word, 31, 1),
                                 .source = (uint16_t)get(word, 32, 16)};
    size_t at = 16;
    if (c->timed) {
        c->time = packet_word(bytes + at);
        at += 8;
    }
    if (at + 8 > h.length || at + 4 + 4 * (size_t)c->n_data > h.length) {
        return false;
    }
    const uint64_t op = packet_word(bytes + at);
    c->address = (uint32_t)get(op, 0, 20);
    c->byte_enable = (uint8_t)get(op, 20, 4);
    c->operation = (uint8_t)get(op, 24, 4);
    c->status = (uint8_t)get(op, 30, 2);
    for (int i = 0; i < c->n_data; i++) {
        uint32_t value;
        memcpy(&value, bytes + at + 4 + 4 * (size_t)i, sizeof value);
        c->data[i] = le32toh(value);
    }
    return true;
}

size_t packet_control_write(uint8_t *bytes, uint16_t packet_sequence, const struct packet_control *c)
{
    const size_t at = c->timed ? 24 : 16, n = at + 4 + 4 * (size_t)(c->n_data > 0 ? c->n_data : 1);
    const size_t length = (n + 7) / 8 * 8;
    memset(bytes + at, 0, length - at);
    const struct packet_header h = {
        .type = PACKET_CONTROL, .sequence = packet_sequence, .length = (uint16_t)length, .destination = c->destination};
    packet_put_word(bytes, packet_header_word(&h));
    packet_put_word(bytes + 8, (uint64_t)c->source << 32 | (uint64_t)c->acknowledge << 31 | (uint64_t)c->timed << 30 |
                                   (uint64_t)c->sequence << 24 | (uint64_t)c->n_data << 20 |
                                   (uint64_t)c->source_port << 10 | c->destination_port);
    if (c->timed) {
        packet_put_word(bytes + 16, c->time);
    }
    packet_put_word(bytes + at, (uint64_t)c->status << 30 | (uint64_t)c->operation << 24 |
                                    (uint64_t)c->byte_enable << 20 | c->address);
    for (int i = 0; i < c->n_data; i++) {
        const uint32_t value = htole32(c->data[i]);
        memcpy(bytes + at + 4 + 4 * (size_t)i, &value, sizeof value);
    }
    return length;
}

bool packet_status_read(struct packet_status *s, const uint8_t *bytes, size_t n)
{
    struct packet_header h;
    if (!begins(&h, PACKET_STREAM_STATUS, bytes, n, 3)) {
        return false;
    }
    const uint64_t first = packet_word(bytes + 8), second = packet_word(bytes + 16);
    *s = (struct packet_status){.destination = h.destination,
                                .source = (uint16_t)get(first, 0, 16),
                                .broken = get(first, 16, 4) == SEQUENCE_ERROR,
                                .capacity_bytes = get(first, 24, 40),
                                .capacity_packets = (uint32_t)get(second, 0, 24),
                                .packets = get(second, 24, 40),
                                .bytes = packet_word(bytes + 24)};
    return true;
}

size_t packet_status_write(uint8_t *bytes, const struct packet_status *s)
{
    const struct packet_header h = {.type = PACKET_STREAM_STATUS, .length = 40, .destination = s->destination};
    packet_put_word(bytes, packet_header_word(&h));
    packet_put_word(bytes + 8, s->capacity_bytes << 24 | (uint64_t)(s->broken ? SEQUENCE_ERROR : 0) << 16 | s->source);
    packet_put_word(bytes + 16, s->packets << 24 | s->capacity_packets);
    packet_put_word(bytes + 24, s->bytes);
    packet_put_word(bytes + 32, 0);
    return h.length;
}

bool packet_command_read(struct packet_command *c, const uint8_t *bytes, size_t n)
{
    struct packet_header h;
    if (!begins(&h, PACKET_STREAM_COMMAND, bytes, n, 2)) {
        return false;
    }
    const uint64_t first = packet_word(bytes + 8);
    *c = (struct packet_command){.destination = h.destination,
                                 .source = (uint16_t)get(first, 0, 16),
                                 .kind = (enum packet_command_kind)get(first, 16, 4),
                                 .packets = get(first, 24, 40),
                                 .bytes = packet_word(bytes + 16)};
    return true;
}

size_t packet_command_write(uint8_t *bytes, const struct packet_command *c)
{
    const struct packet_header h = {.type = PACKET_STREAM_COMMAND, .length = 24, .destination = c->destination};
    packet_put_word(bytes, packet_header_word(&h));
    packet_put_word(bytes + 8, c->packets << 24 | (uint64_t)c->kind << 16 | c->source);
    packet_put_word(bytes + 16, c->bytes);
    return h.length;
}
