/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking before sleeping: nothing is missed, no deadline moves, and it is really done (and only when asked for). */
#include "base/clock.h"
#include "base/rt.h"
#include "fronthaul/hub.h"
#include "fronthaul/wire.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
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

/* Linked with --wrap: how often a link looks and how often it sleeps is counted, and where it waits for nothing time is
 * made here, so that no machine is too slow for this test. */
int __real_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask);
int __real_sched_yield(void);
int __wrap_sched_yield(void);
uint64_t __real_clock_mono_ns(void);
uint64_t __wrap_clock_mono_ns(void);

enum { TICK_NS = 10000 }; /* what a look at the made clock takes */
static uint64_t made_ns;  /* 0: the real clock */
static struct {
    int looks, yields, sleeps;
    uint64_t slept_ns;
} count;

int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    const bool look = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
    count.looks += look;
    count.sleeps += !look;
    if (look || !made_ns) {
        return __real_ppoll(fds, n, timeout, mask);
    }
    const uint64_t ns = (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
    made_ns += ns;
    count.slept_ns += ns;
    return 0;
}

int __wrap_sched_yield(void)
{
    count.yields++;
    return made_ns ? 0 : __real_sched_yield();
}

uint64_t __wrap_clock_mono_ns(void)
{
    return made_ns ? (made_ns += TICK_NS) : __real_clock_mono_ns();
}

/* Waits 60 ms of made time for nothing, and not longer. */
static void idle(fh_peer_t *peer, double busy_poll_us)
{
    struct fh_event event;
    fh_peer_busy_poll(peer, busy_poll_us);
    memset(&count, 0, sizeof count);
    const uint64_t start_ns = made_ns = __real_clock_mono_ns();
    assert_int_equal(fh_peer_wait(peer, -1, 60000, &event), 0);
    assert_int_equal(event.kind, FH_EVENT_NONE);
    assert_in_range(made_ns - start_ns, 60000000, 60000000 + 20 * TICK_NS);
    made_ns = 0;
}

static void test_spins_only_when_asked_and_only_so_long(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p, 0);
    idle(p.peer, 0);
    assert_int_equal(count.yields, 0);
    assert_true(count.sleeps >= 1 && count.slept_ns >= 59000000);
    idle(p.peer, 1e6);
    assert_int_equal(count.sleeps, 0);
    assert_true(count.looks > 1000 && count.yields >= count.looks - 2);
    idle(p.peer, 5000);
    assert_in_range(count.looks, 100, 5000000 / TICK_NS + 1);
    assert_in_range(count.slept_ns, 54000000, 55000000);
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
        assert_int_equal(fh_hub_wait(p->hub, -1, 20000000, &event), 0);
        assert_int_equal(event.kind, FH_EVENT_DATA);
        header.type = WIRE_PROBE_REPLY;
        const size_t back = wire_pack_probe(reply, sizeof reply, &header, event.data + WIRE_HEADER_BYTES);
        assert_int_equal(fh_hub_send(p->hub, FH_ROLE_AP, 0, reply, back), 0);
        assert_int_equal(fh_peer_wait(p->peer, -1, 20000000, &event), 0);
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

/* Waits 20 ms of real time: whoever spins is spinning by then. */
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
    fh_peer_busy_poll(p.peer, 20e6);
    memset(&count, 0, sizeof count);
    assert_int_equal(pthread_create(&thread, NULL, signal_later, &fd), 0);
    assert_int_equal(fh_peer_wait(p.peer, fd, 20000000, &event), 0);
    assert_int_equal(event.kind, FH_EVENT_FD);
    assert_int_equal(count.sleeps, 0);
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
