/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/roster.h"

#include "base/error.h"
#include "base/ring.h"
#include "phy/pilot.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOOK_SLOTS = 256 }; /* a replay of an AP that was away hears of all that were meanwhile */

struct roster_book {
    size_t bytes;
    ring_t *told;
    struct roster *first;
};

size_t roster_bytes(const struct config *config)
{
    const size_t n = (size_t)config_n_served(config) + 2 * (size_t)config->network.n_ue;
    return sizeof(struct roster) + n * sizeof(int16_t);
}

/* Places are filled; users' places and turns follow. */
static void complete(const struct config *config, struct roster *r)
{
    const int n_ue = config->network.n_ue;
    int16_t *const place = r->user + r->n_place, *const turn = place + n_ue;
    for (int k = 0; k < n_ue; k++) {
        place[k] = turn[k] = -1;
    }
    for (int i = 0; i < r->n_place; i++) {
        if (r->user[i] >= 0) {
            place[r->user[i]] = (int16_t)i;
        }
    }
    r->n_waiting = 0;
    for (int k = 0; k < n_ue; k++) {
        if (place[k] < 0) {
            turn[k] = (int16_t)r->n_waiting++;
        }
    }
}

void roster_fill(const struct config *config, uint64_t from_block, const int *user_of_place, struct roster *r)
{
    r->from_block = from_block;
    r->n_place = config_n_served(config);
    for (int i = 0; i < r->n_place; i++) {
        r->user[i] = (int16_t)user_of_place[i];
    }
    complete(config, r);
}

void roster_first(const struct config *config, struct roster *r)
{
    const struct config_scheduler *const s = &config->scheduler;
    int n = 0;
    r->from_block = 0;
    r->n_place = config_n_served(config);
    for (; s->n_served > 0 && n < (int)s->always_count && n < r->n_place; n++) {
        r->user[n] = (int16_t)s->always[n];
    }
    for (int k = 0; k < config->network.n_ue && n < r->n_place; k++) {
        bool there = false;
        for (int i = 0; i < n; i++) {
            there = there || r->user[i] == k;
        }
        if (!there) {
            r->user[n++] = (int16_t)k;
        }
    }
    complete(config, r);
}

static int n_turns(const struct config *config, const struct frame *frame)
{
    const int n = frame->n_pilot - config_n_served(config);
    return n > 0 ? n : 1;
}

int roster_period(const struct config *config, const struct frame *frame)
{
    const int n_turn = n_turns(config, frame), n_wait = config->network.n_ue - config_n_served(config);
    return config_rotates(config) && n_wait > n_turn ? (n_wait + n_turn - 1) / n_turn : 1;
}

int roster_sequence(const struct config *config, const struct frame *frame, const struct roster *r, int user,
                    uint64_t block)
{
    const int n_ue = config->network.n_ue, place = roster_place(r, user);
    if (!config_rotates(config)) {
        return config->pilots.assignment_count ? config->pilots.assignment[user] : user % frame->n_pilot;
    }
    if (place >= 0) {
        return place;
    }
    const int turn = r->user[r->n_place + n_ue + user], n_turn = n_turns(config, frame);
    const int period = (r->n_waiting + n_turn - 1) / n_turn;
    return (int)(block % (uint64_t)period) == turn / n_turn ? r->n_place + turn % n_turn : -1;
}

/* Told ------------------------------------------------------------------------------------------------------------- */

int roster_write(const struct roster *r, char *text, size_t room)
{
    size_t n =
        (size_t)snprintf(text, room, "{\"type\":\"roster\",\"from_block\":%" PRIu64 ",\"users\":[", r->from_block);
    for (int i = 0; i < r->n_place && n < room; i++) {
        n += (size_t)snprintf(text + n, room - n, "%s%d", i ? "," : "", r->user[i]);
    }
    n += n < room ? (size_t)snprintf(text + n, room - n, "]}") : 0;
    return n < room ? TUTTI_OK : error_set(TUTTI_EINVAL, "a roster of %d places does not fit a message", r->n_place);
}

static bool read_users(json_t *users, int n_place, int n_ue, int16_t *user)
{
    if (!json_is_array(users) || json_array_size(users) != (size_t)n_place) {
        return false;
    }
    for (int i = 0; i < n_place; i++) {
        json_t *const value = json_array_get(users, (size_t)i);
        const json_int_t k = json_integer_value(value);
        if (!json_is_integer(value) || k < -1 || k >= n_ue) {
            return false;
        }
        for (int j = 0; k >= 0 && j < i; j++) {
            if (user[j] == k) {
                return false;
            }
        }
        user[i] = (int16_t)k;
    }
    return true;
}

static bool is_of_type(json_t *root, const char *wanted)
{
    const char *const type = json_string_value(json_object_get(root, "type"));
    return type && strcmp(type, wanted) == 0;
}

int roster_read(const struct config *config, const char *text, struct roster *r)
{
    json_t *const root = json_loads(text, 0, NULL);
    json_t *const from = json_object_get(root, "from_block");
    r->n_place = config_n_served(config);
    const bool good = is_of_type(root, "roster") && json_is_integer(from) && json_integer_value(from) >= 0 &&
                      read_users(json_object_get(root, "users"), r->n_place, config->network.n_ue, r->user);
    r->from_block = good ? (uint64_t)json_integer_value(from) : 0;
    json_decref(root);
    if (good) {
        complete(config, r);
    }
    return good ? TUTTI_OK : TUTTI_EFORMAT;
}

int roster_write_heard(const struct roster *r, char *text, size_t room)
{
    const int n = snprintf(text, room, "{\"type\":\"roster_heard\",\"from_block\":%" PRIu64 "}", r->from_block);
    return n > 0 && (size_t)n < room ? TUTTI_OK : TUTTI_EINVAL;
}

bool roster_read_heard(const char *text, uint64_t *from_block)
{
    json_t *const root = strstr(text, "\"roster_heard\"") ? json_loads(text, 0, NULL) : NULL;
    json_t *const from = json_object_get(root, "from_block");
    const bool good = is_of_type(root, "roster_heard") && json_is_integer(from) && json_integer_value(from) >= 0;
    *from_block = good ? (uint64_t)json_integer_value(from) : 0;
    json_decref(root);
    return good;
}

/* The book --------------------------------------------------------------------------------------------------------- */

int roster_book_create(struct roster_book **book, const struct config *config)
{
    struct roster_book *const b = *book = calloc(1, sizeof *b);
    if (!b) {
        return error_set(TUTTI_ENOMEM, "out of memory for the rosters");
    }
    b->bytes = roster_bytes(config);
    b->first = calloc(1, b->bytes);
    if (!b->first) {
        return error_set(TUTTI_ENOMEM, "out of memory for the rosters");
    }
    roster_first(config, b->first);
    return ring_create(&b->told, BOOK_SLOTS, b->bytes);
}

void roster_book_destroy(struct roster_book *b)
{
    if (!b) {
        return;
    }
    ring_destroy(b->told);
    free(b->first);
    free(b);
}

bool roster_book_add(struct roster_book *b, const struct roster *roster)
{
    void *const slot = ring_write_slot(b->told);
    if (slot) {
        memcpy(slot, roster, b->bytes);
        ring_push(b->told);
    }
    return slot != NULL;
}

/* Of those that hold the last one told: after a restart of the central node blocks may have begun anew. */
const struct roster *roster_book_at(struct roster_book *b, uint64_t block)
{
    const struct roster *found = NULL, *r;
    size_t at = 0;
    for (size_t i = 0; (r = ring_peek(b->told, i)) != NULL; i++) {
        if (r->from_block <= block) {
            found = r;
            at = i;
        }
    }
    for (; at > 1; at--) { /* the one before stays: blocks may go back by one */
        memcpy(b->first, ring_peek(b->told, 0), b->bytes);
        ring_pop(b->told);
    }
    return found ? found : b->first;
}
