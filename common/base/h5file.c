/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "base/h5file_internal.h"

#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* HDF5 keeps global state and may be built without locks of its own; two threads with a file each must be safe. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned call_limit_s;
static volatile sig_atomic_t *call_mark;

void h5file_limit_calls(unsigned seconds, volatile sig_atomic_t *mark)
{
    pthread_mutex_lock(&library_lock);
    call_limit_s = seconds;
    call_mark = mark;
    pthread_mutex_unlock(&library_lock);
}

/* A write may wait for a slow disk; what is read may be damaged. */
static void mark_call(const h5file_t *file, bool inside)
{
    if (!file->writable && call_mark) {
        *call_mark = inside;
    }
    if (!file->writable && call_limit_s) {
        alarm(inside ? call_limit_s : 0);
    }
}

void h5file_enter(const h5file_t *file)
{
    pthread_mutex_lock(&library_lock);
    mark_call(file, true);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* reasons go to error_set, not to standard error */
    H5Eclear2(H5E_DEFAULT);
}

int h5file_leave(const h5file_t *file, int status)
{
    mark_call(file, false);
    pthread_mutex_unlock(&library_lock);
    return status;
}

pid_t h5file_fork(void)
{
    pthread_mutex_lock(&library_lock);
    const pid_t child = fork();
    pthread_mutex_unlock(&library_lock);
    return child;
}

/* Errors ---------------------------------------------------------------------------------------------------------- */

static herr_t keep_first(unsigned n, const H5E_error2_t *error, void *reason)
{
    if (n == 0 && error->desc) {
        snprintf(reason, H5FILE_REASON_BYTES, "%s", error->desc);
    }
    return 0;
}

/* Of the long text of a failed open(2) only the system's own words. */
void h5file_find_reason(char reason[H5FILE_REASON_BYTES])
{
    snprintf(reason, H5FILE_REASON_BYTES, "HDF5 gives no reason");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, reason);
    static const char mark[] = "error message = '";
    char *words = strstr(reason, mark);
    if (words) {
        words += strlen(mark);
        memmove(reason, words, strlen(words) + 1);
        reason[strcspn(reason, "'")] = '\0';
    }
}

int h5file_error(int code, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++) {
        *c = iscntrl((unsigned char)*c) ? '?' : *c;
    }
    return error_set(code, "%s", text);
}

int h5file_fail(const h5file_t *file, const char *dataset, const char *what)
{
    char reason[H5FILE_REASON_BYTES];
    h5file_find_reason(reason);
    return h5file_error(TUTTI_EIO, "%s%s%s: cannot %s: %s", file->path, dataset ? ": dataset " : "",
                        dataset ? dataset : "", what, reason);
}

/* Types ----------------------------------------------------------------------------------------------------------- */

const char *h5file_type_name(enum h5_type type)
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

hid_t h5file_disk_type(enum h5_type type)
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

hid_t h5file_native_type(enum h5_type type)
{
    const hid_t disk = h5file_disk_type(type);
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

/* What the two parts of a complex number are called: h5py and Julia, MATLAB 7.3 and Octave. */
static const char *const complex_names[][2] = {{"r", "i"}, {"real", "imag"}};

/* Which of complex_names a type has, or -1. */
static int complex_kind(hid_t type)
{
    for (int kind = 0; kind < 2 && H5Tget_nmembers(type) == 2; kind++) {
        const int r = H5Tget_member_index(type, complex_names[kind][0]);
        const int i = H5Tget_member_index(type, complex_names[kind][1]);
        if (r >= 0 && i >= 0 && H5Tget_member_class(type, (unsigned)r) == H5T_FLOAT &&
            H5Tget_member_class(type, (unsigned)i) == H5T_FLOAT) {
            return kind;
        }
    }
    return -1;
}

/* HDF5 converts compounds by the names of their members. */
hid_t h5file_native_complex(hid_t disk)
{
    const int kind = complex_kind(disk);
    const hid_t type = H5Tcreate(H5T_COMPOUND, 2 * sizeof(float));
    H5Tinsert(type, complex_names[kind < 0 ? 0 : kind][0], 0, H5T_NATIVE_FLOAT);
    H5Tinsert(type, complex_names[kind < 0 ? 0 : kind][1], sizeof(float), H5T_NATIVE_FLOAT);
    return type;
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

bool h5file_classify(hid_t type, enum h5_type *kind)
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
        return complex_kind(type) >= 0;
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
static void prepare_library(void)
{
    H5dont_atexit();
    H5PLset_loading_state(0); /* a file read may ask for filters by number: none is loaded for it */
}

int h5file_allocate(h5file_t **file, const char *path)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare_library);
    h5file_t *f = calloc(1, sizeof *f);
    *file = f;
    if (!f) {
        return h5file_error(TUTTI_ENOMEM, "%s: no memory for a file handle", path);
    }
    f->id = f->inside = H5I_INVALID_HID;
    f->path = strdup(path);
    return f->path ? TUTTI_OK : h5file_error(TUTTI_ENOMEM, "%s: no memory for a file handle", path);
}

/* The newest format only (SWMR asks for it). No file locks: SWMR would give the writer's back at once, a killed or
 * living writer must not keep readers out, and network file systems often have none. */
hid_t h5file_access_list(void)
{
    const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(list, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    H5Pset_file_locking(list, false, true);
    /* Rows are appended: a column needs its newest chunks in memory, not HDF5's megabyte. Set for the file, because
     * starting SWMR reopens its datasets and forgets what was set for them. */
    H5Pset_cache(list, 0, 11, 4 * H5FILE_CHUNK_BYTES, 0.75);
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
    int status = h5file_allocate(file, path);
    if (!status) {
        (*file)->writable = true;
        h5file_enter(*file);
        const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
        H5Pset_obj_track_times(creation, false);
        const hid_t access = h5file_access_list();
        (*file)->id = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
        if ((*file)->id < 0) {
            status = h5file_fail(*file, NULL, "create the file");
        }
        H5Pclose(access);
        H5Pclose(creation);
        h5file_leave(*file, status);
    }
    return close_on_error(file, status);
}

static herr_t refuse_link(const char *parent, const char *group, const char *file, const char *object, unsigned *flags,
                          hid_t access, void *context)
{
    (void)parent, (void)group, (void)file, (void)object, (void)flags, (void)access, (void)context;
    return -1;
}

/* Something half written is read again after pauses of 1, 2, 4 .. ns; this many take 17 ms in all. HDF5's own 100 would
 * wait for centuries on a damaged file. */
enum { SWMR_READ_ATTEMPTS = 24 };

/* A file whose sealed writer lives or was killed is marked as open for writing and opens only as a SWMR reader. */
static int open_file(h5file_t *file)
{
    const hid_t access = h5file_access_list();
    file->id = H5Fopen(file->path, H5F_ACC_RDONLY, access);
    int status = TUTTI_OK;
    if (file->id < 0) {
        status = h5file_fail(file, NULL, "open the file");
        H5Pset_metadata_read_attempts(access, SWMR_READ_ATTEMPTS);
        file->id = H5Fopen(file->path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access);
        if (file->id >= 0) {
            file->swmr_reader = true;
            status = TUTTI_OK;
        } else if (strstr(error_text(), "already open for")) {
            status = h5file_error(
                TUTTI_EIO, "%s: the file is unfinished: its writer is still preparing it or died early", file->path);
        }
    }
    H5Pclose(access);
    return status;
}

/* Opening a pipe would wait for whoever writes it, perhaps for ever. */
static int check_kind(const char *path)
{
    struct stat found;
    const bool odd = stat(path, &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode);
    return odd ? error_set(TUTTI_EFORMAT,
                           "%s is a pipe or a device: HDF5 is read here and there, so write it to a file first", path)
               : 0;
}

int h5file_open(h5file_t **file, const char *path)
{
    int status = h5file_allocate(file, path);
    status = status ? status : check_kind(path);
    if (!status) {
        h5file_enter(*file);
        (*file)->inside = H5Pcreate(H5P_DATASET_ACCESS);
        H5Pset_elink_cb((*file)->inside, refuse_link, NULL);
        status = h5file_leave(*file, open_file(*file));
    }
    return close_on_error(file, status);
}

void h5file_close(h5file_t *file)
{
    if (!file) {
        return;
    }
    h5file_enter(file);
    for (int i = 0; i < file->n_columns; i++) {
        H5Dclose(file->columns[i].dataset);
        H5Sclose(file->columns[i].row_space);
        H5Tclose(file->columns[i].memory_type);
        free(file->columns[i].path);
    }
    if (file->id >= 0) {
        H5Fclose(file->id);
    }
    if (file->inside >= 0) {
        H5Pclose(file->inside);
    }
    h5file_leave(file, 0);
    free(file->columns);
    free(file->path);
    free(file);
}
