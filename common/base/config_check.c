/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a number may be, and which combinations cannot work. */
#include "base/config_internal.h"
#include "base/endpoint.h"
#include "base/frame.h"
#include "base/output.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Ranges ---------------------------------------------------------------------------------------------------------- */

#define IMPAIRMENT_RANGES(end)                                                                                         \
    {"air.impairments." end ".gain_mismatch_db", 0, 20, ""},                                                           \
        {"air.impairments." end ".phase_mismatch_deg", 0, 180, ""}, {"air.impairments." end ".cfo_hz", 0, 1e6, ""},    \
        {"air.impairments." end ".phase_drift_rad2_per_s", 0, 1e3, ""},                                                \
        {"air.impairments." end ".phase_noise_linewidth_hz", 0, 1e5, ""},                                              \
        {"air.impairments." end ".timing_offset_samples", 0, 4096, ""},                                                \
        {"air.impairments." end ".timing_fraction_samples", 0, 0.5, ""},                                               \
    {                                                                                                                  \
        "air.impairments." end ".adc_bits", 0, 24, "0 for none or 2..24"                                               \
    }
#define RADIO_RANGES(end)                                                                                              \
    {"radio." end ".tx_power_dbm", -100, 80, ""}, {"radio." end ".noise_figure_db", 0, 60, ""},                        \
        {"radio." end ".tx_full_scale_dbm", -100, 100, ""}, {"radio." end ".rx_full_scale_dbm", -150, 60, ""},         \
        {"radio." end ".master_clock_rate_hz", 0, 1e9, "0 for the radio's own"},                                       \
        {"radio." end ".freq_hz", 0, 1e11, ""}, {"radio." end ".bandwidth_hz", 0, 1e9, "0 for the radio's own"},       \
        {"radio." end ".tx_gain_db", -100, 200, ""},                                                                   \
    {                                                                                                                  \
        "radio." end ".rx_gain_db", -100, 200, ""                                                                      \
    }

static const struct config_range ranges[] = {
    {"network.seed", 0, 9007199254740992, ""}, /* 2^53: JSON and Python carry it exactly */
    {"network.n_ap", 1, TUTTI_MAX_AP, ""},
    {"network.n_ant", 1, TUTTI_MAX_ANT, ""},
    {"network.n_ue", 1, TUTTI_MAX_UE, ""},
    {"network.n_eve", 0, 8, ""},
    {"network.n_blocks", 0, 1e12, "0 for until stopped"},
    {"frame.sample_rate_hz", 1e4, 250e6, ""},
    {"frame.fft_size", 64, 8192, "a product of powers of 2, 3 and 5"},
    {"frame.n_used_subcarriers", 2, TUTTI_MAX_SC, "even"},
    {"frame.n_cp_samples", 1, 8191, ""},
    {"frame.block_us", 100, 1e6, ""},
    {"frame.n_dl_pilot_symbols", 1, TUTTI_MAX_SYMBOL, ""},
    {"frame.subcarriers_per_subband", 1, TUTTI_MAX_SC, ""},
    {"pilots.assignment", 0, TUTTI_MAX_SYMBOL - 1, ""},
    {"pilots.tracking_blocks", 1, 1000000, ""},
    {"payload.max_code_block_bits", 40, 65536, ""},
    {"precoding.upsilon", 0, 1, ""},
    {"precoding.average_blocks", 1, 10000, ""},
    {"precoding.ob_gap", 1e-6, 0.5, ""},
    {"precoding.an_share", 0, 0.99, ""},
    {"precoding.an_target_sinr_db", -50, 100, ""},
    {"sync.reference_ap", 0, TUTTI_MAX_AP - 1, ""},
    {"sync.linewidth_hz", 1e-6, 1e3, ""},
    {"sync.frequency_walk", 1e-6, 1e6, ""},
    {"uplink.n_workers", 1, 64, ""},
    {"calibration.n_repeats", 1, 100000, ""},
    {"eve.n_ant", 1, 8, ""},
    {"eve.target_user", 0, TUTTI_MAX_UE - 1, ""},
    {"eve.from_block", 0, 1e12, ""},
    {"scheduler.n_served", 0, TUTTI_MAX_UE, "0 for all users"},
    {"scheduler.blocks", 1, 1000000, ""},
    {"scheduler.average_blocks", 1, 1000, ""},
    {"scheduler.always", 0, TUTTI_MAX_UE - 1, ""},
    {"cluster.pilots", 1, TUTTI_MAX_UE, ""},
    {"cluster.hysteresis_db", 0, 100, ""},
    {"cluster.every_blocks", 20, 1000000, ""},
    {"cluster.max_aps", 0, TUTTI_MAX_AP, "0 for no limit"},
    {"resilience.w_sec", 0, 1, ""},
    {"resilience.w_qos", 0, 1, ""},
    {"resilience.r_min", 0, 100, ""},
    {"resilience.r_des", 0.01, 100, ""},
    {"resilience.s_des", 0.01, 100, ""},
    {"resilience.lam_abs", 0, 1, ""},
    {"resilience.lam_ada", 0, 1, ""},
    {"resilience.lam_rec", 0, 1, ""},
    {"resilience.n_max", 1, 1000, ""},
    {"resilience.average_blocks", 1, 10000, ""},
    {"resilience.step_blocks", 0, 10000, "0 for as soon as computed"},
    {"resilience.desired_recovery_ms", 0.001, 1e6, ""},
    {"engine.gather_deadline_us", 1, 1e9, ""},
    {"engine.block_budget_us", 0, 1e9, "0 for no limit"},
    {"engine.n_workers", 1, 64, ""},
    {"engine.solve_cores", 0, 1023, ""},
    {"engine.stale_blocks", 0, 1000000, ""},
    {"engine.mute_blocks", 0, 1000000000, ""},
    {"engine.tx_lead_us", 0, 1e6, ""},
    {"engine.lag_blocks", 0, 4, ""},
    {"engine.on_time_us", 0, 1e6, ""},
    {"engine.lockstep_timeout_ms", 1, 3.6e6, ""},
    {"engine.peer_timeout_ms", 10, 3.6e6, ""},
    {"engine.user_silent_blocks", 1, 1000000000, ""},
    {"engine.realtime_priority", 0, 99, ""},
    {"engine.attack_alarms_per_hour", 1e-9, 1000, ""},
    {"engine.ap_cores", 0, 1023, ""},
    {"sensing.zones_m", -1e6, 1e6, ""},
    {"sensing.nu", 1e-9, 1e9, ""},
    {"sensing.kappa_db", -100, 100, ""},
    {"sensing.qos_db", -100, 100, ""},
    {"sensing.d_over_lambda", 1e-3, 100, ""},
    {"fronthaul.mantissa_bits", 9, 14, ""},
    {"fronthaul.busy_poll_us", 0, 1e6, "0 for none"},
    {"fronthaul.faults.loss", 0, 1, ""},
    {"fronthaul.faults.delay_us", 0, 1e6, ""},
    {"fronthaul.faults.jitter_us", 0, 1e6, ""},
    {"fronthaul.faults.reorder", 0, 1, ""},
    {"fronthaul.faults.silent_ap", -1, TUTTI_MAX_AP - 1, "-1 for none"},
    {"fronthaul.faults.partition_ap", -1, TUTTI_MAX_AP - 1, "-1 for none"},
    {"fronthaul.faults.from_block", 0, 1e12, ""},
    {"fronthaul.faults.to_block", 0, 1e12, "0 for the end"},
    {"record.constellation_points", 0, 65536, ""},
    {"record.iq.from_block", 0, 1e12, ""},
    {"record.iq.n_blocks", 0, 1e12, "0 for all"},
    RADIO_RANGES("ap"),
    RADIO_RANGES("ue"),
    RADIO_RANGES("eve"),
    {"radio.ap.id", 0, TUTTI_MAX_AP - 1, ""}, /* of radio.ap_list; its other keys have the ranges of radio.ap */
    {"radio.ue.id", 0, TUTTI_MAX_UE - 1, ""},
    {"radio.eve.id", 0, TUTTI_MAX_UE - 1, ""},
    {"air.chunk_samples", 0, 1e8, "0 for the largest that fits"},
    {"air.radio_timeout_ms", 1, 3.6e6, ""},
    {"air.zmq.stall_ms", 1, 3.6e6, ""},
    {"air.large_scale.snr_db", -100, 150, ""},
    {"air.large_scale.eve_snr_db", -100, 150, ""},
    {"air.large_scale.ap_snr_db", -100, 150, ""},
    {"air.large_scale.gain_db", -300, 100, ""},
    {"air.large_scale.gain_db_end", -300, 100, ""},
    {"air.large_scale.gain_db_end_from_block", 0, 9007199254740992, ""},
    {"air.large_scale.gain_db_end_to_block", 0, 9007199254740992, ""},
    {"air.large_scale.eve_gain_db", -300, 100, ""},
    {"air.large_scale.area_m", 1, 1e6, ""},
    {"air.large_scale.ap_positions_m", -1e6, 1e6, ""},
    {"air.large_scale.ue_positions_m", -1e6, 1e6, ""},
    {"air.large_scale.eve_positions_m", -1e6, 1e6, ""},
    {"air.large_scale.eve_radius_m", 0, 1e6, ""},
    {"air.large_scale.ap_height_m", 0, 1e5, ""},
    {"air.large_scale.ue_height_m", 0, 1e5, ""},
    {"air.large_scale.reference_db", -200, 50, ""},
    {"air.large_scale.exponent", 0, 10, ""},
    {"air.large_scale.shadowing_db", 0, 40, ""},
    {"air.fading.rician_k_db", -100, 100, ""},
    {"air.fading.tap_delays_samples", 0, 4095, ""},
    {"air.fading.tap_powers_db", -200, 100, ""},
    {"air.fading.doppler_hz", 0, 1e5, ""},
    {"air.fading.seed", 0, 9007199254740992, ""},
    {"air.fading.row_blocks", 1, 1000000000, ""},
    {"air.large_scale.drop_seed", 0, 9007199254740992, ""},
    {"air.large_scale.shadowing_seed", 0, 9007199254740992, ""},
    {"cpus.aps", 0, TUTTI_MAX_AP - 1, ""},
    {"partners.help_db", 0, 100, ""},
    {"partners.hysteresis_db", 0, 40, ""},
    {"partners.hysteresis_blocks", 1, 100000, ""},
    {"partners.lead_blocks", 1, 1000, ""},
    {"partners.weights_every_blocks", 1, 100000, ""},
    {"air.delay_samples", 0, 4095, ""},
    {"air.events.block", 0, 1e12, ""},
    {"air.events.to_block", 0, 1e12, "0 for the end"},
    {"air.events.ap", 0, TUTTI_MAX_AP - 1, ""},
    {"air.events.ue", 0, TUTTI_MAX_UE - 1, ""},
    {"air.events.eve", 0, TUTTI_MAX_UE - 1, ""},
    {"air.events.loss_db", -100, 300, ""},
    {"air.events.zone", 0, TUTTI_MAX_UE - 1, ""},
    {"air.events.to_m", -1e6, 1e6, ""},
    IMPAIRMENT_RANGES("ap"),
    IMPAIRMENT_RANGES("ue"),
};

const char *config_bare_path(const char *path, char bare[CONFIG_PATH_ROOM])
{
    size_t n = 0;
    for (int inside = 0; *path && n + 1 < CONFIG_PATH_ROOM; path++) {
        inside += *path == '[';
        if (!inside) {
            bare[n++] = *path;
        }
        inside -= *path == ']';
    }
    bare[n] = '\0';
    return bare;
}

const struct config_range *config_range_find(const char *path)
{
    char single[CONFIG_PATH_ROOM];
    const char *const list = strstr(path, "_list.");
    if (list) {
        snprintf(single, sizeof(single), "%.*s%s", (int)(list - path), path, list + strlen("_list"));
        path = single;
    }
    for (size_t i = 0; i < CYAML_ARRAY_LEN(ranges); i++) {
        if (strcmp(ranges[i].path, path) == 0) {
            return &ranges[i];
        }
    }
    return NULL;
}

/* Combinations ---------------------------------------------------------------------------------------------------- */

struct check {
    struct config_layers *layers;
    const struct config *config;
    struct frame frame; /* as check_frame finds it */
};

static int check_frame(struct check *check)
{
    struct frame_fault fault;
    const int status = frame_plan(&check->frame, check->config, &fault);
    return status < 0 ? config_fail(check->layers, fault.keys, "%s", fault.text) : 0;
}

/* Users on one pilot cannot be told apart by power. */
static int check_pilots(struct check *check)
{
    const struct config_pilots *const pilots = &check->config->pilots;
    const int n_ue = check->config->network.n_ue, tau = check->frame.n_pilot;
    int user_of[TUTTI_MAX_SYMBOL];
    memset(user_of, -1, sizeof(user_of));
    if (config_rotates(check->config) || check->config->cluster.enabled) {
        return 0; /* never two at a time, or told apart by the blocks in which one is alone */
    }
    for (int k = 0; k < n_ue; k++) {
        const int pilot = pilots->assignment_count ? pilots->assignment[k] : k % tau;
        if (user_of[pilot] >= 0 && pilots->large_scale != CONFIG_LS_KNOWN) {
            return config_fail(
                check->layers, "pilots.assignment frame.schedule network.n_ue pilots.large_scale",
                "users %d and %d share pilot %d (%d users, %d pilot symbols), which needs pilots.large_scale: known",
                user_of[pilot], k, pilot, n_ue, tau);
        }
        user_of[pilot] = k;
    }
    return 0;
}

static int check_payload(struct check *check)
{
    /* a byte of information, CRC-32 and 6 tail bits at rate 1/2 */
    const int least = 2 * (8 + 32 + 6);
    const int bits_per_symbol = 2 * ((int)check->config->payload.modulation + 1);
    const int coded = check->frame.n_data_re * bits_per_symbol;
    if (coded < least) {
        return config_fail(check->layers,
                           "frame.schedule frame.n_dl_pilot_symbols frame.n_used_subcarriers payload.modulation",
                           "a block carries %d coded bits per user, the shortest code block needs %d", coded, least);
    }
    return 0;
}

/* What the table of precoders allows (base/schemes.h). */
static int check_scheme(struct check *check)
{
    const struct config_network *const n = &check->config->network;
    const struct config_precoding *const p = &check->config->precoding;
    char text[256];
    if (!mimo_scheme_allows((int)p->scheme, (int)p->power)) {
        return config_fail(check->layers, "precoding.power precoding.scheme", "scheme: %s goes with power: %s",
                           mimo_scheme_name((int)p->scheme), mimo_power_list((int)p->scheme, text, sizeof(text)));
    }
    if (p->local && !mimo_scheme_is_local((int)p->scheme)) {
        return config_fail(check->layers, "precoding.local precoding.scheme",
                           "an AP cannot build the beams of %s alone; local: true goes with scheme: %s",
                           mimo_scheme_name((int)p->scheme), mimo_scheme_list_local(text, sizeof(text)));
    }
    if (p->local && p->power != MIMO_POWER_EQUAL_SHARES) {
        return config_fail(check->layers, "precoding.local precoding.power",
                           "local: true goes with power: equal_shares (or, for short, equal)");
    }
    if (mimo_scheme_check_antennas((int)p->scheme, n->n_ap, n->n_ant, n->n_ue) == 0) {
        return 0;
    }
    snprintf(text, sizeof(text), "%s", error_text());
    return config_fail(check->layers,
                       mimo_scheme_row((int)p->scheme)->antennas == MIMO_ANTENNAS_AP
                           ? "precoding.scheme network.n_ant network.n_ue"
                           : "precoding.scheme network.n_ap network.n_ant network.n_ue",
                       "%s", text);
}

static int check_precoding(struct check *check)
{
    const struct config_network *const n = &check->config->network;
    const struct config_precoding *const p = &check->config->precoding;
    if (p->local && p->an == CONFIG_AN_PHASE_ONLY) {
        return config_fail(
            check->layers, "precoding.local precoding.an",
            "phase_only noise needs all APs' estimates at the CPU node; local: true goes with none, nullspace");
    }
    if (p->local && p->an != CONFIG_AN_NONE && p->an_policy == CONFIG_AN_ADAPTIVE) {
        return config_fail(check->layers, "precoding.an_policy precoding.local",
                           "adaptive needs the precoders at the CPU node; local: true goes with an_policy: fixed");
    }
    if (p->average_blocks > 1 && !(MIMO_RLSPA_POWER & MIMO_ONLY(p->power))) {
        return config_fail(check->layers, "precoding.average_blocks precoding.power",
                           "powers are averaged with power: rlspa_wc, rlspa_wiener; power: %s goes with 1",
                           mimo_power_name((int)p->power));
    }
    if (p->an != CONFIG_AN_NONE && n->n_ue >= TUTTI_MAX_STREAM) {
        return config_fail(check->layers, "precoding.an network.n_ue",
                           "the noise is a stream too: at most %d users with it, n_ue = %d", TUTTI_MAX_STREAM - 1,
                           n->n_ue);
    }
    return 0;
}

static int check_engine(struct check *check)
{
    const struct config *const c = check->config;
    if (c->engine.solve_cores_count && c->engine.solve_cores_count != (unsigned)c->engine.n_workers) {
        return config_fail(check->layers, "engine.solve_cores engine.n_workers",
                           "solve_cores has %u entries for n_workers = %d; one core per worker or []",
                           c->engine.solve_cores_count, c->engine.n_workers);
    }
    if (c->engine.ap_cores_count && c->engine.ap_cores_count != (unsigned)c->network.n_ap) {
        return config_fail(check->layers, "engine.ap_cores network.n_ap",
                           "ap_cores has %u entries for n_ap = %d; one core per AP or []", c->engine.ap_cores_count,
                           c->network.n_ap);
    }
    return 0;
}

/* A precoder that is applied in a later block meets the channel of that one. */
static int check_lag(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_fading_model *const fading = &c->air.fading;
    if (check->frame.lag_blocks > 0 && config_has_emulated(c) && fading->model != CONFIG_FADING_NONE &&
        fading->model != CONFIG_FADING_FILE && fading->variation == CONFIG_VARIATION_BLOCK) {
        return config_fail(check->layers,
                           "engine.tx_lead_us engine.lag_blocks air.fading.variation frame.schedule air.mode",
                           "by lag_blocks = %d and tx_lead_us = %.10g a block's precoder is applied %d block(s) later, "
                           "where air.fading.variation: block has another channel: choose jakes, or less",
                           c->engine.lag_blocks, c->engine.tx_lead_us, check->frame.lag_blocks);
    }
    return 0;
}

/* Texts ----------------------------------------------------------------------------------------------------------- */

enum { SOCKET_PATH_MAX = 100 }; /* sun_path holds 108 bytes, libzmq may add a few */

static int check_names(struct check *check)
{
    const struct config *const c = check->config;
    const char *const name = c->network.name, *const directory = c->network.runtime_dir;
    const char *const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const size_t room = SOCKET_PATH_MAX - strlen("/fronthaul");
    if (!*name || strlen(name) > 48 || strspn(name, allowed) != strlen(name) || *name == '.') {
        return config_fail(check->layers, "network.name",
                           "'%.60s' is not 1..48 letters, digits, '_', '-', '.' (it becomes a directory name)", name);
    }
    if (*directory != '/') {
        return config_fail(check->layers, "network.runtime_dir", "'%.60s' is not an absolute path or auto", directory);
    }
    if (strlen(directory) > room) {
        return config_fail(check->layers, "network.runtime_dir network.name",
                           "the path has %zu characters, a socket in it needs it to be at most %zu", strlen(directory),
                           room);
    }
    return 0;
}

/* scheme: "ipc://" or "unix://", followed by a path. */
static int check_endpoint(struct check *check, const char *key, const char *endpoint, const char *scheme)
{
    const size_t length = strlen(scheme);
    struct endpoint_tcp tcp;
    if (strncmp(endpoint, "tcp://", 6) == 0) {
        return endpoint_parse_tcp(endpoint, &tcp)
                   ? 0
                   : config_fail(check->layers, key,
                                 "'%.80s' is not tcp://host:port with a port of 1..65535 and a host that is a name, an "
                                 "address ([..] around IPv6), a network interface or *",
                                 endpoint);
    }
    if (strncmp(endpoint, scheme, length) != 0 || !endpoint[length]) {
        return config_fail(check->layers, key, "'%.80s' is not auto, tcp://host:port or %spath", endpoint, scheme);
    }
    if (strlen(endpoint + length) > SOCKET_PATH_MAX) {
        return config_fail(check->layers, key, "the socket's path has %zu characters, at most %d are allowed",
                           strlen(endpoint + length), SOCKET_PATH_MAX);
    }
    return 0;
}

static int check_endpoints(struct check *check)
{
    const struct config *const c = check->config;
    if (!*c->fronthaul.key_dir) {
        return config_fail(check->layers, "fronthaul.key_dir", "the directory's name is empty");
    }
    int rc = check_endpoint(check, "fronthaul.endpoint", c->fronthaul.endpoint, "ipc://");
    if (rc == 0) {
        rc = check_endpoint(check, "fronthaul.lab_endpoint", c->fronthaul.lab_endpoint, "ipc://");
    }
    if (rc == 0) {
        rc = check_endpoint(check, "air.endpoint", c->air.endpoint, "unix://");
    }
    if (rc == 0 && strcmp(c->fronthaul.endpoint, c->fronthaul.lab_endpoint) == 0) {
        rc = config_fail(check->layers, "fronthaul.lab_endpoint fronthaul.endpoint",
                         "endpoint and lab_endpoint are the same, '%.80s'", c->fronthaul.endpoint);
    }
    for (unsigned i = 0; rc == 0 && i < c->cpus_count; i++) {
        rc = check_endpoint(check, "cpus", c->cpus[i].endpoint, "ipc://");
    }
    return rc;
}

/* Two outputs on one path would destroy each other. */
static int check_outputs(struct check *check)
{
    const struct config *const c = check->config;
    char *const record = config_file_path(c, c->record.file), *const truth = config_file_path(c, c->air.truth);
    int rc = record && truth ? 0 : error_set(TUTTI_ENOMEM, "out of memory");
    if (rc == 0 && output_same(record, truth)) {
        rc = config_fail(check->layers, "air.truth record.file", "the truth and the recording are one file, '%.80s'",
                         c->air.truth);
    }
    free(record);
    free(truth);
    return rc;
}

static int check_faults(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_faults *const f = &c->fronthaul.faults;
    if (config_is_repeatable(c) && (f->delay_us > 0 || f->jitter_us > 0 || f->reorder > 0)) {
        return config_fail(check->layers,
                           "fronthaul.faults.delay_us fronthaul.faults.jitter_us fronthaul.faults.reorder air.mode",
                           "lock-step has no wall clock: delay_us, jitter_us and reorder need air.mode: paced; loss, "
                           "silent_ap and partition_ap work in both");
    }
    if (f->silent_ap >= c->network.n_ap || f->partition_ap >= c->network.n_ap) {
        return config_fail(check->layers, "fronthaul.faults.silent_ap fronthaul.faults.partition_ap network.n_ap",
                           "AP %d does not exist, n_ap = %d",
                           f->silent_ap >= c->network.n_ap ? f->silent_ap : f->partition_ap, c->network.n_ap);
    }
    if (f->to_block > 0 && f->to_block <= f->from_block) {
        return config_fail(check->layers, "fronthaul.faults.to_block fronthaul.faults.from_block",
                           "to_block = %" PRIu64 " is not after from_block = %" PRIu64, f->to_block, f->from_block);
    }
    return 0;
}

static int check_backend(struct check *check, const char *role, int id, const struct config_radio *radio)
{
    char sentence[256], keys[128];
    if (config_backend_check(radio->backend, sentence, sizeof(sentence)) == TUTTI_OK) {
        return 0;
    }
    snprintf(keys, sizeof(keys), id < 0 ? "radio.%s.backend" : "radio.%s_list radio.%s.backend", role, role);
    return config_fail(check->layers, keys, "%s", sentence);
}

static int check_backends(struct check *check)
{
    const struct config *const c = check->config;
    const char *const roles[CONFIG_N_ROLES] = {"ap", "ue", "eve"};
    const int n[CONFIG_N_ROLES] = {c->network.n_ap, c->network.n_ue, c->network.n_eve};
    int rc = 0;
    for (int role = 0; rc == 0 && role < CONFIG_N_ROLES; role++) {
        for (int id = -1; rc == 0 && id < n[role]; id++) {
            rc = check_backend(check, roles[role], id, config_radio_of(c, (enum config_role)role, id));
        }
    }
    return rc;
}

static int check_eve(struct check *check)
{
    const struct config *const c = check->config;
    if (c->eve.target_user >= c->network.n_ue) {
        return config_fail(check->layers, "eve.target_user network.n_ue", "user %d does not exist, n_ue = %d",
                           c->eve.target_user, c->network.n_ue);
    }
    if (c->precoding.an == CONFIG_AN_PHASE_ONLY && c->network.n_ap * c->network.n_ant < 2 * c->network.n_ue + 1) {
        return config_fail(check->layers, "precoding.an network.n_ap network.n_ant network.n_ue",
                           "phase_only needs at least 2 n_ue + 1 = %d antennas in all, n_ap * n_ant = %d",
                           2 * c->network.n_ue + 1, c->network.n_ap * c->network.n_ant);
    }
    if (c->precoding.an == CONFIG_AN_NULLSPACE && c->network.n_ant < 2) {
        return config_fail(check->layers, "precoding.an network.n_ant",
                           "nullspace needs at least 2 antennas at each AP, n_ant = %d", c->network.n_ant);
    }
    return 0;
}

/* The emulated air ------------------------------------------------------------------------------------------------ */

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

static int check_gains(struct check *check)
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

static int check_clocks(struct check *check)
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

static int check_tap(struct check *check)
{
    const struct config_tap *const tap = &check->config->air.tap;
    return *tap->endpoint ? check_zmq_ports(check, "air.tap.endpoint", tap->endpoint) : 0;
}

/* What tutti-air does not compute it cannot spoil, nor say what it was. */
static int check_medium(struct check *check)
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
static int check_sensing(struct check *check)
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

static int check_taps(struct check *check)
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
static int check_played(struct check *check)
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
static int check_delays(struct check *check)
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

static int check_events(struct check *check)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < check->config->air.events_count; i++) {
        rc = check_event(check, i, &check->config->air.events[i]);
    }
    return rc;
}

/* Powers of closed forms need beams that have closed forms, and the attacked user is what the score is about. */
static int check_resilience(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_resilience *const r = &c->resilience;
    const enum mimo_scheme scheme = c->precoding.scheme;
    if (!r->controller) {
        return 0;
    }
    if ((scheme != MIMO_PPZF && scheme != MIMO_PZF && scheme != MIMO_FZF) || c->precoding.local ||
        c->precoding.power != MIMO_POWER_EQUAL_SHARES || c->precoding.an != CONFIG_AN_NONE) {
        return config_fail(check->layers,
                           "resilience.controller precoding.scheme precoding.local precoding.power precoding.an",
                           "the controller needs scheme ppzf, pzf or fzf with local: false, power: equal_shares (it "
                           "sets the powers) and an: none");
    }
    if (c->eve.target_user >= c->network.n_ue) {
        return config_fail(check->layers, "resilience.controller eve.target_user network.n_ue",
                           "the user to protect, eve.target_user = %d, is not there: network.n_ue = %d",
                           c->eve.target_user, c->network.n_ue);
    }
    if (fabs(r->w_sec + r->w_qos - 1) > 1e-9) {
        return config_fail(check->layers, "resilience.w_sec resilience.w_qos", "w_sec + w_qos = %g, not 1",
                           r->w_sec + r->w_qos);
    }
    if (fabs(r->lam_abs + r->lam_ada + r->lam_rec - 1) > 1e-9) {
        return config_fail(check->layers, "resilience.lam_abs resilience.lam_ada resilience.lam_rec",
                           "lam_abs + lam_ada + lam_rec = %g, not 1", r->lam_abs + r->lam_ada + r->lam_rec);
    }
    return 0;
}

/* Access points can only hear each other where the frame says so, and every antenna must be heard in every subband. */
static int check_calibration(struct check *check)
{
    const struct config *const c = check->config;
    const bool runs = c->calibration.at_start || c->calibration.when_stale;
    if (!runs) {
        return 0;
    }
    if (check->frame.n_cal == 0) {
        return config_fail(check->layers, "calibration.at_start calibration.when_stale frame.schedule",
                           "calibration needs C symbols in frame.schedule, such as \"B G P4 U20 C4 G D38 G\"");
    }
    if (c->network.n_ap < 2) {
        return config_fail(check->layers, "calibration.at_start calibration.when_stale network.n_ap",
                           "a single access point has nobody to hear it");
    }
    return 0;
}

static int check_always(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_scheduler *const s = &c->scheduler;
    bool has_target = false;
    for (unsigned i = 0; i < s->always_count; i++) {
        bool twice = false;
        for (unsigned j = 0; j < i; j++) {
            twice = twice || s->always[j] == s->always[i];
        }
        if (twice || s->always[i] >= c->network.n_ue) {
            return config_fail(check->layers, "scheduler.always network.n_ue", "user %d %s", s->always[i],
                               twice ? "is listed twice" : "is not there");
        }
        has_target = has_target || s->always[i] == c->eve.target_user;
    }
    if (c->resilience.controller && s->n_served < c->network.n_ue && !has_target) {
        return config_fail(check->layers, "scheduler.always resilience.controller eve.target_user",
                           "the user that the resilience controller protects, %d, must always be served: list it here",
                           c->eve.target_user);
    }
    return 0;
}

static int check_scheduler(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_scheduler *const s = &c->scheduler;
    if (s->n_served == 0) {
        return 0;
    }
    if (s->n_served > c->network.n_ue || (int)s->always_count > s->n_served) {
        return config_fail(check->layers, "scheduler.n_served scheduler.always network.n_ue",
                           "%d of %d users cannot be served with %u of them always", s->n_served, c->network.n_ue,
                           s->always_count);
    }
    if (mimo_scheme_row((int)c->precoding.scheme)->kind == MIMO_PHASE || c->precoding.local) {
        return config_fail(check->layers, "scheduler.n_served precoding.scheme precoding.local",
                           "a schedule needs precoders of the central node: neither analog nor local: true");
    }
    return check_always(check);
}

/* Where U symbols may lie: after the estimates' pilots and before the downlink, for a user sends both as one burst. */
static int check_uplink_symbols(struct check *check)
{
    const struct frame *const f = &check->frame;
    const int least = 2 * (8 + 32 + 6), bits_per_symbol = 2 * ((int)check->config->uplink.modulation + 1);
    if (f->n_ul == 0) {
        return config_fail(check->layers, "uplink.mode frame.schedule",
                           "users send their data in U symbols, the schedule has none");
    }
    if (f->ul_symbol[0] < f->pilot_symbol[f->n_pilot - 1] || f->ul_symbol[f->n_ul - 1] > f->dl_symbol[0]) {
        return config_fail(check->layers, "uplink.mode frame.schedule",
                           "uplink symbols (U) must lie between the last pilot (P) and the first downlink symbol (D)");
    }
    if (f->n_ul * f->n_sc * bits_per_symbol < least) {
        return config_fail(check->layers, "uplink.modulation frame.schedule frame.n_used_subcarriers",
                           "a block's U symbols carry %d coded bits per user, the shortest code block needs %d",
                           f->n_ul * f->n_sc * bits_per_symbol, least);
    }
    return 0;
}

static int check_uplink(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_uplink *const u = &c->uplink;
    if (u->mode == CONFIG_UPLINK_NONE) {
        return 0;
    }
    if (u->mode == CONFIG_UPLINK_LOCAL && u->combiner == CONFIG_COMBINER_ZF) {
        return config_fail(check->layers, "uplink.combiner uplink.mode",
                           "zf needs all antennas at the CPU node: an AP alone goes with combiner: mmse, mr");
    }
    if (u->mode == CONFIG_UPLINK_CENTRAL && c->precoding.local) {
        return config_fail(check->layers, "uplink.mode precoding.local",
                           "no estimates travel with precoding.local, so the CPU node cannot combine: mode: local");
    }
    return check_uplink_symbols(check);
}

static int check_adc(struct check *check)
{
    const int ap = check->config->air.impairments.ap.adc_bits, ue = check->config->air.impairments.ue.adc_bits;
    if (ap == 1 || ue == 1) {
        return config_fail(check->layers, ap == 1 ? "air.impairments.ap.adc_bits" : "air.impairments.ue.adc_bits",
                           "1 is not 0 (no quantisation) or 2..24");
    }
    return 0;
}

static int check_iq(struct check *check)
{
    return config_iq_check(check->layers, check->config);
}

static int check_cluster(struct check *check)
{
    return config_cluster_check(check->layers, check->config, &check->frame);
}

static int check_cpus(struct check *check)
{
    return config_cpus_check(check->layers, check->config, &check->frame);
}

int config_check(struct config_layers *layers, const struct config *config)
{
    /* in this order: later checks use what earlier ones found out */
    static int (*const checks[])(struct check *) = {
        check_names,       check_frame,     check_pilots,  check_payload,   check_scheme,  check_precoding,
        check_eve,         check_engine,    check_lag,     check_endpoints, check_outputs, check_faults,
        check_backends,    check_gains,     check_sensing, check_clocks,    check_medium,  check_played,
        check_taps,        check_delays,    check_adc,     check_iq,        check_events,  check_resilience,
        check_calibration, check_scheduler, check_uplink,  check_tap,       check_cluster, check_cpus,
    };
    struct check check = {.layers = layers, .config = config};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < CYAML_ARRAY_LEN(checks); i++) {
        rc = checks[i](&check);
    }
    return rc;
}
