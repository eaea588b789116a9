/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The main function that all daemons share: options, configuration, stop signals, exit status. */
#ifndef TUTTI_NODE_PROGRAM_H
#define TUTTI_NODE_PROGRAM_H

#include "node/options.h"

struct node_program {
    const char *name;  /* "tutti-ap" */
    const char *usage; /* printed by --help */
    unsigned takes;    /* NODE_TAKES_... */
    /* The node's life, from create to destroy. TUTTI_OK and TUTTI_ESTOPPED: a clean end. */
    int (*run)(const struct config *config, const struct node_options *options);
};

/* Returns the exit status of the process. An error, also of a thread that ended before it was told to, is one sentence
 * on standard error, the last line, and EXIT_FAILURE. */
int node_main(const struct node_program *program, int argc, char **argv);

#endif
