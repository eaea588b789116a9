/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The delay of an AP's pilots, whose slope is taken off inside subbands, and the spread of delays that is left: what
 * pilots at every subcarrier differ by from channels interpolated between subbands, beyond what noise explains, over
 * their power. What a pilot is later than the others is no spread: it turns all subcarriers of a user
 * alike, and the central node sees it from subband to subband. Create allocates; the rest does not. Cost per block
 * O(n_ant n_sc tau n_pilot) where it measures. */
#ifndef TUTTI_PHY_SPREAD_H
#define TUTTI_PHY_SPREAD_H

#include "phy/delay.h"
#include "phy/interpolate.h"

enum { SPREAD_EAGER_BLOCKS = 16, SPREAD_EVERY = 8 }; /* measured in every one of the first blocks, then now and then */

struct spread {
    const struct frame *frame;
    const struct interpolate *table;
    struct delay delay;
    tutti_cf32 *slope, *centre;         /* [n_sc], [n_sb] of the delay now */
    tutti_cf32 *undo;                   /* [n_sc] the slope about each subband's centre, taken off */
    tutti_cf32 *rows, *work;            /* [n_pilot][n_sc], [n_sb] */
    double *own_delay;                  /* [n_pilot] samples of pilots beyond the common delay, of the block measured */
    tutti_cf32 *own_slope, *own_centre; /* [n_sc], [n_sb] of one of them */
    double residual, power;             /* averages: beyond noise; of the pilots */
    double doubt;                       /* variance that noise gives the averaged residual */
    long count, blocks;
};

/* What the next block's delay and spread depend on besides its samples, as numbers. */
enum { SPREAD_OWN = 5, SPREAD_HISTORY = SPREAD_OWN + DELAY_HISTORY };
void spread_keep(const struct spread *spread, double values[SPREAD_HISTORY]);
void spread_recall(struct spread *spread, const double values[SPREAD_HISTORY]);

/* table is kept, not copied. */
int spread_create(struct spread **spread, const struct frame *frame, const struct interpolate *table, int n_pilot);
void spread_destroy(struct spread *spread); /* NULL and half-built allowed */

/* One block's pilots Y [n_ant][tau][n_sc]: the delay, and `undo`. unscramble [n_sc]. */
void spread_follow(struct spread *spread, int n_ant, const tutti_cf32 *Y, const tutti_cf32 *unscramble);
/* The same block's pilots and what was made of them. */
struct spread_heard {
    const tutti_cf32 *Y;          /* [n_ant][tau][n_sc] */
    const tutti_cf32 *unscramble; /* [n_sc] */
    const tutti_cf32 *unspread;   /* [n_pilot][tau] conj(phi) */
    const tutti_cf32 *z;          /* [n_sb][n_ant][n_pilot] despread means */
    float scale;                  /* times z: the channel of a pilot in the units of Y */
};
/* noise: power per subcarrier in the units of Y, known with this relative variance. */
void spread_measure(struct spread *spread, int n_ant, int n_pilot, const struct spread_heard *heard, double noise,
                    double noise_variance);
/* What was measured of the spread does not count any more. */
void spread_restart(struct spread *spread);
/* Residual over power, as averaged; 0 before the first, and while noise may be all of it (four standard deviations). */
double spread_ratio(const struct spread *spread);

#endif
