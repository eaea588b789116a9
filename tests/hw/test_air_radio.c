/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The emulated radio against a medium played by the test, over messages and over shared memory: gaps, bursts the medium
 * did not take, nonsense from the other end, and that receive and burst do not allocate. */
#include "count_malloc.h"
#include "hw/air_message.h"
#include "hw/air_share.h"
#include "hw/air_socket.h"
#include "hw/radio.h"
#include "hw_test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 100, N_ANT = 2, N_CELL = 4, START = 10 * CHUNK };

static char endpoint[80];
static int listener;

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
    air_message_pack(bytes, &header);
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
    const int fd = air_socket_accept(listener);
    struct air_header h;
    get_bytes(fd, bytes, sizeof bytes);
    get_bytes(fd, samples, AIR_HELLO_BYTES); /* the hello */
    uint8_t welcome[AIR_WELCOME_BYTES];
    air_message_pack_welcome(welcome, N_CELL);
    put_message(fd, (struct air_header){.type = AIR_WELCOME, .n_samples = CHUNK, .payload_bytes = AIR_WELCOME_BYTES},
                welcome);
    get_bytes(fd, bytes, sizeof bytes);
    put_message(fd, (struct air_header){.type = AIR_STARTED, .tick = START}, NULL);
    for (int i = 0; i < play->n_answer + 1; i++) {
        if (!get_bytes(fd, bytes, sizeof bytes) || air_message_unpack(&h, bytes) != TUTTI_OK) {
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

static radio_t *open_radio(void *(*play)(void *), void *argument, pthread_t *thread)
{
    const struct radio_settings settings = {
        .backend = "air", .args = endpoint, .role = "ap", .n_ant = N_ANT, .rate_hz = 1e6};
    radio_t *radio = NULL;
    struct radio_info info;
    tutti_tick first;
    pthread_create(thread, NULL, play, argument);
    assert_good(radio_open(&radio, &settings, &info));
    assert_int_equal(info.turnaround_samples, CHUNK);
    assert_good(radio_start(radio, 0, &first));
    assert_int_equal(first, START);
    return radio;
}

static void send_mark(radio_t *radio, tutti_tick at, float value, uint64_t tag)
{
    const tutti_cf32 zero = 0, mark = value, *const buffers[N_ANT] = {&zero, &mark};
    assert_good(radio_burst(radio, buffers, 1, at, tag));
}

static void expect_note(radio_t *radio, enum radio_note_kind kind, uint64_t tag, tutti_tick tick, uint64_t count)
{
    struct radio_note note;
    assert_int_equal(radio_note(radio, &note), 1);
    assert_int_equal(note.kind, kind);
    assert_int_equal(note.tag, tag);
    assert_int_equal(note.tick, tick);
    assert_int_equal(note.count, count);
}

/* Chunks 10, 11, then 14: the rest of a receive ends at the gap, the next tells it, and so does a note, and the burst
 * lost in it is noted late; so is one that the medium says it did not take. */
static void test_gap(void **state)
{
    (void)state;
    const struct answer answers[] = {{.tick = 1000, .flags = AIR_FLAG_TAKEN},
                                     {.tick = 1100, .flags = AIR_FLAG_TAKEN},
                                     {.tick = 1400, .flags = AIR_FLAG_TAKEN},
                                     {.tick = 1500}};
    struct play play = {.answer = answers, .n_answer = 4};
    pthread_t thread;
    radio_t *radio = open_radio(medium, &play, &thread);
    send_mark(radio, 1100, 11, 1);
    send_mark(radio, 1300, 13, 3);
    tutti_cf32 samples[N_ANT][300], *const buffers[N_ANT] = {samples[0], samples[1]};
    struct radio_got got;
    counting = true;
    assert_good(radio_recv(radio, buffers, 50, &got));
    assert_true(got.n == 50 && got.tick == 1000 && got.n_lost == 0);
    assert_true(samples[0][7] == 1007.0f && samples[1][7] == 1007.0f + 1.0f * I);
    assert_good(radio_recv(radio, buffers, 150, &got));
    assert_true(got.n == 150 && got.tick == 1050 && samples[0][149] == 1199.0f); /* 100 from the second chunk */
    expect_note(radio, RADIO_NOTE_SENT, 1, 1100, 0);
    assert_good(radio_recv(radio, buffers, 50, &got));
    assert_true(got.n == 50 && got.tick == 1400 && got.n_lost == 200 && samples[0][49] == 1449.0f);
    expect_note(radio, RADIO_NOTE_LATE, 3, 1300, 1);
    expect_note(radio, RADIO_NOTE_OVERFLOW, 0, 1200, 200);
    send_mark(radio, 1500, 15, 5);
    assert_good(radio_recv(radio, buffers, 150, &got));
    assert_true(got.n == 150 && got.tick == 1450 && got.n_lost == 0 && samples[0][149] == 1599.0f);
    expect_note(radio, RADIO_NOTE_LATE, 5, 1500, 1); /* handed in, but not taken */
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
    radio_t *radio = open_radio(medium, &play, &thread);
    tutti_cf32 samples[N_ANT][CHUNK], *const buffers[N_ANT] = {samples[0], samples[1]};
    struct radio_got got;
    int status = TUTTI_OK;
    for (int i = 0; i <= n && !status; i++) {
        status = radio_recv(radio, buffers, CHUNK, &got);
    }
    assert_int_equal(status, code);
    assert_non_null(strstr(error_text(), words));
    radio_close(radio);
    pthread_join(thread, NULL);
}

static void test_faults(void **state)
{
    (void)state;
    expect_fault((const struct answer[]){{.tick = 1000, .garbage = true}}, 1, NULL, TUTTI_EDEVICE, "no message");
    expect_fault((const struct answer[]){{.tick = 1001}}, 1, NULL, TUTTI_EDEVICE, "unexpected");
    expect_fault((const struct answer[]){{.tick = 1000}, {.tick = 1000}}, 2, NULL, TUTTI_EDEVICE, "unexpected");
    expect_fault((const struct answer[]){{.tick = 1000}}, 1, NULL, TUTTI_EDEVICE, "closed");
    expect_fault((const struct answer[]){{.tick = 1000}}, 1, "too slow", TUTTI_EDEVICE, "too slow");
}

/* Shared memory -------------------------------------------------------------------------------------------------- */

/* A medium that passes memory and goes on by as many chunks as told, whenever the radio asks for more. */
struct shared_play {
    int n_cell_mapped;    /* what the memory is made for */
    bool pass;            /* the descriptors */
    tutti_tick jump;      /* added to the words that say what was received: nonsense */
    int n_chunk;          /* goes on by so many, then closes */
    bool another;         /* is missing, too: this radio is not the last and must not ring */
    tutti_tick not_taken; /* of this chunk's samples the medium says nothing */
    /* seen */
    float heard[32]; /* last antenna's first sample of each TX chunk, -1 = silent */
    int n_bell;
    int n_unread; /* bytes that lay in the socket at the end */
};

static void step(const struct air_share *share, tutti_tick tick, struct shared_play *play)
{
    struct air_cell *cell = air_share_cell(share, tick);
    const bool filled = atomic_load(&cell->filled) == tick + 1;
    play->heard[(tick - START) / CHUNK] =
        filled ? crealf(air_share_tx(share, tick)[(N_ANT - 1) * CHUNK + (int)(atomic_load(&cell->extent) & 0xffff)])
               : -1;
    for (int i = 0; i < N_ANT * CHUNK; i++) {
        air_share_rx(share, tick)[i] = (float)(tick + (tutti_tick)(i % CHUNK));
    }
    atomic_store(&cell->taken, tick == play->not_taken ? 0 : tick + 1);
    atomic_store(&cell->there, tick + 1);
    atomic_store(&share->words->received, tick + CHUNK + play->jump);
}

static void ask(const struct air_share *share, struct air_board *board, tutti_tick tick, const struct shared_play *play)
{
    atomic_store(&board->missing, play->another ? 2 : 1);
    atomic_store(&share->words->needed, tick);
}

static void *shared_medium(void *argument)
{
    struct shared_play *play = argument;
    uint8_t bytes[AIR_HEADER_BYTES], welcome[AIR_WELCOME_BYTES], hello[AIR_HELLO_BYTES];
    struct air_share share;
    struct air_board *board;
    int fds[2];
    air_share_create(&share, N_ANT, CHUNK, play->n_cell_mapped, &fds[0]);
    air_board_create(&board, &fds[1]);
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    poll(&waiting, 1, 5000);
    const int fd = air_socket_accept(listener);
    get_bytes(fd, bytes, sizeof bytes);
    get_bytes(fd, hello, sizeof hello);
    air_message_pack(bytes, &(struct air_header){.type = AIR_WELCOME,
                                                 .n_samples = CHUNK,
                                                 .flags = AIR_FLAG_SHARED,
                                                 .payload_bytes = AIR_WELCOME_BYTES});
    air_message_pack_welcome(welcome, N_CELL);
    air_socket_send(fd, bytes, sizeof bytes, welcome, sizeof welcome, fds, play->pass ? 2 : 0);
    if (get_bytes(fd, bytes, sizeof bytes)) {
        atomic_store(&share.words->handed, START);
        atomic_store(&share.words->received, START);
        ask(&share, board, START, play);
        put_message(fd, (struct air_header){.type = AIR_STARTED, .tick = START}, NULL);
    }
    for (int i = 0; i < play->n_chunk; i++) {
        const tutti_tick tick = START + (tutti_tick)i * CHUNK;
        while (play->another && atomic_load(&share.words->handed) <= tick) {
            poll(NULL, 0, 1);
        }
        while (atomic_load(&share.words->handed) <= tick && get_bytes(fd, bytes, sizeof bytes)) {
            play->n_bell += bytes[6] == AIR_BELL; /* perhaps an old one */
        }
        ask(&share, board, tick + CHUNK, play); /* before the radio can hand in the next */
        step(&share, tick, play);
        if (atomic_load(&share.words->wake) <= tick + CHUNK) {
            put_message(fd, (struct air_header){.type = AIR_BELL}, NULL);
        }
    }
    play->n_unread = (int)recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    play->n_unread = play->n_unread < 0 ? 0 : play->n_unread;
    close(fd), close(fds[0]), close(fds[1]);
    air_share_release(&share);
    air_board_release(board);
    return NULL;
}

/* A span over the whole ring: one bell each way, samples and notes right, no allocation. */
static void test_shared(void **state)
{
    (void)state;
    struct shared_play play = {.n_cell_mapped = N_CELL, .pass = true, .n_chunk = 5, .not_taken = START + 3 * CHUNK};
    pthread_t thread;
    radio_t *radio = open_radio(shared_medium, &play, &thread);
    tutti_cf32 samples[N_ANT][400], *const buffers[N_ANT] = {samples[0], samples[1]};
    struct radio_got got;
    counting = true;
    send_mark(radio, START + 130, 5, 1);
    send_mark(radio, START + 330, 7, 2);
    assert_good(radio_recv(radio, buffers, 400, &got));
    assert_true(got.n == 400 && got.tick == START && got.n_lost == 0);
    for (int i = 0; i < 400; i++) {
        assert_true(samples[1][i] == (float)(START + i));
    }
    expect_note(radio, RADIO_NOTE_SENT, 1, START + 130, 0);
    expect_note(radio, RADIO_NOTE_LATE, 2, START + 330, 1);
    assert_true(radio_wakeups(radio) <= 2); /* one bell may have been for a chunk already seen */
    assert_good(radio_recv(radio, buffers, 1, &got));
    counting = false;
    assert_int_equal(n_allocated, 0);
    assert_int_equal(radio_recv(radio, buffers, 200, &got), TUTTI_EDEVICE);
    assert_non_null(strstr(error_text(), "lost"));
    radio_close(radio);
    pthread_join(thread, NULL);
    const float heard[] = {-1, 5, -1, 7, -1};
    assert_memory_equal(play.heard, heard, sizeof heard);
    assert_true(play.n_bell <= 2);
}

/* While others are missing, too, handing in wakes nobody. */
static void test_not_last(void **state)
{
    (void)state;
    struct shared_play play = {.n_cell_mapped = N_CELL, .pass = true, .n_chunk = 20, .another = true};
    pthread_t thread;
    radio_t *radio = open_radio(shared_medium, &play, &thread);
    tutti_cf32 samples[N_ANT][CHUNK], *const buffers[N_ANT] = {samples[0], samples[1]};
    struct radio_got got;
    for (int i = 0; i < 20; i++) {
        assert_good(radio_recv(radio, buffers, CHUNK, &got));
    }
    pthread_join(thread, NULL);
    assert_int_equal(play.n_unread, 0);
    radio_close(radio);
}

/* A clock that is no multiple of the chunk, memory smaller than the welcome says, or none at all. */
static void test_shared_faults(void **state)
{
    (void)state;
    struct shared_play play = {.n_cell_mapped = N_CELL, .pass = true, .jump = 1, .n_chunk = 1};
    pthread_t thread;
    radio_t *radio = open_radio(shared_medium, &play, &thread);
    tutti_cf32 samples[N_ANT][CHUNK], *const buffers[N_ANT] = {samples[0], samples[1]};
    struct radio_got got;
    assert_int_equal(radio_recv(radio, buffers, CHUNK, &got), TUTTI_EDEVICE);
    radio_close(radio);
    pthread_join(thread, NULL);
    for (int k = 0; k < 2; k++) {
        struct shared_play small = {.n_cell_mapped = 1, .pass = k == 0};
        const struct radio_settings settings = {
            .backend = "air", .args = endpoint, .role = "ap", .n_ant = N_ANT, .rate_hz = 1e6};
        struct radio_info info;
        pthread_create(&thread, NULL, shared_medium, &small);
        assert_true(radio_open(&radio, &settings, &info) < 0);
        assert_null(radio);
        assert_non_null(strstr(error_text(), k == 0 ? "other memory" : "no memory"));
        pthread_join(thread, NULL);
    }
}

/* After a stop nothing goes any more, and nothing crashes. */
static void test_stop(void **state)
{
    (void)state;
    struct shared_play play = {.n_cell_mapped = N_CELL, .pass = true};
    pthread_t thread;
    radio_t *radio = open_radio(shared_medium, &play, &thread);
    tutti_cf32 samples[N_ANT][CHUNK] = {{0}}, *const buffers[N_ANT] = {samples[0], samples[1]};
    struct radio_got got;
    radio_stop(radio);
    radio_stop(radio);
    assert_int_equal(radio_recv(radio, buffers, CHUNK, &got), TUTTI_EDEVICE);
    assert_int_equal(radio_burst(radio, (const tutti_cf32 *const *)buffers, CHUNK, 2000, 1), TUTTI_EDEVICE);
    radio_close(radio);
    pthread_join(thread, NULL);
}

int main(void)
{
    snprintf(endpoint, sizeof endpoint, "unix:///tmp/tutti-radio-test-%d.sock", (int)getpid());
    listener = air_socket_listen(endpoint);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gap),           cmocka_unit_test(test_faults),
                                       cmocka_unit_test(test_shared),        cmocka_unit_test(test_not_last),
                                       cmocka_unit_test(test_shared_faults), cmocka_unit_test(test_stop)};
    const int failed = listener < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    close(listener);
    air_socket_remove(endpoint);
    return failed;
}
