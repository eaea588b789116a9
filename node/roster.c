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
    const size_t rows = config->cluster.enabled ? 6 : 2;
    const size_t n = (size_t)config_n_served(config) + rows * (size_t)config->network.n_ue;
    return sizeof(struct roster) + n * sizeof(int16_t);
}

/* Places are filled; users' places and turns follow. */
static void complete(const struct config *config, struct roster *r)
{
    const int n_ue = config->network.n_ue;
    int16_t *const place = r->user + r->n_place, *const turn = place + n_ue;
    r->n_ue = n_ue;
    r->n_pilot = config->cluster.enabled ? config->cluster.pilots : 0;
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

/* Pilots are there; who shares them follows. */
static void share_pilots(struct roster *r)
{
    const int n_ue = r->n_ue;
    const int16_t *const pilot = r->user + r->n_place + 2 * n_ue;
    int16_t *const before = r->user + r->n_place + 3 * n_ue, *const sharers = before + n_ue,
                   *const served = sharers + n_ue;
    for (int k = 0; k < n_ue; k++) {
        before[k] = sharers[k] = 0;
        served[k] = 1;
        for (int i = 0; i < n_ue; i++) {
            before[k] = (int16_t)(before[k] + (pilot[i] == pilot[k] && i < k));
            sharers[k] = (int16_t)(sharers[k] + (pilot[i] == pilot[k]));
        }
    }
}

void roster_fill_pilots(const struct config *config, uint64_t from_block, const int *pilot, struct roster *r)
{
    const int n_ue = config->network.n_ue;
    r->from_block = from_block;
    r->n_place = n_ue;
    for (int k = 0; k < n_ue; k++) {
        r->user[k] = (int16_t)k;
        r->user[3 * n_ue + k] = (int16_t)pilot[k];
    }
    complete(config, r);
    share_pilots(r);
}

void roster_serve(struct roster *r, const uint8_t *served)
{
    for (int k = 0; k < r->n_ue && r->n_pilot > 0; k++) {
        r->user[r->n_place + 5 * r->n_ue + k] = served[k] != 0;
    }
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
    if (r->n_pilot > 0) {
        for (int k = 0; k < r->n_ue; k++) {
            r->user[3 * r->n_ue + k] = (int16_t)(k % r->n_pilot);
        }
        share_pilots(r);
    }
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

/* Of the users that share a pilot, now and then one alone. */
static int shared_sequence(const struct roster *r, int user, uint64_t block)
{
    const int16_t *const row = r->user + r->n_place + 2 * r->n_ue + user;
    const uint64_t before = (uint64_t)row[r->n_ue], sharers = (uint64_t)row[2 * r->n_ue];
    const bool learning = r->from_block == 0;
    if (!learning && block % ROSTER_ALONE_EVERY != 0) {
        return row[0];
    }
    return (learning ? block : block / ROSTER_ALONE_EVERY) % sharers == before ? row[0] : -1;
}

int roster_sequence(const struct config *config, const struct frame *frame, const struct roster *r, int user,
                    uint64_t block)
{
    const int n_ue = config->network.n_ue, place = roster_place(r, user);
    if (r->n_pilot > 0) {
        return shared_sequence(r, user, block);
    }
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

static size_t add(char *text, size_t room, size_t n, const char *format, int value)
{
    return n < room ? n + (size_t)snprintf(text + n, room - n, format, value) : n;
}

/* Behind the users: ,"pilots":[..],"serves":[..] */
static size_t write_clusters(const struct roster *r, char *text, size_t room, size_t n)
{
    int n_served = 0;
    n = add(text, room, n, "],\"pilots\":[%d", roster_downlink(r, 0));
    for (int k = 0; k < r->n_ue; k++) {
        n = k > 0 ? add(text, room, n, ",%d", roster_downlink(r, k)) : n;
        n_served += roster_serves(r, k);
    }
    if (n_served == r->n_ue) {
        return n;
    }
    n = n < room ? n + (size_t)snprintf(text + n, room - n, "],\"serves\":[") : n;
    for (int k = 0, first = 1; k < r->n_ue; k++) {
        if (roster_serves(r, k)) {
            n = add(text, room, n, first ? "%d" : ",%d", k);
            first = 0;
        }
    }
    return n;
}

int roster_write(const struct roster *r, char *text, size_t room)
{
    size_t n =
        (size_t)snprintf(text, room, "{\"type\":\"roster\",\"from_block\":%" PRIu64 ",\"users\":[", r->from_block);
    for (int i = 0; i < r->n_place && n < room; i++) {
        n += (size_t)snprintf(text + n, room - n, "%s%d", i ? "," : "", r->user[i]);
    }
    n = r->n_pilot > 0 ? write_clusters(r, text, room, n) : n;
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

/* Everybody's pilot, and whom the access point serves, all where nothing is said. */
static bool read_clusters(json_t *root, struct roster *r)
{
    json_t *const pilots = json_object_get(root, "pilots"), *const serves = json_object_get(root, "serves");
    int16_t *const pilot = r->user + r->n_place + 2 * r->n_ue, *const served = pilot + 3 * r->n_ue;
    if (!json_is_array(pilots) || json_array_size(pilots) != (size_t)r->n_ue || (serves && !json_is_array(serves))) {
        return false;
    }
    for (int k = 0; k < r->n_ue; k++) {
        json_t *const value = json_array_get(pilots, (size_t)k);
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) >= r->n_pilot) {
            return false;
        }
        pilot[k] = (int16_t)json_integer_value(value);
    }
    share_pilots(r);
    for (int k = 0; serves && k < r->n_ue; k++) {
        served[k] = 0;
    }
    for (size_t i = 0; serves && i < json_array_size(serves); i++) {
        json_t *const value = json_array_get(serves, i);
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) >= r->n_ue) {
            return false;
        }
        served[json_integer_value(value)] = 1;
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
    bool good = is_of_type(root, "roster") && json_is_integer(from) && json_integer_value(from) >= 0 &&
                read_users(json_object_get(root, "users"), r->n_place, config->network.n_ue, r->user);
    r->from_block = good ? (uint64_t)json_integer_value(from) : 0;
    if (good) {
        complete(config, r);
        good = r->n_pilot == 0 || read_clusters(root, r);
    }
    json_decref(root);
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
