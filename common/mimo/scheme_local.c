/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Precoders that each AP builds by itself: conjugate beams, full, partial and protective partial zero-forcing, with the
 * beams of mimo/ppzf.h, so that the CPU node's and an AP's own are the same. */
#include "mimo/ppzf.h"
#include "mimo/scheme.h"

#include <math.h>
#include <string.h>

/* Large-scale gain and variance of the estimates, packed; a user with gamma 0 has no usable estimate at that AP and
 * does not count there. Without channel->beta the estimates' own power has to do. */
static void statistics(struct precoder *p, const struct mimo_channel *channel, int m)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    for (int k = 0; k < n; k++) {
        double energy = 0;
        for (int r = m * q->n_ant; r < (m + 1) * q->n_ant; r++) {
            energy += q->Hr[r * n + k] * q->Hr[r * n + k] + q->Hi[r * n + k] * q->Hi[r * n + k];
        }
        const double error = q->E[m * n + k], own = energy / q->n_ant;
        const float *known = channel->beta;
        const double beta =
            known ? (double)known[(size_t)q->ap[m] * (size_t)p->shape.n_ue + (size_t)q->ue[k]] : own + error;
        const double gamma = known ? fmax(beta - error, 0) : own;
        const bool usable = gamma > 0 && energy > 0;
        p->gamma[m * n + k] = usable ? gamma : 0;
        p->beta[m * n + k] = usable ? beta : 0;
    }
}

/* Users that no AP has a usable estimate of leave the problem. */
static void drop_unheard(struct precoder *p)
{
    struct mimo_problem *q = &p->problem;
    for (int k = q->n_ue - 1; k >= 0; k--) {
        bool heard = false;
        for (int m = 0; m < q->n_ap; m++) {
            heard |= p->gamma[m * q->n_ue + k] > 0;
        }
        if (!heard) {
            mimo_columns_drop(q->n_ap, q->n_ue, k, p->beta);
            mimo_columns_drop(q->n_ap, q->n_ue, k, p->gamma);
            mimo_problem_drop(q, k);
        }
    }
}

/* One AP's beams into U with E||u_mk||^2 = P_m / K, or eta_mk where that is given. */
static int beams(struct precoder *p, enum mimo_scheme scheme, const struct mimo_channel *channel, int m)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue, per_ap = q->n_ant * n;
    const double *const gamma = p->gamma + m * n;
    for (int i = 0; i < per_ap; i++) {
        p->H_ap[i] = CMPLX(q->Hr[m * per_ap + i], q->Hi[m * per_ap + i]);
    }
    ppzf_group(scheme, q->n_ant, n, p->beta + m * n, p->settings.upsilon, p->strong);
    const int status = ppzf_beams(scheme, q->n_ant, n, p->strong, gamma, p->H_ap, p->W_ap);
    const double *const eta = channel->eta ? channel->eta + q->ap[m] * p->shape.n_ue : NULL;
    for (int i = 0; i < per_ap; i++) {
        const double amplitude = sqrt(eta ? eta[q->ue[i % n]] : q->P[m] / n);
        p->Ur[m * per_ap + i] = amplitude * creal(p->W_ap[i]);
        p->Ui[m * per_ap + i] = amplitude * cimag(p->W_ap[i]);
    }
    return status;
}

static int solve(struct precoder *p, enum mimo_scheme scheme, enum mimo_power power, const struct mimo_channel *channel,
                 struct mimo_solution *solution)
{
    int reason = MIMO_REASON_ASKED;
    for (int m = 0; m < p->problem.n_ap; m++) {
        statistics(p, channel, m);
    }
    drop_unheard(p);
    for (int m = 0; m < p->problem.n_ap && p->problem.n_ue > 0; m++) {
        if (beams(p, scheme, channel, m)) {
            reason = scheme == MIMO_FZF && p->problem.n_ue >= p->problem.n_ant ? MIMO_REASON_FEW_ANTENNAS
                                                                               : MIMO_REASON_AP_DEPENDENT;
        }
    }
    if (mimo_holds_mean(scheme, power)) {
        scheme_amplitudes_one(p);
        mimo_problem_store_capped(&p->problem, &p->shape, p->Ur, p->Ui, p->amplitude, solution->W);
    } else {
        scheme_amplitudes_maxmin(p);
        scheme_store(p, solution);
    }
    return reason;
}

int scheme_fzf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                     struct mimo_solution *solution)
{
    return solve(p, MIMO_FZF, power, channel, solution);
}

int scheme_pzf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                     struct mimo_solution *solution)
{
    return solve(p, MIMO_PZF, power, channel, solution);
}

int scheme_ppzf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                      struct mimo_solution *solution)
{
    return solve(p, MIMO_PPZF, power, channel, solution);
}

/* Every AP scales its estimates by one factor to its whole budget. */
static void conjugate(struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    const int per_ap = q->n_ant * q->n_ue;
    for (int m = 0; m < q->n_ap; m++) {
        const double *hr = q->Hr + m * per_ap, *hi = q->Hi + m * per_ap;
        double energy = 0;
        for (int i = 0; i < per_ap; i++) {
            energy += hr[i] * hr[i] + hi[i] * hi[i];
        }
        const double scale = energy > 0 ? sqrt(q->P[m] / energy) : 0;
        for (int i = 0; i < per_ap; i++) {
            p->Ur[m * per_ap + i] = scale * hr[i];
            p->Ui[m * per_ap + i] = scale * hi[i];
        }
    }
}

/* eta for the packed figures in beta, gamma and P; solved anew only when they change. Returns the reason. */
static int solve_eta(struct precoder *p)
{
    static const double TOLERANCE = 1e-2;
    static const int MAX_ITERATIONS = 60;
    const struct mimo_problem *q = &p->problem;
    const size_t one = (size_t)(q->n_ap * q->n_ue) * sizeof *p->eta, aps = (size_t)q->n_ap * sizeof *p->eta_P;
    if (p->eta_n_ap == q->n_ap && p->eta_n_ue == q->n_ue && !memcmp(p->eta_beta, p->beta, one) &&
        !memcmp(p->eta_gamma, p->gamma, one) && !memcmp(p->eta_P, q->P, aps)) {
        return p->eta_reason;
    }
    const struct maxmin_cb_network network = {
        .n_ap = q->n_ap, .n_ant = q->n_ant, .n_ue = q->n_ue, .beta = p->beta, .gamma = p->gamma, .P = q->P};
    struct maxmin_cb_result result;
    const int status = maxmin_cb_execute(p->maxmin_cb, &network, TOLERANCE, MAX_ITERATIONS, p->eta, &result);
    p->eta_reason = status ? MIMO_REASON_ITERATIONS : MIMO_REASON_ASKED;
    p->eta_n_ap = q->n_ap;
    p->eta_n_ue = q->n_ue;
    memcpy(p->eta_beta, p->beta, one);
    memcpy(p->eta_gamma, p->gamma, one);
    memcpy(p->eta_P, q->P, aps);
    return p->eta_reason;
}

/* One coefficient per AP and user, from large-scale fading; amplitudes stay in B. */
static int solve_cb_maxmin(struct precoder *p, const struct mimo_channel *channel, struct mimo_solution *solution)
{
    const struct mimo_problem *q = &p->problem;
    for (int m = 0; m < q->n_ap; m++) {
        statistics(p, channel, m);
    }
    drop_unheard(p);
    const int reason = q->n_ue > 0 && !channel->eta ? solve_eta(p) : MIMO_REASON_ASKED;
    const int n = q->n_ue;
    for (int i = 0; i < q->n_ap * n; i++) {
        const double eta = channel->eta ? channel->eta[q->ap[i / n] * p->shape.n_ue + q->ue[i % n]] : p->eta[i];
        p->B[i] = p->gamma[i] > 0 ? sqrt(eta) : 0;
    }
    for (int i = 0; i < q->n_row * n; i++) {
        const double amplitude = p->B[i / n / q->n_ant * n + i % n];
        p->Ur[i] = amplitude * q->Hr[i];
        p->Ui[i] = amplitude * q->Hi[i];
    }
    scheme_amplitudes_one(p);
    mimo_problem_store_capped(q, &p->shape, p->Ur, p->Ui, p->amplitude, solution->W);
    return reason;
}

int scheme_cb_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                    struct mimo_solution *solution)
{
    if (power == MIMO_POWER_EQUAL_SHARES) {
        return solve(p, MIMO_CB, power, channel, solution);
    }
    if (power == MIMO_POWER_MAXMIN) {
        return solve_cb_maxmin(p, channel, solution);
    }
    conjugate(p);
    if (power == MIMO_POWER_BY_STRENGTH) {
        scheme_amplitudes_one(p);
    } else {
        scheme_amplitudes_maxmin(p);
    }
    scheme_store(p, solution);
    return MIMO_REASON_ASKED;
}
