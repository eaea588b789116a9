/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the report draws. */
#ifndef TUTTI_TOOLS_REPORT_PLOTS_H
#define TUTTI_TOOLS_REPORT_PLOTS_H

#include "tools/results/summary.h"
#include "tools/terminal/plot.h"

enum { REPORT_MAX_USERS = 24 /* more would make the page unreadable */ };

#define REPORT_BLUE "#1f6fb2"
#define REPORT_ORANGE "#e08a1e"
#define REPORT_GREEN "#3a9d6a"
#define REPORT_RED "#c63d3d"
#define REPORT_GREY "#8a939c"

/* Numbers of the drawings (plot_svg); -1 = nothing to draw. */
struct report_plots {
    int n_user;
    int sinr[REPORT_MAX_USERS], constellation[REPORT_MAX_USERS];
    int hop[SUMMARY_N_HOP];
    int arrival, applied, scheme;
};

void report_plots_collect(struct report_plots *plots, plot_t *plot, const struct recording *recording,
                          const struct summary *summary);
/* A small drawing of equalised symbols, those that are numbers; what plot_svg is asked for. */
int report_draw_points(plot_t *plot, const tutti_cf32 *points, int n_point);
/* The last row of the constellations with points of this user, or -1. */
int64_t report_constellation_row(const struct recording *recording, int user);

#endif
