/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti radio probe: opens, sets up, shows what the radio is, sends one burst. */
#include "base/error.h"
#include "tools/radio/trial.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { STEPS = 200 }; /* of TRIAL_RX_US */

static void print_setup(const struct trial *t, const struct radio_sync *sync)
{
    printf("sources    clock %s, time %s\n", *sync->clock_source ? sync->clock_source : "internal",
           *sync->time_source ? sync->time_source : "internal");
    printf("reference  %s\n", !sync->has_lock ? "no lock to read" : sync->locked ? "locked" : "NOT LOCKED");
    if (sync->has_pps) {
        printf("PPS        all boards alike, the last at %.6f s (UTC)\n", (double)sync->last_pps / t->info.rate_hz);
    } else {
        printf("PPS        none: this radio's time agrees with no other's (--ref external --pps external)\n");
    }
    printf("rate       %.0f samples/s, timed operations on multiples of %d\n", t->info.rate_hz, t->info.tick_multiple);
}

static int listen_and_send(struct trial *t)
{
    int status = trial_start(t);
    for (int i = 0; !status && i < STEPS; i++) {
        if (i == STEPS / 4) {
            status = trial_burst(t, trial_now(t) + (tutti_tick)(0.02 * t->info.rate_hz), 0);
        }
        status = status ? status : trial_receive(t);
    }
    return status;
}

static void print_antennas(const struct trial *t)
{
    for (int a = 0; a < t->n_ant; a++) {
        printf("antenna %-2d received %.1f dB of full scale on average\n", a,
               10 * log10(t->power[a] / (double)t->n_sample + 1e-12));
    }
}

static int conclude(const struct trial *t)
{
    const bool sent = t->notes[RADIO_NOTE_SENT] == 1;
    printf("burst      %s\n", sent                            ? "sent in time"
                              : t->notes[RADIO_NOTE_LATE]     ? "LATE by 20 ms or more"
                              : t->notes[RADIO_NOTE_UNDERRUN] ? "CUT: an underrun"
                                                              : "NOT ACKNOWLEDGED");
    printf("verdict    %s\n", sent && t->n_gap == 0 ? "ready; next: tutti radio check, then tutti radio lead"
                                                    : "not ready: see docs/over-the-air.md, \"When it does not work\"");
    return sent && t->n_gap == 0 ? TOOL_OK : TOOL_FAILED;
}

int radio_probe(const struct trial_options *options)
{
    struct trial trial = {0};
    struct radio_sync sync = {0};
    int status = trial_open(&trial, options);
    status = status ? status : radio_sync(trial.radio, &sync);
    if (!status) {
        print_setup(&trial, &sync);
        status = listen_and_send(&trial);
    }
    int verdict = status ? tool_fault("radio") : TOOL_OK;
    if (!status) {
        print_antennas(&trial);
        verdict = conclude(&trial);
    }
    trial_close(&trial);
    return verdict;
}
