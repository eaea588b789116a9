/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio's connection to the emulated medium: joining it, and moving the rings' words on. On one host the samples are
 * in memory that the medium sees too, so handing in and waiting cost a store, a look and at most one wake-up; over tcp
 * the same calls carry the samples. One thread. */
#ifndef TUTTI_HW_AIR_PORT_H
#define TUTTI_HW_AIR_PORT_H

#include "hw/air_message.h"
#include "hw/air_share.h"

typedef struct air_port air_port_t;

struct air_port_settings {
    const char *endpoint;
    enum air_role role;
    int id, n_ant, chunk; /* chunk: wished, 0 = the medium's */
    struct air_hello hello;
    int poll_ms; /* between looks at the stop flag */
};

/* Connects, patiently, and says hello. Errors: TUTTI_ECONFIG, TUTTI_EDEVICE (nobody there, or not a medium),
 * TUTTI_EREFUSED, TUTTI_ESTOPPED. *port is set even then, to be closed. */
int air_port_open(air_port_t **port, const struct air_port_settings *settings);
void air_port_close(air_port_t *port);                          /* NULL allowed */
const struct air_share *air_port_share(const air_port_t *port); /* with the medium's chunk */
bool air_port_paced(const air_port_t *port);
bool air_port_shared(const air_port_t *port);
uint64_t air_port_wakeups(const air_port_t *port);

/* From now on the medium waits for this radio; *first = tick of its first chunk. */
int air_port_start(air_port_t *port, tutti_tick *first);
/* TX chunks from `from` to `to` are in the ring, `filled` set where there is signal. Blocks only over tcp. */
int air_port_hand_in(air_port_t *port, tutti_tick from, tutti_tick to);
/* Until RX chunks before `tick` are there or lost. Errors: TUTTI_EDEVICE (the medium is gone, or put this radio out),
 * TUTTI_ESTOPPED. */
int air_port_wait(air_port_t *port, tutti_tick tick);

#endif
