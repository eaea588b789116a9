/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What access points tell of their synchronisation: kept and told on as figures, and no access point fills status
 * messages, log or recording with it. */
#include "cpu_node/sync_watch.h"
#include "fronthaul/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 2, SILLY_BYTES = 60000 };

static int n_line;
static char last[200];

static void say(void *context, uint64_t block, bool warn, const char *sentence)
{
    (void)context;
    (void)block;
    (void)warn;
    n_line++;
    snprintf(last, sizeof last, "%s", sentence);
}

static sync_watch_t *open_watch(void)
{
    const struct sync_watch_settings settings = {.n_ap = N_AP, .say = say};
    sync_watch_t *watch;
    assert_int_equal(sync_watch_create(&watch, &settings), 0);
    n_line = 0;
    return watch;
}

static json_t *status_of(sync_watch_t *watch)
{
    json_t *status = json_object();
    sync_watch_tell(watch, status);
    return status;
}

static void test_figures_are_told_on(void **state)
{
    (void)state;
    sync_watch_t *watch = open_watch();
    sync_watch_hear(watch, 1, 7, WIRE_SYNC_LOCKED);
    assert_true(sync_watch_report(watch, 1, "{\"type\":\"sync\",\"cfo_hz\":-12.5,\"snr_db\":null,\"heard\":3}"));
    json_t *status = status_of(watch);
    const json_t *one = json_array_get(json_object_get(status, "sync"), 1);
    assert_float_equal(json_number_value(json_object_get(one, "cfo_hz")), -12.5, 0);
    assert_int_equal(json_integer_value(json_object_get(one, "heard")), 3);
    assert_true(json_is_null(json_object_get(one, "snr_db")));
    assert_string_equal(json_string_value(json_object_get(one, "state")), "locked");
    json_decref(status);
    sync_watch_destroy(watch);
}

static void test_figures_are_kept_for_the_recording(void **state)
{
    (void)state;
    sync_watch_t *watch = open_watch();
    uint8_t kept[N_AP];
    double figures[SYNC_WATCH_FIGURES * N_AP];
    sync_watch_hear(watch, 1, 7, WIRE_SYNC_LOCKED);
    sync_watch_report(watch, 1,
                      "{\"type\":\"sync\",\"cfo_hz\":-12.5,\"snr_db\":null,\"drift_ppm\":0.25,\"error_rad\":\"x\"}");
    sync_watch_copy(watch, kept, figures);
    assert_int_equal(kept[0], SYNC_WATCH_AWAY);
    assert_int_equal(kept[1], WIRE_SYNC_LOCKED);
    assert_float_equal(figures[SYNC_WATCH_CFO_HZ * N_AP + 1], -12.5, 0);
    assert_float_equal(figures[SYNC_WATCH_DRIFT_PPM * N_AP + 1], 0.25, 0);
    assert_true(isnan(figures[SYNC_WATCH_SNR_DB * N_AP + 1]) && isnan(figures[SYNC_WATCH_ERROR_RAD * N_AP + 1]));
    assert_true(isnan(figures[SYNC_WATCH_CFO_HZ * N_AP]));
    sync_watch_gone(watch, 1);
    sync_watch_copy(watch, kept, figures);
    assert_true(kept[1] == SYNC_WATCH_AWAY && isnan(figures[SYNC_WATCH_CFO_HZ * N_AP + 1]));
    sync_watch_destroy(watch);
}

/* A status message longer than a message may be reaches no observer. */
static void test_what_an_ap_makes_up_is_not_told_on(void **state)
{
    (void)state;
    sync_watch_t *watch = open_watch();
    char *const silly = malloc(SILLY_BYTES);
    const int at = snprintf(silly, SILLY_BYTES, "{\"type\":\"sync\",\"cfo_hz\":[1,2],\"state\":\"fine\",\"more\":\"");
    memset(silly + at, 'x', SILLY_BYTES - (size_t)at);
    memcpy(silly + SILLY_BYTES - 3, "\"}", 3);
    sync_watch_hear(watch, 0, 7, WIRE_SYNC_LOCKED);
    assert_true(sync_watch_report(watch, 0, silly));
    json_t *status = status_of(watch);
    char *const text = json_dumps(status, JSON_COMPACT);
    assert_in_range(strlen(text), 1, 200);
    assert_null(strstr(text, "fine"));
    assert_null(json_object_get(json_array_get(json_object_get(status, "sync"), 0), "cfo_hz"));
    free(text);
    json_decref(status);
    free(silly);
    sync_watch_destroy(watch);
}

static void test_one_that_comes_and_goes_fills_no_log(void **state)
{
    (void)state;
    sync_watch_t *watch = open_watch();
    for (uint64_t block = 100; block < 10100; block++) {
        sync_watch_hear(watch, 0, block, block % 2 ? WIRE_SYNC_LOCKED : WIRE_SYNC_LOST);
    }
    assert_in_range(n_line, 100, 160);
    n_line = 0; /* what it comes to in the end is told all the same, and of others at once */
    for (uint64_t block = 10100; block < 10500; block++) {
        sync_watch_hear(watch, 0, block, WIRE_SYNC_HOLD);
    }
    assert_string_equal(last, "SYNC-HOLD ap=0");
    sync_watch_hear(watch, 1, 10500, WIRE_SYNC_LOST);
    assert_string_equal(last, "SYNC-LOST ap=1");
    assert_in_range(n_line, 2, 4);
    sync_watch_destroy(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_are_told_on),
        cmocka_unit_test(test_figures_are_kept_for_the_recording),
        cmocka_unit_test(test_what_an_ap_makes_up_is_not_told_on),
        cmocka_unit_test(test_one_that_comes_and_goes_fills_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
