/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an AP is told: its own vectors, and the limits of which the central node is the one authority. */
#include "base/error.h"
#include "cpu_node/push.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_SB = 2, N_AP = 3, N_ANT = 2, N_UE = 2, N_STREAM = 3 };
static const struct block_shape SHAPE = {.n_sb = N_SB, .n_ap = N_AP, .n_ant = N_ANT, .n_ue = N_UE, .n_extra = 1};

static struct config *load(const char *const *sets, int n)
{
    struct config *config = NULL;
    if (config_load(&config, NULL, sets, n) < 0) {
        fail_msg("%s", error_text());
    }
    return config;
}

struct heard {
    struct wire_header header;
    struct wire_precoder_meta meta;
    struct wire_stream stream[N_STREAM];
    tutti_cf32 V[N_SB * N_ANT * N_STREAM];
};

static int lag_blocks;

static void push_to(const struct config *config, struct cpu_block *block, int ap, uint64_t ack, struct heard *h)
{
    struct push *push = NULL;
    const struct push_settings settings = {.shape = SHAPE, .config = config, .noise_key = 99, .lag_blocks = lag_blocks};
    const uint8_t *message;
    assert_int_equal(push_create(&push, &settings), 0);
    const size_t n = push_pack(push, block, ap, ack, 1234, &message);
    assert_true(n > 0);
    h->meta.stream = h->stream;
    assert_int_equal(wire_unpack_precoder(message, n, &h->header, &h->meta, N_STREAM, h->V, N_SB * N_ANT * N_STREAM),
                     WIRE_OK);
    push_destroy(push);
}

static struct cpu_block *solved_block(void)
{
    struct cpu_block *block = NULL;
    assert_int_equal(block_create(&block, &SHAPE), 0);
    block_open(block, 700, 700 * 9600, 5, 0);
    for (int i = 0; i < N_SB * N_AP * N_ANT * N_UE; i++) {
        block->streams->W[i] = CMPLXF((float)i, -1);
    }
    for (int k = 0; k < N_UE; k++) {
        stream_set_add(block->streams, (struct stream){.kind = STREAM_DATA, .source = STREAM_VECTORS, .user = k});
    }
    return block;
}

/* A lead beyond the frame's gap: the precoder is for a later block, and as long valid. */
static void a_lag_is_told(void **state)
{
    (void)state;
    struct config *config = load(NULL, 0);
    struct cpu_block *block = solved_block();
    struct heard h;
    lag_blocks = 2;
    push_to(config, block, 1, 650, &h);
    lag_blocks = 0;
    assert_true(h.header.block == 700 && h.header.valid_from_block == 702);
    assert_true(h.header.valid_until_block == 702 + (uint64_t)config->engine.stale_blocks);
    block_destroy(block);
    config_free(config);
}

static void an_ap_gets_its_part_and_its_orders(void **state)
{
    (void)state;
    static const char *const set[] = {"precoding.scheme=zf", "engine.stale_blocks=7", "engine.mute_blocks=11",
                                      "precoding.upsilon=0.75"};
    struct config *config = load(set, 4);
    struct cpu_block *block = solved_block();
    struct heard h;
    push_to(config, block, 1, 650, &h);
    assert_true(h.header.node == 1 && h.header.session == 5 && h.header.block == 700 && h.header.tick == 700 * 9600);
    assert_true(h.header.valid_from_block == 700 && h.header.valid_until_block == 707 && h.header.send_time_ns == 1234);
    assert_true(h.meta.stale_blocks == 7 && h.meta.mute_blocks == 11 && h.meta.account_ack == 650);
    assert_true(h.meta.upsilon == 0.75f && h.meta.local_scheme == MIMO_ZF);
    assert_true(h.meta.power_mean == 1 && h.meta.power_peak == 1);
    assert_int_equal(h.header.n_stream, N_UE);
    for (int i = 0; i < N_SB * N_ANT * N_UE; i++) {
        const int sb = i / (N_ANT * N_UE);
        assert_true(h.V[i] == block->streams->W[(sb * N_AP + 1) * N_ANT * N_UE + i % (N_ANT * N_UE)]);
    }
    assert_true(h.stream[1].kind == WIRE_STREAM_DATA && h.stream[1].source == WIRE_SOURCE_VECTORS &&
                h.stream[1].user == 1 && h.stream[1].power > 0);
    block_destroy(block);
    config_free(config);
}

/* With clusters nothing is sent of users that an AP does not serve; who serves nobody is told so by zeros. */
static void an_ap_gets_its_clusters_alone(void **state)
{
    (void)state;
    struct config *config = load(NULL, 0);
    struct cpu_block *block = solved_block();
    uint8_t serves[N_AP * N_UE] = {[1 * N_UE + 1] = 1, [2 * N_UE] = 1, [2 * N_UE + 1] = 1};
    struct heard h;
    block->serves = serves;
    for (int i = 0; i < N_SB * N_ANT * N_UE; i++) { /* as the solver leaves what AP 0 does not serve */
        block->streams->W[i / (N_ANT * N_UE) * N_AP * N_ANT * N_UE + i % (N_ANT * N_UE)] = 0;
    }
    for (int ap = 0; ap < N_AP; ap++) {
        push_to(config, block, ap, 0, &h);
        assert_int_equal(h.header.n_stream, ap == 2 ? 2 : 1);
        for (int s = 0; s < h.header.n_stream; s++) {
            const int user = h.stream[s].user;
            assert_int_equal(user, ap == 1 ? 1 : s);
            for (int i = 0; i < N_SB * N_ANT; i++) {
                const int at = ((i / N_ANT * N_AP + ap) * N_ANT + i % N_ANT) * N_UE + user;
                assert_true(h.V[i * h.header.n_stream + s] == block->streams->W[at]);
                assert_true(ap > 0 || h.V[i] == 0);
            }
        }
    }
    block->serves = NULL;
    block_destroy(block);
    config_free(config);
}

/* Powers from closed forms hold the mean, with 3 dB above it in a block. */
static void limits_follow_the_scheme(void **state)
{
    (void)state;
    static const struct {
        enum mimo_scheme scheme;
        enum mimo_power power;
        bool local;
        float peak;
    } CASES[] = {{MIMO_ZF, MIMO_POWER_MAXMIN, false, 1},      {MIMO_CB, MIMO_POWER_EQUAL, false, 1},
                 {MIMO_ANALOG, MIMO_POWER_EQUAL, false, 1},   {MIMO_PPZF, MIMO_POWER_EQUAL, false, 2},
                 {MIMO_ZF, MIMO_POWER_EQUAL, false, 1},       {MIMO_CB, MIMO_POWER_EQUAL, true, 2},
                 {MIMO_CB, MIMO_POWER_EQUAL_SHARES, false, 2}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct config_precoding p = {.scheme = CASES[i].scheme, .power = CASES[i].power, .local = CASES[i].local};
        float mean, peak;
        push_power_limits(&p, &mean, &peak);
        assert_true(mean == 1 && fabsf(peak - CASES[i].peak) < 0.01f);
    }
}

static void noise_travels_as_phases_with_its_key(void **state)
{
    (void)state;
    static const char *const set[] = {"precoding.scheme=zf", "precoding.an=phase_only"};
    struct config *config = load(set, 2);
    struct cpu_block *block = solved_block();
    const int s =
        stream_set_add(block->streams, (struct stream){.kind = STREAM_AN, .source = STREAM_PHASES, .power = 0.5f});
    for (int i = 0; i < N_SB * N_AP * N_ANT; i++) {
        stream_set_vectors(block->streams, s)[i] = CMPLXF(0, 0.5f); /* sqrt(0.5 / 2 antennas) */
    }
    struct heard h;
    push_to(config, block, 2, 0, &h);
    assert_true(h.meta.noise_key == 99 && h.header.n_stream == N_STREAM);
    assert_true(h.stream[2].kind == WIRE_STREAM_AN && h.stream[2].source == WIRE_SOURCE_PHASES &&
                h.stream[2].power == 0.5f);
    for (int i = 0; i < N_SB * N_ANT; i++) {
        assert_true(cabsf(h.V[i * N_STREAM + 2] - CMPLXF(0, 0.5f)) < 1e-3f);
    }
    block_destroy(block);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ap_gets_its_part_and_its_orders),   cmocka_unit_test(a_lag_is_told),
        cmocka_unit_test(an_ap_gets_its_clusters_alone),        cmocka_unit_test(limits_follow_the_scheme),
        cmocka_unit_test(noise_travels_as_phases_with_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
