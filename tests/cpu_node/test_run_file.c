/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recording: nothing is truncated, an older block never takes a newer row's place, all datasets end equally long,
 * a killed writer loses no more than the last moment. */
#include "base/error.h"
#include "base/h5file.h"
#include "cpu_node/record/lock.h"
#include "cpu_node/record/rows.h"
#include "cpu_node/record/run_file.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_UE = 3, N_AP = 2, N_POINTS = 2 };
static const struct record_shape SHAPE = {
    .n_sb = 2, .n_ap = N_AP, .n_ant = 1, .n_ue = N_UE, .n_points = N_POINTS, .csi = true, .precoders = true};
static const char CONFIG[] = "network: {seed: 1}\n";

static char folder[64], path[96], second[96];

static int enter(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_run_file.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/run.h5", folder);
    snprintf(second, sizeof second, "%s/run.2.h5", folder);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static run_file_t *open_run(const char *config)
{
    run_file_t *f = NULL;
    const struct run_file_settings settings = {.path = path, .config = config, .shape = SHAPE};
    const int status = run_file_create(&f, &settings);
    if (status < 0) {
        fail_msg("%s", error_text());
    }
    return f;
}

/* A solved block: scheme tells its number. */
static void put_block(run_file_t *f, uint64_t block)
{
    const int32_t scheme = (int32_t)(block % 100000);
    const uint8_t solved = 1;
    run_file_put(f, R_SCHEME, block, &scheme);
    run_file_put(f, R_SOLVED, block, &solved);
}

static void put_user(run_file_t *f, uint64_t block, int user)
{
    const double sinr = (double)block + 0.25 * user;
    run_file_put_cell(f, R_USER_SINR, block, (uint64_t)user, &sinr);
}

static uint64_t rows_of(const char *name, const char *dataset)
{
    h5file_t *h5 = NULL;
    struct h5_info info;
    assert_int_equal(h5file_open(&h5, name), 0);
    assert_int_equal(h5file_info(h5, dataset, &info), 0);
    h5file_close(h5);
    return info.dims[0];
}

static double first_block_of(const char *name)
{
    h5file_t *h5 = NULL;
    double first;
    uint64_t n;
    assert_int_equal(h5file_open(&h5, name), 0);
    assert_int_equal(h5file_attribute_numbers(h5, "/", "first_block", 1, &first, &n), 0);
    assert_int_equal(n, 1);
    h5file_close(h5);
    return first;
}

/* Caller frees. */
static double *read_doubles(const char *name, const char *dataset, size_t *n)
{
    h5file_t *h5 = NULL;
    struct h5_info info;
    assert_int_equal(h5file_open(&h5, name), 0);
    assert_int_equal(h5file_info(h5, dataset, &info), 0);
    *n = 1;
    for (int i = 0; i < info.rank; i++) {
        *n *= info.dims[i];
    }
    double *values = malloc((*n + 1) * sizeof *values);
    assert_int_equal(h5file_read(h5, dataset, H5_F64, values, *n * sizeof *values), 0);
    h5file_close(h5);
    return values;
}

/* Blocks with scheme == number, all others 0. */
static void check_schemes(const char *name, uint64_t first, const uint64_t *solved, size_t n_solved)
{
    size_t n, at = 0;
    double *scheme = read_doubles(name, "/scheme", &n);
    for (size_t i = 0; i < n; i++) {
        const bool here = at < n_solved && solved[at] == first + i;
        at += here;
        assert_true(scheme[i] == (here ? (double)(solved[at - 1] % 100000) : 0));
    }
    assert_int_equal(at, n_solved);
    free(scheme);
}

static void rows_start_at_the_first_block(void **state)
{
    (void)state;
    run_file_t *f = open_run(CONFIG);
    const uint64_t first = UINT64_C(300000000000); /* UTC ticks make such numbers */
    run_file_begin(f, first);
    uint64_t solved[200];
    for (uint64_t b = 0; b < 200; b++) {
        put_block(f, solved[b] = first + b);
    }
    put_block(f, first - 1); /* before the recording: nowhere */
    run_file_destroy(f);
    assert_true(first_block_of(path) == (double)first);
    check_schemes(path, first, solved, 200);
}

static void equal_lengths_at_the_end(void **state)
{
    (void)state;
    static const char *const DATASETS[] = {
        "/scheme",    "/H_hat",    "/W",          "/applied/kind",       "/hops/applied_ns",
        "/user/bits", "/user/evm", "/block/tick", "/user/sinr_measured", "/attack/score"};
    run_file_t *f = open_run(CONFIG);
    run_file_begin(f, 10);
    for (uint64_t b = 10; b < 721; b++) {
        put_block(f, b);
        if (b < 720) {
            put_user(f, b, 0);
        }
    }
    run_file_destroy(f); /* as after Ctrl-C: reports of the last block did not come, the other datasets have no row */
    for (size_t i = 0; i < sizeof DATASETS / sizeof DATASETS[0]; i++) {
        assert_int_equal(rows_of(path, DATASETS[i]), 711);
    }
    assert_int_equal(rows_of(path, "/user/constellation"), 720 / 16 - 10 / 16 + 1);
}

/* A user whose lab link stood still erased the reports of the others. */
static void late_reports_are_kept_and_erase_nothing(void **state)
{
    (void)state;
    enum { N = 2000 };
    static const uint64_t LAGS[] = {1, 63, 64, 65, 70, 255, 256, 300, 1500};
    run_file_t *f = open_run(CONFIG);
    run_file_begin(f, 0);
    for (uint64_t b = 0; b < N; b++) {
        put_block(f, b);
        put_user(f, b, 0);
        for (size_t i = 0; i < sizeof LAGS / sizeof LAGS[0]; i++) {
            if (b >= LAGS[i] && (b - LAGS[i]) % 9 == i) {
                put_user(f, b - LAGS[i], 1);
            }
        }
        run_file_turn(f, b * UINT64_C(5000000));
    }
    run_file_destroy(f);
    size_t n;
    double *sinr = read_doubles(path, "/user/sinr_measured", &n);
    assert_int_equal(n, N * N_UE);
    for (uint64_t b = 0; b < N; b++) {
        assert_true(sinr[b * N_UE] == (double)b);
        assert_true(b + LAGS[b % 9] >= N ? isnan(sinr[b * N_UE + 1]) : sinr[b * N_UE + 1] == (double)b + 0.25);
        assert_true(isnan(sinr[b * N_UE + 2]));
    }
    free(sinr);
}

/* During an outage nothing is solved, but users and APs go on. */
static void reports_of_blocks_that_were_not_solved_are_kept(void **state)
{
    (void)state;
    run_file_t *f = open_run(CONFIG);
    run_file_begin(f, 0);
    put_block(f, 0);
    for (uint64_t b = 0; b < 2400; b++) {
        put_user(f, b, 2);
    }
    const uint8_t mute = 4;
    run_file_put_cell(f, R_KIND, 1000, 1, &mute); /* an account that comes long after */
    put_block(f, 2400);
    run_file_destroy(f);
    size_t n;
    double *sinr = read_doubles(path, "/user/sinr_measured", &n), *kind = read_doubles(path, "/applied/kind", &n);
    for (uint64_t b = 0; b < 2400; b++) {
        assert_true(sinr[b * N_UE + 2] == (double)b + 0.5);
    }
    assert_true(kind[1000 * N_AP + 1] == 4 && kind[1000 * N_AP] == 0);
    free(sinr);
    free(kind);
    check_schemes(path, 0, (const uint64_t[]){2400}, 1); /* (scheme of block 0 is 0) */
}

static void starting_again_goes_on_in_the_same_file(void **state)
{
    (void)state;
    uint64_t solved[300];
    size_t n = 0;
    for (uint64_t life = 0; life < 3; life++) {
        run_file_t *f = open_run(CONFIG);
        assert_string_equal(run_file_path(f), path);
        run_file_event(f, 5, life, "BEFORE-THE-FIRST-BLOCK");
        run_file_begin(f, 7 + 150 * life);
        assert_int_equal(run_file_first_block(f), 7);
        for (uint64_t b = 7 + 150 * life; b < 107 + 150 * life; b++) {
            put_block(f, solved[n++] = b);
            put_user(f, b, 1);
        }
        run_file_event(f, 6, life, "END");
        run_file_destroy(f);
    }
    check_schemes(path, 7, solved, n);
    assert_int_equal(rows_of(path, "/events/text"), 6);
    assert_int_equal(rows_of(path, "/events/wall_ns"), 6);
    assert_true(access(second, F_OK) < 0);
}

/* What a killed central node had not been told is owed still: its APs tell again, or it is lost. */
static void accounts_of_an_earlier_life_are_owed(void **state)
{
    (void)state;
    struct record_rows *rows = NULL;
    static const uint8_t both[N_AP] = {1, 1}, one[N_AP] = {1, 0}, fresh = WIRE_SENT_FRESH;
    run_file_t *f = open_run(CONFIG);
    run_file_begin(f, 100);
    for (uint64_t b = 100; b < 110; b++) {
        put_block(f, b);
        run_file_put(f, R_AP_USED, b, b == 105 ? one : both);
        if (b < 107) {
            run_file_put_cell(f, R_KIND, b, 0, &fresh);
        }
    }
    run_file_destroy(f); /* as far as the file goes, a kill */
    f = open_run(CONFIG);
    assert_int_equal(record_rows_create(&rows, f, &SHAPE), 0);
    run_file_begin(f, 120);
    record_rows_begin(rows, 120);
    const struct wire_account told = {.block = 108, .sent = WIRE_SENT_STALE, .chosen = WIRE_SENT_STALE};
    assert_true(record_rows_account(rows, 0, &told));
    struct wire_account again = told;
    again.block = 106; /* it had that one */
    assert_false(record_rows_account(rows, 0, &again));
    record_rows_lose(rows, 0);
    record_rows_lose(rows, 1);
    record_rows_destroy(rows);
    run_file_destroy(f);
    size_t n;
    double *kind = read_doubles(path, "/applied/kind", &n);
    for (size_t b = 0; b < 10; b++) {
        assert_true(kind[2 * b] == (b < 7 ? WIRE_SENT_FRESH : b == 8 ? WIRE_SENT_STALE : WIRE_SENT_LOST));
        assert_true(kind[2 * b + 1] == (b == 5 ? WIRE_SENT_UNKNOWN : WIRE_SENT_LOST));
    }
    free(kind);
}

static void another_configuration_gets_a_file_of_its_own(void **state)
{
    (void)state;
    run_file_t *f = open_run(CONFIG);
    run_file_begin(f, 0);
    put_block(f, 1);
    run_file_destroy(f);
    f = open_run("network: {seed: 2}\n");
    assert_string_equal(run_file_path(f), second);
    run_file_begin(f, 0);
    put_block(f, 2);
    run_file_destroy(f);
    check_schemes(path, 0, (const uint64_t[]){1}, 1);
    check_schemes(second, 0, (const uint64_t[]){2}, 1);
}

/* The medium was started again: block numbers begin anew, in this life or between two. */
static void time_that_goes_back_gets_a_file_of_its_own(void **state)
{
    (void)state;
    run_file_t *f = open_run(CONFIG);
    run_file_begin(f, 0);
    for (uint64_t b = 1; b < 50; b++) {
        put_block(f, b);
    }
    run_file_begin(f, 3);
    assert_string_equal(run_file_path(f), second);
    assert_int_equal(run_file_first_block(f), 3);
    put_block(f, 4);
    run_file_destroy(f);
    f = open_run(CONFIG);
    run_file_begin(f, 2); /* of run.2.h5 */
    put_block(f, 2);
    run_file_destroy(f);
    assert_int_equal(rows_of(path, "/scheme"), 50);
    check_schemes(second, 3, (const uint64_t[]){4}, 1);
    char third[96];
    snprintf(third, sizeof third, "%s/run.3.h5", folder);
    check_schemes(third, 2, (const uint64_t[]){2}, 1);
}

/* A file of somebody else, or damaged, stays as it is. */
static void foreign_files_are_left_alone(void **state)
{
    (void)state;
    static const char THESIS[] = "my thesis";
    FILE *file = fopen(path, "w");
    fputs(THESIS, file);
    fclose(file);
    run_file_t *f = open_run(CONFIG);
    assert_string_equal(run_file_path(f), second);
    run_file_begin(f, 0);
    put_block(f, 1);
    run_file_destroy(f);
    char text[32] = "";
    file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, THESIS);
    assert_int_equal(unlink(second), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    const struct run_file_settings settings = {.path = path, .config = CONFIG, .shape = SHAPE};
    assert_true(run_file_create(&f, &settings) < 0);
    assert_non_null(strstr(error_text(), "not a regular file"));
    run_file_destroy(f);
}

static void a_second_writer_is_refused_before_it_touches_anything(void **state)
{
    (void)state;
    run_file_t *f = open_run(CONFIG), *other = NULL;
    run_file_begin(f, 0);
    put_block(f, 1);
    run_file_turn(f, UINT64_C(10000000000));
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    const struct run_file_settings settings = {.path = path, .config = CONFIG, .shape = SHAPE};
    assert_int_equal(run_file_create(&other, &settings), TUTTI_EREFUSED);
    assert_non_null(strstr(error_text(), path));
    run_file_destroy(other);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_size == after.st_size && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    assert_true(access(second, F_OK) < 0);
    put_block(f, 2);
    run_file_destroy(f);
    check_schemes(path, 0, (const uint64_t[]){1, 2}, 2);
    f = open_run(CONFIG); /* the lock is free again */
    run_file_destroy(f);
}

/* Writes for ever, flushing every 100 blocks of its own time; says so after each. */
static void write_until_killed(int pipe_end, uint64_t from)
{
    run_file_t *f = open_run(CONFIG);
    run_file_begin(f, from);
    for (uint64_t b = from;; b++) {
        put_block(f, b);
        put_user(f, b, 0);
        if (b % 100 == 99) {
            run_file_turn(f, b * UINT64_C(1000000000));
            if (write(pipe_end, &b, sizeof b) != sizeof b) {
                _exit(1);
            }
        }
    }
}

/* What was flushed is there after kill -9, and the next life goes on behind it; several times. */
static void a_killed_writer_loses_only_the_last_moment(void **state)
{
    (void)state;
    uint64_t from = 0, told = 0, ends[4];
    for (int life = 0; life < 4; life++) {
        int ends_of_pipe[2];
        assert_int_equal(pipe(ends_of_pipe), 0);
        const pid_t child = fork();
        if (child == 0) {
            write_until_killed(ends_of_pipe[1], from);
        }
        close(ends_of_pipe[1]);
        for (int i = 0; i < 5 + life; i++) {
            assert_int_equal(read(ends_of_pipe[0], &told, sizeof told), sizeof told);
        }
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        while (read(ends_of_pipe[0], &told, sizeof told) == sizeof told) {
            continue;
        }
        close(ends_of_pipe[0]);
        ends[life] = told;
        assert_true(rows_of(path, "/scheme") > told);
        from = told + 1000;
    }
    assert_true(access(second, F_OK) < 0);
    size_t n;
    double *scheme = read_doubles(path, "/scheme", &n), *sinr = read_doubles(path, "/user/sinr_measured", &n);
    for (uint64_t b = 0, life = 0; b <= ends[3]; b++) {
        assert_true(scheme[b] == (double)(b % 100000) && sinr[b * N_UE] == (double)b);
        if (b == ends[life] && life < 3) {
            b = ends[life++] + 1000 - 1;
        }
    }
    free(scheme);
    free(sinr);
}

static void nothing_is_recorded_without_a_file(void **state)
{
    (void)state;
    run_file_t *f = NULL;
    const struct run_file_settings settings = {.path = "", .config = CONFIG, .shape = SHAPE};
    assert_int_equal(run_file_create(&f, &settings), 0);
    run_file_begin(f, 5);
    put_block(f, 5);
    put_user(f, 5, 0);
    const double *sinr = run_file_peek(f, R_USER_SINR, 5); /* figures go on */
    assert_true(sinr && sinr[0] == 5);
    run_file_begin(f, 2);
    assert_int_equal(run_file_first_block(f), 2);
    run_file_destroy(f);
    run_file_destroy(NULL);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        CASE(rows_start_at_the_first_block),
        CASE(equal_lengths_at_the_end),
        CASE(late_reports_are_kept_and_erase_nothing),
        CASE(reports_of_blocks_that_were_not_solved_are_kept),
        CASE(starting_again_goes_on_in_the_same_file),
        CASE(accounts_of_an_earlier_life_are_owed),
        CASE(another_configuration_gets_a_file_of_its_own),
        CASE(time_that_goes_back_gets_a_file_of_its_own),
        CASE(foreign_files_are_left_alone),
        CASE(a_second_writer_is_refused_before_it_touches_anything),
        CASE(a_killed_writer_loses_only_the_last_moment),
        CASE(nothing_is_recorded_without_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
