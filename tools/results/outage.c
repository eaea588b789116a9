/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/results/outage.h"

#include "base/error.h"
#include "base/stats.h"

#include <math.h>
#include <stdlib.h>

int outage_create(struct outage *outage, const struct recording *r, int user)
{
    uint64_t n_promised = 0, n_below = 0;
    *outage = (struct outage){.rate = malloc((size_t)(r->n_block + 1) * sizeof *outage->rate)};
    if (!outage->rate) {
        return error_set(TUTTI_ENOMEM, "no memory for the secrecy rates of %llu blocks",
                         (unsigned long long)r->n_block);
    }
    for (uint64_t b = 0; b < r->n_block; b++) {
        const size_t i = (size_t)b * (size_t)r->n_ue + (size_t)user;
        const double rate = r->secrecy_measured[i], promised = r->secrecy_predicted[i];
        if (!recording_user_counts(r, b, user) || isnan(rate)) {
            continue;
        }
        outage->rate[outage->n++] = rate;
        n_promised += isnan(promised) ? 0 : 1;
        n_below += rate < promised ? 1 : 0;
    }
    outage->share = n_promised ? (double)n_below / (double)n_promised : NAN;
    qsort(outage->rate, outage->n, sizeof *outage->rate, stats_ascending);
    return TUTTI_OK;
}

void outage_destroy(struct outage *outage)
{
    free(outage->rate);
    outage->rate = NULL;
}
