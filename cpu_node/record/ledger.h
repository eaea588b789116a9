/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which AP-blocks have their account: an AP in a solve owes one, the first that comes stands, and what nobody can give
 * any more (the AP died with it, the run ended) is lost, until it comes after all. Looks back as far as an AP keeps
 * accounts. Pure bookkeeping; the record thread's. */
#ifndef TUTTI_CPU_NODE_RECORD_LEDGER_H
#define TUTTI_CPU_NODE_RECORD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

enum { LEDGER_BLOCKS = 16384 }; /* ACCOUNTS_ROOM of ap_node/accounts.h: no AP has older ones */

struct ledger {
    int n_ap;
    uint64_t first, end; /* blocks first..end-1 are looked back on */
    uint8_t *state;      /* [LEDGER_BLOCKS][n_ap], block b at b mod LEDGER_BLOCKS */
    uint64_t *settled;   /* [n_ap] nothing before this block is owed */
    uint64_t n_lost;
};

/* Told of every AP-block whose account is lost. */
typedef void ledger_visit(void *context, int ap, uint64_t block);

int ledger_create(struct ledger **ledger, int n_ap);
void ledger_destroy(struct ledger *ledger); /* NULL and half-built allowed */
/* Time begins (again) at this block: nothing is owed. */
void ledger_begin(struct ledger *ledger, uint64_t block);
/* The APs of a solve, ap_used [n_ap], owe an account of this block. What leaves the blocks looked back on, owed, is
 * lost. */
void ledger_owe(struct ledger *ledger, uint64_t block, const uint8_t *ap_used, ledger_visit *lost, void *context);
/* An account came: true if it is the first of this block and AP (or the one that was lost); false: it has one already,
 * or is older than all that is looked back on. */
bool ledger_take(struct ledger *ledger, int ap, uint64_t block, ledger_visit *lost, void *context);
/* The AP's life, or the run, is over: what it owes is lost. */
void ledger_lose(struct ledger *ledger, int ap, ledger_visit *lost, void *context);

#endif
