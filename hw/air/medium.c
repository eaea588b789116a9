/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/medium.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/air_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    SPARE_PEERS = 16,        /* connections that have not said hello */
    HELLO_TIMEOUT_MS = 5000, /* and how long they may stay silent */
    IDLE_POLL_MS = 100,
    MESSAGES_PER_VISIT = 64 /* of one peer before the others get their turn */
};

/* One radio of the network file, connected or not. */
struct slot {
    enum air_role role;
    int id, n_ant;
    bool taken, present;       /* has said hello; has said start */
    bool handed, silent, late; /* TX of the current chunk; late: to be told */
    bool out_busy;             /* out is not wholly sent yet */
    tutti_cf32 *in, *out;      /* [n_ant][chunk] */
};

/* One connection. */
struct peer {
    int fd;
    struct slot *slot; /* NULL before hello */
    uint64_t since_ns;
    uint8_t bytes[AIR_HEADER_BYTES];
    struct air_header header;
    size_t have; /* bytes of the header, then of the payload */
    bool in_payload;
    uint8_t hello[AIR_HELLO_BYTES];
    uint8_t out_bytes[AIR_HEADER_BYTES]; /* RX message under way: header and slot->out */
    size_t out_sent, out_total;
};

struct medium {
    struct medium_settings set;
    int listener, n_radio, n_peer_max;
    struct slot *slot; /* [n_radio] */
    struct peer *peer; /* [n_peer_max], fd < 0 = free */
    struct pollfd *fds;
    const tutti_cf32 **in; /* [n_radio] as seen by the mixer */
    tutti_cf32 **out;
    tutti_tick tick;
    bool running; /* the clock has started */
    bool ever_joined;
    uint64_t start_ns;        /* paced: when tick 0 was */
    uint64_t first_handed_ns; /* lock-step: when somebody began to wait for the others; 0 = nobody waits */
    struct medium_counters counters;
};

static const char *role_name(enum air_role role)
{
    return role == AIR_ROLE_AP ? "ap" : role == AIR_ROLE_UE ? "ue" : "eve";
}

/* Peers --------------------------------------------------------------------------------------------------------- */

static void leave(medium_t *m, struct peer *p, const char *why)
{
    if (p->slot) {
        log_write(LOG_INFO, "air", "LEAVE role=%s id=%d tick=%llu why=\"%s\"", role_name(p->slot->role), p->slot->id,
                  (unsigned long long)m->tick, why);
        p->slot->taken = p->slot->present = p->slot->handed = p->slot->late = p->slot->out_busy = false;
        m->counters.leaves++;
    }
    close(p->fd);
    p->fd = -1;
    p->slot = NULL;
}

static void drop(medium_t *m, struct peer *p, const char *why)
{
    if (p->slot) {
        log_write(LOG_WARNING, "air", "BAD-PEER role=%s id=%d why=\"%s\"", role_name(p->slot->role), p->slot->id, why);
    } else {
        log_write(LOG_WARNING, "air", "BAD-PEER why=\"%s\"", why);
    }
    m->counters.bad_peers++;
    leave(m, p, "dropped");
}

/* Short messages fit an empty socket buffer; a peer whose buffer is full just misses them. */
static void say(const struct peer *p, struct air_header header, const char *text)
{
    uint8_t bytes[AIR_HEADER_BYTES];
    const size_t n_text = text ? strlen(text) : 0;
    header.payload_bytes = (uint32_t)n_text;
    air_link_pack(bytes, &header);
    struct iovec part[2] = {{bytes, sizeof bytes}, {(void *)(uintptr_t)text, n_text}};
    const struct msghdr message = {.msg_iov = part, .msg_iovlen = text ? 2 : 1};
    const ssize_t sent = sendmsg(p->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* a peer that is gone shows at the next read */
}

static void refuse(medium_t *m, struct peer *p, const char *why)
{
    char text[AIR_MAX_TEXT];
    snprintf(text, sizeof text, "%s", why);
    log_write(LOG_WARNING, "air", "REFUSE why=\"%s\"", text);
    say(p, (struct air_header){.type = AIR_REFUSE}, text);
    m->counters.refused++;
    leave(m, p, "refused");
}

static void accept_peers(medium_t *m)
{
    int fd;
    while ((fd = air_link_accept(m->listener)) >= 0) {
        struct peer *p = NULL;
        for (int i = 0; i < m->n_peer_max && !p; i++) {
            p = m->peer[i].fd < 0 ? &m->peer[i] : NULL;
        }
        if (!p) {
            log_write(LOG_WARNING, "air", "BAD-PEER why=\"too many connections\"");
            m->counters.bad_peers++;
            close(fd);
            continue;
        }
        *p = (struct peer){.fd = fd, .since_ns = clock_mono_ns()};
    }
}

/* Joining ------------------------------------------------------------------------------------------------------- */

static struct slot *find_slot(const medium_t *m, const struct air_header *h)
{
    const int n[AIR_N_ROLE] = {m->set.n_ap, m->set.n_ue, m->set.n_eve};
    const int first[AIR_N_ROLE] = {0, m->set.n_ap, m->set.n_ap + m->set.n_ue};
    return h->id < n[h->role] ? &m->slot[first[h->role] + h->id] : NULL;
}

static void hello(medium_t *m, struct peer *p)
{
    const struct air_header *h = &p->header;
    const double rate_hz = air_link_unpack_rate(p->hello);
    struct slot *slot = find_slot(m, h);
    char why[AIR_MAX_TEXT] = "";
    if (!slot) {
        snprintf(why, sizeof why, "unknown id: %s %d is not in the network (%d aps, %d users, %d eavesdroppers)",
                 role_name(h->role), h->id, m->set.n_ap, m->set.n_ue, m->set.n_eve);
    } else if (slot->taken) {
        snprintf(why, sizeof why, "id taken: %s %d is already connected", role_name(h->role), h->id);
    } else if (h->n_ant != slot->n_ant) {
        snprintf(why, sizeof why, "%s %d has %d antennas, %d expected", role_name(h->role), h->id, h->n_ant,
                 slot->n_ant);
    } else if (rate_hz != m->set.sample_rate_hz) {
        snprintf(why, sizeof why, "%s %d has sample rate %g Hz, %g Hz expected", role_name(h->role), h->id, rate_hz,
                 m->set.sample_rate_hz);
    } else if (h->n_samples != 0 && h->n_samples != (uint32_t)m->set.chunk) {
        snprintf(why, sizeof why, "%s %d has chunks of %u samples, %d expected", role_name(h->role), h->id,
                 h->n_samples, m->set.chunk);
    }
    if (why[0]) {
        refuse(m, p, why);
        return;
    }
    slot->taken = true;
    p->slot = slot;
    say(p,
        (struct air_header){.type = AIR_WELCOME,
                            .n_samples = (uint32_t)m->set.chunk,
                            .flags = m->set.paced ? AIR_FLAG_PACED : 0,
                            .tick = m->tick},
        NULL);
}

static bool all_present(const medium_t *m)
{
    for (int r = 0; r < m->n_radio; r++) {
        if (!m->slot[r].present) {
            return false;
        }
    }
    return true;
}

static void start(medium_t *m, struct peer *p)
{
    struct slot *slot = p->slot;
    slot->present = true;
    slot->handed = slot->late = false;
    m->ever_joined = true;
    m->counters.joins++;
    log_write(LOG_INFO, "air", "JOIN role=%s id=%d tick=%llu", role_name(slot->role), slot->id,
              (unsigned long long)m->tick);
    say(p, (struct air_header){.type = AIR_STARTED, .tick = m->tick}, NULL);
    if (!m->running && (!m->set.wait_for_all || all_present(m))) {
        m->running = true;
        m->start_ns = clock_mono_ns();
        m->first_handed_ns = 0;
        log_write(LOG_INFO, "air", "CLOCK-START mode=%s", m->set.paced ? "paced" : "lockstep");
    }
}

/* Messages ------------------------------------------------------------------------------------------------------ */

static void handed_in(medium_t *m, struct peer *p)
{
    const struct air_header *h = &p->header;
    struct slot *slot = p->slot;
    if (h->tick == m->tick && !slot->handed) {
        slot->handed = true;
        slot->silent = h->flags & AIR_FLAG_SILENT;
        m->first_handed_ns = m->first_handed_ns ? m->first_handed_ns : clock_mono_ns();
    } else if (h->tick < m->tick && m->set.paced) {
        if (!(h->flags & AIR_FLAG_SILENT)) {
            slot->late = true;
            m->counters.late++;
        }
    } else {
        drop(m, p, "samples for another time than the current chunk");
    }
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
    default:
        handed_in(m, p);
        break;
    }
}

/* A whole header is there: may this peer send it, now, in this shape? */
static void begin_payload(medium_t *m, struct peer *p)
{
    const int status = air_link_unpack(&p->header, p->bytes);
    const struct air_header *h = &p->header;
    const struct slot *slot = p->slot;
    if (status == TUTTI_EVERSION && !slot) {
        refuse(m, p, error_text());
        return;
    }
    if (status) {
        drop(m, p, error_text());
        return;
    }
    const bool good = !slot               ? h->type == AIR_HELLO
                      : !slot->present    ? h->type == AIR_START
                      : h->type != AIR_TX ? false
                                          : h->n_ant == slot->n_ant && h->n_samples == (uint32_t)m->set.chunk;
    /* a second chunk while the first waits would be read over it */
    if (!good || (slot && slot->handed)) {
        drop(m, p, "message out of turn or of the wrong shape");
        return;
    }
    p->have = 0;
    p->in_payload = true;
    if (h->payload_bytes == 0) {
        complete(m, p);
    }
}

/* Returns false when there is nothing more to read now. */
static bool read_some(medium_t *m, struct peer *p)
{
    uint8_t *target = p->bytes;
    size_t size = sizeof p->bytes;
    if (p->in_payload) {
        target = p->header.type == AIR_HELLO ? p->hello : (uint8_t *)p->slot->in;
        size = p->header.payload_bytes;
    }
    const ssize_t got = recv(p->fd, target + p->have, size - p->have, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got <= 0) {
        leave(m, p, got == 0 ? "closed" : strerror(errno));
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
    return p->fd >= 0;
}

static void write_some(medium_t *m, struct peer *p)
{
    struct iovec part[2];
    const size_t n_head = sizeof p->out_bytes;
    int n_part = 0;
    if (p->out_sent < n_head) {
        part[n_part++] = (struct iovec){p->out_bytes + p->out_sent, n_head - p->out_sent};
    }
    const size_t done = p->out_sent > n_head ? p->out_sent - n_head : 0;
    part[n_part++] = (struct iovec){(uint8_t *)p->slot->out + done, p->out_total - n_head - done};
    const struct msghdr message = {.msg_iov = part, .msg_iovlen = (size_t)n_part};
    const ssize_t sent = sendmsg(p->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        leave(m, p, strerror(errno));
        return;
    }
    p->out_sent += sent > 0 ? (size_t)sent : 0;
    p->slot->out_busy = p->out_sent < p->out_total;
}

/* The clock ----------------------------------------------------------------------------------------------------- */

static uint64_t due_ns(const medium_t *m)
{
    return m->start_ns + (uint64_t)((double)m->tick * 1e9 / m->set.sample_rate_hz);
}

static int count_present(const medium_t *m, bool handed_only)
{
    int n = 0;
    for (int r = 0; r < m->n_radio; r++) {
        n += m->slot[r].present && (!handed_only || m->slot[r].handed);
    }
    return n;
}

static bool chunk_ready(const medium_t *m, uint64_t now_ns)
{
    if (!m->running) {
        return false;
    }
    if (m->set.paced) {
        return now_ns >= due_ns(m);
    }
    const int present = count_present(m, false);
    return present > 0 && present == count_present(m, true);
}

/* Those who have handed in nothing while others wait are put out; connections without a hello are closed. */
static void enforce_timeouts(medium_t *m, uint64_t now_ns)
{
    const uint64_t limit_ns = (uint64_t)(m->set.radio_timeout_ms * 1e6);
    const bool waiting = m->running && !m->set.paced && m->first_handed_ns && count_present(m, true) > 0;
    const bool over = waiting && now_ns > m->first_handed_ns + limit_ns;
    for (int i = 0; i < m->n_peer_max; i++) {
        struct peer *p = &m->peer[i];
        if (p->fd >= 0 && !p->slot && now_ns > p->since_ns + HELLO_TIMEOUT_MS * 1000000ull) {
            drop(m, p, "no hello");
        } else if (p->fd >= 0 && over && p->slot && p->slot->present && !p->slot->handed) {
            log_write(LOG_WARNING, "air", "PUT-OUT role=%s id=%d tick=%llu waited_ms=%.0f", role_name(p->slot->role),
                      p->slot->id, (unsigned long long)m->tick, (double)(now_ns - m->first_handed_ns) / 1e6);
            say(p, (struct air_header){.type = AIR_REFUSE}, "put out: kept the other radios waiting too long");
            m->counters.put_out++;
            leave(m, p, "put out");
        }
    }
}

/* One look at the sockets, waiting at most until the chunk is due. */
static int visit(medium_t *m, uint64_t now_ns)
{
    int64_t wait_ns = IDLE_POLL_MS * 1000000ll;
    if (m->running && m->set.paced) {
        const int64_t left_ns = (int64_t)(due_ns(m) - now_ns);
        wait_ns = left_ns < 0 ? 0 : left_ns < wait_ns ? left_ns : wait_ns;
    }
    int n = 0;
    m->fds[n++] = (struct pollfd){.fd = rt_stop_fd(), .events = POLLIN};
    m->fds[n++] = (struct pollfd){.fd = m->listener, .events = POLLIN};
    for (int i = 0; i < m->n_peer_max; i++) {
        const struct peer *p = &m->peer[i];
        const bool busy = p->fd >= 0 && p->slot && p->slot->out_busy;
        m->fds[n++] = (struct pollfd){.fd = p->fd, .events = (short)(POLLIN | (busy ? POLLOUT : 0))};
    }
    const struct timespec timeout = {wait_ns / 1000000000, wait_ns % 1000000000};
    if (ppoll(m->fds, (nfds_t)n, &timeout, NULL) < 0 && errno != EINTR) {
        return error_set(TUTTI_EIO, "poll failed: %s", strerror(errno));
    }
    for (int i = 0; i < m->n_peer_max; i++) {
        struct peer *p = &m->peer[i];
        const short seen = m->fds[i + 2].revents;
        if (p->fd >= 0 && (seen & POLLOUT) && p->slot && p->slot->out_busy) {
            write_some(m, p);
        }
        for (int k = 0; p->fd >= 0 && (seen & (POLLIN | POLLHUP | POLLERR)) && k < MESSAGES_PER_VISIT; k++) {
            if (!read_some(m, p)) {
                break;
            }
        }
    }
    if (m->fds[1].revents) {
        accept_peers(m);
    }
    return TUTTI_OK;
}

static void expose(medium_t *m)
{
    for (int r = 0; r < m->n_radio; r++) {
        const struct slot *slot = &m->slot[r];
        m->in[r] = slot->present && slot->handed && !slot->silent ? slot->in : NULL;
        m->out[r] = slot->present && !slot->out_busy ? slot->out : NULL;
        m->counters.overflow += slot->present && slot->out_busy;
    }
}

int medium_gather(medium_t *m)
{
    for (;;) {
        const uint64_t now_ns = clock_mono_ns();
        const bool ready = chunk_ready(m, now_ns); /* before the visit: what has arrived in time is taken in */
        if (ready && !m->set.paced) {
            break;
        }
        const int status = visit(m, now_ns);
        if (status) {
            return status;
        }
        if (rt_stop_requested()) {
            return MEDIUM_STOPPED;
        }
        if (m->set.exit_when_empty && m->ever_joined && count_present(m, false) == 0) {
            return MEDIUM_EMPTY;
        }
        if (ready) {
            break;
        }
        enforce_timeouts(m, now_ns);
    }
    expose(m);
    return MEDIUM_CHUNK;
}

tutti_tick medium_tick(const medium_t *m)
{
    return m->tick;
}

const tutti_cf32 *const *medium_input(const medium_t *m)
{
    return m->in;
}

tutti_cf32 *const *medium_output(const medium_t *m)
{
    return m->out;
}

static void deliver_to(medium_t *m, struct peer *p)
{
    struct slot *slot = p->slot;
    const size_t n = (size_t)slot->n_ant * (size_t)m->set.chunk * sizeof(tutti_cf32);
    const struct air_header header = {.type = AIR_RX,
                                      .role = (uint8_t)slot->role,
                                      .id = (uint16_t)slot->id,
                                      .n_ant = (uint16_t)slot->n_ant,
                                      .flags = slot->late ? AIR_FLAG_LATE : 0,
                                      .tick = m->tick,
                                      .n_samples = (uint32_t)m->set.chunk,
                                      .payload_bytes = (uint32_t)n};
    air_link_pack(p->out_bytes, &header);
    p->out_sent = 0;
    p->out_total = sizeof p->out_bytes + n;
    slot->late = false;
    slot->out_busy = true;
    write_some(m, p);
}

void medium_deliver(medium_t *m)
{
    const uint64_t now_ns = clock_mono_ns();
    const uint64_t chunk_ns = (uint64_t)((double)m->set.chunk * 1e9 / m->set.sample_rate_hz);
    m->counters.behind += m->set.paced && now_ns > due_ns(m) + chunk_ns;
    m->counters.first_ns = m->counters.first_ns ? m->counters.first_ns : now_ns;
    m->counters.last_ns = now_ns;
    m->counters.chunks++;
    for (int r = 0; r < m->n_radio; r++) {
        m->slot[r].handed = false;
    }
    for (int i = 0; i < m->n_peer_max; i++) {
        struct peer *p = &m->peer[i];
        if (p->fd >= 0 && p->slot && m->out[p->slot - m->slot]) {
            deliver_to(m, p);
        }
    }
    m->tick += (tutti_tick)m->set.chunk;
    m->first_handed_ns = 0;
}

const struct medium_counters *medium_counters(const medium_t *m)
{
    return &m->counters;
}

/* Create -------------------------------------------------------------------------------------------------------- */

static bool make_slots(medium_t *m)
{
    bool good = true;
    for (int r = 0; r < m->n_radio && good; r++) {
        struct slot *slot = &m->slot[r];
        const int first_ue = m->set.n_ap, first_eve = m->set.n_ap + m->set.n_ue;
        slot->role = r < first_ue ? AIR_ROLE_AP : r < first_eve ? AIR_ROLE_UE : AIR_ROLE_EVE;
        slot->id = r < first_ue ? r : r < first_eve ? r - first_ue : r - first_eve;
        slot->n_ant = r < first_ue ? m->set.n_ant : r < first_eve ? 1 : m->set.n_eve_ant;
        const size_t n = (size_t)slot->n_ant * (size_t)m->set.chunk;
        slot->in = calloc(n, sizeof *slot->in);
        slot->out = calloc(n, sizeof *slot->out);
        good = slot->in && slot->out;
    }
    return good;
}

int medium_create(medium_t **medium, const struct medium_settings *settings)
{
    medium_t *m = calloc(1, sizeof *m);
    *medium = NULL;
    if (!m) {
        return error_set(TUTTI_ENOMEM, "no memory for the medium");
    }
    m->set = *settings;
    m->listener = -1;
    m->n_radio = settings->n_ap + settings->n_ue + settings->n_eve;
    m->n_peer_max = m->n_radio + SPARE_PEERS;
    m->slot = calloc((size_t)m->n_radio, sizeof *m->slot);
    m->peer = calloc((size_t)m->n_peer_max, sizeof *m->peer);
    m->fds = calloc((size_t)m->n_peer_max + 2, sizeof *m->fds);
    m->in = calloc((size_t)m->n_radio, sizeof *m->in);
    m->out = calloc((size_t)m->n_radio, sizeof *m->out);
    for (int i = 0; m->peer && i < m->n_peer_max; i++) {
        m->peer[i].fd = -1;
    }
    int status = m->slot && m->peer && m->fds && m->in && m->out && make_slots(m)
                     ? TUTTI_OK
                     : error_set(TUTTI_ENOMEM, "no memory for %d radios", m->n_radio);
    if (!status) {
        m->listener = air_link_listen(settings->endpoint);
        status = m->listener < 0 ? m->listener : TUTTI_OK;
    }
    if (status) {
        medium_destroy(m);
        return status;
    }
    *medium = m;
    return TUTTI_OK;
}

void medium_destroy(medium_t *m)
{
    if (!m) {
        return;
    }
    for (int i = 0; m->peer && i < m->n_peer_max; i++) {
        if (m->peer[i].fd >= 0) {
            close(m->peer[i].fd);
        }
    }
    if (m->listener >= 0) {
        close(m->listener);
        air_link_remove(m->set.endpoint);
    }
    for (int r = 0; m->slot && r < m->n_radio; r++) {
        free(m->slot[r].in);
        free(m->slot[r].out);
    }
    free(m->slot);
    free(m->peer);
    free(m->fds);
    free(m->in);
    free(m->out);
    free(m);
}
