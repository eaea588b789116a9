/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/file_kind.h"

#include "base/error.h"
#include "base/types.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *begins; /* of the file */
    size_t n;
    const char *is, *cure;
} kinds[] = {
    {"\x1f\x8b", 2, "compressed by gzip", "gunzip it first"},
    {"BZh", 3, "compressed by bzip2", "bunzip2 it first"},
    {"\xfd"
     "7zXZ",
     5, "compressed by xz", "unxz it first"},
    {"\x28\xb5\x2f\xfd", 4, "compressed by zstd", "unzstd it first"},
    {"MATLAB 5.0 MAT-file", 19, "a MATLAB file of version 5 to 7", "save it with '-v7.3', which is HDF5"},
    {"\x93NUMPY", 6, "a NumPy array", "write it with h5py"},
    {"PK\x03\x04", 4, "a zip archive (.npz, .zip)", "unpack it, and write what is in it with h5py"},
    {"CDF", 3, "a classic netCDF file", "convert it to HDF5 (netCDF-4)"},
    {"# Created by Octave", 19, "a text file of Octave", "save it with `save -hdf5`"},
    {"{", 1, "JSON text (SigMF?)", "its samples are no channel estimates; write those with h5py"},
};

static int check_beginning(const char *path)
{
    char head[32] = "";
    FILE *file = fopen(path, "rb");
    if (!file) {
        return error_set(TUTTI_EIO, "%s: %s", path, strerror(errno));
    }
    const size_t n = fread(head, 1, sizeof head, file);
    fclose(file);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (n >= kinds[i].n && memcmp(head, kinds[i].begins, kinds[i].n) == 0) {
            return error_set(TUTTI_EFORMAT, "%s is %s, not HDF5: %s", path, kinds[i].is, kinds[i].cure);
        }
    }
    return 0;
}

int file_kind_check(const char *path)
{
    struct stat info;
    if (stat(path, &info) < 0) {
        return error_set(TUTTI_EIO, "%s: %s", path, strerror(errno));
    }
    if (S_ISDIR(info.st_mode)) {
        return error_set(TUTTI_EFORMAT, "%s is a folder, not an HDF5 file", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return error_set(TUTTI_EFORMAT,
                         "%s is a pipe or a device: HDF5 is read here and there, so write it to a file first", path);
    }
    if (info.st_size == 0) {
        return error_set(TUTTI_EFORMAT, "%s is empty: whoever was to write it has not, or was stopped before", path);
    }
    return check_beginning(path);
}
