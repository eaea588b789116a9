/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of one run with several central nodes (docs/several-cpus.md) put together: what users hear is the sum of
 * all parts, so no file alone can predict it. */
#ifndef TUTTI_TOOLS_RESULTS_JOIN_H
#define TUTTI_TOOLS_RESULTS_JOIN_H

#include "tools/results/recording.h"

/* files: n paths; the recording is that of files[0], with the users' reports. Its sinr_predicted become those of the
 * network, NaN in blocks that not all central nodes solved (n_apart of them), parts is filled, and users' data are
 * joined (join_uplink.h); expectations of one central node are dropped. TUTTI_EFORMAT when a file is no part of such a
 * run. */
int recording_join(struct recording *recording, int n, const char *const *files);
/* The files of the run whose first one is `file` as far as they are there, itself first: [*n] allocated texts in an
 * allocated list, *n 0 when the run has one central node. TUTTI_ENOMEM. */
int recording_files(const struct recording *recording, const char *file, char ***files, int *n);
void recording_files_free(char **files, int n);

#endif
