/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/clusters_live.h"

#include "base/error.h"
#include "cluster/clusters.h"

#include <stdlib.h>
#include <string.h>

struct clusters_live {
    struct clusters_live_settings set;
    double *beta, *sum;         /* [n_ap][n_ue] newest gains, 0 of APs that are gone; [n_pilot] */
    int *absent;                /* [n_ap] blocks since it was heard */
    int *pilot, *old_pilot;     /* [n_ue] */
    int *master;                /* [n_ue] */
    int *best;                  /* [n_pilot] */
    uint8_t *served, *previous; /* [n_ap][n_ue] */
    bool assigned;
    int wait; /* blocks until the next look */
};

int clusters_live_create(clusters_live_t **live, const struct clusters_live_settings *settings)
{
    struct clusters_live *const c = *live = calloc(1, sizeof *c);
    if (!c) {
        return error_set(TUTTI_ENOMEM, "out of memory for the clusters");
    }
    const size_t n_ap = (size_t)settings->n_ap, n_ue = (size_t)settings->n_ue, n_pilot = (size_t)settings->n_pilot;
    c->set = *settings;
    c->wait = CLUSTERS_LEARN * ((settings->n_ue + settings->n_pilot - 1) / settings->n_pilot);
    c->beta = calloc(n_ap * n_ue, sizeof *c->beta);
    c->sum = calloc(n_pilot, sizeof *c->sum);
    c->absent = calloc(n_ap, sizeof *c->absent);
    c->pilot = calloc(n_ue, sizeof *c->pilot);
    c->old_pilot = calloc(n_ue, sizeof *c->old_pilot);
    c->master = calloc(n_ue, sizeof *c->master);
    c->best = calloc(n_pilot, sizeof *c->best);
    c->served = calloc(n_ap * n_ue, 1);
    c->previous = calloc(n_ap * n_ue, 1);
    return c->master && c->beta && c->sum && c->absent && c->pilot && c->old_pilot && c->best && c->served &&
                   c->previous
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for the clusters");
}

void clusters_live_destroy(clusters_live_t *c)
{
    if (!c) {
        return;
    }
    free(c->beta);
    free(c->sum);
    free(c->absent);
    free(c->pilot);
    free(c->old_pilot);
    free(c->master);
    free(c->best);
    free(c->served);
    free(c->previous);
    free(c);
}

static void follow(struct clusters_live *c, const float *beta, const uint8_t *ap_present)
{
    const int n_ue = c->set.n_ue;
    for (int m = 0; m < c->set.n_ap; m++) {
        c->absent[m] = ap_present[m] ? 0 : c->absent[m] + 1;
        for (int k = 0; k < n_ue; k++) {
            if (ap_present[m]) {
                c->beta[m * n_ue + k] = (double)beta[m * n_ue + k];
            } else if (c->absent[m] >= CLUSTERS_GONE) {
                c->beta[m * n_ue + k] = 0;
            }
        }
    }
}

/* Nobody hears anything of who is gone: it is nobody's best and serves nobody, whatever the ties say. */
static void leave_out_gone(struct clusters_live *c)
{
    for (int m = 0; m < c->set.n_ap; m++) {
        if (c->absent[m] >= CLUSTERS_GONE) {
            memset(c->served + m * c->set.n_ue, 0, (size_t)c->set.n_ue);
        }
    }
}

static void form(struct clusters_live *c)
{
    const struct clusters_live_settings *const s = &c->set;
    const size_t n_link = (size_t)s->n_ap * (size_t)s->n_ue;
    memcpy(c->old_pilot, c->pilot, (size_t)s->n_ue * sizeof *c->pilot);
    memcpy(c->previous, c->served, n_link);
    if (c->assigned) {
        clusters_move(s->n_ap, s->n_ue, s->n_pilot, c->beta, s->hysteresis, c->sum, c->master, c->pilot);
    } else {
        clusters_pilots(s->n_ap, s->n_ue, s->n_pilot, c->beta, c->sum, c->pilot);
    }
    const struct clusters_settings settings = {.n_pilot = s->n_pilot,
                                               .max_aps = s->max_aps,
                                               .hysteresis = s->hysteresis,
                                               .previous = c->assigned ? c->previous : NULL};
    clusters_form(s->n_ap, s->n_ue, &settings, c->beta, c->pilot, c->best, c->served);
    leave_out_gone(c);
}

bool clusters_live_block(clusters_live_t *c, const float *beta, const uint8_t *ap_present, struct clusters_table *table)
{
    const struct clusters_live_settings *const s = &c->set;
    follow(c, beta, ap_present);
    if (--c->wait > 0) {
        return false;
    }
    c->wait = s->every_blocks;
    form(c);
    *table = (struct clusters_table){.pilot = c->pilot, .serves = c->served};
    for (int k = 0; k < s->n_ue; k++) {
        table->n_moved += c->pilot[k] != c->old_pilot[k];
    }
    for (int i = 0; i < s->n_ap * s->n_ue; i++) {
        table->n_changed += c->served[i] != c->previous[i];
        table->n_link += c->served[i];
    }
    const bool first = !c->assigned;
    c->assigned = true;
    return first || table->n_moved > 0 || table->n_changed > 0;
}
