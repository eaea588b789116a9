/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/scheme.h"

#include "control/maxmin.h"

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

void scheme_amplitudes_maxmin(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    int missed = 1;
    while (q->n_ue > 0 && (missed = mimo_problem_beams(q, p->Ur, p->Ui, p->F, p->noise, p->B)) > 0) {
        drop(p, missed - 1);
    }
    if (q->n_ue == 0) {
        return;
    }
    maxmin_power(q->n_ue, q->n_ap, p->F, p->noise, p->B, q->n_ue, q->P, p->p, p->work);
    for (int k = 0; k < q->n_ue; k++) {
        p->amplitude[k] = sqrt(fmax(p->p[k], 0));
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
