/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of nodes by name, "ap0", "ue1" or "eve0": who writes what it receives (record.iq.nodes), whose samples are
 * published (air.tap.radios). */
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

bool config_has_node(const struct config *config, const char *name)
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

/* An empty list has everybody in it. */
static bool is_in(char *const *names, unsigned n_name, enum config_role role, int id)
{
    bool named = n_name == 0;
    for (unsigned i = 0; !named && i < n_name; i++) {
        named = is_name_of(names[i], role, id);
    }
    return named;
}

bool config_records_iq(const struct config *config, enum config_role role, int id)
{
    const struct config_iq *const iq = &config->record.iq;
    return *iq->dir && is_in(iq->nodes, iq->nodes_count, role, id);
}

bool config_taps(const struct config *config, enum config_role role, int id)
{
    const struct config_tap *const tap = &config->air.tap;
    return *tap->endpoint && is_in(tap->radios, tap->radios_count, role, id);
}

static int check_names(struct config_layers *layers, const struct config *config, const char *list, char *const *names,
                       unsigned n_name)
{
    for (unsigned i = 0; i < n_name; i++) {
        if (!config_has_node(config, names[i])) {
            char key[64];
            snprintf(key, sizeof(key), "%s[%u]", list, i);
            return config_fail(layers, key,
                               "'%.40s' is no node of this network: ap0 to ap%d, ue0 to ue%d, eavesdroppers eve0 ... "
                               "(network.n_eve: %d)",
                               names[i], config->network.n_ap - 1, config->network.n_ue - 1, config->network.n_eve);
        }
    }
    return 0;
}

int config_iq_check(struct config_layers *layers, const struct config *config)
{
    const struct config_iq *const iq = &config->record.iq;
    const struct config_tap *const tap = &config->air.tap;
    const int rc = check_names(layers, config, "record.iq.nodes", iq->nodes, iq->nodes_count);
    return rc ? rc : check_names(layers, config, "air.tap.radios", tap->radios, tap->radios_count);
}
