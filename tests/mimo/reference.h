/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random channels and plain, slow references in complex double arithmetic; they share no code with what they check. */
#ifndef TESTS_MIMO_REFERENCE_H
#define TESTS_MIMO_REFERENCE_H

#include "linalg/cmplx.h"
#include "mimo/precoder.h"

/* A repeatable generator of our own, so that cases do not depend on the C library. */
struct random {
    uint64_t state;
};
double random_uniform(struct random *random); /* (0, 1) */
double random_normal(struct random *random);
double complex random_cn(struct random *random); /* variance 1 */

/* One random case with everything allocated; gains are log-uniform over spread_db. error_share = error variance over
 * gain. */
struct channel_case {
    struct mimo_shape shape;
    struct mimo_channel channel;
    struct mimo_solution solution;
    tutti_cf32 *H;
    float *E, *P, *beta;
    uint8_t *ap_active, *ue_active;
};
void case_create(struct channel_case *c, struct random *random, int n_ap, int n_ant, int n_ue, double snr_db,
                 double spread_db, double error_share);
/* A cell-free drop as in [Zhou 2020]: APs and users uniform in a wrapped 1 km square, 140.7 + 35 log10(d / km)
 * dB path loss, 8 dB shadowing, 20 MHz, noise figure 9 dB, 23 dBm for pilots and data; MMSE estimates from tau pilots,
 * user k with pilot k mod tau. truth [n_ap][n_ant][n_ue]: the channels themselves. */
void case_create_cell_free(struct channel_case *c, struct random *random, int n_ap, int n_ant, int n_ue, int tau,
                           tutti_cf32 *truth);
void case_destroy(struct channel_case *c);

/* SINR of user k for any W (float or not), straight from the formula. */
double plain_sinr(const struct channel_case *c, const tutti_cf32 *W, int k);
double plain_min_sinr(const struct channel_case *c, const tutti_cf32 *W); /* over active users */
double plain_power(const struct channel_case *c, const tutti_cf32 *W, int ap);
/* Largest relative excess of any AP over its budget; a dead AP that sends anything gives infinity. */
double plain_excess(const struct channel_case *c, const tutti_cf32 *W);
/* h_k^H w_j. */
double complex plain_response(const struct channel_case *c, const tutti_cf32 *W, int k, int j);
bool plain_finite(const struct channel_case *c, const tutti_cf32 *W);

#endif
