/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device's clock: set now, set at the next pulse, without a pulse, after a change of rate. */
#include "timekeeper.h"
#include "usrp_test.h"

enum { RATE = 1000 };

static void test_set_now(void **state)
{
    (void)state;
    struct timekeeper k = {0};
    assert_int_equal(timekeeper_now(&k, 4321), 4321);
    timekeeper_set_now(&k, 4321, 0);
    assert_int_equal(timekeeper_now(&k, 4321), 0);
    assert_int_equal(timekeeper_now(&k, 5000), 679);
    assert_true(timekeeper_last_pulse(&k, 4999, RATE) == (uint64_t)-321); /* the pulse at world 4000 */
    assert_int_equal(timekeeper_last_pulse(&k, 5000, RATE), 679);
}

/* Two devices that were asked at different moments of the same second agree. */
static void test_set_at_pulse(void **state)
{
    (void)state;
    struct timekeeper a = {0}, b = {.offset = 99};
    timekeeper_set_at_pulse(&a, 4001, RATE, 7000);
    timekeeper_set_at_pulse(&b, 4999, RATE, 7000);
    assert_int_equal(timekeeper_now(&a, 4999), 4999);
    assert_int_equal(timekeeper_now(&b, 4999), 5098);
    assert_int_equal(timekeeper_now(&a, 5000), 7000);
    assert_int_equal(timekeeper_now(&b, 5999), 7999);
    assert_int_equal(timekeeper_last_pulse(&a, 5999, RATE), 7000);
    assert_int_equal(timekeeper_last_pulse(&b, 5999, RATE), 7000);
    assert_int_equal(timekeeper_last_pulse(&b, 6000, RATE), 8000);
    /* At a pulse, the next one is meant. */
    timekeeper_set_at_pulse(&a, 6000, RATE, 0);
    assert_int_equal(timekeeper_now(&a, 6999), 8999);
    assert_int_equal(timekeeper_now(&a, 7000), 0);
}

static void test_no_pulse(void **state)
{
    (void)state;
    struct timekeeper k = {0};
    timekeeper_cut(&k, 4500, RATE, true);
    assert_int_equal(timekeeper_last_pulse(&k, 9999, RATE), 4000);
    timekeeper_set_at_pulse(&k, 9999, RATE, 0);
    assert_int_equal(timekeeper_now(&k, 10500), 10500);
    timekeeper_cut(&k, 11500, RATE, false);
    assert_int_equal(timekeeper_now(&k, 11999), 11999);
    assert_int_equal(timekeeper_now(&k, 12000), 0);
}

static void test_rebase(void **state)
{
    (void)state;
    struct timekeeper k = {.offset = 5};
    timekeeper_rebase(&k, 4000, 8000);
    assert_int_equal(timekeeper_now(&k, 8000), 4005);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_set_now), cmocka_unit_test(test_set_at_pulse),
                                       cmocka_unit_test(test_no_pulse), cmocka_unit_test(test_rebase)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
