/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fading processes against their theory; tolerances are five standard deviations where a statistic is sampled. */
#include "channel/fading.h"
#include "channel_test.h"

enum { N_ANT = 16, N_BLOCK = 200, BLOCK = 9600, SYMBOL = 137 };

static int delays[] = {0, 2, 5};
static double powers_db[] = {0, -3, -6};

static struct config_fading_model model_of(enum config_fading model)
{
    return (struct config_fading_model){.model = model,
                                        .rician_k_db = 6,
                                        .tap_delays_samples = delays,
                                        .tap_delays_samples_count = 3,
                                        .tap_powers_db = powers_db,
                                        .tap_powers_db_count = 3,
                                        .variation = CONFIG_VARIATION_BLOCK};
}

static fading_t *create(const struct config_fading_model *model, uint64_t link, double doppler)
{
    const struct fading_settings settings = {.model = model,
                                             .seed = 11,
                                             .link = link,
                                             .n_first = N_ANT,
                                             .n_second = 1,
                                             .doppler_turns_per_sample = doppler,
                                             .n_symbol_samples = SYMBOL,
                                             .n_block_samples = BLOCK};
    fading_t *fading = NULL;
    assert_int_equal(fading_create(&fading, &settings), 0);
    return fading;
}

static double power_of(tutti_cf32 g)
{
    return (double)crealf(g) * (double)crealf(g) + (double)cimagf(g) * (double)cimagf(g);
}

static void test_none(void **state)
{
    (void)state;
    const struct config_fading_model model = model_of(CONFIG_FADING_NONE);
    fading_t *f = create(&model, 1, 0);
    tutti_cf32 g[N_ANT], later[N_ANT];
    fading_execute(f, 0, 0, g);
    fading_execute(f, 77, 3, later);
    assert_memory_equal(g, later, sizeof g);
    for (int a = 0; a < N_ANT; a++) {
        assert_near(power_of(g[a]), 1, 1e-6);
    }
    assert_true(cabsf(g[0] - g[1]) > 0.01f);
    fading_destroy(f);
}

static void test_rayleigh(void **state)
{
    (void)state;
    const struct config_fading_model model = model_of(CONFIG_FADING_RAYLEIGH);
    fading_t *f = create(&model, 1, 0), *other = create(&model, 2, 0);
    double power = 0, fourth = 0, next = 0, cross = 0, antenna = 0;
    tutti_cf32 g[N_ANT], previous[N_ANT] = {0}, h[N_ANT];
    for (uint64_t b = 0; b < N_BLOCK; b++) {
        fading_execute(f, b, 0, g);
        fading_execute(other, b, 0, h);
        for (int a = 0; a < N_ANT; a++) {
            power += power_of(g[a]);
            fourth += power_of(g[a]) * power_of(g[a]);
            next += (double)crealf(g[a] * conjf(previous[a]));
            cross += (double)crealf(g[a] * conjf(h[a]));
            antenna += (double)crealf(g[a] * conjf(g[(a + 1) % N_ANT]));
        }
        memcpy(previous, g, sizeof g);
    }
    const double n = N_BLOCK * N_ANT;
    assert_near(power / n, 1, 5 / sqrt(n));
    assert_near(fourth / n, 2, 5 * sqrt(20) / sqrt(n)); /* E|g|^8 - (E|g|^4)^2 = 24 - 4 */
    assert_near(next / n, 0, 5 / sqrt(2 * n));
    assert_near(cross / n, 0, 5 / sqrt(2 * n));
    assert_near(antenna / n, 0, 5 / sqrt(2 * n));
    fading_execute(f, 5, 0, g);
    fading_execute(f, 9, 0, h);
    fading_execute(f, 5, 40, h); /* the symbol does not matter, nor the order of asking */
    assert_memory_equal(g, h, sizeof g);
    fading_destroy(f);
    fading_destroy(other);
}

static void test_rician(void **state)
{
    (void)state;
    const struct config_fading_model model = model_of(CONFIG_FADING_RICIAN);
    fading_t *f = create(&model, 1, 0);
    const double k = pow(10, 0.6);
    float complex mean[N_ANT] = {0};
    double power = 0;
    for (uint64_t b = 0; b < N_BLOCK; b++) {
        tutti_cf32 g[N_ANT];
        fading_execute(f, b, 0, g);
        for (int a = 0; a < N_ANT; a++) {
            mean[a] += g[a] / (float)N_BLOCK;
            power += power_of(g[a]) / (N_BLOCK * N_ANT);
        }
    }
    assert_near(power, 1, 5 * sqrt(1 + 2 * k) / (1 + k) / sqrt(N_BLOCK * N_ANT));
    const double sigma = 1 / sqrt(2 * (k + 1) * N_BLOCK);
    for (int a = 0; a + 2 < N_ANT; a++) {
        assert_near((double)cabsf(mean[a]), sqrt(k / (k + 1)), 5 * sigma);
        /* plane wave: the phase step from antenna to antenna is constant */
        const float complex bend = mean[a] * conjf(mean[a + 1]) * conjf(mean[a + 1]) * mean[a + 2];
        assert_near((double)cargf(bend), 0, 5 * sqrt(6) * sigma);
    }
    fading_destroy(f);
}

/* Both arrays see a plane wave: constant phase steps along each, not the same ones, none of them zero. */
static void test_rician_has_two_arrays(void **state)
{
    (void)state;
    enum { FIRST = 3, SECOND = 4 };
    struct config_fading_model model = model_of(CONFIG_FADING_RICIAN);
    model.rician_k_db = 100; /* the line of sight alone */
    const struct fading_settings settings = {.model = &model,
                                             .seed = 11,
                                             .link = 5,
                                             .n_first = FIRST,
                                             .n_second = SECOND,
                                             .n_symbol_samples = SYMBOL,
                                             .n_block_samples = BLOCK};
    fading_t *f;
    tutti_cf32 g[FIRST][SECOND];
    assert_int_equal(fading_create(&f, &settings), 0);
    fading_execute(f, 0, 0, &g[0][0]);
    const float complex along_first = g[1][0] * conjf(g[0][0]), along_second = g[0][1] * conjf(g[0][0]);
    for (int m = 0; m < FIRST; m++) {
        for (int n = 0; n < SECOND; n++) {
            assert_true(m == 0 || cabsf(g[m][n] * conjf(g[m - 1][n]) - along_first) < 1e-4f);
            assert_true(n == 0 || cabsf(g[m][n] * conjf(g[m][n - 1]) - along_second) < 1e-4f);
        }
    }
    assert_true(fabsf(cargf(along_first)) > 0.01f && fabsf(cargf(along_second)) > 0.01f);
    assert_true(cabsf(along_first - along_second) > 0.01f);
    fading_destroy(f);
}

static void test_tapped(void **state)
{
    (void)state;
    const struct config_fading_model model = model_of(CONFIG_FADING_TDL);
    assert_int_equal(fading_n_tap(&model), 3);
    assert_int_equal(fading_tap_delay(&model, 2), 5);
    fading_t *f = create(&model, 1, 0);
    double power[3] = {0};
    for (uint64_t b = 0; b < N_BLOCK; b++) {
        tutti_cf32 g[3][N_ANT];
        fading_execute(f, b, 0, &g[0][0]);
        for (int t = 0; t < 3; t++) {
            for (int a = 0; a < N_ANT; a++) {
                power[t] += power_of(g[t][a]) / (N_BLOCK * N_ANT);
            }
        }
    }
    const double total = 1 + pow(10, -0.3) + pow(10, -0.6);
    for (int t = 0; t < 3; t++) {
        const double expected = pow(10, powers_db[t] / 10) / total;
        assert_near(power[t], expected, 5 * expected / sqrt(N_BLOCK * N_ANT));
    }
    fading_destroy(f);
}

/* Ensemble autocorrelation over many links at lags of whole symbols and blocks. */
static void test_jakes(void **state)
{
    (void)state;
    enum { N_LINK = 250 };
    struct config_fading_model model = model_of(CONFIG_FADING_RAYLEIGH);
    model.variation = CONFIG_VARIATION_JAKES;
    const double doppler = 50 / 1.92e6;
    const int lag_symbols[] = {0, 10, 30, 69};
    double sum[5] = {0}, quadrature[5] = {0};
    for (uint64_t link = 0; link < N_LINK; link++) {
        fading_t *f = create(&model, link, doppler);
        tutti_cf32 start[N_ANT], g[N_ANT];
        fading_execute(f, 3, 0, start);
        for (int i = 0; i < 5; i++) {
            fading_execute(f, i < 4 ? 3 : 4, i < 4 ? lag_symbols[i] : 0, g);
            for (int a = 0; a < N_ANT; a++) {
                sum[i] += (double)crealf(g[a] * conjf(start[a]));
                quadrature[i] += (double)cimagf(g[a] * conjf(start[a]));
            }
        }
        fading_destroy(f);
    }
    const double n = N_LINK * N_ANT;
    for (int i = 0; i < 5; i++) {
        const double lag = i < 4 ? lag_symbols[i] * SYMBOL : BLOCK;
        assert_near(sum[i] / n, j0(2 * M_PI * doppler * lag), 5 / sqrt(n));
        assert_near(quadrature[i] / n, 0, 5 / sqrt(n));
    }
}

/* The envelope over links and distant blocks: fourth moment 2 - 1 / 64 (2 for Rayleigh, 1.9375 with 16 waves), the tail
 * over 5 within a tenth of exp(-5). */
static void test_jakes_envelope_is_nearly_rayleigh(void **state)
{
    (void)state;
    enum { N_LINK = 100, N_TIME = 250 };
    struct config_fading_model model = model_of(CONFIG_FADING_RAYLEIGH);
    model.variation = CONFIG_VARIATION_JAKES;
    const double n = (double)N_LINK * N_TIME * N_ANT;
    double fourth = 0, tail = 0, power = 0;
    for (uint64_t link = 0; link < N_LINK; link++) {
        fading_t *f = create(&model, link, 50 / 1.92e6);
        for (uint64_t t = 0; t < N_TIME; t++) {
            tutti_cf32 g[N_ANT];
            fading_execute(f, 1001 * t, 0, g);
            for (int a = 0; a < N_ANT; a++) {
                power += power_of(g[a]) / n;
                fourth += power_of(g[a]) * power_of(g[a]) / n;
                tail += (power_of(g[a]) > 5) / n;
            }
        }
        fading_destroy(f);
    }
    assert_near(power, 1, 5 / sqrt(n));
    assert_near(fourth, 2 - 1.0 / 64, 5 * sqrt(20 / n));
    assert_near(tail / exp(-5), 0.93, 5 * sqrt(exp(5) / n));
}

/* Single-precision steps through a block against its exact phases at the start of a shifted one. */
static void test_jakes_steps_stay_exact(void **state)
{
    (void)state;
    struct config_fading_model model = model_of(CONFIG_FADING_RAYLEIGH);
    model.variation = CONFIG_VARIATION_JAKES;
    const struct fading_settings settings = {.model = &model,
                                             .seed = 11,
                                             .link = 3,
                                             .n_first = N_ANT,
                                             .n_second = 1,
                                             .doppler_turns_per_sample = 200 / 1.92e6,
                                             .n_symbol_samples = 100,
                                             .n_block_samples = 10000};
    struct fading_settings short_blocks = settings;
    short_blocks.n_block_samples = 100; /* every symbol starts a block */
    fading_t *f, *exact;
    tutti_cf32 a[N_ANT], b[N_ANT];
    assert_int_equal(fading_create(&f, &settings), 0);
    assert_int_equal(fading_create(&exact, &short_blocks), 0);
    for (int s = 0; s < 100; s++) {
        fading_execute(f, 7, s, a);
        fading_execute(exact, 700 + (uint64_t)s, 0, b);
        for (int i = 0; i < N_ANT; i++) {
            assert_true(cabsf(a[i] - b[i]) < 3e-5f);
        }
    }
    fading_destroy(f);
    fading_destroy(exact);
}

/* Reaching a symbol by steps, by a jump or after another block gives equal bits; time goes on smoothly into a block. */
static void test_jakes_path_does_not_matter(void **state)
{
    (void)state;
    struct config_fading_model model = model_of(CONFIG_FADING_TDL);
    model.variation = CONFIG_VARIATION_JAKES;
    fading_t *f = create(&model, 1, 50 / 1.92e6), *other = create(&model, 1, 50 / 1.92e6);
    tutti_cf32 a[3 * N_ANT], b[3 * N_ANT];
    for (int s = 0; s <= 70; s++) {
        fading_execute(f, 1000, s, a);
    }
    fading_execute(other, 1001, 12, b);
    fading_execute(other, 1000, 70, b);
    assert_memory_equal(a, b, sizeof a);
    fading_execute(other, 1001, 0, b); /* 10 samples later */
    for (int i = 0; i < 3 * N_ANT; i++) {
        assert_true(cabsf(a[i] - b[i]) < 0.01f);
    }
    fading_execute(other, 1001, 60, b);
    double moved = 0;
    for (int i = 0; i < 3 * N_ANT; i++) {
        moved += (double)cabsf(a[i] - b[i]);
    }
    assert_true(moved > 1);
    fading_destroy(f);
    fading_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_none),
                                       cmocka_unit_test(test_rayleigh),
                                       cmocka_unit_test(test_rician),
                                       cmocka_unit_test(test_tapped),
                                       cmocka_unit_test(test_rician_has_two_arrays),
                                       cmocka_unit_test(test_jakes_envelope_is_nearly_rayleigh),
                                       cmocka_unit_test(test_jakes_steps_stay_exact),
                                       cmocka_unit_test(test_jakes),
                                       cmocka_unit_test(test_jakes_path_does_not_matter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
