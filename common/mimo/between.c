/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/between.h"

#include "base/error.h"
#include "linalg/cmplx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Neighbours whose channels differ by less than this, by power, need no second look: -30 dB, of which a small part
 * leaks. */
static const double NEARLY_SAME = 0.001;
/* Channels reach so many times their delays' standard deviation about the mean: even power 1.73 times, two equal taps
 * once, an exponential profile further. */
static const double REACH = 2;

/* A mean over S subcarriers from three of them: with places x from the middle, weights m2 / 2 x^2 have the second
 * moment m2 = (S^2 - 1) / 12 right, and x next to the root of m4 / m2 the fourth, m4 = (3 S^2 - 7) (S^2 - 1) / 240. */
static void place_nodes(struct between *b, int n)
{
    const double square = (double)n * n, m2 = (square - 1) / 12, m4 = (3 * square - 7) * (square - 1) / 240;
    const double want = m2 > 0 ? sqrt(m4 / m2) : 0, middle = 0.5 * (n - 1);
    const double x = fmin(rint(want - middle) + middle, middle);
    b->node[0] = (int)rint(middle - x);
    b->node[1] = (int)rint(middle + x);
    b->share = x > 0 ? m2 / (2 * x * x) : 0;
}

static int create_channels(struct between *b, const struct frame *frame)
{
    int status = TUTTI_OK;
    for (int i = 0; status >= 0 && i < BETWEEN_REACHES; i++) {
        status = interpolate_create_spread(&b->channels[i], frame, 1.0 / (1 << (BETWEEN_REACHES - 1 - i)));
    }
    return status;
}

int between_create(struct between **between, const struct mimo_shape *shape, const struct frame *frame,
                   const struct interpolate *precoders)
{
    struct between *b = *between = calloc(1, sizeof *b);
    if (!b) {
        return error_set(TUTTI_ENOMEM, "out of memory for precoders between subbands");
    }
    const size_t rows = (size_t)shape->n_ap * (size_t)shape->n_ant, n_ue = (size_t)shape->n_ue;
    b->table = precoders;
    b->shape = *shape;
    place_nodes(b, precoders->sc_per_sb);
    b->centre = calloc((size_t)shape->n_ap * (size_t)precoders->n_sb, sizeof *b->centre);
    b->one = calloc((size_t)precoders->n_sb, sizeof *b->one);
    b->still = calloc((size_t)precoders->n_sb * n_ue, sizeof *b->still);
    b->own = calloc((size_t)precoders->n_sb * BETWEEN_NODES * n_ue, sizeof *b->own);
    b->leak = calloc((size_t)precoders->n_sb * BETWEEN_NODES * n_ue, sizeof *b->leak);
    b->mean = calloc((size_t)precoders->n_sb * n_ue, sizeof *b->mean);
    b->H = calloc(rows * n_ue, sizeof *b->H);
    b->W = calloc(rows * n_ue, sizeof *b->W);
    b->heard = calloc(n_ue, sizeof *b->heard);
    b->sums = calloc(4 * n_ue, sizeof *b->sums);
    return b->centre && b->one && b->still && b->own && b->leak && b->mean && b->H && b->W && b->heard && b->sums
               ? create_channels(b, frame)
               : error_set(TUTTI_ENOMEM, "out of memory for precoders between subbands");
}

void between_destroy(struct between *b)
{
    if (b) {
        for (int i = 0; i < BETWEEN_REACHES; i++) {
            interpolate_destroy(b->channels[i]);
        }
        free(b->centre);
        free(b->one);
        free(b->still);
        free(b->own);
        free(b->leak);
        free(b->mean);
        free(b->H);
        free(b->W);
        free(b->heard);
        free(b->sums);
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

/* The least of the tables that holds delays with this standard deviation. */
static const struct interpolate *reaching(const struct between *b, double deviation_samples)
{
    int i = 0;
    while (i < BETWEEN_REACHES - 1 && b->channels[i]->reach < REACH * deviation_samples) {
        i++;
    }
    return b->channels[i];
}

/* How far each antenna's channels turn over all subbands, the APs' delays taken off, to b->H [rows][n_ue], and what
 * users' would come to if all turned alike, to b->sums [n_ue]. */
static void sum_turns(struct between *b, const uint8_t *ap_active, const tutti_cf32 *H)
{
    const struct mimo_shape *s = &b->shape;
    const size_t n = size_of(b), n_ue = (size_t)s->n_ue;
    memset(b->H, 0, n * sizeof *b->H);
    memset(b->sums, 0, n_ue * sizeof *b->sums);
    for (int sb = 0; sb + 1 < b->table->n_sb; sb++) {
        for (int r = 0; r < s->n_ap * s->n_ant; r++) {
            const tutti_cf32 *slope = b->centre + (size_t)(r / s->n_ant * b->table->n_sb + sb);
            const tutti_cf32 step = slope[0] * conjf(slope[1]);
            const tutti_cf32 *h = H + (size_t)sb * n + (size_t)r * n_ue;
            for (size_t k = 0; ap_active[r / s->n_ant] && k < n_ue; k++) {
                b->H[(size_t)r * n_ue + k] += cmplx_product(step, cmplx_product(conjf(h[k]), h[n + k]));
                b->sums[k] += 0.5f * (float)(power_of(h[k]) + power_of(h[n + k]));
            }
        }
    }
}

/* The turn per subcarrier of all that user k is heard by; 0 where neighbours do not turn alike, and where antennas
 * disagree so that it may be chance: that is spread, and leaks. */
static double common_step(const struct between *b, int k)
{
    static const double SURE = 3, ALIKE = 0.7; /* standard deviations of the mean; of the most there can be */
    const int rows = b->shape.n_ap * b->shape.n_ant, n_ue = b->shape.n_ue;
    double complex turn = 0;
    double across = 0;
    for (int r = 0; r < rows; r++) {
        turn += (double complex)b->H[r * n_ue + k];
    }
    const double size = cabs(turn);
    if (!(size > ALIKE * (double)b->sums[k]) || !isfinite(size)) {
        return 0;
    }
    for (int r = 0; r < rows; r++) {
        const double off = cimag((double complex)b->H[r * n_ue + k] * conj(turn)) / size;
        across += off * off;
    }
    return fabs(carg(turn)) > SURE * sqrt(across) / size ? carg(turn) / b->table->sc_per_sb : 0;
}

/* A delay that a user has by itself, a clock that is off, turns all it hears and is heard by alike: nothing leaks by
 * it, and it takes it off. still: the slope that keeps its channels from turning. */
static void hold_users(struct between *b, const uint8_t *ap_active, const uint8_t *ue_active, const tutti_cf32 *H)
{
    const struct interpolate *t = b->table;
    sum_turns(b, ap_active, H);
    for (int k = 0; k < b->shape.n_ue; k++) {
        const double step = ue_active[k] ? common_step(b, k) : 0;
        for (int sb = 0; sb < t->n_sb; sb++) {
            const double angle = -step * t->centre[sb];
            b->still[sb * b->shape.n_ue + k] = CMPLXF((float)cos(angle), (float)sin(angle));
        }
    }
}

/* Whether neighbours differ by more than their estimation errors make them, and then how channels go between them;
 * powers over all subbands. A delay d turns neighbours by 2 pi S d / n_fft, so that they differ by the square of it. */
static bool changes(struct between *b, const uint8_t *ap_active, const tutti_cf32 *H, const float *error_variance)
{
    const struct mimo_shape *s = &b->shape;
    const size_t n = size_of(b), n_ue = (size_t)s->n_ue, each = (size_t)s->n_ant * n_ue;
    double change = 0, power = 0, errors = 0;
    for (int sb = 0; sb + 1 < b->table->n_sb; sb++) {
        for (int m = 0; m < s->n_ap; m++) {
            const tutti_cf32 *slope = b->centre + (size_t)m * (size_t)b->table->n_sb + sb;
            const tutti_cf32 step = slope[0] * conjf(slope[1]);
            const tutti_cf32 *h = H + (size_t)sb * n + (size_t)m * each;
            for (size_t i = 0; ap_active[m] && i < each; i++) {
                const tutti_cf32 *const still = b->still + (size_t)sb * n_ue + i % n_ue;
                change += power_of(step * still[n_ue] * h[n + i] - still[0] * h[i]);
                power += power_of(h[i]);
                errors += (double)error_variance[(size_t)m * n_ue + i % n_ue];
            }
        }
    }
    const double beyond = change - 2 * errors, radian = 2 * M_PI * b->table->sc_per_sb / b->table->fft_size;
    b->now = reaching(b, power > 0 && beyond > 0 ? sqrt(beyond / power) / radian : 0);
    return change > NEARLY_SAME * power + 4 * errors;
}

/* out [rows][n_ue] at a subcarrier, in a frame in which the APs' delays are taken off: only products of H and W of one
 * AP matter, so the frame drops out. still: NULL, or users' slopes [n_sb][n_ue]. */
static void at_subcarrier(const struct between *b, const struct interpolate *t, int sc, const uint8_t *ap_active,
                          const tutti_cf32 *still, const tutti_cf32 *in, tutti_cf32 *out)
{
    const size_t n = size_of(b), n_ue = (size_t)b->shape.n_ue, each = (size_t)b->shape.n_ant * n_ue;
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
                to[i] += factor * (still ? still[(size_t)sb * n_ue + i % n_ue] * from[i] : from[i]);
            }
        }
    }
}

/* What user k hears of every user's stream, to b->heard; ap_active NULL: of all APs. Real and imaginary parts of the
 * channel are summed by themselves, so that no lane of a vector needs its neighbour's. */
static void hear(const struct between *b, int k, const uint8_t *ap_active, const tutti_cf32 *H, const tutti_cf32 *W)
{
    const int n_ant = b->shape.n_ant, n_ue = b->shape.n_ue;
    float *restrict const by_re = b->sums, *restrict const by_im = b->sums + 2 * n_ue;
    memset(b->sums, 0, (size_t)(4 * n_ue) * sizeof *b->sums);
    for (int r = 0; r < b->shape.n_ap * n_ant; r++) {
        const float *restrict const w = (const float *)(W + r * n_ue);
        const float hr = crealf(H[r * n_ue + k]), hi = cimagf(H[r * n_ue + k]);
        if (ap_active && !ap_active[r / n_ant]) {
            continue;
        }
        for (int j = 0; j < 2 * n_ue; j++) {
            by_re[j] += hr * w[j];
            by_im[j] += hi * w[j];
        }
    }
    for (int j = 0; j < n_ue; j++) {
        b->heard[j] = CMPLXF(by_re[2 * j] + by_im[2 * j + 1], by_re[2 * j + 1] - by_im[2 * j]);
    }
}

/* Power of the others' streams in what hear found for user k. */
static double leak_of(const struct between *b, int k, const uint8_t *ue_active)
{
    double leak = 0;
    for (int j = 0; j < b->shape.n_ue; j++) {
        leak += j != k && ue_active[j] ? power_of(b->heard[j]) : 0;
    }
    return leak;
}

static int subcarrier_of(const struct between *b, int sb, int node)
{
    const int n = b->table->sc_per_sb;
    return sb * n + (node == 0 ? b->node[0] : node == 1 ? n / 2 : b->node[1]);
}

static double share_of(const struct between *b, int node)
{
    return node == 1 ? 1 - 2 * b->share : b->share;
}

static void look_at(struct between *b, int sb, int node, const uint8_t *ap_active, const uint8_t *ue_active,
                    const tutti_cf32 *H_hat, const tutti_cf32 *W)
{
    const int n_ue = b->shape.n_ue, at = (sb * BETWEEN_NODES + node) * n_ue;
    at_subcarrier(b, b->now, subcarrier_of(b, sb, node), ap_active, b->still, H_hat, b->H);
    at_subcarrier(b, b->table, subcarrier_of(b, sb, node), ap_active, NULL, W, b->W);
    for (int k = 0; k < n_ue; k++) {
        b->own[at + k] = 0;
        b->leak[at + k] = 0;
        if (ue_active[k]) {
            hear(b, k, NULL, b->H, b->W);
            b->own[at + k] = b->heard[k];
            b->leak[at + k] = (float)leak_of(b, k, ue_active);
        }
    }
}

/* Users take off the delay that they hear, in the mean over blocks: here in the mean over users. */
static void take_off_delay(struct between *b)
{
    const struct interpolate *t = b->table;
    const int n_ue = b->shape.n_ue, apart = b->node[1] - b->node[0];
    tutti_cf32 turn = 0;
    for (int sb = 0; sb < t->n_sb; sb++) {
        const tutti_cf32 *const own = b->own + (size_t)(sb * BETWEEN_NODES * n_ue);
        const bool straight = t->place[subcarrier_of(b, sb, 2)] - t->place[subcarrier_of(b, sb, 0)] < apart + 0.5;
        for (int k = 0; straight && k < n_ue; k++) { /* not across the carrier, where there is one spacing more */
            turn += conjf(own[k]) * own[2 * n_ue + k];
        }
    }
    const double slope = carg((double complex)turn) / apart;
    for (int i = 0; i < t->n_sb * BETWEEN_NODES; i++) {
        const double angle = -slope * t->place[subcarrier_of(b, i / BETWEEN_NODES, i % BETWEEN_NODES)];
        for (int k = 0; k < n_ue; k++) {
            b->own[i * n_ue + k] *= CMPLXF((float)cos(angle), (float)sin(angle));
        }
    }
}

/* Own gains as pilots show them: means over subbands. */
static void measure_gains(struct between *b)
{
    const int n_ue = b->shape.n_ue;
    for (int i = 0; i < b->table->n_sb * n_ue; i++) {
        const tutti_cf32 *const own = b->own + (size_t)(i / n_ue * BETWEEN_NODES * n_ue + i % n_ue);
        b->mean[i] = (float)b->share * (own[0] + own[2 * n_ue]) + (float)(1 - 2 * b->share) * own[n_ue];
    }
}

/* The gain that user k divides a subcarrier by: it interpolates as precoders are. */
static tutti_cf32 gain_of(const struct between *b, int sc, int k)
{
    const struct interpolate *t = b->table;
    tutti_cf32 gain = 0;
    for (int r = 0; r < t->n_tap; r++) {
        gain += t->weight[sc * t->n_tap + r] * b->mean[(t->first[sc] + r) * b->shape.n_ue + k];
    }
    return gain;
}

/* Error over signal of user k in subband sb: noise and others' streams over the gains, and what its own gain differs by
 * from the one it divides by, a common factor left out. */
static double ratio_of(const struct between *b, int sb, int k)
{
    const int n_ue = b->shape.n_ue;
    double ratio = 0, square = 0;
    tutti_cf32 mean = 0;
    for (int node = 0; node < BETWEEN_NODES; node++) {
        const int at = (sb * BETWEEN_NODES + node) * n_ue + k;
        const tutti_cf32 gain = gain_of(b, subcarrier_of(b, sb, node), k), own = b->own[at] / gain;
        ratio += share_of(b, node) * (1 + (double)b->leak[at]) / power_of(gain);
        square += share_of(b, node) * power_of(own);
        mean += (float)share_of(b, node) * own;
    }
    return (ratio + square) / power_of(mean) - 1;
}

/* What is in the prediction already: noise and others' streams at a subband's centre. */
static double ratio_at_centre(const struct between *b, int k, const uint8_t *ap_active, const uint8_t *ue_active,
                              const tutti_cf32 *H, const tutti_cf32 *W)
{
    hear(b, k, ap_active, H, W);
    return (1 + leak_of(b, k, ue_active)) / power_of(b->heard[k]);
}

void between_lower(struct between *b, const uint8_t *ap_active, const uint8_t *ue_active, const tutti_cf32 *H_hat,
                   const float *error_variance, const tutti_cf32 *W, float *sinr)
{
    const struct interpolate *t = b->table;
    const int n_ue = b->shape.n_ue;
    if (t->n_tap == 1) {
        return;
    }
    hold_users(b, ap_active, ue_active, H_hat);
    if (!changes(b, ap_active, H_hat, error_variance)) {
        return;
    }
    for (int i = 0; i < t->n_sb * BETWEEN_NODES; i++) {
        look_at(b, i / BETWEEN_NODES, i % BETWEEN_NODES, ap_active, ue_active, H_hat, W);
    }
    take_off_delay(b);
    measure_gains(b);
    for (int i = 0; i < t->n_sb * n_ue; i++) {
        const int sb = i / n_ue, k = i % n_ue;
        const size_t at = (size_t)sb * size_of(b);
        if (sinr[i] > 0) {
            const double more = ratio_of(b, sb, k) - ratio_at_centre(b, k, ap_active, ue_active, H_hat + at, W + at);
            sinr[i] = (float)(1 / (1 / (double)sinr[i] + (more > 0 ? more : 0)));
        }
    }
}
