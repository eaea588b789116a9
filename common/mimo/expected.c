/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/expected.h"

#include "base/error.h"
#include "linalg/cmplx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What sums in single precision may be off by. */
static const double SINGLE_PRECISION = 1e-3;

const char *expected_name(enum expected_loss loss)
{
#define EXPECTED_NAME(id, name) [id] = (name),
    static const char *const names[] = {EXPECTED_MAP(EXPECTED_NAME)};
#undef EXPECTED_NAME
    return names[loss];
}

/* Gains of streams at users, [n_ue][n_ue] (user, stream), and what goes with them. */
struct expected_work {
    double complex *G, *turned, *mixed, *X; /* as estimated; chains and APs turned; of one cause; scratch */
    double *each_ap, *unknown, *faded;      /* sum over APs of |c_mkj|^2, e P, beta P */
    double *spread, *noise;                 /* [n_ue] error over signal by spread; artificial noise that is heard */
    double *re, *im;                        /* [n_ue] a user's row at one AP */
    double *sums;                           /* [2][n_ue][2] of it */
};

int expected_work_create(struct expected_work **work, int n_ue)
{
    struct expected_work *w = *work = calloc(1, sizeof *w);
    const size_t n = (size_t)n_ue * (size_t)n_ue;
    if (!w) {
        return error_set(TUTTI_ENOMEM, "out of memory for expected SINRs");
    }
    w->G = calloc(n, sizeof *w->G);
    w->turned = calloc(n, sizeof *w->turned);
    w->mixed = calloc(n, sizeof *w->mixed);
    w->X = calloc(n, sizeof *w->X);
    w->each_ap = calloc(n, sizeof *w->each_ap);
    w->unknown = calloc(n, sizeof *w->unknown);
    w->faded = calloc(n, sizeof *w->faded);
    w->spread = calloc((size_t)n_ue, sizeof *w->spread);
    w->noise = calloc((size_t)n_ue, sizeof *w->noise);
    w->re = calloc((size_t)n_ue, sizeof *w->re);
    w->im = calloc((size_t)n_ue, sizeof *w->im);
    w->sums = calloc(4 * (size_t)n_ue, sizeof *w->sums);
    return w->G && w->turned && w->mixed && w->X && w->each_ap && w->unknown && w->faded && w->spread && w->noise &&
                   w->re && w->im && w->sums
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for expected SINRs");
}

void expected_work_destroy(struct expected_work *w)
{
    if (w) {
        free(w->G);
        free(w->turned);
        free(w->mixed);
        free(w->X);
        free(w->each_ap);
        free(w->unknown);
        free(w->faded);
        free(w->spread);
        free(w->noise);
        free(w->re);
        free(w->im);
        free(w->sums);
        free(w);
    }
}

static double square(double complex z)
{
    return creal(z) * creal(z) + cimag(z) * cimag(z);
}

/* Which of the known turns are looked at. */
enum turns { TURN_APS = 1, TURN_CHAINS = 2 };

/* c_mkj of one AP and user k for all streams j, to w->re, w->im. */
static void gains_of(const struct expected_subband *s, const struct expected_causes *c, enum turns turns, int m, int k,
                     struct expected_work *w)
{
    const int n = s->n_ue;
    double *restrict const by_re = w->sums, *restrict const by_im = w->sums + 2 * n;
    memset(w->sums, 0, (size_t)(4 * n) * sizeof *w->sums);
    for (int a = m * s->n_ant; a < (m + 1) * s->n_ant; a++) {
        const float *restrict const v = (const float *)(s->W + a * n);
        double complex h = (double complex)s->H_hat[a * n + k];
        if (c->chain && (turns & TURN_CHAINS)) {
            h *= conj(c->chain[a]);
        }
        if (c->ap_turn && (turns & TURN_APS)) {
            h *= conj(c->ap_turn[m]);
        }
        const double hr = creal(h), hi = cimag(h);
        for (int j = 0; j < 2 * n; j++) {
            by_re[j] += hr * (double)v[j];
            by_im[j] += hi * (double)v[j];
        }
    }
    for (int j = 0; j < n; j++) {
        w->re[j] = by_re[2 * j] + by_im[2 * j + 1];
        w->im[j] = by_re[2 * j + 1] - by_im[2 * j];
    }
}

static double power_of(const struct expected_subband *s, int m, int j)
{
    double power = 0;
    for (int a = m * s->n_ant; a < (m + 1) * s->n_ant; a++) {
        power += square((double complex)s->W[a * s->n_ue + j]);
    }
    return power;
}

/* each_ap [n_ue][n_ue], unless NULL: sum over APs of |c_mkj|^2. */
static void make_gains(const struct expected_subband *s, const struct expected_causes *c, enum turns turns,
                       struct expected_work *w, double complex *G, double *each_ap)
{
    const int n = s->n_ue;
    memset(G, 0, (size_t)n * (size_t)n * sizeof *G);
    for (int m = 0; m < s->n_ap; m++) {
        for (int k = 0; k < n; k++) {
            gains_of(s, c, turns, m, k, w);
            for (int j = 0; j < n; j++) {
                G[k * n + j] += CMPLX(w->re[j], w->im[j]);
            }
            for (int j = 0; each_ap && j < n; j++) {
                each_ap[k * n + j] += w->re[j] * w->re[j] + w->im[j] * w->im[j];
            }
        }
    }
}

/* The gains as estimated, and what goes with them. */
static void make_sums(const struct expected_subband *s, const struct expected_causes *c, struct expected_work *w)
{
    const int n = s->n_ue;
    const size_t all = (size_t)n * (size_t)n;
    memset(w->each_ap, 0, all * sizeof *w->each_ap);
    memset(w->unknown, 0, all * sizeof *w->unknown);
    memset(w->faded, 0, all * sizeof *w->faded);
    for (int m = 0; m < s->n_ap; m++) {
        for (int j = 0; j < n; j++) {
            w->re[j] = power_of(s, m, j);
        }
        for (int k = 0; k < n; k++) {
            const double error = (double)s->error_variance[m * n + k], beta = (double)s->beta[m * n + k];
            for (int j = 0; j < n; j++) {
                w->unknown[k * n + j] += error * w->re[j];
                w->faded[k * n + j] += beta * w->re[j];
            }
        }
    }
    make_gains(s, c, 0, w, w->G, w->each_ap);
}

/* Effective gains with pilots that turned while they were sent; those given where they cannot be told apart. */
static const double complex *mix(const struct expected_subband *s, const struct expected_causes *c,
                                 struct expected_work *w, const double complex *G)
{
    if (!c->user_cfo_hz) {
        return G;
    }
    expect_mixing(&c->times, s->n_ue, c->user_cfo_hz, c->pilot, w->X);
    return expect_mixing_undo(s->n_ue, w->X, G, w->mixed) < 0 ? G : w->mixed;
}

/* Error over signal of user k; the own stream's estimation error is signal to it, for it learns its gain. */
struct looked_at {
    bool ageing, offset, noise, clocks, spread;
};

static double ratio_of(const struct expected_subband *s, const struct expected_causes *c, const struct expected_work *w,
                       const double complex *G, int k, struct looked_at look)
{
    const int n = s->n_ue, own = k * n + k;
    const double gain = square(G[own]);
    const bool ages = look.ageing && c->ages;
    const struct expect_ageing *a = &c->ageing;
    double others = 0, unknown = 0, faded = 0, spread = 0;
    for (int j = 0; j < n; j++) {
        others += j == k ? 0 : square(G[k * n + j]);
        unknown += j == k ? 0 : w->unknown[k * n + j];
        faded += j == k ? 0 : w->faded[k * n + j];
        spread += j == k ? 0 : w->each_ap[k * n + j];
    }
    double signal = gain + w->unknown[own], error = 1 + w->noise[k] + others + unknown;
    if (ages) {
        signal = gain * a->rho_mean * a->rho_mean + a->v2 * w->faded[own];
        error = 1 + w->noise[k] + others * a->rho_square + unknown * a->rho_square + a->v1 * faded +
                (a->v1 - a->v2) * w->faded[own] + gain * a->rho_variance;
    }
    if (look.clocks) {
        error += c->ap_phase_variance * spread;
    }
    if (look.offset && c->user_cfo_hz) {
        const double kept = c->tracked ? 1 : expect_cfo_kept(&c->times, c->user_cfo_hz[k]);
        error += signal * (1 - kept) + expect_cfo_leak(&c->times, c->user_cfo_hz[k]) * (signal + others);
        signal *= kept;
    }
    if (look.noise) {
        error += gain * ((c->tracked ? 0 : expect_phase_noise(&c->times, c->user_linewidth_hz)) +
                         expect_phase_noise_leak(&c->times, c->user_linewidth_hz));
    }
    return signal > 0 ? error / signal + (look.spread ? w->spread[k] + c->flat_spread : 0) : NAN;
}

/* What the solve's prediction has beyond what stands in estimates and precoders at the subband's centre; the solve
 * takes the own stream's estimation error for noise. */
static void find_spread(const struct expected_subband *s, struct expected_work *w)
{
    for (int k = 0; k < s->n_ue; k++) {
        double error = 1 + w->unknown[k * s->n_ue + k];
        w->noise[k] = 0;
        for (int m = 0; m < s->n_ap; m++) {
            w->noise[k] += (double)s->error_variance[m * s->n_ue + k] * s->noise_power;
        }
        for (int j = 0; j < s->n_ue; j++) {
            error += j == k ? 0 : square(w->G[k * s->n_ue + j]) + w->unknown[k * s->n_ue + j];
        }
        const double told = s->predicted && s->predicted[k] > 0 ? 1 / (double)s->predicted[k] : 0;
        w->spread[k] = fmax(told - error / square(w->G[k * s->n_ue + k]) - SINGLE_PRECISION * told, 0);
    }
}

void expected_execute(const struct expected_causes *c, const struct expected_subband *s, struct expected_work *w,
                      double *sinr, double *signal, double *term)
{
    static const struct looked_at nothing = {0}, alone[EXPECTED_N] = {[EXPECTED_AGEING] = {.ageing = true},
                                                                      [EXPECTED_USER_OFFSET] = {.offset = true},
                                                                      [EXPECTED_USER_NOISE] = {.noise = true},
                                                                      [EXPECTED_AP_CLOCKS] = {.clocks = true},
                                                                      [EXPECTED_SPREAD] = {.spread = true}};
    const int n = s->n_ue;
    make_sums(s, c, w);
    find_spread(s, w);
    for (int loss = 0; loss < EXPECTED_N; loss++) {
        const double complex *G = w->G;
        if (loss == EXPECTED_USER_OFFSET) {
            G = mix(s, c, w, w->G);
        } else if ((loss == EXPECTED_AP_CLOCKS && c->ap_turn) || (loss == EXPECTED_MISMATCH && c->chain)) {
            make_gains(s, c, loss == EXPECTED_MISMATCH ? TURN_CHAINS : TURN_APS, w, w->turned, NULL);
            G = w->turned;
        }
        for (int k = 0; k < n; k++) {
            term[k * EXPECTED_N + loss] =
                fmax(ratio_of(s, c, w, G, k, alone[loss]) - ratio_of(s, c, w, w->G, k, nothing), 0);
        }
    }
    const double complex *G = w->G;
    if (c->chain || c->ap_turn) {
        make_gains(s, c, TURN_APS | TURN_CHAINS, w, w->turned, NULL);
        G = w->turned;
    }
    G = mix(s, c, w, G);
    for (int k = 0; k < n; k++) {
        sinr[k] = 1 / ratio_of(s, c, w, G, k, (struct looked_at){true, true, true, true, true});
        if (signal) {
            signal[k] = square(G[k * n + k]);
        }
    }
}

void expected_add_powers(const struct expected_work *w, int n_ue, double *known, double *unknown)
{
    for (int i = 0; i < n_ue * n_ue; i++) {
        known[i] += square(w->G[i]);
        unknown[i] += w->unknown[i];
    }
}
