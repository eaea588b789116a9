/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/reports.h"

#include "base/error.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_COUNTS = 6, N_EVE_COUNTS = 4, CODE_BLOCK_ERRORS = 5 };

static const struct {
    const char *name;
    enum record_dataset dataset;
} COUNT[N_COUNTS] = {{"bits", R_USER_BITS},
                     {"bit_errors", R_USER_BIT_ERRORS},
                     {"coded_bits", R_USER_CODED_BITS},
                     {"coded_bit_errors", R_USER_CODED_BIT_ERRORS},
                     {"code_blocks", R_USER_CODE_BLOCKS},
                     {"code_block_errors", R_USER_CODE_BLOCK_ERRORS}},
  EVE_COUNT[N_EVE_COUNTS] = {{"bits", R_EVE_BITS},
                             {"bit_errors", R_EVE_BIT_ERRORS},
                             {"code_blocks", R_EVE_CODE_BLOCKS},
                             {"code_block_errors", R_EVE_CODE_BLOCK_ERRORS}};

int record_reports_create(struct record_reports **reports, run_file_t *file, const struct record_shape *shape)
{
    struct record_reports *r = *reports = calloc(1, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    const size_t n_ue = (size_t)shape->n_ue;
    r->file = file;
    r->shape = *shape;
    r->sinr_db = calloc(n_ue, sizeof *r->sinr_db);
    r->points = calloc((size_t)shape->n_points + 1, sizeof *r->points);
    r->rate = calloc(n_ue, sizeof *r->rate);
    r->cells = calloc(n_ue, 8);
    const bool whole = r->sinr_db && r->points && r->rate && r->cells;
    return whole ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the recorder");
}

void record_reports_destroy(struct record_reports *r)
{
    if (!r) {
        return;
    }
    free(r->sinr_db);
    free(r->points);
    free(r->rate);
    free(r->cells);
    free(r);
}

/* A user's rate over the best eavesdropper: both ends have reported, or NaN. Only while both rows are in memory. */
static void update_rate(struct record_reports *r, uint64_t block)
{
    const double *user = run_file_peek(r->file, R_USER_SINR, block), *eve = run_file_peek(r->file, R_EVE_SINR, block);
    if (r->shape.n_eve == 0 || !user || !eve) {
        return;
    }
    for (int k = 0; k < r->shape.n_ue; k++) {
        double worst = NAN;
        for (int e = 0; e < r->shape.n_eve; e++) {
            worst = fmax(worst, eve[e * r->shape.n_ue + k]); /* fmax passes over NaN */
        }
        const bool both = !isnan(worst) && !isnan(user[k]);
        r->rate[k] = both ? fmax(log2(1 + user[k]) - log2(1 + worst), 0) : NAN;
    }
    run_file_put(r->file, R_RATE_MEASURED, block, r->rate);
}

static void keep_points(struct record_reports *r, int user, uint64_t block, json_t *points)
{
    if (!json_is_array(points) || r->shape.n_points == 0 || block % CONSTELLATION_EVERY != 0) {
        return;
    }
    const size_t n = json_array_size(points);
    for (size_t p = 0; p < (size_t)r->shape.n_points; p++) {
        const bool there = 2 * p + 1 < n;
        r->points[p] = there ? CMPLXF((float)json_number_value(json_array_get(points, 2 * p)),
                                      (float)json_number_value(json_array_get(points, 2 * p + 1)))
                             : CMPLXF(NAN, NAN);
    }
    run_file_put_cell(r->file, R_CONSTELLATION, block, (uint64_t)user, r->points);
}

enum { REPORT_IGNORED = 1, AHEAD_OF_SOLVE = 16 /* blocks that may still be under way to the recorder */ };

/* 0: to be kept, REPORT_IGNORED: of after the run, or a negative code. */
static int check_block(struct record_reports *r, json_int_t number, struct report_span span, uint64_t *block)
{
    if (number < 0) {
        return TUTTI_EFORMAT;
    }
    *block = (uint64_t)number;
    if (*block < span.first || *block >= span.end) {
        r->n_outside++;
        return TUTTI_EINVAL;
    }
    if (*block >= span.over) {
        return REPORT_IGNORED;
    }
    const uint8_t *solved = run_file_peek(r->file, R_SOLVED, *block);
    r->n_unsolved += *block < span.solved ? !solved || !*solved : *block > span.solved + AHEAD_OF_SOLVE;
    return TUTTI_OK;
}

static int keep_user(struct record_reports *r, int user, json_t *root, struct report_span span, uint64_t *block)
{
    json_int_t number, count[N_COUNTS];
    double sinr, evm;
    json_t *points = NULL;
    if (json_unpack(root, "{s:I, s:F, s:F, s:I, s:I, s:I, s:I, s:I, s:I, s?o}", "block", &number, "sinr", &sinr, "evm",
                    &evm, COUNT[0].name, &count[0], COUNT[1].name, &count[1], COUNT[2].name, &count[2], COUNT[3].name,
                    &count[3], COUNT[4].name, &count[4], COUNT[5].name, &count[5], "constellation", &points) != 0) {
        return TUTTI_EFORMAT;
    }
    const int status = check_block(r, number, span, block);
    if (status != 0) {
        return status;
    }
    const uint64_t cell = (uint64_t)user;
    run_file_put_cell(r->file, R_USER_SINR, *block, cell, &sinr);
    run_file_put_cell(r->file, R_USER_EVM, *block, cell, &evm);
    for (int i = 0; i < N_COUNTS; i++) {
        const int64_t value = count[i];
        run_file_put_cell(r->file, COUNT[i].dataset, *block, cell, &value);
    }
    r->block_errors += count[CODE_BLOCK_ERRORS] > 0 ? (uint64_t)count[CODE_BLOCK_ERRORS] : 0u;
    if (sinr > 0) {
        stats_mean_add(&r->sinr_db[user], 10.0 * log10(sinr));
    }
    keep_points(r, user, *block, points);
    update_rate(r, *block);
    return TUTTI_OK;
}

/* [n_ue] entries, one per user's stream. */
static int keep_eve(struct record_reports *r, int eve, json_t *root, struct report_span span, uint64_t *block)
{
    json_int_t number;
    json_t *users;
    const size_t n_ue = (size_t)r->shape.n_ue;
    if (json_unpack(root, "{s:I, s:o}", "block", &number, "users", &users) != 0 || !json_is_array(users) ||
        json_array_size(users) != n_ue || eve >= r->shape.n_eve) {
        return TUTTI_EFORMAT;
    }
    const int status = check_block(r, number, span, block);
    if (status != 0) {
        return status;
    }
    double *sinr = r->cells;
    for (size_t k = 0; k < n_ue; k++) {
        if (json_unpack(json_array_get(users, k), "{s:F}", "sinr", &sinr[k]) != 0) {
            return TUTTI_EFORMAT;
        }
    }
    run_file_put_cell(r->file, R_EVE_SINR, *block, (uint64_t)eve, sinr);
    int64_t *value = r->cells;
    for (int i = 0; i < N_EVE_COUNTS; i++) {
        for (size_t k = 0; k < n_ue; k++) {
            value[k] = json_integer_value(json_object_get(json_array_get(users, k), EVE_COUNT[i].name));
        }
        run_file_put_cell(r->file, EVE_COUNT[i].dataset, *block, (uint64_t)eve, value);
    }
    update_rate(r, *block);
    return TUTTI_OK;
}

typedef int keep_fn(struct record_reports *r, int id, json_t *root, struct report_span span, uint64_t *block);

static int keep(struct record_reports *r, const char *wanted, keep_fn *keeper, int id, const char *json,
                struct report_span span, uint64_t *block)
{
    json_t *root = json_loads(json, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const int status = type && strcmp(type, wanted) == 0 ? keeper(r, id, root, span, block) : TUTTI_EFORMAT;
    r->n_bad += status == TUTTI_EFORMAT;
    json_decref(root);
    return status;
}

int record_reports_user(struct record_reports *r, int user, const char *json, struct report_span span, uint64_t *block)
{
    return keep(r, "report", keep_user, user, json, span, block);
}

int record_reports_eve(struct record_reports *r, int eve, const char *json, struct report_span span, uint64_t *block)
{
    return keep(r, "eve_report", keep_eve, eve, json, span, block);
}
