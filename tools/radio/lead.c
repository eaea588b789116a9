/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti radio lead: how long before its time a burst must be handed over. Leads from long to short, N bursts each; the
 * shortest of which no burst was late, with a margin, is what engine.tx_lead_us should be. */
#include "base/error.h"
#include "tools/radio/trial.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <stdio.h>

static const double LEADS_US[] = {20000, 10000, 5000, 3000, 2000, 1500, 1000, 700, 500, 350, 250, 150, 100};
enum { N_LEADS = sizeof LEADS_US / sizeof LEADS_US[0], EVERY = 3, SETTLE = 60 };
/* What was measured in a minute is not the worst of a day. */
static const double MARGIN = 1.5, MARGIN_US = 100;

/* n bursts with this lead; how many of them were not wholly sent in time. */
static int try_lead(struct trial *t, double lead_us, int n, uint64_t *n_bad)
{
    const uint64_t sent = t->notes[RADIO_NOTE_SENT];
    int status = TUTTI_OK, n_taken = 0;
    for (int i = 0; !status && i < n * EVERY + SETTLE; i++) {
        status = trial_receive(t);
        if (!status && i % EVERY == 0 && i < n * EVERY) {
            const int refused = trial_burst(t, trial_now(t) + (tutti_tick)(lead_us * 1e-6 * t->info.rate_hz), 0);
            n_taken += refused == TUTTI_OK;
            status = refused == TUTTI_EAGAIN || refused == TUTTI_EINVAL ? TUTTI_OK : refused;
        }
    }
    *n_bad = (uint64_t)n_taken - (t->notes[RADIO_NOTE_SENT] - sent);
    printf("%8.0f us  %6d bursts  %6" PRIu64 " not in time\n", lead_us, n_taken, *n_bad);
    return status;
}

static int conclude(double least_us)
{
    if (!(least_us > 0)) {
        printf("verdict: even %.0f us are too short: tutti radio check first\n", LEADS_US[0]);
        return TOOL_FAILED;
    }
    printf("verdict: bursts must be handed over %.0f us ahead; with margin: engine.tx_lead_us: %.0f\n"
           "`tutti config check` says whether the frame leaves that much time.\n",
           least_us, MARGIN * least_us + MARGIN_US);
    return TOOL_OK;
}

int radio_lead(const struct trial_options *options)
{
    struct trial trial = {0};
    double least_us = 0;
    uint64_t n_bad = 0;
    int status = trial_open(&trial, options);
    if (!status && !trial.info.paced) {
        status = error_set(TUTTI_EUNSUPPORTED, "this radio's time waits for the host (elastic): a lead means nothing");
    }
    status = status ? status : trial_start(&trial);
    for (int i = 0; !status && n_bad == 0 && i < N_LEADS; i++) {
        status = try_lead(&trial, LEADS_US[i], options->n_burst, &n_bad);
        least_us = !status && n_bad == 0 ? LEADS_US[i] : least_us;
    }
    const int verdict = status ? tool_fault("radio") : conclude(least_us);
    trial_close(&trial);
    return verdict;
}
