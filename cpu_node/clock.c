/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/clock.h"

#include "base/error.h"

#include <stdlib.h>

int block_clock_create(struct block_clock **clock, int n_ap, double block_ns, bool paced)
{
    struct block_clock *c = *clock = calloc(1, sizeof *c);
    if (!c) {
        return error_set(TUTTI_ENOMEM, "out of memory for the block clock");
    }
    c->n_ap = n_ap;
    c->block_ns = block_ns;
    c->paced = paced;
    c->claim = calloc((size_t)n_ap, sizeof *c->claim);
    return c->claim ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the block clock");
}

void block_clock_destroy(struct block_clock *c)
{
    if (!c) {
        return;
    }
    free(c->claim);
    free(c);
}

void block_clock_gone(struct block_clock *c, int ap)
{
    c->claim[ap].live = c->claim[ap].off = false;
}

bool block_clock_is_off(const struct block_clock *c, int ap)
{
    return c->claim[ap].off;
}

static const double SLACK_BLOCKS = 8;

static int64_t distance(uint64_t block, uint64_t from)
{
    const uint64_t far = (uint64_t)INT64_MAX;
    if (block >= from) {
        return (int64_t)(block - from < far ? block - from : far);
    }
    return -(int64_t)(from - block < far ? from - block : far);
}

static bool is_near(int64_t by)
{
    return by <= CLOCK_AHEAD_BLOCKS && by >= -CLOCK_BEHIND_BLOCKS;
}

static bool has_vote(const struct block_clock *c, const struct clock_claim *claim, uint64_t now_ns)
{
    return claim->live && (!c->paced || (double)(now_ns - claim->heard_ns) <= CLOCK_FRESH_BLOCKS * c->block_ns);
}

/* It has told of one time line for a while, a block after the other and no faster than they can come. */
static bool is_confirmed(const struct block_clock *c, const struct clock_claim *claim, uint64_t now_ns)
{
    const double least_ns = c->paced ? (CLOCK_CONFIRM_BLOCKS - 1) * 0.9 * c->block_ns : 0;
    return claim->in_row >= CLOCK_CONFIRM_BLOCKS && (double)(now_ns - claim->row_ns) >= least_ns;
}

/* How far a block is before the wall clock, in blocks from an origin of no meaning. */
static double lead_of(const struct block_clock *c, uint64_t block, uint64_t now_ns)
{
    return (double)block - (double)now_ns / c->block_ns;
}

uint64_t block_clock_due_ns(const struct block_clock *c, uint64_t block, uint64_t now_ns)
{
    const double ahead = c->paced && c->started && block > c->now ? lead_of(c, block, now_ns) - c->line : 0;
    return now_ns + (ahead > 0.5 && ahead <= CLOCK_AHEAD_BLOCKS ? (uint64_t)(ahead * c->block_ns) : 0);
}

/* Where more than half were seen, and so where the others may be. */
static void move_to(struct block_clock *c, uint64_t block, uint64_t now_ns)
{
    c->line = lead_of(c, block, now_ns);
    c->now = block;
    c->moved_ns = now_ns;
}

/* Who has no vote now but was heard a moment ago: it is silent, or its connection is gone. */
static bool is_missed(const struct block_clock *c, const struct clock_claim *claim, uint64_t now_ns)
{
    return c->paced && claim->heard_ns > 0 && (double)(now_ns - claim->heard_ns) <= CLOCK_SILENT_BLOCKS * c->block_ns;
}

/* Not further than the wall clock says since more than half were seen: where somebody alone may be. */
static bool is_on_line(const struct block_clock *c, uint64_t block, uint64_t now_ns)
{
    return !c->paced || lead_of(c, block, now_ns) <= c->line + SLACK_BLOCKS;
}

/* How many have a vote, have reported beyond now, and are missed; *next: the least block beyond now, at most block. */
static bool count_beyond(const struct block_clock *c, uint64_t block, uint64_t now_ns, uint64_t *next, bool *all)
{
    int votes = 0, beyond = 0, missed = 0;
    *next = block;
    for (int ap = 0; ap < c->n_ap; ap++) {
        const struct clock_claim *claim = &c->claim[ap];
        const bool votes_now = has_vote(c, claim, now_ns);
        missed += !votes_now && is_missed(c, claim, now_ns);
        votes += votes_now && !claim->off;
        if (votes_now && !claim->off && claim->block > c->now) {
            beyond++;
            *next = claim->block < *next ? claim->block : *next;
        }
    }
    *all = 2 * beyond > votes + missed;
    return 2 * beyond > votes;
}

/* The clock moves on as far as more than half have reported; while some are missed, those that are left take it no
 * further than time does. */
static void move_on(struct block_clock *c, uint64_t block, uint64_t now_ns)
{
    uint64_t next;
    bool all;
    while (c->now < block && count_beyond(c, block, now_ns, &next, &all)) {
        if (all) {
            move_to(c, next, now_ns);
        } else if (is_on_line(c, next, now_ns)) {
            c->now = next;
            c->moved_ns = now_ns;
        } else {
            return;
        }
    }
}

/* Forward is the same time line, seen again: this node was stopped, or an emulated air that had fallen behind makes up
 * for it, faster than time passes. Nothing that came before can be mistaken for it, and a recording bears the gap. */
static bool is_continuation(const struct block_clock *c, uint64_t block)
{
    static const int64_t MOST_BLOCKS = 1000000;
    const int64_t by = distance(block, c->now);
    return by > 0 && by <= MOST_BLOCKS;
}

/* More than half of those with a vote are within the window around the block that this AP reported, and fewer than half
 * in that around now: windows overlap, and who reports from just outside must not take along those who are both. If
 * that is another time, and not ours seen again, who is missed is against it: when a machine stalls or the network
 * breaks down, one AP that goes on talking, or is back first, must not move the others. While others are there that
 * have been silent for longer (this node may have been stopped), one report is not enough. */
static bool majority_is_with(const struct block_clock *c, const struct clock_claim *claim, uint64_t now_ns)
{
    const bool another = distance(claim->block, c->now) < 0 || !is_on_line(c, claim->block, now_ns);
    int votes = 0, here = 0, stay = 0, silent = 0;
    for (int ap = 0; ap < c->n_ap; ap++) {
        const struct clock_claim *other = &c->claim[ap];
        if (has_vote(c, other, now_ns)) {
            votes++;
            here += is_near(distance(other->block, claim->block));
            stay += other != claim && is_near(distance(other->block, c->now));
        } else if (another && is_missed(c, other, now_ns)) {
            votes++;
        } else {
            silent += other->live;
        }
    }
    return 2 * here > votes && 2 * stay < votes && (silent == 0 || is_confirmed(c, claim, now_ns));
}

static enum clock_verdict follow(struct block_clock *c, uint64_t block, uint64_t now_ns)
{
    const bool same = c->started && is_continuation(c, block);
    const bool first = !c->started;
    c->started = true;
    move_to(c, block, now_ns);
    for (int ap = 0; ap < c->n_ap; ap++) {
        c->claim[ap].off = c->claim[ap].live && !is_near(distance(c->claim[ap].block, block));
    }
    return first ? CLOCK_ON : same ? CLOCK_JUMPED : CLOCK_RESTARTED;
}

enum clock_verdict block_clock_hear(struct block_clock *c, int ap, uint64_t block, uint64_t now_ns,
                                    uint64_t sent_ago_ns, int64_t *by_blocks)
{
    struct clock_claim *claim = &c->claim[ap];
    const bool goes_on = claim->live && is_near(distance(block, claim->block)), later = block > claim->row_top;
    *claim = (struct clock_claim){.live = true,
                                  .in_row = goes_on ? claim->in_row + later : 1,
                                  .block = block,
                                  .heard_ns = now_ns,
                                  .row_ns = goes_on ? claim->row_ns : now_ns,
                                  .row_top = goes_on && !later ? claim->row_top : block};
    *by_blocks = c->started ? distance(block, c->now) : 0;
    if (!c->started) {
        return follow(c, block, now_ns);
    }
    if (is_near(*by_blocks)) {
        move_on(c, block, now_ns);
        return CLOCK_ON;
    }
    const double under_way = c->paced ? (double)sent_ago_ns / c->block_ns : 0;
    if (*by_blocks < 0 && (double)-*by_blocks <= under_way + CLOCK_BEHIND_BLOCKS) {
        claim->live = false; /* it says nothing about now */
        return CLOCK_ON;
    }
    if (majority_is_with(c, claim, now_ns)) {
        return follow(c, block, now_ns);
    }
    claim->off = true;
    c->off_reports++;
    return CLOCK_OFF;
}
