/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shape of a network file. To add a key: one line in defaults.yaml (value, unit, meaning), one field in config.h,
 * one line here (a value name of an enumeration also goes into its table here), and for a number one line in the range
 * table of config_check.c. Forgetting the field does not compile; forgetting another line makes every config_load fail
 * with a sentence saying which. */
#include "base/config_internal.h"

#include <string.h>

#define SECTION(type, member, fields) CYAML_FIELD_MAPPING(#member, CYAML_FLAG_DEFAULT, type, member, fields)
#define INT(type, member) CYAML_FIELD_INT(#member, CYAML_FLAG_DEFAULT, type, member)
#define UINT(type, member) CYAML_FIELD_UINT(#member, CYAML_FLAG_DEFAULT, type, member)
#define REAL(type, member) CYAML_FIELD_FLOAT(#member, CYAML_FLAG_STRICT, type, member)
#define BOOL(type, member) CYAML_FIELD_BOOL(#member, CYAML_FLAG_DEFAULT, type, member)
#define TEXT(type, member) CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER, type, member, 0, CYAML_UNLIMITED)
#define ENUM(type, member, names)                                                                                      \
    CYAML_FIELD_ENUM(#member, CYAML_FLAG_STRICT, type, member, names, CYAML_ARRAY_LEN(names))
#define LIST(type, member, entry, max) CYAML_FIELD_SEQUENCE(#member, CYAML_FLAG_POINTER, type, member, &(entry), 0, max)

enum { MAX_CORES = 128, MAX_TAPS = 64, MAX_EVENTS = 1024, MAX_NODES = TUTTI_MAX_AP + 2 * TUTTI_MAX_UE };

static const cyaml_strval_t modulations[] = {
    {"qam4", CONFIG_QAM4}, {"qam16", CONFIG_QAM16}, {"qam64", CONFIG_QAM64}, {"qam256", CONFIG_QAM256}};
#define NAME_OF_ROW(id, name, ...) {#name, id},
static const cyaml_strval_t schemes[] = {MIMO_SCHEME_MAP(NAME_OF_ROW)};
static const cyaml_strval_t powers[] = {MIMO_POWER_MAP(NAME_OF_ROW)};
static const cyaml_strval_t an_kinds[] = {
    {"none", CONFIG_AN_NONE}, {"nullspace", CONFIG_AN_NULLSPACE}, {"phase_only", CONFIG_AN_PHASE_ONLY}};
static const cyaml_strval_t an_policies[] = {{"fixed", CONFIG_AN_FIXED}, {"adaptive", CONFIG_AN_ADAPTIVE}};
static const cyaml_strval_t subbands[] = {{"smooth", CONFIG_SUBBAND_SMOOTH}, {"flat", CONFIG_SUBBAND_FLAT}};
static const cyaml_strval_t attacks[] = {{"passive", CONFIG_ATTACK_PASSIVE}, {"pilot", CONFIG_ATTACK_PILOT}};
static const cyaml_strval_t sensing_objectives[] = {{"cp", CONFIG_SENSING_CP}, {"sp", CONFIG_SENSING_SP}};
static const cyaml_strval_t sensing_phases[] = {{"fresh", CONFIG_PHASES_FRESH}, {"fixed", CONFIG_PHASES_FIXED}};
static const cyaml_strval_t metrics[] = {
    {"cesg", CONFIG_METRIC_CESG}, {"strongest", CONFIG_METRIC_STRONGEST}, {"random", CONFIG_METRIC_RANDOM}};
static const cyaml_strval_t soundings[] = {{"all", CONFIG_SOUNDING_ALL}, {"rotate", CONFIG_SOUNDING_ROTATE}};
static const cyaml_strval_t starts[] = {{"current", CONFIG_START_CURRENT}, {"epa", CONFIG_START_EPA}};
static const cyaml_strval_t deployments[] = {{"running", CONFIG_DEPLOY_RUNNING}, {"final", CONFIG_DEPLOY_FINAL}};
static const cyaml_strval_t eve_knowledges[] = {{"estimated", CONFIG_EVE_ESTIMATED}, {"known", CONFIG_EVE_KNOWN}};
static const cyaml_strval_t large_scales[] = {{"tracked", CONFIG_LS_TRACKED}, {"known", CONFIG_LS_KNOWN}};
static const cyaml_strval_t tap_directions[] = {{"rx", CONFIG_TAP_RX}, {"tx", CONFIG_TAP_TX}};
static const cyaml_strval_t media[] = {{"own", CONFIG_MEDIUM_OWN}, {"zmq", CONFIG_MEDIUM_ZMQ}};
static const cyaml_strval_t air_modes[] = {{"lockstep", CONFIG_AIR_LOCKSTEP}, {"paced", CONFIG_AIR_PACED}};
static const cyaml_strval_t encodings[] = {{"cf32", CONFIG_CF32}, {"sc16", CONFIG_SC16}, {"bfp", CONFIG_BFP}};
static const cyaml_strval_t gain_models[] = {{"uniform", CONFIG_GAIN_UNIFORM},
                                             {"explicit", CONFIG_GAIN_EXPLICIT},
                                             {"geometry", CONFIG_GAIN_GEOMETRY},
                                             {"file", CONFIG_GAIN_FILE}};
static const cyaml_strval_t path_losses[] = {
    {"umi", CONFIG_PL_UMI}, {"three_slope", CONFIG_PL_THREE_SLOPE}, {"log_distance", CONFIG_PL_LOG_DISTANCE}};
static const cyaml_strval_t fadings[] = {{"none", CONFIG_FADING_NONE},
                                         {"rayleigh", CONFIG_FADING_RAYLEIGH},
                                         {"rician", CONFIG_FADING_RICIAN},
                                         {"tdl", CONFIG_FADING_TDL},
                                         {"file", CONFIG_FADING_FILE}};
static const cyaml_strval_t layouts[] = {
    {"auto", CONFIG_LAYOUT_AUTO}, {"rows", CONFIG_LAYOUT_ROWS}, {"columns", CONFIG_LAYOUT_COLUMNS}};
static const cyaml_strval_t file_units[] = {{"snr", CONFIG_UNITS_SNR}, {"gain", CONFIG_UNITS_GAIN}};
static const cyaml_strval_t securities[] = {
    {"auto", CONFIG_SECURITY_AUTO}, {"curve", CONFIG_SECURITY_CURVE}, {"none", CONFIG_SECURITY_NONE}};
static const cyaml_strval_t iq_symbols[] = {{"all", CONFIG_IQ_ALL}, {"PG", CONFIG_IQ_PG}};
static const cyaml_strval_t variations[] = {{"block", CONFIG_VARIATION_BLOCK}, {"jakes", CONFIG_VARIATION_JAKES}};

static const cyaml_strval_t event_kinds[] = {{"blockage", CONFIG_EVENT_BLOCKAGE}, {"move", CONFIG_EVENT_MOVE}};

static const cyaml_schema_value_t int_entry = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int)};
static const cyaml_schema_value_t text_entry = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};
static const cyaml_schema_value_t real_entry = {CYAML_VALUE_FLOAT(CYAML_FLAG_STRICT, double)};
/* libcyaml has no list of lists, so a row is a mapping of one list for it (config_emit.c wraps it). */
const cyaml_schema_field_t config_row_fields[] = {
    LIST(struct config_row, value, real_entry, TUTTI_MAX_UE),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t row_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_row, config_row_fields)};

static const cyaml_schema_field_t network_fields[] = {
    TEXT(struct config_network, name),     UINT(struct config_network, seed),        INT(struct config_network, n_ap),
    INT(struct config_network, n_ant),     INT(struct config_network, n_ue),         INT(struct config_network, n_eve),
    UINT(struct config_network, n_blocks), TEXT(struct config_network, runtime_dir), CYAML_FIELD_END,
};

static const cyaml_schema_field_t frame_fields[] = {
    REAL(struct config_frame, sample_rate_hz),
    INT(struct config_frame, fft_size),
    INT(struct config_frame, n_used_subcarriers),
    INT(struct config_frame, n_cp_samples),
    REAL(struct config_frame, block_us),
    TEXT(struct config_frame, schedule),
    INT(struct config_frame, n_dl_pilot_symbols),
    INT(struct config_frame, subcarriers_per_subband),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t pilots_fields[] = {
    LIST(struct config_pilots, assignment, int_entry, TUTTI_MAX_UE),
    ENUM(struct config_pilots, large_scale, large_scales),
    INT(struct config_pilots, tracking_blocks),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t payload_fields[] = {
    ENUM(struct config_payload, modulation, modulations),
    INT(struct config_payload, max_code_block_bits),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t precoding_fields[] = {
    ENUM(struct config_precoding, scheme, schemes),
    ENUM(struct config_precoding, power, powers),
    INT(struct config_precoding, average_blocks),
    REAL(struct config_precoding, upsilon),
    REAL(struct config_precoding, ob_gap),
    ENUM(struct config_precoding, an, an_kinds),
    REAL(struct config_precoding, an_share),
    ENUM(struct config_precoding, an_policy, an_policies),
    REAL(struct config_precoding, an_target_sinr_db),
    BOOL(struct config_precoding, local),
    ENUM(struct config_precoding, subband, subbands),
    CYAML_FIELD_END,
};

static const cyaml_strval_t calibration_methods[] = {{"ls", CONFIG_CALIBRATION_LS}, {"ml", CONFIG_CALIBRATION_ML}};
static const cyaml_strval_t calibration_powers[] = {{"each", CONFIG_CALIBRATION_EACH},
                                                    {"together", CONFIG_CALIBRATION_TOGETHER}};
static const cyaml_schema_field_t calibration_fields[] = {
    TEXT(struct config_calibration, file),
    BOOL(struct config_calibration, at_start),
    BOOL(struct config_calibration, when_stale),
    INT(struct config_calibration, n_repeats),
    ENUM(struct config_calibration, power, calibration_powers),
    ENUM(struct config_calibration, method, calibration_methods),
    BOOL(struct config_calibration, smooth),
    CYAML_FIELD_END,
};

static const cyaml_strval_t sync_modes[] = {{"shared", CONFIG_SYNC_SHARED}, {"air", CONFIG_SYNC_AIR}};
static const cyaml_schema_field_t sync_fields[] = {
    ENUM(struct config_sync, mode, sync_modes), INT(struct config_sync, reference_ap),
    REAL(struct config_sync, linewidth_hz),     REAL(struct config_sync, frequency_walk),
    BOOL(struct config_sync, track_phase),      CYAML_FIELD_END,
};

static const cyaml_strval_t uplink_modes[] = {
    {"none", CONFIG_UPLINK_NONE}, {"central", CONFIG_UPLINK_CENTRAL}, {"local", CONFIG_UPLINK_LOCAL}};
static const cyaml_strval_t combiners[] = {
    {"mmse", CONFIG_COMBINER_MMSE}, {"zf", CONFIG_COMBINER_ZF}, {"mr", CONFIG_COMBINER_MR}};
static const cyaml_strval_t fusions[] = {{"instant", CONFIG_FUSION_INSTANT}, {"lsfd", CONFIG_FUSION_LSFD}};
static const cyaml_strval_t uplink_streams[] = {
    {"auto", CONFIG_STREAMS_AUTO}, {"antennas", CONFIG_STREAMS_ANTENNAS}, {"matched", CONFIG_STREAMS_MATCHED}};
static const cyaml_schema_field_t uplink_fields[] = {
    ENUM(struct config_uplink, mode, uplink_modes),
    ENUM(struct config_uplink, combiner, combiners),
    ENUM(struct config_uplink, fusion, fusions),
    ENUM(struct config_uplink, modulation, modulations),
    ENUM(struct config_uplink, streams, uplink_streams),
    ENUM(struct config_uplink, encoding, encodings),
    INT(struct config_uplink, n_workers),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t eve_fields[] = {
    INT(struct config_eve, n_ant),
    ENUM(struct config_eve, attack, attacks),
    INT(struct config_eve, target_user),
    UINT(struct config_eve, from_block),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t scheduler_fields[] = {
    INT(struct config_scheduler, n_served),
    ENUM(struct config_scheduler, metric, metrics),
    INT(struct config_scheduler, blocks),
    INT(struct config_scheduler, average_blocks),
    LIST(struct config_scheduler, always, int_entry, TUTTI_MAX_UE),
    ENUM(struct config_scheduler, sounding, soundings),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t cluster_fields[] = {
    BOOL(struct config_cluster, enabled),       INT(struct config_cluster, pilots),
    REAL(struct config_cluster, hysteresis_db), INT(struct config_cluster, every_blocks),
    INT(struct config_cluster, max_aps),        CYAML_FIELD_END,
};

/* Both are looked for by config_cpus.c. */
static const cyaml_schema_field_t cpu_fields[] = {
    CYAML_FIELD_STRING_PTR("endpoint", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_cpu, endpoint, 0,
                           CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("aps", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_cpu, aps, &int_entry, 0,
                         TUTTI_MAX_AP),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t cpu_entry = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_cpu, cpu_fields)};

static const cyaml_schema_field_t partners_fields[] = {
    BOOL(struct config_partners, helpers),
    REAL(struct config_partners, help_db),
    REAL(struct config_partners, hysteresis_db),
    INT(struct config_partners, hysteresis_blocks),
    INT(struct config_partners, lead_blocks),
    INT(struct config_partners, weights_every_blocks),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t resilience_fields[] = {
    BOOL(struct config_resilience, controller),
    REAL(struct config_resilience, w_sec),
    REAL(struct config_resilience, w_qos),
    REAL(struct config_resilience, r_min),
    REAL(struct config_resilience, r_des),
    REAL(struct config_resilience, s_des),
    REAL(struct config_resilience, lam_abs),
    REAL(struct config_resilience, lam_ada),
    REAL(struct config_resilience, lam_rec),
    INT(struct config_resilience, n_max),
    INT(struct config_resilience, average_blocks),
    INT(struct config_resilience, step_blocks),
    REAL(struct config_resilience, desired_recovery_ms),
    ENUM(struct config_resilience, start, starts),
    ENUM(struct config_resilience, deploy, deployments),
    ENUM(struct config_resilience, eve_knowledge, eve_knowledges),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t sensing_fields[] = {
    BOOL(struct config_sensing, live),
    LIST(struct config_sensing, zones_m, row_entry, TUTTI_MAX_UE),
    ENUM(struct config_sensing, objective, sensing_objectives),
    REAL(struct config_sensing, nu),
    REAL(struct config_sensing, kappa_db),
    REAL(struct config_sensing, qos_db),
    REAL(struct config_sensing, d_over_lambda),
    ENUM(struct config_sensing, phases, sensing_phases),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t engine_fields[] = {
    REAL(struct config_engine, gather_deadline_us),
    REAL(struct config_engine, block_budget_us),
    INT(struct config_engine, n_workers),
    LIST(struct config_engine, solve_cores, int_entry, MAX_CORES),
    INT(struct config_engine, stale_blocks),
    INT(struct config_engine, mute_blocks),
    REAL(struct config_engine, tx_lead_us),
    INT(struct config_engine, lag_blocks),
    REAL(struct config_engine, on_time_us),
    REAL(struct config_engine, lockstep_timeout_ms),
    REAL(struct config_engine, peer_timeout_ms),
    INT(struct config_engine, user_silent_blocks),
    INT(struct config_engine, realtime_priority),
    REAL(struct config_engine, attack_alarms_per_hour),
    LIST(struct config_engine, ap_cores, int_entry, TUTTI_MAX_AP),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t faults_fields[] = {
    REAL(struct config_faults, loss),          REAL(struct config_faults, delay_us),
    REAL(struct config_faults, jitter_us),     REAL(struct config_faults, reorder),
    INT(struct config_faults, silent_ap),      INT(struct config_faults, partition_ap),
    UINT(struct config_faults, from_block),    UINT(struct config_faults, to_block),
    BOOL(struct config_faults, allow_command), CYAML_FIELD_END,
};

static const cyaml_schema_field_t fronthaul_fields[] = {
    TEXT(struct config_fronthaul, endpoint),
    TEXT(struct config_fronthaul, lab_endpoint),
    ENUM(struct config_fronthaul, security, securities),
    TEXT(struct config_fronthaul, key_dir),
    SECTION(struct config_fronthaul, faults, faults_fields),
    ENUM(struct config_fronthaul, uplink_encoding, encodings),
    ENUM(struct config_fronthaul, downlink_encoding, encodings),
    INT(struct config_fronthaul, mantissa_bits),
    REAL(struct config_fronthaul, busy_poll_us),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t iq_fields[] = {
    TEXT(struct config_iq, dir),
    LIST(struct config_iq, nodes, text_entry, MAX_NODES),
    UINT(struct config_iq, from_block),
    UINT(struct config_iq, n_blocks),
    ENUM(struct config_iq, symbols, iq_symbols),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t record_fields[] = {
    TEXT(struct config_record, file),
    BOOL(struct config_record, csi),
    BOOL(struct config_record, precoders),
    INT(struct config_record, constellation_points),
    SECTION(struct config_record, iq, iq_fields),
    CYAML_FIELD_END,
};

/* The id belongs to the lists only: it comes first, and the common default's fields begin after it. */
static const cyaml_schema_field_t radio_entry_fields[] = {
    INT(struct config_radio, id),
    TEXT(struct config_radio, backend),
    TEXT(struct config_radio, args),
    REAL(struct config_radio, tx_power_dbm),
    REAL(struct config_radio, noise_figure_db),
    REAL(struct config_radio, tx_full_scale_dbm),
    REAL(struct config_radio, rx_full_scale_dbm),
    REAL(struct config_radio, master_clock_rate_hz),
    REAL(struct config_radio, freq_hz),
    REAL(struct config_radio, bandwidth_hz),
    REAL(struct config_radio, tx_gain_db),
    REAL(struct config_radio, rx_gain_db),
    TEXT(struct config_radio, tx_antenna),
    TEXT(struct config_radio, rx_antenna),
    TEXT(struct config_radio, subdev),
    TEXT(struct config_radio, channels),
    TEXT(struct config_radio, clock_source),
    TEXT(struct config_radio, time_source),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t radio_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_radio, radio_entry_fields)};

static const cyaml_schema_field_t radio_fields[] = {
    SECTION(struct config_radios, ap, radio_entry_fields + 1),
    LIST(struct config_radios, ap_list, radio_entry, TUTTI_MAX_AP),
    SECTION(struct config_radios, ue, radio_entry_fields + 1),
    LIST(struct config_radios, ue_list, radio_entry, TUTTI_MAX_UE),
    SECTION(struct config_radios, eve, radio_entry_fields + 1),
    LIST(struct config_radios, eve_list, radio_entry, TUTTI_MAX_UE),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t gains_fields[] = {
    ENUM(struct config_gains, model, gain_models),
    REAL(struct config_gains, snr_db),
    REAL(struct config_gains, eve_snr_db),
    REAL(struct config_gains, ap_snr_db),
    LIST(struct config_gains, gain_db, row_entry, TUTTI_MAX_AP),
    LIST(struct config_gains, gain_db_end, row_entry, TUTTI_MAX_AP),
    UINT(struct config_gains, gain_db_end_from_block),
    UINT(struct config_gains, gain_db_end_to_block),
    LIST(struct config_gains, eve_gain_db, row_entry, TUTTI_MAX_AP),
    REAL(struct config_gains, area_m),
    LIST(struct config_gains, ap_positions_m, row_entry, TUTTI_MAX_AP),
    LIST(struct config_gains, ue_positions_m, row_entry, TUTTI_MAX_UE),
    LIST(struct config_gains, eve_positions_m, row_entry, TUTTI_MAX_UE),
    REAL(struct config_gains, eve_radius_m),
    REAL(struct config_gains, ap_height_m),
    REAL(struct config_gains, ue_height_m),
    ENUM(struct config_gains, path_loss, path_losses),
    REAL(struct config_gains, reference_db),
    REAL(struct config_gains, exponent),
    REAL(struct config_gains, shadowing_db),
    ENUM(struct config_gains, file_units, file_units),
    UINT(struct config_gains, drop_seed),
    UINT(struct config_gains, shadowing_seed),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t fading_fields[] = {
    ENUM(struct config_fading_model, model, fadings),
    REAL(struct config_fading_model, rician_k_db),
    LIST(struct config_fading_model, tap_delays_samples, int_entry, MAX_TAPS),
    LIST(struct config_fading_model, tap_powers_db, real_entry, MAX_TAPS),
    ENUM(struct config_fading_model, variation, variations),
    REAL(struct config_fading_model, doppler_hz),
    UINT(struct config_fading_model, seed),
    TEXT(struct config_fading_model, file),
    ENUM(struct config_fading_model, layout, layouts),
    INT(struct config_fading_model, row_blocks),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t impairments_end_fields[] = {
    REAL(struct config_impairments, gain_mismatch_db),
    REAL(struct config_impairments, phase_mismatch_deg),
    REAL(struct config_impairments, phase_drift_rad2_per_s),
    REAL(struct config_impairments, cfo_hz),
    REAL(struct config_impairments, phase_noise_linewidth_hz),
    INT(struct config_impairments, timing_offset_samples),
    REAL(struct config_impairments, timing_fraction_samples),
    BOOL(struct config_impairments, clip),
    INT(struct config_impairments, adc_bits),
    CYAML_FIELD_END,
};

typedef __typeof__(((struct config_air *)NULL)->impairments) impairments_section;
static const cyaml_schema_field_t impairments_fields[] = {
    SECTION(impairments_section, ap, impairments_end_fields),
    SECTION(impairments_section, ue, impairments_end_fields),
    CYAML_FIELD_END,
};

/* Every kind has some of the keys; config_check.c knows which. */
#define OPTIONAL_LIST(type, member, entry, max)                                                                        \
    CYAML_FIELD_SEQUENCE(#member, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, &(entry), 0, max)
static const cyaml_schema_field_t event_fields[] = {
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct config_event, kind, event_kinds,
                     CYAML_ARRAY_LEN(event_kinds)),
    CYAML_FIELD_UINT("block", CYAML_FLAG_OPTIONAL, struct config_event, block),
    CYAML_FIELD_UINT("to_block", CYAML_FLAG_OPTIONAL, struct config_event, to_block),
    OPTIONAL_LIST(struct config_event, ap, int_entry, TUTTI_MAX_AP),
    OPTIONAL_LIST(struct config_event, ue, int_entry, TUTTI_MAX_UE),
    OPTIONAL_LIST(struct config_event, eve, int_entry, TUTTI_MAX_UE),
    CYAML_FIELD_FLOAT("loss_db", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct config_event, loss_db),
    CYAML_FIELD_INT("zone", CYAML_FLAG_OPTIONAL, struct config_event, zone),
    OPTIONAL_LIST(struct config_event, to_m, real_entry, 3),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t event_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_event, event_fields)};

static const cyaml_schema_field_t zmq_fields[] = {
    TEXT(struct config_zmq, tx),
    TEXT(struct config_zmq, rx),
    TEXT(struct config_zmq, links),
    REAL(struct config_zmq, stall_ms),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t tap_fields[] = {
    TEXT(struct config_tap, endpoint),
    LIST(struct config_tap, radios, text_entry, MAX_NODES),
    ENUM(struct config_tap, direction, tap_directions),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t air_fields[] = {
    TEXT(struct config_air, endpoint),
    ENUM(struct config_air, mode, air_modes),
    INT(struct config_air, chunk_samples),
    ENUM(struct config_air, medium, media),
    SECTION(struct config_air, zmq, zmq_fields),
    SECTION(struct config_air, tap, tap_fields),
    BOOL(struct config_air, wait_for_all),
    REAL(struct config_air, radio_timeout_ms),
    TEXT(struct config_air, truth),
    SECTION(struct config_air, large_scale, gains_fields),
    SECTION(struct config_air, fading, fading_fields),
    INT(struct config_air, delay_samples),
    SECTION(struct config_air, impairments, impairments_fields),
    LIST(struct config_air, events, event_entry, MAX_EVENTS),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t root_fields[] = {
    SECTION(struct config, network, network_fields),
    SECTION(struct config, frame, frame_fields),
    SECTION(struct config, pilots, pilots_fields),
    SECTION(struct config, payload, payload_fields),
    SECTION(struct config, precoding, precoding_fields),
    SECTION(struct config, scheduler, scheduler_fields),
    SECTION(struct config, cluster, cluster_fields),
    LIST(struct config, cpus, cpu_entry, TUTTI_MAX_CPU),
    SECTION(struct config, partners, partners_fields),
    SECTION(struct config, sync, sync_fields),
    SECTION(struct config, uplink, uplink_fields),
    SECTION(struct config, calibration, calibration_fields),
    SECTION(struct config, eve, eve_fields),
    SECTION(struct config, resilience, resilience_fields),
    SECTION(struct config, sensing, sensing_fields),
    SECTION(struct config, engine, engine_fields),
    SECTION(struct config, fronthaul, fronthaul_fields),
    SECTION(struct config, record, record_fields),
    SECTION(struct config, radio, radio_fields),
    SECTION(struct config, air, air_fields),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t config_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config, root_fields)};

bool config_schema_is_row(const cyaml_schema_value_t *schema)
{
    return schema->type == CYAML_MAPPING && schema->mapping.fields == config_row_fields;
}

bool config_schema_is_radios(const cyaml_schema_value_t *schema)
{
    return schema->type == CYAML_SEQUENCE && schema->sequence.entry == &radio_entry;
}

const cyaml_schema_field_t *config_schema_field(const cyaml_schema_value_t *mapping, const char *key)
{
    for (const cyaml_schema_field_t *field = mapping->mapping.fields; field->key; field++) {
        if (strcmp(field->key, key) == 0) {
            return field;
        }
    }
    return NULL;
}

const cyaml_schema_value_t *config_schema_find(const char *path)
{
    const cyaml_schema_value_t *schema = &config_schema;
    while (*path) {
        char key[CONFIG_PATH_ROOM];
        if (*path == '[') {
            path += strcspn(path, ".");
            path += *path == '.';
            if (schema->type != CYAML_SEQUENCE) {
                return NULL;
            }
            schema = schema->sequence.entry;
            continue;
        }
        const size_t length = strcspn(path, ".[");
        if (schema->type != CYAML_MAPPING || length >= sizeof(key) || strcmp(path + length, ".") == 0) {
            return NULL;
        }
        memcpy(key, path, length);
        key[length] = '\0';
        const cyaml_schema_field_t *field = config_schema_field(schema, key);
        if (!field) {
            return NULL;
        }
        schema = &field->value;
        path += length + (path[length] == '.');
    }
    return schema;
}

void config_path_join(char path[CONFIG_PATH_ROOM], const char *prefix, const char *key)
{
    snprintf(path, CONFIG_PATH_ROOM, "%.80s%s%.70s", prefix, *prefix ? "." : "", key);
}

static void each(const cyaml_schema_value_t *mapping, const char *prefix, void (*visit)(void *, const char *),
                 void *context)
{
    for (const cyaml_schema_field_t *field = mapping->mapping.fields; field->key; field++) {
        char path[CONFIG_PATH_ROOM];
        config_path_join(path, prefix, field->key);
        visit(context, path);
        if (field->value.type == CYAML_MAPPING) {
            each(&field->value, path, visit, context);
        }
    }
}

void config_schema_each(void (*visit)(void *context, const char *path), void *context)
{
    each(&config_schema, "", visit, context);
}
