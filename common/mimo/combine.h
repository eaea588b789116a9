/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Combining of uplink data over the antennas of many access points, one subband at a time [Demir 2021]. At AP l, noise
 * power 1: y_l = sum_k g_lk s_k + n; ghat_lk are the estimates, e_lk their error variance per antenna, and z_l = 1 +
 * sum_i e_li is what noise and errors together are worth. A central combiner is a K x K matrix T behind matched
 * filters: s_hat = T sum_l w_l Ghat_l^H y_l,  v_k = W Ghat T e_k, MMSE (5.11): w_l = 1 / z_l, T = (I + C)^-1;  ZF: w_l
 * = 1, T = C^-1;  MR: w_l = 1, T = I;  C = sum_l w_l Ghat_l^H Ghat_l (push-through: the error variance is a scalar), so
 * an AP may send its antennas or its matched filters, whichever are fewer. SINR_k is that of (5.5), conditional on the
 * estimates. A local combiner does the same at one AP for the users that it serves (5.39), for fusion by mimo/fuse.h.
 * Cost: N K^2 a central AP, K^3 a solve. Create allocates, nothing else does; one handle per thread. */
#ifndef TUTTI_MIMO_COMBINE_H
#define TUTTI_MIMO_COMBINE_H

#include "base/types.h"

enum combine_kind { COMBINE_MMSE, COMBINE_ZF, COMBINE_MR };

typedef struct combine combine_t;

int combine_create(combine_t **combine, int n_ue); /* 0, TUTTI_ENOMEM */
void combine_destroy(combine_t *combine);          /* NULL allowed */

/* From here on so many users, at most those of create. */
void combine_users(combine_t *combine, int n_ue);

/* z of one AP from its error variances e [n_ue]. */
double combine_noise(int n_ue, const float *e);
/* w of one AP. */
double combine_weight(enum combine_kind kind, double z);

/* Central: begin, every AP with its estimates G [n_ant][n_ue], user fastest, and z; then solve. */
void combine_begin(combine_t *combine, enum combine_kind kind);
void combine_add(combine_t *combine, int n_ant, const tutti_cf32 *G, double z);
/* T [n_ue][n_ue] row-major, Hermitian; gain [n_ue]: what a unit symbol of user k comes out as, real and positive; sinr
 * [n_ue]. TUTTI_ENUMERIC when the users cannot be told apart (ZF): T is that of MMSE with w = 1 then, which can be had
 * always. */
int combine_solve(combine_t *combine, double complex *T, double *gain, double *sinr);
/* Of the last solve, user k's stream at gain 1: g [n_ue], what unit symbols of all users come out of it as, and f, its
 * noise and error power. With them mimo/fuse.h puts it together with streams of the user that others have combined. */
void combine_part(const combine_t *combine, int k, double complex *g, double *f);

/* Local, at one AP: V [n_ant][n_ue] for the users of serves [n_ue] (NULL all), 0 for others; kind MMSE (5.39) or MR.
 * g [n_ue][n_ue]: g[k][i] = v_k^H ghat_i for all i; f [n_ue] = z ||v_k||^2. */
int combine_local(combine_t *combine, enum combine_kind kind, int n_ant, const tutti_cf32 *G, const float *e,
                  const bool *serves, tutti_cf32 *V, double complex *g, double *f);

#endif
