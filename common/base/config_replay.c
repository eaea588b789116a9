/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network file of a replay, made from that of the run. */
#include "base/config_internal.h"

#include <stdlib.h>
#include <string.h>

static int replace(char **text, const char *by)
{
    char *copy = strdup(by);
    if (!copy) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    free(*text);
    *text = copy;
    return 0;
}

static int play(struct config_radio *radio, const char *collection)
{
    const int rc = replace(&radio->backend, "file");
    return rc ? rc : replace(&radio->args, collection);
}

static int play_all(struct config_radios *r, const char *collection)
{
    struct config_radio *const list[] = {r->ap_list, r->ue_list, r->eve_list};
    const unsigned n[] = {r->ap_list_count, r->ue_list_count, r->eve_list_count};
    struct config_radio *const common[] = {&r->ap, &r->ue, &r->eve};
    int rc = 0;
    for (int role = 0; rc == 0 && role < CONFIG_N_ROLES; role++) {
        rc = play(common[role], collection);
        for (unsigned i = 0; rc == 0 && i < n[role]; i++) {
            rc = play(&list[role][i], collection);
        }
    }
    return rc;
}

int config_make_replay(struct config *c, const char *collection)
{
    char **const automatic[] = {&c->network.runtime_dir, &c->fronthaul.endpoint, &c->fronthaul.lab_endpoint,
                                &c->air.endpoint};
    int rc = play_all(&c->radio, collection);
    for (size_t i = 0; rc == 0 && i < CYAML_ARRAY_LEN(automatic); i++) {
        rc = replace(automatic[i], "auto");
    }
    rc = rc ? rc : replace(&c->air.truth, "");
    if (c->record.iq.symbols == CONFIG_IQ_PG) { /* of users' data nothing was kept */
        c->uplink.mode = CONFIG_UPLINK_NONE;
    }
    rc = rc ? rc : replace(&c->record.iq.dir, "");
    rc = rc ? rc : replace(&c->record.file, "run.h5");
    c->air.mode = CONFIG_AIR_LOCKSTEP;
    c->calibration.at_start = c->calibration.when_stale = false;
    c->air.wait_for_all = false;
    c->network.n_blocks = 0;
    c->engine.block_budget_us = 0;
    c->engine.realtime_priority = 0;
    c->engine.solve_cores_count = c->engine.ap_cores_count = 0;
    c->fronthaul.security = CONFIG_SECURITY_AUTO;
    c->fronthaul.faults = (struct config_faults){.silent_ap = -1, .partition_ap = -1};
    return rc;
}
