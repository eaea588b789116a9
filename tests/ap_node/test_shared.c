/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users that go from one shared pilot to another: what is tracked of the pilot that they leave, and of the one that
 * they come to, is at once the gain of those who are on it then, whichever of the two comes first. */
#include "ap_node/shared.h"
#include "channel/random.h"
#include "linalg/cmplx.h"
#include "phy/pilot.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_UE = 5, TAU = 2, N_ANT = 4, STRONG = 1, ALONE = 90, TOGETHER = 20 };
static const double GAIN[N_UE] = {1, 300, 1, 1, 1};

struct place {
    struct config *config;
    struct frame frame;
    struct shared shared;
    estimate_t *estimate;
    struct roster *roster;
    tutti_cf32 *Y, *silent, *scrambling, *H; /* [N_ANT][TAU][n_sc], [N_ANT][n_sc], [n_sc], [n_row][TAU] */
    uint64_t drawn;
};

static tutti_cf32 normal(struct place *p)
{
    float re, im;
    random_normal(4, p->drawn++, &re, &im);
    return CMPLXF(re * sqrtf(0.5f), im * sqrtf(0.5f));
}

static void place_open(struct place *p)
{
    const char *const sets[] = {"network.n_ue=5",
                                "network.n_ant=4",
                                "frame.schedule=B G P2 U26 G D38 G",
                                "frame.n_dl_pilot_symbols=2",
                                "cluster.enabled=true",
                                "cluster.pilots=2",
                                "precoding.scheme=p_mmse"};
    *p = (struct place){0};
    assert_int_equal(config_load(&p->config, NULL, sets, sizeof sets / sizeof *sets), 0);
    assert_int_equal(frame_init(&p->frame, p->config), 0);
    assert_int_equal(shared_create(&p->shared, p->config, p->frame.n_sb), 0);
    const struct estimate_settings settings = {
        .n_ant = N_ANT, .n_ue = p->shared.n_track, .tracking_blocks = 100, .uplink_to_downlink = 1, .in_turns = true};
    assert_int_equal(estimate_create(&p->estimate, &p->frame, &settings), 0);
    const size_t n_sc = (size_t)p->frame.n_sc;
    p->roster = calloc(1, roster_bytes(p->config));
    p->Y = calloc(N_ANT * TAU * n_sc, sizeof *p->Y);
    p->silent = calloc(N_ANT * n_sc, sizeof *p->silent);
    p->scrambling = calloc(n_sc, sizeof *p->scrambling);
    p->H = calloc((size_t)p->shared.n_row * TAU, sizeof *p->H);
    assert_true(p->roster && p->Y && p->silent && p->scrambling && p->H);
    pilot_scrambling((int)n_sc, p->scrambling);
}

static void place_close(struct place *p)
{
    estimate_destroy(p->estimate);
    shared_destroy(&p->shared);
    config_free(p->config);
    free(p->roster);
    free(p->Y);
    free(p->silent);
    free(p->scrambling);
    free(p->H);
}

/* One block: noise 1, flat fades of every user that sends. */
static void draw(struct place *p, const int *sequence)
{
    const int n_sc = p->frame.n_sc;
    tutti_cf32 phi[TAU * TAU];
    pilot_sequences(TAU, phi);
    for (int i = 0; i < N_ANT * n_sc; i++) {
        p->silent[i] = normal(p);
    }
    for (int i = 0; i < N_ANT * TAU * n_sc; i++) {
        p->Y[i] = normal(p);
    }
    for (int k = 0; k < N_UE; k++) {
        for (int m = 0; sequence[k] >= 0 && m < N_ANT; m++) {
            const tutti_cf32 g = sqrtf((float)GAIN[k]) * normal(p);
            for (int i = 0; i < TAU * n_sc; i++) {
                p->Y[m * TAU * n_sc + i] += g * phi[sequence[k] * TAU + i / n_sc] * p->scrambling[i % n_sc];
            }
        }
    }
}

/* Gain of each pilot over those of one user, as told. */
static void run(struct place *p, const int *pilot, const int *sequence, float *beta)
{
    float error[TAU];
    roster_fill_pilots(p->config, 1, pilot, p->roster);
    draw(p, sequence);
    estimate_noise(p->estimate, p->silent);
    shared_turns(&p->shared, p->estimate, sequence, p->roster);
    estimate_execute(p->estimate, p->Y, p->shared.H, p->shared.beta, p->shared.error);
    shared_fold(&p->shared, p->estimate, p->H, beta, error);
}

/* The strong user goes from one pilot to the other, which have two others each. */
static void moves(int from, int to)
{
    struct place p;
    const int before[N_UE] = {from, from, from, to, to}, after[N_UE] = {from, to, from, to, to};
    float beta[TAU];
    place_open(&p);
    for (int b = 0; b < ALONE; b++) { /* in turn, one on each pilot */
        int sequence[N_UE] = {-1, -1, -1, -1, -1};
        sequence[b % 3] = from;
        sequence[3 + b % 2] = to;
        run(&p, before, sequence, beta);
    }
    for (int b = 0; b < TOGETHER; b++) {
        run(&p, before, before, beta);
    }
    assert_true(beta[from] > 100 * beta[to]);
    run(&p, after, after, beta);
    assert_true(beta[to] > 100 * beta[from]);
    place_close(&p);
}

static void to_a_pilot_before(void **state)
{
    (void)state;
    moves(1, 0);
}

static void to_a_pilot_behind(void **state)
{
    (void)state;
    moves(0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(to_a_pilot_before), cmocka_unit_test(to_a_pilot_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
