/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/live_clusters.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

int live_clusters_create(struct live_clusters *c, int n_ap, int n_ue)
{
    const size_t n_link = (size_t)n_ap * (size_t)n_ue;
    *c = (struct live_clusters){.n_ap = n_ap, .n_ue = n_ue, .serves = calloc(n_link, 1)};
    c->pilot = calloc((size_t)n_ue, sizeof *c->pilot);
    c->master = calloc((size_t)n_ue, sizeof *c->master);
    return c->serves && c->pilot && c->master ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the live status");
}

void live_clusters_free(struct live_clusters *c)
{
    free(c->serves);
    free(c->pilot);
    free(c->master);
}

static int strongest(const struct cpu_block *block, int k)
{
    const int n_ue = block->shape.n_ue;
    int best = -1;
    for (int m = 0; m < block->shape.n_ap; m++) {
        if (block->serves[m * n_ue + k] && (best < 0 || block->beta[m * n_ue + k] > block->beta[best * n_ue + k])) {
            best = m;
        }
    }
    return best;
}

void live_clusters_block(struct live_clusters *c, const struct cpu_block *block)
{
    const size_t n_link = (size_t)c->n_ap * (size_t)c->n_ue, n_pilot = (size_t)c->n_ue * sizeof *c->pilot;
    if (!block->serves) {
        return;
    }
    if (c->any && memcmp(c->serves, block->serves, n_link) == 0 && memcmp(c->pilot, block->pilot, n_pilot) == 0) {
        return;
    }
    c->any = true;
    memcpy(c->serves, block->serves, n_link);
    memcpy(c->pilot, block->pilot, n_pilot);
    for (int k = 0; k < c->n_ue; k++) {
        c->master[k] = strongest(block, k);
    }
}

void live_clusters_ap(const struct live_clusters *c, int ap, json_t *object)
{
    if (!c->any) {
        return;
    }
    json_t *const users = json_array();
    for (int k = 0; k < c->n_ue; k++) {
        if (c->serves[ap * c->n_ue + k]) {
            json_array_append_new(users, json_integer(k));
        }
    }
    json_object_set_new(object, "serves", users);
}

void live_clusters_user(const struct live_clusters *c, int user, json_t *object)
{
    int n = 0;
    if (!c->any) {
        return;
    }
    for (int m = 0; m < c->n_ap; m++) {
        n += c->serves[m * c->n_ue + user];
    }
    json_object_set_new(object, "pilot", json_integer(c->pilot[user]));
    json_object_set_new(object, "master", c->master[user] >= 0 ? json_integer(c->master[user]) : json_null());
    json_object_set_new(object, "cluster", json_integer(n));
}
