/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cells of a sweep: every combination of the values of its keys, the last key the fastest. Pure. */
#ifndef TUTTI_TOOLS_SWEEP_GRID_H
#define TUTTI_TOOLS_SWEEP_GRID_H

#include <stdint.h>

enum { GRID_MAX_AXES = 16, GRID_MAX_CELLS = 1000000 };

struct grid_axis {
    char *key, **value; /* [n] */
    int n;
};
struct grid {
    struct grid_axis axis[GRID_MAX_AXES];
    int n_axis;
    uint64_t n_cell; /* 1 without axes */
};

void grid_init(struct grid *grid);
void grid_free(struct grid *grid);
/* "KEY=A,B,..": commas inside brackets, braces and quotes belong to a value. TUTTI_EINVAL with a sentence,
 * TUTTI_ENOMEM. */
int grid_add(struct grid *grid, const char *text);
/* "A..B": the seeds of a network, as an axis of network.seed. */
int grid_add_seeds(struct grid *grid, const char *text);
const char *grid_value(const struct grid *grid, uint64_t cell, int axis);

#endif
