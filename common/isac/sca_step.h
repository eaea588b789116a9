/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One convex subproblem of isac/sca.h around a point. Used by sca.c and sca_ipopt.c alone. */
#ifndef TUTTI_ISAC_SCA_STEP_H
#define TUTTI_ISAC_SCA_STEP_H

#include "isac/power.h"
#include "isac/rows.h"

/* What a step optimises: CP; CP without the eavesdroppers' rows, on the way to a start of SP; SP. */
enum sca_kind { SCA_CP, SCA_START, SCA_SP };

/* Scaled powers and relaxed modes, and what they give. */
struct sca_point {
    double *a, *p, *r;            /* [ap] 0 to 1, [ap][ue], [ap][zone] */
    double *root, *D, *C, *S, *O; /* [ue] sum_m g sqrt(a p), [ue], [zone] three times: with a and 1 - a in them */
    double t;                     /* least SINR of a user (CP), largest of an eavesdropper (SP) */
};

struct sca_step {
    const struct isac_rows *rows; /* the scaled gains; nothing else of it */
    struct isac_limits limits;
    enum sca_kind kind;
    double lambda, floor; /* weight of the penalty; least a */
    struct sca_point *at; /* where the approximations touch */
    int n_ipopt;          /* iterations so far */
};

/* Fills in root to O, and t for the kind. */
void sca_evaluate(const struct isac_rows *rows, enum sca_kind kind, struct sca_point *point);
/* Solves the subproblem; to holds a, p, r of the optimum, not evaluated. 0, TUTTI_ENOMEM, or TUTTI_ENUMERIC when Ipopt
 * does not finish. */
int sca_solve(struct sca_step *step, struct sca_point *to);

#endif
