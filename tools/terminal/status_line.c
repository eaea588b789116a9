/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/terminal/status_line.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const uint64_t REDRAW_NS = 100000000u, LINE_NS = 5000000000u;

void status_line_begin(struct status_line *line, bool quiet)
{
    *line = (struct status_line){.quiet = quiet, .terminal = isatty(STDERR_FILENO)};
    line->next_ns = clock_mono_ns() + (line->terminal ? 0 : LINE_NS);
}

bool status_line_due(const struct status_line *line)
{
    return !line->quiet && clock_mono_ns() >= line->next_ns;
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20) {
        return 79;
    }
    return size.ws_col < STATUS_LINE_ROOM ? size.ws_col - 1 : STATUS_LINE_ROOM - 1;
}

void status_line_show(struct status_line *line, const char *text)
{
    if (line->quiet) {
        return;
    }
    if (line->terminal) {
        fprintf(stderr, "\r%.*s\033[K", terminal_columns(), text);
    } else {
        fprintf(stderr, "%s\n", text);
    }
    line->drawn = line->terminal;
    line->next_ns = clock_mono_ns() + (line->terminal ? REDRAW_NS : LINE_NS);
}

void status_line_clear(struct status_line *line)
{
    if (line->drawn) {
        fputs("\r\033[K", stderr);
    }
    line->drawn = false;
}

void status_line_cells(char cells[STATUS_LINE_CELLS + 1], uint64_t done, uint64_t total)
{
    const uint64_t part = done < total ? done : total;
    memset(cells, '.', STATUS_LINE_CELLS);
    memset(cells, '#', total ? (size_t)(STATUS_LINE_CELLS * part / total) : 0);
    cells[STATUS_LINE_CELLS] = '\0';
}
