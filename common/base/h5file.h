/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HDF5 as Tutti uses it: named arrays whose first dimension is the block and grows. Complex is the compound {r, i} of
 * h5py; that of MATLAB 7.3 and Octave, {real, imag}, is read, too. A file opened with h5file_create is written in SWMR
 * mode after h5file_seal: it can be read while it grows and after kill -9 (Python: h5py.File(name, "r", swmr=True)).
 * Object time stamps are off, so equal contents give equal datasets. Blocks on disk; never on the block path; a file
 * belongs to one thread, but several threads may each have theirs. Errors: TUTTI_EIO with the file and dataset named in
 * error_text. */
#ifndef TUTTI_BASE_H5FILE_H
#define TUTTI_BASE_H5FILE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

typedef struct h5file h5file_t;

enum h5_type { H5_U8, H5_I32, H5_I64, H5_U64, H5_F32, H5_F64, H5_C64, H5_STRING };
enum { H5FILE_MAX_RANK = 6 };

/* Writing ------------------------------------------------------------------------------------------------------- */
int h5file_create(h5file_t **file, const char *path);
void h5file_close(h5file_t *file); /* flushes; NULL allowed */

/* Declare a growing dataset [0..][dims[0]]..[dims[rank-2]] (rank counts the growing dimension; dims has rank-1
 * entries). Never-written rows read as fill (NaN for floats and complex, 0 otherwise). Returns a handle >= 0 or a
 * negative code. path may contain groups ("/hops/capture_end_ns"). Only before h5file_seal. */
int h5file_declare(h5file_t *file, const char *path, enum h5_type type, int rank, const size_t *dims);
/* A fixed-size dataset written now. Only before h5file_seal. */
int h5file_put(h5file_t *file, const char *path, enum h5_type type, int rank, const size_t *dims, const void *data);
int h5file_put_text(h5file_t *file, const char *path, const char *text); /* scalar UTF-8 string dataset */
int h5file_put_attribute(h5file_t *file, const char *path, const char *name, double value);
int h5file_seal(h5file_t *file); /* starts SWMR */
/* Write row `row` of a declared dataset (rows may come in any order; the dataset grows to row + 1). */
int h5file_write_row(h5file_t *file, int handle, uint64_t row, const void *data);
/* Many rows, or the cell `cell` of the second dimension of one row (of a dataset of rank 2 or more); the dataset grows
 * as with h5file_write_row. */
int h5file_write_rows(h5file_t *file, int handle, uint64_t row, uint64_t n, const void *data);
int h5file_write_cell(h5file_t *file, int handle, uint64_t row, uint64_t cell, const void *data);
/* Rows a declared dataset has; makes it at least n_rows long (never-written rows read as fill). */
uint64_t h5file_rows(const h5file_t *file, int handle);
int h5file_extend(h5file_t *file, int handle, uint64_t n_rows);
/* A growing dataset of texts of n_bytes each, NUL-padded. Only before h5file_seal. */
int h5file_declare_text(h5file_t *file, const char *path, size_t n_bytes);
int h5file_flush(h5file_t *file);

/* Opens for writing what was closed, or left by a writer that was killed after h5file_seal; everything in it stays.
 * h5file_seal it before writing. Nobody else may have it open for writing: lock first. A file damaged by others may
 * crash the HDF5 library. */
int h5file_append(h5file_t **file, const char *path);
/* The handle of a dataset that is there with this type and shape (as h5file_declare; H5_STRING with rank 1), else a
 * negative code. */
int h5file_column(h5file_t *file, const char *path, enum h5_type type, int rank, const size_t *dims);

/* Reading ------------------------------------------------------------------------------------------------------- */
/* Opens finished files, and sealed files that are still being written or were left by a killed writer. */
int h5file_open(h5file_t **file, const char *path);
struct h5_info {
    enum h5_type type;
    int rank;
    size_t dims[H5FILE_MAX_RANK];
};
int h5file_info(h5file_t *file, const char *path, struct h5_info *info); /* TUTTI_EFORMAT if absent */
/* Read as many rows as n_bytes of caller's memory hold, from the first, converted to type. A file that is still being
 * written may have more by now than h5file_info told. TUTTI_EINVAL if it has fewer, or n_bytes is no whole number of
 * rows; a scalar is one row. */
int h5file_read(h5file_t *file, const char *path, enum h5_type type, void *data, size_t n_bytes);
/* Read rows first..first+n-1 of the first dimension. */
int h5file_read_rows(h5file_t *file, const char *path, enum h5_type type, uint64_t first, uint64_t n, void *data);
/* Read one value of a list: TUTTI_EFORMAT if rows have more, as a file from elsewhere may. */
int h5file_read_entry(h5file_t *file, const char *path, enum h5_type type, uint64_t row, void *value);
/* The same of a dataset whose dimensions are in reverse order, as languages write it that keep the first index closest
 * (MATLAB, Octave, Julia): n slices of the last dimension, and in data the last dimension comes first. */
int h5file_read_turned(h5file_t *file, const char *path, enum h5_type type, uint64_t first, uint64_t n, void *data);
char *h5file_read_text(h5file_t *file, const char *path); /* caller frees; NULL on error */
/* Rows first..first+n-1 of a dataset of rank 1 of texts of fixed length, each cut to room bytes with its NUL. */
int h5file_read_texts(h5file_t *file, const char *path, uint64_t first, uint64_t n, size_t room, char *texts);
/* An attribute of one or more numbers: *n is how many it has, 0 when there is none of that name; values get them if
 * that is at most room. TUTTI_EFORMAT when it is not of numbers. */
int h5file_attribute_numbers(h5file_t *file, const char *path, const char *name, size_t room, double *values,
                             uint64_t *n);
/* 1 when there is a dataset or group of that name, readable or not, 0 when there is none. */
int h5file_exists(h5file_t *file, const char *path);
/* TUTTI_EFORMAT when values of so many bytes (UINT64_MAX: too many to count) cannot come from a file of this size, even
 * if compressed: what the shapes of a damaged file claim must not be allocated or waited for. `what` names them. */
int h5file_check_claim(h5file_t *file, const char *what, uint64_t n_bytes);
/* Bytes of one value in memory; 0: a text. */
size_t h5file_type_bytes(enum h5_type type);
/* Bytes of n rows of a dataset if each value has value_bytes; UINT64_MAX: too many to count. */
uint64_t h5file_rows_bytes(const struct h5_info *info, uint64_t n, size_t value_bytes);
/* Calls visit for every dataset h5file_info can describe, in name order; visit may read from the file. */
int h5file_list(h5file_t *file, void (*visit)(void *context, const char *path, const struct h5_info *info),
                void *context);
/* The same for every dataset that it cannot describe, with the sentence that says why. */
int h5file_list_unreadable(h5file_t *file, void (*visit)(void *context, const char *path, const char *why),
                           void *context);
/* Calls visit for every attribute with the path of its object and its value as text, in name order of the objects;
 * visit may read from the file. */
int h5file_list_attributes(h5file_t *file,
                           void (*visit)(void *context, const char *object, const char *name, const char *value),
                           void *context);

/* Damaged files: the HDF5 library itself may crash on them or never come back (docs/security.md). From here on a
 * single call that reads and takes longer than this ends the process by SIGALRM, whose handling is left as it is; 0
 * (the default): no limit. *mark, unless NULL, is 1 while HDF5 is at work on a file that is read, else 0. */
void h5file_limit_calls(unsigned seconds, volatile sig_atomic_t *mark);

#endif
