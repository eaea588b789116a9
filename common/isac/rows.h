/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The problems of the room in scaled powers p = N gamma eta_c and r = N eta_s (0 to 1): every requirement is a concave
 * row that must be positive. Gains are divided by their sums over the APs, so no number here is of the size of a path
 * gain. User k: f_k - level D_k with f_k = (sum_m g_mk sqrt(p_mk))^2; eavesdropper l: level (S_l + n_l) - C_l; zone l:
 * (1 + level) O_l - level (C_l + S_l); AP m: 1 - sum of its powers. Used by power.c and centre.c alone. */
#ifndef TUTTI_ISAC_ROWS_H
#define TUTTI_ISAC_ROWS_H

#include "isac/scene.h"

/* Which rows there are, at what level, with what weight in the barrier. */
struct isac_barrier {
    bool users, eves; /* zones and APs always */
    double user_level, eve_level, masr_level;
    double user_weight, eve_weight, masr_weight;
};

struct isac_rows {
    int n_ap, n_ue, n_zone;
    double *g;     /* [ap][ue] sqrt(N gamma / sum beta) */
    double *b;     /* [ap][ue] beta / sum beta */
    double *noise; /* [ue] 1 / (rho sum beta) */
    double *z;     /* [ap][zone] zeta / sum zeta */
    double *s;     /* [ap][zone][of the stream of] z G / N */
    double *zone_noise;
    /* the unknowns that this problem has: those of AP m at first[m] to first[m + 1], n_p[m] powers of users (all or
     * none) before those of zones (all or none) */
    int *first, *n_p;
    double *x;
    /* what they give */
    double *root, *D, *C, *S, *O, *slack; /* [ue] sum_m g sqrt(p), [ue], [zone] three times, [ap] */
};

int isac_rows_create(struct isac_rows *rows, int n_ap, int n_ue, int n_zone); /* 0, TUTTI_ENOMEM */
void isac_rows_destroy(struct isac_rows *rows);
void isac_rows_load(struct isac_rows *rows, const struct isac_scene *scene);
/* Unknowns for these APs: sends [n_ap] those that may send to users, senses [n_ap] those that may sense. */
void isac_rows_choose(struct isac_rows *rows, const unsigned char *sends, const unsigned char *senses);
static inline int isac_rows_size(const struct isac_rows *rows)
{
    return rows->first[rows->n_ap];
}
void isac_rows_evaluate(struct isac_rows *rows, const double *x);
static inline double isac_user_ratio(const struct isac_rows *rows, int k)
{
    return rows->root[k] * rows->root[k] / rows->D[k];
}
double isac_least_sinr(const struct isac_rows *rows);
double isac_largest_eve(const struct isac_rows *rows);
double isac_least_masr(const struct isac_rows *rows); /* INFINITY when nothing else reaches any zone */
/* Barrier of the rows evaluated last and of x > 0, INFINITY outside. */
double isac_barrier_value(const struct isac_rows *rows, const struct isac_barrier *barrier, const double *x);

/* centre.c: damped Newton to the minimum of the barrier from rows->x, which must be strictly inside. Returns the steps
 * taken. */
struct isac_newton {
    double *F, *BF;                  /* [unknown][column]: gradients of the rows, and B^-1 of them */
    double *factor, *spread;         /* [column] weight / row, row^2 / weight */
    double *diagonal, *curve;        /* [unknown] diagonal of B, B's diagonal^-1 v */
    double *lift;                    /* [user] strength of the rank one in B^-1 */
    double *schur, *share;           /* [APs and columns] squared, and alone */
    double *gradient, *step, *trial; /* [unknown] */
};
int isac_newton_create(struct isac_newton *newton, int n_ap, int n_ue, int n_zone);
void isac_newton_destroy(struct isac_newton *newton);
int isac_centre(struct isac_rows *rows, const struct isac_barrier *barrier, struct isac_newton *newton);

#endif
