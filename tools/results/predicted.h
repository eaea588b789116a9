/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SINR the CPU node's channel estimates and precoders promise a user over a whole block, in the sense in which the
 * user measures it: signal power summed over subbands, over error power summed over subbands. The user learns the gain
 * of its own stream from the block's pilots, so what the estimation error adds to that is signal to it; the solvers,
 * which cannot use it, count it as noise (/sinr_predicted). */
#ifndef TUTTI_TOOLS_RESULTS_PREDICTED_H
#define TUTTI_TOOLS_RESULTS_PREDICTED_H

#include "base/types.h"

struct predicted_shape {
    int n_sb, n_ap, n_ant, n_ue;
    double *work; /* [n_ue][2] where users share pilots (mimo/expect.h: expect_scatter); NULL: everybody has its own */
};

/* H_hat, W: [n_sb][n_ap][n_ant][n_ue]; error_variance: [n_sb][n_ap][n_ue]; noise has variance 1. NaN when the user gets
 * no signal or a value was never written. */
double predicted_sinr(const struct predicted_shape *shape, const tutti_cf32 *H_hat, const tutti_cf32 *W,
                      const double *error_variance, const double *recorded, int user);

#endif
