/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `tutti run` asks of its host before it begins. */
#ifndef TUTTI_TOOLS_RUN_HOST_H
#define TUTTI_TOOLS_RUN_HOST_H

#include "base/config.h"

/* Writes FOLDER/host.json, the table of what can be seen at once; in a run that goes by the clock the worst finding is
 * a line on stderr. Best effort: a host that cannot be looked at is no fault of the run. */
void run_look_at_host(const struct config *config, const char *folder);

#endif
