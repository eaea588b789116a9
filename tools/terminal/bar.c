/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/terminal/bar.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

void bar_begin(struct bar *bar, const char *verb, const char *noun, uint64_t total, bool quiet)
{
    *bar = (struct bar){.verb = verb, .noun = noun, .total = total, .start_ns = clock_mono_ns()};
    status_line_begin(&bar->line, quiet);
}

void bar_update(struct bar *bar, uint64_t done)
{
    char text[STATUS_LINE_ROOM], rest[80] = "", cells[STATUS_LINE_CELLS + 1];
    const uint64_t tenth = 10 * done / bar->total;
    if (!status_line_due(&bar->line) && (bar->line.terminal || tenth == bar->tenth)) {
        return;
    }
    const double elapsed_s = (double)(clock_mono_ns() - bar->start_ns) * 1e-9;
    if (done > 0 && elapsed_s > 0) {
        snprintf(rest, sizeof rest, "  %.4g %s/s  %.0f s left", (double)done / elapsed_s, bar->noun,
                 elapsed_s * (double)(bar->total - done) / (double)done);
    }
    status_line_cells(cells, done, bar->total);
    snprintf(text, sizeof text, "[%s] %s %s %" PRIu64 "/%" PRIu64 "%s", cells, bar->verb, bar->noun, done, bar->total,
             rest);
    status_line_show(&bar->line, text);
    bar->tenth = tenth;
}

void bar_end(struct bar *bar)
{
    status_line_clear(&bar->line);
}
