/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing of this folder that runs per block calls the malloc family, the libraries underneath included. */
#include "interposed_malloc.h"
#include "phy/estimate.h"
#include "phy/ofdm.h"
#include "phy/payload.h"
#include "phy/pilot.h"
#include "phy/receiver.h"
#include "phy_test.h"

enum { N_ANT = 4, N_UE = 4, N_SC = 72 };
static tutti_cf32 symbols[34 * N_SC], samples[137], subcarriers[N_SC], Y[N_ANT * 4 * N_SC], H_hat[6 * N_ANT * N_UE];
static tutti_cf32 downlink[2 * 38 * N_SC];
static float variance[34 * N_SC], beta[N_UE], error_variance[N_UE];

static void block_path(ofdm_t *ofdm, payload_t *payload, estimate_t *estimate, receiver_t *receiver, uint64_t block)
{
    static const int wanted[2] = {0, 2};
    struct payload_result result;
    struct receiver_measurement measured[2];
    receiver_execute(receiver, block, downlink, 2, wanted, measured);
    payload_encode(payload, 1, block, symbols);
    payload_decode(payload, 1, block, symbols, variance, &result);
    ofdm_modulate(ofdm, symbols, 1.0f, samples);
    ofdm_demodulate(ofdm, samples, subcarriers);
    estimate_noise(estimate, Y);
    estimate_execute(estimate, Y, H_hat, beta, error_variance);
}

static void block_path_does_not_allocate(void **state)
{
    (void)state;
    const struct frame frame = phy_test_frame();
    const struct config_payload config = {.modulation = CONFIG_QAM64, .max_code_block_bits = 2000};
    const int pilots[N_UE] = {0, 1, 2, 3};
    const struct estimate_settings settings = {
        .n_ant = N_ANT, .n_ue = N_UE, .pilot_of_user = pilots, .tracking_blocks = 10, .uplink_to_downlink = 1.0};
    ofdm_t *ofdm;
    payload_t *payload;
    estimate_t *estimate;
    receiver_t *receiver;
    const struct receiver_settings receiving = {
        .n_ant = 2, .n_stream = N_UE, .payload = &config, .seed = 5, .genie = true};
    count_start();
    const long before_create = n_calls;
    assert_int_equal(ofdm_create(&ofdm, &frame), 0);
    const long after_ofdm = n_calls;
    assert_int_equal(payload_create(&payload, &frame, &config, 5), 0);
    assert_int_equal(estimate_create(&estimate, &frame, &settings), 0);
    assert_int_equal(receiver_create(&receiver, &frame, &receiving), 0);
    assert_true(after_ofdm > before_create + 4); /* the counter counts, FFTW's own calls included */
    for (size_t i = 0; i < sizeof Y / sizeof *Y; i++) {
        Y[i] = (tutti_cf32)(1e-3 * cexp(I * (double)i));
    }
    for (size_t i = 0; i < sizeof downlink / sizeof *downlink; i++) {
        downlink[i] = (tutti_cf32)cexp(I * (double)(i * i));
    }
    for (size_t i = 0; i < sizeof variance / sizeof *variance; i++) {
        variance[i] = 0.01f;
    }
    const long before = n_calls;
    for (uint64_t block = 0; block < 3; block++) { /* the first block too */
        block_path(ofdm, payload, estimate, receiver, block);
    }
    const long after = n_calls;
    assert_int_equal(after - before, 0);
    ofdm_destroy(ofdm);
    payload_destroy(payload);
    estimate_destroy(estimate);
    receiver_destroy(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(block_path_does_not_allocate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
