/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/block.h"

#include "rlspa/normal.h"

#include <math.h>
#include <string.h>

void block_ridge(enum block_ridge kind, const struct links *links, const struct block_error *error, const double *cx,
                 double *Lambda)
{
    const int n = links->n;
    double all = 0;
    for (int k = 0; k < n; k++) {
        all += links->w2[k] * (cx ? cx[k] : 1);
    }
    for (int k = 0; k < n; k++) {
        const double c = links->rho * (cx ? cx[k] : 1);
        switch (kind) {
        case BLOCK_NONE:
            Lambda[k] = 0;
            break;
        case BLOCK_LAM:
            Lambda[k] = links->rho * error->eps2 * all;
            break;
        case BLOCK_WC:
            Lambda[k] = c * error->eps2 * links->w2[k];
            break;
        case BLOCK_BAYES:
            Lambda[k] = c * error->power[k];
            break;
        case BLOCK_WIENER:
            Lambda[k] = c * error->power[k] + links->w2[k] * n * links->sigma2 / links->Pt;
            break;
        }
    }
}

void block_solve(const struct links *links, const double *Lambda, enum links_policy policy, double *p)
{
    const int n = links->n;
    for (int k = 0; k < n; k++) {
        double column = 0;
        for (int j = 0; j < n; j++) {
            const double re = links->B.re[j * n + k], im = links->B.im[j * n + k];
            column += re * re + im * im;
        }
        const double den = links->rho * column + Lambda[k];
        p[k] = den > 0 ? sqrt(links->rho) * links->B.re[k * n + k] / den : 0;
    }
    links_project(links, policy, p, 1);
}

void block_covariance(int n, int T, const struct split *X, struct split *Cx)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            double re = 0, im = 0;
            for (int t = 0; t < T; t++) { /* x_i conj(x_j) */
                re += X->re[i * T + t] * X->re[j * T + t] + X->im[i * T + t] * X->im[j * T + t];
                im += X->im[i * T + t] * X->re[j * T + t] - X->re[i * T + t] * X->im[j * T + t];
            }
            Cx->re[i * n + j] = re / T;
            Cx->im[i * n + j] = im / T;
        }
    }
}

size_t block_work(int n)
{
    return normal_work(n) + (size_t)n * (size_t)(3 * n + 1);
}

void block_solve_full(const struct links *links, const struct split *Cx, const double *Lambda, enum links_policy policy,
                      double *work, double *p)
{
    const int n = links->n;
    double *const Qr = work, *const Qi = Qr + n * n, *const N = Qi + n * n, *const r = N + n * n;
    const struct split Q = {Qr, Qi};
    normal_square(n, &links->B, &Q);
    for (int i = 0; i < n; i++) {
        double sum = 0; /* Re (B^H Cx)_ii */
        for (int j = 0; j < n; j++) {
            sum += links->B.re[j * n + i] * Cx->re[j * n + i] + links->B.im[j * n + i] * Cx->im[j * n + i];
            N[i * n + j] = links->rho * (Qr[i * n + j] * Cx->re[i * n + j] + Qi[i * n + j] * Cx->im[i * n + j]);
        }
        N[i * n + i] += Lambda[i];
        r[i] = sqrt(links->rho) * sum;
    }
    normal_solve(n, N, r, r + n, p);
    links_project(links, policy, p, 1);
}
