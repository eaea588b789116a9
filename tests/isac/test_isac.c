/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sensing beside communication: the closed forms against channels and vectors drawn here, the search against all
 * choices, the optimum against its bound and against every small change of powers, what cannot be had is said. */
#include "base/error.h"
#include "isac/drop.h"
#include "isac/modes.h"
#include "sanitized.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct isac_limits LIMITS = {1.5848931924611136, 0.5, 2.51188643150958};

/* What a drop's channels and vectors give, averaged over draws. */
struct sums {
    double wanted[DROP_UE], total[DROP_UE], data[DROP_ZONE], own[DROP_ZONE], cross[DROP_ZONE];
};

static double power_of(double complex x)
{
    return creal(x) * creal(x) + cimag(x) * cimag(x);
}

static double complex gaussian(struct drop *d, double variance)
{
    const double sigma = sqrt(variance / 2);
    const double re = sigma * drop_normal(d);
    return CMPLX(re, sigma * drop_normal(d));
}

enum { M = 3, N = 2, K = 2, L = 2 };

struct powers {
    double a[M], eta_c[M * K], eta_s[M * L];
};

/* One draw: y_k = sum_m g_mk^H x_m by stream, the same at the zones with a phase drawn anew per AP (and zone path). */
static void draw(struct drop *d, const struct powers *p, struct sums *sums)
{
    double complex at_user[K][K + L] = {0}, at_zone[L][K + L] = {0};
    for (int m = 0; m < M; m++) {
        double complex estimate[K][N], channel[K][N], steering[L][N];
        for (int i = 0; i < K * N; i++) {
            const double beta = d->beta[m * K + i / N], gamma = d->gamma[m * K + i / N];
            estimate[i / N][i % N] = gaussian(d, gamma);
            channel[i / N][i % N] = estimate[i / N][i % N] + gaussian(d, beta - gamma);
        }
        const double turn = 6.283185307179586 * drop_uniform(d);
        for (int l = 0; l < L; l++) {
            isac_steering(&d->scene, d->theta[m * L + l], steering[l]);
        }
        for (int stream = 0; stream < K + L; stream++) {
            const bool sensing = stream >= K;
            const double eta =
                sensing ? (1 - p->a[m]) * p->eta_s[m * L + stream - K] : p->a[m] * p->eta_c[m * K + stream];
            for (int n = 0; n < N; n++) {
                const double complex x = sqrt(eta) * (sensing ? steering[stream - K][n] : estimate[stream][n]);
                for (int k = 0; k < K; k++) {
                    at_user[k][stream] += conj(channel[k][n]) * x;
                }
                for (int l = 0; l < L; l++) {
                    at_zone[l][stream] +=
                        sqrt(d->zeta[m * L + l]) * conj(steering[l][n]) * CMPLX(cos(turn), sin(turn)) * x;
                }
            }
        }
    }
    for (int k = 0; k < K; k++) {
        sums->wanted[k] += creal(at_user[k][k]);
        for (int stream = 0; stream < K + L; stream++) {
            sums->total[k] += power_of(at_user[k][stream]);
        }
    }
    for (int l = 0; l < L; l++) {
        for (int stream = 0; stream < K + L; stream++) {
            const double power = power_of(at_zone[l][stream]);
            *(stream < K ? &sums->data[l] : stream == K + l ? &sums->own[l] : &sums->cross[l]) += power;
        }
    }
}

static void ordinary_gains(struct drop *d, uint64_t seed)
{
    drop_make(d, seed, 300, M, N, K, L);
    for (int i = 0; i < M * K; i++) { /* of order 1, far from each other */
        d->beta[i] = exp(2 * drop_normal(d) - 1);
    }
    for (int i = 0; i < M * L; i++) {
        d->zeta[i] = exp(drop_normal(d));
    }
    isac_estimate_variance(M * K, 2, d->beta, d->gamma);
    d->scene.rho = 3;
}

/* SINR_k as the paper prints (9), with the gain of the disturbing stream's user. */
static double as_printed(const struct drop *d, const struct powers *p, int k)
{
    double amplitude = 0, disturbance = 1 / d->scene.rho;
    for (int m = 0; m < M; m++) {
        amplitude += N * sqrt(p->a[m] * p->eta_c[m * K + k]) * d->gamma[m * K + k];
        for (int j = 0; j < K; j++) {
            disturbance += N * d->beta[m * K + j] * p->a[m] * p->eta_c[m * K + j] * d->gamma[m * K + j];
        }
        for (int l = 0; l < L; l++) {
            disturbance += N * d->beta[m * K + k] * (1 - p->a[m]) * p->eta_s[m * L + l];
        }
    }
    return amplitude * amplitude / disturbance;
}

static void closed_forms_are_those_of_drawn_channels(void **state)
{
    (void)state;
    enum { DRAWS = SANITIZED ? 4000 : 100000 };
    const double most = SANITIZED ? 0.075 : 0.015;
    double printed_off = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct drop d;
        struct powers p;
        struct sums sums = {0};
        double sinr[K], masr[L], sinr_eve[L], power[M];
        ordinary_gains(&d, seed);
        for (int m = 0; m < M; m++) {
            p.a[m] = 0.2 + 0.6 * drop_uniform(&d);
            for (int k = 0; k < K; k++) {
                p.eta_c[m * K + k] = drop_uniform(&d) / (N * K * d.gamma[m * K + k]);
                p.eta_s[m * L + k] = drop_uniform(&d) / (N * L);
            }
        }
        isac_evaluate(&d.scene, p.a, p.eta_c, p.eta_s, NULL, &(struct isac_metrics){sinr, masr, sinr_eve, power});
        for (int i = 0; i < DRAWS; i++) {
            draw(&d, &p, &sums);
        }
        for (int k = 0; k < K; k++) {
            const double wanted = pow(sums.wanted[k] / DRAWS, 2);
            const double measured = wanted / (sums.total[k] / DRAWS - wanted + 1 / d.scene.rho);
            assert_true(fabs(sinr[k] / measured - 1) < most);
            printed_off = fmax(printed_off, fabs(as_printed(&d, &p, k) / measured - 1));
        }
        for (int l = 0; l < L; l++) {
            const double data = sums.data[l] / DRAWS, own = sums.own[l] / DRAWS, cross = sums.cross[l] / DRAWS;
            assert_true(fabs(masr[l] / (own / (data + cross)) - 1) < most);
            assert_true(fabs(sinr_eve[l] / (data / (own + cross + 1 / d.scene.rho)) - 1) < most);
        }
    }
    print_message("the users' SINR as printed in the paper is up to %.0f %% off\n", 100 * printed_off);
    assert_true(printed_off > 0.1);
}

/* Everything a solution promises, recomputed from its coefficients. Returns the objective. */
static double promise(const struct drop *d, const struct isac_limits *limits, enum isac_objective objective,
                      const unsigned char *mode, const double *eta_c, const double *eta_s)
{
    const struct isac_scene *const s = &d->scene;
    double a[DROP_AP], sinr[DROP_UE], masr[DROP_ZONE], sinr_eve[DROP_ZONE], power[DROP_AP];
    double least = INFINITY, largest = 0;
    for (int m = 0; m < s->n_ap; m++) {
        a[m] = mode[m];
    }
    isac_evaluate(s, a, eta_c, eta_s, NULL, &(struct isac_metrics){sinr, masr, sinr_eve, power});
    for (int k = 0; k < s->n_ue; k++) {
        least = fmin(least, sinr[k]);
        assert_true(objective == ISAC_CP || fabs(sinr[k] / limits->qos - 1) < 1e-4);
    }
    for (int l = 0; l < s->n_zone; l++) {
        largest = fmax(largest, sinr_eve[l]);
        assert_true(masr[l] >= limits->kappa * (1 - 1e-6));
        assert_true(sinr_eve[l] * masr[l] <= 1);
    }
    assert_true(objective == ISAC_SP || largest <= limits->nu * (1 + 1e-6));
    for (int m = 0; m < s->n_ap; m++) {
        assert_true(power[m] <= 1 + 1e-6);
    }
    return objective == ISAC_CP ? least : largest;
}

/* Drops: of the search against all choices, and of the large network. */
enum { N_SEARCHED = SANITIZED ? 2 : 10, N_LARGE = SANITIZED ? 2 : 8 };

static void the_search_finds_what_trying_all_finds(void **state)
{
    (void)state;
    int n = 0, equal = 0;
    isac_modes_t *modes;
    assert_int_equal(isac_modes_create(&modes, 6, 2, 2), 0);
    for (uint64_t seed = 1; seed <= N_SEARCHED; seed++) {
        struct drop d;
        drop_make(&d, seed, 300, 6, 8, 2, 2);
        for (int i = 0; i < 2; i++) {
            const enum isac_objective objective = i ? ISAC_SP : ISAC_CP;
            struct isac_decision found, all;
            unsigned char mode[6];
            double eta_c[12], eta_s[12];
            isac_modes_exhaust(modes, &d.scene, &LIMITS, objective, NULL, mode, eta_c, eta_s, &all);
            isac_modes_search(modes, &d.scene, &LIMITS, objective, ISAC_SWAPS, mode, eta_c, eta_s, &found);
            assert_int_equal(found.solution.verdict == ISAC_FEASIBLE, all.solution.verdict == ISAC_FEASIBLE);
            if (all.solution.verdict != ISAC_FEASIBLE) {
                continue;
            }
            const double value = promise(&d, &LIMITS, objective, mode, eta_c, eta_s);
            assert_true(fabs(value / found.solution.objective - 1) < 1e-9);
            assert_true(objective == ISAC_CP ? value <= found.bound * (1 + 1e-6) : value >= found.bound * (1 - 1e-6));
            const double ratio = value / all.solution.objective;
            assert_true(objective == ISAC_CP ? ratio < 1 + 1e-5 : ratio > 1 - 1e-5);
            n++;
            equal += fabs(ratio - 1) < 1e-3;
            if (fabs(ratio - 1) >= 1e-3) {
                print_message("drop %d, %s: %.4f of the optimum\n", (int)seed, objective == ISAC_CP ? "CP" : "SP",
                              ratio);
            }
        }
    }
    isac_modes_destroy(modes);
    print_message("%d of %d searches reach the optimum\n", equal, n);
    assert_true(n >= N_SEARCHED && equal >= 0.9 * n);
}

/* Two drops in which no single flip helps and an exchange of two APs does. */
static void swaps_go_on_where_flips_stop(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        enum isac_objective objective;
    } cases[] = {{5, ISAC_SP}, {8, ISAC_CP}};
    isac_modes_t *modes;
    assert_int_equal(isac_modes_create(&modes, 6, 2, 2), 0);
    for (int i = 0; i < 2; i++) {
        struct drop d;
        struct isac_decision flips, swaps;
        unsigned char mode[6];
        double eta_c[12], eta_s[12];
        drop_make(&d, cases[i].seed, 300, 6, 8, 2, 2);
        isac_modes_search(modes, &d.scene, &LIMITS, cases[i].objective, ISAC_FLIPS, mode, eta_c, eta_s, &flips);
        isac_modes_search(modes, &d.scene, &LIMITS, cases[i].objective, ISAC_SWAPS, mode, eta_c, eta_s, &swaps);
        const double ratio = swaps.solution.objective / flips.solution.objective;
        assert_true(cases[i].objective == ISAC_CP ? ratio > 1.05 : ratio < 0.95);
    }
    isac_modes_destroy(modes);
}

/* Phases that stand still: the amplitudes of the vectors themselves. */
static void coherent_forms_add_amplitudes(void **state)
{
    (void)state;
    struct drop d;
    double a[M] = {0.3, 0.6, 0.1}, eta_c[M * K], eta_s[M * L], phase[M * L], masr[L], sinr_eve[L];
    ordinary_gains(&d, 4);
    for (int i = 0; i < M * K; i++) {
        eta_c[i] = drop_uniform(&d);
        eta_s[i] = drop_uniform(&d);
        phase[i] = 6 * drop_uniform(&d);
    }
    isac_evaluate(&d.scene, a, eta_c, eta_s, phase, &(struct isac_metrics){NULL, masr, sinr_eve, NULL});
    for (int l = 0; l < L; l++) {
        double complex at_zone[L] = {0};
        double data = 0;
        for (int m = 0; m < M; m++) {
            for (int stream = 0; stream < L; stream++) {
                double complex mine[N], theirs[N];
                isac_steering(&d.scene, d.theta[m * L + l], mine);
                isac_steering(&d.scene, d.theta[m * L + stream], theirs);
                const double turn = phase[m * L + l], gain = d.zeta[m * L + l] * (1 - a[m]) * eta_s[m * L + stream];
                for (int n = 0; n < N; n++) {
                    at_zone[stream] += sqrt(gain) * conj(mine[n] * CMPLX(cos(turn), sin(turn))) * theirs[n];
                }
            }
            for (int k = 0; k < K; k++) {
                data += N * d.zeta[m * L + l] * a[m] * eta_c[m * K + k] * d.gamma[m * K + k];
            }
        }
        const double own = power_of(at_zone[l]), cross = power_of(at_zone[1 - l]);
        assert_true(fabs(masr[l] / (own / (data + cross)) - 1) < 1e-9);
        assert_true(fabs(sinr_eve[l] / (data / (own + cross + 1 / d.scene.rho)) - 1) < 1e-9);
    }
}

/* One stream wanted, the others interference: with x_k the SINR of the eavesdropper when stream k is alone and X with
 * all, x_k / (1 + X - x_k). */
static void a_stream_alone_is_heard_through_the_others(void **state)
{
    (void)state;
    struct drop d;
    double a[M] = {0.3, 0.6, 0.1}, eta_c[M * K], eta_s[M * L], alone[M * K], all[L], one[L], stream[L * K];
    ordinary_gains(&d, 5);
    for (int i = 0; i < M * K; i++) {
        eta_c[i] = drop_uniform(&d);
        eta_s[i] = drop_uniform(&d);
    }
    isac_evaluate(&d.scene, a, eta_c, eta_s, NULL, &(struct isac_metrics){.sinr_eve = all});
    isac_stream_sinr(&d.scene, a, eta_c, eta_s, stream);
    for (int k = 0; k < K; k++) {
        for (int i = 0; i < M * K; i++) {
            alone[i] = i % K == k ? eta_c[i] : 0;
        }
        isac_evaluate(&d.scene, a, alone, eta_s, NULL, &(struct isac_metrics){.sinr_eve = one});
        for (int l = 0; l < L; l++) {
            assert_true(fabs(stream[l * K + k] / (one[l] / (1 + all[l] - one[l])) - 1) < 1e-9);
        }
    }
}

/* 32 APs: the value lies under its bound, and near it. */
static void a_large_network_is_near_its_bound(void **state)
{
    (void)state;
    static unsigned char mode[DROP_AP];
    static double eta_c[DROP_AP * DROP_UE], eta_s[DROP_AP * DROP_ZONE];
    static struct drop d;
    isac_modes_t *modes;
    double gap = 0;
    int n = 0;
    assert_int_equal(isac_modes_create(&modes, DROP_AP, DROP_UE, DROP_ZONE), 0);
    for (uint64_t seed = 1; seed <= N_LARGE; seed++) {
        struct isac_decision decision;
        drop_make(&d, seed, 500, DROP_AP, 8, DROP_UE, DROP_ZONE);
        isac_modes_search(modes, &d.scene, &LIMITS, ISAC_CP, ISAC_PREFIXES, mode, eta_c, eta_s, &decision);
        if (decision.solution.verdict == ISAC_FEASIBLE) {
            const double value = promise(&d, &LIMITS, ISAC_CP, mode, eta_c, eta_s);
            assert_true(value <= decision.bound * (1 + 1e-6));
            gap += 1 - value / decision.bound;
            n++;
        }
        isac_modes_search(modes, &d.scene, &LIMITS, ISAC_SP, ISAC_PREFIXES, mode, eta_c, eta_s, &decision);
        if (decision.solution.verdict == ISAC_FEASIBLE) {
            assert_true(promise(&d, &LIMITS, ISAC_SP, mode, eta_c, eta_s) >= decision.bound * (1 - 1e-6));
        }
    }
    isac_modes_destroy(modes);
    print_message("mean gap to the bound %.1f %% over %d drops\n", 100 * gap / n, n);
    assert_true(n >= N_LARGE - 2 + SANITIZED && gap / n < 0.08);
}

static void what_cannot_be_had_is_said(void **state)
{
    (void)state;
    struct drop d;
    unsigned char mode[6] = {0};
    double eta_c[12], eta_s[12];
    isac_power_t *power;
    struct isac_solution solution;
    drop_make(&d, 3, 300, 6, 4, 2, 2);
    assert_int_equal(isac_power_create(&power, 6, 2, 2), 0);
    isac_power_solve(power, &d.scene, &LIMITS, ISAC_CP, mode, eta_c, eta_s, &solution);
    assert_int_equal(solution.verdict, ISAC_QOS_UNREACHABLE); /* all sense */
    assert_true(solution.reachable == 0 && isnan(solution.objective));
    memset(mode, ISAC_COMMUNICATION, sizeof mode);
    isac_power_solve(power, &d.scene, &LIMITS, ISAC_CP, mode, eta_c, eta_s, &solution);
    assert_int_equal(solution.verdict, ISAC_MASR_UNREACHABLE); /* nobody does */
    assert_true(solution.reachable == 0 && eta_c[0] == 0);
    memset(mode, ISAC_EITHER, sizeof mode);
    const struct isac_limits far = {LIMITS.kappa, LIMITS.nu, 1e4};
    isac_power_solve(power, &d.scene, &far, ISAC_SP, mode, eta_c, eta_s, &solution);
    assert_int_equal(solution.verdict, ISAC_QOS_UNREACHABLE);
    assert_true(solution.reachable > 1 && solution.reachable < 1e4);
    /* What is told to be reachable is: just below it there is a solution. */
    const struct isac_limits near = {LIMITS.kappa, LIMITS.nu, 0.999 * solution.reachable};
    isac_power_solve(power, &d.scene, &near, ISAC_SP, mode, eta_c, eta_s, &solution);
    assert_int_equal(solution.verdict, ISAC_FEASIBLE);
    const double most = isac_power_largest_masr(power, &d.scene, mode);
    for (int above = 0; above < 2; above++) {
        const struct isac_limits kappa = {most * (above ? 1.001 : 0.999), LIMITS.nu, LIMITS.qos};
        isac_power_solve(power, &d.scene, &kappa, ISAC_CP, mode, eta_c, eta_s, &solution);
        assert_int_equal(solution.verdict, above ? ISAC_MASR_UNREACHABLE : ISAC_FEASIBLE);
        assert_true(!above || fabs(solution.reachable / most - 1) < 1e-5);
    }
    isac_power_destroy(power);
    isac_modes_t *modes;
    assert_int_equal(isac_modes_create(&modes, 6, 0, 2), TUTTI_EINVAL);
    isac_modes_destroy(modes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_forms_are_those_of_drawn_channels),
        cmocka_unit_test(the_search_finds_what_trying_all_finds),
        cmocka_unit_test(swaps_go_on_where_flips_stop),
        cmocka_unit_test(coherent_forms_add_amplitudes),
        cmocka_unit_test(a_stream_alone_is_heard_through_the_others),
        cmocka_unit_test(a_large_network_is_near_its_bound),
        cmocka_unit_test(what_cannot_be_had_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
