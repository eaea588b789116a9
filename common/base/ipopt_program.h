/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A nonlinear program g(x) <= 0 for Ipopt. It is the first member of what the caller's functions need besides x: their
 * `user` and `program` point to it. */
#ifndef TUTTI_BASE_IPOPT_PROGRAM_H
#define TUTTI_BASE_IPOPT_PROGRAM_H

#include "base/ipopt_entries.h"

#include <stddef.h>

#define IPOPT_PROGRAM_UNBOUNDED 2e19 /* Ipopt's infinity */

struct ipopt_program {
    const char *module; /* for sentences */
    int n_x, n_g, max_iterations;
    double tolerance;
    Number *x, *low, *high, *g_low, *g_high; /* [n_x] thrice, [n_g] twice */
    Eval_F_CB objective;
    Eval_Grad_F_CB objective_gradient;
    Eval_G_CB constraints;
    /* Return how many entries there are. Only the structure is asked for: x and multiplier are NULL. factor is the
     * objective's. */
    int (*jacobian)(const void *program, const Number *x, struct ipopt_entries e);
    int (*hessian)(const void *program, const Number *x, double factor, const Number *multiplier,
                   struct ipopt_entries e);
    int iterations; /* of the solution */
};

/* Arrays of n_x and n_g, one after the other in room for this many. */
size_t ipopt_program_room(const struct ipopt_program *program);
void ipopt_program_place(struct ipopt_program *program, Number *room);
/* From the start in x to the solution there, and its objective. Powers stay within their bounds to the last digit, for
 * roots are taken of them. TUTTI_ENOMEM; TUTTI_ENUMERIC: x is what Ipopt ended with. */
int ipopt_program_solve(struct ipopt_program *program, double *value);

#endif
