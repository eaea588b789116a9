/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start-up and shut-down of the user daemon: everything that allocates. The radio is opened before hello is said. */
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "channel/hardware.h"
#include "fronthaul/control.h"
#include "node/join.h"
#include "node/pilots.h"
#include "node/realtime.h"
#include "phy/pilot.h"
#include "ue_node/ue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CAPTURE_SLOTS = 8 };

static enum config_role config_role_of(const struct ue *ue)
{
    return ue->role == UE_EVE ? CONFIG_ROLE_EVE : CONFIG_ROLE_UE;
}

/* The pilots of a block as one burst, silent in symbols between them that are not P. */
static int modulate_pilots(struct ue *ue)
{
    const struct frame *f = &ue->frame;
    const struct config_radio *radio = config_radio_of(ue->config, config_role_of(ue), ue->id);
    const float scale = node_tx_scale(f, radio->tx_power_dbm, radio->tx_full_scale_dbm);
    const size_t symbol = (size_t)f->n_symbol_samples;
    tutti_cf32 *packed = calloc((size_t)f->n_pilot * symbol, sizeof *packed);
    int status = packed ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the pilots");
    for (int q = 0; status >= 0 && ue->pilot_user >= 0 && q < ue->n_sequence; q++) {
        const struct roster *const first = roster_book_at(ue->rosters, 0);
        const int own = roster_sequence(ue->config, f, first, ue->pilot_user, 0);
        tutti_cf32 *const out = ue->pilots + (size_t)q * (size_t)ue->n_pilot_samples;
        status = node_pilots_uplink(f, ue->n_sequence > 1 || own < 0 ? q : own, scale, ue->ofdm, packed);
        for (int t = 0; status >= 0 && t < f->n_pilot; t++) {
            const size_t place = (size_t)(f->pilot_symbol[t] - f->pilot_symbol[0]);
            memcpy(out + place * symbol, packed + (size_t)t * symbol, symbol * sizeof *packed);
        }
    }
    for (int a = 0; a < ue->n_ant; a++) {
        ue->pilot_buffers[a] = a == 0 ? ue->pilots : ue->silence;
    }
    free(packed);
    return status;
}

static int create_buffers(struct ue *ue)
{
    const struct frame *f = &ue->frame;
    ue->n_pilot_samples = (f->pilot_symbol[f->n_pilot - 1] - f->pilot_symbol[0] + 1) * f->n_symbol_samples;
    ue->n_sequence = config_rotates(ue->config) || ue->config->cluster.enabled ? f->n_pilot : 1;
    ue->pilots = calloc((size_t)ue->n_sequence * (size_t)ue->n_pilot_samples, sizeof *ue->pilots);
    ue->roster = calloc(1, roster_bytes(ue->config));
    ue->n_stream = config_n_sequence(ue->config) + config_n_zone(ue->config);
    ue->user_of_stream = calloc((size_t)ue->n_stream, sizeof *ue->user_of_stream);
    ue->unscramble = calloc((size_t)f->n_sc, sizeof *ue->unscramble);
    ue->unbeacon = calloc((size_t)f->n_sc, sizeof *ue->unbeacon);
    ue->beacon = calloc((size_t)f->n_sc, sizeof *ue->beacon);
    ue->silence = calloc((size_t)ue->n_pilot_samples, sizeof *ue->silence);
    ue->turned = calloc((size_t)f->n_symbol * (size_t)f->n_symbol_samples, sizeof *ue->turned);
    ue->pilot_buffers = calloc((size_t)ue->n_ant, sizeof *ue->pilot_buffers);
    ue->measurements = calloc((size_t)ue->n_wanted, sizeof *ue->measurements);
    ue->text = calloc(CONTROL_MAX_BYTES + 1, 1);
    if (!ue->pilots || !ue->silence || !ue->turned || !ue->unscramble || !ue->unbeacon || !ue->beacon ||
        !ue->pilot_buffers || !ue->measurements || !ue->text || !ue->roster || !ue->user_of_stream) {
        return error_set(TUTTI_ENOMEM, "out of memory for the sample buffers");
    }
    delay_start(&ue->delay, f);
    pilot_scrambling(f->n_sc, ue->unscramble);
    pilot_beacon(f->n_sc, ue->unbeacon);
    for (int i = 0; i < f->n_sc; i++) {
        ue->unscramble[i] = conjf(ue->unscramble[i]);
        ue->unbeacon[i] = conjf(ue->unbeacon[i]);
    }
    int status = follow_create(&ue->follow, f, ue->role == UE_USER && f->reference_ap >= 0);
    status = status < 0 ? status
                        : node_span_create(&ue->span, ue->n_ant,
                                           ue->follow.active ? follow_search_samples(f) : f->n_block_samples);
    status = status < 0 ? status : roster_book_create(&ue->rosters, ue->config);
    status = status < 0 ? status : roster_book_create(&ue->own_rosters, ue->config);
    return status < 0 ? status
                      : ring_create(&ue->captures, CAPTURE_SLOTS,
                                    sizeof(struct ue_capture) +
                                        (size_t)ue->n_ant * (size_t)f->n_dl * (size_t)f->n_sc * sizeof(tutti_cf32));
}

/* A user: one antenna, its own pilot, its own stream. An eavesdropper: everybody's streams, and in an attack the
 * target's pilot, from its first antenna. */
static int take_role(struct ue *ue, const struct config *config, enum ue_role role, int id)
{
    ue->config = config;
    ue->role = role;
    ue->id = id;
    ue->n_ue = config->network.n_ue;
    ue->wanted = calloc((size_t)ue->n_ue, sizeof *ue->wanted);
    if (!ue->wanted) {
        return error_set(TUTTI_ENOMEM, "out of memory for the users");
    }
    if (role == UE_USER) {
        ue->n_ant = 1;
        ue->wanted[ue->n_wanted++] = id;
        ue->pilot_user = id;
        return TUTTI_OK;
    }
    ue->n_ant = config->eve.n_ant;
    for (int k = 0; k < ue->n_ue; k++) {
        ue->wanted[ue->n_wanted++] = k;
    }
    ue->pilot_user = config->eve.attack == CONFIG_ATTACK_PILOT ? config->eve.target_user : -1;
    ue->pilot_from_block = config->eve.from_block;
    return TUTTI_OK;
}

/* An eavesdropper's rate is judged by the best receiver it could have, too. On a shared pilot the gain's phase is not
 * the stream's: whoever follows would take the step behind the pilots for a frequency, and lose the stream. */
static int create_receiver(struct ue *ue)
{
    const struct receiver_settings settings = {.n_ant = ue->n_ant,
                                               .n_stream = ue->n_stream,
                                               .payload = &ue->config->payload,
                                               .seed = ue->config->network.seed,
                                               .smooth = ue->config->precoding.subband == CONFIG_SUBBAND_SMOOTH,
                                               .track_phase = ue->role == UE_USER && ue->config->sync.track_phase &&
                                                              !ue->config->cluster.enabled,
                                               .genie = ue->role == UE_EVE};
    return receiver_create(&ue->receiver, &ue->frame, &settings);
}

static int create_uplink(struct ue *ue)
{
    const struct config_radio *radio = config_radio_of(ue->config, CONFIG_ROLE_UE, ue->id);
    const float scale = node_tx_scale(&ue->frame, radio->tx_power_dbm, radio->tx_full_scale_dbm);
    return uplink_create(&ue->uplink, ue->config, &ue->frame, scale);
}

/* Only what emulation adds can be known here. */
static int set_advance(struct ue *ue)
{
    const struct frame *f = &ue->frame;
    if (!ue->follow.active || !config_has_emulated(ue->config)) {
        return TUTTI_OK;
    }
    const int room = f->n_block_samples + (f->pilot_symbol[0] - f->dl_symbol[f->n_dl - 1] - 1) * f->n_symbol_samples;
    ue->advance_samples = 2 * hardware_common_delay_samples(ue->config, CONFIG_ROLE_AP, CONFIG_ROLE_UE);
    if (ue->advance_samples > room) {
        return error_set(
            TUTTI_ECONFIG,
            "air.impairments: clocks differ by so much that pilots would have to be sent %d samples ahead, "
            "and from the downlink to the next pilot there are %d: smaller offsets, a higher "
            "radio.*.freq_hz or a lower cfo_hz (the drift), or fewer network.n_blocks",
            ue->advance_samples, room);
    }
    return TUTTI_OK;
}

static int create_parts(struct ue *ue)
{
    ue->capture_event = rt_event_create();
    ue->room_event = rt_event_create();
    int status = ue->capture_event < 0 || ue->room_event < 0 ? TUTTI_EIO : frame_init(&ue->frame, ue->config);
    if (status >= 0) {
        status = create_buffers(ue);
    }
    if (status >= 0) {
        status = ofdm_create(&ue->ofdm, &ue->frame);
    }
    if (status >= 0) {
        status = set_advance(ue);
    }
    if (status >= 0) {
        status = create_receiver(ue);
    }
    if (status >= 0) {
        status = modulate_pilots(ue);
    }
    return status < 0 || ue->role != UE_USER ? status : create_uplink(ue);
}

int ue_create(struct ue *ue, const struct config *config, enum ue_role role, int id)
{
    char name[16];
    snprintf(name, sizeof name, role == UE_EVE ? "EVE%d" : "UE%d", id);
    log_set_component(name);
    ue->capture_event = ue->room_event = -1;
    const int status = take_role(ue, config, role, id);
    return status < 0 ? status : create_parts(ue);
}

int ue_join(struct ue *ue)
{
    struct fh_welcome welcome = {0};
    const enum fh_role role = ue->role == UE_EVE ? FH_ROLE_EVE : FH_ROLE_UE;
    int status = node_radio_open(&ue->radio, ue->config, &ue->frame, config_role_of(ue), ue->id, ue->n_ant);
    if (status >= 0) {
        status = node_join(&ue->lab, ue->config, role, ue->id, &welcome);
    }
    if (status >= 0) {
        atomic_store(&ue->epoch, welcome.epoch);
        status = decode_start(ue);
    }
    if (status >= 0) {
        status = node_radio_record(&ue->radio, ue->config, config_role_of(ue), ue->id, welcome.session, welcome.epoch);
    }
    if (status >= 0) {
        status = node_radio_start(&ue->radio, welcome.epoch);
    }
    if (status >= 0) {
        node_span_start(&ue->span, ue->radio.first);
        node_realtime(&ue->config->engine, NODE_DUTY_SLOT, -1);
    }
    return status;
}

static void close_event(int *fd)
{
    if (*fd > 0) { /* never standard input: a zeroed struct has none */
        close(*fd);
    }
    *fd = -1;
}

void ue_destroy(struct ue *ue)
{
    decode_stop(ue);
    node_radio_close(&ue->radio);
    fh_peer_destroy(ue->lab);
    node_span_destroy(&ue->span);
    follow_destroy(&ue->follow);
    receiver_destroy(ue->receiver);
    uplink_destroy(&ue->uplink);
    ofdm_destroy(ue->ofdm);
    ring_destroy(ue->captures);
    close_event(&ue->capture_event);
    close_event(&ue->room_event);
    free(ue->wanted);
    free(ue->measurements);
    free(ue->pilots);
    free(ue->silence);
    free(ue->turned);
    free(ue->unscramble);
    free(ue->unbeacon);
    free(ue->beacon);
    roster_book_destroy(ue->rosters);
    roster_book_destroy(ue->own_rosters);
    free(ue->roster);
    free(ue->user_of_stream);
    free(ue->pilot_buffers);
    free(ue->text);
}

void ue_log_counters(const struct ue *ue)
{
    const struct ue_counters *c = &ue->counters;
    char text[256];
    node_radio_counters_text(&ue->radio.counters, text, sizeof text);
    log_write(LOG_INFO, "slot",
              "COUNTERS blocks=%llu missed=%llu captures_dropped=%llu code_blocks=%llu code_block_errors=%llu "
              "points_cut=%llu reports_lost=%llu",
              (unsigned long long)c->blocks, (unsigned long long)c->missed, (unsigned long long)c->captures_dropped,
              (unsigned long long)c->code_blocks, (unsigned long long)c->code_block_errors,
              (unsigned long long)c->points_cut, (unsigned long long)c->reports_lost);
    log_write(LOG_INFO, "radio", "COUNTERS %s wakeups=%llu notes_lost=%llu", text,
              (unsigned long long)radio_wakeups(ue->radio.radio),
              (unsigned long long)radio_notes_lost(ue->radio.radio));
    struct fh_counters counters;
    fh_peer_counters(ue->lab, &counters);
    fh_counters_log(&counters, ue->config->fronthaul.lab_endpoint);
}
