/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reciprocity from what antennas hear of each other: against the truth, the bound, wrong pairs and files. */
#include "base/error.h"
#include "calib/solve.h"
#include "calib/table.h"
#include "channel/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_AP = 4, N_ANT = 4, N = N_AP * N_ANT, N_SB = 6 };

struct drawn {
    double complex t[N], r[N], f[N]; /* f = r / t, f_0 = 1 */
    double complex y[N * N];
    uint8_t heard[N * N];
    double noise[N];
};

static double complex normal(uint64_t key, uint64_t counter)
{
    float re, im;
    random_normal(key, counter, &re, &im);
    return CMPLX((double)re, (double)im) * sqrt(0.5);
}

/* Hardware of 1 dB and any phase; the antennas of other APs are heard, over Rayleigh channels of power snr. */
static void draw(struct drawn *d, uint64_t seed, double snr)
{
    const uint64_t key = random_key(seed, RANDOM_HARDWARE, 0, 0, 0);
    for (int i = 0; i < N; i++) {
        const uint64_t c = 10 * (uint64_t)i;
        d->t[i] = pow(10, creal(normal(key, c)) * 1.4 / 20) * cexp(2 * I * M_PI * random_uniform(key, c + 1));
        d->r[i] = pow(10, creal(normal(key, c + 2)) * 1.4 / 20) * cexp(2 * I * M_PI * random_uniform(key, c + 3));
        d->f[i] = d->r[i] / d->t[i] / (d->r[0] / d->t[0]);
        d->noise[i] = 1;
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            const int low = i < j ? i : j, high = i < j ? j : i;
            const double complex h = sqrt(snr) * normal(key + 1, (uint64_t)(low * N + high));
            d->y[i * N + j] = d->t[i] * h * d->r[j] + normal(key + 2, (uint64_t)(i * N + j));
            d->heard[i * N + j] = i / N_ANT != j / N_ANT;
        }
    }
}

static struct calib_pairs pairs_of(const struct drawn *d)
{
    return (struct calib_pairs){.n = N, .y = d->y, .heard = d->heard, .noise = d->noise};
}

/* Mean |f_hat / f g - 1|^2 with the best common factor g. */
static double relative_error(const double complex *f_hat, const double complex *f)
{
    double complex mean = 0;
    double error = 0;
    for (int i = 0; i < N; i++) {
        mean += f_hat[i] / f[i] / N;
    }
    for (int i = 0; i < N; i++) {
        const double complex e = f_hat[i] / f[i] / mean - 1;
        error += creal(e * conj(e)) / N;
    }
    return error;
}

static void without_noise_it_is_exact(void **state)
{
    static struct drawn d;
    double complex f[N];
    struct calib_quality q;
    (void)state;
    draw(&d, 1, 1e16);
    const struct calib_pairs pairs = pairs_of(&d);
    assert_int_equal(calib_solve_ls(&pairs, f, &q), 0);
    for (int i = 0; i < N; i++) {
        assert_true(cabs(f[i] - d.f[i]) < 1e-6 * cabs(d.f[i]));
    }
    assert_int_equal(calib_solve_ml(&pairs, 5, f), 0);
    assert_true(relative_error(f, d.f) < 1e-12);
}

/* rms errors of a prototype: least squares, maximum likelihood, in dB of SNR after averaging 12 subcarriers. */
static void noise_costs_what_it_must(void **state)
{
    static struct drawn d;
    static const struct row {
        double snr, ls, ml;
    } rows[] = {{10, 0.143, 0.136}, {120, 0.0386, 0.0379}, {3794, 0.0068, 0.0067}};
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        double ls = 0, ml = 0, told = 0, ratio = 0;
        enum { TRIALS = 60 };
        for (uint64_t seed = 0; seed < TRIALS; seed++) {
            double complex f[N];
            struct calib_quality q;
            draw(&d, seed + 1000 * r, rows[r].snr);
            const struct calib_pairs pairs = pairs_of(&d);
            assert_int_equal(calib_solve_ls(&pairs, f, &q), 0);
            assert_int_equal(calib_check(&q), 0);
            ls += relative_error(f, d.f) / TRIALS;
            told += q.error_variance / TRIALS;
            ratio += q.residual / q.noise_residual / TRIALS;
            calib_solve_ml(&pairs, 30, f);
            ml += relative_error(f, d.f) / TRIALS;
        }
        print_message("SNR %.0f: least squares %.4f (told %.4f, prototype %.4f), maximum likelihood %.4f (%.4f)\n",
                      rows[r].snr, sqrt(ls), sqrt(told), rows[r].ls, sqrt(ml), rows[r].ml);
        assert_true(fabs(sqrt(ls) / rows[r].ls - 1) < 0.15 && fabs(sqrt(ml) / rows[r].ml - 1) < 0.15);
        assert_true(ml < 1.01 * ls);
        assert_true(fabs(sqrt(told / ls) - 1) < 0.2);
        assert_true(fabs(ratio - 1) < 0.1);
    }
}

static void a_wrong_pair_is_refused(void **state)
{
    static struct drawn d;
    double complex f[N];
    struct calib_quality q;
    (void)state;
    draw(&d, 3, 3000);
    int strongest = 0;
    for (int i = 0; i < N * N; i++) {
        strongest = d.heard[i] && cabs(d.y[i]) > cabs(d.y[strongest]) ? i : strongest;
    }
    d.y[strongest] *= 0.5; /* saturated */
    const struct calib_pairs pairs = pairs_of(&d);
    assert_int_equal(calib_solve_ls(&pairs, f, &q), 0);
    assert_int_equal(calib_check(&q), TUTTI_ENUMERIC);
    assert_non_null(strstr(error_text(), "saturated"));
}

static void an_antenna_nobody_hears_is_named(void **state)
{
    static struct drawn d;
    double complex f[N];
    struct calib_quality q;
    (void)state;
    draw(&d, 4, 3000);
    for (int i = 0; i < N; i++) {
        d.heard[i * N + 7] = 0;
    }
    const struct calib_pairs pairs = pairs_of(&d);
    assert_int_equal(calib_solve_ls(&pairs, f, &q), TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "antenna 7"));
}

/* Delays of half a sample and a tilt of 2 %: a straight line over six subbands has two of six degrees of freedom. */
static void smoothing_takes_noise_and_keeps_slopes(void **state)
{
    double before = 0, after = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        const uint64_t key = random_key(seed, RANDOM_HARDWARE, 5, 0, 0);
        double complex truth[N_SB * 2], f[N_SB * 2];
        const double delay = random_uniform(key, 0) - 0.5, tilt = 0.02 * (2 * random_uniform(key, 1) - 1);
        for (int s = 0; s < N_SB; s++) {
            truth[2 * s] = f[2 * s] = 1;
            truth[2 * s + 1] = (1 + tilt * (s - 2.5) / 2.5) * cexp(-2 * I * M_PI * delay * 12 * s / 128 + 2 * I);
            f[2 * s + 1] = truth[2 * s + 1] + 0.03 * normal(key, (uint64_t)(10 + s));
        }
        double complex smooth[N_SB * 2];
        memcpy(smooth, f, sizeof f);
        calib_smooth(N_SB, 2, smooth);
        for (int s = 0; s < N_SB; s++) {
            before += pow(cabs(f[2 * s + 1] - truth[2 * s + 1]), 2);
            after += pow(cabs(smooth[2 * s + 1] - truth[2 * s + 1]), 2);
        }
    }
    print_message("smoothing: %.1f dB\n", 10 * log10(before / after));
    assert_true(10 * log10(before / after) > 4);
}

static void a_table_comes_back_and_turns_estimates_round(void **state)
{
    static struct drawn d;
    struct calib_table a, b;
    double complex f[N_SB * N];
    char path[] = "/tmp/test_calib_XXXXXX";
    (void)state;
    close(mkstemp(path));
    draw(&d, 6, 1e12);
    for (int i = 0; i < N_SB * N; i++) {
        f[i] = d.f[i % N];
    }
    assert_int_equal(calib_table_create(&a, N_SB, N_AP, N_ANT), 0);
    assert_int_equal(calib_coefficients(N_SB, N, f, a.c), 0);
    a.delay_samples[2] = 1.25, a.shift_samples[1] = -3;
    a.measured_ns = 1700000000123456789u, a.error_variance = 1e-4, a.drift_rad2_per_s = 1e-6, a.reference = 3;
    assert_int_equal(calib_table_save(&a, path), 0);
    assert_int_equal(calib_table_load(&b, path, N_SB, N_AP, N_ANT), 0);
    assert_memory_equal(a.c, b.c, sizeof *a.c * N_SB * N);
    assert_true(b.shift_samples[1] == -3 && b.shift_samples[0] == 0);
    assert_true(b.delay_samples[2] == 1.25 && b.delay_samples[1] == 0);
    assert_true(b.measured_ns == a.measured_ns && b.reference == 3);
    assert_true(fabs(calib_table_variance(&b, a.measured_ns + 100000000000u) - 2e-4) < 1e-12);
    /* estimates of one user at AP 1: uplink g r; downlink t g, both up to one factor, conjugated as H_hat is */
    tutti_cf32 H[N_SB * N_ANT];
    float variance = 1, beta = 2;
    for (int i = 0; i < N_SB * N_ANT; i++) {
        H[i] = (tutti_cf32)conj(d.r[N_ANT + i % N_ANT]);
    }
    double power = 0; /* of the table's part */
    for (int i = 0; i < N_SB * N_ANT; i++) {
        const double size = cabs((double complex)b.c[(i / N_ANT * N_AP + 1) * N_ANT + i % N_ANT]);
        power += size * size / (N_SB * N_ANT);
    }
    calib_table_apply(&b, 1, 1, H, &beta, &variance);
    const double complex common = H[0] / conj(d.t[N_ANT]);
    for (int i = 0; i < N_SB * N_ANT; i++) {
        assert_true(cabs(H[i] / conj(d.t[N_ANT + i % N_ANT]) / common - 1) < 1e-5);
    }
    assert_true(fabs((double)beta - 2 * power) < 1e-5);
    assert_true(fabs((double)variance - (power + 1e-4 * 2 * power)) < 1e-6);
    calib_table_destroy(&b);
    assert_int_equal(calib_table_load(&b, path, N_SB, N_AP, N_ANT + 1), TUTTI_EFORMAT);
    assert_non_null(strstr(error_text(), path));
    calib_table_destroy(&a);
    calib_table_destroy(&b);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_noise_it_is_exact),
        cmocka_unit_test(noise_costs_what_it_must),
        cmocka_unit_test(a_wrong_pair_is_refused),
        cmocka_unit_test(an_antenna_nobody_hears_is_named),
        cmocka_unit_test(smoothing_takes_noise_and_keeps_slopes),
        cmocka_unit_test(a_table_comes_back_and_turns_estimates_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
