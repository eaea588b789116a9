/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report's part on powers and resilience (docs/resilience.md): gap and rates over blocks, and of every disruption
 * what was absorbed, tried, deployed and won back. From the run's time line and its users' and eavesdroppers' reports.
 */
#ifndef TUTTI_TOOLS_REPORT_RECOVERY_H
#define TUTTI_TOOLS_REPORT_RECOVERY_H

#include "tools/report/plots.h"

struct report_recovery {
    bool shown; /* there is a controller, or an attack that it could have answered */
    int gap, rates;
};

void report_recovery_collect(struct report_recovery *recovery, plot_t *plot, const struct recording *recording);
void report_recovery_write(const struct report_recovery *recovery, const plot_t *plot,
                           const struct recording *recording, FILE *out);
/* For a terminal: a line per disruption and the candidates. */
void report_recovery_print(const struct recording *recording, FILE *out);

/* Rates in bit/s/Hz of some blocks, the frame's overhead counted, from the mean SINR of the reports; NaN where there
 * are none. Gap: w_sec (1 - SSE / s_des)^2 + w_qos mean (1 - R / r_des)^2, each not below 0 ("Resilient Cell-Free
 * Massive MIMO Networks", (7)), over the users that were served. */
struct report_rates {
    double gap, secrecy, mean; /* of the protected user; over those served */
};
struct report_rates report_recovery_rates(const struct recording *recording, uint64_t first, uint64_t n);

#endif
