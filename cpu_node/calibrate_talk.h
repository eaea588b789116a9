/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calibrations as observers on the lab link see them, in JSON (docs/wire.md). Record thread. */
#ifndef TUTTI_CPU_NODE_CALIBRATE_TALK_H
#define TUTTI_CPU_NODE_CALIBRATE_TALK_H

#include "cpu_node/calibrate.h"

#include <jansson.h>

/* An observer's message; false if it does not ask for a calibration, else *answer is the JSON to send back (caller
 * frees; NULL without memory). */
bool calibrate_command(calibrate_t *calibrate, const char *json, char **answer);
/* Adds the member `calibration` to a status message. */
void calibrate_tell(calibrate_t *calibrate, json_t *status);

#endif
