/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Zero-forcing of each AP by itself: full, partial and protective partial (mimo/ppzf.h). */
#include "linalg/cmplx.h"
#include "mimo/ppzf.h"
#include "mimo/scheme.h"

#include <math.h>

/* Large-scale gains and estimate variances of one AP, packed. Without beta the estimates' own power has to do. */
static void local_statistics(const struct precoder *p, const struct mimo_channel *channel, int m, double *beta,
                             double *gamma)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    for (int k = 0; k < n; k++) {
        double energy = 0;
        for (int r = m * q->n_ant; r < (m + 1) * q->n_ant; r++) {
            energy += q->Hr[r * n + k] * q->Hr[r * n + k] + q->Hi[r * n + k] * q->Hi[r * n + k];
        }
        const double error = q->E[m * n + k];
        const float *known = channel->beta;
        beta[k] = known ? (double)known[(size_t)q->ap[m] * (size_t)p->shape.n_ue + (size_t)q->ue[k]]
                        : energy / q->n_ant + error;
        gamma[k] = energy > 0 ? fmax(beta[k] - error, 0) : 0;
    }
}

/* One AP's beams into U, scaled to its budget. Returns nonzero when it had to fall back to MRT. */
static int local_beams(struct precoder *p, enum mimo_scheme scheme, const struct mimo_channel *channel, int m)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue, per_ap = q->n_ant * n;
    double beta[TUTTI_MAX_UE] = {0}, gamma[TUTTI_MAX_UE] = {0};
    double complex H[TUTTI_MAX_ANT * TUTTI_MAX_UE], W[TUTTI_MAX_ANT * TUTTI_MAX_UE];
    uint8_t strong[TUTTI_MAX_UE];
    local_statistics(p, channel, m, beta, gamma);
    for (int i = 0; i < per_ap; i++) {
        H[i] = CMPLX(q->Hr[m * per_ap + i], q->Hi[m * per_ap + i]);
    }
    ppzf_group(scheme, q->n_ant, n, beta, p->settings.upsilon, strong);
    for (int k = 0; k < n; k++) {
        strong[k] = strong[k] && gamma[k] > 0; /* nothing to protect without an estimate */
    }
    const int rc = ppzf_beams(scheme, q->n_ant, n, strong, gamma, H, W);
    double energy = 0;
    for (int i = 0; i < per_ap; i++) {
        energy += creal(W[i]) * creal(W[i]) + cimag(W[i]) * cimag(W[i]);
    }
    const double scale = energy > 0 && isfinite(energy) ? sqrt(q->P[m] / energy) : 0;
    for (int i = 0; i < per_ap; i++) {
        p->Ur[m * per_ap + i] = scale > 0 ? scale * creal(W[i]) : 0;
        p->Ui[m * per_ap + i] = scale > 0 ? scale * cimag(W[i]) : 0;
    }
    return rc;
}

static int solve_local(struct precoder *p, enum mimo_scheme scheme, enum mimo_power power,
                       const struct mimo_channel *channel, struct mimo_solution *solution)
{
    int reason = MIMO_REASON_ASKED;
    for (int m = 0; m < p->problem.n_ap; m++) {
        if (local_beams(p, scheme, channel, m)) {
            reason = MIMO_REASON_SINGULAR;
        }
    }
    if (power != MIMO_POWER_MAXMIN || scheme_amplitudes_maxmin(p)) {
        scheme_amplitudes_one(p);
    }
    scheme_store(p, solution);
    return reason;
}

int scheme_fzf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                     struct mimo_solution *solution)
{
    return solve_local(p, MIMO_FZF, power, channel, solution);
}

int scheme_pzf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                     struct mimo_solution *solution)
{
    return solve_local(p, MIMO_PZF, power, channel, solution);
}

int scheme_ppzf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                      struct mimo_solution *solution)
{
    return solve_local(p, MIMO_PPZF, power, channel, solution);
}
