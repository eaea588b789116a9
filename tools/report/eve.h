/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run says of eavesdroppers: what they heard, the secrecy rates, the pilot attacks suspected. */
#ifndef TUTTI_TOOLS_REPORT_EVE_H
#define TUTTI_TOOLS_REPORT_EVE_H

#include "tools/report/plots.h"

/* Numbers of the drawings (plot_svg); -1 = nothing to draw. */
struct report_eve {
    bool shown; /* there is an eavesdropper, or a suspicion */
    int n_user;
    int sinr[REPORT_MAX_USERS], rate[REPORT_MAX_USERS];
    int score, outage;
};

void report_eve_collect(struct report_eve *eve, plot_t *plot, const struct recording *recording);
/* The section of the page; nothing when not shown. */
void report_eve_write(const struct report_eve *eve, const plot_t *plot, const struct recording *recording, FILE *out);

/* A line per eavesdropper and user, and one per user suspected to be under attack. Nothing to say: prints nothing. */
void report_eve_print(const struct recording *recording, FILE *out);

#endif
