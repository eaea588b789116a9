/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/cluster_lanes.h"

#include "base/error.h"
#include "linalg/cmplx.h"
#include "linalg/kernel.h"
#include "mimo/scheme.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Least pivot (sine squared of a user's angle to the others): the error of a beam is about 2^-23 over it, 60 dB below
 * the signal. */
static const float PIVOT_MIN = 1e-3f;
/* More than that, squared, is left to double precision. */
static const float LARGEST = 1e15f;

struct cluster_lanes {
    struct mimo_shape shape;
    const struct kernel_ops *ops;
    float *storage;
    float *H, *V, *work; /* at most [rows][n_ue][2][lane], see struct kernel_cluster; beams' rows one after the other,
                            [..][n_ant][2][lane] */
    float *energy;       /* [n_ap n_ue][lane] of each beam at each of its APs, one after the other */
    float *load, *sent;  /* [n_ap][lane] */
    float *norm2, *most, *weight; /* [n_ue][lane] */
    float *gain, *others, *own;   /* [n_ue][lane] amplitudes squared; what users receive */
    float *power;                 /* [3][n_ue][lane] */
    float *scale, *root;          /* [n_ap], [n_ue] */
    double *dual;                 /* [n_ue] */
    int *ap, *ue, *first, *n_aps; /* [n_ap], [n_ue] of one beam; [n_ue] its place in energy, and how many */
    int *heard, *n_heard;         /* [n_ap][n_ue], [n_ap] users that an AP has estimates of */
    int *place, *start;         /* [n_ap][n_ue] where a user is among them, -1: nowhere; [n_ap] where they begin in H */
    int *listener, *listed_for; /* [n_ue] users that hear one beam; the last beam, plus 1, that a user was listed for */
    int *order; /* [n_ue] one after the other those that share many APs: what is read of these is in the cache then */
    float *pilots;               /* [n_ant n_ue][2][lane] of one AP */
    float *own_unknown;          /* [n_ue][lane] of the own stream, what the errors bring */
    struct mimo_channel figures; /* of what is loaded, see cluster_lanes_begin */
    bool loaded, ordered;
};

int cluster_lanes_most(const cluster_lanes_t *lanes)
{
    return lanes->ops->n_lane;
}

static size_t place(struct cluster_lanes *c, float *base)
{
    const size_t m = (size_t)c->shape.n_ap, k = (size_t)c->shape.n_ue, rows = m * (size_t)c->shape.n_ant;
    const size_t lanes = (size_t)c->ops->n_lane;
    size_t used = 0;
    c->H = kernel_take(base, &used, 2 * rows * k * lanes);
    c->V = kernel_take(base, &used, 2 * rows * k * lanes);
    c->work = kernel_take(base, &used, kernel_cluster_work((int)rows, (int)k) * lanes);
    c->energy = kernel_take(base, &used, m * k * lanes);
    c->load = kernel_take(base, &used, m * lanes);
    c->sent = kernel_take(base, &used, m * lanes);
    c->norm2 = kernel_take(base, &used, k * lanes);
    c->most = kernel_take(base, &used, k * lanes);
    c->weight = kernel_take(base, &used, k * lanes);
    c->gain = kernel_take(base, &used, k * lanes);
    c->others = kernel_take(base, &used, k * lanes);
    c->own = kernel_take(base, &used, k * lanes);
    c->own_unknown = kernel_take(base, &used, k * lanes);
    c->pilots = kernel_take(base, &used, 2 * (size_t)c->shape.n_ant * k * lanes);
    c->power = kernel_take(base, &used, 3 * k * lanes);
    c->scale = kernel_take(base, &used, m);
    c->root = kernel_take(base, &used, k);
    return used;
}

int cluster_lanes_create(cluster_lanes_t **lanes, const struct mimo_shape *shape)
{
    struct cluster_lanes *c = *lanes = calloc(1, sizeof *c);
    const size_t m = (size_t)shape->n_ap, k = (size_t)shape->n_ue;
    if (c) {
        c->shape = *shape;
        c->ops = kernel_get();
        c->storage = aligned_alloc(64, place(c, NULL) * sizeof(float));
        c->dual = calloc(k, sizeof *c->dual);
        c->ap = calloc(3 * m + 6 * k + 2 * m * k, sizeof *c->ap);
    }
    if (!c || !c->storage || !c->dual || !c->ap) {
        return error_set(TUTTI_ENOMEM, "clusters: out of memory for %d APs, %d users", shape->n_ap, shape->n_ue);
    }
    memset(c->storage, 0, place(c, NULL) * sizeof(float));
    place(c, c->storage);
    c->ue = c->ap + m;
    c->first = c->ue + k;
    c->n_aps = c->first + k;
    c->heard = c->n_aps + k;
    c->n_heard = c->heard + m * k;
    c->place = c->n_heard + m;
    c->start = c->place + m * k;
    c->listener = c->start + m;
    c->listed_for = c->listener + k;
    c->order = c->listed_for + k;
    return 0;
}

void cluster_lanes_destroy(cluster_lanes_t *c)
{
    if (c) {
        free(c->storage);
        free(c->dual);
        free(c->ap);
        free(c);
    }
}

static bool are_the_same(const struct mimo_channel *a, const struct mimo_channel *b)
{
    const struct mimo_pilots *const p = &a->pilots, *const q = &b->pilots;
    const bool pilots = !p->P == !q->P && p->factor == q->factor && p->pilot == q->pilot && p->n_pilot == q->n_pilot;
    return pilots && a->error_variance == b->error_variance && a->ap_power == b->ap_power &&
           a->ap_active == b->ap_active && a->ue_active == b->ue_active && a->beta == b->beta &&
           a->serves == b->serves && a->knows_gain == b->knows_gain;
}

/* Lanes share all but their estimates, as in the central node. */
static bool same_figures(int n_sb, const struct mimo_channel *c)
{
    bool same = true;
    for (int s = 1; s < n_sb; s++) {
        same = same && are_the_same(c, &c[s]);
    }
    return same && c->beta; /* gains by the estimates themselves differ from subband to subband */
}

/* Active APs and users of the first subband with their figures, and who serves whom. Nobody looks at estimates here: a
 * link has one when its gain is above its error. False when one that is to serve has none, or a user nobody. */
static bool load(struct cluster_lanes *c, struct precoder *p, const struct mimo_channel *channel)
{
    struct mimo_problem *const q = &p->problem;
    const int n_ue = c->shape.n_ue;
    bool right = true;
    int n_entries = 0;
    q->n_ap = q->n_ue = 0;
    for (int k = 0; k < n_ue; k++) {
        if (channel->ue_active[k]) {
            c->n_aps[q->n_ue] = 0;
            q->ue[q->n_ue++] = k;
        }
    }
    for (int m = 0; m < c->shape.n_ap; m++) {
        const float *const error = channel->error_variance + m * n_ue, *const beta = channel->beta + m * n_ue;
        uint8_t *const served = p->served + q->n_ap * q->n_ue;
        c->n_heard[m] = 0;
        c->start[m] = n_entries;
        if (!channel->ap_active[m] || !(channel->ap_power[m] > 0)) {
            continue;
        }
        for (int k = 0; k < q->n_ue; k++) {
            const int ue = q->ue[k];
            const bool usable = beta[ue] > error[ue] && (!channel->pilots.P || channel->pilots.pilot[ue] >= 0);
            served[k] = !channel->serves || channel->serves[m * n_ue + ue];
            c->n_aps[k] += served[k];
            right = right && (usable || !served[k]);
            c->place[m * n_ue + ue] = usable ? c->n_heard[m] : -1;
            c->heard[m * n_ue + c->n_heard[m]] = ue; /* written over, if it is not */
            c->n_heard[m] += usable;
        }
        n_entries += c->n_heard[m] * c->shape.n_ant;
        q->P[q->n_ap] = (double)channel->ap_power[m];
        q->ap[q->n_ap++] = m;
    }
    for (int k = 0; k < q->n_ue; k++) {
        right = right && c->n_aps[k] > 0;
    }
    q->n_row = q->n_ap * c->shape.n_ant;
    return right && q->n_ue > 0;
}

/* Estimates of the users that an AP hears; whole rows when it hears all. */
static void pack_ap(struct cluster_lanes *c, int m, const float *const *from)
{
    const int n_ue = c->shape.n_ue, n_ant = c->shape.n_ant, lanes = c->ops->n_lane, n = c->n_heard[m];
    float *to = c->H + 2 * (size_t)c->start[m] * (size_t)lanes;
    const float *here[KERNEL_LANES_MAX];
    for (int s = 0; s < lanes; s++) {
        here[s] = from[s] + 2 * m * n_ant * n_ue;
    }
    if (n == n_ue) {
        c->ops->pack(2 * n_ant * n_ue, here, to);
        return;
    }
    for (int i = 0; i < n_ant * n; i++, to += 2 * lanes) {
        const int at = 2 * (i / n * n_ue + c->heard[m * n_ue + i % n]);
        for (int s = 0; s < lanes; s++) {
            to[s] = here[s][at];
            to[lanes + s] = here[s][at + 1];
        }
    }
}

/* The same from the estimates of pilots: a row of pilots into lanes, then the users' parts of it. */
static void pack_pilots(struct cluster_lanes *c, int m, const struct mimo_pilots *pilots, const float *const *from)
{
    const int n_ue = c->shape.n_ue, n_ant = c->shape.n_ant, width = 2 * c->ops->n_lane, n = c->n_heard[m];
    const int *const heard = c->heard + m * n_ue;
    const float *here[KERNEL_LANES_MAX];
    float *restrict to = c->H + (size_t)c->start[m] * (size_t)width;
    for (int s = 0; s < c->ops->n_lane; s++) {
        here[s] = from[s] + 2 * m * n_ant * pilots->n_pilot;
    }
    c->ops->pack(2 * n_ant * pilots->n_pilot, here, c->pilots);
    for (int a = 0; a < n_ant; a++) {
        for (int i = 0; i < n; i++, to += width) {
            const float factor = pilots->factor[m * n_ue + heard[i]];
            const float *restrict const row = c->pilots + (a * pilots->n_pilot + pilots->pilot[heard[i]]) * width;
            for (int s = 0; s < width; s++) {
                to[s] = factor * row[s];
            }
        }
    }
}

static void pack(struct cluster_lanes *c, const struct mimo_problem *q, int n_sb, const struct mimo_channel *channels)
{
    const float *from[KERNEL_LANES_MAX];
    const struct mimo_pilots *const pilots = &channels->pilots;
    for (int s = 0; s < c->ops->n_lane; s++) {
        const struct mimo_channel *const channel = &channels[s < n_sb ? s : n_sb - 1];
        from[s] = (const float *)(pilots->P ? channel->pilots.P : channel->H_hat);
    }
    for (int m = 0; m < q->n_ap; m++) {
        if (pilots->P) {
            pack_pilots(c, q->ap[m], pilots, from);
        } else {
            pack_ap(c, q->ap[m], from);
        }
    }
}

/* Lists packed user k's APs and neighbours by their original numbers, itself last. */
static struct kernel_cluster list(struct cluster_lanes *c, const struct precoder *p, bool errors, int k)
{
    const struct mimo_problem *q = &p->problem;
    struct kernel_cluster cluster = {.n_ant = c->shape.n_ant,
                                     .n_ue = c->shape.n_ue,
                                     .ap = c->ap,
                                     .ue = c->ue,
                                     .heard = c->heard,
                                     .place = c->place,
                                     .n_heard = c->n_heard,
                                     .first = c->start};
    const int *const ap = vectors_aps(p->vectors, k, &cluster.n_ap);
    const int *const neighbour = vectors_neighbours(p->vectors, k, &cluster.n);
    int n = 0;
    for (int i = 0; i <= cluster.n; i++) {
        const int user = i < cluster.n ? neighbour[i] : k;
        if (user != k || i == cluster.n) {
            c->ue[n] = q->ue[user];
            c->root[n++] = (float)sqrt(c->dual[user]);
        }
    }
    for (int m = 0; m < cluster.n_ap; m++) {
        double z = 1;
        const float *const error = c->figures.error_variance + q->ap[ap[m]] * c->shape.n_ue;
        for (int i = 0; i < cluster.n && errors; i++) {
            z += c->dual[neighbour[i]] * (double)error[q->ue[neighbour[i]]];
        }
        c->ap[m] = q->ap[ap[m]];
        c->scale[m] = (float)(1 / sqrt(z));
    }
    cluster.scale = c->scale;
    cluster.amplitude = c->root;
    return cluster;
}

/* All beams; the least pivots to least [lane]. */
static void make_beams(struct cluster_lanes *c, const struct precoder *p, bool errors, float *least)
{
    const int lanes = c->ops->n_lane;
    int at = 0;
    for (int i = 0; i < p->problem.n_ue; i++) {
        const int k = c->order[i];
        const struct kernel_cluster cluster = list(c, p, errors, k);
        float pivot[KERNEL_LANES_MAX], *const energy = c->energy + at * lanes;
        c->first[k] = at;
        c->n_aps[k] = cluster.n_ap;
        c->ops->cluster(&cluster, c->H, c->work, c->V + 2 * at * c->shape.n_ant * lanes, energy, pivot);
        at += cluster.n_ap;
        for (int s = 0; s < lanes; s++) {
            float sum = 0, most = 0;
            for (int m = 0; m < cluster.n_ap; m++) {
                sum += energy[m * lanes + s];
                most = fmaxf(most, energy[m * lanes + s]);
            }
            c->norm2[k * lanes + s] = sum;
            c->most[k * lanes + s] = most / sum;
            least[s] = sum > 1 / LARGEST && sum < LARGEST ? fminf(least[s], pivot[s]) : 0;
        }
    }
}

/* Squares of amplitudes by (7.43), a guard below the budget for what sums in single precision round. */
static void share_power(struct cluster_lanes *c, struct precoder *p, const float *beta)
{
    const struct mimo_problem *q = &p->problem;
    const int lanes = c->ops->n_lane, n = q->n_ue;
    const float guard = 1 - (float)(c->shape.n_ant + n + 16) * 0x1p-23f;
    memset(c->load, 0, (size_t)(c->shape.n_ap * lanes) * sizeof *c->load);
    for (int k = 0; k < n; k++) {
        int n_aps;
        const int *const ap = vectors_aps(p->vectors, k, &n_aps);
        double gain = 0;
        for (int m = 0; m < n_aps; m++) {
            gain += (double)beta[q->ap[ap[m]] * c->shape.n_ue + q->ue[k]];
        }
        for (int s = 0; s < lanes; s++) {
            c->weight[k * lanes + s] = (float)sqrt((double)c->most[k * lanes + s] / gain);
        }
        for (int i = 0; i < n_aps * lanes; i++) {
            c->load[ap[i / lanes] * lanes + i % lanes] += c->weight[k * lanes + i % lanes];
        }
    }
    for (int k = 0; k < n; k++) {
        int n_aps;
        const int *const ap = vectors_aps(p->vectors, k, &n_aps);
        for (int s = 0; s < lanes; s++) {
            float least = INFINITY;
            for (int m = 0; m < n_aps; m++) {
                least = fminf(least, (float)q->P[ap[m]] / c->load[ap[m] * lanes + s]);
            }
            const int i = k * lanes + s;
            c->gain[i] = guard * least * c->weight[i] / c->most[i] / c->norm2[i];
        }
    }
}

/* Users that hear anything of beam k. */
static void list_listeners(struct cluster_lanes *c, struct kernel_cluster *cluster, int k)
{
    cluster->n_listener = 0;
    cluster->listener = c->listener;
    for (int m = 0; m < cluster->n_ap; m++) {
        const int *const heard = c->heard + cluster->ap[m] * c->shape.n_ue;
        for (int i = 0; i < c->n_heard[cluster->ap[m]]; i++) {
            if (c->listed_for[heard[i]] != k + 1) {
                c->listed_for[heard[i]] = k + 1;
                c->listener[cluster->n_listener++] = heard[i];
            }
        }
    }
}

/* Beam k at those that hear it, and what its APs send for it. */
static void receive_beam(struct cluster_lanes *c, const struct precoder *p, int k)
{
    const int lanes = c->ops->n_lane, ue = p->problem.ue[k];
    struct kernel_cluster cluster = list(c, p, false, k);
    const float *const gain = c->gain + k * lanes, *const energy = c->energy + c->first[k] * lanes;
    float *const own = c->power + ue * lanes, *const own_unknown = c->own_unknown + k * lanes;
    list_listeners(c, &cluster, k);
    c->ops->heard(&cluster, c->H, c->V + 2 * c->first[k] * c->shape.n_ant * lanes, c->power);
    for (int s = 0; s < lanes; s++) {
        c->own[k * lanes + s] = gain[s] * own[s];
        own[s] = own_unknown[s] = 0;
    }
    for (int i = 0; i < cluster.n_listener; i++) {
        const float *const power = c->power + c->listener[i] * lanes;
        float *const others = c->others + c->listener[i] * lanes;
        for (int s = 0; s < lanes; s++) {
            others[s] += gain[s] * power[s];
        }
    }
    for (int m = 0; m < cluster.n_ap; m++) {
        const float error = c->figures.error_variance[cluster.ap[m] * c->shape.n_ue + ue];
        for (int s = 0; s < lanes; s++) {
            const float sent = gain[s] * energy[m * lanes + s];
            c->sent[cluster.ap[m] * lanes + s] += sent;
            own_unknown[s] += error * sent;
        }
    }
}

/* What each user receives of its own stream, and of everything else. */
static void receive(struct cluster_lanes *c, const struct precoder *p)
{
    const struct mimo_problem *q = &p->problem;
    const int lanes = c->ops->n_lane, n_ue = c->shape.n_ue;
    memset(c->others, 0, (size_t)(n_ue * lanes) * sizeof *c->others);
    memset(c->sent, 0, (size_t)(c->shape.n_ap * lanes) * sizeof *c->sent);
    memset(c->listed_for, 0, (size_t)n_ue * sizeof *c->listed_for);
    for (int k = 0; k < q->n_ue; k++) {
        receive_beam(c, p, c->order[k]);
    }
    c->ops->unknown(c->shape.n_ap, n_ue, c->figures.error_variance, c->sent, c->others);
    for (int i = 0; c->figures.knows_gain && i < q->n_ue * lanes; i++) {
        float *const others = c->others + q->ue[i / lanes] * lanes + i % lanes;
        *others = fmaxf(*others - c->own_unknown[i], 0);
        c->own[i] += c->own_unknown[i];
    }
}

static void clear(const struct cluster_lanes *c, struct mimo_solution *solution)
{
    const size_t n_ue = (size_t)c->shape.n_ue;
    if (!solution->zeroed) {
        memset(solution->W, 0, (size_t)(c->shape.n_ap * c->shape.n_ant) * n_ue * sizeof *solution->W);
    }
    memset(solution->sinr, 0, n_ue * sizeof *solution->sinr);
    for (size_t k = 0; solution->shape && k < n_ue; k++) {
        solution->shape[k] = 0;
    }
    solution->reason = MIMO_REASON_ASKED;
    solution->sinr_bound = NAN;
    solution->iterations = 0;
}

/* Beam k of all subbands into its places. */
static void store_beam(const struct cluster_lanes *c, const struct precoder *p, int k, int n_sb,
                       struct mimo_solution *solutions)
{
    const struct mimo_problem *q = &p->problem;
    const int lanes = c->ops->n_lane, n_ant = c->shape.n_ant;
    const float *v = c->V + 2 * c->first[k] * n_ant * lanes;
    const int n_ue = c->shape.n_ue;
    int n_aps;
    const int *const ap = vectors_aps(p->vectors, k, &n_aps);
    for (int s = 0; s < n_sb; s++) {
        const float amplitude = sqrtf(c->gain[k * lanes + s]);
        tutti_cf32 *const W = solutions[s].W + q->ue[k];
        const float *from = v + s;
        for (int m = 0; m < n_aps; m++) {
            tutti_cf32 *w = W + q->ap[ap[m]] * n_ant * n_ue;
            for (int a = 0; a < n_ant; a++, w += n_ue, from += 2 * lanes) {
                *w = CMPLXF(amplitude * from[0], amplitude * from[lanes]);
            }
        }
    }
}

/* Beams and SINRs into their places; finite [lane]: 0 where all is. */
static void store(const struct cluster_lanes *c, const struct precoder *p, int n_sb, struct mimo_solution *solutions,
                  float *finite)
{
    const struct mimo_problem *q = &p->problem;
    const int lanes = c->ops->n_lane;
    for (int s = 0; s < n_sb; s++) {
        clear(c, &solutions[s]);
        finite[s] = 0; /* and 0 times anything finite */
    }
    for (int i = 0; i < q->n_ue; i++) { /* who follows shares APs: the same pages */
        const int k = c->order[i];
        store_beam(c, p, k, n_sb, solutions);
        for (int s = 0; s < n_sb; s++) {
            const float sinr = c->own[k * lanes + s] / (c->others[q->ue[k] * lanes + s] + 1);
            solutions[s].sinr[q->ue[k]] = sinr;
            finite[s] += 0 * sinr + 0 * c->gain[k * lanes + s];
        }
    }
}

void cluster_lanes_begin(cluster_lanes_t *c)
{
    c->loaded = false;
}

/* APs that two users share, both lists ascending. */
static int n_shared(const vectors_t *v, int k, int j)
{
    int n_k, n_j, n = 0;
    const int *const a = vectors_aps(v, k, &n_k), *const b = vectors_aps(v, j, &n_j);
    for (int i = 0, l = 0; i < n_k && l < n_j;) {
        n += a[i] == b[l];
        const bool first = a[i] <= b[l], second = b[l] <= a[i];
        i += first;
        l += second;
    }
    return n;
}

/* From user to user, to the one that shares most with the last. */
static void order_users(struct cluster_lanes *c, const struct precoder *p)
{
    const int n = p->problem.n_ue;
    int *const taken = c->listed_for;
    int next = 0;
    memset(taken, 0, (size_t)n * sizeof *taken);
    for (int i = 0; i < n; i++) {
        int n_neighbour, most = 0, first = 0;
        const int *const neighbour = vectors_neighbours(p->vectors, next, &n_neighbour);
        taken[next] = 1;
        c->order[i] = next;
        for (int j = 0; j < n_neighbour; j++) {
            const int shared = taken[neighbour[j]] ? 0 : n_shared(p->vectors, c->order[i], neighbour[j]);
            next = shared > most ? neighbour[j] : next;
            most = shared > most ? shared : most;
        }
        while (most == 0 && first < n && taken[first]) {
            first++;
        }
        next = most == 0 ? first : next;
    }
}

/* What does not differ between subbands, unless it is there already. False: these are not for lanes. */
static bool prepare(struct cluster_lanes *c, struct precoder *p, int n_sb, const struct mimo_channel *channels)
{
    if (!same_figures(n_sb, channels)) {
        return false;
    }
    if (c->loaded && are_the_same(&c->figures, channels)) {
        return true;
    }
    c->loaded = load(c, p, channels);
    c->figures = *channels;
    if (c->loaded) {
        c->ordered = !scheme_cluster_list(p) && c->ordered;
        if (!c->ordered) {
            order_users(c, p);
            c->ordered = true;
        }
        scheme_cluster_powers(p, c->dual);
    }
    return c->loaded;
}

unsigned cluster_lanes_execute(cluster_lanes_t *c, precoder_t *p, bool errors, int n_sb,
                               const struct mimo_channel *channels, struct mimo_solution *solutions)
{
    unsigned left = (1u << n_sb) - 1;
    float least[KERNEL_LANES_MAX], finite[KERNEL_LANES_MAX];
    if (!prepare(c, p, n_sb, channels)) {
        return left;
    }
    for (int s = 0; s < c->ops->n_lane; s++) {
        least[s] = 1;
    }
    pack(c, &p->problem, n_sb, channels);
    make_beams(c, p, errors, least);
    share_power(c, p, channels->beta);
    receive(c, p);
    store(c, p, n_sb, solutions, finite);
    for (int s = 0; s < n_sb; s++) {
        if (least[s] >= PIVOT_MIN && finite[s] == 0) {
            left &= ~(1u << s);
        }
    }
    return left;
}
