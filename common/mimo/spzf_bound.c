/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Judging answers: the residual measure, and the proof that no phases can do better. */
#include "mimo/spzf_core.h"

#include <math.h>
#include <stdlib.h>

static double largest_part(int n, const double complex *h)
{
    double top = 0.0;
    for (int i = 0; i < n; i++) {
        top = fmax(top, fmax(fabs(creal(h[i])), fabs(cimag(h[i]))));
    }
    return top;
}

/* fmax drops NaN, so finiteness is looked at entry by entry. */
static bool finite_row(int n, const double complex *h)
{
    for (int i = 0; i < n; i++) {
        if (!isfinite(creal(h[i])) || !isfinite(cimag(h[i]))) {
            return false;
        }
    }
    return true;
}

double spzf_check(int n_user, int n_ant, const double complex *H, const double complex *beam)
{
    double worst = 0.0;
    if (!finite_row(n_ant, beam)) {
        return INFINITY;
    }
    for (int k = 0; k < n_user; k++) {
        const double complex *h = H + (size_t)k * (size_t)n_ant;
        double scale = largest_part(n_ant, h), re = 0.0, im = 0.0, l1 = 0.0;
        if (!finite_row(n_ant, h)) {
            return INFINITY;
        }
        for (int n = 0; n < n_ant && scale > 0.0; n++) {
            double a = creal(h[n]) / scale, b = cimag(h[n]) / scale, c = creal(beam[n]), d = cimag(beam[n]);
            re += a * c - b * d;
            im += a * d + b * c;
            l1 += hypot(a, b);
        }
        worst = fmax(worst, l1 > 0.0 ? hypot(re, im) / l1 : 0.0);
    }
    return worst;
}

void spzf_phases(int n_ant, const double complex *beam, double *theta)
{
    for (int n = 0; n < n_ant; n++) {
        theta[n] = atan2(cimag(beam[n]), creal(beam[n]));
    }
}

int spzf_scale_rows(int n_user, int n_ant, const double complex *H, double *re, double *im)
{
    int kept = 0;
    for (int k = 0; k < n_user; k++) {
        const double complex *h = H + (size_t)k * (size_t)n_ant;
        double *row_re = re + (size_t)kept * (size_t)n_ant, *row_im = im + (size_t)kept * (size_t)n_ant;
        double top = 0.0, poison = 0.0, l1 = 0.0;
        for (int n = 0; n < n_ant; n++) {
            double a = fabs(creal(h[n])), b = fabs(cimag(h[n]));
            top = spzf_larger(spzf_larger(a, b), top);
            poison += a * 0.0 + b * 0.0; /* NaN as soon as one entry is not finite */
        }
        if (poison != 0.0) {
            return -1;
        }
        if (top <= 0.0) {
            continue;
        }
        /* The reciprocal of a subnormal overflows; two steps do not. */
        double first = top < 1e-300 ? 0x1p+1000 : 1.0, second = 1.0 / (top * first);
        for (int n = 0; n < n_ant; n++) {
            row_re[n] = creal(h[n]) * first * second;
            row_im[n] = cimag(h[n]) * first * second;
            l1 += sqrt(row_re[n] * row_re[n] + row_im[n] * row_im[n]);
        }
        double unit = 1.0 / l1;
        for (int n = 0; n < n_ant; n++) {
            row_re[n] *= unit;
            row_im[n] *= unit;
        }
        kept++;
    }
    return kept;
}

/* Certificate ------------------------------------------------------------------------------------------------------ */

enum { N_GRID_POLAR = 9, N_GRID_AZIMUTH = 16, N_RANDOM = 128, N_REFINE = 160 };

struct combination {
    double re[SPZF_MAX_USER], im[SPZF_MAX_USER];
};

/* sum_n (a^T G)_n b_n = 0 is implied by the K equations. If one |(a^T G)_n| exceeds all others together, by d, then
 * some row misses zero by at least d / sum_k |a_k|. */
static double margin(const struct spzf_rows *g, const struct combination *a)
{
    double sum = 0.0, top = 0.0, weight = 0.0;
    for (int n = 0; n < g->n_ant; n++) {
        double re = 0.0, im = 0.0;
        for (int k = 0; k < g->n_user; k++) {
            size_t at = (size_t)k * (size_t)g->n_ant + (size_t)n;
            re += a->re[k] * g->re[at] - a->im[k] * g->im[at];
            im += a->re[k] * g->im[at] + a->im[k] * g->re[at];
        }
        double r = sqrt(re * re + im * im);
        sum += r;
        top = spzf_larger(top, r);
    }
    for (int k = 0; k < g->n_user; k++) {
        weight += sqrt(a->re[k] * a->re[k] + a->im[k] * a->im[k]);
    }
    return weight > 0.0 ? (2.0 * top - sum) / weight : -1.0;
}

static void keep_better(const struct spzf_rows *g, const struct combination *a, struct combination *best, double *value)
{
    double m = margin(g, a);
    if (m > *value) {
        *value = m;
        *best = *a;
    }
}

/* Single rows; combinations that make one antenna vanish from two neighbouring rows; the one that favours it most. */
static void try_columns(const struct spzf_rows *g, struct combination *best, double *value)
{
    for (int k = 0; k < g->n_user; k++) {
        struct combination a = {{0}, {0}};
        a.re[k] = 1.0;
        keep_better(g, &a, best, value);
    }
    for (int n = 0; n < g->n_ant; n++) {
        struct combination favour = {{0}, {0}};
        for (int k = 0; k < g->n_user; k++) {
            size_t at = (size_t)k * (size_t)g->n_ant + (size_t)n, next = at + (size_t)g->n_ant;
            favour.re[k] = g->re[at];
            favour.im[k] = -g->im[at];
            if (k + 1 == g->n_user) {
                continue;
            }
            struct combination a = {{0}, {0}};
            a.re[k] = g->re[next];
            a.im[k] = g->im[next];
            a.re[k + 1] = -g->re[at];
            a.im[k + 1] = -g->im[at];
            keep_better(g, &a, best, value);
        }
        keep_better(g, &favour, best, value);
    }
}

/* Two rows: a = (cos t, sin t e^{jp}) covers the sphere evenly enough. More rows: random directions. */
static void try_directions(const struct spzf_rows *g, struct splitmix *rng, struct combination *best, double *value)
{
    struct combination a = {{0}, {0}};
    if (g->n_user == 2) {
        for (int i = 1; i < N_GRID_POLAR; i++) {
            for (int j = 0; j < N_GRID_AZIMUTH; j++) {
                double t = M_PI_2 * i / N_GRID_POLAR, p = 2.0 * M_PI * j / N_GRID_AZIMUTH;
                a.re[0] = cos(t);
                a.re[1] = sin(t) * cos(p);
                a.im[1] = sin(t) * sin(p);
                keep_better(g, &a, best, value);
            }
        }
        return;
    }
    for (int i = 0; i < N_RANDOM; i++) {
        for (int k = 0; k < g->n_user; k++) {
            splitmix_normal(rng, &a.re[k], &a.im[k]);
        }
        keep_better(g, &a, best, value);
    }
}

static void refine(const struct spzf_rows *g, struct splitmix *rng, struct combination *best, double *value)
{
    double size = 0.0;
    for (int k = 0; k < g->n_user; k++) {
        size += best->re[k] * best->re[k] + best->im[k] * best->im[k];
    }
    double radius = 0.3 * sqrt(size / g->n_user);
    for (int i = 0; i < N_REFINE; i++) {
        struct combination a = *best;
        double before = *value;
        for (int k = 0; k < g->n_user; k++) {
            double re, im;
            splitmix_normal(rng, &re, &im);
            a.re[k] += radius * re;
            a.im[k] += radius * im;
        }
        keep_better(g, &a, best, value);
        radius *= *value > before ? 1.5 : 0.93;
    }
}

double spzf_rows_bound(const struct spzf_rows *g)
{
    struct splitmix rng = splitmix_make(1, 0); /* fixed: the bound is a function of the channel alone */
    struct combination best = {{0}, {0}};
    double value = -1.0;
    if (g->n_user < 1) {
        return 0.0;
    }
    try_columns(g, &best, &value);
    if (g->n_user > 1) {
        try_directions(g, &rng, &best, &value);
        refine(g, &rng, &best, &value);
    }
    /* Less what rounding can fake. */
    return value > SPZF_RESIDUAL_LIMIT ? value * (1.0 - 1e-12) : 0.0;
}

double spzf_residual_bound(int n_user, int n_ant, const double complex *H)
{
    if (n_user < 1 || n_user > SPZF_MAX_USER || n_ant < 1) {
        return 0.0;
    }
    size_t n = (size_t)n_user * (size_t)n_ant;
    double *rows = malloc(2 * n * sizeof(*rows)), bound = 0.0;
    if (!rows) {
        return 0.0;
    }
    int kept = spzf_scale_rows(n_user, n_ant, H, rows, rows + n);
    if (kept > 0) {
        bound = spzf_rows_bound(&(struct spzf_rows){kept, n_ant, rows, rows + n});
    }
    free(rows);
    return bound;
}
