/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An AP's part in a calibration run: in the C symbols of the run's blocks the APs send in turn, one in all those of a
 * block, each antenna on its own comb of subcarriers (every n_ant-th, one further with every repeat, so that all of
 * them are covered), and all others listen. What was heard is averaged over the run and goes up as one message per AP
 * heard. The oscillators of all APs must be locked for so long. The slot thread's; no allocation after create. */
#ifndef TUTTI_AP_NODE_SOUNDER_H
#define TUTTI_AP_NODE_SOUNDER_H

#include "ap_node/slave.h"
#include "base/ring.h"
#include "fronthaul/wire.h"
#include "node/span.h"
#include "phy/ofdm.h"

struct sounder_plan {
    uint32_t run; /* number of the calibration */
    uint64_t from_block, to_block;
};

struct sounder {
    const struct frame *frame;
    int n_ap, n_ant, id;
    float tx_scale;
    struct slave *slave; /* NULL, or what turns all that is sent */
    ring_t *plans;       /* of struct sounder_plan, link -> slot */
    struct sounder_plan plan;
    int shift_samples; /* in use here, told with what was heard */
    int n_to_tell;     /* measurements that still have to go up */
    ofdm_t *ofdm;
    tutti_cf32 *sequence;       /* [n_sc] */
    tutti_cf32 *x;              /* [n_sc] */
    tutti_cf32 *burst;          /* [n_ant][n_symbol_samples] */
    tutti_cf32 *Y;              /* [n_ant][n_sc] of one symbol */
    tutti_cf32 *sum;            /* [n_ap][n_ant here][n_ant there][n_sc] over the run, in units of noise */
    float *count;               /* [n_ap][n_ant there][n_sc] symbols in it */
    int known_delay;            /* from AP to AP, that of the emulated air's clocks: where a window begins to follow */
    int *shift;                 /* [n_ap] samples by which the window follows what comes from an AP */
    double *place;              /* [n_sc] in subcarriers from the carrier */
    double *centre;             /* [n_sb] of the subbands, in subcarriers from the carrier */
    float *statistic;           /* [3 + n_sb n_ant] of one message: run, delay, shift, counts */
    tutti_cf32 *values;         /* [n_sb][n_ant][n_ant] of one message */
    const tutti_cf32 **buffers; /* [n_ant] */
};

int sounder_create(struct sounder *s, const struct config *config, const struct config_radio *radio,
                   const struct frame *frame, int id);
void sounder_destroy(struct sounder *s); /* half-built allowed */
/* Bytes of one message at most. */
size_t sounder_message_bytes(const struct sounder *s);

/* Link thread: a run to come. */
void sounder_order(struct sounder *s, const struct sounder_plan *plan);
/* Slot thread: takes over the newest order. */
void sounder_follow(struct sounder *s);
/* C symbols of this block or the one before will be looked at. */
bool sounder_listens(const struct sounder *s, uint64_t block);
/* The C symbols of a block, as far as the span holds them. noise_power: per subcarrier, sample units squared. */
void sounder_hear(struct sounder *s, const struct node_span *span, tutti_tick epoch, uint64_t block,
                  double noise_power);
/* This AP's C symbols of a block, ahead of time. */
void sounder_send(struct sounder *s, struct node_radio *radio, uint64_t block);
/* After the run, with `block` under way: packs what was heard of the next AP into out; the message's bytes, or 0 when
 * there is nothing (more) to tell. */
size_t sounder_tell(struct sounder *s, uint64_t block, uint32_t session, uint8_t *out, size_t room);

#endif
