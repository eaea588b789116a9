/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "skip.h" /* after cmocka.h */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct counts {
    unsigned long entries, mallocs, lock_waits;
    char first[1024];
};

static struct counts probe(const char *what)
{
    char path[] = "/tmp/tutti_hotcheck_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("LD_PRELOAD", HOTCHECK_LIBRARY, 1);
        setenv("TUTTI_HOTCHECK", path, 1);
        execl(HOT_PROBE, "hot_probe", what, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    char line[2048] = {0};
    assert_true(read(fd, line, sizeof line - 1) > 0);
    close(fd);
    unlink(path);
    struct counts c = {0};
    assert_int_equal(sscanf(line, "HOTCHECK hot_probe hot_entries=%lu malloc=%lu lock_wait=%lu first=%1023s\n",
                            &c.entries, &c.mallocs, &c.lock_waits, c.first),
                     4);
    assert_int_equal(strchr(line, '\n') - line, (ptrdiff_t)strlen(line) - 1); /* one line */
    return c;
}

static void skip_under_sanitizer(void)
{
    if (SANITIZER[0]) {
        SKIP_BECAUSE("sanitizer \"%s\" has its own allocator", SANITIZER);
    }
}

static void test_clean_program_counts_nothing(void **state)
{
    (void)state;
    skip_under_sanitizer();
    const struct counts c = probe("nothing");
    assert_int_equal(c.entries, 3);
    assert_int_equal(c.mallocs, 0); /* though it allocates off the block path */
    assert_int_equal(c.lock_waits, 0);
    assert_string_equal(c.first, "-");
}

static void test_every_allocation_counts(void **state)
{
    (void)state;
    skip_under_sanitizer();
    const struct counts c = probe("allocate");
    assert_int_equal(c.entries, 3);
    assert_int_equal(c.mallocs, 3 * 11);
    assert_int_equal(c.lock_waits, 0);
    assert_int_equal(strncmp(c.first, "malloc:", 7), 0);
    assert_non_null(strstr(c.first, "main+"));
}

static void test_only_waiting_for_a_lock_counts(void **state)
{
    (void)state;
    skip_under_sanitizer();
    assert_int_equal(probe("free_lock").lock_waits, 0);
    const struct counts c = probe("contended");
    assert_int_equal(c.mallocs, 0);
    assert_int_equal(c.lock_waits, 1); /* the first of three: then the holder is gone */
    assert_int_equal(strncmp(c.first, "pthread_mutex_lock:", 19), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_program_counts_nothing),
        cmocka_unit_test(test_every_allocation_counts),
        cmocka_unit_test(test_only_waiting_for_a_lock_counts),
    };
    return skip_status(cmocka_run_group_tests(tests, NULL, NULL));
}
