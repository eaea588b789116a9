/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A user's reports: right JSON, never longer than a control message may be, whatever is asked for. */
#include "base/error.h"
#include "fronthaul/control.h"
#include "ue_node/ue.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_VALUES = 100000 };
static char text[CONTROL_MAX_BYTES + 1];
static tutti_cf32 values[N_VALUES];

static const struct receiver_measurement MEASURED = {
    .sinr = 1234.5678, .evm = 0.0284, .payload = {100, 1, 200, 2, 10, 3, 0}};

/* Parsed as the central node does. */
static json_t *parsed(void)
{
    struct control control;
    assert_int_equal(control_parse(text, strlen(text), &control), TUTTI_OK);
    assert_int_equal(control.type, CONTROL_OTHER);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    return root;
}

static void check_figures(const json_t *o)
{
    static const struct {
        const char *name;
        int value;
    } WHOLE[] = {{"bits", 100},           {"bit_errors", 1},   {"coded_bits", 200},
                 {"coded_bit_errors", 2}, {"code_blocks", 10}, {"code_block_errors", 3}};
    for (unsigned i = 0; i < sizeof WHOLE / sizeof *WHOLE; i++) {
        assert_true(json_is_integer(json_object_get(o, WHOLE[i].name)));
        assert_int_equal(json_integer_value(json_object_get(o, WHOLE[i].name)), WHOLE[i].value);
    }
    assert_true(fabs(json_number_value(json_object_get(o, "sinr")) / MEASURED.sinr - 1) < 1e-8);
    assert_true(fabs(json_number_value(json_object_get(o, "evm")) / MEASURED.evm - 1) < 1e-8);
}

static void test_user(void **state)
{
    (void)state;
    const struct report_points none = {0};
    assert_int_equal(report_user(text, sizeof text, UINT64_C(1) << 60, &MEASURED, &none), 0);
    json_t *o = parsed();
    check_figures(o);
    assert_string_equal(json_string_value(json_object_get(o, "type")), "report");
    assert_int_equal(json_integer_value(json_object_get(o, "block")), UINT64_C(1) << 60);
    assert_null(json_object_get(o, "constellation"));
    json_decref(o);
}

static void test_values_that_json_does_not_know(void **state)
{
    (void)state;
    struct receiver_measurement m = MEASURED;
    const tutti_cf32 bad[2] = {CMPLXF(NAN, INFINITY), CMPLXF(1, -2)};
    const struct report_points points = {bad, 2, 2};
    m.sinr = NAN;
    m.evm = INFINITY;
    assert_int_equal(report_user(text, sizeof text, 3, &m, &points), 0);
    json_t *o = parsed();
    assert_true(json_number_value(json_object_get(o, "sinr")) == 0);
    assert_true(json_number_value(json_object_get(o, "evm")) == 1e9);
    const json_t *c = json_object_get(o, "constellation");
    assert_int_equal(json_array_size(c), 4);
    assert_true(json_number_value(json_array_get(c, 0)) == 0);
    assert_true(json_number_value(json_array_get(c, 3)) == -2);
    json_decref(o);
}

static void test_constellations_of_any_length(void **state)
{
    (void)state;
    for (int i = 0; i < N_VALUES; i++) { /* as long as numbers get */
        values[i] = CMPLXF(-1.23456e-12f * (float)(i + 1), -9.87654e12f);
    }
    static const int WANTED[] = {1, 128, 2000, 3000, 65536};
    for (unsigned i = 0; i < sizeof WANTED / sizeof *WANTED; i++) {
        const struct report_points points = {values, N_VALUES, WANTED[i]};
        const int cut = report_user(text, sizeof text, 16, &MEASURED, &points);
        assert_true(cut >= 0);
        assert_true(cut == 0 || WANTED[i] > 2400);
        json_t *o = parsed();
        check_figures(o);
        const json_t *c = json_object_get(o, "constellation");
        const size_t n = json_array_size(c) / 2;
        assert_int_equal(n + (size_t)cut, WANTED[i]);
        const double last = json_number_value(json_array_get(c, 2 * n - 2)); /* spread over all values */
        assert_true(n == 1 || last / (double)crealf(values[N_VALUES - 1]) > 0.98);
        json_decref(o);
    }
}

static void test_eve(void **state)
{
    (void)state;
    static struct receiver_measurement all[TUTTI_MAX_UE];
    for (int k = 0; k < TUTTI_MAX_UE; k++) {
        all[k] = MEASURED;
        all[k].sinr_genie = k ? (float)k : NAN;
    }
    assert_int_equal(report_eve(text, sizeof text, 5, TUTTI_MAX_UE, all, NULL), 0);
    json_t *o = parsed();
    assert_string_equal(json_string_value(json_object_get(o, "type")), "eve_report");
    assert_int_equal(json_array_size(json_object_get(o, "users")), TUTTI_MAX_UE);
    const json_t *users = json_object_get(o, "users");
    check_figures(json_array_get(users, TUTTI_MAX_UE - 1));
    for (int k = 0; k < TUTTI_MAX_UE; k++) {
        assert_true(json_number_value(json_object_get(json_array_get(users, (size_t)k), "sinr_genie")) == k);
    }
    json_decref(o);
    assert_int_equal(report_eve(text, 200, 5, TUTTI_MAX_UE, all, NULL), TUTTI_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_user),
                                       cmocka_unit_test(test_values_that_json_does_not_know),
                                       cmocka_unit_test(test_constellations_of_any_length), cmocka_unit_test(test_eve)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
