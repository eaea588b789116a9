/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio on the emulated air. Chunk c is exchanged when its first sample is asked for: what was queued for it is
 * handed in, then its received samples are read. Transmit samples wait in a ring of chunks laid out as they go on the
 * wire. */
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "hw/air_link.h"
#include "hw/radio_ops.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CONNECT_TIMEOUT_MS = 30000, CONNECT_RETRY_MS = 20, ANSWER_TIMEOUT_MS = 10000, DEFAULT_POLL_MS = 100 };

struct air_radio {
    int fd, poll_ms;
    enum air_role role;
    int id, n_ant, chunk;
    tutti_tick first;    /* what lies before is not delivered */
    tutti_tick handed;   /* transmit samples before this have left */
    tutti_tick expected; /* next sample recv delivers if nothing is lost */
    tutti_tick rx_tick;  /* of the first sample in rx */
    int rx_used;         /* samples of rx already delivered; chunk = all */
    unsigned events;     /* to be reported with the next samples */
    tutti_cf32 *rx;      /* [n_ant][chunk] */
    int n_slot;
    tutti_cf32 *tx; /* [n_slot][n_ant][chunk], chunk c in slot c mod n_slot */
    bool *filled;   /* [n_slot]; an unfilled slot is all zero */
    char endpoint[160];
};

static size_t chunk_bytes(const struct air_radio *r)
{
    return (size_t)r->n_ant * (size_t)r->chunk * sizeof(tutti_cf32);
}

/* Bytes --------------------------------------------------------------------------------------------------------- */

/* Until the socket is ready, a stop is requested or the time is over (timeout_ms < 0: never). */
static int wait_ready(const struct air_radio *r, short what, int64_t timeout_ms)
{
    const uint64_t end_ns = clock_mono_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000000u;
    for (;;) {
        struct pollfd fds[2] = {{.fd = r->fd, .events = what}, {.fd = rt_stop_fd(), .events = POLLIN}};
        const int ready = poll(fds, 2, r->poll_ms);
        if (rt_stop_requested()) {
            return error_set(TUTTI_ESTOPPED, "stopped while waiting for %s", r->endpoint);
        }
        if (ready > 0 && fds[0].revents) {
            return TUTTI_OK;
        }
        if (timeout_ms >= 0 && clock_mono_ns() >= end_ns) {
            return error_set(TUTTI_EDEVICE, "%s did not answer within %d ms", r->endpoint, (int)timeout_ms);
        }
    }
}

static int gone(const struct air_radio *r, const char *why)
{
    return error_set(TUTTI_EDEVICE, "connection to %s lost: %s", r->endpoint, why);
}

static int read_all(const struct air_radio *r, void *data, size_t n, int64_t timeout_ms)
{
    uint8_t *at = data;
    while (n > 0) {
        const ssize_t got = recv(r->fd, at, n, MSG_DONTWAIT);
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        } else if (got == 0) {
            return gone(r, "the medium closed it");
        } else if (errno == EAGAIN) {
            const int status = wait_ready(r, POLLIN, timeout_ms);
            if (status) {
                return status;
            }
        } else if (errno != EINTR) {
            return gone(r, strerror(errno));
        }
    }
    return TUTTI_OK;
}

/* Gather-write of a header and a payload, in as few calls as the socket buffer allows. */
static int write_all(const struct air_radio *r, const void *head, size_t n_head, const void *body, size_t n_body)
{
    struct iovec part[2] = {{(void *)(uintptr_t)head, n_head}, {(void *)(uintptr_t)body, n_body}};
    struct msghdr message = {.msg_iov = part, .msg_iovlen = 2};
    while (part[0].iov_len + part[1].iov_len > 0) {
        const ssize_t sent = sendmsg(r->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            const int status = wait_ready(r, POLLOUT, -1);
            if (status) {
                return status;
            }
        } else if (sent < 0 && errno != EINTR) {
            return gone(r, strerror(errno));
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

static int send_header(const struct air_radio *r, struct air_header header, const void *payload, size_t n)
{
    uint8_t bytes[AIR_HEADER_BYTES];
    header.role = (uint8_t)r->role;
    header.id = (uint16_t)r->id;
    header.n_ant = (uint16_t)r->n_ant;
    header.payload_bytes = (uint32_t)n;
    air_link_pack(bytes, &header);
    return write_all(r, bytes, sizeof bytes, payload, n);
}

/* Next header; a refusal becomes an error with the medium's own words and the given code. */
static int read_header(const struct air_radio *r, struct air_header *header, int64_t timeout_ms, int refusal_code)
{
    uint8_t bytes[AIR_HEADER_BYTES];
    char text[AIR_MAX_TEXT + 1] = "";
    int status = read_all(r, bytes, sizeof bytes, timeout_ms);
    status = status ? status : air_link_unpack(header, bytes);
    if (status || header->type != AIR_REFUSE) {
        return status;
    }
    status = read_all(r, text, header->payload_bytes, timeout_ms);
    return status ? status : error_set(refusal_code, "%s: %s", r->endpoint, text);
}

/* Open ---------------------------------------------------------------------------------------------------------- */

static int parse_role(const char *text, enum air_role *role)
{
    if (text && strcmp(text, "ap") == 0) {
        *role = AIR_ROLE_AP;
    } else if (text && strcmp(text, "ue") == 0) {
        *role = AIR_ROLE_UE;
    } else if (text && strcmp(text, "eve") == 0) {
        *role = AIR_ROLE_EVE;
    } else {
        return error_set(TUTTI_ECONFIG, "radio role '%s': ap, ue or eve expected", text ? text : "");
    }
    return TUTTI_OK;
}

/* The medium may start after its radios. */
static int connect_patiently(struct air_radio *r)
{
    const uint64_t end_ns = clock_mono_ns() + CONNECT_TIMEOUT_MS * 1000000ull;
    for (;;) {
        r->fd = air_link_connect(r->endpoint);
        if (r->fd >= 0 || r->fd == TUTTI_ECONFIG) {
            return r->fd >= 0 ? TUTTI_OK : TUTTI_ECONFIG;
        }
        if (rt_stop_requested()) {
            return error_set(TUTTI_ESTOPPED, "stopped while connecting to %s", r->endpoint);
        }
        if (clock_mono_ns() >= end_ns) {
            return error_set(TUTTI_EDEVICE, "no emulated air at %s after %d s; is tutti-air running?", r->endpoint,
                             CONNECT_TIMEOUT_MS / 1000);
        }
        clock_sleep_until_ns(clock_mono_ns() + CONNECT_RETRY_MS * 1000000ull);
    }
}

static int introduce(struct air_radio *r, const struct radio_settings *s)
{
    uint8_t rate[AIR_HELLO_BYTES];
    struct air_header answer;
    air_link_pack_rate(rate, s->sample_rate_hz);
    int status = send_header(r, (struct air_header){.type = AIR_HELLO, .n_samples = (uint32_t)s->chunk_samples}, rate,
                             sizeof rate);
    status = status ? status : read_header(r, &answer, ANSWER_TIMEOUT_MS, TUTTI_EREFUSED);
    if (status) {
        return status;
    }
    if (answer.type != AIR_WELCOME || answer.n_samples == 0) {
        return gone(r, "unexpected answer to hello");
    }
    r->chunk = (int)answer.n_samples;
    return TUTTI_OK;
}

static int make_buffers(struct air_radio *r, int n_tx_buffer_samples)
{
    /* one more for a burst that starts inside a chunk, one for the chunk being received */
    r->n_slot = (n_tx_buffer_samples + r->chunk - 1) / r->chunk + 2;
    r->rx = calloc(1, chunk_bytes(r));
    r->tx = calloc((size_t)r->n_slot, chunk_bytes(r));
    r->filled = calloc((size_t)r->n_slot, sizeof *r->filled);
    r->rx_used = r->chunk;
    return r->rx && r->tx && r->filled ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for radio buffers");
}

static void air_close(void *state)
{
    struct air_radio *r = state;
    if (r->fd >= 0) {
        close(r->fd);
    }
    free(r->rx);
    free(r->tx);
    free(r->filled);
    free(r);
}

static int air_open(void **state, const struct radio_settings *s)
{
    struct air_radio *r = calloc(1, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio");
    }
    r->fd = -1;
    r->id = s->id;
    r->n_ant = s->n_ant;
    r->poll_ms = s->stop_poll_ms >= 1 ? (int)s->stop_poll_ms : DEFAULT_POLL_MS;
    int status = parse_role(s->role, &r->role);
    if (!status && snprintf(r->endpoint, sizeof r->endpoint, "%s", s->args ? s->args : "") >= (int)sizeof r->endpoint) {
        status = error_set(TUTTI_ECONFIG, "air endpoint '%s' is too long", s->args);
    }
    status = status ? status : connect_patiently(r);
    status = status ? status : introduce(r, s);
    status = status ? status : make_buffers(r, s->n_tx_buffer_samples);
    if (status) {
        air_close(r);
        return status;
    }
    *state = r;
    return TUTTI_OK;
}

static int air_start(void *state, tutti_tick at, tutti_tick *first)
{
    struct air_radio *r = state;
    struct air_header answer;
    int status = send_header(r, (struct air_header){.type = AIR_START}, NULL, 0);
    status = status ? status : read_header(r, &answer, ANSWER_TIMEOUT_MS, TUTTI_EDEVICE);
    if (status) {
        return status;
    }
    if (answer.type != AIR_STARTED || answer.tick % (tutti_tick)r->chunk != 0) {
        return gone(r, "unexpected answer to start");
    }
    const tutti_tick chunk = (tutti_tick)r->chunk, wished = (at + chunk - 1) / chunk * chunk;
    r->handed = answer.tick;
    r->first = wished > answer.tick ? wished : answer.tick;
    r->expected = r->first;
    *first = r->first;
    return TUTTI_OK;
}

/* Stream -------------------------------------------------------------------------------------------------------- */

static int slot_of(const struct air_radio *r, tutti_tick tick)
{
    return (int)(tick / (tutti_tick)r->chunk % (tutti_tick)r->n_slot);
}

static tutti_cf32 *slot_samples(const struct air_radio *r, int slot)
{
    return r->tx + (size_t)slot * (size_t)r->n_ant * (size_t)r->chunk;
}

static void empty_slot(struct air_radio *r, int slot)
{
    memset(slot_samples(r, slot), 0, chunk_bytes(r));
    r->filled[slot] = false;
}

static int hand_in(struct air_radio *r)
{
    const int slot = slot_of(r, r->handed);
    struct air_header header = {.type = AIR_TX, .tick = r->handed, .n_samples = (uint32_t)r->chunk};
    int status;
    if (r->filled[slot]) {
        status = send_header(r, header, slot_samples(r, slot), chunk_bytes(r));
        empty_slot(r, slot);
    } else {
        header.flags = AIR_FLAG_SILENT;
        status = send_header(r, header, NULL, 0);
    }
    r->handed += (tutti_tick)r->chunk;
    return status;
}

/* The medium went on without us: what was queued for the chunks in between cannot be sent any more. */
static void skip_to(struct air_radio *r, tutti_tick tick)
{
    r->events |= RADIO_OVERFLOW;
    for (int i = 0; i < r->n_slot && r->handed < tick; i++, r->handed += (tutti_tick)r->chunk) {
        const int slot = slot_of(r, r->handed);
        if (r->filled[slot]) {
            r->events |= RADIO_LATE;
            empty_slot(r, slot);
        }
    }
    r->handed = tick;
}

static int exchange(struct air_radio *r)
{
    struct air_header header;
    int status = rt_stop_requested() ? error_set(TUTTI_ESTOPPED, "stop requested") : hand_in(r);
    status = status ? status : read_header(r, &header, -1, TUTTI_EDEVICE);
    if (status) {
        return status;
    }
    const tutti_tick chunk = (tutti_tick)r->chunk;
    if (header.type != AIR_RX || header.n_ant != r->n_ant || header.n_samples != chunk || header.tick % chunk != 0 ||
        header.tick + chunk < r->handed) {
        return gone(r, "unexpected message instead of samples");
    }
    if (header.flags & AIR_FLAG_SILENT) {
        memset(r->rx, 0, chunk_bytes(r));
    } else {
        status = read_all(r, r->rx, chunk_bytes(r), -1);
    }
    if (header.tick + chunk > r->handed) {
        skip_to(r, header.tick + chunk);
    }
    r->events |= header.flags & AIR_FLAG_LATE ? RADIO_LATE : 0;
    r->rx_tick = header.tick;
    r->rx_used = header.tick < r->first ? r->chunk : 0;
    return status;
}

static int air_recv(void *state, tutti_cf32 *const *buffers, int n, tutti_tick *tick, unsigned *events)
{
    struct air_radio *r = state;
    int done = 0;
    while (done < n) {
        while (r->rx_used == r->chunk) {
            const int status = exchange(r);
            if (status) {
                return status;
            }
        }
        const tutti_tick next = r->rx_tick + (tutti_tick)r->rx_used;
        if (next != r->expected && done > 0) {
            r->expected = next; /* the gap is told with the samples after it */
            break;
        }
        if (done == 0) {
            *tick = next;
            *events |= r->events;
            r->events = 0;
        }
        const int step = n - done < r->chunk - r->rx_used ? n - done : r->chunk - r->rx_used;
        for (int a = 0; a < r->n_ant; a++) {
            memcpy(buffers[a] + done, r->rx + (size_t)a * (size_t)r->chunk + r->rx_used,
                   (size_t)step * sizeof(tutti_cf32));
        }
        done += step;
        r->rx_used += step;
        r->expected = next + (tutti_tick)step;
    }
    return done;
}

static void add_samples(struct air_radio *r, const tutti_cf32 *const *buffers, int from, int step, tutti_tick at)
{
    const int slot = slot_of(r, at), offset = (int)(at % (tutti_tick)r->chunk);
    for (int a = 0; a < r->n_ant; a++) {
        tutti_cf32 *out = slot_samples(r, slot) + (size_t)a * (size_t)r->chunk + offset;
        const tutti_cf32 *in = buffers[a] + from;
        for (int i = 0; i < step; i++) {
            out[i] += in[i];
        }
    }
    r->filled[slot] = true;
}

static int air_send(void *state, const tutti_cf32 *const *buffers, int n, tutti_tick at, unsigned *events)
{
    struct air_radio *r = state;
    const tutti_tick end = at + (tutti_tick)n, room = (tutti_tick)r->n_slot * (tutti_tick)r->chunk;
    if (end > r->handed + room) {
        return TUTTI_EAGAIN;
    }
    tutti_tick from = at;
    if (at < r->handed) {
        *events |= RADIO_LATE;
        from = end < r->handed ? end : r->handed;
    }
    while (from < end) {
        const int left = r->chunk - (int)(from % (tutti_tick)r->chunk);
        const int step = end - from < (tutti_tick)left ? (int)(end - from) : left;
        add_samples(r, buffers, (int)(from - at), step, from);
        from += (tutti_tick)step;
    }
    return TUTTI_OK;
}

const struct radio_ops air_radio_ops = {
    .name = "air", .open = air_open, .start = air_start, .recv = air_recv, .send = air_send, .close = air_close};
