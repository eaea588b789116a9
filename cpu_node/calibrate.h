/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calibrations of a running network: orders the APs to sound each other for some blocks, collects what they heard,
 * solves in a thread of its own, writes the file, and sends every AP its coefficients with the block from which on they
 * count. The block thread's, but for what says otherwise; nothing of it is on the block path, except that in lock-step
 * a solve is waited for, since nothing may depend on the machine's speed. */
#ifndef TUTTI_CPU_NODE_CALIBRATE_H
#define TUTTI_CPU_NODE_CALIBRATE_H

#include "base/config.h"
#include "cpu_node/block.h"
#include "phy/frame.h"

struct calibrate_settings {
    const struct config *config; /* these outlive it */
    const struct frame *frame;
    struct block_shape shape;
    bool lockstep;
    void (*send)(void *context, int ap, const char *json);            /* a control message to an AP */
    void (*say)(void *context, uint64_t block, const char *sentence); /* a line of the log and of the time line */
    void *context;
};
typedef struct calibrate calibrate_t;

/* Reads calibration.file if it is there. */
int calibrate_create(calibrate_t **calibrate, const struct calibrate_settings *settings);
int calibrate_start(calibrate_t *calibrate);    /* the thread */
void calibrate_destroy(calibrate_t *calibrate); /* NULL and half-built allowed */

/* An AP has joined: it gets the coefficients in force. now: the newest block. */
void calibrate_joined(calibrate_t *calibrate, int ap, uint64_t now);
/* sync.mode air: it has joined after the calibration in force, or there is none yet, and its phase begins anywhere:
 * until the next one, which calibrate asks for itself where calibration.at_start or when_stale allow it, its estimates
 * fit nobody's. The reference's do, before the first one. */
bool calibrate_excludes(const calibrate_t *calibrate, int ap, uint64_t block);
/* A measurement as it came. */
void calibrate_hear(calibrate_t *calibrate, int ap, const uint8_t *data, size_t n_bytes);
/* Block `number` has been pushed: begins, goes on, ends a run. alive [n_ap]. */
void calibrate_turn(calibrate_t *calibrate, uint64_t number, const uint8_t *alive);
/* Number of the calibration by which the APs' estimates of a block are turned; 0: none. */
uint32_t calibrate_in_force(const calibrate_t *calibrate, uint64_t block);

/* Any thread: asks for a run; its number, or a negative code with the sentence when there can be none. */
int64_t calibrate_request(calibrate_t *calibrate);

enum calibrate_state {
    CALIBRATE_IDLE,
    CALIBRATE_ASKED,
    CALIBRATE_SOUNDING,
    CALIBRATE_SOLVING,
    CALIBRATE_DONE,
    CALIBRATE_FAILED
};
struct calibrate_report {
    enum calibrate_state state;
    uint32_t run;          /* of the newest one */
    double done;           /* share of its blocks */
    double error_rad;      /* standard deviation of a coefficient, relative */
    double residual_ratio; /* misfit over what noise explains */
    char sentence[240];    /* why it failed */
};
/* Any thread. */
void calibrate_report(calibrate_t *calibrate, struct calibrate_report *report);

#endif
