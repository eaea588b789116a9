/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line that all daemons share: --config, --set, --log, for those that are one of several --id and
 * --role, for the central node --replay and --own-scheme. Start-up only. */
#ifndef TUTTI_NODE_OPTIONS_H
#define TUTTI_NODE_OPTIONS_H

#include "base/config.h"

/* What a program takes besides the common options. */
enum { NODE_TAKES_ID = 1, NODE_TAKES_ROLE = 2, NODE_TAKES_REPLAY = 4, NODE_MAY_TAKE_ID = 8 };

struct node_options {
    struct config_options config;
    int id;             /* -1: not given */
    bool eve;           /* --role eve */
    const char *replay; /* NULL: not given */
    bool own_scheme;
};

/* argv[1..]. TUTTI_EINVAL with the offending argument in error_text; --config must be there. */
int node_options_parse(struct node_options *options, unsigned takes, int argc, char **argv);
/* A decimal number of 0 to limit, and nothing else. */
int node_parse_number(const char *option, const char *text, int limit, int *value);
/* The id must be one of n; what: "APs", "users". TUTTI_EINVAL. */
int node_check_id(int id, int n, const char *what);

#endif
