/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recordings of samples (SigMF): what is in them, and whether metadata, data and hashes belong together. Reads all
 * data for their hash. */
#ifndef TUTTI_TOOLS_INSPECT_SAMPLES_H
#define TUTTI_TOOLS_INSPECT_SAMPLES_H

#include <stdbool.h>

/* By its name: metadata, data or a collection. */
bool samples_is_recording(const char *path);
/* Prints a table, and on stderr a line for everything that is wrong. 0 or 1 (tool.h). */
int samples_inspect(const char *path);

#endif
