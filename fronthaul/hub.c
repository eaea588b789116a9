/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/hub.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "fronthaul/bytes.h"
#include "fronthaul/guard.h"
#include "fronthaul/keys.h"
#include "fronthaul/link.h"
#include "fronthaul/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PROBE_NS 150000000u
#define PLEASE_PERIOD_NS 100000u
#define SWEEP_MIN_PERIOD_NS 10000000u
#define REFUSED_LOG_PERIOD_NS 1000000000u

enum {
    MAX_OBSERVERS = 16,
    STOP_LINGER_MS = 200,
    STOP_WAIT_MS = 1000,
    EVENTS_PER_POLL = 8,
    N_SWEEPS = 3,
    IDENTITY_BYTES = 5,
    MAX_VISITORS = 1024 /* a higher descriptor shares a place: then only names and counts may be wrong */
};

/* When to look for dead routes after a connection broke: ZeroMQ tells that one broke, not whose, and a little early. */
static const uint64_t sweep_delay_ns[N_SWEEPS] = {1000000, 10000000, 50000000};

/* The place of one peer. A key stands for a ROUTER identity; 0 = nobody. */
struct seat {
    enum fh_role role;
    int id;
    uint64_t last_heard_ns;
    bool unreachable;                /* its connection is gone, but what came through it is not all read */
    bool was_up, tell_down, tell_up; /* events not yet handed out, in this order */
    uint64_t candidate_key;          /* says hello for this seat while it is taken */
    uint64_t probe_until_ns;
    uint32_t probe_number;
    atomic_bool alive;
};

/* A connection on whose descriptor nobody has said hello yet. */
struct visitor {
    bool pending;
    char address[64];
};

struct fh_hub {
    struct link link;
    guard_t *guard;          /* NULL: not encrypted */
    struct visitor *visitor; /* [MAX_VISITORS], by descriptor */
    uint64_t last_refused_log_ns;
    struct fh_hub_settings settings;
    char *endpoint;
    uint64_t timeout_ns, next_heartbeat_ns, last_please_ns, sweep_ns, last_sweep_ns;
    int n_sweeps_left, n_probes, n_tell, n_seats;
    uint32_t probe_number;
    bool stopping;
    uint64_t *key;     /* [n_seats] */
    struct seat *seat; /* [n_seats] in the order of enum fh_role */
};

/* Endpoint ------------------------------------------------------------------------------------------------------ */

/* Makes the missing parents of path, for this user only. */
static int make_parents(const char *endpoint, char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const int failed = mkdir(path, 0700) && errno != EEXIST;
        if (failed) {
            return error_set(TUTTI_EIO, "%s: cannot make the directory %s: %s", endpoint, path, strerror(errno));
        }
        *slash = '/';
    }
    return TUTTI_OK;
}

/* ZeroMQ unlinks whatever is at an ipc path before it binds: right for what a killed program left, a theft from a
 * running one. A running one accepts connections. */
static int prepare_ipc(const char *endpoint, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return error_set(TUTTI_EIO, "%s: path too long, at most %zu bytes are allowed", endpoint,
                         sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int error = make_parents(endpoint, address.sun_path);
    if (error) {
        return error;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set(TUTTI_EIO, "%s: cannot make a socket: %s", endpoint, strerror(errno));
    }
    const bool live = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    return live ? error_set(TUTTI_EIO, "%s: already in use by a running program", endpoint) : TUTTI_OK;
}

static int bind_endpoint(fh_hub_t *hub)
{
    const char *endpoint = hub->endpoint;
    if (strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6] == '/') {
        const int error = prepare_ipc(endpoint, endpoint + 6);
        if (error) {
            return error;
        }
    }
    if (zmq_bind(hub->link.socket, endpoint)) {
        return errno == EADDRINUSE ? error_set(TUTTI_EIO, "%s: already in use by a running program", endpoint)
                                   : link_error(&hub->link, "cannot listen");
    }
    return TUTTI_OK;
}

/* Life ---------------------------------------------------------------------------------------------------------- */

static int check_settings(const struct fh_hub_settings *s)
{
    if (s->n_ap < 0 || s->n_ap > TUTTI_MAX_AP || s->n_ue < 0 || s->n_eve < 0 || s->n_ue + s->n_eve > TUTTI_MAX_UE) {
        return error_set(TUTTI_EINVAL, "%s: %d APs, %d users and %d eavesdroppers: allowed 0 to %d and 0 to %d",
                         s->endpoint, s->n_ap, s->n_ue, s->n_eve, TUTTI_MAX_AP, TUTTI_MAX_UE);
    }
    if (s->welcome.epoch > INT64_MAX) {
        return error_set(TUTTI_EINVAL, "%s: epoch %" PRIu64 ": allowed 0 to 2^63 - 1", s->endpoint, s->welcome.epoch);
    }
    if (!(s->peer_timeout_ms >= 10 && s->peer_timeout_ms <= 3600e3)) {
        return error_set(TUTTI_EINVAL, "%s: peer timeout %g ms: allowed 10 to 3600000", s->endpoint,
                         s->peer_timeout_ms);
    }
    return TUTTI_OK;
}

/* How many ids of a role are accepted. */
static int n_of_role(const fh_hub_t *hub, enum fh_role role)
{
    const int n[FH_N_ROLE] = {[FH_ROLE_AP] = hub->settings.n_ap,
                              [FH_ROLE_UE] = hub->settings.n_ue,
                              [FH_ROLE_OBSERVER] = hub->settings.observers ? MAX_OBSERVERS : 0,
                              [FH_ROLE_EVE] = hub->settings.n_eve};
    return (unsigned)role < FH_N_ROLE ? n[role] : 0;
}

static int make_seats(fh_hub_t *hub)
{
    int n_seats = 0;
    for (int role = 0; role < FH_N_ROLE; role++) {
        n_seats += n_of_role(hub, (enum fh_role)role);
    }
    hub->key = calloc((size_t)n_seats + 1, sizeof *hub->key);
    hub->seat = calloc((size_t)n_seats + 1, sizeof *hub->seat);
    hub->visitor = calloc(MAX_VISITORS, sizeof *hub->visitor);
    if (!hub->key || !hub->seat || !hub->visitor) {
        return error_set(TUTTI_ENOMEM, "%s: no memory for %d peers", hub->endpoint, n_seats);
    }
    struct seat *seat = hub->seat;
    for (int role = 0; role < FH_N_ROLE; role++) {
        for (int id = 0; id < n_of_role(hub, (enum fh_role)role); id++, seat++) {
            seat->role = (enum fh_role)role;
            seat->id = id;
            atomic_init(&seat->alive, false);
        }
    }
    hub->n_seats = n_seats;
    return TUTTI_OK;
}

static int encrypt(fh_hub_t *hub)
{
    struct key_pair own;
    struct key_list list;
    int error = keys_supported();
    error = error ? error : keys_read_pair(&own, hub->settings.key_dir, KEY_NAME_CPU);
    if (error) {
        return error;
    }
    error = keys_read_list(&list, hub->settings.key_dir);
    if (!error) {
        error = link_encrypt_server(&hub->link, &own);
        error = error ? error : guard_create(&hub->guard, hub->link.context, &list, hub->endpoint);
        keys_free_list(&list);
    }
    keys_forget(&own);
    return error;
}

/* Strangers take a descriptor each while their handshake lasts. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int fh_hub_create(fh_hub_t **hub, const struct fh_hub_settings *settings)
{
    *hub = NULL;
    int error = link_check_endpoint(settings->endpoint);
    error = error ? error : check_settings(settings);
    if (error) {
        return error;
    }
    fh_hub_t *h = *hub = calloc(1, sizeof *h);
    if (!h || !(h->endpoint = strdup(settings->endpoint))) {
        return error_set(TUTTI_ENOMEM, "no memory to listen on %s", settings->endpoint);
    }
    h->link.endpoint = h->endpoint;
    h->link.io_priority = settings->io_priority;
    h->settings = *settings;
    h->settings.endpoint = h->endpoint;
    h->timeout_ns = (uint64_t)(settings->peer_timeout_ms * 1e6);
    h->sweep_ns = UINT64_MAX;
    raise_descriptor_limit();
    if ((error = make_seats(h)) ||
        (error =
             link_open(&h->link, ZMQ_ROUTER, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED, settings->peer_timeout_ms)) ||
        (settings->key_dir && (error = encrypt(h)))) {
        return error;
    }
    return bind_endpoint(h);
}

void fh_hub_destroy(fh_hub_t *hub)
{
    if (!hub) {
        return;
    }
    link_close(&hub->link, hub->stopping ? STOP_LINGER_MS : 0);
    guard_destroy(hub->guard);
    free(hub->visitor);
    free(hub->seat);
    free(hub->key);
    free(hub->endpoint);
    free(hub);
}

/* Visitors ------------------------------------------------------------------------------------------------------ */

static struct visitor *visitor_of(fh_hub_t *hub, uint32_t descriptor)
{
    return &hub->visitor[descriptor % MAX_VISITORS];
}

static void on_accepted(fh_hub_t *hub, uint32_t descriptor)
{
    struct visitor *visitor = visitor_of(hub, descriptor);
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    visitor->pending = true;
    snprintf(visitor->address, sizeof visitor->address, "unknown"); /* gone before we looked */
    if (getpeername((int)descriptor, (struct sockaddr *)&address, &size)) {
        return;
    }
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
    if (address.ss_family == AF_INET) {
        char text[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        snprintf(visitor->address, sizeof visitor->address, "%s:%u", text, ntohs(in->sin_port));
    } else {
        snprintf(visitor->address, sizeof visitor->address, address.ss_family == AF_UNIX ? "local" : "other");
    }
}

/* True if it was one that had said hello. */
static bool on_disconnected(fh_hub_t *hub, uint32_t descriptor, uint64_t now_ns)
{
    struct visitor *visitor = visitor_of(hub, descriptor);
    if (!visitor->pending) {
        return true;
    }
    visitor->pending = false;
    hub->link.counters.handshake_refused++;
    if (!hub->last_refused_log_ns || now_ns - hub->last_refused_log_ns >= REFUSED_LOG_PERIOD_NS) {
        hub->last_refused_log_ns = now_ns;
        log_write(LOG_WARNING, "hub", "HANDSHAKE-REFUSED address=%s endpoint=%s total=%" PRIu64, visitor->address,
                  hub->endpoint, hub->link.counters.handshake_refused);
    }
    return false;
}

static void watch_connections(fh_hub_t *hub, uint64_t now_ns)
{
    bool broken = false;
    uint32_t descriptor;
    for (int kind; (kind = link_monitor_next(&hub->link, &descriptor)) != 0;) {
        if (kind == ZMQ_EVENT_ACCEPTED) {
            on_accepted(hub, descriptor);
        } else {
            broken |= on_disconnected(hub, descriptor, now_ns);
        }
    }
    if (broken) {
        const uint64_t soonest_ns = hub->last_sweep_ns + SWEEP_MIN_PERIOD_NS, first_ns = now_ns + sweep_delay_ns[0];
        hub->n_sweeps_left = N_SWEEPS;
        hub->sweep_ns = first_ns > soonest_ns ? first_ns : soonest_ns;
    }
}

/* The connection of the last frame got through its handshake. Its acceptance is told before its first frame. */
static void welcome_visitor(fh_hub_t *hub, uint64_t now_ns)
{
    const int descriptor = zmq_msg_get(&hub->link.frame, ZMQ_SRCFD);
    watch_connections(hub, now_ns);
    if (descriptor >= 0) {
        visitor_of(hub, (uint32_t)descriptor)->pending = false;
    }
}

/* Seats --------------------------------------------------------------------------------------------------------- */

static struct seat *seat_of_key(fh_hub_t *hub, uint64_t key)
{
    for (int i = 0; key && i < hub->n_seats; i++) {
        if (hub->key[i] == key) {
            return &hub->seat[i];
        }
    }
    return NULL;
}

static struct seat *seat_of_id(const fh_hub_t *hub, enum fh_role role, int id)
{
    int first = 0;
    for (int r = 0; r < (int)role; r++) {
        first += n_of_role(hub, (enum fh_role)r);
    }
    return id >= 0 && id < n_of_role(hub, role) ? &hub->seat[first + id] : NULL;
}

static uint64_t *key_of(const fh_hub_t *hub, const struct seat *seat)
{
    return &hub->key[seat - hub->seat];
}

/* ROUTER makes identities of a zero byte and four more. Peers that bring their own are not ours: 0. */
static uint64_t key_of_frame(struct link *link)
{
    const uint8_t *identity = zmq_msg_data(&link->frame);
    return zmq_msg_size(&link->frame) == IDENTITY_BYTES && identity[0] == 0 ? UINT64_C(1) << 32 | get_u32(identity + 1)
                                                                            : 0;
}

/* TUTTI_EAGAIN: its queue is full. TUTTI_ECLOSED: the connection is gone. */
static int send_to_key(fh_hub_t *hub, uint64_t key, const void *data, size_t n_bytes)
{
    uint8_t identity[IDENTITY_BYTES] = {0};
    put_u32(identity + 1, (uint32_t)key);
    const int error = link_send_part(&hub->link, identity, sizeof identity, true);
    return error ? error : link_send(&hub->link, data, n_bytes);
}

static void send_text(fh_hub_t *hub, uint64_t key, const char *text)
{
    send_to_key(hub, key, text, strlen(text));
}

static void accept_candidate(fh_hub_t *hub, struct seat *seat, uint64_t now_ns);

static void seat_down(fh_hub_t *hub, struct seat *seat, uint64_t now_ns)
{
    *key_of(hub, seat) = 0;
    seat->unreachable = false;
    atomic_store(&seat->alive, false);
    if (seat->tell_up) { /* an UP nobody has seen needs no DOWN */
        seat->tell_up = false;
        hub->n_tell--;
    } else if (!seat->tell_down) {
        seat->tell_down = true;
        hub->n_tell++;
    }
    accept_candidate(hub, seat, now_ns);
}

static int send_to_seat(fh_hub_t *hub, struct seat *seat, const void *data, size_t n_bytes)
{
    const int error = seat->unreachable ? TUTTI_ECLOSED : send_to_key(hub, *key_of(hub, seat), data, n_bytes);
    if (error == TUTTI_ECLOSED) { /* down as soon as its last words are read (find_lost) */
        seat->unreachable = true;
        atomic_store(&seat->alive, false);
        return TUTTI_EAGAIN;
    }
    return error;
}

static void seat_take(fh_hub_t *hub, struct seat *seat, uint64_t key, uint64_t now_ns)
{
    char text[CONTROL_MAX_OWN_BYTES];
    control_write_welcome(text, &hub->settings.welcome);
    if (send_to_key(hub, key, text, strlen(text))) {
        return; /* gone again */
    }
    *key_of(hub, seat) = key;
    seat->last_heard_ns = now_ns;
    seat->tell_up = true;
    hub->n_tell++;
    hub->link.counters.reconnects += seat->was_up;
    seat->was_up = true;
    atomic_store(&seat->alive, true);
    if (hub->stopping) {
        send_text(hub, key, CONTROL_TEXT_STOP);
    }
}

static uint64_t take_candidate(fh_hub_t *hub, struct seat *seat)
{
    const uint64_t key = seat->candidate_key;
    hub->n_probes -= key != 0;
    seat->candidate_key = 0;
    return key;
}

static void accept_candidate(fh_hub_t *hub, struct seat *seat, uint64_t now_ns)
{
    const uint64_t key = take_candidate(hub, seat);
    if (key) {
        seat_take(hub, seat, key, now_ns);
    }
}

/* Hello --------------------------------------------------------------------------------------------------------- */

static void refuse(fh_hub_t *hub, uint64_t key, const char *reason, bool final)
{
    char text[CONTROL_MAX_OWN_BYTES];
    control_write_refuse(text, reason, final);
    send_text(hub, key, text);
    hub->link.counters.refused++;
}

/* Whose key the connection of the last frame has. ZeroMQ lets everybody in who encrypts should there be no guard; such
 * a one is nobody, and nobody may say hello. */
static const char *key_owner(fh_hub_t *hub)
{
    const char *name = zmq_msg_gets(&hub->link.frame, "User-Id");
    return name && *name ? name : "nobody";
}

/* Why this hello can never be accepted; false if it can. */
static bool misfit(fh_hub_t *hub, const struct control *control, char *reason, size_t size)
{
    char name[KEY_NAME_ROOM];
    keys_name(name, control->hello.role, control->hello.id);
    const struct fh_hello *hello = &control->hello;
    const char *role = control_role_name(hello->role);
    const int n = n_of_role(hub, hello->role);
    const bool compared = hello->role != FH_ROLE_OBSERVER || hello->fingerprint != 0;
    if (control->wire_version != WIRE_VERSION) {
        snprintf(reason, size, "%s %d speaks protocol version %d, the CPU node (program " TUTTI_VERSION ") version %d",
                 role, hello->id, control->wire_version, WIRE_VERSION);
    } else if (hub->guard && strcmp(name, key_owner(hub)) != 0) {
        snprintf(reason, size, "the key belongs to %s, not to %s", key_owner(hub), name);
    } else if (hello->role == FH_ROLE_OBSERVER ? !hub->settings.observers : n == 0) {
        snprintf(reason, size, "no %s is expected at this endpoint", role);
    } else if (hello->role != FH_ROLE_OBSERVER && hello->id >= n) {
        snprintf(reason, size, "%s %d does not exist, ids are 0 to %d", role, hello->id, n - 1);
    } else if (compared && hello->fingerprint != hub->settings.fingerprint) {
        snprintf(reason, size,
                 "%s %d has another configuration (network, frame, pilots or payload differ): fingerprint %016" PRIx64
                 ", the CPU node has %016" PRIx64,
                 role, hello->id, hello->fingerprint, hub->settings.fingerprint);
    } else {
        return false;
    }
    return true;
}

/* The seat this hello is for; observers get any free one. NULL: none free. */
static struct seat *wanted_seat(fh_hub_t *hub, uint64_t key, const struct fh_hello *hello)
{
    if (hello->role != FH_ROLE_OBSERVER) {
        return seat_of_id(hub, hello->role, hello->id);
    }
    struct seat *own = seat_of_key(hub, key);
    for (int id = 0; id < MAX_OBSERVERS && !(own && own->role == FH_ROLE_OBSERVER); id++) {
        struct seat *seat = seat_of_id(hub, FH_ROLE_OBSERVER, id);
        own = *key_of(hub, seat) ? own : seat;
    }
    return own;
}

/* The seat is taken: is its peer still there? The answer decides (on_pong, run_timers). */
static void probe(fh_hub_t *hub, struct seat *seat, uint64_t candidate_key, uint64_t now_ns)
{
    char text[CONTROL_MAX_OWN_BYTES];
    if (seat->candidate_key) {
        return; /* being decided */
    }
    seat->candidate_key = candidate_key;
    seat->probe_number = ++hub->probe_number;
    seat->probe_until_ns = now_ns + PROBE_NS;
    hub->n_probes++;
    control_write_number(text, CONTROL_PING, seat->probe_number);
    send_to_seat(hub, seat, text, strlen(text)); /* connection gone: find_lost lets the candidate in */
}

static void on_hello(fh_hub_t *hub, uint64_t key, const struct control *control, uint64_t now_ns)
{
    char text[CONTROL_MAX_OWN_BYTES];
    welcome_visitor(hub, now_ns);
    if (misfit(hub, control, text, 256)) {
        refuse(hub, key, text, true);
        return;
    }
    struct seat *seat = wanted_seat(hub, key, &control->hello), *old = seat_of_key(hub, key);
    if (old && old != seat) {
        seat_down(hub, old, now_ns);
    }
    if (!seat) {
        snprintf(text, sizeof text, "%d observers are here already", MAX_OBSERVERS);
        refuse(hub, key, text, false);
    } else if (old == seat) {
        control_write_welcome(text, &hub->settings.welcome);
        send_text(hub, key, text);
    } else if (*key_of(hub, seat)) {
        probe(hub, seat, key, now_ns);
    } else {
        seat_take(hub, seat, key, now_ns);
    }
}

static void on_pong(fh_hub_t *hub, struct seat *seat, uint32_t number)
{
    char reason[64];
    if (seat->candidate_key && number == seat->probe_number) {
        snprintf(reason, sizeof reason, "%s %d is already here", control_role_name(seat->role), seat->id);
        refuse(hub, take_candidate(hub, seat), reason, true);
    }
}

/* Messages ------------------------------------------------------------------------------------------------------ */

static void on_stranger(fh_hub_t *hub, uint64_t key, uint64_t now_ns)
{
    hub->link.counters.unknown_peer++;
    if (key && now_ns - hub->last_please_ns >= PLEASE_PERIOD_NS) {
        send_text(hub, key, CONTROL_TEXT_PLEASE_HELLO);
        hub->last_please_ns = now_ns;
    }
}

/* True if the message is an event for the owner. */
static bool on_control(fh_hub_t *hub, struct seat *seat, const struct control *control, uint64_t now_ns)
{
    char text[CONTROL_MAX_OWN_BYTES];
    switch (control->type) {
    case CONTROL_HEARTBEAT:
        return false;
    case CONTROL_GOODBYE:
        seat_down(hub, seat, now_ns);
        return false;
    case CONTROL_PING:
        control_write_number(text, CONTROL_PONG, control->number);
        send_text(hub, *key_of(hub, seat), text);
        return false;
    case CONTROL_PONG:
        on_pong(hub, seat, control->number);
        return false;
    case CONTROL_OTHER:
        return true;
    default:
        hub->link.counters.bad_control++;
        return false;
    }
}

static bool on_frame(fh_hub_t *hub, uint64_t key, uint64_t now_ns, struct fh_event *event)
{
    struct link *link = &hub->link;
    struct control control;
    const enum link_class class = link_classify(link, &control);
    struct seat *seat = seat_of_key(hub, key);
    if (class == LINK_GARBAGE) {
        link->counters.bad_control++;
        return false;
    }
    if (class == LINK_CONTROL && control.type == CONTROL_HELLO && key) {
        on_hello(hub, key, &control, now_ns);
        return false;
    }
    if (!seat) {
        on_stranger(hub, key, now_ns);
        return false;
    }
    seat->last_heard_ns = now_ns;
    if (class == LINK_CONTROL && !on_control(hub, seat, &control, now_ns)) {
        return false;
    }
    link->counters.received++;
    event->kind = class == LINK_DATA ? FH_EVENT_DATA : FH_EVENT_CONTROL;
    event->role = seat->role;
    event->id = seat->id;
    event->data = class == LINK_DATA ? zmq_msg_data(&link->frame) : (const uint8_t *)link->text;
    event->n_bytes = zmq_msg_size(&link->frame);
    return true;
}

static bool take_pending(fh_hub_t *hub, struct fh_event *event)
{
    for (int i = 0; hub->n_tell && i < hub->n_seats; i++) {
        struct seat *seat = &hub->seat[i];
        if (seat->tell_down || seat->tell_up) {
            event->kind = seat->tell_down ? FH_EVENT_DOWN : FH_EVENT_UP;
            event->role = seat->role;
            event->id = seat->id;
            event->welcome = hub->settings.welcome;
            *(seat->tell_down ? &seat->tell_down : &seat->tell_up) = false;
            hub->n_tell--;
            return true;
        }
    }
    return false;
}

/* Read until there is an event (1), nothing is left (0), or an error. */
static int receive(fh_hub_t *hub, uint64_t now_ns, struct fh_event *event)
{
    struct link *link = &hub->link;
    int got;
    while ((got = link_recv(link)) > 0) {
        const uint64_t key = key_of_frame(link);
        if (!link_more(link) || (got = link_recv(link)) <= 0) {
            link->counters.bad_control++;
        } else if (link_more(link)) {
            link_drop_rest(link);
            link->counters.bad_control++;
        } else if (on_frame(hub, key, now_ns, event) || take_pending(hub, event)) {
            return 1;
        }
    }
    return got;
}

/* Time ---------------------------------------------------------------------------------------------------------- */

static void heartbeat_all(fh_hub_t *hub)
{
    for (int i = 0; i < hub->n_seats; i++) {
        if (hub->key[i]) {
            send_to_seat(hub, &hub->seat[i], CONTROL_TEXT_HEARTBEAT, sizeof CONTROL_TEXT_HEARTBEAT - 1);
        }
    }
}

static void run_timers(fh_hub_t *hub, uint64_t now_ns)
{
    if (now_ns >= hub->next_heartbeat_ns || now_ns >= hub->sweep_ns) {
        heartbeat_all(hub);
        hub->next_heartbeat_ns = now_ns + hub->timeout_ns / 5;
        hub->last_sweep_ns = now_ns;
    }
    if (now_ns >= hub->sweep_ns) {
        hub->n_sweeps_left--;
        hub->sweep_ns = hub->n_sweeps_left ? now_ns + sweep_delay_ns[N_SWEEPS - hub->n_sweeps_left] : UINT64_MAX;
    }
    for (int i = 0; hub->n_probes && i < hub->n_seats; i++) {
        struct seat *seat = &hub->seat[i];
        if (seat->candidate_key && now_ns >= seat->probe_until_ns) {
            seat_down(hub, seat, now_ns); /* no answer: the candidate moves in */
        }
    }
}

/* Only after everything that has arrived was read: a hub that slept must not blame its peers. */
static void find_lost(fh_hub_t *hub, uint64_t now_ns)
{
    for (int i = 0; i < hub->n_seats; i++) {
        const struct seat *seat = &hub->seat[i];
        if (hub->key[i] && (seat->unreachable || now_ns >= seat->last_heard_ns + hub->timeout_ns)) {
            seat_down(hub, &hub->seat[i], now_ns);
        }
    }
}

static uint64_t next_timer_ns(const fh_hub_t *hub)
{
    uint64_t next_ns = hub->sweep_ns < hub->next_heartbeat_ns ? hub->sweep_ns : hub->next_heartbeat_ns;
    for (int i = 0; i < hub->n_seats; i++) {
        const struct seat *seat = &hub->seat[i];
        if (seat->candidate_key && seat->probe_until_ns < next_ns) {
            next_ns = seat->probe_until_ns;
        }
        if (hub->key[i] && seat->last_heard_ns + hub->timeout_ns < next_ns) {
            next_ns = seat->last_heard_ns + hub->timeout_ns;
        }
    }
    return next_ns;
}

/* All that is to be done at now_ns; 1: event filled, 0: nothing, sleep. */
static int step(fh_hub_t *hub, uint64_t now_ns, struct fh_event *event)
{
    run_timers(hub, now_ns);
    if (take_pending(hub, event)) {
        return 1;
    }
    const int got = receive(hub, now_ns, event);
    if (got) {
        return got;
    }
    watch_connections(hub, now_ns);
    find_lost(hub, now_ns);
    return take_pending(hub, event);
}

int fh_hub_wait(fh_hub_t *hub, int extra_fd, int64_t timeout_us, struct fh_event *event)
{
    uint64_t now_ns = clock_mono_ns();
    const uint64_t deadline_ns = timeout_us < 0 ? UINT64_MAX : now_ns + (uint64_t)timeout_us * 1000;
    bool look_only = hub->link.n_since_poll >= EVENTS_PER_POLL; /* a flood must not hide the descriptors */
    *event = (struct fh_event){0};
    for (;; look_only = false) {
        const int got = look_only ? 0 : step(hub, now_ns, event);
        if (got) {
            hub->link.n_since_poll++;
            return got < 0 ? got : TUTTI_OK;
        }
        const int ready = link_sleep(&hub->link, extra_fd, look_only ? now_ns : deadline_ns, next_timer_ns(hub), event);
        if (ready < 0 || event->kind != FH_EVENT_NONE) {
            return ready;
        }
        if (!look_only && now_ns >= deadline_ns) {
            return TUTTI_OK;
        }
        now_ns = clock_mono_ns();
    }
}

/* Sending ------------------------------------------------------------------------------------------------------- */

int fh_hub_send(fh_hub_t *hub, enum fh_role role, int id, const uint8_t *data, size_t n_bytes)
{
    struct seat *seat = seat_of_id(hub, role, id);
    const int error = seat && *key_of(hub, seat) ? send_to_seat(hub, seat, data, n_bytes) : TUTTI_EAGAIN;
    hub->link.counters.sent += error == TUTTI_OK;
    hub->link.counters.dropped_full += error == TUTTI_EAGAIN;
    return error;
}

int fh_hub_send_control(fh_hub_t *hub, enum fh_role role, int id, const char *json)
{
    const size_t n_bytes = strlen(json);
    if (json[0] != '{' || n_bytes > CONTROL_MAX_BYTES) {
        return error_set(TUTTI_EINVAL, "%s: a control message is a JSON object of at most %d bytes", hub->endpoint,
                         CONTROL_MAX_BYTES);
    }
    return fh_hub_send(hub, role, id, (const uint8_t *)json, n_bytes);
}

void fh_hub_broadcast_control(fh_hub_t *hub, enum fh_role role, const char *json)
{
    for (int i = 0; i < hub->n_seats; i++) {
        if (hub->key[i] && hub->seat[i].role == role) {
            fh_hub_send_control(hub, role, hub->seat[i].id, json);
        }
    }
}

static bool anybody_left(const fh_hub_t *hub)
{
    for (int i = 0; i < hub->n_seats; i++) {
        if (hub->key[i] && atomic_load(&hub->seat[i].alive)) {
            return true;
        }
    }
    return false;
}

void fh_hub_broadcast_stop(fh_hub_t *hub)
{
    hub->stopping = true;
    for (int i = 0; i < hub->n_seats; i++) {
        if (hub->key[i]) {
            send_to_seat(hub, &hub->seat[i], CONTROL_TEXT_STOP, sizeof CONTROL_TEXT_STOP - 1);
        }
    }
    /* Read on until they have said goodbye: a socket closed with unread bytes takes the stop back from its peers. */
    const uint64_t deadline_ns = clock_mono_ns() + STOP_WAIT_MS * 1000000ull;
    while (anybody_left(hub) && clock_mono_ns() < deadline_ns) {
        struct fh_event event;
        if (fh_hub_wait(hub, -1, 20000, &event) < 0) {
            return;
        }
    }
}

bool fh_hub_alive(const fh_hub_t *hub, enum fh_role role, int id)
{
    const struct seat *seat = seat_of_id(hub, role, id);
    return seat && atomic_load(&seat->alive);
}

void fh_hub_busy_poll(fh_hub_t *hub, double busy_poll_us)
{
    hub->link.busy_poll_ns = (uint64_t)(busy_poll_us * 1e3);
}

void fh_hub_counters(const fh_hub_t *hub, struct fh_counters *counters)
{
    *counters = hub->link.counters;
}
