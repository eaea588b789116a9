/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The emulated radio against a medium played by the test: gaps, skipped bursts, nonsense from the other end, and that
 * receive and send do not allocate. */
#include "hw/air_link.h"
#include "hw/radio.h"
#include "hw_test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 100, N_ANT = 2 };

static char endpoint[80];
static int listener, n_allocated;
static _Thread_local bool counting;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
void *__libc_malloc(size_t n);
void *malloc(size_t n);
void *malloc(size_t n)
{
    n_allocated += counting;
    return __libc_malloc(n);
}
#endif

/* The chunks the played medium answers with, in order; flags as given. */
struct answer {
    tutti_tick tick;
    uint32_t flags;
    bool garbage;
};

struct play {
    const struct answer *answer;
    int n_answer;
    const char *refuse; /* instead of the answer after the last one */
    /* seen */
    struct air_header tx[16];
    tutti_cf32 first[16]; /* first sample of antenna 1 of each TX chunk */
};

static bool get_bytes(int fd, void *data, size_t n)
{
    uint8_t *at = data;
    while (n > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const ssize_t got = poll(&p, 1, 5000) > 0 ? recv(fd, at, n, 0) : 0;
        if (got <= 0) {
            return false;
        }
        at += got;
        n -= (size_t)got;
    }
    return true;
}

/* The radio may have hung up already: that is what some of the tests are about. */
static void put_message(int fd, struct air_header header, const void *payload)
{
    uint8_t bytes[AIR_HEADER_BYTES];
    air_link_pack(bytes, &header);
    ssize_t sent = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
    if (sent == (ssize_t)sizeof bytes && header.payload_bytes) {
        sent = send(fd, payload, header.payload_bytes, MSG_NOSIGNAL);
    }
    (void)sent;
}

static void *medium(void *argument)
{
    struct play *play = argument;
    uint8_t bytes[AIR_HEADER_BYTES];
    static tutti_cf32 samples[N_ANT][CHUNK];
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    poll(&waiting, 1, 5000);
    const int fd = air_link_accept(listener);
    struct air_header h;
    get_bytes(fd, bytes, sizeof bytes);
    get_bytes(fd, samples, AIR_HELLO_BYTES);
    put_message(fd, (struct air_header){.type = AIR_WELCOME, .n_samples = CHUNK}, NULL);
    get_bytes(fd, bytes, sizeof bytes);
    put_message(fd, (struct air_header){.type = AIR_STARTED, .tick = 10 * CHUNK}, NULL);
    for (int i = 0; i < play->n_answer + 1; i++) {
        if (!get_bytes(fd, bytes, sizeof bytes) || air_link_unpack(&h, bytes) != TUTTI_OK) {
            break;
        }
        get_bytes(fd, samples, h.payload_bytes);
        play->tx[i] = h;
        play->first[i] = h.payload_bytes ? samples[1][0] : 0;
        if (i == play->n_answer) {
            if (play->refuse) {
                put_message(fd,
                            (struct air_header){.type = AIR_REFUSE, .payload_bytes = (uint32_t)strlen(play->refuse)},
                            play->refuse);
            }
            break;
        }
        const struct answer *a = &play->answer[i];
        for (int k = 0; k < N_ANT * CHUNK; k++) {
            samples[k / CHUNK][k % CHUNK] = (float)(a->tick + (tutti_tick)(k % CHUNK)) + I * (float)(k / CHUNK);
        }
        put_message(fd,
                    (struct air_header){.type = a->garbage ? AIR_WELCOME : AIR_RX,
                                        .n_ant = N_ANT,
                                        .n_samples = CHUNK,
                                        .tick = a->tick,
                                        .flags = a->flags,
                                        .payload_bytes = a->garbage ? 0 : N_ANT * CHUNK * 8},
                    samples);
    }
    close(fd);
    return NULL;
}

static radio_t *open_radio(struct play *play, pthread_t *thread)
{
    const struct radio_settings settings = {.backend = "air",
                                            .args = endpoint,
                                            .role = "ap",
                                            .n_ant = N_ANT,
                                            .sample_rate_hz = 1e6,
                                            .n_tx_buffer_samples = 6 * CHUNK};
    radio_t *radio = NULL;
    tutti_tick first;
    pthread_create(thread, NULL, medium, play);
    assert_good(radio_open(&radio, &settings));
    assert_good(radio_start(radio, 0, &first));
    assert_int_equal(first, 10 * CHUNK);
    return radio;
}

static void send_mark(radio_t *radio, tutti_tick at, float value)
{
    unsigned events;
    const tutti_cf32 zero = 0, mark = value, *const buffers[N_ANT] = {&zero, &mark};
    assert_good(radio_send(radio, buffers, 1, at, &events));
    assert_int_equal(events, 0);
}

/* Chunks 10, 11, then 14: the rest of a receive ends at the gap, the next tells it, and so is a burst lost in it. */
static void test_gap(void **state)
{
    (void)state;
    const struct answer answers[] = {
        {.tick = 1000}, {.tick = 1100}, {.tick = 1400}, {.tick = 1500, .flags = AIR_FLAG_LATE}};
    struct play play = {.answer = answers, .n_answer = 4};
    pthread_t thread;
    radio_t *radio = open_radio(&play, &thread);
    send_mark(radio, 1100, 11);
    send_mark(radio, 1300, 13);
    send_mark(radio, 1500, 15);
    tutti_cf32 samples[N_ANT][250], *const buffers[N_ANT] = {samples[0], samples[1]};
    tutti_tick tick;
    unsigned events;
    counting = true;
    assert_int_equal(radio_recv(radio, buffers, 50, &tick, &events), 50);
    assert_true(tick == 1000 && events == 0 && samples[0][7] == 1007.0f && samples[1][7] == 1007.0f + 1.0f * I);
    assert_int_equal(radio_recv(radio, buffers, 250, &tick, &events), 150);
    assert_true(tick == 1050 && events == 0 && samples[0][149] == 1199.0f); /* 100 from the second chunk */
    assert_int_equal(radio_recv(radio, buffers, 150, &tick, &events), 150);
    assert_int_equal(tick, 1400);
    assert_int_equal(events, RADIO_OVERFLOW | RADIO_LATE);
    assert_true(samples[0][149] == 1549.0f);
    assert_int_equal(radio_recv(radio, buffers, 50, &tick, &events), 50);
    assert_true(tick == 1550 && events == RADIO_LATE); /* as the medium said with chunk 15 */
    counting = false;
    assert_int_equal(n_allocated, 0);
    radio_close(radio);
    pthread_join(thread, NULL);
    /* what was handed in: 10 silent, 11 with its mark, 12 silent, then on from 15 with its mark; 13 is gone */
    const tutti_tick ticks[] = {1000, 1100, 1200, 1500};
    const float marks[] = {0, 11, 0, 15};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(play.tx[i].tick, ticks[i]);
        assert_true(play.first[i] == marks[i]);
        assert_int_equal(play.tx[i].flags & AIR_FLAG_SILENT, marks[i] == 0 ? AIR_FLAG_SILENT : 0);
    }
}

static void expect_fault(const struct answer *answers, int n, const char *refuse, int code, const char *words)
{
    struct play play = {.answer = answers, .n_answer = n, .refuse = refuse};
    pthread_t thread;
    radio_t *radio = open_radio(&play, &thread);
    tutti_cf32 samples[N_ANT][CHUNK], *const buffers[N_ANT] = {samples[0], samples[1]};
    tutti_tick tick;
    unsigned events;
    int got = 1;
    for (int i = 0; i <= n && got > 0; i++) {
        got = radio_recv(radio, buffers, CHUNK, &tick, &events);
    }
    assert_int_equal(got, code);
    assert_non_null(strstr(error_text(), words));
    radio_close(radio);
    pthread_join(thread, NULL);
}

static void test_faults(void **state)
{
    (void)state;
    expect_fault((const struct answer[]){{.tick = 1000, .garbage = true}}, 1, NULL, TUTTI_EDEVICE, "unexpected");
    expect_fault((const struct answer[]){{.tick = 1001}}, 1, NULL, TUTTI_EDEVICE, "unexpected");
    expect_fault((const struct answer[]){{.tick = 1000}, {.tick = 1000}}, 2, NULL, TUTTI_EDEVICE, "unexpected");
    expect_fault((const struct answer[]){{.tick = 1000}}, 1, NULL, TUTTI_EDEVICE, "closed");
    expect_fault((const struct answer[]){{.tick = 1000}}, 1, "too slow", TUTTI_EDEVICE, "too slow");
}

int main(void)
{
    snprintf(endpoint, sizeof endpoint, "unix:///tmp/tutti-radio-test-%d.sock", (int)getpid());
    listener = air_link_listen(endpoint);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gap), cmocka_unit_test(test_faults)};
    const int failed = listener < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    close(listener);
    air_link_remove(endpoint);
    return failed;
}
