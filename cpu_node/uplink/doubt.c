/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/uplink/doubt.h"

static double square(tutti_cf32 x)
{
    return (double)crealf(x) * (double)crealf(x) + (double)cimagf(x) * (double)cimagf(x);
}

/* Power of user k at one antenna of the AP, of one that is not here as it was: it may still send. */
static double strength(const struct uplink_shape *s, const struct uplink_block *b, double to_uplink, int ap, int k)
{
    return to_uplink * to_uplink * (double)b->beta[ap * s->n_ue + k];
}

/* At one antenna, of all users and the noise. */
static double at_antenna(const struct uplink_shape *s, const struct uplink_block *b, double to_uplink, int ap)
{
    double sum = 1;
    for (int k = 0; k < s->n_ue; k++) {
        sum += strength(s, b, to_uplink, ap, k);
    }
    return sum;
}

/* What came, mean over symbols and subcarriers, summed over the AP's streams. */
static double received(const struct uplink_shape *s, const struct uplink_block *b, int ap)
{
    const size_t n = uplink_n_values(s);
    const tutti_cf32 *const values = b->values + (size_t)ap * n;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += square(values[i]);
    }
    return sum * s->n_column / (double)n;
}

/* Filters of all users, mean over subbands of sum_k |g_k|^2: a filter's output is at most its norm times the input. */
static double filters(const struct uplink_shape *s, const struct uplink_block *b, double to_uplink, int ap)
{
    const size_t n = (size_t)s->n_ant * (size_t)s->n_ue;
    double sum = 0;
    for (int sb = 0; sb < s->frame->n_sb; sb++) {
        const tutti_cf32 *const H = b->H_hat + ((size_t)sb * (size_t)s->n_ap + (size_t)ap) * n;
        for (size_t i = 0; i < n; i++) {
            sum += square(H[i]);
        }
    }
    return to_uplink * to_uplink * sum / s->frame->n_sb;
}

/* Local: what the statistics that came along say of the streams' power. */
static double told(const struct uplink_shape *s, const float *f, const float *g)
{
    const int n_stream = s->frame->n_sb * s->n_column;
    double sum = 0;
    for (int i = 0; i < n_stream; i++) {
        sum += (double)f[i];
    }
    for (int i = 0; i < 2 * n_stream * s->n_ue; i++) {
        sum += (double)g[i] * (double)g[i];
    }
    return sum / s->frame->n_sb;
}

/* No combination of n antennas has a higher SINR than n times that of one; f is noise and errors, never below 0. */
static bool hears_too_well(const struct uplink_shape *s, const struct uplink_block *b, double to_uplink, int ap,
                           const float *f, const float *g)
{
    for (int i = 0; i < s->frame->n_sb * s->n_column; i++) {
        const int k = i % s->n_column;
        const float *const own = g + 2 * (i * s->n_ue + k);
        const double signal = (double)own[0] * (double)own[0] + (double)own[1] * (double)own[1];
        const double most = s->n_ant * (1 + strength(s, b, to_uplink, ap, k));
        if (b->user_here[k] && (f[i] < 0 || signal > UPLINK_DOUBT_FACTOR * most * (double)f[i])) {
            return true;
        }
    }
    return false;
}

bool uplink_is_doubtful(const struct uplink_shape *s, const struct uplink_block *b, double to_uplink, int ap)
{
    const float *const f = b->statistic + (size_t)ap * uplink_n_statistic(s), *const g =
                                                                                  f + s->frame->n_sb * s->n_column;
    const double antennas = s->n_ant * at_antenna(s, b, to_uplink, ap);
    double expected = antennas;
    if (s->local) {
        expected = told(s, f, g);
    } else if (s->per_user) {
        expected = antennas * filters(s, b, to_uplink, ap);
    }
    return received(s, b, ap) > UPLINK_DOUBT_FACTOR * expected ||
           (s->local && hears_too_well(s, b, to_uplink, ap, f, g));
}
