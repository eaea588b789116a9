/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/accounts.h"

#include "base/error.h"

#include <stdlib.h>

struct entry {
    struct wire_account account;
    bool told;     /* the radio has told, or there is nothing to tell */
    bool arrived;  /* the arrival is known */
    bool complete; /* counted; nothing changes it any more */
};

struct accounts {
    struct entry entry[ACCOUNTS_ROOM]; /* block b at b mod ACCOUNTS_ROOM */
    uint64_t kept, end;                /* blocks kept..end-1 have entries */
    uint64_t first;                    /* those before are acknowledged */
    uint64_t open;                     /* those before are complete */
    bool begun;
    struct accounts_counters counters;
};

int accounts_create(accounts_t **accounts)
{
    *accounts = calloc(1, sizeof **accounts);
    return *accounts ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the accounts");
}

void accounts_destroy(accounts_t *accounts)
{
    free(accounts);
}

const struct accounts_counters *accounts_counters(const accounts_t *accounts)
{
    return &accounts->counters;
}

static struct entry *entry_of(accounts_t *a, uint64_t block)
{
    return block >= a->first && block < a->end ? &a->entry[block % ACCOUNTS_ROOM] : NULL;
}

static void complete(accounts_t *a, struct entry *e)
{
    if (!e->complete) {
        e->complete = true;
        if (e->account.sent == WIRE_SENT_UNKNOWN) {
            e->account.sent = WIRE_SENT_LATE; /* what nobody vouches for was not sent */
            a->counters.untold++;
        }
        a->counters.sent[e->account.sent]++;
        a->counters.arrival[e->account.arrival]++;
        a->counters.scaled += e->account.scaled;
    }
}

/* One more entry at the end; the oldest gives way when all are in use. */
static struct entry *append(accounts_t *a, uint64_t block)
{
    if (a->end - a->kept == ACCOUNTS_ROOM) {
        complete(a, &a->entry[a->kept % ACCOUNTS_ROOM]);
        a->counters.overwritten += a->first == a->kept;
        a->kept++;
        a->first = a->first < a->kept ? a->kept : a->first;
        a->open = a->open < a->kept ? a->kept : a->open;
    }
    struct entry *e = &a->entry[block % ACCOUNTS_ROOM];
    *e = (struct entry){.account = {.block = block, .sent = WIRE_SENT_MISSED}, .told = true, .arrived = true};
    a->end = block + 1;
    return e;
}

static void complete_all(accounts_t *a)
{
    for (uint64_t b = a->open; b < a->end; b++) {
        complete(a, &a->entry[b % ACCOUNTS_ROOM]);
    }
}

/* A leap longer than the ring would only overwrite what it fills in. */
static void leap(accounts_t *a, uint64_t block)
{
    if (block - a->end > ACCOUNTS_ROOM) {
        complete_all(a);
        const uint64_t to = block - ACCOUNTS_ROOM;
        a->counters.overwritten += to - a->first;
        a->counters.sent[WIRE_SENT_MISSED] += to - a->end;
        a->counters.arrival[WIRE_ARRIVAL_NONE] += to - a->end;
        a->kept = a->first = a->open = a->end = to;
    }
}

static struct entry *extend(accounts_t *a, uint64_t block)
{
    if (a->begun && block < a->end) {
        complete_all(a);
        a->counters.overwritten += a->end - a->first;
        a->begun = false;
    }
    if (!a->begun) {
        a->begun = true;
        a->kept = a->first = a->open = a->end = block;
    }
    leap(a, block);
    while (a->end < block) {
        append(a, a->end);
    }
    return append(a, block);
}

void accounts_begin(accounts_t *accounts, uint64_t block)
{
    struct entry *e = extend(accounts, block);
    e->told = e->arrived = false;
    e->account.sent = WIRE_SENT_UNKNOWN;
}

void accounts_decided(accounts_t *accounts, const struct wire_account *decided, bool has_burst, enum wire_sent sent)
{
    struct entry *e = entry_of(accounts, decided->block);
    if (!e || e->complete) {
        accounts->counters.too_late++;
        return;
    }
    e->account = *decided;
    e->account.sent = (uint8_t)(has_burst ? WIRE_SENT_UNKNOWN : sent);
    e->told = !has_burst;
    e->arrived = decided->arrival != WIRE_ARRIVAL_NONE;
}

/* How bad an outcome is: sent as chosen, cut, not sent in time. */
static int badness(uint8_t sent)
{
    return sent == WIRE_SENT_LATE ? 3 : sent == WIRE_SENT_CUT ? 2 : sent == WIRE_SENT_UNKNOWN ? 0 : 1;
}

void accounts_note(accounts_t *accounts, const struct radio_note *note)
{
    const bool of_burst =
        note->kind == RADIO_NOTE_SENT || note->kind == RADIO_NOTE_LATE || note->kind == RADIO_NOTE_UNDERRUN;
    if (!of_burst) {
        return;
    }
    struct entry *e = entry_of(accounts, note->tag);
    if (!e || e->complete) {
        accounts->counters.too_late++;
        return;
    }
    const uint8_t sent = note->kind == RADIO_NOTE_SENT       ? e->account.chosen
                         : note->kind == RADIO_NOTE_UNDERRUN ? (uint8_t)WIRE_SENT_CUT
                                                             : (uint8_t)WIRE_SENT_LATE;
    if (badness(sent) > badness(e->account.sent)) {
        e->account.sent = sent;
    }
    e->told = true;
}

void accounts_late(accounts_t *accounts, uint64_t block, uint64_t received_ns)
{
    struct entry *e = entry_of(accounts, block);
    if (!e || e->complete || e->arrived) {
        accounts->counters.too_late++;
        return;
    }
    e->account.precoder_received_ns = received_ns;
    e->account.arrival = WIRE_ARRIVAL_LATE;
    e->arrived = true;
    accounts->counters.late_stamps++;
}

void accounts_no_precoder(accounts_t *accounts, uint64_t block)
{
    struct entry *e = entry_of(accounts, block);
    if (e) {
        e->arrived = true;
    }
}

void accounts_acknowledge(accounts_t *accounts, uint64_t before_block)
{
    const uint64_t to = before_block < accounts->open ? before_block : accounts->open; /* never what was not sent yet */
    if (to > accounts->first) {
        accounts->first = to;
    }
}

void accounts_go_back(accounts_t *accounts, uint64_t n)
{
    const uint64_t held = accounts->first - accounts->kept;
    accounts->first -= n < held ? n : held;
}

/* Complete accounts in order, as far as they go. */
static void advance(accounts_t *a, uint64_t now_block)
{
    while (a->open < a->end) {
        struct entry *e = &a->entry[a->open % ACCOUNTS_ROOM];
        const uint64_t age = now_block > a->open ? now_block - a->open : 0;
        const bool told = e->told || age >= ACCOUNTS_SILENT_BLOCKS;
        if (!told || !(e->arrived || age > ACCOUNTS_LATE_BLOCKS) || age == 0) {
            return;
        }
        complete(a, e);
        a->open++;
    }
}

int accounts_collect(accounts_t *accounts, uint64_t now_block, struct wire_account *out, int room)
{
    advance(accounts, now_block);
    int n = 0;
    for (uint64_t b = accounts->first; b < accounts->open && n < room; b++) {
        out[n++] = accounts->entry[b % ACCOUNTS_ROOM].account;
    }
    return n;
}
