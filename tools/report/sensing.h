/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run says of sensing (docs/isac.md): the decisions, what was measured in the zones beside their closed forms,
 * the map. */
#ifndef TUTTI_TOOLS_REPORT_SENSING_H
#define TUTTI_TOOLS_REPORT_SENSING_H

#include "tools/report/plots.h"

enum { REPORT_MAX_DECISIONS = 6 /* told; of more the last ones */, REPORT_MAX_ZONES = 16 };

/* Blocks first .. first + n - 1 in which one choice of modes and powers held. */
struct report_decision {
    uint64_t first, n;
};
/* A ratio of means over a decision's blocks in dB, its standard error by the delta method; NaN without blocks. */
struct report_ratio {
    double db, se_db;
};

/* Numbers of the drawings (plot_svg); -1 = nothing to draw. */
struct report_sensing {
    bool shown;
    int n_decision; /* of the whole run */
    struct report_decision told[REPORT_MAX_DECISIONS];
    int n_told;
    int map_first, map_last, masr;
};

/* MASR = own / (communication + cross) and the eavesdropper's SINR = communication / (own + cross + noise), each power
 * averaged first. */
struct report_ratio report_sensing_masr(const struct recording *recording, struct report_decision d, int zone);
struct report_ratio report_sensing_eve(const struct recording *recording, struct report_decision d, int zone);

void report_sensing_collect(struct report_sensing *sensing, plot_t *plot, const struct recording *recording);
/* The section of the page; nothing when not shown. */
void report_sensing_write(const struct report_sensing *sensing, const plot_t *plot, const struct recording *recording,
                          FILE *out);
/* The same tables for a terminal. */
void report_sensing_print(const struct recording *recording, FILE *out);

#endif
