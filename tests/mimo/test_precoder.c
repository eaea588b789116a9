/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int run(struct channel_case *c, enum mimo_scheme scheme, enum mimo_power power)
{
    precoder_t *precoder;
    assert_int_equal(precoder_create(&precoder, &c->shape), 0);
    memset(c->solution.W, 0xff, sizeof *c->solution.W); /* must be overwritten */
    const int rc = precoder_execute(precoder, scheme, power, &c->channel, &c->solution);
    precoder_destroy(precoder);
    assert_true(plain_finite(c, c->solution.W));
    assert_true(plain_excess(c, c->solution.W) <= (mimo_holds_mean(scheme, power) ? 0.9952623149688795 : 0) + 1e-6);
    for (int k = 0; k < c->shape.n_ue; k++) {
        const double sinr = plain_sinr(c, c->solution.W, k);
        assert_true(fabs((double)c->solution.sinr[k] - sinr) <= 1e-5 * sinr);
    }
    return rc;
}

static const int SHAPES[][3] = {{4, 1, 2}, {8, 4, 6}, {32, 1, 8}, {3, 8, 24}, {64, 2, 16}, {1, 4, 1}, {2, 2, 4}};

static void zf_nulls_and_meets_the_worst_budget(void **state)
{
    (void)state;
    struct random random = {1};
    for (size_t s = 0; s < sizeof SHAPES / sizeof *SHAPES; s++) {
        for (int power = 0; power < 2; power++) {
            struct channel_case c;
            case_create(&c, &random, SHAPES[s][0], SHAPES[s][1], SHAPES[s][2], 20, 20, 0.1);
            assert_int_equal(run(&c, MIMO_ZF, (enum mimo_power)power), 0);
            assert_int_equal(c.solution.reason, MIMO_REASON_ASKED);
            for (int k = 0; k < c.shape.n_ue; k++) {
                for (int j = 0; j < c.shape.n_ue; j++) {
                    if (j != k) {
                        assert_true(cabs(plain_response(&c, c.solution.W, k, j)) <
                                    1e-4 * cabs(plain_response(&c, c.solution.W, j, j)));
                    }
                }
            }
            assert_true(plain_excess(&c, c.solution.W) > -1e-5); /* no power left on the table */
            case_destroy(&c);
        }
    }
}

static void zf_equal_gives_equal_received_power(void **state)
{
    (void)state;
    struct random random = {2};
    struct channel_case c;
    case_create(&c, &random, 16, 2, 6, 20, 30, 0.05);
    run(&c, MIMO_ZF, MIMO_POWER_EQUAL);
    const double first = cabs(plain_response(&c, c.solution.W, 0, 0));
    for (int k = 1; k < 6; k++) {
        assert_true(fabs(cabs(plain_response(&c, c.solution.W, k, k)) / first - 1) < 1e-5);
    }
    case_destroy(&c);
}

static void maxmin_equalises_and_beats_equal_power(void **state)
{
    (void)state;
    struct random random = {3};
    for (int scheme = MIMO_CB; scheme <= MIMO_ZF; scheme++) {
        for (size_t s = 0; s < sizeof SHAPES / sizeof *SHAPES; s++) {
            struct channel_case c;
            case_create(&c, &random, SHAPES[s][0], SHAPES[s][1], SHAPES[s][2], 10, 30, 0.1);
            run(&c, (enum mimo_scheme)scheme, MIMO_POWER_EQUAL);
            const double equal = plain_min_sinr(&c, c.solution.W);
            run(&c, (enum mimo_scheme)scheme, MIMO_POWER_MAXMIN_USER);
            const double least = plain_min_sinr(&c, c.solution.W);
            for (int k = 0; k < c.shape.n_ue; k++) {
                assert_true(fabs(plain_sinr(&c, c.solution.W, k) / least - 1) < 1e-4);
            }
            assert_true(least >= equal * (1 - 1e-5));
            assert_true(plain_excess(&c, c.solution.W) > -1e-5);
            case_destroy(&c);
        }
    }
}

/* No change of the users' powers that stays feasible may raise the minimum: scale user powers at random and
 * renormalise. */
static void maxmin_cannot_be_improved_by_other_powers(void **state)
{
    (void)state;
    struct random random = {4};
    for (int scheme = MIMO_CB; scheme <= MIMO_ZF; scheme++) {
        struct channel_case c;
        case_create(&c, &random, 12, 2, 5, 15, 30, 0.1);
        run(&c, (enum mimo_scheme)scheme, MIMO_POWER_MAXMIN_USER);
        const double best = plain_min_sinr(&c, c.solution.W);
        for (int trial = 0; trial < 200; trial++) {
            tutti_cf32 W[12 * 2 * 5];
            double factor[5];
            for (int k = 0; k < 5; k++) {
                factor[k] = exp((trial % 2 ? 0.5 : 0.02) * random_normal(&random));
            }
            for (int i = 0; i < 12 * 2 * 5; i++) {
                W[i] = (tutti_cf32)((double complex)c.solution.W[i] * factor[i % 5]);
            }
            const double shrink = 1 / sqrt(1 + plain_excess(&c, W));
            for (int i = 0; i < 12 * 2 * 5; i++) {
                W[i] = (tutti_cf32)((double complex)W[i] * shrink);
            }
            assert_true(plain_min_sinr(&c, W) <= best * (1 + 1e-5));
        }
        case_destroy(&c);
    }
}

static void cb_equal_is_the_matched_beam_at_full_power(void **state)
{
    (void)state;
    struct random random = {5};
    struct channel_case c;
    case_create(&c, &random, 6, 3, 4, 10, 30, 0);
    c.P[2] = 2.5f;
    assert_int_equal(run(&c, MIMO_CB, MIMO_POWER_EQUAL), 0);
    for (int m = 0; m < 6; m++) {
        assert_true(fabs(plain_power(&c, c.solution.W, m) / (double)c.P[m] - 1) < 1e-6);
        const double complex ratio = (double complex)c.solution.W[m * 12] / (double complex)c.H[m * 12];
        assert_true(fabs(cimag(ratio)) < 1e-6 * creal(ratio));
        for (int i = m * 12; i < (m + 1) * 12; i++) {
            assert_true(cabs((double complex)c.solution.W[i] - creal(ratio) * (double complex)c.H[i]) < 1e-6);
        }
    }
    case_destroy(&c);
}

/* Powers of a solution that one word promises to be the same for all users: received by each, or sent to each. */
static double promised(const struct channel_case *c, enum mimo_power power, int k)
{
    if (power == MIMO_POWER_EQUAL_RECEIVED) {
        return pow(cabs(plain_response(c, c->solution.W, k, k)), 2);
    }
    double sent = 0;
    for (int r = 0; r < c->shape.n_ap * c->shape.n_ant; r++) {
        sent += pow(cabs((double complex)c->solution.W[r * c->shape.n_ue + k]), 2);
    }
    return sent;
}

static void check_word(struct channel_case *c, enum mimo_scheme scheme, enum mimo_power power)
{
    run(c, scheme, power);
    for (int k = 0; k < c->shape.n_ue; k++) {
        assert_true(fabs(promised(c, power, k) / promised(c, power, 0) - 1) < 1e-4);
    }
    assert_true(plain_excess(c, c->solution.W) > -1e-5);
}

/* A word of the central precoders means one rule whatever scheme it stands at, also where zf falls back to rzf; the two
 * words differ. */
static void equal_words_mean_one_rule_each(void **state)
{
    (void)state;
    struct random random = {61};
    for (int i = 0; i < 40; i++) {
        const enum mimo_scheme scheme = i & 1 ? MIMO_RZF : MIMO_ZF;
        const bool few = i >= 20;
        struct channel_case c;
        case_create(&c, &random, few ? 1 : 4, few ? 3 : 2, 5, 10, 20, 0.05);
        check_word(&c, scheme, MIMO_POWER_EQUAL_RECEIVED);
        const double one = promised(&c, MIMO_POWER_EQUAL_SENT, 1) / promised(&c, MIMO_POWER_EQUAL_SENT, 0);
        check_word(&c, scheme, MIMO_POWER_EQUAL_SENT);
        assert_int_equal(c.solution.reason, few && !(i & 1) ? MIMO_REASON_FEW_ANTENNAS : MIMO_REASON_ASKED);
        assert_true(fabs(one - 1) > 1e-3);
        case_destroy(&c);
    }
}

/* What is not a rule of the scheme, `equal` first, is read as the rule that `equal` is short for there. */
static void equal_is_the_rule_of_the_table(void **state)
{
    (void)state;
    struct random random = {62};
    for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
        for (int power = 0; power < MIMO_N_POWERS; power++) {
            const enum mimo_power meant = mimo_power_meant(scheme, false, MIMO_POWER_EQUAL);
            if (power != MIMO_POWER_EQUAL && mimo_scheme_allows(scheme, power)) {
                continue;
            }
            struct channel_case c;
            tutti_cf32 W[3 * 6 * 4];
            case_create(&c, &random, 3, 6, 4, 10, 20, 0.05);
            run(&c, (enum mimo_scheme)scheme, meant);
            memcpy(W, c.solution.W, sizeof W);
            run(&c, (enum mimo_scheme)scheme, (enum mimo_power)power);
            assert_memory_equal(W, c.solution.W, sizeof W);
            case_destroy(&c);
        }
    }
}

static void masks_leave_out_and_the_rest_is_as_if_alone(void **state)
{
    (void)state;
    struct random random = {6};
    for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
        for (int power = 0; power < 2; power++) {
            struct channel_case c, small;
            case_create(&c, &random, 5, 4, 4, 15, 20, 0.1);
            case_create(&small, &random, 3, 4, 3, 15, 20, 0.1);
            const int ap[3] = {0, 2, 4}, ue[3] = {0, 1, 3};
            c.ap_active[1] = 0;
            c.P[3] = 0;
            c.ue_active[2] = 0;
            for (int m = 0; m < 3; m++) {
                for (int k = 0; k < 3; k++) {
                    small.E[m * 3 + k] = c.E[ap[m] * 4 + ue[k]];
                    for (int a = 0; a < 4; a++) {
                        small.H[(m * 4 + a) * 3 + k] = c.H[(ap[m] * 4 + a) * 4 + ue[k]];
                    }
                }
            }
            run(&c, (enum mimo_scheme)scheme, (enum mimo_power)power);
            run(&small, (enum mimo_scheme)scheme, (enum mimo_power)power);
            assert_true(c.solution.sinr[2] == 0);
            double total = 0, kept = 0;
            for (int i = 0; i < 5 * 4 * 4; i++) {
                total += pow(cabs((double complex)c.solution.W[i]), 2);
            }
            for (int m = 0; m < 3; m++) {
                for (int a = 0; a < 4; a++) {
                    for (int k = 0; k < 3; k++) {
                        const double complex got = c.solution.W[(ap[m] * 4 + a) * 4 + ue[k]];
                        kept += pow(cabs(got), 2);
                        assert_true(cabs(got - (double complex)small.solution.W[(m * 4 + a) * 3 + k]) < 1e-6);
                    }
                }
            }
            assert_true(fabs(total - kept) < 1e-12); /* everything else is zero */
            case_destroy(&c);
            case_destroy(&small);
        }
    }
}

static void singular_falls_back_and_says_so(void **state)
{
    (void)state;
    struct random random = {7};
    for (int kind = 0; kind < 2; kind++) {
        for (int power = 0; power < 2; power++) {
            struct channel_case c;
            case_create(&c, &random, 2, 2, kind ? 3 : 6, 15, 20,
                        0.1); /* 6 users on 4 antennas, or two identical users */
            for (int r = 0; r < 4 && kind; r++) {
                c.H[r * 3 + 2] = c.H[r * 3];
            }
            assert_int_equal(run(&c, MIMO_ZF, (enum mimo_power)power), TUTTI_ENUMERIC);
            assert_int_equal(c.solution.reason, kind ? MIMO_REASON_SINGULAR : MIMO_REASON_FEW_ANTENNAS);
            const double least = plain_min_sinr(&c, c.solution.W);
            const enum mimo_power rule = mimo_power_meant(MIMO_ZF, false, (enum mimo_power)power);
            assert_int_equal(run(&c, MIMO_RZF, rule), 0); /* what it fell back to */
            assert_true(least > 0 && fabs(least / plain_min_sinr(&c, c.solution.W) - 1) < 1e-6);
            case_destroy(&c);
        }
    }
}

/* Two users side by side cost the others nothing: where zero-forcing would spend its power on telling them apart, RZF
 * serves; the reason says so and the choice is the better one. */
static void nearly_identical_users_get_rzf(void **state)
{
    (void)state;
    static const double apart[] = {1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 1};
    int n_rzf = 0, n_zf = 0;
    for (int i = 0; i < 12; i++) {
        struct random random = {31};
        struct channel_case c;
        const enum mimo_power power = i % 2 ? MIMO_POWER_MAXMIN : MIMO_POWER_EQUAL;
        case_create(&c, &random, 16, 2, 8, 10, 20, 0.01);
        for (int r = 0; r < 32; r++) {
            const double complex near = (double complex)c.H[r * 8] + apart[i / 2] * random_cn(&random);
            c.H[r * 8 + 7] = (tutti_cf32)near;
        }
        const int rc = run(&c, MIMO_ZF, power), reason = c.solution.reason;
        const double least = plain_min_sinr(&c, c.solution.W);
        assert_int_equal(rc, reason == MIMO_REASON_ASKED ? 0 : TUTTI_ENUMERIC);
        run(&c, MIMO_RZF, mimo_power_meant(MIMO_ZF, false, power));
        if (i / 2 < 5) { /* closer than that */
            assert_true(least >= plain_min_sinr(&c, c.solution.W) * (1 - 1e-6));
        }
        n_rzf += reason == MIMO_REASON_NEAR_SINGULAR;
        n_zf += reason == MIMO_REASON_ASKED;
        assert_true(i / 2 < 5 || reason == MIMO_REASON_ASKED);
        case_destroy(&c);
    }
    assert_true(n_rzf >= 6 && n_zf >= 2); /* both happen, or nothing was compared */
}

/* A user without any estimate is left out and named; max-min is max-min for the others, as if it were not there. */
static void a_user_without_estimate_leaves_maxmin_to_the_others(void **state)
{
    (void)state;
    enum { M = 4, N = 6, K = 4 };
    for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
        struct random random = {32};
        struct channel_case c, d;
        case_create(&c, &random, M, N, K, 20, 20, 0.05);
        case_create(&d, &random, M, N, K, 20, 20, 0.05);
        memcpy(d.H, c.H, M * N * K * sizeof *c.H);
        memcpy(d.E, c.E, M * K * sizeof *c.E);
        memcpy(d.beta, c.beta, M * K * sizeof *c.beta);
        d.ue_active[1] = 0;
        c.channel.beta = c.beta;
        d.channel.beta = d.beta;
        for (int m = 0; m < M; m++) {
            if (mimo_scheme_is_local(scheme) && scheme != MIMO_CB) {
                c.beta[m * K + 1] = c.E[m * K + 1]; /* an estimate that says nothing */
            }
            for (int a = 0; a < N && (!mimo_scheme_is_local(scheme) || scheme == MIMO_CB); a++) {
                c.H[(m * N + a) * K + 1] = 0;
            }
        }
        if (mimo_scheme_row(scheme)->kind == MIMO_PHASE) {
            c.ue_active[0] = d.ue_active[0] = 0;
        }
        assert_int_equal(run(&c, (enum mimo_scheme)scheme, MIMO_POWER_MAXMIN), TUTTI_ENUMERIC);
        assert_int_equal(c.solution.reason, MIMO_REASON_ZERO_CHANNEL);
        assert_int_equal(run(&d, (enum mimo_scheme)scheme, MIMO_POWER_MAXMIN), 0);
        for (int i = 0; i < M * N * K; i++) {
            const double difference = cabs((double complex)c.solution.W[i] - (double complex)d.solution.W[i]);
            assert_true(difference < 1e-6);
        }
        case_destroy(&c);
        case_destroy(&d);
    }
}

static void empty_and_zero_inputs_are_named(void **state)
{
    (void)state;
    struct random random = {8};
    struct channel_case c;
    case_create(&c, &random, 4, 2, 3, 15, 20, 0.1);
    memset(c.ue_active, 0, 3);
    assert_int_equal(run(&c, MIMO_ZF, MIMO_POWER_MAXMIN), TUTTI_ENUMERIC);
    assert_int_equal(c.solution.reason, MIMO_REASON_NO_USER);
    memset(c.ue_active, 1, 3);
    memset(c.ap_active, 0, 4);
    assert_int_equal(run(&c, MIMO_CB, MIMO_POWER_EQUAL), TUTTI_ENUMERIC);
    assert_int_equal(c.solution.reason, MIMO_REASON_NO_AP);
    memset(c.ap_active, 1, 4);
    for (int r = 0; r < 8; r++) {
        c.H[r * 3 + 1] = 0;
    }
    for (int power = 0; power < 2; power++) {
        for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
            if (scheme == MIMO_FZF || mimo_scheme_row(scheme)->kind == MIMO_PHASE) {
                continue; /* no room in this network; serves one user only */
            }
            assert_int_equal(run(&c, (enum mimo_scheme)scheme, (enum mimo_power)power), TUTTI_ENUMERIC);
            assert_int_equal(c.solution.reason, MIMO_REASON_ZERO_CHANNEL);
            assert_true(c.solution.sinr[1] == 0 && c.solution.sinr[0] > 0 && c.solution.sinr[2] > 0);
        }
    }
    for (int r = 0; r < 2; r++) { /* an AP that nobody hears */
        c.H[r * 3] = c.H[r * 3 + 2] = 0;
    }
    run(&c, MIMO_CB, MIMO_POWER_EQUAL);
    run(&c, MIMO_ZF, MIMO_POWER_MAXMIN);
    case_destroy(&c);
    assert_string_equal(mimo_reason_text(MIMO_REASON_NO_AP), "no active AP");
    assert_string_equal(mimo_reason_text(999), "unknown reason");
}

static void sixty_db_spread_stays_finite_and_fair(void **state)
{
    (void)state;
    struct random random = {9};
    for (int trial = 0; trial < 20; trial++) {
        struct channel_case c;
        case_create(&c, &random, 16, 1, 8, 50, 60, trial % 2 ? 0.05 : 0);
        for (int scheme = MIMO_CB; scheme <= MIMO_ZF; scheme++) {
            run(&c, (enum mimo_scheme)scheme, MIMO_POWER_MAXMIN_USER);
            const double least = plain_min_sinr(&c, c.solution.W);
            assert_true(least > 0);
            for (int k = 0; k < 8; k++) {
                assert_true(plain_sinr(&c, c.solution.W, k) < least * 1.05); /* cf32 rounding costs a little */
            }
        }
        case_destroy(&c);
    }
}

/* Nothing feasible beats the max-min optimum, and its bound is above everything. */
static void the_optimum_is_above_every_other_scheme(void **state)
{
    (void)state;
    struct random random = {21};
    for (size_t s = 0; s < sizeof SHAPES / sizeof *SHAPES; s++) {
        struct channel_case c;
        case_create(&c, &random, SHAPES[s][0], SHAPES[s][1], SHAPES[s][2], 15, 30, s % 2 ? 0.1 : 0);
        c.channel.beta = s % 3 ? c.beta : NULL;
        assert_int_equal(run(&c, MIMO_OB, MIMO_POWER_MAXMIN), 0);
        const double best = plain_min_sinr(&c, c.solution.W), bound = c.solution.sinr_bound;
        assert_true(best >= bound * (1 - 1.1e-2) && best <= bound * (1 + 1e-5) && c.solution.iterations > 0);
        for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
            for (int power = 0; power < MIMO_N_POWERS && scheme != MIMO_OB; power++) {
                run(&c, (enum mimo_scheme)scheme, (enum mimo_power)power);
                const double down = 1 / sqrt(1 + fmax(plain_excess(&c, c.solution.W), 0)); /* the bound's budget */
                for (int i = 0; i < c.shape.n_ap * c.shape.n_ant * c.shape.n_ue; i++) {
                    c.solution.W[i] = (tutti_cf32)(down * (double complex)c.solution.W[i]);
                }
                assert_true(plain_min_sinr(&c, c.solution.W) <= bound * (1 + 1e-5));
                assert_true(isnan(c.solution.sinr_bound));
            }
        }
        case_destroy(&c);
    }
}

/* One vanishing error: RZF tends to ZF when noise is small and to matched beams when it is large. */
static void rzf_has_the_right_limits(void **state)
{
    (void)state;
    struct random random = {22};
    for (int loud = 0; loud < 2; loud++) {
        struct channel_case c;
        case_create(&c, &random, 8, 2, 4, loud ? 90 : -90, 0, 0);
        assert_int_equal(run(&c, MIMO_RZF, MIMO_POWER_EQUAL), 0);
        for (int k = 0; k < 4; k++) {
            double complex inner = 0;
            double beam = 0, channel = 0;
            for (int r = 0; r < 16; r++) {
                inner += conj((double complex)c.H[r * 4 + k]) * (double complex)c.solution.W[r * 4 + k];
                beam += pow(cabs((double complex)c.solution.W[r * 4 + k]), 2);
                channel += pow(cabs((double complex)c.H[r * 4 + k]), 2);
            }
            if (!loud) {
                assert_true(cabs(inner) > (1 - 1e-5) * sqrt(beam * channel)); /* parallel */
            }
            for (int j = 0; j < 4 && loud; j++) {
                if (j != k) {
                    assert_true(cabs(plain_response(&c, c.solution.W, j, k)) < 1e-5 * cabs(inner));
                }
            }
        }
        case_destroy(&c);
    }
}

/* Maximum ratio at least SNR, better than zero-forcing under estimation errors and noise. */
static void rzf_beats_zf_when_noise_matters(void **state)
{
    (void)state;
    struct random random = {23};
    int better = 0;
    for (int trial = 0; trial < 50; trial++) {
        struct channel_case c;
        case_create(&c, &random, 6, 1, 6, 0, 10, 0.1);
        run(&c, MIMO_RZF, MIMO_POWER_MAXMIN);
        const double rzf = plain_min_sinr(&c, c.solution.W);
        run(&c, MIMO_ZF, MIMO_POWER_MAXMIN);
        const double zf = plain_min_sinr(&c, c.solution.W);
        better += c.solution.reason == MIMO_REASON_NEAR_SINGULAR ? fabs(rzf / zf - 1) < 1e-6 : rzf > zf;
        case_destroy(&c);
    }
    assert_true(better >= 48);
}

/* x <- A^-1 x by Gaussian elimination with row exchange; n x n complex. */
static void eliminate(int n, double complex *A, double complex *x)
{
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int i = k + 1; i < n; i++) {
            if (cabs(A[i * n + k]) > cabs(A[best * n + k])) {
                best = i;
            }
        }
        for (int j = 0; j <= n; j++) {
            double complex *a = j < n ? &A[k * n + j] : &x[k], *b = j < n ? &A[best * n + j] : &x[best];
            const double complex swap = *a;
            *a = *b;
            *b = swap;
        }
        for (int i = 0; i < n; i++) {
            if (i == k) {
                continue;
            }
            const double complex f = A[i * n + k] / A[k * n + k];
            for (int j = k; j < n; j++) {
                A[i * n + j] -= f * A[k * n + j];
            }
            x[i] -= f * x[k];
        }
    }
    for (int k = 0; k < n; k++) {
        x[k] /= A[k * n + k];
    }
}

/* Each RZF beam is parallel to (I + lambda sum_j (h_j h_j^H + diag(E_j)))^-1 h_k, lambda = sum_m P_m / K. */
static void rzf_is_the_mmse_beam(void **state)
{
    (void)state;
    enum { M = 5, N = 2, K = 4, L = M * N };
    struct random random = {27};
    struct channel_case c;
    case_create(&c, &random, M, N, K, 5, 20, 0.4);
    c.P[1] = 3;
    assert_int_equal(run(&c, MIMO_RZF, MIMO_POWER_MAXMIN), 0);
    for (int k = 0; k < K; k++) {
        double complex A[L * L], x[L], inner = 0;
        double nx = 0, nw = 0;
        for (int i = 0; i < L; i++) {
            x[i] = c.H[i * K + k];
            for (int j = 0; j < L; j++) {
                A[i * L + j] = i == j;
                for (int u = 0; u < K; u++) {
                    A[i * L + j] += (M + 2.0) / K *
                                    ((double complex)c.H[i * K + u] * conj((double complex)c.H[j * K + u]) +
                                     (i == j ? (double)c.E[i / N * K + u] : 0));
                }
            }
        }
        eliminate(L, A, x);
        for (int i = 0; i < L; i++) {
            const double complex w = c.solution.W[i * K + k];
            inner += conj(x[i]) * w;
            nx += creal(x[i] * conj(x[i]));
            nw += creal(w * conj(w));
        }
        assert_true(cabs(inner) > (1 - 1e-6) * sqrt(nx * nw));
    }
    case_destroy(&c);
}

static double ap_response(const struct channel_case *c, int m, int k, int j)
{
    double complex sum = 0;
    for (int a = 0; a < c->shape.n_ant; a++) {
        const int r = m * c->shape.n_ant + a;
        sum += conj((double complex)c->H[r * c->shape.n_ue + k]) * (double complex)c->solution.W[r * c->shape.n_ue + j];
    }
    return cabs(sum);
}

/* PPZF nulls every stream at each AP's strong users and only there; PZF lets the weak users' streams through. */
static void local_schemes_null_at_strong_users_only(void **state)
{
    (void)state;
    enum { M = 6, N = 8, K = 6 };
    struct random random = {24};
    struct channel_case c;
    case_create(&c, &random, M, N, K, 20, 40, 0.05);
    c.channel.beta = c.beta;
    for (int scheme = MIMO_FZF; scheme <= MIMO_PPZF; scheme++) {
        assert_int_equal(run(&c, (enum mimo_scheme)scheme, MIMO_POWER_EQUAL), 0);
        int nulled = 0, open = 0;
        for (int m = 0; m < M; m++) {
            for (int k = 0; k < K; k++) {
                double stronger = 0, total = 0; /* strong: the users above k do not hold 95 % yet */
                for (int j = 0; j < K; j++) {
                    total += (double)c.beta[m * K + j];
                    if (c.beta[m * K + j] > c.beta[m * K + k]) {
                        stronger += (double)c.beta[m * K + j];
                    }
                }
                const bool strong = scheme == MIMO_FZF || stronger < 0.95 * total;
                for (int j = 0; j < K; j++) {
                    if (j == k) {
                        continue;
                    }
                    const double norm = ap_response(&c, m, k, k) + 1e-3;
                    const bool null = ap_response(&c, m, k, j) < 1e-4 * norm;
                    double above = 0;
                    for (int i = 0; i < K; i++) {
                        if (c.beta[m * K + i] > c.beta[m * K + j]) {
                            above += (double)c.beta[m * K + i];
                        }
                    }
                    const bool j_strong = scheme == MIMO_FZF || above < 0.95 * total;
                    assert_int_equal(null, strong && (j_strong || scheme == MIMO_PPZF));
                    nulled += null;
                    open += !null;
                }
            }
        }
        assert_true(nulled > 0 && (open > 0 || scheme == MIMO_FZF));
    }
    case_destroy(&c);
}

static void full_zero_forcing_without_room_says_so(void **state)
{
    (void)state;
    struct random random = {25};
    struct channel_case c;
    case_create(&c, &random, 4, 4, 4, 20, 20, 0.05);
    assert_int_equal(run(&c, MIMO_FZF, MIMO_POWER_EQUAL), TUTTI_ENUMERIC);
    assert_int_equal(c.solution.reason, MIMO_REASON_FEW_ANTENNAS);
    assert_int_equal(run(&c, MIMO_PPZF, MIMO_POWER_EQUAL), 0);
    c.channel.beta = c.beta; /* strong at AP 2 by its gain, but without an estimate there: nothing to protect */
    c.beta[2 * 4 + 1] = 1e4f;
    for (int a = 0; a < 4; a++) {
        c.H[(2 * 4 + a) * 4 + 1] = 0;
    }
    assert_int_equal(run(&c, MIMO_PPZF, MIMO_POWER_EQUAL), 0);
    c.channel.beta = NULL;
    for (int r = 0; r < 16; r++) {
        c.H[r * 4 + 1] = c.H[r * 4] * 2; /* pilot reuse: parallel estimates */
    }
    assert_int_equal(run(&c, MIMO_PPZF, MIMO_POWER_MAXMIN), TUTTI_ENUMERIC);
    assert_int_equal(c.solution.reason, MIMO_REASON_AP_DEPENDENT);
    case_destroy(&c);
}

/* Twice the channel at a quarter of the budget is the same network; the order of users is a name only. */
static void schemes_ignore_units_and_order(void **state)
{
    (void)state;
    enum { M = 6, N = 6, K = 4 };
    struct random random = {26};
    for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
        for (int power = 0; power < MIMO_N_POWERS && mimo_scheme_row(scheme)->kind != MIMO_PHASE; power++) {
            struct channel_case c, d;
            case_create(&c, &random, M, N, K, 15, 30, 0.1);
            case_create(&d, &random, M, N, K, 15, 30, 0.1);
            for (int m = 0; m < M; m++) {
                d.P[m] = 0.25f;
                for (int k = 0; k < K; k++) {
                    d.E[m * K + K - 1 - k] = 4 * c.E[m * K + k];
                    for (int a = 0; a < N; a++) {
                        d.H[(m * N + a) * K + K - 1 - k] = 2 * c.H[(m * N + a) * K + k];
                    }
                }
            }
            run(&c, (enum mimo_scheme)scheme, (enum mimo_power)power);
            run(&d, (enum mimo_scheme)scheme, (enum mimo_power)power);
            /* those that stop short of the optimum */
            const bool iterates = scheme == MIMO_OB || (scheme == MIMO_CB && power == MIMO_POWER_MAXMIN);
            const double tolerance = scheme == MIMO_OB ? 1e-2 : iterates ? 0.1 : 1e-4;
            for (int k = 0; k < K; k++) {
                const double one = plain_sinr(&c, c.solution.W, k), two = plain_sinr(&d, d.solution.W, K - 1 - k);
                assert_true(fabs(one / two - 1) < tolerance);
            }
            case_destroy(&c);
            case_destroy(&d);
        }
    }
}

static void power_use_finds_the_worst(void **state)
{
    (void)state;
    const struct mimo_shape shape = {3, 1, 2};
    const float budget[3] = {1, 4, 0};
    tutti_cf32 W[6] = {0.5f, 0.5f, 2, CMPLXF(0, 1), 0, 0};
    assert_true(fabsf(mimo_power_use(&shape, budget, W) - 1.25f) < 1e-6f);
    W[4] = 1e-20f;
    assert_true(isinf(mimo_power_use(&shape, budget, W)));
    W[4] = 0;
    W[0] = NAN;
    assert_true(isinf(mimo_power_use(&shape, budget, W))); /* not a use that looks right */
}

static void shapes_out_of_range_are_refused(void **state)
{
    (void)state;
    precoder_t *precoder;
    const struct mimo_shape bad[] = {
        {0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {TUTTI_MAX_AP + 1, 1, 1}, {1, TUTTI_MAX_ANT + 1, 1}, {1, 1, MIMO_MAX_UE + 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(precoder_create(&precoder, &bad[i]), TUTTI_EINVAL);
        assert_null(precoder);
        assert_non_null(strstr(error_text(), "allowed 1 to"));
    }
    precoder_destroy(NULL);
}

/* A handle serves what it was created for, as one created for all does, and refuses the rest with zeros. */
static void handles_serve_what_they_were_created_for(void **state)
{
    (void)state;
    struct random random = {28};
    struct channel_case c;
    case_create(&c, &random, 4, 6, 3, 15, 20, 0.1);
    for (int made = 0; made < MIMO_N_SCHEMES; made++) {
        precoder_t *precoder;
        assert_int_equal(precoder_create_for(&precoder, &c.shape, precoder_schemes_below((enum mimo_scheme)made)), 0);
        int n_served = 0;
        for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
            const int rc =
                precoder_execute(precoder, (enum mimo_scheme)scheme, MIMO_POWER_MAXMIN, &c.channel, &c.solution);
            const float power = mimo_power_use(&c.shape, c.P, c.solution.W);
            if (precoder_schemes_below((enum mimo_scheme)made) & MIMO_ONLY(scheme)) {
                assert_true(rc == 0 && power > 0.5f);
                n_served++;
            } else {
                assert_true(rc == TUTTI_EINVAL && power == 0 && c.solution.sinr[0] == 0);
            }
        }
        assert_true(n_served >= 1 && precoder_schemes_below((enum mimo_scheme)made) & MIMO_ONLY(made));
        precoder_destroy(precoder);
    }
    assert_int_equal(precoder_schemes_below(MIMO_CB), MIMO_ONLY(MIMO_CB));
    case_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zf_nulls_and_meets_the_worst_budget),
        cmocka_unit_test(zf_equal_gives_equal_received_power),
        cmocka_unit_test(maxmin_equalises_and_beats_equal_power),
        cmocka_unit_test(maxmin_cannot_be_improved_by_other_powers),
        cmocka_unit_test(cb_equal_is_the_matched_beam_at_full_power),
        cmocka_unit_test(equal_words_mean_one_rule_each),
        cmocka_unit_test(equal_is_the_rule_of_the_table),
        cmocka_unit_test(masks_leave_out_and_the_rest_is_as_if_alone),
        cmocka_unit_test(singular_falls_back_and_says_so),
        cmocka_unit_test(nearly_identical_users_get_rzf),
        cmocka_unit_test(a_user_without_estimate_leaves_maxmin_to_the_others),
        cmocka_unit_test(empty_and_zero_inputs_are_named),
        cmocka_unit_test(sixty_db_spread_stays_finite_and_fair),
        cmocka_unit_test(the_optimum_is_above_every_other_scheme),
        cmocka_unit_test(rzf_has_the_right_limits),
        cmocka_unit_test(rzf_is_the_mmse_beam),
        cmocka_unit_test(rzf_beats_zf_when_noise_matters),
        cmocka_unit_test(local_schemes_null_at_strong_users_only),
        cmocka_unit_test(full_zero_forcing_without_room_says_so),
        cmocka_unit_test(schemes_ignore_units_and_order),
        cmocka_unit_test(power_use_finds_the_worst),
        cmocka_unit_test(shapes_out_of_range_are_refused),
        cmocka_unit_test(handles_serve_what_they_were_created_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
