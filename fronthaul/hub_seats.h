/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is there: one seat for every id a hub accepts, who sits in it, who wants it, and since when nothing was heard.
 * Owns the events UP and DOWN and all that the hub does by the clock. hub_seats_alive may be asked from any thread. */
#ifndef TUTTI_FRONTHAUL_HUB_SEATS_H
#define TUTTI_FRONTHAUL_HUB_SEATS_H

#include "fronthaul/hub.h"
#include "fronthaul/link.h"

typedef struct hub_seats hub_seats_t;
struct hub_seat;

/* link and settings must outlive it. */
int hub_seats_create(hub_seats_t **seats, struct link *link, const struct fh_hub_settings *settings);
void hub_seats_destroy(hub_seats_t *seats); /* NULL and half-built ones allowed */

/* A hello that is no misfit came by this route: give it its seat, ask who sits there, or refuse. */
void hub_seats_hello(hub_seats_t *seats, uint64_t route, const struct fh_hello *hello, uint64_t now_ns);
/* Words came by this route: whose, and they are noted as a sign of life. NULL: a stranger's. */
struct hub_seat *hub_seats_hear(hub_seats_t *seats, uint64_t route, uint64_t now_ns);
/* Who sits there, into role and id. */
void hub_seats_name(const struct hub_seat *seat, struct fh_event *event);
/* It answered what hub_seats_hello asked: it stays, and who wanted its seat is refused. */
void hub_seats_pong(hub_seats_t *seats, struct hub_seat *seat, uint32_t number);
void hub_seats_goodbye(hub_seats_t *seats, struct hub_seat *seat, uint64_t now_ns);

/* The seat if somebody sits in it, else NULL. */
struct hub_seat *hub_seats_at(const hub_seats_t *seats, enum fh_role role, int id);
bool hub_seats_alive(const hub_seats_t *seats, enum fh_role role, int id);
bool hub_seats_anybody_alive(const hub_seats_t *seats);
/* TUTTI_EAGAIN: the queue is full or the connection gone. */
int hub_seats_send(hub_seats_t *seats, struct hub_seat *seat, const void *data, size_t n_bytes);
/* Everybody who is here gets the settings' welcome, which has changed. */
void hub_seats_welcome(hub_seats_t *seats);
/* Tell everybody, and from now on whoever comes, that the run is over. */
void hub_seats_stop(hub_seats_t *seats);

/* The next UP or DOWN nobody was told of; false: none. */
bool hub_seats_take_event(hub_seats_t *seats, struct fh_event *event);
/* Some peer's connection broke, not known whose: look soon. */
void hub_seats_broken(hub_seats_t *seats, uint64_t now_ns);
void hub_seats_run_timers(hub_seats_t *seats, uint64_t now_ns);
uint64_t hub_seats_next_timer_ns(const hub_seats_t *seats);
/* Only after everything that has arrived was read: a hub that slept must not blame its peers. */
void hub_seats_find_lost(hub_seats_t *seats, uint64_t now_ns);

#endif
