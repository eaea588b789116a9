/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The interleaver: coded bits in the order of the code to planes of axis values (phy/simd.h) and back. The code is cut
 * into SIMD_RUN rows, a column of them (bits n_column apart in the code) becomes a run of neighbours on the air, and
 * the runs lie in pseudo-random order, the same for everybody: neighbours in the code land on unrelated subcarriers,
 * symbols and label bits, whatever the shape of the frame. What fills no run is at the end of both. */
#ifndef TUTTI_PHY_INTERLEAVE_H
#define TUTTI_PHY_INTERLEAVE_H

#include "phy/simd.h"

struct interleave {
    const struct simd_ops *simd;
    int n_column, n_rest;
    uint32_t *at;   /* [n_column] plane entry at which the run of a column begins */
    uint32_t *rest; /* [n_rest] plane entries of the coded bits after the last row */
};

/* Planes [axis_bits][stride], of which [n_axis] are used. Half-built ones may be destroyed. */
int interleave_create(struct interleave *interleave, int axis_bits, int n_axis, int stride);
void interleave_destroy(struct interleave *interleave);
/* Plane entry of coded bit j. */
uint32_t interleave_place(const struct interleave *interleave, int j);
/* [axis_bits n_axis] bytes to planes, and soft bits back. No allocation. */
void interleave_to_air(const struct interleave *interleave, const uint8_t *coded, uint8_t *planes);
void interleave_from_air(const struct interleave *interleave, const int8_t *planes, int8_t *coded);

#endif
