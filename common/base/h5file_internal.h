/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of h5file share: h5file.c (life, errors, types), h5file_write.c, h5file_read.c. */
#ifndef TUTTI_BASE_H5FILE_INTERNAL_H
#define TUTTI_BASE_H5FILE_INTERNAL_H

#include "base/h5file.h"

#include <hdf5.h>
#include <stdbool.h>
#include <sys/types.h>

/* A chunk of small rows is 16 to 32 KiB: large enough for the disk, small enough that a flush which rewrites the last,
 * partly filled chunk of some forty datasets stays near 1 MB. A larger row is a chunk of its own. */
enum { H5FILE_CHUNK_BYTES = 16384, H5FILE_REASON_BYTES = 256 };

struct h5file_column {
    char *path;
    hid_t dataset, row_space, memory_type;
    int rank;
    hsize_t extent[H5FILE_MAX_RANK]; /* extent[0] grows */
};

struct h5file {
    char *path;
    hid_t id;
    hid_t inside; /* how objects are looked up in a file that is read: without leaving the file */
    bool writable, sealed, swmr_reader;
    struct h5file_column *columns;
    int n_columns;
};

/* Every call into HDF5 lies between these two: one thread at a time, no words on standard error, and, when the file is
 * read, no longer than h5file_limit_calls allows. h5file_leave returns its status. */
void h5file_enter(const h5file_t *file);
int h5file_leave(const h5file_t *file, int status);

/* fork, while no thread is inside HDF5: the child may call it. */
pid_t h5file_fork(void);

/* The innermost entry of HDF5's error stack. */
void h5file_find_reason(char reason[H5FILE_REASON_BYTES]);
/* error_set for sentences with names out of a file in them: always one line. */
int h5file_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* TUTTI_EIO, "cannot <what>" and HDF5's reason; dataset NULL: the file itself. */
int h5file_fail(const h5file_t *file, const char *dataset, const char *what);

/* A handle without a file yet; how files are opened (caller closes). */
int h5file_allocate(h5file_t **file, const char *path);
hid_t h5file_access_list(void);

const char *h5file_type_name(enum h5_type type);
/* Fresh types the caller closes; negative for strings, which have their own functions. */
hid_t h5file_disk_type(enum h5_type type);
hid_t h5file_native_complex(hid_t disk); /* as the dataset names its parts */
hid_t h5file_native_type(enum h5_type type);
/* The smallest of our types that holds every value of the file's type. False if there is none. */
bool h5file_classify(hid_t type, enum h5_type *kind);

#endif
