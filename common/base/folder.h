/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Folders in which others could put or exchange things: a socket, a key or a recording in such a folder is anybody's.
 * Start-up only: looks at the file system. Errors: TUTTI_EIO with a sentence that says which folder, whose, and what to
 * do. */
#ifndef TUTTI_BASE_FOLDER_H
#define TUTTI_BASE_FOLDER_H

#include "base/types.h"

#include <sys/stat.h>

/* TUTTI_OK if nobody but this user and root can change what lies in the folder: it is theirs, neither it nor a folder
 * above it may be written by others (unless sticky, as /tmp is), and no link on the way is another user's. */
int folder_check(const char *path);
/* Makes the missing folders above `file`, for this user only, then checks the one it lies in. */
int folder_make_for(const char *file);
/* Whether others than the owner and root can write what has this status; our own group's members count as trusted. */
bool folder_written_by_others(const struct stat *status);
/* This user's or root's. */
bool folder_is_ours(const struct stat *status);

#endif
