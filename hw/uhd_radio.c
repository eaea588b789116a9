/* SPDX-License-Identifier: GPL-3.0-or-later */
/* USRPs through libuhd. The slot thread sees rings only (uhd/receive.h, uhd/transmit.h): the calls of the library,
 * which lock and allocate, are made by threads of the backend's own. */
#include "base/error.h"
#include "base/log.h"
#include "hw/radio_ops.h"
#include "hw/uhd/transmit.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_NOTES = 256, GRACE_AHEADS = 8 };
/* From handing a burst over to the device having its first packet: copies, two wake-ups, the network. `tutti radio
 * lead` measures what is really needed. */
static const double LEAD_US = 300, GRACE_S = 0.05, HORIZON_S = 0.01, AHEAD_S = 0.1;

struct uhd_radio {
    struct uhd_device device;
    struct uhd_receive receive;
    struct uhd_transmit transmit;
    ledger_t *ledger;
    tutti_tick n_ahead; /* a burst may end this long after the newest sample */
    bool stopped;
};

static int make_parts(struct uhd_radio *r, const struct radio_settings *s)
{
    struct uhd_device *d = &r->device;
    const double rate = (double)d->rate_hz;
    const int n_ahead = s->n_tx_buffer_samples > 0 ? s->n_tx_buffer_samples : (int)(AHEAD_S * rate);
    const tutti_tick horizon = d->elastic ? (tutti_tick)n_ahead : (tutti_tick)(HORIZON_S * rate);
    r->n_ahead = (tutti_tick)n_ahead;
    const double grace = fmin(GRACE_S * rate, (double)GRACE_AHEADS * n_ahead); /* some blocks, if these are short */
    int status = ledger_create(&r->ledger, d->n_ant, UHD_MAX_BURSTS, MAX_NOTES, (tutti_tick)grace);
    status = status ? status : uhd_receive_create(&r->receive, d, s->priority);
    return status ? status : uhd_transmit_create(&r->transmit, d, &r->receive, 2 * n_ahead, horizon, s->priority);
}

static int usrp_open(void **state, const struct radio_settings *s, struct radio_info *info)
{
    struct uhd_radio *r = calloc(1, sizeof *r);
    *state = r;
    if (!r) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio");
    }
    int status = uhd_device_open(&r->device, s);
    status = status ? status : make_parts(r, s);
    if (status) {
        return status;
    }
    *info = (struct radio_info){.rate_hz = (double)r->device.rate_hz,
                                .tick_multiple = r->device.tick_multiple,
                                .n_ant = s->n_ant,
                                .paced = !r->device.elastic,
                                .repeatable = false,
                                .turnaround_samples = 1,
                                .sample_step = 1.0f / 32767, /* libuhd's, from sc16 to fc32 */
                                .lead_us = r->device.elastic ? 0 : LEAD_US};
    return TUTTI_OK;
}

static int usrp_sync(void *state, struct radio_sync *sync)
{
    struct uhd_radio *r = state;
    struct uhd_device *d = &r->device;
    const int status = d->has_pps ? uhd_device_same_pps(d) : TUTTI_OK;
    *sync = (struct radio_sync){.clock_source = d->clock_source,
                                .time_source = d->time_source,
                                .has_lock = d->has_lock,
                                .locked = d->locked,
                                .has_pps = d->has_pps,
                                .last_pps = d->last_pps[0]};
    return status;
}

static int usrp_start(void *state, tutti_tick at, tutti_tick *first)
{
    struct uhd_radio *r = state;
    const int status = uhd_receive_start(&r->receive, at, first);
    return status ? status : uhd_transmit_start(&r->transmit);
}

static int usrp_recv(void *state, tutti_cf32 *const *buffers, int n, struct radio_got *got)
{
    struct uhd_radio *r = state;
    if (r->stopped) {
        return error_set(TUTTI_EDEVICE, "the radio was stopped");
    }
    if (r->device.elastic) {
        uhd_transmit_flush(&r->transmit);
        uhd_transmit_settle(&r->transmit, r->ledger);
    }
    return uhd_receive_get(&r->receive, buffers, n, got, r->ledger);
}

static int usrp_burst(void *state, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag)
{
    struct uhd_radio *r = state;
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
        status = uhd_transmit_burst(&r->transmit, buffers, n, at);
    }
    if (!status) {
        ledger_add(r->ledger, at, n, tag);
    }
    return status;
}

static int usrp_note(void *state, struct radio_note *note)
{
    struct uhd_radio *r = state;
    uhd_transmit_hear(&r->transmit, r->ledger);
    ledger_settle(r->ledger, atomic_load(&r->receive.newest));
    return ledger_note(r->ledger, note);
}

static uint64_t usrp_notes_lost(const void *state)
{
    const struct uhd_radio *r = state;
    return ledger_notes_lost(r->ledger);
}

static uint64_t usrp_wakeups(const void *state)
{
    const struct uhd_radio *r = state;
    return r->receive.n_wakeups;
}

/* What the five letters do not say. */
static void tell_counters(const struct uhd_radio *r)
{
    const struct ledger_counters *c = ledger_counters(r->ledger);
    log_write(LOG_INFO, "radio",
              "USRP restarts=%u acks=%llu device_late=%llu device_underruns=%llu sequence_errors=%llu handed_late=%llu "
              "handed_cut=%llu untold=%llu messages_lost=%u",
              atomic_load(&r->receive.n_restarted), (unsigned long long)c->heard[LEDGER_ACK],
              (unsigned long long)c->heard[LEDGER_LATE], (unsigned long long)c->heard[LEDGER_UNDERRUN],
              (unsigned long long)c->heard[LEDGER_SEQUENCE], (unsigned long long)c->heard[LEDGER_TOO_LATE],
              (unsigned long long)c->heard[LEDGER_INCOMPLETE], (unsigned long long)c->untold,
              atomic_load(&r->transmit.n_heard_dropped));
}

static void usrp_stop(void *state)
{
    struct uhd_radio *r = state;
    if (!r->stopped && r->transmit.thread.running) {
        tell_counters(r);
    }
    r->stopped = true;
    if (r->transmit.device) {
        uhd_transmit_stop(&r->transmit);
    }
    if (r->receive.device) {
        uhd_receive_stop(&r->receive);
    }
}

static void usrp_close(void *state)
{
    struct uhd_radio *r = state;
    if (r) {
        usrp_stop(r);
        r->device.gone = r->receive.device && atomic_load(&r->receive.failed);
        uhd_transmit_destroy(&r->transmit);
        uhd_receive_destroy(&r->receive);
        uhd_device_close(&r->device);
        ledger_destroy(r->ledger);
        free(r);
    }
}

const struct radio_ops uhd_radio_ops = {.name = "uhd",
                                        .open = usrp_open,
                                        .sync = usrp_sync,
                                        .start = usrp_start,
                                        .recv = usrp_recv,
                                        .burst = usrp_burst,
                                        .note = usrp_note,
                                        .notes_lost = usrp_notes_lost,
                                        .wakeups = usrp_wakeups,
                                        .stop = usrp_stop,
                                        .close = usrp_close};
