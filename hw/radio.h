/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a node may do with a radio, second edition. The same few operations for every backend; the backend is chosen by
 * name and never asked for its name afterwards: what a node must know comes back in radio_info. Samples are cf32 where
 * mean square 1 means the radio's full scale; time is the absolute tick. One thread uses a radio; radio_sync and
 * radio_note may be called by that thread only, too. */
#ifndef TUTTI_HW_RADIO_H
#define TUTTI_HW_RADIO_H

#include "base/types.h"

/* UHD's words, per node. Texts are copied where they are kept; NULL or "" = the backend's default, numbers 0 = the
 * same. */
struct radio_settings {
    const char *backend; /* "air", "uhd", "soapy", "file" */
    const char *args;    /* the backend's words: air: endpoint, "unix:///path" or "tcp://host:port"; uhd, soapy: device
                          * args; file: a collection of recordings */
    const char *folder;  /* where relative paths in args begin; NULL: the working directory */
    const char *role;    /* "ap", "ue" or "eve" */
    int id;              /* 0.. within the role */
    int n_ant;
    double rate_hz, master_clock_rate_hz, freq_hz, bandwidth_hz, tx_gain_db, rx_gain_db;
    const char *tx_antenna, *rx_antenna, *subdev, *channels, *clock_source, *time_source;
    int chunk_samples;       /* air: exchange size; others: receive packet size wished */
    int n_tx_buffer_samples; /* how far ahead of the newest received sample a burst may lie */
    int priority;            /* SCHED_FIFO priority of threads the backend has of its own, 0 = ordinary */
    double stop_poll_ms;     /* how often a blocked call looks at the stop flag; 0 = 100 */
};

/* What the radio turned out to be. */
struct radio_info {
    double rate_hz;    /* the real one */
    int tick_multiple; /* timed operations must fall on multiples of it, >= 1 */
    int n_ant;
    bool paced;      /* time is the wall clock's: deadlines are real */
    bool repeatable; /* two runs see the same samples (lock-step, replay): nothing may depend on entropy or speed */
    int turnaround_samples; /* the radio takes samples to send in pieces of this length, each of which begins at a
                             * multiple of it: once radio_recv has returned, the earliest tick a burst may start at is
                             * the next multiple after the newest sample; 1 = any sample (a free-running clock) */
    float sample_step; /* > 0: samples are whole numbers times this, as they came off the wire (sc16); 0 = floats */
    double lead_us;    /* paced: how long before its piece arrives a burst should be handed over, see
                        * radio_deadline_ns */
    bool in_parts;     /* radio_burst_open and radio_burst_part may be used */
};

/* One contiguous run of received samples. */
struct radio_got {
    tutti_tick tick;  /* of the first sample */
    int n;            /* samples of every antenna */
    uint64_t host_ns; /* clock_mono_ns by which all before tick + n had arrived: tick t is there at host_ns + (t - (tick
                       * + n)) / rate, whenever the caller was woken. The paced air's chunks arrive whole; where a span
                       * ends inside one, its rest is taken off. */
    uint64_t n_lost;  /* samples lost right before `tick` */
};

/* Letters are UHD's. */
enum radio_note_kind {
    RADIO_NOTE_SENT,     /* a burst left completely and in time */
    RADIO_NOTE_LATE,     /* L: a burst, or its beginning, came after its time; that part was not sent */
    RADIO_NOTE_UNDERRUN, /* U: a burst began in time, but a part of it was not sent */
    RADIO_NOTE_OVERFLOW, /* O: received samples were lost because nobody fetched them */
    RADIO_NOTE_DROP,     /* D: packets lost on the way */
    RADIO_NOTE_SEQUENCE, /* S: packets out of order */
    RADIO_N_NOTES
};
/* What became of a burst (exactly one of SENT, LATE, UNDERRUN for every burst that radio_burst took, once its end has
 * passed; none for what radio_stop left in the queue), or what happened while receiving. */
struct radio_note {
    enum radio_note_kind kind;
    uint64_t tag;    /* of the burst: SENT, LATE, UNDERRUN */
    tutti_tick tick; /* SENT: the burst's first sample; LATE, UNDERRUN: the first not sent; OVERFLOW: the first lost */
    int antenna;     /* -1 = all */
    uint64_t count;  /* samples not sent (LATE, UNDERRUN) or lost (OVERFLOW), else events; SENT: 0 */
};

struct radio_sync {
    const char *clock_source, *time_source; /* as in use; valid until radio_close */
    bool has_lock, locked;                  /* reference */
    bool has_pps;
    tutti_tick last_pps; /* tick at the last PPS; boards of one radio agree, or sync fails */
};

typedef struct radio radio_t;

/* Blocks until the device is there (bounded by the backend). info is filled on success. Errors: TUTTI_EDEVICE,
 * TUTTI_EREFUSED, TUTTI_ECONFIG, each with one sentence that says what to do. */
int radio_open(radio_t **radio, const struct radio_settings *settings, struct radio_info *info);
/* Ends streaming; what was queued and lies in the future is not sent. May block shortly. */
void radio_stop(radio_t *radio);
void radio_close(radio_t *radio); /* NULL allowed; stops first */
int radio_sync(radio_t *radio, struct radio_sync *sync);

/* Start streaming at the first moment at or after `at` that is still possible (0 = as soon as can be) and return in
 * *first the tick of the first sample radio_recv will deliver. */
int radio_start(radio_t *radio, tutti_tick at, tutti_tick *first);

/* Blocks until n consecutive samples of every antenna are there: ask for as much as is wanted in one call, a call costs
 * one wake-up however long it is. buffers: n_ant pointers to [n]. Until the call returns nothing can be queued, so the
 * backend may hand in silence up to the last sample asked for. After a gap got->tick is later than expected and fewer
 * samples may be returned. Returns 0 with got->n > 0, or negative: TUTTI_EDEVICE (gone), TUTTI_ESTOPPED. No
 * allocation. */
int radio_recv(radio_t *radio, tutti_cf32 *const *buffers, int n, struct radio_got *got);

/* A hint: the samples of ticks from..to-1, which radio_recv has not delivered yet, will not be looked at, so it may
 * leave their places in the buffers as they are. Ranges in order of time; what is not taken down is simply delivered.
 * The emulated air need not make them: most of its work at an access point. Never blocks. */
void radio_unwanted(radio_t *radio, tutti_tick from, tutti_tick to);

/* Replay: the n numbers that the node noted in the recording with this block (node/radio.h); false when there are none.
 * Never blocks. */
bool radio_recall(radio_t *radio, uint64_t block, double *values, int n);

/* One contiguous timed transmission of n samples of every antenna from tick `at` (start and end of burst), never
 * overlapping another, in any order; samples are copied. Never blocks, never allocates. What became of it comes as a
 * note with `tag`, also when it is late already. Silence is sent where nothing was queued. Errors, after which nothing
 * is queued and no note follows: TUTTI_EAGAIN when it ends beyond n_tx_buffer_samples or too many bursts are queued,
 * TUTTI_EINVAL when it overlaps a queued burst. */
int radio_burst(radio_t *radio, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag);

/* The same in parts, for a caller who makes a burst piece by piece and need not keep it; where radio_info says so.
 * radio_burst_open promises n samples and answers as radio_burst does; if it took the burst they follow in order with
 * radio_burst_part, before anything else is asked of the radio. */
int radio_burst_open(radio_t *radio, int n, tutti_tick at, uint64_t tag);
void radio_burst_part(radio_t *radio, const tutti_cf32 *const *buffers, int n);
/* Between them, a hint: where the next part of n samples may be made, so that radio_burst_part, given the same
 * pointers, need not copy it. false: there is no such place, make it anywhere. */
bool radio_burst_place(radio_t *radio, int n, tutti_cf32 **buffers);

/* Paced: the latest clock_mono_ns at which a burst from tick `at` should be handed over, by the clock of the samples
 * got last. A few ns. */
uint64_t radio_deadline_ns(const struct radio_info *info, const struct radio_got *got, tutti_tick at);

/* The next note, if any: returns 1 and fills it, else 0. Never blocks. Unfetched notes are kept in a bounded ring; the
 * oldest are overwritten and counted in *n_lost of radio_notes_lost. */
int radio_note(radio_t *radio, struct radio_note *note);
uint64_t radio_notes_lost(const radio_t *radio);
uint64_t radio_wakeups(const radio_t *radio); /* times radio_recv had to sleep so far */

#endif
