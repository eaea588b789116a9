/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user daemon's state and the verbs of its loop; in the role of an eavesdropper it listens with several antennas to
 * everybody's stream. Two threads: the slot thread (main) owns the radio; the decode thread decodes, measures and owns
 * the lab link. Between them a ring of captured downlinks. */
#ifndef TUTTI_UE_NODE_UE_H
#define TUTTI_UE_NODE_UE_H

#include "base/config.h"
#include "base/ring.h"
#include "fronthaul/peer.h"
#include "node/radio.h"
#include "node/roster.h"
#include "node/span.h"
#include "node/thread.h"
#include "phy/delay.h"
#include "phy/frame.h"
#include "phy/ofdm.h"
#include "phy/receiver.h"
#include "ue_node/follow.h"
#include "ue_node/uplink.h"

#include <stdatomic.h>

/* The downlink of one block, in a ring slot. */
struct ue_capture {
    uint64_t block;
    bool idle;      /* nothing was sent to this user: no Y */
    tutti_cf32 Y[]; /* [n_ant][n_dl][n_sc] */
};

/* How the reference's beacon is heard, from the slot thread to the decode thread, which has the words. */
struct ue_sync_news {
    atomic_uint count; /* of changes */
    atomic_bool locked;
    _Atomic uint64_t block;
    _Atomic double cfo_hz, offset_samples, snr;
};

struct ue_counters {
    uint64_t blocks, captures_dropped, missed, code_blocks, code_block_errors;
    uint64_t points_cut;   /* constellations of which only a part fits a control message */
    uint64_t reports_lost; /* reports that the lab link did not take */
};

enum ue_role { UE_USER, UE_EVE };

struct ue {
    const struct config *config;
    struct frame frame;
    enum ue_role role;
    int id, n_ue, n_ant;
    int *wanted, n_wanted; /* the users whose streams are received */
    int pilot_user;        /* whose uplink pilot is sent; -1: none */
    uint64_t pilot_from_block;

    struct node_radio radio;
    struct node_span span;
    struct follow follow; /* sync.mode air */
    int advance_samples;  /* by which it sends earlier: known delay, there and back */
    ofdm_t *ofdm;
    struct delay delay;            /* of the downlink: where the FFT windows lie */
    tutti_cf32 *unbeacon, *beacon; /* [n_sc] conj of the beacon's sequence; one beacon symbol */
    tutti_cf32 *unscramble;        /* [n_sc] of the downlink pilots */
    receiver_t *receiver;
    struct receiver_measurement *measurements; /* [n_wanted] */

    uint64_t block;                   /* under way */
    bool idle;                        /* nothing in it is for this user */
    uint64_t pilots_block;            /* the next whose pilots are to be queued */
    int n_pilot_samples;              /* first P symbol to the end of the last */
    int n_sequence;                   /* uplink pilots this node may be asked for: all, or its own */
    tutti_cf32 *pilots;               /* [n_sequence][n_pilot_samples], from the first antenna */
    tutti_cf32 *turned;               /* [n_symbol * n_symbol_samples] a burst as the reference's clock would send it */
    tutti_cf32 *silence;              /* the same from the others */
    const tutti_cf32 **pilot_buffers; /* [n_ant] */

    struct uplink uplink; /* its data behind the pilots */

    struct roster_book *rosters;     /* decode thread -> slot thread: who is served */
    struct roster_book *own_rosters; /* the decode thread's own */
    struct roster *roster;           /* decode thread: the last one heard */
    int n_stream;                    /* users with a place, then sensing zones */
    int *user_of_stream;             /* [n_stream] */

    fh_peer_t *lab;
    struct node_thread decode;
    char *text; /* [CONTROL_MAX_BYTES + 1]: one report */
    ring_t *captures;
    int capture_event, room_event;
    atomic_bool slot_waits; /* for room in the ring */
    struct ue_sync_news news;
    unsigned news_told;       /* decode thread */
    _Atomic tutti_tick epoch; /* of the last welcome */
    struct ue_counters counters;
};

/* setup.c. Create: what needs neither radio nor central node. Join: opens the radio, then says hello, then starts;
 * blocks until both are there. */
int ue_create(struct ue *ue, const struct config *config, enum ue_role role, int id);
int ue_join(struct ue *ue);
void ue_destroy(struct ue *ue); /* half-built allowed */
void ue_log_counters(const struct ue *ue);

/* slot.c: what the loop calls, once per block; no heap, locks, formatting or ZeroMQ. */
void slot_prepare(struct ue *ue);    /* which block is next; queues the pilots of the one after */
int slot_receive(struct ue *ue);     /* all samples up to the end of the block's downlink; negative: the loop ends */
void slot_hear_notes(struct ue *ue); /* what became of earlier bursts */
void slot_capture_downlink(struct ue *ue);

/* report.c: one block's figures as a control message in `text` [room]; returns how many constellation points did not
 * fit, or TUTTI_EINVAL when nothing does. */
struct report_points {
    const tutti_cf32 *values; /* NULL: none */
    int n_values, n_points;   /* wanted, evenly spread over the values */
};
int report_user(char *text, size_t room, uint64_t block, const struct receiver_measurement *measurement,
                const struct report_points *points);
/* A user that nothing was sent to says that it is there. */
int report_idle(char *text, size_t room, uint64_t block);
/* The reference's beacon was found, or lost. */
int report_sync(char *text, size_t room, bool locked, uint64_t block, double cfo_hz, double offset_samples,
                double snr_db);
/* probe.c: what arrives in the sensing zone where this eavesdropper stands, by the streams' precoded pilots; mean
 * powers of a subcarrier over the block's subbands, in units of the radio's full scale. */
struct probe_powers {
    double communication, own, cross; /* data streams together, the zone's own illumination, the other zones' */
    double noise;                     /* of the receiver, from what the pilots leave */
    double total;                     /* of the data symbols, everything together, without pilots */
};
/* Of the block that the receiver has just looked at; true in a zone, else nothing is written. */
bool probe_measure(struct ue *ue, const tutti_cf32 *Y, struct probe_powers *powers);

/* probe: NULL outside of zones. */
int report_eve(char *text, size_t room, uint64_t block, int n_user, const struct receiver_measurement *measurements,
               const struct probe_powers *probe);

/* decode.c: the decode thread. */
int decode_start(struct ue *ue);
void decode_stop(struct ue *ue);

#endif
