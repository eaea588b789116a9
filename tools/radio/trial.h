/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio under trial: opened, streaming, with one short burst to send and everything counted that radios tell. */
#ifndef TUTTI_TOOLS_RADIO_TRIAL_H
#define TUTTI_TOOLS_RADIO_TRIAL_H

#include "hw/radio.h"

struct trial_options {
    struct radio_settings radio;
    double seconds; /* check */
    int n_burst;    /* lead: per step */
};

struct trial {
    radio_t *radio;
    struct radio_info info;
    tutti_cf32 **rx, **tx; /* [n_ant] pointers to [n_rx], [n_tx] */
    int n_ant, n_rx, n_tx; /* a step of receiving; a burst */
    struct radio_got got;  /* the samples received last */
    tutti_tick next;       /* to be received */
    double *power;         /* [n_ant] sums of squares */
    uint64_t n_sample;     /* in them */
    uint64_t n_gap, n_lost;
    uint64_t notes[RADIO_N_NOTES];
};

enum { TRIAL_RX_US = 1000, TRIAL_BURST_US = 500 };

/* Errors: the radio's sentences. */
int trial_open(struct trial *trial, const struct trial_options *options);
int trial_start(struct trial *trial);
void trial_close(struct trial *trial); /* half-open allowed */
/* The next TRIAL_RX_US of samples, and the notes that have come. */
int trial_receive(struct trial *trial);
/* Queues the burst at a tick. */
int trial_burst(struct trial *trial, tutti_tick at, uint64_t tag);
/* The radio's time now, by the samples got last and the host's clock. */
tutti_tick trial_now(const struct trial *trial);

int radio_probe(const struct trial_options *options);
int radio_lead(const struct trial_options *options);
int radio_check(const struct trial_options *options);

#endif
