/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/cluster_schemes.h"

#include "cluster/clusters.h"
#include "cluster/shares.h"

#include <complex.h>
#include <math.h>
#include <string.h>

/* Weights of the powers (7.43), as in the book's figures. */
static const double UPSILON = -0.5, KAPPA = 0.5;

static double square(double complex x)
{
    return creal(x * conj(x));
}

static size_t pair(const struct cluster_worker *w, int t, int k, int i)
{
    return ((size_t)t * (size_t)w->K + (size_t)k) * (size_t)w->K + (size_t)i;
}

/* Downlink --------------------------------------------------------------------------------------------------------- */

/* With |v_i^H h_k|^2 in w->power, means of v_k^H h_k in gain, and user i's power scale_i on its vector. */
static void downlink_rates(const struct cluster_worker *w, const double *scale, const double complex *gain,
                           double *hardening, double *known)
{
    for (int k = 0; k < w->K; k++) {
        double total = 0, rate = 0;
        for (int t = 0; t < w->T; t++) {
            double others = 1;
            for (int i = 0; i < w->K; i++) {
                others += i != k ? scale[i] * w->power[pair(w, t, i, k)] : 0;
            }
            const double own = scale[k] * w->power[pair(w, t, k, k)];
            rate += log2(1 + own / others) / w->T;
            total += (own + others) / w->T;
        }
        const double mean = scale[k] * square(gain[k]);
        hardening[k] = log2(1 + mean / (total - mean));
        known[k] = rate;
    }
}

/* Central ---------------------------------------------------------------------------------------------------------- */

/* What user k's vectors are solved with: clusters, and the whitening. */
static void prepare(struct cluster_worker *w, enum cluster_central rule, int k)
{
    int neighbours[CLUSTER_MOST_UE];
    if (rule == CLUSTER_MMSE) { /* all users as neighbours on the APs of this one */
        uint8_t *const mask = w->all;
        for (int l = 0; l < w->L; l++) {
            memset(mask + l * w->K, w->served[l * w->K + k], (size_t)w->K);
        }
        vectors_load(w->vectors, mask);
        memset(mask, 1, (size_t)(w->L * w->K));
    } else if (k == 0) {
        vectors_load(w->vectors, rule == CLUSTER_MMSE_ALL ? w->all : w->served);
    }
    const int n = rule == CLUSTER_PMMSE ? clusters_neighbours(w->L, w->K, w->served, k, neighbours) : 0;
    for (int l = 0; l < w->L && n > 0; l++) {
        if (w->served[l * w->K + k]) {
            cluster_worker_whiten(w, l, neighbours, n);
        }
    }
}

/* V of user k in realisation t. */
static void vector_of(struct cluster_worker *w, enum cluster_central rule, const uint8_t *on, int t, int k)
{
    const size_t at = cluster_at(w, t, 0);
    const struct cluster_matrices *const from = rule == CLUSTER_PMMSE ? &w->X : rule == CLUSTER_PRZF ? &w->G : &w->E;
    const size_t offset = rule == CLUSTER_PMMSE ? 0 : at;
    const struct vectors_csi csi = {from->re + offset, from->im + offset, w->zero, NULL};
    for (int l = 0; l < w->L && rule == CLUSTER_PMMSE; l++) {
        const size_t row = cluster_at(w, 0, l);
        for (int i = 0; i < w->K && on[l * w->K + k]; i++) {
            cluster_apply(w, &w->own, (size_t)l, w->G.re + at + row + i, w->G.im + at + row + i, w->K,
                          w->X.re + row + i, w->X.im + row + i);
        }
    }
    vectors_user(w->vectors, VECTORS_PRZF, &csi, k, w->V.re, w->V.im);
    const struct cluster_matrices *const white = rule == CLUSTER_PMMSE ? &w->own : &w->white;
    for (int l = 0; l < w->L && rule != CLUSTER_PRZF; l++) {
        if (on[l * w->K + k]) {
            cluster_apply_back(w, white, (size_t)l, w->V.re + l * w->N, w->V.im + l * w->N);
        }
    }
}

/* v_l^H x_l over one AP's antennas, x a column of [N][K]. */
static double complex product(const struct cluster_worker *w, const struct cluster_matrices *x, size_t at, int l, int i)
{
    double re = 0, im = 0;
    for (int n = 0; n < w->N; n++) {
        const double vr = w->V.re[l * w->N + n], vi = w->V.im[l * w->N + n];
        const double xr = x->re[at + (size_t)(n * w->K + i)], xi = x->im[at + (size_t)(n * w->K + i)];
        re += vr * xr + vi * xi;
        im += vr * xi - vi * xr;
    }
    return re + I * im;
}

/* v_l^H Z_l v_l, Z_l = I + all errors. */
static double noise_of(const struct cluster_worker *w, int l)
{
    const int N = w->N;
    const double *const zr = w->Z.re + l * N * N, *const zi = w->Z.im + l * N * N;
    double sum = 0;
    for (int a = 0; a < N; a++) {
        const double complex va = w->V.re[l * N + a] + I * w->V.im[l * N + a];
        for (int c = 0; c < N; c++) {
            const double complex vc = w->V.re[l * N + c] + I * w->V.im[l * N + c];
            sum += creal(conj(va) * (zr[a * N + c] + I * zi[a * N + c]) * vc);
        }
    }
    return sum;
}

/* What this vector does: SINR (5.5); squares, mean gain and norms for the downlink. */
static double account(struct cluster_worker *w, const uint8_t *on, int t, int k)
{
    double complex heard[CLUSTER_MOST_UE] = {0}, known[CLUSTER_MOST_UE] = {0};
    double noise = 0, others = 0;
    for (int l = 0; l < w->L; l++) {
        if (!on[l * w->K + k]) {
            continue;
        }
        for (int i = 0; i < w->K; i++) {
            heard[i] += product(w, &w->H, cluster_at(w, t, l), l, i);
            known[i] += product(w, &w->G, cluster_at(w, t, l), l, i);
        }
        for (int n = l * w->N; n < (l + 1) * w->N; n++) {
            w->norm[l * w->K + k] += (w->V.re[n] * w->V.re[n] + w->V.im[n] * w->V.im[n]) / w->T;
        }
        noise += noise_of(w, l);
    }
    for (int i = 0; i < w->K; i++) {
        w->power[pair(w, t, k, i)] = square(heard[i]);
        others += i != k ? square(known[i]) : 0;
    }
    w->b[k] += heard[k] / w->T;
    return square(known[k]) / (others + noise);
}

static void central_downlink(struct cluster_worker *w, double P, double *hardening, double *known)
{
    double scale[CLUSTER_MOST_UE], *const budget = w->work + w->K;
    for (int l = 0; l < w->L; l++) {
        budget[l] = P;
    }
    for (int k = 0; k < w->K; k++) {
        scale[k] = 0;
        for (int l = 0; l < w->L; l++) {
            scale[k] += w->norm[l * w->K + k];
        }
        for (int l = 0; l < w->L; l++) {
            w->share[l * w->K + k] = w->norm[l * w->K + k] / scale[k];
        }
    }
    shares_central(w->L, w->K, w->served, w->gain, w->share, budget, UPSILON, KAPPA, w->work, w->rho);
    for (int k = 0; k < w->K; k++) {
        scale[k] = w->rho[k] / scale[k];
    }
    downlink_rates(w, scale, w->b, hardening, known);
}

void cluster_central_rates(struct cluster_worker *w, enum cluster_central rule, double P, double *uplink,
                           double *hardening, double *known)
{
    const uint8_t *const on = rule == CLUSTER_MMSE_ALL ? w->all : w->served;
    memset(w->norm, 0, (size_t)(w->L * w->K) * sizeof *w->norm);
    memset(w->b, 0, (size_t)w->K * sizeof *w->b);
    for (int k = 0; k < w->K; k++) {
        double rate = 0;
        prepare(w, rule, k);
        for (int t = 0; t < w->T; t++) {
            vector_of(w, rule, on, t, k);
            rate += log2(1 + account(w, on, t, k)) / w->T;
        }
        if (uplink) {
            uplink[k] = rate;
        }
    }
    if (hardening && known) {
        central_downlink(w, P, hardening, known);
    }
}

/* Local ------------------------------------------------------------------------------------------------------------ */

/* Vr, Vi [N][K] of AP l in realisation t. */
static void local_vectors(struct cluster_worker *w, enum cluster_local rule, int t, int l, double *Vr, double *Vi)
{
    const size_t at = cluster_at(w, t, 0), row = cluster_at(w, 0, l);
    if (rule == CLUSTER_MR) {
        memcpy(Vr, w->G.re + at + row, (size_t)(w->N * w->K) * sizeof *Vr);
        memcpy(Vi, w->G.im + at + row, (size_t)(w->N * w->K) * sizeof *Vi);
        return;
    }
    struct vectors_csi csi = {w->E.re + at, w->E.im + at, w->zero, NULL};
    if (rule == CLUSTER_LPMMSE) {
        for (int i = 0; i < w->K; i++) {
            cluster_apply(w, &w->own, (size_t)l, w->G.re + at + row + i, w->G.im + at + row + i, w->K,
                          w->X.re + row + i, w->X.im + row + i);
        }
        csi.Gr = w->X.re;
        csi.Gi = w->X.im;
    }
    vectors_local(w->vectors, &csi, l, Vr, Vi);
    const struct cluster_matrices *const white = rule == CLUSTER_LPMMSE ? &w->own : &w->white;
    for (int k = 0; k < w->K; k++) {
        double re[CLUSTER_MOST_ANT], im[CLUSTER_MOST_ANT];
        for (int n = 0; n < w->N; n++) {
            re[n] = Vr[n * w->K + k];
            im[n] = Vi[n * w->K + k];
        }
        cluster_apply_back(w, white, (size_t)l, re, im);
        for (int n = 0; n < w->N; n++) {
            Vr[n * w->K + k] = re[n];
            Vi[n * w->K + k] = im[n];
        }
    }
}

/* g[l][k][i] = v_lk^H h_li of all users served; returns by norms, if wanted, their mean over realisations. */
static void local_gains(struct cluster_worker *w, enum cluster_local rule, int t, bool norms)
{
    double Vr[CLUSTER_MOST_ANT * CLUSTER_MOST_UE], Vi[CLUSTER_MOST_ANT * CLUSTER_MOST_UE];
    const int K = w->K;
    for (int l = 0; l < w->L; l++) {
        local_vectors(w, rule, t, l, Vr, Vi);
        for (int k = 0; k < K; k++) {
            if (!w->served[l * K + k]) {
                continue;
            }
            for (int n = 0; n < w->N; n++) {
                w->V.re[l * w->N + n] = Vr[n * K + k];
                w->V.im[l * w->N + n] = Vi[n * K + k];
                w->norm[l * K + k] +=
                    norms ? (Vr[n * K + k] * Vr[n * K + k] + Vi[n * K + k] * Vi[n * K + k]) / w->T : 0;
            }
            for (int i = 0; i < K; i++) {
                w->g[(l * K + k) * K + i] = product(w, &w->H, cluster_at(w, t, l), l, i);
            }
        }
    }
}

/* The APs of user k; returns how many. */
static int aps_of(const struct cluster_worker *w, int k, int *aps)
{
    int n = 0;
    for (int l = 0; l < w->L; l++) {
        if (w->served[l * w->K + k]) {
            aps[n++] = l;
        }
    }
    return n;
}

/* b, Q and the neighbours' part of Q of user k, packed over its APs. */
static void add_moments(struct cluster_worker *w, int k, const int *aps, int n)
{
    int neighbours[CLUSTER_MOST_UE];
    bool near[CLUSTER_MOST_UE] = {false};
    double complex *const Q = w->Q + (size_t)k * (size_t)(w->L * w->L), *const part = w->part + (Q - w->Q);
    const int m = clusters_neighbours(w->L, w->K, w->served, k, neighbours);
    for (int i = 0; i < m; i++) {
        near[neighbours[i]] = true;
    }
    for (int x = 0; x < n; x++) {
        const double complex *const gx = w->g + (aps[x] * w->K + k) * w->K;
        w->b[k * w->L + x] += gx[k] / w->T;
        for (int y = 0; y <= x; y++) {
            const double complex *const gy = w->g + (aps[y] * w->K + k) * w->K;
            double complex all = 0, own = 0;
            for (int i = 0; i < w->K; i++) {
                const double complex p = gx[i] * conj(gy[i]);
                all += p;
                own += near[i] ? p : 0;
            }
            Q[x * n + y] += all / w->T;
            part[x * n + y] += own / w->T;
            Q[y * n + x] = conj(Q[x * n + y]);
            part[y * n + x] = conj(part[x * n + y]);
        }
    }
}

static double rate_of(const double complex *a, const double complex *b, const double complex *Q, int n)
{
    double complex signal = 0, disturbance = 0;
    for (int x = 0; x < n; x++) {
        signal += conj(a[x]) * b[x];
        for (int y = 0; y < n; y++) {
            disturbance += conj(a[x]) * Q[x * n + y] * a[y];
        }
    }
    return log2(1 + square(signal) / creal(disturbance));
}

/* Weights by mimo/fuse.h, made for all APs: those that do not serve the user get a stream of their own noise. */
static void weights(struct cluster_worker *w, const double complex *b, const double complex *packed, int n,
                    double complex *a)
{
    const int L = w->L;
    double complex *const Q = w->whole, *const wide = w->wide;
    double unused;
    memset(Q, 0, (size_t)(L * L) * sizeof *Q);
    memset(wide, 0, (size_t)L * sizeof *wide);
    for (int x = 0; x < L; x++) {
        Q[x * L + x] = 1;
        for (int y = 0; y < n && x < n; y++) {
            Q[x * L + y] = packed[x * n + y];
        }
        wide[x] = x < n ? b[x] : 0;
    }
    fuse_lsfd(w->fuse, wide, Q, a, &unused);
}

static void uplink_of(struct cluster_worker *w, int k, const int *aps, int n, const struct cluster_local_rates *rates)
{
    double complex *const b = w->b + k * w->L, *const Q = w->Q + (size_t)k * (size_t)(w->L * w->L),
                          *const part = w->part + (Q - w->Q);
    for (int x = 0; x < n; x++) {
        for (int y = 0; y < n; y++) {
            Q[x * n + y] -= b[x] * conj(b[y]);
        }
        Q[x * n + x] += w->norm[aps[x] * w->K + k];
        part[x * n + x] += w->norm[aps[x] * w->K + k];
    }
    if (rates->optimal) {
        weights(w, b, Q, n, w->a);
        rates->optimal[k] = rate_of(w->a, b, Q, n);
    }
    if (rates->neighbours) {
        weights(w, b, part, n, w->a);
        rates->neighbours[k] = rate_of(w->a, b, Q, n);
    }
    if (rates->equal) {
        for (int x = 0; x < n; x++) {
            w->a[x] = 1;
        }
        rates->equal[k] = rate_of(w->a, b, Q, n);
    }
}

/* The same vectors once more, now that their norms are known. */
static void local_downlink(struct cluster_worker *w, enum cluster_local rule, double P, double *hardening,
                           double *known)
{
    double complex gain[CLUSTER_MOST_UE] = {0};
    double scale[CLUSTER_MOST_UE];
    shares_local(w->L, w->K, w->served, w->gain, P, w->rho);
    for (int t = 0; t < w->T; t++) {
        local_gains(w, rule, t, false);
        for (int k = 0; k < w->K; k++) {
            double complex sum[CLUSTER_MOST_UE] = {0};
            for (int l = 0; l < w->L; l++) {
                const int at = l * w->K + k;
                const double factor = w->served[at] ? sqrt(w->rho[at] / w->norm[at]) : 0;
                for (int i = 0; i < w->K && factor > 0; i++) {
                    sum[i] += factor * w->g[at * w->K + i];
                }
            }
            for (int i = 0; i < w->K; i++) {
                w->power[pair(w, t, k, i)] = square(sum[i]);
            }
            gain[k] += sum[k] / w->T;
            scale[k] = 1;
        }
    }
    downlink_rates(w, scale, gain, hardening, known);
}

void cluster_local_rates(struct cluster_worker *w, enum cluster_local rule, double P,
                         const struct cluster_local_rates *rates)
{
    const size_t l = (size_t)w->L, k = (size_t)w->K;
    memset(w->norm, 0, l * k * sizeof *w->norm);
    memset(w->b, 0, l * k * sizeof *w->b);
    memset(w->Q, 0, k * l * l * sizeof *w->Q);
    memset(w->part, 0, k * l * l * sizeof *w->part);
    vectors_load(w->vectors, rule == CLUSTER_LMMSE ? w->all : w->served);
    for (int ap = 0; ap < w->L && rule == CLUSTER_LPMMSE; ap++) {
        int users[CLUSTER_MOST_UE], n = 0;
        for (int i = 0; i < w->K; i++) {
            if (w->served[ap * w->K + i]) {
                users[n++] = i;
            }
        }
        cluster_worker_whiten(w, ap, users, n);
    }
    for (int t = 0; t < w->T; t++) {
        local_gains(w, rule, t, true);
        for (int i = 0; i < w->K; i++) {
            add_moments(w, i, w->aps, aps_of(w, i, w->aps));
        }
    }
    for (int i = 0; i < w->K; i++) {
        uplink_of(w, i, w->aps, aps_of(w, i, w->aps), rates);
    }
    if (rates->hardening && rates->known) {
        local_downlink(w, rule, P, rates->hardening, rates->known);
    }
}
