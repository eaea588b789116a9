/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From plain structs to rows: a solved block, an AP's account of one. Counts what the accounts say. */
#ifndef TUTTI_CPU_NODE_RECORD_ROWS_H
#define TUTTI_CPU_NODE_RECORD_ROWS_H

#include "cpu_node/block.h"
#include "cpu_node/record/ledger.h"
#include "cpu_node/record/run_file.h"
#include "fronthaul/wire.h"

enum { RECORD_LEARN_BLOCKS = 16 };

struct record_rows {
    run_file_t *file;
    struct record_shape shape;
    double *wide;         /* work area for one row of doubles */
    int64_t *counts;      /* [n_ap][5] */
    uint8_t *mode;        /* [n_ap] 1 serves, 0 illuminates */
    int *learnt;          /* [n_ap] blocks of estimates since the AP joined, up to RECORD_LEARN_BLOCKS */
    uint64_t arrivals[4]; /* enum wire_arrival, all AP-blocks with an account */
    uint64_t sent[WIRE_SENT_LOST], scaled;
    uint64_t n_accounts, n_accounts_twice; /* the second of a block and AP is not counted */
    struct ledger *ledger;
};

int record_rows_create(struct record_rows **rows, run_file_t *file, const struct record_shape *shape);
void record_rows_destroy(struct record_rows *rows); /* NULL and half-built allowed */
/* An AP has (re)joined: what it tracks, gains and noise, begins anew. */
void record_rows_joined(struct record_rows *rows, int ap);
void record_rows_block(struct record_rows *rows, const struct cpu_block *block);
/* False: this AP-block has its account already, the first one stands. */
bool record_rows_account(struct record_rows *rows, int ap, const struct wire_account *account);
/* Time begins (again) at this block. */
void record_rows_begin(struct record_rows *rows, uint64_t block);
/* Accounts that this AP still owes will not come: WIRE_SENT_LOST is written in their place. */
void record_rows_lose(struct record_rows *rows, int ap);

#endif
