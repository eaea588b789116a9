/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/batch.h"

#include "base/error.h"
#include "linalg/cmplx.h"
#include "linalg/kernel.h"
#include "mimo/scheme.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Least pivot (sine squared of a user's angle to the others): from there on zero-forcing is compared with RZF, one by
 * one; and the nulls of a single-precision solution stay 60 dB below the signal (the error is about 2^-23 / pivot) down
 * to a tenth of it. */
static const float PIVOT_MIN = (float)MIMO_NEAR_SINGULAR;
static const float MAXMIN_TOLERANCE = 1e-4f;
enum { MAXMIN_ITERATIONS = 60 };

struct batch {
    struct mimo_shape shape;
    const struct kernel_ops *ops;
    float *storage;
    float *H, *A, *work;                                            /* [rows][n_ue][2][lane], work of zf */
    float *E, *b;                                                   /* [n_ap][n_ue][lane]: times P, and shares of P */
    float *P, *share;                                               /* [n_ap][lane] */
    float *eta, *interference, *sinr;                               /* [n_ue][lane] */
    float *packed[KERNEL_LANES_MAX];                                /* [rows][n_ue][2], active entries of one subband */
    float *packed_E[KERNEL_LANES_MAX], *packed_P[KERNEL_LANES_MAX]; /* [n_ap][n_ue], [n_ap] */
    int n_ap, n_ue, *ap, *ue;                                       /* packed -> original index, [n_ap] and [n_ue] */
};

int batch_lanes(const batch_t *batch)
{
    return batch ? batch->ops->n_lane : 1;
}

static float *take(float *base, size_t *used, size_t n)
{
    float *p = base ? base + *used : NULL;
    *used += (n + 15) / 16 * 16;
    return p;
}

static size_t place(struct batch *b, float *base)
{
    const size_t m = (size_t)b->shape.n_ap, k = (size_t)b->shape.n_ue, l = m * (size_t)b->shape.n_ant;
    const size_t lanes = (size_t)b->ops->n_lane;
    size_t used = 0;
    b->H = take(base, &used, 2 * l * k * lanes);
    b->A = take(base, &used, 2 * l * k * lanes);
    b->work = take(base, &used, kernel_zf_work(b->shape.n_ue) * lanes);
    b->E = take(base, &used, m * k * lanes);
    b->b = take(base, &used, m * k * lanes);
    b->P = take(base, &used, m * lanes);
    b->share = take(base, &used, m * lanes);
    b->eta = take(base, &used, k * lanes);
    b->interference = take(base, &used, k * lanes);
    b->sinr = take(base, &used, k * lanes);
    for (int s = 0; s < b->ops->n_lane; s++) {
        b->packed[s] = take(base, &used, 2 * l * k);
        b->packed_E[s] = take(base, &used, m * k);
        b->packed_P[s] = take(base, &used, m);
    }
    return used;
}

int batch_create(batch_t **batch, const struct mimo_shape *shape)
{
    *batch = NULL;
    struct batch *b = calloc(1, sizeof *b);
    if (!b) {
        return error_set(TUTTI_ENOMEM, "batch: out of memory");
    }
    b->shape = *shape;
    b->ops = kernel_get();
    const size_t bytes = place(b, NULL) * sizeof(float);
    b->storage = aligned_alloc(64, bytes);
    b->ap = calloc((size_t)shape->n_ap, sizeof *b->ap);
    b->ue = calloc((size_t)shape->n_ue, sizeof *b->ue);
    if (!b->storage || !b->ap || !b->ue) {
        batch_destroy(b);
        return error_set(TUTTI_ENOMEM, "batch: out of memory for %zu bytes", bytes);
    }
    memset(b->storage, 0, bytes);
    place(b, b->storage);
    *batch = b;
    return 0;
}

void batch_destroy(batch_t *batch)
{
    if (!batch) {
        return;
    }
    free(batch->storage);
    free(batch->ap);
    free(batch->ue);
    free(batch);
}

static bool ap_used(const struct mimo_channel *channel, int m)
{
    return channel->ap_active[m] && channel->ap_power[m] > 0;
}

/* Active APs and users of the first subband. */
static void select_active(struct batch *b, const struct mimo_channel *channel)
{
    b->n_ap = b->n_ue = 0;
    for (int m = 0; m < b->shape.n_ap; m++) {
        if (ap_used(channel, m)) {
            b->ap[b->n_ap++] = m;
        }
    }
    for (int k = 0; k < b->shape.n_ue; k++) {
        if (channel->ue_active[k]) {
            b->ue[b->n_ue++] = k;
        }
    }
}

static bool same_active(const struct batch *b, const struct mimo_channel *one, const struct mimo_channel *other)
{
    if (memcmp(one->ap_active, other->ap_active, (size_t)b->shape.n_ap) ||
        memcmp(one->ue_active, other->ue_active, (size_t)b->shape.n_ue)) {
        return false;
    }
    bool same = true;
    for (int m = 0; m < b->shape.n_ap; m++) {
        same = same && (one->ap_power[m] > 0) == (other->ap_power[m] > 0);
    }
    return same;
}

static bool all_active(const struct batch *b)
{
    return b->n_ap == b->shape.n_ap && b->n_ue == b->shape.n_ue;
}

/* One subband's active entries, contiguous; without masks the caller's own arrays serve. */
static void gather(struct batch *b, int s, const struct mimo_channel *channel, const float **H, const float **E,
                   const float **P)
{
    *H = (const float *)channel->H_hat;
    *E = channel->error_variance;
    *P = channel->ap_power;
    if (all_active(b)) {
        return;
    }
    const size_t n_ant = (size_t)b->shape.n_ant, n_ue = (size_t)b->shape.n_ue;
    float *h = b->packed[s], *e = b->packed_E[s];
    for (int m = 0; m < b->n_ap; m++) {
        const size_t ap = (size_t)b->ap[m];
        b->packed_P[s][m] = channel->ap_power[ap];
        for (int k = 0; k < b->n_ue; k++) {
            *e++ = channel->error_variance[ap * n_ue + (size_t)b->ue[k]];
        }
        for (size_t a = 0; a < n_ant; a++) {
            for (int k = 0; k < b->n_ue; k++) {
                const tutti_cf32 x = channel->H_hat[(ap * n_ant + a) * n_ue + (size_t)b->ue[k]];
                *h++ = crealf(x);
                *h++ = cimagf(x);
            }
        }
    }
    *H = b->packed[s];
    *E = b->packed_E[s];
    *P = b->packed_P[s];
}

/* Complex numbers come interleaved, so entry 2 i and 2 i + 1 of the packed array are the two vectors of entry i. */
static void load(struct batch *b, int n_sb, const struct mimo_channel *channels)
{
    const struct kernel_ops *ops = b->ops;
    const float *H[KERNEL_LANES_MAX], *E[KERNEL_LANES_MAX], *P[KERNEL_LANES_MAX];
    for (int s = 0; s < ops->n_lane; s++) {
        gather(b, s, &channels[s < n_sb ? s : n_sb - 1], &H[s], &E[s], &P[s]);
    }
    ops->pack(2 * b->n_ap * b->shape.n_ant * b->n_ue, H, b->H);
    ops->pack(b->n_ap * b->n_ue, E, b->E);
    ops->pack(b->n_ap, P, b->P);
    ops->weigh(b->n_ap, b->n_ue, b->P, b->E);
}

static void scatter(const struct batch *b, int s, struct mimo_solution *solution)
{
    const size_t n_ant = (size_t)b->shape.n_ant, n_ue = (size_t)b->shape.n_ue;
    const float *w = b->packed[s];
    memset(solution->W, 0, (size_t)b->shape.n_ap * n_ant * n_ue * sizeof *solution->W);
    for (int m = 0; m < b->n_ap; m++) {
        for (size_t a = 0; a < n_ant; a++) {
            for (int k = 0; k < b->n_ue; k++, w += 2) {
                solution->W[((size_t)b->ap[m] * n_ant + a) * n_ue + (size_t)b->ue[k]] = CMPLXF(w[0], w[1]);
            }
        }
    }
}

static void store(struct batch *b, int n_sb, struct mimo_solution *solutions)
{
    const struct kernel_ops *ops = b->ops;
    float *W[KERNEL_LANES_MAX];
    const bool direct = all_active(b);
    for (int s = 0; s < ops->n_lane; s++) {
        W[s] = direct && s < n_sb ? (float *)solutions[s].W : b->packed[s];
    }
    ops->unpack(b->n_ap * b->shape.n_ant, b->n_ue, b->A, b->eta, W);
    for (int s = 0; s < n_sb; s++) {
        if (!direct) {
            scatter(b, s, &solutions[s]);
        }
        memset(solutions[s].sinr, 0, (size_t)b->shape.n_ue * sizeof *solutions[s].sinr);
        for (int k = 0; k < b->n_ue; k++) {
            solutions[s].sinr[b->ue[k]] = b->sinr[k * ops->n_lane + s];
        }
        solutions[s].reason = MIMO_REASON_ASKED;
        solutions[s].sinr_bound = NAN;
        solutions[s].iterations = 0;
    }
}

unsigned batch_zf(batch_t *batch, enum mimo_power power, int n_sb, const struct mimo_channel *channels,
                  struct mimo_solution *solutions)
{
    struct batch *b = batch;
    const struct kernel_ops *ops = b->ops;
    const unsigned all = (1u << n_sb) - 1;
    unsigned left = 0;
    select_active(b, channels);
    const int rows = b->n_ap * b->shape.n_ant, n = b->n_ue;
    if (n == 0 || n > rows) {
        return all;
    }
    for (int s = 1; s < n_sb; s++) {
        if (!same_active(b, channels, &channels[s])) {
            return all;
        }
    }
    load(b, n_sb, channels);
    float pivot[KERNEL_LANES_MAX], spread[KERNEL_LANES_MAX] = {0};
    ops->zf(rows, n, b->H, b->work, b->A, pivot);
    ops->power(b->n_ap, b->shape.n_ant, n, b->A, b->P, b->b);
    const struct kernel_links links = {.n_ap = b->n_ap, .n = n, .E = b->E, .b = b->b};
    if (power == MIMO_POWER_EQUAL) {
        ops->equal(&links, b->eta, b->share);
    } else {
        ops->maxmin(&links, MAXMIN_ITERATIONS, MAXMIN_TOLERANCE, b->eta, b->share, b->interference, spread);
    }
    /* the rounding of sums of n_ant and n_ue squares must not push an AP over its budget */
    const float guard = 1 - (float)(b->shape.n_ant + n + 8) * 0x1p-24f;
    ops->finish(&links, guard, b->share, b->eta, b->sinr);
    store(b, n_sb, solutions);
    for (int s = 0; s < n_sb; s++) {
        if (!(pivot[s] >= PIVOT_MIN) || !(spread[s] <= MAXMIN_TOLERANCE)) {
            left |= 1u << s;
        }
    }
    return left;
}
