/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/sync_watch.h"

#include "base/error.h"
#include "fronthaul/wire.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOLD_BLOCKS = 4,       /* beacons missed before it is told: one alone is noise */
    LINES_AT_ONCE = 100,   /* of one AP; then one in so many blocks, and what it has come to meanwhile is told then */
    BLOCKS_PER_LINE = 200, /* lest one AP that comes and goes in every block fills logs and recording */
};

struct one {
    bool there;
    int state, told; /* enum wire_sync */
    uint64_t since;  /* block from which on it is in this state */
    uint64_t first;  /* block that it was heard of first */
    uint64_t n_line;
    json_t *report; /* the last one, NULL: none */
    double figure[SYNC_WATCH_FIGURES];
};

struct sync_watch {
    struct sync_watch_settings settings;
    struct one *ap; /* [n_ap] */
    uint8_t *fit;   /* [n_ap] */
    pthread_mutex_t mutex;
};

int sync_watch_create(sync_watch_t **watch, const struct sync_watch_settings *settings)
{
    sync_watch_t *w = *watch = calloc(1, sizeof *w);
    if (!w) {
        return error_set(TUTTI_ENOMEM, "out of memory for synchronisation");
    }
    w->settings = *settings;
    pthread_mutex_init(&w->mutex, NULL);
    w->ap = calloc((size_t)settings->n_ap, sizeof *w->ap);
    w->fit = calloc((size_t)settings->n_ap, 1);
    return w->ap && w->fit ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for synchronisation");
}

void sync_watch_destroy(sync_watch_t *w)
{
    if (!w) {
        return;
    }
    for (int ap = 0; w->ap && ap < w->settings.n_ap; ap++) {
        json_decref(w->ap[ap].report);
    }
    pthread_mutex_destroy(&w->mutex);
    free(w->ap);
    free(w->fit);
    free(w);
}

const char *sync_watch_name(int state)
{
    static const char *const names[WIRE_N_SYNC] = {"shared", "reference", "searching", "acquired",
                                                   "locked", "hold",      "lost"};
    return state >= 0 && state < WIRE_N_SYNC ? names[state] : "";
}

static void say(sync_watch_t *w, int ap, uint64_t block)
{
    static const char *const words[WIRE_N_SYNC] = {
        "", "SYNC-REFERENCE", "SYNC-SEARCHING", "SYNC-ACQUIRED", "SYNC-LOCKED", "SYNC-HOLD", "SYNC-LOST"};
    struct one *const one = &w->ap[ap];
    char text[120];
    int at = snprintf(text, sizeof text, "%s ap=%d", words[one->state], ap);
    const json_t *const cfo = json_object_get(one->report, "cfo_hz");
    if (cfo && one->state == WIRE_SYNC_LOCKED) {
        snprintf(text + at, sizeof text - (size_t)at, " cfo_hz=%.2f", json_number_value(cfo));
    }
    one->told = one->state;
    w->settings.say(w->settings.context, block, !wire_sync_counts(one->state) || one->state == WIRE_SYNC_HOLD, text);
}

static bool may_say(const struct one *one, uint64_t block)
{
    const uint64_t blocks = block > one->first ? block - one->first : 0;
    return one->n_line < LINES_AT_ONCE + blocks / BLOCKS_PER_LINE;
}

bool sync_watch_hear(sync_watch_t *w, int ap, uint64_t block, int state)
{
    struct one *const one = &w->ap[ap];
    pthread_mutex_lock(&w->mutex);
    one->since = state != one->state ? block : one->since;
    one->state = state;
    one->first = one->there ? one->first : block;
    one->there = true;
    const bool waits = state == WIRE_SYNC_HOLD && block < one->since + HOLD_BLOCKS;
    if (state != one->told && !waits && may_say(one, block)) {
        one->n_line++;
        say(w, ap, block);
    }
    pthread_mutex_unlock(&w->mutex);
    return wire_sync_counts(state);
}

/* What docs/wire.md names, if it is a number: the rest is nobody's, and would be told to all observers. */
static json_t *figures_of(const json_t *root)
{
    static const char *const names[] = {"block",  "cfo_hz", "error_rad", "snr_db", "delay_samples", "drift_ppm",
                                        "misfit", "heard",  "missed",    "slips",  "moved_samples"};
    json_t *figures = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *const value = json_object_get(root, names[i]);
        if (json_is_number(value) || json_is_null(value)) {
            json_object_set(figures, names[i], value);
        }
    }
    return figures;
}

static double figure_of(const json_t *figures, int i)
{
    static const char *const names[SYNC_WATCH_FIGURES] = {"cfo_hz", "error_rad", "snr_db", "delay_samples",
                                                          "drift_ppm"};
    const json_t *const value = json_object_get(figures, names[i]);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

bool sync_watch_report(sync_watch_t *w, int ap, const char *json)
{
    json_t *root = json_loads(json, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    if (!type || strcmp(type, "sync") != 0) {
        json_decref(root);
        return false;
    }
    json_t *const figures = figures_of(root);
    pthread_mutex_lock(&w->mutex);
    json_decref(w->ap[ap].report);
    w->ap[ap].report = figures;
    for (int i = 0; i < SYNC_WATCH_FIGURES; i++) {
        w->ap[ap].figure[i] = figure_of(figures, i);
    }
    pthread_mutex_unlock(&w->mutex);
    json_decref(root);
    return true;
}

void sync_watch_gone(sync_watch_t *w, int ap)
{
    pthread_mutex_lock(&w->mutex);
    json_decref(w->ap[ap].report);
    w->ap[ap] = (struct one){0};
    pthread_mutex_unlock(&w->mutex);
}

void sync_watch_copy(const sync_watch_t *w, uint8_t *state, double *figures)
{
    const int n_ap = w->settings.n_ap;
    for (int ap = 0; ap < n_ap; ap++) {
        const struct one *const one = &w->ap[ap]; /* written by this thread alone */
        state[ap] = one->there ? (uint8_t)one->state : SYNC_WATCH_AWAY;
        for (int i = 0; i < SYNC_WATCH_FIGURES; i++) {
            figures[i * n_ap + ap] = one->report ? one->figure[i] : NAN;
        }
    }
}

const uint8_t *sync_watch_fit(sync_watch_t *w, const uint8_t *alive)
{
    for (int ap = 0; ap < w->settings.n_ap; ap++) {
        w->fit[ap] = alive[ap] && wire_sync_counts(w->ap[ap].state);
    }
    return w->fit;
}

void sync_watch_tell(sync_watch_t *w, json_t *status)
{
    bool any = false;
    json_t *all = json_array();
    pthread_mutex_lock(&w->mutex);
    for (int ap = 0; ap < w->settings.n_ap; ap++) {
        json_t *one = w->ap[ap].report ? json_deep_copy(w->ap[ap].report) : json_object();
        json_object_set_new(one, "state", json_string(w->ap[ap].there ? sync_watch_name(w->ap[ap].state) : "away"));
        any = any || w->ap[ap].state != WIRE_SYNC_SHARED || w->ap[ap].report;
        json_array_append_new(all, one);
    }
    pthread_mutex_unlock(&w->mutex);
    if (any) {
        json_object_set(status, "sync", all);
    }
    json_decref(all);
}
