/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numerical phase-only zero-forcing, which [Hong 2025] has not: damped Gauss-Newton on the phases. */
#include "base/clock.h"
#include "base/error.h"
#include "mimo/spzf_core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ITERATIONS = 60, MAX_DAMPINGS = 12 };

static const double norm_goal = 1e-15, pinv_rcond = 1e-10;

int spzf_lm_init(struct spzf_lm *lm, int n_user, int n_ant)
{
    size_t k = (size_t)n_user, n = (size_t)n_ant;
    lm->z_re = calloc(k * n, sizeof(double));
    lm->z_im = calloc(k * n, sizeof(double));
    lm->gram = calloc(4 * k * k, sizeof(double));
    lm->factor = calloc(4 * k * k, sizeof(double));
    lm->f = calloc(2 * k, sizeof(double));
    lm->y = calloc(2 * k, sizeof(double));
    lm->trial_re = calloc(n, sizeof(double));
    lm->trial_im = calloc(n, sizeof(double));
    lm->pivot = calloc(2 * k, sizeof(int));
    bool ok =
        lm->z_re && lm->z_im && lm->gram && lm->factor && lm->f && lm->y && lm->trial_re && lm->trial_im && lm->pivot;
    return ok ? 0 : TUTTI_ENOMEM;
}

void spzf_lm_free(struct spzf_lm *lm)
{
    free(lm->z_re);
    free(lm->z_im);
    free(lm->gram);
    free(lm->factor);
    free(lm->f);
    free(lm->y);
    free(lm->trial_re);
    free(lm->trial_im);
    free(lm->pivot);
}

void spzf_limit_begin(struct spzf_limit *limit)
{
    limit->over = false;
    limit->last_ns = limit->deadline_ns ? clock_mono_ns() : 0;
}

bool spzf_limit_reached(struct spzf_limit *limit)
{
    if (!limit->deadline_ns || limit->over) {
        return limit->over;
    }
    const uint64_t now_ns = clock_mono_ns(), took_ns = now_ns - limit->last_ns;
    limit->last_ns = now_ns;
    limit->over = now_ns + took_ns + took_ns / 2 >= limit->deadline_ns;
    return limit->over;
}

/* Two accumulators each: the additions are the critical path. */
static void row_sum(int n, const double *g_re, const double *g_im, const double *b_re, const double *b_im, double *re,
                    double *im)
{
    double s[4] = {0.0, 0.0, 0.0, 0.0};
    int i = 0;
    for (; i + 1 < n; i += 2) {
        s[0] += g_re[i] * b_re[i] - g_im[i] * b_im[i];
        s[1] += g_re[i] * b_im[i] + g_im[i] * b_re[i];
        s[2] += g_re[i + 1] * b_re[i + 1] - g_im[i + 1] * b_im[i + 1];
        s[3] += g_re[i + 1] * b_im[i + 1] + g_im[i + 1] * b_re[i + 1];
    }
    if (i < n) {
        s[0] += g_re[i] * b_re[i] - g_im[i] * b_im[i];
        s[1] += g_re[i] * b_im[i] + g_im[i] * b_re[i];
    }
    *re = s[0] + s[2];
    *im = s[1] + s[3];
}

double spzf_rows_check(const struct spzf_rows *g, const double *b_re, const double *b_im)
{
    double worst = 0.0;
    for (int k = 0; k < g->n_user; k++) {
        size_t row = (size_t)k * (size_t)g->n_ant;
        double re, im;
        row_sum(g->n_ant, g->re + row, g->im + row, b_re, b_im, &re, &im);
        worst = spzf_larger(worst, re * re + im * im);
    }
    return sqrt(worst);
}

/* f = [Re; Im] interleaved per user; returns its norm. */
static double residuals(const struct spzf_rows *g, const double *b_re, const double *b_im, double *f)
{
    double norm2 = 0.0;
    for (int k = 0; k < g->n_user; k++) {
        size_t row = (size_t)k * (size_t)g->n_ant;
        row_sum(g->n_ant, g->re + row, g->im + row, b_re, b_im, &f[2 * k], &f[2 * k + 1]);
        norm2 += f[2 * k] * f[2 * k] + f[2 * k + 1] * f[2 * k + 1];
    }
    return sqrt(norm2);
}

static void rotate_rows(struct spzf_lm *lm, const struct spzf_rows *g, const double *b_re, const double *b_im)
{
    for (int k = 0; k < g->n_user; k++) {
        size_t row = (size_t)k * (size_t)g->n_ant;
        const double *g_re = g->re + row, *g_im = g->im + row;
        double *z_re = lm->z_re + row, *z_im = lm->z_im + row;
        for (int n = 0; n < g->n_ant; n++) {
            z_re[n] = g_re[n] * b_re[n] - g_im[n] * b_im[n];
            z_im[n] = g_re[n] * b_im[n] + g_im[n] * b_re[n];
        }
    }
}

/* gram = J J^T with J rows (-Im z_k, Re z_k); the lower triangle. Returns its mean diagonal. */
static double build_gram(struct spzf_lm *lm, const struct spzf_rows *g)
{
    int m = 2 * g->n_user;
    double trace = 0.0;
    for (int k = 0; k < g->n_user; k++) {
        const double *a_re = lm->z_re + (size_t)k * (size_t)g->n_ant, *a_im = lm->z_im + (size_t)k * (size_t)g->n_ant;
        for (int l = 0; l <= k; l++) {
            const double *c_re = lm->z_re + (size_t)l * (size_t)g->n_ant,
                         *c_im = lm->z_im + (size_t)l * (size_t)g->n_ant;
            double rr = 0.0, ri = 0.0, ir = 0.0, ii = 0.0;
            for (int n = 0; n < g->n_ant; n++) {
                rr += a_re[n] * c_re[n];
                ri += a_re[n] * c_im[n];
                ir += a_im[n] * c_re[n];
                ii += a_im[n] * c_im[n];
            }
            lm->gram[2 * k * m + 2 * l] = ii;
            lm->gram[2 * k * m + 2 * l + 1] = -ir;
            lm->gram[(2 * k + 1) * m + 2 * l] = -ri;
            lm->gram[(2 * k + 1) * m + 2 * l + 1] = rr;
        }
        trace += lm->gram[2 * k * m + 2 * k] + lm->gram[(2 * k + 1) * m + 2 * k + 1];
    }
    return trace / m;
}

/* y = (gram + ridge I)^{-1} f by Cholesky; false if not positive definite. */
static bool solve_ridge(struct spzf_lm *lm, int m, double ridge)
{
    double *l = lm->factor, *y = lm->y;
    for (int i = 0; i < m; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = lm->gram[i * m + j] + (i == j ? ridge : 0.0);
            for (int k = 0; k < j; k++) {
                sum -= l[i * m + k] * l[j * m + k];
            }
            if (i != j) {
                l[i * m + j] = sum * l[j * m + j];
            } else if (sum > 0.0) {
                l[i * m + i] = 1.0 / sqrt(sum); /* the reciprocal */
            } else {
                return false;
            }
        }
    }
    for (int i = 0; i < m; i++) {
        double sum = lm->f[i];
        for (int k = 0; k < i; k++) {
            sum -= l[i * m + k] * y[k];
        }
        y[i] = sum * l[i * m + i];
    }
    for (int i = m - 1; i >= 0; i--) {
        double sum = y[i];
        for (int k = i + 1; k < m; k++) {
            sum -= l[k * m + i] * y[k];
        }
        y[i] = sum * l[i * m + i];
    }
    return true;
}

/* trial = b exp(j delta), delta = -J^T y. */
static void step(struct spzf_lm *lm, const struct spzf_rows *g, const double *b_re, const double *b_im)
{
    for (int n = 0; n < g->n_ant; n++) {
        double delta = 0.0;
        for (int k = 0; k < g->n_user; k++) {
            size_t at = (size_t)k * (size_t)g->n_ant + (size_t)n;
            delta += lm->z_im[at] * lm->y[2 * k] - lm->z_re[at] * lm->y[2 * k + 1];
        }
        double s, c;
        sincos(delta, &s, &c);
        double re = b_re[n] * c - b_im[n] * s, im = b_re[n] * s + b_im[n] * c;
        double unit = 1.5 - 0.5 * (re * re + im * im); /* one Newton step to modulus 1 */
        lm->trial_re[n] = re * unit;
        lm->trial_im[n] = im * unit;
    }
}

static void accept(const struct spzf_lm *lm, int n_ant, double *b_re, double *b_im)
{
    memcpy(b_re, lm->trial_re, (size_t)n_ant * sizeof(double));
    memcpy(b_im, lm->trial_im, (size_t)n_ant * sizeof(double));
}

void spzf_lm_solve(struct spzf_lm *lm, const struct spzf_rows *g, double *b_re, double *b_im, int *iterations)
{
    int m = 2 * g->n_user;
    double lambda = 1e-3, norm = residuals(g, b_re, b_im, lm->f);
    for (int i = 0; i < MAX_ITERATIONS && norm > norm_goal && !spzf_limit_reached(&lm->limit); i++) {
        ++*iterations;
        rotate_rows(lm, g, b_re, b_im);
        double mean = build_gram(lm, g);
        bool fell = false;
        for (int t = 0; t < MAX_DAMPINGS && !fell; t++) {
            if (solve_ridge(lm, m, lambda * mean)) {
                step(lm, g, b_re, b_im);
                /* y has done its work, so it can hold the trial's residuals */
                double trial = residuals(g, lm->trial_re, lm->trial_im, lm->y);
                fell = trial < norm;
                norm = fell ? trial : norm;
            }
            lambda = fell ? lambda * 0.1 : lambda * 10.0;
        }
        if (!fell) {
            return;
        }
        memcpy(lm->f, lm->y, (size_t)m * sizeof(double));
        accept(lm, g->n_ant, b_re, b_im);
    }
}

static void swap_symmetric(double *a, int m, int i, int j)
{
    for (int k = 0; k < m; k++) {
        double t = a[i * m + k];
        a[i * m + k] = a[j * m + k];
        a[j * m + k] = t;
    }
    for (int k = 0; k < m; k++) {
        double t = a[k * m + i];
        a[k * m + i] = a[k * m + j];
        a[k * m + j] = t;
    }
}

/* y = gram^+ f for a possibly singular but consistent system: elimination with diagonal pivots, equations whose pivot
 * falls under pinv_rcond of the first are implied by the others and left out. */
static void solve_pinv(struct spzf_lm *lm, int m)
{
    double *a = lm->factor, *y = lm->y;
    int *pivot = lm->pivot, rank = 0;
    for (int i = 0; i < m; i++) {
        pivot[i] = i;
        for (int j = 0; j < m; j++) {
            a[i * m + j] = lm->gram[i >= j ? i * m + j : j * m + i];
        }
    }
    double first = 0.0, reduced[2 * SPZF_MAX_USER];
    for (int i = 0; i < m; i++) {
        reduced[i] = lm->f[i];
    }
    for (; rank < m; rank++) {
        int best = rank;
        for (int i = rank + 1; i < m; i++) {
            best = a[i * m + i] > a[best * m + best] ? i : best;
        }
        swap_symmetric(a, m, rank, best);
        double t = reduced[rank];
        reduced[rank] = reduced[best];
        reduced[best] = t;
        int p = pivot[rank];
        pivot[rank] = pivot[best];
        pivot[best] = p;
        double diagonal = a[rank * m + rank];
        first = rank == 0 ? diagonal : first;
        if (!(diagonal > pinv_rcond * first) || diagonal <= 0.0) {
            break;
        }
        for (int i = rank + 1; i < m; i++) {
            double ratio = a[i * m + rank] / diagonal;
            for (int j = rank + 1; j < m; j++) {
                a[i * m + j] -= ratio * a[rank * m + j];
            }
            reduced[i] -= ratio * reduced[rank];
        }
    }
    memset(y, 0, (size_t)m * sizeof(*y));
    for (int i = rank - 1; i >= 0; i--) {
        double sum = reduced[i];
        for (int j = i + 1; j < rank; j++) {
            sum -= a[i * m + j] * y[pivot[j]];
        }
        y[pivot[i]] = sum / a[i * m + i];
    }
}

void spzf_lm_polish(struct spzf_lm *lm, const struct spzf_rows *g, double *b_re, double *b_im)
{
    double norm = residuals(g, b_re, b_im, lm->f);
    for (int i = 0; i < 2 && norm > norm_goal; i++) {
        rotate_rows(lm, g, b_re, b_im);
        build_gram(lm, g);
        solve_pinv(lm, 2 * g->n_user);
        step(lm, g, b_re, b_im);
        double trial = residuals(g, lm->trial_re, lm->trial_im, lm->f);
        if (!(trial < norm)) {
            return;
        }
        norm = trial;
        accept(lm, g->n_ant, b_re, b_im);
    }
}
