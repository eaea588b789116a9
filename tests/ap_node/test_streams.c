/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Artificial noise as an access point makes it: new in every symbol, subband and block, where it must be, alike at all
 * access points, where it must be. Whoever can foresee the noise can take it out. */
#include "ap_node/ap.h"

#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_ANT = 6, N_UE = 3, N_SB = 4, N_SC = 48, N_SYMBOL = 12, N_BLOCK = 3 };
#define POWER 0.3f

/* The part of an access point that streams.c uses; its users are all strong. */
struct place {
    struct ap ap;
    struct config *config;
    struct wire_stream stream;
    struct ap_choice choice;
    tutti_cf32 H_hat[N_SB * N_ANT * N_UE], V[N_SB * N_ANT], V_work[N_SB * N_ANT];
    tutti_cf32 basis[N_SB * N_ANT * N_ANT], noise[N_SC];
};

static void open_place(struct place *p, int id, enum wire_source source)
{
    const char *const overrides[] = {"precoding.upsilon=1"};
    struct splitmix random = splitmix_make(5, (uint64_t)id);
    memset(p, 0, sizeof *p);
    assert_int_equal(config_load(&p->config, NULL, overrides, 1), 0);
    p->ap.config = p->config;
    p->ap.frame.n_sb = N_SB;
    p->ap.frame.n_sc = N_SC;
    p->ap.n_ant = N_ANT;
    p->ap.n_ue = N_UE;
    p->ap.H_hat = p->H_hat;
    p->ap.V_work = p->V_work;
    p->ap.noise_basis = p->basis;
    p->ap.noise = p->noise;
    p->ap.private_random = splitmix_make(7, (uint64_t)id);
    for (int k = 0; k < N_UE; k++) {
        p->ap.meta.beta[k] = 1;
    }
    for (int i = 0; i < N_SB * N_ANT * N_UE; i++) {
        const float re = (float)(splitmix_next(&random) >> 40) * 0x1p-23f - 1;
        p->H_hat[i] = re + I * ((float)(splitmix_next(&random) >> 40) * 0x1p-23f - 1);
    }
    p->stream = (struct wire_stream){.kind = WIRE_STREAM_AN, .source = (uint8_t)source, .power = POWER};
}

/* A new block: what a received precoder gives, prepared. */
static void next_block(struct place *p, uint64_t block, uint64_t key)
{
    p->ap.at.block = block;
    for (int i = 0; i < N_SB * N_ANT; i++) {
        p->V[i] = 0.1f;
    }
    p->choice = (struct ap_choice){.V = p->V, .stream = &p->stream, .n_stream = 1, .noise_key = key};
    streams_prepare(&p->ap, &p->choice);
    assert_true(p->choice.fresh_every_symbol);
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
            streams_renew(&p.ap, &p.choice, d);
            memcpy(symbols[n / N_SB], p.noise, sizeof p.noise);
            for (int sb = 0; sb < N_SB; sb++, n++) {
                memcpy(direction[n], p.V_work + sb * N_ANT, sizeof direction[n]);
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
    config_free(p.config);
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
        streams_renew(&p.ap, &p.choice, d);
        streams_renew(&q.ap, &q.choice, d);
        assert_true(likeness(N_SC, p.noise, q.noise) < 0.7f);
    }
    config_free(p.config);
    config_free(q.config);
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
                streams_renew(&p.ap, &p.choice, d);
                streams_renew(&q.ap, &q.choice, d);
                assert_memory_equal(p.noise, q.noise, sizeof p.noise);
                memcpy(symbols[n], p.noise, sizeof p.noise);
                for (int i = 0; i < n; i++) {
                    assert_true(likeness(N_SC, symbols[i], symbols[n]) < 0.7f);
                }
            }
        }
    }
    config_free(p.config);
    config_free(q.config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_null_space_noise_is_never_the_same),
                                       cmocka_unit_test(test_null_space_noise_is_each_access_points_own),
                                       cmocka_unit_test(test_phase_only_noise_is_common_and_new)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
