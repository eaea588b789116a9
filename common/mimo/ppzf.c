/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/ppzf.h"

#include "base/error.h"
#include "control/maxmin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A strong user whose component outside the others is below this share of its norm is taken as dependent on them. */
static const double DEPENDENT = 1e-7;

int ppzf_group(enum mimo_scheme scheme, int n_ant, int n_ue, const double *beta, double upsilon, uint8_t *strong)
{
    for (int k = 0; k < n_ue; k++) {
        strong[k] = scheme == MIMO_FZF;
    }
    if (scheme == MIMO_CB || scheme == MIMO_FZF) {
        return scheme == MIMO_FZF ? n_ue : 0;
    }
    double total = 0, held = 0;
    for (int k = 0; k < n_ue; k++) {
        total += beta[k];
    }
    const double wanted = upsilon * (1 - 1e-12) * total; /* an exact equality counts as reached */
    int n = 0;
    while (n < n_ant - 1 && n < n_ue && upsilon > 0 && held < wanted) {
        int best = -1;
        for (int k = 0; k < n_ue; k++) {
            if (!strong[k] && beta[k] > 0 && (best < 0 || beta[k] > beta[best])) {
                best = k;
            }
        }
        if (best < 0) {
            break;
        }
        strong[best] = 1;
        held += beta[best];
        n++;
    }
    return n;
}

/* Users whose estimates hold nothing have no beam and nobody nulls them (ppzf_beams): their marks go. Returns how many
 * are left. */
static int drop_silent(int n_ue, const double *gamma, uint8_t *strong)
{
    int n_strong = 0;
    for (int k = 0; k < n_ue; k++) {
        strong[k] = strong[k] && gamma[k] > 0;
        n_strong += strong[k];
    }
    return n_strong;
}

/* Vectors of n_ant entries that lie `stride` apart: columns of row-major [n_ant][n_ue] matrices, or stride 1. */
static double complex inner(int n_ant, const double complex *a, int a_stride, const double complex *b, int b_stride)
{
    double complex s = 0;
    for (int i = 0; i < n_ant; i++) {
        s += conj(a[i * a_stride]) * b[i * b_stride];
    }
    return s;
}

static double norm(int n_ant, const double complex *a, int stride)
{
    return sqrt(creal(inner(n_ant, a, stride, a, stride)));
}

static void subtract(int n_ant, double complex c, const double complex *a, int a_stride, double complex *x,
                     int x_stride)
{
    for (int i = 0; i < n_ant; i++) {
        x[i * x_stride] -= c * a[i * a_stride];
    }
}

static void scale(int n_ant, double complex factor, double complex *x, int stride)
{
    for (int i = 0; i < n_ant; i++) {
        x[i * stride] *= factor;
    }
}

static void copy_column(int n_ant, int n_ue, const double complex *from, double complex *to)
{
    for (int i = 0; i < n_ant; i++) {
        to[i * n_ue] = from[i * n_ue];
    }
}

/* x minus its part in the span of the orthonormal (or zero) columns of Q that `in` marks before column `end`; twice, so
 * that it is orthogonal to rounding. */
static void project_out(int n_ant, int n_ue, const double complex *Q, const uint8_t *in, int end, double complex *x,
                        int stride)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int j = 0; j < end; j++) {
            if (in[j]) {
                subtract(n_ant, inner(n_ant, Q + j, n_ue, x, stride), Q + j, n_ue, x, stride);
            }
        }
    }
}

/* Orthonormal basis of the marked users' estimates in the same columns of Q; the column of one that depends on those
 * before it is zero. Returns the basis' dimension. */
static int orthonormal_basis(int n_ant, int n_ue, const uint8_t *in, const double complex *H_hat, double complex *Q)
{
    int rank = 0;
    for (int k = 0; k < n_ue; k++) {
        double complex *const x = Q + k;
        if (!in[k]) {
            continue;
        }
        copy_column(n_ant, n_ue, H_hat + k, x);
        const double before = norm(n_ant, x, n_ue);
        project_out(n_ant, n_ue, Q, in, k, x, n_ue);
        const double after = norm(n_ant, x, n_ue);
        const bool fresh = rank < n_ant && after > DEPENDENT * before;
        scale(n_ant, fresh ? 1 / after : 0, x, n_ue);
        rank += fresh;
    }
    return rank;
}

/* Columns of X = G (G^H G)^-1 over the orthonormal ones, in place: x_j is q_j made orthogonal to the later h_i with the
 * x_i found already (h_i^H x_i = 1; q_j is orthogonal to the earlier ones), scaled to h_j^H x_j = 1. */
static void dual_basis(int n_ant, int n_ue, const uint8_t *in, const double complex *H_hat, double complex *Q)
{
    for (int j = n_ue - 1; j >= 0; j--) {
        if (!in[j]) {
            continue;
        }
        for (int i = n_ue - 1; i > j; i--) {
            if (in[i]) {
                subtract(n_ant, inner(n_ant, H_hat + i, n_ue, Q + j, n_ue), Q + i, n_ue, Q + j, n_ue);
            }
        }
        scale(n_ant, 1 / inner(n_ant, H_hat + j, n_ue, Q + j, n_ue), Q + j, n_ue);
    }
}

static void conjugate_beams(int n_ant, int n_ue, const double *gamma, const double complex *H_hat, double complex *W)
{
    memset(W, 0, (size_t)(n_ant * n_ue) * sizeof *W);
    for (int k = 0; k < n_ue; k++) {
        if (gamma[k] > 0) {
            copy_column(n_ant, n_ue, H_hat + k, W + k);
            scale(n_ant, 1 / sqrt(n_ant * gamma[k]), W + k, n_ue);
        }
    }
}

/* Beams of the users that are not strong, of mean power 1; W holds the strong users' orthonormal basis. */
static void weak_beams(enum mimo_scheme scheme, int n_ant, int n_ue, int n_strong, const uint8_t *strong,
                       const double *gamma, const double complex *H_hat, double complex *W)
{
    const bool project = scheme != MIMO_PZF;
    for (int k = 0; k < n_ue; k++) {
        if (strong[k] || !(gamma[k] > 0)) {
            continue;
        }
        copy_column(n_ant, n_ue, H_hat + k, W + k);
        if (project) {
            project_out(n_ant, n_ue, W, strong, n_ue, W + k, n_ue);
        }
        scale(n_ant, 1 / sqrt((project ? n_ant - n_strong : n_ant) * gamma[k]), W + k, n_ue);
    }
}

int ppzf_beams(enum mimo_scheme scheme, int n_ant, int n_ue, uint8_t *strong, const double *gamma,
               const double complex *H_hat, double complex *W)
{
    int n_strong = 0;
    for (int k = 0; k < n_ue; k++) {
        strong[k] = strong[k] && gamma[k] > 0 && scheme != MIMO_CB;
        n_strong += strong[k];
    }
    memset(W, 0, (size_t)(n_ant * n_ue) * sizeof *W);
    /* with n_ant strong users L_m = 0: the long-term normalisation does not exist */
    if (n_strong >= n_ant || orthonormal_basis(n_ant, n_ue, strong, H_hat, W) < n_strong) {
        conjugate_beams(n_ant, n_ue, gamma, H_hat, W);
        return TUTTI_ENUMERIC;
    }
    weak_beams(scheme, n_ant, n_ue, n_strong, strong, gamma, H_hat, W);
    dual_basis(n_ant, n_ue, strong, H_hat, W);
    for (int k = 0; k < n_ue; k++) {
        if (strong[k]) {
            scale(n_ant, sqrt((n_ant - n_strong) * gamma[k]), W + k, n_ue);
        }
    }
    return 0;
}

int ppzf_noise(int n_ant, int n_ue, const uint8_t *strong, const double complex *H_hat, const double complex *z,
               double complex *work, double complex *v)
{
    memcpy(v, z, (size_t)n_ant * sizeof *v);
    const double before = norm(n_ant, v, 1);
    const int rank = orthonormal_basis(n_ant, n_ue, strong, H_hat, work);
    project_out(n_ant, n_ue, work, strong, n_ue, v, 1);
    const double after = norm(n_ant, v, 1);
    const bool room = rank < n_ant && after > DEPENDENT * before;
    scale(n_ant, room ? 1 / after : 0, v, 1);
    return room ? 0 : TUTTI_ENUMERIC;
}

static int tables_allocate(struct ppzf_tables *t)
{
    const size_t m = (size_t)t->n_ap, mk = m * (size_t)t->n_ue;
    double **const per_user[] = {&t->c, &t->gamma, &t->gain, &t->leak, &t->leak_plain};
    double **const per_ap[] = {&t->gamma_eve, &t->gain_eve, &t->leak_eve, &t->leak_plain_eve};
    bool ok = true;
    for (size_t i = 0; i < sizeof per_user / sizeof *per_user; i++) {
        ok = (*per_user[i] = calloc(mk, sizeof(double))) && ok;
    }
    for (size_t i = 0; i < sizeof per_ap / sizeof *per_ap; i++) {
        ok = (*per_ap[i] = calloc(m, sizeof(double))) && ok;
    }
    ok = (t->strong = calloc(mk, 1)) && ok;
    ok = (t->n_free = calloc(m, sizeof *t->n_free)) && ok;
    return ok ? 0 : error_set(TUTTI_ENOMEM, "ppzf: out of memory for %d APs and %d users", t->n_ap, t->n_ue);
}

/* One AP: MMSE coefficients under contamination of user 0's pilot. */
static void estimate_statistics(struct ppzf_tables *t, const struct ppzf_network *net, int m)
{
    const double eve = net->beta_eve ? net->tau * net->eve_pilot_power * net->beta_eve[m] : 0;
    for (int k = 0; k < t->n_ue; k++) {
        const int i = m * t->n_ue + k;
        const double amplitude = sqrt(net->tau * net->pilot_power[k]);
        const double den = amplitude * amplitude * net->beta[i] + (k == 0 ? eve : 0) + 1;
        t->c[i] = amplitude * net->beta[i] / den;
        t->gamma[i] = net->gamma ? net->gamma[i] : amplitude * net->beta[i] * t->c[i];
        if (k == 0 && net->beta_eve) {
            t->gamma_eve[m] = eve * net->beta_eve[m] / den;
        }
    }
}

static void fill_ap(struct ppzf_tables *t, const struct ppzf_network *net, int m)
{
    const int n = t->n_ue;
    const double *by = (net->beta_group ? net->beta_group : net->beta) + m * n;
    uint8_t *const strong = t->strong + m * n;
    estimate_statistics(t, net, m);
    ppzf_group(t->scheme, t->n_ant, n, by, net->upsilon, strong);
    t->n_free[m] = t->n_ant - drop_silent(n, t->gamma + m * n, strong);
    const int weak_rank = t->scheme == MIMO_PZF ? t->n_ant : t->n_free[m];
    for (int k = 0; k < n; k++) {
        const int i = m * n + k;
        t->gain[i] = sqrt((strong[k] ? t->n_free[m] : weak_rank) * t->gamma[i]);
        t->leak_plain[i] = net->beta[i];
        t->leak[i] = net->beta[i] - (strong[k] ? t->gamma[i] : 0);
    }
    if (!net->beta_eve) {
        return;
    }
    t->gain_eve[m] = sqrt((strong[0] ? t->n_free[m] : weak_rank) * t->gamma_eve[m]);
    t->leak_plain_eve[m] = net->beta_eve[m];
    t->leak_eve[m] = net->beta_eve[m] - (strong[0] ? t->gamma_eve[m] : 0);
}

int ppzf_tables_create(struct ppzf_tables **tables, const struct ppzf_network *network)
{
    *tables = NULL;
    if (network->n_ap < 1 || network->n_ant < 1 || network->n_ant > TUTTI_MAX_ANT || network->n_ue < 1) {
        return error_set(TUTTI_EINVAL,
                         "ppzf: %d APs, %d antennas, %d users; allowed at least 1 each, at most %d antennas",
                         network->n_ap, network->n_ant, network->n_ue, TUTTI_MAX_ANT);
    }
    if (network->scheme == MIMO_FZF && network->n_ue >= network->n_ant) {
        return error_set(TUTTI_EINVAL,
                         "ppzf: full zero-forcing of %d users needs at least %d antennas per AP, found %d",
                         network->n_ue, network->n_ue + 1, network->n_ant);
    }
    struct ppzf_tables *t = calloc(1, sizeof *t);
    if (!t) {
        return error_set(TUTTI_ENOMEM, "ppzf: out of memory");
    }
    t->n_ap = network->n_ap;
    t->n_ant = network->n_ant;
    t->n_ue = network->n_ue;
    t->scheme = network->scheme;
    const int rc = tables_allocate(t);
    if (rc) {
        ppzf_tables_destroy(t);
        return rc;
    }
    for (int m = 0; m < t->n_ap; m++) {
        fill_ap(t, network, m);
    }
    *tables = t;
    return 0;
}

void ppzf_tables_destroy(struct ppzf_tables *tables)
{
    if (!tables) {
        return;
    }
    double *const arrays[] = {tables->c,        tables->gamma,      tables->gain,
                              tables->leak,     tables->leak_plain, tables->gamma_eve,
                              tables->gain_eve, tables->leak_eve,   tables->leak_plain_eve};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
    free(tables->strong);
    free(tables->n_free);
    free(tables);
}

/* Power an AP radiates through projected vectors and through unprojected ones (weak users of PZF), stream skip left
 * out. Streams without an estimate do not exist. */
static void radiated(const struct ppzf_tables *t, const double *eta, const double *eta_an, int m, int skip,
                     double *projected, double *plain)
{
    *projected = eta_an[m];
    *plain = 0;
    for (int k = 0; k < t->n_ue; k++) {
        const int i = m * t->n_ue + k;
        if (k == skip || !(t->gamma[i] > 0)) {
            continue;
        }
        if (t->scheme == MIMO_PZF && !t->strong[i]) {
            *plain += eta[i];
        } else {
            *projected += eta[i];
        }
    }
}

void ppzf_sinr(const struct ppzf_tables *tables, const double *eta, const double *eta_an, double *sinr)
{
    for (int k = 0; k < tables->n_ue; k++) {
        double x = 0, y = 1;
        for (int m = 0; m < tables->n_ap; m++) {
            const int i = m * tables->n_ue + k;
            double projected, plain;
            radiated(tables, eta, eta_an, m, -1, &projected, &plain);
            x += tables->gain[i] * sqrt(eta[i]);
            y += tables->leak[i] * projected + tables->leak_plain[i] * plain;
        }
        sinr[k] = x * x / y;
    }
}

double ppzf_sinr_eve(const struct ppzf_tables *tables, const double *eta, const double *eta_an)
{
    double coherent = 0, incoherent = 0, noise = 1;
    for (int m = 0; m < tables->n_ap; m++) {
        const int i = m * tables->n_ue;
        double projected, plain;
        radiated(tables, eta, eta_an, m, 0, &projected, &plain);
        noise += tables->leak_eve[m] * projected + tables->leak_plain_eve[m] * plain;
        if (tables->gamma[i] > 0) {
            coherent += tables->gain_eve[m] * sqrt(eta[i]);
            incoherent += tables->leak_eve[m] * eta[i];
        }
    }
    return (coherent * coherent + incoherent) / noise;
}

void ppzf_equal_power(const struct ppzf_tables *tables, const double *P, bool with_noise, double *eta, double *eta_an)
{
    const int shares = tables->n_ue + (with_noise ? 1 : 0);
    for (int m = 0; m < tables->n_ap; m++) {
        for (int k = 0; k < tables->n_ue; k++) {
            eta[m * tables->n_ue + k] = P[m] / shares;
        }
        eta_an[m] = with_noise ? P[m] / shares : 0;
    }
}

/* One AP's part in every user's x_k and y_k. */
static void add_ap(const struct ppzf_report *r, int m, int n_active, double *x, double *y)
{
    double *const beta = r->work + 2 * r->n_ue, *const gamma = r->work + 3 * r->n_ue;
    uint8_t *const strong = r->work_strong;
    for (int k = 0; k < r->n_ue; k++) {
        beta[k] = r->ue_active[k] ? (double)r->beta[m * r->n_ue + k] : 0;
        gamma[k] = fmax(beta[k] - (double)r->error_variance[m * r->n_ue + k], 0);
    }
    ppzf_group(r->scheme, r->n_ant, r->n_ue, beta, r->upsilon, strong);
    const int n_free = r->n_ant - drop_silent(r->n_ue, gamma, strong);
    const double eta = (double)r->ap_power[m] / n_active;
    int n_plain = 0; /* streams sent without projection: weak users of PZF */
    for (int k = 0; k < r->n_ue; k++) {
        n_plain += r->ue_active[k] && r->scheme == MIMO_PZF && !strong[k];
    }
    for (int k = 0; k < r->n_ue; k++) {
        const bool plain = r->scheme == MIMO_PZF && !strong[k];
        x[k] += sqrt((plain ? r->n_ant : n_free) * gamma[k] * eta);
        y[k] += (beta[k] - (strong[k] ? gamma[k] : 0)) * (eta * (n_active - n_plain) + r->noise_power);
        y[k] += beta[k] * eta * n_plain;
    }
}

void ppzf_predict(const struct ppzf_report *r, float *sinr)
{
    double *const x = r->work, *const y = r->work + r->n_ue;
    int n_active = 0;
    for (int k = 0; k < r->n_ue; k++) {
        n_active += r->ue_active[k] != 0;
        x[k] = 0;
        y[k] = 1;
    }
    for (int m = 0; n_active && m < r->n_ap; m++) {
        if (r->ap_active[m]) {
            add_ap(r, m, n_active, x, y);
        }
    }
    for (int k = 0; k < r->n_ue; k++) {
        sinr[k] = r->ue_active[k] ? (float)(x[k] * x[k] / y[k]) : 0;
    }
}

/* The form of maxmin.h: F_kj = (leak of user j's beams into user k) / gain_k, noise_k = 1 / gain_k, B_mk = power at p_k
 * = 1. */
static int maxmin_matrices(const struct ppzf_tables *t, const double *P, double *F, double *noise, double *B)
{
    const int n = t->n_ue;
    for (int k = 0; k < n; k++) {
        double amplitude = 0;
        for (int m = 0; m < t->n_ap; m++) {
            amplitude += t->gain[m * n + k] * sqrt(P[m] / n);
        }
        if (!(amplitude > 0)) {
            return error_set(TUTTI_ENUMERIC, "ppzf: user %d has no beam at any AP", k);
        }
        noise[k] = 1 / (amplitude * amplitude);
        for (int j = 0; j < n; j++) {
            double leak = 0;
            for (int m = 0; m < t->n_ap; m++) {
                const int i = m * n + j;
                const bool plain = t->scheme == MIMO_PZF && !t->strong[i];
                B[i] = t->gamma[i] > 0 ? P[m] / n : 0;
                leak += B[i] * (plain ? t->leak_plain : t->leak)[m * n + k];
            }
            F[k * n + j] = leak * noise[k];
        }
    }
    return 0;
}

int ppzf_maxmin_power(const struct ppzf_tables *tables, const double *P, double *eta, double *sinr)
{
    const size_t n = (size_t)tables->n_ue, m = (size_t)tables->n_ap;
    double *F = calloc(n * n + 2 * n + m * n + n * (n + 1), sizeof *F);
    if (!F) {
        return error_set(TUTTI_ENOMEM, "ppzf: out of memory for %d APs and %d users", tables->n_ap, tables->n_ue);
    }
    double *noise = F + n * n, *p = noise + n, *B = p + n, *work = B + m * n;
    const int rc = maxmin_matrices(tables, P, F, noise, B);
    if (!rc) {
        *sinr = maxmin_power(tables->n_ue, tables->n_ap, F, noise, B, tables->n_ue, P, p, work);
        for (size_t i = 0; i < m * n; i++) {
            eta[i] = B[i] * p[i % n];
        }
    }
    free(F);
    return rc;
}

struct gap_model ppzf_gap_model(const struct ppzf_tables *tables, const double *P, double omega)
{
    const bool plain = tables->scheme == MIMO_PZF;
    return (struct gap_model){.n_ap = tables->n_ap,
                              .n_ue = tables->n_ue,
                              .omega = omega,
                              .P = P,
                              .gain = tables->gain,
                              .leak = tables->leak,
                              .gain_eve = tables->gain_eve,
                              .leak_eve = tables->leak_eve,
                              .strong = plain ? tables->strong : NULL,
                              .leak_plain = tables->leak_plain,
                              .leak_plain_eve = tables->leak_plain_eve};
}

double ppzf_rate(int tau, int tau_c, double sinr)
{
    return (1 - (double)tau / tau_c) * log2(1 + sinr);
}
