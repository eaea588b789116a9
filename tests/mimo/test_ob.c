/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "../sanitized.h"
#include "base/error.h"
#include "mimo/ob.h"
#include "reference.h"
#include "variants.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MIXED = SANITIZED ? 80 : 1000, FAR_APART = SANITIZED ? 100 : 1500 };

static struct ob_result solve(struct channel_case *c, double tolerance, int max_iterations)
{
    ob_t *ob;
    assert_int_equal(ob_create(&ob, &c->shape), 0);
    struct ob_settings settings;
    struct ob_result result;
    ob_settings_default(&settings);
    settings.tolerance = tolerance;
    settings.max_iterations = max_iterations;
    ob_solve(ob, &c->channel, &settings, &c->solution, &result);
    ob_destroy(ob);
    assert_true(plain_finite(c, c->solution.W));
    assert_true(plain_excess(c, c->solution.W) <= 1e-6);
    return result;
}

/* What the solver says is what W does. */
static void check_report(const struct channel_case *c, const struct ob_result *result)
{
    const double least = plain_min_sinr(c, c->solution.W);
    assert_true(fabs(result->min_sinr - least) <= 1e-4 * least);
    assert_true(least <= result->bound * (1 + 1e-5));
}

static void certificate_closes_on_random_channels(void **state)
{
    (void)state;
    static const int shapes[][3] = {{4, 1, 1},   {4, 1, 2},  {4, 1, 4},  {4, 4, 4},   {8, 8, 8},   {16, 1, 4},
                                    {16, 2, 12}, {32, 1, 8}, {64, 1, 8}, {64, 1, 32}, {128, 1, 8}, {128, 1, 32},
                                    {32, 4, 16}, {8, 1, 8},  {5, 3, 7},  {128, 8, 4}};
    struct random random = {11};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int kind = 0; kind < 4; kind++) {
            struct channel_case c;
            case_create(&c, &random, shapes[s][0], shapes[s][1], shapes[s][2], kind % 2 ? 10 : 40, kind % 2 ? 20 : 50,
                        kind / 2 ? 0.1 : 0);
            const struct ob_result result = solve(&c, 1e-3, 60);
            check_report(&c, &result);
            assert_int_equal(result.stop, OB_CONVERGED);
            assert_true(result.min_sinr >= result.bound * (1 - 1.2e-3));
            case_destroy(&c);
        }
    }
}

/* Anything goes: shapes, SNR, spread, errors, unequal budgets, cell-free drops with pilot reuse. */
static void certificate_closes_on_mixed_cases(void **state)
{
    (void)state;
    static tutti_cf32 truth[41 * 4 * 16];
    struct random random = {20};
    int iterations = 0;
    for (int trial = 0; trial < MIXED; trial++) {
        const int n_ap = 1 + (int)(random_uniform(&random) * 40), n_ant = 1 + (int)(random_uniform(&random) * 4);
        const int n_ue = 1 + (int)(random_uniform(&random) * 16), kind = trial % 4;
        const double error = trial % 3 ? 0.5 * random_uniform(&random) : 0;
        struct channel_case c;
        if (kind == 3) {
            case_create_cell_free(&c, &random, n_ap, n_ant, n_ue, 1 + (int)(random_uniform(&random) * n_ue), truth);
        } else {
            case_create(&c, &random, n_ap, n_ant, n_ue, -20 + 80 * random_uniform(&random),
                        60 * random_uniform(&random), error);
        }
        for (int m = 0; m < n_ap && kind == 2; m++) {
            c.P[m] = (float)pow(10, 4 * random_uniform(&random) - 2);
        }
        const struct ob_result result = solve(&c, 1e-3, 60);
        check_report(&c, &result);
        if (result.stop != OB_CONVERGED || result.min_sinr < result.bound * (1 - 1.2e-3)) {
            fail_msg("trial %d, %d APs, %d antennas, %d users: %g of %g after %d iterations", trial, n_ap, n_ant, n_ue,
                     result.min_sinr, result.bound, result.iterations);
        }
        iterations += result.iterations;
        case_destroy(&c);
    }
    assert_true(iterations < 8 * MIXED); /* second-order convergence; a wrong derivative needs many more */
}

/* As many users as antennas: the users' mutual derivatives matter most. Ten steps on average to 1e-5. */
static void loaded_networks_converge_fast_and_far(void **state)
{
    (void)state;
    static tutti_cf32 truth[8 * 8];
    struct random random = {5};
    int iterations = 0;
    for (int drop = 0; drop < 40; drop++) {
        struct channel_case c;
        case_create_cell_free(&c, &random, 8, 1, 8, 8, truth);
        const struct ob_result result = solve(&c, 1e-5, 60);
        assert_int_equal(result.stop, OB_CONVERGED);
        assert_true(result.min_sinr >= result.bound * (1 - 3e-5));
        iterations += result.iterations;
        case_destroy(&c);
    }
    assert_true(iterations < 400);
}

static void degenerate_inputs_stay_finite_and_certified(void **state)
{
    (void)state;
    struct random random = {12};
    static const int shapes[][3] = {{2, 1, 5}, {1, 1, 1}, {1, 8, 3}, {3, 1, 3}, {4, 2, 20}, {2, 2, 4}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int kind = 0; kind < 4;
             kind++) { /* more users than antennas, one AP, as many as antennas; perfect CSI too */
            struct channel_case c;
            case_create(&c, &random, shapes[s][0], shapes[s][1], shapes[s][2], kind % 2 ? 0 : 30, 60,
                        kind / 2 ? 0.2 : 0);
            const struct ob_result result = solve(&c, 1e-3, 60);
            check_report(&c, &result);
            assert_int_equal(result.stop, OB_CONVERGED);
            case_destroy(&c);
        }
    }
}

static void identical_users_share_and_zero_users_are_named(void **state)
{
    (void)state;
    struct random random = {13};
    for (int perfect = 0; perfect < 2; perfect++) {
        struct channel_case c;
        case_create(&c, &random, 8, 2, 4, 20, 20, perfect ? 0 : 0.1);
        for (int r = 0; r < 16; r++) {
            c.H[r * 4 + 3] = c.H[r * 4 + 1];
        }
        struct ob_result result = solve(&c, 1e-3, 100);
        check_report(&c, &result);
        assert_true(result.bound <= 1 + 1e-6); /* two streams on one channel cannot both exceed 0 dB */
        assert_true(result.min_sinr > 0.5);
        for (int r = 0; r < 16; r++) {
            c.H[r * 4 + 3] = 0;
        }
        result = solve(&c, 1e-3, 60);
        assert_int_equal(c.solution.reason, MIMO_REASON_ZERO_CHANNEL);
        assert_true(c.solution.sinr[3] == 0 && result.min_sinr > 1);
        memset(c.ue_active, 0, 4);
        result = solve(&c, 1e-3, 60);
        assert_int_equal(c.solution.reason, MIMO_REASON_NO_USER);
        assert_int_equal(result.stop, OB_EMPTY);
        case_destroy(&c);
    }
}

/* A lost AP (mask or no power) must give what the network without it gives; an AP nobody hears must not matter. */
static void lost_and_deaf_aps_do_not_matter(void **state)
{
    (void)state;
    struct random random = {14};
    struct channel_case c;
    case_create(&c, &random, 9, 2, 4, 20, 30, 0.1);
    c.ap_active[1] = 0;
    c.P[4] = 0;
    const struct ob_result lost = solve(&c, 1e-4, 60);
    for (int i = 0; i < 8; i++) {
        assert_true(c.solution.W[1 * 8 + i] == 0 && c.solution.W[4 * 8 + i] == 0);
    }
    c.ap_active[1] = 1;
    c.P[4] = 1;
    for (int m = 1; m <= 4; m += 3) {
        for (int i = 0; i < 8; i++) {
            c.H[m * 8 + i] = 0;
            c.E[m * 4 + i % 4] = 0;
        }
    }
    const struct ob_result deaf = solve(&c, 1e-4, 60);
    assert_int_equal(deaf.stop, OB_CONVERGED);
    assert_true(fabs(lost.min_sinr / deaf.min_sinr - 1) < 3e-4);
    case_destroy(&c);
}

/* One user, perfect CSI: every AP beams at full power and the amplitudes add up, SINR = (sum_m sqrt(P_m) ||h_m||)^2. */
static void one_user_has_the_textbook_answer(void **state)
{
    (void)state;
    struct random random = {15};
    struct channel_case c;
    case_create(&c, &random, 7, 3, 1, 5, 40, 0);
    c.P[3] = 4;
    double amplitude = 0;
    for (int m = 0; m < 7; m++) {
        double energy = 0;
        for (int a = 0; a < 3; a++) {
            energy += pow(cabs((double complex)c.H[m * 3 + a]), 2);
        }
        amplitude += sqrt((double)c.P[m] * energy);
    }
    const struct ob_result result = solve(&c, 1e-6, 60);
    assert_true(fabs(result.min_sinr / (amplitude * amplitude) - 1) < 1e-5);
    assert_true(fabs(result.bound / (amplitude * amplitude) - 1) < 1e-5);
    case_destroy(&c);
}

/* The bound must hold for precoders that have nothing to do with the solver. */
static void no_other_precoder_beats_the_bound(void **state)
{
    (void)state;
    struct random random = {16};
    for (int trial = 0; trial < 30; trial++) {
        struct channel_case c;
        case_create(&c, &random, 6, 2, 3, 15, 30, trial % 2 ? 0.1 : 0);
        const struct ob_result result = solve(&c, 1e-4, 60);
        tutti_cf32 W[6 * 2 * 3];
        for (int shake = 0; shake < 50; shake++) {
            for (int i = 0; i < 36; i++) {
                W[i] = (tutti_cf32)((double complex)c.solution.W[i] + (shake % 2 ? 0.03 : 0.003) * random_cn(&random));
            }
            for (int m = 0; m < 6; m++) { /* each AP back to its full budget */
                const double scale = 1 / sqrt(plain_power(&c, W, m));
                for (int i = m * 6; i < (m + 1) * 6; i++) {
                    W[i] = (tutti_cf32)(scale * (double complex)W[i]);
                }
            }
            assert_true(plain_min_sinr(&c, W) <= result.bound * (1 + 1e-5));
        }
        precoder_t *precoder;
        assert_int_equal(precoder_create(&precoder, &c.shape), 0);
        for (int scheme = MIMO_CB; scheme <= MIMO_ZF; scheme++) {
            precoder_execute(precoder, (enum mimo_scheme)scheme, MIMO_POWER_MAXMIN_USER, &c.channel, &c.solution);
            assert_true(plain_min_sinr(&c, c.solution.W) <= result.min_sinr * (1 + 2e-4));
        }
        precoder_destroy(precoder);
        case_destroy(&c);
    }
}

/* Where double precision itself rounds: nothing beats the bound, it stays close where the users are independent, and
 * a precoder that single precision keeps from it does not count as converged. */
static void bound_holds_at_150_db(void **state)
{
    (void)state;
    struct random random = {21};
    int n_converged = 0, n_rounded = 0, n_below = 0;
    for (int trial = 0; trial < FAR_APART; trial++) {
        const int n_ap = 1 + (int)(random_uniform(&random) * 6), n_ant = 1 + (int)(random_uniform(&random) * 4);
        const int n_ue = 1 + (int)(random_uniform(&random) * 6);
        struct channel_case c;
        case_create(&c, &random, n_ap, n_ant, n_ue, trial % 2 ? 150 : 120,
                    trial % 3 ? 120 * random_uniform(&random) : 0, trial % 5 ? 0 : 1e-6);
        const struct ob_result result = solve(&c, 1e-3, 60);
        double least = plain_min_sinr(&c, c.solution.W);
        assert_true(isfinite(result.bound) && least <= result.bound * (1 + 1e-12));
        n_converged += result.stop == OB_CONVERGED;
        n_rounded += result.stop == OB_ROUNDED;
        assert_true(result.stop != OB_CONVERGED || least >= result.bound * (1 - 1.1e-3));
        precoder_t *precoder;
        assert_int_equal(precoder_create(&precoder, &c.shape), 0);
        for (int scheme = MIMO_CB; scheme <= MIMO_RZF; scheme++) {
            precoder_execute(precoder, (enum mimo_scheme)scheme, MIMO_POWER_MAXMIN, &c.channel, &c.solution);
            least = plain_min_sinr(&c, c.solution.W);
            assert_true(least <= result.bound * (1 + 1e-12));
            n_below += least < result.bound * 0.9;
        }
        precoder_destroy(precoder);
        case_destroy(&c);
    }
    assert_true(n_converged > FAR_APART / 5 && n_rounded > 0 && n_below > 0);
}

static void order_of_users_and_aps_and_units_do_not_matter(void **state)
{
    (void)state;
    struct random random = {17};
    struct channel_case c, d;
    case_create(&c, &random, 8, 2, 4, 20, 30, 0.1);
    case_create(&d, &random, 8, 2, 4, 20, 30, 0.1);
    /* reversed users and APs; AP m with budget 4 and half the amplitude is the same AP */
    for (int m = 0; m < 8; m++) {
        for (int k = 0; k < 4; k++) {
            d.P[7 - m] = 4;
            d.E[(7 - m) * 4 + 3 - k] = c.E[m * 4 + k] / 4;
            for (int a = 0; a < 2; a++) {
                d.H[((7 - m) * 2 + a) * 4 + 3 - k] = c.H[(m * 2 + a) * 4 + k] / 2;
            }
        }
    }
    const struct ob_result one = solve(&c, 1e-5, 60), two = solve(&d, 1e-5, 60);
    assert_true(fabs(one.min_sinr / two.min_sinr - 1) < 3e-5);
    case_destroy(&c);
    case_destroy(&d);
}

static void iteration_limit_gives_a_feasible_certified_answer(void **state)
{
    (void)state;
    struct random random = {18};
    struct channel_case c;
    case_create(&c, &random, 32, 1, 8, 30, 50, 0.05);
    double previous = 0;
    for (int limit = 1; limit <= 8; limit++) {
        const struct ob_result result = solve(&c, 1e-6, limit);
        check_report(&c, &result);
        assert_true(result.iterations <= limit && result.min_sinr > 0);
        assert_true(result.min_sinr >= previous * (1 - 1e-5)); /* more time is never worse */
        previous = result.min_sinr;
    }
    case_destroy(&c);
}

/* A clock of our own: each look at it finds it `step` further. */
static uint64_t fake_ns, fake_step_ns;
static bool fake_clock;
uint64_t __real_clock_mono_ns(void);
uint64_t __wrap_clock_mono_ns(void);
uint64_t __wrap_clock_mono_ns(void)
{
    if (!fake_clock) {
        return __real_clock_mono_ns();
    }
    fake_ns += fake_step_ns;
    return fake_ns;
}

/* Iterations of 100 ns each until a deadline; what time is left when the solver stops. */
static struct ob_result solve_until(struct channel_case *c, uint64_t after_ns, uint64_t *left_ns)
{
    ob_t *ob;
    struct ob_settings settings;
    struct ob_result result;
    assert_int_equal(ob_create(&ob, &c->shape), 0);
    ob_settings_default(&settings);
    settings.tolerance = 1e-15;
    fake_clock = true;
    fake_ns = 1000000;
    fake_step_ns = 100;
    settings.deadline_mono_ns = fake_ns + fake_step_ns + after_ns; /* its first look starts the measurement */
    ob_solve(ob, &c->channel, &settings, &c->solution, &result);
    fake_clock = false;
    ob_destroy(ob);
    *left_ns = settings.deadline_mono_ns > fake_ns ? settings.deadline_mono_ns - fake_ns : 0;
    check_report(c, &result);
    assert_true(result.min_sinr > 0);
    return result;
}

/* Time enough for one more iteration and half of one to write the precoder, or stop. 40 ns more than whole iterations:
 * after i - 1 of them 140 ns are left. */
static void deadline_keeps_a_reserve(void **state)
{
    (void)state;
    struct random random = {18};
    struct channel_case c;
    uint64_t left_ns;
    case_create(&c, &random, 32, 1, 8, 30, 50, 0.05);
    for (int i = 0; i <= 6; i++) {
        const struct ob_result result = solve_until(&c, (uint64_t)i * 100 + 40, &left_ns);
        assert_int_equal(result.stop, OB_DEADLINE);
        assert_int_equal(result.iterations, i < 2 ? 1 : i - 1);
        assert_true(i < 2 || left_ns == 140);
    }
    case_destroy(&c);
}

static void warm_start_is_right_and_not_slower(void **state)
{
    (void)state;
    struct random random = {19};
    struct channel_case c;
    case_create(&c, &random, 32, 1, 8, 20, 50, 0.05);
    ob_t *ob;
    assert_int_equal(ob_create(&ob, &c.shape), 0);
    struct ob_settings settings;
    struct ob_result result;
    ob_settings_default(&settings);
    settings.warm = true;
    int cold = 0, warm = 0;
    for (int block = 0; block < 20; block++) {
        cold += solve(&c, settings.tolerance, 60).iterations;
        ob_solve(ob, &c.channel, &settings, &c.solution, &result);
        assert_int_equal(result.stop, OB_CONVERGED);
        check_report(&c, &result);
        warm += result.iterations;
        for (int i = 0; i < 32 * 8; i++) { /* next block: the small-scale fading drifts */
            c.H[i] = (tutti_cf32)(0.95 * (double complex)c.H[i] +
                                  sqrt((1 - 0.95 * 0.95) * 19 * (double)c.E[i]) * random_cn(&random));
        }
    }
    assert_true(warm <= cold);
    c.ue_active[3] = 0; /* a user leaves: the old point no longer fits and must not be used */
    ob_solve(ob, &c.channel, &settings, &c.solution, &result);
    assert_int_equal(result.stop, OB_CONVERGED);
    check_report(&c, &result);
    const struct ob_result fresh = solve(&c, settings.tolerance, 60);
    assert_true(fresh.min_sinr == result.min_sinr && fresh.bound == result.bound &&
                fresh.iterations == result.iterations);
    ob_destroy(ob);
    ob_destroy(NULL);
    case_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificate_closes_on_random_channels),
        cmocka_unit_test(certificate_closes_on_mixed_cases),
        cmocka_unit_test(loaded_networks_converge_fast_and_far),
        cmocka_unit_test(degenerate_inputs_stay_finite_and_certified),
        cmocka_unit_test(identical_users_share_and_zero_users_are_named),
        cmocka_unit_test(lost_and_deaf_aps_do_not_matter),
        cmocka_unit_test(one_user_has_the_textbook_answer),
        cmocka_unit_test(no_other_precoder_beats_the_bound),
        cmocka_unit_test(bound_holds_at_150_db),
        cmocka_unit_test(order_of_users_and_aps_and_units_do_not_matter),
        cmocka_unit_test(iteration_limit_gives_a_feasible_certified_answer),
        cmocka_unit_test(deadline_keeps_a_reserve),
        cmocka_unit_test(warm_start_is_right_and_not_slower),
    };
    int n_failed = 0;
    for (int v = 0; test_variant(v); v++) { /* handles keep the variant they are created with */
        kernel_select(test_variant(v));
        n_failed += cmocka_run_group_tests_name(test_variant(v)->name, tests, NULL, NULL);
    }
    return n_failed;
}
