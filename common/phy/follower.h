/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slave's oscillator against that of a reference AP, followed from the two equal beacon symbols that the reference
 * sends in every block. First the turn between the two symbols, averaged over blocks, gives the carrier offset, until
 * the phase cannot pass a turn from block to block unseen; then a Kalman loop (phase_loop) follows the phase of what is
 * heard against the beacon's channel as it was when the loop closed, the anchor, and a second one of the same kind the
 * delay. Without beacons both predict, and the figure of their error grows until it passes FOLLOWER_LOST_RAD: then the
 * slave must be silent, and begins anew when the beacon is back. The anchor stays: the constant that it leaves between
 * slave and reference is calibration's to take away, and must not change. Its channel is renewed slowly, turned back by
 * what was measured, so that renewing it turns nothing.
 *
 * A sample of the slave at time t after the beacon's centre is received with e^{-j theta(t)} and sent with
 * e^{+j theta(t)}, theta = follower_phase: both then look driven by the reference. Pure; no allocation after create.
 * Cost of a look: some 30 operations per antenna and subcarrier. */
#ifndef TUTTI_PHY_FOLLOWER_H
#define TUTTI_PHY_FOLLOWER_H

#include "phy/frame.h"
#include "phy/phase_loop.h"

/* Error of the effective channel beyond which beams do more harm than good, standard deviation. */
#define FOLLOWER_LOST_RAD 0.3

enum follower_state {
    FOLLOWER_SEARCHING, /* no beacon yet, or none for long: its time is to be searched, too */
    FOLLOWER_ACQUIRED,  /* its time is known; offset and phase are being learnt */
    FOLLOWER_LOCKED,
    FOLLOWER_HOLDING, /* by prediction */
    FOLLOWER_LOST     /* held too long; the beacon is waited for where it was */
};

struct follower_settings {
    const struct frame *frame;
    int n_ant;
    double linewidth_hz;    /* of both oscillators together */
    double frequency_walk;  /* (rad/s)^2/s, of both */
    double pilot_s, data_s; /* after the beacon's centre: what the error is about, see follower_error_rad */
};

struct follower {
    struct follower_settings settings;
    enum follower_state state;
    struct phase_loop phase; /* closed in LOCKED, HOLDING, and the end of ACQUIRED */
    struct phase_loop delay; /* samples for radians: the reference comes so much later than at the anchor */
    bool closed, has_anchor;
    tutti_cf32 *anchor;  /* [n_ant][n_sc] the beacon's channel */
    tutti_cf32 *mean;    /* [n_ant][n_sc] of the two symbols looked at */
    int n_averaged;      /* blocks in the anchor, at most a limit */
    double complex turn; /* sum of conj(Y0) Y1 while acquiring */
    int n_turn;
    double snr;                  /* per antenna and subcarrier, linear, of one symbol; averaged */
    double noise_sum, power_sum; /* of it, while acquiring */
    double misfit;               /* mean of innovation^2 over what the loop expects of it: about 1 */
    long n_slip;                 /* innovations beyond a quarter turn */
    long n_heard, n_missed;      /* beacons */
    int n_missing;               /* in a row */
};

int follower_create(struct follower *follower, const struct follower_settings *settings);
void follower_destroy(struct follower *follower); /* half-built allowed */

/* The beacon was found in time (beacon_search): begins to learn, from this carrier offset on. */
void follower_found(struct follower *follower, double cfo_hz);
/* The same after a long time: the reference comes so much later than at the anchor, to a sample. */
void follower_relocated(struct follower *follower, double delay_samples);
/* `n` blocks pass: theta, and what follower_look expects, are those about the beacon n blocks later. */
void follower_pass(struct follower *follower, int n);
/* The beacon of the block under way: Y [2][n_ant][n_sc] subcarriers of its symbols, whose samples were turned back by
 * follower_phase, windows moved by follower_window samples against the anchor's. Once per follower_pass; not while
 * SEARCHING. */
void follower_look(struct follower *follower, const tutti_cf32 *Y);
/* It was not received (lost samples). */
void follower_miss(struct follower *follower);

/* Phase, and frequency, rad, rad/s, so long after the centre of the beacon of the block under way. */
double follower_phase(const struct follower *follower, double after_s);
double follower_frequency(const struct follower *follower);
/* By how much later than at the anchor the reference comes now, samples of the slave's clock; its whole samples. */
double follower_delay_samples(const struct follower *follower);
int follower_window(const struct follower *follower);
/* Fit to send and to be counted on. */
bool follower_in_step(const struct follower *follower);
/* Standard deviation, rad, of the phase of the effective channel of the block under way: received pilot_s, sent data_s
 * after the beacon; infinite before the loop is closed. */
double follower_error_rad(const struct follower *follower);
const char *follower_state_name(enum follower_state state);

#endif
