/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose constellation those who watch are shown: each user's in turn, and when some wait and send none, those of all
 * others. */
#include "cpu_node/record/live.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_UE = 6, N_ROUND = 60 };

/* A round: users that are there report, beginning with another one each time if `turned`, then a status message is
 * told. shown [N_UE]: in how many messages each user's points were. */
static void play(const uint8_t *reports, bool turned, int *shown)
{
    static const uint8_t alive[N_UE] = {1, 1, 1, 1, 1, 1};
    struct live *live;
    assert_int_equal(live_create(&live, 1, N_UE, 0), 0);
    memset(shown, 0, N_UE * sizeof *shown);
    for (int message = 0; message < N_ROUND; message++) {
        for (int i = 0; i < N_UE; i++) {
            const int k = (i + (turned ? message : 0)) % N_UE;
            if (reports[k]) {
                live_points(live, k, (const double[]){0.1 * k, -1}, 2);
            }
        }
        json_t *const root = json_object();
        live_tell(live, root, alive, alive);
        const json_t *const star = json_object_get(root, "constellation");
        assert_non_null(star);
        const int user = (int)json_integer_value(json_object_get(star, "user"));
        assert_in_range(user, 0, N_UE - 1);
        const json_t *const points = json_object_get(star, "points");
        assert_int_equal(json_array_size(points), 2);
        assert_int_equal(json_integer_value(json_array_get(points, 0)), (int)lrint(6.35 * user)); /* that user's own */
        shown[user]++;
        json_decref(root);
    }
    live_destroy(live);
}

static void nobody_yet(void **state)
{
    (void)state;
    static const uint8_t alive[N_UE] = {1, 1, 1, 1, 1, 1};
    struct live *live;
    assert_int_equal(live_create(&live, 1, N_UE, 0), 0);
    json_t *const root = json_object();
    live_tell(live, root, alive, alive);
    assert_null(json_object_get(root, "constellation"));
    json_decref(root);
    live_destroy(live);
}

/* Any of them may wait: those who report are shown equally often, whatever the order of their reports, and it does not
 * stand still. */
static void some_wait(void **state)
{
    (void)state;
    for (unsigned set = 1; set < 1u << N_UE; set++) {
        uint8_t reports[N_UE];
        int n = 0;
        for (int k = 0; k < N_UE; k++) {
            reports[k] = set >> k & 1;
            n += reports[k];
        }
        for (int turned = 0; turned < 2; turned++) {
            int shown[N_UE];
            play(reports, turned, shown);
            for (int k = 0; k < N_UE; k++) {
                assert_int_equal(shown[k], reports[k] ? N_ROUND / n : 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_yet), cmocka_unit_test(some_wait)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
