/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Radios against a real tutti-air process. argv[1] = path of tutti-air. Each radio is a thread (or a child to be
 * killed) that follows a short script: start, receive so many chunks, send bursts when their moment comes. */
#include "base/clock.h"
#include "channel/random.h"
#include "hw/air_message.h"
#include "hw/air_socket.h"
#include "hw/radio.h"
#include "hw_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 3200, N_ANT = 2, MAX_BURST = 4, PIECE = 500 };

static const char *air_path;
static char endpoint[80], log_path[80];

/* The medium ---------------------------------------------------------------------------------------------------- */

#define QUIET                                                                                                          \
    "radio.ap.tx_full_scale_dbm=60", "radio.ap.rx_full_scale_dbm=60", "radio.ue.tx_full_scale_dbm=60",                 \
        "radio.ue.rx_full_scale_dbm=60", "air.large_scale.model=explicit", "air.large_scale.gain_db=[[0, 0]]",         \
        "air.fading.model=none"

static pid_t start_air(const char *const *set)
{
    char listen_at[100];
    const char *argv[64] = {air_path, "--exit-when-empty"};
    int n = 2;
    snprintf(listen_at, sizeof listen_at, "air.endpoint=%s", endpoint);
    const char *const fixed[] = {listen_at, "network.n_ap=1", "network.n_ant=2", "network.n_ue=2", NULL};
    for (int list = 0; list < 2; list++) {
        for (const char *const *s = list ? set : fixed; *s; s++) {
            argv[n++] = "--set";
            argv[n++] = *s;
        }
    }
    unlink(log_path); /* the last one's must not be read for this one's */
    const pid_t pid = fork();
    if (pid == 0) {
        const int out = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        execv(air_path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}
#define AIR(...) start_air((const char *const[]){__VA_ARGS__, NULL})

static char *read_log(void)
{
    static char text[65536];
    FILE *file = fopen(log_path, "r");
    const size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = '\0';
    if (file) {
        fclose(file);
    }
    return text;
}

/* Waits for the end (it leaves when the radios have) and returns the value of a counter of its last line. */
static long end_air(pid_t pid, const char *counter)
{
    int status = -1;
    waitpid(pid, &status, 0);
    const char *done = strstr(read_log(), " DONE ");
    const char *at = done ? strstr(done, counter) : NULL;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !at) {
        print_error("tutti-air ended with status %d:\n%s\n", status, read_log());
        fail();
    }
    return strtol(at + strlen(counter), NULL, 10);
}

/* A radio ------------------------------------------------------------------------------------------------------- */

struct burst {
    tutti_tick when; /* queued before the first receive that would pass this tick */
    tutti_tick at;
    tutti_cf32 value[N_ANT];
    int n;
    int result; /* of radio_burst */
    /* the note about it */
    int n_note;
    struct radio_note note;
};

struct script {
    const char *role;
    int id, n_ant, n_chunk;
    int span; /* samples per radio_recv; 0 = PIECE */
    tutti_tick start_at;
    uint64_t pause_ms;        /* before opening */
    bool (*pause_over)(void); /* in the middle, until this comes true */
    struct script *other;     /* NULL, or: */
    tutti_tick open_after;    /* open when the other has come to this tick */
    bool pause_for_other;     /* in the middle, until the other has started */
    tutti_tick pause_past;    /* in the middle, until the other has passed this tick */
    struct burst burst[MAX_BURST];
    int n_burst;
    /* found out */
    bool started;
    int error;
    char text[256];
    tutti_tick first, next;
    struct radio_info info;
    uint64_t n_lost, n_lost_noted, wakeups;
    bool gap;
    tutti_cf32 *samples; /* [n_ant][n_chunk * CHUNK], by tick less first */
};

static void send_due(radio_t *radio, struct script *s, tutti_tick next, int span)
{
    for (int i = 0; i < s->n_burst; i++) {
        struct burst *b = &s->burst[i];
        if (next <= b->when && b->when < next + (tutti_tick)span) {
            tutti_cf32 samples[N_ANT][6000];
            const tutti_cf32 *pointers[N_ANT] = {samples[0], samples[1]};
            for (int a = 0; a < N_ANT; a++) {
                for (int k = 0; k < b->n; k++) {
                    samples[a][k] = b->value[a];
                }
            }
            b->result = radio_burst(radio, pointers, b->n, b->at, (uint64_t)(100 + i));
        }
    }
}

static void take_notes(radio_t *radio, struct script *s)
{
    struct radio_note note;
    while (radio_note(radio, &note) == 1) {
        if (note.kind == RADIO_NOTE_OVERFLOW) {
            s->n_lost_noted += note.count;
        } else {
            struct burst *b = &s->burst[note.tag - 100];
            b->note = note;
            b->n_note++;
        }
    }
}

static void take_samples(struct script *s, const tutti_cf32 *pieces, int span, const struct radio_got *got)
{
    const size_t total = (size_t)s->n_chunk * CHUNK;
    for (int a = 0; a < s->n_ant; a++) {
        for (int i = 0; i < got->n; i++) {
            const tutti_tick at = got->tick + (tutti_tick)i - s->first;
            if (at < total) {
                s->samples[(size_t)a * total + at] = pieces[a * span + i];
            }
        }
    }
    s->gap = s->gap || got->tick != s->next;
    s->n_lost += got->n_lost;
}

static void pause_as_told(struct script *s)
{
    static struct script nobody;
    s->other = s->other ? s->other : &nobody;
    while ((s->pause_over && !s->pause_over()) ||
           (s->pause_for_other && !__atomic_load_n(&s->other->started, __ATOMIC_ACQUIRE)) ||
           __atomic_load_n(&s->other->next, __ATOMIC_ACQUIRE) < s->pause_past) {
        clock_sleep_until_ns(clock_mono_ns() + 1000000u);
    }
}

static void stream(radio_t *radio, struct script *s)
{
    const int total = s->n_chunk * CHUNK, span = s->span ? s->span : PIECE;
    tutti_cf32 *pieces = calloc((size_t)(N_ANT * span), sizeof *pieces), *buffers[N_ANT] = {pieces, pieces + span};
    __atomic_store_n(&s->next, s->first, __ATOMIC_RELEASE);
    __atomic_store_n(&s->started, true, __ATOMIC_RELEASE);
    while (s->next < s->first + (tutti_tick)total && !s->error) {
        const int at = (int)(s->next - s->first), n = total - at < span ? total - at : span;
        struct radio_got got;
        send_due(radio, s, s->next, span);
        if (at >= total / 2) {
            pause_as_told(s);
        }
        s->error = radio_recv(radio, buffers, n, &got);
        take_notes(radio, s);
        if (!s->error) {
            take_samples(s, pieces, span, &got);
            __atomic_store_n(&s->next, got.tick + (tutti_tick)got.n, __ATOMIC_RELEASE);
        } else {
            snprintf(s->text, sizeof s->text, "%s", error_text());
        }
    }
    s->wakeups = radio_wakeups(radio);
    free(pieces);
}

static void *follow(void *argument)
{
    struct script *s = argument;
    const struct radio_settings settings = {.backend = "air",
                                            .args = endpoint,
                                            .role = s->role,
                                            .id = s->id,
                                            .n_ant = s->n_ant,
                                            .rate_hz = 1.92e6,
                                            .chunk_samples = CHUNK,
                                            .n_tx_buffer_samples = 4 * CHUNK};
    clock_sleep_until_ns(clock_mono_ns() + s->pause_ms * 1000000u);
    while (s->open_after && __atomic_load_n(&s->other->next, __ATOMIC_ACQUIRE) < s->open_after) {
        clock_sleep_until_ns(clock_mono_ns() + 1000000u);
    }
    radio_t *radio = NULL;
    s->samples = calloc((size_t)(s->n_ant * s->n_chunk) * CHUNK, sizeof *s->samples);
    s->error = radio_open(&radio, &settings, &s->info);
    s->error = s->error ? s->error : radio_start(radio, s->start_at, &s->first);
    if (s->error) {
        snprintf(s->text, sizeof s->text, "%s", error_text());
    } else {
        stream(radio, s);
    }
    radio_close(radio);
    return NULL;
}

static void run_all(struct script *s, int n)
{
    pthread_t thread[4];
    for (int i = 0; i < n; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, follow, &s[i]), 0);
    }
    for (int i = 0; i < n; i++) {
        pthread_join(thread[i], NULL);
    }
}

static void assert_fine(const struct script *s)
{
    if (s->error) {
        print_error("%s %d: %d %s\n", s->role, s->id, s->error, s->text);
        fail();
    }
}

static void free_all(struct script *s, int n)
{
    for (int i = 0; i < n; i++) {
        free(s[i].samples);
    }
}

static tutti_cf32 sample(const struct script *s, int antenna, tutti_tick tick)
{
    return s->samples[(size_t)antenna * (size_t)s->n_chunk * CHUNK + (tick - s->first)];
}

static void expect_sent(const struct burst *b)
{
    assert_true(b->result == TUTTI_OK && b->n_note == 1);
    assert_true(b->note.kind == RADIO_NOTE_SENT && b->note.tick == b->at && b->note.count == 0);
}

static void expect_late(const struct burst *b, tutti_tick tick, uint64_t count)
{
    assert_true(b->result == TUTTI_OK && b->n_note == 1 && b->note.kind == RADIO_NOTE_LATE);
    assert_true(b->note.tick == tick && b->note.count == count);
}

/* Tests --------------------------------------------------------------------------------------------------------- */

/* Bursts arrive at the sample they were sent for, with one complex gain per antenna, the same in both directions;
 * everything else is silence; what overlaps is refused. Every burst has one note. */
static void test_burst(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET);
    struct script s[3] = {{.role = "ap",
                           .id = 0,
                           .n_ant = 2,
                           .n_chunk = 8,
                           .n_burst = 4,
                           .burst = {{.when = 0, .at = 5000, .value = {0.5f, 0}, .n = 3000},
                                     {.when = 0, .at = 9000, .value = {0, 0.25f}, .n = 50},
                                     {.when = 4000, .at = 9049, .value = {0, 0.25f}, .n = 50},
                                     {.when = 4000, .at = 9050, .value = {0, 0.5f}, .n = 50}}},
                          {.role = "ue",
                           .id = 0,
                           .n_ant = 1,
                           .n_chunk = 8,
                           .n_burst = 1,
                           .burst = {{.when = 9000, .at = 12000, .value = {0.5f}, .n = 1}}},
                          {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 8}};
    run_all(s, 3);
    assert_int_equal(end_air(air, " late="), 0);
    for (int i = 0; i < 3; i++) {
        assert_fine(&s[i]);
        assert_true(s[i].first == 0 && s[i].n_lost == 0 && !s[i].gap);
        assert_true(s[i].info.repeatable && !s[i].info.paced && s[i].info.turnaround_samples == CHUNK);
    }
    assert_int_equal(s[0].burst[2].result, TUTTI_EINVAL);
    expect_sent(&s[0].burst[0]);
    expect_sent(&s[0].burst[1]);
    expect_sent(&s[0].burst[3]);
    assert_int_equal(s[0].burst[2].n_note, 0);
    const tutti_cf32 g0 = sample(&s[1], 0, 5000) / 0.5f, g1 = sample(&s[1], 0, 9000) / 0.25f;
    assert_near((double)cabsf(g0), 1, 1e-5);
    assert_near((double)cabsf(g1), 1, 1e-5);
    assert_true(cabsf(g0 - g1) > 0.01f && cabsf(sample(&s[2], 0, 5000) - 0.5f * g0) > 0.001f);
    for (tutti_tick t = 0; t < 8 * CHUNK; t++) {
        const tutti_cf32 first = t >= 5000 && t < 8000 ? 0.5f * g0 : 0;
        const tutti_cf32 second = t >= 9000 && t < 9050 ? 0.25f * g1 : t >= 9050 && t < 9100 ? 0.5f * g1 : 0;
        assert_near((double)cabsf(sample(&s[1], 0, t) - first - second), 0, 1e-6);
        assert_near((double)cabsf(sample(&s[0], 0, t) - (t == 12000 ? 0.5f * g0 : 0)), 0, 1e-6);
        assert_near((double)cabsf(sample(&s[0], 1, t) - (t == 12000 ? 0.5f * g1 : 0)), 0, 1e-6);
    }
    free_all(s, 3);
}

/* Two runs went well, and everybody received the same in both. */
static void expect_same(const struct script *a, const struct script *b, int n)
{
    for (int i = 0; i < n; i++) {
        assert_fine(&a[i]);
        assert_fine(&b[i]);
        assert_memory_equal(a[i].samples, b[i].samples,
                            (size_t)a[i].n_ant * (size_t)a[i].n_chunk * CHUNK * sizeof(tutti_cf32));
    }
}

/* The same samples in one span of several chunks or in pieces, and one wake-up per span at most. */
static void test_span(void **state)
{
    (void)state;
    struct script s[2][3];
    for (int k = 0; k < 2; k++) {
        const pid_t air = AIR("air.impairments.ap.cfo_hz=200");
        const struct script fresh[3] = {{.role = "ap",
                                         .id = 0,
                                         .n_ant = 2,
                                         .n_chunk = 60,
                                         .span = k ? 3 * CHUNK : 0,
                                         .n_burst = 1,
                                         .burst = {{.when = 6 * CHUNK, .at = 29000, .value = {0.5f, 0.1f}, .n = 5000}}},
                                        {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 60, .span = k ? 3 * CHUNK : 0},
                                        {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 60, .span = k ? 1700 : 0}};
        memcpy(s[k], fresh, sizeof fresh);
        run_all(s[k], 3);
        end_air(air, " late=");
    }
    expect_same(s[0], s[1], 3);
    for (int r = 0; r < 3; r++) {
        assert_true(s[0][r].wakeups <= 60 + 5);
        assert_true(r == 2 || s[1][r].wakeups <= 20 + 5); /* a bell may come too early once in a while */
    }
    free_all(s[0], 3);
    free_all(s[1], 3);
}

/* Half a burst in the past: that half is dropped and told, the other half is sent. Too far ahead is refused. */
static void test_late_burst(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET);
    struct script s[3] = {{.role = "ap",
                           .id = 0,
                           .n_ant = 2,
                           .n_chunk = 8,
                           .n_burst = 3,
                           .burst = {{.when = CHUNK + 700, .at = 2 * CHUNK - 50, .value = {0.5f, 0}, .n = 100},
                                     {.when = 3 * CHUNK, .at = CHUNK, .value = {0.5f, 0}, .n = 100},
                                     {.when = 3 * CHUNK, .at = 7 * CHUNK + 1, .value = {0.5f, 0}, .n = CHUNK}}},
                          {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 8},
                          {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 8}};
    run_all(s, 3);
    end_air(air, " late=");
    assert_fine(&s[0]);
    expect_late(&s[0].burst[0], 2 * CHUNK - 50, 50);
    expect_late(&s[0].burst[1], CHUNK, 100);
    assert_int_equal(s[0].burst[2].n_note, 0);
    assert_int_equal(s[0].burst[2].result, TUTTI_EAGAIN);
    for (tutti_tick t = 0; t < 8 * CHUNK; t++) {
        const double expected = t >= 2 * CHUNK && t < 2 * CHUNK + 50 ? 0.5 : 0;
        assert_near((double)cabsf(sample(&s[1], 0, t)), expected, 1e-5);
    }
    free_all(s, 3);
}

static void test_kill(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET);
    struct script victim = {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 100000};
    const pid_t child = fork();
    if (child == 0) {
        follow(&victim);
        _exit(1);
    }
    struct script s[2] = {{.role = "ap", .id = 0, .n_ant = 2, .n_chunk = 1500},
                          {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 1500}};
    pthread_t thread[2];
    pthread_create(&thread[0], NULL, follow, &s[0]);
    pthread_create(&thread[1], NULL, follow, &s[1]);
    while (!strstr(read_log(), "CLOCK-START")) {
        clock_sleep_until_ns(clock_mono_ns() + 5000000);
    }
    clock_sleep_until_ns(clock_mono_ns() + 50000000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    assert_int_equal(end_air(air, " leaves="), 3);
    for (int i = 0; i < 2; i++) {
        assert_fine(&s[i]);
        assert_true(!s[i].gap && s[i].next == 1500 * CHUNK && s[i].n_lost == 0);
    }
    free_all(s, 2);
}

/* A user that comes later gets the clock of the others: a burst sent for a tick arrives at that tick. */
static void test_late_joiner(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET, "air.wait_for_all=false");
    const tutti_tick at = 40 * CHUNK + 1234;
    struct script s[2] = {{.role = "ap",
                           .id = 0,
                           .n_ant = 2,
                           .n_chunk = 60,
                           .n_burst = 1,
                           .other = &s[1],
                           .pause_for_other = true,
                           .burst = {{.when = at - 2 * CHUNK, .at = at, .value = {0.5f, 0}, .n = 10}}},
                          {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 50, .other = &s[0], .open_after = 5 * CHUNK}};
    run_all(s, 2);
    end_air(air, " late=");
    assert_fine(&s[0]);
    assert_fine(&s[1]);
    assert_true(!s[0].gap && !s[1].gap && s[1].first % CHUNK == 0);
    assert_in_range(s[1].first, 5 * CHUNK, 31 * CHUNK);
    assert_near((double)cabsf(sample(&s[1], 0, at - 1)), 0, 1e-5);
    assert_near((double)cabsf(sample(&s[1], 0, at)), 0.5, 1e-5);
    assert_near((double)cabsf(sample(&s[1], 0, at + 10)), 0, 1e-5);
    free_all(s, 2);
}

static void test_start_at(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET);
    struct script s[3] = {{.role = "ap",
                           .id = 0,
                           .n_ant = 2,
                           .n_chunk = 10,
                           .n_burst = 1,
                           .burst = {{.when = 13000, .at = 7 * CHUNK, .value = {0.5f}, .n = 1}}},
                          {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 5, .start_at = 4 * CHUNK + 1},
                          {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 10}};
    run_all(s, 3);
    end_air(air, " late=");
    assert_fine(&s[1]);
    assert_true(s[1].first == 5 * CHUNK && !s[1].gap && s[1].n_lost == 0);
    assert_near((double)cabsf(sample(&s[1], 0, 7 * CHUNK)), 0.5, 1e-5);
    free_all(s, 3);
}

static void test_two_runs_equal(void **state)
{
    (void)state;
    struct script s[2][3];
    for (int k = 0; k < 2; k++) {
        const pid_t air = AIR("air.impairments.ap.cfo_hz=200");
        const struct script fresh[3] = {{.role = "ap",
                                         .id = 0,
                                         .n_ant = 2,
                                         .n_chunk = 20,
                                         .pause_ms = k ? 0 : 40,
                                         .n_burst = 1,
                                         .burst = {{.when = 20000, .at = 25000, .value = {0.5f, 0.1f}, .n = 5000}}},
                                        {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 20, .pause_ms = k ? 40 : 0},
                                        {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 20}};
        memcpy(s[k], fresh, sizeof fresh);
        run_all(s[k], 3);
        end_air(air, " late=");
    }
    expect_same(s[0], s[1], 3);
    free_all(s[0], 3);
    free_all(s[1], 3);
}

/* False: nobody listens yet, or any more, or nobody had time for it. */
static bool hostile(uint64_t k)
{
    uint8_t bytes[3000];
    const int fd = air_socket_connect(endpoint);
    if (fd < 0) {
        return false;
    }
    for (uint64_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)random_u64(k, i);
    }
    if (k % 3) { /* a good header with a few bytes wrong, then noise */
        const struct air_header h = {.type = (uint8_t)(k % 9),
                                     .id = (uint16_t)(k % 4),
                                     .n_ant = 2,
                                     .n_samples = CHUNK,
                                     .payload_bytes = k % 2 ? AIR_HELLO_BYTES : 2 * CHUNK * 8};
        air_message_pack(bytes, &h);
        bytes[random_u64(k, 1) % 32] ^= (uint8_t)random_u64(k, 2);
    }
    const ssize_t sent = send(fd, bytes, k % 4 ? sizeof bytes : 1 + k % 40, MSG_NOSIGNAL);
    close(fd);
    return sent > 0;
}

static int n_attacks, n_tries;

static bool enough_attacks(void)
{
    return __atomic_load_n(&n_attacks, __ATOMIC_RELAXED) >= 200;
}

static void *attack(void *argument)
{
    const bool *const over = argument; /* the radios wait for the first 200, so the air does, too */
    for (uint64_t k = 0; k < 400 && !__atomic_load_n(over, __ATOMIC_RELAXED); n_tries++) {
        const bool heard = hostile(k);
        k += heard;
        __atomic_fetch_add(&n_attacks, heard, __ATOMIC_RELAXED);
        clock_sleep_until_ns(clock_mono_ns() + 500000);
    }
    return NULL;
}

/* Samples are the same with and without strangers on the socket. */
static void test_hostile_bytes(void **state)
{
    (void)state;
    struct script s[2][3];
    for (int k = 0; k < 2; k++) {
        const pid_t air = AIR("air.wait_for_all=true");
        bool over = false;
        pthread_t attacker;
        const struct script fresh[3] = {
            {.role = "ap",
             .id = 0,
             .n_ant = 2,
             .n_chunk = 300,
             .n_burst = 1,
             .burst = {{.when = 20000, .at = 25000, .value = {0.5f, 0.1f}, .n = 5000}}},
            {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 300, .pause_over = k ? enough_attacks : NULL},
            {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 300}};
        memcpy(s[k], fresh, sizeof fresh);
        if (k) {
            pthread_create(&attacker, NULL, attack, &over);
        }
        run_all(s[k], 3);
        if (k) {
            __atomic_store_n(&over, true, __ATOMIC_RELAXED);
            pthread_join(attacker, NULL);
            print_message("%d attacks in %d tries\n", n_attacks, n_tries);
            assert_true(end_air(air, " bad_peers=") > 20);
            assert_non_null(strstr(read_log(), "BAD-PEER"));
        } else {
            assert_int_equal(end_air(air, " bad_peers="), 0);
        }
    }
    expect_same(s[0], s[1], 3);
    free_all(s[0], 3);
    free_all(s[1], 3);
}

static void expect_refusal(const char *role, int id, int n_ant, double rate_hz, int chunk, const char *word)
{
    const struct radio_settings settings = {.backend = "air",
                                            .args = endpoint,
                                            .role = role,
                                            .id = id,
                                            .n_ant = n_ant,
                                            .rate_hz = rate_hz,
                                            .chunk_samples = chunk};
    radio_t *radio = NULL;
    struct radio_info info;
    assert_int_equal(radio_open(&radio, &settings, &info), TUTTI_EREFUSED);
    assert_null(radio);
    if (!strstr(error_text(), word)) {
        print_error("'%s' not in '%s'\n", word, error_text());
        fail();
    }
}

static void test_refusals(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET);
    const struct radio_settings settings = {
        .backend = "air", .args = endpoint, .role = "ap", .n_ant = 2, .rate_hz = 1.92e6};
    radio_t *radio = NULL;
    struct radio_info info;
    assert_good(radio_open(&radio, &settings, &info));
    expect_refusal("ap", 0, 2, 1.92e6, 0, "taken");
    expect_refusal("ap", 1, 2, 1.92e6, 0, "unknown id");
    expect_refusal("ue", 1, 2, 1.92e6, 0, "antennas");
    expect_refusal("ue", 1, 1, 3.84e6, 0, "rate");
    expect_refusal("ue", 1, 1, 1.92e6, 1600, "chunk");
    expect_refusal("eve", 0, 1, 1.92e6, 0, "unknown id");
    struct radio_settings wrong = settings;
    wrong.backend = "ether";
    radio_t *none = NULL;
    assert_int_equal(radio_open(&none, &wrong, &info), TUTTI_ECONFIG);
    wrong = settings;
    wrong.role = "cpu";
    assert_int_equal(radio_open(&none, &wrong, &info), TUTTI_ECONFIG);
    wrong = settings;
    wrong.args = "udp://x:1";
    assert_int_equal(radio_open(&none, &wrong, &info), TUTTI_ECONFIG);
    wrong = settings;
    wrong.n_ant = TUTTI_MAX_ANT + 1;
    assert_int_equal(radio_open(&none, &wrong, &info), TUTTI_ECONFIG);
    radio_close(radio);
    kill(air, SIGTERM);
    assert_int_equal(end_air(air, " refused="), 6);
    struct stat file;
    assert_int_not_equal(stat(endpoint + 7, &file), 0); /* socket file removed */
}

/* What the note says of a burst of 0.5 is what the user heard at its first tick. Returns true if it was sent. */
static bool check_account(const struct burst *b, const struct script *ue)
{
    const double heard = (double)cabsf(sample(ue, 0, b->at));
    assert_true(b->result == TUTTI_OK && b->n_note == 1);
    if (b->note.kind == RADIO_NOTE_SENT) {
        assert_near(heard, ue->gap ? heard : 0.5, 1e-5);
        return true;
    }
    assert_int_equal(b->note.kind, RADIO_NOTE_LATE);
    assert_int_equal(b->note.count, b->n);
    assert_near(heard, 0, 1e-5);
    return false;
}

/* Paced: not faster than the wall clock; each burst arrives at its tick and is noted sent, or is noted late with its
 * samples and does not arrive. Which of the two is the machine's affair, but for the last, whose time is over when it
 * is queued. */
static void test_paced(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET, "air.mode=paced");
    struct script s[3] = {{.role = "ap", .id = 0, .n_ant = 2, .n_chunk = 300, .n_burst = 4},
                          {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 300},
                          {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 300}};
    for (int i = 0; i < 4; i++) {
        const tutti_tick when = (tutti_tick)(50 + 50 * i) * CHUNK, at = i < 3 ? when + 3 * CHUNK + 7 : when - 300;
        s[0].burst[i] = (struct burst){.when = when, .at = at, .value = {0.5f}, .n = 10};
    }
    const uint64_t begin_ns = clock_mono_ns();
    run_all(s, 3);
    const double took_s = (double)(clock_mono_ns() - begin_ns) / 1e9;
    assert_true(end_air(air, " chunks=") >= 300);
    assert_fine(&s[0]);
    assert_fine(&s[1]);
    assert_true(took_s > 299 * CHUNK / 1.92e6);
    assert_true(s[0].info.paced && !s[0].info.repeatable && s[0].info.lead_us > 0);
    for (int i = 0; i < 4 && !s[0].gap; i++) { /* after a gap a burst may not have been tried */
        const bool sent = check_account(&s[0].burst[i], &s[1]);
        assert_true(i < 3 || !sent);
    }
    free_all(s, 3);
}

/* A radio that waits until the others are far ahead loses samples, is told how many and where, and goes on at the right
 * tick; what it had queued for that time is noted late. */
static void test_paced_overflow(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET, "air.mode=paced");
    struct script s[3] = {
        {.role = "ap", .id = 0, .n_ant = 2, .n_chunk = 300, .other = &s[1], .pause_past = 200 * CHUNK},
        {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 400},
        {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 300}};
    s[0].n_burst = 1;
    s[0].burst[0] = (struct burst){.when = 149 * CHUNK + 2600, .at = 152 * CHUNK, .value = {0.5f}, .n = 10};
    run_all(s, 3);
    assert_true(end_air(air, " overflow=") >= 30);
    assert_fine(&s[0]);
    assert_fine(&s[1]);
    assert_true(s[0].gap && s[0].n_lost >= 30 * CHUNK && s[0].n_lost == s[0].n_lost_noted);
    if (s[0].burst[0].n_note > 0) { /* no earlier gap of the machine's own making */
        expect_late(&s[0].burst[0], 152 * CHUNK, 10);
        assert_near((double)cabsf(sample(&s[1], 0, 152 * CHUNK)), 0, 1e-5);
    }
    free_all(s, 3);
}

/* The time of samples: two spans are as far apart as their ticks, whenever the thread was woken. */
static void test_host_time(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET, "air.mode=paced", "air.wait_for_all=false");
    const struct radio_settings settings = {
        .backend = "air", .args = endpoint, .role = "ue", .n_ant = 1, .rate_hz = 1.92e6};
    radio_t *radio = NULL;
    struct radio_info info;
    struct radio_got got, last = {0};
    static tutti_cf32 samples[2 * CHUNK];
    tutti_tick first;
    assert_good(radio_open(&radio, &settings, &info));
    assert_good(radio_start(radio, 0, &first));
    for (int i = 0; i < 20; i++) {
        const uint64_t before_ns = clock_mono_ns();
        assert_good(radio_recv(radio, (tutti_cf32 *const[]){samples}, 1000 + 150 * i, &got));
        assert_true(got.host_ns <= clock_mono_ns());
        const double samples_apart = (double)(got.tick + (tutti_tick)got.n - last.tick - (tutti_tick)last.n);
        if (i > 0) {
            assert_near((double)(got.host_ns - last.host_ns), samples_apart * 1e9 / 1.92e6, 10);
        }
        (void)before_ns;
        last = got;
    }
    /* a burst in the next chunk but one is due when that chunk arrives, less the lead */
    const tutti_tick end = got.tick + (tutti_tick)got.n, at = (end / CHUNK + 2) * CHUNK + 17;
    const double due_ns = (double)((at / CHUNK + 1) * CHUNK - end) * 1e9 / 1.92e6 - info.lead_us * 1e3;
    assert_near((double)(radio_deadline_ns(&info, &got, at) - got.host_ns), due_ns, 10);
    radio_close(radio);
    end_air(air, " late=");
}

/* A radio that has joined properly and then sends samples through its socket, which on one host nobody does, or over
 * tcp those of another time, is dropped; the others go on. */
static void test_bad_radio(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET);
    int fd = -1;
    while (fd < 0) {
        fd = air_socket_connect(endpoint);
        clock_sleep_until_ns(clock_mono_ns() + 5000000);
    }
    uint8_t bytes[3 * AIR_HEADER_BYTES + AIR_HELLO_BYTES];
    struct air_header h = {
        .type = AIR_HELLO, .role = AIR_ROLE_UE, .id = 1, .n_ant = 1, .payload_bytes = AIR_HELLO_BYTES};
    air_message_pack(bytes, &h);
    air_message_pack_hello(bytes + AIR_HEADER_BYTES, &(struct air_hello){1.92e6, 0});
    h = (struct air_header){.type = AIR_START};
    air_message_pack(bytes + AIR_HEADER_BYTES + AIR_HELLO_BYTES, &h);
    h = (struct air_header){
        .type = AIR_TX, .n_ant = 1, .n_samples = CHUNK, .flags = AIR_FLAG_SILENT, .tick = 7 * CHUNK};
    air_message_pack(bytes + 2 * AIR_HEADER_BYTES + AIR_HELLO_BYTES, &h);
    const size_t join_bytes = 2 * AIR_HEADER_BYTES + AIR_HELLO_BYTES;
    assert_int_equal(send(fd, bytes, join_bytes, MSG_NOSIGNAL), join_bytes);
    struct script s[2] = {{.role = "ap", .id = 0, .n_ant = 2, .n_chunk = 50},
                          {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 50}};
    pthread_t thread[2];
    pthread_create(&thread[0], NULL, follow, &s[0]);
    pthread_create(&thread[1], NULL, follow, &s[1]);
    while (!strstr(read_log(), "CLOCK-START")) {
        clock_sleep_until_ns(clock_mono_ns() + 5000000);
    }
    assert_int_equal(send(fd, bytes + join_bytes, AIR_HEADER_BYTES, MSG_NOSIGNAL), AIR_HEADER_BYTES);
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    close(fd);
    assert_int_equal(end_air(air, " bad_peers="), 1);
    assert_fine(&s[0]);
    assert_fine(&s[1]);
    free_all(s, 2);
}

static bool somebody_is_put_out(void)
{
    return strstr(read_log(), "PUT-OUT");
}

static void test_put_out(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET, "air.radio_timeout_ms=2000");
    struct script s[3] = {{.role = "ap", .id = 0, .n_ant = 2, .n_chunk = 50},
                          {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 50},
                          {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 20, .pause_over = somebody_is_put_out}};
    run_all(s, 3);
    assert_int_equal(end_air(air, " put_out="), 1);
    assert_fine(&s[0]);
    assert_fine(&s[1]);
    assert_true(!s[0].gap && s[0].next == 50 * CHUNK);
    assert_int_equal(s[2].error, TUTTI_EDEVICE);
    free_all(s, 3);
}

/* Losing the medium is a fault of the radio. */
static void test_medium_dies(void **state)
{
    (void)state;
    const pid_t air = AIR(QUIET, "air.mode=paced", "air.wait_for_all=false");
    struct script s = {.role = "ap", .id = 0, .n_ant = 2, .n_chunk = 3000};
    pthread_t thread;
    pthread_create(&thread, NULL, follow, &s);
    while (!strstr(read_log(), "CLOCK-START")) {
        clock_sleep_until_ns(clock_mono_ns() + 5000000);
    }
    kill(air, SIGKILL);
    waitpid(air, NULL, 0);
    pthread_join(thread, NULL);
    assert_int_equal(s.error, TUTTI_EDEVICE);
    free_all(&s, 1);
}

static void test_tcp(void **state)
{
    (void)state;
    char unix_endpoint[sizeof endpoint];
    memcpy(unix_endpoint, endpoint, sizeof endpoint);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", 20000 + (int)getpid() % 10000);
    const pid_t air = AIR(QUIET);
    struct script s[3] = {{.role = "ap",
                           .id = 0,
                           .n_ant = 2,
                           .n_chunk = 20,
                           .n_burst = 1,
                           .burst = {{.when = 13000, .at = 7 * CHUNK, .value = {0.5f}, .n = 1}}},
                          {.role = "ue", .id = 0, .n_ant = 1, .n_chunk = 20},
                          {.role = "ue", .id = 1, .n_ant = 1, .n_chunk = 20}};
    run_all(s, 3);
    end_air(air, " late=");
    memcpy(endpoint, unix_endpoint, sizeof endpoint);
    assert_fine(&s[1]);
    assert_near((double)cabsf(sample(&s[1], 0, 7 * CHUNK)), 0.5, 1e-5);
    free_all(s, 3);
}

int main(int argc, char **argv)
{
    air_path = argc > 1 ? argv[1] : "tutti-air";
    snprintf(endpoint, sizeof endpoint, "unix:///tmp/tutti-air-test-%d.sock", (int)getpid());
    snprintf(log_path, sizeof log_path, "/tmp/tutti-air-test-%d.log", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst),      cmocka_unit_test(test_span),           cmocka_unit_test(test_host_time),
        cmocka_unit_test(test_late_burst), cmocka_unit_test(test_kill),           cmocka_unit_test(test_late_joiner),
        cmocka_unit_test(test_start_at),   cmocka_unit_test(test_two_runs_equal), cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_paced),          cmocka_unit_test(test_paced_overflow),
        cmocka_unit_test(test_bad_radio),  cmocka_unit_test(test_put_out),        cmocka_unit_test(test_medium_dies),
        cmocka_unit_test(test_tcp)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path);
    air_socket_remove(endpoint); /* a killed medium leaves it */
    return failed;
}
