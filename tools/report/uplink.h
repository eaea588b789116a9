/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report's part on users' data towards the access points (docs/uplink.md). */
#ifndef TUTTI_TOOLS_REPORT_UPLINK_H
#define TUTTI_TOOLS_REPORT_UPLINK_H

#include "tools/report/plots.h"

struct report_uplink {
    int n_user; /* drawn */
    int constellation[REPORT_MAX_USERS];
};

/* One user over the run; means in dB leave out blocks of learning, as the downlink's do. */
struct report_uplink_user {
    double measured_db, predicted_db; /* means over blocks */
    double evm;                       /* root mean square, fraction */
    uint64_t n_block, bits, bit_errors, coded_bits, coded_bit_errors, code_blocks, code_block_errors;
    double throughput_bps; /* bits of right code blocks over the whole run; NaN when unknown */
};
struct report_uplink_user report_uplink_user(const struct recording *recording, int user);

void report_uplink_collect(struct report_uplink *uplink, plot_t *plot, const struct recording *recording);
void report_uplink_write(const struct report_uplink *uplink, const plot_t *plot, const struct recording *recording,
                         FILE *out);
void report_uplink_print(const struct recording *recording, FILE *out);

#endif
