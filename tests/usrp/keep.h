/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the devices really heard and sent, kept in files, so that a test can compare what became of it in the host: a
 * record per chunk of a device that streams, its tick (uint64) and the chunk's samples of both channels one after the
 * other (ci16), little-endian: DIR/rx0, DIR/tx0, ... */
#ifndef TUTTI_TESTS_USRP_KEEP_H
#define TUTTI_TESTS_USRP_KEEP_H

#include "device.h"

/* TUTTI_EIO, TUTTI_ENOMEM. *keep is set even then. */
int keep_create(struct keep **keep, const char *folder, const struct world *world);
void keep_destroy(struct keep *keep); /* NULL allowed */
/* The chunk just computed; NULL: nothing is kept. */
void keep_chunk(struct keep *keep, struct world *world);

#endif
