/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Combinations of the emulated air, of what moves in it and of zones in it that cannot work. */
#include "base/config_check.h"
#include "base/endpoint.h"

#include <inttypes.h>
#include <string.h>

/* n rows of width numbers. */
static int check_shape(struct check *check, const char *key, const struct config_row *rows, unsigned count, int n,
                       const char *n_key, int width, const char *width_key)
{
    char path[CONFIG_PATH_ROOM], keys[2 * CONFIG_PATH_ROOM];
    snprintf(keys, sizeof(keys), "%s air.large_scale.model %s", key, n_key);
    if (count != (unsigned)n) {
        return config_fail(check->layers, keys, "%s has %u rows, %s = %d are needed", strrchr(key, '.') + 1, count,
                           n_key, n);
    }
    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%.100s[%u]", key, i);
        snprintf(keys, sizeof(keys), "%s %s", path, width_key);
        if (rows[i].value_count != (unsigned)width) {
            return config_fail(check->layers, keys, "row %u of %s has %u numbers, %d are needed%s%s", i,
                               strrchr(key, '.') + 1, rows[i].value_count, width,
                               *width_key ? ", one per " : " (x, y, z)", width_key);
        }
    }
    return 0;
}

/* Gains that change. */
static int check_gains_end(struct check *check)
{
    const struct config_gains *const g = &check->config->air.large_scale;
    const int n_ap = check->config->network.n_ap, n_ue = check->config->network.n_ue;
    if (g->gain_db_end_count == 0) {
        return 0;
    }
    if (g->model != CONFIG_GAIN_EXPLICIT) {
        return config_fail(check->layers, "air.large_scale.gain_db_end air.large_scale.model",
                           "gain_db_end is what gain_db becomes: air.large_scale.model must be explicit");
    }
    if (check->config->pilots.large_scale == CONFIG_LS_KNOWN) {
        return config_fail(check->layers, "air.large_scale.gain_db_end pilots.large_scale",
                           "gains that change are not known beforehand: pilots.large_scale must be tracked");
    }
    if (g->gain_db_end_to_block <= g->gain_db_end_from_block) {
        return config_fail(check->layers, "air.large_scale.gain_db_end_to_block air.large_scale.gain_db_end_from_block",
                           "gains change from block %" PRIu64 " to block %" PRIu64 ", which must be a later one",
                           g->gain_db_end_from_block, g->gain_db_end_to_block);
    }
    return check_shape(check, "air.large_scale.gain_db_end", g->gain_db_end, g->gain_db_end_count, n_ap, "network.n_ap",
                       n_ue, "network.n_ue");
}

int config_check_gains(struct check *check)
{
    const struct config_gains *const g = &check->config->air.large_scale;
    const int n_ap = check->config->network.n_ap, n_ue = check->config->network.n_ue;
    const int n_eve = check->config->network.n_eve;
    int rc = 0;
    if (g->model == CONFIG_GAIN_EXPLICIT) {
        rc = check_shape(check, "air.large_scale.gain_db", g->gain_db, g->gain_db_count, n_ap, "network.n_ap", n_ue,
                         "network.n_ue");
    }
    if (rc == 0 && g->model == CONFIG_GAIN_EXPLICIT && n_eve > 0) {
        rc = check_shape(check, "air.large_scale.eve_gain_db", g->eve_gain_db, g->eve_gain_db_count, n_ap,
                         "network.n_ap", n_eve, "network.n_eve");
    }
    rc = rc ? rc : check_gains_end(check);
    if (rc == 0 && g->model == CONFIG_GAIN_GEOMETRY && g->eve_positions_m_count) {
        rc = check_shape(check, "air.large_scale.eve_positions_m", g->eve_positions_m, g->eve_positions_m_count, n_eve,
                         "network.n_eve", 3, "");
    }
    if (rc) {
        return rc;
    }
    if (g->model == CONFIG_GAIN_GEOMETRY && g->ap_positions_m_count) {
        rc = check_shape(check, "air.large_scale.ap_positions_m", g->ap_positions_m, g->ap_positions_m_count, n_ap,
                         "network.n_ap", 3, "");
    }
    if (rc == 0 && g->model == CONFIG_GAIN_GEOMETRY && g->ue_positions_m_count) {
        rc = check_shape(check, "air.large_scale.ue_positions_m", g->ue_positions_m, g->ue_positions_m_count, n_ue,
                         "network.n_ue", 3, "");
    }
    return rc;
}

static bool is_impaired(const struct config_impairments *i)
{
    return i->gain_mismatch_db > 0 || i->phase_mismatch_deg > 0 || i->phase_drift_rad2_per_s > 0 || i->cfo_hz > 0 ||
           i->phase_noise_linewidth_hz > 0 || i->timing_offset_samples > 0 || i->timing_fraction_samples > 0 ||
           i->clip || i->adc_bits > 0;
}

/* The sample clock shares the crystal. */
static int check_clock(struct check *check, const struct config_impairments *i, double carrier_hz, const char *keys)
{
    const double most = 1e-4;
    if (carrier_hz > 0 && i->cfo_hz > most * carrier_hz) {
        return config_fail(check->layers, keys,
                           "%g Hz are %.0f millionths of %g Hz, and by these the emulated sample clock would be off: "
                           "100 are the most (freq_hz 0: it is right whatever cfo_hz is)",
                           i->cfo_hz, 1e6 * i->cfo_hz / carrier_hz, carrier_hz);
    }
    return 0;
}

int config_check_clocks(struct check *check)
{
    const struct config *const c = check->config;
    const int rc =
        check_clock(check, &c->air.impairments.ap, c->radio.ap.freq_hz, "air.impairments.ap.cfo_hz radio.ap.freq_hz");
    return rc ? rc
              : check_clock(check, &c->air.impairments.ue, c->radio.ue.freq_hz,
                            "air.impairments.ue.cfo_hz radio.ue.freq_hz");
}

/* Room for a port per antenna behind the first. */
static int check_zmq_ports(struct check *check, const char *key, const char *endpoint)
{
    const struct config_network *const n = &check->config->network;
    const int n_port = n->n_ap * n->n_ant + n->n_ue + n->n_eve * check->config->eve.n_ant;
    struct endpoint_tcp tcp;
    if (!endpoint_parse_tcp(endpoint, &tcp) || tcp.port + n_port - 1 > 65535) {
        return config_fail(check->layers, key, "'%.80s' is not tcp://ADDRESS:PORT with room for %d ports up to 65535",
                           endpoint, n_port);
    }
    return 0;
}

int config_check_tap(struct check *check)
{
    const struct config_tap *const tap = &check->config->air.tap;
    return *tap->endpoint ? check_zmq_ports(check, "air.tap.endpoint", tap->endpoint) : 0;
}

/* What tutti-air does not compute it cannot spoil, nor say what it was. */
int config_check_medium(struct check *check)
{
    const struct config_air *const air = &check->config->air;
    if (air->medium != CONFIG_MEDIUM_ZMQ) {
        return 0;
    }
    if (air->mode == CONFIG_AIR_PACED) {
        return config_fail(check->layers, "air.medium air.mode",
                           "medium zmq needs mode lockstep: a flowgraph does not keep real time");
    }
    if (*air->truth) {
        return config_fail(check->layers, "air.truth air.medium",
                           "with medium zmq nobody here knows the true channels");
    }
    if (is_impaired(&air->impairments.ap) || is_impaired(&air->impairments.ue)) {
        return config_fail(check->layers, "air.impairments air.medium",
                           "with medium zmq impairments are the flowgraph's business");
    }
    const int rc = check_zmq_ports(check, "air.zmq.tx", air->zmq.tx);
    return rc ? rc : check_zmq_ports(check, "air.zmq.rx", air->zmq.rx);
}

/* The slow clock's powers belong to conjugate beams that hold their budgets on average; fresh phases per subband allow
 * nothing between subbands. */
static int check_sensing_live(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_precoding *const p = &c->precoding;
    if (p->scheme != MIMO_CB || p->power != MIMO_POWER_MAXMIN || p->local || p->an != CONFIG_AN_NONE ||
        p->subband != CONFIG_SUBBAND_FLAT) {
        return config_fail(check->layers,
                           "sensing.live precoding.scheme precoding.power precoding.local precoding.an "
                           "precoding.subband",
                           "sensing goes with scheme cb, power maxmin (it sets the powers), local: false, an: none and "
                           "subband: flat");
    }
    if (c->scheduler.n_served > 0) {
        return config_fail(check->layers, "sensing.live scheduler.n_served",
                           "sensing serves all users: scheduler.n_served must be 0");
    }
    if (c->sensing.zones_m_count > CONFIG_EXTRA_STREAMS) {
        return config_fail(check->layers, "sensing.zones_m",
                           "%u zones, a precoder message has room for the streams of %d", c->sensing.zones_m_count,
                           CONFIG_EXTRA_STREAMS);
    }
    if (c->network.n_eve > 0 && c->eve.n_ant != 1) {
        return config_fail(check->layers, "sensing.live eve.n_ant",
                           "who stands in a zone has one antenna: eve.n_ant = %d", c->eve.n_ant);
    }
    if ((c->air.medium == CONFIG_MEDIUM_ZMQ || c->air.fading.model == CONFIG_FADING_FILE) && c->network.n_eve > 0) {
        return config_fail(check->layers, "sensing.live air.medium air.fading.model network.n_eve",
                           "lines of sight to zones are computed by tutti-air: air.medium must be own, and fading not "
                           "from a file");
    }
    return 0;
}

/* Lines of sight need a geometry; zones are points in it. */
int config_check_sensing(struct check *check)
{
    const struct config_sensing *const s = &check->config->sensing;
    if (s->zones_m_count == 0) {
        return 0;
    }
    if (check->config->air.large_scale.model != CONFIG_GAIN_GEOMETRY) {
        return config_fail(check->layers, "sensing.zones_m air.large_scale.model",
                           "zones are illuminated along lines of sight: air.large_scale.model must be geometry");
    }
    const int rc =
        check_shape(check, "sensing.zones_m", s->zones_m, s->zones_m_count, (int)s->zones_m_count, "", 3, "");
    return rc || !s->live ? rc : check_sensing_live(check);
}

int config_check_taps(struct check *check)
{
    const struct config_fading_model *const f = &check->config->air.fading;
    const int *const delays = f->tap_delays_samples;
    if (f->tap_delays_samples_count != f->tap_powers_db_count || f->tap_delays_samples_count == 0) {
        return config_fail(
            check->layers, "air.fading.tap_delays_samples air.fading.tap_powers_db",
            "tap_delays_samples has %u entries and tap_powers_db %u; as many of each are needed, at least one",
            f->tap_delays_samples_count, f->tap_powers_db_count);
    }
    for (unsigned i = 1; i < f->tap_delays_samples_count; i++) {
        char key[64];
        snprintf(key, sizeof(key), "air.fading.tap_delays_samples[%u]", i);
        if (delays[i] <= delays[i - 1]) {
            return config_fail(check->layers, key, "%d does not come after %d, delays must ascend", delays[i],
                               delays[i - 1]);
        }
    }
    return 0;
}

/* A file's channels stand for a block each, and its gains can only come from it. */
int config_check_played(struct check *check)
{
    const struct config_air *const air = &check->config->air;
    const bool plays = air->fading.model == CONFIG_FADING_FILE;
    if (plays && !*air->fading.file) {
        return config_fail(check->layers, "air.fading.file air.fading.model",
                           "model file plays channels from a file: name it");
    }
    if (plays && air->fading.variation != CONFIG_VARIATION_BLOCK) {
        return config_fail(check->layers, "air.fading.variation air.fading.model",
                           "a file has one channel for a block: variation must be block");
    }
    if (air->large_scale.model == CONFIG_GAIN_FILE && !plays) {
        return config_fail(check->layers, "air.large_scale.model air.fading.model",
                           "gains come from a file only with air.fading.model: file");
    }
    return 0;
}

/* Half the cyclic prefix is left to synchronisation. */
int config_check_delays(struct check *check)
{
    const struct config_air *const air = &check->config->air;
    const bool taps = air->fading.model == CONFIG_FADING_TDL;
    const int tap = taps ? air->fading.tap_delays_samples[air->fading.tap_delays_samples_count - 1] : 0;
    const int n_cp = check->config->frame.n_cp_samples;
    if (2 * (air->delay_samples + tap) >= n_cp) {
        return config_fail(check->layers,
                           taps ? "air.delay_samples air.fading.tap_delays_samples air.fading.model frame.n_cp_samples"
                                : "air.delay_samples frame.n_cp_samples",
                           "delay_samples = %d plus the longest tap = %d must be less than half of n_cp_samples = %d",
                           air->delay_samples, tap, n_cp);
    }
    return 0;
}

/* Nodes that an event names must be there. */
static int check_nodes(struct check *check, unsigned event, const char *role, const int *list, unsigned n, int n_role)
{
    for (unsigned i = 0; i < n; i++) {
        char key[64];
        snprintf(key, sizeof(key), "air.events[%u].%s[%u]", event, role, i);
        if (list[i] >= n_role) {
            return config_fail(check->layers, key, "there is no %s %d: network.n_%s = %d", role, list[i], role, n_role);
        }
    }
    return 0;
}

static int check_event(struct check *check, unsigned i, const struct config_event *event)
{
    const struct config_network *const net = &check->config->network;
    char key[64];
    snprintf(key, sizeof(key), "air.events[%u]", i);
    if (event->kind == CONFIG_EVENT_NONE) {
        return config_fail(check->layers, key, "an event needs its kind, such as kind: blockage");
    }
    if (event->to_block > 0 && event->to_block <= event->block) {
        return config_fail(check->layers, key, "to_block = %" PRIu64 " does not come after block = %" PRIu64,
                           event->to_block, event->block);
    }
    if (event->kind == CONFIG_EVENT_MOVE) {
        const int n_zone = (int)check->config->sensing.zones_m_count;
        return event->to_m_count == 3 && event->zone >= 0 && event->zone < n_zone
                   ? 0
                   : config_fail(check->layers, key,
                                 "a move needs zone:, less than the %d of sensing.zones_m, and to_m: [x, y, h]",
                                 n_zone);
    }
    if (event->ap_count == 0 || event->ue_count + event->eve_count == 0) {
        return config_fail(check->layers, key,
                           "a blockage needs ap: [...] and ue: [...] or eve: [...], the two ends of "
                           "the links that it weakens");
    }
    int rc = check_nodes(check, i, "ap", event->ap, event->ap_count, net->n_ap);
    rc = rc ? rc : check_nodes(check, i, "ue", event->ue, event->ue_count, net->n_ue);
    return rc ? rc : check_nodes(check, i, "eve", event->eve, event->eve_count, net->n_eve);
}

int config_check_events(struct check *check)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < check->config->air.events_count; i++) {
        rc = check_event(check, i, &check->config->air.events[i]);
    }
    return rc;
}

int config_check_adc(struct check *check)
{
    const int ap = check->config->air.impairments.ap.adc_bits, ue = check->config->air.impairments.ue.adc_bits;
    if (ap == 1 || ue == 1) {
        return config_fail(check->layers, ap == 1 ? "air.impairments.ap.adc_bits" : "air.impairments.ue.adc_bits",
                           "1 is not 0 (no quantisation) or 2..24");
    }
    return 0;
}
