/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Losses by ageing, offsets and delays; beacon; calibration; phase tracking: schema beyond-1. Kinds of clusters are
 * golden_cluster's. */
#include "base/error.h"
#include "calib/solve.h"
#include "golden.h"
#include "mimo/expect.h"
#include "phy/beacon.h"
#include "phy/ofdm.h"
#include "phy/phase_loop.h"
#include "phy/pilot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double DOUBLE = 1e-10, FLOAT = 1e-5, LS = 1e-6, ML = 1e-4;

static const char *kind_of(const json_t *root)
{
    const char *const schema = json_string_value(json_object_get(root, "schema"));
    return schema && strcmp(schema, "beyond-1") == 0 ? json_string_value(json_object_get(root, "kind")) : NULL;
}

/* The frame that the cases are about. */
static bool default_frame(struct frame *frame)
{
    struct config *config = NULL;
    const bool good = config_load(&config, NULL, NULL, 0) == 0 && frame_init(frame, config) == 0;
    config_free(config);
    return good;
}

/* A figure of a list's row; a row that does not have it gives NaN, which is not checked. */
static void close_to(struct golden *golden, const json_t *row, const char *key, double value, double tolerance, int i)
{
    const double want = golden_number(row, key);
    golden_close(golden, value, want, tolerance, want, "%s of row %d", key, i);
}

/* Ageing ----------------------------------------------------------------------------------------------------------- */

/* The demo network's. */
enum { N_AP = 4, N_ANT = 4, N_UE = 4, N_ALL = N_AP * N_ANT };

static void check_times(const json_t *root, const struct expect_times *times, struct golden *golden)
{
    const json_t *row;
    size_t i;
    close_to(golden, root, "t_pilot_s", times->pilot_s, 1e-9, 0);
    json_array_foreach(json_object_get(root, "jakes"), i, row)
    {
        const struct expect_ageing a = expect_ageing(times, golden_number(row, "doppler_hz"));
        close_to(golden, row, "rho_mean", a.rho_mean, DOUBLE, (int)i);
        close_to(golden, row, "V1", a.v1, 1e-9, (int)i);
        close_to(golden, row, "V2", a.v2, 1e-9, (int)i);
        close_to(golden, row, "cap_db", -10 * log10(expect_ageing_zf(&a, N_ALL, N_UE)), DOUBLE, (int)i);
    }
    json_array_foreach(json_object_get(root, "user_cfo"), i, row)
    {
        close_to(golden, row, "S2", expect_cfo_kept(times, golden_number(row, "user_cfo_hz")), DOUBLE, (int)i);
    }
    json_array_foreach(json_object_get(root, "user_phase_noise"), i, row)
    {
        const double own = expect_phase_noise(times, golden_number(row, "linewidth_hz"));
        close_to(golden, row, "own_db", 10 * log10(own), DOUBLE, (int)i);
    }
}

static void check_shares(const json_t *root, const struct frame *frame, struct golden *golden)
{
    const json_t *row;
    size_t i;
    json_array_foreach(json_object_get(root, "selectivity"), i, row)
    {
        const double powers[] = {1, pow(10, golden_number(row, "tap_db") / 10)};
        const double delays[] = {0, golden_number(row, "tap_delay")};
        const struct expect_spread s =
            expect_spread(2, powers, delays, golden_int(row, "subcarriers_per_subband"), frame->fft_size, N_ALL, N_UE);
        close_to(golden, row, "own", s.own, DOUBLE, (int)i);
        close_to(golden, row, "leak_per_stream", s.leak, DOUBLE, (int)i);
        close_to(golden, row, "cap_db", -10 * log10(s.own + N_UE * s.leak), DOUBLE, (int)i);
    }
    json_array_foreach(json_object_get(root, "ap_phase_ratio_r"), i, row)
    {
        const int n_ap = golden_int(row, "L"), n_ant = golden_int(row, "N"), n_ue = golden_int(row, "K");
        close_to(golden, row, "per_ap", expect_ratio_per_ap(n_ap, n_ant, n_ue), DOUBLE, (int)i);
        close_to(golden, row, "per_antenna", expect_ratio_per_antenna(n_ap, n_ant, n_ue), DOUBLE, (int)i);
    }
}

static void check_ageing(const json_t *root, struct golden *golden)
{
    struct frame frame;
    if (!default_frame(&frame)) {
        golden_true(golden, false, "%s", error_text());
        return;
    }
    const struct expect_times times = expect_times_of(&frame);
    check_times(root, &times, golden);
    check_shares(root, &frame, golden);
}

/* Beacon ----------------------------------------------------------------------------------------------------------- */

enum { ROOM = 600, START = 50 };

/* Two symbols from sample START with a delay of a fraction of a sample and a carrier offset. */
static int make_beacon(ofdm_t *ofdm, const struct frame *frame, double cfo_hz, double delay, tutti_cf32 *samples)
{
    const double spacing_hz = frame->sample_rate_hz / frame->fft_size;
    tutti_cf32 *Z = calloc((size_t)frame->n_sc, sizeof *Z);
    if (!Z) {
        return TUTTI_ENOMEM;
    }
    pilot_beacon(frame->n_sc, Z);
    for (int i = 0; i < frame->n_sc; i++) {
        const double turns = frame_sc_hz(frame, i) / spacing_hz * delay / frame->fft_size;
        Z[i] = (tutti_cf32)(Z[i] * cexp(-2 * I * M_PI * turns));
    }
    ofdm_modulate(ofdm, Z, 1, samples + START);
    memcpy(samples + START + frame->n_symbol_samples, samples + START, sizeof *Z * (size_t)frame->n_symbol_samples);
    for (int i = 0; i < ROOM; i++) {
        samples[i] = (tutti_cf32)(samples[i] * cexp(2 * I * M_PI * cfo_hz * i / frame->sample_rate_hz));
    }
    free(Z);
    return TUTTI_OK;
}

static void check_samples(const json_t *root, ofdm_t *ofdm, const struct frame *frame, struct golden *golden)
{
    const json_t *re = json_object_get(json_object_get(root, "samples"), "re");
    const json_t *im = json_object_get(json_object_get(root, "samples"), "im");
    tutti_cf32 Z[TUTTI_MAX_SC], samples[TUTTI_MAX_SC];
    pilot_beacon(frame->n_sc, Z);
    ofdm_modulate(ofdm, Z, 1, samples);
    for (int i = 0; i < (int)json_array_size(re) && i < frame->n_symbol_samples; i++) {
        golden_close(golden, (double)crealf(samples[i]), golden_at(re, i), FLOAT, 1, "samples[%d].re", i);
        golden_close(golden, (double)cimagf(samples[i]), golden_at(im, i), FLOAT, 1, "samples[%d].im", i);
    }
}

static void check_search(const json_t *root, ofdm_t *ofdm, const struct frame *frame, struct golden *golden)
{
    static tutti_cf32 samples[ROOM];
    struct beacon_found found = {0};
    beacon_t *beacon = NULL;
    memset(samples, 0, sizeof samples);
    const double cfo_hz = golden_number(root, "cfo_hz");
    /* a case tells its delay in words only; what was measured is within 1e-4 of it */
    const double measured = golden_number(root, "delay_samples"), delay = rint(1e3 * measured) / 1e3;
    const bool good = make_beacon(ofdm, frame, cfo_hz, isnan(delay) ? 0.3 : delay, samples) == 0 &&
                      beacon_create(&beacon, frame, ROOM) == 0 && beacon_search(beacon, samples, ROOM, 0.5, &found);
    beacon_destroy(beacon);
    golden_true(golden, good, "the beacon is found");
    close_to(golden, root, "peak_index_of_body", found.body, 0, 0);
    close_to(golden, root, "cfo_hz", found.cfo_hz, FLOAT, 0);
    close_to(golden, root, "delay_samples", found.delay_samples, FLOAT, 0);
}

static void check_beacon(const json_t *root, struct golden *golden)
{
    struct frame frame;
    ofdm_t *ofdm = NULL;
    if (!default_frame(&frame) || ofdm_create(&ofdm, &frame) < 0) {
        golden_true(golden, false, "%s", error_text());
        return;
    }
    const json_t *crb = json_object_get(root, "crb"), *snr_db = json_object_get(crb, "snr_per_subcarrier_db");
    check_samples(root, ofdm, &frame, golden);
    check_search(root, ofdm, &frame, golden);
    for (int i = 0; i < (int)json_array_size(snr_db); i++) {
        const double snr = pow(10, golden_at(snr_db, i) / 10);
        const double cfo = golden_at(json_object_get(crb, "cfo_hz"), i);
        const double timing = golden_at(json_object_get(crb, "timing_samples"), i);
        golden_close(golden, beacon_bound_cfo_hz(&frame, snr), cfo, DOUBLE, cfo, "crb.cfo_hz[%d]", i);
        golden_close(golden, beacon_bound_delay_samples(&frame, snr), timing, DOUBLE, timing, "crb.timing_samples[%d]",
                     i);
    }
    close_to(golden, root, "threshold_pfa_1e9", beacon_threshold(&frame, 1e-9), DOUBLE, 0);
    ofdm_destroy(ofdm);
}

/* Calibration ------------------------------------------------------------------------------------------------------ */

enum { MOST_ANTENNAS = 64 };

static double complex complex_at(const json_t *value, int i)
{
    return CMPLX(golden_at(json_object_get(value, "re"), i), golden_at(json_object_get(value, "im"), i));
}

static void compare_vector(struct golden *golden, const json_t *root, const char *key, int n, const double complex *f,
                           double tolerance)
{
    const json_t *want = json_object_get(root, key);
    for (int i = 0; want && i < n; i++) {
        const double complex w = complex_at(want, i);
        golden_close(golden, creal(f[i]), creal(w), tolerance, cabs(w), "%s[%d].re", key, i);
        golden_close(golden, cimag(f[i]), cimag(w), tolerance, cabs(w), "%s[%d].im", key, i);
    }
}

static void check_calibration(const json_t *root, struct golden *golden)
{
    const json_t *re = json_object_get(json_object_get(root, "y"), "re");
    const json_t *im = json_object_get(json_object_get(root, "y"), "im");
    const int n = (int)json_array_size(re);
    double complex y[MOST_ANTENNAS * MOST_ANTENNAS], f[MOST_ANTENNAS];
    struct calib_quality quality;
    if (n < 2 || n > MOST_ANTENNAS) {
        golden_true(golden, false, "y of %d antennas", n);
        return;
    }
    for (int i = 0; i < n * n; i++) {
        y[i] = CMPLX(golden_at2(re, i / n, i % n), golden_at2(im, i / n, i % n));
    }
    const struct calib_pairs pairs = {.n = n, .y = y};
    golden_true(golden, calib_solve_ls(&pairs, f, &quality) == 0, "least squares: %s", error_text());
    compare_vector(golden, root, "f_ls", n, f, LS);
    golden_true(golden, calib_solve_ml(&pairs, 200, f) == 0, "maximum likelihood: %s", error_text());
    compare_vector(golden, root, "f_ml", n, f, ML);
}

/* Phase tracking --------------------------------------------------------------------------------------------------- */

static void check_phase_tracking(const json_t *root, struct golden *golden)
{
    const struct phase_loop_settings settings = {
        .interval_s = golden_number(root, "T_s"),
        .linewidth_hz = 2 * golden_number(root, "linewidth_hz"), /* two oscillators */
        .frequency_walk = golden_number(root, "frequency_walk"),
        .measured_variance = golden_number(root, "R"),
    };
    struct phase_loop loop;
    struct frame frame;
    phase_loop_start(&loop, &settings, 0, 0, 1, 1);
    for (int i = 0; i < 2; i++) {
        const double gain = golden_at(json_object_get(root, "gain"), i);
        golden_close(golden, loop.gain[i], gain, DOUBLE, gain, "gain[%d]", i);
        for (int j = 0; j < 2; j++) {
            const double want = golden_at2(json_object_get(root, "P"), i, j);
            golden_close(golden, loop.P[i][j], want, DOUBLE, want, "P[%d][%d]", i, j);
        }
    }
    if (!default_frame(&frame)) {
        golden_true(golden, false, "%s", error_text());
        return;
    }
    const struct expect_times times = expect_times_of(&frame);
    double sum = 0;
    for (int d = 0; d < times.n_data; d++) { /* beacon centre 1, pilots 5 symbols into the block: frame B3 */
        const double data_s = times.first_data_s + d * times.symbol_s;
        sum += phase_loop_channel_variance(&loop, 4 * times.symbol_s, data_s - times.symbol_s);
    }
    close_to(golden, root, "total_variance", sum / times.n_data, DOUBLE, 0);
}

/* All -------------------------------------------------------------------------------------------------------------- */

static const struct kind {
    const char *name;
    void (*check)(const json_t *root, struct golden *golden);
} KINDS[] = {{"ageing", check_ageing},
             {"beacon", check_beacon},
             {"calibration", check_calibration},
             {"phase_tracking", check_phase_tracking}};

static const struct kind *find(const json_t *root)
{
    const char *const kind = kind_of(root);
    for (size_t i = 0; kind && i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(KINDS[i].name, kind) == 0) {
            return &KINDS[i];
        }
    }
    return NULL;
}

bool golden_beyond_recognises(const json_t *root)
{
    return find(root) != NULL;
}

void golden_beyond_check(const json_t *root, struct golden *golden)
{
    golden_begin(golden, "beyond", json_string_value(json_object_get(root, "name")));
    find(root)->check(root, golden);
    golden_end(golden);
}
