/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/results/recording.h"

#include "base/error.h"
#include "base/frame.h"
#include "base/h5file.h"
#include "mimo/expected.h"
#include "tools/results/predicted.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLICE_BYTES = 1 << 24 };

/* One dataset wanted: its row shape is known beforehand, so a file that disagrees with itself is refused. */
struct want {
    const char *path;
    enum h5_type type;
    size_t element_bytes;
    int rank;
    size_t dims[H5FILE_MAX_RANK]; /* dims[0] unused: rows */
    uint64_t n_row;               /* rows to give back */
};

/* The file, and how much has been taken from it. */
struct source {
    h5file_t *h5;
    uint64_t n_bytes; /* of all arrays so far */
};

static size_t row_values(const struct want *want)
{
    size_t n = 1;
    for (int d = 1; d < want->rank; d++) {
        n *= want->dims[d];
    }
    return n;
}

static int shape_agrees(const struct want *want, const struct h5_info *info)
{
    bool same = info->rank == want->rank;
    for (int d = 1; same && d < want->rank; d++) {
        same = info->dims[d] == want->dims[d];
    }
    return same ? 0 : error_set(TUTTI_EFORMAT, "%s: its shape does not fit the other datasets", want->path);
}

static void *never_written(const struct want *want)
{
    const size_t n = row_values(want) * (size_t)want->n_row;
    void *data = calloc(n ? n : 1, want->element_bytes);
    if (!data) {
        return NULL;
    }
    if (want->type == H5_F64) {
        for (size_t i = 0; i < n; i++) {
            ((double *)data)[i] = NAN;
        }
    }
    if (want->type == H5_C64) {
        for (size_t i = 0; i < 2 * n; i++) {
            ((float *)data)[i] = NAN;
        }
    }
    return data;
}

/* The number of blocks is what the file says: before memory is taken for it, can that be? */
static int check_size(struct source *file, const struct want *want)
{
    uint64_t bytes = (uint64_t)row_values(want) * want->element_bytes; /* the dimensions of a row are checked */
    if (__builtin_mul_overflow(bytes, want->n_row, &bytes) || __builtin_add_overflow(bytes, file->n_bytes, &bytes)) {
        bytes = UINT64_MAX;
    }
    file->n_bytes = bytes;
    const int status = h5file_check_claim(file->h5, "its number of blocks", bytes);
    const double memory_bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (status == 0 && (double)bytes > memory_bytes) {
        return error_set(TUTTI_ENOMEM,
                         "%s: %.3g GB are needed for a dataset of %llu rows and those before it; this "
                         "machine has %.3g GB",
                         want->path, (double)bytes * 1e-9, (unsigned long long)want->n_row, memory_bytes * 1e-9);
    }
    return status;
}

/* In slices, so that no call into HDF5 takes long. */
static int read_rows(struct source *file, const struct want *want, uint64_t n, void *data)
{
    const uint64_t row_bytes = row_values(want) * want->element_bytes;
    const uint64_t at_once = row_bytes < SLICE_BYTES ? SLICE_BYTES / row_bytes : 1;
    int status = 0;
    for (uint64_t first = 0; status == 0 && first < n; first += at_once) {
        const uint64_t left = n - first;
        status = h5file_read_rows(file->h5, want->path, want->type, first, left < at_once ? left : at_once,
                                  (char *)data + first * row_bytes);
    }
    return status;
}

static int load(struct source *file, struct want want, void *out)
{
    int status = check_size(file, &want);
    if (status < 0) {
        return status;
    }
    void *data = never_written(&want);
    if (!data) {
        return error_set(TUTTI_ENOMEM, "%s: out of memory", want.path);
    }
    *(void **)out = data;
    struct h5_info info;
    if (h5file_info(file->h5, want.path, &info) < 0) {
        return 0;
    }
    status = shape_agrees(&want, &info);
    if (status < 0) {
        return status;
    }
    const uint64_t n = info.dims[0] < want.n_row ? info.dims[0] : want.n_row;
    return n && row_values(&want) ? read_rows(file, &want, n, data) : 0;
}

/* Mean of the recorded subbands' predictions; NaN when one of them does not serve the user. */
static double mean_over_subbands(const double *sinr, int n_sb, int stride)
{
    double sum = 0;
    for (int s = 0; s < n_sb; s++) {
        if (!(sinr[s * stride] > 0)) {
            return NAN;
        }
        sum += sinr[s * stride];
    }
    return sum / n_sb;
}

/* A slice of rows of what a prediction is made from. */
struct slice {
    struct predicted_shape shape;
    size_t n_coefficient, n_variance; /* per block */
    uint64_t n_row;
    tutti_cf32 *H_hat, *W;
    double *error_variance;
    const double *recorded; /* /sinr_predicted, all rows [n_block][n_sb][n_ue] */
};

/* 1 if the file has channels, precoders and error variances that fit each other. */
static int slice_shape(h5file_t *file, const struct recording *r, struct slice *slice)
{
    struct h5_info h, w, e;
    if (h5file_info(file, "/H_hat", &h) < 0 || h5file_info(file, "/W", &w) < 0 ||
        h5file_info(file, "/error_variance", &e) < 0 || h.rank != 5 || w.rank != 5 || e.rank != 4) {
        return 0;
    }
    const size_t n_sb = (size_t)r->n_sb, n_ap = (size_t)r->n_ap, n_ue = (size_t)r->n_ue;
    for (int d = 1; d < 5; d++) {
        if (h.dims[d] != w.dims[d]) {
            return 0;
        }
    }
    if (h.dims[1] != n_sb || h.dims[2] != n_ap || h.dims[3] < 1 || h.dims[3] > TUTTI_MAX_ANT || h.dims[4] != n_ue ||
        e.dims[1] != n_sb || e.dims[2] != n_ap || e.dims[3] != n_ue) {
        return 0;
    }
    slice->shape = (struct predicted_shape){.n_sb = r->n_sb, .n_ap = r->n_ap, .n_ant = (int)h.dims[3], .n_ue = r->n_ue};
    slice->n_coefficient = n_sb * n_ap * h.dims[3] * n_ue;
    slice->n_variance = n_sb * n_ap * n_ue;
    const uint64_t shorter = h.dims[0] < w.dims[0] ? h.dims[0] : w.dims[0];
    slice->n_row = shorter < e.dims[0] ? shorter : e.dims[0];
    slice->n_row = slice->n_row < r->n_block ? slice->n_row : r->n_block;
    return 1;
}

static int predict_rows(h5file_t *file, struct recording *r, const struct slice *slice, uint64_t first, uint64_t n)
{
    int status = h5file_read_rows(file, "/H_hat", H5_C64, first, n, slice->H_hat);
    if (status == 0) {
        status = h5file_read_rows(file, "/W", H5_C64, first, n, slice->W);
    }
    if (status == 0) {
        status = h5file_read_rows(file, "/error_variance", H5_F64, first, n, slice->error_variance);
    }
    for (uint64_t i = 0; status == 0 && i < n; i++) {
        int n_exact = 0;
        for (int k = 0; k < r->n_ue; k++) {
            const double sinr =
                predicted_sinr(&slice->shape, slice->H_hat + i * slice->n_coefficient,
                               slice->W + i * slice->n_coefficient, slice->error_variance + i * slice->n_variance,
                               slice->recorded + (first + i) * (uint64_t)(r->n_sb * r->n_ue), k);
            double *const out = &r->sinr_predicted[(first + i) * (uint64_t)r->n_ue + (uint64_t)k];
            if (isnan(sinr) || isnan(*out)) {
                continue;
            }
            *out = sinr;
            n_exact++;
        }
        r->n_predicted_exact += n_exact > 0;
    }
    return status;
}

static int predict_exactly(h5file_t *file, struct recording *r, const double *recorded)
{
    struct slice slice = {.recorded = recorded};
    struct h5_info pilot;
    const bool shared = h5file_info(file, "/cluster/pilot", &pilot) == 0;
    if (!slice_shape(file, r, &slice)) {
        return 0;
    }
    uint64_t rows_at_once = SLICE_BYTES / (slice.n_coefficient * sizeof *slice.H_hat);
    rows_at_once = rows_at_once < 1 ? 1 : rows_at_once > 16 ? 16 : rows_at_once;
    int status = h5file_check_claim(file, "/H_hat", slice.n_row * slice.n_coefficient * sizeof *slice.H_hat);
    if (status < 0) {
        return status;
    }
    slice.H_hat = malloc(rows_at_once * slice.n_coefficient * sizeof *slice.H_hat);
    slice.W = malloc(rows_at_once * slice.n_coefficient * sizeof *slice.W);
    slice.error_variance = malloc(rows_at_once * slice.n_variance * sizeof *slice.error_variance);
    slice.shape.work = shared ? malloc(2 * (size_t)r->n_ue * sizeof *slice.shape.work) : NULL;
    status = slice.H_hat && slice.W && slice.error_variance && (slice.shape.work || !shared)
                 ? 0
                 : error_set(TUTTI_ENOMEM, "/H_hat: out of memory");
    for (uint64_t first = 0; status == 0 && first < slice.n_row; first += rows_at_once) {
        const uint64_t left = slice.n_row - first;
        status = predict_rows(file, r, &slice, first, left < rows_at_once ? left : rows_at_once);
    }
    free(slice.H_hat);
    free(slice.W);
    free(slice.error_variance);
    free(slice.shape.work);
    return status;
}

/* One subband's shortfall of the bound. Users not served have SINR 0. */
static double gap_to_bound(const double *sinr, int n_ue, double bound)
{
    double least = INFINITY;
    for (int k = 0; k < n_ue; k++) {
        if (sinr[k] > 0) {
            least = fmin(least, sinr[k]);
        }
    }
    if (!(bound > 0) || isinf(bound) || isinf(least)) {
        return NAN;
    }
    return fmax(1 - least / bound, 0); /* below 0 by rounding only */
}

/* Recordings of earlier versions have none. */
static int load_expected(struct source *file, struct recording *r)
{
    struct h5_info info;
    if (h5file_info(file->h5, "/sinr_expected", &info) < 0 || h5file_info(file->h5, "/loss_db", &info) < 0) {
        return TUTTI_OK;
    }
    int status =
        load(file, (struct want){"/sinr_expected", H5_F64, 8, 2, {0, (size_t)r->n_ue}, r->n_block}, &r->sinr_expected);
    return status ? status
                  : load(file, (struct want){"/loss_db", H5_F64, 8, 2, {0, EXPECTED_N}, r->n_block}, &r->loss_db);
}

/* Writes over the bounds what is missing to them. */
static int load_gap(struct source *file, struct recording *r, const double *sinr)
{
    const size_t n_sb = (size_t)r->n_sb, n_ue = (size_t)r->n_ue;
    const int status = load(file, (struct want){"/sinr_bound", H5_F64, 8, 2, {0, n_sb}, r->n_block}, &r->gap);
    for (size_t i = 0; status == 0 && i < (size_t)r->n_block * n_sb; i++) {
        r->gap[i] = gap_to_bound(sinr + i * n_ue, r->n_ue, r->gap[i]);
    }
    return status;
}

static int load_predicted(struct source *file, struct recording *r)
{
    double *all = NULL;
    const size_t n_ue = (size_t)r->n_ue, n_sb = (size_t)r->n_sb;
    int status =
        load(file, (struct want){"/sinr_predicted", H5_F64, sizeof(double), 3, {0, n_sb, n_ue}, r->n_block}, &all);
    if (status == 0) {
        r->sinr_predicted = malloc((size_t)r->n_block * n_ue * sizeof(double) + 1);
        if (!r->sinr_predicted) {
            status = error_set(TUTTI_ENOMEM, "/sinr_predicted: out of memory");
        }
    }
    for (size_t b = 0; status == 0 && b < r->n_block; b++) {
        for (size_t k = 0; k < n_ue; k++) {
            r->sinr_predicted[b * n_ue + k] = mean_over_subbands(all + b * n_sb * n_ue + k, r->n_sb, r->n_ue);
        }
    }
    if (status == 0) {
        status = load_gap(file, r, all);
    }
    if (status == 0) {
        status = predict_exactly(file->h5, r, all);
    }
    free(all);
    return status;
}

static uint64_t n_rows(h5file_t *file, const char *path)
{
    struct h5_info info;
    return h5file_info(file, path, &info) == 0 && info.rank > 0 ? info.dims[0] : 0;
}

static int read_shape(h5file_t *file, const char *path, struct recording *r)
{
    struct h5_info hops, bits, predicted;
    if (h5file_info(file, "/hops/capture_end_ns", &hops) < 0 || h5file_info(file, "/user/bits", &bits) < 0 ||
        hops.rank != 2 || bits.rank != 2) {
        return error_set(TUTTI_EFORMAT, "%s is not a run recording: it has no /hops/capture_end_ns or /user/bits",
                         path);
    }
    const bool has_sinr = h5file_info(file, "/sinr_predicted", &predicted) == 0 && predicted.rank == 3;
    if (hops.dims[1] < 1 || hops.dims[1] > TUTTI_MAX_AP || bits.dims[1] < 1 || bits.dims[1] > TUTTI_MAX_UE ||
        (has_sinr && (predicted.dims[1] < 1 || predicted.dims[1] > TUTTI_MAX_SB))) {
        return error_set(TUTTI_EFORMAT, "%s: impossible number of access points, users or subbands", path);
    }
    r->n_ap = (int)hops.dims[1];
    r->n_ue = (int)bits.dims[1];
    r->n_sb = has_sinr ? (int)predicted.dims[1] : 1;
    const char *const growing[] = {"/hops/solve_start_ns", "/user/bits", "/hops/capture_end_ns", "/solve_time_s"};
    for (size_t i = 0; i < sizeof growing / sizeof growing[0]; i++) {
        const uint64_t n = n_rows(file, growing[i]);
        r->n_block = n > r->n_block ? n : r->n_block;
    }
    return 0;
}

static int load_ap_arrays(struct source *file, struct recording *r)
{
    static const char *const stamp_path[RECORDING_N_STAMP] = {"/hops/capture_end_ns",       "/hops/csi_sent_ns",
                                                              "/hops/csi_received_ns",      "/hops/precoder_sent_ns",
                                                              "/hops/precoder_received_ns", "/hops/applied_ns"};
    const size_t n_ap = (size_t)r->n_ap;
    int status = 0;
    for (int i = 0; status == 0 && i < RECORDING_N_STAMP; i++) {
        status = load(file, (struct want){stamp_path[i], H5_U64, 8, 2, {0, n_ap}, r->n_block}, &r->stamp[i]);
    }
    if (status == 0) {
        status = load(file, (struct want){"/block/ap_used", H5_U8, 1, 2, {0, n_ap}, r->n_block}, &r->ap_used);
    }
    if (status == 0) {
        status = load(file, (struct want){"/applied/kind", H5_U8, 1, 2, {0, n_ap}, r->n_block}, &r->applied);
    }
    if (status == 0) {
        status = load(file, (struct want){"/applied/arrival", H5_U8, 1, 2, {0, n_ap}, r->n_block}, &r->arrival);
    }
    if (status == 0) {
        status = load(file, (struct want){"/radio/events", H5_I64, 8, 3, {0, n_ap, 5}, r->n_block}, &r->events);
    }
    return status;
}

static int load_block_arrays(struct source *file, struct recording *r)
{
    int status = load(file, (struct want){"/hops/solve_start_ns", H5_U64, 8, 1, {0}, r->n_block}, &r->solve_start_ns);
    if (status == 0) {
        status = load(file, (struct want){"/hops/solve_end_ns", H5_U64, 8, 1, {0}, r->n_block}, &r->solve_end_ns);
    }
    if (status == 0) {
        status = load(file, (struct want){"/solve_time_s", H5_F64, 8, 1, {0}, r->n_block}, &r->solve_time_s);
    }
    if (status == 0) {
        status = load(file, (struct want){"/scheme", H5_I32, 4, 1, {0}, r->n_block}, &r->scheme);
    }
    if (status == 0) {
        status = load(file, (struct want){"/reason", H5_I32, 4, 1, {0}, r->n_block}, &r->reason);
    }
    return status;
}

static int load_user_arrays(struct source *file, struct recording *r)
{
    const size_t n_ue = (size_t)r->n_ue;
    const struct {
        const char *path;
        int64_t **out;
    } counts[] = {{"/user/bits", &r->bits},
                  {"/user/bit_errors", &r->bit_errors},
                  {"/user/coded_bits", &r->coded_bits},
                  {"/user/coded_bit_errors", &r->coded_bit_errors},
                  {"/user/code_blocks", &r->code_blocks},
                  {"/user/code_block_errors", &r->code_block_errors}};
    struct h5_info info;
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof counts / sizeof counts[0]; i++) {
        status = load(file, (struct want){counts[i].path, H5_I64, 8, 2, {0, n_ue}, r->n_block}, counts[i].out);
    }
    if (status == 0) {
        status =
            load(file, (struct want){"/user/sinr_measured", H5_F64, 8, 2, {0, n_ue}, r->n_block}, &r->sinr_measured);
    }
    if (status == 0) {
        status = load(file, (struct want){"/user/evm", H5_F64, 8, 2, {0, n_ue}, r->n_block}, &r->evm);
    }
    if (status == 0) {
        status = load(file, (struct want){"/block/user_used", H5_U8, 1, 2, {0, n_ue}, r->n_block}, &r->user_used);
    }
    if (status == 0) {
        status = load(file, (struct want){"/block/learning", H5_U8, 1, 1, {0}, r->n_block}, &r->learning);
    }
    if (status == 0) {
        status = load(file, (struct want){"/schedule/place", H5_I32, 4, 2, {0, n_ue}, r->n_block}, &r->place);
    }
    if (status == 0) {
        status = load(file, (struct want){"/schedule/age_blocks", H5_I32, 4, 2, {0, n_ue}, r->n_block}, &r->age_blocks);
    }
    if (status == 0 && h5file_info(file->h5, "/cluster/serves", &info) >= 0) {
        const size_t n_ap = (size_t)r->n_ap;
        status = load(file, (struct want){"/cluster/pilot", H5_I32, 4, 2, {0, n_ue}, r->n_block}, &r->pilot);
        status =
            status ? status
                   : load(file, (struct want){"/cluster/serves", H5_U8, 1, 3, {0, n_ap, n_ue}, r->n_block}, &r->serves);
    }
    status = status ? status : load_expected(file, r);
    if (status < 0 || h5file_info(file->h5, "/user/constellation", &info) < 0 || info.rank != 3 || info.dims[2] < 1 ||
        info.dims[2] > 65536) {
        return status;
    }
    r->n_constellation = info.dims[0];
    r->n_point = (int)info.dims[2];
    return load(file, (struct want){"/user/constellation", H5_C64, 8, 3, {0, n_ue, info.dims[2]}, r->n_constellation},
                &r->constellation);
}

static int load_eve_arrays(struct source *file, struct recording *r)
{
    const size_t n_ue = (size_t)r->n_ue;
    struct h5_info info;
    int status = load(file, (struct want){"/attack/score", H5_F64, 8, 2, {0, n_ue}, r->n_block}, &r->attack_score);
    if (status == 0) {
        status =
            load(file, (struct want){"/attack/suspected", H5_U8, 1, 2, {0, n_ue}, r->n_block}, &r->attack_suspected);
    }
    if (status == 0) {
        status = load(file, (struct want){"/secrecy/rate_measured", H5_F64, 8, 2, {0, n_ue}, r->n_block},
                      &r->secrecy_measured);
    }
    if (status == 0) {
        status =
            load(file, (struct want){"/secrecy/rate_genie", H5_F64, 8, 2, {0, n_ue}, r->n_block}, &r->secrecy_genie);
    }
    if (status == 0) {
        status = load(file, (struct want){"/secrecy/rate_predicted", H5_F64, 8, 2, {0, n_ue}, r->n_block},
                      &r->secrecy_predicted);
    }
    if (status < 0 || h5file_info(file->h5, "/eve/sinr_measured", &info) < 0 || info.rank != 3 || info.dims[1] < 1 ||
        info.dims[1] > TUTTI_MAX_UE) {
        return status;
    }
    const struct {
        const char *path;
        int64_t **out;
    } counts[] = {{"/eve/bits", &r->eve_bits},
                  {"/eve/bit_errors", &r->eve_bit_errors},
                  {"/eve/code_blocks", &r->eve_code_blocks},
                  {"/eve/code_block_errors", &r->eve_code_block_errors}};
    const size_t n_eve = info.dims[1];
    r->n_eve = (int)n_eve;
    status = load(file, (struct want){"/eve/sinr_measured", H5_F64, 8, 3, {0, n_eve, n_ue}, r->n_block}, &r->eve_sinr);
    if (status == 0) {
        status =
            load(file, (struct want){"/eve/sinr_genie", H5_F64, 8, 3, {0, n_eve, n_ue}, r->n_block}, &r->eve_genie);
    }
    for (size_t i = 0; status == 0 && i < sizeof counts / sizeof counts[0]; i++) {
        status = load(file, (struct want){counts[i].path, H5_I64, 8, 3, {0, n_eve, n_ue}, r->n_block}, counts[i].out);
    }
    return status;
}

static int load_uplink_points(struct source *file, const struct recording *r, struct recording_uplink *u)
{
    struct h5_info info;
    if (h5file_info(file->h5, "/uplink/constellation", &info) < 0 || info.rank != 3 || info.dims[2] < 1 ||
        info.dims[2] > 65536) {
        return 0;
    }
    u->n_point = (int)info.dims[2];
    u->n_constellation = (r->n_block + 15) / 16;
    return load(
        file,
        (struct want){"/uplink/constellation", H5_C64, 8, 3, {0, (size_t)r->n_ue, info.dims[2]}, u->n_constellation},
        &u->constellation);
}

static int load_uplink(struct source *file, struct recording *r)
{
    struct recording_uplink *const u = &r->uplink;
    struct h5_info info;
    u->there = h5file_info(file->h5, "/uplink/sinr_measured", &info) >= 0;
    const size_t n_ue = (size_t)r->n_ue, n_ap = (size_t)r->n_ap;
    const struct {
        struct want want;
        void *out;
    } arrays[] = {
        {{"/uplink/sinr_measured", H5_F64, 8, 2, {0, n_ue}, r->n_block}, &u->sinr_measured},
        {{"/uplink/sinr_predicted", H5_F64, 8, 2, {0, n_ue}, r->n_block}, &u->sinr_predicted},
        {{"/uplink/evm", H5_F64, 8, 2, {0, n_ue}, r->n_block}, &u->evm},
        {{"/uplink/bits", H5_I64, 8, 2, {0, n_ue}, r->n_block}, &u->bits},
        {{"/uplink/bit_errors", H5_I64, 8, 2, {0, n_ue}, r->n_block}, &u->bit_errors},
        {{"/uplink/coded_bits", H5_I64, 8, 2, {0, n_ue}, r->n_block}, &u->coded_bits},
        {{"/uplink/coded_bit_errors", H5_I64, 8, 2, {0, n_ue}, r->n_block}, &u->coded_bit_errors},
        {{"/uplink/code_blocks", H5_I64, 8, 2, {0, n_ue}, r->n_block}, &u->code_blocks},
        {{"/uplink/code_block_errors", H5_I64, 8, 2, {0, n_ue}, r->n_block}, &u->code_block_errors},
        {{"/uplink/bytes", H5_I64, 8, 2, {0, n_ap}, r->n_block}, &u->bytes},
        {{"/uplink/ap_used", H5_U8, 1, 2, {0, n_ap}, r->n_block}, &u->ap_used},
        {{"/uplink/combine_time_s", H5_F64, 8, 1, {0}, r->n_block}, &u->combine_s},
        {{"/uplink/decode_time_s", H5_F64, 8, 1, {0}, r->n_block}, &u->decode_s},
    };
    int status = 0;
    for (size_t i = 0; u->there && status == 0 && i < sizeof arrays / sizeof arrays[0]; i++) {
        status = load(file, arrays[i].want, arrays[i].out);
    }
    return u->there && status == 0 ? load_uplink_points(file, r, u) : status;
}

static int load_sensing(struct source *file, struct recording *r)
{
    struct recording_sensing *const s = &r->sensing;
    struct h5_info info;
    if (h5file_info(file->h5, "/sensing/masr", &info) < 0 || info.rank != 2 || info.dims[1] < 1 ||
        info.dims[1] > TUTTI_MAX_UE) {
        return 0;
    }
    s->there = true;
    s->n_zone = (int)info.dims[1];
    const size_t n_zone = info.dims[1], n_ue = (size_t)r->n_ue, n_ap = (size_t)r->n_ap, n_eve = (size_t)r->n_eve;
    const struct {
        struct want want;
        void *out;
    } arrays[] = {
        {{"/sensing/mode", H5_U8, 1, 2, {0, n_ap}, r->n_block}, &s->mode},
        {{"/sensing/eta_s", H5_F64, 8, 3, {0, n_ap, n_zone}, r->n_block}, &s->eta_s},
        {{"/sensing/sinr", H5_F64, 8, 2, {0, n_ue}, r->n_block}, &s->sinr},
        {{"/sensing/masr", H5_F64, 8, 2, {0, n_zone}, r->n_block}, &s->masr},
        {{"/sensing/sinr_eve", H5_F64, 8, 2, {0, n_zone}, r->n_block}, &s->sinr_eve},
        {{"/zone/communication", H5_F64, 8, 2, {0, n_eve}, r->n_block}, &s->communication},
        {{"/zone/own", H5_F64, 8, 2, {0, n_eve}, r->n_block}, &s->own},
        {{"/zone/cross", H5_F64, 8, 2, {0, n_eve}, r->n_block}, &s->cross},
        {{"/zone/noise", H5_F64, 8, 2, {0, n_eve}, r->n_block}, &s->noise},
    };
    const size_t n = sizeof arrays / sizeof arrays[0] - (n_eve ? 0 : 4); /* no eavesdroppers, no probes */
    int status = 0;
    for (size_t i = 0; status == 0 && i < n; i++) {
        status = load(file, arrays[i].want, arrays[i].out);
    }
    return status;
}

/* Recordings of before they had events tell of none. */
static int load_events(h5file_t *file, struct recording *r)
{
    struct h5_info info;
    if (h5file_info(file, "/events/text", &info) < 0 || info.rank != 1) {
        return 0;
    }
    uint64_t n = info.dims[0] < RECORDING_MAX_EVENTS ? info.dims[0] : RECORDING_MAX_EVENTS;
    n = n_rows(file, "/events/wall_ns") < n ? n_rows(file, "/events/wall_ns") : n;
    n = n_rows(file, "/events/block") < n ? n_rows(file, "/events/block") : n;
    int status = h5file_check_claim(file, "/events", n * sizeof *r->event);
    if (status < 0 || n == 0) {
        return status;
    }
    r->event = calloc(n, sizeof *r->event);
    if (!r->event) {
        return error_set(TUTTI_ENOMEM, "/events: out of memory");
    }
    for (; status == 0 && r->n_event < n; r->n_event++) {
        struct recording_event *e = &r->event[r->n_event];
        status = h5file_read_entry(file, "/events/wall_ns", H5_U64, r->n_event, &e->wall_ns);
        status = status < 0 ? status : h5file_read_entry(file, "/events/block", H5_U64, r->n_event, &e->block);
        status = status < 0 ? status : h5file_read_texts(file, "/events/text", r->n_event, 1, sizeof e->text, e->text);
    }
    return status;
}

/* The configuration loader reads files, so the text goes through an anonymous one. */
static struct config *parse_config(const char *yaml)
{
    const int fd = memfd_create("config.yaml", MFD_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    const size_t n = strlen(yaml);
    struct config *config = NULL;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, yaml, n) == (ssize_t)n && config_load(&config, path, NULL, 0) < 0) {
        config = NULL;
    }
    close(fd);
    return config;
}

static void load_texts(h5file_t *file, struct recording *r)
{
    struct frame frame;
    r->version = h5file_read_text(file, "/version");
    r->config_yaml = h5file_read_text(file, "/config");
    r->config = r->config_yaml ? parse_config(r->config_yaml) : NULL;
    r->lag_blocks = r->config && frame_init(&frame, r->config) == 0 ? frame.lag_blocks : 0;
    r->block_s = r->config ? r->config->frame.block_us * 1e-6 : NAN;
}

int recording_load(struct recording **out, const char *path)
{
    *out = NULL;
    struct recording *r = calloc(1, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "%s: out of memory", path);
    }
    h5file_t *file = NULL;
    int status = h5file_open(&file, path);
    if (status == 0) {
        status = read_shape(file, path, r);
    }
    struct source source = {.h5 = file};
    if (status == 0) {
        status = load_ap_arrays(&source, r);
    }
    if (status == 0) {
        status = load_block_arrays(&source, r);
    }
    if (status == 0) {
        status = load_user_arrays(&source, r);
    }
    if (status == 0) {
        status = load_eve_arrays(&source, r);
    }
    if (status == 0) {
        status = load_uplink(&source, r);
    }
    if (status == 0) {
        status = load_sensing(&source, r);
    }
    if (status == 0) {
        status = load_predicted(&source, r);
    }
    if (status == 0) {
        status = load_events(file, r);
    }
    if (status == 0) {
        load_texts(file, r);
    }
    h5file_close(file);
    if (status < 0) {
        recording_free(r);
    } else {
        *out = r;
    }
    return status;
}

bool recording_user_counts(const struct recording *r, uint64_t block, int user)
{
    if (block < (uint64_t)r->lag_blocks) {
        return false; /* nobody had a precoder for it */
    }
    const size_t solved = (size_t)block - (size_t)r->lag_blocks;
    return r->solve_start_ns[solved] == 0 || r->user_used[solved * (size_t)r->n_ue + (size_t)user] != 0;
}

static void free_uplink(struct recording_uplink *u)
{
    void *const arrays[] = {
        u->sinr_measured, u->sinr_predicted,    u->evm,   u->bits,    u->bit_errors, u->coded_bits, u->coded_bit_errors,
        u->code_blocks,   u->code_block_errors, u->bytes, u->ap_used, u->combine_s,  u->decode_s,   u->constellation};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        free(arrays[i]);
    }
}

static void free_sensing(struct recording_sensing *s)
{
    void *const arrays[] = {s->mode,          s->eta_s, s->sinr,  s->masr, s->sinr_eve,
                            s->communication, s->own,   s->cross, s->noise};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        free(arrays[i]);
    }
}

void recording_free(struct recording *r)
{
    if (!r) {
        return;
    }
    for (int i = 0; i < RECORDING_N_STAMP; i++) {
        free(r->stamp[i]);
    }
    void *const arrays[] = {r->version,
                            r->config_yaml,
                            r->solve_start_ns,
                            r->solve_end_ns,
                            r->scheme,
                            r->reason,
                            r->solve_time_s,
                            r->ap_used,
                            r->user_used,
                            r->learning,
                            r->place,
                            r->pilot,
                            r->serves,
                            r->age_blocks,
                            r->sinr_expected,
                            r->loss_db,
                            r->gap,
                            r->applied,
                            r->arrival,
                            r->evm,
                            r->sinr_measured,
                            r->sinr_predicted,
                            r->bits,
                            r->bit_errors,
                            r->coded_bits,
                            r->coded_bit_errors,
                            r->code_blocks,
                            r->code_block_errors,
                            r->events,
                            r->event,
                            r->constellation,
                            r->eve_sinr,
                            r->eve_genie,
                            r->eve_bits,
                            r->eve_bit_errors,
                            r->eve_code_blocks,
                            r->eve_code_block_errors,
                            r->secrecy_measured,
                            r->secrecy_genie,
                            r->secrecy_predicted,
                            r->attack_score,
                            r->attack_suspected};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        free(arrays[i]);
    }
    free_uplink(&r->uplink);
    free_sensing(&r->sensing);
    free(r->parts.n_sent);
    free(r->parts.weight);
    free(r->parts.alone_db);
    config_free(r->config);
    free(r);
}
