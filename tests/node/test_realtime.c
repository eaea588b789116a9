/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of priorities, as the kernel sees it: /proc/self/task/TID/stat of a thread of every duty, started by a
 * thread that is real-time itself. */
#include "base/rt.h"
#include "node/thread.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { PRIORITY = 20 };

static void test_order(void **state)
{
    (void)state;
    struct config_engine e = {.realtime_priority = 20};
    assert_int_equal(node_priority(&e, NODE_DUTY_SLOT), 20);
    assert_int_equal(node_priority(&e, NODE_DUTY_LINK), 19);
    assert_int_equal(node_priority(&e, NODE_DUTY_SOLVE), 18);
    assert_int_equal(node_priority(&e, NODE_DUTY_BACKGROUND), 0);
    e.realtime_priority = 2;
    assert_int_equal(node_priority(&e, NODE_DUTY_SLOT), 2);
    assert_int_equal(node_priority(&e, NODE_DUTY_LINK), 1);
    assert_int_equal(node_priority(&e, NODE_DUTY_SOLVE), 1);
    e.realtime_priority = 0;
    assert_int_equal(node_priority(&e, NODE_DUTY_SLOT), 0);
}

struct seen {
    long tid;
    int priority, policy;
    char name[32];
};

/* Fields 2 (name), 40 and 41 (real-time priority and policy) of stat. */
static int look(void *argument)
{
    struct seen *s = argument;
    char path[64], line[1024] = "";
    s->tid = syscall(SYS_gettid);
    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", s->tid);
    for (int i = 0; i < 100 && strcmp(s->name, "(job)") != 0; i++) { /* the maker gives the name after the start */
        FILE *f = fopen(path, "r");
        if (!f || !fgets(line, sizeof line, f)) {
            return -1;
        }
        fclose(f);
        sscanf(line, "%*d %31s", s->name);
        usleep(1000);
    }
    int field = 3; /* the next after the name */
    for (char *word = strtok(strrchr(line, ')') + 1, " "); word; word = strtok(NULL, " "), field++) {
        if (field == 40) {
            sscanf(word, "%d", &s->priority);
        } else if (field == 41) {
            sscanf(word, "%d", &s->policy);
        }
    }
    rt_stop_request();
    return 0;
}

static void test_the_kernel_agrees(void **state)
{
    (void)state;
    const struct config_engine e = {.realtime_priority = PRIORITY};
    static const struct {
        enum node_duty duty;
        int priority, policy;
    } WANT[] = {{NODE_DUTY_SLOT, PRIORITY, SCHED_FIFO},
                {NODE_DUTY_LINK, PRIORITY - 1, SCHED_FIFO},
                {NODE_DUTY_SOLVE, PRIORITY - 2, SCHED_FIFO},
                {NODE_DUTY_BACKGROUND, 0, SCHED_OTHER}};
    node_realtime(&e, NODE_DUTY_SLOT, 0); /* the maker: real-time, pinned */
    for (unsigned i = 0; i < sizeof WANT / sizeof *WANT; i++) {
        struct seen seen = {0};
        struct node_thread t = {
            .name = "job", .duty = WANT[i].duty, .engine = &e, .core = -1, .body = look, .argument = &seen};
        assert_int_equal(node_thread_start(&t), 0);
        node_thread_join(&t);
        assert_string_equal(seen.name, "(job)");
        assert_int_equal(seen.priority, WANT[i].priority);
        assert_int_equal(seen.policy, WANT[i].policy);
    }
}

static int count_cores(void *argument)
{
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    *(int *)argument = CPU_COUNT(&set);
    rt_stop_request();
    return 0;
}

static void test_cores_are_not_inherited(void **state)
{
    (void)state;
    const struct config_engine e = {0};
    int before = 0, after = 0;
    count_cores(&before);
    node_realtime(&e, NODE_DUTY_SLOT, 0);
    struct node_thread t = {
        .name = "job", .duty = NODE_DUTY_BACKGROUND, .engine = &e, .core = -1, .body = count_cores, .argument = &after};
    assert_int_equal(node_thread_start(&t), 0);
    node_thread_join(&t);
    assert_int_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest everywhere[] = {cmocka_unit_test(test_order),
                                            cmocka_unit_test(test_cores_are_not_inherited)};
    const struct CMUnitTest allowed[] = {cmocka_unit_test(test_the_kernel_agrees)};
    const int failed = cmocka_run_group_tests(everywhere, NULL, NULL);
    const struct sched_param one = {.sched_priority = PRIORITY};
    if (failed || sched_setscheduler(0, SCHED_FIFO, &one) != 0) {
        if (!failed) {
            puts("SKIPPED: real-time priorities are not allowed here");
        }
        return failed ? 1 : 77;
    }
    return cmocka_run_group_tests(allowed, NULL, NULL);
}
