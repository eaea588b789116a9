/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cluster/vectors.h"

#include "base/error.h"
#include "linalg/small.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Far below what single precision resolves: keeps the factor positive where G^H G drowns the noise. */
static const double RIDGE = 1e-13;

struct vectors {
    int most_aps, most_users;      /* at create */
    int all_aps, n_ant, all_users; /* the network */
    double *storage;
    double *Ar, *Ai;   /* [n_row][n] the estimates in play, packed */
    double *Lr, *Li;   /* [n][n] I + G^H Z^-1 G, then its factor */
    double *xr, *xi;   /* [n] */
    double *amplitude; /* [n] roots of the powers in play */
    double *inverse_z; /* [n_ap] packed */
    int *lists;
    int *aps, *n_aps;               /* [all_users][all_aps], [all_users] APs of a user */
    int *users, *n_users;           /* [all_aps][all_users], [all_aps] users of an AP */
    int *neighbours, *n_neighbours; /* [all_users][all_users], [all_users] */
    int *seen;                      /* [all_users] */
    const int *user, *ap;           /* those in play: packed -> index */
    int n_user, n_ap;               /* packed */
};

static void place(struct vectors *v, int n_ap, int n_ant, int n_ue)
{
    const size_t k = (size_t)n_ue, l = (size_t)n_ap, rows = l * (size_t)n_ant;
    v->Ar = v->storage;
    v->Ai = v->Ar + rows * k;
    v->Lr = v->Ai + rows * k;
    v->Li = v->Lr + k * k;
    v->xr = v->Li + k * k;
    v->xi = v->xr + k;
    v->amplitude = v->xi + k;
    v->inverse_z = v->amplitude + k;
    v->aps = v->lists;
    v->users = v->aps + k * l;
    v->neighbours = v->users + k * l;
    v->n_aps = v->neighbours + k * k;
    v->n_users = v->n_aps + k;
    v->n_neighbours = v->n_users + l;
    v->seen = v->n_neighbours + k;
}

int vectors_create(vectors_t **vectors, int n_ap, int n_ant, int n_ue)
{
    struct vectors *v = *vectors = calloc(1, sizeof *v);
    const size_t k = (size_t)n_ue, l = (size_t)n_ap;
    if (v) {
        v->all_aps = v->most_aps = n_ap;
        v->n_ant = n_ant;
        v->all_users = v->most_users = n_ue;
        v->storage = calloc(2 * l * (size_t)n_ant * k + 2 * k * k + 3 * k + l, sizeof *v->storage);
        v->lists = calloc(2 * k * l + k * k + 3 * k + l, sizeof *v->lists);
    }
    if (!v || !v->storage || !v->lists) {
        vectors_destroy(v);
        *vectors = NULL;
        return error_set(TUTTI_ENOMEM, "combining: out of memory for %d APs, %d users", n_ap, n_ue);
    }
    place(v, n_ap, n_ant, n_ue);
    return 0;
}

void vectors_destroy(vectors_t *v)
{
    if (v) {
        free(v->storage);
        free(v->lists);
        free(v);
    }
}

void vectors_resize(vectors_t *v, int n_ap, int n_ue)
{
    v->all_aps = n_ap < v->most_aps ? n_ap : v->most_aps;
    v->all_users = n_ue < v->most_users ? n_ue : v->most_users;
    place(v, v->all_aps, v->n_ant, v->all_users);
    memset(v->n_aps, 0, (size_t)v->all_users * sizeof *v->n_aps);
    memset(v->n_users, 0, (size_t)v->all_aps * sizeof *v->n_users);
}

/* S_k ascending: the users of its APs. seen [all_users] is work. */
static void list_neighbours(struct vectors *v, int k, int *seen)
{
    const int K = v->all_users;
    int n = 0;
    memset(seen, 0, (size_t)K * sizeof *seen);
    for (int m = 0; m < v->n_aps[k]; m++) {
        const int ap = v->aps[k * v->all_aps + m];
        for (int i = 0; i < v->n_users[ap]; i++) {
            seen[v->users[ap * K + i]] = 1;
        }
    }
    for (int i = 0; i < K; i++) {
        if (seen[i]) {
            v->neighbours[k * K + n++] = i;
        }
    }
    v->n_neighbours[k] = n;
}

const int *vectors_aps(const vectors_t *v, int k, int *n)
{
    *n = v->n_aps[k];
    return v->aps + k * v->all_aps;
}

const int *vectors_users(const vectors_t *v, int m, int *n)
{
    *n = v->n_users[m];
    return v->users + m * v->all_users;
}

const int *vectors_neighbours(const vectors_t *v, int k, int *n)
{
    *n = v->n_neighbours[k];
    return v->neighbours + k * v->all_users;
}

void vectors_load(vectors_t *v, const uint8_t *served)
{
    const int L = v->all_aps, K = v->all_users;
    memset(v->n_aps, 0, (size_t)K * sizeof *v->n_aps);
    memset(v->n_users, 0, (size_t)L * sizeof *v->n_users);
    for (int l = 0; l < L; l++) {
        for (int k = 0; k < K; k++) {
            if (served[l * K + k]) {
                v->aps[k * L + v->n_aps[k]++] = l;
                v->users[l * K + v->n_users[l]++] = k;
            }
        }
    }
    for (int k = 0; k < K; k++) {
        list_neighbours(v, k, v->seen);
    }
}

/* Packs the users and APs listed; z of each AP from the errors of these users. */
static void gather(struct vectors *c, const struct vectors_csi *csi, int with_errors)
{
    const int N = c->n_ant, n = c->n_user, K = c->all_users;
    for (int i = 0; i < n; i++) {
        c->amplitude[i] = csi->power ? sqrt(csi->power[c->user[i]]) : 1;
    }
    for (int m = 0; m < c->n_ap; m++) {
        double z = 1;
        for (int i = 0; i < n && with_errors; i++) {
            z += c->amplitude[i] * c->amplitude[i] * csi->error[c->ap[m] * K + c->user[i]];
        }
        c->inverse_z[m] = 1 / z;
        for (int a = 0; a < N; a++) {
            const size_t from = ((size_t)c->ap[m] * (size_t)N + (size_t)a) * (size_t)K;
            double *const re = c->Ar + (size_t)(m * N + a) * (size_t)n, *const im = c->Ai + (re - c->Ar);
            for (int i = 0; i < n; i++) {
                re[i] = c->amplitude[i] * csi->Gr[from + (size_t)c->user[i]];
                im[i] = c->amplitude[i] * csi->Gi[from + (size_t)c->user[i]];
            }
        }
    }
    small_gram(c->n_ap * N, n, c->Ar, c->Ai, c->inverse_z, N, c->Lr, c->Li);
    for (int i = 0; i < n; i++) {
        c->Lr[i * n + i] = 1 + c->Lr[i * n + i] * (1 + RIDGE);
    }
    small_cholesky(n, c->Lr, c->Li, 0); /* positive definite: at least the identity */
}

/* x = (L L^H)^-1 e_k. */
static void solve_unit(struct vectors *c, int k)
{
    const int n = c->n_user;
    double *const xr = c->xr, *const xi = c->xi;
    for (int i = 0; i < n; i++) { /* L y = e_k: zero before k */
        double re = i == k, im = 0;
        for (int j = k; j < i; j++) {
            const double lr = c->Lr[i * n + j], li = c->Li[i * n + j];
            re -= lr * xr[j] - li * xi[j];
            im -= lr * xi[j] + li * xr[j];
        }
        xr[i] = i < k ? 0 : re / c->Lr[i * n + i];
        xi[i] = i < k ? 0 : im / c->Lr[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) { /* L^H x = y */
        xr[i] /= c->Lr[i * n + i];
        xi[i] /= c->Lr[i * n + i];
        for (int j = 0; j < i; j++) {
            const double lr = c->Lr[i * n + j], li = -c->Li[i * n + j];
            xr[j] -= lr * xr[i] - li * xi[i];
            xi[j] -= lr * xi[i] + li * xr[i];
        }
    }
}

/* Row r of Z^-1 G x. */
static void row_times(const struct vectors *c, int n_ant, int r, double *re, double *im)
{
    const int n = c->n_user;
    const double *const ar = c->Ar + (size_t)r * (size_t)n, *const ai = c->Ai + (size_t)r * (size_t)n;
    double sr = 0, si = 0;
    for (int i = 0; i < n; i++) {
        sr += ar[i] * c->xr[i] - ai[i] * c->xi[i];
        si += ar[i] * c->xi[i] + ai[i] * c->xr[i];
    }
    *re = c->inverse_z[r / n_ant] * sr;
    *im = c->inverse_z[r / n_ant] * si;
}

int vectors_user(vectors_t *c, enum vectors_rule rule, const struct vectors_csi *csi, int k, double *Vr, double *Vi)
{
    const int N = c->n_ant;
    const size_t size = (size_t)(c->all_aps * N) * sizeof *Vr;
    int at = 0;
    memset(Vr, 0, size);
    memset(Vi, 0, size);
    c->ap = c->aps + k * c->all_aps;
    c->n_ap = c->n_aps[k];
    c->user = c->neighbours + k * c->all_users;
    c->n_user = c->n_neighbours[k];
    if (c->n_ap == 0) {
        return 0;
    }
    while (c->user[at] != k) {
        at++;
    }
    gather(c, csi, rule == VECTORS_PMMSE);
    solve_unit(c, at);
    for (int r = 0; r < c->n_ap * N; r++) {
        const int to = c->ap[r / N] * N + r % N;
        row_times(c, N, r, &Vr[to], &Vi[to]);
    }
    return c->n_user;
}

int vectors_local(vectors_t *c, const struct vectors_csi *csi, int ap, double *Vr, double *Vi)
{
    const int N = c->n_ant, K = c->all_users;
    memset(Vr, 0, (size_t)(N * K) * sizeof *Vr);
    memset(Vi, 0, (size_t)(N * K) * sizeof *Vi);
    c->n_ap = 1;
    c->ap = &ap;
    c->user = c->users + ap * K;
    c->n_user = c->n_users[ap];
    if (c->n_user > 0) {
        gather(c, csi, 1);
    }
    for (int i = 0; i < c->n_user; i++) {
        solve_unit(c, i);
        for (int a = 0; a < N; a++) {
            row_times(c, N, a, &Vr[a * K + c->user[i]], &Vi[a * K + c->user[i]]);
        }
    }
    c->ap = NULL;
    return c->n_user;
}

double vectors_sinr(const vectors_t *c, const struct vectors_csi *csi, int k, const double *Vr, const double *Vi)
{
    const int N = c->n_ant, K = c->all_users;
    double own = 0, others = 0;
    for (int i = 0; i < K; i++) {
        double re = 0, im = 0; /* v^H ghat_i, and v's energy times the error of user i */
        for (int r = 0; r < c->all_aps * N; r++) {
            const double energy = Vr[r] * Vr[r] + Vi[r] * Vi[r];
            const size_t from = (size_t)r * (size_t)K + (size_t)i;
            re += Vr[r] * csi->Gr[from] + Vi[r] * csi->Gi[from];
            im += Vr[r] * csi->Gi[from] - Vi[r] * csi->Gr[from];
            others += energy * ((i == 0) + csi->error[r / N * K + i]);
        }
        *(i == k ? &own : &others) += re * re + im * im;
    }
    return others > 0 ? own / others : 0;
}
