/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/descent.h"

#include <math.h>

void descent_solve(const struct links *links, const double *Lambda, int iterations, enum links_policy policy, double *h,
                   double *p)
{
    const int n = links->n;
    double steepest = 0;
    for (int k = 0; k < n; k++) {
        double column = 0;
        for (int j = 0; j < n; j++) {
            const double re = links->B.re[j * n + k], im = links->B.im[j * n + k];
            column += re * re + im * im;
        }
        h[k] = links->rho * column + (Lambda ? Lambda[k] : 0);
        steepest = h[k] > steepest ? h[k] : steepest;
    }
    const double amplitude = sqrt(links->rho); /* outside the loop, which as far as gcc sees may change it */
    links_equal(links, p);
    for (int i = 0; i < iterations && steepest > 0; i++) {
        for (int k = 0; k < n; k++) {
            p[k] -= (h[k] * p[k] - amplitude * links->B.re[k * n + k]) / steepest;
        }
        links_project(links, policy, p, 1);
    }
}
