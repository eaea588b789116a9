/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/hub_seats.h"

#include "base/error.h"
#include "fronthaul/hub_hello.h"
#include "fronthaul/hub_route.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_NS 150000000u
#define SWEEP_MIN_PERIOD_NS 10000000u

enum { N_SWEEPS = 3 };

/* When to look for dead routes after a connection broke: ZeroMQ tells that one broke, not whose, and a little early. */
static const uint64_t sweep_delay_ns[N_SWEEPS] = {1000000, 10000000, 50000000};

/* The place of one peer. */
struct hub_seat {
    enum fh_role role;
    int id;
    uint64_t last_heard_ns;
    bool unreachable;                /* its connection is gone, but what came through it is not all read */
    bool was_up, tell_down, tell_up; /* events not yet handed out, in this order */
    uint64_t candidate;              /* route that says hello for this seat while it is taken */
    uint64_t probe_until_ns;
    uint32_t probe_number;
    atomic_bool alive;
};

struct hub_seats {
    struct link *link;
    const struct fh_hub_settings *settings;
    uint64_t timeout_ns, next_heartbeat_ns, sweep_ns, last_sweep_ns;
    int n_sweeps_left, n_probes, n_tell, n_seats;
    uint32_t probe_number;
    bool stopping;
    uint64_t *route;       /* [n_seats] who sits there, apart because it is searched for every frame */
    struct hub_seat *seat; /* [n_seats] in the order of enum fh_role */
};

/* Life ---------------------------------------------------------------------------------------------------------- */

int hub_seats_create(hub_seats_t **seats, struct link *link, const struct fh_hub_settings *settings)
{
    int n_seats = 0;
    for (int role = 0; role < FH_N_ROLE; role++) {
        n_seats += hub_hello_n_ids(settings, (enum fh_role)role);
    }
    hub_seats_t *s = *seats = calloc(1, sizeof *s);
    if (!s || !(s->route = calloc((size_t)n_seats + 1, sizeof *s->route)) ||
        !(s->seat = calloc((size_t)n_seats + 1, sizeof *s->seat))) {
        return error_set(TUTTI_ENOMEM, "%s: no memory for %d peers", link->endpoint, n_seats);
    }
    s->link = link;
    s->settings = settings;
    s->timeout_ns = (uint64_t)(settings->peer_timeout_ms * 1e6);
    s->sweep_ns = UINT64_MAX;
    s->n_seats = n_seats;
    struct hub_seat *seat = s->seat;
    for (int role = 0; role < FH_N_ROLE; role++) {
        for (int id = 0; id < hub_hello_n_ids(settings, (enum fh_role)role); id++, seat++) {
            seat->role = (enum fh_role)role;
            seat->id = id;
            atomic_init(&seat->alive, false);
        }
    }
    return TUTTI_OK;
}

void hub_seats_destroy(hub_seats_t *seats)
{
    if (!seats) {
        return;
    }
    free(seats->seat);
    free(seats->route);
    free(seats);
}

/* Finding ------------------------------------------------------------------------------------------------------- */

static struct hub_seat *seat_of_route(hub_seats_t *seats, uint64_t route)
{
    for (int i = 0; route && i < seats->n_seats; i++) {
        if (seats->route[i] == route) {
            return &seats->seat[i];
        }
    }
    return NULL;
}

static struct hub_seat *seat_of_id(const hub_seats_t *seats, enum fh_role role, int id)
{
    int first = 0;
    for (int r = 0; r < (int)role; r++) {
        first += hub_hello_n_ids(seats->settings, (enum fh_role)r);
    }
    return id >= 0 && id < hub_hello_n_ids(seats->settings, role) ? &seats->seat[first + id] : NULL;
}

static uint64_t *route_of(const hub_seats_t *seats, const struct hub_seat *seat)
{
    return &seats->route[seat - seats->seat];
}

struct hub_seat *hub_seats_hear(hub_seats_t *seats, uint64_t route, uint64_t now_ns)
{
    struct hub_seat *seat = seat_of_route(seats, route);
    if (seat) {
        seat->last_heard_ns = now_ns;
    }
    return seat;
}

void hub_seats_name(const struct hub_seat *seat, struct fh_event *event)
{
    event->role = seat->role;
    event->id = seat->id;
}

struct hub_seat *hub_seats_at(const hub_seats_t *seats, enum fh_role role, int id)
{
    struct hub_seat *seat = seat_of_id(seats, role, id);
    return seat && *route_of(seats, seat) ? seat : NULL;
}

bool hub_seats_alive(const hub_seats_t *seats, enum fh_role role, int id)
{
    const struct hub_seat *seat = seat_of_id(seats, role, id);
    return seat && atomic_load(&seat->alive);
}

bool hub_seats_anybody_alive(const hub_seats_t *seats)
{
    for (int i = 0; i < seats->n_seats; i++) {
        if (seats->route[i] && atomic_load(&seats->seat[i].alive)) {
            return true;
        }
    }
    return false;
}

/* Coming and going ---------------------------------------------------------------------------------------------- */

int hub_seats_send(hub_seats_t *seats, struct hub_seat *seat, const void *data, size_t n_bytes)
{
    const int error =
        seat->unreachable ? TUTTI_ECLOSED : hub_route_send(seats->link, *route_of(seats, seat), data, n_bytes);
    if (error == TUTTI_ECLOSED) { /* down as soon as its last words are read (hub_seats_find_lost) */
        seat->unreachable = true;
        atomic_store(&seat->alive, false);
        return TUTTI_EAGAIN;
    }
    return error;
}

static void send_to_all(hub_seats_t *seats, const char *text)
{
    const size_t n_bytes = strlen(text);
    for (int i = 0; i < seats->n_seats; i++) {
        if (seats->route[i]) {
            hub_seats_send(seats, &seats->seat[i], text, n_bytes);
        }
    }
}

static void seat_take(hub_seats_t *seats, struct hub_seat *seat, uint64_t route, uint64_t now_ns)
{
    char text[CONTROL_MAX_OWN_BYTES];
    control_write_welcome(text, &seats->settings->welcome);
    if (hub_route_send(seats->link, route, text, strlen(text))) {
        return; /* gone again */
    }
    *route_of(seats, seat) = route;
    seat->last_heard_ns = now_ns;
    seat->tell_up = true;
    seats->n_tell++;
    seats->link->counters.reconnects += seat->was_up;
    seat->was_up = true;
    atomic_store(&seat->alive, true);
    if (seats->stopping) {
        hub_route_send_text(seats->link, route, CONTROL_TEXT_STOP);
    }
}

static uint64_t take_candidate(hub_seats_t *seats, struct hub_seat *seat)
{
    const uint64_t route = seat->candidate;
    seats->n_probes -= route != 0;
    seat->candidate = 0;
    return route;
}

/* The candidate, if there is one and it has not got another seat meanwhile, moves in. */
static void seat_down(hub_seats_t *seats, struct hub_seat *seat, uint64_t now_ns)
{
    *route_of(seats, seat) = 0;
    seat->unreachable = false;
    atomic_store(&seat->alive, false);
    if (seat->tell_up) { /* an UP nobody has seen needs no DOWN */
        seat->tell_up = false;
        seats->n_tell--;
    } else if (!seat->tell_down) {
        seat->tell_down = true;
        seats->n_tell++;
    }
    const uint64_t candidate = take_candidate(seats, seat);
    if (candidate && !seat_of_route(seats, candidate)) {
        seat_take(seats, seat, candidate, now_ns);
    }
}

void hub_seats_goodbye(hub_seats_t *seats, struct hub_seat *seat, uint64_t now_ns)
{
    seat_down(seats, seat, now_ns);
}

/* The seat this hello is for; observers get any free one. NULL: none free. */
static struct hub_seat *wanted_seat(hub_seats_t *seats, struct hub_seat *own, const struct fh_hello *hello)
{
    if (hello->role != FH_ROLE_OBSERVER) {
        return seat_of_id(seats, hello->role, hello->id);
    }
    if (own && own->role == FH_ROLE_OBSERVER) {
        return own;
    }
    for (int id = 0; id < hub_hello_n_ids(seats->settings, FH_ROLE_OBSERVER); id++) {
        struct hub_seat *seat = seat_of_id(seats, FH_ROLE_OBSERVER, id);
        if (!*route_of(seats, seat)) {
            return seat;
        }
    }
    return NULL;
}

/* The seat is taken: is its peer still there? The answer decides (hub_seats_pong, hub_seats_run_timers). */
static void probe(hub_seats_t *seats, struct hub_seat *seat, uint64_t candidate, uint64_t now_ns)
{
    char text[CONTROL_MAX_OWN_BYTES];
    if (seat->candidate) {
        return; /* being decided */
    }
    seat->candidate = candidate;
    seat->probe_number = ++seats->probe_number;
    seat->probe_until_ns = now_ns + PROBE_NS;
    seats->n_probes++;
    control_write_number(text, CONTROL_PING, seat->probe_number);
    hub_seats_send(seats, seat, text, strlen(text)); /* connection gone: hub_seats_find_lost lets the candidate in */
}

void hub_seats_hello(hub_seats_t *seats, uint64_t route, const struct fh_hello *hello, uint64_t now_ns)
{
    char text[CONTROL_MAX_OWN_BYTES];
    struct hub_seat *old = seat_of_route(seats, route), *seat = wanted_seat(seats, old, hello);
    if (old && old != seat) {
        seat_down(seats, old, now_ns);
    }
    if (!seat) {
        snprintf(text, sizeof text, "%d observers are here already",
                 hub_hello_n_ids(seats->settings, FH_ROLE_OBSERVER));
        hub_hello_refuse(seats->link, route, text, false);
    } else if (old == seat) {
        control_write_welcome(text, &seats->settings->welcome);
        hub_route_send_text(seats->link, route, text);
    } else if (*route_of(seats, seat)) {
        probe(seats, seat, route, now_ns);
    } else {
        seat_take(seats, seat, route, now_ns);
    }
}

void hub_seats_pong(hub_seats_t *seats, struct hub_seat *seat, uint32_t number)
{
    char reason[64];
    if (seat->candidate && number == seat->probe_number) {
        snprintf(reason, sizeof reason, "%s %d is already here", control_role_name(seat->role), seat->id);
        hub_hello_refuse(seats->link, take_candidate(seats, seat), reason, true);
    }
}

void hub_seats_welcome(hub_seats_t *seats)
{
    char text[CONTROL_MAX_OWN_BYTES];
    control_write_welcome(text, &seats->settings->welcome);
    send_to_all(seats, text);
}

void hub_seats_stop(hub_seats_t *seats)
{
    seats->stopping = true;
    send_to_all(seats, CONTROL_TEXT_STOP);
}

bool hub_seats_take_event(hub_seats_t *seats, struct fh_event *event)
{
    for (int i = 0; seats->n_tell && i < seats->n_seats; i++) {
        struct hub_seat *seat = &seats->seat[i];
        if (seat->tell_down || seat->tell_up) {
            event->kind = seat->tell_down ? FH_EVENT_DOWN : FH_EVENT_UP;
            hub_seats_name(seat, event);
            event->welcome = seats->settings->welcome;
            *(seat->tell_down ? &seat->tell_down : &seat->tell_up) = false;
            seats->n_tell--;
            return true;
        }
    }
    return false;
}

/* Time ---------------------------------------------------------------------------------------------------------- */

void hub_seats_broken(hub_seats_t *seats, uint64_t now_ns)
{
    const uint64_t soonest_ns = seats->last_sweep_ns + SWEEP_MIN_PERIOD_NS, first_ns = now_ns + sweep_delay_ns[0];
    seats->n_sweeps_left = N_SWEEPS;
    seats->sweep_ns = first_ns > soonest_ns ? first_ns : soonest_ns;
}

void hub_seats_run_timers(hub_seats_t *seats, uint64_t now_ns)
{
    if (now_ns >= seats->next_heartbeat_ns || now_ns >= seats->sweep_ns) {
        send_to_all(seats, CONTROL_TEXT_HEARTBEAT);
        seats->next_heartbeat_ns = now_ns + seats->timeout_ns / 5;
        seats->last_sweep_ns = now_ns;
    }
    if (now_ns >= seats->sweep_ns) {
        seats->n_sweeps_left--;
        seats->sweep_ns = seats->n_sweeps_left ? now_ns + sweep_delay_ns[N_SWEEPS - seats->n_sweeps_left] : UINT64_MAX;
    }
    for (int i = 0; seats->n_probes && i < seats->n_seats; i++) {
        struct hub_seat *seat = &seats->seat[i];
        if (seat->candidate && now_ns >= seat->probe_until_ns) {
            seat_down(seats, seat, now_ns); /* no answer: the candidate moves in */
        }
    }
}

uint64_t hub_seats_next_timer_ns(const hub_seats_t *seats)
{
    uint64_t next_ns = seats->sweep_ns < seats->next_heartbeat_ns ? seats->sweep_ns : seats->next_heartbeat_ns;
    for (int i = 0; i < seats->n_seats; i++) {
        const struct hub_seat *seat = &seats->seat[i];
        if (seat->candidate && seat->probe_until_ns < next_ns) {
            next_ns = seat->probe_until_ns;
        }
        if (seats->route[i] && seat->last_heard_ns + seats->timeout_ns < next_ns) {
            next_ns = seat->last_heard_ns + seats->timeout_ns;
        }
    }
    return next_ns;
}

void hub_seats_find_lost(hub_seats_t *seats, uint64_t now_ns)
{
    for (int i = 0; i < seats->n_seats; i++) {
        const struct hub_seat *seat = &seats->seat[i];
        if (seats->route[i] && (seat->unreachable || now_ns >= seat->last_heard_ns + seats->timeout_ns)) {
            seat_down(seats, &seats->seat[i], now_ns);
        }
    }
}
