/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Included by symbol_lanes_<variant>.c with LANES_OPS, LANES_NAME and LANES_BYTES, the width of its registers. */
#include "rlspa/symbol_lanes.h"

#include <string.h>

enum { LANES = LANES_BYTES / 8 };
_Static_assert((int)LANES <= (int)SYMBOL_LANES_MAX, "width of a variant");

typedef double vec __attribute__((vector_size(LANES_BYTES)));
typedef long long vec_mask __attribute__((vector_size(LANES_BYTES)));

static inline vec load(const double *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(double *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

static inline vec least(vec a, vec b)
{
    const vec_mask below = a < b;
    return (vec)((below & (vec_mask)a) | (~below & (vec_mask)b));
}

/* p_i = Re(conj(x_i) sum_j conj(B_ji) x_j). */
static void right_side(int n, const struct split *B, const struct split *x, double *p)
{
    for (int i = 0; i < n; i++) {
        vec re = {0}, im = {0};
        for (int j = 0; j < n; j++) {
            const double br = B->re[j * n + i], bi = B->im[j * n + i];
            const vec xr = load(x->re + j * LANES), xi = load(x->im + j * LANES);
            re += br * xr + bi * xi;
            im += br * xi - bi * xr;
        }
        store(p + i * LANES, load(x->re + i * LANES) * re + load(x->im + i * LANES) * im);
    }
}

/* Lower triangle of N; returns its largest diagonal entry (by the negated smallest of the negated). */
static vec normal_matrix(int n, const struct split *Q, const struct split *x, const double *lambda, double *N)
{
    vec most = {0};
    for (int i = 0; i < n; i++) {
        const vec xr = load(x->re + i * LANES), xi = load(x->im + i * LANES);
        for (int j = 0; j <= i; j++) { /* conj(x_i) x_j Q_ij */
            const vec yr = load(x->re + j * LANES), yi = load(x->im + j * LANES);
            vec v = Q->re[i * n + j] * (xr * yr + xi * yi) - Q->im[i * n + j] * (xr * yi - xi * yr);
            v += i == j ? load(lambda) : (vec){0};
            store(N + (i * n + j) * LANES, v);
            most = i == j ? -least(-most, -v) : most;
        }
    }
    return most;
}

/* N = L D L^T: row i of the lower triangle becomes L_ij D_j, rows before it hold L (column j scaled by 1 / D_j only on
 * use); inverse pivots on the diagonal. Returns the smallest pivot. */
static vec factor(int n, double *N)
{
    vec smallest = load(N);
    for (int i = 0; i < n; i++) {
        double *const row = N + (ptrdiff_t)i * n * LANES;
        vec d = load(row + i * LANES);
        for (int j = 0; j < i; j++) {
            const double *const other = N + (ptrdiff_t)j * n * LANES;
            vec a = load(row + j * LANES), b = {0};
            int k = 0;
            for (; k + 1 < j; k += 2) { /* two sums, so that one need not wait for the other */
                a -= load(row + k * LANES) * load(other + k * LANES);
                b += load(row + (k + 1) * LANES) * load(other + (k + 1) * LANES);
            }
            if (k < j) {
                a -= load(row + k * LANES) * load(other + k * LANES);
            }
            store(row + j * LANES, a - b);
        }
        for (int j = 0; j < i; j++) { /* from L_ij D_j to L_ij, the pivot on the way */
            const vec ld = load(row + j * LANES), l = ld * load(N + ((ptrdiff_t)j * n + j) * LANES);
            d -= ld * l;
            store(row + j * LANES, l);
        }
        smallest = least(d, smallest);
        store(row + i * LANES, 1 / d);
    }
    return smallest;
}

static void substitute(int n, const double *N, double *p)
{
    for (int i = 0; i < n; i++) {
        vec v = load(p + i * LANES);
        for (int j = 0; j < i; j++) {
            v -= load(N + ((ptrdiff_t)i * n + j) * LANES) * load(p + j * LANES);
        }
        store(p + i * LANES, v);
    }
    for (int i = 0; i < n; i++) {
        store(p + i * LANES, load(p + i * LANES) * load(N + ((ptrdiff_t)i * n + i) * LANES));
    }
    for (int i = n - 1; i > 0; i--) {
        const vec v = load(p + i * LANES);
        for (int j = 0; j < i; j++) {
            store(p + j * LANES, load(p + j * LANES) - load(N + ((ptrdiff_t)i * n + j) * LANES) * v);
        }
    }
}

static void solve(int n, const struct split *B, const struct split *Q, const struct split *x, const double *lambda,
                  double *N, double *p, double *pivot)
{
    const vec most = normal_matrix(n, Q, x, lambda, N);
    right_side(n, B, x, p);
    store(pivot, factor(n, N) / most);
    substitute(n, N, p);
}

const struct symbol_lanes LANES_OPS = {LANES_NAME, LANES, solve};
