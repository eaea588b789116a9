/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time per coherence block of the physical-layer kernels, default frame or 20 MHz: bench_phy [wide] [--json]. Prints
 * the median and the largest of the runs; the median is what a budget may use, the largest is what else ran on the
 * machine. Then the vector code, one row per variant this processor can run, beside libfec and the plain loops: the
 * least of the runs, all variants tried in turn, so that the ratio depends little on what else runs. */
#include "../phy/fec_reference.h"
#include "base/clock.h"
#include "base/error.h"
#include "channel/noise.h"
#include "phy/estimate.h"
#include "phy/ofdm.h"
#include "phy/payload.h"
#include "phy/receiver.h"
#include "phy/simd.h"
#include "plain_phy.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ANT = 4, N_UE = 4, MAX_RUNS = 200 };

struct bench {
    struct frame frame;
    ofdm_t *ofdm;
    payload_t *payload;
    estimate_t *estimate;
    receiver_t *user, *eve, *genie; /* one antenna; N_ANT of them, without and with the genie */
    tutti_cf32 *symbols, *samples, *Y, *H_hat;
    tutti_cf32 *downlink; /* [N_ANT][n_dl][n_sc] */
    float *variance;
    uint64_t block;
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

static void run_genie(struct bench *b)
{
    struct receiver_measurement measured[N_UE];
    receiver_execute(b->genie, b->block++, b->downlink, N_UE, EVERYBODY, measured);
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void measure(struct bench *b, const char *what, int runs, void (*run)(struct bench *))
{
    uint64_t ns[MAX_RUNS];
    run(b);
    for (int r = 0; r < runs; r++) {
        const uint64_t start = clock_mono_ns();
        run(b);
        ns[r] = clock_mono_ns() - start;
    }
    qsort(ns, (size_t)runs, sizeof *ns, compare);
    ROW(what, {"median_us", (double)ns[runs / 2] / 1e3}, {"max_us", (double)ns[runs - 1] / 1e3});
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
    if (rc != 0) {
        return rc;
    }
    const size_t n_sc = (size_t)b->frame.n_sc, n_re = (size_t)b->frame.n_data_re;
    b->symbols = calloc(n_re, sizeof *b->symbols);
    b->variance = calloc(n_re, sizeof *b->variance);
    b->samples = calloc((size_t)b->frame.n_symbol_samples, sizeof *b->samples);
    b->Y = calloc(N_ANT * 4 * n_sc, sizeof *b->Y);
    b->H_hat = calloc(N_ANT * N_UE * (size_t)b->frame.n_sb, sizeof *b->H_hat);
    if (!b->symbols || !b->variance || !b->samples || !b->Y || !b->H_hat) {
        return error_set(TUTTI_ENOMEM, "bench_phy: out of memory");
    }
    for (size_t i = 0; i < n_re; i++) {
        b->variance[i] = 0.01f;
    }
    for (size_t i = 0; i < N_ANT * 4 * n_sc; i++) {
        b->Y[i] = (tutti_cf32)cexp(I * (double)(i * i));
    }
    return 0;
}

static void close_bench(struct bench *b)
{
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
    free(b->Y);
    free(b->H_hat);
}

/* The vector code, variant by variant ---------------------------------------------------------------------------- */

enum { N_SYMBOL = 4096, N_CODE_BITS = 4888, MAX_CONTESTANTS = 4, TURNS = 30 };

/* What one kernel works on, and which of its versions: NULL is the yardstick. */
struct contest {
    const struct simd_ops *ops;
    int axis_bits;
    void *viterbi;
    struct fec_case code;
    uint64_t decisions[FEC_MAX_STEPS];
    tutti_cf32 y[N_SYMBOL];
    float variance[N_SYMBOL];
    uint8_t soft[8 * N_SYMBOL];
};

static void contest_viterbi(struct contest *c)
{
    uint8_t bytes[FEC_MAX_BITS / 8];
    if (!c->ops) {
        fec_decode(c->viterbi, &c->code, bytes);
        return;
    }
    c->ops->viterbi_forward(c->code.n_bits + VITERBI_TAIL_BITS, c->code.soft, c->decisions);
    viterbi_trace(c->code.n_bits, c->decisions, bytes);
}

static void contest_demap(struct contest *c)
{
    if (!c->ops) {
        plain_demap(c->axis_bits, N_SYMBOL, c->y, c->variance, c->soft);
        return;
    }
    c->ops->qam_demap(c->axis_bits, N_SYMBOL, 2 * N_SYMBOL, 0.3f, (const float *)c->y, c->variance, (int8_t *)c->soft);
}

/* The widest against the portable one, which is vector code as well. */
static void hold_noise(void)
{
    static float re[2][N_SYMBOL], im[2][N_SYMBOL];
    double least_us[2] = {0};
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < 2; i++) {
            const uint64_t start = clock_mono_ns();
            (i ? noise_add : noise_add_portable)((uint64_t)turn, 1.0f, N_SYMBOL, re[i], im[i]);
            const double us = (double)(clock_mono_ns() - start) / 1e3;
            least_us[i] = turn == 0 || us < least_us[i] ? us : least_us[i];
        }
    }
    row_section("White noise, %d complex samples", N_SYMBOL);
    for (int i = 0; i < 2; i++) {
        ROW(i ? "this processor's" : "portable", {"least_us", least_us[i]},
            {"ns_per_sample", 1e3 * least_us[i] / N_SYMBOL}, {"ratio", least_us[0] / least_us[i]});
    }
}

/* Rows of the yardstick and of every variant; `work` in bits per run. */
static void hold(struct contest *c, const char *yardstick, double work, void (*run)(struct contest *))
{
    const struct simd_ops *ops[MAX_CONTESTANTS] = {NULL};
    double least_us[MAX_CONTESTANTS];
    int n = 1;
    while (n < MAX_CONTESTANTS && (ops[n] = simd_variant(n - 1)) != NULL) {
        n++;
    }
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < n; i++) {
            c->ops = ops[i];
            const uint64_t start = clock_mono_ns();
            run(c);
            const double us = (double)(clock_mono_ns() - start) / 1e3;
            least_us[i] = turn == 0 || us < least_us[i] ? us : least_us[i];
        }
    }
    for (int i = 0; i < n; i++) {
        ROW(ops[i] ? ops[i]->name : yardstick, {"least_us", least_us[i]}, {"Mbit_s", work / least_us[i]},
            {"ratio", least_us[0] / least_us[i]});
    }
}

static int hold_contests(void)
{
    struct contest *c = calloc(1, sizeof *c);
    if (!c || !(c->viterbi = fec_create())) {
        free(c);
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    uint64_t seed = 1;
    fec_fill(&c->code, N_CODE_BITS, 20, 20, &seed);
    for (int i = 0; i < N_SYMBOL; i++) {
        c->y[i] = (tutti_cf32)cexp(I * (double)(i * i));
        c->variance[i] = 0.1f;
    }
    row_section("Viterbi decoder, %d bits, one core", N_CODE_BITS);
    hold(c, "libfec", N_CODE_BITS, contest_viterbi);
    for (c->axis_bits = 1; c->axis_bits <= 4; c->axis_bits++) {
        row_section("Soft bits of %d-QAM, one core", 1 << (2 * c->axis_bits));
        hold(c, "plain loop", 2.0 * c->axis_bits * N_SYMBOL, contest_demap);
    }
    hold_noise();
    delete_viterbi27(c->viterbi);
    free(c);
    return 0;
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    const bool wide = argc > 1 && strcmp(argv[1], "wide") == 0;
    struct bench b = {0};
    if (open_bench(&b, wide) != 0) {
        fprintf(stderr, "bench_phy: %s\n", error_text());
        close_bench(&b);
        return 1;
    }
    const int runs = wide ? 20 : MAX_RUNS;
    row_section("%d subcarriers, %d-point FFT, %d antennas, %d users, 16-QAM, %d bits/user", b.frame.n_sc,
                b.frame.fft_size, N_ANT, N_UE, payload_info_bits(b.payload));
    measure(&b, "payload_encode, one user", runs, run_encode);
    measure(&b, "payload_decode, one user", runs, run_decode);
    measure(&b, "ofdm_modulate, downlink of one antenna", runs, run_modulate);
    measure(&b, "ofdm_demodulate, downlink of one user", runs, run_demodulate);
    measure(&b, "estimate_noise + estimate_execute, one AP", runs, run_estimate);
    measure(&b, "receiver_execute, one user", runs, run_user);
    measure(&b, "the same, 4 antennas, 4 streams", runs, run_eve);
    measure(&b, "the same with the genie beside it", runs, run_genie);
    close_bench(&b);
    if (hold_contests() != 0) {
        fprintf(stderr, "bench_phy: %s\n", error_text());
        return 1;
    }
    return 0;
}
