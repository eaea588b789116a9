/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sum rates in bit/s/Hz of powers p [n] on links; F [n][n] of beams_error_gain, NULL = perfect estimates. Joint
 * decoding is eq. (3) of [Mashdour 2026] with (4); evaluated at powers that follow the symbols and averaged it is the
 * paper's figure and no information rate: the receivers do not know p(x). gmi_rate is achievable. No lock; only
 * gmi_create allocates. */
#ifndef TUTTI_RLSPA_RATE_H
#define TUTTI_RLSPA_RATE_H

#include "rlspa/links.h"

size_t rate_work(int n); /* doubles, of both log-determinants */
/* (3): log2 det(I + rho R^-1 B P P^H B^H), R = diag_k(rho sum_i F_ki p_i^2 + sigma2). 4 n^3 / 3 flops. */
double rate_logdet(const struct links *links, const double *F, const double *p, double *work);
/* (3) with the errors as they are: R = rho E P P^H E^H + sigma2 I, E [n][n] = Gtil^T W. */
double rate_logdet_realised(const struct links *links, const struct split *E, const double *p, double *work);
/* Separate decoding; sinr [n] may be NULL. */
double rate_sinr(const struct links *links, const double *F, const double *p, double *sinr);

/* Generalised mutual information of a rule p(x): symbols s = p(x) o x are collected, expectations are their means. */
typedef struct gmi gmi_t;

int gmi_create(gmi_t **gmi, int n_antennas, int n_max); /* 0, or TUTTI_ENOMEM */
void gmi_destroy(gmi_t *gmi);                           /* NULL allowed */
/* W [M][n] for the errors and the radiated energy; links and W must outlive the gmi's use. Forgets all symbols. */
void gmi_load(gmi_t *gmi, const struct links *links, const struct split *W);
void gmi_add(gmi_t *gmi, int T, const struct split *X, const double *P); /* X, P [n][T] */
double gmi_energy(const gmi_t *gmi);                                     /* E ||W s||^2 so far */
/* error [M / n_ant][n]: variances of the estimates. equal: as if all s were scaled to the radiated energy Pt. */
double gmi_rate(const gmi_t *gmi, int n_ant, const double *error, int equal);

#endif
