/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much of the power becomes artificial noise in a block: a fixed share, or what the users can spare. With a share s
 * the data keep 1 - s of their power and every user at least that part of its SINR (interference falls with it), so
 * s = 1 - target / worst predicted SINR leaves the target to everybody (S. Goel, R. Negi, "Guaranteeing secrecy using
 * artificial noise", 2008: data first, the rest is noise). Pure functions. */
#ifndef TUTTI_MIMO_AN_SHARE_H
#define TUTTI_MIMO_AN_SHARE_H

#include "base/types.h"

/* sinr [n_sb][n_ue] predicted with all of the power; used [n_ue]. Returns 0..most; 0 when somebody has nothing to spare
 * and when nobody is served. */
double an_share_spare(int n_sb, int n_ue, const float *sinr, const uint8_t *used, double target_sinr_db, double most);

#endif
