/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random drops for tests and benchmarks of the room: a square, APs and users uniform, zones uniform, gains of a
 * 10 m height difference, path loss -30.5 - 36.7 log10 d (users, 4 dB shadowing) and -34 - 22 log10 d (zones). */
#ifndef TESTS_ISAC_DROP_H
#define TESTS_ISAC_DROP_H

#include "isac/scene.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { DROP_AP = 32, DROP_UE = 8, DROP_ZONE = 2 };

struct drop {
    struct isac_scene scene;
    double beta[DROP_AP * DROP_UE], gamma[DROP_AP * DROP_UE], zeta[DROP_AP * DROP_ZONE], theta[DROP_AP * DROP_ZONE];
    uint64_t state;
};

static inline double drop_uniform(struct drop *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

static inline double drop_normal(struct drop *d)
{
    const double radius = sqrt(-2 * log(drop_uniform(d)));
    return radius * cos(6.283185307179586 * drop_uniform(d));
}

static inline void drop_place(struct drop *d, double side_m, int n, double (*at)[2])
{
    for (int i = 0; i < n; i++) {
        at[i][0] = side_m * drop_uniform(d);
        at[i][1] = side_m * drop_uniform(d);
    }
}

static inline void drop_make(struct drop *d, uint64_t seed, double side_m, int m, int n, int k, int l)
{
    double ap[DROP_AP][2], ue[DROP_UE][2], zone[DROP_ZONE][2];
    const double noise_w = 1e-3 * pow(10, -92.0 / 10);
    d->state = seed * 7919;
    drop_place(d, side_m, m, ap);
    drop_place(d, side_m, k, ue);
    drop_place(d, side_m, l, zone);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < k; j++) {
            const double distance = hypot(hypot(ap[i][0] - ue[j][0], ap[i][1] - ue[j][1]), 10);
            d->beta[i * k + j] = pow(10, (-30.5 - 36.7 * log10(distance) + 4 * drop_normal(d)) / 10);
        }
        for (int j = 0; j < l; j++) {
            const double dx = zone[j][0] - ap[i][0], dy = zone[j][1] - ap[i][1];
            d->zeta[i * l + j] = pow(10, (-34 - 22 * log10(hypot(hypot(dx, dy), 10))) / 10);
            d->theta[i * l + j] = atan2(dy, dx);
        }
    }
    isac_estimate_variance(m * k, (k + l) * 0.25 / noise_w, d->beta, d->gamma);
    d->scene = (struct isac_scene){.n_ap = m,
                                   .n_ant = n,
                                   .n_ue = k,
                                   .n_zone = l,
                                   .rho = 1 / noise_w,
                                   .d_over_lambda = 0.5,
                                   .beta = d->beta,
                                   .gamma = d->gamma,
                                   .zeta = d->zeta,
                                   .theta = d->theta};
}

#endif
