/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An emulated E320-like device and the world of all of them: what the files of this room share. One thread runs
 * everything but discovery; a device is three sockets (discovery, RPC, packets) at a loopback address of its own, one
 * motherboard with two channels, and a clock of the world's samples. */
#ifndef TUTTI_TESTS_USRP_DEVICE_H
#define TUTTI_TESTS_USRP_DEVICE_H

#include "packet.h"
#include "timekeeper.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    DEVICE_N_CHANNEL = 2,
    DEVICE_N_PEER = 64,       /* endpoints of hosts whose addresses are remembered */
    DEVICE_N_CONNECTION = 16, /* RPC */
    DEVICE_TX_PACKETS = 256,  /* a channel's transmit buffer */
    DEVICE_DISCOVERY_PORT = 49600,
    DEVICE_RPC_PORT = 49601,
    DEVICE_PACKET_PORT = 49153
};

struct world;
struct device;
struct msgpack_unpacker;

struct flow {
    uint64_t bytes, packets;
};

/* An access to a channel's window of registers; times are device ticks. */
struct channel_registers {
    uint32_t command_length_low, command_length_high, command_time_low, command_time_high, packet_words, idle_word;
    /* Where events go: [0] transmit, [1] receive. */
    uint32_t error_port[2], error_remote_port[2], error_remote_endpoint[2], error_address[2];
};

enum receive_state { RECEIVE_IDLE, RECEIVE_ARMED, RECEIVE_RUNNING, RECEIVE_STOPPING };
struct receiver {
    enum receive_state state;
    bool timed, continuous;
    uint64_t start, left; /* device ticks */
    uint16_t sequence;
    struct flow sent, acknowledged, capacity;
    bool connected; /* the host has told its capacity */
    uint64_t first; /* device tick of samples[0] */
    int n_samples;  /* in the packet being built */
    int16_t samples[PACKET_ROOM / 2];
    int n_to_lose, n_to_start_late; /* faults: packets to drop, starts to miss */
};

struct transmit_packet {
    bool timed, end_of_burst;
    uint64_t time; /* device ticks */
    int n, at;     /* samples, those played */
    size_t n_bytes;
    int16_t samples[PACKET_ROOM / 2];
};
struct transmitter {
    bool in_burst;
    uint64_t next;                 /* in a burst: the device tick that comes next */
    struct transmit_packet *queue; /* [DEVICE_TX_PACKETS] */
    int head, n_queued;
    struct flow consumed, reported, frequency;
    uint16_t host;                            /* endpoint that wants reports, 0 = nobody */
    uint64_t starved_ns;                      /* elastic: since when a burst lacks samples; 0 = it does not */
    int n_to_be_late, n_to_starve, n_to_lose; /* faults */
    bool cutting;                             /* the rest of a burst is thrown away */
    uint16_t sequence;                        /* expected next */
    bool broken;                              /* a packet was missing: to be reported */
};

/* A stream endpoint and the channel of the radio behind it. */
struct channel {
    struct device *device;
    int index;
    uint16_t endpoint, destination; /* own, and of the host that receives */
    uint32_t out_status, in_status;
    struct channel_registers registers;
    struct receiver receive;
    struct transmitter transmit;
    double rx_gain_db, tx_gain_db;
};

/* What happened at a device so far. */
struct device_counts {
    uint64_t bursts, late, underruns, overruns, late_commands, lost, sessions;
};

struct peer {
    uint16_t endpoint;
    struct sockaddr_in address;
};

struct connection {
    int fd;     /* -1 = free */
    bool owner; /* its session ends when it closes */
    struct msgpack_unpacker *unpacker;
};

struct device {
    struct world *world;
    int id;
    char address[16], serial[16];
    int discovery_fd, rpc_fd, packet_fd;
    uint16_t number; /* what RFNoC calls the device */
    uint16_t event_sequence;
    struct peer peer[DEVICE_N_PEER];
    int n_peer;
    struct connection connection[DEVICE_N_CONNECTION];
    char token[32]; /* "" = nobody's */
    char clock_source[16], time_source[16];
    uint64_t rate; /* that its host has set; streams only when it is the world's */
    struct timekeeper time;
    struct channel channel[DEVICE_N_CHANNEL];
    /* Faults that last. */
    bool unlocked, mismatch;
    bool turned; /* transmitters have gains of their own */
    tutti_cf32 chain[DEVICE_N_CHANNEL];
    atomic_bool gone;
    bool has_streamed;
    uint64_t first_stream; /* world sample */
    struct device_counts counts;
    uint64_t deaf_until_ns; /* RPC */
};

enum world_clock { WORLD_ELASTIC, WORLD_REAL };
enum { WORLD_N_PLANNED = 16 };
struct planned_fault {
    int device;
    char text[64];
    double at_s;
    bool done;
};
struct ether;
struct keep;
struct world {
    enum world_clock clock;
    uint64_t rate;     /* samples a second */
    bool fixed_rate;   /* a network's: devices cannot stream with another one */
    int chunk;         /* samples computed at a time; divides the rate */
    uint64_t now;      /* samples since start_ns */
    uint64_t start_ns; /* monotonic, of sample 0, an integer second of the wall clock */
    int64_t skew_ns;   /* that the clock is ahead of the wall's while nobody streams; < 0 = behind */
    uint64_t due_ns;   /* elastic, while somebody streams: when the next chunk is, at the earliest; 0 = nobody does */
    double speed;      /* elastic: how much faster than real time it may run */
    uint64_t start_second;  /* wall clock, of sample 0 */
    uint64_t patience_ns;   /* elastic: so long it waits for the rest of a burst before that is an underrun */
    uint32_t first_address; /* of device 0, host order */
    double ahead_us;        /* elastic: how far it may be ahead of what hosts have acknowledged */
    int verbose;
    int n_device;
    struct device *device;
    int n_planned;
    struct planned_fault planned[WORLD_N_PLANNED];
    pthread_mutex_t lock; /* held by the main thread while it works, and for faults */
    pthread_t discovery;
    struct pollfd *discovery_fds;
    bool discovery_runs;
    atomic_bool discovery_stop;
    struct ether *ether;
    const char *keep_folder; /* NULL: nothing is kept */
    struct keep *keep;
    tutti_cf32 *tx, *rx; /* [n_device][DEVICE_N_CHANNEL][chunk] */
    bool *loud;          /* [n_device][DEVICE_N_CHANNEL] something was transmitted in the chunk */
};

/* device.c */
int device_open(struct device *device, struct world *world, int id);
void device_close(struct device *device); /* zeroed or closed before: nothing happens */
void device_end_session(struct device *device);
uint64_t device_now(struct device *device);
uint64_t device_last_pulse(struct device *device);
void device_set_time(struct device *device, uint64_t ticks, bool at_pulse);
void device_set_rate(struct device *device, double rate_hz);
void device_say(const struct device *device, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* link.c: packets in and out */
void link_serve(struct device *device);
void link_send(struct device *device, uint16_t endpoint, const uint8_t *bytes, size_t n);
void link_reply(struct device *device, const struct sockaddr_in *to, const uint8_t *bytes, size_t n);
void link_remember(struct device *device, uint16_t endpoint, const struct sockaddr_in *from);

/* management.c, registers.c */
void management_serve(struct device *device, const uint8_t *bytes, size_t n, const struct sockaddr_in *from);
void registers_serve(struct device *device, const uint8_t *bytes, size_t n, const struct sockaddr_in *from);

/* An event of a channel, told by a register write to the host. */
enum event_kind { EVENT_UNDERRUN = 1, EVENT_LATE = 2, EVENT_BURST_DONE = 3, EVENT_LATE_COMMAND = 1, EVENT_OVERRUN = 2 };
void registers_tell(struct channel *channel, bool receive, uint32_t code, uint64_t tick);

/* receive.c: a channel's receiver */
void receive_command(struct channel *channel, uint32_t word);
void receive_connect(struct channel *channel); /* the host wants the stream: agrees on flow control */
void receive_acknowledge(struct channel *channel, const struct packet_status *status);
/* Samples of ticks tick..tick+n-1. */
void receive_samples(struct channel *channel, uint64_t tick, const tutti_cf32 *samples, int n);
void receive_overrun(struct channel *channel, uint64_t tick);
int16_t receive_converted(float x); /* as on the wire */
/* Elastic: samples that may still be made before the host must have acknowledged some. */
uint64_t receive_room(const struct channel *channel);
void receive_reset(struct channel *channel);

/* transmit.c: a channel's transmitter */
void transmit_take(struct channel *channel, const struct packet_header *header, const uint8_t *bytes);
void transmit_command(struct channel *channel, const struct packet_command *command);
/* What is sent in ticks tick..tick+n-1, zeros where nothing is; false = all zeros, and `out` is not filled. */
bool transmit_samples(struct channel *channel, uint64_t tick, tutti_cf32 *out, int n);
/* Elastic: whether the next n samples are better waited for, because a burst lacks some of them. */
bool transmit_starves(struct channel *channel, uint64_t tick, int n, uint64_t now_ns);
void transmit_reset(struct channel *channel);

/* discovery.c: a thread of its own */
int discovery_start(struct world *world);
void discovery_stop(struct world *world); /* not started: nothing */

/* rpc.c, methods.c */
void rpc_accept(struct device *device);
void rpc_serve(struct device *device, struct connection *connection);
void rpc_close(struct device *device, struct connection *connection);

/* world.c */
void world_set_rate(struct world *world, uint64_t rate);
/* Before a device streams: makes its rate the world's if nobody streams with another one; false = that cannot be. */
bool world_agree(struct world *world, const struct device *device);
/* Time since sample 0, in samples of another rate. */
uint64_t world_count(const struct world *world, uint64_t rate);
/* Computes what is due; returns how long until something is, ns. */
uint64_t world_advance(struct world *world);
/* How far its clock is ahead of the wall's, us. */
double world_skew_us(const struct world *world);

#endif
