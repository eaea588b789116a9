/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti radio check: receives all the time and sends a burst every 5 ms. Accepted as UHD's own benchmark_rate is: not
 * one underrun, overflow, drop, sequence error or late burst. */
#include "base/error.h"
#include "tools/radio/trial.h"
#include "tools/terminal/table.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <stdio.h>

enum { BURST_EVERY = 5, AHEAD_MS = 20 }; /* steps of TRIAL_RX_US */

static int exercise(struct trial *t, double seconds)
{
    const uint64_t n = (uint64_t)(seconds * 1e6 / TRIAL_RX_US);
    const uint64_t tail = 2 * AHEAD_MS; /* the last bursts are told of */
    int status = trial_start(t);
    for (uint64_t i = 0; !status && i < n + tail; i++) {
        status = trial_receive(t);
        if (!status && i % BURST_EVERY == 0 && i < n) {
            const int refused = trial_burst(t, trial_now(t) + (tutti_tick)(AHEAD_MS * 1e-3 * t->info.rate_hz), i);
            status = refused == TUTTI_EAGAIN || refused == TUTTI_EINVAL ? TUTTI_OK : refused; /* after a gap */
        }
    }
    return status;
}

static int conclude(const struct trial *t)
{
    static const char *const headers[] = {"sent",       "U underrun", "O overflow", "D dropped",
                                          "S sequence", "L late",     NULL};
    static const enum radio_note_kind kinds[] = {RADIO_NOTE_SENT, RADIO_NOTE_UNDERRUN, RADIO_NOTE_OVERFLOW,
                                                 RADIO_NOTE_DROP, RADIO_NOTE_SEQUENCE, RADIO_NOTE_LATE};
    uint64_t n_bad = t->n_gap;
    table_t *table = table_create("Bursts and events", headers);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        table_cell(table, "%" PRIu64, t->notes[kinds[i]]);
        n_bad += i > 0 ? t->notes[kinds[i]] : 0;
    }
    table_print(table, stdout);
    table_destroy(table);
    printf("received %" PRIu64 " samples of each antenna, %" PRIu64 " gaps of %" PRIu64 " samples in all\n",
           t->n_sample, t->n_gap, t->n_lost);
    const bool good = n_bad == 0 && t->notes[RADIO_NOTE_SENT] > 0;
    printf("verdict: %s\n", good ? "accepted, zero events; next: tutti radio lead"
                                 : "NOT accepted: host tuning and MTU in docs/over-the-air.md, then again");
    return good ? TOOL_OK : TOOL_FAILED;
}

int radio_check(const struct trial_options *options)
{
    struct trial trial = {0};
    int status = trial_open(&trial, options);
    status = status ? status : exercise(&trial, options->seconds);
    const int verdict = status ? tool_fault("radio") : conclude(&trial);
    trial_close(&trial);
    return verdict;
}
