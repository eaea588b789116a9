/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/stream_set.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_SB = 3, N_AP = 4, N_ANT = 2, N_UE = 5, N_EXTRA = 2, N_ALL = N_SB * N_AP * N_ANT };

static bool is_near(double a, double b, double most)
{
    return fabs(a - b) <= most;
}

static tutti_cf32 w_of(int sb, int ap, int ant, int ue)
{
    return CMPLXF((float)(sb + 1) * 0.5f + (float)ant, (float)(ap - ue) * 0.25f);
}

/* Every value known by its place. */
static struct stream_set *filled(void)
{
    struct stream_set *set = NULL;
    assert_int_equal(stream_set_create(&set, N_SB, N_AP, N_ANT, N_UE, N_EXTRA), 0);
    for (int sb = 0; sb < N_SB; sb++) {
        for (int i = 0; i < N_AP * N_ANT * N_UE; i++) {
            set->W[sb * N_AP * N_ANT * N_UE + i] = w_of(sb, i / N_UE / N_ANT, i / N_UE % N_ANT, i % N_UE);
        }
    }
    for (int i = 0; i < N_EXTRA * N_ALL; i++) {
        set->extra[i] = CMPLXF((float)i, -1);
    }
    return set;
}

static struct stream data(int user)
{
    return (struct stream){.kind = STREAM_DATA, .source = STREAM_VECTORS, .user = user};
}

static void slices_have_their_columns(void **state)
{
    (void)state;
    struct stream_set *set = filled();
    assert_int_equal(stream_set_add(set, data(3)), 0);
    assert_int_equal(stream_set_add(set, (struct stream){.kind = STREAM_AN, .source = STREAM_PHASES, .power = 7}), 1);
    assert_int_equal(stream_set_add(set, data(0)), 2);
    assert_int_equal(stream_set_add(set, (struct stream){.kind = STREAM_SENSING, .source = STREAM_VECTORS}), 3);
    for (int ap = 0; ap < N_AP; ap++) {
        tutti_cf32 out[N_SB * N_ANT * 4];
        float power[4];
        double norm = 0;
        stream_set_slice(set, ap, out, power);
        for (int i = 0; i < N_SB * N_ANT; i++) {
            const int sb = i / N_ANT, a = i % N_ANT, at = (sb * N_AP + ap) * N_ANT + a;
            assert_true(out[i * 4] == w_of(sb, ap, a, 3));
            assert_true(out[i * 4 + 1] == CMPLXF((float)at, -1));
            assert_true(out[i * 4 + 2] == w_of(sb, ap, a, 0));
            assert_true(out[i * 4 + 3] == CMPLXF((float)(N_ALL + at), -1));
            norm += pow(cabs((double complex)w_of(sb, ap, a, 3)), 2) / N_SB;
        }
        assert_true(is_near(power[0], norm, 1e-5 * norm));
        assert_true(is_near(power[1], 7, 0));
    }
    stream_set_destroy(set);
}

static void whole_precoders_are_rows(void **state)
{
    (void)state;
    struct stream_set *set = filled();
    for (int k = 0; k < N_UE; k++) {
        assert_int_equal(stream_set_add(set, data(k)), k);
    }
    tutti_cf32 out[N_SB * N_ANT * N_UE];
    float power[N_UE];
    stream_set_slice(set, 2, out, power);
    for (int i = 0; i < N_SB * N_ANT * N_UE; i++) {
        assert_true(out[i] == w_of(i / N_UE / N_ANT, 2, i / N_UE % N_ANT, i % N_UE));
    }
    stream_set_destroy(set);
}

static void local_streams_have_power_per_ap_and_no_vectors(void **state)
{
    (void)state;
    struct stream_set *set = filled();
    for (int k = 0; k < N_UE; k++) {
        struct stream s = data(k);
        s.source = STREAM_LOCAL;
        s.power = 0.2f;
        assert_int_equal(stream_set_add(set, s), k);
    }
    set->power[1 * N_AP + 3] = 0.5f;
    tutti_cf32 out[N_SB * N_ANT * N_UE];
    float power[N_UE];
    stream_set_slice(set, 3, out, power);
    assert_true(is_near(power[0], 0.2, 1e-7));
    assert_true(is_near(power[1], 0.5, 0));
    for (int i = 0; i < N_SB * N_ANT * N_UE; i++) {
        assert_true(out[i] == 0);
    }
    stream_set_destroy(set);
}

static void room_is_kept(void **state)
{
    (void)state;
    struct stream_set *set = filled();
    assert_int_equal(stream_set_add(set, data(N_UE)), -1);
    assert_int_equal(stream_set_add(set, data(-1)), -1);
    assert_int_equal(stream_set_add(set, data(1)), 0);
    assert_int_equal(stream_set_add(set, data(1)), -1); /* a user has one stream */
    for (int e = 0; e < N_EXTRA; e++) {
        assert_int_equal(stream_set_add(set, (struct stream){.kind = STREAM_SENSING}), 1 + e);
    }
    assert_int_equal(stream_set_add(set, (struct stream){.kind = STREAM_AN}), -1);
    assert_ptr_equal(stream_set_vectors(set, 0), NULL);
    assert_ptr_equal(stream_set_vectors(set, 2), set->extra + N_ALL);
    stream_set_clear(set);
    assert_true(set->n_stream == 0 && set->W[7] == w_of(0, 0, 1, 2));
    stream_set_reset(set);
    assert_true(set->W[7] == 0 && set->extra[N_ALL] == 0);
    stream_set_destroy(set);
    stream_set_destroy(NULL);
}

static void scaling_touches_one_kind(void **state)
{
    (void)state;
    struct stream_set *set = filled(), *copy = filled();
    stream_set_add(set, data(2));
    stream_set_add(set, (struct stream){.kind = STREAM_AN, .source = STREAM_PHASES, .power = 1});
    stream_set_add(set, (struct stream){.kind = STREAM_SENSING});
    stream_set_scale(set, STREAM_AN, 0.5f);
    assert_true(set->extra[5] == CMPLXF(2.5f, -0.5f) && set->extra[N_ALL + 5] == CMPLXF((float)(N_ALL + 5), -1));
    assert_true(set->W[7] == w_of(0, 0, 1, 2));
    assert_true(is_near(set->power[1 * N_AP + 2], 0.25, 1e-7));
    stream_set_scale(set, STREAM_DATA, 2);
    assert_true(set->W[7] == 2 * w_of(0, 0, 1, 2) && set->extra[5] == CMPLXF(2.5f, -0.5f));
    stream_set_copy(copy, set);
    assert_int_equal(copy->n_stream, 3);
    assert_memory_equal(copy->W, set->W, (size_t)(N_ALL * N_UE) * sizeof *set->W);
    assert_memory_equal(copy->extra, set->extra, (size_t)(N_EXTRA * N_ALL) * sizeof *set->extra);
    assert_memory_equal(copy->power, set->power, 3 * N_AP * sizeof *set->power);
    stream_set_destroy(copy);
    stream_set_destroy(set);
}

static void noise_is_the_sum_of_noise_vectors(void **state)
{
    (void)state;
    struct stream_set *set = filled();
    tutti_cf32 an[N_ALL];
    stream_set_add(set, (struct stream){.kind = STREAM_AN, .source = STREAM_VECTORS});
    stream_set_add(set, (struct stream){.kind = STREAM_AN, .source = STREAM_PHASES});
    stream_set_noise(set, an);
    for (int i = 0; i < N_ALL; i++) {
        assert_true(an[i] == CMPLXF((float)(2 * i + N_ALL), -2));
    }
    stream_set_clear(set);
    stream_set_add(set, (struct stream){.kind = STREAM_AN, .source = STREAM_LOCAL});
    stream_set_add(set, (struct stream){.kind = STREAM_SENSING});
    stream_set_noise(set, an);
    for (int i = 0; i < N_ALL; i++) {
        assert_true(an[i] == 0);
    }
    stream_set_destroy(set);
}

/* The AP's limits -------------------------------------------------------------------------------------------------- */

enum { N_STREAM = 3, ROW = N_ANT * N_STREAM };

static void fill(tutti_cf32 *V, const float *power)
{
    for (int i = 0; i < N_SB * ROW; i++) {
        V[i] = CMPLXF(sqrtf(power[i / ROW] / ROW) * 0.6f, sqrtf(power[i / ROW] / ROW) * 0.8f);
    }
}

static double power_of(const tutti_cf32 *V, int sb)
{
    double sum = 0;
    for (int i = 0; i < ROW; i++) {
        sum += pow(cabs((double complex)V[sb * ROW + i]), 2);
    }
    return sum;
}

static void within_limits_nothing_changes(void **state)
{
    (void)state;
    struct stream_power power = {0};
    tutti_cf32 V[N_SB * ROW], before[N_SB * ROW];
    float scale[N_SB];
    fill(V, (const float[]){0.5f, 0.99f, 0});
    memcpy(before, V, sizeof V);
    for (int b = 0; b < 200; b++) {
        assert_false(stream_power_limit(&power, N_SB, N_ANT, N_STREAM, 1, 1, V, NULL, scale));
        assert_memory_equal(V, before, sizeof V);
        assert_true(scale[0] == 1 && scale[2] == 1);
    }
}

/* What the encodings of the fronthaul round up is taken off, but it is no violation to speak of. */
static void rounding_is_no_violation(void **state)
{
    (void)state;
    struct stream_power power = {0};
    tutti_cf32 V[N_SB * ROW];
    fill(V, (const float[]){1.005f, 1, 1});
    assert_false(stream_power_limit(&power, N_SB, N_ANT, N_STREAM, 1, 1, V, NULL, NULL));
    assert_true(power_of(V, 0) <= 1);
    fill(V, (const float[]){1.02f, 1, 1});
    assert_true(stream_power_limit(&power, N_SB, N_ANT, N_STREAM, 1, 1, V, NULL, NULL));
    assert_true(power_of(V, 0) <= 1);
}

static void no_subband_is_above_the_peak(void **state)
{
    (void)state;
    struct stream_power power = {0};
    tutti_cf32 V[N_SB * ROW];
    float scale[N_SB];
    fill(V, (const float[]){8, 0.9f, 0});
    assert_true(stream_power_limit(&power, N_SB, N_ANT, N_STREAM, 1, 2, V, NULL, scale)); /* mean (2 + 0.9 + 0) / 3 */
    assert_true(power_of(V, 0) <= 2 && power_of(V, 0) > 1.999);
    assert_true(is_near(power_of(V, 1), 0.9, 1e-6));
    assert_true(is_near(scale[0], 0.5, 1e-5));
    assert_true(scale[1] == 1);
    /* what is drawn afresh counts: 1.5 of 2 is gone before V */
    const float extra[N_SB] = {1.5f, 0, 0};
    struct stream_power other = {0};
    fill(V, (const float[]){2.5f, 0, 0});
    assert_true(stream_power_limit(&other, N_SB, N_ANT, N_STREAM, 1, 2, V, extra, scale));
    assert_true(is_near(power_of(V, 0), 1.25, 1e-5));
    assert_true(is_near(scale[0], sqrt(0.5), 1e-5));
}

/* Whatever is asked for, no 50 blocks use more than the mean, from the first on. */
static void the_mean_holds_over_every_window(void **state)
{
    (void)state;
    enum { N = 1000 };
    struct stream_power power = {0};
    static double used[N];
    srand(1);
    for (int b = 0; b < N; b++) {
        tutti_cf32 V[N_SB * ROW];
        const float p = b < 100 ? 2.0f : 4.0f * (float)rand() / (float)RAND_MAX;
        fill(V, (const float[]){p, 0.3f * p, p});
        stream_power_limit(&power, N_SB, N_ANT, N_STREAM, 1, 2, V, NULL, NULL);
        for (int sb = 0; sb < N_SB; sb++) {
            assert_true(power_of(V, sb) <= 2);
            used[b] += power_of(V, sb) / N_SB;
        }
        double sum = 0;
        for (int i = b; i >= 0 && i > b - STREAM_POWER_BLOCKS; i--) {
            sum += used[i];
        }
        assert_true(sum <= STREAM_POWER_BLOCKS * (1 + 1e-6));
        assert_true(b >= 100 || fabs(used[b] - 1) < 1e-5); /* a steady demand gets steady power, not bursts */
    }
}

static void credit_can_be_used_up_to_the_peak(void **state)
{
    (void)state;
    struct stream_power power = {0};
    tutti_cf32 V[N_SB * ROW];
    for (int b = 0; b < STREAM_POWER_BLOCKS; b++) {
        fill(V, (const float[]){0.5f, 0.5f, 0.5f});
        stream_power_limit(&power, N_SB, N_ANT, N_STREAM, 1, 2, V, NULL, NULL);
    }
    fill(V, (const float[]){2, 2, 2});
    assert_false(stream_power_limit(&power, N_SB, N_ANT, N_STREAM, 1, 2.001f, V, NULL, NULL));
}

static void absurd_values_become_silence(void **state)
{
    (void)state;
    struct stream_power power = {0};
    tutti_cf32 V[N_SB * ROW];
    fill(V, (const float[]){1, 1, 1});
    V[0] = CMPLXF(3e38f, 3e38f);
    V[ROW] = CMPLXF(NAN, 0);
    V[2 * ROW] = CMPLXF(INFINITY, 0);
    assert_true(stream_power_limit(&power, N_SB, N_ANT, N_STREAM, 1, 2, V, NULL, NULL));
    for (int sb = 0; sb < N_SB; sb++) {
        const double p = power_of(V, sb);
        assert_true(isfinite(p) && p <= 2);
    }
    assert_true(power_of(V, 1) == 0 && power_of(V, 2) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_have_their_columns),
        cmocka_unit_test(whole_precoders_are_rows),
        cmocka_unit_test(local_streams_have_power_per_ap_and_no_vectors),
        cmocka_unit_test(room_is_kept),
        cmocka_unit_test(scaling_touches_one_kind),
        cmocka_unit_test(noise_is_the_sum_of_noise_vectors),
        cmocka_unit_test(within_limits_nothing_changes),
        cmocka_unit_test(rounding_is_no_violation),
        cmocka_unit_test(no_subband_is_above_the_peak),
        cmocka_unit_test(the_mean_holds_over_every_window),
        cmocka_unit_test(credit_can_be_used_up_to_the_peak),
        cmocka_unit_test(absurd_values_become_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
