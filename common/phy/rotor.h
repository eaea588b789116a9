/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Turns samples by a phase that grows steadily, such as that of an oscillator: e^{j (phase + rate i)}. The turns of one
 * step count are made once per rate; a run of samples then costs one product for all antennas together and one for each
 * of them. No allocation after create. */
#ifndef TUTTI_PHY_ROTOR_H
#define TUTTI_PHY_ROTOR_H

#include "base/types.h"

struct rotor {
    int room;
    double rate_rad;  /* per sample */
    tutti_cf32 *turn; /* [room] e^{j rate i} */
    tutti_cf32 *row;  /* [room] of the run under way */
};

/* room: the longest run. */
int rotor_create(struct rotor *rotor, int room);
void rotor_destroy(struct rotor *rotor); /* half-built allowed */
/* O(room) when the rate is another one. */
void rotor_set(struct rotor *rotor, double rate_rad);
/* x [n_ant] pointers to [n] samples, n <= room, the first of them at phase_rad; back: by the opposite angles. */
void rotor_apply(struct rotor *rotor, double phase_rad, bool back, int n_ant, int n, tutti_cf32 *const *x);

#endif
