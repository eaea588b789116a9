/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_every_code_has_its_own_text(void **state)
{
    (void)state;
    static const int codes[] = {
#define CODE(name, value, text) value,
        TUTTI_ERROR_MAP(CODE)
#undef CODE
    };
    const int n = (int)(sizeof codes / sizeof *codes);
    for (int i = 0; i < n; i++) {
        assert_int_equal(codes[i], -i); /* 0, -1, -2, ...: codes travel on the wire and must not move */
        assert_true(strlen(error_name(codes[i])) > 0);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(error_name(codes[i]), error_name(codes[k]));
        }
        assert_string_not_equal(error_name(codes[i]), "unknown error");
    }
    assert_string_equal(error_name(TUTTI_OK), "success");
    assert_string_equal(error_name(1), "unknown error");
    assert_string_equal(error_name(-n), "unknown error");
}

static void test_sentence_is_kept_and_wrapped(void **state)
{
    (void)state;
    assert_int_equal(error_set(TUTTI_EIO, "cannot open %s", "a.h5"), TUTTI_EIO);
    assert_string_equal(error_text(), "cannot open a.h5");
    assert_int_equal(error_set(TUTTI_ECONFIG, "AP %d: %s", 3, error_text()), TUTTI_ECONFIG);
    assert_string_equal(error_text(), "AP 3: cannot open a.h5");
}

static void test_long_text_is_cut_at_511_bytes(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(TUTTI_EIO, "%s", text);
    assert_int_equal(strlen(error_text()), 511);
}

/* What others wrote may be in it. */
static void test_one_line_of_whole_characters(void **state)
{
    (void)state;
    char text[600];
    error_set(TUTTI_EIO, "a\nb\tc\x1b[31md\x7f\re");
    assert_string_equal(error_text(), "a b c [31md  e");
    error_set(TUTTI_EIO, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xa1");
    assert_string_equal(error_text(), "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xa1");
    for (size_t before = 505; before < 512; before++) {
        memset(text, 'x', before);
        strcpy(text + before, "\xe2\x82\xac!");
        error_set(TUTTI_EIO, "%s", text);
        assert_int_equal(strlen(error_text()), before + 4 <= 511   ? before + 4
                                               : before + 3 <= 511 ? before + 3
                                                                   : before);
    }
    error_set(TUTTI_EIO, "%s", "");
    assert_string_equal(error_text(), "");
}

static void *other_thread(void *seen_empty)
{
    *(int *)seen_empty = error_text()[0] == '\0';
    error_set(TUTTI_EIO, "from the other thread");
    return NULL;
}

static void test_each_thread_has_its_own_sentence(void **state)
{
    (void)state;
    int seen_empty = 0;
    pthread_t thread;
    error_set(TUTTI_EIO, "mine");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &seen_empty), 0);
    pthread_join(thread, NULL);
    assert_true(seen_empty);
    assert_string_equal(error_text(), "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_its_own_text),      cmocka_unit_test(test_sentence_is_kept_and_wrapped),
        cmocka_unit_test(test_long_text_is_cut_at_511_bytes),    cmocka_unit_test(test_one_line_of_whole_characters),
        cmocka_unit_test(test_each_thread_has_its_own_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
