/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/cluster_streams.h"

#include <string.h>

void cluster_streams_mask(const struct mimo_shape *shape, const uint8_t *serves, tutti_cf32 *W)
{
    const size_t n_ue = (size_t)shape->n_ue, n_row = (size_t)shape->n_ap * (size_t)shape->n_ant;
    for (size_t row = 0; row < n_row; row++) {
        const uint8_t *const served = serves + row / (size_t)shape->n_ant * n_ue;
        for (size_t k = 0; k < n_ue; k++) {
            W[row * n_ue + k] = served[k] ? W[row * n_ue + k] : 0;
        }
    }
}

/* What stream j, as AP m sends it, is to all users: added to amplitude re and im [n_ue] and, by the errors, to power.
 */
static void add_ap(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W, int m,
                   int j, double *re, double *im, double *power)
{
    const int n_ue = shape->n_ue;
    double sent = 0;
    for (int row = m * shape->n_ant; row < (m + 1) * shape->n_ant; row++) {
        const tutti_cf32 *const h = channel->H_hat + (size_t)row * (size_t)n_ue;
        const tutti_cf32 w = W[(size_t)row * (size_t)n_ue + (size_t)j];
        const double w_re = (double)crealf(w), w_im = (double)cimagf(w);
        sent += w_re * w_re + w_im * w_im;
        for (int k = 0; k < n_ue; k++) {
            const double h_re = (double)crealf(h[k]), h_im = (double)cimagf(h[k]);
            re[k] += h_re * w_re + h_im * w_im;
            im[k] += h_re * w_im - h_im * w_re;
        }
    }
    for (int k = 0; k < n_ue; k++) {
        power[k] += sent * (double)channel->error_variance[m * n_ue + k];
    }
}

void cluster_streams_sinr(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W,
                          double *work, float *sinr)
{
    const int n_ue = shape->n_ue;
    double *const re = work, *const im = re + n_ue, *const power = im + n_ue, *const own = power + n_ue,
                  *const others = own + n_ue;
    memset(work, 0, 5 * (size_t)n_ue * sizeof *work);
    for (int j = 0; j < n_ue; j++) {
        memset(work, 0, 3 * (size_t)n_ue * sizeof *work);
        for (int m = 0; channel->ue_active[j] && m < shape->n_ap; m++) {
            if (channel->ap_active[m] && channel->serves[m * n_ue + j]) {
                add_ap(shape, channel, W, m, j, re, im, power);
            }
        }
        for (int k = 0; k < n_ue; k++) {
            const double heard = re[k] * re[k] + im[k] * im[k] + power[k];
            own[k] += k == j ? heard : 0;
            others[k] += k == j ? 0 : heard;
        }
    }
    for (int k = 0; k < n_ue; k++) {
        sinr[k] = channel->ue_active[k] ? (float)(own[k] / (1 + others[k])) : 0;
    }
}
