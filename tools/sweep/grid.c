/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/sweep/grid.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void grid_init(struct grid *grid)
{
    *grid = (struct grid){.n_cell = 1};
}

void grid_free(struct grid *grid)
{
    for (int a = 0; a < grid->n_axis; a++) {
        for (int i = 0; i < grid->axis[a].n; i++) {
            free(grid->axis[a].value[i]);
        }
        free(grid->axis[a].value);
        free(grid->axis[a].key);
    }
    grid_init(grid);
}

/* Length of the value that begins here. */
static size_t value_length(const char *text)
{
    int depth = 0;
    char quote = '\0';
    size_t n = 0;
    for (; text[n] && (depth > 0 || quote || text[n] != ','); n++) {
        if (quote) {
            quote = text[n] == quote ? '\0' : quote;
        } else if (text[n] == '"' || text[n] == '\'') {
            quote = text[n];
        } else {
            depth += (text[n] == '[' || text[n] == '{') - (text[n] == ']' || text[n] == '}');
        }
    }
    return n;
}

static int add_value(struct grid_axis *axis, const char *value, size_t n)
{
    char **const longer = realloc(axis->value, (size_t)(axis->n + 1) * sizeof *longer);
    if (!longer) {
        return error_set(TUTTI_ENOMEM, "out of memory for the sweep");
    }
    axis->value = longer;
    axis->value[axis->n] = strndup(value, n);
    axis->n += axis->value[axis->n] != NULL;
    return axis->n > 0 && axis->value[axis->n - 1] ? 0 : error_set(TUTTI_ENOMEM, "out of memory for the sweep");
}

/* The next axis, under its key; it counts from now on. */
static int add_axis(struct grid *grid, const char *key, size_t n, struct grid_axis **axis)
{
    for (int a = 0; a < grid->n_axis; a++) {
        if (strlen(grid->axis[a].key) == n && strncmp(grid->axis[a].key, key, n) == 0) {
            return error_set(TUTTI_EINVAL, "%.*s is varied twice", (int)n, key);
        }
    }
    if (grid->n_axis == GRID_MAX_AXES) {
        return error_set(TUTTI_EINVAL, "more than %d keys are varied", GRID_MAX_AXES);
    }
    *axis = &grid->axis[grid->n_axis];
    (*axis)->key = strndup(key, n);
    grid->n_axis += (*axis)->key != NULL;
    return (*axis)->key ? 0 : error_set(TUTTI_ENOMEM, "out of memory for the sweep");
}

static int count(struct grid *grid, const struct grid_axis *axis)
{
    grid->n_cell *= (uint64_t)axis->n;
    return grid->n_cell <= GRID_MAX_CELLS ? 0 : error_set(TUTTI_EINVAL, "a sweep of more than %d runs", GRID_MAX_CELLS);
}

int grid_add(struct grid *grid, const char *text)
{
    const char *const equals = strchr(text, '=');
    struct grid_axis *axis;
    if (!equals || equals == text || !equals[1]) {
        return error_set(TUTTI_EINVAL, "'%s' is not KEY=VALUE,VALUE,...", text);
    }
    int status = add_axis(grid, text, (size_t)(equals - text), &axis);
    for (const char *at = equals + 1; status == 0;) {
        const size_t n = value_length(at);
        status = n > 0 ? add_value(axis, at, n) : error_set(TUTTI_EINVAL, "'%s' has an empty value", text);
        if (!at[n]) {
            break;
        }
        at += n + 1;
    }
    return status ? status : count(grid, axis);
}

int grid_add_seeds(struct grid *grid, const char *text)
{
    uint64_t from, to;
    struct grid_axis *axis;
    char number[24];
    int used = 0;
    if (sscanf(text, "%20" SCNu64 "..%20" SCNu64 "%n", &from, &to, &used) != 2 || text[used] || from > to ||
        to - from >= GRID_MAX_CELLS || to > (UINT64_C(1) << 53)) {
        return error_set(TUTTI_EINVAL, "seeds '%s' are not A..B", text);
    }
    int status = add_axis(grid, "network.seed", strlen("network.seed"), &axis);
    for (uint64_t seed = from; status == 0 && seed <= to; seed++) {
        snprintf(number, sizeof number, "%" PRIu64, seed);
        status = add_value(axis, number, strlen(number));
    }
    return status ? status : count(grid, axis);
}

const char *grid_value(const struct grid *grid, uint64_t cell, int axis)
{
    for (int a = grid->n_axis - 1; a > axis; a--) {
        cell /= (uint64_t)grid->axis[a].n;
    }
    return grid->axis[axis].value[cell % (uint64_t)grid->axis[axis].n];
}
