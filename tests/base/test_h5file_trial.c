/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a file's first reader is told, and nothing of it stays. */
#include "base/error.h"
#include "base/h5file.h"
#include "base/h5file_trial.h"
#include "base/log.h"
#include "base/rt.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int here; /* the child's copy is another */

static int succeed(void *context)
{
    here = 1;
    return *(int *)context;
}

static int refuse(void *unused)
{
    (void)unused;
    return error_set(TUTTI_EFORMAT, "a sentence of the child's");
}

/* As the library does: whatever a sanitizer would say of it. */
static int crash(void *unused)
{
    (void)unused;
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return 0;
}

static int abort_it(void *unused)
{
    (void)unused;
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* As its limit ends a call. */
static int never_end(void *unused)
{
    (void)unused;
    raise(SIGALRM);
    return 0;
}

static int be_killed(void *unused)
{
    (void)unused;
    raise(SIGKILL);
    return 0;
}

static int leave(void *unused)
{
    (void)unused;
    _exit(0);
}

static void what_it_returns_is_returned(void **state)
{
    (void)state;
    for (int value = 0; value < 3; value++) {
        assert_int_equal(h5file_trial("a.h5", succeed, &value), value);
    }
    assert_int_equal(here, 0);
    assert_int_equal(h5file_trial("a.h5", refuse, NULL), TUTTI_EFORMAT);
    assert_string_equal(error_text(), "a sentence of the child's");
}

static void a_crash_has_a_sentence(void **state)
{
    (void)state;
    assert_int_equal(h5file_trial("a.h5", crash, NULL), TUTTI_EFORMAT);
    assert_string_equal(error_text(), "a.h5: damaged: the HDF5 library crashed on it (SIGSEGV)");
    assert_int_equal(h5file_trial("a.h5", abort_it, NULL), TUTTI_EFORMAT);
    assert_string_equal(error_text(), "a.h5: damaged: the HDF5 library crashed on it (SIGABRT)");
    assert_int_equal(h5file_trial("a.h5", never_end, NULL), TUTTI_EFORMAT);
    assert_non_null(strstr(error_text(), "a.h5: damaged: reading it did not come to an end within "));
    assert_int_equal(h5file_trial("a.h5", be_killed, NULL), TUTTI_ENOMEM);
    assert_non_null(strstr(error_text(), "killed"));
    assert_int_equal(h5file_trial("a.h5", leave, NULL), TUTTI_EFORMAT); /* without a word */
}

static void shells_may_ignore_the_death_of_children(void **state)
{
    (void)state;
    int value = 2;
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(h5file_trial("a.h5", succeed, &value), 2);
    assert_int_equal(h5file_trial("a.h5", crash, NULL), TUTTI_EFORMAT);
    assert_string_equal(error_text(), "a.h5: damaged: the HDF5 library crashed on it");
    signal(SIGCHLD, SIG_DFL);
}

/* Others at work -------------------------------------------------------------------------------------------------- */

static char path[64], other[64];
static atomic_bool done;

static void write_small(const char *name)
{
    h5file_t *file = NULL;
    assert_int_equal(h5file_create(&file, name), 0);
    assert_true(h5file_put(file, "/a", H5_F64, 1, (const size_t[]){1}, (const double[]){7}) >= 0);
    h5file_close(file);
}

static int read_small(void *unused)
{
    h5file_t *file = NULL;
    double value = 0;
    (void)unused;
    int status = h5file_open(&file, path);
    status = status < 0 ? status : h5file_read(file, "/a", H5_F64, &value, sizeof value);
    h5file_close(file);
    return status < 0 ? status : (int)value;
}

static void *be_busy(void *unused)
{
    (void)unused;
    while (!atomic_load(&done)) {
        h5file_t *file = NULL;
        if (h5file_open(&file, other) == 0) {
            h5file_close(file);
        }
    }
    return NULL;
}

/* A child that was made while another thread was inside HDF5 would wait for its lock for ever. */
static void others_may_be_inside_the_library(void **state)
{
    pthread_t thread;
    (void)state;
    write_small(path);
    write_small(other);
    assert_int_equal(pthread_create(&thread, NULL, be_busy, NULL), 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(h5file_trial(path, read_small, NULL), 7);
    }
    atomic_store(&done, true);
    pthread_join(thread, NULL);
}

/* Programs begin with the log's thread; up to one in fifty hung under the address sanitizer when its first steps
 * were not waited for. In children: a process has that thread once. */
static void the_log_may_have_just_begun(void **state)
{
    (void)state;
    write_small(path);
    for (int i = 0; i < 60; i++) {
        const pid_t child = fork();
        int status = -1;
        if (child == 0) {
            log_set_component("TRIAL");
            _exit(h5file_trial(path, read_small, NULL) == 7 ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

/* Stopping --------------------------------------------------------------------------------------------------------- */

/* The event is the parent's, too; the flag is not. */
static int ask_the_parent_to_stop(void *unused)
{
    (void)unused;
    kill(getppid(), SIGTERM);
    sleep(600); /* it is killed at once */
    return 0;
}

/* The last case: nothing takes a stop back. */
static void who_is_stopped_does_not_wait(void **state)
{
    (void)state;
    assert_int_equal(rt_stop_install(), 0);
    assert_int_equal(h5file_trial("a.h5", ask_the_parent_to_stop, NULL), TUTTI_ESTOPPED);
    assert_non_null(strstr(error_text(), "stopped"));
}

int main(void)
{
    snprintf(path, sizeof path, "/tmp/tutti_trial_%d_a.h5", (int)getpid());
    snprintf(other, sizeof other, "/tmp/tutti_trial_%d_b.h5", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_returns_is_returned),
        cmocka_unit_test(a_crash_has_a_sentence),
        cmocka_unit_test(shells_may_ignore_the_death_of_children),
        cmocka_unit_test(others_may_be_inside_the_library),
        cmocka_unit_test(the_log_may_have_just_begun),
        cmocka_unit_test(who_is_stopped_does_not_wait),
    };
    const int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    unlink(other);
    return n_failed;
}
