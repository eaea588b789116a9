/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/leak.h"

static const double LEAST_PIVOT = 0.1; /* M is near the identity where offsets are worth undoing */

/* M_kj of leak.h. */
static double complex leaks(const struct frame *f, const tutti_cf32 *phi_k, const tutti_cf32 *phi_j, double rad)
{
    const double middle = 0.5 * (f->pilot_symbol[0] + f->pilot_symbol[f->n_pilot - 1]);
    double complex sum = 0;
    for (int t = 0; t < f->n_pilot; t++) {
        sum += conj((double complex)phi_k[t]) * phi_j[t] * cexp(I * rad * (f->pilot_symbol[t] - middle));
    }
    return sum;
}

/* In place, Gauss-Jordan with the pivots on the diagonal; false: one of them is too small. */
static bool invert(int n, double complex *A)
{
    for (int p = 0; p < n; p++) {
        double complex *const row = A + p * n;
        if (cabs(row[p]) < LEAST_PIVOT) {
            return false;
        }
        const double complex one = 1 / row[p];
        row[p] = 1;
        for (int j = 0; j < n; j++) {
            row[j] *= one;
        }
        for (int i = 0; i < n; i++) {
            const double complex by = A[i * n + p];
            A[i * n + p] = i == p ? by : 0;
            for (int j = 0; i != p && j < n; j++) {
                A[i * n + j] -= by * row[j];
            }
        }
    }
    return true;
}

bool leak_undo(const struct frame *f, const tutti_cf32 *phi, int n, const int *pilot, const double *rad_per_symbol,
               double complex *X)
{
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            if (j != k && pilot[j] == pilot[k]) {
                return false;
            }
            X[k * n + j] = leaks(f, phi + pilot[k] * f->n_pilot, phi + pilot[j] * f->n_pilot, rad_per_symbol[j]);
        }
    }
    return invert(n, X);
}
