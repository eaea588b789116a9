/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/ladder.h"

enum mimo_scheme ladder_choose(const struct ladder *ladder, enum mimo_scheme asked, double left_ns, int n_each)
{
    enum mimo_scheme scheme = asked;
    while (mimo_scheme_below(scheme) != scheme && ladder->subband_ns[scheme] * n_each > left_ns) {
        scheme = mimo_scheme_below(scheme);
    }
    return scheme;
}

void ladder_learn(struct ladder *ladder, enum mimo_scheme scheme, uint64_t took_ns, int n_each)
{
    static const double WEIGHT = 0.1, FORGIVENESS = 0.99, MOST_NS = 1e9; /* a stopped process is no slow solve */
    double each_ns = (double)took_ns / n_each;
    each_ns = each_ns < MOST_NS ? each_ns : MOST_NS;
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        double *cost = &ladder->subband_ns[s];
        if (s == (int)scheme) {
            *cost += *cost > 0 ? WEIGHT * (each_ns - *cost) : each_ns;
        } else {
            *cost *= FORGIVENESS;
        }
    }
}
