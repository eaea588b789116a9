/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 3, BLOCK_US = 5000 };

static struct faults *make(struct config_faults first, bool lockstep)
{
    struct faults *f = NULL;
    const struct faults_settings settings = {
        .first = first, .n_ap = N_AP, .seed = 7, .block_us = BLOCK_US, .lockstep = lockstep};
    assert_int_equal(faults_create(&f, &settings), 0);
    return f;
}

static struct config_faults none(void)
{
    return (struct config_faults){.silent_ap = -1, .partition_ap = -1};
}

static enum fault_verdict judge(struct faults *f, int ap, uint64_t block, enum fault_direction direction,
                                uint64_t now_ns)
{
    const uint8_t message[8] = {(uint8_t)ap, (uint8_t)block, (uint8_t)direction};
    return faults_judge(f, ap, block, direction, now_ns, message, sizeof message);
}

/* The same seed loses the same messages, about as many as asked for, each counted in its block's mask. */
static void losses_are_repeatable_and_counted(void **state)
{
    (void)state;
    struct config_faults c = none();
    c.loss = 0.3;
    c.from_block = 100;
    c.to_block = 1100;
    struct faults *one = make(c, true), *two = make(c, false);
    int lost = 0, alike = 0;
    for (uint64_t b = 0; b < 1200; b++) {
        int64_t mask[N_AP];
        for (int ap = 0; ap < N_AP; ap++) {
            const enum fault_verdict up = judge(one, ap, b, FAULT_UP, 0), down = judge(one, ap, b, FAULT_DOWN, 0);
            assert_int_equal(judge(two, ap, b, FAULT_UP, 5), up);
            assert_int_equal(judge(two, ap, b, FAULT_DOWN, 5), down);
            assert_true(b >= 100 && b < 1100 ? true : up == FAULT_PASS && down == FAULT_PASS);
            lost += (up == FAULT_LOST) + (down == FAULT_LOST);
            alike += up == down;
            faults_of_block(one, b, mask);
            assert_int_equal(mask[ap], (up == FAULT_LOST ? 1 << CPU_FAULT_CSI_LOST : 0) |
                                           (down == FAULT_LOST ? 1 << CPU_FAULT_PRECODER_LOST : 0));
        }
    }
    assert_true(lost > 1600 && lost < 2000); /* 1800 +- 35 */
    assert_true(alike < 3000);               /* directions are drawn apart: of 3000 alike 58 %, and 600 outside */
    faults_destroy(one);
    faults_destroy(two);
}

static void silence_and_partition_concern_their_ap(void **state)
{
    (void)state;
    struct config_faults c = none();
    c.silent_ap = 1;
    c.partition_ap = 2;
    struct faults *f = make(c, true);
    int64_t mask[N_AP];
    assert_int_equal(judge(f, 0, 5, FAULT_UP, 0), FAULT_PASS);
    assert_int_equal(judge(f, 1, 5, FAULT_UP, 0), FAULT_LOST);
    assert_int_equal(judge(f, 1, 5, FAULT_DOWN, 0), FAULT_PASS);
    assert_int_equal(judge(f, 1, 5, FAULT_UPLINK, 0), FAULT_LOST);
    assert_int_equal(judge(f, 2, 5, FAULT_UPLINK, 0), FAULT_LOST);
    assert_int_equal(judge(f, 0, 5, FAULT_UPLINK, 0), FAULT_PASS);
    assert_int_equal(judge(f, 2, 5, FAULT_UP, 0), FAULT_LOST);
    assert_int_equal(judge(f, 2, 5, FAULT_DOWN, 0), FAULT_LOST);
    faults_of_block(f, 5, mask);
    assert_true(mask[0] == 0 && mask[1] == 1 << CPU_FAULT_SILENT && mask[2] == 1 << CPU_FAULT_PARTITION);
    faults_of_block(f, 5 + 64, mask);
    assert_true(mask[1] == 0); /* another block */
    faults_destroy(f);
}

struct delivered {
    int n, ap[8];
    uint8_t block[8], direction[8];
};

static void deliver(void *context, int ap, enum fault_direction direction, const uint8_t *data, size_t n_bytes)
{
    struct delivered *d = context;
    assert_int_equal(n_bytes, 8);
    assert_true(data[0] == ap && data[2] == (uint8_t)direction && d->n < 8);
    d->ap[d->n] = ap;
    d->direction[d->n] = data[2];
    d->block[d->n++] = data[1];
}

static void what_is_held_comes_when_it_is_due(void **state)
{
    (void)state;
    struct config_faults c = none();
    c.delay_us = 300;
    struct faults *f = make(c, false);
    struct delivered d = {0};
    assert_int_equal(faults_next_us(f, 0), INT64_MAX);
    assert_int_equal(judge(f, 0, 5, FAULT_UP, 1000000), FAULT_HELD);
    assert_int_equal(judge(f, 2, 5, FAULT_DOWN, 1100000), FAULT_HELD);
    assert_int_equal(faults_next_us(f, 1000000), 300);
    faults_turn(f, 1299999, deliver, &d);
    assert_int_equal(d.n, 0);
    faults_turn(f, 1300000, deliver, &d);
    assert_true(d.n == 1 && d.ap[0] == 0 && d.direction[0] == FAULT_UP && d.block[0] == 5);
    faults_turn(f, 9000000, deliver, &d);
    assert_true(d.n == 2 && d.ap[1] == 2 && d.direction[1] == FAULT_DOWN);
    judge(f, 1, 6, FAULT_UP, 0); /* freed with the rest */
    faults_destroy(f);
}

/* One that is overtaken comes after the next block's. */
static void reordering_swaps_neighbours(void **state)
{
    (void)state;
    struct config_faults c = none();
    c.reorder = 0.5;
    struct faults *f = make(c, false);
    int held = 0;
    for (uint64_t b = 0; b < 200; b++) {
        held += judge(f, 0, b, FAULT_UP, 0) == FAULT_HELD;
    }
    assert_true(held > 70 && held < 130);
    assert_int_equal(faults_next_us(f, 0), 3 * BLOCK_US / 2);
    faults_destroy(f);
}

static void check_command(struct faults *f, const char *json, bool ours, const char *word)
{
    char *answer = NULL;
    assert_int_equal(faults_command(f, json, &answer), ours);
    assert_true(ours == (answer != NULL));
    if (answer && !strstr(answer, word)) {
        fail_msg("%s: no '%s' in %s", json, word, answer);
    }
    free(answer);
}

static void commands_are_checked_and_obeyed(void **state)
{
    (void)state;
    struct config_faults c = none();
    struct faults *f = make(c, false);
    check_command(f, "{\"type\":\"fault\",\"set\":{\"loss\":1}}", true, "allow_command");
    faults_destroy(f);
    c.allow_command = true;
    f = make(c, false);
    struct delivered d = {0};
    check_command(f, "nonsense", false, "");
    check_command(f, "{\"type\":\"other\",\"set\":{}}", false, "");
    check_command(f, "{\"type\":\"fault\",\"set\":{\"loss\":1.5}}", true, "error");
    check_command(f, "{\"type\":\"fault\",\"set\":{\"silent_ap\":3}}", true, "error");
    check_command(f, "{\"type\":\"fault\",\"set\":{\"silent_ap\":0.5}}", true, "whole number");
    check_command(f, "{\"type\":\"fault\",\"set\":{\"los\":1}}", true, "no such fault");
    check_command(f, "{\"type\":\"fault\",\"set\":{\"from_block\":9,\"to_block\":9}}", true, "error");
    check_command(f, "{\"type\":\"fault\",\"set\":{\"loss\":1}}", true, "loss=1");
    assert_int_equal(judge(f, 0, 1, FAULT_UP, 0), FAULT_PASS); /* at the next turn */
    faults_turn(f, 0, deliver, &d);
    assert_int_equal(judge(f, 0, 1, FAULT_UP, 0), FAULT_LOST);
    for (int i = 0; i < 4; i++) {
        check_command(f, "{\"type\":\"fault\",\"set\":{\"loss\":0}}", true, "loss=0");
    }
    check_command(f, "{\"type\":\"fault\",\"set\":{\"loss\":0}}", true, "busy");
    faults_destroy(f);
    f = make(c, true);
    check_command(f, "{\"type\":\"fault\",\"set\":{\"delay_us\":10}}", true, "lock-step");
    faults_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_repeatable_and_counted), cmocka_unit_test(silence_and_partition_concern_their_ap),
        cmocka_unit_test(what_is_held_comes_when_it_is_due), cmocka_unit_test(reordering_swaps_neighbours),
        cmocka_unit_test(commands_are_checked_and_obeyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
