/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The record thread: the recording, the lab link with users, eavesdroppers and observers, the live status. It may be
 * slow; the block thread never waits for it on a radio or in paced mode (a block that finds no room is not recorded,
 * counted) and waits for room in lock-step, where nothing may depend on the machine. Blocks change hands by pointer. */
#ifndef TUTTI_CPU_NODE_RECORD_RECORDER_H
#define TUTTI_CPU_NODE_RECORD_RECORDER_H

#include "base/config.h"
#include "cpu_node/block.h"
#include "cpu_node/calibrate.h"
#include "cpu_node/faults.h"
#include "cpu_node/record/uplink.h"
#include "cpu_node/schedule.h"
#include "cpu_node/slow.h"
#include "cpu_node/sync_watch.h"
#include "fronthaul/hub.h"
#include "fronthaul/wire.h"
#include "node/roster.h"
#include "phy/frame.h"

enum { RECORDER_ROSTER_BYTES = 1024 }; /* of a roster as text */

struct recorder_settings {
    int id;                      /* which of several central nodes: users report to the first */
    const struct config *config; /* these outlive the recorder */
    const struct frame *frame;
    slow_t *slow;           /* hears every block; NULL = none */
    sync_watch_t *sync;     /* observers are told of it */
    calibrate_t *calibrate; /* observers ask it and are told of it */
    struct faults *faults;  /* for observers' commands */
    struct block_shape shape;
    struct fh_welcome welcome;
    const char *agreement; /* copied */
    bool lockstep;
};
typedef struct recorder recorder_t;

/* Opens the recording (TUTTI_EREFUSED when another process writes it, before anything is touched) and the lab link. */
int recorder_create(recorder_t **recorder, const struct recorder_settings *settings);
int recorder_start(recorder_t *recorder); /* the thread */
/* Ends the thread and, after a run that is complete, the users. Once is enough. */
void recorder_stop(recorder_t *recorder);
void recorder_destroy(recorder_t *recorder); /* NULL and half-built allowed */

/* Block thread, never blocking except as said above: */
/* Hands a block over; returns a free one in exchange, or the same one when there is no room. */
struct cpu_block *recorder_exchange(recorder_t *recorder, struct cpu_block *block);
/* An AP's account; false when there is no room (do not acknowledge it). */
bool recorder_account(recorder_t *recorder, int ap, const struct wire_account *account);
/* A line of the time line, also logged by the caller if it wants to; dropped when there is no room, counted. */
void recorder_event(recorder_t *recorder, uint64_t block, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Time started anew: users and eavesdroppers are welcomed anew. */
void recorder_rewelcome(recorder_t *recorder, const struct fh_welcome *welcome);
/* A roster goes out to users and eavesdroppers, and to those who come later. */
void recorder_roster(recorder_t *recorder, const struct roster *roster);
/* All users and eavesdroppers that are there know it (lock-step waits for that), in at most 100 ms. */
bool recorder_roster_heard(recorder_t *recorder, uint64_t from_block);
/* Who is there: user [n_ue]. */
void recorder_users(const recorder_t *recorder, struct schedule_user *user);
void recorder_aps_alive(recorder_t *recorder, int n_alive, int ap, bool up);

/* Uplink thread: a block's figures, copied; waits for room in lock-step. */
void recorder_uplink(recorder_t *recorder, const struct record_uplink_row *row);

/* Any thread: everything that was asked for is on disk. */
bool recorder_is_complete(const recorder_t *recorder);
/* After recorder_stop: writes that failed; what else was lost. */
uint64_t recorder_write_errors(const recorder_t *recorder);
void recorder_log_counters(const recorder_t *recorder);

#endif
