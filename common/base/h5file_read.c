/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "base/h5file_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A file from somebody else must not make us read our own other files. */
static bool has_its_values_inside(hid_t dataset)
{
    const hid_t creation = H5Dget_create_plist(dataset);
    const bool inside = H5Pget_layout(creation) != H5D_VIRTUAL && H5Pget_external_count(creation) == 0;
    H5Pclose(creation);
    return inside;
}

static int open_dataset(h5file_t *file, const char *path, hid_t *dataset)
{
    *dataset = H5Dopen2(file->id, path, file->inside);
    if (*dataset < 0) {
        char reason[H5FILE_REASON_BYTES];
        h5file_find_reason(reason);
        return h5file_error(TUTTI_EFORMAT, "%s: no dataset %s: %s", file->path, path, reason);
    }
    if (!has_its_values_inside(*dataset)) {
        H5Dclose(*dataset);
        return h5file_error(TUTTI_EFORMAT, "%s: dataset %s has its values in another file, which is not read",
                            file->path, path);
    }
    if (file->swmr_reader && H5Drefresh(*dataset) < 0) {
        const int status = h5file_fail(file, path, "follow its growth");
        H5Dclose(*dataset);
        return status;
    }
    return TUTTI_OK;
}

static int describe(h5file_t *file, const char *path, hid_t dataset, struct h5_info *info)
{
    memset(info, 0, sizeof *info);
    const hid_t type = H5Dget_type(dataset);
    const bool known = h5file_classify(type, &info->type);
    H5Tclose(type);
    const hid_t space = H5Dget_space(dataset);
    const int rank = H5Sget_simple_extent_ndims(space);
    hsize_t extent[H5S_MAX_RANK] = {0};
    H5Sget_simple_extent_dims(space, extent, NULL);
    const bool empty = H5Sget_simple_extent_type(space) == H5S_NULL;
    H5Sclose(space);
    if (!known || empty || rank < 0 || rank > H5FILE_MAX_RANK) {
        return h5file_error(TUTTI_EFORMAT,
                            "%s: dataset %s has rank %d and %s type; readable are numbers, complex {r, i} or {real, "
                            "imag} and text of rank "
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
    h5file_enter(file);
    return h5file_leave(file, info_of(file, path, info));
}

/* Numbers convert among each other, complex only to complex. */
static int check_conversion(const h5file_t *file, const char *path, enum h5_type from, enum h5_type to)
{
    const bool text = from == H5_STRING || to == H5_STRING;
    if (text || (from == H5_C64) != (to == H5_C64)) {
        return h5file_error(TUTTI_EFORMAT, "%s: dataset %s holds %s where %s is needed", file->path, path,
                            h5file_type_name(from), h5file_type_name(to));
    }
    return TUTTI_OK;
}

/* libhdf5 clears its whole room for conversions, a megabyte, whatever is read: no more of it than the values take. */
static hid_t transfer_list(hid_t disk, enum h5_type type, const struct h5_info *info, bool all, int along, uint64_t n)
{
    enum { LEAST = 4096, MOST = 1 << 20 };
    const double theirs = (double)H5Tget_size(disk), ours = (double)h5file_type_bytes(type);
    double bytes = theirs > ours ? theirs : ours;
    for (int i = 0; i < info->rank; i++) {
        bytes *= all || i != along ? (double)info->dims[i] : (double)n;
    }
    const hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_buffer(transfer, bytes < LEAST ? LEAST : bytes > MOST ? MOST : (size_t)bytes, NULL, NULL);
    return transfer;
}

/* Entries first..first+n-1 of dimension `along`, or everything when all. */
static int read_selection(h5file_t *file, const char *path, hid_t dataset, enum h5_type type,
                          const struct h5_info *info, bool all, int along, uint64_t first, uint64_t n, void *data)
{
    hid_t file_space = H5S_ALL;
    hid_t memory_space = H5S_ALL;
    if (!all) {
        hsize_t start[H5FILE_MAX_RANK] = {0}, count[H5FILE_MAX_RANK];
        for (int i = 0; i < info->rank; i++) {
            count[i] = info->dims[i];
        }
        start[along] = first;
        count[along] = n;
        file_space = H5Dget_space(dataset);
        H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL);
        memory_space = H5Screate_simple(info->rank, count, NULL);
    }
    const hid_t disk = H5Dget_type(dataset);
    const hid_t in_memory = type == H5_C64 ? h5file_native_complex(disk) : h5file_native_type(type);
    const hid_t transfer = transfer_list(disk, type, info, all, along, n);
    const bool ok = H5Dread(dataset, in_memory, memory_space, file_space, transfer, data) >= 0;
    const int status = ok ? TUTTI_OK : h5file_fail(file, path, "read it");
    H5Pclose(transfer);
    H5Tclose(disk);
    H5Tclose(in_memory);
    if (!all) {
        H5Sclose(memory_space);
        H5Sclose(file_space);
    }
    return status;
}

/* n values or whole rows into n_bytes of memory; a file that grows may have more by now. */
static int rows_of_room(const h5file_t *file, const char *path, enum h5_type type, const struct h5_info *info,
                        size_t n_bytes, uint64_t *n)
{
    const uint64_t row_bytes = h5file_rows_bytes(info, 1, h5file_type_bytes(type));
    const uint64_t there = info->rank ? info->dims[0] : 1;
    *n = row_bytes ? n_bytes / row_bytes : there;
    return (row_bytes ? n_bytes % row_bytes == 0 : n_bytes == 0) && *n <= there
               ? TUTTI_OK
               : h5file_error(TUTTI_EINVAL, "%s: dataset %s: %zu bytes wanted, it has %llu rows of %llu", file->path,
                              path, n_bytes, (unsigned long long)there, (unsigned long long)row_bytes);
}

/* What is wanted of a dataset: rows first..first+n-1, of a list only if so, or as many as n_bytes hold. */
struct wanted {
    bool by_room, of_list;
    size_t n_bytes;
    uint64_t first, n;
};

static int settle(const h5file_t *file, const char *path, enum h5_type type, const struct h5_info *info,
                  struct wanted *wanted)
{
    if (wanted->by_room) {
        return rows_of_room(file, path, type, info, wanted->n_bytes, &wanted->n);
    }
    if (wanted->of_list && info->rank != 1) {
        return h5file_error(TUTTI_EFORMAT, "%s: dataset %s has rank %d, a list of single values was expected",
                            file->path, path, info->rank);
    }
    if (info->rank == 0 || wanted->first > info->dims[0] || wanted->n > info->dims[0] - wanted->first) {
        return h5file_error(TUTTI_EINVAL, "%s: dataset %s: rows %llu..%llu wanted, it has %zu", file->path, path,
                            (unsigned long long)wanted->first, (unsigned long long)(wanted->first + wanted->n - 1),
                            info->rank ? info->dims[0] : (size_t)0);
    }
    return TUTTI_OK;
}

static int read_dataset(h5file_t *file, const char *path, enum h5_type type, struct wanted wanted, void *data)
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
    if (!status) {
        status = settle(file, path, type, &info, &wanted);
    }
    if (!status && wanted.n > 0) {
        status = read_selection(file, path, dataset, type, &info, info.rank == 0, 0, wanted.first, wanted.n, data);
    }
    H5Dclose(dataset);
    return status;
}

int h5file_read(h5file_t *file, const char *path, enum h5_type type, void *data, size_t n_bytes)
{
    h5file_enter(file);
    return h5file_leave(file,
                        read_dataset(file, path, type, (struct wanted){.by_room = true, .n_bytes = n_bytes}, data));
}

int h5file_read_rows(h5file_t *file, const char *path, enum h5_type type, uint64_t first, uint64_t n, void *data)
{
    h5file_enter(file);
    return h5file_leave(file, read_dataset(file, path, type, (struct wanted){.first = first, .n = n}, data));
}

int h5file_read_entry(h5file_t *file, const char *path, enum h5_type type, uint64_t row, void *value)
{
    h5file_enter(file);
    return h5file_leave(file,
                        read_dataset(file, path, type, (struct wanted){.of_list = true, .first = row, .n = 1}, value));
}

/* from [dims[0]]..[dims[rank-1]] to [dims[rank-1]]..[dims[0]]. */
static void turn(const char *from, char *to, int rank, const size_t *dims, size_t value_bytes)
{
    size_t index[H5FILE_MAX_RANK] = {0}, stride[H5FILE_MAX_RANK], total = 1;
    for (int d = 0; d < rank; d++) { /* of dimension d in `to` */
        stride[d] = total;
        total *= dims[d];
    }
    for (size_t i = 0, at = 0; i < total; i++) {
        memcpy(to + at * value_bytes, from + i * value_bytes, value_bytes);
        for (int d = rank - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < dims[d]) {
                break;
            }
            at -= stride[d] * dims[d];
            index[d] = 0;
        }
    }
}

/* Slices first..first+n-1 of the last dimension. */
static int read_slices(h5file_t *file, const char *path, hid_t dataset, enum h5_type type, struct h5_info *info,
                       uint64_t first, uint64_t n, void *data)
{
    const int last = info->rank - 1;
    if (last < 0 || first > info->dims[last] || n > info->dims[last] - first) {
        return h5file_error(TUTTI_EINVAL, "%s: dataset %s: it has not so many entries in its last dimension",
                            file->path, path);
    }
    info->dims[last] = (size_t)n;
    const size_t value_bytes = h5file_type_bytes(type);
    const uint64_t n_bytes = h5file_rows_bytes(info, info->dims[0], value_bytes);
    char *const as_is = n_bytes < SIZE_MAX ? malloc(n_bytes ? (size_t)n_bytes : 1) : NULL;
    if (!as_is) {
        return h5file_error(TUTTI_ENOMEM, "%s: no memory for %s", file->path, path);
    }
    const int status =
        n_bytes ? read_selection(file, path, dataset, type, info, false, last, first, n, as_is) : TUTTI_OK;
    if (!status && n_bytes) {
        turn(as_is, data, info->rank, info->dims, value_bytes);
    }
    free(as_is);
    return status;
}

static int read_turned(h5file_t *file, const char *path, enum h5_type type, uint64_t first, uint64_t n, void *data)
{
    hid_t dataset;
    struct h5_info info;
    int status = open_dataset(file, path, &dataset);
    if (status) {
        return status;
    }
    status = describe(file, path, dataset, &info);
    status = status ? status : check_conversion(file, path, info.type, type);
    status = status ? status : read_slices(file, path, dataset, type, &info, first, n, data);
    H5Dclose(dataset);
    return status;
}

int h5file_read_turned(h5file_t *file, const char *path, enum h5_type type, uint64_t first, uint64_t n, void *data)
{
    h5file_enter(file);
    return h5file_leave(file, read_turned(file, path, type, first, n, data));
}

/* The memory type of texts of room bytes, NUL included, if the dataset has a fixed length; else negative. */
static hid_t text_type(hid_t dataset, size_t room)
{
    const hid_t disk = H5Dget_type(dataset);
    const bool fixed = disk >= 0 && H5Tget_class(disk) == H5T_STRING && H5Tis_variable_str(disk) == 0;
    const hid_t memory = fixed ? H5Tcopy(H5T_C_S1) : -1;
    if (memory >= 0) {
        H5Tset_size(memory, room);
        H5Tset_cset(memory, H5Tget_cset(disk));
        H5Tset_strpad(memory, H5T_STR_NULLTERM);
    }
    if (disk >= 0) {
        H5Tclose(disk);
    }
    return memory;
}

static int read_texts(h5file_t *file, const char *path, uint64_t first, uint64_t n, size_t room, char *texts)
{
    hid_t dataset;
    struct h5_info info;
    int status = open_dataset(file, path, &dataset);
    if (status) {
        return status;
    }
    status = describe(file, path, dataset, &info);
    const hid_t type = text_type(dataset, room), space = H5Dget_space(dataset);
    const hsize_t start = first, count = n;
    const hid_t memory = H5Screate_simple(1, &count, NULL);
    if (!status && (type < 0 || info.rank != 1 || first > info.dims[0] || n > info.dims[0] - first)) {
        status = h5file_error(TUTTI_EFORMAT, "%s: dataset %s: not so many texts of fixed length", file->path, path);
    }
    if (!status && n > 0 &&
        (H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) < 0 ||
         H5Dread(dataset, type, memory, space, H5P_DEFAULT, texts) < 0)) {
        status = h5file_error(TUTTI_EIO, "%s: dataset %s: cannot be read", file->path, path);
    }
    if (type >= 0) {
        H5Tclose(type);
    }
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(dataset);
    return status;
}

int h5file_read_texts(h5file_t *file, const char *path, uint64_t first, uint64_t n, size_t room, char *texts)
{
    h5file_enter(file);
    return h5file_leave(file, read_texts(file, path, first, n, room, texts));
}

/* A longer text is refused: the length may be a damaged one. */
enum { MAX_TEXT_BYTES = 1 << 24 };

/* A string of fixed length; one byte more than on disk, so that padded ones get their terminator. */
static char *read_fixed(hid_t dataset, hid_t memory_type, hid_t disk)
{
    const size_t size = H5Tget_size(disk) + 1;
    char *text = size <= MAX_TEXT_BYTES ? calloc(1, size) : NULL;
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
        h5file_error(TUTTI_EFORMAT, "%s: dataset %s is not one text", file->path, path);
    } else {
        const hid_t memory_type = H5Tcopy(H5T_C_S1);
        H5Tset_cset(memory_type, H5Tget_cset(disk));
        text =
            H5Tis_variable_str(disk) > 0 ? read_variable(dataset, memory_type) : read_fixed(dataset, memory_type, disk);
        if (!text) {
            h5file_fail(file, path, H5Tget_size(disk) < MAX_TEXT_BYTES ? "read it as text" : "read a text so long");
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
    h5file_enter(file);
    char *text = read_text(file, path);
    h5file_leave(file, 0);
    return text;
}

/* Numbers, and as many as are wanted: else *n tells how many there are. */
static int read_numbers(h5file_t *file, const char *path, const char *name, size_t room, double *values, uint64_t *n)
{
    const hid_t attribute = H5Aopen_by_name(file->id, path, name, H5P_DEFAULT, file->inside);
    if (attribute < 0) {
        return h5file_fail(file, path, "open an attribute");
    }
    const hid_t space = H5Aget_space(attribute);
    const hid_t type = H5Aget_type(attribute);
    const H5T_class_t class = H5Tget_class(type);
    const hssize_t found = H5Sget_simple_extent_npoints(space);
    int status = TUTTI_OK;
    *n = found > 0 ? (uint64_t)found : 0;
    if ((class != H5T_FLOAT && class != H5T_INTEGER) || found < 1) {
        status = h5file_error(TUTTI_EFORMAT, "%s: attribute %s of %s is %lld value(s) of %s", file->path, name, path,
                              (long long)found,
                              class == H5T_FLOAT || class == H5T_INTEGER ? "numbers" : "text or another type");
    } else if (*n <= room && H5Aread(attribute, H5T_NATIVE_DOUBLE, values) < 0) {
        status = h5file_fail(file, path, "read an attribute");
    }
    H5Tclose(type);
    H5Sclose(space);
    H5Aclose(attribute);
    return status;
}

int h5file_attribute_numbers(h5file_t *file, const char *path, const char *name, size_t room, double *values,
                             uint64_t *n)
{
    h5file_enter(file);
    *n = 0;
    const htri_t there = H5Aexists_by_name(file->id, path, name, file->inside);
    int status = TUTTI_OK;
    if (there < 0) {
        status = h5file_fail(file, path, "look for an attribute");
    } else if (there) {
        status = read_numbers(file, path, name, room, values, n);
    }
    return h5file_leave(file, status);
}

/* What is there ---------------------------------------------------------------------------------------------------- */

/* HDF5 wants every group on the way looked at by itself. */
static int exists(h5file_t *file, const char *path)
{
    char *prefix = strdup(path);
    if (!prefix) {
        return h5file_error(TUTTI_ENOMEM, "%s: dataset %s: no memory", file->path, path);
    }
    H5O_info_t object;
    int status = 1;
    for (char *slash = strchr(prefix + 1, '/'); slash && status == 1; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const htri_t there = H5Lexists(file->id, prefix, file->inside);
        if (there < 0 || (there && H5Oget_info_by_name2(file->id, prefix, &object, H5O_INFO_BASIC, file->inside) < 0)) {
            status = h5file_fail(file, path, "look for it");
        } else if (!there || object.type != H5O_TYPE_GROUP) {
            status = 0;
        }
        *slash = '/';
    }
    if (status == 1) {
        const htri_t there = H5Lexists(file->id, path, file->inside);
        status = there < 0 ? h5file_fail(file, path, "look for it") : there > 0;
    }
    free(prefix);
    return status;
}

int h5file_exists(h5file_t *file, const char *path)
{
    h5file_enter(file);
    return h5file_leave(file, exists(file, path));
}

size_t h5file_type_bytes(enum h5_type type)
{
    static const size_t bytes[] = {[H5_U8] = 1,  [H5_I32] = 4, [H5_I64] = 8, [H5_U64] = 8,
                                   [H5_F32] = 4, [H5_F64] = 8, [H5_C64] = 8, [H5_STRING] = 0};
    return (unsigned)type < sizeof bytes / sizeof bytes[0] ? bytes[type] : 0;
}

uint64_t h5file_rows_bytes(const struct h5_info *info, uint64_t n, size_t value_bytes)
{
    uint64_t bytes = value_bytes;
    for (int d = 1; d < info->rank; d++) {
        if (info->dims[d] == 0) {
            return 0;
        }
    }
    if (__builtin_mul_overflow(bytes, n, &bytes)) {
        return UINT64_MAX;
    }
    for (int d = 1; d < info->rank; d++) {
        if (__builtin_mul_overflow(bytes, info->dims[d], &bytes)) {
            return UINT64_MAX;
        }
    }
    return bytes;
}

int h5file_check_claim(h5file_t *file, const char *what, uint64_t n_bytes)
{
    /* HDF5's densest compression makes 1032 bytes of one; rows that were never written take no room at all. */
    const uint64_t densest = 1100, never_written = 1u << 28;
    struct stat found;
    if (stat(file->path, &found) < 0) {
        return h5file_error(TUTTI_EIO, "%s: cannot look at it: %s", file->path, strerror(errno));
    }
    if (n_bytes <= never_written || (n_bytes - never_written) / densest <= (uint64_t)found.st_size) {
        return TUTTI_OK;
    }
    return h5file_error(TUTTI_EFORMAT, "%s: damaged: %s claims %s%.3g GB, but the file has %.3g GB", file->path, what,
                        n_bytes == UINT64_MAX ? "more than " : "", (double)n_bytes * 1e-9,
                        (double)found.st_size * 1e-9);
}

/* Names and values are collected first: visit may itself read from the file. */
struct entry {
    char *object, *name, *value; /* dataset: object only */
};

struct entry_list {
    struct entry *entries;
    size_t n;
    const char *object; /* attributes: whose they are */
};

static int append(struct entry_list *list, const char *object, const char *name, const char *value)
{
    struct entry *grown = realloc(list->entries, (list->n + 1) * sizeof *grown);
    if (!grown) {
        return -1;
    }
    list->entries = grown;
    struct entry *const e = &grown[list->n++];
    *e = (struct entry){strdup(object), name ? strdup(name) : NULL, value ? strdup(value) : NULL};
    return e->object && (e->name || !name) && (e->value || !value) ? 0 : -1;
}

static void free_entries(struct entry_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->entries[i].object);
        free(list->entries[i].name);
        free(list->entries[i].value);
    }
    free(list->entries);
}

static herr_t collect_dataset(hid_t root, const char *name, const H5O_info_t *object, void *context)
{
    (void)root;
    if (object->type != H5O_TYPE_DATASET) {
        return 0;
    }
    char *path = NULL;
    const int status = asprintf(&path, "/%s", name) < 0 ? -1 : append(context, path, NULL, NULL);
    free(path);
    return status;
}

static int compare_objects(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->object, ((const struct entry *)b)->object);
}

/* All datasets in the order of their paths; free_entries takes them back, whatever the status. */
static int list_entries(h5file_t *file, struct entry_list *list)
{
    *list = (struct entry_list){0};
    h5file_enter(file);
    int status = TUTTI_OK;
    if (H5Ovisit2(file->id, H5_INDEX_NAME, H5_ITER_INC, collect_dataset, list, H5O_INFO_BASIC) < 0) {
        status = h5file_fail(file, NULL, "list its datasets");
    }
    h5file_leave(file, status);
    if (list->n) {
        qsort(list->entries, list->n, sizeof *list->entries, compare_objects);
    }
    return status;
}

/* Datasets of types we do not read are left out. */
int h5file_list(h5file_t *file, void (*visit)(void *context, const char *path, const struct h5_info *info),
                void *context)
{
    struct entry_list list;
    const int status = list_entries(file, &list);
    for (size_t i = 0; i < list.n && !status; i++) {
        struct h5_info info;
        if (h5file_info(file, list.entries[i].object, &info) == TUTTI_OK) {
            visit(context, list.entries[i].object, &info);
        }
    }
    free_entries(&list);
    return status;
}

int h5file_list_unreadable(h5file_t *file, void (*visit)(void *context, const char *path, const char *why),
                           void *context)
{
    struct entry_list list;
    const int status = list_entries(file, &list);
    for (size_t i = 0; i < list.n && !status; i++) {
        struct h5_info info;
        if (h5file_info(file, list.entries[i].object, &info) != TUTTI_OK) {
            visit(context, list.entries[i].object, error_text());
        }
    }
    free_entries(&list);
    return status;
}

static void value_text(hid_t attribute, char *text, size_t n)
{
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const H5T_class_t class = H5Tget_class(type);
    const hssize_t n_value = H5Sget_simple_extent_npoints(space);
    double value = 0;
    snprintf(text, n, "(%lld values)", (long long)n_value);
    if (n_value == 1 && (class == H5T_FLOAT || class == H5T_INTEGER) &&
        H5Aread(attribute, H5T_NATIVE_DOUBLE, &value) >= 0) {
        snprintf(text, n, "%.9g", value);
    } else if (class == H5T_STRING && n_value == 1 && H5Tis_variable_str(type) == 0 && H5Tget_size(type) < n &&
               H5Aread(attribute, type, text) >= 0) {
        text[H5Tget_size(type)] = '\0';
    } else if (class == H5T_STRING) {
        snprintf(text, n, "(text)");
    }
    H5Sclose(space);
    H5Tclose(type);
}

static herr_t collect_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context)
{
    (void)info;
    struct entry_list *list = context;
    char text[256];
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) {
        return -1;
    }
    value_text(attribute, text, sizeof text);
    H5Aclose(attribute);
    return append(list, list->object, name, text);
}

static herr_t collect_attributes(hid_t root, const char *name, const H5O_info_t *info, void *context)
{
    (void)info;
    struct entry_list *list = context;
    char *path = NULL;
    if (asprintf(&path, "/%s", strcmp(name, ".") == 0 ? "" : name) < 0) {
        return -1;
    }
    const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    herr_t status = -1;
    if (object >= 0) {
        hsize_t position = 0;
        list->object = path;
        status = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &position, collect_attribute, list);
        H5Oclose(object);
    }
    free(path);
    return status;
}

int h5file_list_attributes(h5file_t *file,
                           void (*visit)(void *context, const char *object, const char *name, const char *value),
                           void *context)
{
    struct entry_list list = {0};
    h5file_enter(file);
    int status = TUTTI_OK;
    if (H5Ovisit2(file->id, H5_INDEX_NAME, H5_ITER_INC, collect_attributes, &list, H5O_INFO_BASIC) < 0) {
        status = h5file_fail(file, NULL, "list its attributes");
    }
    h5file_leave(file, status);
    for (size_t i = 0; i < list.n && !status; i++) {
        visit(context, list.entries[i].object, list.entries[i].name, list.entries[i].value);
    }
    free_entries(&list);
    return status;
}
