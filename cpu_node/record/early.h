/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports that came before the recording began. A block is handed to the recorder after its precoders were sent, so on
 * a busy machine users have decoded the first block, and told so, before the recorder hears of it. They are kept until
 * it does, so many and no more. One thread. */
#ifndef TUTTI_CPU_NODE_RECORD_EARLY_H
#define TUTTI_CPU_NODE_RECORD_EARLY_H

#include "fronthaul/peer.h"

typedef struct early early_t;

struct early_report {
    enum fh_role role;
    int id;
    char *json;
};

/* Set even on failure, to be destroyed. TUTTI_ENOMEM. */
int early_create(early_t **early, int room);
void early_destroy(early_t *early); /* NULL and half-built allowed */
/* Copies it. False: there is no room. Allocates. */
bool early_keep(early_t *early, enum fh_role role, int id, const char *json);
/* The oldest one, the caller's until the next call; NULL: no more. */
const struct early_report *early_take(early_t *early);

#endif
