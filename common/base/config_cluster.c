/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What user-centric clusters go with. */
#include "base/config_internal.h"
#include "base/frame.h"

static int check_frame(struct config_layers *layers, const struct config *c, const struct frame *frame)
{
    if (frame->n_pilot != c->cluster.pilots) {
        return config_fail(layers, "cluster.pilots frame.schedule",
                           "pilots = %d, but the schedule has %d pilot symbols (P): as many sequences are shared",
                           c->cluster.pilots, frame->n_pilot);
    }
    if (c->pilots.assignment_count > 0) {
        return config_fail(layers, "pilots.assignment cluster.enabled",
                           "with clusters the CPU node assigns the pilots: leave pilots.assignment empty");
    }
    if (c->cluster.pilots + c->network.n_ue > TUTTI_MAX_UE) {
        return config_fail(layers, "cluster.pilots network.n_ue",
                           "an access point follows %d users and %d pilots, at most %d together", c->network.n_ue,
                           c->cluster.pilots, TUTTI_MAX_UE);
    }
    return 0;
}

/* Precoders of the central node at powers of its own, for users alone. */
static int check_precoding(struct config_layers *layers, const struct config *c)
{
    const struct config_precoding *const p = &c->precoding;
    if (p->local || p->an != CONFIG_AN_NONE || mimo_scheme_row((int)p->scheme)->kind == MIMO_PHASE) {
        return config_fail(layers, "precoding.local precoding.an precoding.scheme cluster.enabled",
                           "clusters are served by precoders of the CPU node: local: false, an: none, and not analog");
    }
    if ((p->scheme == MIMO_CB && p->power == MIMO_POWER_MAXMIN) || p->average_blocks > 1) {
        return config_fail(layers, "precoding.power precoding.average_blocks cluster.enabled",
                           "powers that the slow clock finds are for users served by every access point: with clusters "
                           "neither cb with maxmin nor average_blocks above 1");
    }
    return 0;
}

static int check_company(struct config_layers *layers, const struct config *c)
{
    if (c->scheduler.n_served > 0) {
        return config_fail(layers, "scheduler.n_served cluster.enabled",
                           "clusters serve all users: scheduler.n_served must be 0");
    }
    if (c->network.n_eve > 0 || c->sensing.live || c->resilience.controller) {
        return config_fail(layers, "network.n_eve sensing.live resilience.controller cluster.enabled",
                           "clusters go neither with eavesdroppers nor with sensing.live nor with "
                           "resilience.controller: all three take a pilot to be one user's");
    }
    if (c->uplink.mode != CONFIG_UPLINK_NONE) {
        return config_fail(layers, "uplink.mode cluster.enabled",
                           "users' data are combined with every user's own pilot: clusters go with uplink.mode: none");
    }
    return 0;
}

int config_cluster_check(struct config_layers *layers, const struct config *config, const struct frame *frame)
{
    if (!config->cluster.enabled) {
        return 0;
    }
    int rc = check_frame(layers, config, frame);
    rc = rc ? rc : check_precoding(layers, config);
    return rc ? rc : check_company(layers, config);
}
