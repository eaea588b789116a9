/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti latency: what a block costs on a fronthaul. The probe stands for all APs of a network, one thread and one link
 * each; the server stands for the CPU node without its solver. At block cadence every AP sends its estimates, the
 * server gathers those of a block and answers each AP with its precoder: real messages through the real peer and hub.
 */
#ifndef TUTTI_TOOLS_LATENCY_LATENCY_H
#define TUTTI_TOOLS_LATENCY_LATENCY_H

#include "base/config.h"
#include "base/stats.h"
#include "fronthaul/peer.h"
#include "fronthaul/wire.h"

#include <sys/resource.h>

/* Both ends compare it: a latency probe must never be taken for an AP of a network. */
#define LATENCY_FINGERPRINT 0x4c4154454e435900u /* "LATENCY" */
enum { LATENCY_WARM_UP_BLOCKS = 20, LATENCY_BOOT_ID_ROOM = 40 };

struct latency_options {
    struct config *config;
    int aps, antennas, users, subbands;
    struct config_fronthaul encoding; /* uplink, downlink, mantissa_bits, busy_poll_us */
    bool probe_bytes;                 /* WIRE_PROBE with so many bytes instead of estimates and precoders */
    size_t n_probe_bytes;
    double interval_us, budget_us, on_time_us;
    uint64_t n_blocks;
    const char *endpoint; /* NULL: an own server */
    bool tcp;             /* of the own server: tcp loopback instead of ipc */
    const char *key_dir;  /* NULL: not encrypted */
    const char *json, *csv, *plot;
    bool quiet, help;
    int argc; /* the command line, for the record */
    char **argv;
};

enum latency_series {
    LATENCY_WAKE,       /* block due to the AP's thread awake: what the host adds before anything is done */
    LATENCY_PACK,       /* awake to message packed */
    LATENCY_UPLINK,     /* sent to received and unpacked by the server */
    LATENCY_GATHER,     /* received to this AP's precoder sent: waiting for the other APs, packing */
    LATENCY_DOWNLINK,   /* sent to received and unpacked by the AP */
    LATENCY_ROUND_TRIP, /* estimates sent to precoder received */
    LATENCY_BLOCK,      /* block due to precoder received: what the budget is for */
    LATENCY_N_SERIES
};
const char *latency_series_name(enum latency_series series);

struct latency_result {
    struct stats_hist ns[LATENCY_N_SERIES];
    /* Blocks of single APs. Each that was due is sent or skipped, and each is early, on time, late or lost: those
     * skipped, because the AP's thread slept over a whole block, are late. The times above are of those answered. */
    uint64_t sent, skipped, early, on_time, late, lost;
    uint64_t bytes_up, bytes_down;
    size_t message_up_bytes, message_down_bytes;
    double elapsed_s;
    bool same_clock;
    bool have_offset;
    double offset_us, offset_least_us, offset_most_us, offset_uncertainty_us; /* server's clock minus ours */
    double probe_cpu_s, server_cpu_s;                                         /* server: NaN if it is not our child */
};

/* Takes the arguments after `probe` or `serve`. 0, or a negative code with error_text: wrong usage. */
int latency_options_parse(struct latency_options *options, int argc, char **argv);
void latency_options_free(struct latency_options *options);

/* Until a stop request. ready_fd >= 0: one byte is written there as soon as probes may come. */
int latency_serve(const struct latency_options *options, const char *endpoint, int ready_fd);
/* Runs the measurement against a server. */
int latency_probe(const struct latency_options *options, const char *endpoint, struct latency_result *result);

/* A quantile of LATENCY_BLOCK over all blocks that were due: infinite where it falls among those never answered. */
double latency_block_quantile_us(const struct latency_result *result, double q);

void latency_print(const struct latency_options *options, const struct latency_result *result);
int latency_write_files(const struct latency_options *options, const struct latency_result *result);

/* Processor time of a process, user and system. */
double latency_cpu_s(const struct rusage *usage);
/* The processor's name, or its architecture where the system does not tell. */
void latency_processor(char *text, size_t room);
/* The identity of this boot of this host: two programs with the same read the same clock. */
void latency_boot_id(char id[LATENCY_BOOT_ID_ROOM]);

/* What a comparison takes of a probe's JSON file: p50 and p99 of LATENCY_BLOCK, then of LATENCY_ROUND_TRIP, NaN where
 * the file has none, and the part of the blocks that was late or lost. TUTTI_EFORMAT: not JSON. */
enum { LATENCY_N_FIGURES = 4 };
struct latency_figures {
    double us[LATENCY_N_FIGURES], late_percent;
};
int latency_figures_load(struct latency_figures *figures, const char *path);

/* tutti latency compare: two sets of options in turn, and whether they differ. */
int latency_compare(int argc, char **argv);
/* b over a from n pairs measured in turn: the ratio of the geometric means, and the ends of its 95 % interval (paired t
 * of the logarithms); NaN with fewer than two pairs or a value that is not positive. */
struct latency_interval {
    double middle, low, high;
};
struct latency_interval latency_ratio(const double *a, const double *b, int n);

#endif
