/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/rotor.h"

#include "base/error.h"
#include "linalg/cmplx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    for (int i = 0; i < r->room; i++, turn = cmplx_product_double(turn, step)) {
        r->turn[i] = (tutti_cf32)turn;
    }
    r->rate_rad = rate_rad;
}

/* Two samples, or their parts, in a vector of the width every machine has: what compilers make of the plain loop
 * differs by 1.4. */
typedef float pair __attribute__((vector_size(16)));

static inline pair pair_product(pair a, pair b)
{
    const pair sign = {-1, 1, -1, 1};
    const pair re = __builtin_shufflevector(b, b, 0, 0, 2, 2), im = __builtin_shufflevector(b, b, 1, 1, 3, 3);
    return a * re + sign * __builtin_shufflevector(a, a, 1, 0, 3, 2) * im;
}

static void turn_row(int n, const tutti_cf32 *row, tutti_cf32 *x)
{
    int i = 0;
    for (; i + 2 <= n; i += 2) {
        pair a, b;
        memcpy(&a, x + i, sizeof a);
        memcpy(&b, row + i, sizeof b);
        a = pair_product(a, b);
        memcpy(x + i, &a, sizeof a);
    }
    if (i < n) {
        x[i] = cmplx_product(x[i], row[i]);
    }
}

/* row = start turn, or its conjugate. */
static void make_row(int n, tutti_cf32 start, bool back, const tutti_cf32 *turn, tutti_cf32 *row)
{
    const float sign = back ? -1 : 1, re = crealf(start), im = cimagf(start);
    const pair all = {re, im, re, im}, conjugate = {1, sign, 1, sign};
    int i = 0;
    for (; i + 2 <= n; i += 2) {
        pair a;
        memcpy(&a, turn + i, sizeof a);
        a = conjugate * pair_product(a, all);
        memcpy(row + i, &a, sizeof a);
    }
    if (i < n) {
        const tutti_cf32 last = cmplx_product(turn[i], start);
        row[i] = CMPLXF(crealf(last), sign * cimagf(last));
    }
}

void rotor_apply(struct rotor *r, double phase_rad, bool back, int n_ant, int n, tutti_cf32 *const *x)
{
    make_row(n, CMPLXF((float)cos(phase_rad), (float)sin(phase_rad)), back, r->turn, r->row);
    for (int a = 0; a < n_ant; a++) {
        turn_row(n, r->row, x[a]);
    }
}
