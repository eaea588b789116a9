/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/reports.h"

#include "base/error.h"
#include "cpu_node/record/scan.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_COUNTS = SCAN_COUNTS, N_EVE_COUNTS = 4, CODE_BLOCK_ERRORS = 5 };

static const char *const COUNT_NAME[N_COUNTS] = {"bits",        "bit_errors",       "coded_bits", "coded_bit_errors",
                                                 "code_blocks", "code_block_errors"};
static const enum record_dataset COUNT_DATASET[N_COUNTS] = {R_USER_BITS,        R_USER_BIT_ERRORS,
                                                            R_USER_CODED_BITS,  R_USER_CODED_BIT_ERRORS,
                                                            R_USER_CODE_BLOCKS, R_USER_CODE_BLOCK_ERRORS};
static const char *const EVE_COUNT_NAME[N_EVE_COUNTS] = {"bits", "bit_errors", "code_blocks", "code_block_errors"};
static const enum record_dataset EVE_COUNT_DATASET[N_EVE_COUNTS] = {R_EVE_BITS, R_EVE_BIT_ERRORS, R_EVE_CODE_BLOCKS,
                                                                    R_EVE_CODE_BLOCK_ERRORS};

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
    r->numbers = calloc(2 * (size_t)shape->n_points + 1, sizeof *r->numbers);
    r->rate = calloc(n_ue, sizeof *r->rate);
    r->heard = calloc(2 * n_ue, sizeof *r->heard);
    r->counts = calloc(n_ue, sizeof *r->counts);
    const bool whole = r->sinr_db && r->points && r->numbers && r->rate && r->heard && r->counts;
    return whole ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the recorder");
}

void record_reports_destroy(struct record_reports *r)
{
    if (!r) {
        return;
    }
    free(r->sinr_db);
    free(r->points);
    free(r->numbers);
    free(r->rate);
    free(r->heard);
    free(r->counts);
    free(r);
}

/* A user's rate over the eavesdropper with most of `heard`: both ends have reported, or NaN. Only while both rows are
 * in memory. */
static void update_rate(struct record_reports *r, uint64_t block, enum record_dataset heard, enum record_dataset rate)
{
    const double *user = run_file_peek(r->file, R_USER_SINR, block), *eve = run_file_peek(r->file, heard, block);
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
    run_file_put(r->file, rate, block, r->rate);
}

static void update_rates(struct record_reports *r, uint64_t block)
{
    update_rate(r, block, R_EVE_SINR, R_RATE_MEASURED);
    update_rate(r, block, R_EVE_GENIE, R_RATE_GENIE);
}

/* numbers: re, im, re, im, ..; points that are missing are NaN. */
static void keep_points(struct record_reports *r, int user, uint64_t block, const double *number, int n)
{
    if (n < 0 || r->shape.n_points == 0 || block % CONSTELLATION_EVERY != 0) {
        return;
    }
    for (int p = 0; p < r->shape.n_points; p++) {
        const bool there = 2 * p + 1 < n;
        r->points[p] = there ? CMPLXF((float)number[2 * p], (float)number[2 * p + 1]) : CMPLXF(NAN, NAN);
    }
    run_file_put_cell(r->file, R_CONSTELLATION, block, (uint64_t)user, r->points);
}

enum { REPORT_IGNORED = 1, AHEAD_OF_SOLVE = 16 /* blocks that may still be under way to the recorder */ };

/* 0: to be kept, REPORT_IGNORED: of after the run, or a negative code. */
static int check_block(struct record_reports *r, int64_t number, struct report_span span, uint64_t *block)
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

static int keep_values(struct record_reports *r, int user, const struct scanned_report *v, struct report_span span,
                       uint64_t *block)
{
    const int status = check_block(r, v->block, span, block);
    if (status != 0) {
        return status;
    }
    const uint64_t cell = (uint64_t)user;
    run_file_put_cell(r->file, R_USER_SINR, *block, cell, &v->sinr);
    run_file_put_cell(r->file, R_USER_EVM, *block, cell, &v->evm);
    for (int i = 0; i < N_COUNTS; i++) {
        run_file_put_cell(r->file, COUNT_DATASET[i], *block, cell, &v->count[i]);
    }
    r->block_errors += v->count[CODE_BLOCK_ERRORS] > 0 ? (uint64_t)v->count[CODE_BLOCK_ERRORS] : 0u;
    if (v->sinr > 0) {
        stats_mean_add(&r->sinr_db[user], 10.0 * log10(v->sinr));
    }
    keep_points(r, user, *block, v->point, v->n_point);
    if (r->live) {
        live_report(r->live, user, v->sinr, v->evm, v->count[4], v->count[CODE_BLOCK_ERRORS]);
        if (v->n_point > 0) {
            live_points(r->live, user, v->point, v->n_point);
        }
    }
    update_rates(r, *block);
    return TUTTI_OK;
}

/* Any JSON of the right members, for reports that are not written as our users write them. */
static int keep_user(struct record_reports *r, int user, json_t *root, struct report_span span, uint64_t *block)
{
    json_int_t number, count[N_COUNTS];
    struct scanned_report v = {.n_point = -1, .point = r->numbers};
    json_t *points = NULL;
    if (json_unpack(root, "{s:I, s:F, s:F, s:I, s:I, s:I, s:I, s:I, s:I, s?o}", "block", &number, "sinr", &v.sinr,
                    "evm", &v.evm, COUNT_NAME[0], &count[0], COUNT_NAME[1], &count[1], COUNT_NAME[2], &count[2],
                    COUNT_NAME[3], &count[3], COUNT_NAME[4], &count[4], COUNT_NAME[5], &count[5], "constellation",
                    &points) != 0) {
        return TUTTI_EFORMAT;
    }
    v.block = number;
    for (int i = 0; i < N_COUNTS; i++) {
        v.count[i] = count[i];
    }
    const size_t n = json_is_array(points) ? json_array_size(points) : 0;
    for (v.n_point = 0; points && (size_t)v.n_point < n && v.n_point < 2 * r->shape.n_points; v.n_point++) {
        r->numbers[v.n_point] = json_number_value(json_array_get(points, (size_t)v.n_point));
    }
    v.n_point = json_is_array(points) ? v.n_point : -1;
    return keep_values(r, user, &v, span, block);
}

/* What a probe measured, if it is in a zone. 0 or TUTTI_EFORMAT. */
static int keep_zone(struct record_reports *r, int eve, json_t *root, uint64_t block)
{
    static const enum record_dataset DATASET[] = {R_ZONE_COMMUNICATION, R_ZONE_OWN, R_ZONE_CROSS, R_ZONE_NOISE,
                                                  R_ZONE_TOTAL};
    json_t *const zone = json_object_get(root, "zone");
    double v[5];
    if (!zone || r->shape.n_zone == 0) {
        return TUTTI_OK;
    }
    if (json_unpack(zone, "{s:F, s:F, s:F, s:F, s:F}", "communication", &v[0], "own", &v[1], "cross", &v[2], "noise",
                    &v[3], "total", &v[4]) != 0) {
        return TUTTI_EFORMAT;
    }
    for (int i = 0; i < 5; i++) {
        run_file_put_cell(r->file, DATASET[i], block, (uint64_t)eve, &v[i]);
    }
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
    for (size_t k = 0; k < n_ue; k++) {
        json_t *user = json_array_get(users, k);
        const bool idle = json_is_object(user) && json_object_size(user) == 0; /* nothing was sent to this user */
        r->heard[k] = r->heard[n_ue + k] = NAN;
        if (!idle && json_unpack(user, "{s:F, s:F}", "sinr", &r->heard[k], "sinr_genie", &r->heard[n_ue + k]) != 0) {
            return TUTTI_EFORMAT;
        }
    }
    run_file_put_cell(r->file, R_EVE_SINR, *block, (uint64_t)eve, r->heard);
    run_file_put_cell(r->file, R_EVE_GENIE, *block, (uint64_t)eve, r->heard + n_ue);
    int64_t *value = r->counts;
    for (int i = 0; i < N_EVE_COUNTS; i++) {
        for (size_t k = 0; k < n_ue; k++) {
            value[k] = json_integer_value(json_object_get(json_array_get(users, k), EVE_COUNT_NAME[i]));
        }
        run_file_put_cell(r->file, EVE_COUNT_DATASET[i], *block, (uint64_t)eve, value);
    }
    update_rates(r, *block);
    return keep_zone(r, eve, root, *block);
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

/* A user that nothing was sent to is there all the same. */
static bool is_idle(const char *json, int64_t *block)
{
    return sscanf(json, "{\"type\":\"idle\",\"block\":%" SCNd64 "}", block) == 1;
}

int record_reports_user(struct record_reports *r, int user, const char *json, struct report_span span, uint64_t *block)
{
    int64_t idle_block;
    if (is_idle(json, &idle_block)) {
        const int status = check_block(r, idle_block, span, block);
        r->n_bad += status == TUTTI_EFORMAT;
        return status;
    }
    struct scanned_report v = {.point = r->numbers, .room = 2 * r->shape.n_points};
    if (!scan_report(json, COUNT_NAME, &v)) {
        return keep(r, "report", keep_user, user, json, span, block);
    }
    const int status = keep_values(r, user, &v, span, block);
    r->n_bad += status == TUTTI_EFORMAT;
    return status;
}

int record_reports_eve(struct record_reports *r, int eve, const char *json, struct report_span span, uint64_t *block)
{
    return keep(r, "eve_report", keep_eve, eve, json, span, block);
}
