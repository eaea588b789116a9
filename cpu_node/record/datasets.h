/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one table of what run.h5 has per block: name, type, shape, source (docs/files.md says what each means). */
#ifndef TUTTI_CPU_NODE_RECORD_DATASETS_H
#define TUTTI_CPU_NODE_RECORD_DATASETS_H

#include "base/h5file.h"
#include "base/types.h"

/* Who fills it, which decides how late a row may still come. */
enum record_source {
    FROM_BLOCK,  /* a solved block, once and in order */
    FROM_AP,     /* an AP's account of a block: its cell of the row, blocks later */
    FROM_USER,   /* a user's report: its cell, any time later */
    FROM_EVE,    /* the same of an eavesdropper */
    FROM_UPLINK, /* a block's uplink data, some blocks later */
    FROM_REPORTS /* what follows from both */
};
/* Whether it is kept at all. */
enum record_when {
    ALWAYS,
    WITH_CSI,
    WITH_PRECODERS,
    WITH_NOISE,
    WITH_NOISE_VECTORS,
    WITH_EVE,
    WITH_POINTS,
    WITH_SCHEDULE,
    WITH_CLUSTERS,
    WITH_PARTS,
    WITH_POWERS,
    WITH_SYNC,
    WITH_CONTROLLER,
    WITH_UPLINK,
    WITH_UPLINK_POINTS,
    WITH_UPLINK_PARTS,
    WITH_SENSING,
    WITH_SENSING_VECTORS,
    WITH_PROBES
};

/* X(enumerator, path, type, shape after the row, source, when). Shape, slowest first: s subband, a AP, n antenna, u
 * user, e eavesdropper, z sensing zone, c central node, 5 five, p constellation point, l cause of loss. */
#define RECORD_MAP(X)                                                                                                  \
    X(R_H_HAT, "/H_hat", H5_C64, "sanu", FROM_BLOCK, WITH_CSI)                                                         \
    X(R_ERROR_VARIANCE, "/error_variance", H5_F64, "sau", FROM_BLOCK, WITH_CSI)                                        \
    X(R_W, "/W", H5_C64, "sanu", FROM_BLOCK, WITH_PRECODERS)                                                           \
    X(R_AN, "/an", H5_C64, "san", FROM_BLOCK, WITH_NOISE_VECTORS)                                                      \
    X(R_AN_SHARE, "/an_share", H5_F64, "", FROM_BLOCK, WITH_NOISE)                                                     \
    X(R_SINR_PREDICTED, "/sinr_predicted", H5_F64, "su", FROM_BLOCK, ALWAYS)                                           \
    X(R_SINR_EXPECTED, "/sinr_expected", H5_F64, "u", FROM_BLOCK, ALWAYS)                                              \
    X(R_LOSS, "/loss_db", H5_F64, "l", FROM_BLOCK, ALWAYS)                                                             \
    X(R_SINR_BOUND, "/sinr_bound", H5_F64, "s", FROM_BLOCK, ALWAYS)                                                    \
    X(R_SOLVE_TIME, "/solve_time_s", H5_F64, "", FROM_BLOCK, ALWAYS)                                                   \
    X(R_SCHEME, "/scheme", H5_I32, "", FROM_BLOCK, ALWAYS)                                                             \
    X(R_REASON, "/reason", H5_I32, "", FROM_BLOCK, ALWAYS)                                                             \
    X(R_SOLVED, "/block/solved", H5_U8, "", FROM_BLOCK, ALWAYS)                                                        \
    X(R_TICK, "/block/tick", H5_U64, "", FROM_BLOCK, ALWAYS)                                                           \
    X(R_SESSION, "/block/session", H5_U64, "", FROM_BLOCK, ALWAYS)                                                     \
    X(R_LEARNING, "/block/learning", H5_U8, "", FROM_BLOCK, ALWAYS)                                                    \
    X(R_CALIBRATION, "/block/calibration", H5_I32, "", FROM_BLOCK, ALWAYS)                                             \
    X(R_AP_USED, "/block/ap_used", H5_U8, "a", FROM_BLOCK, ALWAYS)                                                     \
    X(R_USER_USED, "/block/user_used", H5_U8, "u", FROM_BLOCK, ALWAYS)                                                 \
    X(R_PLACE, "/schedule/place", H5_I32, "u", FROM_BLOCK, WITH_SCHEDULE)                                              \
    X(R_AGE, "/schedule/age_blocks", H5_I32, "u", FROM_BLOCK, WITH_SCHEDULE)                                           \
    X(R_SEAT, "/schedule/seat", H5_I32, "u", FROM_BLOCK, WITH_SCHEDULE)                                                \
    X(R_ROSTER_FROM, "/schedule/from_block", H5_U64, "", FROM_BLOCK, WITH_SCHEDULE)                                    \
    X(R_CLUSTER_SERVES, "/cluster/serves", H5_U8, "au", FROM_BLOCK, WITH_CLUSTERS)                                     \
    X(R_CLUSTER_PILOT, "/cluster/pilot", H5_I32, "u", FROM_BLOCK, WITH_CLUSTERS)                                       \
    X(R_PARTS_GAIN, "/parts/gain", H5_C64, "suu", FROM_BLOCK, WITH_PARTS)                                              \
    X(R_PARTS_ERROR, "/parts/error", H5_F64, "suu", FROM_BLOCK, WITH_PARTS)                                            \
    X(R_PARTS_WEIGHT, "/parts/weight", H5_C64, "u", FROM_BLOCK, WITH_PARTS)                                            \
    X(R_POWER, "/power", H5_F64, "au", FROM_BLOCK, WITH_POWERS)                                                        \
    X(R_BETA, "/block/beta", H5_F64, "au", FROM_BLOCK, ALWAYS)                                                         \
    X(R_NOISE_POWER, "/block/noise_power", H5_F64, "a", FROM_BLOCK, ALWAYS)                                            \
    X(R_SYNC_STATE, "/sync/state", H5_U8, "a", FROM_BLOCK, WITH_SYNC)                                                  \
    X(R_SYNC_CFO, "/sync/cfo_hz", H5_F64, "a", FROM_BLOCK, WITH_SYNC)                                                  \
    X(R_SYNC_ERROR, "/sync/error_rad", H5_F64, "a", FROM_BLOCK, WITH_SYNC)                                             \
    X(R_SYNC_SNR, "/sync/snr_db", H5_F64, "a", FROM_BLOCK, WITH_SYNC)                                                  \
    X(R_SYNC_DELAY, "/sync/delay_samples", H5_F64, "a", FROM_BLOCK, WITH_SYNC)                                         \
    X(R_SYNC_DRIFT, "/sync/drift_ppm", H5_F64, "a", FROM_BLOCK, WITH_SYNC)                                             \
    X(R_EVENTS, "/radio/events", H5_I64, "a5", FROM_BLOCK, ALWAYS)                                                     \
    X(R_CAPTURE_END, "/hops/capture_end_ns", H5_U64, "a", FROM_BLOCK, ALWAYS)                                          \
    X(R_CSI_SENT, "/hops/csi_sent_ns", H5_U64, "a", FROM_BLOCK, ALWAYS)                                                \
    X(R_CSI_RECEIVED, "/hops/csi_received_ns", H5_U64, "a", FROM_BLOCK, ALWAYS)                                        \
    X(R_PRECODER_SENT, "/hops/precoder_sent_ns", H5_U64, "a", FROM_BLOCK, ALWAYS)                                      \
    X(R_SOLVE_START, "/hops/solve_start_ns", H5_U64, "", FROM_BLOCK, ALWAYS)                                           \
    X(R_SOLVE_END, "/hops/solve_end_ns", H5_U64, "", FROM_BLOCK, ALWAYS)                                               \
    X(R_FAULTS, "/faults/injected", H5_I64, "a", FROM_BLOCK, ALWAYS)                                                   \
    X(R_ATTACK_SCORE, "/attack/score", H5_F64, "u", FROM_BLOCK, ALWAYS)                                                \
    X(R_ATTACK_SUSPECTED, "/attack/suspected", H5_U8, "u", FROM_BLOCK, ALWAYS)                                         \
    X(R_PRECODER_RECEIVED, "/hops/precoder_received_ns", H5_U64, "a", FROM_AP, ALWAYS)                                 \
    X(R_APPLIED_NS, "/hops/applied_ns", H5_U64, "a", FROM_AP, ALWAYS)                                                  \
    X(R_KIND, "/applied/kind", H5_U8, "a", FROM_AP, ALWAYS)                                                            \
    X(R_CHOSEN, "/applied/chosen", H5_U8, "a", FROM_AP, ALWAYS)                                                        \
    X(R_ARRIVAL, "/applied/arrival", H5_U8, "a", FROM_AP, ALWAYS)                                                      \
    X(R_SCALED, "/applied/scaled", H5_U8, "a", FROM_AP, ALWAYS)                                                        \
    X(R_USER_SINR, "/user/sinr_measured", H5_F64, "u", FROM_USER, ALWAYS)                                              \
    X(R_USER_EVM, "/user/evm", H5_F64, "u", FROM_USER, ALWAYS)                                                         \
    X(R_USER_BITS, "/user/bits", H5_I64, "u", FROM_USER, ALWAYS)                                                       \
    X(R_USER_BIT_ERRORS, "/user/bit_errors", H5_I64, "u", FROM_USER, ALWAYS)                                           \
    X(R_USER_CODED_BITS, "/user/coded_bits", H5_I64, "u", FROM_USER, ALWAYS)                                           \
    X(R_USER_CODED_BIT_ERRORS, "/user/coded_bit_errors", H5_I64, "u", FROM_USER, ALWAYS)                               \
    X(R_USER_CODE_BLOCKS, "/user/code_blocks", H5_I64, "u", FROM_USER, ALWAYS)                                         \
    X(R_USER_CODE_BLOCK_ERRORS, "/user/code_block_errors", H5_I64, "u", FROM_USER, ALWAYS)                             \
    X(R_CONSTELLATION, "/user/constellation", H5_C64, "up", FROM_USER, WITH_POINTS)                                    \
    X(R_EVE_SINR, "/eve/sinr_measured", H5_F64, "eu", FROM_EVE, WITH_EVE)                                              \
    X(R_EVE_GENIE, "/eve/sinr_genie", H5_F64, "eu", FROM_EVE, WITH_EVE)                                                \
    X(R_EVE_BITS, "/eve/bits", H5_I64, "eu", FROM_EVE, WITH_EVE)                                                       \
    X(R_EVE_BIT_ERRORS, "/eve/bit_errors", H5_I64, "eu", FROM_EVE, WITH_EVE)                                           \
    X(R_EVE_CODE_BLOCKS, "/eve/code_blocks", H5_I64, "eu", FROM_EVE, WITH_EVE)                                         \
    X(R_EVE_CODE_BLOCK_ERRORS, "/eve/code_block_errors", H5_I64, "eu", FROM_EVE, WITH_EVE)                             \
    X(R_UPLINK_SINR, "/uplink/sinr_measured", H5_F64, "u", FROM_UPLINK, WITH_UPLINK)                                   \
    X(R_UPLINK_PREDICTED, "/uplink/sinr_predicted", H5_F64, "u", FROM_UPLINK, WITH_UPLINK)                             \
    X(R_UPLINK_EVM, "/uplink/evm", H5_F64, "u", FROM_UPLINK, WITH_UPLINK)                                              \
    X(R_UPLINK_BITS, "/uplink/bits", H5_I64, "u", FROM_UPLINK, WITH_UPLINK)                                            \
    X(R_UPLINK_BIT_ERRORS, "/uplink/bit_errors", H5_I64, "u", FROM_UPLINK, WITH_UPLINK)                                \
    X(R_UPLINK_CODED_BITS, "/uplink/coded_bits", H5_I64, "u", FROM_UPLINK, WITH_UPLINK)                                \
    X(R_UPLINK_CODED_BIT_ERRORS, "/uplink/coded_bit_errors", H5_I64, "u", FROM_UPLINK, WITH_UPLINK)                    \
    X(R_UPLINK_CODE_BLOCKS, "/uplink/code_blocks", H5_I64, "u", FROM_UPLINK, WITH_UPLINK)                              \
    X(R_UPLINK_CODE_BLOCK_ERRORS, "/uplink/code_block_errors", H5_I64, "u", FROM_UPLINK, WITH_UPLINK)                  \
    X(R_UPLINK_CONSTELLATION, "/uplink/constellation", H5_C64, "up", FROM_UPLINK, WITH_UPLINK_POINTS)                  \
    X(R_UPLINK_AP_USED, "/uplink/ap_used", H5_U8, "a", FROM_UPLINK, WITH_UPLINK)                                       \
    X(R_UPLINK_HOME, "/uplink/home", H5_I32, "u", FROM_UPLINK, WITH_UPLINK_PARTS)                                      \
    X(R_UPLINK_PART_USED, "/uplink/part_used", H5_U8, "cu", FROM_UPLINK, WITH_UPLINK_PARTS)                            \
    X(R_UPLINK_PART_BYTES, "/uplink/part_bytes", H5_I64, "c", FROM_UPLINK, WITH_UPLINK_PARTS)                          \
    X(R_UPLINK_BYTES, "/uplink/bytes", H5_I64, "a", FROM_UPLINK, WITH_UPLINK)                                          \
    X(R_UPLINK_COMBINE_TIME, "/uplink/combine_time_s", H5_F64, "", FROM_UPLINK, WITH_UPLINK)                           \
    X(R_UPLINK_DECODE_TIME, "/uplink/decode_time_s", H5_F64, "", FROM_UPLINK, WITH_UPLINK)                             \
    X(R_SENSING_V, "/sensing/V", H5_C64, "zsan", FROM_BLOCK, WITH_SENSING_VECTORS)                                     \
    X(R_SENSING_MODE, "/sensing/mode", H5_U8, "a", FROM_BLOCK, WITH_SENSING)                                           \
    X(R_SENSING_SHARE, "/sensing/share", H5_F64, "au", FROM_BLOCK, WITH_SENSING)                                       \
    X(R_SENSING_ETA_S, "/sensing/eta_s", H5_F64, "az", FROM_BLOCK, WITH_SENSING)                                       \
    X(R_SENSING_THETA, "/sensing/theta_rad", H5_F64, "az", FROM_BLOCK, WITH_SENSING)                                   \
    X(R_SENSING_SINR, "/sensing/sinr", H5_F64, "u", FROM_BLOCK, WITH_SENSING)                                          \
    X(R_SENSING_MASR, "/sensing/masr", H5_F64, "z", FROM_BLOCK, WITH_SENSING)                                          \
    X(R_SENSING_EVE, "/sensing/sinr_eve", H5_F64, "z", FROM_BLOCK, WITH_SENSING)                                       \
    X(R_ZONE_COMMUNICATION, "/zone/communication", H5_F64, "e", FROM_EVE, WITH_PROBES)                                 \
    X(R_ZONE_OWN, "/zone/own", H5_F64, "e", FROM_EVE, WITH_PROBES)                                                     \
    X(R_ZONE_CROSS, "/zone/cross", H5_F64, "e", FROM_EVE, WITH_PROBES)                                                 \
    X(R_ZONE_NOISE, "/zone/noise", H5_F64, "e", FROM_EVE, WITH_PROBES)                                                 \
    X(R_ZONE_TOTAL, "/zone/total", H5_F64, "e", FROM_EVE, WITH_PROBES)                                                 \
    X(R_GAP, "/resilience/gap_predicted", H5_F64, "", FROM_REPORTS, WITH_CONTROLLER)                                   \
    X(R_RATE_PREDICTED, "/secrecy/rate_predicted", H5_F64, "u", FROM_BLOCK, WITH_EVE)                                  \
    X(R_RATE_MEASURED, "/secrecy/rate_measured", H5_F64, "u", FROM_REPORTS, WITH_EVE)                                  \
    X(R_RATE_GENIE, "/secrecy/rate_genie", H5_F64, "u", FROM_REPORTS, WITH_EVE)

enum record_dataset {
#define RECORD_ENUM(id, ...) id,
    RECORD_MAP(RECORD_ENUM)
#undef RECORD_ENUM
        N_RECORD_DATASETS
};

/* Blocks per row of /user/constellation; every other dataset has a row per block. */
enum { CONSTELLATION_EVERY = 16 };
/* Causes of loss, of enum expected_loss. */
enum { RECORD_LOSSES = 6 };

struct record_shape {
    int n_sb, n_ap, n_ant, n_ue, n_eve, n_points, n_zone, n_cpu; /* n_cpu 0: one central node */
    bool csi, precoders, noise, noise_vectors, schedule, clusters, parts, controller, powers, uplink, sync;
};

struct record_column_spec {
    const char *path;
    enum h5_type type;
    enum record_source source;
    int rank;                                  /* with the row */
    size_t dims[H5FILE_MAX_RANK - 1];          /* [rank - 1] */
    size_t value_bytes, row_bytes, cell_bytes; /* a cell: one entry of the first dimension after the row */
    bool kept;
};
/* What dataset `id` is in a file of this shape. */
struct record_column_spec record_spec(enum record_dataset id, const struct record_shape *shape);

#endif
