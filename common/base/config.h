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
enum config_large_scale { CONFIG_LS_TRACKED, CONFIG_LS_KNOWN };
enum config_air_mode { CONFIG_AIR_LOCKSTEP, CONFIG_AIR_PACED };
/* Same numbers as enum wire_encoding. */
enum config_encoding { CONFIG_CF32, CONFIG_SC16, CONFIG_BFP };
enum config_gain_model { CONFIG_GAIN_UNIFORM, CONFIG_GAIN_EXPLICIT, CONFIG_GAIN_GEOMETRY };
enum config_path_loss { CONFIG_PL_UMI, CONFIG_PL_THREE_SLOPE, CONFIG_PL_LOG_DISTANCE };
enum config_fading { CONFIG_FADING_NONE, CONFIG_FADING_RAYLEIGH, CONFIG_FADING_RICIAN, CONFIG_FADING_TDL };
enum config_security { CONFIG_SECURITY_AUTO, CONFIG_SECURITY_CURVE, CONFIG_SECURITY_NONE };
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

struct config_precoding {
    enum mimo_scheme scheme;
    enum mimo_power power;
    double upsilon, ob_gap;
    enum config_an an;
    enum config_an_policy an_policy;
    double an_share, an_target_sinr_db;
    bool local;
};

struct config_eve {
    int n_ant;
    enum config_attack attack;
    int target_user;
    uint64_t from_block;
};

struct config_engine {
    double gather_deadline_us, block_budget_us;
    int n_workers;
    int *solve_cores;
    unsigned solve_cores_count;
    int stale_blocks, mute_blocks;
    double tx_lead_us, on_time_us, lockstep_timeout_ms, peer_timeout_ms;
    int user_silent_blocks, realtime_priority;
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
    char *key_dir; /* absolute, or relative to the working directory, after config_load */
    struct config_faults faults;
    enum config_encoding uplink_encoding, downlink_encoding;
    int mantissa_bits;
    double busy_poll_us;
};

struct config_record {
    char *file;
    bool csi, precoders;
    int constellation_points;
};

struct config_radio {
    char *backend, *args;
    double tx_power_dbm, noise_figure_db, tx_full_scale_dbm, rx_full_scale_dbm;
};

struct config_row {
    double *value;
    unsigned value_count;
};

struct config_gains {
    enum config_gain_model model;
    double snr_db, eve_snr_db;
    struct config_row *gain_db; /* [n_ap] rows of [n_ue] */
    unsigned gain_db_count;
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
};

struct config_impairments {
    double gain_mismatch_db, phase_mismatch_deg, cfo_hz, phase_noise_linewidth_hz;
    int timing_offset_samples;
    bool clip;
    int adc_bits;
};

struct config_air {
    char *endpoint;
    enum config_air_mode mode;
    int chunk_samples;
    bool wait_for_all;
    double radio_timeout_ms;
    char *truth;
    struct config_gains large_scale;
    struct config_fading_model fading;
    int delay_samples;
    struct {
        struct config_impairments ap, ue;
    } impairments;
};

struct config {
    struct config_network network;
    struct config_frame frame;
    struct config_pilots pilots;
    struct config_payload payload;
    struct config_precoding precoding;
    struct config_eve eve;
    struct config_engine engine;
    struct config_fronthaul fronthaul;
    struct config_record record;
    struct {
        struct config_radio ap, ue, eve;
    } radio;
    struct config_air air;
};

/* path NULL = defaults only. overrides: n strings "path.to.key=value" (YAML values; lists as [1, 2]). */
int config_load(struct config **config, const char *path, const char *const *overrides, int n_overrides);
void config_free(struct config *config); /* NULL allowed */

/* The effective configuration as YAML, caller frees; NULL on failure. Loading it again gives the same configuration. */
char *config_to_yaml(const struct config *config);
/* The built-in commented defaults. */
const char *config_defaults_yaml(void);
/* A 64-bit fingerprint of what both ends of the fronthaul must agree on: network shape and seed, frame, pilots,
 * payload. Spellings do not count ("P4" = "PPPP", [] = the default pilots written out). */
uint64_t config_fingerprint(const struct config *config);

/* Lock-step: the emulated air's time advances when everybody is ready. backend: of the radios asked about. */
bool config_is_lockstep(const struct config *config, const char *backend);
/* Silence after which a peer is dead: engine.peer_timeout_ms, in lock-step at least engine.lockstep_timeout_ms, where
 * who gets no processor time for a while is slow and not dead. Ended connections are noticed at once all the same. */
double config_peer_timeout_ms(const struct config *config);

/* Where the keys are for this endpoint of the fronthaul; NULL: it is not encrypted (fronthaul.security). */
const char *config_key_dir(const struct config *config, const char *endpoint);

/* Expands a schedule such as "B G P4 U24 G D38 G" to one letter per OFDM symbol, NUL-terminated, in room bytes (NUL
 * included); blanks are ignored. Returns the number of symbols, or TUTTI_ECONFIG naming the offending character and its
 * position. Only the grammar is checked here. */
int config_schedule_expand(const char *schedule, char *letters, size_t room);

/* Command-line options common to all programs: --config FILE, --set KEY=VALUE (repeatable), --log LEVEL. Anything else
 * is the program's own. Call config_options_take for each argv element; it advances *i past what it took and returns 1;
 * 0 = not a common option, *i unchanged; negative on error. `while (i < argc) switch (config_options_take(...))`. */
struct config_options {
    const char *path;
    const char *overrides[64];
    int n_overrides;
};
int config_options_take(struct config_options *options, int argc, char **argv, int *i);

#endif
