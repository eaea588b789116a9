/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports of users and eavesdroppers, and accounts of APs, into rows (nothing is written to disk here). */
#include "base/error.h"
#include "cpu_node/record/reports.h"
#include "cpu_node/record/rows.h"
#include "cpu_node/record/scan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_UE = 2, N_EVE = 2, N_AP = 2, N_POINTS = 2 };
static const struct record_shape SHAPE = {
    .n_sb = 1, .n_ap = N_AP, .n_ant = 1, .n_ue = N_UE, .n_eve = N_EVE, .n_points = N_POINTS};
static const struct report_span SPAN = {.first = 32, .end = 1000, .over = 900, .solved = 42};

static run_file_t *file;
static struct record_reports *reports;
static struct record_rows *rows;

static int enter(void **state)
{
    (void)state;
    const struct run_file_settings settings = {.path = "", .config = "", .shape = SHAPE};
    assert_int_equal(run_file_create(&file, &settings), 0);
    assert_int_equal(record_reports_create(&reports, file, &SHAPE), 0);
    assert_int_equal(record_rows_create(&rows, file, &SHAPE), 0);
    run_file_begin(file, 32);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    record_reports_destroy(reports);
    record_rows_destroy(rows);
    run_file_destroy(file);
    return 0;
}

static int user_report(int user, long long block, double sinr, const char *more)
{
    char json[512];
    uint64_t told = 0;
    snprintf(json, sizeof json,
             "{\"type\":\"report\",\"block\":%lld,\"sinr\":%.17g,\"evm\":0.5,\"bits\":10,\"bit_errors\":1,"
             "\"coded_bits\":20,\"coded_bit_errors\":2,\"code_blocks\":3,\"code_block_errors\":%d%s}",
             block, sinr, user + 1, more);
    const int status = record_reports_user(reports, user, json, SPAN, &told);
    assert_true(status < 0 || told == (uint64_t)block);
    return status;
}

static void a_users_report_fills_its_cells(void **state)
{
    (void)state;
    assert_int_equal(user_report(1, 48, 100.25, ",\"constellation\":[1,-1,0.5,2]"), 0);
    assert_true(((const double *)run_file_peek(file, R_USER_SINR, 48))[1] == 100.25);
    assert_true(isnan(((const double *)run_file_peek(file, R_USER_SINR, 48))[0]));
    assert_true(((const double *)run_file_peek(file, R_USER_EVM, 48))[1] == 0.5);
    static const enum record_dataset COUNTS[] = {R_USER_BITS,        R_USER_BIT_ERRORS,
                                                 R_USER_CODED_BITS,  R_USER_CODED_BIT_ERRORS,
                                                 R_USER_CODE_BLOCKS, R_USER_CODE_BLOCK_ERRORS};
    static const int64_t WANT[] = {10, 1, 20, 2, 3, 2};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(((const int64_t *)run_file_peek(file, COUNTS[i], 48))[1], WANT[i]);
        assert_int_equal(((const int64_t *)run_file_peek(file, COUNTS[i], 48))[0], 0);
    }
    const tutti_cf32 *points = run_file_peek(file, R_CONSTELLATION, 48);
    assert_true(points[N_POINTS] == CMPLXF(1, -1) && points[N_POINTS + 1] == CMPLXF(0.5f, 2));
    assert_true(isnan(crealf(points[0])));
    assert_int_equal(reports->block_errors, 2);
    assert_true(reports->sinr_db[1].count == 1 && fabs(reports->sinr_db[1].mean - 10 * log10(100.25)) < 1e-12);
}

/* The quick way and the parser say the same; what the quick way does not know goes to the parser. */
static void both_ways_of_reading_agree(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"a", "b", "c", "d", "e", "f"};
    double point[3];
    struct scanned_report r = {.point = point, .room = 3};
#define REST "\"a\":1,\"b\":-2,\"c\":3,\"d\":4,\"e\":5,\"f\":123456789012345"
    assert_true(scan_report("{\"type\":\"report\",\"block\":48,\"sinr\":1.25e3,\"evm\":-0.5," REST
                            ",\"constellation\":[1,-2.5,3,4]}",
                            NAMES, &r));
    assert_true(r.block == 48 && r.sinr == 1250 && r.evm == -0.5 && r.count[1] == -2 && r.count[5] == 123456789012345);
    assert_true(r.n_point == 3 && point[0] == 1 && point[1] == -2.5 && point[2] == 3);
    static const char *const NOT[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"type\":\"report\"}",
        "{\"type\":\"reports\",\"block\":1}",
        "{\"type\":\"report\",\"block\":1,\"sinr\":1,\"evm\":1}",           /* members missing */
        "{\"type\":\"report\",\"block\":1,\"sinr\":1,\"evm\":1," REST "} ", /* more behind it */
        "{\"type\":\"report\",\"block\":1,\"sinr\":1,\"evm\":1," REST,      /* cut */
        "{\"type\":\"report\",\"block\":1,\"sinr\":1,\"evm\":1," REST ",}",
        "{\"type\":\"report\",\"block\":1.5,\"sinr\":1,\"evm\":1," REST "}",
        "{\"type\":\"report\",\"block\":1e3,\"sinr\":1,\"evm\":1," REST "}",
        "{\"type\":\"report\",\"block\":1,\"sinr\":0x10,\"evm\":1," REST "}",
        "{\"type\":\"report\",\"block\":1,\"sinr\":nan,\"evm\":1," REST "}",
        "{\"type\":\"report\",\"block\":1,\"sinr\":1-2,\"evm\":1," REST "}",
        "{\"type\":\"report\",\"block\":01,\"sinr\":1,\"evm\":1," REST "}",
        "{\"type\":\"report\",\"block\":1,\"sinr\":1,\"evm\":1," REST ",\"constellation\":[1,]}",
        "{\"type\":\"report\",\"block\":1,\"sinr\":1,\"evm\":1," REST ",\"other\":1}"};
    for (size_t i = 0; i < sizeof NOT / sizeof NOT[0]; i++) {
        if (scan_report(NOT[i], NAMES, &r)) {
            fail_msg("taken: %s", NOT[i]);
        }
    }
    assert_int_equal(user_report(0, 64, 1.5, ", \"constellation\": [1, 2], \"later\": {\"a\": []}"),
                     0); /* the parser */
    assert_true(((const double *)run_file_peek(file, R_USER_SINR, 64))[0] == 1.5);
    assert_int_equal(((const int64_t *)run_file_peek(file, R_USER_CODE_BLOCKS, 64))[0], 3);
    assert_true(((const tutti_cf32 *)run_file_peek(file, R_CONSTELLATION, 64))[0] == CMPLXF(1, 2));
}

static void nonsense_and_absurd_blocks_are_counted(void **state)
{
    (void)state;
    uint64_t block;
    static const char *const BAD[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"type\":\"report\"}",
                                      "{\"type\":\"eve_report\",\"block\":40}",
                                      "{\"type\":\"report\",\"block\":\"40\",\"sinr\":1}"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_int_equal(record_reports_user(reports, 0, BAD[i], SPAN, &block), TUTTI_EFORMAT);
    }
    assert_int_equal(reports->n_bad, 6);
    assert_int_equal(user_report(0, -1, 1, ""), TUTTI_EFORMAT);
    assert_int_equal(user_report(0, 31, 1, ""), TUTTI_EINVAL);
    assert_int_equal(user_report(0, 1000, 1, ""), TUTTI_EINVAL);
    assert_int_equal(user_report(0, 1LL << 40, 1, ""), TUTTI_EINVAL);
    assert_int_equal(reports->n_outside, 3);
    assert_null(run_file_peek(file, R_USER_SINR, 32)); /* nothing was written */
    assert_int_equal(user_report(0, 999, 1, ""), 1);   /* of after the run: ignored */
    assert_null(run_file_peek(file, R_USER_SINR, 999));
    assert_int_equal(user_report(0, 899, 1, ""), 0);
}

static void reports_of_unsolved_blocks_are_kept_and_counted(void **state)
{
    (void)state;
    const uint8_t solved = 1;
    run_file_put(file, R_SOLVED, 40, &solved);
    assert_int_equal(user_report(0, 40, 1, ""), 0);
    assert_int_equal(reports->n_unsolved, 0);
    assert_int_equal(user_report(0, 41, 4, ""), 0);
    assert_int_equal(reports->n_unsolved, 1);
    assert_true(((const double *)run_file_peek(file, R_USER_SINR, 41))[0] == 4);
    assert_int_equal(user_report(0, 43, 4, ""), 0); /* its block may be under way */
    assert_int_equal(reports->n_unsolved, 1);
    assert_int_equal(user_report(0, 80, 4, ""), 0); /* an outage */
    assert_int_equal(reports->n_unsolved, 2);
}

/* A genie in its place has three times the 1 + SINR of user 0, and what it has itself of user 1. */
static int eve_report(int eve, int block, double sinr0, double sinr1)
{
    char json[512];
    uint64_t told;
    snprintf(json, sizeof json,
             "{\"type\":\"eve_report\",\"block\":%d,\"users\":[{\"sinr\":%g,\"bits\":1,\"bit_errors\":2,"
             "\"code_blocks\":3,\"code_block_errors\":4,\"sinr_genie\":%g},{\"sinr\":%g,\"bits\":5,\"bit_errors\":6,"
             "\"code_blocks\":7,\"code_block_errors\":8,\"sinr_genie\":%g}]}",
             block, sinr0, 3 * sinr0 + 2, sinr1, sinr1);
    return record_reports_eve(reports, eve, json, SPAN, &told);
}

/* Secrecy is judged by the best eavesdropper, once both ends have told, in any order. */
static void rates_follow_from_both_ends(void **state)
{
    (void)state;
    assert_int_equal(eve_report(0, 50, 1, 3), 0);
    assert_null(run_file_peek(file, R_RATE_MEASURED, 50)); /* reads as NaN */
    assert_int_equal(user_report(0, 50, 7, ""), 0);
    assert_true(fabs(((const double *)run_file_peek(file, R_RATE_MEASURED, 50))[0] - 2) < 1e-12); /* 3 - 1 bit */
    assert_int_equal(user_report(1, 50, 1, ""), 0);
    assert_true(((const double *)run_file_peek(file, R_RATE_MEASURED, 50))[1] == 0); /* never negative */
    assert_int_equal(eve_report(1, 50, 3, 0), 0);
    assert_true(fabs(((const double *)run_file_peek(file, R_RATE_MEASURED, 50))[0] - 1) < 1e-12);
    const double *genie = run_file_peek(file, R_EVE_GENIE, 50), *rate = run_file_peek(file, R_RATE_GENIE, 50);
    assert_true(genie[0] == 5 && genie[1] == 3 && genie[N_UE] == 11 && genie[N_UE + 1] == 0);
    assert_true(rate[0] == 0 && rate[1] == 0); /* 3 - log2(12) is below 0 */
    assert_int_equal(user_report(0, 50, 47, ""), 0);
    rate = run_file_peek(file, R_RATE_GENIE, 50);
    assert_true(fabs(rate[0] - 2) < 1e-12); /* log2(48 / 12) */
    const int64_t *errors = run_file_peek(file, R_EVE_CODE_BLOCK_ERRORS, 50);
    assert_true(errors[1 * N_UE + 1] == 8 && errors[0] == 4);
    uint64_t block;
    assert_int_equal(
        record_reports_eve(reports, 0, "{\"type\":\"eve_report\",\"block\":50,\"users\":[]}", SPAN, &block),
        TUTTI_EFORMAT);
    assert_int_equal(record_reports_eve(reports, 0,
                                        "{\"type\":\"eve_report\",\"block\":50,\"users\":[{\"sinr\":1},{\"sinr\":1}]}",
                                        SPAN, &block),
                     TUTTI_EFORMAT); /* without a genie's */
    assert_int_equal(
        record_reports_eve(reports, 0,
                           "{\"type\":\"eve_report\",\"block\":51,\"users\":[{},{\"sinr\":1,\"sinr_genie\":2}]}", SPAN,
                           &block),
        0); /* nothing was sent to the first one */
    genie = run_file_peek(file, R_EVE_GENIE, 51);
    assert_true(isnan(genie[0]) && genie[1] == 2);
}

/* What was sent, once per block and AP, whatever else the same AP says later. */
static void every_ap_block_has_one_account(void **state)
{
    (void)state;
    const struct wire_account late = {.block = 60,
                                      .precoder_received_ns = 77,
                                      .applied_ns = 0,
                                      .sent = WIRE_SENT_LATE,
                                      .chosen = WIRE_SENT_FRESH,
                                      .arrival = WIRE_ARRIVAL_ON_TIME,
                                      .scaled = 1};
    struct wire_account again = late;
    again.sent = WIRE_SENT_FRESH;
    assert_true(record_rows_account(rows, 1, &late));
    assert_false(record_rows_account(rows, 1, &again));
    assert_int_equal(((const uint8_t *)run_file_peek(file, R_KIND, 60))[1], WIRE_SENT_LATE);
    assert_int_equal(((const uint8_t *)run_file_peek(file, R_KIND, 60))[0], WIRE_SENT_UNKNOWN);
    assert_int_equal(((const uint8_t *)run_file_peek(file, R_CHOSEN, 60))[1], WIRE_SENT_FRESH);
    assert_int_equal(((const uint8_t *)run_file_peek(file, R_ARRIVAL, 60))[1], WIRE_ARRIVAL_ON_TIME);
    assert_int_equal(((const uint8_t *)run_file_peek(file, R_SCALED, 60))[1], 1);
    assert_int_equal(((const uint64_t *)run_file_peek(file, R_PRECODER_RECEIVED, 60))[1], 77);
    assert_true(rows->n_accounts == 1 && rows->n_accounts_twice == 1 && rows->sent[WIRE_SENT_LATE] == 1 &&
                rows->sent[WIRE_SENT_FRESH] == 0 && rows->arrivals[WIRE_ARRIVAL_ON_TIME] == 1 && rows->scaled == 1);
}

static uint8_t sent_by(int ap, uint64_t block)
{
    return ((const uint8_t *)run_file_peek(file, R_KIND, block))[ap];
}

/* An AP in the solve that dies, or is there when the recording ends, leaves no block without a word; if it had only
 * been stopped, its own word goes in that place. */
static void accounts_that_never_come_are_lost(void **state)
{
    (void)state;
    struct cpu_block *block;
    const struct block_shape shape = {.n_sb = 1, .n_ap = N_AP, .n_ant = 1, .n_ue = N_UE};
    assert_int_equal(block_create(&block, &shape), 0);
    record_rows_begin(rows, 32);
    for (uint64_t b = 40; b < 43; b++) {
        block_open(block, b, 0, 1, 0);
        block->gathered[0] = 1;
        block->gathered[1] = b != 41;
        record_rows_block(rows, block);
    }
    struct wire_account account = {.block = 40, .sent = WIRE_SENT_STALE, .chosen = WIRE_SENT_STALE};
    assert_true(record_rows_account(rows, 1, &account));
    record_rows_lose(rows, 1);
    assert_true(sent_by(1, 40) == WIRE_SENT_STALE && sent_by(1, 41) == WIRE_SENT_UNKNOWN &&
                sent_by(1, 42) == WIRE_SENT_LOST);
    assert_true(sent_by(0, 40) == WIRE_SENT_UNKNOWN && rows->ledger->n_lost == 1);
    account.block = 42;
    assert_true(record_rows_account(rows, 1, &account));
    assert_true(sent_by(1, 42) == WIRE_SENT_STALE && rows->ledger->n_lost == 0);
    block_destroy(block);
}

/* A block in which an AP gave one of its first 16 estimates, since the start and since every hello. */
static void early_blocks_are_marked(void **state)
{
    (void)state;
    struct cpu_block *block;
    const struct block_shape shape = {.n_sb = 1, .n_ap = N_AP, .n_ant = 1, .n_ue = N_UE};
    assert_int_equal(block_create(&block, &shape), 0);
    for (uint64_t b = 10; b < 90; b++) {
        if (b == 50) {
            record_rows_joined(rows, 1);
        }
        block_open(block, 100 + b, 0, 1, 0);
        block->gathered[0] = 1;
        block->gathered[1] = b < 40 || b >= 60; /* what an AP did not hear it did not learn from */
        record_rows_block(rows, block);
        const uint8_t *learning = run_file_peek(file, R_LEARNING, 100 + b);
        assert_true(learning && *learning == (b < 26 || (b >= 60 && b < 76)));
    }
    block_destroy(block);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        CASE(a_users_report_fills_its_cells),
        CASE(both_ways_of_reading_agree),
        CASE(nonsense_and_absurd_blocks_are_counted),
        CASE(reports_of_unsolved_blocks_are_kept_and_counted),
        CASE(rates_follow_from_both_ends),
        CASE(every_ap_block_has_one_account),
        CASE(accounts_that_never_come_are_lost),
        CASE(early_blocks_are_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
