/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What became of every burst: bursts that were handed over, the device's messages about them charged to tag and
 * antenna, one note for each. A burst counts as sent when every antenna has acknowledged its end and none told of
 * anything wrong; an acknowledgement that is lost is nobody else's; later packets of a late burst may still go out, so
 * any L spoils it. One thread; knows no device; no allocation after create. */
#ifndef TUTTI_HW_STREAM_LEDGER_H
#define TUTTI_HW_STREAM_LEDGER_H

#include "hw/radio.h"

/* What a device tells about an antenna, or a transmit thread about a burst. */
enum ledger_event_kind {
    LEDGER_ACK,      /* burst acknowledgement: the tick is that of its end */
    LEDGER_UNDERRUN, /* U: the tick is about that of the first sample missing */
    LEDGER_LATE,     /* L: the tick is the device's time when it noticed */
    LEDGER_SEQUENCE, /* S: packets were lost on the way to the device; not timed: some burst's, long ago perhaps, so no
                      * burst is charged: its acknowledgement is missing if its last packet was among them */
    LEDGER_TOO_LATE, /* not handed over at all, the device's time had passed; the tick is the burst's first */
    LEDGER_INCOMPLETE, /* the device did not take all of it; the tick is that of the first sample it did not */
    LEDGER_N_KINDS
};
struct ledger_event {
    enum ledger_event_kind kind;
    int antenna; /* -1: all */
    bool timed;  /* the tick is the device's; else the newest one received */
    tutti_tick tick;
};

typedef struct ledger ledger_t;

/* n_ant: 1..TUTTI_MAX_ANT; n_burst: most bursts at once; n_note: notes kept; grace_samples: so long after its end a
 * burst waits for its last acknowledgement. TUTTI_EINVAL, TUTTI_ENOMEM; *ledger is set even then. */
int ledger_create(ledger_t **ledger, int n_ant, int n_burst, int n_note, tutti_tick grace_samples);
void ledger_destroy(ledger_t *ledger); /* NULL allowed */
void ledger_reset(ledger_t *ledger);   /* forgets bursts, not notes */
/* For devices that acknowledge nothing: a burst of which nothing was told when its grace is over was sent. Before the
 * first burst. */
void ledger_trust_silence(ledger_t *ledger);

/* TUTTI_EAGAIN: full; TUTTI_EINVAL: overlaps one that has no note yet, with a sentence. */
int ledger_check(const ledger_t *ledger, tutti_tick at, int n);
void ledger_add(ledger_t *ledger, tutti_tick at, int n, uint64_t tag); /* after ledger_check */
void ledger_hear(ledger_t *ledger, const struct ledger_event *event);
/* Makes the notes of bursts that all antennas have told of, or whose grace is over. now: the newest tick received. */
void ledger_settle(ledger_t *ledger, tutti_tick now);

/* Notes for all bursts that ended before `tick`, whatever their antennas have told. */
void ledger_give_up(ledger_t *ledger, tutti_tick tick);
/* Notes for all bursts, now: the device's time went back, and theirs will not come as it was meant. */
void ledger_abandon(ledger_t *ledger);
/* A burst that ended before `tick` has no note yet. */
bool ledger_waits(const ledger_t *ledger, tutti_tick tick);

void ledger_note_add(ledger_t *ledger, const struct radio_note *note);
int ledger_note(ledger_t *ledger, struct radio_note *note); /* as radio_note */
uint64_t ledger_notes_lost(const ledger_t *ledger);

struct ledger_counters {
    uint64_t heard[LEDGER_N_KINDS]; /* events */
    uint64_t untold;                /* bursts noted late because an antenna never told of them */
};
const struct ledger_counters *ledger_counters(const ledger_t *ledger);

#endif
