/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A user that follows a reference: samples are made here by sums of sinusoids, of any delay and carrier, not by the
 * code under test. */
#include "base/error.h"
#include "phy/pilot.h"
#include "ue_node/follow.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct place {
    struct config *config;
    struct frame frame;
    struct follow follow;
    struct node_radio radio;
    tutti_cf32 *samples; /* [n_search] */
    int n_search;
};

static struct place p;

static int open_place(void **state)
{
    (void)state;
    const char *const overrides[] = {"frame.schedule=B3 G P4 U22 G D38 G", "sync.mode=air"};
    p = (struct place){0};
    if (config_load(&p.config, NULL, overrides, 2) < 0 || frame_init(&p.frame, p.config) < 0 ||
        follow_create(&p.follow, &p.frame, true) < 0) {
        return -1;
    }
    p.radio = (struct node_radio){.frame = &p.frame, .epoch = 5000};
    p.n_search = follow_search_samples(&p.frame);
    p.samples = calloc((size_t)p.n_search, sizeof *p.samples);
    return p.samples ? 0 : -1;
}

static int close_place(void **state)
{
    (void)state;
    follow_destroy(&p.follow);
    config_free(p.config);
    free(p.samples);
    return 0;
}

/* The symbol of subcarriers X with its prefix from 0, as a function of time in samples: nothing outside. */
static double complex symbol_at(const tutti_cf32 *X, double t)
{
    const struct frame *f = &p.frame;
    double complex sum = 0;
    if (t < 0 || t >= f->n_symbol_samples) {
        return 0;
    }
    for (int i = 0; i < f->n_sc; i++) {
        const double k = frame_sc_hz(f, i) * f->fft_size / f->sample_rate_hz;
        sum += (double complex)X[i] * cexp(2 * I * M_PI * k * (t - f->n_cp) / f->fft_size);
    }
    return sum / sqrt(f->fft_size);
}

/* What a radio hears from tick `from` on that is `late` samples behind the network and cfo_hz below it: both beacons of
 * the reference and, three times as strong, that of the others. */
static void hear_beacons(tutti_tick from, int n, double late, double cfo_hz)
{
    const struct frame *f = &p.frame;
    tutti_cf32 Z[72];
    pilot_beacon(f->n_sc, Z);
    for (int i = 0; i < n; i++) {
        const double t = (double)(from + (tutti_tick)i - p.radio.epoch) - late;
        const double in_block = fmod(t + 10.0 * f->n_block_samples, f->n_block_samples);
        double complex sum = 0;
        for (int b = 0; b < 3 && in_block < 4.0 * f->n_symbol_samples; b++) {
            sum += (b < 2 ? 1 : 3 * I) * symbol_at(Z, in_block - b * f->n_symbol_samples);
        }
        p.samples[i] = (tutti_cf32)(sum * cexp(2 * I * M_PI * cfo_hz * t / f->sample_rate_hz));
    }
}

static void check_found(double late, double cfo_hz)
{
    assert_true(fabs(p.follow.fraction_samples - p.radio.shift - late) < 0.02);
    assert_true(fabs(p.follow.fraction_samples) < 0.76);
    assert_true(fabs(p.follow.cfo_hz - cfo_hz) < 3);
}

static void test_cold_start(void **state)
{
    (void)state;
    static const double late[] = {0, 38.3, -38.6, 4000.2, -4700}, cfo_hz[] = {0, 200, -6000, 3000, -200};
    for (int i = 0; i < 5; i++) {
        const tutti_tick from = p.radio.epoch + 30000 + 1234 * (tutti_tick)i;
        hear_beacons(from, p.n_search, late[i], cfo_hz[i]);
        p.radio.shift = 77;
        assert_true(follow_search(&p.follow, p.samples, from, &p.radio));
        assert_true(p.follow.locked);
        check_found(late[i], cfo_hz[i]);
    }
    memset(p.samples, 0, (size_t)p.n_search * sizeof *p.samples);
    assert_false(follow_search(&p.follow, p.samples, 40000, &p.radio));
}

static void hear_block(uint64_t block, double late, double cfo_hz)
{
    const tutti_tick tick = node_radio_tick(&p.radio, block, 0);
    hear_beacons(tick, 2 * p.frame.n_symbol_samples, late, cfo_hz);
    assert_true(follow_beacons(&p.follow, p.samples, &p.radio));
}

static void test_follows_drift_and_carrier(void **state)
{
    (void)state;
    double late = 10.4, cfo_hz = 100;
    hear_beacons(20000, p.n_search, late, cfo_hz);
    assert_true(follow_search(&p.follow, p.samples, 20000, &p.radio));
    for (uint64_t b = 4; b < 204; b++) { /* 0.02 samples a block: the mean of 16 blocks is behind by 15 of them */
        late += 0.02;
        hear_block(b, late, cfo_hz);
        assert_true(fabs(p.follow.fraction_samples - p.radio.shift - late) < 0.02 * 16);
    }
    cfo_hz = 150;
    for (uint64_t b = 204; b < 404; b++) {
        hear_block(b, late, cfo_hz);
    }
    check_found(late, cfo_hz);
    assert_true(p.radio.shift <= -13); /* whole samples went there */
}

static void test_holds_then_loses(void **state)
{
    (void)state;
    hear_beacons(20000, p.n_search, 0, 0);
    assert_true(follow_search(&p.follow, p.samples, 20000, &p.radio));
    memset(p.samples, 0, (size_t)p.n_search * sizeof *p.samples);
    for (int b = 0; b < FOLLOW_CONFIRM_BLOCKS; b++) { /* never heard where it was found: soon given up */
        assert_int_equal(follow_beacons(&p.follow, p.samples, &p.radio), b < FOLLOW_CONFIRM_BLOCKS - 1);
    }
    hear_beacons(20000, p.n_search, 0, 0);
    assert_true(follow_search(&p.follow, p.samples, 20000, &p.radio));
    hear_block(3, 0, 0);
    memset(p.samples, 0, (size_t)p.n_search * sizeof *p.samples);
    for (int b = 0; b < FOLLOW_HOLD_BLOCKS - 1; b++) {
        assert_true(follow_beacons(&p.follow, b % 2 ? p.samples : NULL, &p.radio));
    }
    hear_block(4, 0, 0); /* once heard is held anew */
    memset(p.samples, 0, (size_t)p.n_search * sizeof *p.samples);
    for (int b = 0; b < FOLLOW_HOLD_BLOCKS - 1; b++) {
        assert_true(follow_beacons(&p.follow, p.samples, &p.radio));
    }
    assert_false(follow_beacons(&p.follow, p.samples, &p.radio));
    assert_false(p.follow.locked);
}

/* Down: carrier and fraction are gone. Up: what is sent lies on the reference's carrier and as much later. */
static void test_both_directions(void **state)
{
    (void)state;
    const struct frame *f = &p.frame;
    const double late = 0.35, cfo_hz = 400;
    const int since = 31 * f->n_symbol_samples;
    ofdm_t *ofdm;
    tutti_cf32 X[72], Y[72], sent[137];
    assert_int_equal(ofdm_create(&ofdm, f), 0);
    hear_beacons(20000, p.n_search, late, cfo_hz);
    assert_true(follow_search(&p.follow, p.samples, 20000, &p.radio));
    pilot_scrambling(f->n_sc, X);
    for (int i = 0; i < f->n_symbol_samples; i++) {
        p.samples[i] = (tutti_cf32)(symbol_at(X, fmax(i - late, 0)) *
                                    cexp(2 * I * M_PI * cfo_hz * (since + i) / f->sample_rate_hz));
    }
    follow_demodulate(&p.follow, ofdm, p.samples, since, Y);
    for (int i = 0; i < f->n_sc; i++) {
        assert_true(cabsf(Y[i] - X[i]) < 0.02f);
    }
    ofdm_modulate(ofdm, X, 1, p.samples);
    follow_turn(&p.follow, p.samples, since, sent);
    for (int i = 1; i < f->n_symbol_samples; i++) {
        const double complex wanted =
            symbol_at(X, i - late) * cexp(2 * I * M_PI * cfo_hz * (since + i) / f->sample_rate_hz);
        assert_true(cabs(sent[i] - wanted) < 0.02);
    }
    ofdm_destroy(ofdm);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)
    const struct CMUnitTest tests[] = {CASE(test_cold_start), CASE(test_follows_drift_and_carrier),
                                       CASE(test_holds_then_loses), CASE(test_both_directions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
