/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/h5file.h"

#include <hdf5.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* A chunk of small rows is 16 to 32 KiB: large enough for the disk, small enough that a flush which rewrites the last,
 * partly filled chunk of some forty datasets stays near 1 MB. A larger row is a chunk of its own. */
enum { CHUNK_BYTES = 16384, REASON_BYTES = 256 };

struct column {
    char *path;
    hid_t dataset, row_space, memory_type;
    int rank;
    hsize_t extent[H5FILE_MAX_RANK]; /* extent[0] grows */
};

struct h5file {
    char *path;
    hid_t id;
    bool writable, sealed, swmr_reader;
    struct column *columns;
    int n_columns;
};

/* HDF5 keeps global state and may be built without locks of its own; two threads with a file each must be safe. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

static void enter(void)
{
    pthread_mutex_lock(&library_lock);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* reasons go to error_set, not to standard error */
    H5Eclear2(H5E_DEFAULT);
}

static int leave(int status)
{
    pthread_mutex_unlock(&library_lock);
    return status;
}

/* Errors ---------------------------------------------------------------------------------------------------------- */

static herr_t keep_first(unsigned n, const H5E_error2_t *error, void *reason)
{
    if (n == 0 && error->desc) {
        snprintf(reason, REASON_BYTES, "%s", error->desc);
    }
    return 0;
}

/* The innermost entry of HDF5's error stack; of the long text of a failed open(2) only the system's own words. */
static void find_reason(char *reason)
{
    snprintf(reason, REASON_BYTES, "HDF5 gives no reason");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, reason);
    static const char mark[] = "error message = '";
    char *words = strstr(reason, mark);
    if (words) {
        words += strlen(mark);
        memmove(reason, words, strlen(words) + 1);
        reason[strcspn(reason, "'")] = '\0';
    }
}

static int fail(const char *path, const char *dataset, const char *what)
{
    char reason[REASON_BYTES];
    find_reason(reason);
    return error_set(TUTTI_EIO, "%s%s%s: cannot %s: %s", path, dataset ? ": dataset " : "", dataset ? dataset : "",
                     what, reason);
}

static int refuse_change(const h5file_t *file, const char *dataset)
{
    if (!file->writable) {
        return error_set(TUTTI_EINVAL, "%s: dataset %s: the file is open for reading only", file->path, dataset);
    }
    if (file->sealed) {
        return error_set(TUTTI_EINVAL, "%s: dataset %s: nothing can be added once the file is sealed", file->path,
                         dataset);
    }
    return TUTTI_OK;
}

/* Types ----------------------------------------------------------------------------------------------------------- */

static const char *type_name(enum h5_type type)
{
    static const char *const names[] = {"u8", "i32", "i64", "u64", "f32", "f64", "c64", "string"};
    return names[type];
}

static hid_t complex_type(hid_t part)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, 2 * sizeof(float));
    H5Tinsert(type, "r", 0, part);
    H5Tinsert(type, "i", sizeof(float), part);
    return type;
}

/* A fresh type the caller closes; negative for strings, which have their own functions. */
static hid_t disk_type(enum h5_type type)
{
    switch (type) {
    case H5_U8:
        return H5Tcopy(H5T_STD_U8LE);
    case H5_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case H5_I64:
        return H5Tcopy(H5T_STD_I64LE);
    case H5_U64:
        return H5Tcopy(H5T_STD_U64LE);
    case H5_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case H5_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case H5_C64:
        return complex_type(H5T_IEEE_F32LE);
    case H5_STRING:
        break;
    }
    return H5I_INVALID_HID;
}

static hid_t native_type(enum h5_type type)
{
    const hid_t disk = disk_type(type);
    if (disk < 0 || type == H5_C64) {
        if (disk >= 0) {
            H5Tclose(disk);
        }
        return type == H5_C64 ? complex_type(H5T_NATIVE_FLOAT) : H5I_INVALID_HID;
    }
    const hid_t native = H5Tget_native_type(disk, H5T_DIR_ASCEND);
    H5Tclose(disk);
    return native;
}

static bool is_complex(hid_t type)
{
    if (H5Tget_nmembers(type) != 2) {
        return false;
    }
    const int r = H5Tget_member_index(type, "r");
    const int i = H5Tget_member_index(type, "i");
    return r >= 0 && i >= 0 && H5Tget_member_class(type, (unsigned)r) == H5T_FLOAT &&
           H5Tget_member_class(type, (unsigned)i) == H5T_FLOAT;
}

static enum h5_type classify_integer(hid_t type)
{
    const size_t size = H5Tget_size(type);
    const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    if (size == 1 && !is_signed) {
        return H5_U8;
    }
    if (size < 4 || (size == 4 && is_signed)) {
        return H5_I32;
    }
    return size == 8 && !is_signed ? H5_U64 : H5_I64;
}

/* The smallest of our types that holds every value of the file's type. False if there is none. */
static bool classify(hid_t type, enum h5_type *kind)
{
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        *kind = classify_integer(type);
        return true;
    case H5T_ENUM: /* h5py's bool */
        *kind = H5Tget_size(type) == 1 ? H5_U8 : H5_I64;
        return true;
    case H5T_FLOAT:
        *kind = H5Tget_size(type) <= sizeof(float) ? H5_F32 : H5_F64;
        return true;
    case H5T_COMPOUND:
        *kind = H5_C64;
        return is_complex(type);
    case H5T_STRING:
        *kind = H5_STRING;
        return true;
    default:
        return false;
    }
}

/* Opening and closing --------------------------------------------------------------------------------------------- */

/* HDF5 cleans up at exit, and after a failed write (a full disk) that crashes: every file here is closed by its owner.
 */
static void no_exit_handler(void)
{
    H5dont_atexit();
}

static int allocate(h5file_t **file, const char *path)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, no_exit_handler);
    h5file_t *f = calloc(1, sizeof *f);
    *file = f;
    if (!f) {
        return error_set(TUTTI_ENOMEM, "%s: no memory for a file handle", path);
    }
    f->id = H5I_INVALID_HID;
    f->path = strdup(path);
    return f->path ? TUTTI_OK : error_set(TUTTI_ENOMEM, "%s: no memory for a file handle", path);
}

/* The newest format only (SWMR asks for it). No file locks: SWMR would give the writer's back at once, a killed or
 * living writer must not keep readers out, and network file systems often have none. */
static hid_t access_list(void)
{
    const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(list, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    H5Pset_file_locking(list, false, true);
    /* Rows are appended: a column needs its newest chunks in memory, not HDF5's megabyte. Set for the file, because
     * starting SWMR reopens its datasets and forgets what was set for them. */
    H5Pset_cache(list, 0, 11, 4 * CHUNK_BYTES, 0.75);
    H5AC_cache_config_t cache = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};
    if (H5Pget_mdc_config(list, &cache) >= 0) { /* a file that grows for hours must not grow in memory */
        cache.set_initial_size = true;
        cache.initial_size = cache.min_size = 1 << 20;
        cache.max_size = 4 << 20;
        H5Pset_mdc_config(list, &cache);
    }
    return list;
}

static int close_on_error(h5file_t **file, int status)
{
    if (status) {
        h5file_close(*file);
        *file = NULL;
    }
    return status;
}

int h5file_create(h5file_t **file, const char *path)
{
    int status = allocate(file, path);
    if (!status) {
        enter();
        (*file)->writable = true;
        const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
        H5Pset_obj_track_times(creation, false);
        const hid_t access = access_list();
        (*file)->id = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
        if ((*file)->id < 0) {
            status = fail(path, NULL, "create the file");
        }
        H5Pclose(access);
        H5Pclose(creation);
        leave(status);
    }
    return close_on_error(file, status);
}

/* Something half written is read again after pauses of 1, 2, 4 .. ns; this many take 17 ms in all. HDF5's own 100 would
 * wait for centuries on a damaged file. */
enum { SWMR_READ_ATTEMPTS = 24 };

/* A file whose sealed writer lives or was killed is marked as open for writing and opens only as a SWMR reader. */
static int open_file(h5file_t *file)
{
    const hid_t access = access_list();
    file->id = H5Fopen(file->path, H5F_ACC_RDONLY, access);
    int status = TUTTI_OK;
    if (file->id < 0) {
        status = fail(file->path, NULL, "open the file");
        H5Pset_metadata_read_attempts(access, SWMR_READ_ATTEMPTS);
        file->id = H5Fopen(file->path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access);
        if (file->id >= 0) {
            file->swmr_reader = true;
            status = TUTTI_OK;
        } else if (strstr(error_text(), "already open for")) {
            status = error_set(TUTTI_EIO, "%s: the file is unfinished: its writer is still preparing it or died early",
                               file->path);
        }
    }
    H5Pclose(access);
    return status;
}

int h5file_open(h5file_t **file, const char *path)
{
    int status = allocate(file, path);
    if (!status) {
        enter();
        status = leave(open_file(*file));
    }
    return close_on_error(file, status);
}

void h5file_close(h5file_t *file)
{
    if (!file) {
        return;
    }
    enter();
    for (int i = 0; i < file->n_columns; i++) {
        H5Dclose(file->columns[i].dataset);
        H5Sclose(file->columns[i].row_space);
        H5Tclose(file->columns[i].memory_type);
        free(file->columns[i].path);
    }
    if (file->id >= 0) {
        H5Fclose(file->id);
    }
    leave(0);
    free(file->columns);
    free(file->path);
    free(file);
}

/* Writing --------------------------------------------------------------------------------------------------------- */

/* Groups are made one by one and not by HDF5's "create intermediate groups", which would stamp them with the time. */
static int make_groups(h5file_t *file, const char *path)
{
    char *prefix = strdup(path);
    if (!prefix) {
        return error_set(TUTTI_ENOMEM, "%s: dataset %s: no memory", file->path, path);
    }
    int status = TUTTI_OK;
    const hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(creation, false);
    for (char *slash = strchr(prefix + 1, '/'); slash && !status; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (H5Lexists(file->id, prefix, H5P_DEFAULT) <= 0) {
            const hid_t group = H5Gcreate2(file->id, prefix, H5P_DEFAULT, creation, H5P_DEFAULT);
            if (group < 0) {
                status = fail(file->path, path, "create its group");
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
            status = fail(file->path, path, "create it");
        }
    }
    return status;
}

static int check_shape(const h5file_t *file, const char *path, enum h5_type type, int rank, int least)
{
    if (type == H5_STRING || rank < least || rank > H5FILE_MAX_RANK || path[0] == '\0') {
        return error_set(TUTTI_EINVAL, "%s: dataset \"%s\": type %s with rank %d; allowed are numbers of rank %d..%d",
                         file->path, path, type_name(type), rank, least, H5FILE_MAX_RANK);
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
    while (chunk[0] * row_bytes < CHUNK_BYTES) {
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

static int create_column(h5file_t *file, const char *path, enum h5_type type, struct column *column)
{
    hsize_t most[H5FILE_MAX_RANK];
    memcpy(most, column->extent, sizeof most);
    most[0] = H5S_UNLIMITED;
    const hid_t space = H5Screate_simple(column->rank, column->extent, most);
    const hid_t on_disk = disk_type(type);
    const hid_t creation = column_properties(type, column->memory_type, column->rank, column->extent);
    const int status = make_dataset(file, path, on_disk, space, creation, &column->dataset);
    H5Pclose(creation);
    H5Tclose(on_disk);
    H5Sclose(space);
    return status;
}

static int declare(h5file_t *file, const char *path, enum h5_type type, int rank, const size_t *dims)
{
    struct column *grown = realloc(file->columns, (size_t)(file->n_columns + 1) * sizeof *grown);
    if (!grown) {
        return error_set(TUTTI_ENOMEM, "%s: dataset %s: no memory", file->path, path);
    }
    file->columns = grown;
    struct column *column = &grown[file->n_columns];
    *column = (struct column){.rank = rank};
    size_t row_bytes = 8;
    for (int i = 1; i < rank; i++) {
        column->extent[i] = dims[i - 1];
        if (dims[i - 1] == 0 || __builtin_mul_overflow(row_bytes, dims[i - 1], &row_bytes) || row_bytes > UINT32_MAX) {
            return error_set(TUTTI_EINVAL, "%s: dataset %s: a row must have 1 byte to 4 GiB", file->path, path);
        }
    }
    column->path = strdup(path);
    if (!column->path) {
        return error_set(TUTTI_ENOMEM, "%s: dataset %s: no memory", file->path, path);
    }
    column->memory_type = native_type(type);
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
    enter();
    return leave(declare(file, path, type, rank, dims));
}

static int put(h5file_t *file, const char *path, hid_t on_disk, hid_t in_memory, hid_t space, const void *data)
{
    hid_t dataset = H5I_INVALID_HID;
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    int status = make_dataset(file, path, on_disk, space, creation, &dataset);
    if (!status) {
        if (H5Dwrite(dataset, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
            status = fail(file->path, path, "write it");
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
    enter();
    hsize_t extent[H5FILE_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        extent[i] = dims[i];
    }
    const hid_t space = rank ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR);
    const hid_t on_disk = disk_type(type);
    const hid_t in_memory = native_type(type);
    status = put(file, path, on_disk, in_memory, space, data);
    H5Tclose(in_memory);
    H5Tclose(on_disk);
    H5Sclose(space);
    return leave(status);
}

int h5file_put_text(h5file_t *file, const char *path, const char *text)
{
    int status = refuse_change(file, path);
    if (status) {
        return status;
    }
    enter();
    /* Fixed length: variable-length data lives in a heap that SWMR readers cannot follow. */
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(text) + 1);
    H5Tset_cset(type, H5T_CSET_UTF8);
    const hid_t space = H5Screate(H5S_SCALAR);
    status = put(file, path, type, type, space, text);
    H5Sclose(space);
    H5Tclose(type);
    return leave(status);
}

static int put_attribute(h5file_t *file, const char *path, const char *name, double value)
{
    const hid_t object = H5Oopen(file->id, path, H5P_DEFAULT);
    if (object < 0) {
        return fail(file->path, path, "open it to add an attribute");
    }
    const hid_t space = H5Screate(H5S_SCALAR);
    if (H5Aexists(object, name) > 0) {
        H5Adelete(object, name);
    }
    const hid_t attribute = H5Acreate2(object, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool ok = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_DOUBLE, &value) >= 0;
    const int status = ok ? TUTTI_OK : fail(file->path, path, "write an attribute");
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
    enter();
    return leave(put_attribute(file, path, name, value));
}

int h5file_seal(h5file_t *file)
{
    int status = refuse_change(file, "/");
    if (status) {
        return status;
    }
    enter();
    if (H5Fstart_swmr_write(file->id) < 0) {
        status = fail(file->path, NULL, "start single-writer multiple-reader mode");
    } else {
        file->sealed = true;
    }
    return leave(status);
}

static int grow(h5file_t *file, struct column *column, uint64_t row)
{
    if (row < column->extent[0]) {
        return TUTTI_OK;
    }
    const hsize_t before = column->extent[0];
    column->extent[0] = row + 1;
    if (H5Dset_extent(column->dataset, column->extent) < 0) {
        column->extent[0] = before;
        return fail(file->path, column->path, "grow it");
    }
    return TUTTI_OK;
}

static int write_row(h5file_t *file, struct column *column, uint64_t row, const void *data)
{
    int status = grow(file, column, row);
    const hid_t space = status ? H5I_INVALID_HID : H5Dget_space(column->dataset);
    if (space < 0) {
        return status ? status : fail(file->path, column->path, "look at its shape");
    }
    const hsize_t start[H5FILE_MAX_RANK] = {row};
    hsize_t count[H5FILE_MAX_RANK];
    memcpy(count, column->extent, sizeof count);
    count[0] = 1;
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dwrite(column->dataset, column->memory_type, column->row_space, space, H5P_DEFAULT, data) < 0) {
        status = fail(file->path, column->path, "write a row");
    }
    H5Sclose(space);
    return status;
}

int h5file_write_row(h5file_t *file, int handle, uint64_t row, const void *data)
{
    if (handle < 0 || handle >= file->n_columns || row == UINT64_MAX) {
        return error_set(TUTTI_EINVAL, "%s: no declared dataset %d (%d are declared) with a row %llu", file->path,
                         handle, file->n_columns, (unsigned long long)row);
    }
    enter();
    return leave(write_row(file, &file->columns[handle], row, data));
}

int h5file_flush(h5file_t *file)
{
    enter();
    /* Raw data goes out before the metadata that points to it; once in the page cache it outlives the process. */
    const int status = H5Fflush(file->id, H5F_SCOPE_LOCAL) < 0 ? fail(file->path, NULL, "flush") : TUTTI_OK;
    return leave(status);
}

/* Reading --------------------------------------------------------------------------------------------------------- */

static int open_dataset(h5file_t *file, const char *path, hid_t *dataset)
{
    *dataset = H5Dopen2(file->id, path, H5P_DEFAULT);
    if (*dataset < 0) {
        char reason[REASON_BYTES];
        find_reason(reason);
        return error_set(TUTTI_EFORMAT, "%s: no dataset %s: %s", file->path, path, reason);
    }
    if (file->swmr_reader && H5Drefresh(*dataset) < 0) {
        const int status = fail(file->path, path, "follow its growth");
        H5Dclose(*dataset);
        return status;
    }
    return TUTTI_OK;
}

static int describe(h5file_t *file, const char *path, hid_t dataset, struct h5_info *info)
{
    memset(info, 0, sizeof *info);
    const hid_t type = H5Dget_type(dataset);
    const bool known = classify(type, &info->type);
    H5Tclose(type);
    const hid_t space = H5Dget_space(dataset);
    const int rank = H5Sget_simple_extent_ndims(space);
    hsize_t extent[H5S_MAX_RANK] = {0};
    H5Sget_simple_extent_dims(space, extent, NULL);
    const bool empty = H5Sget_simple_extent_type(space) == H5S_NULL;
    H5Sclose(space);
    if (!known || empty || rank < 0 || rank > H5FILE_MAX_RANK) {
        return error_set(
            TUTTI_EFORMAT,
            "%s: dataset %s has rank %d and %s type; readable are numbers, complex {r, i} and text of rank "
            "0..%d",
            file->path, path, rank, known ? "a known" : "an unknown", H5FILE_MAX_RANK);
    }
    info->rank = rank;
    for (int i = 0; i < rank; i++) {
        info->dims[i] = (size_t)extent[i];
    }
    return TUTTI_OK;
}

static int info_of(h5file_t *file, const char *path, struct h5_info *info)
{
    hid_t dataset;
    int status = open_dataset(file, path, &dataset);
    if (!status) {
        status = describe(file, path, dataset, info);
        H5Dclose(dataset);
    }
    return status;
}

int h5file_info(h5file_t *file, const char *path, struct h5_info *info)
{
    enter();
    return leave(info_of(file, path, info));
}

/* Numbers convert among each other, complex only to complex. */
static int check_conversion(const h5file_t *file, const char *path, enum h5_type from, enum h5_type to)
{
    const bool text = from == H5_STRING || to == H5_STRING;
    if (text || (from == H5_C64) != (to == H5_C64)) {
        return error_set(TUTTI_EFORMAT, "%s: dataset %s holds %s where %s is needed", file->path, path, type_name(from),
                         type_name(to));
    }
    return TUTTI_OK;
}

/* Rows first..first+n-1, or everything when all. */
static int read_selection(h5file_t *file, const char *path, hid_t dataset, enum h5_type type,
                          const struct h5_info *info, bool all, uint64_t first, uint64_t n, void *data)
{
    hid_t file_space = H5S_ALL;
    hid_t memory_space = H5S_ALL;
    if (!all) {
        const hsize_t start[H5FILE_MAX_RANK] = {first};
        hsize_t count[H5FILE_MAX_RANK];
        count[0] = n;
        for (int i = 1; i < info->rank; i++) {
            count[i] = info->dims[i];
        }
        file_space = H5Dget_space(dataset);
        H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL);
        memory_space = H5Screate_simple(info->rank, count, NULL);
    }
    const hid_t in_memory = native_type(type);
    const bool ok = H5Dread(dataset, in_memory, memory_space, file_space, H5P_DEFAULT, data) >= 0;
    const int status = ok ? TUTTI_OK : fail(file->path, path, "read it");
    H5Tclose(in_memory);
    if (!all) {
        H5Sclose(memory_space);
        H5Sclose(file_space);
    }
    return status;
}

static int read_dataset(h5file_t *file, const char *path, enum h5_type type, bool all, uint64_t first, uint64_t n,
                        void *data)
{
    hid_t dataset;
    int status = open_dataset(file, path, &dataset);
    if (status) {
        return status;
    }
    struct h5_info info;
    status = describe(file, path, dataset, &info);
    if (!status) {
        status = check_conversion(file, path, info.type, type);
    }
    if (!status && !all && (info.rank == 0 || first > info.dims[0] || n > info.dims[0] - first)) {
        status = error_set(TUTTI_EINVAL, "%s: dataset %s: rows %llu..%llu wanted, it has %zu", file->path, path,
                           (unsigned long long)first, (unsigned long long)(first + n - 1),
                           info.rank ? info.dims[0] : (size_t)0);
    }
    if (!status && (all || n > 0)) {
        status = read_selection(file, path, dataset, type, &info, all, first, n, data);
    }
    H5Dclose(dataset);
    return status;
}

int h5file_read(h5file_t *file, const char *path, enum h5_type type, void *data)
{
    enter();
    return leave(read_dataset(file, path, type, true, 0, 0, data));
}

int h5file_read_rows(h5file_t *file, const char *path, enum h5_type type, uint64_t first, uint64_t n, void *data)
{
    enter();
    return leave(read_dataset(file, path, type, false, first, n, data));
}

/* A string of fixed length; one byte more than on disk, so that padded ones get their terminator. */
static char *read_fixed(hid_t dataset, hid_t memory_type, hid_t disk)
{
    const size_t size = H5Tget_size(disk) + 1;
    char *text = calloc(1, size);
    H5Tset_size(memory_type, size);
    if (text && H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0) {
        free(text);
        text = NULL;
    }
    return text;
}

static char *read_variable(hid_t dataset, hid_t memory_type)
{
    char *theirs = NULL;
    H5Tset_size(memory_type, H5T_VARIABLE);
    if (H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &theirs) < 0) {
        return NULL;
    }
    char *text = strdup(theirs ? theirs : "");
    H5free_memory(theirs);
    return text;
}

static char *read_text(h5file_t *file, const char *path)
{
    hid_t dataset;
    if (open_dataset(file, path, &dataset)) {
        return NULL;
    }
    char *text = NULL;
    const hid_t disk = H5Dget_type(dataset);
    const hid_t space = H5Dget_space(dataset);
    if (H5Tget_class(disk) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1) {
        error_set(TUTTI_EFORMAT, "%s: dataset %s is not one text", file->path, path);
    } else {
        const hid_t memory_type = H5Tcopy(H5T_C_S1);
        H5Tset_cset(memory_type, H5Tget_cset(disk));
        text =
            H5Tis_variable_str(disk) > 0 ? read_variable(dataset, memory_type) : read_fixed(dataset, memory_type, disk);
        if (!text) {
            fail(file->path, path, "read it as text");
        }
        H5Tclose(memory_type);
    }
    H5Sclose(space);
    H5Tclose(disk);
    H5Dclose(dataset);
    return text;
}

char *h5file_read_text(h5file_t *file, const char *path)
{
    enter();
    char *text = read_text(file, path);
    leave(0);
    return text;
}

static int read_attribute(h5file_t *file, const char *path, const char *name, double *value)
{
    const hid_t attribute = H5Aopen_by_name(file->id, path, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0) {
        return error_set(TUTTI_EFORMAT, "%s: %s has no attribute %s", file->path, path, name);
    }
    const hid_t space = H5Aget_space(attribute);
    const hid_t type = H5Aget_type(attribute);
    enum h5_type kind;
    int status = TUTTI_OK;
    if (H5Sget_simple_extent_npoints(space) != 1 || !classify(type, &kind) || kind == H5_C64 || kind == H5_STRING) {
        status = error_set(TUTTI_EFORMAT, "%s: attribute %s of %s is not one number", file->path, name, path);
    } else if (H5Aread(attribute, H5T_NATIVE_DOUBLE, value) < 0) {
        status = fail(file->path, path, "read an attribute");
    }
    H5Tclose(type);
    H5Sclose(space);
    H5Aclose(attribute);
    return status;
}

int h5file_attribute(h5file_t *file, const char *path, const char *name, double *value)
{
    enter();
    return leave(read_attribute(file, path, name, value));
}

struct name_list {
    char **names;
    size_t n;
};

static herr_t collect(hid_t root, const char *name, const H5O_info_t *object, void *context)
{
    (void)root;
    struct name_list *list = context;
    if (object->type != H5O_TYPE_DATASET) {
        return 0;
    }
    char **grown = realloc(list->names, (list->n + 1) * sizeof *grown);
    if (!grown) {
        return -1;
    }
    list->names = grown;
    return asprintf(&grown[list->n], "/%s", name) < 0 ? -1 : (list->n++, 0);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names are collected first: visit may itself read from the file. Datasets of types we do not read are left out. */
int h5file_list(h5file_t *file, void (*visit)(void *context, const char *path, const struct h5_info *info),
                void *context)
{
    struct name_list list = {0};
    enter();
    int status = TUTTI_OK;
    if (H5Ovisit2(file->id, H5_INDEX_NAME, H5_ITER_INC, collect, &list, H5O_INFO_BASIC) < 0) {
        status = fail(file->path, NULL, "list its datasets");
    }
    leave(status);
    if (list.n) {
        qsort(list.names, list.n, sizeof *list.names, compare_names);
    }
    for (size_t i = 0; i < list.n; i++) {
        struct h5_info info;
        if (!status && h5file_info(file, list.names[i], &info) == TUTTI_OK) {
            visit(context, list.names[i], &info);
        }
        free(list.names[i]);
    }
    free(list.names);
    return status;
}
