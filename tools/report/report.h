/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report of a run: one HTML file with nothing outside it. */
#ifndef TUTTI_TOOLS_REPORT_REPORT_H
#define TUTTI_TOOLS_REPORT_REPORT_H

#include "tools/results/summary.h"

#include <stdbool.h>

/* Writes the page, whole or not at all: an old one at path stays until then. Without gnuplot it has no plots,
 * *has_plots is false and the page says so. Errors: TUTTI_EIO. */
int report_write(const char *path, const char *source, const struct recording *recording, const struct summary *summary,
                 bool *has_plots);

#endif
