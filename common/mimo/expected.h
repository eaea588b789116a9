/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What users should measure in one subband, from estimates, precoders and what is known of clocks and hardware: the
 * prediction of the solve with every loss of expect.h in it, and each loss alone. A term is told as the ratio of what
 * it adds to error over signal, so that they add up and a loss is 10 log10(1 + term / rest). Formulas: expect.h, for
 * any precoder: signal and interference are the streams' own gains c_mkj = h_mk^H w_mj. No allocation. */
#ifndef TUTTI_MIMO_EXPECTED_H
#define TUTTI_MIMO_EXPECTED_H

#include "base/types.h"
#include "mimo/expect.h"

/* X(enumerator, what a report calls it). */
#define EXPECTED_MAP(X)                                                                                                \
    X(EXPECTED_AGEING, "ageing")                                                                                       \
    X(EXPECTED_USER_OFFSET, "carrier offsets of users")                                                                \
    X(EXPECTED_USER_NOISE, "phase noise of users")                                                                     \
    X(EXPECTED_AP_CLOCKS, "oscillators of access points")                                                              \
    X(EXPECTED_MISMATCH, "mismatch of chains and clocks")                                                              \
    X(EXPECTED_SPREAD, "spread of delays inside subbands")
enum expected_loss {
#define EXPECTED_ENUM(id, name) id,
    EXPECTED_MAP(EXPECTED_ENUM)
#undef EXPECTED_ENUM
        EXPECTED_N
};
const char *expected_name(enum expected_loss loss);

/* Of the whole network and block. Arrays may be NULL: nothing of that kind. */
struct expected_causes {
    struct expect_times times;
    bool ages; /* by Jakes, ageing below */
    struct expect_ageing ageing;
    bool tracked;              /* users follow their stream's phase from symbol to symbol */
    const double *user_cfo_hz; /* [n_ue] */
    const int *pilot;          /* [n_ue], with user_cfo_hz */
    double user_linewidth_hz;
    double ap_phase_variance;      /* rad^2 of each AP by itself, both directions */
    const double complex *ap_turn; /* [n_ap] known phases of the downlink against the uplink, e^{j phase} */
    double flat_spread; /* error over signal where estimates, precoders and gains are held flat over a subband */
    const double complex *chain; /* [n_ap][n_ant] downlink over uplink of each antenna, at this subband */
};

struct expected_subband {
    int n_ap, n_ant, n_ue;
    const tutti_cf32 *H_hat, *W;        /* [n_ap][n_ant][n_ue] */
    const float *error_variance, *beta; /* [n_ap][n_ue] */
    const float *predicted; /* [n_ue] by the solve, which knows what the subband is off its centre; NULL: nothing */
    double noise_power;     /* of each AP's artificial noise */
};

struct expected_work;
int expected_work_create(struct expected_work **work, int n_ue); /* TUTTI_ENOMEM */
void expected_work_destroy(struct expected_work *work);          /* NULL allowed */

/* sinr [n_ue] with everything; signal [n_ue], may be NULL: power of the own stream then, by which users weigh a subband
 * against the others; term [n_ue][EXPECTED_N]: error over signal that each cause alone adds. NaN for a user without a
 * stream. */
void expected_execute(const struct expected_causes *causes, const struct expected_subband *subband,
                      struct expected_work *work, double *sinr, double *signal, double *term);

/* Powers (user, stream) of the subband looked at last, by its estimates and by their errors: added to [n_ue][n_ue]. */
void expected_add_powers(const struct expected_work *work, int n_ue, double *known, double *unknown);

#endif
