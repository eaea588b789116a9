/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a node's antennas receive, written as SigMF (record.iq, docs/recordings.md). The slot thread copies samples into
 * a ring; a thread of its own writes them. The ring is bounded: where time does not wait and the disk is slower than
 * the radio, samples are dropped, counted, and the recording goes on behind the gap. A disk that is full ends the
 * recording and nothing else. */
#ifndef TUTTI_NODE_IQ_H
#define TUTTI_NODE_IQ_H

#include "base/config.h"
#include "hw/radio.h"
#include "phy/frame.h"

typedef struct node_iq node_iq_t;

struct node_iq_settings {
    const struct config *config; /* kept by reference */
    const struct frame *frame;   /* the same */
    enum config_role role;
    int id;
    struct radio_info info; /* of the open radio */
    uint64_t session;
    tutti_tick epoch;
};

/* Start-up: makes folder and files, starts the thread. *iq stays NULL when record.iq does not ask for this node. A
 * recording of this node that lies there is gone on with if it is of the same network. Errors: TUTTI_EIO,
 * TUTTI_EREFUSED (something else lies there), with a sentence; *iq is to be destroyed even then. */
int node_iq_create(node_iq_t **iq, const struct node_iq_settings *settings);
/* Slot thread, after every radio_recv: no allocation, no system call in real time; with repeatable radios it waits for
 * the writer. epoch: the network's as the node knows it now; when it changes, or time goes back, the recording ends. */
void node_iq_take(node_iq_t *iq, tutti_cf32 *const *samples, const struct radio_got *got, tutti_tick epoch);
/* Slot thread: n numbers (a few hundred) that what is made of block's samples depends on besides them. Kept for
 * a few blocks where the recording begins and behind samples it lacks, so that a replay has them from there on. */
void node_iq_history(node_iq_t *iq, uint64_t block, const double *values, int n);
/* Every sample is wanted: the radio must not be told that some are not. */
bool node_iq_wants(const node_iq_t *iq);
/* Waits until all is written. NULL allowed. */
void node_iq_destroy(node_iq_t *iq);

#endif
