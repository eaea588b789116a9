/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/noise.h"

#include <math.h>

static float norm2(int n, const tutti_cf32 *v)
{
    float sum = 0;
    for (int i = 0; i < n; i++) {
        sum += crealf(v[i]) * crealf(v[i]) + cimagf(v[i]) * cimagf(v[i]);
    }
    return sum;
}

/* v -= Q Q^H v; twice is enough for orthogonality to rounding (Kahan). */
static void project_out(int n_ant, int rank, const tutti_cf32 *Q, tutti_cf32 *v)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int r = 0; r < rank; r++) {
            tutti_cf32 along = 0;
            for (int i = 0; i < n_ant; i++) {
                along += conjf(Q[r * n_ant + i]) * v[i];
            }
            for (int i = 0; i < n_ant; i++) {
                v[i] -= along * Q[r * n_ant + i];
            }
        }
    }
}

int noise_basis(int n_ant, int n_ue, const tutti_cf32 *H_hat, const uint8_t *strong, tutti_cf32 *Q)
{
    static const float DEPENDENT = 1e-8f; /* of the squared norm: single precision keeps no more */
    int rank = 0;
    for (int k = 0; k < n_ue && rank < n_ant; k++) {
        if (!strong[k]) {
            continue;
        }
        tutti_cf32 *q = Q + rank * n_ant;
        for (int i = 0; i < n_ant; i++) {
            q[i] = H_hat[i * n_ue + k];
        }
        const float before = norm2(n_ant, q);
        project_out(n_ant, rank, Q, q);
        const float after = norm2(n_ant, q);
        if (!(after > DEPENDENT * before)) {
            continue;
        }
        const float scale = 1.0f / sqrtf(after);
        for (int i = 0; i < n_ant; i++) {
            q[i] *= scale;
        }
        rank++;
    }
    return rank;
}

void noise_symbols(int n, struct splitmix *random, tutti_cf32 *symbols)
{
    for (int i = 0; i < n; i++) {
        double re, im;
        splitmix_normal(random, &re, &im);
        symbols[i] = CMPLXF((float)re, (float)im);
    }
}

void noise_draw(int n_ant, int rank, const tutti_cf32 *Q, float amplitude, struct splitmix *random, tutti_cf32 *v)
{
    noise_symbols(n_ant, random, v);
    project_out(n_ant, rank, Q, v);
    const float power = rank < n_ant ? norm2(n_ant, v) : 0;
    const float scale = power > 0 ? amplitude / sqrtf(power) : 0;
    for (int i = 0; i < n_ant; i++) {
        v[i] *= scale;
    }
}
