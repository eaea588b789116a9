/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far a long job is, on standard error: on a terminal a bar that is rewritten, else lines, one per tenth of the job
 * and at least one every 5 s while it moves. */
#ifndef TUTTI_TOOLS_TERMINAL_BAR_H
#define TUTTI_TOOLS_TERMINAL_BAR_H

#include "tools/terminal/status_line.h"

struct bar {
    const char *verb, *noun; /* "solving", "blocks" */
    uint64_t total, start_ns, tenth;
    struct status_line line;
};

void bar_begin(struct bar *bar, const char *verb, const char *noun, uint64_t total, bool quiet);
void bar_update(struct bar *bar, uint64_t done);
void bar_end(struct bar *bar); /* clears it from a terminal */

#endif
