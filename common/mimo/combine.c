/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/combine.h"

#include "base/error.h"
#include "linalg/cmplx.h"
#include "linalg/small.h"

#include <stdlib.h>
#include <string.h>

struct combine {
    int n_ue;
    enum combine_kind kind;
    double *gram;  /* [2][n_ue][n_ue] sum of w Ghat^H Ghat, real and imaginary parts */
    double *noise; /* the same of w^2 z Ghat^H Ghat: what v_k turns noise and errors into */
    double *one;   /* of one AP */
    double *work, *T;
    double complex *product; /* [n_ue][n_ue] */
    double complex *g;       /* [n_ue][n_ue] of the last solve: v_k^H ghat_i */
    double *f;               /* [n_ue] likewise: sum_l z_l ||v_lk||^2 */
};

int combine_create(combine_t **combine, int n_ue)
{
    combine_t *const c = *combine = calloc(1, sizeof *c);
    if (!c) {
        return error_set(TUTTI_ENOMEM, "no memory for the combining of %d users", n_ue);
    }
    const size_t n = 2 * (size_t)n_ue * (size_t)n_ue;
    *c = (struct combine){.n_ue = n_ue,
                          .gram = calloc(n, sizeof(double)),
                          .noise = calloc(n, sizeof(double)),
                          .one = calloc(n, sizeof(double)),
                          .work = calloc(n, sizeof(double)),
                          .T = calloc(n, sizeof(double)),
                          .product = calloc(n, sizeof(double complex)),
                          .g = calloc(n, sizeof(double complex)),
                          .f = calloc((size_t)n_ue, sizeof(double))};
    const bool ok = c->gram && c->noise && c->one && c->work && c->T && c->product && c->g && c->f;
    return ok ? 0 : error_set(TUTTI_ENOMEM, "no memory for the combining of %d users", n_ue);
}

void combine_destroy(combine_t *combine)
{
    if (combine) {
        free(combine->gram);
        free(combine->noise);
        free(combine->one);
        free(combine->work);
        free(combine->T);
        free(combine->product);
        free(combine->g);
        free(combine->f);
        free(combine);
    }
}

void combine_users(combine_t *combine, int n_ue)
{
    combine->n_ue = n_ue;
}

double combine_noise(int n_ue, const float *e)
{
    double z = 1;
    for (int k = 0; k < n_ue; k++) {
        z += (double)e[k];
    }
    return z;
}

double combine_weight(enum combine_kind kind, double z)
{
    return kind == COMBINE_MMSE ? 1 / z : 1;
}

void combine_begin(combine_t *combine, enum combine_kind kind)
{
    const size_t n = 2 * (size_t)combine->n_ue * (size_t)combine->n_ue;
    combine->kind = kind;
    memset(combine->gram, 0, n * sizeof(double));
    memset(combine->noise, 0, n * sizeof(double));
}

/* one = G^H G. */
static void gram_of(combine_t *c, int n_ant, const tutti_cf32 *G)
{
    const size_t k_max = (size_t)c->n_ue;
    double *const re = c->one, *const im = c->one + k_max * k_max;
    memset(re, 0, 2 * k_max * k_max * sizeof(double));
    for (int n = 0; n < n_ant; n++) {
        const tutti_cf32 *const row = G + (size_t)n * k_max;
        for (size_t k = 0; k < k_max; k++) {
            const double a = (double)crealf(row[k]), b = (double)cimagf(row[k]);
            for (size_t i = 0; i < k_max; i++) {
                const double p = (double)crealf(row[i]), q = (double)cimagf(row[i]);
                re[k * k_max + i] += a * p + b * q;
                im[k * k_max + i] += a * q - b * p;
            }
        }
    }
}

void combine_add(combine_t *c, int n_ant, const tutti_cf32 *G, double z)
{
    const double w = combine_weight(c->kind, z);
    const size_t n = 2 * (size_t)c->n_ue * (size_t)c->n_ue;
    gram_of(c, n_ant, G);
    for (size_t i = 0; i < n; i++) {
        c->gram[i] += w * c->one[i];
        c->noise[i] += w * w * z * c->one[i];
    }
}

/* T = (load I + A)^-1; nonzero when that is singular to working precision. */
static int invert(combine_t *c, const double *A, double load)
{
    const size_t k_max = (size_t)c->n_ue, n = k_max * k_max;
    double largest = 0;
    memcpy(c->work, A, 2 * n * sizeof(double));
    for (size_t k = 0; k < k_max; k++) {
        double *const diagonal = c->work + k * k_max + k;
        *diagonal += load;
        largest = *diagonal > largest ? *diagonal : largest;
    }
    if (small_cholesky(c->n_ue, c->work, c->work + n, 1e-13 * largest)) {
        return TUTTI_ENUMERIC;
    }
    small_lower_inverse(c->n_ue, c->work, c->work + n, c->one, c->one + n);
    small_lower_square(c->n_ue, c->one, c->one + n, c->T, c->T + n);
    return 0;
}

static int solve_filter(combine_t *c)
{
    const size_t k_max = (size_t)c->n_ue;
    switch (c->kind) {
    case COMBINE_ZF:
        if (invert(c, c->gram, 0)) {
            invert(c, c->gram, 1);
            return error_set(TUTTI_ENUMERIC, "users cannot be told apart by zero-forcing: regularised");
        }
        return 0;
    case COMBINE_MR:
        memset(c->T, 0, 2 * k_max * k_max * sizeof(double));
        for (size_t k = 0; k < k_max; k++) {
            c->T[k * k_max + k] = 1;
        }
        return 0;
    case COMBINE_MMSE:
    default:
        return invert(c, c->gram, 1);
    }
}

/* product = T A, A split, T as solved. */
static void multiply(combine_t *c, const double complex *T, const double *A)
{
    const size_t k_max = (size_t)c->n_ue, n = k_max * k_max;
    for (size_t k = 0; k < k_max; k++) {
        for (size_t i = 0; i < k_max; i++) {
            double complex sum = 0;
            for (size_t j = 0; j < k_max; j++) {
                sum += cmplx_product_double(T[k * k_max + j], CMPLX(A[j * k_max + i], A[n + j * k_max + i]));
            }
            c->product[k * k_max + i] = sum;
        }
    }
}

static double power_of(double complex x)
{
    return creal(x) * creal(x) + cimag(x) * cimag(x);
}

int combine_solve(combine_t *c, double complex *T, double *gain, double *sinr)
{
    const size_t k_max = (size_t)c->n_ue, n = k_max * k_max;
    const int status = solve_filter(c);
    for (size_t i = 0; i < n; i++) {
        T[i] = CMPLX(c->T[i], c->T[n + i]);
    }
    /* v_k^H ghat_i = (T C)_ki, as T is Hermitian */
    multiply(c, T, c->gram);
    memcpy(c->g, c->product, n * sizeof *c->g);
    for (size_t k = 0; k < k_max; k++) {
        gain[k] = creal(c->product[k * k_max + k]);
        sinr[k] = 0;
        for (size_t i = 0; i < k_max; i++) {
            sinr[k] += i == k ? 0 : power_of(c->product[k * k_max + i]);
        }
    }
    multiply(c, T, c->noise);
    for (size_t k = 0; k < k_max; k++) {
        double complex noise = 0; /* e_k^T T N T e_k */
        for (size_t i = 0; i < k_max; i++) {
            noise += cmplx_product_double(c->product[k * k_max + i], T[i * k_max + k]);
        }
        c->f[k] = creal(noise);
        const double all = sinr[k] + c->f[k];
        sinr[k] = all > 0 ? gain[k] * gain[k] / all : 0;
    }
    return status;
}

void combine_part(const combine_t *c, int k, double complex *g, double *f)
{
    const double complex *const row = c->g + (size_t)k * (size_t)c->n_ue;
    const double gain = creal(row[k]);
    for (int i = 0; i < c->n_ue; i++) {
        g[i] = gain > 0 ? row[i] / gain : 0;
    }
    *f = gain > 0 ? c->f[k] / (gain * gain) : 0;
}

static bool is_served(const bool *serves, size_t k)
{
    return !serves || serves[k];
}

/* V = Ghat_D (z_D I + Ghat_D^H Ghat_D)^-1 with only the served users in the Gram matrix. */
static int local_mmse(combine_t *c, int n_ant, const tutti_cf32 *G, const float *e, const bool *serves, tutti_cf32 *V)
{
    const size_t k_max = (size_t)c->n_ue, n = k_max * k_max;
    double load = 1;
    gram_of(c, n_ant, G);
    for (size_t k = 0; k < k_max; k++) {
        load += is_served(serves, k) ? (double)e[k] : 0;
        for (size_t i = 0; i < k_max; i++) {
            if (!is_served(serves, k) || !is_served(serves, i)) {
                c->one[k * k_max + i] = c->one[n + k * k_max + i] = 0;
            }
        }
    }
    memcpy(c->gram, c->one, 2 * n * sizeof(double));
    const int status = invert(c, c->gram, load);
    for (size_t a = 0; a < (size_t)n_ant && !status; a++) {
        for (size_t k = 0; k < k_max; k++) {
            double complex sum = 0;
            for (size_t i = 0; i < k_max && is_served(serves, k); i++) {
                if (is_served(serves, i)) {
                    sum += cmplx_product_double((double complex)G[a * k_max + i],
                                                CMPLX(c->T[i * k_max + k], c->T[n + i * k_max + k]));
                }
            }
            V[a * k_max + k] = (tutti_cf32)sum;
        }
    }
    return status;
}

int combine_local(combine_t *c, enum combine_kind kind, int n_ant, const tutti_cf32 *G, const float *e,
                  const bool *serves, tutti_cf32 *V, double complex *g, double *f)
{
    const size_t k_max = (size_t)c->n_ue;
    const double z = combine_noise(c->n_ue, e);
    memset(V, 0, (size_t)n_ant * k_max * sizeof *V);
    const int status = kind == COMBINE_MR ? 0 : local_mmse(c, n_ant, G, e, serves, V);
    for (size_t k = 0; k < k_max; k++) {
        f[k] = 0;
        for (size_t i = 0; i < k_max; i++) {
            g[k * k_max + i] = 0;
        }
        for (size_t a = 0; a < (size_t)n_ant; a++) {
            if (kind == COMBINE_MR && is_served(serves, k)) {
                V[a * k_max + k] = G[a * k_max + k];
            }
            const double complex v = (double complex)V[a * k_max + k];
            f[k] += z * power_of(v);
            for (size_t i = 0; i < k_max; i++) {
                g[k * k_max + i] += cmplx_product_double(conj(v), (double complex)G[a * k_max + i]);
            }
        }
    }
    return status;
}
