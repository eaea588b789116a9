/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/cluster_worker.h"

#include "base/error.h"
#include "channel/channel.h"
#include "channel/random.h"
#include "cluster/clusters.h"
#include "linalg/small.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* Hands out parts of one array; without one it counts. */
static double *take(double *base, size_t *used, size_t count)
{
    double *const part = base ? base + *used : NULL;
    *used += count;
    return part;
}

static struct cluster_matrices take_two(double *base, size_t *used, size_t count)
{
    double *const re = take(base, used, count);
    return (struct cluster_matrices){re, take(base, used, count)};
}

static size_t layout(struct cluster_worker *w, double *base)
{
    const size_t l = (size_t)w->L, n = (size_t)w->N, k = (size_t)w->K, t = (size_t)w->T;
    size_t used = 0;
    w->gain = take(base, &used, l * k);
    w->R = take_two(base, &used, l * k * n * n);
    w->A = take_two(base, &used, l * k * n * n);
    w->C = take_two(base, &used, l * k * n * n);
    w->Z = take_two(base, &used, l * n * n);
    w->white = take_two(base, &used, l * n * n);
    w->own = take_two(base, &used, l * n * n);
    w->H = take_two(base, &used, t * l * n * k);
    w->G = take_two(base, &used, t * l * n * k);
    w->E = take_two(base, &used, t * l * n * k);
    w->X = take_two(base, &used, l * n * k);
    w->V = take_two(base, &used, l * n);
    w->zero = take(base, &used, l * k);
    w->work = take(base, &used, k + l);
    w->norm = take(base, &used, l * k);
    w->rho = take(base, &used, l * k);
    w->share = take(base, &used, l * k);
    w->power = take(base, &used, t * k * k);
    return used;
}

int cluster_worker_open(const struct study_run *run, void **worker)
{
    struct cluster_worker *const w = *worker = calloc(1, sizeof *w);
    if (!w) {
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    w->L = (int)study_value(run, "n_ap");
    w->N = (int)study_value(run, "n_ant");
    w->K = (int)study_value(run, "n_ue");
    w->T = study_is_quick(run) ? 8 : (int)study_value(run, "channels");
    w->n_pilot = (int)study_value(run, "tau_p");
    if (w->L < 1 || w->N < 1 || w->N > CLUSTER_MOST_ANT || w->K < 1 || w->K > CLUSTER_MOST_UE || w->n_pilot < 1 ||
        w->T < 2 || w->L > 1000 || w->T > 10000) {
        return error_set(TUTTI_EINVAL,
                         "study: n_ap %d, n_ant %d, n_ue %d, tau_p %d, channels %d: at least 1 (channels 2), at most "
                         "%d antennas and %d users",
                         w->L, w->N, w->K, w->n_pilot, w->T, CLUSTER_MOST_ANT, CLUSTER_MOST_UE);
    }
    const size_t l = (size_t)w->L, k = (size_t)w->K;
    w->storage = calloc(layout(w, NULL), sizeof *w->storage);
    w->pilot = calloc(k, sizeof *w->pilot);
    w->best = calloc((size_t)w->n_pilot + k, sizeof *w->best);
    w->served = calloc(l * k, 1);
    w->all = calloc(l * k, 1);
    w->g = calloc(l * k * k, sizeof *w->g);
    w->b = calloc(l * k, sizeof *w->b);
    w->Q = calloc(k * l * l, sizeof *w->Q);
    w->part = calloc(k * l * l, sizeof *w->part);
    w->a = calloc(l, sizeof *w->a);
    w->whole = calloc(l * l, sizeof *w->whole);
    w->wide = calloc(l, sizeof *w->wide);
    w->aps = calloc(l, sizeof *w->aps);
    if (!w->storage || !w->pilot || !w->best || !w->served || !w->all || !w->g || !w->b || !w->Q || !w->part || !w->a ||
        !w->whole || !w->wide || !w->aps) {
        return error_set(TUTTI_ENOMEM, "study: out of memory for %d realisations of %d access points", w->T, w->L);
    }
    layout(w, w->storage);
    memset(w->all, 1, l * k);
    const int status = vectors_create(&w->vectors, w->L, w->N, w->K);
    return status ? status : fuse_create(&w->fuse, w->L, w->K);
}

void cluster_worker_close(void *worker)
{
    struct cluster_worker *const w = worker;
    if (!w) {
        return;
    }
    void *const arrays[] = {w->storage, w->pilot, w->best, w->served, w->all,  w->g,  w->b,
                            w->Q,       w->part,  w->a,    w->whole,  w->wide, w->aps};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
    vectors_destroy(w->vectors);
    fuse_destroy(w->fuse);
    free(w);
}

/* Small matrices --------------------------------------------------------------------------------------------------- */

void cluster_apply(const struct cluster_worker *w, const struct cluster_matrices *M, size_t i, const double *from_re,
                   const double *from_im, int stride, double *to_re, double *to_im)
{
    const int N = w->N;
    const double *const re = M->re + i * (size_t)(N * N), *const im = M->im + i * (size_t)(N * N);
    for (int a = 0; a < N; a++) {
        double x = 0, y = 0;
        for (int c = 0; c < N; c++) {
            x += re[a * N + c] * from_re[c * stride] - im[a * N + c] * from_im[c * stride];
            y += re[a * N + c] * from_im[c * stride] + im[a * N + c] * from_re[c * stride];
        }
        to_re[a * stride] = x;
        to_im[a * stride] = y;
    }
}

void cluster_apply_back(const struct cluster_worker *w, const struct cluster_matrices *M, size_t i, double *re,
                        double *im)
{
    const int N = w->N;
    const double *const mr = M->re + i * (size_t)(N * N), *const mi = M->im + i * (size_t)(N * N);
    double x[CLUSTER_MOST_ANT] = {0}, y[CLUSTER_MOST_ANT] = {0};
    for (int a = 0; a < N; a++) {
        for (int c = 0; c < N; c++) { /* conj(M[a][c]) v[a] */
            x[c] += mr[a * N + c] * re[a] + mi[a * N + c] * im[a];
            y[c] += mr[a * N + c] * im[a] - mi[a * N + c] * re[a];
        }
    }
    memcpy(re, x, (size_t)N * sizeof *x);
    memcpy(im, y, (size_t)N * sizeof *y);
}

enum { SMALL = CLUSTER_MOST_ANT * CLUSTER_MOST_ANT };

/* X = inverse of the lower factor of S, which is spoilt. */
static void inverse_factor(int n, double *Sr, double *Si, double *Xr, double *Xi)
{
    small_cholesky(n, Sr, Si, 0); /* positive definite: at least the identity */
    small_lower_inverse(n, Sr, Si, Xr, Xi);
}

static void add_errors(const struct cluster_worker *w, int l, int k, double *Sr, double *Si)
{
    const int n2 = w->N * w->N;
    const size_t from = (size_t)(l * w->K + k) * (size_t)n2;
    for (int i = 0; i < n2; i++) {
        Sr[i] += w->C.re[from + (size_t)i];
        Si[i] += w->C.im[from + (size_t)i];
    }
}

static void identity(int n, double *re, double *im)
{
    memset(re, 0, (size_t)(n * n) * sizeof *re);
    memset(im, 0, (size_t)(n * n) * sizeof *im);
    for (int i = 0; i < n; i++) {
        re[i * n + i] = 1;
    }
}

/* I + the errors of the users listed. */
static void with_errors(const struct cluster_worker *w, int l, const int *users, int n_user, double *Sr, double *Si)
{
    identity(w->N, Sr, Si);
    for (int i = 0; i < n_user; i++) {
        add_errors(w, l, users[i], Sr, Si);
    }
}

void cluster_worker_whiten(struct cluster_worker *w, int l, const int *users, int n_user)
{
    double Sr[SMALL], Si[SMALL];
    const size_t to = (size_t)(l * w->N * w->N);
    with_errors(w, l, users, n_user, Sr, Si);
    inverse_factor(w->N, Sr, Si, w->own.re + to, w->own.im + to);
}

/* Drops ------------------------------------------------------------------------------------------------------------ */

/* First row of the correlation matrix of a uniform linear array, half a wavelength apart, by Gaussian local scattering:
 * mean of exp(j pi n sin(azimuth) cos(elevation)). The trapezoid rule of a Gaussian at half standard deviations is
 * exact to more digits than matter. */
static void correlation(int n_ant, double azimuth, double elevation, double spread, double *re, double *im)
{
    double total = 0;
    memset(re, 0, (size_t)n_ant * sizeof *re);
    memset(im, 0, (size_t)n_ant * sizeof *im);
    for (int i = -9; i <= 9; i++) {
        for (int j = -9; j <= 9; j++) {
            const double weight = exp(-(i * i + j * j) / 8.0);
            const double turn = PI * sin(azimuth + 0.5 * i * spread) * cos(elevation + 0.5 * j * spread);
            for (int n = 0; n < n_ant; n++) {
                re[n] += weight * cos(n * turn);
                im[n] += weight * sin(n * turn);
            }
            total += weight;
        }
    }
    for (int n = 0; n < n_ant; n++) {
        re[n] /= total;
        im[n] /= total;
    }
}

static void place(const struct study_run *run, enum random_purpose what, uint64_t drop, int i, double at[2])
{
    const uint64_t key = random_key(study_seed(run), what, drop, (uint64_t)i, 0);
    at[0] = study_value(run, "side_m") * random_uniform(key, 0);
    at[1] = study_value(run, "side_m") * random_uniform(key, 1);
}

/* The shorter way round, with its sign. */
static double wrapped(double difference, double side)
{
    return difference - side * rint(difference / side);
}

static void draw_link(struct cluster_worker *w, const struct study_run *run, uint64_t drop, int l, int k)
{
    const int N = w->N;
    const double side = study_value(run, "side_m"), height = study_value(run, "height_m");
    const double noise_dbm = channel_noise_dbm(study_value(run, "bandwidth_hz"), study_value(run, "noise_figure_db"));
    const uint64_t key = random_key(study_seed(run), RANDOM_SHADOWING, drop, (uint64_t)l, (uint64_t)k);
    double ap[2], ue[2], re[CLUSTER_MOST_ANT], im[CLUSTER_MOST_ANT];
    float z, unused;
    place(run, RANDOM_POSITION_AP, drop, l, ap);
    place(run, RANDOM_POSITION_UE, drop, k, ue);
    random_normal(key, 0, &z, &unused);
    const double dx = wrapped(ue[0] - ap[0], side), dy = wrapped(ue[1] - ap[1], side);
    const double distance_m = hypot(hypot(dx, dy), height);
    const double gain_db = channel_umi_db(distance_m) + study_value(run, "shadowing_db") * (double)z;
    const double gain = pow(10, (gain_db + study_value(run, "ue_dbm") - noise_dbm) / 10);
    correlation(N, atan2(dy, dx), asin(height / distance_m), study_value(run, "spread_deg") * PI / 180, re, im);
    w->gain[l * w->K + k] = gain;
    for (int a = 0; a < N; a++) {
        for (int c = 0; c < N; c++) {
            const size_t to = (size_t)(((l * w->K + k) * N + a) * N + c);
            const int lag = a > c ? a - c : c - a;
            w->R.re[to] = gain * re[lag];
            w->R.im[to] = gain * (a > c ? im[lag] : -im[lag]);
        }
    }
}

/* A = sqrt(tau_p) R_k Psi^-1, C = R_k - tau_p R_k Psi^-1 R_k for the users of one pilot; Psi = I + tau_p sum R. */
static void estimator(struct cluster_worker *w, int l, int pilot)
{
    const int N = w->N, n2 = N * N;
    double Pr[SMALL], Pi[SMALL], Xr[SMALL], Xi[SMALL], Ir[SMALL], Ii[SMALL], Dr[SMALL], Di[SMALL];
    identity(N, Pr, Pi);
    for (int k = 0; k < w->K; k++) {
        const size_t from = (size_t)((l * w->K + k) * n2);
        for (int i = 0; i < n2 && w->pilot[k] == pilot; i++) {
            Pr[i] += w->n_pilot * w->R.re[from + (size_t)i];
            Pi[i] += w->n_pilot * w->R.im[from + (size_t)i];
        }
    }
    inverse_factor(N, Pr, Pi, Xr, Xi);
    small_lower_square(N, Xr, Xi, Ir, Ii);
    for (int k = 0; k < w->K; k++) {
        const size_t at = (size_t)((l * w->K + k) * n2);
        if (w->pilot[k] != pilot) {
            continue;
        }
        small_multiply(N, N, w->R.re + at, w->R.im + at, Ir, Ii, w->A.re + at, w->A.im + at);
        small_multiply(N, N, w->A.re + at, w->A.im + at, w->R.re + at, w->R.im + at, Dr, Di);
        for (size_t i = 0; i < (size_t)n2; i++) {
            w->C.re[at + i] = w->R.re[at + i] - w->n_pilot * Dr[i];
            w->C.im[at + i] = w->R.im[at + i] - w->n_pilot * Di[i];
            w->A.re[at + i] *= sqrt(w->n_pilot);
            w->A.im[at + i] *= sqrt(w->n_pilot);
        }
    }
}

/* R becomes its lower factor; what is singular to rounding is lifted by 1e-9 of its gain. */
static void factor(struct cluster_worker *w, int l, int k)
{
    const int N = w->N;
    const size_t at = (size_t)((l * w->K + k) * N * N);
    for (int a = 0; a < N; a++) {
        w->R.re[at + (size_t)(a * N + a)] += 1e-9 * w->gain[l * w->K + k];
    }
    small_cholesky(N, w->R.re + at, w->R.im + at, 0);
    for (int a = 0; a < N; a++) {
        for (int c = a + 1; c < N; c++) {
            w->R.re[at + (size_t)(a * N + c)] = w->R.im[at + (size_t)(a * N + c)] = 0;
        }
    }
}

/* Channels of one AP in one realisation; what it receives of every pilot, despread; estimates. */
static void realise(struct cluster_worker *w, const struct study_run *run, uint64_t drop, int t, int l)
{
    const int N = w->N, K = w->K;
    const size_t at = cluster_at(w, t, l);
    const uint64_t fading = random_key(study_seed(run), RANDOM_FADING, drop, (uint64_t)t, (uint64_t)l);
    const uint64_t noise = random_key(study_seed(run), RANDOM_NOISE, drop, (uint64_t)t, (uint64_t)l);
    double re[CLUSTER_MOST_ANT * CLUSTER_MOST_UE], im[CLUSTER_MOST_ANT * CLUSTER_MOST_UE];
    for (int i = 0; i < N * K; i++) {
        float x, y;
        random_normal(fading, (uint64_t)i, &x, &y);
        re[i] = sqrt(0.5) * (double)x;
        im[i] = sqrt(0.5) * (double)y;
    }
    for (int k = 0; k < K; k++) {
        cluster_apply(w, &w->R, (size_t)(l * K + k), re + k, im + k, K, w->H.re + at + k, w->H.im + at + k);
    }
    for (int k = 0; k < K; k++) {
        for (int n = 0; n < N; n++) {
            float x, y;
            random_normal(noise, (uint64_t)(w->pilot[k] * N + n), &x, &y);
            re[n * K + k] = sqrt(0.5) * (double)x;
            im[n * K + k] = sqrt(0.5) * (double)y;
            for (int i = 0; i < K; i++) {
                if (w->pilot[i] == w->pilot[k]) {
                    re[n * K + k] += sqrt(w->n_pilot) * w->H.re[at + (size_t)(n * K + i)];
                    im[n * K + k] += sqrt(w->n_pilot) * w->H.im[at + (size_t)(n * K + i)];
                }
            }
        }
        cluster_apply(w, &w->A, (size_t)(l * K + k), re + k, im + k, K, w->G.re + at + k, w->G.im + at + k);
        cluster_apply(w, &w->white, (size_t)l, w->G.re + at + k, w->G.im + at + k, K, w->E.re + at + k,
                      w->E.im + at + k);
    }
}

void cluster_worker_form(struct cluster_worker *w, int max_aps)
{
    const struct clusters_settings settings = {.n_pilot = w->n_pilot, .max_aps = max_aps, .hysteresis = 1};
    clusters_form(w->L, w->K, &settings, w->gain, w->pilot, w->best, w->served);
}

void cluster_worker_draw(struct cluster_worker *w, const struct study_run *run, uint64_t drop)
{
    int everybody[CLUSTER_MOST_UE];
    for (int l = 0; l < w->L; l++) {
        for (int k = 0; k < w->K; k++) {
            draw_link(w, run, drop, l, k);
            everybody[k] = k;
        }
    }
    clusters_pilots(w->L, w->K, w->n_pilot, w->gain, w->work, w->pilot);
    cluster_worker_form(w, 0);
    for (int l = 0; l < w->L; l++) {
        const size_t n2 = (size_t)(w->N * w->N), at = (size_t)l * n2;
        for (int pilot = 0; pilot < w->n_pilot; pilot++) {
            estimator(w, l, pilot);
        }
        with_errors(w, l, everybody, w->K, w->Z.re + at, w->Z.im + at);
        cluster_worker_whiten(w, l, everybody, w->K);
        memcpy(w->white.re + at, w->own.re + at, n2 * sizeof *w->own.re);
        memcpy(w->white.im + at, w->own.im + at, n2 * sizeof *w->own.im);
        for (int k = 0; k < w->K; k++) {
            factor(w, l, k);
        }
    }
    for (int t = 0; t < w->T; t++) {
        for (int l = 0; l < w->L; l++) {
            realise(w, run, drop, t, l);
        }
    }
}
