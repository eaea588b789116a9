/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Large-scale gains and unit conversions against numbers worked out by hand. */
#include "base/error.h"
#include "channel/channel.h"
#include "channel_test.h"

static struct config *load(const char *const *set, int n)
{
    struct config *config = NULL;
    if (config_load(&config, NULL, set, n) != TUTTI_OK) {
        print_error("%s\n", error_text());
        fail();
    }
    return config;
}
#define LOAD(...)                                                                                                      \
    load((const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

/* Defaults: 23 dBm over 72 subcarriers of 15 kHz, noise figure 9 dB: 23 - 18.573 - (-174 + 41.761 + 9) dB. */
static void test_link_budget(void **state)
{
    (void)state;
    struct config *c = LOAD("radio.ap.noise_figure_db=5");
    assert_near(10 * log10(channel_downlink_snr_scale(c)), 23 - 18.5733 + 174 - 41.7609 - 9, 1e-3);
    assert_near(10 * log10(channel_uplink_snr_scale(c)), 20 - 18.5733 + 174 - 41.7609 - 5, 1e-3);
    config_free(c);
    assert_near(channel_noise_dbm(20e6, 9), -91.9897, 1e-3);
}

static void test_uniform(void **state)
{
    (void)state;
    struct config *c = LOAD("air.large_scale.snr_db=17");
    double beta_db[16];
    assert_int_equal(channel_large_scale(c, beta_db), TUTTI_OK);
    for (int i = 0; i < 16; i++) {
        assert_near(beta_db[i] + 10 * log10(channel_downlink_snr_scale(c)), 17, 1e-9);
    }
    config_free(c);
}

static void test_explicit(void **state)
{
    (void)state;
    struct config *c = LOAD("network.n_ap=2", "network.n_ue=3", "air.large_scale.model=explicit",
                            "air.large_scale.gain_db=[[-90, -91, -92], [-80, -81, -82.5]]");
    double beta_db[6];
    const double expected[6] = {-90, -91, -92, -80, -81, -82.5};
    assert_int_equal(channel_large_scale(c, beta_db), TUTTI_OK);
    for (int i = 0; i < 6; i++) {
        assert_near(beta_db[i], expected[i], 0);
    }
    config_free(c);
}

static void test_path_loss(void **state)
{
    (void)state;
    assert_near(channel_umi_db(100), -103.9, 1e-9);
    assert_near(channel_umi_db(0.1), -30.5, 1e-9); /* not below 1 m */
    assert_near(channel_log_distance_db(1000, -40, 2), -100, 1e-9);
    assert_near(channel_three_slope_db(1000), -140.7, 1e-9);
    assert_near(channel_three_slope_db(100), -105.7, 1e-9);
    /* the slopes meet at 50 m; constant below 10 m */
    assert_near(channel_three_slope_db(50 - 1e-9), channel_three_slope_db(50 + 1e-9), 1e-6);
    assert_near(channel_three_slope_db(20) - channel_three_slope_db(40), 20 * log10(2), 1e-9);
    assert_near(channel_three_slope_db(10), channel_three_slope_db(3), 0);
    assert_near(channel_three_slope_db(10), -140.7 + 15 * 1.30103 + 40, 1e-4);
}

static void test_given_positions(void **state)
{
    (void)state;
    struct config *c = LOAD("network.n_ap=1", "network.n_ue=2", "air.large_scale.model=geometry",
                            "air.large_scale.shadowing_db=0", "air.large_scale.ap_positions_m=[[0, 0, 13.5]]",
                            "air.large_scale.ue_positions_m=[[3, 4, 1.5], [30, 40, 13.5]]");
    double beta_db[2];
    assert_int_equal(channel_large_scale(c, beta_db), TUTTI_OK);
    assert_near(beta_db[0], -30.5 - 36.7 * log10(13), 1e-9);
    assert_near(beta_db[1], -30.5 - 36.7 * log10(50), 1e-9);
    config_free(c);
}

static void test_drawn_positions(void **state)
{
    (void)state;
    struct config *c =
        LOAD("network.n_ap=128", "network.n_ue=4", "air.large_scale.model=geometry", "air.large_scale.area_m=1000");
    static double ap_m[128][3], ue_m[4][3], again_m[128][3], beta_db[128 * 4];
    channel_positions(c, &ap_m[0][0], &ue_m[0][0]);
    double mean[2] = {0};
    for (int i = 0; i < 128; i++) {
        assert_true(ap_m[i][0] >= 0 && ap_m[i][0] < 1000 && ap_m[i][1] >= 0 && ap_m[i][1] < 1000);
        assert_near(ap_m[i][2], 10, 0);
        mean[0] += ap_m[i][0] / 128;
        mean[1] += ap_m[i][1] / 128;
    }
    assert_near(mean[0], 500, 5 * 1000 / sqrt(12 * 128));
    assert_near(mean[1], 500, 5 * 1000 / sqrt(12 * 128));
    /* shadowing: what is left after the path loss has standard deviation 4 dB and mean 0 */
    assert_int_equal(channel_large_scale(c, beta_db), TUTTI_OK);
    double sum = 0, square = 0;
    for (int i = 0; i < 128 * 4; i++) {
        const double *p = ap_m[i / 4], *q = ue_m[i % 4];
        const double d = sqrt(pow(p[0] - q[0], 2) + pow(p[1] - q[1], 2) + pow(p[2] - q[2], 2));
        const double z = beta_db[i] - (-30.5 - 36.7 * log10(fmax(d, 1)));
        sum += z;
        square += z * z;
    }
    assert_near(sum / 512, 0, 5 * 4 / sqrt(512));
    assert_near(square / 512, 16, 5 * 16 * sqrt(2.0 / 512));
    config_free(c);
    /* the same place whatever the size of the network, another one for another seed */
    c = LOAD("network.n_ap=2", "network.n_ue=1", "air.large_scale.model=geometry", "air.large_scale.area_m=1000");
    channel_positions(c, &again_m[0][0], &ue_m[0][0]);
    assert_memory_equal(again_m[1], ap_m[1], sizeof ap_m[1]);
    config_free(c);
    c = LOAD("network.n_ap=2", "network.n_ue=1", "air.large_scale.area_m=1000", "network.seed=2");
    channel_positions(c, &again_m[0][0], &ue_m[0][0]);
    assert_true(again_m[1][0] != ap_m[1][0]);
    config_free(c);
}

/* No shadowing up to 50 m with three slopes. */
static void test_three_slope_shadowing(void **state)
{
    (void)state;
    struct config *c = LOAD("network.n_ap=1", "network.n_ue=2", "air.large_scale.model=geometry",
                            "air.large_scale.path_loss=three_slope", "air.large_scale.shadowing_db=8",
                            "air.large_scale.ap_positions_m=[[0, 0, 0]]",
                            "air.large_scale.ue_positions_m=[[30, 40, 0], [300, 400, 0]]");
    double beta_db[2];
    assert_int_equal(channel_large_scale(c, beta_db), TUTTI_OK);
    assert_near(beta_db[0], channel_three_slope_db(50), 1e-12);
    assert_true(fabs(beta_db[1] - channel_three_slope_db(500)) > 1e-6);
    config_free(c);
}

/* An eavesdropper's gains by every model; users' are the same with and without. */
static void test_eavesdroppers(void **state)
{
    (void)state;
    double beta_db[8], with_db[8], eve_db[6], ap_m[2][3], ue_m[4][3], eve_m[64][3];
    struct config *c = LOAD("network.n_ap=2", "network.n_ue=4", "network.n_eve=3", "air.large_scale.eve_snr_db=17",
                            "radio.eve.noise_figure_db=4");
    assert_int_equal(channel_eve_large_scale(c, eve_db), TUTTI_OK);
    for (int i = 0; i < 6; i++) {
        assert_near(10 * log10(channel_eve_downlink_snr_scale(c)) + eve_db[i], 17, 1e-9);
    }
    /* 5 dB less noise than a user, so 5 dB more SNR from the same power */
    assert_near(10 * log10(channel_eve_downlink_snr_scale(c) / channel_downlink_snr_scale(c)), 5, 1e-9);
    config_free(c);
    c = LOAD("network.n_ap=2", "network.n_ue=1", "network.n_eve=3", "air.large_scale.model=explicit",
             "air.large_scale.gain_db=[[-1], [-2]]", "air.large_scale.eve_gain_db=[[-3, -4, -5], [-6, -7, -8]]");
    assert_int_equal(channel_eve_large_scale(c, eve_db), TUTTI_OK);
    for (int i = 0; i < 6; i++) {
        assert_near(eve_db[i], -3 - i, 0);
    }
    config_free(c);
    c = LOAD("network.n_ap=2", "network.n_ue=4", "air.large_scale.model=geometry");
    assert_int_equal(channel_large_scale(c, beta_db), TUTTI_OK);
    config_free(c);
    c = LOAD("network.n_ap=2", "network.n_ue=4", "network.n_eve=2", "air.large_scale.model=geometry",
             "air.large_scale.eve_positions_m=[[10, 20, 3], [40, 50, 6]]");
    assert_int_equal(channel_large_scale(c, with_db), TUTTI_OK);
    assert_memory_equal(with_db, beta_db, sizeof beta_db);
    channel_positions(c, &ap_m[0][0], &ue_m[0][0]);
    channel_eve_positions(c, &ue_m[0][0], &eve_m[0][0]);
    assert_true(eve_m[0][0] == 10 && eve_m[0][2] == 3 && eve_m[1][1] == 50);
    assert_int_equal(channel_eve_large_scale(c, eve_db), TUTTI_OK);
    for (int i = 0; i < 4; i++) { /* within five standard deviations of the path loss */
        const double *p = ap_m[i / 2], *q = eve_m[i % 2];
        const double d = sqrt(pow(p[0] - q[0], 2) + pow(p[1] - q[1], 2) + pow(p[2] - q[2], 2));
        assert_near(eve_db[i], channel_umi_db(d), 20);
        assert_true(fabs(eve_db[i] - channel_umi_db(d)) > 1e-6);
    }
    config_free(c);
    /* uniform in the disc around the target: a quarter of them within half the radius */
    int n_inner = 0, n = 0;
    for (int seed = 1; seed <= 100; seed++) {
        char text[32];
        snprintf(text, sizeof text, "network.seed=%d", seed);
        c = LOAD(text, "network.n_ap=2", "network.n_ue=4", "network.n_eve=8", "eve.target_user=2",
                 "air.large_scale.model=geometry", "air.large_scale.eve_radius_m=50");
        channel_positions(c, &ap_m[0][0], &ue_m[0][0]);
        channel_eve_positions(c, &ue_m[0][0], &eve_m[0][0]);
        for (int e = 0; e < 8; e++, n++) {
            const double d = hypot(eve_m[e][0] - ue_m[2][0], eve_m[e][1] - ue_m[2][1]);
            assert_true(d <= 50 && eve_m[e][2] == ue_m[2][2]);
            n_inner += d <= 25;
        }
        config_free(c);
    }
    assert_near(n_inner, 0.25 * n, 5 * sqrt(0.25 * 0.75 * n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_link_budget),
                                       cmocka_unit_test(test_uniform),
                                       cmocka_unit_test(test_explicit),
                                       cmocka_unit_test(test_path_loss),
                                       cmocka_unit_test(test_given_positions),
                                       cmocka_unit_test(test_drawn_positions),
                                       cmocka_unit_test(test_three_slope_shadowing),
                                       cmocka_unit_test(test_eavesdroppers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
