/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which users are served from which block on, and who sends which pilot sequence: the central node tells it as a
 * control message some blocks ahead, everybody derives the rest from it. A roster gives every served user a place; its
 * downlink stream carries the pilot sequence of that number, and under sounding: rotate its uplink pilot is that
 * sequence, too, while the users that wait share the sequences above, in turn. A book keeps the newest rosters between
 * the thread that hears of them and the one that owns the radio: one writes, one reads, nobody waits. Without a
 * schedule (scheduler.n_served: 0) there is one roster for ever: user k has place k. */
#ifndef TUTTI_NODE_ROSTER_H
#define TUTTI_NODE_ROSTER_H

#include "base/config.h"
#include "phy/frame.h"

struct roster {
    uint64_t from_block;
    int n_place;    /* with a schedule scheduler.n_served, else n_ue */
    int n_waiting;  /* users without a place */
    int16_t user[]; /* place -> user, -1 none; then user -> place, -1 none; then user -> turn among those that wait */
};
/* Bytes of one for this network. */
size_t roster_bytes(const struct config *config);
/* What holds before anybody is told anything: users always served, then the first ones. */
void roster_first(const struct config *config, struct roster *roster);
/* From the users of all places, user_of_place [n_place], -1 none. */
void roster_fill(const struct config *config, uint64_t from_block, const int *user_of_place, struct roster *roster);

/* Place of a user, -1 = it waits; user of a place, -1 = none. */
static inline int roster_place(const struct roster *roster, int user)
{
    return roster->user[roster->n_place + user];
}
static inline int roster_user(const struct roster *roster, int place)
{
    return roster->user[place];
}
/* The uplink pilot sequence that a user sends in a block, -1 = none. n_ue users, of n_pilot sequences. */
int roster_sequence(const struct config *config, const struct frame *frame, const struct roster *roster, int user,
                    uint64_t block);
/* Blocks between two soundings of a user that waits. */
int roster_period(const struct config *config, const struct frame *frame);

/* As a control message, {"type":"roster","from_block":..,"users":[..]}; -1 where it does not fit. */
int roster_write(const struct roster *roster, char *text, size_t room);
/* TUTTI_EFORMAT: no roster of this network. */
int roster_read(const struct config *config, const char *text, struct roster *roster);
/* The word of a user that has heard of it, and what came. */
int roster_write_heard(const struct roster *roster, char *text, size_t room);
bool roster_read_heard(const char *text, uint64_t *from_block);

struct roster_book;
int roster_book_create(struct roster_book **book, const struct config *config);
void roster_book_destroy(struct roster_book *book); /* NULL allowed */
/* Writer: from its block on it holds. False: so many are waiting that this one is lost. */
bool roster_book_add(struct roster_book *book, const struct roster *roster);
/* Reader: the newest that holds in `block`; blocks may go back by one. Valid until the next call. */
const struct roster *roster_book_at(struct roster_book *book, uint64_t block);

#endif
