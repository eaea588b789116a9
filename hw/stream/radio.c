/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/stream/radio.h"

#include "base/error.h"
#include "base/log.h"

#include <math.h>

enum { MAX_NOTES = 256, GRACE_AHEADS = 8 };
/* From handing a burst over to the device having its first packet: copies, two wake-ups, the network. `tutti radio
 * lead` measures what is really needed. */
static const double LEAD_US = 300, GRACE_S = 0.05, HORIZON_S = 0.01, AHEAD_S = 0.1;

int stream_radio_create(struct stream_radio *r, const struct radio_settings *s, struct radio_info *info)
{
    const struct stream_device *d = &r->device;
    const double rate = (double)d->rate_hz;
    const int n_ahead = s->n_tx_buffer_samples > 0 ? s->n_tx_buffer_samples : (int)(AHEAD_S * rate);
    const tutti_tick horizon = d->elastic ? (tutti_tick)n_ahead : (tutti_tick)(HORIZON_S * rate);
    r->n_ahead = (tutti_tick)n_ahead;
    const double grace = fmin(GRACE_S * rate, (double)GRACE_AHEADS * n_ahead); /* some blocks, if these are short */
    *info = (struct radio_info){.rate_hz = rate,
                                .tick_multiple = d->tick_multiple,
                                .n_ant = s->n_ant,
                                .paced = !d->elastic,
                                .repeatable = false,
                                .turnaround_samples = 1,
                                .lead_us = d->elastic ? 0 : LEAD_US};
    int status = ledger_create(&r->ledger, d->n_ant, STREAM_MAX_BURSTS, MAX_NOTES, (tutti_tick)grace);
    if (!status && d->taciturn) {
        ledger_trust_silence(r->ledger);
    }
    status = status ? status : stream_receive_create(&r->receive, d, s->priority);
    return status ? status : stream_transmit_create(&r->transmit, d, &r->receive, 2 * n_ahead, horizon, s->priority);
}

int stream_radio_start(void *state, tutti_tick at, tutti_tick *first)
{
    struct stream_radio *r = state;
    const int status = stream_receive_start(&r->receive, at, first);
    return status ? status : stream_transmit_start(&r->transmit);
}

int stream_radio_recv(void *state, tutti_cf32 *const *buffers, int n, struct radio_got *got)
{
    struct stream_radio *r = state;
    if (r->stopped) {
        return error_set(TUTTI_EDEVICE, "the radio was stopped");
    }
    if (r->device.elastic) {
        stream_transmit_flush(&r->transmit);
        stream_transmit_settle(&r->transmit, r->ledger);
    }
    return stream_receive_get(&r->receive, buffers, n, got, r->ledger);
}

int stream_radio_burst(void *state, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag)
{
    struct stream_radio *r = state;
    if (r->stopped) {
        return error_set(TUTTI_EDEVICE, "the radio was stopped");
    }
    if (at % (tutti_tick)r->device.tick_multiple != 0) {
        return error_set(TUTTI_EINVAL, "a burst at tick %llu: this radio needs multiples of %d", (unsigned long long)at,
                         r->device.tick_multiple);
    }
    if (at + (tutti_tick)n > atomic_load(&r->receive.newest) + r->n_ahead) {
        return TUTTI_EAGAIN;
    }
    int status = ledger_check(r->ledger, at, n);
    if (!status) {
        status = stream_transmit_burst(&r->transmit, buffers, n, at);
    }
    if (!status) {
        ledger_add(r->ledger, at, n, tag);
    }
    return status;
}

int stream_radio_note(void *state, struct radio_note *note)
{
    struct stream_radio *r = state;
    stream_transmit_hear(&r->transmit, r->ledger);
    ledger_settle(r->ledger, atomic_load(&r->receive.newest));
    return ledger_note(r->ledger, note);
}

uint64_t stream_radio_notes_lost(const void *state)
{
    const struct stream_radio *r = state;
    return ledger_notes_lost(r->ledger);
}

uint64_t stream_radio_wakeups(const void *state)
{
    const struct stream_radio *r = state;
    return r->receive.n_wakeups;
}

/* What the five letters do not say. */
static void tell_counters(const struct stream_radio *r)
{
    const struct ledger_counters *c = ledger_counters(r->ledger);
    log_write(LOG_INFO, "radio",
              "%s restarts=%u acks=%llu device_late=%llu device_underruns=%llu sequence_errors=%llu handed_late=%llu "
              "handed_cut=%llu untold=%llu messages_lost=%u",
              r->device.kind, atomic_load(&r->receive.n_restarted), (unsigned long long)c->heard[LEDGER_ACK],
              (unsigned long long)c->heard[LEDGER_LATE], (unsigned long long)c->heard[LEDGER_UNDERRUN],
              (unsigned long long)c->heard[LEDGER_SEQUENCE], (unsigned long long)c->heard[LEDGER_TOO_LATE],
              (unsigned long long)c->heard[LEDGER_INCOMPLETE], (unsigned long long)c->untold,
              atomic_load(&r->transmit.n_heard_dropped));
}

void stream_radio_stop(void *state)
{
    struct stream_radio *r = state;
    if (!r->stopped && r->transmit.thread.running) {
        tell_counters(r);
    }
    r->stopped = true;
    if (r->transmit.device) {
        stream_transmit_stop(&r->transmit);
    }
    if (r->receive.device) {
        stream_receive_stop(&r->receive);
    }
}

bool stream_radio_end(struct stream_radio *r)
{
    stream_radio_stop(r);
    const bool gone = r->receive.device && atomic_load(&r->receive.failed);
    stream_transmit_destroy(&r->transmit);
    stream_receive_destroy(&r->receive);
    ledger_destroy(r->ledger);
    r->ledger = NULL;
    return gone;
}
