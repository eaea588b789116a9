/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/results/predicted.h"

#include <math.h>

static double squared(double complex z)
{
    return creal(z) * creal(z) + cimag(z) * cimag(z);
}

/* How far the recorded prediction may be from the one made here from recorded values, which are single precision. */
static const double agreement = 0.02;

/* One subband of one AP has [n_ant][n_ue] coefficients. Signal |h_k^H w_k|^2; error: the other users' |h_k^H w_j|^2,
 * noise 1, and the estimation error, of which every stream of AP m brings error_variance[m][k] ||w_mj||^2. */
static void add_subband(const struct predicted_shape *shape, const tutti_cf32 *H_hat, const tutti_cf32 *W,
                        const double *error_variance, int user, double *signal, double *error)
{
    const int n_ue = shape->n_ue;
    double unknown = 0;
    for (int j = 0; j < n_ue; j++) {
        double complex gain = 0;
        for (int m = 0; m < shape->n_ap; m++) {
            double stream_power = 0;
            for (int n = m * shape->n_ant; n < (m + 1) * shape->n_ant; n++) {
                const double complex w = W[n * n_ue + j];
                gain += conj((double complex)H_hat[n * n_ue + user]) * w;
                stream_power += squared(w);
            }
            unknown += error_variance[m * n_ue + user] * stream_power;
        }
        *(j == user ? signal : error) += squared(gain);
    }
    *error += 1.0 + unknown;
}

double predicted_sinr(const struct predicted_shape *shape, const tutti_cf32 *H_hat, const tutti_cf32 *W,
                      const double *error_variance, const double *recorded, int user)
{
    double signal = 0, error = 0;
    const size_t n_coefficient = (size_t)shape->n_ap * (size_t)shape->n_ant * (size_t)shape->n_ue;
    const size_t n_variance = (size_t)shape->n_ap * (size_t)shape->n_ue;
    for (int s = 0; s < shape->n_sb; s++) {
        double subband_signal = 0, subband_error = 0;
        add_subband(shape, H_hat + (size_t)s * n_coefficient, W + (size_t)s * n_coefficient,
                    error_variance + (size_t)s * n_variance, user, &subband_signal, &subband_error);
        const double expected = recorded[s * shape->n_ue + user];
        if (!(fabs(subband_signal / subband_error - expected) <= agreement * expected)) {
            return NAN;
        }
        signal += subband_signal;
        error += subband_error;
    }
    return signal > 0 && isfinite(error) ? signal / error : NAN;
}
