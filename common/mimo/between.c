/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/between.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

/* Neighbours whose channels differ by less than this, by power, need no second look: -20 dB, of which a small part
 * leaks. */
static const double NEARLY_SAME = 0.01;
/* Between centres the leak grows as (4 t (1 - t))^2, t in spacings of centres: mean over a subband's subcarriers over
 * the value at its edge; beyond the last centre as a prototype with two and three taps found. */
static const double MEAN_INSIDE = 0.54, MEAN_OUTSIDE = 0.41;
/* A user's own gain is measured as the mean over the subband: of a profile 4 t (1 - t) its variance is left, a sixth of
 * the mean square. */
static const double OWN = 0.089 / 0.533;

int between_create(struct between **between, const struct mimo_shape *shape, const struct interpolate *precoders,
                   const struct interpolate *channels)
{
    struct between *b = *between = calloc(1, sizeof *b);
    if (!b) {
        return error_set(TUTTI_ENOMEM, "out of memory for precoders between subbands");
    }
    const size_t rows = (size_t)shape->n_ap * (size_t)shape->n_ant, n_ue = (size_t)shape->n_ue;
    b->table = precoders;
    b->channels = channels;
    b->shape = *shape;
    b->centre = calloc((size_t)shape->n_ap * (size_t)precoders->n_sb, sizeof *b->centre);
    b->one = calloc((size_t)precoders->n_sb, sizeof *b->one);
    b->own = calloc((size_t)precoders->n_sb * n_ue, sizeof *b->own);
    b->H = calloc(rows * n_ue, sizeof *b->H);
    b->W = calloc(rows * n_ue, sizeof *b->W);
    return b->centre && b->one && b->own && b->H && b->W
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for precoders between subbands");
}

void between_destroy(struct between *b)
{
    if (b) {
        free(b->centre);
        free(b->one);
        free(b->own);
        free(b->H);
        free(b->W);
        free(b);
    }
}

static size_t size_of(const struct between *b)
{
    return (size_t)(b->shape.n_ap * b->shape.n_ant) * (size_t)b->shape.n_ue;
}

/* How far user k's vectors turn from one subband to the next, the APs' delays taken off. */
static tutti_cf32 turn_of(const struct between *b, const uint8_t *ap_active, int sb, int k, const tutti_cf32 *W)
{
    const struct mimo_shape *s = &b->shape;
    const size_t n = size_of(b), n_ue = (size_t)s->n_ue;
    const tutti_cf32 *w = W + (size_t)sb * n + k;
    tutti_cf32 sum = 0;
    for (int m = 0; m < s->n_ap; m++) {
        const tutti_cf32 *slope = b->centre + (size_t)m * (size_t)b->table->n_sb + sb;
        tutti_cf32 part = 0;
        for (int a = 0; ap_active[m] && a < s->n_ant; a++) {
            const size_t at = (size_t)(m * s->n_ant + a) * n_ue;
            part += conjf(w[at]) * w[n + at];
        }
        sum += slope[0] * conjf(slope[1]) * part;
    }
    return sum;
}

static void turn_column(const struct between *b, tutti_cf32 turn, int k, tutti_cf32 *W)
{
    const size_t n = size_of(b), n_ue = (size_t)b->shape.n_ue;
    for (size_t at = (size_t)k; at < n; at += n_ue) {
        W[at] *= turn;
    }
}

void between_align(struct between *b, const float *delay_samples, const uint8_t *ap_active, const uint8_t *ue_active,
                   tutti_cf32 *W)
{
    const int n_sb = b->table->n_sb;
    for (int m = 0; m < b->shape.n_ap; m++) {
        interpolate_slope(b->table, -(double)delay_samples[m], NULL, b->centre + (size_t)m * (size_t)n_sb);
    }
    for (int k = 0; k < b->shape.n_ue; k++) {
        for (int sb = 0; ue_active[k] && sb + 1 < n_sb; sb++) {
            const tutti_cf32 turn = turn_of(b, ap_active, sb, k, W);
            const float size = hypotf(crealf(turn), cimagf(turn));
            if (size > 0 && isfinite(size)) {
                turn_column(b, conjf(turn) / size, k, W + (size_t)(sb + 1) * size_of(b));
            }
        }
    }
}

/* Leaks ------------------------------------------------------------------------------------------------------------ */

static double power_of(tutti_cf32 x)
{
    return (double)(crealf(x) * crealf(x) + cimagf(x) * cimagf(x));
}

/* Whether neighbours differ by more than their estimation errors make them; powers over all subbands. */
static bool changes(const struct between *b, const uint8_t *ap_active, const tutti_cf32 *H, const float *error_variance)
{
    const struct mimo_shape *s = &b->shape;
    const size_t n = size_of(b), each = (size_t)s->n_ant * (size_t)s->n_ue;
    double change = 0, power = 0, errors = 0;
    for (int sb = 0; sb + 1 < b->table->n_sb; sb++) {
        for (int m = 0; m < s->n_ap; m++) {
            const tutti_cf32 *slope = b->centre + (size_t)m * (size_t)b->table->n_sb + sb;
            const tutti_cf32 step = slope[0] * conjf(slope[1]);
            const tutti_cf32 *h = H + (size_t)sb * n + (size_t)m * each;
            for (size_t i = 0; ap_active[m] && i < each; i++) {
                change += power_of(step * h[n + i] - h[i]);
                power += power_of(h[i]);
                errors += (double)error_variance[(size_t)(m * s->n_ue) + i % (size_t)s->n_ue];
            }
        }
    }
    return change > NEARLY_SAME * power + 4 * errors;
}

/* out [rows][n_ue] at a subcarrier, in a frame in which the APs' delays are taken off: only products of H and W of one
 * AP matter, so the frame drops out. */
static void at_subcarrier(const struct between *b, const struct interpolate *t, int sc, const uint8_t *ap_active,
                          const tutti_cf32 *in, tutti_cf32 *out)
{
    const size_t n = size_of(b), each = (size_t)b->shape.n_ant * (size_t)b->shape.n_ue;
    for (int m = 0; m < b->shape.n_ap; m++) {
        tutti_cf32 *const to = out + (size_t)m * each;
        for (size_t i = 0; i < each; i++) {
            to[i] = 0;
        }
        for (int r = 0; ap_active[m] && r < t->n_tap; r++) {
            const int sb = t->first[sc] + r;
            const tutti_cf32 factor =
                t->weight[sc * t->n_tap + r] * conjf(b->centre[(size_t)m * (size_t)t->n_sb + (size_t)sb]);
            const tutti_cf32 *const from = in + (size_t)sb * n + (size_t)m * each;
            for (size_t i = 0; i < each; i++) {
                to[i] += factor * from[i];
            }
        }
    }
}

/* Error power at user k by the interpolated arrays, noise 1: what it hears of the others' streams, and what its own
 * gain differs by from the one it equalises with, `gain`. */
static double error_at(const struct between *b, int k, const uint8_t *ue_active, tutti_cf32 gain)
{
    const size_t rows = (size_t)(b->shape.n_ap * b->shape.n_ant), n_ue = (size_t)b->shape.n_ue;
    double error = 0;
    for (size_t j = 0; j < n_ue; j++) {
        tutti_cf32 sum = (int)j == k ? -gain : 0;
        for (size_t r = 0; ue_active[j] && r < rows; r++) {
            sum += conjf(b->H[r * n_ue + (size_t)k]) * b->W[r * n_ue + j];
        }
        error += !ue_active[j] ? 0 : (int)j == k ? OWN * power_of(sum) : power_of(sum);
    }
    return error;
}

static tutti_cf32 product(const struct between *b, const uint8_t *ap_active, int k, int j, const tutti_cf32 *H,
                          const tutti_cf32 *W)
{
    const int n_ant = b->shape.n_ant, n_ue = b->shape.n_ue;
    tutti_cf32 sum = 0;
    for (int r = 0; r < b->shape.n_ap * n_ant; r++) {
        sum += ap_active[r / n_ant] ? conjf(H[r * n_ue + k]) * W[r * n_ue + j] : 0;
    }
    return sum;
}

/* What is in the prediction already: others' streams at a subband's centre. */
static double leak_at_centre(const struct between *b, int k, const uint8_t *ap_active, const uint8_t *ue_active,
                             const tutti_cf32 *H, const tutti_cf32 *W)
{
    double leak = 0;
    for (int j = 0; j < b->shape.n_ue; j++) {
        leak += ue_active[j] && j != k ? power_of(product(b, ap_active, k, j, H, W)) : 0;
    }
    return leak;
}

/* Adds `share` of the error at subcarrier sc beyond the centre's to every user of subband sb; beside: the subband on
 * the other side of sc, or sb itself. */
static void add_edge(struct between *b, int sb, int beside, int sc, double share, const uint8_t *ap_active,
                     const uint8_t *ue_active, const tutti_cf32 *H_hat, const tutti_cf32 *W, float *sinr)
{
    const size_t n = size_of(b);
    at_subcarrier(b, b->channels, sc, ap_active, H_hat, b->H);
    at_subcarrier(b, b->table, sc, ap_active, W, b->W);
    for (int k = 0; k < b->shape.n_ue; k++) {
        const tutti_cf32 own = b->own[sb * b->shape.n_ue + k], other = b->own[beside * b->shape.n_ue + k];
        if (!(sinr[k] > 0)) {
            continue;
        }
        const double centre = leak_at_centre(b, k, ap_active, ue_active, H_hat + (size_t)sb * n, W + (size_t)sb * n);
        const double more = error_at(b, k, ue_active, 0.5f * (own + other)) - centre, signal = power_of(own);
        sinr[k] = (float)(signal / (signal / (double)sinr[k] + share * fmax(more, 0)));
    }
}

void between_lower(struct between *b, const uint8_t *ap_active, const uint8_t *ue_active, const tutti_cf32 *H_hat,
                   const float *error_variance, const tutti_cf32 *W, float *sinr)
{
    const struct interpolate *t = b->table;
    const int n_ue = b->shape.n_ue, last = t->n_sb - 1;
    if (t->n_tap == 1 || !changes(b, ap_active, H_hat, error_variance)) {
        return;
    }
    for (int i = 0; i < t->n_sb * n_ue; i++) {
        const size_t at = (size_t)(i / n_ue) * size_of(b);
        b->own[i] = product(b, ap_active, i % n_ue, i % n_ue, H_hat + at, W + at);
    }
    for (int sb = 0; sb < t->n_sb; sb++) {
        const int first = sb * t->sc_per_sb, low = sb > 0 ? sb - 1 : 0, high = sb < last ? sb + 1 : last;
        float *const mine = sinr + sb * n_ue;
        add_edge(b, sb, low, first, 0.5 * (sb > 0 ? MEAN_INSIDE : MEAN_OUTSIDE), ap_active, ue_active, H_hat, W, mine);
        add_edge(b, sb, high, first + t->sc_per_sb - 1, 0.5 * (sb < last ? MEAN_INSIDE : MEAN_OUTSIDE), ap_active,
                 ue_active, H_hat, W, mine);
    }
}
