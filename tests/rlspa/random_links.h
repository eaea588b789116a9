/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random inputs of the tests of rlspa/: everything a function of the seed. */
#ifndef TESTS_RLSPA_RANDOM_LINKS_H
#define TESTS_RLSPA_RANDOM_LINKS_H

#include "channel/random.h"
#include "rlspa/links.h"

enum { N_MOST = 32, M_MOST = 64, T_MOST = 40 };

static inline void random_fill(uint64_t seed, size_t n, struct split *s)
{
    for (size_t i = 0; i < n; i++) {
        float re, im;
        random_normal(seed, i, &re, &im);
        s->re[i] = re;
        s->im[i] = im;
    }
}

/* B near a diagonal in the manner of zero-forcing, off-diagonals times leak; gains over spread_db; physical units. */
static inline void random_links(uint64_t seed, int n, double leak, double spread_db, double unit, struct links *links,
                                double *w2)
{
    random_fill(seed, (size_t)(n * n), &links->B);
    for (int i = 0; i < n * n; i++) {
        const double own = unit * pow(10, -spread_db / 20 * random_uniform(seed + 1, (uint64_t)(i / n)));
        links->B.re[i] = own * (leak * links->B.re[i] + (i / n == i % n));
        links->B.im[i] *= own * leak * (i / n != i % n);
    }
    for (int k = 0; k < n; k++) {
        w2[k] = 0.5 + random_uniform(seed + 2, (uint64_t)k);
    }
    links->n = n;
    links->w2 = w2;
    links->rho = 1.7;
    links->Pt = 0.8;
    links->sigma2 = unit * unit / 300;
}

#endif
