/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far a long job is, on standard error: on a terminal a bar that is rewritten, else lines, one per tenth of the job
 * and at least one every 5 s while it moves. */
#ifndef TUTTI_TOOLS_BAR_H
#define TUTTI_TOOLS_BAR_H

#include <stdbool.h>
#include <stdint.h>

struct bar {
    const char *verb, *noun; /* "solving", "blocks" */
    uint64_t total;
    bool quiet, terminal, drawn;
    uint64_t start_ns, next_ns, tenth;
};

void bar_begin(struct bar *bar, const char *verb, const char *noun, uint64_t total, bool quiet);
void bar_update(struct bar *bar, uint64_t done);
void bar_end(struct bar *bar); /* clears it from a terminal */

#endif
