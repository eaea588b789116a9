/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/dashboard/state.h"

#include "base/error.h"

#include <string.h>

static json_t *nulls(int n)
{
    json_t *const array = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(array, json_null());
    }
    return array;
}

int dashboard_state_create(struct dashboard_state *state, const struct config *config)
{
    *state = (struct dashboard_state){
        .config = config, .ap = nulls(config->network.n_ap), .user = nulls(config->network.n_ue)};
    return state->ap && state->user ? 0 : error_set(TUTTI_ENOMEM, "no memory for the state of the network");
}

void dashboard_state_destroy(struct dashboard_state *state)
{
    json_decref(state->status);
    json_decref(state->ap);
    json_decref(state->user);
}

/* A slice of APs or users into its place. */
static void merge(json_t *into, const json_t *status, const char *name, const char *from_name)
{
    const json_t *const slice = json_object_get(status, name);
    const json_int_t from = json_integer_value(json_object_get(status, from_name));
    for (size_t i = 0; from >= 0 && i < json_array_size(slice); i++) {
        json_t *const one = json_array_get(slice, i);
        if (json_is_object(one) && (size_t)from + i < json_array_size(into)) {
            json_array_set(into, (size_t)from + i, one);
        }
    }
}

char *dashboard_state_take(struct dashboard_state *state, const char *json)
{
    json_t *const status = json_loads(json, 0, NULL);
    const char *const type = json_string_value(json_object_get(status, "type"));
    if (!type || strcmp(type, "status") != 0) {
        json_decref(status);
        return NULL;
    }
    merge(state->ap, status, "ap", "ap_from");
    merge(state->user, status, "user", "user_from");
    json_decref(state->status);
    state->status = status;
    return json_dumps(status, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
}

char *dashboard_state_link(struct dashboard_state *state, bool linked, bool over)
{
    state->linked = linked;
    state->over = over;
    json_t *const event = json_pack("{s:s, s:b, s:b}", "type", "link", "up", linked, "over", state->over);
    char *const text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    return text;
}

char *dashboard_state_all(const struct dashboard_state *state)
{
    const struct config *const c = state->config;
    json_t *const all =
        json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:f, s:s, s:s, s:i, s:f, s:b, s:b, s:O, s:O, s:O?}", "type",
                  "network", "name", c->network.name, "n_ap", c->network.n_ap, "n_ant", c->network.n_ant, "n_ue",
                  c->network.n_ue, "n_eve", c->network.n_eve, "block_us", c->frame.block_us, "scheme",
                  mimo_scheme_name((int)c->precoding.scheme), "power", mimo_power_name((int)c->precoding.power), "qam",
                  4 << 2 * (int)c->payload.modulation, "budget_us", c->engine.block_budget_us, "up", state->linked,
                  "over", state->over, "ap", state->ap, "user", state->user, "status", state->status);
    char *const text = all ? json_dumps(all, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(all);
    return text;
}
