/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/losses.h"

#include "base/error.h"
#include "channel/hardware.h"
#include "mimo/expected.h"
#include "phy/phase_loop.h"
#include "phy/pilot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)EXPECTED_N == (int)RECORD_LOSSES, "a column per cause");
enum { SETTLE_BLOCKS = 32 }; /* after a calibration, until windows and averages have followed */
enum { MAX_TAPS = 64 };      /* of air.fading */
enum { REPORT_BLOCKS = 8 };  /* so many blocks ago the users have reported */
static const double STALE_LOSS_DB = 1;

struct losses {
    const struct config *config;
    run_file_t *file;
    int n_sb, n_ap, n_ant, n_ue, lag_blocks;
    double block_s;
    double beacon_s, followed_variance; /* sync.mode air: centre of the beacon; what is left of slaves' phases */
    struct expected_causes causes;      /* chain and ap_turn: of the block and subband looked at */
    struct expected_work *work;
    double *cfo_hz, *ap_cfo_hz;   /* [n_ue], [n_ap] */
    int *pilot;                   /* [n_ue] */
    double complex *turn, *chain; /* [n_ap], [n_sb][n_ap][n_ant] not calibrated */
    double *sinr, *signal, *term; /* one subband's */
    double *ratio, *heard;        /* [n_ue] errors and signals, sums over subbands */
    double *loss;                 /* [EXPECTED_N] */
    double *known, *unknown;      /* [n_ue][n_ue] streams' powers, sums over subbands; NULL: nobody shares a pilot */
    uint32_t calibration;         /* in force, since since_block */
    uint64_t since_block;
    double measured, expected; /* error over signal, averages over LOSSES_BLOCKS */
    long n_compared;
    bool told;
};

static bool allocate(struct losses *l)
{
    const size_t n_ue = (size_t)l->n_ue, n_ap = (size_t)l->n_ap, n_ant = (size_t)l->n_ant;
    l->cfo_hz = calloc(n_ue, sizeof *l->cfo_hz);
    l->ap_cfo_hz = calloc(n_ap, sizeof *l->ap_cfo_hz);
    l->pilot = calloc(n_ue, sizeof *l->pilot);
    l->turn = calloc(n_ap, sizeof *l->turn);
    l->chain = calloc((size_t)l->n_sb * n_ap * n_ant, sizeof *l->chain);
    l->sinr = calloc(n_ue, sizeof *l->sinr);
    l->signal = calloc(n_ue, sizeof *l->signal);
    l->heard = calloc(n_ue, sizeof *l->heard);
    l->term = calloc(n_ue * EXPECTED_N, sizeof *l->term);
    l->ratio = calloc(n_ue, sizeof *l->ratio);
    l->loss = calloc(EXPECTED_N, sizeof *l->loss);
    if (l->config->cluster.enabled) {
        l->known = calloc(2 * n_ue * n_ue, sizeof *l->known);
        l->unknown = l->known ? l->known + n_ue * n_ue : NULL;
    }
    return (l->known || !l->config->cluster.enabled) && l->cfo_hz && l->ap_cfo_hz && l->pilot && l->turn && l->chain &&
           l->sinr && l->signal && l->heard && l->term && l->ratio && l->loss;
}

/* Downlink over uplink of every antenna as drawn, at the subbands' centres. */
static void draw_chains(struct losses *l, const struct frame *frame)
{
    for (int sb = 0; sb < l->n_sb; sb++) {
        const double centre_hz =
            0.5 * (frame_sc_hz(frame, sb * frame->sc_per_sb) + frame_sc_hz(frame, (sb + 1) * frame->sc_per_sb - 1));
        for (int i = 0; i < l->n_ap * l->n_ant; i++) {
            tutti_cf32 tx, rx;
            const double late = hardware_timing_samples(l->config, CONFIG_ROLE_AP, i / l->n_ant) +
                                hardware_timing_fraction(l->config, CONFIG_ROLE_AP, i / l->n_ant);
            hardware_gains(l->config, CONFIG_ROLE_AP, i / l->n_ant, i % l->n_ant, &tx, &rx);
            l->chain[sb * l->n_ap * l->n_ant + i] = (double complex)tx / (double complex)rx *
                                                    cexp(-4 * I * M_PI * centre_hz * late / frame->sample_rate_hz);
        }
    }
}

/* What nobody sees when subbands are held flat: estimates and pilots are averaged over it. A user that takes its time
 * from a beacon hears that without its delay. */
static double flat_spread(const struct config *c, const struct frame *frame)
{
    const struct config_fading_model *const f = &c->air.fading;
    const bool taps = f->model == CONFIG_FADING_TDL;
    const int n_tap = taps ? (int)f->tap_delays_samples_count : 1, n_all = c->network.n_ap * c->network.n_ant;
    double power[MAX_TAPS], delay[MAX_TAPS];
    if (c->precoding.subband != CONFIG_SUBBAND_FLAT || n_tap > MAX_TAPS || n_all <= config_n_served(c)) {
        return 0;
    }
    for (int d = 0; d < n_tap; d++) {
        power[d] = taps ? pow(10, f->tap_powers_db[d] / 10) : 1;
        delay[d] = (taps ? f->tap_delays_samples[d] : 0) + (frame->reference_ap < 0 ? c->air.delay_samples : 0);
    }
    const int n_ue = config_n_served(c);
    const struct expect_spread s = expect_spread(n_tap, power, delay, frame->sc_per_sb, frame->fft_size, n_all, n_ue);
    return s.own + n_ue * s.leak;
}

static void draw(struct losses *l, const struct frame *frame)
{
    const struct config *c = l->config;
    const struct config_fading_model *f = &c->air.fading;
    struct expected_causes *causes = &l->causes;
    for (int k = 0; k < l->n_ue; k++) {
        l->cfo_hz[k] = hardware_cfo_hz(c, CONFIG_ROLE_UE, k);
    }
    for (int m = 0; m < l->n_ap; m++) {
        l->ap_cfo_hz[m] = hardware_cfo_hz(c, CONFIG_ROLE_AP, m);
    }
    pilot_assignment(c, frame, l->pilot);
    draw_chains(l, frame);
    causes->flat_spread = flat_spread(c, frame);
    causes->ages = f->variation == CONFIG_VARIATION_JAKES && f->model != CONFIG_FADING_NONE;
    causes->ageing = expect_ageing(&causes->times, f->doppler_hz);
    const bool corrected = frame->reference_ap >= 0; /* users take their carrier from the reference's beacon */
    causes->user_cfo_hz = c->air.impairments.ue.cfo_hz > 0 && !corrected ? l->cfo_hz : NULL;
    causes->pilot = l->pilot;
    causes->user_linewidth_hz = c->air.impairments.ue.phase_noise_linewidth_hz;
}

/* Slaves follow their reference: what their loops leave, in the mean over the data, of the phases that APs have by
 * themselves; the reference has none. */
static double followed_variance(const struct losses *l)
{
    const struct config *c = l->config;
    const struct expect_times *t = &l->causes.times;
    const double snr = pow(10, c->air.large_scale.ap_snr_db / 10);
    const struct phase_loop_settings settings = {
        .interval_s = l->block_s,
        .linewidth_hz = 2 * c->air.impairments.ap.phase_noise_linewidth_hz,
        .frequency_walk = c->sync.frequency_walk,
        .measured_variance = phase_loop_beacon_variance(l->n_ant, c->frame.n_used_subcarriers, snr)};
    struct phase_loop loop;
    double sum = 0;
    phase_loop_start(&loop, &settings, 0, 0, 1, 1);
    for (int d = 0; d < t->n_data; d++) {
        sum += phase_loop_channel_variance(&loop, t->pilot_s - l->beacon_s,
                                           t->first_data_s + d * t->symbol_s - l->beacon_s);
    }
    return sum / t->n_data * (l->n_ap - 1) / l->n_ap;
}

int losses_create(struct losses **losses, const struct config *config, const struct frame *frame, run_file_t *file)
{
    struct losses *l = *losses = calloc(1, sizeof *l);
    if (!l) {
        return error_set(TUTTI_ENOMEM, "out of memory for expected SINRs");
    }
    l->config = config;
    l->file = file;
    l->n_sb = frame->n_sb, l->n_ap = config->network.n_ap, l->n_ant = config->network.n_ant,
    l->n_ue = config->network.n_ue;
    l->block_s = config->frame.block_us * 1e-6;
    l->lag_blocks = frame->lag_blocks;
    l->causes.times = expect_times_of(frame);
    l->causes.tracked = config->sync.track_phase;
    if (!allocate(l)) {
        return error_set(TUTTI_ENOMEM, "out of memory for expected SINRs");
    }
    if (config_has_emulated(config)) {
        draw(l, frame);
    }
    if (config_has_emulated(config) && config->sync.mode == CONFIG_SYNC_AIR) {
        l->beacon_s = frame->beacon_symbol[1] * l->causes.times.symbol_s - l->lag_blocks * l->block_s;
        l->followed_variance = followed_variance(l);
    }
    return expected_work_create(&l->work, l->n_ue);
}

void losses_destroy(struct losses *l)
{
    if (l) {
        expected_work_destroy(l->work);
        free(l->cfo_hz);
        free(l->ap_cfo_hz);
        free(l->pilot);
        free(l->turn);
        free(l->chain);
        free(l->sinr);
        free(l->signal);
        free(l->heard);
        free(l->term);
        free(l->ratio);
        free(l->loss);
        free(l->known);
        free(l);
    }
}

/* What the APs' oscillators have done to each other since the network, or its calibration, began. */
static void turn_aps(struct losses *l, uint64_t block)
{
    const struct config_impairments *imp = &l->config->air.impairments.ap;
    const struct expect_times *t = &l->causes.times;
    const double age_s = (double)(block - l->since_block) * l->block_s;
    const double data_s = t->first_data_s + 0.5 * (t->n_data - 1) * t->symbol_s;
    if (!config_has_emulated(l->config)) {
        return;
    }
    if (l->config->sync.mode == CONFIG_SYNC_AIR) {
        l->causes.ap_phase_variance = l->followed_variance;
        return;
    }
    l->causes.ap_phase_variance = expect_ap_phase(t, imp->phase_noise_linewidth_hz, age_s);
    l->causes.ap_turn = imp->cfo_hz > 0 ? l->turn : NULL;
    for (int m = 0; m < l->n_ap; m++) {
        l->turn[m] = cexp(2 * I * M_PI * l->ap_cfo_hz[m] * (2 * age_s + t->pilot_s + data_s));
    }
}

static void look_at(struct losses *l, const struct cpu_block *block, int sb)
{
    const size_t one = (size_t)(l->n_ap * l->n_ant);
    const struct expected_subband s = {.n_ap = l->n_ap,
                                       .n_ant = l->n_ant,
                                       .n_ue = l->n_ue,
                                       .H_hat = block->H_hat + (size_t)sb * one * (size_t)l->n_ue,
                                       .W = block->streams->W + (size_t)sb * one * (size_t)l->n_ue,
                                       .error_variance = block->error_variance,
                                       .beta = block->beta,
                                       .predicted = block->sinr + (size_t)sb * (size_t)l->n_ue,
                                       .noise_power = block->an_share};
    const struct config_impairments *imp = &l->config->air.impairments.ap;
    const bool off = imp->gain_mismatch_db > 0 || imp->phase_mismatch_deg > 0 || imp->timing_offset_samples > 0;
    const bool known = off && block->calibration == 0 && config_has_emulated(l->config);
    l->causes.chain = known ? l->chain + (size_t)sb * one : NULL;
    expected_execute(&l->causes, &s, l->work, l->sinr, l->signal, l->term);
    if (l->known) {
        expected_add_powers(l->work, l->n_ue, l->known, l->unknown);
    }
}

/* What errors alike in all subbands, those of shared pilots, make of user k's SINR in dB. */
static double scatter(const struct losses *l, int k)
{
    struct expect_scatter s = {.disturbance = l->n_sb};
    for (int j = 0; l->known && j < l->n_ue; j++) {
        expect_scatter_add(&s, j == k, l->known[k * l->n_ue + j], l->unknown[k * l->n_ue + j]);
    }
    return expect_scatter_factor(&s);
}

/* Loss of the mean error by each cause alone. */
static void write_rows(struct losses *l, const struct cpu_block *block, double rest)
{
    for (int k = 0; k < l->n_ue; k++) {
        l->sinr[k] = l->heard[k] / l->ratio[k] * scatter(l, k);
    }
    for (int loss = 0; loss < EXPECTED_N; loss++) {
        l->loss[loss] = 10 * log10(1 + l->loss[loss] / rest);
    }
    run_file_put(l->file, R_SINR_EXPECTED, block->number, l->sinr);
    run_file_put(l->file, R_LOSS, block->number, l->loss);
}

static void expect_block(struct losses *l, const struct cpu_block *block)
{
    double rest = 0;
    turn_aps(l, block->number);
    for (int k = 0; k < l->n_ue; k++) {
        l->ratio[k] = l->heard[k] = 0;
    }
    for (int loss = 0; loss < EXPECTED_N; loss++) {
        l->loss[loss] = 0;
    }
    if (l->known) {
        memset(l->known, 0, 2 * (size_t)(l->n_ue * l->n_ue) * sizeof *l->known);
    }
    for (int sb = 0; sb < l->n_sb; sb++) {
        look_at(l, block, sb);
        for (int k = 0; k < l->n_ue; k++) {
            l->ratio[k] += l->signal[k] / l->sinr[k]; /* users sum signal and error, too */
            l->heard[k] += l->signal[k];
            double terms = 0;
            for (int loss = 0; loss < EXPECTED_N && block->user_used[k]; loss++) {
                l->loss[loss] += l->term[k * EXPECTED_N + loss];
                terms += l->term[k * EXPECTED_N + loss];
            }
            rest += block->user_used[k] ? fmax(1 / l->sinr[k] - terms, 1e-12) : 0;
        }
    }
    write_rows(l, block, rest);
}

/* One block that all have reported: what they measured over what they should have. */
static void compare(struct losses *l, uint64_t block)
{
    const double *measured = run_file_peek(l->file, R_USER_SINR, block),
                 *expected = run_file_peek(l->file, R_SINR_EXPECTED, block - (uint64_t)l->lag_blocks);
    double there = 0, told = 0;
    for (int k = 0; measured && expected && k < l->n_ue; k++) {
        if (measured[k] > 0 && expected[k] > 0) {
            there += 1 / measured[k];
            told += 1 / expected[k];
        }
    }
    if (there > 0) {
        l->n_compared += l->n_compared < LOSSES_BLOCKS;
        l->measured += (there - l->measured) / (double)l->n_compared;
        l->expected += (told - l->expected) / (double)l->n_compared;
    }
}

bool losses_block(struct losses *l, const struct cpu_block *block, double *loss_db)
{
    if (block->calibration != l->calibration) {
        l->calibration = block->calibration;
        l->since_block = block->number;
        l->n_compared = 0;
        l->told = false;
    }
    if (block->number < l->since_block) { /* time began anew */
        l->since_block = 0;
    }
    expect_block(l, block);
    if (l->calibration == 0 ||
        block->number < l->since_block + SETTLE_BLOCKS + REPORT_BLOCKS + (uint64_t)l->lag_blocks) {
        return false;
    }
    compare(l, block->number - REPORT_BLOCKS);
    *loss_db = 10 * log10(l->measured / l->expected);
    const bool stale = !l->told && l->n_compared == LOSSES_BLOCKS && *loss_db > STALE_LOSS_DB;
    l->told = l->told || stale;
    return stale;
}
