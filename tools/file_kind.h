/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a file is that should be HDF5, before the HDF5 library is asked: a pipe would block, and "not a valid HDF5 file"
 * helps nobody who saved it from another program. */
#ifndef TUTTI_TOOLS_FILE_KIND_H
#define TUTTI_TOOLS_FILE_KIND_H

/* 0, also of a file of unknown kind; else TUTTI_EFORMAT or TUTTI_EIO with a sentence that says what it is and what to
 * do. */
int file_kind_check(const char *path);

#endif
