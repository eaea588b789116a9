/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/radio/trial.h"

#include "base/clock.h"
#include "base/error.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>

static tutti_cf32 **make_buffers(int n_ant, int n)
{
    tutti_cf32 **buffers = calloc((size_t)n_ant, sizeof *buffers);
    for (int a = 0; buffers && a < n_ant; a++) {
        buffers[a] = calloc((size_t)n, sizeof **buffers);
    }
    return buffers;
}

static void free_buffers(tutti_cf32 **buffers, int n_ant)
{
    for (int a = 0; buffers && a < n_ant; a++) {
        free(buffers[a]);
    }
    free(buffers);
}

/* A tone 20 dB below full scale, a sixteenth of the rate beside the carrier. */
static void fill_burst(struct trial *t)
{
    for (int a = 0; a < t->n_ant; a++) {
        for (int i = 0; i < t->n_tx; i++) {
            t->tx[a][i] = 0.1f * cexpf(I * (float)(M_PI / 8) * (float)(i % 16));
        }
    }
}

static bool has_memory(const struct trial *t)
{
    bool all = t->rx && t->tx && t->power;
    for (int a = 0; all && a < t->n_ant; a++) {
        all = t->rx[a] && t->tx[a];
    }
    return all;
}

int trial_open(struct trial *t, const struct trial_options *o)
{
    *t = (struct trial){.n_ant = o->radio.n_ant};
    const int status = radio_open(&t->radio, &o->radio, &t->info);
    if (status) {
        return status;
    }
    const int grid = t->info.tick_multiple;
    t->n_rx = (int)(t->info.rate_hz * TRIAL_RX_US * 1e-6);
    t->n_tx = (int)(t->info.rate_hz * TRIAL_BURST_US * 1e-6) / grid * grid;
    t->rx = make_buffers(t->n_ant, t->n_rx);
    t->tx = make_buffers(t->n_ant, t->n_tx);
    t->power = calloc((size_t)t->n_ant, sizeof *t->power);
    if (!has_memory(t)) {
        return error_set(TUTTI_ENOMEM, "no memory for samples");
    }
    fill_burst(t);
    return TUTTI_OK;
}

int trial_start(struct trial *t)
{
    return radio_start(t->radio, 0, &t->next);
}

void trial_close(struct trial *t)
{
    radio_close(t->radio);
    free_buffers(t->rx, t->n_ant);
    free_buffers(t->tx, t->n_ant);
    free(t->power);
    *t = (struct trial){0};
}

int trial_receive(struct trial *t)
{
    struct radio_note note;
    const int status = radio_recv(t->radio, t->rx, t->n_rx, &t->got);
    if (status) {
        return status;
    }
    t->n_gap += t->got.tick != t->next;
    t->n_lost += t->got.tick > t->next ? t->got.tick - t->next : 0;
    t->next = t->got.tick + (tutti_tick)t->got.n;
    for (int a = 0; a < t->n_ant; a++) {
        for (int i = 0; i < t->got.n; i++) {
            t->power[a] +=
                (double)(crealf(t->rx[a][i]) * crealf(t->rx[a][i]) + cimagf(t->rx[a][i]) * cimagf(t->rx[a][i]));
        }
    }
    t->n_sample += (uint64_t)t->got.n;
    while (radio_note(t->radio, &note)) {
        t->notes[note.kind]++;
    }
    return TUTTI_OK;
}

int trial_burst(struct trial *t, tutti_tick at, uint64_t tag)
{
    const tutti_tick grid = (tutti_tick)t->info.tick_multiple;
    return radio_burst(t->radio, (const tutti_cf32 *const *)t->tx, t->n_tx, (at + grid - 1) / grid * grid, tag);
}

tutti_tick trial_now(const struct trial *t)
{
    const uint64_t since_ns = clock_mono_ns() - t->got.host_ns;
    return t->next + (tutti_tick)(t->info.paced ? (double)since_ns * 1e-9 * t->info.rate_hz : 0);
}
