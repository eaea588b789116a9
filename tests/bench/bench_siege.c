/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a siege of strangers costs those inside, in one run and in turn so that quiet and besieged messages meet the
 * same machine: round trips of 2 KiB every 3 ms over encrypted tcp loopback, in a thread beside the hub's.
 *
 *   bench_siege [--turns N] [--priority P]
 *
 * --priority gives hub, peer and their I/O threads SCHED_FIFO priority P, as engine.realtime_priority does: a stranger
 * comes through the network, he does not take the CPU node's cores as those of this program do. */
#include "../fronthaul/strangers.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "base/stats.h"
#include "fronthaul/hub.h"
#include "fronthaul/wire.h"
#include "row.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_TRIPS = 250, TRIP_BYTES = 2048, TIMEOUT_MS = 60000 };
#define TRIP_PERIOD_NS UINT64_C(3000000)
#define BUDGET_NS UINT64_C(1384000) /* of a block in the default frame (docs/latency.md) */

struct trips {
    struct stats_hist hist;
    int n, n_late;
};

static struct sockaddr_in address;
static char endpoint[64], directory[] = "/tmp/bench-siege-XXXXXX";
static int n_turns = 7, priority;
static atomic_bool stop;

static void die(const char *what)
{
    fprintf(stderr, "bench_siege: %s: %s\n", what, error_text());
    exit(1);
}

static void *host_main(void *argument)
{
    fh_hub_t *hub = argument;
    struct fh_event event;
    rt_priority(priority);
    while (!atomic_load(&stop) && fh_hub_wait(hub, -1, 5000, &event) == TUTTI_OK) {
        if (event.kind == FH_EVENT_DATA) {
            fh_hub_send(hub, event.role, event.id, event.data, event.n_bytes);
        }
    }
    return NULL;
}

static fh_hub_t *start_hub(pthread_t *thread)
{
    const struct fh_hub_settings settings = {.endpoint = endpoint,
                                             .n_ap = 1,
                                             .fingerprint = STRANGERS_FINGERPRINT,
                                             .welcome = {.session = 1},
                                             .peer_timeout_ms = TIMEOUT_MS,
                                             .key_dir = directory,
                                             .io_priority = priority};
    fh_hub_t *hub;
    if (fh_hub_create(&hub, &settings) || pthread_create(thread, NULL, host_main, hub)) {
        die("hub");
    }
    return hub;
}

static fh_peer_t *join(void)
{
    const struct fh_hello hello = {
        .role = FH_ROLE_AP, .fingerprint = STRANGERS_FINGERPRINT, .key_dir = directory, .io_priority = priority};
    struct fh_event event = {0};
    fh_peer_t *peer;
    if (fh_peer_create(&peer, endpoint, &hello, TIMEOUT_MS)) {
        die("peer");
    }
    for (int i = 0; i < 500 && event.kind != FH_EVENT_UP; i++) {
        if (fh_peer_wait(peer, -1, 100000, &event)) {
            die("peer");
        }
    }
    return peer;
}

/* One message per period, measured from when it was due. */
static void take_turn(fh_peer_t *peer, struct trips *trips)
{
    static uint8_t message[TRIP_BYTES + WIRE_HEADER_BYTES];
    uint64_t due_ns = clock_mono_ns();
    for (uint64_t i = 0; i < N_TRIPS; i++, due_ns += TRIP_PERIOD_NS) {
        const struct wire_header header = {.type = WIRE_PROBE, .block = i, .payload_bytes = TRIP_BYTES};
        struct fh_event event = {0};
        clock_sleep_until_ns(due_ns);
        fh_peer_send(peer, message, wire_pack_probe(message, sizeof message, &header, message + WIRE_HEADER_BYTES));
        while (event.kind != FH_EVENT_DATA) {
            if (fh_peer_wait(peer, -1, 1000000, &event)) {
                die("peer");
            }
        }
        const uint64_t took_ns = clock_mono_ns() - due_ns;
        stats_hist_add(&trips->hist, took_ns);
        trips->n_late += took_ns > BUDGET_NS;
        trips->n++;
    }
}

static double us(const struct trips *trips, double quantile)
{
    return (double)stats_hist_quantile(&trips->hist, quantile) * 1e-3;
}

static void print(const struct trips *quiet, const struct trips *besieged)
{
    const struct trips *const both[] = {quiet, besieged};
    static const char *const names[] = {"quiet", "besieged"};
    row_section("round trips of %d bytes, priority %d", TRIP_BYTES, priority);
    for (int i = 0; i < 2; i++) {
        ROW(names[i], {"median_us", us(both[i], 0.5)}, {"p99_us", us(both[i], 0.99)},
            {"late_percent", 100.0 * both[i]->n_late / both[i]->n},
            {"median_of_quiet", us(both[i], 0.5) / us(quiet, 0.5)},
            {"p99_of_quiet", us(both[i], 0.99) / us(quiet, 0.99)});
    }
}

static void run(const char *program)
{
    static struct trips quiet, besieged, warm_up;
    pthread_t thread;
    const struct siege siege = siege_create(program, directory, &address);
    fh_hub_t *hub = start_hub(&thread);
    fh_peer_t *peer = join();
    rt_priority(priority);
    take_turn(peer, &warm_up);
    for (int turn = 0; turn < n_turns; turn++) {
        take_turn(peer, &quiet);
        siege_begin(&siege);
        take_turn(peer, &besieged);
        siege_end(&siege);
    }
    fh_peer_destroy(peer);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    fh_hub_destroy(hub);
    siege_destroy(&siege);
    print(&quiet, &besieged);
}

static void remove_keys(void)
{
    static const char *const names[] = {"public.keys", "cpu.key", "ap0.key", "observer.key"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
}

int main(int argc, char **argv)
{
    const struct keys_network network = {.n_ap = 1};
    if (argc == 4 && strcmp(argv[1], "besiege") == 0) {
        return strangers_besiege(argv[2], argv[3]);
    }
    row_open(&argc, argv);
    for (int i = 1; i + 1 < argc; i += 2) {
        int *const value = strcmp(argv[i], "--turns") == 0 ? &n_turns : &priority;
        *value = atoi(argv[i + 1]);
    }
    strangers_choose_port(&address, endpoint);
    if (argc % 2 == 0 || n_turns < 1 || !mkdtemp(directory) || keys_generate(directory, &network)) {
        die("usage: bench_siege [--turns N] [--priority P] [--json]");
    }
    run(argv[0]);
    remove_keys();
    return 0;
}
