/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network file: one YAML for every program. The reading order is defaults.yaml (built in), then the file, then
 * --set overrides. Unknown keys, wrong types, values out of range and impossible combinations give TUTTI_ECONFIG and
 * one line naming file, line, key and what is allowed. Start-up only: allocates, reads files. */
#ifndef TUTTI_BASE_CONFIG_H
#define TUTTI_BASE_CONFIG_H

#include "base/schemes.h"
#include "base/types.h"

/* Enumerations have the values' names in defaults.yaml; precoders and power rules those of base/schemes.h. */
enum config_modulation { CONFIG_QAM4, CONFIG_QAM16, CONFIG_QAM64, CONFIG_QAM256 };
enum config_an { CONFIG_AN_NONE, CONFIG_AN_NULLSPACE, CONFIG_AN_PHASE_ONLY };
enum config_an_policy { CONFIG_AN_FIXED, CONFIG_AN_ADAPTIVE };
enum config_attack { CONFIG_ATTACK_PASSIVE, CONFIG_ATTACK_PILOT };
enum config_sensing_objective { CONFIG_SENSING_CP, CONFIG_SENSING_SP };
enum config_sensing_phases { CONFIG_PHASES_FRESH, CONFIG_PHASES_FIXED };
enum config_large_scale { CONFIG_LS_TRACKED, CONFIG_LS_KNOWN };
enum config_medium { CONFIG_MEDIUM_OWN, CONFIG_MEDIUM_ZMQ };
enum config_tap_direction { CONFIG_TAP_RX, CONFIG_TAP_TX };
enum config_air_mode { CONFIG_AIR_LOCKSTEP, CONFIG_AIR_PACED };
/* Same numbers as enum wire_encoding. */
enum config_encoding { CONFIG_CF32, CONFIG_SC16, CONFIG_BFP };
enum config_gain_model { CONFIG_GAIN_UNIFORM, CONFIG_GAIN_EXPLICIT, CONFIG_GAIN_GEOMETRY, CONFIG_GAIN_FILE };
enum config_path_loss { CONFIG_PL_UMI, CONFIG_PL_THREE_SLOPE, CONFIG_PL_LOG_DISTANCE };
enum config_fading {
    CONFIG_FADING_NONE,
    CONFIG_FADING_RAYLEIGH,
    CONFIG_FADING_RICIAN,
    CONFIG_FADING_TDL,
    CONFIG_FADING_FILE
};
enum config_layout { CONFIG_LAYOUT_AUTO, CONFIG_LAYOUT_ROWS, CONFIG_LAYOUT_COLUMNS };
enum config_file_units { CONFIG_UNITS_SNR, CONFIG_UNITS_GAIN };
enum config_security { CONFIG_SECURITY_AUTO, CONFIG_SECURITY_CURVE, CONFIG_SECURITY_NONE };
enum config_iq_symbols { CONFIG_IQ_ALL, CONFIG_IQ_PG };
enum config_variation { CONFIG_VARIATION_BLOCK, CONFIG_VARIATION_JAKES };

struct config_network {
    char *name;
    uint64_t seed;
    int n_ap, n_ant, n_ue, n_eve;
    uint64_t n_blocks;
    char *runtime_dir;
};

struct config_frame {
    double sample_rate_hz;
    int fft_size, n_used_subcarriers, n_cp_samples;
    double block_us;
    char *schedule;
    int n_dl_pilot_symbols, subcarriers_per_subband;
};

struct config_pilots {
    int *assignment;
    unsigned assignment_count;
    enum config_large_scale large_scale;
    int tracking_blocks;
};

struct config_payload {
    enum config_modulation modulation;
    int max_code_block_bits;
};

enum config_sync_mode { CONFIG_SYNC_SHARED, CONFIG_SYNC_AIR };
struct config_sync {
    enum config_sync_mode mode;
    int reference_ap;                    /* of mode air */
    double linewidth_hz, frequency_walk; /* of one AP's oscillator, as its loop assumes */
    bool track_phase;
};

/* Users' data towards the access points. */
enum config_uplink_mode { CONFIG_UPLINK_NONE, CONFIG_UPLINK_CENTRAL, CONFIG_UPLINK_LOCAL };
enum config_combiner { CONFIG_COMBINER_MMSE, CONFIG_COMBINER_ZF, CONFIG_COMBINER_MR };
enum config_fusion { CONFIG_FUSION_INSTANT, CONFIG_FUSION_LSFD };
enum config_uplink_streams { CONFIG_STREAMS_AUTO, CONFIG_STREAMS_ANTENNAS, CONFIG_STREAMS_MATCHED };
struct config_uplink {
    enum config_uplink_mode mode;
    enum config_combiner combiner;
    enum config_fusion fusion;
    enum config_modulation modulation;
    enum config_uplink_streams streams;
    enum config_encoding encoding;
    int n_workers;
};

enum config_calibration_method { CONFIG_CALIBRATION_LS, CONFIG_CALIBRATION_ML };
enum config_calibration_power { CONFIG_CALIBRATION_EACH, CONFIG_CALIBRATION_TOGETHER };
struct config_calibration {
    char *file; /* "" = none; absolute after config_load */
    bool at_start, when_stale;
    int n_repeats;
    enum config_calibration_power power;
    enum config_calibration_method method;
    bool smooth;
};

enum config_subband { CONFIG_SUBBAND_SMOOTH, CONFIG_SUBBAND_FLAT };
struct config_precoding {
    enum mimo_scheme scheme;
    enum mimo_power power;
    int average_blocks;
    double upsilon, ob_gap;
    enum config_an an;
    enum config_an_policy an_policy;
    double an_share, an_target_sinr_db;
    bool local;
    enum config_subband subband;
};

struct config_eve {
    int n_ant;
    enum config_attack attack;
    int target_user;
    uint64_t from_block;
};

struct config_row {
    double *value;
    unsigned value_count;
};

struct config_sensing {
    bool live;                  /* the running network does it; else it is only planned for */
    struct config_row *zones_m; /* rows of 3 */
    unsigned zones_m_count;
    enum config_sensing_objective objective;
    double nu, kappa_db, qos_db, d_over_lambda;
    enum config_sensing_phases phases;
};

/* The resilience controller of the CPU node. */
enum config_start { CONFIG_START_CURRENT, CONFIG_START_EPA };
enum config_deploy { CONFIG_DEPLOY_RUNNING, CONFIG_DEPLOY_FINAL };
enum config_eve_knowledge { CONFIG_EVE_ESTIMATED, CONFIG_EVE_KNOWN };
struct config_resilience {
    bool controller;
    double w_sec, w_qos, r_min, r_des, s_des, lam_abs, lam_ada, lam_rec;
    int n_max, average_blocks, step_blocks;
    double desired_recovery_ms;
    enum config_start start;
    enum config_deploy deploy;
    enum config_eve_knowledge eve_knowledge;
};

/* Users served and how candidates are sounded. */
enum config_metric { CONFIG_METRIC_CESG, CONFIG_METRIC_STRONGEST, CONFIG_METRIC_RANDOM };
enum config_sounding { CONFIG_SOUNDING_ALL, CONFIG_SOUNDING_ROTATE };
struct config_scheduler {
    int n_served; /* 0 = all */
    enum config_metric metric;
    int blocks, average_blocks;
    int *always;
    unsigned always_count;
    enum config_sounding sounding;
};

/* User-centric clusters: fewer pilots than users, each access point serves some of them. */
struct config_cluster {
    bool enabled;
    int pilots; /* sequences that users share, uplink and downlink */
    double hysteresis_db;
    int every_blocks, max_aps;
};

/* One of several central nodes. */
struct config_cpu {
    char *endpoint; /* its fronthaul; never "auto" after config_load */
    int *aps;       /* that connect to it */
    unsigned aps_count;
};
/* What several central nodes are to each other's users. */
struct config_partners {
    bool helpers; /* false: the home alone combines and serves */
    double help_db, hysteresis_db;
    int hysteresis_blocks, lead_blocks, weights_every_blocks;
};

struct config_engine {
    double gather_deadline_us, block_budget_us;
    int n_workers;
    int *solve_cores;
    unsigned solve_cores_count;
    int stale_blocks, mute_blocks;
    int lag_blocks;
    double tx_lead_us, on_time_us, lockstep_timeout_ms, peer_timeout_ms;
    int user_silent_blocks, realtime_priority;
    double attack_alarms_per_hour;
    int *ap_cores;
    unsigned ap_cores_count;
};

struct config_faults {
    double loss, delay_us, jitter_us, reorder;
    int silent_ap, partition_ap; /* -1 = none */
    uint64_t from_block, to_block;
    bool allow_command;
};

struct config_fronthaul {
    char *endpoint, *lab_endpoint; /* never "auto" after config_load */
    enum config_security security;
    char *key_dir; /* absolute after config_load */
    struct config_faults faults;
    enum config_encoding uplink_encoding, downlink_encoding;
    int mantissa_bits;
    double busy_poll_us;
};

/* dir "" = no recording of samples; no nodes = all of them. */
struct config_iq {
    char *dir;
    char **nodes;
    unsigned nodes_count;
    uint64_t from_block, n_blocks;
    enum config_iq_symbols symbols;
};

struct config_record {
    char *file;
    bool csi, precoders;
    int constellation_points;
    struct config_iq iq;
};

/* One radio, UHD's words. In the file: radio.ap (the common default of all APs) and radio.ap_list, a list of `{id: 2,
 * args: ..., ...}` over it; the same for ue and eve. Use config_radio_of, which has both merged. */
struct config_radio {
    int id; /* in the lists; 0 in the common default */
    char *backend, *args;
    double tx_power_dbm, noise_figure_db, tx_full_scale_dbm, rx_full_scale_dbm;
    double master_clock_rate_hz, freq_hz, bandwidth_hz, tx_gain_db, rx_gain_db;
    char *tx_antenna, *rx_antenna, *subdev, *channels, *clock_source, *time_source;
};
enum config_role { CONFIG_ROLE_AP, CONFIG_ROLE_UE, CONFIG_ROLE_EVE, CONFIG_N_ROLES };

struct config_gains {
    enum config_gain_model model;
    double snr_db, eve_snr_db, ap_snr_db;
    struct config_row *gain_db; /* [n_ap] rows of [n_ue] */
    unsigned gain_db_count;
    struct config_row *gain_db_end; /* the same from gain_db_end_to_block on; empty: gain_db for ever */
    unsigned gain_db_end_count;
    uint64_t gain_db_end_from_block, gain_db_end_to_block;
    struct config_row *eve_gain_db; /* [n_ap] rows of [n_eve] */
    unsigned eve_gain_db_count;
    double area_m;
    struct config_row *ap_positions_m, *ue_positions_m; /* rows of 3 */
    unsigned ap_positions_m_count, ue_positions_m_count;
    struct config_row *eve_positions_m;
    unsigned eve_positions_m_count;
    double eve_radius_m;
    double ap_height_m, ue_height_m;
    enum config_path_loss path_loss;
    double reference_db, exponent, shadowing_db;
    enum config_file_units file_units;
    uint64_t drop_seed, shadowing_seed; /* 0: network.seed */
};

struct config_fading_model {
    enum config_fading model;
    double rician_k_db;
    int *tap_delays_samples;
    unsigned tap_delays_samples_count;
    double *tap_powers_db;
    unsigned tap_powers_db_count;
    enum config_variation variation;
    double doppler_hz;
    uint64_t seed; /* 0: network.seed */
    char *file;
    enum config_layout layout;
    int row_blocks;
};

struct config_impairments {
    double gain_mismatch_db, phase_mismatch_deg, phase_drift_rad2_per_s, cfo_hz, phase_noise_linewidth_hz;
    int timing_offset_samples;
    double timing_fraction_samples;
    bool clip;
    int adc_bits;
};

/* Something scripted. Lists name nodes; those that a kind does not use are empty. */
enum config_event_kind { CONFIG_EVENT_NONE, CONFIG_EVENT_BLOCKAGE, CONFIG_EVENT_MOVE };
struct config_event {
    enum config_event_kind kind;
    uint64_t block, to_block; /* from the start of block on, up to the start of to_block; 0: to the end */
    int *ap, *ue, *eve;
    unsigned ap_count, ue_count, eve_count;
    double loss_db; /* blockage: what the links of these APs with these users or eavesdroppers lose, both ways */
    int zone;       /* move: which sensing zone is at to_m from here on */
    double *to_m;   /* [3] */
    unsigned to_m_count;
};

struct config_zmq {
    char *tx, *rx, *links;
    double stall_ms;
};

/* endpoint "" = no tap; no radios = all of them. */
struct config_tap {
    char *endpoint;
    char **radios;
    unsigned radios_count;
    enum config_tap_direction direction;
};

struct config_air {
    char *endpoint;
    enum config_air_mode mode;
    int chunk_samples;
    enum config_medium medium;
    struct config_zmq zmq;
    struct config_tap tap;
    bool wait_for_all;
    double radio_timeout_ms;
    char *truth;
    struct config_gains large_scale;
    struct config_fading_model fading;
    int delay_samples;
    struct {
        struct config_impairments ap, ue;
    } impairments;
    struct config_event *events;
    unsigned events_count;
};

/* Lists: empty, or one entry per node of the role, merged over the common default when the file is loaded. */
struct config_radios {
    struct config_radio ap, ue, eve;
    struct config_radio *ap_list, *ue_list, *eve_list; /* [n_ap], [n_ue], [n_eve] or empty */
    unsigned ap_list_count, ue_list_count, eve_list_count;
};

struct config {
    struct config_network network;
    struct config_frame frame;
    struct config_pilots pilots;
    struct config_payload payload;
    struct config_precoding precoding;
    struct config_scheduler scheduler;
    struct config_cluster cluster;
    struct config_cpu *cpus; /* empty: one central node */
    unsigned cpus_count;
    struct config_partners partners;
    struct config_sync sync;
    struct config_uplink uplink;
    struct config_calibration calibration;
    struct config_eve eve;
    struct config_resilience resilience;
    struct config_sensing sensing;
    struct config_engine engine;
    struct config_fronthaul fronthaul;
    struct config_record record;
    struct config_radios radio;
    struct config_air air;
    char *folder; /* no key: the network file's, absolute; the working directory without a file */
};

/* path NULL = defaults only. overrides: n strings "path.to.key=value" (YAML values; lists as [1, 2]) or
 * "path.to.key:=text" (a text taken literally, byte by byte: how programs hand in paths). */
int config_load(struct config **config, const char *path, const char *const *overrides, int n_overrides);
void config_free(struct config *config); /* NULL allowed */

/* The effective configuration as YAML, caller frees; NULL on failure. Loading it again gives the same configuration. */
char *config_to_yaml(const struct config *config);
/* The built-in commented defaults. */
const char *config_defaults_yaml(void);
/* A file that a key names (record.file, air.truth): relative ones lie in the network file's folder, wherever the
 * program was started. The key keeps what was written, so that a folder with its network file can be moved. Caller
 * frees; NULL without memory. */
char *config_file_path(const struct config *config, const char *name);

/* Whether a node writes what its antennas receive (record.iq). */
bool config_records_iq(const struct config *config, enum config_role role, int id);
/* Whether its samples are published (air.tap). */
bool config_taps(const struct config *config, enum config_role role, int id);
/* "ap0", "ue1", "eve0": is this a node of the network. */
bool config_has_node(const struct config *config, const char *name);
/* "ap", "ue" or "eve". */
const char *config_role_name(enum config_role role);

/* Makes of a network its replay: every radio plays `collection` (an absolute path), nothing waits for a clock, no
 * faults, nothing else is recorded than the recording itself. Keys that name places are "auto" again: write it and load
 * that. TUTTI_ENOMEM. */
int config_make_replay(struct config *config, const char *collection);

/* The radio of one node: the common default with the node's own list entry over it. Never NULL for an id in range. */
const struct config_radio *config_radio_of(const struct config *config, enum config_role role, int id);

/* TUTTI_OK if this build has a radio backend of that name, else TUTTI_ECONFIG and in `sentence` what is wrong with the
 * name, or what to install for it. */
int config_backend_check(const char *name, char *sentence, size_t room);

/* What to hand to radio_open as args: the radio's own, else for the emulated air air.endpoint. */
const char *config_radio_args(const struct config *config, const struct config_radio *radio);

/* Canonical text of what nodes and the central node must agree on, one `key: value` per line: network shape and seed,
 * frame, pilots, payload, encodings, radio scales and powers (each as it changes the meaning of numbers on the wire).
 * Spellings do not count. Caller frees; NULL without memory. A refusal names the first key whose line differs. */
char *config_agreement(const struct config *config);
/* Compares two such texts; writes "key: 'theirs' there, 'ours' here" of the first difference and returns true if they
 * differ. */
bool config_agreement_differs(const char *ours, const char *theirs, char *sentence, size_t room);

/* A 64-bit hash of it. */
uint64_t config_fingerprint(const struct config *config);

enum { CONFIG_EXTRA_STREAMS = 8 }; /* of a precoder message beside one per user: noise, sensing, calibration */
/* Streams that an AP has room for and the central node may send; both ends must agree on it. */
static inline int config_stream_room(const struct config *config)
{
    return config->network.n_ue + CONFIG_EXTRA_STREAMS;
}

/* Users with a stream at a time, each with a downlink pilot sequence of its own: network.n_ue or scheduler.n_served. */
static inline int config_n_served(const struct config *config)
{
    return config->scheduler.n_served > 0 ? config->scheduler.n_served : config->network.n_ue;
}
/* Downlink pilot sequences of the users: one of each place, with clusters those that users share. */
static inline int config_n_sequence(const struct config *config)
{
    return config->cluster.enabled ? config->cluster.pilots : config_n_served(config);
}
/* Columns of what an access point reports of its estimates: one per user, with clusters one per pilot. */
static inline int config_n_reported(const struct config *config)
{
    return config->cluster.enabled ? config->cluster.pilots : config->network.n_ue;
}
/* Zones that the running network illuminates, each with a stream and a downlink pilot sequence behind the users'. */
static inline int config_n_zone(const struct config *config)
{
    return config->sensing.live ? (int)config->sensing.zones_m_count : 0;
}
/* Users take turns on uplink pilot sequences. */
static inline bool config_rotates(const struct config *config)
{
    return config->scheduler.n_served > 0 && config->scheduler.sounding == CONFIG_SOUNDING_ROTATE;
}

/* Central nodes, at least one; the one that an access point connects to, and where that one listens. */
static inline int config_n_cpu(const struct config *config)
{
    return config->cpus_count > 0 ? (int)config->cpus_count : 1;
}
int config_cpu_of_ap(const struct config *config, int ap);
const char *config_cpu_endpoint(const struct config *config, int cpu);
/* Its lab link: the first one's is fronthaul.lab_endpoint, where users are; another's, for who watches it, a socket in
 * runtime_dir. Caller frees; NULL without memory. */
char *config_cpu_lab(const struct config *config, int cpu);
/* What a central node records into: record.file, of several central nodes with cpuC before its ending (run.cpu1.h5);
 * "" without a recording. Relative as the key is. Caller frees; NULL without memory. */
char *config_record_name(const struct config *config, int cpu);

/* Access points send matched filters or combined streams, one per user, instead of what their antennas receive. */
static inline bool config_uplink_per_user(const struct config *config)
{
    const struct config_uplink *const u = &config->uplink;
    return u->mode == CONFIG_UPLINK_LOCAL || u->streams == CONFIG_STREAMS_MATCHED ||
           (u->streams == CONFIG_STREAMS_AUTO && config->network.n_ue < config->network.n_ant);
}

/* Some node's radio is on the emulated air. */
bool config_has_emulated(const struct config *config);
/* Two runs see the same samples and nothing may depend on entropy or speed: every radio is on the emulated air in
 * lock-step, or a replay. What one radio's own node knows is radio_info.repeatable. */
bool config_is_repeatable(const struct config *config);
/* How old a user's last report may be: engine.user_silent_blocks, in lock-step as old as it likes, for how soon one
 * comes is the machine's affair there and who is served must not be. A connection that ended is noticed all the same.
 */
uint64_t config_user_silent_blocks(const struct config *config);
/* Silence after which a peer is dead: engine.peer_timeout_ms, in lock-step at least engine.lockstep_timeout_ms, where
 * who gets no processor time for a while is slow and not dead. Ended connections are noticed at once all the same. */
double config_peer_timeout_ms(const struct config *config);

/* Where the keys are for this endpoint of the fronthaul; NULL: it is not encrypted (fronthaul.security). */
const char *config_key_dir(const struct config *config, const char *endpoint);

/* Expands a schedule such as "B G P4 U24 G D38 G" to one letter per OFDM symbol, NUL-terminated, in room bytes (NUL
 * included); blanks are ignored. Returns the number of symbols, or TUTTI_ECONFIG naming the offending character and its
 * position. Only the grammar is checked here. */
int config_schedule_expand(const char *schedule, char *letters, size_t room);

/* Command-line options common to all programs: --config FILE, --set KEY=VALUE (any number), --log LEVEL. Anything else
 * is the program's own. Call config_options_take for each argv element; it advances *i past what it took and returns 1;
 * 0 = not a common option, *i unchanged; negative on error. `while (i < argc) switch (config_options_take(...))`.
 * Texts stay the caller's (argv). */
struct config_options {
    const char *path;
    const char **overrides; /* [n_overrides] for config_load */
    int n_overrides;
};
int config_options_take(struct config_options *options, int argc, char **argv, int *i);
/* One more override, as of --set; the text must stay. */
int config_options_add(struct config_options *options, const char *override);
void config_options_free(struct config_options *options);

#endif
