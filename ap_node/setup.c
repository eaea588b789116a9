/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start-up and shut-down of the AP daemon. The radio is opened before hello is said, for from the welcome on the link
 * must be served. */
#include "ap_node/ap.h"
#include "base/error.h"
#include "base/log.h"
#include "mimo/precoder.h"
#include "node/join.h"
#include "node/realtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* Where the AP's own noise comes from: the system's entropy, or in emulation and replay the seed, so that runs repeat.
 */
static int create_streams(struct ap *ap)
{
    const struct config *c = ap->config;
    uint64_t seed = c->network.seed;
    if (!config_is_repeatable(c) && getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        return error_set(TUTTI_EIO, "no random numbers from the system for the artificial noise");
    }
    const struct streams_settings settings = {
        .n_sb = ap->frame.n_sb,
        .sc_per_sb = ap->frame.sc_per_sb,
        .n_ant = c->network.n_ant,
        .n_ue = c->network.n_ue,
        .room = config_stream_room(ap->config),
        .private_random = splitmix_make(seed, 0xA11C0000u + (uint64_t)ap->id),
        .network_seed = c->network.seed,
    };
    return streams_create(&ap->streams, &settings);
}

/* Until the central node's first message: what this AP's own file says. */
static struct ap_rules rules_of_config(const struct config *config)
{
    const int scheme = (int)config->precoding.scheme;
    return (struct ap_rules){
        .local_scheme = mimo_scheme_is_local(scheme) ? scheme : MIMO_PPZF,
        .upsilon = (float)config->precoding.upsilon,
        .power_mean = 1,
        .power_peak = 1,
        .stale_blocks = (uint64_t)config->engine.stale_blocks,
        .mute_blocks = (uint64_t)config->engine.mute_blocks,
    };
}

static int create_parts(struct ap *ap)
{
    const struct config *c = ap->config;
    const struct frame *f = &ap->frame;
    ap->sequence = calloc((size_t)c->network.n_ue, sizeof *ap->sequence);
    int status =
        ap->sequence ? slave_create(&ap->slave, c, f, ap->id) : error_set(TUTTI_ENOMEM, "out of memory for the pilots");
    if (status >= 0) {
        status = pulse_create(&ap->pulse, c, f, ap->id, ap->slave.notes);
    }
    if (status >= 0) { /* a slave's time may move by half a block when it finds its reference */
        const int n_block = ap->slave.follows ? 2 : 1;
        status = node_span_create(&ap->span, c->network.n_ant, n_block * f->n_block_samples + f->n_symbol_samples);
    }
    if (status >= 0) {
        status = capture_create(&ap->capture, c, f, ap->id);
    }
    if (status >= 0) {
        status = downlink_create(&ap->downlink, c, ap->id, f, config_stream_room(ap->config));
    }
    if (status >= 0) {
        status = create_streams(ap);
    }
    if (status >= 0) {
        status = accounts_create(&ap->accounts);
    }
    if (status >= 0) {
        status = sounder_create(&ap->sounder, c, config_radio_of(c, CONFIG_ROLE_AP, ap->id), f, ap->id);
    }
    if (status >= 0) {
        status = reciprocity_create(&ap->reciprocity, f->n_sb, c->network.n_ant, config_n_reported(c));
    }
    if (status >= 0) {
        status = uplink_create(&ap->uplink, c, f, ap->id);
    }
    if (status >= 0) {
        status = ap_link_create(&ap->link, c, ap->id, f->n_sb, config_stream_room(ap->config),
                                uplink_message_bytes(&ap->uplink), &ap->sounder, &ap->reciprocity);
    }
    if (status >= 0) {
        ap->capture.slave = ap->downlink.slave = ap->sounder.slave = &ap->slave;
        ap->link.notes = ap->slave.notes;
        ap->decision_samples = (f->pilot_symbol[f->n_pilot - 1] + 1) * f->n_symbol_samples;
        ap->lag = (uint64_t)f->lag_blocks;
        ap->choice = (struct choice){
            .lag = ap->lag,
            .source = {ap->link.inbox, ap->link.precoder_event, &ap->link.session, &ap->link.no_precoder},
            .rules = rules_of_config(c),
        };
    }
    return status;
}

int ap_create(struct ap *ap, const struct config *config, int id)
{
    char name[16];
    snprintf(name, sizeof name, "AP%d", id);
    log_set_component(name);
    ap->config = config;
    ap->id = id;
    const int status = frame_init(&ap->frame, config);
    return status < 0 ? status : create_parts(ap);
}

int ap_join(struct ap *ap)
{
    const struct config *c = ap->config;
    const struct config_engine *e = &c->engine;
    struct fh_welcome welcome = {0};
    int status = node_radio_open(&ap->radio, c, &ap->frame, CONFIG_ROLE_AP, ap->id, c->network.n_ant);
    if (status >= 0) {
        status = node_radio_check_lead(&ap->radio, e->tx_lead_us);
    }
    if (status >= 0) {
        status = node_join(&ap->link.peer, c, FH_ROLE_AP, ap->id, &welcome);
    }
    if (status >= 0) {
        status = ap_link_start(&ap->link, &welcome);
    }
    if (status >= 0) {
        status = node_radio_record(&ap->radio, c, CONFIG_ROLE_AP, ap->id, welcome.session, welcome.epoch);
    }
    if (status >= 0) {
        status = node_radio_start(&ap->radio, welcome.epoch);
    }
    if (status >= 0) {
        node_span_start(&ap->span, ap->radio.first);
        node_realtime(e, NODE_DUTY_SLOT, (unsigned)ap->id < e->ap_cores_count ? e->ap_cores[ap->id] : -1);
    }
    return status;
}

void ap_destroy(struct ap *ap)
{
    ap_link_destroy(&ap->link);
    node_radio_close(&ap->radio);
    node_span_destroy(&ap->span);
    pulse_destroy(&ap->pulse);
    slave_destroy(&ap->slave);
    capture_destroy(&ap->capture);
    sounder_destroy(&ap->sounder);
    uplink_destroy(&ap->uplink);
    reciprocity_destroy(&ap->reciprocity);
    streams_destroy(&ap->streams);
    downlink_destroy(&ap->downlink);
    accounts_destroy(ap->accounts);
    ap->accounts = NULL;
    free(ap->sequence);
    ap->sequence = NULL;
}

static void log_accounts(const struct ap *ap)
{
    const struct accounts_counters *c = accounts_counters(ap->accounts);
    log_write(LOG_INFO, "slot",
              "COUNTERS blocks=%llu fresh=%llu stale=%llu local_cb=%llu mute=%llu tx_late=%llu tx_cut=%llu missed=%llu "
              "untold=%llu scaled=%llu early=%llu on_time=%llu late=%llu no_precoder=%llu accounts_lost=%llu",
              (unsigned long long)ap->blocks, (unsigned long long)c->sent[WIRE_SENT_FRESH],
              (unsigned long long)c->sent[WIRE_SENT_STALE], (unsigned long long)c->sent[WIRE_SENT_LOCAL_CB],
              (unsigned long long)c->sent[WIRE_SENT_MUTE], (unsigned long long)c->sent[WIRE_SENT_LATE],
              (unsigned long long)c->sent[WIRE_SENT_CUT], (unsigned long long)c->sent[WIRE_SENT_MISSED],
              (unsigned long long)c->untold, (unsigned long long)c->scaled,
              (unsigned long long)c->arrival[WIRE_ARRIVAL_EARLY], (unsigned long long)c->arrival[WIRE_ARRIVAL_ON_TIME],
              (unsigned long long)c->arrival[WIRE_ARRIVAL_LATE], (unsigned long long)c->arrival[WIRE_ARRIVAL_NONE],
              (unsigned long long)c->overwritten);
}

void ap_log_counters(const struct ap *ap)
{
    char text[256];
    log_accounts(ap);
    node_radio_counters_text(&ap->radio.counters, text, sizeof text);
    log_write(LOG_INFO, "radio", "COUNTERS %s csi_dropped=%llu wakeups=%llu notes_lost=%llu", text,
              (unsigned long long)ap->csi_dropped, (unsigned long long)radio_wakeups(ap->radio.radio),
              (unsigned long long)radio_notes_lost(ap->radio.radio));
    if (ap->uplink.config) {
        log_write(LOG_INFO, "uplink", "COUNTERS sent=%llu missed=%llu dropped=%llu",
                  (unsigned long long)ap->uplink.sent, (unsigned long long)ap->uplink.missed,
                  (unsigned long long)ap->uplink.dropped);
    }
    ap_link_log_counters(&ap->link);
}
