/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What users should measure, with every loss that is known of (mimo/expected.h; in emulation the air's settings tell),
 * and whether they measure less than that because the calibration has grown old. The record thread's. */
#ifndef TUTTI_CPU_NODE_RECORD_LOSSES_H
#define TUTTI_CPU_NODE_RECORD_LOSSES_H

#include "base/config.h"
#include "cpu_node/block.h"
#include "cpu_node/record/run_file.h"
#include "phy/frame.h"

struct losses;

/* config, frame and file outlive it. */
int losses_create(struct losses **losses, const struct config *config, const struct frame *frame, run_file_t *file);
void losses_destroy(struct losses *losses); /* NULL and half-built allowed */
/* A block in turn: its row of /sinr_expected and /loss_db. True: users lose more than 1 dB beyond what is known, in the
 * mean over the last LOSSES_BLOCKS blocks; told once per calibration. *loss_db: how much. */
enum { LOSSES_BLOCKS = 50 };
bool losses_block(struct losses *losses, const struct cpu_block *block, double *loss_db);

#endif
