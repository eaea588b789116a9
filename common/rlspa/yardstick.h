/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Powers that others are held against. No allocation, no lock; amplitudes p as in links.h. */
#ifndef TUTTI_RLSPA_YARDSTICK_H
#define TUTTI_RLSPA_YARDSTICK_H

#include "rlspa/links.h"

/* p [n] that maximises sum_k log2(1 + gain_k p_k^2) with sum_k cost_k p_k^2 <= Pt; gain, cost > 0, order [n] is work.
 */
void yardstick_waterfill(int n, const double *gain, const double *cost, double Pt, int *order, double *p);
/* gain [n] of that: rho |B_kk|^2 / sigma2. */
void yardstick_gain(const struct links *links, double *gain);

size_t yardstick_wmmse_work(int n); /* doubles */
/* A local maximum over p of the sum rate with separate decoding (rate_sinr), by the scalar WMMSE iteration from equal
 * powers ([Shi 2011]); F [n][n] of beams_error_gain, NULL = 0. Not a bound on other rates. */
void yardstick_wmmse(const struct links *links, const double *F, int iterations, double *work, double *p);

#endif
