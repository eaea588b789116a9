/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One antenna's pair of sockets against other ends of all dialects and bad manners. */
#include "base/error.h"
#include "hw/zmq_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N = 1000 };

struct bench {
    void *context, *asker, *giver; /* the other end: asks at give, binds take */
    zmq_port_t *port;
    tutti_cf32 give[N], take[N];
};

static void *open_socket(void *context, int type, const char *endpoint)
{
    const int none = 0;
    void *const s = zmq_socket(context, type);
    assert_int_equal(zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof none), 0);
    assert_int_equal(type == ZMQ_REP ? zmq_bind(s, endpoint) : zmq_connect(s, endpoint), 0);
    return s;
}

static void open_bench(struct bench *b)
{
    char give[64], take[64];
    static int number;
    snprintf(give, sizeof give, "ipc:///tmp/tutti-zmq-test-%d-%d-g", (int)getpid(), ++number);
    snprintf(take, sizeof take, "ipc:///tmp/tutti-zmq-test-%d-%d-t", (int)getpid(), number);
    memset(b, 0, sizeof *b);
    b->context = zmq_ctx_new();
    const struct zmq_port_settings settings = {b->context, give, take, N};
    assert_int_equal(zmq_port_create(&b->port, &settings), 0);
    b->asker = open_socket(b->context, ZMQ_REQ, give);
    b->giver = open_socket(b->context, ZMQ_REP, take);
    for (int i = 0; i < N; i++) {
        b->give[i] = (float)i + (float)(N - i) * (tutti_cf32)1.0if;
    }
    zmq_port_begin(b->port, b->give, b->take, N);
}

static void close_bench(struct bench *b)
{
    char give[64], take[64];
    size_t n_give = sizeof give, n_take = sizeof take;
    zmq_getsockopt(b->asker, ZMQ_LAST_ENDPOINT, give, &n_give);
    zmq_getsockopt(b->giver, ZMQ_LAST_ENDPOINT, take, &n_take);
    zmq_close(b->asker);
    zmq_close(b->giver);
    zmq_port_destroy(b->port);
    zmq_ctx_term(b->context);
    unlink(give + strlen("ipc://"));
    unlink(take + strlen("ipc://"));
}

/* The port turns until the other end's socket has something; gives up when nothing comes for long. */
static int receive(struct bench *b, void *socket, void *bytes, size_t room, int *status)
{
    for (int i = 0; i < 4000; i++) {
        *status = zmq_port_turn(b->port);
        const int n = zmq_recv(socket, bytes, room, ZMQ_DONTWAIT);
        if (n >= 0 || *status < 0) {
            return n;
        }
        zmq_poll(&(zmq_pollitem_t){.socket = socket, .events = ZMQ_POLLIN}, 1, 5);
    }
    fail_msg("nothing came");
    return -1;
}

/* Turns until the port reports something or has taken what it wants. */
static int turn_until(struct bench *b, int taken)
{
    int status = 0;
    for (int i = 0; i < 4000 && status == 0 && zmq_port_taken(b->port) < taken; i++) {
        status = zmq_port_turn(b->port);
        usleep(500);
    }
    return status;
}

static void test_gnu_radio_asks_for_items(void **state)
{
    struct bench *const b = *state;
    tutti_cf32 got[2 * N];
    int n_got = 0, status;
    while (n_got < N) {
        const uint32_t wanted = 300;
        zmq_send(b->asker, &wanted, sizeof wanted, 0);
        const int n = receive(b, b->asker, got + n_got, sizeof got - (size_t)n_got * 8, &status);
        assert_int_equal(status, 0);
        assert_int_equal(n, (N - n_got < 300 ? N - n_got : 300) * 8);
        n_got += n / 8;
    }
    assert_memory_equal(got, b->give, sizeof b->give);
    assert_int_equal(zmq_port_given(b->port), N);
}

static void ask_with_a_byte(struct bench *b, unsigned char byte)
{
    tutti_cf32 got[2 * N];
    int status;
    zmq_send(b->asker, &byte, 1, 0);
    assert_int_equal(receive(b, b->asker, got, sizeof got, &status), N * 8);
    assert_memory_equal(got, b->give, sizeof b->give);
}

static void test_srsran_asks_with_a_byte(void **state)
{
    ask_with_a_byte(*state, 0xff);
}

static void test_srsran_project_asks_with_a_byte(void **state)
{
    ask_with_a_byte(*state, 0x00);
}

/* A request that comes when all is given waits for the next piece. */
static void test_a_request_may_wait(void **state)
{
    struct bench *const b = *state;
    tutti_cf32 got[2 * N];
    int status;
    ask_with_a_byte(b, 0);
    zmq_send(b->asker, "", 1, 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(zmq_port_turn(b->port), 0);
        assert_int_equal(zmq_recv(b->asker, got, sizeof got, ZMQ_DONTWAIT), -1);
        usleep(500);
    }
    zmq_port_begin(b->port, b->give + 10, b->take, 5);
    assert_int_equal(receive(b, b->asker, got, sizeof got, &status), 5 * 8);
    assert_memory_equal(got, b->give + 10, 5 * 8);
}

/* Empty, short and longer replies than asked for; what is too much comes first in the next piece. */
static void test_replies_of_any_length(void **state)
{
    struct bench *const b = *state;
    tutti_cf32 sent[N + 200];
    uint32_t asked;
    int status, at = 0;
    const int lengths[] = {0, 1, 0, 399, 800};
    for (int i = 0; i < N + 200; i++) {
        sent[i] = (float)(3 * i) - (float)i * (tutti_cf32)1.0if;
    }
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_int_equal(receive(b, b->giver, &asked, sizeof asked, &status), 4);
        assert_int_equal(asked, N - at);
        zmq_send(b->giver, sent + at, (size_t)lengths[i] * 8, 0);
        at += lengths[i];
    }
    assert_int_equal(turn_until(b, N), 0);
    assert_memory_equal(b->take, sent, sizeof b->take);
    zmq_port_begin(b->port, b->give, b->take, 500);
    assert_int_equal(zmq_port_taken(b->port), 200);
    assert_memory_equal(b->take, sent + N, 200 * 8);
}

static void reply_badly(struct bench *b, size_t n_bytes)
{
    char *const bytes = calloc(1, n_bytes + 1);
    uint32_t asked;
    int status;
    receive(b, b->giver, &asked, sizeof asked, &status);
    zmq_send(b->giver, bytes, n_bytes, 0);
    assert_int_equal(turn_until(b, N), TUTTI_EFORMAT);
    free(bytes);
}

static void test_half_a_sample(void **state)
{
    reply_badly(*state, 8 * 10 + 3);
    assert_non_null(strstr(error_text(), "83 bytes"));
}

static void test_a_flood(void **state)
{
    reply_badly(*state, 8 * (2 * N + 1));
}

static void test_as_much_as_there_is_room_for(void **state)
{
    struct bench *const b = *state;
    char *const bytes = calloc(1, 8 * 2 * N);
    uint32_t asked;
    int status;
    receive(b, b->giver, &asked, sizeof asked, &status);
    zmq_send(b->giver, bytes, 8 * 2 * N, 0);
    assert_int_equal(turn_until(b, N), 0);
    free(bytes);
}

static void test_requests_in_parts(void **state)
{
    struct bench *const b = *state;
    zmq_send(b->asker, "a", 1, ZMQ_SNDMORE);
    zmq_send(b->asker, "b", 1, 0);
    int status = 0;
    for (int i = 0; i < 4000 && status == 0; i++) {
        status = zmq_port_turn(b->port);
        usleep(500);
    }
    assert_int_equal(status, TUTTI_EFORMAT);
}

static void test_the_other_end_leaves(void **state)
{
    struct bench *const b = *state;
    ask_with_a_byte(b, 0);
    zmq_close(b->asker);
    b->asker = zmq_socket(b->context, ZMQ_REQ);
    int status = 0;
    for (int i = 0; i < 4000 && status == 0; i++) {
        status = zmq_port_turn(b->port);
        usleep(500);
    }
    assert_int_equal(status, TUTTI_ECLOSED);
}

/* One end is killed in the middle, the next one gets the piece from its first sample, whoever had asked when. */
static void test_the_next_end_gets_all(void **state)
{
    struct bench *const b = *state;
    char endpoint[64];
    size_t n_endpoint = sizeof endpoint;
    tutti_cf32 got[2 * N];
    const uint32_t wanted = 300;
    int status;
    zmq_send(b->asker, &wanted, sizeof wanted, 0);
    assert_int_equal(receive(b, b->asker, got, sizeof got, &status), 300 * 8);
    zmq_send(b->asker, &wanted, sizeof wanted, 0); /* and goes before it is answered */
    zmq_getsockopt(b->asker, ZMQ_LAST_ENDPOINT, endpoint, &n_endpoint);
    usleep(20000);
    zmq_close(b->asker);
    b->asker = open_socket(b->context, ZMQ_REQ, endpoint);
    zmq_send(b->asker, &wanted, sizeof wanted, 0); /* the next one is quick */
    usleep(20000);
    for (status = 0; status == 0;) {
        status = zmq_port_turn(b->port);
    }
    assert_int_equal(status, TUTTI_ECLOSED);
    assert_int_equal(zmq_port_restart(b->port), 0);
    zmq_port_begin(b->port, b->give, b->take, N);
    int n = receive(b, b->asker, got, sizeof got, &status);
    if (n == 0) {
        zmq_send(b->asker, &wanted, sizeof wanted, 0);
        n = receive(b, b->asker, got, sizeof got, &status);
    }
    assert_int_equal(n, 300 * 8);
    assert_memory_equal(got, b->give, 300 * 8);
    assert_int_equal(zmq_port_given(b->port), 300);
}

/* libzmq takes closed sockets away in its own time: with few places a new one may have to wait for that. */
static void test_beginning_anew_as_fast_as_can_be(void **state)
{
    (void)state;
    enum { PLACES = 8 }; /* a port's two sockets have two watches each */
    char give[64], take[64];
    snprintf(give, sizeof give, "ipc:///tmp/tutti-zmq-test-%d-fast-g", (int)getpid());
    snprintf(take, sizeof take, "ipc:///tmp/tutti-zmq-test-%d-fast-t", (int)getpid());
    zmq_port_t *port = NULL;
    void *const context = zmq_ctx_new();
    assert_int_equal(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, PLACES), 0);
    assert_int_equal(zmq_port_create(&port, &(struct zmq_port_settings){context, give, take, N}), 0);
    for (int i = 0; i < 200; i++) {
        if (zmq_port_restart(port) < 0) {
            fail_msg("%d: %s", i, error_text());
        }
    }
    zmq_port_destroy(port);
    zmq_ctx_term(context);
    unlink(give + strlen("ipc://"));
}

static int before(void **state)
{
    struct bench *const b = *state = malloc(sizeof(struct bench));
    open_bench(b);
    return 0;
}

static int after(void **state)
{
    close_bench(*state);
    free(*state);
    return 0;
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, before, after)
    const struct CMUnitTest tests[] = {CASE(test_gnu_radio_asks_for_items),
                                       CASE(test_srsran_asks_with_a_byte),
                                       CASE(test_srsran_project_asks_with_a_byte),
                                       CASE(test_a_request_may_wait),
                                       CASE(test_replies_of_any_length),
                                       CASE(test_half_a_sample),
                                       CASE(test_a_flood),
                                       CASE(test_as_much_as_there_is_room_for),
                                       CASE(test_requests_in_parts),
                                       CASE(test_the_other_end_leaves),
                                       CASE(test_the_next_end_gets_all),
                                       cmocka_unit_test(test_beginning_anew_as_fast_as_can_be)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
