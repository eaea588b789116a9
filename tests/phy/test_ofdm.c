/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/ofdm.h"
#include "phy_test.h"

enum { N_SC = 72, N_FFT = 128, N_CP = 9, N_SYMBOL = N_FFT + N_CP };

static void random_qpsk(uint64_t *seed, tutti_cf32 *x)
{
    static const tutti_cf32 quarter[4] = {1.0f, 1.0f * I, -1.0f, -1.0f * I};
    for (int i = 0; i < N_SC; i++) {
        x[i] = quarter[(int)(4.0 * test_uniform(seed))];
    }
}

static double worst(const tutti_cf32 *a, const tutti_cf32 *b, int n)
{
    double w = 0.0;
    for (int i = 0; i < n; i++) {
        w = fmax(w, sqrt(square(a[i] - b[i])));
    }
    return w;
}

struct fixture {
    struct frame frame;
    ofdm_t *ofdm;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->frame = phy_test_frame();
    assert_int_equal(ofdm_create(&f->ofdm, &f->frame), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ofdm_destroy(f->ofdm);
    ofdm_destroy(NULL);
    free(f);
    return 0;
}

/* The waveform against its definition, a sum of complex exponentials that starts at the end of the CP. */
static void modulate_matches_definition(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    tutti_cf32 x[N_SC], samples[N_SYMBOL];
    random_qpsk(&seed, x);
    ofdm_modulate(f->ofdm, x, 0.5f, samples);
    for (int n = 0; n < N_SYMBOL; n++) {
        double complex expected = 0.0;
        for (int i = 0; i < N_SC; i++) {
            expected += x[i] * cexp(2.0 * I * M_PI * frame_sc_hz(&f->frame, i) * (n - N_CP) / f->frame.sample_rate_hz);
        }
        expected *= 0.5 / sqrt(N_FFT);
        assert_true(sqrt(square(samples[n] - expected)) < 1e-6 * sqrt(N_SC));
    }
}

static void power_is_used_over_fft(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 2;
    tutti_cf32 x[N_SC], samples[N_SYMBOL];
    random_qpsk(&seed, x);
    ofdm_modulate(f->ofdm, x, 3.0f, samples);
    double power = 0.0;
    for (int n = N_CP; n < N_SYMBOL; n++) {
        power += square(samples[n]) / N_FFT;
    }
    assert_true(fabs(power / (9.0 * N_SC / N_FFT) - 1.0) < 1e-5);
}

static void single_subcarriers_are_orthogonal(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < N_SC; i++) {
        tutti_cf32 x[N_SC] = {0}, samples[N_SYMBOL], y[N_SC];
        x[i] = 1.0f * I;
        ofdm_modulate(f->ofdm, x, 1.0f, samples);
        ofdm_demodulate(f->ofdm, samples, y);
        assert_true(worst(x, y, N_SC) < 1e-6);
    }
}

/* White noise stays white and keeps its power: the transform is unitary. */
static void noise_keeps_its_power(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 3;
    double power = 0.0;
    enum { N = 400 };
    for (int r = 0; r < N; r++) {
        tutti_cf32 samples[N_SYMBOL], y[N_SC];
        for (int n = 0; n < N_SYMBOL; n++) {
            samples[n] = (tutti_cf32)test_gaussian(&seed);
        }
        ofdm_demodulate(f->ofdm, samples, y);
        for (int i = 0; i < N_SC; i++) {
            power += square(y[i]) / (N * N_SC);
        }
    }
    assert_true(fabs(power - 1.0) < 5.0 / sqrt(N * N_SC));
}

/* Reading d samples late between other symbols: inside half a CP only the phase slope exp(j 2 pi f d) appears. */
static double timing_error(struct fixture *f, int d)
{
    uint64_t seed = 4;
    tutti_cf32 x[3][N_SC], stream[3 * N_SYMBOL], y[N_SC], expected[N_SC];
    for (int s = 0; s < 3; s++) {
        random_qpsk(&seed, x[s]);
        ofdm_modulate(f->ofdm, x[s], 1.0f, stream + s * N_SYMBOL);
    }
    ofdm_demodulate(f->ofdm, stream + N_SYMBOL + d, y);
    for (int i = 0; i < N_SC; i++) {
        expected[i] =
            (tutti_cf32)(x[1][i] * cexp(2.0 * I * M_PI * frame_sc_hz(&f->frame, i) * d / f->frame.sample_rate_hz));
    }
    return worst(y, expected, N_SC);
}

static void timing_errors_stay_in_the_prefix(void **state)
{
    struct fixture *f = *state;
    for (int d = -(N_CP / 2); d <= N_CP / 2; d++) {
        assert_true(timing_error(f, d) < 5e-6);
    }
    assert_true(timing_error(f, -N_CP) > 0.1);
    assert_true(timing_error(f, N_CP) > 0.1);
}

static void two_handles_agree_to_the_bit(void **state)
{
    struct fixture *f = *state;
    ofdm_t *other;
    assert_int_equal(ofdm_create(&other, &f->frame), 0);
    uint64_t seed = 5;
    tutti_cf32 x[N_SC], a[N_SYMBOL], b[N_SYMBOL], ya[N_SC], yb[N_SC];
    random_qpsk(&seed, x);
    ofdm_modulate(f->ofdm, x, 0.3f, a);
    ofdm_modulate(other, x, 0.3f, b);
    ofdm_demodulate(f->ofdm, a, ya);
    ofdm_demodulate(other, b, yb);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_equal(ya, yb, sizeof ya);
    ofdm_destroy(other);
}

/* Sizes that are no powers of two: the waveform by its definition, and back. */
static void other_sizes_work(void **state)
{
    (void)state;
    static const int sizes[] = {96, 100, 1536};
    for (size_t r = 0; r < 3; r++) {
        struct config c = phy_test_config();
        struct frame f;
        ofdm_t *o;
        c.frame.fft_size = sizes[r];
        c.frame.sample_rate_hz = sizes[r] * 15000.0;
        c.frame.n_cp_samples = sizes[r] / 16;
        assert_int_equal(frame_init(&f, &c), 0);
        assert_int_equal(ofdm_create(&o, &f), 0);
        const int n = f.n_symbol_samples;
        uint64_t seed = 6;
        tutti_cf32 x[N_SC], y[N_SC], *samples = calloc((size_t)n, sizeof *samples);
        random_qpsk(&seed, x);
        ofdm_modulate(o, x, 1.0f, samples);
        ofdm_demodulate(o, samples, y);
        assert_true(worst(y, x, N_SC) < 1e-5);
        for (int t = 0; t < n; t += 7) {
            double complex sum = 0;
            for (int i = 0; i < N_SC; i++) {
                sum += x[i] * cexp(2.0 * I * M_PI * frame_sc_hz(&f, i) * (t - f.n_cp) / f.sample_rate_hz);
            }
            assert_true(square((double complex)samples[t] - sum / sqrt(sizes[r])) < 1e-10);
        }
        free(samples);
        ofdm_destroy(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modulate_matches_definition),
        cmocka_unit_test(power_is_used_over_fft),
        cmocka_unit_test(single_subcarriers_are_orthogonal),
        cmocka_unit_test(noise_keeps_its_power),
        cmocka_unit_test(timing_errors_stay_in_the_prefix),
        cmocka_unit_test(two_handles_agree_to_the_bit),
        cmocka_unit_test(other_sizes_work),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
