/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "mimo/batch.h"
#include "reference.h"
#include "sanitized.h"
#include "variants.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_SB = 40 };

struct set {
    int n_sb;
    struct channel_case c[MAX_SB];
    struct mimo_channel channels[MAX_SB];
    struct mimo_solution solutions[MAX_SB];
};

static void create(struct set *set, struct random *random, int n_sb, int n_ap, int n_ant, int n_ue)
{
    set->n_sb = n_sb;
    for (int b = 0; b < n_sb; b++) {
        case_create(&set->c[b], random, n_ap, n_ant, n_ue, 20, 15, 0.05);
        for (int m = 0; m < n_ap; m++) {
            set->c[b].P[m] = (float)(0.5 + random_uniform(random));
        }
    }
}

static int run(struct set *set, enum mimo_scheme scheme, enum mimo_power power)
{
    for (int b = 0; b < set->n_sb; b++) {
        set->channels[b] = set->c[b].channel;
        set->solutions[b] = set->c[b].solution;
    }
    precoder_t *precoder;
    assert_int_equal(precoder_create(&precoder, &set->c[0].shape), 0);
    const int rc = precoder_execute_batch(precoder, scheme, power, set->n_sb, set->channels, set->solutions);
    precoder_destroy(precoder);
    for (int b = 0; b < set->n_sb; b++) {
        set->c[b].solution = set->solutions[b];
        assert_true(plain_finite(&set->c[b], set->solutions[b].W));
        const double peak = mimo_holds_mean(scheme, power) ? MIMO_PEAK_RATIO : 1;
        assert_true(plain_excess(&set->c[b], set->solutions[b].W) <= peak - 1 + 1e-6);
    }
    return rc;
}

/* Each subband of the batch against the double-precision solver alone. */
static void compare(struct set *set, enum mimo_scheme scheme, enum mimo_power power)
{
    precoder_t *precoder;
    assert_int_equal(precoder_create(&precoder, &set->c[0].shape), 0);
    tutti_cf32 W[64 * 16];
    const int n = set->c[0].shape.n_ap * set->c[0].shape.n_ant * set->c[0].shape.n_ue, n_ue = set->c[0].shape.n_ue;
    assert_true(n <= 64 * 16);
    for (int b = 0; b < set->n_sb; b++) {
        struct channel_case *c = &set->c[b];
        memcpy(W, c->solution.W, (size_t)n * sizeof *W);
        for (int k = 0; k < n_ue; k++) {
            const double sinr = plain_sinr(c, W, k);
            assert_true(fabs((double)c->solution.sinr[k] - sinr) <= 1e-3 * sinr);
        }
        precoder_execute(precoder, scheme, power, &c->channel, &c->solution);
        double difference = 0, energy = 0;
        for (int i = 0; i < n; i++) {
            difference += pow(cabs((double complex)W[i] - (double complex)c->solution.W[i]), 2);
            energy += pow(cabs((double complex)c->solution.W[i]), 2);
        }
        assert_true(difference <= 1e-7 * energy); /* max-min stops within 1e-4 of the optimum */
    }
    precoder_destroy(precoder);
}

static void release(struct set *set)
{
    for (int b = 0; b < set->n_sb; b++) {
        case_destroy(&set->c[b]);
    }
}

static void batch_equals_single(void **state)
{
    (void)state;
    static const int shapes[][4] = {{1, 4, 2, 3},   {7, 8, 1, 5},    {16, 16, 2, 8}, {17, 4, 4, 7},
                                    {40, 32, 1, 8}, {33, 16, 4, 16}, {5, 3, 5, 1}};
    struct random random = {41};
    static struct set set;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int power = 0; power < 2; power++) {
            create(&set, &random, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
            assert_int_equal(run(&set, MIMO_ZF, (enum mimo_power)power), 0);
            compare(&set, MIMO_ZF, (enum mimo_power)power);
            release(&set);
        }
    }
}

static void masks_common_and_mixed(void **state)
{
    (void)state;
    struct random random = {42};
    static struct set set;
    for (int mixed = 0; mixed < 2; mixed++) {
        for (int power = 0; power < 2; power++) {
            create(&set, &random, 20, 6, 3, 4);
            for (int b = 0; b < 20; b++) {
                set.c[b].ap_active[2] = 0;
                set.c[b].P[4] = 0;
                set.c[b].ue_active[1] = mixed && b % 3 == 0;
            }
            assert_int_equal(run(&set, MIMO_ZF, (enum mimo_power)power), 0);
            for (int b = 0; b < 20; b++) {
                for (int i = 0; i < 3 * 4; i++) {
                    assert_true(set.c[b].solution.W[2 * 12 + i] == 0 && set.c[b].solution.W[4 * 12 + i] == 0);
                }
            }
            compare(&set, MIMO_ZF, (enum mimo_power)power);
            release(&set);
        }
    }
}

/* One bad subband must not touch its neighbours. */
static void bad_subbands_are_solved_apart(void **state)
{
    (void)state;
    struct random random = {43};
    static struct set set;
    create(&set, &random, 18, 4, 2, 3);
    for (int r = 0; r < 8; r++) {
        set.c[3].H[r * 3 + 1] = set.c[3].H[r * 3];                                          /* singular */
        set.c[5].H[r * 3 + 1] = set.c[5].H[r * 3] + 1e-2f * (tutti_cf32)random_cn(&random); /* badly conditioned */
        set.c[7].H[r * 3 + 2] = 0;                                                          /* a silent user */
    }
    memset(set.c[17].ue_active, 0, 3); /* in another group of lanes: mixed masks switch the batch off */
    assert_int_equal(run(&set, MIMO_ZF, MIMO_POWER_MAXMIN), TUTTI_ENUMERIC);
    for (int b = 0; b < 18; b++) {
        assert_int_equal(set.solutions[b].reason, b == 3    ? MIMO_REASON_SINGULAR
                                                  : b == 7  ? MIMO_REASON_ZERO_CHANNEL
                                                  : b == 17 ? MIMO_REASON_NO_USER
                                                  : b == 5  ? MIMO_REASON_NEAR_SINGULAR
                                                            : MIMO_REASON_ASKED);
    }
    compare(&set, MIMO_ZF, MIMO_POWER_MAXMIN);
    for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
        run(&set, (enum mimo_scheme)scheme, MIMO_POWER_EQUAL);
    }
    release(&set);
}

/* Largest relative difference in energy of W, and in a SINR, from the double-precision solver. */
static void difference(struct channel_case *c, precoder_t *precoder, enum mimo_scheme scheme, enum mimo_power power,
                       double *energy, double *sinr)
{
    tutti_cf32 W[64 * 16];
    float lanes[16];
    const int n_ue = c->shape.n_ue, n = c->shape.n_ap * c->shape.n_ant * n_ue;
    double apart = 0, all = 0;
    assert_true(n <= 64 * 16);
    memcpy(W, c->solution.W, (size_t)n * sizeof *W);
    memcpy(lanes, c->solution.sinr, (size_t)n_ue * sizeof *lanes);
    precoder_execute(precoder, scheme, power, &c->channel, &c->solution);
    for (int i = 0; i < n; i++) {
        apart += pow(cabs((double complex)W[i] - (double complex)c->solution.W[i]), 2);
        all += pow(cabs((double complex)c->solution.W[i]), 2);
    }
    *energy = apart / all;
    *sinr = 0;
    for (int k = 0; k < n_ue; k++) {
        *sinr = fmax(*sinr, fabs((double)lanes[k] / (double)c->solution.sinr[k] - 1));
    }
}

/* One large-scale situation for all subbands, as in a block; unheard: an AP without estimates of a user. */
static void create_block(struct set *set, struct random *random, const int *shape, bool unheard)
{
    const int n_ap = shape[1], n_ant = shape[2], n_ue = shape[3];
    create(set, random, shape[0], n_ap, n_ant, n_ue);
    for (int b = 0; b < set->n_sb; b++) {
        struct channel_case *c = &set->c[b];
        memcpy(c->beta, set->c[0].beta, (size_t)(n_ap * n_ue) * sizeof *c->beta);
        memcpy(c->E, set->c[0].E, (size_t)(n_ap * n_ue) * sizeof *c->E);
        for (int a = 0; a < n_ant && unheard; a++) {
            c->H[a * n_ue] = 0;
            c->E[0] = c->beta[0];
        }
        c->channel.beta = c->beta;
        set->channels[b] = c->channel;
        set->solutions[b] = c->solution;
    }
}

/* Every scheme in lanes against double precision. Errors of a factorisation with pivots of 1e-2 and more are some 100
 * roundings of 2^-24, in power twice that; max-min stops within 1e-4. */
static void every_scheme_equals_single(void **state)
{
    (void)state;
    static const int shapes[][4] = {{16, 4, 4, 4}, {16, 16, 4, 8}, {5, 3, 4, 3},  {16, 6, 8, 7},
                                    {9, 7, 1, 5},  {17, 4, 2, 3},  {16, 2, 12, 9}};
    struct random random = {45};
    static struct set set;
    int n_done = 0, n_all = 0;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int run = 0; run < 2 * MIMO_N_SCHEMES * MIMO_N_POWERS; run++) {
            const enum mimo_scheme scheme = (enum mimo_scheme)(run % MIMO_N_SCHEMES);
            const enum mimo_power power = (enum mimo_power)(run / MIMO_N_SCHEMES % MIMO_N_POWERS);
            if (MIMO_CLUSTER_SCHEMES & MIMO_ONLY(scheme) || scheme == MIMO_OB || scheme == MIMO_ANALOG ||
                (scheme == MIMO_FZF && shapes[s][2] <= shapes[s][3])) {
                continue;
            }
            if (SANITIZED && (s + (size_t)run) % 3 != 0) { /* every scheme and power with some of the shapes */
                continue;
            }
            precoder_t *precoder;
            batch_t *batch;
            create_block(&set, &random, shapes[s], run >= MIMO_N_SCHEMES * MIMO_N_POWERS && shapes[s][1] > 2);
            assert_int_equal(precoder_create(&precoder, &set.c[0].shape), 0);
            assert_int_equal(batch_create(&batch, &set.c[0].shape), 0);
            for (int first = 0; first < set.n_sb; first += batch_lanes(batch)) {
                const int n = set.n_sb - first < batch_lanes(batch) ? set.n_sb - first : batch_lanes(batch);
                const unsigned left =
                    batch_execute(batch, scheme, power, 0.95, n, set.channels + first, set.solutions + first);
                if (MIMO_RLSPA_POWER & MIMO_ONLY(power) && mimo_scheme_allows((int)scheme, (int)power)) { /* no lanes */
                    assert_int_equal(left, (1u << n) - 1);
                    continue;
                }
                for (int b = first; b < first + n; b++) {
                    double energy, sinr;
                    n_all++;
                    if (left >> (b - first) & 1) {
                        continue;
                    }
                    n_done++;
                    assert_true(plain_finite(&set.c[b], set.solutions[b].W));
                    assert_true(plain_excess(&set.c[b], set.solutions[b].W) <=
                                (mimo_holds_mean(scheme, power) ? MIMO_PEAK_RATIO - 1 : 0) + 1e-6);
                    difference(&set.c[b], precoder, scheme, power, &energy, &sinr);
                    if (!(energy <= 1e-7 && sinr <= 1e-3)) {
                        fail_msg("%s, %s, shape %zu, subband %d: W %g, SINR %g", mimo_scheme_name((int)scheme),
                                 mimo_power_name((int)power), s, b, energy, sinr);
                    }
                }
            }
            batch_destroy(batch);
            precoder_destroy(precoder);
            release(&set);
        }
    }
    assert_true(n_done > 0.9 * n_all); /* few are left to the solver they are compared with */
}

/* As the central node hands them in: one array of everything but the estimates. */
static void share_figures(struct set *set)
{
    for (int b = 0; b < set->n_sb; b++) {
        const tutti_cf32 *H_hat = set->c[b].channel.H_hat;
        set->c[b].channel = set->c[0].channel;
        set->c[b].channel.H_hat = H_hat;
        set->channels[b] = set->c[b].channel;
    }
}

/* Conjugate beams with a power per AP and user: solved once, the same as one by one; what has other figures, or an
 * estimate of zero where there is power, is left. */
static void powers_per_ap_and_user(void **state)
{
    (void)state;
    static const int shapes[][4] = {{18, 4, 4, 4}, {20, 16, 4, 8}, {9, 3, 3, 5}};
    struct random random = {46};
    static struct set set;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int n = shapes[i][1] * shapes[i][3];
        double amplitude[16 * 8];
        precoder_t *precoder;
        batch_t *batch;
        create_block(&set, &random, shapes[i], false);
        share_figures(&set);
        assert_int_equal(precoder_create(&precoder, &set.c[0].shape), 0);
        assert_int_equal(batch_create(&batch, &set.c[0].shape), 0);
        precoder_execute_batch(precoder, MIMO_CB, MIMO_POWER_MAXMIN, set.n_sb, set.channels, set.solutions);
        for (int b = 0; b < set.n_sb; b++) {
            double energy, sinr;
            const int reason = set.solutions[b].reason;
            difference(&set.c[b], precoder, MIMO_CB, MIMO_POWER_MAXMIN, &energy, &sinr);
            assert_true(energy <= 1e-9 && sinr <= 1e-3);
            assert_int_equal(reason, set.c[b].solution.reason);
        }
        for (int j = 0; j < n; j++) {
            amplitude[j] = 0.01 * (1 + j % 3);
        }
        const int lanes = batch_lanes(batch), first = set.n_sb - lanes < 0 ? 0 : set.n_sb - lanes;
        const int n_sb = set.n_sb - first;
        const unsigned all = (1u << n_sb) - 1;
#define EXECUTE()                                                                                                      \
    batch_execute(batch, MIMO_CB, MIMO_POWER_MAXMIN, 0.95, n_sb, set.channels + first, set.solutions + first)
        assert_int_equal(EXECUTE(), all); /* nobody has given powers */
        batch_use_each(batch, &set.channels[0], shapes[i][1], shapes[i][3], amplitude, 0);
        assert_int_equal(EXECUTE(), 0);
        set.channels[first].beta = set.c[1].beta;
        assert_int_equal(EXECUTE(), 1);
        set.channels[first].beta = set.c[0].beta;
        for (int a = 0; a < shapes[i][2]; a++) {
            set.c[first + 1].H[a * shapes[i][3]] = 0;
        }
        assert_int_equal(EXECUTE(), 2);
        batch_use_each(batch, &set.channels[0], shapes[i][1], shapes[i][3] - 1, amplitude, 0);
        assert_int_equal(EXECUTE(), all);
        batch_destroy(batch);
        precoder_destroy(precoder);
        release(&set);
    }
}

/* A precoder created for schemes that the batch does not serve has none. */
static void schemes_without_a_batch(void **state)
{
    (void)state;
    struct random random = {44};
    static struct set set;
    create(&set, &random, 18, 4, 2, 3);
    for (int b = 0; b < set.n_sb; b++) {
        set.channels[b] = set.c[b].channel;
        set.solutions[b] = set.c[b].solution;
    }
    for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
        precoder_t *precoder;
        assert_int_equal(precoder_create_for(&precoder, &set.c[0].shape, MIMO_ONLY((unsigned)scheme)), 0);
        precoder_execute_batch(precoder, (enum mimo_scheme)scheme, MIMO_POWER_MAXMIN, set.n_sb, set.channels,
                               set.solutions);
        precoder_destroy(precoder);
        for (int b = 0; b < set.n_sb; b++) {
            assert_true(plain_excess(&set.c[b], set.solutions[b].W) <=
                        (mimo_holds_mean((enum mimo_scheme)scheme, MIMO_POWER_MAXMIN) ? MIMO_PEAK_RATIO - 1 : 0) +
                            1e-6);
        }
    }
    release(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_equals_single),           cmocka_unit_test(masks_common_and_mixed),
        cmocka_unit_test(bad_subbands_are_solved_apart), cmocka_unit_test(every_scheme_equals_single),
        cmocka_unit_test(powers_per_ap_and_user),        cmocka_unit_test(schemes_without_a_batch),
    };
    int n_failed = 0;
    for (int v = 0; test_variant(v); v++) { /* handles keep the variant they are created with */
        kernel_select(test_variant(v));
        n_failed += cmocka_run_group_tests_name(test_variant(v)->name, tests, NULL, NULL);
    }
    return n_failed;
}
