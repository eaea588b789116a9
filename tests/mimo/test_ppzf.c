/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "mimo/ppzf.h"
#include "reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { M = 3, N = 6, K = 4, BATCHES = 20, DRAWS = 1000 };

static void grouping_follows_the_rule(void **state)
{
    (void)state;
    uint8_t strong[4];
    const double beta[4] = {4, 1, 4, 1};
    assert_int_equal(ppzf_group(MIMO_PPZF, 8, 4, beta, 0.4, strong), 1); /* 4 of 10 is exactly 40 %: reached */
    assert_true(strong[0] && !strong[2]);                                /* tie: the lower index */
    assert_int_equal(ppzf_group(MIMO_PZF, 8, 4, beta, 0.81, strong), 3);
    assert_true(strong[0] && strong[1] && strong[2] && !strong[3]);
    assert_int_equal(ppzf_group(MIMO_PPZF, 3, 4, beta, 1, strong), 2); /* at most n_ant - 1 */
    assert_int_equal(ppzf_group(MIMO_PPZF, 1, 4, beta, 1, strong), 0);
    assert_int_equal(ppzf_group(MIMO_PPZF, 8, 4, beta, 0, strong), 0);
    assert_int_equal(ppzf_group(MIMO_CB, 8, 4, beta, 1, strong), 0);
    assert_int_equal(ppzf_group(MIMO_FZF, 8, 4, beta, 0, strong), 4);
    const double with_zero[4] = {0, 1, 0, 1};
    assert_int_equal(ppzf_group(MIMO_PPZF, 8, 4, with_zero, 1, strong), 2);
    assert_true(!strong[0] && strong[1] && !strong[2] && strong[3]);
}

struct setting {
    enum mimo_scheme scheme;
    double beta[M * K], beta_eve[M], pilot_power[K], eta[M * K], eta_an[M];
    struct ppzf_network network;
    struct ppzf_tables *tables;
};

static void make_setting(struct setting *s, enum mimo_scheme scheme, struct random *random)
{
    s->scheme = scheme;
    for (int i = 0; i < M * K; i++) {
        s->beta[i] = pow(10, random_uniform(random) * 2 - 1.5);
        s->eta[i] = 2 * random_uniform(random);
    }
    for (int m = 0; m < M; m++) {
        s->beta_eve[m] = 0.3 * random_uniform(random);
        s->eta_an[m] = random_uniform(random);
    }
    for (int k = 0; k < K; k++) {
        s->pilot_power[k] = 1 + random_uniform(random);
    }
    s->network = (struct ppzf_network){.n_ap = M,
                                       .n_ant = N,
                                       .n_ue = K,
                                       .tau = K,
                                       .beta = s->beta,
                                       .beta_eve = s->beta_eve,
                                       .pilot_power = s->pilot_power,
                                       .eve_pilot_power = 1.5,
                                       .upsilon = 0.7,
                                       .scheme = scheme};
    assert_int_equal(ppzf_tables_create(&s->tables, &s->network), 0);
}

/* Sums over draws of what the hardening bound and Eve's bound are made of. */
struct moments {
    double complex mean[K];
    double power[K]; /* everything user k hears */
    double eve_own, eve_others;
};

/* One draw of the whole signal chain: channels, contaminated pilots, MMSE, beams, noise vectors. */
static void draw(const struct setting *s, struct random *random, struct moments *sum)
{
    double complex a[K + 1][K] = {{0}}; /* amplitude of stream t at user k; row K is Eve */
    double noise_at[K + 1] = {0};
    for (int m = 0; m < M; m++) {
        double complex g[N * K], eve[N], H[N * K], W[N * K], z[N], v[N];
        for (int i = 0; i < N; i++) {
            eve[i] = sqrt(s->beta_eve[m]) * random_cn(random);
            z[i] = random_cn(random);
            for (int k = 0; k < K; k++) {
                g[i * K + k] = sqrt(s->beta[m * K + k]) * random_cn(random);
                double complex y = sqrt(K * s->pilot_power[k]) * g[i * K + k] + random_cn(random);
                if (k == 0) {
                    y += sqrt(K * 1.5) * eve[i];
                }
                H[i * K + k] = s->tables->c[m * K + k] * y;
            }
        }
        uint8_t *strong = s->tables->strong + m * K;
        double complex work[N * K];
        assert_int_equal(ppzf_beams(s->scheme, N, K, strong, s->tables->gamma + m * K, H, W), 0);
        assert_int_equal(ppzf_noise(N, K, strong, H, z, work, v), 0);
        for (int u = 0; u <= K; u++) {
            double complex leak = 0;
            for (int i = 0; i < N; i++) {
                const double complex h = conj(u < K ? g[i * K + u] : eve[i]);
                leak += h * v[i];
                for (int t = 0; t < K; t++) {
                    a[u][t] += sqrt(s->eta[m * K + t]) * h * W[i * K + t];
                }
            }
            noise_at[u] += s->eta_an[m] * creal(leak * conj(leak)); /* independent noise symbol per AP */
        }
    }
    for (int k = 0; k < K; k++) {
        sum->mean[k] += a[k][k];
        sum->power[k] += noise_at[k];
        for (int t = 0; t < K; t++) {
            sum->power[k] += pow(cabs(a[k][t]), 2);
        }
    }
    sum->eve_own += pow(cabs(a[K][0]), 2);
    sum->eve_others += noise_at[K];
    for (int t = 1; t < K; t++) {
        sum->eve_others += pow(cabs(a[K][t]), 2);
    }
}

/* sinr [K + 1] from the moments of n draws; the last is Eve's. */
static void sinr_of(const struct moments *sum, int n, double *sinr)
{
    for (int k = 0; k < K; k++) {
        const double useful = pow(cabs(sum->mean[k] / n), 2);
        sinr[k] = useful / (1 + sum->power[k] / n - useful);
    }
    sinr[K] = sum->eve_own / n / (1 + sum->eve_others / n);
}

static void check_closed_forms(enum mimo_scheme scheme, uint64_t seed)
{
    struct random random = {seed};
    struct setting s;
    make_setting(&s, scheme, &random);
    double closed[K + 1], mean[K + 1], m2[K + 1] = {0}, batch_sinr[K + 1];
    ppzf_sinr(s.tables, s.eta, s.eta_an, closed);
    closed[K] = ppzf_sinr_eve(s.tables, s.eta, s.eta_an);
    struct moments all = {0};
    double sums[K + 1] = {0};
    for (int b = 0; b < BATCHES; b++) {
        struct moments batch = {0};
        for (int i = 0; i < DRAWS; i++) {
            draw(&s, &random, &batch);
        }
        sinr_of(&batch, DRAWS, batch_sinr);
        for (int k = 0; k <= K; k++) {
            sums[k] += batch_sinr[k];
            m2[k] += batch_sinr[k] * batch_sinr[k];
        }
        for (int k = 0; k < K; k++) {
            all.mean[k] += batch.mean[k];
            all.power[k] += batch.power[k];
        }
        all.eve_own += batch.eve_own;
        all.eve_others += batch.eve_others;
    }
    sinr_of(&all, BATCHES * DRAWS, mean);
    for (int k = 0; k <= K; k++) {
        const double variance = m2[k] / BATCHES - pow(sums[k] / BATCHES, 2);
        const double standard_error = sqrt(variance / (BATCHES - 1));
        if (fabs(mean[k] - closed[k]) > fmax(0.01 * closed[k], 3 * standard_error)) {
            fail_msg("scheme %d, %s %d: Monte Carlo %g +- %g, closed form %g", (int)scheme, k < K ? "user" : "Eve", k,
                     mean[k], standard_error, closed[k]);
        }
        assert_true(standard_error < 0.02 * closed[k]); /* enough draws to mean something */
    }
    ppzf_tables_destroy(s.tables);
}

static void closed_forms_match_the_signal_chain(void **state)
{
    (void)state;
    check_closed_forms(MIMO_CB, 31);
    check_closed_forms(MIMO_PZF, 32);
    check_closed_forms(MIMO_PPZF, 33);
    check_closed_forms(MIMO_FZF, 34);
}

static void vectors_null_and_normalise(void **state)
{
    (void)state;
    struct random random = {35};
    const double gamma[K] = {1, 1, 1, 0};
    uint8_t strong[K] = {1, 0, 1, 0};
    double complex H[N * K], W[N * K], work[N * K], z[N], v[N];
    for (int i = 0; i < N * K; i++) {
        H[i] = random_cn(&random);
    }
    for (int i = 0; i < N; i++) {
        z[i] = random_cn(&random);
    }
    assert_int_equal(ppzf_beams(MIMO_PPZF, N, K, strong, gamma, H, W), 0);
    assert_int_equal(ppzf_noise(N, K, strong, H, z, work, v), 0);
    for (int k = 0; k < K; k++) {
        for (int t = 0; t < K; t++) {
            double complex response = 0;
            for (int i = 0; i < N; i++) {
                response += conj(H[i * K + k]) * W[i * K + t];
            }
            if (strong[k] && t == k) {
                assert_true(cabs(response - sqrt(N - 2)) < 1e-12); /* sqrt(L gamma), whatever the channel */
            } else if (strong[k]) {
                assert_true(cabs(response) < 1e-12);
            }
            if (t == 3) {
                assert_true(W[k * K + t] == 0); /* no estimate, no beam */
            }
        }
    }
    double power = 0;
    double complex leak[K] = {0};
    for (int i = 0; i < N; i++) {
        power += pow(cabs(v[i]), 2);
        for (int k = 0; k < K; k++) {
            leak[k] += conj(H[i * K + k]) * v[i];
        }
    }
    assert_true(fabs(power - 1) < 1e-12);
    assert_true(cabs(leak[0]) < 1e-12 && cabs(leak[2]) < 1e-12 && cabs(leak[1]) > 1e-3);
    const uint8_t too_many[K] = {1, 1, 1, 1};
    assert_int_equal(ppzf_noise(K, K, too_many, H, z, work, v), TUTTI_ENUMERIC); /* no null space left */
    for (int i = 0; i < K; i++) {
        assert_true(v[i] == 0);
    }
}

static void maxmin_power_equalises_the_closed_forms(void **state)
{
    (void)state;
    struct random random = {37};
    for (int scheme = MIMO_CB; scheme <= MIMO_PPZF; scheme++) {
        struct setting s;
        make_setting(&s, (enum mimo_scheme)scheme, &random);
        const double P[M] = {1, 5, 20}, none[M] = {0};
        double eta[M * K], eta_an[M], sinr[K], least, equal = INFINITY, worst = 0;
        ppzf_equal_power(s.tables, P, false, eta, eta_an);
        ppzf_sinr(s.tables, eta, eta_an, sinr);
        for (int k = 0; k < K; k++) {
            equal = fmin(equal, sinr[k]);
        }
        assert_int_equal(ppzf_maxmin_power(s.tables, P, eta, &least), 0);
        ppzf_sinr(s.tables, eta, none, sinr);
        for (int k = 0; k < K; k++) {
            assert_true(fabs(sinr[k] / least - 1) < 1e-9);
        }
        assert_true(least > equal);
        for (int m = 0; m < M; m++) {
            double power = 0;
            for (int k = 0; k < K; k++) {
                power += eta[m * K + k];
            }
            worst = fmax(worst, power / P[m]);
        }
        assert_true(fabs(worst - 1) < 1e-9);
        ppzf_tables_destroy(s.tables);
        for (int m = 0; m < M; m++) {
            s.beta[m * K + 2] = 0;
        }
        assert_int_equal(ppzf_tables_create(&s.tables, &s.network), 0);
        assert_int_equal(ppzf_maxmin_power(s.tables, P, eta, &least), TUTTI_ENUMERIC);
        ppzf_tables_destroy(s.tables);
    }
}

/* What an AP has tracked decides who is strong, what is there decides how it sounds. */
static void strong_users_may_be_chosen_by_other_gains(void **state)
{
    (void)state;
    struct random random = {37};
    struct setting s;
    make_setting(&s, MIMO_PPZF, &random);
    ppzf_tables_destroy(s.tables);
    double other[M * K];
    for (int i = 0; i < M * K; i++) {
        other[i] = pow(10, random_uniform(&random) * 2 - 1.5);
    }
    struct ppzf_network plain = s.network;
    plain.beta = other;
    struct ppzf_tables *by_other;
    s.network.beta_group = other;
    assert_int_equal(ppzf_tables_create(&by_other, &plain), 0);
    assert_int_equal(ppzf_tables_create(&s.tables, &s.network), 0);
    assert_memory_equal(s.tables->strong, by_other->strong, M * K);
    for (int m = 0; m < M; m++) {
        int n_strong = 0;
        for (int k = 0; k < K; k++) {
            const int i = m * K + k;
            const double power = K * s.pilot_power[k] * s.beta[i];
            const double gamma = power * s.beta[i] / (power + (k ? 0 : K * 1.5 * s.beta_eve[m]) + 1);
            n_strong += s.tables->strong[i];
            assert_true(fabs(s.tables->leak[i] - s.beta[i] + (s.tables->strong[i] ? gamma : 0)) < 1e-12);
        }
        assert_int_equal(s.tables->n_free[m], N - n_strong);
    }
    ppzf_tables_destroy(by_other);
    ppzf_tables_destroy(s.tables);
}

/* The quick form of the central node against the tables, which are checked against the signal chain: APs and users that
 * are not there are as good as never planned, and what they report does not matter. */
static void the_quick_form_agrees_with_the_tables(void **state)
{
    (void)state;
    static const enum mimo_scheme schemes[] = {MIMO_CB, MIMO_FZF, MIMO_PZF, MIMO_PPZF};
    static const uint8_t ap[M + 2] = {1, 0, 1, 1, 0}, ue[K + 2] = {1, 1, 0, 1, 1, 0};
    struct random random = {38};
    for (int i = 0; i < 4; i++) {
        struct setting s;
        make_setting(&s, schemes[i], &random);
        ppzf_tables_destroy(s.tables);
        s.network.eve_pilot_power = 0;
        assert_int_equal(ppzf_tables_create(&s.tables, &s.network), 0);
        float beta[(M + 2) * (K + 2)], error[(M + 2) * (K + 2)], power[M + 2], sinr[K + 2];
        double P[M], eta[M * K], eta_an[M], work[4 * (K + 2)], want[K];
        uint8_t work_strong[K + 2];
        const double noise = 0.3;
        for (int m = 0, at_m = 0; m < M + 2; m++) {
            power[m] = ap[m] ? 0.5f + 0.25f * (float)at_m : 9;
            for (int k = 0, at_k = 0; k < K + 2; k++) {
                const int to = m * (K + 2) + k, from = at_m * K + at_k;
                const bool there = ap[m] && ue[k];
                beta[to] = there ? (float)s.beta[from] : 77;
                error[to] = there ? (float)(s.beta[from] - s.tables->gamma[from]) : 3;
                at_k += ue[k];
            }
            P[at_m < M ? at_m : 0] = ap[m] ? (double)power[m] : P[at_m < M ? at_m : 0];
            at_m += ap[m];
        }
        ppzf_equal_power(s.tables, P, false, eta, eta_an);
        for (int m = 0; m < M; m++) {
            eta_an[m] = noise;
        }
        ppzf_sinr(s.tables, eta, eta_an, want);
        const struct ppzf_report report = {M + 2, N,  K + 2, schemes[i], s.network.upsilon, beta, error, power,
                                           ap,    ue, noise, work,       work_strong};
        ppzf_predict(&report, sinr);
        for (int k = 0, at_k = 0; k < K + 2; k++) {
            assert_true(ue[k] ? fabs((double)sinr[k] / want[at_k] - 1) < 1e-5 : sinr[k] == 0);
            at_k += ue[k];
        }
        ppzf_tables_destroy(s.tables);
    }
}

static void bad_networks_are_refused(void **state)
{
    (void)state;
    struct random random = {36};
    struct setting s;
    make_setting(&s, MIMO_FZF, &random);
    ppzf_tables_destroy(s.tables);
    s.network.n_ant = K;
    assert_int_equal(ppzf_tables_create(&s.tables, &s.network), TUTTI_EINVAL);
    assert_null(s.tables);
    assert_non_null(strstr(error_text(), "at least 5 antennas"));
    ppzf_tables_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grouping_follows_the_rule),
        cmocka_unit_test(closed_forms_match_the_signal_chain),
        cmocka_unit_test(vectors_null_and_normalise),
        cmocka_unit_test(maxmin_power_equalises_the_closed_forms),
        cmocka_unit_test(strong_users_may_be_chosen_by_other_gains),
        cmocka_unit_test(the_quick_form_agrees_with_the_tables),
        cmocka_unit_test(bad_networks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
