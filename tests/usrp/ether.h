/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the devices' antennas hear of each other. Without a network every channel hears what it sends itself, sample for
 * sample; with one, the radios of the network file are devices in order (APs, users, eavesdroppers; two channels each)
 * and the channel between them is that of the emulated air. */
#ifndef TUTTI_TESTS_USRP_ETHER_H
#define TUTTI_TESTS_USRP_ETHER_H

#include "base/config.h"
#include "device.h"

/* config NULL: no network. Sets world->n_device, rate and chunk in a network. *ether is set even on failure. */
int ether_create(struct ether **ether, struct world *world, const struct config *config);
void ether_destroy(struct ether *ether); /* NULL allowed */
/* From world->tx and world->loud makes world->rx, for the chunk whose first sample has this number. */
void ether_execute(struct ether *ether, struct world *world, uint64_t tick);
/* Which radio a device belongs to: "ap 0", "ue 1"; "" without a network. */
void ether_name(const struct ether *ether, int device, char *name, size_t n);

#endif
