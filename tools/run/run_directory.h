/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The directory of a run: DIR/{config.yaml, logs/, run.h5, report.html} and a place for its sockets, whose paths have
 * to be short (a socket's path is limited to 107 bytes). */
#ifndef TUTTI_TOOLS_RUN_RUN_DIRECTORY_H
#define TUTTI_TOOLS_RUN_RUN_DIRECTORY_H

#include "base/config.h"

#include <stdbool.h>

struct run_directory {
    char *path;        /* absolute */
    char *config_path; /* PATH/config.yaml, the effective configuration */
    char *record_path; /* the recording; NULL when record.file is empty */
    char *report_path;
    char *sockets;         /* made by run_directory_create; NULL when the configuration names its own runtime_dir */
    struct config *config; /* effective, runtime_dir and endpoints explicit */
};

/* Loads the configuration and makes the directory. wanted NULL: ./run-<name>-<UTC time>. An existing recording is not
 * touched unless force. */
int run_directory_create(struct run_directory **run, const struct config_options *options, const char *wanted,
                         bool force);
/* Removes the sockets' directory; keeps the rest. NULL allowed. */
void run_directory_destroy(struct run_directory *run);

#endif
