/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an access point adds to what it is told to send: artificial noise that is new in every symbol, subband and
 * block, where it must be, alike at all access points, where it must be (whoever can foresee the noise can take it
 * out); beams of its own; all under its power limits. */
#include "ap_node/streams.h"
#include "mimo/precoder.h"

#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_ANT = 6, N_UE = 3, N_SB = 4, SC_PER_SB = 12, N_SC = N_SB * SC_PER_SB, N_SYMBOL = 12, N_BLOCK = 3, ROOM = 8 };
#define POWER 0.3f

/* One access point; its users are all strong. */
struct place {
    struct streams streams;
    struct ap_rules rules;
    struct wire_stream stream[ROOM];
    int n_stream;
    tutti_cf32 H_hat[N_SB * N_ANT * N_UE], V[N_SB * N_ANT * ROOM];
    float beta[N_UE], error_variance[N_UE];
};

static void open_place(struct place *p, int id, enum wire_source source)
{
    const struct streams_settings settings = {.n_sb = N_SB,
                                              .sc_per_sb = SC_PER_SB,
                                              .n_ant = N_ANT,
                                              .n_ue = N_UE,
                                              .room = ROOM,
                                              .private_random = splitmix_make(7, (uint64_t)id)};
    struct splitmix random = splitmix_make(5, (uint64_t)id);
    memset(p, 0, sizeof *p);
    assert_int_equal(streams_create(&p->streams, &settings), 0);
    p->rules = (struct ap_rules){.upsilon = 1, .power_mean = 1, .power_peak = 1, .local_scheme = MIMO_PPZF};
    for (int k = 0; k < N_UE; k++) {
        p->beta[k] = 1;
    }
    for (int i = 0; i < N_SB * N_ANT * N_UE; i++) {
        const float re = (float)(splitmix_next(&random) >> 40) * 0x1p-23f - 1;
        p->H_hat[i] = re + I * ((float)(splitmix_next(&random) >> 40) * 0x1p-23f - 1);
    }
    p->stream[0] = (struct wire_stream){.kind = WIRE_STREAM_AN, .source = (uint8_t)source, .power = POWER};
    p->n_stream = 1;
}

/* A new block: what a received precoder gives, prepared; true if it was scaled. */
static bool prepare(struct place *p, uint64_t block, uint64_t key)
{
    const struct wire_precoder_meta meta = {.noise_key = key, .stream = p->stream};
    const struct streams_estimates estimates = {p->H_hat, p->beta, p->error_variance};
    return streams_prepare(&p->streams, block, &p->rules, &meta, p->n_stream, p->V, &estimates);
}

static void next_block(struct place *p, uint64_t block, uint64_t key)
{
    for (int i = 0; i < N_SB * N_ANT; i++) {
        p->V[i] = 0.1f;
    }
    assert_false(prepare(p, block, key));
    assert_true(p->streams.fresh_every_symbol);
}

static float complex product(int n, const tutti_cf32 *a, const tutti_cf32 *b)
{
    float complex sum = 0;
    for (int i = 0; i < n; i++) {
        sum += conjf(a[i]) * b[i];
    }
    return sum;
}

/* |a^H b| over the norms: 1 for the same direction, about 1 / sqrt(n) for independent ones. */
static float likeness(int n, const tutti_cf32 *a, const tutti_cf32 *b)
{
    return cabsf(product(n, a, b)) / sqrtf(crealf(product(n, a, a)) * crealf(product(n, b, b)));
}

static void test_null_space_noise_is_never_the_same(void **state)
{
    (void)state;
    static tutti_cf32 direction[N_BLOCK * N_SYMBOL * N_SB][N_ANT], symbols[N_BLOCK * N_SYMBOL][N_SC];
    static struct place p;
    int n = 0;
    open_place(&p, 0, WIRE_SOURCE_LOCAL);
    for (uint64_t block = 0; block < N_BLOCK; block++) {
        next_block(&p, block, 0);
        for (int d = 0; d < N_SYMBOL; d++) {
            streams_renew(&p.streams, d);
            memcpy(symbols[n / N_SB], p.streams.symbols, sizeof symbols[0]);
            for (int sb = 0; sb < N_SB; sb++, n++) {
                memcpy(direction[n], p.streams.V + sb * N_ANT, sizeof direction[n]);
                assert_true(fabsf(crealf(product(N_ANT, direction[n], direction[n])) / POWER - 1) < 1e-5f);
                for (int k = 0; k < N_UE; k++) {
                    tutti_cf32 h[N_ANT];
                    for (int a = 0; a < N_ANT; a++) {
                        h[a] = p.H_hat[(sb * N_ANT + a) * N_UE + k];
                    }
                    assert_true(likeness(N_ANT, h, direction[n]) < 1e-5f);
                }
            }
        }
    }
    /* Three dimensions are left: two directions of one subband are so alike with probability 4e-8. */
    for (int i = 0; i < n; i++) {
        for (int j = i % N_SB; j < i; j += N_SB) {
            assert_true(likeness(N_ANT, direction[i], direction[j]) < 0.9999f);
        }
    }
    for (int i = 0; i < N_BLOCK * N_SYMBOL; i++) {
        for (int j = 0; j < i; j++) {
            assert_true(likeness(N_SC, symbols[i], symbols[j]) < 0.7f);
        }
    }
    streams_destroy(&p.streams);
}

static void test_null_space_noise_is_each_access_points_own(void **state)
{
    (void)state;
    static struct place p, q;
    open_place(&p, 0, WIRE_SOURCE_LOCAL);
    open_place(&q, 1, WIRE_SOURCE_LOCAL);
    next_block(&p, 0, 0);
    next_block(&q, 0, 0);
    for (int d = 0; d < N_SYMBOL; d++) {
        streams_renew(&p.streams, d);
        streams_renew(&q.streams, d);
        assert_true(likeness(N_SC, p.streams.symbols, q.streams.symbols) < 0.7f);
    }
    streams_destroy(&p.streams);
    streams_destroy(&q.streams);
}

static void test_phase_only_noise_is_common_and_new(void **state)
{
    (void)state;
    static tutti_cf32 symbols[2 * N_BLOCK * N_SYMBOL][N_SC];
    static struct place p, q;
    int n = 0;
    open_place(&p, 0, WIRE_SOURCE_PHASES);
    open_place(&q, 1, WIRE_SOURCE_PHASES);
    for (uint64_t key = 1; key <= 2; key++) {
        for (uint64_t block = 0; block < N_BLOCK; block++) {
            next_block(&p, block, key);
            next_block(&q, block, key);
            for (int d = 0; d < N_SYMBOL; d++, n++) {
                streams_renew(&p.streams, d);
                streams_renew(&q.streams, d);
                assert_memory_equal(p.streams.symbols, q.streams.symbols, sizeof symbols[0]);
                memcpy(symbols[n], p.streams.symbols, sizeof symbols[0]);
                for (int i = 0; i < n; i++) {
                    assert_true(likeness(N_SC, symbols[i], symbols[n]) < 0.7f);
                }
            }
        }
    }
    streams_destroy(&p.streams);
    streams_destroy(&q.streams);
}

static float power_of(const struct streams *s, int sb, int i)
{
    float power = 0;
    for (int a = 0; a < N_ANT; a++) {
        const tutti_cf32 v = s->V[(sb * N_ANT + a) * s->n_stream + i];
        power += crealf(v) * crealf(v) + cimagf(v) * cimagf(v);
    }
    return power;
}

static float power_of_all(const struct streams *s, int sb)
{
    float power = 0;
    for (int i = 0; i < s->n_stream; i++) {
        power += power_of(s, sb, i);
    }
    return power;
}

/* Three times too much, half of it noise that is drawn anew every symbol: what is radiated is the limit. */
static void test_power_is_limited_noise_included(void **state)
{
    (void)state;
    static struct place p;
    open_place(&p, 0, WIRE_SOURCE_LOCAL);
    p.stream[0].power = 1.5f;
    p.stream[1] = (struct wire_stream){.kind = WIRE_STREAM_DATA, .user = 1};
    p.n_stream = 2;
    for (int i = 0; i < N_SB * N_ANT; i++) {
        p.V[2 * i + 1] = sqrtf(1.5f / N_ANT);
    }
    for (uint64_t block = 0; block < N_BLOCK; block++) {
        assert_true(prepare(&p, block, 0));
        for (int d = 0; d < N_SYMBOL; d++) {
            streams_renew(&p.streams, d);
            for (int sb = 0; sb < N_SB; sb++) {
                assert_true(fabsf(power_of_all(&p.streams, sb) - 1) < 0.02f);
                assert_true(fabsf(power_of(&p.streams, sb, 0) - 0.5f) < 0.01f);
            }
        }
    }
    assert_true(crealf(p.V[1]) == sqrtf(1.5f / N_ANT)); /* what was received stays, for the blocks to come */
    streams_destroy(&p.streams);
}

static void test_within_the_limits_nothing_changes(void **state)
{
    (void)state;
    static struct place p;
    open_place(&p, 0, WIRE_SOURCE_LOCAL);
    p.stream[0] = (struct wire_stream){.kind = WIRE_STREAM_DATA, .user = 2};
    for (int i = 0; i < N_SB * N_ANT; i++) {
        p.V[i] = CMPLXF(0.3f, 0.1f * (float)(i % 3));
    }
    assert_false(prepare(&p, 0, 0));
    assert_memory_equal(p.streams.V, p.V, N_SB * N_ANT * sizeof(tutti_cf32));
    assert_false(p.streams.fresh_every_symbol);
    streams_destroy(&p.streams);
}

/* Beams of the scheme that the central node orders: zero-forcing ones hit no other user, conjugate ones do. */
static void test_local_beams_follow_the_orders(void **state)
{
    (void)state;
    static struct place p;
    open_place(&p, 0, WIRE_SOURCE_LOCAL);
    for (int k = 0; k < N_UE; k++) {
        p.stream[k] = (struct wire_stream){
            .kind = WIRE_STREAM_DATA, .source = WIRE_SOURCE_LOCAL, .user = (uint16_t)k, .power = 0.01f};
    }
    p.n_stream = N_UE;
    float leak[2] = {0};
    for (int round = 0; round < 2; round++) {
        p.rules.local_scheme = round ? MIMO_CB : MIMO_FZF;
        prepare(&p, (uint64_t)round, 0);
        for (int sb = 0; sb < N_SB; sb++) {
            tutti_cf32 h[N_ANT], w[N_ANT];
            for (int a = 0; a < N_ANT; a++) {
                h[a] = p.H_hat[(sb * N_ANT + a) * N_UE];
                w[a] = p.streams.V[(sb * N_ANT + a) * N_UE + 1];
            }
            leak[round] = fmaxf(leak[round], likeness(N_ANT, h, w));
        }
    }
    assert_true(leak[0] < 1e-4f);
    assert_true(leak[1] > 0.05f);
    streams_destroy(&p.streams);
}

static void test_the_fallback_serves_everybody_within_the_limits(void **state)
{
    (void)state;
    static struct place p;
    open_place(&p, 0, WIRE_SOURCE_LOCAL);
    p.rules.power_mean = p.rules.power_peak = 0.25f;
    assert_true(streams_prepare_local(&p.streams, 0, &p.rules, p.H_hat));
    assert_int_equal(p.streams.n_stream, N_UE);
    for (int sb = 0; sb < N_SB; sb++) {
        assert_true(fabsf(power_of_all(&p.streams, sb) - 0.25f) < 0.005f);
    }
    for (int k = 0; k < N_UE; k++) {
        assert_int_equal(p.streams.list[k].user, k);
        assert_true(power_of(&p.streams, 0, k) > 0);
    }
    streams_destroy(&p.streams);
}

/* Two noise streams and a sensing beam: each has symbols of its own, all access points the same. */
static void test_any_number_of_streams(void **state)
{
    (void)state;
    static struct place p, q;
    open_place(&p, 0, WIRE_SOURCE_VECTORS);
    open_place(&q, 1, WIRE_SOURCE_VECTORS);
    struct place *both[] = {&p, &q};
    for (int i = 0; i < 2; i++) {
        both[i]->stream[1] = both[i]->stream[0];
        both[i]->stream[2] = (struct wire_stream){.kind = WIRE_STREAM_SENSING, .user = 4};
        both[i]->n_stream = 3;
        assert_false(prepare(both[i], 9, 1234));
        streams_renew(&both[i]->streams, 0);
    }
    const tutti_cf32 *s = p.streams.symbols;
    assert_memory_equal(s, q.streams.symbols, (size_t)3 * N_SC * sizeof *s);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < i; j++) {
            assert_true(likeness(N_SC, s + i * N_SC, s + j * N_SC) < 0.7f);
        }
    }
    streams_destroy(&p.streams);
    streams_destroy(&q.streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_null_space_noise_is_never_the_same),
                                       cmocka_unit_test(test_null_space_noise_is_each_access_points_own),
                                       cmocka_unit_test(test_phase_only_noise_is_common_and_new),
                                       cmocka_unit_test(test_power_is_limited_noise_included),
                                       cmocka_unit_test(test_within_the_limits_nothing_changes),
                                       cmocka_unit_test(test_local_beams_follow_the_orders),
                                       cmocka_unit_test(test_the_fallback_serves_everybody_within_the_limits),
                                       cmocka_unit_test(test_any_number_of_streams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
