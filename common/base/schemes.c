/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/schemes.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static const struct mimo_scheme_row rows[MIMO_N_SCHEMES] = {
#define MIMO_SCHEME_ROW(id, name, number, kind, antennas, powers, equal, mean, below, about)                           \
    [id] = {#name, about, kind, antennas, powers, equal, mean, below},
    MIMO_SCHEME_MAP(MIMO_SCHEME_ROW)
#undef MIMO_SCHEME_ROW
};

static const char *const power_names[MIMO_N_POWERS] = {
#define MIMO_POWER_ROW(id, name, number, about) [id] = #name,
    MIMO_POWER_MAP(MIMO_POWER_ROW)
#undef MIMO_POWER_ROW
};

const struct mimo_scheme_row *mimo_scheme_row(int scheme)
{
    return scheme >= 0 && scheme < MIMO_N_SCHEMES ? &rows[scheme] : NULL;
}

const char *mimo_scheme_name(int scheme)
{
    const struct mimo_scheme_row *const row = mimo_scheme_row(scheme);
    return row ? row->name : "?";
}

const char *mimo_power_name(int power)
{
    return power >= 0 && power < MIMO_N_POWERS ? power_names[power] : "?";
}

int mimo_scheme_find(const char *name)
{
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        if (strcmp(name, rows[s].name) == 0) {
            return s;
        }
    }
    return -1;
}

int mimo_power_find(const char *name)
{
    for (int p = 0; p < MIMO_N_POWERS; p++) {
        if (strcmp(name, power_names[p]) == 0) {
            return p;
        }
    }
    return -1;
}

enum mimo_power mimo_power_meant(int scheme, bool local, enum mimo_power power)
{
    const struct mimo_scheme_row *const row = mimo_scheme_row(scheme);
    if (!row || power != MIMO_POWER_EQUAL) {
        return power;
    }
    return local && row->kind == MIMO_PER_AP ? MIMO_POWER_EQUAL_SHARES : row->equal;
}

bool mimo_scheme_allows(int scheme, int power)
{
    const struct mimo_scheme_row *const row = mimo_scheme_row(scheme);
    if (!row || power < 0 || power >= MIMO_N_POWERS) {
        return false;
    }
    return row->powers >> mimo_power_meant(scheme, false, (enum mimo_power)power) & 1u;
}

bool mimo_scheme_is_local(int scheme)
{
    const struct mimo_scheme_row *const row = mimo_scheme_row(scheme);
    return row && row->kind == MIMO_PER_AP;
}

enum mimo_scheme mimo_scheme_below(enum mimo_scheme scheme)
{
    return rows[scheme].below;
}

enum mimo_power mimo_power_on_rung(enum mimo_scheme asked, enum mimo_scheme rung, enum mimo_power power)
{
    const struct mimo_scheme_row *const row = mimo_scheme_row((int)rung);
    const enum mimo_power own = mimo_power_meant((int)rung, false, MIMO_POWER_EQUAL);
    if (!mimo_scheme_allows((int)rung, (int)power) && mimo_scheme_allows((int)rung, (int)own)) {
        return own;
    }
    if (rung == asked) {
        return mimo_power_meant((int)rung, false, power);
    }
    if (!row || row->below == rung || power == MIMO_POWER_EQUAL) {
        return own;
    }
    return power == MIMO_POWER_MAXMIN && mimo_scheme_allows((int)rung, MIMO_POWER_MAXMIN_USER) ? MIMO_POWER_MAXMIN_USER
                                                                                               : power;
}

int mimo_scheme_check_antennas(int scheme, int n_ap, int n_ant, int n_ue)
{
    const struct mimo_scheme_row *const row = mimo_scheme_row(scheme);
    if (!row) {
        return error_set(TUTTI_EINVAL, "scheme %d does not exist", scheme);
    }
    if (row->antennas == MIMO_ANTENNAS_AP && n_ant <= n_ue) {
        return error_set(TUTTI_EINVAL, "%s needs more antennas at each AP than users: %d antennas, %d users", row->name,
                         n_ant, n_ue);
    }
    if (row->antennas == MIMO_ANTENNAS_ALL && n_ap * n_ant < n_ue) {
        return error_set(TUTTI_EINVAL,
                         "%s needs at least as many antennas in all as users: %d APs x %d antennas = %d, %d users",
                         row->name, n_ap, n_ant, n_ap * n_ant, n_ue);
    }
    return 0;
}

static void append(char *text, size_t room, const char *name)
{
    const size_t n = strlen(text);
    snprintf(text + n, room - n, "%s%s", n ? ", " : "", name);
}

const char *mimo_scheme_list(char *text, size_t room)
{
    text[0] = 0;
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        append(text, room, rows[s].name);
    }
    return text;
}

const char *mimo_scheme_list_local(char *text, size_t room)
{
    text[0] = 0;
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        if (mimo_scheme_is_local(s)) {
            append(text, room, rows[s].name);
        }
    }
    return text;
}

const char *mimo_power_list(int scheme, char *text, size_t room)
{
    text[0] = 0;
    for (int p = 0; p < MIMO_N_POWERS; p++) {
        if (mimo_scheme_allows(scheme, p)) {
            append(text, room, power_names[p]);
        }
    }
    return text;
}
