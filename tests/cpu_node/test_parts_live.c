/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two central nodes that tell each other what their parts do: both compute the same weights from the same block on,
 * helpers send nothing before they are known, and one that has gone is forgotten. Blocks are solved by the solver. */
#include "base/error.h"
#include "channel/random.h"
#include "cpu_node/parts_live.h"
#include "cpu_node/solve.h"
#include "phy/frame.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_SB = 6, M = 2, N = 4, K = 3, EVERY = 30, LEAD = 8 };

struct node {
    parts_live_t *parts;
    struct cpu_block *block;
    solver_t *solver;
};

struct rig {
    struct config *config;
    struct frame frame;
    struct node node[2];
    uint8_t serves[2 * K];
    int home[K];
    uint64_t counter;
};

static void open_rig(struct rig *rig)
{
    static const char *const sets[] = {"network.n_ap=2", "network.n_ue=3", "precoding.scheme=zf",
                                       "precoding.power=equal_sent"};
    *rig = (struct rig){.home = {0, 1, 0}, .serves = {1, 1, 1, 1, 1, 0}};
    assert_int_equal(config_load(&rig->config, NULL, sets, 4), 0);
    assert_int_equal(frame_init(&rig->frame, rig->config), 0);
    const struct block_shape shape = {.n_sb = N_SB, .n_ap = M, .n_ant = N, .n_ue = K, .parts = true};
    const struct solver_settings solver = {
        .shape = shape, .frame = &rig->frame, .precoding = &rig->config->precoding, .engine = &rig->config->engine};
    for (int c = 0; c < 2; c++) {
        const struct parts_live_settings settings = {
            .n_cpu = 2, .n_ue = K, .self = c, .every_blocks = EVERY, .lead_blocks = LEAD};
        assert_int_equal(parts_live_create(&rig->node[c].parts, &settings), 0);
        assert_int_equal(block_create(&rig->node[c].block, &shape), 0);
        assert_int_equal(solver_create(&rig->node[c].solver, &solver), 0);
    }
}

static void close_rig(struct rig *rig)
{
    for (int c = 0; c < 2; c++) {
        parts_live_destroy(rig->node[c].parts);
        block_destroy(rig->node[c].block);
        solver_destroy(rig->node[c].solver);
    }
    config_free(rig->config);
}

/* Node 1 hears user 0 at a tenth of its gain, user 2 does not concern it. */
static void fill(struct rig *rig, int c, uint64_t number)
{
    struct cpu_block *const b = rig->node[c].block;
    block_open(b, number, 0, 1, 0);
    memset(b->gathered, 1, M);
    memset(b->user_used, 1, K);
    memset(b->user_alive, 1, K);
    b->scheme = MIMO_ZF;
    for (int i = 0; i < N_SB * M * N * K; i++) {
        float re, im;
        random_normal(random_key(1, RANDOM_NOISE, (uint64_t)c, 0, 0), rig->counter++, &re, &im);
        b->H_hat[i] = CMPLXF(re, im) * (c == 1 && i % K == 0 ? 1.0f : 3.0f);
    }
    for (int i = 0; i < M * K; i++) {
        b->error_variance[i] = 0.05f;
        b->beta[i] = 1;
    }
}

static void turn(struct rig *rig, int c, uint64_t number)
{
    fill(rig, c, number);
    parts_live_turn(rig->node[c].parts, rig->serves, rig->home, rig->node[c].block);
    solver_execute(rig->node[c].solver, rig->node[c].block, &(struct solver_deadline){0});
}

/* What is told goes to the other one, if it listens. True if something was told. */
static bool tell(struct rig *rig, int c, bool listens)
{
    parts_live_learn(rig->node[c].parts, rig->node[c].block);
    char *const line = parts_live_told(rig->node[c].parts);
    json_t *const root = line ? json_loads(line, 0, NULL) : NULL;
    if (line) {
        assert_non_null(root);
        assert_string_equal(json_string_value(json_object_get(root, "type")), "weights");
        assert_true(strlen(line) < 1000);
        assert_true(!listens || parts_live_hear(rig->node[!c].parts, c, root));
        assert_false(parts_live_hear(rig->node[c].parts, c, root)); /* one's own is not heard */
    }
    json_decref(root);
    free(line);
    return root != NULL;
}

static double complex weight_of(const struct rig *rig, int c, int k)
{
    return rig->node[c].block->part->weight[k];
}

static void both_send_by_the_same_weights(void **state)
{
    struct rig rig;
    uint64_t told = 0, first = 0;
    (void)state;
    open_rig(&rig);
    for (uint64_t b = 1; b < 80; b++) {
        turn(&rig, 0, b);
        turn(&rig, 1, b);
        const bool helped = weight_of(&rig, 1, 0) != 0;
        first = helped && first == 0 ? b : first;
        assert_true(helped || (weight_of(&rig, 0, 0) == 1 && weight_of(&rig, 1, 1) == 1)); /* homes alone */
        assert_true(weight_of(&rig, 1, 2) == 0 && fabs(cabs(weight_of(&rig, 0, 2)) - 1) < 1e-9);
        const bool one = tell(&rig, 0, true), other = tell(&rig, 1, true);
        if (one || other) {
            assert_int_equal(b - told, told == 0 ? PARTS_LIVE_FIRST_BLOCKS : EVERY);
            told = b;
        }
    }
    assert_int_equal(first, PARTS_LIVE_FIRST_BLOCKS + LEAD + 1);
    /* node 1 hears user 0 at a third of the amplitude; as maximum ratio combining does, and less for what leaks */
    const double share = cabs(weight_of(&rig, 1, 0)) / cabs(weight_of(&rig, 0, 0));
    assert_true(share > 0.1 && share < 0.4);
    close_rig(&rig);
}

/* 39 blocks, the nodes tell each other. */
static void learn(struct rig *rig)
{
    for (uint64_t b = 1; b < 40; b++) {
        turn(rig, 0, b);
        turn(rig, 1, b);
        tell(rig, 0, true);
        tell(rig, 1, true);
    }
}

/* The solver leaves what users would hear without weights; learnt, it is what they hear of what is sent. */
static void what_is_recorded_is_what_is_sent(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig);
    learn(&rig);
    const struct cpu_block *const b = rig.node[1].block;
    double most = 0;
    for (int sb = 0; sb < N_SB; sb++) {
        const tutti_cf32 *const H = b->H_hat + sb * M * N * K, *const W = b->streams->W + sb * M * N * K;
        double power[M] = {0};
        for (int i = 0; i < K * K; i++) {
            double complex sum = 0;
            for (int r = 0; r < M * N; r++) {
                sum += conj((double complex)H[r * K + i / K]) * (double complex)W[r * K + i % K];
            }
            assert_true(cabs(sum - b->part->gain[sb * K * K + i]) < 1e-4);
        }
        for (int i = 0; i < M * N * K; i++) {
            power[i / K / N] += pow(cabs((double complex)W[i]), 2);
        }
        most = fmax(most, fmax(power[0], power[1]));
        assert_true(fmax(power[0], power[1]) > 0.999); /* what users without a part leave is used */
    }
    assert_true(most <= 1);
    assert_int_equal(b->streams->n_stream, 2); /* nothing for user 2 */
    close_rig(&rig);
}

/* Figures of a block that never comes: what counted goes on, it is counted, and the next ones are taken. */
static void who_tells_of_a_far_block(struct rig *rig)
{
    json_t *const line = json_loads("{\"type\":\"weights\",\"from_block\":9223372036854775807,\"own\":[9,0,9,0,9,0],"
                                    "\"square\":[1,1,1],\"power\":[1,1,1],\"count\":[9,9,9]}",
                                    0, NULL);
    const double complex before = weight_of(rig, 0, 0);
    assert_true(parts_live_hear(rig->node[0].parts, 1, line));
    turn(rig, 0, 100);
    assert_true(weight_of(rig, 0, 0) == before);
    assert_int_equal(parts_live_far(rig->node[0].parts), 1);
    json_object_set_new(line, "from_block", json_integer(101));
    assert_true(parts_live_hear(rig->node[0].parts, 1, line));
    turn(rig, 0, 101);
    assert_true(cabs(weight_of(rig, 0, 0) - before) > 1e-3);
    json_decref(line);
}

/* One that has gone sends nothing in anybody's account; back, it is learnt anew. What is told late counts when it
 * comes; what cannot be is refused. */
static void who_has_gone_is_forgotten(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig);
    learn(&rig);
    assert_true(cabs(weight_of(&rig, 0, 0)) < 1);
    parts_live_alive(rig.node[0].parts, 1, false);
    turn(&rig, 0, 40);
    assert_true(weight_of(&rig, 0, 0) == 1 || fabs(cabs(weight_of(&rig, 0, 0)) - 1) < 1e-9);
    json_t *wrong = json_loads("{\"type\":\"weights\",\"from_block\":60,\"own\":[1,0,1,0,1,0],\"square\":[1,1,-1],"
                               "\"power\":[1,1,1],\"count\":[9,9,9]}",
                               0, NULL);
    assert_false(parts_live_hear(rig.node[0].parts, 1, wrong));
    turn(&rig, 0, 61);
    assert_true(fabs(cabs(weight_of(&rig, 0, 0)) - 1) < 1e-9);
    json_array_set_new(json_object_get(wrong, "square"), 2, json_real(1));
    assert_true(parts_live_hear(rig.node[0].parts, 1, wrong));
    turn(&rig, 0, 62);
    assert_true(cabs(weight_of(&rig, 0, 0)) < 1 - 1e-6);
    const double complex before = weight_of(&rig, 0, 0);
    json_object_set_new(wrong, "from_block", json_integer(70));
    json_array_set_new(json_object_get(wrong, "own"), 0, json_real(5));
    assert_true(parts_live_hear(rig.node[0].parts, 1, wrong));
    assert_int_equal(parts_live_far(rig.node[0].parts), 0);
    json_object_del(wrong, "own");
    assert_false(parts_live_hear(rig.node[0].parts, 1, wrong)); /* and what was told before it holds */
    turn(&rig, 0, 69);
    assert_true(weight_of(&rig, 0, 0) == before);
    turn(&rig, 0, 70);
    assert_true(cabs(weight_of(&rig, 0, 0) - before) > 1e-3);
    json_decref(wrong);
    who_tells_of_a_far_block(&rig);
    close_rig(&rig);
}

/* One that comes back, another life, is told at once what counts for the others, and helps when its own is known. */
static void who_comes_is_told(void **state)
{
    struct rig rig;
    const struct parts_live_settings settings = {
        .n_cpu = 2, .n_ue = K, .self = 1, .every_blocks = EVERY, .lead_blocks = LEAD};
    (void)state;
    open_rig(&rig);
    uint64_t b = 1, helped = 0;
    for (; b < 60; b++) {
        turn(&rig, 0, b);
        turn(&rig, 1, b);
        tell(&rig, 0, true);
        tell(&rig, 1, true);
    }
    parts_live_destroy(rig.node[1].parts);
    assert_int_equal(parts_live_create(&rig.node[1].parts, &settings), 0);
    parts_live_alive(rig.node[0].parts, 1, false);
    parts_live_alive(rig.node[0].parts, 1, true);
    for (const uint64_t back = b; b < back + EVERY; b++) {
        turn(&rig, 0, b);
        turn(&rig, 1, b);
        assert_true(tell(&rig, 0, true) == (b == back || b == back + EVERY - 10)); /* again, and as ever */
        tell(&rig, 1, true);
        const bool alone = fabs(cabs(weight_of(&rig, 0, 0)) - 1) < 1e-9;
        assert_true(alone == (weight_of(&rig, 1, 0) == 0)); /* nobody counts on a part that is not sent */
        helped = !alone && helped == 0 ? b - back + 1 : helped;
    }
    assert_int_equal(helped, PARTS_LIVE_FIRST_BLOCKS + LEAD + 1);
    close_rig(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_send_by_the_same_weights), cmocka_unit_test(what_is_recorded_is_what_is_sent),
        cmocka_unit_test(who_has_gone_is_forgotten), cmocka_unit_test(who_comes_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
