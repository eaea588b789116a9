/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the recorder share: recorder.c (life, hand-over), recorder_thread.c (the thread). Private to this
 * folder. */
#ifndef TUTTI_CPU_NODE_RECORD_RECORDER_STATE_H
#define TUTTI_CPU_NODE_RECORD_RECORDER_STATE_H

#include "base/ring.h"
#include "cpu_node/record/early.h"
#include "cpu_node/record/live.h"
#include "cpu_node/record/losses.h"
#include "cpu_node/record/recorder.h"
#include "cpu_node/record/reports.h"
#include "cpu_node/record/rows.h"
#include "cpu_node/record/run_file.h"
#include "cpu_node/record/secrecy.h"
#include "node/thread.h"

#include <stdatomic.h>

enum { RECORD_BLOCKS = 16, RECORD_EVENTS = 256, RECORD_ACCOUNTS_PER_AP = 64, EARLY_EACH = 8 };

struct account_message {
    int ap;
    struct wire_account account;
};
struct event_message {
    uint64_t wall_ns, block;
    char text[RUN_FILE_EVENT_BYTES];
};

struct roster_message {
    char text[RECORDER_ROSTER_BYTES];
};

struct recorder {
    struct recorder_settings settings;
    char *config_text, *lab_endpoint;
    struct node_thread thread;
    /* block thread -> record thread, and free blocks back */
    ring_t *blocks, *free_blocks, *accounts, *events, *welcomes, *rosters;
    struct cpu_block *spare[RECORD_BLOCKS]; /* all blocks that were made here, until handed out */
    int event, space;                       /* something there; room again */
    fh_hub_t *lab;
    run_file_t *file;
    struct record_rows *rows;
    struct record_reports *reports;
    early_t *early;               /* reports of before the recording */
    struct record_uplink *uplink; /* NULL: none */
    struct secrecy *secrecy;
    struct losses *losses;
    struct live *live;
    uint8_t *alive; /* [n_ap + n_ue] work area of the live status */
    /* record thread */
    uint32_t session;     /* of the newest block */
    uint32_t calibration; /* the same */
    uint64_t newest;      /* newest solved block + 1 */
    uint64_t newest_ns;   /* monotonic, when it came */
    uint64_t n_blocks_seen;
    uint64_t start_ns, ended_ns; /* monotonic: of the thread; when the last block asked for was here, 0 = not yet */
    uint64_t next_status_ns;
    uint64_t *last_account;    /* [n_ap] newest block + 1 with an account */
    uint64_t *last_eve_report; /* [n_eve] */
    uint64_t blocks_twice;
    uint32_t *joins_seen;               /* [n_ap] */
    char roster[RECORDER_ROSTER_BYTES]; /* the last one; "" none yet */
    /* shared */
    _Atomic bool complete;
    int n_sync_events;
    _Atomic uint64_t *heard;        /* [n_ue] newest block + 1 each user reported, or at which it was welcomed */
    _Atomic uint64_t *roster_heard; /* [n_ue + n_eve] first block + 1 of the last roster each has heard */
    int roster_event;               /* something of that has changed */
    _Atomic uint8_t *ap_alive;      /* [n_ap] */
    _Atomic uint32_t *ap_joins;     /* [n_ap] how often it has said hello */
    _Atomic int aps_alive;
    _Atomic uint64_t last_block; /* newest block handed over */
    /* block thread */
    uint64_t dropped, events_dropped, accounts_deferred;
};

int recorder_body(void *recorder);

#endif
