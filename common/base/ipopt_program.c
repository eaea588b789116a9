/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ipopt_program.h"

#include "base/error.h"

size_t ipopt_program_room(const struct ipopt_program *p)
{
    return 3 * (size_t)p->n_x + 2 * (size_t)p->n_g;
}

void ipopt_program_place(struct ipopt_program *p, Number *room)
{
    p->x = room;
    p->low = p->x + p->n_x;
    p->high = p->low + p->n_x;
    p->g_low = p->high + p->n_x;
    p->g_high = p->g_low + p->n_g;
}

static Bool jacobian(Index n, Number *x, Bool fresh, Index n_g, Index count, Index *row, Index *column, Number *value,
                     UserDataPtr user)
{
    (void)n, (void)fresh, (void)n_g, (void)count;
    const struct ipopt_program *const p = user;
    p->jacobian(p, value ? x : NULL, (struct ipopt_entries){0, row, column, value});
    return TRUE;
}

static Bool hessian(Index n, Number *x, Bool fresh, Number factor, Index n_g, Number *multiplier, Bool fresh_multiplier,
                    Index count, Index *row, Index *column, Number *value, UserDataPtr user)
{
    (void)n, (void)fresh, (void)n_g, (void)fresh_multiplier, (void)count;
    const struct ipopt_program *const p = user;
    const struct ipopt_entries e = {0, row, column, value};
    p->hessian(p, value ? x : NULL, factor, value ? multiplier : NULL, e);
    return TRUE;
}

static Bool count_iterations(Index mode, Index iteration, Number value, Number infeasible, Number dual, Number mu,
                             Number step, Number regularization, Number alpha_dual, Number alpha, Index trials,
                             UserDataPtr user)
{
    (void)mode, (void)value, (void)infeasible, (void)dual, (void)mu, (void)step, (void)regularization;
    (void)alpha_dual, (void)alpha, (void)trials;
    ((struct ipopt_program *)user)->iterations = iteration;
    return TRUE;
}

int ipopt_program_solve(struct ipopt_program *p, double *value)
{
    const struct ipopt_entries none = {0};
    p->iterations = 0;
    IpoptProblem ipopt = CreateIpoptProblem(p->n_x, p->low, p->high, p->n_g, p->g_low, p->g_high,
                                            p->jacobian(p, NULL, none), p->hessian(p, NULL, 0, NULL, none), 0,
                                            p->objective, p->constraints, p->objective_gradient, jacobian, hessian);
    if (!ipopt) {
        return error_set(TUTTI_ENOMEM, "%s: Ipopt refuses %d variables and %d constraints", p->module, p->n_x, p->n_g);
    }
    AddIpoptIntOption(ipopt, "print_level", 0);
    AddIpoptStrOption(ipopt, "sb", "yes");
    AddIpoptIntOption(ipopt, "max_iter", p->max_iterations);
    AddIpoptNumOption(ipopt, "tol", p->tolerance);
    AddIpoptNumOption(ipopt, "bound_relax_factor", 0);
    AddIpoptStrOption(ipopt, "mu_strategy", "adaptive");
    SetIntermediateCallback(ipopt, count_iterations);
    const enum ApplicationReturnStatus status = IpoptSolve(ipopt, p->x, NULL, value, NULL, NULL, NULL, p);
    FreeIpoptProblem(ipopt);
    if (status != Solve_Succeeded && status != Solved_To_Acceptable_Level) {
        return error_set(TUTTI_ENUMERIC, "%s: Ipopt ends the subproblem with status %d", p->module, (int)status);
    }
    return TUTTI_OK;
}
