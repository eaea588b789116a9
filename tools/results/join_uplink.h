/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users' data of several central nodes' files in one recording (docs/several-cpus.md): a user's figures of a block are
 * those of the file whose central node decoded it, an access point's those of its own central node's. */
#ifndef TUTTI_TOOLS_RESULTS_JOIN_UPLINK_H
#define TUTTI_TOOLS_RESULTS_JOIN_UPLINK_H

#include "tools/results/recording.h"

/* files: n paths, files[0] that of the recording. TUTTI_EFORMAT when a file is not of the same network. */
int recording_join_uplink(struct recording *recording, int n, const char *const *files);

#endif
