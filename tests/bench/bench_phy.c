/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time per coherence block of the physical-layer kernels, default frame or 20 MHz: bench_phy [wide] [--json], a row per
 * variant this processor can run where there is vector code. The median is what a budget may use, the best what the
 * ratios are made of. "ratio": times faster than libfec with the plain loops, where there is such a counterpart;
 * "of_portable": than the portable variant; "of_peak": share of the multiply-add peak (an FFT counts 5 n log2 n). Then
 * the vector code kernel by kernel, see bench_simd.h. Times are processor time of the thread. */
#include "../phy/fec_reference.h"
#include "base/error.h"
#include "baton.h"
#include "bench_simd.h"
#include "measure.h"
#include "phy/beacon.h"
#include "phy/estimate.h"
#include "phy/follower.h"
#include "phy/ofdm.h"
#include "phy/payload.h"
#include "phy/receiver.h"
#include "phy/rotor.h"
#include "phy/simd.h"
#include "plain_phy.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ANT = 4, N_UE = 4, AXIS_BITS = 2, MAX_RUNS = 200, MAX_VARIANT = 3 };

struct bench {
    struct frame frame;
    ofdm_t *ofdm;
    payload_t *payload;
    estimate_t *estimate;
    receiver_t *user, *eve, *genie; /* one antenna; N_ANT of them, without and with the genie */
    tutti_cf32 *symbols, *samples, *Y, *H_hat;
    tutti_cf32 *downlink; /* [N_ANT][n_dl][n_sc] */
    float *variance;
    beacon_t *beacon;
    struct follower follower; /* locked */
    struct rotor rotor;
    tutti_cf32 *turned[N_ANT]; /* [n_symbol_samples] */
    tutti_cf32 *heard;         /* [n_block_samples] */
    uint64_t block;
    void *viterbi; /* libfec's */
    struct fec_case code;
    uint8_t *plain; /* [n_data_re][2 AXIS_BITS] or the coded bits, a byte of each */
};

static void run_encode(struct bench *b)
{
    payload_encode(b->payload, 0, b->block++, b->symbols);
}

static void run_decode(struct bench *b)
{
    struct payload_result result;
    payload_decode(b->payload, 0, b->block - 1, b->symbols, b->variance, &result);
}

/* What a decoder without Tutti's kernels does at the least, and an encoder. */
static void plain_decode(struct bench *b)
{
    uint8_t bytes[FEC_MAX_BITS / 8];
    plain_demap(AXIS_BITS, b->frame.n_data_re, b->symbols, b->variance, b->plain);
    for (int i = 0; i < payload_code_blocks(b->payload); i++) {
        fec_decode(b->viterbi, &b->code, bytes);
    }
}

static void plain_send(struct bench *b)
{
    for (int i = 0; i < payload_code_blocks(b->payload); i++) {
        plain_encode(b->code.sent, b->code.n_bits / 8,
                     b->plain + (size_t)i * 2 * (size_t)(b->code.n_bits + VITERBI_TAIL_BITS));
    }
    plain_map(AXIS_BITS, b->frame.n_data_re, b->plain, b->symbols);
}

static void run_modulate(struct bench *b)
{
    for (int s = 0; s < b->frame.n_dl; s++) {
        ofdm_modulate(b->ofdm, b->Y, 1.0f, b->samples);
    }
}

static void run_demodulate(struct bench *b)
{
    for (int s = 0; s < b->frame.n_dl; s++) {
        ofdm_demodulate(b->ofdm, b->samples, b->symbols);
    }
}

static void run_estimate(struct bench *b)
{
    float beta[N_UE], error_variance[N_UE];
    estimate_noise(b->estimate, b->Y);
    estimate_execute(b->estimate, b->Y, b->H_hat, beta, error_variance);
}

static void run_user(struct bench *b)
{
    static const int wanted[1] = {0};
    struct receiver_measurement measured[1];
    receiver_execute(b->user, b->block++, b->downlink, 1, wanted, measured);
}

static const int EVERYBODY[N_UE] = {0, 1, 2, 3};

static void run_eve(struct bench *b)
{
    struct receiver_measurement measured[N_UE];
    receiver_execute(b->eve, b->block++, b->downlink, N_UE, EVERYBODY, measured);
}

/* A user that knows no time looks through a block, one that does measures two symbols of it. */
static void run_search(struct bench *b)
{
    struct beacon_found found;
    beacon_search(b->beacon, b->heard, b->frame.n_block_samples, 0, &found);
}

static void run_follow(struct bench *b)
{
    struct beacon_found found;
    beacon_measure(b->beacon, b->heard, 0, 100, &found);
}

/* A slave's block: the beacon, then pilots and downlink of all antennas turned. */
static void run_slave_look(struct bench *b)
{
    follower_pass(&b->follower, 1);
    follower_look(&b->follower, b->Y);
}

static void run_slave_turn(struct bench *b)
{
    rotor_set(&b->rotor, 1e-3 + 1e-9 * (double)(b->block++ % 2)); /* another rate in every block */
    for (int i = 0; i < b->frame.n_pilot + b->frame.n_dl; i++) {
        rotor_apply(&b->rotor, 0.1 * i, i < b->frame.n_pilot, N_ANT, b->frame.n_symbol_samples, b->turned);
    }
}

static void run_genie(struct bench *b)
{
    struct receiver_measurement measured[N_UE];
    receiver_execute(b->genie, b->block++, b->downlink, N_UE, EVERYBODY, measured);
}

struct task {
    const char *what;
    void (*run)(struct bench *);
    bool vectors; /* has a row per variant */
    void (*plain)(struct bench *);
    double flop;
};

/* us [runs]; processor time. */
static void time_runs(struct bench *b, int runs, void (*run)(struct bench *), double *us)
{
    run(b);
    for (int r = 0; r < runs; r++) {
        if (baton_pass()) {
            run(b);
        }
        const double start = measure_us();
        run(b);
        us[r] = measure_us() - start;
    }
}

/* b [n]: one of every variant. */
static void measure(struct bench *const *b, int n, int runs, const struct task *task)
{
    double us[MAX_VARIANT][MAX_RUNS], sorted[MAX_RUNS], plain_us = NAN;
    struct measure_times t[MAX_VARIANT];
    const int n_row = task->vectors ? n : 1;
    for (int v = 0; v < n_row; v++) {
        simd_select(simd_variant(v)); /* some ask for it at every call */
        time_runs(b[v], runs, task->run, us[v]);
        memcpy(sorted, us[v], sizeof sorted);
        t[v] = measure_summary(sorted, runs);
    }
    simd_select(NULL);
    if (task->plain) {
        time_runs(b[0], runs / 4, task->plain, sorted);
        plain_us = measure_summary(sorted, runs / 4).best_us;
    }
    for (int v = 0; v < n_row; v++) {
        char name[96];
        snprintf(name, sizeof name, "%s, %s", task->what, task->vectors ? simd_variant(v)->name : "one form");
        row_samples("best_us", runs, us[v]);
        ROW(name, {"best_us", t[v].best_us}, {"median_us", t[v].median_us}, {"ratio", plain_us / t[v].best_us},
            {"of_portable", task->vectors ? t[n - 1].best_us / t[v].best_us : NAN},
            {"of_peak", task->flop > 0
                            ? task->flop / t[v].best_us / 1e3 / measure_peak_g_s(simd_variant(v)->name, MEASURE_SINGLE)
                            : NAN});
    }
}

static int open_receivers(struct bench *b, const struct config_payload *payload)
{
    const size_t n = (size_t)N_ANT * (size_t)b->frame.n_dl * (size_t)b->frame.n_sc;
    struct receiver_settings s = {.n_ant = 1, .n_stream = N_UE, .payload = payload, .seed = 1};
    int status = receiver_create(&b->user, &b->frame, &s);
    s.n_ant = N_ANT;
    if (status == 0) {
        status = receiver_create(&b->eve, &b->frame, &s);
    }
    s.genie = true;
    if (status == 0) {
        status = receiver_create(&b->genie, &b->frame, &s);
    }
    b->downlink = calloc(n, sizeof *b->downlink);
    if (status < 0 || !b->downlink) {
        return status < 0 ? status : error_set(TUTTI_ENOMEM, "bench_phy: out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        b->downlink[i] = (tutti_cf32)cexp(I * (double)(i * i % 100003));
    }
    return 0;
}

static int open_bench(struct bench *b, bool wide)
{
    static char schedule[] = "B G P4 U24 G D38 G";
    struct config c;
    memset(&c, 0, sizeof c);
    c.network.n_ue = N_UE;
    c.frame = (struct config_frame){.sample_rate_hz = wide ? 30720000 : 1920000,
                                    .fft_size = wide ? 2048 : 128,
                                    .n_used_subcarriers = wide ? 1200 : 72,
                                    .n_cp_samples = wide ? 144 : 9,
                                    .block_us = 5000,
                                    .schedule = schedule,
                                    .n_dl_pilot_symbols = 4,
                                    .subcarriers_per_subband = 12};
    c.payload = (struct config_payload){.modulation = CONFIG_QAM16, .max_code_block_bits = 6144};
    static const int pilots[N_UE] = {0, 1, 2, 3};
    const struct estimate_settings settings = {
        .n_ant = N_ANT, .n_ue = N_UE, .pilot_of_user = pilots, .tracking_blocks = 100, .uplink_to_downlink = 1.0};
    int rc = frame_init(&b->frame, &c);
    if (rc == 0) {
        rc = ofdm_create(&b->ofdm, &b->frame);
    }
    if (rc == 0) {
        rc = payload_create(&b->payload, &b->frame, &c.payload, 1);
    }
    if (rc == 0) {
        rc = estimate_create(&b->estimate, &b->frame, &settings);
    }
    if (rc == 0) {
        rc = open_receivers(b, &c.payload);
    }
    if (rc == 0) {
        rc = beacon_create(&b->beacon, &b->frame, b->frame.n_block_samples);
    }
    if (rc != 0) {
        return rc;
    }
    const size_t n_sc = (size_t)b->frame.n_sc, n_re = (size_t)b->frame.n_data_re;
    b->symbols = calloc(n_re, sizeof *b->symbols);
    b->variance = calloc(n_re, sizeof *b->variance);
    b->samples = calloc((size_t)b->frame.n_symbol_samples, sizeof *b->samples);
    b->Y = calloc(N_ANT * 4 * n_sc, sizeof *b->Y);
    b->heard = calloc((size_t)b->frame.n_block_samples, sizeof *b->heard);
    b->H_hat = calloc(N_ANT * N_UE * (size_t)b->frame.n_sb, sizeof *b->H_hat);
    uint64_t seed = 1;
    fec_fill(&b->code, payload_info_bits(b->payload) / payload_code_blocks(b->payload) + 32, 20, 20, &seed);
    b->viterbi = fec_create();
    b->plain = calloc(n_re * 2 * AXIS_BITS + 2 * FEC_MAX_STEPS, 1);
    if (!b->viterbi || !b->plain || !b->symbols || !b->variance || !b->samples || !b->heard || !b->Y || !b->H_hat) {
        return error_set(TUTTI_ENOMEM, "bench_phy: out of memory");
    }
    for (size_t i = 0; i < n_re; i++) {
        b->variance[i] = 0.01f;
    }
    for (int i = 0; i < b->frame.n_block_samples; i++) {
        b->heard[i] = (tutti_cf32)cexp(I * (double)i * (double)i);
    }
    for (size_t i = 0; i < N_ANT * 4 * n_sc; i++) {
        b->Y[i] = (tutti_cf32)cexp(I * (double)(i * i));
    }
    return 0;
}

/* Both beacon symbols alike, as the follower asks. */
static int open_slave(struct bench *b)
{
    const size_t half = (size_t)N_ANT * (size_t)b->frame.n_sc;
    const struct follower_settings settings = {
        .frame = &b->frame, .n_ant = N_ANT, .linewidth_hz = 0.02, .frequency_walk = 1, .pilot_s = 3e-4, .data_s = 4e-3};
    int status = follower_create(&b->follower, &settings);
    status = status < 0 ? status : rotor_create(&b->rotor, b->frame.n_symbol_samples);
    for (int a = 0; status >= 0 && a < N_ANT; a++) {
        b->turned[a] = calloc((size_t)b->frame.n_symbol_samples, sizeof **b->turned);
        status = b->turned[a] ? 0 : error_set(TUTTI_ENOMEM, "bench_phy: out of memory");
    }
    if (status < 0) {
        return status;
    }
    memcpy(b->Y + half, b->Y, half * sizeof *b->Y);
    follower_found(&b->follower, 0);
    for (int i = 0; i < 20; i++) {
        run_slave_look(b);
    }
    return b->follower.state == FOLLOWER_LOCKED ? 0 : error_set(TUTTI_EINVAL, "bench_phy: the slave does not lock");
}

static void close_bench(struct bench *b)
{
    follower_destroy(&b->follower);
    rotor_destroy(&b->rotor);
    for (int a = 0; a < N_ANT; a++) {
        free(b->turned[a]);
    }
    simd_select(NULL);
    if (b->viterbi) {
        delete_viterbi27(b->viterbi);
    }
    free(b->plain);
    ofdm_destroy(b->ofdm);
    payload_destroy(b->payload);
    estimate_destroy(b->estimate);
    receiver_destroy(b->user);
    receiver_destroy(b->eve);
    receiver_destroy(b->genie);
    free(b->downlink);
    free(b->symbols);
    free(b->variance);
    free(b->samples);
    beacon_destroy(b->beacon);
    free(b->heard);
    free(b->Y);
    free(b->H_hat);
}

static int run_tasks(struct bench *const *b, int n, int runs)
{
    const struct frame *f = &b[0]->frame;
    const double fft = f->n_dl * 5.0 * f->fft_size * log2(f->fft_size);
    const double estimates = 8.0 * N_ANT * N_UE * f->n_sc; /* one product a sample and pilot */
    const double search = 10.0 * log2(8.0 * f->fft_size) * 8 / 7 * f->n_block_samples; /* two transforms, overlapping */
    const struct task tasks[] = {
        {"payload_encode, one user", run_encode, true, plain_send, 0},
        {"payload_decode, one user", run_decode, true, plain_decode, 0},
        {"ofdm_modulate, downlink of one antenna", run_modulate, false, NULL, fft},
        {"ofdm_demodulate, downlink of one user", run_demodulate, false, NULL, fft},
        {"estimate_noise + estimate_execute, one AP", run_estimate, false, NULL, estimates},
        {"receiver_execute, one user", run_user, true, NULL, 0},
        {"the same, 4 antennas, 4 streams", run_eve, true, NULL, 0},
        {"the same with the genie beside it", run_genie, true, NULL, 0},
        {"beacon_search, samples of a block", run_search, false, NULL, search},
        {"beacon_measure, in every block", run_follow, false, NULL, 0},
        {"follower_look, 4 antennas", run_slave_look, false, NULL, 0},
        {"rotor_apply, pilots and downlink of 4 antennas", run_slave_turn, false, NULL, 0},
    };
    row_section("%d subcarriers, %d-point FFT, %d antennas, %d users, 16-QAM, %d bits/user", f->n_sc, f->fft_size,
                N_ANT, N_UE, payload_info_bits(b[0]->payload));
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        measure(b, n, runs, &tasks[i]);
    }
    return bench_simd();
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    const bool wide = argc > 1 && strcmp(argv[1], "wide") == 0;
    struct bench *b[MAX_VARIANT] = {NULL};
    int n = 0, status = 0;
    for (; simd_variant(n) && status == 0; n++) {
        simd_select(simd_variant(n));
        b[n] = calloc(1, sizeof **b);
        status = b[n] ? open_bench(b[n], wide) : error_set(TUTTI_ENOMEM, "out of memory");
        status = status == 0 ? open_slave(b[n]) : status;
    }
    if (status == 0) {
        status = run_tasks(b, n, wide ? 20 : row_rounds(MAX_RUNS));
    }
    if (status != 0) {
        fprintf(stderr, "bench_phy: %s\n", error_text());
    }
    for (int v = 0; v < n && b[v]; v++) {
        close_bench(b[v]);
        free(b[v]);
    }
    return status != 0;
}
