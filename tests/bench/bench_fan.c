/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How should one CPU node listen to many APs? Plain libzmq, ipc, at block cadence: all APs send at once, the server
 * answers each message, an AP's round trip is measured. Three servers take turns in one run: one ROUTER; one ROUTER
 * with two I/O threads; one DEALER per AP, each on an endpoint of its own, polled together.
 *
 *   bench_fan [n_ap [bytes [blocks]]]
 *
 * Also what one hand-over between two sleeping threads costs, back to back and at block cadence: a round trip through
 * ZeroMQ has six of them (each side's application and I/O thread, there and back), through a bare socket two. */
#include "base/clock.h"
#include "base/rt.h"
#include "base/stats.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

enum { MAX_AP = 128, MAX_BYTES = 65536, N_SERVERS = 3, TURN = 20, INTERVAL_NS = 5000000 };

static const char *const server_name[N_SERVERS] = {"one ROUTER", "one ROUTER, 2 I/O threads", "a socket per AP"};
static char directory[] = "/tmp/bench-fan-XXXXXX";
static int n_ap = 16;
static size_t n_bytes = 6608;

static void endpoint_of(char text[96], int server, int ap)
{
    snprintf(text, 96, "ipc://%s/%d-%d", directory, server, server == 2 ? ap : 0);
}

/* Answers everything that is there. */
static void answer_all(void *socket, bool router)
{
    static uint8_t data[MAX_BYTES];
    uint8_t identity[64];
    for (;;) {
        const int n_identity = router ? zmq_recv(socket, identity, sizeof identity, ZMQ_DONTWAIT) : 0;
        const int n = n_identity < 0 ? -1 : zmq_recv(socket, data, sizeof data, ZMQ_DONTWAIT);
        if (n < 0) {
            return;
        }
        if (router) {
            zmq_send(socket, identity, (size_t)n_identity, ZMQ_SNDMORE);
        }
        zmq_send(socket, data, (size_t)n, 0);
    }
}

static void serve(int server)
{
    void *context = zmq_ctx_new();
    zmq_pollitem_t items[MAX_AP];
    const int n = server == 2 ? n_ap : 1;
    zmq_ctx_set(context, ZMQ_IO_THREADS, server == 1 ? 2 : 1);
    for (int i = 0; i < n; i++) {
        char text[96];
        endpoint_of(text, server, i);
        items[i] = (zmq_pollitem_t){.socket = zmq_socket(context, server == 2 ? ZMQ_DEALER : ZMQ_ROUTER),
                                    .events = ZMQ_POLLIN};
        if (zmq_bind(items[i].socket, text)) {
            exit(1);
        }
    }
    while (zmq_poll(items, n, -1) >= 0) {
        for (int i = 0; i < n; i++) {
            if (items[i].revents) {
                answer_all(items[i].socket, server != 2);
            }
        }
    }
}

struct ap {
    pthread_t thread;
    int id;
    struct stats_hist hist[N_SERVERS];
};
static struct ap aps[MAX_AP];
static _Atomic uint64_t first_ns[N_SERVERS]; /* when a server's turn begins; 0: not yet */
static pthread_barrier_t ready;
static int n_turns = 10;

static void *ap_main(void *argument)
{
    struct ap *ap = argument;
    void *context = zmq_ctx_new(), *socket[N_SERVERS];
    uint8_t *data = calloc(1, MAX_BYTES);
    if (!data) {
        exit(1);
    }
    for (int s = 0; s < N_SERVERS; s++) {
        char text[96];
        endpoint_of(text, s, ap->id);
        socket[s] = zmq_socket(context, ZMQ_DEALER);
        zmq_connect(socket[s], text);
    }
    for (int turn = 0; turn < n_turns * N_SERVERS; turn++) {
        const int s = turn % N_SERVERS;
        pthread_barrier_wait(&ready);
        if (ap->id == 0) {
            atomic_store(&first_ns[s], clock_mono_ns() + 20000000u);
        }
        pthread_barrier_wait(&ready);
        for (uint64_t b = 0; b < TURN; b++) {
            clock_sleep_until_ns(atomic_load(&first_ns[s]) + b * INTERVAL_NS);
            const uint64_t start_ns = clock_mono_ns();
            if (zmq_send(socket[s], data, n_bytes, 0) < 0 || zmq_recv(socket[s], data, MAX_BYTES, 0) < 0) {
                exit(1);
            }
            if (b > 1) {
                stats_hist_add(&ap->hist[s], clock_mono_ns() - start_ns);
            }
        }
    }
    for (int s = 0; s < N_SERVERS; s++) {
        zmq_close(socket[s]);
    }
    zmq_ctx_term(context);
    free(data);
    return NULL;
}

static int there, back;

static void *echo_main(void *unused)
{
    while (rt_event_wait(there, -1)) {
        rt_event_signal(back);
    }
    return unused;
}

static void measure_hand_over(void)
{
    pthread_t thread;
    there = rt_event_create();
    back = rt_event_create();
    pthread_create(&thread, NULL, echo_main, NULL);
    for (int spaced = 0; spaced < 2; spaced++) {
        struct stats_hist hist = {0};
        for (int i = 0; i < 300; i++) {
            if (spaced) {
                clock_sleep_until_ns(clock_mono_ns() + INTERVAL_NS);
            }
            const uint64_t start_ns = clock_mono_ns();
            rt_event_signal(there);
            rt_event_wait(back, -1);
            stats_hist_add(&hist, (clock_mono_ns() - start_ns) / 2);
        }
        printf("hand-over between two threads, %-12s p50_us=%.1f p99_us=%.1f\n", spaced ? "5 ms apart" : "back to back",
               (double)stats_hist_quantile(&hist, 0.5) / 1e3, (double)stats_hist_quantile(&hist, 0.99) / 1e3);
    }
}

static double cpu_s(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           1e-6 * (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

static void report(const pid_t *pid)
{
    double base = 0;
    for (int s = 0; s < N_SERVERS; s++) {
        struct stats_hist all = {0};
        struct rusage usage;
        for (int i = 0; i < n_ap; i++) {
            stats_hist_merge(&all, &aps[i].hist[s]);
        }
        kill(pid[s], SIGKILL);
        wait4(pid[s], NULL, 0, &usage);
        const double p50 = (double)stats_hist_quantile(&all, 0.5);
        base = s == 0 ? p50 : base;
        printf("%3d APs %6zu B %-26s p50_us=%-8.1f p99_us=%-8.1f of_first_p50=%.2f server_cpu_us_per_message=%.1f\n",
               n_ap, n_bytes, server_name[s], p50 / 1e3, (double)stats_hist_quantile(&all, 0.99) / 1e3, p50 / base,
               1e6 * cpu_s(&usage) / ((double)n_turns * TURN * n_ap));
    }
}

int main(int argc, char **argv)
{
    pid_t pid[N_SERVERS];
    n_ap = argc > 1 ? atoi(argv[1]) : n_ap;
    n_bytes = argc > 2 ? (size_t)atol(argv[2]) : n_bytes;
    n_turns = argc > 3 ? (atoi(argv[3]) + TURN - 1) / TURN : n_turns;
    if (n_ap < 1 || n_ap > MAX_AP || n_bytes < 1 || n_bytes > MAX_BYTES || n_turns < 1 || !mkdtemp(directory)) {
        fprintf(stderr, "usage: bench_fan [n_ap 1..%d [bytes 1..%d [blocks]]]\n", MAX_AP, MAX_BYTES);
        return 2;
    }
    for (int s = 0; s < N_SERVERS; s++) {
        if ((pid[s] = fork()) == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(s);
            _exit(1);
        }
    }
    measure_hand_over();
    pthread_barrier_init(&ready, NULL, (unsigned)n_ap);
    for (int i = 0; i < n_ap; i++) {
        aps[i].id = i;
        if (pthread_create(&aps[i].thread, NULL, ap_main, &aps[i])) {
            return 1;
        }
    }
    for (int i = 0; i < n_ap; i++) {
        pthread_join(aps[i].thread, NULL);
    }
    report(pid);
    for (int s = 0; s < N_SERVERS; s++) {
        for (int i = 0; i < (s == 2 ? n_ap : 1); i++) {
            char text[96];
            endpoint_of(text, s, i);
            unlink(text + strlen("ipc://"));
        }
    }
    return rmdir(directory) != 0;
}
