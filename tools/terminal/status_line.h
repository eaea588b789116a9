/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line of news on standard error: on a terminal it is rewritten, else a new line now and then. */
#ifndef TUTTI_TOOLS_TERMINAL_STATUS_LINE_H
#define TUTTI_TOOLS_TERMINAL_STATUS_LINE_H

#include <stdbool.h>
#include <stdint.h>

enum { STATUS_LINE_ROOM = 512, STATUS_LINE_CELLS = 20 };

struct status_line {
    bool quiet, terminal, drawn;
    uint64_t next_ns; /* clock_mono_ns of the next news worth a line (no terminal) or a redraw */
};

void status_line_begin(struct status_line *line, bool quiet);
/* Whether it is time for news: every 100 ms on a terminal, else every 5 s; never when quiet. */
bool status_line_due(const struct status_line *line);
/* Shows the text, cut to the terminal's width. */
void status_line_show(struct status_line *line, const char *text);
void status_line_clear(struct status_line *line);
/* How much of a job is done, as "####......" of STATUS_LINE_CELLS. total 0: nothing of it. */
void status_line_cells(char cells[STATUS_LINE_CELLS + 1], uint64_t done, uint64_t total);

#endif
