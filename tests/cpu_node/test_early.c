/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports of before the recording: in their order, as copies, as many as there is room for, and again after that. */
#include "cpu_node/record/early.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 3 };

static void kept_and_given_back(void **state)
{
    (void)state;
    early_t *early;
    assert_int_equal(early_create(&early, ROOM), 0);
    assert_null(early_take(early));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ROOM + 1; i++) {
            char text[16];
            snprintf(text, sizeof text, "report %d", i);
            assert_int_equal(early_keep(early, i % 2 ? FH_ROLE_EVE : FH_ROLE_UE, 10 + i, text), i < ROOM);
            memset(text, 'x', sizeof text - 1);
        }
        for (int i = 0; i < ROOM; i++) {
            const struct early_report *const e = early_take(early);
            assert_non_null(e);
            assert_int_equal(e->role, i % 2 ? FH_ROLE_EVE : FH_ROLE_UE);
            assert_int_equal(e->id, 10 + i);
            assert_int_equal(e->json[7] - '0', i);
        }
        assert_null(early_take(early));
    }
    assert_true(early_keep(early, FH_ROLE_UE, 0, "left behind"));
    early_destroy(early);
    early_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kept_and_given_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
