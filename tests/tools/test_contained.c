/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a command whose child returns, crashes, hangs or is interrupted. Usage: test_contained DATA_FOLDER */
#include "base/clock.h"
#include "base/h5file.h"
#include "base/h5file_internal.h"
#include "base/rt.h"
#include "tools/contained.h"
#include "tools/inspect/dataset_stats.h"
#include "tools/tool.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *data_folder;
static char said[4096]; /* what the last run put on standard error */
static int n_crashed;

static void crashed(void *context)
{
    (void)context;
    n_crashed++;
}

static int run_limited(int (*body)(void *context), void *context, unsigned limit_s)
{
    FILE *const text = tmpfile();
    const int before = dup(STDERR_FILENO);
    assert_true(text && before >= 0 && dup2(fileno(text), STDERR_FILENO) >= 0);
    n_crashed = 0;
    const int status = contained_run(&(struct contained){
        .command = "test", .path = "a.h5", .body = body, .crashed = crashed, .context = context, .limit_s = limit_s});
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    rewind(text);
    said[fread(said, 1, sizeof said - 1, text)] = '\0';
    fclose(text);
    return status;
}

static int run(int (*body)(void *context), void *context)
{
    return run_limited(body, context, 1);
}

/* As in a build without sanitizers, which have handlers of their own. */
static void die_of(int number)
{
    signal(number, SIG_DFL);
    raise(number);
    _exit(99);
}

/* Bodies ---------------------------------------------------------------------------------------------------------- */

static int give_back(void *context)
{
    return *(int *)context;
}

static int raise_it(void *context)
{
    die_of(*(int *)context);
    return 0;
}

static int tell_core_limit(void *context)
{
    struct rlimit limit;
    (void)context;
    return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0 ? 0 : 1;
}

static void ignore_attribute(void *context, const char *object, const char *name, const char *value)
{
    (void)context;
    (void)object;
    (void)name;
    (void)value;
}

static void ignore_dataset(void *context, const char *path, const struct h5_info *info)
{
    h5file_t *const file = context;
    struct dataset_stats stats;
    if (info->type == H5_STRING) {
        free(h5file_read_text(file, path));
    } else if (dataset_stats(file, path, info, &stats) < 0) {
        return;
    }
}

static int read_everything(void *context)
{
    h5file_t *file;
    signal(SIGSEGV, SIG_DFL);
    if (h5file_open(&file, context) < 0) {
        return 7;
    }
    h5file_list(file, ignore_dataset, file);
    h5file_list_attributes(file, ignore_attribute, NULL);
    h5file_close(file);
    return 0;
}

/* Longer than the limit in all, but no single call is. */
static int many_short_calls(void *context)
{
    h5file_t *file;
    struct h5_info info;
    const uint64_t end_ns = clock_mono_ns() + 1500000000u;
    while (clock_mono_ns() < end_ns) {
        if (h5file_open(&file, context) < 0) {
            return 7;
        }
        h5file_info(file, "/config", &info);
        usleep(20000);
        h5file_close(file);
    }
    h5file_open(&file, context);
    sleep(2); /* not in a call */
    h5file_close(file);
    return 0;
}

/* Tests ----------------------------------------------------------------------------------------------------------- */

static void test_status_is_given_back(void **state)
{
    (void)state;
    for (int status = 0; status < 4; status++) {
        assert_int_equal(run(give_back, &status), status);
        assert_string_equal(said, "");
        assert_int_equal(n_crashed, 0);
    }
    assert_int_equal(run(tell_core_limit, NULL), 0);
}

static void test_crashes_are_told(void **state)
{
    static const struct {
        int number;
        const char *name;
    } deaths[] = {
        {SIGSEGV, "SIGSEGV"}, {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}};
    (void)state;
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        char expected[256];
        int number = deaths[i].number;
        snprintf(expected, sizeof expected,
                 "tutti test: a.h5: crashed at work on it (%s): it is damaged, or this is a fault of tutti\n",
                 deaths[i].name);
        assert_int_equal(run(raise_it, &number), TOOL_FAILED);
        assert_string_equal(said, expected);
        assert_int_equal(n_crashed, 1);
    }
    int number = SIGKILL;
    assert_int_equal(run(raise_it, &number), TOOL_FAILED);
    assert_non_null(strstr(said, "tutti test: a.h5: killed (SIGKILL)"));
    assert_int_equal(n_crashed, 0); /* as after kill -9: what is there is kept */
}

/* A call into the library that does not return. */
static int never_return(void *context)
{
    h5file_t *file;
    if (h5file_open(&file, context) < 0) {
        return 7;
    }
    h5file_enter(file);
    for (;;) {
        pause();
    }
}

static void test_a_call_that_hangs_is_ended(void **state)
{
    char path[] = "/tmp/tutti_contained_XXXXXX";
    h5file_t *file;
    (void)state;
    close(mkstemp(path));
    assert_int_equal(h5file_create(&file, path), 0);
    h5file_close(file);
    const uint64_t start_ns = clock_mono_ns();
    const int status = run(never_return, path);
    const double seconds = (double)(clock_mono_ns() - start_ns) * 1e-9;
    unlink(path);
    assert_int_equal(status, TOOL_FAILED);
    assert_string_equal(said, "tutti test: a.h5: damaged: reading it did not come to an end within 1 s\n");
    assert_true(seconds >= 0.9 && seconds < 20);
    assert_int_equal(n_crashed, 1);
}

static void test_the_limit_is_per_call(void **state)
{
    char path[] = "/tmp/tutti_contained_XXXXXX";
    h5file_t *file;
    (void)state;
    close(mkstemp(path));
    assert_int_equal(h5file_create(&file, path), 0);
    assert_int_equal(h5file_put_text(file, "/config", "x"), 0);
    h5file_close(file);
    const int status = run(many_short_calls, path);
    unlink(path);
    assert_int_equal(status, 0);
    assert_string_equal(said, "");
}

/* Damaged files that Debian 12's libhdf5 (1.10.8) crashes on and does not come back from; another may refuse them. */
static void test_damaged_files(void **state)
{
    char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s/crashes_libhdf5_inspect", data_folder);
    int status = run(read_everything, path);
    if (status == TOOL_FAILED) {
        assert_string_equal(said, "tutti test: a.h5: damaged: the HDF5 library crashed on it (SIGSEGV)\n");
    } else {
        assert_true(status == 0 || status == 7);
    }
    assert_true(status == TOOL_FAILED || !KNOWN_HDF5);
    snprintf(path, sizeof path, "%s/hangs_libhdf5", data_folder);
    status = run(read_everything, path);
    if (status == TOOL_FAILED) {
        assert_non_null(strstr(said, "did not come to an end within 1 s"));
    } else {
        assert_true(status == 0 || status == 7);
    }
    assert_true(status == TOOL_FAILED || !KNOWN_HDF5);
}

/* What was printed before appears once, what the child prints appears. */
static void test_output_is_neither_lost_nor_doubled(void **state)
{
    char text[64];
    int fd[2];
    (void)state;
    assert_int_equal(pipe(fd), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        int status = 0;
        dup2(fd[1], STDOUT_FILENO);
        close(fd[0]);
        printf("before ");
        contained_run(&(struct contained){.command = "test", .path = "a.h5", .body = give_back, .context = &status});
        printf("after");
        fflush(stdout);
        _exit(0);
    }
    close(fd[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(fd[0], text + n, sizeof text - 1 - n)) > 0;) {
        n += (size_t)got;
    }
    text[n] = '\0';
    close(fd[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_string_equal(text, "before after");
}

/* Interruption ---------------------------------------------------------------------------------------------------- */

static int pipe_fd[2];

/* Tells its process id, then waits: handling stop requests or not. */
static int wait_politely(void *context)
{
    const pid_t me = getpid();
    if (*(bool *)context && rt_stop_install() < 0) {
        return 1;
    }
    if (write(pipe_fd[1], &me, sizeof me) != sizeof me) {
        return 1;
    }
    for (int i = 0; i < 2000 && !rt_stop_requested(); i++) {
        usleep(10000);
    }
    return rt_stop_requested() ? 42 : 1;
}

/* A command in a process of its own; returns when its child is at work. */
static pid_t start_command(bool handles, pid_t *child)
{
    assert_int_equal(pipe(pipe_fd), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        close(pipe_fd[0]);
        _exit(contained_run(
            &(struct contained){.command = "test", .path = "a.h5", .body = wait_politely, .context = &handles}));
    }
    close(pipe_fd[1]);
    assert_int_equal(read(pipe_fd[0], child, sizeof *child), sizeof *child);
    assert_true(*child != pid);
    return pid;
}

/* Both ends of the pipe are closed when both processes have gone. */
static void expect_end_of_both(void)
{
    char byte;
    const uint64_t start_ns = clock_mono_ns();
    assert_int_equal(read(pipe_fd[0], &byte, 1), 0);
    assert_true(clock_mono_ns() - start_ns < 10000000000u);
    close(pipe_fd[0]);
}

static void test_stop_requests_reach_the_child(void **state)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    (void)state;
    for (int i = 0; i < 4; i++) {
        pid_t child;
        int status;
        const bool handles = i < 2;
        const pid_t pid = start_command(handles, &child);
        assert_int_equal(kill(pid, numbers[i % 2]), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (handles) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
        } else {
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i % 2]);
        }
        expect_end_of_both();
    }
}

static void test_the_child_dies_with_the_command(void **state)
{
    pid_t child;
    (void)state;
    const pid_t pid = start_command(true, &child);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    expect_end_of_both();
}

int main(int argc, char **argv)
{
    data_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_is_given_back),
        cmocka_unit_test(test_crashes_are_told),
        cmocka_unit_test(test_a_call_that_hangs_is_ended),
        cmocka_unit_test(test_the_limit_is_per_call),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_output_is_neither_lost_nor_doubled),
        cmocka_unit_test(test_stop_requests_reach_the_child),
        cmocka_unit_test(test_the_child_dies_with_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
