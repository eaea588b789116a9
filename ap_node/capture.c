/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/capture.h"

#include "base/error.h"
#include "channel/channel.h"
#include "phy/pilot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Large-scale gains in downlink units: of the emulated air, which alone can know them. beta [n_ue]; behind the pilots'
 * tracks, where users share them. */
static int known_gains(const struct config *config, int id, double downlink, double *beta)
{
    const int n_ue = config->network.n_ue;
    double *beta_db = calloc((size_t)config->network.n_ap * (size_t)n_ue, sizeof *beta_db);
    if (!beta_db) {
        return error_set(TUTTI_ENOMEM, "out of memory for the large-scale gains");
    }
    const int status = channel_large_scale(config, beta_db);
    for (int k = 0; status >= 0 && k < n_ue; k++) {
        beta[k] = downlink * pow(10.0, beta_db[(size_t)id * (size_t)n_ue + (size_t)k] / 10.0);
    }
    free(beta_db);
    return status;
}

/* Estimates are told in downlink units although the uplink is measured. Between the two lie the powers and noise
 * figures of the radios as the configuration states them, over the air as well; that the channel is the same both ways
 * is calibration's business. */
static int create_estimate(struct capture *c, const struct config *config, int id)
{
    const int n_track = c->shared.n_pilot > 0 ? c->shared.n_track : c->n_ue;
    const size_t n_ue = (size_t)n_track;
    const double downlink = channel_downlink_snr_scale(config), uplink = channel_uplink_snr_scale(config);
    int *pilot_of_user = calloc(n_ue, sizeof *pilot_of_user);
    double *beta = calloc(n_ue, sizeof *beta);
    int status = pilot_of_user && beta ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the estimates");
    const bool known = config->pilots.large_scale == CONFIG_LS_KNOWN;
    if (status >= 0 && known) {
        status = known_gains(config, id, downlink, beta + c->shared.n_pilot);
    }
    if (status >= 0) {
        if (c->shared.n_pilot == 0) {
            pilot_assignment(config, c->frame, pilot_of_user);
        }
        const struct estimate_settings settings = {
            .n_ant = c->n_ant,
            .n_ue = n_track,
            .pilot_of_user = pilot_of_user,
            .in_turns = c->in_turns || c->shared.n_pilot > 0,
            .tracking_blocks = config->pilots.tracking_blocks,
            .uplink_to_downlink = sqrt(downlink / uplink),
            .beta_known = known ? beta : NULL,
            .interpolate = config->precoding.subband == CONFIG_SUBBAND_SMOOTH ? c->interpolate : NULL,
        };
        status = estimate_create(&c->estimate, c->frame, &settings);
    }
    free(pilot_of_user);
    free(beta);
    return status;
}

int capture_create(struct capture *c, const struct config *config, const struct frame *frame, int id)
{
    *c = (struct capture){.frame = frame,
                          .n_ant = config->network.n_ant,
                          .n_ue = config->network.n_ue,
                          .n_column = config_n_reported(config),
                          .in_turns = config_rotates(config)};
    int status = shared_create(&c->shared, config, frame->n_sb);
    if (status < 0) {
        return status;
    }
    const size_t n_ant = (size_t)c->n_ant, n_ue = (size_t)c->n_ue, n_sc = (size_t)frame->n_sc;
    const size_t n_column = (size_t)c->n_column, n_kept = n_ue + (size_t)c->shared.n_pilot;
    c->pilots = calloc(n_ant * (size_t)frame->n_pilot * n_sc, sizeof *c->pilots);
    c->silent = calloc(n_ant * n_sc, sizeof *c->silent);
    c->H_hat = calloc((size_t)frame->n_sb * n_ant * n_column, sizeof *c->H_hat);
    c->beta = calloc(n_column, sizeof *c->beta);
    c->error_variance = calloc(n_column, sizeof *c->error_variance);
    c->history = calloc(ESTIMATE_HISTORY(n_kept) + n_ue, sizeof *c->history);
    c->sequence = calloc(n_ue, sizeof *c->sequence);
    if (!c->history || !c->sequence || !c->pilots || !c->silent || !c->H_hat || !c->beta || !c->error_variance) {
        return error_set(TUTTI_ENOMEM, "out of memory for the estimates");
    }
    status = ofdm_create(&c->ofdm, frame);
    if (status >= 0) {
        status = interpolate_create(&c->interpolate, frame, INTERPOLATE_CHANNELS);
    }
    return status < 0 ? status : create_estimate(c, config, id);
}

void capture_destroy(struct capture *c)
{
    shared_destroy(&c->shared);
    estimate_destroy(c->estimate);
    interpolate_destroy(c->interpolate);
    ofdm_destroy(c->ofdm);
    free(c->pilots);
    free(c->silent);
    free(c->H_hat);
    free(c->beta);
    free(c->error_variance);
    free(c->history);
    free(c->sequence);
    *c = (struct capture){0};
}

/* The silent symbols of one block, as far as the span holds them. */
static void measure_noise(struct capture *c, const struct node_span *span, tutti_tick epoch, uint64_t block)
{
    const struct frame *f = c->frame;
    for (int g = 0; g < f->n_guard; g++) {
        const tutti_tick tick = frame_symbol_tick(f, epoch, block, f->guard_symbol[g]);
        if (!node_span_has(span, tick, f->n_symbol_samples)) {
            continue;
        }
        for (int a = 0; a < c->n_ant; a++) {
            ofdm_demodulate(c->ofdm, node_span_at(span, a, tick), c->silent + (size_t)a * (size_t)f->n_sc);
        }
        estimate_noise(c->estimate, c->silent);
    }
}

static bool has_pilots(const struct capture *c, const struct node_span *span, tutti_tick epoch, uint64_t block)
{
    const struct frame *f = c->frame;
    for (int t = 0; t < f->n_pilot; t++) {
        if (!node_span_has(span, frame_symbol_tick(f, epoch, block, f->pilot_symbol[t]), f->n_symbol_samples)) {
            return false;
        }
    }
    return true;
}

/* The averages so far, and in a schedule with turns whose pilot is which, go with a recording of the samples, and come
 * back from it: noted once what lies before the block
 * has been counted. */
static void keep_history(struct capture *c, struct node_radio *radio, uint64_t block)
{
    const int n = estimate_keep(c->estimate, c->history), n_turns = c->in_turns || c->shared.n_pilot > 0 ? c->n_ue : 0;
    for (int k = 0; k < n_turns; k++) {
        c->history[n + k] = c->sequence[k];
    }
    if (node_radio_history(radio, block, c->history, n + n_turns)) {
        estimate_recall(c->estimate, c->history, n);
        for (int k = 0; k < n_turns; k++) {
            c->sequence[k] = (int)c->history[n + k];
        }
    }
}

static void estimate_pilots(struct capture *c, const struct roster *roster)
{
    if (c->shared.n_pilot > 0) {
        shared_turns(&c->shared, c->estimate, c->sequence, roster);
        estimate_execute(c->estimate, c->pilots, c->shared.H, c->shared.beta, c->shared.error);
        shared_fold(&c->shared, c->estimate, c->H_hat, c->beta, c->error_variance);
        return;
    }
    if (c->in_turns) {
        estimate_turns(c->estimate, c->sequence);
    }
    estimate_execute(c->estimate, c->pilots, c->H_hat, c->beta, c->error_variance);
}

bool capture_execute(struct capture *c, const struct node_span *span, struct node_radio *radio, uint64_t block,
                     const int *sequence, const struct roster *roster)
{
    const struct frame *f = c->frame;
    const tutti_tick epoch = node_radio_epoch(radio);
    memcpy(c->sequence, sequence, (size_t)c->n_ue * sizeof *sequence);
    if (block > 0) {
        measure_noise(c, span, epoch, block - 1);
    }
    keep_history(c, radio, block);
    measure_noise(c, span, epoch, block);
    if (!has_pilots(c, span, epoch, block)) {
        return false;
    }
    for (int a = 0; a < c->n_ant; a++) {
        for (int t = 0; t < f->n_pilot; t++) {
            ofdm_demodulate(c->ofdm, node_span_at(span, a, frame_symbol_tick(f, epoch, block, f->pilot_symbol[t])),
                            c->pilots + ((size_t)a * (size_t)f->n_pilot + (size_t)t) * (size_t)f->n_sc);
        }
    }
    slave_delay(c->slave, true, c->n_ant * f->n_pilot, c->pilots);
    estimate_pilots(c, roster);
    c->delay_samples = estimate_delay_samples(c->estimate);
    ofdm_follow(c->ofdm, c->delay_samples);
    c->noise_power = estimate_noise_power(c->estimate);
    c->have = true;
    return true;
}
