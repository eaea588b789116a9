/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/results/predicted.h"

#include "mimo/expect.h"

#include <math.h>

static double squared(double complex z)
{
    return creal(z) * creal(z) + cimag(z) * cimag(z);
}

/* How far the recorded prediction may be from the one made here from recorded values, which are single precision. */
static const double agreement = 0.02;

/* Of one subband, at one user: known = |h_k^H w_k|^2, others = the sum of the other users' |h_k^H w_j|^2, and what the
 * estimation error brings of its own stream and of the others: error_variance[m][k] ||w_mj||^2 of stream j at AP m. */
struct powers {
    double known, others, own_unknown, others_unknown;
};

static struct powers powers_of(const struct predicted_shape *shape, const tutti_cf32 *H_hat, const tutti_cf32 *W,
                               const double *error_variance, int user)
{
    const int n_ue = shape->n_ue;
    double *const work = shape->work;
    struct powers p = {0};
    for (int j = 0; j < n_ue; j++) {
        double complex gain = 0;
        double unknown = 0;
        for (int m = 0; m < shape->n_ap; m++) {
            double stream_power = 0;
            for (int n = m * shape->n_ant; n < (m + 1) * shape->n_ant; n++) {
                const double complex w = W[n * n_ue + j];
                gain += conj((double complex)H_hat[n * n_ue + user]) * w;
                stream_power += squared(w);
            }
            unknown += error_variance[m * n_ue + user] * stream_power;
        }
        if (work) {
            work[2 * j] += squared(gain);
            work[2 * j + 1] += unknown;
        }
        *(j == user ? &p.known : &p.others) += squared(gain);
        *(j == user ? &p.own_unknown : &p.others_unknown) += unknown;
    }
    return p;
}

/* Of the sums over subbands. */
static double scatter(const struct predicted_shape *shape, int user)
{
    struct expect_scatter s = {.disturbance = shape->n_sb};
    for (int j = 0; shape->work && j < shape->n_ue; j++) {
        expect_scatter_add(&s, j == user, shape->work[2 * j], shape->work[2 * j + 1]);
    }
    return expect_scatter_factor(&s);
}

double predicted_sinr(const struct predicted_shape *shape, const tutti_cf32 *H_hat, const tutti_cf32 *W,
                      const double *error_variance, const double *recorded, int user)
{
    double known = 0, signal = 0, error = 0;
    const size_t n_coefficient = (size_t)shape->n_ap * (size_t)shape->n_ant * (size_t)shape->n_ue;
    const size_t n_variance = (size_t)shape->n_ap * (size_t)shape->n_ue;
    for (int i = 0; shape->work && i < 2 * shape->n_ue; i++) {
        shape->work[i] = 0;
    }
    for (int s = 0; s < shape->n_sb; s++) {
        const struct powers p = powers_of(shape, H_hat + (size_t)s * n_coefficient, W + (size_t)s * n_coefficient,
                                          error_variance + (size_t)s * n_variance, user);
        const double expected = recorded[s * shape->n_ue + user];
        const double solver = p.known / (p.others + p.own_unknown + p.others_unknown + 1);
        if (!(fabs(solver - expected) <= agreement * expected)) {
            return NAN;
        }
        known += p.known;
        signal += p.known + p.own_unknown;
        error += p.others + p.others_unknown + 1;
    }
    return known > 0 && isfinite(error) ? signal / error * scatter(shape, user) : NAN;
}
