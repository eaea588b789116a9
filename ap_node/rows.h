/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A block's precoding coefficients at every subcarrier, from those per subband: the AP's own delay is taken off and put
 * back at every subcarrier, users' vectors are interpolated between subbands, those of noise and other streams are not
 * (their nulls hold at the vectors that were sent). What is interpolated sends no more over the whole band than the
 * vectors it came from, which keep the AP's limits, would: elsewhere it is scaled down. The slot thread's; no
 * allocation after create. Cost per block O(n_sc n_ant n_stream), per symbol a complex multiply-add per subcarrier,
 * antenna and stream. */
#ifndef TUTTI_AP_NODE_ROWS_H
#define TUTTI_AP_NODE_ROWS_H

#include "ap_node/streams.h"
#include "phy/interpolate.h"
#include "phy/simd.h"

struct rows {
    const struct simd_ops *simd;
    int n_ant, room;
    struct interpolate *smooth, *flat;
    tutti_cf32 *slope, *centre; /* [n_sc], [n_sb] of the AP's delay, as precoders follow it */
    tutti_cf32 *row, *work;     /* [n_sc], [n_sb] */
    double told, made; /* power over the band of the block's users' vectors, each held flat, and interpolated */
    float *factor;     /* [n_ant][room][2][2 n_sc]: direct and crossed, see phy/simd.h */
    tutti_cf32 *zeros; /* [n_sc] */
};

/* smooth: whether users' vectors are interpolated. */
int rows_create(struct rows *rows, const struct frame *frame, int n_ant, int room, bool smooth);
void rows_destroy(struct rows *rows); /* half-built allowed */
/* Once per block, after streams_prepare. delay_samples: of this AP, as its estimates have it. Returns true if what was
 * interpolated had to be scaled down, by more than rounding. */
bool rows_prepare(struct rows *rows, const struct streams *streams, double delay_samples);
/* After streams_renew: what is new in this symbol. */
void rows_renew(struct rows *rows, const struct streams *streams);
/* x [n_ant][n_sc] = sum over streams of coefficient times symbols[s][n_sc]. */
void rows_apply(const struct rows *rows, int n_stream, const tutti_cf32 *const *symbols, tutti_cf32 *x);

#endif
