/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio that does what a test wrote down. It stands in the place of hw/radio.c: sample t of antenna a is
 * scripted_sample(a, t), or not a number where it was called unwanted, losses happen where the script says, bursts are
 * kept. */
#ifndef TUTTI_TESTS_NODE_SCRIPTED_RADIO_H
#define TUTTI_TESTS_NODE_SCRIPTED_RADIO_H

#include "hw/radio.h"

enum { SCRIPTED_UNWANTED = 64, SCRIPTED_LOSSES = 8, SCRIPTED_BURSTS = 256, SCRIPTED_NOTES = 256 };

struct scripted_burst {
    tutti_tick at;
    int n, n_given, n_part; /* promised; given in so many parts */
    uint64_t tag;
    float energy[TUTTI_MAX_ANT];
};

struct radio {
    int n_ant, at_most; /* samples of one call; 0 = as many as asked for */
    tutti_tick now;
    struct {
        tutti_tick from, to; /* samples of from..to-1 are lost; to < from: time goes back to `to` */
    } loss[SCRIPTED_LOSSES];
    int n_loss, next_loss;
    struct {
        tutti_tick from, to;
    } unwanted[SCRIPTED_UNWANTED]; /* the latest */
    uint64_t n_unwanted;
    uint64_t n_recv;
    bool real_host_time;   /* host_ns is the clock's, else a thousandth of the tick */
    uint64_t host_back_ns; /* and so long ago: the caller is late */
    int fail;              /* what radio_recv returns when now reaches fail_at */
    tutti_tick fail_at;
    struct scripted_burst burst[SCRIPTED_BURSTS];
    int n_burst, burst_status;
    bool tells; /* a note for every burst: SENT, or LATE if it begins before `now` */
    struct radio_note note[SCRIPTED_NOTES];
    int n_note, next_note;
};

tutti_cf32 scripted_sample(int antenna, tutti_tick tick);

#endif
