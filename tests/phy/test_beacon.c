/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Acquisition against its bounds and design: detection, carrier offset, delay, false alarms. */
#include "channel/random.h"
#include "phy/beacon.h"
#include "phy/ofdm.h"
#include "phy/pilot.h"
#include "phy_test.h"

enum { ROOM = 1400, START = 300 };

struct setup {
    struct frame frame;
    ofdm_t *ofdm;
    beacon_t *beacon;
    tutti_cf32 samples[ROOM];
};

static void start(struct setup *s)
{
    struct config *config = NULL;
    assert_int_equal(config_load(&config, NULL, NULL, 0), 0);
    assert_int_equal(frame_init(&s->frame, config), 0);
    config_free(config);
    assert_int_equal(ofdm_create(&s->ofdm, &s->frame), 0);
    assert_int_equal(beacon_create(&s->beacon, &s->frame, ROOM), 0);
}

static void end(struct setup *s)
{
    ofdm_destroy(s->ofdm);
    beacon_destroy(s->beacon);
}

/* n_symbol beacon symbols from START, delayed and turned, in noise of variance 1 / snr per subcarrier. */
static void make(struct setup *s, uint64_t seed, int n_symbol, double cfo_hz, double delay, double snr)
{
    const struct frame *f = &s->frame;
    const double spacing_hz = f->sample_rate_hz / f->fft_size, sigma = sqrt(0.5 / snr);
    tutti_cf32 Z[72];
    pilot_beacon(f->n_sc, Z);
    for (int i = 0; i < f->n_sc; i++) {
        Z[i] = (tutti_cf32)(Z[i] * cexp(-2 * I * M_PI * frame_sc_hz(f, i) / spacing_hz * delay / f->fft_size));
    }
    memset(s->samples, 0, sizeof s->samples);
    for (int h = 0; h < n_symbol; h++) {
        ofdm_modulate(s->ofdm, Z, 1, s->samples + START + h * f->n_symbol_samples);
    }
    for (int i = 0; i < ROOM; i++) {
        float re, im;
        random_normal(seed, (uint64_t)i, &re, &im);
        const double complex turned = s->samples[i] * cexp(2 * I * M_PI * cfo_hz * i / f->sample_rate_hz);
        s->samples[i] = (tutti_cf32)(turned + sigma * CMPLX((double)re, (double)im));
    }
}

struct outcome {
    double right, cfo_rms, delay_rms;
};

static struct outcome run(struct setup *s, double snr_db, int n_trial)
{
    struct outcome o = {0};
    const double snr = pow(10, snr_db / 10), threshold = beacon_threshold(&s->frame, 1e-9);
    for (int t = 0; t < n_trial; t++) {
        const uint64_t key = random_key(7, RANDOM_NOISE, (uint64_t)t, (uint64_t)(snr_db + 100), 0);
        const double cfo_hz = 6000 * (2 * random_uniform(key, 1u << 20) - 1);
        const double delay = random_uniform(key, 1u << 21) - 0.5;
        struct beacon_found found;
        make(s, key, 2, cfo_hz, delay, snr);
        if (!beacon_search(s->beacon, s->samples, ROOM, threshold, &found)) {
            continue;
        }
        const double error = found.body + found.delay_samples - (START + s->frame.n_cp + delay);
        if (fabs(error) < 1) {
            o.right += 1.0 / n_trial;
            o.cfo_rms += (found.cfo_hz - cfo_hz) * (found.cfo_hz - cfo_hz);
            o.delay_rms += error * error;
        }
    }
    o.cfo_rms = sqrt(o.cfo_rms / (o.right * n_trial));
    o.delay_rms = sqrt(o.delay_rms / (o.right * n_trial));
    return o;
}

/* What a prototype found with 300 trials, CFO within 6 kHz; 1.2 times that is allowed. */
static void acquires_as_well_as_the_bounds_allow(void **state)
{
    static struct setup s;
    static const struct row {
        double snr_db, cfo_hz, delay;
    } rows[] = {{0, 296, 0.058}, {5, 151, 0.031}, {10, 79, 0.019}, {20, 26, 0.0055}};
    (void)state;
    start(&s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct outcome o = run(&s, rows[i].snr_db, 300);
        const double snr = pow(10, rows[i].snr_db / 10);
        print_message("%3.0f dB: found %.3f, CFO %.1f Hz (bound %.1f), delay %.4f samples (bound %.4f)\n",
                      rows[i].snr_db, o.right, o.cfo_rms, beacon_bound_cfo_hz(&s.frame, snr), o.delay_rms,
                      beacon_bound_delay_samples(&s.frame, snr));
        assert_true(o.right > 0.99);
        assert_true(o.cfo_rms < 1.2 * rows[i].cfo_hz && o.cfo_rms > 0.8 * beacon_bound_cfo_hz(&s.frame, snr));
        assert_true(o.delay_rms < 1.2 * rows[i].delay);
    }
    end(&s);
}

static void half_a_beacon_is_none(void **state)
{
    static struct setup s;
    (void)state;
    start(&s);
    for (uint64_t t = 0; t < 50; t++) {
        struct beacon_found whole, half;
        make(&s, 1000 + t, 2, 1000, 0, 1e3);
        assert_true(beacon_search(s.beacon, s.samples, ROOM, 0.09, &whole));
        make(&s, 1000 + t, 1, 1000, 0, 1e3);
        beacon_search(s.beacon, s.samples, ROOM, 0.09, &half);
        assert_true(half.measure < 0.6 && whole.measure > 0.8);
        assert_int_equal(whole.body, START + s.frame.n_cp);
    }
    end(&s);
}

/* A third symbol, of other senders: stronger or weaker, the pair that is meant begins one symbol earlier. */
static void the_first_of_three_is_meant(void **state)
{
    static struct setup s;
    (void)state;
    start(&s);
    for (uint64_t t = 0; t < 50; t++) {
        struct beacon_found found;
        const int step = s.frame.n_symbol_samples;
        const float others = t % 2 ? 3.0f : 0.7f;
        make(&s, 2000 + t, 3, 1000, 0, 30);
        for (int i = START + 2 * step; i < START + 3 * step; i++) {
            s.samples[i] *= others * (tutti_cf32)cexp(I * (double)t);
        }
        assert_true(beacon_search(s.beacon, s.samples, ROOM, 0.09, &found));
        assert_int_equal(found.body, START + s.frame.n_cp);
        assert_true(fabs(found.cfo_hz - 1000) < 300);
    }
    end(&s);
}

/* As good as after a search, wherever within the prefix the samples begin; noise alone has a small measure. */
static void a_known_place_is_measured(void **state)
{
    static struct setup s;
    enum { N = 200 };
    const double delay = 0.3, snr = 100;
    double cfo_square = 0, delay_square = 0;
    (void)state;
    start(&s);
    for (uint64_t t = 0; t < N; t++) {
        struct beacon_found found;
        const int early = (int)(t % 5);
        make(&s, 3000 + t, 2, 150, delay, snr);
        beacon_measure(s.beacon, s.samples + START + s.frame.n_cp - early, early, 150, &found);
        cfo_square += pow(found.cfo_hz - 150, 2) / N;
        delay_square += pow(found.delay_samples - delay, 2) / N;
        assert_true(found.measure > 0.95 && found.snr > 30 && found.snr < 300);
        make(&s, 3000 + t, 0, 150, 0, snr);
        beacon_measure(s.beacon, s.samples + START, early, 150, &found);
        assert_true(found.measure < 0.2);
    }
    print_message("CFO %.1f Hz, delay %.4f samples\n", sqrt(cfo_square), sqrt(delay_square));
    assert_true(sqrt(cfo_square) < 1.2 * beacon_bound_cfo_hz(&s.frame, snr));
    assert_true(sqrt(delay_square) < 1.2 * beacon_bound_delay_samples(&s.frame, snr));
    end(&s);
}

/* Places of one symbol length apart share a half, others are nearly independent. */
static void noise_passes_as_often_as_designed(void **state)
{
    static struct setup s;
    enum { N_SEARCH = 60 };
    (void)state;
    start(&s);
    const double threshold = beacon_threshold(&s.frame, 1e-4);
    int n_false = 0;
    for (uint64_t t = 0; t < N_SEARCH; t++) {
        struct beacon_found found;
        make(&s, 9000 + t, 0, 0, 0, 1);
        n_false += beacon_search(s.beacon, s.samples, ROOM, threshold, &found);
    }
    /* a search has 1136 places: at 1e-4 one in nine is a false alarm, neighbours counted once */
    print_message("%d of %d searches of noise alone pass 1e-4 a place\n", n_false, N_SEARCH);
    assert_in_range(n_false, 1, 15);
    assert_true(beacon_threshold(&s.frame, 1e-9) > threshold);
    end(&s);
}

static void silence_and_short_inputs_find_nothing(void **state)
{
    static struct setup s;
    struct beacon_found found;
    (void)state;
    start(&s);
    memset(s.samples, 0, sizeof s.samples);
    assert_false(beacon_search(s.beacon, s.samples, ROOM, 0.09, &found));
    assert_false(beacon_search(s.beacon, s.samples, 10, 0.09, &found));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acquires_as_well_as_the_bounds_allow), cmocka_unit_test(half_a_beacon_is_none),
        cmocka_unit_test(the_first_of_three_is_meant),          cmocka_unit_test(a_known_place_is_measured),
        cmocka_unit_test(noise_passes_as_often_as_designed),    cmocka_unit_test(silence_and_short_inputs_find_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
