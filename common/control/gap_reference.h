/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The weighted-gap problem's successive approximation with every convex subproblem solved by Ipopt: the yardstick of
 * the solver in control/gap.h, milliseconds to seconds instead of microseconds. For tests, benches and offline
 * commands: it allocates, and Ipopt must be there when Tutti is built (tutti_gap_reference). */
#ifndef TUTTI_CONTROL_GAP_REFERENCE_H
#define TUTTI_CONTROL_GAP_REFERENCE_H

#include "control/gap.h"

/* B: amplitude of stream 0 and powers of the others; A: the paper's second-order cone form (9)-(19), amplitudes of all,
 * in which noise that starts at 0 stays there. */
enum gap_form { GAP_FORM_A, GAP_FORM_B };

struct gap_reference_options {
    enum gap_form form;
    enum gap_noise noise;
    int max_steps;
    double tolerance; /* stops when the merit falls by less than this share of it */
};

/* One step in place, as gap_sca_step; a subproblem that Ipopt fails on, or that is worse than its start, changes
 * nothing. One-sided gaps only. iterations: Ipopt's. 0, or TUTTI_ENUMERIC (Ipopt's status named), TUTTI_ENOMEM,
 * TUTTI_EINVAL. */
int gap_reference_step(gap_t *gap, const struct gap_reference_options *options, double *eta, double *eta_an,
                       struct gap_result *result, double *subproblem);
/* Steps until the tolerance or max_steps; *n_steps. A step that fails ends it with what is there, status 0; the first
 * step's failure is the caller's. */
int gap_reference_solve(gap_t *gap, const struct gap_reference_options *options, double *eta, double *eta_an,
                        struct gap_result *result, int *n_steps);

#endif
