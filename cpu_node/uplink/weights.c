/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/uplink/weights.h"

#include "base/error.h"
#include "channel/channel.h"
#include "cpu_node/uplink/unleak.h"
#include "linalg/cmplx.h"
#include "linalg/kernel.h"
#include "mimo/combine.h"
#include "mimo/fuse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Means over blocks of one user's streams, per AP; what LSFD knows. */
struct moments {
    double complex *mean; /* [n_ue][n_ap] E g_ki, i over users */
    double *power, *f;    /* [n_ap] sum_i E |g_ki|^2, E f */
};

struct uplink_weights {
    struct uplink_shape shape;
    enum combine_kind kind;
    enum config_fusion fusion;
    int tracking_blocks;
    float to_uplink; /* amplitude from the estimates' units */
    struct unleak unleak;
    combine_t *combine;
    fuse_t *fuse;
    /* of the block */
    int n_ap, *ap;           /* that have sent, [n_ap] which */
    int n_user, *user;       /* that are here */
    int n_input;             /* streams that count for every user */
    tutti_cf32 *W;           /* [n_ue][n_sb][n_input] */
    const tutti_cf32 **from; /* [n_ue][n_input] where a stream begins */
    double *sinr;            /* [n_ue][n_sb] */
    tutti_cf32 *part_g;      /* [n_ue][n_sb][n_ue] of streams at gain 1 */
    float *part_f;           /* [n_ue][n_sb] */
    /* work */
    tutti_cf32 *G;      /* [n_ap][n_ant][n_user] of one subband */
    double *z;          /* [n_ap] */
    float *e;           /* [n_ue] */
    double complex *T;  /* [n_user][n_user] */
    double complex *t;  /* [n_user] one row */
    double *gain, *one; /* [n_user] */
    /* local */
    double complex *g, *a, *b, *Q; /* [n_ap][n_ue], [n_ap], [n_ap], [n_ap][n_ap] */
    double *f;                     /* [n_ap] */
    struct moments *moments;       /* [n_ue] */
    long *n_seen;                  /* [n_ue][n_ap] blocks in the moments */
};

/* Life ------------------------------------------------------------------------------------------------------------- */

static bool allocate(struct uplink_weights *w)
{
    const struct uplink_shape *s = &w->shape;
    const size_t n_sb = (size_t)s->frame->n_sb, n_ap = (size_t)s->n_ap, n_ue = (size_t)s->n_ue;
    const size_t n_ant = (size_t)s->n_ant, n_input = n_ap * (size_t)s->n_column;
    w->ap = calloc(n_ap, sizeof *w->ap);
    w->user = calloc(n_ue, sizeof *w->user);
    w->W = calloc(n_ue * n_sb * n_input, sizeof *w->W);
    w->from = calloc(n_ue * n_input, sizeof *w->from);
    w->sinr = calloc(n_ue * n_sb, sizeof *w->sinr);
    w->part_g = calloc(n_ue * n_sb * n_ue, sizeof *w->part_g);
    w->part_f = calloc(n_ue * n_sb, sizeof *w->part_f);
    w->G = calloc(n_ap * n_ant * n_ue, sizeof *w->G);
    w->z = calloc(n_ap, sizeof *w->z);
    w->e = calloc(n_ue, sizeof *w->e);
    w->T = calloc(n_ue * n_ue, sizeof *w->T);
    w->t = calloc(n_ue, sizeof *w->t);
    w->gain = calloc(n_ue, sizeof *w->gain);
    w->one = calloc(n_ue, sizeof *w->one);
    return w->ap && w->user && w->W && w->from && w->sinr && w->part_g && w->part_f && w->G && w->z && w->e && w->T &&
           w->t && w->gain && w->one;
}

static bool allocate_local(struct uplink_weights *w)
{
    const size_t n_ap = (size_t)w->shape.n_ap, n_ue = (size_t)w->shape.n_ue;
    w->g = calloc(n_ap * n_ue, sizeof *w->g);
    w->a = calloc(n_ap, sizeof *w->a);
    w->b = calloc(n_ap, sizeof *w->b);
    w->Q = calloc(n_ap * n_ap, sizeof *w->Q);
    w->f = calloc(n_ap, sizeof *w->f);
    w->n_seen = calloc(n_ue * n_ap, sizeof *w->n_seen);
    w->moments = calloc(n_ue, sizeof *w->moments);
    bool good = w->g && w->a && w->b && w->Q && w->f && w->n_seen && w->moments;
    for (size_t k = 0; good && k < n_ue; k++) {
        struct moments *m = &w->moments[k];
        m->mean = calloc(n_ue * n_ap, sizeof *m->mean);
        m->power = calloc(n_ap, sizeof *m->power);
        m->f = calloc(n_ap, sizeof *m->f);
        good = m->mean && m->power && m->f;
    }
    return good;
}

int uplink_weights_create(uplink_weights_t **weights, const struct uplink_weights_settings *settings)
{
    struct uplink_weights *w = *weights = calloc(1, sizeof *w);
    if (!w) {
        return error_set(TUTTI_ENOMEM, "out of memory for the uplink's combiner");
    }
    const struct config *c = settings->config;
    static const enum combine_kind kinds[] = {COMBINE_MMSE, COMBINE_ZF, COMBINE_MR};
    w->shape = settings->shape;
    w->kind = kinds[c->uplink.combiner];
    w->fusion = c->uplink.fusion;
    w->tracking_blocks = c->pilots.tracking_blocks;
    w->to_uplink = (float)sqrt(channel_uplink_snr_scale(c) / channel_downlink_snr_scale(c));
    if (!allocate(w) || !allocate_local(w)) {
        return error_set(TUTTI_ENOMEM, "out of memory for the uplink's combiner");
    }
    int status = unleak_create(&w->unleak, &w->shape);
    status = status < 0 ? status : combine_create(&w->combine, w->shape.n_ue);
    return status < 0 ? status : fuse_create(&w->fuse, w->shape.n_ap, w->shape.n_ue);
}

void uplink_weights_destroy(uplink_weights_t *w)
{
    if (!w) {
        return;
    }
    for (int k = 0; w->moments && k < w->shape.n_ue; k++) {
        free(w->moments[k].mean);
        free(w->moments[k].power);
        free(w->moments[k].f);
    }
    void *const owned[] = {w->ap, w->user, w->W, w->from,   w->sinr,    w->G,      w->z,
                           w->e,  w->T,    w->t, w->gain,   w->one,     w->g,      w->a,
                           w->b,  w->Q,    w->f, w->n_seen, w->moments, w->part_g, w->part_f};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
    unleak_destroy(&w->unleak);
    combine_destroy(w->combine);
    fuse_destroy(w->fuse);
    free(w);
}

static tutti_cf32 *weights_of(const struct uplink_weights *w, int k, int sb)
{
    const size_t n_input = (size_t)w->shape.n_ap * (size_t)w->shape.n_column;
    return w->W + ((size_t)k * (size_t)w->shape.frame->n_sb + (size_t)sb) * n_input;
}

static const tutti_cf32 **inputs_of(const struct uplink_weights *w, int k)
{
    return w->from + (size_t)k * (size_t)w->shape.n_ap * (size_t)w->shape.n_column;
}

static double *sinr_of(const struct uplink_weights *w, int k)
{
    return w->sinr + (size_t)k * (size_t)w->shape.frame->n_sb;
}

/* Where AP l's stream c begins. */
static const tutti_cf32 *stream_at(const struct uplink_weights *w, const struct uplink_block *b, int l, int c)
{
    return b->values + (size_t)l * uplink_n_values(&w->shape) + (size_t)c * (size_t)w->shape.frame->sc_per_sb;
}

/* Central ---------------------------------------------------------------------------------------------------------- */

/* z of every AP: users that are not here are none of its errors. */
static void take_errors(struct uplink_weights *w, const struct uplink_block *b)
{
    for (int l = 0; l < w->n_ap; l++) {
        const float *e = b->error_variance + w->ap[l] * w->shape.n_ue;
        for (int k = 0; k < w->n_user; k++) {
            w->e[k] = e[w->user[k]] * w->to_uplink * w->to_uplink;
        }
        w->z[l] = combine_noise(w->n_user, w->e);
        if (w->unleak.active) {
            unleak_ap(&w->unleak, l, w->user, b->beta + w->ap[l] * w->shape.n_ue, e);
        }
    }
}

/* Uplink channels are the conjugates of the estimates. */
static tutti_cf32 *channels_of(struct uplink_weights *w, const struct uplink_block *b, int sb, int l)
{
    const struct uplink_shape *s = &w->shape;
    const size_t n_ant = (size_t)s->n_ant, n_ue = (size_t)s->n_ue, n_user = (size_t)w->n_user;
    const tutti_cf32 *H = b->H_hat + ((size_t)sb * (size_t)s->n_ap + (size_t)w->ap[l]) * n_ant * n_ue;
    tutti_cf32 *const G = w->G + (size_t)l * n_ant * n_user;
    for (size_t a = 0; a < n_ant; a++) {
        for (size_t k = 0; k < n_user; k++) {
            G[a * n_user + k] = w->to_uplink * conjf(H[a * n_ue + (size_t)w->user[k]]);
        }
        if (w->unleak.active) {
            unleak_channels(&w->unleak, l, G + a * n_user);
        }
    }
    return G;
}

/* Row k of T over its gain, behind AP l's matched filters, or behind its antennas with them multiplied out. */
static void write_row(const struct uplink_weights *w, int k, int l, tutti_cf32 *row)
{
    const size_t n_user = (size_t)w->n_user;
    const double complex *const T = w->T + (size_t)k * n_user;
    const double scale = w->gain[k] > 0 ? combine_weight(w->kind, w->z[l]) / w->gain[k] : 0;
    if (w->shape.per_user) {
        memcpy(w->t, T, n_user * sizeof *T);
        if (w->unleak.active) { /* the filters were made with the estimates as they were */
            unleak_weights(&w->unleak, l, w->t);
        }
        for (size_t i = 0; i < n_user; i++) {
            row[i] = (tutti_cf32)(scale * w->t[i]);
        }
        return;
    }
    for (size_t a = 0; a < (size_t)w->shape.n_ant; a++) {
        const tutti_cf32 *const G = w->G + ((size_t)l * (size_t)w->shape.n_ant + a) * n_user;
        double complex sum = 0;
        for (size_t i = 0; i < n_user; i++) {
            sum += cmplx_product_double(T[i], conj((double complex)G[i]));
        }
        row[a] = (tutti_cf32)(scale * sum);
    }
}

/* User i of those that are here: what the solve says of its stream. */
static void keep_part(struct uplink_weights *w, int i, int sb)
{
    const size_t n_ue = (size_t)w->shape.n_ue, row = (size_t)w->user[i] * (size_t)w->shape.frame->n_sb + (size_t)sb;
    double f;
    combine_part(w->combine, i, w->t, &f);
    for (int j = 0; j < w->n_user; j++) {
        w->part_g[row * n_ue + (size_t)w->user[j]] = (tutti_cf32)w->t[j];
    }
    w->part_f[row] = (float)f;
}

static void make_central(struct uplink_weights *w, const struct uplink_block *b)
{
    const int n_each = w->shape.per_user ? w->n_user : w->shape.n_ant;
    combine_users(w->combine, w->n_user);
    take_errors(w, b);
    for (int sb = 0; sb < w->shape.frame->n_sb; sb++) {
        combine_begin(w->combine, w->kind);
        for (int l = 0; l < w->n_ap; l++) {
            combine_add(w->combine, w->shape.n_ant, channels_of(w, b, sb, l), w->z[l]);
        }
        combine_solve(w->combine, w->T, w->gain, w->one); /* always something that can be used */
        for (int k = 0; k < w->n_user; k++) {
            for (int l = 0; l < w->n_ap; l++) {
                write_row(w, k, l, weights_of(w, w->user[k], sb) + l * n_each);
            }
            sinr_of(w, w->user[k])[sb] = w->one[k];
            keep_part(w, k, sb);
        }
    }
    w->n_input = w->n_ap * n_each;
    for (int k = 0; k < w->n_user; k++) {
        for (int i = 0; i < w->n_input; i++) {
            const int c = i % n_each;
            inputs_of(w, w->user[k])[i] = stream_at(w, b, w->ap[i / n_each], w->shape.per_user ? w->user[c] : c);
        }
    }
}

/* Local ------------------------------------------------------------------------------------------------------------ */

/* User k's streams in one subband: g [n_ap][n_ue] and f [n_ap], 0 for APs that have not sent. */
static void take_statistics(struct uplink_weights *w, const struct uplink_block *b, int k, int sb)
{
    const struct uplink_shape *s = &w->shape;
    const size_t n_ue = (size_t)s->n_ue, stream = (size_t)(sb * s->n_column + k);
    memset(w->f, 0, (size_t)s->n_ap * sizeof *w->f);
    memset(w->g, 0, (size_t)s->n_ap * n_ue * sizeof *w->g);
    for (int l = 0; l < w->n_ap; l++) {
        const int ap = w->ap[l];
        const float *f = b->statistic + (size_t)ap * uplink_n_statistic(s);
        const float *g = f + (size_t)(s->frame->n_sb * s->n_column) + 2 * stream * n_ue;
        w->f[ap] = (double)f[stream];
        for (size_t i = 0; i < n_ue; i++) {
            w->g[(size_t)ap * n_ue + i] = CMPLX((double)g[2 * i], (double)g[2 * i + 1]);
        }
    }
}

/* One more block in the means of user k. */
static void learn(struct uplink_weights *w, const struct uplink_block *b, int k)
{
    const struct uplink_shape *s = &w->shape;
    struct moments *const m = &w->moments[k];
    for (int sb = 0; sb < s->frame->n_sb; sb++) {
        take_statistics(w, b, k, sb);
        for (int l = 0; l < w->n_ap; l++) {
            const int ap = w->ap[l];
            const long seen = w->n_seen[k * s->n_ap + ap];
            const long n = seen < w->tracking_blocks ? seen : w->tracking_blocks;
            /* subbands one after the other, and yet each counts alike within a block */
            const double rate = 1.0 / ((double)(n > 0 ? n - 1 : 0) * s->frame->n_sb + sb + 1);
            double power = 0;
            for (int i = 0; i < s->n_ue; i++) {
                const double complex g = w->g[ap * s->n_ue + i];
                power += creal(g) * creal(g) + cimag(g) * cimag(g);
                m->mean[i * s->n_ap + ap] += rate * (g - m->mean[i * s->n_ap + ap]);
            }
            m->power[ap] += rate * (power - m->power[ap]);
            m->f[ap] += rate * (w->f[ap] - m->f[ap]);
        }
    }
}

/* Weights by means over blocks: Q = sum_i E g_ki g_ki^H - b b^H + diag E f. Channels of different APs are independent,
 * so off the diagonal only the means of users on the same pilot are left; written like that, for with 100 blocks the
 * noise of the samples would bias Q. (5.30), (5.41) of [Demir 2021]. */
static void weigh_by_means(struct uplink_weights *w, const int32_t *pilot, int k)
{
    const struct uplink_shape *s = &w->shape;
    const struct moments *const m = &w->moments[k];
    const size_t n = (size_t)s->n_ap;
    memset(w->b, 0, n * sizeof *w->b);
    memset(w->Q, 0, n * n * sizeof *w->Q);
    for (size_t l = 0; l < n; l++) {
        w->Q[l * n + l] = 1; /* an AP that has not sent gets weight 0 */
    }
    for (int l = 0; l < w->n_ap; l++) {
        const size_t ap = (size_t)w->ap[l];
        const double complex own = m->mean[(size_t)k * n + ap];
        w->b[ap] = own;
        w->Q[ap * n + ap] = m->power[ap] - creal(own * conj(own)) + m->f[ap];
        for (int i = 0; i < s->n_ue; i++) {
            for (int j = 0; j < l && i != k && pilot[i] == pilot[k]; j++) {
                const size_t other = (size_t)w->ap[j];
                const double complex q =
                    cmplx_product_double(m->mean[(size_t)i * n + ap], conj(m->mean[(size_t)i * n + other]));
                w->Q[ap * n + other] += q;
                w->Q[other * n + ap] += conj(q);
            }
        }
    }
    double bound;
    fuse_lsfd(w->fuse, w->b, w->Q, w->a, &bound);
}

/* What all users come out as in user k's fused stream at gain 1. */
static void keep_fused(struct uplink_weights *w, int k, int sb, double complex gain)
{
    const size_t n_ue = (size_t)w->shape.n_ue, row = (size_t)k * (size_t)w->shape.frame->n_sb + (size_t)sb;
    double f = 0;
    for (int l = 0; l < w->n_ap; l++) {
        const double complex v = conj(w->a[w->ap[l]]) / gain;
        for (size_t i = 0; i < n_ue; i++) {
            w->part_g[row * n_ue + i] += (tutti_cf32)cmplx_product_double(v, w->g[(size_t)w->ap[l] * n_ue + i]);
        }
        f += (creal(v) * creal(v) + cimag(v) * cimag(v)) * w->f[w->ap[l]];
    }
    w->part_f[row] = (float)f;
}

/* conj(a) / a^H g_kk of the APs that have sent. */
static void write_fused(struct uplink_weights *w, int k, int sb)
{
    tutti_cf32 *const row = weights_of(w, k, sb);
    double complex gain = 0;
    for (int l = 0; l < w->n_ap; l++) {
        gain += cmplx_product_double(conj(w->a[w->ap[l]]), w->g[w->ap[l] * w->shape.n_ue + k]);
    }
    const double sinr = gain != 0 ? fuse_sinr(w->fuse, k, w->g, w->f, w->a) : 0;
    for (int l = 0; l < w->n_ap; l++) {
        row[l] = sinr > 0 ? (tutti_cf32)(conj(w->a[w->ap[l]]) / gain) : 0;
    }
    sinr_of(w, k)[sb] = sinr;
    if (sinr > 0) {
        keep_fused(w, k, sb, gain);
    }
}

static void make_local(struct uplink_weights *w, const struct uplink_block *b)
{
    const bool means = w->fusion == CONFIG_FUSION_LSFD;
    w->n_input = w->n_ap;
    for (int i = 0; i < w->n_user; i++) {
        const int k = w->user[i];
        for (int l = 0; l < w->n_ap; l++) {
            w->n_seen[k * w->shape.n_ap + w->ap[l]]++;
        }
        if (means) {
            learn(w, b, k);
            weigh_by_means(w, b->pilot, k);
        }
        for (int sb = 0; sb < w->shape.frame->n_sb; sb++) {
            take_statistics(w, b, k, sb);
            if (!means) {
                fuse_instant(w->fuse, k, w->g, w->f, w->a);
            }
            write_fused(w, k, sb);
        }
        for (int l = 0; l < w->n_ap; l++) {
            inputs_of(w, k)[l] = stream_at(w, b, w->ap[l], k);
        }
    }
}

/* A block ---------------------------------------------------------------------------------------------------------- */

void uplink_weights_make(uplink_weights_t *w, const struct uplink_block *b, const double *rad_per_symbol)
{
    w->n_ap = w->n_user = w->n_input = 0;
    for (int ap = 0; ap < w->shape.n_ap; ap++) {
        if (b->expected[ap] && b->got[ap]) {
            w->ap[w->n_ap++] = ap;
        }
    }
    for (int k = 0; k < w->shape.n_ue; k++) {
        if (b->user_here[k]) {
            w->user[w->n_user++] = k;
        }
    }
    const size_t n_row = (size_t)(w->shape.n_ue * w->shape.frame->n_sb);
    memset(w->sinr, 0, n_row * sizeof *w->sinr);
    memset(w->part_g, 0, n_row * (size_t)w->shape.n_ue * sizeof *w->part_g);
    memset(w->part_f, 0, n_row * sizeof *w->part_f);
    unleak_begin(&w->unleak, w->n_user, w->user, b->pilot, rad_per_symbol);
    if (w->n_ap > 0 && w->n_user > 0) {
        (w->shape.local ? make_local : make_central)(w, b);
    }
}

void uplink_weights_apply(const uplink_weights_t *w, int k, tutti_cf32 *symbols, double *sinr)
{
    const struct frame *f = w->shape.frame;
    const size_t n = (size_t)f->sc_per_sb, step = (size_t)w->shape.n_column * n;
    const struct kernel_ops *const ops = kernel_get();
    for (int d = 0; d < f->n_ul; d++) {
        for (int sb = 0; sb < f->n_sb; sb++) {
            ops->combine(f->sc_per_sb, w->n_input, weights_of(w, k, sb), inputs_of(w, k),
                         (size_t)(d * f->n_sb + sb) * step, symbols + (size_t)d * (size_t)f->n_sc + (size_t)sb * n);
        }
    }
    memcpy(sinr, sinr_of(w, k), (size_t)f->n_sb * sizeof *sinr);
}

void uplink_weights_part(const uplink_weights_t *w, int k, tutti_cf32 *g, float *f)
{
    const size_t n_sb = (size_t)w->shape.frame->n_sb, n_ue = (size_t)w->shape.n_ue;
    memcpy(g, w->part_g + (size_t)k * n_sb * n_ue, n_sb * n_ue * sizeof *g);
    memcpy(f, w->part_f + (size_t)k * n_sb, n_sb * sizeof *f);
}
