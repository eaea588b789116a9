/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of precoders keeps its own rules: numbers without gaps, names that are found again, a ladder that ends. */
#include "base/error.h"
#include "base/schemes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_names_and_numbers(void **state)
{
    (void)state;
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        const struct mimo_scheme_row *const row = mimo_scheme_row(s);
        assert_non_null(row->name); /* NULL = a gap in the numbers */
        assert_int_equal(mimo_scheme_find(row->name), s);
        assert_true(row->powers != 0 && strlen(row->about) > 0);
    }
    for (int p = 0; p < MIMO_N_POWERS; p++) {
        assert_int_equal(mimo_power_find(mimo_power_name(p)), p);
    }
    assert_int_equal(mimo_scheme_find("mmse"), -1);
    assert_int_equal(mimo_power_find(""), -1);
    assert_string_equal(mimo_scheme_name(-1), "?");
    assert_string_equal(mimo_scheme_name(MIMO_N_SCHEMES), "?");
    assert_string_equal(mimo_power_name(MIMO_N_POWERS), "?");
    assert_null(mimo_scheme_row(MIMO_N_SCHEMES));
    assert_false(mimo_scheme_allows(MIMO_N_SCHEMES, MIMO_POWER_EQUAL) || mimo_scheme_allows(MIMO_ZF, MIMO_N_POWERS) ||
                 mimo_scheme_allows(MIMO_ZF, -1) || mimo_scheme_is_local(-1));
}

/* Numbers stand in recordings: these never change. */
static void test_numbers_of_recordings(void **state)
{
    (void)state;
    static const char *const first[] = {"cb", "zf", "fzf", "pzf", "ppzf", "rzf", "ob", "analog"};
    for (int s = 0; s < 8; s++) {
        assert_string_equal(mimo_scheme_name(s), first[s]);
    }
}

static void test_the_ladder_ends(void **state)
{
    (void)state;
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        enum mimo_scheme rung = (enum mimo_scheme)s;
        int steps = 0;
        while (mimo_scheme_below(rung) != rung) {
            rung = mimo_scheme_below(rung);
            assert_true(++steps < MIMO_N_SCHEMES);
        }
        assert_true(rung == MIMO_CB || mimo_scheme_row((int)rung)->kind == MIMO_PHASE);
    }
}

/* A rung below is taken for lack of time: never with a power rule that takes longer than the scheme asked for. */
static void test_power_on_rungs(void **state)
{
    (void)state;
    assert_int_equal(mimo_power_on_rung(MIMO_CB, MIMO_CB, MIMO_POWER_MAXMIN), MIMO_POWER_MAXMIN);
    assert_int_equal(mimo_power_on_rung(MIMO_ZF, MIMO_CB, MIMO_POWER_MAXMIN), MIMO_POWER_BY_STRENGTH);
    assert_int_equal(mimo_power_on_rung(MIMO_OB, MIMO_ZF, MIMO_POWER_MAXMIN), MIMO_POWER_MAXMIN_USER);
    assert_int_equal(mimo_power_on_rung(MIMO_ZF, MIMO_CB, MIMO_POWER_EQUAL), MIMO_POWER_BY_STRENGTH);
    assert_int_equal(mimo_power_on_rung(MIMO_ZF, MIMO_ZF, MIMO_POWER_EQUAL), MIMO_POWER_EQUAL_RECEIVED);
    assert_int_equal(mimo_power_on_rung(MIMO_RZF, MIMO_RZF, MIMO_POWER_EQUAL_RECEIVED), MIMO_POWER_EQUAL_RECEIVED);
    assert_int_equal(mimo_power_on_rung(MIMO_PPZF, MIMO_CB, MIMO_POWER_EQUAL_SHARES), MIMO_POWER_BY_STRENGTH);
    assert_int_equal(mimo_power_on_rung(MIMO_OB, MIMO_ZF, MIMO_POWER_EQUAL), MIMO_POWER_EQUAL_RECEIVED);
}

/* `equal` is no rule: every scheme says which one it is short for, one that it has. */
static void test_equal_is_short_for_one_rule(void **state)
{
    (void)state;
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        const enum mimo_power meant = mimo_power_meant(s, false, MIMO_POWER_EQUAL);
        assert_false(mimo_scheme_row(s)->powers & MIMO_ONLY(MIMO_POWER_EQUAL));
        assert_int_equal(mimo_scheme_allows(s, MIMO_POWER_EQUAL), s != MIMO_OB);
        assert_true(s == MIMO_OB ? meant == MIMO_POWER_EQUAL : mimo_scheme_allows(s, (int)meant));
        assert_true(mimo_scheme_is_local(s) || mimo_power_meant(s, true, MIMO_POWER_EQUAL) == meant);
        assert_true(!mimo_scheme_is_local(s) || mimo_power_meant(s, true, MIMO_POWER_EQUAL) == MIMO_POWER_EQUAL_SHARES);
        for (int p = 1; p < MIMO_N_POWERS; p++) {
            assert_int_equal(mimo_power_meant(s, true, (enum mimo_power)p), p);
        }
    }
    assert_int_equal(mimo_power_meant(MIMO_CB, false, MIMO_POWER_EQUAL), MIMO_POWER_BY_STRENGTH);
    assert_int_equal(mimo_power_meant(MIMO_RZF, false, MIMO_POWER_EQUAL), MIMO_POWER_EQUAL_SENT);
    assert_int_equal(mimo_power_meant(MIMO_N_SCHEMES, true, MIMO_POWER_EQUAL), MIMO_POWER_EQUAL);
}

static void test_antennas(void **state)
{
    (void)state;
    assert_int_equal(mimo_scheme_check_antennas(MIMO_ZF, 2, 2, 4), 0);
    assert_int_equal(mimo_scheme_check_antennas(MIMO_ZF, 1, 3, 4), TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "= 3, 4 users"));
    assert_int_equal(mimo_scheme_check_antennas(MIMO_FZF, 9, 4, 4), TUTTI_EINVAL);
    assert_int_equal(mimo_scheme_check_antennas(MIMO_FZF, 1, 5, 4), 0);
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        assert_int_equal(mimo_scheme_check_antennas(s, 1, 1, 9) == 0,
                         mimo_scheme_row(s)->antennas == MIMO_ANTENNAS_ANY);
    }
    assert_int_equal(mimo_scheme_check_antennas(MIMO_N_SCHEMES, 1, 1, 1), TUTTI_EINVAL);
}

static void test_lists(void **state)
{
    (void)state;
    char text[128], small[8];
    assert_string_equal(mimo_scheme_list_local(text, sizeof text), "cb, fzf, pzf, ppzf");
    assert_string_equal(mimo_power_list(MIMO_CB, text, sizeof text),
                        "equal, maxmin, maxmin_user, equal_shares, by_strength");
    assert_string_equal(mimo_power_list(MIMO_OB, text, sizeof text), "maxmin");
    assert_string_equal(mimo_scheme_list(small, sizeof small), "cb, zf,");
    assert_non_null(strstr(mimo_scheme_list(text, sizeof text), "analog"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_numbers),
        cmocka_unit_test(test_numbers_of_recordings),
        cmocka_unit_test(test_the_ladder_ends),
        cmocka_unit_test(test_antennas),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_power_on_rungs),
        cmocka_unit_test(test_equal_is_short_for_one_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
