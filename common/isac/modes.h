/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which AP communicates and which senses: the relaxation in which every AP may do both bounds every choice; its APs
 * sorted by their sensing share give the first candidates (the first j sense); from the best of them single APs are
 * flipped and pairs swapped as long as that helps. Powers are optimal for every candidate. Not the paper's SCA, which
 * needs more solves and ends lower. Cost: 30 to 100 solves of isac/power.h. Create allocates, search does not. */
#ifndef TUTTI_ISAC_MODES_H
#define TUTTI_ISAC_MODES_H

#include "isac/power.h"

/* How far the search goes. */
enum isac_effort { ISAC_PREFIXES, ISAC_FLIPS, ISAC_SWAPS };

struct isac_decision {
    struct isac_solution solution; /* of the modes chosen; feasible only if some modes were */
    double bound;                  /* CP: no modes reach more; SP: none reach less. NaN when infeasible */
    int solves;
};

typedef struct isac_modes isac_modes_t;

int isac_modes_create(isac_modes_t **modes, int n_ap, int n_ue, int n_zone); /* 0, TUTTI_EINVAL or TUTTI_ENOMEM */
void isac_modes_destroy(isac_modes_t *modes);                                /* NULL allowed */
/* mode [n_ap] is ISAC_SENSING or ISAC_COMMUNICATION afterwards, all communication when nothing is feasible; eta_c,
 * eta_s the powers of these modes. */
void isac_modes_search(isac_modes_t *modes, const struct isac_scene *scene, const struct isac_limits *limits,
                       enum isac_objective objective, enum isac_effort effort, unsigned char *mode, double *eta_c,
                       double *eta_s, struct isac_decision *decision);
/* All 2^n_ap choices, n_ap up to 16; objective_of [2^n_ap] (NULL allowed) NaN where infeasible; bit n_ap - 1 - m of the
 * index is AP m's mode. */
void isac_modes_exhaust(isac_modes_t *modes, const struct isac_scene *scene, const struct isac_limits *limits,
                        enum isac_objective objective, double *objective_of, unsigned char *mode, double *eta_c,
                        double *eta_s, struct isac_decision *decision);

#endif
