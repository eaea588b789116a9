/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What run.h5 says of attacks on a block's pilots and of secrecy by the closed forms: the detector works whether or not
 * there is an eavesdropper in the configuration, it knows only the estimates. Measured rates follow from reports. */
#ifndef TUTTI_CPU_NODE_RECORD_SECRECY_H
#define TUTTI_CPU_NODE_RECORD_SECRECY_H

#include "base/config.h"
#include "cpu_node/block.h"
#include "cpu_node/record/run_file.h"
#include "phy/frame.h"

struct secrecy;

/* config and frame outlive it. */
int secrecy_create(struct secrecy **secrecy, const struct config *config, const struct frame *frame, run_file_t *file);
void secrecy_destroy(struct secrecy *secrecy); /* NULL and half-built allowed */
/* A block in turn: judges its estimates. */
void secrecy_block(struct secrecy *secrecy, const struct cpu_block *block);
/* Of the block that came last: power [n_ap][n_ue] received on users' pilots over noise, 0 = none; suspected [n_ue]. */
const double *secrecy_power(const struct secrecy *secrecy);
const uint8_t *secrecy_suspected(const struct secrecy *secrecy);
/* Estimates of all users passed over as wild, in one line of the log. */
void secrecy_log_counters(const struct secrecy *secrecy);
/* A user has (re)joined: what was learnt of its pilot's power is forgotten. */
void secrecy_user_joined(struct secrecy *secrecy, int user);

#endif
