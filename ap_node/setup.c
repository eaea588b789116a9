/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start-up and shut-down of the AP daemon: everything that allocates. */
#include "ap_node/ap.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "channel/channel.h"
#include "fronthaul/encoding.h"
#include "phy/pilot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { CSI_SLOTS = 8, PRECODER_SLOTS = 8 };

static tutti_cf32 *allocate(size_t n, int *status)
{
    tutti_cf32 *p = aligned_alloc(64, (n * sizeof(tutti_cf32) + 63u) / 64u * 64u);
    if (p) {
        memset(p, 0, n * sizeof *p);
    } else {
        *status = error_set(TUTTI_ENOMEM, "out of memory for the sample buffers");
    }
    return p;
}

static int create_buffers(struct ap *ap)
{
    const struct frame *f = &ap->frame;
    const size_t n_ant = (size_t)ap->n_ant, n_ue = (size_t)ap->n_ue, n_sc = (size_t)f->n_sc, n_sb = (size_t)f->n_sb;
    const size_t tail = (size_t)(f->n_block_samples - f->n_symbol * f->n_symbol_samples);
    const size_t symbol = (size_t)f->n_symbol_samples;
    int status = TUTTI_OK;
    for (size_t a = 0; a < n_ant; a++) {
        ap->rx[a] = allocate(tail > symbol ? tail : symbol, &status);
        ap->tx[a] = allocate(symbol, &status);
    }
    ap->pilots = allocate(n_ant * (size_t)f->n_pilot * n_sc, &status);
    ap->silent = allocate(n_ant * n_sc, &status);
    ap->H_hat = allocate(n_sb * n_ant * n_ue, &status);
    ap->V_local = allocate(n_sb * n_ant * n_ue, &status);
    ap->V_work = allocate(n_sb * n_ant * (n_ue + 1), &status);
    ap->noise_basis = allocate(n_sb * n_ant * n_ant, &status);
    ap->noise = allocate(n_sc, &status);
    ap->dl_pilots = allocate((size_t)f->n_dl_pilot * n_ue * n_sc, &status);
    ap->data = allocate(n_ue * (size_t)f->n_data_re, &status);
    ap->beacon = allocate(n_sc, &status);
    ap->x = allocate(n_ant * n_sc, &status);
    return status;
}

/* User k's downlink pilot is sequence k whatever the stream's place in a message, so users need not be told. */
static int fill_known_symbols(struct ap *ap)
{
    const struct frame *f = &ap->frame;
    const int tau = f->n_dl_pilot;
    int status = TUTTI_OK;
    tutti_cf32 *phi = allocate((size_t)(tau * tau), &status);
    tutti_cf32 *scrambling = allocate((size_t)f->n_sc, &status);
    if (status == TUTTI_OK) {
        pilot_sequences(tau, phi);
        pilot_scrambling(f->n_sc, scrambling);
        for (int t = 0; t < tau; t++) {
            for (int k = 0; k < ap->n_ue; k++) {
                pilot_symbol(tau, k, t, f->n_sc, phi, scrambling,
                             ap->dl_pilots + (size_t)((t * ap->n_ue + k) * f->n_sc));
            }
        }
        pilot_beacon(f->n_sc, ap->beacon);
    }
    free(phi);
    free(scrambling);
    return status;
}

static int create_estimate(struct ap *ap)
{
    const struct config *c = ap->config;
    int pilot_of_user[TUTTI_MAX_UE];
    double beta[TUTTI_MAX_UE];
    pilot_assignment(c, &ap->frame, pilot_of_user);
    const double downlink = channel_downlink_snr_scale(c), uplink = channel_uplink_snr_scale(c);
    const struct estimate_settings settings = {
        .n_ant = ap->n_ant,
        .n_ue = ap->n_ue,
        .pilot_of_user = pilot_of_user,
        .tracking_blocks = c->pilots.tracking_blocks,
        .uplink_to_downlink = sqrt(downlink / uplink),
        .beta_known = c->pilots.large_scale == CONFIG_LS_KNOWN ? beta : NULL,
    };
    if (settings.beta_known) {
        double *beta_db = malloc((size_t)(c->network.n_ap * ap->n_ue) * sizeof *beta_db);
        if (!beta_db) {
            return error_set(TUTTI_ENOMEM, "out of memory for the large-scale gains");
        }
        if (channel_large_scale(c, beta_db) < 0) {
            free(beta_db);
            return TUTTI_ECONFIG;
        }
        for (int k = 0; k < ap->n_ue; k++) {
            beta[k] = downlink * pow(10.0, beta_db[ap->id * ap->n_ue + k] / 10.0);
        }
        free(beta_db);
    }
    return estimate_create(&ap->estimate, &ap->frame, &settings);
}

static int create_link(struct ap *ap)
{
    struct ap_link *link = &ap->link;
    const struct frame *f = &ap->frame;
    struct wire_header largest = {
        .n_sb = (uint16_t)f->n_sb, .n_ant = (uint16_t)ap->n_ant, .n_stream = (uint16_t)ap->n_ue};
    encoding_of_network(&largest, ap->config, WIRE_CSI);
    link->id = (uint16_t)ap->id;
    link->n_sb = (uint16_t)f->n_sb;
    link->n_ant = (uint16_t)ap->n_ant;
    link->n_ue = (uint16_t)ap->n_ue;
    link->precoder_room = (size_t)f->n_sb * (size_t)ap->n_ant * (size_t)(ap->n_ue + 1);
    link->csi_event = rt_event_create();
    link->precoder_event = rt_event_create();
    if (link->csi_event < 0 || link->precoder_event < 0) {
        return error_set(TUTTI_EIO, "cannot create a wake-up descriptor");
    }
    int status = ring_create(&link->csi_out, CSI_SLOTS, sizeof(struct ap_message) + wire_csi_bytes(&largest));
    if (status >= 0) {
        status = ring_create(&link->precoders_in, PRECODER_SLOTS,
                             sizeof(struct ap_precoder) + link->precoder_room * sizeof(tutti_cf32));
    }
    const struct fh_hello hello = {.role = FH_ROLE_AP,
                                   .id = ap->id,
                                   .fingerprint = config_fingerprint(ap->config),
                                   .key_dir = config_key_dir(ap->config, ap->config->fronthaul.endpoint),
                                   .io_priority = ap->config->engine.realtime_priority};
    if (status >= 0) {
        status =
            fh_peer_create(&link->peer, ap->config->fronthaul.endpoint, &hello, config_peer_timeout_ms(ap->config));
    }
    if (status >= 0) {
        fh_peer_busy_poll(link->peer, ap->config->fronthaul.busy_poll_us);
    }
    return status;
}

/* Wait for the CPU node's welcome: it sets the epoch, so nothing can start before. */
static int wait_for_welcome(struct ap *ap)
{
    log_write(LOG_INFO, "link", "WAITING-FOR-CPU endpoint=%s", ap->config->fronthaul.endpoint);
    struct fh_event event;
    for (;;) {
        const int status = fh_peer_wait(ap->link.peer, -1, -1, &event);
        if (status < 0) {
            return status;
        }
        if (event.kind == FH_EVENT_STOP) {
            return TUTTI_ESTOPPED;
        }
        if (event.kind == FH_EVENT_REFUSED) {
            return TUTTI_EREFUSED;
        }
        if (event.kind == FH_EVENT_UP) {
            break;
        }
    }
    ap->at.epoch = event.welcome.epoch;
    atomic_store(&ap->link.session, event.welcome.session);
    log_write(LOG_INFO, "link", "WELCOME session=%u epoch_tick=%llu", event.welcome.session,
              (unsigned long long)event.welcome.epoch);
    return TUTTI_OK;
}

static int open_radio(struct ap *ap)
{
    const struct config *c = ap->config;
    const bool air = strcmp(c->radio.ap.backend, "air") == 0;
    const struct radio_settings settings = {
        .backend = c->radio.ap.backend,
        .args = air ? c->air.endpoint : c->radio.ap.args,
        .role = "ap",
        .id = ap->id,
        .n_ant = ap->n_ant,
        .sample_rate_hz = c->frame.sample_rate_hz,
        .chunk_samples = ap->frame.chunk_samples,
        .n_tx_buffer_samples = 3 * ap->frame.n_block_samples,
    };
    int status = radio_open(&ap->radio, &settings);
    tutti_tick first = 0;
    if (status >= 0) {
        status = radio_start(ap->radio, ap->at.epoch, &first);
    }
    if (status >= 0) {
        cursor_start(&ap->at, &ap->frame, ap->at.epoch, first);
    }
    return status;
}

/* Where in the frame the downlink is decided. A radio takes the samples of a chunk before it gives the chunk's own, so
 * the last symbol that ends before the chunk of the first downlink sample is the latest safe place. */
static void place_decision(struct ap *ap)
{
    const struct frame *f = &ap->frame;
    const int first_dl_sample = f->dl_symbol[0] * f->n_symbol_samples;
    const int chunk_start = first_dl_sample / f->chunk_samples * f->chunk_samples;
    const int last_pilot = f->pilot_symbol[f->n_pilot - 1];
    ap->decide_symbol = chunk_start / f->n_symbol_samples - 1;
    if (ap->decide_symbol < last_pilot) {
        ap->decide_symbol = last_pilot;
    }
    ap->lockstep = config_is_lockstep(ap->config, ap->config->radio.ap.backend);
    const double chunk_us = 1e6 * f->chunk_samples / f->sample_rate_hz;
    const double paced_us = chunk_us - ap->config->engine.tx_lead_us;
    ap->wait_us =
        ap->lockstep ? (int64_t)(ap->config->engine.lockstep_timeout_ms * 1e3) : (int64_t)(paced_us > 0 ? paced_us : 0);
}

static void apply_realtime(const struct ap *ap)
{
    const struct config_engine *e = &ap->config->engine;
    if ((unsigned)ap->id < e->ap_cores_count && rt_pin(e->ap_cores[ap->id]) < 0) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
    if (e->realtime_priority > 0 && (rt_priority(e->realtime_priority) < 0 || rt_lock_memory() < 0)) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
}

/* Where the AP's own noise comes from: the system's entropy, or in emulation the seed, so that runs repeat. */
static int seed_private_random(struct ap *ap)
{
    uint64_t seed = ap->config->network.seed;
    if (strcmp(ap->config->radio.ap.backend, "air") != 0 && getrandom(&seed, sizeof seed, 0) != sizeof seed) {
        return error_set(TUTTI_EIO, "no random numbers from the system for the artificial noise");
    }
    ap->private_random = splitmix_make(seed, 0xA11C0000u + (uint64_t)ap->id);
    return TUTTI_OK;
}

int ap_create(struct ap *ap, const struct config *config, int id)
{
    char name[16];
    snprintf(name, sizeof name, "AP%d", id);
    log_set_component(name);
    ap->config = config;
    ap->id = id;
    ap->n_ant = config->network.n_ant;
    ap->n_ue = config->network.n_ue;
    ap->link.csi_event = ap->link.precoder_event = -1;
    int status = frame_init(&ap->frame, config);
    if (status >= 0) {
        status = create_buffers(ap);
    }
    if (status >= 0) {
        status = seed_private_random(ap);
    }
    if (status >= 0) {
        status = fill_known_symbols(ap);
    }
    if (status >= 0) {
        status = ofdm_create(&ap->ofdm, &ap->frame);
    }
    if (status >= 0) {
        status = payload_create(&ap->payload, &ap->frame, &config->payload, config->network.seed);
    }
    if (status >= 0) {
        status = create_estimate(ap);
    }
    if (status >= 0) {
        status = create_link(ap);
    }
    if (status < 0) {
        return status;
    }
    const double backoff_db = config->radio.ap.tx_full_scale_dbm - config->radio.ap.tx_power_dbm;
    ap->tx_scale = (float)(sqrt((double)ap->frame.fft_size / ap->frame.n_sc) * pow(10.0, -backoff_db / 20.0));
    place_decision(ap);
    status = wait_for_welcome(ap);
    if (status >= 0) {
        status = open_radio(ap);
    }
    if (status < 0) {
        return status;
    }
    apply_realtime(ap);
    return link_start(ap);
}

void ap_destroy(struct ap *ap)
{
    link_stop(ap);
    radio_close(ap->radio);
    fh_peer_destroy(ap->link.peer);
    ring_destroy(ap->link.csi_out);
    ring_destroy(ap->link.precoders_in);
    estimate_destroy(ap->estimate);
    payload_destroy(ap->payload);
    ofdm_destroy(ap->ofdm);
    for (int a = 0; a < TUTTI_MAX_ANT; a++) {
        free(ap->rx[a]);
        free(ap->tx[a]);
    }
    free(ap->pilots);
    free(ap->silent);
    free(ap->H_hat);
    free(ap->V_local);
    free(ap->V_work);
    free(ap->noise_basis);
    free(ap->noise);
    free(ap->dl_pilots);
    free(ap->data);
    free(ap->beacon);
    free(ap->x);
}

void ap_print_counters(const struct ap *ap)
{
    const struct ap_counters *c = &ap->counters;
    if (!ap->frame.n_symbol) {
        return;
    }
    log_write(LOG_INFO, "slot",
              "COUNTERS blocks=%llu fresh=%llu stale=%llu local_cb=%llu mute=%llu early=%llu on_time=%llu late=%llu "
              "rx_gaps=%llu "
              "csi_dropped=%llu U=%llu O=%llu D=%llu S=%llu L=%llu",
              (unsigned long long)c->blocks, (unsigned long long)c->applied[WIRE_APPLIED_FRESH],
              (unsigned long long)c->applied[WIRE_APPLIED_STALE], (unsigned long long)c->applied[WIRE_APPLIED_LOCAL_CB],
              (unsigned long long)c->applied[WIRE_APPLIED_MUTE], (unsigned long long)c->arrival[WIRE_ARRIVAL_EARLY],
              (unsigned long long)c->arrival[WIRE_ARRIVAL_ON_TIME], (unsigned long long)c->arrival[WIRE_ARRIVAL_LATE],
              (unsigned long long)c->rx_gaps, (unsigned long long)c->csi_dropped, (unsigned long long)c->radio[0],
              (unsigned long long)c->radio[1], (unsigned long long)c->radio[2], (unsigned long long)c->radio[3],
              (unsigned long long)c->radio[4]);
    uint64_t refused = 0;
    for (int e = 0; e < WIRE_N_ERRORS; e++) {
        refused += ap->link.refused[e];
    }
    log_write(LOG_INFO, "link", "COUNTERS refused=%llu wrong_session=%llu ring_full=%llu", (unsigned long long)refused,
              (unsigned long long)ap->link.wrong_session, (unsigned long long)ap->link.ring_full);
    if (!ap->link.peer) {
        return;
    }
    struct fh_counters counters;
    fh_peer_counters(ap->link.peer, &counters);
    fh_counters_log(&counters, ap->config->fronthaul.endpoint);
}
