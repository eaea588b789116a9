/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults injected into the links with the APs (fronthaul.faults, `tutti fault`). Whether a message is lost is a hash of
 * seed, AP, block and direction, so two lock-step runs lose the same ones. In lock-step nobody waits for what was
 * dropped here: the block closes without the AP, and the AP is told that it gets no precoder. In paced mode a lost
 * message is as if it had never arrived. All but faults_command belong to the block thread. */
#ifndef TUTTI_CPU_NODE_FAULTS_H
#define TUTTI_CPU_NODE_FAULTS_H

#include "base/config.h"
#include "base/ring.h"

/* What was done to a message of a block and an AP: bits of /faults/injected. */
enum cpu_fault {
    CPU_FAULT_CSI_LOST,
    CPU_FAULT_PRECODER_LOST,
    CPU_FAULT_CSI_DELAYED,
    CPU_FAULT_PRECODER_DELAYED,
    CPU_FAULT_CSI_REORDERED,
    CPU_FAULT_PRECODER_REORDERED,
    CPU_FAULT_SILENT,
    CPU_FAULT_PARTITION,
    CPU_FAULT_UPLINK_LOST, /* known after its block is recorded: only counted */
    CPU_FAULT_UPLINK_DELAYED,
    CPU_N_FAULTS
};
enum fault_direction { FAULT_UP, FAULT_DOWN, FAULT_UPLINK /* users' data, upwards too */ };
enum fault_verdict { FAULT_PASS, FAULT_LOST, FAULT_HELD /* copied, comes later */ };

struct faults_settings {
    struct config_faults first;
    int n_ap;
    uint64_t seed;
    double block_us;
    bool lockstep;
};
struct faults;

int faults_create(struct faults **faults, const struct faults_settings *settings);
void faults_destroy(struct faults *faults); /* NULL and half-built allowed */

enum fault_verdict faults_judge(struct faults *faults, int ap, uint64_t block, enum fault_direction direction,
                                uint64_t now_ns, const uint8_t *data, size_t n_bytes);
/* mask [n_ap] of a recent block. */
void faults_of_block(const struct faults *faults, uint64_t block, int64_t *mask);
/* Takes new settings and hands out the messages that are due. */
typedef void faults_deliver_fn(void *context, int ap, enum fault_direction direction, const uint8_t *data,
                               size_t n_bytes);
void faults_turn(struct faults *faults, uint64_t now_ns, faults_deliver_fn *deliver, void *context);
/* How long until the next one is due (INT64_MAX: none). */
int64_t faults_next_us(const struct faults *faults, uint64_t now_ns);
void faults_print_counters(const struct faults *faults);

/* Record thread: an observer's message; false if it is no fault command, else obeyed, and *answer is the JSON to send
 * back (caller frees; NULL without memory). */
bool faults_command(struct faults *faults, const char *json, char **answer);

#endif
