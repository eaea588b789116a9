/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The progress line, from text and over a real lab link. */
#include "base/rt.h"
#include "fronthaul/hub.h"
#include "tools/run/progress.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* cmocka's own is for float. */
static void assert_near(double value, double expected, double tolerance)
{
    assert_true(fabs(value - expected) <= tolerance);
}

static const char status_json[] =
    "{\"type\":\"status\",\"block\":100,\"n_blocks\":400,\"elapsed_s\":2.0,\"sinr_db\":[20.0,null,22.0],\"early\":300,"
    "\"on_time\":99,\"late\":1,\"aps_alive\":3,\"users_alive\":2,\"block_errors\":7}";

static void test_parse(void **state)
{
    (void)state;
    struct progress_status s = {0};
    assert_true(progress_parse(&s, "{\"type\":\"status\",\"block\":0}"));
    assert_true(s.known && !s.started);
    assert_true(progress_parse(&s, status_json));
    assert_true(s.known && s.started);
    assert_int_equal(s.block, 100);
    assert_int_equal(s.late, 1);
    assert_int_equal(s.aps_alive, 3);
    assert_int_equal(s.block_errors, 7);
    assert_near(s.sinr_db, 21.0, 1e-12); /* a user without a value does not count */
    struct progress_status before = s;
    assert_false(progress_parse(&s, "{\"type\":\"report\",\"block\":5}"));
    assert_false(progress_parse(&s, "{\"type\":"));
    assert_false(progress_parse(&s, "[]"));
    assert_memory_equal(&s, &before, sizeof s);
    assert_true(progress_parse(&s, "{\"type\":\"status\",\"block\":-5,\"sinr_db\":[]}"));
    assert_int_equal(s.block, 0);
    assert_true(s.started); /* the start limit of a run is no limit for a CPU node that is started again */
    assert_true(isnan(s.sinr_db));
}

static void test_format(void **state)
{
    (void)state;
    struct config *config = NULL;
    assert_int_equal(config_load(&config, NULL, NULL, 0), 0);
    struct progress_status s = {0};
    char line[200];
    progress_format(&s, config, line, 199);
    assert_string_equal(line, "waiting for the nodes");
    assert_true(progress_parse(&s, status_json));
    progress_format(&s, config, line, 199);
    /* 100 blocks of 5 ms in 2 s: a quarter of real time. */
    assert_string_equal(
        line, "[#####...............] block 100/400  SINR 21.0 dB  late 1  x0.25 real time  APs 3/4  users 2/4  "
              "block errors 7");
    progress_format(&s, config, line, 30);
    assert_int_equal(strlen(line), 30);
    config_free(config);
}

static void test_over_the_link(void **state)
{
    (void)state;
    char endpoint[64], override[96];
    snprintf(endpoint, sizeof endpoint, "ipc:///tmp/test_progress_%d", (int)getpid());
    snprintf(override, sizeof override, "fronthaul.lab_endpoint=%s", endpoint);
    const char *const overrides[] = {override};
    struct config *config = NULL;
    assert_int_equal(config_load(&config, NULL, overrides, 1), 0);
    const struct fh_hub_settings settings = {.endpoint = endpoint,
                                             .observers = true,
                                             .fingerprint = 77,
                                             .welcome = {.session = 1},
                                             .peer_timeout_ms = 60000};
    fh_hub_t *hub = NULL;
    progress_t *progress = NULL;
    int news[2];
    assert_int_equal(pipe(news), 0);
    assert_int_equal(fh_hub_create(&hub, &settings), 0);
    assert_int_equal(progress_create(&progress, config, true), 0);
    struct fh_event event;
    for (int i = 0; i < 200 && !progress_latest(progress)->known; i++) {
        fh_hub_wait(hub, -1, 10000, &event);
        fh_hub_broadcast_control(hub, FH_ROLE_OBSERVER, status_json);
        progress_wait(progress, news[0], 10000);
    }
    assert_true(progress_latest(progress)->known);
    assert_int_equal(progress_latest(progress)->block, 100);
    assert_false(progress_stop_seen(progress));
    fh_hub_broadcast_stop(hub);
    for (int i = 0; i < 200 && !progress_stop_seen(progress); i++) {
        fh_hub_wait(hub, -1, 10000, &event);
        progress_wait(progress, news[0], 10000);
    }
    assert_true(progress_stop_seen(progress));
    /* It says goodbye at once: the hub does not wait for a spectator that stays until the CPU node's process ends. */
    bool down = false;
    for (int i = 0; i < 500 && !down; i++) {
        fh_hub_wait(hub, -1, 10000, &event);
        down = event.kind == FH_EVENT_DOWN && event.role == FH_ROLE_OBSERVER;
    }
    assert_true(down);
    progress_wait(progress, news[0], 1000);
    progress_destroy(progress);
    fh_hub_destroy(hub);
    unlink(endpoint + strlen("ipc://"));
    close(news[0]);
    close(news[1]);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_over_the_link),
    };
    if (rt_stop_install() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
