/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/radio.h"

#include "base/error.h"
#include "base/log.h"
#include "node/realtime.h"

#include <math.h>
#include <stdio.h>

/* Place of a note's letter in U O D S L; -1: none. */
static int letter_of(enum radio_note_kind kind)
{
    switch (kind) {
    case RADIO_NOTE_UNDERRUN:
        return 0;
    case RADIO_NOTE_OVERFLOW:
        return 1;
    case RADIO_NOTE_DROP:
        return 2;
    case RADIO_NOTE_SEQUENCE:
        return 3;
    case RADIO_NOTE_LATE:
        return 4;
    default:
        return -1;
    }
}

/* What lies furthest ahead when it is queued: after the downlink of one block the pilots, and the data or C symbols
 * behind them, of the block after next. No more than needed: what is used in turn stays in the cache. */
static int samples_ahead(const struct config *config, const struct frame *f)
{
    const bool data = config->uplink.mode != CONFIG_UPLINK_NONE && f->n_ul > 0;
    const int dl_end = f->n_dl > 0 ? (f->dl_symbol[f->n_dl - 1] + 1) * f->n_symbol_samples : 0;
    const int last_cal = f->n_cal > 0 ? f->cal_symbol[f->n_cal - 1] : -1;
    const int last_user = data ? f->ul_symbol[f->n_ul - 1] : f->n_pilot > 0 ? f->pilot_symbol[f->n_pilot - 1] : -1;
    const int last = last_user > last_cal ? last_user : last_cal;
    return (2 + f->lag_blocks) * f->n_block_samples - dl_end + (last + 1) * f->n_symbol_samples;
}

/* Bursts begin at symbols, so these must fall on the grid of the radio's timed operations. */
static int check_grid(const struct radio_info *info, const struct frame *f)
{
    if (f->n_symbol_samples % info->tick_multiple == 0 && f->n_block_samples % info->tick_multiple == 0) {
        return TUTTI_OK;
    }
    return error_set(TUTTI_ECONFIG,
                     "this radio's bursts must begin at multiples of %d samples; a symbol has %d, a block %d: choose "
                     "fft_size + n_cp_samples and block_us accordingly",
                     info->tick_multiple, f->n_symbol_samples, f->n_block_samples);
}

int node_radio_open(struct node_radio *radio, const struct config *config, const struct frame *frame,
                    enum config_role role, int id, int n_ant)
{
    const struct config_radio *c = config_radio_of(config, role, id);
    const struct radio_settings settings = {
        .backend = c->backend,
        .args = config_radio_args(config, c),
        .folder = config->folder,
        .role = config_role_name(role),
        .id = id,
        .n_ant = n_ant,
        .rate_hz = config->frame.sample_rate_hz,
        .master_clock_rate_hz = c->master_clock_rate_hz,
        .freq_hz = c->freq_hz,
        .bandwidth_hz = c->bandwidth_hz,
        .tx_gain_db = c->tx_gain_db,
        .rx_gain_db = c->rx_gain_db,
        .tx_antenna = c->tx_antenna,
        .rx_antenna = c->rx_antenna,
        .subdev = c->subdev,
        .channels = c->channels,
        .clock_source = c->clock_source,
        .time_source = c->time_source,
        .chunk_samples = frame->chunk_samples,
        .n_tx_buffer_samples = samples_ahead(config, frame),
        .priority = node_priority(&config->engine, NODE_DUTY_SLOT),
    };
    *radio = (struct node_radio){.frame = frame};
    const int status = radio_open(&radio->radio, &settings, &radio->info);
    return status ? status : check_grid(&radio->info, frame);
}

int node_radio_check_lead(const struct node_radio *radio, double lead_us)
{
    const struct radio_info *i = &radio->info;
    const struct frame *f = radio->frame;
    const double least_us = lead_us > i->lead_us ? lead_us : i->lead_us;
    if (i->paced && frame_lag_of(f, i->turnaround_samples, least_us) > f->lag_blocks) {
        return error_set(
            TUTTI_ECONFIG,
            "this radio must have a burst %.1f us before it is due, the frame leaves %.1f us from the last "
            "pilot (P) to handing over the first downlink symbol (D)%s: set engine.tx_lead_us to %.0f, and "
            "a block's precoder is applied in a later one, or put more symbols between P and D",
            least_us, frame_lead_window_us(f, i->turnaround_samples),
            f->lag_blocks ? " and the blocks that it is applied later" : "", ceil(least_us));
    }
    return TUTTI_OK;
}

int node_radio_record(struct node_radio *radio, const struct config *config, enum config_role role, int id,
                      uint64_t session, tutti_tick epoch)
{
    const struct node_iq_settings settings = {.config = config,
                                              .frame = radio->frame,
                                              .role = role,
                                              .id = id,
                                              .info = radio->info,
                                              .session = session,
                                              .epoch = epoch};
    return node_iq_create(&radio->iq, &settings);
}

bool node_radio_history(struct node_radio *radio, uint64_t block, double *values, int n)
{
    const bool recalled = radio_recall(radio->radio, block, values, n);
    if (radio->iq) {
        node_iq_history(radio->iq, block, values, n);
    }
    return recalled;
}

int node_radio_start(struct node_radio *radio, tutti_tick epoch)
{
    radio->epoch = epoch;
    const int status = radio_start(radio->radio, epoch, &radio->first);
    if (status < 0) {
        return status;
    }
    if (radio->first < epoch) {
        return error_set(TUTTI_EDEVICE, "the radio starts at sample %llu, before the epoch %llu of the network",
                         (unsigned long long)radio->first, (unsigned long long)epoch);
    }
    log_write(LOG_INFO, "radio", "STARTED first_tick=%llu rate_hz=%.0f paced=%d repeatable=%d turnaround_samples=%d",
              (unsigned long long)radio->first, radio->info.rate_hz, radio->info.paced, radio->info.repeatable,
              radio->info.turnaround_samples);
    return TUTTI_OK;
}

void node_radio_close(struct node_radio *radio)
{
    radio_close(radio->radio);
    radio->radio = NULL;
    node_iq_destroy(radio->iq);
    radio->iq = NULL;
}

int node_radio_note(struct node_radio *radio, struct radio_note *note)
{
    if (!radio_note(radio->radio, note)) {
        return 0;
    }
    const int letter = letter_of(note->kind);
    if (letter >= 0) {
        radio->counters.event[letter]++;
        radio->counters.last_tick[letter] = note->tick;
    } else {
        radio->counters.sent++;
    }
    return 1;
}

int node_radio_burst(struct node_radio *radio, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag)
{
    const int status = radio_burst(radio->radio, buffers, n, at, tag);
    radio->counters.refused += status < 0;
    return status;
}

int node_radio_burst_open(struct node_radio *radio, int n, tutti_tick at, uint64_t tag)
{
    const int status = radio_burst_open(radio->radio, n, at, tag);
    radio->counters.refused += status < 0;
    return status;
}

uint64_t node_radio_deadline_ns(const struct node_radio *radio, const struct radio_got *got, tutti_tick at,
                                double lead_us)
{
    const uint64_t latest_ns = radio_deadline_ns(&radio->info, got, at);
    const double more_us = lead_us - radio->info.lead_us;
    return more_us > 0 ? latest_ns - (uint64_t)(more_us * 1e3) : latest_ns;
}

void node_radio_counters_text(const struct node_radio_counters *c, char *text, size_t room)
{
    snprintf(text, room,
             "bursts_sent=%llu bursts_refused=%llu rx_gaps=%llu rx_lost=%llu U=%llu O=%llu D=%llu S=%llu L=%llu",
             (unsigned long long)c->sent, (unsigned long long)c->refused, (unsigned long long)c->gaps,
             (unsigned long long)c->lost, (unsigned long long)c->event[0], (unsigned long long)c->event[1],
             (unsigned long long)c->event[2], (unsigned long long)c->event[3], (unsigned long long)c->event[4]);
}
