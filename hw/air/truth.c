/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/truth.h"

#include "base/error.h"
#include "base/h5file.h"
#include "base/log.h"
#include "base/output.h"
#include "channel/channel.h"
#include "channel/random.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH_BLOCKS = 50 };

struct truth {
    const struct links *links;
    h5file_t *file;
    int h, h_uplink, h_eve; /* dataset handles */
    int symbol;             /* whose coefficients count */
    int n_sb, n_ant, status;
    double rate_hz;
    double *centre_hz;                /* [n_sb] */
    double downlink_scale, eve_scale; /* channel_downlink_snr_scale */
    int n_eve_column;                 /* antennas of all eavesdroppers */
    uint64_t next_block;
    tutti_cf32 *row, *row_uplink; /* [n_sb][n_ap][n_ant][n_ue] */
    tutti_cf32 *row_eve;          /* [n_sb][n_ap][n_ant][n_eve_column] */
};

/* dB of a link, exceptions of the two radios included. */
static double gain_db(const struct links *l, int ap, int radio)
{
    const int ue = radio - l->n_ap;
    const double beta_db = ue < l->n_ue ? l->beta_db[ap * l->n_ue + ue] : l->eve_beta_db[ap * l->n_eve + ue - l->n_ue];
    return beta_db + links_offset_db(l, ap, radio);
}

static int put_gains(const truth_t *t, const struct config *config)
{
    const struct links *l = t->links;
    const size_t dims[2] = {(size_t)l->n_ap, (size_t)l->n_ue}, n = dims[0] * dims[1];
    double *beta = calloc(2 * n, sizeof *beta);
    if (!beta) {
        return error_set(TUTTI_ENOMEM, "no memory for %zu gains", n);
    }
    for (size_t i = 0; i < n; i++) {
        const int ap = (int)i / l->n_ue, ue = l->n_ap + (int)i % l->n_ue;
        const double uplink_db = l->beta_db[i] + links_offset_db(l, ue, ap);
        beta[i] = t->downlink_scale * pow(10, gain_db(l, ap, ue) / 10);
        beta[n + i] = channel_uplink_snr_scale(config) * pow(10, uplink_db / 10);
    }
    int status = h5file_put(t->file, "/beta", H5_F64, 2, dims, beta);
    status = status ? status : h5file_put(t->file, "/beta_uplink_snr", H5_F64, 2, dims, beta + n);
    free(beta);
    return status;
}

static int put_eve_gains(const truth_t *t)
{
    const struct links *l = t->links;
    const size_t dims[2] = {(size_t)l->n_ap, (size_t)l->n_eve}, n = dims[0] * dims[1];
    double *beta = calloc(n, sizeof *beta);
    if (!beta) {
        return error_set(TUTTI_ENOMEM, "no memory for %zu gains", n);
    }
    for (size_t i = 0; i < n; i++) {
        const int ap = (int)i / l->n_eve, eve = l->n_ap + l->n_ue + (int)i % l->n_eve;
        beta[i] = t->eve_scale * pow(10, gain_db(l, ap, eve) / 10);
    }
    const int status = h5file_put(t->file, "/eve/beta", H5_F64, 2, dims, beta);
    free(beta);
    return status;
}

static int declare_eve(truth_t *t)
{
    const size_t dims[4] = {(size_t)t->n_sb, (size_t)t->links->n_ap, (size_t)t->n_ant, (size_t)t->n_eve_column};
    const int status = put_eve_gains(t);
    if (status) {
        return status;
    }
    t->h_eve = h5file_declare(t->file, "/eve/H", H5_C64, 5, dims);
    return t->h_eve < 0 ? t->h_eve : TUTTI_OK;
}

/* Of a geometry: where everybody stands. */
static int put_positions(const truth_t *t, const struct config *config)
{
    const struct config_network *n = &config->network;
    const size_t ap[2] = {(size_t)n->n_ap, 3}, ue[2] = {(size_t)n->n_ue, 3}, eve[2] = {(size_t)n->n_eve, 3};
    if (config->air.large_scale.model != CONFIG_GAIN_GEOMETRY) {
        return TUTTI_OK;
    }
    double *const ap_m = calloc(3 * (ap[0] + ue[0] + eve[0]), sizeof *ap_m);
    if (!ap_m) {
        return error_set(TUTTI_ENOMEM, "no memory for positions");
    }
    double *const ue_m = ap_m + 3 * ap[0], *const eve_m = ue_m + 3 * ue[0];
    channel_positions(config, ap_m, ue_m);
    channel_eve_positions(config, ue_m, eve_m);
    int status = h5file_put(t->file, "/positions/ap_m", H5_F64, 2, ap, ap_m);
    status = status ? status : h5file_put(t->file, "/positions/ue_m", H5_F64, 2, ue, ue_m);
    if (!status && n->n_eve > 0) {
        status = h5file_put(t->file, "/positions/eve_m", H5_F64, 2, eve, eve_m);
    }
    free(ap_m);
    return status;
}

/* A new file, whatever is there already; never the recording's. */
static int begin_file(truth_t *t, const struct config *config)
{
    char name[PATH_MAX] = "";
    char *path = config_file_path(config, config->air.truth), *record = config_file_path(config, config->record.file);
    int status = path && record ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for the truth file's name");
    if (!status && output_same(path, record)) {
        status = error_set(TUTTI_ECONFIG, "air.truth and record.file are both %s: give them two names", path);
    }
    status = status ? status : output_begin(path, name, sizeof name);
    status = status ? status : h5file_create(&t->file, name);
    if (!status) {
        log_write(LOG_INFO, "air", "TRUTH file=%s", name);
    }
    free(path);
    free(record);
    return status;
}

/* What is scripted to happen: [event] kind, [event][2] first block and first block after (UINT64_MAX: none). */
static int put_events(const truth_t *t, const struct config *config)
{
    const size_t n = config->air.events_count, dims[2] = {n, 2};
    int32_t *kind = calloc(n + 1, sizeof *kind);
    uint64_t *block = calloc(2 * n + 1, sizeof *block);
    for (size_t i = 0; kind && block && i < n; i++) {
        const struct config_event *event = &config->air.events[i];
        kind[i] = (int32_t)event->kind;
        block[2 * i] = event->block;
        block[2 * i + 1] = event->to_block ? event->to_block : UINT64_MAX;
    }
    int status = kind && block ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for %zu events", n);
    if (!status && n > 0) {
        status = h5file_put(t->file, "/events/kind", H5_I32, 1, dims, kind);
        status = status ? status : h5file_put(t->file, "/events/blocks", H5_U64, 2, dims, block);
    }
    free(kind);
    free(block);
    return status;
}

static int declare(truth_t *t, const struct config *config)
{
    const struct links *l = t->links;
    const size_t dims[4] = {(size_t)t->n_sb, (size_t)l->n_ap, (size_t)t->n_ant, (size_t)l->n_ue};
    int status = begin_file(t, config);
    status = status ? status : put_gains(t, config);
    status = status ? status : put_positions(t, config);
    status = status ? status : put_events(t, config);
    if (status) {
        return status;
    }
    t->h = h5file_declare(t->file, "/H", H5_C64, 5, dims);
    t->h_uplink = h5file_declare(t->file, "/H_uplink", H5_C64, 5, dims);
    status = t->h < 0 ? t->h : t->h_uplink < 0 ? t->h_uplink : TUTTI_OK;
    if (!status && l->n_eve > 0) {
        status = declare_eve(t);
    }
    return status ? status : h5file_seal(t->file);
}

static int fill(truth_t *t, const struct config *config, const struct frame *frame)
{
    const struct links *l = t->links;
    const size_t n = (size_t)frame->n_sb * (size_t)l->n_ap * (size_t)config->network.n_ant * (size_t)l->n_ue;
    t->n_sb = frame->n_sb;
    t->n_ant = config->network.n_ant;
    t->n_eve_column = l->n_eve * config->eve.n_ant;
    t->rate_hz = frame->sample_rate_hz;
    t->downlink_scale = channel_downlink_snr_scale(config);
    t->eve_scale = channel_eve_downlink_snr_scale(config);
    t->symbol = l->changes_in_block && frame->n_dl > 0 ? frame->dl_symbol[frame->n_dl / 2] : 0;
    t->centre_hz = calloc((size_t)t->n_sb, sizeof *t->centre_hz);
    t->row = calloc(n, sizeof *t->row);
    t->row_uplink = calloc(n, sizeof *t->row_uplink);
    t->row_eve = calloc(n / (size_t)l->n_ue * (size_t)t->n_eve_column + 1, sizeof *t->row_eve);
    if (!t->centre_hz || !t->row || !t->row_uplink || !t->row_eve) {
        return error_set(TUTTI_ENOMEM, "no memory for %zu true channels", n);
    }
    for (int i = 0; i < frame->n_sc; i++) {
        t->centre_hz[i / frame->sc_per_sb] += frame_sc_hz(frame, i) / frame->sc_per_sb;
    }
    return declare(t, config);
}

int truth_create(truth_t **truth, const struct config *config, const struct frame *frame, const struct links *links)
{
    *truth = NULL;
    if (!config->air.truth || !config->air.truth[0]) {
        return TUTTI_OK;
    }
    truth_t *t = calloc(1, sizeof *t);
    if (!t) {
        return error_set(TUTTI_ENOMEM, "no memory for the truth file");
    }
    t->links = links;
    const int status = fill(t, config, frame);
    if (status) {
        truth_close(t);
        return status;
    }
    *truth = t;
    return TUTTI_OK;
}

/* conj(sum over taps of gain exp(-j 2 pi f delay)), in units of the downlink SNR scale snr. The link's amplitude holds
 * the two full scales, which cancel. */
static tutti_cf32 response(const truth_t *t, int tx, int rx, int p, int q, double frequency_hz, double snr)
{
    const struct links *l = t->links;
    const struct link *link = links_between(l, tx, rx);
    const int n_tx = l->radio[tx].n_ant, n_rx = l->radio[rx].n_ant;
    const double delay = links_delay_samples(l, tx, rx, l->block * (tutti_tick)l->n_block_samples);
    double re = 0, im = 0;
    for (int tap = 0; tap < l->n_tap; tap++) {
        double c, s;
        const tutti_cf32 g = link->gain[(tap * n_rx + q) * n_tx + p];
        random_phasor(-frequency_hz / t->rate_hz * (delay + l->tap_delay[tap]), &c, &s);
        re += (double)crealf(g) * c - (double)cimagf(g) * s;
        im += (double)crealf(g) * s + (double)cimagf(g) * c;
    }
    const double amplitude = (double)link->amplitude; /* 0 when the path gain underflows */
    const double scale = amplitude > 0 ? sqrt(snr) / amplitude : 0;
    return __builtin_complex((float)(scale * re), (float)(-scale * im));
}

static void fill_eve_row(truth_t *t)
{
    const struct links *l = t->links;
    size_t i = 0;
    for (int sb = 0; sb < t->n_sb; sb++) {
        for (int ap = 0; ap < l->n_ap; ap++) {
            for (int ant = 0; ant < t->n_ant; ant++) {
                for (int c = 0; c < t->n_eve_column; c++, i++) {
                    const int n_each = t->n_eve_column / l->n_eve, eve = c / n_each;
                    const double snr = t->eve_scale * pow(10, gain_db(l, ap, l->n_ap + l->n_ue + eve) / 10);
                    t->row_eve[i] = response(t, ap, l->n_ap + l->n_ue + eve, ant, c % n_each, t->centre_hz[sb], snr);
                }
            }
        }
    }
}

static void write_rows(truth_t *t)
{
    const struct links *l = t->links;
    size_t i = 0;
    for (int sb = 0; sb < t->n_sb; sb++) {
        for (int ap = 0; ap < l->n_ap; ap++) {
            for (int ant = 0; ant < t->n_ant; ant++) {
                for (int ue = 0; ue < l->n_ue; ue++, i++) {
                    const double snr = t->downlink_scale * pow(10, gain_db(l, ap, l->n_ap + ue) / 10);
                    t->row[i] = response(t, ap, l->n_ap + ue, ant, 0, t->centre_hz[sb], snr);
                    t->row_uplink[i] = response(t, l->n_ap + ue, ap, 0, ant, t->centre_hz[sb], snr);
                }
            }
        }
    }
    int status = h5file_write_row(t->file, t->h, l->block, t->row);
    status = status ? status : h5file_write_row(t->file, t->h_uplink, l->block, t->row_uplink);
    if (!status && l->n_eve > 0) {
        fill_eve_row(t);
        status = h5file_write_row(t->file, t->h_eve, l->block, t->row_eve);
    }
    if (!status && l->block % FLUSH_BLOCKS == 0) {
        status = h5file_flush(t->file);
    }
    t->status = status;
}

void truth_update(void *truth)
{
    truth_t *t = truth;
    if (t && !t->status && t->links->symbol == t->symbol && t->links->block >= t->next_block) {
        write_rows(t);
        t->next_block = t->links->block + 1;
    }
}

int truth_close(truth_t *t)
{
    if (!t) {
        return TUTTI_OK;
    }
    const int status = t->status;
    h5file_close(t->file);
    free(t->centre_hz);
    free(t->row);
    free(t->row_uplink);
    free(t->row_eve);
    free(t);
    return status;
}
