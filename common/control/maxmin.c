/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/maxmin.h"

#include "linalg/small.h"

#include <math.h>
#include <string.h>

/* Largest power use over the APs; worst gets its index. */
static double power_use(int n_ue, int n_ap, const double *B, int ld_b, const double *P, const double *p, int *worst)
{
    double use = -1;
    for (int m = 0; m < n_ap; m++) {
        double sum = 0;
        for (int k = 0; k < n_ue; k++) {
            sum += B[m * ld_b + k] * p[k];
        }
        sum /= P[m];
        if (sum > use) {
            use = sum;
            *worst = m;
        }
    }
    return use;
}

/* Factor s I - F; nonzero when s does not exceed the spectral radius of F. */
static int factor(int n, const double *F, double s, double *LU)
{
    for (int i = 0; i < n * n; i++) {
        LU[i] = -F[i];
    }
    for (int k = 0; k < n; k++) {
        LU[k * n + k] += s;
    }
    return small_lu_m_matrix(n, LU);
}

/* x = noise, raised where it drowns in interference: noise 130 dB below what all users at equal power would receive
 * decides nothing, but without it s I - F is singular to double precision. */
static void right_side(int n, const double *F, const double *noise, double equal, double *x)
{
    static const double FLOOR = 1e-13;
    for (int k = 0; k < n; k++) {
        double received = 0;
        for (int j = 0; j < n; j++) {
            received += F[k * n + j];
        }
        x[k] = noise[k] + FLOOR * equal * received;
    }
}

/* Power per user when all have the same and the worst AP is at its budget. */
static double equal_power(int n_ue, int n_ap, const double *B, int ld_b, const double *P)
{
    double use = 0;
    for (int m = 0; m < n_ap; m++) {
        double sum = 0;
        for (int k = 0; k < n_ue; k++) {
            sum += B[m * ld_b + k];
        }
        use = fmax(use, sum / P[m]);
    }
    return use > 0 ? 1 / use : 0;
}

/* Collatz-Wielandt bounds of s = 1/t from the powers x, scaled to use the worst AP fully. */
static void bracket(int n, int n_ap, const double *F, const double *x, const double *B, int ld_b, const double *P,
                    double *lo, double *hi)
{
    int worst = 0;
    const double use = power_use(n, n_ap, B, ld_b, P, x, &worst);
    *lo = INFINITY;
    *hi = 0;
    for (int k = 0; k < n; k++) {
        double interference = 0;
        for (int j = 0; j < n; j++) {
            interference += F[k * n + j] * x[j];
        }
        const double s = interference / x[k] + use;
        *lo = fmin(*lo, s);
        *hi = fmax(*hi, s);
    }
    *hi *= 1 + 1e-14; /* rounding must not put it on the spectral radius */
}

double maxmin_power(int n_ue, int n_ap, const double *F, const double *noise, const double *B, int ld_b,
                    const double *P, double *p, double *work)
{
    double *LU = work, *z = work + n_ue * n_ue;
    const double equal = equal_power(n_ue, n_ap, B, ld_b, P);
    double lo, hi, use = 1;
    int worst = 0;
    right_side(n_ue, F, noise, equal, p);
    bracket(n_ue, n_ap, F, p, B, ld_b, P, &lo, &hi);
    double s = hi;
    for (int i = 0; i < 80; i++) {
        if (factor(n_ue, F, s, LU)) {
            lo = s;
            s = lo < hi ? 0.5 * (lo + hi) : hi * (1 + 1e-10);
            hi = fmax(hi, s);
            continue;
        }
        right_side(n_ue, F, noise, equal, p);
        small_lu_solve(n_ue, LU, p);
        use = power_use(n_ue, n_ap, B, ld_b, P, p, &worst);
        if (fabs(use - 1) < 1e-12 || hi - lo < 1e-15 * hi) {
            break;
        }
        if (use < 1) {
            hi = s;
        } else {
            lo = s;
        }
        /* Newton on 1/use, which is linear in s when one pole dominates; d use / ds = -B_m z / P_m, z = (sI - F)^-1 p
         */
        memcpy(z, p, (size_t)n_ue * sizeof *z);
        small_lu_solve(n_ue, LU, z);
        double slope = 0;
        for (int k = 0; k < n_ue; k++) {
            slope += B[worst * ld_b + k] * z[k] / P[worst];
        }
        const double next = s + (use - 1) * use / slope;
        s = next > lo && next < hi ? next : 0.5 * (lo + hi);
    }
    for (int k = 0; k < n_ue; k++) {
        p[k] /= use;
    }
    return 1 / s;
}
