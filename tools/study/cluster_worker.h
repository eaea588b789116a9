/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drops of the study of user-centric clusters, the network of [Demir 2021]: access points and users uniform in a
 * wrapped square, urban microcell with shadowing, spatially correlated Rayleigh fading (Gaussian local scattering in
 * azimuth and elevation), fewer pilots than users, MMSE estimates. Units: receiver noise 1, a user's power inside the
 * channels. Matrices of one link are [n_ant][n_ant], row-major, split. */
#ifndef TUTTI_TOOLS_STUDY_CLUSTER_WORKER_H
#define TUTTI_TOOLS_STUDY_CLUSTER_WORKER_H

#include "cluster/vectors.h"
#include "mimo/fuse.h"
#include "tools/study/study.h"

enum { CLUSTER_MOST_ANT = 8, CLUSTER_MOST_UE = 40 };

struct cluster_matrices {
    double *re, *im;
};

struct cluster_worker {
    int L, N, K, T; /* access points, antennas of each, users, realisations of a drop */
    int n_pilot;
    double *storage, *gain;            /* [L][K] */
    struct cluster_matrices R;         /* [L][K] correlation; its lower factor once the estimator is made */
    struct cluster_matrices A, C;      /* [L][K] estimator, covariance of its error */
    struct cluster_matrices Z, white;  /* [L] I + sum of all C; inverse of its lower factor */
    struct cluster_matrices H, G, E;   /* [T][L][N][K] channels, estimates, estimates whitened by `white` */
    struct cluster_matrices own;       /* [L] as `white`, of whatever users */
    struct cluster_matrices X;         /* [L][N][K] estimates whitened by `own` */
    struct cluster_matrices V;         /* [L][N] a vector */
    double *zero;                      /* [L][K] no errors: they are in the whitening */
    double *work, *norm, *rho, *share; /* [L][K] and more */
    double *power;                     /* [T][K][K] |v_k^H h_i|^2 */
    int *pilot, *best, *aps;
    uint8_t *served, *all; /* [L][K] */
    vectors_t *vectors;
    fuse_t *fuse;
    double complex *g, *b, *Q, *part, *a, *whole,
        *wide; /* [L][K][K] at one realisation; [K][L], [K][L][L] twice; [L]; work [L][L], [L] */
};

int cluster_worker_open(const struct study_run *run, void **worker);
void cluster_worker_close(void *worker);
/* Places, gains, pilots, clusters without limit, estimators, and all realisations. */
void cluster_worker_draw(struct cluster_worker *w, const struct study_run *run, uint64_t drop);
/* Clusters of at most max_aps access points per user (0: no limit), into w->served. */
void cluster_worker_form(struct cluster_worker *w, int max_aps);
/* own[l] from the errors of the users listed. */
void cluster_worker_whiten(struct cluster_worker *w, int l, const int *users, int n_user);
/* to = M from, or from = M^H to, for matrix number i of M and column k of [n_ant][K]. */
void cluster_apply(const struct cluster_worker *w, const struct cluster_matrices *M, size_t i, const double *from_re,
                   const double *from_im, int stride, double *to_re, double *to_im);
void cluster_apply_back(const struct cluster_worker *w, const struct cluster_matrices *M, size_t i, double *re,
                        double *im);

static inline size_t cluster_at(const struct cluster_worker *w, int t, int l)
{
    return ((size_t)t * (size_t)w->L + (size_t)l) * (size_t)(w->N * w->K);
}

#endif
