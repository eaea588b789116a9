/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One chunk of the medium: what every radio receives from what every radio transmits. Knows no sockets and no clock, so
 * it can be tested alone; a function of the configuration and the chunks given, in order. No allocation after create.
 */
#ifndef TUTTI_AIR_MIXER_H
#define TUTTI_AIR_MIXER_H

#include "hw/air/links.h"

typedef struct mixer mixer_t;

int mixer_create(mixer_t **mixer, struct links *links, uint64_t seed, int chunk);
void mixer_destroy(mixer_t *mixer); /* NULL allowed; links stay the caller's */

/* in[r] = [n_ant][chunk] transmitted by radio r, NULL = silent. out[r] = [n_ant][chunk] to fill, NULL = not wanted.
 * Ticks must go up by chunk from call to call, from 0. on_change (may be NULL) is called whenever links holds new
 * coefficients. */
void mixer_execute(mixer_t *mixer, tutti_tick tick, const tutti_cf32 *const *in, tutti_cf32 *const *out,
                   void (*on_change)(void *context), void *context);

#endif
