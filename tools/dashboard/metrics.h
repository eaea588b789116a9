/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /metrics: the state of a network in Prometheus' text format 0.0.4. Names, types and help texts stand in one table;
 * docs/metrics.md is printed from it. */
#ifndef TUTTI_TOOLS_DASHBOARD_METRICS_H
#define TUTTI_TOOLS_DASHBOARD_METRICS_H

#include "tools/dashboard/state.h"

#include <stdio.h>

void metrics_print(const struct dashboard_state *state, FILE *out);
/* The table as a page of documentation. */
void metrics_document(FILE *out);

#endif
