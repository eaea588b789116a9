/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What medium.c (the clock) and peers.c (the connections) share. */
#ifndef TUTTI_AIR_MEDIUM_STATE_H
#define TUTTI_AIR_MEDIUM_STATE_H

#include "hw/air/medium.h"
#include "hw/air_message.h"
#include "hw/air_share.h"

/* One radio of the network file, connected or not. */
struct seat {
    enum air_role role;
    int id, n_ant;
    bool taken, present;    /* has said hello; has said start */
    bool shared;            /* the rings are in memory that the radio has mapped too */
    int peer;               /* index, while taken */
    struct air_share share; /* while taken */
    tutti_tick seen;        /* what was handed in before has been judged: late or not */
};

/* One connection. */
struct peer {
    int fd;            /* < 0 = free */
    struct seat *seat; /* NULL before hello */
    uint64_t since_ns; /* connected, or said hello */
    bool local;
    uint8_t bytes[AIR_HEADER_BYTES];
    struct air_header header;
    size_t have; /* bytes of the header, then of the payload */
    bool in_payload;
    uint8_t hello[AIR_HELLO_BYTES];
    /* tcp: the RX message under way */
    bool sending;
    uint8_t out_bytes[AIR_HEADER_BYTES];
    size_t out_sent, out_total;
};

struct medium {
    struct medium_settings set;
    int listener, poll_fd, timer_fd, board_fd;
    struct air_board *board;
    int n_radio, n_peer_max, n_remote; /* n_remote: seats taken over tcp */
    struct seat *seat;                 /* [n_radio] */
    struct peer *peer;                 /* [n_peer_max] */
    struct mixer_input *in;            /* [n_radio] as seen by the mixer */
    struct mixer_output *out;
    tutti_tick tick;
    bool running; /* the clock has started */
    bool ever_joined;
    int n_unvisited;     /* chunks since the sockets were looked at */
    uint64_t start_ns;   /* paced: when tick 0 was */
    uint64_t stalled_ns; /* lock-step: when somebody was first seen to wait for the others; 0 = nobody waits */
    struct medium_counters counters;
};

const char *seat_role(const struct seat *seat);
/* Its chunk at `tick` is in the ring. */
bool seat_handed(const struct seat *seat, tutti_tick tick);

/* peers.c: */
int peers_create(medium_t *medium); /* listens */
void peers_destroy(medium_t *medium);
/* One look at the sockets, and at the timer of paced mode; waits for them up to wait_ms. */
int peers_visit(medium_t *medium, int wait_ms);
/* Closes connections that say nothing; puts out who has not handed in while others wait, if `over`. */
void peers_enforce(medium_t *medium, uint64_t now_ns, bool over);
/* The radio may look at what is there: rings, or sends over tcp. */
void peers_deliver(medium_t *medium, struct seat *seat);
void medium_start_clock(medium_t *medium); /* medium.c, called by peers.c when a radio starts */

#endif
