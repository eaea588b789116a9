/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops of the weighted-gap solver; included by gap_<variant>.c, each compiled for its own instruction set with
 * GAP_OPS and GAP_DOUBLES (numbers in a register) defined. */
#include "control/gap_core.h"

#include <math.h>
#include <string.h>

typedef double vec __attribute__((vector_size(8 * GAP_DOUBLES), aligned(8 * GAP_DOUBLES), may_alias));
typedef long long mask __attribute__((vector_size(8 * GAP_DOUBLES), may_alias));
_Static_assert(GAP_PAD % (2 * GAP_DOUBLES) == 0, "two registers at a time");

static inline double vec_sum(vec v)
{
    double s = 0;
    for (int i = 0; i < GAP_DOUBLES; i++) {
        s += v[i];
    }
    return s;
}

/* Two sums at a time hide the latency of an addition. */
static double dot(size_t n, const double *a, const double *b)
{
    vec s0 = {0}, s1 = {0};
    for (size_t i = 0; i < n; i += 2 * GAP_DOUBLES) {
        s0 += *(const vec *)(a + i) * *(const vec *)(b + i);
        s1 += *(const vec *)(a + i + GAP_DOUBLES) * *(const vec *)(b + i + GAP_DOUBLES);
    }
    return vec_sum(s0 + s1);
}

static void totals(struct gap *gap, const double *q)
{
    const size_t stride = gap->stride;
    const double *const noise = q + (size_t)gap->n_ue * stride;
    for (size_t i = 0; i < stride; i += GAP_DOUBLES) {
        vec sum = *(const vec *)(noise + i) * *(const vec *)(noise + i), plain = {0};
        for (int k = 0; k < gap->n_ue; k++) {
            const size_t j = (size_t)k * stride + i;
            const vec power = *(const vec *)(q + j) * *(const vec *)(q + j);
            if (gap->plain) {
                const vec share = power * *(const vec *)(gap->unprojected + j);
                plain += share;
                sum += power - share;
            } else {
                sum += power;
            }
        }
        *(vec *)(gap->total + i) = sum;
        *(vec *)(gap->total_plain + i) = plain;
    }
}

static void forward_eve(struct gap *gap, const double *q)
{
    const size_t stride = gap->stride;
    vec coherent = {0}, own = {0}, all = {0}, all_plain = {0};
    for (size_t i = 0; i < stride; i += GAP_DOUBLES) {
        const vec amplitude = *(const vec *)(q + i), power = amplitude * amplitude;
        const vec leak = *(const vec *)(gap->leak_eve + i), leak_plain = *(const vec *)(gap->leak_plain_eve + i);
        const vec share = power * *(const vec *)(gap->unprojected + i);
        coherent += amplitude * *(const vec *)(gap->gain_eve + i);
        own += power * leak;
        all += leak * (*(const vec *)(gap->total + i) - (power - share));
        all_plain += leak_plain * (*(const vec *)(gap->total_plain + i) - share);
    }
    gap->coherent = vec_sum(coherent);
    gap->n_eve = gap->coherent * gap->coherent + vec_sum(own);
    gap->d_eve = 1 + vec_sum(all + all_plain);
}

static void forward(struct gap *gap, const double *q)
{
    const size_t stride = gap->stride;
    totals(gap, q);
    for (int k = 0; k < gap->n_ue; k++) {
        const size_t j = (size_t)k * stride;
        gap->x[k] = dot(stride, gap->gain + j, q + j);
        gap->y[k] = 1 + dot(stride, gap->leak + j, gap->total);
        if (gap->plain) {
            gap->y[k] += dot(stride, gap->leak_plain + j, gap->total_plain);
        }
    }
    forward_eve(gap, q);
}

/* Twice the derivative by each of the two totals. */
static void slopes(struct gap *gap)
{
    const size_t stride = gap->stride;
    for (size_t i = 0; i < stride; i += GAP_DOUBLES) {
        vec s = 2 * gap->by_d * *(const vec *)(gap->leak_eve + i);
        vec p = 2 * gap->by_d * *(const vec *)(gap->leak_plain_eve + i);
        for (int k = 0; k < gap->n_ue; k++) {
            const size_t j = (size_t)k * stride + i;
            s += 2 * gap->by_y[k] * *(const vec *)(gap->leak + j);
            if (gap->plain) {
                p += 2 * gap->by_y[k] * *(const vec *)(gap->leak_plain + j);
            }
        }
        *(vec *)(gap->slope + i) = s;
        *(vec *)(gap->slope_plain + i) = p;
    }
}

/* Stream 0 is signal for the eavesdropper, where the others are noise. */
static void backward_own(const struct gap *gap, const double *q, double *gradient)
{
    const double by_coherent = 2 * gap->by_n * gap->coherent;
    for (size_t i = 0; i < gap->stride; i += GAP_DOUBLES) {
        const vec leak = *(const vec *)(gap->leak_eve + i), mark = *(const vec *)(gap->unprojected + i);
        const vec as_noise = leak + mark * (*(const vec *)(gap->leak_plain_eve + i) - leak);
        const vec extra = 2 * (gap->by_n * leak - gap->by_d * as_noise);
        *(vec *)(gradient + i) += by_coherent * *(const vec *)(gap->gain_eve + i) + extra * *(const vec *)(q + i);
    }
}

static void backward(struct gap *gap, const double *q, double *gradient)
{
    const size_t stride = gap->stride;
    slopes(gap);
    for (int k = 0; k < gap->n_ue; k++) {
        for (size_t i = 0; i < stride; i += GAP_DOUBLES) {
            const size_t j = (size_t)k * stride + i;
            vec slope = *(const vec *)(gap->slope + i);
            if (gap->plain) {
                slope += *(const vec *)(gap->unprojected + j) * (*(const vec *)(gap->slope_plain + i) - slope);
            }
            *(vec *)(gradient + j) = gap->by_x[k] * *(const vec *)(gap->gain + j) + slope * *(const vec *)(q + j);
        }
    }
    const size_t noise = (size_t)gap->n_ue * stride;
    for (size_t i = 0; i < stride; i += GAP_DOUBLES) {
        *(vec *)(gradient + noise + i) = *(const vec *)(gap->slope + i) * *(const vec *)(q + noise + i);
    }
    backward_own(gap, q, gradient);
}

/* One register of APs: clip, divide by max(1, norm). */
static void project(const struct gap *gap, const double *q, const double *gradient, double alpha, double *step,
                    size_t i)
{
    vec norm = {0}, scale;
    for (int k = 0; k <= gap->n_ue; k++) {
        const size_t j = (size_t)k * gap->stride + i;
        vec t = *(const vec *)(q + j) - alpha * *(const vec *)(gradient + j);
        t = (vec)((mask)t & (t > 0)) * *(const vec *)(gap->allowed + j);
        *(vec *)(step + j) = t;
        norm += t * t;
    }
    for (int l = 0; l < GAP_DOUBLES; l++) {
        scale[l] = norm[l] > 1 ? 1 / sqrt(norm[l]) : 1;
    }
    for (int k = 0; k <= gap->n_ue; k++) {
        const size_t j = (size_t)k * gap->stride + i;
        *(vec *)(step + j) = *(const vec *)(step + j) * scale - *(const vec *)(q + j);
    }
}

static double direct(const struct gap *gap, const double *q, const double *gradient, double alpha, double *step,
                     double *square)
{
    for (size_t i = 0; i < gap->stride; i += GAP_DOUBLES) {
        project(gap, q, gradient, alpha, step, i);
    }
    *square = dot(gap->n, step, step);
    return dot(gap->n, gradient, step);
}

static void move(const struct gap *gap, const double *q, double lambda, const double *step, double *trial)
{
    for (size_t i = 0; i < gap->n; i += GAP_DOUBLES) {
        *(vec *)(trial + i) = *(const vec *)(q + i) + lambda * *(const vec *)(step + i);
    }
}

static double curve(const struct gap *gap, const double *step, const double *g1, const double *g0, double *square)
{
    vec sum = {0}, norm = {0};
    for (size_t i = 0; i < gap->n; i += GAP_DOUBLES) {
        const vec y = *(const vec *)(g1 + i) - *(const vec *)(g0 + i);
        sum += *(const vec *)(step + i) * y;
        norm += y * y;
    }
    *square = vec_sum(norm);
    return vec_sum(sum);
}

const struct gap_ops GAP_OPS = {forward, backward, direct, move, curve};
