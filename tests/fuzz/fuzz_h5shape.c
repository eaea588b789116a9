/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Well-formed HDF5 files of unexpected contents: the input is a list of edits to a small, perfect recording (names,
 * shapes, types, values, links, attributes), which libhdf5 writes and our readers then read. Every refusal has one
 * line, and nothing is read or written outside of what was allocated. */
#include "base/error.h"
#include "base/h5file.h"
#include "fuzz.h"
#include "tools/inspect/dataset_stats.h"
#include "tools/report/report.h"
#include "tools/results/channel_file.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t n_outcome[8];
enum {
    DATASET_READ,
    DATASET_REFUSED,
    RUN_LOADED,
    RUN_REFUSED,
    CHANNEL_OPENED,
    CHANNEL_REFUSED,
    BATCH_READ,
    BATCH_REFUSED
};

/* The file to write ----------------------------------------------------------------------------------------------- */

enum { MAX_RANK = 7, WRITTEN_VALUES = 1 << 14, MAX_TYPE_BYTES = 512 };

/* Letters of a shape: block, subband, ap, antenna, user (k), eavesdropper, row of points, point, kinds of radio events,
 * events of the time line (w). */
static const char letters[] = "bsmakerpvw";
static const hsize_t perfect_sizes[] = {3, 2, 2, 3, 2, 1, 1, 4, 5, 2};
enum { N_LETTER = sizeof letters - 1 };

enum type { T_U8, T_I32, T_I64, T_U64, T_F64, T_C64, T_TEXT, N_PERFECT_TYPE, N_TYPE = 32 };

static const struct {
    const char *name;
    enum type type;
    const char *shape;
} perfect[] = {{"/config", T_TEXT, ""},
               {"/version", T_TEXT, ""},
               {"/H_hat", T_C64, "bsmak"},
               {"/H", T_C64, "bsmak"},
               {"/W", T_C64, "bsmak"},
               {"/error_variance", T_F64, "bsmk"},
               {"/an", T_C64, "bsma"},
               {"/beta", T_F64, "mk"},
               {"/sinr_predicted", T_F64, "bsk"},
               {"/sinr_bound", T_F64, "bs"},
               {"/solve_time_s", T_F64, "b"},
               {"/scheme", T_I32, "b"},
               {"/reason", T_I32, "b"},
               {"/block/ap_used", T_U8, "bm"},
               {"/block/user_used", T_U8, "bk"},
               {"/block/beta", T_F64, "bmk"},
               {"/hops/capture_end_ns", T_U64, "bm"},
               {"/hops/csi_sent_ns", T_U64, "bm"},
               {"/hops/csi_received_ns", T_U64, "bm"},
               {"/hops/precoder_sent_ns", T_U64, "bm"},
               {"/hops/precoder_received_ns", T_U64, "bm"},
               {"/hops/applied_ns", T_U64, "bm"},
               {"/hops/solve_start_ns", T_U64, "b"},
               {"/hops/solve_end_ns", T_U64, "b"},
               {"/applied/kind", T_U8, "bm"},
               {"/applied/arrival", T_U8, "bm"},
               {"/radio/events", T_I64, "bmv"},
               {"/user/sinr_measured", T_F64, "bk"},
               {"/user/evm", T_F64, "bk"},
               {"/user/bits", T_I64, "bk"},
               {"/user/bit_errors", T_I64, "bk"},
               {"/user/coded_bits", T_I64, "bk"},
               {"/user/coded_bit_errors", T_I64, "bk"},
               {"/user/code_blocks", T_I64, "bk"},
               {"/user/code_block_errors", T_I64, "bk"},
               {"/user/constellation", T_C64, "rkp"},
               {"/eve/sinr_measured", T_F64, "bek"},
               {"/eve/bits", T_I64, "bek"},
               {"/eve/bit_errors", T_I64, "bek"},
               {"/eve/code_blocks", T_I64, "bek"},
               {"/eve/code_block_errors", T_I64, "bek"},
               {"/secrecy/rate_measured", T_F64, "bk"},
               {"/secrecy/rate_predicted", T_F64, "bk"},
               {"/attack/score", T_F64, "bk"},
               {"/attack/suspected", T_U8, "bk"},
               {"/block/learning", T_U8, "b"},
               {"/eve/sinr_genie", T_F64, "bek"},
               {"/secrecy/rate_genie", T_F64, "bk"},
               {"/events/wall_ns", T_U64, "w"},
               {"/events/block", T_U64, "w"},
               {"/events/text", T_TEXT, "w"},
               {"/what\never\033[2J", T_F64, "bb"}};
enum { N_DATASET = sizeof perfect / sizeof perfect[0] };

enum kind { K_DATASET, K_ABSENT, K_GROUP, K_SOFT_LINK, K_LINK_TO_ROOT, N_KIND };
enum space { S_SIMPLE, S_GROWING, S_NULL, N_SPACE };

struct dataset {
    enum kind kind;
    enum space space;
    int type, rank;
    hsize_t dims[MAX_RANK];
    bool reshaped, compressed, edited;
    uint8_t values, target, attribute, attribute_type, attribute_size; /* attribute: 0 = none, else its name */
};

static struct dataset planned[N_DATASET];
static uint64_t n_input, n_again;

struct input {
    const uint8_t *data;
    size_t n;
};

static uint8_t take(struct input *in)
{
    if (in->n == 0) {
        return 0;
    }
    in->n--;
    return *in->data++;
}

static hsize_t take_size(struct input *in)
{
    static const hsize_t sizes[] = {0, 1, 2, 3, 4, 5, 6, 7, 17, 64, 129, 257, 1000, 4097, 1ull << 36, 1ull << 62};
    return sizes[take(in) % (sizeof sizes / sizeof sizes[0])];
}

static void edit(struct input *in, struct dataset *d, hsize_t *size)
{
    switch (take(in) % 12) {
    case 0:
        d->kind = take(in) % N_KIND;
        d->target = (uint8_t)(take(in) % N_DATASET);
        break;
    case 1:
    case 2:
        d->type = take(in) % N_TYPE;
        break;
    case 3:
        d->rank = take(in) % (MAX_RANK + 1);
        d->reshaped = true;
        for (int i = 0; i < d->rank; i++) {
            d->dims[i] = take_size(in);
        }
        break;
    case 4:
    case 5: { /* one dimension only; 0 is kept for "as the others" */
        const int at = take(in) % MAX_RANK;
        d->dims[at] = take_size(in);
        d->reshaped = d->reshaped || d->dims[at] == 0;
        break;
    }
    case 6:
        d->space = take(in) % N_SPACE;
        break;
    case 7:
        d->attribute = (uint8_t)(take(in) % 4);
        d->attribute_type = (uint8_t)(take(in) % N_TYPE);
        d->attribute_size = (uint8_t)(take(in) % 6);
        break;
    case 8:
    case 9:
        d->values = take(in);
        break;
    case 10:
        d->compressed = true;
        d->space = S_GROWING;
        break;
    default: /* everywhere */
        size[take(in) % N_LETTER] = take_size(in);
    }
}

static void plan(struct input *in, struct dataset *datasets)
{
    hsize_t size[N_LETTER];
    memcpy(size, perfect_sizes, sizeof size);
    for (int i = 0; i < N_DATASET; i++) {
        datasets[i] = (struct dataset){.type = (int)perfect[i].type, .rank = (int)strlen(perfect[i].shape)};
    }
    for (int edits = 0; in->n && edits < 40; edits++) {
        const int at = take(in) % N_DATASET;
        edit(in, &datasets[at], size);
        datasets[at].edited = true;
    }
    for (int i = 0; i < N_DATASET; i++) {
        for (int d = 0; perfect[i].shape[d] && !datasets[i].reshaped; d++) {
            const size_t letter = (size_t)(strchr(letters, perfect[i].shape[d]) - letters);
            if (datasets[i].dims[d] == 0) {
                datasets[i].dims[d] = size[letter];
            }
            datasets[i].edited = datasets[i].edited || datasets[i].dims[d] != perfect_sizes[letter];
        }
    }
}

/* Writing it ------------------------------------------------------------------------------------------------------ */

static hid_t compound(int n, const char *const *names, const hid_t *parts)
{
    size_t bytes = 0, at = 0;
    for (int i = 0; i < n; i++) {
        bytes += H5Tget_size(parts[i]);
    }
    const hid_t type = H5Tcreate(H5T_COMPOUND, bytes);
    for (int i = 0; i < n; i++) {
        H5Tinsert(type, names[i], at, parts[i]);
        at += H5Tget_size(parts[i]);
    }
    return type;
}

static hid_t string(size_t bytes)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes);
    return type;
}

static hid_t derived(hid_t (*make)(hid_t), hid_t base)
{
    const hid_t type = make(base);
    H5Tclose(base);
    return type;
}

static hid_t array(hid_t base)
{
    return H5Tarray_create2(base, 1, (const hsize_t[]){3});
}

static hid_t boolean(hid_t base)
{
    const hid_t type = H5Tenum_create(base);
    H5Tenum_insert(type, "no", (const uint64_t[]){0});
    H5Tenum_insert(type, "yes", (const uint64_t[]){1});
    return type;
}

static hid_t complex_of(hid_t part)
{
    return compound(2, (const char *const[]){"r", "i"}, (const hid_t[]){part, part});
}

/* Numbers as we write them and as others do; invalid: another kind. */
static hid_t make_number(int type)
{
    switch (type) {
    case T_U8:
        return H5Tcopy(H5T_STD_U8LE);
    case T_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case T_I64:
        return H5Tcopy(H5T_STD_I64LE);
    case T_U64:
        return H5Tcopy(H5T_STD_U64LE);
    case T_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case 7:
        return H5Tcopy(H5T_STD_I8LE);
    case 8:
        return H5Tcopy(H5T_STD_U16BE);
    case 9:
        return H5Tcopy(H5T_STD_U32LE);
    case 10:
        return H5Tcopy(H5T_STD_I64BE);
    case 11:
        return H5Tcopy(H5T_STD_U64BE);
    case 12:
        return H5Tcopy(H5T_IEEE_F32BE);
    case 13:
        return H5Tcopy(H5T_NATIVE_LDOUBLE);
    case 29:
        return H5Tcopy(H5T_STD_B16LE);
    default:
        return H5I_INVALID_HID;
    }
}

static hid_t make_type(int type)
{
    const hid_t number = make_number(type);
    if (number >= 0) {
        return number;
    }
    switch (type) {
    case T_C64:
        return complex_of(H5T_IEEE_F32LE);
    case T_TEXT:
        return string(64);
    case 14:
        return complex_of(H5T_IEEE_F64BE);
    case 15:
        return complex_of(H5T_STD_I16LE);
    case 16:
        return compound(2, (const char *const[]){"i", "r"}, (const hid_t[]){H5T_IEEE_F32LE, H5T_IEEE_F64LE});
    case 17:
        return compound(1, (const char *const[]){"r"}, (const hid_t[]){H5T_IEEE_F32LE});
    case 18:
        return compound(3, (const char *const[]){"r", "i", "x"},
                        (const hid_t[]){H5T_IEEE_F32LE, H5T_IEEE_F32LE, H5T_STD_I32LE});
    case 19:
        return derived(complex_of, complex_of(H5T_IEEE_F32LE));
    case 20:
        return derived(complex_of, array(H5T_IEEE_F32LE));
    case 21:
        return string(1);
    case 22:
        return string(300);
    case 23:
    case 24:
        return string(H5T_VARIABLE);
    case 25:
        return boolean(H5T_STD_I8LE);
    case 26:
        return boolean(H5T_STD_I64BE);
    case 27:
        return H5Tcreate(H5T_OPAQUE, 3);
    case 28:
        return array(H5T_IEEE_F64LE);
    case 30:
        return H5Tcopy(H5T_STD_REF_OBJ);
    default:
        return H5Tvlen_create(H5T_STD_I32LE);
    }
}

static bool has_pointers(hid_t type)
{
    return H5Tis_variable_str(type) > 0 || H5Tget_class(type) == H5T_VLEN || H5Tget_class(type) == H5T_REFERENCE;
}

/* What is in a dataset: 0 its natural contents, else a pattern of bytes. */
static void fill(const struct dataset *d, size_t n, size_t value_bytes, uint8_t *out)
{
    static const uint8_t patterns[] = {0x00, 0xff, 0x7f, 0x80, 0x01, 0x41, 0xfe};
    uint32_t noise = d->values;
    for (size_t i = 0; i < n * value_bytes; i++) {
        noise = noise * 1664525u + 1013904223u;
        out[i] = d->values < 128 ? patterns[d->values % sizeof patterns] : (uint8_t)(noise >> 24);
    }
    if (d->values) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t *const at = out + i * value_bytes;
        switch (d->type) {
        case T_F64:
            memcpy(at, &(double){0.5}, 8);
            break;
        case T_C64:
            memcpy(at, (const float[2]){1.0f, -0.25f}, 8);
            break;
        case T_U64:
            memcpy(at, &(uint64_t){1700000000000000000u + 1000 * i}, 8);
            break;
        case T_TEXT:
            strcpy((char *)at, "network:\n  name: shapes\n");
            break;
        default:
            at[0] = 1;
        }
    }
}

static void write_values(const struct dataset *d, hid_t object, hid_t type, size_t n, bool attribute)
{
    static uint8_t values[WRITTEN_VALUES * 8 + MAX_TYPE_BYTES * 64];
    const size_t bytes = H5Tget_size(type);
    if (H5Tis_variable_str(type) > 0 && n <= 64) {
        static const char *const texts[64] = {"network:\n  name: shapes\n", "", NULL, "\033[2J"};
        attribute ? H5Awrite(object, type, texts) : H5Dwrite(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts);
    } else if (!has_pointers(type) && n && n <= sizeof values / bytes && n <= WRITTEN_VALUES) {
        fill(d, n, bytes, values);
        attribute ? H5Awrite(object, type, values) : H5Dwrite(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    }
}

static void write_attribute(const struct dataset *d, hid_t object)
{
    static const char *const names[] = {"", "ap_power", "first_block", "odd\nname"};
    const hsize_t size = d->attribute_size;
    const hid_t type = make_type(d->attribute_type);
    const hid_t space = size == 5   ? H5Screate(H5S_NULL)
                        : size == 0 ? H5Screate(H5S_SCALAR)
                                    : H5Screate_simple(1, &size, NULL);
    const hid_t attribute = H5Acreate2(object, names[d->attribute], type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) {
        write_values(d, attribute, type, (size_t)(size == 5 ? 0 : size ? size : 1), true);
        H5Aclose(attribute);
    }
    H5Sclose(space);
    H5Tclose(type);
}

static hid_t make_space(const struct dataset *d)
{
    hsize_t most[MAX_RANK];
    for (int i = 0; i < d->rank; i++) {
        most[i] = d->space == S_GROWING ? H5S_UNLIMITED : d->dims[i];
    }
    return d->space == S_NULL ? H5Screate(H5S_NULL)
           : d->rank == 0     ? H5Screate(H5S_SCALAR)
                              : H5Screate_simple(d->rank, d->dims, most);
}

static hid_t make_creation(const struct dataset *d)
{
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[MAX_RANK];
    for (int i = 0; i < d->rank; i++) {
        chunk[i] = d->dims[i] < 1 ? 1 : d->dims[i] > 4 ? 4 : d->dims[i];
    }
    if (d->space == S_GROWING && d->rank) {
        H5Pset_chunk(creation, d->rank, chunk);
    }
    if (d->compressed && d->rank) {
        H5Pset_deflate(creation, 1);
    }
    return creation;
}

static void write_dataset(hid_t file, const char *name, const struct dataset *d, hid_t links)
{
    const hid_t type = make_type(d->type), space = make_space(d), creation = make_creation(d);
    const hid_t dataset = H5Dcreate2(file, name, type, space, links, creation, H5P_DEFAULT);
    double n = d->space == S_NULL ? 0 : 1;
    for (int i = 0; i < d->rank; i++) {
        n *= (double)d->dims[i];
    }
    if (dataset >= 0) {
        if (n <= WRITTEN_VALUES) {
            write_values(d, dataset, type, (size_t)n, false);
        }
        if (d->attribute) {
            write_attribute(d, dataset);
        }
        H5Dclose(dataset);
    }
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(type);
}

static void write_object(hid_t file, const char *name, const struct dataset *d, hid_t links)
{
    hid_t group;
    switch (d->kind) {
    case K_GROUP:
        group = H5Gcreate2(file, name, links, H5P_DEFAULT, H5P_DEFAULT);
        if (group >= 0) {
            H5Gclose(group);
        }
        break;
    case K_SOFT_LINK:
        H5Lcreate_soft(perfect[d->target].name, file, name, links, H5P_DEFAULT);
        break;
    case K_LINK_TO_ROOT:
        H5Lcreate_hard(file, "/", file, name, links, H5P_DEFAULT);
        break;
    case K_DATASET:
        write_dataset(file, name, d, links);
        break;
    default:
        break;
    }
}

/* The file as it should be: most of it is the same in every input, and libhdf5 takes its time to write it. */
static struct {
    uint8_t bytes[1 << 18];
    size_t n;
} perfect_file[2]; /* in the oldest and in the newest format */

static hid_t access_list(bool newest)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (newest) {
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    }
    return access;
}

static hid_t link_list(void)
{
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    return links;
}

static void make_perfect_file(const char *path, bool newest)
{
    static struct dataset datasets[N_DATASET];
    struct input nothing = {NULL, 0};
    const hid_t access = access_list(newest), links = link_list();
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    MUST(file >= 0);
    plan(&nothing, datasets);
    for (int i = 0; i < N_DATASET; i++) {
        write_object(file, perfect[i].name, &datasets[i], links);
    }
    H5Pclose(links);
    H5Pclose(access);
    MUST(H5Fclose(file) >= 0);
    FILE *const in = fopen(path, "rb");
    MUST(in);
    const size_t n = perfect_file[newest].n = fread(perfect_file[newest].bytes, 1, sizeof perfect_file->bytes, in);
    MUST(n > 0 && n < sizeof perfect_file->bytes);
    fclose(in);
}

static void copy_perfect_file(const char *path, bool newest)
{
    if (perfect_file[newest].n == 0) {
        make_perfect_file(path, newest);
    }
    FILE *const out = fopen(path, "wb");
    MUST(out && fwrite(perfect_file[newest].bytes, 1, perfect_file[newest].n, out) == perfect_file[newest].n);
    MUST(fclose(out) == 0);
}

static void edit_file(hid_t file, const struct dataset *datasets)
{
    const hid_t links = link_list();
    for (int i = 0; i < N_DATASET; i++) {
        if (datasets[i].edited) {
            H5Ldelete(file, perfect[i].name, H5P_DEFAULT);
            write_object(file, perfect[i].name, &datasets[i], links);
        }
    }
    if (datasets[0].attribute) { /* the configuration's goes to the root */
        const hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
        write_attribute(&datasets[0], root);
        H5Gclose(root);
    }
    H5Pclose(links);
}

static void write_file(const char *path, struct input *in)
{
    const bool newest = take(in) & 1;
    n_input++;
    plan(in, planned);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    copy_perfect_file(path, newest);
    const hid_t access = access_list(newest), file = H5Fopen(path, H5F_ACC_RDWR, access);
    MUST(file >= 0);
    edit_file(file, planned);
    MUST(H5Fclose(file) >= 0);
    H5Pclose(access);
}

/* Reading it ------------------------------------------------------------------------------------------------------ */

static void note(int status, int good, int bad)
{
    const char *text = error_text();
    MUST(status >= 0 || (*text && !strchr(text, '\n') && !strchr(text, '\033')));
    n_outcome[status >= 0 ? good : bad]++;
}

/* In memory of exactly the size the description tells. */
static void read_raw(h5file_t *file, const char *path, const struct h5_info *info)
{
    const uint64_t row = h5file_rows_bytes(info, 1, 8);
    if (row > 1 << 20) {
        return;
    }
    const size_t n = info->rank == 0 ? 1 : info->dims[0] < 3 ? info->dims[0] : 3;
    uint8_t *const values = malloc(n * (size_t)row + 1);
    MUST(values);
    const int types[] = {(int)info->type, ((int)info->type + 1 + (int)(row % 6)) % H5_STRING};
    for (int i = 0; i < 2; i++) {
        const int type = types[i];
        if (info->rank == 0) {
            note(h5file_read(file, path, (enum h5_type)type, values, h5file_type_bytes((enum h5_type)type)),
                 DATASET_READ, DATASET_REFUSED);
        } else {
            note(h5file_read_rows(file, path, (enum h5_type)type, info->dims[0] - n, n, values), DATASET_READ,
                 DATASET_REFUSED);
        }
    }
    free(values);
}

enum { WARM_UP = 8 }; /* inputs of which everything is looked at */

/* One that is as in every other file was looked at before, with other readers than of whole recordings. */
static bool is_as_ever(const char *path)
{
    for (int i = 0; i < N_DATASET && n_input > WARM_UP; i++) {
        if (strcmp(perfect[i].name, path) == 0) {
            return !planned[i].edited;
        }
    }
    return false;
}

static void visit(void *context, const char *path, const struct h5_info *info)
{
    h5file_t *file = context;
    double values[4];
    uint64_t n;
    MUST(info->rank >= 0 && info->rank <= H5FILE_MAX_RANK);
    if (is_as_ever(path)) {
        return;
    }
    note(h5file_exists(file, path), DATASET_READ, DATASET_REFUSED);
    if (h5file_attribute_numbers(file, path, "ap_power", 4, values, &n) < 0) {
        note(-1, DATASET_READ, DATASET_REFUSED);
    }
    char *const text = h5file_read_text(file, path);
    note(text ? 0 : -1, DATASET_READ, DATASET_REFUSED);
    free(text);
    const uint64_t bytes = h5file_rows_bytes(info, info->rank ? info->dims[0] : 1, 8);
    if (info->type != H5_STRING && (bytes < 1 << 22 || bytes > 1ull << 40)) { /* between: allowed, but slow */
        struct dataset_stats stats;
        read_raw(file, path, info);
        note(dataset_stats(file, path, info, &stats), DATASET_READ, DATASET_REFUSED);
    }
}

/* As ever, too: neither an attribute nor an object that is not a dataset. */
static bool has_edited_attributes(void)
{
    bool edited = n_input <= WARM_UP;
    for (int i = 0; i < N_DATASET; i++) {
        edited = edited || planned[i].attribute || planned[i].kind != K_DATASET;
    }
    return edited;
}

static void visit_attribute(void *context, const char *object, const char *name, const char *value)
{
    size_t *const bytes = context;
    *bytes += strlen(object) + strlen(name) + strlen(value);
}

static void read_all(const char *path)
{
    enum { LIST_EVERY = 4 }; /* as long as all the rest, where only shapes and values are not as ever */
    h5file_t *file;
    size_t bytes = 0;
    MUST(h5file_open(&file, path) == 0);
    const bool odd = has_edited_attributes(), list = odd || n_input % LIST_EVERY == 0;
    for (int i = 0; i < N_DATASET; i++) {
        struct h5_info info;
        if (is_as_ever(perfect[i].name)) {
            continue;
        }
        const int there = h5file_exists(file, perfect[i].name);
        note(there, DATASET_READ, DATASET_REFUSED);
        const bool known = h5file_info(file, perfect[i].name, &info) == 0;
        MUST(there != 0 || !known);
        if (known && !list) {
            visit(file, perfect[i].name, &info);
        }
    }
    if (list) {
        note(h5file_list(file, visit, file), DATASET_READ, DATASET_REFUSED);
    }
    if (odd) {
        note(h5file_list_attributes(file, visit_attribute, &bytes), DATASET_READ, DATASET_REFUSED);
    }
    h5file_close(file);
}

static void read_as_run(const char *path)
{
    enum { REPORT_EVERY = 8 }; /* half of the time, and of what is in memory by then */
    static FILE *nowhere;
    nowhere = nowhere ? nowhere : fopen("/dev/null", "w");
    struct recording *recording = NULL;
    const int status = recording_load(&recording, path);
    note(status, RUN_LOADED, RUN_REFUSED);
    MUST((status < 0) == !recording);
    if (status < 0) {
        return;
    }
    struct summary *summary = summary_create(recording);
    bool has_plots;
    MUST(summary && nowhere);
    summary_print(summary, nowhere);
    MUST(n_input % REPORT_EVERY || report_write("/dev/null", path, recording, summary, &has_plots) == 0);
    summary_free(summary);
    recording_free(recording);
}

static void read_as_channels(const char *path)
{
    enum { ROOM = 2 };
    channel_file_t *file;
    struct channel_batch *batch = NULL;
    const int status = channel_file_open(&file, path, CHANNEL_AUTO);
    note(status, CHANNEL_OPENED, CHANNEL_REFUSED);
    if (status < 0) {
        return;
    }
    const struct channel_file_info *const info = channel_file_info(file);
    const int n = info->n_block < ROOM ? (int)info->n_block : ROOM;
    MUST(n > 0 && channel_batch_create(&batch, info, n) == 0);
    note(channel_file_read(file, info->n_block - (uint64_t)n, n, batch), BATCH_READ, BATCH_REFUSED);
    channel_batch_destroy(batch);
    channel_file_close(file);
}

/* Inputs are short: a third of them was there before. */
static bool was_there(const uint8_t *data, size_t n_bytes)
{
    enum { ROOM = 1 << 20 };
    static uint64_t hashes[ROOM];
    static size_t n;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < n_bytes; i++) {
        hash = (hash ^ data[i]) * 1099511628211u;
    }
    size_t at = (size_t)(hash >> 44) % ROOM;
    while (hashes[at] && hashes[at] != hash) {
        at = (at + 1) % ROOM;
    }
    if (hashes[at] || n == ROOM / 2) {
        return hashes[at] != 0;
    }
    hashes[at] = hash;
    n++;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char path[64];
    struct input in = {data, n_bytes};
    if (was_there(data, n_bytes)) {
        n_again++;
        return 0;
    }
    setenv("PATH", "/nonexistent", 1); /* no gnuplot: it is not what is tried here */
    snprintf(path, sizeof path, "%s/tutti-fuzz-%d.h5", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (int)getpid());
    write_file(path, &in);
    read_all(path);
    read_as_run(path);
    read_as_channels(path);
    unlink(path);
    return 0;
}

int fuzz_report(void)
{
    static const char *const names[] = {"datasets read",   "datasets refused", "runs loaded",  "runs refused",
                                        "channels opened", "channels refused", "batches read", "batches refused"};
    int n_unseen = 0;
    printf("%10llu inputs, %llu more the same as one of them\n", (unsigned long long)n_input,
           (unsigned long long)n_again);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        printf("%10llu %s\n", (unsigned long long)n_outcome[i], names[i]);
        n_unseen += n_outcome[i] == 0;
    }
    return n_unseen;
}
