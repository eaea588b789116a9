/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Artificial noise that goes with a precoder: one vector per subband over all APs, power included. One handle per
 * thread; a vector depends on the seed and the subband's index alone. */
#ifndef TUTTI_TOOLS_PRECODE_NOISE_H
#define TUTTI_TOOLS_PRECODE_NOISE_H

#include "mimo/precoder.h"

enum precode_an {
    PRECODE_AN_NONE,
    PRECODE_AN_NULLSPACE, /* each AP in the null space of its own strong users; one draw as an example, APs draw a new
                             one for every symbol */
    PRECODE_AN_PHASE_ONLY /* all antennas together at equal power per antenna of an AP, nulled at every user */
};
/* As on the command line. */
const char *precode_an_name(enum precode_an an);

struct precode_noise_settings {
    enum precode_an an;
    double share;   /* of each AP's power, 0 to 0.99; the precoder has the rest. Not looked at without noise */
    double upsilon; /* NULLSPACE: share of the large-scale gain the strong users hold */
    uint64_t seed;
};

typedef struct precode_noise precode_noise_t;

/* ap_power [n_ap]: whole budgets. *noise is to be destroyed even when this fails. */
int precode_noise_create(precode_noise_t **noise, const struct precode_noise_settings *settings,
                         const struct mimo_shape *shape, const float *ap_power);
void precode_noise_destroy(precode_noise_t *noise); /* NULL allowed */
/* What the precoder may use of ap_power. */
float precode_noise_left(const struct precode_noise_settings *settings, float ap_power);
/* an [n_ap][n_ant], zero at APs that are not active and when nobody is served. False when no phases were found that
 * null all users: an is then zero. */
bool precode_noise_execute(precode_noise_t *noise, uint64_t index, const struct mimo_channel *channel, tutti_cf32 *an);

#endif
