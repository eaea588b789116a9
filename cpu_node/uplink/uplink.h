/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The uplink thread: users' data from what the APs send of the U symbols. The block thread only moves messages and
 * what it knows of a block into a ring, without waiting except in lock-step; this thread gathers, combines, decodes
 * (with the threads of decoders.h) and hands figures to the record thread. docs/uplink.md. */
#ifndef TUTTI_CPU_NODE_UPLINK_UPLINK_H
#define TUTTI_CPU_NODE_UPLINK_UPLINK_H

#include "base/config.h"
#include "cpu_node/block.h"
#include "cpu_node/record/recorder.h"
#include "cpu_node/uplink/together.h"
#include "phy/frame.h"

/* What the block thread knows of them in a block. */
struct uplink_homes {
    const int32_t *home;    /* [n_ue] HOMES_NONE: nobody decodes its data yet */
    const uint8_t *helps;   /* [n_ue] this central node sends its stream of it to its home */
    const uint8_t *partner; /* [n_cpu] is there */
};
struct uplink_settings {
    const struct config *config; /* these outlive it */
    const struct frame *frame;
    struct block_shape shape;
    recorder_t *recorder;
    bool lockstep;
    struct uplink_company company;
};
typedef struct uplink uplink_t;

/* *uplink stays NULL when the configuration has no uplink. */
int uplink_create(uplink_t **uplink, const struct uplink_settings *settings);
int uplink_start(uplink_t *uplink); /* NULL allowed in all of these */
void uplink_stop(uplink_t *uplink); /* after a stop request */
void uplink_destroy(uplink_t *uplink);
void uplink_log_counters(const uplink_t *uplink);

/* Block thread. A solved block: its estimates, the APs in it and the users that are here. Copied. In a replay aps
 * [n_ap] and users [n_ue] say of which of them the run had the data; else NULL. homes: NULL when alone. */
void uplink_block(uplink_t *uplink, const struct cpu_block *block, const uint8_t *aps, const uint8_t *users,
                  const struct uplink_homes *homes);
/* Block thread. A message of this session, copied as it is; false: nobody here takes it. */
bool uplink_hear(uplink_t *uplink, int ap, const uint8_t *data, size_t n_bytes);
/* Block thread. Another central node's part, likewise; and that it is gone, so that nobody waits for it. */
bool uplink_hear_part(uplink_t *uplink, int cpu, const uint8_t *data, size_t n_bytes);
void uplink_partner_gone(uplink_t *uplink, int cpu);
/* Block thread, lock-step. The next block is to wait: a partner's part of PARTS_WINDOW blocks ago has not come. False:
 * in paced time, where nobody is waited for, and always when alone. */
bool uplink_is_ahead(const uplink_t *uplink);

/* Bytes of the longest part that it sends; 0: none. */
size_t uplink_part_bytes(const uplink_t *uplink);

#endif
