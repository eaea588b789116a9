/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the weighted-gap solver: amplitudes lie user by user, [n_ue + 1][stride] with the noise last and the APs
 * padded by zeros to whole vectors. Everything that counts depends on them through x_k, y_k and the eavesdropper's four
 * numbers. */
#ifndef TUTTI_CONTROL_GAP_CORE_H
#define TUTTI_CONTROL_GAP_CORE_H

#include "control/gap.h"

enum { GAP_PAD = 8, GAP_MEMORY = 8 };

struct gap {
    int max_ap, max_ue, n_ap, n_ue;
    size_t stride, n; /* n = (n_ue + 1) stride numbers in a point */
    struct gap_targets targets;
    double w;   /* omega / ln 2: bit/s/Hz per neper */
    bool plain; /* some streams are not projected */

    /* [n_ue][stride], per unit of amplitude or of budget */
    double *gain, *leak, *leak_plain;
    double *allowed;                              /* [n_ue + 1][stride] 1 = a variable, 0 = stays 0 */
    double *unprojected;                          /* [n_ue][stride] 1 = leaks plainly */
    double *gain_eve, *leak_eve, *leak_plain_eve; /* [stride] */
    double *P;                                    /* [stride] */

    /* the point that was looked at last */
    double *total, *total_plain;             /* [stride] power through projected streams, and through the others */
    double *x, *y, *rate;                    /* [n_ue] */
    double coherent, n_eve, d_eve, rate_eve; /* N_E = coherent^2 + incoherent, D_E */
    /* derivatives of the objective */
    double *by_x, *by_y; /* [n_ue] */
    double by_n, by_d;
    double *slope, *slope_plain; /* [stride] by the two totals */

    /* the convex subproblem's tangents */
    bool convex;
    double *a; /* [n_ue] */
    double chi;
    double smooth; /* width of the rounded corner of the penalty; 0 = sharp */

    struct gap_newton *newton;
    double *q, *gradient, *trial, *trial_gradient, *step, *best, *origin; /* [n_ue + 1][stride] */
};

/* One instruction set's loops over all amplitudes. */
struct gap_ops {
    /* totals, x, y, coherent, n_eve, d_eve of a point */
    void (*forward)(struct gap *gap, const double *q);
    /* gradient of the objective from by_x, by_y, by_n, by_d */
    void (*backward)(struct gap *gap, const double *q, double *gradient);
    /* step = projection of q - alpha gradient, minus q; returns gradient . step and |step|^2 */
    double (*direct)(const struct gap *gap, const double *q, const double *gradient, double alpha, double *step,
                     double *square);
    /* trial = q + lambda step */
    void (*move)(const struct gap *gap, const double *q, double lambda, const double *step, double *trial);
    /* step . (g1 - g0); *square = |g1 - g0|^2 */
    double (*curve)(const struct gap *gap, const double *step, const double *g1, const double *g0, double *square);
};
extern const struct gap_ops gap_ops_portable;
#ifdef TUTTI_GAP_X86
extern const struct gap_ops gap_ops_avx2;
#endif
const struct gap_ops *gap_ops_get(void);

/* Objective (of the subproblem if convex) at a point, INFINITY where it does not exist, and its derivatives by x, y, N,
 * D. */
double gap_value(struct gap *gap, const struct gap_ops *ops, const double *q);
/* The same from the x, y, N, D that are there. */
double gap_outer(struct gap *gap);
/* Metrics of the point that was looked at last; needs convex == false. */
void gap_metrics_here(struct gap *gap, struct gap_metrics *metrics);
/* Point of any powers, and back: powers never leave the budgets. */
void gap_to_point(const struct gap *gap, const double *eta, const double *eta_an, double *q);
void gap_to_power(const struct gap *gap, const double *q, double *eta, double *eta_an);

/* What a solver begins and ends with. Enter: powers as a feasible point in gap->q and gap->origin, looked at, and which
 * noise is a variable. Linearise: the subproblem's tangents there. Leave: the point in gap->q as powers if it is no
 * worse than gap->origin, else that. */
void gap_enter(struct gap *gap, enum gap_noise noise, const double *eta, const double *eta_an,
               struct gap_metrics *start);
void gap_linearise(struct gap *gap);
void gap_leave(struct gap *gap, double *eta, double *eta_an, struct gap_result *result);

#endif
