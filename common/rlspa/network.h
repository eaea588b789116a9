/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network in which robust power allocation is studied ([Mashdour 2026], eq. (1)): three-slope
 * Hata-COST231 gains ([Ngo 2017]), clusters by mean gain, the sparse estimate. Antenna m = AP * n_ant + a. Pure
 * functions; cost in the sizes of their arrays. */
#ifndef TUTTI_RLSPA_NETWORK_H
#define TUTTI_RLSPA_NETWORK_H

#include "rlspa/split.h"

#include <stdint.h>

/* beta of one link, linear: distance in km (horizontal), shadow a standard normal, weighed with 8 dB beyond 50 m. */
double network_gain(double distance_km, double shadow);
/* beta [n_ap][n_ue] of places [..][2] in km and shadow [n_ap][n_ue]. */
void network_gains(int n_ap, int n_ue, const double *ap_km, const double *ue_km, const double *shadow, double *beta);
double network_mean_gain(int n_ap, int n_ue, const double *beta); /* linear, over all links */

/* served [n_ap][n_ue]: AP l serves user k if beta_lk is at least the mean over the network, or the largest of k. */
void network_clusters(int n_ap, int n_ue, const double *beta, uint8_t *served);
/* Ga [n_ap n_ant][n_ue]: the estimates G with the rows of APs that do not serve a user set to zero. */
void network_mask(int n_ap, int n_ant, int n_ue, const uint8_t *served, const struct split *G, struct split *Ga);

#endif
