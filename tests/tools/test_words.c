/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Command lines: what goes where, and what is wrong usage. */
#include "tools/tool.h"
#include "tools/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    struct config_options common;
    bool flag;
    const char *text, *rest;
    int number;
};

static int take_number(void *context, const char *value)
{
    struct seen *const seen = context;
    seen->number = atoi(value);
    return seen->number > 0 ? 0 : tool_usage_error("test", "--number %s", value);
}

/* argv: up to NULL. */
static int take(struct seen *seen, bool with_rest, const char *const *argv)
{
    const struct tool_word own[] = {{.name = "--flag", .flag = &seen->flag},
                                    {.name = "--text", .text = &seen->text},
                                    {.name = "--number", .take = take_number, .context = seen}};
    const struct tool_words words = {.command = "test",
                                     .help = "help\n",
                                     .common = &seen->common,
                                     .rest = with_rest ? &seen->rest : NULL,
                                     .word = own,
                                     .n = sizeof own / sizeof own[0]};
    char *list[12] = {(char[]){"test"}};
    int argc = 1;
    for (; argv[argc - 1]; argc++) {
        list[argc] = strdup(argv[argc - 1]);
    }
    config_options_free(&seen->common);
    *seen = (struct seen){0};
    const int status = tool_words_take(&words, argc, list);
    if (seen->rest) {
        assert_string_equal(seen->rest, "one");
        seen->rest = "one";
    }
    if (seen->text) {
        assert_string_equal(seen->text, "--flag"); /* a value is a value, whatever it looks like */
        seen->text = "--flag";
    }
    while (argc > 1) {
        free(list[--argc]);
    }
    return status;
}
#define TAKE(seen, with_rest, ...) take(seen, with_rest, (const char *const[]){__VA_ARGS__, NULL})

static void every_kind_of_word(void **state)
{
    (void)state;
    struct seen s = {0};
    assert_int_equal(take(&s, true, (const char *const[]){NULL}), 0);
    assert_false(s.flag || s.text || s.rest || s.number);
    assert_int_equal(TAKE(&s, true, "--number", "7", "one", "--text", "--flag", "--set", "a=1"), 0);
    assert_true(s.text && s.rest && s.number == 7 && !s.flag);
    assert_int_equal(s.common.n_overrides, 1);
    assert_int_equal(TAKE(&s, false, "--flag", "--number", "3"), 0);
    assert_true(s.flag && s.number == 3);
    assert_int_equal(TAKE(&s, false, "--flag", "--help", "--nonsense"), 1);
    config_options_free(&s.common);
}

static void wrong_usage(void **state)
{
    (void)state;
    struct seen s = {0};
    assert_int_equal(TAKE(&s, true, "--nonsense"), TOOL_USAGE);
    assert_int_equal(TAKE(&s, true, "one", "two"), TOOL_USAGE);
    assert_int_equal(TAKE(&s, false, "one"), TOOL_USAGE);
    assert_int_equal(TAKE(&s, true, "--text"), TOOL_USAGE);
    assert_int_equal(TAKE(&s, true, "--number"), TOOL_USAGE);
    assert_int_equal(TAKE(&s, true, "--number", "0"), TOOL_USAGE);
    assert_int_equal(TAKE(&s, true, "--set"), TOOL_USAGE);
    assert_int_equal(TAKE(&s, true, "--flag", "--number", "5", "-x"), TOOL_USAGE);
    config_options_free(&s.common);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_of_word), cmocka_unit_test(wrong_usage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
