/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/link.h"

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "fronthaul/bytes.h"
#include "fronthaul/wire.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MONITOR_ENDPOINT "inproc://monitor"

/* A stranger may hold a handshake open for HANDSHAKE_MS. A connection attempt whose packets are lost is given up early
 * and begun anew, because TCP's own next try comes ever later. */
enum {
    HIGH_WATER_MARK = 64,
    RECONNECT_MS = 50,
    RECONNECT_MAX_MS = 100,
    CONNECT_MS = 200,
    HANDSHAKE_MS = 1500,
    BACKLOG = 256,
    DESCRIPTORS_WANTED = 65536,
    LINK_DESCRIPTORS =
        24 /* of one context with a socket, its monitor and a connection: 14, and the node's own to come */
};

int link_error(const struct link *link, const char *what)
{
    return error_set(errno == ENOMEM ? TUTTI_ENOMEM : TUTTI_EIO, "%s: %s: %s", link->endpoint, what,
                     zmq_strerror(errno));
}

int link_check_endpoint(const char *endpoint)
{
    struct endpoint_tcp tcp;
    return (strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6]) || endpoint_parse_tcp(endpoint, &tcp)
               ? TUTTI_OK
               : error_set(TUTTI_EIO, "%s: not an endpoint: tcp://host:port (1 to 65535) or ipc://path", endpoint);
}

static int set_option(struct link *link, int option, int value)
{
    return zmq_setsockopt(link->socket, option, &value, sizeof value);
}

static int set_options(struct link *link, int socket_type, int timeout_ms)
{
    const int64_t max_bytes = WIRE_MAX_BYTES;
    int bad = set_option(link, ZMQ_LINGER, 0);
    bad |= set_option(link, ZMQ_SNDHWM, HIGH_WATER_MARK) | set_option(link, ZMQ_RCVHWM, HIGH_WATER_MARK);
    /* Not ZMQ_HEARTBEAT_*: its timer aborts the process (assertion !_io_error, libzmq 4.3.4) when a connection breaks
     * whose messages wait in a full queue. The link's own heartbeats tell silence; unanswered bytes end a dead TCP
     * connection. */
    bad |= set_option(link, ZMQ_TCP_MAXRT, timeout_ms);
    bad |= zmq_setsockopt(link->socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes);
    bad |= set_option(link, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    if (socket_type == ZMQ_ROUTER) {
        bad |= set_option(link, ZMQ_ROUTER_MANDATORY, 1) | set_option(link, ZMQ_BACKLOG, BACKLOG);
    } else {
        /* Not ZMQ_IMMEDIATE: with it, what was received but not yet read is lost when the connection breaks, a stop for
         * instance (libzmq 4.3.4). What was queued for one CPU node so reaches the next, as words of a stranger. */
        bad |= set_option(link, ZMQ_CONNECT_TIMEOUT, CONNECT_MS) | set_option(link, ZMQ_RECONNECT_IVL, RECONNECT_MS);
        bad |= set_option(link, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    }
    return bad;
}

static int open_monitor(struct link *link, int events)
{
    const int unbounded = 0; /* a bounded queue would block ZeroMQ's own thread while we do not read */
    size_t size = sizeof link->monitor_fd;
    if (zmq_socket_monitor(link->socket, MONITOR_ENDPOINT, events)) {
        return -1;
    }
    link->monitor = zmq_socket(link->context, ZMQ_PAIR);
    return !link->monitor || zmq_setsockopt(link->monitor, ZMQ_RCVHWM, &unbounded, sizeof unbounded) ||
                   zmq_connect(link->monitor, MONITOR_ENDPOINT) ||
                   zmq_getsockopt(link->monitor, ZMQ_FD, &link->monitor_fd, &size)
               ? -1
               : 0;
}

/* ZeroMQ aborts the process when it may not have the priority it was asked to take: try it first. */
static bool may_have_priority(int priority)
{
    int policy;
    struct sched_param before;
    const struct sched_param wanted = {.sched_priority = priority};
    if (pthread_getschedparam(pthread_self(), &policy, &before) ||
        pthread_setschedparam(pthread_self(), SCHED_FIFO, &wanted)) {
        return false;
    }
    return pthread_setschedparam(pthread_self(), policy, &before) == 0;
}

/* One of ZeroMQ's threads carries so many connections at block cadence; with two of them each is busy for half as long
 * (tests/bench/fan_in). */
enum { ONE_IO_THREAD = 64 };

/* ZeroMQ's own threads carry every message. The thread that starts them need not be real-time yet; those it feeds are.
 */
static void raise_io_threads(struct link *link)
{
    if (link->io_priority > 0 && may_have_priority(link->io_priority)) {
        zmq_ctx_set(link->context, ZMQ_THREAD_SCHED_POLICY, SCHED_FIFO);
        zmq_ctx_set(link->context, ZMQ_THREAD_PRIORITY, link->io_priority);
    }
}

/* ZeroMQ aborts the process when it cannot have a descriptor: count first. Strangers take one each while their
 * handshake lasts, so the limit goes up as far as it may. */
static int reserve_descriptors(const struct link *link)
{
    struct rlimit limit;
    rlim_t n_open = 0;
    DIR *const folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) {
        n_open++;
    }
    if (folder) {
        closedir(folder);
    }
    if (!folder || getrlimit(RLIMIT_NOFILE, &limit)) {
        return errno == EMFILE ? error_set(TUTTI_EIO, "%s: no file descriptors are left (ulimit -n)", link->endpoint)
                               : TUTTI_OK;
    }
    const rlim_t wanted = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    const struct rlimit more = {.rlim_cur = wanted, .rlim_max = limit.rlim_max};
    if (limit.rlim_cur < wanted && setrlimit(RLIMIT_NOFILE, &more) == 0) {
        limit.rlim_cur = wanted;
    }
    const rlim_t needed = n_open + LINK_DESCRIPTORS + (rlim_t)link->n_connections;
    return needed <= limit.rlim_cur
               ? TUTTI_OK
               : error_set(TUTTI_EIO, "%s: %lu file descriptors are needed, the limit is %lu: raise `ulimit -n`",
                           link->endpoint, (unsigned long)needed, (unsigned long)limit.rlim_cur);
}

int link_open(struct link *link, int socket_type, int monitor_events, double peer_timeout_ms)
{
    size_t size = sizeof link->socket_fd;
    const int error = reserve_descriptors(link);
    if (error) {
        return error;
    }
    link->text = malloc(CONTROL_MAX_BYTES + 1);
    link->context = link->text ? zmq_ctx_new() : NULL;
    if (!link->context) {
        return error_set(TUTTI_ENOMEM, "%s: no memory for a link", link->endpoint);
    }
    zmq_msg_init(&link->frame);
    link->frame_open = true;
    zmq_ctx_set(link->context, ZMQ_IO_THREADS, link->n_connections > ONE_IO_THREAD ? 2 : 1);
    raise_io_threads(link);
    link->socket = zmq_socket(link->context, socket_type);
    if (!link->socket || set_options(link, socket_type, (int)peer_timeout_ms) ||
        zmq_getsockopt(link->socket, ZMQ_FD, &link->socket_fd, &size) || open_monitor(link, monitor_events)) {
        return link_error(link, "cannot make a socket");
    }
    return TUTTI_OK;
}

static int set_text(struct link *link, int option, const char *text)
{
    return zmq_setsockopt(link->socket, option, text, strlen(text));
}

int link_encrypt_server(struct link *link, const struct key_pair *own)
{
    return set_option(link, ZMQ_CURVE_SERVER, 1) || set_text(link, ZMQ_CURVE_SECRETKEY, own->secret_key) ||
                   set_text(link, ZMQ_ZAP_DOMAIN, "tutti")
               ? link_error(link, "cannot encrypt")
               : TUTTI_OK;
}

int link_encrypt_client(struct link *link, const struct key_pair *own, const char *server_key)
{
    return set_text(link, ZMQ_CURVE_SERVERKEY, server_key) || set_text(link, ZMQ_CURVE_PUBLICKEY, own->public_key) ||
                   set_text(link, ZMQ_CURVE_SECRETKEY, own->secret_key)
               ? link_error(link, "cannot encrypt")
               : TUTTI_OK;
}

static bool keeps_name(const struct endpoint_tcp *tcp, bool listening)
{
    struct in_addr number;
    return !listening && !tcp->any && !tcp->ipv6 && inet_pton(AF_INET, tcp->host, &number) != 1 &&
           !endpoint_is_interface(tcp->host);
}

char *link_address(struct link *link, bool listening)
{
    struct endpoint_tcp tcp;
    char host[ENDPOINT_HOST_ROOM], *text = NULL;
    bool ipv6 = false;
    if (!endpoint_parse_tcp(link->endpoint, &tcp)) { /* ipc */
        return strdup(link->endpoint);
    }
    const int error = endpoint_resolve(&tcp, listening, host, sizeof host, &ipv6);
    const bool name = keeps_name(&tcp, listening);
    if (error && !name) {
        return NULL;
    }
    if (error) {
        log_write(LOG_WARNING, "link", "NAME-UNKNOWN endpoint=%s reason=\"%s\" trying=again", link->endpoint,
                  error_text());
    }
    if (!error && ipv6 && set_option(link, ZMQ_IPV6, 1)) {
        link_error(link, "cannot use IPv6");
        return NULL;
    }
    const char *format = ipv6 && !name ? "tcp://[%s]:%d" : "tcp://%s:%d";
    if (asprintf(&text, format, name ? tcp.host : host, tcp.port) < 0) {
        error_set(TUTTI_ENOMEM, "%s: no memory", link->endpoint);
        return NULL;
    }
    return text;
}

void link_close(struct link *link, int linger_ms)
{
    if (link->frame_open) {
        zmq_msg_close(&link->frame);
    }
    if (link->socket) {
        zmq_socket_monitor(link->socket, NULL, 0);
        zmq_setsockopt(link->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close(link->socket);
    }
    if (link->monitor) {
        zmq_close(link->monitor);
    }
    while (link->context && zmq_ctx_term(link->context) && errno == EINTR) {
    }
    free(link->text);
}

/* ppoll that first looks again and again for busy_poll_ns: who does not sleep need not be woken. It yields in between,
 * because the thread of ZeroMQ that has the message may be waiting for this very core. */
static int wait_for(const struct link *link, struct pollfd *fds, nfds_t n, uint64_t wake_ns)
{
    const struct timespec none = {0};
    const uint64_t start_ns = clock_mono_ns();
    uint64_t now_ns = start_ns;
    while (now_ns - start_ns < link->busy_poll_ns && now_ns < wake_ns) {
        const int ready = ppoll(fds, n, &none, NULL);
        if (ready) {
            return ready;
        }
        sched_yield();
        now_ns = clock_mono_ns();
    }
    const uint64_t rest_ns = wake_ns > now_ns ? wake_ns - now_ns : 0;
    const struct timespec rest = {.tv_sec = (time_t)(rest_ns / 1000000000), .tv_nsec = (long)(rest_ns % 1000000000)};
    return ppoll(fds, n, wake_ns == UINT64_MAX ? NULL : &rest, NULL);
}

int link_sleep(struct link *link, int extra_fd, uint64_t until_ns, uint64_t timer_ns, struct fh_event *event)
{
    struct pollfd fds[4] = {{.fd = link->socket_fd, .events = POLLIN},
                            {.fd = link->monitor_fd, .events = POLLIN},
                            {.fd = link->stop_told ? -1 : rt_stop_fd(), .events = POLLIN},
                            {.fd = extra_fd, .events = POLLIN}};
    link->n_since_poll = 0;
    if (wait_for(link, fds, 4, until_ns < timer_ns ? until_ns : timer_ns) < 0) {
        return errno == EINTR ? TUTTI_OK : link_error(link, "cannot wait");
    }
    if (fds[3].revents & POLLNVAL) {
        return error_set(TUTTI_EINVAL, "%s: descriptor %d is not open", link->endpoint, extra_fd);
    }
    /* Only a descriptor that was looked at and is silent lets its socket be skipped. */
    link->socket_quiet = link->socket_quiet && !fds[0].revents;
    link->monitor_quiet = link->monitor_quiet && !fds[1].revents;
    if (fds[2].revents) {
        link->stop_told = true;
        event->kind = FH_EVENT_STOP;
    } else if (fds[3].revents) {
        event->kind = FH_EVENT_FD;
    }
    return TUTTI_OK;
}

int link_monitor_next(struct link *link, uint32_t *value)
{
    uint8_t event[6]; /* u16 event, u32 value, in the machine's order; then a frame with the endpoint */
    uint16_t kind;
    if (link->monitor_quiet) {
        return 0;
    }
    while (zmq_recv(link->monitor, event, sizeof event, ZMQ_DONTWAIT) != sizeof event) {
        if (errno != EINTR) {
            link->monitor_quiet = errno == EAGAIN;
            return 0;
        }
    }
    memcpy(&kind, event, sizeof kind);
    memcpy(value, event + sizeof kind, sizeof *value);
    while (zmq_recv(link->monitor, event, 0, 0) < 0 && errno == EINTR) {
    }
    return kind;
}

int link_recv(struct link *link)
{
    if (link->socket_quiet) {
        return 0;
    }
    while (zmq_msg_recv(&link->frame, link->socket, ZMQ_DONTWAIT) < 0) {
        if (errno != EINTR) {
            link->socket_quiet = errno == EAGAIN;
            return errno == EAGAIN ? 0 : link_error(link, "cannot receive");
        }
    }
    return 1;
}

bool link_more(const struct link *link)
{
    return zmq_msg_more(&link->frame);
}

void link_drop_rest(struct link *link)
{
    while (link_more(link) && link_recv(link) > 0) {
    }
}

enum link_class link_classify(struct link *link, struct control *control)
{
    const uint8_t *data = zmq_msg_data(&link->frame);
    const size_t n_bytes = zmq_msg_size(&link->frame);
    link->counters.classified++;
    control->agreement = NULL;
    if (n_bytes >= WIRE_HEADER_BYTES && get_u32(data) == WIRE_MAGIC) {
        return LINK_DATA;
    }
    if (n_bytes == 0 || n_bytes > CONTROL_MAX_BYTES || data[0] != '{') {
        return LINK_GARBAGE;
    }
    memcpy(link->text, data, n_bytes);
    link->text[n_bytes] = '\0';
    return control_parse(link->text, n_bytes, control) == TUTTI_OK ? LINK_CONTROL : LINK_GARBAGE;
}

/* ZeroMQ hears only now and then how far its queue is read (up to about a millisecond late), and until then a queue of
 * HIGH_WATER_MARK messages seems full though nothing waits: look, then try again. */
int link_send_part(struct link *link, const void *data, size_t n_bytes, bool more)
{
    const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    bool looked = false;
    link->socket_quiet = false; /* sending takes in what has come, and the descriptor does not tell of it again */
    while (zmq_send(link->socket, data, n_bytes, flags) < 0) {
        int events;
        size_t size = sizeof events;
        if (errno == EAGAIN && !looked) {
            looked = true;
            if (zmq_getsockopt(link->socket, ZMQ_EVENTS, &events, &size) == 0) {
                continue;
            }
        }
        if (errno != EINTR) {
            return errno == EHOSTUNREACH ? TUTTI_ECLOSED
                   : errno == EAGAIN     ? TUTTI_EAGAIN
                                         : link_error(link, "cannot send");
        }
    }
    return TUTTI_OK;
}

int link_send(struct link *link, const void *data, size_t n_bytes)
{
    const int error = link_send_part(link, data, n_bytes, false);
    return error == TUTTI_ECLOSED ? TUTTI_EAGAIN : error;
}
