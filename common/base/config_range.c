/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a number may be. */
#include "base/config_internal.h"

#include <string.h>

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
    {"partners.lead_blocks", 1, 100, ""}, /* homes.c keeps gains of 128 blocks */
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
