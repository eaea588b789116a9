/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Powers for given modes, to the global optimum. Communication prioritised (CP): the largest least SINR of a user with
 * every eavesdropper at nu or below and every zone's MASR at kappa or above. Security prioritised (SP): the least
 * largest eavesdropper's SINR with every user at qos or above and the same MASR. For fixed modes the users' rows are
 * concave over affine and the others affine, so every stationary point is the optimum (quasi-concave programme), and
 * with both modes free at every AP the value bounds every choice of modes. Method of centres: Newton on the barrier of
 * the rows at a level, then the level goes nine tenths of the way to the row that is reached. A Newton step costs about
 * 8 M (K + L) (K + L)^2 operations, a solve some 100 to 200 steps. Create allocates, execute does not. */
#ifndef TUTTI_ISAC_POWER_H
#define TUTTI_ISAC_POWER_H

#include "isac/scene.h"

enum isac_objective { ISAC_CP, ISAC_SP };
enum isac_verdict {
    ISAC_FEASIBLE,
    ISAC_MASR_UNREACHABLE, /* reachable = largest MASR that all zones reach together, nobody served */
    ISAC_QOS_UNREACHABLE   /* reachable = largest SINR that all users reach together */
};
/* What an AP may do. */
enum isac_mode { ISAC_SENSING = 0, ISAC_COMMUNICATION = 1, ISAC_EITHER = 2 };

struct isac_solution {
    enum isac_verdict verdict;
    double objective; /* recomputed from the powers returned; NaN when not feasible */
    double reachable;
    int steps;
};

typedef struct isac_power isac_power_t;

int isac_power_create(isac_power_t **power, int n_ap, int n_ue, int n_zone); /* 0, TUTTI_EINVAL or TUTTI_ENOMEM */
void isac_power_destroy(isac_power_t *power);                                /* NULL allowed */
/* mode [n_ap]; the scene has the sizes of create. eta_c [n_ap][n_ue] and eta_s [n_ap][n_zone] obey every limit, or are
 * 0 when the verdict says that nothing does. */
void isac_power_solve(isac_power_t *power, const struct isac_scene *scene, const struct isac_limits *limits,
                      enum isac_objective objective, const unsigned char *mode, double *eta_c, double *eta_s,
                      struct isac_solution *solution);
/* The largest MASR that all zones reach together when every AP that may senses and none communicates; INFINITY with
 * one zone, 0 when nobody may sense. */
double isac_power_largest_masr(isac_power_t *power, const struct isac_scene *scene, const unsigned char *mode);

#endif
