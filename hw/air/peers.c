/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The medium's connections: joining and leaving, and over tcp the samples. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/air/medium_state.h"
#include "hw/air_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    SPARE_PEERS = 16,       /* connections that have not said hello; the oldest gives way to a new one */
    SPARE_DESCRIPTORS = 32, /* files, libraries */
    EVENTS_PER_VISIT = 64,
    MESSAGES_PER_VISIT = 64 /* of one peer before the others get their turn */
};
/* What epoll tells of, then peers. */
enum { WATCH_STOP, WATCH_LISTENER, WATCH_TIMER, WATCH_PEERS };

const char *seat_role(const struct seat *seat)
{
    return seat->role == AIR_ROLE_AP ? "ap" : seat->role == AIR_ROLE_UE ? "ue" : "eve";
}

bool seat_handed(const struct seat *seat, tutti_tick tick)
{
    return seat->present && atomic_load(&seat->share.words->handed) > tick;
}

/* Coming and going ---------------------------------------------------------------------------------------------- */

static void watch(const medium_t *m, int what, int fd, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)what};
    if (epoll_ctl(m->poll_fd, operation, fd, &event) != 0) {
        log_write(LOG_ERROR, "air", "WATCH-FAILED fd=%d why=\"%s\"", fd, strerror(errno));
    }
}

static int watch_of(const medium_t *m, const struct peer *p)
{
    return WATCH_PEERS + (int)(p - m->peer);
}

static void leave(medium_t *m, struct peer *p, const char *why)
{
    struct seat *seat = p->seat;
    if (seat) {
        log_write(LOG_INFO, "air", "LEAVE role=%s id=%d tick=%llu why=\"%s\"", seat_role(seat), seat->id,
                  (unsigned long long)m->tick, why);
        m->n_remote -= !seat->shared;
        seat->taken = seat->present = false;
        air_share_release(&seat->share);
        m->counters.leaves++;
    }
    close(p->fd);
    p->fd = -1;
    p->seat = NULL;
}

static void drop(medium_t *m, struct peer *p, const char *why)
{
    if (p->seat) {
        log_write(LOG_WARNING, "air", "BAD-PEER role=%s id=%d why=\"%s\"", seat_role(p->seat), p->seat->id, why);
    } else {
        log_write(LOG_WARNING, "air", "BAD-PEER why=\"%s\"", why);
    }
    m->counters.bad_peers++;
    leave(m, p, "dropped");
}

static void say(const struct peer *p, struct air_header header, const void *payload, size_t n, const int *fds, int n_fd)
{
    uint8_t bytes[AIR_HEADER_BYTES];
    header.payload_bytes = (uint32_t)n;
    air_message_pack(bytes, &header);
    air_socket_send(p->fd, bytes, sizeof bytes, payload, n, fds, n_fd);
}

static void refuse(medium_t *m, struct peer *p, const char *why)
{
    log_write(LOG_WARNING, "air", "REFUSE why=\"%s\"", why);
    say(p, (struct air_header){.type = AIR_REFUSE}, why, strnlen(why, AIR_MAX_TEXT), NULL, 0);
    m->counters.refused++;
    leave(m, p, "refused");
}

static void put_out(medium_t *m, struct peer *p, const char *why)
{
    say(p, (struct air_header){.type = AIR_REFUSE}, why, strlen(why), NULL, 0);
    m->counters.put_out++;
    leave(m, p, "put out");
}

/* Joining ------------------------------------------------------------------------------------------------------- */

static struct seat *find_seat(const medium_t *m, const struct air_header *h)
{
    const int n[AIR_N_ROLE] = {m->set.n_ap, m->set.n_ue, m->set.n_eve};
    const int first[AIR_N_ROLE] = {0, m->set.n_ap, m->set.n_ap + m->set.n_ue};
    return h->id < n[h->role] ? &m->seat[first[h->role] + h->id] : NULL;
}

static bool hello_timeout_over(const medium_t *m, const struct peer *p, uint64_t now_ns)
{
    return now_ns > p->since_ns + (uint64_t)(m->set.hello_timeout_ms * 1e6);
}

/* A radio that was killed leaves bells behind that nobody has read yet, and its end is behind them. */
static bool has_hung_up(const struct peer *p)
{
    struct pollfd end = {.fd = p->fd, .events = POLLRDHUP};
    return poll(&end, 1, 0) == 1 && (end.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* The seat of who has gone, or did not start in time, goes to who asks for it. */
static bool is_free(medium_t *m, const struct seat *seat)
{
    struct peer *holder = &m->peer[seat->peer];
    if (seat->taken && has_hung_up(holder)) {
        leave(m, holder, "closed, and another asks for its place");
    } else if (seat->taken && !seat->present && hello_timeout_over(m, holder, clock_mono_ns())) {
        log_write(LOG_WARNING, "air", "PUT-OUT role=%s id=%d why=\"did not start, and another asks for its place\"",
                  seat_role(seat), seat->id);
        put_out(m, holder, "put out: did not start, and another radio asked for this place");
    }
    return !seat->taken;
}

/* Writes why this hello is refused; "" if it is not. */
static void judge_hello(medium_t *m, const struct air_header *h, double rate_hz, const struct seat *seat, char *why)
{
    why[0] = '\0';
    if (!seat) {
        static const char *const names[AIR_N_ROLE] = {"ap", "ue", "eve"};
        snprintf(why, AIR_MAX_TEXT, "unknown id: %s %d is not in the network (%d aps, %d users, %d eavesdroppers)",
                 names[h->role], h->id, m->set.n_ap, m->set.n_ue, m->set.n_eve);
    } else if (h->n_ant != seat->n_ant) {
        snprintf(why, AIR_MAX_TEXT, "%s %d has %d antennas, %d expected", seat_role(seat), h->id, h->n_ant,
                 seat->n_ant);
    } else if (!(rate_hz == m->set.sample_rate_hz)) {
        snprintf(why, AIR_MAX_TEXT, "%s %d has sample rate %g Hz, %g Hz expected", seat_role(seat), h->id, rate_hz,
                 m->set.sample_rate_hz);
    } else if (h->n_samples != 0 && h->n_samples != (uint32_t)m->set.chunk) {
        snprintf(why, AIR_MAX_TEXT, "%s %d has chunks of %u samples, %d expected", seat_role(seat), h->id, h->n_samples,
                 m->set.chunk);
    } else if (!is_free(m, seat)) {
        snprintf(why, AIR_MAX_TEXT, "id taken: %s %d is already connected", seat_role(seat), h->id);
    }
}

static int take_seat(medium_t *m, struct peer *p, struct seat *seat, uint64_t n_tx_buffer_samples)
{
    int fds[AIR_SOCKET_MAX_FDS] = {-1, m->board_fd};
    uint8_t welcome[AIR_WELCOME_BYTES];
    const int n_cell = air_share_cells(n_tx_buffer_samples, seat->n_ant, m->set.chunk);
    const int status = air_share_create(&seat->share, seat->n_ant, m->set.chunk, n_cell, p->local ? &fds[0] : NULL);
    if (!status) {
        seat->taken = true;
        seat->shared = p->local;
        seat->peer = (int)(p - m->peer);
        m->n_remote += !p->local;
        p->seat = seat;
        p->since_ns = clock_mono_ns();
        const uint32_t flags = (m->set.paced ? AIR_FLAG_PACED : 0u) | (p->local ? AIR_FLAG_SHARED : 0u);
        air_message_pack_welcome(welcome, (uint32_t)n_cell);
        say(p, (struct air_header){.type = AIR_WELCOME, .n_samples = (uint32_t)m->set.chunk, .flags = flags}, welcome,
            sizeof welcome, fds, p->local ? AIR_SOCKET_MAX_FDS : 0);
    }
    if (fds[0] >= 0) {
        close(fds[0]);
    }
    return status;
}

static void hello(medium_t *m, struct peer *p)
{
    struct air_hello hello;
    struct seat *seat = find_seat(m, &p->header);
    char why[AIR_MAX_TEXT];
    air_message_unpack_hello(&hello, p->hello);
    judge_hello(m, &p->header, hello.rate_hz, seat, why);
    if (!why[0] && take_seat(m, p, seat, hello.n_tx_buffer_samples) != TUTTI_OK) {
        snprintf(why, sizeof why, "%s", error_text());
    }
    if (why[0]) {
        refuse(m, p, why);
    }
}

static void start(medium_t *m, struct peer *p)
{
    struct seat *seat = p->seat;
    atomic_store(&seat->share.words->handed, m->tick);
    atomic_store(&seat->share.words->fetched, m->tick);
    atomic_store(&seat->share.words->received, m->tick);
    seat->seen = m->tick;
    seat->present = true;
    m->ever_joined = true;
    m->counters.joins++;
    log_write(LOG_INFO, "air", "JOIN role=%s id=%d tick=%llu", seat_role(seat), seat->id, (unsigned long long)m->tick);
    say(p, (struct air_header){.type = AIR_STARTED, .tick = m->tick}, NULL, 0, NULL, 0);
    medium_start_clock(m);
}

/* Messages ------------------------------------------------------------------------------------------------------ */

/* A TX chunk of a tcp radio is in its ring. */
static void handed_in(struct peer *p)
{
    const struct air_header *h = &p->header;
    const struct air_share *share = &p->seat->share;
    struct air_cell *cell = air_share_cell(share, h->tick);
    atomic_store(&cell->filled, h->flags & AIR_FLAG_SILENT ? 0 : h->tick + 1);
    atomic_store(&cell->extent, (uint64_t)(uint32_t)share->chunk << 32);
    atomic_store(&share->words->handed, h->tick + (tutti_tick)share->chunk);
}

static void complete(medium_t *m, struct peer *p)
{
    p->have = 0;
    p->in_payload = false;
    switch (p->header.type) {
    case AIR_HELLO:
        hello(m, p);
        break;
    case AIR_START:
        start(m, p);
        break;
    case AIR_TX:
        handed_in(p);
        break;
    default: /* a bell: it was for waking up */
        break;
    }
}

/* The next chunk, or in paced mode one after those that passed it by, and there is a cell for it. */
static bool tx_in_turn(const medium_t *m, const struct seat *seat, const struct air_header *h)
{
    const struct air_share *s = &seat->share;
    const tutti_tick chunk = (tutti_tick)s->chunk, handed = atomic_load(&s->words->handed);
    return h->n_ant == seat->n_ant && h->n_samples == chunk && h->tick % chunk == 0 &&
           (h->tick == handed || (m->set.paced && h->tick > handed)) &&
           h->tick < m->tick + (tutti_tick)s->n_cell * chunk;
}

/* A whole header is there: may this peer send it, now, in this shape? */
static bool may_send(const medium_t *m, const struct peer *p)
{
    const struct seat *seat = p->seat;
    if (!seat) {
        return p->header.type == AIR_HELLO;
    }
    if (!seat->present) {
        return p->header.type == AIR_START;
    }
    return seat->shared ? p->header.type == AIR_BELL : p->header.type == AIR_TX && tx_in_turn(m, seat, &p->header);
}

static void begin_payload(medium_t *m, struct peer *p)
{
    const int status = air_message_unpack(&p->header, p->bytes);
    if (status == TUTTI_EVERSION && !p->seat) {
        refuse(m, p, error_text());
        return;
    }
    if (status) {
        drop(m, p, error_text());
        return;
    }
    if (!may_send(m, p)) {
        drop(m, p, "message out of turn or of the wrong shape");
        return;
    }
    p->have = 0;
    p->in_payload = true;
    if (p->header.payload_bytes == 0) {
        complete(m, p);
    }
}

/* Returns false when there is nothing more to read now. */
static bool read_some(medium_t *m, struct peer *p)
{
    uint8_t *target = p->bytes;
    size_t size = sizeof p->bytes;
    if (p->in_payload) {
        const bool is_hello = p->header.type == AIR_HELLO;
        target = is_hello ? p->hello : (uint8_t *)air_share_tx(&p->seat->share, p->header.tick);
        size = p->header.payload_bytes;
    }
    const ssize_t got = recv(p->fd, target + p->have, size - p->have, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got <= 0) {
        leave(m, p, got == 0 || errno == ECONNRESET ? "closed" : strerror(errno)); /* reset: a bell was unread */
        return false;
    }
    p->have += (size_t)got;
    if (p->have == size) {
        if (p->in_payload) {
            complete(m, p);
        } else {
            begin_payload(m, p);
        }
    }
    /* a bell comes alone: no second call to see that nothing follows it */
    return p->fd >= 0 && !(p->seat && p->seat->present && p->seat->shared);
}

/* Delivering ---------------------------------------------------------------------------------------------------- */

/* The next RX chunk that is there becomes the message under way; false if there is none. */
static bool begin_message(struct peer *p)
{
    struct seat *seat = p->seat;
    const struct air_share *s = &seat->share;
    const tutti_tick chunk = (tutti_tick)s->chunk, received = atomic_load(&s->words->received);
    tutti_tick next = atomic_load(&s->words->fetched);
    while (next < received && atomic_load(&air_share_cell(s, next)->there) != next + 1) {
        next += chunk; /* lost */
    }
    atomic_store(&s->words->fetched, next);
    if (next >= received) {
        return false;
    }
    const bool taken = atomic_load(&air_share_cell(s, next)->taken) == next + 1;
    const size_t n = air_share_chunk_values(s) * sizeof(tutti_cf32);
    air_message_pack(p->out_bytes, &(struct air_header){.type = AIR_RX,
                                                        .role = (uint8_t)seat->role,
                                                        .id = (uint16_t)seat->id,
                                                        .n_ant = (uint16_t)seat->n_ant,
                                                        .flags = taken ? AIR_FLAG_TAKEN : 0,
                                                        .tick = next,
                                                        .n_samples = (uint32_t)s->chunk,
                                                        .payload_bytes = (uint32_t)n});
    p->out_sent = 0;
    p->out_total = sizeof p->out_bytes + n;
    return true;
}

/* As much of the message under way as the socket takes; true when it is through. */
static bool write_some(medium_t *m, struct peer *p)
{
    const struct air_share *s = &p->seat->share;
    const tutti_tick tick = atomic_load(&s->words->fetched);
    const size_t n_head = sizeof p->out_bytes;
    struct iovec part[2];
    int n_part = 0;
    if (p->out_sent < n_head) {
        part[n_part++] = (struct iovec){p->out_bytes + p->out_sent, n_head - p->out_sent};
    }
    const size_t done = p->out_sent > n_head ? p->out_sent - n_head : 0;
    part[n_part++] = (struct iovec){(uint8_t *)air_share_rx(s, tick) + done, p->out_total - n_head - done};
    const struct msghdr message = {.msg_iov = part, .msg_iovlen = (size_t)n_part};
    const ssize_t sent = sendmsg(p->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        leave(m, p, strerror(errno));
        return false;
    }
    p->out_sent += sent > 0 ? (size_t)sent : 0;
    if (p->out_sent < p->out_total) {
        return false;
    }
    atomic_store(&s->words->fetched, tick + (tutti_tick)s->chunk);
    return true;
}

static void send_received(medium_t *m, struct peer *p)
{
    const bool was_sending = p->sending;
    p->sending = was_sending || begin_message(p);
    while (p->sending && write_some(m, p)) {
        p->sending = begin_message(p);
    }
    if (p->fd >= 0 && p->sending != was_sending) {
        watch(m, watch_of(m, p), p->fd, EPOLLIN | (p->sending ? EPOLLOUT : 0u), EPOLL_CTL_MOD);
    }
}

static void ring(medium_t *m, const struct peer *p)
{
    say(p, (struct air_header){.type = AIR_BELL}, NULL, 0, NULL, 0);
    m->counters.bells++;
}

void peers_deliver(medium_t *m, struct seat *seat)
{
    struct air_words *w = seat->share.words;
    struct peer *p = &m->peer[seat->peer];
    const uint64_t received = atomic_load(&w->received);
    if (!seat->shared) {
        /* what was asked for together goes out together */
        if (!p->sending && received >= atomic_load(&w->handed)) {
            m->counters.bells++;
            send_received(m, p);
        }
        return;
    }
    uint64_t wake = atomic_load(&w->wake);
    if (wake <= received && atomic_compare_exchange_strong(&w->wake, &wake, AIR_NEVER)) {
        ring(m, p);
    }
}

/* Time ---------------------------------------------------------------------------------------------------------- */

void peers_enforce(medium_t *m, uint64_t now_ns, bool over)
{
    for (int i = 0; i < m->n_peer_max; i++) {
        struct peer *p = &m->peer[i];
        if (p->fd < 0) {
            continue;
        }
        if (!p->seat && hello_timeout_over(m, p, now_ns)) {
            drop(m, p, "no hello");
        } else if (over && p->seat && p->seat->present && !seat_handed(p->seat, m->tick)) {
            log_write(LOG_WARNING, "air", "PUT-OUT role=%s id=%d tick=%llu waited_ms=%.0f", seat_role(p->seat),
                      p->seat->id, (unsigned long long)m->tick, (double)(now_ns - m->stalled_ns) / 1e6);
            put_out(m, p, "put out: kept the other radios waiting too long");
        }
    }
}

static void attend(medium_t *m, struct peer *p, uint32_t seen)
{
    if (p->fd >= 0 && (seen & EPOLLOUT) && p->seat) {
        send_received(m, p);
    }
    for (int k = 0; p->fd >= 0 && (seen & (EPOLLIN | EPOLLHUP | EPOLLERR)) && k < MESSAGES_PER_VISIT; k++) {
        if (!read_some(m, p)) {
            break;
        }
    }
}

/* A place for a new connection: a free one, or that of the connection which has been silent for longest. */
static struct peer *make_room(medium_t *m)
{
    struct peer *oldest = NULL;
    for (int i = 0; i < m->n_peer_max; i++) {
        struct peer *p = &m->peer[i];
        if (p->fd < 0) {
            return p;
        }
        if (!p->seat && (!oldest || p->since_ns < oldest->since_ns)) {
            oldest = p;
        }
    }
    if (oldest) { /* always: there are more places than seats */
        drop(m, oldest, "no hello, and others want to connect");
    }
    return oldest;
}

/* What it has sent already counts, however many come behind it. */
static void accept_peers(medium_t *m)
{
    int fd;
    while ((fd = air_socket_accept(m->listener)) >= 0) {
        struct peer *p = make_room(m);
        *p = (struct peer){.fd = fd, .since_ns = clock_mono_ns(), .local = air_socket_is_local(fd)};
        watch(m, watch_of(m, p), fd, EPOLLIN, EPOLL_CTL_ADD);
        attend(m, p, EPOLLIN);
    }
}

int peers_visit(medium_t *m, int wait_ms)
{
    struct epoll_event event[EVENTS_PER_VISIT];
    const int n = epoll_wait(m->poll_fd, event, EVENTS_PER_VISIT, wait_ms);
    m->counters.wakeups += wait_ms > 0 && n > 0;
    if (n < 0 && errno != EINTR) {
        return error_set(TUTTI_EIO, "poll failed: %s", strerror(errno));
    }
    bool waiting = false;
    for (int i = 0; i < n; i++) {
        const uint32_t what = event[i].data.u32;
        waiting = waiting || what == WATCH_LISTENER;
        if (what >= WATCH_PEERS) {
            attend(m, &m->peer[what - WATCH_PEERS], event[i].events);
        }
    }
    if (waiting) { /* last: an event must not meet a new peer in an old one's place */
        accept_peers(m);
    }
    return TUTTI_OK;
}

/* Create -------------------------------------------------------------------------------------------------------- */

/* One descriptor per connection. */
static int raise_descriptor_limit(int n_peer)
{
    struct rlimit limit;
    const rlim_t needed = (rlim_t)(n_peer + SPARE_DESCRIPTORS);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) {
        return TUTTI_OK;
    }
    if (limit.rlim_max < needed) {
        return error_set(TUTTI_EIO, "%d radios need %llu descriptors, the limit is %llu: raise it with `ulimit -n`",
                         n_peer - SPARE_PEERS, (unsigned long long)needed, (unsigned long long)limit.rlim_max);
    }
    limit.rlim_cur = needed;
    setrlimit(RLIMIT_NOFILE, &limit);
    return TUTTI_OK;
}

int peers_create(medium_t *m)
{
    m->n_peer_max = m->n_radio + SPARE_PEERS;
    m->peer = calloc((size_t)m->n_peer_max, sizeof *m->peer);
    if (!m->peer) {
        return error_set(TUTTI_ENOMEM, "no memory for %d connections", m->n_peer_max);
    }
    for (int i = 0; i < m->n_peer_max; i++) {
        m->peer[i].fd = -1;
    }
    const int status = raise_descriptor_limit(m->n_peer_max);
    m->listener = status ? -1 : air_socket_listen(m->set.endpoint);
    m->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (status || m->listener < 0) {
        return status ? status : m->listener;
    }
    if (m->poll_fd < 0) {
        return error_set(TUTTI_EIO, "cannot watch sockets: %s", strerror(errno));
    }
    watch(m, WATCH_STOP, rt_stop_fd(), EPOLLIN, EPOLL_CTL_ADD);
    watch(m, WATCH_LISTENER, m->listener, EPOLLIN, EPOLL_CTL_ADD);
    watch(m, WATCH_TIMER, m->timer_fd, EPOLLIN, EPOLL_CTL_ADD);
    return TUTTI_OK;
}

void peers_destroy(medium_t *m)
{
    for (int i = 0; m->peer && i < m->n_peer_max; i++) {
        if (m->peer[i].fd >= 0) {
            close(m->peer[i].fd);
        }
    }
    if (m->listener >= 0) {
        close(m->listener);
        air_socket_remove(m->set.endpoint);
    }
    if (m->poll_fd >= 0) {
        close(m->poll_fd);
    }
    free(m->peer);
}
