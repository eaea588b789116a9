/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A network's calibration from what its access points heard of each other: chains of any phase, clocks that are off,
 * channels that differ inside subbands; against the truth. */
#include "base/error.h"
#include "calib/run.h"
#include "channel/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 4, N_ANT = 4, N = N_AP * N_ANT, N_SB = 6, S = 12, N_FFT = 128 };

struct world {
    struct config *config;
    struct frame frame;
    struct calib_run run;
    double complex t[N], r[N];
    double offset[N_AP];
};

static double complex normal(uint64_t key, uint64_t counter)
{
    float re, im;
    random_normal(key, counter, &re, &im);
    return CMPLX((double)re, (double)im) * sqrt(0.5);
}

static void open_world(struct world *w, uint64_t seed, double span_samples)
{
    memset(w, 0, sizeof *w);
    assert_int_equal(config_load(&w->config, NULL, NULL, 0), 0);
    assert_int_equal(frame_init(&w->frame, w->config), 0);
    assert_int_equal(calib_run_create(&w->run, &w->frame, N_AP, N_ANT), 0);
    const uint64_t key = random_key(seed, RANDOM_HARDWARE, 0, 0, 0);
    for (uint64_t i = 0; i < N; i++) {
        w->t[i] = (1 + 0.1 * creal(normal(key, 9 * i))) * cexp(2 * I * M_PI * random_uniform(key, 9 * i + 1));
        w->r[i] = (1 + 0.1 * creal(normal(key, 9 * i + 2))) * cexp(2 * I * M_PI * random_uniform(key, 9 * i + 3));
    }
    for (uint64_t m = 0; m < N_AP; m++) {
        w->offset[m] = span_samples * (2 * random_uniform(key, 900 + m) - 1);
    }
}

static void close_world(struct world *w)
{
    calib_run_destroy(&w->run);
    config_free(w->config);
}

static double place(const struct world *w, int i)
{
    return frame_sc_hz(&w->frame, i) / 15000;
}

/* Means over a subband's subcarriers of y, the slope of the pair's delay about the centre taken off. */
static void hear(struct world *w, int from, int to, double snr, uint64_t seed)
{
    static tutti_cf32 values[N_SB * N_ANT * N_ANT];
    float count[N_SB * N_ANT];
    const double delay = 1 + w->offset[from] - w->offset[to];
    memset(values, 0, sizeof values);
    for (int i = 0; i < N_SB * S; i++) {
        const int sb = i / S;
        for (int q = 0; q < N_ANT; q++) {
            for (int p = 0; p < N_ANT; p++) {
                const int a = from * N_ANT + p, b = to * N_ANT + q, low = a < b ? a : b, high = a < b ? b : a;
                const double complex h = sqrt(snr) * normal(77, (uint64_t)(low * N + high));
                const double turned = place(w, i) * delay - (place(w, i) - w->run.centre[sb]) * delay;
                const double complex y = w->t[a] * h * w->r[b] * cexp(-2 * I * M_PI * turned / N_FFT);
                const uint64_t noise = random_key(seed, RANDOM_NOISE, (uint64_t)a, (uint64_t)b, (uint64_t)i);
                values[(sb * N_ANT + q) * N_ANT + p] += (tutti_cf32)((y + normal(noise, 0)) / S);
            }
        }
    }
    for (int i = 0; i < N_SB * N_ANT; i++) {
        count[i] = S;
    }
    calib_run_add(&w->run, from, to, values, count, delay, 7);
}

static void hear_all(struct world *w, double snr, uint64_t seed)
{
    for (int i = 0; i < N_AP * N_AP; i++) {
        if (i / N_AP != i % N_AP) {
            hear(w, i / N_AP, i % N_AP, snr, seed);
        }
    }
}

/* Mean squared relative error of c against t / r with the clocks' slopes, one factor per subband free. */
static double error_of(const struct world *w, const struct calib_table *table)
{
    double sum = 0;
    for (int sb = 0; sb < N_SB; sb++) {
        double complex ratio[N], mean = 0;
        for (int i = 0; i < N; i++) {
            const double left = w->offset[i / N_ANT] - (table->shift_samples[i / N_ANT] - 7);
            const double turned = w->run.centre[sb] * 2 * left;
            const double complex truth = w->t[i] / w->r[i] * cexp(-2 * I * M_PI * turned / N_FFT);
            ratio[i] = (double complex)table->c[sb * N + i] / truth;
            mean += ratio[i] / N;
        }
        for (int i = 0; i < N; i++) {
            const double size = cabs(ratio[i] / mean - 1);
            sum += size * size / (N * N_SB);
        }
    }
    return sum;
}

/* c turns over frequency by its AP's delay and by nothing common to all. */
static void assert_slopes(const struct world *w, const struct calib_table *table)
{
    for (int i = 0; i < N; i++) {
        const double turned = (w->run.centre[1] - w->run.centre[0]) * table->delay_samples[i / N_ANT];
        const double complex step = (double complex)(table->c[N + i] / table->c[i]);
        assert_true(cabs(step - cexp(-2 * I * M_PI * turned / N_FFT)) < 1e-3);
    }
}

static void test_clocks_and_chains(void **state)
{
    (void)state;
    const struct config_calibration plain = {0}, smooth = {.smooth = true},
                                    likely = {.method = CONFIG_CALIBRATION_ML, .smooth = true};
    double all[2] = {0};
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world w;
        struct calib_table table;
        open_world(&w, seed, 8);
        assert_int_equal(calib_table_create(&table, N_SB, N_AP, N_ANT), 0);
        hear_all(&w, 1e8, seed); /* nearly no noise */
        assert_int_equal(calib_run_heard(&w.run), N_AP * (N_AP - 1));
        for (int k = 0; k < 2; k++) {
            assert_int_equal(calib_run_solve(&w.run, k ? &smooth : &plain, &table), 0);
            assert_true(error_of(&w, &table) < 1e-7);
            assert_slopes(&w, &table);
        }
        double mean = 0;
        for (int m = 0; m < N_AP; m++) {
            mean += w.offset[m] / N_AP;
        }
        for (int m = 0; m < N_AP; m++) { /* between centres, too: c turns by twice the clock's offset */
            const double late = w.offset[m] - mean;
            assert_int_equal(table.shift_samples[m], 7 + (int)rint(late)); /* it acted 7 samples earlier already */
            assert_true(fabs(table.delay_samples[m] - 2 * (late - rint(late))) < 1e-9);
        }
        /* noise as the table says it is, smoothed a third of it */
        hear_all(&w, 10, seed);
        assert_int_equal(calib_run_solve(&w.run, &plain, &table), 0);
        const double rough = error_of(&w, &table);
        assert_true(fabs(10 * log10(rough / table.error_variance)) < 2);
        assert_int_equal(calib_run_solve(&w.run, &smooth, &table), 0);
        const double fine = error_of(&w, &table);
        assert_true(fabs(10 * log10(fine / table.error_variance)) < 2);
        all[0] += rough, all[1] += fine;
        assert_int_equal(calib_run_solve(&w.run, &likely, &table), 0);
        assert_true(error_of(&w, &table) < 1.1 * fine);
        calib_table_destroy(&table);
        close_world(&w);
    }
    assert_true(fabs(10 * log10(all[0] / all[1]) - 10 * log10(3)) < 0.9); /* four standard deviations */
}

static void test_refusals(void **state)
{
    (void)state;
    const struct config_calibration plain = {0};
    struct world w;
    struct calib_table table;
    open_world(&w, 5, 0);
    assert_int_equal(calib_table_create(&table, N_SB, N_AP, N_ANT), 0);
    for (int i = 0; i < N_AP * N_AP; i++) { /* AP 2 hears nobody */
        if (i / N_AP != i % N_AP && i % N_AP != 2) {
            hear(&w, i / N_AP, i % N_AP, 300, 1);
        }
    }
    assert_int_equal(calib_run_solve(&w.run, &plain, &table), TUTTI_EINVAL);
    hear_all(&w, 300, 1);
    assert_int_equal(calib_run_solve(&w.run, &plain, &table), 0);
    for (int i = 0; i < N_ANT * N_ANT; i++) { /* one AP's oscillator moved between the two ways of a pair */
        w.run.y[(i / N_ANT) * N + N_ANT + i % N_ANT] *= cexp(I * 1.0);
    }
    assert_int_equal(calib_run_solve(&w.run, &plain, &table), TUTTI_ENUMERIC);
    calib_run_reset(&w.run);
    assert_int_equal(calib_run_heard(&w.run), 0);
    calib_table_destroy(&table);
    close_world(&w);
}

/* One antenna that is hardly heard: its error would be told as infinite, which no message and no file can hold. */
static void an_antenna_that_is_not_heard(void **state)
{
    (void)state;
    struct world w;
    struct calib_table table = {0};
    open_world(&w, 5, 0);
    for (int from = 0; from < N_AP; from++) {
        for (int to = 0; to < N_AP; to++) {
            if (from != to) {
                hear(&w, from, to, 100, 5);
            }
        }
    }
    for (int sb = 0; sb < N_SB; sb++) {
        for (int j = 0; j < N; j++) {
            w.run.y[(sb * N + 3) * N + j] *= 1e-30;
            w.run.y[(sb * N + j) * N + 3] *= 1e-30;
        }
    }
    assert_int_equal(calib_table_create(&table, N_SB, N_AP, N_ANT), 0);
    assert_int_equal(calib_run_solve(&w.run, &w.config->calibration, &table), TUTTI_ENUMERIC);
    assert_non_null(strstr(error_text(), "calibration: "));
    calib_table_destroy(&table);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_antenna_that_is_not_heard),
                                       cmocka_unit_test(test_clocks_and_chains), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
