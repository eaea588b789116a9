/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When modes are decided and what comes of it; what of it goes on the air, block by block. */
#include "base/error.h"
#include "cpu_node/illuminate.h"
#include "cpu_node/sensing.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 5, N_ANT = 4, N_UE = 2, N_ZONE = 2, N_SB = 3, N_ALL = N_AP * N_ANT };
static const struct sensing_shape SHAPE = {N_AP, N_UE, N_ZONE};
static const struct block_shape BLOCK = {
    .n_sb = N_SB, .n_ap = N_AP, .n_ant = N_ANT, .n_ue = N_UE, .n_extra = N_ZONE, .n_zone = N_ZONE};
static const char *const NETWORK[] = {"network.n_ap=5",
                                      "network.n_ant=4",
                                      "network.n_ue=2",
                                      "frame.n_dl_pilot_symbols=4",
                                      "pilots.large_scale=known",
                                      "precoding.scheme=cb",
                                      "precoding.power=maxmin",
                                      "precoding.subband=flat",
                                      "air.large_scale.model=geometry",
                                      "air.large_scale.area_m=300",
                                      "sensing.live=true",
                                      "sensing.zones_m=[[80, 60, 1.5], [230, 210, 1.5]]",
                                      "sensing.kappa_db=2",
                                      "air.events=[{kind: move, block: 50, zone: 1, to_m: [20, 280, 1.5]}]"};
enum { N_NETWORK = sizeof NETWORK / sizeof *NETWORK };

static struct config *load(const char *more)
{
    const char *sets[N_NETWORK + 1];
    struct config *config = NULL;
    memcpy(sets, NETWORK, sizeof NETWORK);
    sets[N_NETWORK] = more;
    if (config_load(&config, NULL, sets, more ? N_NETWORK + 1 : N_NETWORK) < 0) {
        fail_msg("%s", error_text());
    }
    return config;
}

/* Gains of a small network; estimates miss little. */
struct figures {
    float beta[N_AP * N_UE], error[N_AP * N_UE];
    uint8_t present[N_AP], served[N_UE];
};

static struct figures some_figures(void)
{
    static const float BETA[N_AP * N_UE] = {900, 40, 60, 1200, 15, 30, 300, 200, 80, 25};
    struct figures f = {.present = {1, 1, 1, 1, 1}, .served = {1, 1}};
    for (int i = 0; i < N_AP * N_UE; i++) {
        f.beta[i] = BETA[i];
        f.error[i] = 0.1f;
    }
    return f;
}

static bool hear(sensing_t *sensing, uint64_t block, const struct figures *f, const double **plan, char *text)
{
    const struct sensing_input in = {block, f->beta, f->error, f->present, f->served};
    return sensing_hear(sensing, &in, plan, text);
}

static void is_one_mode_each(const struct sensing_plan *p)
{
    int n_sensing = 0;
    for (int m = 0; m < N_AP; m++) {
        for (int k = 0; k < N_UE; k++) {
            assert_true(p->mode[m] != 0 || p->share[m * N_UE + k] == 0);
        }
        for (int l = 0; l < N_ZONE; l++) {
            assert_true(p->mode[m] == 0 || p->eta_s[m * N_ZONE + l] == 0);
        }
        n_sensing += p->mode[m] == 0;
    }
    assert_in_range(n_sensing, 1, N_AP - 1);
}

static void test_decides(void **state)
{
    (void)state;
    struct config *const config = load(NULL);
    sensing_t *sensing = NULL;
    struct figures f = some_figures();
    const double *memory = NULL;
    char text[SENSING_TEXT_BYTES];
    assert_int_equal(sensing_create(&sensing, config), 0);
    f.served[0] = f.served[1] = 0;
    assert_false(hear(sensing, 0, &f, &memory, text)); /* nobody to serve yet */
    f.served[0] = f.served[1] = 1;
    assert_true(hear(sensing, 1, &f, &memory, text));
    assert_non_null(memory);
    assert_memory_equal(text, "SENSING why=start", 17);
    const struct sensing_plan p = sensing_plan_in((double *)memory, &SHAPE);
    is_one_mode_each(&p);
    for (int l = 0; l < N_ZONE; l++) {
        assert_true(p.masr[l] >= pow(10, 0.2) * (1 - 1e-6) && p.sinr_eve[l] <= 0.5 * (1 + 1e-6));
    }
    assert_true(fabs(p.sinr[0] - p.sinr[1]) < 1e-3 * p.sinr[0]); /* the worst user's is largest: all are alike */
    assert_false(hear(sensing, 2, &f, &memory, text));
    sensing_destroy(sensing);
    config_free(config);
}

static void test_decides_again(void **state)
{
    (void)state;
    struct config *const config = load(NULL);
    sensing_t *sensing = NULL;
    struct figures f = some_figures();
    const double *memory = NULL;
    char text[SENSING_TEXT_BYTES];
    assert_int_equal(sensing_create(&sensing, config), 0);
    assert_true(hear(sensing, 1, &f, &memory, text));
    f.beta[0] *= 1.8f; /* 2.6 dB */
    f.beta[4] *= 3;    /* a link that is far below the user's best */
    assert_false(hear(sensing, 2, &f, &memory, text));
    f.beta[0] *= 1.2f; /* 3.3 dB in all */
    assert_true(hear(sensing, 3, &f, &memory, text));
    assert_memory_equal(text, "SENSING why=fading", 18);
    f.present[2] = 0;
    assert_true(hear(sensing, 4, &f, &memory, text));
    assert_memory_equal(text, "SENSING why=ap", 14);
    f.served[1] = 0;
    assert_true(hear(sensing, 5, &f, &memory, text));
    assert_memory_equal(text, "SENSING why=user", 16);
    const struct sensing_plan p = sensing_plan_in((double *)memory, &SHAPE);
    for (int m = 0; m < N_AP; m++) {
        assert_true(p.share[m * N_UE + 1] == 0);
    }
    const double theta = p.theta_rad[1], other = p.theta_rad[0];
    assert_false(hear(sensing, 49, &f, &memory, text));
    assert_true(hear(sensing, 50, &f, &memory, text));
    assert_memory_equal(text, "SENSING why=zone", 16);
    assert_true(p.theta_rad[1] != theta && p.theta_rad[0] == other); /* zone 1 has moved */
    sensing_destroy(sensing);
    config_free(config);
}

static void test_says_what_cannot_be(void **state)
{
    (void)state;
    struct config *config = load("sensing.kappa_db=90");
    sensing_t *sensing = NULL;
    struct figures f = some_figures();
    const double *memory = NULL;
    char text[SENSING_TEXT_BYTES];
    double most_db = 0;
    assert_int_equal(sensing_create(&sensing, config), 0);
    assert_true(hear(sensing, 1, &f, &memory, text));
    assert_null(memory);
    const char *const reach = strstr(text, "all zones together reach ");
    assert_non_null(reach);
    assert_memory_equal(text, "SENSING-INFEASIBLE", 18);
    assert_int_equal(sscanf(reach, "all zones together reach %lf dB", &most_db), 1);
    sensing_destroy(sensing);
    config_free(config);
    for (int side = -1; side <= 1; side += 2) { /* and that is the limit */
        char set[64];
        snprintf(set, sizeof set, "sensing.kappa_db=%.3f", most_db + 0.05 * side);
        config = load(set);
        assert_int_equal(sensing_create(&sensing, config), 0);
        assert_true(hear(sensing, 1, &f, &memory, text));
        assert_int_equal(memory == NULL, side > 0);
        sensing_destroy(sensing);
        config_free(config);
    }
}

/* A block with estimates and beams of its own and a plan. */
static struct cpu_block *some_block(uint64_t number)
{
    struct cpu_block *block = NULL;
    assert_int_equal(block_create(&block, &BLOCK), 0);
    block_open(block, number, number * 9600, 5, 0);
    memset(block->gathered, 1, N_AP);
    memset(block->user_used, 1, N_UE);
    for (int i = 0; i < N_SB * N_ALL * N_UE; i++) {
        block->H_hat[i] = CMPLXF(cosf(2.3f * (float)i), 1.5f * sinf(1.1f * (float)i));
        block->streams->W[i] = i / N_UE / N_ANT % N_AP == 1 ? 0 : 0.1f * block->H_hat[i];
    }
    for (int k = 0; k < N_UE; k++) {
        stream_set_add(block->streams, (struct stream){.kind = STREAM_DATA, .source = STREAM_VECTORS, .user = k});
    }
    for (int i = 0; i < N_SB * N_UE; i++) {
        block->sinr[i] = 20;
    }
    const struct sensing_plan p = sensing_plan_in(block->plan, &SHAPE);
    block->planned = true;
    p.eta_s[1 * N_ZONE + 0] = 0.15; /* AP 1 illuminates both */
    p.eta_s[1 * N_ZONE + 1] = 0.05;
    p.theta_rad[1 * N_ZONE + 0] = 0.4;
    p.theta_rad[1 * N_ZONE + 1] = -0.9;
    return block;
}

static const tutti_cf32 *vector_of(const struct cpu_block *block, int zone, int sb, int ap)
{
    return block->streams->extra + ((zone * N_SB + sb) * N_AP + ap) * N_ANT;
}

static void illuminate(const struct config *config, struct cpu_block *block)
{
    illuminate_t *illuminate = NULL;
    assert_int_equal(illuminate_create(&illuminate, config, &BLOCK), 0);
    illuminate_execute(illuminate, block);
    illuminate_destroy(illuminate);
}

static void test_vectors(void **state)
{
    (void)state;
    struct config *const config = load(NULL);
    struct cpu_block *const block = some_block(9);
    illuminate(config, block);
    assert_int_equal(block->streams->n_stream, N_UE + N_ZONE);
    for (int i = 0; i < N_ZONE * N_SB * N_AP; i++) {
        const int zone = i / N_SB / N_AP, sb = i / N_AP % N_SB, ap = i % N_AP;
        const tutti_cf32 *const v = vector_of(block, zone, sb, ap);
        for (int a = 0; a < N_ANT; a++) {
            const double theta = zone ? -0.9 : 0.4, eta = ap == 1 ? zone ? 0.05 : 0.15 : 0;
            const double complex want = (double complex)v[0] * cexp(I * M_PI * a * sin(theta));
            assert_true(cabs((double complex)v[a] - want) < 1e-5);
            assert_true(fabs((double)cabsf(v[a]) - sqrt(eta)) < 1e-5);
        }
    }
    block_destroy(block);
    config_free(config);
}

/* The same phase for an AP's zones, another for every subband and block; none with phases fixed. */
static void test_phases(void **state)
{
    (void)state;
    struct config *const config = load(NULL), *const fixed = load("sensing.phases=fixed");
    struct cpu_block *const block = some_block(9), *const next = some_block(10), *const still = some_block(9);
    illuminate(config, block);
    illuminate(config, next);
    illuminate(fixed, still);
    for (int sb = 0; sb < N_SB; sb++) {
        const float psi = cargf(vector_of(block, 0, sb, 1)[0]);
        assert_true(fabsf(psi - cargf(vector_of(block, 1, sb, 1)[0])) < 1e-5f);
        assert_true(fabsf(psi - cargf(vector_of(next, 0, sb, 1)[0])) > 1e-3f);
        assert_true(sb == 0 || fabsf(psi - cargf(vector_of(block, 0, 0, 1)[0])) > 1e-3f);
        assert_true(fabsf(cargf(vector_of(still, 0, sb, 1)[0])) < 1e-6f);
    }
    block_destroy(block);
    block_destroy(next);
    block_destroy(still);
    config_free(config);
    config_free(fixed);
}

static double heard(const struct cpu_block *block, int sb, int k, const tutti_cf32 *v, int stride)
{
    double complex sum = 0;
    for (int i = 0; i < N_ALL; i++) {
        sum += conj((double complex)block->H_hat[(sb * N_ALL + i) * N_UE + k]) * (double complex)v[i * stride];
    }
    return creal(sum) * creal(sum) + cimag(sum) * cimag(sum);
}

static void test_users_hear_it(void **state)
{
    (void)state;
    struct config *const config = load(NULL);
    struct cpu_block *const block = some_block(9);
    for (int i = 0; i < N_AP * N_UE; i++) {
        block->error_variance[i] = 0.3f;
    }
    illuminate(config, block);
    for (int i = 0; i < N_SB * N_UE; i++) {
        const int sb = i / N_UE, k = i % N_UE;
        const double signal = heard(block, sb, k, block->streams->W + sb * N_ALL * N_UE + k, N_UE);
        double zones = N_ANT * (0.15 + 0.05) * 0.3;
        for (int l = 0; l < N_ZONE; l++) {
            zones += heard(block, sb, k, vector_of(block, l, sb, 0), 1);
        }
        assert_true(fabs((double)block->sinr[i] - signal / (signal / 20 + zones)) < 1e-3 * (double)block->sinr[i]);
        assert_true(block->sinr[i] < 19);
    }
    block_destroy(block);
    config_free(config);
}

/* Budgets on average with a cap: what comes out is what an AP sends. */
static void test_budget(void **state)
{
    (void)state;
    struct config *const config = load(NULL);
    illuminate_t *illuminate = NULL;
    struct stream_power ap = {0};
    assert_int_equal(illuminate_create(&illuminate, config, &BLOCK), 0);
    for (uint64_t b = 0; b < 80; b++) {
        struct cpu_block *const block = some_block(b);
        const struct sensing_plan p = sensing_plan_in(block->plan, &SHAPE);
        tutti_cf32 V[N_SB * N_ANT * (N_UE + N_ZONE)];
        float power[N_UE + N_ZONE];
        double sum = 0;
        p.eta_s[N_ZONE] = b % 7 == 0 ? 0.6 : 0.25; /* above the cap, then at the budget */
        block->planned = b != 3;
        illuminate_execute(illuminate, block);
        stream_set_slice(block->streams, 1, V, power);
        assert_false(stream_power_limit(&ap, N_SB, N_ANT, block->streams->n_stream, 1, 2, V, NULL, NULL));
        for (int s = 0; s < block->streams->n_stream; s++) {
            sum += (double)power[s];
        }
        assert_true(sum <= 2 * (1 + 1e-6) && (b == 3) == (sum < 1e-12));
        block_destroy(block);
    }
    illuminate_destroy(illuminate);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decides),
        cmocka_unit_test(test_decides_again),
        cmocka_unit_test(test_says_what_cannot_be),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_users_hear_it),
        cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
