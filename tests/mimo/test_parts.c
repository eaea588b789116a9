/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A downlink of parts: figures against plain sums, weights against the fusion of the dual uplink, predictions against
 * channels drawn with the errors that are told, and what the weights are for: drops of users around two central nodes
 * which parts without weights serve worse than one part alone for each, and parts with weights better. */
#include "base/error.h"
#include "channel/random.h"
#include "mimo/fuse.h"
#include "mimo/parts.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { C = 2, M = 4, N = 2, K = 6, ROWS = M * N };

static uint64_t counter;

static double complex gaussian(double variance)
{
    float re, im;
    random_normal(random_key(1, RANDOM_NOISE, 0, 0, 0), counter++, &re, &im);
    return sqrt(variance / 2) * CMPLX((double)re, (double)im);
}

static double uniform(void)
{
    return random_uniform(random_key(2, RANDOM_NOISE, 0, 0, 0), counter++);
}

static double power_of(double complex x)
{
    return creal(x) * creal(x) + cimag(x) * cimag(x);
}

static const struct mimo_shape shape = {.n_ap = M, .n_ant = N, .n_ue = K};
static const uint8_t all_aps[M] = {1, 1, 1, 1}, all_users[K] = {1, 1, 1, 1, 1, 1};
static const float budget[M] = {1, 1, 1, 1};

/* One central node's estimates and precoder of one subband. */
struct part {
    double gamma[M * K]; /* variance of the estimates */
    float error[M * K], beta[M * K];
    tutti_cf32 H_hat[ROWS * K], W[ROWS * K];
    struct mimo_channel channel;
};

static void draw_estimates(struct part *p)
{
    for (int i = 0; i < ROWS * K; i++) {
        p->H_hat[i] = (tutti_cf32)gaussian(p->gamma[i / K / N * K + i % K]);
    }
    p->channel = (struct mimo_channel){.H_hat = p->H_hat,
                                       .error_variance = p->error,
                                       .ap_power = budget,
                                       .ap_active = all_aps,
                                       .ue_active = all_users,
                                       .beta = p->beta};
}

static void make_part(struct part *p)
{
    for (int i = 0; i < M * K; i++) {
        p->gamma[i] = 10 * uniform();
        p->error[i] = (float)(0.5 * uniform());
        p->beta[i] = (float)p->gamma[i] + p->error[i];
    }
    draw_estimates(p);
    for (int i = 0; i < ROWS * K; i++) {
        p->W[i] = (tutti_cf32)gaussian(0.05);
    }
}

struct heard_room {
    double complex gain[K * K];
    double error[K * K], power[K];
};

static struct parts_heard heard_in(struct heard_room *room)
{
    return (struct parts_heard){room->gain, room->error, room->power};
}

struct moments_room {
    double complex own[K];
    double square[K], power[K], count[K];
};

static struct parts_moments moments_in(struct moments_room *room)
{
    return (struct parts_moments){room->own, room->square, room->power, room->count};
}

/* An AP and a user that are left out are nowhere in the figures, and the SINR that they give is mimo_sinr's. */
static void figures_are_plain_sums(void **state)
{
    static struct part p;
    static struct heard_room room;
    const struct parts_heard heard = heard_in(&room);
    const uint8_t aps[M] = {1, 0, 1, 1}, users[K] = {1, 1, 0, 1, 1, 1};
    float sinr[K];
    (void)state;
    make_part(&p);
    p.channel.ap_active = aps;
    p.channel.ue_active = users;
    parts_measure(&shape, &p.channel, p.W, &heard);
    mimo_sinr(&shape, &p.channel, p.W, sinr);
    for (int k = 0; k < K; k++) {
        double others = 1;
        for (int i = 0; i < K; i++) {
            double complex gain = 0;
            double error = 0;
            for (int r = 0; r < ROWS; r++) {
                const bool here = aps[r / N] && users[i] && users[k];
                const double complex w = here ? (double complex)p.W[r * K + i] : 0;
                gain += conj((double complex)p.H_hat[r * K + k]) * w;
                error += power_of(w) * (double)p.error[r / N * K + k];
            }
            assert_true(cabs(gain - room.gain[k * K + i]) < 1e-9 && fabs(error - room.error[k * K + i]) < 1e-9);
            others += (i == k ? 0 : power_of(gain)) + error;
        }
        assert_true(fabs(power_of(room.gain[k * K + k]) / others - (double)sinr[k]) < 1e-4 * (double)sinr[k] + 1e-9);
        assert_true((users[k] != 0) == (room.power[k] > 0));
    }
}

/* The weights are those of mimo/fuse.h with the same moments, up to one factor per user. */
static void weights_are_those_of_the_dual_uplink(void **state)
{
    static struct moments_room room[C];
    const double dual_power = 1.7;
    const uint8_t serves[C * K] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0};
    struct parts_moments part[C];
    double complex weight[C * K], a[C], b[C], Q[C * C] = {0};
    fuse_t *fuse;
    (void)state;
    for (int c = 0; c < C; c++) {
        part[c] = moments_in(&room[c]);
        for (int k = 0; k < K; k++) {
            room[c].own[k] = gaussian(4);
            room[c].square[k] = 3 * uniform();
            room[c].power[k] = 0.1 + uniform();
            room[c].count[k] = 10;
        }
    }
    parts_weights(C, K, part, serves, dual_power, weight);
    assert_int_equal(fuse_create(&fuse, C, K), 0);
    for (int k = 0; k < K - 1; k++) {
        double sinr, sum = 0, strongest = 0, most = 0;
        for (int c = 0; c < C; c++) { /* of the combined stream w^H y, whose gain is the conjugate of the downlink's */
            b[c] = conj(room[c].own[k]);
            Q[c * C + c] = dual_power * room[c].square[k] + room[c].power[k];
        }
        assert_int_equal(fuse_lsfd(fuse, b, Q, a, &sinr), 0);
        assert_true(cabs(weight[k] / weight[K + k] - a[0] / a[1]) < 1e-9 * cabs(a[0] / a[1]));
        for (int c = 0; c < C; c++) {
            const double power = power_of(weight[c * K + k]) * room[c].power[k];
            strongest = power > most ? room[c].power[k] : strongest;
            most = fmax(most, power);
            sum += power;
            assert_true(fabs(carg(weight[c * K + k] * room[c].own[k])) < 1e-9); /* parts add in step */
        }
        assert_true(fabs(sum / strongest - 1) < 1e-9);
    }
    assert_true(weight[2 * K - 1] == 0 && fabs(cabs(weight[K - 1]) - 1) < 1e-9);
    fuse_destroy(fuse);
}

/* A part that is sent at another power is the same part; a user that is not known yet gets everybody's. */
static void weights_do_not_depend_on_powers(void **state)
{
    static struct part p[C];
    static struct heard_room heard_room;
    static struct moments_room room[2][C];
    const struct parts_heard heard = heard_in(&heard_room);
    const double scale[2][C] = {{1, 1}, {0.5, 3}};
    uint8_t serves[C * K], known[K] = {1, 1, 1, 1, 1, 0};
    double complex weight[2][C * K];
    (void)state;
    memset(serves, 1, sizeof serves);
    for (int which = 0; which < 2; which++) {
        struct parts_moments part[C];
        counter = 77;
        for (int c = 0; c < C; c++) {
            part[c] = moments_in(&room[which][c]);
            for (int t = 0; t < 5; t++) {
                make_part(&p[c]);
                parts_measure(&shape, &p[c].channel, p[c].W, &heard);
                parts_learn(K, &heard, known, scale[which][c], &part[c]);
            }
        }
        assert_true(parts_dual_power(C, K, part, serves) > 0);
        parts_weights(C, K, part, serves, 2, weight[which]);
        assert_true(weight[which][K - 1] == 1 && weight[which][2 * K - 1] == 1);
    }
    for (int k = 0; k < K - 1; k++) {
        const double complex one = weight[0][k] / weight[0][K + k];
        const double complex other = weight[1][k] * scale[1][0] / (weight[1][K + k] * scale[1][1]);
        assert_true(cabs(one - other) < 1e-9 * cabs(one));
    }
}

static void budgets_hold(void **state)
{
    static struct part p;
    static struct heard_room room, after;
    const struct parts_heard heard = heard_in(&room), measured = heard_in(&after);
    const double complex weight[K] = {1, 0.3 + 0.2 * I, 0, 1.5, 0.01, -0.7 * I};
    (void)state;
    make_part(&p);
    parts_measure(&shape, &p.channel, p.W, &heard);
    const double factor = parts_apply(&shape, budget, weight, true, p.W);
    assert_true(fabs((double)mimo_power_use(&shape, budget, p.W) - 1) < 1e-5);
    parts_apply_heard(K, weight, factor, &heard);
    parts_measure(&shape, &p.channel, p.W, &measured);
    for (int i = 0; i < K * K; i++) {
        assert_true(cabs(room.gain[i] - after.gain[i]) < 1e-5 && fabs(room.error[i] - after.error[i]) < 1e-5);
    }
    assert_true(room.power[2] == 0 && after.power[2] == 0);
    const double complex twice[K] = {2, 2, 2, 2, 2, 2}, half[K] = {.5, .5, .5, .5, .5, .5};
    assert_true(fabs(parts_apply(&shape, budget, half, false, p.W) - 1) < 1e-9); /* not filled */
    assert_true(fabs((double)mimo_power_use(&shape, budget, p.W) - 0.25) < 1e-5);
    parts_apply(&shape, budget, twice, false, p.W);
    assert_true(fabs(parts_apply(&shape, budget, twice, false, p.W) - 0.5) < 1e-5);
    assert_true((double)mimo_power_use(&shape, budget, p.W) <= 1);
}

/* Weights that no part can have, from figures that cannot be: one user gets all there is. */
static void budgets_hold_whatever_the_weights(void **state)
{
    static const double sizes[] = {1e5, 1e7, 1e22, 1e39, 1e300};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        static struct part p;
        static struct heard_room room;
        const struct parts_heard heard = heard_in(&room);
        const double complex weight[K] = {sizes[i] * I, 1, 0, 1, 1, 1};
        for (int fill = 0; fill < 2; fill++) {
            make_part(&p);
            parts_measure(&shape, &p.channel, p.W, &heard);
            const double before = room.power[0];
            const double factor = parts_apply(&shape, budget, weight, fill, p.W);
            const double use = (double)mimo_power_use(&shape, budget, p.W);
            assert_true(use <= 1 + 1e-6 && (!fill || use > 1 - 1e-5));
            parts_apply_heard(K, weight, factor, &heard);
            assert_true(isfinite(room.power[0]) && room.power[0] > 0.01 * before && room.power[1] < 1e-8 * before);
        }
    }
}

/* What is summed over parts is what true channels give in the mean, drawn around the estimates. */
static void predictions_hold(void **state)
{
    enum { DRAWS = 4000 };
    static struct part p[C];
    static struct heard_room room[C];
    static tutti_cf32 gain_of[C][K * K];
    const tutti_cf32 *gain[C];
    const double *error[C];
    double signal[K] = {0}, disturbance[K] = {0};
    (void)state;
    for (int c = 0; c < C; c++) {
        make_part(&p[c]);
        const struct parts_heard heard = heard_in(&room[c]);
        parts_measure(&shape, &p[c].channel, p[c].W, &heard);
        for (int i = 0; i < K * K; i++) {
            gain_of[c][i] = (tutti_cf32)room[c].gain[i];
        }
        gain[c] = gain_of[c];
        error[c] = room[c].error;
    }
    for (int t = 0; t < DRAWS; t++) {
        double complex heard[K * K] = {0};
        for (int i = 0; i < C * ROWS * K; i++) {
            const struct part *const from = &p[i / (ROWS * K)];
            const int r = i % (ROWS * K) / K, k = i % K;
            const double complex h =
                (double complex)from->H_hat[r * K + k] + gaussian((double)from->error[r / N * K + k]);
            for (int j = 0; j < K; j++) {
                heard[k * K + j] += conj(h) * (double complex)from->W[r * K + j];
            }
        }
        for (int i = 0; i < K * K; i++) {
            *(i / K == i % K ? &signal[i / K] : &disturbance[i / K]) += power_of(heard[i]) / DRAWS;
        }
    }
    for (int k = 0; k < K; k++) {
        double s, d;
        parts_sum(C, K, gain, error, k, &s, &d);
        assert_true(fabs(s / signal[k] - 1) < 0.06 && fabs(d / (1 + disturbance[k]) - 1) < 0.04);
    }
}

/* Drops ------------------------------------------------------------------------------------------------------------ */

enum { ALONE, PLAIN, WEIGHTED, WAYS, DROPS = 60, BLOCKS = 30 };

struct drop {
    struct part part[C];
    struct moments_room room[C];
    double complex weight[WAYS][C * K];
    double rate[WAYS][K];
    bool border[K];
};

/* Access points of node 1 stand right of those of node 0; gains fall with distance. */
static void place(struct drop *d)
{
    double ap[C * M][2], ue[K][2];
    for (int i = 0; i < C * M; i++) {
        ap[i][0] = uniform() + i / M;
        ap[i][1] = uniform();
    }
    for (int k = 0; k < K; k++) {
        ue[k][0] = 2 * uniform();
        ue[k][1] = uniform();
    }
    for (int i = 0; i < C * M * K; i++) {
        const double *const a = ap[i / K], *const u = ue[i % K];
        const double square = pow(a[0] - u[0], 2) + pow(a[1] - u[1], 2) + 0.0004;
        const double beta = 10 * pow(square / 0.25, -3.67 / 2), gamma = beta * 10 * beta / (10 * beta + 1);
        struct part *const p = &d->part[i / K / M];
        p->gamma[i % (M * K)] = gamma;
        p->error[i % (M * K)] = (float)(beta - gamma);
        p->beta[i % (M * K)] = (float)beta;
    }
}

static void solve(precoder_t *precoder, struct part *p)
{
    float sinr[K];
    struct mimo_solution solution = {.W = p->W, .sinr = sinr};
    draw_estimates(p);
    precoder_execute(precoder, MIMO_P_MMSE, MIMO_POWER_FRACTIONAL, &p->channel, &solution);
}

/* Who serves: within 13 dB of the best; and the weights, from blocks of their own. */
static void learn(precoder_t *precoder, struct drop *d)
{
    static struct heard_room room;
    const struct parts_heard heard = heard_in(&room);
    struct parts_moments part[C];
    uint8_t serves[C * K];
    double gain[C * K] = {0};
    for (int i = 0; i < C * M * K; i++) {
        gain[i / K / M * K + i % K] += (double)d->part[i / K / M].beta[i % (M * K)];
    }
    for (int k = 0; k < K; k++) {
        const int best = gain[K + k] > gain[k];
        for (int c = 0; c < C; c++) {
            serves[c * K + k] = gain[c * K + k] > gain[best * K + k] / 20;
            d->weight[ALONE][c * K + k] = c == best;
            d->weight[PLAIN][c * K + k] = serves[c * K + k];
        }
        d->border[k] = serves[k] && serves[K + k];
    }
    for (int c = 0; c < C; c++) {
        part[c] = moments_in(&d->room[c]);
        memset(&d->room[c], 0, sizeof d->room[c]);
        for (int t = 0; t < BLOCKS; t++) {
            solve(precoder, &d->part[c]);
            parts_measure(&shape, &d->part[c].channel, d->part[c].W, &heard);
            parts_learn(K, &heard, all_users, 1, &part[c]);
        }
    }
    parts_weights(C, K, part, serves, parts_dual_power(C, K, part, serves), d->weight[WEIGHTED]);
}

/* What true channels give. */
static void add_rates(const tutti_cf32 *H, tutti_cf32 (*W)[ROWS * K], double *rate)
{
    for (int k = 0; k < K; k++) {
        double own = 0, others = 1;
        for (int i = 0; i < K; i++) {
            double complex heard = 0;
            for (int r = 0; r < C * ROWS; r++) {
                heard += conj((double complex)H[r * K + k]) * (double complex)W[r / ROWS][r % ROWS * K + i];
            }
            *(i == k ? &own : &others) += power_of(heard);
        }
        rate[k] += log2(1 + own / others) / BLOCKS;
    }
}

static void send(precoder_t *precoder, struct drop *d)
{
    static tutti_cf32 H[C * ROWS * K], W[C][ROWS * K];
    for (int t = 0; t < BLOCKS; t++) {
        for (int c = 0; c < C; c++) {
            struct part *const p = &d->part[c];
            solve(precoder, p);
            for (int i = 0; i < ROWS * K; i++) {
                H[c * ROWS * K + i] = p->H_hat[i] + (tutti_cf32)gaussian((double)p->error[i / K / N * K + i % K]);
            }
        }
        for (int way = 0; way < WAYS; way++) {
            for (int c = 0; c < C; c++) {
                memcpy(W[c], d->part[c].W, sizeof W[c]);
                parts_apply(&shape, budget, d->weight[way] + c * K, true, W[c]);
                assert_true((double)mimo_power_use(&shape, budget, W[c]) <= 1);
            }
            add_rates(H, W, d->rate[way]);
        }
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The order of the ways to serve users near a border: the mean, that of users with a helper, the worst twentieth. Parts
 * without weights cost more than one part alone, for they spend power on users that they hardly reach. */
static void weights_make_parts_worth_while(void **state)
{
    static struct drop d;
    static double rates[WAYS][DROPS * K];
    precoder_t *precoder;
    double mean[WAYS] = {0}, border[WAYS] = {0}, low[WAYS];
    int n_border = 0;
    (void)state;
    counter = 0;
    assert_int_equal(precoder_create_for(&precoder, &shape, MIMO_ONLY(MIMO_P_MMSE)), 0);
    for (int drop = 0; drop < DROPS; drop++) {
        place(&d);
        learn(precoder, &d);
        memset(d.rate, 0, sizeof d.rate);
        send(precoder, &d);
        for (int i = 0; i < WAYS * K; i++) {
            const int way = i / K, k = i % K;
            rates[way][drop * K + k] = d.rate[way][k];
            mean[way] += d.rate[way][k] / (DROPS * K);
            border[way] += d.border[k] ? d.rate[way][k] : 0;
            n_border += way == 0 && d.border[k];
        }
    }
    precoder_destroy(precoder);
    for (int way = 0; way < WAYS; way++) {
        qsort(rates[way], DROPS * K, sizeof(double), ascending);
        low[way] = rates[way][DROPS * K / 20];
        border[way] /= n_border;
        print_message("%s: mean %.2f, with a helper (%d) %.2f, 5 %% %.2f bit/s/Hz\n",
                      way == ALONE   ? "one part alone"
                      : way == PLAIN ? "parts without weights"
                                     : "parts with weights",
                      mean[way], n_border, border[way], low[way]);
    }
    assert_true(mean[WEIGHTED] > mean[ALONE] && mean[ALONE] > mean[PLAIN]);
    assert_true(border[WEIGHTED] > border[ALONE] && border[WEIGHTED] > border[PLAIN]);
    assert_true(low[WEIGHTED] > low[ALONE] && low[WEIGHTED] > low[PLAIN]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures_are_plain_sums),
                                       cmocka_unit_test(weights_are_those_of_the_dual_uplink),
                                       cmocka_unit_test(weights_do_not_depend_on_powers),
                                       cmocka_unit_test(budgets_hold),
                                       cmocka_unit_test(budgets_hold_whatever_the_weights),
                                       cmocka_unit_test(predictions_hold),
                                       cmocka_unit_test(weights_make_parts_worth_while)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
