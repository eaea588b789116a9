/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Folders of others are made by root giving one away; without that privilege the cases that need it are SKIPPED. */
#include "base/error.h"
#include "base/folder.h"
#include "scratch.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SOMEBODY = 65534 };

static void expect_refused(const char *path, const char *reason)
{
    assert_int_equal(folder_check(path), TUTTI_EIO);
    if (!strstr(error_text(), reason)) {
        fail_msg("\"%s\" lacks \"%s\"", error_text(), reason);
    }
}

static void test_own_folders(void **state)
{
    (void)state;
    assert_int_equal(folder_check(base), TUTTI_OK);
    assert_int_equal(folder_check("/"), TUTTI_OK);
    assert_int_equal(mkdir(in("a"), 0755), 0);
    assert_int_equal(folder_check(in("a")), TUTTI_OK);
    assert_int_equal(folder_check(in("a/")), TUTTI_OK);
    assert_int_equal(symlink(in("a"), in("own_link")), 0);
    assert_int_equal(folder_check(in("own_link")), TUTTI_OK);
    expect_refused(in("nothing"), "No such file");
}

static void test_written_by_others(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in("open"), 0700), 0);
    assert_int_equal(mkdir(in("open/inner"), 0700), 0);
    assert_int_equal(chmod(in("open"), 0777), 0);
    expect_refused(in("open"), "may be written by others (mode 0777)");
    expect_refused(in("open/inner"), "may be written by others"); /* it could be exchanged as a whole */
    assert_int_equal(chmod(in("open"), 01777), 0);
    assert_int_equal(folder_check(in("open/inner")), TUTTI_OK); /* as in /tmp */
    assert_int_equal(chmod(in("open"), 0775), 0);
    assert_int_equal(folder_check(in("open")), TUTTI_OK); /* our own group */
    if (chown(in("open"), (uid_t)-1, SOMEBODY) == 0) {
        assert_int_equal(chmod(in("open"), 0775), 0);
        expect_refused(in("open"), "may be written by others (mode 0775)");
    }
    FILE *const file = fopen(in("file"), "w");
    assert_non_null(file);
    fclose(file);
    expect_refused(in("file"), "is not a folder");
}

static void test_of_others(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in("theirs"), 0700), 0);
    if (chown(in("theirs"), SOMEBODY, SOMEBODY)) {
        print_message("SKIPPED: folders of other users: needs root\n");
        skip();
    }
    expect_refused(in("theirs"), "who could exchange what lies in it");
    assert_int_equal(symlink(in("a"), in("their_link")), 0);
    assert_int_equal(lchown(in("their_link"), SOMEBODY, SOMEBODY), 0);
    expect_refused(in("their_link"), "who could exchange what lies in it");
}

static void test_making(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(folder_make_for(in("new/deep/socket")), TUTTI_OK);
    assert_int_equal(stat(in("new/deep"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_not_equal(stat(in("new/deep/socket"), &status), 0);
    assert_int_equal(folder_make_for(in("new/deep/socket")), TUTTI_OK);
    char here[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(base), 0);
    assert_int_equal(folder_make_for("socket"), TUTTI_OK);
    assert_int_equal(folder_make_for("rel/socket"), TUTTI_OK);
    assert_int_equal(stat("rel", &status), 0);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(folder_make_for("/proc/nowhere/socket"), TUTTI_EIO);
    assert_non_null(strstr(error_text(), "cannot make the folder /proc/nowhere"));
    assert_int_equal(mkdir(in("anybodys"), 0700), 0);
    assert_int_equal(chmod(in("anybodys"), 0777), 0);
    assert_int_equal(folder_make_for(in("anybodys/socket")), TUTTI_EIO);
    char longest[2 * PATH_MAX];
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(folder_make_for(longest), TUTTI_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_own_folders), cmocka_unit_test(test_written_by_others),
                                       cmocka_unit_test(test_of_others), cmocka_unit_test(test_making)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
