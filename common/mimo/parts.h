/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A downlink made of parts: central node c solves for its own APs with its own estimates, and user k's vectors there
 * are multiplied with one complex weight a_ck, for a part that hears the user badly harms the others more than it
 * helps. The weights are those of large-scale fading decoding (5.30), (5.41) [Demir 2021] of the dual uplink, in which
 * user k's data are combined with w_ck over the nodes c: with g_cik = h_ci^H w_ck, what user i hears of stream k,
 *     b_ck = E g_ckk,  q_ck = p sum_{i != k} E|g_cik|^2 + E||w_ck||^2,  a_ck = conj(b_ck) / q_ck,
 * p being the power of a user in the dual uplink. Q is diagonal, since channels of different nodes are independent and
 * pilots are not shared. (5.41) counts the spread of g_ckk as noise as well; users here learn their gain in every
 * block, to them it is none, and without it they get more (6.30 for 6.24 bit/s/Hz in the drops of test_parts.c). The
 * beam a_ck w_ck does not depend on the power at which w_ck was learnt. A user's weights are scaled so that its parts
 * together have the power that its strongest part had alone. Pure functions, no allocation. */
#ifndef TUTTI_MIMO_PARTS_H
#define TUTTI_MIMO_PARTS_H

#include "mimo/precoder.h"

/* One subband of one part: what users hear of the streams, by estimates and by their errors. */
struct parts_heard {
    double complex *gain; /* [n_ue user][n_ue stream] h_hat^H w */
    double *error;        /* [n_ue user][n_ue stream] sum over APs of error variance times ||w||^2 */
    double *power;        /* [n_ue stream] ||w||^2 */
};

/* Of W [n_ap][n_ant][n_ue] over channel's active APs and users; zero for the others. O(n_ap n_ant n_ue^2). */
void parts_measure(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W,
                   const struct parts_heard *heard);

/* What a node learns of its own part, means over subbands and blocks. */
struct parts_moments {
    double complex *own;    /* [n_ue] b_ck */
    double *square, *power; /* [n_ue] sum_{i != k} E|g_cik|^2, errors included; E||w_ck||^2 */
    double *count;          /* [n_ue] subbands in the means */
};

/* One more subband, of those that are used [n_ue]; all its amplitudes times `scale` (parts_apply's). */
void parts_learn(int n_ue, const struct parts_heard *heard, const uint8_t *used, double scale,
                 const struct parts_moments *moments);
/* p: what all parts sent to those they serve, per user. */
double parts_dual_power(int n_part, int n_ue, const struct parts_moments *part, const uint8_t *serves);
/* weight [n_part][n_ue]: 0 where serves [n_part][n_ue] is 0 and where nothing is learnt; a user of whom nobody has
 * learnt anything gets 1 from all that serve it. */
void parts_weights(int n_part, int n_ue, const struct parts_moments *part, const uint8_t *serves, double dual_power,
                   double complex *weight);

/* W's columns times weight [n_ue], then all of W times a factor. fill: which brings the most loaded AP to its budget;
 * else one of at most 1, so that no AP's use of its budget is above 1 and above what was the largest before. Returns
 * the factor; 1 when nothing is sent. */
double parts_apply(const struct mimo_shape *shape, const float *ap_power, const double complex *weight, bool fill,
                   tutti_cf32 *W);
/* The same done to what users hear. */
void parts_apply_heard(int n_ue, const double complex *weight, double factor, const struct parts_heard *heard);

/* One subband at user k, receiver noise 1: power of its stream, its own error in it for the user learns the gain, and
 * of everything else. gain, error: n_part times [n_ue][n_ue] of the same block, weights included. */
void parts_sum(int n_part, int n_ue, const tutti_cf32 *const *gain, const double *const *error, int k, double *signal,
               double *disturbance);

#endif
