/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/apply.h"

#include "linalg/cmplx.h"
#include "linalg/kernel.h"

#include <math.h>
#include <string.h>

void apply_streams(int n_sb, int sc_per_sb, int n_ant, int n_stream, const tutti_cf32 *V,
                   const tutti_cf32 *const *symbols, tutti_cf32 *x)
{
    const struct kernel_ops *ops = kernel_get();
    const size_t n_sc = (size_t)n_sb * (size_t)sc_per_sb;
    for (int a = 0; a < n_ant; a++) {
        for (int b = 0; b < n_sb; b++) {
            ops->combine(sc_per_sb, n_stream, V + (size_t)(b * n_ant + a) * (size_t)n_stream, symbols,
                         (size_t)(b * sc_per_sb), x + (size_t)a * n_sc + (size_t)(b * sc_per_sb));
        }
    }
}

void apply_local_cb(int n_sb, int n_ant, int n_ue, const tutti_cf32 *H_hat, tutti_cf32 *V)
{
    const size_t n = (size_t)n_ant * (size_t)n_ue;
    for (int b = 0; b < n_sb; b++) {
        const tutti_cf32 *h = H_hat + (size_t)b * n;
        tutti_cf32 *v = V + (size_t)b * n;
        double energy = 0;
        for (size_t i = 0; i < n; i++) {
            energy += (double)crealf(h[i]) * (double)crealf(h[i]) + (double)cimagf(h[i]) * (double)cimagf(h[i]);
        }
        const bool usable = energy > 0 && isfinite(energy);
        const double scale =
            usable ? (1 - 1.0 / (1 << 23)) / sqrt(energy) : 0; /* rounding must not exceed the budget */
        for (size_t i = 0; i < n; i++) {
            v[i] = usable ? CMPLXF((float)(scale * (double)crealf(h[i])), (float)(scale * (double)cimagf(h[i]))) : 0;
        }
    }
}
