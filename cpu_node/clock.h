/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The block clock: which block is it now. It goes with the majority of the live APs: a block is "now" once more than
 * half of them have reported it. An AP whose reports lie outside a bounded window around that is off the clock: it is
 * left out and cannot move the network. When the majority is somewhere else (a new medium, radios set anew), the clock
 * follows. Pure bookkeeping over (AP, block, arrival); no time is read here. */
#ifndef TUTTI_CPU_NODE_CLOCK_H
#define TUTTI_CPU_NODE_CLOCK_H

#include "base/types.h"

enum clock_verdict {
    CLOCK_ON,       /* of this time */
    CLOCK_OFF,      /* not the majority's time */
    CLOCK_JUMPED,   /* it is of the majority's time, which went on unseen for a while: forward */
    CLOCK_RESTARTED /* the majority's time started anew: nothing that came before is comparable */
};

enum {
    CLOCK_AHEAD_BLOCKS = 32,  /* reports may be this far before the majority ... */
    CLOCK_BEHIND_BLOCKS = 32, /* ... or after it (a slow link) */
    CLOCK_FRESH_BLOCKS = 24,  /* paced: who has not reported for so long has no vote ... */
    CLOCK_SILENT_BLOCKS =
        400,                 /* ... but is against who tells of another time, until it was not heard for so long ... */
    CLOCK_CONFIRM_BLOCKS = 8 /* ... and then that must be told for so many blocks in a row before it is followed */
};

struct clock_claim {
    bool live, off;
    int in_row; /* blocks of one time line, one after the other */
    uint64_t block, heard_ns;
    uint64_t row_ns, row_top; /* when that row began, its highest block */
};

struct block_clock {
    int n_ap;
    bool paced;      /* time is the wall clock's, so votes grow old and jumps can be judged */
    double block_ns; /* duration of a block */
    bool started;
    uint64_t now;              /* the newest block that the majority has reported */
    uint64_t moved_ns;         /* when it was reported */
    double line;               /* paced: how far the majority was before the wall clock when it was seen last, blocks */
    uint64_t off_reports;      /* counted: reports off the clock */
    struct clock_claim *claim; /* [n_ap] */
};

int block_clock_create(struct block_clock **clock, int n_ap, double block_ns, bool paced);
void block_clock_destroy(struct block_clock *clock); /* NULL allowed */
/* An AP reported a block at now_ns (monotonic); sent_ago_ns: how long ago it was sent by its stamp (0 if unknown): what
 * was under way for long is late, not off. *by_blocks: how far from the clock. O(n_ap) when the clock moves, else O(1).
 */
enum clock_verdict block_clock_hear(struct block_clock *clock, int ap, uint64_t block, uint64_t now_ns,
                                    uint64_t sent_ago_ns, int64_t *by_blocks);
/* When a block's estimates are due, told that one came at now_ns: later than now_ns if, in real time, the majority's
 * own cannot be there before another half block or more (an AP whose time is ahead), else now_ns. */
uint64_t block_clock_due_ns(const struct block_clock *clock, uint64_t block, uint64_t now_ns);
/* The AP's connection is gone: it has no vote. */
void block_clock_gone(struct block_clock *clock, int ap);
/* True while the AP's last report was off the clock. */
bool block_clock_is_off(const struct block_clock *clock, int ap);

#endif
