/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/inspect/dataset_stats.h"

#include "base/error.h"
#include "base/stats.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows are read so many values at a time, or one at a time if they are longer than that. */
enum { SLICE_VALUES = 1 << 18, MAX_ROW_BYTES = 1 << 30 };

struct scan {
    struct dataset_stats *stats;
    double *sample;
    uint64_t n_sample, stride;
    bool integers;
};

/* Shapes are what the file says: nothing is allocated for, or waited for, that cannot be in it. */
static int check_size(h5file_t *file, const char *path, const struct h5_info *info)
{
    static const size_t least_bytes[] = {[H5_U8] = 1,  [H5_I32] = 1, [H5_I64] = 4, [H5_U64] = 8,
                                         [H5_F32] = 2, [H5_F64] = 8, [H5_C64] = 4}; /* of a value in the file */
    const uint64_t row_bytes = h5file_rows_bytes(info, 1, sizeof(double)), n = info->rank ? info->dims[0] : 1;
    const int status = h5file_check_claim(file, path, h5file_rows_bytes(info, n, least_bytes[info->type]));
    if (status == 0 && n > 0 && row_bytes > MAX_ROW_BYTES) {
        return error_set(TUTTI_EFORMAT, "%.200s: a row has %.3g GB; at most %.3g GB can be looked at", path,
                         (double)row_bytes * 1e-9, MAX_ROW_BYTES * 1e-9);
    }
    return status;
}

/* Fits, see check_size. */
static uint64_t total_values(const struct h5_info *info)
{
    uint64_t n = 1;
    for (int d = 0; d < info->rank; d++) {
        n *= info->dims[d];
    }
    return n;
}

static void count_distinct(struct dataset_stats *s, int64_t value)
{
    int i = 0;
    while (i < s->n_distinct && s->value[i] < value) {
        i++;
    }
    if (i < s->n_distinct && s->value[i] == value) {
        s->count[i]++;
        return;
    }
    if (s->n_distinct == DATASET_MAX_DISTINCT) {
        s->n_distinct = -1;
        return;
    }
    memmove(&s->value[i + 1], &s->value[i], (size_t)(s->n_distinct - i) * sizeof s->value[0]);
    memmove(&s->count[i + 1], &s->count[i], (size_t)(s->n_distinct - i) * sizeof s->count[0]);
    s->value[i] = value;
    s->count[i] = 1;
    s->n_distinct++;
}

static void add(struct scan *scan, double value)
{
    struct dataset_stats *s = scan->stats;
    const uint64_t index = s->n++;
    if (isnan(value)) {
        s->n_nan++;
        return;
    }
    s->min = s->n - s->n_nan == 1 || value < s->min ? value : s->min;
    s->max = s->n - s->n_nan == 1 || value > s->max ? value : s->max;
    if (index % scan->stride == 0) {
        scan->sample[scan->n_sample++] = value;
    }
    if (scan->integers && s->n_distinct >= 0 && fabs(value) >= 0x1p63) {
        s->n_distinct = -1; /* does not fit; doubles so large are not exact anyway */
    }
    if (scan->integers && s->n_distinct >= 0) {
        count_distinct(s, (int64_t)value);
    }
}

static void add_slice(struct scan *scan, const void *data, uint64_t n, bool complex_values)
{
    for (uint64_t i = 0; i < n; i++) {
        if (complex_values) {
            add(scan, (double)cabsf(((const float complex *)data)[i]));
        } else {
            add(scan, ((const double *)data)[i]);
        }
    }
}

static int scan_rows(h5file_t *file, const char *path, const struct h5_info *info, struct scan *scan, void *data,
                     uint64_t rows_at_once)
{
    const bool is_complex = info->type == H5_C64;
    const enum h5_type type = is_complex ? H5_C64 : H5_F64;
    if (info->rank == 0) {
        const int status = h5file_read(file, path, type, data, h5file_type_bytes(type));
        if (status == 0) {
            add_slice(scan, data, 1, is_complex);
        }
        return status;
    }
    const uint64_t row = info->dims[0] ? total_values(info) / info->dims[0] : 0;
    for (uint64_t first = 0; row > 0 && first < info->dims[0]; first += rows_at_once) {
        const uint64_t left = info->dims[0] - first, n = left < rows_at_once ? left : rows_at_once;
        const int status = h5file_read_rows(file, path, type, first, n, data);
        if (status < 0) {
            return status;
        }
        add_slice(scan, data, n * row, is_complex);
    }
    return 0;
}

int dataset_stats(h5file_t *file, const char *path, const struct h5_info *info, struct dataset_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->min = stats->max = stats->median = NAN;
    int status = check_size(file, path, info);
    if (status < 0) {
        return status;
    }
    const uint64_t total = total_values(info);
    const uint64_t row = info->rank && info->dims[0] ? total / info->dims[0] : 1;
    uint64_t rows_at_once = row && row < SLICE_VALUES ? SLICE_VALUES / row : 1;
    if (info->rank && rows_at_once > info->dims[0]) {
        rows_at_once = info->dims[0] ? info->dims[0] : 1;
    }
    struct scan scan = {.stats = stats, .stride = (total + DATASET_SAMPLE - 1) / DATASET_SAMPLE};
    scan.stride = scan.stride ? scan.stride : 1;
    scan.integers = info->type == H5_U8 || info->type == H5_I32 || info->type == H5_I64 || info->type == H5_U64;
    stats->sampled = scan.stride > 1;
    stats->n_distinct = scan.integers ? 0 : -1;
    scan.sample = malloc((total < DATASET_SAMPLE ? (size_t)total + 1 : DATASET_SAMPLE) * sizeof *scan.sample);
    void *data = malloc((size_t)(rows_at_once * (row ? row : 1)) * sizeof(double));
    status = scan.sample && data ? 0 : error_set(TUTTI_ENOMEM, "%s: out of memory", path);
    if (status == 0) {
        status = scan_rows(file, path, info, &scan, data, rows_at_once);
    }
    if (status == 0 && scan.n_sample) {
        qsort(scan.sample, scan.n_sample, sizeof *scan.sample, stats_ascending);
        stats->median = scan.sample[(scan.n_sample - 1) / 2];
    }
    free(scan.sample);
    free(data);
    return status;
}
