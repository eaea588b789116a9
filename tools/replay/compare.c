/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/replay/compare.h"

#include "base/error.h"
#include "base/h5file.h"
#include "mimo/precoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPLINK_USED "/uplink/ap_used"

/* What goes into a solve, then what comes out, then users' data, which rest on the blocks before. */
enum kind { IN, OUT, UPLINK };
static const struct {
    const char *path;
    enum kind kind;
} datasets[] = {{"/block/ap_used", IN},
                {"/block/user_used", IN},
                {"/block/noise_power", IN},
                {"/block/beta", IN},
                {"/H_hat", IN},
                {"/error_variance", IN},
                {"/scheme", OUT},
                {"/reason", OUT},
                {"/W", OUT},
                {"/an", OUT},
                {"/an_share", OUT},
                {"/sinr_predicted", OUT},
                {"/sinr_bound", OUT},
                {UPLINK_USED, UPLINK},
                {"/uplink/bits", UPLINK},
                {"/uplink/bit_errors", UPLINK},
                {"/uplink/coded_bit_errors", UPLINK},
                {"/uplink/sinr_predicted", UPLINK},
                {"/uplink/sinr_measured", UPLINK},
                {"/uplink/evm", UPLINK}};
enum { N_DATASETS = sizeof datasets / sizeof datasets[0] };

struct side {
    h5file_t *file;
    uint64_t first_block, n_row;
    uint8_t *solved; /* [n_row] */
};

struct column {
    bool there; /* in both */
    enum h5_type type;
    size_t n;     /* values of a row */
    void *row[2]; /* of the run, of the replay */
    uint64_t n_row[2];
    size_t row_bytes; /* of each */
};

struct work {
    struct side side[2];
    bool inputs_only, has_budget; /* of time, so that the optimum's solve may be ended by the clock */
    struct column column[N_DATASETS];
};

/* Opening ---------------------------------------------------------------------------------------------------------- */

static int open_side(struct side *s, const char *path)
{
    struct h5_info info;
    double first = 0;
    uint64_t n = 0;
    int status = h5file_open(&s->file, path);
    status = status < 0 ? status : h5file_info(s->file, "/block/solved", &info);
    status = status < 0 ? status : h5file_attribute_numbers(s->file, "/", "first_block", 1, &first, &n);
    if (status < 0 || info.rank != 1) {
        return status < 0 ? status : error_set(TUTTI_EFORMAT, "%s: /block/solved is no list", path);
    }
    status = h5file_check_claim(s->file, "/block/solved", h5file_rows_bytes(&info, info.dims[0], 1));
    s->n_row = info.dims[0];
    s->first_block = n && first >= 0 && first < 9e15 ? (uint64_t)first : 0;
    s->solved = status < 0 ? NULL : calloc((size_t)s->n_row + 1, 1);
    if (status >= 0 && !s->solved) {
        return error_set(TUTTI_ENOMEM, "out of memory for %s", path);
    }
    return status < 0 ? status : h5file_read_rows(s->file, "/block/solved", H5_U8, 0, s->n_row, s->solved);
}

static int open_column(struct work *w, int d)
{
    struct column *c = &w->column[d];
    struct h5_info info[2];
    for (int i = 0; i < 2; i++) {
        if (h5file_exists(w->side[i].file, datasets[d].path) <= 0) {
            return TUTTI_OK;
        }
        const int status = h5file_info(w->side[i].file, datasets[d].path, &info[i]);
        if (status < 0) {
            return status;
        }
    }
    bool same = info[0].rank == info[1].rank && info[0].type == info[1].type && info[0].type != H5_STRING;
    c->n = 1;
    for (int i = 1; same && i < info[0].rank; i++) {
        same = info[0].dims[i] == info[1].dims[i];
        c->n *= info[0].dims[i];
    }
    if (!same) {
        return error_set(TUTTI_EFORMAT, "%s: not of the same shape in both, so not of the same network",
                         datasets[d].path);
    }
    c->n_row[0] = info[0].dims[0];
    c->n_row[1] = info[1].dims[0];
    c->type = info[0].type;
    const int status = h5file_check_claim(w->side[0].file, datasets[d].path,
                                          h5file_rows_bytes(&info[0], 1, h5file_type_bytes(c->type)));
    c->row_bytes = c->n * h5file_type_bytes(c->type);
    for (int i = 0; status >= 0 && i < 2; i++) {
        c->row[i] = calloc(1, c->row_bytes);
    }
    c->there = status >= 0;
    return status >= 0 && (!c->row[0] || !c->row[1]) ? error_set(TUTTI_ENOMEM, "out of memory for %s", datasets[d].path)
                                                     : status;
}

/* Comparing -------------------------------------------------------------------------------------------------------- */

/* Numbers of which a value is made: complex ones have two. */
static double number_at(const struct column *c, const void *row, size_t i)
{
    switch (c->type) {
    case H5_U8:
        return ((const uint8_t *)row)[i];
    case H5_I32:
        return ((const int32_t *)row)[i];
    case H5_F32:
    case H5_C64:
        return (double)((const float *)row)[i];
    case H5_F64:
        return ((const double *)row)[i];
    default:
        return (double)((const int64_t *)row)[i];
    }
}

/* The largest difference of two rows that differ in some bit; 0: in signs of zeros only. */
static double largest_difference(const struct column *c)
{
    const size_t n = c->type == H5_C64 ? 2 * c->n : c->n;
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double a = number_at(c, c->row[0], i), b = number_at(c, c->row[1], i), by = fabs(a - b);
        if (isnan(a) != isnan(b)) {
            return NAN;
        }
        largest = by > largest ? by : largest;
    }
    return largest;
}

/* 1: the block's rows of this dataset are the same, 0: they are not, and it is told if it is the first. */
static int compare_rows(struct work *w, int d, uint64_t block, struct comparison *c)
{
    struct column *column = &w->column[d];
    for (int i = 0; i < 2; i++) {
        const struct side *s = &w->side[i];
        const int status =
            h5file_read_rows(s->file, datasets[d].path, column->type, block - s->first_block, 1, column->row[i]);
        if (status < 0) {
            return status;
        }
    }
    if (memcmp(column->row[0], column->row[1], column->row_bytes) == 0) {
        return 1;
    }
    if (!c->dataset[0]) {
        c->block = block;
        c->largest = largest_difference(column);
        snprintf(c->dataset, sizeof c->dataset, "%s", datasets[d].path);
    }
    return 0;
}

/* Recorded is the largest reason of all subbands: behind another one there may be the clock in one of them. */
static bool is_cut(struct work *w, uint64_t block)
{
    int32_t reason = 0, scheme = 0;
    const struct side *s = &w->side[0];
    h5file_read_entry(s->file, "/reason", H5_I32, block - s->first_block, &reason);
    h5file_read_entry(s->file, "/scheme", H5_I32, block - s->first_block, &scheme);
    return reason == MIMO_REASON_DEADLINE || (w->has_budget && scheme == MIMO_OB && reason > MIMO_REASON_DEADLINE);
}

static int compare_block(struct work *w, uint64_t block, struct comparison *c)
{
    const bool cut = is_cut(w, block);
    bool identical = true;
    for (int d = 0; d < N_DATASETS; d++) {
        const bool left_out = datasets[d].kind == UPLINK || ((cut || w->inputs_only) && datasets[d].kind == OUT);
        const int same = w->column[d].there && !left_out ? compare_rows(w, d, block, c) : 1;
        if (same < 0) {
            return same;
        }
        identical = identical && same;
    }
    c->n_cut += cut;
    c->n_identical += identical;
    return TUTTI_OK;
}

/* Both have data of this block: from some access point. */
static bool has_uplink(const struct work *w, const struct column *used, uint64_t block)
{
    for (int i = 0; i < 2; i++) {
        const uint64_t row = block - w->side[i].first_block;
        if (row >= used->n_row[i] ||
            h5file_read_rows(w->side[i].file, UPLINK_USED, used->type, row, 1, used->row[i]) < 0 ||
            !memchr(used->row[i], 1, used->row_bytes)) {
            return false;
        }
    }
    return true;
}

static int compare_uplink(struct work *w, uint64_t block, struct comparison *c)
{
    bool identical = true, any = false;
    for (int d = 0; d < N_DATASETS; d++) {
        const struct column *const column = &w->column[d];
        if (datasets[d].kind != UPLINK || !column->there) {
            continue;
        }
        any = any || has_uplink(w, column, block); /* UPLINK_USED comes first */
        const int same = any ? compare_rows(w, d, block, c) : 1;
        if (same < 0) {
            return same;
        }
        identical = identical && same;
    }
    c->n_uplink += any;
    c->n_uplink_identical += any && identical;
    return TUTTI_OK;
}

static bool is_solved(const struct side *s, uint64_t block)
{
    return block >= s->first_block && block - s->first_block < s->n_row && s->solved[block - s->first_block];
}

static int compare_all(struct work *w, struct comparison *c)
{
    const struct side *run = &w->side[0];
    for (uint64_t block = run->first_block; block < run->first_block + run->n_row; block++) {
        const bool there = is_solved(run, block), played = there && is_solved(&w->side[1], block);
        c->n_solved += there;
        c->n_played += played;
        int status = played ? compare_block(w, block, c) : TUTTI_OK;
        if (status >= 0 && played && c->n_played == c->n_solved) { /* from the beginning, without a gap */
            status = compare_uplink(w, block, c);
        }
        if (status < 0) {
            return status;
        }
    }
    return TUTTI_OK;
}

int compare_runs(const char *run, const char *replay, bool inputs_only, struct comparison *comparison)
{
    struct work w = {.inputs_only = inputs_only};
    *comparison = (struct comparison){0};
    int status = open_side(&w.side[0], run);
    status = status < 0 ? status : open_side(&w.side[1], replay);
    for (int d = 0; status >= 0 && d < N_DATASETS; d++) {
        status = open_column(&w, d);
    }
    char *config = status < 0 ? NULL : h5file_read_text(w.side[0].file, "/config");
    w.has_budget = config && !strstr(config, "block_budget_us: 0\n");
    free(config);
    status = status < 0 ? status : compare_all(&w, comparison);
    for (int i = 0; i < 2; i++) {
        h5file_close(w.side[i].file);
        free(w.side[i].solved);
        for (int d = 0; d < N_DATASETS; d++) {
            free(w.column[d].row[i]);
        }
    }
    return status;
}
