/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that programs write into without ever destroying what was there. Start-up only: looks at the file system. */
#ifndef TUTTI_BASE_OUTPUT_H
#define TUTTI_BASE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Makes a new empty file, this process's alone: `path` if nothing is there, else the first free of NAME.2.EXT,
 * NAME.3.EXT, .. Its name goes to `name`. Errors: TUTTI_EIO with the path and the reason; something that is not a
 * regular file at `path` is one. */
int output_begin(const char *path, char *name, size_t room);
/* Two paths, of files that may not be there yet, that mean one place. NULL and "" mean none. */
bool output_same(const char *a, const char *b);

#endif
