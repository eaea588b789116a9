/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hub against clients that do not behave as the library's own peers do: bursts, floods, changes of mind, odd places
 * to listen. Clients are plain ZeroMQ and plain TCP sockets. */
#include "base/clock.h"
#include "base/error.h"
#include "fronthaul/control.h"
#include "fronthaul/hub.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

enum { N_AP = 4, N_OBSERVERS = 16, PATIENCE_MS = 60000 };
#define FINGERPRINT UINT64_C(77)

static char home[256], directory[64], endpoint[96];

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/tutti-test-hub-XXXXXX");
    if (!getcwd(home, sizeof home) || !mkdtemp(directory) || chdir(directory)) {
        return -1;
    }
    snprintf(endpoint, sizeof endpoint, "ipc://%s/s", directory);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"s", "rel", "file", "sub/dir/rel", "sub/dir", "sub"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        remove(files[i]);
    }
    return chdir(home) || rmdir(directory);
}

static int try_hub(fh_hub_t **hub, const char *where)
{
    const struct fh_hub_settings settings = {.endpoint = where,
                                             .n_ap = N_AP,
                                             .observers = true,
                                             .fingerprint = FINGERPRINT,
                                             .welcome = {.session = 1},
                                             .peer_timeout_ms = 5000};
    return fh_hub_create(hub, &settings);
}

static fh_hub_t *make_hub(const char *where)
{
    fh_hub_t *hub;
    if (try_hub(&hub, where)) {
        fail_msg("hub: %s", error_text());
    }
    return hub;
}

static double ms_since(uint64_t start_ns)
{
    return (double)(clock_mono_ns() - start_ns) * 1e-6;
}

/* Bursts and floods --------------------------------------------------------------------------------------------- */

static uint64_t refused(const fh_hub_t *hub)
{
    struct fh_counters counters;
    fh_hub_counters(hub, &counters);
    return counters.handshake_refused;
}

/* Connections that come and go while the hub does something else are counted one by one, a few at each look, so that
 * messages have their turn in between; a hub that waits does not sleep on those left over. */
static void test_a_burst_of_connections(void **state)
{
    enum { N_BURST = 500 };
    (void)state;
    struct fh_event event;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int probe = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(probe, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &size), 0);
    close(probe);
    char where[64];
    snprintf(where, sizeof where, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    fh_hub_t *hub = make_hub(where);
    for (int i = 0; i < N_BURST; i++) {
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
        close(fd);
    }
    usleep(200000); /* ZeroMQ has seen most */
    uint64_t before = 0, most = 0;
    const uint64_t start_ns = clock_mono_ns();
    while (refused(hub) < N_BURST / 2 && ms_since(start_ns) < PATIENCE_MS) {
        assert_int_equal(fh_hub_wait(hub, -1, 0, &event), TUTTI_OK);
        most = refused(hub) - before > most ? refused(hub) - before : most;
        before = refused(hub);
    }
    assert_in_range(most, 1, 16);
    while (refused(hub) < N_BURST && ms_since(start_ns) < PATIENCE_MS) {
        assert_int_equal(fh_hub_wait(hub, -1, 200000, &event), TUTTI_OK);
    }
    assert_int_equal(refused(hub), N_BURST);
    fh_hub_destroy(hub);
}

static atomic_bool stop_flood;

/* Control text that takes long to read, as fast as it goes, from somebody who never said hello. */
static void *flood(void *argument)
{
    enum { TEXT_BYTES = 60000 };
    (void)argument;
    const int linger_ms = 0;
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_DEALER);
    char *text = malloc(TEXT_BYTES + 1);
    int n = snprintf(text, TEXT_BYTES, "{\"type\":\"other\",\"a\":[");
    for (; n < TEXT_BYTES - 4; n += 2) {
        memcpy(text + n, "1,", 2);
    }
    memcpy(text + n, "1]}", 3);
    zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_connect(socket, endpoint);
    while (!atomic_load(&stop_flood)) {
        if (zmq_send(socket, text, (size_t)n + 3, ZMQ_DONTWAIT) < 0) {
            usleep(50);
        }
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    free(text);
    return NULL;
}

static uint64_t n_strangers(const fh_hub_t *hub)
{
    struct fh_counters counters;
    fh_hub_counters(hub, &counters);
    return counters.unknown_peer;
}

/* A hub that reads on while there is something never returns; one that looks for a millisecond at a time returns with
 * much of the flood still to come. */
static void test_a_flood_does_not_keep_the_hub(void **state)
{
    enum { N_MESSAGES = 400 };
    (void)state;
    pthread_t threads[2];
    fh_hub_t *hub = make_hub(endpoint);
    atomic_store(&stop_flood, false);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, flood, NULL), 0);
    }
    uint64_t before = 0, most = 0, n_waits = 0;
    const uint64_t start_ns = clock_mono_ns();
    for (; before < N_MESSAGES && ms_since(start_ns) < PATIENCE_MS; n_waits++) {
        struct fh_event event;
        assert_int_equal(fh_hub_wait(hub, -1, 1000, &event), TUTTI_OK);
        most = n_strangers(hub) - before > most ? n_strangers(hub) - before : most;
        before = n_strangers(hub);
    }
    atomic_store(&stop_flood, true);
    printf("%d messages of strangers in %d waits, %d at most in one\n", (int)before, (int)n_waits, (int)most);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    fh_hub_destroy(hub);
    assert_true(before >= N_MESSAGES);
    assert_true(most < N_MESSAGES / 4);
}

/* Changes of mind ----------------------------------------------------------------------------------------------- */

static void say_hello(void *socket, enum fh_role role, int id)
{
    const struct fh_hello hello = {.role = role, .id = id, .fingerprint = FINGERPRINT};
    char *text = control_write_hello(&hello);
    assert_true(text && zmq_send(socket, text, strlen(text), 0) > 0);
    free(text);
}

/* The last control message of this type that came, or an empty text. */
static const char *heard(void *socket, const char *type)
{
    static char last[CONTROL_MAX_OWN_BYTES];
    char text[CONTROL_MAX_OWN_BYTES], wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\"", type);
    last[0] = '\0';
    for (int n; (n = zmq_recv(socket, text, sizeof text - 1, ZMQ_DONTWAIT)) >= 0;) {
        text[n] = '\0';
        if (strstr(text, wanted)) {
            memcpy(last, text, sizeof last);
        }
    }
    return last;
}

struct ups {
    int up[N_AP], down[N_AP];
};

static void look(fh_hub_t *hub, struct ups *seen)
{
    struct fh_event event;
    assert_int_equal(fh_hub_wait(hub, -1, 1000, &event), TUTTI_OK);
    if (event.role == FH_ROLE_AP) {
        seen->up[event.id] += event.kind == FH_EVENT_UP;
        seen->down[event.id] += event.kind == FH_EVENT_DOWN;
    }
}

/* For what must not come: long enough to see it on a quiet machine; a slow one cannot make it come. */
static void turn(fh_hub_t *hub, int ms, struct ups *seen)
{
    const uint64_t start_ns = clock_mono_ns();
    while (ms_since(start_ns) < ms) {
        look(hub, seen);
    }
}

/* Until it has happened, however long the machine takes. */
#define TURN_UNTIL(hub, seen, condition)                                                                               \
    for (const uint64_t start_ns_ = clock_mono_ns(); !(condition);) {                                                  \
        if (ms_since(start_ns_) > PATIENCE_MS) {                                                                       \
            fail_msg("never: %s", #condition);                                                                         \
        }                                                                                                              \
        look(hub, seen);                                                                                               \
    }

struct clients {
    void *context, *socket[N_OBSERVERS + 1];
};

static struct clients make_clients(int n)
{
    const int linger_ms = 0;
    struct clients c = {.context = zmq_ctx_new()};
    for (int i = 0; i < n; i++) {
        c.socket[i] = zmq_socket(c.context, ZMQ_DEALER);
        zmq_setsockopt(c.socket[i], ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        assert_int_equal(zmq_connect(c.socket[i], endpoint), 0);
    }
    return c;
}

static void close_clients(struct clients *c, int n)
{
    for (int i = 0; i < n; i++) {
        zmq_close(c->socket[i]);
    }
    zmq_ctx_term(c->context);
}

/* It wanted a seat that is taken, took another while that was being decided, and the first became free. */
static void test_nobody_has_two_seats(void **state)
{
    (void)state;
    struct ups seen = {0};
    fh_hub_t *hub = make_hub(endpoint);
    struct clients c = make_clients(2);
    say_hello(c.socket[0], FH_ROLE_AP, 0);
    TURN_UNTIL(hub, &seen, seen.up[0]);
    say_hello(c.socket[1], FH_ROLE_AP, 0);
    TURN_UNTIL(hub, &seen, *heard(c.socket[0], "ping")); /* the hub is deciding */
    say_hello(c.socket[1], FH_ROLE_AP, 1);
    TURN_UNTIL(hub, &seen, seen.up[1]);
    assert_true(zmq_send(c.socket[0], CONTROL_TEXT_GOODBYE, strlen(CONTROL_TEXT_GOODBYE), 0) > 0);
    TURN_UNTIL(hub, &seen, seen.down[0]);
    turn(hub, 300, &seen);
    assert_int_equal(seen.up[0], 1);
    assert_int_equal(seen.down[0], 1);
    assert_false(fh_hub_alive(hub, FH_ROLE_AP, 0));
    assert_true(fh_hub_alive(hub, FH_ROLE_AP, 1));
    close_clients(&c, 2);
    fh_hub_destroy(hub);
}

static void test_an_ap_is_no_observer_when_none_is_free(void **state)
{
    (void)state;
    struct ups seen = {0};
    fh_hub_t *hub = make_hub(endpoint);
    struct clients c = make_clients(N_OBSERVERS + 1);
    for (int i = 0; i < N_OBSERVERS; i++) {
        say_hello(c.socket[i], FH_ROLE_OBSERVER, 0);
    }
    void *ap = c.socket[N_OBSERVERS];
    say_hello(ap, FH_ROLE_AP, 2);
    for (int i = 0; i < N_OBSERVERS; i++) {
        TURN_UNTIL(hub, &seen, *heard(c.socket[i], "welcome"));
    }
    TURN_UNTIL(hub, &seen, seen.up[2] && *heard(ap, "welcome"));
    say_hello(ap, FH_ROLE_OBSERVER, 0);
    TURN_UNTIL(hub, &seen, strstr(heard(ap, "refuse"), "16 observers are here already"));
    TURN_UNTIL(hub, &seen, seen.down[2]);
    assert_int_equal(seen.down[2], 1);
    close_clients(&c, N_OBSERVERS + 1);
    fh_hub_destroy(hub);
}

/* Places -------------------------------------------------------------------------------------------------------- */

static void expect_refused(const char *where, const char *why)
{
    fh_hub_t *hub;
    assert_true(try_hub(&hub, where) < 0);
    fh_hub_destroy(hub);
    if (!strstr(error_text(), why)) {
        fail_msg("\"%s\" does not say \"%s\"", error_text(), why);
    }
}

static void test_relative_paths_are_not_stolen(void **state)
{
    static const char *const places[] = {"ipc://rel", "ipc://sub/dir/rel", "ipc://@tutti-test-hub"};
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        fh_hub_t *hub = make_hub(places[i]);
        expect_refused(places[i], "already in use");
        fh_hub_destroy(hub);
    }
}

static void test_a_file_is_not_overwritten(void **state)
{
    (void)state;
    struct stat there;
    FILE *file = fopen("file", "w");
    assert_non_null(file);
    assert_true(fputs("precious", file) >= 0);
    fclose(file);
    expect_refused("ipc://file", "is not a socket");
    assert_int_equal(stat("file", &there), 0);
    assert_int_equal(there.st_size, 8);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_burst_of_connections),        CASE(test_a_flood_does_not_keep_the_hub),
        CASE(test_nobody_has_two_seats),          CASE(test_an_ap_is_no_observer_when_none_is_free),
        CASE(test_relative_paths_are_not_stolen), CASE(test_a_file_is_not_overwritten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
