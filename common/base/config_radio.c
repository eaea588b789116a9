/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Radios per node: lists of exceptions over the common default of a role, and the names a backend may have. */
#include "base/config_internal.h"

#include <stdlib.h>
#include <string.h>

#ifdef TUTTI_UHD_LIBRARY
#define UHD_MISSING NULL
#else
#define UHD_MISSING "this build has no libuhd: apt-get install libuhd-dev, then configure and build again"
#endif

#ifdef TUTTI_SOAPY
#define SOAPY_MISSING NULL
#else
#define SOAPY_MISSING "this build has no SoapySDR: apt-get install libsoapysdr-dev, then configure and build again"
#endif

/* The one list of backends' names. The samples of a repeatable one are the same in every run. */
static const struct {
    const char *name;
    bool emulated;       /* repeatable if the air is in lock-step */
    bool replay;         /* repeatable */
    const char *missing; /* NULL: built in; else why it is not and what to do */
} backends[] = {{"air", true, false, NULL},
                {"uhd", false, false, UHD_MISSING},
                {"soapy", false, false, SOAPY_MISSING},
                {"file", false, true, NULL}};

static const char *const roles[CONFIG_N_ROLES] = {"ap", "ue", "eve"};

int config_backend_check(const char *name, char *sentence, size_t room)
{
    char known[64] = "";
    for (size_t i = 0; i < CYAML_ARRAY_LEN(backends); i++) {
        const size_t n = strlen(known);
        if (strcmp(backends[i].name, name) == 0) {
            snprintf(sentence, room, "'%s' is not built in: %s", name, backends[i].missing ? backends[i].missing : "");
            return backends[i].missing ? TUTTI_ECONFIG : TUTTI_OK;
        }
        snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", backends[i].name);
    }
    snprintf(sentence, room, "'%.40s' is not known, allowed: %s", name, known);
    return TUTTI_ECONFIG;
}

bool config_radio_is_emulated(const struct config_radio *radio)
{
    for (size_t i = 0; i < CYAML_ARRAY_LEN(backends); i++) {
        if (strcmp(backends[i].name, radio->backend) == 0) {
            return backends[i].emulated;
        }
    }
    return false;
}

bool config_radio_is_replay(const struct config_radio *radio)
{
    for (size_t i = 0; i < CYAML_ARRAY_LEN(backends); i++) {
        if (strcmp(backends[i].name, radio->backend) == 0) {
            return backends[i].replay;
        }
    }
    return false;
}

const char *config_radio_args(const struct config *config, const struct config_radio *radio)
{
    return *radio->args || !config_radio_is_emulated(radio) ? radio->args : config->air.endpoint;
}

static int n_of(const struct config *config, enum config_role role)
{
    const struct config_network *const n = &config->network;
    return role == CONFIG_ROLE_AP ? n->n_ap : role == CONFIG_ROLE_UE ? n->n_ue : n->n_eve;
}

bool config_has_emulated(const struct config *config)
{
    for (int role = 0; role < CONFIG_N_ROLES; role++) {
        for (int id = 0; id < n_of(config, (enum config_role)role); id++) {
            if (config_radio_is_emulated(config_radio_of(config, (enum config_role)role, id))) {
                return true;
            }
        }
    }
    return false;
}

bool config_is_repeatable(const struct config *config)
{
    for (int role = 0; role < CONFIG_N_ROLES; role++) {
        for (int id = 0; id < n_of(config, (enum config_role)role); id++) {
            const struct config_radio *const radio = config_radio_of(config, (enum config_role)role, id);
            const bool lockstep = config_radio_is_emulated(radio) && config->air.mode == CONFIG_AIR_LOCKSTEP;
            if (!lockstep && !config_radio_is_replay(radio)) {
                return false;
            }
        }
    }
    return true;
}

const struct config_radio *config_radio_of(const struct config *config, enum config_role role, int id)
{
    const struct config_radios *const r = &config->radio;
    const struct config_radio *const common[] = {&r->ap, &r->ue, &r->eve};
    const struct config_radio *const list[] = {r->ap_list, r->ue_list, r->eve_list};
    const unsigned n[] = {r->ap_list_count, r->ue_list_count, r->eve_list_count};
    return id >= 0 && (unsigned)id < n[role] ? &list[role][id] : common[role];
}

/* The lists as written --------------------------------------------------------------------------------------------- */

static yaml_node_t *key_of(yaml_document_t *document, const yaml_node_t *mapping, const char *key)
{
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++) {
        if (strcmp((const char *)yaml_document_get_node(document, pair->key)->data.scalar.value, key) == 0) {
            return yaml_document_get_node(document, pair->value);
        }
    }
    return NULL;
}

/* A whole number that config_layers_validate has seen. */
static long number_of(const yaml_node_t *node)
{
    return node ? strtol((const char *)node->data.scalar.value, NULL, 10) : -1;
}

static yaml_node_t *find_list(struct config_layers *layers, const char *role, struct config_layer **layer)
{
    char path[CONFIG_PATH_ROOM];
    snprintf(path, sizeof(path), "radio.%s_list", role);
    return config_layers_find(layers, path, layer);
}

static size_t list_length(const yaml_node_t *list)
{
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

static yaml_node_t *entry_at(yaml_document_t *document, const yaml_node_t *list, size_t i)
{
    return yaml_document_get_node(document, list->data.sequence.items.start[i]);
}

static yaml_node_t *entry_of(yaml_document_t *document, const yaml_node_t *list, long id)
{
    for (size_t i = 0; i < list_length(list); i++) {
        yaml_node_t *entry = entry_at(document, list, i);
        if (number_of(key_of(document, entry, "id")) == id) {
            return entry;
        }
    }
    return NULL;
}

long config_radios_n(struct config_layers *layers, const char *role)
{
    char path[CONFIG_PATH_ROOM];
    struct config_layer *layer;
    const yaml_node_t *list = find_list(layers, role, &layer);
    snprintf(path, sizeof(path), "network.n_%s", role);
    return list && list_length(list) ? number_of(config_layers_find(layers, path, &layer)) : 0;
}

yaml_node_t *config_radios_find(struct config_layers *layers, const char *role, long id, const char *key,
                                struct config_layer **layer)
{
    char path[CONFIG_PATH_ROOM];
    const yaml_node_t *list = find_list(layers, role, layer);
    yaml_node_t *entry = entry_of(&(*layer)->document, list, id);
    yaml_node_t *value = entry ? key_of(&(*layer)->document, entry, key) : NULL;
    if (value) {
        return value;
    }
    snprintf(path, sizeof(path), "radio.%s.%s", role, key);
    return config_layers_find(layers, path, layer);
}

static int check_list(struct config_layers *layers, const char *role)
{
    struct config_layer *layer, *count_layer;
    char path[CONFIG_PATH_ROOM];
    const yaml_node_t *list = find_list(layers, role, &layer);
    snprintf(path, sizeof(path), "network.n_%s", role);
    const long n = number_of(config_layers_find(layers, path, &count_layer));
    for (size_t i = 0; i < list_length(list); i++) {
        const yaml_node_t *entry = entry_at(&layer->document, list, i);
        const yaml_node_t *node = key_of(&layer->document, entry, "id");
        const long id = number_of(node);
        const size_t line = (node ? node : entry)->start_mark.line + 1;
        snprintf(path, sizeof(path), "radio.%s_list[%zu].id", role, i);
        if (!node) {
            return config_fail_at(layer, line, path, "missing: whose radio is it?");
        }
        if (id >= n) {
            return config_fail_at(layer, line, path, "%ld does not exist, n_%s = %ld", id, role, n);
        }
        if (entry_of(&layer->document, list, id) != entry) {
            return config_fail_at(layer, line, path, "%ld has an entry already", id);
        }
    }
    return TUTTI_OK;
}

int config_radios_check(struct config_layers *layers)
{
    int status = TUTTI_OK;
    for (int role = 0; !status && role < CONFIG_N_ROLES; role++) {
        status = check_list(layers, roles[role]);
    }
    return status;
}
