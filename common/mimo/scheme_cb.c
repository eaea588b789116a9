/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conjugate beams. */
#include "mimo/scheme.h"

#include <math.h>

/* Conjugate beams: every AP scales its estimates by one factor so that, sent with amplitude 1, it uses its whole
 * budget. */
static void beams_cb(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    const int per_ap = q->n_ant * q->n_ue;
    for (int m = 0; m < q->n_ap; m++) {
        const double *hr = q->Hr + m * per_ap, *hi = q->Hi + m * per_ap;
        double energy = 0;
        for (int i = 0; i < per_ap; i++) {
            energy += hr[i] * hr[i] + hi[i] * hi[i];
        }
        const double scale = energy > 0 ? sqrt(q->P[m] / energy) : 0;
        for (int i = 0; i < per_ap; i++) {
            p->Ur[m * per_ap + i] = scale * hr[i];
            p->Ui[m * per_ap + i] = scale * hi[i];
        }
    }
}

int scheme_cb_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                    struct mimo_solution *solution)
{
    (void)channel;
    beams_cb(p);
    if (power != MIMO_POWER_MAXMIN || scheme_amplitudes_maxmin(p)) {
        scheme_amplitudes_one(p);
    }
    scheme_store(p, solution);
    return MIMO_REASON_ASKED;
}
