/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file that may be damaged is read in a child process first: the HDF5 library crashes on some such files and does not
 * come back from others (docs/security.md), and a program that serves others must not end with it. */
#ifndef TUTTI_BASE_H5FILE_TRIAL_H
#define TUTTI_BASE_H5FILE_TRIAL_H

/* Runs body(context) in a child, a copy of this process that ends afterwards; what it returns, and its sentence when
 * that is negative, are returned here. body is to read of the file at `path` all that will be read, in the same way:
 * then the same calls of this process after it meet what they met in the child. TUTTI_EFORMAT when the child crashes,
 * or when one call into HDF5 takes longer than 20 s; TUTTI_ENOMEM without a process for it; TUTTI_ESTOPPED. Blocks as
 * long as body; costs a fork. Other threads may be at work, also with HDF5; in the child there is this one alone, and
 * it must not wait for them. Not so under the address sanitizer: it does not give back its allocator's locks in a
 * child, so there it belongs before a program's threads (that of the log may run). */
int h5file_trial(const char *path, int (*body)(void *context), void *context);

#endif
