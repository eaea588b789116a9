/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slave after its reference: two oscillators with phase noise and an offset, clocks that run apart, a beacon in noise
 * over a channel that stands still, looked at as an AP looks at it. What is left is compared with the loop's own figure
 * and with what theory says; nothing here knows the follower's arithmetic. */
#include "phy/follower.h"
#include "phy/ofdm.h"
#include "phy/pilot.h"
#include "phy/rotor.h"
#include "phy_test.h"

enum { N_ANT = 4, N_SC = 72, SYMBOL = 137, BLOCK = 9600 };
static const double RATE = 1.92e6;

struct world {
    struct frame frame;
    struct follower follower;
    uint64_t random;
    double theta, offset_rad; /* true phase at the beacon's centre; per second */
    double linewidth_hz;      /* both together */
    double snr, delay, drift; /* delay samples, samples per block */
    tutti_cf32 h[N_ANT][N_SC];
    tutti_cf32 Y[2 * N_ANT * N_SC];
};

static void start(struct world *w, double cfo_hz, double linewidth_hz, double snr_db, double drift)
{
    const struct follower_settings settings = {.frame = &w->frame,
                                               .n_ant = N_ANT,
                                               .linewidth_hz = linewidth_hz,
                                               .frequency_walk = 1,
                                               .pilot_s = 4 * SYMBOL / RATE,
                                               .data_s = 51 * SYMBOL / RATE};
    *w = (struct world){.random = 88172645463325252u,
                        .offset_rad = 2 * M_PI * cfo_hz,
                        .linewidth_hz = linewidth_hz,
                        .snr = pow(10, snr_db / 10),
                        .drift = drift};
    w->frame = phy_test_frame();
    assert_int_equal(follower_create(&w->follower, &settings), 0);
    for (int a = 0; a < N_ANT; a++) {
        const tutti_cf32 gain = (tutti_cf32)test_gaussian(&w->random);
        for (int i = 0; i < N_SC; i++) {
            w->h[a][i] = gain * (tutti_cf32)cexp(0.02 * I * i * a);
        }
    }
}

/* Subcarriers of both symbols as they are after the samples were turned back by the follower's phase. */
static void receive(struct world *w)
{
    const double late = w->delay - follower_window(&w->follower);
    for (int s = 0; s < 2; s++) {
        const double t = (s - 0.5) * SYMBOL / RATE; /* about the centre */
        const double left = w->theta + w->offset_rad * t - follower_phase(&w->follower, t);
        for (int a = 0; a < N_ANT; a++) {
            for (int i = 0; i < N_SC; i++) {
                const double angle = left - 2 * M_PI * frame_sc_hz(&w->frame, i) * late / RATE;
                const double complex noise = test_gaussian(&w->random) / sqrt(w->snr);
                w->Y[(s * N_ANT + a) * N_SC + i] = (tutti_cf32)((double complex)w->h[a][i] * cexp(I * angle) + noise);
            }
        }
    }
}

/* One block: time passes, then the beacon, if there is one. */
static void block(struct world *w, bool beacon)
{
    const double t = BLOCK / RATE, sigma = sqrt(2 * M_PI * w->linewidth_hz * t);
    w->theta += w->offset_rad * t + sigma * sqrt(2) * creal(test_gaussian(&w->random));
    w->delay += w->drift;
    follower_pass(&w->follower, 1);
    if (beacon) {
        receive(w);
        follower_look(&w->follower, w->Y);
    } else {
        follower_miss(&w->follower);
    }
}

static double phase_error(const struct world *w, double zero)
{
    return remainder(follower_phase(&w->follower, 0) - w->theta - zero, 2 * M_PI);
}

/* Blocks until it is locked. */
static int lock(struct world *w)
{
    follower_found(&w->follower, w->offset_rad / (2 * M_PI) + 180); /* as far off as a search may be */
    for (int b = 1; b <= 60; b++) {
        block(w, true);
        if (w->follower.state == FOLLOWER_LOCKED) {
            return b;
        }
    }
    return 1000;
}

static void phase_is_followed(void **state)
{
    static struct world w;
    static const struct row {
        double cfo_hz, linewidth_hz, snr_db;
    } rows[] = {{600, 0.02, 20}, {-450, 0.02, 10}, {100, 0.2, 20}, {-300, 2, 20}};
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        start(&w, rows[r].cfo_hz, rows[r].linewidth_hz, rows[r].snr_db, 0);
        const int locked = lock(&w);
        assert_in_range(locked, 9, 30);
        const double zero = phase_error(&w, 0);
        double sum = 0, square_sum = 0;
        enum { N = 1000 };
        for (int b = 0; b < N; b++) {
            block(&w, true);
            const double e = phase_error(&w, zero);
            assert_int_equal(w.follower.state, FOLLOWER_LOCKED);
            sum += e;
            square_sum += e * e;
        }
        const double rms = sqrt(square_sum / N - sum / N * sum / N), told = sqrt(w.follower.phase.P[0][0]);
        const double snr_db = 10 * log10(w.follower.snr),
                     gain_db = 10 * log10(square(w.h[0][0]) / 4 + square(w.h[1][0]) / 4 + square(w.h[2][0]) / 4 +
                                          square(w.h[3][0]) / 4);
        print_message(
            "%6.0f Hz, linewidth %.2f Hz, %2.0f dB: locked in %d blocks, left %.2f mrad, told %.2f, misfit %.2f, "
            "SNR %.2f dB\n",
            rows[r].cfo_hz, rows[r].linewidth_hz, rows[r].snr_db, locked, 1e3 * rms, 1e3 * told, w.follower.misfit,
            snr_db);
        assert_true(rms > 0.8 * told && rms < 1.2 * told);
        assert_true(fabs(snr_db - rows[r].snr_db - gain_db) < 0.3);
        assert_int_equal(w.follower.n_slip, 0);
        follower_destroy(&w.follower);
    }
}

/* The anchor must not turn with its own noise: over many blocks the mean of the phase stays where it was. */
static void anchor_stays(void **state)
{
    static struct world w;
    double mean[4] = {0};
    (void)state;
    start(&w, 250, 0, 10, 0);
    w.follower.settings.linewidth_hz = 0.01;
    lock(&w);
    for (int part = 0; part < 4; part++) {
        for (int b = 0; b < 1000; b++) {
            block(&w, true);
            mean[part] += phase_error(&w, 0) / 1000;
        }
    }
    for (int part = 1; part < 4; part++) {
        print_message("mean phase of part %d: %.3f mrad from the first\n", part,
                      1e3 * remainder(mean[part] - mean[0], 2 * M_PI));
        assert_true(fabs(remainder(mean[part] - mean[0], 2 * M_PI)) < 2e-3);
    }
    follower_destroy(&w.follower);
}

/* Without a beacon: holds, says when it is lost, and is back within 20 blocks with the same constant. */
static void reference_goes_and_returns(void **state)
{
    static struct world w;
    (void)state;
    start(&w, 300, 0.02, 20, 0);
    lock(&w);
    for (int b = 0; b < 100; b++) {
        block(&w, true);
    }
    const double zero = phase_error(&w, 0);
    int held = 0;
    while (follower_in_step(&w.follower) && held < 1000) {
        assert_true(follower_error_rad(&w.follower) <= FOLLOWER_LOST_RAD);
        block(&w, false);
        held++;
        if (follower_in_step(&w.follower)) {
            assert_int_equal(w.follower.state, FOLLOWER_HOLDING);
            assert_true(fabs(phase_error(&w, zero)) < 3 * FOLLOWER_LOST_RAD);
        }
    }
    assert_int_equal(w.follower.state, FOLLOWER_LOST);
    assert_in_range(held, 5, 100);
    for (int b = 0; b < 100; b++) {
        block(&w, false);
        assert_int_equal(w.follower.state, FOLLOWER_LOST);
    }
    int back = 0;
    while (!follower_in_step(&w.follower) && back < 100) {
        block(&w, true);
        back++;
    }
    print_message("held for %d blocks, back in %d, %.1f mrad from before\n", held, back, 1e3 * phase_error(&w, zero));
    assert_true(back <= 20);
    assert_true(fabs(phase_error(&w, zero)) < 0.1);
    follower_destroy(&w.follower);
}

/* Noise alone is no beacon, and a slave without one does not lock. */
static void noise_is_no_beacon(void **state)
{
    static struct world w;
    (void)state;
    start(&w, 0, 0.02, 20, 0);
    memset(w.h, 0, sizeof w.h);
    follower_found(&w.follower, 0);
    for (int b = 0; b < 1000; b++) {
        block(&w, true);
        assert_false(follower_in_step(&w.follower));
    }
    assert_in_range(w.follower.n_heard, 0, 1);
    assert_int_equal(w.follower.state, FOLLOWER_SEARCHING);
    follower_destroy(&w.follower);
}

/* One block in which something else is in the beacon's place. */
static void intrude(struct world *w, float amplitude)
{
    tutti_cf32 kept[N_ANT][N_SC];
    memcpy(kept, w->h, sizeof kept);
    for (int a = 0; a < N_ANT; a++) {
        for (int i = 0; i < N_SC; i++) {
            w->h[a][i] = amplitude * (tutti_cf32)cexp(I * (1.1 * a + 0.3 * i + 1));
        }
    }
    block(w, true);
    memcpy(w->h, kept, sizeof kept);
}

/* Something far stronger, or no numbers at all, for a block: the constant of before is back at once. What is stronger
 * for good is the reference. */
static void one_bad_block_does_no_harm(void **state)
{
    static struct world w;
    static const float bad[] = {1e3f, 1e9f, NAN, INFINITY};
    (void)state;
    start(&w, 300, 0.02, 20, 0);
    lock(&w);
    for (int b = 0; b < 100; b++) {
        block(&w, true);
    }
    const double zero = phase_error(&w, 0), delay = follower_delay_samples(&w.follower);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        intrude(&w, bad[i]);
        for (int b = 0; b < 10; b++) {
            block(&w, true);
        }
        print_message("after one block of %g: %.1f mrad, %.4f samples from before\n", (double)bad[i],
                      1e3 * phase_error(&w, zero), follower_delay_samples(&w.follower) - delay);
        assert_int_equal(w.follower.state, FOLLOWER_LOCKED);
        assert_true(fabs(phase_error(&w, zero)) < 0.1);
        assert_true(fabs(follower_delay_samples(&w.follower) - delay) < 0.05);
    }
    for (int a = 0; a < N_ANT; a++) {
        for (int i = 0; i < N_SC; i++) {
            w.h[a][i] *= 30;
        }
    }
    for (int b = 0; b < 60; b++) {
        block(&w, true);
    }
    assert_int_equal(w.follower.state, FOLLOWER_LOCKED);
    assert_true(fabs(phase_error(&w, zero)) < 0.1);
    follower_destroy(&w.follower);
}

/* 0.25 ppm: 0.0024 samples a block, a sample in 400 of them. */
static void clocks_run_apart(void **state)
{
    static struct world w;
    (void)state;
    start(&w, 300, 0.02, 20, 0.0024);
    lock(&w);
    const double zero = follower_delay_samples(&w.follower) - w.delay;
    double worst = 0;
    for (int b = 0; b < 1500; b++) {
        block(&w, true);
        const double e = fabs(follower_delay_samples(&w.follower) - w.delay - zero);
        worst = b > 200 && e > worst ? e : worst;
    }
    print_message("delay %.2f samples, followed to %.4f at worst\n", w.delay, worst);
    assert_true(w.delay > 3);
    assert_true(worst < 0.02);
    assert_int_equal(follower_window(&w.follower), lrint(follower_delay_samples(&w.follower)));
    assert_int_equal(w.follower.state, FOLLOWER_LOCKED);
    follower_destroy(&w.follower);
}

static void rotor_turns(void **state)
{
    struct rotor rotor;
    tutti_cf32 x[2][SYMBOL], y[2][SYMBOL];
    tutti_cf32 *const both[] = {x[0], x[1]};
    uint64_t random = 1;
    (void)state;
    assert_int_equal(rotor_create(&rotor, SYMBOL), 0);
    for (int i = 0; i < SYMBOL; i++) {
        x[0][i] = y[0][i] = (tutti_cf32)test_gaussian(&random);
        x[1][i] = y[1][i] = (tutti_cf32)test_gaussian(&random);
    }
    rotor_set(&rotor, 0.002);
    rotor_apply(&rotor, 1.25, false, 2, SYMBOL, both);
    for (int i = 0; i < SYMBOL; i++) {
        assert_true(cabs((double complex)y[1][i] * cexp(I * (1.25 + 0.002 * i)) - (double complex)x[1][i]) < 2e-6);
    }
    rotor_apply(&rotor, 1.25, true, 2, SYMBOL, both);
    for (int i = 0; i < SYMBOL; i++) {
        assert_true(cabsf(y[0][i] - x[0][i]) < 2e-6f);
    }
    rotor_destroy(&rotor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phase_is_followed),          cmocka_unit_test(anchor_stays),
        cmocka_unit_test(reference_goes_and_returns), cmocka_unit_test(noise_is_no_beacon),
        cmocka_unit_test(clocks_run_apart),           cmocka_unit_test(rotor_turns),
        cmocka_unit_test(one_bad_block_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
