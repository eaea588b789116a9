/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Going on with a recording: opening one for writing that was closed or left by a killed writer, many rows at a time,
 * single cells of old rows, equal lengths at the end. */
#include "base/error.h"
#include "base/h5file_internal.h"

#include <stdlib.h>
#include <string.h>

/* A killed writer leaves its mark ("open for writing") in the file and may have written behind the end the file knows
 * of: the mark is taken off as the h5clear tool does it, and new data goes behind everything that is there. */
static int open_for_more(h5file_t *file)
{
    const hid_t access = h5file_access_list();
    const hbool_t clear = true;
    int status = TUTTI_OK;
    if (H5Pexist(access, "clear_status_flags") <= 0 || H5Pset(access, "clear_status_flags", &clear) < 0) {
        status = h5file_error(TUTTI_EUNSUPPORTED, "%s: this HDF5 library cannot go on with a file", file->path);
    }
    if (!status) {
        file->id = H5Fopen(file->path, H5F_ACC_RDWR, access);
        status = file->id < 0 ? h5file_fail(file, NULL, "open the file to go on with it") : TUTTI_OK;
    }
    if (!status && H5Fincrement_filesize(file->id, 0) < 0) {
        status = h5file_fail(file, NULL, "find its end");
    }
    H5Pclose(access);
    return status;
}

int h5file_append(h5file_t **file, const char *path)
{
    int status = h5file_allocate(file, path);
    if (!status) {
        (*file)->writable = true;
        h5file_enter(*file);
        (*file)->inside = H5Pcreate(H5P_DATASET_ACCESS);
        status = h5file_leave(*file, open_for_more(*file));
    }
    if (status) {
        h5file_close(*file);
        *file = NULL;
    }
    return status;
}

/* The place of one more column; its entries are filled by the caller before n_columns counts it. */
static struct h5file_column *more_columns(h5file_t *file, const char *path)
{
    struct h5file_column *grown = realloc(file->columns, (size_t)(file->n_columns + 1) * sizeof *grown);
    if (!grown) {
        return NULL;
    }
    file->columns = grown;
    struct h5file_column *column = &grown[file->n_columns];
    *column = (struct h5file_column){.path = strdup(path)};
    return column->path ? column : NULL;
}

static hid_t row_space_of(const struct h5file_column *column)
{
    hsize_t row[H5FILE_MAX_RANK];
    memcpy(row, column->extent, sizeof row);
    row[0] = 1;
    return H5Screate_simple(column->rank, row, NULL);
}

static bool has_shape(hid_t dataset, enum h5_type type, int rank, const size_t *dims, hsize_t *extent)
{
    enum h5_type kind;
    const hid_t on_disk = H5Dget_type(dataset), space = H5Dget_space(dataset);
    bool same = h5file_classify(on_disk, &kind) && kind == type && H5Sget_simple_extent_ndims(space) == rank;
    if (same) {
        H5Sget_simple_extent_dims(space, extent, NULL);
    }
    for (int i = 1; same && i < rank; i++) {
        same = extent[i] == dims[i - 1];
    }
    H5Tclose(on_disk);
    H5Sclose(space);
    return same;
}

static int find_column(h5file_t *file, const char *path, enum h5_type type, int rank, const size_t *dims)
{
    hsize_t extent[H5S_MAX_RANK] = {0};
    const hid_t dataset = H5Dopen2(file->id, path, H5P_DEFAULT);
    if (dataset < 0) {
        return h5file_fail(file, path, "open it");
    }
    struct h5file_column *column = has_shape(dataset, type, rank, dims, extent) ? more_columns(file, path) : NULL;
    if (!column) {
        H5Dclose(dataset);
        return h5file_error(TUTTI_EFORMAT, "%s: dataset %s has another type or shape", file->path, path);
    }
    column->dataset = dataset;
    column->rank = rank;
    memcpy(column->extent, extent, sizeof column->extent);
    column->memory_type = type == H5_STRING ? H5Dget_type(dataset) : h5file_native_type(type);
    column->row_space = row_space_of(column);
    return file->n_columns++;
}

int h5file_column(h5file_t *file, const char *path, enum h5_type type, int rank, const size_t *dims)
{
    if (rank < 1 || rank > H5FILE_MAX_RANK) {
        return h5file_error(TUTTI_EINVAL, "%s: dataset %s: rank %d", file->path, path, rank);
    }
    h5file_enter(file);
    return h5file_leave(file, find_column(file, path, type, rank, dims));
}

uint64_t h5file_rows(const h5file_t *file, int handle)
{
    return handle >= 0 && handle < file->n_columns ? file->columns[handle].extent[0] : 0;
}

/* Texts of fixed length: variable-length data lives in a heap that SWMR readers cannot follow. */
int h5file_declare_text(h5file_t *file, const char *path, size_t n_bytes)
{
    if (!file->writable || file->sealed || n_bytes == 0) {
        return h5file_error(TUTTI_EINVAL, "%s: dataset %s: nothing can be added now", file->path, path);
    }
    h5file_enter(file);
    struct h5file_column *column = more_columns(file, path);
    if (!column) {
        return h5file_leave(file, h5file_error(TUTTI_ENOMEM, "%s: dataset %s: no memory", file->path, path));
    }
    column->rank = 1;
    column->memory_type = H5Tcopy(H5T_C_S1);
    H5Tset_size(column->memory_type, n_bytes);
    const hsize_t none = 0, most = H5S_UNLIMITED, chunk = 1 + H5FILE_CHUNK_BYTES / n_bytes;
    const hid_t space = H5Screate_simple(1, &none, &most), creation = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, true);
    H5Pset_obj_track_times(creation, false);
    H5Pset_chunk(creation, 1, &chunk);
    column->dataset = H5Dcreate2(file->id, path, column->memory_type, space, links, creation, H5P_DEFAULT);
    const int status = column->dataset < 0 ? h5file_fail(file, path, "create it") : file->n_columns;
    H5Pclose(links);
    H5Pclose(creation);
    H5Sclose(space);
    column->row_space = row_space_of(column);
    if (status < 0) {
        H5Sclose(column->row_space);
        H5Tclose(column->memory_type);
        free(column->path);
    } else {
        file->n_columns++;
    }
    return h5file_leave(file, status);
}

static int set_rows(h5file_t *file, struct h5file_column *column, uint64_t n_rows)
{
    const hsize_t before = column->extent[0];
    if (n_rows <= before) {
        return TUTTI_OK;
    }
    column->extent[0] = n_rows;
    if (H5Dset_extent(column->dataset, column->extent) < 0) {
        column->extent[0] = before;
        return h5file_fail(file, column->path, "grow it");
    }
    return TUTTI_OK;
}

/* A box of the dataset: start and count of every dimension. */
static int write_box(h5file_t *file, struct h5file_column *column, const hsize_t *start, const hsize_t *count,
                     const void *data)
{
    int status = set_rows(file, column, start[0] + count[0]);
    if (status) {
        return status;
    }
    const hid_t space = H5Dget_space(column->dataset), memory = H5Screate_simple(column->rank, count, NULL);
    if (space < 0 || memory < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dwrite(column->dataset, column->memory_type, memory, space, H5P_DEFAULT, data) < 0) {
        status = h5file_fail(file, column->path, "write rows");
    }
    H5Sclose(space);
    H5Sclose(memory);
    return status;
}

static int check_handle(const h5file_t *file, int handle, uint64_t row, uint64_t n)
{
    if (handle < 0 || handle >= file->n_columns || n == 0 || row > UINT64_MAX / 2 || n > UINT32_MAX) {
        return h5file_error(TUTTI_EINVAL, "%s: no declared dataset %d (%d are declared) with rows %llu..", file->path,
                            handle, file->n_columns, (unsigned long long)row);
    }
    return TUTTI_OK;
}

int h5file_write_rows(h5file_t *file, int handle, uint64_t row, uint64_t n, const void *data)
{
    const int status = check_handle(file, handle, row, n);
    if (status) {
        return status;
    }
    struct h5file_column *column = &file->columns[handle];
    hsize_t start[H5FILE_MAX_RANK] = {row}, count[H5FILE_MAX_RANK];
    memcpy(count, column->extent, sizeof count);
    count[0] = n;
    h5file_enter(file);
    return h5file_leave(file, write_box(file, column, start, count, data));
}

int h5file_write_cell(h5file_t *file, int handle, uint64_t row, uint64_t cell, const void *data)
{
    const int status = check_handle(file, handle, row, 1);
    if (status) {
        return status;
    }
    struct h5file_column *column = &file->columns[handle];
    if (column->rank < 2 || cell >= column->extent[1]) {
        return h5file_error(TUTTI_EINVAL, "%s: dataset %s has no cell %llu in a row", file->path, column->path,
                            (unsigned long long)cell);
    }
    hsize_t start[H5FILE_MAX_RANK] = {row, cell}, count[H5FILE_MAX_RANK];
    memcpy(count, column->extent, sizeof count);
    count[0] = count[1] = 1;
    h5file_enter(file);
    return h5file_leave(file, write_box(file, column, start, count, data));
}

int h5file_extend(h5file_t *file, int handle, uint64_t n_rows)
{
    const int status = check_handle(file, handle, n_rows, 1);
    if (status) {
        return status;
    }
    h5file_enter(file);
    return h5file_leave(file, set_rows(file, &file->columns[handle], n_rows));
}
