/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread that ends before it was told to ends the process: with its sentence, the stop request and an exit status
 * that is not zero. One that was told to stop does not. Every case is a child process, for both are for good. */
#include "base/error.h"
#include "base/rt.h"
#include "node/program.h"
#include "node/thread.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int dies(void *argument)
{
    (void)argument;
    return error_set(TUTTI_EIO, "the cable was cut");
}

static int walks_off(void *argument)
{
    (void)argument;
    return TUTTI_OK;
}

static int obeys(void *argument)
{
    (void)argument;
    while (!rt_stop_requested()) {
        rt_event_wait(rt_stop_fd(), 1000000); /* reads it: nobody else does here */
    }
    return TUTTI_OK;
}

static int (*the_body)(void *argument);
static int the_end; /* what the program's own loop returns */

/* A program with one thread: runs until the stop is requested; a body that obeys is told to by SIGHUP. */
static int run(const struct config *config, const struct node_options *options)
{
    (void)options;
    struct node_thread thread = {
        .name = "worker", .duty = NODE_DUTY_BACKGROUND, .engine = &config->engine, .core = -1, .body = the_body};
    if (the_body && node_thread_start(&thread) < 0) {
        return TUTTI_ENOMEM;
    }
    if (the_body == obeys) {
        raise(SIGHUP);
    }
    for (int i = 0; the_body && i < 1000 && !rt_stop_requested(); i++) {
        usleep(10000);
    }
    const bool stopped = rt_stop_requested();
    if (!stopped && the_body) {
        fprintf(stderr, "never stopped\n");
    }
    rt_stop_request();
    node_thread_join(&thread);
    return the_end;
}

/* Exit status of the program; what it said goes to text. */
static int program(int (*body)(void *), int end, char *text, size_t room)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        the_body = body;
        the_end = end;
        static const struct node_program self = {.name = "tutti-x", .usage = "", .run = run};
        char *argv[] = {(char *)(uintptr_t) "tutti-x", (char *)(uintptr_t) "--config", getenv("TEST_NETWORK")};
        _exit(node_main(&self, 3, argv));
    }
    close(pipes[1]);
    size_t n = 0;
    ssize_t got;
    while ((got = read(pipes[0], text + n, room - 1 - n)) > 0) {
        n += (size_t)got;
    }
    text[n] = '\0';
    close(pipes[0]);
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_a_dead_thread_ends_the_process(void **state)
{
    (void)state;
    char text[4096];
    assert_int_equal(program(dies, TUTTI_ESTOPPED, text, sizeof text), EXIT_FAILURE);
    assert_non_null(strstr(text, "tutti-x: worker: the cable was cut"));
    assert_null(strstr(text, "never stopped"));
    assert_int_equal(program(walks_off, TUTTI_ESTOPPED, text, sizeof text), EXIT_FAILURE);
    assert_non_null(strstr(text, "tutti-x: worker: ended before it was told to"));
}

static void test_a_thread_told_to_stop_does_not(void **state)
{
    (void)state;
    char text[4096];
    assert_int_equal(program(obeys, TUTTI_ESTOPPED, text, sizeof text), EXIT_SUCCESS);
    assert_null(strstr(text, "tutti-x:"));
}

static void test_status_of_the_loop(void **state)
{
    (void)state;
    char text[4096];
    assert_int_equal(program(NULL, TUTTI_OK, text, sizeof text), EXIT_SUCCESS);
    assert_int_equal(program(NULL, TUTTI_ESTOPPED, text, sizeof text), EXIT_SUCCESS);
    assert_int_equal(program(NULL, TUTTI_EREFUSED, text, sizeof text), EXIT_FAILURE);
}

static int write_network(void **state)
{
    (void)state;
    static char path[] = "/tmp/tutti-test-thread-XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0 || write(fd, "network: {seed: 1}\n", 19) != 19) {
        return -1;
    }
    close(fd);
    return setenv("TEST_NETWORK", path, 1);
}

static int remove_network(void **state)
{
    (void)state;
    return unlink(getenv("TEST_NETWORK"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_dead_thread_ends_the_process),
                                       cmocka_unit_test(test_a_thread_told_to_stop_does_not),
                                       cmocka_unit_test(test_status_of_the_loop)};
    return cmocka_run_group_tests(tests, write_network, remove_network);
}
