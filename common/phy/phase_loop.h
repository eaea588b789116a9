/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The phase of one oscillator against another, followed from one measurement per block: a Kalman filter of phase and
 * frequency with its gain fixed at the steady state. Phase noise of the two oscillators (Wiener, sum of linewidths B)
 * gives D = 2 pi B rad^2/s, the frequency walks with q (rad/s)^2/s. State x = (phase rad, frequency rad/s),
 *     F = [1 T; 0 1],  Q = [D T + q T^3/3, q T^2/2; q T^2/2, q T],  phase measured with variance R.
 * Without measurements the loop holds over by prediction; its own figure of its error grows. Plain data; no allocation.
 */
#ifndef TUTTI_PHY_PHASE_LOOP_H
#define TUTTI_PHY_PHASE_LOOP_H

#include <stdbool.h>

struct phase_loop_settings {
    double interval_s;        /* T between measurements */
    double linewidth_hz;      /* B, both oscillators together */
    double frequency_walk;    /* q */
    double measured_variance; /* R, rad^2 */
};

struct phase_loop {
    struct phase_loop_settings settings;
    double gain[2];
    double P[2][2]; /* steady state, after a measurement */
    /* now */
    double phase_rad, frequency_rad_per_s;
    double now[2][2]; /* variance of the state */
    long n_measured;
};

/* Measurement variance of a beacon of two symbols by n_ant antennas of equal SNR (per subcarrier, linear). */
double phase_loop_beacon_variance(int n_ant, int n_sc, double snr);

/* Solves for the steady state; the state starts at phase and frequency as measured by acquisition, with their
 * variances. */
void phase_loop_start(struct phase_loop *loop, const struct phase_loop_settings *settings, double phase_rad,
                      double frequency_rad_per_s, double phase_variance, double frequency_variance);
/* One interval passes. */
void phase_loop_predict(struct phase_loop *loop);
/* A phase measured now, any number of turns; returns the innovation in -pi..pi. */
double phase_loop_correct(struct phase_loop *loop, double measured_rad);
/* Phase `after_s` from the last measurement's instant. */
double phase_loop_phase(const struct phase_loop *loop, double after_s);
/* Standard deviation of the phase now, rad. */
double phase_loop_sigma_rad(const struct phase_loop *loop);

/* Variance, rad^2, of an AP's error in the effective channel: pilots pilot_s and data data_s after the beacon's centre,
 * both directions: a^T P a + D (4 t1 + (t2 - t1)) + q (t1^3/3 + t2^3/3 + t1^2 (3 t2 - t1) / 3), a = (2, t1 + t2). */
double phase_loop_channel_variance(const struct phase_loop *loop, double pilot_s, double data_s);
/* The same with the state's variance as it is now: larger while the loop settles and while it predicts. */
double phase_loop_error_variance(const struct phase_loop *loop, double pilot_s, double data_s);

#endif
