/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which nodes write what they receive: the names in record.iq.nodes, "ap0", "ue1" or "eve0". */
#include "base/config_internal.h"

#include <string.h>

const char *config_role_name(enum config_role role)
{
    static const char *const names[CONFIG_N_ROLES] = {"ap", "ue", "eve"};
    return names[role];
}

static int n_of(const struct config *config, enum config_role role)
{
    const struct config_network *const n = &config->network;
    return role == CONFIG_ROLE_AP ? n->n_ap : role == CONFIG_ROLE_UE ? n->n_ue : n->n_eve;
}

static bool is_name_of(const char *name, enum config_role role, int id)
{
    char right[24];
    snprintf(right, sizeof(right), "%s%d", config_role_name(role), id);
    return strcmp(name, right) == 0;
}

static bool is_node(const struct config *config, const char *name)
{
    for (int role = 0; role < CONFIG_N_ROLES; role++) {
        for (int id = 0; id < n_of(config, (enum config_role)role); id++) {
            if (is_name_of(name, (enum config_role)role, id)) {
                return true;
            }
        }
    }
    return false;
}

bool config_records_iq(const struct config *config, enum config_role role, int id)
{
    const struct config_iq *const iq = &config->record.iq;
    bool named = iq->nodes_count == 0;
    for (unsigned i = 0; !named && i < iq->nodes_count; i++) {
        named = is_name_of(iq->nodes[i], role, id);
    }
    return *iq->dir && named;
}

int config_iq_check(struct config_layers *layers, const struct config *config)
{
    const struct config_iq *const iq = &config->record.iq;
    for (unsigned i = 0; i < iq->nodes_count; i++) {
        if (!is_node(config, iq->nodes[i])) {
            char key[64];
            snprintf(key, sizeof(key), "record.iq.nodes[%u]", i);
            return config_fail(layers, key,
                               "'%.40s' is no node of this network: ap0 to ap%d, ue0 to ue%d, eavesdroppers eve0 ... "
                               "(network.n_eve: %d)",
                               iq->nodes[i], config->network.n_ap - 1, config->network.n_ue - 1, config->network.n_eve);
        }
    }
    return 0;
}
