/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What chosen radios receive or transmit, for a spectrum view or a recorder beside the network (air.tap): one ZeroMQ
 * PUB socket per antenna, a message per chunk in GNU Radio's format with tags (docs/gnuradio.md), its tick in the tag
 * `tutti_tick`. Whoever is too slow misses messages and sees it by the ticks; the medium never waits. One thread. */
#ifndef TUTTI_AIR_TAP_H
#define TUTTI_AIR_TAP_H

#include "hw/air/mixer.h"

typedef struct tap tap_t;

/* In front of a message's samples: magic number and version, tick of the first sample, number of tags (1); then the
 * tag: where it stands, its name, the tick once more, no source. */
enum { TAP_HEADER_BYTES = 2 + 1 + 8 + 8 + 8 + 13 + 9 + 1 };

/* Listens at air.tap.endpoint, one port after the other: tapped radios in order, antennas inside a radio; the log says
 * which is where. Without an endpoint *tap is NULL. Set even on failure, to be destroyed. TUTTI_EIO names the endpoint.
 */
int tap_create(tap_t **tap, const struct config *config, const struct links *links, int chunk);
void tap_destroy(tap_t *tap); /* NULL allowed */

/* [n_radio]: of whom all that arrives is needed, whatever the radio itself wants; NULL: of nobody. The tap's. */
const bool *tap_needs(const tap_t *tap);

/* Publishes a chunk, in and out as the mixer had them. What a radio that is not there would receive is not published;
 * what it would transmit is silence. Never blocks; allocates a message per antenna. NULL: nothing. */
void tap_send(tap_t *tap, tutti_tick tick, const struct mixer_input *in, const struct mixer_output *out);

#endif
