/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_event_wakes_once(void **state)
{
    (void)state;
    const int fd = rt_event_create();
    assert_true(fd >= 0);
    assert_false(rt_event_wait(fd, 0));
    rt_event_signal(fd);
    rt_event_signal(fd);
    assert_true(rt_event_wait(fd, -1));
    assert_false(rt_event_wait(fd, 0)); /* signals before the wait are one */
    const uint64_t before = clock_mono_ns();
    assert_false(rt_event_wait(fd, 20000));
    assert_true(clock_mono_ns() - before >= 20000000u);
    close(fd);
    assert_false(rt_event_wait(fd, -1)); /* a dead fd does not hang */
}

enum { N_ROUNDS = 2000 };
static int to_other, to_us;

static void *echo(void *failures)
{
    for (int i = 0; i < N_ROUNDS; i++) {
        *(int *)failures += !rt_event_wait(to_other, 5000000);
        rt_event_signal(to_us);
    }
    return NULL;
}

static void test_events_between_threads_are_not_lost(void **state)
{
    (void)state;
    pthread_t thread;
    int failures = 0;
    to_other = rt_event_create();
    to_us = rt_event_create();
    assert_int_equal(pthread_create(&thread, NULL, echo, &failures), 0);
    for (int i = 0; i < N_ROUNDS; i++) {
        rt_event_signal(to_other);
        assert_true(rt_event_wait(to_us, 5000000));
    }
    pthread_join(thread, NULL);
    assert_int_equal(failures, 0);
    close(to_other);
    close(to_us);
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* In a child each: a stop request is for ever. 0 = as promised. */
static int stop_by_signal(int number)
{
    if (rt_stop_install() || rt_stop_requested() || readable(rt_stop_fd())) {
        return 1;
    }
    raise(number);
    errno = 0;
    raise(number); /* a second one changes nothing */
    return rt_stop_requested() && readable(rt_stop_fd()) && errno == 0 ? 0 : 2;
}

static int stop_before_anyone_watches(int unused)
{
    (void)unused;
    rt_stop_request();
    if (!rt_stop_requested()) {
        return 1;
    }
    return rt_stop_install() == 0 && readable(rt_stop_fd()) ? 0 : 2;
}

/* nohup: the terminal may go, the program stays. */
static int hang_up_under_nohup(int unused)
{
    (void)unused;
    signal(SIGHUP, SIG_IGN);
    if (rt_stop_install()) {
        return 1;
    }
    raise(SIGHUP);
    return rt_stop_requested() ? 2 : 0;
}

/* A write that goes nowhere or too far returns its error and ends nobody. */
static int write_too_much(int unused)
{
    (void)unused;
    int ends[2];
    char name[] = "/tmp/test_rt_XXXXXX";
    const int file = mkstemp(name);
    const struct rlimit limit = {4, 4};
    if (rt_stop_install() || pipe(ends) || file < 0 || unlink(name) || setrlimit(RLIMIT_FSIZE, &limit)) {
        return 1;
    }
    close(ends[0]);
    const bool pipe_told = write(ends[1], "x", 1) < 0 && errno == EPIPE;
    const bool file_told = write(file, "1234", 4) == 4 && write(file, "5", 1) < 0 && errno == EFBIG;
    return pipe_told && file_told && !rt_stop_requested() ? 0 : 2;
}

static int in_child(int (*action)(int argument), int argument)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        exit(action(argument)); /* and not _exit: so that coverage is counted */
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static void test_stop_requests(void **state)
{
    (void)state;
    assert_int_equal(in_child(stop_by_signal, SIGINT), 0);
    assert_int_equal(in_child(stop_by_signal, SIGTERM), 0);
    assert_int_equal(in_child(stop_by_signal, SIGHUP), 0);
    assert_int_equal(in_child(stop_by_signal, SIGXCPU), 0);
    assert_int_equal(in_child(hang_up_under_nohup, 0), 0);
    assert_int_equal(in_child(write_too_much, 0), 0);
    assert_int_equal(in_child(stop_before_anyone_watches, 0), 0);
}

static void *look_hot(void *hot)
{
    *(bool *)hot = rt_hot();
    return NULL;
}

static void test_hot_is_per_thread_and_counted(void **state)
{
    (void)state;
    bool other_hot = true;
    pthread_t thread;
    const uint64_t before = rt_hot_entries();
    assert_false(rt_hot());
    rt_hot_enter();
    assert_true(rt_hot());
    assert_int_equal(pthread_create(&thread, NULL, look_hot, &other_hot), 0);
    pthread_join(thread, NULL);
    rt_hot_leave();
    assert_false(rt_hot());
    assert_false(other_hot);
    rt_hot_enter();
    rt_hot_leave();
    assert_int_equal(rt_hot_entries(), before + 2);
}

static void test_pin(void **state)
{
    (void)state;
    cpu_set_t before, after;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(rt_pin(-1), 0);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    int core = 0;
    while (!CPU_ISSET((size_t)core, &before)) {
        core++;
    }
    assert_int_equal(rt_pin(core), 0);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_int_equal(CPU_COUNT(&after), 1);
    assert_true(CPU_ISSET((size_t)core, &after));
    assert_int_equal(sched_getcpu(), core);
    assert_int_equal(rt_pin(CPU_SETSIZE), TUTTI_EINVAL);
    assert_int_equal(rt_pin(CPU_SETSIZE - 1), TUTTI_EUNSUPPORTED);
    assert_non_null(strstr(error_text(), "1023"));
    sched_setaffinity(0, sizeof before, &before);
}

static int ask_for_priority(int priority)
{
    const int status = rt_priority(priority);
    struct sched_param param;
    const int policy = sched_getscheduler(0);
    sched_getparam(0, &param);
    if (status) {
        return policy == SCHED_OTHER && strstr(error_text(), "CAP_SYS_NICE") ? 0 : 1;
    }
    return policy == SCHED_FIFO && param.sched_priority == priority ? 0 : 2;
}

static int ask_for_memory(int unused)
{
    (void)unused;
    return rt_lock_memory() == 0 || strstr(error_text(), "ulimit -l") ? 0 : 1;
}

static void test_privileges_are_best_effort(void **state)
{
    (void)state;
    assert_int_equal(rt_priority(0), 0);
    assert_int_equal(rt_priority(-1), TUTTI_EINVAL);
    assert_int_equal(rt_priority(100), TUTTI_EINVAL);
    assert_int_equal(in_child(ask_for_priority, 10), 0);
    assert_int_equal(in_child(ask_for_memory, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_wakes_once),
        cmocka_unit_test(test_events_between_threads_are_not_lost),
        cmocka_unit_test(test_stop_requests),
        cmocka_unit_test(test_hot_is_per_thread_and_counted),
        cmocka_unit_test(test_pin),
        cmocka_unit_test(test_privileges_are_best_effort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
