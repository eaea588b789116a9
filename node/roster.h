/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which users are served from which block on, and who sends which pilot sequence: the central node tells it as a
 * control message some blocks ahead, everybody derives the rest from it. A roster gives every served user a place; its
 * downlink stream carries the pilot sequence of that number, and under sounding: rotate its uplink pilot is that
 * sequence, too, while the users that wait share the sequences above, in turn. A book keeps the newest rosters between
 * the thread that hears of them and the one that owns the radio: one writes, one reads, nobody waits. Without a
 * schedule (scheduler.n_served: 0) there is one roster for ever: user k has place k. With clusters (cluster.enabled)
 * everybody has a place and a roster says who has which pilot: the same sequence uplink and downlink, for several users
 * each. So that access points can tell their gains apart, in every ROSTER_ALONE_EVERY-th block only one of the users of
 * a pilot sends it, in turn, and the others are not served; before the first assignment (from_block 0) in every block.
 */
#ifndef TUTTI_NODE_ROSTER_H
#define TUTTI_NODE_ROSTER_H

#include "base/config.h"
#include "phy/frame.h"

enum { ROSTER_ALONE_EVERY = 10 };

struct roster {
    uint64_t from_block;
    int n_place;       /* with a schedule scheduler.n_served, else n_ue */
    int n_waiting;     /* users without a place */
    int n_ue, n_pilot; /* n_pilot: that users share; 0 = no clusters */
    int16_t user[];    /* place -> user, -1 none; then user -> place, -1 none; then user -> turn among those that wait;
                        * with clusters then user -> pilot; -> how many of its pilot are before it; -> users of its pilot;
                        * -> 1 where the access point that it is told to serves the user */
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
/* The same with clusters, from the pilots of all users, pilot [n_ue]; every access point serves everybody. */
void roster_fill_pilots(const struct config *config, uint64_t from_block, const int *pilot, struct roster *roster);
/* For one access point: whom it serves, [n_ue]. */
void roster_serve(struct roster *roster, const uint8_t *served);
/* The sequence of a user's downlink pilot, -1 = it waits. */
static inline int roster_downlink(const struct roster *roster, int user)
{
    const int place = roster_place(roster, user);
    return roster->n_pilot > 0 && place >= 0 ? roster->user[roster->n_place + 2 * roster->n_ue + user] : place;
}
/* Whether the access point that it was told to has the user in one of its clusters; without clusters it has. */
static inline bool roster_serves(const struct roster *roster, int user)
{
    return roster->n_pilot == 0 || roster->user[roster->n_place + 5 * roster->n_ue + user] != 0;
}
/* The uplink pilot sequence that a user sends in a block, -1 = none. n_ue users, of n_pilot sequences. */
int roster_sequence(const struct config *config, const struct frame *frame, const struct roster *roster, int user,
                    uint64_t block);
/* Blocks between two soundings of a user that waits. */
int roster_period(const struct config *config, const struct frame *frame);

/* As a control message, {"type":"roster","from_block":..,"users":[..]}, with clusters "pilots":[..] of all users and to
 * an access point that does not serve everybody "serves":[..]; -1 where it does not fit. */
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
