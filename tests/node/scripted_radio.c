/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scripted_radio.h"

#include "base/clock.h"
#include "base/error.h"

#include <math.h>

tutti_cf32 scripted_sample(int antenna, tutti_tick tick)
{
    return CMPLXF((float)(tick % 100003), (float)antenna);
}

int radio_open(radio_t **radio, const struct radio_settings *settings, struct radio_info *info)
{
    (void)radio, (void)settings, (void)info;
    return TUTTI_EUNSUPPORTED;
}

void radio_close(radio_t *radio)
{
    (void)radio;
}

void radio_stop(radio_t *radio)
{
    (void)radio;
}

int radio_sync(radio_t *radio, struct radio_sync *sync)
{
    (void)radio, (void)sync;
    return TUTTI_EUNSUPPORTED;
}

int radio_start(radio_t *radio, tutti_tick at, tutti_tick *first)
{
    *first = radio->now = radio->now > at ? radio->now : at;
    return TUTTI_OK;
}

void radio_unwanted(radio_t *radio, tutti_tick from, tutti_tick to)
{
    if (from < to) {
        radio->unwanted[radio->n_unwanted % SCRIPTED_UNWANTED].from = from;
        radio->unwanted[radio->n_unwanted++ % SCRIPTED_UNWANTED].to = to;
    }
}

bool radio_recall(radio_t *radio, uint64_t block, double *values, int n)
{
    (void)radio, (void)block, (void)values, (void)n;
    return false;
}

static bool is_unwanted(const radio_t *radio, tutti_tick tick)
{
    const uint64_t first = radio->n_unwanted > 16 ? radio->n_unwanted - 16 : 0;
    for (uint64_t i = first; i < radio->n_unwanted; i++) {
        if (radio->unwanted[i % SCRIPTED_UNWANTED].from <= tick && tick < radio->unwanted[i % SCRIPTED_UNWANTED].to) {
            return true;
        }
    }
    return false;
}

int radio_recv(radio_t *radio, tutti_cf32 *const *buffers, int n, struct radio_got *got)
{
    radio->n_recv++;
    if (radio->fail && radio->now >= radio->fail_at) {
        return radio->fail;
    }
    const bool more = radio->next_loss < radio->n_loss;
    const tutti_tick loss_at = more ? radio->loss[radio->next_loss].from : UINT64_MAX;
    if (more && radio->now == loss_at) {
        radio->now = radio->loss[radio->next_loss++].to;
        return radio_recv(radio, buffers, n, got);
    }
    int take = radio->at_most && radio->at_most < n ? radio->at_most : n;
    take = radio->now + (tutti_tick)take > loss_at ? (int)(loss_at - radio->now) : take;
    for (int a = 0; a < radio->n_ant; a++) {
        for (int i = 0; i < take; i++) {
            const tutti_tick tick = radio->now + (tutti_tick)i;
            buffers[a][i] = is_unwanted(radio, tick) ? CMPLXF(NAN, NAN) : scripted_sample(a, tick);
        }
    }
    const uint64_t now_ns = clock_mono_ns(), back_ns = radio->host_back_ns;
    *got = (struct radio_got){.tick = radio->now, .n = take, .host_ns = radio->now * 1000};
    if (radio->real_host_time) {
        got->host_ns = now_ns > back_ns ? now_ns - back_ns : 0;
    }
    radio->now += (tutti_tick)take;
    return TUTTI_OK;
}

int radio_burst_open(radio_t *radio, int n, tutti_tick at, uint64_t tag)
{
    if (radio->burst_status < 0 || radio->n_burst == SCRIPTED_BURSTS) {
        return radio->burst_status < 0 ? radio->burst_status : TUTTI_EAGAIN;
    }
    radio->burst[radio->n_burst++] = (struct scripted_burst){.at = at, .n = n, .tag = tag};
    if (radio->tells && radio->n_note < SCRIPTED_NOTES) {
        radio->note[radio->n_note++] =
            (struct radio_note){.kind = at < radio->now ? RADIO_NOTE_LATE : RADIO_NOTE_SENT, .tag = tag, .tick = at};
    }
    return TUTTI_OK;
}

void radio_burst_part(radio_t *radio, const tutti_cf32 *const *buffers, int n)
{
    struct scripted_burst *b = &radio->burst[radio->n_burst - 1];
    for (int a = 0; a < radio->n_ant; a++) {
        for (int i = 0; i < n; i++) {
            const tutti_cf32 v = buffers[a][i];
            b->energy[a] += crealf(v) * crealf(v) + cimagf(v) * cimagf(v);
        }
    }
    b->n_given += n;
    b->n_part++;
}

bool radio_burst_place(radio_t *radio, int n, tutti_cf32 **buffers)
{
    (void)radio, (void)n, (void)buffers;
    return false;
}

int radio_burst(radio_t *radio, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag)
{
    const int status = radio_burst_open(radio, n, at, tag);
    if (status >= 0) {
        radio_burst_part(radio, buffers, n);
    }
    return status;
}

uint64_t radio_deadline_ns(const struct radio_info *info, const struct radio_got *got, tutti_tick at)
{
    const double ahead = (double)at - (double)(got->tick + (tutti_tick)got->n);
    return got->host_ns + (uint64_t)(ahead / info->rate_hz * 1e9 - info->lead_us * 1e3);
}

int radio_note(radio_t *radio, struct radio_note *note)
{
    if (radio->next_note == radio->n_note) {
        return 0;
    }
    *note = radio->note[radio->next_note++];
    return 1;
}

uint64_t radio_notes_lost(const radio_t *radio)
{
    (void)radio;
    return 0;
}

uint64_t radio_wakeups(const radio_t *radio)
{
    return radio->n_recv;
}
