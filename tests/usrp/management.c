/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Management packets: a host walks transport, crossbar and stream endpoints hop by hop, asks what they are and writes
 * their registers. Answers go into the last hop. */
#include "device.h"

#include <string.h>

enum node { NODE_CROSSBAR = 1, NODE_ENDPOINT = 2, NODE_TRANSPORT = 3 };
enum { N_TRANSPORT = 1, MAX_ANSWER = 32 };
enum endpoint_register {
    REG_ENDPOINT = 0x00,
    REG_OUT_STATUS = 0x08,
    REG_OUT_DESTINATION = 0x0c,
    REG_CAPACITY_LOW = 0x20,
    REG_CAPACITY_HIGH = 0x24,
    REG_CAPACITY_PACKETS = 0x28,
    REG_IN_STATUS = 0x38
};
/* Flow control is on; no error, nothing pending. */
#define STATUS_READY 0x80000000u

struct walk {
    struct device *device;
    const struct sockaddr_in *from;
    enum node node;
    int port; /* of the crossbar */
    uint16_t source;
    bool returns;
    int n_answer;
    uint64_t answer[MAX_ANSWER];
};

static void answer(struct walk *w, enum packet_step step, uint64_t payload)
{
    if (w->n_answer < MAX_ANSWER) {
        w->answer[w->n_answer++] = packet_op(0, step, payload);
    }
}

static struct channel *channel_of(const struct walk *w)
{
    const int c = w->port - N_TRANSPORT;
    return w->node == NODE_ENDPOINT && c >= 0 && c < DEVICE_N_CHANNEL ? &w->device->channel[c] : NULL;
}

/* device, kind, instance, and what else there is to say of a node. */
static uint64_t node_info(const struct walk *w)
{
    uint64_t instance = 0, more = 0;
    if (w->node == NODE_CROSSBAR) {
        more = (uint64_t)N_TRANSPORT << 8 | (N_TRANSPORT + DEVICE_N_CHANNEL);
    } else if (w->node == NODE_ENDPOINT) {
        instance = (uint64_t)(w->port - N_TRANSPORT);
        more = 1 /* control */ | 1 << 1 /* data */ | 1 << 2 /* inputs */ | 1 << 8 /* outputs */;
    }
    return w->device->number | (uint64_t)w->node << 16 | instance << 20 | more << 30;
}

static void write_register(struct walk *w, uint32_t address, uint32_t value)
{
    struct channel *c = channel_of(w);
    if (!c) {
        return; /* routes of the crossbar: there is one way only */
    }
    switch (address) {
    case REG_ENDPOINT:
        c->endpoint = (uint16_t)value;
        break;
    case REG_OUT_DESTINATION:
        c->destination = (uint16_t)value;
        break;
    case REG_OUT_STATUS:
        c->out_status = value;
        if (value & 1) {
            receive_connect(c);
        }
        break;
    case REG_IN_STATUS:
        c->in_status = value;
        break;
    default:
        break;
    }
}

static uint32_t read_register(const struct walk *w, uint32_t address)
{
    const struct channel *c = channel_of(w);
    if (!c) {
        return 0;
    }
    switch (address) {
    case REG_ENDPOINT:
        return c->endpoint;
    case REG_OUT_STATUS:
        return STATUS_READY;
    case REG_CAPACITY_LOW:
        return (uint32_t)c->receive.capacity.bytes;
    case REG_CAPACITY_HIGH:
        return (uint32_t)(c->receive.capacity.bytes >> 32);
    case REG_CAPACITY_PACKETS:
        return (uint32_t)c->receive.capacity.packets;
    default:
        return 0;
    }
}

static void step(struct walk *w, uint64_t op, int *selected)
{
    const uint64_t payload = packet_op_payload(op);
    const uint32_t address = (uint32_t)(payload & 0xffff), value = (uint32_t)(payload >> 16);
    switch (packet_op_step(op)) {
    case PACKET_SELECT:
        *selected = (int)(payload & 0xffff);
        break;
    case PACKET_RETURN:
        w->returns = true;
        break;
    case PACKET_INFO_REQUEST:
        answer(w, PACKET_INFO, node_info(w));
        break;
    case PACKET_CONFIG_WRITE:
        write_register(w, address, value);
        break;
    case PACKET_CONFIG_READ:
        answer(w, PACKET_CONFIG_VALUE, (uint64_t)read_register(w, address) << 16 | address);
        break;
    case PACKET_ADVERTISE:
        link_remember(w->device, w->source, w->from);
        break;
    default:
        break;
    }
}

/* The next node after a hop; false when there is none. */
static bool go_on(struct walk *w, int selected)
{
    if (w->node == NODE_TRANSPORT) {
        w->node = NODE_CROSSBAR;
        return true;
    }
    w->port = selected;
    w->node = NODE_ENDPOINT;
    return selected >= N_TRANSPORT && selected < N_TRANSPORT + DEVICE_N_CHANNEL;
}

static void send_back(struct walk *w, uint64_t head, uint16_t sequence, uint16_t length)
{
    uint8_t out[8 * (3 + MAX_ANSWER)];
    const struct packet_header h = {
        .type = PACKET_MANAGEMENT, .sequence = sequence, .length = length, .destination = w->source};
    packet_put_word(out, packet_header_word(&h));
    packet_put_word(out + 8, (head & ~UINT64_C(0x3ffffff)) | UINT64_C(1) << 16);
    packet_put_word(out + 16, packet_op(w->n_answer, PACKET_NOP, 0));
    for (int i = 0; i < w->n_answer; i++) {
        packet_put_word(out + 24 + 8 * i, w->answer[i] | (uint64_t)(w->n_answer - 1 - i));
    }
    link_reply(w->device, w->from, out, length);
}

void management_serve(struct device *d, const uint8_t *bytes, size_t n, const struct sockaddr_in *from)
{
    struct packet_header h;
    if (n < 16 || !packet_header_read(&h, bytes, n)) {
        return;
    }
    const uint64_t head = packet_word(bytes + 8);
    struct walk w = {.device = d, .from = from, .node = NODE_TRANSPORT, .source = (uint16_t)(head & 0xffff)};
    link_remember(d, w.source, from);
    int selected = -1;
    for (size_t at = 16; at + 8 <= n && !w.returns; at += 8) {
        const uint64_t op = packet_word(bytes + at);
        step(&w, op, &selected);
        if (packet_op_following(op) == 0 && !w.returns) {
            if (!go_on(&w, selected)) {
                return; /* nothing is connected there: no answer, as the crossbar's */
            }
            selected = -1;
        }
    }
    if (w.returns) {
        send_back(&w, head, h.sequence, (uint16_t)(8 * (3 + w.n_answer)));
    }
}
