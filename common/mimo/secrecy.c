/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/secrecy.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double complex cis(double angle)
{
    return __builtin_complex(cos(angle), sin(angle));
}

static double abs2(double complex z)
{
    return creal(z) * creal(z) + cimag(z) * cimag(z);
}

/* exp(-j arg h), arg(0) = 0. */
static double complex matched(double complex h)
{
    double r = hypot(creal(h), cimag(h));
    return r > 0.0 ? conj(h) / r : 1.0;
}

struct secrecy_rate secrecy_single_chain(int n_ant, int n_eve, const double complex *h, const double complex *He,
                                         const double complex *an, double rho)
{
    double power = rho / (2.0 * n_ant);
    double complex signal = 0.0, leak = 0.0, vu = 0.0;
    double uu = 0.0, vv = 0.0;
    for (int n = 0; n < n_ant; n++) {
        signal += h[n] * matched(h[n]);
        leak += h[n] * an[n];
    }
    for (int e = 0; e < n_eve; e++) {
        const double complex *row = He + (size_t)e * (size_t)n_ant;
        double complex u = 0.0, v = 0.0;
        for (int n = 0; n < n_ant; n++) {
            u += row[n] * matched(h[n]);
            v += row[n] * an[n];
        }
        uu += power * abs2(u);
        vv += power * abs2(v);
        vu += power * conj(v) * u;
    }
    struct secrecy_rate rate;
    rate.legit_bits = log2(1.0 + power * abs2(signal) / (1.0 + power * abs2(leak)));
    /* Both of Eve's covariances have rank one, so the determinant is a number. */
    rate.eve_bits = log2(1.0 + uu - abs2(vu) / (1.0 + vv));
    rate.rate_bits = fmax(0.0, rate.legit_bits - rate.eve_bits);
    return rate;
}

/* MISOME -------------------------------------------------------------------------------------------------------------
 */

/* Orthonormal columns q [*m][n]: adds the direction of v, if it has one of its own. Twice is enough for Gram-Schmidt.
 */
static void add_direction(int n, double complex *v, double complex *q, int *m)
{
    double before = 0.0, after = 0.0;
    for (int i = 0; i < n; i++) {
        before += abs2(v[i]);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int j = 0; j < *m; j++) {
            double complex dot = 0.0;
            for (int i = 0; i < n; i++) {
                dot += conj(q[j * n + i]) * v[i];
            }
            for (int i = 0; i < n; i++) {
                v[i] -= dot * q[j * n + i];
            }
        }
    }
    for (int i = 0; i < n; i++) {
        after += abs2(v[i]);
    }
    if (!(after > 1e-26 * before) || *m >= n) {
        return;
    }
    for (int i = 0; i < n; i++) {
        q[*m * n + i] = v[i] / sqrt(after);
    }
    ++*m;
}

/* rho c^H (s I + lambda rho B)^{-1} c with s = lambda - 1, by Cholesky in L [m][m], y [m]; infinite if not definite. */
static double gain(int m, const double complex *B, const double complex *c, double rho, double lambda,
                   double complex *L, double complex *y)
{
    double sum2 = 0.0;
    for (int i = 0; i < m; i++) {
        for (int j = 0; j <= i; j++) {
            double complex sum = lambda * rho * B[i * m + j] + (i == j ? lambda - 1.0 : 0.0);
            for (int k = 0; k < j; k++) {
                sum -= L[i * m + k] * conj(L[j * m + k]);
            }
            if (i != j) {
                L[i * m + j] = sum / creal(L[j * m + j]);
            } else if (creal(sum) > 0.0) {
                L[i * m + i] = sqrt(creal(sum));
            } else {
                return INFINITY;
            }
        }
        double complex rest = c[i];
        for (int k = 0; k < i; k++) {
            rest -= L[i * m + k] * y[k];
        }
        y[i] = rest / creal(L[i * m + i]);
        sum2 += abs2(y[i]);
    }
    return rho * sum2;
}

/* Outside the span of conj(h) and He^H the pencil's ratio is 1, so the largest generalised eigenvalue lives in those m
 * dimensions. There lambda (I + rho B) - I - rho c c^H loses definiteness exactly at lambda_max, that is where
 * gain(lambda) = 1; gain falls with lambda. */
static double bisect_bits(int m, const double complex *B, const double complex *c, double rho, double complex *L,
                          double complex *y)
{
    double h2 = 0.0;
    for (int i = 0; i < m; i++) {
        h2 += abs2(c[i]);
    }
    double low = 0.0, high = log2(1.0 + rho * h2);
    while (high - low > 1e-12 * (1.0 + high)) {
        double mid = 0.5 * (low + high);
        if (gain(m, B, c, rho, exp2(mid), L, y) > 1.0) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return 0.5 * (low + high);
}

int secrecy_misome_bits(int n_ant, int n_eve, const double complex *h, const double complex *He, double rho,
                        double *bits)
{
    int n = n_ant, m = 0, m_max = n_eve + 1 < n_ant ? n_eve + 1 : n_ant;
    size_t sn = (size_t)n, sm = (size_t)m_max, se = (size_t)n_eve;
    double complex *memory = calloc(sn * (sm + 1) + se * sm + 2 * sm * sm + 2 * sm, sizeof(*memory));
    if (!memory) {
        return error_set(TUTTI_ENOMEM, "secrecy: out of memory");
    }
    double complex *q = memory, *v = q + sn * sm, *heq = v + sn, *B = heq + se * sm, *L = B + sm * sm, *c = L + sm * sm,
                   *y = c + sm;
    for (int e = -1; e < n_eve; e++) {
        for (int i = 0; i < n; i++) {
            v[i] = conj(e < 0 ? h[i] : He[(size_t)e * sn + (size_t)i]);
        }
        if (m < m_max) {
            add_direction(n, v, q, &m);
        }
    }
    for (int j = 0; j < m; j++) {
        for (int i = 0; i < n; i++) {
            c[j] += conj(q[j * n + i]) * conj(h[i]);
        }
        for (int e = 0; e < n_eve; e++) {
            for (int i = 0; i < n; i++) {
                heq[(size_t)e * sm + (size_t)j] += He[(size_t)e * sn + (size_t)i] * q[j * n + i];
            }
        }
    }
    for (int e = 0; e < n_eve; e++) {
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < m; j++) {
                B[i * m + j] += conj(heq[(size_t)e * sm + (size_t)i]) * heq[(size_t)e * sm + (size_t)j];
            }
        }
    }
    *bits = bisect_bits(m, B, c, rho, L, y);
    free(memory);
    return 0;
}

/* Channels ------------------------------------------------------------------------------------------------------------
 */

void secrecy_rayleigh(struct splitmix *rng, int n_row, int n_ant, double complex *H)
{
    for (size_t i = 0; i < (size_t)n_row * (size_t)n_ant; i++) {
        double re, im;
        splitmix_normal(rng, &re, &im);
        H[i] = __builtin_complex(re, im);
    }
}

void secrecy_geometric(struct splitmix *rng, int n_row, int n_ant, int n_path, double spacing_wavelengths,
                       double complex *H)
{
    memset(H, 0, (size_t)n_row * (size_t)n_ant * sizeof(*H));
    for (int k = 0; k < n_row; k++) {
        double complex *h = H + (size_t)k * (size_t)n_ant;
        for (int l = 0; l < n_path; l++) {
            double re, im;
            splitmix_normal(rng, &re, &im);
            double phase = 2.0 * M_PI * spacing_wavelengths * cos(2.0 * M_PI * splitmix_uniform(rng));
            for (int n = 0; n < n_ant; n++) {
                h[n] += __builtin_complex(re, im) * cis(phase * n) / sqrt(n_path);
            }
        }
    }
}
