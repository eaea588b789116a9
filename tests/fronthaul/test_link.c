/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Peer and hub over real sockets. Most tests run both in one thread, a little of each in turn; processes that get
 * killed are this program started again with arguments. */
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "fronthaul/hub.h"
#include "fronthaul/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

enum { TIMEOUT_MS = 600, PATIENCE_MS = 5000 };
#define FINGERPRINT UINT64_C(0xfedcba9876543210)

extern char **environ;
static char directory[64], endpoint[96];
static double hub_timeout_ms = TIMEOUT_MS;

static fh_hub_t *make_hub_at(const char *where, uint32_t session)
{
    const struct fh_hub_settings settings = {.endpoint = where,
                                             .n_ap = 4,
                                             .n_ue = 2,
                                             .observers = true,
                                             .fingerprint = FINGERPRINT,
                                             .welcome = {.session = session, .epoch = 123456789012345},
                                             .peer_timeout_ms = hub_timeout_ms};
    fh_hub_t *hub;
    if (fh_hub_create(&hub, &settings)) {
        fail_msg("hub: %s", error_text());
    }
    return hub;
}

static fh_hub_t *make_hub(uint32_t session)
{
    return make_hub_at(endpoint, session);
}

static fh_peer_t *make_peer_at(const char *where, enum fh_role role, int id, uint64_t fingerprint)
{
    const struct fh_hello hello = {.role = role, .id = id, .fingerprint = fingerprint};
    fh_peer_t *peer;
    if (fh_peer_create(&peer, where, &hello, TIMEOUT_MS)) {
        fail_msg("peer: %s", error_text());
    }
    return peer;
}

static fh_peer_t *make_peer(enum fh_role role, int id)
{
    return make_peer_at(endpoint, role, id, FINGERPRINT);
}

/* What one end has seen so far. */
struct seen {
    int n[FH_EVENT_REFUSED + 1];
    struct fh_event last[FH_EVENT_REFUSED + 1];
    char text[FH_EVENT_REFUSED + 1][256]; /* start of the data, or error_text */
};

static void note(struct seen *seen, const struct fh_event *event)
{
    char *text = seen->text[event->kind];
    seen->n[event->kind]++;
    seen->last[event->kind] = *event;
    if (event->kind == FH_EVENT_REFUSED) {
        snprintf(text, 256, "%s", error_text());
    } else if (event->data) {
        const size_t n = event->n_bytes < 255 ? event->n_bytes : 255;
        memcpy(text, event->data, n);
        text[n] = '\0';
    }
}

static enum fh_event_kind turn_hub(fh_hub_t *hub, struct seen *seen, int64_t timeout_us)
{
    struct fh_event event;
    assert_int_equal(fh_hub_wait(hub, -1, timeout_us, &event), TUTTI_OK);
    note(seen, &event);
    return event.kind;
}

static enum fh_event_kind turn_peer(fh_peer_t *peer, struct seen *seen, int64_t timeout_us)
{
    struct fh_event event;
    assert_int_equal(fh_peer_wait(peer, -1, timeout_us, &event), TUTTI_OK);
    note(seen, &event);
    return event.kind;
}

static double ms_since(uint64_t start_ns)
{
    return (double)(clock_mono_ns() - start_ns) * 1e-6;
}

/* Turn both until condition holds; fails the test after PATIENCE_MS. */
#define TURN_UNTIL(condition, hub, hub_seen, peer, peer_seen)                                                          \
    do {                                                                                                               \
        const uint64_t start_ns_ = clock_mono_ns();                                                                    \
        while (!(condition)) {                                                                                         \
            if (ms_since(start_ns_) > PATIENCE_MS) {                                                                   \
                fail_msg("gave up waiting for: %s", #condition);                                                       \
            }                                                                                                          \
            turn_hub(hub, hub_seen, 500);                                                                              \
            turn_peer(peer, peer_seen, 500);                                                                           \
        }                                                                                                              \
    } while (0)

#define HUB_UNTIL(condition, hub, hub_seen)                                                                            \
    do {                                                                                                               \
        const uint64_t start_ns_ = clock_mono_ns();                                                                    \
        while (!(condition)) {                                                                                         \
            if (ms_since(start_ns_) > PATIENCE_MS) {                                                                   \
                fail_msg("gave up waiting for: %s", #condition);                                                       \
            }                                                                                                          \
            turn_hub(hub, hub_seen, 500);                                                                              \
        }                                                                                                              \
    } while (0)

/* A data message with a number in it. */
static size_t numbered(uint8_t *out, size_t capacity, uint32_t number, uint32_t payload_bytes)
{
    const struct wire_header header = {.type = WIRE_PROBE, .block = number, .payload_bytes = payload_bytes};
    const size_t n = wire_pack_probe(out, capacity, &header, out + WIRE_HEADER_BYTES);
    assert_true(n > 0);
    return n;
}

static uint64_t number_of(const struct fh_event *event)
{
    struct wire_header header;
    assert_int_equal(wire_unpack_header(event->data, event->n_bytes, &header), WIRE_OK);
    return header.block;
}

/* Other processes ------------------------------------------------------------------------------------------------ */

static pid_t start_process(const char *what, const char *where, int number)
{
    char text[16];
    pid_t pid;
    snprintf(text, sizeof text, "%d", number);
    char *argv[] = {"test_link", (char *)(uintptr_t)what, (char *)(uintptr_t)where, text, NULL};
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    return pid;
}

static void kill_process(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* An AP or a hub that lives until it is killed. */
static int run_process(const char *what, const char *where, int number)
{
    struct fh_event event;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* not longer than the test, should that fail */
    if (strcmp(what, "ap") == 0) {
        const struct fh_hello hello = {.role = FH_ROLE_AP, .id = number, .fingerprint = FINGERPRINT};
        fh_peer_t *peer;
        if (fh_peer_create(&peer, where, &hello, TIMEOUT_MS)) {
            return 1;
        }
        while (fh_peer_wait(peer, -1, -1, &event) == TUTTI_OK) {
        }
    } else {
        fh_hub_t *hub = make_hub_at(where, (uint32_t)number);
        while (fh_hub_wait(hub, -1, -1, &event) == TUTTI_OK) {
        }
    }
    return 1;
}

/* Tests ---------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    hub_timeout_ms = TIMEOUT_MS;
    strcpy(directory, "/tmp/tutti-test-link-XXXXXX");
    if (!mkdtemp(directory)) {
        return -1;
    }
    snprintf(endpoint, sizeof endpoint, "ipc://%s/new/dir/fronthaul", directory);
    return 0;
}

static int tear_down(void **state)
{
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/new/dir/fronthaul", directory);
    unlink(path);
    snprintf(path, sizeof path, "%s/new/dir", directory);
    rmdir(path);
    snprintf(path, sizeof path, "%s/new", directory);
    rmdir(path);
    return rmdir(directory);
}

static void test_welcome_and_data_both_ways_in_order(void **state)
{
    (void)state;
    struct seen h = {0}, p = {0};
    fh_peer_t *peer = make_peer(FH_ROLE_AP, 2); /* before the hub: it keeps trying */
    uint8_t message[256];
    assert_int_equal(fh_peer_send(peer, message, numbered(message, sizeof message, 0, 8)), TUTTI_EAGAIN);
    fh_hub_t *hub = make_hub(77);
    assert_false(fh_hub_alive(hub, FH_ROLE_AP, 2));
    TURN_UNTIL(h.n[FH_EVENT_UP] && p.n[FH_EVENT_UP], hub, &h, peer, &p);
    assert_int_equal(h.last[FH_EVENT_UP].role, FH_ROLE_AP);
    assert_int_equal(h.last[FH_EVENT_UP].id, 2);
    assert_int_equal(p.last[FH_EVENT_UP].welcome.session, 77);
    assert_int_equal(p.last[FH_EVENT_UP].welcome.epoch, 123456789012345);
    assert_true(fh_hub_alive(hub, FH_ROLE_AP, 2));
    assert_false(fh_hub_alive(hub, FH_ROLE_AP, 1));

    for (uint32_t i = 0; i < 40; i++) {
        const size_t n = numbered(message, sizeof message, i, 100);
        assert_int_equal(fh_peer_send(peer, message, n), TUTTI_OK);
        assert_int_equal(fh_hub_send(hub, FH_ROLE_AP, 2, message, n), TUTTI_OK);
    }
    for (uint32_t at_hub = 0, at_peer = 0; at_hub < 40 || at_peer < 40;) {
        struct fh_event event;
        assert_int_equal(fh_hub_wait(hub, -1, 1000, &event), TUTTI_OK);
        if (event.kind == FH_EVENT_DATA) {
            assert_int_equal(event.id, 2);
            assert_int_equal(number_of(&event), at_hub++);
        }
        assert_int_equal(fh_peer_wait(peer, -1, 1000, &event), TUTTI_OK);
        if (event.kind == FH_EVENT_DATA) {
            assert_int_equal(number_of(&event), at_peer++);
        }
    }

    assert_int_equal(fh_peer_send_control(peer, "{\"type\":\"report\",\"bler\":0.5}"), TUTTI_OK);
    fh_hub_broadcast_control(hub, FH_ROLE_AP, "{\"type\":\"status\"}");
    TURN_UNTIL(h.n[FH_EVENT_CONTROL] && p.n[FH_EVENT_CONTROL], hub, &h, peer, &p);
    assert_string_equal(h.text[FH_EVENT_CONTROL], "{\"type\":\"report\",\"bler\":0.5}");
    assert_string_equal(p.text[FH_EVENT_CONTROL], "{\"type\":\"status\"}");
    assert_int_equal(fh_peer_send_control(peer, "report"), TUTTI_EINVAL);

    struct fh_counters at_peer, at_hub;
    fh_peer_counters(peer, &at_peer);
    fh_hub_counters(hub, &at_hub);
    assert_int_equal(at_peer.sent, 41);
    assert_int_equal(at_peer.received, 41);
    assert_int_equal(at_peer.dropped_full, 1);
    assert_int_equal(at_hub.sent, 41);
    assert_int_equal(at_hub.received, 41);
    assert_int_equal(at_hub.bad_control + at_peer.bad_control, 0);

    fh_peer_destroy(peer); /* says goodbye */
    const uint64_t start_ns = clock_mono_ns();
    HUB_UNTIL(h.n[FH_EVENT_DOWN], hub, &h);
    assert_true(ms_since(start_ns) < TIMEOUT_MS / 2.0);
    assert_false(fh_hub_alive(hub, FH_ROLE_AP, 2));
    fh_hub_destroy(hub);
}

static void expect_refusal(fh_hub_t *hub, fh_peer_t *peer, const char *words)
{
    struct seen h = {0}, p = {0};
    TURN_UNTIL(p.n[FH_EVENT_REFUSED], hub, &h, peer, &p);
    if (!strstr(p.text[FH_EVENT_REFUSED], words) || !strstr(p.text[FH_EVENT_REFUSED], endpoint)) {
        fail_msg("refused with \"%s\", expected \"%s\"", p.text[FH_EVENT_REFUSED], words);
    }
    assert_int_equal(h.n[FH_EVENT_UP], 0);
    for (int i = 0; i < 100; i++) { /* for good: told once, no new attempt */
        turn_hub(hub, &h, 2000);
        turn_peer(peer, &p, 2000);
    }
    assert_int_equal(p.n[FH_EVENT_REFUSED], 1);
    assert_int_equal(p.n[FH_EVENT_UP] + h.n[FH_EVENT_UP], 0);
    fh_peer_destroy(peer);
}

static void test_refusals(void **state)
{
    (void)state;
    struct fh_counters counters;
    fh_hub_t *hub = make_hub(1);
    expect_refusal(hub, make_peer_at(endpoint, FH_ROLE_AP, 0, 5), "fingerprint 0000000000000005");
    expect_refusal(hub, make_peer_at(endpoint, FH_ROLE_OBSERVER, 0, 5), "fingerprint 0000000000000005");
    expect_refusal(hub, make_peer(FH_ROLE_AP, 4), "ap 4 does not exist, ids are 0 to 3");
    expect_refusal(hub, make_peer(FH_ROLE_UE, 9), "ue 9 does not exist, ids are 0 to 1");
    fh_hub_counters(hub, &counters);
    assert_int_equal(counters.refused, 4);
    fh_hub_destroy(hub);
}

/* A bare DEALER that can say anything. */
struct raw {
    void *context, *socket;
};

static struct raw raw_open(const char *where)
{
    struct raw raw = {.context = zmq_ctx_new()};
    const int linger = 0, patience = PATIENCE_MS;
    raw.socket = zmq_socket(raw.context, ZMQ_DEALER);
    zmq_setsockopt(raw.socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(raw.socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(zmq_connect(raw.socket, where), 0);
    return raw;
}

static void raw_close(struct raw raw)
{
    zmq_close(raw.socket);
    zmq_ctx_term(raw.context);
}

static void raw_say(struct raw raw, const char *text)
{
    assert_int_equal(zmq_send(raw.socket, text, strlen(text), 0), (int)strlen(text));
}

/* Turns the hub until the raw peer hears something. */
static void raw_hear(struct raw raw, fh_hub_t *hub, struct seen *h, char *text, size_t size)
{
    const uint64_t start_ns = clock_mono_ns();
    int n;
    while ((n = zmq_recv(raw.socket, text, size - 1, ZMQ_DONTWAIT)) < 0) {
        assert_true(ms_since(start_ns) < PATIENCE_MS);
        turn_hub(hub, h, 500);
    }
    text[(size_t)n < size ? (size_t)n : size - 1] = '\0';
}

static void test_version_mismatch_and_strangers(void **state)
{
    (void)state;
    struct seen h = {0};
    struct fh_counters counters;
    char text[512];
    uint8_t message[128];
    fh_hub_t *hub = make_hub(1);
    struct raw raw = raw_open(endpoint);
    raw_say(raw, "{\"type\":\"hello\",\"version\":99,\"role\":\"ap\",\"id\":0,\"fingerprint\":\"fedcba9876543210\","
                 "\"program\":\"9.9\"}");
    raw_hear(raw, hub, &h, text, sizeof text);
    assert_non_null(strstr(text, "speaks protocol version 99"));
    assert_non_null(strstr(text, "\"final\":true"));
    /* data from somebody never welcomed: not looked at, asked to say hello */
    zmq_send(raw.socket, message, numbered(message, sizeof message, 1, 0), 0);
    raw_hear(raw, hub, &h, text, sizeof text);
    assert_string_equal(text, "{\"type\":\"please_hello\"}");
    raw_say(raw, "{\"type\":\"report\"}");
    raw_hear(raw, hub, &h, text, sizeof text);
    assert_string_equal(text, "{\"type\":\"please_hello\"}");
    fh_hub_counters(hub, &counters);
    assert_int_equal(counters.unknown_peer, 2);
    assert_int_equal(h.n[FH_EVENT_DATA] + h.n[FH_EVENT_CONTROL] + h.n[FH_EVENT_UP], 0);
    raw_close(raw);
    fh_hub_destroy(hub);
}

static void test_garbage_is_counted_and_disturbs_nobody(void **state)
{
    (void)state;
    static char big[100000];
    struct seen h = {0}, p = {0};
    struct fh_counters counters;
    const char *const garbage[] = {"",
                                   "x",
                                   "TUTI",
                                   "{",
                                   "{}",
                                   "{\"type\":5}",
                                   "{\"type\":\"hello\"}",
                                   "[\"type\"]",
                                   "{\"type\":\"pong\"}",
                                   "{\"type\":\"report\",\"x\":[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]}",
                                   "{\"type\":\"hello\",\"version\":1e9,\"role\":\"ap\"}"};
    fh_hub_t *hub = make_hub(1);
    fh_peer_t *peer = make_peer(FH_ROLE_AP, 0);
    struct raw raw = raw_open(endpoint);
    TURN_UNTIL(p.n[FH_EVENT_UP], hub, &h, peer, &p);
    const size_t n_garbage = sizeof garbage / sizeof garbage[0];
    for (size_t i = 0; i < n_garbage; i++) {
        raw_say(raw, garbage[i]);
    }
    memset(big, '[', sizeof big); /* deep, and then too long */
    memcpy(big, "{\"type\":\"report\",\"x\":", 21);
    zmq_send(raw.socket, big, 60000, 0);
    zmq_send(raw.socket, big, sizeof big, 0);
    zmq_send(raw.socket, "{\"type\":\"goodbye\"}", 18, ZMQ_SNDMORE); /* several frames */
    zmq_send(raw.socket, "{\"type\":\"goodbye\"}", 18, 0);
    const uint64_t start_ns = clock_mono_ns();
    do {
        turn_hub(hub, &h, 1000);
        turn_peer(peer, &p, 1000);
        fh_hub_counters(hub, &counters);
    } while (counters.bad_control < n_garbage + 3 && ms_since(start_ns) < PATIENCE_MS);
    assert_int_equal(counters.bad_control, n_garbage + 3);
    assert_int_equal(counters.unknown_peer, 0);
    assert_int_equal(fh_peer_send_control(peer, "{\"type\":\"report\"}"), TUTTI_OK);
    TURN_UNTIL(h.n[FH_EVENT_CONTROL], hub, &h, peer, &p);
    assert_int_equal(h.n[FH_EVENT_DOWN] + p.n[FH_EVENT_DOWN], 0);
    raw_close(raw);
    fh_peer_destroy(peer);
    fh_hub_destroy(hub);
}

/* A free TCP port, as an endpoint; the port is free a moment later with near certainty. */
static int free_tcp_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void test_raw_tcp_client_writing_rubbish(void **state)
{
    (void)state;
    char where[64], rubbish[5000];
    struct seen h = {0}, p = {0};
    const int port = free_tcp_port();
    snprintf(where, sizeof where, "tcp://127.0.0.1:%d", port);
    fh_hub_t *hub = make_hub_at(where, 3);
    fh_peer_t *peer = make_peer_at(where, FH_ROLE_UE, 1, FINGERPRINT);
    TURN_UNTIL(p.n[FH_EVENT_UP], hub, &h, peer, &p);
    for (int round = 0; round < 20; round++) {
        const struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
        for (size_t i = 0; i < sizeof rubbish; i++) {
            rubbish[i] = (char)((i + 1) * (size_t)(round + 7) * 2654435761u >> 13);
        }
        if (round % 2) {
            memcpy(rubbish, "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16); /* looks like ZMTP for a while */
        }
        (void)!send(fd, rubbish, sizeof rubbish, MSG_NOSIGNAL);
        turn_hub(hub, &h, 1000);
        turn_peer(peer, &p, 1000);
        close(fd);
    }
    for (int i = 0; i < 200; i++) {
        turn_hub(hub, &h, 500);
        turn_peer(peer, &p, 500);
    }
    assert_int_equal(fh_peer_send_control(peer, "{\"type\":\"report\"}"), TUTTI_OK);
    TURN_UNTIL(h.n[FH_EVENT_CONTROL], hub, &h, peer, &p);
    assert_int_equal(h.n[FH_EVENT_DOWN] + p.n[FH_EVENT_DOWN], 0);
    fh_peer_destroy(peer);
    fh_hub_destroy(hub);
}

static void test_killed_ap_is_noticed_and_replaced(void **state)
{
    (void)state;
    struct seen h = {0};
    hub_timeout_ms = 4 * PATIENCE_MS; /* nothing here may be found by silence */
    fh_hub_t *hub = make_hub(1);
    pid_t pid = start_process("ap", endpoint, 1);
    HUB_UNTIL(h.n[FH_EVENT_UP] == 1, hub, &h);
    kill_process(pid);
    uint64_t start_ns = clock_mono_ns();
    HUB_UNTIL(h.n[FH_EVENT_DOWN] == 1, hub, &h);
    assert_true(ms_since(start_ns) < 1000); /* the broken connection tells */
    assert_int_equal(h.last[FH_EVENT_DOWN].id, 1);

    /* killed while the hub is busy elsewhere: the new one's hello finds the old one's seat taken */
    pid = start_process("ap", endpoint, 1);
    HUB_UNTIL(h.n[FH_EVENT_UP] == 2, hub, &h);
    kill_process(pid);
    pid = start_process("ap", endpoint, 1);
    usleep(300000);
    start_ns = clock_mono_ns();
    HUB_UNTIL(h.n[FH_EVENT_UP] == 3, hub, &h);
    assert_true(ms_since(start_ns) < 1000);
    assert_int_equal(h.n[FH_EVENT_DOWN], 2);
    assert_true(fh_hub_alive(hub, FH_ROLE_AP, 1));

    /* frozen, connection intact: no answer to the probe */
    kill(pid, SIGSTOP);
    const pid_t second = start_process("ap", endpoint, 1);
    start_ns = clock_mono_ns();
    HUB_UNTIL(h.n[FH_EVENT_UP] == 4, hub, &h);
    assert_true(ms_since(start_ns) < 2000); /* process start included */
    assert_int_equal(h.n[FH_EVENT_DOWN], 3);
    kill_process(pid);
    kill_process(second);
    fh_hub_destroy(hub);
}

static void test_idle_link_stays_up(void **state)
{
    (void)state;
    struct seen h = {0}, p = {0};
    fh_hub_t *hub = make_hub(1);
    fh_peer_t *peer = make_peer(FH_ROLE_AP, 0);
    TURN_UNTIL(p.n[FH_EVENT_UP], hub, &h, peer, &p);
    const uint64_t start_ns = clock_mono_ns();
    while (ms_since(start_ns) < 2 * TIMEOUT_MS) {
        turn_hub(hub, &h, 1000);
        turn_peer(peer, &p, 1000);
    }
    assert_int_equal(h.n[FH_EVENT_DOWN] + p.n[FH_EVENT_DOWN], 0);
    assert_int_equal(h.n[FH_EVENT_CONTROL] + p.n[FH_EVENT_CONTROL], 0); /* heartbeats are nobody's business */
    fh_peer_destroy(peer);
    fh_hub_destroy(hub);
}

static void test_silent_peer_times_out(void **state)
{
    (void)state;
    struct seen h = {0};
    fh_hub_t *hub = make_hub(1);
    const pid_t pid = start_process("ap", endpoint, 3);
    HUB_UNTIL(h.n[FH_EVENT_UP], hub, &h);
    kill(pid, SIGSTOP);
    const uint64_t start_ns = clock_mono_ns();
    HUB_UNTIL(h.n[FH_EVENT_DOWN], hub, &h);
    assert_true(ms_since(start_ns) > TIMEOUT_MS * 0.7 && ms_since(start_ns) < TIMEOUT_MS * 1.5);
    kill(pid, SIGCONT); /* it comes back by itself */
    HUB_UNTIL(h.n[FH_EVENT_UP] == 2, hub, &h);
    kill_process(pid);
    fh_hub_destroy(hub);
}

static void test_live_duplicate_is_refused(void **state)
{
    (void)state;
    struct seen h = {0}, p = {0};
    fh_hub_t *hub = make_hub(1);
    fh_peer_t *peer = make_peer(FH_ROLE_AP, 2);
    TURN_UNTIL(p.n[FH_EVENT_UP], hub, &h, peer, &p);
    fh_peer_t *twin = make_peer(FH_ROLE_AP, 2);
    struct seen t = {0};
    const uint64_t start_ns = clock_mono_ns();
    while (!t.n[FH_EVENT_REFUSED] && ms_since(start_ns) < PATIENCE_MS) {
        turn_hub(hub, &h, 500);
        turn_peer(peer, &p, 500);
        turn_peer(twin, &t, 500);
    }
    assert_non_null(strstr(t.text[FH_EVENT_REFUSED], "ap 2 is already here"));
    assert_int_equal(h.n[FH_EVENT_UP], 1);
    assert_int_equal(h.n[FH_EVENT_DOWN] + p.n[FH_EVENT_DOWN], 0);
    fh_peer_destroy(twin);
    fh_peer_destroy(peer);
    fh_hub_destroy(hub);
}

static void test_observers_share_a_role(void **state)
{
    (void)state;
    struct seen h = {0}, a = {0}, b = {0};
    fh_hub_t *hub = make_hub(1);
    fh_peer_t *first = make_peer_at(endpoint, FH_ROLE_OBSERVER, 0, 0);
    fh_peer_t *second = make_peer_at(endpoint, FH_ROLE_OBSERVER, 0, FINGERPRINT);
    TURN_UNTIL(a.n[FH_EVENT_UP], hub, &h, first, &a);
    TURN_UNTIL(b.n[FH_EVENT_UP], hub, &h, second, &b);
    assert_true(fh_hub_alive(hub, FH_ROLE_OBSERVER, 0) && fh_hub_alive(hub, FH_ROLE_OBSERVER, 1));
    fh_hub_broadcast_control(hub, FH_ROLE_OBSERVER, "{\"type\":\"status\"}");
    TURN_UNTIL(a.n[FH_EVENT_CONTROL], hub, &h, first, &a);
    TURN_UNTIL(b.n[FH_EVENT_CONTROL], hub, &h, second, &b);
    fh_peer_destroy(first);
    fh_peer_destroy(second);
    fh_hub_destroy(hub);
}

/* Of several central nodes, each has its own APs and is called by those above it. */
static void test_central_nodes(void **state)
{
    (void)state;
    static const struct {
        enum fh_role role;
        int id;
        const char *refused;
    } cases[] = {{FH_ROLE_AP, 1, NULL},
                 {FH_ROLE_CPU, 2, NULL},
                 {FH_ROLE_AP, 3, "ap3 belongs to cpu2, this is cpu1"},
                 {FH_ROLE_CPU, 0, "cpu0 does not call cpu1"},
                 {FH_ROLE_CPU, 1, "cpu1 does not call cpu1"},
                 {FH_ROLE_CPU, 3, "cpu 3 does not exist, ids are 0 to 2"}};
    const int cpu_of_ap[] = {0, 1, 1, 2};
    const struct fh_hub_settings settings = {.endpoint = endpoint,
                                             .n_ap = 4,
                                             .cpu = 1,
                                             .n_cpu = 3,
                                             .cpu_of_ap = cpu_of_ap,
                                             .fingerprint = FINGERPRINT,
                                             .welcome = {.session = 1},
                                             .peer_timeout_ms = hub_timeout_ms};
    fh_hub_t *hub;
    assert_int_equal(fh_hub_create(&hub, &settings), TUTTI_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen h = {0}, p = {0};
        fh_peer_t *peer = make_peer(cases[i].role, cases[i].id);
        TURN_UNTIL(p.n[FH_EVENT_UP] || p.n[FH_EVENT_REFUSED], hub, &h, peer, &p);
        assert_int_equal(p.n[FH_EVENT_UP], cases[i].refused == NULL);
        if (cases[i].refused) {
            assert_non_null(strstr(p.text[FH_EVENT_REFUSED], cases[i].refused));
        } else {
            assert_true(fh_hub_alive(hub, cases[i].role, cases[i].id));
            assert_int_equal(h.last[FH_EVENT_UP].role, cases[i].role);
        }
        fh_peer_destroy(peer);
    }
    fh_hub_destroy(hub);
}

/* An eavesdropper has its own places, so many and no more, and none where none is expected. */
static void test_eavesdroppers_have_their_own_places(void **state)
{
    (void)state;
    struct seen h = {0}, u = {0}, e = {0}, r = {0};
    struct fh_hub_settings settings = {.endpoint = endpoint,
                                       .n_ue = 3,
                                       .n_eve = 2,
                                       .observers = true,
                                       .fingerprint = FINGERPRINT,
                                       .welcome = {.session = 5},
                                       .peer_timeout_ms = TIMEOUT_MS};
    fh_hub_t *hub;
    assert_int_equal(fh_hub_create(&hub, &settings), TUTTI_OK);
    fh_peer_t *user = make_peer(FH_ROLE_UE, 1), *eve = make_peer(FH_ROLE_EVE, 1), *third = make_peer(FH_ROLE_EVE, 2);
    TURN_UNTIL(u.n[FH_EVENT_UP], hub, &h, user, &u);
    TURN_UNTIL(e.n[FH_EVENT_UP], hub, &h, eve, &e);
    assert_int_equal(h.last[FH_EVENT_UP].role, FH_ROLE_EVE);
    assert_int_equal(h.last[FH_EVENT_UP].id, 1);
    assert_true(fh_hub_alive(hub, FH_ROLE_UE, 1) && fh_hub_alive(hub, FH_ROLE_EVE, 1));
    assert_false(fh_hub_alive(hub, FH_ROLE_EVE, 0) || fh_hub_alive(hub, FH_ROLE_EVE, 2));
    assert_int_equal(fh_peer_send_control(eve, "{\"type\":\"eve_report\"}"), TUTTI_OK);
    TURN_UNTIL(h.n[FH_EVENT_CONTROL], hub, &h, eve, &e);
    assert_int_equal(h.last[FH_EVENT_CONTROL].role, FH_ROLE_EVE);
    TURN_UNTIL(r.n[FH_EVENT_REFUSED], hub, &h, third, &r);
    assert_non_null(strstr(error_text(), "eve 2"));
    fh_peer_destroy(user);
    fh_peer_destroy(eve);
    fh_peer_destroy(third);
    fh_hub_destroy(hub);
    hub = make_hub(6); /* one that expects none */
    memset(&r, 0, sizeof r);
    third = make_peer(FH_ROLE_EVE, 0);
    TURN_UNTIL(r.n[FH_EVENT_REFUSED], hub, &h, third, &r);
    assert_non_null(strstr(error_text(), "no eve"));
    fh_peer_destroy(third);
    fh_hub_destroy(hub);
}

static void test_killed_hub_is_noticed_and_its_successor_found(void **state)
{
    (void)state;
    struct seen p = {0};
    fh_peer_t *peer = make_peer(FH_ROLE_AP, 0);
    const pid_t pid = start_process("hub", endpoint, 11);
    const uint64_t born_ns = clock_mono_ns();
    while (!p.n[FH_EVENT_UP] && ms_since(born_ns) < PATIENCE_MS) {
        turn_peer(peer, &p, 1000);
    }
    assert_int_equal(p.last[FH_EVENT_UP].welcome.session, 11);
    kill_process(pid);
    const uint64_t start_ns = clock_mono_ns();
    while (!p.n[FH_EVENT_DOWN] && ms_since(start_ns) < PATIENCE_MS) {
        turn_peer(peer, &p, 1000);
    }
    assert_true(ms_since(start_ns) < TIMEOUT_MS / 3.0); /* at once: the connection tells, not the silence */
    uint8_t message[128];
    assert_int_equal(fh_peer_send(peer, message, numbered(message, sizeof message, 5, 0)), TUTTI_EAGAIN);

    struct seen h = {0};
    fh_hub_t *hub = make_hub(12); /* the killed one left its socket file */
    TURN_UNTIL(p.n[FH_EVENT_UP] == 2 && h.n[FH_EVENT_UP], hub, &h, peer, &p);
    assert_int_equal(p.last[FH_EVENT_UP].welcome.session, 12);
    assert_int_equal(p.n[FH_EVENT_DOWN], 1);
    assert_int_equal(h.n[FH_EVENT_DATA], 0); /* nothing meant for the old one arrives */
    struct fh_counters counters;
    fh_peer_counters(peer, &counters);
    assert_int_equal(counters.reconnects, 1);
    fh_peer_destroy(peer);
    fh_hub_destroy(hub);
}

static void test_taken_endpoint_is_refused(void **state)
{
    (void)state;
    char tcp[64];
    snprintf(tcp, sizeof tcp, "tcp://127.0.0.1:%d", free_tcp_port());
    const char *const where[] = {endpoint, tcp};
    for (int i = 0; i < 2; i++) {
        struct seen h = {0}, p = {0};
        fh_hub_t *hub = make_hub_at(where[i], 1), *thief;
        const struct fh_hub_settings settings = {.endpoint = where[i], .n_ap = 1, .peer_timeout_ms = TIMEOUT_MS};
        assert_int_equal(fh_hub_create(&thief, &settings), TUTTI_EIO);
        assert_non_null(strstr(error_text(), "already in use"));
        assert_non_null(strstr(error_text(), where[i]));
        fh_hub_destroy(thief);
        fh_peer_t *peer = make_peer_at(where[i], FH_ROLE_AP, 0, FINGERPRINT);
        TURN_UNTIL(p.n[FH_EVENT_UP], hub, &h, peer, &p); /* and the rightful owner still answers */
        fh_peer_destroy(peer);
        fh_hub_destroy(hub);
    }
    struct stat info;
    char path[128];
    snprintf(path, sizeof path, "%s/new", directory);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

static void test_bad_endpoints_are_named(void **state)
{
    (void)state;
    char too_long[200] = "ipc:///tmp/";
    memset(too_long + strlen(too_long), 'x', 150);
    const char *const bad[] = {"nonsense", "tcp://127.0.0.1:99999", "ipc:///proc/nowhere/socket", too_long};
    for (int i = 0; i < 4; i++) {
        fh_hub_t *hub;
        const struct fh_hub_settings settings = {.endpoint = bad[i], .n_ap = 1, .peer_timeout_ms = TIMEOUT_MS};
        assert_int_equal(fh_hub_create(&hub, &settings), TUTTI_EIO);
        assert_non_null(strstr(error_text(), bad[i]));
        fh_hub_destroy(hub);
    }
    fh_peer_t *peer;
    const struct fh_hello hello = {0};
    assert_int_equal(fh_peer_create(&peer, "nonsense", &hello, TIMEOUT_MS), TUTTI_EIO);
    fh_peer_destroy(peer);
    fh_peer_destroy(NULL);
    fh_hub_destroy(NULL);
}

static void test_stop_reaches_everybody_even_from_a_leaving_hub(void **state)
{
    (void)state;
    struct seen h = {0}, a = {0}, b = {0};
    fh_hub_t *hub = make_hub(1);
    fh_peer_t *ap = make_peer(FH_ROLE_AP, 0), *ue = make_peer(FH_ROLE_UE, 0);
    TURN_UNTIL(a.n[FH_EVENT_UP], hub, &h, ap, &a);
    TURN_UNTIL(b.n[FH_EVENT_UP], hub, &h, ue, &b);
    fh_hub_broadcast_stop(hub);
    fh_hub_destroy(hub);
    for (int i = 0; i < 2; i++) {
        struct seen *seen = i ? &b : &a;
        const uint64_t start_ns = clock_mono_ns();
        while (!seen->n[FH_EVENT_STOP] && ms_since(start_ns) < PATIENCE_MS) {
            turn_peer(i ? ue : ap, seen, 1000);
            assert_int_equal(seen->n[FH_EVENT_DOWN], 0); /* the news comes before the hub's end */
        }
        assert_int_equal(seen->n[FH_EVENT_STOP], 1);
    }
    fh_peer_destroy(ap);
    fh_peer_destroy(ue);
}

static long n_sleeps(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nvcsw;
}

static void test_full_queue_never_blocks(void **state)
{
    (void)state;
    static uint8_t message[1 << 20];
    struct seen h = {0}, p = {0};
    fh_hub_t *hub = make_hub(1);
    fh_peer_t *peer = make_peer(FH_ROLE_AP, 0);
    TURN_UNTIL(p.n[FH_EVENT_UP], hub, &h, peer, &p);
    const size_t n = numbered(message, sizeof message, 0, (1 << 20) - WIRE_HEADER_BYTES);
    for (int side = 0; side < 2; side++) {
        int n_sent = 0, n_full = 0, n_awake = 0; /* sends that found no room, those of them that did not sleep */
        while (n_full < 20 && n_sent < 1000) {
            const long before = n_sleeps();
            const int error = side ? fh_peer_send(peer, message, n) : fh_hub_send(hub, FH_ROLE_AP, 0, message, n);
            assert_true(error == TUTTI_OK || error == TUTTI_EAGAIN);
            n_sent += error == TUTTI_OK;
            n_full += error == TUTTI_EAGAIN;
            n_awake += error == TUTTI_EAGAIN && n_sleeps() == before;
        }
        assert_int_equal(n_full, 20);
        assert_in_range(n_sent, 16, 200); /* bounded: two high-water marks and what the kernel holds */
        /* who waited for room would give up the processor every time; who does not may still meet one of libzmq's
         * threads at a lock of the allocator or of the kernel, now and then */
        assert_true(n_awake > 0);
        struct fh_counters counters;
        side ? fh_peer_counters(peer, &counters) : fh_hub_counters(hub, &counters);
        assert_int_equal(counters.dropped_full, 20);
    }
    /* a connection that breaks while its messages wait: some of libzmq's timers do not survive that */
    fh_peer_destroy(peer);
    usleep(TIMEOUT_MS * 1000 / 2);
    HUB_UNTIL(h.n[FH_EVENT_DATA] > 0, hub, &h);
    fh_hub_destroy(hub);
}

static void test_waits_keep_their_time_and_watch_descriptors(void **state)
{
    (void)state;
    struct seen h = {0}, p = {0};
    struct fh_event event;
    fh_hub_t *hub = make_hub(1);
    fh_peer_t *peer = make_peer(FH_ROLE_AP, 0);
    TURN_UNTIL(p.n[FH_EVENT_UP], hub, &h, peer, &p);
    const int64_t timeouts_us[] = {0, 300, 2500};
    for (int i = 0; i < 3; i++) {
        double best_ms = 1e9; /* of several: the machine may be busy */
        for (int k = 0; k < 20; k++) {
            const uint64_t start_ns = clock_mono_ns();
            assert_int_equal(fh_hub_wait(hub, -1, timeouts_us[i], &event), TUTTI_OK);
            const double took_ms = ms_since(start_ns);
            best_ms = event.kind == FH_EVENT_NONE && took_ms < best_ms ? took_ms : best_ms;
            assert_true(event.kind != FH_EVENT_NONE || took_ms * 1000 >= (double)timeouts_us[i]);
            turn_peer(peer, &p, 0);
        }
        assert_true(best_ms * 1000 < (double)timeouts_us[i] + 700); /* well under zmq_poll's millisecond */
    }
    const int fd = rt_event_create();
    rt_event_signal(fd);
    assert_int_equal(fh_hub_wait(hub, fd, 1000000, &event), TUTTI_OK);
    assert_int_equal(event.kind, FH_EVENT_FD);
    assert_int_equal(fh_peer_wait(peer, fd, 1000000, &event), TUTTI_OK);
    assert_int_equal(event.kind, FH_EVENT_FD);
    /* a flood of messages does not hide the descriptor, a ready descriptor does not hide messages */
    uint8_t message[128];
    for (uint32_t i = 0; i < 50; i++) {
        fh_peer_send(peer, message, numbered(message, sizeof message, i, 0));
    }
    usleep(100000);
    int n_data = 0, n_fd = 0;
    for (int i = 0; i < 60 && n_data < 50; i++) {
        assert_int_equal(fh_hub_wait(hub, fd, 100000, &event), TUTTI_OK);
        n_data += event.kind == FH_EVENT_DATA;
        n_fd += event.kind == FH_EVENT_FD;
    }
    assert_int_equal(n_data, 50);
    assert_in_range(n_fd, 3, 10);
    close(fd);
    assert_int_equal(fh_hub_wait(hub, fd, 1000000, &event), TUTTI_EINVAL);
    fh_peer_destroy(peer);
    fh_hub_destroy(hub);
}

/* Threads: a hub in one, peers in others, aliveness asked from a third kind. */
struct echo {
    fh_hub_t *hub;
    atomic_bool quit;
    atomic_int n_echoed;
};

static void *run_echo_hub(void *context)
{
    struct echo *echo = context;
    struct fh_event event;
    while (!atomic_load(&echo->quit) && fh_hub_wait(echo->hub, -1, 20000, &event) == TUTTI_OK) {
        if (event.kind == FH_EVENT_DATA) {
            atomic_fetch_add(&echo->n_echoed,
                             fh_hub_send(echo->hub, event.role, event.id, event.data, event.n_bytes) == TUTTI_OK);
        }
    }
    return NULL;
}

enum { N_ECHOES = 200 };

static void *run_echo_peer(void *context)
{
    struct fh_event event;
    uint8_t message[256];
    uint64_t next = 0;
    fh_peer_t *peer;
    const struct fh_hello hello = {.role = FH_ROLE_AP, .id = *(const int *)context, .fingerprint = FINGERPRINT};
    if (fh_peer_create(&peer, endpoint, &hello, TIMEOUT_MS)) {
        return NULL;
    }
    while (next < N_ECHOES && fh_peer_wait(peer, -1, 1000 * PATIENCE_MS, &event) == TUTTI_OK) {
        if (event.kind == FH_EVENT_NONE || event.kind == FH_EVENT_DOWN) {
            break;
        }
        if (event.kind == FH_EVENT_DATA && number_of(&event) != next++) {
            break;
        }
        if (event.kind == FH_EVENT_UP || event.kind == FH_EVENT_DATA) {
            fh_peer_send(peer, message, numbered(message, sizeof message, (uint32_t)next, 64));
        }
    }
    fh_peer_destroy(peer);
    return next == N_ECHOES ? context : NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct echo echo = {.hub = make_hub(1)};
    pthread_t hub_thread, peer_thread[4];
    const int id[4] = {0, 1, 2, 3};
    assert_int_equal(pthread_create(&hub_thread, NULL, run_echo_hub, &echo), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&peer_thread[i], NULL, run_echo_peer, (void *)(uintptr_t)&id[i]), 0);
    }
    bool seen_alive = false;
    const uint64_t start_ns = clock_mono_ns();
    while (atomic_load(&echo.n_echoed) < 4 * N_ECHOES && ms_since(start_ns) < PATIENCE_MS) {
        seen_alive |= fh_hub_alive(echo.hub, FH_ROLE_AP, 3);
        usleep(200);
    }
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(peer_thread[i], &result);
        assert_ptr_equal(result, &id[i]);
    }
    atomic_store(&echo.quit, true);
    pthread_join(hub_thread, NULL);
    assert_true(seen_alive);
    fh_hub_destroy(echo.hub);
}

/* Last: the stop request stays for the life of the process. */
static void test_stop_request_wakes_both_ends_once(void **state)
{
    (void)state;
    struct fh_event event;
    struct seen h = {0}, p = {0};
    fh_hub_t *hub = make_hub(1);
    fh_peer_t *peer = make_peer(FH_ROLE_AP, 0);
    assert_int_equal(rt_stop_install(), TUTTI_OK);
    TURN_UNTIL(p.n[FH_EVENT_UP] && h.n[FH_EVENT_UP], hub, &h, peer, &p);
    raise(SIGTERM);
    assert_int_equal(fh_hub_wait(hub, -1, -1, &event), TUTTI_OK);
    assert_int_equal(event.kind, FH_EVENT_STOP);
    do {
        assert_int_equal(fh_peer_wait(peer, -1, -1, &event), TUTTI_OK);
    } while (event.kind != FH_EVENT_STOP);
    assert_int_equal(fh_peer_send_control(peer, "{\"type\":\"report\"}"), TUTTI_OK); /* last words still travel */
    TURN_UNTIL(h.n[FH_EVENT_CONTROL], hub, &h, peer, &p);
    assert_int_equal(h.n[FH_EVENT_STOP] + p.n[FH_EVENT_STOP], 0);
    fh_peer_destroy(peer);
    fh_hub_destroy(hub);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    if (argc == 4) {
        return run_process(argv[1], argv[2], atoi(argv[3]));
    }
    const struct CMUnitTest tests[] = {
        CASE(test_welcome_and_data_both_ways_in_order),
        CASE(test_refusals),
        CASE(test_version_mismatch_and_strangers),
        CASE(test_garbage_is_counted_and_disturbs_nobody),
        CASE(test_raw_tcp_client_writing_rubbish),
        CASE(test_killed_ap_is_noticed_and_replaced),
        CASE(test_idle_link_stays_up),
        CASE(test_silent_peer_times_out),
        CASE(test_live_duplicate_is_refused),
        CASE(test_observers_share_a_role),
        CASE(test_eavesdroppers_have_their_own_places),
        CASE(test_central_nodes),
        CASE(test_killed_hub_is_noticed_and_its_successor_found),
        CASE(test_taken_endpoint_is_refused),
        CASE(test_bad_endpoints_are_named),
        CASE(test_stop_reaches_everybody_even_from_a_leaving_hub),
        CASE(test_full_queue_never_blocks),
        CASE(test_waits_keep_their_time_and_watch_descriptors),
        CASE(test_threads),
        CASE(test_stop_request_wakes_both_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
