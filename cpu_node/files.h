/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Datasets of run.h5, for those who keep their own. */
#ifndef TUTTI_CPU_NODE_FILES_H
#define TUTTI_CPU_NODE_FILES_H

#include "base/h5file.h"

struct recorder_files;

/* A dataset [block][a][b][c][d][e]; the first 0 ends the dimensions. Its handle, negative when it cannot be kept. */
int files_declare(struct recorder_files *files, const char *path, enum h5_type type, size_t a, size_t b, size_t c,
                  size_t d, size_t e);
/* Writes go on after a fault (a full disk): counted, said once. */
void files_write_row(struct recorder_files *files, int handle, uint64_t row, const void *data);

#endif
