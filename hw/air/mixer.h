/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One chunk of the medium: what every radio receives from what every radio transmits. Knows no sockets and no clock, so
 * it can be tested alone; a function of the configuration and the chunks given, in order. No allocation after create.
 */
#ifndef TUTTI_AIR_MIXER_H
#define TUTTI_AIR_MIXER_H

#include "hw/air/links.h"

typedef struct mixer mixer_t;

/* What a radio transmits in one chunk. */
struct mixer_input {
    const tutti_cf32 *samples; /* [n_ant][chunk], NULL = silent */
    int from, to;              /* samples outside [from, to) are taken for zero, whatever they are */
};

/* What is wanted of a radio's received chunk. */
struct mixer_output {
    tutti_cf32 *samples; /* [n_ant][chunk] to fill, NULL = nothing is wanted, and nothing computed */
    int from, to;        /* only [from, to) need be right */
};

int mixer_create(mixer_t **mixer, struct links *links, uint64_t seed, int chunk);
void mixer_destroy(mixer_t *mixer); /* NULL allowed; links stay the caller's */

/* in, out: [n_radio]. Ticks must go up by chunk from call to call, from 0. on_change (may be NULL) is called whenever
 * links holds new coefficients. What is computed does not depend on what else is wanted. Cost: one complex multiply-add
 * per wanted sample, transmit antenna with signal, and tap, and noise. */
void mixer_execute(mixer_t *mixer, tutti_tick tick, const struct mixer_input *in, const struct mixer_output *out,
                   void (*on_change)(void *context), void *context);

#endif
