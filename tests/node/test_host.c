/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checks of a host that judge what was measured, with figures made up; cores as the kernel writes them; routes. The
 * rest of the table: tests/tools/test_doctor.py. */
#include "node/host/look.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config *network(const char *const *sets, int n)
{
    struct config *config = NULL;
    assert_int_equal(config_load(&config, NULL, sets, n), 0);
    return config;
}

/* The verdict of one check of the table. */
static enum host_verdict verdict_of(const struct host_question *question, const char *name)
{
    struct host_finding findings[64];
    assert_true(host_n_checks() <= 64);
    const int n = host_examine(question, findings);
    for (int i = 0; i < n; i++) {
        if (strcmp(findings[i].name, name) == 0) {
            return findings[i].verdict;
        }
    }
    return HOST_N_VERDICTS; /* left out */
}

static void test_measured(void **state)
{
    (void)state;
    const char *const sets[] = {"network.n_blocks=100"};
    struct config *const config = network(sets, 1);
    struct host_measured m = {30, 200, 0, NAN, 500, {NAN, NAN}};
    const struct host_question question = {
        .root = "/nonexistent", .config = config, .role = HOST_ROLE_ANY, .id = -1, .measured = &m};
    assert_int_equal(verdict_of(&question, "wake_up"), HOST_GOOD);
    assert_int_equal(verdict_of(&question, "write_speed"), HOST_GOOD);
    assert_int_equal(verdict_of(&question, "interface_drops"), HOST_TOLD);
    m = (struct host_measured){80, 200, 0, 0, 1, {NAN, NAN}};
    assert_int_equal(verdict_of(&question, "wake_up"), HOST_COSTS);
    assert_int_equal(verdict_of(&question, "write_speed"), HOST_COSTS);
    assert_int_equal(verdict_of(&question, "interface_drops"), HOST_GOOD);
    m = (struct host_measured){30, 800, 0, 3, NAN, {NAN, NAN}};
    assert_int_equal(verdict_of(&question, "wake_up"), HOST_COSTS);
    assert_int_equal(verdict_of(&question, "write_speed"), HOST_UNKNOWN);
    assert_int_equal(verdict_of(&question, "interface_drops"), HOST_COSTS);
    const struct host_question quick = {.root = "/nonexistent", .config = config, .role = HOST_ROLE_ANY, .id = -1};
    assert_int_equal(verdict_of(&quick, "wake_up"), HOST_N_VERDICTS);
    config_free(config);
}

/* The demo's recording: 6 subbands, 16 antennas, 4 users, estimates and precoders as 8 bytes each, 200 blocks a second,
 * and a little per node; 400 blocks are 2 s. */
static void test_recording(void **state)
{
    (void)state;
    struct config *config = network(NULL, 0);
    struct host_question question = {.root = "", .config = config, .role = HOST_ROLE_ANY, .id = -1};
    double rate, bytes;
    look_recording(&question, &rate, &bytes);
    const double matrices = 2 * 8 * 6 * 16 * 4 * 200;
    assert_true(rate >= matrices && rate < 1.4 * matrices);
    assert_true(fabs(bytes - 2 * rate) <= 1e-6 * rate);
    config_free(config);
    const char *const sets[] = {"record.csi=false", "record.precoders=false",     "record.file=",
                                "record.iq.dir=iq", "record.iq.nodes=[ap0, ue1]", "network.n_blocks=0"};
    config = network(sets, 6);
    question.config = config;
    look_recording(&question, &rate, &bytes);
    assert_true(fabs(rate - 5 * 8 * 1.92e6) < 1); /* 4 antennas and 1 */
    assert_true(isinf(bytes));
    config_free(config);
}

static void test_cores(void **state)
{
    (void)state;
    struct core_set set;
    core_set_parse(&set, "0-2,5,7-8");
    assert_int_equal(set.n, 6);
    assert_true(set.has[0] && set.has[2] && set.has[5] && set.has[8]);
    assert_false(set.has[3] || set.has[6] || set.has[9]);
    core_set_parse(&set, "");
    assert_int_equal(set.n, 0);
    core_set_parse(&set, "4-999999999,1");
    assert_int_equal(set.n, LOOK_MAX_CORES - 4 + 1);
    core_set_parse(&set, "junk");
    assert_int_equal(set.n, 0);
}

static void test_words(void **state)
{
    (void)state;
    char args[] = "type=x300, addr=192.168.10.2,addr1=10.0.0.1", value[32];
    const struct config_radio radio = {.args = args};
    assert_true(look_radio_word(&radio, "addr", value, sizeof value));
    assert_string_equal(value, "192.168.10.2");
    assert_true(look_radio_word(&radio, "type", value, sizeof value));
    assert_string_equal(value, "x300");
    assert_false(look_radio_word(&radio, "add", value, sizeof value));
    assert_false(look_radio_word(&radio, "serial", value, sizeof value));
}

static void test_worst(void **state)
{
    (void)state;
    const struct host_finding findings[] = {{.name = "a", .verdict = HOST_TOLD},
                                            {.name = "b", .verdict = HOST_COSTS},
                                            {.name = "c", .verdict = HOST_COSTS},
                                            {.name = "d", .verdict = HOST_UNKNOWN}};
    assert_string_equal(host_worst(findings, 4)->name, "b");
    assert_string_equal(host_worst(findings, 1)->name, "a");
    assert_null(host_worst(findings, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_measured), cmocka_unit_test(test_recording),
                                       cmocka_unit_test(test_cores), cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_worst)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
