/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/stream/ledger.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* A device may stamp an acknowledgement this little before the burst's end. */
enum { ACK_SLACK_SAMPLES = 64 };

struct entry {
    tutti_tick at, end;
    uint64_t tag;
    uint64_t acked, late, cut; /* a bit per antenna */
    tutti_tick first_cut;      /* if cut */
};

struct ledger {
    int n_burst, n_note;
    uint64_t all; /* a bit per antenna */
    bool trusting;
    tutti_tick grace;
    struct entry *entry; /* [n_burst], in order of time */
    int n_entry;
    struct radio_note *note; /* [n_note], note i in place i mod n_note */
    uint64_t n_noted, n_fetched, n_lost;
    struct ledger_counters counters;
};

int ledger_create(ledger_t **ledger, int n_ant, int n_burst, int n_note, tutti_tick grace_samples)
{
    ledger_t *l = *ledger = calloc(1, sizeof *l);
    if (!l) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio's bursts");
    }
    if (n_ant < 1 || n_ant > 64 || n_burst < 1 || n_note < 1) {
        return error_set(TUTTI_EINVAL, "a radio of %d antennas, %d bursts and %d notes", n_ant, n_burst, n_note);
    }
    *l = (ledger_t){.n_burst = n_burst,
                    .n_note = n_note,
                    .all = n_ant == 64 ? UINT64_MAX : (UINT64_C(1) << n_ant) - 1,
                    .grace = grace_samples,
                    .entry = calloc((size_t)n_burst, sizeof *l->entry),
                    .note = calloc((size_t)n_note, sizeof *l->note)};
    return l->entry && l->note ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for a radio's bursts");
}

void ledger_destroy(ledger_t *l)
{
    if (l) {
        free(l->entry);
        free(l->note);
        free(l);
    }
}

void ledger_reset(ledger_t *l)
{
    l->n_entry = 0;
}

void ledger_trust_silence(ledger_t *l)
{
    l->trusting = true;
}

/* Bursts -------------------------------------------------------------------------------------------------------- */

/* Where a burst from `at` belongs. */
static int place_of(const ledger_t *l, tutti_tick at)
{
    int place = l->n_entry;
    while (place > 0 && l->entry[place - 1].at > at) {
        place--;
    }
    return place;
}

int ledger_check(const ledger_t *l, tutti_tick at, int n)
{
    const int place = place_of(l, at);
    const tutti_tick end = at + (tutti_tick)n;
    if (l->n_entry == l->n_burst) {
        return TUTTI_EAGAIN;
    }
    const struct entry *other = place > 0 && l->entry[place - 1].end > at        ? &l->entry[place - 1]
                                : place < l->n_entry && l->entry[place].at < end ? &l->entry[place]
                                                                                 : NULL;
    return other ? error_set(TUTTI_EINVAL, "a burst at tick %llu overlaps the one at tick %llu", (unsigned long long)at,
                             (unsigned long long)other->at)
                 : TUTTI_OK;
}

void ledger_add(ledger_t *l, tutti_tick at, int n, uint64_t tag)
{
    const int place = place_of(l, at);
    memmove(l->entry + place + 1, l->entry + place, (size_t)(l->n_entry - place) * sizeof *l->entry);
    l->entry[place] = (struct entry){.at = at, .end = at + (tutti_tick)n, .tag = tag};
    l->n_entry++;
}

/* Messages ------------------------------------------------------------------------------------------------------ */

static bool is_acked(const struct entry *b, uint64_t antennas)
{
    return (b->acked & antennas) == antennas;
}

/* The burst that ended last by the acknowledgement's time, of those that these antennas have not acknowledged: one that
 * was lost is not made up by the next one's. Without one (a clock that is off): the oldest of them. */
static struct entry *find_acked(ledger_t *l, const struct ledger_event *e, uint64_t antennas)
{
    struct entry *oldest = NULL, *found = NULL;
    for (int i = 0; i < l->n_entry; i++) {
        struct entry *b = &l->entry[i];
        if (is_acked(b, antennas)) {
            continue;
        }
        oldest = oldest ? oldest : b;
        found = b->end <= e->tick + ACK_SLACK_SAMPLES ? b : found;
    }
    return found ? found : oldest;
}

/* The burst under way at the event's time: the last that had begun. If these antennas have acknowledged that one, or
 * there is none, the event is of the next one. */
static struct entry *find_begun(ledger_t *l, const struct ledger_event *e, uint64_t antennas)
{
    struct entry *found = NULL;
    for (int i = 0; i < l->n_entry; i++) {
        struct entry *b = &l->entry[i];
        if (b->at <= e->tick || ((!found || is_acked(found, antennas)) && !is_acked(b, antennas))) {
            found = b;
        }
    }
    return found;
}

static void cut(struct entry *b, uint64_t antennas, tutti_tick tick)
{
    const tutti_tick inside = tick < b->at ? b->at : tick >= b->end ? b->end - 1 : tick;
    b->first_cut = b->cut == 0 || inside < b->first_cut ? inside : b->first_cut;
    b->cut |= antennas;
}

static void hear_trouble(ledger_t *l, const struct ledger_event *e, uint64_t antennas)
{
    struct entry *b = find_begun(l, e, antennas);
    if (e->kind == LEDGER_SEQUENCE) {
        ledger_note_add(l, &(struct radio_note){RADIO_NOTE_SEQUENCE, 0, e->tick, e->antenna, 1});
    }
    if (!b || (e->kind == LEDGER_SEQUENCE && !e->timed)) {
        return;
    }
    if (e->kind == LEDGER_LATE || e->kind == LEDGER_TOO_LATE) {
        b->late |= antennas;
    } else {
        cut(b, antennas, e->tick);
    }
    if (e->kind == LEDGER_TOO_LATE || e->kind == LEDGER_INCOMPLETE) {
        b->acked = l->all; /* the device will not tell more of it */
    }
}

void ledger_hear(ledger_t *l, const struct ledger_event *e)
{
    const uint64_t antennas = e->antenna < 0 ? l->all : (UINT64_C(1) << e->antenna) & l->all;
    l->counters.heard[e->kind]++;
    if (e->kind != LEDGER_ACK) {
        hear_trouble(l, e, antennas);
        return;
    }
    struct entry *b = find_acked(l, e, antennas);
    if (b) {
        b->acked |= antennas;
    }
}

/* Notes --------------------------------------------------------------------------------------------------------- */

/* The antenna of a single bit, else -1. */
static int antenna_of(uint64_t bits)
{
    return bits && (bits & (bits - 1)) == 0 ? __builtin_ctzll(bits) : -1;
}

static void note_burst(ledger_t *l, const struct entry *b)
{
    /* never acknowledged: nobody can say that it went out, unless this device never says so */
    const uint64_t untold = l->trusting ? 0 : l->all & ~(b->acked | b->cut);
    const uint64_t late = b->late | untold;
    l->counters.untold += untold != 0 && !b->late;
    struct radio_note note = {RADIO_NOTE_SENT, b->tag, b->at, -1, 0};
    if (late) {
        note = (struct radio_note){RADIO_NOTE_LATE, b->tag, b->at, antenna_of(late), b->end - b->at};
    } else if (b->cut) {
        note =
            (struct radio_note){RADIO_NOTE_UNDERRUN, b->tag, b->first_cut, antenna_of(b->cut), b->end - b->first_cut};
    }
    ledger_note_add(l, &note);
}

/* Every antenna has said how it ended. */
static bool is_told(const ledger_t *l, const struct entry *b)
{
    return (b->acked | b->late | b->cut) == l->all;
}

bool ledger_waits(const ledger_t *l, tutti_tick tick)
{
    for (int i = 0; i < l->n_entry; i++) {
        if (l->entry[i].end < tick && !is_told(l, &l->entry[i])) {
            return true;
        }
    }
    return false;
}

void ledger_settle(ledger_t *l, tutti_tick now)
{
    int n_left = 0;
    for (int i = 0; i < l->n_entry; i++) {
        const struct entry *b = &l->entry[i];
        if ((is_told(l, b) && now >= b->end) || now >= b->end + l->grace) {
            note_burst(l, b);
        } else {
            l->entry[n_left++] = *b;
        }
    }
    l->n_entry = n_left;
}

void ledger_give_up(ledger_t *l, tutti_tick tick)
{
    ledger_settle(l, tick + l->grace);
}

void ledger_abandon(ledger_t *l)
{
    for (int i = 0; i < l->n_entry; i++) {
        note_burst(l, &l->entry[i]);
    }
    l->n_entry = 0;
}

void ledger_note_add(ledger_t *l, const struct radio_note *note)
{
    const uint64_t room = (uint64_t)l->n_note;
    l->note[l->n_noted++ % room] = *note;
    if (l->n_noted - l->n_fetched > room) {
        l->n_fetched++;
        l->n_lost++;
    }
}

int ledger_note(ledger_t *l, struct radio_note *note)
{
    if (l->n_fetched == l->n_noted) {
        return 0;
    }
    *note = l->note[l->n_fetched++ % (uint64_t)l->n_note];
    return 1;
}

uint64_t ledger_notes_lost(const ledger_t *l)
{
    return l->n_lost;
}

const struct ledger_counters *ledger_counters(const ledger_t *l)
{
    return &l->counters;
}
