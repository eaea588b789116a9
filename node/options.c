/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/options.h"

#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int node_parse_number(const char *option, const char *text, int limit, int *value)
{
    char *end = NULL;
    errno = 0;
    const long number = strtol(text, &end, 10);
    if (*end || end == text || text[0] < '0' || text[0] > '9') {
        return error_set(TUTTI_EINVAL, "%s: '%s' is not a number", option, text);
    }
    if (errno == ERANGE || number > limit) {
        return error_set(TUTTI_EINVAL, "%s: %s is too large", option, text);
    }
    *value = (int)number;
    return TUTTI_OK;
}

static int parse_role(const char *text, bool *eve)
{
    *eve = strcmp(text, "eve") == 0;
    if (!*eve && strcmp(text, "user") != 0) {
        return error_set(TUTTI_EINVAL, "--role: '%s' found, user or eve expected", text);
    }
    return TUTTI_OK;
}

/* One option of this program with its value; *i moves past both. */
static int take_own(struct node_options *options, unsigned takes, int argc, char **argv, int *i)
{
    const char *name = argv[*i];
    if ((takes & NODE_TAKES_REPLAY) && strcmp(name, "--own-scheme") == 0) {
        options->own_scheme = true;
        ++*i;
        return TUTTI_OK;
    }
    const bool replay = (takes & NODE_TAKES_REPLAY) && strcmp(name, "--replay") == 0;
    const bool id = (takes & (NODE_TAKES_ID | NODE_MAY_TAKE_ID)) && strcmp(name, "--id") == 0;
    const bool role = (takes & NODE_TAKES_ROLE) && strcmp(name, "--role") == 0;
    if (!id && !role && !replay) {
        return error_set(TUTTI_EINVAL, "unknown argument '%s' (see --help)", name);
    }
    if (*i + 1 >= argc) {
        return error_set(TUTTI_EINVAL, "%s: its value is missing (see --help)", name);
    }
    const char *value = argv[*i + 1];
    *i += 2;
    if (replay) {
        options->replay = value;
        return TUTTI_OK;
    }
    return id ? node_parse_number(name, value, INT_MAX, &options->id) : parse_role(value, &options->eve);
}

int node_options_parse(struct node_options *options, unsigned takes, int argc, char **argv)
{
    *options = (struct node_options){.id = -1};
    for (int i = 1; i < argc;) {
        int status = config_options_take(&options->config, argc, argv, &i);
        if (status == 0) {
            status = take_own(options, takes, argc, argv, &i);
        }
        if (status < 0) {
            return status;
        }
    }
    if (!options->config.path) {
        return error_set(TUTTI_EINVAL, "--config is missing (see --help)");
    }
    if ((takes & NODE_TAKES_ID) && options->id < 0) {
        return error_set(TUTTI_EINVAL, "--id is missing (see --help)");
    }
    return TUTTI_OK;
}

int node_check_id(int id, int n, const char *what)
{
    if (id >= 0 && id < n) {
        return TUTTI_OK;
    }
    return n == 0 ? error_set(TUTTI_EINVAL, "--id %d: this network has no %s", id, what)
                  : error_set(TUTTI_EINVAL, "--id %d: this network has %s 0 to %d", id, what, n - 1);
}
