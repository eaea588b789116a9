/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Max-min power control for fixed beam directions and per-AP power (the baseline "ZF" of [Zhou 2020], for any
 * directions): SINR_k = p_k / (sum_j F_kj p_j + n_k),   maximise min_k SINR_k   s.t.   sum_k B_mk p_k <= P_m. At the
 * optimum all SINRs equal t and p = (I/t - F)^-1 n with the worst AP at its budget, so t is the root of a scalar
 * monotone function; no iteration over users. No allocation; about 6 K^3/3 + 6 M K multiply-adds. */
#ifndef TUTTI_CONTROL_MAXMIN_H
#define TUTTI_CONTROL_MAXMIN_H

/* F [n_ue][n_ue] >= 0, noise [n_ue] > 0, B [n_ap][ld_b] >= 0 with no all-zero column among the first n_ue, P [n_ap] >
 * 0; p [n_ue] out, feasible to rounding, worst AP at its budget; work [n_ue (n_ue + 1)]. Returns t. */
double maxmin_power(int n_ue, int n_ap, const double *F, const double *noise, const double *B, int ld_b,
                    const double *P, double *p, double *work);

#endif
