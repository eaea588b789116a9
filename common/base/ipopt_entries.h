/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Entries of a sparse matrix in the order in which Ipopt asks for them, the same for its structure and its values: what
 * is not asked for is NULL. Arrays are the caller's. */
#ifndef TUTTI_BASE_IPOPT_ENTRIES_H
#define TUTTI_BASE_IPOPT_ENTRIES_H

#include <IpStdCInterface.h>

struct ipopt_entries {
    int n; /* so far */
    Index *row, *column;
    Number *value;
};

static inline void ipopt_entries_put(struct ipopt_entries *e, int row, int column, double value)
{
    if (e->row) {
        e->row[e->n] = row;
        e->column[e->n] = column;
    }
    if (e->value) {
        e->value[e->n] = value;
    }
    e->n++;
}

#endif
