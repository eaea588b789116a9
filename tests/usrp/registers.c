/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Control packets: register reads and writes of the block list ("client zero") and of the radio block, and the events
 * that a channel reports by writing a register of the host. */
#include "device.h"

#include <string.h>

enum {
    PORT_CLIENT_ZERO = 0,
    PORT_RADIO = 1 + DEVICE_N_CHANNEL, /* behind the stream endpoints */
    PORT_WINDOW = 0x40,
    ADJACENCY = 0x10000,
    RADIO_BLOCK = 0x12ad1000,
    DEVICE_TYPE = 0xe320,
    PROTOCOL = 0x0100,
    LOG2_MTU_WORDS = 10, /* 8 KiB */
    LOG2_COMMANDS = 6,
    MAX_EVENTS = 32
};
enum {
    RADIO_COMPAT = 0x00,
    RADIO_TIME_LOW = 0x04,
    RADIO_TIME_HIGH = 0x08,
    RADIO_CHANNELS = 0x1000,
    RADIO_WIDTH = 0x1004
};
enum { CHANNEL_WINDOW = 0x80 };
enum channel_register {
    REG_RX_STATUS = 0x10,
    REG_RX_COMMAND = 0x14,
    REG_RX_LENGTH_LOW = 0x18,
    REG_RX_LENGTH_HIGH = 0x1c,
    REG_RX_TIME_LOW = 0x20,
    REG_RX_TIME_HIGH = 0x24,
    REG_RX_PACKET_WORDS = 0x28,
    REG_RX_ERROR_PORT = 0x2c,
    REG_RX_DATA = 0x3c,
    REG_TX_IDLE = 0x40,
    REG_TX_ERROR_PORT = 0x48
};

/* Source block and port, destination block and port: endpoints to the radio, the radio to endpoints. */
static uint32_t edge(int i)
{
    const uint32_t channel = (uint32_t)i % DEVICE_N_CHANNEL, endpoint = 1 + channel;
    return i < DEVICE_N_CHANNEL ? endpoint << 22 | 0 << 16 | (uint32_t)PORT_RADIO << 6 | channel
                                : (uint32_t)PORT_RADIO << 22 | channel << 16 | endpoint << 6 | 0;
}

static uint32_t read_client_zero(uint32_t address)
{
    switch (address) {
    case 0x00:
        return PROTOCOL;
    case 0x04:
        return 1u << 31 | 1u << 20 /* transports */ | 1u << 10 /* blocks */ | DEVICE_N_CHANNEL;
    case 0x08:
        return 2 * DEVICE_N_CHANNEL;
    case 0x0c:
        return (uint32_t)DEVICE_TYPE << 16;
    case 0x10:
        return DEVICE_N_CHANNEL; /* endpoints with control */
    case PORT_RADIO *PORT_WINDOW:
        return DEVICE_N_CHANNEL << 6 | DEVICE_N_CHANNEL << 12 | LOG2_COMMANDS << 18 | (uint32_t)MAX_EVENTS << 24;
    case PORT_RADIO *PORT_WINDOW + 4:
        return RADIO_BLOCK;
    case PORT_RADIO *PORT_WINDOW + 8:
        return LOG2_MTU_WORDS << 2 | 1 << 1 /* flushed */;
    case ADJACENCY:
        return 2 * DEVICE_N_CHANNEL;
    default:
        return address > ADJACENCY && address <= ADJACENCY + 8 * DEVICE_N_CHANNEL
                   ? edge((int)(address - ADJACENCY) / 4 - 1)
                   : 0;
    }
}

static struct channel *channel_at(struct device *d, uint32_t address, uint32_t *offset)
{
    const uint32_t c = (address - RADIO_CHANNELS) / CHANNEL_WINDOW;
    *offset = (address - RADIO_CHANNELS) % CHANNEL_WINDOW;
    return address >= RADIO_CHANNELS && c < DEVICE_N_CHANNEL ? &d->channel[c] : NULL;
}

static uint32_t read_radio(struct device *d, uint32_t address)
{
    switch (address) {
    case RADIO_COMPAT:
        return d->mismatch ? 9u << 16 : 1;
    case RADIO_TIME_LOW:
        return (uint32_t)device_now(d);
    case RADIO_TIME_HIGH:
        return (uint32_t)(device_now(d) >> 32);
    case RADIO_WIDTH:
        return 32u << 16 | 1;
    default:
        break;
    }
    uint32_t offset;
    const struct channel *c = channel_at(d, address, &offset);
    return c && (offset == REG_TX_IDLE || offset == REG_RX_DATA) ? c->registers.idle_word : 0;
}

/* Where events go: four registers in a row, for each direction. */
static bool write_error_target(struct channel_registers *r, uint32_t offset, uint32_t value)
{
    const bool receive = offset < REG_TX_IDLE;
    const uint32_t first = receive ? REG_RX_ERROR_PORT : REG_TX_ERROR_PORT;
    uint32_t *const target[] = {r->error_port, r->error_remote_port, r->error_remote_endpoint, r->error_address};
    if (offset < first || offset > first + 12) {
        return false;
    }
    target[(offset - first) / 4][receive] = value;
    return true;
}

static void write_radio(struct device *d, uint32_t address, uint32_t value)
{
    uint32_t offset;
    struct channel *c = channel_at(d, address, &offset);
    if (!c || write_error_target(&c->registers, offset, value)) {
        return;
    }
    switch (offset) {
    case REG_RX_COMMAND:
        receive_command(c, value);
        break;
    case REG_RX_LENGTH_LOW:
        c->registers.command_length_low = value;
        break;
    case REG_RX_LENGTH_HIGH:
        c->registers.command_length_high = value;
        break;
    case REG_RX_TIME_LOW:
        c->registers.command_time_low = value;
        break;
    case REG_RX_TIME_HIGH:
        c->registers.command_time_high = value;
        break;
    case REG_RX_PACKET_WORDS:
        c->registers.packet_words = value;
        break;
    case REG_TX_IDLE:
        c->registers.idle_word = value;
        break;
    default:
        break;
    }
}

static uint32_t read_register(struct device *d, uint16_t port, uint32_t address)
{
    return port == PORT_RADIO ? read_radio(d, address) : port == PORT_CLIENT_ZERO ? read_client_zero(address) : 0;
}

void registers_serve(struct device *d, const uint8_t *bytes, size_t n, const struct sockaddr_in *from)
{
    struct packet_control c;
    uint8_t out[PACKET_ROOM];
    struct packet_header h;
    if (!packet_control_read(&c, bytes, n) || c.acknowledge || !packet_header_read(&h, bytes, n)) {
        return; /* what the host acknowledges was an event */
    }
    link_remember(d, c.source, from);
    for (int i = 0; i < c.n_data; i++) {
        const bool block = c.operation == PACKET_BLOCK_READ || c.operation == PACKET_BLOCK_WRITE;
        const uint32_t address = c.address + (block ? 4 * (uint32_t)i : 0);
        if (c.operation == PACKET_READ || c.operation == PACKET_BLOCK_READ) {
            c.data[i] = read_register(d, c.destination_port, address);
        } else if (c.destination_port == PORT_RADIO) {
            write_radio(d, address, c.data[i]);
        }
    }
    if (d->world->verbose > 1) {
        device_say(d, "port %u op %u address 0x%05x n %d value 0x%08x", c.destination_port, c.operation, c.address,
                   c.n_data, c.data[0]);
    }
    const uint16_t own = c.destination, own_port = c.destination_port;
    c.acknowledge = true;
    c.destination = c.source;
    c.source = own;
    c.destination_port = c.source_port;
    c.source_port = own_port;
    link_reply(d, from, out, packet_control_write(out, h.sequence, &c));
}

void registers_tell(struct channel *channel, bool receive, uint32_t code, uint64_t tick)
{
    struct device *d = channel->device;
    const struct channel_registers *r = &channel->registers;
    uint64_t *const counts[2][4] = {{NULL, &d->counts.underruns, &d->counts.late, &d->counts.bursts},
                                    {NULL, &d->counts.late_commands, &d->counts.overruns, NULL}};
    *counts[receive][code] += 1;
    const struct packet_control c = {.destination = (uint16_t)r->error_remote_endpoint[receive],
                                     .source = d->channel[0].endpoint, /* the one with control */
                                     .destination_port = (uint16_t)(r->error_remote_port[receive] & 0x3ff),
                                     .source_port = (uint16_t)(r->error_port[receive] & 0x3ff),
                                     .sequence = (uint8_t)(d->event_sequence & 0x3f),
                                     .timed = true,
                                     .time = tick,
                                     .address = r->error_address[receive],
                                     .byte_enable = 0xf,
                                     .operation = PACKET_WRITE,
                                     .n_data = 1,
                                     .data = {code}};
    uint8_t out[64];
    const size_t n = packet_control_write(out, d->event_sequence++, &c);
    device_say(d, "%s channel %d event %u at tick %llu", receive ? "receive" : "transmit", channel->index, code,
               (unsigned long long)tick);
    link_send(d, c.destination, out, n);
}
