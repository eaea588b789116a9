/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start-up and shut-down of the user daemon: everything that allocates. */
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "phy/pilot.h"
#include "ue_node/ue.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPTURE_SLOTS = 8 };

/* The pilot symbols as samples, ready to send every block. */
static int modulate_pilots(struct ue *ue)
{
    const struct frame *f = &ue->frame;
    const int tau = f->n_pilot;
    const struct config_radio *radio = ue->settings;
    const double backoff_db = radio->tx_full_scale_dbm - radio->tx_power_dbm;
    const float scale = (float)(sqrt((double)f->fft_size / f->n_sc) * pow(10.0, -backoff_db / 20.0));
    tutti_cf32 *phi = calloc((size_t)(tau * tau), sizeof *phi);
    tutti_cf32 *scrambling = calloc((size_t)f->n_sc, sizeof *scrambling),
               *symbol = calloc((size_t)f->n_sc, sizeof *symbol);
    const bool ok = phi && scrambling && symbol;
    if (ok && ue->pilot_user >= 0) {
        int pilot_of_user[TUTTI_MAX_UE];
        pilot_assignment(ue->config, f, pilot_of_user);
        pilot_sequences(tau, phi);
        pilot_scrambling(f->n_sc, scrambling);
        for (int t = 0; t < tau; t++) {
            pilot_symbol(tau, pilot_of_user[ue->pilot_user], t, f->n_sc, phi, scrambling, symbol);
            ofdm_modulate(ue->ofdm, symbol, scale, ue->pilots + (size_t)t * (size_t)f->n_symbol_samples);
        }
    }
    free(phi);
    free(scrambling);
    free(symbol);
    return ok ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the pilots");
}

static int create_buffers(struct ue *ue)
{
    const struct frame *f = &ue->frame;
    const size_t symbol = (size_t)f->n_symbol_samples;
    const size_t tail = (size_t)(f->n_block_samples - f->n_symbol * f->n_symbol_samples);
    bool good = true;
    for (int a = 0; a < ue->n_ant; a++) {
        ue->rx[a] = calloc(tail > symbol ? tail : symbol, sizeof *ue->rx[a]);
        good = good && ue->rx[a];
    }
    ue->pilots = calloc((size_t)f->n_pilot * symbol, sizeof *ue->pilots);
    ue->silence = calloc(symbol, sizeof *ue->silence);
    ue->capture_event = rt_event_create();
    ue->room_event = rt_event_create();
    if (!good || !ue->pilots || !ue->silence || ue->capture_event < 0 || ue->room_event < 0) {
        return error_set(TUTTI_ENOMEM, "out of memory for the sample buffers");
    }
    return ring_create(&ue->captures, CAPTURE_SLOTS,
                       sizeof(struct ue_capture) + (size_t)(ue->n_ant * f->n_dl * f->n_sc) * sizeof(tutti_cf32));
}

static int wait_for_welcome(struct ue *ue)
{
    const struct fh_hello hello = {.role = ue->role == UE_EVE ? FH_ROLE_EVE : FH_ROLE_UE,
                                   .id = ue->id,
                                   .fingerprint = config_fingerprint(ue->config),
                                   .key_dir = config_key_dir(ue->config, ue->config->fronthaul.lab_endpoint)};
    const int status =
        fh_peer_create(&ue->lab, ue->config->fronthaul.lab_endpoint, &hello, config_peer_timeout_ms(ue->config));
    if (status < 0) {
        return status;
    }
    log_write(LOG_INFO, "lab", "WAITING-FOR-CPU endpoint=%s", ue->config->fronthaul.lab_endpoint);
    struct fh_event event;
    do {
        const int waited = fh_peer_wait(ue->lab, -1, -1, &event);
        if (waited < 0) {
            return waited;
        }
        if (event.kind == FH_EVENT_STOP) {
            return TUTTI_ESTOPPED;
        }
        if (event.kind == FH_EVENT_REFUSED) {
            return TUTTI_EREFUSED;
        }
    } while (event.kind != FH_EVENT_UP);
    ue->at.epoch = event.welcome.epoch;
    log_write(LOG_INFO, "lab", "WELCOME session=%u epoch_tick=%llu", event.welcome.session,
              (unsigned long long)event.welcome.epoch);
    return TUTTI_OK;
}

static int open_radio(struct ue *ue)
{
    const struct config *c = ue->config;
    const bool air = strcmp(ue->settings->backend, "air") == 0;
    const struct radio_settings settings = {
        .backend = ue->settings->backend,
        .args = air ? c->air.endpoint : ue->settings->args,
        .role = ue->role == UE_EVE ? "eve" : "ue",
        .id = ue->id,
        .n_ant = ue->n_ant,
        .sample_rate_hz = c->frame.sample_rate_hz,
        .chunk_samples = ue->frame.chunk_samples,
        .n_tx_buffer_samples = 3 * ue->frame.n_block_samples,
    };
    tutti_tick first = 0;
    int status = radio_open(&ue->radio, &settings);
    if (status >= 0) {
        status = radio_start(ue->radio, ue->at.epoch, &first);
    }
    if (status >= 0) {
        cursor_start(&ue->at, &ue->frame, ue->at.epoch, first);
    }
    return status;
}

/* A user: one antenna, its own pilot, its own stream. An eavesdropper: everybody's streams, and in an attack the
 * target's pilot, from its first antenna. */
static void take_role(struct ue *ue, const struct config *config, enum ue_role role, int id)
{
    ue->config = config;
    ue->role = role;
    ue->id = id;
    ue->n_ue = config->network.n_ue;
    if (role == UE_USER) {
        ue->settings = &config->radio.ue;
        ue->n_ant = 1;
        ue->wanted[ue->n_wanted++] = id;
        ue->pilot_user = id;
    } else {
        ue->settings = &config->radio.eve;
        ue->n_ant = config->eve.n_ant;
        for (int k = 0; k < ue->n_ue; k++) {
            ue->wanted[ue->n_wanted++] = k;
        }
        ue->pilot_user = config->eve.attack == CONFIG_ATTACK_PILOT ? config->eve.target_user : -1;
        ue->pilot_from_block = config->eve.from_block;
    }
    ue->lockstep = config_is_lockstep(config, ue->settings->backend);
}

int ue_create(struct ue *ue, const struct config *config, enum ue_role role, int id)
{
    char name[16];
    snprintf(name, sizeof name, role == UE_EVE ? "EVE%d" : "UE%d", id);
    log_set_component(name);
    take_role(ue, config, role, id);
    int status = frame_init(&ue->frame, config);
    if (status >= 0) {
        status = create_buffers(ue);
    }
    if (status >= 0) {
        status = ofdm_create(&ue->ofdm, &ue->frame);
    }
    if (status >= 0) {
        status = receiver_create(&ue->receiver, &ue->frame, config, ue->n_ant);
    }
    if (status >= 0) {
        status = modulate_pilots(ue);
    }
    if (status >= 0) {
        status = wait_for_welcome(ue);
    }
    if (status >= 0) {
        status = open_radio(ue);
    }
    if (status < 0) {
        return status;
    }
    if (config->engine.realtime_priority > 0 && rt_priority(config->engine.realtime_priority) < 0) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
    return report_start(ue);
}

void ue_destroy(struct ue *ue)
{
    report_stop(ue);
    radio_close(ue->radio);
    fh_peer_destroy(ue->lab);
    receiver_destroy(&ue->receiver);
    ofdm_destroy(ue->ofdm);
    ring_destroy(ue->captures);
    for (int a = 0; a < ue->n_ant; a++) {
        free(ue->rx[a]);
    }
    free(ue->silence);
    free(ue->pilots);
}

void ue_print_counters(const struct ue *ue)
{
    const struct ue_counters *c = &ue->counters;
    if (!ue->frame.n_symbol) {
        return;
    }
    log_write(LOG_INFO, "slot",
              "COUNTERS blocks=%llu captures_dropped=%llu rx_gaps=%llu code_blocks=%llu code_block_errors=%llu U=%llu "
              "O=%llu D=%llu "
              "S=%llu L=%llu",
              (unsigned long long)c->blocks, (unsigned long long)c->captures_dropped, (unsigned long long)c->rx_gaps,
              (unsigned long long)c->code_blocks, (unsigned long long)c->code_block_errors,
              (unsigned long long)c->radio[0], (unsigned long long)c->radio[1], (unsigned long long)c->radio[2],
              (unsigned long long)c->radio[3], (unsigned long long)c->radio[4]);
    if (!ue->lab) {
        return;
    }
    struct fh_counters counters;
    fh_peer_counters(ue->lab, &counters);
    fh_counters_log(&counters, ue->config->fronthaul.lab_endpoint);
}
