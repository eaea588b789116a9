/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Detection of a pilot attack: who sends a user's pilot too adds power to it at the APs. Per block, the power received
 * on each user's pilot over the last window_blocks is compared with the power of the blocks before, at all APs
 * together.
 *
 * Received pilot power at AP m over noise, mean over subbands and antennas: p = |z|^2 with mean a beta + 1
 * (estimate.h). In flat Rayleigh fading all subbands are alike, so the mean of w independent blocks at n_ant antennas
 * is Gamma with shape n_ant w. Its ratio to the reference mean of r blocks is F(2 n_ant w, 2 n_ant r); the weighted
 * mean of the APs' ratios is taken as F with the sums of their degrees of freedom. Frequency selectivity, a line of
 * sight and noise only make the power steadier, so the false-alarm probability is at most the one asked for. Blocks
 * that fade alike count less: with rho^2 the squared correlation of successive estimates, measured along the way, w
 * blocks are worth w (1 - rho^2) / (1 + rho^2), at least one (first-order model).
 *
 * An estimate is looked at before it is added: a user's power at an AP that is not finite, or 60 dB above the median of
 * the last five blocks, is passed over and counted, and none that stands out by 20 dB enters the reference. What lasts
 * becomes the median, so an attack that begins 60 dB above the user is told three blocks later than others. Powers are
 * of all subbands; the correlation in time, which is alike in all, is taken from eight of them at most.
 *
 * A block in which the pilot is missing altogether is passed over (score NaN): it would make all others look strong.
 * A suspected block does not enter the reference, so a suspicion lasts as long as the attack. What cannot be told: an
 * attack that was there from the user's first blocks, or a power that rises with the user's own (a user that comes
 * closer within some blocks raises an alarm).
 *
 * Pure arithmetic; execute does not allocate and reads H_hat once, in order. */
#ifndef TUTTI_CONTROL_ATTACK_H
#define TUTTI_CONTROL_ATTACK_H

#include "base/types.h"

/* ln P(X > x), X ~ F with 2 a and 2 b degrees of freedom, a, b > 0, x >= 0; accurate far into the tail. */
double attack_log_tail(double x, double a, double b);

struct attack_settings {
    int n_sb, n_ap, n_ant, n_ue;
    const int *pilot_of_user; /* [n_ue], copied */
    double pilot_power;       /* a of estimate.h, in the units of beta */
    int window_blocks;        /* default 16 */
    int reference_blocks;     /* default 256: length of the moving mean the window is compared with */
    int least_blocks;         /* default 32: no statement before the reference has as many */
    double false_alarm;       /* default 1e-6, per user and block; see attack_false_alarm */
};
/* The false_alarm with which n_user users together raise at most per_hour false alarms in an hour of blocks this long.
 * Windows overlap, so alarms come in runs and distinct ones are rarer. The default is 0.72 per user and hour at 5 ms.
 */
double attack_false_alarm(double per_hour, double block_us, int n_user);
/* The four defaults; leaves the rest. */
void attack_settings_default(struct attack_settings *settings);

/* One block as the CPU node has it. */
struct attack_block {
    const tutti_cf32 *H_hat;     /* [n_sb][n_ap][n_ant][n_ue] */
    const float *beta;           /* [n_ap][n_ue] as used for H_hat */
    const uint8_t *ap_present;   /* [n_ap] */
    const uint8_t *user_present; /* [n_ue] */
};

typedef struct attack attack_t;

int attack_create(attack_t **attack, const struct attack_settings *settings);
void attack_destroy(attack_t *attack); /* NULL allowed */
/* Forget this user's past: it has just joined, perhaps elsewhere. */
void attack_reset(attack_t *attack, int user);
/* [n_ap][n_ue] of the last block: power received on the user's pilot over noise, mean a beta + 1; 0 = none. */
const double *attack_power(const attack_t *attack);
/* How often a power of this user at an AP was passed over as wild since it joined. */
uint64_t attack_passed_over(const attack_t *attack, int user);
/* score [n_ue]: -log10 of the probability of so much power without an attack, NaN while nothing can be said.
 * suspected [n_ue]: 1 when that probability is below false_alarm. */
void attack_execute(attack_t *attack, const struct attack_block *block, double *score, uint8_t *suspected);

#endif
