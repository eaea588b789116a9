/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/scheme.h"

#include "control/maxmin.h"
#include "rlspa/beams.h"
#include "rlspa/block.h"

#include <math.h>

void scheme_amplitudes_one(struct precoder *p)
{
    for (int k = 0; k < p->problem.n_ue; k++) {
        p->amplitude[k] = 1;
    }
}

void scheme_amplitudes_common(struct precoder *p, const double *weight)
{
    const struct mimo_problem *q = &p->problem;
    double use = 0;
    for (int m = 0; m < q->n_ap; m++) {
        double power = 0;
        for (int r = m * q->n_ant; r < (m + 1) * q->n_ant; r++) {
            for (int k = 0; k < q->n_ue; k++) {
                const int i = r * q->n_ue + k;
                power += (p->Ur[i] * p->Ur[i] + p->Ui[i] * p->Ui[i]) * weight[k] * weight[k];
            }
        }
        use = fmax(use, power / q->P[m]);
    }
    for (int k = 0; k < q->n_ue; k++) {
        p->amplitude[k] = use > 0 ? weight[k] / sqrt(use) : 0;
    }
}

static void drop(struct precoder *p, int k)
{
    const int rows = p->problem.n_row, n = p->problem.n_ue;
    mimo_columns_drop(rows, n, k, p->Ur);
    mimo_columns_drop(rows, n, k, p->Ui);
    mimo_problem_drop(&p->problem, k);
}

/* F, noise and B of the beams in U, without the users that they miss; false when nobody is left. */
static bool couple(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    int missed = 1;
    while (q->n_ue > 0 && (missed = mimo_problem_beams(q, p->Ur, p->Ui, p->F, p->noise, p->B)) > 0) {
        drop(p, missed - 1);
    }
    return q->n_ue > 0;
}

void scheme_amplitudes_sent(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    const struct split U = {p->Ur, p->Ui};
    beams_norms(q->n_row, q->n_ue, &U, p->noise);
    for (int k = 0; k < q->n_ue; k++) {
        p->noise[k] = 1 / sqrt(p->noise[k]);
    }
    scheme_amplitudes_common(p, p->noise);
}

void scheme_amplitudes_received(struct precoder *p)
{
    if (couple(p)) {
        for (int k = 0; k < p->problem.n_ue; k++) {
            p->noise[k] = sqrt(p->noise[k]); /* one over the gain */
        }
        scheme_amplitudes_common(p, p->noise);
    }
}

void scheme_amplitudes_maxmin(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    if (!couple(p)) {
        return;
    }
    maxmin_power(q->n_ue, q->n_ap, p->F, p->noise, p->B, q->n_ue, q->P, p->p, p->work);
    for (int k = 0; k < q->n_ue; k++) {
        p->amplitude[k] = sqrt(fmax(p->p[k], 0));
    }
}

/* U at unit norm, so that only the shape of the powers is left to choose. norm2 [n_ue] is work. */
static void normalise(struct precoder *p, double *norm2)
{
    const struct mimo_problem *q = &p->problem;
    const struct split U = {p->Ur, p->Ui};
    beams_norms(q->n_row, q->n_ue, &U, norm2);
    for (int i = 0; i < q->n_row * q->n_ue; i++) {
        const double c = norm2[i % q->n_ue] > 0 ? 1 / sqrt(norm2[i % q->n_ue]) : 0;
        p->Ur[i] *= c;
        p->Ui[i] *= c;
    }
}

/* gamma [n_ap] = sum_k E_mk, the errors of all users together; returns the budgets of all APs together. */
static double add_up(const struct mimo_problem *q, double *gamma)
{
    double total = 0;
    for (int m = 0; m < q->n_ap; m++) {
        gamma[m] = 0;
        for (int k = 0; k < q->n_ue; k++) {
            gamma[m] += q->E[m * q->n_ue + k];
        }
        total += q->P[m];
    }
    return total;
}

/* Parts of the powers, from amplitudes. */
static void tell_shape(const struct mimo_problem *q, const double *amplitude, double *shape)
{
    double sum = 0;
    for (int k = 0; k < q->n_ue; k++) {
        sum += amplitude[k] * amplitude[k];
    }
    for (int k = 0; k < q->n_ue; k++) {
        shape[q->ue[k]] = sum > 0 ? amplitude[k] * amplitude[k] / sum : 0;
    }
}

/* Amplitudes of the parts handed in, unless they give nobody anything. */
static void take_shape(const struct mimo_problem *q, int n_ue, const double *eta, double *amplitude)
{
    const double *const part = eta + q->ap[0] * n_ue;
    double sum = 0;
    for (int k = 0; k < q->n_ue; k++) {
        sum += part[q->ue[k]];
    }
    for (int k = 0; k < q->n_ue && sum > 0; k++) {
        amplitude[k] = sqrt(part[q->ue[k]]);
    }
}

void scheme_amplitudes_rlspa(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                             struct mimo_solution *solution)
{
    const struct mimo_problem *q = &p->problem;
    const struct split H = {q->Hr, q->Hi}, U = {p->Ur, p->Ui};
    double *const shape = p->amplitude, *const gamma = p->B; /* B, G, F: free until powers are stored */
    struct links links = {.n = q->n_ue, .rho = 1, .sigma2 = 1, .B = {p->Gr, p->Gi}, .w2 = p->p};
    struct block_error error = {.power = p->F};
    normalise(p, p->p);
    links.Pt = add_up(q, gamma);
    beams_norms(q->n_row, q->n_ue, &U, p->p);
    beams_received(q->n_row, q->n_ue, &H, &U, &links.B);
    beams_error_power(q->n_ap, q->n_ant, q->n_ue, gamma, &U, p->F);
    for (int m = 0; m < q->n_ap; m++) {
        error.eps2 += q->n_ant * gamma[m];
    }
    block_ridge(power == MIMO_POWER_RLSPA_WC ? BLOCK_WC : BLOCK_WIENER, &links, &error, NULL, p->noise);
    block_solve(&links, p->noise, LINKS_FULL, shape);
    if (solution->shape) {
        tell_shape(q, shape, solution->shape);
    }
    if (channel->eta) {
        take_shape(q, p->shape.n_ue, channel->eta, shape);
    }
    scheme_amplitudes_common(p, shape);
}

void scheme_amplitudes_by(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                          struct mimo_solution *solution)
{
    if (MIMO_RLSPA_POWER & MIMO_ONLY(power)) {
        scheme_amplitudes_rlspa(p, power, channel, solution);
    } else if (power == MIMO_POWER_EQUAL_SENT) {
        scheme_amplitudes_sent(p);
    } else if (power == MIMO_POWER_EQUAL_RECEIVED) {
        scheme_amplitudes_received(p);
    } else {
        scheme_amplitudes_maxmin(p);
    }
}

void scheme_store(const struct precoder *p, struct mimo_solution *solution)
{
    mimo_problem_store(&p->problem, &p->shape, p->Ur, p->Ui, p->amplitude, solution->W);
}

float scheme_least_sinr(const struct precoder *p, const struct mimo_channel *channel, struct mimo_solution *solution)
{
    float least = INFINITY;
    mimo_sinr(&p->shape, channel, solution->W, solution->sinr);
    for (int k = 0; k < p->problem.n_ue; k++) {
        least = fminf(least, solution->sinr[p->problem.ue[k]]);
    }
    return least;
}
