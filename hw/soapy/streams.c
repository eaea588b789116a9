/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SoapySDR's calls that move samples, for hw/stream. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "hw/soapy/device.h"

static const long POLL_US = 100000, SEND_TIMEOUT_US = 1000000;
static const double PACKET_S = 200e-6;
enum { LEAST_PACKET = 128, NOTHING_MS = 1 };

/* Receiving -------------------------------------------------------------------------------------------------------- */

static int streams_now(void *state, tutti_tick *now)
{
    return soapy_device_now(state, now);
}

/* A module that cannot begin at a time begins at once: samples have their time either way. */
static int streams_start(void *state, tutti_tick at)
{
    struct soapy_device *d = state;
    d->more = false;
    int status = d->api->activateStream(d->device, d->rx, SOAPY_SDR_HAS_TIME, soapy_ns_of(at, d->rate_hz), 0);
    if (status == SOAPY_SDR_NOT_SUPPORTED) {
        status = d->api->activateStream(d->device, d->rx, 0, 0, 0);
    }
    return status ? soapy_device_failed(d, "cannot start its stream") : TUTTI_OK;
}

static int streams_stop(void *state)
{
    struct soapy_device *d = state;
    return d->api->deactivateStream(d->device, d->rx, 0, 0) ? soapy_device_failed(d, "cannot stop its stream")
                                                            : TUTTI_OK;
}

static int event_of(struct soapy_device *d, int code, enum stream_event *event)
{
    switch (code) {
    case SOAPY_SDR_TIMEOUT:
        *event = STREAM_SILENT;
        return TUTTI_OK;
    case SOAPY_SDR_OVERFLOW:
        *event = STREAM_OVERFLOW;
        return TUTTI_OK;
    case SOAPY_SDR_CORRUPTION:
        *event = STREAM_BAD;
        return TUTTI_OK;
    case SOAPY_SDR_STREAM_ERROR:
    case SOAPY_SDR_TIME_ERROR: /* the start came too late */
        *event = STREAM_ENDED;
        return TUTTI_OK;
    default:
        return soapy_device_failed(d, "cannot receive");
    }
}

/* The rest of a packet that was longer than what was asked for goes on where its first part ended. */
static int streams_receive(void *state, void *const *buffers, struct stream_piece *piece)
{
    struct soapy_device *d = state;
    int flags = SOAPY_SDR_ONE_PACKET;
    long long ns = 0;
    const int n = d->api->readStream(d->device, d->rx, buffers, (size_t)d->packet_samples, &flags, &ns, POLL_US);
    if (n < 0) {
        d->more = false;
        return event_of(d, n, &piece->event);
    }
    if (n == 0) { /* some modules do not wait */
        clock_sleep_until_ns(clock_mono_ns() + NOTHING_MS * 1000000ull);
        return TUTTI_OK;
    }
    const bool has_time = (flags & SOAPY_SDR_HAS_TIME) != 0;
    piece->timed = has_time || d->more;
    piece->tick = has_time ? soapy_tick_of(ns, d->rate_hz) : d->next;
    piece->n = n;
    d->next = piece->tick + (tutti_tick)n;
    d->more = (flags & SOAPY_SDR_MORE_FRAGMENTS) != 0;
    return TUTTI_OK;
}

/* Transmitting ----------------------------------------------------------------------------------------------------- */

static size_t streams_send(void *state, const void *const *buffers, size_t n, tutti_tick at)
{
    struct soapy_device *d = state;
    const void *there[TUTTI_MAX_ANT];
    size_t done = 0;
    while (done < n) {
        int flags = SOAPY_SDR_END_BURST | (done == 0 ? SOAPY_SDR_HAS_TIME : 0);
        for (int a = 0; a < d->n_ant; a++) {
            there[a] = (const tutti_cf32 *)buffers[a] + done;
        }
        const int taken = d->api->writeStream(d->device, d->tx, there, n - done, &flags, soapy_ns_of(at, d->rate_hz),
                                              SEND_TIMEOUT_US);
        if (taken <= 0) {
            break;
        }
        done += (size_t)taken;
    }
    return done;
}

static void streams_end(void *state, const void *const *buffers)
{
    struct soapy_device *d = state;
    int flags = SOAPY_SDR_END_BURST;
    d->api->writeStream(d->device, d->tx, buffers, 0, &flags, 0, POLL_US);
}

/* One channel of the stream, or all: modules differ in whether they number a device's channels or a stream's. */
static int antenna_of(const struct soapy_device *d, size_t mask)
{
    const bool one = mask && (mask & (mask - 1)) == 0;
    const int antenna = one ? __builtin_ctzll(mask) : -1;
    return antenna < d->n_ant ? antenna : -1;
}

static bool kind_of(int code, int flags, enum ledger_event_kind *kind)
{
    switch (code) {
    case 0:
        *kind = flags & SOAPY_SDR_END_BURST ? LEDGER_ACK : LEDGER_N_KINDS;
        return true;
    case SOAPY_SDR_UNDERFLOW:
        *kind = LEDGER_UNDERRUN;
        return true;
    case SOAPY_SDR_TIME_ERROR:
        *kind = LEDGER_LATE;
        return true;
    case SOAPY_SDR_CORRUPTION:
        *kind = LEDGER_SEQUENCE;
        return true;
    default: /* nothing to tell, or a state that would be told again and again */
        return false;
    }
}

static bool streams_message(void *state, struct ledger_event *event)
{
    struct soapy_device *d = state;
    size_t mask = 0;
    int flags = 0;
    long long ns = 0;
    const int code = d->api->readStreamStatus(d->device, d->tx, &mask, &flags, &ns, 0);
    if (!kind_of(code, flags, &event->kind)) {
        return false;
    }
    event->antenna = antenna_of(d, mask);
    event->timed = (flags & SOAPY_SDR_HAS_TIME) != 0;
    event->tick = soapy_tick_of(ns, d->rate_hz);
    return true;
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static const struct stream_ops OPS = {.now = streams_now,
                                      .start = streams_start,
                                      .stop = streams_stop,
                                      .receive = streams_receive,
                                      .send = streams_send,
                                      .end = streams_end,
                                      .message = streams_message};

static SoapySDRStream *make_stream(struct soapy_device *d, int direction)
{
    const SoapySDRKwargs none = {0};
    return d->api->setupStream(d->device, direction, SOAPY_SDR_CF32, d->channel, (size_t)d->n_ant, &none);
}

/* Whether the module tells what became of bursts. */
static void ask_for_status(struct soapy_device *d)
{
    size_t mask = 0;
    int flags = 0;
    long long ns = 0;
    if (d->api->readStreamStatus(d->device, d->tx, &mask, &flags, &ns, 0) == SOAPY_SDR_NOT_SUPPORTED) {
        d->taciturn = true;
    }
    if (d->taciturn) {
        log_write(LOG_WARNING, "radio", "NO-ACKNOWLEDGEMENTS args=%s: bursts count as sent unless the radio complains",
                  d->name);
    }
}

static int packet_of(const struct soapy_device *d, int chunk_samples)
{
    const double wished = chunk_samples > 0 ? chunk_samples : PACKET_S * (double)d->rate_hz;
    const size_t most = d->api->getStreamMTU(d->device, d->rx);
    const size_t asked = wished < LEAST_PACKET ? LEAST_PACKET : (size_t)wished;
    return (int)(most > 0 && most < asked ? most : asked);
}

int soapy_streams_create(struct soapy_device *d, int chunk_samples, struct stream_device *stream)
{
    d->rx = make_stream(d, SOAPY_SDR_RX);
    d->tx = d->rx ? make_stream(d, SOAPY_SDR_TX) : NULL;
    if (!d->rx || !d->tx) {
        return soapy_device_failed(d, d->rx ? "no transmit stream" : "no receive stream");
    }
    if (d->api->activateStream(d->device, d->tx, 0, 0, 0)) {
        return soapy_device_failed(d, "cannot start its transmit stream");
    }
    ask_for_status(d);
    d->packet_samples = packet_of(d, chunk_samples);
    *stream = (struct stream_device){.ops = &OPS,
                                     .state = d,
                                     .kind = "SOAPY",
                                     .name = d->name,
                                     .n_ant = d->n_ant,
                                     .tick_multiple = d->tick_multiple,
                                     .packet_samples = d->packet_samples,
                                     .rate_hz = d->rate_hz,
                                     .elastic = d->elastic,
                                     .taciturn = d->taciturn};
    return TUTTI_OK;
}
