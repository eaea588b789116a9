/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The emulated radios and the links between them: what is drawn once (hardware, gains, delays) and the coefficients of
 * now. Radio r is AP r for r < n_ap, then come the users, then the eavesdroppers. A link is directed; both directions
 * of a pair share one fading process, so propagation is reciprocal by construction and only hardware breaks it.
 *
 * APs hear each other in C symbols, and in B symbols where there are several, only, over links that are drawn once
 * (air.large_scale.ap_snr_db): what synchronisation and calibration live on. In other symbols nobody listens to another
 * AP, and nothing is computed.
 *
 * Timing: a radio with offset o labels as tick t what happens at t + o, so a link's delay is d + o_tx - o_rx. So that
 * nothing arrives before it was sent, all links are longer by the largest offsets together when offsets are on. Clocks
 * that are off by parts of a sample, or drift, are the mixer's: what is sent goes over to the air's clock and from
 * there to the receiver's (hw/air/resample.h), each by at least `reach` samples later. */
#ifndef TUTTI_AIR_LINKS_H
#define TUTTI_AIR_LINKS_H

#include "base/config.h"
#include "channel/fading.h"
#include "channel/played.h"
#include "phy/frame.h"

struct links_radio {
    uint64_t code; /* names the radio in random keys: the same in networks of other sizes */
    bool is_ap, is_eve;
    int id, n_ant;
    tutti_cf32 *tx_gain, *rx_gain; /* [n_ant] hardware now, 1 when ideal */
    tutti_cf32 *tx_drawn;          /* [n_ant] tx_gain before it drifted */
    double *drift_rad;             /* [n_ant] phase by which the transmitter has walked away from it */
    double drift_step_rad;         /* standard deviation of a block's step */
    double tx_full_scale_dbm, rx_full_scale_dbm;
    double tx_power_offset_db, noise_offset_db; /* against the common default of its role */
    float noise_sigma;                          /* per real component, relative to the receive full scale */
    double cfo_turns;                           /* carrier offset, turns per sample */
    double phase_step_rad;                      /* standard deviation of the phase noise increment per sample */
    int timing_samples;
    bool whole_clock;                /* late by timing_samples for ever; else also by what links_late_samples says */
    double late_samples, clock_rate; /* at the first tick; the clock's rate over its nominal one, less 1 */
    double most_drift_samples;
    int reach; /* hardware_reach_samples */
    bool clip;
    int adc_bits; /* 0 = no quantisation */
};

struct links_pair {
    int first, second; /* radios */
    bool between_aps;  /* heard in links->window only; never changes but for the hardware */
    fading_t *fading;
    tutti_cf32 *g;                     /* [n_tap][n_first][n_second] of now */
    const struct played_links *played; /* NULL: drawn */
    int played_column;                 /* first of the second radio */
    int zone;      /* the second stands in this sensing zone: an unscattered line of sight; -1: no */
    float blocked; /* amplitude factor of what stands in the way now, 1 = nothing; gains that change are in it */
};

struct link {
    bool active;
    int pair;
    bool between_aps;
    bool forward;     /* transmitter is the pair's first */
    float amplitude;  /* full scales and path gain */
    int delay;        /* samples, tap delay and what clocks that are not whole add not included, >= 0 */
    tutti_cf32 *gain; /* [n_tap][n_rx][n_tx] of now: everything between a TX sample and an RX sample */
};

/* A scripted blockage. */
struct links_blockage {
    uint64_t from_block, to_block; /* to_block: the first without it */
    float factor;                  /* of the amplitude */
    uint8_t *pair;                 /* [n_pair] 1 = weakened */
};

/* Lines of sight to the zones from a block on: g = root exp(-j phase) conj(a(theta)), gains relative to the first. */
struct links_sight {
    uint64_t from_block;
    double *ratio, *theta_rad; /* [n_ap][n_zone] amplitude, angle from broadside */
};

/* Samples [from, to) of every block, from its first one on; from may lie before it. */
struct links_window {
    int from, to;
};

struct links {
    int n_ap, n_ue, n_eve, n_radio, n_tap, *tap_delay;
    int max_delay;     /* longest link and tap */
    int max_reach;     /* of the radios */
    tutti_tick origin; /* first tick */
    struct links_radio *radio;
    struct links_pair *pair;
    int n_pair;
    struct links_blockage *blockage; /* [n_blockage] */
    int n_blockage;
    int n_zone;
    double d_over_lambda;
    double *sight_phase_rad;   /* [n_ap][n_zone] */
    struct links_sight *sight; /* [n_sight] in the order of their blocks */
    int n_sight;
    struct link *link; /* [n_radio tx][n_radio rx] */
    double *beta_db;   /* [n_ap][n_ue] */
    double *walk_db;   /* [n_ap][n_ue] by which gains differ from beta_db in the end; NULL: they do not change */
    uint64_t walk_from, walk_to; /* blocks */
    double *ap_beta_db;          /* [n_ap][n_ap], the diagonal unused */
    double *eve_beta_db;         /* [n_ap][n_eve] */
    uint64_t block;              /* of the coefficients now held */
    int symbol;                  /* -1 before the first update */
    int n_block_samples, n_symbol_samples;
    bool changes_in_block, drifts;
    uint64_t seed;
    struct played *played; /* air.fading.model: file */
    int row_blocks;        /* of it */
    struct links_window
        *window; /* [n_window] of a block, in order: runs of B and C symbols, and what clocks differ by */
    int n_window;
};

static inline enum config_role links_role(const struct links_radio *radio)
{
    return radio->is_ap ? CONFIG_ROLE_AP : radio->is_eve ? CONFIG_ROLE_EVE : CONFIG_ROLE_UE;
}

int links_create(struct links **links, const struct config *config, const struct frame *frame);
void links_destroy(struct links *links); /* NULL allowed */

static inline const struct link *links_between(const struct links *links, int tx, int rx)
{
    return &links->link[tx * links->n_radio + rx];
}

/* By how much a radio's clock is late at a tick, beyond whole samples that never change. */
double links_late_samples(const struct links *links, int radio, tutti_tick tick);
/* From transmitter to receiver, tap delay not included, in samples at a tick. */
double links_delay_samples(const struct links *links, int tx, int rx, tutti_tick tick);

/* What a link's SNR has over that of the common defaults, dB: 0 unless the file has exceptions for single radios. */
static inline double links_offset_db(const struct links *links, int tx, int rx)
{
    return links->radio[tx].tx_power_offset_db - links->radio[rx].noise_offset_db;
}

/* The first tick of all: clocks drift from there on. */
static inline void links_begin(struct links *links, tutti_tick tick)
{
    links->origin = tick;
}
/* Makes the coefficients those of `tick` and returns the tick at which they change next. No allocation. */
tutti_tick links_update(struct links *links, tutti_tick tick);

#endif
