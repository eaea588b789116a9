/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The paper's own way to modes and powers [Wang 2026, algorithm 1], for its Fig. 2 and as a yardstick: successive
 * convex approximation of modes relaxed to 0..1 with a penalty a - a^2 that rises, from a random feasible start, each
 * subproblem by Ipopt; then modes are rounded and powers solved again (isac/power.h). isac/modes.h needs less time and
 * ends higher. The approximations are (20), (26), (28), (29), (36) in scaled powers, with path gains taken out of the
 * products and gamma outside the root of (27). (35), a Taylor expansion, is no bound: an SP step may break (32a), so
 * that the objective is computed anew after every step. Where Ipopt is not installed this library is not built.
 * Cost: 20 to 57 subproblems of M (K + L + 3) + 1 variables. Create allocates, Ipopt allocates in every step. Calls
 * from several threads wait for each other: the linear solver within Ipopt has state of its own. */
#ifndef TUTTI_ISAC_SCA_H
#define TUTTI_ISAC_SCA_H

#include "isac/power.h"

#include <stdint.h>

enum { ISAC_SCA_MOST_STEPS = 57 }; /* 12 without penalty, 5 with each of 9 */

/* A point of the iteration: modes [n_ap] 0 to 1, their powers, the objective at it. Iteration 0 is the start. */
struct isac_sca_view {
    int iteration;
    double penalty; /* weight with which the step was made */
    const double *a, *eta_c, *eta_s;
    double objective;
};
typedef void isac_sca_seen_t(void *context, const struct isac_sca_view *view);

struct isac_sca_result {
    enum isac_verdict verdict; /* of the start; reachable as in struct isac_solution */
    double reachable;
    double relaxed;                 /* objective of the last point, modes not yet rounded */
    double fractional;              /* sum over APs of a (1 - a) there */
    int n_step, n_ipopt;            /* SCA steps, Ipopt's iterations in them all, those of SP's start included */
    struct isac_solution threshold; /* modes a >= 0.5, powers solved again */
    struct isac_solution prefix;    /* the best of "the j APs of least a sense" */
    int n_sensing;                  /* of the best prefix; 0 when none is feasible */
};

typedef struct isac_sca isac_sca_t;

int isac_sca_create(isac_sca_t **sca, int n_ap, int n_ue, int n_zone); /* 0, TUTTI_EINVAL or TUTTI_ENOMEM */
void isac_sca_destroy(isac_sca_t *sca);                                /* NULL allowed */
/* From the start that seed draws. mode [n_ap], eta_c and eta_s are those of the best prefix, all communication and 0
 * when none is feasible; seen may be NULL. 0, or TUTTI_ENOMEM. A step that Ipopt cannot do ends its stage. */
int isac_sca_run(isac_sca_t *sca, const struct isac_scene *scene, const struct isac_limits *limits,
                 enum isac_objective objective, uint64_t seed, isac_sca_seen_t *seen, void *context,
                 unsigned char *mode, double *eta_c, double *eta_s, struct isac_sca_result *result);

#endif
