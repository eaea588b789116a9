/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Round trips at block cadence, in one run and taking turns so that all meet the same machine: Tutti's peer and hub, a
 * plain libzmq DEALER and ROUTER, and a bare stream socket, over ipc (a unix socket) and tcp loopback.
 *
 *   bench_fronthaul [--pings N] [--busy-poll-us X] [--awake] [--curve DIR] [--fast]
 *
 * --busy-poll-us adds Tutti with that option at both ends. --awake keeps every core out of its idle state by a thread
 * of the lowest priority: what then remains is not the cost of waking a core. --curve adds Tutti encrypted over tcp,
 * with the keys of `tutti keygen`. --fast: 5 ms and 8 KiB only. */
#include "base/clock.h"
#include "base/error.h"
#include "base/stats.h"
#include "fronthaul/hub.h"
#include "fronthaul/wire.h"
#include "row.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

enum { MAX_BYTES = 512 * 1024, TURN = 25, FINGERPRINT = 0xbe, MAX_CONTENDERS = 6 };

struct options {
    int n_pings;
    double busy_poll_us;
    bool awake, fast;
    const char *key_dir;
};

struct contender {
    const char *name;
    bool tcp;
    double busy_poll_us;
    const char *key_dir;
    void (*serve)(const struct contender *);
    bool (*open)(struct contender *);
    bool (*ping)(struct contender *, size_t n_bytes); /* send and wait for all of it to come back */
    char address[96];                                 /* of ZeroMQ, of Tutti */
    int port;
    pid_t server;
    /* the near end */
    fh_peer_t *peer;
    void *context, *socket;
    int fd;
    uint64_t number;
    struct stats_hist hist;
};

static uint8_t buffer[MAX_BYTES], scratch[MAX_BYTES];

static void die(const char *what)
{
    fprintf(stderr, "bench_fronthaul: %s: %s\n", what, *error_text() ? error_text() : strerror(errno));
    exit(1);
}

/* Tutti ------------------------------------------------------------------------------------------------------------ */

static void tutti_serve(const struct contender *c)
{
    const struct fh_hub_settings settings = {.endpoint = c->address,
                                             .n_ap = 1,
                                             .fingerprint = FINGERPRINT,
                                             .welcome = {.session = 1},
                                             .peer_timeout_ms = 600000,
                                             .key_dir = c->key_dir};
    fh_hub_t *hub = NULL;
    if (fh_hub_create(&hub, &settings) < 0) {
        die("hub");
    }
    fh_hub_busy_poll(hub, c->busy_poll_us);
    for (;;) {
        struct fh_event event;
        struct wire_header header;
        if (fh_hub_wait(hub, -1, -1, &event) < 0) {
            die("hub");
        }
        if (event.kind != FH_EVENT_DATA || wire_unpack_header(event.data, event.n_bytes, &header) != WIRE_OK) {
            continue;
        }
        header.type = WIRE_PROBE_REPLY;
        const size_t n = wire_pack_probe(scratch, sizeof scratch, &header, event.data + WIRE_HEADER_BYTES);
        fh_hub_send(hub, FH_ROLE_AP, 0, scratch, n);
    }
}

static bool tutti_open(struct contender *c)
{
    const struct fh_hello hello = {.role = FH_ROLE_AP, .id = 0, .fingerprint = FINGERPRINT, .key_dir = c->key_dir};
    struct fh_event event = {0};
    if (fh_peer_create(&c->peer, c->address, &hello, 600000) < 0) {
        die("peer");
    }
    fh_peer_busy_poll(c->peer, c->busy_poll_us);
    for (int i = 0; i < 100 && event.kind != FH_EVENT_UP; i++) {
        if (fh_peer_wait(c->peer, -1, 100000, &event) < 0) {
            die("peer");
        }
    }
    return event.kind == FH_EVENT_UP;
}

static bool tutti_ping(struct contender *c, size_t n_bytes)
{
    const struct wire_header header = {
        .type = WIRE_PROBE, .block = ++c->number, .payload_bytes = (uint32_t)(n_bytes - WIRE_HEADER_BYTES)};
    wire_pack_probe(buffer, sizeof buffer, &header, buffer + WIRE_HEADER_BYTES);
    if (fh_peer_send(c->peer, buffer, n_bytes) < 0) {
        return false;
    }
    for (;;) {
        struct fh_event event;
        struct wire_header reply;
        if (fh_peer_wait(c->peer, -1, 1000000, &event) < 0 || event.kind == FH_EVENT_NONE) {
            return false;
        }
        if (event.kind == FH_EVENT_DATA && wire_unpack_header(event.data, event.n_bytes, &reply) == WIRE_OK &&
            reply.block == c->number) {
            return event.n_bytes == n_bytes;
        }
    }
}

/* ZeroMQ ----------------------------------------------------------------------------------------------------------- */

static void zmq_serve(const struct contender *c)
{
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_ROUTER);
    if (zmq_bind(socket, c->address)) {
        die("zmq_bind");
    }
    for (;;) {
        uint8_t identity[64];
        const int n_identity = zmq_recv(socket, identity, sizeof identity, 0);
        const int n = zmq_recv(socket, scratch, sizeof scratch, 0);
        if (n_identity < 0 || n < 0) {
            die("zmq_recv");
        }
        zmq_send(socket, identity, (size_t)n_identity, ZMQ_SNDMORE);
        zmq_send(socket, scratch, (size_t)n, 0);
    }
}

static bool zmq_open(struct contender *c)
{
    c->context = zmq_ctx_new();
    c->socket = zmq_socket(c->context, ZMQ_DEALER);
    return zmq_connect(c->socket, c->address) == 0;
}

static bool zmq_ping(struct contender *c, size_t n_bytes)
{
    return zmq_send(c->socket, buffer, n_bytes, 0) >= 0 &&
           zmq_recv(c->socket, scratch, sizeof scratch, 0) == (int)n_bytes;
}

/* A bare stream socket: four bytes of length, then so many. -----------------------------------------------------------
 */

static bool move_all(int fd, bool out, uint8_t *data, size_t n)
{
    while (n) {
        const ssize_t done = out ? send(fd, data, n, MSG_NOSIGNAL) : recv(fd, data, n, 0);
        if (done <= 0) {
            return false;
        }
        data += done;
        n -= (size_t)done;
    }
    return true;
}

static int stream_socket(const struct contender *c, bool listening)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)c->port)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(un.sun_path, c->address, strlen(c->address) + 1);
    const struct sockaddr *address = c->tcp ? (const struct sockaddr *)&in : (const struct sockaddr *)&un;
    const socklen_t size = c->tcp ? sizeof in : sizeof un;
    const int fd = socket(c->tcp ? AF_INET : AF_UNIX, SOCK_STREAM, 0), one = 1;
    if (c->tcp) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    if (listening) {
        return bind(fd, address, size) || listen(fd, 1) ? -1 : fd;
    }
    for (int i = 0; i < 100 && connect(fd, address, size); i++) {
        usleep(20000);
    }
    return fd;
}

static void stream_serve(const struct contender *c)
{
    const int listener = stream_socket(c, true), one = 1;
    const int fd = listener < 0 ? -1 : accept(listener, NULL, NULL);
    if (fd < 0) {
        die("stream server");
    }
    if (c->tcp) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    uint32_t n = 0;
    while (move_all(fd, false, (uint8_t *)&n, sizeof n) && move_all(fd, false, scratch + 4, n - 4)) {
        memcpy(scratch, &n, sizeof n);
        move_all(fd, true, scratch, n);
    }
    exit(0);
}

static bool stream_open(struct contender *c)
{
    c->fd = stream_socket(c, false);
    return c->fd >= 0;
}

static bool stream_ping(struct contender *c, size_t n_bytes)
{
    const uint32_t n = (uint32_t)n_bytes;
    memcpy(buffer, &n, sizeof n);
    return move_all(c->fd, true, buffer, n_bytes) && move_all(c->fd, false, scratch, n_bytes);
}

/* The contest ------------------------------------------------------------------------------------------------------ */

static void start(struct contender *c)
{
    fflush(stdout);
    const pid_t parent = getpid();
    c->server = fork();
    if (c->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
            c->serve(c);
        }
        _exit(1);
    }
    if (!c->open(c)) {
        die(c->name);
    }
}

static void stop(struct contender *c)
{
    fh_peer_destroy(c->peer);
    if (c->socket) {
        zmq_close(c->socket);
        zmq_ctx_term(c->context);
    }
    if (c->fd > 0) {
        close(c->fd);
    }
    kill(c->server, SIGKILL);
    waitpid(c->server, NULL, 0);
}

static void take_turn(struct contender *c, size_t n_bytes, uint64_t interval_ns, int n, bool count)
{
    uint64_t due_ns = clock_mono_ns() + interval_ns;
    for (int i = 0; i < n; i++, due_ns += interval_ns) {
        clock_sleep_until_ns(due_ns);
        const uint64_t start_ns = clock_mono_ns();
        if (!c->ping(c, n_bytes)) {
            die(c->name);
        }
        if (count && i > 0) { /* the first of a turn finds cold caches */
            stats_hist_add(&c->hist, clock_mono_ns() - start_ns);
        }
        const uint64_t now_ns = clock_mono_ns();
        due_ns = now_ns > due_ns + interval_ns ? now_ns : due_ns;
    }
}

static void contest(struct contender *c, int n, size_t n_bytes, uint64_t interval_us, int n_pings)
{
    for (int i = 0; i < n; i++) {
        stats_hist_reset(&c[i].hist);
        take_turn(&c[i], n_bytes, interval_us * 1000, 3, false);
    }
    for (int done = 0; done < n_pings; done += TURN - 1) {
        for (int i = 0; i < n; i++) {
            take_turn(&c[i], n_bytes, interval_us * 1000, TURN, true);
        }
    }
    const double base50 = (double)stats_hist_quantile(&c[1].hist, 0.5),
                 base99 = (double)stats_hist_quantile(&c[1].hist, 0.99);
    row_section("%s, %zu bytes every %llu us", c[0].tcp ? "tcp" : "ipc", n_bytes, (unsigned long long)interval_us);
    for (int i = 0; i < n; i++) {
        const double p50 = (double)stats_hist_quantile(&c[i].hist, 0.5),
                     p99 = (double)stats_hist_quantile(&c[i].hist, 0.99);
        ROW(c[i].name, {"median_us", p50 / 1e3}, {"p99_us", p99 / 1e3}, {"median_of_zmq", p50 / base50},
            {"p99_of_zmq", p99 / base99});
    }
}

static struct contender make_tutti(const char *name, bool tcp, double busy_poll_us, const char *key_dir)
{
    return (struct contender){.name = name,
                              .tcp = tcp,
                              .busy_poll_us = busy_poll_us,
                              .key_dir = key_dir,
                              .serve = tutti_serve,
                              .open = tutti_open,
                              .ping = tutti_ping};
}

static int make_contenders(struct contender *c, const struct options *o, bool tcp, const char *directory)
{
    int n = 0;
    c[n++] = make_tutti("tutti", tcp, 0, NULL);
    c[n++] = (struct contender){.name = "zmq", .tcp = tcp, .serve = zmq_serve, .open = zmq_open, .ping = zmq_ping};
    c[n++] = (struct contender){.name = tcp ? "bare tcp" : "bare unix",
                                .tcp = tcp,
                                .serve = stream_serve,
                                .open = stream_open,
                                .ping = stream_ping};
    if (o->busy_poll_us > 0) {
        c[n++] = make_tutti("tutti busy", tcp, o->busy_poll_us, NULL);
    }
    if (o->key_dir && tcp) {
        c[n++] = make_tutti("tutti curve", tcp, 0, o->key_dir);
    }
    for (int i = 0; i < n; i++) {
        c[i].port = 20000 + (int)(getpid() % 20000) + i;
        const bool bare = c[i].serve == stream_serve;
        if (tcp) {
            snprintf(c[i].address, sizeof c[i].address, "tcp://127.0.0.1:%d", c[i].port);
        } else {
            snprintf(c[i].address, sizeof c[i].address, "%s%s/%d", bare ? "" : "ipc://", directory, i);
        }
    }
    return n;
}

static void run(const struct options *o, bool tcp, const char *directory)
{
    static const size_t sizes[] = {64, 8 * 1024, 64 * 1024, MAX_BYTES};
    static const uint64_t intervals_us[] = {1000, 5000};
    struct contender *c = calloc(MAX_CONTENDERS, sizeof *c);
    if (!c) {
        die("memory");
    }
    const int n = make_contenders(c, o, tcp, directory);
    for (int i = 0; i < n; i++) {
        start(&c[i]);
    }
    for (int s = 0; s < 4; s++) {
        for (int t = 0; t < 2; t++) {
            if (!o->fast || (s == 1 && t == 1)) {
                contest(c, n, sizes[s], intervals_us[t], o->n_pings);
            }
        }
    }
    for (int i = 0; i < n; i++) {
        stop(&c[i]);
        if (!tcp) {
            unlink(strncmp(c[i].address, "ipc://", 6) == 0 ? c[i].address + 6 : c[i].address);
        }
    }
    free(c);
}

static void *keep_awake(void *core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)(uintptr_t)core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    const struct sched_param param = {0};
    pthread_setschedparam(pthread_self(), SCHED_IDLE, &param);
    for (;;) {
        __asm__ volatile("" ::: "memory");
    }
    return NULL;
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.n_pings = 200};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--awake") == 0) {
            o.awake = true;
        } else if (strcmp(argv[i], "--fast") == 0) {
            o.fast = true;
        } else if (strcmp(argv[i], "--pings") == 0 && atoi(value) > 0) {
            o.n_pings = atoi(argv[++i]);
        } else if (strcmp(argv[i], "--busy-poll-us") == 0 && atof(value) >= 0) {
            o.busy_poll_us = atof(argv[++i]);
        } else if (strcmp(argv[i], "--curve") == 0 && *value) {
            o.key_dir = argv[++i];
        } else {
            fprintf(
                stderr,
                "usage: bench_fronthaul [--pings N] [--busy-poll-us X] [--awake] [--curve DIR] [--fast] [--json]\n");
            exit(2);
        }
    }
    return o;
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    const struct options o = parse(argc, argv);
    char directory[] = "/tmp/bench-fronthaul-XXXXXX";
    if (!mkdtemp(directory)) {
        die("directory");
    }
    for (long core = 0; o.awake && core < sysconf(_SC_NPROCESSORS_ONLN); core++) {
        pthread_t thread;
        pthread_create(&thread, NULL, keep_awake, (void *)(uintptr_t)core);
    }
    run(&o, false, directory);
    run(&o, true, directory);
    rmdir(directory);
    return 0;
}
