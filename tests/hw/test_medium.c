/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The medium in a thread of this process, against peers that do not behave: silent ones, ones that say hello and no
 * more, ones that die between two words of the shared memory, and ones that write nonsense into it. What a radio hears
 * is each chunk's tick, so that nothing of the mixer is needed. */
#include "base/clock.h"
#include "base/rt.h"
#include "hw/air/medium.h"
#include "hw/air_message.h"
#include "hw/air_share.h"
#include "hw/air_socket.h"
#include "hw/radio.h"
#include "hw_test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 100, N_AP = 1, N_UE = 2, N_RADIO = N_AP + N_UE };

static char endpoint[80];

/* The medium ---------------------------------------------------------------------------------------------------- */

struct run {
    medium_t *medium;
    pthread_t thread;
    int end;              /* of the loop */
    pthread_mutex_t gate; /* who holds it holds the medium between two chunks */
    uint64_t n_input;
    volatile float sum; /* of what was handed in: every sample is looked at */
};

static void fill(struct run *run)
{
    const struct mixer_input *in = medium_input(run->medium);
    const struct mixer_output *out = medium_output(run->medium);
    for (int r = 0; r < N_RADIO; r++) {
        const int n_ant = r < N_AP ? 2 : 1;
        run->n_input += in[r].samples != NULL;
        for (int i = in[r].from; in[r].samples && i < in[r].to; i++) {
            run->sum += crealf(in[r].samples[(n_ant - 1) * CHUNK + i]);
        }
        for (int i = 0; out[r].samples && i < n_ant * CHUNK; i++) {
            const bool wanted = i % CHUNK >= out[r].from && i % CHUNK < out[r].to;
            out[r].samples[i] = wanted ? (float)(medium_tick(run->medium) % 100000) : -1;
        }
    }
}

static void *loop(void *argument)
{
    struct run *run = argument;
    while ((run->end = medium_gather(run->medium)) == MEDIUM_CHUNK) {
        pthread_mutex_lock(&run->gate);
        fill(run);
        pthread_mutex_unlock(&run->gate);
        medium_deliver(run->medium);
    }
    return NULL;
}

static void begin(struct run *run, bool paced, bool wait_for_all, double hello_timeout_ms)
{
    const struct medium_settings settings = {.endpoint = endpoint,
                                             .n_ap = N_AP,
                                             .n_ue = N_UE,
                                             .n_ant = 2,
                                             .n_eve_ant = 1,
                                             .sample_rate_hz = 1e6,
                                             .chunk = CHUNK,
                                             .paced = paced,
                                             .wait_for_all = wait_for_all,
                                             .exit_when_empty = true,
                                             .radio_timeout_ms = 60000,
                                             .hello_timeout_ms = hello_timeout_ms};
    memset(run, 0, sizeof *run);
    pthread_mutex_init(&run->gate, NULL);
    assert_good(medium_create(&run->medium, &settings));
    pthread_create(&run->thread, NULL, loop, run);
}

static struct medium_counters finish(struct run *run)
{
    pthread_join(run->thread, NULL);
    assert_int_equal(run->end, MEDIUM_EMPTY);
    const struct medium_counters counters = *medium_counters(run->medium);
    medium_destroy(run->medium);
    return counters;
}

/* Peers --------------------------------------------------------------------------------------------------------- */

/* A connection that speaks the protocol by hand. */
struct raw {
    int fd;
    struct air_share share;
    struct air_board *board;
};

static void say(int fd, struct air_header header, const void *payload)
{
    uint8_t bytes[AIR_HEADER_BYTES];
    air_message_pack(bytes, &header);
    air_socket_send(fd, bytes, sizeof bytes, payload, header.payload_bytes, NULL, 0);
}

static int hear(int fd, void *data, size_t n, int fds[AIR_SOCKET_MAX_FDS])
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
    return (int)air_socket_receive(fd, data, n, fds);
}

static void say_hello(struct raw *raw, enum air_role role, int id, int n_ant)
{
    uint8_t hello[AIR_HELLO_BYTES];
    raw->fd = air_socket_connect(endpoint);
    assert_true(raw->fd >= 0);
    air_message_pack_hello(hello, &(struct air_hello){1e6, 0});
    say(raw->fd,
        (struct air_header){.type = AIR_HELLO,
                            .role = (uint8_t)role,
                            .id = (uint16_t)id,
                            .n_ant = (uint16_t)n_ant,
                            .payload_bytes = sizeof hello},
        hello);
}

/* The type of the medium's next message. */
static int answer(struct raw *raw, int n_ant)
{
    uint8_t bytes[AIR_HEADER_BYTES + AIR_MAX_TEXT];
    int fds[AIR_SOCKET_MAX_FDS];
    if (hear(raw->fd, bytes, sizeof bytes, fds) < AIR_HEADER_BYTES) {
        return -1;
    }
    if (bytes[6] == AIR_WELCOME) {
        const uint32_t n_cell = air_message_unpack_welcome(bytes + AIR_HEADER_BYTES);
        assert_good(air_share_attach(&raw->share, n_ant, CHUNK, (int)n_cell, fds[0]));
        assert_good(air_board_attach(&raw->board, fds[1]));
        close(fds[0]), close(fds[1]);
    }
    return bytes[6];
}

static void join(struct raw *raw, enum air_role role, int id, int n_ant)
{
    memset(raw, 0, sizeof *raw);
    say_hello(raw, role, id, n_ant);
    assert_int_equal(answer(raw, n_ant), AIR_WELCOME);
    say(raw->fd, (struct air_header){.type = AIR_START}, NULL);
    assert_int_equal(answer(raw, n_ant), AIR_STARTED);
}

static void leave(struct raw *raw)
{
    close(raw->fd);
    air_share_release(&raw->share);
    air_board_release(raw->board);
}

static radio_t *open_radio(const char *role, int id, int n_ant)
{
    const struct radio_settings settings = {
        .backend = "air", .args = endpoint, .role = role, .id = id, .n_ant = n_ant, .rate_hz = 1e6};
    radio_t *radio = NULL;
    struct radio_info info;
    assert_good(radio_open(&radio, &settings, &info));
    return radio;
}

/* Receives so many spans of three chunks; every sample must be its chunk's tick. */
static void listen_to(radio_t *radio, int n_span)
{
    tutti_cf32 samples[2][3 * CHUNK], *const buffers[2] = {samples[0], samples[1]};
    struct radio_got got;
    for (int i = 0; i < n_span; i++) {
        assert_good(radio_recv(radio, buffers, 3 * CHUNK, &got));
        for (int k = 0; k < got.n; k++) {
            const tutti_tick tick = got.tick + (tutti_tick)k;
            assert_true(samples[0][k] == (float)((tick - tick % CHUNK) % 100000));
        }
    }
}

static radio_t *start_radio(const char *role, int id, int n_ant)
{
    radio_t *radio = open_radio(role, id, n_ant);
    tutti_tick first;
    assert_good(radio_start(radio, 0, &first));
    return radio;
}

/* Tests --------------------------------------------------------------------------------------------------------- */

/* However many connections say nothing, a radio gets in. */
static void test_silent_connections(void **state)
{
    (void)state;
    struct run run;
    int fd[100];
    begin(&run, false, false, 1e6);
    for (int i = 0; i < 100; i++) {
        fd[i] = air_socket_connect(endpoint);
        assert_true(fd[i] >= 0);
    }
    radio_t *radio = start_radio("ue", 0, 1);
    listen_to(radio, 10);
    radio_close(radio);
    const struct medium_counters counters = finish(&run);
    assert_true(counters.bad_peers >= 100 - N_RADIO - 16 && counters.joins == 1);
    for (int i = 0; i < 100; i++) {
        close(fd[i]);
    }
}

/* The seat of a radio that does not start belongs to it for a while, then to who asks. */
static void test_hello_without_start(void **state)
{
    (void)state;
    struct run run;
    struct raw first = {0}, second = {0}, third = {0};
    begin(&run, false, false, 300);
    const uint64_t before_ns = clock_mono_ns();
    say_hello(&first, AIR_ROLE_UE, 1, 1);
    assert_int_equal(answer(&first, 1), AIR_WELCOME);
    say_hello(&second, AIR_ROLE_UE, 1, 1);
    const int told = answer(&second, 1);
    assert_true(told == AIR_REFUSE || clock_mono_ns() > before_ns + 300000000u);
    clock_sleep_until_ns(clock_mono_ns() + 350000000u);
    if (told == AIR_REFUSE) {
        say_hello(&third, AIR_ROLE_UE, 1, 1);
        assert_int_equal(answer(&third, 1), AIR_WELCOME);
        assert_int_equal(answer(&first, 1), AIR_REFUSE);
        assert_int_equal(answer(&first, 1), -1); /* and closed */
        leave(&third);
    }
    leave(&first), leave(&second);
    radio_t *radio = start_radio("ue", 1, 1);
    listen_to(radio, 1);
    radio_close(radio);
    assert_int_equal(finish(&run).joins, 1);
}

/* A radio that was killed with bells unread, and its successor, both before the medium looks: the successor gets in. */
static void test_a_killed_radio_and_its_successor(void **state)
{
    (void)state;
    struct run run;
    struct raw other = {0}, killed = {0}, successor = {0};
    begin(&run, true, false, 1e6);
    join(&other, AIR_ROLE_UE, 0, 1); /* somebody is always there */
    join(&killed, AIR_ROLE_UE, 1, 1);
    pthread_mutex_lock(&run.gate);
    for (int i = 0; i < 20; i++) {
        say(killed.fd, (struct air_header){.type = AIR_BELL}, NULL);
    }
    leave(&killed);
    say_hello(&successor, AIR_ROLE_UE, 1, 1);
    pthread_mutex_unlock(&run.gate);
    assert_int_equal(answer(&successor, 1), AIR_WELCOME);
    say(successor.fd, (struct air_header){.type = AIR_START}, NULL);
    assert_int_equal(answer(&successor, 1), AIR_STARTED);
    struct raw stranger = {0}; /* but not who comes beside it */
    say_hello(&stranger, AIR_ROLE_UE, 1, 1);
    assert_int_equal(answer(&stranger, 1), AIR_REFUSE);
    leave(&stranger), leave(&successor), leave(&other);
    const struct medium_counters counters = finish(&run);
    assert_true(counters.joins == 3 && counters.leaves == 3 && counters.refused == 1);
}

/* A radio that dies after it has handed in and before it has counted the board down: the others go on. */
static void test_dies_between_words(void **state)
{
    (void)state;
    struct run run;
    int ready[2];
    char byte;
    begin(&run, false, true, 1e6);
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct raw raw;
        join(&raw, AIR_ROLE_UE, 1, 1);
        byte = write(ready[1], "x", 1) == 1;
        while (atomic_load(&raw.share.words->needed) == AIR_NEVER) { /* until the medium sleeps for it */
            clock_sleep_until_ns(clock_mono_ns() + 100000);
        }
        atomic_store(&raw.share.words->needed, AIR_NEVER);
        atomic_store(&raw.share.words->handed, 10 * CHUNK);
        raise(SIGKILL);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    radio_t *ap = start_radio("ap", 0, 2), *ue = start_radio("ue", 0, 1);
    waitpid(child, NULL, 0);
    radio_close(ue);
    listen_to(ap, 20);
    radio_close(ap);
    const struct medium_counters counters = finish(&run);
    assert_true(counters.leaves == 3 && counters.chunks >= 60);
    close(ready[0]), close(ready[1]);
}

/* Whatever the other end says, it is inside the chunk and the right way round. */
static void test_extents(void **state)
{
    (void)state;
    const uint64_t bounds[] = {0, 1, 99, 100, 101, 0x7fffffff, 0x80000000, 0xffffffff};
    for (int i = 0; i < 64; i++) {
        int from = -1, to = -1;
        const uint64_t low = bounds[i % 8], high = bounds[i / 8];
        air_share_read_extent(high << 32 | low, CHUNK, &from, &to);
        assert_true(from >= 0 && from <= to && to <= CHUNK);
        assert_true(low > high || high > CHUNK || (from == (int)low && to == (int)high));
    }
    assert_int_equal(air_share_extent(7, 90), (uint64_t)90 << 32 | 7);
}

static bool comes_true(const _Atomic int32_t *word, int32_t value)
{
    for (int i = 0; i < 20000 && atomic_load(word) != value; i++) {
        clock_sleep_until_ns(clock_mono_ns() + 1000000);
    }
    return atomic_load(word) == value;
}

/* Hands in up to `to` as a radio does that was asked for the chunk at `tick` when `left` were missing. */
static void hand_in(struct raw *raw, tutti_tick tick, tutti_tick to, int32_t left)
{
    struct air_words *w = raw->share.words;
    atomic_store(&w->handed, to);
    assert_int_equal(atomic_exchange(&w->needed, AIR_NEVER), tick);
    assert_int_equal(atomic_fetch_sub(&raw->board->missing, 1), left);
    if (left == 1) {
        say(raw->fd, (struct air_header){.type = AIR_BELL}, NULL);
    }
}

/* The medium asks all who are missing and nobody else; the last of them finds the board at one, and only it. In every
 * round but the first one radio is ahead. */
static void test_board(void **state)
{
    (void)state;
    struct run run;
    struct raw raw[N_RADIO];
    begin(&run, false, true, 1e6);
    for (int r = 0; r < N_RADIO; r++) {
        join(&raw[r], r < N_AP ? AIR_ROLE_AP : AIR_ROLE_UE, r < N_AP ? r : r - N_AP, r < N_AP ? 2 : 1);
    }
    for (int round = 0; round < 20; round++) {
        const tutti_tick tick = (tutti_tick)round * CHUNK;
        const int ahead = round % N_RADIO, next_ahead = (round + 1) % N_RADIO;
        const int n_missing = round > 0 ? N_RADIO - 1 : N_RADIO;
        assert_true(comes_true(&raw[0].board->missing, n_missing));
        assert_true(round == 0 || atomic_load(&raw[ahead].share.words->needed) == AIR_NEVER);
        for (int i = 1; i <= n_missing; i++) {
            const int r = (ahead + i) % N_RADIO;
            hand_in(&raw[r], tick, tick + (r == next_ahead ? 2 * CHUNK : CHUNK), n_missing - i + 1);
        }
    }
    for (int r = 0; r < N_RADIO; r++) {
        leave(&raw[r]);
    }
    assert_true(finish(&run).chunks >= 20);
}

/* Numbers that a hostile radio writes into the shared memory: it hurts itself at most. */
static void scribble(const struct raw *raw, uint64_t turn)
{
    static const uint64_t nonsense[] = {0, 1, CHUNK, UINT64_MAX, UINT64_MAX - 50, (uint64_t)1 << 63, 12345678};
    struct air_words *w = raw->share.words;
    const uint64_t value = nonsense[turn % 7], other = nonsense[turn / 7 % 7];
    atomic_store(&w->fetched, value);
    atomic_store(&w->wake, other);
    atomic_store(&w->needed, value);
    atomic_store(&w->received, other);
    for (int i = 0; i < raw->share.n_cell; i++) {
        atomic_store(&raw->share.cell[i].filled, atomic_load(&raw->share.cell[i].taken));
        atomic_store(&raw->share.cell[i].extent, value << (turn % 40) | other);
        atomic_store(&raw->share.cell[i].there, other);
        atomic_store(&raw->share.cell[i].wanted, other << (turn % 40) | value);
        atomic_store(&raw->share.cell[i].host_ns, value);
    }
    atomic_store(&raw->board->missing, (int32_t)value);
    atomic_store(&w->handed, turn % 3 ? UINT64_MAX : turn * CHUNK);
}

static void test_hostile_memory(void **state)
{
    (void)state;
    for (int paced = 0; paced < 2; paced++) {
        struct run run;
        struct raw raw;
        begin(&run, paced, false, 1e6);
        join(&raw, AIR_ROLE_AP, 0, 2);
        radio_t *ue = NULL;
        for (uint64_t turn = 0; turn < 3000; turn++) {
            scribble(&raw, turn);
            if (turn == 100) {
                atomic_store(&raw.share.words->handed, UINT64_MAX);
                ue = start_radio("ue", 0, 1);
            }
            if (turn > 100 && turn % 10 == 0) {
                atomic_store(&raw.share.words->handed, UINT64_MAX); /* else the others wait for it, as they should */
                listen_to(ue, 1);
            }
        }
        leave(&raw);
        listen_to(ue, 20);
        radio_close(ue);
        assert_true(finish(&run).chunks > 900);
    }
}

/* What is not wanted is not made, and its places in the buffers stay as they are; all else is there. */
static void test_unwanted(void **state)
{
    (void)state;
    struct run run;
    begin(&run, false, false, 1e6);
    radio_t *radio = start_radio("ap", 0, 2);
    static tutti_cf32 samples[2][10 * CHUNK], *const buffers[2] = {samples[0], samples[1]};
    struct radio_got got;
    radio_unwanted(radio, 0, 130);
    radio_unwanted(radio, 130, 250); /* one run with the last */
    radio_unwanted(radio, 320, 340); /* a hole inside a chunk: delivered all the same */
    radio_unwanted(radio, 460, 740);
    for (int i = 0; i < 10 * CHUNK; i++) {
        samples[0][i] = samples[1][i] = -2;
    }
    for (int done = 0; done < 10 * CHUNK; done += got.n) { /* pieces that begin and end anywhere */
        tutti_cf32 *const into[2] = {samples[0] + done, samples[1] + done};
        assert_good(radio_recv(radio, into, done + 370 < 10 * CHUNK ? 370 : 10 * CHUNK - done, &got));
        assert_int_equal(got.tick, done);
    }
    for (int i = 0; i < 10 * CHUNK; i++) {
        const float expected = i < 250 || (i >= 460 && i < 740) ? -2 : (float)(i / CHUNK * CHUNK);
        assert_true(crealf(samples[1][i]) == expected);
    }
    assert_good(radio_recv(radio, buffers, CHUNK, &got));
    assert_true(crealf(samples[1][CHUNK - 1]) == 10 * CHUNK);
    radio_close(radio);
    finish(&run);
}

/* One bell per span and radio, and the medium is woken once per round, not once per radio and chunk. */
struct listener {
    radio_t *radio;
    int n_span;
};

static void *listen_thread(void *argument)
{
    const struct listener *l = argument;
    listen_to(l->radio, l->n_span);
    return NULL;
}

static void test_wakeups(void **state)
{
    (void)state;
    struct run run;
    pthread_t thread[N_RADIO];
    struct listener listener[N_RADIO];
    begin(&run, false, true, 1e6);
    for (int r = 0; r < N_RADIO; r++) {
        listener[r] =
            (struct listener){open_radio(r < N_AP ? "ap" : "ue", r < N_AP ? r : r - N_AP, r < N_AP ? 2 : 1), 500};
        tutti_tick first;
        assert_good(radio_start(listener[r].radio, 0, &first));
    }
    for (int r = 0; r < N_RADIO; r++) {
        pthread_create(&thread[r], NULL, listen_thread, &listener[r]);
    }
    uint64_t woken = 0;
    for (int r = 0; r < N_RADIO; r++) {
        pthread_join(thread[r], NULL);
        woken += radio_wakeups(listener[r].radio);
    }
    for (int r = 0; r < N_RADIO; r++) {
        radio_close(listener[r].radio);
    }
    const struct medium_counters counters = finish(&run);
    print_message("500 rounds of 3 chunks: medium woken %llu times, %llu bells, radios woken %llu times\n",
                  (unsigned long long)counters.wakeups, (unsigned long long)counters.bells, (unsigned long long)woken);
    assert_int_equal(counters.chunks, 1500);
    assert_true(counters.bells <= N_RADIO * 500);
    /* once per round, by the last; a few more for joining and leaving */
    assert_true(counters.wakeups <= 500 + 30);
}

int main(void)
{
    snprintf(endpoint, sizeof endpoint, "unix:///tmp/tutti-medium-test-%d.sock", (int)getpid());
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_silent_connections),
                                       cmocka_unit_test(test_hello_without_start),
                                       cmocka_unit_test(test_a_killed_radio_and_its_successor),
                                       cmocka_unit_test(test_dies_between_words),
                                       cmocka_unit_test(test_hostile_memory),
                                       cmocka_unit_test(test_extents),
                                       cmocka_unit_test(test_board),
                                       cmocka_unit_test(test_unwanted),
                                       cmocka_unit_test(test_wakeups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
