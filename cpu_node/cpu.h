/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CPU node's state and the verbs of its loop. Threads: the block thread (main) owns the fronthaul hub and gathers,
 * solves, pushes; solver workers help it; the record thread owns the files and the lab link. The block thread hands
 * finished blocks to the record thread through a ring. */
#ifndef TUTTI_CPU_NODE_CPU_H
#define TUTTI_CPU_NODE_CPU_H

#include "base/config.h"
#include "base/ring.h"
#include "fronthaul/hub.h"
#include "fronthaul/wire.h"
#include "mimo/precoder.h"
#include "mimo/spzf.h"
#include "phy/frame.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CPU_WINDOW = 4, CPU_RECORD_SLOTS = 8, CPU_MAX_WORKERS = 64 };

/* What was done to a message of a block and an AP: bits of /faults/injected. */
enum cpu_fault {
    CPU_FAULT_CSI_LOST,
    CPU_FAULT_PRECODER_LOST,
    CPU_FAULT_CSI_DELAYED,
    CPU_FAULT_PRECODER_DELAYED,
    CPU_FAULT_CSI_REORDERED,
    CPU_FAULT_PRECODER_REORDERED,
    CPU_FAULT_SILENT,
    CPU_FAULT_PARTITION,
    CPU_N_FAULTS
};

/* One coherence block, from the first estimate to the pushed precoders. Arrays are allocated once. */
struct cpu_block {
    uint64_t number;
    bool open;
    int n_gathered;
    uint64_t first_arrival_ns; /* monotonic */
    uint8_t gathered[TUTTI_MAX_AP];
    uint8_t excused[TUTTI_MAX_AP]; /* lock-step: its estimates came and were dropped on purpose */
    int64_t faults[TUTTI_MAX_AP];  /* mask of 1 << enum cpu_fault */
    tutti_cf32 *H_hat;             /* [n_sb][n_ap][n_ant][n_ue] */
    float *error_variance, *beta;  /* [n_ap][n_ue] */
    float noise_power[TUTTI_MAX_AP];
    uint64_t capture_end_ns[TUTTI_MAX_AP], csi_sent_ns[TUTTI_MAX_AP], csi_received_ns[TUTTI_MAX_AP];
    uint64_t precoder_sent_ns[TUTTI_MAX_AP];
    struct wire_ap_stamps previous[TUTTI_MAX_AP];
    uint32_t radio_events[TUTTI_MAX_AP][5];
    /* the solve */
    uint8_t user_alive[TUTTI_MAX_UE]; /* noise is kept away from these */
    uint8_t user_used[TUTTI_MAX_UE];  /* served: all that are alive, with the analogue transmitter one in turn */
    uint64_t solve_start_ns, solve_end_ns;
    int scheme; /* enum mimo_scheme: the rung of the ladder it got */
    bool stepped_down;
    tutti_cf32 *W;   /* [n_sb][n_ap][n_ant][n_ue] */
    double *bound;   /* [n_sb]; NaN unless the scheme has a certificate */
    float *sinr;     /* [n_sb][n_ue] */
    tutti_cf32 *an;  /* [n_sb][n_ap][n_ant]: phase-only noise, one amplitude; zero when there is none */
    double an_share; /* of every AP's power in this block; 0 = no noise */
    bool an_solved;  /* every subband has one that no user hears */
    int *reason;     /* [n_sb] */
};

struct cpu_counters {
    uint64_t bytes_up, bytes_down; /* of data messages, headers included */
    uint64_t blocks, incomplete, csi_late, csi_refused[WIRE_N_ERRORS], csi_foreign, push_failed, record_dropped, jumped;
};

struct cpu_worker {
    struct cpu *cpu;
    pthread_t thread;
    bool running;
    int index, wake;
    precoder_t *precoder;
    struct mimo_channel channel[TUTTI_MAX_SB];
    struct mimo_solution solution[TUTTI_MAX_SB];
    spzf_t *spzf;             /* phase-only noise; NULL when not asked for */
    double complex *H, *beam; /* [n_ue][n_ap * n_ant], [n_ap * n_ant] */
    bool an_solved;           /* of this worker's subbands */
};

struct cpu_solver {
    struct cpu_worker worker[CPU_MAX_WORKERS]; /* worker 0 is the block thread itself */
    int n_workers, done;
    _Atomic int n_pending;
    _Atomic bool stop;
    struct cpu_block *block;
};

/* What a subband costs with each scheme on this machine, learnt as blocks pass. */
struct cpu_ladder {
    double subband_ns[MIMO_N_SCHEMES]; /* of one worker; 0 = never tried */
};

struct cpu_recorder {
    pthread_t thread;
    bool running;
    ring_t *ring;     /* of struct cpu_block with its arrays behind it */
    int event, space; /* block ready; room again */
    fh_hub_t *lab;
    struct recorder_files *files;
    uint64_t recorded;     /* newest block + 1 on disk */
    uint64_t ended_ns;     /* monotonic, when the last block asked for was on disk; 0 = not yet */
    _Atomic bool complete; /* everything of blocks 0..n_blocks-1 is on disk */
    uint64_t bad_reports;
    _Atomic uint64_t last_report[TUTTI_MAX_UE]; /* newest block + 1 each user reported */
    uint64_t last_eve_report[TUTTI_MAX_UE];     /* the same of eavesdroppers; nothing waits for them but the end */
};

struct cpu {
    const struct config *config;
    struct frame frame;
    struct mimo_shape shape;
    struct fh_welcome welcome;
    fh_hub_t *hub;
    struct cpu_faults *faults;
    struct cpu_block window[CPU_WINDOW];
    bool started;
    uint64_t next;                             /* the oldest block not yet closed */
    uint8_t reporting[TUTTI_MAX_AP];           /* has sent estimates and not gone silent since */
    _Atomic uint64_t user_since[TUTTI_MAX_UE]; /* block at which the user was last welcomed */
    bool lockstep;
    struct cpu_solver solver;
    struct cpu_ladder ladder;
    struct cpu_recorder recorder;
    tutti_cf32 *unpack, *push; /* one AP's coefficients */
    uint8_t *message;
    size_t message_bytes;
    float ap_power[TUTTI_MAX_AP]; /* for data: what the noise leaves of 1 */
    uint64_t noise_key;
    struct cpu_counters counters;
    _Atomic uint64_t arrivals[4]; /* enum wire_arrival, all APs */
    _Atomic int aps_alive;
    _Atomic uint64_t last_block;
};

/* setup.c */
int cpu_create(struct cpu *cpu, const struct config *config);
void cpu_stop(struct cpu *cpu); /* tells the others, ends the threads but the caller's; once is enough */
void cpu_destroy(struct cpu *cpu);
void cpu_print_counters(const struct cpu *cpu);
int block_create(struct cpu_block *block, const struct cpu *cpu);
void block_destroy(struct cpu_block *block);
size_t block_bytes(const struct cpu *cpu);                                         /* of one record slot */
void block_pack(const struct cpu *cpu, const struct cpu_block *block, void *slot); /* copy for the record thread */
void block_view(const struct cpu *cpu, const void *slot, struct cpu_block *view);  /* pointers into the copy */

/* gather.c: the next block whose live APs have all reported, or whose deadline passed; NULL when there is nothing to do
 * yet. */
struct cpu_block *gather_block(struct cpu *cpu);

/* ladder.c: which scheme there is time for, and what it took. */
uint64_t ladder_deadline_ns(const struct cpu *cpu, const struct cpu_block *block); /* monotonic; 0 = none */
void ladder_choose(struct cpu *cpu, struct cpu_block *block);
void ladder_learn(struct cpu *cpu, const struct cpu_block *block);

/* solve.c: fills W, sinr, reason. No heap, locks or formatting. */
int solver_create(struct cpu *cpu);
void solver_destroy(struct cpu *cpu);
void solve_block(struct cpu *cpu, struct cpu_block *block);

/* faults.c: faults injected into the links with the APs. All but faults_command belong to the block thread. */
enum cpu_verdict { CPU_PASS, CPU_LOST, CPU_HELD /* copied, comes later */ };
int faults_create(struct cpu *cpu);
void faults_destroy(struct cpu *cpu);
enum cpu_verdict faults_judge_csi(struct cpu *cpu, int ap, uint64_t block, const uint8_t *data, size_t n_bytes);
enum cpu_verdict faults_judge_precoder(struct cpu *cpu, int ap, uint64_t block, const uint8_t *data, size_t n_bytes);
void faults_of_block(const struct cpu *cpu, uint64_t block, int64_t mask[TUTTI_MAX_AP]);
/* Takes new settings, and lets the messages go that are due; how long until the next one is (INT64_MAX: none). */
void faults_turn(struct cpu *cpu, void (*deliver_csi)(struct cpu *cpu, int ap, const uint8_t *data, size_t n_bytes));
int64_t faults_next_us(const struct cpu *cpu);
void faults_print_counters(const struct cpu *cpu);
/* An observer's message (record thread): obeyed and answered if it is a fault command; false if it is none. */
bool faults_command(struct cpu *cpu, int observer, const char *json);

/* noise.c: the power share of artificial noise in a solved block; scales W, sinr and an to it. */
void share_noise(struct cpu *cpu, struct cpu_block *block);

/* push.c: each AP its part. */
void push_block(struct cpu *cpu, struct cpu_block *block);

/* record.c: hands the block to the record thread; recorder_* own that thread. */
int recorder_create(struct cpu *cpu);
void recorder_stop(struct cpu *cpu);
void recorder_destroy(struct cpu *cpu);
void account_block(struct cpu *cpu, struct cpu_block *block);

/* files.c: run.h5. Only the record thread. */
struct recorder_files;
int files_create(struct recorder_files **files, const struct cpu *cpu);
void files_destroy(struct recorder_files *files);
void files_write_block(struct recorder_files *files, const struct cpu *cpu, const struct cpu_block *block);
/* One user's report of one block, JSON (docs/wire.md); 0, or TUTTI_EFORMAT. Tells the block number. */
int files_write_report(struct recorder_files *files, const struct cpu *cpu, int user, const char *json,
                       uint64_t *block);
/* The same of an eavesdropper, about every user. */
int files_write_eve_report(struct recorder_files *files, const struct cpu *cpu, int eve, const char *json,
                           uint64_t *block);
/* A user has (re)joined: what was learnt of its pilot's power is forgotten. */
void files_user_joined(struct recorder_files *files, int user);
/* Progress for observers, JSON; caller frees; NULL without memory. */
char *files_status(const struct recorder_files *files, const struct cpu *cpu);
void files_flush(struct recorder_files *files);
uint64_t files_errors(const struct recorder_files *files); /* writes that failed */

#endif
