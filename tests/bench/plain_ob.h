/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The max-min optimum the plain way, to check ob_solve and to measure what it saves: double precision, the L x L matrix
 * S factored by LAPACK in every iteration, fixed-point virtual powers, multiplicative AP prices. Every AP
 * and user is taken as active, every budget and channel as nonzero. */
#ifndef TESTS_BENCH_PLAIN_OB_H
#define TESTS_BENCH_PLAIN_OB_H

#include "../mimo/reference.h"

struct plain_ob_result {
    double lower; /* least SINR of the precoder found */
    double upper; /* no precoder within the budgets does better */
    int iterations;
    bool converged; /* (upper - lower) / upper <= gap before the iteration limit */
};

struct plain_ob_settings {
    double gap;
    int max_iterations;
    /* Virtual powers: lambda_k <- 1 / (h_k^H S^-1 h_k), or with user k's own signal left out of S, which
     * has the same fixed point and takes far fewer iterations at high SINR. */
    bool leave_out_own;
    double exponent; /* of power_m / P_m in the price update; 1 is the fastest, but one user without errors cycles */
};

/* Writes the best precoder to c->solution.W. Returns 0, or -1 when S cannot be factored (result: bounds so far). */
int plain_ob_solve(struct channel_case *c, const struct plain_ob_settings *settings, struct plain_ob_result *result);

#endif
