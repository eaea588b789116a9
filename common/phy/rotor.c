/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/rotor.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

int rotor_create(struct rotor *r, int room)
{
    *r = (struct rotor){.room = room};
    r->turn = calloc((size_t)room, sizeof *r->turn);
    r->row = calloc((size_t)room, sizeof *r->row);
    if (!r->turn || !r->row) {
        return error_set(TUTTI_ENOMEM, "out of memory for turning samples");
    }
    for (int i = 0; i < room; i++) {
        r->turn[i] = 1;
    }
    return TUTTI_OK;
}

void rotor_destroy(struct rotor *r)
{
    free(r->turn);
    free(r->row);
    *r = (struct rotor){0};
}

/* By repeated products in double: after a symbol's length the error is far below that of a float. */
void rotor_set(struct rotor *r, double rate_rad)
{
    if (rate_rad == r->rate_rad) {
        return;
    }
    const double complex step = cexp(I * rate_rad);
    double complex turn = 1;
    for (int i = 0; i < r->room; i++, turn *= step) {
        r->turn[i] = (tutti_cf32)turn;
    }
    r->rate_rad = rate_rad;
}

/* Products written out: the compiler makes vectors of them. */
static void multiply(int n, const tutti_cf32 *a, const tutti_cf32 *b, tutti_cf32 *out)
{
    const float *const p = (const float *)a, *const q = (const float *)b;
    float *const y = (float *)out;
    for (int i = 0; i < 2 * n; i += 2) {
        const float re = p[i] * q[i] - p[i + 1] * q[i + 1], im = p[i] * q[i + 1] + p[i + 1] * q[i];
        y[i] = re;
        y[i + 1] = im;
    }
}

void rotor_apply(struct rotor *r, double phase_rad, bool back, int n_ant, int n, tutti_cf32 *const *x)
{
    const float re = (float)cos(phase_rad), im = (float)sin(phase_rad), sign = back ? -1 : 1;
    for (int i = 0; i < n; i++) {
        const float c = crealf(r->turn[i]), s = cimagf(r->turn[i]);
        r->row[i] = CMPLXF(re * c - im * s, sign * (re * s + im * c));
    }
    for (int a = 0; a < n_ant; a++) {
        multiply(n, x[a], r->row, x[a]);
    }
}
