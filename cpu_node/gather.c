/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/gather.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

int gather_create(struct gather **gather, const struct block_shape *shape, double limit_us, bool wait_for_all)
{
    struct gather *g = *gather = calloc(1, sizeof *g);
    if (!g) {
        return error_set(TUTTI_ENOMEM, "out of memory for gathering");
    }
    g->n_ap = shape->n_ap;
    g->limit_us = limit_us;
    g->wait_for_all = wait_for_all;
    g->alive = calloc((size_t)g->n_ap, 1);
    g->reporting = calloc((size_t)g->n_ap, 1);
    g->foreign = calloc((size_t)g->n_ap, 1);
    if (!g->alive || !g->reporting || !g->foreign) {
        return error_set(TUTTI_ENOMEM, "out of memory for gathering");
    }
    for (int i = 0; i < GATHER_WINDOW; i++) {
        const int status = block_create(&g->window[i], shape);
        if (status < 0) {
            return status;
        }
    }
    return TUTTI_OK;
}

void gather_destroy(struct gather *g)
{
    if (!g) {
        return;
    }
    for (int i = 0; i < GATHER_WINDOW; i++) {
        block_destroy(g->window[i]);
    }
    free(g->alive);
    free(g->reporting);
    free(g->foreign);
    free(g);
}

void gather_restart(struct gather *g, uint64_t next)
{
    memset(g->open, 0, sizeof g->open);
    g->next = next;
    g->started = true;
}

/* The majority went on without this window: what is open is given up. */
static void follow(struct gather *g, uint64_t clock_now)
{
    if (clock_now >= g->next + GATHER_WINDOW) {
        g->n_jumped++;
        gather_restart(g, clock_now);
    }
}

enum gather_place gather_find(struct gather *g, int ap, uint64_t number, uint64_t clock_now, tutti_tick tick,
                              uint32_t session, uint64_t from_ns, struct cpu_block **block)
{
    if (!g->started) {
        gather_restart(g, clock_now);
    }
    follow(g, clock_now);
    if (number < g->next) {
        g->reporting[ap] = 1;
        g->n_late++;
        return GATHER_LATE;
    }
    if (number >= g->next + GATHER_WINDOW) {
        g->n_early++;
        return GATHER_EARLY;
    }
    g->reporting[ap] = 1;
    const int i = (int)(number % GATHER_WINDOW);
    if (!g->open[i]) {
        block_open(g->window[i], number, tick, session, from_ns);
        g->open[i] = true;
    }
    *block = g->window[i];
    return GATHER_PLACED;
}

void gather_set_alive(struct gather *g, int ap, bool alive)
{
    g->alive[ap] = alive;
    g->reporting[ap] = 0;
}

static bool is_expected(const struct gather *g, uint64_t number, int ap)
{
    return (number == 0 && g->wait_for_all && !g->foreign[ap]) || (g->reporting[ap] && g->alive[ap]);
}

static bool is_complete(const struct gather *g, const struct cpu_block *block)
{
    if (block->number == 0 && g->wait_for_all && g->held) {
        return false;
    }
    for (int ap = 0; ap < g->n_ap; ap++) {
        if (!block->gathered[ap] && !block->excused[ap] && is_expected(g, block->number, ap)) {
            return false;
        }
    }
    return true;
}

/* The oldest open block's place, negative if none is open. */
static int oldest(const struct gather *g)
{
    for (uint64_t b = g->next; g->started && b < g->next + GATHER_WINDOW; b++) {
        if (g->open[b % GATHER_WINDOW]) {
            return (int)(b % GATHER_WINDOW);
        }
    }
    return -1;
}

struct cpu_block *gather_close(struct gather *g, uint64_t now_ns, int64_t *wait_us, uint8_t *silent)
{
    const int i = oldest(g);
    *wait_us = INT64_MAX;
    memset(silent, 0, (size_t)g->n_ap);
    if (i < 0) {
        return NULL;
    }
    struct cpu_block *block = g->window[i];
    *wait_us = (int64_t)g->limit_us - (int64_t)(now_ns - block->first_arrival_ns) / 1000;
    if (*wait_us > 0 && !is_complete(g, block)) {
        return NULL;
    }
    for (int ap = 0; ap < g->n_ap; ap++) {
        if (!block->gathered[ap] && !block->excused[ap] && g->reporting[ap]) {
            g->reporting[ap] = 0;
            g->n_incomplete++;
            silent[ap] = 1;
        }
    }
    g->open[i] = false;
    g->next = block->number + 1;
    block_forget_missing(block);
    return block;
}

void gather_replace(struct gather *g, const struct cpu_block *given, struct cpu_block *replacement)
{
    for (int i = 0; i < GATHER_WINDOW; i++) {
        if (g->window[i] == given && !g->open[i]) {
            g->window[i] = replacement;
        }
    }
}
