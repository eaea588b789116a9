/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hardware of the emulated air's radios as drawn from the seed: what the medium applies, and what predictions may
 * know of it in emulation. Functions of the configuration alone. */
#ifndef TUTTI_CHANNEL_HARDWARE_H
#define TUTTI_CHANNEL_HARDWARE_H

#include "base/config.h"
#include "base/types.h"

/* Names a radio in random keys: the same in networks of other sizes. */
uint64_t hardware_code(enum config_role role, int id);
/* What a role's radios suffer; an eavesdropper's are ideal, the worst case. */
const struct config_impairments *hardware_of(const struct config *config, enum config_role role);

/* Of one antenna: TX and RX gain, 1 when ideal. */
void hardware_gains(const struct config *config, enum config_role role, int id, int antenna, tutti_cf32 *tx,
                    tutti_cf32 *rx);
double hardware_cfo_hz(const struct config *config, enum config_role role, int id);
/* What the radio labels as tick t happens at t + this. */
int hardware_timing_samples(const struct config *config, enum config_role role, int id);
/* What the emulated air adds to every delay between a radio of one role and one of the other, both ways, so that no
 * clock hears what is not sent yet. Nobody could measure it over the air: a node that takes its time from what it hears
 * must know it, as it must know the delay of its own filters and cables. */
int hardware_common_delay_samples(const struct config *config, enum config_role one, enum config_role other);

#endif
