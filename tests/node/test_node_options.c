/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The daemons' command line: every wrong word is refused with a sentence that names it. */
#include "base/error.h"
#include "node/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int parse(struct node_options *options, unsigned takes, int n, const char *const *words)
{
    char *argv[16];
    for (int i = 0; i < n; i++) {
        argv[i] = (char *)(uintptr_t)words[i];
    }
    return node_options_parse(options, takes, n, argv);
}

#define PARSE(options, takes, ...)                                                                                     \
    parse(options, takes, (int)(sizeof((const char *[]){"tutti-x", __VA_ARGS__}) / sizeof(char *)),                    \
          (const char *[]){"tutti-x", __VA_ARGS__})

static void test_right_words(void **state)
{
    (void)state;
    struct node_options o;
    assert_int_equal(PARSE(&o, NODE_TAKES_ID | NODE_TAKES_ROLE, "--id", "17", "--config", "net.yaml", "--role", "eve",
                           "--set", "network.seed=3"),
                     0);
    assert_int_equal(o.id, 17);
    assert_true(o.eve);
    assert_string_equal(o.config.path, "net.yaml");
    assert_int_equal(o.config.n_overrides, 1);
    config_options_free(&o.config);
    assert_int_equal(PARSE(&o, NODE_TAKES_ID | NODE_TAKES_ROLE, "--id", "0", "--config", "n", "--role", "user"), 0);
    assert_int_equal(o.id, 0);
    assert_false(o.eve);
    config_options_free(&o.config);
    assert_int_equal(PARSE(&o, 0, "--config", "n"), 0);
    config_options_free(&o.config);
}

static void test_wrong_ids(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"4294967297", "-1", "", "1x", "x", " 1", "+1", "99999999999999999999", "1.0"};
    for (unsigned i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct node_options o;
        assert_int_equal(PARSE(&o, NODE_TAKES_ID, "--config", "n", "--id", WRONG[i]), TUTTI_EINVAL);
        assert_non_null(strstr(error_text(), "--id"));
        config_options_free(&o.config);
    }
    assert_int_equal(node_check_id(3, 4, "APs"), 0);
    assert_int_equal(node_check_id(4, 4, "APs"), TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "0 to 3"));
    assert_int_equal(node_check_id(0, 0, "eavesdroppers"), TUTTI_EINVAL);
}

static void test_wrong_words(void **state)
{
    (void)state;
    struct node_options o;
    assert_int_equal(PARSE(&o, NODE_TAKES_ID, "--id", "1"), TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "--config"));
    assert_int_equal(PARSE(&o, NODE_TAKES_ID, "--config", "n"), TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "--id"));
    assert_int_equal(PARSE(&o, NODE_TAKES_ID, "--config", "n", "--id"), TUTTI_EINVAL);
    assert_int_equal(PARSE(&o, 0, "--config", "n", "--id", "1"), TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "'--id'"));
    assert_int_equal(PARSE(&o, NODE_TAKES_ID, "--config", "n", "--id", "1", "--role", "eve"), TUTTI_EINVAL);
    assert_int_equal(PARSE(&o, NODE_TAKES_ROLE | NODE_TAKES_ID, "--config", "n", "--id", "1", "--role", "boss"),
                     TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "boss"));
    assert_int_equal(PARSE(&o, 0, "--config", "n", "surplus"), TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "surplus"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_right_words), cmocka_unit_test(test_wrong_ids),
                                       cmocka_unit_test(test_wrong_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
