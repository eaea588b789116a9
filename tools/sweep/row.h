/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The figures of a run as a row of the sweep's table. docs/sweep.md says what they are. */
#ifndef TUTTI_TOOLS_SWEEP_ROW_H
#define TUTTI_TOOLS_SWEEP_ROW_H

#include <stdio.h>

/* Names of the figures, each with a comma before it; then a line end. */
void row_head(FILE *out);
/* The same for the values of a recording. TUTTI_EFORMAT when it is none. */
int row_write(const char *recording, FILE *out);

#endif
