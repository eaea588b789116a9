/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users' data of a run with several central nodes: each user's figures from the file whose central node decoded it. */
#include "tools/results/join_uplink.h"

#include "base/error.h"
#include "base/h5file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows [from, from + n) of the recording are rows [at, at + n) of the other file. */
struct overlap {
    h5file_t *file;
    uint64_t from, at, n;
};

static uint64_t first_block_of(h5file_t *file)
{
    double first = 0;
    uint64_t n = 0;
    const int status = h5file_attribute_numbers(file, "/", "first_block", 1, &first, &n);
    return status == 0 && n == 1 && first >= 0 && first < 9e15 ? (uint64_t)first : 0;
}

static void find_overlap(const struct recording *r, uint64_t first, uint64_t n_row, struct overlap *o)
{
    const uint64_t other = first_block_of(o->file);
    o->from = other > first ? other - first : 0;
    o->at = first > other ? first - other : 0;
    const uint64_t mine = r->n_block > o->from ? r->n_block - o->from : 0, its = n_row > o->at ? n_row - o->at : 0;
    o->n = mine < its ? mine : its;
}

/* The overlap's rows of a dataset with n_each values of n_bytes in one; NULL: no memory, or not what it should be. */
static void *read_rows(const struct overlap *o, const char *path, enum h5_type type, size_t n_bytes, size_t n_each)
{
    struct h5_info info;
    if (h5file_info(o->file, path, &info) < 0 || info.dims[0] < o->at + o->n ||
        (info.rank == 2 && info.dims[1] != n_each) || (info.rank == 1 && n_each != 1) || info.rank > 2) {
        return NULL;
    }
    void *const rows = malloc(o->n * n_each * n_bytes + 1);
    if (rows && h5file_read_rows(o->file, path, type, o->at, o->n, rows) < 0) {
        free(rows);
        return NULL;
    }
    return rows;
}

static int join_users(const struct recording *r, const struct overlap *o)
{
    const struct recording_uplink *const u = &r->uplink;
    const size_t n_ue = (size_t)r->n_ue;
    const struct {
        const char *path;
        enum h5_type type;
        void *mine;
    } figures[] = {
        {"/uplink/sinr_predicted", H5_F64, u->sinr_predicted},
        {"/uplink/evm", H5_F64, u->evm},
        {"/uplink/bits", H5_I64, u->bits},
        {"/uplink/bit_errors", H5_I64, u->bit_errors},
        {"/uplink/coded_bits", H5_I64, u->coded_bits},
        {"/uplink/coded_bit_errors", H5_I64, u->coded_bit_errors},
        {"/uplink/code_blocks", H5_I64, u->code_blocks},
        {"/uplink/code_block_errors", H5_I64, u->code_block_errors},
        {"/uplink/sinr_measured", H5_F64, u->sinr_measured}, /* the last: who decoded is seen in it */
    };
    const size_t n_figure = sizeof figures / sizeof figures[0], first = o->from * n_ue;
    double *const its = read_rows(o, "/uplink/sinr_measured", H5_F64, 8, n_ue);
    int status = its ? 0 : TUTTI_EFORMAT;
    for (size_t i = 0; status == 0 && i < n_figure; i++) {
        char *const rows = read_rows(o, figures[i].path, figures[i].type, 8, n_ue);
        status = rows ? 0 : TUTTI_EFORMAT;
        for (size_t e = 0; rows && e < o->n * n_ue; e++) {
            if (isnan(u->sinr_measured[first + e]) && !isnan(its[e])) {
                memcpy((char *)figures[i].mine + 8 * (first + e), rows + 8 * e, 8);
            }
        }
        free(rows);
    }
    free(its);
    return status;
}

/* Access points are in one file each, and time is everybody's. */
static int join_nodes(const struct recording *r, const struct overlap *o)
{
    const struct recording_uplink *const u = &r->uplink;
    const size_t n_ap = (size_t)r->n_ap, first = o->from * n_ap;
    int64_t *const bytes = read_rows(o, "/uplink/bytes", H5_I64, 8, n_ap);
    uint8_t *const used = read_rows(o, "/uplink/ap_used", H5_U8, 1, n_ap);
    double *const combine = read_rows(o, "/uplink/combine_time_s", H5_F64, 8, 1);
    double *const decode = read_rows(o, "/uplink/decode_time_s", H5_F64, 8, 1);
    const bool good = bytes && used && combine && decode;
    for (size_t e = 0; good && e < o->n * n_ap; e++) {
        u->bytes[first + e] = bytes[e] > 0 ? bytes[e] : u->bytes[first + e];
        u->ap_used[first + e] |= used[e];
    }
    for (size_t e = 0; good && e < o->n; e++) {
        u->combine_s[o->from + e] += combine[e];
        u->decode_s[o->from + e] += decode[e];
    }
    free(bytes);
    free(used);
    free(combine);
    free(decode);
    return good ? 0 : TUTTI_EFORMAT;
}

/* A row of points per so many blocks, of users that have none here. */
static int join_points(const struct recording *r, const struct overlap *o)
{
    const struct recording_uplink *const u = &r->uplink;
    const size_t n_point = (size_t)u->n_point, n_each = (size_t)r->n_ue * n_point;
    struct h5_info info;
    if (u->n_constellation == 0 || o->from != 0 || o->at != 0 ||
        h5file_info(o->file, "/uplink/constellation", &info) < 0) {
        return 0;
    }
    if (info.rank != 3 || info.dims[1] * info.dims[2] != n_each) {
        return TUTTI_EFORMAT;
    }
    const uint64_t n = info.dims[0] < u->n_constellation ? info.dims[0] : u->n_constellation;
    tutti_cf32 *const its = malloc(n * n_each * sizeof *its + 1);
    const int status = its ? h5file_read_rows(o->file, "/uplink/constellation", H5_C64, 0, n, its) : TUTTI_ENOMEM;
    for (size_t e = 0; status == 0 && e < n * n_each; e++) {
        u->constellation[e] = isnan(crealf(u->constellation[e])) ? its[e] : u->constellation[e];
    }
    free(its);
    return status;
}

/* Rows that all datasets have: one that is being written, or was given up, has more of some. 0: one is missing. */
static uint64_t rows_of(h5file_t *file)
{
    static const char *const paths[] = {
        "/uplink/sinr_measured",    "/uplink/sinr_predicted", "/uplink/evm",         "/uplink/bits",
        "/uplink/bit_errors",       "/uplink/coded_bits",     "/uplink/code_blocks", "/uplink/code_block_errors",
        "/uplink/coded_bit_errors", "/uplink/bytes",          "/uplink/ap_used",     "/uplink/combine_time_s",
        "/uplink/decode_time_s"};
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct h5_info info;
        const uint64_t n = h5file_info(file, paths[i], &info) < 0 ? 0 : info.dims[0];
        least = n < least ? n : least;
    }
    return least;
}

static int join_file(const struct recording *r, uint64_t first, const char *path)
{
    struct overlap o = {0};
    struct h5_info info;
    int status = h5file_open(&o.file, path);
    if (status == 0 && h5file_info(o.file, "/uplink/sinr_measured", &info) >= 0) {
        find_overlap(r, first, rows_of(o.file), &o);
        status = o.n > 0 ? join_nodes(r, &o) : 0;
        status = status < 0 || o.n == 0 ? status : join_points(r, &o);
        status = status < 0 || o.n == 0 ? status : join_users(r, &o);
        status =
            status == TUTTI_EFORMAT
                ? error_set(TUTTI_EFORMAT, "%s: its users' data are not of a network of %d users and %d access points",
                            path, r->n_ue, r->n_ap)
                : status;
    }
    h5file_close(o.file);
    return status;
}

int recording_join_uplink(struct recording *r, int n, const char *const *files)
{
    h5file_t *own = NULL;
    if (!r->uplink.there || n < 2) {
        return 0;
    }
    int status = h5file_open(&own, files[0]);
    const uint64_t first = status == 0 ? first_block_of(own) : 0;
    h5file_close(own);
    for (int c = 1; status == 0 && c < n; c++) {
        status = join_file(r, first, files[c]);
    }
    return status;
}
