/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transmitter of [Hong 2025]: one RF chain for the message behind phase shifters, f1 = exp(j arg
 * h_u) (there with a plain transpose, here with y = h^H x), a second for the noise. One user is served at a time. */
#ifndef TUTTI_MIMO_ANALOG_H
#define TUTTI_MIMO_ANALOG_H

#include "mimo/precoder.h"

/* W [n_ap][n_ant][n_ue]: column `user` is phase-matched to its estimate with equal power on every antenna, all of
 * ap_power used; the other columns are zero. A zero estimate gets phase 0. No allocation. */
void analog_beam(const struct mimo_shape *shape, const struct mimo_channel *channel, int user, tutti_cf32 *W);

#endif
