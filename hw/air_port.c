/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air_port.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "hw/air_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CONNECT_TIMEOUT_MS = 30000, CONNECT_RETRY_MS = 20, ANSWER_TIMEOUT_MS = 10000, JOIN_TRIES = 5 };

struct air_port {
    int fd, poll_ms;
    bool closed; /* by the medium */
    enum air_role role;
    int id;
    bool paced, shared;
    struct air_share share;
    struct air_board *board; /* shared only */
    int passed[AIR_SOCKET_MAX_FDS];
    uint64_t n_wakeups;
    char endpoint[160];
};

const struct air_share *air_port_share(const air_port_t *p)
{
    return &p->share;
}

bool air_port_paced(const air_port_t *p)
{
    return p->paced;
}

bool air_port_shared(const air_port_t *p)
{
    return p->shared;
}

uint64_t air_port_wakeups(const air_port_t *p)
{
    return p->n_wakeups;
}

/* Bytes --------------------------------------------------------------------------------------------------------- */

/* Until the socket is ready, a stop is requested or the time is over (timeout_ms < 0: never). */
static int wait_ready(air_port_t *p, short what, int64_t timeout_ms)
{
    const uint64_t end_ns = clock_mono_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000000u;
    for (;;) {
        struct pollfd fds[2] = {{.fd = p->fd, .events = what}, {.fd = rt_stop_fd(), .events = POLLIN}};
        const int ready = poll(fds, 2, p->poll_ms);
        if (rt_stop_requested()) {
            return error_set(TUTTI_ESTOPPED, "stopped while waiting for %s", p->endpoint);
        }
        if (ready > 0 && fds[0].revents) {
            return TUTTI_OK;
        }
        if (timeout_ms >= 0 && clock_mono_ns() >= end_ns) {
            return error_set(TUTTI_EDEVICE, "%s did not answer within %d ms", p->endpoint, (int)timeout_ms);
        }
    }
}

static int gone(const air_port_t *p, const char *why)
{
    return error_set(TUTTI_EDEVICE, "connection to %s lost: %s", p->endpoint, why);
}

/* Descriptors that come with the bytes are kept until the welcome is understood. */
static void keep_passed(air_port_t *p, const int fds[AIR_SOCKET_MAX_FDS])
{
    for (int i = 0; i < AIR_SOCKET_MAX_FDS; i++) {
        if (fds[i] >= 0 && p->passed[i] >= 0) {
            close(p->passed[i]);
        }
        p->passed[i] = fds[i] >= 0 ? fds[i] : p->passed[i];
    }
}

static int read_all(air_port_t *p, void *data, size_t n, int64_t timeout_ms)
{
    uint8_t *at = data;
    while (n > 0) {
        int fds[AIR_SOCKET_MAX_FDS];
        const long got = air_socket_receive(p->fd, at, n, fds);
        if (got > 0) {
            keep_passed(p, fds);
            at += got;
            n -= (size_t)got;
        } else if (got == 0) {
            p->closed = true;
            return gone(p, "the medium closed it");
        } else if (errno == EAGAIN) {
            const int status = wait_ready(p, POLLIN, timeout_ms);
            if (status) {
                return status;
            }
        } else if (errno != EINTR) {
            return gone(p, strerror(errno));
        }
    }
    return TUTTI_OK;
}

/* Gather-write of a header and a payload, in as few calls as the socket buffer allows. */
static int write_all(air_port_t *p, const void *head, size_t n_head, const void *body, size_t n_body)
{
    struct iovec part[2] = {{(void *)(uintptr_t)head, n_head}, {(void *)(uintptr_t)body, n_body}};
    struct msghdr message = {.msg_iov = part, .msg_iovlen = 2};
    while (part[0].iov_len + part[1].iov_len > 0) {
        const ssize_t sent = sendmsg(p->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            const int status = wait_ready(p, POLLOUT, -1);
            if (status) {
                return status;
            }
        } else if (sent < 0 && errno != EINTR) {
            return gone(p, strerror(errno));
        }
        size_t left = sent > 0 ? (size_t)sent : 0;
        for (int i = 0; i < 2; i++) {
            const size_t step = left < part[i].iov_len ? left : part[i].iov_len;
            part[i].iov_base = (uint8_t *)part[i].iov_base + step;
            part[i].iov_len -= step;
            left -= step;
        }
    }
    return TUTTI_OK;
}

static int send_message(air_port_t *p, struct air_header header, const void *payload, size_t n)
{
    uint8_t bytes[AIR_HEADER_BYTES];
    header.role = (uint8_t)p->role;
    header.id = (uint16_t)p->id;
    header.n_ant = (uint16_t)p->share.n_ant;
    header.payload_bytes = (uint32_t)n;
    air_message_pack(bytes, &header);
    return write_all(p, bytes, sizeof bytes, payload, n);
}

/* Next header; a refusal becomes an error with the medium's own words and the given code. */
static int read_header(air_port_t *p, struct air_header *header, int64_t timeout_ms, int refusal_code)
{
    uint8_t bytes[AIR_HEADER_BYTES];
    char text[AIR_MAX_TEXT + 1] = "";
    int status = read_all(p, bytes, sizeof bytes, timeout_ms);
    status = status ? status : air_message_unpack(header, bytes);
    if (status == TUTTI_EFORMAT) {
        return gone(p, "what it sends is no message of a medium");
    }
    if (status || header->type != AIR_REFUSE) {
        return status;
    }
    status = read_all(p, text, header->payload_bytes, timeout_ms);
    return status ? status : error_set(refusal_code, "%s: %s", p->endpoint, text);
}

/* Joining ------------------------------------------------------------------------------------------------------- */

/* The medium may start after its radios. */
static int connect_patiently(air_port_t *p)
{
    const uint64_t end_ns = clock_mono_ns() + CONNECT_TIMEOUT_MS * 1000000ull;
    for (;;) {
        p->fd = air_socket_connect(p->endpoint);
        if (p->fd >= 0 || p->fd == TUTTI_ECONFIG) {
            return p->fd >= 0 ? TUTTI_OK : TUTTI_ECONFIG;
        }
        if (rt_stop_requested()) {
            return error_set(TUTTI_ESTOPPED, "stopped while connecting to %s", p->endpoint);
        }
        if (clock_mono_ns() >= end_ns) {
            return error_set(TUTTI_EDEVICE, "no emulated air at %s after %d s; is tutti-air running?", p->endpoint,
                             CONNECT_TIMEOUT_MS / 1000);
        }
        clock_sleep_until_ns(clock_mono_ns() + CONNECT_RETRY_MS * 1000000ull);
    }
}

static bool is_power_of_two(uint32_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

static int set_up_rings(air_port_t *p, int n_ant, int chunk, int n_cell)
{
    if (!p->shared) {
        return air_share_create(&p->share, n_ant, chunk, n_cell, NULL);
    }
    if (p->passed[0] < 0 || p->passed[1] < 0) {
        return gone(p, "the medium passed no memory");
    }
    const int status = air_share_attach(&p->share, n_ant, chunk, n_cell, p->passed[0]);
    return status ? status : air_board_attach(&p->board, p->passed[1]);
}

static int introduce(air_port_t *p, const struct air_port_settings *s)
{
    uint8_t hello[AIR_HELLO_BYTES], welcome[AIR_WELCOME_BYTES];
    struct air_header answer;
    air_message_pack_hello(hello, &s->hello);
    p->share.n_ant = s->n_ant;
    int status =
        send_message(p, (struct air_header){.type = AIR_HELLO, .n_samples = (uint32_t)s->chunk}, hello, sizeof hello);
    status = status ? status : read_header(p, &answer, ANSWER_TIMEOUT_MS, TUTTI_EREFUSED);
    if (status) {
        return status;
    }
    if (answer.type != AIR_WELCOME || answer.n_samples == 0) {
        return gone(p, "unexpected answer to hello");
    }
    status = read_all(p, welcome, sizeof welcome, ANSWER_TIMEOUT_MS);
    const uint32_t n_cell = status ? 0 : air_message_unpack_welcome(welcome);
    if (!status && (!is_power_of_two(n_cell) || n_cell > AIR_MAX_CELL)) {
        status = gone(p, "unexpected answer to hello");
    }
    p->paced = answer.flags & AIR_FLAG_PACED;
    p->shared = answer.flags & AIR_FLAG_SHARED;
    return status ? status : set_up_rings(p, s->n_ant, (int)answer.n_samples, (int)n_cell);
}

/* A medium that many want to connect to closes connections whose hello has not come yet. */
static int join(air_port_t *p, const struct air_port_settings *s)
{
    int status = TUTTI_OK;
    for (int k = 0; k < JOIN_TRIES; k++) {
        p->closed = false;
        status = connect_patiently(p);
        status = status ? status : introduce(p, s);
        if (!p->closed || k == JOIN_TRIES - 1) {
            break;
        }
        close(p->fd);
        p->fd = -1;
    }
    return status;
}

static void close_passed(air_port_t *p)
{
    for (int i = 0; i < AIR_SOCKET_MAX_FDS; i++) {
        if (p->passed[i] >= 0) {
            close(p->passed[i]);
        }
        p->passed[i] = -1;
    }
}

int air_port_open(air_port_t **port, const struct air_port_settings *s)
{
    air_port_t *p = calloc(1, sizeof *p);
    *port = p;
    if (!p) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio");
    }
    p->fd = p->passed[0] = p->passed[1] = -1;
    p->role = s->role;
    p->id = s->id;
    p->poll_ms = s->poll_ms;
    int status = TUTTI_OK;
    if (snprintf(p->endpoint, sizeof p->endpoint, "%s", s->endpoint) >= (int)sizeof p->endpoint) {
        status = error_set(TUTTI_ECONFIG, "air endpoint '%s' is too long", s->endpoint);
    }
    status = status ? status : join(p, s);
    close_passed(p);
    return status;
}

void air_port_close(air_port_t *p)
{
    if (!p) {
        return;
    }
    if (p->fd >= 0) {
        close(p->fd);
    }
    close_passed(p);
    air_share_release(&p->share);
    air_board_release(p->board);
    free(p);
}

int air_port_start(air_port_t *p, tutti_tick *first)
{
    struct air_header answer;
    int status = send_message(p, (struct air_header){.type = AIR_START}, NULL, 0);
    status = status ? status : read_header(p, &answer, ANSWER_TIMEOUT_MS, TUTTI_EDEVICE);
    if (status) {
        return status;
    }
    if (answer.type != AIR_STARTED || answer.tick % (tutti_tick)p->share.chunk != 0) {
        return gone(p, "unexpected answer to start");
    }
    if (!p->shared) {
        atomic_store(&p->share.words->received, answer.tick);
    }
    *first = answer.tick;
    return TUTTI_OK;
}

/* Shared memory ------------------------------------------------------------------------------------------------- */

/* The medium sleeps until the last of those it waits for rings. */
static void ring_if_last(air_port_t *p, tutti_tick to)
{
    struct air_words *w = p->share.words;
    const uint64_t needed = atomic_load(&w->needed);
    if (needed == AIR_NEVER || to <= needed || atomic_exchange(&w->needed, AIR_NEVER) == AIR_NEVER) {
        return;
    }
    if (atomic_fetch_sub(&p->board->missing, 1) == 1) {
        uint8_t bytes[AIR_HEADER_BYTES];
        air_message_pack(bytes, &(struct air_header){.type = AIR_BELL, .role = (uint8_t)p->role});
        air_socket_send(p->fd, bytes, sizeof bytes, NULL, 0, NULL, 0);
    }
}

static int read_bell(air_port_t *p)
{
    struct air_header header;
    const int status = read_header(p, &header, ANSWER_TIMEOUT_MS, TUTTI_EDEVICE);
    return status || header.type == AIR_BELL ? status : gone(p, "unexpected message");
}

static int wait_shared(air_port_t *p, tutti_tick tick)
{
    struct air_words *w = p->share.words;
    int status = TUTTI_OK;
    atomic_store(&w->wake, tick);
    while (!status && atomic_load(&w->received) < tick) {
        p->n_wakeups++;
        status = wait_ready(p, POLLIN, -1);
        status = status ? status : read_bell(p);
        atomic_store(&w->wake, tick); /* the medium took it back, or the bell was an old one */
    }
    atomic_store(&w->wake, AIR_NEVER);
    return status;
}

/* Messages ------------------------------------------------------------------------------------------------------ */

static int send_chunks(air_port_t *p, tutti_tick from, tutti_tick to)
{
    const struct air_share *s = &p->share;
    const size_t n = air_share_chunk_values(s) * sizeof(tutti_cf32);
    int status = TUTTI_OK;
    for (tutti_tick t = from; !status && t < to; t += (tutti_tick)s->chunk) {
        struct air_header header = {.type = AIR_TX, .tick = t, .n_samples = (uint32_t)s->chunk};
        if (atomic_load(&air_share_cell(s, t)->filled) == t + 1) {
            status = send_message(p, header, air_share_tx(s, t), n);
        } else {
            header.flags = AIR_FLAG_SILENT;
            status = send_message(p, header, NULL, 0);
        }
    }
    return status;
}

static int receive_chunk(air_port_t *p)
{
    const struct air_share *s = &p->share;
    const tutti_tick chunk = (tutti_tick)s->chunk, received = atomic_load(&s->words->received);
    struct air_header header;
    int status = read_header(p, &header, -1, TUTTI_EDEVICE);
    if (status) {
        return status;
    }
    if (header.type != AIR_RX || header.n_ant != s->n_ant || header.n_samples != chunk || header.tick % chunk != 0 ||
        header.tick < received) {
        return gone(p, "unexpected message instead of samples");
    }
    struct air_cell *cell = air_share_cell(s, header.tick);
    if (header.payload_bytes > 0) {
        status = read_all(p, air_share_rx(s, header.tick), header.payload_bytes, -1);
    } else {
        memset(air_share_rx(s, header.tick), 0, air_share_chunk_values(s) * sizeof(tutti_cf32));
    }
    atomic_store(&cell->host_ns, clock_mono_ns());
    atomic_store(&cell->there, header.tick + 1);
    atomic_store(&cell->taken, header.flags & AIR_FLAG_TAKEN ? header.tick + 1 : 0);
    atomic_store(&s->words->received, header.tick + chunk);
    return status;
}

/* Both ---------------------------------------------------------------------------------------------------------- */

int air_port_hand_in(air_port_t *p, tutti_tick from, tutti_tick to)
{
    int status = p->shared ? TUTTI_OK : send_chunks(p, from, to);
    if (!status) {
        atomic_store(&p->share.words->handed, to);
    }
    if (!status && p->shared) {
        ring_if_last(p, to);
    }
    return status;
}

int air_port_wait(air_port_t *p, tutti_tick tick)
{
    int status = rt_stop_requested() ? error_set(TUTTI_ESTOPPED, "stop requested") : TUTTI_OK;
    if (p->shared) {
        return status || atomic_load(&p->share.words->received) >= tick ? status : wait_shared(p, tick);
    }
    while (!status && atomic_load(&p->share.words->received) < tick) {
        p->n_wakeups++;
        status = receive_chunk(p);
    }
    return status;
}
