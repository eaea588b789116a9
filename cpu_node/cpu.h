/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CPU node put together from its parts, and the verbs of its loop. Threads: the block thread (main) owns the
 * fronthaul hub and gathers, solves, pushes; solver workers help it; the record thread owns the recording and the lab
 * link. */
#ifndef TUTTI_CPU_NODE_CPU_H
#define TUTTI_CPU_NODE_CPU_H

#include "base/config.h"
#include "cpu_node/calibrate.h"
#include "cpu_node/clock.h"
#include "cpu_node/faults.h"
#include "cpu_node/gather.h"
#include "cpu_node/homes.h"
#include "cpu_node/illuminate.h"
#include "cpu_node/ladder.h"
#include "cpu_node/partners.h"
#include "cpu_node/parts_live.h"
#include "cpu_node/pilot_csi.h"
#include "cpu_node/plausible.h"
#include "cpu_node/push.h"
#include "cpu_node/record/recorder.h"
#include "cpu_node/replay.h"
#include "cpu_node/slow.h"
#include "cpu_node/solve.h"
#include "cpu_node/sync_watch.h"
#include "cpu_node/uplink/uplink.h"
#include "fronthaul/hub.h"
#include "fronthaul/wire.h"
#include "node/roster.h"
#include "phy/frame.h"

struct cpu_counters {
    uint64_t bytes_up, bytes_down; /* of data messages, headers included */
    uint64_t blocks, csi_refused[WIRE_N_ERRORS], csi_foreign, off_clock, implausible, other_data, uplink_foreign,
        push_failed, restarts;
};

struct cpu {
    const struct config *config;
    int id; /* before cpu_create: which central node */
    struct frame frame;
    struct block_shape shape;
    const char *replay_path; /* before cpu_create: the run to take decisions from; NULL: no replay */
    bool own_scheme;         /* of a replay: the configuration's scheme */
    replay_t *replay;
    bool lockstep;
    char *agreement;
    struct fh_welcome welcome;
    bool session_used; /* estimates came in this session */
    struct faults *faults;
    struct block_clock *clock;
    struct plausible *plausible;
    struct gather *gather;
    struct ladder ladder;
    solver_t *solver;
    illuminate_t *illuminate; /* NULL: no zones */
    struct push *push;
    recorder_t *recorder;
    slow_t *slow; /* NULL: the configuration asks for nothing that it does */
    calibrate_t *calibrate;
    uplink_t *uplink; /* NULL: no uplink data */
    sync_watch_t *sync;
    fh_hub_t *hub;
    partners_t *partners;          /* NULL: there is one central node */
    homes_t *homes;                /* NULL likewise; else and with it, of the block that is solved: */
    int32_t *home;                 /* [n_ue] whose a user is */
    uint8_t *serves_user;          /* [n_cpu][n_ue] who is there and serves it */
    uint8_t *partner;              /* [n_cpu] is there */
    struct homes_order *orders;    /* [n_ue] work */
    parts_live_t *parts;           /* this one's part of the downlink */
    int *home_of;                  /* [n_ue] of a user its home, negative: none that is alive */
    uint64_t held_ns;              /* monotonic, since when a block waits for other central nodes; 0: none does */
    uint64_t over_ns;              /* monotonic, when the first of them ended the run; 0: not yet */
    tutti_cf32 *coefficients;      /* [n_sb][n_ant][n_ue] one AP's estimates */
    float *beta, *error_variance;  /* [n_ue] of it */
    uint64_t *account_ack;         /* [n_ap] accounts of blocks before this one have arrived */
    uint8_t *silent;               /* [n_ap] of the block that closed last */
    uint64_t *silence_told;        /* [n_ap] block from which on it may be told again */
    struct schedule_user *user;    /* [n_ue] */
    struct roster_book *rosters;   /* who is served when */
    struct roster *roster;         /* the last one told */
    struct pilot_csi *pilot_csi;   /* NULL: nobody shares a pilot; else and with it: */
    uint8_t *serves, *next_serves; /* [n_ap][n_ue] the clusters, and those of the last roster told */
    uint64_t serves_from;          /* which hold from this block on */
    uint64_t *sounded;             /* [n_ue] newest block + 1 with a user's pilot; 0 never */
    bool rosters_stuck;            /* lock-step: somebody did not answer, nobody is waited for any more */
    struct cpu_counters counters;
};

/* setup.c */
/* First sample of block 0: with PPS a UTC second in ticks (the midnight before, so that it outlives a restart), else
 * the medium's 0. */
tutti_tick cpu_epoch(const struct config *config, double rate_hz, uint64_t wall_ns);
int cpu_create(struct cpu *cpu, const struct config *config);
void cpu_stop(struct cpu *cpu); /* tells the others, ends the record thread; once is enough */
void cpu_destroy(struct cpu *cpu);
void cpu_log_counters(const struct cpu *cpu);
/* Another session: APs tell a restarted time line by it. */
void cpu_renew_session(struct cpu *cpu);

/* inbox.c: hears what comes over the fronthaul, at most one message, and gives out the block that is ready to be solved
 * in *block (NULL: none yet). Negative: the fronthaul is broken. */
int inbox_turn(struct cpu *cpu, struct cpu_block **block);

/* roster.c: before a block is solved: a new schedule of the slow clock is told to everybody, in lock-step until all
 * know it; who has a place in this block and whose pilot was heard. Not part of the hot path. */
void cpu_follow_schedule(struct cpu *cpu, struct cpu_block *block);
/* To an AP that has come. */
void cpu_tell_roster(struct cpu *cpu, int ap);

/* company.c: the other central nodes' words, and what this one tells them behind a block's precoders. */
int cpu_join_partners(struct cpu *cpu);
struct uplink_company cpu_company(struct cpu *cpu);
/* Before a block is solved: whose its users are; handovers are told. */
void cpu_follow_homes(struct cpu *cpu, const struct cpu_block *block);
/* Of the block followed last; NULL: there is one central node. */
const struct uplink_homes *cpu_homes(const struct cpu *cpu, struct uplink_homes *homes);
/* Lock-step: the next block is to wait for other central nodes' parts of an earlier one, but not for ever. */
bool cpu_waits_for_partners(struct cpu *cpu, uint64_t now_ns);
void cpu_tell_partners(struct cpu *cpu, const struct cpu_block *block);
void cpu_log_homes(const struct cpu *cpu); /* what was of blocks far from now */

/* own_part.c: with several central nodes, this one's part of the downlink. Before a block is solved, in the hot path:
 * its weights; behind its precoders: what it did is learnt, and told now and then. */
int cpu_create_part(struct cpu *cpu);
void cpu_destroy_part(struct cpu *cpu);
void cpu_begin_part(struct cpu *cpu, struct cpu_block *block);
void cpu_end_part(struct cpu *cpu, struct cpu_block *block);

/* block path */
void cpu_solve(struct cpu *cpu, struct cpu_block *block);
/* outbox.c: each AP its part; in lock-step, those that get none are told so. */
void outbox_push(struct cpu *cpu, struct cpu_block *block);
void outbox_send(struct cpu *cpu, int ap, const uint8_t *data, size_t n_bytes);
void outbox_tell_none(struct cpu *cpu, int ap, uint64_t block);

#endif
