/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cluster/split.h"

#include <math.h>

/* Gains and variances of who sent user k's pilot, user k's apart. */
struct company {
    int n;
    double gain, variance, others, others_variance;
};

static struct company company_of(const struct split_pilots *s, int k)
{
    struct company c = {0};
    for (int i = 0; i < s->n_ue; i++) {
        if (s->sequence[i] != s->sequence[k]) {
            continue;
        }
        c.n++;
        if (i == k) {
            c.gain = (double)s->gain[i];
            c.variance = (double)s->gain_variance[i];
        } else {
            c.others += (double)s->gain[i];
            c.others_variance += (double)s->gain_variance[i];
        }
    }
    return c;
}

/* r = g / (g + o), by first-order propagation; at most 1/4, the variance of what lies between 0 and 1. */
static double share_variance(const struct company *c, double sum)
{
    const double square = sum * sum;
    const double variance =
        (c->others * c->others * c->variance + c->gain * c->gain * c->others_variance) / (square * square);
    return fmin(variance, 0.25);
}

void split_factors(const struct split_pilots *s, float *factor, float *beta, float *error_variance)
{
    for (int k = 0; k < s->n_ue; k++) {
        const int p = s->sequence[k];
        factor[k] = 0;
        beta[k] = error_variance[k] = s->gain[k];
        if (p < 0) {
            continue;
        }
        const struct company c = company_of(s, k);
        const double sum = c.gain + c.others, B = (double)s->beta[p], gamma = fmax(B - (double)s->error_variance[p], 0);
        const double share = c.n == 1 ? 1 : sum > 0 ? c.gain / sum : 1.0 / c.n;
        const double off = c.n == 1 ? 0 : sum > 0 ? share_variance(&c, sum) : 0.25;
        const double own = share * B;
        factor[k] = (float)share;
        beta[k] = (float)own;
        error_variance[k] = (float)fmin(own, fmax(own - share * share * gamma, 0) + off * gamma);
        if (c.n == 1) { /* as it came */
            error_variance[k] = s->error_variance[p];
        }
    }
}

void split_rows(int n_row, const struct split_pilots *s, const float *factor, const tutti_cf32 *P, tutti_cf32 *H)
{
    for (int row = 0; row < n_row; row++) {
        const tutti_cf32 *const p = P + (size_t)row * (size_t)s->n_pilot;
        tutti_cf32 *const h = H + (size_t)row * (size_t)s->n_ue;
        for (int k = 0; k < s->n_ue; k++) {
            h[k] = s->sequence[k] >= 0 ? factor[k] * p[s->sequence[k]] : 0;
        }
    }
}
