/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by iq.c (slot thread, start-up) and iq_writer.c (writer thread) only. */
#ifndef TUTTI_NODE_IQ_STATE_H
#define TUTTI_NODE_IQ_STATE_H

#include "base/ring.h"
#include "hw/sigmf.h"
#include "node/iq.h"
#include "node/thread.h"

#include <sodium.h>
#include <stdatomic.h>

enum iq_piece_kind { IQ_SAMPLES, IQ_LOST, IQ_DROPPED, IQ_HISTORY };

/* Blocks whose history is kept: a replay may come to itself a block or two behind a gap. */
enum { IQ_HISTORY_BLOCKS = 4 };

/* A ring slot. */
struct iq_piece {
    enum iq_piece_kind kind;
    int n;            /* samples of every antenna */
    tutti_tick tick;  /* of the first; IQ_HISTORY: the block */
    uint64_t n_gone;  /* IQ_LOST, IQ_DROPPED: samples missing from tick on; IQ_HISTORY: numbers, in `samples` */
    uint64_t n_after; /* IQ_LOST, IQ_DROPPED: as in struct sigmf_annotation */
    uint64_t wall_ns; /* of the first sample */
    uint64_t unused[2];
    tutti_cf32 samples[]; /* [n_ant][piece_samples] */
};

enum iq_end { IQ_GOES_ON, IQ_COMPLETE, IQ_TIME_CHANGED, IQ_CLOSED, IQ_FAILED };

struct node_iq {
    struct node_iq_settings settings;
    int n_ant, piece_samples;
    char *dir, *name, *config_text; /* folder, collection, kept with it */
    ring_t *ring;
    int event, room_event;
    atomic_bool slot_waits;
    _Atomic int end;  /* enum iq_end, set by the slot thread */
    atomic_bool over; /* set by the writer: nothing is taken any more */
    struct node_thread thread;

    /* the slot thread's */
    tutti_tick from, to, next; /* recorded range, to 0 = no end; next sample expected */
    bool begun;
    int history_left;                    /* blocks whose history is still to be kept */
    tutti_tick dropped_from, dropped_to; /* no room for what lies between, not yet told; equal: nothing */
    uint64_t n_dropped;                  /* samples to keep among it */

    /* the writer's */
    struct sigmf_meta *meta; /* [n_ant] */
    struct sigmf_track track;
    int *fd;                        /* [n_ant] */
    crypto_hash_sha512_state *hash; /* [n_ant] */
    int16_t *integers;              /* [2 * piece_samples] */
    bool resumed;                   /* the files are not only this process's: hashed when they are complete */
    bool first_annotated;
    tutti_tick end_tick; /* behind the last sample written */
    uint64_t n_samples, n_lost, iq_dropped, n_inexact;
    uint64_t meta_due_ns;
};

/* iq_writer.c */
int iq_files_open(struct node_iq *iq);  /* start-up: files and metadata before the first sample */
int iq_write_metas(struct node_iq *iq); /* of all antennas, and the collection */
int iq_writer(void *iq);                /* body of the thread */
void iq_files_close(struct node_iq *iq);

#endif
