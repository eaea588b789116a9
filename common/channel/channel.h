/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Large-scale channel gains and the link budget, shared by the emulated air and the AP node. beta is the mean power
 * gain from one transmit antenna to one receive antenna. Pure functions of the configuration; start-up only (they
 * allocate). */
#ifndef TUTTI_CHANNEL_CHANNEL_H
#define TUTTI_CHANNEL_CHANNEL_H

#include "base/config.h"

/* Thermal noise at 290 K, as link budgets round it. */
#define CHANNEL_THERMAL_DBM_PER_HZ (-174.0)

/* Noise power of a receiver in a bandwidth. */
double channel_noise_dbm(double bandwidth_hz, double noise_figure_db);

/* Downlink SNR per subcarrier of one AP at full power is this times beta (linear): (P_ap / n_sc) / N_ue with N_ue the
 * user's noise in one subcarrier. sqrt(scale beta) is the channel amplitude in the units of docs/files.md. */
double channel_downlink_snr_scale(const struct config *config);
/* Uplink pilot SNR per subcarrier at one AP antenna is this times beta: (P_ue / n_sc) / N_ap. */
double channel_uplink_snr_scale(const struct config *config);
/* The same with an eavesdropper in the user's place. */
double channel_eve_downlink_snr_scale(const struct config *config);
double channel_eve_uplink_snr_scale(const struct config *config);

/* Path-loss formulas, gain in dB at a distance in metres (3-D, not below 1 m), shadowing left out.
 * UMi: -30.5 - 36.7 log10 d. Three-slope: [Ngo 2017], eq. (52). */
double channel_umi_db(double distance_m);
double channel_three_slope_db(double distance_m);
double channel_log_distance_db(double distance_m, double reference_db, double exponent);

/* Positions of a geometry, [n][3] in metres: those given, else uniform in the square, from the seed. */
void channel_positions(const struct config *config, double *ap_m, double *ue_m);
/* Of the eavesdroppers, [n_eve][3]: those given, else uniform in the disc of eve_radius_m around the target user, at
 * its height. With sensing.live eavesdropper e stands in zone e, as far as there are zones. */
void channel_eve_positions(const struct config *config, const double *ue_m, double *eve_m);

/* beta in dB, [n_ap][n_ue], user fastest. Errors: TUTTI_ECONFIG with the key named, TUTTI_ENOMEM. */
int channel_large_scale(const struct config *config, double *beta_db);
/* The same for the eavesdroppers, [n_ap][n_eve], eve fastest. What users' gains are does not depend on them. */
int channel_eve_large_scale(const struct config *config, double *beta_db);

/* Between APs, [n_ap][n_ap], symmetric, the diagonal not set: air.large_scale.ap_snr_db, or by the distance of their
 * positions, without shadowing. */
int channel_ap_large_scale(const struct config *config, double *beta_db);
/* SNR per subcarrier of one AP's full power from one antenna, at one antenna of another AP, is this times beta. */
double channel_ap_snr_scale(const struct config *config);

/* Where the zones are in a block, [n_zone][3] m: sensing.zones_m, moved by the air's events so far. */
void channel_zone_positions(const struct config *config, uint64_t block, double *zone_m);
/* The zones of sensing.zones_m in a block: power gain of the unscattered line of sight, -34 - 22 log10 d of the
 * distance in space, not below 1 m, and the angle from the broadside of an array along y. Both [n_ap][n_zone].
 * TUTTI_ENOMEM. */
int channel_zones(const struct config *config, uint64_t block, double *zeta, double *theta_rad);

#endif
