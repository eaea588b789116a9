/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two central nodes' links with each other over a real socket, both in this process: the first one's hub, the second
 * one's peer in its thread. */
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "cpu_node/partners.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_AP = 4, N_UE = 3, DATA_BYTES = 600, PATIENCE_MS = 20000, N_HEARD = 64 };

/* One central node. */
struct end {
    partners_t *partners;
    fh_hub_t *hub;
    int n_up, n_down, n_line, n_data;
    char heard[N_HEARD][16]; /* "line 3", "data 3": in the order in which they came */
    int n_heard;
};
static struct end first, second;
static struct config *config;
static char directory[] = "/tmp/tutti-partners-XXXXXX";

static void hear_change(void *context, int cpu, bool up)
{
    struct end *const end = context;
    assert_int_equal(cpu, end == &first);
    end->n_up += up;
    end->n_down += !up;
}

static void hear_control(void *context, int cpu, const char *type, const json_t *root)
{
    struct end *const end = context;
    assert_int_equal(cpu, end == &first);
    assert_string_equal(type, "handover");
    const int number = (int)json_integer_value(json_object_get(root, "number"));
    snprintf(end->heard[end->n_heard++ % N_HEARD], sizeof end->heard[0], "line %d", number);
    end->n_line++;
}

static void hear_data(void *context, int cpu, const uint8_t *data, size_t n_bytes)
{
    struct end *const end = context;
    assert_int_equal(cpu, end == &first);
    assert_int_equal(n_bytes, DATA_BYTES);
    for (size_t i = 5; i < n_bytes; i++) {
        assert_int_equal(data[i], 'x');
    }
    snprintf(end->heard[end->n_heard++ % N_HEARD], sizeof end->heard[0], "data %d", data[4]);
    end->n_data++;
}

/* Nothing but its first bytes makes a message one of data. */
static void fill(uint8_t *data, uint8_t number)
{
    memset(data, 'x', DATA_BYTES);
    memcpy(data, "TUTI", 4);
    data[4] = number;
}

static void open_end(struct end *end)
{
    const int id = end == &second;
    *end = (struct end){0};
    char *const agreement = config_agreement(config);
    int cpu_of_ap[N_AP];
    for (int ap = 0; ap < N_AP; ap++) {
        cpu_of_ap[ap] = config_cpu_of_ap(config, ap);
    }
    const struct fh_hub_settings hub = {.endpoint = config_cpu_endpoint(config, id),
                                        .n_ap = N_AP,
                                        .cpu = id,
                                        .n_cpu = 2,
                                        .cpu_of_ap = cpu_of_ap,
                                        .fingerprint = config_fingerprint(config),
                                        .welcome = {.session = 7},
                                        .peer_timeout_ms = config_peer_timeout_ms(config)};
    const struct partners_settings settings = {
        .config = config,
        .agreement = agreement,
        .id = id,
        .data_bytes = DATA_BYTES,
        .handlers = {.context = end, .change = hear_change, .control = hear_control, .data = hear_data}};
    assert_int_equal(fh_hub_create(&end->hub, &hub), TUTTI_OK);
    assert_int_equal(partners_create(&end->partners, &settings), TUTTI_OK);
    assert_int_equal(partners_start(end->partners, end->hub), TUTTI_OK);
    free(agreement);
}

static void turn(struct end *end)
{
    struct fh_event event;
    assert_int_equal(fh_hub_wait(end->hub, partners_event(end->partners), 1000, &event), TUTTI_OK);
    if (event.kind == FH_EVENT_FD) {
        partners_turn(end->partners);
    } else if (event.kind != FH_EVENT_NONE && event.role == FH_ROLE_CPU) {
        partners_hear(end->partners, &event);
    }
}

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        const uint64_t until_ns_ = clock_mono_ns() + PATIENCE_MS * 1000000ull;                                         \
        while (!(condition)) {                                                                                         \
            if (clock_mono_ns() > until_ns_) {                                                                         \
                fail_msg("gave up waiting for: %s", #condition);                                                       \
            }                                                                                                          \
            turn(&first);                                                                                              \
            turn(&second);                                                                                             \
        }                                                                                                              \
    } while (0)

static int open_both(void **state)
{
    (void)state;
    open_end(&first);
    open_end(&second);
    assert_false(partners_complete(first.partners) || partners_alive(first.partners, 1));
    assert_true(partners_alive(first.partners, 0) && partners_alive(second.partners, 1));
    UNTIL(first.n_up == 1 && second.n_up == 1);
    assert_true(partners_complete(first.partners) && partners_alive(first.partners, 1));
    assert_true(partners_complete(second.partners) && partners_alive(second.partners, 0));
    return 0;
}

/* The second one's thread leaves when the process is to stop, which cannot be taken back: only the first is closed. */
static void close_first(void)
{
    partners_destroy(first.partners);
    fh_hub_destroy(first.hub);
    first.partners = NULL;
    first.hub = NULL;
}

/* What is told goes before what is sent later, both ways, and all of it arrives. */
static void check_order(struct end *from, struct end *to)
{
    const int other = to == &second;
    uint8_t data[DATA_BYTES];
    const int at = to->n_heard;
    for (int i = 0; i < 8; i++) {
        char text[64], line[16], part[16];
        snprintf(text, sizeof text, "{\"type\":\"handover\",\"number\":%d}", i);
        fill(data, (uint8_t)i);
        assert_int_equal(partners_tell(from->partners, other, text), TUTTI_OK);
        assert_int_equal(partners_send(from->partners, other, data, sizeof data), TUTTI_OK);
        UNTIL(to->n_heard == at + 2 * (i + 1));
        snprintf(line, sizeof line, "line %d", i);
        snprintf(part, sizeof part, "data %d", i);
        assert_string_equal(to->heard[(at + 2 * i) % N_HEARD], line);
        assert_string_equal(to->heard[(at + 2 * i + 1) % N_HEARD], part);
    }
}

static void test_lines_and_data(void **state)
{
    (void)state;
    check_order(&first, &second);
    check_order(&second, &first);
    uint8_t long_one[DATA_BYTES + 1] = {0};
    assert_int_equal(partners_send(first.partners, 1, long_one, sizeof long_one), TUTTI_EINVAL);
}

/* Sums over a node's own access points; who is alive, by the first one's word alone. */
static void test_gains_and_users(void **state)
{
    (void)state;
    const struct block_shape shape = {.n_sb = 1, .n_ap = N_AP, .n_ant = 1, .n_ue = N_UE};
    struct cpu_block *block;
    assert_int_equal(block_create(&block, &shape), TUTTI_OK);
    struct schedule_user user[N_UE] = {{true, 41}, {false, 0}, {true, 40}}, heard[N_UE];
    assert_null(partners_gains(second.partners, 0));
    partners_users(second.partners, heard);
    assert_false(heard[0].alive || heard[2].alive);
    for (int id = 0; id < 2; id++) {
        block_open(block, 40, 0, 1, 0);
        for (int ap = 0; ap < N_AP; ap++) {
            block->gathered[ap] = config_cpu_of_ap(config, ap) == id;
            for (int k = 0; k < N_UE; k++) {
                block->beta[ap * N_UE + k] = (float)(100 * ap + k + 1);
            }
        }
        partners_block(id ? second.partners : first.partners, block, user);
    }
    UNTIL(partners_gains(second.partners, 0) && partners_gains(first.partners, 1));
    for (int k = 0; k < N_UE; k++) { /* 0 and 1; 2 and 3 */
        assert_true(partners_gains(second.partners, 0)[k] == 100 + 2 * (k + 1));
        assert_true(partners_gains(first.partners, 0)[k] == 100 + 2 * (k + 1));
        assert_true(partners_gains(first.partners, 1)[k] == 500 + 2 * (k + 1));
    }
    partners_users(second.partners, heard);
    while (!heard[0].alive) { /* with the same turn's lines or the next one's; ctest ends what hangs */
        turn(&first);
        turn(&second);
        partners_users(second.partners, heard);
    }
    assert_true(heard[0].heard_block == 41 && !heard[1].alive && heard[2].alive && heard[2].heard_block == 40);
    block_destroy(block);
}

/* Lists of another length, of other things, of another's: counted, nothing changes. */
static void test_bad_lines(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"type\":\"gains\",\"block\":1,\"sum\":[1,2]}",
                                      "{\"type\":\"gains\",\"block\":1,\"sum\":[1,2,-3]}",
                                      "{\"type\":\"gains\",\"block\":-1,\"sum\":[1,2,3]}",
                                      "{\"type\":\"gains\",\"block\":1,\"sum\":[1,2,\"3\"]}",
                                      "{\"type\":\"gains\",\"block\":1}",
                                      "{\"type\":\"alive\",\"block\":1,\"heard\":[1,2,3]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(partners_tell(second.partners, 0, bad[i]), TUTTI_OK);
    }
    const int n = first.n_line;
    partners_tell(second.partners, 0, "{\"type\":\"handover\",\"number\":1}");
    UNTIL(first.n_line == n + 1);
    assert_true(partners_gains(first.partners, 1)[2] == 506);
    struct schedule_user user[N_UE];
    partners_users(first.partners, user);
    assert_false(user[0].alive);
    assert_int_equal(partners_refused(first.partners), sizeof bad / sizeof bad[0]);
    static const char *const future[] = {"{\"type\":\"alive\",\"block\":44,\"heard\":[9223372036854775807,1,1]}",
                                         "{\"type\":\"alive\",\"block\":44,\"heard\":[44,1,77]}",
                                         "{\"type\":\"alive\",\"heard\":[1,1,1]}"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(partners_tell(first.partners, 1, future[i]), TUTTI_OK);
    }
    UNTIL(partners_refused(second.partners) == 3);
    partners_users(second.partners, user);
    assert_true(user[0].heard_block == 41 && !user[1].alive && user[2].heard_block == 40);
}

/* The first one is gone: known at once, nothing is sent any more, its words do not count; it comes back. */
static void test_gone_and_back(void **state)
{
    (void)state;
    uint8_t data[DATA_BYTES];
    fill(data, 0);
    close_first();
    const uint64_t until_ns = clock_mono_ns() + PATIENCE_MS * 1000000ull;
    while (second.n_down == 0 && clock_mono_ns() < until_ns) {
        turn(&second);
    }
    assert_int_equal(second.n_down, 1);
    assert_false(partners_alive(second.partners, 0));
    assert_true(partners_complete(second.partners)); /* it was there once */
    assert_null(partners_gains(second.partners, 0));
    assert_int_equal(partners_send(second.partners, 0, data, sizeof data), TUTTI_EAGAIN);
    assert_int_equal(partners_tell(second.partners, 0, "{\"type\":\"handover\"}"), TUTTI_EAGAIN);
    struct schedule_user user[N_UE];
    partners_users(second.partners, user);
    assert_false(user[0].alive || user[2].alive);
    open_end(&first);
    UNTIL(first.n_up == 1 && second.n_up == 2);
    check_order(&second, &first);
}

/* The first one ends the run. */
static void test_over(void **state)
{
    (void)state;
    assert_false(partners_over(second.partners));
    fh_hub_broadcast_stop(first.hub);
    UNTIL(partners_over(second.partners));
}

static int close_all(void **state)
{
    (void)state;
    rt_stop_request();
    partners_destroy(second.partners);
    fh_hub_destroy(second.hub);
    close_first();
    config_free(config);
    char path[96];
    static const char *const names[] = {"fronthaul", "fronthaul.cpu1"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    return rmdir(directory) && false;
}

int main(void)
{
    char where[96];
    if (!mkdtemp(directory) || rt_stop_install() < 0) {
        return 1;
    }
    snprintf(where, sizeof where, "network.runtime_dir:=%s", directory);
    const char *const sets[] = {where, "network.n_ue=3", "cpus=[{aps: [0, 1]}, {aps: [2, 3]}]"};
    if (config_load(&config, NULL, sets, 3) < 0) {
        fprintf(stderr, "%s\n", error_text());
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines_and_data), cmocka_unit_test(test_gains_and_users),
                                       cmocka_unit_test(test_bad_lines), cmocka_unit_test(test_gone_and_back),
                                       cmocka_unit_test(test_over)};
    return cmocka_run_group_tests(tests, open_both, close_all);
}
