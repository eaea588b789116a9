/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/illuminate.h"

#include "base/error.h"
#include "channel/random.h"
#include "cpu_node/push.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct illuminate {
    const struct config *config;
    struct block_shape shape;
    float mean, peak;
    struct stream_power *used; /* [n_ap] */
    tutti_cf32 *slice;         /* [n_sb][n_ant][n_ue + n_extra] of one AP */
    float *power;              /* [n_ue + n_extra] */
    float *scale;              /* [n_sb] */
    tutti_cf32 *steering;      /* [n_zone][n_ap][n_ant] power included */
};

int illuminate_create(illuminate_t **illuminate, const struct config *config, const struct block_shape *shape)
{
    *illuminate = NULL;
    if (shape->n_zone == 0) {
        return TUTTI_OK;
    }
    illuminate_t *const s = *illuminate = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "out of memory for sensing streams");
    }
    const size_t n_stream = (size_t)(shape->n_ue + shape->n_extra), n_ap = (size_t)shape->n_ap;
    s->config = config;
    s->shape = *shape;
    push_power_limits(&config->precoding, &s->mean, &s->peak);
    s->used = calloc(n_ap, sizeof *s->used);
    s->slice = calloc((size_t)(shape->n_sb * shape->n_ant) * n_stream, sizeof *s->slice);
    s->power = calloc(n_stream, sizeof *s->power);
    s->scale = calloc((size_t)shape->n_sb, sizeof *s->scale);
    s->steering = calloc((size_t)(shape->n_zone * shape->n_ant) * n_ap, sizeof *s->steering);
    return s->used && s->slice && s->power && s->scale && s->steering
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for sensing streams");
}

void illuminate_destroy(illuminate_t *s)
{
    if (!s) {
        return;
    }
    free(s->used);
    free(s->slice);
    free(s->power);
    free(s->scale);
    free(s->steering);
    free(s);
}

static tutti_cf32 phasor(double turns)
{
    double c, s;
    random_phasor(turns - floor(turns), &c, &s);
    return CMPLXF((float)c, (float)s);
}

/* sqrt(eta_s) a(theta) of every zone, AP and antenna. */
static void steer(illuminate_t *s, const struct sensing_plan *plan)
{
    const int n_zone = s->shape.n_zone, n_ap = s->shape.n_ap, n_ant = s->shape.n_ant;
    for (int i = 0; i < n_zone * n_ap; i++) {
        const int at = i % n_ap * n_zone + i / n_ap;
        const double step = s->config->sensing.d_over_lambda * sin(plan->theta_rad[at]);
        const float amplitude = (float)sqrt(plan->eta_s[at]);
        for (int a = 0; a < n_ant; a++) {
            s->steering[i * n_ant + a] = amplitude * phasor(a * step);
        }
    }
}

/* One phase for all zones of an AP in a subband. */
static void add_streams(illuminate_t *s, struct cpu_block *block)
{
    const int n_ap = s->shape.n_ap, n_ant = s->shape.n_ant, n_sb = s->shape.n_sb;
    const bool fresh = s->config->sensing.phases == CONFIG_PHASES_FRESH;
    const struct sensing_plan plan =
        sensing_plan_in(block->plan, &(struct sensing_shape){n_ap, s->shape.n_ue, s->shape.n_zone});
    steer(s, &plan);
    for (int l = 0; l < s->shape.n_zone; l++) {
        const int stream = stream_set_add(block->streams,
                                          (struct stream){.kind = STREAM_SENSING, .source = STREAM_VECTORS, .user = l});
        tutti_cf32 *const out = stream_set_vectors(block->streams, stream);
        for (int i = 0; i < n_sb * n_ap; i++) {
            const uint64_t sb = (uint64_t)(i / n_ap), ap = (uint64_t)(i % n_ap);
            const uint64_t key = random_key(s->config->network.seed, RANDOM_SENSING, block->number, ap, sb);
            const tutti_cf32 psi = fresh ? phasor(random_uniform(key, 0)) : 1;
            const tutti_cf32 *const a = s->steering + ((size_t)(l * n_ap) + ap) * (size_t)n_ant;
            for (int n = 0; n < n_ant; n++) {
                out[i * n_ant + n] = psi * a[n];
            }
        }
    }
}

static void scale_ap(const illuminate_t *s, struct cpu_block *block, int ap)
{
    const int n_ap = s->shape.n_ap, n_ant = s->shape.n_ant, n_ue = s->shape.n_ue;
    for (int sb = 0; sb < s->shape.n_sb; sb++) {
        const size_t at = (size_t)((sb * n_ap + ap) * n_ant);
        for (int i = 0; i < n_ant * n_ue; i++) {
            block->streams->W[at * (size_t)n_ue + (size_t)i] *= s->scale[sb];
        }
        for (int l = 0; l < s->shape.n_zone; l++) {
            tutti_cf32 *const v = block->streams->extra + (size_t)(l * s->shape.n_sb * n_ap * n_ant) + at;
            for (int a = 0; a < n_ant; a++) {
                v[a] *= s->scale[sb];
            }
        }
    }
}

static void limit(illuminate_t *s, struct cpu_block *block)
{
    for (int ap = 0; ap < s->shape.n_ap; ap++) {
        if (!block->gathered[ap]) {
            continue;
        }
        stream_set_slice(block->streams, ap, s->slice, s->power);
        if (stream_power_limit(&s->used[ap], s->shape.n_sb, s->shape.n_ant, block->streams->n_stream, s->mean, s->peak,
                               s->slice, NULL, s->scale)) {
            scale_ap(s, block, ap);
        }
    }
}

/* |sum_m h_mk^H v_m|^2 of one vector over all APs, v [n_ap][n_ant] with `stride` between its elements. */
static double heard(const struct cpu_block *block, size_t sb, int user, const tutti_cf32 *v, size_t stride)
{
    const size_t n_all = (size_t)block->shape.n_ap * (size_t)block->shape.n_ant, n_ue = (size_t)block->shape.n_ue;
    const tutti_cf32 *const H = block->H_hat + sb * n_all * n_ue + user;
    tutti_cf32 sum = 0;
    for (size_t i = 0; i < n_all; i++) {
        sum += block->gathered[i / (size_t)block->shape.n_ant] ? conjf(H[i * n_ue]) * v[i * stride] : 0;
    }
    return (double)(crealf(sum) * crealf(sum) + cimagf(sum) * cimagf(sum));
}

/* What estimates miss of a zone's stream: error variance times power. */
static double missed(const struct cpu_block *block, int user, const tutti_cf32 *v)
{
    double sum = 0;
    for (int i = 0; i < block->shape.n_ap * block->shape.n_ant; i++) {
        const int ap = i / block->shape.n_ant;
        const double power = (double)(crealf(v[i]) * crealf(v[i]) + cimagf(v[i]) * cimagf(v[i]));
        sum += block->gathered[ap] ? power * (double)block->error_variance[ap * block->shape.n_ue + user] : 0;
    }
    return sum;
}

/* sinr = S / D becomes S / (D + what the zones' streams bring). */
static void lower(const illuminate_t *s, struct cpu_block *block)
{
    const size_t n_ue = (size_t)s->shape.n_ue, n_all = (size_t)(s->shape.n_ap * s->shape.n_ant);
    for (size_t sb = 0; sb < (size_t)s->shape.n_sb; sb++) {
        for (int k = 0; k < s->shape.n_ue; k++) {
            float *const sinr = &block->sinr[sb * n_ue + (size_t)k];
            const double signal = heard(block, sb, k, block->streams->W + sb * n_all * n_ue + k, n_ue);
            double zones = 0;
            for (int l = 0; l < s->shape.n_zone; l++) {
                const tutti_cf32 *const v = block->streams->extra + ((size_t)(l * s->shape.n_sb) + sb) * n_all;
                zones += heard(block, sb, k, v, 1) + missed(block, k, v);
            }
            if (*sinr > 0 && signal > 0) {
                *sinr = (float)(1 / (1 / (double)*sinr + zones / signal));
            }
        }
    }
}

void illuminate_execute(illuminate_t *s, struct cpu_block *block)
{
    if (!s) {
        return;
    }
    if (!block->planned) {
        const size_t n = (size_t)(s->shape.n_zone * s->shape.n_sb * s->shape.n_ap * s->shape.n_ant);
        memset(block->streams->extra, 0, n * sizeof *block->streams->extra);
    } else {
        add_streams(s, block);
    }
    limit(s, block); /* always: the APs count every block */
    lower(s, block);
}
