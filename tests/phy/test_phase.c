/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Phases followed: a user's through a block's data, and an AP's from block to block, against what theory says. */
#include "channel/random.h"
#include "phy/phase_loop.h"
#include "phy/phase_track.h"
#include "phy_test.h"

enum { N_SC = 72, N_SYMBOL = 34 };
static const double SYMBOL_S = 137 / 1.92e6;

struct drawn {
    tutti_cf32 sent[N_SYMBOL][N_SC], y[N_SYMBOL][N_SC];
};

/* Random square QAM turned by cfo_hz, its first symbol two symbols after the pilots, and by Wiener phase noise. */
static void draw(struct drawn *d, uint64_t seed, int bits, double snr, double cfo_hz, double linewidth_hz)
{
    const uint64_t key = random_key(seed, RANDOM_NOISE, 0, 0, 0);
    const int levels = 1 << (bits / 2);
    const double unit = sqrt(1.5 / ((double)levels * levels - 1)), sigma = sqrt(0.5 / snr);
    double phase = 2 * M_PI * cfo_hz * SYMBOL_S;
    for (int t = 0; t < N_SYMBOL; t++) {
        for (int i = 0; i < N_SC; i++) {
            const uint64_t at = (uint64_t)(t * N_SC + i);
            const int a = (int)(random_uniform(key, 3 * at) * levels),
                      b = (int)(random_uniform(key, 3 * at + 1) * levels);
            float re, im;
            random_normal(key + 1, at, &re, &im);
            d->sent[t][i] = (tutti_cf32)(unit * CMPLX(2 * a - levels + 1, 2 * b - levels + 1));
            d->y[t][i] = (tutti_cf32)(d->sent[t][i] * cexp(I * phase) + sigma * CMPLX((double)re, (double)im));
        }
        float step, unused;
        random_normal(key + 2, (uint64_t)t, &step, &unused);
        phase += 2 * M_PI * cfo_hz * SYMBOL_S + sqrt(2 * M_PI * linewidth_hz * SYMBOL_S) * (double)step;
    }
}

/* 1 / EVM^2 in dB. */
static double quality_db(const struct drawn *d)
{
    double error = 0, signal = 0;
    for (int t = 0; t < N_SYMBOL; t++) {
        for (int i = 0; i < N_SC; i++) {
            signal += square(d->sent[t][i]);
            error += square(d->y[t][i] - d->sent[t][i]);
        }
    }
    return 10 * log10(signal / error);
}

static void follow(struct phase_track *track, tutti_cf32 *y)
{
    phase_track_turn(N_SC, phase_track_look(track, N_SC, NULL, 1, y), y);
}

static double tracked_db(struct drawn *d, int bits)
{
    struct phase_track track;
    phase_track_start(&track, bits, 0);
    for (int t = 0; t < N_SYMBOL; t++) {
        follow(&track, d->y[t]);
    }
    return quality_db(d);
}

static void users_phase_is_followed(void **state)
{
    static struct drawn d;
    static const struct row {
        int bits;
        double snr_db, cfo_hz, linewidth_hz, lost_db; /* what may be lost, by all of it */
    } rows[] = {
        {4, 12, 50, 0, 0.1}, {4, 39, 100, 0, 0.1}, {4, 20, 0, 10, 0.5}, {6, 20, 100, 0, 0.15}, {2, 5, 200, 0, 0.3}};
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        double before = 0, after = 0;
        for (uint64_t seed = 0; seed < 20; seed++) {
            draw(&d, seed + 100 * r, rows[r].bits, pow(10, rows[r].snr_db / 10), rows[r].cfo_hz, rows[r].linewidth_hz);
            before += quality_db(&d) / 20;
            after += tracked_db(&d, rows[r].bits) / 20;
        }
        print_message("%d bits, %2.0f dB, %3.0f Hz, linewidth %2.0f Hz: %.2f dB without, %.2f dB tracked\n",
                      rows[r].bits, rows[r].snr_db, rows[r].cfo_hz, rows[r].linewidth_hz, before, after);
        assert_true(after > rows[r].snr_db - rows[r].lost_db);
        assert_true(before < after - 2);
    }
}

static void nothing_to_follow_costs_nothing(void **state)
{
    static struct drawn d;
    (void)state;
    draw(&d, 5, 4, 1e4, 0, 0);
    const double before = quality_db(&d);
    assert_true(fabs(tracked_db(&d, 4) - before) < 0.1);
}

static void a_lost_symbol_spoils_no_other(void **state)
{
    static struct drawn d;
    struct phase_track track;
    (void)state;
    draw(&d, 6, 4, 1e4, 50, 0);
    phase_track_start(&track, 4, 0);
    for (int t = 0; t < N_SYMBOL; t++) {
        if (t == 10) {
            d.y[t][3] = CMPLXF(NAN, 0);
        }
        follow(&track, d.y[t]);
    }
    for (int i = 0; i < N_SC; i++) {
        assert_true(square(d.y[N_SYMBOL - 1][i] - d.sent[N_SYMBOL - 1][i]) < 0.01);
    }
}

/* The loop --------------------------------------------------------------------------------------------------------- */

static const struct phase_loop_settings LOOP = {
    .interval_s = 5e-3, .linewidth_hz = 0.02, .frequency_walk = 1, .measured_variance = 3.5e-5};

/* Runs the model that the loop assumes; returns the mean square of its phase error after measurements. */
static double run_loop(struct phase_loop *loop, int n_block, int n_settle, double offset_rad_per_s)
{
    const uint64_t key = random_key(3, RANDOM_PHASE_NOISE, 1, 0, 0);
    double phase = 1, frequency = offset_rad_per_s, sum = 0;
    for (int b = 0; b < n_block; b++) {
        float z[4];
        random_normal(key, (uint64_t)(2 * b), &z[0], &z[1]);
        random_normal(key, (uint64_t)(2 * b + 1), &z[2], &z[3]);
        const double walk = sqrt(LOOP.frequency_walk * LOOP.interval_s) * (double)z[0];
        phase += frequency * LOOP.interval_s + 0.5 * walk * LOOP.interval_s +
                 sqrt(2 * M_PI * LOOP.linewidth_hz * LOOP.interval_s) * (double)z[1];
        frequency += walk;
        phase_loop_predict(loop);
        phase_loop_correct(loop, remainder(phase + sqrt(LOOP.measured_variance) * (double)z[2], 2 * M_PI));
        const double error = remainder(loop->phase_rad - phase, 2 * M_PI);
        sum += b >= n_settle ? error * error / (n_block - n_settle) : 0;
    }
    return sum;
}

static void the_loop_is_as_good_as_it_says(void **state)
{
    struct phase_loop loop;
    const double offset = 2 * M_PI * 295; /* an AP's, acquired to within 20 Hz */
    (void)state;
    phase_loop_start(&loop, &LOOP, 1.1, offset + 2 * M_PI * 20, 0.1, 400 * 4 * M_PI * M_PI);
    const double error = run_loop(&loop, 20000, 200, offset);
    print_message("phase error %.3f mrad, the loop says %.3f mrad\n", 1e3 * sqrt(error), 1e3 * sqrt(loop.P[0][0]));
    assert_true(fabs(error / loop.P[0][0] - 1) < 0.06);
    assert_true(fabs(phase_loop_sigma_rad(&loop) / sqrt(loop.P[0][0]) - 1) < 1e-3);
}

static void holding_over_grows_doubt(void **state)
{
    struct phase_loop loop;
    (void)state;
    phase_loop_start(&loop, &LOOP, 0, 100, 0.1, 400);
    for (int b = 0; b < 100; b++) {
        phase_loop_predict(&loop);
        phase_loop_correct(&loop, 100 * 5e-3 * (b + 1));
    }
    const double before = phase_loop_sigma_rad(&loop), phase = loop.phase_rad;
    for (int b = 0; b < 60; b++) {
        phase_loop_predict(&loop);
    }
    assert_true(fabs(loop.phase_rad - phase - 60 * 0.5) < 0.5);
    assert_true(phase_loop_sigma_rad(&loop) > 5 * before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_phase_is_followed),       cmocka_unit_test(nothing_to_follow_costs_nothing),
        cmocka_unit_test(a_lost_symbol_spoils_no_other), cmocka_unit_test(the_loop_is_as_good_as_it_says),
        cmocka_unit_test(holding_over_grows_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
