/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the interior-point method on form B: one amplitude (stream 0) and the powers of the others per AP; signs
 * and budgets stand behind a logarithmic barrier. The objective's second derivatives are a diagonal and
 * columns C columns^T with n_ue + 3 columns: the gradients of the users' arguments of the logarithm, of N_E, of D_E,
 * and the eavesdropper's coherent gains. In an AP the columns' rows are alike but for one entry each, so that a Newton
 * step costs about 4 n_ap (n_ue + 3)^2 multiply-adds. */
#ifndef TUTTI_CONTROL_GAP_NEWTON_H
#define TUTTI_CONTROL_GAP_NEWTON_H

#include "control/gap_core.h"

struct gap_newton {
    int n_row, n_column, n_padded; /* variables of an AP; n_ue + 3, and that padded */
    double mu;                     /* weight of the barrier */
    double *v, *z, *step, *trial;  /* [n_ap][n_ue + 1]; z: multipliers of the signs */
    double *inverse, *own, *right; /* [n_ap][n_ue + 1] 1 / diagonal (0: no variable); own entry; right-hand side */
    double *slack, *nu;            /* [n_ap] of the budgets, and their multipliers */
    double *leak, *leak_plain;     /* [n_ap][n_padded] into each user, and into D_E */
    double *first, *base, *base_plain, *bound; /* [n_ap][n_padded] rows; bound: budget^T B^-1 columns */
    double *damp, *bound_right;                /* [n_ap] rank-1 part of the inverse; budget^T B^-1 right-hand side */
    double *gram, *middle, *system;            /* [n_column][n_padded] columns^T B^-1 columns; C; I + C gram */
    double *slope, *project, *weight, *squares, *mixed; /* [n_padded] */
};

/* 0, or TUTTI_ENOMEM; destroy takes NULL and half-built ones. */
int gap_newton_create(struct gap_newton **newton, int n_ap, int n_ue);
void gap_newton_destroy(struct gap_newton *newton);
/* Minimises from gap->q (any feasible point) and leaves the point in gap->q; true objective, or the subproblem's if
 * gap->convex, then with the tangents that are set. Returns Newton steps. */
int gap_newton_descend(struct gap *gap, const struct gap_options *options);

#endif
