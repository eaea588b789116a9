/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reference.h"

#include <math.h>
#include <stdlib.h>

double random_uniform(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return ((double)(z >> 11) + 0.5) / 9007199254740992.0;
}

double random_normal(struct random *random)
{
    const double r = sqrt(-2 * log(random_uniform(random)));
    return r * cos(2 * M_PI * random_uniform(random));
}

double complex random_cn(struct random *random)
{
    const double re = random_normal(random), im = random_normal(random);
    return CMPLX(re * M_SQRT1_2, im * M_SQRT1_2);
}

static void *need(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p) {
        abort();
    }
    return p;
}

void case_create(struct channel_case *c, struct random *random, int n_ap, int n_ant, int n_ue, double snr_db,
                 double spread_db, double error_share)
{
    const size_t m = (size_t)n_ap, n = (size_t)n_ant, k = (size_t)n_ue;
    c->shape = (struct mimo_shape){n_ap, n_ant, n_ue};
    c->H = need(m * n * k, sizeof *c->H);
    c->E = need(m * k, sizeof *c->E);
    c->beta = need(m * k, sizeof *c->beta);
    c->P = need(m, sizeof *c->P);
    c->ap_active = need(m, 1);
    c->ue_active = need(k, 1);
    c->solution.shape = NULL;
    c->solution.W = need(m * n * k, sizeof *c->solution.W);
    c->solution.sinr = need(k, sizeof *c->solution.sinr);
    for (size_t i = 0; i < m; i++) {
        for (size_t u = 0; u < k; u++) {
            const double beta = pow(10, (snr_db - spread_db * random_uniform(random)) / 10);
            c->beta[i * k + u] = (float)beta;
            c->E[i * k + u] = (float)(error_share * beta);
            for (size_t a = 0; a < n; a++) {
                c->H[(i * n + a) * k + u] = (tutti_cf32)(sqrt(beta * (1 - error_share)) * random_cn(random));
            }
        }
    }
    for (size_t i = 0; i < m; i++) {
        c->P[i] = 1;
        c->ap_active[i] = 1;
    }
    for (size_t u = 0; u < k; u++) {
        c->ue_active[u] = 1;
    }
    c->channel = (struct mimo_channel){
        .H_hat = c->H, .error_variance = c->E, .ap_power = c->P, .ap_active = c->ap_active, .ue_active = c->ue_active};
}

static double wrapped(double a, double b)
{
    const double d = fabs(a - b);
    return fmin(d, 1 - d);
}

void case_create_cell_free(struct channel_case *c, struct random *random, int n_ap, int n_ant, int n_ue, int tau,
                           tutti_cf32 *truth)
{
    case_create(c, random, n_ap, n_ant, n_ue, 0, 0, 0);
    double ap[TUTTI_MAX_AP][2], ue[TUTTI_MAX_UE][2];
    for (int m = 0; m < n_ap; m++) {
        for (int i = 0; i < 2; i++) {
            ap[m][i] = random_uniform(random);
        }
    }
    for (int k = 0; k < n_ue; k++) {
        for (int i = 0; i < 2; i++) {
            ue[k][i] = random_uniform(random);
        }
    }
    const double noise_dbm = -174 + 10 * log10(20e6) + 9;
    for (int m = 0; m < n_ap; m++) {
        double complex pilot[TUTTI_MAX_ANT * TUTTI_MAX_UE];
        double den[TUTTI_MAX_UE];
        for (int t = 0; t < tau; t++) {
            den[t] = 1;
        }
        for (int i = 0; i < n_ant * tau; i++) {
            pilot[i] = random_cn(random);
        }
        for (int k = 0; k < n_ue; k++) {
            const double d = fmax(hypot(wrapped(ap[m][0], ue[k][0]), wrapped(ap[m][1], ue[k][1])), 0.01);
            const double beta = pow(10, (23 - noise_dbm - 140.7 - 35 * log10(d) + 8 * random_normal(random)) / 10);
            c->beta[m * n_ue + k] = (float)beta;
            den[k % tau] += tau * beta;
            for (int a = 0; a < n_ant; a++) {
                const double complex g = sqrt(beta) * random_cn(random);
                truth[(m * n_ant + a) * n_ue + k] = (tutti_cf32)g;
                pilot[a * tau + k % tau] += sqrt(tau) * g;
            }
        }
        for (int k = 0; k < n_ue; k++) {
            const double beta = (double)c->beta[m * n_ue + k], coefficient = sqrt(tau) * beta / den[k % tau];
            c->E[m * n_ue + k] = (float)(beta - sqrt(tau) * beta * coefficient);
            for (int a = 0; a < n_ant; a++) {
                c->H[(m * n_ant + a) * n_ue + k] = (tutti_cf32)(coefficient * pilot[a * tau + k % tau]);
            }
        }
    }
}

void case_destroy(struct channel_case *c)
{
    free(c->H);
    free(c->E);
    free(c->beta);
    free(c->P);
    free(c->ap_active);
    free(c->ue_active);
    free(c->solution.W);
    free(c->solution.sinr);
}

double complex plain_response(const struct channel_case *c, const tutti_cf32 *W, int k, int j)
{
    double complex sum = 0;
    const int n_ue = c->shape.n_ue;
    for (int m = 0; m < c->shape.n_ap; m++) {
        for (int a = 0; a < c->shape.n_ant && c->ap_active[m]; a++) {
            const int r = m * c->shape.n_ant + a;
            sum += conj((double complex)c->H[r * n_ue + k]) * (double complex)W[r * n_ue + j];
        }
    }
    return sum;
}

double plain_power(const struct channel_case *c, const tutti_cf32 *W, int ap)
{
    double sum = 0;
    const int per_ap = c->shape.n_ant * c->shape.n_ue;
    for (int i = ap * per_ap; i < (ap + 1) * per_ap; i++) {
        sum += pow(cabs((double complex)W[i]), 2);
    }
    return sum;
}

double plain_excess(const struct channel_case *c, const tutti_cf32 *W)
{
    double worst = -INFINITY;
    for (int m = 0; m < c->shape.n_ap; m++) {
        const double power = plain_power(c, W, m), budget = c->ap_active[m] ? (double)c->P[m] : 0;
        if (power > 0 || budget > 0) {
            worst = fmax(worst, budget > 0 ? power / budget - 1 : INFINITY);
        }
    }
    return worst;
}

double plain_sinr(const struct channel_case *c, const tutti_cf32 *W, int k)
{
    if (!c->ue_active[k]) {
        return 0;
    }
    double noise = 1;
    for (int j = 0; j < c->shape.n_ue; j++) {
        if (j != k && c->ue_active[j]) {
            noise += pow(cabs(plain_response(c, W, k, j)), 2);
        }
    }
    for (int m = 0; m < c->shape.n_ap; m++) {
        if (c->ap_active[m]) {
            noise += (double)c->E[m * c->shape.n_ue + k] * plain_power(c, W, m);
        }
    }
    return pow(cabs(plain_response(c, W, k, k)), 2) / noise;
}

double plain_min_sinr(const struct channel_case *c, const tutti_cf32 *W)
{
    double least = INFINITY;
    for (int k = 0; k < c->shape.n_ue; k++) {
        if (c->ue_active[k]) {
            least = fmin(least, plain_sinr(c, W, k));
        }
    }
    return least;
}

bool plain_finite(const struct channel_case *c, const tutti_cf32 *W)
{
    for (int i = 0; i < c->shape.n_ap * c->shape.n_ant * c->shape.n_ue; i++) {
        if (!isfinite(crealf(W[i])) || !isfinite(cimagf(W[i]))) {
            return false;
        }
    }
    return true;
}
