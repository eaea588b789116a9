/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may talk to the CPU node, and what those who may not can do to it: over TCP on the loopback, with real sockets.
 * Strangers are plain ZeroMQ sockets and plain TCP sockets, not the library's own peers. */
#include "base/clock.h"
#include "base/error.h"
#include "fronthaul/control.h"
#include "fronthaul/hub.h"
#include "fronthaul/keys.h"
#include "fronthaul/wire.h"
#include "strangers.h"

#include <dirent.h>
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

enum { TIMEOUT_MS = 600, PATIENCE_MS = 60000, N_HALF = STRANGERS_HALF };
#define FINGERPRINT STRANGERS_FINGERPRINT

static char directory[64], keys[96], other_keys[96], endpoint[64];
static const char *program;
static double timeout_ms = TIMEOUT_MS;
static struct sockaddr_in address;

/* Places -------------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    const struct keys_network network = {.n_ap = 4, .n_ue = 2, .n_eve = 1, .n_cpu = 2};
    (void)state;
    strcpy(directory, "/tmp/tutti-test-strangers-XXXXXX");
    if (!mkdtemp(directory)) {
        return -1;
    }
    snprintf(keys, sizeof keys, "%s/keys", directory);
    snprintf(other_keys, sizeof other_keys, "%s/other", directory);
    strangers_choose_port(&address, endpoint);
    return keys_generate(keys, &network) || keys_generate(other_keys, &network) ? -1 : 0;
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char inside[512];
        if (entry->d_name[0] != '.' && snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) > 0 &&
            unlink(inside)) {
            remove_tree(inside);
        }
    }
    if (dir) {
        closedir(dir);
    }
    rmdir(path);
}

static int tear_down(void **state)
{
    (void)state;
    remove_tree(directory);
    return 0;
}

static fh_hub_t *make_hub(const char *key_dir)
{
    const struct fh_hub_settings settings = {.endpoint = endpoint,
                                             .n_ap = 4,
                                             .n_ue = 2,
                                             .observers = true,
                                             .n_cpu = 2,
                                             .fingerprint = FINGERPRINT,
                                             .welcome = {.session = 1},
                                             .peer_timeout_ms = timeout_ms,
                                             .key_dir = key_dir};
    fh_hub_t *hub;
    if (fh_hub_create(&hub, &settings)) {
        fail_msg("hub: %s", error_text());
    }
    return hub;
}

static fh_peer_t *make_peer(const char *key_dir, enum fh_role role, int id)
{
    const struct fh_hello hello = {.role = role, .id = id, .fingerprint = FINGERPRINT, .key_dir = key_dir};
    fh_peer_t *peer;
    if (fh_peer_create(&peer, endpoint, &hello, timeout_ms)) {
        fail_msg("peer: %s", error_text());
    }
    return peer;
}

static double ms_since(uint64_t start_ns)
{
    return (double)(clock_mono_ns() - start_ns) * 1e-6;
}

/* The hub in a thread of its own, as the CPU node has it: what comes goes back to whom it came from. */
struct host {
    fh_hub_t *hub;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint_fast64_t refused; /* handshakes so far */
    struct fh_counters counters;  /* when it has stopped */
};

static void *host_main(void *argument)
{
    struct host *host = argument;
    struct fh_event event;
    while (!atomic_load(&host->stop) && fh_hub_wait(host->hub, -1, 5000, &event) == TUTTI_OK) {
        if (event.kind == FH_EVENT_DATA) {
            fh_hub_send(host->hub, event.role, event.id, event.data, event.n_bytes);
        }
        fh_hub_counters(host->hub, &host->counters);
        atomic_store(&host->refused, host->counters.handshake_refused);
    }
    return NULL;
}

static void start_host(struct host *host, const char *key_dir)
{
    memset(host, 0, sizeof *host);
    host->hub = make_hub(key_dir);
    assert_int_equal(pthread_create(&host->thread, NULL, host_main, host), 0);
}

static void stop_host(struct host *host)
{
    atomic_store(&host->stop, true);
    pthread_join(host->thread, NULL);
    fh_hub_destroy(host->hub);
}

static void wait_for_peer(fh_peer_t *peer, enum fh_event_kind kind)
{
    const uint64_t start_ns = clock_mono_ns();
    struct fh_event event = {0};
    while (event.kind != kind) {
        assert_int_equal(fh_peer_wait(peer, -1, 10000, &event), TUTTI_OK);
        if (ms_since(start_ns) > PATIENCE_MS) {
            fail_msg("event %d did not come", (int)kind);
        }
    }
}

static void wait_for_refused(struct host *host, uint64_t n)
{
    const uint64_t start_ns = clock_mono_ns();
    while (atomic_load(&host->refused) < n && ms_since(start_ns) < PATIENCE_MS) {
        usleep(2000);
    }
}

/* Every kind of stranger in turn, nobody else there: what they send is not looked at, and each is counted. */
static void test_nothing_of_a_stranger_is_looked_at(void **state)
{
    (void)state;
    struct host host;
    struct key_pair own, known;
    char server[KEY_TEXT_ROOM], wrong_server[KEY_TEXT_ROOM];
    int half[N_HALF];
    start_host(&host, keys);
    strangers_throw_garbage(&address, 60);
    strangers_open_half(&address, half); /* the hub ends these */
    wait_for_refused(&host, 60 + N_HALF);
    assert_int_equal(atomic_load(&host.refused), 60 + N_HALF);
    strangers_close_half(half);

    void *context = zmq_ctx_new();
    strangers_server_key(server, keys);
    strangers_server_key(wrong_server, other_keys);
    strangers_random_pair(&own);
    assert_int_equal(keys_read_pair(&known, keys, "ap1"), 0);
    void *strangers[] = {strangers_zmq(context, endpoint, NULL, NULL), strangers_zmq(context, endpoint, &own, server),
                         strangers_zmq(context, endpoint, &known, wrong_server)};
    wait_for_refused(&host, 60 + N_HALF + 3);
    usleep(100000);
    for (int i = 0; i < 3; i++) {
        char answer[8];
        assert_int_equal(zmq_recv(strangers[i], answer, sizeof answer, ZMQ_DONTWAIT), -1);
        zmq_close(strangers[i]);
    }
    zmq_ctx_term(context);
    stop_host(&host);
    assert_true(host.counters.handshake_refused >= 60 + N_HALF + 3);
    assert_int_equal(host.counters.classified, 0);
    assert_int_equal(host.counters.unknown_peer, 0);
    assert_int_equal(host.counters.bad_control, 0);
    keys_forget(&known);
}

/* The counter counts: on an open link the same strangers do reach it. */
static void test_on_an_open_link_they_are_looked_at(void **state)
{
    (void)state;
    struct host host;
    start_host(&host, NULL);
    void *context = zmq_ctx_new();
    void *stranger = strangers_zmq(context, endpoint, NULL, NULL);
    char answer[CONTROL_MAX_OWN_BYTES];
    assert_true(zmq_recv(stranger, answer, sizeof answer, 0) > 0);
    zmq_close(stranger);
    zmq_ctx_term(context);
    stop_host(&host);
    assert_true(host.counters.classified >= 1);
}

/* A legitimate peer meanwhile ----------------------------------------------------------------------------------- */

enum { N_TRIPS = 150, N_TURNS = 4, TRIP_BYTES = 2048, STRANGERS_PER_TURN = 100, OWN_CONTROL = 100 };

/* One message at a time, numbered, each must come back as it was sent; at least N_TRIPS of them and until so many
 * strangers were refused meanwhile. Returns how many. */
static uint64_t round_trips(fh_peer_t *peer, struct host *host, uint64_t n_strangers)
{
    static uint8_t message[TRIP_BYTES + WIRE_HEADER_BYTES];
    const uint64_t start_ns = clock_mono_ns(), before = atomic_load(&host->refused);
    uint64_t n = 0;
    for (; n < N_TRIPS || atomic_load(&host->refused) - before < n_strangers; n++) {
        struct fh_event event = {0};
        struct wire_header header = {.type = WIRE_PROBE, .block = n, .payload_bytes = TRIP_BYTES};
        memset(message + WIRE_HEADER_BYTES, (int)(n % 251), TRIP_BYTES);
        const size_t size = wire_pack_probe(message, sizeof message, &header, message + WIRE_HEADER_BYTES);
        assert_int_equal(fh_peer_send(peer, message, size), TUTTI_OK);
        while (event.kind != FH_EVENT_DATA) {
            assert_int_equal(fh_peer_wait(peer, -1, 10000, &event), TUTTI_OK);
            assert_int_not_equal(event.kind, FH_EVENT_DOWN);
            assert_true(ms_since(start_ns) < PATIENCE_MS);
        }
        assert_int_equal(event.n_bytes, size);
        assert_memory_equal(event.data, message, size);
    }
    return n;
}

/* Quiet and besieged in turn. Every message of the one inside comes back in order, its link never breaks, the strangers
 * are all counted and not one of their frames is looked at. What the siege costs in time, bench_siege prints. */
static void test_a_siege_does_not_disturb_those_inside(void **state)
{
    (void)state;
    struct host host;
    struct fh_counters seen;
    uint64_t n_sent = 0;
    const struct siege siege = siege_create(program, keys, &address);
    timeout_ms = PATIENCE_MS; /* hardly a heartbeat: frames are counted */
    start_host(&host, keys);
    fh_peer_t *peer = make_peer(keys, FH_ROLE_AP, 0);
    wait_for_peer(peer, FH_EVENT_UP);
    for (int turn = 0; turn < N_TURNS; turn++) {
        n_sent += round_trips(peer, &host, 0);
        const uint64_t before = atomic_load(&host.refused);
        siege_begin(&siege);
        n_sent += round_trips(peer, &host, STRANGERS_PER_TURN);
        const uint64_t came = (uint64_t)(siege_end(&siege) * STRANGERS_PER_ROUND + STRANGERS_HALF);
        wait_for_refused(&host, before + came);
        assert_true(atomic_load(&host.refused) - before >= came);
    }
    fh_peer_counters(peer, &seen);
    fh_peer_destroy(peer);
    stop_host(&host);
    timeout_ms = TIMEOUT_MS;
    assert_int_equal(siege_destroy(&siege), 0);
    printf("%d messages among %d strangers, %d frames looked into\n", (int)n_sent, (int)host.counters.handshake_refused,
           (int)host.counters.classified);
    assert_int_equal(seen.reconnects, 0);
    assert_int_equal(host.counters.received, n_sent);
    assert_int_equal(host.counters.unknown_peer, 0);
    assert_int_equal(host.counters.bad_control, 0);
    assert_in_range(host.counters.classified, n_sent, n_sent + OWN_CONTROL);
}

/* Keys ---------------------------------------------------------------------------------------------------------- */

static void test_a_key_is_for_one_node_only(void **state)
{
    (void)state;
    const struct {
        const char *thief, *as;
        enum fh_role role;
        int id;
    } cases[] = {{"ap1", "ap2", FH_ROLE_AP, 2},
                 {"ap1", "ue1", FH_ROLE_UE, 1},
                 {"observer", "ap0", FH_ROLE_AP, 0},
                 {"ap1", "cpu1", FH_ROLE_CPU, 1}};
    struct host host;
    start_host(&host, keys);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[256], command[600], want[128];
        struct key_pair pair;
        assert_int_equal(keys_read_pair(&pair, keys, cases[i].thief), 0);
        snprintf(path, sizeof path, "%s/%s.key", other_keys, cases[i].as);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fprintf(file, "%s %s %s\n", cases[i].as, pair.public_key, pair.secret_key);
        fclose(file);
        snprintf(command, sizeof command, "cp %s/public.keys %s/public.keys", keys, other_keys);
        assert_int_equal(system(command), 0);
        fh_peer_t *peer = make_peer(other_keys, cases[i].role, cases[i].id);
        wait_for_peer(peer, FH_EVENT_REFUSED);
        snprintf(want, sizeof want, "refused by the CPU node: the key belongs to %s, not to %s", cases[i].thief,
                 cases[i].as);
        assert_non_null(strstr(error_text(), want));
        fh_peer_destroy(peer);
    }
    fh_peer_t *right = make_peer(keys, FH_ROLE_AP, 2), *watcher = make_peer(keys, FH_ROLE_OBSERVER, 77);
    fh_peer_t *second = make_peer(keys, FH_ROLE_CPU, 1);
    wait_for_peer(right, FH_EVENT_UP);
    wait_for_peer(watcher, FH_EVENT_UP);
    wait_for_peer(second, FH_EVENT_UP);
    fh_peer_destroy(second);
    fh_peer_destroy(right);
    fh_peer_destroy(watcher);
    stop_host(&host);
}

/* Of several central nodes each has its own key: the first one cannot stand in the second one's place. */
static void test_central_nodes_are_told_apart(void **state)
{
    (void)state;
    struct host host;
    start_host(&host, keys);
    const struct fh_hello hello = {.role = FH_ROLE_AP, .id = 1, .cpu = 1, .fingerprint = FINGERPRINT, .key_dir = keys};
    fh_peer_t *peer;
    assert_int_equal(fh_peer_create(&peer, endpoint, &hello, timeout_ms), TUTTI_OK);
    struct fh_counters counters = {0};
    const uint64_t start_ns = clock_mono_ns();
    while (counters.handshake_refused == 0 && ms_since(start_ns) < PATIENCE_MS) {
        struct fh_event event;
        assert_int_equal(fh_peer_wait(peer, -1, 10000, &event), TUTTI_OK);
        assert_int_not_equal(event.kind, FH_EVENT_UP);
        fh_peer_counters(peer, &counters);
    }
    assert_true(counters.handshake_refused > 0);
    fh_peer_destroy(peer);
    stop_host(&host);
}

static void test_a_refused_peer_keeps_trying(void **state)
{
    (void)state;
    const char *const first[] = {other_keys, NULL}; /* strangers' keys; no encryption */
    for (int i = 0; i < 2; i++) {
        struct host host;
        struct fh_counters seen;
        start_host(&host, first[i]);
        fh_peer_t *peer = make_peer(keys, FH_ROLE_AP, 3);
        const uint64_t start_ns = clock_mono_ns();
        do {
            struct fh_event event;
            assert_int_equal(fh_peer_wait(peer, -1, 10000, &event), TUTTI_OK);
            assert_int_not_equal(event.kind, FH_EVENT_UP);
            fh_peer_counters(peer, &seen);
            assert_true(ms_since(start_ns) < PATIENCE_MS);
        } while (seen.handshake_refused < 2);
        stop_host(&host);
        start_host(&host, keys);
        wait_for_peer(peer, FH_EVENT_UP);
        fh_peer_destroy(peer);
        stop_host(&host);
    }
}

static void expect_pair_error(const char *name, const char *part)
{
    struct key_pair pair;
    assert_true(keys_read_pair(&pair, keys, name) < 0);
    if (!strstr(error_text(), part)) {
        fail_msg("'%s' is not in: %s", part, error_text());
    }
    assert_int_equal(pair.secret_key[0], '\0');
}

static void test_key_files(void **state)
{
    (void)state;
    char path[256], to[256];
    struct stat st;
    struct key_pair pair, another;
    snprintf(path, sizeof path, "%s/ap1.key", keys);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(keys, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    const mode_t wrong[] = {0640, 0604, 0620, 0644, 0660, 0777};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char mode[300];
        assert_int_equal(chmod(path, wrong[i]), 0);
        snprintf(mode, sizeof mode, "%s: mode %04o", path, (unsigned)wrong[i]);
        expect_pair_error("ap1", mode);
        const struct fh_hello hello = {.role = FH_ROLE_AP, .id = 1, .key_dir = keys};
        fh_peer_t *peer;
        assert_true(fh_peer_create(&peer, endpoint, &hello, TIMEOUT_MS) < 0);
        fh_peer_destroy(peer);
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(keys_read_pair(&pair, keys, "ap1"), 0);
    assert_int_equal(strlen(pair.secret_key), 40);
    assert_int_equal(keys_read_pair(&another, keys, "ap2"), 0);
    assert_string_not_equal(pair.secret_key, another.secret_key);

    snprintf(to, sizeof to, "%s/ap3.key", keys);
    assert_int_equal(unlink(to), 0);
    expect_pair_error("ap3", "No such file or directory (keys are made by `tutti keygen`)");
    assert_int_equal(rename(path, to), 0);
    expect_pair_error("ap3", "holds the key of ap1, not of ap3");
    assert_int_equal(chmod(to, 0600), 0);
    FILE *file = fopen(to, "w");
    fprintf(file, "ap3 %s %s\n", another.public_key, pair.secret_key);
    fclose(file);
    expect_pair_error("ap3", "do not belong together");
    file = fopen(to, "w");
    fprintf(file, "ap3 %s\n", another.public_key);
    fclose(file);
    expect_pair_error("ap3", "not a key file");
    assert_int_equal(unlink(to) || mkdir(to, 0700), 0);
    expect_pair_error("ap3", "not a plain file");
}

static void test_key_list(void **state)
{
    (void)state;
    char path[256], line[160];
    struct key_list list;
    assert_int_equal(keys_read_list(&list, keys), 0);
    assert_int_equal(list.n, 3 + 4 + 2 + 1);
    assert_string_equal(keys_find_key(&list, keys_find_name(&list, "eve0")->public_key)->name, "eve0");
    assert_null(keys_find_name(&list, "ap4"));
    snprintf(line, sizeof line, "ap9 %s\n", keys_find_name(&list, "ap0")->text);
    keys_free_list(&list);
    snprintf(path, sizeof path, "%s/public.keys", keys);
    assert_int_equal(chmod(path, 0664), 0);
    assert_true(keys_read_list(&list, keys) < 0);
    assert_non_null(strstr(error_text(), "public.keys: mode 0664"));
    assert_int_equal(chmod(path, 0644), 0);
    FILE *file = fopen(path, "a");
    fputs(line, file);
    fclose(file);
    assert_true(keys_read_list(&list, keys) < 0);
    assert_non_null(strstr(error_text(), "ap0 and ap9 have the same name or key"));
    file = fopen(path, "w");
    fputs("# nobody\n", file);
    fclose(file);
    assert_true(keys_read_list(&list, keys) < 0);
    assert_non_null(strstr(error_text(), "the key of cpu is not in it"));
    const struct keys_network network = {.n_ap = 1};
    assert_true(keys_generate(keys, &network) < 0);
    assert_non_null(strstr(error_text(), "keys are not overwritten"));
}

/* A peer that stops reading --------------------------------------------------------------------------------------- */

enum { BIG_BYTES = 64 * 1024, N_BIG = 1500, HIGH_WATER = 64 };

static long n_sleeps(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nvcsw;
}

/* Sends to it end at the high-water marks and the kernel's buffers; another peer misses nothing and waits for nothing:
 * sends that waited for room would give up the processor each time. */
static void test_a_peer_that_stops_reading_delays_nobody(void **state)
{
    (void)state;
    timeout_ms = PATIENCE_MS;
    fh_hub_t *hub = make_hub(keys);
    fh_peer_t *stalled = make_peer(keys, FH_ROLE_AP, 0), *good = make_peer(keys, FH_ROLE_AP, 1);
    struct fh_event event;
    const uint64_t start_ns = clock_mono_ns();
    while (!fh_hub_alive(hub, FH_ROLE_AP, 0) || !fh_hub_alive(hub, FH_ROLE_AP, 1)) {
        fh_hub_wait(hub, -1, 1000, &event);
        fh_peer_wait(stalled, -1, 1000, &event);
        fh_peer_wait(good, -1, 1000, &event);
        assert_true(ms_since(start_ns) < PATIENCE_MS);
    }
    static uint8_t message[BIG_BYTES + WIRE_HEADER_BYTES];
    int taken = 0, received = 0;
    long slept = 0;
    for (uint64_t i = 0; i < N_BIG; i++) {
        const struct wire_header header = {.type = WIRE_PROBE, .block = i, .payload_bytes = BIG_BYTES};
        const size_t n = wire_pack_probe(message, sizeof message, &header, message + WIRE_HEADER_BYTES);
        const long before = n_sleeps();
        taken += fh_hub_send(hub, FH_ROLE_AP, 0, message, n) == TUTTI_OK;
        assert_int_equal(fh_hub_send(hub, FH_ROLE_AP, 1, message, n), TUTTI_OK);
        slept += n_sleeps() - before;
        while (received <= (int)i) {
            assert_int_equal(fh_peer_wait(good, -1, 1000000, &event), TUTTI_OK);
            if (event.kind == FH_EVENT_DATA) {
                struct wire_header back;
                assert_int_equal(wire_unpack_header(event.data, event.n_bytes, &back), WIRE_OK);
                assert_int_equal(back.block, i);
                received++;
            }
        }
    }
    struct fh_counters counters;
    fh_hub_counters(hub, &counters);
    printf("%d of %d taken for the stalled peer, the sender slept %ld times\n", taken, N_BIG, slept);
    assert_int_equal(received, N_BIG);
    assert_int_equal(counters.dropped_full, N_BIG - taken);
    assert_true(taken < 2 * HIGH_WATER + 16 * 1024 * 1024 / BIG_BYTES); /* two queues and the kernel's buffers */
    assert_true(slept < (N_BIG - taken) / 4);
    fh_peer_destroy(good);
    fh_peer_destroy(stalled);
    fh_hub_destroy(hub);
    timeout_ms = TIMEOUT_MS;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "besiege") == 0) {
        return strangers_besiege(argv[2], argv[3]);
    }
    program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_of_a_stranger_is_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_on_an_open_link_they_are_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_siege_does_not_disturb_those_inside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_key_is_for_one_node_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_central_nodes_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_peer_keeps_trying, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_peer_that_stops_reading_delays_nobody, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
