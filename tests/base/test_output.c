/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "base/output.h"
#include "scratch.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void write_file(const char *path, const char *text)
{
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void expect_begin(const char *wanted, const char *got)
{
    char name[PATH_MAX];
    struct stat status;
    if (output_begin(wanted, name, sizeof name)) {
        fail_msg("%s: %s", wanted, error_text());
    }
    assert_string_equal(name, got);
    assert_int_equal(stat(name, &status), 0);
    assert_true(S_ISREG(status.st_mode) && status.st_size == 0);
}

/* What is there stays there, whatever it is. */
static void test_nothing_is_overwritten(void **state)
{
    (void)state;
    char text[16] = "";
    expect_begin(in("new.h5"), in("new.h5"));
    write_file(in("run.h5"), "precious");
    expect_begin(in("run.h5"), in("run.2.h5"));
    expect_begin(in("run.h5"), in("run.3.h5"));
    write_file(in("plain"), "precious");
    expect_begin(in("plain"), in("plain.2"));
    write_file(in(".hidden"), "precious");
    expect_begin(in(".hidden"), in(".hidden.2"));
    assert_int_equal(mkdir(in("a.b"), 0700), 0);
    write_file(in("a.b/c"), "precious");
    expect_begin(in("a.b/c"), in("a.b/c.2"));
    assert_int_equal(symlink(in("nowhere"), in("link.h5")), 0); /* also not through a link */
    expect_begin(in("link.h5"), in("link.2.h5"));
    assert_int_not_equal(access(in("nowhere"), F_OK), 0);
    FILE *const file = fopen(in("run.h5"), "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "precious");
}

static void expect_refused(const char *path, size_t room, const char *reason)
{
    char name[PATH_MAX];
    assert_int_equal(output_begin(path, name, room), TUTTI_EIO);
    if (!strstr(error_text(), reason)) {
        fail_msg("\"%s\" lacks \"%s\"", error_text(), reason);
    }
}

static void test_no_place_for_a_file(void **state)
{
    (void)state;
    expect_refused("/dev/null", PATH_MAX, "not a regular file");
    assert_int_equal(mkfifo(in("pipe"), 0600), 0);
    expect_refused(in("pipe"), PATH_MAX, "not a regular file");
    expect_refused(base, PATH_MAX, "not a regular file");
    expect_refused(in("no/such/folder/x.h5"), PATH_MAX, "cannot write");
    expect_refused(in("x.h5"), 5, "the path is too long");
    assert_int_not_equal(access(in("x.h5"), F_OK), 0);
}

/* Many at once: each has a file of its own. */
static void test_many_at_once(void **state)
{
    (void)state;
    enum { N = 12 };
    for (int i = 0; i < N; i++) {
        if (fork() == 0) {
            char name[PATH_MAX];
            FILE *file = output_begin(in("race.h5"), name, sizeof name) ? NULL : fopen(name, "a");
            _exit(file && fputs("x", file) >= 0 && fclose(file) == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < N; i++) {
        int status;
        assert_true(wait(&status) > 0 && status == 0);
    }
    for (int i = 1; i <= N; i++) {
        char name[64];
        struct stat status;
        snprintf(name, sizeof name, i == 1 ? "race.h5" : "race.%d.h5", i);
        assert_int_equal(stat(in(name), &status), 0);
        assert_int_equal(status.st_size, 1);
    }
}

static void test_same_place(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in("d"), 0700), 0);
    assert_int_equal(symlink(in("d"), in("e")), 0);
    write_file(in("d/x"), "");
    assert_int_equal(link(in("d/x"), in("d/hard")), 0);
    assert_true(output_same(in("y"), in("y"))); /* none is there yet */
    assert_true(output_same(in("d/y"), in("d/../d/y")));
    assert_true(output_same(in("d/y"), in("e/y")));
    assert_true(output_same(in("d/x"), in("e/x")));
    assert_true(output_same(in("d/x"), in("d/hard")));
    assert_false(output_same(in("d/x"), in("d/y")));
    assert_false(output_same(in("d/y"), in("y")));
    assert_false(output_same("", in("y")));
    assert_false(output_same(in("y"), ""));
    assert_false(output_same("", ""));
    assert_false(output_same(NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_is_overwritten),
                                       cmocka_unit_test(test_no_place_for_a_file), cmocka_unit_test(test_many_at_once),
                                       cmocka_unit_test(test_same_place)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
