/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the APs stand to the reference (sync.mode air), as their estimates and reports tell: whether an AP counts, lines
 * on the time line when that changes, and what observers are told. The block thread's, but for what says otherwise. */
#ifndef TUTTI_CPU_NODE_SYNC_WATCH_H
#define TUTTI_CPU_NODE_SYNC_WATCH_H

#include "base/types.h"

#include <jansson.h>

struct sync_watch_settings {
    int n_ap;
    void (*say)(void *context, uint64_t block, bool bad, const char *sentence); /* a line of log and time line */
    void *context;
};
typedef struct sync_watch sync_watch_t;

int sync_watch_create(sync_watch_t **watch, const struct sync_watch_settings *settings);
void sync_watch_destroy(sync_watch_t *watch); /* NULL and half-built allowed */

/* With an AP's estimates came this (enum wire_sync). True: they count. */
bool sync_watch_hear(sync_watch_t *watch, int ap, uint64_t block, int state);
/* A control message of an AP; false if it is not about this. */
bool sync_watch_report(sync_watch_t *watch, int ap, const char *json);
void sync_watch_gone(sync_watch_t *watch, int ap);
/* For the recording, in the order of its datasets; the others of a report are for people. */
enum sync_watch_figure {
    SYNC_WATCH_CFO_HZ,
    SYNC_WATCH_ERROR_RAD,
    SYNC_WATCH_SNR_DB,
    SYNC_WATCH_DELAY_SAMPLES,
    SYNC_WATCH_DRIFT_PPM,
    SYNC_WATCH_FIGURES
};
enum { SYNC_WATCH_AWAY = 255 };
/* What is known of all APs by now: state [n_ap] of enum wire_sync, or SYNC_WATCH_AWAY; figures
 * [SYNC_WATCH_FIGURES][n_ap], the last each AP has told of, NaN: none. No lock. */
void sync_watch_copy(const sync_watch_t *watch, uint8_t *state, double *figures);
/* [n_ap] 1: is there, by `alive`, and counts. Valid until the next call. */
const uint8_t *sync_watch_fit(sync_watch_t *watch, const uint8_t *alive);
/* Any thread: adds the member `sync` to a status message, an entry per AP; nothing with a shared
 * clock that no AP has told of. */
void sync_watch_tell(sync_watch_t *watch, json_t *status);

/* "locked", "hold", ... */
const char *sync_watch_name(int state);

#endif
