/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The weighted-gap problem of secure cell-free downlink ("Resilient Cell-Free Massive MIMO Networks", eq. (7)): powers
 * whose rates and secrecy come as near to their targets as the APs' budgets allow,
 *     Psi = w_sec ([1 - (R_0 - R_E)/S_des]^+)^2 + w_qos/K sum_k ([1 - R_k/R_des]^+)^2,   rates from closed forms of
 * large-scale quantities. User 0 is the one whom the eavesdropper attacks. Noise variance 1, rates in bit/s/Hz.
 * The solver works on amplitudes q = sqrt(eta/P), a product of balls with an exact projection: spectral projected
 * gradient (Birgin, Martinez, Raydan 2000), on the problem itself or on one convex subproblem of the paper's successive
 * approximation. Create allocates, nothing else does; nothing locks or blocks; one handle per thread. */
#ifndef TUTTI_CONTROL_GAP_H
#define TUTTI_CONTROL_GAP_H

#include "base/types.h"

/* Coefficients of the closed forms; the arrays are the caller's and are copied by gap_set. */
struct gap_model {
    int n_ap, n_ue;
    double omega;                 /* share of the block left for data, 1 - tau/tau_c */
    const double *P;              /* [n_ap] budgets >= 0; an AP with 0 is silent */
    const double *gain;           /* [n_ap][n_ue] coherent amplitude gain; 0 = no such stream */
    const double *leak;           /* [n_ap][n_ue] leak of projected streams and artificial noise into the user */
    const double *gain_eve;       /* [n_ap], coherent gain of stream 0 at the eavesdropper */
    const double *leak_eve;       /* [n_ap] */
    const uint8_t *strong;        /* [n_ap][n_ue] which streams are projected; NULL = all; the others leak by: */
    const double *leak_plain;     /* [n_ap][n_ue], with strong only */
    const double *leak_plain_eve; /* [n_ap], with strong only */
};

struct gap_targets {
    double r_min, r_des, s_des; /* r_min is elastic: a shortfall costs GAP_PENALTY per r_des */
    double w_sec, w_qos;        /* >= 0, sum 1 */
    bool two_sided;             /* the literal mean square of (7a): more than the target is a gap, too */
};
extern const double GAP_PENALTY;

struct gap_metrics {
    double rate_eve, sse, sse_raw; /* secrecy clipped at 0, and not */
    double psi;                    /* what is minimised: secrecy not clipped */
    double psi_metric;             /* what is reported: secrecy clipped, one-sided; 0 to 1 */
    double psi_two_sided;          /* secrecy clipped, two-sided */
    double merit;                  /* psi + GAP_PENALTY sum_k [r_min - R_k]^+ / r_des */
};

/* Where artificial noise may be used. For two users or more, projected streams and a one-sided gap some optimum has
 * none: its power serves another user at the same leak. GAP_NOISE_AUTO leaves it out there. */
enum gap_noise { GAP_NOISE_NONE, GAP_NOISE_AUTO, GAP_NOISE_FREE };

/* NEWTON: an interior-point method on form B, its tangents renewed at every step; one-sided gaps only (a two-sided one
 * takes the gradient). GRADIENT: spectral projected gradient on the amplitudes; cheap steps, slow to the end. */
enum gap_method { GAP_NEWTON, GAP_GRADIENT };

struct gap_options {
    enum gap_method method;
    enum gap_noise noise;
    int max_iterations; /* of the projected gradient, per subproblem in gap_sca_step */
    double tolerance;   /* stops when a projected gradient step of length 1 moves no amplitude by more */
};
extern const struct gap_options GAP_OPTIONS_DEFAULT;

struct gap_result {
    struct gap_metrics start, end;
    int iterations, evaluations;
};

typedef struct gap gap_t;

/* 0, or TUTTI_ENOMEM. Models may be smaller than the handle. */
int gap_create(gap_t **gap, int n_ap, int n_ue);
void gap_destroy(gap_t *gap); /* NULL allowed */
/* TUTTI_EINVAL when the model does not fit the handle, or a number of it or a target cannot be. */
int gap_set(gap_t *gap, const struct gap_model *model, const struct gap_targets *targets);
/* Of any powers eta [n_ap][n_ue], eta_an [n_ap]; rate [n_ue], NULL if not wanted. */
void gap_metrics(gap_t *gap, const double *eta, const double *eta_an, double *rate, struct gap_metrics *metrics);
/* Equal power over users, or over users and noise. */
void gap_equal_power(const gap_t *gap, bool with_noise, double *eta, double *eta_an);
/* Smallest merit that is found from the start in eta, eta_an (made feasible first); the best powers are left there:
 * finite, within the budgets, never worse than the start. */
void gap_solve(gap_t *gap, const struct gap_options *options, double *eta, double *eta_an, struct gap_result *result);
/* One step of the successive convex approximation (Form B: rates bounded below by ln(1 + 2 a x - a^2 y), the
 * eavesdropper's above by the tangent of its logarithm, both tight at the start), in place. The merit never rises.
 * *subproblem: objective of the convex problem with the penalty, NULL if not wanted. */
void gap_sca_step(gap_t *gap, const struct gap_options *options, double *eta, double *eta_an, struct gap_result *result,
                  double *subproblem);

#endif
