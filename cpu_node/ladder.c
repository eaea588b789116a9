/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/ladder.h"

static const double WEIGHT = 0.1, MOST_NS = 1e9; /* a stopped process is no slow solve */

static double each_of(uint64_t took_ns, int n_each)
{
    const double each_ns = (double)took_ns / n_each;
    return each_ns < MOST_NS ? each_ns : MOST_NS;
}

double ladder_left_ns(const struct ladder *ladder, double left_ns, int n_each)
{
    const double noise_ns = ladder->noise_ns * n_each, most_ns = left_ns > 0 ? left_ns / 2 : 0;
    return left_ns - (noise_ns < most_ns ? noise_ns : most_ns);
}

enum mimo_scheme ladder_choose(const struct ladder *ladder, enum mimo_scheme asked, double left_ns, int n_each)
{
    const double data_ns = ladder_left_ns(ladder, left_ns, n_each);
    enum mimo_scheme scheme = asked;
    while (mimo_scheme_below(scheme) != scheme && ladder->subband_ns[scheme] * n_each > data_ns) {
        scheme = mimo_scheme_below(scheme);
    }
    return scheme;
}

void ladder_learn_noise(struct ladder *ladder, uint64_t took_ns, int n_each)
{
    const double each_ns = each_of(took_ns, n_each);
    ladder->noise_ns += ladder->noise_ns > 0 ? WEIGHT * (each_ns - ladder->noise_ns) : each_ns;
}

void ladder_learn(struct ladder *ladder, enum mimo_scheme scheme, uint64_t took_ns, int n_each)
{
    static const double FORGIVENESS = 0.99;
    const double each_ns = each_of(took_ns, n_each);
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        double *cost = &ladder->subband_ns[s];
        if (s == (int)scheme) {
            *cost += *cost > 0 ? WEIGHT * (each_ns - *cost) : each_ns;
        } else {
            *cost *= FORGIVENESS;
        }
    }
}
