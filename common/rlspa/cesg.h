/* SPDX-License-Identifier: GPL-3.0-or-later */
/* C-ESG: which n of K candidates are served together by zero-forcing. A greedy phase adds the candidate that raises the
 * rate most; an exchange phase then takes the rest in, strongest first, each for the weakest one inside, and the best
 * set seen wins. Works on the Gram matrix of the clustered channels, the channel's own or a mean of many. The inverse
 * is kept by rank-one updates: greedy costs 12 K n^2 flops, an exchange 24 n^2, the Gram matrix (cesg_gram) 4 M K^2.
 * Rate of a set S: sum_k log2(1 + c / |S| / [G_S^-1]_kk) at equal powers, none when the eigenvalues of G_S spread by
 * 1e10 or more. Ties go to the lowest index. Create allocates, the others do not; one handle per thread. */
#ifndef TUTTI_RLSPA_CESG_H
#define TUTTI_RLSPA_CESG_H

#include "rlspa/split.h"

#include <stdbool.h>

typedef struct cesg cesg_t;

struct cesg_problem {
    int n_ue, n;           /* candidates; users wanted */
    double c;              /* rho Pt / sigma2 */
    const double *Gr, *Gi; /* [n_ue][n_ue] Hermitian, (i, j) = ga_i^H ga_j or its conjugate */
    const int *always;     /* [n_always] distinct candidates that come first and are never exchanged */
    int n_always;
    bool greedy_only;
};

struct cesg_result {
    int n;                         /* users chosen; fewer than wanted when no candidate adds a dimension */
    int n_rates;                   /* sets tried: 1 + exchanges */
    int best;                      /* which of them, from 1 */
    double greedy_rate, best_rate; /* -inf: no set has one */
};

int cesg_create(cesg_t **cesg, int n_ue_max, int n_max); /* 0, or TUTTI_ENOMEM */
void cesg_destroy(cesg_t *cesg);                         /* NULL allowed */
/* G of n_antennas x n_ue clustered channels; the result stays valid until the next call. */
void cesg_gram(cesg_t *cesg, int n_antennas, int n_ue, const struct split *Ga, const double **Gr, const double **Gi);
/* chosen [n] ascending; order [n] (may be NULL) as the greedy phase took them; rates [1 + n_ue] (may be NULL) of all
 * sets tried. */
void cesg_execute(cesg_t *cesg, const struct cesg_problem *problem, int *chosen, int *order, double *rates,
                  struct cesg_result *result);
/* The n candidates of largest G_kk, ascending: what the greedy phase is compared with. */
void cesg_strongest(cesg_t *cesg, int n_ue, int n, const double *Gr, int *chosen);

#endif
