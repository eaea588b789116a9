/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/ledger.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum { NOTHING, OWED, LOST, TOLD };

int ledger_create(struct ledger **ledger, int n_ap)
{
    struct ledger *l = *ledger = calloc(1, sizeof *l);
    if (!l) {
        return error_set(TUTTI_ENOMEM, "out of memory for the accounts");
    }
    l->n_ap = n_ap;
    l->state = calloc((size_t)LEDGER_BLOCKS * (size_t)n_ap, 1);
    l->settled = calloc((size_t)n_ap, sizeof *l->settled);
    return l->state && l->settled ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the accounts");
}

void ledger_destroy(struct ledger *l)
{
    if (!l) {
        return;
    }
    free(l->state);
    free(l->settled);
    free(l);
}

static uint8_t *state_of(const struct ledger *l, uint64_t block)
{
    return l->state + block % LEDGER_BLOCKS * (uint64_t)l->n_ap;
}

void ledger_begin(struct ledger *l, uint64_t block)
{
    l->first = l->end = block;
    for (int ap = 0; ap < l->n_ap; ap++) {
        l->settled[ap] = block;
    }
}

static void lose_before(struct ledger *l, int ap, uint64_t end, ledger_visit *lost, void *context)
{
    uint64_t block = l->settled[ap] > l->first ? l->settled[ap] : l->first;
    for (; block < end; block++) {
        uint8_t *const state = state_of(l, block) + ap;
        if (*state == OWED) {
            *state = LOST;
            l->n_lost++;
            lost(context, ap, block);
        }
    }
    l->settled[ap] = block > l->settled[ap] ? block : l->settled[ap];
}

void ledger_lose(struct ledger *l, int ap, ledger_visit *lost, void *context)
{
    lose_before(l, ap, l->end, lost, context);
}

/* Looks back on this block, too. */
static void reach(struct ledger *l, uint64_t block, ledger_visit *lost, void *context)
{
    if (block >= l->first + LEDGER_BLOCKS) {
        const uint64_t first = block + 1 - LEDGER_BLOCKS;
        for (int ap = 0; ap < l->n_ap; ap++) {
            lose_before(l, ap, first < l->end ? first : l->end, lost, context);
        }
        l->first = first;
        l->end = l->end < first ? first : l->end;
    }
    for (; l->end <= block; l->end++) {
        memset(state_of(l, l->end), NOTHING, (size_t)l->n_ap);
    }
}

void ledger_owe(struct ledger *l, uint64_t block, const uint8_t *ap_used, ledger_visit *lost, void *context)
{
    reach(l, block, lost, context);
    for (int ap = 0; block >= l->first && ap < l->n_ap; ap++) {
        uint8_t *const state = state_of(l, block) + ap;
        if (ap_used[ap] && *state == NOTHING) {
            *state = OWED;
            l->settled[ap] = l->settled[ap] < block ? l->settled[ap] : block;
        }
    }
}

bool ledger_take(struct ledger *l, int ap, uint64_t block, ledger_visit *lost, void *context)
{
    reach(l, block, lost, context);
    uint8_t *const state = state_of(l, block) + ap;
    if (block < l->first || *state == TOLD) {
        return false;
    }
    l->n_lost -= *state == LOST;
    *state = TOLD;
    return true;
}
