/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The true channels, as docs/files.md lays them out: one row per block that passed. Carrier offsets and phase noise are
 * not in it. Writes a file while the network runs. */
#ifndef TUTTI_AIR_TRUTH_H
#define TUTTI_AIR_TRUTH_H

#include "hw/air/links.h"

typedef struct truth truth_t;

/* *truth = NULL and success when air.truth is empty. */
int truth_create(truth_t **truth, const struct config *config, const struct frame *frame, const struct links *links);
/* Call whenever links holds new coefficients (context = truth_t, NULL allowed): writes the block's row when they are
 * those of the middle of the downlink. Errors are kept and told by truth_close. */
void truth_update(void *truth);
int truth_close(truth_t *truth); /* NULL allowed */

#endif
