/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/early.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct early {
    int room, n_kept, n_taken;
    struct early_report *report; /* [room] */
};

int early_create(early_t **early, int room)
{
    early_t *const e = *early = calloc(1, sizeof *e);
    if (!e || !(e->report = calloc((size_t)room, sizeof *e->report))) {
        return error_set(TUTTI_ENOMEM, "no memory for %d early reports", room);
    }
    e->room = room;
    return TUTTI_OK;
}

static void forget(early_t *e)
{
    for (int i = 0; i < e->n_kept; i++) {
        free(e->report[i].json);
    }
    e->n_kept = e->n_taken = 0;
}

void early_destroy(early_t *early)
{
    if (early) {
        forget(early);
        free(early->report);
        free(early);
    }
}

bool early_keep(early_t *e, enum fh_role role, int id, const char *json)
{
    char *const copy = e->n_kept < e->room ? strdup(json) : NULL;
    if (copy) {
        e->report[e->n_kept++] = (struct early_report){role, id, copy};
    }
    return copy != NULL;
}

const struct early_report *early_take(early_t *e)
{
    if (e->n_taken < e->n_kept) {
        return &e->report[e->n_taken++];
    }
    forget(e);
    return NULL;
}
