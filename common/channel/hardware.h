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
/* And that beyond: a part of a sample to begin with, and the sample clock's rate over its nominal one, less 1: it
 * shares the oscillator's crystal, so this is the carrier offset over the carrier, radio.*.freq_hz (0 there, or
 * sync.mode shared: the clock is right). The radio's samples come sooner and sooner by it: tick t happens at
 * t + whole + part - rate t. */
double hardware_timing_fraction(const struct config *config, enum config_role role, int id);
double hardware_clock_rate(const struct config *config, enum config_role role, int id);
/* No clock of this role is off by anything but whole samples. */
bool hardware_clock_is_whole(const struct config *config, enum config_role role);
/* Most samples that a clock of this role drifts by: in all blocks of the run and some more, in 20 s of one without
 * an end. Then the emulated clock stays where it is. */
double hardware_drift_samples(const struct config *config, enum config_role role);
/* By how much samples that are not whole are later at least, so that their filter knows those around them, 0: whole. */
int hardware_reach_samples(const struct config *config, enum config_role role);
/* What the emulated air adds to every delay between a radio of one role and one of the other, both ways, so that no
 * clock hears what is not sent yet. Nobody could measure it over the air: a node that takes its time from what it hears
 * must know it, as it must know the delay of its own filters and cables. */
int hardware_common_delay_samples(const struct config *config, enum config_role one, enum config_role other);

#endif
