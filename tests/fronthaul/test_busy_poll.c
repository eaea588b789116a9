/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking before sleeping: nothing is missed, no deadline moves, and it is really done (and only when asked for). */
#include "base/clock.h"
#include "base/rt.h"
#include "fronthaul/hub.h"
#include "fronthaul/wire.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
    fh_hub_t *hub;
    fh_peer_t *peer;
    char endpoint[64];
};

static void open_pair(struct pair *p, int io_priority)
{
    static int number;
    snprintf(p->endpoint, sizeof p->endpoint, "ipc:///tmp/test_busy_poll_%d_%d", (int)getpid(), number++);
    const struct fh_hub_settings settings = {.endpoint = p->endpoint,
                                             .n_ap = 1,
                                             .fingerprint = 5,
                                             .welcome = {.session = 1},
                                             .peer_timeout_ms = 30000,
                                             .io_priority = io_priority};
    const struct fh_hello hello = {.role = FH_ROLE_AP, .id = 0, .fingerprint = 5, .io_priority = io_priority};
    struct fh_event event = {0};
    assert_int_equal(fh_hub_create(&p->hub, &settings), 0);
    assert_int_equal(fh_peer_create(&p->peer, p->endpoint, &hello, 30000), 0);
    for (int i = 0; i < 500 && event.kind != FH_EVENT_UP; i++) {
        assert_int_equal(fh_hub_wait(p->hub, -1, 1000, &event), 0);
        assert_int_equal(fh_peer_wait(p->peer, -1, 10000, &event), 0);
    }
    assert_int_equal(event.kind, FH_EVENT_UP);
    while (fh_hub_wait(p->hub, -1, 50000, &event) == 0 && event.kind != FH_EVENT_NONE) {
    }
}

static void close_pair(struct pair *p)
{
    fh_peer_destroy(p->peer);
    fh_hub_destroy(p->hub);
    unlink(p->endpoint + strlen("ipc://"));
}

static double thread_cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Waits 60 ms for nothing; returns the processor time it took. */
static double idle_cpu_s(fh_peer_t *peer)
{
    struct fh_event event;
    const uint64_t start_ns = clock_mono_ns();
    const double before_s = thread_cpu_s();
    assert_int_equal(fh_peer_wait(peer, -1, 60000, &event), 0);
    assert_int_equal(event.kind, FH_EVENT_NONE);
    const uint64_t took_ns = clock_mono_ns() - start_ns;
    assert_true(took_ns >= 60000000 && took_ns < 2000000000);
    return thread_cpu_s() - before_s;
}

static void test_spins_only_when_asked_and_only_so_long(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, 0);
    double asleep_s = 1, awake_s = 0, partly_s = 1; /* the best of a few: others may have the cores */
    for (int i = 0; i < 5; i++) {
        fh_peer_busy_poll(p.peer, 0);
        asleep_s = fmin(asleep_s, idle_cpu_s(p.peer));
        fh_peer_busy_poll(p.peer, 1e6);
        awake_s = fmax(awake_s, idle_cpu_s(p.peer));
        fh_peer_busy_poll(p.peer, 5000);
        partly_s = fmin(partly_s, idle_cpu_s(p.peer));
    }
    assert_true(asleep_s < 5e-4);
    assert_true(awake_s > 2e-3);
    assert_true(partly_s < 6e-3);
    close_pair(&p);
}

static void exchange(struct pair *p, int n)
{
    uint8_t message[256], reply[256];
    struct fh_event event;
    for (int i = 0; i < n; i++) {
        struct wire_header header = {.type = WIRE_PROBE, .block = (uint64_t)i, .payload_bytes = 100};
        memset(message + WIRE_HEADER_BYTES, i, 100);
        const size_t size = wire_pack_probe(message, sizeof message, &header, message + WIRE_HEADER_BYTES);
        assert_int_equal(fh_peer_send(p->peer, message, size), 0);
        assert_int_equal(fh_hub_wait(p->hub, -1, 2000000, &event), 0);
        assert_int_equal(event.kind, FH_EVENT_DATA);
        header.type = WIRE_PROBE_REPLY;
        const size_t back = wire_pack_probe(reply, sizeof reply, &header, event.data + WIRE_HEADER_BYTES);
        assert_int_equal(fh_hub_send(p->hub, FH_ROLE_AP, 0, reply, back), 0);
        assert_int_equal(fh_peer_wait(p->peer, -1, 2000000, &event), 0);
        assert_int_equal(event.kind, FH_EVENT_DATA);
        assert_int_equal(event.n_bytes, back);
        assert_memory_equal(event.data, reply, back);
    }
}

static void test_messages_come_through(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, 0);
    fh_peer_busy_poll(p.peer, 400);
    fh_hub_busy_poll(p.hub, 400);
    exchange(&p, 200);
    close_pair(&p);
}

/* Allowed or not, the link must work: ZeroMQ itself would abort the process. */
static void test_io_priority_is_a_wish(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, 2);
    exchange(&p, 20);
    close_pair(&p);
}

static void *signal_later(void *argument)
{
    clock_sleep_until_ns(clock_mono_ns() + 20000000);
    rt_event_signal(*(int *)argument);
    return NULL;
}

static void test_a_descriptor_ends_the_spin(void **state)
{
    (void)state;
    struct pair p;
    struct fh_event event;
    pthread_t thread;
    int fd = rt_event_create();
    open_pair(&p, 0);
    fh_peer_busy_poll(p.peer, 1e6);
    const uint64_t start_ns = clock_mono_ns();
    assert_int_equal(pthread_create(&thread, NULL, signal_later, &fd), 0);
    assert_int_equal(fh_peer_wait(p.peer, fd, 5000000, &event), 0);
    assert_int_equal(event.kind, FH_EVENT_FD);
    assert_true(clock_mono_ns() - start_ns < 900000000);
    pthread_join(thread, NULL);
    close(fd);
    close_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spins_only_when_asked_and_only_so_long), cmocka_unit_test(test_messages_come_through),
        cmocka_unit_test(test_io_priority_is_a_wish), cmocka_unit_test(test_a_descriptor_ends_the_spin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
