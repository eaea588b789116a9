/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio of somebody else's in the emulated air: samples go to and fro between a seat and sockets as GNU Radio and
 * srsRAN have them (hw/zmq_port.h), a pair per antenna. Chunk by chunk: what it transmits is asked for, handed in, what
 * arrived is handed out; so the sample that it sends and the one that it receives with one number are of one tick.
 * While nobody answers the seat is silent and time goes on. One thread. */
#ifndef TUTTI_TOOLS_GATE_GATE_H
#define TUTTI_TOOLS_GATE_GATE_H

#include "base/config.h"

enum { GATE_MAX_ANT = TUTTI_MAX_ANT };

struct gate_settings {
    const struct config *config;
    enum config_role role;
    int id, n_ant;
    const char *tx[GATE_MAX_ANT], *rx[GATE_MAX_ANT]; /* where it gives what it sends; where it asks for what arrives */
    double gone_ms;                                  /* so long without a byte: it has left */
};

/* Until stopped or the medium is gone: negative with the sentence set. */
int gate_run(const struct gate_settings *settings);

#endif
