/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy_test.h"

static void default_timeline(void **state)
{
    (void)state;
    const struct frame f = phy_test_frame();
    assert_int_equal(f.n_symbol, 70);
    assert_int_equal(f.n_symbol_samples, 137);
    assert_int_equal(f.n_block_samples, 9600);
    assert_int_equal(f.n_sb, 6);
    assert_int_equal(f.n_beacon, 1);
    assert_int_equal(f.beacon_symbol[0], 0);
    assert_int_equal(f.n_guard, 3);
    assert_int_equal(f.guard_symbol[0], 1);
    assert_int_equal(f.guard_symbol[1], 30);
    assert_int_equal(f.guard_symbol[2], 69);
    assert_int_equal(f.n_pilot, 4);
    assert_int_equal(f.pilot_symbol[0], 2);
    assert_int_equal(f.pilot_symbol[3], 5);
    assert_int_equal(f.n_dl, 38);
    assert_int_equal(f.dl_symbol[0], 31);
    assert_int_equal(f.dl_symbol[37], 68);
    assert_int_equal(f.n_dl_pilot, 4);
    assert_int_equal(f.n_data_re, 34 * 72);
    assert_int_equal(f.gap_samples, 25 * 137);
    assert_int_equal(f.chunk_samples, 3200);
    assert_string_equal(f.letter, "BGPPPPUUUUUUUUUUUUUUUUUUUUUUUUGDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDG");
    assert_int_equal(frame_symbol_tick(&f, 1000, 3, 31), 1000 + 3 * 9600 + 31 * 137);
    assert_int_equal(frame_block_of(&f, 1000, 1000 + 3 * 9600 - 1), 2);
    assert_int_equal(frame_block_of(&f, 1000, 1000 + 3 * 9600), 3);
}

static void subcarriers_lie_around_dc(void **state)
{
    (void)state;
    const struct frame f = phy_test_frame();
    uint8_t used[128] = {0};
    for (int i = 0; i < f.n_sc; i++) {
        const int k = frame_fft_index(&f, i);
        assert_in_range(k, 1, 127);
        assert_int_equal(used[k]++, 0);
        const double hz = (k < 64 ? k : k - 128) * 15000.0;
        assert_true(fabs(frame_sc_hz(&f, i) - hz) < 1e-6);
        if (i > 0) {
            assert_true(frame_sc_hz(&f, i) > frame_sc_hz(&f, i - 1));
        }
    }
    assert_true(frame_sc_hz(&f, 0) == -36 * 15000.0);
    assert_true(frame_sc_hz(&f, 71) == 36 * 15000.0);
}

/* One list of the places of a letter against a scan of the letters. */
static void check_list(const struct frame *f, char letter, int n, const int *list)
{
    int found = 0;
    for (int s = 0; s < f->n_symbol; s++) {
        if (f->letter[s] == letter) {
            assert_int_equal(list[found++], s);
        }
    }
    assert_int_equal(found, n);
}

static void many_schedules(void **state)
{
    (void)state;
    static const struct {
        const char *schedule;
        int n_symbol, n_pilot, n_dl, gap_symbols;
    } row[] = {
        {"P G D2", 4, 1, 2, 1},           {"BGP8U10GD40G", 62, 8, 40, 11},
        {"C2 B P4 G2 D30", 39, 4, 30, 2}, {"P2 G P2 U3 D20 G4 C", 33, 4, 20, 3},
        {"G5 P U60 D4", 70, 1, 4, 60},    {"P4 G D33 U20", 58, 4, 33, 1},
    };
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        struct config c = phy_test_config();
        char schedule[64];
        strcpy(schedule, row[r].schedule);
        c.frame.schedule = schedule;
        c.network.n_ue = 1;
        c.frame.n_dl_pilot_symbols = 1;
        struct frame f;
        assert_int_equal(frame_init(&f, &c), 0);
        assert_int_equal(f.n_symbol, row[r].n_symbol);
        assert_int_equal(strlen(f.letter), (size_t)f.n_symbol);
        assert_int_equal(f.n_pilot, row[r].n_pilot);
        assert_int_equal(f.n_dl, row[r].n_dl);
        assert_int_equal(f.gap_samples, row[r].gap_symbols * 137);
        check_list(&f, 'P', f.n_pilot, f.pilot_symbol);
        check_list(&f, 'D', f.n_dl, f.dl_symbol);
        check_list(&f, 'G', f.n_guard, f.guard_symbol);
        check_list(&f, 'B', f.n_beacon, f.beacon_symbol);
    }
}

/* Where other access points may still be heard, noise is not measured. */
static void silent_guards(void **state)
{
    (void)state;
    struct config c = phy_test_config();
    char one_beacon[] = "B G P4 U20 C4 G D38 G", beacons[] = "B3 G P4 U22 G D36 G", none[] = "B2 G P4 U22 C2 G D33";
    struct frame f;
    c.frame.schedule = one_beacon;
    assert_int_equal(frame_init(&f, &c), 0);
    assert_true(f.n_guard == 2 && f.guard_symbol[0] == 1 && f.guard_symbol[1] == 69);
    assert_true(f.n_cal == 4 && f.cal_symbol[0] == 26 && f.cal_symbol[3] == 29);
    c.frame.schedule = beacons;
    assert_int_equal(frame_init(&f, &c), 0);
    assert_true(f.n_guard == 2 && f.guard_symbol[0] == 30 && f.guard_symbol[1] == 67 && f.n_cal == 0);
    c.frame.schedule = none;
    assert_true(frame_init(&f, &c) < 0);
}

/* The reference alone twice, then the others; with one clock and no third symbol everybody always. */
static void who_sends_beacons(void **state)
{
    (void)state;
    struct config c = phy_test_config();
    char schedule[] = "B2 G P4 U23 G D36 G";
    struct frame f;
    char backend[] = "air";
    c.network.n_ap = 4;
    c.radio.ap.backend = backend;
    c.frame.schedule = schedule;
    assert_int_equal(frame_init(&f, &c), 0);
    for (int i = 0; i < 3 * c.network.n_ap; i++) {
        assert_true(frame_sends_beacon(&f, i / 3, i % 3));
    }
    strcpy(schedule, "B3 G P4 U22 G D36 G");
    c.sync.reference_ap = 1;
    for (int mode = 0; mode < 2; mode++) {
        c.sync.mode = mode == 0 ? CONFIG_SYNC_SHARED : CONFIG_SYNC_AIR;
        assert_int_equal(frame_init(&f, &c), 0);
        assert_int_equal(f.reference_ap, mode == 0 ? -1 : 1); /* with one clock nobody follows it */
        for (int i = 0; i < 3 * c.network.n_ap; i++) {
            assert_int_equal(frame_sends_beacon(&f, i / 3, i % 3), i / 3 == 1 ? i % 3 != 2 : i % 3 == 2);
        }
    }
    strcpy(schedule, "B G B2 P4 U22 D36");
    assert_true(frame_init(&f, &c) < 0);
}

/* Causality, checked sample by sample: the chunk that holds the last sample of the last pilot ends by the first D. */
static void chunks_keep_causality(void **state)
{
    (void)state;
    for (int uplink = 1; uplink < 60; uplink++) {
        struct config c = phy_test_config();
        char schedule[64];
        snprintf(schedule, sizeof schedule, "G P4 U%d D6", uplink);
        c.frame.schedule = schedule;
        struct frame f;
        assert_int_equal(frame_init(&f, &c), 0);
        assert_int_equal(f.n_block_samples % f.chunk_samples, 0);
        assert_true(f.n_block_samples >= 2 * f.chunk_samples);
        const int last = (f.pilot_symbol[f.n_pilot - 1] + 1) * f.n_symbol_samples - 1;
        const int next_chunk = (last / f.chunk_samples + 1) * f.chunk_samples;
        assert_true(next_chunk <= f.dl_symbol[0] * f.n_symbol_samples);
        for (int n = f.chunk_samples + 1; n <= f.gap_samples && 2 * n <= f.n_block_samples; n++) {
            assert_int_not_equal(f.n_block_samples % n, 0);
        }
    }
}

static void wide_network(void **state)
{
    (void)state;
    struct config c = phy_test_config();
    c.frame.sample_rate_hz = 30720000;
    c.frame.fft_size = 2048;
    c.frame.n_used_subcarriers = 1200;
    c.frame.n_cp_samples = 144;
    c.air.chunk_samples = 1200;
    struct frame f;
    assert_int_equal(frame_init(&f, &c), 0);
    assert_int_equal(f.n_block_samples, 153600);
    assert_int_equal(f.n_sb, 100);
    assert_int_equal(f.chunk_samples, 1200);
}

static void refuse(void (*spoil)(struct config *), const char *key)
{
    struct config c = phy_test_config();
    struct frame f;
    int assignment[4] = {0, 1, 2, 4};
    c.pilots.assignment = assignment;
    c.pilots.assignment_count = 0;
    spoil(&c);
    assert_int_equal(frame_init(&f, &c), TUTTI_ECONFIG);
    if (strncmp(error_text(), key, strlen(key))) {
        fail_msg("expected an error on %s, got: %s", key, error_text());
    }
}

#define SPOIL(name, statement)                                                                                         \
    static void name(struct config *c)                                                                                 \
    {                                                                                                                  \
        statement;                                                                                                     \
    }
#define SCHEDULE(name, text)                                                                                           \
    static void name(struct config *c)                                                                                 \
    {                                                                                                                  \
        static char schedule[] = text;                                                                                 \
        c->frame.schedule = schedule;                                                                                  \
    }
SPOIL(odd_subcarriers, c->frame.n_used_subcarriers = 71)
SPOIL(too_many_subcarriers, c->frame.n_used_subcarriers = 128)
SPOIL(uneven_subbands, c->frame.subcarriers_per_subband = 10)
SPOIL(long_prefix, c->frame.n_cp_samples = 129)
SPOIL(block_too_short, c->frame.block_us = 4900)
SPOIL(broken_samples, c->frame.block_us = 5000.2)
SPOIL(no_data_symbol, c->frame.n_dl_pilot_symbols = 38)
SPOIL(too_few_dl_pilots, c->network.n_ue = 5)
SPOIL(chunk_not_divisor, c->air.chunk_samples = 3000)
SPOIL(chunk_too_long, c->air.chunk_samples = 4800)
SPOIL(assignment_range, c->pilots.assignment_count = 4)
SPOIL(assignment_count, c->pilots.assignment_count = 3)
SCHEDULE(no_pilot, "G D10")
SCHEDULE(no_downlink, "G P4 G")
SCHEDULE(no_guard, "P4 U2 D10")
SCHEDULE(interrupted, "P4 G D10 G D10")
SCHEDULE(pilot_after, "P4 G D10 G P")
SCHEDULE(no_gap, "G P4 D10")
SCHEDULE(unknown_letter, "G P4 X D10")

static void refusals_name_the_key(void **state)
{
    (void)state;
    refuse(odd_subcarriers, "frame.n_used_subcarriers");
    refuse(too_many_subcarriers, "frame.n_used_subcarriers");
    refuse(uneven_subbands, "frame.n_used_subcarriers");
    refuse(long_prefix, "frame.n_cp_samples");
    refuse(block_too_short, "frame.schedule");
    refuse(broken_samples, "frame.block_us");
    refuse(no_data_symbol, "frame.n_dl_pilot_symbols");
    refuse(too_few_dl_pilots, "frame.n_dl_pilot_symbols");
    refuse(chunk_not_divisor, "air.chunk_samples");
    refuse(chunk_too_long, "air.chunk_samples");
    refuse(assignment_range, "pilots.assignment");
    refuse(assignment_count, "pilots.assignment");
    refuse(no_pilot, "frame.schedule");
    refuse(no_downlink, "frame.schedule");
    refuse(no_guard, "frame.schedule");
    refuse(interrupted, "frame.schedule");
    refuse(pilot_after, "frame.schedule");
    refuse(no_gap, "frame.schedule");
    refuse(unknown_letter, "frame.schedule");
}

/* From a lead that is as long as what the frame leaves on, one block later for every block of time: 3200 samples with
 * the emulated air's chunks, 3425 on a radio, 9600 a block. */
static void lags_follow_the_lead(void **state)
{
    (void)state;
    static const struct {
        double lead_us;
        int air, radio;
    } rows[] = {{0, 0, 0},    {1666, 0, 0}, {1667, 1, 0},  {1783, 1, 0}, {1784, 1, 1},
                {6666, 1, 1}, {6667, 2, 1}, {16784, 4, 4}, {21666, 4, 4}};
    char air[64];
    const char fading[] = "air.fading.variation=jakes";
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        for (int radio = 0; radio < 2; radio++) {
            struct config *config;
            struct frame f;
            struct frame_fault fault;
            const char *sets[] = {fading, air, "air.mode=paced"};
            snprintf(air, sizeof air, "engine.tx_lead_us=%.0f", rows[r].lead_us);
            assert_int_equal(config_load(&config, NULL, sets, 3), 0);
            char *const backend = config->radio.ap.backend;
            config->radio.ap.backend = radio ? (char[]){"uhd"} : backend; /* also in a build without it */
            assert_int_equal(frame_plan(&f, config, &fault), 0);
            config->radio.ap.backend = backend;
            assert_int_equal(f.lag_blocks, radio ? rows[r].radio : rows[r].air);
            config_free(config);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_timeline),      cmocka_unit_test(subcarriers_lie_around_dc),
        cmocka_unit_test(many_schedules),        cmocka_unit_test(chunks_keep_causality),
        cmocka_unit_test(wide_network),          cmocka_unit_test(lags_follow_the_lead),
        cmocka_unit_test(silent_guards),         cmocka_unit_test(who_sends_beacons),
        cmocka_unit_test(refusals_name_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
