/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every imperfection of clocks, channels and hardware costs, in closed form: ratios of error to signal power, so
 * that terms add up and 10 log10 of a SINR is minus that of their sum. Times are those of one block, counted from its
 * start; symbols stand for their centres. A signal is what one gain per subband and block explains, its error all the
 * rest. Pure; only expect_mixing_invert writes more than it returns; no allocation. Formulas: Demir, Bjornson,
 * Sanguinetti, "Foundations of User-Centric Cell-Free Massive MIMO" (2021) for the channel model, Jakes' J0 for ageing;
 * derivations in docs/expected.md. */
#ifndef TUTTI_MIMO_EXPECT_H
#define TUTTI_MIMO_EXPECT_H

#include "base/frame.h"

struct expect_times {
    double pilot_s;      /* mean of the pilot symbols, below 0 if they are an earlier block's (frame->lag_blocks) */
    double first_data_s; /* first data symbol */
    double symbol_s;     /* from one symbol to the next */
    double spacing_hz;   /* of subcarriers */
    int n_data, n_pilot; /* symbols */
};
struct expect_times expect_times_of(const struct frame *frame);

/* Ageing: rho(t) = J0(2 pi f_D (t - t_P)) over the data symbols. */
struct expect_ageing {
    double rho_mean, rho_square, rho_variance; /* mean of rho, of rho^2; variance of rho */
    double v1;                                 /* mean of 1 - rho^2: power of what is new since the pilots */
    double v2; /* of it, what stays through the data: one gain per block takes it for signal */
};
struct expect_ageing expect_ageing(const struct expect_times *times, double doppler_hz);
/* Error over signal of zero-forcing by n_ap_ant antennas to n_ue users with equal gains, ageing alone. */
double expect_ageing_zf(const struct expect_ageing *ageing, int n_all_ant, int n_ue);

/* Carrier offset of a user: |mean of e^{j 2 pi f t}|^2 over the data, the part of the power that is signal to a
 * receiver that does not follow the phase. */
double expect_cfo_kept(const struct expect_times *times, double cfo_hz);
/* The same: power that leaks between the subcarriers of a symbol, over that of what is received. */
double expect_cfo_leak(const struct expect_times *times, double cfo_hz);
/* Carrier offsets turn users' pilots while they are sent, and despreading mixes them: X [n][n], X[q][p] is how much of
 * user q's channel lands in the estimate of user p, pilots pilot[] of n_pilot. */
void expect_mixing(const struct expect_times *times, int n, const double *cfo_hz, const int *pilot, double complex *X);
/* C [n][n] = X^-T G: effective channels (user, stream) of estimates G = H_hat^H W. X is spoilt. TUTTI_ENUMERIC when
 * pilots cannot be told apart. */
int expect_mixing_undo(int n, double complex *X, const double complex *G, double complex *C);

/* Phase noise (Wiener, linewidth B) of a user over its data symbols: own power lost to one gain per block. */
double expect_phase_noise(const struct expect_times *times, double linewidth_hz);
/* The same inside one symbol, which no tracking of symbols takes away: leak between subcarriers, to first order. */
double expect_phase_noise_leak(const struct expect_times *times, double linewidth_hz);
/* Variance, rad^2, of an AP's phase in the effective channel, age_s after calibration or beacon; both directions. */
double expect_ap_phase(const struct expect_times *times, double linewidth_hz, double age_s);

/* Error over signal per rad^2 of phase error that APs, or antennas, have by themselves: zero-forcing, equal gains. */
double expect_ratio_per_ap(int n_ap, int n_ant, int n_ue);
double expect_ratio_per_antenna(int n_ap, int n_ant, int n_ue);

/* Delay spread inside a subband, everything held flat over it: taps of powers[] (any sum) at delays[] samples. */
struct expect_spread {
    double own;  /* error over signal of a receiver with one gain per subband; none with a gain per subcarrier */
    double leak; /* the same of every stream sent, the user's own included */
};
struct expect_spread expect_spread(int n_tap, const double *powers, const double *delays_samples, int sc_per_sb,
                                   int fft_size, int n_all_ant, int n_ue);

/* Errors of estimates that are alike in all subbands, as those of shared pilots with flat fading are (they are the
 * other users' channels), scatter a block's SINR about the ratio of its mean powers. A power is |known + error|^2 with
 * circular Gaussian error: mean known + unknown, variance unknown (unknown + 2 known). Expected value of the SINR in dB
 * less the dB of the ratio of means, as a factor, by the second moments: E ln x = ln E x - var x / (2 (E x)^2).
 * Streams' errors count as independent. */
struct expect_scatter {
    double signal, signal_variance;           /* of the own stream */
    double disturbance, disturbance_variance; /* of the others and the noise */
};
void expect_scatter_add(struct expect_scatter *scatter, bool own, double known, double unknown); /* one stream */
double expect_scatter_factor(const struct expect_scatter *scatter); /* 1 without a signal; from e^-1/2 to e^1/2 */

#endif
