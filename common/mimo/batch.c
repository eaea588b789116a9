/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/batch.h"

#include "base/error.h"
#include "linalg/cmplx.h"
#include "linalg/kernel.h"
#include "mimo/ppzf.h"
#include "mimo/scheme.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Least pivot (sine squared of a user's angle to the others): from there on zero-forcing is compared with RZF, one by
 * one; and the nulls of a single-precision solution stay 60 dB below the signal (the error is about 2^-23 / pivot) down
 * to a tenth of it. */
static const float PIVOT_MIN = (float)MIMO_NEAR_SINGULAR;
static const float MAXMIN_TOLERANCE = 1e-4f;
enum { MAXMIN_ITERATIONS = 240 }; /* users far apart balance slowly; the solver for one subband is slower still */

struct batch {
    struct mimo_shape shape;
    const struct kernel_ops *ops;
    float *storage;
    float *H, *A, *work, *local;                                    /* [rows][n_ue][2][lane], work of zf */
    float *E, *b;                                                   /* [n_ap][n_ue][lane]: times P, and shares of P */
    float *P, *share;                                               /* [n_ap][lane] */
    float *eta, *interference, *sinr;                               /* [n_ue][lane] */
    float *packed[KERNEL_LANES_MAX];                                /* [rows][n_ue][2], active entries of one subband */
    float *packed_E[KERNEL_LANES_MAX], *packed_P[KERNEL_LANES_MAX]; /* [n_ap][n_ue], [n_ap] */
    float *R, *C, *F, *noise; /* [rows][n_ue][2], [n_ue][n_ue][2], [n_ue][n_ue], [n_ue] */
    float *beta, *gamma;      /* [n_ap][n_ue] */
    float *packed_beta[KERNEL_LANES_MAX];
    double *group_beta;            /* [n_ue] */
    uint8_t *strong;               /* [n_ue] */
    int *order, *n_strong, *other; /* [n_ap][n_ue], [n_ap], [n_ue] */
    float *each;                   /* [n_ap][n_ue] amplitudes of cb maxmin, for subbands with these figures */
    struct mimo_channel each_figures;
    int each_n_ap, each_n_ue, each_reason;
    int n_ap, n_ue, *ap, *ue; /* packed -> original index, [n_ap] and [n_ue] */
};

int batch_lanes(const batch_t *batch)
{
    return batch ? batch->ops->n_lane : 1;
}

static size_t place(struct batch *b, float *base)
{
    const size_t m = (size_t)b->shape.n_ap, k = (size_t)b->shape.n_ue, l = m * (size_t)b->shape.n_ant;
    const size_t lanes = (size_t)b->ops->n_lane;
    size_t used = 0;
    b->H = kernel_take(base, &used, 2 * l * k * lanes);
    b->A = kernel_take(base, &used, 2 * l * k * lanes);
    b->work = kernel_take(base, &used, (kernel_zf_work(b->shape.n_ue) + m) * lanes);
    const size_t local = kernel_local_work(b->shape.n_ant, b->shape.n_ue) * lanes;
    b->local = kernel_take(base, &used, local);
    b->R = kernel_take(base, &used, 2 * l * k * lanes);
    b->C = kernel_take(base, &used, 2 * k * k * lanes);
    b->F = kernel_take(base, &used, k * k * lanes);
    b->noise = kernel_take(base, &used, k * lanes);
    b->beta = kernel_take(base, &used, m * k * lanes);
    b->gamma = kernel_take(base, &used, m * k * lanes);
    b->E = kernel_take(base, &used, m * k * lanes);
    b->b = kernel_take(base, &used, m * k * lanes);
    b->each = kernel_take(base, &used, m * k);
    b->P = kernel_take(base, &used, m * lanes);
    b->share = kernel_take(base, &used, m * lanes);
    b->eta = kernel_take(base, &used, k * lanes);
    b->interference = kernel_take(base, &used, k * lanes);
    b->sinr = kernel_take(base, &used, k * lanes);
    for (int s = 0; s < b->ops->n_lane; s++) {
        b->packed[s] = kernel_take(base, &used, 2 * l * k);
        b->packed_E[s] = kernel_take(base, &used, m * k);
        b->packed_P[s] = kernel_take(base, &used, m);
        b->packed_beta[s] = kernel_take(base, &used, m * k);
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
    b->group_beta = calloc((size_t)shape->n_ue, sizeof *b->group_beta);
    b->strong = calloc((size_t)shape->n_ue, sizeof *b->strong);
    b->order = calloc((size_t)(shape->n_ap + 1) * (size_t)shape->n_ue, sizeof *b->order);
    b->n_strong = calloc((size_t)shape->n_ap, sizeof *b->n_strong);
    b->other = b->order ? b->order + (size_t)shape->n_ap * (size_t)shape->n_ue : NULL;
    if (!b->storage || !b->ap || !b->ue || !b->group_beta || !b->strong || !b->order || !b->n_strong) {
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
    free(batch->group_beta);
    free(batch->strong);
    free(batch->order);
    free(batch->n_strong);
    free(batch);
}

void batch_use_each(batch_t *batch, const struct mimo_channel *figures, int n_ap, int n_ue, const double *amplitude,
                    int reason)
{
    batch->each_figures = *figures;
    batch->each_n_ap = n_ap;
    batch->each_n_ue = n_ue;
    batch->each_reason = reason;
    for (int i = 0; i < n_ap * n_ue; i++) {
        batch->each[i] = (float)amplitude[i];
    }
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

/* All subbands of a block have one mask, as a rule one array. */
static bool same_mask(const uint8_t *one, const uint8_t *other, int n)
{
    return one == other || memcmp(one, other, (size_t)n) == 0;
}

static bool same_active(const struct batch *b, const struct mimo_channel *one, const struct mimo_channel *other)
{
    bool same = same_mask(one->ap_active, other->ap_active, b->shape.n_ap) &&
                same_mask(one->ue_active, other->ue_active, b->shape.n_ue);
    for (int m = 0; m < b->shape.n_ap && same && one->ap_power != other->ap_power; m++) {
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
                   const float **P, const float **beta)
{
    *H = (const float *)channel->H_hat;
    *E = channel->error_variance;
    *P = channel->ap_power;
    *beta = channel->beta;
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
            b->packed_beta[s][m * b->n_ue + k] = *beta ? (*beta)[ap * n_ue + (size_t)b->ue[k]] : 0;
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
    *beta = *beta ? b->packed_beta[s] : NULL;
}

/* Packed inputs of each lane; the last subband again where there are fewer than lanes. */
struct inputs {
    const float *H[KERNEL_LANES_MAX], *E[KERNEL_LANES_MAX], *P[KERNEL_LANES_MAX], *beta[KERNEL_LANES_MAX];
};

/* Complex numbers come interleaved, so entry 2 i and 2 i + 1 of the packed array are the two vectors of entry i. */
static void load(struct batch *b, int n_sb, const struct mimo_channel *channels, struct inputs *in)
{
    const struct kernel_ops *ops = b->ops;
    for (int s = 0; s < ops->n_lane; s++) {
        gather(b, s, &channels[s < n_sb ? s : n_sb - 1], &in->H[s], &in->E[s], &in->P[s], &in->beta[s]);
    }
    ops->pack(2 * b->n_ap * b->shape.n_ant * b->n_ue, in->H, b->H);
    ops->pack(b->n_ap * b->n_ue, in->E, b->E);
    ops->pack(b->n_ap, in->P, b->P);
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

/* use [lane]: the share of its budget that the worst AP uses; not a number when anything stored is not finite. */
static void store(struct batch *b, int n_sb, struct mimo_solution *solutions, float *use)
{
    const struct kernel_ops *ops = b->ops;
    float *W[KERNEL_LANES_MAX];
    const bool direct = all_active(b);
    for (int s = 0; s < ops->n_lane; s++) {
        W[s] = direct && s < n_sb ? (float *)solutions[s].W : b->packed[s];
    }
    ops->unpack(b->n_ap, b->shape.n_ant, b->n_ue, b->A, b->eta, b->P, W, use);
    for (int s = 0; s < n_sb; s++) {
        if (!direct) {
            scatter(b, s, &solutions[s]);
        }
        memset(solutions[s].sinr, 0, (size_t)b->shape.n_ue * sizeof *solutions[s].sinr);
        for (int k = 0; k < b->n_ue; k++) {
            const float sinr = b->sinr[k * ops->n_lane + s];
            solutions[s].sinr[b->ue[k]] = sinr;
            use[s] += 0 * sinr;
        }
        solutions[s].reason = MIMO_REASON_ASKED;
        solutions[s].sinr_bound = NAN;
        solutions[s].iterations = 0;
    }
}

/* Strong users of packed AP m by lane s's large-scale gains, strong users first; users without an estimate count
 * nothing. Returns how many are strong. */
static int find_order(struct batch *b, enum mimo_scheme scheme, double upsilon, const float *beta, int m, int *order)
{
    const int n = b->n_ue;
    int n_order = 0, n_strong = 0;
    for (int k = 0; k < n; k++) {
        const bool usable = b->gamma[(m * n + k) * b->ops->n_lane] > 0; /* in all lanes or in none */
        b->group_beta[k] = usable ? (double)beta[m * n + k] : 0;
    }
    ppzf_group(scheme, b->shape.n_ant, n, b->group_beta, upsilon, b->strong);
    for (int k = 0; k < n; k++) {
        b->strong[k] = b->strong[k] && b->group_beta[k] > 0;
        n_strong += b->strong[k];
    }
    for (int strong = 1; strong >= 0; strong--) {
        for (int k = 0; k < n; k++) {
            if (b->strong[k] == strong) {
                order[n_order++] = k;
            }
        }
    }
    return n_strong;
}

/* Strong users of every AP, for the lanes that agree with the first; a bit for each of the others. */
static unsigned find_orders(struct batch *b, enum mimo_scheme scheme, double upsilon, int n_sb, const struct inputs *in)
{
    const int n = b->n_ue;
    unsigned left = 0;
    for (int m = 0; m < b->n_ap; m++) {
        b->n_strong[m] = find_order(b, scheme, upsilon, in->beta[0], m, b->order + m * n);
    }
    for (int s = 1; s < n_sb; s++) {
        const bool same = memcmp(in->beta[s], in->beta[0], (size_t)(b->n_ap * n) * sizeof *in->beta[s]) == 0;
        for (int m = 0; m < b->n_ap && !same; m++) {
            const int n_strong = find_order(b, scheme, upsilon, in->beta[s], m, b->other);
            if (n_strong != b->n_strong[m] || memcmp(b->other, b->order + m * n, (size_t)n * sizeof *b->other)) {
                left |= 1u << s;
            }
        }
    }
    return left;
}

/* Beams of the schemes that each AP solves alone. Returns the subbands that are left. */
static unsigned local_beams(struct batch *b, enum mimo_scheme scheme, bool mean, double upsilon, int n_sb,
                            const struct inputs *in, float *pivot)
{
    const struct kernel_ops *ops = b->ops;
    const int n = b->n_ue, per_ap = b->shape.n_ant * n, lanes = ops->n_lane;
    const unsigned all = (1u << n_sb) - 1;
    if (!in->beta[0]) {
        return all; /* strong users by the estimates themselves: others in every subband */
    }
    for (int s = 1; s < lanes; s++) {
        if (!in->beta[s]) {
            return all;
        }
    }
    ops->pack(b->n_ap * n, in->beta, b->beta);
    if (!ops->gamma(b->n_ap * n, b->beta, b->E, b->gamma)) {
        return all;
    }
    const unsigned left = find_orders(b, scheme, upsilon, n_sb, in);
    memset(b->C, 0, (size_t)(2 * n * n * lanes) * sizeof *b->C);
    for (int s = 0; s < lanes; s++) {
        pivot[s] = 1;
    }
    for (int m = 0; m < b->n_ap; m++) {
        const struct kernel_local local = {.n_ant = b->shape.n_ant,
                                           .n = n,
                                           .n_strong = b->n_strong[m],
                                           .order = b->order + m * n,
                                           .project = scheme != MIMO_PZF,
                                           .cap = mean ? (float)MIMO_PEAK_RATIO : 0};
        if (local.n_strong >= local.n_ant) {
            return all;
        }
        ops->local(&local, b->H + 2 * m * per_ap * lanes, b->gamma + m * n * lanes, b->P + m * lanes, b->local,
                   b->A + 2 * m * per_ap * lanes, b->C, b->b + m * n * lanes, pivot);
    }
    return left;
}

/* Subbands whose figures are not those of batch_use_each. */
static unsigned other_figures(const struct batch *b, int n_sb, const struct mimo_channel *channels)
{
    const struct mimo_channel *one = &b->each_figures;
    unsigned left = 0;
    for (int s = 0; s < n_sb; s++) {
        const struct mimo_channel *c = &channels[s];
        const bool same = c->beta == one->beta && c->error_variance == one->error_variance &&
                          c->ap_power == one->ap_power && c->eta == one->eta;
        left |= same && b->each_n_ap == b->n_ap && b->each_n_ue == b->n_ue && one->beta ? 0 : 1u << s;
    }
    return left;
}

/* Beams A, and C = H^H A unless it is the identity (zf). Returns the subbands that are left. */
static unsigned beams(struct batch *b, enum mimo_scheme scheme, enum mimo_power power, double upsilon, int n_sb,
                      const struct mimo_channel *channels, const struct inputs *in, float *pivot)
{
    const struct kernel_ops *ops = b->ops;
    const int n_ap = b->n_ap, n_ant = b->shape.n_ant, n = b->n_ue;
    switch (scheme) {
    case MIMO_ZF:
        ops->zf(n_ap, n_ant, n, b->H, b->P, b->work, b->A, b->b, pivot);
        return 0;
    case MIMO_RZF:
        ops->rzf(n_ap, n_ant, n, b->H, b->E, b->P, b->work, b->R, b->A, b->C, b->b, pivot);
        return 0;
    case MIMO_CB:
        if (power == MIMO_POWER_MAXMIN) {
            ops->cb_each(n_ap, n_ant, n, b->H, b->each, b->P, (float)MIMO_PEAK_RATIO, b->A, b->C, b->b, pivot);
            return other_figures(b, n_sb, channels);
        }
        if (power == MIMO_POWER_EQUAL_SHARES) {
            return local_beams(b, scheme, true, upsilon, n_sb, in, pivot);
        }
        ops->cb(n_ap, n_ant, n, b->H, b->P, b->A, b->C, b->b);
        for (int s = 0; s < ops->n_lane; s++) {
            pivot[s] = 1;
        }
        return 0;
    default:
        return local_beams(b, scheme, mimo_holds_mean(scheme, power), upsilon, n_sb, in, pivot);
    }
}

/* eta and share. */
static void powers(struct batch *b, enum mimo_scheme scheme, enum mimo_power power, const struct kernel_links *links,
                   float *spread)
{
    const struct kernel_ops *ops = b->ops;
    if (scheme == MIMO_CB && power == MIMO_POWER_MAXMIN) { /* in the beams already */
        ops->one(links, b->eta, b->share);
        return;
    }
    switch (power) {
    case MIMO_POWER_EQUAL_RECEIVED:
        ops->received(links, b->eta, b->share);
        break;
    case MIMO_POWER_EQUAL_SENT:
        ops->unit(links, b->P, b->eta, b->share);
        break;
    case MIMO_POWER_EQUAL_SHARES:
    case MIMO_POWER_BY_STRENGTH: /* in the beams already */
        ops->one(links, b->eta, b->share);
        break;
    default:
        ops->maxmin(links, MAXMIN_ITERATIONS, MAXMIN_TOLERANCE, b->eta, b->share, b->interference, spread);
    }
}

/* Whether what was written holds: finite, and the worst AP at its budget, or within its peak where budgets hold on
 * average. Single precision runs out of range before double does. */
static bool is_sound(const struct batch *b, bool mean, float use)
{
    const float n = 2 * (float)b->shape.n_ant * (float)b->n_ue; /* the sum rounds, in four parts */
    const float most = (mean ? (float)MIMO_PEAK_RATIO : 1) * (1 + 1e-6f + n * 0x1p-26f);
    return use > (mean ? 0 : 0.99f) && use < most;
}

static bool serves(const struct batch *b, enum mimo_scheme scheme)
{
    const int n = b->n_ue, rows = b->n_ap * b->shape.n_ant;
    const unsigned others = MIMO_CLUSTER_SCHEMES | MIMO_ONLY(MIMO_OB) | MIMO_ONLY(MIMO_ANALOG);
    if (n == 0 || b->n_ap == 0 || others & MIMO_ONLY(scheme)) {
        return false;
    }
    return scheme == MIMO_ZF ? n <= rows : scheme != MIMO_FZF || n < b->shape.n_ant;
}

unsigned batch_execute(batch_t *batch, enum mimo_scheme scheme, enum mimo_power asked, double upsilon, int n_sb,
                       const struct mimo_channel *channels, struct mimo_solution *solutions)
{
    const enum mimo_power power = mimo_power_on_rung(scheme, scheme, asked);
    if (MIMO_RLSPA_POWER & MIMO_ONLY(power)) { /* least squares: not here */
        return (1u << n_sb) - 1;
    }
    struct batch *b = batch;
    const struct kernel_ops *ops = b->ops;
    const unsigned all = (1u << n_sb) - 1;
    const bool mean = mimo_holds_mean(scheme, power);
    struct inputs in;
    select_active(b, channels);
    bool same = serves(b, scheme) && !(channels->serves && mimo_scheme_is_local((int)scheme));
    for (int s = 1; s < n_sb && same; s++) {
        same = same_active(b, channels, &channels[s]);
    }
    if (!same) {
        return all;
    }
    load(b, n_sb, channels, &in);
    float pivot[KERNEL_LANES_MAX], spread[KERNEL_LANES_MAX] = {0};
    unsigned left = beams(b, scheme, power, upsilon, n_sb, channels, &in, pivot);
    if (left == all) {
        return all;
    }
    const int n = b->n_ue;
    struct kernel_links links = {.n_ap = b->n_ap, .n = n, .E = b->E, .b = b->b};
    ops->weigh(b->n_ap, n, b->P, b->E);
    if (scheme != MIMO_ZF) {
        ops->couple(b->n_ap, n, b->C, b->F, b->noise, b->E);
        links.F = b->F;
        links.noise = b->noise;
    }
    powers(b, scheme, power, &links, spread);
    /* the rounding of sums of n_ant and n_ue squares must not push an AP over its budget */
    const float guard = 1 - (float)(b->shape.n_ant + n + 8) * 0x1p-24f;
    ops->finish(&links, guard, b->share, b->eta, b->sinr);
    float use[KERNEL_LANES_MAX];
    store(b, n_sb, solutions, use);
    for (int s = 0; s < n_sb; s++) {
        if (scheme == MIMO_CB && power == MIMO_POWER_MAXMIN) {
            solutions[s].reason = b->each_reason;
        }
        if (!(pivot[s] >= PIVOT_MIN) || !(spread[s] <= MAXMIN_TOLERANCE) || !is_sound(b, mean, use[s])) {
            left |= 1u << s;
        }
    }
    return left;
}
