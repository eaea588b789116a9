/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Uplink channel estimation at one AP: despread, average inside a subband, MMSE coefficient with tracked large-scale
 * fading, scaled for the downlink. Model per subcarrier ([Yu 2026], [Zhou 2020]): Y = sqrt(tau rho) g phi^T + N. With S
 * subcarriers averaged, z = sqrt(tau rho) sum_j g_j (phi_j^H phi_k) + n / sqrt(S), so the effective pilot power is
 * a = S tau rho and, in units of the averaged noise, for users k and j on one pilot:
 *     c_k = sqrt(a) beta_k / (a sum_j beta_j |phi_j^H phi_k|^2 + 1),   gamma_k = sqrt(a) beta_k c_k,
 *     e_k = beta_k - gamma_k.
 * Large-scale fading is the moving average of |z|^2 less the noise (users on one pilot cannot be told apart by power
 * and get equal shares), begun anew with a user that was silent before; the noise is measured in guard symbols. Until
 * the first estimate_noise, and for a block with samples that are not finite, the estimate is zero with error variance
 * beta, and nothing is tracked. The error variance is honest from the first block on; it counts, besides e_k, what the
 * tracked quantities are off by:
 * - the noise power, a mean with relative variance v, sets the scale of z: gamma_k v / 4 (large for strong users in the
 *   first blocks, and what limits prediction beyond 40 dB later);
 * - beta_k, where it is tracked and not known, with variance u sets c_k: 2 a u / (a sum_j beta_j + 1)^3, to second
 * order and never above beta_k in all: in the first blocks of a weak user somewhat too much (under 10 %). With a table
 *   of interpolation the delay of the pilots is tracked and its slope taken off inside every subband before averaging
 * (at the centres estimates are as received), and
 * - what the pilots differ from the interpolated estimates beyond noise is added: the spread of delays inside a
 * subband, in the mean over users, by their gains. Output convention: H_hat is the conjugate of the physical downlink
 * row, in units where the user's noise per subcarrier is 1 and the AP's power budget per subcarrier is 1. Execute: no
 * allocation, no lock; cost O(n_ant n_sc tau + n_sb n_ant n_ue tau). */
#ifndef TUTTI_PHY_ESTIMATE_H
#define TUTTI_PHY_ESTIMATE_H

#include "phy/frame.h"
#include "phy/interpolate.h"

typedef struct estimate estimate_t;

struct estimate_settings {
    int n_ant, n_ue;
    const int *pilot_of_user; /* [n_ue], copied; not looked at where users take turns */
    bool in_turns;            /* estimate_turns says before every block who sends which pilot */
    int tracking_blocks;
    double uplink_to_downlink; /* amplitude factor: from sqrt(SNR) of the uplink pilot to the downlink units above */
    const double *beta_known;  /* [n_ue] large-scale gains in downlink units, or NULL to track; copied */
    const struct interpolate
        *interpolate; /* how channels go between subbands, kept; NULL: flat, no delay is followed */
};

int estimate_create(estimate_t **estimate, const struct frame *frame, const struct estimate_settings *settings);
void estimate_destroy(estimate_t *estimate);
/* Feed one silent symbol: subcarriers [n_ant][n_sc]. */
void estimate_noise(estimate_t *estimate, const tutti_cf32 *silent);
/* Who sends which pilot in the block to come, [n_ue], -1 = none: large-scale fading is then tracked per user, over the
 * blocks with its pilot, and estimates of the others are zero with error variance beta. Of users on one pilot the first
 * counts. */
void estimate_turns(estimate_t *estimate, const int *pilot_of_user);
/* Where users take turns: from the next block on `user` stands for n others together, who send one pilot at once; its
 * power begins as the sum of theirs. */
void estimate_join(estimate_t *estimate, int user, int n, const int *others);
/* A user's large-scale gain so far, downlink units; *variance: of its error, 0 where it is known. */
double estimate_gain(const estimate_t *estimate, int user, double *variance);
/* Y [n_ant][tau][n_sc], subcarriers fastest. Writes H_hat [n_sb][n_ant][n_ue] (ue fastest), beta and error_variance
 * [n_ue] (downlink units). */
void estimate_execute(estimate_t *estimate, const tutti_cf32 *Y, tutti_cf32 *H_hat, float *beta, float *error_variance);
/* What the estimates of the next block depend on besides its samples, the averages so far: recorded and replayed.
 * ESTIMATE_HISTORY(n_ue) numbers at most; keep returns how many; recall: TUTTI_EINVAL when it is another number. */
#define ESTIMATE_HISTORY(n_ue) (4 * ((n_ue) + 1) + 70)
int estimate_keep(const estimate_t *estimate, double *values);
int estimate_recall(estimate_t *estimate, const double *values, int n);
/* Noise power per subcarrier in sample units squared, as tracked. */
double estimate_noise_power(const estimate_t *estimate);
/* Delay of the pilots against the FFT window as tracked, samples; 0 where none is followed. */
double estimate_delay_samples(const estimate_t *estimate);
/* From the next block on symbols are looked at so many samples earlier: what is tracked of delays moves along, and what
 * they are spread by is measured anew. */
void estimate_moved(estimate_t *estimate, int earlier_samples);
/* Power that the spread of delays leaves outside interpolated channels, over theirs, as tracked. */
double estimate_spread(const estimate_t *estimate);

#endif
