/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/yardstick.h"

#include <float.h>
#include <math.h>

/* order: cost / gain ascending, that is, who gets water first. */
static void sort(int n, const double *gain, const double *cost, int *order)
{
    for (int i = 0; i < n; i++) {
        int j = i;
        for (; j > 0 && cost[i] * gain[order[j - 1]] < cost[order[j - 1]] * gain[i]; j--) {
            order[j] = order[j - 1];
        }
        order[j] = i;
    }
}

void yardstick_waterfill(int n, const double *gain, const double *cost, double Pt, int *order, double *p)
{
    double floors = 0, level = 0;
    sort(n, gain, cost, order);
    for (int i = 0; i < n; i++) {
        const double floor_of_next = cost[order[i]] / gain[order[i]];
        if (i > 0 && !(level > floor_of_next)) {
            break;
        }
        floors += floor_of_next;
        level = (Pt + floors) / (i + 1);
    }
    for (int k = 0; k < n; k++) {
        p[k] = sqrt(fmax(level - cost[k] / gain[k], 0) / cost[k]);
    }
}

void yardstick_gain(const struct links *links, double *gain)
{
    for (int k = 0; k < links->n; k++) {
        const double re = links->B.re[k * links->n + k], im = links->B.im[k * links->n + k];
        gain[k] = links->rho * (re * re + im * im) / links->sigma2;
    }
}

size_t yardstick_wmmse_work(int n)
{
    return (size_t)n * (size_t)(n + 4);
}

/* p_k = up_k / (down_k + mu w2_k) within the budget, mu bisected. */
static void fit_budget(const struct links *links, const double *up, const double *down, double *p)
{
    double low = 0, high = 0;
    for (int i = 0; i < 200; i++) {
        const double mu = i == 0 ? 0 : high == 0 ? low * 4 : (low + high) / 2;
        for (int k = 0; k < links->n; k++) {
            const double den = down[k] + mu * links->w2[k];
            p[k] = den > 0 ? up[k] / den : 0;
        }
        const double power = links_power(links, p, 1);
        if (i == 0 && power <= links->Pt) {
            return;
        }
        if (i == 0) { /* somewhere to start from */
            for (int k = 0; k < links->n; k++) {
                low = fmax(low, links->w2[k] > 0 ? 1e-6 * down[k] / links->w2[k] : 0);
            }
            low = fmax(low, DBL_MIN);
        } else if (power > links->Pt) {
            low = mu;
        } else {
            high = mu;
        }
        if (high > 0 && high - low < 1e-12 * high) {
            return;
        }
    }
}

void yardstick_wmmse(const struct links *links, const double *F, int iterations, double *work, double *p)
{
    const int n = links->n;
    double *const a = work, *const up = a + n * n, *const down = up + n, *const u = down + n, *const w = u + n;
    for (int i = 0; i < n * n; i++) {
        const double re = links->B.re[i], im = links->B.im[i];
        a[i] = links->rho * (re * re + im * im + (F ? F[i] : 0));
    }
    links_equal(links, p);
    for (int t = 0; t < iterations; t++) {
        for (int k = 0; k < n; k++) {
            const double c = sqrt(links->rho) * hypot(links->B.re[k * n + k], links->B.im[k * n + k]);
            double total = links->sigma2;
            for (int i = 0; i < n; i++) {
                total += a[k * n + i] * p[i] * p[i];
            }
            u[k] = c * p[k] / total;
            w[k] = 1 / (1 - u[k] * c * p[k]);
            up[k] = w[k] * u[k] * c;
        }
        for (int k = 0; k < n; k++) {
            down[k] = 0;
            for (int i = 0; i < n; i++) {
                down[k] += w[i] * u[i] * u[i] * a[i * n + k];
            }
        }
        fit_budget(links, up, down, p);
    }
}
