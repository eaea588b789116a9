/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vectors of user-centric clusters (Demir, Bjornson, Sanguinetti 2021, eqs. (5.16), (5.39) = (6.17), (6.33)): receive
 * combining, and by duality the directions of the downlink. Units: receiver noise 1, user power 1 inside the estimates.
 *   P-MMSE  v_k = Z_k^-1 G_S (I + G_S^H Z_k^-1 G_S)^-1 e_k on the APs of user k, S its neighbours, z_lk = 1 + sum_{i in
 *           S} e_li;      P-RZF: the same with z = 1;      LP-MMSE: the same at one AP with the users that it serves.
 * Cost of a user with |M| APs and n neighbours: |M| N n^2 / 2 + n^3 / 6 complex multiply-adds, whatever the network's
 * size. Create allocates, the others do not; one handle per thread. */
#ifndef TUTTI_CLUSTER_VECTORS_H
#define TUTTI_CLUSTER_VECTORS_H

#include <stdint.h>

enum vectors_rule { VECTORS_PMMSE, VECTORS_PRZF };

/* What is estimated of all links. */
struct vectors_csi {
    const double *Gr, *Gi; /* [n_ap][n_ant][n_ue] estimates ghat of the uplink; the downlink's h^H is their transpose */
    const double *error;   /* [n_ap][n_ue] variance of their errors per antenna */
    const double *power;   /* [n_ue] users' powers, by which G's squares and error are multiplied; NULL = 1 each */
};

typedef struct vectors vectors_t;

int vectors_create(vectors_t **vectors, int n_ap, int n_ant, int n_ue); /* 0, or TUTTI_ENOMEM */
void vectors_destroy(vectors_t *vectors);                               /* NULL allowed */
/* A smaller network from now on, of which nothing is loaded; no larger than at create. */
void vectors_resize(vectors_t *vectors, int n_ap, int n_ue);
/* New clusters, served [n_ap][n_ue] (clusters_form): lists APs and neighbours of every user. O(n_ap n_ue), and
 * clusters times users per AP for every user; until the first call nobody is served. */
void vectors_load(vectors_t *vectors, const uint8_t *served);
/* What is loaded: APs of a user and the users that share one with it, ascending, and how many. */
const int *vectors_aps(const vectors_t *vectors, int k, int *n);
const int *vectors_users(const vectors_t *vectors, int m, int *n);      /* of an AP */
const int *vectors_neighbours(const vectors_t *vectors, int k, int *n); /* itself among them */

/* V [n_ap][n_ant] of user k; zero at APs that do not serve it. Returns the number of its neighbours, itself among them;
 * 0 when nobody serves it (V is zero). */
int vectors_user(vectors_t *vectors, enum vectors_rule rule, const struct vectors_csi *csi, int k, double *Vr,
                 double *Vi);
/* LP-MMSE of one AP: V [n_ant][n_ue], zero columns for users that it does not serve. Returns how many it serves. */
int vectors_local(vectors_t *vectors, const struct vectors_csi *csi, int ap, double *Vr, double *Vi);
/* SINR (5.5) of user k with V [n_ap][n_ant], over all users' estimates and errors at its APs. */
double vectors_sinr(const vectors_t *vectors, const struct vectors_csi *csi, int k, const double *Vr, const double *Vi);

#endif
