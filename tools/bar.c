/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/bar.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CELLS = 20, LINE_ROOM = 200 };
static const uint64_t REDRAW_NS = 100000000u, LINE_NS = 5000000000u;

void bar_begin(struct bar *bar, const char *verb, const char *noun, uint64_t total, bool quiet)
{
    *bar = (struct bar){.verb = verb, .noun = noun, .total = total, .quiet = quiet, .start_ns = clock_mono_ns()};
    bar->terminal = isatty(STDERR_FILENO);
    bar->next_ns = bar->start_ns + (bar->terminal ? 0 : LINE_NS);
}

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20) {
        return 79;
    }
    return size.ws_col < LINE_ROOM ? size.ws_col - 1 : LINE_ROOM - 1;
}

static void format(const struct bar *bar, uint64_t done, uint64_t now_ns, char *line)
{
    char rest[80] = "", cells[CELLS + 1] = "";
    const double elapsed_s = (double)(now_ns - bar->start_ns) * 1e-9;
    if (done > 0 && elapsed_s > 0) {
        snprintf(rest, sizeof rest, "  %.4g %s/s  %.0f s left", (double)done / elapsed_s, bar->noun,
                 elapsed_s * (double)(bar->total - done) / (double)done);
    }
    memset(cells, '.', CELLS);
    memset(cells, '#', (size_t)(CELLS * done / bar->total));
    snprintf(line, LINE_ROOM, "[%s] %s %s %" PRIu64 "/%" PRIu64 "%s", cells, bar->verb, bar->noun, done, bar->total,
             rest);
}

void bar_update(struct bar *bar, uint64_t done)
{
    const uint64_t now_ns = clock_mono_ns(), tenth = 10 * done / bar->total;
    if (bar->quiet || (now_ns < bar->next_ns && (bar->terminal || tenth == bar->tenth))) {
        return;
    }
    char line[LINE_ROOM];
    format(bar, done, now_ns, line);
    if (bar->terminal) {
        fprintf(stderr, "\r%.*s\033[K", terminal_width(), line);
    } else {
        fprintf(stderr, "%s\n", line);
    }
    bar->drawn = bar->terminal;
    bar->tenth = tenth;
    bar->next_ns = now_ns + (bar->terminal ? REDRAW_NS : LINE_NS);
}

void bar_end(struct bar *bar)
{
    if (bar->drawn) {
        fputs("\r\033[K", stderr);
    }
    bar->drawn = false;
}
