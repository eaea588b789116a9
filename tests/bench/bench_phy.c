/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time per coherence block of the physical-layer kernels, default frame or 20 MHz: bench_phy [wide] [--json]. Prints
 * the median and the largest of the runs; the median is what a budget may use, the largest is what else ran on the
 * machine. */
#include "base/clock.h"
#include "base/error.h"
#include "phy/estimate.h"
#include "phy/ofdm.h"
#include "phy/payload.h"
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
    tutti_cf32 *symbols, *samples, *Y, *H_hat;
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
    free(b->symbols);
    free(b->variance);
    free(b->samples);
    free(b->Y);
    free(b->H_hat);
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
    close_bench(&b);
    return 0;
}
