/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report's part on clusters (docs/clusters.md): pilots and access points of every user at the end, how often they
 * changed. */
#ifndef TUTTI_TOOLS_REPORT_CLUSTERS_H
#define TUTTI_TOOLS_REPORT_CLUSTERS_H

#include "tools/results/recording.h"

#include <stdio.h>

/* Both write nothing of a run without clusters. */
void report_clusters_write(const struct recording *recording, FILE *out);
void report_clusters_print(const struct recording *recording, FILE *out);

#endif
