/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report's part on scheduling (docs/scheduling.md): what the choices gave, and what sounding costs. */
#ifndef TUTTI_TOOLS_REPORT_SCHEDULE_H
#define TUTTI_TOOLS_REPORT_SCHEDULE_H

#include "tools/report/plots.h"

struct report_schedule {
    bool shown; /* more users than were served */
    int served, rate;
};

/* Sum rate at the users, bit/s/Hz of the data symbols: mean over blocks from `first` on, its standard error over the
 * means of scheduler.blocks blocks each, which are of one set. */
struct report_sum_rate {
    double mean, se;
    int n; /* sets */
};
struct report_sum_rate report_schedule_rate(const struct recording *recording, uint64_t first);

void report_schedule_collect(struct report_schedule *schedule, plot_t *plot, const struct recording *recording);
void report_schedule_write(const struct report_schedule *schedule, const plot_t *plot,
                           const struct recording *recording, FILE *out);
void report_schedule_print(const struct recording *recording, FILE *out);

#endif
