/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report's part on several central nodes (docs/several-cpus.md): which of them send to a user, with what weight,
 * and what each would give it alone. */
#ifndef TUTTI_TOOLS_REPORT_PARTS_H
#define TUTTI_TOOLS_REPORT_PARTS_H

#include "tools/results/recording.h"
#include "tools/results/summary.h"

#include <stdio.h>

/* Both write nothing of a recording that is not joined. */
void report_parts_write(const struct recording *recording, const struct summary *summary, FILE *out);
void report_parts_print(const struct recording *recording, const struct summary *summary, FILE *out);

#endif
