/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "base/h5file_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int refuse_change(const h5file_t *file, const char *dataset)
{
    if (!file->writable) {
        return h5file_error(TUTTI_EINVAL, "%s: dataset %s: the file is open for reading only", file->path, dataset);
    }
    if (file->sealed) {
        return h5file_error(TUTTI_EINVAL, "%s: dataset %s: nothing can be added once the file is sealed", file->path,
                            dataset);
    }
    return TUTTI_OK;
}

/* Groups are made one by one and not by HDF5's "create intermediate groups", which would stamp them with the time. */
static int make_groups(h5file_t *file, const char *path)
{
    char *prefix = strdup(path);
    if (!prefix) {
        return h5file_error(TUTTI_ENOMEM, "%s: dataset %s: no memory", file->path, path);
    }
    int status = TUTTI_OK;
    const hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(creation, false);
    for (char *slash = strchr(prefix + 1, '/'); slash && !status; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (H5Lexists(file->id, prefix, H5P_DEFAULT) <= 0) {
            const hid_t group = H5Gcreate2(file->id, prefix, H5P_DEFAULT, creation, H5P_DEFAULT);
            if (group < 0) {
                status = h5file_fail(file, path, "create its group");
            } else {
                H5Gclose(group);
            }
        }
        *slash = '/';
    }
    H5Pclose(creation);
    free(prefix);
    return status;
}

/* Create a dataset and the groups above it. */
static int make_dataset(h5file_t *file, const char *path, hid_t type, hid_t space, hid_t creation, hid_t *dataset)
{
    H5Pset_obj_track_times(creation, false);
    int status = make_groups(file, path);
    if (!status) {
        *dataset = H5Dcreate2(file->id, path, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        if (*dataset < 0) {
            status = h5file_fail(file, path, "create it");
        }
    }
    return status;
}

static int check_shape(const h5file_t *file, const char *path, enum h5_type type, int rank, int least)
{
    if (type == H5_STRING || rank < least || rank > H5FILE_MAX_RANK || path[0] == '\0') {
        return h5file_error(TUTTI_EINVAL,
                            "%s: dataset \"%s\": type %s with rank %d; allowed are numbers of rank %d..%d", file->path,
                            path, h5file_type_name(type), rank, least, H5FILE_MAX_RANK);
    }
    return TUTTI_OK;
}

/* Chunked with a whole number of rows per chunk, never-written rows read as NaN or 0. */
static hid_t column_properties(enum h5_type type, hid_t memory_type, int rank, const hsize_t *extent)
{
    hsize_t chunk[H5FILE_MAX_RANK] = {1};
    size_t row_bytes = H5Tget_size(memory_type);
    for (int i = 1; i < rank; i++) {
        chunk[i] = extent[i];
        row_bytes *= (size_t)extent[i];
    }
    while (chunk[0] * row_bytes < H5FILE_CHUNK_BYTES) {
        chunk[0] *= 2;
    }
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, rank, chunk);
    const float nan_f32[2] = {NAN, NAN};
    const double nan_f64 = NAN;
    const uint64_t zero = 0;
    const void *fill = type == H5_F32 || type == H5_C64 ? (const void *)nan_f32
                       : type == H5_F64                 ? (const void *)&nan_f64
                                                        : (const void *)&zero;
    H5Pset_fill_value(creation, memory_type, fill);
    return creation;
}

static int create_column(h5file_t *file, const char *path, enum h5_type type, struct h5file_column *column)
{
    hsize_t most[H5FILE_MAX_RANK];
    memcpy(most, column->extent, sizeof most);
    most[0] = H5S_UNLIMITED;
    const hid_t space = H5Screate_simple(column->rank, column->extent, most);
    const hid_t on_disk = h5file_disk_type(type);
    const hid_t creation = column_properties(type, column->memory_type, column->rank, column->extent);
    const int status = make_dataset(file, path, on_disk, space, creation, &column->dataset);
    H5Pclose(creation);
    H5Tclose(on_disk);
    H5Sclose(space);
    return status;
}

static int declare(h5file_t *file, const char *path, enum h5_type type, int rank, const size_t *dims)
{
    struct h5file_column *grown = realloc(file->columns, (size_t)(file->n_columns + 1) * sizeof *grown);
    if (!grown) {
        return h5file_error(TUTTI_ENOMEM, "%s: dataset %s: no memory", file->path, path);
    }
    file->columns = grown;
    struct h5file_column *column = &grown[file->n_columns];
    *column = (struct h5file_column){.rank = rank};
    size_t row_bytes = 8;
    for (int i = 1; i < rank; i++) {
        column->extent[i] = dims[i - 1];
        if (dims[i - 1] == 0 || __builtin_mul_overflow(row_bytes, dims[i - 1], &row_bytes) || row_bytes > UINT32_MAX) {
            return h5file_error(TUTTI_EINVAL, "%s: dataset %s: a row must have 1 byte to 4 GiB", file->path, path);
        }
    }
    column->path = strdup(path);
    if (!column->path) {
        return h5file_error(TUTTI_ENOMEM, "%s: dataset %s: no memory", file->path, path);
    }
    column->memory_type = h5file_native_type(type);
    const int status = create_column(file, path, type, column);
    if (status) {
        H5Tclose(column->memory_type);
        free(column->path);
        return status;
    }
    hsize_t row[H5FILE_MAX_RANK];
    memcpy(row, column->extent, sizeof row);
    row[0] = 1;
    column->row_space = H5Screate_simple(rank, row, NULL);
    return file->n_columns++;
}

int h5file_declare(h5file_t *file, const char *path, enum h5_type type, int rank, const size_t *dims)
{
    int status = refuse_change(file, path);
    if (!status) {
        status = check_shape(file, path, type, rank, 1);
    }
    if (status) {
        return status;
    }
    h5file_enter(file);
    return h5file_leave(file, declare(file, path, type, rank, dims));
}

static int put(h5file_t *file, const char *path, hid_t on_disk, hid_t in_memory, hid_t space, const void *data)
{
    hid_t dataset = H5I_INVALID_HID;
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    int status = make_dataset(file, path, on_disk, space, creation, &dataset);
    if (!status) {
        if (H5Dwrite(dataset, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
            status = h5file_fail(file, path, "write it");
        }
        H5Dclose(dataset);
    }
    H5Pclose(creation);
    return status;
}

int h5file_put(h5file_t *file, const char *path, enum h5_type type, int rank, const size_t *dims, const void *data)
{
    int status = refuse_change(file, path);
    if (!status) {
        status = check_shape(file, path, type, rank, 0);
    }
    if (status) {
        return status;
    }
    h5file_enter(file);
    hsize_t extent[H5FILE_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        extent[i] = dims[i];
    }
    const hid_t space = rank ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR);
    const hid_t on_disk = h5file_disk_type(type);
    const hid_t in_memory = h5file_native_type(type);
    status = put(file, path, on_disk, in_memory, space, data);
    H5Tclose(in_memory);
    H5Tclose(on_disk);
    H5Sclose(space);
    return h5file_leave(file, status);
}

int h5file_put_text(h5file_t *file, const char *path, const char *text)
{
    int status = refuse_change(file, path);
    if (status) {
        return status;
    }
    h5file_enter(file);
    /* Fixed length: variable-length data lives in a heap that SWMR readers cannot follow. */
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(text) + 1);
    H5Tset_cset(type, H5T_CSET_UTF8);
    const hid_t space = H5Screate(H5S_SCALAR);
    status = put(file, path, type, type, space, text);
    H5Sclose(space);
    H5Tclose(type);
    return h5file_leave(file, status);
}

static int put_attribute(h5file_t *file, const char *path, const char *name, double value)
{
    const hid_t object = H5Oopen(file->id, path, H5P_DEFAULT);
    if (object < 0) {
        return h5file_fail(file, path, "open it to add an attribute");
    }
    const hid_t space = H5Screate(H5S_SCALAR);
    if (H5Aexists(object, name) > 0) {
        H5Adelete(object, name);
    }
    const hid_t attribute = H5Acreate2(object, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool ok = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_DOUBLE, &value) >= 0;
    const int status = ok ? TUTTI_OK : h5file_fail(file, path, "write an attribute");
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    H5Sclose(space);
    H5Oclose(object);
    return status;
}

int h5file_put_attribute(h5file_t *file, const char *path, const char *name, double value)
{
    const int status = refuse_change(file, path);
    if (status) {
        return status;
    }
    h5file_enter(file);
    return h5file_leave(file, put_attribute(file, path, name, value));
}

int h5file_seal(h5file_t *file)
{
    int status = refuse_change(file, "/");
    if (status) {
        return status;
    }
    h5file_enter(file);
    if (H5Fstart_swmr_write(file->id) < 0) {
        status = h5file_fail(file, NULL, "start single-writer multiple-reader mode");
    } else {
        file->sealed = true;
    }
    return h5file_leave(file, status);
}

static int grow(h5file_t *file, struct h5file_column *column, uint64_t row)
{
    if (row < column->extent[0]) {
        return TUTTI_OK;
    }
    const hsize_t before = column->extent[0];
    column->extent[0] = row + 1;
    if (H5Dset_extent(column->dataset, column->extent) < 0) {
        column->extent[0] = before;
        return h5file_fail(file, column->path, "grow it");
    }
    return TUTTI_OK;
}

static int write_row(h5file_t *file, struct h5file_column *column, uint64_t row, const void *data)
{
    int status = grow(file, column, row);
    const hid_t space = status ? H5I_INVALID_HID : H5Dget_space(column->dataset);
    if (space < 0) {
        return status ? status : h5file_fail(file, column->path, "look at its shape");
    }
    const hsize_t start[H5FILE_MAX_RANK] = {row};
    hsize_t count[H5FILE_MAX_RANK];
    memcpy(count, column->extent, sizeof count);
    count[0] = 1;
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dwrite(column->dataset, column->memory_type, column->row_space, space, H5P_DEFAULT, data) < 0) {
        status = h5file_fail(file, column->path, "write a row");
    }
    H5Sclose(space);
    return status;
}

int h5file_write_row(h5file_t *file, int handle, uint64_t row, const void *data)
{
    if (handle < 0 || handle >= file->n_columns || row == UINT64_MAX) {
        return h5file_error(TUTTI_EINVAL, "%s: no declared dataset %d (%d are declared) with a row %llu", file->path,
                            handle, file->n_columns, (unsigned long long)row);
    }
    h5file_enter(file);
    return h5file_leave(file, write_row(file, &file->columns[handle], row, data));
}

int h5file_flush(h5file_t *file)
{
    h5file_enter(file);
    /* Raw data goes out before the metadata that points to it; once in the page cache it outlives the process. */
    const int status = H5Fflush(file->id, H5F_SCOPE_LOCAL) < 0 ? h5file_fail(file, NULL, "flush") : TUTTI_OK;
    return h5file_leave(file, status);
}
