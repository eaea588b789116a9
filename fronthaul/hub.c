/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/hub.h"

#include "base/clock.h"
#include "base/error.h"
#include "fronthaul/guard.h"
#include "fronthaul/hub_endpoint.h"
#include "fronthaul/hub_hello.h"
#include "fronthaul/hub_route.h"
#include "fronthaul/hub_seats.h"
#include "fronthaul/hub_visitors.h"
#include "fronthaul/keys.h"
#include "fronthaul/link.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PLEASE_PERIOD_NS 100000u
#define LOOK_NS 1000000u

enum { STOP_LINGER_MS = 200, STOP_WAIT_MS = 1000, EVENTS_PER_POLL = 8, VISITORS_PER_LOOK = 16 };

struct fh_hub {
    struct link link;
    guard_t *guard; /* NULL: not encrypted */
    hub_visitors_t *visitors;
    hub_seats_t *seats;
    struct fh_hub_settings settings;
    char *endpoint, *agreement;
    int *cpu_of_ap;
    uint64_t last_please_ns;
    int linger_ms; /* how long queued messages may leave when it is destroyed */
};

/* Life ---------------------------------------------------------------------------------------------------------- */

static int check_settings(const struct fh_hub_settings *s)
{
    if (s->n_ap < 0 || s->n_ap > TUTTI_MAX_AP || s->n_ue < 0 || s->n_ue > TUTTI_MAX_UE || s->n_eve < 0 ||
        s->n_eve > TUTTI_MAX_UE || s->n_cpu < 0 || s->n_cpu > TUTTI_MAX_CPU) {
        return error_set(
            TUTTI_EINVAL, "%s: %d APs, %d users, %d eavesdroppers and %d central nodes: allowed 0 to %d, %d, %d, %d",
            s->endpoint, s->n_ap, s->n_ue, s->n_eve, s->n_cpu, TUTTI_MAX_AP, TUTTI_MAX_UE, TUTTI_MAX_UE, TUTTI_MAX_CPU);
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

static int encrypt(fh_hub_t *hub)
{
    struct key_pair own;
    struct key_list list;
    char name[KEY_NAME_ROOM];
    keys_name(name, FH_ROLE_CPU, hub->settings.cpu);
    int error = keys_supported();
    error = error ? error : keys_read_pair(&own, hub->settings.key_dir, name);
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

static int n_connections(const struct fh_hub_settings *settings)
{
    int n = 0;
    for (int role = 0; role < FH_N_ROLE; role++) {
        n += hub_hello_n_ids(settings, (enum fh_role)role);
    }
    return n;
}

static int copy_owners(fh_hub_t *hub, const struct fh_hub_settings *settings)
{
    const size_t n_bytes = (size_t)settings->n_ap * sizeof *hub->cpu_of_ap;
    if (!settings->cpu_of_ap || n_bytes == 0) {
        return TUTTI_OK;
    }
    hub->settings.cpu_of_ap = hub->cpu_of_ap = malloc(n_bytes);
    if (!hub->cpu_of_ap) {
        return error_set(TUTTI_ENOMEM, "no memory to listen on %s", settings->endpoint);
    }
    memcpy(hub->cpu_of_ap, settings->cpu_of_ap, n_bytes);
    return TUTTI_OK;
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
    h->agreement = settings->agreement ? strdup(settings->agreement) : NULL;
    h->settings.agreement = h->agreement;
    h->link.n_connections = n_connections(settings);
    if ((error = copy_owners(h, settings)) || (error = hub_seats_create(&h->seats, &h->link, &h->settings)) ||
        (error = hub_visitors_create(&h->visitors, &h->link)) ||
        (error =
             link_open(&h->link, ZMQ_ROUTER, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED, settings->peer_timeout_ms)) ||
        (settings->key_dir && (error = encrypt(h)))) {
        return error;
    }
    return hub_endpoint_bind(&h->link);
}

void fh_hub_destroy(fh_hub_t *hub)
{
    if (!hub) {
        return;
    }
    link_close(&hub->link, hub->linger_ms);
    guard_destroy(hub->guard);
    hub_visitors_destroy(hub->visitors);
    hub_seats_destroy(hub->seats);
    free(hub->cpu_of_ap);
    free(hub->agreement);
    free(hub->endpoint);
    free(hub);
}

/* Messages ------------------------------------------------------------------------------------------------------ */

/* False: there may be more to look at. */
static bool watch_connections(fh_hub_t *hub, int max_events, uint64_t now_ns)
{
    bool broken = false;
    const bool all = hub_visitors_watch(hub->visitors, max_events, now_ns, &broken);
    if (broken) {
        hub_seats_broken(hub->seats, now_ns);
    }
    return all;
}

/* Whose key the connection of the last frame has. ZeroMQ lets everybody in who encrypts should there be no guard; such
 * a one is nobody, and nobody may say hello. */
static const char *key_owner(fh_hub_t *hub)
{
    const char *name = zmq_msg_gets(&hub->link.frame, "User-Id");
    return name && *name ? name : "nobody";
}

static void on_hello(fh_hub_t *hub, uint64_t route, const struct control *control, uint64_t now_ns)
{
    char reason[256];
    watch_connections(hub, INT_MAX, now_ns);
    hub_visitors_admit(hub->visitors, zmq_msg_get(&hub->link.frame, ZMQ_SRCFD));
    if (hub_hello_misfit(&hub->settings, control, hub->guard ? key_owner(hub) : NULL, reason, sizeof reason)) {
        hub_hello_refuse(&hub->link, route, reason, true);
        return;
    }
    hub_seats_hello(hub->seats, route, &control->hello, now_ns);
}

static void on_stranger(fh_hub_t *hub, uint64_t route, uint64_t now_ns)
{
    hub->link.counters.unknown_peer++;
    if (route && now_ns - hub->last_please_ns >= PLEASE_PERIOD_NS) {
        hub_route_send_text(&hub->link, route, CONTROL_TEXT_PLEASE_HELLO);
        hub->last_please_ns = now_ns;
    }
}

/* True if the message is an event for the owner. */
static bool on_control(fh_hub_t *hub, uint64_t route, struct hub_seat *seat, const struct control *control,
                       uint64_t now_ns)
{
    char text[CONTROL_MAX_OWN_BYTES];
    switch (control->type) {
    case CONTROL_HEARTBEAT:
        return false;
    case CONTROL_GOODBYE:
        hub_seats_goodbye(hub->seats, seat, now_ns);
        return false;
    case CONTROL_PING:
        control_write_number(text, CONTROL_PONG, control->number);
        hub_route_send_text(&hub->link, route, text);
        return false;
    case CONTROL_PONG:
        hub_seats_pong(hub->seats, seat, control->number);
        return false;
    case CONTROL_OTHER:
        return true;
    default:
        hub->link.counters.bad_control++;
        return false;
    }
}

static bool on_frame(fh_hub_t *hub, uint64_t route, uint64_t now_ns, struct fh_event *event)
{
    struct link *link = &hub->link;
    struct control control;
    const enum link_class class = link_classify(link, &control);
    if (class == LINK_GARBAGE) {
        link->counters.bad_control++;
        return false;
    }
    if (class == LINK_CONTROL && control.type == CONTROL_HELLO) {
        if (route) {
            on_hello(hub, route, &control, now_ns);
        } else {
            on_stranger(hub, route, now_ns);
        }
        control_forget(&control);
        return false;
    }
    struct hub_seat *seat = hub_seats_hear(hub->seats, route, now_ns);
    if (!seat) {
        on_stranger(hub, route, now_ns);
        return false;
    }
    if (class == LINK_CONTROL && !on_control(hub, route, seat, &control, now_ns)) {
        return false;
    }
    link->counters.received++;
    event->kind = class == LINK_DATA ? FH_EVENT_DATA : FH_EVENT_CONTROL;
    hub_seats_name(seat, event);
    event->data = class == LINK_DATA ? zmq_msg_data(&link->frame) : (const uint8_t *)link->text;
    event->n_bytes = zmq_msg_size(&link->frame);
    return true;
}

/* Waiting ------------------------------------------------------------------------------------------------------- */

/* What a step found: nothing is left to do, the event is filled, or there may be more to do. Negative: an error. */
enum { STEP_NOTHING, STEP_EVENT, STEP_MORE };

/* Strangers may send without end: timers, deadline and descriptors have their turn in between. */
static int receive(fh_hub_t *hub, uint64_t now_ns, struct fh_event *event)
{
    struct link *link = &hub->link;
    do {
        int got = link_recv(link);
        if (got <= 0) {
            return got;
        }
        const uint64_t route = hub_route_of_frame(link);
        if (!link_more(link) || (got = link_recv(link)) <= 0) {
            link->counters.bad_control++;
        } else if (link_more(link)) {
            link_drop_rest(link);
            link->counters.bad_control++;
        } else if (on_frame(hub, route, now_ns, event) || hub_seats_take_event(hub->seats, event)) {
            return STEP_EVENT;
        }
    } while (clock_mono_ns() - now_ns < LOOK_NS);
    return STEP_MORE;
}

/* Words first, then comings and goings, and only when all words are read who is missing. */
static int step(fh_hub_t *hub, uint64_t now_ns, struct fh_event *event)
{
    hub_seats_run_timers(hub->seats, now_ns);
    if (hub_seats_take_event(hub->seats, event)) {
        return STEP_EVENT;
    }
    const int got = receive(hub, now_ns, event);
    if (got != STEP_NOTHING) {
        return got;
    }
    const bool all = watch_connections(hub, VISITORS_PER_LOOK, now_ns);
    hub_seats_find_lost(hub->seats, now_ns);
    return hub_seats_take_event(hub->seats, event) ? STEP_EVENT : all ? STEP_NOTHING : STEP_MORE;
}

int fh_hub_wait(fh_hub_t *hub, int extra_fd, int64_t timeout_us, struct fh_event *event)
{
    uint64_t now_ns = clock_mono_ns();
    const uint64_t deadline_ns = timeout_us < 0 ? UINT64_MAX : now_ns + (uint64_t)timeout_us * 1000;
    bool look_only = hub->link.n_since_poll >= EVENTS_PER_POLL; /* a flood must not hide the descriptors */
    *event = (struct fh_event){0};
    for (;; look_only = false) {
        const int got = look_only ? STEP_MORE : step(hub, now_ns, event);
        if (got < 0 || got == STEP_EVENT) {
            hub->link.n_since_poll++;
            return got < 0 ? got : TUTTI_OK;
        }
        const uint64_t until_ns = got == STEP_MORE ? now_ns : deadline_ns;
        const int ready = link_sleep(&hub->link, extra_fd, until_ns, hub_seats_next_timer_ns(hub->seats), event);
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
    struct hub_seat *seat = hub_seats_at(hub->seats, role, id);
    const int error = seat ? hub_seats_send(hub->seats, seat, data, n_bytes) : TUTTI_EAGAIN;
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
    for (int id = 0; id < hub_hello_n_ids(&hub->settings, role); id++) {
        if (hub_seats_at(hub->seats, role, id)) {
            fh_hub_send_control(hub, role, id, json);
        }
    }
}

void fh_hub_rewelcome(fh_hub_t *hub, const struct fh_welcome *welcome)
{
    hub->settings.welcome = *welcome;
    hub_seats_welcome(hub->seats);
}

void fh_hub_broadcast_stop(fh_hub_t *hub)
{
    hub->linger_ms = STOP_LINGER_MS;
    hub_seats_stop(hub->seats);
    /* Read on until they have said goodbye: a socket closed with unread bytes takes the stop back from its peers. */
    const uint64_t deadline_ns = clock_mono_ns() + STOP_WAIT_MS * 1000000ull;
    while (hub_seats_anybody_alive(hub->seats) && clock_mono_ns() < deadline_ns) {
        struct fh_event event;
        if (fh_hub_wait(hub, -1, 20000, &event) < 0) {
            return;
        }
    }
}

bool fh_hub_alive(const fh_hub_t *hub, enum fh_role role, int id)
{
    return hub_seats_alive(hub->seats, role, id);
}

void fh_hub_busy_poll(fh_hub_t *hub, double busy_poll_us)
{
    hub->link.busy_poll_ns = (uint64_t)(busy_poll_us * 1e3);
}

void fh_hub_counters(const fh_hub_t *hub, struct fh_counters *counters)
{
    *counters = hub->link.counters;
}
