/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who serves whom when there are fewer pilots than users: pilots and clusters together (Demir, Bjornson, Sanguinetti
 * 2021, Algorithm 4.1). beta [n_ap][n_ue] are large-scale gains, linear; served [n_ap][n_ue] is 1 where an AP serves a
 * user. Every AP serves at most one user per pilot, and besides the users whose best AP it is. Ties go to the lowest
 * index. Pure functions, no allocation; O(n_ap n_ue) each, clusters_pilots O(n_ue^2). */
#ifndef TUTTI_CLUSTER_CLUSTERS_H
#define TUTTI_CLUSTER_CLUSTERS_H

#include <stdbool.h>
#include <stdint.h>

/* pilot [n_ue], 0 to n_pilot - 1: users join one by one, each on the pilot that its best AP hears least of. sum
 * [n_pilot] is work. */
void clusters_pilots(int n_ap, int n_ue, int n_pilot, const double *beta, double *sum, int *pilot);

/* Pilots that are in use, looked at again: a user moves where it and the others of its pilot hear more than
 * `hysteresis` times as much of each other as on the best one (at their best APs, over what is heard there of
 * themselves), and more than CLUSTERS_QUIET. Moves do not go round in circles. Returns how many moved; sum [n_pilot],
 * master [n_ue] are work. O(n_ue n_ue). */
#define CLUSTERS_QUIET 1e-3
int clusters_move(int n_ap, int n_ue, int n_pilot, const double *beta, double hysteresis, double *sum, int *master,
                  int *pilot);

struct clusters_settings {
    int n_pilot;
    int max_aps;             /* per user, the strongest; 0 = no limit */
    double hysteresis;       /* factor >= 1 by which a newcomer must be stronger than whom the AP serves on the pilot,
                              * or than the AP that leaves for max_aps */
    const uint8_t *previous; /* [n_ap][n_ue] the clusters until now, NULL = none */
};

/* served from pilots. best [n_pilot] is work. */
void clusters_form(int n_ap, int n_ue, const struct clusters_settings *settings, const double *beta, const int *pilot,
                   int *best, uint8_t *served);
/* S_k: users that share an AP with user k, k among them, ascending; returns how many. */
int clusters_neighbours(int n_ap, int n_ue, const uint8_t *served, int k, int *neighbours);

#endif
