/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/parts.h"

#include "linalg/cmplx.h"

#include <math.h>
#include <string.h>

static double power_of(double complex x)
{
    return creal(x) * creal(x) + cimag(x) * cimag(x);
}

/* Stream i as AP m sends it. */
static void add_ap(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W, int m,
                   int i, const struct parts_heard *heard)
{
    const int n_ue = shape->n_ue;
    double sent = 0;
    for (int row = m * shape->n_ant; row < (m + 1) * shape->n_ant; row++) {
        const double complex w = (double complex)W[row * n_ue + i];
        sent += power_of(w);
        for (int k = 0; k < n_ue; k++) {
            heard->gain[k * n_ue + i] += cmplx_product_double(conj((double complex)channel->H_hat[row * n_ue + k]), w);
        }
    }
    heard->power[i] += sent;
    for (int k = 0; k < n_ue; k++) {
        heard->error[k * n_ue + i] += sent * (double)channel->error_variance[m * n_ue + k];
    }
}

/* Who is not there hears nothing. */
static void forget_user(int n_ue, int k, const struct parts_heard *heard)
{
    memset(heard->gain + k * n_ue, 0, (size_t)n_ue * sizeof *heard->gain);
    memset(heard->error + k * n_ue, 0, (size_t)n_ue * sizeof *heard->error);
}

void parts_measure(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W,
                   const struct parts_heard *heard)
{
    const int n_ue = shape->n_ue;
    const size_t pairs = (size_t)n_ue * (size_t)n_ue;
    memset(heard->gain, 0, pairs * sizeof *heard->gain);
    memset(heard->error, 0, pairs * sizeof *heard->error);
    memset(heard->power, 0, (size_t)n_ue * sizeof *heard->power);
    for (int m = 0; m < shape->n_ap; m++) {
        for (int i = 0; channel->ap_active[m] && i < n_ue; i++) {
            if (channel->ue_active[i]) {
                add_ap(shape, channel, W, m, i, heard);
            }
        }
    }
    for (int k = 0; k < n_ue; k++) {
        if (!channel->ue_active[k]) {
            forget_user(n_ue, k, heard);
        }
    }
}

void parts_learn(int n_ue, const struct parts_heard *heard, const uint8_t *used, double scale,
                 const struct parts_moments *moments)
{
    for (int i = 0; i < n_ue; i++) {
        double square = 0;
        if (!used[i]) {
            continue;
        }
        for (int k = 0; k < n_ue; k++) {
            square += k == i ? 0 : power_of(heard->gain[k * n_ue + i]) + heard->error[k * n_ue + i];
        }
        const double rate = 1 / ++moments->count[i];
        moments->own[i] += rate * (scale * heard->gain[i * n_ue + i] - moments->own[i]);
        moments->square[i] += rate * (scale * scale * square - moments->square[i]);
        moments->power[i] += rate * (scale * scale * heard->power[i] - moments->power[i]);
    }
}

double parts_dual_power(int n_part, int n_ue, const struct parts_moments *part, const uint8_t *serves)
{
    double sum = 0;
    int n_served = 0;
    for (int k = 0; k < n_ue; k++) {
        bool served = false;
        for (int c = 0; c < n_part; c++) {
            if (serves[c * n_ue + k] && part[c].count[k] > 0) {
                sum += part[c].power[k];
                served = true;
            }
        }
        n_served += served;
    }
    return n_served > 0 ? sum / n_served : 0;
}

/* a_ck before it is scaled; 0 when the part's stream does not reach the user. */
static double complex weight_of(const struct parts_moments *part, int k, double dual_power)
{
    const double complex b = part->own[k];
    const double q = dual_power * part->square[k] + part->power[k];
    return part->count[k] > 0 && q > 0 && isfinite(q) ? conj(b) / q : 0;
}

/* Factor of a user's weights: the power of the strongest part over that of all. */
static double scale_of(int n_part, int n_ue, const struct parts_moments *part, int k, const double complex *weight)
{
    double most = 0, of_it = 0, sum = 0;
    for (int c = 0; c < n_part; c++) {
        const double power = power_of(weight[c * n_ue + k]) * part[c].power[k];
        of_it = power > most ? part[c].power[k] : of_it;
        most = fmax(most, power);
        sum += power;
    }
    return sum > 0 && isfinite(sum) ? sqrt(of_it / sum) : 0;
}

void parts_weights(int n_part, int n_ue, const struct parts_moments *part, const uint8_t *serves, double dual_power,
                   double complex *weight)
{
    for (int k = 0; k < n_ue; k++) {
        for (int c = 0; c < n_part; c++) {
            weight[c * n_ue + k] = serves[c * n_ue + k] ? weight_of(&part[c], k, dual_power) : 0;
        }
        const double scale = scale_of(n_part, n_ue, part, k, weight);
        for (int c = 0; c < n_part; c++) {
            double complex *const a = &weight[c * n_ue + k];
            *a = scale > 0 ? scale * *a : serves[c * n_ue + k] ? 1 : 0;
        }
    }
}

/* Weights follow from what other nodes say of themselves: whatever their size, squares of what they make are numbers.
 */
static double reduction_of(int n_ue, const double complex *weight)
{
    static const double MOST = 1e6;
    double most = 0;
    for (int k = 0; k < n_ue; k++) {
        most = fmax(most, cabs(weight[k]));
    }
    return most > MOST ? 1 / most : 1;
}

double parts_apply(const struct mimo_shape *shape, const float *ap_power, const double complex *weight, bool fill,
                   tutti_cf32 *W)
{
    const size_t n_ue = (size_t)shape->n_ue, n_row = (size_t)shape->n_ap * (size_t)shape->n_ant;
    const double limit = fill ? 1 : fmax((double)mimo_power_use(shape, ap_power, W), 1);
    const double reduction = reduction_of(shape->n_ue, weight);
    for (size_t row = 0; row < n_row; row++) {
        for (size_t k = 0; k < n_ue; k++) {
            const tutti_cf32 w = W[row * n_ue + k];
            W[row * n_ue + k] = weight[k] != 0 ? cmplx_product((tutti_cf32)(reduction * weight[k]), w) : 0;
        }
    }
    const double use = (double)mimo_power_use(shape, ap_power, W);
    const double factor = use > 0 && isfinite(use) && (fill || use > limit) ? (1 - 1e-7) * sqrt(limit / use) : 1;
    for (size_t i = 0; i < n_row * n_ue; i++) {
        W[i] *= (float)factor;
    }
    return reduction * factor;
}

void parts_apply_heard(int n_ue, const double complex *weight, double factor, const struct parts_heard *heard)
{
    for (int i = 0; i < n_ue; i++) {
        const double complex amplitude = factor * weight[i];
        const double power = power_of(amplitude);
        heard->power[i] *= power;
        for (int k = 0; k < n_ue; k++) {
            heard->gain[k * n_ue + i] = cmplx_product_double(amplitude, heard->gain[k * n_ue + i]);
            heard->error[k * n_ue + i] *= power;
        }
    }
}

void parts_sum(int n_part, int n_ue, const tutti_cf32 *const *gain, const double *const *error, int k, double *signal,
               double *disturbance)
{
    *signal = 0;
    *disturbance = 1;
    for (int i = 0; i < n_ue; i++) {
        double complex sum = 0;
        double unknown = 0;
        for (int c = 0; c < n_part; c++) {
            sum += (double complex)gain[c][k * n_ue + i];
            unknown += error[c][k * n_ue + i];
        }
        *(i == k ? signal : disturbance) += power_of(sum) + unknown;
    }
}
