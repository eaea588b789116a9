/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/processor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void names_what_is_missing(void **state)
{
    (void)state;
    const struct processor_features all = {UINT32_MAX, UINT32_MAX, UINT32_MAX}, none = {0};
    assert_null(processor_lacks(&all, 3));
    assert_null(processor_lacks(&none, 1));
    assert_string_equal(processor_lacks(&none, 2), "SSE4.2");
    struct processor_features one = all;
    one.basic &= ~(1u << 23);
    assert_string_equal(processor_lacks(&one, 2), "POPCNT");
    one = all;
    one.extended &= ~1u;
    assert_string_equal(processor_lacks(&one, 2), "LAHF in 64-bit mode");
    one = all;
    one.structured &= ~(1u << 5);
    assert_null(processor_lacks(&one, 2));
    assert_string_equal(processor_lacks(&one, 3), "AVX2");
}

/* x86-64-v2 as a Nehalem has it: leaf 1 ecx 0x009ce3bd. */
static void a_nehalem_will_do(void **state)
{
    (void)state;
    const struct processor_features nehalem = {0x009ce3bdu, 0, 1};
    assert_null(processor_lacks(&nehalem, 2));
    assert_string_equal(processor_lacks(&nehalem, 3), "AVX2");
}

static void checked_before_main(void **state)
{
    (void)state;
    assert_true(processor_checked());
    assert_int_equal(processor_check(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_is_missing),
        cmocka_unit_test(a_nehalem_will_do),
        cmocka_unit_test(checked_before_main),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
