/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbers of a run, from recordings written here with contents known beforehand. */
#include "base/error.h"
#include "base/h5file.h"
#include "fronthaul/wire.h"
#include "tools/inspect/dataset_stats.h"
#include "tools/results/predicted.h"
#include "tools/results/summary.h"

#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* cmocka's own is for float. */
static void assert_near(double value, double expected, double tolerance)
{
    assert_true(fabs(value - expected) <= tolerance);
}

enum { N_BLOCK = 40, N_AP = 3, N_UE = 2, N_SB = 4 };
static const uint64_t start_ns = 1700000000000000000u;
static const uint64_t block_ns = 5000000u;

/* What a test changes in one row before it is written. */
struct row {
    uint64_t capture_end[N_AP], csi_sent[N_AP], csi_received[N_AP], precoder_sent[N_AP], precoder_received[N_AP],
        applied[N_AP];
    uint64_t solve_start, solve_end;
    uint8_t kind[N_AP], arrival[N_AP], ap_used[N_AP], user_used[N_UE];
    double predicted[N_SB][N_UE], measured[N_UE], evm[N_UE];
    int64_t bits[N_UE], bit_errors[N_UE], coded_bits[N_UE], coded_bit_errors[N_UE], code_blocks[N_UE],
        code_block_errors[N_UE];
    int64_t events[N_AP][5];
    int32_t reason;
    uint8_t learning;
    bool skip;
};

/* A perfect block: hops of 10, 20, .. us at AP m made longer by m us; SINR 100 measured, 50 predicted in every subband.
 */
static void perfect_row(struct row *row, uint64_t b)
{
    memset(row, 0, sizeof *row);
    const uint64_t t = start_ns + b * block_ns;
    row->solve_start = t + 100000;
    row->solve_end = t + 150000;
    for (size_t m = 0; m < N_AP; m++) {
        row->capture_end[m] = t;
        row->csi_sent[m] = t + 10000 + 1000 * m;
        row->csi_received[m] = row->csi_sent[m] + 20000;
        row->precoder_sent[m] = row->solve_end + 5000;
        row->precoder_received[m] = row->precoder_sent[m] + 30000;
        row->applied[m] = row->precoder_received[m] + 700000;
        row->kind[m] = WIRE_SENT_FRESH;
        row->arrival[m] = WIRE_ARRIVAL_EARLY;
        row->ap_used[m] = 1;
    }
    for (size_t k = 0; k < N_UE; k++) {
        row->user_used[k] = 1;
        row->measured[k] = 100;
        row->evm[k] = 0.1;
        for (size_t s = 0; s < N_SB; s++) {
            row->predicted[s][k] = 50;
        }
        row->bits[k] = 1000;
        row->coded_bits[k] = 2000;
        row->code_blocks[k] = 4;
    }
}

static char path[] = "/tmp/test_summary_XXXXXX";

static void write_row(h5file_t *f, const int *h, uint64_t b, const struct row *r)
{
    const void *const data[] = {r->capture_end,
                                r->csi_sent,
                                r->csi_received,
                                r->precoder_sent,
                                r->precoder_received,
                                r->applied,
                                &r->solve_start,
                                &r->solve_end,
                                r->kind,
                                r->arrival,
                                r->ap_used,
                                r->user_used,
                                r->predicted,
                                r->measured,
                                r->evm,
                                r->bits,
                                r->bit_errors,
                                r->coded_bits,
                                r->coded_bit_errors,
                                r->code_blocks,
                                r->code_block_errors,
                                r->events,
                                &r->reason,
                                &r->learning};
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
        assert_int_equal(h5file_write_row(f, h[i], b, data[i]), 0);
    }
}

/* Writes a recording whose rows change() may spoil, and loads it. */
static struct recording *record(void (*change)(struct row *row, uint64_t b))
{
    static const struct {
        const char *path;
        enum h5_type type;
        int rank;
        size_t dims[2];
    } columns[] = {{"/hops/capture_end_ns", H5_U64, 2, {N_AP}},
                   {"/hops/csi_sent_ns", H5_U64, 2, {N_AP}},
                   {"/hops/csi_received_ns", H5_U64, 2, {N_AP}},
                   {"/hops/precoder_sent_ns", H5_U64, 2, {N_AP}},
                   {"/hops/precoder_received_ns", H5_U64, 2, {N_AP}},
                   {"/hops/applied_ns", H5_U64, 2, {N_AP}},
                   {"/hops/solve_start_ns", H5_U64, 1, {0}},
                   {"/hops/solve_end_ns", H5_U64, 1, {0}},
                   {"/applied/kind", H5_U8, 2, {N_AP}},
                   {"/applied/arrival", H5_U8, 2, {N_AP}},
                   {"/block/ap_used", H5_U8, 2, {N_AP}},
                   {"/block/user_used", H5_U8, 2, {N_UE}},
                   {"/sinr_predicted", H5_F64, 3, {N_SB, N_UE}},
                   {"/user/sinr_measured", H5_F64, 2, {N_UE}},
                   {"/user/evm", H5_F64, 2, {N_UE}},
                   {"/user/bits", H5_I64, 2, {N_UE}},
                   {"/user/bit_errors", H5_I64, 2, {N_UE}},
                   {"/user/coded_bits", H5_I64, 2, {N_UE}},
                   {"/user/coded_bit_errors", H5_I64, 2, {N_UE}},
                   {"/user/code_blocks", H5_I64, 2, {N_UE}},
                   {"/user/code_block_errors", H5_I64, 2, {N_UE}},
                   {"/radio/events", H5_I64, 3, {N_AP, 5}},
                   {"/reason", H5_I32, 1, {0}},
                   {"/block/learning", H5_U8, 1, {0}}};
    enum { N_COLUMN = sizeof columns / sizeof columns[0] };
    int handle[N_COLUMN];
    h5file_t *file = NULL;
    assert_int_equal(h5file_create(&file, path), 0);
    assert_int_equal(h5file_put_text(file, "/config", "network:\n  name: unit\n  n_blocks: 40\n"), 0);
    assert_int_equal(h5file_put_text(file, "/version", "9.9"), 0);
    for (int i = 0; i < N_COLUMN; i++) {
        handle[i] = h5file_declare(file, columns[i].path, columns[i].type, columns[i].rank, columns[i].dims);
        assert_true(handle[i] >= 0);
    }
    assert_int_equal(h5file_seal(file), 0);
    for (uint64_t b = 0; b < N_BLOCK; b++) {
        struct row row;
        perfect_row(&row, b);
        if (change) {
            change(&row, b);
        }
        if (!row.skip) {
            write_row(file, handle, b, &row);
        }
    }
    h5file_close(file);
    struct recording *recording = NULL;
    assert_int_equal(recording_load(&recording, path), 0);
    return recording;
}

static void test_perfect_run(void **state)
{
    (void)state;
    struct recording *r = record(NULL);
    struct summary *s = summary_create(r);
    assert_non_null(s);
    assert_string_equal(r->version, "9.9");
    assert_non_null(r->config);
    assert_string_equal(r->config->network.name, "unit");
    assert_int_equal(s->n_block, N_BLOCK);
    assert_int_equal(summary_check(r, N_BLOCK), 0);
    for (int k = 0; k < N_UE; k++) {
        assert_near(s->user[k].sinr_measured_db, 20.0, 1e-9);
        assert_near(s->user[k].sinr_predicted_db, 10 * log10(50), 1e-9);
        assert_near(s->user[k].evm, 0.1, 1e-12);
        assert_int_equal(s->user[k].bits, 1000 * N_BLOCK);
        assert_int_equal(s->user[k].code_blocks, 4 * N_BLOCK);
        assert_int_equal(s->user[k].n_report, N_BLOCK);
    }
    assert_int_equal(s->applied[WIRE_SENT_FRESH], N_BLOCK * N_AP);
    assert_int_equal(s->arrival[WIRE_ARRIVAL_EARLY], N_BLOCK * N_AP);
    /* Blocks one block apart in wall time: real time exactly. */
    assert_near(s->realtime_factor, 1.0, 1e-6);
    summary_free(s);
    recording_free(r);
}

static void test_hops_are_differences_of_their_stamps(void **state)
{
    (void)state;
    struct recording *r = record(NULL);
    struct summary *s = summary_create(r);
    /* Exact minimum and maximum over APs 0..2, from perfect_row by hand, ns. */
    static const uint64_t expected[SUMMARY_N_HOP][2] = {
        [HOP_ESTIMATE] = {10000, 12000}, [HOP_UPLINK] = {20000, 20000}, [HOP_GATHER] = {68000, 70000},
        [HOP_SOLVE] = {50000, 50000},    [HOP_PUSH] = {5000, 5000},     [HOP_DOWNLINK] = {30000, 30000},
        [HOP_WAIT] = {700000, 700000},   [HOP_TOTAL] = {185000, 185000}};
    for (int hop = 0; hop < SUMMARY_N_HOP; hop++) {
        assert_int_equal(s->hop[hop].min, expected[hop][0]);
        assert_int_equal(s->hop[hop].max, expected[hop][1]);
        assert_int_equal(s->hop[hop].count, hop == HOP_SOLVE ? N_BLOCK : N_BLOCK * N_AP);
        assert_int_equal(s->n_negative[hop], 0);
    }
    summary_free(s);
    recording_free(r);
}

static void spoil_stamps(struct row *row, uint64_t b)
{
    if (b == 3) {
        row->csi_received[1] = row->csi_sent[1] - 1; /* two hosts' clocks apart */
    }
    if (b == 4) {
        row->applied[2] = 0; /* muted */
    }
}

static void test_missing_and_backward_stamps(void **state)
{
    (void)state;
    struct recording *r = record(spoil_stamps);
    struct summary *s = summary_create(r);
    assert_int_equal(s->hop[HOP_UPLINK].count, N_BLOCK * N_AP - 1);
    assert_int_equal(s->n_negative[HOP_UPLINK], 1);
    assert_int_equal(s->hop[HOP_WAIT].count, N_BLOCK * N_AP - 1);
    assert_int_equal(s->n_negative[HOP_WAIT], 0);
    summary_free(s);
    recording_free(r);
}

static void spoil_arrivals(struct row *row, uint64_t b)
{
    if (b % 4 == 0) { /* a quarter never arrives, as far as is known */
        memset(row->precoder_received, 0, sizeof row->precoder_received);
        memset(row->applied, 0, sizeof row->applied);
    }
}

/* The hops of survivors must not pass for the hops of all. */
static void test_quantiles_among_what_never_arrived(void **state)
{
    (void)state;
    struct recording *r = record(spoil_arrivals);
    struct summary *s = summary_create(r);
    static const int open_ended[] = {HOP_DOWNLINK, HOP_WAIT, HOP_TOTAL};
    bool censored;
    for (int i = 0; i < 3; i++) {
        const int hop = open_ended[i];
        assert_int_equal(s->n_unknown[hop], N_BLOCK / 4 * N_AP);
        assert_true(summary_hop_quantile_us(s, hop, 0.5, &censored) > 0 && !censored);
        assert_near(summary_hop_quantile_us(s, hop, 0.99, &censored), 1e-3 * (double)s->hop[hop].max, 1e-9);
        assert_true(censored);
    }
    assert_int_equal(s->n_unknown[HOP_UPLINK], 0);
    assert_true(summary_hop_quantile_us(s, HOP_UPLINK, 1, &censored) > 0 && !censored);
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    summary_print(s, out);
    fclose(out);
    assert_non_null(strstr(text, ">30.0"));
    free(text);
    summary_free(s);
    recording_free(r);
}

static void spoil_users(struct row *row, uint64_t b)
{
    row->predicted[1][0] = 25;            /* 4 subbands 50 50 50 25, no channels recorded: mean 43.75 */
    row->measured[1] = b % 2 ? 10 : 1000; /* mean of 10 and 30 dB: 20, not the 27 dB of the mean ratio */
    row->evm[1] = b % 2 ? 0.3 : 0.1;
    row->bit_errors[0] = b == 7 ? 20 : 0;
    row->code_block_errors[0] = b == 7 ? 1 : 0;
    row->coded_bit_errors[1] = 2;
    if (b >= 30) { /* user 1 falls silent */
        row->bits[1] = 0;
        row->measured[1] = row->evm[1] = NAN;
    }
    if (b == 0) {
        row->predicted[2][0] = 0; /* not served: no prediction to compare with */
    }
}

/* Blocks of learning are served, decoded and counted like others; only the two means that are compared pass over them.
 */
static void spoil_learning(struct row *row, uint64_t b)
{
    row->learning = b < 10;
    if (row->learning) {
        row->measured[0] = 1000;
        row->predicted[0][0] = 1;
    }
}

static void test_learning_blocks(void **state)
{
    (void)state;
    struct recording *r = record(spoil_learning);
    struct summary *s = summary_create(r);
    assert_int_equal(s->n_learning, 10);
    assert_int_equal(s->user[0].n_sinr, N_BLOCK - 10);
    assert_near(s->user[0].sinr_measured_db, 20, 1e-9);
    assert_near(s->user[0].sinr_predicted_db, 10 * log10(50), 1e-9);
    assert_int_equal(s->user[0].n_report, N_BLOCK);
    assert_int_equal(s->user[0].n_missing, 0);
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    summary_print(s, out);
    fclose(out);
    assert_non_null(strstr(text, "leave out 10 blocks"));
    free(text);
    summary_free(s);
    recording_free(r);
}

static void test_user_means(void **state)
{
    (void)state;
    struct recording *r = record(spoil_users);
    struct summary *s = summary_create(r);
    assert_near(s->user[0].sinr_predicted_db, 10 * log10(43.75), 1e-9);
    assert_int_equal(s->user[0].n_sinr, N_BLOCK - 1);
    assert_int_equal(s->user[0].bit_errors, 20);
    assert_int_equal(s->user[0].code_block_errors, 1);
    assert_near(s->user[1].sinr_measured_db, 20.0, 1e-9);
    assert_near(s->user[1].evm, 0.2, 1e-12); /* the median */
    assert_near(s->user[1].sinr_median_db, 10 * log10(505), 1e-9);
    assert_near(s->user[1].sinr_low_db, 10, 1e-9);
    assert_int_equal(s->user[1].n_report, 30);
    assert_int_equal(s->user[1].n_missing, N_BLOCK - 30); /* their code blocks are wrong ones */
    assert_int_equal(s->user[1].code_blocks, 4 * N_BLOCK);
    assert_int_equal(s->user[1].code_block_errors, 4 * (N_BLOCK - 30));
    assert_near(s->user[0].throughput_bps, (1000.0 * N_BLOCK - 250) / (N_BLOCK * r->block_s), 1e-6);
    assert_near(s->user[1].throughput_bps, 30000 / (N_BLOCK * r->block_s), 1e-6);
    assert_int_equal(s->user[1].coded_bit_errors, 60);
    summary_free(s);
    recording_free(r);
}

static void spoil_events(struct row *row, uint64_t b)
{
    row->events[1][1] = b < 10 ? 0 : b < 20 ? 3 : 2; /* 3 overflows, restart, 2 more */
    if (b == 25) {                                   /* AP silent: no counters came */
        row->csi_received[1] = 0;
        row->events[1][1] = 0;
    }
    row->kind[0] = b == 5 ? WIRE_SENT_STALE : WIRE_SENT_FRESH;
    row->arrival[0] = b == 5 ? WIRE_ARRIVAL_LATE : WIRE_ARRIVAL_ON_TIME;
    row->reason = b == 6 ? 1 : 0;
}

static void test_counts(void **state)
{
    (void)state;
    struct recording *r = record(spoil_events);
    struct summary *s = summary_create(r);
    assert_int_equal(s->events[1], 5);
    assert_int_equal(s->events[0] + s->events[2] + s->events[3] + s->events[4], 0);
    assert_int_equal(s->applied[WIRE_SENT_STALE], 1);
    assert_int_equal(s->arrival[WIRE_ARRIVAL_LATE], 1);
    assert_int_equal(s->arrival[WIRE_ARRIVAL_ON_TIME], N_BLOCK - 1);
    assert_int_equal(s->reason[1], 1);
    assert_int_equal(s->reason[0], N_BLOCK - 1);
    summary_free(s);
    recording_free(r);
}

/* Counters no radio has, as in a damaged file: from the least value to the largest and back. */
static void spoil_counters(struct row *row, uint64_t b)
{
    row->events[0][3] = b % 2 ? INT64_MAX : INT64_MIN;
}

static void test_absurd_counters(void **state)
{
    (void)state;
    struct recording *r = record(spoil_counters);
    struct summary *s = summary_create(r);
    /* Half of the blocks add 2^64 - 1, the others, after a fall, 2^63 less than 0: modulo 2^64. */
    assert_true(s->events[3] == (uint64_t)0 - N_BLOCK / 2 + (N_BLOCK / 2 % 2 ? 1ull << 63 : 0));
    summary_free(s);
    recording_free(r);
}

/* Blocks 0..9 solved without user 1, blocks 10..14 not solved at all: there the APs send with what they have, so what
 * the users decode counts. */
static void leave_out(struct row *row, uint64_t b)
{
    if (b < 15) {
        row->user_used[1] = 0;
        row->code_block_errors[1] = 3;
        row->bit_errors[1] = 100;
        row->measured[1] = 0.01;
    }
    if (b >= 10 && b < 15) {
        row->user_used[0] = 0;
        row->solve_start = row->solve_end = 0;
    }
}

static void test_users_not_served(void **state)
{
    (void)state;
    struct recording *r = record(leave_out);
    struct summary *s = summary_create(r);
    const struct summary_user *u = &s->user[1];
    assert_int_equal(s->user[0].n_served, N_BLOCK - 5);
    assert_int_equal(s->user[0].code_blocks, 4 * N_BLOCK);
    assert_int_equal(u->n_served, N_BLOCK - 15);
    assert_int_equal(u->n_report, N_BLOCK);
    assert_int_equal(u->code_blocks, 4 * (N_BLOCK - 10));
    assert_int_equal(u->code_block_errors, 3 * 5);
    assert_int_equal(u->bit_errors, 100 * 5);
    assert_int_equal(u->n_sinr, N_BLOCK - 10);
    assert_near(u->sinr_measured_db, (25 * 20.0 + 5 * -20.0) / 30, 1e-9);
    assert_int_equal(s->scheme[0][0], N_BLOCK - 5);
    summary_free(s);
    recording_free(r);
}

static void no_precoder_at_ap(struct row *row, uint64_t b)
{
    row->precoder_sent[2] = b == 11 || b == 12 ? 0 : row->precoder_sent[2];
}
static void no_solve(struct row *row, uint64_t b)
{
    row->solve_end = b == 0 ? 0 : row->solve_end;
}
static void last_row_missing(struct row *row, uint64_t b)
{
    row->skip = b == N_BLOCK - 1;
}
static void nobody_served(struct row *row, uint64_t b)
{
    row->user_used[0] = row->user_used[1] = b != 1;
}
static void silent_user(struct row *row, uint64_t b)
{
    row->bits[1] = b == 9 ? 0 : 1000;
}
static void wrong_code_block(struct row *row, uint64_t b)
{
    row->code_block_errors[0] = b == 39;
}
static void wrong_where_not_served(struct row *row, uint64_t b)
{
    row->user_used[b % N_UE] = 0;
    row->code_block_errors[b % N_UE] = 4;
}
static void never_served(struct row *row, uint64_t b)
{
    (void)b;
    row->user_used[1] = 0;
}
static void silent_where_not_served(struct row *row, uint64_t b)
{
    row->user_used[1] = b != 9;
    row->bits[1] = b == 9 ? 0 : 1000;
}
static void ap_left_out(struct row *row, uint64_t b)
{
    row->ap_used[2] = b < 20; /* silent AP: allowed, its precoder is not missed */
    row->precoder_sent[2] = b < 20 ? row->precoder_sent[2] : 0;
}

static void test_check(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct row *, uint64_t);
        const char *complaint;
    } cases[] = {{no_precoder_at_ap, "2 of 40 blocks have no precoder, the first is block 11"},
                 {no_solve, "1 of 40 blocks have no precoder, the first is block 0"},
                 {last_row_missing, "1 of 40 blocks have no precoder, the first is block 39"},
                 {nobody_served, "1 of 40 blocks have no precoder, the first is block 1"},
                 {silent_user, "user 1 did not report in 1 of 40 blocks, the first is block 9"},
                 {wrong_code_block, "user 0 decoded 1 code blocks wrong, the first in block 39"},
                 {wrong_where_not_served, NULL},
                 {never_served, "user 1 was not served in any of 40 blocks"},
                 {silent_where_not_served, "user 1 did not report in 1 of 40 blocks, the first is block 9"},
                 {ap_left_out, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recording *r = record(cases[i].change);
        const int status = summary_check(r, N_BLOCK);
        if (cases[i].complaint) {
            assert_int_equal(status, TUTTI_EFORMAT);
            assert_string_equal(error_text(), cases[i].complaint);
        } else {
            assert_int_equal(status, 0);
        }
        recording_free(r);
    }
    struct recording *r = record(NULL);
    assert_int_equal(summary_check(r, 0), TUTTI_EFORMAT);
    recording_free(r);
}

/* Two subbands, 2 APs of 1 antenna, 2 users; powers and errors by hand. */
static void test_prediction_from_channels(void **state)
{
    (void)state;
    double work[4];
    const struct predicted_shape shape = {.n_sb = 2, .n_ap = 2, .n_ant = 1, .n_ue = 2},
                                 shared = {.n_sb = 2, .n_ap = 2, .n_ant = 1, .n_ue = 2, .work = work};
    const tutti_cf32 H[2][2][2] = {{{2 * I, 1}, {1, 3}}, {{1, 1}, {I, -1}}};
    const tutti_cf32 W[2][2][2] = {{{I, 0}, {0, 1}}, {{0.5f, 2}, {0.5f * I, 0}}};
    const double variance[2][2][2] = {{{0.1, 0}, {0.2, 0}}, {{0, 0}, {0.25, 0}}};
    /* User 0, subband 0: h^H w_0 = conj(2i) i = 2, h^H w_1 = 1; noise 1, unknown of w_0 0.1 * 1, of w_1 0.2 * 1.
     * Subband 1: h^H w_0 = 0.5 + conj(i) 0.5i = 1, h^H w_1 = 2; noise 1, unknown of w_0 0.25 * 0.25, of w_1 0. */
    double recorded[2][2] = {{4.0 / 2.3, 9.0 / 2.0}, {1.0 / 5.0625, 4.0 / 1.5}};
    assert_near(predicted_sinr(&shape, &H[0][0][0], &W[0][0][0], &variance[0][0][0], recorded[0], 0),
                (4.1 + 1.0625) / (2.2 + 5.0), 1e-6);
    /* With shared pilots errors are alike in both subbands: variances of the sums by u (u + 2 p). */
    const double scatter = 0.2 * (0.2 + 2 * 5.0) / (7.2 * 7.2) - 0.1625 * (0.1625 + 2 * 5.0) / (5.1625 * 5.1625);
    assert_near(predicted_sinr(&shared, &H[0][0][0], &W[0][0][0], &variance[0][0][0], recorded[0], 0),
                5.1625 / 7.2 * exp(scatter / 2), 1e-6);
    /* User 1: subband 0: own 3, other i; subband 1: own 2, other 0.5 - 0.5i. */
    assert_near(predicted_sinr(&shape, &H[0][0][0], &W[0][0][0], &variance[0][0][0], recorded[0], 1),
                (9.0 + 4.0) / (2.0 + 1.5), 1e-6);
    const tutti_cf32 silent[2][2][2] = {0};
    assert_true(isnan(predicted_sinr(&shape, &H[0][0][0], &silent[0][0][0], &variance[0][0][0], recorded[0], 0)));
    recorded[1][0] *= 0.9; /* the CPU node expected something more to disturb user 0 in subband 1 */
    assert_true(isnan(predicted_sinr(&shape, &H[0][0][0], &W[0][0][0], &variance[0][0][0], recorded[0], 0)));
    assert_true(!isnan(predicted_sinr(&shape, &H[0][0][0], &W[0][0][0], &variance[0][0][0], recorded[0], 1)));
}

static void test_not_a_run(void **state)
{
    (void)state;
    h5file_t *file = NULL;
    const double one = 1;
    struct recording *r = NULL;
    assert_int_equal(h5file_create(&file, path), 0);
    assert_int_equal(h5file_put(file, "/x", H5_F64, 1, (size_t[]){1}, &one), 0);
    h5file_close(file);
    assert_int_equal(recording_load(&r, path), TUTTI_EFORMAT);
    assert_null(r);
    assert_non_null(strstr(error_text(), "not a run recording"));
    assert_true(recording_load(&r, "/nonexistent/run.h5") < 0);
    assert_null(r);
}

/* A recording and datasets that claim more rows than the file can hold: refused, not allocated. */
static void test_absurd_claims(void **state)
{
    (void)state;
    h5file_t *file = NULL;
    const int64_t bits[2] = {1, 1};
    const uint64_t stamps[2] = {1, 1};
    struct recording *r = NULL;
    struct h5_info info;
    struct dataset_stats s;
    assert_int_equal(h5file_create(&file, path), 0);
    assert_int_equal(h5file_put(file, "/user/bits", H5_I64, 2, (size_t[]){1, 2}, bits), 0);
    const int h = h5file_declare(file, "/hops/capture_end_ns", H5_U64, 2, (size_t[]){2});
    assert_true(h >= 0);
    assert_int_equal(h5file_write_row(file, h, (1ull << 40) - 1, stamps), 0);
    h5file_close(file);
    assert_int_equal(recording_load(&r, path), TUTTI_EFORMAT);
    assert_null(r);
    assert_non_null(strstr(error_text(), "damaged: its number of blocks claims"));
    assert_int_equal(h5file_open(&file, path), 0);
    assert_int_equal(h5file_info(file, "/hops/capture_end_ns", &info), 0);
    assert_true(info.dims[0] == 1ull << 40);
    assert_int_equal(dataset_stats(file, "/hops/capture_end_ns", &info, &s), TUTTI_EFORMAT);
    assert_non_null(strstr(error_text(), "damaged: /hops/capture_end_ns claims"));
    h5file_close(file);
}

/* Sums of a few values at the ends of their types: no trap for the sanitizers. */
static void test_stats_of_extreme_integers(void **state)
{
    (void)state;
    h5file_t *file = NULL;
    struct h5_info info;
    struct dataset_stats s;
    assert_int_equal(h5file_create(&file, path), 0);
    assert_int_equal(h5file_put(file, "/u", H5_U64, 1, (size_t[]){2}, (uint64_t[]){UINT64_MAX, 0}), 0);
    h5file_close(file);
    assert_int_equal(h5file_open(&file, path), 0);
    assert_int_equal(h5file_info(file, "/u", &info), 0);
    assert_int_equal(dataset_stats(file, "/u", &info, &s), 0);
    assert_int_equal(s.n_distinct, -1);
    assert_true(s.min == 0 && s.max == 0x1p64);
    h5file_close(file);
}

static void test_dataset_stats(void **state)
{
    (void)state;
    h5file_t *file = NULL;
    const double numbers[3][2] = {{5, NAN}, {-1, 2}, {NAN, 3}};
    const int32_t counts[6] = {2, 0, 2, -7, 2, 0};
    const float complex points[2] = {3 + 4 * I, NAN};
    assert_int_equal(h5file_create(&file, path), 0);
    assert_int_equal(h5file_put(file, "/d", H5_F64, 2, (size_t[]){3, 2}, numbers), 0);
    assert_int_equal(h5file_put(file, "/i", H5_I32, 1, (size_t[]){6}, counts), 0);
    assert_int_equal(h5file_put(file, "/c", H5_C64, 1, (size_t[]){2}, points), 0);
    h5file_close(file);
    assert_int_equal(h5file_open(&file, path), 0);
    struct h5_info info;
    struct dataset_stats s;
    assert_int_equal(h5file_info(file, "/d", &info), 0);
    assert_int_equal(dataset_stats(file, "/d", &info, &s), 0);
    assert_int_equal(s.n, 6);
    assert_int_equal(s.n_nan, 2);
    assert_true(s.min == -1 && s.max == 5 && s.median == 2);
    assert_int_equal(h5file_info(file, "/i", &info), 0);
    assert_int_equal(dataset_stats(file, "/i", &info, &s), 0);
    assert_int_equal(s.n_distinct, 3);
    assert_true(s.value[0] == -7 && s.count[0] == 1 && s.value[1] == 0 && s.count[1] == 2 && s.value[2] == 2 &&
                s.count[2] == 3);
    assert_int_equal(h5file_info(file, "/c", &info), 0);
    assert_int_equal(dataset_stats(file, "/c", &info, &s), 0);
    assert_true(s.min == 5 && s.max == 5);
    assert_int_equal(s.n_nan, 1);
    h5file_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_perfect_run),
        cmocka_unit_test(test_hops_are_differences_of_their_stamps),
        cmocka_unit_test(test_missing_and_backward_stamps),
        cmocka_unit_test(test_user_means),
        cmocka_unit_test(test_learning_blocks),
        cmocka_unit_test(test_quantiles_among_what_never_arrived),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_users_not_served),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_prediction_from_channels),
        cmocka_unit_test(test_not_a_run),
        cmocka_unit_test(test_dataset_stats),
        cmocka_unit_test(test_absurd_claims),
        cmocka_unit_test(test_absurd_counters),
        cmocka_unit_test(test_stats_of_extreme_integers),
    };
    const int fd = mkstemp(path);
    if (fd >= 0) {
        close(fd);
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
