/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Precoders of user-centric clusters [Demir 2021], from the vectors of cluster/vectors.h: p_mmse and p_rzf over the APs
 * that serve a user, lp_mmse at each AP alone. In the dual uplink a user has the power that it gets when its APs share
 * their budgets equally; with one cluster of all APs and users that is the power of rzf, and the beams are rzf's. */
#include "cluster/shares.h"
#include "mimo/scheme.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The book's exponents of the rule (7.43). */
static const double UPSILON = -0.5, KAPPA = 0.5;

static double ap_energy(const struct mimo_problem *q, int m, int k)
{
    double energy = 0;
    for (int r = m * q->n_ant; r < (m + 1) * q->n_ant; r++) {
        energy += q->Hr[r * q->n_ue + k] * q->Hr[r * q->n_ue + k] + q->Hi[r * q->n_ue + k] * q->Hi[r * q->n_ue + k];
    }
    return energy;
}

/* Packs who serves whom; an AP without a usable estimate of a user does not. Returns k + 1 when nobody serves packed
 * user k, else 0. */
static int pack_served(struct precoder *p, const uint8_t *serves)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    for (int m = 0; m < q->n_ap; m++) {
        const uint8_t *const row = serves ? serves + (size_t)q->ap[m] * (size_t)p->shape.n_ue : NULL;
        for (int k = 0; k < n; k++) {
            p->served[m * n + k] = (!row || row[q->ue[k]]) && ap_energy(q, m, k) > 0;
        }
    }
    for (int k = n - 1; k >= 0; k--) {
        int n_aps = 0;
        for (int m = 0; m < q->n_ap; m++) {
            n_aps += p->served[m * n + k];
        }
        if (n_aps == 0) {
            return k + 1;
        }
    }
    return 0;
}

bool scheme_cluster_list(struct precoder *p)
{
    const struct mimo_problem *const q = &p->problem;
    const size_t n = (size_t)q->n_ap * (size_t)q->n_ue;
    const bool other = p->loaded_n_ap != q->n_ap || p->loaded_n_ue != q->n_ue || memcmp(p->loaded, p->served, n);
    if (other) {
        vectors_resize(p->vectors, q->n_ap, q->n_ue);
        vectors_load(p->vectors, p->served);
        memcpy(p->loaded, p->served, n);
        p->loaded_n_ap = q->n_ap;
        p->loaded_n_ue = q->n_ue;
    }
    return other;
}

/* Who serves whom, without users whom nobody serves. False when nobody is left. */
static bool load(struct precoder *p, const uint8_t *serves)
{
    struct mimo_problem *q = &p->problem;
    int unserved;
    while (q->n_ue > 0 && (unserved = pack_served(p, serves)) > 0) {
        mimo_problem_drop(q, unserved - 1);
    }
    scheme_cluster_list(p);
    return q->n_ue > 0;
}

void scheme_cluster_powers(struct precoder *p, double *power)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    for (int k = 0; k < n; k++) {
        int n_aps, n_served;
        const int *const ap = vectors_aps(p->vectors, k, &n_aps);
        power[k] = 0;
        for (int i = 0; i < n_aps; i++) {
            vectors_users(p->vectors, ap[i], &n_served);
            power[k] += q->P[ap[i]] / n_served;
        }
    }
}

void scheme_cluster_gains(struct precoder *p, const float *known)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    for (int k = 0; k < n; k++) {
        double sum = 0;
        for (int m = 0; m < q->n_ap; m++) {
            const size_t from = (size_t)q->ap[m] * (size_t)p->shape.n_ue + (size_t)q->ue[k];
            p->beta[m * n + k] = known && p->served[m * n + k] ? (double)known[from] : 0;
            sum += p->beta[m * n + k];
        }
        for (int m = 0; m < q->n_ap && !(sum > 0); m++) {
            p->beta[m * n + k] = p->served[m * n + k] ? ap_energy(q, m, k) / q->n_ant + q->E[m * n + k] : 0;
        }
    }
}

/* P-MMSE or P-RZF of all users into U; norm2 [n_ue] and, in B, each AP's share of it. */
static void central_beams(struct precoder *p, enum vectors_rule rule, double *norm2)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue, N = q->n_ant;
    const struct vectors_csi csi = {.Gr = q->Hr, .Gi = q->Hi, .error = q->E, .power = p->p};
    const size_t all = (size_t)q->n_row * (size_t)n;
    scheme_cluster_powers(p, p->p);
    memset(p->Ur, 0, all * sizeof *p->Ur);
    memset(p->Ui, 0, all * sizeof *p->Ui);
    memset(p->B, 0, (size_t)(q->n_ap * n) * sizeof *p->B);
    for (int k = 0; k < n; k++) {
        int n_aps;
        const int *const ap = vectors_aps(p->vectors, k, &n_aps);
        vectors_user(p->vectors, rule, &csi, k, p->Vr, p->Vi);
        norm2[k] = 0;
        for (int i = 0; i < n_aps * N; i++) {
            const int r = ap[i / N] * N + i % N;
            const double energy = p->Vr[r] * p->Vr[r] + p->Vi[r] * p->Vi[r];
            p->Ur[r * n + k] = p->Vr[r];
            p->Ui[r * n + k] = p->Vi[r];
            p->B[ap[i / N] * n + k] += energy;
            norm2[k] += energy;
        }
        for (int i = 0; i < n_aps && norm2[k] > 0; i++) {
            p->B[ap[i] * n + k] /= norm2[k];
        }
    }
}

/* Amplitudes by (7.43), with the shares that these very beams have. */
static void amplitudes_fractional(struct precoder *p, const struct mimo_channel *channel, const double *norm2)
{
    const struct mimo_problem *q = &p->problem;
    double *const rho = p->amplitude;
    scheme_cluster_gains(p, channel->beta);
    shares_central(q->n_ap, q->n_ue, p->served, p->beta, p->B, q->P, UPSILON, KAPPA, p->p, rho);
    for (int k = 0; k < q->n_ue; k++) {
        p->amplitude[k] = norm2[k] > 0 ? sqrt(rho[k] / norm2[k]) : 0;
    }
}

/* Power of what everybody hears of user j's stream, added to others [n_ue]; own gain to own[j]. Only j's APs send it.
 * x, y [n_ue] are work. */
static void add_stream(const struct precoder *p, int j, double *x, double *y, double *own, double *others)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue, N = q->n_ant;
    int n_aps;
    const int *const ap = vectors_aps(p->vectors, j, &n_aps);
    memset(x, 0, (size_t)n * sizeof *x);
    memset(y, 0, (size_t)n * sizeof *y);
    for (int i = 0; i < n_aps * N; i++) {
        const int r = ap[i / N] * N + i % N;
        const double ur = p->amplitude[j] * p->Ur[r * n + j], ui = p->amplitude[j] * p->Ui[r * n + j];
        const double *restrict hr = q->Hr + r * n, *restrict hi = q->Hi + r * n;
        for (int k = 0; k < n; k++) {
            x[k] += hr[k] * ur + hi[k] * ui;
            y[k] += hr[k] * ui - hi[k] * ur;
        }
    }
    own[j] = x[j] * x[j] + y[j] * y[j];
    x[j] = y[j] = 0;
    for (int k = 0; k < n; k++) {
        others[k] += x[k] * x[k] + y[k] * y[k];
    }
}

/* What the error of its own estimates brings a user of its own stream goes from its disturbance to its signal. */
static void know_gains(const struct precoder *p, double *own, double *others)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    for (int k = 0; k < n; k++) {
        int n_aps;
        const int *const ap = vectors_aps(p->vectors, k, &n_aps);
        double unknown = 0;
        for (int i = 0; i < n_aps * q->n_ant; i++) {
            const int r = ap[i / q->n_ant] * q->n_ant + i % q->n_ant;
            unknown += q->E[ap[i / q->n_ant] * n + k] *
                       (p->Ur[r * n + k] * p->Ur[r * n + k] + p->Ui[r * n + k] * p->Ui[r * n + k]);
        }
        unknown *= p->amplitude[k] * p->amplitude[k];
        own[k] += unknown;
        others[k] = fmax(others[k] - unknown, 0);
    }
}

/* mimo_sinr, without the links that no stream is sent over. */
static void tell_sinr(struct precoder *p, bool knows_gain, struct mimo_solution *solution)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue;
    double *const own = p->noise, *const others = p->work;
    memset(others, 0, (size_t)n * sizeof *others);
    for (int j = 0; j < n; j++) {
        add_stream(p, j, p->Xr, p->Xi, own, others);
    }
    for (int m = 0; m < q->n_ap; m++) {
        double sent = 0;
        for (int i = m * q->n_ant * n; i < (m + 1) * q->n_ant * n; i++) {
            const double a = p->amplitude[i % n];
            sent += a * a * (p->Ur[i] * p->Ur[i] + p->Ui[i] * p->Ui[i]);
        }
        for (int k = 0; k < n; k++) {
            others[k] += q->E[m * n + k] * sent;
        }
    }
    if (knows_gain) {
        know_gains(p, own, others);
    }
    memset(solution->sinr, 0, (size_t)p->shape.n_ue * sizeof *solution->sinr);
    for (int k = 0; k < n; k++) {
        solution->sinr[q->ue[k]] = (float)fmin(own[k] / (others[k] + 1), (double)FLT_MAX);
    }
    p->sinr_told = true;
}

static int solve(struct precoder *p, enum vectors_rule rule, enum mimo_power power, const struct mimo_channel *channel,
                 struct mimo_solution *solution)
{
    if (!load(p, channel->serves)) {
        scheme_store(p, solution);
        return MIMO_REASON_ASKED;
    }
    central_beams(p, rule, p->noise);
    if (power == MIMO_POWER_FRACTIONAL) {
        amplitudes_fractional(p, channel, p->noise);
        tell_sinr(p, channel->knows_gain, solution);
    } else {
        scheme_amplitudes_by(p, power, channel, solution);
    }
    scheme_store(p, solution);
    return MIMO_REASON_ASKED;
}

int scheme_p_mmse_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                        struct mimo_solution *solution)
{
    return solve(p, VECTORS_PMMSE, power, channel, solution);
}

int scheme_p_rzf_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                       struct mimo_solution *solution)
{
    return solve(p, VECTORS_PRZF, power, channel, solution);
}

/* One AP's LP-MMSE into U, in its dual uplink its users share its budget equally; then user k's beam at the power
 * rho [n_ue] parts of the budget. */
static void local_beams(struct precoder *p, int m, const double *rho)
{
    const struct mimo_problem *q = &p->problem;
    const int n = q->n_ue, N = q->n_ant;
    const struct vectors_csi csi = {.Gr = q->Hr, .Gi = q->Hi, .error = q->E, .power = p->p};
    double *const ur = p->Ur + m * N * n, *const ui = p->Ui + m * N * n;
    int n_served = 0;
    for (int k = 0; k < n; k++) {
        n_served += p->served[m * n + k];
    }
    for (int k = 0; k < n; k++) {
        p->p[k] = n_served > 0 ? q->P[m] / n_served : 0;
    }
    vectors_local(p->vectors, &csi, m, ur, ui);
    for (int k = 0; k < n; k++) {
        double norm2 = 0;
        for (int a = 0; a < N; a++) {
            norm2 += ur[a * n + k] * ur[a * n + k] + ui[a * n + k] * ui[a * n + k];
        }
        const double scale = norm2 > 0 ? sqrt(rho[k] * q->P[m] / norm2) : 0;
        for (int a = 0; a < N; a++) {
            ur[a * n + k] *= scale;
            ui[a * n + k] *= scale;
        }
    }
}

int scheme_lp_mmse_solve(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                         struct mimo_solution *solution)
{
    const struct mimo_problem *q = &p->problem;
    const bool some = load(p, channel->serves);
    if (some) {
        scheme_cluster_gains(p, channel->beta);
        shares_local(q->n_ap, q->n_ue, p->served, p->beta, 1, p->B);
    }
    for (int m = 0; m < q->n_ap && some; m++) {
        local_beams(p, m, p->B + m * q->n_ue);
    }
    if (power == MIMO_POWER_FRACTIONAL_AP) {
        scheme_amplitudes_one(p);
        if (some) {
            tell_sinr(p, channel->knows_gain, solution);
        }
    } else {
        scheme_amplitudes_maxmin(p);
    }
    scheme_store(p, solution);
    return MIMO_REASON_ASKED;
}
